"""Several processes: the gradients, scores and clips of one; killed, they go on.

The jobs are real ones of torchrun on this machine, two processes each.
"""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from made import made_examples, noise
from test_train import FACTS, labels_of, quiet, small

import tagkit
from tagkit.data import batches, feed, store
from tagkit.evaluation import predict
from tagkit.machine import processes
from tagkit.training import checkpoints, train

# What each process of a job does: the code behind it ends with `say(...)`.
HEAD = """
import json, os, sys, time
sys.path[:0] = {path!r}
import torch
torch.set_num_threads(1)
from pathlib import Path
from made import made_examples, noise
from test_train import Dropping, labels_of, quiet, small
from tagkit import models
from tagkit.data import batches, feed
from tagkit.evaluation import predict
from tagkit.machine import processes
from tagkit.training import checkpoints, train
processes.PATIENCE = 1200
if os.environ["TORCHELASTIC_RESTART_COUNT"] != "0" and os.environ["RANK"] == "1":
    time.sleep(2)  # the other must not take the address of the process that died
processes.start()
rank, n_ranks = processes.place()
folder = Path({folder!r})
def say(**what):
    (folder / f"said{{rank}}.json").write_text(json.dumps(what))
def data(n=16, valid=5):
    from test_processes import opened
    return opened(folder / "s", n, valid)
"""


def opened(folder, n=16, valid=5):
    """Clips to train on, clips to validate, in a store that is made already or now."""
    if not (folder / "index.json").exists():
        made_examples(folder, 3 * noise(n, 6000), labels_of(n))
    clips = store.ClipStore(folder)
    tags = [f"tag {i}" for i in range(3)]
    index = pd.Index(100 + np.arange(n), name="clip_id")
    about = {"corpus": "made", "tag_list": "own", "version": "full", "part": "made"}
    frame = pd.DataFrame(labels_of(n).astype("uint8"), index=index, columns=tags)
    whole = batches.Examples(clips, frame, about | {"n_clips": n})
    return whole.take(n - valid), whole.take(range(100 + n - valid, 100 + n))


def job(folder, code, *options, check=True):
    """Run code in two processes; give what each one said, and all that was printed."""
    path = [str(Path(tagkit.__file__).parents[1]), str(Path(__file__).parent)]
    script = folder / "job.py"
    script.write_text(HEAD.format(path=path, folder=str(folder)) + code)
    words = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node=2"]
    words += ["--standalone", *options, str(script)]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        words, env=environment, capture_output=True, text=True, timeout=1800
    )
    if check:
        assert done.returncode == 0, done.stderr[-3000:]
    said = sorted(folder.glob("said*.json"))
    return [json.loads(path.read_text()) for path in said], done.stdout + done.stderr


def test_who_meets_nobody_ends():
    code = "from tagkit.machine import processes as p; p.PATIENCE = 1; p.start()"
    world = {"RANK": "0", "WORLD_SIZE": "2", "TORCHELASTIC_RUN_ID": "alone"}
    with socket.socket() as free:
        free.bind(("localhost", 0))
        world |= {"MASTER_ADDR": "localhost", "MASTER_PORT": str(free.getsockname()[1])}
    words = [sys.executable, "-c", code]
    path = {"PYTHONPATH": str(Path(tagkit.__file__).parents[1])}
    pipes = {"capture_output": True, "text": True, "timeout": 1800}
    done = subprocess.run(words, env=os.environ | world | path, **pipes)
    assert done.returncode == 1
    assert "met no other process in 1 s, ending" in done.stderr


def test_alone_nothing_is_started_and_nothing_is_changed():
    model = small()
    assert processes.place() == (0, 1) and processes.is_first()
    assert processes.wrap(model) is model
    assert processes.gather(3) == [3] and processes.total(2.5) == 2.5
    before = torch.get_rng_state()
    processes.begin_epoch(0, 1)
    assert torch.equal(before, torch.get_rng_state())


