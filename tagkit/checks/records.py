"""Which tasks are done: one small JSON file that stays on this computer.

The file is `progress.json` beside the notebook; the environment variable
TAGKIT_PROGRESS names another one. With TAGKIT_STATIC set (notebooks that run without
a reader) nothing is read or written.
"""

import json
import os
from pathlib import Path

_session: dict[str, dict] = {}  # what this session has seen, should no file be possible


def _file() -> Path | None:
    if os.environ.get("TAGKIT_STATIC"):
        return None
    return Path(os.environ.get("TAGKIT_PROGRESS") or "progress.json")


def kept() -> dict[str, dict]:
    """Status and number of tries of each task; a damaged file counts as empty."""
    path = _file()
    try:
        stored = json.loads(path.read_text("utf-8")) if path else {}
        stored = {
            id: {"status": _known(record["status"]), "tries": int(record["tries"])}
            for id, record in stored.items()
        }
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        stored = {}
    return {**_session, **stored}


def _known(status):
    if status not in ("right", "wrong"):
        raise ValueError(status)
    return status


def keep(id: str, status: str) -> None:
    """Count one try of a task; a task once right stays right."""
    records = kept()
    old = records.get(id, {"status": status, "tries": 0})
    best = "right" if "right" in (status, old["status"]) else status
    records[id] = {"status": best, "tries": old["tries"] + 1}
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
