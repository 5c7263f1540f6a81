"""Exhibits 3 to 5 of lesson 08: from sound to the numbers that a network reads."""

import numpy as np
import torch
from torch.nn import functional

from tagkit.checks.engine import call, task
from tagkit.checks.museum import array, named, refuse
from tagkit.checks.values import Wrong


@task(
    "8.3",
    "Exhibit 3: a tone at half the amplitude",
    points=2,
    hints=(
        "Every step is twice as large as it should be, and so is the range. Where "
        "does a factor come in?",
        "There are two formulas, 20 log10 of an amplitude and 10 log10 of a power. A "
        "power is the square of an amplitude. Which one comes in here?",
        "`10 * power.clamp(min=1e-10).log10()`",
    ),
    praise="The one-line test: `assert abs(to_db(torch.tensor(100.0)) - 20) < 0.01`. "
    "Better still, halve a real tone and look for 6 dB.",
)
def db_twice(answer):
    repaired = named(
        answer,
        "c",
        {
            "a": "The clamp sets the level of silence. Steps between tones stay.",
            "b": "A longer window would raise or lower all tones alike.",
            "d": "With the natural logarithm a step would be 2.3 times too large.",
        },
    )
    random = torch.Generator().manual_seed(8)
    many = 10 ** (14 * torch.rand(2, 3, 4, generator=random) - 10)
    few = torch.tensor([1.0, 0.25, 1e-4, 2.0, 1e-10, 1e-12, 0.0])
    for power, where in ((few, "For seven powers"), (many, "For powers (2, 3, 4)")):
        value = call(repaired, power)
        decibels = 10 * power.double().clamp(min=1e-10).log10()
        if torch.is_tensor(value) and not torch.isfinite(value).all():
            raise Wrong(
                f"{where}, one of them 0, your result is not finite everywhere."
            )
        yours = array(value, power.shape, f"{where} your result")
        p = power.double()
        slips = [
            (2 * decibels, "still too large by a factor"),
            (decibels / 2, "now too small by a factor"),
            (10 * p.clamp(min=1e-10).log(), "that is the natural logarithm"),
            (20 * p.clamp(min=1e-5).log10(), "still too large by a factor"),
            (10 * p.clamp(min=1e-5).log10(), "your silence is louder than -100 dB"),
            (10 * (p + 1e-10).log10(), "adding moves quiet powers; cut them off"),
            (decibels - decibels.max(), "levels are relative to the loudest one"),
        ]
        slips = [(slip.numpy(), message) for slip, message in slips]
        row = np.abs(yours - decibels.numpy()).argmax()
        at = (
            f"{where} your level of {power.flatten()[row]:.4g} is {yours.flat[row]:.2f}"
        )
        refuse(yours, decibels.numpy(), slips, f"{at} dB", "that is not its level")


