"""To find music by: a map that plays what is clicked, lists of clips, a list maker."""

import html
from collections.abc import Callable, Sequence

import ipywidgets
import numpy as np

from tagkit import plots
from tagkit.data import audio
from tagkit.data.corpus import Corpus
from tagkit.widgets import page
from tagkit.widgets.page import View, box, safe

RATE = 12_000  # Hz: a map of 90 clips has to be small
START = 8.0  # seconds into a clip, past a fade-in
_PLAY = (  # for the frame around picture and points; only points have a sound
    "var p=event.target,b=this.parentNode,a=b.querySelector('audio');"
    "if(p.dataset.sound){a.src=p.dataset.sound;a.play();"
    "b.querySelector('output').textContent=p.title;"
    "this.querySelectorAll('[role=button]').forEach(function(o){"
    "o.style.boxShadow=o===p?'0 0 0 3px #D55E00':'none'})}"
)
_KEYS = (
    "var p=event.target,k=event.key,n=k=='ArrowRight'?p.nextElementSibling:"
    "k=='ArrowLeft'?p.previousElementSibling:null;"
    "if(k=='Enter'||k==' '){p.click();event.preventDefault()}"
    "else if(n&&n.dataset.sound){n.focus();event.preventDefault()}"
)
_NEXT = (
    " onended=\"var n=this.closest('li').nextElementSibling;"
    "if(n&&n.querySelector('audio'))n.querySelector('audio').play()\""
)


def clip_map(
    corpus: Corpus,
    clip_ids: Sequence[int],
    points: np.ndarray,
    kinds: Sequence[str] | None = None,
    seconds: float = 3,
    title: str = "",
) -> View:
    """Show clips as points of a plane; a click on a point plays its clip.

    The sounds are in the page, so it plays without a kernel, on a web site, too. With
    the keyboard, Tab reaches the map, the left and right arrows go from point to
    point, Enter plays. Without scripts the picture and one player remain.

    Args:
        clip_ids: which clips; each takes about 3 kB of the notebook a second.
        points, kinds: as for `plots.clip_map`.
        seconds: of each clip, from its eighth second on.

    Shape: points (n_clips, 2).
    Raises: ValueError as `plots.clip_map`, or if no clip can be read.
    Notebook: course/06_recommendation.ipynb
    """
    ax = plots.clip_map(points, kinds, title)
    picture = page.image(ax, 'style="width:100%;display:block"')
    to_figure = ax.figure.transFigure.inverted()
    points = to_figure.transform(ax.transData.transform(points))  # shares of the figure
    spots, captions, sounds = "", [], []
    for i in np.argsort(points[:, 0], kind="stable"):  # arrows go from left to right
        try:
            sound = page.sound_url(_piece(corpus, clip_ids[i], seconds), RATE)
        except audio.AudioError:  # the others still play
            continue
        caption = _caption(corpus, clip_ids[i])
        spots += _spot(points[i], caption, sound, is_first=not sounds)
        captions.append(caption)
        sounds.append(sound)
    if not sounds:
        raise ValueError(
            f"none of the {len(clip_ids)} clips can be read; needed is one that can; "
            "see the reasons in store.prepare(corpus).bad"
        )
    play = "all play" if len(sounds) == len(clip_ids) else f"{len(sounds)} play"
    return View(
        f"Clip map: {len(clip_ids)} clips, {play}",
        box(
            "Click a point to hear its clip. (With the keyboard: Tab, arrow keys, "
            "Enter. A notebook that was not run here shows the picture only.)"
            '<div data-lm-suppress-shortcuts="true" role="group" aria-label="map" '
            f'style="position:relative;max-width:800px" onclick="{_PLAY}" '
            f'onkeydown="{_KEYS}">{picture}{spots}</div>'
            f'<output aria-live="polite">{safe(captions[0])}</output>'
            '<br><audio controls style="width:100%;max-width:36em" '
            f'src="{sounds[0]}"></audio>'
        ),
    )


def _spot(point, caption, sound, is_first) -> str:
    """A round button over a point of the picture; Tab reaches only the first."""
    name = html.escape(caption)
    return (
        f'<span role="button" tabindex="{0 if is_first else -1}" '
        f'aria-label="play {name}" title="{name}" data-sound="{sound}" '
        f'style="position:absolute;left:{100 * point[0]:.2f}%;'
        f"top:{100 - 100 * point[1]:.2f}%;"
        'width:16px;height:16px;margin:-8px 0 0 -8px;border-radius:50%;cursor:pointer">'
        "</span>"
    )


