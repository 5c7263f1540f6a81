"""To find music by: a map that plays, lists of clips, a list maker, a radio."""

import html
import json
from collections.abc import Mapping, Sequence

import ipywidgets
import numpy as np

from tagkit import plots
from tagkit.data import audio
from tagkit.data.corpus import Corpus
from tagkit.evaluation import neighbours
from tagkit.plots.picture import COLORS, GREY
from tagkit.widgets import page
from tagkit.widgets.page import View, box, safe

RATE = 12_000  # Hz: a map of 60 clips has to be small
WIDTH, HEIGHT, MARGIN = 800, 480, 24  # of a map, in its own units
GLYPHS = "●■▲◆▼✚✖"
# For the picture of a map. Where scripts run, it gives way to the drawing behind it,
# whose marks play, name their clip, and show and list its neighbours.
_MAP = """
var box = this.parentNode, d = JSON.parse(box.dataset.map),
  svg = this.nextElementSibling, lines = svg.querySelector('g'),
  label = svg.querySelector('.name'), sound = box.querySelector('audio'),
  said = box.querySelector('output'), list = box.querySelector('ol'),
  key = box.querySelector('p'), menu = box.querySelector('select'),
  marks = [...svg.querySelectorAll('[role=button]')], byClip = {},
  queue = [], now = -1, zoom = 1, centre = [d.width / 2, d.height / 2];
var at = i => [+byClip[i].getAttribute('x'), +byClip[i].getAttribute('y')];

function colour() {
  var kind = d.kinds[menu ? menu.value : 0];
  marks.forEach(mark => {
    var k = kind.of[mark.dataset.clip];
    mark.textContent = k < 0 ? '•' : d.glyphs[k];
    mark.style.fill = k < 0 ? d.grey : d.colors[k];
  });
  key.replaceChildren(...kind.words.map((word, k) => {
    var one = document.createElement('span'), glyph = document.createElement('span');
    glyph.textContent = d.glyphs[k] + ' ';
    glyph.style.color = d.colors[k];
    one.style.marginRight = '1.2em';
    one.append(glyph, word);
    return one;
  }));
}
function look() {
  var w = d.width / zoom, h = d.height / zoom;
  var x = Math.min(d.width - w, Math.max(0, centre[0] - w / 2));
  var y = Math.min(d.height - h, Math.max(0, centre[1] - h / 2));
  svg.setAttribute('viewBox', [x, y, w, h].join(' '));
  marks.forEach(mark => mark.setAttribute('font-size', 22 / Math.sqrt(zoom)));
  label.setAttribute('font-size', 16 / zoom);
  label.setAttribute('stroke-width', 3 / zoom);
  lines.setAttribute('stroke-width', 2 / zoom);
}
function name(i) {
  label.textContent = i < 0 ? '' : d.names[i];
  if (i < 0) return;
  var [x, y] = at(i), seen = svg.viewBox.baseVal;
  label.setAttribute('x', x);
  label.setAttribute('y', y - 14 / zoom);
  label.setAttribute('text-anchor', x > seen.x + seen.width / 2 ? 'end' : 'start');
}
function play(i) {
  now = i;
  said.textContent = d.about[i];
  for (var mark of marks)
    mark.setAttribute('stroke', mark === byClip[i] ? 'black' : 'none');
  sound.src = d.sounds[i];
  if (d.sounds[i]) sound.play();
}
function choose(i) {
  queue = [i, ...(d.lists[i] || [])];
  centre = at(i);
  lines.replaceChildren(...queue.slice(1).map(j => {
    var line = document.createElementNS(svg.namespaceURI, 'line');
    var [x1, y1] = at(i), [x2, y2] = at(j), ends = {x1, y1, x2, y2};
    for (var end in ends) line.setAttribute(end, ends[end]);
    return line;
  }));
  list.replaceChildren(...(queue.length > 1 ? queue : []).map(j => {
    var row = document.createElement('li'), button = document.createElement('button');
    button.textContent = '▶ ' + d.names[j];
    button.onclick = () => play(j);
    row.append(button);
    return row;
  }));
  look();
  play(i);
}
marks.forEach((mark, place) => {
  var i = +mark.dataset.clip;
  byClip[i] = mark;
  mark.onclick = () => choose(i);
  mark.onmouseenter = mark.onfocus = () => name(i);
  mark.onmouseleave = mark.onblur = () => name(-1);
  mark.onkeydown = event => {
    var step = (event.key == 'ArrowRight') - (event.key == 'ArrowLeft');
    if (event.key == 'Enter' || event.key == ' ') choose(i);
    else if (step && marks[place + step]) marks[place + step].focus();
    else return;
    event.preventDefault();
  };
});
box.querySelectorAll('[data-zoom]').forEach(button => button.onclick = () => {
  zoom = Math.min(8, Math.max(1, zoom * button.dataset.zoom));
  look();
});
sound.onended = () => {
  var next = queue[queue.indexOf(now) + 1];
  if (next !== undefined) play(next);
};
if (menu) menu.onchange = colour;
colour();
this.style.display = 'none';
svg.style.display = 'block';
box.querySelector('[hidden]').hidden = false;
"""
_NEXT = (
    " onended=\"var n=this.closest('li').nextElementSibling;"
    "if(n&&n.querySelector('audio'))n.querySelector('audio').play()\""
)


