"""Files that are there whole or not at all, and room for them on the disk."""

import os
import shutil
from pathlib import Path


def write_atomically(path: Path, data: bytes):
    """Write a file so that it is there whole or not at all.

    Raises: OSError as any writing, such as for a full disk; the old file stays.

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "new folder" / "file"
    >>> write_atomically(path, b"whole")
    >>> path.read_bytes()
    b'whole'
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(path.name + ".tmp")
    with temporary.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, path)


def check_room(folder: Path, n_bytes: float, what: str):
    """Raise OSError, with both numbers, if a disk has not so many bytes left."""
    free = shutil.disk_usage(folder).free
    if free < n_bytes:
        raise OSError(
            f"{what} needs {n_bytes / 1e9:.3f} GB more in {folder}, {free / 1e9:.3f} "
            "GB are free; make room, or name a folder on another disk"
        )
