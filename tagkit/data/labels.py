"""Labels as a person writes them: a table with a file and its tags in each row.

    file,tags                       file;rock;slow
    one.mp3,rock;slow       or      one.mp3;1;1
    two.mp3,piano                   two.mp3;0;0

Comma, semicolon or TAB between the fields, `;` or `|` between the tags, any encoding
that a spreadsheet writes, paths of Windows or POSIX. What is wrong in a row is named
with the row, and the rest is read.
"""

import csv
import io
import unicodedata
from pathlib import Path, PurePosixPath

import numpy as np
import pandas as pd

from tagkit.data.annotations import CLIP_INFO_COLUMNS

FILE = ("file", "filename", "path", "mp3_path")
TAGS = ("tags", "tag", "labels", "label", "genre")
ABOUT = ("artist", "album", "title")
QUOTES = "\"'\u201c\u201d\u2018\u2019"


def find(folder: Path) -> Path | None:
    """Find the one table of a person's labels in a folder, None if there is none.

    Raises: ValueError if there are several.
    """
    tables = [p for p in sorted(folder.glob("*.[ct]sv")) if _separator(p)]
    named = [p for p in tables if p.stem in ("labels", "tags")]
    tables = named if len(named) == 1 else tables
    if len(tables) > 1:
        names = ", ".join(path.name for path in tables)
        raise ValueError(
            f"{folder} has {len(tables)} tables of labels ({names}); name the one "
            "that is meant, such as " + repr(str(tables[0]))
        )
    return tables[0] if tables else None


def read(path: str | Path, folder: str | Path | None = None):
    """Read a table of labels, and look for the files that it names.

    Args:
        folder: where the music is; default the table's own folder.

    Shape: annotations (n_clips, n_tags) uint8 in the order in which the tags occur;
    clips as `annotations.read_clip_info` gives them, both with index clip_id, 1 to
    n_clips; the folder that holds all files; and a list of remarks, a sentence for
    each row or column that is not as it should be.
    Raises: ValueError if it is no such table, or no row of it can be used.
    """
    path = Path(path)
    folder = Path(folder) if folder else path.parent
    header, rows = _rows(path)
    names = [name.strip().strip("\ufeff") for name in header]
    kinds = [_kind(name) for name in names]
    remarks, clips, labels = [], {}, {}
    columns = [place for place, kind in enumerate(kinds) if kind == ""]
    has_tags = "tags" in kinds
    if not has_tags:
        columns = _drop_text(names, columns, rows, remarks)
    if not (has_tags or columns):
        raise ValueError(
            f"{path} has the columns {', '.join(names)}; needed are a column 'tags', "
            "or one column of 0 and 1 for each tag, beside the column 'file'"
        )
    lines = {}
    for line, fields in rows:
        if not any(field.strip() for field in fields):
            remarks.append(f"row {line} is empty")
            continue
        try:
            row = dict(zip(kinds, _fill(fields, kinds), strict=True))
            file = _locate(row["file"], folder)
            if has_tags:
                tags, odd = _split(row["tags"])
            else:
                tags, odd = _ones(fields, names, columns), ""
        except ValueError as error:
            remarks.append(f"row {line}: {error}")
            continue
        if odd:
            remarks.append(f"row {line}: {odd}")
        if file in clips:
            remarks.append(
                f"row {line}: {row['file']!r} stands in row {lines[file]} already; "
                "its tags are taken together"
            )
            labels[file] |= dict.fromkeys(tags)
            continue
        lines[file] = line
        clips[file] = {name: row.get(name, "").strip() for name in ABOUT}
        labels[file] = dict.fromkeys(tags)
    if not clips:
        raise ValueError(f"{path} has no row that can be used: {'; '.join(remarks)}")
    every = [names[c] for c in columns] if not has_tags else []
    every = list(dict.fromkeys([*every, *(t for ts in labels.values() for t in ts)]))
    return *_frames(clips, labels, every, folder), remarks


def _frames(clips, labels, tags, folder):
    """Make the two tables of MagnaTagATune of what was read, and the common folder."""
    folder = folder.resolve()
    if not all(file.is_relative_to(folder) for file in clips):
        parents = [file.parent for file in clips]
        folder = next(p for p in [parents[0], *parents[0].parents]
                      if all(q.is_relative_to(p) for q in parents))  # fmt: skip
    index = pd.RangeIndex(1, len(clips) + 1, name="clip_id")
    info = pd.DataFrame("", index, CLIP_INFO_COLUMNS)
    info[["track_number", "segmentStart", "segmentEnd"]] = 0
    for name in ABOUT:
        info[name] = [about[name] for about in clips.values()]
    paths = [file.relative_to(folder) for file in clips]
    info["mp3_path"] = [path.as_posix() for path in paths]
    info.loc[info["title"] == "", "title"] = pd.Series([p.stem for p in paths], index)
    # Who made it is not known: what lies in one folder stays together.
    first = pd.Series([path.parts[0] for path in paths], index)
    info["artist"] = info["artist"].where(info["artist"] != "", first)
    values = [[tag in given for tag in tags] for given in labels.values()]
    return pd.DataFrame(np.uint8(values), index, tags), info, folder


