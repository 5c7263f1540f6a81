"""Tags in files: written and taken out, and all else in the file as it was."""

import errno
import os
import shutil
import subprocess
import sys

import av
import mutagen
import numpy as np
import pytest
import soundfile
from mutagen.id3 import TCON, TPE1, TYER

from tagkit.data import audio, folders, metadata

KINDS = ("mp3", "flac", "ogg", "opus", "m4a", "wav", "aiff")
TAGS = ["no, vocals", "80s", "rock"]


@pytest.fixture(scope="module")
def sounds(tmp_path_factory):
    """A second of noise in a file of each kind, without tags."""
    folder = tmp_path_factory.mktemp("sounds")
    noise = 0.2 * np.random.default_rng(0).standard_normal(48_000)
    noise = noise.clip(-1, 1).astype(np.float32)
    for kind in KINDS:
        if kind == "m4a":
            continue
        how = {"opus": {"format": "OGG", "subtype": "OPUS"}}.get(kind, {})
        soundfile.write(folder / f"one.{kind}", noise, 48_000, **how)
    for name, form in (("one.m4a", "ipod"), ("one.aac", "adts")):
        with av.open(str(folder / name), "w", format=form) as file:
            stream = file.add_stream("aac", rate=48_000, layout="mono")
            frame = av.AudioFrame.from_ndarray(noise[None], "fltp", "mono")
            frame.rate = 48_000
            for block in av.AudioResampler("fltp", frame_size=1024).resample(frame):
                file.mux(stream.encode(block))
            file.mux(stream.encode(None))
    return folder


@pytest.fixture
def copy(sounds, tmp_path):
    """Copies a sound into a folder of its own."""

    def copy(kind):
        return shutil.copy(sounds / f"one.{kind}", tmp_path / f"my song.{kind}")

    return copy


def fields(path):
    """What the tags of a file are, as mutagen gives them, for any kind."""
    tags = mutagen.File(path).tags or {}
    return {key: str(tags[key]) for key in tags.keys()}  # noqa: SIM118


def genre(path):
    """A file's genre, as labels and players read it."""
    tags = mutagen.File(path, easy=True).tags or {}
    if "TCON" in tags:  # wav and aiff have no easy names
        return tags["TCON"].text
    return list(tags.get("genre", []))


@pytest.mark.parametrize("kind", KINDS)
def test_tags_are_written_and_taken_out_and_the_rest_stays(copy, kind):
    path = copy(kind)
    opened = mutagen.File(path, easy=kind not in ("wav", "aiff"))
    if opened.tags is None:
        opened.add_tags()
    if kind in ("wav", "aiff"):
        opened.tags.add(TPE1(encoding=3, text=["Ann"]))
    else:
        opened["artist"] = ["Ann"]
    opened.save()
    os.chmod(path, 0o640)
    os.utime(path, (10**9, 10**9))
    before, rate = fields(path), 48_000
    sound = audio.load(path, rate)
    assert metadata.write(path, TAGS, dry_run=True) == metadata.Change([], TAGS)
    assert fields(path) == before and path.stat().st_mtime == 10**9
    assert metadata.write(path, TAGS) == metadata.Change([], TAGS)
    assert genre(path) == TAGS and metadata.read(path).artist == "Ann"
    np.testing.assert_array_equal(audio.load(path, rate), sound)
    assert path.stat().st_mode & 0o777 == 0o640 and path.stat().st_mtime > 10**9
    assert metadata.write(path, TAGS) == metadata.Change(TAGS, TAGS)
    assert metadata.write(path, ["slow"]) == metadata.Change(TAGS, ["slow"])
    assert metadata.remove(path, dry_run=True).after == [] and genre(path) == ["slow"]
    assert metadata.remove(path) == metadata.Change(["slow"], [])
    assert fields(path) == before
    np.testing.assert_array_equal(audio.load(path, rate), sound)
    data = path.read_bytes()
    assert metadata.remove(path) == metadata.Change([], [])
    assert path.read_bytes() == data and len(list(path.parent.iterdir())) == 1


@pytest.mark.parametrize("kind", ["mp3", "flac", "m4a"])
def test_a_genre_of_somebody_else_stays(copy, kind):
    path = copy(kind)
    opened = mutagen.File(path, easy=True)
    opened["genre"] = ["Folk/Rock"]
    opened.save()
    data = path.read_bytes()
    found = metadata.write(path, TAGS)
    assert found == metadata.Change(["Folk/Rock"], ["Folk/Rock"], kept=True)
    assert metadata.write(path, [], overwrite=True).kept  # nothing in its place
    assert path.read_bytes() == data
    assert metadata.write(path, TAGS, overwrite=True).after == TAGS
    opened = mutagen.File(path, easy=True)
    opened["genre"] = ["rock", "Mine"]  # somebody mends it
    opened.save()
    assert metadata.write(path, ["slow"]).kept
    assert metadata.remove(path) == metadata.Change(["rock", "Mine"], ["Mine"])
    assert metadata.remove(path) == metadata.Change(["Mine"], ["Mine"])


