"""The documents' experiments: folds, arms, and each kind run for two epochs."""

import json
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch

from tagkit.data import batches, corpus, store
from tagkit.evaluation import metrics

sys.path.insert(0, str(corpus.SHIPPED))

import record_experiments as experiments  # noqa: E402


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


# -- folds


@pytest.mark.parametrize("by", ["folder", "artist"])
@pytest.mark.parametrize("n_valid", [1, 4])
def test_every_clip_is_scored_once_by_a_network_that_never_met_its_group(
    mini, by, n_valid
):
    group = experiments.groups(mini, by)
    assert sorted(group.unique()) == list(range(16))
    assert group.value_counts().between(26, 34).all()
    scored = []
    for train, valid, test in experiments.folds(group, n_valid):
        parts = [set(group[ids]) for ids in (train, valid, test)]
        assert [len(part) for part in parts] == [12 - n_valid, n_valid, 4]
        assert len(set.union(*parts)) == 16
        assert len(train) + len(valid) + len(test) == len(mini.clips) == 480
        if by == "artist":
            artists = [set(mini.clips.loc[i, "artist"]) for i in (train, valid, test)]
            assert not artists[0] & artists[2] and not artists[1] & artists[2]
            assert not artists[0] & artists[1]
        scored += list(test)
    assert sorted(scored) == sorted(mini.clips.index)


def test_folders_are_folders(mini):
    group = experiments.groups(mini, "folder")
    for letter, part in mini.clips.groupby(mini.clips["mp3_path"].str[0]):
        assert set(group[part.index]) == {int(letter, 16)}


def test_a_share_in_training_does_not_rank():
    """Four networks that say what they met most often know nothing."""
    random = np.random.default_rng(0)
    labels = random.random((400, 30)) < 0.1
    fold = np.repeat(range(4), 100)
    shares = np.array([labels[fold != i].mean(axis=0) for i in range(4)])
    arrays = {"scores mean": shares[fold], "shares": shares, "fold": fold}
    raw = np.mean(metrics.roc_auc(labels, shares[fold]))
    assert raw < 0.45  # where a tag is frequent, the others met it less often
    scores = experiments.comparable(arrays)
    np.testing.assert_allclose(metrics.roc_auc(labels, scores), 0.5, atol=1e-9)


# -- what some arms do to the clips


def test_a_low_pass_keeps_the_twenty_strongest():
    time = np.arange(4000) / 4000
    waves = [(200 - 5 * k) * np.sin(2 * np.pi * 40 * (k + 1) * time) for k in range(25)]
    found = np.abs(np.fft.rfft(experiments.low_pass(np.round(sum(waves)))))
    peaks = found[40 * np.arange(1, 26)] / 2000
    np.testing.assert_allclose(peaks[:20], 200 - 5 * np.arange(20), atol=1)
    assert peaks[20:].max() < 1


