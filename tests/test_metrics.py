"""Figures and intervals: against scikit-learn and scipy, and against simulation."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from sklearn.metrics import average_precision_score, log_loss, roc_auc_score

from tagkit.evaluation import metrics

COLUMNS = ["positives", "roc_auc", "roc_low", "roc_high", "ap", "ap_low", "ap_high"]


def random_case(seed, n_clips=80, n_tags=6, n_values=8):
    """Labels of growing rarity and scores with ties. Shape: two (n_clips, n_tags)."""
    random = np.random.default_rng(seed)
    rate = np.linspace(0.02, 0.6, n_tags)
    labels = (random.random((n_clips, n_tags)) < rate).astype(np.uint8)
    scores = random.integers(0, n_values, labels.shape) / n_values + 0.2 * labels
    return labels, scores


def by_sklearn(score, labels, scores):
    """Each tag with both classes by scikit-learn, nan for the others."""
    return np.array(
        [
            score(one, mine) if 0 < one.sum() < len(one) else np.nan
            for one, mine in zip(labels.T, scores.T, strict=True)
        ]
    )


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("n_values", [1, 2, 8, 10**9])
def test_agrees_with_scikit_learn(seed, n_values):
    labels, scores = random_case(seed, n_values=n_values)
    labels[:, 2] = 0
    labels[:, 4] = 1
    roc = by_sklearn(roc_auc_score, labels, scores)
    ap = by_sklearn(average_precision_score, labels, scores)
    np.testing.assert_allclose(metrics.roc_auc(labels, scores), roc, rtol=1e-10)
    np.testing.assert_allclose(
        metrics.average_precision(labels, scores), ap, rtol=1e-10
    )
    report = metrics.evaluate(labels, scores, tags=list("abcdef"), n_boot=0)
    np.testing.assert_allclose(report["roc_auc"].iloc[:-1], roc, rtol=1e-10)
    np.testing.assert_allclose(report["ap"].iloc[:-1], ap, rtol=1e-10)
    assert report.at["macro", "roc_auc"] == pytest.approx(np.nanmean(roc))
    assert report.at["macro", "ap"] == pytest.approx(np.nanmean(ap))
    masked = [t for t, r in zip("abcdef", roc, strict=True) if np.isnan(r)]
    assert report.attrs["masked"] == masked and {"c", "e"} <= set(masked)


def test_close_scores_are_no_ties():
    labels, scores = np.array([[1], [0]]), np.array([[0.5 + 1e-12], [0.5]])
    assert metrics.roc_auc(labels, scores) == [1]


@pytest.mark.parametrize("value", [0.0, 0.5, 1.0])
def test_constant_scorer_gets_a_half_and_the_floor(value):
    labels, _ = random_case(1)
    report = metrics.evaluate(labels, np.full(labels.shape, value), n_boot=50)
    there = report["roc_auc"].notna()
    assert (report.loc[there, ["roc_auc", "roc_low", "roc_high"]] == 0.5).all(axis=None)
    np.testing.assert_allclose(report.loc[there, "ap"], report.loc[there, "ap_floor"])


def test_perfect_and_worst_scorers():
    labels, _ = random_case(2)
    best = metrics.evaluate(labels, labels.astype(float), n_boot=50)
    worst = metrics.evaluate(labels, 1.0 - labels, n_boot=50)
    there = best["roc_auc"].notna()
    columns = [c for c in COLUMNS if c != "positives"]
    assert (best.loc[there, columns] == 1).all(axis=None)
    assert (worst.loc[there, ["roc_auc", "roc_low", "roc_high"]] == 0).all(axis=None)
    assert (worst.loc[there, "ap"] < 1).all()


def test_resampled_draws_are_those_of_the_intervals():
    labels, scores = random_case(3)
    seeds, groups = np.stack([scores, -scores, scores**2]), np.arange(80) // 4
    how = {"n_boot": 200, "groups": groups, "seed": 4}
    report = metrics.evaluate(labels, seeds, **how)[:-1]
    draws = metrics.resampled(labels, seeds, **how)
    assert draws.shape == (2, 200, 6)
    for some, kind in zip(draws, ("roc", "ap"), strict=True):
        ends = np.nanpercentile(some, (2.5, 97.5), axis=0).T
        np.testing.assert_array_equal(ends, report[[f"{kind}_low", f"{kind}_high"]])


def test_only_the_order_of_the_scores_counts():
    labels, scores = random_case(3)
    a = metrics.evaluate(labels, scores, n_boot=20)
    b = metrics.evaluate(labels, np.exp(3 * scores), n_boot=20)
    pd.testing.assert_frame_equal(a, b)


def test_random_scorer_reaches_the_floor():
    random = np.random.default_rng(0)
    labels = (random.random((20_000, 4)) < [0.02, 0.1, 0.3, 0.5]).astype(np.uint8)
    report = metrics.evaluate(labels, random.random(labels.shape), n_boot=0)
    np.testing.assert_allclose(report["ap"], report["ap_floor"], atol=0.015)
    np.testing.assert_allclose(report["roc_auc"], 0.5, atol=0.03)


def test_floors_stand_beside_the_scores():
    labels, scores = random_case(4)
    report = metrics.evaluate(labels, scores, n_boot=0)
    there = report.index[:-1][report["roc_auc"].notna().iloc[:-1]]
    np.testing.assert_allclose(
        report.loc[there, "ap_floor"], labels.mean(axis=0)[list(there)]
    )
    assert report.at["macro", "ap_floor"] == pytest.approx(
        labels.mean(axis=0)[list(there)].mean()
    )
    assert report.attrs["nothing_right"] == pytest.approx(1 - labels.mean())
    assert report["positives"].iloc[:-1].tolist() == labels.sum(axis=0).tolist()
    assert report.at["macro", "positives"] == labels.sum()
    # Without resamples the intervals stay open.
    assert report[["roc_low", "roc_high", "ap_low", "ap_high"]].isna().all(axis=None)
    assert report.attrs["n_clips"] == 80 and report.attrs["n_tags"] == 6


def test_rows_are_named_by_the_labels_frame():
    """A shuffled tag order would show: each tag has its own score here."""
    labels = pd.DataFrame({"good": [1, 1, 0, 0], "bad": [1, 1, 0, 0]})
    scores = np.array([[0.9, 0.1], [0.8, 0.2], [0.2, 0.8], [0.1, 0.9]])
    report = metrics.evaluate(labels, scores, n_boot=0)
    assert report.index.tolist() == ["good", "bad", "macro"]
    assert report["roc_auc"].tolist() == [1, 0, 0.5]


def test_scores_in_a_frame_with_other_columns_or_clips_are_refused():
    labels = pd.DataFrame({"a": [1, 0], "b": [0, 1]}, index=[7, 9])
    same = labels.astype(float)
    assert metrics.evaluate(labels, same, n_boot=0).at["macro", "roc_auc"] == 1
    for axis, other in (("columns", same[["b", "a"]]), ("index", same.loc[[9, 7]])):
        with pytest.raises(ValueError, match=axis):
            metrics.evaluate(labels, other, n_boot=0)


def test_no_tag_that_can_be_scored():
    report = metrics.evaluate(np.zeros((4, 2)), np.zeros((4, 2)), n_boot=20)
    assert report["roc_auc"].isna().all()
    assert report.attrs["masked"] == ["0", "1"]


@pytest.mark.filterwarnings("error")
def test_nothing_warns_and_masked_tags_spoil_no_mean():
    labels, scores = random_case(5)
    labels[:, 0] = 0
    report = metrics.evaluate(labels, scores, n_boot=100)
    assert report.loc["macro"].notna().all()
    assert report.iloc[0].drop("positives").isna().all()
    without = metrics.evaluate(labels[:, 1:], scores[:, 1:], n_boot=100)
    for column in ("roc_auc", "ap", "roc_low", "roc_high", "ap_floor"):
        assert report.at["macro", column] == pytest.approx(without.at["macro", column])


@pytest.mark.parametrize(
    ("labels", "scores", "words"),
    [
        ([[1], [0]], [[0.1]], [r"\(2, 1\)", r"\(1, 1\)"]),
        ([[1], [0]], [0.1, 0.2], [r"\(2, 1\)", r"\(2,\)"]),
        ([1, 0], [0.1, 0.2], [r"\(2,\)"]),
        ([[1], [0]], [[np.nan], [0.2]], ["1 of 2"]),
        ([[1], [0]], [[np.inf], [0.2]], ["1 of 2"]),
        ([[2], [0]], [[0.1], [0.2]], ["value 2"]),
        ([[0.5], [0]], [[0.1], [0.2]], ["0.5"]),
        (np.zeros((0, 3)), np.zeros((0, 3)), ["no clips"]),
    ],
)
def test_what_does_not_fit_is_refused(labels, scores, words):
    for word in words:
        for score in (metrics.roc_auc, metrics.average_precision, metrics.evaluate):
            with pytest.raises(ValueError, match=word):
                score(labels, scores)
        with pytest.raises(ValueError, match=word):
            metrics.compare(labels, scores, scores)


def test_resampling_by_weights_is_resampling_with_replacement():
    """The weights' shortcut gives what drawing the clips themselves gives."""
    labels, scores = random_case(6, n_clips=30)
    random = np.random.default_rng(0)
    for _ in range(20):
        drawn = random.integers(30, size=30)
        weights = np.bincount(drawn, minlength=30)[None].astype(float)
        roc, ap = metrics._areas(labels.astype(float), scores, weights)
        expected = by_sklearn(roc_auc_score, labels[drawn], scores[drawn])
        np.testing.assert_allclose(roc[0], expected, rtol=1e-10)
        expected = by_sklearn(average_precision_score, labels[drawn], scores[drawn])
        np.testing.assert_allclose(ap[0], expected, rtol=1e-10)


