"""Folders and tables as chance makes them: one sound, one score, nothing lost unsaid.

All is drawn from seeds, so that a failure can be repeated.
"""

import io
import os
import unicodedata
import warnings
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import pytest
import soundfile
import torch
from test_audio import by_pyav

from tagkit import models
from tagkit.data import audio, batches, corpus, store
from tagkit.evaluation import predict, tagging
from tagkit.training import checkpoints

N_SOUNDS = 14
RATES = (8_000, 11_025, 16_000, 22_050, 32_000, 44_100, 48_000, 96_000)
KINDS = {  # suffix: format and subtype of soundfile, or format and codec of PyAV
    "wav": ("WAV", "PCM_16"),
    "WAV": ("WAV", "FLOAT"),
    "wave": ("WAV", "PCM_24"),
    "flac": ("FLAC", "PCM_16"),
    "Ogg": ("OGG", "VORBIS"),
    "mp3": ("MP3", "MPEG_LAYER_III"),
    "aiff": ("AIFF", "PCM_16"),
    "m4a": ("ipod", "aac"),
    "mka": ("matroska", "flac"),
    "opus": ("ogg", "libopus"),
}
WORDS = ("one", "-two", "Trois", "vier; 4", "f,ive", "six 's'", "7.0", "caf\u00e9")
WORDS += ("#8", "10 %", "\u5341\u4e00", "a&b", "12-29", "[x]", "UPPER", "_")
FILE = ("file", "filename", "path", "mp3_path")
PLACES = ("", "Ann", "Ann/Blue", "b c/d e", "K\u00f6ln", "x/y/z/w", "2.0")


class Drawn(NamedTuple):
    """What was drawn for a folder."""

    sounds: list[Path]
    bad: list[Path]  # no sound, though they are called so
    unread: list[Path]
    n_other: int


def music(rng, seconds, rate, n_channels):
    """Tones that come and go over some noise. Shape: (n, n_channels)."""
    time = np.arange(max(1, round(seconds * rate))) / rate
    wave = rng.normal(0, 0.02, (n_channels, len(time)))
    for hz in rng.uniform(60, min(0.45 * rate, 5_000), 6):
        swell = np.sin(2 * np.pi * rng.uniform(0.1, 2) * time + rng.uniform(0, 6))
        wave += 0.06 * swell**2 * np.sin(2 * np.pi * hz * time)
    return wave.T.astype(np.float32)


def encoded(rng, suffix, seconds):
    form, subtype = KINDS[suffix]
    rate, n_channels = int(rng.choice(RATES)), int(rng.choice([1, 2, 2, 4]))
    if seconds > 100:
        rate, n_channels = 22_050, 1  # the test is to be quick
    if suffix in ("mp3", "m4a", "opus"):
        rate = 48_000 if suffix == "opus" else int(rng.choice([44_100, 48_000]))
        n_channels = min(n_channels, 2)
    sound = music(rng, seconds, rate, n_channels)
    if form.islower():
        layout = {1: "mono", 2: "stereo", 4: "quad"}[n_channels]
        return by_pyav(form, subtype, sound.T, rate, layout)
    file = io.BytesIO()
    with soundfile.SoundFile(file, "w", rate, n_channels, subtype, format=form) as out:
        for start in range(0, len(sound), 1 << 16):  # of a minute at once ogg crashes
            out.write(sound[start : start + (1 << 16)])
    return file.getvalue()


def draw_folder(rng, root) -> Drawn:
    sounds, bad, unread, n_other = [], [], [], 0

    def place(name, data):
        path = root / str(rng.choice(PLACES)) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        return path

    stems = rng.permutation([f"{a} {b}" for a in WORDS for b in range(4)])
    suffixes = [*KINDS, *rng.choice(list(KINDS), N_SOUNDS - len(KINDS))]
    lengths = np.exp(rng.uniform(np.log(0.1), np.log(29), N_SOUNDS))
    lengths[:2] = 400, rng.uniform(30, 200)
    for n, suffix in enumerate(suffixes):
        data = encoded(rng, suffix, lengths[n])
        bare = n % 7 == 5 and suffix not in ("mka", "opus")  # known by its first bytes
        sounds.append(place(f"{stems[n]}.{'' if bare else suffix}".strip("."), data))
    one = audio.encode(np.ones(1, np.float32) / 2, 44_100, kind="wav")
    for name, data in (("1.wav", one), ("2.mp3", b""), ("3.flac", b"<html>")):
        bad.append(place(f"bad {name}", data))
    for name in ("cover.jpg", "notes.txt", "Thumbs.db", "list.m3u"):
        place(name, b"not any sound")
        n_other += 1
    for n, target in enumerate(rng.choice(sounds, 3)):  # links to what is there
        os.symlink(target, root / f"link {n}{target.suffix}")
    os.symlink(rng.choice([p.parent for p in sounds]), root / "folder")
    for name in ("gone.mp3", "lost folder"):
        os.symlink(root / "nowhere" / name, root / name)
        unread.append(root / name)
    for name in (".hidden.wav", ".Trash/x.wav", "Ann/.git/annex/y.mp3"):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(sounds[2].read_bytes())
    return Drawn(sounds, bad, unread, n_other)


