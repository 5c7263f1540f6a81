"""Models: sizes as published, logits out, one clip never hears another."""

import numpy as np
import pytest
import torch
from torch import nn

from tagkit import models

# Window length/stride -> parameters with 1, 32 and 128 strided filters; frames after
# the strided convolution and after the two pools.
DIELEMAN_RAW = {
    (1024, 1024): ((21_087, 60_798, 183_774), (34, 8, 2)),
    (1024, 512): ((27_487, 67_198, 190_174), (67, 16, 4)),
    (512, 512): ((26_975, 50_814, 124_638), (68, 17, 4)),
    (512, 256): ((39_775, 63_614, 137_438), (135, 33, 8)),
    (256, 256): ((39_519, 55_422, 104_670), (136, 34, 8)),
}
SMALL = {
    "DielemanRaw": {"width": 0.25},
    "DielemanMel": {"width": 0.25},
    "K2C2": {"width": 0.05},
}


@pytest.fixture(params=list(models.MODELS))
def model(request):
    """Each model, small, with five tags."""
    torch.manual_seed(0)
    return models.build(request.param, n_tags=5, **SMALL.get(request.param, {}))


def windows(model, n=3, seed=0):
    random = torch.Generator().manual_seed(seed)
    return 0.1 * torch.randn(n, model.n_samples, generator=random)


@pytest.mark.parametrize("name", list(models.MODELS))
def test_size_is_that_of_the_list(name):
    entry = models.MODELS[name]
    assert models.count_parameters(models.build(name)) == entry.parameters
    assert entry.paper and entry.cls.__name__ == name


@pytest.mark.parametrize(("length", "stride"), DIELEMAN_RAW)
def test_dieleman_raw_as_published(length, stride):
    counts, frames = DIELEMAN_RAW[length, stride]
    for n_filters, count in zip((1, 32, 128), counts, strict=True):
        model = models.DielemanRaw(length=length, stride=stride, n_filters=n_filters)
        assert models.count_parameters(model) == count
    table = models.shapes(model).set_index("layer")["output"]
    assert table["Conv1d"].iloc[0] == f"128 x {frames[0]}"
    assert table["Conv1d"].iloc[1:].tolist() == [f"32 x {n}" for n in frames[:2]]
    assert table["MaxPool1d"].tolist() == [f"32 x {n}" for n in frames[1:]]
    assert table["Linear"].tolist() == ["100", "50"]


def test_dieleman_raw_at_16_khz():
    for n_filters, count in ((32, 65_022), (128, 114_270)):
        model = models.DielemanRaw(
            n_samples=48_000, sample_rate=16_000, n_filters=n_filters
        )
        assert models.count_parameters(model) == count


@pytest.mark.parametrize(
    ("n_samples", "length", "stride", "count"),
    [
        (34_950, 512, 512, 52_574),
        (34_950, 256, 256, 65_374),
        (48_000, 1024, 512, 55_774),
        (48_000, 512, 512, 55_774),
        (48_000, 512, 256, 74_974),
        (48_000, 256, 256, 74_974),
    ],
)
def test_dieleman_mel_with_valid_convolutions(n_samples, length, stride, count):
    model = models.DielemanMel(
        n_samples=n_samples, length=length, stride=stride, padding="valid"
    )
    assert models.count_parameters(model) == count
    assert model(torch.zeros(1, n_samples)).shape == (1, 50)


def test_dieleman_mel_hears_no_empty_band():
    for length, stride in DIELEMAN_RAW:
        model = models.DielemanMel(length=length, stride=stride)
        assert model.mel.filters.any(dim=1).all()
        assert len(model.mel.window) == length and model.mel.hop == stride


@pytest.mark.parametrize("cls", [models.DielemanRaw, models.DielemanMel])
def test_too_few_frames_are_refused_when_built(cls):
    with pytest.raises(ValueError, match=r"frames leave none.*padding='same'"):
        cls(length=1024, stride=1024, padding="valid")
    with pytest.raises(ValueError, match="smaller stride"):
        cls(n_samples=2000)
    with pytest.raises(ValueError, match="'full' is unknown; needed is 'same' or"):
        cls(padding="full")


