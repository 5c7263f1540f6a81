"""Labels as a person keeps them: a table with a file and its tags in each row.

    file,tags                       file;rock;slow
    one.mp3,rock;slow       or      one.mp3;1;1
    two.mp3,piano                   two.mp3;0;0

Comma, semicolon or TAB between the fields; `;`, `|` or commas between tags; UTF-8,
UTF-16 or Western Windows text; paths of Windows or POSIX, or file names that occur
once. A row that cannot be used is reported by its number and skipped; the others are
read. `of_files` takes the names of folders or the genres of files for labels.
"""

import csv
import io
import mimetypes
import os
import re
import unicodedata
from pathlib import Path, PurePosixPath

import numpy as np
import pandas as pd

from tagkit.data import folders
from tagkit.data.annotations import CLIP_INFO_COLUMNS

FILE = ("file", "filename", "path", "mp3path")  # the first of these that is there
TAGS = ("tags", "tag", "labels", "label", "genre")
ABOUT = ("artist", "album", "title")
BITS = dict.fromkeys(("0", "0.0", "0,0", "false", "no"), 0)
BITS |= dict.fromkeys(("1", "1.0", "1,0", "true", "yes", "x"), 1)
MISSING = ("na", "nan", "n/a", "none", "null")  # as programs write a blank cell
QUOTES = ('""', "''", "\u201c\u201d", "\u2018\u2019")
MOST_REMARKS = 20
MOST_LOST = 3  # rows of a kind that are named
LOST = ("name a file that is not there", "name a file that can be one of several")


class LostError(ValueError):
    """A row whose file is not found; its second argument is one of LOST."""

    def __str__(self):
        return self.args[0]


def find(folder: Path) -> Path | None:
    """Find the one table of labels in a folder, None if there is none.

    A table of other things, such as the scores that `tagkit tag` writes, is none.

    Raises: ValueError if there are several.
    """
    tables = [p for p in sorted(folder.glob("*.[ct]sv")) if p.is_file() and _is_ours(p)]
    named = [p for p in tables if p.stem in ("labels", "tags")]
    tables = named if len(named) == 1 else tables
    if len(tables) > 1:
        names = ", ".join(path.name for path in tables)
        raise ValueError(
            f"{folder} has {len(tables)} tables of labels ({names}); name the one "
            f"that is meant, such as {str(tables[0])!r}"
        )
    return tables[0] if tables else None


def read(path: str | Path, folder: str | Path | None = None):
    """Read a table of labels, and look for the files that it names.

    A clip's artist is that of the table, else the uppermost folder that its file does
    not share with all others. Tags that differ in case or spaces only are one, in the
    spelling that comes first.

    Args:
        folder: where the music is; default the table's own folder.

    Shape: annotations (n_clips, n_tags) uint8 in the order in which the tags occur;
    clips as `annotations.read_clip_info` gives them, both with index clip_id, 1 to
    n_clips; the folder that holds all files; and a list of remarks, a sentence for
    each row, column or tag that is not as it should be. If the files of most rows were
    not found, clips.attrs["lost"] says so.
    Raises: ValueError if it is no such table, or no row of it can be used.
    """
    path = Path(path)
    folder = Path(os.path.abspath(folder or path.parent))
    names, rows, remarks = _rows(path)
    kinds = _kinds(names)
    bits = _bit_columns(names, kinds, rows, remarks)
    if "tags" not in kinds and not bits:
        raise ValueError(
            f"{path} has the columns {', '.join(names)}; needed are a column 'tags', "
            "or one column of 0 and 1 for each tag, beside the column 'file'"
            + listed(remarks)
        )
    lost = dict.fromkeys(LOST, 0)
    found = _collect(rows, names, kinds, bits, folder, remarks, lost)
    if not found:
        raise ValueError(
            f"{path} has no row that can be used" + (listed(remarks) or ": no rows")
        )
    tags = [names[c] for c in bits] if "tags" not in kinds else []
    given, clips, root = _frames(found, tags, folder, remarks)
    if 2 * sum(lost.values()) > len(rows):
        kinds = " and ".join(f"{n} {kind}" for kind, n in lost.items() if n)
        clips.attrs["lost"] = f"of {len(rows)} rows in {path}, {kinds}"
    return given, clips, root, remarks


