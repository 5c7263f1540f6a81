"""The longer probes of lesson 03, and what typical slips would give."""

import numpy as np
import torch
from torch.nn import functional

from tagkit.checks.engine import call
from tagkit.checks.tensors import array, output
from tagkit.checks.values import Wrong, refuse_slips, several
from tagkit.models import mel


def filter_slips(rate, n_fft, n_mels):
    """Give what slips would make of the mel filters, and what to say of each.

    Shape: a list of ((n_mels, 1 + n_fft // 2), text).
    """
    bins = np.linspace(0, rate / 2, 1 + n_fft // 2)
    top = mel.hz_to_mel(rate / 2)
    corners = mel.mel_to_hz(np.linspace(0, top, n_mels + 2))
    right = _triangles(bins, corners)
    linear = np.linspace(0, rate / 2, n_mels + 2)
    double = mel.mel_to_hz(np.linspace(0, mel.hz_to_mel(rate), n_mels + 2))
    # Slaney's scale: linear to 1000 Hz, then logarithmic.
    above = 15 + 27 * np.log(rate / 2000) / np.log(6.4)
    steps = np.linspace(0, above, n_mels + 2)
    slaney = np.where(steps < 15, steps * 200 / 3, 1000 * 6.4 ** ((steps - 15) / 27))
    low, centre, high = corners[:-2, None], corners[1:-1, None], corners[2:, None]
    both = (bins - low) / (centre - low), (high - bins) / (high - centre)
    fewer = mel.mel_to_hz(np.linspace(0, top, n_mels))
    return [
        (right * 2 / (high - low), "each triangle is to have height 1, not area 1"),
        (np.minimum(*both), "a filter is never negative: cut off at 0"),
        (np.maximum(0, np.maximum(*both)), "take the smaller of the two slopes"),
        (_triangles(bins, linear), "the corners are equally spaced in Hz, not in mel"),
        (_triangles(bins, double), "the highest corner is half the sampling rate"),
        (_triangles(bins, slaney), "that is Slaney's mel scale; take the formula"),
        (_triangles(bins, np.r_[fewer, rate, rate]), "n_mels + 2 corners are needed"),
        (right[::-1], "the bands are in reverse order"),
    ]


def _triangles(bins, corners):
    low, centre, high = corners[:-2, None], corners[1:-1, None], corners[2:, None]
    with np.errstate(divide="ignore", invalid="ignore"):
        rising, falling = (bins - low) / (centre - low), (high - bins) / (high - centre)
    return np.maximum(0, np.nan_to_num(np.minimum(rising, falling)))


def log_mel_slips(samples, filters, n_fft, hop):
    """Compute the decibels, the same with the other Hann window, and slips.

    Shape: (n_mels, n_frames), the same, a list of ((n_mels, n_frames), text).
    """
    fade = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(n_fft) / n_fft)

    def power(fade=fade, mode="reflect"):
        padded = np.pad(samples, n_fft // 2, mode=mode)
        windows = np.lib.stride_tricks.sliding_window_view(padded, n_fft)[::hop]
        return (np.abs(np.fft.rfft(windows * fade)) ** 2).T  # (n_bins, n_frames)

    def decibels(power):
        return 10 * np.log10(np.maximum(power, 1e-10))

    bands = filters @ power()
    right = decibels(bands)
    with np.errstate(divide="ignore"):
        relative = decibels(bands / max(bands.max(), 1e-10))
    slips = [
        (2 * right, "twice too many dB: 20 log10 is for amplitudes, not for powers"),
        (decibels(bands**2), "twice too many dB: a power is squared already"),
        (decibels(filters @ power() ** 2), "a power is squared already"),
        (decibels(filters @ np.sqrt(power())), "that is the magnitude; square it"),
        (np.log(np.maximum(bands, 1e-10)), "that is the natural logarithm"),
        (right / 10, "these are bels; decibels are ten times as many"),
        (bands, "the logarithm is missing"),
        (decibels(filters @ power(fade=1.0)), "the Hann window is missing"),
        (
            decibels(filters @ power(mode="constant")),
            "mirror the ends, do not add zeros",
        ),
        (decibels(filters @ power(mode="edge")), "mirror the ends, do not repeat them"),
        (decibels(filters @ power(mode="symmetric")), "the end itself is not repeated"),
        (filters @ decibels(power()), "first the mel bands, then the logarithm"),
        (relative, "relative to the loudest; the level itself is asked for"),
        (
            10 * np.log10(bands + 1e-10),
            "the floor is added; take the larger of the two",
        ),
        (right.clip(min=-80), "the floor is -100 dB, a power of 1e-10"),
        (
            right.clip(min=right.max() - 80),
            "the floor is -100 dB, whatever the maximum",
        ),
        (10 * np.log10(np.maximum(bands, 1e-12)), "the floor is a power of 1e-10"),
    ]
    return right, decibels(filters @ power(fade=np.hanning(n_fft))), slips


def probe_trace(trace, height, width, units, where):
    """Compare shapes and parameters of each unit with the formulas."""
    shapes, counts = several(call(trace, height, width, units), 2, "Your result")
    n = len(units)
    what = f"{where} your list of shapes"
    shapes = array(shapes, (n, 3), what, "(n_units, 3)")
    counts = array(counts, (n,), f"{where} your parameters", "(n_units,)")
    n_in = 1
    for k, (n_out, (tall, wide), (down, along), padding) in enumerate(units):
        lost = (tall - 1, wide - 1) if padding == "valid" else (0, 0)
        before = np.array([height, width])
        inside = before - lost
        pools = np.array([down, along])
        right = inside // pools
        name = f"{where}, unit {k + 1}"
        if shapes[k, 0] != n_out:
            raise Wrong(
                f"{name} your channels are {shapes[k, 0]:g}; the order is channels, "
                "height, width, and a unit has as many channels as kernels."
            )
        slips = [
            (-(-inside // pools), "a pool drops what is left over: round down"),
            (before // pools, f"padding {padding!r} takes kernel - 1 off"),
            ((before - (tall - 1, wide - 1)) // pools, '"same" keeps height and width'),
            ((inside - 1) // pools, "kernel - 1 is lost, not kernel"),
            (inside, "the pool is missing"),
            (right[::-1], "height and width are swapped"),
        ]
        again = "first the places where the kernel fits, then the pool"
        size = "{:g} x {:g}".format(*shapes[k, 1:])
        refuse_slips(shapes[k, 1:], right, slips, f"{name} your size is {size}", again)
        weights = n_out * n_in * tall * wide
        slips = [
            (weights, "the biases are missing"),
            (weights // n_in + n_out, "each kernel covers all channels before it"),
            (weights + n_in, "a bias belongs to each output channel"),
            (weights + 3 * n_out, "the batch norm is not part of the table"),
            (n_out * n_in * tall + n_out, "a kernel has height times width numbers"),
        ]
        seen = f"{name} yours counts {counts[k]:,.0f} parameters"
        refuse_slips(counts[k], weights + n_out, slips, seen, "compute it on paper")
        (height, width), n_in = right, n_out


def probe_shaped(network):
    """Put the network's own weights into the two branches of the table."""
    parts = {n: [] for n in (4256, 16, 520, 8)}
    with torch.no_grad():
        for weight in network.parameters():
            weight.add_(0.02 * torch.randn(weight.shape))
            parts.get(weight.numel(), []).append(weight.detach().flatten())
    if any(len(found) != 1 for found in parts.values()):
        raise Wrong("Your layers have the right sum of parameters, but other sizes.")
    tall, tall_bias, wide, wide_bias = (found[0] for found in parts.values())
    image = torch.randn(2, 96, 150)
    image[:, :, 100:] = 0  # where only the bias is left

    def branches(most=torch.amax, envelope=torch.mean, relu=torch.relu):
        x = functional.conv2d(image[:, None], tall.reshape(16, 1, 38, 7), tall_bias,
                              padding=(0, 3))  # fmt: skip
        vertical = most(relu(x), dim=2)
        y = envelope(image, dim=1)[:, None]
        y = functional.conv1d(y, wide.reshape(8, 1, 65), wide_bias, padding=32)
        return vertical, relu(y)

    made = output(network, image).detach()
    vertical, horizontal = branches()

    def same(*parts):
        return torch.allclose(made, torch.cat(parts, dim=1), atol=1e-4)

    if same(vertical, horizontal):
        return
    plain = branches(relu=lambda x: x)
    for parts, message in (
        ((horizontal, vertical), "the vertical channels come first"),
        ((branches(most=torch.mean)[0], horizontal),
         "vertical filters: take the maximum over frequency, not the mean"),
        ((vertical, branches(envelope=torch.amax)[1]),
         "horizontal filters: take the mean over the bands, not the maximum"),
        ((vertical, branches(envelope=torch.sum)[1]),
         "horizontal filters: take the mean over the bands, not the sum"),
        ((plain[0], plain[1]), "both branches lack the ReLU"),
        ((plain[0], horizontal), "the vertical branch lacks the ReLU"),
        ((vertical, plain[1]), "the horizontal branch lacks the ReLU"),
    ):  # fmt: skip
        if same(*parts):
            raise Wrong(f"Shapes and parameters are right, but {message}.")
    half = "vertical" if not torch.allclose(made[:, :16], vertical, atol=1e-4) else ""
    half = half or "horizontal"
    raise Wrong(
        f"Shapes and parameters are right, but with its own weights the {half} branch "
        "of the table gives other numbers. Compare padding, order and pooling."
    )
