"""The engine of the checks: outcomes, calls, hints, types of answers, progress.

Run: python -m pytest tests/test_checks.py
"""

import json
import threading
import types
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
import torch

from tagkit import checks
from tagkit.checks import engine, records, values
from tagkit.checks.values import Wrong


@pytest.fixture
def toy(monkeypatch):
    """A lesson 90 with two tasks: one takes a number, one a function."""
    monkeypatch.setattr(engine, "TASKS", dict(engine.tasks()))
    monkeypatch.setattr(engine, "_shown", {})
    monkeypatch.setattr(records, "_session", {})

    @engine.task("90.1", "Count", points=1, hints=("one", "two", "three"))
    def count(answer):
        if values.number(answer, "Your count") != 7:
            return f"Yours is {values.short(answer)}."

    @engine.task("90.2", "Double", points=2, hints=("times",), praise="Well done.")
    def double(answer, numbers):
        if values.number(engine.call(answer, numbers), "It") != 2 * sum(numbers):
            return "It is not the double."


def show(function):
    return checks.check("90.2", function, numbers=[1, 2])


def test_three_outcomes(toy):
    right, wrong = checks.check("90.1", 7), checks.check("90.1", 8)
    untouched = checks.check("90.1", ...)
    assert [o.status for o in (right, wrong, untouched)] == [
        *("right", "wrong", "not tried")
    ]
    assert right and not wrong and not untouched
    assert wrong.message == "Yours is 8."
    assert repr(wrong) == "✗ 90.1 Count: wrong. Yours is 8."
    assert show(lambda x: 6).message == "Well done."


def test_a_box_is_readable_in_every_theme(toy):
    for answer, sign in ((7, "✓"), ("<b>&", "✗"), (None, "○")):
        box = checks.check("90.1", answer)._repr_html_()
        assert sign in box and "color:inherit" in box and "background:rgba" in box
    assert "&lt;b&gt;&amp;" in checks.check("90.1", "<b>&")._repr_html_()


@pytest.mark.parametrize("empty", [..., None, (..., None), [...], {"a": ...}])
def test_untouched_answers_are_not_tried(toy, empty):
    assert checks.check("90.1", empty).status == "not tried"
    assert show(lambda x: empty).status == "not tried"


def test_an_unfinished_function_is_not_tried(toy):
    def unfinished(numbers):
        raise NotImplementedError

    assert show(unfinished).status == "not tried"
    assert "unfinished" in show(unfinished).message


def test_an_answer_that_raises_is_reported_with_its_line(toy):
    def broken(numbers):
        return numbers["a"]

    outcome = show(broken)
    assert outcome.status == "wrong"
    assert "`broken` stopped with TypeError" in outcome.message
    assert '`return numbers["a"]`' in outcome.message


@pytest.mark.parametrize("error", [SystemExit(), RecursionError("deep"), MemoryError()])
def test_no_error_leaves_the_check(toy, error):
    def bad(numbers):
        raise error

    assert show(bad).status == "wrong"


def test_errors_of_the_answers_own_methods_stay_inside(toy):
    class Odd:
        def __float__(self):
            raise RuntimeError("odd")

        __len__ = __iter__ = __array__ = __repr__ = __float__

    assert checks.check("90.1", Odd()).status == "wrong"
    assert show(lambda x: Odd()).status == "wrong"
    assert "without brackets" in show(3).message
    assert "takes 0 positional arguments" in show(lambda: 3).message


def test_stopping_by_hand_stops(toy):
    def interrupted(numbers):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        show(interrupted)


def test_a_check_works_outside_the_main_thread(toy):
    outcomes = []
    thread = threading.Thread(target=lambda: outcomes.append(show(lambda x: 6)))
    thread.start()
    thread.join()
    assert [o.status for o in outcomes] == ["right"]


def test_an_answer_that_changes_what_it_is_given_is_told_so(toy):
    def changes(some):
        some.clear()
        return 6

    numbers = [1, 2]
    outcome = checks.check("90.2", changes, numbers=numbers)
    assert outcome.status == "wrong" and "`changes` changes `some`" in outcome.message
    assert numbers == [1, 2]


def frame(number):
    return pd.DataFrame({"a": [number, np.nan], "b": ["x", "y"]}, index=[3, 5])


