"""The two tables of a corpus, in MagnaTagATune's own format, read strictly.

Notebook: course/01_dataset_analysis.ipynb
"""

import csv
import gzip
import zlib
from pathlib import Path

import numpy as np
import pandas as pd

CLIP_INFO_COLUMNS = (
    "track_number",
    "title",
    "artist",
    "album",
    "url",
    "segmentStart",
    "segmentEnd",
    "original_url",
    "mp3_path",
)


def read(path: str | Path) -> pd.DataFrame:
    """Read a table of annotations in MagnaTagATune's own format.

    Its fields stand in double quotes, with a TAB between them. Its columns are
    ``clip_id``, one per tag with 0 or 1, and ``mp3_path``.

    Shape: a frame (n_clips, n_tags + 1), index clip_id, tags as uint8, the last
    column ``mp3_path``.
    Raises: ValueError with file, line and value if the table differs from that.
    Source: annotations_final.csv, Law et al. 2009.

    >>> from tagkit.data import corpus
    >>> table = read(corpus.DATA / "mini" / "annotations_final.csv")
    >>> len(table), table.columns[-1]
    (480, 'mp3_path')

    Notebook: course/01_dataset_analysis.ipynb
    """
    table = _read_table(path, must_have=("clip_id", "mp3_path"))
    if table.columns[-1] != "mp3_path":
        raise ValueError(
            f"{path}, line 1: the last column is {table.columns[-1]!r}, needed is "
            "'mp3_path' after the tags; write the columns in MagnaTagATune's order"
        )
    values = table.iloc[:, :-1]
    # pandas reads a column that holds anything but numbers as text.
    are_integers = all(dtype.kind in "iu" for dtype in values.dtypes)
    if not are_integers or not np.isin(values.to_numpy(), (0, 1)).all():
        _raise_bad_value(path)
    is_empty = (table["mp3_path"] == "").to_numpy()
    if is_empty.any():
        raise ValueError(
            f"{path}, line {is_empty.argmax() + 2}: the mp3_path is empty or a field "
            f"is missing; needed are {table.shape[1] + 1} fields as in the first line"
        )
    return pd.concat([values.astype(np.uint8), table["mp3_path"]], axis=1)


def read_clip_info(path: str | Path) -> pd.DataFrame:
    """Read a table of clips in MagnaTagATune's own format.

    Shape: a frame (n_rows, 9), index clip_id; track_number, title, artist, album,
    url, segmentStart and segmentEnd (seconds in the track), original_url,
    mp3_path (empty text for a row that has no audio).
    Raises: ValueError as `read`.
    Source: clip_info_final.csv, Law et al. 2009.

    >>> from tagkit.data import corpus
    >>> info = read_clip_info(corpus.DATA / "mini" / "clip_info_final.csv")
    >>> list(info.columns[:4])
    ['track_number', 'title', 'artist', 'album']
    """
    return _read_table(path, must_have=("clip_id", *CLIP_INFO_COLUMNS))


def _read_table(path, must_have) -> pd.DataFrame:
    try:
        names = dict.fromkeys(("title", "artist", "album"), str)
        table = pd.read_csv(path, sep="\t", keep_default_na=False, dtype=names)
    except (ValueError, EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise ValueError(
            f"{path} is not a table with TAB between its fields ({error}); "
            "get the file again or check its separator"
        ) from None
    missing = [name for name in must_have if name not in table.columns]
    if missing:
        raise ValueError(
            f"{path}, line 1: no column {missing[0]!r} among {len(table.columns)} "
            f"columns ({', '.join(map(repr, table.columns[:3]))} ...); the separator "
            "must be a TAB and the names MagnaTagATune's"
        )
    for name in table.columns:  # pandas renames a second "piano" to "piano.1"
        if name.endswith(".1") and name[:-2] in table.columns:
            raise ValueError(
                f"{path}, line 1: column {name[:-2]!r} occurs twice; keep one"
            )
    if table.empty:
        raise ValueError(
            f"{path} holds no clips; needed is a line per clip below the first line; "
            "get the file again"
        )
    for name in ("clip_id", "segmentStart", "segmentEnd"):
        if name in must_have and table[name].dtype.kind not in "iu":
            numbers = pd.to_numeric(table[name], errors="coerce")
            row = (numbers % 1 != 0).to_numpy().argmax()  # nan counts, too
            raise ValueError(
                f"{path}, line {row + 2}: {name} is {str(table[name].iloc[row])!r}, "
                "needed is a whole number; mend that line"
            )
    ids = table["clip_id"]
    is_second = ids.duplicated().to_numpy()
    if is_second.any():
        row = is_second.argmax()
        raise ValueError(
            f"{path}, line {row + 2}: clip_id {ids.iloc[row]} occurs twice; keep one "
            "line per clip"
        )
    paths = table["mp3_path"].astype(str)
    leaves = paths.str.contains(r"^[/\\]|^[A-Za-z]:|\\|(?:^|/)\.\.(?:/|$)").to_numpy()
    if leaves.any():
        row = leaves.argmax()
        raise ValueError(
            f"{path}, line {row + 2}: mp3_path {paths.iloc[row]!r} leaves the corpus "
            "folder; needed is a path below it, such as 'a/song-0-29.mp3'"
        )
    return table.set_index("clip_id")


def _raise_bad_value(path):
    """Find the first value that is neither 0 nor 1, slowly, and name it."""
    open_text = gzip.open if str(path).endswith(".gz") else open
    with open_text(path, "rt", newline="") as file:
        rows = csv.reader(file, delimiter="\t")
        names = next(rows)
        for row in rows:
            if len(row) != len(names):
                raise ValueError(
                    f"{path}, line {rows.line_num}: {len(row)} fields, needed are "
                    f"{len(names)} as in the first line; mend that line"
                )
            for name, value in zip(names[1:-1], row[1:-1], strict=True):
                if value not in ("0", "1"):
                    raise ValueError(
                        f"{path}, line {rows.line_num}: tag {name!r} is {value!r}, "
                        "needed is 0 or 1; mend that value"
                    )