def test_interval_holds_the_truth_about_19_times_in_20():
    """Positives N(1, 1), negatives N(0, 1): the true AUC is Phi(1 / sqrt 2)."""
    truth = stats.norm.cdf(1 / np.sqrt(2))
    random = np.random.default_rng(0)
    hits = 0
    for draw in range(200):
        labels = (np.arange(100) < 40).astype(np.uint8)[:, None]
        scores = random.standard_normal((100, 1)) + labels
        report = metrics.evaluate(labels, scores, n_boot=200, seed=draw)
        hits += report.at["macro", "roc_low"] <= truth <= report.at["macro", "roc_high"]
    assert 0.88 * 200 <= hits <= 0.99 * 200


def test_intervals_hold_the_score_and_narrow_with_more_clips():
    widths = []
    for n_clips in (100, 1600):
        labels, scores = random_case(7, n_clips)
        report = metrics.evaluate(labels, scores)
        assert (report["roc_low"] <= report["roc_auc"]).all()
        assert (report["roc_auc"] <= report["roc_high"]).all()
        assert (report["ap_low"] <= report["ap"]).all()
        widths.append((report["roc_high"] - report["roc_low"])["macro"])
    assert widths[0] / widths[1] == pytest.approx(4, rel=0.35)  # the square root of 16


