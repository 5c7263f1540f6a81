"""Right and wrong answers to the tasks of lesson 05, for the tests of their probes.

Spoilers: learners, look into `hint` first. A wrong answer stands beside a part of
the message that it must get.
"""

import numpy as np
import pandas as pd
import torch
from sklearn import metrics as sklearn_metrics

from tagkit.checks.engine import Answers
from tagkit.evaluation import metrics

ANSWERS: dict[str, Answers] = {}


# 0.5 Precision and recall, in the lesson


def decided(has, score, threshold):
    yes = score >= threshold
    right = (yes & (has == 1)).sum()
    return right / yes.sum(), right / has.sum()


def decided_by_sklearn(has, score, threshold):
    parts = sklearn_metrics.precision_recall_fscore_support(
        has, score >= threshold, average="binary"
    )
    return list(parts[:2])


def decided_by_loop(has, score, threshold):
    n_yes = n_right = 0
    for one, value in zip(has.tolist(), score.tolist(), strict=True):
        n_yes += value >= threshold
        n_right += one * (value >= threshold)
    return {"precision": n_right / n_yes, "recall": n_right / sum(has.tolist())}


def decided_by_library(has, score, threshold):
    table = metrics.decisions(has[:, None], score[:, None], threshold)
    return table.loc["macro", ["precision", "recall"]]


def decided_above(has, score, threshold):
    return decided(has, score, threshold + 1e-9)


def decided_in_uint8(has, score, threshold):
    yes = (score >= threshold).astype("uint8")
    return (has == yes).mean(), decided(has, score, threshold)[1]


def decided_f1(has, score, threshold):
    precision, recall = decided(has, score, threshold)
    return precision, 2 * precision * recall / (precision + recall)


ANSWERS["0.5"] = Answers(
    decided,
    [
        decided_by_sklearn,
        decided_by_loop,
        decided_by_library,
        lambda *x: torch.tensor(decided(*x)),
    ],
    [
        (lambda *x: decided(*x)[::-1], "turn them round"),
        (decided_above, "at the threshold is a yes"),
        (decided_in_uint8, "the yeses alone"),
        (lambda h, s, t: decided(h, s, 0.5), "the third argument"),
        (lambda *x: [100 * part for part in decided(*x)], "not percent"),
        (decided_f1, "count the yeses"),
        (lambda *x: decided(*x)[0], "2 parts are needed"),
        (lambda h, s, t: (s >= t, h), "one number is needed"),
    ],
)


# 5.1 Two scores from their definitions


def area(has, scores):
    a, b = scores[has == 1], scores[has == 0]
    return (a[:, None] > b).mean() + (a[:, None] == b).mean() / 2


def area_by_loop(has, scores):
    points, n_pairs = 0, 0
    for a in scores[has == 1].tolist():
        for b in scores[has == 0].tolist():
            points, n_pairs = points + (a > b) + (a == b) / 2, n_pairs + 1
    return points / n_pairs


def area_by_ranks(has, scores):
    ranks, n = pd.Series(scores).rank().to_numpy(), has.sum()
    return torch.tensor((ranks[has == 1].mean() - (n + 1) / 2) / (len(has) - n))


def without_ties(has, scores):
    return (scores[has == 1][:, None] > scores[has == 0]).mean()


def ties_won(has, scores):
    return (scores[has == 1][:, None] >= scores[has == 0]).mean()


def of_all_pairs(has, scores):
    a, b = scores[has == 1], scores[has == 0]
    points = (a[:, None] > b) + (a[:, None] == b) / 2
    return points.sum() / len(has) ** 2


def precision(has, scores):
    return np.mean([has[scores >= own].mean() for own in scores[has == 1]])


def precision_by_matrix(has, scores):
    listed = scores >= scores[has == 1][:, None]  # (n_with, n_clips)
    return float((listed @ (1.0 * has) / listed.sum(axis=1)).mean())


def ranked(has, scores):
    ranking = has[np.argsort(-scores, kind="stable")]
    shares = np.cumsum(ranking, dtype=float) / np.arange(1, len(has) + 1)
    return shares[ranking == 1].mean()


def over_all_clips(has, scores):
    return np.mean([has[scores >= own].mean() for own in scores])


def from_below(has, scores):
    return np.mean([has[scores <= own].mean() for own in scores[has == 1]])


