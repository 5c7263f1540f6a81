"""Choi et al. 2017 and their successors: convolutions, then a recurrent network.

Convolutions turn the spectrogram into 15 steps of 128 features. The models differ in
what they make of these steps.
"""

from collections.abc import Sequence

import torch
from torch import nn

from tagkit.models.choi import MelImage, pyramid
from tagkit.models.tagger import Tagger, scaled

POOLS = ((2, 2), (3, 3), (4, 4), (4, 4))


class CRNN(Tagger):
    """Four convolutions down to 15 steps and two GRUs, whose last state decides.

    Four times (conv 3 x 3, batch norm, ELU, max-pool), GRU, GRU, dense n_tags. The 1366
    frames are padded to 1440 with silence, after the logarithm. Left out: Choi's
    dropout (0.1 after each pool, 0.3 at the end, in his code), and the ELU that Elwood
    & Varosyan put after each GRU.

    Args:
        channels: of the convolutions. 96, 195, 195, 195 and a hidden of 96 give the
            paper's one million: 1,000,943 parameters, two fewer than in code that
            scales and shifts its input.
        hidden: size of each GRU. 15 is one reading of Elwood & Varosyan's "15 input
            and output channels" (379,325 parameters).
        width: scales channels and hidden.

    Shape: (batch, 349_488) at 12 kHz -> (batch, n_tags);
    96x1440 -> 48x720 -> 16x240 -> 4x60 -> 1x15.
    Source: Choi et al., ICASSP 2017; Panwar et al., SoSE 2017; Elwood & Varosyan,
    Bristol; 394,098 parameters with 50 tags.
    Notebook: course/04_crnn.ipynb
    """

    def __init__(
        self,
        n_tags: int = 50,
        channels: Sequence[int] = (64, 128, 128, 128),
        hidden: int = 32,
        width: float = 1.0,
    ):
        arguments = {"n_tags": n_tags, "channels": list(channels), "hidden": hidden}
        super().__init__(349_488, 12_000, arguments | {"width": width})
        scaled_channels = [scaled(n, width) for n in channels]
        n_hidden = scaled(hidden, width)
        self.image = MelImage(n_pad=37)  # 37 + 1366 + 37 = 1440
        self.units = pyramid([1, *scaled_channels], POOLS)
        self.gru = nn.GRU(scaled_channels[-1], n_hidden, num_layers=2, batch_first=True)
        self.output = nn.Linear(n_hidden, n_tags)

    def embed(self, samples: torch.Tensor) -> torch.Tensor:
        self.check(samples)
        x = self.units(self.image(samples))  # (batch, 128, 1, 15)
        states, _ = self.gru(x.squeeze(2).transpose(1, 2))  # (batch, 15, hidden)
        return self.merge(states)  # (batch, hidden)

    def merge(self, states: torch.Tensor) -> torch.Tensor:
        """Take the last of 15 states. Shape: (batch, 15, n) -> (batch, n)."""
        return states[:, -1]


class CRNNAttention(CRNN):
    """A CRNN that decides by a weighted mean of all 15 states.

    A small network weighs each state; the weights of a clip sum to 1. Wells proposes
    this and leaves it undone. The weights are those of Bahdanau et al., without a
    query.

    Shape: as `CRNN`.
    Source: Wells 2018, extension 3; Bahdanau et al., ICLR 2015; 395,186 parameters
    with 50 tags.
    """

    def __init__(
        self,
        n_tags: int = 50,
        channels: Sequence[int] = (64, 128, 128, 128),
        hidden: int = 32,
        width: float = 1.0,
    ):
        super().__init__(n_tags, channels, hidden, width)
        n = self.gru.hidden_size
        self.weigh = nn.Sequential(
            nn.Linear(n, n), nn.Tanh(), nn.Linear(n, 1, bias=False)
        )

    def weights(self, states: torch.Tensor) -> torch.Tensor:
        """Weigh each state. Shape: (batch, 15, n) -> (batch, 15, 1)."""
        return self.weigh(states).softmax(dim=1)

    def merge(self, states: torch.Tensor) -> torch.Tensor:
        """Take the weighted mean of the states. Shape: as `CRNN.merge`."""
        return (self.weights(states) * states).sum(dim=1)


