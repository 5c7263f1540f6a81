"""What all widgets share: the View, escaped text, sound as a piece of HTML."""

import base64
import html

import numpy as np

from tagkit.data import audio
from tagkit.plots.picture import is_static

MAX_SECONDS = 10  # a player of 10 s is about 40 kB of the notebook
CROWD = "The crowd named"
_MP3_RATES = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000)
_NO_PLAYER = "(No player here: run this cell in JupyterLab to hear it.)"


class View:
    """What a cell shows: HTML that needs no kernel, and widgets where there is one.

    Attributes:
        html: the static page; widget: the live one, or None where HTML is enough,
        as for a player; parts: its controls by name, for example parts["tag"].

    >>> View("A word", "<b>word</b>")
    A word
    """

    def __init__(self, text: str, page: str, widget=None, parts=None):
        self.text, self.html = text, page
        self.widget, self.parts = widget, parts or {}

    def __repr__(self):
        return self.text

    def _repr_mimebundle_(self, include=None, exclude=None):
        live = {}
        if self.widget is not None and not is_static():
            live = self.widget._repr_mimebundle_()
        return {**live, "text/plain": self.text, "text/html": self.html}


# -- for the other files of this package --------------------------------------------


def cut(samples, sample_rate, seconds, start):
    """The piece to play as float32, and the length of the whole in seconds."""
    samples = np.asarray(samples, dtype=np.float32)
    if samples.ndim != 1 or not len(samples) or not np.isfinite(samples).all():
        raise ValueError(
            f"samples has shape {samples.shape} or values that are not finite; needed "
            "is sound of shape (n_samples,); take corpus.load(clip_id)"
        )
    whole = len(samples) / sample_rate
    if not 0 < seconds <= MAX_SECONDS or not 0 <= start < whole:
        raise ValueError(
            f"the piece is {seconds} s from {start} s of {whole:.1f} s; needed are at "
            f"most {MAX_SECONDS} s that begin inside; choose another piece"
        )
    first = round(start * sample_rate)
    piece = samples[first : first + round(seconds * sample_rate)]
    return np.clip(piece, -1, 1), whole


def audio_tag(piece, sample_rate, more="") -> str:
    """An audio element with the sound in it, and a sentence for where it vanishes."""
    if sample_rate not in _MP3_RATES:
        piece = audio.resample(piece, sample_rate, audio.SAMPLE_RATE)
        sample_rate = audio.SAMPLE_RATE
    data = base64.b64encode(audio.encode(piece, sample_rate)).decode()
    return (
        f'<audio controls preload="metadata" style="width:100%;max-width:36em"{more} '
        f'src="data:audio/mpeg;base64,{data}">{_NO_PLAYER}</audio>'
    )


def tags_of(table, clip_id) -> list:
    row = table.loc[clip_id]
    return [tag for tag, value in row.items() if value == 1]


def safe(text, code: bool = False) -> str:
    """Escaped text; where code may occur, `such` between backticks is set as code."""
    page = html.escape(str(text)).replace("$", "<span>$</span>")  # no formula
    parts = page.split("`")
    if not code or len(parts) % 2 == 0:
        return page
    return "".join(f"<code>{p}</code>" if i % 2 else p for i, p in enumerate(parts))


def listing(names) -> str:
    return ", ".join(f"<i>{safe(name)}</i>" for name in names) or "nothing"


def box(page: str) -> str:
    return f'<div style="line-height:1.5;margin:0.3em 0">{page}</div>'
