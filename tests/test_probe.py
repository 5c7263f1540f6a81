"""Probes: taggers of one's own, with artists apart and test labels unseen."""

import inspect
import re
import sys
from dataclasses import replace
from pathlib import Path

import nbformat
import numpy as np
import pandas as pd
import pytest
import torch
from made import noise
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from tagkit import cli, models
from tagkit.data import audio, corpus, folders, store
from tagkit.evaluation import cache, metrics, predict
from tagkit.training import checkpoints, probe

sys.path.insert(0, str(Path(__file__).parents[1] / "data"))

import contrastive  # noqa: E402
import label_efficiency  # noqa: E402
from cross_examine import KINDS  # noqa: E402


@pytest.fixture
def network(tmp_path, monkeypatch):
    """A small random network as a checkpoint, and a cache of its own."""
    monkeypatch.setattr(corpus, "DATA", tmp_path / "data")
    torch.manual_seed(0)
    model = models.DielemanRaw(n_tags=2, length=64, stride=64, n_samples=4000)
    path, weights = tmp_path / "small.safetensors", model.state_dict()
    facts = {"about": {"corpus": "made"}, "config": {}, "epoch": {}}
    checkpoints.save_as(path, model, weights, tags=["a", "b"], **facts)
    return str(path)


@pytest.fixture
def table(tmp_path):
    """Loud and soft noise with two tags of one's own, two files for each artist."""
    rows = ["file,tags,artist"]
    for i, samples in enumerate(noise(12, 24_000)):
        loud = i // 2 % 2
        audio.write(tmp_path / f"{i}.wav", np.float32(samples * (0.1, 3)[loud]))
        tags = ("soft", "loud")[loud] + ";odd" * (i == 4)
        rows.append(f"{i}.wav,{tags},artist {i // 2}")
    path = tmp_path / "labels.csv"
    path.write_text("\n".join(rows))
    return path


def made(n_clips, n_artists, n_dims=8, seed=0):
    """Random embeddings, a tag that the first of them decides, and artists."""
    random = np.random.default_rng(seed)
    vectors = random.standard_normal((n_clips, n_dims)) * 3 + 1
    labels = pd.DataFrame({"first": (vectors[:, 0] > 1).astype(np.uint8)})
    artists = pd.Series([f"artist {i % n_artists}" for i in range(n_clips)])
    return vectors, labels, artists


def made_corpus(labels, artists, root=Path()):
    """A corpus of these labels and artists; its files are not there."""
    labels = labels.set_axis(range(1, len(labels) + 1))
    clips = pd.DataFrame({"artist": list(artists)}, labels.index)
    clips["mp3_path"] = [f"{i}.mp3" for i in clips.index]
    clips["segmentEnd"] = 0
    return corpus.Corpus("own", root, labels, clips)


def test_a_probe_is_a_regression_on_standardised_embeddings():
    vectors, labels, artists = made(40, 10)
    found = probe.fit(vectors, labels, artists)
    model = make_pipeline(StandardScaler(), LogisticRegression(C=found.C[0]))
    model.fit(vectors, labels["first"])
    wanted = model.decision_function(vectors)
    np.testing.assert_allclose(found.logits(vectors)[:, 0], wanted, atol=1e-3)
    assert found.C[0] > min(probe.CHOICES)  # what decides is worth a large weight


def test_a_tag_that_teaches_nothing_is_regularised_or_gets_its_share():
    vectors, labels, artists = made(40, 10)
    labels["noise"] = np.random.default_rng(1).permutation(labels["first"])
    labels["all"], labels["none"] = 1, 0
    found = probe.fit(vectors, labels, artists)
    assert found.C[1] == min(probe.CHOICES)
    assert not found.weight[2:].any() and found.bias[2] == -found.bias[3] > 3


