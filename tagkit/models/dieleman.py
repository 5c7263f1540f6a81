"""Dieleman & Schrauwen 2014: the same small network on samples and on mel bands.

Notebook: course/02_raw_waveform_cnns.ipynb
"""

import torch
from torch import nn

from tagkit import mel
from tagkit.tagger import Tagger, scaled

KERNEL, POOL = 8, 4


class DielemanRaw(Tagger):
    """The base network on raw samples: a strided convolution learns its own filters.

    conv n_filters x length / stride, then twice (conv 32 x 8, ReLU, max-pool 4), then
    dense 100, dense n_tags. The paper leaves the number of strided filters, padding
    and loss unsaid; the defaults are those of Elwood & Varosyan's replication.

    Args:
        length, stride: of the first convolution, in samples. A smaller stride keeps
            finer time and costs more.
        n_filters: learned filters in the first layer: 32; 1 in Roy's reading, about
            128 in the paper's figure 2.
        padding: "same" keeps the frames in both k8 convolutions; "valid" does not and
            needs a stride of 512 or less.
        width: scales every number of channels.

    Shape: (batch, 34_950) at 12 kHz -> (batch, n_tags); 136 frames, 34, 8.
    Raises: ValueError if so few frames are left that pooling ends with none.
    Source: Dieleman & Schrauwen, ICASSP 2014; 55,422 parameters with 50 tags.

    >>> DielemanRaw()(torch.zeros(2, 34_950)).shape
    torch.Size([2, 50])

    Notebook: course/02_raw_waveform_cnns.ipynb
    """

    def __init__(
        self,
        n_tags: int = 50,
        length: int = 256,
        stride: int = 256,
        n_filters: int = 32,
        padding: str = "same",
        n_samples: int = 34_950,
        sample_rate: int = 12_000,
        width: float = 1.0,
    ):
        arguments = {"n_tags": n_tags, "length": length, "stride": stride}
        arguments |= {"n_filters": n_filters, "padding": padding, "width": width}
        arguments |= {"n_samples": n_samples, "sample_rate": sample_rate}
        super().__init__(n_samples, sample_rate, arguments)
        n_channels = scaled(n_filters, width)
        self.strided = nn.Conv1d(1, n_channels, length, stride)
        n_frames = (n_samples - length) // stride + 1
        self.network = _body(n_channels, n_frames, n_tags, padding, width)

    def forward(self, samples: torch.Tensor) -> torch.Tensor:
        self.check(samples)
        frames = self.strided(samples[:, None]).relu()  # (batch, n_filters, n_frames)
        return self.network(frames)  # (batch, n_tags)


class DielemanMel(Tagger):
    """The same network with log-mel bands in place of the strided convolution.

    Args:
        length, stride: window and hop of the spectrogram, in samples. The transform
            has at least 1,024 points, so that no mel band is empty.

    Shape: (batch, 34_950) at 12 kHz -> (batch, n_tags); 128 x 137 frames, 34, 8.
    Raises: as `DielemanRaw`.
    Source: Dieleman & Schrauwen, ICASSP 2014; 71,774 parameters with 50 tags.

    >>> DielemanMel()(torch.zeros(2, 34_950)).shape
    torch.Size([2, 50])

    Notebook: course/03_spectrogram_cnns.ipynb
    """

    def __init__(
        self,
        n_tags: int = 50,
        length: int = 256,
        stride: int = 256,
        n_mels: int = 128,
        padding: str = "same",
        n_samples: int = 34_950,
        sample_rate: int = 12_000,
        width: float = 1.0,
    ):
        arguments = {"n_tags": n_tags, "length": length, "stride": stride}
        arguments |= {"n_mels": n_mels, "padding": padding, "width": width}
        arguments |= {"n_samples": n_samples, "sample_rate": sample_rate}
        super().__init__(n_samples, sample_rate, arguments)
        n_fft = max(1024, length)
        self.mel = mel.LogMel(sample_rate, n_fft, stride, n_mels, length, "log1p")
        n_frames = 1 + n_samples // stride
        self.network = _body(n_mels, n_frames, n_tags, padding, width)

    def forward(self, samples: torch.Tensor) -> torch.Tensor:
        self.check(samples)
        return self.network(self.mel(samples))  # (batch, n_tags)


def _body(n_in: int, n_frames: int, n_tags: int, padding: str, width: float):
    """Build what both networks share, from frames to logits.

    Shape: (batch, n_in, n_frames) -> (batch, n_tags).
    """
    if padding not in ("same", "valid"):
        raise ValueError(f"padding {padding!r} is unknown; needed is 'same' or 'valid'")
    n_channels, n_dense = scaled(32, width), scaled(100, width)
    lost = 0 if padding == "same" else KERNEL - 1
    n_last = ((n_frames - lost) // POOL - lost) // POOL
    if n_last < 1:
        raise ValueError(
            f"{n_frames} frames leave none after two convolutions ({padding}) and "
            f"pools of {POOL}; use a smaller stride, a longer window or padding='same'"
        )
    # An even kernel cannot be centred: 3 zeros before, 4 after, as "same" does.
    pad = (3, 4) if padding == "same" else (0, 0)
    return nn.Sequential(
        nn.ZeroPad1d(pad),
        nn.Conv1d(n_in, n_channels, KERNEL),
        nn.ReLU(),
        nn.MaxPool1d(POOL),
        nn.ZeroPad1d(pad),
        nn.Conv1d(n_channels, n_channels, KERNEL),
        nn.ReLU(),
        nn.MaxPool1d(POOL),
        nn.Flatten(),  # (batch, n_channels * n_last)
        nn.Linear(n_channels * n_last, n_dense),
        nn.ReLU(),
        nn.Linear(n_dense, n_tags),
    )
