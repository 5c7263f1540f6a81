"""Every task's probe against right and wrong answers; exercises against solutions.

Run: python -m pytest tests/test_exercises.py -s     (-s shows the coverage table)
"""

import copy
import functools
import importlib.util
import inspect
import itertools
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import numpy as np
import pytest
from torch import nn

from tagkit.checks import check, engine, values

ROOT = Path(__file__).parents[1]
SOLUTIONS, EXERCISES = ROOT / "solutions", ROOT / "exercises"


def load(path):
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


make_exercises = load(SOLUTIONS / "make_exercises.py")
MODULES = [load(path) for path in sorted(SOLUTIONS.glob("answers_*.py"))]
ANSWERS = {id: found for module in MODULES for id, found in module.ANSWERS.items()}
NOTEBOOKS = sorted(SOLUTIONS.glob("*.ipynb"))


def lesson_of(path):
    """The lesson of an exercise as its tasks name it: "1", or "M" for the museum."""
    number = path.stem[:2]
    return str(int(number)) if number.isdigit() else "M"


def cases(kind):
    return list(each_case(kind))


def each_case(kind):
    for id, answers in ANSWERS.items():
        if kind == "right":
            found = [(answers.solution,), *((answer,) for answer in answers.also_right)]
        else:
            found = answers.wrong
        for number, case in enumerate(found):
            yield pytest.param(id, *case, id=f"{id}-{number}")


def is_function(answer):
    """True for functions and classes; a trained network is a result, like a number."""
    return callable(answer) and not isinstance(answer, nn.Module)


def needs_corpus(id):
    return "corpus" in inspect.signature(engine.find(id).probe).parameters


def outcome(id, answer, corpus):
    given = {"corpus": corpus} if needs_corpus(id) else {}
    return check(id, answer, **given)


@pytest.mark.parametrize(("id", "answer"), cases("right"))
def test_a_right_answer_is_right(mini, id, answer):
    found = outcome(id, answer, mini)
    assert found, found


@pytest.mark.parametrize(("id", "answer", "message"), cases("wrong"))
def test_a_wrong_answer_is_wrong_and_told_why(mini, id, answer, message):
    found = outcome(id, answer, mini)
    assert found.status == "wrong"
    assert message in found.message


@pytest.mark.parametrize(
    ("id", "answer"),  # functions only: a number that is right for mini is not for it
    [
        c
        for c in cases("right")
        if needs_corpus(c.values[0])
        and (is_function(c.values[1]) or type(c.values[1]) is tuple)
    ],
)
def test_a_right_answer_is_right_on_magnatagatune(mtt, id, answer):
    found = outcome(id, answer, mtt)
    assert found, found


@pytest.mark.parametrize("id", ANSWERS)
def test_an_empty_function_is_not_tried(mini, id):
    solution = ANSWERS[id].solution
    parts = solution if isinstance(solution, tuple) else (solution,)
    empty = tuple((lambda *_: None) if is_function(part) else ... for part in parts)
    answer = empty if isinstance(solution, tuple) else empty[0]
    assert outcome(id, answer, mini).status == "not tried"
    assert outcome(id, ..., mini).status == "not tried"
    for number in range(1, len(parts)):  # the first parts are done, the others not
        half = (*parts[:number], *empty[number:])
        assert outcome(id, half, mini).status == "not tried"


# What the texts and the hints promise, for the lessons of the second edition

