"""models.walk: sizes and parameters as in shapes, fields as NaNs find them."""

import numpy as np
import pytest
import torch

from tagkit import models
from tagkit.models.tagger import Tagger
from tagkit.models.walk import _fields, layers_of

NARROW = {name: {"width": 0.02} for name in models.MODELS}


def sees(name, **arguments):
    """Fields in samples, "all" as it stands."""
    model = models.build(name, **NARROW[name], **arguments)
    table = models.walk(model)
    return [
        ms if ms == "all" else round(ms * model.sample_rate / 1000)
        for ms in table["sees_ms"]
    ]


@pytest.mark.parametrize("name", models.MODELS)
def test_parameters_add_up(name):
    model = models.build(name, **NARROW[name])
    table = models.walk(model)
    assert table["parameters"].sum() == models.count_parameters(model)
    assert table["output"].iloc[-1] == "50"
    assert table["sees_ms"].iloc[-1] == "all"


def test_units_as_in_the_papers():
    raw = models.walk(models.DielemanRaw())
    assert raw["output"].tolist() == ["32 x 136", "32 x 34", "32 x 8", "100", "50"]
    assert raw["parameters"].tolist() == [8224, 8224, 8224, 25700, 5050]
    deep = models.walk(models.RoyImproved()).set_index("layer")["parameters"]
    assert deep["Linear"].sum() == 56_350  # of 2,845,470
    k2c2 = models.walk(models.K2C2())
    first = k2c2["output"].tolist()[:3]
    assert first == ["96 x 1366", "67 x 48 x 341", "135 x 24 x 85"]
    last = models.walk(models.CRNN())["output"].tolist()[-3:]
    assert last == ["128 x 1 x 15", "15 x 32", "50"]


def test_fields_by_the_formula():
    """A layer adds (kernel - 1) steps of the layer below, a pool as well."""
    field, step, expected = 3, 3, [3]
    for _ in range(8):
        field, step = field + 2 * step + 2 * step, 3 * step  # conv 3, then pool 3
        expected.append(field)
    assert expected[:4] == [3, 15, 51, 159]
    assert sees("SampleCNN") == [*expected, "all", "all", "all"]  # 118,095 > 59,049
    assert sees("PonsWaveform")[:7] == expected[:7]
    # 256 samples; + 7 and 3 steps of 256; + 7 and 3 steps of 1,024
    assert sees("DielemanRaw") == [256, 2816, 13_056, "all", "all"]
    assert sees("DielemanRaw", length=1024, stride=512)[0] == 1024
    assert sees("RoyImproved") == [256, 2816, 5376, 7936, "all", "all", "all"]
    # Frames of 512 samples, of which a Hann window hides the first.
    assert sees("K2C2")[:2] == [511, 511 + (2 + 3) * 256]
    # conv 3 and pool 2 in steps of 1 frame, conv 3 and pool 3 in steps of 2 frames.
    assert sees("CRNN")[:3] == [511, 511 + (2 + 1) * 256, 511 + (3 + 4 + 4) * 256]


def test_squeeze_and_excitation_sees_everything():
    """Its mean over time reaches the whole window."""
    fields = sees("ReSE2Multi")
    assert fields[:3] == [3, 9, 15] and set(fields[3:]) == {"all"}


@pytest.mark.parametrize("name", ["DielemanRaw", "PonsWaveform", "CRNN", "Musicnn"])
def test_fields_as_nan_finds_them(name):
    """A NaN spreads to all that can see it: put one at each end of a field."""
    torch.manual_seed(0)
    model = models.build(name, **NARROW[name])
    n_checked = 0
    for number, field in enumerate(_fields(model)):
        if field is None or field == (0, model.n_samples):
            continue
        first, last = field[0], field[1] - 1
        for place in (first - 512, first, last, last + 512):
            if not 0 <= place < model.n_samples:
                continue
            samples = torch.zeros(1, model.n_samples)
            samples[0, place] = torch.nan
            _, output = layers_of(model, samples)[number]
            middle = output[..., output.shape[-1] // 2]
            inside = first <= place <= last
            assert middle.isnan().any().item() == inside, (number, place, field)
            n_checked += 1
    assert n_checked >= 12


def test_a_network_of_your_own_needs_no_width():
    class Mine(Tagger):
        def __init__(self, n_tags=2):
            super().__init__(90, 1000, {"n_tags": n_tags})
            self.conv = torch.nn.Conv1d(1, 4, 9, 3)
            self.output = torch.nn.Linear(4, n_tags)

        def forward(self, samples):
            return self.output(self.conv(samples[:, None]).amax(dim=2))

    mine = Mine()
    before = [p.clone() for p in mine.parameters()]
    state = torch.get_rng_state()
    table = models.walk(mine.train())
    assert torch.equal(state, torch.get_rng_state())
    assert table["sees_ms"].tolist() == [9.0, "all"]
    assert table["output"].tolist() == ["4 x 28", "2"]
    assert mine.training and all(map(torch.equal, before, mine.parameters()))
    assert np.isfinite(table["parameters"]).all()
