"""To hear: a player, and a clip with its pictures."""

from os import PathLike
from pathlib import Path

import numpy as np

from tagkit import plots
from tagkit.data import audio
from tagkit.plots.sound import log_mel
from tagkit.widgets import page
from tagkit.widgets.page import MAX_SECONDS, View, box, listing, safe


def player(
    samples: np.ndarray,
    sample_rate: int = audio.SAMPLE_RATE,
    seconds: float = MAX_SECONDS,
    title: str = "",
    start: float = 0.0,
) -> View:
    """Embed a player of a piece of sound, as mp3 of 24 kbit/s.

    Args:
        seconds: at most 10, so that notebooks stay small; 3 to 6 are usually enough.
        start: of the piece, in seconds.

    Shape: samples (n_samples,) float in [-1, 1]; louder ones are clipped.
    Raises: ValueError for no sound, NaN, another shape or more than 10 s.
    Notebook: course/01_dataset_analysis.ipynb

    >>> view = player(np.sin(np.arange(16_000) / 6), title="424 Hz")
    >>> view, "<audio" in view.html
    (Player: 424 Hz, 1.0 s, True)
    """
    piece, whole = page.cut(samples, sample_rate, seconds, start)
    length = len(piece) / sample_rate
    about = f"{length:.1f} s" + (f" of {whole:.1f} s" if whole > length + 0.05 else "")
    caption = f"<b>{safe(title)}</b> {about}" if title else about
    sound = page.audio_tag(piece, sample_rate)
    name = f"{title}, " if title else ""
    return View(f"Player: {name}{about}", box(f"{caption}<br>{sound}"))


def clip_view(
    sound: str | PathLike | np.ndarray,
    sample_rate: int = audio.SAMPLE_RATE,
    mel_db: np.ndarray | None = None,
    tags=None,
    *,
    truth=None,
    mel_sample_rate: int = 12_000,
    seconds: float = MAX_SECONDS,
    start: float = 0.0,
    title: str = "",
) -> View:
    """Show a piece of any sound at once: waveform, log-mel, tags, and a player.

    Where scripts are allowed, a cursor follows the sound, and a click on the picture
    plays from there.

    Args:
        sound: a file, or samples at sample_rate.
        mel_db: of the whole clip, from mel.LogMel with mel_sample_rate; without it
            one is made for the picture.
        tags: names that the crowd gave, if they are to be shown.
        truth: names that are true, where known.
        seconds, start: the piece that is drawn and played, at most 10 s.
        title: the file's name, if there is no other.

    Shape: samples (n_samples,), mel_db (n_mels, n_frames) over the same time.
    Raises: ValueError as `player`, and for a mel_db without frames;
    audio.AudioError for a file that cannot be decoded.
    Notebook: course/00_start_here.ipynb
    """
    if isinstance(sound, str | PathLike):
        title = title or Path(sound).name
        sound = audio.load(sound, sample_rate)
    piece, whole = page.cut(sound, sample_rate, seconds, start)
    length = len(piece) / sample_rate
    if mel_db is None:
        mel_sample_rate = sample_rate
        mel_db, hop = log_mel(piece, sample_rate, n_frames=1000)
    else:
        mel_db = _frames(mel_db, start / whole, (start + length) / whole)
        hop = length * mel_sample_rate / mel_db.shape[1]
    figure, axes = plots.panels(2, 1, height=2)
    plots.waveform(piece, sample_rate, ax=axes[0, 0])
    plots.spectrogram(mel_db, mel_sample_rate, hop, ax=axes[1, 0])
    axes[0, 0].set_xlabel("")
    picture = page.image(figure, 'style="width:100%;display:block"')
    area = axes[1, 0].get_position()
    cursor, follow, jump = page.cursor(100 * area.x0, 100 * area.width)
    playing = page.audio_tag(piece, sample_rate, f' ontimeupdate="{follow}"')
    heading = f"<b>{safe(title)}</b><br>" if title else ""
    crowd = f"<br>{page.CROWD}: {listing(tags)}" if tags is not None else ""
    true = f"<br>True of the sound: {listing(truth)}" if truth is not None else ""
    name = f"{title}, " if title else ""
    tagged = f", tags {', '.join(map(str, tags)) or 'none'}" if crowd else ""
    return View(
        f"Clip view: {name}{length:.1f} s{tagged}",
        box(
            f'{heading}<div style="position:relative;max-width:800px" '
            f'onclick="{jump}">{picture}{cursor}</div>{playing}{crowd}{true}'
        ),
    )


def _frames(mel_db, start, end) -> np.ndarray:
    """The frames of a piece that begins and ends at these shares of the clip."""
    mel_db = np.asarray(mel_db)
    if mel_db.ndim != 2 or not mel_db.size:
        raise ValueError(
            f"mel_db has shape {mel_db.shape}; needed is (n_mels, n_frames); "
            "of a batch, take mel_db[0]"
        )
    first = int(np.round(start * mel_db.shape[1]))
    last = int(np.round(end * mel_db.shape[1]))
    return mel_db[:, first : max(last, first + 1)]