def test_k2c2_as_published():
    model = models.K2C2()
    table = models.shapes(model)
    pooled = table[table["layer"] == "MaxPool2d"]["output"].tolist()
    assert pooled == [
        "67 x 48 x 341",
        "135 x 24 x 85",
        "135 x 12 x 21",
        "203 x 4 x 4",
        "271 x 1 x 1",
    ]
    assert table[table["layer"] == "LogMel"]["output"].tolist() == ["96 x 1366"]
    convs = table[table["layer"].isin(["Conv2d", "Linear"])]["parameters"]
    assert convs.tolist() == [670, 81_540, 164_160, 246_848, 495_388, 13_600]
    assert convs.sum() == 1_002_206
    assert table["parameters"].sum() == models.count_parameters(model) == 1_003_828


def test_width_scales_every_channel(model):
    arguments = model.arguments | {"width": 2 * model.arguments["width"]}
    wider = models.build(type(model).__name__, **arguments)
    assert models.count_parameters(wider) > 1.5 * models.count_parameters(model)
    assert wider(windows(wider, 2)).shape == (2, 5)


def test_a_tiny_width_keeps_a_channel():
    assert models.DielemanRaw(width=1e-6)(torch.zeros(1, 34_950)).shape == (1, 50)


def test_shapes_leaves_the_model_as_it_was(model):
    model.train()
    before = {k: v.clone() for k, v in model.state_dict().items()}
    table = models.shapes(model)
    assert table["parameters"].sum() == models.count_parameters(model)
    assert model.training and all(len(m._forward_hooks) == 0 for m in model.modules())
    assert all(torch.equal(v, before[k]) for k, v in model.state_dict().items())


def test_gives_a_logit_per_clip_and_tag(model):
    for n in (1, 2, 5):
        logits = model.eval()(windows(model, n))
        assert logits.shape == (n, 5) and logits.dtype == torch.float32
        assert torch.isfinite(logits).all()


def test_permuting_the_batch_permutes_the_logits(model):
    """Trap 7: a recurrence over the batch, or any other leak between clips."""
    samples, order = windows(model, 4), torch.tensor([2, 0, 3, 1])
    with torch.inference_mode():
        logits = model.eval()(samples)
        torch.testing.assert_close(
            model(samples[order]), logits[order], rtol=1e-4, atol=1e-5
        )
        torch.testing.assert_close(model(samples[:1]), logits[:1], rtol=1e-4, atol=1e-5)


def test_evaluation_is_deterministic_and_changes_nothing(model):
    """Traps 2 and 3: statistics move in training, and only there."""
    samples = windows(model, 2)
    with torch.inference_mode():
        model.train()(samples)
        before = {k: v.clone() for k, v in model.state_dict().items()}
        model.eval()
        assert torch.equal(model(samples), model(samples))
    assert all(torch.equal(v, before[k]) for k, v in model.state_dict().items())


def test_statistics_move_in_training(model):
    norms = [m for m in model.modules() if isinstance(m, nn.BatchNorm2d)]
    before = [norm.running_mean.clone() for norm in norms]
    model.train()(windows(model, 2))
    for norm, mean in zip(norms, before, strict=True):
        assert not torch.equal(norm.running_mean, mean)


def test_every_parameter_gets_a_gradient(model):
    logits = model.train()(windows(model, 4))
    nn.functional.binary_cross_entropy_with_logits(logits, torch.ones(4, 5)).backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None and parameter.grad.any(), name


def test_a_clip_sees_no_gradient_from_another(model):
    samples = windows(model, 3).requires_grad_()
    model.eval()(samples)[1].sum().backward()
    reached = samples.grad.abs().sum(dim=1) > 0
    assert reached.tolist() == [False, True, False]


