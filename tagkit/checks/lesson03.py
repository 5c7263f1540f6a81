"""The five tasks of lesson 03, networks on mel bands: hints and probes.

A reference computes what is right. Its keyword arguments make the slips of learners,
and tables set each slip beside its message.
"""

import copy

import librosa
import numpy as np
import pandas as pd
import torch
from torch import nn
from torch.nn import functional

from tagkit.checks.engine import NotTried, calls, task, untouched
from tagkit.checks.tensors import array, built, output, steady, without_gradient
from tagkit.checks.values import Wrong, number, plain, refuse_slips, several, short
from tagkit.data import batches, store
from tagkit.models import mel
from tagkit.training import train


def _slips(reference, given, changes):
    """Pairs of what the changed reference gives and what to say of it, if asked for."""
    return ((reference(*given, **change), text) for text, change in changes.items())


FILTER_SLIPS = {
    "the corners are equally spaced in Hz, not in mel": {"in_mel": False},
    "the highest corner is half the sampling rate": {"top": 1.0},
    "a filter is never negative: cut off at 0": {"cut": False},
    "take the smaller of the two slopes": {"choose": np.maximum},
    "the corners are rounded to bins": {"on_bins": True},
    "each triangle has the same area; its largest value is to be 1": {"area": True},
    "these are the corners of Slaney's scale; the formula is another one": {
        "in_mel": librosa.mel_frequencies
    },
}


def _corners(n, fmin, fmax):
    return mel.mel_to_hz(np.linspace(mel.hz_to_mel(fmin), mel.hz_to_mel(fmax), n))


