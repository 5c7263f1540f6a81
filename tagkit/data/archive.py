"""The zip archive of a corpus: looked at as a whole, then unpacked clip by clip.

The archive may be cut into parts, which are read as one file and never joined on the
disk. Nothing in it is believed: names, kinds and sizes are looked at before anything
is written, and only clips are written, each whole or not at all.

Notebook: course/01_dataset_analysis.ipynb
"""

import io
import os
import re
import struct
import zipfile
import zlib
from bisect import bisect_right
from itertools import accumulate
from pathlib import Path

from tqdm import tqdm

from tagkit import files

CLIP = re.compile(r"[0-9a-f]/[A-Za-z0-9_-][A-Za-z0-9_.-]*\.mp3")
UNSAFE = re.compile(r"^/|^[A-Za-z]:|\\|\0|(^|/)\.\.(/|$)")
FILE_KINDS = (0, 4, 8)  # the first four bits of a Unix mode: not said, folder, file
METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
MAX_CLIP = 1_000_000  # bytes; a clip of MagnaTagATune has about 117,000
MAX_GROWTH = 2  # mp3 does not compress: bytes of clips for a byte of archive
BAD_ZIP = (zipfile.BadZipFile, zlib.error, struct.error, EOFError, ValueError)
BAD_ZIP += (RuntimeError, OverflowError, LookupError)


class _Parts(io.RawIOBase):
    """The parts of a file, read as the one that they were cut from."""

    def __init__(self, paths: list):
        self.files = [path.open("rb") for path in paths]
        self.ends = list(accumulate(path.stat().st_size for path in paths))
        self.at = 0

    def readable(self):
        return True

    def seekable(self):
        return True

    def seek(self, offset, whence=os.SEEK_SET):
        at = offset + (0, self.at, self.ends[-1])[whence]
        if at < 0:
            raise ValueError(f"there is no byte {at} in it")
        self.at = at
        return at

    def readinto(self, buffer):
        i = bisect_right(self.ends, self.at)  # the part that holds this byte
        if i == len(self.files):
            return 0
        self.files[i].seek(self.at - self.ends[i], os.SEEK_END)
        n_read = self.files[i].readinto(buffer)
        self.at += n_read
        return n_read

    def close(self):
        for file in self.files:
            file.close()
        super().close()


def unpack(parts: list[Path], root: Path, progress: bool = False) -> int:
    """Unpack the clips of an archive, and give their number.

    A clip that is there with the right size and CRC is not written again, so a call
    that was killed is completed by the next. Members that are no clips in
    MagnaTagATune's layout, such as a readme, are left in the archive.

    Args:
        parts: the parts of the archive in their order; one, if it is not cut.
        root: the corpus folder.

    Raises: ValueError if it is no zip archive, is damaged, or has a member that leaves
    the folder, is a link, a double or a bomb; OSError if the disk is too small.

    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> with zipfile.ZipFile(folder / "mp3.zip", "w") as file:
    ...     file.writestr("a/song-0-29.mp3", b"sound")
    >>> unpack([folder / "mp3.zip"], folder)
    1
    >>> (folder / "a" / "song-0-29.mp3").read_bytes()
    b'sound'

    Notebook: course/01_dataset_analysis.ipynb
    """
    try:
        with _Parts(parts) as raw, zipfile.ZipFile(io.BufferedReader(raw)) as archive:
            clips = _safe_clips(archive.infolist(), root, raw.ends[-1])
            for info in tqdm(clips, "unpack", unit="clip", disable=not progress):
                path = root / info.filename
                if _is_whole(path, info):
                    continue
                with archive.open(
                    info
                ) as member:  # its end is where the CRC is checked
                    data = member.read(info.file_size + 1)
                if len(data) != info.file_size:
                    raise zipfile.BadZipFile(f"{info.filename} is cut short")
                path.parent.mkdir(exist_ok=True)
                temporary = path.with_name(path.name + ".tmp")
                temporary.write_bytes(data)
                os.replace(temporary, path)
    except BAD_ZIP as error:
        names = ", ".join(path.name for path in parts)
        raise ValueError(
            f"{root}: {names} cannot be unpacked: {error}; needed is the zip archive "
            "of MagnaTagATune, its parts in order; delete them and download again"
        ) from None
    return len(clips)


def _safe_clips(members: list, root: Path, n_archive: int) -> list:
    """Give the members that are clips; raise if any member is unsafe, or too large."""
    clips, seen = [], set()
    for info in members:
        name = info.orig_filename
        if UNSAFE.search(name):
            raise ValueError(f"member {name!r} leaves the folder")
        if info.external_attr >> 28 not in FILE_KINDS:
            raise ValueError(f"member {name!r} is a link or no file")
        if name.lower() in seen:  # on some disks large and small letters are the same
            raise ValueError(f"member {name!r} occurs twice")
        if info.compress_type not in METHODS or info.flag_bits & 1:
            raise ValueError(f"member {name!r} is encrypted or packed unusually")
        seen.add(name.lower())
        if CLIP.fullmatch(name):
            clips.append(info)
            if (root / name[0]).is_symlink():
                raise ValueError(f"{root / name[0]} is a link out of the folder")
    if not clips:
        raise ValueError("no member is a clip such as a/song-0-29.mp3")
    largest = max(clips, key=lambda info: info.file_size)
    n_bytes = sum(info.file_size for info in clips)
    if largest.file_size > MAX_CLIP or n_bytes > MAX_GROWTH * n_archive:
        raise ValueError(
            f"{n_bytes} bytes would come out of {n_archive}, {largest.file_size} for "
            f"{largest.filename}; a clip has below {MAX_CLIP} and mp3 does not shrink: "
            "it is a bomb"
        )
    # A file takes whole blocks of the disk.
    new = [i.file_size + 4096 for i in clips if not (root / i.filename).exists()]
    files.check_room(root, sum(new), f"unpacking {len(clips)} clips")
    return sorted(clips, key=lambda info: info.header_offset)


def _is_whole(path: Path, info) -> bool:
    if path.is_symlink() or not path.is_file():
        return False
    data = path.read_bytes() if path.stat().st_size == info.file_size else None
    return data is not None and zlib.crc32(data) == info.CRC
