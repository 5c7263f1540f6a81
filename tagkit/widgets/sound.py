"""To hear: a player, a clip with its pictures, a clip through learned filters."""

from os import PathLike
from pathlib import Path

import ipywidgets
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


def filter_player(
    samples: np.ndarray,
    sample_rate: int,
    weights: np.ndarray,
    number: int = 0,
    seconds: float = 6,
    title: str = "",
) -> View:
    """Hear a clip through one learned filter, with its spectrum and centre frequency.

    A slider orders the filters by centre frequency. The output of a filter at a stride
    of 1 is sound again; it is made as loud as the clip, since many filters are soft.

    Args:
        samples: at the rate of the model that the filters are from.
        weights: of its first convolution, `.detach().cpu().numpy()`.
        number: of the first filter, which a static page plays.
        seconds: of the clip, at most 10.

    Shape: samples (n_samples,), weights (n_filters, length) or (n_filters, 1, length).
    Raises: ValueError as `player` and plots.filters; for a number that is no filter's.
    """
    piece, _ = page.cut(samples, sample_rate, seconds, 0.0)
    centres = plots.centres(weights, sample_rate)
    if not 0 <= number < len(centres):
        raise ValueError(
            f"number is {number} of {len(centres)} filters; needed is one from 0 to "
            f"{len(centres) - 1}"
        )
    kernels = np.asarray(weights, dtype=float).reshape(len(centres), -1)
    order = np.argsort(centres, kind="stable")
    loudness = np.sqrt(np.mean(piece**2))

    def through(place):
        chosen = order[place - 1]
        kernel = kernels[chosen]
        picture = page.image(plots.response(kernel, sample_rate))
        output = np.convolve(piece, kernel[::-1], "same")  # as the network slides it
        output *= loudness / (np.sqrt(np.mean(output**2)) or 1)
        output /= max(1, np.abs(output).max())
        caption = page.status(
            f"<b>Filter {chosen}</b>, centre {centres[chosen]:,.0f} Hz; "
            f"{place} of {len(order)} from low to high."
        )
        sound = player(output, sample_rate, seconds, "through the filter").html
        return box(caption + picture + sound)

    whole = player(piece, sample_rate, seconds, f"{title} as it is".strip()).html
    slider = ipywidgets.IntSlider(
        value=1 + int(np.flatnonzero(order == number)[0]),
        min=1,
        max=len(order),
        description="low to high",
        continuous_update=False,
        layout={"width": "36em"},
    )
    shown = page.follow(through, slider)
    listed = ", ".join(f"{centres[i]:,.0f}" for i in order)
    more = (
        f"<small>Centres of all filters, in Hz: {listed}. In JupyterLab a slider goes "
        "through them.</small>"
    )
    name = f"{title} through " if title else ""
    return View(
        f"Filter player: {name}filter {number} of {len(order)}, centre "
        f"{centres[number]:,.0f} Hz",
        box(whole + shown.value + more),
        ipywidgets.VBox([ipywidgets.HTML(box(whole)), slider, shown]),
        {"filter": slider, "shown": shown},
    )