def test_same_seed_same_interval():
    labels, scores = random_case(8)
    one = metrics.evaluate(labels, scores, n_boot=50, seed=1)
    pd.testing.assert_frame_equal(
        one, metrics.evaluate(labels, scores, n_boot=50, seed=1)
    )
    assert (
        one["roc_low"] != metrics.evaluate(labels, scores, n_boot=50)["roc_low"]
    ).any()


def test_compare_of_a_model_with_itself_is_nothing():
    labels, scores = random_case(9)
    table = metrics.compare(labels, scores, scores, n_boot=50)
    assert (table[["difference", "low", "high"]] == 0).all(axis=None)
    assert (table["a_better"] == 0).all()


def test_compare_is_paired():
    """B is A on nearly every clip: the difference is sure though both are not."""
    random = np.random.default_rng(0)
    labels = (random.random((120, 5)) < 0.4).astype(np.uint8)
    b = random.standard_normal(labels.shape) + labels
    a = b + 0.3 * labels  # a little better, on the same clips
    table = metrics.compare(labels, a, b, n_boot=300)
    alone_a = metrics.evaluate(labels, a, n_boot=300).loc["macro"]
    alone_b = metrics.evaluate(labels, b, n_boot=300).loc["macro"]
    for score, low, high in (
        ("roc_auc", "roc_low", "roc_high"),
        ("ap", "ap_low", "ap_high"),
    ):
        assert table.at[score, "a"] == pytest.approx(alone_a[score])
        assert table.at[score, "b"] == pytest.approx(alone_b[score])
        assert table.at[score, "difference"] == pytest.approx(
            alone_a[score] - alone_b[score]
        )
        assert alone_a[low] < alone_b[high]  # the two intervals overlap
        assert 0 < table.at[score, "low"] < table.at[score, "high"]
        assert table.at[score, "a_better"] == 1
    turned = metrics.compare(labels, b, a, n_boot=300)
    np.testing.assert_allclose(turned["difference"], -table["difference"])
    np.testing.assert_allclose(turned["low"], -table["high"])


