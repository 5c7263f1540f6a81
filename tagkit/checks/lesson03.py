"""The five tasks of lesson 03, networks on mel bands: hints and probes.

Each probe tries small cases with traps first, then what the lesson uses.
"""

import numpy as np
import torch
from torch import nn

from tagkit.checks import probes03
from tagkit.checks.engine import NotTried, call, task, untouched
from tagkit.checks.tensors import array, built, output, without_gradient
from tagkit.checks.values import number, refuse_slips, several, short
from tagkit.data import batches, store
from tagkit.evaluation import predict
from tagkit.models import mel
from tagkit.training import train


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
    for rate, n_fft, n_mels in (
        *((8_000, 64, 4), (12_000, 512, 24), (16_000, 512, 96), (12_000, 256, 128)),
    ):
        where = f"For {rate:,} Hz, n_fft {n_fft} and {n_mels} bands"
        right = mel.mel_filters(rate, n_fft, n_mels)
        value = call(make, rate, n_fft, n_mels)
        yours = array(value, right.shape, f"{where} your answer", "(n_mels, n_bins)")
        slips = probes03.filter_slips(rate, n_fft, n_mels)
        row, column = np.unravel_index(np.argmax(np.abs(yours - right)), right.shape)
        seen = (
            f"{where} yours has {yours[row, column]:.4f} in band {row} at "
            f"{column * rate / n_fft:.0f} Hz"
        )
        otherwise = "draw this triangle on paper"
        refuse_slips(yours, right, slips, seen, otherwise, atol=2e-4)
    made = np.zeros((5, 9))
    made[[1, 4], [3, 8]], made[3, 2] = 1e-4, 0.5
    for filters, where in (
        (made, "For a small table"),
        (right, "For the 128 bands of 12,000 Hz and n_fft 256"),
    ):
        yours = call(empty, filters)
        try:
            yours = sorted(int(number(band, "A band")) for band in yours)
        except TypeError:
            return f"{where} `empty` gives {short(yours)}; a list of bands is needed."
        none = np.flatnonzero(filters.max(axis=1) == 0).tolist()
        if yours != none:
            at = min(set(yours) ^ set(none), default=None)
            if at is None:
                return f"{where} `empty` names a band twice."
            state = "is not empty" if at in yours else "is missing"
            return f"{where} `empty` names {len(yours)} bands; band {at} {state}."


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
    random = np.random.default_rng(32)
    noise = random.normal(0, 0.1, 3000)
    soft = np.r_[noise[:1500], np.zeros(1500)]  # with a silent end
    tone = 0.5 * np.sin(2 * np.pi * 1000 * np.arange(2048) / 12_000)
    for samples, n_fft, hop, what in (
        (noise, 256, 128, "noise"),
        (soft, 128, 100, "noise that stops"),
        (tone + noise[:2048], 512, 256, "a tone in noise"),
        (1e-6 * noise[:2943], 256, 64, "very soft noise"),
        (np.zeros(1000), 256, 128, "silence"),
    ):
        filters = mel.mel_filters(12_000, n_fft, 12)
        where = f"For {what}, {len(samples)} samples, n_fft {n_fft} and hop {hop},"
        value = call(answer, samples, filters, n_fft, hop)
        right, alike, slips = probes03.log_mel_slips(samples, filters, n_fft, hop)
        shape = np.shape(value)
        n_loose = 1 + (len(samples) - n_fft) // hop
        if shape == (12, n_loose) != right.shape:
            return (
                f"{where} yours has {n_loose} frames; the first one is to be centred "
                "on the first sample."
            )
        if shape == right.shape and np.isinf(np.asarray(value, dtype=float)).any():
            return (
                f"{where} yours holds -inf: silence has no logarithm, mind the floor."
            )
        yours = array(value, right.shape, f"{where} your answer", "(n_mels, n_frames)")
        if np.allclose(yours, alike, rtol=0, atol=0.02):
            continue  # the other Hann window, whose last sample is 0
        at = np.unravel_index(np.argmax(np.abs(yours - right)), right.shape)
        seen = f"{where} yours is {yours[at]:.2f} dB in band {at[0]}, frame {at[1]}"
        otherwise = "go through the steps one by one, with one frame"
        refuse_slips(yours, right, slips, seen, otherwise, atol=0.02)


