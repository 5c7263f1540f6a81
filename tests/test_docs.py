"""Docstrings: each public name has one, in the house's form, and its example runs."""

import ast
import doctest
import importlib
import inspect
import pkgutil
import re
import textwrap

import matplotlib.pyplot as plt
import pytest

import tagkit
from tagkit import models

NAMES = ["tagkit"] + [
    module.name
    for module in pkgutil.walk_packages(tagkit.__path__, "tagkit.")
    if not module.name.endswith("__main__")
]
FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE

# Public names without an example, and why.
NO_EXAMPLE = {
    "tagkit.data.audio.AudioError": "an exception; audio.load raises it",
    "tagkit.models.tagger.Conv2d": "a layer inside the models",
    "tagkit.data.batches.Examples": "made by batches.examples",
    "tagkit.data.batches.Window": "RandomCrops and GridCrops run it",
    "tagkit.models.Entry": "a row of MODELS",
    "tagkit.training.state.History": "given by fit, whose example shows it",
    "tagkit.training.train.line": "its figures are those of a run",
    "tagkit.training.checkpoints.load_weights": "test_runs.py has one",
    "tagkit.training.checkpoints.halve": "test_runs.py has one",
    "tagkit.training.recipes.Recipe": "a row of RECIPES; recipes.table shows them",
    "tagkit.training.checkpoints.record": "test_runs.py has one",
    "tagkit.evaluation.metrics.drawn": "called by evaluate and compare",
    "tagkit.training.checkpoints.keep_stages": "called by fit_stages",
    "tagkit.training.checkpoints.keep_best": "called by fit_stages",
    "tagkit.training.checkpoints.save_weights": "called by State",
    "tagkit.training.checkpoints.set_weights": "called by load_weights",
    "tagkit.training.state.State": "made by train.fit, at the start of a run",
    "tagkit.training.steps.Gradients": "used by train.fit, whose example runs it",
    "tagkit.training.steps.Losses": "used by train.fit, whose example runs it",
    "tagkit.data.batches.Crops": "the base of RandomCrops, whose example shows it",
    "tagkit.machine.processes.Batch": "given by processes.even, whose example shows it",
    "tagkit.training.recipes.fit_stages": "test_recipes.py has one",
    "tagkit.widgets.clip_list": "test_neighbours.py has one",
    "tagkit.widgets.clip_map": "test_neighbours.py has one",
    "tagkit.widgets.clip_view": "test_widgets.py has one",
    "tagkit.widgets.filter_player": "test_widgets.py has one",
    "tagkit.widgets.relabel": "test_judging.py has one",
}
NO_EXAMPLE |= {
    f"{entry.cls.__module__}.{name}": "called as Tagger's example shows"
    for name, entry in models.MODELS.items()
}
NO_EXAMPLE["tagkit.models.crnn.CRNNOverBatch"] = "called as Tagger's example shows"
NO_EXAMPLE |= {
    f"tagkit.machine.devices.{name}": "train.fit and feed.ahead call it"
    for name in (
        "casting",
        "place",
        "channels_last",
        "free_memory",
        "has_room",
        "mark",
        "is_done",
        "random_states",
        "set_random_states",
    )
}
NO_EXAMPLE |= {
    f"tagkit.machine.processes.{name}": "does nothing in a single process"
    for name in (
        "start",
        "is_first",
        "wrap",
        "this_device",
        "begin_epoch",
        "end_epoch",
        "wait",
    )
}
# No notebook introduces these: they are the inside of something that one does.
NO_NOTEBOOK = {
    "tagkit.data.audio.AudioError",
    "tagkit.data.batches.Examples",
    "tagkit.data.batches.Window",
    "tagkit.models.Entry",
    "tagkit.models.tagger.scaled",
    "tagkit.training.state.History",
    "tagkit.training.recipes.Recipe",
    "tagkit.evaluation.metrics.drawn",
    "tagkit.training.checkpoints.keep_stages",
    "tagkit.training.checkpoints.keep_best",
    "tagkit.training.state.State",
    "tagkit.training.checkpoints.save_weights",
    "tagkit.training.checkpoints.set_weights",
    "tagkit.data.batches.Crops",
    "tagkit.data.batches.cut_length",
    "tagkit.data.batches.finish",
    "tagkit.machine.processes.Batch",
}
ARRAYS = re.compile(r"ndarray|Tensor|DataFrame|Series")


def modules():
    return [importlib.import_module(name) for name in NAMES]


def public():
    """Each public function and class, where it is defined.

    Of plots, widgets and checks, which are folders for their length alone, only
    what the folder itself offers, its __all__.
    """
    for module in modules():
        if module.__name__ == "tagkit.commands":
            continue  # called by cli.main, whose --help says what each does
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


def is_part(name):
    """A part of networks, such as models.pons.Tall: the example of each runs it."""
    *folder, last = name.split(".")
    if folder[-1] in ("mel", "tagger"):
        return False
    return len(folder) == 3 and folder[1] == "models" and not hasattr(models, last)


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


@pytest.mark.parametrize("name", NAMES)
def test_module_says_what_it_is_for(name):
    doc = importlib.import_module(name).__doc__
    assert doc and doc.split("\n")[0].endswith((".", ":", "?")), name


@pytest.mark.parametrize("name", PUBLIC)
def test_public_name_is_documented_in_form(name):
    assert PUBLIC[name].__doc__, "no docstring"
    doc = inspect.getdoc(PUBLIC[name])
    first = doc.split("\n\n")[0]
    assert first.endswith((".", ":")), f"the first sentence: {first!r}"
    lacks = name in NO_EXAMPLE or is_part(name)
    assert (">>>" in doc) != lacks, "an example, or a reason without"
    if name not in NO_NOTEBOOK and not is_part(name):
        assert re.search(r"^Notebook: course/0\d_\w+\.ipynb$", doc, re.M), (
            "the line 'Notebook: course/NN_....ipynb'"
        )


@pytest.mark.parametrize("name", PUBLIC)
def test_arrays_have_a_shape(name):
    thing = PUBLIC[name]
    # Of a network, what counts is what goes through it.
    function = thing.__dict__.get("forward") if inspect.isclass(thing) else thing
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
            if member.startswith("_") or member == "forward":
                continue
            if inspect.isfunction(value) or isinstance(value, property):
                doc = value.__doc__ if value.__doc__ else ""
                assert doc.strip().split("\n")[0].endswith("."), f"{name}.{member}"


def test_exceptions_are_still_needed():
    assert set(NO_EXAMPLE) | NO_NOTEBOOK <= set(PUBLIC)


def test_no_empty_raises():
    """What a function raises itself, as ValueError, its docstring says."""
    for name, thing in PUBLIC.items():
        if not inspect.isfunction(thing) or name in NO_NOTEBOOK:
            continue
        tree = ast.parse(textwrap.dedent(inspect.getsource(thing)))
        raised = [n for n in ast.walk(tree) if isinstance(n, ast.Raise) and n.exc]
        if any("ValueError" in ast.unparse(node.exc) for node in raised):
            assert "Raises:" in thing.__doc__, f"{name} raises and does not say so"
