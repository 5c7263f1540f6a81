"""Metrics per tag over whole clips, their mean over tags (macro), and intervals.

Notebook: course/02_raw_waveform_cnns.ipynb
"""

import warnings
from collections.abc import Sequence

import numpy as np
import pandas as pd


def roc_auc(labels, scores) -> np.ndarray:
    """Compute each tag's chance that a clip with it scores above one without it.

    This is the area under the ROC curve; ties count half. With both transposed it is
    that of each clip over its tags: does what the clip has score above the rest?

    Shape: (n_clips, n_tags), (n_clips, n_tags) -> (n_tags,); nan for a tag without
    positives or without negatives.
    Raises: ValueError if the two do not fit or scores are not numbers.

    >>> roc_auc([[1], [0], [0]], [[0.8], [0.9], [0.1]])
    array([0.5])
    """
    labels, scores = _checked(labels, scores)
    return _areas(labels, scores)[0][0]


def average_precision(labels, scores) -> np.ndarray:
    """Compute for each tag the mean precision at the ranks of the clips that have it.

    Clips of equal score share a rank; equal scores reach the share of positives.

    Shape: as `roc_auc`.
    Source: the definition of scikit-learn, no interpolation between points.
    """
    labels, scores = _checked(labels, scores)
    return _areas(labels, scores)[1][0]


def cross_entropy(labels, scores) -> float:
    """Compute the binary cross-entropy of scores, the mean over clips and tags.

    It is infinite if a tag that is there has a score of 0.

    Shape: (n_clips, n_tags), (n_clips, n_tags) in [0, 1] -> a number.
    Raises: ValueError as `roc_auc`, or if scores leave [0, 1].
    """
    labels, scores = _checked(labels, scores)
    if scores.min() < 0 or scores.max() > 1:
        raise ValueError(
            f"scores go from {scores.min():g} to {scores.max():g}; needed are "
            "probabilities, see predict.merge_windows"
        )
    of_the_truth = np.where(labels == 1, scores, 1 - scores)
    with np.errstate(divide="ignore"):
        return float(-np.log(of_the_truth).mean())


def evaluate(
    labels: pd.DataFrame | np.ndarray,
    scores: np.ndarray,
    *,
    tags: Sequence[str] | None = None,
    n_boot: int = 1000,
    seed: int = 0,
    groups: Sequence | None = None,
) -> pd.DataFrame:
    """Score every tag and their mean, with 95 % bootstrap intervals over clips.

    A tag without positives or negatives is left out of the mean and named in
    ``attrs["masked"]``; one that loses all its positives in a resample is taken to have
    moved as far as the other tags did. Intervals of AP are shifted upwards, since a
    clip drawn twice counts twice at its rank. With few positives all intervals are too
    narrow.

    With `groups`, a name per clip such as its artist, whole groups are drawn: the clips
    of one artist succeed or fail together. With scores of several seeds the figures are
    means over them, and seeds are drawn as well, so that the intervals hold for other
    clips and other seeds. ``n_boot=0`` leaves the intervals nan.

    Shape: labels (n_clips, n_tags), scores the same or (n_seeds, n_clips, n_tags) -> a
    row per tag, then "macro"; columns positives, roc_auc, roc_low, roc_high, ap,
    ap_low, ap_high, ap_floor (that of equal scores).
    ``attrs``: n_clips, n_tags, masked, n_boot, nothing_right (accuracy of no tag).
    Raises: ValueError as `roc_auc`.

    >>> labels = pd.DataFrame({"a": [1, 0, 1, 0], "b": [0, 0, 0, 0]})
    >>> report = evaluate(labels, np.full((4, 2), 0.3), n_boot=0)
    >>> report.at["macro", "roc_auc"], report.attrs["masked"]
    (np.float64(0.5), ['b'])
    """
    tags = _tag_names(labels, tags)
    labels, seeds = _seeds(labels, scores)
    roc, ap = _mean_areas(labels, seeds)  # (n_tags,)
    boot_roc, boot_ap = _resampled(labels, seeds, n_boot, seed, groups)
    positives = labels.sum(axis=0).astype(int)
    floor = np.where(np.isnan(roc), np.nan, labels.mean(axis=0))
    report = pd.DataFrame(index=[*tags, "macro"])
    report["positives"] = np.append(positives, positives.sum())
    report["roc_auc"] = np.append(roc, _mean(roc))
    report["roc_low"], report["roc_high"] = _intervals(roc, boot_roc)
    report["ap"] = np.append(ap, _mean(ap))
    report["ap_low"], report["ap_high"] = _intervals(ap, boot_ap)
    report["ap_floor"] = np.append(floor, _mean(floor))
    report.attrs = {
        "n_clips": len(labels),
        "n_tags": len(tags),
        "masked": [str(tag) for tag in report.index[:-1][np.isnan(roc)]],
        "nothing_right": float(1 - labels.mean()),
        "n_boot": n_boot,
    }
    return report