WITHOUT_EXAMPLE = {
    **dict.fromkeys(
        [f"0.{n}" for n in (1, 2, 3, 4, 6, 7, 8)],
        "stands in its lesson, without an example",
    ),
    "1.3": "its example is counted on MagnaTagATune",
    **dict.fromkeys(("2.3", "3.4", "4.3"), "a network, whose table gives shapes"),
    **dict.fromkeys(("2.4", "4.4"), "its examples are networks, which the probe has"),
    "3.5": "a network is trained",
    "4.5": "its example gives scores, which are computed inside the network",
    "5.6": "its example says how many clips a draw has",
    "7.2": "its example is a loop, which the probe has",
    "7.4": "its example gives the losses of parts, which the network computes",
    "7.5": "a run and a disk, without an example",
    **dict.fromkeys(("M.2", "M.6", "M.9", "M.14"), "a network is run"),
    "M.5": "its example is a number of frames, which the probe has",
    "M.10": "its example is a tie, which hangs on how a sigmoid is rounded",
    "M.11": "its example gives an average precision, not the scores",
}
WITHOUT_CODE = {
    "3.3": "its last hint is no code",
    "3.5": "the solution trains the network of the hint: see the last test here",
}
EXAMPLES = [
    pytest.param(id, *example, id=f"{id}-{number}")
    for module in MODULES
    for id, examples in getattr(module, "EXAMPLES", {}).items()
    for number, example in enumerate(examples)
]
FOLLOWED = {
    id: (module, *followed)
    for module in MODULES
    for id, followed in getattr(module, "FOLLOWED", {}).items()
}


def numbers_of(value):
    """All numbers in an answer, in its order: for comparing whatever its type."""
    value = values.plain(value)
    if isinstance(value, dict):
        return [x for item in value.items() for x in numbers_of(item)]
    if isinstance(value, list | tuple):
        return [x for part in value for x in numbers_of(part)]
    return np.ravel(value).tolist()


def with_part(id, part, answer):
    """The solution of a task, with one part of it exchanged."""
    if part is None:
        return answer
    parts = list(ANSWERS[id].solution)
    parts[part] = answer
    return tuple(parts)


@pytest.mark.parametrize(("id", "part", "given", "wanted"), EXAMPLES)
def test_the_example_of_a_text_runs_through_its_check(
    mini, tmp_path, id, part, given, wanted
):
    solution = ANSWERS[id].solution
    function = solution if part is None else solution[part]
    asked = []

    def asks(*arguments):
        files = [x.read_text() if isinstance(x, Path) else x for x in arguments]
        asked.append(copy.deepcopy(files))
        return function(*arguments)

    assert outcome(id, with_part(id, part, asks), mini)
    near = functools.partial(np.allclose, rtol=0, atol=1e-9)
    texts = [x.replace("\r\n", "\n") if isinstance(x, str) else x for x in given]
    assert any(
        len(one) == len(texts)
        and all(
            x == y if isinstance(y, str) else is_same(x, y, near)
            for x, y in zip(one, texts, strict=True)
        )
        for one in asked
    ), "the check does not try the example"
    if isinstance(given[0], str):
        path = tmp_path / "annotations_final.csv"
        path.write_text(given[0], newline="")
        given = (path,)
    if wanted is not None:
        found, wanted = numbers_of(function(*given)), numbers_of(wanted)
        close = functools.partial(near, atol=1e-3)
        assert all(
            x == y if isinstance(y, str) else close(x, y)
            for x, y in zip(found, wanted, strict=True)
        )


def is_same(x, y, near):
    """True for two arguments with the same texts and the same numbers."""
    x, y = numbers_of(x), numbers_of(y)
    if len(x) != len(y) or any(map(isinstance, x, [str] * len(x))) != any(
        map(isinstance, y, [str] * len(y))
    ):
        return False
    return x == y if any(isinstance(v, str) for v in x + y) else near(x, y)


class Piece(str):
    """Code in a hint; `{0:x}` in a frame puts x for its dots."""

    def __format__(self, dots):
        return self.replace("...", dots) if dots else str(self)


@pytest.mark.parametrize("id", FOLLOWED)
def test_a_last_hint_followed_to_the_letter_is_right(mini, id):
    module, part, frame = FOLLOWED[id]
    pieces = map(Piece, re.findall(r"`([^`]+)`", engine.find(id).hints[-1]))
    names = {**vars(module), "labels": mini.labels()}
    exec(frame.format(*pieces), names)
    found = outcome(id, with_part(id, part, names["answer"]), mini)
    assert found, found