def test_window_of_another_length_is_refused_with_both_numbers(model):
    n = model.n_samples
    for shape in [(2, n - 1), (2, n + 1), (n,), (2, 1, n)]:
        with pytest.raises(ValueError) as caught:
            model(torch.zeros(shape))
        message = str(caught.value)
        assert str(tuple(shape)) in message and f"(batch, {n})" in message
        assert type(model).__name__ in message and "RandomCrops" in message


def test_arguments_build_the_same_model(model):
    torch.manual_seed(1)
    again = models.build(type(model).__name__, **model.arguments)
    again.load_state_dict(model.state_dict())
    samples = windows(model, 2)
    with torch.inference_mode():
        assert torch.equal(model.eval()(samples), again.eval()(samples))
    import json

    assert json.loads(json.dumps(model.arguments)) == model.arguments


def test_same_seed_builds_the_same_weights(model):
    torch.manual_seed(0)
    again = models.build(type(model).__name__, **model.arguments)
    for a, b in zip(model.parameters(), again.parameters(), strict=True):
        assert torch.equal(a, b)


def test_silence_and_full_scale_give_numbers(model):
    loud = torch.ones(2, model.n_samples)
    for samples in (0 * loud, loud, -loud):
        assert torch.isfinite(model.train()(samples)).all()
        assert torch.isfinite(model.eval()(samples)).all()


def test_mel_filters_are_not_in_the_checkpoint(model):
    assert not any("filters" in k or "window" in k for k in model.state_dict())


def test_model_can_be_exported(model):
    samples = windows(model, 2)
    program = torch.export.export(model.eval(), (samples,))
    torch.testing.assert_close(program.module()(samples), model(samples))


def test_unknown_name_is_answered_with_the_nearest():
    with pytest.raises(ValueError, match="'dielemanraw' is unknown.*DielemanRaw"):
        models.build("dielemanraw")
    with pytest.raises(ValueError, match="DielemanRaw, DielemanMel, K2C2"):
        models.build("transformer")


# --- logits, not probabilities (trap 1)


def assert_gives_logits(model):
    """Fail if a squashing stands between the last layer and the loss.

    With the last layer's weights at zero its bias is the logit: a bias of 0 must
    cost log 2 = 0.6931 whatever the labels, and a large bias of the right sign
    nearly nothing. A sigmoid in between cannot pass 0.3133 for a positive label.
    """
    last = [m for m in model.modules() if isinstance(m, nn.Linear)][-1]
    labels = torch.tensor([[1.0, 0, 1, 0, 1]] * 2)
    samples = windows(model, 2)
    with torch.no_grad():
        last.weight.zero_()
        last.bias.zero_()
        loss = nn.functional.binary_cross_entropy_with_logits(
            model.eval()(samples), labels
        )
        assert abs(loss.item() - np.log(2)) < 1e-4, f"logit 0 costs {loss:.4f}"
        last.bias.copy_(20 * (2 * labels[0] - 1))
        logits = model(samples)
        loss = nn.functional.binary_cross_entropy_with_logits(logits, labels)
        assert loss < 0.01, f"a confident right answer costs {loss:.4f}"
        assert logits.min() < -10 and logits.max() > 10


def test_models_give_logits(model):
    assert_gives_logits(model)


@pytest.mark.parametrize("squash", [torch.sigmoid, torch.tanh, torch.relu])
def test_a_planted_squashing_is_caught(model, squash):
    forward = model.forward
    model.forward = lambda samples: squash(forward(samples))
    with pytest.raises(AssertionError):
        assert_gives_logits(model)


def test_a_planted_leak_over_the_batch_is_caught():
    class Leaky(models.DielemanRaw):
        def forward(self, samples):
            logits = super().forward(samples)
            return logits + logits.roll(1, dims=0)

    with pytest.raises(AssertionError):
        test_permuting_the_batch_permutes_the_logits(Leaky(n_tags=5, width=0.25))
