"""To find music by: a map that plays what is clicked, lists of clips, a list maker."""

import base64
import html
from collections.abc import Callable, Sequence

import ipywidgets
import numpy as np

from tagkit import plots
from tagkit.data import audio
from tagkit.data.corpus import Corpus
from tagkit.widgets.page import CROWD, View, audio_tag, box, cut, listing, safe, tags_of

RATE = 12_000  # Hz: a map of 90 clips has to be small
START = 8.0  # seconds into a clip, past what fades in
_PLAY = (  # of the frame around picture and points; nothing happens beside a point
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

    The sounds are in the page: it plays without a kernel, on a web site, too. With
    the keyboard, Tab reaches the map, the left and right arrows go from point to
    point, Enter plays. Where scripts are not allowed the picture stays, with one
    player.

    Args:
        clip_ids: which clips; each takes about 3 kB of the notebook a second.
        points, kinds: as for `plots.clip_map`.
        seconds: of each clip, from its eighth second on.

    Shape: points (n_clips, 2).
    Raises: ValueError as `plots.clip_map`, or if no clip can be read.

    >>> from tagkit.data import corpus
    >>> mini = corpus.open("mini")
    >>> clip_map(mini, mini.clips.index[:2], np.eye(2), seconds=1)
    Clip map: 2 clips, all play

    Notebook: course/06_recommendation.ipynb
    """
    ax = plots.clip_map(points, kinds, title)
    told, figure = plots.alt_text(ax), ax.figure
    png = base64.b64encode(plots.to_png(ax)).decode()
    inside = figure.transFigure.inverted()
    places = inside.transform(ax.transData.transform(points))  # shares of the picture
    sounds = {}
    for place in np.argsort(
        places[:, 0], kind="stable"
    ):  # arrows go from left to right
        clip_id = clip_ids[place]
        try:
            piece, _ = cut(*_piece(corpus, clip_id, seconds))
        except ValueError:  # the others still play
            continue
        data = base64.b64encode(audio.encode(piece, RATE)).decode()
        sounds[place] = f"data:audio/mpeg;base64,{data}"
    if not sounds:
        raise ValueError(
            f"none of the {len(clip_ids)} clips can be read; needed is one that can; "
            "see the reasons in store.prepare(corpus).bad"
        )
    spots = "".join(
        f'<span role="button" tabindex="{-(number > 0)}" '
        f'aria-label="play {(name := html.escape(_told(corpus, clip_ids[place])))}" '
        f'title="{name}" data-sound="{sound}" style="position:absolute;'
        f"left:{100 * places[place, 0]:.2f}%;top:{100 - 100 * places[place, 1]:.2f}%;"
        'width:16px;height:16px;margin:-8px 0 0 -8px;border-radius:50%;cursor:pointer">'
        "</span>"
        for number, (place, sound) in enumerate(sounds.items())
    )
    first = next(iter(sounds))
    page = box(
        "Click a point to hear its clip. (With the keyboard: Tab, arrow keys, Enter. "
        "A notebook that was not run here shows the picture only.)"
        '<div data-lm-suppress-shortcuts="true" role="group" aria-label="map" '
        f'style="position:relative;max-width:800px" onclick="{_PLAY}" '
        f'onkeydown="{_KEYS}"><img src="data:image/png;base64,{png}" '
        f'alt="{html.escape(told)}" style="width:100%;display:block">{spots}</div>'
        f'<output aria-live="polite">{safe(_told(corpus, clip_ids[first]))}</output>'
        f'<br><audio controls style="width:100%;max-width:36em" src="{sounds[first]}">'
        "</audio>"
    )
    play = "all play" if len(sounds) == len(clip_ids) else f"{len(sounds)} play"
    return View(f"Clip map: {len(clip_ids)} clips, {play}", page)


def clip_list(
    corpus: Corpus,
    clip_ids: Sequence[int],
    notes: Sequence[str] | None = None,
    seconds: float = 4,
    title: str = "",
) -> View:
    """List clips with players, one after the other: when one ends the next begins.

    Args:
        notes: a word on each, such as why it is there.
        seconds: of each clip, at most 10, from its eighth second on.

    Raises: ValueError for an unknown clip, or notes that are not one for each.

    >>> from tagkit.data import corpus
    >>> mini = corpus.open("mini")
    >>> clip_list(mini, mini.clips.index[:2], title="Two clips")
    Clip list: Two clips, 2 clips

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
            piece, _ = cut(*_piece(corpus, clip_id, seconds))
            sound = audio_tag(piece, RATE, _NEXT)
        except ValueError as reason:  # the others still play
            if clip_id not in corpus.clips.index:
                raise
            sound = safe(reason)
        told = f"{CROWD}: {listing(tags_of(corpus.annotations, clip_id))}"
        note = f" ({safe(note)})" if note else ""
        name = safe(_name(corpus, clip_id))
        space = 'style="margin-bottom:0.6em"'
        rows += f"<li {space}>{name}{note}<br>{sound}<br><small>{told}</small></li>"
    heading = f"<b>{safe(title)}</b>" if title else ""
    name = f"{title}, " if title else ""
    page = box(f"{heading}<ol>{rows}</ol>")
    return View(f"Clip list: {name}{len(clip_ids)} clips", page)


def playlist_maker(
    corpus: Corpus,
    clip_ids: Sequence[int],
    choose: Callable[[int, float], Sequence[int]],
    first: int = 0,
    variety: float = 0.3,
    seconds: float = 4,
) -> View:
    """Choose a clip and how varied the list shall be, and hear the playlist.

    Args:
        clip_ids: the clips that `choose` knows by their places.
        choose: (place of the first clip, variety from 0 to 0.9) -> places of clips,
            such as neighbours.playlist with the similarities filled in.
        first, variety: what to begin with, and what a static page shows.

    >>> from tagkit.data import corpus
    >>> mini = corpus.open("mini")
    >>> playlist_maker(mini, mini.clips.index[:9], lambda first, variety: [first, 3])
    Playlist maker: 2 clips, variety 0.3

    Notebook: course/06_recommendation.ipynb
    """

    def page(place, variety):
        picked = [clip_ids[i] for i in choose(place, variety)]
        return clip_list(corpus, picked, seconds=seconds).html, len(picked)

    html_page, n_clips = page(first, variety)
    menu = ipywidgets.Dropdown(
        options=[(_name(corpus, clip_id), i) for i, clip_id in enumerate(clip_ids)],
        value=first,
        description="first clip",
        layout={"width": "36em"},
    )
    slider = ipywidgets.FloatSlider(
        variety, min=0, max=0.9, step=0.1, description="variety"
    )
    slider.continuous_update = False
    clips = ipywidgets.HTML(html_page)

    def change(_):
        clips.value = page(menu.value, slider.value)[0]

    for control in (menu, slider):
        control.observe(change, names="value")
    more = (
        "<small>In JupyterLab a menu changes the first clip, a slider variety.</small>"
    )
    return View(
        f"Playlist maker: {n_clips} clips, variety {variety:g}",
        box(f"Variety {variety:g}. {more}") + html_page,
        ipywidgets.VBox([menu, slider, clips]),
        {"first": menu, "variety": slider, "clips": clips},
    )


def _name(corpus, clip_id) -> str:
    about = corpus.clips.loc[clip_id]
    return f"{about['title']}, by {about['artist']} (clip {clip_id})"


def _told(corpus, clip_id) -> str:
    named = ", ".join(tags_of(corpus.annotations, clip_id)) or "nothing"
    return f"{_name(corpus, clip_id)}; {CROWD.lower()}: {named}"


def _piece(corpus, clip_id, seconds):
    """Samples, rate, seconds and start, for `cut`; a short clip is taken from 0."""
    samples = corpus.load(clip_id)
    start = START if len(samples) > (START + seconds) * audio.SAMPLE_RATE else 0.0
    piece, _ = cut(samples, audio.SAMPLE_RATE, seconds, start)
    return audio.resample(piece, audio.SAMPLE_RATE, RATE), RATE, seconds, 0.0