def test_groups_are_drawn_whole():
    """Ten artists, ten equal clips of each: they know as much as ten clips."""
    random = np.random.default_rng(0)
    labels = (np.arange(10)[:, None] % [2, 3] == 0).astype(np.uint8)
    a, b = (random.standard_normal(labels.shape) + labels for _ in range(2))
    labels, many_a, many_b = (np.repeat(x, 10, axis=0) for x in (labels, a, b))
    artists = np.repeat([f"artist {i}" for i in range(10)], 10)
    few = metrics.evaluate(labels[::10], a, n_boot=300)
    clips = metrics.evaluate(labels, many_a, n_boot=300)
    whole = metrics.evaluate(labels, many_a, n_boot=300, groups=artists)
    np.testing.assert_allclose(whole["roc_low"], few["roc_low"])
    np.testing.assert_allclose(whole["roc_high"], few["roc_high"])
    np.testing.assert_allclose(whole["roc_auc"], clips["roc_auc"])
    width = (whole["roc_high"] - whole["roc_low"])["macro"]
    assert width > 2 * (clips["roc_high"] - clips["roc_low"])["macro"]
    fair = metrics.compare(labels, many_a, many_b, n_boot=300, groups=artists)
    pd.testing.assert_frame_equal(
        fair, metrics.compare(labels[::10], a, b, n_boot=300), check_exact=False
    )
    with pytest.raises(ValueError, match="99 groups"):
        metrics.evaluate(labels, many_a, groups=artists[:99])


def test_compare_of_two_strangers_holds_zero_about_19_times_in_20():
    random = np.random.default_rng(1)
    hits = 0
    for draw in range(100):
        labels = (random.random((80, 2)) < 0.4).astype(np.uint8)
        a, b = random.standard_normal((2, *labels.shape)) + labels
        row = metrics.compare(labels, a, b, n_boot=150, seed=draw).loc["roc_auc"]
        hits += row["low"] <= 0 <= row["high"]
    assert 87 <= hits <= 100


def test_cross_entropy_is_scikit_learns():
    random = np.random.default_rng(0)
    labels = random.integers(0, 2, (30, 4))
    scores = random.uniform(0.01, 0.99, (30, 4))
    both = [log_loss(labels[:, i], scores[:, i], labels=[0, 1]) for i in range(4)]
    assert metrics.cross_entropy(labels, scores) == pytest.approx(np.mean(both))
    assert metrics.cross_entropy(labels, labels) == 0
    assert metrics.cross_entropy([[1]], [[0.0]]) == np.inf
    with pytest.raises(ValueError, match="-2.* 3"):
        metrics.cross_entropy([[1, 0]], [[3.0, -2.0]])


# -- several seeds, several tags ------------------------------------------------------


