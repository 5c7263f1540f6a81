"""Tables of labels as people and their spreadsheets write them."""

import pandas as pd
import pytest

from tagkit.data import corpus, labels

FILES = ("one.mp3", "b/two.wav", "c/thr\u00e9e.flac")
WANTED = {"rock": [1, 0, 1], "slow": [1, 1, 0]}


@pytest.fixture
def music(tmp_path):
    """A folder with three files; what they hold does not matter here."""
    folder = tmp_path / "music"
    for name in FILES:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    return folder


def lists(separator, between, paths=FILES):
    quote = '"' if separator == between else ""
    tags = (f"rock{between}slow", "slow", "rock")
    rows = [f"file{separator}tags"]
    rows += [
        f"{p}{separator}{quote}{t}{quote}" for p, t in zip(paths, tags, strict=True)
    ]
    return rows


def ones(separator, paths=FILES):
    head = separator.join(("file", "rock", "slow"))
    return [
        head,
        *(
            separator.join((p, *b))
            for p, b in zip(paths, ("11", "01", "10"), strict=True)
        ),
    ]


DIALECTS = {
    "comma, semicolon": lambda m: "\n".join(lists(",", ";")).encode(),
    "TAB, bar": lambda m: "\n".join(lists("\t", "|")).encode(),
    "semicolon, quoted": lambda m: "\r\n".join(lists(";", ";")).encode(),
    "semicolon, BOM, CRLF": lambda m: "\r\n".join(lists(";", "|")).encode("utf-8-sig"),
    "columns of 0 and 1": lambda m: "\n".join(ones(",")).encode(),
    "columns, Windows": lambda m: "\r\n".join(
        ones(";", [p.replace("/", "\\") for p in FILES])
    ).encode("cp1252"),
    "absolute paths": lambda m: "\n".join(
        lists(",", "|", [str(m / p) for p in FILES])
    ).encode(),
    "paths of another machine, UTF-16": lambda m: "\r\n".join(
        ones("\t", ["C:\\Music\\" + p.replace("/", "\\") for p in FILES])
    ).encode("utf-16"),
}


@pytest.mark.parametrize("dialect", DIALECTS)
def test_every_dialect_gives_the_same_labels(music, dialect):
    path = music / "labels.csv"
    path.write_bytes(DIALECTS[dialect](music))
    table, clips, folder, remarks = labels.read(path)
    assert remarks == [] and folder == music.resolve()
    assert {tag: list(table[tag]) for tag in table} == WANTED
    assert list(clips["mp3_path"]) == list(FILES)
    assert list(clips["artist"]) == ["one.mp3", "b", "c"]
    assert (table.index == clips.index).all() and table.dtypes.eq("uint8").all()


BROKEN = {  # a row that is not right, what its remark must hold, tags of one.mp3
    "a missing file": ("gone.mp3,rock", ("row 3", "gone.mp3"), ["slow"]),
    "quotes in a tag": ("b/two.wav,'rock'", ("row 3", "'rock'"), ["slow"]),
    "curly quotes": ("b/two.wav,\u201crock\u201d", ("row 3", "rock"), ["slow"]),
    "an empty line": ("", ("row 3", "empty"), ["slow"]),
    "only separators": (",", ("row 3", "empty"), ["slow"]),
    "a duplicate": ("one.mp3,rock", ("row 3", "row 2"), ["slow", "rock"]),
    "no file": (",rock", ("row 3", "no file"), ["slow"]),
    "a folder": ("b,rock", ("row 3", "'b'"), ["slow"]),
}


@pytest.mark.parametrize("fault", BROKEN)
def test_a_broken_row_is_named_and_the_rest_is_read(music, fault):
    row, words, tags = BROKEN[fault]
    path = music / "labels.csv"
    path.write_text(
        f"file,tags\none.mp3,slow\n{row}\nc/thr\u00e9e.flac,rock\n", "utf-8"
    )
    table, clips, _, remarks = labels.read(path)
    assert len(remarks) == 1 and all(word in remarks[0] for word in words), remarks
    first = clips.index[clips["mp3_path"] == "one.mp3"]
    assert table.columns[table.loc[first].any()].tolist() == tags
    assert "c/thr\u00e9e.flac" in set(clips["mp3_path"])


