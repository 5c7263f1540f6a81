"""What is made small: loss of windows or clips, squared errors, weighed tags."""

# ruff: noqa: F811 - fixtures are parameters of the same name

import math

import numpy as np
import pandas as pd
import pytest
import torch
from made import made_examples, noise
from test_train import (  # noqa: F401
    assert_same_weights,
    chords,
    data,
    fit,
    labels_of,
    one_thread,
    quiet,
    small,
    weights,
)

from tagkit import models
from tagkit.data import batches
from tagkit.evaluation import metrics, predict
from tagkit.training import train


def sigmoid(x):
    return 1 / (1 + math.exp(-x))


def entropy(logit, label, weight=1.0):
    p = sigmoid(logit)
    return -weight * math.log(p) if label else -math.log(1 - p)


@pytest.fixture
def batch():
    """Logits and labels of three clips with two windows each, two tags."""
    logits = np.random.default_rng(0).normal(0, 2, (6, 2))
    labels = np.repeat([[1, 0], [0, 0], [1, 1]], 2, axis=0)
    return logits, labels


def computed(batch, **options):
    logits, labels = map(torch.tensor, batch)
    return float(train.loss_of(logits, labels.double(), **options))


def test_window_loss_is_the_mean_over_windows_and_tags(batch):
    logits, labels = batch
    total = sum(map(entropy, logits.ravel(), labels.ravel()))
    assert computed(batch) == pytest.approx(total / 12)


def test_clip_loss_is_that_of_the_mean_logit(batch):
    logits, labels = batch
    total = 0
    for clip in range(3):
        for tag in range(2):
            logit = (logits[2 * clip, tag] + logits[2 * clip + 1, tag]) / 2
            total += entropy(logit, labels[2 * clip, tag])
    assert computed(batch, kind="clip", n_windows=2) == pytest.approx(total / 6)
    assert total / 6 != pytest.approx(computed(batch), abs=1e-3)


def test_squared_error_is_that_of_scores(batch):
    logits, labels = batch
    pairs = zip(logits.ravel(), labels.ravel(), strict=True)
    total = sum((sigmoid(logit) - label) ** 2 for logit, label in pairs)
    assert computed(batch, kind="mse") == pytest.approx(total / 12)


def test_class_weights_weigh_the_positives(batch):
    logits, labels = batch
    weights = [2 / 4, 4 / 2]  # negatives for each positive
    positives = labels.sum(axis=0)
    assert weights == [(6 - n) / n for n in positives]
    of_frame = train.class_weights(pd.DataFrame(labels))
    assert of_frame.tolist() == weights
    cross = squared = 0
    for window in range(6):
        for tag in range(2):
            logit, label = logits[window, tag], labels[window, tag]
            weight = weights[tag] if label else 1
            cross += entropy(logit, label, weight)
            squared += weight * (sigmoid(logit) - label) ** 2
    given = {"weights": torch.tensor(weights)}
    assert computed(batch, **given) == pytest.approx(cross / 12)
    assert computed(batch, kind="mse", **given) == pytest.approx(squared / 12)


def test_a_tag_that_no_clip_has_gets_a_finite_weight():
    weights = train.class_weights(pd.DataFrame([[0, 1]] * 3))
    assert weights.tolist() == [2, 0]


