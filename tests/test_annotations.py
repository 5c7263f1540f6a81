"""The two tables: read as written, refused with file, line and value where not."""

import gzip

import numpy as np
import pytest

from conftest import write_tables
from tagkit.data import annotations

HEADER = ["clip_id", "piano", "no piano", "mp3_path"]
ROWS = [["2", "1", "0", "0/a-0-29.mp3"], ["6", "0", "1", "f/b..c-29-58.mp3"]]


def write(path, rows, header=HEADER, separator="\t", end="\r\n"):
    lines = [separator.join(f'"{v}"' for v in row) for row in [header, *rows]]
    path.write_text("".join(line + end for line in lines), newline="")
    return path


@pytest.fixture
def table(tmp_path):
    return tmp_path / "annotations_final.csv"


@pytest.mark.parametrize("names", [[""], ["Unnamed: 0"], ["", "Unnamed: 0"], ["index"]])
@pytest.mark.parametrize("first", [0, 7])
def test_the_index_that_pandas_writes_is_passed_over(table, names, first):
    rows = [[str(first + n)] * len(names) + row for n, row in enumerate(ROWS)]
    frame = annotations.read(write(table, rows, [*names, *HEADER]))
    assert list(frame.columns) == HEADER[1:] and frame.index.tolist() == [2, 6]


def test_reads_the_format(table):
    frame = annotations.read(write(table, ROWS))
    assert list(frame.columns) == HEADER[1:]
    assert frame.index.tolist() == [2, 6] and frame.index.name == "clip_id"
    assert frame["piano"].tolist() == [1, 0]
    assert (frame.dtypes.iloc[:-1] == np.uint8).all()
    assert frame["mp3_path"].tolist() == ["0/a-0-29.mp3", "f/b..c-29-58.mp3"]


def packed(table):
    """Pack a table beside itself."""
    path = table.with_suffix(".csv.gz")
    path.write_bytes(gzip.compress(table.read_bytes()))
    return path


def test_reads_it_packed(table):
    write(table, ROWS)
    assert annotations.read(packed(table)).equals(annotations.read(table))


@pytest.mark.parametrize("names", [["nan", "NA"], ["5.1", "piano"]])
def test_tags_named_like_a_gap_or_a_double_are_tags(table, names):
    frame = annotations.read(write(table, ROWS, ["clip_id", *names, "mp3_path"]))
    assert list(frame.columns) == [*names, "mp3_path"]


@pytest.mark.parametrize("value", ["2", "-1", "x", "", "1.0", "0.5", "nan", "True"])
def test_other_values_are_named_with_line_and_tag(table, value):
    write(table, [ROWS[0], ["6", "0", value, "f/b.mp3"]])
    for path in (table, packed(table)):
        with pytest.raises(ValueError) as caught:
            annotations.read(path)
        for part in (str(path), "line 3", "'no piano'", repr(value), "0 or 1"):
            assert part in str(caught.value)


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ([*ROWS, ROWS[0]], ["line 4", "'clip_id' is '2'", "one line per clip"]),
        ([ROWS[0], ["x", "0", "1", "f/b.mp3"]], ["line 3", "'x'", "whole number"]),
        ([ROWS[0], ["", "0", "1", "f/b.mp3"]], ["line 3", "''", "whole number"]),
        ([ROWS[0], ["1.5", "0", "1", "f/b.mp3"]], ["line 3", "1.5", "whole number"]),
        ([ROWS[0], ["6", "0", "1"]], ["line 3", "'mp3_path' is ''"]),
        ([ROWS[0], ["6", "0"]], ["line 3", "'mp3_path' is ''"]),
        ([ROWS[0], ["6", "0", "1", "f/b.mp3", "1"]], ["line 3", "5", "4"]),
        ([[*row, "1"] for row in ROWS], ["line 2", "'0/a-0-29.mp3'", "0 or 1"]),
        ([], ["no clips"]),
    ],
)
def test_broken_rows_are_named(table, rows, words):
    with pytest.raises(ValueError) as caught:
        annotations.read(write(table, rows))
    assert all(word in str(caught.value) for word in [str(table), *words])


@pytest.mark.parametrize(
    "path",
    ["../a.mp3", "0/../../a.mp3", "/etc/a.mp3", "C:/a.mp3", "0\\a.mp3", "0/.."],
)
def test_path_that_leaves_the_folder_is_refused(table, path):
    with pytest.raises(ValueError, match="line 3: 'mp3_path' .* in the corpus folder"):
        annotations.read(write(table, [ROWS[0], ["6", "0", "1", path]]))


@pytest.mark.parametrize("separator", [",", ";", " "])
def test_other_separators_are_named(table, separator):
    with pytest.raises(ValueError, match=r"separator.*TAB"):
        annotations.read(write(table, ROWS, separator=separator))


@pytest.mark.parametrize(
    ("header", "word"),
    [
        (["id", "piano", "no piano", "mp3_path"], "'clip_id'"),
        (["clip_id", "piano", "no piano", "path"], "'mp3_path'"),
        (["clip_id", "mp3_path", "piano", "no piano"], "last column"),
        (["clip_id", "piano", "piano", "mp3_path"], "'piano' occurs twice"),
    ],
)
def test_other_columns_are_named(table, header, word):
    with pytest.raises(ValueError, match=f"line 1: .*{word}"):
        annotations.read(write(table, ROWS, header))


CUT_SHORT = gzip.compress(b"clip_id\tpiano\tmp3_path\n" * 9)[:40]


@pytest.mark.parametrize("name", ["a.csv", "a.csv.gz"])
@pytest.mark.parametrize(
    "data", [b"", b"\xff\xfe\0\1\xff\0", b'"clip_id"\t"a\r\n', CUT_SHORT], ids=str
)
def test_what_is_no_table_is_refused(tmp_path, name, data):
    (tmp_path / name).write_bytes(data)
    with pytest.raises(ValueError, match=name):
        annotations.read(tmp_path / name)


def test_clip_info_reads_and_is_strict(tmp_path):
    write_tables(tmp_path, ["0/a.mp3", "1/b.mp3"], {"x": [0, 1]})
    path = tmp_path / "clip_info_final.csv"
    info = annotations.read_clip_info(path)
    assert list(info.columns) == list(annotations.CLIP_INFO_COLUMNS)
    assert info["segmentEnd"].tolist() == [29, 29]
    text = path.read_text()
    path.write_text(text.replace('"artist"', '"singer"'))
    with pytest.raises(ValueError, match="no column 'artist'"):
        annotations.read_clip_info(path)
    path.write_text(text.replace('"29"', '"late"', 1))
    with pytest.raises(ValueError, match=r"line 2.*segmentEnd.*'late'"):
        annotations.read_clip_info(path)