def compare(
    labels, scores_a, scores_b, *, n_boot: int = 1000, seed: int = 0, groups=None
) -> pd.DataFrame:
    """Compare A with B on the same resamples of the clips, drawn as in `evaluate`.

    What makes a clip hard for both cancels out. If the interval of the difference
    holds 0, these clips do not tell which is better.

    Shape: labels and scores as in `evaluate` -> a frame with rows roc_auc, ap; columns
    a, b, difference (a - b), low, high (95 %), a_better (share of resamples).
    Notebook: course/03_spectrogram_cnns.ipynb
    """
    labels, areas_a, areas_b, boot_a, boot_b = _paired(
        labels, scores_a, scores_b, n_boot, seed, groups
    )
    rows = {}
    for i, name in enumerate(("roc_auc", "ap")):
        a, b = areas_a[i], areas_b[i]  # (n_tags,)
        differences = _macro(a - b, boot_a[i] - boot_b[i])  # (n_boot,)
        low, high = _interval(differences)
        rows[name] = {
            "a": _mean(a),
            "b": _mean(b),
            "difference": _mean(a - b),
            "low": low,
            "high": high,
            "a_better": (differences > 0).mean(),
        }
    return pd.DataFrame.from_dict(rows, orient="index")


def compare_tags(
    labels,
    scores_a,
    scores_b,
    *,
    tags: Sequence[str] | None = None,
    n_boot: int = 10_000,
    seed: int = 0,
    groups=None,
) -> pd.DataFrame:
    """Compare the ROC-AUC of A and B tag by tag, as `compare` does their means.

    Of thirty tags, one or two differ "significantly" by luck alone: judge by p_holm,
    which allows for the number of tags. Both p are two-sided, from the resamples, and
    cannot be below 2 / (n_boot + 1).

    Shape: as `compare` -> a row per tag, the smallest p first; columns positives, a, b,
    difference (a - b), low, high (95 %), p, p_holm; nan for a tag that cannot be
    scored.
    Notebook: course/05_per_tag_evaluation.ipynb
    """
    tags = _tag_names(labels, tags)
    labels, (a, _), (b, _), (boot_a, _), (boot_b, _) = _paired(
        labels, scores_a, scores_b, n_boot, seed, groups
    )
    differences = boot_a - boot_b  # (n_boot, n_tags)
    table = pd.DataFrame({"positives": labels.sum(axis=0).astype(int)}, tags)
    table["a"], table["b"], table["difference"] = a, b, a - b
    table["low"], table["high"] = _interval(differences)
    n_drawn = (~np.isnan(differences)).sum(axis=0)
    above, below = (differences >= 0).sum(axis=0), (differences <= 0).sum(axis=0)
    p = np.minimum(1, 2 * (np.minimum(above, below) + 1) / (n_drawn + 1))
    table["p"] = np.where(n_drawn > 0, p, np.nan)
    table["p_holm"] = holm(table["p"])
    return table.sort_values("p", kind="stable")


def resampled(
    labels, scores, *, n_boot: int = 1000, seed: int = 0, groups=None
) -> np.ndarray:
    """Score each tag on the draws of clips, groups and seeds that `evaluate` makes.

    For a number of your own with an interval, such as the gap between two tags: two
    models that are scored on the same clips and groups are scored on the same draws.

    Shape: labels and scores as in `evaluate` -> (2, n_boot, n_tags), ROC-AUC and AP,
    nan where a draw cannot score a tag.
    Raises: ValueError as `roc_auc`.
    """
    return np.array(_resampled(*_seeds(labels, scores), n_boot, seed, groups))


