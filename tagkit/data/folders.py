"""Folders of music: the one search of all commands and corpora.

What is hidden is passed over at any depth, links are followed, and a file comes once,
however many links and names lead to it. Whatever cannot be looked at is named.
"""

import mimetypes
import os
import re
from collections import deque
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

SUFFIXES = frozenset(
    ".wav .wave .bwf .rf64 .w64 .aif .aiff .aifc .au .snd .caf .flac .ogg .oga .ogx "
    ".opus .spx .mp3 .mp2 .mp1 .mpga .m4a .m4b .m4r .mp4 .aac .ac3 .eac3 .amr .wma "
    ".webm .weba .mka .ape .mpc .tta .tak .wv .dsf".split()
)
SOUND = re.compile(  # the first bytes of sound, whatever its name
    rb"RIFF.{4}WAVE|RF64.{4}WAVE|FORM.{4}AIF[FC]|ID3[\2-\4]|fLaC|OggS|caff\0|\.snd\0"
    rb"|wvpk|MAC |TTA[12]|tBaK|MPCK|MP\+|DSD |riff\x2e\x91|#!AMR|\x30\x26\xb2\x75\x8e"
    rb"|.{4}ftyp(M4[AB]|3g)|\x0b\x77|\xff[\xf0\xf1\xf8\xf9]"  # ac3, aac
    rb"|\xff[\xe2-\xe5\xf2-\xf5\xfa-\xfd][\x10-\xef]",  # layers II and III
    re.DOTALL,
)
OF_SYSTEMS = ("$RECYCLE.BIN", "System Volume Information", "lost+found", "@eaDir")


class UnreadWarning(UserWarning):
    """Of a file, link or folder that was to be read and cannot be; names it."""


class Found(NamedTuple):
    """What a search found.

    Attributes:
        files: those of sound, and all that were named themselves; each once.
        n_other: how many files in the folders are no sound.
        unread: a sentence for each folder that cannot be read, and each broken link.
    """

    files: list[Path]
    n_other: int
    unread: list[str]


def search(paths: Iterable[str | Path]) -> Found:
    """List the files that are named, and the sound below the folders that are named.

    Sound is known by its suffix, or, where that says nothing, by its first bytes. Of
    several ways to a file the one named first counts, in a folder that without links.

    Shape: files in the order of the paths, in each folder by their names.
    """
    seen, files, n_other, unread = set(), [], 0, []
    for path in map(Path, paths):
        if os.path.isdir(path):
            found = _walk(path, seen)
            files += found.files
            n_other += found.n_other
            unread += found.unread
        elif (real := os.path.realpath(path)) not in seen:
            seen.add(real)
            files.append(path)
    return Found(files, n_other, unread)


def _walk(root: Path, seen: set[str]) -> Found:
    """Search one folder, without what is in `seen`; what is found is added to it."""
    sounds, n_other, unread = [], 0, []
    places, links = [root], deque()  # links last: a file counts by its own name
    while places or links:
        path = places.pop() if places else links.popleft()
        try:
            real = os.path.realpath(path, strict=True)
            if real in seen:
                continue
            seen.add(real)
            if not os.path.isdir(real):
                is_sound = os.path.isfile(real) and _is_sound(path)
                sounds += [path] * is_sound
                n_other += not is_sound
                continue
            with os.scandir(path) as entries:
                there = sorted(entries, key=lambda entry: entry.name, reverse=True)
            shown = [e for e in there if e.name[0] != "." and e.name not in OF_SYSTEMS]
            places += [path / e.name for e in shown if not e.is_symlink()]
            links += [path / e.name for e in shown[::-1] if e.is_symlink()]
        except OSError as error:
            link = f"links to {os.readlink(path)}, which " if path.is_symlink() else ""
            unread.append(f"{path} {link}cannot be read ({error.strerror})")
    return Found(sorted(sounds), n_other, unread)


def _is_sound(path: Path) -> bool:
    """Say whether a file is sound; raises OSError if it is unknown and unreadable."""
    if path.suffix.lower() in SUFFIXES:
        return True
    kind, _ = mimetypes.guess_type(path.name)
    if kind and kind.partition("/")[0] in ("image", "text", "video"):
        return False
    with path.open("rb") as file:
        return SOUND.match(file.read(16)) is not None
