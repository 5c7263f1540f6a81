"""Who imports whom: a file of tagkit imports only from files above it."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import tagkit

ROOT = Path(tagkit.__file__).parent
ORDER = (
    *("tags", "annotations", "container", "audio", "corpus", "archive", "download"),
    *("store", "ranks", "devices", "batches", "feed", "mel", "tagger", "models"),
    *("predict", "metrics", "runs", "state", "augment", "interrupts", "steps", "train"),
    *("recipes", "features", "neighbours", "tables", "plots", "widgets", "checks"),
    *("shards", "doctor", "commands", "cli", "__main__"),
)
FILES = sorted(p for p in ROOT.rglob("*.py") if p != ROOT / "__init__.py")


def layer(path):
    """The place of a file in ORDER: a file of a package counts as the package."""
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


def imported(path):
    """All modules that a file imports, anywhere in it, as dotted names."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            names.add(node.module)
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def outside(path):
    """The first words of what a file imports: the packages."""
    return {name.split(".")[0] for name in imported(path)}


def layers_of(path):
    """The layers of tagkit that a file imports from."""
    parts = (name.split(".") for name in imported(path))
    return {p[1] for p in parts if p[0] == "tagkit" and len(p) > 1}


def test_every_file_has_its_place():
    assert {layer(path) for path in FILES} <= set(ORDER)


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_imports_only_from_above(path):
    mine = ORDER.index(layer(path))
    for other in layers_of(path) - {layer(path)}:
        assert ORDER.index(other) < mine, f"{path.name} imports {other}, below it"


@pytest.mark.parametrize(
    ("package", "allowed"),
    [
        ("soundfile", {"audio"}),
        ("soxr", {"audio"}),
        ("matplotlib", {"plots"}),
        ("seaborn", {"plots"}),
        ("ipywidgets", {"widgets", "checks"}),
        ("librosa", {"features"}),
        ("torchaudio", {"batches", "mel"}),
    ],
)
def test_package_is_named_only_where_it_belongs(package, allowed):
    # doctor asks whether packages are there, by their names as text.
    users = {layer(path) for path in FILES if package in outside(path)}
    assert users <= allowed


def test_torch_does_not_come_before_ranks():
    first = ORDER.index("ranks")
    for path in FILES:
        if ORDER.index(layer(path)) < first:
            assert not outside(path) & {"torch", "torchaudio", "safetensors"}, path


def test_metrics_and_pictures_know_no_models():
    for name in ("metrics", "plots"):
        for path in FILES:
            if layer(path) == name:
                assert not outside(path) & {"torch", "torchaudio"}
                assert not layers_of(path) & {"tagger", "models", "batches", "predict"}


def test_predict_and_train_know_no_particular_model():
    for path in FILES:
        if layer(path) in ("predict", "train", "state", "steps"):
            assert "models" not in layers_of(path)
        if layer(path) in ("batches", "feed", "mel", "store"):
            assert not layers_of(path) & {"models", "tagger"}


def test_nothing_decodes_with_torchaudio():
    """Trap 21: torchaudio.load needs another package."""
    for path in FILES:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Attribute) and node.attr in ("load", "info"):
                assert ast.unparse(node.value) != "torchaudio", path


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_no_file_is_longer_than_350_lines(path):
    assert len(path.read_text().splitlines()) <= 350


def test_there_is_no_drawer_for_the_rest():
    names = {path.stem for path in FILES}
    assert not names & {"utils", "util", "helpers", "common", "misc", "base"}


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


def test_the_overview_names_every_module():
    text = tagkit.__doc__
    for name in ORDER[:-1]:
        if (ROOT / f"{name}.py").exists() or (ROOT / name).is_dir():
            if name not in ("tagger", "runs", "doctor"):
                assert name in text, f"tagkit/__init__.py says nothing of {name}"


def test_a_planted_arrow_upwards_is_seen(tmp_path):
    path = tmp_path / "mel.py"
    path.write_text("def f():\n    from tagkit import train\n")
    assert layers_of(path) == {"train"}
    path.write_text("import tagkit.models.choi")
    assert layers_of(path) == {"models"}