def clip_map(
    corpus: Corpus,
    clip_ids: Sequence[int],
    points: np.ndarray,
    kinds: Sequence[str] | Mapping[str, Sequence[str]] | None = None,
    lists: np.ndarray | None = None,
    *,
    seconds: float = 3,
    title: str = "",
) -> View:
    """Show clips as points of a plane; a click on a point plays its clip.

    A point names its clip when it is pointed at. With `lists`, a click also draws a
    line to each of the clip's neighbours and lists them, and they play one after the
    other. Buttons zoom, towards the clip that was clicked. The sounds are in the page,
    so all this works without a kernel, on a web site, too. With the keyboard, Tab
    reaches the map, the left and right arrows go from point to point, Enter plays.
    Without scripts a picture and one player remain.

    Args:
        clip_ids: which clips; each takes about 3 kB of the notebook a second.
        points, kinds: as for `plots.clip_map`; of several ways to colour the clips,
            such as {"tag": tags, "artist": artists}, a menu chooses. The seven most
            frequent words of each are coloured.
        lists: the neighbours of each clip as places in clip_ids, by neighbours.nearest.
        seconds: of each clip, from its middle.

    Shape: points (n_clips, 2), lists (n_clips, k).
    Raises: ValueError as `plots.clip_map`, or if no clip can be read.
    Notebook: course/06_recommendation.ipynb
    """
    points = np.asarray(points, dtype=float)
    if not isinstance(kinds, Mapping):
        kinds = {"kind": kinds if kinds is not None else [""] * len(points)}
    ways = [_way(words) for words in kinds.values()]
    picture = plots.clip_map(points, ways[0][1], title)
    alt = plots.alt_text(picture)
    low, size = points.min(axis=0), np.ptp(points, axis=0)
    points = (points - low) / np.where(size > 0, size, 1)  # (n_clips, 2) in [0, 1]
    sounds = [_sound(corpus, clip_id, seconds) for clip_id in clip_ids]
    readable = [sound for sound in sounds if sound]
    if not readable:
        raise ValueError(
            f"none of the {len(clip_ids)} clips can be read; needed is one that can; "
            "see the reasons in store.prepare(corpus).bad"
        )
    about = [_about(corpus, clip_id) for clip_id in clip_ids]
    data = {
        "names": [_name(corpus, clip_id) for clip_id in clip_ids],
        "about": about,
        "sounds": sounds,
        "lists": [] if lists is None else np.asarray(lists).tolist(),
        "kinds": [{"words": words, "of": of} for words, _, of in ways],
        "glyphs": GLYPHS,
        "colors": COLORS,
        "grey": GREY,
        "width": WIDTH,
        "height": HEIGHT,
    }
    marks = ""
    for n, i in enumerate(np.argsort(points[:, 0], kind="stable")):
        marks += _mark(points[i], data["names"][i], i, is_first=n == 0)
    menu = "".join(f"<option value={n}>{safe(k)}</option>" for n, k in enumerate(kinds))
    menu = (
        f"<label>colour by <select>{menu}</select></label> " if len(kinds) > 1 else ""
    )
    heading = f"<b>{safe(title)}</b><br>" if title else ""
    script = html.escape(_MAP)
    image = page.image(picture, f'style="width:100%;display:block" onload="{script}"')
    n_played = len(readable)
    play = "all play" if n_played == len(sounds) else f"{n_played} play"
    return View(
        f"Clip map: {len(clip_ids)} clips, {play}",
        box(
            f"{heading}Click a point to hear its clip. (With the keyboard: Tab, arrow "
            "keys, Enter. A notebook that was not run here shows a picture only.)"
            '<div data-lm-suppress-shortcuts="true" style="max-width:800px" '
            f'data-map="{html.escape(json.dumps(data))}"><div hidden>{menu}'
            '<button data-zoom="2" aria-label="zoom in">+</button> '
            '<button data-zoom="0.5" aria-label="zoom out">−</button> '
            f'<button data-zoom="0">whole map</button></div>{image}'
            f'<svg role="group" aria-label="{html.escape(alt)}" '
            f'viewBox="0 0 {WIDTH} {HEIGHT}" style="display:none;width:100%;'
            'background:white;border:1px solid #DDDDDD;cursor:pointer">'
            f'<g stroke="{GREY}" stroke-width="2"></g>{marks}'
            '<text class="name" font-size="16" fill="black" stroke="white" '
            'stroke-width="3" paint-order="stroke" pointer-events="none" '
            'aria-hidden="true"></text></svg>'
            f'<p></p><output aria-live="polite">{safe(about[0])}</output><br>'
            f'<audio controls style="width:100%;max-width:36em" src="{readable[0]}">'
            "</audio><ol></ol></div>"
        ),
    )


