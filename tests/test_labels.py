"""Tables of labels as people and their spreadsheets write them."""

import re

import mutagen
import pandas as pd
import pytest
from mutagen import id3

from conftest import tone
from tagkit import cli
from tagkit.data import audio, corpus, labels

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
        "file,rock,comment,slow,mood\none.mp3,1,nice,0,\nb/two.wav,maybe,,1,\n"
        "c/thr\u00e9e.flac,0.0,well,1.0,\n",
        "utf-8",
    )
    table, clips, _, remarks = labels.read(path)
    assert list(clips["mp3_path"]) == ["one.mp3", "c/thr\u00e9e.flac"]
    assert table.to_numpy().tolist() == [[1, 0], [0, 1]]
    assert len(remarks) == 2
    for word in ("'comment'", "row 3", "'maybe'"):
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
    "rows that R numbers": "file\ttags\n1\tone.mp3\trock|slow\n2\tb/two.wav\tslow\n",
    "ticks": "file,rock,slow\none.mp3,x,x\nb/two.wav,,x\n",
    "yes and no": "file,rock,slow\none.mp3,yes,Yes\nb/two.wav,no,yes\n",
    "spaces before quotes": 'file, tags\none.mp3, "rock, slow"\nb/two.wav, "slow"\n',
    "a printed list": "file\ttags\none.mp3\t['rock', 'slow']\nb/two.wav\t['slow']\n",
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


def test_names_may_begin_where_tag_was_called(music, tmp_path):
    path = tmp_path / "scores.csv"
    heads = "music/", "./music/", f"{tmp_path.name}/music/"
    names = [head + file for head, file in zip(heads, FILES, strict=True)]
    path.write_text("\n".join(["file,tags", *(f"{name},rock" for name in names)]))
    _, clips, _, remarks = labels.read(path, music)
    assert tuple(clips["mp3_path"]) == FILES and not remarks
    path.write_text("file,tags\nother/one.mp3,rock\nmusic/b/two.wav,rock")
    _, clips, _, remarks = labels.read(path, music)
    assert len(clips) == 1 and "'other/one.mp3'" in remarks[0]


def test_the_folder_of_the_music_is_a_folder(music):
    path = music / "labels.csv"
    path.write_text("file,tags\none.mp3,rock")
    for folder, words in ((music / "no", "is not there"), (path, "is a file")):
        with pytest.raises(ValueError, match=f"{words}; needed is the folder"):
            corpus.open(path, folder=folder)


def test_a_picture_is_no_sound(music):
    path = music / "labels.csv"
    (music / "cover.JPG").touch()
    path.write_text("file,tags\ncover.JPG,rock\none.mp3,rock")
    _, clips, _, remarks = labels.read(path)
    assert len(clips) == 1 and "'cover.JPG' is a picture, no sound" in remarks[0]


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
    with pytest.raises(
        ValueError, match="997 more rows name a file that is not"
    ) as error:
        labels.read(path)
    assert len(str(error.value)) < 5000
    path.write_text("\n".join(["file,tags", "one.mp3,rock", *rows]))
    with pytest.warns(UserWarning, match="997 more rows"):
        opened = corpus.open(path)
    with pytest.raises(ValueError, match="of 1001 rows in .*, 1000 name a file that"):
        opened.split("all")
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


def test_spellings_of_a_tag_are_one(music):
    path = music / "labels.csv"
    rows = ("one.mp3,Rock;new  wave", "b/two.wav,rock;New wave", "c/thr\u00e9e.flac,x")
    path.write_text("\n".join(["file,tags", *rows]), "utf-8")
    table, *_, remarks = labels.read(path)
    assert table.to_dict("list") == {
        "Rock": [1, 1, 0],
        "new  wave": [1, 1, 0],
        "x": [0, 0, 1],
    }
    assert remarks == [
        "the tag 'rock' is read as 'Rock'",
        "the tag 'New wave' is read as 'new  wave'",
    ]
    path.write_text("file,Rock,rock\none.mp3,1,0\nb/two.wav,0,1\nc/thr\u00e9e.flac,0,0")
    table, *_, remarks = labels.read(path)
    assert table.to_dict("list") == {"Rock": [1, 1, 0]} and len(remarks) == 1


