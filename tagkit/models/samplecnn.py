"""Lee et al. 2017 and Kim et al. 2018: filters of three samples, ten layers deep."""

import torch
from torch import nn

from tagkit.models.tagger import Tagger, scaled

CHANNELS = (128, 128, 256, 256, 256, 256, 256, 256, 512)
N_SAMPLES = 3**10
BLOCKS = "ReSE2", "Res2", "SE", "basic"


class SampleCNN(Tagger):
    """Filters of three samples and pools of three, until one point is left.

    conv 128 x 3 / 3, then nine times (conv x 3, batch norm, ReLU, max-pool 3), conv
    512 x 1, dropout 0.5, dense n_tags. No layer has a time scale of its own; it
    follows from the depth.

    Args:
        sample_rate: 16 kHz, so that MagnaTagATune needs no resampling; the paper
            resamples to 22,050 Hz.

    Shape: (batch, 59_049) -> (batch, n_tags);
    19,683 frames, 6,561, 2,187, 729, 243, 81, 27, 9, 3, 1.
    Source: Lee et al., SMC 2017, the 3^9 model; 1,869,874 parameters with 50 tags.
    Notebook: course/02_raw_waveform_cnns.ipynb
    """

    def __init__(self, n_tags: int = 50, sample_rate: int = 16_000, width: float = 1.0):
        arguments = {"n_tags": n_tags, "sample_rate": sample_rate, "width": width}
        super().__init__(N_SAMPLES, sample_rate, arguments)
        channels = [scaled(128, width)] + [scaled(n, width) for n in CHANNELS]
        layers = unit(1, channels[0], 3, stride=3, padding=0)
        for n_in, n_out in zip(channels[:-1], channels[1:], strict=True):
            layers += [*unit(n_in, n_out, 3), nn.MaxPool1d(3)]
        layers += unit(n_out, n_out, 1, padding=0)
        self.network = nn.Sequential(*layers, nn.Flatten(), nn.Dropout(0.5))
        self.output = nn.Linear(n_out, n_tags)

    def embed(self, samples: torch.Tensor) -> torch.Tensor:
        self.check(samples)
        return self.network(samples[:, None])  # (batch, 512)


class ReSE2Multi(Tagger):
    """SampleCNN with residual squeeze-and-excitation blocks, read at three depths.

    conv 128 x 3 / 3, then nine blocks, `ReSE2Block`; the maxima over time of the last
    three side by side (256 + 256 + 512), dense 1,024, batch norm, ReLU, dropout 0.5,
    dense n_tags.

    Args:
        expansion: size of the excitation's hidden layer, in multiples of the channels:
            16 in the paper; 1 here, for a quarter of the parameters.
        sample_rate: as in `SampleCNN`.
        block: "ReSE2"; "Res2", residual without squeeze-and-excitation; "SE",
            squeeze-and-excitation without shortcuts, see `SEBlock`; or "basic",
            without either. They are the paper's way to tell which of the two helps.

    Shape: (batch, 59_049) -> (batch, n_tags).
    Raises: ValueError for another block.
    Source: Kim, Lee & Nam, ICASSP 2018, and their code; 26,980,146 parameters with 50
    tags and an expansion of 16, 6,301,746 with 1. In the paper's size SE has
    24,742,706, Res2 4,920,882, basic 2,683,442.
    """

    def __init__(
        self,
        n_tags: int = 50,
        expansion: int = 1,
        sample_rate: int = 16_000,
        width: float = 1.0,
        *,
        block: str = "ReSE2",
    ):
        if block not in BLOCKS:
            raise ValueError(f"block {block!r} is unknown; needed is one of {BLOCKS}")
        arguments = {"n_tags": n_tags, "expansion": expansion}
        arguments |= {"sample_rate": sample_rate, "width": width}
        if block != "ReSE2":  # checkpoints of 0.8 know no other
            arguments["block"] = block
        super().__init__(N_SAMPLES, sample_rate, arguments)
        channels = [scaled(128, width)] + [scaled(n, width) for n in CHANNELS]
        self.strided = nn.Sequential(*unit(1, channels[0], 3, stride=3, padding=0))
        pairs = zip(channels[:-1], channels[1:], strict=True)
        kind = ReSE2Block if block.endswith("2") else SEBlock
        n = expansion if "SE" in block else 0
        self.blocks = nn.ModuleList(kind(a, b, n) for a, b in pairs)
        n = sum(channels[-3:])
        self.dense = nn.Sequential(
            nn.Linear(n, n), nn.BatchNorm1d(n), nn.ReLU(), nn.Dropout(0.5)
        )
        self.output = nn.Linear(n, n_tags)

    def embed(self, samples: torch.Tensor) -> torch.Tensor:
        self.check(samples)
        x = self.strided(samples[:, None])  # (batch, 128, 19_683)
        levels = []
        for block in self.blocks:
            x = block(x)  # (batch, n_channels, a third of the frames)
            levels.append(x.amax(dim=2))
        return self.dense(torch.cat(levels[-3:], dim=1))  # (batch, 1024)


