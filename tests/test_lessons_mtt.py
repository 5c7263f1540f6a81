"""The lessons on the real tables of MagnaTagATune: every cell that needs no sound.

Cells that hear or train are left out, and so is what needs them; widgets show nothing.
Where later cells only need numbers of the right shape from them, such as scores, random
ones stand in.
"""

import ast
import dataclasses
import functools
import gzip
import json
from unittest import mock

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from conftest import MTT
from tagkit import widgets
from tagkit.data import batches, corpus, store
from tagkit.evaluation import metrics

COURSE = corpus.SHIPPED.parent / "course"
# Words of cells that need sound, a network or a reader.
SOUND = ("audio.", "music.load", "music.path", "clips.read", "train.fit",
         "models.", "predict.", "runs.", "features.", "batches.RandomCrops",
         "torch.", "tempfile", "mel.", "doctor", "cdist", "tsne(", "TSNE(")  # fmt: skip


class Silence:
    """A store of as many clips as there are rows, without a byte of sound."""

    def __init__(self, music):
        n_clips = len(music.clips)
        self.samples = np.broadcast_to(np.int16(0), (n_clips, 349_488))
        self.sample_rate, self.bad = 12_000, pd.DataFrame({"reason": []})
        self.rows = pd.Series(range(n_clips), music.clips.index)
        self.lengths = pd.Series(349_488, music.clips.index)

    def __len__(self):
        return len(self.rows)


def names(tree, kind):
    found = {n.id for n in ast.walk(tree) if isinstance(getattr(n, "ctx", None), kind)
             and isinstance(n, ast.Name)}  # fmt: skip
    if kind is ast.Store:
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.ClassDef):
                found.add(node.name)
            if isinstance(node, ast.Import | ast.ImportFrom):
                found |= {(a.asname or a.name).split(".")[0] for a in node.names}
    return found


def run(lesson, space, stand_ins=None):
    """Run a lesson's cells on MagnaTagATune; give the ids of those that ran.

    A cell that needs sound is left out, except for its imports, and so is each later
    cell that uses a name which only such a cell makes. stand_ins gives such names.
    """
    ran, missing = [], set()
    cells = json.loads((COURSE / lesson).read_text())["cells"]
    for cell in cells:
        if cell["cell_type"] != "code":
            continue
        source = "".join(cell["source"]).replace(
            'CORPUS = "mini"', 'CORPUS = "magnatagatune"'
        )
        tree = ast.parse(source)
        body = [n for n in tree.body if isinstance(n, ast.Import | ast.ImportFrom)]
        exec(compile(ast.Module(body, []), cell["id"], "exec"), space)
        rest = ast.unparse([n for n in tree.body if n not in body])
        needs = (names(tree, ast.Load) - names(tree, ast.Store)) & missing
        if needs or any(word in rest for word in SOUND):
            made = names(tree, ast.Store)
            missing |= made - names(ast.Module(body, []), ast.Store)
            for name in made & set(stand_ins or {}):
                space[name] = stand_ins[name](space)
                missing.discard(name)
            continue
        exec(compile(tree, f"{lesson}, {cell['id']}", "exec"), space)
        plt.close("all")
        missing -= names(tree, ast.Store)
        ran.append(cell["id"])
    return ran


@pytest.fixture(scope="module")
def opened(mtt, tmp_path_factory):
    """The corpus, as corpus.open("magnatagatune") gives it where it is downloaded."""
    root = tmp_path_factory.mktemp("magnatagatune")
    for name in ("annotations_final.csv", "clip_info_final.csv"):
        packed = MTT / f"{name}.gz"
        data = gzip.decompress(packed.read_bytes()) if packed.exists() else None
        (root / name).write_bytes(data or (MTT / name).read_bytes())
    return dataclasses.replace(mtt, root=root, name="magnatagatune")


@pytest.fixture
def space(opened, monkeypatch, capsys):
    """What a notebook finds: names, and a corpus without sound."""
    monkeypatch.setattr(corpus, "open", lambda name: opened)
    monkeypatch.setattr(store, "prepare", lambda music, **more: Silence(music))
    for name in (
        "evaluate",
        "compare",
        "compare_tags",
    ):  # intervals of few draws, for speed
        quick = functools.partial(getattr(metrics, name), n_boot=20)
        monkeypatch.setattr(metrics, name, quick)
    for name in widgets.__all__:
        monkeypatch.setattr(widgets, name, mock.Mock(name=name))
    return {"display": lambda *things: print(*map(str, things), sep="\n")}