def test_columns_of_text_and_cells_that_are_no_bits(music):
    path = music / "labels.csv"
    path.write_text(
        "file,rock,comment,slow,mood\none.mp3,1,nice,0,\nb/two.wav,yes,,1,\n"
        "c/thr\u00e9e.flac,0.0,well,1.0,\n",
        "utf-8",
    )
    table, clips, _, remarks = labels.read(path)
    assert list(clips["mp3_path"]) == ["one.mp3", "c/thr\u00e9e.flac"]
    assert table.to_numpy().tolist() == [[1, 0], [0, 1]]
    assert len(remarks) == 2
    for word in ("'comment'", "row 3", "'yes'"):
        assert any(word in remark for remark in remarks), word


SPREADSHEETS = {  # what programs write; all say one.mp3: rock and slow, two.wav: slow
    "index of pandas": ",file,rock,slow\n0,one.mp3,1,1\n1,b/two.wav,0,1\n",
    "index of R, NA": '"","file","artist","rock","slow"\n"1","one.mp3",NA,1,1\n'
    '"2","b/two.wav",NA,0,1\n',
    "a count beside": "file,tags,bpm\none.mp3,rock;slow,120\nb/two.wav,slow,1\n",
    "bits of pandas": "file,rock,slow\none.mp3,True,True\nb/two.wav,False,True\n",
    "decimal commas": "file;rock;slow\none.mp3;1,0;1,0\nb/two.wav;0,0;1,0\n",
    "blank for 0": "file,rock,slow\none.mp3,1,1\nb/two.wav,,1\n",
    "commas in a cell": 'file,tags\none.mp3,"rock, slow"\nb/two.wav,slow\n',
    "lines in a cell": 'file,tags\none.mp3,"rock\nslow"\nb/two.wav,slow\n',
    "padded by Excel": "file,tags,,\none.mp3,rock,slow,\nb/two.wav,slow,,\n",
    "sep= and comments": "sep=;\n# mine\nFile Name;Tags\none.mp3;rock|slow\n"
    "b/two.wav;slow\n",
    "two columns of tags": "file,genre,tags\none.mp3,rock,slow\nb/two.wav,,slow\n",
    "file and path": "path,file,tags\nx,one.mp3,rock|slow\ny,b/two.wav,slow\n",
    "a list of Python": "file\ttags\none.mp3\t[rock; slow]\nb/two.wav\tslow\n",
}


@pytest.mark.parametrize("kind", SPREADSHEETS)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16-le", "utf-16-be"])
def test_what_programs_write(music, kind, encoding):
    path = music / "labels.csv"
    path.write_bytes(SPREADSHEETS[kind].encode(encoding))
    table, clips, _, remarks = labels.read(path)
    assert {tag: list(table[tag]) for tag in table} == {"rock": [1, 0], "slow": [1, 1]}
    assert list(clips["artist"]) == ["one.mp3", "b"] and not remarks
    assert labels.find(music) == path


def test_one_bad_row_does_not_end_the_others(music):
    path = music / "labels.csv"
    rows = (
        "~nobody/one.mp3,rock",
        "x" * 300 + ",rock",
        'b/two.wav,"rock',
        "one.mp3,slow",
    )
    path.write_text(
        "file,tags\n" + "\n".join(rows) + "\nc/thr\u00e9e.flac,rock\n", "utf-8"
    )
    table, clips, _, remarks = labels.read(path)
    assert list(clips["mp3_path"]) == ["b/two.wav", "one.mp3", "c/thr\u00e9e.flac"]
    assert {tag: list(table[tag]) for tag in table} == {
        "rock": [1, 0, 1],
        "slow": [0, 1, 0],
    }
    said = " ".join(remarks)
    assert all(f"row {n}" in said for n in (2, 3, 4)) and "not closed" in said


def test_a_name_is_not_taken_for_a_file_of_another_folder(music):
    path = music / "labels.csv"
    path.write_text("file,tags\nalbum a/one.mp3,rock\none.mp3,slow\n")
    table, _, _, remarks = labels.read(path)
    assert list(table) == ["slow"] and "row 2" in remarks[0]