@pytest.mark.parametrize(
    ("make", "change"),
    [
        (lambda: np.array([1.0, np.nan]), lambda x: x.__setitem__(0, 2)),
        (lambda: np.array(["b", "a"], dtype=object), lambda x: x.sort()),
        (lambda: np.array(["b", "a"]), lambda x: x.sort()),
        (lambda: torch.tensor([1.0, np.nan]), lambda x: x.add_(1)),
        (lambda: torch.ones(2, dtype=torch.bfloat16), lambda x: x.mul_(2)),
        (lambda: frame(1), lambda x: x.__setitem__("a", 2)),
        (lambda: frame(1), lambda x: x.insert(0, "c", 1)),
        (lambda: frame(1)["a"], lambda x: x.__setitem__(3, 2)),
        (lambda: {"a": np.zeros(2)}, lambda x: x["a"].__setitem__(0, 1)),
        (lambda: {"a": 1}, lambda x: x.update(b=2)),
        (lambda: [1, [2, float("nan")]], lambda x: x[1].append(3)),
        (lambda: {"a", "b"}, lambda x: x.remove("a")),
        (lambda: [np.float64("nan"), None], lambda x: x.__setitem__(1, 0)),
    ],
)
def test_any_kind_of_argument_is_compared(make, change):
    def keeps(x):
        return 1

    def changes(x):
        change(x)
        return 1

    assert engine.call(keeps, make()) == 1
    with pytest.raises(Wrong, match="changes `x`"):
        engine.call(changes, make())


def test_networks_and_generators_are_not_compared():
    network, random = torch.nn.BatchNorm1d(3), np.random.default_rng(0)

    def uses(network, random):
        return network(torch.tensor(random.normal(size=(4, 3))).float())

    assert engine.call(uses, network, random).shape == (4, 3)


def test_nothing_in_one_case_is_a_missing_return(toy):
    @engine.task("90.4", "Cases", points=1, hints=("one",))
    def cases(answer):
        arguments = [(1,), (2,), (3,)]
        for (n,), value in zip(arguments, engine.calls(answer, arguments), strict=True):
            if values.number(value, "It") != n:
                return "It is not the same."

    def only(*wanted):
        return lambda number: number if number in wanted else None

    assert checks.check("90.4", only(1, 2, 3))
    assert checks.check("90.4", only()).status == "not tried"
    for answer in (only(1), only(3), only(2, 3)):
        outcome = checks.check("90.4", answer)
        assert outcome.status == "wrong" and "`return` missing" in outcome.message
    assert checks.check("90.4", only()).status == "not tried"  # nothing is left over


def test_a_later_call_without_a_value_is_a_missing_return(toy):
    @engine.task("90.5", "Twice", points=1, hints=("one",))
    def twice(answer):
        engine.call(answer, 1)
        engine.call(answer, 2)

    outcome = checks.check("90.5", lambda number: 1 if number == 1 else None)
    assert outcome.status == "wrong" and "`return` missing" in outcome.message


def test_warnings_of_an_answer_stay_unseen(toy, capsys):
    """nbgrader takes any text on the error stream for a failed test."""

    def warns(numbers):
        np.float64(1) / np.zeros(1)
        return 6

    assert show(warns)
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    "seven",
    [
        *(7, 7.0, np.int64(7), np.float32(7), np.array(7), np.array([7])),
        *(torch.tensor(7), torch.tensor([7.0], requires_grad=True), pd.Series([7])),
        *([7], (7.0,), torch.tensor(7.0, dtype=torch.bfloat16)),
        *(Fraction(7), Decimal(7)),
    ],
)
def test_a_number_may_have_any_type(toy, seven):
    assert checks.check("90.1", seven)


@pytest.mark.parametrize(
    "odd",
    [
        *(
            "7",
            True,
            [7, 7],
            float("nan"),
            float("inf"),
            7j,
            {},
            object(),
            Decimal("nan"),
        ),
        *(np.array(["7"]), pd.DataFrame(), torch.zeros(0), lambda: 7, pd.NA),
    ],
)
def test_what_is_no_number_is_refused_in_words(toy, odd):
    outcome = checks.check("90.1", odd)
    assert outcome.status == "wrong"
    assert "Your count is" in outcome.message


