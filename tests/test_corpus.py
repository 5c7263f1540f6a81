"""A corpus: two tables that fit together, splits, floors, and what is refused."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from conftest import tone, write_tables
from tagkit.data import audio, corpus, store, tags

PATHS = [
    f"{f}/band-album-01-song-{29 * i}-{29 * i + 29}.mp3" for f in "0ce" for i in (0, 1)
]
LABELS = {"rock": [1, 1, 1, 0, 1, 0], "slow": [0, 1, 0, 0, 1, 0]}


@pytest.fixture
def root(tmp_path):
    write_tables(tmp_path / "mine", PATHS, LABELS, ["A", "A", "B", "B", "A", "C"])
    return tmp_path / "mine"


def test_opens_a_folder(root):
    mine = corpus.open(root)
    assert (mine.name, mine.root) == ("mine", root)
    assert mine.annotations.shape == (6, 2)
    assert mine.clips.index.equals(mine.annotations.index)
    assert mine.labels(["slow"])["slow"].tolist() == LABELS["slow"]
    assert mine.path(13) == root / PATHS[1]
    assert mine.truth is None
    assert repr(mine) == "Corpus('mine': 6 clips, 2 tags)"
    assert corpus.open(str(root)).name == "mine"
    with pytest.raises(ValueError, match=r"clip 11 .*10 \.\.\. 25"):
        mine.path(11)


def test_splits_full_and_clean(root):
    mine = corpus.open(root)
    full = mine.split("all")
    assert full.tolist() == ["train"] * 2 + ["valid"] * 2 + ["test"] * 2
    clean = mine.split("all", "clean")
    assert clean.index.tolist() == [10, 13, 16, 22]
    assert mine.split(["slow"], "clean").index.tolist() == [13, 22]
    with pytest.raises(ValueError, match=r"'dirty'.*'full', 'clean', 'artist'"):
        mine.split(version="dirty")


def test_describe_counts_by_hand(root):
    table = corpus.open(root).describe("all")
    assert table["clips"].tolist() == [2, 2, 2]
    assert table["tracks"].tolist() == [1, 1, 1]
    assert table["artists"].tolist() == [1, 1, 2]
    assert table["positive_rate"].tolist() == [0.75, 0.25, 0.5]
    assert table["nothing_right"].tolist() == [0.25, 0.75, 0.5]
    assert table["fewest_positives"].tolist() == [1, 0, 1]


def test_track_names_drop_the_seconds_only(root):
    names = corpus.track_names(corpus.open(root).clips)
    assert names.tolist()[:2] == ["0/band-album-01-song"] * 2
    assert names.nunique() == 3


@pytest.mark.parametrize("suffix", [".wav", ".MP3", ".flac", ".m4a"])
def test_tracks_are_known_whatever_the_suffix(mini, suffix):
    paths = mini.clips["mp3_path"].str.replace(".mp3", suffix, regex=False)
    clips = mini.clips.assign(mp3_path=paths)
    names = corpus.track_names(clips)
    assert names.equals(corpus.track_names(mini.clips)) and names.nunique() == 284
    assert corpus.draw_share(clips, 0.3).equals(corpus.draw_share(mini.clips, 0.3))
    whole = ["b/Mr. Blue.mp3", "b/Mr. Blue.flac", "b/Mr. Brown.mp3", "b/1-2-3.ogg"]
    clips = clips.iloc[:4].assign(mp3_path=whole)
    names = corpus.track_names(clips).tolist()
    assert names == ["b/Mr. Blue", "b/Mr. Blue", "b/Mr. Brown", "b/1"]


def test_a_share_keeps_tracks_whole_and_lies_in_a_larger_one(mini):
    clips = mini.clips[mini.split() == "train"]
    names = corpus.track_names(clips)
    smaller = corpus.draw_share(clips, 1 / 360, seed=1)
    for share, n in ((0.125, 45), (0.25, 90), (0.5, 180), (1, 360)):
        drawn = corpus.draw_share(clips, share, seed=1)
        assert len(drawn) == n and drawn.is_unique and drawn.is_monotonic_increasing
        assert smaller.isin(drawn).all()
        left = clips.index.difference(drawn)
        assert len(set(names[drawn]) & set(names[left])) <= 1  # the last may be cut
        smaller = drawn
    assert set(corpus.draw_share(clips, 0.125)) != set(
        corpus.draw_share(clips, 0.125, seed=1)
    )
    shuffled = clips.sample(frac=1, random_state=0)  # the order of rows draws nothing
    again = corpus.draw_share(shuffled, 0.125)
    assert len(set(again) & set(corpus.draw_share(clips, 0.125))) >= 42


@pytest.mark.parametrize("share", [0, -0.5, 1.5, 1e-9, float("nan")])
def test_a_share_that_leaves_nothing_is_refused(mini, share):
    with pytest.raises(ValueError, match="above 0 and at most 1"):
        corpus.draw_share(mini.clips, share)


def test_clips_of_zero_bytes_are_left_out(tmp_path):
    empty = list(corpus.EMPTY_CLIPS.values())[0]
    write_tables(tmp_path, ["0/a-0-29.mp3", empty], {"guitar": [0, 1]})
    mine = corpus.open(tmp_path)
    assert len(mine.annotations) == 2 and len(mine.clips) == 1
    assert empty not in set(mine.clips["mp3_path"])
    assert len(mine.labels("all")) == len(mine.split("all")) == 1


def test_rows_may_stand_in_another_order_in_the_other_table(root):
    path = root / "clip_info_final.csv"
    head, *rows = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(head + b"".join(reversed(rows)))
    mine = corpus.open(root)
    assert mine.clips["mp3_path"].tolist() == PATHS
    assert mine.clips["artist"].tolist() == ["A", "A", "B", "B", "A", "C"]


def test_clip_without_information_is_named(root):
    path = root / "clip_info_final.csv"
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:-1]))
    with pytest.raises(ValueError, match="clip_info_final.csv .*clip 25 "):
        corpus.open(root)


def test_tables_that_name_different_files_are_refused(root):
    path = root / "clip_info_final.csv"
    path.write_text(path.read_text().replace("0/band", "1/band", 1))
    with pytest.raises(ValueError, match="clip 10 "):
        corpus.open(root)


@pytest.mark.parametrize("name", ["annotations_final.csv", "clip_info_final.csv"])
def test_missing_table_is_named(root, name):
    (root / name).unlink()
    with pytest.raises(ValueError, match=name):
        corpus.open(root)


@pytest.mark.parametrize("name", ["minni", "/no/such", "magnatagatune"])
def test_unknown_name_is_answered_with_what_is_needed(name, monkeypatch, tmp_path):
    monkeypatch.setattr(corpus, "DATA", tmp_path)
    with pytest.raises(
        ValueError, match=f"'{name}'; .*'mini', 'recorded', 'magnatagatune'"
    ):
        corpus.open(name)


def test_what_is_shipped_is_found_wherever_own_data_lies(tmp_path):
    """In a process of its own, as TAGKIT_DATA is read when tagkit is imported."""
    code = (
        "from tagkit.data import corpus\n"
        "from tagkit.evaluation import results\n"
        "from tagkit.training import checkpoints\n"
        "mini = corpus.open('mini')\n"
        "assert mini.key == 'mini' and len(mini.load(4)) and results.read_runs()\n"
        "assert len(results.paper_cards()) and 'mini/K2C2' in checkpoints.shipped()\n"
        "checkpoints.load('magnatagatune')\n"
        "print(corpus.DATA, corpus.home('magnatagatune').parent)\n"
    )
    environment = os.environ | {"TAGKIT_DATA": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True
    )
    assert done.stdout.split() == [str(tmp_path)] * 2, done.stderr


def test_mini_is_as_the_design_says(mini):
    assert len(mini.clips) == 480
    folder = mini.clips["mp3_path"].str[0]
    assert (folder.value_counts() == 30).all() and folder.nunique() == 16
    assert mini.split().value_counts().to_dict() == {
        "train": 360,
        "valid": 30,
        "test": 90,
    }
    assert (folder.groupby(corpus.track_names(mini.clips)).nunique() == 1).all()
    assert mini.truth.shape == mini.annotations.shape
    assert list(mini.truth.columns) == list(mini.annotations.columns)
    assert mini.truth.index.equals(mini.annotations.index)
    assert (mini.truth != mini.annotations).any(axis=None)
    assert not mini.annotations.any(axis=1).all()  # some clips have no tag
    assert all(mini.path(i).is_file() for i in mini.clips.index)
    assert mini.load(mini.clips.index[-1]).shape == (465_984,)


def test_artist_split_does_not_leak(mini):
    artists = mini.clips["artist"]
    assert tags.overlap(mini.split(), artists) > 0.5
    split = mini.split(version="artist")
    assert split.index.equals(mini.clips.index)
    assert tags.overlap(split, artists) == 0
    assert tags.overlap(split, corpus.track_names(mini.clips)) == 0
    table = mini.describe(version="artist")
    assert table["artists"].sum() == artists.nunique()
    assert table["clips"].sum() == 480


def test_own_folders_are_split_by_artist(tmp_path):
    paths = [f"rock/{a}/song-{i}.flac" for a in "xyz" for i in range(2)]
    write_tables(tmp_path, paths, {"loud": [1, 0] * 3}, list("XXYYZZ"))
    mine = corpus.open(tmp_path)
    split = mine.split("all")
    assert set(split) == {"train", "valid", "test"} and split.name == "artist"
    assert tags.overlap(split, mine.clips["artist"]) == 0
    clean = mine.split("all", "clean")
    assert clean.index.tolist() == [10, 16, 22] and clean.name == "clean artist"
    assert mine.split("all", clean.name).equals(clean)
    write_tables(tmp_path, paths, {"loud": [1, 0] * 3}, ["X"] * 6)
    with pytest.raises(ValueError, match="1 artists .*column artist"):
        corpus.open(tmp_path).split("all")


@pytest.mark.parametrize("kind", ["labels.csv", "two tables"])
def test_folders_of_letters_are_not_taken_for_magnatagatunes(tmp_path, kind):
    paths = [f"{f}/song-{i}-{i + 29}.mp3" for f in "abc" for i in range(4)]
    if kind == "two tables":  # whole songs: not start and end in their names
        paths = [path.replace("-", " ") for path in paths]
        write_tables(tmp_path, paths, {"loud": [1, 0] * 6}, list("aaaabbbbcccc"))
    for path in paths:
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).touch()
    if kind == "labels.csv":
        rows = "\n".join(f"{path},loud" for path in paths)
        (tmp_path / "labels.csv").write_text(f"file,tags\n{rows}")
    split = corpus.open(tmp_path).split("all")
    assert split.name == "artist" and set(split) == {"train", "valid", "test"}


def test_the_parts_of_an_own_corpus_do_not_follow_the_alphabet(tmp_path):
    """Files in order of their names often lie by kind."""
    paths = [f"{kind} {i:02}.mp3" for kind in ("jazz", "rock") for i in range(48)]
    for path in paths:
        (tmp_path / path).touch()
    rows = "\n".join(f"{path},{path[:4]}" for path in paths)
    (tmp_path / "labels.csv").write_text(f"file,tags\n{rows}")
    mine = corpus.open(tmp_path)
    split, labels = mine.split("all"), mine.labels("all")
    assert split.value_counts().to_dict() == {"train": 72, "test": 18, "valid": 6}
    for part in ("train", "valid", "test"):
        assert 0 < labels[split == part]["rock"].mean() < 1
    assert corpus.open(tmp_path).split("all").equals(split)


def test_folder_without_tables_is_a_corpus_without_tags(tmp_path):
    for name in ("Cy/Blue/two.wav", "Ann/one.flac", "top.OGG", "Ann/._one.flac"):
        path = tmp_path / "music" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")
    audio.write(tmp_path / "music/Ann/one.flac", tone(300, 40, 44_100, 2), 44_100)
    audio.write(tmp_path / "music/top.OGG", tone(300, 3))
    (tmp_path / "music/note.txt").write_text("not sound")
    (tmp_path / "music/Ann/song.m4a").write_bytes(b"\0\0\0\x20ftypM4A ")
    music = corpus.open(tmp_path / "music")
    assert repr(music) == "Corpus('music': 4 clips, 0 tags)"
    assert music.clips["mp3_path"].tolist() == [
        *("Ann/one.flac", "Ann/song.m4a", "Cy/Blue/two.wav", "top.OGG"),
    ]
    assert music.clips["title"].tolist() == ["one", "song", "two", "top"]
    assert music.clips["artist"].tolist() == ["Ann", "Ann", "Cy", "top.OGG"]
    assert music.clips["album"].tolist() == ["", "", "Blue", ""]
    assert list(music.clips.columns) == list(corpus.annotations.CLIP_INFO_COLUMNS)
    assert music.clips.index.tolist() == [1, 2, 3, 4]
    made = store.prepare(music, folder=tmp_path / "s")
    assert made.rows.index.tolist() == [1, 4]
    assert set(made.bad.index) == {2, 3}
    assert "m4a" in made.bad.at[2, "reason"] and "0 bytes" in made.bad.at[3, "reason"]
    assert 47_900 < made.lengths[4] < 48_100  # three seconds
    with pytest.raises(ValueError, match="music .*labels.csv"):
        music.labels()


def test_home_and_paths_are_understood(tmp_path, monkeypatch):
    audio.write(tmp_path / "a.wav", tone(300, 1))
    monkeypatch.setenv("HOME", str(tmp_path))
    assert len(corpus.open("~").clips) == 1 and len(audio.load("~/a.wav")) == 16_000
    assert corpus.open(Path("mini")).key == "mini"
    (tmp_path / "labels.csv").write_text("file,tags\na.wav,loud")
    assert len(corpus.open("~/labels.csv", folder="~").clips) == 1
    (tmp_path / "~").mkdir()  # a folder of that name comes first
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match="no sound"):
        corpus.open("~")
    code = "from tagkit.data import corpus; print(corpus.DATA)"
    environment = os.environ | {"TAGKIT_DATA": "~/data"}
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.stdout.strip() == str(tmp_path / "data"), done.stderr


def test_own_folders_of_one_name_are_kept_apart(tmp_path):
    for parent in ("a", "b"):
        write_tables(tmp_path / parent / "mini", PATHS, LABELS)
    a, b = (corpus.open(tmp_path / parent / "mini") for parent in ("a", "b"))
    assert a.key != b.key and a.name == "own mini"
    assert corpus.open("mini").key == "mini" != a.key


def test_an_empty_folder_and_an_unfinished_download_are_refused(tmp_path):
    with pytest.raises(ValueError, match="annotations_final.csv"):
        corpus.open(tmp_path)
    (tmp_path / "0").mkdir()
    audio.write(tmp_path / "0/a.wav", tone(300, 1))
    (tmp_path / "annotations_final.csv.part").write_bytes(b"clip_id")
    with pytest.raises(ValueError, match="annotations_final.csv"):
        corpus.open(tmp_path)


def test_artists_that_are_numbers_are_names(tmp_path):
    write_tables(tmp_path, PATHS, LABELS, [1975, 2, 2, 311, 311, 2])
    assert set(corpus.open(tmp_path).clips["artist"]) == {"1975", "2", "311"}