def clip_list(
    corpus: Corpus,
    clip_ids: Sequence[int],
    notes: Sequence[str] | None = None,
    seconds: float = 4,
    title: str = "",
) -> View:
    """List clips with players; when one ends, the next begins.

    Args:
        notes: a word on each, such as why it is there.
        seconds: of each clip, at most 10, from its eighth second on.

    Raises: ValueError for an unknown clip, or notes that are not one for each.
    Notebook: course/06_recommendation.ipynb
    """
    notes = [""] * len(clip_ids) if notes is None else list(notes)
    if len(notes) != len(clip_ids):
        raise ValueError(
            f"there are {len(notes)} notes for {len(clip_ids)} clips; needed is one "
            "for each; an empty text says nothing"
        )
    rows = ""
    for clip_id, note in zip(clip_ids, notes, strict=True):
        try:
            sound = page.audio_tag(_piece(corpus, clip_id, seconds), RATE, _NEXT)
        except audio.AudioError as reason:  # the others still play
            sound = safe(reason)
        note = f" ({safe(note)})" if note else ""
        rows += (
            f'<li style="margin-bottom:0.6em">{safe(_name(corpus, clip_id))}{note}'
            f"<br>{sound}<br><small>{page.crowd_named(corpus, clip_id)}</small></li>"
        )
    heading = f"<b>{safe(title)}</b>" if title else ""
    name = f"{title}, " if title else ""
    return View(
        f"Clip list: {name}{len(clip_ids)} clips", box(f"{heading}<ol>{rows}</ol>")
    )


def playlist_maker(
    corpus: Corpus,
    clip_ids: Sequence[int],
    choose: Callable[[int, float], Sequence[int]],
    first: int = 0,
    variety: float = 0.3,
    seconds: float = 4,
) -> View:
    """Choose the first clip and the variety of a playlist, and hear it.

    Args:
        clip_ids: the clips; `choose` counts them from 0.
        choose: (number of the first clip, variety from 0 to 0.9) -> numbers of clips,
            such as neighbours.playlist with the similarities filled in.
        first, variety: where the controls begin, and what a static page shows.

    Notebook: course/06_recommendation.ipynb
    """

    def playlist(first, variety):
        picked = [clip_ids[i] for i in choose(first, variety)]
        return clip_list(corpus, picked, seconds=seconds).html

    menu = ipywidgets.Dropdown(
        options=[(_name(corpus, clip_id), i) for i, clip_id in enumerate(clip_ids)],
        value=first,
        description="first clip",
        layout={"width": "36em"},
    )
    slider = ipywidgets.FloatSlider(
        value=variety,
        min=0,
        max=0.9,
        step=0.1,
        description="variety",
        continuous_update=False,
    )
    clips = page.follow(playlist, menu, slider)
    more = (
        "<small>In JupyterLab a menu changes the first clip, a slider variety.</small>"
    )
    return View(
        f"Playlist maker: {clips.value.count('<li')} clips, variety {variety:g}",
        box(f"Variety {variety:g}. {more}") + clips.value,
        ipywidgets.VBox([menu, slider, clips]),
        {"first": menu, "variety": slider, "clips": clips},
    )


def _name(corpus, clip_id) -> str:
    about = corpus.clips.loc[clip_id]
    return f"{about['title']}, by {about['artist']} (clip {clip_id})"


def _caption(corpus, clip_id) -> str:
    named = ", ".join(page.tags_of(corpus.annotations, clip_id)) or "nothing"
    return f"{_name(corpus, clip_id)}; {page.CROWD.lower()}: {named}"


def _piece(corpus, clip_id, seconds):
    """A piece of a clip at RATE, from START on; a short clip is taken from 0."""
    samples = corpus.load(clip_id)
    start = START if len(samples) > (START + seconds) * audio.SAMPLE_RATE else 0.0
    piece, _ = page.cut(samples, audio.SAMPLE_RATE, seconds, start)
    return np.clip(audio.resample(piece, audio.SAMPLE_RATE, RATE), -1, 1)
