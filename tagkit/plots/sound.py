"""Pictures of sound: samples, spectrograms, filters."""

import librosa.display
import numpy as np
from matplotlib import mlab

from tagkit.plots.picture import COLORS, FAINT, finish, need, start


def waveform(samples: np.ndarray, sample_rate: int, *, title: str = "", ax=None):
    """Draw samples over time, up to one second in milliseconds.

    Shape: samples (n_samples,), full scale is 1; sample_rate in Hz.

    >>> from tagkit.plots import alt_text
    >>> alt_text(waveform(np.array([0.0, 0.5, 0.0]), 1000))
    'Waveform of 3.0 ms: peak amplitude 0.50 at 1.0 ms, root mean square 0.29.'
    """
    samples = np.asarray(samples, dtype=float)
    need(
        samples.ndim == 1 and samples.size and np.isfinite(samples).all(),
        "finite samples of shape (n_samples,), corpus.load(clip_id)",
        f"{samples.shape}, finite: {np.isfinite(samples).sum()}",
    )
    seconds = len(samples) / sample_rate
    unit, scale = ("s", 1) if seconds > 1 else ("ms", 1000)
    ax = start(ax, 2.2)
    librosa.display.waveshow(
        samples, sr=sample_rate, axis=unit, color=COLORS[0], ax=ax, linewidth=1
    )
    ax.set_xlim(0, seconds)
    peak = int(np.argmax(np.abs(samples)))
    alt = (
        f"Waveform of {scale * seconds:,.1f} {unit}: peak amplitude "
        f"{abs(samples[peak]):.2f} at {scale * peak / sample_rate:,.1f} {unit}, "
        f"root mean square {np.sqrt(np.mean(samples**2)):.2f}."
    )
    return finish(
        ax, alt, title=title, x=f"time ({unit})", y="amplitude (of 1)", grid="y"
    )


def spectrogram(
    mel_db: np.ndarray,
    sample_rate: int,
    hop: int,
    *,
    hz: np.ndarray | None = None,
    unit: str = "dB",
    title: str = "",
    ax=None,
):
    """Draw a (log-mel) spectrogram, time in seconds, frequency in Hz.

    Args: sample_rate (Hz) and hop (samples) of the transform; hz, the frequency of each
    row where the rows are not mel bands from 0 Hz to half the rate; unit, of the
    values: in dB the colours span at most 80 dB below the loudest cell.
    Shape: mel_db (n_mels, n_frames), hz (n_mels,).
    Notebook: course/02_raw_waveform_cnns.ipynb
    """
    values = np.asarray(mel_db, dtype=float)
    values = np.where(np.isfinite(values), values, np.nan)
    need(
        values.ndim == 2
        and np.isfinite(values).any()
        and (hz is None or np.shape(hz) == (len(values),)),
        "(n_mels, n_frames), of a batch mel_db[0], and a frequency per row",
        f"mel_db {values.shape}, finite: {np.isfinite(values).sum()}",
        f"hz {np.shape(hz)}",
    )
    low, high = np.nanmin(values), np.nanmax(values)
    floor = max(low, high - 80) if unit == "dB" else low
    ax = start(ax, 2.8)
    cells = _cells(ax, values, sample_rate, hop, hz, cmap="viridis", vmin=floor)
    ax.figure.colorbar(cells, ax=ax, pad=0.01, aspect=15, label=unit)
    alt = (
        f"Spectrogram of {len(values)} bands by {values.shape[1]:,} frames "
        f"({values.shape[1] * hop / sample_rate:.1f} s), values from {low:.1f} to "
        f"{high:.1f} {unit}."
    )
    return finish(ax, alt, title=title, x="time (s)", y="frequency (Hz)")


def mel_filters(filters: np.ndarray, hz: np.ndarray, *, ax=None):
    """Draw the triangles of a mel filter bank over frequency.

    Shape: filters (n_mels, n_bins), hz (n_bins,) in Hz.
    """
    filters = np.asarray(filters, dtype=float)
    ax = start(ax, 2.6)
    ax.set_prop_cycle(color=COLORS[:3])
    ax.plot(hz, filters.T, linewidth=1)
    ax.set_xlim(hz[0], hz[-1])
    ax.set_ylim(0)
    n_empty = int((filters.max(axis=1) <= 0).sum())
    empty = f"{n_empty} of them empty" if n_empty else "none of them empty"
    alt = f"{len(filters)} mel filters from {hz[0]:,.0f} to {hz[-1]:,.0f} Hz, {empty}."
    title = f"{len(filters)} mel filters, {empty}"
    return finish(ax, alt, title=title, x="frequency (Hz)", y="weight")


def log_mel(samples: np.ndarray, sample_rate: int, n_frames: int):
    """A mel spectrogram in dB below its loudest cell, and its hop in samples.

    Shape: (n_samples,) -> (96, about n_frames or fewer), for `spectrogram`.
    """
    from tagkit.models.mel import mel_filters  # torch, so only when needed

    hop = max(256, -(-len(samples) // n_frames))
    n_fft = max(2048, 2 * hop)  # no sound falls between two frames
    centred = np.pad(samples, n_fft // 2)
    power, _, _ = mlab.specgram(centred, n_fft, sample_rate, noverlap=n_fft - hop)
    mel = mel_filters(sample_rate, n_fft, 96) @ power + 1e-20
    return np.maximum(10 * np.log10(mel / mel.max()), -80), hop


def _cells(ax, values, sample_rate, hop, hz=None, **look):
    """Draw (n_bands, n_frames) by librosa; rows are mel bands where hz is None."""
    bands = _mel_steps(len(values) + 2, sample_rate / 2)[1:-1] if hz is None else hz
    ax.set_facecolor(FAINT)
    return librosa.display.specshow(
        values,
        sr=sample_rate,
        hop_length=hop,
        x_axis="s",
        y_coords=np.asarray(bands),
        y_axis="mel" if hz is None else "hz",
        ax=ax,
        **look,
    )


def _mel_steps(n: int, max_hz: float) -> np.ndarray:
    """n frequencies from 0 to max_hz in equal steps of mel, in Hz."""
    from tagkit.models.mel import hz_to_mel, mel_to_hz  # torch, so only when needed

    return mel_to_hz(np.linspace(0, hz_to_mel(max_hz), n))
