"""The clip store: prepared once, whole or not at all, whatever happens meanwhile."""

import errno
import json
import os
import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import filelock
import numpy as np
import pytest
import soundfile
from test_audio import bad_files

from conftest import tone, write_tables
from tagkit import files
from tagkit.data import audio, corpus, store


def wavs(root, hz, seconds=29.124):
    """Make a corpus of wav files, one tone each, in folders 0, 1, ..."""
    paths = [f"{i}/tone-{i}-0-29.wav" for i in range(len(hz))]
    write_tables(root, paths, {"tone": [1] * len(hz)})
    for path, f in zip(paths, hz, strict=True):
        (root / path).parent.mkdir(exist_ok=True)
        audio.write(root / path, tone(f, seconds))
    return corpus.open(root)


@pytest.fixture
def few(tmp_path):
    return wavs(tmp_path / "few", [300, 600, 1200])


@pytest.fixture
def decoded(monkeypatch):
    """The names of the files that were decoded, in order."""
    names, load = [], audio.load

    def counted(path, *rest):
        names.append(os.path.basename(path))
        return load(path, *rest)

    monkeypatch.setattr(audio, "load", counted)
    return names


def whole(made, source):
    """Assert that every row of a store is what its file decodes to."""
    assert len(made) == len(source.clips) and len(made.bad) == 0
    for clip_id in source.clips.index:
        wanted = audio.load(source.path(clip_id), made.sample_rate)
        got = made.read(clip_id)
        assert np.abs(got - wanted).max() <= 0.51 / store.FULL_SCALE


def test_samples_are_those_of_the_files(few, tmp_path):
    made = store.prepare(few, folder=tmp_path / "s")
    assert made.samples.shape == (3, 465_984) and made.samples.dtype == np.int16
    assert made.sample_rate == 16_000 and not made.samples.flags.writeable
    whole(made, few)
    part = made.read(13, 1000, 50)
    np.testing.assert_array_equal(part, made.read(13)[1000:1050])
    assert part.dtype == np.float32
    assert repr(made) == "ClipStore(3 clips of 465984 samples at 16000 Hz, 0 left out)"


def test_default_folder_names_corpus_and_rate(few, tmp_path, monkeypatch):
    monkeypatch.setattr(corpus, "DATA", tmp_path / "data")
    store.prepare(few, 8_000)
    folder = tmp_path / "data" / "cache" / f"{few.key}-8000"
    index = json.loads((folder / "index.json").read_text())
    assert index["corpus"] == "few" and index["sample_rate"] == 8_000
    assert [clip["clip_id"] for clip in index["clips"]] == [10, 13, 16]


@pytest.mark.parametrize(
    ("seconds", "time", "n"),
    [(29.124, 1, 465_984), (40, None, 29 * 16_000)],
    ids=["time", "size"],
)
def test_changed_file_alone_is_decoded_again(few, tmp_path, decoded, seconds, time, n):
    store.prepare(few, folder=tmp_path / "s")
    store.prepare(few, folder=tmp_path / "s")
    assert len(decoded) == 3
    decoded.clear()
    time = time or few.path(13).stat().st_mtime_ns
    audio.write(few.path(13), tone(2000, seconds))
    os.utime(few.path(13), ns=(time, time))
    made = store.prepare(few, folder=tmp_path / "s")
    assert decoded == ["tone-1-0-29.wav"]
    assert len(made.read(13)) == n and made.read(13)[:9].any()


def test_fewer_and_more_clips_than_before(few, tmp_path, decoded):
    store.prepare(few, folder=tmp_path / "s")
    fewer = replace(few, clips=few.clips.iloc[1:])
    whole(store.prepare(fewer, folder=tmp_path / "s"), fewer)
    with pytest.raises(ValueError, match="clip 10 "):
        store.ClipStore(tmp_path / "s").read(10)
    whole(store.prepare(few, folder=tmp_path / "s"), few)


def test_bad_clips_are_named_and_the_good_ones_prepared(tmp_path):
    root = tmp_path / "mixed"
    (root / "0").mkdir(parents=True)
    words = bad_files(root / "0") | {"cut.mp3": "cut short", "half zero.mp3": ""}
    names = ["good.mp3", "stereo.wav", *words]
    paths = [f"0/{name}" for name in names]
    ids = write_tables(root, paths, {"x": [0] * len(names)})
    id_of = dict(zip(names, ids, strict=True))
    audio.write(root / "0/good.mp3", tone(440))
    soundfile.write(root / "0/stereo.wav", tone(440, rate=44_100, channels=2), 44_100)
    data = (root / "0/good.mp3").read_bytes()
    half = len(data) // 2
    (root / "0/cut.mp3").write_bytes(data[:half])
    (root / "0/half zero.mp3").write_bytes(data[:half] + bytes(half))

    made = store.prepare(corpus.open(root), folder=tmp_path / "s")
    assert made.rows.index.tolist() == ids[:2]
    for name, word in words.items():
        reason = made.bad.at[id_of[name], "reason"]
        assert word in reason and f"0/{name}" in reason and str(root) not in reason
    difference = made.read(id_of["stereo.wav"]) - tone(440)
    assert np.abs(difference).max() < 0.01
    with pytest.raises(ValueError, match=f"clip {id_of['empty.mp3']} .*0 bytes"):
        made.read(id_of["empty.mp3"])
    # What never decoded holds no sound of the clip before it.
    assert not made.samples[names.index("empty.mp3")].any()


