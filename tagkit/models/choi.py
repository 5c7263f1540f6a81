"""Choi et al. 2017 and Wells 2018: convolutions over whole mel spectrograms.

In a name, k counts the dimensions of the kernels and c those in which they move. The
kernels of k2c1 span all bands and move in time; those of k1c2 are one band high and
move both ways; those of k2c2 are 3 x 3. All three take 96 mel bands in dB at 12 kHz,
standardised by a batch norm without parameters.
"""

import torch
from torch import nn

from tagkit.models import mel
from tagkit.models.tagger import Conv2d, Tagger, scaled


class MelImage(nn.Module):
    """A standardised spectrogram as an image with one channel.

    Args:
        n_pad: frames of silence on each side, added after the logarithm.

    Shape: (batch, n_samples) at 12 kHz -> (batch, 1, 96, n_frames + 2 n_pad).
    """

    def __init__(self, n_pad: int = 0):
        super().__init__()
        self.mel = mel.LogMel(12_000, n_fft=512, hop=256, n_mels=96, log="db")
        self.pad = nn.ConstantPad1d(n_pad, self.mel.floor)
        self.scale = nn.BatchNorm2d(1, affine=False)

    def forward(self, samples: torch.Tensor) -> torch.Tensor:
        return self.scale(self.pad(self.mel(samples))[:, None])


class K2C1(Tagger):
    """Kernels across all 96 bands: the first layer sums over frequency.

    conv 152 x (96 x 4); conv 152, 152, 304, 304 x (1 x 4), each with a max-pool 4 in
    time; no padding; batch norm (which Wells' table omits in the first unit, but not
    his text) and ELU in every unit; dense 304, ELU, 304, ELU, n_tags. The ELUs between
    the dense layers are ours.

    Shape: (batch, 349_488) at 12 kHz -> (batch, n_tags);
    1366 frames, 1363, 1360, 340, 337, 84, 81, 20, 17, 4.
    Source: Choi et al., ICASSP 2017, k2c1; Wells 2018, table 3.2, where the input of
    the fourth unit must read 152; 1,278,826 parameters with 50 tags.
    """

    def __init__(self, n_tags: int = 50, width: float = 1.0):
        super().__init__(349_488, 12_000, {"n_tags": n_tags, "width": width})
        channels = [scaled(n, width) for n in (152, 152, 152, 304, 304)]
        n_dense = scaled(304, width)
        units = unit(1, channels[0], (96, 4), None)
        for n_in, n_out in zip(channels[:-1], channels[1:], strict=True):
            units += unit(n_in, n_out, (1, 4), (1, 4))
        self.image = MelImage()
        self.units = nn.Sequential(*units)
        self.dense = two_dense(4 * channels[-1], n_dense)
        self.output = nn.Linear(n_dense, n_tags)

    def embed(self, samples: torch.Tensor) -> torch.Tensor:
        self.check(samples)
        x = self.units(self.image(samples))  # (batch, 304, 1, 4)
        return self.dense(x.flatten(1))  # (batch, 304)


class K1C2(Tagger):
    """Kernels one band high, so that no band meets another before the dense layers.

    Four times (conv 47, 47, 95, 95 x (1 x 4), batch norm, ELU, max-pool in time), then
    dense 95, ELU, 95, ELU, n_tags. The ELUs between the dense layers are ours.

    Shape: (batch, 349_488) at 12 kHz -> (batch, n_tags);
    96 x 1366 -> 96 x 341 -> 96 x 68 -> 96 x 8 -> 96 x 1.
    Source: Choi et al., ICASSP 2017, k1c2; Wells 2018; 944,251 parameters with 50 tags.
    """

    def __init__(self, n_tags: int = 50, width: float = 1.0):
        super().__init__(349_488, 12_000, {"n_tags": n_tags, "width": width})
        channels = [1] + [scaled(n, width) for n in (47, 47, 95, 95)]
        n_dense = scaled(95, width)
        units = []
        for i, pool in enumerate((4, 5, 8, 8)):
            # An even kernel cannot be centred: 1 zero before, 2 after.
            units += [nn.ZeroPad2d((1, 2, 0, 0))]
            units += unit(channels[i], channels[i + 1], (1, 4), (1, pool))
        self.image = MelImage()
        # The same numbers in less time than with channels first.
        self.units = nn.Sequential(*units).to(memory_format=torch.channels_last)
        self.dense = two_dense(96 * channels[-1], n_dense)
        self.output = nn.Linear(n_dense, n_tags)

    def embed(self, samples: torch.Tensor) -> torch.Tensor:
        self.check(samples)
        x = self.units(self.image(samples))  # (batch, 95, 96, 1)
        return self.dense(x.flatten(1))  # (batch, 95)


