"""The corpus recorded: free licences, whole clips, words stated before any tagging."""

import io
import struct
import tarfile
import zlib
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from conftest import tone
from tagkit.data import audio, corpus, tags
from tagkit.training import checkpoints

FOLDER = corpus.SHIPPED / "recorded"
LICENCES = {
    "CC0 1.0": "https://creativecommons.org/publicdomain/zero/1.0/",
    "CC BY 3.0": "https://creativecommons.org/licenses/by/3.0/",
    "CC BY 4.0": "https://creativecommons.org/licenses/by/4.0/",
    "CC BY-SA 3.0": "https://creativecommons.org/licenses/by-sa/3.0/",
    "CC BY-SA 4.0": "https://creativecommons.org/licenses/by-sa/4.0/",
    "Expat": "https://spdx.org/licenses/MIT.html",
    "public domain": "https://creativecommons.org/publicdomain/mark/1.0/",
}


@pytest.fixture
def builder(monkeypatch):
    monkeypatch.syspath_prepend(str(corpus.SHIPPED))
    import build_recorded

    return build_recorded


@pytest.fixture
def examiner(monkeypatch):
    monkeypatch.syspath_prepend(str(corpus.SHIPPED))
    import cross_examine

    return cross_examine


@pytest.fixture(scope="module")
def recorded():
    return corpus.open("recorded")


def test_opens_wherever_own_data_lie(monkeypatch, tmp_path, recorded):
    monkeypatch.setattr(corpus, "DATA", tmp_path)
    again = corpus.open("recorded")
    assert again.clips.equals(recorded.clips)
    assert (again.name, again.key, again.root) == ("recorded", "recorded", FOLDER)
    assert 20 <= len(again.clips) <= 30
    assert again.clips.index.tolist() == list(range(1, len(again.clips) + 1))
    assert again.truth is None
    with pytest.raises(ValueError, match=r"recorded has no tags.*row per clip id"):
        again.labels()


def test_files_are_those_of_the_sums_and_few(builder, tmp_path):
    assert builder.check(FOLDER) == []
    sums = (FOLDER / "SHA256SUMS").read_text().splitlines()
    named = {line.split("  ")[1] for line in sums}
    there = {p.relative_to(FOLDER).as_posix() for p in FOLDER.rglob("*.mp3")}
    assert named == there | {"recorded.csv"}
    n_bytes = sum(p.stat().st_size for p in FOLDER.rglob("*") if p.is_file())
    assert n_bytes <= 6_000_000
    (tmp_path / "SHA256SUMS").write_text(f"{'0' * 64}  a.mp3\n")
    (tmp_path / "a.mp3").write_bytes(b"changed")
    assert builder.check(tmp_path) == ["a.mp3"]


def test_every_clip_is_whole_and_sounds_throughout(recorded):
    for clip_id in recorded.clips.index:
        samples = recorded.load(clip_id)
        assert len(samples) == audio.CLIP_SAMPLES
        seconds = samples[: 29 * audio.SAMPLE_RATE].reshape(29, -1)
        level = 10 * np.log10((seconds**2).mean(axis=1) + 1e-12)
        assert np.quantile(level, 0.25) > -40, clip_id
        assert level.min() > -50, clip_id
        assert np.mean(abs(samples) > 0.999) < 1e-3, clip_id


def test_attribution_is_complete_and_the_licence_free(recorded):
    may_be_empty = {"words", "words_stated", "tags", "note"}
    table = pd.read_csv(FOLDER / "recorded.csv", keep_default_na=False)
    must = table.drop(columns=list(may_be_empty)).astype(str)
    assert (must.apply(lambda column: column.str.strip().str.len()) > 0).all(axis=None)
    assert (
        recorded.clips["licence"].map(LICENCES) == table["licence_url"].values
    ).all()
    folder = recorded.clips["mp3_path"].str.split("/").str[0]
    lower = recorded.clips["licence"].str.lower().str.replace(" ", "-")
    assert folder.tolist() == lower.tolist()
    text = (FOLDER / "LICENCES.txt").read_text()
    assert all(f"{name}/" in text for name in folder)
    of_a_kind = recorded.clips["licence"] == "Expat"
    for path in recorded.clips.loc[of_a_kind, "mp3_path"]:
        assert path.split("/")[1] in text  # with its copyright line
    assert (table["words"] == "").eq(table["words_stated"] == "").all()


def test_credit_says_what_a_licence_asks_for(recorded):
    for clip_id, clip in recorded.clips.iterrows():
        credit = recorded.credit(clip_id)
        needed = ["title", "artist", "licence", "licence_url", "package", "version"]
        assert all(clip[name] in credit for name in needed)
        assert credit.endswith("excerpt")
    mini = corpus.open("mini")
    first = mini.clips.iloc[0]
    assert mini.credit(mini.clips.index[0]) == f"{first.title} by {first.artist}"


def test_card_lists_every_piece_with_its_notes(builder):
    card = (corpus.SHIPPED / "README.md").read_text()
    within = card.split(builder.MARKS[0])[1].split(builder.MARKS[1])[0]
    assert within.strip().splitlines() == list(builder.card(FOLDER))


