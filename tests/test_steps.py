"""A step: parts give the whole gradient, a loss that is not finite is named."""

# ruff: noqa: F811 - fixtures are parameters of the same name

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from made import made_examples, noise
from test_train import (  # noqa: F401
    assert_same_weights,
    data,
    labels_of,
    one_thread,
    quiet,
    small,
    weights,
)
from torch import nn

from tagkit import models
from tagkit.data import batches, feed
from tagkit.evaluation import predict
from tagkit.machine import devices, processes
from tagkit.training import train
from tagkit.training.augment import Augment


def batch(n=7, weight=1.0):
    samples = torch.from_numpy(noise(n, 4000)).float()
    labels = torch.arange(3 * n).reshape(n, 3) % 2
    return feed.Batch(samples, labels.float(), n, weight)


def test_parts_add_up_to_the_gradient_of_the_whole():
    loss_of, whole, parted = nn.BCEWithLogitsLoss(), small(), small()
    samples, labels = batch()[:2]
    loss_of(whole(samples), labels).backward()
    sizes = []
    for some, theirs, share in batch().micro_batches(3):
        sizes.append(len(some))
        (loss_of(parted(some), theirs) * share).backward()
    assert sizes == [3, 2, 2]
    for a, b in zip(parted.parameters(), whole.parameters(), strict=True):
        torch.testing.assert_close(a.grad, b.grad, rtol=1e-5, atol=1e-8)


@pytest.mark.parametrize("n", [1, 2, 3, 5, 16, 17])
@pytest.mark.parametrize("n_parts", [1, 2, 4, 99])
def test_no_part_is_a_window_alone(n, n_parts):
    """It has no spread for batch norm."""
    sizes = [len(labels) for _, labels, _ in batch(n).micro_batches(n_parts)]
    assert sum(sizes) == n and len(sizes) <= n_parts
    assert min(sizes) >= min(n, 2)
    assert sum(share for *_, share in batch(n).micro_batches(n_parts)) == pytest.approx(
        1
    )


