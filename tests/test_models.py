"""Models: sizes as published, logits out, one clip never hears another."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from tagkit import models
from tagkit.models import pons
from tagkit.models.samplecnn import ReSE2Block, SqueezeExcitation
from tagkit.models.tagger import Conv2d

# Window length/stride -> parameters with 1, 32 and 128 strided filters; frames after
# the strided convolution and after the two pools.
DIELEMAN_RAW = {
    (1024, 1024): ((21_087, 60_798, 183_774), (34, 8, 2)),
    (1024, 512): ((27_487, 67_198, 190_174), (67, 16, 4)),
    (512, 512): ((26_975, 50_814, 124_638), (68, 17, 4)),
    (512, 256): ((39_775, 63_614, 137_438), (135, 33, 8)),
    (256, 256): ((39_519, 55_422, 104_670), (136, 34, 8)),
}
RAW_16_KHZ = {"n_samples": 48_000, "sample_rate": 16_000, "n_filters": 32}
VALID = {"n_samples": 34_950, "length": 512, "stride": 512, "padding": "valid"}
# Every model of the list, small, and the variants that have other layers.
SMALL = {name: (name, {"width": 0.05}) for name in models.MODELS}
SMALL |= {name: (name, {"width": 0.25}) for name in ("DielemanRaw", "DielemanMel")}
SMALL["RoyBase"] = "RoyBase", {"width": 0.5}
SMALL["K1C2"] = "K1C2", {"width": 0.1}
FEW = {"channels": [4, 8, 8, 8], "hidden": 16}
SMALL |= {name: (name, FEW) for name in ("CRNN", "CRNNAttention")}
SMALL |= {
    "DielemanRaw, average": ("DielemanRaw", {"width": 0.25, "average": True}),
    "Musicnn, slaney": ("Musicnn", {"width": 0.05, "bands": "slaney"}),
    "ReSE2Multi, 4": ("ReSE2Multi", {"width": 0.03, "expansion": 4}),
    "ReSE2Multi, SE": ("ReSE2Multi", {"width": 0.03, "block": "SE"}),
    "ShortChunkCNN, residual": ("ShortChunkCNN", {"width": 0.04, "residual": True}),
}


@pytest.fixture(params=list(SMALL))
def model(request):
    """Each model, small, with five tags."""
    torch.manual_seed(0)
    name, arguments = SMALL[request.param]
    return models.build(name, n_tags=5, **arguments)


def windows(model, n=3, seed=0):
    random = torch.Generator().manual_seed(seed)
    return 0.1 * torch.randn(n, model.n_samples, generator=random)


@pytest.mark.parametrize("name", list(models.MODELS))
def test_size_is_that_of_the_list(name):
    entry = models.MODELS[name]
    assert models.count_parameters(models.build(name)) == entry.parameters
    assert entry.paper and entry.cls.__name__ == name


@pytest.mark.parametrize(
    ("name", "arguments", "count"),
    [
        ("DielemanRaw", RAW_16_KHZ, 65_022),
        ("DielemanRaw", RAW_16_KHZ | {"n_filters": 128}, 114_270),
        ("DielemanMel", VALID, 52_574),
        ("DielemanMel", VALID | {"length": 256, "stride": 256}, 65_374),
        ("DielemanMel", VALID | {"n_samples": 48_000}, 55_774),
        ("RoyBase", {"length": 1024, "stride": 512}, 17_887),
        ("RoyBase", {"length": 512, "stride": 256}, 17_375),
        ("RoyBase", {"length": 256, "stride": 256}, 17_119),
        ("ReSE2Multi", {"expansion": 16}, 26_980_146),
        ("ReSE2Multi", {"expansion": 16, "block": "SE"}, 24_742_706),
        ("ReSE2Multi", {"expansion": 16, "block": "Res2"}, 4_920_882),
        ("ReSE2Multi", {"expansion": 16, "block": "basic"}, 2_683_442),
        ("PonsSpectrogram", {"front_width": 4}, 11_063_226),
        ("PonsWaveform", {"n_back": 64, "n_dense": 200}, 457_054),
        ("PonsSpectrogram", {"n_back": 64, "n_dense": 200}, 351_838),
        ("CRNN", {"hidden": 15}, 379_325),
        # 1,000,945 in code that scales and shifts the input: two numbers more.
        ("CRNN", {"channels": [96, 195, 195, 195], "hidden": 96}, 1_000_945 - 2),
        # Three more matrices than a CRNN: 32 x 32, 32 biases, 32.
        ("CRNNAttention", {}, 394_098 + 32 * 32 + 32 + 32),
        # Convolutions as the CRNN's, eight GRUs 128 -> 32, 256 -> 50.
        ("CRNNTF", {}, 370_560 + 8 * 3 * (32 * 128 + 32 * 32 + 64) + 257 * 50),
        ("ShortChunkCNN", {"residual": True}, 12_104_244),
    ],
)
def test_parameters_as_published(name, arguments, count):
    assert models.count_parameters(models.build(name, **arguments)) == count


def test_the_page_of_the_library_lists_every_model():
    text = Path(__file__).parents[1].joinpath("tagkit/README.md").read_text()
    for name, (cls, paper, parameters) in models.MODELS.items():
        seconds = cls().n_samples / cls().sample_rate
        assert f"| `{name}` | {paper} | {seconds:.2f} s, " in text
        assert f" | {parameters:,} |\n" in text.split(f"| `{name}` |")[1]


def test_parts_have_the_parameters_of_the_tables():
    count = models.count_parameters
    assert count(models.PonsWaveform().frontend) == 248_448
    spectrogram = models.PonsSpectrogram()
    assert count(spectrogram.timbre) + count(spectrogram.tempo) == 50_048
    assert count(models.CRNN().units) == 370_560
    k2c1, k1c2 = models.shapes(models.K2C1()), models.shapes(models.K1C2())
    layers = k2c1[k2c1["layer"].isin(["Conv2d", "Linear"])]["parameters"].tolist()
    assert layers == [58_520, 92_568, 92_568, 185_136, 369_968, 369_968, 92_720, 15_250]
    layers = k1c2[k1c2["layer"].isin(["Conv2d", "Linear"])]["parameters"].tolist()
    assert layers == [235, 8_883, 17_955, 36_195, 866_495, 9_120, 4_800]
    # Without batch norm: 1,863,986, said of SampleCNN; its first two rows in full.
    table = models.shapes(models.SampleCNN())
    assert table[table["layer"] != "BatchNorm1d"]["parameters"].sum() == 1_863_986


def frames(name, *layers, **arguments):
    """The last axis of what the layers of these kinds give, in order."""
    table = models.shapes(models.build(name, **arguments))
    chosen = table[table["layer"].isin(layers)]["output"]
    return [int(text.split(" x ")[-1]) for text in chosen]


def sizes(name, *layers, **arguments):
    """Frequency by time of what the layers of these kinds give, in order."""
    table = models.shapes(models.build(name, **arguments))
    chosen = table[table["layer"].isin(layers)]["output"]
    return [text.split(" x ", 1)[1].replace(" ", "") for text in chosen]


def test_shapes_as_published():
    """What the papers, or the tables made from their code, print."""
    narrow = {"width": 0.1}
    conv1, pool1 = ("Conv1d",), ("MaxPool1d",)
    roy = [136, 129, 126, 119, 116]
    assert frames("RoyBase", "Conv1d", "MaxPool1d") == roy
    assert frames("RoyImproved", "Conv1d", "MaxPool1d", **narrow) == [*roy, 109, 106]
    powers = [3**k for k in range(9, -1, -1)]
    assert frames("SampleCNN", *conv1, **narrow)[0] == powers[0] == 19_683
    assert frames("SampleCNN", *pool1, **narrow) == powers[1:]
    assert frames("ReSE2Multi", "ReLU", **narrow)[0] == 19_683
    pons = [5_332, 1_776, 591, 196, 64, 20]
    assert frames("PonsWaveform", *pool1, **narrow)[:6] == pons
    assert frames("PonsWaveform", *conv1, **narrow)[0] == 16_000
    for n_samples, n_frames in ((51_776, 22), (59_049, 26)):
        pools = frames("PonsWaveform", *pool1, n_samples=n_samples, **narrow)
        assert pools[5] == n_frames
    k2c1 = models.shapes(models.K2C1())
    walk = [1366] + [
        int(text.split(" x ")[-1])
        for text in k2c1[k2c1["layer"].isin(["Conv2d", "MaxPool2d"])]["output"]
    ]
    assert walk == [1366, 1363, 1360, 340, 337, 84, 81, 20, 17, 4]
    pool2 = ("MaxPool2d",)
    assert sizes("K1C2", *pool2, **narrow) == ["96x341", "96x68", "96x8", "96x1"]
    assert sizes("CRNNTF", *pool2, **narrow) == ["48x340", "24x85", "12x22", "6x6"]
    plain = ["64x115", "32x57", "16x28", "8x14", "4x7", "2x3", "1x1"]
    assert sizes("ShortChunkCNN", *pool2, **narrow) == plain
    residual = sizes("ShortChunkCNN", "Conv2d", residual=True, **narrow)[2::3]
    assert residual == ["64x116", "32x58", "16x29", "8x15", "4x8", "2x4", "1x2"]


def test_crnn_as_published():
    table = models.shapes(models.CRNN())
    pools = table[table["layer"] == "MaxPool2d"]["output"].tolist()
    assert pools == ["64 x 48 x 720", "128 x 16 x 240", "128 x 4 x 60", "128 x 1 x 15"]
    states, last = models.CRNN().gru(torch.zeros(2, 15, 128))
    assert states.shape == (2, 15, 32) and last.shape == (2, 2, 32)


def test_pons_frontends_as_published():
    model, musicnn = models.PonsSpectrogram().eval(), models.Musicnn().eval()
    inputs = []
    for part in (model.backend, musicnn.middle[0], musicnn.dense):
        part.register_forward_pre_hook(lambda _, given: inputs.append(given[0].shape))
    with torch.inference_mode():
        model(torch.zeros(1, 47_616))
        musicnn(torch.zeros(1, 47_616))
    assert inputs == [(1, 464, 187), (1, 561, 187), (1, 2 * 753)]
    waveform = models.PonsWaveform()
    assert waveform.frontend.eval()(torch.zeros(1, 1, 48_000)).shape == (1, 256, 20)
    kernels = [tuple(tall.conv.kernel_size) for tall in model.timbre]
    assert kernels == [(86, 7), (86, 3), (86, 1), (38, 7), (38, 3), (38, 1)]
    lengths = [tempo[1].kernel_size[0] for tempo in model.tempo]
    assert lengths == [165, 128, 64, 32]


def test_silence_pads_the_crnn():
    """Trap 10: 37 frames on each side at the floor of the dB scale."""
    image = models.CRNN(width=0.1).image.eval()
    samples = windows(models.K2C2(width=0.05), 1)
    with torch.inference_mode():
        mel = image.mel(samples)
        padded = image.pad(mel)
    assert padded.shape == (1, 96, 1440)
    assert (padded[..., :37] == -100).all() and (padded[..., -37:] == -100).all()
    assert torch.equal(padded[..., 37:-37], mel) and mel.min() >= -100


def test_recurrence_over_the_batch_is_caught():
    """Readings B and B' of the fifteen: the published code, and its half repair."""
    leaky = models.CRNNOverBatch(n_tags=5, width=0.1)
    with pytest.raises(AssertionError):
        test_permuting_the_batch_permutes_the_logits(leaky)
    test_permuting_the_batch_permutes_the_logits(
        models.CRNNOverBatch(n_tags=5, batch_first=True, width=0.1)
    )
    for batch_first in (False, True):
        model = models.CRNNOverBatch(batch_first=batch_first)
        assert models.count_parameters(model) == 469_490
    assert "CRNNOverBatch" not in models.MODELS