@pytest.mark.parametrize("n_ranks", [1, 2, 3, 5])
@pytest.mark.parametrize(("batch_size", "crops"), [(4, 1), (4, 3), (2, 1), (100, 2)])
def test_parts_are_the_batches_without_double_or_lost_windows(
    tmp_path, n_ranks, batch_size, crops
):
    part, _ = opened(tmp_path / "s")
    options = {"batch_size": batch_size, "crops_per_clip": crops, "seed": 1}
    whole = part.crops(4000, 12_000, **options)
    parts = [
        batches.RandomCrops(part, 4000, 12_000, rank=rank, n_ranks=n_ranks, **options)
        for rank in range(n_ranks)
    ]
    for number, (samples, labels) in enumerate(whole.epoch(2)):
        if n_ranks > batch_size:  # some have nothing, until a last window joins
            break
        rows = []
        for one in parts:
            mine = list(one.epoch(2))
            if number < len(mine):
                rows += zip(*mine[number], strict=True)
        assert len(rows) == len(samples)
        for mine in zip(samples, labels, strict=True):
            same = [all(map(torch.equal, mine, row)) for row in rows]
            assert sum(same) >= 1
    seen = sum((list(one.clips(2, i)) for one in parts for i in range(99)), [])
    assert sorted(seen) == sorted(crops * list(part.labels.index))


def test_a_process_with_one_window_gives_it_twice(monkeypatch):
    monkeypatch.setattr(processes, "total", lambda n: 3 if n else 0)
    monkeypatch.setattr(processes, "place", lambda: (1, 2))
    one = torch.full((1, 5), 0.5), torch.ones(1, 2)
    (batch,) = feed.even([one], 5, 2)
    assert batch.samples.shape == (2, 5) and (batch.samples == 0.5).all()
    assert batch.labels.tolist() == [[1, 1], [1, 1]]
    assert (batch.n, batch.weight) == (1, 2 / 3)


def test_a_process_that_ran_out_gives_its_last_windows_again(monkeypatch):
    """Silence would go into the statistics of batch norm."""
    rest = iter([4, 2, 0])  # windows of all processes, step by step
    monkeypatch.setattr(processes, "total", lambda n: next(rest))
    monkeypatch.setattr(processes, "place", lambda: (0, 2))
    two = torch.full((2, 5), 0.5), torch.ones(2, 2)
    first, second = feed.even([two], 5, 2)
    assert first.weight == 1 and (second.n, second.weight) == (0, 0)
    assert torch.equal(second.samples, two[0]) and torch.equal(second.labels, two[1])
    rest = iter([2, 0])
    (silent,) = feed.even([], 5, 2)
    assert silent.samples.shape == (2, 5) and not silent.samples.any()