def without_itself(has, scores):
    above = [has[scores > own] for own in scores[has == 1]]
    return np.mean([some.mean() if len(some) else 0 for some in above])


ANSWERS["5.1"] = Answers(
    (area, precision),
    [
        (area_by_loop, precision_by_matrix),
        [area_by_ranks, lambda *x: np.array([precision(*x)])],
        (sklearn_metrics.roc_auc_score, sklearn_metrics.average_precision_score),
        (
            lambda *x: metrics.roc_auc(*(part[:, None] for part in x)),
            lambda *x: torch.tensor(precision(*x)),
        ),
    ],
    [
        ((without_ties, precision), "pairs of equal scores count as lost"),
        ((ties_won, precision), "pairs of equal scores count as won"),
        ((lambda *x: 1 - area(*x), precision), "it is turned round"),
        ((of_all_pairs, precision), "take each pair of"),
        ((lambda has, s: np.mean(has == (s > 0.5)), precision), "take each pair of"),
        ((area, ranked), "count together"),
        ((area, over_all_clips), "clips with the tag"),
        ((area, from_below), "begin at the top"),
        ((area, without_itself), "how many have it?"),
        ((area, lambda h, s: precision(h, s) * h.sum()), "how many have it?"),
        ((area, area), "`precision` gives"),
        ((precision, area), "`area` gives"),
        (area, "2 parts are needed"),
    ],
)


# 5.2 A mean over tags that can be scored


def macro(labels, scores):
    ones = labels.sum(axis=0)
    kept = (ones > 0) & (ones < len(labels))
    parts = labels[:, kept], scores[:, kept]
    roc, ap = metrics.roc_auc(*parts), metrics.average_precision(*parts)
    return roc.mean(), ap.mean(), (~kept).sum()


def macro_by_loop(labels, scores):
    roc, ap, n_out = [], [], 0
    for has, score in zip(labels.T, scores.T, strict=True):
        if has.min() == has.max():
            n_out += 1
        else:
            roc.append(area(has, score))
            ap.append(precision(has, score))
    return {"roc": np.mean(roc), "ap": np.mean(ap), "left out": n_out}


def macro_by_nan(labels, scores):
    roc = torch.tensor(metrics.roc_auc(labels, scores))
    ap = torch.tensor(metrics.average_precision(labels, scores))
    return roc.nanmean(), ap.nanmean(), roc.isnan().sum()


def as_sklearn(labels, scores):
    roc, ap, _ = macro(labels, scores)
    each = [
        sklearn_metrics.average_precision_score(has, score)
        for has, score in zip(labels.T, scores.T, strict=True)
    ]
    return roc, np.mean(each), (labels.sum(axis=0) % len(labels) == 0).sum()


def as_number(value):
    def with_value(labels, scores):
        roc, ap = metrics.roc_auc(labels, scores), macro(labels, scores)[1]
        return np.nan_to_num(roc, nan=value).mean(), ap, np.isnan(roc).sum()

    return with_value


def all_are_positive(labels, scores):
    kept = labels.any(axis=0)
    ap = sklearn_metrics.average_precision_score(labels[:, kept], scores[:, kept])
    return macro(labels, scores)[0], ap, (~kept).sum()


def weighed(labels, scores):
    roc, ap, n_out = macro(labels, scores)
    ones = labels.sum(axis=0)
    kept = (ones > 0) & (ones < len(labels))
    each = metrics.roc_auc(labels[:, kept], scores[:, kept])
    return np.average(each, weights=ones[kept]), ap, n_out


ANSWERS["5.2"] = Answers(
    macro,
    [macro_by_loop, macro_by_nan, lambda *x: np.array(macro(*x))],
    [
        (
            lambda *x: (metrics.roc_auc(*x).mean(), *macro(*x)[1:]),
            "mean ROC-AUC is nan",
        ),
        (as_sklearn, "cannot be scored counts as"),
        (as_number(0), "cannot be scored counts as 0"),
        (all_are_positive, "every clip has counts as 1"),
        (weighed, "keep the tags with a score"),
        (lambda *x: macro(*x)[1::-1] + macro(*x)[2:], "ROC-AUC comes first"),
        (lambda *x: macro(*x)[:2], "has 2 parts; 3 are needed"),
        (lambda x, s: (*macro(x, s)[:2], x.shape[1] - macro(x, s)[2]), "were kept"),
        (lambda x, s: (*macro(x, s)[:2], (x.sum(0) == 0).sum()), "or every clip"),
        (lambda x, s: (*macro(x, s)[:2], [2, 4]), "one number is needed"),
    ],
)


