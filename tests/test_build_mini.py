"""The corpus `mini` is what its seed gives, and has the properties it promises."""

import csv
import hashlib
import shutil
import sys
from collections import Counter, defaultdict
from pathlib import Path

import pytest

pytest.importorskip("mido", reason="mido is needed only to rebuild mini")

ROOT = Path(__file__).parents[1]
MINI = ROOT / "data" / "mini"
sys.path.insert(0, str(ROOT / "data" / "build_mini"))

import build_mini  # noqa: E402
import mini_crowd  # noqa: E402
import mini_plan  # noqa: E402
import mini_sound  # noqa: E402

PARTS = dict.fromkeys("0123456789ab", "train") | {"c": "valid"}
PARTS |= dict.fromkeys("def", "test")


def rows(name):
    with (MINI / name).open(encoding="ascii", newline="") as file:
        return list(csv.DictReader(file, delimiter="\t"))


@pytest.fixture(scope="module")
def said():
    return rows("annotations_final.csv")


@pytest.fixture(scope="module")
def info():
    return rows("clip_info_final.csv")


def test_tables_are_rebuilt_bit_for_bit(tmp_path):
    build_mini.main(["--root", str(tmp_path), "--tables-only"])
    for name in build_mini.TABLES:
        assert (tmp_path / name).read_bytes() == (MINI / name).read_bytes(), name


def test_tables_have_the_form_of_mtt():
    for name in build_mini.TABLES:
        content = (MINI / name).read_bytes()
        lines = content.split(b"\r\n")
        assert lines.pop() == b"" and b"\n" not in content.replace(b"\r\n", b"")
        for line in lines:
            assert all(f[:1] == f[-1:] == b'"' for f in line.split(b"\t"))
        ids = [int(line.split(b"\t")[0].strip(b'"')) for line in lines[1:]]
        assert ids == sorted(set(ids)) and ids[-1] > len(ids)
    assert tuple(rows("clip_info_final.csv")[0]) == build_mini.INFO


def test_folders_and_windows(said, info):
    paths = [row["mp3_path"] for row in said]
    assert len(paths) == len(set(paths)) == 480
    folders = Counter(path[0] for path in paths)
    assert folders == dict.fromkeys(mini_plan.FOLDERS, 30)
    windows = defaultdict(list)
    for path in paths:
        assert path.isascii() and set(path) <= set(
            "/._-0123456789abcdefghijklmnopqrstuvwxyz"
        ), path
        track, start, end = path[: -len(".mp3")].rsplit("-", 2)
        assert int(end) == int(start) + 29
        windows[track].append(int(start))
    for starts in windows.values():
        assert sorted(starts) == list(range(0, 29 * len(starts), 29))
        assert 1 <= len(starts) <= 4
    heard = [row["mp3_path"] for row in info if row["mp3_path"]]
    assert heard == paths and len(info) == 480 + build_mini.N_UNHEARD


def test_no_track_or_album_is_in_two_folders_but_artists_are(info):
    homes = defaultdict(set)
    artists = defaultdict(set)
    for row in info:
        if row["mp3_path"]:
            homes[row["artist"], row["album"]].add(row["mp3_path"][0])
            artists[row["artist"]].add(PARTS[row["mp3_path"][0]])
    assert all(len(folders) == 1 for folders in homes.values())
    both = [a for a, parts in artists.items() if {"train", "test"} <= parts]
    assert 0.3 < len(both) / len(artists) < 0.5
    assert any(parts == {"test"} for parts in artists.values())


def test_labels_have_the_habits_of_mtt(said):
    tags = list(said[0])[1:-1]
    assert len(tags) == 64 and sorted(tags) == sorted(mini_crowd.COLUMNS)
    counts = {t: Counter() for t in tags}
    per_clip = []
    for row in said:
        per_clip.append(sum(row[t] == "1" for t in tags))
        for t in tags:
            counts[t][PARTS[row["mp3_path"][0]]] += row[t] == "1"
    total = {t: sum(c.values()) for t, c in counts.items()}
    top = sorted(tags, key=lambda t: -total[t])[:50]
    assert set(top[:3]) == {"guitar", "slow", "classical"}
    assert all(counts[t]["train"] >= 4 for t in top)
    assert sum(counts[t]["test"] == 0 for t in top) <= 2
    assert 3.2 < sum(per_clip) / 480 < 3.8
    assert 0.13 < per_clip.count(0) / 480 < 0.19
    both = sum(row["slow"] == row["fast"] == "1" for row in said)
    assert 0 < both < 10


def test_truth_gives_all_synonyms_and_the_negatives():
    for row in rows("truth.csv"):
        for group in mini_crowd.TAGS.values():
            assert len({row[tag] for tag in group}) == 1
        for tag, negative in (("piano", "no piano"), ("vocal", "no vocals")):
            assert row[tag] != row[negative]


def test_the_crowd_is_mostly_right(said):
    truth = {row["clip_id"]: row for row in rows("truth.csv")}
    tags = list(said[0])[1:-1]
    right = wrong = 0
    for row in said:
        for tag in tags:
            if row[tag] == "1":
                right += truth[row["clip_id"]][tag] == "1"
                wrong += truth[row["clip_id"]][tag] == "0"
    assert 0.02 < wrong / (right + wrong) < 0.12


def test_a_track_does_not_depend_on_the_others():
    tracks = mini_plan.plan()
    song = mini_plan.compose(tracks[7])
    mini_plan.compose(tracks[3])
    again = mini_plan.compose(tracks[7])
    assert [p.notes for p in song.parts] == [p.notes for p in again.parts]


def test_checksums_cover_everything():
    listed = dict(
        reversed(line.split("  ", 1))
        for line in (MINI / build_mini.SUMS).read_text().splitlines()
    )
    for name in build_mini.TABLES:
        digest = hashlib.sha256((MINI / name).read_bytes()).hexdigest()
        assert listed[name] == digest
    assert {r["mp3_path"] for r in rows("truth.csv")} <= set(listed)


@pytest.mark.skipif(
    not (shutil.which("fluidsynth") and mini_sound.SOUNDFONT.exists()),
    reason="fluidsynth and fluid-soundfont-gm are needed only to rebuild mini",
)
def test_a_rendered_clip_has_mtts_length(tmp_path):
    track = min(mini_plan.plan(), key=lambda t: (t.n_clips, t.seed))
    song = mini_plan.compose(track)
    assert mini_sound.render_track(track, song, {0: -18.0}, tmp_path) == 1
    samples, rate = mini_sound.soundfile.read(tmp_path / track.path(0))
    assert len(samples) == mini_sound.CLIP_SAMPLES and rate == 16_000
    assert 0.09 < mini_sound.rms(samples) < 0.15 and abs(samples).max() < 1
    assert mini_sound.render_track(track, song, {0: -18.0}, tmp_path) == 0
