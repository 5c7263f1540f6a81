"""Write exercises/ from solutions/: the same notebooks without their solutions.

    python solutions/make_exercises.py           write and run all exercises
    python solutions/make_exercises.py 01        only those whose name begins so
    python solutions/make_exercises.py --run     run the solutions first, and keep that
    python solutions/make_exercises.py --check   exit 1 if an exercise is out of date

What stands between BEGIN SOLUTION and END SOLUTION becomes a stub, what stands between
BEGIN HIDDEN TESTS and END HIDDEN TESTS is left out: nbgrader's own marks, so that
`nbgrader generate_assignment` gives the same cells. The exercises are run from top
to bottom once, untouched, so that their stored outputs are real.
"""

import argparse
import os
import sys
from pathlib import Path

import nbformat
from nbclient import NotebookClient

SOLUTIONS = Path(__file__).resolve().parent
EXERCISES = SOLUTIONS.parent / "exercises"
REGIONS = ("SOLUTION", "HIDDEN TESTS")
STUBS = {"code": "...  # your code here", "markdown": "*Write your answer here.*"}


def strip(source: str, cell_type: str) -> str:
    """Leave out solutions and hidden tests.

    >>> strip("a = 1\\n### BEGIN SOLUTION\\na = 2\\n### END SOLUTION\\nb = 3", "code")
    'a = 1\\n...  # your code here\\nb = 3'
    """
    kept, inside = [], None
    for line in source.split("\n"):
        begins = [region for region in REGIONS if f"BEGIN {region}" in line]
        ends = [region for region in REGIONS if f"END {region}" in line]
        if (begins and inside) or (ends and ends[0] != inside):
            raise ValueError(f"{line!r} does not fit: marks must come in pairs")
        if begins:
            inside = begins[0]
            if inside == "SOLUTION":
                indent = line[: len(line) - len(line.lstrip())]
                kept.append(indent + STUBS[cell_type])
        elif ends:
            inside = None
        elif not inside:
            kept.append(line)
    if inside:
        raise ValueError(f"BEGIN {inside} without END {inside}: add the closing mark")
    return "\n".join(kept)


def exercise(path: Path) -> nbformat.NotebookNode:
    """Make the exercise of a solution notebook, without outputs."""
    notebook = nbformat.read(path, as_version=4)
    for cell in notebook.cells:
        try:
            cell.source = strip(cell.source, cell.cell_type)
        except ValueError as error:
            raise ValueError(f"{path.name}, cell {cell.id}: {error}") from None
        cell.metadata.pop("execution", None)
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    return notebook


def without_outputs(notebook: nbformat.NotebookNode) -> str:
    """The text of a notebook, for comparing, with what a run adds left out."""
    notebook = nbformat.from_dict(notebook)
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    return nbformat.writes(notebook)


def out_of_date(path: Path) -> str | None:
    """Say what is wrong with the exercise of a solution notebook, or None."""
    made = EXERCISES / path.name
    if not made.exists():
        return f"exercises/{path.name} is missing"
    old = nbformat.read(made, as_version=4)
    if without_outputs(old) != without_outputs(exercise(path)):
        return f"exercises/{path.name} is not what solutions/{path.name} gives"
    return None


def run(notebook: nbformat.NotebookNode, folder: Path) -> None:
    """Run a notebook in place from top to bottom, as `pytest --nbval` will."""
    os.environ["TAGKIT_STATIC"] = "1"
    folder.mkdir(exist_ok=True)
    about = dict(notebook.metadata)
    resources = {"metadata": {"path": str(folder)}}
    NotebookClient(
        notebook, timeout=3600, resources=resources, record_timing=False
    ).execute()
    notebook.metadata = nbformat.from_dict(about)  # without this computer's versions


def main(arguments=None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("names", nargs="*", help="beginnings of names, such as 01")
    parser.add_argument("--run", action="store_true", help="run the solutions first")
    parser.add_argument("--check", action="store_true", help="only compare")
    options = parser.parse_args(arguments)
    paths = [
        path
        for path in sorted(SOLUTIONS.glob("*.ipynb"))
        if path.name.startswith(tuple(options.names) or "")
    ]
    known = {path.name for path in paths}
    if options.check:
        wrong = [text for text in map(out_of_date, paths) if text]
        if not options.names:
            wrong += [
                f"exercises/{path.name} has no solution"
                for path in sorted(EXERCISES.glob("*.ipynb"))
                if path.name not in known
            ]
        for text in wrong:
            print(f"{text}; run `python solutions/make_exercises.py`")
        return 1 if wrong else 0
    for path in paths:
        if options.run:
            solution = nbformat.read(path, as_version=4)
            run(solution, SOLUTIONS)
            nbformat.write(solution, path)
        notebook = exercise(path)
        run(notebook, EXERCISES)
        nbformat.write(notebook, EXERCISES / path.name)
        print(f"exercises/{path.name}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