def test_id3_of_version_2_3_stays_so(copy):
    path = copy("mp3")
    opened = mutagen.File(path)
    opened.add_tags()
    opened.tags.add(TYER(encoding=1, text=["1999"]))
    opened.tags.add(TCON(encoding=1, text=["(17)"]))
    opened.save(v2_version=3)
    assert metadata.write(path, TAGS).kept
    assert metadata.write(path, TAGS, overwrite=True).after == TAGS
    assert metadata.write(path, TAGS) == metadata.Change(TAGS, TAGS)
    tags = mutagen.File(path).tags
    assert tags.version == (2, 3, 0) and str(tags["TDRC"]) == "1999"
    assert tags["TCON"].genres == ["/".join(TAGS)]
    metadata.remove(path)
    tags = type(tags)(path, translate=False)
    assert tags.version == (2, 3, 0) and tags.keys() == {"TYER"}


def refused(path, match):
    """See that a file is refused by name, and that nothing has changed."""
    data = path.read_bytes()
    with pytest.raises(metadata.MetadataError, match=match) as raised:
        metadata.write(path, TAGS)
    assert str(path) in str(raised.value) and path.read_bytes() == data
    assert sorted(path.parent.glob(".*")) == []


def test_what_cannot_be_written_is_refused_by_name(copy, sounds, tmp_path):
    refused(shutil.copy(sounds / "one.aac", tmp_path / "a.aac"), "holds no tags as mp3")
    soundfile.write(tmp_path / "a.w64", np.full(9999, 0.1), 16_000)
    refused(tmp_path / "a.w64", "holds no tags as mp3")
    path = copy("mp3")
    path.chmod(0o444)
    refused(path, "read-only")
    with pytest.raises(metadata.MetadataError, match="read-only"):
        metadata.write(path, TAGS, dry_run=True)
    with pytest.raises(metadata.MetadataError, match="gone.mp3"):
        metadata.write(tmp_path / "gone.mp3", TAGS)
    assert metadata.read(tmp_path / "gone.mp3") == metadata.Facts()


def test_another_sound_or_a_full_disk_leaves_the_file(copy, monkeypatch):
    path = copy("mp3")
    save = mutagen.mp3.MP3.save

    def save_and_damage(self, file, **how):
        save(self, file, **how)
        data = bytearray(file.read_bytes())
        data[-3000:-2000] = bytes(1000)
        file.write_bytes(data)

    monkeypatch.setattr(mutagen.mp3.MP3, "save", save_and_damage)
    refused(path, "not decode to the same sound")

    full, data = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)), path.read_bytes()

    def failing(error):
        def fail(*args, **how):
            args[-1].write_bytes(data[:5000])
            raise error

        return fail

    monkeypatch.setattr(mutagen.mp3.MP3, "save", failing(mutagen.MutagenError(full)))
    refused(path, "left as it is: No space left")
    monkeypatch.setattr(shutil, "copy2", failing(full))
    refused(path, "left as it is: No space left")


@pytest.mark.skipif(os.name != "posix", reason="limits and signals")
def test_a_kill_in_the_middle_leaves_the_file(copy):
    path = copy("m4a")
    data = path.read_bytes()
    code = f"""
import os, signal
from tagkit.data import metadata
os.replace = lambda *paths: os.kill(os.getpid(), signal.SIGKILL)
metadata.write({str(path)!r}, {TAGS!r})
"""
    assert subprocess.run([sys.executable, "-c", code]).returncode == -9
    assert path.read_bytes() == data
    assert len(list(path.parent.iterdir())) == 2  # the copy, which is no music
    assert folders.search([path.parent]).files == [path]
    metadata.write(path, TAGS)
    assert genre(path) == TAGS and list(path.parent.iterdir()) == [path]


def test_a_link_stays_a_link(copy, tmp_path):
    path = copy("flac")
    link = tmp_path / "link.flac"
    link.symlink_to(path)
    metadata.write(link, TAGS)
    assert link.is_symlink() and not path.is_symlink() and genre(path) == TAGS


def test_facts_of_a_file(copy, tmp_path):
    path = copy("ogg")
    opened = mutagen.File(path)
    opened["artist"], opened["title"] = ["Ann", "Bob"], ["  Snow \N{SNOWMAN} "]
    opened.save()
    assert metadata.read(path)[:2] == ("Ann", "Snow \N{SNOWMAN}")
    assert metadata.read(path).seconds == 1.0
    (tmp_path / "a.mp3").write_bytes(b"ID3" + bytes(range(256)))
    assert metadata.read(tmp_path / "a.mp3") == metadata.Facts()


@pytest.mark.parametrize("kind", ["mp3", "flac", "ogg", "m4a"])
def test_genres_that_tagkit_wrote_are_no_labels(kind, copy):
    path = copy(kind)
    metadata.write(path, TAGS)
    assert metadata.read(path).genres == []
    opened = mutagen.File(path, easy=True)
    opened["genre"] = ["Drone"]
    opened.save()
    assert metadata.read(path).genres == ["Drone"]