def holm(p) -> np.ndarray:
    """Adjust the p-values of several tests for how many there are.

    The smallest is multiplied by their number n, the next by n - 1, and so on; none
    ends below a smaller one. Reject where the result is below 0.05, and the chance of
    even one false rejection stays below 5 %.

    Shape: (n_tests,) -> the same; nan, a test that was not made, stays and is not
    counted.
    Source: Holm, Scandinavian Journal of Statistics 1979.

    >>> holm([0.01, 0.04, 0.03])
    array([0.03, 0.06, 0.06])
    """
    p = np.asarray(p, dtype=np.float64)
    order = np.argsort(p)[: (~np.isnan(p)).sum()]  # nan comes last
    adjusted = np.full(p.shape, np.nan)
    factors = np.arange(len(order), 0, -1)
    adjusted[order] = np.minimum(1, np.maximum.accumulate(p[order] * factors))
    return adjusted


def decisions(
    labels, scores, thresholds=0.5, *, tags: Sequence[str] | None = None
) -> pd.DataFrame:
    """Say yes to scores at or above a threshold, and count what was right.

    Precision: the share of right ones among the yeses. Recall: the share of the
    positives that got a yes. F1: twice the right ones, divided by yeses and positives.

    Shape: (n_clips, n_tags) twice, one threshold or (n_tags,) -> a row per tag, then
    "macro", the mean over tags with positives, and "micro", all tags pooled; columns
    positives, yes, right, precision (nan without a yes), recall, f1. ``attrs``:
    accuracy, nothing_right.
    Raises: ValueError as `roc_auc`.
    Notebook: course/05_per_tag_evaluation.ipynb
    """
    tags = _tag_names(labels, tags)
    labels, scores = _checked(labels, scores)
    yes = scores >= np.asarray(thresholds, dtype=np.float64)
    counts = {
        "positives": labels.sum(axis=0),
        "yes": yes.sum(axis=0),
        "right": (labels * yes).sum(axis=0),
    }
    table = pd.DataFrame(counts, tags)
    table = pd.concat([table, table.sum().to_frame("micro").T])
    table["precision"] = table["right"] / table["yes"]
    table["recall"] = table["right"] / table["positives"]
    table["f1"] = 2 * table["right"] / (table["yes"] + table["positives"])
    shares = ["precision", "recall", "f1"]
    table.loc[table["positives"] == 0, shares] = np.nan  # there is nothing to find
    macro = table.iloc[-1:].rename(index={"micro": "macro"})
    macro[shares] = _mean(table[shares][:-1].to_numpy().T)
    table = pd.concat([table[:-1], macro, table[-1:]])
    table.attrs["accuracy"] = float((yes == labels).mean())
    table.attrs["nothing_right"] = float(1 - labels.mean())
    return table.astype(dict.fromkeys(counts, int))


def choose_thresholds(labels, scores, *, otherwise: float = 0.5) -> np.ndarray:
    """Choose the threshold of best F1 for each tag, half-way between two scores.

    Choose on validation clips, never on those that you report. Tags without positives
    get `otherwise`.

    Shape: (n_clips, n_tags) twice -> (n_tags,).
    Raises: ValueError as `roc_auc`.
    Notebook: course/05_per_tag_evaluation.ipynb
    """
    labels, scores = _checked(labels, scores)
    chosen = np.full(labels.shape[1], float(otherwise))
    for tag in np.flatnonzero(labels.any(axis=0)):
        steps, step_of_clip = np.unique(scores[:, tag], return_inverse=True)
        yes = np.bincount(step_of_clip)[::-1].cumsum()[::-1]  # at or above each step
        right = np.bincount(step_of_clip, labels[:, tag])[::-1].cumsum()[::-1]
        best = np.argmax(right / (yes + labels[:, tag].sum()))
        chosen[tag] = steps[max(best - 1, 0) : best + 1].mean()
    return chosen


def _tag_names(labels, tags):
    if tags is None:
        tags = getattr(labels, "columns", range(np.shape(labels)[-1]))
    return list(tags)


def _checked(labels, scores):
    if isinstance(labels, pd.DataFrame) and isinstance(scores, pd.DataFrame):
        for axis in ("index", "columns"):
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
    wrong = labels[~np.isin(labels, (0, 1))]
    if len(wrong):
        raise ValueError(f"labels hold the value {wrong[0]}; needed is 0 or 1")
    return labels.astype(np.float64), scores