@pytest.mark.parametrize("kind", ["window", "clip", "mse"])
def test_the_loop_makes_its_loss_small(data, kind):
    """Gradient descent by hand, on the very batches, gives the same weights."""
    how = {"loss": kind, "crops_per_clip": 2, "class_weights": True}
    config = quiet(optimizer="sgd", momentum=0.0, learning_rate=0.05, epochs=1, **how)
    one, other = small(), small()
    (row,) = fit(one, data, config).epochs
    weights = train.class_weights(data[0].labels)
    crops = data[0].crops(
        4000, 12_000, batch_size=4, crops_per_clip=2, together=kind == "clip"
    )
    total = 0
    for samples, labels in crops.epoch(1):
        logits = other(samples)
        if kind == "clip":
            logits, labels = (logits[::2] + logits[1::2]) / 2, labels[::2]
        positive = -torch.nn.functional.logsigmoid(logits)
        negative = -torch.nn.functional.logsigmoid(-logits)
        if kind == "mse":
            p = torch.sigmoid(logits)
            positive, negative = (1 - p) ** 2, p**2
        each = labels * weights * positive + (1 - labels) * negative
        gradients = torch.autograd.grad(each.mean(), list(other.parameters()))
        total += each.mean().item() * len(samples)
        with torch.no_grad():
            for p, g in zip(other.parameters(), gradients, strict=True):
                p -= 0.05 * g
    assert row["loss"] == pytest.approx(total / 22, rel=1e-5)
    for a, b in zip(one.parameters(), other.parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("kind", ["window", "clip", "mse"])
def test_the_validation_loss_is_of_the_same_kind(data, kind):
    model = small()
    config = quiet(loss=kind)
    row = train.validate(model, data[1], train.make_loss(config, data[0].labels))
    logits = predict.window_logits(model, data[1])  # (5, n_windows, 3)
    labels = data[1].labels.to_numpy()[:, None].repeat(logits.shape[1], axis=1)
    if kind == "clip":
        logits, labels = logits.mean(axis=1), labels[:, 0]
    pairs = list(zip(logits.ravel(), labels.ravel(), strict=True))
    expected = np.mean([entropy(*pair) for pair in pairs])
    if kind == "mse":
        expected = np.mean([(sigmoid(logit) - label) ** 2 for logit, label in pairs])
    assert row["valid_loss"] == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("kind", ["clip", "mse"])
def test_overfits_eight_clips(tmp_path, kind):
    labels = labels_of(8)
    clips = made_examples(tmp_path / "s", chords(8, 6000), labels)
    torch.manual_seed(0)
    model = models.DielemanRaw(n_tags=3, stride=128, n_samples=3000)
    config = quiet(epochs=40, learning_rate=3e-3, loss=kind, crops_per_clip=2)
    history = train.fit(model, clips, clips, config, log=None)
    assert history.epochs[-1]["loss"] < 0.05
    assert history.best["valid_loss"] < 0.05
    assert history.epochs[-1]["valid_roc_auc"] == 1
    merge = "mean_logits" if kind == "clip" else "mean"
    scores = predict.clip_scores(model, clips, merge)
    assert ((scores > 0.5) == labels).all()


# --- the windows of a clip together


def ramps(tmp_path, n_clips=7, n_samples=6000):
    """Clips whose samples say their clip and place: steps of 1 from 0 on."""
    rows = np.tile(np.arange(n_samples, dtype=np.int16), (n_clips, 1))
    return made_examples(tmp_path / "s", rows, labels_of(n_clips))


@pytest.mark.parametrize("n", [1, 2, 3, 6])
def test_windows_of_a_clip_follow_one_another_each_in_its_stretch(tmp_path, n):
    clips = ramps(tmp_path)
    how = {"crops_per_clip": n, "together": True, "batch_size": 7}
    crops = clips.crops(1000, 12_000, **how)
    starts = []
    for k in (1, 2):
        seen = []
        for number, (samples, labels) in enumerate(crops.epoch(k)):
            ids = crops.clips(k, number)
            assert len(samples) == len(labels) == len(ids) and len(ids) % n == 0
            assert len(ids) <= max(7, n)
            assert ids == [i for i in ids[::n] for _ in range(n)]
            expected = clips.labels.loc[ids].to_numpy()
            np.testing.assert_array_equal(labels, expected)
            first = np.round(samples[:, 0].numpy() * 32767).reshape(-1, n)
            stretch = 6000 / n * np.arange(n)
            assert (first >= np.floor(stretch)).all()
            assert (first + 1000 <= np.ceil(stretch + 6000 / n)).all()
            seen += ids[::n]
            starts.append((k, *first.ravel()))
        assert sorted(seen) == clips.labels.index.tolist()
    of_epoch = [[s[1:] for s in starts if s[0] == k] for k in (1, 2)]
    assert (of_epoch[0] == of_epoch[1]) == (n == 6)  # six fill the clip


def test_windows_that_fill_a_clip_adjoin(tmp_path):
    """Roy's and Elwood & Varosyan's ten of 34,950 samples, in small."""
    crops = ramps(tmp_path).crops(601, 12_000, crops_per_clip=10, together=True)
    (samples, _), *_ = crops.epoch(1)
    assert len(samples) == 10  # a batch of 16 windows holds one clip of ten
    first = np.round(samples[:, 0].numpy() * 32767)
    np.testing.assert_allclose(first, np.arange(10) * 5399 / 9, atol=1)


def test_a_clip_loss_resumes_bit_for_bit(data, tmp_path):
    config = quiet(epochs=3, loss="clip", crops_per_clip=2)
    whole, parted = small(), small()
    fit(whole, data, config)
    fit(parted, data, quiet(epochs=1, loss="clip", crops_per_clip=2), tmp_path / "run")
    fit(parted, data, config, tmp_path / "run")
    assert_same_weights(weights(parted), weights(whole))


# --- what is watched, and what is told


ROWS = [(0.5, 0.6), (0.3, 0.7), (0.4, 0.9), (0.6, 0.8), (0.7, 0.85), (0.8, 0.5)]


@pytest.fixture
def told(monkeypatch):
    """Make validation give ROWS: the loss is best at epoch 2, the ROC-AUC at 3."""
    valid, n_told = train.validate, []

    def made_up(model, examples, *loss):
        n_told.append(1)
        names = "valid_loss", "valid_roc_auc"
        row = dict(zip(names, ROWS[len(n_told) - 1], strict=True))
        return valid(model, examples, *loss) | row

    monkeypatch.setattr(train, "validate", made_up)


@pytest.mark.parametrize(
    ("settings", "n_epochs"),
    [
        ({}, 4),
        ({"keep": "valid_roc_auc"}, 5),
        ({"watch": "roc_auc"}, 5),
        ({"keep": "valid_roc_auc", "watch": "loss"}, 4),
    ],
)
def test_patience_is_with_what_is_watched(data, told, settings, n_epochs):
    history = fit(small(), data, quiet(epochs=6, patience=2, **settings))
    assert len(history.epochs) == n_epochs
    assert history.best["epoch"] == (3 if "keep" in settings else 2)


@pytest.mark.parametrize(
    ("settings", "factors"),
    [
        ({}, [1, 1, 1, 1, 0.5, 0.5]),
        ({"watch": "roc_auc"}, [1, 1, 1, 1, 1, 0.5]),
        ({"keep": "valid_roc_auc"}, [1, 1, 1, 1, 1, 0.5]),
        ({"keep": "valid_roc_auc", "watch": "loss"}, [1, 1, 1, 1, 0.5, 0.5]),
    ],
)
def test_a_plateau_is_one_of_what_is_watched(data, told, settings, factors):
    how = {"schedule": "plateau", "flat_epochs": 2, "factor": 0.5}
    history = fit(small(), data, quiet(epochs=6, learning_rate=1e-6, **how, **settings))
    rates = history.frame()["learning_rate"]
    np.testing.assert_allclose(rates / 1e-6, factors)


def test_details_tell_each_step_and_the_clips_that_were_trained_on(data):
    config = quiet(epochs=2, details=True)
    model, plain = small(), small()
    history = fit(model, data, config)
    for row in history.epochs:
        assert len(row["step_losses"]) == 3  # 11 windows, four at a time
        mean = np.average(row["step_losses"], weights=[4, 4, 3])
        assert row["loss"] == pytest.approx(mean)
    if history.best["epoch"] == 2:
        scores = predict.clip_scores(model, data[0])
        area = metrics.evaluate(data[0].labels, scores, n_boot=0)
        assert history.epochs[-1]["train_roc_auc"] == area.at["macro", "roc_auc"]
    without = fit(plain, data, quiet(epochs=2))
    assert "train_roc_auc" not in without.frame()
    assert_same_weights(weights(plain), weights(model))


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"loss": "hinge"}, "'hinge'; needed is 'window', 'clip' or 'mse'"),
        ({"watch": "valid_loss"}, "'valid_loss'; needed is None, 'loss' or 'roc_auc'"),
        ({"loss": "clip", "accumulate": 2}, "all windows of a clip at once; .*acc"),
    ],
)
def test_unknown_settings_are_refused(data, settings, words):
    with pytest.raises(ValueError, match=words):
        fit(small(), data, quiet(**settings))


