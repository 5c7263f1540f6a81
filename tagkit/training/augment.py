"""Augmentation: small random changes of each batch, on the device; off by default.

Every function takes samples (batch, n_samples) and labels (batch, n_tags) and draws
numbers for each window. `Augment` seeds them by run, epoch, batch and the function's
name, so a resumed run draws the same, and adding one augmentation leaves the others as
they were.
"""

import zlib

import numpy as np
import torch

from tagkit.data.feed import Batch
from tagkit.machine import processes
from tagkit.models import mel


def gain(samples, labels, random):
    """Make each window quieter, by up to 12 dB; samples stay in [-1, 1].

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
    """Invert half of the windows, which no one hears and no spectrogram shows.

    Shape: (batch, n_samples), (batch, n_tags) -> the same.
    Source: Spijkervet & Burgoyne, ISMIR 2021 (CLMR).
    """
    return samples * _each(random.choice([-1.0, 1.0], len(samples)), samples), labels


def noise(samples, labels, random):
    """Add white noise, 20 to 60 dB below the music.

    Shape: (batch, n_samples), (batch, n_tags) -> the same.
    Source: Spijkervet & Burgoyne, ISMIR 2021 (CLMR), who draw amplitudes instead.

    >>> noise(torch.ones(1, 9), None, np.random.default_rng(0))[0].std() < 0.2
    tensor(True)
    """
    decibels = random.uniform(-60, -20, len(samples))
    on_device = torch.Generator(samples.device)
    on_device.manual_seed(int(random.integers(2**62)))
    white = torch.randn(samples.shape, generator=on_device, device=samples.device)
    level = samples.square().mean(dim=1, keepdim=True).sqrt()  # (batch, 1)
    return samples + white * level * _each(10 ** (decibels / 20), samples), labels


def time_mask(samples, labels, random):
    """Silence a stretch of each window, up to a fifth of it.

    Shape: (batch, n_samples), (batch, n_tags) -> the same.
    Source: Park et al., Interspeech 2019 (SpecAugment), on spectrograms.
    """
    n = samples.shape[1]
    length = random.uniform(0, 0.2, len(samples)) * n
    start = random.uniform(0, 1, len(samples)) * (n - length)
    place = torch.arange(n, device=samples.device)
    hidden = place >= _each(start, samples)
    hidden &= place < _each(start + length, samples)
    return samples.masked_fill(hidden, 0), labels


def frequency_mask(samples, labels, random):
    """Remove a band of frequencies from each window, up to a third of the mel scale.

    It is removed from the samples, so it is gone for networks on mel bands, too.

    Shape: (batch, n_samples), (batch, n_tags) -> the same.
    Source: Park et al., Interspeech 2019 (SpecAugment), who hide up to 27 of 80 bands.
    """
    # As if the rate were 16 kHz: another one only moves the bands a little.
    top = float(mel.hz_to_mel(8000))
    width = random.uniform(0, 27 / 80, len(samples)) * top
    low = random.uniform(0, 1, len(samples)) * (top - width)
    spectrum = torch.fft.rfft(samples)  # (batch, n // 2 + 1)
    hz = torch.linspace(0, 8000, spectrum.shape[1], device=samples.device)
    first = _each(mel.mel_to_hz(low), samples)
    last = _each(mel.mel_to_hz(low + width), samples)
    spectrum = spectrum.masked_fill((hz >= first) & (hz < last), 0)
    return torch.fft.irfft(spectrum, samples.shape[1]), labels


def mix(samples, labels, random):
    """Mix each window with another of the batch, and their labels in the same shares.

    The share of the first is drawn from Beta(1, 1), as Kong et al. do for AudioSet.

    Shape: (batch, n_samples), (batch, n_tags) -> the same.
    Source: Zhang et al., ICLR 2018 (mixup); Kong et al. 2020 (PANNs).

    >>> samples = labels = torch.eye(2)
    >>> mixed, shares = mix(samples, labels, np.random.default_rng(0))
    >>> bool((mixed.sum(dim=1) == 1).all()), torch.equal(mixed, shares)
    (True, True)
    """
    share = _each(random.beta(1, 1, len(samples)), samples)
    other = torch.from_numpy(random.permutation(len(samples))).to(samples.device)
    samples = share * samples + (1 - share) * samples[other]
    labels = share * labels + (1 - share) * labels[other]
    return samples, labels


AUGMENTATIONS = {
    function.__name__: function
    for function in (gain, polarity, time_mask, frequency_mask, mix, noise)
}


class Augment:
    """Some of AUGMENTATIONS, applied to a batch in the order of that list.

    Args:
        names: such as ("gain", "mix"); None for none.
        seed: of the training.

    Shape: called with a `feed.Batch`, epoch and number of the batch -> a `feed.Batch`.
    Raises: ValueError for an unknown name.
    """

    def __init__(self, names: tuple[str, ...] | None, seed: int = 0):
        names = names or ()
        for name in names:
            if name not in AUGMENTATIONS:
                raise ValueError(
                    f"augmentation {name!r} is unknown; needed are some of "
                    f"{', '.join(AUGMENTATIONS)}"
                )
        self.names = [name for name in AUGMENTATIONS if name in names]
        self.seed = seed

    def __call__(self, batch: Batch, epoch: int, number: int) -> Batch:
        samples, labels = batch.samples, batch.labels
        rank, _ = processes.place()
        for name in self.names:
            key = zlib.crc32(name.encode())
            random = np.random.default_rng([self.seed, epoch, number, rank, key])
            samples, labels = AUGMENTATIONS[name](samples, labels, random)
        return batch._replace(samples=samples, labels=labels)


def _each(values, samples):
    """Put a number per window into a tensor. Shape: (batch,) -> (batch, 1)."""
    return torch.tensor(values, dtype=samples.dtype, device=samples.device)[:, None]