def test_a_batch_in_parts_trains_as_a_whole_one(data):
    n_windows = []
    one, other = small(), small()

    def count(model, inputs, logits):
        if model.training:
            n_windows.append(len(logits))

    other.register_forward_hook(count)
    config = quiet(epochs=2, optimizer="sgd", learning_rate=0.05)
    whole = train.fit(one, *data, config, log=None).frame()
    parts = train.fit(other, *data, replace(config, accumulate=2), log=None).frame()
    assert n_windows == 2 * [2, 2, 2, 2, 3]  # of 4, 4 and 3; three are not halved
    np.testing.assert_allclose(parts["loss"], whole["loss"], rtol=1e-5)
    for a, b in zip(one.parameters(), other.parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublas`"),
        MemoryError(),
        torch.OutOfMemoryError("CUDA out of memory"),
        RuntimeError("MPS backend out of memory (MPS allocated: 5 GB)"),
        RuntimeError("[enforce fail at alloc_cpu.cpp:117] . DefaultCPUAllocator: "
                     "can't allocate memory: you tried to allocate 9 bytes."),
    ],
)  # fmt: skip
def test_too_little_memory_is_named_and_what_helps(data, error):
    model = small()

    def fail(samples):
        raise error

    model.forward = fail
    with pytest.raises(MemoryError, match="memory of cpu .*accumulate") as caught:
        train.fit(model, *data, quiet(), log=None)
    assert caught.value.__cause__ is error


def test_another_error_is_not_taken_for_lack_of_memory(data):
    model = small()
    model.forward = lambda samples: torch.zeros(2, 3) @ torch.zeros(2, 3)
    with pytest.raises(RuntimeError, match="shapes cannot be multiplied"):
        train.fit(model, *data, quiet(), log=None)


def test_the_mean_is_over_the_windows_that_all_processes_had(data, monkeypatch):
    """Where one skips a broken shard, the others do not know of it."""
    loader = train.make_loader(data[0], small(), quiet(), torch.device("cpu"))
    with pytest.raises(ValueError, match="no clips to train on"):
        train.mean_loss([], [], loader, 1)
    losses = [torch.tensor(0.5), torch.tensor(0.2)]
    others = iter((5, 0.6 * 5))  # of another process: windows, the sum of losses
    monkeypatch.setattr(processes, "total", lambda mine: mine + next(others))
    mean = train.mean_loss(losses, [4, 1], loader, 1)
    assert mean == pytest.approx((0.5 * 4 + 0.2 + 0.6 * 5) / 10)


class Poisoned(models.DielemanRaw):
    """Gives no number for a window whose first sample is above a half."""

    def forward(self, samples):
        return super().forward(samples) + torch.where(samples[:, :1] > 0.5, math.inf, 0)


def test_the_batch_and_its_clips_are_named(tmp_path):
    samples = 0.1 * noise(12, 4000)
    samples[3] = 0.9
    whole = made_examples(tmp_path / "s", samples, labels_of(12))
    part = whole.take(9), whole.take(range(109, 112))
    torch.manual_seed(0)
    model = Poisoned(**small().arguments)
    before = weights(model)
    with pytest.raises(FloatingPointError) as caught:
        train.fit(model, *part, quiet(batch_size=2), log=None)
    crops = part[0].crops(4000, 12_000, batch_size=2, crops_per_clip=1, seed=0)
    (number,) = [i for i in range(5) if 103 in crops.clips(1, i)]
    named = ", ".join(map(str, crops.clips(1, number)))
    assert f"at epoch 1, batch {number}, clips {named}; try" in str(caught.value)
    assert str(caught.value).startswith(("the loss is inf", "the loss is nan"))
    assert_same_weights(weights(model), before)  # the best so far


def test_clips_are_those_of_the_batch(data):
    crops = batches.RandomCrops(
        data[0], 4000, 12_000, batch_size=4, crops_per_clip=2, seed=3
    )
    order = [data[0].labels.loc[crops.clips(5, i)].to_numpy() for i in range(6)]
    for mine, (_, labels) in zip(order, crops.epoch(5), strict=True):
        assert (labels.numpy() == mine).all()
    assert crops.clips(5, 6) == []


# --- precision, compilation, layout


@pytest.mark.parametrize("name", ["DielemanRaw", "K2C2", "CRNN"])
def test_bf16_trains_with_a_loss_near_that_of_float32(tmp_path, name):
    n = models.build(name).n_samples
    data = made_examples(tmp_path / "s", noise(4, n), labels_of(4))
    rows, kinds = {}, {}
    for precision in ("float32", "bf16"):
        torch.manual_seed(0)
        model = models.build(name, n_tags=3, width=0.05)
        seen = set()
        model.output.register_forward_hook(
            lambda layer, _, logits, seen=seen: seen.add((layer.training, logits.dtype))
        )
        config = quiet(epochs=1, precision=precision)
        rows[precision] = train.fit(model, data, data, config, log=None).epochs[0]
        kinds[precision] = seen
        assert all(p.dtype == torch.float32 for p in model.parameters())
    assert kinds["float32"] == {(True, torch.float32), (False, torch.float32)}
    assert kinds["bf16"] == {(True, torch.bfloat16), (False, torch.float32)}
    assert rows["bf16"]["loss"] == pytest.approx(rows["float32"]["loss"], rel=0.05)
    assert rows["bf16"]["loss"] != rows["float32"]["loss"]


def test_compiled_trains_alike(data, monkeypatch):
    compiled = []

    def eagerly(network):
        compiled.append(network)
        return compile(network, backend="aot_eager")

    compile = torch.compile
    monkeypatch.setattr(torch, "compile", eagerly)
    one, other = small(), small()
    plain = train.fit(one, *data, quiet(epochs=1), log=None)
    fast = train.fit(other, *data, quiet(epochs=1, compile=True), log=None)
    assert compiled == [other]
    assert fast.epochs[0]["loss"] == pytest.approx(plain.epochs[0]["loss"], rel=1e-5)
    for a, b in zip(one.parameters(), other.parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-3, atol=1e-5)
    assert weights(other).keys() == weights(one).keys()  # no "_orig_mod."


@pytest.mark.parametrize("name", ["CRNN", "PonsSpectrogram", "ShortChunkCNN"])
def test_channels_last_gives_the_same_logits(name):
    torch.manual_seed(0)
    model = models.build(name, n_tags=3, width=0.1).eval()
    model.to(memory_format=torch.contiguous_format)
    samples = 0.1 * torch.randn(2, model.n_samples)
    with torch.inference_mode():
        before = model(samples)
        devices.channels_last(model)
        after = model(samples)
    filters = [m.weight for m in model.modules() if isinstance(m, nn.Conv2d)]
    assert any(f.is_contiguous(memory_format=torch.channels_last) for f in filters)
    torch.testing.assert_close(after, before, rtol=1e-4, atol=1e-5)


def test_precision_and_device_are_settled():
    cpu = torch.device("cpu")
    assert devices.precision(None, cpu) == "float32"
    assert devices.precision("bf16", cpu) == "bf16"
    with pytest.raises(ValueError, match="'fp16' is unknown; needed is None, which"):
        train.fit(small(), None, None, quiet(precision="fp16"))
    for name in ("tpu", "cuda:0", "mps"):
        if name == "tpu" or not devices.choose().type == name.partition(":")[0]:
            with pytest.raises(ValueError, match=f"'{name}' is not on this machine"):
                devices.choose(name)


def test_config_takes_names_as_they_come():
    for names in ("gain,mix", ["gain", "mix"], ("gain", "mix")):
        assert train.Config(augment=names).augment == ("gain", "mix")
    for none in (None, (), []):
        assert train.Config(augment=none).augment is None


def test_augmentation_reaches_the_loss_and_follows_the_seed(data):
    config = quiet(epochs=2, augment=("gain", "mix"))
    one, two, plain = (
        train.fit(small(), *data, c, log=None).frame()["loss"].tolist()
        for c in (config, config, quiet(epochs=2))
    )
    assert one == two and one[0] != plain[0]
    assert Augment(config.augment).names == ["gain", "mix"]


# --- memory


@pytest.mark.parametrize(("variable", "n_calls"), [(None, 2), ("0", 0)])
def test_glibc_is_told_once_to_keep_memory(monkeypatch, variable, n_calls):
    calls = []

    class Library:
        gnu_get_libc_version = None

        @staticmethod
        def mallopt(option, value):
            calls.append((option, value))

    monkeypatch.setattr(devices.ctypes, "CDLL", lambda name: Library)
    monkeypatch.delenv("TAGKIT_KEEP_MEMORY", raising=False)
    if variable:
        monkeypatch.setenv("TAGKIT_KEEP_MEMORY", variable)
    devices.keep_freed_memory.cache_clear()
    for _ in range(2):
        devices.keep_freed_memory()
    devices.keep_freed_memory.cache_clear()
    assert len(calls) == n_calls


def test_training_and_scoring_on_a_cpu_keep_memory(data, monkeypatch):
    callers = []
    monkeypatch.setattr(devices, "keep_freed_memory", lambda: callers.append(1))
    predict.window_logits(small(), data[1])
    assert len(callers) == 1
    train.fit(small(), *data, quiet(epochs=0), log=None)
    assert len(callers) == 2