@pytest.mark.parametrize(
    "matrix",
    [
        *([[1, 2], [3, 4]], ((1, 2), (3, 4)), np.array([[1, 2], [3, 4]])),
        *(torch.tensor([[1, 2], [3, 4]]), pd.DataFrame([[1, 2], [3, 4]])),
        pd.DataFrame([[4, 3], [2, 1]], index=["y", "x"], columns=["b", "a"]),
        pd.DataFrame([[2, 1], [4, 3]], columns=["b", "a"]),
        pd.DataFrame({"a": [True, 3], "b": [2, 4]}),
    ],
)
def test_a_matrix_may_have_any_type(matrix):
    assert values.table(matrix, ["x", "y"], ["a", "b"], "It").tolist() == [
        *([1, 2], [3, 4])
    ]


@pytest.mark.parametrize(
    ("odd", "message"),
    [
        (pd.DataFrame([[1, 2]], ["x"], ["a", "b"]), "no row 'y'"),
        (pd.DataFrame(1, [*"xyz"], ["a", "b"]), "row 'z', which does not belong"),
        (pd.DataFrame(1, ["x", "x"], ["a", "b"]), "row 'x' more than once"),
        (pd.DataFrame(1, ["x", "y"], ["a", "c"]), "no column 'b'"),
        ([[1, 2, 3]], "shape (1, 3)"),
        ([[1], [1, 2]], "numbers are needed"),
        ("text", "numbers are needed"),
    ],
)
def test_a_matrix_that_does_not_fit_is_refused(odd, message):
    with pytest.raises(Wrong) as reason:
        values.table(odd, ["x", "y"], ["a", "b"], "It")
    assert message in str(reason.value)


def test_one_value_per_clip_may_have_any_type():
    ids = pd.Index([5, 3], name="clip_id")
    for given in (
        *(pd.Series(["b", "a"], [3, 5]), {3: "b", 5: "a"}, ["a", "b"], ("a", "b")),
        *(np.array(["a", "b"]), pd.DataFrame({"part": ["a", "b"]}, [5, 3])),
        pd.Series(["a", "b"]),
    ):
        assert values.per_clip(given, ids, "It").to_dict() == {5: "a", 3: "b"}
    for given in (
        pd.Series(["a"], [5]),
        ["a"],
        "ab",
        3,
        pd.Series([*"abc"], [5, 3, 3]),
    ):
        with pytest.raises(Wrong):
            values.per_clip(given, ids, "It")


def test_a_series_without_the_clips_index_is_read_in_order():
    ids = pd.Index([1, 3], name="clip_id")  # a default index has 1, too
    assert values.per_clip(pd.Series(["a", "b"]), ids, "It").to_dict() == {
        1: "a",
        3: "b",
    }


def test_hints_come_one_by_one(toy):
    texts = [checks.hint("90.1").message for _ in range(4)]
    assert texts[:2] == ["one", "two"] and texts[2] == texts[3]
    assert texts[3] == "three (This was the last hint.)"
    assert checks.hint("90.1", 1).message == "one"
    assert checks.hint("90.1").message == "two"
    with pytest.raises(ValueError, match="4.*90.1.*1 to 3"):
        checks.hint("90.1", 4)


def test_a_mistyped_task_is_answered_with_the_nearest(toy):
    for call in (checks.check, checks.hint):
        with pytest.raises(ValueError, match=r"90\.11.*\"90\.1\""):
            call("90.11")
        with pytest.raises(ValueError, match="in quotes"):
            call(90.1)


def test_a_call_that_does_not_fit_is_answered_with_the_right_one(toy):
    with pytest.raises(ValueError, match=r'check\("90.2", answer, numbers=...\)'):
        checks.check("90.2", 3)
    with pytest.raises(ValueError, match=r'check\("90.1", answer\)'):
        checks.check("90.1", 3, corpus=1)


def test_a_fault_of_the_probe_is_no_traceback(toy):
    @engine.task("90.3", "Faulty", points=1, hints=("one",))
    def faulty(answer):
        return answer.shape

    assert "could not make sense" in checks.check("90.3", 3).message


def test_assert_right_is_for_hidden_tests(toy):
    checks.check("90.1", 7).assert_right()
    for answer in (8, ...):
        with pytest.raises(AssertionError, match="Count"):
            checks.check("90.1", answer).assert_right()


