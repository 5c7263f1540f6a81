"""How long one waits before anything happens: the command, an import, the first cell.

Each row is a Python process of its own, the median of five. The first code cell of
lesson 00 runs without a notebook around it. For comparison: a Python that does nothing,
and one that imports only what the work cannot do without.
"""

import json
import subprocess
import sys
from functools import partial
from pathlib import Path

import machine
import numpy as np

COURSE = Path(__file__).parents[1] / "course"
LESSON = COURSE / "00_start_here.ipynb"
ROUNDS = 5


def run(words):
    subprocess.run(words, cwd=COURSE, check=True, stdout=subprocess.DEVNULL)


def main():
    """Print the seconds of each."""
    cells = json.loads(LESSON.read_text())["cells"]
    first = next(cell for cell in cells if cell["cell_type"] == "code")
    python = [sys.executable, "-c"]
    ways = {
        "python": [*python, ""],
        "`tagkit --help`": [str(Path(sys.executable).with_name("tagkit")), "--help"],
        "`import pandas`": [*python, "import pandas"],
        "`from tagkit.data import corpus`": [*python, "from tagkit.data import corpus"],
        "`import torch, matplotlib.pyplot`": [
            *python,
            "import torch, matplotlib.pyplot",
        ],
        "first cell of lesson 00": [*python, "".join(first["source"])],
    }
    found = {name: [] for name in ways}
    for _ in range(ROUNDS):
        for name, words in ways.items():
            found[name].append(machine.seconds(partial(run, words)))
    rows = [
        [name, f"{np.median(s):.2f}", f"{min(s):.2f} to {max(s):.2f}"]
        for name, s in found.items()
    ]
    print(machine.table(["process", "s", "five"], rows))


if __name__ == "__main__":
    main()
