"""The search of folders: each sound once, nothing dropped without a word."""

import json
import os
from pathlib import Path

import av
import numpy as np
import pytest
from test_audio import by_pyav

from conftest import as_a_user, tone
from tagkit import cli
from tagkit.data import audio, corpus, folders, store

NETWORK = ["--network", "mini/DielemanRaw"]
SOUND = audio.encode(tone(300, 1), kind="wav")


@pytest.fixture
def put(tmp_path):
    """Write files below tmp_path, by default sound; give their root."""

    def write(*names, data=SOUND):
        for name in names:
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        return tmp_path

    return write


def names(root, *more):
    found = folders.search([root, *more])
    return [os.path.relpath(path, root) for path in found.files]


def test_what_is_hidden_is_passed_over_at_any_depth(put):
    root = put("m/a.wav", "m/.b.wav", "m/.Trash/c.wav", "m/x/.y/z/d.wav", "m/x/._e.wav")
    put("m/$RECYCLE.BIN/f.wav", "m/System Volume Information/g.wav", "m/x/..h/i.wav")
    found = folders.search([root / "m"])
    assert found == ([root / "m/a.wav"], 0, [])
    # But what is named itself, and what lies below it.
    assert names(root / "m/.Trash", root / "m/.b.wav") == ["c.wav", "../.b.wav"]


def test_a_file_comes_once_by_its_own_name(put):
    root = put(
        "m/z/one.wav", "m/two.wav", ".annex/objects/ab/three.wav", "else/four.wav"
    )
    for link, to in (
        ("m/a.wav", "z/one.wav"),
        ("m/list/1.wav", "../two.wav"),
        ("m/list/2.wav", "../../.annex/objects/ab/three.wav"),  # git-annex, DataLad
        ("m/list/3.wav", "../../.annex/objects/ab/three.wav"),
        ("m/more", "../else"),
        ("m/again", "more"),
        ("m/z/up", ".."),  # round and round
        ("m/z/self", "."),
        ("m/four.wav", "more/four.wav"),
    ):
        (root / link).parent.mkdir(exist_ok=True)
        (root / link).symlink_to(to)
    found = folders.search([root / "m"])
    assert not found.unread and found.n_other == 0
    real = [os.path.realpath(path) for path in found.files]
    assert len(set(real)) == len(real) == 4
    assert set(names(root / "m")) >= {"z/one.wav", "two.wav", "list/2.wav"}
    again = folders.search([root / "m", root / "else", root / "m/a.wav", root / "m/z"])
    assert again.files == found.files
    assert folders.search([root / "m/a.wav", root / "m"]).files[0] == root / "m/a.wav"
    mine = corpus.open(root / "m")
    made = store.prepare(mine, 8_000, folder=root / "s")
    assert len(made) == 4 and made.bad.empty


def test_sound_is_known_by_suffix_or_first_bytes(put):
    root = put("a.WAV", "b.wave", "c.BWF", "d.mp3", "e.Mpga", data=b"")
    loud = np.tile(tone(300, 2, 44_100), (2, 1))
    kinds = {"mp3": "libmp3lame", "mp2": "mp2", "adts": "aac", "ipod": "aac"}
    kinds |= {"ogg": "libvorbis", "asf": "wmav2", "wv": "wavpack", "caf": "pcm_s16le"}
    kinds |= {"aiff": "pcm_s16be", "au": "pcm_s16be", "tta": "tta", "w64": "pcm_s16le"}
    for kind, codec in kinds.items():
        if codec in av.codecs_available:
            data = by_pyav(kind, codec, loud, 44_100)
            put(f"f/{kind}", f"f/{kind}.bak", f"f/{kind}.Vol 1", data=data)
    sounds = folders.search([root]).files
    others = {*(root / "f").iterdir()} - {*sounds}
    assert len(sounds) >= 5 + 3 * 8 and not others
    put("x/cover.jpg", data=b"\xff\xd8\xff\xe0\0\x10JFIF")
    put("x/notes", data="notes".encode("utf-16"))
    put("x/list.m3u8", data=b"#EXTM3U")
    put("x/film.mov", "x/film.avi", data=by_pyav("mov", "aac", loud, 44_100))
    put("x/song.mid", data=b"MThd\0\0\0\6")
    put("x/empty", data=b"")
    os.mkfifo(root / "x/pipe.mp3")  # opened, it would wait for ever
    found = folders.search([root])
    assert found.files == sounds and found.n_other == 8


def test_what_cannot_be_read_is_named(put):
    root = put("m/a.wav", "m/locked/b.wav", "m/d/c.wav", "m/e.wav", "m/f")
    put("m/cover.jpg", data=b"picture")
    (root / "m/gone.wav").symlink_to("/mnt/usb/gone.wav")
    (root / "m/album").symlink_to(root / "m/nowhere")
    (root / "m/round").symlink_to("round")
    for name in ("m/locked", "m/d/c.wav", "m/f"):
        (root / name).chmod(0)
    wanted = ["gone.wav links to /mnt/usb/gone.wav, which", "album links to", "round"]
    wanted += ["m/locked cannot be read (Perm", "m/d/c.wav", "m/f cannot be read"]
    done = as_a_user("-m", "tagkit", "tag", root / "m", *NETWORK, "--format", "json")
    assert done.returncode == 1, done.stderr
    rows = json.loads(done.stdout)
    assert [Path(row["file"]).name for row in rows] == ["a.wav", "e.wav"]
    assert all(text in done.stderr for text in wanted), done.stderr
    assert "that are no sound: 1\n" in done.stderr
    (root / "m/locked").chmod(0o755)


def test_every_command_names_what_it_cannot_read(put, monkeypatch, capsys):
    root = put(*(f"m/{tag}/{n}.wav" for tag in ("loud", "soft") for n in range(5)))
    monkeypatch.setattr(corpus, "DATA", root / "data")
    (root / "m/gone").symlink_to("nowhere")
    put("m/loud/cover.png", "m/notes.txt", data=b"no sound")
    put("m/soft/bad.flac", data=b"no sound")
    song, music = str(root / "m/loud/0.wav"), str(root / "m")
    learn = [
        "learn",
        music,
        "--labels",
        "folders",
        "--out",
        str(root / "x.safetensors"),
    ]
    for command, has_count in (
        (["tag", music, *NETWORK], True),
        (["similar", song, music, *NETWORK], True),
        (["prepare", music, "--sample-rate", "8000"], True),
        ([*learn, *NETWORK], False),
    ):
        assert cli.main(command) == 1
        said = "".join(capsys.readouterr())
        assert "m/gone links to nowhere, which cannot be read" in said, command
        assert "bad.flac is not audio" in said, command
        assert ("that are no sound: 2\n" in said) == has_count, command
    (root / "m/gone").unlink()
    (root / "m/soft/bad.flac").unlink()
    assert cli.main(["tag", music, *NETWORK]) == 0
    assert cli.main(["prepare", music, "--sample-rate", "8000"]) == 0


def test_the_home_folder_is_understood_behind_an_option(put, monkeypatch, capsys):
    root = put("m/a.wav")
    monkeypatch.setenv("HOME", str(root))
    assert cli.main(["tag", "~/m", "--out=~/tags.csv", *NETWORK]) == 0
    assert (root / "tags.csv").exists()