def of_files(folder: Path, files: list[Path], source: str):
    """Take labels from where files lie, or from the genres that they name themselves.

    Artist, album and title are those that a file names itself; else, where folders
    are tags, the artist is the folder below, or the file.

    Args:
        files: in this folder or below it.
        source: "folders", the uppermost folder on a file's way is its tag; or "genre".

    Shape: as `read`; a file without a tag is left out, and counted in a remark.
    Raises: ValueError for another source, or if no file has a tag.
    """
    from tagkit.data import metadata  # with mutagen, which takes a moment

    if source not in ("folders", "genre"):
        raise ValueError(f"labels is {source!r}; needed is 'folders' or 'genre'")
    found, without = {}, []
    for file in files:
        own, parts = metadata.read(file), file.relative_to(folder).parts
        about = {name: text for name in ABOUT if (text := getattr(own, name))}
        if source == "genre":
            tags, _ = _split(own.genres)
        else:
            tags = [parts[0]] if len(parts) > 1 else []
            below = parts[1] if len(parts) > 2 else "/".join(parts)
            about.setdefault("artist", below)
        if tags:
            found[file] = 0, about, tags
        else:
            without.append(file)
    lack = "name no genre" if source == "genre" else "lie in no folder below it"
    lack = f"{len(without)} of {len(files)} sound files {lack}"
    if not found:
        raise ValueError(
            f"{folder}: {lack}; write a table labels.csv, with a row such as "
            "one.mp3,rock;slow below the row file,tags"
        )
    remarks = []
    if without:
        remarks.append(f"{lack} and are left out, such as {without[0].name}")
    return *_frames(found, [], folder, remarks), remarks


def _collect(rows, names, kinds, bits, folder, remarks, lost) -> dict:
    """Read the rows: file -> the number of its row, what is known of it, its tags."""
    found, elsewhere, same = {}, [], {}
    sounds = {}  # filled by `_search`, once a file is not where its row says
    for number, fields in rows:
        if not any(field.strip() for field in fields):
            remarks.append(f"row {number} is empty")
            continue
        try:
            fields = _fill(fields, kinds)
            name = fields[kinds.index("file")].strip()
            file = _locate(name, folder)
            if file is not None and (kind := _no_sound(file)):
                raise ValueError(f"{name!r} is {kind}, no sound; the row is left out")
            if file is None:
                file = _search(name, folder, sounds)
                there = file.relative_to(folder)
                elsewhere.append(f"row {number}: {name!r} is {str(there)!r}")
            file = same.setdefault(os.path.realpath(file), file)
            if "tags" in kinds:
                places = [c for c, kind in enumerate(kinds) if kind == "tags"]
                tags, remark = _split([fields[c] for c in places])
            else:
                tags, remark = [names[c] for c in bits if _bit(fields, names, c)], ""
        except LostError as error:
            lost[error.args[1]] += 1
            if lost[error.args[1]] <= MOST_LOST:
                remarks.append(f"row {number}: {error}")
            continue
        except ValueError as error:
            remarks.append(f"row {number}: {error}")
            continue
        if remark:
            remarks.append(f"row {number}: {remark}")
        if file in found:
            remarks.append(
                f"row {number}: {name!r} is already in row {found[file][0]}; the tags "
                "of both rows are joined"
            )
            found[file][2].extend(tags)
            continue
        about = dict(zip(kinds, map(_known, fields), strict=True))
        found[file] = number, about, tags
    for kind, n in lost.items():
        if n > MOST_LOST:
            remarks.append(f"{n - MOST_LOST} more rows {kind}")
    if elsewhere:
        remarks.append(
            f"{len(elsewhere)} rows do not say exactly where their file is; it was "
            f"found by its name, such as {elsewhere[0]}"
        )
    return found