# 5.3 The best and the worst clips


def field_losses(labels, scores):
    s = scores.clip(1e-6, 1 - 1e-6)
    return -(labels * np.log(s) + (1 - labels) * np.log(1 - s))


def first_and_last(loss, n):
    order = loss.sort_values().index
    return list(order[:n]), list(order[::-1][:n])


def extremes(labels, scores, n):
    return first_and_last(field_losses(labels, scores).mean(axis=1), n)


def extremes_by_torch(labels, scores, n):
    s, has = (torch.tensor(x.to_numpy(float)) for x in (scores, labels))
    loss = torch.nn.functional.binary_cross_entropy(
        s.clamp(1e-6, 1 - 1e-6), has, reduction="none"
    ).mean(dim=1)
    ids = torch.tensor(labels.index.to_numpy())
    return ids[loss.argsort()[:n]], ids[loss.argsort(descending=True)[:n]]


def extremes_by_index(labels, scores, n):
    loss = field_losses(labels, scores).sum(axis=1)
    return {"best": loss.nsmallest(n).index, "worst": loss.nlargest(n).index}


def rows_of(labels, scores, n):
    loss = field_losses(labels, scores).mean(axis=1).reset_index(drop=True)
    return first_and_last(loss, n)


def ones_only(labels, scores, n):
    loss = -(labels * np.log(scores.clip(1e-6, 1)))
    return first_and_last(loss.mean(axis=1), n)


def without_limit(labels, scores, n):
    loss = -(labels * np.log(scores) + (1 - labels) * np.log(1 - scores))
    return first_and_last(loss.mean(axis=1), n)


def last_turned(labels, scores, n):
    best, worst = extremes(labels, scores, n)
    return best, worst[::-1]


ANSWERS["5.3"] = Answers(
    extremes,
    [
        extremes_by_torch,
        extremes_by_index,
        lambda *x: np.array(extremes(*x)),
    ],
    [
        (rows_of, "no clip ids"),
        (ones_only, "zeros have a loss, too"),
        (without_limit, "limit scores"),
        (last_turned, "the order is reversed"),
        (lambda *x: extremes(*x)[::-1], "the wrong way round"),
        (lambda x, s, n: extremes(x, s, n + 1), "has 5 parts; 4 are needed"),
        (lambda *x: extremes(*x)[0], "has 4 parts; 2 are needed"),
        (lambda x, s, n: ([0.5] * n, [0.5] * n), "no clip ids"),
    ],
)


# 5.4 Listen, and set the labels right


def mend(labels, scores, truth, n):
    mended = labels.copy()
    free = scores.stack()[labels.stack() == 0]
    for clip, tag in free.nlargest(n).index:
        mended.at[clip, tag] = truth.at[clip, tag]
    return mended


def heard(labels, scores, truth, chosen):
    """Labels, with the truth in the n highest fields of `chosen`."""
    values, n = chosen.to_numpy(float), truth
    order = np.argsort(-values, axis=None)[:n]
    return np.unravel_index(order, values.shape)


def mend_by_sorting(labels, scores, truth, n):
    mended = labels.to_numpy().copy()
    at = heard(labels, scores, n, scores.where(labels == 0, -1))
    mended[at] = truth.to_numpy()[at]
    return mended


def mend_by_limit(labels, scores, truth, n):
    free = scores.where(labels == 0, -1)
    limit = np.sort(free.to_numpy(), axis=None)[-n]
    return labels.mask(free >= limit, truth).iloc[::-1, ::-1]


def chosen_by(pick):
    def mend_chosen(labels, scores, truth, n):
        mended = labels.to_numpy().copy()
        at = heard(labels, scores, n, pick(labels, scores, truth))
        mended[at] = truth.to_numpy()[at]
        return mended

    return mend_chosen


def believe(labels, scores, truth, n):
    mended = labels.to_numpy().copy()
    mended[heard(labels, scores, n, scores.where(labels == 0, -1))] = 1
    return mended


def whole_clips(labels, scores, truth, n):
    free = scores.stack()[labels.stack() == 0].nlargest(n)
    mended = labels.copy()
    rows = free.index.get_level_values(0)
    mended.loc[rows] = truth.loc[rows]
    return mended


