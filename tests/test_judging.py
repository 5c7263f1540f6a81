"""Judging scores: decisions, thresholds, relabelling, occlusion."""

import base64
import io
import re

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import soundfile
import torch
from sklearn.metrics import precision_recall_fscore_support

from conftest import tone, write_tables
from tagkit import models, widgets
from tagkit.data import audio, corpus
from tagkit.evaluation import metrics, predict
from tagkit.models.tagger import Tagger


@pytest.fixture(autouse=True)
def no_figure_left():
    plt.close("all")
    yield
    plt.close("all")


def made(n_clips=60, n_tags=4, seed=0):
    """Labels and scores that know something of them; the last tag has no positive."""
    random = np.random.default_rng(seed)
    labels = (random.random((n_clips, n_tags)) < 0.3).astype(np.uint8)
    labels[:, -1] = 0
    scores = np.clip(0.3 * labels + 0.7 * random.random(labels.shape), 0, 1)
    return pd.DataFrame(labels, columns=list("abcd")[:n_tags]), scores


def test_decisions_agree_with_scikit_learn():
    labels, scores = made()
    thresholds = [0.3, 0.5, 0.7, 0.2]
    table = metrics.decisions(labels, scores, thresholds)
    yes = scores >= thresholds
    theirs = precision_recall_fscore_support(labels, yes, zero_division=0)
    for name, values in zip(("precision", "recall", "f1"), theirs[:3], strict=True):
        assert np.allclose(table[name][:3], values[:3])
        assert np.isclose(table.at["macro", name], values[:3].mean())
    # A tag without positives has no figures, and is in no mean.
    assert table.loc["d", ["precision", "recall", "f1"]].isna().all()
    micro = precision_recall_fscore_support(labels, yes, average="micro")
    assert np.allclose(table.loc["micro", ["precision", "recall", "f1"]], micro[:3])
    assert table["yes"].tolist()[:4] == yes.sum(axis=0).tolist()
    assert table.at["macro", "right"] == (yes & (labels == 1)).to_numpy().sum()
    assert table.attrs["accuracy"] == (yes == labels).to_numpy().mean()
    assert table.attrs["nothing_right"] == 1 - labels.to_numpy().mean()


def test_nobody_says_yes():
    table = metrics.decisions([[1], [0]], [[0.2], [0.1]], 0.5)
    assert table.at["macro", "f1"] == 0 and table.at["macro", "recall"] == 0
    assert np.isnan(table.at["macro", "precision"])  # of no yes nothing is right
    assert table.at["macro", "yes"] == 0


def test_a_score_at_the_threshold_is_a_yes():
    assert metrics.decisions([[1], [0]], [[0.5], [0.4]], 0.5).at["macro", "yes"] == 1


def test_chosen_thresholds_are_the_best_of_all():
    labels, scores = made(seed=3)
    scores = scores.round(1)  # ties
    chosen = metrics.choose_thresholds(labels, scores, otherwise=0.25)
    best = metrics.decisions(labels, scores, chosen)["f1"]
    for threshold in np.linspace(-0.05, 1.05, 111):
        other = metrics.decisions(labels, scores, threshold)["f1"]
        assert (best[:3] >= other[:3] - 1e-12).all()
    assert chosen[3] == 0.25


def test_thresholds_lie_between_scores_and_below_all():
    assert metrics.choose_thresholds([[1], [0]], [[0.8], [0.2]]) == 0.5
    assert metrics.choose_thresholds([[1], [1]], [[0.8], [0.2]]) == 0.2  # yes to all


@pytest.mark.parametrize("function", [metrics.decisions, metrics.choose_thresholds])
def test_thresholds_refuse_what_does_not_fit(function):
    with pytest.raises(ValueError, match="both must be"):
        function([[1], [0]], [[0.5, 0.1], [0.2, 0.3]])
    with pytest.raises(ValueError, match="not finite"):
        function([[1], [0]], [[np.nan], [0.2]])


class Loudness(Tagger):
    """Two tags: the mean power of a window, and its negative."""

    def __init__(self, n_samples=100):
        super().__init__(n_samples, 12_000, {})
        self.weight = torch.nn.Parameter(torch.tensor([1.0, -1.0]))

    def forward(self, samples):
        return (samples**2).mean(dim=1)[:, None] * self.weight


@pytest.mark.parametrize("n_samples", [100, 25])
def test_occlusion_finds_the_only_sound(n_samples):
    samples = np.zeros(100, dtype=np.float32)
    samples[50:75] = 1  # the third of four pieces
    falls = predict.occlusion(Loudness(n_samples), samples, 4, "silence")
    assert np.allclose(falls[:, 0], [0, 0, 0.25, 0], atol=1e-6)
    assert np.allclose(falls[:, 1], [0, 0, -0.25, 0], atol=1e-6)
    assert samples[50:75].min() == 1  # what was given stays as it was


