"""Stopped, killed, out of disk: the last checkpoint is whole, and the run goes on."""

# ruff: noqa: F811 - fixtures are parameters of the same name

import errno
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pandas as pd
import pytest
import torch
from made import made_examples, noise
from test_train import (  # noqa: F401
    Dropping,
    assert_same_weights,
    data,
    facts,
    labels_of,
    one_thread,
    quiet,
    small,
    weights,
)

import tagkit
from tagkit import models
from tagkit.data import batches, feed
from tagkit.machine import devices
from tagkit.training import checkpoints, recipes, train

CONFIG = {"epochs": 4, "schedule": "plateau", "learning_rate": 5e-3, "flat_epochs": 1}
CONFIG |= {"augment": ("gain", "mix", "noise")}


def dropping():
    torch.manual_seed(0)
    return Dropping(**small().arguments)


@pytest.fixture
def undisturbed(data):
    model = dropping()
    history = train.fit(model, *data, quiet(**CONFIG), log=None)
    return weights(model), facts(history)


def assert_ends_alike(folder, data, undisturbed):
    """Go on in a folder; weights and history must be those of an undisturbed run."""
    model = dropping()
    torch.rand(9)  # what was drawn before does not count
    history = train.fit(model, *data, quiet(**CONFIG), run_dir=folder, log=None)
    pd.testing.assert_frame_equal(facts(history), undisturbed[1], check_exact=True)
    assert_same_weights(weights(model), undisturbed[0])
    checkpoints.load_weights(model, folder / "best.safetensors")
    assert_same_weights(weights(model), undisturbed[0])


# --- kill -9

ZYGOTE = """
import os, signal, sys
sys.path[:0] = {path!r}
import torch
torch.set_num_threads(1)
from pathlib import Path
import test_resume
from made import made_examples, noise
from test_train import labels_of, quiet
from tagkit.training import train
whole = made_examples(Path({store!r}), 3 * noise(16, 6000), labels_of(16))
data = whole.take(11), whole.take(range(111, 116))
count = 0
def deadly(call, k):
    def wrapped(*args, **more):
        global count
        count += 1
        if count == k:
            os.kill(os.getpid(), signal.SIGKILL)
        return call(*args, **more)
    return wrapped
import torch._dynamo  # which an optimizer imports, seconds long
train.make_optimizer(test_resume.dropping(), quiet()).step()
print("ready", flush=True)
for line in sys.stdin:
    run, k = line.split()
    if not (pid := os.fork()):
        for name in ("open", "fsync", "replace", "write", "unlink"):
            setattr(os, name, deadly(getattr(os, name), int(k)))
        config = quiet(**test_resume.CONFIG)
        train.fit(test_resume.dropping(), *data, config, run_dir=run, log=None)
        os._exit(0)
    print(pid, flush=True)
    print(os.waitpid(pid, 0)[1], flush=True)
"""


@pytest.fixture
def zygote(tmp_path):
    """A process without threads that trains in children of its own."""
    path = [str(Path(tagkit.__file__).parents[1]), str(Path(__file__).parent)]
    code = ZYGOTE.format(path=path, store=str(tmp_path / "child"))
    words = [sys.executable, "-c", code]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen(words, **pipes) as process:
        assert process.stdout.readline() == "ready\n"

        def begin(run, k=0):
            process.stdin.write(f"{run} {k}\n")
            process.stdin.flush()
            return int(process.stdout.readline())

        def end():
            return int(process.stdout.readline())

        yield begin, end
        process.stdin.close()


needs_kill = pytest.mark.skipif(
    not hasattr(signal, "SIGKILL") or not hasattr(os, "fork"), reason="needs kill -9"
)


@needs_kill
def test_killed_at_twenty_random_moments(data, tmp_path, zygote, undisturbed):
    begin, end = zygote
    begin(tmp_path / "whole")
    start = time.perf_counter()
    assert end() == 0
    whole = time.perf_counter() - start
    moments = random.Random(0)
    n_killed = n_runs = 0
    while n_killed < 20:
        n_runs += 1
        folder = tmp_path / f"run{n_runs}"
        for _ in range(3):
            pid = begin(folder)
            time.sleep(moments.uniform(0, whole))
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
            killed = end() == signal.SIGKILL
            n_killed += killed
            if (folder / "last.pt").exists():
                torch.load(folder / "last.pt", weights_only=True)
            if not killed:
                break
        if (folder / "best.safetensors").exists():
            checkpoints.read_checkpoint(folder / "best.safetensors")
        assert_ends_alike(folder, data, undisturbed)


