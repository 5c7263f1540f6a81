"""Dieleman & Schrauwen 2014: the same small network on samples and on mel bands.

And Roy's two versions of it: the base network read more narrowly, and a deeper one.
"""

import torch
from torch import nn

from tagkit.models import mel
from tagkit.models.tagger import Tagger, scaled

KERNEL, POOL = 8, 4


class DielemanRaw(Tagger):
    """The base network on raw samples: a strided convolution learns its own filters.

    conv n_filters x length / stride, then twice (conv 32 x 8, ReLU, max-pool 4), then
    dense 100, dense n_tags. The paper does not state the number of strided filters, the
    padding or the loss; the defaults are those of Elwood & Varosyan's replication.

    Args:
        length, stride: of the first convolution, in samples. A smaller stride keeps
            finer time and costs more.
        n_filters: in the first layer: 32; 1 in Roy's reading, about 128 in the paper's
            figure 2.
        padding: "same" keeps the frames in both later convolutions; "valid" does not
            and needs a stride of 512 or less.
        average: take the mean of the last frames in place of all of them: fewer
            parameters, and it no longer matters when something sounds.
        width: scales every number of channels.

    Shape: (batch, 34_950) at 12 kHz -> (batch, n_tags); 136 frames, 34, 8.
    Raises: ValueError if no frame is left after the last pool.
    Source: Dieleman & Schrauwen, ICASSP 2014; 55,422 parameters with 50 tags.
    Notebook: course/02_raw_waveform_cnns.ipynb
    """

    def __init__(
        self,
        n_tags: int = 50,
        length: int = 256,
        stride: int = 256,
        n_filters: int = 32,
        padding: str = "same",
        average: bool = False,
        n_samples: int = 34_950,
        sample_rate: int = 12_000,
        width: float = 1.0,
    ):
        arguments = {"n_tags": n_tags, "length": length, "stride": stride}
        arguments |= {"n_filters": n_filters, "padding": padding, "average": average}
        arguments |= {"n_samples": n_samples, "sample_rate": sample_rate}
        super().__init__(n_samples, sample_rate, arguments | {"width": width})
        self.n_at_once = 160  # its maps are small
        n_channels = scaled(n_filters, width)
        self.strided = nn.Conv1d(1, n_channels, length, stride)
        n_frames = (n_samples - length) // stride + 1
        self.network = _body(n_channels, n_frames, padding, average, width)
        self.output = nn.Linear(scaled(100, width), n_tags)

    def embed(self, samples: torch.Tensor) -> torch.Tensor:
        self.check(samples)
        frames = self.strided(samples[:, None]).relu()  # (batch, n_filters, n_frames)
        return self.network(frames)  # (batch, 100)


class DielemanMel(Tagger):
    """The same network with log-mel bands in place of the strided convolution.

    Args:
        length, stride: window and hop of the spectrogram, in samples. The transform
            has at least 1,024 points, so that no mel band is empty.

    Shape: (batch, 34_950) at 12 kHz -> (batch, n_tags); 128 x 137 frames, 34, 8.
    Raises: as `DielemanRaw`.
    Source: Dieleman & Schrauwen, ICASSP 2014; 71,774 parameters with 50 tags.
    Notebook: course/03_spectrogram_cnns.ipynb
    """

    def __init__(
        self,
        n_tags: int = 50,
        length: int = 256,
        stride: int = 256,
        n_mels: int = 128,
        padding: str = "same",
        average: bool = False,
        n_samples: int = 34_950,
        sample_rate: int = 12_000,
        width: float = 1.0,
    ):
        arguments = {"n_tags": n_tags, "length": length, "stride": stride}
        arguments |= {"n_mels": n_mels, "padding": padding, "average": average}
        arguments |= {"n_samples": n_samples, "sample_rate": sample_rate}
        super().__init__(n_samples, sample_rate, arguments | {"width": width})
        n_fft = max(1024, length)
        self.mel = mel.LogMel(sample_rate, n_fft, stride, n_mels, length, "log1p")
        n_frames = 1 + n_samples // stride
        self.network = _body(n_mels, n_frames, padding, average, width)
        self.output = nn.Linear(scaled(100, width), n_tags)

    def embed(self, samples: torch.Tensor) -> torch.Tensor:
        self.check(samples)
        return self.network(self.mel(samples))  # (batch, 100)