def listed(remarks) -> str:
    """List the first remarks, to stand behind a sentence."""
    more = [f"{len(remarks) - MOST_REMARKS} more"] * (len(remarks) > MOST_REMARKS)
    return ": " + "; ".join(remarks[:MOST_REMARKS] + more) if remarks else ""


def _frames(found, tags, folder, remarks):
    """Make the two tables of MagnaTagATune of what was read, and the common folder."""
    tags = _fold(found, tags, remarks)
    artists = _artists(found, folder, remarks)
    files = {file: Path(os.path.realpath(file)) for file in found}
    root = Path(os.path.realpath(folder))
    if not all(file.is_relative_to(root) for file in files.values()):
        root = Path(os.path.commonpath([file.parent for file in files.values()]))
    index = pd.RangeIndex(1, len(found) + 1, name="clip_id")
    info = pd.DataFrame("", index, CLIP_INFO_COLUMNS)
    info[["track_number", "segmentStart", "segmentEnd"]] = 0
    info["artist"] = artists
    for row, (file, (_, about, _)) in zip(index, found.items(), strict=True):
        info.loc[row, "album"] = about.get("album", "")
        info.loc[row, "title"] = about.get("title") or file.stem
        info.loc[row, "mp3_path"] = files[file].relative_to(root).as_posix()
    values = [[tag in given for tag in tags] for _, _, given in found.values()]
    return pd.DataFrame(np.uint8(values), index, tags), info, root


def _fold(found, tags, remarks) -> list[str]:
    """Give each tag the spelling that comes first: Rock and rock are one tag."""
    first, changed = {}, {}
    for tag in [*tags, *(tag for _, _, given in found.values() for tag in given)]:
        spelling = first.setdefault(_plain(tag), tag)
        if spelling != tag:
            changed[tag] = spelling
    for _, _, given in found.values():
        given[:] = [changed.get(tag, tag) for tag in given]
    remarks += [f"the tag {tag!r} is read as {changed[tag]!r}" for tag in changed]
    return list(first.values())


def _artists(found, folder, remarks) -> list[str]:
    """Name the artists; where none is known, what lies in one folder stays together."""
    known = [about.get("artist") for _, about, _ in found.values()]
    inside = [file.parent for file in found if file.is_relative_to(folder)]
    base = os.path.commonpath(inside) if inside else folder
    artists = []
    for file, artist in zip(found, known, strict=True):
        place = str(file.parent)
        if file.is_relative_to(base):
            place = file.relative_to(base).parts[0]
        artists.append(artist or place)
    if len(set(artists)) < 3 <= len(found) and not all(known):
        remarks.append(
            "no artist is known, and there are fewer than three folders to split by: "
            "each file counts as by an artist of its own, and a test may hold artists "
            "that were trained on; a column 'artist' prevents that"
        )
        files = [os.path.relpath(file, base) for file in found]
        artists = [a or file for a, file in zip(known, files, strict=True)]
    return artists


def _rows(path: Path):
    """Give the names of the columns, the rows with their numbers, and remarks."""
    text = _text(path)
    before, separator = _head(text)
    if separator is None:
        raise ValueError(
            f"{path} is not a table of labels: its first row is "
            f"{text[:60].splitlines()[:1]}; needed is one that names a column 'file' "
            "and a column 'tags' or a column for each tag, such as file,tags, with "
            "comma, semicolon or TAB between them"
        )
    lines, remarks = text.splitlines()[before:], []
    try:
        how = {"delimiter": separator, "skipinitialspace": True}
        rows = list(csv.reader(io.StringIO("\n".join(lines)), **how))
        if any("\n" in f and separator in f for fields in rows for f in fields):
            rows = [next(csv.reader([line], **how), []) for line in lines]
            remarks = [
                f"row {before + n}: a double quote is opened and not closed"
                for n, line in enumerate(lines, 1)
                if line.count('"') % 2
            ]
    except csv.Error as error:
        raise ValueError(f"{path} cannot be read as a table: {error}") from None
    # pandas writes its index without a name, and names it so when it reads that.
    names = [re.sub(r"Unnamed: [\d.]+$", "", name.strip()) for name in rows[0]]
    while not names[-1]:  # a spreadsheet fills up all rows to the longest
        names.pop()
    longer = [row for row in rows[1:] if len(row) == len(names) + 1]
    if [row[0] for row in longer] == [str(n) for n in range(1, len(rows))]:
        names.insert(0, "")  # R numbers its rows, and names no column for it
    return names, list(enumerate(rows[1:], before + 2)), remarks


