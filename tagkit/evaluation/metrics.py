"""Scores of clips to figures with intervals: how good, and how sure of it.

ROC-AUC of a tag: the chance that a clip with the tag scores above one without it.
Average precision: the mean, over the clips with the tag, of the precision at their
rank. Both are computed per tag over whole clips and then averaged over tags (macro).

Notebook: course/02_raw_waveform_cnns.ipynb
"""

import warnings
from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy import stats


def roc_auc(labels, scores) -> np.ndarray:
    """Compute the area under the ROC curve of each tag, ties counted half.

    Shape: (n_clips, n_tags), (n_clips, n_tags) -> (n_tags,); nan for a tag without
    positives or without negatives.
    Raises: ValueError if the two do not fit or scores are not numbers.

    >>> roc_auc([[1], [0], [0]], [[0.8], [0.9], [0.1]])
    array([0.5])

    Notebook: course/03_spectrogram_cnns.ipynb
    """
    labels, scores = _checked(labels, scores)
    return _areas(labels, scores)[0][0]


def average_precision(labels, scores) -> np.ndarray:
    """Compute the average precision of each tag; clips of equal score count together.

    Who gives all clips the same score reaches the tag's share of positives, not 0.5;
    a random order of few clips reaches somewhat more.

    Shape: as `roc_auc`.
    Source: the definition of scikit-learn, no interpolation between points.

    >>> average_precision([[1], [0], [1]], [[0.9], [0.8], [0.1]]).round(3)
    array([0.833])

    Notebook: course/05_per_tag_evaluation.ipynb
    """
    labels, scores = _checked(labels, scores)
    return _areas(labels, scores)[1][0]


def cross_entropy(labels, scores) -> float:
    """Compute the binary cross-entropy of scores, the mean over clips and tags.

    What training makes small. To be beaten are the tags' shares of the training clips;
    a score of 0 for a tag that is there costs infinitely much.

    Shape: (n_clips, n_tags), (n_clips, n_tags) in [0, 1] -> a number.
    Raises: ValueError as `roc_auc`, or if scores leave [0, 1].

    >>> round(cross_entropy([[1, 0]], [[0.5, 0.5]]), 4)
    0.6931

    Notebook: course/02_raw_waveform_cnns.ipynb
    """
    labels, scores = _checked(labels, scores)
    if scores.min() < 0 or scores.max() > 1:
        raise ValueError(
            f"scores go from {scores.min():g} to {scores.max():g}; needed are "
            "probabilities, see predict.merge_windows"
        )
    given = np.where(labels == 1, scores, 1 - scores)  # to what is true
    with np.errstate(divide="ignore"):
        return float(-np.log(given).mean())


