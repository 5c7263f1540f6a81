"""`make handout`: what learners get works, and holds no answers.

Run: python -m pytest tests/test_handout.py
"""

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import nbformat
import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def handout(tmp_path_factory):
    """The unpacked handout, with the environment of this run in place of its own."""
    if not (ROOT / ".git").exists():
        pytest.skip("a handout is made from what is committed, and this is no clone")
    folder = tmp_path_factory.mktemp("handout")
    clean = {k: v for k, v in os.environ.items() if not k.startswith("MAKE")}
    subprocess.run(["make", "handout"], cwd=ROOT, env=clean, check=True)
    with zipfile.ZipFile(ROOT / "build" / "handout.zip") as packed:
        packed.extractall(folder)
    (top,) = folder.iterdir()
    (top / ".venv").symlink_to(sys.prefix)
    return top


def run(handout, *command):
    """Run a command in the handout, with its own tagkit."""
    clean = {k: v for k, v in os.environ.items() if not k.startswith("MAKE")}
    done = subprocess.run(
        [str(part) for part in command],
        cwd=handout,
        env={**clean, "PYTHONPATH": str(handout), "TAGKIT_STATIC": "1"},
        capture_output=True,
        text=True,
        timeout=3600,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def files(handout):
    return [
        path
        for folder, names, found in os.walk(handout)
        if not Path(folder).is_relative_to(handout / "data")
        for path in (Path(folder, name) for name in found)
    ]


def test_it_holds_no_answers(handout):
    found = {str(path.relative_to(handout)) for path in files(handout)}
    assert not [name for name in found if name.startswith("solutions")]
    assert not [name for name in found if Path(name).match("answers_*.py")]
    assert not [name for name in found if Path(name).match("test_*.py")]
    assert "exercises/TEACHING.md" not in found
    assert {"Makefile", "README.md", "exercises/PROJECTS.md"} <= found
    texts = "".join(path.read_text("utf-8", "ignore") for path in files(handout))
    assert "Complete the cells with" in texts
    for mark in ("BEGIN SOLUTION", "BEGIN HIDDEN TESTS"):
        assert mark not in texts
    for path in sorted((ROOT / "solutions").glob("*.ipynb")):
        cells = nbformat.read(path, as_version=4).cells
        words = [c.source for c in cells if c.cell_type == "markdown"]
        words = [text.splitlines() for text in words if "BEGIN SOLUTION" in text]
        answers = [line for lines in words for line in lines if "SOLUTION" not in line]
        assert bool(answers) == bool(words)
        for answer in answers:  # as text, and as a notebook writes it
            assert answer not in texts and json.dumps(answer)[1:-1] not in texts


def test_make_lab_prepares_and_opens(handout):
    # `-o`: the environment is there; `--version`: JupyterLab says it, and ends
    said = run(handout, "make", "-o", ".venv/installed", "lab", "LAB=--version")
    assert str(handout / "data" / "cache") in said
    assert (handout / "work" / "exercises" / "01_dataset_analysis.ipynb").exists()
    code = "import tagkit; print(tagkit.__file__)"
    where = run(handout, handout / ".venv" / "bin" / "python", "-c", code)
    assert where.strip() == str(handout / "tagkit" / "__init__.py")


def test_an_exercise_runs_untouched(handout):
    python = handout / ".venv" / "bin" / "python"
    found = sorted((handout / "exercises").glob("*.ipynb"))
    assert len(found) >= 7
    command = (python, "-m", "pytest", "--nbval", "-q", "-p", "no:cacheprovider")
    said = run(handout, *command, found[0])
    assert " passed" in said and "failed" not in said
