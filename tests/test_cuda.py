"""On a GPU: the training of a CPU in less time. Skipped where there is none.

Run: python -m pytest tests/test_cuda.py
"""

# ruff: noqa: F811 - fixtures are parameters of the same name

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from made import made_examples, noise
from test_train import (  # noqa: F401
    Dropping,
    assert_same_weights,
    data,
    facts,
    labels_of,
    quiet,
    small,
    weights,
)
from torch import distributed, nn

from tagkit import models
from tagkit.data import feed
from tagkit.evaluation import predict
from tagkit.machine import devices, processes
from tagkit.models import mel
from tagkit.training import augment, checkpoints, train

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
GPU = torch.device("cuda", 0)


def on_gpu(**settings):
    """A config for tests, on the GPU; float32, so that a CPU's numbers can be met."""
    return quiet(**{"device": "cuda", "precision": "float32"} | settings)


def losses(history):
    return history.frame()["loss"].to_numpy()


@pytest.fixture(autouse=True)
def as_it_was():
    """What `devices.place` sets for the whole process must not reach the next test."""
    yield
    torch.set_float32_matmul_precision("highest")
    torch.backends.cudnn.allow_tf32 = True
    torch.cuda.set_per_process_memory_fraction(1.0)


def test_the_gpu_trains_as_the_cpu_does(data):
    """The same clips in the same order, the same losses and scores."""
    one, other = small(), small()
    config = {"epochs": 3, "optimizer": "sgd", "learning_rate": 0.05}
    on_cpu = train.fit(one, *data, quiet(**config), log=None)
    there = train.fit(other, *data, on_gpu(**config), log=None)
    assert all(p.is_cuda for p in other.parameters())
    wanted, found = facts(on_cpu).to_numpy(), facts(there).to_numpy()
    assert found == pytest.approx(wanted, rel=1e-4, abs=1e-6)
    scores = [predict.clip_scores(model, data[1]) for model in (one, other)]
    assert scores[1] == pytest.approx(scores[0], abs=1e-5)


@pytest.mark.parametrize("name", models.MODELS)
def test_every_model_gives_the_logits_of_the_cpu(name):
    torch.manual_seed(0)
    model = models.build(name, n_tags=3, width=0.1).eval()
    samples = 0.1 * torch.randn(2, model.n_samples)
    with torch.inference_mode():
        wanted = model(samples)
        devices.place(model, GPU, "float32")
        found = model(samples.to(GPU)).cpu()
        devices.place(model, GPU, "bf16")  # scored in float32, multiplied as TF32
        rough = model(samples.to(GPU)).cpu()
    error, spread = (found - wanted).norm(), (rough - wanted).norm()
    assert error / wanted.norm() < 1e-4, f"{error / wanted.norm():.1e}"
    assert spread / wanted.norm() < 2e-2, f"{spread / wanted.norm():.1e}"


@pytest.mark.parametrize("name", models.MODELS)
def test_every_model_trains_in_bf16_with_a_loss_near_that_of_float32(tmp_path, name):
    torch.manual_seed(0)
    model = models.build(name, n_tags=3, width=0.1)
    there = made_examples(
        tmp_path / "s", noise(4, model.n_samples), labels_of(4), model.sample_rate
    )
    for layer in model.modules():
        if isinstance(layer, nn.Dropout):
            layer.p = 0.0  # its random numbers differ
    begin, found = weights(model), {}
    for precision in ("float32", None):
        model.load_state_dict(begin)
        config = on_gpu(epochs=1, precision=precision)
        found[precision] = train.fit(model, there, there, config, log=None).epochs[0]
    assert devices.precision(None, GPU) == "bf16"
    assert found[None]["loss"] == pytest.approx(found["float32"]["loss"], rel=0.05)
    assert math.isfinite(found[None]["valid_loss"])


