"""The one switch: lessons run to the end on someone's own labelled music."""

import csv
import shutil

import nbclient
import nbformat
import pytest

from tagkit.data import corpus

COURSE = corpus.SHIPPED.parent / "course"
NUMBERS = (0, 1, 2, 3, 4, 5, 6, 8)  # 07 is about seconds
LESSONS = [path for n in NUMBERS for path in COURSE.glob(f"{n:02}_*.ipynb")]
# What a person would call these things.
WORDS = {"guitar": "gtr", "drums": "with drums", "slow": "for the evening",
         "strings": "Streicher", "techno": "dance floor"}  # fmt: skip


@pytest.fixture(scope="module")
def own(tmp_path_factory):
    """Sixty clips of mini under other names, in a flat folder with a table."""
    folder = tmp_path_factory.mktemp("music")
    mini = corpus.open("mini")
    ids = mini.clips.index[::8]
    rows = [("file", "tags", "artist")]
    for n, clip_id in enumerate(ids):
        shutil.copy(mini.path(clip_id), folder / f"Take {n:02}.mp3")
        said = mini.annotations.loc[clip_id]
        named = ";".join(word for tag, word in WORDS.items() if said[tag])
        artist = mini.clips.at[clip_id, "artist"]
        rows.append((f"Take {n:02}.mp3", named, artist))
    with (folder / "tags.csv").open("w", newline="") as file:
        csv.writer(file).writerows(rows)
    return folder


@pytest.fixture(scope="module")
def untagged(own):
    """Two dozen of them without the table; nobody knows by whom they are."""
    folder = own.parent / "untagged"
    folder.mkdir()
    for path in sorted(own.glob("*.mp3"))[:24]:
        shutil.copy(path, folder)
    return folder


def run(path, folder, tmp_path, monkeypatch):
    monkeypatch.setenv("TAGKIT_STATIC", "1")
    monkeypatch.setenv("TAGKIT_DATA", str(folder.parent / "data"))  # for its store
    lesson = nbformat.read(path, as_version=4)
    first = next(cell for cell in lesson.cells if cell.cell_type == "code")
    assert first.source.count('CORPUS = "mini"') == 1
    first.source = first.source.replace('"mini"', repr(str(folder)))
    where = {"metadata": {"path": str(tmp_path)}}
    nbclient.NotebookClient(lesson, timeout=600, resources=where).execute()
    return str([cell.get("outputs") for cell in lesson.cells])


@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)
def test_a_lesson_runs_on_an_own_corpus(path, own, tmp_path, monkeypatch):
    run(path, own, tmp_path, monkeypatch)


def test_lesson_06_needs_no_tags(untagged, tmp_path, monkeypatch):
    (path,) = COURSE.glob("06_*.ipynb")
    assert "No tags here" in run(path, untagged, tmp_path, monkeypatch)
