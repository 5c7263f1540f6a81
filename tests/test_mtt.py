"""The real tables of MagnaTagATune: every figure that the course states of them."""

import dataclasses
import json

import numpy as np
import pandas as pd
import pytest
import torch

from conftest import MTT
from tagkit import cli, models
from tagkit.data import audio, batches, corpus, store, tags
from tagkit.evaluation import predict

REAL = next((MTT / "clips").rglob("*.mp3"), None)  # the one clip with sound
needs_sound = pytest.mark.skipif(REAL is None, reason=f"no clips in {MTT}")


@pytest.fixture(scope="module")
def annotated(mtt):
    return mtt.annotations


def counts(name):
    return pd.read_csv(MTT / name)


def test_size(mtt, annotated):
    assert annotated.shape == (25_863, 188)
    assert len(mtt.clips) == 25_860
    assert set(annotated.index) - set(mtt.clips.index) == {35644, 55753, 57881}
    assert annotated.index.is_monotonic_increasing


def test_tags_per_clip(annotated):
    per_clip = annotated.sum(axis=1)
    assert annotated["guitar"].sum() == 4_852
    assert per_clip.max() == 27
    assert (per_clip == 0).sum() == 4_221
    assert round(per_clip.mean(), 3) == 3.456
    first = [4221, 3545, 3786, 3594, 2930, 2312, 1710, 1145, 865, 627, 391]
    assert per_clip.value_counts().sort_index().loc[:10].tolist() == first


def test_pairs_of_weber(annotated):
    guitar_techno = tags.pair_counts(annotated, "guitar", "techno")
    piano_rock = tags.pair_counts(annotated, "piano", "rock")
    assert (guitar_techno["either"], guitar_techno["both"]) == (7_727, 79)
    assert (piano_rock["either"], piano_rock["both"]) == (4_387, 40)


def test_raw_top_50_is_the_published_list(annotated):
    published = counts("mtt_tag_counts.csv")
    assert annotated.shape[1] == len(published)
    expected = published[published["in_top50"] == 1].sort_values("rank")
    top = tags.choose(annotated, "raw50")
    assert list(top.columns) == expected["tag"].tolist() == tags.RAW50
    assert top.sum().tolist() == expected["count_all"].tolist()


def test_every_count_of_every_tag_in_every_part(mtt, annotated):
    published = counts("mtt_tag_counts.csv").set_index("tag")
    column = "annotations_csv_column_1based_after_clip_id"
    assert list(annotated.columns) == published[column].sort_values().index.tolist()
    info = corpus.annotations.read(MTT / "annotations_final.csv.gz")["mp3_path"]
    split = tags.folder_split(info)
    assert split.value_counts().to_dict() == {
        "train": 18_709,
        "valid": 1_825,
        "test": 5_329,
    }
    for part, name in (
        ("train", "count_train_0_b"),
        ("valid", "count_valid_c"),
        ("test", "count_test_d_f"),
    ):
        found = annotated[split == part].sum().astype(int)
        pd.testing.assert_series_equal(
            found.sort_index(),
            published[name].sort_index().astype(int),
            check_names=False,
        )


def test_merged_top_50_is_that_of_the_seeds(annotated):
    published = counts("mtt_merged50_counts.csv")
    expected = published.sort_values("alphabetical_index_0based")
    merged = tags.choose(annotated, "merged50")
    assert list(merged.columns) == expected["tag"].tolist()
    assert merged.sum().tolist() == expected["count_all"].tolist()
    everything = tags.merge_synonyms(annotated)
    assert everything.shape[1] == 134
    assert everything["chorus"].sum() == 241  # the 51st
    for name, raws in zip(expected["tag"], expected["merged_from"], strict=True):
        mine = set(tags.MERGE_GROUPS.get(name, (name,)))
        assert mine & set(annotated.columns) == set(str(raws).split("|")), name


@pytest.mark.parametrize(
    ("tag_list", "version", "sizes", "rate", "fewest"),
    [
        ("raw50", "full", (18_706, 1_825, 5_329), 0.0531, (286, 3, 20)),
        ("raw50", "clean", (15_247, 1_529, 4_332), 0.0653, (286, 3, 20)),
        ("merged50", "full", (18_706, 1_825, 5_329), 0.0526, (164, 6, 20)),
        ("merged50", "clean", (15_425, 1_538, 4_392), 0.0639, (164, 6, 20)),
    ],
)
def test_split_sizes_and_floors(mtt, tag_list, version, sizes, rate, fewest):
    table = mtt.describe(tag_list, version)
    assert tuple(table["clips"]) == sizes
    assert table.at["test", "positive_rate"] == rate
    assert table.at["test", "nothing_right"] == pytest.approx(1 - rate, abs=1e-9)
    assert tuple(table["fewest_positives"]) == fewest
    split = mtt.split(tag_list, version)
    assert tuple(split.value_counts()[["train", "valid", "test"]]) == sizes
    if version == "clean":
        assert mtt.labels(tag_list).loc[split.index].any(axis=1).all()