def graded(n_seeds, strength=1.0, n_clips=60, n_tags=3, seed=0):
    """Labels of 20 artists and scores of some seeds that hear them a little."""
    random = np.random.default_rng(seed)
    labels = (random.random((n_clips, n_tags)) < 0.3).astype(int)
    noise = random.normal(size=(n_seeds, n_clips, n_tags))
    groups = np.repeat(np.arange(20), n_clips // 20)
    return labels, 1 / (1 + np.exp(-(strength * labels + noise))), groups


def test_several_seeds_give_the_mean_and_one_seed_what_it_gave_before():
    labels, scores, groups = graded(3)
    whole = metrics.evaluate(labels, scores, groups=groups)
    each = [metrics.evaluate(labels, one, groups=groups) for one in scores]
    for name in ("roc_auc", "ap"):
        means = np.mean([one[name] for one in each], axis=0)
        np.testing.assert_allclose(whole[name], means)
    one = metrics.evaluate(labels, scores[:1], groups=groups)
    pd.testing.assert_frame_equal(one, each[0])


def test_seeds_that_differ_widen_the_interval_as_much_as_new_ones_would():
    """The drawn means of three seeds have the variance of a mean of three new seeds."""
    labels, one, _ = graded(1, n_clips=300, n_tags=1)
    sure = 0.9 * labels + 0.05
    shares = metrics._seed_shares(3, 20_000, 0)  # (3, n_boot)
    np.testing.assert_allclose(shares.sum(axis=0), 1)
    values = np.array([0.7, 0.8, 0.87])
    drawn = values @ shares
    assert drawn.mean() == pytest.approx(values.mean(), abs=1e-3)
    assert drawn.var() == pytest.approx(values.var(ddof=1) / 3, rel=0.03)
    same = metrics.evaluate(labels, np.stack([one[0], one[0]])).loc["macro"]
    mixed = metrics.evaluate(labels, np.stack([one[0], sure])).loc["macro"]
    assert mixed.roc_high - mixed.roc_low > 2 * (same.roc_high - same.roc_low)


def test_seeds_of_another_shape_are_refused():
    labels, scores, _ = graded(2)
    with pytest.raises(ValueError, match=r"\(60, 3\) and scores \(60, 2\)"):
        metrics.evaluate(labels, scores[:, :, :2])
    with pytest.raises(ValueError, match="at least one seed"):
        metrics.evaluate(labels, scores[:0])


def test_holm_is_that_of_the_definition():
    p = [0.01, np.nan, 0.04, 0.03, 0.005]  # sorted: .005 x 4, .01 x 3, .03 x 2, .04 x 1
    np.testing.assert_allclose(metrics.holm(p), [0.03, np.nan, 0.06, 0.06, 0.02])
    assert metrics.holm([0.6, 0.9]).tolist() == [1.0, 1.0]
    assert metrics.holm([]).shape == (0,)


def test_a_tag_that_differs_is_told_from_one_that_does_not():
    labels, a, groups = graded(3, strength=0.0, n_clips=120)
    b = a.copy()
    a[:, :, 0] = 0.02 * a[:, :, 0] + 0.9 * labels[:, 0]  # A hears the first tag
    labels[:, 2] = 0  # the last one cannot be scored
    groups = np.repeat(np.arange(40), 3)
    table = metrics.compare_tags(labels, a, b, tags=["x", "y", "z"], groups=groups)
    assert list(table.index) == ["x", "y", "z"]
    x, y, z = (row for _, row in table.iterrows())
    assert x.p_holm == pytest.approx(2 * x.p) and x.p_holm < 0.01 and x.low > 0
    assert (y.difference, y.p, y.p_holm) == (0, 1, 1)
    assert np.isnan([z.a, z.difference, z.low, z.p, z.p_holm]).all()


def test_no_interval_leaves_the_range_of_a_score():
    """Where the perfect tag drops out of a resample, the other may move up a lot."""
    perfect, half = [0, 1, 0, 0, 0, 0], [1, 0, 0, 0, 0, 1]
    scores = np.array([[0, 9, 1, 2, 3, 4], [9, 5, 6, 7, 8, 1]]).T / 10
    row = metrics.evaluate(np.transpose([perfect, half]), scores).loc["macro"]
    assert row.roc_auc == 0.75 and row.roc_high == 1 and row.ap_high <= 1
