"""Embeddings that are kept, and what sounds alike in folders of any music."""

import json
import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import joblib
import mutagen
import numpy as np
import pytest

from tagkit import cli
from tagkit.data import audio, corpus, metadata
from tagkit.evaluation import cache, neighbours, networks, predict, similar
from tagkit.training import checkpoints

NETWORK = "mini/DielemanRaw"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    joblib.memory._FUNCTION_HASHES.clear()  # other tests had another folder
    return tmp_path_factory.mktemp("data")


@pytest.fixture
def data(folder, monkeypatch):
    """A data folder, one for all tests: joblib looks at it once in a process."""
    monkeypatch.setattr(corpus, "DATA", folder)
    return folder


@pytest.fixture
def music(tmp_path):
    """Three sounds of four seconds."""
    rng = np.random.default_rng(0)
    paths = [tmp_path / "music" / f"{name}.wav" for name in "abc"]
    paths[0].parent.mkdir()
    for path in paths:
        noise = 0.1 * rng.standard_normal(4 * 16_000)
        audio.write(path, noise.cumsum().clip(-1, 1).astype(np.float32))
    return paths


def no_network():
    raise AssertionError("all of these files are known")


def load():
    return checkpoints.load(NETWORK)[0]


def test_a_piece_in_two_formats_is_listed_once():
    one = np.array([1, 0, 0, 0], np.float32)
    near = one + np.array([0, 0.1, 0, 0], np.float32)
    other = np.array([0, 0, 1, 0], np.float32)
    vectors = {"a/song.mp3": one, "b/song.m4a": near, "c/cover.mp3": near + 0.01}
    vectors |= {"c/x.ogg": other, "d/y.wma": other + 0.01, "d/song.ogg": -other}
    found = similar.nearest({Path(n): v for n, v in vectors.items()}, 9)
    names = [str(path) for path, _ in found]
    assert names[0] == "c/cover.mp3"
    assert set(names[1:]) == {"c/x.ogg", "d/y.wma", "d/song.ogg"}


def test_embeddings_are_computed_once(data, music):
    model, path = load(), networks.find(NETWORK)
    loaded = []
    embed = cache.embedder(path, lambda: loaded.append(1) or model)
    first = [embed(file) for file in music]
    wanted = predict.embeddings(model, music)
    np.testing.assert_array_equal(first, wanted)
    assert first[0].dtype == np.float32 and loaded == [1]
    known = cache.embedder(path, no_network)
    link = music[0].with_name("link.wav")
    link.symlink_to(music[0])
    np.testing.assert_array_equal([known(file) for file in music], wanted)
    np.testing.assert_array_equal(known(link), wanted[0])
    np.testing.assert_array_equal(known(os.path.relpath(music[0])), wanted[0])
    twin = shutil.copy(path, music[0].with_name("twin.safetensors"))
    np.testing.assert_array_equal(cache.embedder(twin, no_network)(music[0]), wanted[0])


def test_another_file_network_or_overlap_is_another_embedding(data, music):
    path = networks.find(NETWORK)
    embed = cache.embedder(path, load)
    first = embed(music[0])
    time = music[0].stat().st_mtime_ns
    for change in (
        lambda: shutil.copy(music[1], music[0]),
        lambda: os.utime(music[0], ns=(time, time + 1000)),
    ):
        change()
        with pytest.raises(AssertionError, match="known"):
            cache.embedder(path, no_network)(music[0])
    np.testing.assert_array_equal(embed(music[0]), embed(music[1]))
    assert not np.array_equal(embed(music[0]), first)
    with pytest.raises(AssertionError, match="known"):
        cache.embedder(path, no_network, overlap=0.5)(music[1])
    with pytest.raises(AssertionError, match="known"):
        cache.embedder(networks.find("mini/K2C2"), no_network)(music[1])


def test_tags_in_a_file_do_not_change_its_embedding(data, music):
    path, song = networks.find(NETWORK), music[0]
    first = cache.embedder(path, load)(song)
    metadata.write(song, ["slow"])
    with pytest.raises(AssertionError, match="known"):  # heard again, to be sure
        cache.embedder(path, no_network)(song)
    np.testing.assert_array_equal(cache.embedder(path, load)(song), first)