@pytest.fixture
def kept(toy, tmp_path, monkeypatch):
    """A progress file in use."""
    monkeypatch.delenv("TAGKIT_STATIC", raising=False)
    monkeypatch.setenv("TAGKIT_PROGRESS", str(tmp_path / "progress.json"))
    return tmp_path / "progress.json"


def test_progress_is_kept_and_never_lost_by_a_later_try(kept, monkeypatch):
    for answer in (..., 8, 7, 8):
        checks.check("90.1", answer)
    assert json.loads(kept.read_text()) == {"90.1": {"status": "right", "tries": 3}}
    monkeypatch.setattr(records, "_session", {})  # a new session
    show(len)
    board = checks.progress(90)
    assert repr(board).splitlines() == [
        "✓ 90.1 Count (1 points): right",
        "✗ 90.2 Double (2 points): wrong",
        "1 of 2 tasks right, 1 of 3 points",
    ]
    assert ">3</td>" in board._repr_html_()
    assert list(kept.parent.iterdir()) == [kept]


@pytest.mark.parametrize(
    "damage",
    [
        *(b"", b"{", b"\xff\xfe", b"[1]", b'"a"', b"null", b'{"90.1": 3}'),
        b'{"90.1": {"status": "right", "tries": "many"}}',
    ],
)
def test_a_damaged_progress_file_counts_as_empty(kept, damage):
    kept.write_bytes(damage)
    assert "0 of 2 tasks" in repr(checks.progress(90))
    assert checks.check("90.1", 7)
    assert "1 of 2 tasks" in repr(checks.progress(90))
    assert json.loads(kept.read_text()) == {"90.1": {"status": "right", "tries": 1}}


def test_an_unknown_status_counts_as_wrong(kept):
    kept.write_text('{"90.1": {"status": "<script>", "tries": 1}}')
    assert "✗ 90.1 Count (1 points): wrong" in repr(checks.progress(90))


def test_a_folder_that_cannot_be_written_costs_the_file_only(kept, monkeypatch):
    monkeypatch.setenv("TAGKIT_PROGRESS", str(kept / "no" / "folder.json"))
    assert checks.check("90.1", 7)
    assert "1 of 2 tasks" in repr(checks.progress(90))


def test_notebooks_without_a_reader_leave_no_file(kept, monkeypatch):
    monkeypatch.setenv("TAGKIT_STATIC", "1")
    assert checks.check("90.1", 7)
    assert not kept.exists()


def test_what_a_class_hands_in_is_one_table(kept):
    checks.check("90.1", 7)
    show(len)
    show(len)
    folder = kept.parent / "class"
    for name in ("ada.json", "ben/progress.json", "ben/late.json", "cy/.old/p.json"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / "ada.json").write_bytes(kept.read_bytes())  # as a learner has it
    early = {"90.2": {"status": "right", "tries": 5}}
    late = {"90.2": {"status": "wrong", "tries": 9}, "7.99": early["90.2"]}
    (folder / "ben" / "progress.json").write_text(json.dumps(early))
    (folder / "ben" / "late.json").write_text(json.dumps(late))
    (folder / "cy" / ".old" / "p.json").write_text("no progress file")
    found = checks.handed_in(folder)
    found = found[found["task"].str.startswith("90.")]
    assert found.drop(columns="title").to_numpy().tolist() == [
        ["ada", "90.1", "right", 1, 1],
        ["ada", "90.2", "wrong", 2, 0],
        ["ben", "90.1", "not tried", 0, 0],
        ["ben", "90.2", "right", 9, 2],
    ]


def test_what_cannot_be_read_is_named(kept):
    with pytest.raises(ValueError, match="no file"):
        checks.handed_in(kept.parent)
    for name, text in (("ada", "{}"), ("ben", "[1]"), ("cy", "{")):
        (kept.parent / f"{name}.json").write_text(text)
    with pytest.raises(ValueError, match=r"(?s)ben\.json.*cy\.json") as told:
        checks.handed_in(kept.parent)
    assert "ada.json" not in str(told.value)


def test_every_task_is_complete():
    for id, task in engine.tasks().items():
        assert 2 <= len(task.hints) <= 3, id
        assert task.title and task.points > 0 and task.praise, id
        assert isinstance(task.probe, types.FunctionType), id