def test_too_little_room_is_noticed_before_decoding(few, tmp_path, monkeypatch):
    monkeypatch.setattr(
        files.shutil, "disk_usage", lambda _: type("Usage", (), {"free": 1000})
    )
    with pytest.raises(OSError, match=r"0\.003 GB.* 0\.000 GB"):
        store.prepare(few, folder=tmp_path / "s")
    with pytest.raises(ValueError, match="tagkit prepare"):
        store.ClipStore(tmp_path / "s")


def test_short_writes_are_completed(few, tmp_path, monkeypatch):
    write = os.write
    with monkeypatch.context() as patch:
        patch.setattr(os, "write", lambda file, data: write(file, data[:300_001]))
        store.prepare(few, folder=tmp_path / "s")
    whole(store.ClipStore(tmp_path / "s"), few)


@pytest.mark.parametrize("change", [False, True], ids=["first", "after a change"])
def test_kill_at_every_moment(zygote, tmp_path, change):
    """kill -9 at the k-th call that touches the disk, for every k until none kills.

    Each time: what is left opens whole or does not open, and the next call
    completes it.
    """
    mine = wavs(tmp_path / "mine", [300, 600])
    for k in range(1, 60):
        folder = tmp_path / f"s{k}"
        before = None
        if change:
            audio.write(mine.path(13), tone(600))
            before = store.prepare(mine, 8_000, folder=folder).read(13)
            audio.write(mine.path(13), tone(700))
            os.utime(mine.path(13), ns=(k, k))
        finished = prepare_and_die(zygote, mine, folder, k)
        if not finished:
            try:
                left = store.ClipStore(folder)
            except ValueError as error:
                assert "tagkit prepare" in str(error)
            else:  # all old or all new, never half of each
                if not np.array_equal(left.read(13), before):
                    whole(left, mine)
        whole(store.prepare(mine, 8_000, folder=folder), mine)
        assert not list(folder.glob("*.tmp"))
        if finished:
            assert k > 8
            return
    raise AssertionError("the process was still killed at the 59th call")


# Forks children that prepare a store. A fresh process without threads: forks of pytest,
# which has some, could hang on a lock that one of them held.
ZYGOTE = """
import json, os, signal, sys
from tagkit.data import corpus, store

def deadly(call, k, count, write):
    def wrapped(*args):
        count[0] += 1
        if count[0] == k:
            if call is write:
                call(args[0], args[1][: len(args[1]) // 2])
            os.kill(os.getpid(), signal.SIGKILL)
        return call(*args)
    return wrapped

store.CHUNK = 1
for line in sys.stdin:
    root, folder, k = json.loads(line)
    if not (pid := os.fork()):
        count, write = [0], os.write
        for name in ("write", "fsync", "replace", "ftruncate", "unlink"):
            setattr(os, name, deadly(getattr(os, name), k, count, write))
        try:
            mine = corpus.open(root)
            store.prepare(mine, 8_000, folder=folder, n_workers=1)
            os._exit(0)
        finally:
            os._exit(1)
    os.write(1, b"%d\\n" % os.waitpid(pid, 0)[1])
"""


@pytest.fixture(scope="module")
def zygote():
    if not hasattr(os, "fork"):
        pytest.skip("needs os.fork")
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    words = [sys.executable, "-c", ZYGOTE]
    with subprocess.Popen(words, cwd=Path(__file__).parents[1], **pipes) as process:
        yield process
        process.stdin.close()


def prepare_and_die(zygote, mine, folder, k):
    """Prepare in a child that is killed at its k-th call; say if it finished."""
    zygote.stdin.write(json.dumps([str(mine.root), str(folder), k]) + "\n")
    zygote.stdin.flush()
    status = int(zygote.stdout.readline())
    if os.WIFSIGNALED(status):
        assert os.WTERMSIG(status) == signal.SIGKILL
        return False
    assert os.WEXITSTATUS(status) == 0
    return True