ANSWERS["5.4"] = Answers(
    mend,
    [
        mend_by_sorting,
        mend_by_limit,
        lambda *x: mend(*x).astype(bool),
        lambda *x: torch.tensor(mend(*x).to_numpy()),
    ],
    [
        (believe, "you believed the scores"),
        (whole_clips, "whole clips were set right"),
        (lambda x, s, t, n: t, "you set all labels right"),
        (lambda x, s, t, n: x, "you change 0 fields"),
        (chosen_by(lambda x, s, t: s), "labels of 1 are no false alarms"),
        (
            chosen_by(lambda x, s, t: s.where(t > x, -1)),
            "all labels of 0 were set right",
        ),
        (lambda x, s, t, n: mend(x, s, t, n + 1), "fields: "),
        (lambda x, s, t, n: mend(x, s, t, n).iloc[1:], "has no row 2"),
        (lambda x, s, t, n: s.stack().nlargest(n).index, "numbers are needed"),
    ],
)


# 5.5 An F1 too good to be true

GRID = np.arange(1, 20) / 20


def f1(has, yes):
    return 2 * (has * yes).sum() / max(has.sum() + yes.sum(), 1)


def thresholds(labels, scores, otherwise=0.5, last=False):
    chosen = []
    for has, score in zip(labels.T, scores.T, strict=True):
        values = np.array([f1(has, score >= t) for t in GRID])
        best = len(GRID) - 1 - values[::-1].argmax() if last else values.argmax()
        chosen.append(GRID[best] if has.any() else otherwise)
    return np.array(chosen)


def each_f1(labels, yes):
    return np.array([f1(*pair) for pair in zip(labels.T, yes.T, strict=True)])


def honest(valid, early, labels, scores):
    each = each_f1(labels, scores >= thresholds(valid, early))
    return each[labels.any(axis=0)].mean()


def honest_by_sklearn(valid, early, labels, scores):
    there = labels.any(axis=0)
    yes = scores >= thresholds(valid, early)
    return sklearn_metrics.f1_score(
        labels[:, there], yes[:, there], average="macro", zero_division=0
    )


def honest_by_library(valid, early, labels, scores):
    table = metrics.decisions(labels, scores, thresholds(valid, early))
    return torch.tensor(table.at["macro", "f1"])


def honest_by_torch(valid, early, labels, scores):
    grid = [round(0.05 * n, 2) for n in range(1, 20)]
    found = []
    for tag in range(labels.shape[1]):
        if labels[:, tag].sum() == 0:
            continue
        limit, best = 0.5, 0
        for t in grid:
            value = f1(valid[:, tag], early[:, tag] >= t)
            if value > best:
                limit, best = t, value
        found.append(f1(labels[:, tag], scores[:, tag] >= limit))
    return [sum(found) / len(found)]


def chosen_on_test(valid, early, labels, scores):
    return honest(labels, scores, labels, scores)


def measured_on_valid(valid, early, labels, scores):
    return honest(valid, early, valid, early)


def said_only(valid, early, labels, scores):
    yes = scores >= thresholds(valid, early)
    kept = labels.any(axis=0) & yes.any(axis=0)
    return each_f1(labels, yes)[kept].mean()


def with_empty(valid, early, labels, scores):
    return each_f1(labels, scores >= thresholds(valid, early)).mean()


def one_for_all(valid, early, labels, scores):
    has, kept = labels.any(axis=0), valid.any(axis=0)
    values = [each_f1(valid, early >= t)[kept].mean() for t in GRID]
    return each_f1(labels, scores >= GRID[np.argmax(values)])[has].mean()


def lowest_otherwise(valid, early, labels, scores):
    yes = scores >= thresholds(valid, early, otherwise=0.05)
    return each_f1(labels, yes)[labels.any(axis=0)].mean()


def last_of_equal(valid, early, labels, scores):
    yes = scores >= thresholds(valid, early, last=True)
    return each_f1(labels, yes)[labels.any(axis=0)].mean()


def above(valid, early, labels, scores):
    each = each_f1(labels, scores > thresholds(valid, early))
    return each[labels.any(axis=0)].mean()


def always_above(valid, early, labels, scores):
    chosen = []
    for has, score in zip(valid.T, early.T, strict=True):
        values = [f1(has, score > t) for t in GRID]
        chosen.append(GRID[np.argmax(values)] if has.any() else 0.5)
    return each_f1(labels, scores > chosen)[labels.any(axis=0)].mean()