def test_noise_keeps_the_power_and_is_the_same_each_time():
    samples = np.random.default_rng(0).normal(size=4000).astype(np.float32)
    model = Loudness(4000)
    silence = predict.occlusion(model, samples, 4, "silence")
    noise = predict.occlusion(model, samples, 4, "noise")
    assert np.abs(noise[:, 0]).max() < 0.2 * np.abs(silence[:, 0]).max()
    assert np.array_equal(noise, predict.occlusion(model, samples, 4, "noise"))


def test_occlusion_leaves_the_model_as_it_was():
    model = models.DielemanRaw(n_tags=2).train()
    before = {k: v.clone() for k, v in model.state_dict().items()}
    predict.occlusion(model, np.zeros(34_950), 2)
    assert model.training
    assert all(torch.equal(v, before[k]) for k, v in model.state_dict().items())


@pytest.mark.parametrize(
    ("samples", "arguments", "message"),
    [
        (np.zeros(100), dict(filling="music"), "silence or noise"),
        (np.zeros(99), {}, "at least 100 samples at 12000 Hz"),
        (np.zeros((1, 100)), {}, "needed is a clip"),
        (np.zeros(100), dict(n_pieces=0), "0 pieces"),
        (np.zeros(100), dict(n_pieces=101), "101 pieces"),
    ],
)
def test_occlusion_refuses(samples, arguments, message):
    with pytest.raises(ValueError, match=message):
        predict.occlusion(Loudness(), samples, **arguments)


@pytest.fixture
def judged(tmp_path):
    """Six clips of 2 s, two tags; the truth differs from the labels at two places."""
    paths = [f"{i}/ann-album-{i}-title-0-29.mp3" for i in range(6)]
    truth = {"<b>high": [0, 0, 1, 0, 1, 0], "low": [0, 1, 0, 1, 0, 1]}
    write_tables(tmp_path, paths, truth)
    (tmp_path / "annotations_final.csv").rename(tmp_path / "truth.csv")
    given = {"<b>high": [1, 0, 1, 0, 1, 0], "low": [0, 1, 0, 0, 0, 1]}
    write_tables(tmp_path, paths, given)
    for i, path in enumerate(paths):
        (tmp_path / path).parent.mkdir(exist_ok=True)
        audio.write(tmp_path / path, tone(300 * (i + 1), seconds=2))
    opened = corpus.open(tmp_path)
    labels = opened.annotations
    scores = np.array(
        [[0.1, 0.3], [0.2, 0.9], [0.9, 0.2], [0.3, 0.8], [0.8, 0], [0, 1]]
    )
    return opened, labels, scores


MISTAKES = [(19, "low"), (10, "<b>high")]


def test_relabel_changes_labels_and_scores(judged):
    opened, labels, scores = judged
    given = labels.copy()
    view = widgets.relabel(opened, labels, scores, MISTAKES, seconds=1)
    parts, buttons = view.parts, view.parts["buttons"]
    assert "1 of 2: is <i>low</i> there?" in parts["question"].value
    assert "as you set them" not in parts["score"].value and not parts["said"].value
    for words in ("crowd", "network", "0.80"):  # to be heard first
        assert words not in parts["question"].value
    buttons["It is there"].click()
    assert parts["labels"].at[19, "low"] == 1
    for words in ("You said: It is there", "did not name it, the network gives 0.80",
                  "It is there: the network was right"):  # fmt: skip
        assert words in parts["said"].value
    assert "2 of 2: is <i>&lt;b&gt;high</i> there?" in parts["question"].value
    after = metrics.evaluate(parts["labels"], scores, n_boot=0).loc["macro"]
    assert f"<td>1</td><td>{after['roc_auc']:.3f} (" in parts["score"].value
    buttons["Back"].click()
    assert "1 of 2" in parts["question"].value and not parts["said"].value
    buttons["It is not there"].click()
    assert parts["labels"].equals(given)
    buttons["It is not there"].click()
    assert parts["labels"].at[10, "<b>high"] == 0
    assert "It is not there: the network was right" in parts["said"].value
    assert "All 2 are heard" in parts["question"].value
    buttons["It is there"].click()  # there is nothing to answer
    assert parts["labels"].at[10, "<b>high"] == 0
    buttons["Back"].click()
    assert "2 of 2" in parts["question"].value
    assert labels.equals(given)  # the frame given stays as it was


def test_a_label_of_which_one_cannot_tell_stays(judged):
    opened, labels, scores = judged
    parts = widgets.relabel(opened, labels, scores, MISTAKES, seconds=1).parts
    parts["buttons"]["It is there"].click()
    parts["buttons"]["Back"].click()
    parts["buttons"]["Can't tell"].click()  # a change of mind
    assert parts["labels"].equals(labels)
    assert "1 you could not tell" in parts["score"].value


class Halves(Tagger):
    """One tag, high where the window is loud."""

    def __init__(self):
        super().__init__(4_000, 8_000, {})
        self.weight = torch.nn.Parameter(torch.ones(1))

    def forward(self, samples):
        return (samples**2).mean(dim=1, keepdim=True) * self.weight