def test_tracks_albums_and_artists(mtt):
    table = mtt.describe()
    assert tuple(table["albums"]) == (326, 29, 91)
    assert tuple(table["artists"]) == (190, 26, 75)
    assert tuple(table["tracks"]) == (3_923, 353, 1_129)
    assert corpus.track_names(mtt.clips).nunique() == 5_405


def test_no_track_and_no_album_is_in_two_folders_but_artists_are(mtt):
    clips, split = mtt.clips, mtt.split()
    folder = clips["mp3_path"].str[0]
    for group in (corpus.track_names(clips), clips["url"], clips["original_url"]):
        assert (folder.groupby(group).nunique() == 1).all()
        assert tags.overlap(split, group) == 0
    assert clips["artist"].nunique() == 230
    assert (folder.groupby(clips["artist"]).nunique() > 1).sum() == 101
    leak = tags.overlap(split, clips["artist"])
    assert round(leak * 5_329) == 3_284


def test_random_split_leaks_tracks(mtt):
    split = tags.random_split(mtt.clips.index, seed=0)
    assert tags.overlap(split, corpus.track_names(mtt.clips)) > 0.9


def test_contradictions(annotated):
    found = tags.contradictions(annotated)
    both = {(r.tag, r.other): r.n_both for r in found.itertuples()}
    assert both == {
        ("loud", "quiet"): 3,
        ("slow", "fast"): 65,
        ("vocal", "no vocal"): 18,
        ("vocals", "no vocals"): 19,
        ("voice", "no voice"): 9,
        ("male", "female"): 30,
        ("man", "woman"): 15,
        ("drums", "no drums"): 17,
        ("guitar", "no guitar"): 11,
        ("piano", "no piano"): 36,
        ("flute", "no flute"): 9,
        ("rock", "not rock"): 4,
        ("classical", "not classical"): 2,
    }


def test_given_a_harpsichord_it_is_classical_but_not_the_other_way(annotated):
    given = tags.cooccurrence(annotated)
    a = annotated["harpsichord"] == 1
    b = annotated["classical"] == 1
    assert given.loc["harpsichord", "classical"] == (a & b).sum() / a.sum()
    assert given.loc["classical", "harpsichord"] == (a & b).sum() / b.sum()
    assert given.loc["harpsichord", "classical"] > 0.5
    assert given.loc["classical", "harpsichord"] < 0.3


def test_what_lesson_05_says_of_voices(mtt):
    labels = mtt.annotations.loc[mtt.clips.index]

    def any_of(*groups):
        words = {word for name in groups for word in tags.MERGE_GROUPS[name]}
        return labels[[tag for tag in labels if tag in words]].any(axis=1)

    none = any_of("no singer")
    some = any_of("vocal", "singer", "female", "male", "choir", "opera", "chant")
    assert (none.sum(), (~none & ~some).sum()) == (2_550, 17_806)
    rock = labels["rock"]
    assert round(rock[any_of("male")].mean(), 2) == 0.35
    assert round(rock[any_of("female")].mean(), 2) == 0.08


@needs_sound
def test_the_real_clip_decodes(mtt):
    samples = audio.load(REAL)
    assert samples.shape == (465_984,) == (audio.CLIP_SAMPLES,)
    assert 0.05 < abs(samples).max() <= 1
    assert audio.load(REAL, 12_000).shape == (349_488,)
    name = str(REAL.relative_to(MTT / "clips"))
    assert (mtt.clips["mp3_path"] == name).sum() == 1


@pytest.fixture(scope="module")
def real(mtt, tmp_path_factory):
    """The one real clip, prepared at each rate, with its labels."""
    name = str(REAL.relative_to(MTT / "clips"))
    alone = mtt.clips[mtt.clips["mp3_path"] == name]
    alone = dataclasses.replace(mtt, root=MTT / "clips", clips=alone)
    found = {}
    for rate in (12_000, 16_000):
        made = store.prepare(alone, rate, folder=tmp_path_factory.mktemp("store"))
        assert len(made) == 1 and made.bad.empty
        (clip_id,) = alone.clips.index
        assert np.abs(made.read(clip_id) - audio.load(REAL, rate)).max() < 1e-4
        found[rate] = batches.examples(alone, made, [clip_id])
    return found


@needs_sound
@pytest.mark.parametrize("name", models.MODELS)
def test_the_real_clip_passes_every_model(real, name):
    torch.manual_seed(0)
    model = models.build(name, n_tags=50)
    scores = predict.clip_scores(model, real[model.sample_rate])
    assert scores.shape == (1, 50) and np.isfinite(scores).all()
    assert 0 < scores.min() < scores.max() < 1


@needs_sound
def test_the_real_clip_is_tagged(capsys):
    assert cli.main(["tag", str(REAL), "--top", "50", "--format", "table"]) == 0
    line = capsys.readouterr().out
    assert line.startswith(f"{REAL}: ") and line.count(", ") == 49
    assert cli.main(["tag", str(REAL), "--timeline", "--format", "json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert len(rows) == 10 and all(0 < row["guitar"] < 1 for row in rows)
