"""Augmentation: each batch a little changed, on the device; off by default.

Every function changes samples (batch, n_samples) and labels (batch, n_tags), each
window by numbers of its own. `Augment` draws those from seed, epoch, batch and the
augmentation's name: a run that goes on draws the same, and one augmentation more
changes nothing of the others. None makes a window longer.
"""

import zlib

import numpy as np
import torch

from tagkit.data.feed import Batch
from tagkit.machine import processes
from tagkit.models import mel


def gain(samples, labels, random):
    """Make each window quieter, by up to 12 dB.

    Never louder, so that samples stay in [-1, 1].

    Shape: (batch, n_samples), (batch, n_tags) -> the same.
    Source: Spijkervet & Burgoyne, ISMIR 2021 (CLMR), who take -20 to -1 dB.

    >>> loud = torch.ones(2, 3)
    >>> quiet, _ = gain(loud, None, np.random.default_rng(0))
    >>> bool((quiet >= 0.25).all() and (quiet < 1).all())
    True
    """
    decibels = random.uniform(-12, 0, len(samples))
    return samples * _each(10 ** (decibels / 20), samples), labels


def polarity(samples, labels, random):
    """Turn half of the windows upside down, which nobody hears.

    A spectrogram does not change; a network on samples has to learn it.

    Shape: (batch, n_samples), (batch, n_tags) -> the same.
    Source: Spijkervet & Burgoyne, ISMIR 2021 (CLMR).

    >>> polarity(torch.ones(4, 1), None, np.random.default_rng(0))[0].flatten()
    tensor([ 1.,  1.,  1., -1.])
    """
    return samples * _each(random.choice([-1.0, 1.0], len(samples)), samples), labels


def noise(samples, labels, random):
    """Add white noise, 20 to 60 dB below the music.

    Shape: (batch, n_samples), (batch, n_tags) -> the same.
    Source: Spijkervet & Burgoyne, ISMIR 2021 (CLMR), with amplitudes for decibels.

    >>> noise(torch.ones(1, 9), None, np.random.default_rng(0))[0].std() < 0.2
    tensor(True)
    """
    decibels = random.uniform(-60, -20, len(samples))
    there = torch.Generator(samples.device).manual_seed(int(random.integers(2**62)))
    white = torch.randn(samples.shape, generator=there, device=samples.device)
    level = samples.square().mean(dim=1, keepdim=True).sqrt()  # (batch, 1)
    return samples + white * level * _each(10 ** (decibels / 20), samples), labels


def time_mask(samples, labels, random):
    """Silence a stretch of each window, up to a fifth of it.

    Shape: (batch, n_samples), (batch, n_tags) -> the same.
    Source: Park et al., Interspeech 2019 (SpecAugment), on spectrograms.

    >>> time_mask(torch.ones(1, 10), None, np.random.default_rng(1))[0]
    tensor([[1., 1., 1., 1., 1., 1., 1., 1., 1., 0.]])
    """
    n = samples.shape[1]
    length = random.uniform(0, 0.2, len(samples)) * n
    start = random.uniform(0, 1, len(samples)) * (n - length)
    at = torch.arange(n, device=samples.device)
    hidden = (at >= _each(start, samples)) & (at < _each(start + length, samples))
    return samples.masked_fill(hidden, 0), labels


def frequency_mask(samples, labels, random):
    """Take a band of frequencies out of each window, up to a third of the mel scale.

    In the spectrum of the whole window, so that it means the same to networks on
    samples and on mel bands; to a mel layer the band is silent.

    Shape: (batch, n_samples), (batch, n_tags) -> the same.
    Source: Park et al., Interspeech 2019 (SpecAugment), who hide up to 27 of 80 bands.

    >>> wave = torch.sin(torch.arange(512) * torch.pi / 8).repeat(4, 1)  # one tone
    >>> left, _ = frequency_mask(wave, None, np.random.default_rng(1))
    >>> left.std(dim=1).round(decimals=1)
    tensor([0.0000, 0.0000, 0.7000, 0.0000])
    """
    n = samples.shape[1]
    # As if the rate were 16 kHz: a lower one moves the bands a little, no more.
    top = float(mel.hz_to_mel(8000))
    width = random.uniform(0, 27 / 80, len(samples)) * top
    low = random.uniform(0, 1, len(samples)) * (top - width)
    spectrum = torch.fft.rfft(samples)  # (batch, n // 2 + 1)
    at = torch.linspace(0, 8000, spectrum.shape[1], device=samples.device)
    first, last = (_each(mel.mel_to_hz(m), samples) for m in (low, low + width))
    spectrum = spectrum.masked_fill((at >= first) & (at < last), 0)
    return torch.fft.irfft(spectrum, n), labels


def mix(samples, labels, random):
    """Mix each window with another of the batch, and their labels in the same shares.

    The share of the first is drawn from Beta(1, 1), as Kong does for AudioSet. A label
    is then a number between 0 and 1: how much of the sound it is true of.

    Shape: (batch, n_samples), (batch, n_tags) -> the same.
    Source: Zhang et al., ICLR 2018 (mixup); Kong et al. 2020 (PANNs).

    >>> samples = labels = torch.eye(2)
    >>> mixed, shares = mix(samples, labels, np.random.default_rng(0))
    >>> bool((mixed.sum(dim=1) == 1).all()), torch.equal(mixed, shares)
    (True, True)
    """
    share = _each(random.beta(1, 1, len(samples)), samples)
    other = torch.from_numpy(random.permutation(len(samples))).to(samples.device)
    mixed = (
        share * tensor + (1 - share) * tensor[other] for tensor in (samples, labels)
    )
    return tuple(mixed)


AUGMENTATIONS = {
    function.__name__: function
    for function in (gain, polarity, time_mask, frequency_mask, mix, noise)
}


class Augment:
    """Some of AUGMENTATIONS, one after another in the order of that list.

    Args:
        names: such as ("gain", "mix"); None for none.
        seed: of the training.

    Shape: called with a `feed.Batch`, epoch and number of the batch, gives such a
    batch.
    Raises: ValueError for another name.

    >>> batch = Batch(torch.ones(2, 4), torch.ones(2, 1), 2, 1.0)
    >>> Augment(None)(batch, epoch=1, number=0).samples[0]
    tensor([1., 1., 1., 1.])
    """

    def __init__(self, names: tuple[str, ...] | None, seed: int = 0):
        for name in names or ():
            if name not in AUGMENTATIONS:
                raise ValueError(
                    f"augmentation {name!r} is unknown; needed are some of "
                    f"{', '.join(AUGMENTATIONS)}"
                )
        self.names = [name for name in AUGMENTATIONS if name in (names or ())]
        self.seed = seed

    def __call__(self, batch: Batch, epoch: int, number: int) -> Batch:
        samples, labels = batch.samples, batch.labels
        for name in self.names:
            key = [  # so that none needs a state of its own
                self.seed,
                epoch,
                number,
                processes.place()[0],
                zlib.crc32(name.encode()),
            ]
            random = np.random.default_rng(key)
            samples, labels = AUGMENTATIONS[name](samples, labels, random)
        return batch._replace(samples=samples, labels=labels)


def _each(values, samples):
    """Give a number per window. Shape: (batch,) -> (batch, 1)."""
    return torch.tensor(values, dtype=samples.dtype, device=samples.device)[:, None]