def test_an_artist_is_never_on_both_sides():
    """Embeddings that say who plays and nothing else are no help with others."""
    artists = pd.Series(np.repeat(range(20), 4))
    vectors = np.eye(20)[artists]
    labels = pd.DataFrame({"x": artists % 2})
    inside = probe.fit(vectors, labels, artists).logits(vectors)
    assert metrics.roc_auc(labels, inside)[0] == 1
    outside = probe.held_out_logits(vectors, labels, artists)
    assert metrics.roc_auc(labels, outside)[0] < 0.6


@pytest.mark.parametrize("n_positives, n_folds", [(5, 5), (12, 12), (19, 5)])
def test_each_fold_leaves_out_its_share_of_positives(n_positives, n_folds):
    """Else luck would score far below a half: see `probe._folds`."""
    tag = np.random.default_rng(0).permutation(np.arange(24) < n_positives)
    folds = probe._folds(tag, np.arange(24), probe.ENOUGH)
    assert len(folds) == n_folds
    n_left_out = [tag[left_out].sum() for _, left_out in folds]
    assert max(n_left_out) - min(n_left_out) <= 1 and min(n_left_out) >= 1
    n_others = [(~tag[left_out]).sum() for _, left_out in folds]
    assert max(n_others) - min(n_others) <= 1


@pytest.mark.parametrize(
    "tag, artists, words",
    [
        ([1] * 4 + [0] * 8, range(12), "learned, not scored: clips that have it: 4,"),
        (
            [1] * 8 + [0] * 4,
            range(12),
            "learned, not scored: clips that do not have it: 4,",
        ),
        ([1] * 6 + [0] * 6, [0] * 6 + [*range(6)], "clips that have it are all of one"),
        ([1] * 12, range(12), "left out: all clips have it"),
        ([0] * 12, range(12), "left out: no clip has it"),
    ],
)
def test_a_tag_that_cannot_be_scored_is_named(tag, artists, words):
    good = [1, 0] * 6
    own = made_corpus(pd.DataFrame({"good": good, "bad": tag}), map(str, artists))
    plan = probe.plan(own)
    assert plan.tags["scored"].tolist() == ["rough", "no"] and plan.split is None
    assert len(plan.remarks) == 1 and words in plan.remarks[0]
    assert words in str(plan)
    assert ("bad" in plan.labels) == ("left out" not in words)
    with pytest.raises(ValueError, match="nothing to learn from 12 clips: 'bad'"):
        probe.plan(replace(own, annotations=own.annotations[["bad"]] * 0))


def test_labels_of_the_test_part_are_not_seen(network, tmp_path, monkeypatch):
    vectors, labels, artists = made(400, 60)
    own = made_corpus(labels, artists, tmp_path)
    vectors = np.random.default_rng(2).standard_normal((400, 100)) + vectors[:, :1]
    monkeypatch.setattr(
        cache, "embedder", lambda *_: lambda path: vectors[int(path.stem) - 1]
    )
    seen = probe.learn(own, network, log=None)
    assert seen.plan.split is not None and seen.about["version"] == "artist"
    assert seen.report.at["first", "roc_auc"] > 0.9 and not seen.report["rough"].any()
    test = seen.plan.split[seen.plan.split == "test"].index
    assert set(artists[test - 1]).isdisjoint(artists.drop(test - 1))
    assert test.equals(own.split("all").index[own.split("all") == "test"])
    other = own.annotations.copy()
    other.loc[test, "first"] = other.loc[test[::-1], "first"].to_numpy()
    again = probe.learn(replace(own, annotations=other), network, log=None)
    for name, weight in seen.model.state_dict().items():
        assert torch.equal(again.model.state_dict()[name], weight), name
    assert again.report.at["first", "roc_auc"] != seen.report.at["first", "roc_auc"]