@pytest.mark.parametrize("name", ["TWO.wav", "B\\two.WAV", "two", "D:\\x\\two.wav"])
def test_a_file_is_found_by_its_name_if_there_is_one(music, name):
    path = music / "labels.csv"
    path.write_text(f"file,tags\none.mp3,rock\n{name},slow\n")
    _, clips, _, remarks = labels.read(path)
    assert list(clips["mp3_path"]) == ["one.mp3", "b/two.wav"]
    assert len(remarks) == 1 and "row 3" in remarks[0] and "b/two.wav" in remarks[0]
    (music / "c/two.wav").touch()
    _, clips, _, remarks = labels.read(path)
    if name.startswith("B"):
        assert len(clips) == 2
    else:
        assert len(clips) == 1 and "'b/two.wav' or 'c/two.wav'" in remarks[0]


def test_the_own_format_of_a_spreadsheet_is_named(music):
    for data in (b"PK\3\4", b"\xd0\xcf\x11\xe0"):
        (music / "labels.xlsx").write_bytes(data + bytes(100))
        with pytest.raises(ValueError, match="save it there as CSV"):
            corpus.open(music / "labels.xlsx")


def artists_of(music, *names):
    """Open a table of these files of no known artist; give its artists and remarks."""
    for name in names:
        (music / name).parent.mkdir(parents=True, exist_ok=True)
        (music / name).touch()
    (music / "labels.csv").write_text(
        "\n".join(["file,tags", *(f"{name},rock" for name in names)])
    )
    _, clips, _, remarks = labels.read(music / "labels.csv")
    return list(clips["artist"]), remarks


def test_folders_stand_for_artists_where_there_are_enough(tmp_path):
    """Else each file does, with a remark: two folders make no three parts."""
    below = [f"music/{name}/{i}.mp3" for name in ("Ann", "Bo", "Cy") for i in (1, 2)]
    artists = ["Ann", "Ann", "Bo", "Bo", "Cy", "Cy"]
    assert artists_of(tmp_path, *below) == (artists, [])
    found, remarks = artists_of(tmp_path, *below[:4])
    assert found == ["Ann/1.mp3", "Ann/2.mp3", "Bo/1.mp3", "Bo/2.mp3"]
    assert len(remarks) == 1 and "no artist is known" in remarks[0]
    assert artists_of(tmp_path, *below[:2]) == (["1.mp3", "2.mp3"], [])


OWN_TAGS = {  # genre and artist, as a file names them itself
    "a/one.mp3": (["(17)"], ["Ann"]),
    "a/x/two.flac": (["Hip-Hop", "Jazz"], ["Bo"]),
    "b/x/three.wav": (["rock; Blues"], ["Cy"]),
    "b/x/four.ogg": ([], []),
    "five.mp3": (["Blues"], []),
}


@pytest.fixture
def tagged(tmp_path):
    """Five files of a second each in folders, with tags in three formats."""
    for name, (genres, artists) in OWN_TAGS.items():
        path = tmp_path / "tagged" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        audio.write(path, tone(440, 1))
        file = mutagen.File(path, easy=path.suffix != ".mp3")
        if file.tags is None:
            file.add_tags()
        if path.suffix in (".mp3", ".wav"):
            file.tags.add(id3.TCON(text=genres))
            file.tags.add(id3.TPE1(text=artists))
        else:
            file["genre"], file["artist"] = genres, artists
        file.save()
    return tmp_path / "tagged"


def opened(folder, labels):
    """Open a folder; give its tags per file, its artists, and what it warns of."""
    with pytest.warns(UserWarning) as warned:
        music = corpus.open(folder, labels=labels)
    (said,) = (str(one.message) for one in warned)
    table = music.labels("all")
    tags = [list(table.columns[row == 1]) for row in table.to_numpy()]
    paths = music.clips["mp3_path"]
    return dict(zip(paths, tags, strict=True)), list(music.clips["artist"]), said


