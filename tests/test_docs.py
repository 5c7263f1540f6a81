"""Docstrings: each public name has one, in the house's form, and its example runs."""

import ast
import doctest
import importlib
import inspect
import json
import pkgutil
import re
import textwrap
from pathlib import Path

import matplotlib.pyplot as plt
import pytest

import tagkit

COURSE = Path(tagkit.__file__).parents[1] / "course"

NAMES = ["tagkit"] + [
    module.name
    for module in pkgutil.walk_packages(tagkit.__path__, "tagkit.")
    if not module.name.endswith("__main__")
]
FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE

ARRAYS = re.compile(r"ndarray|Tensor|DataFrame|Series")


def modules():
    return [importlib.import_module(name) for name in NAMES]


def public():
    """Each public function and class, where it is defined.

    Of plots, widgets and checks, which are folders for their length alone, only
    what the folder itself offers, its __all__.
    """
    for module in modules():
        if module.__name__ == "tagkit.cli":
            continue  # a command's docstring is its --help
        inside = module.__name__.split(".")[1:2]
        if inside and inside[0] in ("plots", "widgets", "checks"):
            offered = getattr(module, "__all__", []) if is_package(module) else []
            yield from ((f"{module.__name__}.{n}", getattr(module, n)) for n in offered)
            continue
        for name, thing in vars(module).items():
            if name.startswith("_") or getattr(thing, "__module__", "") != (
                module.__name__
            ):
                continue
            if inspect.isfunction(thing) or inspect.isclass(thing):
                yield f"{module.__name__}.{name}", thing


def is_package(module):
    return hasattr(module, "__path__")


PUBLIC = {name: thing for name, thing in public() if callable(thing)}
FINDER = doctest.DocTestFinder(exclude_empty=True)
EXAMPLES = [
    test
    for module in modules()
    for test in FINDER.find(module, module.__name__)
    if test.examples
]


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda test: test.name)
def test_example_runs(example, capsys):
    runner = doctest.DocTestRunner(optionflags=FLAGS)
    globs = dict(example.globs)  # the finder's own is used again by the next run
    said = []
    test = doctest.DocTest(
        example.examples,
        globs,
        example.name,
        example.filename,
        example.lineno,
        example.docstring,
    )
    results = runner.run(test, out=said.append)
    plt.close("all")
    assert results.failed == 0, "".join(said)
    assert results.attempted > 0


def test_the_cheat_sheet_is_right():
    results = doctest.testfile(str(COURSE / "cheat_sheet.md"), module_relative=False)
    assert results.failed == 0 and results.attempted > 15


@pytest.mark.parametrize("name", NAMES)
def test_module_says_what_it_is_for(name):
    doc = importlib.import_module(name).__doc__
    assert doc and doc.split("\n")[0].endswith((".", ":", "?")), name


@pytest.mark.parametrize("name", PUBLIC)
def test_public_name_is_documented_in_form(name):
    assert PUBLIC[name].__doc__, "no docstring"
    first = inspect.getdoc(PUBLIC[name]).split("\n\n")[0]
    assert first.endswith((".", ":", "?")), f"the first sentence: {first!r}"


def code_of(notebook):
    cells = json.loads(notebook.read_text())["cells"]
    code = [c["source"] for c in cells if c["cell_type"] == "code"]
    return "\n".join("".join(source) for source in code)


CODE = {f"course/{path.name}": code_of(path) for path in COURSE.glob("*.ipynb")}
LINE = re.compile(r"^Notebook: (\S+)$", re.M)


def uses(code, name):
    """Whether code calls tagkit's name by its module or room, or imports it."""
    *rooms, last = name.split(".")
    owner = "|".join(rooms[-2:])
    return re.search(
        rf"\b({owner})\.{last}\b|from tagkit.* import (.*\W)?{last}\b", code
    )


@pytest.mark.parametrize("name", [*NAMES, *PUBLIC])
def test_a_notebook_that_is_named_uses_the_name(name):
    thing = PUBLIC.get(name) or importlib.import_module(name)
    for notebook in LINE.findall(inspect.getdoc(thing) or ""):
        assert uses(CODE[notebook], name), f"{notebook} never uses {name}"


def test_a_name_that_no_notebook_uses_is_seen():
    code = "from tagkit.data import corpus, store\nclips = store.prepare(music)\n"
    assert uses(code, "tagkit.data.store.prepare") and uses(code, "tagkit.data.store")
    assert not uses(code, "tagkit.data.store.n_bytes")
    assert not uses(code, "tagkit.data.tags")


@pytest.mark.parametrize("name", PUBLIC)
def test_arrays_have_a_shape(name):
    thing = PUBLIC[name]
    # Of a network, what counts is what goes through it.
    function = thing
    if inspect.isclass(thing):
        function = thing.__dict__.get("forward") or thing.__dict__.get("embed")
    if function is None:
        return
    kinds = [str(kind) for kind in inspect.get_annotations(function).values()]
    if any(ARRAYS.search(kind) for kind in kinds):
        assert "Shape:" in inspect.getdoc(thing), f"{name} says nothing of shapes"


def test_methods_are_documented():
    for name, thing in PUBLIC.items():
        if not inspect.isclass(thing):
            continue
        for member, value in vars(thing).items():
            if member.startswith("_") or member in ("forward", "embed"):
                continue  # what goes through a model is in the text of its class
            if inspect.isfunction(value) or isinstance(value, property):
                doc = value.__doc__ if value.__doc__ else ""
                assert doc.strip().split("\n")[0].endswith("."), f"{name}.{member}"


def test_no_empty_raises():
    """What a function raises itself, as ValueError, its docstring says."""
    for name, thing in PUBLIC.items():
        if not inspect.isfunction(thing):
            continue
        tree = ast.parse(textwrap.dedent(inspect.getsource(thing)))
        raised = [n for n in ast.walk(tree) if isinstance(n, ast.Raise) and n.exc]
        if any("ValueError" in ast.unparse(node.exc) for node in raised):
            assert "Raises:" in thing.__doc__, f"{name} raises and does not say so"