def test_a_low_passed_store_is_a_store(mini, tmp_path, monkeypatch):
    whole = store.prepare(mini, 12_000)
    monkeypatch.setattr(experiments, "low_pass", lambda samples: samples // 2)
    made = experiments.low_passed(whole, tmp_path / "low")
    assert len(made) == len(whole) and made.sample_rate == 12_000
    assert np.array_equal(made.samples[3], whole.samples[3] // 2)


@pytest.mark.parametrize("order", ["shuffled", "fixed", "drawn"])
def test_whole_clips_come_in_an_order(mini, order):
    clips = store.prepare(mini, 16_000)
    known = batches.examples(mini, clips, "valid").take(12)
    crops = experiments.WholeClips.of(known, order).crops(
        51_776, 16_000, batch_size=45, crops_per_clip=9
    )
    epochs = []
    for k in (1, 2):
        ids = [crops.clips(k, number) for number in range(3)]
        assert [len(some) for some in ids] == [45, 45, 18]
        order_of = [i for some in ids for i in some[::9]]
        assert [i for some in ids for i in some] == np.repeat(order_of, 9).tolist()
        epochs.append(order_of)
    assert (epochs[0] == epochs[1]) == (order == "fixed")
    assert (len(set(epochs[0])) == 12) == (order != "drawn")
    _, starts = crops._plan(1)
    np.testing.assert_array_equal(starts[:9], 51_776 * np.arange(9))


# -- points


SMALLEST = [
    ("a", "piano-rock mse"),
    ("b", "K2C1"),
    ("c", "momentum 0.99, rate 0.25"),
    ("d", "length 1024, stride 1024"),
    ("e", "clip"),
    ("f", "improved watch roc_auc"),
    ("g", "CRNN rate 0.002"),
    ("h", "PonsSpectrogram 1"),
    ("i", "CRNNAttention"),
]


@pytest.mark.parametrize(("letter", "name"), SMALLEST)
def test_the_smallest_of_each_kind_runs(mini, letter, name):
    arm = experiments.EXPERIMENTS[letter].arms[name]
    short = replace(arm, config=arm.config | {"epochs": 2})
    said, arrays = experiments.point(mini, short, "folder", 0, n_clips=3)
    n_tags = 2 if arm.pair else 50
    for merge in arm.merges:
        scores = arrays[f"scores {merge}"]
        assert scores.shape == (12, n_tags) and np.isfinite(scores).all()
    histories = [row["history"] for row in said["parts"]]
    assert [len(history["loss"]) for history in histories] == [2] * 4
    assert all(row["n_train"] <= 3 for row in said["parts"])
    assert len(set(arrays["ids"])) == 12 and len(said["tags"]) == n_tags
    if letter == "a":
        assert len(histories[0]["train_roc_auc"]) == 2
        assert [len(steps) for steps in histories[0]["step_losses"]] == [1, 1]
    json.dumps(said)


def test_shuffled_labels_cannot_be_learnt(mini):
    arm = experiments.EXPERIMENTS["e"].arms["window"]
    short = replace(arm, config=arm.config | {"epochs": 3})
    said, arrays = experiments.point(
        mini, short, "folder", 0, n_clips=60, shuffled=True
    )
    assert len(arrays["ids"]) == 240
    assert 0.44 < said["macro"]["mean"]["roc_auc"] < 0.56
    true = mini.labels("raw50").loc[arrays["ids"]].to_numpy()
    assert (true != arrays["labels"]).any()


def test_a_training_that_collapses_is_recorded_as_knowing_nothing(mini):
    arm = experiments.EXPERIMENTS["c"].arms["momentum 0.99, rate 1"]
    high = replace(arm, config=arm.config | {"epochs": 2, "learning_rate": 1e30})
    said, arrays = experiments.point(mini, high, "folder", 0, n_clips=12)
    assert all("the loss" in row["collapsed"] for row in said["parts"])
    assert said["macro"]["mean"]["roc_auc"] == 0.5


# -- records


@pytest.fixture
def small(mini, monkeypatch, tmp_path):
    """Two arms on few clips, recorded in a folder of their own."""
    arm = experiments.EXPERIMENTS["e"].arms["window"]
    arm = replace(arm, config=arm.config | {"epochs": 1}, folds={"folder": (0, 1)})
    known = replace(
        experiments.EXPERIMENTS["e"],
        arms={
            "window": arm,
            "clip": replace(arm, config=arm.config | {"loss": "clip"}),
        },
    )
    point = experiments.point
    monkeypatch.setattr(
        experiments, "point", lambda *a, **how: point(*a, **how, n_clips=20)
    )
    monkeypatch.setattr(experiments, "EXPERIMENTS", {"e": known})
    monkeypatch.setattr(experiments, "RESULTS", tmp_path / "results")
    monkeypatch.setattr(experiments, "CACHE", tmp_path / "cache")


def test_records_are_made_once_and_read(small, monkeypatch):
    points = experiments.todo(["e"])
    assert points == [("e", a, "folder", s) for s in (0, 1) for a in ("window", "clip")]
    lines = [experiments.record(*one) for one in points]
    assert lines[0].startswith("e window, folder, seed 0: {'mean'")
    assert not any(experiments.CACHE.rglob("last.pt"))
    said = json.loads(experiments.path_of(*points[0]).read_text())
    assert said["command"] == "python data/record_experiments.py e"
    assert "480 clips" in said["reduced"] and said["question"]
    monkeypatch.setattr(experiments, "point", None)
    assert [experiments.record(*one) for one in points] == lines
    table = experiments.table("e", n_boot=20)
    assert table["arm"].tolist() == ["window"] * 2 + ["clip"] * 2
    assert (table["n_seeds"] == 2).all() and (table["n_clips"] == 80).all()
    assert (table["roc_low"] < table["roc_high"]).all()
    of_tags = experiments.per_tag("e", "window", "clip")
    assert of_tags.columns.tolist() == ["n_clips", "window", "clip"]
    assert np.nanmean(of_tags["clip"]) == pytest.approx(table["roc_auc"][2], abs=1e-9)
    labels, scores, artists = experiments.read("e", "clip", merge="mean_logits")
    assert scores.shape == (2, 80, 50) and len(artists) == len(labels) == 80


def test_a_point_that_is_missing_names_its_command():
    with pytest.raises(FileNotFoundError, match=r"record_experiments\.py z"):
        experiments.read("z", "window")


def test_all_experiments_are_recorded_and_took_under_four_hours_on_two_cores():
    assert list(experiments.EXPERIMENTS) == list("abcdefghi")
    points = experiments.todo(list("abcdefghi"))
    assert 300 < sum(experiments.minutes(*point) for point in points) < 480
    for letter, name in experiments.SHUFFLED.items():
        path = experiments.path_of(letter, name, "folder", 0, "shuffled")
        area = json.loads(path.read_text())["macro"]["mean"]["roc_auc"]
        assert abs(area - 0.5) < (0.1 if letter == "a" else 0.02)
    for experiment in experiments.EXPERIMENTS.values():
        assert experiment.source and "in place of" in experiment.reduced
