"""From samples to mel bands, once by hand and once as a layer of a network."""

import numpy as np
import torch
import torchaudio
from torch import nn

CACHED = 350_000  # samples transformed at a time on a CPU: a clip of 29 s at 12 kHz
BANDS = 16  # mel bands summed at a time, from those bins that reach them


def hz_to_mel(hz):
    """Convert Hz to mel by the HTK formula, 2595 log10(1 + f / 700).

    Shape: any -> the same.
    Source: O'Shaughnessy 1987; Young et al., The HTK Book.
    Notebook: course/03_spectrogram_cnns.ipynb

    >>> round(float(hz_to_mel(1000)))
    1000
    """
    return 2595 * np.log10(1 + np.asarray(hz) / 700)


def mel_to_hz(mel):
    """Convert mel to Hz, the inverse of `hz_to_mel`.

    Shape: any -> the same.
    Notebook: course/03_spectrogram_cnns.ipynb

    >>> round(float(mel_to_hz(hz_to_mel(440))))
    440
    """
    return 700 * (10 ** (np.asarray(mel) / 2595) - 1)


def mel_filters(sample_rate: int, n_fft: int, n_mels: int) -> np.ndarray:
    """Make the triangles that sum the bins of a spectrum into mel bands.

    The corners are equally spaced in mel from 0 Hz to half the sampling rate. Each
    triangle rises from the centre of the band below to 1 and falls to the centre of
    the band above. A band narrower than a bin can stay empty; a larger n_fft or a
    smaller n_mels prevents that.

    Shape: (n_mels, 1 + n_fft // 2).
    Source: The HTK Book, 5.4; agrees with torchaudio's and librosa's (htk, norm=None).

    >>> mel_filters(16_000, 512, 96).shape
    (96, 257)
    """
    bins = np.linspace(0, sample_rate / 2, 1 + n_fft // 2)  # Hz
    corners = mel_to_hz(np.linspace(0, hz_to_mel(sample_rate / 2), n_mels + 2))
    low, centre, high = corners[:-2, None], corners[1:-1, None], corners[2:, None]
    rising = (bins - low) / (centre - low)
    falling = (high - bins) / (high - centre)
    return np.maximum(0, np.minimum(rising, falling))


class LogMel(nn.Module):
    """A log-mel spectrogram as the first layer of a network, on the batch's device.

    Args:
        n_fft: samples in a transform.
        hop: samples from one transform to the next.
        win_length: samples in the window; default n_fft. A short window in a long
            transform gives fine time without empty mel bands.
        log: "db", 10 log10(power), at least -100 dB; "log1p", log(1 + 10000 power)
            as Dieleman 2014; "log10", log10(1 + 10000 power) as musicnn.
        mel_scale: "htk", or "slaney", straight up to 1 kHz: librosa's default.
        norm: None for triangles of height 1, or "slaney" for triangles of area 1,
            librosa's default, which gives some 35 times less power.
        center: pad n_fft // 2 samples of reflected sound on each side, so that frames
            lie around 0, hop, 2 hop ...; False takes no sound but what is there.

    Shape: (batch, n_samples) -> (batch, n_mels, 1 + n_samples // hop), or without
    center (batch, n_mels, 1 + (n_samples - n_fft) // hop); float32 even inside
    torch.autocast.
    Raises: ValueError for another log, scale or norm, or for too few samples to
    transform or to reflect.
    Source: the settings 512/256/96 at 12 kHz of Choi 2016 and Wells 2018.
    Notebook: course/03_spectrogram_cnns.ipynb

    >>> LogMel()(torch.zeros(2, 349_488)).shape
    torch.Size([2, 96, 1366])
    """

    def __init__(
        self,
        sample_rate: int = 12_000,
        n_fft: int = 512,
        hop: int = 256,
        n_mels: int = 96,
        win_length: int | None = None,
        log: str = "db",
        *,
        mel_scale: str = "htk",
        norm: str | None = None,
        center: bool = True,
    ):
        super().__init__()
        if log not in ("db", "log1p", "log10"):
            raise ValueError(f"log {log!r} is unknown; needed is db, log1p or log10")
        self.sample_rate = sample_rate
        self.n_fft = n_fft
        self.hop = hop
        self.log = log
        self.n_half = n_fft // 2 if center else 0  # samples reflected on each side
        filters = torchaudio.functional.melscale_fbanks(
            1 + n_fft // 2, 0.0, sample_rate / 2, n_mels, sample_rate, norm, mel_scale
        )  # (n_bins, n_mels)
        filters = filters.repeat_interleave(2, dim=0)  # real and imaginary part
        self.bins = [_bins(bands) for bands in filters.split(BANDS, dim=1)]
        window = torch.hann_window(win_length or n_fft)
        before = (n_fft - len(window)) // 2
        window = nn.functional.pad(window, (before, n_fft - len(window) - before))
        # Not stored in checkpoints: they follow from the arguments.
        self.register_buffer("filters", filters, persistent=False)
        self.register_buffer("window", window, persistent=False)
        self.floor = -100.0 if log == "db" else 0.0  # what silence gives, to pad with

    def forward(self, samples: torch.Tensor) -> torch.Tensor:
        fewest = self.n_half + 1 if self.n_half else self.n_fft
        if samples.shape[-1] < fewest:
            raise ValueError(
                f"samples have shape {tuple(samples.shape)}; a transform of "
                f"{self.n_fft} needs {fewest} samples or more, give longer windows"
            )
        # The dynamic range of power is beyond 16-bit numbers.
        with torch.autocast(samples.device.type, enabled=False):
            samples = samples.to(self.window.dtype)
            if torch.onnx.is_in_onnx_export():  # parts would fix the size of a batch
                return self._log_mel(samples)
            n_clips = len(samples)
            if samples.device.type == "cpu":  # few enough to stay in its caches
                n_clips = max(1, CACHED // samples.shape[1])
            return torch.cat([self._log_mel(s) for s in samples.split(n_clips)])

    def _log_mel(self, samples: torch.Tensor) -> torch.Tensor:
        if half := self.n_half:
            before = samples[:, 1 : half + 1].flip(1)  # edges reflected
            after = samples[:, -half - 1 : -1].flip(1)
            samples = torch.cat([before, samples, after], dim=1)
        if torch.onnx.is_in_onnx_export():
            mel = self._mel_by_convolution(samples)
        else:
            mel = self._mel_by_transform(samples)
        if self.log == "db":
            return mel.clamp(min=1e-10).log10().mul_(10)
        return torch.log1p(10_000 * mel) / (1 if self.log == "log1p" else np.log(10))

    def _mel_by_transform(self, samples: torch.Tensor) -> torch.Tensor:
        frames = samples.unfold(1, self.n_fft, self.hop)  # (batch, n_frames, n_fft)
        spectrum = torch.fft.rfft(frames * self.window)  # (batch, n_frames, n_bins)
        # The squares of a bin's real and imaginary part sum to its power.
        squares = torch.view_as_real(spectrum).square().flatten(2).flatten(0, 1)
        filters = zip(self.bins, self.filters.split(BANDS, dim=1), strict=True)
        mel = torch.cat([squares[:, b] @ bands[b] for b, bands in filters], dim=1)
        return mel.unflatten(0, frames.shape[:2]).transpose(1, 2)

    def _mel_by_convolution(self, samples: torch.Tensor) -> torch.Tensor:
        """Take the rows of the DFT for filters: slower, but any runtime can do it."""
        window = np.diag(self.window.cpu().double().numpy())
        rows = torch.from_numpy(np.fft.rfft(window).T.copy())  # (n_bins, n_fft)
        rows = torch.stack([rows.real, rows.imag], dim=1).flatten(0, 1)[:, None]
        parts = nn.functional.conv1d(
            samples[:, None], rows.to(samples), stride=self.hop
        )  # (batch, 2 n_bins, n_frames): real, imaginary, real ...
        return self.filters.T @ parts.square()


def _bins(filters: torch.Tensor) -> slice:
    """Give the range of rows in which any of the filters is above zero."""
    rows = filters.any(dim=1).nonzero()
    return slice(int(rows.min()), int(rows.max()) + 1) if len(rows) else slice(0)