def evaluate(
    labels: pd.DataFrame | np.ndarray,
    scores: np.ndarray,
    tags: Sequence[str] | None = None,
    n_boot: int = 1000,
    seed: int = 0,
    groups: Sequence | None = None,
) -> pd.DataFrame:
    """Score every tag and their mean, with 95 % bootstrap intervals over clips.

    A tag without positives or negatives cannot be scored: it is left out of the mean
    and named in ``attrs["masked"]``. Each resample draws as many clips with
    replacement; a tag that loses all positives in it is taken not to have moved. (An
    interval of AP leans upwards: a clip drawn twice counts twice at its rank. With few
    positives intervals are too narrow.)

    Args:
        labels: a labels frame, or an array with `tags` beside it.
        n_boot: resamples; 0 leaves the intervals nan.
        groups: a name per clip, such as its artist: whole groups are drawn then. Clips
            of one artist succeed together; drawn singly, intervals are too narrow.

    Shape: (n_clips, n_tags) twice -> a row per tag, then "macro"; columns positives,
    roc_auc, roc_low, roc_high, ap, ap_low, ap_high, ap_floor (that of equal scores).
    ``attrs``: n_clips, n_tags, masked, n_boot, nothing_right (accuracy of no tag).
    Raises: ValueError as `roc_auc`.

    >>> labels = pd.DataFrame({"a": [1, 0, 1, 0], "b": [0, 0, 0, 0]})
    >>> report = evaluate(labels, np.full((4, 2), 0.3), n_boot=0)
    >>> report.at["macro", "roc_auc"], report.attrs["masked"]
    (np.float64(0.5), ['b'])

    Notebook: course/02_raw_waveform_cnns.ipynb
    """
    if tags is None:
        tags = getattr(labels, "columns", range(np.shape(labels)[-1]))
    labels, scores = _checked(labels, scores)
    (roc,), (ap,) = _areas(labels, scores)
    positives = labels.sum(axis=0).astype(int)
    floor = np.where(np.isnan(roc), np.nan, labels.mean(axis=0))
    boot_roc, boot_ap = _resampled(labels, scores, n_boot, seed, groups)
    names = "positives roc_auc roc_low roc_high ap ap_low ap_high ap_floor".split()
    columns = positives, roc, *_interval(boot_roc), ap, *_interval(boot_ap), floor
    report = pd.DataFrame(np.array(columns).T, list(tags), names)
    report.loc["macro"] = [
        *(positives.sum(), _mean(roc), *_interval(_macro(roc, boot_roc))),
        *(_mean(ap), *_interval(_macro(ap, boot_ap)), _mean(floor)),
    ]
    report["positives"] = report["positives"].astype(int)
    masked = [str(tag) for tag in report.index[:-1][np.isnan(roc)]]
    report.attrs = {"n_clips": len(labels), "n_tags": len(roc), "masked": masked}
    report.attrs |= {"nothing_right": float(1 - labels.mean()), "n_boot": n_boot}
    return report


def compare(labels, scores_a, scores_b, n_boot: int = 1000, seed: int = 0, groups=None):
    """Ask whether A is better than B on the same clips: their difference, resampled.

    Both are scored on the same resamples, so what makes a clip hard for both cancels
    out. If the interval holds 0, these clips do not tell which is better.

    Args:
        groups: as in `evaluate`.

    Shape: (n_clips, n_tags) three times -> a frame with rows roc_auc, ap; columns a, b,
    difference (a - b), low, high (95 %), a_better (share of resamples).

    >>> labels = np.array([[1], [0], [1], [0]])
    >>> compare(labels, labels, 1 - labels).at["roc_auc", "difference"]
    np.float64(1.0)

    Notebook: course/03_spectrogram_cnns.ipynb
    """
    labels, scores_a = _checked(labels, scores_a)
    labels, scores_b = _checked(labels, scores_b)
    whole_a, whole_b = (_areas(labels, s) for s in (scores_a, scores_b))
    boot_a, boot_b = (
        _resampled(labels, s, n_boot, seed, groups) for s in (scores_a, scores_b)
    )
    rows = {}
    for i, row in enumerate(("roc_auc", "ap")):
        (a,), (b,) = whole_a[i], whole_b[i]
        many = _macro(a - b, boot_a[i] - boot_b[i])
        low, high = _interval(many)
        rows[row] = {"a": _mean(a), "b": _mean(b), "difference": _mean(a - b)}
        rows[row] |= {"low": low, "high": high, "a_better": (many > 0).mean()}
    return pd.DataFrame.from_dict(rows, orient="index")