def test_scores_are_no_labels(music):
    (music / "tags.csv").write_text("file,rock,slow,fast\none.mp3,0.83,0.0,0.2\n")
    (music / "list.csv").write_text("Path,Title,Length\none.mp3,One,200\n")
    (music / "folder.csv").mkdir()
    assert labels.find(music) is None
    assert corpus.open(music).annotations.shape == (3, 0)


def test_many_missing_files_make_a_short_message(music):
    path = music / "labels.csv"
    rows = [f"gone {i}.mp3,rock" for i in range(1000)]
    path.write_text("\n".join(["file,tags", *rows]))
    with pytest.raises(ValueError, match="980 more") as error:
        labels.read(path)
    assert len(str(error.value)) < 5000
    path.write_text("file,tags\n")
    with pytest.raises(ValueError, match="no rows"):
        labels.read(path)


def test_more_fields_than_columns_are_tags_or_named(music):
    path = music / "labels.csv"
    path.write_text("file;tags\none.mp3;rock;slow\n")
    table, *_, remarks = labels.read(path)
    assert list(table) == ["rock", "slow"] and not remarks
    path.write_text("file,rock\none.mp3,1\nb/two.wav,1,0\n")
    table, *_, remarks = labels.read(path)
    assert len(table) == 1 and "row 3" in remarks[0]


def test_artists_and_files_outside_the_folder(music, tmp_path):
    elsewhere = tmp_path / "else" / "four.mp3"
    elsewhere.parent.mkdir()
    elsewhere.touch()
    path = music / "labels.csv"
    path.write_text(f"Artist,File,Tags\nAnn,one.mp3,rock\nBo,{elsewhere},slow\n")
    table, clips, folder, _ = labels.read(path)
    assert folder == tmp_path.resolve()
    assert list(clips["mp3_path"]) == ["music/one.mp3", "else/four.mp3"]
    assert list(clips["artist"]) == ["Ann", "Bo"]
    path.write_text("file,tags\none.mp3,rock\n")
    moved = path.rename(tmp_path / "labels.csv")
    assert labels.read(moved, music)[1]["mp3_path"].tolist() == ["one.mp3"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "file"),
        ("song,mood\na,b\n", "'file'"),
        ("file,artist\none.mp3,Ann\n", "'tags'"),
        ("file,tags\ngone.mp3,rock\n", "gone.mp3"),
        ("file,comment\none.mp3,nice\n", "0 and 1"),
    ],
)
def test_what_is_no_table_of_labels_is_refused(music, text, words):
    path = music / "labels.csv"
    path.write_text(text)
    with pytest.raises(ValueError, match=words):
        labels.read(path)


def test_the_one_table_of_a_folder_is_found(music):
    assert labels.find(music) is None
    (music / "playlist.csv").write_text("name,length\na,3\n")
    assert labels.find(music) is None
    (music / "mine.tsv").write_text("file\ttags\none.mp3\trock\n")
    assert labels.find(music).name == "mine.tsv"
    (music / "old.csv").write_text("file,tags\none.mp3,rock\n")
    with pytest.raises(ValueError, match="old.csv"):
        labels.find(music)
    (music / "tags.csv").write_text("file,tags\none.mp3,rock\n")
    assert labels.find(music).name == "tags.csv"
    assert isinstance(labels.read(labels.find(music))[0], pd.DataFrame)


def test_a_corpus_opens_from_the_table_or_its_folder(music, tmp_path):
    path = music / "labels.csv"
    path.write_bytes(DIALECTS["comma, semicolon"](music))
    for opened in (corpus.open(path), corpus.open(music)):
        assert opened.labels("all").sum().to_dict() == {"rock": 2, "slow": 2}
        assert opened.path(2) == music / "b/two.wav"
    away = path.rename(tmp_path / "mine.csv")
    assert len(corpus.open(away, folder=music).clips) == 3
    path.write_text("file,tags\none.mp3,rock\ngone.mp3,slow\n")
    with pytest.warns(UserWarning, match="row 3.*gone.mp3"):
        assert len(corpus.open(music).clips) == 1