class K2C2(Tagger):
    """Five layers of 3 x 3 kernels over the whole clip, until one point is left.

    Five times (conv 3 x 3, batch norm, ELU, max-pool), then dense n_tags.

    Args:
        width: scales the channels 67, 135, 135, 203, 271. 0.24 trains on a laptop (16
            channels in the first unit; 0.25 gives 17, which is slower on a CPU).

    Shape: (batch, 349_488) at 12 kHz -> (batch, n_tags);
    96x1366 -> 48x341 -> 24x85 -> 12x21 -> 4x4 -> 1x1.
    Source: Choi et al., ICASSP 2017, k2c2; Wells 2018, table 3.7, whose last line
    lacks the 50 biases; 1,003,828 parameters with 50 tags.
    Notebook: course/03_spectrogram_cnns.ipynb
    """

    def __init__(self, n_tags: int = 50, width: float = 1.0):
        super().__init__(349_488, 12_000, {"n_tags": n_tags, "width": width})
        channels = [1] + [scaled(n, width) for n in (67, 135, 135, 203, 271)]
        self.image = MelImage()
        self.units = pyramid(channels, ((2, 4), (2, 4), (2, 4), (3, 5), (4, 4)))
        self.output = nn.Linear(channels[-1], n_tags)

    def embed(self, samples: torch.Tensor) -> torch.Tensor:
        self.check(samples)
        x = self.units(self.image(samples))  # (batch, 271, 1, 1)
        return x.flatten(1)  # (batch, 271)


def pyramid(channels: list[int], pools, ceil: bool = False) -> nn.Sequential:
    """Stack units of 3 x 3 kernels, each with its pool.

    Args:
        ceil: keep the frames and bands at the edge that do not fill a pool.

    Shape: (batch, channels[0], n_mels, n_frames) -> (batch, channels[-1], ...).
    Raises: ValueError unless channels has one number more than pools.
    """
    if len(channels) != len(pools) + 1:
        raise ValueError(
            f"channels are {list(channels[1:])}; needed are {len(pools)}, one for each "
            "unit"
        )
    units = []
    for n_in, n_out, pool in zip(channels[:-1], channels[1:], pools, strict=True):
        units += unit(n_in, n_out, 3, pool, padding=1, ceil=ceil)
    # The same numbers in less time than with channels first (benchmarks/steps.py).
    return nn.Sequential(*units).to(memory_format=torch.channels_last)


def unit(n_in, n_out, kernel, pool, padding=0, ceil=False) -> list[nn.Module]:
    """List the layers of a unit: convolution, batch norm, max-pool (or none), ELU.

    The papers draw the ELU before the pool. ELU keeps the order of its inputs, so both
    orders give the same numbers, and fewer are computed after the pool.
    """
    layers = [Conv2d(n_in, n_out, kernel, padding=padding), nn.BatchNorm2d(n_out)]
    if pool:
        layers += [nn.MaxPool2d(pool, ceil_mode=ceil)]
    return [*layers, nn.ELU()]


def two_dense(n_in: int, n_out: int) -> nn.Sequential:
    """Make two dense layers with ELU. Shape: (batch, n_in) -> (batch, n_out)."""
    return nn.Sequential(
        nn.Linear(n_in, n_out), nn.ELU(), nn.Linear(n_out, n_out), nn.ELU()
    )
