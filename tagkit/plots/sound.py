"""Pictures of sound: samples, spectrograms, the mel scale, filters."""

import numpy as np

from tagkit.plots.picture import COLORS, FAINT, finish, plt, start

_TICKS = (0, 125, 250, 500, 1000, 2000, 4000, 8000, 16_000)  # Hz


def waveform(samples: np.ndarray, sample_rate: int, title: str = "", ax=None):
    """Draw samples over time: a line, or the envelope where there are too many.

    Args: samples, cut out what you want to see: below about 2,000 samples the picture
    shows each of them, and time is in milliseconds.
    Shape: (n_samples,), full scale is 1; sample_rate in Hz.
    Raises: ValueError for another shape, no samples, NaN or infinite samples.
    Notebook: course/00_start_here.ipynb

    >>> from tagkit.plots import alt_text
    >>> alt_text(waveform(np.array([0.0, 0.5, 0.0]), 1000))
    'Waveform of 3.0 ms: peak amplitude 0.50 at 1.0 ms, root mean square 0.29.'
    """
    samples = _need_samples(samples)
    seconds = len(samples) / sample_rate
    unit, scale = ("s", 1) if seconds > 1 else ("ms", 1000)
    ax = start(ax, 2.2)
    if len(samples) <= 4000:
        times = scale * np.arange(len(samples)) / sample_rate
        marker = "." if len(samples) <= 200 else ""
        ax.plot(times, samples, color=COLORS[0], linewidth=1, marker=marker)
    else:
        edges = np.linspace(0, len(samples), 1001).astype(int)[:-1]
        low = np.minimum.reduceat(samples, edges)
        high = np.maximum.reduceat(samples, edges)
        times = scale * edges / sample_rate
        ax.fill_between(times, low, high, color=COLORS[0], linewidth=0.5)
    peak = int(np.argmax(np.abs(samples)))
    top = max(1e-6, 1.05 * float(np.abs(samples).max()))
    ax.set_xlim(0, scale * seconds)
    ax.set_ylim(-top, top)
    return finish(
        ax,
        f"Waveform of {scale * seconds:,.1f} {unit}: peak amplitude "
        f"{abs(samples[peak]):.2f} at {scale * peak / sample_rate:,.1f} {unit}, "
        f"root mean square {np.sqrt(np.mean(samples**2)):.2f}.",
        title=title,
        x=f"time ({unit})",
        y="amplitude (of 1)",
        grid="y",
    )


def spectrogram(
    mel_db: np.ndarray,
    sample_rate: int,
    hop: int,
    hz: np.ndarray | None = None,
    unit: str = "dB",
    title: str = "",
    ax=None,
):
    """Draw a (log-mel) spectrogram, time in seconds, ticks of the mel axis in Hz.

    Args: sample_rate (Hz) and hop (samples) of the transform, mind the model's rate;
    hz, the centre of each band, where the rows are not mel bands from 0 Hz to half the
    rate: np.fft.rfftfreq(n_fft, 1 / sample_rate) draws an STFT; unit, of the values:
    in dB the colours span at most 80 dB below the loudest cell.
    Shape: mel_db (n_mels, n_frames), hz (n_mels,).
    Raises: ValueError for another shape or where no value is finite.
    Notebook: course/01_dataset_analysis.ipynb

    >>> spectrogram(np.zeros((96, 10)), 12_000, 256).get_ylabel()
    'frequency (Hz)'
    """
    values = np.asarray(mel_db, dtype=float)
    if values.ndim != 2 or not np.isfinite(values).any():
        raise ValueError(
            f"mel_db has shape {values.shape} and {np.isfinite(values).sum()} finite "
            "values; needed is (n_mels, n_frames); of a batch, draw mel_db[0]"
        )
    n_mels, n_frames = values.shape
    hz = _mel_centres(n_mels, sample_rate) if hz is None else np.asarray(hz, float)
    if hz.shape != (n_mels,):
        raise ValueError(
            f"hz has shape {hz.shape} for {n_mels} rows; needed is one frequency per "
            "row; leave hz out for mel bands"
        )
    seconds = n_frames * hop / sample_rate
    values = np.where(np.isfinite(values), values, np.nan)
    high = np.nanmax(values)
    low = max(np.nanmin(values), high - 80) if unit == "dB" else np.nanmin(values)
    ax = start(ax, 2.8)
    image = ax.imshow(
        values,
        origin="lower",
        aspect="auto",
        cmap=plt.get_cmap("viridis").with_extremes(bad=FAINT),
        extent=(0, seconds, -0.5, n_mels - 0.5),
        vmin=low,
        vmax=high if high > low else low + 1,
        interpolation="nearest",
    )
    _hz_ticks(ax, hz)
    bar = ax.figure.colorbar(image, ax=ax, pad=0.01, aspect=15)
    bar.set_label(unit, fontsize=10)
    bar.ax.tick_params(labelsize=9)
    loudest = hz[np.nanargmax(np.nanmean(values, axis=1))] if n_frames else 0
    cut = f", drawn from {low:.1f} up" if low > np.nanmin(values) else ""
    return finish(
        ax,
        f"Spectrogram of {n_mels} bands by {n_frames:,} frames ({seconds:.1f} s): on "
        f"average strongest near {_round(loudest):,} Hz, values from "
        f"{np.nanmin(values):.1f} to {high:.1f} {unit}{cut}.",
        title=title,
        x="time (s)",
        y="frequency (Hz)",
    )