def test_what_cannot_be_read_is_not_kept(data, music):
    embed = cache.embedder(networks.find(NETWORK), load)
    for _ in range(2):
        with pytest.raises(audio.AudioError, match="gone.wav cannot be read"):
            embed(music[0].with_name("gone.wav"))
    music[1].write_bytes(b"no sound" * 99)
    with pytest.raises(audio.AudioError, match="not audio"):
        embed(music[1])
    shutil.copy(music[0], music[1])
    assert len(embed(music[1]))


@pytest.mark.filterwarnings("ignore:.*while loading results")
def test_a_damaged_entry_is_computed_again(data, music):
    path, before = networks.find(NETWORK), set(data.rglob("output.pkl"))
    first = cache.embedder(path, load)(music[0])
    (kept,) = set(data.rglob("output.pkl")) - before
    kept.write_bytes(kept.read_bytes()[:50])
    np.testing.assert_array_equal(cache.embedder(path, load)(music[0]), first)
    np.testing.assert_array_equal(cache.embedder(path, no_network)(music[0]), first)


def test_another_process_knows_them_without_pytorch(data, music):
    path = networks.find(NETWORK)
    embed = cache.embedder(path, load)
    with ThreadPoolExecutor(2) as threads:  # the same file at once
        first, again = threads.map(embed, [music[0]] * 2)
    np.testing.assert_array_equal(first, again)
    code = f"""
import sys
from pathlib import Path
from tagkit.evaluation import cache
print(cache.embedder(Path({str(path)!r}), exit)(sys.argv[1]).tolist())
assert "torch" not in sys.modules
"""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code, music[0]],
        env=os.environ | {"TAGKIT_DATA": str(data)},
        capture_output=True,
        text=True,
    )
    assert done.stderr == "" and json.loads(done.stdout) == first.tolist()


def test_the_song_and_its_copies_are_left_out():
    angles = np.radians([0, 30, 0, 10, 30, 200])
    table = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
    names = ["song", "second", "copy", "first", "second again", "far"]
    vectors = dict(zip(map(Path, names), table, strict=True))
    found = similar.nearest(vectors, 9)
    assert [str(path) for path, _ in found] == ["first", "second", "far"]
    near = neighbours.similarity(table)[0]
    assert [value for _, value in found] == pytest.approx(near[[3, 1, 5]])
    assert similar.nearest(vectors, 1) == found[:1]
    who = {"song": "ann", "first": "ann", "far": ""}
    found = similar.nearest(vectors, 2, artist=lambda p: who.get(str(p), "bob"))
    assert [str(path) for path, _ in found] == ["second", "far"]
    found = similar.nearest(vectors, 9, artist=lambda path: "")  # nobody is known
    assert len(found) == 3


def with_artist(path, artist):
    sound = np.random.default_rng(len(artist)).normal(0, 0.1, 20_000)
    path.parent.mkdir(parents=True, exist_ok=True)
    audio.write(path, sound.astype(np.float32))
    opened = mutagen.File(path)
    opened["artist"], opened["title"] = artist, "A\nsong "
    opened.save()
    return path


def test_artists_are_known_by_tags_else_by_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    artists = similar.Artists([Path("music")])
    assert artists(with_artist(tmp_path / "music" / "x" / "a.flac", "Ann")) == "ann"
    assert artists(Path("music/ANN/album/b.mp3")) == "ann"
    assert artists(Path("music/b.mp3")) == artists(Path("elsewhere/x/b.mp3")) == ""
    assert artists.n_by == {"tags": 1, "folder": 1, "": 2}


