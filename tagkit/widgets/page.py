"""What all widgets share: the View, escaped text, sound and pictures as HTML."""

import base64
import html

import ipywidgets
import numpy as np

from tagkit import plots
from tagkit.data import audio
from tagkit.plots.picture import is_static

MAX_SECONDS = 10  # a player of 10 s is about 40 kB of the notebook
CROWD = "The crowd named"
_MP3_RATES = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000)
_NO_PLAYER = "(No player here: run this cell in JupyterLab to hear it.)"


class View:
    """What a cell shows: HTML that needs no kernel, and widgets where there is one.

    Attributes:
        html: the static page.
        widget: the live one, or None where HTML is enough, as for a player.
        parts: its controls by name, for example parts["tag"].

    >>> View("A word", "<b>word</b>")
    A word
    """

    def __init__(self, text: str, page: str, widget=None, parts=None):
        self.text = text
        self.html = page
        self.widget = widget
        self.parts = parts or {}

    def __repr__(self):
        return self.text

    def _repr_mimebundle_(self, include=None, exclude=None):
        live = {}
        if self.widget is not None and not is_static():
            live = self.widget._repr_mimebundle_()
        return {**live, "text/plain": self.text, "text/html": self.html}


# -- for the other files of this package --------------------------------------------


def cut(samples, sample_rate, seconds, start):
    """The piece to play, as float32, and the length of the whole in seconds."""
    samples = checked(samples)
    whole = len(samples) / sample_rate
    if not 0 < seconds <= MAX_SECONDS or not 0 <= start < whole:
        raise ValueError(
            f"the piece is {seconds} s from {start} s of {whole:.1f} s; needed are at "
            f"most {MAX_SECONDS} s that begin inside; choose another piece"
        )
    first = round(start * sample_rate)
    piece = samples[first : first + round(seconds * sample_rate)]
    return np.clip(piece, -1, 1), whole


def checked(samples):
    """Samples as float32; raises ValueError for what is no sound."""
    samples = np.asarray(samples, dtype=np.float32)
    if samples.ndim != 1 or not len(samples) or not np.isfinite(samples).all():
        raise ValueError(
            f"samples has shape {samples.shape} or values that are not finite; needed "
            "is sound of shape (n_samples,); take corpus.load(clip_id)"
        )
    return samples


def sound_url(piece, sample_rate) -> str:
    """The sound itself as the address of a player, in mp3."""
    if sample_rate not in _MP3_RATES:
        piece = audio.resample(piece, sample_rate, audio.SAMPLE_RATE)
        sample_rate = audio.SAMPLE_RATE
    data = base64.b64encode(audio.encode(piece, sample_rate)).decode()
    return f"data:audio/mpeg;base64,{data}"


def audio_tag(piece, sample_rate, more="") -> str:
    """A player with the sound in it, and a sentence for code hosts that strip it."""
    return (
        f'<audio controls preload="metadata" style="width:100%;max-width:36em"{more} '
        f'src="{sound_url(piece, sample_rate)}">{_NO_PLAYER}</audio>'
    )


def image(ax, more='width="800"') -> str:
    """The figure of an ax, which is closed, as an image with its alt text."""
    alt = html.escape(plots.alt_text(ax))
    png = base64.b64encode(plots.to_png(ax)).decode()
    return f'<img src="data:image/png;base64,{png}" alt="{alt}" {more}>'


def cursor(left, width):
    """A line over a picture, and the scripts that move it and jump to a click.

    left and width are those of the axis, in percent of the picture.
    """
    line = (
        f'<i style="position:absolute;top:0;bottom:0;left:{left:.2f}%;width:2px;'
        'background:#D55E00;transition:left .25s linear"></i>'
    )
    follow = (
        "this.parentNode.querySelector('i').style.left="
        f"({left:.2f}+{width:.2f}*this.currentTime/this.duration)+'%'"
    )
    jump = (
        "var a=this.parentNode.querySelector('audio'),r=this.getBoundingClientRect();"
        f"a.currentTime=Math.min(1,Math.max(0,((event.clientX-r.left)/r.width*100-{left:.2f})"
        f"/{width:.2f}))*a.duration;a.play()"
    )
    return line, follow, jump


def status(page: str) -> str:
    """Text that a screen reader reads out when it changes."""
    return f'<div role="status" aria-live="polite">{page}</div>'


def follow(page, *controls) -> ipywidgets.HTML:
    """HTML that shows page(value, ...) of the controls, and follows them."""
    shown = ipywidgets.HTML()

    def update(_=None):
        shown.value = page(*[control.value for control in controls])

    for control in controls:
        control.observe(update, names="value")
    update()
    return shown


def tags_of(table, clip_id) -> list:
    row = table.loc[clip_id]
    return [tag for tag, value in row.items() if value == 1]


def crowd_named(corpus, clip_id) -> str:
    return f"{CROWD}: {listing(tags_of(corpus.annotations, clip_id))}"


def safe(text, code: bool = False) -> str:
    """Escaped text; with code=True, what stands between backticks is set as code."""
    page = html.escape(str(text)).replace("$", "<span>$</span>")  # no formula
    parts = page.split("`")
    if not code or len(parts) % 2 == 0:
        return page
    return "".join(f"<code>{p}</code>" if i % 2 else p for i, p in enumerate(parts))


def listing(names) -> str:
    return ", ".join(f"<i>{safe(name)}</i>" for name in names) or "nothing"


def box(page: str) -> str:
    return f'<div style="line-height:1.5;margin:0.3em 0">{page}</div>'
