"""Classic bugs planted in whole lessons: each must turn a cell red.

Each bug is planted in the library or in PyTorch before a lesson's first cell runs; then
`pytest --nbval` compares the lesson with its stored outputs until the first red cell.

    make mutants                            every pair of the table
    python tests/mutants.py 04              one lesson
    python tests/mutants.py 04 "no eval()"  one pair
"""

import argparse
import re
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat

ROOT = Path(__file__).parents[1]
BUGS = {
    "sigmoid twice": """
from torch.nn import functional
_loss = functional.binary_cross_entropy_with_logits
def _twice(logits, *arguments, **options):
    return _loss(logits.sigmoid(), *arguments, **options)
functional.binary_cross_entropy_with_logits = _twice
from tagkit.training import train
train.binary_cross_entropy_with_logits = _twice
""",
    "no eval()": """
from torch import nn
nn.Module.eval = lambda self: self
""",
    "dB twice": """
from tagkit.models import mel
_log_mel = mel.LogMel._log_mel
def _twice(self, samples):
    return _log_mel(self, samples) * (2 if self.log == "db" else 1)
mel.LogMel._log_mel = _twice
""",
    "tag order shuffled": """
from dataclasses import replace
from tagkit.data import batches
_examples = batches.examples
def _shuffled(corpus, store, part="train", *arguments, **options):
    made = _examples(corpus, store, part, *arguments, **options)
    labels = made.labels.copy()
    labels.iloc[:, :] = labels.to_numpy()[:, ::-1]
    return replace(made, labels=labels) if part == "test" else made
batches.examples = _shuffled
""",
    "labels a clip off": """
import numpy as np
from dataclasses import replace
from tagkit.data import batches
_examples = batches.examples
def _off(*arguments, **options):
    made = _examples(*arguments, **options)
    labels = made.labels.copy()
    labels.iloc[:, :] = np.roll(labels.to_numpy(), 1, axis=0)
    return replace(made, labels=labels)
batches.examples = _off
""",
    "artist filter off": """
from tagkit.evaluation import neighbours
_nearest = neighbours.nearest
neighbours.nearest = lambda similarities, k, groups=None: _nearest(similarities, k)
""",
}
LISTENS = ["no eval()", "dB twice", "tag order shuffled", "labels a clip off"]
# Where a bug applies. What is not named here cannot happen there: lesson 02 listens to
# samples, so it has no decibels; lesson 05 trains nothing.
APPLIES = {
    "02": ["sigmoid twice", "no eval()", "tag order shuffled", "labels a clip off"],
    "03": ["sigmoid twice", *LISTENS],
    "04": ["sigmoid twice", *LISTENS],
    "05": LISTENS,
    "06": ["no eval()", "dB twice", "labels a clip off", "artist filter off"],
    "07": LISTENS,
    "08": ["no eval()", "dB twice", "labels a clip off"],
    "09": ["sigmoid twice", "tag order shuffled", "labels a clip off"],
}


def planted(path: Path, bug: str | None) -> Path:
    """Write a copy of a lesson, beside it, whose first cell plants a bug."""
    notebook = nbformat.read(path, as_version=4)
    cell = nbformat.v4.new_code_cell(BUGS[bug] if bug else "")
    cell.metadata["tags"] = ["nbval-ignore-output"]
    notebook.cells.insert(0, cell)
    folder = ROOT / "build" / "mutants"
    folder.mkdir(parents=True, exist_ok=True)
    copy = folder / path.name
    nbformat.write(notebook, copy)
    return copy


def first_red(path: Path, bug: str | None) -> str | None:
    """Run a lesson with a bug; name the first line of its first red cell, or None."""
    copy = planted(path, bug)
    words = [
        sys.executable,
        "-m",
        "pytest",
        "--nbval",
        "-x",
        "-q",
        "-p",
        "no:cacheprovider",
    ]
    done = subprocess.run([*words, str(copy)], cwd=ROOT, capture_output=True, text=True)
    red = re.search(r"^FAILED \S+::Cell (\d+)", done.stdout, re.M)
    if done.returncode not in (0, 1) or bool(red) != (done.returncode == 1):
        raise RuntimeError(done.stdout + done.stderr)
    if not red:
        return None
    code = [c for c in nbformat.read(copy, 4).cells if c.cell_type == "code"]
    lines = code[int(red[1])].source.splitlines()
    return f"code cell {int(red[1])}: {lines[0]}"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("lesson", nargs="?", choices=APPLIES)
    parser.add_argument("bug", nargs="?", choices=BUGS)
    options = parser.parse_args()
    green = 0
    for lesson in [options.lesson] if options.lesson else APPLIES:
        (path,) = (ROOT / "course").glob(f"{lesson}_*.ipynb")
        for bug in [options.bug] if options.bug else [None, *APPLIES[lesson]]:
            red = first_red(path, bug)
            green += (red is None) == (bug is not None)  # without a bug: all green
            print(f"{lesson} | {bug or 'no bug':18} | {red or 'all green'}", flush=True)
    shutil.rmtree(ROOT / "build" / "mutants")
    if green:
        print(f"{green} of these should not be so.")
    return 1 if green else 0


if __name__ == "__main__":
    sys.exit(main())