def _text(path: Path) -> str:
    data = path.read_bytes()
    if data[:4] in (b"PK\3\4", b"\xd0\xcf\x11\xe0"):
        raise ValueError(f"{path} is a spreadsheet's own format; save it there as CSV")
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return data.decode("utf-16", "replace")
    if b"\0" in data[:2]:
        order = "be" if data[0] == 0 else "le"
        return data.decode(f"utf-16-{order}", "replace")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("cp1252", "replace")


def _head(text: str):
    """Count the lines before the row of names, and give what separates its fields."""
    lines = text[:10_000].splitlines()
    before = 0
    while before < len(lines) and re.match(r"sep=|#|\s*$", lines[before]):
        before += 1
    for separator in "\t;,":
        fields = next(csv.reader(lines[before : before + 1], delimiter=separator), [])
        if len(fields) > 1 and "file" in _kinds(fields):
            return before, separator
    return before, None


def _kinds(names) -> list[str]:
    """Say what each column is: file (one), tags, artist, album, title, or ""."""
    plain = [re.sub(r"[\s_]", "", name).lower() for name in names]
    kinds = ["tags" if n in TAGS else n if n in ABOUT else "" for n in plain]
    for name in FILE:
        if name in plain:
            kinds[plain.index(name)] = "file"
            break
    return kinds


def _is_ours(path: Path) -> bool:
    """Say whether a file is a table that names files and their tags."""
    try:
        if _head(_text(path))[1] is None:
            return False
        names, rows, _ = _rows(path)
    except ValueError:
        return False
    kinds = _kinds(names)
    n_others = sum(kind == "" != name for kind, name in zip(kinds, names, strict=True))
    bits = _bit_columns(names, kinds, rows[:100], [])
    return "tags" in kinds or 2 * len(bits) > n_others


def _bit_columns(names, kinds, rows, remarks) -> list[int]:
    """Give the places of the columns of 0 and 1; remark on those that are not read."""
    columns = []
    for c, name in enumerate(names):
        if kinds[c] or not name:
            continue
        values = [(n, f[c].strip()) for n, f in rows if len(f) > c and f[c].strip()]
        others = [(n, value) for n, value in values if value.lower() not in BITS]
        if "tags" in kinds:
            if values and not others:
                remarks.append(f"column {name!r} is not read beside the column 'tags'")
        elif 2 * len(others) < len(values):
            columns.append(c)
        elif others:
            remarks.append(
                f"column {name!r} is left out: row {others[0][0]} has "
                f"{others[0][1]!r}, needed is 0 or 1"
            )
    return columns


def _bit(fields, names, c) -> int:
    """Read a cell of a column of 0 and 1; a blank one is 0."""
    value = fields[c].strip()
    if value and value.lower() not in BITS:
        raise ValueError(
            f"{names[c]!r} is {value!r}, needed is 0 or 1; the row is left out"
        )
    return BITS.get(value.lower(), 0)


def _fill(fields, kinds):
    """Give a row as many fields as there are columns; tags may have been split."""
    n = len(kinds)
    while len(fields) > n and not fields[-1].strip():
        fields = fields[:-1]
    if len(fields) > n and kinds[-1] == "tags":
        fields = [*fields[: n - 1], ";".join(fields[n - 1 :])]
    if len(fields) > n:
        raise ValueError(
            f"{len(fields)} fields, the first row has {n}; put a field that holds a "
            "separator into double quotes"
        )
    return [*fields, *[""] * (n - len(fields))]