K2C2 = [(67, (3, 3), (2, 4), "same"), (135, (3, 3), (2, 4), "same")]
K2C2 += [(135, (3, 3), (2, 4), "same"), (203, (3, 3), (3, 5), "same")]
K2C2 += [(271, (3, 3), (4, 4), "same")]
K2C1 = [(152, (96, 4), (1, 1), "valid"), (152, (1, 4), (1, 4), "valid")]
MISPRINTS = {
    ("k2c1", "unit 4"): ("inputs", 152),
    ("k2c2", "dense"): ("printed", 13_600),
}


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
    trace, found = several(answer, 2, "Your answer")
    traps = [(3, (4, 2), (1, 3), "valid"), (5, (3, 3), (2, 2), "same")]
    traps += [(2, (1, 5), (3, 1), "valid")]
    for height, width, units, what in (
        (9, 31, traps[:1], "a small unit"),
        (17, 40, traps, "three small units"),
        (96, 1366, K2C2, "k2c2"),
        (96, 1366, K2C1, "the first two units of k2c1"),
    ):
        probes03.probe_trace(trace, height, width, units, f"For {what}")
    if untouched(found):
        raise NotTried("`trace` is right; the misprints are still to be found.")
    if not isinstance(found, dict) or any(np.size(v) != 2 for v in found.values()):
        return (
            f"`misprints` is {short(found)}; a dict from (network, row) to (column, "
            "right number) is needed."
        )
    for place, (column, value) in found.items():
        row = " ".join(map(str, place)) if isinstance(place, tuple) else str(place)
        if place not in MISPRINTS:
            return f"You found a misprint in {row}; there the formula gives the print."
        right_column, right = MISPRINTS[place]
        if column != right_column:
            return (
                f"In {row} you would correct {column!r}. Compare it with the rows "
                "around it: does it fit there as it is?"
            )
        if number(value, f"Your number for {row}") != right:
            return f"In {row} you would print {short(value)}; that does not fit either."
    if len(found) < len(MISPRINTS):
        return f"{len(found)} of the misprints is found; there are more."


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
        if made.shape != (n, 24, n_frames):
            return (
                f"From an image of {(n, 96, n_frames)} yours makes "
                f"{tuple(made.shape)}; {(n, 24, n_frames)} is needed."
            )
    count = sum(weight.numel() for weight in network.parameters())
    if count != 4_800:
        reasons = {4_776: "biases are missing", 8_256: "are tall and wide swapped?"}
        otherwise = "count the kernels of each branch, 38 x 7 and 65"
        return f"Yours has {count:,} parameters: {reasons.get(count, otherwise)}."
    lost = without_gradient(network, made.square().mean())
    if lost:
        return f"No gradient reaches {lost[0]}: what is done to the numbers before it?"
    probes03.probe_shaped(network)
    wanted = {"bands shuffled": "vertical", "moved up": "neither", "half speed": "both"}
    if untouched(changes):
        raise NotTried("`Shaped` is right; `changes` is still to be found out.")
    if not isinstance(changes, dict) or set(changes) != set(wanted):
        return f"`changes` is {short(changes)}; a dict with {', '.join(wanted)}."
    words = ("vertical", "horizontal", "both", "neither")
    for name, right in wanted.items():
        if untouched(changes[name]):
            raise NotTried(f"{name!r} in `changes` has no answer yet.")
        if changes[name] not in words:
            return f"{name!r} is {changes[name]!r}; use one of {', '.join(words)}."
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
    if not hasattr(answer, "n_samples") or not hasattr(answer, "sample_rate"):
        return (
            "Your network has no `n_samples` and `sample_rate`; derive from `Tagger`."
        )
    count = sum(weight.numel() for weight in answer.parameters())
    if count > 100_000:
        return f"Your network has {count:,} parameters; small is at most 100,000."
    clips = store.prepare(corpus, sample_rate=12_000)
    parts = [batches.examples(corpus, clips, part) for part in ("train", "valid")]
    first, valid = (part.labels.to_numpy(float) for part in parts)
    logits = predict.window_logits(answer, parts[1].take(8))
    if logits.shape[2] != valid.shape[1]:
        return f"It has {logits.shape[2]} outputs, there are {valid.shape[1]} tags."
    if logits.min() >= 0 and logits.max() <= 1:
        return (
            f"All its outputs lie from {logits.min():.2f} to {logits.max():.2f}: these "
            "are scores or it is squashed; logits are needed."
        )
    share = first.mean(axis=0).clip(0.001, 0.999)
    prior = -(valid * np.log(share) + (1 - valid) * np.log(1 - share)).mean()
    made = train.validate(answer, parts[1])
    loss, roc = made["valid_loss"], made["valid_roc_auc"]
    seen = f"On {len(valid)} validation clips its loss is {loss:.3f}, ROC-AUC {roc:.3f}"
    if loss > 0.5 and roc < BOUND:
        return f"{seen}: it does not know yet how rare tags are. Was it trained?"
    if roc < BOUND:
        return f"{seen}; {BOUND} is needed. Train longer, or with the right labels?"
    if loss >= prior:
        return f"{seen}: the loss is above that of the constant prior, {prior:.3f}."