def _seeds(labels, scores):
    """Check scores of one or several seeds. Shape: labels, a list of (n_clips, n_tags).

    A frame is checked as a frame; several seeds come as (n_seeds, n_clips, n_tags).
    """
    if np.ndim(scores) != 3:
        labels, scores = _checked(labels, scores)
        return labels, [scores]
    if not len(scores):
        raise ValueError("there are no scores; needed is at least one seed")
    checked = [_checked(labels, one) for one in scores]
    return checked[0][0], [one for _, one in checked]


def _mean_areas(labels, seeds):
    """Give ROC-AUC and AP of each tag, means over seeds. Shape: (2, n_tags)."""
    return np.mean([_areas(labels, one) for one in seeds], axis=0)[:, 0]


def _paired(labels, scores_a, scores_b, n_boot, seed, groups):
    """Check and score two models, on all clips and on the same resamples."""
    labels, seeds_a = _seeds(labels, scores_a)
    labels, seeds_b = _seeds(labels, scores_b)
    boots = [_resampled(labels, s, n_boot, seed, groups) for s in (seeds_a, seeds_b)]
    return labels, _mean_areas(labels, seeds_a), _mean_areas(labels, seeds_b), *boots


def _areas(labels, scores, weights=None):
    """Compute ROC-AUC and AP of each tag for many resamples, sorting each tag once.

    Shape: weights (n_boot, n_clips), how often each clip was drawn, by default once ->
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

    Shape: (n_boot, n), how often each was drawn.
    Raises: ValueError unless there is a group for each clip.
    """
    group = np.unique(range(n) if groups is None else groups, return_inverse=True)[1]
    if len(group) != n:
        raise ValueError(f"{len(group)} groups; needed is one for each clip")
    shares = np.full(group.max() + 1, 1 / (group.max() + 1))
    random = np.random.default_rng(seed)
    return random.multinomial(len(shares), shares, n_boot)[:, group]


def _resampled(labels, seeds, n_boot, seed, groups):
    """Score resamples of the clips, means over resampled seeds.

    Shape: a list of scores, one per seed -> (2, n_boot, n_tags), ROC-AUC and AP.
    """
    if n_boot == 0:
        return np.full((2, 1, labels.shape[1]), np.nan)
    weights = drawn(len(labels), groups, n_boot, seed)  # (n_boot, n_clips)
    parts = np.array_split(weights, -(-n_boot // 100))  # at once takes much memory
    means = 0.0
    for scores, share in zip(
        seeds, _seed_shares(len(seeds), n_boot, seed), strict=True
    ):
        areas = [_areas(labels, scores, part) for part in parts]
        means = means + share[:, None] * np.concatenate(areas, axis=1)
    return means


def _seed_shares(n_seeds, n_boot, seed):
    """Draw seeds with replacement. Shape: (n_seeds, n_boot), their shares in a mean.

    Means of n drawn with replacement vary less than those of n new ones, by the factor
    (n - 1) / n in variance; the shares are spread so that they vary as much.
    """
    equal = np.full(n_seeds, 1 / n_seeds)
    if n_seeds == 1:
        return np.ones((1, n_boot))
    shares = np.random.default_rng([seed, 1]).multinomial(n_seeds, equal, n_boot)
    spread = np.sqrt(n_seeds / (n_seeds - 1))
    return (1 / n_seeds + spread * (shares / n_seeds - 1 / n_seeds)).T


def _mean(areas):
    """Average over tags, leaving out those that could not be scored."""
    count = (~np.isnan(areas)).sum(axis=-1)
    total = np.nansum(areas, axis=-1)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)[()]


def _macro(whole, many):
    """Average over tags; one without a score in a resample moves as the others do.

    Shape: (n_tags,), (n_boot, n_tags) -> (n_boot,).
    """
    return _mean(whole) + _mean(many - whole)


def _intervals(whole, many):
    """Give low and high of each tag and of their mean. Shape: two (n_tags + 1,)."""
    macro = np.clip(_macro(whole, many), 0, 1)  # few tags can move the rest too far
    return _interval(np.column_stack([many, macro]))


def _interval(values):
    """Give the 2.5 and 97.5 percentiles over resamples. Shape: (n_boot, ...)."""
    with warnings.catch_warnings():  # a tag that cannot be scored is all nan
        warnings.simplefilter("ignore", RuntimeWarning)
        return np.nanpercentile(values, (2.5, 97.5), axis=0)
