"""To hear: a player, and a clip with its pictures."""

import base64
import html

import numpy as np

from tagkit import audio, plots
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

    Notebook: course/00_start_here.ipynb
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
