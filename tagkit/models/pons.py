"""Pons et al. 2018 and 2019: filters shaped by musical knowledge, and filters without.

One back-end serves two front-ends: one on samples that assumes nothing, one on mel
bands whose filters are tall (timbre) or long (tempo). In every unit the order is
convolution, ReLU, batch norm, pool, as in the authors' code.
"""

import torch
from torch import nn
from torch.nn import functional

from tagkit.models import mel
from tagkit.models.tagger import Tagger, scaled

N_FRAMES = 187  # 3 s: 47,616 samples at 16 kHz, a frame every 256, the first at 0
N_SAMPLES = 256 * (N_FRAMES - 1)
BANDS = {
    "htk": {"mel_scale": "htk", "norm": None, "center": True},
    "slaney": {"mel_scale": "slaney", "norm": "slaney", "center": False},
}


class PonsWaveform(Tagger):
    """Seven layers of filters three samples long, then the shared back-end.

    conv 64 x 3 / 3, then 64, 64, 128, 128, 128, 256 x 3, each with a max-pool 3 and
    no padding, then `Backend`.

    Args:
        n_back: channels of the back-end; 64 suits a corpus as small as MagnaTagATune.
        n_dense: size of its dense layer; 200 suits such a corpus.
        n_samples: 48,000 (3 s); 51,776 in Weber's replication, nine to a clip.
        front_width: scales the channels of the front-end alone, as in the paper's
            tables of its capacity.
        n_layers: 9 for the paper's 1.2 million tracks, with channels 64, 64, 64, 128,
            128, 128, 128, 128, 256. They need longer windows, such as 240,000 (15 s).
            The copy that we read has lost its numbers: both are from memory.

    Shape: (batch, 48_000) at 16 kHz -> (batch, n_tags);
    16,000 frames, 5,332, 1,776, 591, 196, 64, 20.
    Source: Pons et al., ISMIR 2018, and their code; Weber, EPFL 2019; 5,377,082
    parameters with 50 tags.
    """

    def __init__(
        self,
        n_tags: int = 50,
        n_back: int = 512,
        n_dense: int = 500,
        n_samples: int = 48_000,
        width: float = 1.0,
        *,
        front_width: float = 1.0,
        n_layers: int = 7,
    ):
        arguments = {"n_tags": n_tags, "n_back": n_back, "n_dense": n_dense}
        arguments |= {"n_samples": n_samples, "width": width}
        if front_width != 1:  # checkpoints of 0.8 know no other
            arguments["front_width"] = front_width
        if n_layers != 7:
            arguments["n_layers"] = n_layers
        super().__init__(n_samples, 16_000, arguments)
        channels = [64] * 3 + [128] * (n_layers - 4) + [256]
        channels = [scaled(n, width * front_width) for n in channels]
        layers = unit1d(1, channels[0], 3, stride=3)
        for n_in, n_out in zip(channels[:-1], channels[1:], strict=True):
            layers += [*unit1d(n_in, n_out, 3), nn.MaxPool1d(3)]
        self.frontend = nn.Sequential(*layers)
        self.backend = Backend(channels[-1], n_back, n_dense, width)
        self.output = nn.Linear(scaled(n_dense, width), n_tags)

    def embed(self, samples: torch.Tensor) -> torch.Tensor:
        self.check(samples)
        features = self.frontend(samples[:, None])  # (batch, 256, 20)
        return self.backend(features)  # (batch, 500)


