"""To hear: a player, a clip with its pictures, a clip through learned filters."""

import base64
import html

import ipywidgets
import numpy as np

from tagkit import plots
from tagkit.data import audio
from tagkit.widgets.page import (
    CROWD,
    MAX_SECONDS,
    View,
    audio_tag,
    box,
    cut,
    listing,
    safe,
)


def player(
    samples: np.ndarray,
    sample_rate: int = audio.SAMPLE_RATE,
    seconds: float = MAX_SECONDS,
    title: str = "",
    start: float = 0.0,
) -> View:
    """Embed a player of a piece of sound, as mp3 of 24 kbit/s.

    Args:
        seconds: at most 10, so that notebooks stay small; 3 to 6 are mostly enough.
        start: where the piece begins, in seconds.

    Shape: samples (n_samples,) float in [-1, 1]; louder ones are clipped.
    Raises: ValueError for no sound, NaN, another shape or more than 10 s.

    >>> view = player(np.sin(np.arange(16_000) / 6), title="424 Hz")
    >>> view, "<audio" in view.html
    (Player: 424 Hz, 1.0 s, True)

    Notebook: course/01_dataset_analysis.ipynb
    """
    piece, whole = cut(samples, sample_rate, seconds, start)
    length = len(piece) / sample_rate
    about = f"{length:.1f} s" + (f" of {whole:.1f} s" if whole > length + 0.05 else "")
    caption = f"<b>{safe(title)}</b> {about}" if title else about
    page = box(f"{caption}<br>{audio_tag(piece, sample_rate)}")
    return View(f"Player: {title + ', ' if title else ''}{about}", page)


def clip_view(
    samples: np.ndarray,
    sample_rate: int,
    mel_db: np.ndarray,
    tags,
    truth=None,
    mel_sample_rate: int = 12_000,
    seconds: float = MAX_SECONDS,
    start: float = 0.0,
    title: str = "",
) -> View:
    """Show a piece of a clip at once: waveform, log-mel, tags, and the sound.

    Where scripts are allowed a line runs along with the sound, and a click into the
    picture plays from there.

    Args:
        mel_db: of the whole clip, from mel.LogMel with mel_sample_rate.
        tags: names that the crowd gave; truth: those that are true, where known.
        seconds, start: the piece that is drawn and played, at most 10 s.

    Shape: samples (n_samples,), mel_db (n_mels, n_frames) over the same time.
    Raises: ValueError as `player`, and for a mel_db without frames.

    >>> view = clip_view(np.ones(16_000) / 2, 16_000, np.zeros((96, 47)), ["loud"])
    >>> view
    Clip view: 1.0 s, tags loud

    Notebook: course/00_start_here.ipynb
    """
    piece, whole = cut(samples, sample_rate, seconds, start)
    mel_db = np.asarray(mel_db)
    if mel_db.ndim != 2 or not mel_db.size:
        raise ValueError(
            f"mel_db has shape {mel_db.shape}; needed is (n_mels, n_frames); "
            "of a batch, take mel_db[0]"
        )
    length = len(piece) / sample_rate
    frames = np.round(np.array([start, start + length]) / whole * mel_db.shape[1])
    mel_db = mel_db[:, slice(int(frames[0]), max(int(frames[1]), int(frames[0]) + 1))]
    hop = length * mel_sample_rate / mel_db.shape[1]
    figure, axes = plots.panels(2, 1, height=2)
    plots.waveform(piece, sample_rate, ax=axes[0, 0])
    plots.spectrogram(mel_db, mel_sample_rate, hop, ax=axes[1, 0])
    axes[0, 0].set_xlabel("")
    told = plots.alt_text(figure)
    png = base64.b64encode(plots.to_png(axes[0, 0])).decode()
    area = axes[1, 0].get_position()
    left, width = 100 * area.x0, 100 * area.width
    move = (
        "this.parentNode.querySelector('i').style.left="
        f"({left:.2f}+{width:.2f}*this.currentTime/this.duration)+'%'"
    )
    jump = (
        "var a=this.parentNode.querySelector('audio'),r=this.getBoundingClientRect();"
        f"a.currentTime=Math.min(1,Math.max(0,((event.clientX-r.left)/r.width*100-{left:.2f})"
        f"/{width:.2f}))*a.duration;a.play()"
    )
    line = (
        f"position:absolute;top:0;bottom:0;left:{left:.2f}%;width:2px;"
        "background:#D55E00;transition:left .25s linear"
    )
    names = [str(tag) for tag in tags]
    page = box(
        (f"<b>{safe(title)}</b><br>" if title else "")
        + f'<div style="position:relative;max-width:800px" onclick="{jump}">'
        f'<img src="data:image/png;base64,{png}" alt="{html.escape(told)}" '
        f'style="width:100%;display:block"><i style="{line}"></i></div>'
        + audio_tag(piece, sample_rate, f' ontimeupdate="{move}"')
        + f"<br>{CROWD}: {listing(names)}"
        + (f"<br>True of the sound: {listing(truth)}" if truth is not None else "")
    )
    name = f"{title}, " if title else ""
    return View(
        f"Clip view: {name}{length:.1f} s, tags {', '.join(names) or 'none'}", page
    )


