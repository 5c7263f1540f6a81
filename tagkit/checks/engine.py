"""Tasks, the three outcomes of a check, staged hints, and calls of answers."""

import contextlib
import copy
import difflib
import importlib
import inspect
import io
import pkgutil
import re
import sys
import traceback
import warnings
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from tagkit.checks import records
from tagkit.checks.notes import Board, Note
from tagkit.checks.values import Wrong, short, unchanged

PACKAGE = Path(__file__).parent


class NotTried(Exception):
    """The answer is still the empty scaffold."""


@dataclass(frozen=True)
class Task:
    """One task of an exercise: what `check` and `hint` need to know of it."""

    id: str  # lesson and number, such as "1.2"; "M.2" in the museum
    title: str  # a few words, shown by `progress`
    points: int  # what the task is worth when it is graded
    hints: tuple[str, ...]  # two or three; the last one nearly gives it away
    praise: str  # what to say when the answer is right, such as what to look at
    probe: Callable


@dataclass(frozen=True)
class Answers:
    """Answers to one task, with which tests try its probe."""

    solution: object  # of the solution notebook, in its plainest form
    also_right: list  # other correct ways: other types, other order of operations
    wrong: list[tuple[object, str]]  # each with a part of the message it must get


TASKS: dict[str, Task] = {}


def task(id: str, title: str, *, points: int, hints, praise: str = ""):
    """Declare a task: decorates the probe that judges its answers.

    The probe is called as `probe(answer, **given)`. It returns None when the answer
    is right, and otherwise returns (or raises `Wrong` with) the message for the
    learner. The message names the learner's value and what is wrong with it, never
    the value that would be right.
    """

    def declare(probe):
        TASKS[id] = Task(id, title, points, tuple(hints), praise, probe)
        return TASKS[id]

    return declare


def tasks() -> dict[str, Task]:
    """All tasks of all lessons, by id, in the order of the course."""
    for module in pkgutil.iter_modules([str(PACKAGE)]):
        if re.fullmatch(r"lesson\d\d|museum", module.name):
            importlib.import_module(f"tagkit.checks.{module.name}")
    return TASKS


def find(id: str) -> Task:
    """The task with this id; a mistyped id raises ValueError with the nearest ones."""
    known = tasks()
    if id in known:
        return known[id]
    near = difflib.get_close_matches(str(id), known, n=3, cutoff=0.4) or list(known)
    wanted = ", ".join(f'"{name}"' for name in near)
    raise ValueError(
        f"There is no task {id!r}. A task is named by text in quotes, lesson and "
        f"number. Did you mean {wanted}?"
    )


def check(id: str, answer=..., **given) -> Note:
    """Look at an answer and say: not tried yet, wrong (and why), or right.

    An answer that raises is reported as wrong; it never stops the notebook. An answer
    that never ends runs until you press the notebook's stop button. Any correct way
    counts: list, tuple, array, Series or tensor.

    Args:
        id: the task, such as "1.2".
        answer: what the task asks for, often the function itself (no brackets).
        given: what the answer was computed from, as the task's cell shows it, such
            as `corpus=music`.

    Raises: ValueError for an id that no task has, or when `given` does not fit.

    Notebook: course/00_start_here.ipynb

    >>> check("1.1", ..., corpus=None)
    ○ 1.1 Read the table by hand: not tried yet. Replace the `...` and check again.
    """
    this = find(id)
    needed = list(inspect.signature(this.probe).parameters)[1:]
    if set(given) != set(needed):
        arguments = [f'"{id}"', "answer", *(f"{name}=..." for name in needed)]
        raise ValueError(
            f"check got {sorted(given)} for task {id}, which needs {needed}. Write "
            f"check({', '.join(arguments)}), as in the cell of the task."
        )
    _gave_a_value.clear()
    try:
        if untouched(answer):
            raise NotTried
        # nbgrader takes any text on the error stream for a failure.
        with warnings.catch_warnings(), contextlib.redirect_stderr(io.StringIO()):
            warnings.simplefilter("ignore")
            message = this.probe(answer, **given)
        status = "wrong" if message else "right"
    except NotTried as reason:
        status = "not tried"
        message = str(reason) or "Replace the `...` and check again."
    except Wrong as reason:
        status, message = "wrong", str(reason)
    except (Exception, SystemExit) as error:
        status = "wrong"
        message = (
            "The check could not make sense of your answer, of type "
            f"{type(answer).__name__} ({type(error).__name__}: {error}). Compare it "
            "with what the task asks you to hand in."
        )
    if status != "not tried":
        records.keep(id, status)
    return Note(id, this.title, status, message or this.praise)