@needs_kill
def test_killed_at_every_call_of_the_disk(data, tmp_path, zygote, undisturbed):
    begin, end = zygote
    for k in range(1, 99):
        folder = tmp_path / f"run{k}"
        begin(folder, k)
        status = end()
        if k % 3 == 0 or status == 0:
            assert_ends_alike(folder, data, undisturbed)
            assert not list(folder.glob("*.tmp"))
        elif (folder / "last.pt").exists():
            torch.load(folder / "last.pt", weights_only=True)
            checkpoints.read_checkpoint(folder / "best.safetensors")
        if status == 0:
            break
        assert status == signal.SIGKILL
    assert k > 10  # four epochs, one or two files each, synced and put in place


# --- interruptions


def pressing(monkeypatch, at, number=signal.SIGINT):
    """Send a signal to this process before the optimizer's step number `at`."""
    count, step = [0], torch.optim.Adam.step

    def pressed(self, *args, **more):
        count[0] += 1
        if count[0] == at:
            signal.raise_signal(number)
        return step(self, *args, **more)

    monkeypatch.setattr(torch.optim.Adam, "step", pressed)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("at", [1, 5, 12])
def test_interrupted_fit_returns_what_is_there_and_goes_on(
    data,
    tmp_path,
    monkeypatch,
    undisturbed,
    number,
    at,
):
    before = [signal.getsignal(s) for s in (signal.SIGINT, signal.SIGTERM)]
    said, folder, model = [], tmp_path / "run", dropping()
    with monkeypatch.context() as patch:
        pressing(patch, at, number)
        config = quiet(**CONFIG)
        history = train.fit(model, *data, config, run_dir=folder, log=said.append)
    n_whole = (at - 1) // 3  # three steps in an epoch
    assert history.interrupted and len(history.epochs) == n_whole
    expected = undisturbed[1].iloc[:n_whole]
    if n_whole:
        pd.testing.assert_frame_equal(facts(history), expected, check_exact=True)
        checkpoints.load_weights(best := dropping(), folder / "best.safetensors")
        assert_same_weights(weights(model), weights(best))
        assert f"are those of epoch {history.best['epoch']}, the best" in said[-1]
    assert f"interrupted in epoch {n_whole + 1};" in said[-1]
    assert said[-1].endswith(f"goes on with epoch {n_whole + 1} from {folder}")
    assert before == [signal.getsignal(s) for s in (signal.SIGINT, signal.SIGTERM)]
    assert_ends_alike(folder, data, undisturbed)


def test_interrupted_without_a_folder_says_that_nothing_was_saved(data, monkeypatch):
    said, model = [], small()
    before = weights(model)
    pressing(monkeypatch, 2)
    history = train.fit(model, *data, quiet(), log=said.append)
    assert history.interrupted and history.epochs == []
    assert said[-1].endswith("nothing was saved: name a run_dir to be able to go on")
    assert_same_weights(weights(model), before)


def test_an_interruption_waits_for_a_save(data, tmp_path, monkeypatch, undisturbed):
    replace = os.replace

    def pressed(*args):
        signal.raise_signal(signal.SIGINT)
        return replace(*args)

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", pressed)
        model = dropping()
        history = train.fit(
            model, *data, quiet(**CONFIG), run_dir=tmp_path / "run", log=None
        )
    assert history.interrupted and len(history.epochs) == 1
    state = torch.load(tmp_path / "run" / "last.pt", weights_only=True)
    assert len(state["epochs"]) == 1
    assert_ends_alike(tmp_path / "run", data, undisturbed)


def test_fit_in_another_thread_leaves_signals_alone(data):
    found = []

    def work():
        found.append(train.fit(small(), *data, quiet(epochs=1), log=None))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert len(found[0].epochs) == 1


# --- the disk


def failing(monkeypatch, name, at, error):
    count, call = [0], getattr(os, name)

    def wrapped(*args, **more):
        count[0] += 1
        if count[0] == at:
            raise OSError(error, os.strerror(error))
        return call(*args, **more)

    monkeypatch.setattr(os, name, wrapped)


