"""The form of the lessons: what each must have, and what none may store."""

import re
from pathlib import Path

import nbformat
import pytest

COURSE = Path(__file__).parents[1] / "course"
LESSONS = sorted(COURSE.glob("[0-9]*.ipynb"))
NOTEBOOKS = sorted(COURSE.glob("*.ipynb"))  # those beside the lessons, too
BASE64 = re.compile(r"base64,[A-Za-z0-9+/=]+")


@pytest.fixture(params=LESSONS, ids=lambda path: path.stem)
def lesson(request):
    return nbformat.read(request.param, as_version=4)


@pytest.fixture(params=NOTEBOOKS, ids=lambda path: path.stem)
def notebook(request):
    return nbformat.read(request.param, as_version=4)


def of_kind(lesson, kind):
    return [cell for cell in lesson.cells if cell.cell_type == kind]


def test_there_are_ten():
    assert [path.stem[:2] for path in LESSONS] == [f"{n:02}" for n in range(10)]


def test_a_lesson_has_all_its_parts(lesson):
    for words in ("After this lesson you can", "Time", "You need"):
        assert f"**{words}**" in lesson.cells[0].source, words
    code = of_kind(lesson, "code")
    assert 'CORPUS = "mini"' in code[0].source, "the one switch"
    text = "\n".join(cell.source for cell in of_kind(lesson, "markdown"))
    for heading in ("## Summary", "## Where this comes from"):
        assert f"\n{heading}\n" in text, heading
    assert any("widgets.quiz(" in cell.source for cell in code), "no quiz"


def test_cells_are_few_short_and_introduced(lesson):
    assert len(lesson.cells) <= 50
    for before, cell in zip(lesson.cells, lesson.cells[1:], strict=False):
        if cell.cell_type == "code":
            assert before.cell_type == "markdown", f"no text before {cell.id}"
            assert len(cell.source.split("\n")) <= 15, cell.id


def test_a_lesson_is_short_and_asks_first(lesson):
    text = "\n".join(cell.source for cell in of_kind(lesson, "markdown"))
    code = "\n".join(cell.source for cell in of_kind(lesson, "code"))
    assert len(text.split()) <= 3_500
    assert "fmt: skip" not in code
    assert 1 <= code.count("widgets.predict(") == code.count(".reveal(") <= 5
    sections = re.findall(r"^## \d+ .*", text, re.M)
    assert all(re.search(r"\(\d+ minutes\)$", name) for name in sections)


def test_headings_go_down_a_level_at_a_time(notebook):
    text = "\n".join(cell.source for cell in of_kind(notebook, "markdown"))
    text = re.sub(r"```.*?```", "", text, flags=re.S)
    levels = [len(marks) for marks in re.findall(r"^(#+) ", text, re.M)]
    assert levels.count(1) == 1 and levels[0] == 1
    assert all(b <= a + 1 for a, b in zip(levels, levels[1:], strict=False))


def test_stored_outputs_are_of_one_clean_run(notebook):
    code = of_kind(notebook, "code")
    assert [cell.execution_count for cell in code] == [*range(1, len(code) + 1)]
    assert "widgets" not in notebook.metadata, "states of widgets are large"
    for output in [output for cell in code for output in cell.outputs]:
        assert output.output_type != "error" and output.get("name") != "stderr"
        said = BASE64.sub("", str(output.get("data", output.get("text"))))
        assert not re.search(r"/(home|root|tmp|work|Users)/|Warning|widget-view", said)


def test_pictures_have_alt_text(notebook):
    for output in [o for cell in of_kind(notebook, "code") for o in cell.outputs]:
        data = output.get("data", {})
        if "image/png" in data:
            alt = output.metadata.get("image/png", {}).get("alt", "")
            assert alt.endswith(".") and len(alt) > 30, alt
        for tag in re.findall("<img[^>]*>", data.get("text/html", "")):
            assert re.search('alt="[^"]{30,}"', tag), tag[:80]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_small(path):
    assert path.stat().st_size < 2_000_000