def test_attention_weighs_fifteen_steps():
    model = models.CRNNAttention(width=0.1)
    states = torch.randn(3, 15, model.gru.hidden_size)
    weights = model.weights(states)
    assert weights.shape == (3, 15, 1)
    torch.testing.assert_close(weights.sum(dim=1), torch.ones(3, 1))
    by_hand = torch.stack(
        [(w * s).sum(dim=0) for w, s in zip(weights, states, strict=True)]
    )
    torch.testing.assert_close(model.merge(states), by_hand)


def test_crnntf_reads_its_map_in_eight_orders():
    model = models.CRNNTF(width=0.1).eval()
    read = []
    for scan in model.scans:
        scan.register_forward_pre_hook(lambda _, given: read.append(given[0][0]))
    with torch.inference_mode():
        model(windows(model, 1))
    corner = read[0].unflatten(0, (6, 6))  # rows of frequency, columns of time
    turned = [corner, corner.flip(0), corner.flip(1), corner.flip(0, 1)]
    expected = [x.flatten(0, 1) for t in turned for x in (t, t.transpose(0, 1))]
    assert all(torch.equal(a, b) for a, b in zip(read, expected, strict=True))
    assert not any(torch.equal(a, b) for i, a in enumerate(read) for b in read[:i])


def norm(x, layer):
    """Batch norm in evaluation, written out. Shape: (batch, channels, ...)."""
    shape = (1, -1) + (1,) * (x.ndim - 2)
    mean, var = layer.running_mean.view(shape), layer.running_var.view(shape)
    x = (x - mean) / (var + layer.eps).sqrt()
    if layer.affine:
        x = x * layer.weight.view(shape) + layer.bias.view(shape)
    return x