def test_clips_that_stay_on_the_gpu_are_those_that_are_copied(tmp_path, monkeypatch):
    whole = made_examples(tmp_path / "s", noise(13, 9000), labels_of(13))
    crops = whole.crops(4000, 12_000, batch_size=4, crops_per_clip=2, seed=0)
    plain = [[t.clone() for t in step] for step in crops.epoch(1)]
    for room in (devices.RESIDENT, 0):
        monkeypatch.setattr(devices, "RESIDENT", room)
        fed = feed.Feed(
            whole.crops(4000, 12_000, batch_size=4, crops_per_clip=2, seed=0),
            GPU,
            4000,
            3,
        )
        assert fed.is_resident == bool(room)
        there = list(fed.epoch(1))
        assert [batch.n for batch in there] == [len(step[0]) for step in plain]
        for batch, (samples, labels) in zip(there, plain, strict=True):
            assert batch.samples.is_cuda and batch.labels.is_cuda
            assert torch.equal(batch.labels.cpu(), labels)
            torch.testing.assert_close(batch.samples.cpu(), samples, atol=1e-5, rtol=0)


def test_copies_that_overlap_are_whole(tmp_path, monkeypatch):
    """Memory of a copy must not be given to the next while it is being used."""
    monkeypatch.setattr(devices, "RESIDENT", 0)
    samples = np.repeat(np.arange(64)[:, None] / 100, 200_000, axis=1)
    whole = made_examples(tmp_path / "s", samples, labels_of(64))
    fed = feed.Feed(
        whole.crops(200_000, 12_000, batch_size=8, crops_per_clip=4, seed=0),
        GPU,
        200_000,
        3,
    )
    busy = torch.randn(4096, 4096, device=GPU)
    for number, batch in enumerate(fed.epoch(1)):
        for _ in range(20):  # the GPU falls behind
            busy = (busy @ busy).sigmoid()
        clips = torch.tensor(fed.clips(1, number), device=GPU)
        off = (batch.samples - (clips - 100)[:, None] / 100).abs().max()
        assert off < 1e-4


@pytest.mark.parametrize("model", [small, lambda: Dropping(**small().arguments)])
def test_a_run_goes_on_there_and_elsewhere(data, tmp_path, model):
    torch.manual_seed(0)
    whole, half = model(), model()
    half.load_state_dict(whole.state_dict())
    undisturbed = train.fit(whole, *data, on_gpu(epochs=4), log=None)
    train.fit(half, *data, on_gpu(epochs=2), run_dir=tmp_path / "run", log=None)
    found = train.fit(half, *data, on_gpu(epochs=4), run_dir=tmp_path / "run", log=None)
    assert losses(found) == pytest.approx(losses(undisturbed), rel=1e-4)
    config = on_gpu(epochs=5, device="cpu")
    moved = train.fit(model(), *data, config, run_dir=tmp_path / "run", log=None)
    assert len(moved.epochs) == 5 and math.isfinite(moved.epochs[-1]["loss"])
    back = model()
    again = train.fit(back, *data, on_gpu(epochs=6), run_dir=tmp_path / "run", log=None)
    assert len(again.epochs) == 6 and all(p.is_cuda for p in back.parameters())


def test_a_checkpoint_scores_the_same_on_both(data, tmp_path):
    model, other = small(), small()
    history = train.fit(
        model, *data, on_gpu(epochs=2), run_dir=tmp_path / "run", log=None
    )
    checkpoints.load_weights(other, tmp_path / "run" / "best.safetensors")
    found = train.validate(other, data[1])  # on the CPU
    for name in ("valid_loss", "valid_roc_auc", "valid_ap"):
        assert found[name] == pytest.approx(history.best[name], rel=1e-4), name


def test_too_little_memory_is_named_and_micro_batches_help(tmp_path):
    """As if the GPU were small."""
    torch.manual_seed(0)
    model = models.K2C2(n_tags=3, width=0.3)
    there = made_examples(
        tmp_path / "s", noise(16, model.n_samples), labels_of(16), model.sample_rate
    )
    begin = weights(model)
    config = on_gpu(epochs=1, batch_size=16)
    torch.cuda.reset_peak_memory_stats()
    whole = train.fit(model, there, there, config, log=None)
    needed = torch.cuda.max_memory_allocated()
    total = torch.cuda.get_device_properties(GPU).total_memory
    model.load_state_dict(begin)
    torch.cuda.empty_cache()
    torch.cuda.set_per_process_memory_fraction(0.8 * needed / total)
    try:
        with pytest.raises(MemoryError, match="accumulate=2"):
            train.fit(model, there, there, config, log=None)
        torch.cuda.empty_cache()
        model.load_state_dict(begin)
        config = replace(config, accumulate=2)
        parted = train.fit(model, there, there, config, log=None)
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)
    # Batch norm saw half batches, so near is all that can be asked.
    assert losses(parted) == pytest.approx(losses(whole), rel=0.1)