def test_the_examples_and_hints_of_all_tasks_are_followed():
    for id in engine.tasks():
        examples = id in {case.values[0] for case in EXAMPLES}
        assert examples != (id in WITHOUT_EXAMPLE), id
        assert (id in FOLLOWED) != (id in WITHOUT_CODE), id
    text = (SOLUTIONS / "03_spectrogram_cnns.ipynb").read_text("utf-8")
    source = re.sub(r"\s", "", "".join(c.source for c in nbformat.reads(text, 4).cells))
    for piece in re.findall(r"`([^`]+)`", engine.find("3.5").hints[-1]):
        inside = re.sub(r"\s|^nn.Sequential\(|\)$", "", piece)
        assert inside in source, piece


@pytest.mark.parametrize("id", ANSWERS)
def test_the_slips_that_a_check_names_differ_in_its_first_case(mini, monkeypatch, id):
    first = {}

    def note(yours, right, slips, *texts, **about):
        slips, line = list(slips), sys._getframe(1).f_lineno
        first.setdefault(line, (right, slips, about.get("atol", 1e-6)))
        values.refuse_slips(yours, right, slips, *texts, **about)

    module = sys.modules[engine.find(id).probe.__module__]
    monkeypatch.setattr(module, "refuse_slips", note)
    assert outcome(id, ANSWERS[id].solution, mini)
    for right, slips, atol in first.values():
        told = [("right", right), *((message, slip) for slip, message in slips)]
        for (text, one), (other_text, other) in itertools.combinations(told, 2):
            same = np.allclose(np.nan_to_num(one), np.nan_to_num(other), 0, atol)
            assert not same or text == other_text, (text, other_text)


def test_every_task_is_covered(capsys):
    """Every task has answers for its tests and a graded cell of as many points."""
    tasks = engine.tasks()
    assert set(ANSWERS) == set(tasks)
    cells = {}
    for path in NOTEBOOKS:
        for cell in nbformat.read(path, as_version=4).cells:
            about = cell.metadata.get("nbgrader", {})
            if cell.id.startswith("check-"):
                id = cell.id.removeprefix("check-").replace("-", ".")
                assert f'check("{id}"' in cell.source
                assert about["grade"] and about["locked"] and not about["solution"]
                cells[id] = about["points"]
    graded = {lesson_of(path) for path in NOTEBOOKS}  # lesson 00 has its task in itself
    points = {id: task.points for id, task in tasks.items()}
    assert cells == {id: n for id, n in points.items() if id.split(".")[0] in graded}
    lines = [f"{'task':6}{'right':>6}{'wrong':>6}{'messages':>9}{'hints':>6}  title"]
    for id, task in tasks.items():
        answers = ANSWERS[id]
        right, wrong = 1 + len(answers.also_right), len(answers.wrong)
        messages = len({message for _, message in answers.wrong})
        assert right >= 3 and wrong >= 3 and messages >= 3
        lines.append(
            f"{id:6}{right:6}{wrong:6}{messages:9}{len(task.hints):6}  {task.title}"
        )
    with capsys.disabled():
        print("", *lines, sep="\n")


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_exercises_are_what_make_exercises_writes(path):
    assert make_exercises.out_of_date(path) is None
    made = nbformat.read(EXERCISES / path.name, as_version=4)
    for cell in made.cells:
        assert "BEGIN " not in cell.source and "END " not in cell.source