def decisions(labels, scores, thresholds=0.5, tags: Sequence[str] | None = None):
    """Say yes to scores at or above a threshold, and count what was right.

    Precision: the share of right ones among the yeses. Recall: the share of the
    positives that got a yes. F1: twice the right ones, divided by yeses and positives.

    Args:
        thresholds: one number, or one per tag, see `choose_thresholds`.

    Shape: (n_clips, n_tags) twice -> a row per tag, then "macro", the mean over tags
    with positives, and "micro", all tags in one pot; columns positives, yes, right,
    precision (nan without a yes), recall, f1. ``attrs``: accuracy, nothing_right.
    Raises: ValueError as `roc_auc`.

    >>> decisions([[1], [1], [0]], [[0.9], [0.2], [0.6]]).at["micro", "f1"]
    np.float64(0.5)

    Notebook: course/05_per_tag_evaluation.ipynb
    """
    if tags is None:
        tags = getattr(labels, "columns", range(np.shape(labels)[-1]))
    labels, scores = _checked(labels, scores)
    yes = scores >= np.asarray(thresholds, dtype=np.float64)
    counts = np.array([labels.sum(axis=0), yes.sum(axis=0), (labels * yes).sum(axis=0)])
    counts = np.column_stack([counts, counts.sum(axis=1)])  # the last one is the pot
    of = np.array([counts[1], counts[0], (counts[0] + counts[1]) / 2])
    with np.errstate(invalid="ignore"):
        shares = counts[2] / of
    shares[:, counts[0] == 0] = np.nan  # without positives there is nothing to find
    names = ["positives", "yes", "right", "precision", "recall", "f1"]
    table = pd.DataFrame(np.vstack([counts, shares]).T, [*tags, "micro"], names)
    macro = [*counts[:, -1], *_mean(shares[:, :-1])]
    table = pd.concat([table[:-1], pd.DataFrame([macro], ["macro"], names), table[-1:]])
    table.attrs["accuracy"] = float((yes == labels).mean())
    table.attrs["nothing_right"] = float(1 - labels.mean())
    return table.astype(dict.fromkeys(names[:3], int))


def choose_thresholds(labels, scores, otherwise: float = 0.5) -> np.ndarray:
    """Choose the threshold of best F1 for each tag, half-way between two scores.

    Choose on validation clips, never on those that you report: a tag with few positives
    finds a lucky threshold on any clips.

    Args:
        otherwise: for tags without positives, where nothing can be chosen.

    Shape: (n_clips, n_tags) twice -> (n_tags,).
    Raises: ValueError as `roc_auc`.

    >>> choose_thresholds([[1], [1], [0]], [[0.9], [0.5], [0.2]])
    array([0.35])

    Notebook: course/05_per_tag_evaluation.ipynb
    """
    labels, scores = _checked(labels, scores)
    chosen = np.full(labels.shape[1], float(otherwise))
    for tag in np.flatnonzero(labels.any(axis=0)):
        steps, place = np.unique(scores[:, tag], return_inverse=True)
        yes = np.bincount(place)[::-1].cumsum()[::-1]  # clips at or above each step
        right = np.bincount(place, labels[:, tag])[::-1].cumsum()[::-1]
        best = np.argmax(right / (yes + labels[:, tag].sum()))
        chosen[tag] = steps[max(best - 1, 0) : best + 1].mean()
    return chosen


def seed_interval(values: Sequence[float], level: float = 0.95):
    """Give the mean over seeds and its t-interval.

    Shape: (n_seeds,) -> mean, low, high.
    Raises: ValueError for fewer than two values.

    >>> [round(float(v), 3) for v in seed_interval([0.70, 0.72, 0.74])]
    [0.72, 0.67, 0.77]

    Notebook: course/03_spectrogram_cnns.ipynb
    """
    values = np.asarray(values, dtype=float)
    if len(values) < 2:
        raise ValueError(f"{len(values)} value(s): a spread needs at least two seeds")
    half = stats.t.ppf((1 + level) / 2, len(values) - 1) * stats.sem(values)
    return values.mean(), values.mean() - half, values.mean() + half


def _checked(labels, scores):
    if isinstance(labels, pd.DataFrame) and isinstance(scores, pd.DataFrame):
        for axis in ("index", "columns"):  # two frames know what stands where
            if not getattr(labels, axis).equals(getattr(scores, axis)):
                raise ValueError(
                    f"labels and scores are frames with different {axis}; needed are "
                    "the same clips and tags in the same order; use labels.loc[...]"
                )
    labels, scores = np.asarray(labels), np.asarray(scores, dtype=np.float64)
    if labels.shape != scores.shape or labels.ndim != 2:
        raise ValueError(
            f"labels have shape {labels.shape} and scores {scores.shape}; both must be "
            "(n_clips, n_tags), in the same order of clips and tags"
        )
    if not len(labels):
        raise ValueError("there are no clips; needed is at least one to score")
    if not np.isfinite(scores).all():
        raise ValueError(
            f"{np.count_nonzero(~np.isfinite(scores))} of {scores.size} scores are not "
            "finite numbers; look at the loss of the training"
        )
    if not np.isin(labels, (0, 1)).all():
        bad = labels[~np.isin(labels, (0, 1))][0]
        raise ValueError(f"labels hold the value {bad}; needed is 0 or 1")
    return labels.astype(np.float64), scores