def test_a_playlist_opens_from_where_it_lies(tmp_path):
    """Names as VLC 3.0 was seen to open them."""
    names = ["a.flac", "#1.flac", "50% x?.flac", "100%25.flac", " c:d.flac"]
    files = [with_artist(tmp_path / "m" / name, "Ann") for name in names]
    files.append(tmp_path / "m" / "schön ☃.mp3")  # is not there; the list is written
    odd = [tmp_path / "new\nline.mp3", tmp_path / os.fsdecode(b"latin-\xe9.mp3")]
    path = tmp_path / "lists" / "like.m3u8"
    assert similar.write_playlist(path, files + odd) == odd
    head, *lines = path.read_bytes().decode("utf-8").splitlines()
    assert head == "#EXTM3U" and len(lines) == 12
    assert lines[::2] == [*["#EXTINF:1,Ann - A song"] * 5, "#EXTINF:-1,schön ☃"]
    assert lines[1::2] == [
        "../m/a.flac",
        "../m/%231.flac",
        "../m/50% x%3F.flac",
        "../m/100%2525.flac",
        "./../m/ c:d.flac",
        "../m/schön ☃.mp3",
    ]
    similar.write_playlist(tmp_path / "m" / "here.m3u8", files[:1])
    assert (tmp_path / "m" / "here.m3u8").read_text().endswith(" song\na.flac\n")


def ask(*words):
    return cli.main(["similar", "--network", NETWORK, *map(str, words)])


def test_similar_lists_what_is_near(data, music, tmp_path, capsys, monkeypatch):
    a, b, c = music
    folder = a.parent
    shutil.copy(a, folder / "a copy.wav")
    assert ask(a, folder, "-n", 5) == 0
    out = capsys.readouterr().out
    vectors = predict.embeddings(load(), music + [a])
    near = neighbours.similarity(vectors)[0]
    wanted = {f"{near[place]:5.2f}  {music[place]}" for place in (1, 2)}
    assert set(out.splitlines()) == wanted
    monkeypatch.setattr(checkpoints, "load", None)  # all of it is known by now
    playlist = tmp_path / "like.m3u8"
    assert ask(a, folder, "-n", 1, "--playlist", playlist) == 0
    nearest = capsys.readouterr().out.split()[1]
    names = playlist.read_text().splitlines()[2::2]
    assert names == ["music/a.wav", f"music/{Path(nearest).name}"]
    assert ask(a, b) == 0 and str(b) in capsys.readouterr().out


def test_similar_names_what_it_cannot_read(data, music, capsys):
    a, b, _ = music
    bad = a.with_name("broken.mp3")
    bad.write_bytes(b"no sound" * 99)
    assert ask(a, a.parent) == 1  # the others are listed still
    out, err = capsys.readouterr()
    assert len(out.splitlines()) == 2 and "broken.mp3 is not audio" in err
    assert ask(bad, a.parent) == 1
    out, err = capsys.readouterr()
    assert out == "" and "broken.mp3 is not audio" in err
    assert ask(a, a) == 1 and "no sound in" in capsys.readouterr().err
    assert ask(a, b, "--playlist", "like.txt") == 2
    assert "is no .m3u8" in capsys.readouterr().err


def test_similar_by_other_artists(data, tmp_path, capsys):
    folder = tmp_path / "music"
    song = with_artist(folder / "x" / "1.flac", "Ann")
    with_artist(folder / "y" / "2.flac", "ann")
    third = folder / "Ann" / "3.flac"
    shutil.copy(with_artist(folder / "z" / "4.flac", "Bob B"), folder / "5.flac")
    third.parent.mkdir()
    audio.write(third, np.random.default_rng(9).normal(0, 0.1, 20_000))
    assert ask(song, folder, "--other-artists") == 0
    out, err = capsys.readouterr()
    assert [Path(line[7:]).name for line in out.splitlines()] == ["5.flac"]
    assert "artists: 3 by the files' own tags, 1 by folder, 0 not known" in err
    bare = tmp_path / "bare.wav"
    audio.write(bare, np.random.default_rng(9).normal(0, 0.1, 20_000))
    assert ask(bare, folder, "--other-artists") == 1
    assert "names no artist" in capsys.readouterr().err


def test_neighbours_of_a_folder_without_labels(music):
    opened = corpus.open(music[0].parent)
    vectors = predict.embeddings(load(), opened)
    lists = neighbours.nearest(neighbours.similarity(vectors), 2)
    assert lists.shape == (3, 2)
    np.testing.assert_array_equal(vectors, predict.embeddings(load(), music))
