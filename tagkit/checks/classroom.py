"""For teachers: what a class has handed in, as one table."""

from pathlib import Path

import pandas as pd

from tagkit.checks import records
from tagkit.checks.engine import tasks


def handed_in(folder) -> pd.DataFrame:
    """Read the progress files of a class: a row per learner and task.

    Nothing is sent or changed. The files are plain text that anybody can write, so
    they show where a class is stuck, and prove nothing.

    Args:
        folder: holds a file per learner, such as `ada.json`, or a folder per learner
            with any number of files, such as `ada/progress.json`. Of several files
            the best status and the most tries of each task count.

    Shape: (n_learners * n_tasks) rows with `learner`, `task`, `title`, `status`
        ("right", "wrong" or "not tried"), `tries`, and the `points` earned. Tasks
        that this version does not have are left out.

    Raises: ValueError without any file, or naming all that cannot be read.

    >>> import json, tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> text = json.dumps({"1.1": {"status": "right", "tries": 3}})
    >>> _ = (folder / "ada.json").write_text(text)
    >>> table = handed_in(folder)
    >>> table.groupby("learner")["points"].sum().to_dict()
    {'ada': 2}
    """
    folder = Path(folder)
    learners, damaged = {}, []
    for path in sorted(folder.rglob("*.json")):
        inside = path.relative_to(folder).parts
        if any(part.startswith(".") for part in inside):
            continue  # such as the copies that JupyterLab keeps
        done = learners.setdefault(inside[0].removesuffix(".json"), {})
        try:
            stored = records.read(path)
        except (OSError, ValueError) as error:
            damaged.append(f"{path}: {error}")
        else:
            for id, record in stored.items():
                done[id] = records.better(record, done.get(id, record))
    if damaged:
        raise ValueError(
            "These are no progress files that can be read; ask for them again, or "
            "take them out of the folder:\n" + "\n".join(damaged)
        )
    if not learners:
        raise ValueError(
            f"There is no file *.json in {folder}. Put what learners handed in there: "
            "a file per learner, named after the learner, or a folder per learner."
        )
    rows = []
    for learner, done in learners.items():
        for id, task in tasks().items():
            record = done.get(id, records.NOT_TRIED)
            points = task.points if record["status"] == "right" else 0
            row = {"learner": learner, "task": id, "title": task.title}
            rows.append({**row, **record, "points": points})
    return pd.DataFrame(rows)