class SqueezeExcitation(nn.Sequential):
    """Weigh each channel by what all channels have been on the whole.

    Squeeze: the mean of each channel over time. Excitation: two dense layers turn
    these means into a weight for each channel.

    Shape: (batch, n, n_frames) -> the same.
    Source: Hu, Shen & Sun, CVPR 2018, where the hidden layer is the smaller one.
    """

    def __init__(self, n: int, expansion: int):
        super().__init__(
            nn.Linear(n, expansion * n),
            nn.ReLU(),
            nn.Linear(expansion * n, n),
            nn.Sigmoid(),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * super().forward(x.mean(dim=2))[:, :, None]


class SEBlock(nn.Module):
    """A block of SampleCNN: convolution, batch norm, ReLU, pool by 3; then weighed.

    Args:
        expansion: of the squeeze-and-excitation; 0 leaves it out.

    Shape: (batch, n_in, n_frames) -> (batch, n_out, n_frames // 3).
    """

    def __init__(self, n_in: int, n_out: int, expansion: int):
        super().__init__()
        self.convolutions = nn.Sequential(*unit(n_in, n_out, 3), nn.MaxPool1d(3))
        none = nn.Identity()
        self.weigh = SqueezeExcitation(n_out, expansion) if expansion else none

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.weigh(self.convolutions(x))


class ReSE2Block(nn.Module):
    """A residual block with squeeze-and-excitation: two convolutions, then a pool by 3.

    Args:
        expansion: as in `SEBlock`.

    Shape: (batch, n_in, n_frames) -> (batch, n_out, n_frames // 3).
    """

    def __init__(self, n_in: int, n_out: int, expansion: int):
        super().__init__()
        self.convolutions = nn.Sequential(
            *unit(n_in, n_out, 3),
            nn.Dropout(0.2),
            nn.Conv1d(n_out, n_out, 3, padding=1),
            nn.BatchNorm1d(n_out),
        )
        same = nn.Identity()
        self.weigh = SqueezeExcitation(n_out, expansion) if expansion else same
        other = nn.Sequential(nn.Conv1d(n_in, n_out, 1), nn.BatchNorm1d(n_out))
        self.shortcut = same if n_in == n_out else other

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.convolutions(x)  # (batch, n_out, n_frames)
        y = self.weigh(y)
        return nn.functional.max_pool1d((y + self.shortcut(x)).relu(), 3)


def unit(n_in: int, n_out: int, kernel: int, stride: int = 1, padding: int = 1):
    """List the layers of a unit: convolution, batch norm, ReLU."""
    conv = nn.Conv1d(n_in, n_out, kernel, stride, padding)
    return [conv, nn.BatchNorm1d(n_out), nn.ReLU()]