def settled(model):
    """The model after a few batches, so that its statistics are not 0 and 1."""
    with torch.inference_mode():
        for seed in range(3):
            model.train()(windows(model, 4, seed))
    return model.eval()


def test_pons_backend_by_hand():
    """Convolution, ReLU, batch norm; two sums, the pool between them."""
    model = settled(models.PonsWaveform(n_tags=5, width=0.05))
    back, conv = model.backend, nn.functional.conv1d
    with torch.inference_mode():
        given = torch.randn(2, back.first[0].in_channels, 20)
        one = conv(given, back.first[0].weight, back.first[0].bias)
        one = norm(one.relu(), back.first[2])  # (2, n, 14)
        more = conv(one, back.second[0].weight, back.second[0].bias, padding=3).relu()
        two = one + norm(more[:, None], back.norms[0])[:, 0]
        two = two.unfold(2, 2, 2).amax(dim=3)  # (2, n, 7)
        more = conv(two, back.third[0].weight, back.third[0].bias, padding=3).relu()
        three = two + norm(more[:, None], back.norms[1])[:, 0]
        both = torch.cat([three.amax(dim=2), three.mean(dim=2)], dim=1)
        hidden = nn.functional.linear(both, back.dense[1].weight, back.dense[1].bias)
        expected = norm(hidden.relu(), back.dense[3])
        torch.testing.assert_close(back(given), expected, rtol=1e-4, atol=1e-5)


