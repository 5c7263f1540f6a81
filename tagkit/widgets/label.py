"""To label: hear a piece, tick the words that fit it, go on; a table keeps it all."""

import csv
import io
import os
from collections.abc import Sequence
from pathlib import Path

import ipywidgets

from tagkit import files
from tagkit.data import audio, folders, labels, metadata
from tagkit.data import corpus as corpora
from tagkit.widgets import page
from tagkit.widgets.page import MAX_SECONDS, View, box, is_static, listing, safe

SECONDS = 30  # of a piece, from its middle, are played while labelling
ABOUT = ["file", "artist"]


def label(
    music: str | os.PathLike | corpora.Corpus,
    words: Sequence[str],
    table: str | os.PathLike | None = None,
) -> View:
    """Label music by ear: hear a piece, tick the words that fit, and go on.

    Each piece that you keep is a row of the table at once: file, artist, and 0 or 1 for
    each word. `corpus.open(table)` and `tagkit learn` read it. Another run with the
    same words goes on where you stopped, also after the kernel has started again. A
    static page plays the first piece, and neither reads nor writes the table.

    Args:
        music: a folder, whose sound files are all asked for; or a corpus.
        words: one or more, such as ["calm", "with a voice"].
        table: default labels.csv in the folder of the music.

    Raises: ValueError for no music; no words, or one that is empty, twice there, or a
    column of its own in a table of labels; and if the table has other words.
    Notebook: course/08_borrowed_ears.ipynb
    """
    pieces, folder = _pieces(music)
    table = Path(table or folder / "labels.csv")
    words = _checked(words)
    rows = {} if is_static() else _read(table, words)
    paths = list(pieces)
    first = pieces[paths[0]][1]
    asked = f"Which of these words fit it? {listing(words)}."
    static = box(
        f"{_player(paths[0], MAX_SECONDS)}{safe(first)}<br>{asked}<br><small>"
        f"{len(paths)} pieces. In JupyterLab you tick the words and go on; "
        f"{safe(table.name)} keeps them.</small>"
    )
    ticks = []
    for word in words:
        # A full-width dollar sign, as "$" begins a formula in a description.
        name = word.replace("$", "\N{FULLWIDTH DOLLAR SIGN}")
        ticks.append(ipywidgets.Checkbox(False, description=name, indent=False))
    names = ("Back", "Keep and go on")
    buttons = {name: ipywidgets.Button(description=name) for name in names}
    question, said = ipywidgets.HTML(), ipywidgets.HTML()
    current = next((n for n, path in enumerate(paths) if path not in rows), 0)
    is_mute = False

    def show(more="", trouble=""):
        nonlocal is_mute
        path = paths[current]
        try:
            sound, is_mute = _player(path, SECONDS, more), False
        except audio.AudioError as reason:
            sound, is_mute = f"{safe(reason)}<br>", True
        heading = f"<b>{current + 1} of {len(paths)}</b> {safe(pieces[path][1])}"
        question.value = box(f"{heading}<br>{sound}")
        _, *values = rows.get(path, ["", *[0] * len(words)])
        for tick, value in zip(ticks, values, strict=True):
            tick.value = bool(value)
        kept = [rows[path][1:] for path in paths if path in rows]
        said.value = page.status(trouble + _progress(kept, words, len(paths), table))

    def go_on(_):
        nonlocal current
        trouble = ""
        if not is_mute:  # a piece that cannot be heard gets no row
            path = paths[current]
            rows[path] = [pieces[path][0], *(int(tick.value) for tick in ticks)]
            try:
                _write(table, words, rows)
            except OSError as reason:
                trouble = f"<b>Not kept: {safe(reason)}.</b> "
        n = len(paths)
        after = [(current + k) % n for k in range(1, n + 1)]
        current = next((k for k in after if paths[k] not in rows), after[0])
        show(" autoplay", trouble)

    def go_back(_):
        nonlocal current
        current = (current - 1) % len(paths)
        show(" autoplay")

    buttons["Back"].on_click(go_back)
    buttons["Keep and go on"].on_click(go_on)
    if not is_static():
        show()
    return View(
        f"Label: {len(paths)} pieces, {', '.join(words)}",
        static,
        ipywidgets.VBox(
            [question, *ticks, ipywidgets.HBox(list(buttons.values())), said]
        ),
        {"ticks": ticks, "buttons": buttons, "question": question, "said": said},
    )


def _pieces(music) -> tuple[dict, Path]:
    """Name artist and credit of each file, and the folder. Raises: ValueError."""
    if isinstance(music, corpora.Corpus):
        artists = music.clips["artist"]
        found = {
            _known(music.path(i)): (artists[i], music.credit(i)) for i in artists.index
        }
        folder = music.root
    else:
        folder = Path(music).expanduser()
        found = {}
        for path in folders.search([folder]).files:
            artist = metadata.read(path).artist
            found[_known(path)] = artist, path.relative_to(folder).as_posix()
    if not found:
        raise ValueError(
            f"there is no sound in {folder}; needed is a folder with files such as "
            "song.mp3, or a corpus"
        )
    return found, folder


def _known(path) -> str:
    return os.path.realpath(path)


def _checked(words) -> list[str]:
    words = [] if isinstance(words, str) else [str(word).strip() for word in words]
    taken = {*labels.FILE, *labels.TAGS, *labels.ABOUT, ""}
    plain = [word.casefold() for word in words]
    if not words or len(set(plain)) < len(words) or taken & set(plain):
        raise ValueError(
            f"the words are {words}; needed is a list of one or more, each once, and "
            f"none of {', '.join(sorted(taken - {''}))}, which name other columns"
        )
    return words


def _read(table, words) -> dict[str, list]:
    """Read what is kept so far: path -> artist, and 0 or 1 for each word."""
    if not table.exists():
        return {}
    with table.open(encoding="utf-8-sig", newline="") as file:
        head, *rows = [row for row in csv.reader(file) if row] or [[]]
    if head != [*ABOUT, *words]:
        raise ValueError(
            f"{table} has the columns {', '.join(head)}; needed are "
            f"{', '.join([*ABOUT, *words])}; for other words give another table, such "
            "as table='other.csv'"
        )
    folder = os.path.dirname(os.path.abspath(table))
    return {
        _known(os.path.join(folder, name)): [artist, *(int(v == "1") for v in values)]
        for name, artist, *values in rows
    }


def _write(table, words, rows):
    """Write all rows; files below the table's folder by their path from there."""
    lines = [[*ABOUT, *words]]
    folder = _known(table.parent)
    for path, row in rows.items():
        is_below = path.startswith(folder + os.sep)
        name = Path(os.path.relpath(path, folder)).as_posix() if is_below else path
        lines.append([name, *row])
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(lines)
    files.write_atomically(table, text.getvalue().encode())


def _player(path, seconds, more="") -> str:
    """Play a piece from the middle of a file."""
    rate = audio.SAMPLE_RATE
    samples = audio.load(path, rate)
    n = round(seconds * rate)
    start = max(0, (len(samples) - n) // 2)
    return page.audio_tag(samples[start : start + n].clip(-1, 1), rate, more) + "<br>"


def _progress(kept, words, n_pieces, table) -> str:
    """Say how many pieces are labelled, and how many have each word."""
    n = len(kept)
    counts = []
    for place, word in enumerate(words):
        n_ones = sum(values[place] for values in kept)
        counts.append(f"<i>{safe(word)}</i> {n_ones} yes, {n - n_ones} no")
    done = f"All {n} are labelled" if n == n_pieces else f"{n} of {n_pieces} kept"
    return f"{done}, in {safe(table.name)}. {'; '.join(counts)}."