def test_check_mode_finds_a_changed_exercise(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(make_exercises, "EXERCISES", tmp_path)
    assert make_exercises.main(["--check"]) == 1
    for path in EXERCISES.glob("*.ipynb"):
        shutil.copy(path, tmp_path)
    assert make_exercises.main(["--check"]) == 0
    changed = tmp_path / NOTEBOOKS[0].name
    changed.write_text(changed.read_text().replace("your code here", "here"))
    assert make_exercises.main(["--check"]) == 1
    shutil.copy(EXERCISES / changed.name, changed)
    shutil.copy(changed, tmp_path / "99_alone.ipynb")
    assert make_exercises.main(["--check"]) == 1
    assert "99_alone.ipynb has no solution" in capsys.readouterr().out


@pytest.mark.parametrize(
    "source",
    [
        *("### BEGIN SOLUTION", "### END SOLUTION"),
        "### BEGIN SOLUTION\n### BEGIN HIDDEN TESTS\n### END SOLUTION",
        "### BEGIN SOLUTION\n### END HIDDEN TESTS",
    ],
)
def test_marks_that_are_no_pair_are_refused(source):
    with pytest.raises(ValueError, match="mark"):
        make_exercises.strip(source, "code")


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_stored_outputs_are_those_of_an_untouched_and_a_solved_notebook(path):
    for folder, status in ((EXERCISES, "not tried yet"), (SOLUTIONS, "right")):
        notebook = nbformat.read(folder / path.name, as_version=4)
        assert notebook.metadata.kernelspec == {
            "name": "python3",
            "display_name": "Python 3 (ipykernel)",
            "language": "python",
        }
        code = [cell for cell in notebook.cells if cell.cell_type == "code"]
        assert [cell.execution_count for cell in code] == [*range(1, len(code) + 1)]
        for cell in code:
            for output in cell.outputs:
                assert output.output_type != "error"
                assert output.get("name") != "stderr"
                assert str(ROOT) not in str(output)
            if cell.id.startswith("check-"):
                assert f": {status}." in cell.outputs[0]["data"]["text/plain"]


def test_teaching_says_the_minutes_and_points_of_the_notebooks():
    lines = (EXERCISES / "TEACHING.md").read_text("utf-8").splitlines()
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines]
    rows = {row[0]: row for row in reversed(rows) if row}
    title = re.compile(r"#+ (Exhibit )?([\d.]+).*\n+\*.*?bout (\d+) minutes")
    together = np.zeros(3, int)
    for path in NOTEBOOKS:
        minutes, words = 0, 0
        for cell in nbformat.read(path, as_version=4).cells:
            about = cell.metadata.get("nbgrader", {})
            if found := title.search(cell.source):
                number = found[2].rstrip(":.")
                id = f"{lesson_of(path)}.{number}" if found[1] else number
                assert rows[id][2:4] == [found[3], str(engine.find(id).points)], id
                minutes += int(found[3])
            elif about.get("solution") and cell.cell_type == "markdown":
                words += about["points"]
        points = words + points_of(f"{lesson_of(path)}.")
        row = next(row for name, row in rows.items() if name.startswith(path.stem[:2]))
        assert sum(map(int, row[1].split(" and "))) == minutes, path.stem
        assert row[2:] == [str(points), str(words)], path.stem
        together += [minutes, points, words]
    assert rows["together"][1:] == [str(n) for n in together]


# nbgrader, from a teacher's source to a student's feedback