def test_musicnn_by_hand():
    """Maxima over frequency, three summed convolutions, all of it side by side."""
    model = settled(models.Musicnn(n_tags=5, width=0.05))
    model.gain.data.fill_(0.7)
    model.shift.data.fill_(-0.4)
    conv = nn.functional.conv1d
    with torch.inference_mode():
        samples = windows(model, 2, 9)
        image = norm(model.mel(samples)[:, None], model.scale)
        image = model.gain * image + model.shift
        front = []
        for tall in model.frontend:
            n_frames = tall.conv.kernel_size[1]
            padded = nn.functional.pad(image, ((n_frames - 1) // 2, n_frames // 2))
            bands = nn.functional.conv2d(padded, tall.conv.weight, tall.conv.bias)
            front.append(norm(bands.relu(), tall.norm).amax(dim=2))
        parts, total = [torch.cat(front, dim=1)], 0
        given = parts[0]
        for unit in model.middle:
            more = conv(given, unit[0].weight, unit[0].bias, padding=3).relu()
            total = total + norm(more, unit[2])
            parts.append(total)
            given = total
        x = torch.cat(parts, dim=1)
        x = norm(torch.cat([x.amax(dim=2), x.mean(dim=2)], dim=1), model.dense[0])
        dense = model.dense[2]
        x = norm(
            nn.functional.linear(x, dense.weight, dense.bias).relu(), model.dense[4]
        )
        torch.testing.assert_close(
            model(samples), model.output(x), rtol=1e-4, atol=1e-4
        )


@pytest.mark.parametrize(("n_frames", "n_bands"), [(7, 67), (32, 1)])
def test_gain_and_shift_inside_filters_are_those_of_the_image(n_frames, n_bands):
    """The same numbers and gradients as scaling the image, without one back to it."""
    tall = pons.Filters(3, n_frames, n_bands).double()
    image = torch.randn(2, 1, 96, 40, dtype=torch.float64)
    slopes = torch.randn(2, 3, 97 - n_bands, 40, dtype=torch.float64)
    gain = torch.full((1,), 0.7, dtype=torch.float64, requires_grad=True)
    shift = torch.full((1,), -0.4, dtype=torch.float64, requires_grad=True)
    sides = (n_frames - 1) // 2, n_frames // 2
    padded = nn.functional.pad(gain * image + shift, sides)
    plain = nn.functional.conv2d(padded, tall.weight, tall.bias)
    ours = tall(image, gain, shift)
    torch.testing.assert_close(ours, plain)
    inputs = gain, shift, tall.weight, tall.bias
    expected = torch.autograd.grad(plain, inputs, slopes)
    torch.testing.assert_close(torch.autograd.grad(ours, inputs, slopes), expected)


def test_short_chunk_residual_unit_by_hand():
    model = settled(models.ShortChunkCNN(n_tags=5, residual=True, width=0.04))
    unit, conv = model.units[1], nn.functional.conv2d
    first, one, _, second, two = unit.convolutions
    around, three = unit.shortcut
    with torch.inference_mode():
        x = torch.randn(2, first.in_channels, 9, 12)
        y = conv(x, first.weight, first.bias, stride=2, padding=1)
        y = conv(norm(y, one).relu(), second.weight, second.bias, padding=1)
        short = norm(conv(x, around.weight, around.bias, stride=2, padding=1), three)
        expected = (norm(y, two) + short).relu()
        torch.testing.assert_close(unit(x), expected, rtol=1e-4, atol=1e-5)


def test_rese2_block_by_hand():
    model = settled(models.ReSE2Multi(n_tags=5, width=0.05))
    block = model.blocks[2]  # the first that changes the channels
    convs, conv = block.convolutions, nn.functional.conv1d
    with torch.inference_mode():
        x = torch.randn(2, convs[0].in_channels, 27)
        y = norm(conv(x, convs[0].weight, convs[0].bias, padding=1), convs[1]).relu()
        y = norm(conv(y, convs[4].weight, convs[4].bias, padding=1), convs[5])
        up, down = block.weigh[0], block.weigh[2]
        weight = nn.functional.linear(y.mean(dim=2), up.weight, up.bias).relu()
        weight = nn.functional.linear(weight, down.weight, down.bias).sigmoid()
        short = norm(conv(x, block.shortcut[0].weight, block.shortcut[0].bias),
                     block.shortcut[1])  # fmt: skip
        y = (y * weight[..., None] + short).relu().unfold(2, 3, 3).amax(dim=3)
        torch.testing.assert_close(block(x), y, rtol=1e-4, atol=1e-5)


def test_se_and_basic_blocks_by_hand():
    """The pool comes before the squeeze, as in the authors' code."""
    for block in ("SE", "basic"):
        model = settled(models.ReSE2Multi(n_tags=5, width=0.05, block=block))
        first = model.blocks[0]
        layer, normed = first.convolutions[0], first.convolutions[1]
        with torch.inference_mode():
            x = torch.randn(2, layer.in_channels, 27)
            y = nn.functional.conv1d(x, layer.weight, layer.bias, padding=1)
            y = norm(y, normed).relu().unfold(2, 3, 3).amax(dim=3)
            if block == "SE":
                up, down = first.weigh[0], first.weigh[2]
                weight = nn.functional.linear(y.mean(dim=2), up.weight, up.bias).relu()
                weight = nn.functional.linear(weight, down.weight, down.bias)
                y = y * weight.sigmoid()[..., None]
            torch.testing.assert_close(first(x), y, rtol=1e-4, atol=1e-5)
    with pytest.raises(ValueError, match="block 'Res' is unknown; needed is one of"):
        models.ReSE2Multi(block="Res")


def test_res2_blocks_have_shortcuts_and_weigh_nothing():
    model = models.ReSE2Multi(n_tags=5, width=0.05, block="Res2")
    assert all(isinstance(block, ReSE2Block) for block in model.blocks)
    assert not any(isinstance(m, SqueezeExcitation) for m in model.modules())


def test_nine_layers_of_the_waveform_frontend():
    model = models.PonsWaveform(n_tags=5, width=0.1, n_layers=9, n_samples=240_000)
    whole = models.PonsWaveform(n_layers=9, n_samples=240_000)
    sizes = [m.out_channels for m in whole.frontend if isinstance(m, nn.Conv1d)]
    assert sizes == [64, 64, 64, 128, 128, 128, 128, 128, 256]
    with torch.inference_mode():
        assert model.eval().frontend(torch.zeros(1, 1, 240_000)).shape[2] == 11
        assert model(windows(model, 2)).shape == (2, 5)
    assert (
        models.PonsWaveform(width=0.1)
        .arguments.keys()
        .isdisjoint({"n_layers", "front_width"})
    )


def test_a_whole_song_is_a_window_of_the_spectrogram():
    """Mean and maximum over time: the same weights read patches and whole songs."""
    torch.manual_seed(0)
    song = models.PonsSpectrogram(n_tags=5, width=0.1, n_samples=465_920)
    test_permuting_the_batch_permutes_the_logits(song)
    patch = models.PonsSpectrogram(n_tags=5, width=0.1)
    patch.load_state_dict(song.state_dict())
    assert song.arguments == patch.arguments | {"n_samples": 465_920}
    inputs = []
    song.backend.register_forward_pre_hook(lambda _, given: inputs.append(given[0]))
    with torch.inference_mode():
        song.eval()(windows(song, 1))
    assert inputs[0].shape[2] == 1821


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


def test_dieleman_mel_hears_no_empty_band():
    for length, stride in DIELEMAN_RAW:
        model = models.DielemanMel(length=length, stride=stride)
        assert model.mel.filters.any(dim=0).all()
        sounding = model.mel.window.count_nonzero() + 1  # a Hann window begins with 0
        assert sounding == length and model.mel.hop == stride


def test_other_numbers_of_channels_are_refused():
    with pytest.raises(ValueError, match=r"\[64\].* 4"):
        models.CRNN(channels=[64])


@pytest.mark.parametrize("cls", [models.DielemanRaw, models.DielemanMel])
def test_too_few_frames_are_refused_when_built(cls):
    with pytest.raises(ValueError, match=r"3[45] frames.*valid"):
        cls(length=1024, stride=1024, padding="valid")
    with pytest.raises(ValueError, match="frames.*same"):
        cls(n_samples=2000)
    with pytest.raises(ValueError, match="'full'.*'same'"):
        cls(padding="full")


def test_k2c2_as_published():
    model = models.K2C2()
    table = models.shapes(model)
    pools = ["48x341", "24x85", "12x21", "4x4", "1x1"]
    assert sizes("K2C2", "MaxPool2d") == pools
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


def test_embeds_what_its_last_layer_reads(model):
    given = windows(model, 2)
    with torch.inference_mode():
        vectors = model.eval().embed(given)
        torch.testing.assert_close(model.output(vectors), model(given))
    assert vectors.shape == (2, model.n_dims)


def test_the_fault_over_the_batch_embeds_too():
    model = models.CRNNOverBatch(n_tags=5, width=0.05).eval()
    given = windows(model, 2)
    with torch.inference_mode():
        vectors = model.embed(given)
        torch.testing.assert_close(model.output(vectors), model(given))
    assert vectors.shape == (2, model.n_dims)


def test_permuting_the_batch_permutes_the_logits(model):
    """Trap 7: a recurrence over the batch, or any other leak between clips."""
    samples, order = windows(model, 4), torch.tensor([2, 0, 3, 1])
    with torch.inference_mode():
        logits = model.eval()(samples)
        torch.testing.assert_close(
            model(samples[order]), logits[order], rtol=1e-4, atol=1e-5
        )
        torch.testing.assert_close(model(samples[:1]), logits[:1], rtol=1e-4, atol=1e-5)


def test_statistics_move_in_training_and_only_there(model):
    """Traps 2 and 3; in evaluation the logits are the same each time."""
    samples = windows(model, 2)
    kinds = (nn.BatchNorm1d, nn.BatchNorm2d)
    norms = [m for m in model.modules() if isinstance(m, kinds)]
    first = [norm.running_mean.clone() for norm in norms]
    with torch.inference_mode():
        model.train()(samples)
        for norm, mean in zip(norms, first, strict=True):
            assert not torch.equal(norm.running_mean, mean)
        before = {k: v.clone() for k, v in model.state_dict().items()}
        model.eval()
        assert torch.equal(model(samples), model(samples))
    assert all(torch.equal(v, before[k]) for k, v in model.state_dict().items())


def test_every_parameter_gets_a_gradient(model):
    logits = model.train()(windows(model, 4))
    nn.functional.binary_cross_entropy_with_logits(logits, torch.ones(4, 5)).backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None and parameter.grad.any(), name


def test_overfits_four_clips(model):
    """Four chords with labels of their own: each must become known by heart."""
    random = torch.Generator().manual_seed(1)
    hz = 150 * 2.25 ** torch.arange(4)[:, None]
    time = torch.arange(model.n_samples) / model.sample_rate
    samples = 0.5 * torch.sin(2 * np.pi * hz * time)
    labels = (torch.rand(4, 5, generator=random) > 0.5).float()
    slow = (models.CRNN, models.CRNNTF, models.K1C2, models.Musicnn, models.RoyBase)
    rate = 0.03 if isinstance(model, slow) else 0.01
    optimizer = torch.optim.Adam(model.parameters(), lr=rate)
    loss_of = nn.functional.binary_cross_entropy_with_logits
    for m in model.modules():  # dropout is there to make this slow
        if isinstance(m, nn.Dropout):
            m.p = 0.0
    for _ in range(300):
        loss = loss_of(model.train()(samples), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if loss < 0.05:
            break
    assert loss < 0.05


def test_window_of_another_length_is_refused_with_both_numbers(model):
    n = model.n_samples
    for shape in [(2, n - 1), (2, n + 1), (n,), (2, 1, n)]:
        with pytest.raises(ValueError) as caught:
            model(torch.zeros(shape))
        message = str(caught.value)
        assert str(tuple(shape)) in message and f"(batch, {n})" in message
        assert type(model).__name__ in message and "RandomCrops" in message


def test_arguments_and_seed_build_the_same_model(model):
    torch.manual_seed(0)
    again = models.build(type(model).__name__, **model.arguments)
    samples = windows(model, 2)
    with torch.inference_mode():
        assert torch.equal(model.eval()(samples), again.eval()(samples))
    assert json.loads(json.dumps(model.arguments)) == model.arguments


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
    with pytest.raises(ValueError, match="'dielemanraw'.*DielemanRaw"):
        models.build("dielemanraw")
    with pytest.raises(ValueError, match="DielemanRaw, DielemanMel, RoyBase"):
        models.build("zzz")


# --- logits, not probabilities (trap 1)


def assert_gives_logits(model):
    """Fail if a squashing stands between the last layer and the loss.

    With the last layer's weights at zero its bias is the logit: a bias of 0 must
    cost log 2 = 0.6931 whatever the labels, and a large bias of the right sign
    nearly nothing. A sigmoid in between cannot pass 0.3133 for a positive label.
    """
    last = model.output
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


@pytest.mark.parametrize("stride", [1, 2])
def test_seven_channels_of_zeros_change_nothing(stride):
    """What a GPU is given in place of one channel."""
    torch.manual_seed(0)
    layer = Conv2d(1, 5, (3, 4), stride, padding=1)
    images = torch.randn(2, 1, 12, 20, requires_grad=True)
    one, eight = layer(images), layer.forward_eight(images)
    torch.testing.assert_close(eight, one)
    inputs = images, layer.weight, layer.bias
    expected = torch.autograd.grad(one.square().sum(), inputs)
    slopes = torch.autograd.grad(eight.square().sum(), inputs)
    torch.testing.assert_close(slopes, expected)


@pytest.mark.parametrize("name", ["K2C2", "K1C2", "CRNN", "ShortChunkCNN"])
def test_pictures_of_one_channel_meet_such_a_layer(name):
    model = models.build(name, width=0.05)
    first = next(m for m in model.modules() if isinstance(m, nn.Conv2d))
    assert isinstance(first, Conv2d) and first.in_channels == 1