def test_a_loss_that_is_no_number_is_named(tmp_path):
    samples = 0.1 * noise(12, 4000)
    whole = made_examples(tmp_path / "s", samples, labels_of(12))
    model = small()
    forward = model.forward

    def poisoned(windows):
        logits = forward(windows)
        return logits * math.nan if len(windows) == 2 else logits

    model.forward = poisoned
    with pytest.raises(FloatingPointError, match="the loss is nan at epoch 1, batch 3"):
        train.fit(model, whole.take(11), whole.take([111]),
                  on_gpu(batch_size=3), log=None)  # fmt: skip


def test_augmentation_is_that_of_the_cpu():
    samples = torch.from_numpy(noise(6, 8000)).float()
    labels = torch.tensor(labels_of(6)).float()
    names = tuple(name for name in augment.AUGMENTATIONS if name != "noise")
    batch = feed.Batch(samples, labels, 6, 1.0)
    there = feed.Batch(samples.to(GPU), labels.to(GPU), 6, 1.0)
    change = augment.Augment(names, seed=3)
    for mine, its in zip(change(batch, 1, 2)[:2], change(there, 1, 2)[:2], strict=True):
        torch.testing.assert_close(its.cpu(), mine, rtol=1e-4, atol=1e-5)
    loud = augment.Augment(("noise",), seed=3)(there, 1, 2).samples - there.samples
    assert 0 < loud.std() < 0.1  # its numbers are the GPU's own


@pytest.mark.parametrize("log", ["db", "log1p", "log10"])
def test_mel_is_that_of_the_cpu_also_in_the_middle_of_bf16(log):
    layer = mel.LogMel(12_000, 512, 256, 96, log=log)
    samples = torch.from_numpy(noise(3, 60_000)).float()
    wanted = layer(samples)
    with torch.autocast("cuda", torch.bfloat16):
        found = layer.to(GPU)(samples.to(GPU))
    assert found.dtype == torch.float32
    torch.testing.assert_close(found.cpu(), wanted, rtol=1e-3, atol=1e-3)


def test_compiled_trains_alike(tmp_path):
    whole = made_examples(tmp_path / "s", noise(16, 349_488), labels_of(16))
    found = []
    for is_compiled in (False, True):
        torch.manual_seed(0)
        config = on_gpu(epochs=1, batch_size=8, compile=is_compiled)
        model = models.K2C2(n_tags=3, width=0.1)
        found.append(losses(train.fit(model, whole, whole, config, log=None)))
    assert found[1] == pytest.approx(found[0], rel=1e-2)


def test_wrapped_for_many_gpus_one_gives_the_same_gradient(monkeypatch, tmp_path):
    """NCCL and batch norm over processes, in a job of a single process."""
    model = nn.Sequential(nn.Conv1d(1, 4, 3), nn.BatchNorm1d(4), nn.Flatten(1))
    twin = nn.Sequential(nn.Conv1d(1, 4, 3), nn.BatchNorm1d(4), nn.Flatten(1)).to(GPU)
    twin.load_state_dict(model.state_dict())
    file = f"file://{tmp_path}/meet"
    distributed.init_process_group("nccl", init_method=file, rank=0, world_size=1)
    try:
        monkeypatch.setattr(processes, "place", lambda: (0, 2))
        wrapped = processes.wrap(model.to(GPU))
        assert any(isinstance(m, nn.SyncBatchNorm) for m in wrapped.modules())
        samples = torch.randn(5, 1, 30, device=GPU)
        for network in (wrapped, twin):
            network(samples).square().mean().backward()
    finally:
        distributed.destroy_process_group()
    for a, b in zip(wrapped.parameters(), twin.parameters(), strict=True):
        torch.testing.assert_close(a.grad, b.grad)


def test_any_file_is_tagged_there(tones):
    model = small().to(GPU)
    path = tones.path(tones.clips.index[0])
    scores = predict.tag_file(model, path, ["a", "b", "c"])
    assert scores.between(0, 1).all()
    wanted = predict.tag_file(model.cpu(), path, ["a", "b", "c"])
    assert scores[wanted.index].to_numpy() == pytest.approx(wanted.to_numpy(), abs=1e-3)