def nbgrader(folder, *arguments):
    environment = {**os.environ, "TAGKIT_STATIC": "1", "PYTHONWARNINGS": "ignore"}
    environment["HOME"] = environment["JUPYTER_CONFIG_DIR"] = str(folder / "home")
    done = subprocess.run(
        [sys.executable, "-m", "nbgrader", *arguments],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=3600,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def submit(released, source, to, solved, wrong):
    """Hand in the released notebook with the cells of some solutions filled in."""
    notebook = nbformat.read(released, as_version=4)
    answers = {cell.id: cell.source for cell in nbformat.read(source, 4).cells}
    for cell in notebook.cells:
        if solved(cell.id) and cell.metadata.get("nbgrader", {}).get("solution"):
            cell.source = answers[cell.id].replace("SOLUTION", "ANSWER")
        cell.source = wrong.get(cell.id, cell.source)
    to.mkdir(parents=True, exist_ok=True)
    nbformat.write(notebook, to / released.name)


@pytest.fixture
def course(tmp_path, monkeypatch):
    """A teacher's folder for nbgrader, with its settings."""
    pytest.importorskip("nbgrader")
    # nbgrader calls `alembic` by name: it has to be found as in a live environment
    beside = str(Path(sys.executable).parent)
    monkeypatch.setenv("PATH", beside + os.pathsep + os.environ["PATH"])
    (tmp_path / "home").mkdir()
    shutil.copy(SOLUTIONS / "nbgrader_config.py", tmp_path)
    return tmp_path


def release(course):
    """Make an assignment of all solutions; return the folder for learners."""
    folder = course / "source" / "course"
    folder.mkdir(parents=True)
    for source in NOTEBOOKS:
        shutil.copy(source, folder)
    nbgrader(course, "generate_assignment", "course")
    for source in NOTEBOOKS:
        made = nbformat.read(EXERCISES / source.name, as_version=4).cells
        path = course / "release" / "course" / source.name
        released = nbformat.read(path, as_version=4).cells
        assert [(c.id, c.source) for c in released] == [(c.id, c.source) for c in made]
    return course / "release" / "course"


def gradebook(course):
    from nbgrader.api import Gradebook

    return Gradebook(f"sqlite:///{course / 'gradebook.db'}")


def points_of(lesson):
    return sum(t.points for id, t in engine.tasks().items() if id.startswith(lesson))


def half(source):
    """Every second task of a solution notebook: its cells to fill in, its points.

    Tasks that train a network are not among them. Of the other half the first one is
    tried, and its first cell raises.
    """
    tasks, parts = [], []
    for cell in nbformat.read(source, as_version=4).cells:
        about = cell.metadata.get("nbgrader", {})
        if cell.id.startswith("check-"):
            trains = any(
                "nbval-ignore-output" in c.metadata.get("tags", ()) for c in parts
            )
            tasks.append(([c.id for c in parts], about["points"], trains))
            parts = []
        elif about.get("solution") and cell.cell_type == "code":
            parts.append(cell)
    done = [task for task in tasks[::2] if not task[2]]
    broken = next(task for task in tasks if task not in done)[0][0]
    solved = [id for ids, _, _ in done for id in ids]
    return solved, {broken: "1 / 0"}, sum(points for _, points, _ in done)


def test_nbgrader_assigns_grades_and_gives_feedback(course):
    """One learner does half of every exercise, another one all of the first."""
    released, expected = release(course), {}
    first, folder = NOTEBOOKS[0], course / "submitted"
    for source in NOTEBOOKS:
        solved, wrong, expected[source.stem] = half(source)
        if source is first:
            wrong["noise"] = "def noise(labels, truth):\n    raise KeyError"
        to = folder / "half" / "course"
        submit(released / source.name, source, to, solved.__contains__, wrong)
    to = folder / "all" / "course"
    submit(released / first.name, first, to, lambda id: True, {})
    nbgrader(course, "autograde", "course")
    nbgrader(course, "generate_feedback", "course", "--student", "half")

    with gradebook(course) as book:
        found = book.find_submission("course", "all")
        assert found.score == points_of("1.")
        assert found.needs_manual_grade
        found = book.find_submission("course", "half")
        scores = {notebook.name: notebook.score for notebook in found.notebooks}
        most = {notebook.name: notebook.max_score for notebook in found.notebooks}
        assert found.score == sum(scores.values())
        assert not found.needs_manual_grade  # no words were written
    assert scores == expected
    for source in NOTEBOOKS:
        cells = nbformat.read(source, as_version=4).cells
        words = [c for c in cells if c.cell_type == "markdown"]
        words = sum(c.metadata.get("nbgrader", {}).get("points", 0) for c in words)
        points = points_of(f"{lesson_of(source)}.")
        assert most[source.stem] == points + words
        assert 0.25 < scores[source.stem] / points < 0.75
        page = course / "feedback" / "half" / "course" / f"{source.stem}.html"
        page = page.read_text(encoding="utf-8")
        for told in (": right.", "not tried yet", "ZeroDivisionError"):
            assert told in page, (source.stem, told)
        for told in ("stopped with KeyError", "is not defined"):
            assert source is not first or told in page, told
