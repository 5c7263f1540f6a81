"""The claims' table: its rules on made-up scores, its calculations, its file."""

import doctest
import json
import sys

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from tagkit import plots
from tagkit.data import corpus
from tagkit.evaluation import metrics

sys.path.insert(0, str(corpus.SHIPPED))

import calculations  # noqa: E402
import claims  # noqa: E402
import draw_claims  # noqa: E402
import record_experiments as experiments  # noqa: E402

SAMPLE = "480 clips of 63 artists"


@pytest.fixture
def results(monkeypatch, tmp_path):
    """Records of one's own, in an empty folder."""
    monkeypatch.setattr(experiments, "RESULTS", tmp_path)
    monkeypatch.setattr(claims, "N_BOOT", 60)
    claims.drawn.cache_clear()
    yield tmp_path
    claims.drawn.cache_clear()


def make_up(mini, letter, name, by="folder", seed=0, *, strength, n_tags=8, every=1):
    """Record scores that know the labels as well as `strength` says."""
    arm = experiments.EXPERIMENTS[letter].arms[name]
    labels = mini.labels("raw50").iloc[::every, :n_tags]
    if arm.pair:
        labels = mini.labels("raw50")[list(arm.pair)].iloc[::every]
    random = np.random.default_rng([seed, *name.encode(), *by.encode()])
    logits = strength * labels.to_numpy() + random.normal(size=labels.shape) - 2
    arrays = {f"scores {m}": 1 / (1 + np.exp(-logits)) for m in arm.merges}
    arrays |= {"ids": labels.index.to_numpy(), "labels": labels.to_numpy()}
    arrays |= {"artists": mini.clips.loc[labels.index, "artist"].to_numpy(str)}
    shares = labels.mean().to_numpy().clip(0.01)
    arrays |= {"shares": shares[None], "fold": np.zeros(len(labels), int)}
    rise = np.linspace(0.5, 0.5 + strength / 10, 20) + random.normal(0, 1e-4, 20)
    parts = [{"history": {"valid_roc_auc": list(rise + i / 50)}} for i in range(4)]
    path = experiments.path_of(letter, name, by, seed)
    experiments.write(path, {"tags": list(labels), "parts": parts}, arrays)


# -- rules


@pytest.mark.parametrize(
    ("low", "high", "agrees", "said"),
    [
        (0.01, 0.02, (0, np.inf), "holds here"),
        (-0.01, 0.02, (0, np.inf), f"cannot be told with {SAMPLE}"),
        (-0.02, -0.01, (0, np.inf), "does not hold here"),
        (0, 0, (0, np.inf), "does not hold here"),  # two networks that know nothing
        (-0.01, 0.01, (-0.02, 0.02), "holds here"),
        (-0.03, 0.01, (-0.02, 0.02), f"cannot be told with {SAMPLE}"),
        (0.03, 0.04, (-0.02, 0.02), "does not hold here"),
        (np.nan, np.nan, (0, np.inf), f"cannot be told with {SAMPLE}"),
    ],
)
def test_a_verdict_follows_from_the_interval(low, high, agrees, said):
    assert claims.verdict(low, high, agrees, SAMPLE) == said


GOOD, SAME, WEAK = [claims.CELL(n, n) for n in (256, 512, 1024)]


@pytest.fixture
def three(results, mini):
    """Two arms that are equally good, and a weaker one, two seeds each."""
    for name, strength in ((GOOD, 2), (SAME, 2), (WEAK, 1)):
        for seed in (0, 1):
            make_up(mini, "d", name, seed=seed, strength=strength)


def test_what_is_true_of_made_up_scores_is_said(three):
    said = {
        claims.better("d", GOOD, WEAK): "holds here",
        claims.better("d", GOOD, WEAK, "ap"): "holds here",
        claims.better("d", WEAK, GOOD): "does not hold here",
        claims.better("d", GOOD, SAME): f"cannot be told with {SAMPLE}",
        claims.alike("d", GOOD, SAME): "holds here",
        claims.alike("d", GOOD, WEAK): "does not hold here",
        claims.level("d", WEAK, (0.5, 1)): "holds here",
        claims.level("d", WEAK, (0.45, 0.55)): "does not hold here",
        claims.every_tag("d", GOOD, WEAK): "holds here",
        claims.every_tag("d", WEAK, GOOD): "does not hold here",
        claims.every_tag("d", GOOD, SAME): f"cannot be told with {SAMPLE}",
        claims.late("d", GOOD, (0, np.inf)): "holds here",
        claims.late("d", GOOD, (-np.inf, 0)): "does not hold here",
    }
    assert {trial: trial.run()[-1] for trial in said} == said