def mel_scale(max_hz: float = 8000, ax=None):
    """Draw mel against Hz, with lines at steps of equal mel.

    Source: the HTK formula, mel = 2595 log10(1 + f / 700).
    Raises: ValueError unless max_hz is above 0.
    Notebook: course/01_dataset_analysis.ipynb

    >>> from tagkit.plots import alt_text
    >>> alt_text(mel_scale())  # doctest: +ELLIPSIS
    'Curve of the mel scale from 0 to 8,000 Hz: 1,000 Hz are 1,000 mel, and the lower...
    """
    if not max_hz > 0:
        raise ValueError(
            f"max_hz is {max_hz}; needed is a frequency above 0; take half the "
            "sampling rate"
        )
    from tagkit.models.mel import (  # torch, so only when it is needed
        hz_to_mel,
        mel_to_hz,
    )

    hz = np.linspace(0, max_hz, 400)
    steps = mel_to_hz(np.linspace(0, hz_to_mel(max_hz), 11))
    ax = start(ax)
    ax.vlines(steps, 0, hz_to_mel(steps), color=COLORS[5], linewidth=1)
    ax.hlines(hz_to_mel(steps), 0, steps, color=COLORS[5], linewidth=1)
    ax.plot(hz, hz_to_mel(hz), color=COLORS[0], linewidth=2)
    ax.set_xlim(0, max_hz)
    ax.set_ylim(0)
    return finish(
        ax,
        f"Curve of the mel scale from 0 to {max_hz:,.0f} Hz: 1,000 Hz are 1,000 mel, "
        f"and the lower half of the mels ends at {steps[5]:,.0f} Hz.",
        title=f"Ten equal steps in mel; the first five end at {steps[5]:,.0f} Hz",
        x="frequency (Hz)",
        y="pitch (mel)",
    )