def test_labels_csv_becomes_a_network_that_tags(network, table, tmp_path, capsys):
    out = tmp_path / "mine.safetensors"
    command = ["learn", str(table), "--network", network]
    assert cli.main([*command, "--dry-run"]) == 0
    plan, note = capsys.readouterr().out.split("nothing was heard: ")
    assert note.startswith("a file that cannot be read")
    assert "12 clips, 3 tags, 6 artists" in plan and "rough" in plan
    assert "'odd' is learned, not scored: clips that have it: 1, needed: 5" in plan
    assert not out.exists() and not (tmp_path / "data").exists()  # nothing was heard
    assert cli.main(command) == 2
    assert "--dry-run" in capsys.readouterr().err

    for _ in range(2):  # it may be replaced
        capsys.readouterr()
        assert cli.main([*command, "--out", str(out)]) == 0
    printed = capsys.readouterr().out
    assert printed.startswith(plan) and "nan" not in printed
    assert "loud: ROC-AUC 1.00" in printed and "6 with it, 6 without, rough" in printed
    model, about = checkpoints.load(out)
    assert about["tags"] == ["soft", "loud", "odd"] and about["start"] == network
    assert about["about"]["n_clips"] == 12
    scores = predict.tag_file(model, tmp_path / "3.wav", about["tags"])
    assert scores["loud"] > scores["soft"]
    assert cli.main(["tag", str(tmp_path / "3.wav"), "--network", str(out)]) == 0
    assert "3.wav: loud 0." in capsys.readouterr().out
    assert cli.main(["evaluate", str(out), "--corpus", str(table)]) == 1
    assert "leave --corpus out" in capsys.readouterr().err
    assert cli.main(["evaluate", str(out)]) == 0
    again = capsys.readouterr().out
    assert again.splitlines()[1:] == about["about"]["scores"]
    assert again.partition("\n")[2] in printed and "loud: ROC-AUC 1.00" in again