class RoyBase(Tagger):
    """Roy's reading of the base network: one strided filter, and a mean at the end.

    conv 1 x length / stride, ReLU, then twice (conv 32 x 8, ReLU, max-pool 4 with a
    stride of 1), mean over the frames, dense 100, dense n_tags; no padding. The report
    says "global max-pooling i.e. computing the average"; we take the average.

    Shape: (batch, 34_950) at 12 kHz -> (batch, n_tags); 136 frames, 129, 126, 119, 116.
    Source: Roy, Bristol; 17,119 parameters with 50 tags.
    """

    def __init__(
        self, n_tags: int = 50, length: int = 256, stride: int = 256, width: float = 1.0
    ):
        arguments = {"n_tags": n_tags, "length": length, "stride": stride}
        super().__init__(34_950, 12_000, arguments | {"width": width})
        n_channels = scaled(32, width)
        n_dense = scaled(100, width)
        self.network = nn.Sequential(
            nn.Conv1d(1, 1, length, stride),
            nn.ReLU(),
            nn.Conv1d(1, n_channels, KERNEL),
            nn.ReLU(),
            nn.MaxPool1d(POOL, stride=1),
            nn.Conv1d(n_channels, n_channels, KERNEL),
            nn.ReLU(),
            nn.MaxPool1d(POOL, stride=1),
            nn.AdaptiveAvgPool1d(1),
            nn.Flatten(),
            nn.Linear(n_channels, n_dense),
            nn.ReLU(),
        )
        self.output = nn.Linear(n_dense, n_tags)

    def embed(self, samples: torch.Tensor) -> torch.Tensor:
        self.check(samples)
        return self.network(samples[:, None])  # (batch, 100)


class RoyImproved(Tagger):
    """Roy's deeper network on samples: 128 strided filters, batch norm, dropout.

    conv 128 x length / stride, batch norm, ReLU; three times (conv 128, 512, 512 x 8,
    batch norm, ReLU, max-pool 4 with a stride of 1), no padding; dropout 0.5 before the
    last pool; mean over the frames, dense 100, ReLU, dense n_tags. The stride of 1 is
    no misprint: 4 would leave 6 frames for the third kernel of 8.

    Shape: (batch, 34_950) at 12 kHz -> (batch, n_tags);
    136 frames, 129, 126, 119, 116, 109, 106.
    Source: Roy, Bristol; 2,845,470 parameters with 50 tags. The order of batch norm,
    ReLU and dropout is not stated there.
    """

    def __init__(
        self, n_tags: int = 50, length: int = 256, stride: int = 256, width: float = 1.0
    ):
        arguments = {"n_tags": n_tags, "length": length, "stride": stride}
        super().__init__(34_950, 12_000, arguments | {"width": width})
        n_in = scaled(128, width)
        n_dense = scaled(100, width)
        layers = [nn.Conv1d(1, n_in, length, stride), nn.BatchNorm1d(n_in), nn.ReLU()]
        for n in (128, 512, 512):
            n_out = scaled(n, width)
            layers += [nn.Conv1d(n_in, n_out, KERNEL), nn.BatchNorm1d(n_out), nn.ReLU()]
            layers += [nn.MaxPool1d(POOL, stride=1)]
            n_in = n_out
        layers.insert(-1, nn.Dropout(0.5))
        layers += [nn.AdaptiveAvgPool1d(1), nn.Flatten()]
        layers += [nn.Linear(n_in, n_dense), nn.ReLU()]
        self.network = nn.Sequential(*layers)
        self.output = nn.Linear(n_dense, n_tags)

    def embed(self, samples: torch.Tensor) -> torch.Tensor:
        self.check(samples)
        return self.network(samples[:, None])  # (batch, 100)


def _body(n_in, n_frames, padding, average, width):
    """Build what both networks share, from frames to the dense layer.

    Shape: (batch, n_in, n_frames) -> (batch, 100).
    """
    if padding not in ("same", "valid"):
        raise ValueError(f"padding {padding!r} is unknown; needed is 'same' or 'valid'")
    n_channels = scaled(32, width)
    n_dense = scaled(100, width)
    n_lost = 0 if padding == "same" else KERNEL - 1
    n_last = ((n_frames - n_lost) // POOL - n_lost) // POOL
    if n_last < 1:
        raise ValueError(
            f"{n_frames} frames leave none after two convolutions ({padding}) and "
            f"pools of {POOL}; use a smaller stride, a longer window or padding='same'"
        )
    # An even kernel cannot be centred: 3 zeros before, 4 after, as "same" does.
    pad = (3, 4) if padding == "same" else (0, 0)
    layers = []
    for n in (n_in, n_channels):
        layers += [nn.ZeroPad1d(pad), nn.Conv1d(n, n_channels, KERNEL), nn.ReLU()]
        layers += [nn.MaxPool1d(POOL)]
    if average:
        layers += [nn.AdaptiveAvgPool1d(1)]
        n_last = 1
    layers += [nn.Flatten(), nn.Linear(n_channels * n_last, n_dense), nn.ReLU()]
    return nn.Sequential(*layers)
