"""Choi et al. 2017 and Wells 2018: convolutions over whole mel spectrograms.

Notebook: course/03_spectrogram_cnns.ipynb
"""

import torch
from torch import nn

from tagkit import mel
from tagkit.tagger import Tagger, scaled


class K2C2(Tagger):
    """Two-dimensional kernels, two-dimensional convolution, over the whole clip.

    Five times (conv 3 x 3, batch norm, ELU, max-pool) until one point is left of
    96 x 1366, then dense n_tags. The spectrogram in dB is first brought to mean 0 and
    deviation 1 by a normalisation without parameters.

    Args:
        width: scales the channels 67, 135, 135, 203, 271; 0.24 trains on a laptop (16
            channels in the first unit; 0.25 leaves 17, which a CPU computes slower).

    Shape: (batch, 349_488) at 12 kHz -> (batch, n_tags);
    96x1366 -> 48x341 -> 24x85 -> 12x21 -> 4x4 -> 1x1.
    Source: Choi et al., ICASSP 2017, k2c2; Wells 2018, table 3.7, whose last line
    lacks the 50 biases; 1,003,828 parameters with 50 tags.

    >>> K2C2(width=0.1)(torch.zeros(2, 349_488)).shape
    torch.Size([2, 50])

    Notebook: course/03_spectrogram_cnns.ipynb
    """

    def __init__(self, n_tags: int = 50, width: float = 1.0):
        super().__init__(349_488, 12_000, {"n_tags": n_tags, "width": width})
        self.mel = mel.LogMel(12_000, n_fft=512, hop=256, n_mels=96, log="db")
        self.scale = nn.BatchNorm2d(1, affine=False)
        channels = [1] + [scaled(n, width) for n in (67, 135, 135, 203, 271)]
        pools = ((2, 4), (2, 4), (2, 4), (3, 5), (4, 4))
        blocks = []
        for n_in, n_out, pool in zip(channels[:-1], channels[1:], pools, strict=True):
            blocks += [nn.Conv2d(n_in, n_out, 3, padding=1), nn.BatchNorm2d(n_out)]
            blocks += [nn.ELU(), nn.MaxPool2d(pool)]
        # Channels last in memory: the same numbers in less time (benchmarks/steps.py).
        self.blocks = nn.Sequential(*blocks).to(memory_format=torch.channels_last)
        self.output = nn.Linear(channels[-1], n_tags)

    def forward(self, samples: torch.Tensor) -> torch.Tensor:
        self.check(samples)
        image = self.scale(self.mel(samples)[:, None])  # (batch, 1, 96, 1366)
        return self.output(self.blocks(image).flatten(1))  # (batch, n_tags)
