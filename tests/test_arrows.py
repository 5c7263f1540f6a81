"""Who imports whom: the rooms of tagkit and what each may import."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import tagkit

ROOT = Path(tagkit.__file__).parent
# Each room, and the rooms it may import from.
ROOMS = {
    "files": set(),
    "machine": set(),
    "models": set(),
    "data": {"files", "machine"},
    "evaluation": {"data", "files", "machine", "models"},
    "training": {"data", "evaluation", "files", "machine", "models"},
    "plots": {"evaluation", "models"},
    "widgets": {"data", "evaluation", "files", "plots"},
    "checks": {"data", "evaluation", "files", "models", "training"},
}
ROOMS["lab"] = {"files"}
ROOMS |= {name: {*ROOMS, "doctor"} for name in ("doctor", "cli", "__main__")}
ROOMS["__main__"] |= {"cli"}
FILES = sorted(p for p in ROOT.rglob("*.py") if p != ROOT / "__init__.py")


def name_of(path):
    """The dotted name of a file inside tagkit: models.mel; a package has its own."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


NAMES = {name_of(path): path for path in FILES}


def room(path):
    return name_of(path).partition(".")[0]


def imported(path):
    """All modules that a file imports, anywhere in it, as dotted names."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def outside(path):
    """The first words of what a file imports: the packages."""
    return {name.split(".")[0] for name in imported(path)}


def rooms_of(path):
    """The rooms of tagkit that a file imports from."""
    parts = (name.split(".") for name in imported(path))
    return {p[1] for p in parts if p[0] == "tagkit" and len(p) > 1}


def test_there_are_eight_rooms_and_six_files():
    folders = {p.parent.name for p in ROOT.glob("*/__init__.py")}
    assert folders == {
        *("data", "models", "training", "evaluation", "machine"),
        *("plots", "widgets", "checks"),
    }
    files = {p.stem for p in ROOT.glob("*.py")}
    assert files == {"__init__", "__main__", "files", "cli", "doctor", "lab"}


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_a_room_imports_only_what_the_table_allows(path):
    assert rooms_of(path) <= ROOMS[room(path)] | {room(path)}


def test_no_circle():
    """Files, not only rooms: none imports itself by way of others."""
    after = {}
    for name, path in NAMES.items():
        words = {n.removeprefix("tagkit.") for n in imported(path) if "tagkit" in n}
        # `from tagkit.data import store` is the file data.store; a name inside a file,
        # `from tagkit.data.store import ClipStore`, belongs to that file.
        found = {w if w in NAMES else w.rpartition(".")[0] for w in words}
        after[name] = {w for w in found if w in NAMES and w != name.partition(".")[0]}
    done, open_ = set(), []

    def visit(name):
        assert name not in open_, f"a circle: {' -> '.join([*open_, name])}"
        if name not in done:
            open_.append(name)
            for other in sorted(after[name]):
                visit(other)
            done.add(open_.pop())

    for name in sorted(NAMES):
        visit(name)


@pytest.mark.parametrize(
    ("package", "allowed"),
    [
        ("soundfile", {"data.audio"}),
        ("soxr", {"data.audio"}),
        ("av", {"data.audio"}),
        ("requests", {"data.download", "data.shards"}),
        ("filelock", {"files"}),
        ("webdataset", {"data.shards"}),
        ("matplotlib", {"plots"}),
        ("seaborn", {"plots"}),
        ("librosa", {"plots", "evaluation.features", "checks.lesson03"}),
        ("ipywidgets", {"widgets", "checks"}),
        ("torchaudio", {"models.mel"}),
        ("typer", {"cli"}),
        ("onnx", {"evaluation.export"}),
        ("jupyterlab", {"lab"}),
        ("nbformat", {"lab"}),
        ("mutagen", {"data.metadata"}),
    ],
)
def test_a_package_is_imported_only_where_it_belongs(package, allowed):
    # doctor asks whether packages are there, by their names as text.
    users = {name for name, path in NAMES.items() if package in outside(path)}
    assert {u for u in users if not {u, u.partition(".")[0]} & allowed} == set()


def test_torch_is_imported_only_where_tensors_are():
    """Tables, sound and stores open without it, and so in no time."""
    light = {
        "data." + n for n in "annotations tags corpus download audio store".split()
    }
    light |= {"files", "doctor", "evaluation.metrics", "evaluation.networks"}
    light |= {"evaluation.cache", "evaluation.neighbours"}
    light |= {name for name in NAMES if name.startswith(("plots", "widgets"))}
    for name in light & set(NAMES):
        assert not outside(NAMES[name]) & {"torch", "torchaudio"}, name


def test_predicting_and_training_know_no_particular_model():
    for name in ("evaluation.predict", "training.train"):
        words = {n for n in imported(NAMES[name]) if n.startswith("tagkit.models")}
        assert words <= {"tagkit.models.tagger.Tagger"}


def test_nothing_decodes_with_torchaudio():
    """Trap 21: torchaudio.load needs another package."""
    for path in FILES:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Attribute) and node.attr in ("load", "info"):
                assert ast.unparse(node.value) != "torchaudio", path


def test_there_is_no_drawer_for_the_rest():
    names = {path.stem for path in FILES}
    assert not names & {"utils", "util", "helpers", "common", "misc", "base"}


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_a_long_file_says_why_in_its_first_lines(path):
    text = path.read_text()
    if len(text.splitlines()) > 500:
        assert "long" in ast.get_docstring(ast.parse(text)), "above 500 lines"


def test_tagkit_itself_imports_nothing():
    text = (ROOT / "__init__.py").read_text()
    assert not [
        node
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Import | ast.ImportFrom)
    ]
    heavy = ("numpy", "pandas", "torch", "matplotlib", "soundfile", "ipywidgets")
    code = f"import sys, tagkit; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT.parent,
    )
    assert done.stdout.strip() == "[]"


def test_the_overview_names_every_file_of_the_rooms_on_the_way():
    """Of plots, widgets and checks, which have maps of their own, only the room."""
    for name in NAMES:
        first, _, last = name.partition(".")
        if name == "__main__":
            continue
        if first in ("plots", "widgets", "checks", "models") or not last:
            last = first
        assert last in tagkit.__doc__, f"tagkit/__init__.py says nothing of {name}"


def test_a_planted_arrow_is_seen(tmp_path):
    path = tmp_path / "mel.py"
    path.write_text("def f():\n    from tagkit.training import train\n")
    assert rooms_of(path) == {"training"} and not rooms_of(path) <= ROOMS["models"]
    path.write_text("import tagkit.models.choi")
    assert rooms_of(path) == {"models"}