def test_a_difference_is_that_of_metrics_compare(three):
    labels, a, artists = experiments.read("d", GOOD)
    _, b, _ = experiments.read("d", WEAK)
    theirs = metrics.compare(labels, a, b, n_boot=claims.N_BOOT, groups=artists)
    for kind in ("roc_auc", "ap"):
        ours = claims.better("d", GOOD, WEAK, kind).run()[:3]
        np.testing.assert_allclose(ours, theirs.loc[kind, "difference":"high"])


def test_shuffled_scores_hold_no_claim(results, mini):
    for name in (GOOD, SAME, WEAK):
        make_up(mini, "d", name, strength=0)
    for a, b in ((GOOD, WEAK), (WEAK, GOOD), (GOOD, SAME), (SAME, WEAK)):
        assert claims.better("d", a, b).run()[-1] != "holds here"
    assert claims.every_tag("d", GOOD, WEAK).run()[-1] != "holds here"
    assert claims.level("d", GOOD, (0.5, 1)).run()[-1].startswith("cannot be told")


def test_popular_and_opposite_tags_by_hand():
    labels = np.tile(np.eye(2, 12, dtype=int), (6, 1))  # the first two tags in turn
    weights = np.ones((1, 12))
    rare = np.tile(np.eye(12)[11], (12, 1))  # picks a tag that nobody has
    assert claims.popular(labels + 0.0, labels, weights) == 0
    assert claims.popular(rare, labels, weights) == -1
    tags, up = ["slow", "fast", "loud", "quiet"], np.arange(12.0)
    for sign in (1, -1):
        scores = np.stack([up, sign * up, up, sign * up], axis=1)
        np.testing.assert_allclose(claims.opposites(scores, tags, weights), sign)


# -- the table


def test_every_claim_can_be_tried(results, mini):
    """No arm or tag is misspelt: where all is recorded, all is told."""
    for letter, experiment in experiments.EXPERIMENTS.items():
        for name, arm in experiment.arms.items():
            for by in arm.folds:
                make_up(mini, letter, name, by, strength=1, n_tags=50, every=8)
    table = claims.table()
    tried = table[table["command"].str.contains("record_experiments")]
    assert not (tried["verdict"] == "not recorded yet").any()
    assert (tried[["ours", "low", "high"]].astype(float).notna()).all(axis=None)


def test_every_claim_has_all_its_fields():
    table = claims.table()
    words = table.drop(columns=["ours", "low", "high", "seeds"])
    assert (words != "").all(axis=None) and not table.duplicated().any()
    assert table["document"].nunique() == 5 and len(table) >= 24
    missing = table["verdict"] == "not recorded yet"
    assert (table["ours"] != "").equals(~missing)
    lengths = table["claim"].str.len()
    assert lengths.max() < 100, table["claim"][lengths.idxmax()]


def test_the_file_is_what_the_script_writes():
    """After new records: python data/claims.py."""
    shipped = pd.read_csv(claims.RESULT, dtype=str, keep_default_na=False)
    pd.testing.assert_frame_equal(shipped, claims.table())


def test_the_data_card_describes_the_picture_that_its_script_draws():
    """After new records: python data/draw_claims.py, and its words into the card."""
    figure = draw_claims.draw()
    card = (corpus.SHIPPED / "README.md").read_text()
    assert f"![{plots.alt_text(figure)}](claims.png)" in card
    plt.close(figure)


# -- calculations


def calculated():
    trials = [row[-1] for rows in claims.CLAIMS.values() for row in rows]
    return {t.measure for t in trials if t.command == "python data/claims.py"}