@pytest.mark.parametrize("settings", [{"loss": "clip"}, {"details": True}])
def test_a_stream_has_no_whole_clips(data, settings):
    class Stream:
        labels, about = data[0].labels, data[0].about
        crops = data[0].crops

    with pytest.raises(ValueError, match="Stream gives windows only"):
        train.fit(small(), Stream(), data[1], quiet(**settings), log=None)


# --- the area of one clip


def test_the_area_of_a_clip_over_its_tags():
    """Elwood & Varosyan's score of one file: 1 if all it has is above the rest."""
    labels = np.array([[1, 1, 0, 0], [0, 1, 0, 0]])
    scores = np.array([[0.9, 0.8, 0.7, 0.1], [0.2, 0.1, 0.3, 0.0]])
    assert metrics.roc_auc(labels.T, scores.T).tolist() == [1, 1 / 3]


def test_examples_of_noise_have_no_area_above_a_half(tmp_path):
    """Nothing leaks: a network that is fed noise ranks unseen clips by luck."""
    whole = made_examples(tmp_path / "s", noise(60, 4000), labels_of(60, seed=3))
    train_set = batches.Examples(whole.store, whole.labels.iloc[:30], whole.about)
    valid = batches.Examples(whole.store, whole.labels.iloc[30:], whole.about)
    config = quiet(epochs=3, loss="clip", crops_per_clip=2, class_weights=True)
    model = small(n_samples=2000)
    train.fit(model, train_set, valid, config, log=None)
    assert 0.3 < train.validate(model, valid)["valid_roc_auc"] < 0.7
