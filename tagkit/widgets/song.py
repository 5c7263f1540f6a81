"""To see and hear what a network hears, and when: the taggram, also of an own song."""

import tempfile
from os import PathLike
from pathlib import Path

import ipywidgets
import numpy as np

from tagkit import plots
from tagkit.data import audio
from tagkit.plots.picture import clock
from tagkit.plots.sound import log_mel
from tagkit.widgets import page
from tagkit.widgets.page import View, box, safe

MAX_MINUTES = 10  # of a song are drawn and played: 2.4 MB of the notebook
STEP = 1.0  # seconds from one window to the next, more in a song with more windows than
MAX_WINDOWS = 200
_NOW = (  # the line of this moment, out of the list of all
    ";var o=this.parentNode,l=o.querySelectorAll('li');o.querySelector('output')"
    ".textContent=l[Math.min(l.length-1,"
    "Math.floor(l.length*this.currentTime/this.duration))].textContent"
)


def taggram(
    sound: str | PathLike | np.ndarray,
    model,
    tags,
    *,
    sample_rate: int = audio.SAMPLE_RATE,
    n: int = 10,
    title: str = "",
    caption: str = "",
) -> View:
    """Show what a network hears when: spectrogram, tags over time, and the sound.

    Where scripts are allowed, a cursor follows the sound, and a click on the picture
    plays from there. Of a long song the first ten minutes are shown.

    Args:
        sound: a file, or samples at sample_rate.
        model, tags: as `checkpoints.load` gives them; `made["tags"]`.
        n: tags that are drawn, those with the highest score in any window.
        title: the file's name, if there is no other.
        caption: who made the music, and its licence.

    Shape: samples (n_samples,) float in [-1, 1].
    Raises: audio.AudioError for a file that cannot be decoded; ValueError for samples
    that are no sound, or unless there is a tag for each of the model's outputs.
    """
    from tagkit.evaluation import predict  # torch, so only when needed

    rate = model.sample_rate
    if isinstance(sound, np.ndarray):
        samples = audio.resample(page.checked(sound), sample_rate, rate)
    else:
        samples = audio.load(sound, rate)
        title = title or Path(sound).name
    whole = len(samples) / rate
    samples = np.clip(samples[: MAX_MINUTES * 60 * rate], -1, 1)
    seconds = len(samples) / rate
    step = max(STEP, seconds / MAX_WINDOWS)
    overlap = max(0.0, 1 - step * rate / model.n_samples)
    scores = predict.timeline(model, samples, tags, overlap=overlap)

    picture, cursor, follow, jump = _picture(samples, rate, scores, n)
    player = page.audio_tag(samples, rate, f' ontimeupdate="{follow}{_NOW}"')
    moments = [_moment(at, row) for at, row in scores.iterrows()]
    length = clock(whole)
    if whole > seconds:
        length = f"the first {clock(seconds)} of {length}"
    about = f"<br><small>{safe(caption)}</small>" if caption else ""
    heading = f"<b>{safe(title)}</b> " if title else ""
    name = f"{title}, " if title else ""
    best = ", ".join(scores.max().sort_values(ascending=False).index[:3])
    return View(
        f"Taggram: {name}{length}, highest {best}",
        box(
            f'<div data-lm-suppress-shortcuts="true">{heading}{length}{about}'
            '<div style="position:relative;max-width:800px;cursor:crosshair" '
            f'onclick="{jump}">{picture}{cursor}</div>'
            f'{player}<br><output aria-live="off">{moments[0]}</output>'
            "<details><summary>Moment by moment</summary>"
            f"<ul>{''.join(f'<li>{moment}</li>' for moment in moments)}</ul></details>"
            "</div>"
        ),
    )


def tag_upload(model, tags) -> View:
    """Let a song be chosen on the own computer, and show its taggram.

    The song goes no further than to the kernel, into a temporary file, and stays out
    of the corpus. A file that is no sound is named in place.

    Args:
        model, tags: as for `taggram`.
    """
    button = ipywidgets.FileUpload(
        accept="audio/*,video/*",
        description="Choose a song",
        layout={"width": "14em"},
    )
    said = ipywidgets.HTML()
    shown = ipywidgets.HTML()

    def tag(change):
        if not change["new"]:
            return
        file = change["new"][0]
        name = Path(file["name"]).name
        shown.value = ""
        said.value = page.status(f"Listening to {safe(name)} ...")
        try:
            with tempfile.TemporaryDirectory() as folder:
                path = Path(folder, name)
                path.write_bytes(file["content"])
                shown.value = taggram(path, model, tags).html
            said.value = page.status("")
        except ValueError as reason:
            said.value = page.status(safe(str(reason).replace(str(path), name)))

    button.observe(tag, names="value")
    path = '`widgets.taggram("song.mp3", model, tags)`'
    more = f"In JupyterLab a button takes a song of your own; or give its path: {path}."
    large = (
        "Nothing happens? The file is too large for the button: drop it into "
        f"JupyterLab's file list and call {path}."
    )
    hint = ipywidgets.HTML(f"<small>{safe(large, code=True)}</small>")
    return View(
        "Taggram of a song of your own: choose a file",
        box(safe(more, code=True)),
        ipywidgets.VBox([button, hint, said, shown]),
        {"upload": button, "said": said, "shown": shown},
    )


def _picture(samples, rate, scores, n):
    """Spectrogram and tags over one axis of time, as an image with its cursor."""
    seconds = len(samples) / rate
    n = min(n, scores.shape[1])
    figure, axes = plots.panels(2, height=(2.6 + 0.26 * n) / 2)
    above, below = axes[:, 0]
    above.get_gridspec().set_height_ratios([1.8, 0.8 + 0.26 * n])
    mel_db, hop = log_mel(samples, rate, n_frames=1000)
    plots.spectrogram(mel_db, rate, hop, ax=above)
    plots.taggram(scores, seconds, n=n, ax=below)
    above.set_xlabel("")
    above.set_xticks(below.get_xticks(), [""] * len(below.get_xticks()))
    above.set_xlim(0, seconds)
    image = page.image(figure, 'style="width:100%;display:block"')
    area = below.get_position()  # where drawing has put it
    return image, *page.cursor(100 * area.x0, 100 * area.width)


def _moment(at, scores) -> str:
    """The three tags that are highest in a window, in words."""
    best = scores.sort_values(ascending=False)[:3]
    heard = ", ".join(f"{safe(tag)} {score:.2f}" for tag, score in best.items())
    return f"{clock(at)} {heard}"
