"""Steps: halves give the whole gradient, losses that are not finite are named."""

# ruff: noqa: F811 - fixtures are parameters of the same name

import math

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
from tagkit.machine import devices, processes
from tagkit.training import steps, train
from tagkit.training.augment import Augment


def tight(model, most, calls=None):
    """Let a model fail for lack of memory with more than `most` windows."""
    forward = model.forward

    def narrow(samples):
        if calls is not None:
            calls.append(len(samples))
        if model.training and len(samples) > most:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate")
        return forward(samples)

    model.forward = narrow
    return model


def batch(n=7, weight=1.0):
    samples = torch.from_numpy(noise(n, 4000)).float()
    return processes.Batch(samples, torch.tensor(labels_of(n)).float(), n, weight)


def gradients_of(model, config=None, log=print):
    return steps.Gradients(model, config or quiet(), torch.device("cpu"), log)


def grads(model):
    return [p.grad.clone() for p in model.parameters()]


def test_halves_add_up_to_the_gradient_of_the_whole():
    said, whole, halved = [], small(), tight(small(), 4)
    loss = gradients_of(whole)(batch())
    half = gradients_of(halved, log=said.append)(batch())
    assert half.item() == pytest.approx(loss.item(), rel=1e-6)
    for a, b in zip(grads(halved), grads(whole), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-8)
    (line,) = said
    assert "memory of cpu is too small for a batch of 7" in line and "halves" in line


def test_a_batch_is_halved_once_and_stays_so():
    calls, said = [], []
    step = gradients_of(tight(small(), 4, calls), log=said.append)
    step(batch(8)), step(batch(8))
    assert calls == [8, 4, 4, 4, 4] and len(said) == 1
    step = gradients_of(tight(small(), 3), log=said.append)
    with pytest.raises(MemoryError, match="even half at a time; take a smaller batch"):
        step(batch(8))


def test_a_window_left_alone_is_given_twice(tmp_path):
    """It has no spread for batch norm."""
    calls, samples = [], noise(7, 40_000)
    data = made_examples(tmp_path / "s", samples, labels_of(7), 16_000)
    model = models.PonsWaveform(n_tags=3, width=0.02, n_samples=20_000)
    config = quiet(epochs=1, precision="float32")
    tight(model, 2, calls)
    train.fit(model, data, data, config, log=None)
    assert calls[:5] == [4, 2, 2, 2, 2]
    with pytest.raises(MemoryError, match="too small for 2 windows; take"):
        gradients_of(tight(small(), 1))(batch(2))


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
def test_every_device_has_its_own_word_for_it(error):
    assert devices.is_out_of_memory(error)


def test_another_error_is_not_taken_for_lack_of_memory():
    model = small()
    model.forward = lambda samples: 1 / 0
    with pytest.raises(ZeroDivisionError):
        gradients_of(model)(batch())
    model = small()
    model.forward = lambda samples: torch.zeros(2, 3) @ torch.zeros(2, 3)
    with pytest.raises(RuntimeError, match="shapes cannot be multiplied"):
        gradients_of(model)(batch())


def test_what_failed_leaves_no_gradient_behind():
    """The memory may end in the backward pass, when some gradients are there."""
    whole, model = small(), small()
    gradients_of(whole)(batch())
    failed = []

    def fail_once(gradient):
        if not failed:
            failed.append(1)
            raise torch.OutOfMemoryError("CUDA out of memory")

    next(model.parameters()).register_hook(fail_once)
    gradients_of(model, log=failed.append)(batch())
    for a, b in zip(grads(model), grads(whole), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-8)


def test_fit_with_little_memory_ends_as_with_much(data):
    said, whole, model = [], small(), tight(small(), 2)
    config = quiet(epochs=2, optimizer="sgd", learning_rate=0.05)
    one = train.fit(whole, *data, config, log=None)
    other = train.fit(model, *data, config, log=said.append)
    assert other.frame()["loss"].to_numpy() == pytest.approx(
        one.frame()["loss"].to_numpy(), rel=1e-5
    )
    assert sum("too small for a batch of 4" in line for line in said) == 1
    for a, b in zip(model.parameters(), whole.parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-6)


def test_weight_scales_the_gradient_and_not_the_loss():
    one, two = small(), small()
    loss = gradients_of(one)(batch())
    assert gradients_of(two)(batch(weight=0.5)) == loss
    for a, b in zip(grads(two), grads(one), strict=True):
        torch.testing.assert_close(2 * a, b)


def test_the_mean_is_over_the_windows_that_all_processes_had(data, monkeypatch):
    """Where one skips a broken shard, the others do not know of it."""
    crops = data[0].crops(4000, 12_000, batch_size=4, crops_per_clip=1, seed=0)
    epoch = feed.Feed(crops, torch.device("cpu"), 4000, 3)
    losses = steps.Losses(1, epoch, quiet())
    with pytest.raises(ValueError, match="no clips to train on"):
        losses.mean()
    losses.add(torch.tensor(0.5), 4)
    losses.add(torch.tensor(0.2), 1)
    others = iter((5, 0.6 * 5))  # of another process: windows, the sum of losses
    monkeypatch.setattr(processes, "total", lambda mine: mine + next(others))
    assert losses.mean() == pytest.approx((0.5 * 4 + 0.2 + 0.6 * 5) / 10)


class Poisoned(models.DielemanRaw):
    """Gives no number for a window whose first sample is above a half."""

    def forward(self, samples):
        return super().forward(samples) + torch.where(samples[:, :1] > 0.5, math.inf, 0)


@pytest.mark.parametrize("late", [1, 2, 32])
def test_the_batch_and_its_clips_are_named(tmp_path, monkeypatch, late):
    """Also where losses are looked at only now and then, as on a GPU."""
    add = steps.Losses.__init__

    def slow(self, *args):
        add(self, *args)
        self.late = late

    monkeypatch.setattr(steps.Losses, "__init__", slow)
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
    crops = batches.RandomCrops(data[0], 4000, 12_000, batch_size=4, crops_per_clip=2, seed=3)
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