def test_labels_from_genres(tagged):
    tags, artists, said = opened(tagged, "genre")
    assert tags == {
        "a/one.mp3": ["Rock"],
        "a/x/two.flac": ["Hip-Hop", "Jazz"],
        "b/x/three.wav": ["Rock", "Blues"],
        "five.mp3": ["Blues"],
    }
    assert artists == ["Ann", "Bo", "Cy", "five.mp3"]
    assert (
        "1 of 5" in said and "four.ogg" in said and "'rock' is read as 'Rock'" in said
    )


def test_labels_from_folders(tagged):
    (tagged / "labels.csv").write_text("file,tags\nfive.mp3,slow\n")  # not asked for
    tags, artists, said = opened(tagged, "folders")
    assert tags == {
        "a/one.mp3": ["a"],
        "a/x/two.flac": ["a"],
        "b/x/four.ogg": ["b"],
        "b/x/three.wav": ["b"],
    }
    assert artists == ["Ann", "Bo", "x", "Cy"]
    assert "1 of 5" in said and "five.mp3" in said


def test_labels_that_are_not_there_are_refused(music):
    (music / "labels.csv").write_bytes(DIALECTS["TAB, bar"](music))
    for name in ("mini", music / "labels.csv"):
        with pytest.raises(ValueError, match="has its own"):
            corpus.open(name, labels="folders")
    with pytest.raises(ValueError, match="3 of 3 sound files name no genre"):
        corpus.open(music, labels="genre")  # empty files
    with pytest.raises(ValueError, match="'folders' or 'genre'"):
        corpus.open(music, labels="artist")
    with pytest.raises(ValueError, match="1 of 1 sound files lie in no folder"):
        labels.of_files(music, [music / "one.mp3"], "folders")


def test_a_training_says_what_it_cannot_learn_or_score(tmp_path, monkeypatch, capsys):
    """Twelve clips by three artists: "never" on none, "once" on one of training."""
    monkeypatch.setattr(corpus, "DATA", tmp_path / "data")
    root = tmp_path / "music"
    root.mkdir()
    rows = ["file,artist,Even,all,never,once"]
    for i, artist in enumerate("A" * 6 + "B" * 4 + "C" * 2):
        audio.write(root / f"{i}.wav", tone(300 + 1000 * (i % 2), 2 if i < 3 else 30))
        rows.append(f"{i}.wav,{artist},{i % 2},1,0,{int(i == 0)}")
    (root / "labels.csv").write_text("\n".join(rows))
    run = str(tmp_path / "run")
    train = ["train", str(root), "DielemanRaw", "epochs=1", "width=0.5", "--run", run]
    assert cli.main([*train, "--per-tag"]) == 0
    out = capsys.readouterr().out
    assert "not learnt, since no clip of the train part has it: never" in out
    assert "not learnt, since every clip of the train part has it: all" in out
    assert "not scored, since no clip of the valid part has it: once, never" in out
    assert "3 of 12 clips are shorter than a window of 2.91 s" in out
    assert "not scored, since every clip of the test part has it: all" in out
    assert re.search(r"^Even +1  \d\.\d{3} \[", out, re.MULTILINE)
    assert "clips of one artist" in out and "nan" not in out

    best = f"{run}/best.safetensors"
    evaluate = ["evaluate", best, "--corpus", str(root)]
    assert cli.main(evaluate) == 0
    assert "\nEven" not in capsys.readouterr().out
    assert cli.main([*evaluate, "--part", "train", "--per-tag"]) == 0
    assert "\nonce" in capsys.readouterr().out

    assert cli.main([*train[:-2], "--tags", "all,never"]) == 0
    out = capsys.readouterr().out
    assert "no ROC-AUC (no tag is on some validation clips" in out
    assert "no score: needed is a tag that" in out and "nan" not in out
    assert cli.main(["prepare", str(root)]) == 0
    assert "3 of 12 clips are shorter than 29.12 s, the shortest 2.00 s" in (
        capsys.readouterr().out
    )