class PonsSpectrogram(Tagger):
    """Tall filters for timbre and long ones for tempo, then the shared back-end.

    On 96 mel bands, all in parallel: filters of 7, 3 and 1 frames by 86 and 38 bands
    (90 and 40 % of them), with the maximum over frequency; and filters of 165, 128, 64
    and 32 frames on the mean over frequency. The paper does not say which logarithm;
    ours is musicnn's log10(1 + 10000 power), standardised by a batch norm without
    parameters.

    Args:
        n_back, n_dense: as in `PonsWaveform`.
        n_samples: of any window from 1,792 on, since the back-end takes the maximum
            and the mean over time; 465,920 are a whole clip of MagnaTagATune, 1,821
            frames. The paper found means over patches better than whole songs.
        front_width: as in `PonsWaveform`.

    Shape: (batch, 47_616) at 16 kHz, 187 frames -> (batch, n_tags); 464 x 187.
    Source: Pons et al., ISMIR 2018, and their code with 16 filters; 5,924,154
    parameters with 50 tags.
    """

    def __init__(
        self,
        n_tags: int = 50,
        n_back: int = 512,
        n_dense: int = 500,
        width: float = 1.0,
        *,
        front_width: float = 1.0,
        n_samples: int = N_SAMPLES,
    ):
        arguments = {"n_tags": n_tags, "n_back": n_back, "n_dense": n_dense}
        arguments["width"] = width
        if front_width != 1:  # checkpoints of 0.8 know no other
            arguments["front_width"] = front_width
        if n_samples != N_SAMPLES:
            arguments["n_samples"] = n_samples
        super().__init__(n_samples, 16_000, arguments)
        self.mel = mel.LogMel(16_000, n_fft=512, hop=256, n_mels=96, log="log10")
        self.scale = nn.BatchNorm2d(1, affine=False)
        self.timbre = nn.ModuleList()
        self.tempo = nn.ModuleList()
        n_features = 0
        for n_bands in (86, 38):
            for n_filters, n_frames in ((16, 7), (32, 3), (64, 1)):
                n = scaled(n_filters, width * front_width)
                self.timbre.append(Tall(n, n_frames, n_bands))
                n_features += n
        for n_filters, n_frames in ((16, 165), (32, 128), (64, 64), (128, 32)):
            n = scaled(n_filters, width * front_width)
            pad = nn.ZeroPad1d(((n_frames - 1) // 2, n_frames // 2))
            self.tempo.append(nn.Sequential(pad, *unit1d(1, n, n_frames)))
            n_features += n
        self.backend = Backend(n_features, n_back, n_dense, width)
        self.output = nn.Linear(scaled(n_dense, width), n_tags)

    def embed(self, samples: torch.Tensor) -> torch.Tensor:
        self.check(samples)
        image = self.scale(self.mel(samples)[:, None])  # (batch, 1, 96, 187)
        envelope = image.mean(dim=2)  # (batch, 1, 187)
        features = [filters(image) for filters in self.timbre]
        features += [filters(envelope) for filters in self.tempo]
        x = torch.cat(features, dim=1)  # (batch, 464, 187)
        return self.backend(x)  # (batch, 500)


class Musicnn(Tagger):
    """The small successor: fewer shapes of filters, a light back-end.

    Batch norm of the 96 mel bands as one channel; 204 filters of 7 x 67 and 204 of
    7 x 38, 51 each of 128, 64 and 32 frames by one band, all with the maximum over
    frequency; three conv 64 x 7, each added to the one before; front and middle side
    by side; maximum and mean over time; batch norm, dropout 0.5, dense 200, ReLU,
    batch norm, dropout 0.5, dense n_tags.

    Args:
        bands: "htk", mel bands as in our other models, edges reflected; or "slaney",
            all as the authors' weights need it: librosa's scale and areas, an eps of
            0.001 in batch norm, and a window with 256 samples more at each end, so
            that no frame is made of reflected sound.

    Shape: (batch, 47_616) at 16 kHz, or (batch, 48_128) with "slaney", 187 frames ->
    (batch, n_tags); 561 x 187, 753 x 187, 1,506.
    Raises: ValueError for other bands.
    Source: Pons & Serra, 2019, and their code; 787,159 parameters with 50 tags.
    """

    def __init__(self, n_tags: int = 50, width: float = 1.0, *, bands: str = "htk"):
        if bands not in BANDS:
            raise ValueError(f"bands {bands!r} are unknown; needed is htk or slaney")
        arguments = {"n_tags": n_tags, "width": width}
        if bands != "htk":  # checkpoints of 0.6 know no bands
            arguments["bands"] = bands
        n_context = 0 if bands == "htk" else 512
        super().__init__(N_SAMPLES + n_context, 16_000, arguments)
        self.n_at_once = 16  # a window's widest map has 1.1 million numbers
        self.mel = mel.LogMel(
            16_000, n_fft=512, hop=256, n_mels=96, log="log10", **BANDS[bands]
        )
        self.scale = nn.BatchNorm2d(1, affine=False)
        self.gain = nn.Parameter(torch.ones(1))  # `Filters` applies gain and shift
        self.shift = nn.Parameter(torch.zeros(1))
        n_timbre, n_tempo = scaled(204, width), scaled(51, width)
        n_middle, n_dense = scaled(64, width), scaled(200, width)
        filters = [Tall(n_timbre, 7, 67), Tall(n_timbre, 7, 38)]
        filters += [Tall(n_tempo, n_frames, 1) for n_frames in (128, 64, 32)]
        self.frontend = nn.ModuleList(filters)
        n_front = 2 * n_timbre + 3 * n_tempo
        self.middle = nn.ModuleList(
            nn.Sequential(*unit1d(n, n_middle, 7, padding=3))
            for n in (n_front, n_middle, n_middle)
        )
        n_all = 2 * (n_front + 3 * n_middle)
        self.dense = nn.Sequential(
            nn.BatchNorm1d(n_all),
            nn.Dropout(0.5),
            nn.Linear(n_all, n_dense),
            nn.ReLU(),
            nn.BatchNorm1d(n_dense),
            nn.Dropout(0.5),
        )
        self.output = nn.Linear(n_dense, n_tags)
        if bands == "slaney":
            for layer in self.modules():
                if isinstance(layer, nn.BatchNorm1d | nn.BatchNorm2d):
                    layer.eps = 1e-3  # TensorFlow's

    def embed(self, samples: torch.Tensor) -> torch.Tensor:
        self.check(samples)
        image = self.scale(self.mel(samples)[:, None])  # (batch, 1, 96, 187)
        front = [filters(image, self.gain, self.shift) for filters in self.frontend]
        front = torch.cat(front, dim=1)
        first, second, third = self.middle  # (batch, 561, 187) -> (batch, 64, 187)
        a = first(front)
        b = a + second(a)
        c = b + third(b)
        x = torch.cat([front, a, b, c], dim=1)  # (batch, 753, 187)
        x = torch.cat([x.amax(dim=2), x.mean(dim=2)], dim=1)  # (batch, 1506)
        return self.dense(x)  # (batch, 200)


class Tall(nn.Module):
    """Filters of n_frames by n_bands, and their maximum over frequency.

    Shape: (batch, 1, n_mels, n_frames) -> (batch, n_filters, n_frames).
    """

    def __init__(self, n_filters: int, n_frames: int, n_bands: int):
        super().__init__()
        self.conv = Filters(n_filters, n_frames, n_bands)
        self.norm = nn.BatchNorm2d(n_filters)

    def forward(self, image: torch.Tensor, gain=1.0, shift=0.0) -> torch.Tensor:
        return self.norm(self.conv(image, gain, shift).relu_()).amax(dim=2)


class Filters(nn.Conv2d):
    """A convolution over gain * image + shift, padded with zeros in time.

    The gain is multiplied into the filters. What they make of the shift, the same for
    all bands, is added afterwards. So no gradient flows back to the image, which is
    data; on a CPU it would take longer than the rest of a step (benchmarks/steps.py).

    Shape: (batch, 1, n_mels, n_frames) -> (batch, n_filters, n_mels - n_bands + 1,
    n_frames).
    """

    def __init__(self, n_filters: int, n_frames: int, n_bands: int):
        super().__init__(1, n_filters, (n_bands, n_frames))
        # An even number of frames cannot be centred: one zero more after than before.
        self.zeros = (n_frames - 1) // 2, n_frames // 2

    def forward(self, image: torch.Tensor, gain=1.0, shift=0.0) -> torch.Tensor:
        ones = torch.ones_like(image[:1, :, : self.kernel_size[0]])
        image = functional.pad(image, self.zeros)
        ones = functional.pad(ones, self.zeros)
        of_image = functional.conv2d(image, gain * self.weight, self.bias)
        return of_image + shift * functional.conv2d(ones, self.weight)


class Backend(nn.Module):
    """Three convolutions with shortcuts, maximum and mean over time, a dense layer.

    The second and third batch norm have one scale for the whole map: in the authors'
    code they meet an axis of size 1 (one per channel would add 2,044 parameters). The
    500 units of the paper are the dense layer before the tags, not the tags.

    Shape: (batch, n_features, n_frames) -> (batch, n_dense).
    """

    def __init__(self, n_features, n_back, n_dense, width):
        super().__init__()
        n_back = scaled(n_back, width)
        n_dense = scaled(n_dense, width)
        self.first = nn.Sequential(*unit1d(n_features, n_back, 7))
        self.second = nn.Sequential(nn.Conv1d(n_back, n_back, 7, padding=3), nn.ReLU())
        self.third = nn.Sequential(nn.Conv1d(n_back, n_back, 7, padding=3), nn.ReLU())
        self.norms = nn.ModuleList((nn.BatchNorm2d(1), nn.BatchNorm2d(1)))
        self.pool = nn.MaxPool1d(2)
        self.dense = nn.Sequential(
            nn.Dropout(0.5),
            nn.Linear(2 * n_back, n_dense),
            nn.ReLU(),
            nn.BatchNorm1d(n_dense),
            nn.Dropout(0.5),
        )

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        x = self.first(features)  # (batch, 512, n_frames - 6)
        x = x + self.norms[0](self.second(x)[:, None])[:, 0]
        x = self.pool(x)
        x = x + self.norms[1](self.third(x)[:, None])[:, 0]
        x = torch.cat([x.amax(dim=2), x.mean(dim=2)], dim=1)  # (batch, 1024)
        return self.dense(x)


def unit1d(n_in: int, n_out: int, kernel: int, stride: int = 1, padding: int = 0):
    """List the layers of a unit: convolution, ReLU, batch norm."""
    conv = nn.Conv1d(n_in, n_out, kernel, stride, padding)
    return [conv, nn.ReLU(), nn.BatchNorm1d(n_out)]
