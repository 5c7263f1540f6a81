"""What a file says of itself: read; tags written into it as its genre, and taken out.

The tags that tagkit wrote stand a second time in a field TAGKIT of the file, by which
it knows them again: ID3's TCON and TXXX:TAGKIT (mp3, wav, aiff), GENRE and TAGKIT of
Vorbis comments (flac, ogg, opus), MP4's ©gen and a free-form TAGKIT (m4a).
"""

import os
import shutil
import stat
import warnings
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import mutagen
import numpy as np
from mutagen._vorbis import VCommentDict
from mutagen.id3 import ID3, TCON, TXXX
from mutagen.mp4 import MP4FreeForm, MP4Tags

from tagkit.data import audio

FIELDS = {  # genre and TAGKIT, by the kind of tags
    ID3: ("TCON", "TXXX:TAGKIT"),
    VCommentDict: ("GENRE", "TAGKIT"),
    MP4Tags: ("\xa9gen", "----:com.apple.iTunes:TAGKIT"),
}
KINDS = "holds no tags as mp3, flac, ogg, opus, m4a, wav and aiff do"
# As most formats name it, in ID3 of wav and aiff, in wma.
NAMES = {
    "artist": ("artist", "TPE1", "Author"),
    "title": ("title", "TIT2", "Title"),
    "album": ("album", "TALB", "WM/AlbumTitle"),
    "genre": ("genre", "TCON", "WM/Genre"),
}


class MetadataError(ValueError):
    """A file into which no tags can be written, with the reason in words."""


class Facts(NamedTuple):
    """What a file says of itself; empty or 0 where it says nothing.

    Attributes:
        genres: without those that tagkit wrote.
    """

    artist: str = ""
    title: str = ""
    album: str = ""
    genres: list[str] = []
    seconds: float = 0.0


class Change(NamedTuple):
    """The genre of a file before and after.

    Attributes:
        kept: it is of somebody else, and stays.
    """

    before: list[str]
    after: list[str]
    kept: bool = False


def read(path: str | Path) -> Facts:
    """Read artist, title, album, genres and length in seconds."""
    try:
        opened = mutagen.File(path, easy=True)
    except mutagen.MutagenError:  # decoding will say what is wrong with it
        opened = None
    if opened is None:
        return Facts()
    said = {name: _texts(opened.tags or {}, keys) for name, keys in NAMES.items()}
    genres = said.pop("genre")
    if genres:
        with suppress(MetadataError):  # a kind that tagkit does not write
            own = _values(_open(path), 1)
            genres = [genre for genre in genres if genre not in own]
    first = {name: texts[0] if texts else "" for name, texts in said.items()}
    return Facts(**first, genres=genres, seconds=getattr(opened.info, "length", 0.0))


def _texts(tags, keys) -> list[str]:
    values = next((tags[key] for key in keys if key in tags), [])
    values = getattr(values, "genres", values)  # an ID3 genre can be (17)
    return [text for value in values if (text := str(value).strip())]


def write(
    path: str | Path,
    tags: Sequence[str],
    *,
    overwrite: bool = False,
    dry_run: bool = False,
) -> Change:
    """Write tags into a file as its genre, in place of those that tagkit wrote before.

    A copy beside the file is changed, decoded and compared, and takes its place only if
    the sound is the same bit for bit; so whatever stops it, the file is whole. After a
    kill the copy may be left, .NAME.tagkit; the next writing replaces it.

    Args:
        overwrite: also in place of a genre that somebody else wrote; else that stays,
            as it does if there are no tags.
        dry_run: only say what would change.

    Raises: MetadataError, naming the file, if it is read-only, holds no such tags, or
    the disk is full; audio.AudioError if it cannot be decoded.
    """
    opened = _open(path)
    genre, own = _values(opened, 0), _values(opened, 1)
    if set(genre) - set(own) and not (overwrite and tags):
        return Change(genre, genre, kept=True)
    return _change(path, opened, list(tags), list(tags), dry_run)