def _areas(labels, scores, weights=None):
    """Compute ROC-AUC and AP of each tag for many weightings of the clips at once.

    A resample with replacement is a weighting by how often each clip was drawn, so
    each tag is sorted only once. Shape: weights (n_boot, n_clips), by default ones, ->
    two arrays (n_boot, n_tags).
    """
    weights = np.ones((1, len(labels))) if weights is None else weights
    n_boot, n_tags = len(weights), labels.shape[1]
    roc, ap = np.full((2, n_boot, n_tags), np.nan)
    for tag in range(n_tags):
        order = np.argsort(-scores[:, tag], kind="stable")
        sorted_scores, is_one = scores[order, tag], labels[order, tag]
        if not 0 < is_one.sum() < len(is_one):
            continue
        first = np.r_[0, 1 + np.flatnonzero(np.diff(sorted_scores))]  # of equal scores
        drawn = weights[:, order]
        ones = np.add.reduceat(drawn * is_one, first, axis=1)  # (n_boot, n_groups)
        zeros = np.add.reduceat(drawn * (1 - is_one), first, axis=1)
        ones_so_far, zeros_so_far = ones.cumsum(axis=1), zeros.cumsum(axis=1)
        n_ones, n_zeros = ones_so_far[:, -1], zeros_so_far[:, -1]
        below = n_zeros[:, None] - zeros_so_far + zeros / 2
        with np.errstate(invalid="ignore", divide="ignore"):
            roc[:, tag] = (ones * below).sum(axis=1) / (n_ones * n_zeros)
            precision = ones_so_far / (ones_so_far + zeros_so_far)
            precision[ones == 0] = 0.0
            ap[:, tag] = (ones * precision).sum(axis=1) / n_ones
        ap[(n_ones == 0) | (n_zeros == 0), tag] = np.nan
    return roc, ap


def drawn(n: int, groups: Sequence | None, n_boot: int, seed: int) -> np.ndarray:
    """Draw n clips, or as many whole groups as there are, with replacement.

    Shape: (n_boot, n), how often each came. Raises: ValueError for other groups.
    """
    group = np.unique(range(n) if groups is None else groups, return_inverse=True)[1]
    if len(group) != n:
        raise ValueError(f"{len(group)} groups; needed is one for each clip")
    shares = np.full(group.max() + 1, 1 / (group.max() + 1))
    random = np.random.default_rng(seed)
    return random.multinomial(len(shares), shares, n_boot)[:, group]


def _resampled(labels, scores, n_boot, seed, groups):
    if n_boot == 0:
        return np.full((2, 1, labels.shape[1]), np.nan)
    some = np.array_split(drawn(len(labels), groups, n_boot, seed), -(-n_boot // 100))
    parts = [_areas(labels, scores, weights) for weights in some]
    return [np.concatenate(area) for area in zip(*parts, strict=True)]


def _mean(areas):
    """Average over tags, leaving out those that could not be scored."""
    there = ~np.isnan(areas)
    count, total = there.sum(axis=-1), np.where(there, areas, 0).sum(axis=-1)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)[()]


def _macro(whole, many):
    """Average over tags for each resample, so that the tags of the mean stay the same.

    A rare tag has no score where a resample lost its positives; the mean of the others
    would be one over other tags. Shape: (n_tags,), (n_boot, n_tags) -> (n_boot,).
    """
    return _mean(whole) + _mean(many - whole)


def _interval(values):
    """Give the 2.5 and 97.5 percentiles over resamples. Shape: (n_boot, ...)."""
    with warnings.catch_warnings():  # a tag that cannot be scored is all nan
        warnings.simplefilter("ignore", RuntimeWarning)
        return np.nanpercentile(values, (2.5, 97.5), axis=0)