@pytest.mark.parametrize(
    "error", [KeyboardInterrupt(), OSError(errno.ENOSPC, "disk full")], ids=repr
)
def test_stopped_run_goes_on_where_it_was(tmp_path, monkeypatch, decoded, error):
    mine = wavs(tmp_path / "mine", [300, 600, 900, 1200])
    monkeypatch.setattr(store, "CHUNK", 1)
    write, sizes = os.write, []

    def stop(file, data):
        sizes.append(len(data))
        if len(sizes) == 3:
            raise error
        return write(file, data)

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", stop)
        with pytest.raises(type(error)):
            store.prepare(mine, 8_000, folder=tmp_path / "s", n_workers=1)
    with pytest.raises(ValueError, match="tagkit prepare"):
        store.ClipStore(tmp_path / "s")
    decoded.clear()
    made = store.prepare(mine, 8_000, folder=tmp_path / "s")
    assert sorted(decoded) == ["tone-2-0-29.wav", "tone-3-0-29.wav"]
    whole(made, mine)


BROKEN = ["", "{", "[]", "null", "17", '{"clips": []}', '{"clips": [{}]}', "\0\0"]


@pytest.mark.parametrize("text", BROKEN, ids=repr)
@pytest.mark.parametrize("name", ["index.json", "journal.json"])
def test_broken_index_or_journal_does_not_open_and_is_made_anew(
    few, tmp_path, name, text
):
    store.prepare(few, 8_000, folder=tmp_path / "s")
    (tmp_path / "s" / "index.json").unlink()
    (tmp_path / "s" / name).write_text(text)
    with pytest.raises(ValueError, match="tagkit prepare"):
        store.ClipStore(tmp_path / "s")
    whole(store.prepare(few, 8_000, folder=tmp_path / "s"), few)


@pytest.mark.parametrize("clip", [17, {}, [1, 2], {"clip_id": 10, "row": "x"}])
def test_strange_clips_in_a_journal_are_decoded_again(few, tmp_path, clip):
    wanted = store.prepare(few, folder=tmp_path / "s").samples.tobytes()
    index = json.loads((tmp_path / "s" / "index.json").read_text())
    index["clips"][1] = clip
    (tmp_path / "s" / "index.json").unlink()
    (tmp_path / "s" / "journal.json").write_text(json.dumps(index))
    assert store.prepare(few, folder=tmp_path / "s").samples.tobytes() == wanted


def test_store_of_a_longer_file_is_its_middle(few, tmp_path):
    rising = np.linspace(-0.9, 0.9, 40 * 16_000, dtype=np.float32)
    audio.write(few.path(10), rising)
    whole_files = replace(few, clips=few.clips.assign(segmentEnd=0))
    row = store.prepare(whole_files, folder=tmp_path / "s").read(10)
    wanted = rising[5 * 16_000 :][: len(row)]  # from 5.4 s on, in whole seconds
    assert np.abs(row - wanted).max() < 1e-3


def test_a_file_renamed_to_another_clips_name_is_decoded_again(few, tmp_path, decoded):
    """Same size, same time, same row: only the name tells them apart."""
    store.prepare(few, folder=tmp_path / "s")
    decoded.clear()
    moved = few.clips.copy()
    moved.loc[10, "mp3_path"] = "0/other.wav"
    few.path(10).rename(few.root / "0/other.wav")
    store.prepare(replace(few, clips=moved), folder=tmp_path / "s")
    assert decoded == ["other.wav"]


def test_changed_bytes_do_not_open(few, tmp_path):
    store.prepare(few, folder=tmp_path / "s")
    with (tmp_path / "s" / "samples.int16").open("r+b") as file:
        file.seek(1000)
        file.write(b"\1\2\3")
    with pytest.raises(ValueError, match="clip 10;"):
        store.ClipStore(tmp_path / "s")


def cut(path):
    os.truncate(path, path.stat().st_size - 10)


@pytest.mark.parametrize("damage", [cut, Path.unlink])
def test_damaged_samples_file_does_not_open_and_is_made_anew(few, tmp_path, damage):
    store.prepare(few, 8_000, folder=tmp_path / "s")
    damage(tmp_path / "s" / "samples.int16")
    with pytest.raises(ValueError, match="tagkit prepare"):
        store.ClipStore(tmp_path / "s")
    whole(store.prepare(few, 8_000, folder=tmp_path / "s"), few)


def test_store_of_another_rate_in_the_same_folder_is_replaced(few, tmp_path):
    store.prepare(few, 8_000, folder=tmp_path / "s")
    made = store.prepare(few, 16_000, folder=tmp_path / "s")
    assert made.sample_rate == 16_000
    whole(made, few)