ANSWERS["5.5"] = Answers(
    honest,
    [honest_by_sklearn, honest_by_library, honest_by_torch],
    [
        (chosen_on_test, "thresholds on the test clips"),
        (measured_on_valid, "the four rules"),
        (said_only, "for which nothing was said counts 0"),
        (with_empty, "no test clip has"),
        (one_for_all, "the four rules"),
        (lowest_otherwise, "no validation clip has gets 0.5"),
        (last_of_equal, "take the lowest"),
        (above, "at the threshold is a yes"),
        (always_above, "on validation, too"),
        (lambda v, e, x, s: honest(v, e + 1, x, s + 1), "the four rules"),
        (
            lambda v, e, x, s: each_f1(x, s >= 0.5)[x.any(0)].mean(),
            "a threshold of its own",
        ),
        (lambda *x: "0.4", "one number is needed"),
    ],
)


# 5.6 Is A better than B?


def mean_area(labels, scores):
    return np.nanmean(metrics.roc_auc(labels, scores))


def draws(groups, n_boot, seed=0):
    random = np.random.default_rng(seed)
    names = np.unique(groups)
    rows_of = [np.flatnonzero(groups == name) for name in names]
    for _ in range(n_boot):
        drawn = random.integers(0, len(names), len(names))
        yield np.concatenate([rows_of[place] for place in drawn])


def gaps(labels, a, b, groups, n_boot, seed=0):
    for rows in draws(groups, n_boot, seed):
        yield mean_area(labels[rows], a[rows]) - mean_area(labels[rows], b[rows])


def interval(*parts):
    return np.percentile(list(gaps(*parts)), [2.5, 97.5])


def interval_by_areas(labels, a, b, groups, n_boot):
    values = sorted(gaps(labels, a, b, groups, n_boot, seed=1))
    return values[round(0.025 * n_boot)], values[-1 - round(0.025 * n_boot)]


def interval_by_torch(*parts):
    ends = torch.tensor([0.025, 0.975], dtype=torch.float64)
    return torch.tensor(list(gaps(*parts, seed=2))).double().quantile(ends)


def of_single_clips(labels, a, b, groups, n_boot):
    return interval(labels, a, b, np.arange(len(labels)), n_boot)


def by_size(labels, a, b, groups, n_boot):
    random, values = np.random.default_rng(0), []
    for _ in range(n_boot):
        drawn = random.choice(groups, len(np.unique(groups)))
        rows = np.concatenate([np.flatnonzero(groups == name) for name in drawn])
        values += [mean_area(labels[rows], a[rows]) - mean_area(labels[rows], b[rows])]
    return np.percentile(values, [2.5, 97.5])


def unpaired(labels, a, b, groups, n_boot):
    of_a = [mean_area(labels[r], a[r]) for r in draws(groups, n_boot, 1)]
    of_b = [mean_area(labels[r], b[r]) for r in draws(groups, n_boot, 2)]
    return np.percentile(np.subtract(of_a, of_b), [2.5, 97.5])


def without_replacement(labels, a, b, groups, n_boot):
    order = np.random.default_rng(0).permutation(len(labels))
    gap = mean_area(labels[order], a[order]) - mean_area(labels[order], b[order])
    return gap, gap


def with_nan(labels, a, b, groups, n_boot):
    values = [
        (metrics.roc_auc(labels[r], a[r]) - metrics.roc_auc(labels[r], b[r])).mean()
        for r in draws(groups, n_boot)
    ]
    return np.percentile(values, [2.5, 97.5])


def half_as_many(labels, a, b, groups, n_boot):
    kept = np.isin(groups, np.unique(groups)[::2])
    return interval(labels[kept], a[kept], b[kept], groups[kept], n_boot)


def plus_and_minus(*parts):
    values = list(gaps(*parts))
    return np.mean(values) - np.std(values), np.mean(values) + np.std(values)