@pytest.mark.parametrize("error", [errno.ENOSPC, errno.EROFS, errno.EIO])
@pytest.mark.parametrize("name", ["fsync", "replace"])
@pytest.mark.parametrize("at", [1, 2, 3])
def test_a_disk_that_fails_costs_an_epoch_and_no_more(
    data,
    tmp_path,
    monkeypatch,
    undisturbed,
    name,
    at,
    error,
):
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / "yours.tmp").write_text("of somebody else")
    with monkeypatch.context() as patch:
        failing(patch, name, at, error)
        with pytest.raises(OSError) as caught:
            train.fit(dropping(), *data, quiet(**CONFIG), run_dir=folder, log=None)
    message = str(caught.value)
    assert os.strerror(error) in message and str(folder) in message
    assert f"epoch {1 if at < 3 else 2} could not be saved" in message
    assert [path.name for path in folder.glob("*.tmp")] == ["yours.tmp"]
    assert (folder / "last.pt").exists() == (at == 3)
    assert_ends_alike(folder, data, undisturbed)


def test_a_folder_that_cannot_be_written_is_refused_before_the_first_step(
    data,
    tmp_path,
    monkeypatch,
):
    (tmp_path / "file").write_text("x")
    model = small()
    model.forward = None  # nothing is computed
    with pytest.raises(OSError, match="nothing can be written in .*name another"):
        train.fit(model, *data, quiet(), run_dir=tmp_path / "file", log=None)

    def read_only(*_, **__):
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    with monkeypatch.context() as patch:
        patch.setattr(os, "open", read_only)
        with pytest.raises(OSError, match="written in .*Read-only file system"):
            train.fit(model, *data, quiet(), run_dir=tmp_path / "run", log=None)