def _split(cells):
    """Split the tags of one or several cells; give them and a remark on quotes."""
    tags, remark = [], ""
    for text in cells:
        text = text.strip()
        is_list = text[:1] + text[-1:] == "[]"  # as Python prints it
        if is_list:
            text = text[1:-1]
        parts = re.split(r"[;|\n]" if re.search(r"[;|\n]", text) else ",", text)
        for part in parts:
            tag = _unquoted(part.strip())
            if tag != part.strip() and not is_list:
                remark = f"the tag {part.strip()} is read without its quotes"
            if _known(tag):
                tags.append(tag)
    return tags, remark


def _unquoted(text: str) -> str:
    """Take off a pair of quotes, or a double quote that stands alone."""
    for first, last in QUOTES:
        if len(text) > 1 and text[0] == first and text[-1] == last:
            return text[1:-1].strip()
    return text.strip('"')


def _known(text: str) -> str:
    """Give a cell's text, blank for what stands for a missing value."""
    return "" if text.strip().lower() in MISSING else text.strip()


def _locate(name: str, folder: Path) -> Path | None:
    """Find the file of a row; an absolute path may be that of another machine."""
    for form in ("NFC", "NFD"):
        for path in _places(unicodedata.normalize(form, name), folder):
            file = os.path.normpath(folder / path)  # an absolute one stands for itself
            if os.path.isfile(file):
                return Path(file)
    return None


def _no_sound(file: Path) -> str:
    """Name what a file is by its suffix, if that is certainly no sound."""
    kind = (mimetypes.guess_type(file.name)[0] or "").partition("/")[0]
    return {"image": "a picture", "text": "a text"}.get(kind, "")


def _places(name: str, folder: Path) -> list[PurePosixPath]:
    """Give the path of a row, and what it can be below the folder.

    Of an absolute path the ends, rock/one.mp3 and one.mp3; of music/one.mp3, as `tagkit
    tag music` writes it, one.mp3 if the folder is music.

    Raises: ValueError for no name.
    """
    if not name:
        raise ValueError("no file is named")
    path = PurePosixPath(name.replace("\\", "/"))
    if path.parts[:1] == ("~",):
        path = PurePosixPath(os.path.expanduser(path))
    if path.is_absolute() or re.match("[A-Za-z]:", path.parts[0]):
        return [path] + [
            PurePosixPath(*path.parts[n:]) for n in range(1, len(path.parts))
        ]
    heads = range(1, len(path.parts))
    return [path] + [
        PurePosixPath(*path.parts[n:])
        for n in heads
        if path.parts[:n] == folder.parts[-n:]
    ]


def _search(name: str, folder: Path, sounds: dict) -> Path:
    """Find a file of a row in any folder below, in any case, with or without suffix.

    Args:
        sounds: the end of a path -> the files that have it; filled here.

    Raises: ValueError unless there is one such file.
    """
    if not sounds:
        for file in folders.search([folder]).files:
            parts = file.relative_to(folder).parts
            for n in range(len(parts)):
                end = PurePosixPath(*parts[n:])
                for one in {end, end.with_suffix("")}:
                    sounds.setdefault(_plain(str(one)), []).append(file)
    for path in _places(name, folder):
        files = sounds.get(_plain(str(path)), [])
        if len(files) == 1:
            return files[0]
        if files:
            first, second = (str(file.relative_to(folder)) for file in files[:2])
            text = f"{name!r} can be {first!r} or {second!r}; say which"
            raise LostError(text, LOST[1])
    text = f"there is no file {name!r} in {folder}; check its name"
    raise LostError(text, LOST[0])


def _plain(text: str) -> str:
    """Give a text as it is compared: without case, doubled spaces, forms of accents."""
    return " ".join(unicodedata.normalize("NFC", text).casefold().split())