def mel_filters(filters: np.ndarray, hz: np.ndarray, ax=None):
    """Draw the triangles of a mel filter bank over frequency.

    Args: filters, from mel.mel_filters; with more than about 40 of them only the
    pattern can be seen, which is the point: narrow at the left, wide at the right.
    Shape: filters (n_mels, n_bins), hz (n_bins,) in Hz.
    Raises: ValueError where the shapes do not fit.
    Notebook: course/03_spectrogram_cnns.ipynb

    >>> mel_filters(np.eye(3), np.array([0, 100, 200])).get_xlabel()
    'frequency (Hz)'
    """
    filters, hz = np.asarray(filters, dtype=float), np.asarray(hz, dtype=float)
    if filters.ndim != 2 or hz.shape != filters.shape[1:] or not filters.size:
        raise ValueError(
            f"filters has shape {filters.shape}, hz {hz.shape}; needed are (n_mels, "
            "n_bins) and (n_bins,); hz is np.linspace(0, sample_rate / 2, n_bins)"
        )
    ax = start(ax, 2.6)
    for number, filter_ in enumerate(filters):
        ax.plot(hz, filter_, color=COLORS[(0, 1, 2)[number % 3]], linewidth=1)
    ax.set_xlim(hz[0], hz[-1])
    ax.set_ylim(0)
    n_empty = int((filters.max(axis=1) <= 0).sum())
    step = np.diff(hz).max(initial=0)
    widths = [step * (row > 0).sum() for row in filters if (row > 0).any()] or [0.0]
    empty = f"{n_empty} of them are empty" if n_empty else "none of them is empty"
    return finish(
        ax,
        f"{len(filters)} mel filters from {hz[0]:,.0f} to {hz[-1]:,.0f} Hz: the lowest "
        f"covers {widths[0]:,.0f} Hz, the highest {widths[-1]:,.0f} Hz, and {empty}.",
        title=f"{len(filters)} mel filters, {empty}",
        x="frequency (Hz)",
        y="weight",
    )


def filters(weights: np.ndarray, sample_rate: int, ax=None):
    """Draw what learned first-layer filters respond to, sorted by centre frequency.

    Each column is one filter's magnitude response, its own maximum set to 1; the
    orange line is where filters spread evenly in mel would lie.

    Args: weights, of the first convolution, as numpy (`.detach().cpu().numpy()`).
    Shape: (n_filters, length) or (n_filters, 1, length); sample_rate in Hz.
    Source: figure 3 of Dieleman & Schrauwen 2014.
    Raises: ValueError for another shape or weights that are not finite.
    Notebook: course/02_raw_waveform_cnns.ipynb

    >>> time = np.arange(256) / 12_000
    >>> weights = np.stack([np.sin(6.2832 * hz * time) for hz in (3000, 750)])
    >>> from tagkit.plots import alt_text
    >>> alt_text(filters(weights, 12_000))  # doctest: +ELLIPSIS
    'Magnitude responses of 2 filters ... from 750 to 3,000 Hz, the median is 1,875 Hz.'
    """
    hz, responses = _responses(weights, sample_rate)
    tops = responses.max(axis=1)
    alive = tops > 0
    peaks = np.where(alive, hz[responses.argmax(axis=1)], np.inf)
    order = np.argsort(peaks, kind="stable")
    shown = (responses / np.where(alive, tops, 1)[:, None])[order].T
    n = len(responses)
    ax = start(ax, 3.6)
    image = ax.imshow(
        shown,
        origin="lower",
        aspect="auto",
        cmap="viridis",
        extent=(0.5, n + 0.5, 0, hz[-1]),
        interpolation="nearest",
        vmin=0,
        vmax=1,
    )
    line = dict(linewidth=2.5, color=COLORS[1])
    ax.plot(
        np.arange(1, n + 1), _mel_centres(n, sample_rate), **line, label="mel scale"
    )
    ax.legend(loc="upper left", framealpha=1)
    bar = ax.figure.colorbar(image, ax=ax, pad=0.01, aspect=20)
    bar.set_label("magnitude / own maximum", fontsize=10)
    bar.ax.tick_params(labelsize=9)
    found = peaks[alive] if alive.any() else np.zeros(1)
    n_dead = int((~alive).sum())
    return finish(
        ax,
        f"Magnitude responses of {n} filters sorted by centre frequency: centres run "
        f"from {found.min():,.0f} to {found.max():,.0f} Hz, the median is "
        f"{np.median(found):,.0f} Hz" + (f"; {n_dead} are zero." if n_dead else "."),
        title=f"What {n} filters respond to",
        x="filter, sorted by centre frequency",
        y="frequency (Hz)",
    )