def _filters(
    rate,
    n_fft,
    n_mels,
    *,
    in_mel=_corners,
    top=0.5,
    cut=True,
    choose=np.minimum,
    on_bins=False,
    area=False,
):
    """Mel filters, (n_mels, n_bins)."""
    corners = np.linspace(0, top * rate, n_mels + 2)
    if in_mel:
        corners = in_mel(n_mels + 2, fmin=0, fmax=top * rate)
    if on_bins:
        corners = np.round(corners * n_fft / rate) * rate / n_fft
    bins = np.linspace(0, rate / 2, 1 + n_fft // 2)
    low, centre, high = corners[:-2, None], corners[1:-1, None], corners[2:, None]
    with np.errstate(all="ignore"):
        slopes = choose((bins - low) / (centre - low), (high - bins) / (high - centre))
    slopes = np.nan_to_num(slopes, posinf=0) if on_bins else slopes
    slopes = slopes * 2 / (high - low) if area else slopes
    return np.maximum(0, slopes) if cut else slopes


@task(
    "3.1",
    "Mel filters from the formula",
    points=4,
    hints=(
        "Make n_mels + 2 corners, equally spaced in mel from 0 to the mel of half the "
        "sampling rate, and turn them back into Hz. Band i uses corners i, i+1, i+2.",
        "With `bins` in Hz, one row is the smaller of `(bins - low) / (centre - low)` "
        "and `(high - bins) / (high - centre)`, and 0 where that is negative.",
        "All rows at once: `low, centre, high = corners[:-2, None], corners[1:-1, "
        "None], corners[2:, None]`. A band is empty if the largest of its row is 0.",
    ),
    praise="Look where the empty bands lie, and think of the width of a bin there.",
)
def filters_by_formula(answer):
    make, empty = several(answer, 2, "Your answer")
    cases = [
        (8_000, 8, 2),  # the example of the text
        (8_000, 64, 4),
        (16_000, 512, 96),
        (12_000, 256, 128),
    ]
    for given, value in zip(cases, calls(make, cases), strict=True):
        rate, n_fft, n_mels = given
        case = f"For {rate:,} Hz, n_fft {n_fft} and {n_mels} bands"
        right = _filters(*given)
        yours = array(value, right.shape, f"{case} your answer", "(n_mels, n_bins)")
        slips = _slips(_filters, given, FILTER_SLIPS)
        row, column = np.unravel_index(np.argmax(np.abs(yours - right)), right.shape)
        seen = f"{case} yours has {yours[row, column]:.4f} in band {row}, bin {column}"
        refuse_slips(yours, right, slips, seen, "draw this triangle", atol=2e-4)
    made = np.zeros((5, 9))
    made[1, 3] = made[4, 8] = 1e-4
    made[3, 2] = 0.5
    cases = [(made,), (_filters(12_000, 256, 128),), (_filters(8_000, 8, 2),)]
    for (filters,), value in zip(cases, calls(empty, cases), strict=True):
        n = len(filters)
        found = plain(value)
        if not isinstance(found, list | tuple | np.ndarray) or np.ndim(found) != 1:
            return f"`empty` gives {short(value)}; a list of numbers is needed."
        yours = {int(number(band, "A band")) for band in found}
        right = set(np.flatnonzero(filters.max(axis=1) == 0).tolist())
        seen = f"For {n} bands `empty` gives {short(sorted(yours))}"
        if yours != right and yours == {band + 1 for band in right}:
            return f"{seen}; the numbers begin at 0."
        if right and yours == set(range(n)) - right:
            return f"{seen}; these are the bands that are not empty."
        for band in sorted(yours ^ right):
            state = "is not empty" if band in yours else "is missing"
            return f"{seen}; band {band} {state}."


LOG_MEL_SLIPS = {
    "20 log10 is for amplitudes, not for powers": {"factor": 20},
    "20 log10 is for amplitudes; these are powers": {"factor": 20, "least": 1e-5},
    "that is the magnitude; square it": {"power": 1},
    "the Hann window is missing": {"fade": 1.0},
    "mirror the ends, do not add zeros": {"mode": "constant"},
    "mirror at the first and the last sample without repeating them": {
        "mode": "symmetric"
    },
    "mirror the ends, do not repeat the last sample": {"mode": "edge"},
    "a small number is added to every power; it counts only as the least one": {
        "floor": np.add
    },
    "silence needs the floor: no power counts as less than 1e-10": {"least": 0},
    "the least power is not 1e-10": {"least": 1e-8},
    "nothing is cut off, however far below the loudest": {"range": 80},
}


def _log_mel(
    samples,
    filters,
    n_fft,
    hop,
    *,
    mode="reflect",
    fade=None,
    power=2,
    factor=10,
    floor=np.maximum,
    least=1e-10,
    range=np.inf,
):
    """Decibels, (n_mels, n_frames)."""
    if fade is None:
        fade = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(n_fft) / n_fft)
    padded = np.pad(samples, n_fft // 2, mode=mode)
    frames = np.lib.stride_tricks.sliding_window_view(padded, n_fft)[::hop]
    spectrum = np.abs(np.fft.rfft(frames * fade)) ** power  # (n_frames, n_bins)
    with np.errstate(divide="ignore"):  # the logarithm of 0, where least is 0
        decibels = factor * np.log10(floor(filters @ spectrum.T, least))
    return np.maximum(decibels, decibels.max() - range)


@task(
    "3.2",
    "A log-mel spectrogram by hand",
    points=4,
    hints=(
        "In this order: mirror half a frame at both ends, cut frames, fade each with "
        "the Hann window, Fourier transform, power, mel bands, decibels.",
        "`np.pad(samples, n_fft // 2, mode='reflect')`; `np.fft.rfft` of each faded "
        "frame; the power is the square of its absolute value.",
        "`power` has a row per frame, so `filters @ power.T` has a row per band. Then "
        "`10 * np.log10(np.maximum(..., 1e-10))`.",
    ),
    praise="`mel.LogMel` does the same in one layer, for a whole batch.",
)
def log_mel(answer):
    noise = np.random.default_rng(32).normal(0, 0.1, 3000)
    soft = np.where(np.arange(3000) < 2000, noise, 1e-6 * noise)  # each slip shows
    stops = np.where(np.arange(3000) < 1500, noise, 0)
    sounds = {
        "noise that goes on softly": (soft, 256, 128),
        "noise": (noise, 256, 128),
        "noise that stops": (stops, 128, 100),
        "very soft noise": (1e-6 * noise[:2943], 256, 64),
        "silence": (np.zeros(1000), 256, 128),
    }
    cases = [
        (samples, mel.mel_filters(12_000, n_fft, 12), n_fft, hop)
        for samples, n_fft, hop in sounds.values()
    ]
    cases.append((np.zeros(1000), mel.mel_filters(12_000, 256, 4), 256, 128))
    names = [*sounds, "silence and 4 bands"]
    for what, given, value in zip(names, cases, calls(answer, cases), strict=True):
        samples, _, n_fft, hop = given
        case = f"For {what}, {len(samples)} samples, n_fft {n_fft} and hop {hop},"
        right = _log_mel(*given)
        yours = array(value, right.shape, f"{case} your answer", "(n_mels, n_frames)")
        if np.isinf(yours).any():
            return f"{case} yours holds {yours.min()}: silence needs the floor."
        if np.allclose(yours, _log_mel(*given, fade=np.hanning(n_fft)), atol=0.02):
            continue  # the other Hann window, whose last sample is 0
        slips = _slips(_log_mel, given, LOG_MEL_SLIPS)
        band, frame = np.unravel_index(np.argmax(np.abs(yours - right)), right.shape)
        seen = f"{case} yours is {yours[band, frame]:.2f} dB in band {band}, "
        seen += f"frame {frame}"
        otherwise = "go through the steps one by one, with one frame"
        refuse_slips(yours, right, slips, seen, otherwise, atol=0.02)


K2C2 = [
    (67, (3, 3), (2, 4), "same"),
    (135, (3, 3), (2, 4), "same"),
    (135, (3, 3), (2, 4), "same"),
    (203, (3, 3), (3, 5), "same"),
    (271, (3, 3), (4, 4), "same"),
]
K2C1 = [(152, (96, 4), (1, 1), "valid"), (152, (1, 4), (1, 4), "valid")]
EXAMPLE = [(3, (4, 2), (1, 3), "valid")]  # of the text
SMALL = [
    *EXAMPLE,
    (5, (3, 3), (2, 2), "same"),
    (2, (1, 5), (3, 1), "valid"),
]
TRACE_SLIPS = {
    "a pool drops what is left over: round down": {"round_up": True},
    '"valid" takes kernel - 1 off': {"padding": "same"},
    '"same" keeps height and width before the pool': {"padding": "valid"},
    "the biases are missing": {"bias": 0},
    "each kernel covers all channels before it": {"all_channels": False},
    "the pool has not been used": {"pools": False},
    "the numbers of parameters are added up; each unit has its own": {"sums": True},
}
MISPRINTS = {
    ("k2c1", "unit 4"): ("inputs", 152),
    ("k2c2", "dense"): ("printed", 13_600),
}


def _trace(
    height,
    width,
    units,
    *,
    padding=None,
    round_up=False,
    bias=1,
    all_channels=True,
    pools=True,
    sums=False,
):
    """Shape after each unit and number of its parameters, (n_units, 4)."""
    n_in, rows = 1, []
    for n_out, (tall, wide), (down, along), own_padding in units:
        if (padding or own_padding) == "valid":
            height, width = height - tall + 1, width - wide + 1
        if round_up:
            height, width = height + down - 1, width + along - 1
        if pools:
            height, width = height // down, width // along
        n_weights = n_out * tall * wide * (n_in if all_channels else 1)
        rows.append((n_out, height, width, n_weights + bias * n_out))
        n_in = n_out
    rows = np.array(rows)
    rows[:, 3] = rows[:, 3].cumsum() if sums else rows[:, 3]
    return rows


@task(
    "3.3",
    "Shapes, parameters, and two misprints",
    points=4,
    hints=(
        'Carry channels, height and width along. "valid" takes kernel - 1 off height '
        'and width, "same" nothing; then the pool divides and drops the rest.',
        "Parameters of a unit: `n_out * n_in * kernel_height * kernel_width + n_out`. "
        "The same formula for each row of the table, beside the printed number.",
        "Two rows disagree. What comes out of the row above must go into this one: is "
        "it so? If it is, the inputs are right and the printed count is not.",
    ),
    praise="Two misprints in 21 rows, and five minutes to find them.",
)
def misprints(answer):
    trace, named = several(answer, 2, "Your answer")
    cases = {
        "three small units": (17, 40, SMALL),
        "the unit of the task": (9, 31, EXAMPLE),
        "k2c2": (96, 1366, K2C2),
        "the first two units of k2c1": (96, 1366, K2C1),
    }
    values = calls(trace, cases.values())
    for (what, given), value in zip(cases.items(), values, strict=True):
        height, width, units = given
        parts = several(value, 2, "The result of `trace`")
        case, n = f"For {what} your", len(units)
        shapes = array(parts[0], (n, 3), f"{case} list of shapes", "(n_units, 3)")
        counts = array(parts[1], (n,), f"{case} list of parameters", "(n_units,)")
        yours, right = np.c_[shapes, counts], _trace(height, width, units)
        slips = _slips(_trace, (height, width, units), TRACE_SLIPS)
        unit = int((yours != right).any(axis=1).argmax())
        seen = f"{case} unit {unit + 1} has the shape {shapes[unit].tolist()} and "
        seen += f"{counts[unit]:g} parameters"
        refuse_slips(yours, right, slips, seen, "compute this unit on paper")
    if untouched(named):
        raise NotTried("`trace` is right; the misprints are still to be found.")
    if not isinstance(named, dict):
        return f"`misprints` is {short(named)}; a dict is needed, as the text shows it."
    for place, corrected in named.items():
        if place not in MISPRINTS:
            return f"You name {short(place)}; this row does not contradict the formula."
        if np.size(corrected) != 2 or tuple(corrected) != MISPRINTS[place]:
            return (
                f"For {short(place)} you hand in {short(corrected)}. Compare it with "
                "the rows around it: does it fit there?"
            )
    if len(named) < len(MISPRINTS):
        return f"You name {len(named)} of the two misprints; there are more."


SHAPED_SLIPS = {
    "the vertical channels come first": {"order": -1},
    "take the maximum over frequency, not the mean": {"most": torch.mean},
    "take the mean over the bands, not the maximum": {"level": torch.amax},
    "take the mean over the bands, not their sum": {"level": torch.sum},
    "the ReLUs are missing": {"relus": (torch.clone, torch.clone)},
    "the ReLU of the vertical branch is missing": {"relus": (torch.clone, torch.relu)},
    "the ReLU of the horizontal branch is missing": {
        "relus": (torch.relu, torch.clone)
    },
    "the vertical kernels are padded in frequency, too": {"pad": (18, 3)},
}


def _branches(
    image,
    weights,
    *,
    most=torch.amax,
    level=torch.mean,
    relus=(torch.relu, torch.relu),
    pad=(0, 3),
    order=1,
):
    """The two branches of the table, (batch, 24, n_frames)."""
    tall, tall_bias, wide, wide_bias = weights
    image = image[:, None]
    vertical = functional.conv2d(image, tall, tall_bias, padding=pad)
    vertical = most(relus[0](vertical), dim=2)
    loudness = level(image, dim=2)  # (batch, 1, n_frames)
    horizontal = relus[1](functional.conv1d(loudness, wide, wide_bias, padding=32))
    return torch.cat([vertical, horizontal][::order], dim=1).numpy()


def _own_weights(network):
    """Move the weights of a network a little, and give them in the table's shapes."""
    by_size = {}
    for weight in network.parameters():
        with torch.no_grad():
            weight.add_(0.02 * torch.randn(weight.shape))
        if weight.shape[-1] == 38:  # the network looks at the image from the side
            weight = weight.transpose(-1, -2)
        by_size[weight.numel()] = weight.detach()
    shapes = [(16, 1, 38, 7), (16,), (8, 1, 65), (8,)]
    sizes = [int(np.prod(shape)) for shape in shapes]
    if set(by_size) != set(sizes):
        raise Wrong("Your layers have the right sum of parameters, but other sizes.")
    return [by_size[n].reshape(shape) for n, shape in zip(sizes, shapes, strict=True)]


@task(
    "3.4",
    "Vertical and horizontal filters",
    points=5,
    hints=(
        "Two branches from one image. `nn.Conv2d` wants a channel: `image[:, None]`. "
        "The vertical branch pads in time only: `padding=(0, 3)`.",
        "After the vertical convolution (batch, 16, 59, n_frames) is left: "
        "`.amax(dim=2)`. The horizontal branch begins with `image.mean(dim=1)`.",
        "`torch.cat([vertical, horizontal], dim=1)`. For `changes`, send `IMAGE` and "
        "the changed image through, and compare the first 16 channels, then the rest.",
    ),
    praise="Vertical filters see timbre wherever it is; horizontal ones see rhythm.",
)
def shaped(answer):
    kind, changes = several(answer, 2, "Your answer")
    torch.manual_seed(34)
    network = built(kind)
    for n, n_frames in ((2, 137), (1, 80)):
        made = output(network, torch.randn(n, 96, n_frames))
        what = f"Your output for {n_frames} frames"
        array(made, (n, 24, n_frames), what, "(batch, 24, n_frames)")
    count = sum(weight.numel() for weight in network.parameters())
    if count != 4_800:
        return (
            f"Yours has {count:,} parameters, not 4,800. Count the kernels of each "
            "branch, 38 x 7 and 65, and the biases."
        )
    lost = without_gradient(network, made.square().mean())
    if lost:
        return f"No gradient reaches {lost[0]}: is it unused, frozen or detached?"
    weights = _own_weights(network)
    image = torch.randn(2, 96, 150)
    image[:, :, 100:] = 0  # where only the bias is left
    made = steady(network, image, "image").numpy()
    slips = _slips(_branches, (image, weights), SHAPED_SLIPS)
    seen = "Shapes and parameters are right, but the numbers are not the table's"
    otherwise = "compare padding, order, ReLU and pooling"
    refuse_slips(made, _branches(image, weights), slips, seen, otherwise, atol=1e-4)
    wanted = {"bands shuffled": "vertical", "moved up": "neither", "half speed": "both"}
    if untouched(changes):
        raise NotTried("`Shaped` is right; `changes` is still to be found out.")
    changes = dict(changes) if isinstance(changes, pd.Series) else changes
    if not isinstance(changes, dict) or set(changes) != set(wanted):
        names = ", ".join(map(repr, wanted))
        return f"`changes` is {short(changes)}; a dict with {names} is needed."
    for name, right in wanted.items():
        if untouched(changes[name]):
            raise NotTried(f"What changes with {name!r} is still to be found out.")
        if changes[name] != right:
            return (
                f"You say of {name!r}: {changes[name]}. Send both images through your "
                "network and compare each branch with itself."
            )


BOUND = 0.75  # see the text of the task; measured over seeds


@task(
    "3.5",
    "Train a small network on mel bands",
    points=4,
    hints=(
        "Begin as in `__init__` of the scaffold, then: `mel.LogMel(12_000, 512, 256, "
        "64)`, a batch norm of its 64 bands, two convolutions over time with pools.",
        "After the last pool take the mean over time, `x.mean(dim=2)`, and hand it to "
        "`self.output`. Without the batch norm training is slow.",
        "`nn.Sequential(nn.BatchNorm1d(64), nn.Conv1d(64, 64, 5), nn.ReLU(), "
        "nn.MaxPool1d(4), nn.Conv1d(64, 64, 5), nn.ReLU(), nn.MaxPool1d(4))` with "
        "`Config(epochs=4, crops_per_clip=5, learning_rate=0.002)` is enough.",
    ),
    praise="On 30 clips this is a rough figure; the test clips are for the very end.",
)
def trained(answer, corpus):
    if not isinstance(answer, nn.Module):
        return f"You handed in {short(answer)}; the trained network itself is needed."
    count = sum(weight.numel() for weight in answer.parameters())
    if count > 100_000:
        return f"Your network has {count:,} parameters; small is at most 100,000."
    clips = store.prepare(corpus, sample_rate=12_000)
    known, valid = (batches.examples(corpus, clips, p) for p in ("train", "valid"))
    has = valid.labels.to_numpy(float)
    network = copy.deepcopy(answer).eval()
    network.n_samples, network.sample_rate = 34_950, 12_000  # of the task's windows
    torch.manual_seed(35)
    windows = torch.randn(2, 34_950) / 10
    logits = output(network, windows)
    array(logits, (2, has.shape[1]), "For two windows your output", "(batch, n_tags)")
    steady(network, windows, "window")
    if logits.min() >= 0 and logits.max() <= 1:
        return (
            f"All its outputs lie from {logits.min():.2f} to {logits.max():.2f}; "
            "logits are needed, without a sigmoid."
        )
    share = known.labels.to_numpy(float).mean(axis=0).clip(0.001, 0.999)
    prior = -(has * np.log(share) + (1 - has) * np.log(1 - share)).mean()
    made = train.validate(network, valid)
    loss, roc = made["valid_loss"], made["valid_roc_auc"]
    seen = f"On {len(has)} validation clips its loss is {loss:.3f}, ROC-AUC {roc:.3f}"
    if roc < BOUND:
        return f"{seen}; {BOUND} is needed. Train longer, or with the right labels?"
    if train.validate(network, known.take(30))["valid_roc_auc"] < roc - 0.1:
        return f"{seen}, better than on the training clips: on which was it trained?"
    if loss >= prior:
        return f"{seen}: the loss is above that of the constant prior, {prior:.3f}."
