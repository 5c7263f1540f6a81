"""Right and wrong answers to the tasks of lesson 03, for the tests of their probes.

Spoilers: learners, look into `hint` first. A wrong answer stands beside a part of
the message that it must get.
"""

import copy
import math

import numpy as np
import torch
import torchaudio
from torch import nn
from torch.nn import functional

from tagkit import models
from tagkit.checks.engine import Answers
from tagkit.data import corpus
from tagkit.models import mel
from tagkit.training import checkpoints

ANSWERS: dict[str, Answers] = {}


# 3.1 Mel filters from the formula


def filters(rate, n_fft, n_mels, corners=None, cut=0, how=np.minimum):
    """Right as it is; each argument changes one thing."""
    bins = np.linspace(0, rate / 2, 1 + n_fft // 2)
    if corners is None:
        corners = mel.mel_to_hz(np.linspace(0, mel.hz_to_mel(rate / 2), n_mels + 2))
    low, centre, high = corners[:-2, None], corners[1:-1, None], corners[2:, None]
    slopes = how((bins - low) / (centre - low), (high - bins) / (high - centre))
    return slopes if cut is None else np.maximum(cut, slopes)


def by_loop(rate, n_fft, n_mels):
    top = 1127 * math.log(1 + rate / 1400)
    corners = [
        700 * (math.exp(top * i / (n_mels + 1) / 1127) - 1) for i in range(n_mels + 2)
    ]
    rows = []
    for band in range(n_mels):
        low, centre, high = corners[band : band + 3]
        row = []
        for place in range(1 + n_fft // 2):
            hz = place * rate / n_fft
            slope = (hz - low) / (centre - low) if hz < centre else (high - hz) / (
                high - centre
            )  # fmt: skip
            row.append(max(0.0, slope))
        rows.append(row)
    return rows


def by_torchaudio(rate, n_fft, n_mels):
    bank = torchaudio.functional.melscale_fbanks
    return bank(1 + n_fft // 2, 0.0, rate / 2, n_mels, rate).T


def in_hz(rate, n_fft, n_mels):
    return filters(rate, n_fft, n_mels, np.linspace(0, rate / 2, n_mels + 2))


def to_rate(rate, n_fft, n_mels):
    mels = np.linspace(0, mel.hz_to_mel(rate), n_mels + 2)
    return filters(rate, n_fft, n_mels, mel.mel_to_hz(mels))


def on_bins(rate, n_fft, n_mels):
    corners = mel.mel_to_hz(np.linspace(0, mel.hz_to_mel(rate / 2), n_mels + 2))
    corners = np.round(corners * n_fft / rate) * rate / n_fft
    return np.nan_to_num(filters(rate, n_fft, n_mels, corners))


def empty(filters):
    return [band for band, row in enumerate(filters) if not np.any(row)]


ANSWERS["3.1"] = Answers(
    (filters, empty),
    [
        (by_loop, lambda x: np.flatnonzero(x.max(axis=1) == 0)),
        (by_torchaudio, lambda x: {int(n) for n in np.where(x.sum(1) == 0)[0]}),
        [mel.mel_filters, lambda x: torch.tensor(empty(x))],
    ],
    [
        ((lambda *x: filters(*x, cut=None), empty), "never negative"),
        ((lambda *x: filters(*x, how=np.maximum), empty), "the smaller of the two"),
        ((in_hz, empty), "equally spaced in Hz"),
        ((to_rate, empty), "half the sampling rate"),
        ((on_bins, empty), "rounded to bins"),
        ((lambda *x: filters(*x).T, empty), "has shape (5, 2)"),
        ((lambda *x: filters(*x)[:, :-1], empty), "has shape (2, 4)"),
        (
            (filters, lambda x: [n for n, row in enumerate(x) if row.max() < 1e-3]),
            "not",
        ),
        ((filters, lambda x: np.where((x == 0).any(axis=1))[0]), "is not empty"),
        ((filters, lambda x: len(empty(x))), "a list of numbers is needed"),
        ((filters, lambda x: [n + 1 for n in empty(x)]), "begin at 0"),
    ],
)


# 3.2 A log-mel spectrogram by hand


def log_mel(
    samples,
    filters,
    n_fft,
    hop,
    mode="reflect",
    fade=None,
    power=2,
    floor=1e-10,
    ten=10,
):
    padded = np.pad(samples, n_fft // 2, mode=mode) if mode else samples
    starts = range(0, len(padded) - n_fft + 1, hop)
    frames = np.stack([padded[s : s + n_fft] for s in starts])
    if fade is None:
        fade = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(n_fft) / n_fft)
    spectrum = np.abs(np.fft.rfft(frames * fade)) ** power
    return ten * np.log10(np.maximum(filters @ spectrum.T, floor))


def by_stft(samples, filters, n_fft, hop):
    x = torch.tensor(samples)
    window = torch.hann_window(n_fft, dtype=x.dtype)
    spectrum = torch.stft(x, n_fft, hop, window=window, return_complex=True)
    bands = torch.tensor(filters) @ spectrum.abs().square()
    return 10 * bands.clamp(min=1e-10).log10()


def by_hanning(samples, filters, n_fft, hop):
    return log_mel(samples, filters, n_fft, hop, fade=np.hanning(n_fft)).tolist()


def other(**change):
    return lambda *given: log_mel(*given, **change)


ANSWERS["3.2"] = Answers(
    log_mel,
    [
        by_stft,
        by_hanning,
        lambda *given: by_stft(*given).requires_grad_(),
    ],
    [
        (other(ten=20), "20 log10 is for amplitudes"),
        (other(power=1), "that is the magnitude"),
        (other(fade=1.0), "the Hann window is missing"),
        (other(mode="constant"), "do not add zeros"),
        (other(mode="edge"), "do not repeat the last sample"),
        (other(mode=None), "has shape (12, 22)"),
        (other(floor=0), "silence needs the floor"),
        (other(floor=1e-8), "the least power is not 1e-10"),
        (lambda *x: log_mel(*x) - log_mel(*x).max(), "go through the steps"),
        (lambda *x: log_mel(*x).T, "is needed"),
        (lambda s, f, n, h: log_mel(s, f, n, n), "is needed"),
    ],
)


# 3.3 Shapes, parameters, and two misprints


def trace(height, width, units, *, padding=None, divide=int.__floordiv__, bias=1,
          into=True):  # fmt: skip
    n_in, shapes, counts = 1, [], []
    for n_out, (tall, wide), (down, along), pad in units:
        if (padding or pad) == "valid":
            height, width = height - tall + 1, width - wide + 1
        height, width = divide(height, down), divide(width, along)
        counts.append(n_out * (n_in if into else 1) * tall * wide + bias * n_out)
        shapes.append((n_out, height, width))
        n_in = n_out
    return shapes, counts


def by_network(height, width, units):
    x, n_in, shapes, counts = torch.zeros(1, 1, height, width), 1, [], []
    for n_out, kernel, pool, padding in units:
        conv = nn.Conv2d(n_in, n_out, kernel, padding=padding)
        x, n_in = functional.max_pool2d(conv(x), pool), n_out
        shapes.append(x.shape[1:])
        counts.append(sum(weight.numel() for weight in conv.parameters()))
    return np.array(shapes), torch.tensor(counts)


FOUND = {("k2c1", "unit 4"): ("inputs", 152), ("k2c2", "dense"): ("printed", 13_600)}


def tracing(**change):
    return lambda *given: trace(*given, **change), FOUND


def finding(*drop, **change):
    found = {k: v for k, v in FOUND.items() if k[0] not in drop}
    return trace, found | {tuple(k.split("_")): v for k, v in change.items()}


ANSWERS["3.3"] = Answers(
    (trace, FOUND),
    [
        (by_network, dict(reversed(FOUND.items()))),
        (lambda *x: [*map(np.array, trace(*x))], {k: [*v] for k, v in FOUND.items()}),
        [trace, {k: (c, np.int64(n)) for k, (c, n) in FOUND.items()}],
    ],
    [
        (tracing(divide=lambda a, b: -(-a // b)), "round down"),
        (tracing(padding="same"), "takes kernel - 1 off"),
        (tracing(padding="valid"), '"same" keeps height'),
        (tracing(bias=0), "the biases are missing"),
        (tracing(into=False), "each kernel covers all channels"),
        ((lambda *x: trace(*x)[::-1], FOUND), "has shape (3,)"),
        ((lambda h, w, u: trace(w, h, u), FOUND), "compute this unit"),
        ((lambda *x: ([s[::-1] for s in trace(*x)[0]], trace(*x)[1]), FOUND),
         "compute this unit"),
        ((lambda *x: (trace(*x)[0], sum(trace(*x)[1])), FOUND), "has shape ()"),
        (finding("k2c1"), "1 of the two misprints"),
        ((trace, {}), "0 of the two misprints"),
        (finding(k1c2_x=("printed", 1)), "You name ('k1c2', 'x')"),
        ((trace, FOUND | {("k2c2", "dense"): ("inputs", 270)}), "does it fit"),
        ((trace, FOUND | {("k2c1", "unit 4"): ("printed", 369_968)}), "does it fit"),
        ((trace, FOUND | {("k2c2", "dense"): ("printed", 13_550)}), "does it fit"),
        ((trace, FOUND | {("k2c1", "unit 4"): ("inputs", 304)}), "does it fit"),
        ((trace, [("k2c2", "dense")]), "a dict is needed"),
    ],
)  # fmt: skip


# 3.4 Vertical and horizontal filters

CHANGES = {"bands shuffled": "vertical", "moved up": "neither", "half speed": "both"}


class Shaped(nn.Module):
    """Right as it is; each class attribute changes one thing."""

    tall, wide, bias, order = (38, 7), 65, True, 1
    most, envelope = torch.amax, torch.mean
    first = last = torch.relu
    zeros = (3, 3)

    def __init__(self):
        super().__init__()
        self.vertical = nn.Conv2d(1, 16, self.tall, bias=self.bias)
        about = {"padding": self.wide // 2, "bias": self.bias}
        self.horizontal = nn.Conv1d(1, 8, self.wide, **about)

    def forward(self, image):
        kind = type(self)
        padded = functional.pad(image, self.zeros)
        timbre = kind.most(kind.first(self.vertical(padded[:, None])), dim=2)
        rhythm = kind.last(self.horizontal(kind.envelope(image, dim=1)[:, None]))
        return torch.cat([timbre, rhythm][:: self.order], dim=1)


class Flat(nn.Module):
    """The same with Conv2d for both, and a pool for the maximum."""

    def __init__(self):
        super().__init__()
        self.b = nn.Conv2d(1, 8, (1, 65), padding=(0, 32))
        self.a = nn.Conv2d(1, 16, (38, 7), padding=(0, 3))

    def forward(self, image):
        x = image.unsqueeze(1)
        timbre = functional.max_pool2d(self.a(x), (59, 1)).relu().squeeze(2)
        rhythm = self.b(x.mean(dim=2, keepdim=True)).relu().squeeze(2)
        return torch.cat([timbre, rhythm], dim=1)


class Turned(Shaped):
    """The same on the image from the side."""

    def __init__(self):
        super().__init__()
        self.vertical = nn.Conv2d(1, 16, (7, 38), padding=(3, 0))

    def forward(self, image):
        x = self.vertical(image.transpose(1, 2)[:, None])  # (batch, 16, n_frames, 59)
        rhythm = self.horizontal(image.mean(dim=1, keepdim=True)).relu()
        return torch.cat([x.relu().amax(dim=3), rhythm], dim=1)


class Folded(Shaped):
    """The same with the tall kernel as 38 channels of pieces of the image."""

    def __init__(self):
        super().__init__()
        self.vertical = nn.Conv1d(38, 16, 7, padding=3)

    def forward(self, image):
        pieces = [self.vertical(image[:, k : k + 38]) for k in range(59)]
        timbre = torch.stack(pieces).amax(dim=0).relu()
        rhythm = self.horizontal(image.mean(dim=1, keepdim=True)).relu()
        return torch.cat([timbre, rhythm], dim=1)


class Detached(Shaped):
    def forward(self, image):
        return super().forward(image) * torch.cat(
            [torch.ones(16), torch.zeros(8)]
        ).reshape(24, 1)


def shaped(**change):
    wrap = {k: staticmethod(v) if callable(v) else v for k, v in change.items()}
    return type("Shaped", (Shaped,), wrap), CHANGES


def seeing(**change):
    names = {k.replace("_", " "): v for k, v in change.items()}
    return Shaped, CHANGES | names


def same(x):
    return x


ANSWERS["3.4"] = Answers(
    (Shaped, CHANGES),
    [(Flat, CHANGES), (Folded, dict(reversed(CHANGES.items()))), [Turned, CHANGES]],
    [
        (shaped(order=-1), "the vertical channels come first"),
        (shaped(most=torch.mean), "the maximum over frequency"),
        (shaped(envelope=torch.amax), "the mean over the bands"),
        (shaped(last=same), "the ReLU of the horizontal branch"),
        (shaped(first=same, last=same), "the ReLUs are missing"),
        (shaped(bias=False), "4,776 parameters"),
        (shaped(tall=(37, 7)), "Count the kernels"),
        (shaped(zeros=(0, 6)), "compare padding"),
        (shaped(zeros=(0, 0)), "stopped with RuntimeError"),
        ((Detached, CHANGES), "No gradient reaches horizontal"),
        (seeing(bands_shuffled="both"), "You say of 'bands shuffled': both"),
        (seeing(moved_up="vertical"), "You say of 'moved up': vertical"),
        (seeing(half_speed="horizontal"), "You say of 'half speed': horizontal"),
        ((Shaped, {"moved up": "neither"}), "a dict with"),
        ((Shaped(), CHANGES), "without brackets"),
    ],
)


# 3.5 Train a small network on mel bands


def recorded():
    path = corpus.SHIPPED / "checkpoints" / "mini" / "DielemanMel.safetensors"
    return checkpoints.load(path)[0]


class Around(nn.Module):
    """A network in another one, with something done to its logits."""

    n_samples, sample_rate = 34_950, 12_000

    def __init__(self, after=same):
        super().__init__()
        self.network, self.after = recorded(), after

    def forward(self, samples):
        return self.after(self.network(samples))


def with_noise(seed=0):
    network = copy.deepcopy(recorded())
    torch.manual_seed(seed)
    with torch.no_grad():
        for weight in network.parameters():
            weight.add_(0.001 * torch.randn(weight.shape))
    return network


ANSWERS["3.5"] = Answers(
    recorded(),
    [Around(), with_noise().eval(), Around(lambda logits: 1.1 * logits).eval()],
    [
        (models.DielemanMel(n_tags=50), "is needed. Train longer"),
        (Around(torch.sigmoid), "logits are needed"),
        (Around(lambda logits: logits.roll(1, dims=1)), "or with the right labels?"),
        (Around(lambda logits: logits - 20), "above that of the constant prior"),
        (
            Around(lambda logits: logits[:, :1].expand(-1, 50)),
            "is needed. Train longer",
        ),
        (Around(lambda logits: 2.5 * logits + 1.5), "above that of the constant prior"),
        (Around(lambda logits: logits[:, 1:]), "has shape (2, 49)"),
        (models.DielemanMel(n_tags=50, width=2), "small is at most"),
        (nn.Linear(34_950, 1), "has shape (2, 1)"),
        (models.DielemanMel, "the trained network itself"),
        (0.87, "the trained network itself"),
    ],
)


# The examples of the texts: which part of the answer, what it gets, what it gives

EXAMPLES = {
    "3.1": [
        (0, (8_000, 8, 2), [[0, 0.676, 0, 0, 0], [0, 0.324, 0.906, 0.453, 0]]),
        (1, (filters(8_000, 8, 2),), []),
    ],
    "3.2": [
        (
            None,
            (np.zeros(1000), mel.mel_filters(12_000, 256, 4), 256, 128),
            np.full((4, 8), -100),
        )
    ],
    "3.3": [(0, (9, 31, [(3, (4, 2), (1, 3), "valid")]), ([(3, 6, 10)], [27]))],
}

# The last hints, followed to the letter: {0} is the first piece of code in the hint

FOLLOWED = {
    "3.1": (
        0,
        """
def answer(sample_rate, n_fft, n_mels):
    bins = np.linspace(0, sample_rate / 2, 1 + n_fft // 2)
    mels = np.linspace(0, mel.hz_to_mel(sample_rate / 2), n_mels + 2)
    corners = mel.mel_to_hz(mels)
    {0}
    slopes = (bins - low) / (centre - low), (high - bins) / (high - centre)
    return np.maximum(0, np.minimum(*slopes))
""",
    ),
    "3.2": (
        None,
        """
def answer(samples, filters, n_fft, hop):
    padded = np.pad(samples, n_fft // 2, mode="reflect")
    frames = np.lib.stride_tricks.sliding_window_view(padded, n_fft)[::hop]
    fade = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(n_fft) / n_fft)
    power = np.abs(np.fft.rfft(frames * fade)) ** 2
    bands = {1}
    return {2:bands}
""",
    ),
    "3.4": (
        0,
        """
class answer(Shaped):
    def forward(self, image):
        vertical = functional.conv2d(image[:, None], self.vertical.weight,
                                     self.vertical.bias, padding=(0, 3))
        vertical = vertical.relu().amax(dim=2)
        horizontal = self.horizontal(image.mean(dim=1)[:, None]).relu()
        return {0}
""",
    ),
}
