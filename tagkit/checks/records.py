"""Which tasks are done: one small JSON file that stays on this computer.

The file is `progress.json` beside the notebook; the environment variable
TAGKIT_PROGRESS names another one. With TAGKIT_STATIC set (notebooks that run without
a reader) nothing is read or written.
"""

import contextlib
import json
import os
from pathlib import Path

NOT_TRIED = {"status": "not tried", "tries": 0}
_session: dict[str, dict] = {}  # what this session has seen, should no file be possible


def _file() -> Path | None:
    if os.environ.get("TAGKIT_STATIC"):
        return None
    return Path(os.environ.get("TAGKIT_PROGRESS") or "progress.json")


def read(path: Path) -> dict[str, dict]:
    """Status and number of tries of each task in a file.

    Any status other than "right" counts as wrong.

    Raises: OSError, and ValueError for a file that `keep` did not write.
    """
    stored = {}
    try:
        for id, record in json.loads(path.read_text("utf-8")).items():
            status = "right" if record["status"] == "right" else "wrong"
            stored[id] = {"status": status, "tries": int(record["tries"])}
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise ValueError(f"damaged ({type(error).__name__}: {error})") from None
    return stored


def kept() -> dict[str, dict]:
    """Status and number of tries of each task; a damaged file counts as empty."""
    path, stored = _file(), {}
    with contextlib.suppress(OSError, ValueError):
        stored = read(path) if path else {}
    return {**_session, **stored}


def better(one: dict, other: dict) -> dict:
    """The better status of two records of a task, and the larger number of tries."""
    status = "right" if "right" in (one["status"], other["status"]) else "wrong"
    return {"status": status, "tries": max(one["tries"], other["tries"])}


def keep(id: str, status: str) -> None:
    """Count one try of a task; a task once right stays right."""
    records = kept()
    old = records.get(id, {"status": status, "tries": 0})
    records[id] = better({"status": status, "tries": old["tries"] + 1}, old)
    _session.update(records)
    path = _file()
    if path is None:
        return
    try:
        new = path.with_name(f"{path.name}.{os.getpid()}")
        new.write_text(json.dumps(records, indent=1, sort_keys=True) + "\n", "utf-8")
        os.replace(new, path)
    except OSError:
        pass  # a folder that cannot be written to costs the file, not the check
