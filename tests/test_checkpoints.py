"""Checkpoints and records: whole or not there, and never code."""

import json
import os
import pickle
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from made import made_examples, noise
from safetensors.torch import save_file

from tagkit import models
from tagkit.data import corpus
from tagkit.evaluation import predict
from tagkit.training import checkpoints, train

sys.path.insert(0, str(Path(__file__).parents[1] / "data"))

import record_runs  # noqa: E402

TAGS = ["low", "high"]


def small(**arguments):
    """A raw network on a third of a second."""
    known = {"n_tags": 2, "length": 64, "stride": 64, "n_samples": 4000, "width": 0.25}
    return models.DielemanRaw(**known | arguments)


@pytest.fixture
def clips(tmp_path):
    return made_examples(
        tmp_path / "s", noise(6, 8000), [[0, 1], [1, 0]] * 3, tags=TAGS
    )


@pytest.fixture
def run(tmp_path, clips):
    """A folder with a finished run of two epochs, and its model and history."""
    torch.manual_seed(0)
    model, config = small(), train.Config(epochs=2, device="cpu")
    history = train.fit(model, clips, clips, config, run_dir=tmp_path / "run", log=None)
    return tmp_path / "run", model, history


class Evil:
    """Pickled, it would make a file when it is read."""

    def __init__(self, path):
        self.path = str(path)

    def __reduce__(self):
        return (os.mkdir, (self.path,))


def test_a_run_leaves_two_files_and_nothing_half_done(run):
    assert sorted(p.name for p in run[0].iterdir()) == ["best.safetensors", "last.pt"]


def test_a_checkpoint_is_loaded_in_one_call(run):
    folder, model, _ = run
    found, about = checkpoints.load(folder / "best.safetensors", TAGS)
    assert about["tags"] == TAGS and not found.training
    for name, value in model.state_dict().items():
        assert torch.equal(found.state_dict()[name], value), name
    with pytest.raises(ValueError, match="'low'.*'high'|'high'.*'low'"):
        checkpoints.load(folder / "best.safetensors", TAGS[::-1])


def test_checkpoint_says_what_it_is_for(run, clips):
    folder, model, history = run
    about = checkpoints.read_checkpoint(folder / "best.safetensors")
    assert about["model"] == "DielemanRaw" and about["arguments"] == model.arguments
    assert about["tags"] == TAGS
    assert about["about"] == clips.about
    assert about["config"]["epochs"] == 2
    assert about["epoch"]["epoch"] == history.best["epoch"]


def test_batch_statistics_come_back_too(tmp_path):
    """Trap 3: a checkpoint without running statistics, or one that is not strict."""
    samples = noise(2, 349_488)
    clips = made_examples(tmp_path / "s", samples, [[0, 1], [1, 0]], tags=TAGS)
    torch.manual_seed(0)
    model = models.K2C2(n_tags=2, width=0.05)
    config = train.Config(epochs=1, device="cpu", batch_size=2)
    train.fit(model, clips, clips, config, run_dir=tmp_path / "run", log=None)
    again = models.K2C2(n_tags=2, width=0.05)
    untrained = again.units[1].running_mean.clone()
    assert not torch.equal(model.units[1].running_mean, untrained)
    checkpoints.load_weights(again, tmp_path / "run" / "best.safetensors")
    for (name, a), b in zip(
        model.state_dict().items(), again.state_dict().values(), strict=True
    ):
        assert torch.equal(a, b), name


@pytest.mark.parametrize(
    ("tags", "words"),
    [
        (["low"], ["on 2 tags, yours are 1", "'high' there and 'no tag' here"]),
        (["low", "high", "x"], ["on 2 tags, yours are 3", "'no tag' there and 'x'"]),
        (["low", "hight"], ["tag 1 is 'high' there and 'hight' here"]),
    ],
)
def test_another_tag_list_is_refused_with_both_sides(run, tags, words):
    folder, model, _ = run
    with pytest.raises(ValueError) as caught:
        checkpoints.load_weights(model, folder / "best.safetensors", tags)
    for word in [*words, "best.safetensors", "read_checkpoint"]:
        assert word in str(caught.value)


@pytest.mark.parametrize(
    "other",
    [
        lambda: small(n_tags=3),
        lambda: small(width=0.5),
        lambda: small(padding="valid"),
        lambda: models.DielemanMel(n_tags=2, width=0.25),
    ],
)
def test_another_model_is_refused_with_both_sides(run, other):
    model = other()
    before = {k: v.clone() for k, v in model.state_dict().items()}
    with pytest.raises(ValueError) as caught:
        checkpoints.load_weights(model, run[0] / "best.safetensors")
    message = str(caught.value)
    assert str(model.arguments) in message and str(run[1].arguments) in message
    assert f"the model is {type(model).__name__}" in message
    assert all(torch.equal(v, before[k]) for k, v in model.state_dict().items())