def test_a_player_begins_where_the_tag_is_highest(judged):
    opened, labels, _ = judged
    sound = np.concatenate([np.zeros(20_000), tone(500, seconds=0.75)])
    audio.write(opened.path(labels.index[0]), sound.astype(np.float32))
    labels, mistake = labels[["low"]], [(labels.index[0], "low")]
    scores = np.linspace(0, 1, 6)[:, None]
    loud = []
    for model in (None, Halves()):
        page = widgets.relabel(
            opened, labels, scores, mistake, model=model, seconds=0.5
        ).html
        ((samples, _),) = sounds(page)
        loud.append(np.sqrt(np.mean(samples**2)))
    assert loud[0] < 0.1 * loud[1]


def sounds(page):
    found = re.findall(r'src="data:audio/mpeg;base64,([^"]+)"', page)
    return [soundfile.read(io.BytesIO(base64.b64decode(data))) for data in found]


def test_relabel_page_needs_no_kernel(judged):
    opened, labels, scores = judged
    page = widgets.relabel(opened, labels, scores, MISTAKES, seconds=1).html
    lengths = [len(samples) / rate for samples, rate in sounds(page)]
    assert [0.9 < length < 1.3 for length in lengths] == [True] * 2
    assert page.count('alt="Spectrogram of') == 2 and page.count("ontimeupdate") == 2
    before, answers = page.split("<details>")
    assert "right" not in before and answers.count("the network was right") == 2
    true = opened.truth
    figures = [metrics.evaluate(t, scores, n_boot=0).at["macro", "ap"] for t in
               (labels, true)]  # fmt: skip
    assert figures[0] != figures[1]
    assert all(f"<td>{figure:.3f} (" in page for figure in figures)
    assert "<b>high</b>" not in page and 'aria-live="polite"' in page


def test_relabel_without_truth_says_so(judged):
    opened, labels, scores = judged
    (opened.root / "truth.csv").unlink()
    view = widgets.relabel(corpus.open(opened.root), labels, scores, MISTAKES[:1])
    assert view.text.startswith("Relabel: 1 mistake; ")
    assert "with the truth" not in view.html and "is not known" in view.html
    view.parts["buttons"]["It is there"].click()
    assert "is not known" in view.parts["said"].value


@pytest.mark.parametrize("mistakes", [[], [(999, "low")], [(10, "flute")]])
def test_relabel_refuses(judged, mistakes):
    with pytest.raises(ValueError, match="needed are pairs of a clip and a tag"):
        widgets.relabel(*judged, mistakes)


def test_threshold_slider_follows_slider_and_menu():
    labels, scores = made()
    view = widgets.threshold_slider(labels, scores, 0.5)
    slider, menu, shown = (view.parts[k] for k in ("threshold", "tag", "shown"))
    assert "d" not in menu.options  # no clip carries it
    assert menu.value == labels.sum().idxmax()
    for tag, at in ((menu.value, 0.3), ("b", 0.3), ("b", 0.62)):
        menu.value, slider.value = tag, at
        row = metrics.decisions(labels, scores, at).loc[tag]
        told = f"Precision {row['precision']:.2f}, recall {row['recall']:.2f}, F1"
        assert told in shown.value and f"{row['yes']:.0f} yeses" in shown.value
        assert f"threshold {at:.2f}" in shown.value
        assert re.search(
            r'alt="Scores of .* clips with the tag.* Precision', shown.value
        )
        assert "<audio" not in shown.value
    assert plt.get_fignums() == []


def test_the_clips_next_to_the_cut_are_heard(judged):
    opened, labels, scores = judged
    view = widgets.threshold_slider(labels, scores, 0.85, "low", corpus=opened)
    shown = view.parts["shown"]
    assert "The lowest yes, 0.90, named by the crowd: clip 13" in shown.value
    assert "The highest no, 0.80, not named by the crowd: clip 19" in shown.value
    assert len(sounds(shown.value)) == 2
    view.parts["threshold"].value = 0.99  # one clip scores above it
    assert "lowest yes, 1.00" in shown.value


def test_threshold_slider_page_holds_a_table():
    labels, scores = made()
    view = widgets.threshold_slider(labels, scores, 0.5, tag="a")
    page = view.html
    row = metrics.decisions(labels, scores, 0.3).loc["a"]
    cells = [f"<td>{row[c]:.0f}</td>" for c in ("yes", "right")]
    cells += [f"<td>{row[c]:.2f}</td>" for c in ("precision", "recall", "f1")]
    assert "<td>0.30</td>" + "".join(cells) in re.sub(r">\s+<", "><", page)
    assert page.count("<tr") == 10 and "data:image/png" in page
    assert view.text.startswith("Threshold slider: a at 0.50, precision")


@pytest.mark.parametrize("wrong", [dict(tag="d"), dict(tag="x"), dict(threshold=1.0)])
def test_threshold_slider_refuses(wrong):
    with pytest.raises(ValueError, match="needed are a tag that some clip"):
        widgets.threshold_slider(*made(), **wrong)