def response(kernel: np.ndarray, sample_rate: int, title: str = "", ax=None):
    """Draw what one filter responds to, over frequency, and mark its centre.

    Args: kernel, one filter of a first layer; the centre is where it answers most.
    Shape: (length,), sample_rate in Hz.
    Raises: ValueError for another shape or weights that are not finite.
    Notebook: course/02_raw_waveform_cnns.ipynb

    >>> from tagkit.plots import alt_text
    >>> alt_text(response(np.cos(6.2832 * 750 * np.arange(256) / 12_000), 12_000))
    'Magnitude response of one filter from 0 to 6,000 Hz: it answers most to 750 Hz.'
    """
    hz, (answer,) = _responses(np.asarray(kernel)[None], sample_rate)
    top, centre = float(answer.max()), hz[answer.argmax()]
    ax = start(ax, 2.2)
    ax.plot(hz, answer / (top or 1), color=COLORS[0], linewidth=1.5)
    ax.axvline(
        centre, color=COLORS[1], linestyle="--", label=f"centre {centre:,.0f} Hz"
    )
    ax.legend(loc="upper right", frameon=False)
    ax.set_xlim(0, hz[-1])
    ax.set_ylim(0, 1.05)
    return finish(
        ax,
        f"Magnitude response of one filter from 0 to {hz[-1]:,.0f} Hz: it answers most "
        f"to {centre:,.0f} Hz.",
        title=title,
        x="frequency (Hz)",
        y="magnitude / maximum",
        grid="y",
    )


def centres(weights: np.ndarray, sample_rate: int) -> np.ndarray:
    """Find the frequency that each filter answers most to, in Hz.

    Shape: (n_filters, length) or (n_filters, 1, length) -> (n_filters,).
    Raises: ValueError as `filters`.
    Notebook: course/02_raw_waveform_cnns.ipynb

    >>> centres(np.cos(6.2832 * 750 * np.arange(256) / 12_000)[None], 12_000)
    array([750.])
    """
    hz, responses = _responses(weights, sample_rate)
    return hz[responses.argmax(axis=1)]


def _responses(weights, sample_rate):
    """Frequencies in Hz, and each filter's magnitudes there, (n_filters, n_bins)."""
    weights = np.asarray(weights, dtype=float)
    if weights.ndim == 3 and weights.shape[1] == 1:
        weights = weights[:, 0]
    if weights.ndim != 2 or not weights.size or not np.isfinite(weights).all():
        raise ValueError(
            f"weights has shape {weights.shape} or holds values that are not finite; "
            "needed is (n_filters, length); take the first layer's weight"
        )
    n_fft = max(1024, weights.shape[1])
    hz = np.fft.rfftfreq(n_fft, 1 / sample_rate)
    return hz, np.abs(np.fft.rfft(weights, n_fft))


def _mel_centres(n_mels: int, sample_rate: int) -> np.ndarray:
    """Centres of n_mels triangles between 0 Hz and half the rate, in Hz."""
    from tagkit.models.mel import (  # torch, so only when it is needed
        hz_to_mel,
        mel_to_hz,
    )

    return mel_to_hz(np.linspace(0, hz_to_mel(sample_rate / 2), n_mels + 2)[1:-1])


def _hz_ticks(ax, hz):
    """Ticks at round frequencies, wherever their bands lie."""
    rows = {tick: np.interp(tick, hz, np.arange(len(hz))) for tick in _TICKS}
    step, last, shown = max(len(hz) / 12, 1e-9), -np.inf, {}
    for tick, row in rows.items():
        if hz[0] <= tick <= hz[-1] and row - last >= step:
            shown[tick] = last = row
    ax.set_yticks(list(shown.values()), [f"{tick:,}" for tick in shown])


def _round(hz: float) -> int:
    """Two leading digits are all that the eye reads off such a picture."""
    return int(float(f"{hz:.2g}"))


def _need_samples(samples) -> np.ndarray:
    samples = np.asarray(samples, dtype=float)
    n_bad = int((~np.isfinite(samples)).sum())
    if samples.ndim != 1 or not len(samples) or n_bad:
        raise ValueError(
            f"samples has shape {samples.shape} and {n_bad} values not finite; "
            "needed is sound of shape (n_samples,); take corpus.load(clip_id)"
        )
    return samples
