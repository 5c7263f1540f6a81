"""Files that sound like one of them, and playlists of files for any player."""

import os
import re
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np

from tagkit.data import metadata
from tagkit.evaluation import neighbours
from tagkit.files import write_atomically

# The distance of two embeddings, by their length, is smaller
COPY = 1e-4  # of one sound,
RECODED = 0.15  # of one sound in two formats: believed of files of one name


def nearest(
    vectors: dict[Path, np.ndarray],
    n: int,
    *,
    artist: Callable[[Path], str] | None = None,
) -> list[tuple[Path, float]]:
    """List the files that sound most like the first one, the most similar first.

    The first file itself is not listed, nor a copy of it; other copies once. A piece in
    two formats counts as one if both files have its name.

    Args:
        vectors: an embedding (n_dims,) for each file.
        n: how many are listed at most.
        artist: names the artist of a file; those of the first file's are left out, and
            those of nobody, "", stay.

    Shape: up to n pairs of file and cosine of the angle of the centred embeddings,
    0 for files no more alike than any two of these.
    """
    files, table = list(vectors), np.stack(list(vectors.values()))
    (near,) = neighbours.similarity(table, of=[0])
    its = artist and artist(files[0])
    taken = table[:1]
    found, listed = [], [files[0]]
    for place in (-near[1:]).argsort(kind="stable") + 1:
        if len(found) == n:
            break
        distances = np.linalg.norm(taken - table[place], axis=1)
        distances /= np.linalg.norm(table[place])
        same_name = [file.stem == files[place].stem for file in listed]
        is_copy = (distances <= np.where(same_name, RECODED, COPY)).any()
        if is_copy or (its and artist(files[place]) == its):
            continue
        found.append((files[place], float(near[place])))
        listed.append(files[place])
        taken = np.concatenate([taken, table[[place]]])
    return found


class Artists:
    """Who made a file: by its own tags, else by the uppermost folder below a root.

    Attributes:
        n_by: how many files were named by "tags", by "folder", or by nothing, "".
    """

    def __init__(self, roots: Iterable[Path]):
        self.roots = [Path(os.path.abspath(root)) for root in roots]
        self.n_by = {"tags": 0, "folder": 0, "": 0}

    def __call__(self, path: Path) -> str:
        """Name the artist of a file in small letters, "" if nothing says it."""
        name, by = metadata.read(path).artist, "tags"
        if not name:
            name, by = self._folder(Path(os.path.abspath(path))), "folder"
        self.n_by[by if name else ""] += 1
        return name.casefold()

    def _folder(self, path) -> str:
        for root in self.roots:
            if root in path.parents and root != path.parent:
                return path.relative_to(root).parts[0]
        return ""


def write_playlist(path: Path, files: Iterable[Path]) -> list[Path]:
    """Write an m3u8 playlist with relative paths, seconds and titles.

    VLC reads a path as part of an address, so # and ? are written as %23 and %3F, and
    % as %25 where it would mean something; a name without them is written as it is.

    Shape: the files that no playlist can name, for a line break or a name that is not
    Unicode; they are left out.
    Raises: OSError, for a full disk; a playlist that was there stays.
    """
    folder = os.path.realpath(path.parent)
    lines, left_out = ["#EXTM3U"], []
    for file in files:
        name = Path(os.path.relpath(os.path.realpath(file), folder)).as_posix()
        if "\n" in name or "\r" in name or not _is_unicode(name):
            left_out.append(file)
            continue
        facts = metadata.read(file)
        title = " - ".join(filter(None, (facts.artist, facts.title or file.stem)))
        seconds = round(facts.seconds) or -1  # -1: not known
        lines.append(f"#EXTINF:{seconds},{' '.join(title.split())}")
        lines.append(_in_address(name))
    write_atomically(path, "".join(f"{line}\n" for line in lines).encode())
    return left_out


def _in_address(name) -> str:
    name = re.sub("[#?]|%(?=[0-9A-Fa-f]{2})", lambda c: f"%{ord(c[0]):02X}", name)
    return f"./{name}" if name[0] == " " or ":" in name else name


def _is_unicode(name) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True