def test_out_is_refused_before_the_work(network, table, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(probe, "learn", None)  # never called
    other = tmp_path / "other.safetensors"
    other.write_text("no network")
    before = {path: path.read_bytes() for path in tmp_path.glob("*.*")}
    for out in (table, tmp_path, other, table / "mine.safetensors"):
        assert cli.main(["learn", str(table), "--out", str(out)]) == 2
        assert "needed is" in capsys.readouterr().err
    assert {path: path.read_bytes() for path in tmp_path.glob("*.*")} == before


def test_a_network_without_a_score_says_so(network, table, tmp_path, capsys):
    out = str(tmp_path / "mine.safetensors")
    table.write_text("file,tags\n0.wav,soft\n2.wav,loud\n")
    learn = ["learn", str(table), "--network", network, "--out", out]
    assert cli.main(learn) == 0
    assert f"written to {out}, unscored" in capsys.readouterr().out
    assert cli.main(["tag", str(tmp_path / "3.wav"), "--network", out]) == 0
    assert capsys.readouterr().err.endswith("2 clips, unscored\n")
    assert cli.main(["evaluate", out]) == 0
    assert "no tag could be scored" in capsys.readouterr().out


def test_learn_takes_labels_from_folders(table, tmp_path, capsys):
    for i in range(6):
        folder = tmp_path / "music" / ("soft", "loud")[i // 2 % 2]
        folder.mkdir(parents=True, exist_ok=True)
        (tmp_path / f"{i}.wav").rename(folder / f"{i}.wav")
    learn = ["learn", str(tmp_path / "music"), "--dry-run"]
    assert cli.main(learn) == 1
    assert "--labels folders" in capsys.readouterr().err
    assert cli.main([*learn, "--labels", "folders"]) == 0
    assert "6 clips, 2 tags" in capsys.readouterr().out


def test_learning_says_how_far_it_is(network, table, monkeypatch, capsys):
    clock = iter(range(0, 9000, 11))
    monkeypatch.setattr(probe.tagging.time, "monotonic", lambda: next(clock))
    own = corpus.open(table)
    probe.learn(own, network)
    assert "12 of 12 files" in capsys.readouterr().err
    probe.learn(own, network, log=None)
    assert capsys.readouterr() == ("", "")


def test_a_file_that_cannot_be_read_is_left_out_by_name(network, table, tmp_path):
    (tmp_path / "4.wav").write_bytes(b"no sound")
    with pytest.warns(folders.UnreadWarning, match=r"left out: .*4\.wav is not audio"):
        learned = probe.learn(corpus.open(table), network, log=None)
    assert list(learned.plan.labels) == ["soft", "loud"]  # odd was on this file alone
    assert learned.report.at["soft", "positives"] == 5


@pytest.mark.parametrize("version", ["full", "artist"])
def test_the_labelled_clips_of_the_curve_are_apart_from_the_test(mini, version):
    split = mini.split(version=version)
    smaller = set()
    for n in label_efficiency.SIZES:
        fit, valid, groups = label_efficiency.draw(mini, version, n, 1)
        assert len(fit) + len(valid) == n and len(valid) >= min(n // 5, 20)
        assert set(groups[fit]).isdisjoint(groups[valid])
        assert not (split[[*fit, *valid]] == "test").any()
        assert smaller <= {*fit, *valid}
        smaller = {*fit, *valid}


@pytest.mark.parametrize("way", label_efficiency.PROBED)
def test_a_probe_of_the_curve_never_sees_test_labels(mini, way, monkeypatch):
    seen = []

    def spy(vectors, labels, groups):
        seen.append(labels.index)
        n_tags, n_dims = labels.shape[1], vectors.shape[1]
        return probe.Probe(np.zeros((n_tags, n_dims)), np.zeros(n_tags), None)

    monkeypatch.setattr(probe, "fit", spy)
    vectors = pd.DataFrame(np.zeros((len(mini.clips), 3)), mini.clips.index)
    row = label_efficiency.point(mini, vectors, way, "artist", 45, 0)
    assert len(seen[0]) == 45 and row["roc_auc"] == 0.5
    assert not (mini.split(version="artist")[seen[0]] == "test").any()


def test_contrastive_ears_hear_no_clip_of_the_test_part(mini, monkeypatch):
    """Nor any label: `learn` is given sound alone."""
    index = mini.clips.index
    numbered = torch.arange(len(index))[:, None, None].float()
    monkeypatch.setattr(store, "prepare", lambda *_: None)
    monkeypatch.setattr(contrastive, "images", lambda clips, ids: numbered)
    monkeypatch.setattr(contrastive, "embed", lambda net, images: images[:, :, 0])
    heard = []
    monkeypatch.setattr(
        contrastive, "learn", lambda images: (heard.append(images), None)
    )
    label_efficiency.embed(mini, "contrastive", "artist", 0)
    split = mini.split(version="artist").iloc[heard[0].flatten().long().numpy()]
    assert len(split) > 300 and set(split) == {"train", "valid"}


def test_the_lesson_shows_the_contrastive_code_as_it_is():
    """But for docstrings, which the text around a cell replaces."""
    (path,) = (corpus.SHIPPED.parent / "course").glob("08_*.ipynb")
    cells = nbformat.read(path, as_version=4).cells
    code = "\n".join(cell.source for cell in cells if cell.cell_type == "code")
    for name in ("images", "crop", "encoder", "nt_xent", "learn", "embed"):
        source = inspect.getsource(getattr(contrastive, name))
        assert re.sub('    """.*?"""\n', "", source, flags=re.S) in code + "\n", name


def test_a_crop_without_a_rival_finds_its_partner():
    far = 100 * torch.eye(3)
    assert contrastive.nt_xent(far, far) < 0.001
    assert contrastive.nt_xent(far, far.roll(1, 0)) > 5
    same = torch.ones(3, 4)
    assert contrastive.nt_xent(same, same) == pytest.approx(np.log(5))


def test_the_example_labels_follow_from_what_is_stated():
    recorded = corpus.open("recorded")
    example = corpus.open(corpus.SHIPPED / "recorded_example.csv", folder=recorded.root)
    stated = recorded.clips[recorded.clips["words"] != ""].set_index("mp3_path")
    assert list(example.clips["mp3_path"]) == list(stated.index)
    assert list(example.clips["artist"]) == list(stated["artist"])
    kinds = {word: KINDS[word] for word in ("classical", "rock")}
    for word, parts in kinds.items():
        wanted = stated["words"].str.contains("|".join(parts)).to_list()
        assert list(example.labels("all")[word] == 1) == wanted
