"""Won et al. 2020: small kernels over short chunks, as in image recognition."""

import torch
from torch import nn

from tagkit.models import mel
from tagkit.models.tagger import Conv2d, Tagger, scaled

CHANNELS = (128, 128, 256, 256, 256, 256, 512)


class ShortChunkCNN(Tagger):
    """Seven units of 3 x 3 kernels over 3.69 s, each halving both axes.

    Seven times (conv 3 x 3, batch norm, ReLU, max-pool 2), maximum over what is left,
    dense 512, batch norm, ReLU, dropout 0.5, dense n_tags. Like theirs, the window has
    512 samples; our transform has 1,024 points, as theirs of 512 leaves the lowest of
    128 mel bands empty.

    Args:
        residual: two convolutions a unit with a shortcut around them; a stride of 2 in
            the first replaces the pool.

    Shape: (batch, 59_049) at 16 kHz -> (batch, n_tags);
    128x231 -> 64x115 -> 32x57 -> 16x28 -> 8x14 -> 4x7 -> 2x3 -> 1x1; with residual
    units 64x116 -> 32x58 -> 16x29 -> 8x15 -> 4x8 -> 2x4 -> 1x2.
    Source: Won et al., SMC 2020, and their code; 3,687,348 parameters with 50 tags,
    12,104,244 with residual units.
    """

    def __init__(self, n_tags: int = 50, residual: bool = False, width: float = 1.0):
        arguments = {"n_tags": n_tags, "residual": residual, "width": width}
        super().__init__(59_049, 16_000, arguments)
        self.mel = mel.LogMel(16_000, 1024, 256, n_mels=128, win_length=512)
        self.scale = nn.BatchNorm2d(1)
        channels = [1] + [scaled(n, width) for n in CHANNELS]
        kind = Residual if residual else plain
        pairs = zip(channels[:-1], channels[1:], strict=True)
        self.units = nn.Sequential(*[kind(n_in, n_out) for n_in, n_out in pairs])
        # The same numbers in less time than with channels first.
        self.units.to(memory_format=torch.channels_last)
        n = channels[-1]
        self.dense = nn.Sequential(
            nn.Linear(n, n), nn.BatchNorm1d(n), nn.ReLU(), nn.Dropout(0.5)
        )
        self.output = nn.Linear(n, n_tags)

    def embed(self, samples: torch.Tensor) -> torch.Tensor:
        self.check(samples)
        image = self.scale(self.mel(samples)[:, None])  # (batch, 1, 128, 231)
        x = self.units(image).amax(dim=(2, 3))  # (batch, 512)
        return self.dense(x)  # (batch, 512)


def plain(n_in: int, n_out: int) -> nn.Sequential:
    """Make a unit of one convolution and a pool by 2."""
    conv = Conv2d(n_in, n_out, 3, padding=1)
    return nn.Sequential(conv, nn.BatchNorm2d(n_out), nn.ReLU(), nn.MaxPool2d(2))


class Residual(nn.Module):
    """Two convolutions and a shortcut around them, with a stride of 2.

    Shape: (batch, n_in, n_mels, n_frames) -> (batch, n_out, half, half, rounded up).
    """

    def __init__(self, n_in: int, n_out: int):
        super().__init__()
        self.convolutions = nn.Sequential(
            Conv2d(n_in, n_out, 3, stride=2, padding=1),
            nn.BatchNorm2d(n_out),
            nn.ReLU(),
            Conv2d(n_out, n_out, 3, padding=1),
            nn.BatchNorm2d(n_out),
        )
        self.shortcut = nn.Sequential(
            Conv2d(n_in, n_out, 3, stride=2, padding=1), nn.BatchNorm2d(n_out)
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return (self.convolutions(x) + self.shortcut(x)).relu()
