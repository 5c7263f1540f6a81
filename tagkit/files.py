"""Files that are there whole or not at all, and the places where they can be."""

import contextlib
import os
import shutil
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path


def expand(path: str | Path) -> Path:
    """Give a path with the home folder for ~, unless a file has just that name.

    >>> expand("~/music") == Path.home() / "music"
    True
    """
    return Path(path if os.path.lexists(path) else os.path.expanduser(path))


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


def make_folder(folder: Path):
    """Make a folder, if it is not there; raises OSError if nothing can be put there."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise OSError(
            f"nothing can be written to {folder} ({error.strerror}); make it writable, "
            "or name another folder for your data in the variable TAGKIT_DATA"
        ) from None


@contextlib.contextmanager
def locked(path: Path, *, wait: bool = True) -> Iterator[None]:
    """Keep other processes from the same work while a lock file is held.

    A file system without locks (Lustre, some of NFS) holds up nothing: the work goes on
    unlocked, with a warning.

    Raises: BlockingIOError, without `wait`, if another process holds it.
    """
    from filelock import FileLock, Timeout  # takes a tenth of a second

    path.touch()  # raises what has nothing to do with locks
    lock = FileLock(path, blocking=wait, fallback_to_soft=False)
    try:
        lock.acquire()
    except Timeout:
        raise BlockingIOError(f"{path} is held by another process") from None
    except (OSError, NotImplementedError) as error:
        warnings.warn(
            f"{path} cannot be locked ({error}); let one process at a time work there",
            stacklevel=3,
        )
        yield
        return
    try:
        yield
    finally:
        lock.release()