def test_what_is_printed_and_what_comes_out():
    expected = {
        "steps_of_an_epoch": (167, 168),
        "samples_of_nine_chunks": (465_984, 465_984),
        "faster_to_load": ("wav", "mp3"),
        "lowest_loss_after_a_sigmoid": (0, np.log(2)),
        "average_by_max_pooling": (6, 3),
        "best_and_worst_loss": (0.703, 0.703),
        "more_labels_right": ("EfficientNet-B0", "naming no tag (0.935)"),
        "arg_max_of_likelihood": (-0.99, 0.3),
        "posterior": (0.6 / 0.8, 0.06 / 0.24),
        "loss_of_an_absent_tag": (np.log(1 + np.exp(-2)), np.log(1 + np.exp(2))),
        "least_cross_entropy": (0, 0.3 * np.log(1 / 0.3) + 0.7 * np.log(1 / 0.7)),
        "convolution_commutes": (0, 0),
        "layers_correlate": (0, 0),
        "values_that_pooling_keeps": (2, 2),
        "slope_of_elu": (np.exp(-1), np.exp(-1)),
        "frames": (1366, 1365),
        "megabytes_of_a_spectrogram": (1.05, 1.049088),
        "decibels_of_twice_the_samples": (12.0412, 6.0206),
        "length_of_the_middle": (0, 30),
        "first_step_of_adam": (0.1**0.5 / 0.001**0.25, 1),
        "inputs_of_the_fourth_unit": (304, 152),
        "parameters_of_the_dense_layer": (13_550, 13_600),
        "millions_of_parameters": (1.0022, 1.003828),
        "largest_to_smallest": (1, 1_278_826 / 944_251),
        "positions_of_a_kernel": (3, 2),
        "intervals_past_100": (0, 8),
        "accuracy_without_listening": (0.5, 1 - 103 / 480),
        "similarity_in_the_plane": (np.exp(-3), 0.4),
        "seconds_of_a_clip": (29.14, 29.124),
        "relative_gain": (8.25, 8.249667),
        "best_of_the_grid": ("momentum 0.99, rate 0.005",) * 2,
        "better_of_two_papers": ("Elwood & Varosyan", "Dieleman & Schrauwen"),
    }
    for name, values in expected.items():
        found = getattr(calculations, name)()
        if isinstance(values[0], str):
            assert found == values, name
        else:
            np.testing.assert_allclose(
                found, values, rtol=1e-5, atol=1e-9, err_msg=name
            )
    for source in (claims.ROY, claims.ELWOOD):
        assert calculations.best_cell(source) == ("256/256", "512/256")
    assert len(calculated()) == len(expected) + 1


def test_the_table_of_accuracies_is_whole():
    table = calculations.accuracy()
    assert len(table) == 50 and table.index.is_unique
    assert table["accuracy"].between(81, 99.7).all()
    past = table[table.sum(axis=1) > 100.05]
    assert sorted(past.index) == [
        *("80s", "blues", "classic rock", "electro", "experimental"),
        *("female vocalist", "funk", "sexy"),
    ]


@pytest.mark.parametrize("script", [claims, calculations])
def test_examples_run(script):
    found = doctest.testmod(script)
    assert found.attempted and not found.failed


def test_numbers_agree_to_the_digits_that_are_printed():
    assert calculations.agree(8.25, 8.2496) and not calculations.agree(8.25, 8.256)
    assert calculations.agree(304, 304.4) and not calculations.agree(304, 305)
    assert calculations.agree("wav", "wav") and not calculations.agree("wav", "mp3")


def test_algorithm_5_takes_another_first_step():
    """By a second way: the loop as printed, and torch's own, over ten steps."""
    import torch

    theta = torch.nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.Adam([theta], lr=0.1)
    m = v = printed = 0.0
    for t in range(1, 11):
        theta.grad = torch.tensor([np.cos(t)]).float()
        m, v = 0.9 * m + 0.1 * np.cos(t), 0.999 * v + 0.001 * np.cos(t) ** 2
        m_hat, v_hat = m / (1 - 0.9**t) ** 0.5, v / (1 - 0.999**t) ** 0.5
        printed -= 0.1 * m_hat / (v_hat**0.5 + 1e-8)
        optimizer.step()
        if t == 1:
            ratio = printed / theta.item()
    assert ratio == pytest.approx(calculations.first_step_of_adam()[0], rel=1e-5)


def test_the_script_writes_without_any_record(results, monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(claims, "RESULT", tmp_path / "claims.csv")
    claims.main()
    assert "not recorded yet" in capsys.readouterr().out
    table = pd.read_csv(tmp_path / "claims.csv", dtype=str, keep_default_na=False)
    rows = table[table["command"].str.contains("record_experiments")]
    assert (rows["verdict"] == "not recorded yet").all()
    letters = set(rows["command"].str[-1])
    assert letters == set(experiments.EXPERIMENTS)
    assert json.dumps(table.to_dict())  # plain text throughout