@pytest.fixture
def thin(monkeypatch):
    """Every eighth clip of a part, a third of a sample: the test takes seconds."""
    whole = batches.examples

    def some(music, clips, part="train", *args, **more):
        examples = whole(music, clips, part, *args, **more)
        every = 8 if isinstance(part, str) else 3  # lesson 06 takes a sample itself
        return examples.take(examples.labels.index[::every])

    monkeypatch.setattr(batches, "examples", some)


def scores_of(space):
    axes = space["test_set"].labels.axes
    names = ("k2c2", "raw", "borrowed")
    tables = np.random.default_rng(0).random((3, *map(len, axes)))
    return {n: pd.DataFrame(t, *axes) for n, t in zip(names, tables, strict=True)}


def nearest_of(space):
    """A tagger with random scores, where lesson 01 measures distances of sounds."""
    random, n_tags = np.random.default_rng(0), space["raw50"].shape[1]
    return lambda new, known, banned=None: random.random((len(new), n_tags))


STAND_INS = {
    "01_dataset_analysis": {
        "clips": lambda space: Silence(space["music"]),
        "colour": lambda space: pd.DataFrame(index=space["music"].clips.index),
        "nearest": nearest_of,
    },
    "05_per_tag_evaluation": {
        "labels": lambda space: space["test_set"].labels,
        "artists": lambda space: space["test_set"].artists,
        "judges": lambda space: {"the crowd": space["test_set"].labels},
        "scores": scores_of,
    },
}


def test_lesson_01_counts_what_it_says(space, capsys):
    ran = run("01_dataset_analysis.ipynb", space, STAND_INS["01_dataset_analysis"])
    assert len(ran) >= 15, ran
    said = capsys.readouterr().out
    for words in (
        "25865 pieces",
        "sum 4480, clips with any of them 2067",
        "Nobody knows what is true of magnatagatune",
    ):
        assert words in said, words
    about, counts, given = (space[name] for name in ("about", "counts", "given"))
    sizes = [about["title"].nunique(), space["tracks"].nunique(), len(about)]
    assert sizes == [5_248, 5_405, 25_860] and space["artists"].nunique() == 230
    assert len(counts) == 188 and counts["guitar"] == 4_852
    assert (counts.index[-1], counts.iloc[-1]) == ("clasical", 23)
    assert round((space["per_clip"] == 0).mean(), 3) == 0.163
    assert round(given.loc["harpsichord", "classical"], 2) == 0.76
    assert round(given.loc["classical", "harpsichord"], 2) == 0.19
    guitar = given.loc["guitar", "techno"] * counts["guitar"]
    assert round(guitar) == 79
    assert round(counts["guitar"] + counts["techno"] - guitar) == 7_727
    shares = space["shares"].set_index(["split by", "same"])["share"].round(3)
    assert shares["folders"].to_dict() == {"track": 0, "artist": 0.616}
    assert shares["artists"].sum() == 0
    assert round(shares["random", "track"], 2) == 0.96
    assert round(shares["random", "artist"], 2) == 1
    floors = pd.DataFrame(space["rows"]).T
    assert floors["AP floor"].round(4).tolist() == [0.0531, 0.0653]
    assert round(floors["no tag, accuracy"]["full"], 3) == 0.947


def test_lesson_04_tells_how_many_clips_follow_their_own_track(opened):
    assert "4,392 test clips, 75 % follow" in (COURSE / "04_crnn.ipynb").read_text()
    clean = opened.split("merged50", "clean")  # the clips of the report
    clips = opened.clips.loc[clean.index[clean == "test"]]
    tracks = corpus.track_names(clips).to_numpy()
    assert len(tracks) == 4_392
    assert round((tracks[1:] == tracks[:-1]).mean(), 2) == 0.75


@pytest.mark.parametrize(
    ("lesson", "least"),
    [
        ("02_raw_waveform_cnns", 2),
        ("03_spectrogram_cnns", 3),
        ("05_per_tag_evaluation", 13),
    ],
)
def test_the_other_lessons_run_as_far_as_tables_go(space, thin, lesson, least):
    """Scores are random; the labels are real, and nobody knows the truth of them."""
    ran = run(f"{lesson}.ipynb", space, STAND_INS.get(lesson))
    assert len(ran) >= least, ran
    assert space["music"].truth is None