def filter_player(
    samples: np.ndarray,
    sample_rate: int,
    weights: np.ndarray,
    number: int = 0,
    seconds: float = 6,
    title: str = "",
) -> View:
    """Hear a clip through one learned filter, with its spectrum and centre frequency.

    A slider goes from the filter with the lowest centre to that with the highest. At
    a stride of 1 a filter gives sound again; it is made as loud as the clip, since
    many filters are soft.

    Args:
        samples: at the rate of the model that the filters are from.
        weights: of its first convolution, `.detach().cpu().numpy()`.
        number: of the filter to begin with, and that a static page plays.
        seconds: of the clip, at most 10.

    Shape: samples (n_samples,), weights (n_filters, length) or (n_filters, 1, length).
    Raises: ValueError as `player` and plots.filters; for a number that is no filter's.

    >>> time = np.arange(256) / 12_000
    >>> weights = np.stack([np.sin(6.2832 * hz * time) for hz in (3000, 750)])
    >>> noise = np.random.default_rng(0).normal(size=12_000) / 9
    >>> filter_player(noise, 12_000, weights, number=1, title="noise")
    Filter player: noise through filter 1 of 2, centre 750 Hz

    Notebook: course/02_raw_waveform_cnns.ipynb
    """
    piece, _ = cut(samples, sample_rate, seconds, 0.0)
    centres = plots.centres(weights, sample_rate)
    if not 0 <= number < len(centres):
        raise ValueError(
            f"number is {number} of {len(centres)} filters; needed is one from 0 to "
            f"{len(centres) - 1}"
        )
    kernels = np.asarray(weights, dtype=float).reshape(len(centres), -1)
    order = np.argsort(centres, kind="stable")
    rank = int(np.flatnonzero(order == number)[0])
    loudness = np.sqrt(np.mean(piece**2))

    def page(rank):
        kernel, centre = kernels[order[rank]], centres[order[rank]]
        ax = plots.response(kernel, sample_rate)
        alt = html.escape(plots.alt_text(ax))
        png = base64.b64encode(plots.to_png(ax)).decode()
        heard = np.convolve(piece, kernel[::-1], "same")  # as the network slides it
        heard *= loudness / (np.sqrt(np.mean(heard**2)) or 1)
        heard /= max(1, np.abs(heard).max())
        told = (
            f"<b>Filter {order[rank]}</b>, centre {centre:,.0f} Hz; {rank + 1} of "
            f"{len(order)} from low to high."
        )
        picture = f'<img src="data:image/png;base64,{png}" alt="{alt}" width="800">'
        sound = player(heard, sample_rate, seconds, "through the filter").html
        return f'<div role="status" aria-live="polite">{told}</div>{picture}{sound}'

    whole = player(piece, sample_rate, seconds, f"{title} as it is".strip()).html
    slider = ipywidgets.IntSlider(
        value=rank + 1,
        min=1,
        max=len(order),
        description="low to high",
        continuous_update=False,
        layout={"width": "36em"},
    )
    shown = ipywidgets.HTML(box(page(rank)))

    def change(event):
        shown.value = box(page(event["new"] - 1))

    slider.observe(change, names="value")
    named = ", ".join(f"{centres[i]:,.0f}" for i in order)
    more = (
        f"<small>Centres of all filters, in Hz: {named}. In JupyterLab a slider goes "
        "through them.</small>"
    )
    told = f"{title} through " if title else ""
    return View(
        f"Filter player: {told}filter {number} of {len(order)}, centre "
        f"{centres[number]:,.0f} Hz",
        box(whole + shown.value + more),
        ipywidgets.VBox([ipywidgets.HTML(box(whole)), slider, shown]),
        {"filter": slider, "shown": shown},
    )