@pytest.mark.parametrize("n_ranks", [1, 2, 3, 7])
@pytest.mark.parametrize("n", [1, 8, 9, 100])
def test_every_clip_is_scored_by_one_process_in_the_same_company(
    monkeypatch, n, n_ranks
):
    shares = []
    for rank in range(n_ranks):
        monkeypatch.setattr(processes, "place", lambda rank=rank: (rank, n_ranks))
        shares.append(processes.share(n))
    assert sorted(np.concatenate(shares).tolist()) == list(range(n))
    for mine in shares:
        for at in range(0, len(mine), 8):  # as GridCrops takes them
            together = mine[at : at + 8]
            assert (together // 8 == together[0] // 8).all()
            assert len(together) == min(8, n - together[0])


GRADIENTS = """
out = {}
for n_train in (11, 9):  # the last batch: 3 windows, 2 and 1; or 5, 3 and 2
    model = small()
    part = data()[0].take(n_train)
    crops = part.crops(4000, 12_000, batch_size=4)
    network = processes.wrap(model)
    loss_of = torch.nn.BCEWithLogitsLoss()
    found = []
    for batch in feed.even(crops.epoch(1), 4000, 3):
        model.zero_grad()
        loss = loss_of(network(batch.samples), batch.labels)
        (loss * batch.weight).backward()
        sums = processes.total(loss.item() * batch.n), processes.total(batch.n)
        grads = [p.grad.flatten().tolist() for p in model.parameters()]
        found.append((sums, sum(grads, [])))
    out[str(n_train)] = found
say(**out)
"""


def test_two_give_the_gradients_of_one(tmp_path):
    part, _ = opened(tmp_path / "s")
    said, _ = job(tmp_path, GRADIENTS)
    assert len(said) == 2 and said[0] == said[1]
    for n_train in (11, 9):
        model = small()
        crops = batches.RandomCrops(part.take(n_train), 4000, 12_000, batch_size=4)
        steps_ = said[0][str(n_train)]
        assert len(steps_) == (3 if n_train == 11 else 2)
        loss_of = torch.nn.BCEWithLogitsLoss()
        for (samples, labels), (sums, grads) in zip(
            crops.epoch(1), steps_, strict=True
        ):
            model.zero_grad()
            loss = loss_of(model(samples), labels)
            loss.backward()
            assert sums[1] == len(labels)
            assert sums[0] == pytest.approx(loss.item() * len(labels), rel=1e-6)
            mine = torch.cat([p.grad.flatten() for p in model.parameters()])
            torch.testing.assert_close(
                torch.tensor(grads),
                mine,
                rtol=1e-6,
                atol=1e-6 * mine.abs().max().item(),
            )


FIT = """
part, valid = data(40, 21)
model = small()
printed = []
config = quiet(epochs=2, optimizer="sgd", learning_rate=0.05, start_at_prior=True)
run = folder / "run"
history = train.fit(model, part, valid, config, run_dir=run, log=printed.append)
scores = predict.clip_scores(model, valid)
checkpoints.load_weights(model, folder / "run" / "best.safetensors")
again = train.validate(model, valid)
norm = models.K2C2(n_tags=3, width=0.02)
norm.n_samples = 6000
torch.manual_seed(rank)
with torch.no_grad():
    norm.units[1].running_mean.add_(rank)
processes.end_epoch(norm)
dropped = Dropping(**model.arguments).train()
processes.begin_epoch(0, 1)
noisy = dropped.drop(torch.ones(1, 50))
say(epochs=history.epochs, printed=printed, scores=scores.tolist(), again=again,
    best=history.best, mean=norm.units[1].running_mean.tolist(),
    noisy=noisy.flatten().tolist())
"""


def test_two_train_as_one_and_score_to_the_last_digit(tmp_path):
    part, valid = opened(tmp_path / "s", 40, 21)
    (first, second), out = job(tmp_path, FIT)
    model = small()
    config = quiet(epochs=2, optimizer="sgd", learning_rate=0.05, start_at_prior=True)
    history = train.fit(model, part, valid, config, log=None)
    for mine, its in zip(history.epochs, first["epochs"], strict=True):
        for name in FACTS:
            assert its[name] == pytest.approx(mine[name], rel=1e-5), name
    assert first["again"]["valid_loss"] == first["best"]["valid_loss"]
    for mine, its in zip(first["epochs"], second["epochs"], strict=True):
        assert all(mine[name] == its[name] for name in FACTS)
    assert first["scores"] == second["scores"]
    assert len(first["printed"]) == 2 and second["printed"] == []
    assert (first["mean"], second["mean"]) == (first["mean"], first["mean"])
    assert first["noisy"] != second["noisy"]  # dropout of its own in each
    # The weights that were saved, scored here by one process: the same digits.
    checkpoints.load_weights(model, tmp_path / "run" / "best.safetensors")
    found = train.validate(model, valid)
    for name in ("valid_loss", "valid_roc_auc", "valid_ap"):
        assert found[name] == first["best"][name], name
    assert predict.clip_scores(model, valid).tolist() == first["scores"]


LOST = """
import signal
if rank == 1 and not (folder / "killed").exists():
    save = checkpoints.Run.save
    def deadly(self):
        save(self)
        if len(self.history.epochs) == 2:
            (folder / "killed").touch()
            os.kill(os.getpid(), signal.SIGKILL)
    checkpoints.Run.save = deadly
begun = int((folder / "run" / "last.pt").exists())
model = small()
def fit(model, name, log):
    return train.fit(model, *data(), quiet(epochs=4), run_dir=folder / name, log=log)
history = fit(model, "run", print)
whole = small()  # the same, undisturbed
expected = fit(whole, "whole", None)
flat = [[p.flatten().tolist() for p in m.parameters()] for m in (model, whole)]
say(epochs=history.epochs, begun=begun, expected=expected.epochs, weights=flat)
"""


def test_one_of_two_killed_the_job_goes_on_from_the_last_checkpoint(tmp_path):
    opened(tmp_path / "s")
    (first, second), out = job(tmp_path, LOST, "--max-restarts=2")
    assert (tmp_path / "killed").exists() and first["begun"] == 1
    assert first["weights"] == second["weights"]
    assert first["weights"][0] == first["weights"][1]
    for mine, its in zip(first["epochs"], first["expected"], strict=True):
        assert all(mine[name] == its[name] for name in FACTS)
    assert out.count("epoch  4/4") == 1 and out.count("epoch  1/4") == 1
