"""The two tables of a corpus, in MagnaTagATune's own format, read strictly.

Fields stand in double quotes, with a TAB between them. The tables may be packed (.gz).
What pandas writes as its index, a column without a name, is passed over.

Notebook: course/01_dataset_analysis.ipynb
"""

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
    """Read a table of annotations: clip_id, a column of 0 and 1 per tag, mp3_path.

    Shape: a frame (n_clips, n_tags + 1), index clip_id, tags as uint8, the last
    column mp3_path.
    Raises: ValueError with file, line and value if the table differs from that.
    Source: annotations_final.csv, Law et al. 2009.
    """
    table = _read_table(path, ("clip_id", "mp3_path"))
    if table.columns[-1] != "mp3_path":
        raise ValueError(
            f"{path}, line 1: the last column is {table.columns[-1]!r}, needed is "
            "'mp3_path'; put the tags before it"
        )
    _check_rows(path, table["mp3_path"] == "", table["mp3_path"], "a path")
    values = table.iloc[:, :-1]
    # pandas reads a column that holds anything but numbers as text.
    are_integers = all(dtype.kind in "iu" for dtype in values.dtypes)
    if not are_integers or not np.isin(values.to_numpy(), (0, 1)).all():
        as_written = pd.read_csv(path, sep="\t", dtype=str, keep_default_na=False)
        for tag in values.columns:
            is_bad = ~as_written[tag].isin(["0", "1"])
            _check_rows(path, is_bad, as_written[tag], "0 or 1")
    return pd.concat([values.astype(np.uint8), table["mp3_path"]], axis=1)


def read_clip_info(path: str | Path) -> pd.DataFrame:
    """Read a table of clips: clip_id and CLIP_INFO_COLUMNS.

    Shape: a frame (n_rows, 9), index clip_id; segmentStart and segmentEnd are whole
    seconds in the track; mp3_path is empty for a row that has no audio.
    Raises: ValueError as `read`.
    Source: clip_info_final.csv, Law et al. 2009.
    """
    return _read_table(path, ("clip_id", *CLIP_INFO_COLUMNS))


def _read_table(path, must_have) -> pd.DataFrame:
    names = dict.fromkeys(("title", "artist", "album"), str)
    try:
        table = pd.read_csv(path, sep="\t", keep_default_na=False, dtype=names)
    except (ValueError, EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise ValueError(
            f"{path} is not a table with TAB between its fields ({error}); "
            "get the file again or check its separator"
        ) from None
    # pandas writes its index as a column without a name, or called index.
    table = table.loc[:, ~table.columns.str.fullmatch(r"Unnamed: [\d.]+|index")]
    missing = [name for name in must_have if name not in table.columns]
    if missing:
        raise ValueError(
            f"{path}, line 1: no column {missing[0]!r} among {len(table.columns)}; the "
            "separator must be a TAB and the names MagnaTagATune's"
        )
    for name in table.columns:  # pandas renames a second "piano" to "piano.1"
        if name.endswith(".1") and name[:-2] in table.columns:
            raise ValueError(
                f"{path}, line 1: column {name[:-2]!r} occurs twice; keep one"
            )
    if table.empty:
        raise ValueError(f"{path} holds no clips; needed is a line per clip")
    for name in ("clip_id", "segmentStart", "segmentEnd"):
        if name in must_have and table[name].dtype.kind not in "iu":
            numbers = pd.to_numeric(table[name], errors="coerce")
            is_bad = numbers % 1 != 0  # nan counts, too
            _check_rows(path, is_bad, table[name], "a whole number")
    ids, paths = table["clip_id"], table["mp3_path"].astype(str)
    _check_rows(path, ids.duplicated(), ids, "one line per clip")
    leaves = paths.str.contains(r"^[/\\]|^[A-Za-z]:|\\|(?:^|/)\.\.(?:/|$)")
    _check_rows(path, leaves, paths, "a path in the corpus folder, 'a/song-0-29.mp3'")
    return table.set_index("clip_id")


def _check_rows(path, is_bad: pd.Series, column: pd.Series, needed: str):
    """Raise ValueError that names the first bad row of a column, if there is one."""
    if is_bad.any():
        row = is_bad.to_numpy().argmax()
        raise ValueError(
            f"{path}, line {row + 2}: {column.name!r} is {str(column.iloc[row])!r}, "
            f"needed is {needed}; mend that line"
        )