def remove(path: str | Path, *, dry_run: bool = False) -> Change:
    """Take out of a file the tags that tagkit wrote, and nothing else.

    A genre that was overwritten does not come back.

    Raises: as `write`.
    """
    opened = _open(path)
    genre, own = _values(opened, 0), _values(opened, 1)
    return _change(path, opened, [g for g in genre if g not in own], [], dry_run)


def _change(path, opened, genre, own, dry_run) -> Change:
    before = _values(opened, 0)
    if (before, _values(opened, 1)) == (genre, own):
        return Change(before, genre)
    path = Path(os.path.realpath(path))  # a link stays a link
    found = path.stat()
    if not (os.access(path, os.W_OK) and found.st_mode & stat.S_IWUSR):
        raise MetadataError(f"{path} is read-only; make it writable, or leave it out")
    if dry_run:
        return Change(before, genre)
    copy = path.with_name(f".{path.name}.tagkit")
    try:
        shutil.copy2(path, copy)
        with suppress(PermissionError, AttributeError):  # only root may, on POSIX
            os.chown(copy, found.st_uid, found.st_gid)
        opened = _open(copy)
        _set(opened, 0, genre)
        _set(opened, 1, own)
        version = {"v2_version": _version(opened)} if _is_id3(opened) else {}
        opened.save(copy, **version)
        with copy.open("rb+") as file:
            os.fsync(file.fileno())
        if not _is_same_sound(path, copy):
            raise MetadataError(
                f"{path} would not decode to the same sound; it is left as it is"
            )
        os.replace(copy, path)
    except (OSError, mutagen.MutagenError) as error:
        raise MetadataError(f"{path} is left as it is: {_reason(error)}") from None
    finally:
        copy.unlink(missing_ok=True)
    return Change(before, genre)


def _open(path):
    """Open a file with its tags as they are: ID3 2.3 as such, not made 2.4."""
    try:
        opened = mutagen.File(path)
        if opened is not None and _is_id3(opened) and opened.tags.version < (2, 4):
            how = {(2, 3): {"translate": False}, (2, 2): {"v2_version": 3}}
            opened = type(opened)(path, **how.get(opened.tags.version[:2], {}))
        if opened is not None and opened.tags is None:
            opened.add_tags()
    except (OSError, mutagen.MutagenError) as error:
        raise MetadataError(f"{path} {KINDS}: {_reason(error)}") from None
    if not isinstance(getattr(opened, "tags", None), tuple(FIELDS)):
        raise MetadataError(f"{path} {KINDS}")
    return opened


def _is_id3(opened) -> bool:
    return isinstance(opened.tags, ID3)


def _version(opened) -> int:
    """Give the version of ID3 to write: 2.3 where the file has that or 2.2."""
    return 3 if opened.tags.version[:2] in ((2, 2), (2, 3)) else 4


def _field(opened, which) -> str:
    return next(f[which] for kind, f in FIELDS.items() if isinstance(opened.tags, kind))


def _values(opened, which) -> list[str]:
    """List the values of the genre (0) or of the field TAGKIT (1)."""
    values = opened.tags.get(_field(opened, which), [])
    if _is_id3(opened):
        values = getattr(values, "text", values)
        if _version(opened) == 3:  # which has one value, and no rule for several
            values = [part for value in values for part in value.split("/")]
    return [v.decode() if isinstance(v, bytes) else v for v in values]


def _set(opened, which, values):
    field = _field(opened, which)
    if not values:
        if field in opened.tags:
            del opened.tags[field]
    elif _is_id3(opened):
        kind, names = (TXXX, {"desc": "TAGKIT"}) if which else (TCON, {})
        opened.tags[field] = kind(encoding=3, text=values, **names)
    elif which and isinstance(opened.tags, MP4Tags):
        opened.tags[field] = [MP4FreeForm(value.encode()) for value in values]
    else:
        opened.tags[field] = values


def _is_same_sound(path, copy) -> bool:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of an early end, which is said elsewhere
        samples = audio.load(path)
        try:
            return np.array_equal(samples, audio.load(copy))
        except audio.AudioError:
            return False


def _reason(error) -> str:
    for cause in (error, *error.args[:1]):  # mutagen wraps what the system says
        if getattr(cause, "strerror", None):
            return cause.strerror
    return str(error) or type(error).__name__