class CRNNTF(Tagger):
    """A CRNN that reads the last map in eight orders, along time and frequency.

    Four times (conv 3 x 3, batch norm, ELU, max-pool (2, 4)) leave a map of 6 x 6
    points. From each of its corners one GRU reads it row by row and another column by
    column. The eight last states side by side, dropout 0.5, dense n_tags. The paper
    reads with Grid-LSTMs, which PyTorch does not have.

    Shape: (batch, 348_000), 29 s at 12 kHz -> (batch, n_tags);
    96x1360 -> 48x340 -> 24x85 -> 12x22 -> 6x6 (only pools that keep the rest at the
    edge give the paper's 6 x 6). A clip of MagnaTagATune lasts 29.124 s and is scored
    in two windows that are nearly the same.
    Source: Wang et al., IJCNN 2019; 507,826 parameters with 50 tags.
    """

    def __init__(self, n_tags: int = 50, width: float = 1.0):
        super().__init__(348_000, 12_000, {"n_tags": n_tags, "width": width})
        channels = [1] + [scaled(n, width) for n in (64, 128, 128, 128)]
        n_hidden = scaled(32, width)
        self.image = MelImage()
        self.units = pyramid(channels, ((2, 4),) * 4, ceil=True)
        self.scans = nn.ModuleList(
            nn.GRU(channels[-1], n_hidden, batch_first=True) for _ in range(8)
        )
        self.dropout = nn.Dropout(0.5)
        self.output = nn.Linear(8 * n_hidden, n_tags)

    def embed(self, samples: torch.Tensor) -> torch.Tensor:
        self.check(samples)
        corner = self.units(self.image(samples))  # (batch, 128, 6, 6)
        starts = [corner, corner.flip(2), corner.flip(3), corner.flip(2, 3)]
        orders = [x for s in starts for x in (s, s.transpose(2, 3))]
        states = [
            scan(x.flatten(2).transpose(1, 2))[0][:, -1]  # 36 steps -> (batch, 32)
            for scan, x in zip(self.scans, orders, strict=True)
        ]
        return self.dropout(torch.cat(states, dim=1))  # (batch, 256)


class CRNNOverBatch(CRNN):
    """A CRNN with a fault, for lesson 04: its GRUs run from clip to clip of the batch.

    The code behind Elwood & Varosyan's report gives (batch, 128, 15) to GRUs of size
    15 without `batch_first`. They take the batch for time, so a clip's tags depend on
    the clips before it: permuting the batch changes the logits. Not in MODELS. The ELU
    after each GRU is left out.

    Args:
        batch_first: True mends the leak, but leaves a recurrence over the 128 channels,
            whose order means nothing.

    Shape: (batch, 349_488) at 12 kHz -> (batch, n_tags); all 128 x 15 outputs decide.
    Source: Elwood & Varosyan, Bristol, by their code; 469,490 parameters with 50 tags.
    """

    def __init__(self, n_tags: int = 50, batch_first: bool = False, width: float = 1.0):
        super().__init__(n_tags, width=width)
        self.arguments = {"n_tags": n_tags, "batch_first": batch_first, "width": width}
        n_channels = self.gru.input_size
        self.gru = nn.GRU(15, 15, num_layers=2, batch_first=batch_first)
        self.output = nn.Linear(15 * n_channels, n_tags)

    def embed(self, samples: torch.Tensor) -> torch.Tensor:
        self.check(samples)
        x = self.units(self.image(samples)).squeeze(2)  # (batch, 128, 15)
        states, _ = self.gru(x)  # the same shape
        return states.flatten(1)  # (batch, 1920)
