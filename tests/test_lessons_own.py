"""The one switch: lessons run to the end on someone's own labelled music.

How well their networks learn does not matter here, so each trains for one short epoch.
All run in one kernel, since `pytest --nbval` runs each alone.
"""

import csv
import re
import shutil

import nbclient
import nbformat
import pytest

from tagkit.data import corpus

COURSE = corpus.SHIPPED.parent / "course"
NUMBERS = (0, 1, 2, 3, 4, 5, 6, 8, 9)  # 07 is about seconds
LESSONS = [path for n in NUMBERS for path in COURSE.glob(f"{n:02}_*.ipynb")]
# What a person would call these things.
WORDS = {"guitar": "gtr", "drums": "with drums", "slow": "for the evening",
         "strings": "Streicher", "techno": "dance floor"}  # fmt: skip
SIZE = r"\b(epochs|crops_per_clip|n_steps)=\d+"  # how long a network trains


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


@pytest.fixture(scope="module")
def execute(own, tmp_path_factory):
    """Execute notebooks, one after the other, in one kernel."""
    where = tmp_path_factory.mktemp("work")
    nothing = nbformat.v4.new_notebook()
    resources = {"metadata": {"path": str(where)}}
    client = nbclient.NotebookClient(nothing, timeout=600, resources=resources)

    def one(notebook):
        client.nb = notebook
        client.execute(cleanup_kc=False)

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TAGKIT_STATIC", "1")
        patch.setenv("TAGKIT_DATA", str(where / "data"))  # for its store
        yield one
        client.nb = nothing
        client.execute()  # and end the kernel


def run(path, folder, execute):
    lesson = nbformat.read(path, as_version=4)
    for cell in lesson.cells:
        cell.source = re.sub(SIZE, r"\1=1", cell.source)
    first = next(cell for cell in lesson.cells if cell.cell_type == "code")
    assert first.source.count('CORPUS = "mini"') == 1
    own = first.source.replace('"mini"', repr(str(folder)))
    first.source = f"%reset -f\n{own}"
    execute(lesson)
    return str([cell.get("outputs") for cell in lesson.cells])


@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)
def test_a_lesson_runs_on_an_own_corpus(path, own, execute):
    run(path, own, execute)


def test_lesson_06_needs_no_tags(untagged, execute):
    (path,) = COURSE.glob("06_*.ipynb")
    assert "No tags here" in run(path, untagged, execute)