def test_a_link_out_of_the_folder_is_followed(tones, tmp_path):
    outside = tmp_path / "outside.mp3"
    victim = tones.path(tones.clips.index[2])
    victim.rename(outside)
    victim.symlink_to(outside)
    made = store.prepare(tones, folder=tmp_path / "store")
    assert len(made) == 8 and made.bad.empty


def test_what_was_left_out_gets_another_chance(few, tmp_path):
    """The file, or only the seconds in the table, may be mended."""
    short = few.clips.copy()
    short.loc[10, "segmentEnd"] = 29
    audio.write(few.path(10), tone(300, 10))
    made = store.prepare(replace(few, clips=short), folder=tmp_path / "s")
    assert "29 s were needed" in made.bad.at[10, "reason"]
    short.loc[10, "segmentEnd"] = 10
    made = store.prepare(replace(few, clips=short), folder=tmp_path / "s")
    assert made.bad.empty
    audio.write(few.path(10), tone(300))
    whole(store.prepare(few, folder=tmp_path / "s"), few)


def test_impossible_rates_are_refused_before_anything_is_written(few, tmp_path):
    for rate in (0, -5, 10**7):
        with pytest.raises(ValueError, match=f"{rate};.*4000 to 400000 Hz"):
            store.prepare(few, rate, folder=tmp_path / "s")
    assert not (tmp_path / "s").exists()


def test_who_comes_second_waits_for_the_first(few, tmp_path, monkeypatch, decoded):
    first_decodes, second_waits, load = threading.Event(), threading.Event(), audio.load
    locks = []

    class Lock(filelock.FileLock):
        def acquire(self, *args, **how):
            locks.append(self)
            if len(locks) == 2:
                second_waits.set()
            return super().acquire(*args, **how)

    def slow(path, *rest):
        first_decodes.set()
        assert second_waits.wait(300)
        return load(path, *rest)

    monkeypatch.setattr(filelock, "FileLock", Lock)
    monkeypatch.setattr(audio, "load", slow)
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(store.prepare, few, folder=tmp_path / "s")
        assert first_decodes.wait(300)
        second = pool.submit(store.prepare, few, folder=tmp_path / "s")
        assert len(first.result()) == len(second.result()) == 3
    assert len(decoded) == 3


def test_the_row_of_a_clip_that_went_bad_is_empty(few, tmp_path):
    store.prepare(few, folder=tmp_path / "s")
    few.path(13).write_bytes(b"")
    made = store.prepare(few, folder=tmp_path / "s")
    assert list(made.bad.index) == [13] and not made.samples[1].any()


def test_a_shorter_clip_keeps_its_length_and_fills_its_row(few, tmp_path):
    clips = few.clips.assign(segmentEnd=0)
    audio.write(few.path(10), tone(300, 5))
    made = store.prepare(replace(few, clips=clips), folder=tmp_path / "s")
    assert made.lengths.tolist() == [80_000, 465_984, 465_984]
    assert len(made.read(10)) == 80_000 and len(made.read(10, 79_000, 5_000)) == 1_000
    row = np.array(made.samples[made.rows[10]])
    np.testing.assert_array_equal(row, np.resize(row[:80_000], 465_984))
    assert "1 of them shorter" in repr(made)
    assert store.ClipStore(tmp_path / "s").lengths.equals(made.lengths)


def test_segments_are_cut_from_a_longer_file(tmp_path):
    """Three rows of one file; a file that is the segment itself stays whole."""
    root = tmp_path / "one file"
    write_tables(root, ["long.wav", "long.wav", "clip.wav"], {"low": [1, 0, 0]})
    t = np.arange(90 * 16_000) / 16_000
    wave = 0.3 * np.sin(2 * np.pi * np.where(t < 30, 300, 2000) * t)
    audio.write(root / "long.wav", wave.astype(np.float32))
    audio.write(root / "clip.wav", tone(600))
    music = corpus.open(root)
    clips = music.clips.assign(segmentStart=[0, 60, 60], segmentEnd=[29, 89, 89])
    made = store.prepare(replace(music, clips=clips), folder=tmp_path / "s")
    assert made.lengths.tolist() == [29 * 16_000, 29 * 16_000, 465_984]
    for clip_id, hz in zip(clips.index, (300, 2000, 600), strict=True):
        spectrum = np.abs(np.fft.rfft(made.read(clip_id, 0, 16_000)))
        assert spectrum.argmax() == hz

    clips = clips.assign(segmentStart=[80, -5, 60], segmentEnd=[110, 10, 89])
    made = store.prepare(replace(music, clips=clips), folder=tmp_path / "s")
    assert set(made.bad.index) == set(clips.index[:2])
    assert made.bad["reason"].str.contains("90.0 s.*segment").all()