ANSWERS["5.6"] = Answers(
    interval,
    [interval_by_areas, interval_by_torch],
    [
        (of_single_clips, "draw whole groups"),
        (by_size, "each has the same chance"),
        (unpaired, "different draws; pair them"),
        (without_replacement, "and never the same"),
        (with_nan, "some draws have tags without ones"),
        (half_as_many, "What is drawn"),
        (plus_and_minus, "What is drawn"),
        (lambda x, a, b, *rest: interval(x, b, a, *rest), "it is B minus A"),
        (lambda *x: interval(*x)[::-1], "low first, then high"),
        (lambda *x: np.percentile(list(gaps(*x)), [5, 95]), "90 % of the draws"),
        (lambda *x: 100 * interval(*x), "What is drawn"),
        (lambda *x: np.mean(list(gaps(*x))), "2 parts are needed"),
    ],
)


# The examples of the texts: which part of the answer, what it gets, what it gives

FIVE = np.array([1, 0, 1, 0, 0]), np.array([0.9, 0.6, 0.6, 0.3, 0.1])
ONE_TAG = [1, 0], [0.72, 0.31], [1, 1, 0], [0.91, 0.32, 0.44]
EXAMPLES = {
    "0.5": [
        (
            None,
            (
                np.array([1, 0, 1, 0, 1, 1, 0]),
                np.array([0.9, 0.7, 0.6, 0.45, 0.4, 0.2, 0.1]),
                0.4,
            ),
            (0.6, 0.75),
        )
    ],
    "5.1": [(0, FIVE, 0.9167), (1, FIVE, 0.8333)],
    "5.2": [
        (
            None,
            (
                np.array([[1, 0, 0], [0, 0, 1], [0, 0, 1]]),
                np.array([[0.9, 0.2, 0.5], [0.2, 0.4, 0.5], [0.1, 0.1, 0.8]]),
            ),
            (0.875, 0.9167, 1),
        )
    ],
    "5.3": [
        (
            None,
            (
                pd.DataFrame([[1, 0], [0, 0], [0, 1]], [40, 12, 7]),
                pd.DataFrame([[0.9, 0.2], [0.1, 0.1], [0.2, 0.1]], [40, 12, 7]),
                1,
            ),
            ([12], [7]),
        )
    ],
    "5.4": [
        (
            None,
            (
                pd.DataFrame([[1, 0], [0, 0]], [3, 8]),
                pd.DataFrame([[0.9, 0.8], [0.7, 0.2]], [3, 8]),
                pd.DataFrame([[1, 0], [1, 1]], [3, 8]),
                2,
            ),
            [[1, 0], [1, 0]],
        )
    ],
    "5.5": [  # twice the tag of the text
        (None, tuple(np.column_stack([part, part]) for part in ONE_TAG), 0.5)
    ],
}

# The last hints, followed to the letter: {0} is the first piece of code in the hint

FOLLOWED = {
    "0.5": (None, "def answer(has, score, threshold):\n    {0}\n    {1}\n    {2}"),
    "5.1": (
        1,
        """
def answer(has, scores):
    return np.mean([{2} for own in {4}])
""",
    ),
    "5.2": (
        None,
        """
def answer(labels, scores):
    {0}
    {1}
    areas = {2}
    return areas, metrics.average_precision(labels, scores)[kept].mean(), (~kept).sum()
""",
    ),
    "5.3": (
        None,
        """
def answer(labels, scores, n):
    s = scores.clip(1e-6, 1 - 1e-6)
    {0}
    order = {1}
    return order[:n], order[-n:][::-1]
""",
    ),
    "5.4": (
        None,
        """
def answer(labels, scores, truth, n):
    mended = labels.copy()
    for {0} in scores.stack()[labels.stack() == 0].nlargest(n).index:
        {1}
    return mended
""",
    ),
    "5.5": (
        None,
        """
def f1(has, yes):
    return {1}


def answer(valid_labels, valid_scores, labels, scores):
    found = []
    for column in range(labels.shape[1]):
        valid_has, valid_score = valid_labels[:, column], valid_scores[:, column]
        has, score = labels[:, column], scores[:, column]
        {2}
        t = {3} if {4} else 0.5
        if has.any():
            found.append({5})
    return np.mean(found)
""",
    ),
    "5.6": (
        None,
        """
def answer(labels, a, b, groups, n_boot):
    random, names, gaps = np.random.default_rng(1), np.unique(groups), []
    for _ in range(n_boot):
        {1}
        rows = {0}
        of = [np.nanmean(metrics.roc_auc(labels[rows], x[rows])) for x in (a, b)]
        gaps.append(of[0] - of[1])
    return np.percentile(gaps, [2.5, 97.5])
""",
    ),
}