@task(
    "8.4",
    "Exhibit 4: the longer, the louder",
    points=2,
    hints=(
        "The same music comes out at other levels. Which line of the function sees "
        "the frames that were added?",
        "Take the logarithm and the mean of the real frames first, and pad at the end. "
        "Then 0 is no silence any more: which number is -100 dB now?",
        "With `mean = decibels.mean()`: pad `decibels - mean` with "
        "`value=float(-100 - mean)`.",
    ),
    praise="The one-line test: `assert torch.allclose(prepare(power, 100), "
    "prepare(power, 200)[:, :100])`. What comes after a sound must not change it.",
)
def early_padding(answer):
    repaired = named(
        answer,
        "d",
        {
            "a": "The clamp is the same in every row. It cannot tell rows apart.",
            "b": "The mean is taken off in every row; it is another mean each time.",
            "c": "The music comes first and is not cut, as the shapes say.",
        },
    )
    random = torch.Generator().manual_seed(4)
    for n, wanted in ((10, 10), (10, 16), (7, 40)):
        power = 10 ** (5 * torch.rand(4, n, generator=random) - 5)
        power[0, 1] *= n != 7  # one field without any power
        where = f"For {n} frames and n_frames={wanted}"
        yours = array(
            call(repaired, power, wanted), (4, wanted), f"{where} your result"
        )
        decibels = 10 * power.clamp(min=1e-10).log10()
        mean = decibels.mean()

        def padded(values, value, rest=wanted - n):
            return functional.pad(values, (0, rest), value=float(value)).numpy()

        early = padded(decibels, -100)
        front = functional.pad(
            decibels - mean, (wanted - n, 0), value=float(-100 - mean)
        )
        slips = [
            (early - early.mean(), "the added frames are still in the mean"),
            (padded(decibels - mean, 0), "0 is the mean of the clip, not silence"),
            (
                padded(decibels - mean, -100),
                "silence lies 100 dB below 0 dB, and the "
                "mean was taken off the music only",
            ),
            (
                padded(decibels - mean, decibels.min() - mean),
                "the padding is as loud as the quietest point of the music",
            ),
            (padded(decibels, -100), "the mean was not taken off"),
            (front.numpy(), "the music must come first"),
        ]
        right = padded(decibels - mean, -100 - mean)
        seen = f"{where} your first frame has the mean {yours[:, 0].mean():.2f}"
        seen += f", your last one {yours[:, -1].mean():.2f}"
        otherwise = "the music must keep its numbers, and silence be silent"
        refuse(yours, right, slips, seen, otherwise, 1e-3)


@task(
    "8.5",
    "Exhibit 5: clicks at the wrong time",
    points=2,
    hints=(
        "Nothing is wrong with the ruler: frames are said to be 256 samples apart. "
        "How far apart are they really? Count them.",
        "What does `torch.stft` take when no hop is given? `help(torch.stft)` tells.",
        "`torch.stft(samples, 512, hop_length=256, window=window, "
        "return_complex=True)`",
    ),
    praise="The one-line test: `assert spectrogram(samples).shape[-1] == 1 + "
    "len(samples) // 256`. A network that pools over time would not complain.",
)
def wrong_hop(answer):
    repaired = named(
        answer,
        "b",
        {
            "a": "A rate of 16,000 in place of 12,000 would stretch time by 4/3 only.",
            "c": "A window of another length smears a click, it does not move it.",
            "d": "The samples are printed: the clicks are where they should be.",
        },
    )
    random = torch.Generator().manual_seed(5)
    for n in (5000, 8192):
        samples = torch.randn(n, generator=random)
        value = call(repaired, samples)
        shape = tuple(np.shape(value))
        other = {
            1 + n // 128: "they are too close to each other",
            1 + n // 512: "they are too far from each other",
            1 + (n - 512) // 256: "centred frames also stand at both ends",
            n // 256: "the last frame is missing",
        }
        if len(shape) == 2 and shape[0] == 257 and shape[1] != 1 + n // 256:
            message = other.get(shape[1], "how many steps of 256 fit?")
            raise Wrong(f"For {n} samples yours has {shape[1]} frames: {message}.")
        if torch.is_tensor(value) and value.is_complex():
            raise Wrong("Your result is complex; a power is a real number.")
        yours = array(value, (257, 1 + n // 256), f"For {n} samples your result")

        def power(window, length=512, x=samples):
            bins = torch.stft(x, 512, 256, length, window, return_complex=True)
            return (bins.abs() ** 2)[:, 2:-2].numpy()  # edges may be padded in any way

        right, inner = power(torch.hann_window(512)), yours[:, 2:-2]
        slips = [
            (np.sqrt(right), "these are amplitudes; square them"),
            (power(torch.ones(512)), "there is no window"),
            (power(torch.hann_window(256), 256), "your window is too short"),
        ]
        seen = f"For {n} samples of noise your mean power is {inner.mean():.1f}"
        otherwise = "window, transform or square differ from what the text says"
        refuse(inner, right, slips, seen, otherwise, 1e-2)