def broken_files(folder, whole):
    """Write files that are no checkpoints; give their paths and the trap's path."""
    trap = folder / "trap"
    for name, data in {
        "empty": b"",
        "text": b"not a checkpoint",
        "cut": whole[: len(whole) // 2],
        "short": whole[:7],
        "zeros": b"\0" * 1000,
        "pickle": pickle.dumps(Evil(trap)),
    }.items():
        (folder / name).write_bytes(data)
    torch.save({"weights": Evil(trap)}, folder / "torch")
    torch.save({"run": Evil(trap)}, folder / "torch run")
    torch.save({"weight": torch.zeros(3)}, folder / "foreign")
    torch.save([1, 2], folder / "list")
    torch.save({"run": 7}, folder / "number")
    save_file({"weight": torch.zeros(3)}, folder / "safe")
    save_file({"weight": torch.zeros(3)}, folder / "other", {"format": "pt"})
    save_file({"weight": torch.zeros(3)}, folder / "word", {"tagkit": "hello"})
    (folder / "folder").mkdir()
    return sorted(p for p in folder.iterdir() if p != trap), trap


def test_networks_are_found_by_name_folder_and_path(run, tmp_path, monkeypatch):
    names = checkpoints.shipped()
    assert {"mini/K2C2", "magnatagatune", "lastfm50"} <= {*names}
    for name in names:
        about = checkpoints.read_checkpoint(checkpoints.find(name))
        assert checkpoints.load(name)[1] == about
    home = corpus.SHIPPED / "checkpoints" / "magnatagatune" / "Musicnn.safetensors"
    assert checkpoints.find("magnatagatune/Musicnn") == home
    best = run[0] / "best.safetensors"
    for mine in (best, str(best), run[0]):
        assert checkpoints.find(mine) == best
    monkeypatch.chdir(run[0].parent)
    assert checkpoints.find(run[0].name).resolve() == best.resolve()
    for gone in ("mini", "minni/K2C2", tmp_path / "gone.safetensors"):
        with pytest.raises(
            ValueError, match=f"'{gone}'; .*mini/K2C2.*best.safetensors"
        ):
            checkpoints.load(gone)


def test_what_is_no_checkpoint_is_refused_and_none_of_its_code_runs(run, tmp_path):
    whole = (run[0] / "best.safetensors").read_bytes()
    folder = tmp_path / "broken"
    folder.mkdir()
    paths, trap = broken_files(folder, whole)
    assert len(paths) == 15
    for path in [*paths, folder / "gone"]:
        with pytest.raises(ValueError, match="is not a checkpoint of tagkit"):
            checkpoints.read_checkpoint(path)
        with pytest.raises(ValueError, match="is not a checkpoint of tagkit"):
            checkpoints.load_weights(run[1], path)
        assert not trap.exists(), path


def test_broken_state_is_refused_and_none_of_its_code_runs(run, clips, tmp_path):
    folder, model, _ = run
    broken = tmp_path / "broken"
    broken.mkdir()
    paths, trap = broken_files(broken, (folder / "last.pt").read_bytes())
    (folder / "last.pt").unlink()
    config = train.Config(epochs=3, device="cpu")
    for path in paths:
        if path.is_dir():
            continue
        (folder / "last.pt").write_bytes(path.read_bytes())
        with pytest.raises(ValueError, match=r"last\.pt cannot be read as the state"):
            train.fit(model, clips, clips, config, run_dir=folder, log=None)
        assert not trap.exists(), path


def test_the_trap_is_one(tmp_path):
    pickle.loads(pickle.dumps(Evil(tmp_path / "trap")))
    assert (tmp_path / "trap").exists()


def test_a_file_is_written_whole_or_not_at_all(tmp_path, monkeypatch):
    path = tmp_path / "new" / "x"
    checkpoints.write_atomically(path, b"old")
    assert path.read_bytes() == b"old"

    def fail(*_):
        raise OSError(28, "No space left on device")

    for name in ("fsync", "replace"):
        with monkeypatch.context() as patch:
            patch.setattr(os, name, fail)
            with pytest.raises(OSError, match="No space"):
                checkpoints.write_atomically(path, b"new and longer")
        assert path.read_bytes() == b"old"
    checkpoints.write_atomically(path, b"new")
    assert path.read_bytes() == b"new"
    assert [p.name for p in path.parent.iterdir()] == ["x"]


def test_halved_checkpoint_loads_and_scores_alike(run, clips, tmp_path):
    folder, model, _ = run
    target = tmp_path / "new" / "half.safetensors"
    record_runs.halve(folder / "best.safetensors", target)
    assert target.stat().st_size < 0.6 * (folder / "best.safetensors").stat().st_size
    assert checkpoints.read_checkpoint(target) == checkpoints.read_checkpoint(
        folder / "best.safetensors"
    )
    again = small()
    checkpoints.load_weights(again, target, TAGS)
    assert next(again.parameters()).dtype == torch.float32
    scores = predict.clip_scores(again, clips)
    np.testing.assert_allclose(scores, predict.clip_scores(model, clips), atol=2e-3)
    with pytest.raises(ValueError, match="is not a checkpoint"):
        record_runs.halve(__file__, target)


def test_checkpoint_with_other_layers_is_refused(run, tmp_path):
    """As one of an older version: the same name and arguments, other layers."""
    folder, model, _ = run
    about = checkpoints.read_checkpoint(folder / "best.safetensors")
    weights = {k.replace("strided", "first"): v for k, v in model.state_dict().items()}
    path = tmp_path / "old.safetensors"
    save_file(weights, path, {"tagkit": json.dumps(about)})
    with pytest.raises(
        ValueError, match=r"it has first\.bias, the model strided\.bias"
    ):
        checkpoints.load_weights(small(), path)


def test_halve_leaves_what_batch_norm_counted(tmp_path):
    """A variance of decibels can be larger than half precision holds."""
    model = models.K2C2(n_tags=2, width=0.05)
    model.image.scale.running_var.fill_(123_456.7)
    about = {"model": "K2C2", "arguments": model.arguments, "tags": TAGS}
    weights = {k: v.contiguous() for k, v in model.state_dict().items()}
    save_file(weights, tmp_path / "a", {"tagkit": json.dumps(about)})
    record_runs.halve(tmp_path / "a", tmp_path / "b")
    again = models.K2C2(n_tags=2, width=0.05)
    checkpoints.load_weights(again, tmp_path / "b", TAGS)
    assert torch.equal(again.image.scale.running_var, model.image.scale.running_var)


def test_halve_refuses_what_half_precision_cannot_hold(run, tmp_path):
    folder, model, _ = run
    about = checkpoints.read_checkpoint(folder / "best.safetensors")
    weights = model.state_dict()
    weights["output.bias"] = torch.full_like(weights["output.bias"], 1e5)
    save_file(weights, tmp_path / "big.safetensors", {"tagkit": json.dumps(about)})
    with pytest.raises(ValueError, match=r"output\.bias holds numbers above 65,504"):
        record_runs.halve(tmp_path / "big.safetensors", tmp_path / "half.safetensors")
    assert not (tmp_path / "half.safetensors").exists()


@pytest.fixture
def trained(tmp_path):
    """A checkpoint of a small network with batch norm, trained on TAGS."""
    torch.manual_seed(0)
    model = models.SampleCNN(n_tags=2, width=1 / 64)
    facts = {"about": {}, "config": {}, "epoch": {}}
    path = tmp_path / "trained.safetensors"
    checkpoints.save_as(path, model, model.state_dict(), tags=TAGS, **facts)
    return path


def other_clips(folder):
    labels = [[0, 1, 1], [1, 0, 0]] * 3
    return made_examples(folder, noise(6, 90_000), labels, 16_000)


def body(model):
    """All weights and statistics but those of the last layer."""
    return {k: v.clone() for k, v in model.state_dict().items() if "output" not in k}


def test_a_network_starts_from_another_with_a_new_last_layer(trained):
    model = checkpoints.start_from(trained, n_tags=3)
    its, _ = checkpoints.load(trained)
    for name, weight in body(its).items():
        assert torch.equal(model.state_dict()[name], weight), name
    assert model.output.out_features == model.arguments["n_tags"] == 3
    assert all(weight.requires_grad for weight in model.parameters())


@pytest.mark.parametrize("freeze", [False, True])
def test_fine_tuning_resumes_bit_exactly(trained, tmp_path, freeze):
    clips, ends = other_clips(tmp_path / "s"), []
    for stops in ([2], [1, 2]):
        for epochs in stops:
            torch.manual_seed(0)
            model = checkpoints.start_from(trained, n_tags=3)
            before = body(model)
            config = train.Config(epochs=epochs, freeze=freeze, device="cpu")
            run_dir = tmp_path / f"run{len(stops)}"
            train.fit(model, clips, clips, config, run_dir=run_dir, log=None)
        same = [torch.equal(before[k], v) for k, v in body(model).items()]
        assert all(same) if freeze else not all(same)
        assert all(weight.requires_grad for weight in model.parameters())
        ends.append(model.state_dict())
    for name, weight in ends[0].items():
        assert torch.equal(ends[1][name], weight), name
    about = checkpoints.read_checkpoint(run_dir / "best.safetensors")
    assert about["start"] == str(trained) and about["config"]["freeze"] is freeze
    del model.start
    with pytest.raises(ValueError, match="holds another run: start there"):
        train.fit(model, clips, clips, config, run_dir=run_dir, log=None)