@pytest.mark.parametrize("harm", ["removed", "cut", "folder"])
def test_a_store_that_goes_away_is_named(
    data, tmp_path, monkeypatch, undisturbed, harm
):
    path = data[0].store.folder / "samples.int16"
    whole = path.read_bytes()
    lines = []

    def spoil(line):
        lines.append(line)
        if harm == "cut":
            os.truncate(path, len(whole) // 2)
        else:
            path.rename(tmp_path / "elsewhere")
            if harm == "folder":
                path.parent.rename(tmp_path / "away")

    with pytest.raises(OSError, match=r"samples\.int16 has \d+ bytes, 192000 when it"):
        train.fit(
            dropping(), *data, quiet(**CONFIG), run_dir=tmp_path / "run", log=spoil
        )
    assert len(lines) == 1
    if harm == "folder":
        (tmp_path / "away").rename(path.parent)
    path.write_bytes(whole)
    fresh = type(data[0].store)(path.parent)
    mended = [batches.Examples(fresh, p.labels, p.about) for p in data]
    assert_ends_alike(tmp_path / "run", mended, undisturbed)


# --- what last.pt holds


def k2c1():
    return models.K2C1(n_tags=3, width=0.03)


def test_a_state_lies_in_memory_as_the_weights_do(tmp_path):
    """Adam in one kernel wants it so; a GPU has channels last where a CPU has not."""
    data = made_examples(tmp_path / "s", noise(4, 349_488), labels_of(4))
    config, found = quiet(epochs=1), []
    train.fit(k2c1(), data, data, config, run_dir=tmp_path / "run", log=None)
    for form in (torch.contiguous_format, torch.channels_last):
        model = k2c1().to(memory_format=form)
        optimizer = train.make_optimizer(model, config)
        schedule = train.make_schedule(optimizer, config)
        run = checkpoints.Run(
            *(tmp_path / "run", config, model, optimizer, schedule),
            *(train.History(), data, data),
        )
        with run.resumed(train.Interrupts()):
            pass
        found.append([kept["exp_avg_sq"] for kept in optimizer.state.values()])
        for weight, kept in optimizer.state.items():
            assert kept["exp_avg"].stride() == weight.stride()
    pairs = list(zip(*found, strict=True))
    assert all(torch.equal(one, other) for one, other in pairs)
    assert any(one.stride() != other.stride() for one, other in pairs)


def test_a_state_with_a_wrong_bit_is_refused(data, tmp_path):
    """PyTorch reads it as if nothing were wrong."""
    path = tmp_path / "run" / "last.pt"
    train.fit(small(), *data, quiet(epochs=1), run_dir=path.parent, log=None)
    state, whole = torch.load(path, weights_only=True), bytearray(path.read_bytes())
    some = next(iter(state["model"].values())).numpy().tobytes()
    whole[whole.index(some) + 5] ^= 16
    path.write_bytes(whole)
    torch.load(path, weights_only=True)
    with pytest.raises(ValueError, match="cannot be read as the state.*is damaged"):
        train.fit(small(), *data, quiet(epochs=2), run_dir=path.parent, log=None)


def test_a_second_interruption_waits_for_the_best_weights(data, monkeypatch):
    model, load = small(), torch.nn.Module.load_state_dict

    def stop(*_):
        raise KeyboardInterrupt

    def slow(state):
        signal.raise_signal(signal.SIGINT)
        done.append(load(model, state))

    done, model.load_state_dict = [], slow
    monkeypatch.setattr(train, "validate", stop)
    assert train.fit(model, *data, quiet(), log=None).interrupted
    assert done


def test_a_state_that_does_not_know_a_setting_is_read(data, tmp_path):
    """As of an older version: the setting had no other value than its default."""
    config, folder, whole = quiet(epochs=3), tmp_path / "run", small()
    expected = train.fit(whole, *data, config, log=None)
    train.fit(small(), *data, quiet(epochs=1), run_dir=folder, log=None)
    saved = torch.load(folder / "last.pt", weights_only=True)
    del saved["run"]["accumulate"]
    torch.save(saved, folder / "last.pt")
    history = train.fit(small(), *data, config, run_dir=folder, log=None)
    pd.testing.assert_frame_equal(facts(history), facts(expected), check_exact=True)
    with pytest.raises(ValueError, match=r"accumulate there 1, here 2"):
        train.fit(small(), *data, quiet(accumulate=2), run_dir=folder, log=None)


def test_stages_that_do_not_know_a_setting_are_the_same(data, tmp_path):
    stages, folder = [quiet(epochs=1)], tmp_path / "run"
    recipes.fit_stages(small(), *data, stages, run_dir=folder, log=None)
    saved = json.loads((folder / "stages.json").read_text())
    del saved[0]["accumulate"]
    (folder / "stages.json").write_text(json.dumps(saved))
    recipes.fit_stages(small(), *data, stages, run_dir=folder, log=None)
    with pytest.raises(ValueError, match="other stages"):
        stages = [quiet(epochs=1, augment="gain")]
        recipes.fit_stages(small(), *data, stages, run_dir=folder, log=None)


# --- where the samples are


def test_clips_stay_on_the_device_where_there_is_room(data, monkeypatch):
    cpu, n_bytes = torch.device("cpu"), 11 * 6000 * 2
    for free, stays in ((0, False), (n_bytes, False), (2 * n_bytes, True)):
        monkeypatch.setattr(devices, "free_memory", lambda device, free=free: free)
        crops = data[0].crops(4000, 12_000, batch_size=4, crops_per_clip=2, seed=0)
        assert feed.Feed(crops, cpu, 4000, 3).is_resident == stays


def test_a_resident_store_gives_the_same_training(data, monkeypatch, undisturbed):
    monkeypatch.setattr(devices, "free_memory", lambda device: 10**9)
    some = data[0].take(range(110, 99, -1))  # rows in another order than the store's
    straight = list(
        some.crops(4000, 12_000, batch_size=4, crops_per_clip=1, seed=0).epoch(1)
    )
    crops = some.crops(4000, 12_000, batch_size=4, crops_per_clip=1, seed=0)
    assert crops.reside(torch.device("cpu"))
    for (a, b), (c, d) in zip(crops.epoch(1), straight, strict=True):
        assert torch.equal(a, c) and torch.equal(b, d)
    model = dropping()
    history = train.fit(model, *data, quiet(**CONFIG), log=None)
    pd.testing.assert_frame_equal(facts(history), undisturbed[1], check_exact=True)


def test_a_set_of_ones_own_trains_with_an_epoch_alone(data):
    class Own:
        """As one that streams: no store, no int16."""

        labels, about = data[0].labels, data[0].about

        def __len__(self):
            return len(self.labels)

        def crops(self, *window, **how):
            mine = data[0].crops(*window, **how)
            return type("Plain", (), {"n_windows": 11, "epoch": mine.epoch})()

    one, other = small(), small()
    expected = train.fit(one, *data, quiet(), log=None)
    history = train.fit(other, Own(), data[1], quiet(), log=None)
    pd.testing.assert_frame_equal(facts(history), facts(expected), check_exact=True)
    assert_same_weights(weights(one), weights(other))