_shown: dict[str, int] = {}


def hint(id: str, stage: int | None = None) -> Note:
    """Show the next hint of a task, or the one of the given stage, 1, 2 or 3.

    Raises: ValueError for an id that no task has, or a stage that it does not have.

    Notebook: course/00_start_here.ipynb

    >>> hint("1.1", 1).status
    'hint'
    """
    this = find(id)
    last = len(this.hints)
    if stage is None:
        stage = min(_shown.get(id, 0) + 1, last)
    if stage not in range(1, last + 1):
        raise ValueError(
            f"Hint {stage!r} of task {id} was asked for, but its hints are 1 to "
            f'{last}. Write hint("{id}") for the next one.'
        )
    _shown[id] = stage
    more = "" if stage < last else " (This was the last hint.)"
    return Note(id, f"hint {stage} of {last}", "hint", this.hints[stage - 1] + more)


def progress(lesson: int | str | None = None) -> Board:
    """Draw which tasks are done: of one lesson, of the museum ("M"), or all.

    >>> len(progress(1).rows)
    6
    """
    done, rows = records.kept(), []
    for id, this in tasks().items():
        if lesson is None or id.startswith(f"{lesson}."):
            record = done.get(id, records.NOT_TRIED)
            status, tries = record["status"], record["tries"]
            rows.append((id, this.title, this.points, status, tries))
    return Board(tuple(rows))


def untouched(value) -> bool:
    """True for an answer that nobody has filled in: `...`, None, or only such parts.

    >>> untouched(...), untouched((None, ...)), untouched(0), untouched([])
    (True, True, False, False)
    """
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list | tuple):
        return len(value) > 0 and all(untouched(part) for part in value)
    return value is None or value is ...


_gave_a_value: list[Callable] = []  # functions that returned something in this check


def call(function, *arguments):
    """Call the learner's function on copies of the arguments, and give its result.

    Raises: NotTried when it returns nothing, and Wrong when it raises (with the line),
        when it changes an argument, or when it returned something in another case.
    """
    name = getattr(function, "__name__", type(function).__name__)
    if not callable(function):
        raise Wrong(
            f"You handed in {short(function)}, of type {type(function).__name__}; the "
            "function itself was asked for: write its name without brackets."
        )
    copies = copy.deepcopy(arguments)
    try:
        value = function(*copies)
    except NotImplementedError:
        value = None
    except (Exception, SystemExit) as error:
        raise Wrong(
            f"`{name}` stopped with {type(error).__name__}: {error}{_where(error)}."
        ) from None
    for number, (before, after) in enumerate(zip(arguments, copies, strict=True)):
        if not unchanged(before, after):
            parameters = list(inspect.signature(function).parameters)
            changed = parameters[min(number, len(parameters) - 1)]  # the last may be *x
            raise Wrong(
                f"`{name}` changes `{changed}`, which it was given; copy it first."
            )
    returned_before = any(function is other for other in _gave_a_value)
    if not untouched(value):
        _gave_a_value.append(function)
    elif returned_before:
        raise Wrong(f"`{name}` returns nothing in one case. Is a `return` missing?")
    else:
        raise NotTried(f"`{name}` returns nothing yet.")
    return value


def calls(function, cases: Iterable[tuple]) -> Iterator:
    """Call the learner's function for one case of arguments after another.

    As `call`, and before a function counts as not tried, all cases are asked.
    """
    cases = list(cases)
    for case in cases:
        try:
            yield call(function, *case)
        except NotTried:
            for other in cases:
                with contextlib.suppress(Wrong, NotTried):
                    call(function, *other)
            yield call(function, *case)


def _where(error: BaseException) -> str:
    """The learner's own line in a traceback, as ', in line 3: `...`'."""
    text = ""
    library = (str(PACKAGE.parent), sys.prefix, sys.base_prefix, "<frozen", "<__array")
    for place in traceback.extract_tb(error.__traceback__):
        if not place.filename.startswith(library):
            code = f": `{place.line}`" if place.line else ""
            text = f", in line {place.lineno}{code}"
    return text