def _way(words):
    """A way to colour: its words, each clip's with rare ones empty, their numbers."""
    words = [str(word) for word in words]
    counts = {word: words.count(word) for word in dict.fromkeys(words) if word}
    named = sorted(sorted(counts, key=counts.get, reverse=True)[: len(GLYPHS)])
    kept = [word if word in named else "" for word in words]
    return named, kept, [named.index(word) if word else -1 for word in kept]


def _mark(point, name, number, is_first) -> str:
    """A glyph at its place in the drawing; Tab reaches only the first."""
    x = MARGIN + point[0] * (WIDTH - 2 * MARGIN)
    y = HEIGHT - MARGIN - point[1] * (HEIGHT - 2 * MARGIN)
    return (
        f'<text role="button" tabindex="{0 if is_first else -1}" data-clip="{number}" '
        f'aria-label="play {html.escape(name)}" x="{x:.1f}" y="{y:.1f}" font-size="22" '
        'text-anchor="middle" dominant-baseline="central" stroke-width="1.5">•</text>'
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
        seconds: of each clip, at most 10, from its middle.

    Raises: ValueError for an unknown clip, or notes that are not one for each.
    Notebook: course/06_recommendation.ipynb
    """
    notes = [""] * len(clip_ids) if notes is None else list(notes)
    if len(notes) != len(clip_ids):
        raise ValueError(
            f"there are {len(notes)} notes for {len(clip_ids)} clips; needed is one "
            "for each; an empty text says nothing"
        )
    rows = "".join(
        f'<li style="margin-bottom:0.6em">{_row(corpus, clip_id, note, seconds)}</li>'
        for clip_id, note in zip(clip_ids, notes, strict=True)
    )
    heading = f"<b>{safe(title)}</b>" if title else ""
    name = f"{title}, " if title else ""
    return View(
        f"Clip list: {name}{len(clip_ids)} clips", box(f"{heading}<ol>{rows}</ol>")
    )


def playlist_maker(
    corpus: Corpus,
    clip_ids: Sequence[int],
    similarities: np.ndarray,
    first: int = 0,
    *,
    groups=None,
    n: int = 6,
    variety: float = 0.3,
    seconds: float = 10,
) -> View:
    """Choose the first clip and the variety of a playlist, and hear it.

    Beside each clip stand the two terms by which it was chosen, neighbours.terms.

    Args:
        clip_ids: the clips; similarities, groups and n as for neighbours.playlist.
        first, variety: where the controls begin, and what a static page shows.
        seconds: of each clip, at most 10.

    Shape: similarities (n_clips, n_clips).
    Raises: ValueError as neighbours.playlist.
    Notebook: course/06_recommendation.ipynb
    """

    def playlist(first, variety):
        places = neighbours.playlist(similarities, first, n, variety, groups)
        notes = ["the first"]
        for near, like in neighbours.terms(similarities, places):
            to_others = "" if np.isnan(like) else f", to the others {like:.2f}"
            notes.append(f"to the first {near:.2f}{to_others}")
        picked = [clip_ids[place] for place in places]
        return clip_list(corpus, picked, notes, seconds).html

    menu = _menu(corpus, clip_ids, first)
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


def radio(
    corpus: Corpus,
    clip_ids: Sequence[int],
    similarities: np.ndarray,
    first: int = 0,
    *,
    groups=None,
    n: int = 5,
    seconds: float = 10,
) -> View:
    """Play clips like a first one, and choose the next by what is skipped.

    What is not skipped counts as kept; neighbours.feedback chooses the next n.

    Args:
        clip_ids: the clips; similarities and groups as for neighbours.feedback.
        first: the place of the first clip, where the menu begins.
        seconds: of each clip, at most 10.

    Shape: similarities (n_clips, n_clips).
    Raises: ValueError as neighbours.feedback.
    Notebook: course/06_recommendation.ipynb
    """
    kept, skipped, shown = [], [], []
    menu = _menu(corpus, clip_ids, first)
    rows = ipywidgets.VBox()
    button = ipywidgets.Button(description=f"Next {n}")
    said = ipywidgets.HTML()

    def show():
        shown[:] = neighbours.feedback(
            similarities, menu.value, kept, skipped, n=n, groups=groups
        )
        rows.children = [
            ipywidgets.VBox(
                [
                    ipywidgets.HTML(_row(corpus, clip_ids[place], "", seconds)),
                    ipywidgets.Checkbox(description="skip it", indent=False),
                ]
            )
            for place in shown
        ]

    def go_on(_):
        ticked = [row.children[1].value for row in rows.children]
        for place, skip in zip(shown, ticked, strict=True):
            (skipped if skip else kept).append(place)
        counts = f"{len(kept)} kept, {len(skipped)} skipped"
        try:
            show()
            said.value = page.status(f"{counts}. These come next:")
        except ValueError:
            rows.children = []
            shown.clear()
            said.value = page.status(f"{counts}. No other clips are left.")

    def begin(_):
        kept.clear()
        skipped.clear()
        said.value = page.status(f"Like {safe(_name(corpus, clip_ids[menu.value]))}:")
        show()

    menu.observe(begin, names="value")
    button.on_click(go_on)
    begin(None)
    picked = [clip_ids[place] for place in shown]
    more = f"In JupyterLab, tick what you would skip, and ask for the next {n}."
    static = clip_list(corpus, picked, seconds=seconds).html
    return View(
        f"Radio: {len(picked)} clips like clip {clip_ids[first]}",
        box(f"<small>{more}</small>") + said.value + static,
        ipywidgets.VBox([menu, said, rows, button]),
        {"first": menu, "rows": rows, "next": button, "said": said},
    )


def _menu(corpus, clip_ids, first):
    return ipywidgets.Dropdown(
        options=[(_name(corpus, clip_id), i) for i, clip_id in enumerate(clip_ids)],
        value=first,
        description="first clip",
        layout={"width": "36em"},
    )


def _row(corpus, clip_id, note, seconds) -> str:
    """A clip's credit, a note, its player, and its tags where the corpus has some."""
    try:
        sound = page.audio_tag(_piece(corpus, clip_id, seconds), RATE, _NEXT)
    except audio.AudioError as reason:  # the others still play
        sound = safe(reason)
    credit = f"{safe(corpus.credit(clip_id))} (clip {clip_id})"
    note = f"; <b>{safe(note)}</b>" if note else ""
    named = ""
    if corpus.annotations.shape[1]:
        named = f"<br><small>{page.crowd_named(corpus, clip_id)}</small>"
    return f"{credit}{note}<br>{sound}{named}"


def _name(corpus, clip_id) -> str:
    title, artist, path = corpus.clips.loc[clip_id, ["title", "artist", "mp3_path"]]
    by = "" if artist in ("", path) else f", by {artist}"  # where it is known
    return f"{title}{by} (clip {clip_id})"


def _about(corpus, clip_id) -> str:
    credit = f"{corpus.credit(clip_id)} (clip {clip_id})"
    if not corpus.annotations.shape[1]:
        return credit
    named = ", ".join(page.tags_of(corpus.annotations, clip_id)) or "nothing"
    return f"{credit}; {page.CROWD.lower()}: {named}"


def _sound(corpus, clip_id, seconds) -> str:
    """The address of a piece of a clip, or nothing if it cannot be read."""
    try:
        return page.sound_url(_piece(corpus, clip_id, seconds), RATE)
    except audio.AudioError:  # the others still play
        return ""


def _piece(corpus, clip_id, seconds):
    """The middle of a clip at RATE; a short clip as a whole."""
    samples = corpus.load(clip_id)
    start = max(0.0, len(samples) / audio.SAMPLE_RATE - seconds) / 2
    piece, _ = page.cut(samples, audio.SAMPLE_RATE, seconds, start)
    return np.clip(audio.resample(piece, audio.SAMPLE_RATE, RATE), -1, 1)