def draw_table(rng, root, files, path):
    """Write labels of files as somebody might; give the tags of each file."""
    tags = {file: [t for t in ("rock", "slow") if rng.random() < 0.5] for file in files}
    separator = str(rng.choice([",", ";", "\t"]))
    is_list, has_index = rng.random() < 0.5, rng.random() < 0.5

    def named(file):
        below = file.relative_to(root)
        ways = [str(below), str(file), file.name, str(below).replace("/", "\\")]
        ways += [file.name.upper(), unicodedata.normalize("NFD", str(below))]
        return str(rng.choice(ways))

    column = str(rng.choice([*FILE, "Filename"]))
    rows = pd.DataFrame({column: [named(file) for file in files]})
    if is_list:
        rows["tags"] = [str(rng.choice([";", "|"])).join(tags[f]) for f in files]
    else:
        for tag in ("rock", "slow"):
            rows[tag] = [int(tag in tags[file]) for file in files]
    encoding = str(rng.choice(["utf-8", "utf-8-sig", "utf-16"]))
    end = str(rng.choice(["\n", "\r\n"]))
    how = {"sep": separator, "encoding": encoding, "lineterminator": end}
    rows.to_csv(path, index=has_index, **how)
    return tags


def heard(model, path, tags, full):
    """The scores of a file as `tag` gives them; of a long one in its middle 29 s."""
    samples = audio.load(path, model.sample_rate)
    if len(samples) <= full:
        return predict.tag_file(model, path, tags)[tags].to_numpy()
    rate = model.sample_rate
    start = (len(samples) - full) // (2 * rate) * rate
    return predict.timeline(model, samples[start : start + full], tags).mean()


@pytest.mark.parametrize("seed", range(2))
def test_one_sound_one_score_and_nothing_lost_unsaid(tmp_path, seed, capsys):
    rng = np.random.default_rng(seed)
    root = tmp_path / "music"
    drawn = draw_folder(rng, root)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        mine = corpus.open(root)
        found = tagging.find([root, drawn.sounds[0], root / "folder"])

        made = {
            rate: store.prepare(mine, rate, folder=tmp_path / str(rate))
            for rate in (12_000, 16_000)
        }
    # Each sound once, and each file that is none of them counted or named.
    assert sorted(found) == sorted([*drawn.sounds, *drawn.bad])
    assert mine.clips["mp3_path"].nunique() == len(mine.clips) == len(found)
    assert f"that are no sound: {drawn.n_other}\n" in capsys.readouterr().err
    said = [str(warning.message) for warning in caught]
    names = [str(path.relative_to(root)) for path in (*drawn.bad, *drawn.unread)]
    for name in names:
        assert any(name in text for text in said), name
    assert all(any(name in text for name in names) for text in said), said
    # The same scores from file and store, and none from a store of another rate.
    parts = {}
    for rate, clips in made.items():
        assert len(clips) == len(drawn.sounds) and len(clips.bad) == len(drawn.bad)
        labels = pd.DataFrame(np.uint8(1), clips.rows.index, ["any"])
        parts[rate] = batches.Examples(clips, labels, {})
    torch.manual_seed(0)
    networks = [checkpoints.load(name)[0] for name in ("mini/DielemanMel", "mini/K2C2")]
    for model in (*networks, models.SampleCNN(width=0.1)):
        for rate in made.keys() - {model.sample_rate}:
            with pytest.raises(ValueError, match=f"sample_rate={model.sample_rate}"):
                predict.clip_scores(model, parts[rate])
        part = parts[model.sample_rate]
        full = part.store.samples.shape[1]
        for clip_id, row in zip(
            part.labels.index, predict.clip_scores(model, part), strict=True
        ):
            wanted = heard(model, mine.path(clip_id), list(range(50)), full)
            difference = np.abs(row - wanted).max()
            assert difference <= 1e-3, (model, mine.path(clip_id), difference)


@pytest.mark.parametrize("seed", range(12))
def test_a_table_in_any_dialect_finds_its_files(tmp_path, seed):
    rng = np.random.default_rng(seed)
    root = tmp_path / "music"
    stems = rng.permutation([f"{a} {b}" for a in WORDS for b in range(4)])[:12]
    files = [root / str(rng.choice(PLACES)) / f"{stem}.mp3" for stem in stems]
    for file in files:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
    table = tmp_path / "labels.csv"
    tags = draw_table(rng, root, files, table)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        mine = corpus.open(table, folder=root)
    assert mine.clips["mp3_path"].is_unique and len(mine.clips) == 12, caught
    given = mine.labels("all")
    for clip_id in mine.clips.index:
        row = given.loc[clip_id]
        assert sorted(row.index[row == 1]) == sorted(tags[mine.path(clip_id)])
    # A row whose file is missing is named, and a second one for a file adds nothing.
    again = pd.read_csv(table, sep=None, engine="python", encoding=_encoding(table))
    again = pd.concat([again, again.iloc[[0]], again.iloc[[1]]])
    column = next(name for name in again if name.lower() in FILE)
    again.iloc[-1, again.columns.get_loc(column)] = "not there.mp3"
    again.to_csv(table, index=False)
    with pytest.warns(UserWarning, match="not there.mp3") as caught:
        assert len(corpus.open(table, folder=root).clips) == 12
    assert all("labels.csv" in str(warning.message) for warning in caught)


def _encoding(path):
    start = path.read_bytes()[:2]
    return "utf-16" if start in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