def _rows(path: Path):
    """Give the header, and each further row with its number in the file."""
    separator = _separator(path)
    if separator is None:
        raise ValueError(
            f"{path} is not a table of labels: its first row is "
            f"{_text(path)[:60].splitlines()[:1]}; needed is one that names a column "
            "'file' and a column 'tags' or a column for each tag, such as file,tags"
        )
    reader = csv.reader(io.StringIO(_text(path), newline=""), delimiter=separator)
    header = next(reader)
    return header, [(reader.line_num, fields) for fields in reader]


def _text(path: Path) -> str:
    """Decode a table as spreadsheets write it: UTF-8, UTF-16 or Windows' own."""
    data = path.read_bytes()
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return data.decode("utf-16", "replace")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("cp1252", "replace")


def _separator(path: Path) -> str | None:
    """Say what stands between the fields; None if the first row names no file."""
    first = _text(path)[:10_000].splitlines()[:1]
    for separator in "\t;,":
        fields = next(csv.reader(first, delimiter=separator), [])
        if len(fields) > 1 and "file" in map(_kind, fields):
            return separator
    return None


def _kind(name: str) -> str:
    """Say what a column is by its name: file, tags, artist, album, title, or ""."""
    name = name.strip().strip("\ufeff").lower()
    if name in FILE:
        return "file"
    return "tags" if name in TAGS else name if name in ABOUT else ""


def _drop_text(names, columns, rows, remarks):
    """Leave out columns that hold no 0 and 1 at all, with a remark."""
    kept = []
    for c in columns:
        values = [
            (line, f[c].strip()) for line, f in rows if len(f) > c and f[c].strip()
        ]
        if any(_bit(value) is not None for _, value in values):
            kept.append(c)
        elif values:
            line, value = values[0]
            remarks.append(
                f"column {names[c]!r} is left out: row {line} has {value!r}, needed is "
                "0 or 1"
            )
        else:
            remarks.append(f"column {names[c]!r} is left out: it is empty")
    return kept


def _bit(value: str) -> int | None:
    return {"0": 0, "1": 1, "0.0": 0, "1.0": 1}.get(value.strip())


def _fill(fields, kinds):
    """Give a row as many fields as the header has; tags may have been split."""
    if len(fields) > len(kinds) and kinds[-1] == "tags":
        fields = [*fields[: len(kinds) - 1], "|".join(fields[len(kinds) - 1 :])]
    while len(fields) > len(kinds) and not fields[-1].strip():
        fields = fields[:-1]
    if len(fields) > len(kinds):
        raise ValueError(
            f"{len(fields)} fields, the first row has {len(kinds)}; put a field that "
            "holds a separator into double quotes"
        )
    return [*fields, *[""] * (len(kinds) - len(fields))]


def _split(text: str):
    """Split tags; give them and what is odd about them."""
    tags = [tag.strip() for tag in text.replace("|", ";").split(";")]
    plain = [tag.strip(QUOTES).strip() for tag in tags if tag]
    quoted = [tag for tag in tags if tag and tag != tag.strip(QUOTES)]
    odd = f"the tag {quoted[0]} is read without its quotes" if quoted else ""
    return [tag for tag in plain if tag], odd


def _ones(fields, names, columns):
    """Name the tags that are 1 in a row."""
    tags = []
    for c in columns:
        value = fields[c] if len(fields) > c else ""
        bit = _bit(value)
        if bit is None:
            raise ValueError(
                f"{names[c]!r} is {value!r}, needed is 0 or 1; the row is left out"
            )
        tags += [names[c]] * bit
    return tags


def _locate(name: str, folder: Path) -> Path:
    """Find the file of a row, also when its path is that of another machine."""
    name = name.strip()
    if not name:
        raise ValueError("no file is named")
    posix = PurePosixPath(name.replace("\\", "/"))
    for form in ("NFC", "NFD"):
        path = Path(unicodedata.normalize(form, str(posix))).expanduser()
        if (folder / path).is_file():  # an absolute path stands for itself
            return (folder / path).resolve()
        for n in range(1, len(path.parts)):  # C:\Music\rock\one.mp3 -> rock/one.mp3
            if (folder / Path(*path.parts[n:])).is_file():
                return (folder / Path(*path.parts[n:])).resolve()
    raise ValueError(f"there is no file {name!r} in {folder}; check its name")