def test_tags_follow_from_the_words_by_the_list(builder, recorded):
    for clip in recorded.clips.itertuples():
        assert clip.tags == ", ".join(builder.true_tags(clip.words))
    stated = " ".join(recorded.clips["words"])
    assert all(word in stated for word in builder.WORDS)
    known = {*tags.RAW50, *tags.LASTFM50, *corpus.open("mini").annotations}
    assert {tag for some in builder.WORDS.values() for tag in some} <= known
    assert builder.true_tags("rocks, shed") == []
    assert builder.true_tags("classic rock") == ["classic rock", "rock"]


def test_swing_finds_the_loud_part_and_passes_over_breaks(builder):
    rate, rng = builder.RATE, np.random.default_rng(0)
    level = np.full(120, 0.01)
    level[2:4] = 1.0  # a bang at the beginning
    level[40:75] = 0.1
    level[44:74:6] = 0.001  # five short breaks in the loud part
    level[90:110] = 0.15  # louder, but too short
    noise = rng.standard_normal((120, rate)).astype(np.float32) * level[:, None]
    assert 40 <= builder.swing(noise.ravel()) <= 46
    even = np.ones(60 * rate, np.float32)
    assert builder.swing(even) == builder.EDGE
    louder = np.repeat(np.arange(1, 61, dtype=np.float32), rate)
    assert builder.swing(louder) == 60 - 30 - builder.EDGE  # not beyond the edge


def test_piece_is_taken_from_its_package_and_its_parts_added(builder, tmp_path):
    one, two = tone(220, 2.0), tone(330, 1.0)
    with tarfile.open(tmp_path / "songs-1.0.tar.gz", "w:gz") as package:
        for name, samples in (("a b.flac", one), ("two.flac", two)):
            data = audio.encode(samples / 4, kind="flac")
            entry = tarfile.TarInfo(f"songs-1.0/{name}")
            entry.size = len(data)
            package.addfile(entry, io.BytesIO(data))
    row = SimpleNamespace(
        source="PyPI",
        package="songs",
        version="1.0",
        path="songs-1.0/a b.flac + songs-1.0/two.flac",
    )
    samples = builder.piece(row, tmp_path)
    rate = builder.RATE
    assert len(samples) == 2 * rate
    half = audio.resample(one / 4, audio.SAMPLE_RATE, rate)
    assert samples[rate + 100 :] == pytest.approx(half[rate + 100 :], abs=1e-3)
    assert abs(samples[:rate] - half[:rate]).max() > 0.1


def qt_file(nodes, names, content):
    """A resource file: nodes (name's offset, flags, two numbers), and both tables."""
    tree = b"".join(
        struct.pack(">IHIIQ", name, flags, first, second, 0)
        for name, flags, first, second in nodes
    )
    places = (20, 20 + len(tree), 20 + len(tree) + len(content))
    return b"qres" + struct.pack(">IIII", 3, *places) + tree + content + names


def test_qt_resource_gives_a_file_of_the_tree(builder):
    packed = struct.pack(">I", 5) + zlib.compress(b"hello")
    content = b"".join(struct.pack(">I", len(d)) + d for d in (b"plain", packed))
    names = b"".join(
        struct.pack(">HI", len(name), 0) + name.encode("utf-16-be")
        for name in ("music", "a.ogg", "b")
    )
    # The root holds music, which holds a.ogg (plain) and b (packed).
    nodes = [(0, 2, 1, 1), (0, 2, 2, 2), (16, 0, 0, 0), (32, 1, 0, 9)]
    data = qt_file(nodes, names, content)
    assert builder.qt_resource(data, "music/a.ogg") == b"plain"
    assert builder.qt_resource(data, "music/b") == b"hello"


def test_hits_count_pieces_that_have_a_word(examiner):
    said = [["rock", "loud"], ["piano", "slow"], ["cello", "slow"], ["rock", "fast"]]
    true = [["rock"], ["slow"], ["violin"], []]
    answers = pd.DataFrame({"said": said, "true": true})
    # By chance: rock fits none of the others, slow one, violin none.
    assert examiner.hits(answers) == (2, 3, pytest.approx(1 / 6))
    marked = [examiner.first_three(row) for _, row in answers.iterrows()]
    assert marked == [
        "**rock**, loud",
        "piano, **slow**",
        "cello, slow",
        "(rock, fast)",
    ]


def test_card_says_what_the_networks_say(examiner, recorded, monkeypatch):
    card = (corpus.SHIPPED / "README.md").read_text()
    card = card.split("<!-- recorded: begin")[1].split("<!-- recorded: end")[0]
    few = recorded.clips.loc[[1, 8, 15]]
    names = ["lastfm50", "magnatagatune", *sorted(checkpoints.shipped())[2:]]
    two = corpus.Corpus("recorded", FOLDER, few[[]], few)
    monkeypatch.setattr(corpus, "open", lambda name: two)
    for name in names[:2]:
        answers = examiner.examine_recorded(name)
        for clip_id, answer in answers.iterrows():
            title, words = few.loc[clip_id, ["title", "words"]]
            row = next(
                line
                for line in card.splitlines()
                if line.startswith(f"| {clip_id} | {title} | {words} |")
            )
            assert examiner.first_three(answer) in row
    rates = [line for line in card.splitlines() if line.startswith("| mini/")]
    assert [line.split(" | ")[0][2:] for line in rates] == names[2:]
