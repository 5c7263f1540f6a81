"""As test_adversary.py, for the tasks of lessons 05 to 09 and the museum.

Long, since every answer stands here in full.

Run: python -m pytest tests/test_adversary_later.py
"""

import copy
import hashlib
import io
import itertools
import math
import pickle
import queue
import random
import re
import threading
import time
from collections import Counter, deque
from decimal import Decimal
from fractions import Fraction

import librosa
import numpy as np
import pandas as pd
import pytest
import torch
from scipy import optimize, special, stats
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import (
    auc,
    average_precision_score,
    cohen_kappa_score,
    f1_score,
    precision_recall_curve,
    roc_auc_score,
)
from sklearn.metrics.pairwise import cosine_similarity
from sklearn.preprocessing import StandardScaler
from test_adversary import collected, outcome
from torch import nn
from torch.nn import functional

from tagkit.checks import engine
from tagkit.evaluation import metrics

RIGHT, WRONG, right, wrong = collected()


# 0.5 Precision and recall


@right("0.5")
def by_sets(has, score, threshold):
    yes = {i for i, s in enumerate(score) if not s < threshold}
    true = {i for i, h in enumerate(has) if h}
    return [Fraction(len(yes & true), len(yes)), Fraction(len(yes & true), len(true))]


@right("0.5")
def weighted(has, score, threshold):
    yes = np.asarray(score) >= threshold
    return np.average(has, weights=yes), np.average(yes, weights=has)


@wrong("0.5", "at or above|above|threshold")
def strictly_above(has, score, threshold):
    yes = score > threshold
    return has[yes].mean(), yes[has == 1].mean()


@wrong("0.5", "order|first|precision|swapped")
def recall_first(has, score, threshold):
    return weighted(has, score, threshold)[::-1]


@wrong("0.5", "half|0.5|threshold")
def always_a_half(has, score, threshold):
    return weighted(has, score, 0.5)


@wrong("0.5", "yes|share|accura|clips")
def accuracy_for_precision(has, score, threshold):
    yes = score >= threshold
    return (yes == has).mean(), yes[has == 1].mean()


@wrong("0.5", "all clips|share|of the yeses|yes")
def of_all_clips(has, score, threshold):
    yes = score >= threshold
    return (yes & (has == 1)).mean(), (yes & (has == 1)).mean()


# 0.6 Moved by what was skipped


@right("0.6")
def with_tensors(query, kept, skipped):
    found = torch.tensor(query, dtype=torch.float64)
    for rows, weight in ((kept, 0.75), (skipped, -0.15)):
        found = found + weight * torch.tensor(rows).sum(dim=0) / max(len(rows), 1)
    return found.requires_grad_()


@right("0.6")
def number_by_number(query, kept, skipped):
    def mean(rows, i):
        return sum(row[i] for row in rows) / len(rows) if len(rows) else 0

    return [
        q + 0.75 * mean(kept, i) - 0.15 * mean(skipped, i) for i, q in enumerate(query)
    ]


def rocchio(query, kept, skipped, plus=0.75, minus=-0.15, mean=np.mean):
    for rows, weight in ((kept, plus), (skipped, minus)):
        if len(rows):
            query = query + weight * mean(rows, axis=0)
    return query


@wrong("0.6", "nan|no rows|empty|left out")
def nan_without_rows(query, kept, skipped):
    return query + 0.75 * kept.mean(axis=0) - 0.15 * skipped.mean(axis=0)


@wrong("0.6", "away|minus|toward")
def towards_both(query, kept, skipped):
    return rocchio(query, kept, skipped, minus=0.15)


@wrong("0.6", "mean|sum")
def sums_of_rows(query, kept, skipped):
    return rocchio(query, kept, skipped, mean=np.sum)


@wrong("0.6", "0.75|weights|swapped|kept")
def weights_swapped(query, kept, skipped):
    return rocchio(query, kept, skipped, 0.15, -0.75)


@wrong("0.6", "changes `query`")
def moves_in_place(query, kept, skipped):
    query += rocchio(query, kept, skipped) - query
    return query


@wrong("0.6", "query")
def query_forgotten(query, kept, skipped):
    return rocchio(0 * query, kept, skipped)


# 0.7 Which limit binds?


@right("0.7")
def last_of_sorted(flop, n_bytes, peak, rate):
    return sorted(
        [Fraction(flop) / Fraction(peak), Fraction(n_bytes) / Fraction(rate)]
    )[-1]


@right("0.7")
def by_numpy_maximum(flop, n_bytes, peak, rate):
    return np.maximum.reduce(np.array([flop, n_bytes]) / [peak, rate], keepdims=True)


@wrong("0.7", "same time|sum|add")
def one_after_the_other(flop, n_bytes, peak, rate):
    return flop / peak + n_bytes / rate


@wrong("0.7", "slower|longer|smaller|other|larger")
def the_faster_one(flop, n_bytes, peak, rate):
    return min(flop / peak, n_bytes / rate)


@wrong("0.7", "divide|upside|turned|peak|second")
def upside_down(flop, n_bytes, peak, rate):
    return max(peak / flop, rate / n_bytes)


@wrong("0.7", "peak|rate")
def rates_swapped(flop, n_bytes, peak, rate):
    return max(flop / rate, n_bytes / peak)


@wrong("0.7", "bytes|carr|arithmetic|alone")
def only_arithmetic(flop, n_bytes, peak, rate):
    return flop / peak


@wrong("0.7", "second|milli|1,000|1000")
def in_milliseconds(flop, n_bytes, peak, rate):
    return 1000 * max(flop / peak, n_bytes / rate)


# 0.8 On one scale and M.7 Company matters


@right("0.8")
@right("M.7", part=1)
def standard_scaler(train, test):
    scaler = StandardScaler().fit(train)
    return [scaler.transform(train).tolist(), scaler.transform(test).tolist()]


@right("0.8")
@right("M.7", part=1)
def in_torch(train, test):
    train, test = torch.tensor(np.array(train)), torch.tensor(np.array(test))
    mean, spread = train.mean(0), train.std(0, correction=0)
    spread = torch.where(spread > 0, spread, 1.0)
    return (train - mean) / spread, (test - mean) / spread


def scaled(train, test, of=None, least=0.0, instead=1.0, axis=0):
    of = train if of is None else of
    spread = of.std(axis=axis)
    spread = np.where(spread > least, spread, instead)
    return (train - of.mean(axis=axis)) / spread, (test - of.mean(axis=axis)) / spread


@wrong("0.8", "by the test itself")
@wrong("M.7", "deviation are its own", part=1)
def each_by_itself(train, test):
    return scaled(train, test)[0], scaled(test, test)[1]


@wrong("0.8", "both|together|training|test")
@wrong("M.7", "both|together|training|test", part=1)
def both_together(train, test):
    return scaled(train, test, np.concatenate([train, test]))


@wrong("0.8", "nan|inf|spread|never changes|deviation of 0")
@wrong("M.7", "nan|inf|same in all|deviation|constant", part=1)
def by_zero(train, test):
    return (train - train.mean(0)) / train.std(0), (test - train.mean(0)) / train.std(0)


@wrong("0.8", "spread|never changes|1")
@wrong("M.7", "same in all|deviation|constant|1", part=1)
def by_a_tiny_number(train, test):
    return scaled(train, test, instead=1e-8)


@wrong("0.8", "spread|never changes|1")
@wrong("M.7", "same in all|deviation|constant|1", part=1)
def spread_plus_one(train, test):
    spread = train.std(axis=0) + 1
    return (train - train.mean(axis=0)) / spread, (test - train.mean(axis=0)) / spread


@wrong("0.8", "each number|column|feature|axis|all")
@wrong("M.7", "each|column|feature|axis|all", part=1)
def one_for_all(train, test):
    return scaled(train, test, axis=None)


@wrong("0.8", "changes `t")
@wrong("M.7", "changes `t", part=1)
def scales_in_place(train, test):
    a, b = scaled(train, test)
    test[:] = b
    return a, b


@wrong("M.7", "n - 1|ddof|divided by n|deviation", part=1)
def of_n_minus_one(train, test):
    spread = np.where(train.std(0) > 0, train.std(0, ddof=1), 1)
    return (train - train.mean(0)) / spread, (test - train.mean(0)) / spread


@wrong("M.7", "round", part=1)
def rounded_to_two(train, test):
    return [np.round(x, 2) for x in scaled(train, test)]


@wrong("0.8", "train has shape")
def swapped(train, test):
    return scaled(train, test)[::-1]


# 5.1 Two scores from their definitions


@right("5.1", part=0)
def by_mann_whitney(has, scores):
    has = np.asarray(has, bool)
    won = stats.mannwhitneyu(scores[has], scores[~has]).statistic
    return torch.tensor(won / has.sum() / (~has).sum())


@right("5.1", part=0)
def in_fractions(has, scores):
    pairs = [
        (a, b)
        for a, x in zip(scores, has, strict=True)
        if x
        for b, y in zip(scores, has, strict=True)
        if not y
    ]
    return Fraction(sum(2 * (a > b) + (a == b) for a, b in pairs), 2 * len(pairs))


@right("5.1", part=1)
def by_scikit_learn(has, scores):
    return np.float32(average_precision_score(has, scores))


@right("5.1", part=1)
def as_a_matrix(has, scores):
    above = scores[None] >= scores[:, None]
    return ((above * has).sum(1) / above.sum(1))[has == 1].mean(keepdims=True)


@wrong("5.1", "tie|same score|equal", part=0)
def ties_lose(has, scores):
    return (scores[has == 1][:, None] > scores[has == 0]).mean()


@wrong("5.1", "tie|same score|equal", part=0)
def ties_win(has, scores):
    return (scores[has == 1][:, None] >= scores[has == 0]).mean()


@wrong("5.1", "turned|higher|lower|other way|loses", part=0)
def lower_wins(has, scores):
    return 1 - metrics.roc_auc(has[:, None], scores[:, None])[0]


@wrong("5.1", "mean|sum|pairs|count|0 to 1", part=0)
def pairs_counted(has, scores):
    a, b = scores[has == 1][:, None], scores[has == 0]
    return (a > b).sum() + (a == b).sum() / 2


@wrong("5.1", "tie|same score|equal|as much", part=1)
def only_above(has, scores):
    shares = [
        (1 + has[scores > s].sum()) / (1 + (scores > s).sum()) for s in scores[has == 1]
    ]
    return np.mean(shares)


@wrong("5.1", "tie|same score|equal|together|as much", part=1)
def by_place_in_order(has, scores):
    has = has[np.argsort(-scores, kind="stable")]
    return (np.cumsum(has) / np.arange(1, len(has) + 1))[has == 1].mean()


@wrong("5.1", "with the tag|all clips", part=1)
def over_all_clips(has, scores):
    return np.mean([has[scores >= s].mean() for s in scores])


@wrong("5.1", "itself|among", part=1)
def itself_left_out(has, scores):
    shares = []
    for place in np.flatnonzero(has):
        above = scores >= scores[place]
        above[place] = False
        shares.append(has[above].mean() if above.any() else 1.0)
    return np.mean(shares)


@wrong("5.1", "trapez|line|area|between|share", part=1)
def area_under_curve(has, scores):
    x, y, _ = precision_recall_curve(has, scores)
    return auc(y, x)


# 5.2 A mean over tags that can be scored


@right("5.2")
def in_a_loop(labels, scores):
    found = [
        (roc_auc_score(a, b), average_precision_score(a, b))
        for a, b in zip(labels.T, scores.T, strict=True)
        if len(set(a)) == 2
    ]
    return np.array([*np.mean(found, axis=0), labels.shape[1] - len(found)])


@right("5.2")
def as_tensors(labels, scores):
    fine = np.ptp(labels, axis=0) == 1
    areas, precisions = (
        f(labels[:, fine], scores[:, fine])
        for f in (metrics.roc_auc, metrics.average_precision)
    )
    return torch.tensor(areas).mean(), precisions.mean(), (~fine).sum()


def macro_of(keep):
    def macro(labels, scores):
        areas = metrics.roc_auc(labels, scores)
        precisions = metrics.average_precision(labels, scores)
        return keep(labels, areas, precisions)

    return macro


@wrong("5.2", "nan")
@macro_of
def keeps_nan(labels, areas, precisions):
    return areas.mean(), precisions.mean(), np.isnan(areas).sum()


@wrong("5.2", "every clip|all clips|each clip|every test clip")
@macro_of
def full_tags_kept(labels, areas, precisions):
    precisions = np.where(labels.all(axis=0), 1.0, precisions)
    return np.nanmean(areas), np.nanmean(precisions), np.isnan(areas).sum()


@wrong("5.2", "0|count|left out")
@macro_of
def zeros_for_nan(labels, areas, precisions):
    n_bad = np.isnan(areas).sum()
    return np.nan_to_num(areas).mean(), np.nan_to_num(precisions).mean(), n_bad


@wrong("5.2", "tags that were kept")
@macro_of
def how_many_are_in(labels, areas, precisions):
    return np.nanmean(areas), np.nanmean(precisions), (~np.isnan(areas)).sum()


@wrong("5.2", "0.5|half|chance|left out")
@macro_of
def chance_for_nan(labels, areas, precisions):
    areas = np.where(np.isnan(areas), 0.5, areas)
    return areas.mean(), np.nanmean(precisions), np.isnan(precisions).sum()


@wrong("5.2", "first|ROC-AUC|order|swapped|AP")
@macro_of
def ap_first(labels, areas, precisions):
    return np.nanmean(precisions), np.nanmean(areas), np.isnan(areas).sum()


# 5.3 The best and the worst clips


def losses_of(labels, scores, least=1e-6):
    p = np.clip(scores.to_numpy(), least, 1 - least)
    return -np.log(np.where(labels == 1, p, 1 - p))


@right("5.3")
def by_torch(labels, scores, n):
    p = torch.tensor(scores.to_numpy(np.float64)).clamp(1e-6, 1 - 1e-6)
    wanted = torch.tensor(labels.to_numpy(np.float64))
    loss = functional.binary_cross_entropy(p, wanted, reduction="none").sum(1)
    order = [int(labels.index[i]) for i in loss.argsort().tolist()]
    return tuple(order[:n]), tuple(order[: -n - 1 : -1])


@right("5.3")
def by_series(labels, scores, n):
    loss = pd.Series(losses_of(labels, scores).mean(axis=1), labels.index)
    return loss.nsmallest(n).index, loss.nlargest(n).index


@wrong("5.3", "place|position|row|ids|id")
def places_of_clips(labels, scores, n):
    order = losses_of(labels, scores).mean(axis=1).argsort()
    return order[:n], order[::-1][:n]


@wrong("5.3", "highest first|order|lowest")
def worst_in_rising_order(labels, scores, n):
    best, worst = by_series(labels, scores, n)
    return best, worst[::-1]


@wrong("5.3", "highest|worst|first|swapped|turned|lowest")
def worst_first(labels, scores, n):
    return by_series(labels, scores, n)[::-1]


@wrong("5.3", "zeros have a loss")
def only_for_positives(labels, scores, n):
    loss = pd.Series((losses_of(labels, scores) * labels).mean(axis=1), labels.index)
    return loss.nsmallest(n).index, loss.nlargest(n).index


@wrong("5.3", "limit|0.000001|log")
def limited_to_a_hundredth(labels, scores, n):
    loss = pd.Series(losses_of(labels, scores, 0.01).mean(axis=1), labels.index)
    return loss.nsmallest(n).index, loss.nlargest(n).index


@wrong("5.3", "square|log")
def squared_error(labels, scores, n):
    loss = ((labels - scores) ** 2).mean(axis=1)
    return loss.nsmallest(n).index, loss.nlargest(n).index


@wrong("5.3", "another clip or another order")
def worst_field(labels, scores, n):
    loss = pd.Series(losses_of(labels, scores).max(axis=1), labels.index)
    order = loss.sort_values().index
    return order[:n], order[::-1][:n]


# 5.4 Listen, and set the labels right


@right("5.4")
def by_stack(labels, scores, truth, n):
    found = labels.astype(int)
    alarms = scores.where(labels == 0).stack().nlargest(n)
    for clip, tag in alarms.index:
        found.at[clip, tag] = truth.at[clip, tag]
    return found


@right("5.4")
def by_partition(labels, scores, truth, n):
    alarms = np.where(labels == 0, scores, -np.inf).ravel()
    places = np.argpartition(alarms, -n)[-n:]
    found = labels.to_numpy().copy()
    found.ravel()[places] = truth.to_numpy().ravel()[places]
    return pd.DataFrame(found.astype(bool), labels.index, labels.columns)


@wrong("5.4", "truth|1 or 0|always|all")
def always_one(labels, scores, truth, n):
    return by_stack(labels, scores, truth * 0 + 1, n)


@wrong("5.4", "label 0|already|positives|label")
def also_of_positives(labels, scores, truth, n):
    found = labels.copy()
    for clip, tag in scores.stack().nlargest(n).index:
        found.at[clip, tag] = truth.at[clip, tag]
    return found


@wrong("5.4", "changes `labels`")
def mends_the_given(labels, scores, truth, n):
    for clip, tag in scores.where(labels == 0).stack().nlargest(n).index:
        labels.at[clip, tag] = truth.at[clip, tag]
    return labels


@wrong("5.4", "all tags|fields|each clip|row|whole")
def whole_clips(labels, scores, truth, n):
    found = labels.copy()
    for clip, _ in scores.where(labels == 0).stack().nlargest(n).index:
        found.loc[clip] = truth.loc[clip]
    return found


@wrong("5.4", "lowest|highest")
def lowest_alarms(labels, scores, truth, n):
    return by_stack(labels, -scores, truth, n)


@wrong("5.4", "each tag|tag|n for")
def n_for_each_tag(labels, scores, truth, n):
    found = labels.copy()
    for tag in labels:
        clips = scores[tag][labels[tag] == 0].nlargest(n).index
        found.loc[clips, tag] = truth.loc[clips, tag]
    return found


@wrong("5.4", "flip|truth|turned")
def turned_labels(labels, scores, truth, n):
    return by_stack(labels, scores, 1 - truth, n)


# 5.5 An F1 too good to be true

GRID = np.arange(1, 20) / 20


def f1_of(has, yes):
    both = has.sum() + yes.sum()
    return 2 * (has * yes).sum() / both if both else 0.0


def honest_with(
    choose=None, at=lambda s, t: s >= t, early=True, keep=None, none=0.0, unheard=0.5
):
    def honest(valid_labels, valid_scores, labels, scores):
        found = []
        for tag in range(labels.shape[1]):
            has, score = valid_labels[:, tag], valid_scores[:, tag]
            if not early:
                has, score = labels[:, tag], scores[:, tag]
            each = np.array([f1_of(has, at(score, t)) for t in GRID])
            place = each.argmax() if choose is None else choose(each)
            t = GRID[place] if has.sum() else unheard
            if not labels[:, tag].sum():
                if keep is not None:
                    found.append(keep)
                continue
            yes = at(scores[:, tag], t)
            found.append(f1_of(labels[:, tag], yes) if yes.any() else none)
        return np.nanmean(found)

    return honest


@right("5.5")
def by_f1_score(valid_labels, valid_scores, labels, scores):
    found = []
    for has, s, wanted, now in zip(
        valid_labels.T, valid_scores.T, labels.T, scores.T, strict=True
    ):
        each = [f1_score(has, s >= t, zero_division=0) for t in GRID]
        t = GRID[np.argmax(each)] if has.any() else 0.5
        if wanted.any():
            found.append(f1_score(wanted, now >= t, zero_division=0))
    return torch.tensor(found).mean()


@right("5.5")
def all_at_once(valid_labels, valid_scores, labels, scores):
    yes = valid_scores >= GRID[:, None, None]
    right = (yes & (valid_labels == 1)).sum(1)
    each = 2 * right / np.maximum(yes.sum(1) + valid_labels.sum(0, dtype=int), 1)
    t = np.where(valid_labels.any(0), GRID[each.argmax(0)], 0.5)
    yes = scores >= t
    found = 2 * (yes & (labels == 1)).sum(0) / (yes.sum(0) + labels.sum(0, dtype=int))
    return [found[labels.any(0)].mean()]


wrong("5.5", "test|validation")(honest_with(early=False))
wrong("5.5", "lowest|highest|equally good|several")(
    honest_with(lambda each: np.flatnonzero(each == each.max())[-1])
)
wrong("5.5", "at or above|at its threshold|threshold")(honest_with(at=np.greater))
wrong("5.5", "left out|no test clip|1")(honest_with(keep=1.0))
wrong("5.5", "left out|no test clip|0")(honest_with(keep=0.0))
wrong("5.5", "nothing|0|left out|nan")(honest_with(none=np.nan))
wrong("5.5", "0.5|no validation clip")(honest_with(unheard=0.05))
wrong("5.5", "0.5|own threshold|each tag|every")(honest_with(lambda each: 9))


@wrong("5.5", "mean over|micro|each tag|of the tags|pooled|together")
def micro(valid_labels, valid_scores, labels, scores):
    yes = np.zeros(scores.shape, bool)
    for tag in range(labels.shape[1]):
        has = valid_labels[:, tag]
        each = [f1_of(has, valid_scores[:, tag] >= t) for t in GRID]
        t = GRID[np.argmax(each)] if has.sum() else 0.5
        yes[:, tag] = scores[:, tag] >= t
    keep = labels.any(axis=0)
    return f1_of(labels[:, keep], yes[:, keep])


# 5.6 Is A better than B?


def difference(labels, a, b, rows):
    first, second = (np.nanmean(metrics.roc_auc(labels[rows], x[rows])) for x in (a, b))
    return first - second


def drawn(
    labels, a, b, groups, n_boot, *, replace=True, ends=(2.5, 97.5), n=None, pick=None
):
    random, places = np.random.default_rng(7), {}
    for row, group in enumerate(groups.tolist()):
        places.setdefault(group, []).append(row)
    rows = [*places.values()]
    found = []
    for _ in range(n_boot):
        chosen = random.choice(len(rows), n or len(rows), replace, p=pick)
        draw = np.concatenate([rows[i] for i in chosen])
        found.append(difference(labels, a, b, draw))
    return np.percentile(found, ends)


@right("5.6")
def with_torch_draws(labels, a, b, groups, n_boot):
    names, member = np.unique(groups, return_inverse=True)
    torch.manual_seed(3)
    found = []
    for chosen in torch.randint(len(names), (n_boot, len(names))).numpy():
        rows = [row for name in chosen for row in np.flatnonzero(member == name)]
        found.append(difference(labels, a, b, rows))
    return torch.tensor(np.array(found)).quantile(torch.tensor([0.025, 0.975]).double())


@right("5.6")
def by_repeats(labels, a, b, groups, n_boot):
    names, member = np.unique(groups, return_inverse=True)
    random, found = np.random.default_rng(11), []
    for times in random.multinomial(len(names), [1 / len(names)] * len(names), n_boot):
        rows = np.repeat(np.arange(len(labels)), times[member])
        found.append(difference(labels, a, b, rows))
    found = sorted(found)
    return found[int(0.025 * n_boot)], found[int(0.975 * n_boot)]


@wrong("5.6", "group|clips")
def single_clips(labels, a, b, groups, n_boot):
    return drawn(labels, a, b, np.arange(len(labels)), n_boot)


@wrong("5.6", "90|2.5|percentile")
def ninety_per_cent(labels, a, b, groups, n_boot):
    return drawn(labels, a, b, groups, n_boot, ends=(5, 95))


@wrong("5.6", "replac|same|never|width")
def without_replacement(labels, a, b, groups, n_boot):
    return drawn(labels, a, b, groups, n_boot, replace=False)


@wrong("5.6", "A minus|B|sign|turned|other way")
def b_minus_a(labels, a, b, groups, n_boot):
    return drawn(labels, b, a, groups, n_boot)


@wrong("5.6", "different draws")
def own_draws(labels, a, b, groups, n_boot):
    random, names = np.random.default_rng(0), np.unique(groups)
    found = []
    for _ in range(n_boot):
        pair = []
        for x in (a, b):
            chosen = random.choice(names, len(names))
            rows = np.concatenate([np.flatnonzero(groups == g) for g in chosen])
            pair.append(np.nanmean(metrics.roc_auc(labels[rows], x[rows])))
        found.append(pair[0] - pair[1])
    return np.percentile(found, [2.5, 97.5])


@wrong("5.6", "size|weigh|equal|likel|same chance|often")
def weighted_by_size(labels, a, b, groups, n_boot):
    places = {}
    for row, group in enumerate(groups.tolist()):
        places.setdefault(group, []).append(row)
    share = np.array([len(rows) for rows in places.values()]) / len(groups)
    return drawn(labels, a, b, groups, n_boot, pick=share)


@wrong("5.6", "twice|once|again")
def each_group_once(labels, a, b, groups, n_boot):
    random, names = np.random.default_rng(0), np.unique(groups)
    found = []
    for _ in range(n_boot):
        rows = np.flatnonzero(np.isin(groups, random.choice(names, len(names))))
        found.append(difference(labels, a, b, rows))
    return np.percentile(found, [2.5, 97.5])


@wrong("5.6", "tags")
def draws_tags(labels, a, b, groups, n_boot):
    gaps = metrics.roc_auc(labels, a) - metrics.roc_auc(labels, b)
    draws = np.random.default_rng(0).choice(gaps[~np.isnan(gaps)], (n_boot, len(gaps)))
    return np.percentile(draws.mean(axis=1), [2.5, 97.5])


@wrong("5.6", "low|order|first")
def high_first(labels, a, b, groups, n_boot):
    return drawn(labels, a, b, groups, n_boot)[::-1]


# 6.1 Which clips point the same way


@right("6.1")
def by_sklearn(vectors):
    return cosine_similarity(vectors)


@right("6.1")
def by_torch_module(vectors):
    x = torch.tensor(np.array(vectors)).double()
    return functional.cosine_similarity(x[:, None], x[None], dim=-1).requires_grad_()


@wrong("6.1", "nan|zeros|direction")
def nan_for_zeros(vectors):
    units = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return units @ units.T


@wrong("6.1", "itself|zeros|diagonal")
def ones_on_the_diagonal(vectors):
    found = cosine_similarity(vectors)
    np.fill_diagonal(found, 1)
    return found


@wrong("6.1", "mean|taken off")
def correlations(vectors):
    return cosine_similarity(vectors - np.mean(vectors, axis=0))


@wrong("6.1", "length|divide")
def dot_products(vectors):
    return vectors @ vectors.T


@wrong("6.1", "length|one|both")
def one_length_only(vectors):
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors @ vectors.T / np.where(length, length, 1)


@wrong("6.1", "length|root|square|sum")
def sum_for_length(vectors):
    length = np.abs(vectors).sum(axis=1, keepdims=True)
    units = vectors / np.where(length, length, 1)
    return units @ units.T


@wrong("6.1", "shape|clips|columns")
def of_the_features(vectors):
    return cosine_similarity(np.transpose(vectors))


# 6.2 Neighbours by other artists


@right("6.2")
def by_sorted(similarities, artists, k):
    n = len(artists)
    return [
        sorted(
            (j for j in range(n) if artists[j] != artists[i]),
            key=lambda j: -similarities[i][j],
        )[:k]
        for i in range(n)
    ]


@right("6.2")
def by_stable_sort(similarities, artists, k):
    x = torch.tensor(np.array(similarities)).double()
    same = torch.tensor(np.asarray(artists)[:, None] == np.asarray(artists))
    order = x.masked_fill(same, -torch.inf)
    return order.sort(dim=1, descending=True, stable=True).indices[:, :k]


def listed(similarities, artists, k, worst=-np.inf, alone=False, axis=1):
    x = np.array(similarities, float)
    same = np.asarray(artists)[:, None] == np.asarray(artists)
    x[np.eye(len(x), dtype=bool) if alone else same] = worst
    order = np.argsort(-x, axis=axis, kind="stable")
    return order[:, :k] if axis else order[:k].T


@wrong("6.2", "own artist|same artist")
def only_itself_left_out(similarities, artists, k):
    return listed(similarities, artists, k, alone=True)


@wrong("6.2", "row|column")
def columns_for_rows(similarities, artists, k):
    return listed(similarities, artists, k, axis=0)


@wrong("6.2", "own artist|same artist|any number|negative|minus")
def minus_one_for_own(similarities, artists, k):
    return listed(similarities, artists, k, worst=-1)


@wrong("6.2", "least|most similar|nearest|farthest")
def least_similar(similarities, artists, k):
    return listed(-np.asarray(similarities), artists, k)


@wrong("6.2", "equal|catalogue|first")
def last_of_equals(similarities, artists, k):
    x = np.array(similarities, float)
    x[np.asarray(artists)[:, None] == np.asarray(artists)] = -np.inf
    return np.argsort(x, axis=1, kind="stable")[:, ::-1][:, :k]


@wrong("6.2", "changes `similarities`")
def masks_in_place(similarities, artists, k):
    similarities[artists[:, None] == artists] = similarities.min() - 1
    return np.argsort(-similarities, axis=1, kind="stable")[:, :k]


@wrong("6.2", "nearer clips by other artists are left out")
def one_per_artist(similarities, artists, k):
    rows = []
    for row in listed(similarities, artists, len(artists) - 1):
        seen = list({artists[j]: j for j in row[::-1]}.values())[::-1]
        rows.append((seen + [j for j in row if j not in seen])[:k])
    return rows


# 6.3 Precision at k


@right("6.3")
def counted_by_hand(found, relevant):
    return [
        Fraction(sum(bool(relevant[q][c]) for c in row), len(row))
        for q, row in enumerate(found)
    ]


@right("6.3")
def gathered(found, relevant):
    return torch.gather(
        torch.tensor(np.array(relevant)).float(),
        1,
        torch.tensor(np.array(found)).long(),
    ).mean(dim=1)


@wrong("6.3", "recall|missed|relevant ones|k")
def recall(found, relevant):
    hits = np.take_along_axis(relevant, found, 1).sum(1)
    return hits / np.maximum(relevant.sum(1), 1)


@wrong("6.3", "each query|one number|shape")
def mean_of_all(found, relevant):
    return np.take_along_axis(relevant, found, 1).mean()


@wrong("6.3", "count|share|divide")
def hits_counted(found, relevant):
    return np.take_along_axis(relevant, found, 1).sum(1)


@wrong("6.3", "first query|its own|each query|row|query 0")
def row_of_the_first(found, relevant):
    return relevant[0][found].mean(axis=1)


@wrong("6.3", "irrelevant|not relevant|turned|opposite|relevant")
def the_others_share(found, relevant):
    return 1 - np.take_along_axis(relevant, found, 1).mean(1)


@wrong("6.3", "order|place|rank|share")
def average_over_ranks(found, relevant):
    hits = np.take_along_axis(relevant, found, 1).cumsum(1)
    return (hits / np.arange(1, found.shape[1] + 1)).mean(1)


# 6.4 A playlist that stays near and does not repeat itself


@right("6.4")
def greedy_in_python(similarities, first, n, variety):
    chosen = [int(first)]
    while len(chosen) < n:

        def worth(i):
            near = [similarities[i][j] for j in chosen[1:]]
            far = variety * max(near) if near else 0
            return (1 - variety) * similarities[first][i] - far

        rest = [i for i in range(len(similarities)) if i not in chosen]
        chosen.append(max(rest, key=worth))
    return tuple(chosen)


@right("6.4")
def with_running_maximum(similarities, first, n, variety):
    x = torch.tensor(np.array(similarities)).double()
    chosen, nearest = [first], torch.zeros(len(x), dtype=torch.float64)
    taken = torch.zeros(len(x), dtype=torch.bool)
    taken[first] = True
    while len(chosen) < n:
        worth = (1 - variety) * x[first] - variety * nearest
        best = int(worth.masked_fill(taken, -torch.inf).argmax())
        taken[best] = True
        nearest = x[best] if len(chosen) == 1 else torch.maximum(nearest, x[best])
        chosen.append(best)
    return torch.tensor(chosen)


def mixed(similarities, first, n, variety, *, of=None, first_too=False, start=0):
    of = of or (lambda rows: rows.max(axis=0))
    chosen = [first]
    while len(chosen) < n:
        worth = (1 - variety) * similarities[chosen[start]]
        others = chosen if first_too else chosen[1:]
        if others:
            worth = worth - variety * of(similarities[others])
        worth[chosen] = -np.inf
        chosen.append(int(worth.argmax()))
    return chosen


@wrong("6.4", "first|among|others")
def first_among_the_others(similarities, first, n, variety):
    return mixed(similarities, first, n, variety, first_too=True)


@wrong("6.4", "mean|largest")
def mean_to_the_others(similarities, first, n, variety):
    return mixed(similarities, first, n, variety, of=lambda rows: rows.mean(axis=0))


@wrong("6.4", "last|first")
def near_to_the_last(similarities, first, n, variety):
    return mixed(similarities, first, n, variety, start=-1)


@wrong("6.4", "only the last|last|all|largest")
def unlike_the_last_only(similarities, first, n, variety):
    return mixed(similarities, first, n, variety, of=lambda rows: rows[-1])


@wrong("6.4", "weight|variety|1 - variety|swapped")
def variety_turned(similarities, first, n, variety):
    return mixed(similarities, first, n, 1 - variety)


@wrong("6.4", "1 - variety|weight|whole|full")
def without_the_first_weight(similarities, first, n, variety):
    return mixed(similarities, first, n, variety / (1 + variety))


@wrong("6.4", "twice|different|again|repeat")
def repeats_itself(similarities, first, n, variety):
    return [first, *np.argsort(-similarities[first], kind="stable")[: n - 1]]


@wrong("6.4", "9 parts")
def n_more(similarities, first, n, variety):
    return mixed(similarities, first, n + 1, variety)


@wrong("6.4", "changes `similarities`")
def blots_out(similarities, first, n, variety):
    found = mixed(similarities, first, n, variety)
    similarities[:, found] = -np.inf
    return found


# 6.5 Hubs


@right("6.5")
def by_counter(found, n_clips):
    times = Counter(int(c) for row in found for c in row)
    counts = [times[i] for i in range(n_clips)]
    centred = np.array(counts) - sum(counts) / n_clips
    spread = (centred**2).mean() ** 0.5
    return counts, (centred**3).mean() / spread**3 if spread else 0


@right("6.5")
def by_scipy(found, n_clips):
    counts = torch.bincount(torch.tensor(np.array(found)).ravel(), minlength=n_clips)
    return [counts, float(np.nan_to_num(stats.skew(counts.numpy())))]


def hubs_with(skew, least=True):
    def hubs(found, n_clips):
        counts = np.bincount(np.ravel(found), minlength=n_clips if least else 0)
        return counts, skew(counts)

    return hubs


def cubes(counts, ddof=0, power=3):
    spread = counts.std(ddof=ddof)
    return ((counts - counts.mean()) ** 3).mean() / spread**power if spread else 0.0


wrong("6.5", "no list|none|in all|0|shape|clips")(hubs_with(cubes, least=False))
wrong("6.5", "n - 1|divided by n|ddof")(hubs_with(lambda c: cubes(c, ddof=1)))
wrong("6.5", "deviation|divide")(hubs_with(lambda c: cubes(c, power=0)))
wrong("6.5", "n - 1|divided by n|bias|correct|sample")(
    hubs_with(lambda c: float(np.nan_to_num(stats.skew(c, bias=False))))
)
wrong("6.5", "nan|same|0")(
    hubs_with(lambda c: ((c - c.mean()) ** 3).mean() / c.std() ** 3)
)
wrong("6.5", "fourth|cube|kurt|skew")(hubs_with(lambda c: float(stats.kurtosis(c))))


@wrong("6.5", "count|share|lists")
def shares_of_lists(found, n_clips):
    counts = np.bincount(np.ravel(found), minlength=n_clips)
    return counts / len(found), cubes(counts)


@wrong("6.5", "skewness|two|order|first|shape")
def skewness_first(found, n_clips):
    return by_counter(found, n_clips)[::-1]


# 6.6 What the map keeps


@right("6.6")
def by_intersections(own, drawn):
    both = sum(
        len(set(map(int, a)) & set(map(int, b)))
        for a, b in zip(own, drawn, strict=True)
    )
    return Fraction(both, len(own) * len(own[0]))


@right("6.6")
def by_broadcast(own, drawn):
    own, drawn = torch.tensor(np.array(own)), torch.tensor(np.array(drawn))
    return (own[:, :, None] == drawn[:, None]).any(dim=-1).double().mean()


@wrong("6.6", "may stand elsewhere")
def in_the_same_place(own, drawn):
    n = min(own.shape[1], drawn.shape[1])
    return (own[:, :n] == drawn[:, :n]).sum() / own.size


@wrong("6.6", "lists of all clips")
def in_any_list(own, drawn):
    return np.isin(own, drawn).mean()


@wrong("6.6", "drawn|map|own|share of")
def of_the_drawn(own, drawn):
    return by_broadcast(drawn, own)


@wrong("6.6", "per cent|0 to 1|100|share")
def per_cent_kept(own, drawn):
    return 100 * float(by_broadcast(own, drawn))


@wrong("6.6", "Jaccard|union|either|share of|both")
def jaccard(own, drawn):
    return np.mean(
        [
            len({*a} & {*b}) / len({*a} | {*b})
            for a, b in zip(own.tolist(), drawn.tolist(), strict=True)
        ]
    )


@wrong("6.6", "one number|shape|each clip")
def for_each_clip(own, drawn):
    return (own[:, :, None] == drawn[:, None]).any(axis=-1).mean(axis=1)


@wrong("6.6", "lost|kept|turned|1 -")
def what_is_lost(own, drawn):
    return 1 - float(by_broadcast(own, drawn))


# 7.1 The bill for a million songs

N = 1_000_000
RIGHT_BILL = {
    "store in int16, GB": Decimal(2 * 349_488 * N) / 10**9,
    "store in float32, GB": np.float32(4 * 349_488 / 1000),
    "mel bands in float32, GB": Fraction(96 * 1_366 * 4 * N, 10**9),
    "decode all once, hours": torch.tensor(37.91 / 100 * N / 3_600),
    "EPFL, clips a second": [3_360 / 1_800],
    "Cambridge, songs a second": 201_641 / 727,
    "50 epochs at EPFL's rate, days": 310,
    "50 epochs at Cambridge's rate, days": 2.09,
}
right("7.1", part=0)(RIGHT_BILL)
right("7.1", part=0)(
    pd.Series({k: float(np.squeeze(v)) for k, v in RIGHT_BILL.items()})
    .iloc[::-1]
    .to_dict()
)
SLIPS = [
    ("store in int16, GB", "1,000,000,000|GiB|1,024|1024|GB", 2 * 349_488 * N / 2**30),
    ("store in int16, GB", "bytes|bit", 16 * 349_488 / 1000),
    ("store in float32, GB", "four|bytes", 2 * 349_488 / 1000),
    ("mel bands in float32, GB", "four|bytes", 96 * 1_366 / 1000),
    (
        "mel bands in float32, GB",
        "in place|samples|only",
        (96 * 1_366 + 349_488) * 4 / 1000,
    ),
    ("decode all once, hours", "100", 37.91 * N / 3_600),
    ("decode all once, hours", "hours|minutes|seconds", 0.3791 * N / 60),
    ("EPFL, clips a second", "batch|20", 3_360 / 20 / 1_800),
    ("EPFL, clips a second", "minute|second", 3_360 / 30),
    ("Cambridge, songs a second", "last|first|727|3,300", 201_641 / 3_300),
    ("50 epochs at EPFL's rate, days", "50|epoch", 6.2),
    ("50 epochs at EPFL's rate, days", "hours|24|day", 7_440),
    ("50 epochs at Cambridge's rate, days", "50|epoch", 0.0417),
]
for entry, told, figure in SLIPS:
    wrong("7.1", told, part=0)(RIGHT_BILL | {entry: figure})


@right("7.1", part=1)
def in_fractions_of_hours(n_clips, clip, machine):
    each = {k: Fraction(clip[k]) * n_clips / Fraction(machine[k]) / 3600 for k in clip}
    return sum(each.values()), max(each.values()), max(each, key=each.get)


@right("7.1", part=1)
def in_a_series(n_clips, clip, machine):
    hours = pd.Series(clip).astype(float) / pd.Series(machine) * n_clips / 3600
    return [hours.sum(), np.float64(hours.max()), np.str_(hours.idxmax())]


def epoch_with(each, total=sum, most=max, unit=3600):
    def epoch(n_clips, clip, machine):
        hours = {k: each(clip[k], machine[k]) * n_clips / unit for k in clip}
        found = most(hours.values())
        return total(hours.values()), found, max(hours, key=hours.get)

    return epoch


def per(need, rate):
    return need / rate


wrong("7.1", "hour|second", part=1)(epoch_with(per, unit=1))
wrong("7.1", "upside|divide|turned|second", part=1)(epoch_with(lambda x, r: r / x))
wrong("7.1", "sum|in turn|one after|add", part=1)(
    epoch_with(per, total=lambda x: sum(x) / 3)
)
wrong("7.1", "slowest|longest|fastest", part=1)(epoch_with(per, most=min))
wrong("7.1", "slowest|same time|mean", part=1)(
    epoch_with(per, most=lambda x: sum(x) / 3)
)


@wrong("7.1", "binds|slowest|largest|machine|most", part=1)
def largest_need_binds(n_clips, clip, machine):
    a, b, _ = in_fractions_of_hours(n_clips, clip, machine)
    return a, b, max(clip, key=clip.get)


@wrong("7.1", "n_clips|one clip|all clips|number of clips", part=1)
def hours_of_one_clip(n_clips, clip, machine):
    return in_fractions_of_hours(1, clip, machine)


# 7.2 Read ahead in a thread


class Ahead:
    """An iterator with a condition in place of a queue."""

    def __init__(self, items, n):
        self.made, self.n, self.over, self.error = deque(), n, False, None
        self.turn = threading.Condition()
        threading.Thread(target=self.load, args=(items,), daemon=True).start()

    def load(self, items):
        try:
            for item in items:
                with self.turn:
                    self.turn.wait_for(lambda: len(self.made) < self.n)
                    self.made.append(item)
                    self.turn.notify_all()
        except BaseException as error:
            self.error = error
        with self.turn:
            self.over = True
            self.turn.notify_all()

    def __iter__(self):
        return self

    def __next__(self):
        with self.turn:
            self.turn.wait_for(lambda: self.made or self.over)
            if self.made:
                item = self.made.popleft()
                self.turn.notify_all()
                return item
        error, self.error = self.error, None
        raise error or StopIteration


right("7.2")(Ahead)


@right("7.2")
def in_boxes(items, n):
    made = queue.Queue(n)

    def load():
        try:
            for item in items:
                made.put(("item", item))
            made.put(("end", None))
        except Exception as error:
            made.put(("error", error))

    threading.Thread(target=load, daemon=True).start()

    def loop():
        while (got := made.get())[0] == "item":
            yield got[1]
        if got[0] == "error":
            raise got[1]

    return loop()


def ahead_with(end=None, room=0, error="raise", early=False):
    """The solution with slips: `end` marks the end, `room` more items wait."""

    def ahead(items, n):
        made = queue.Queue(n + room if room is not None else 0)
        mark = object() if end is None else end
        failed = []

        def load():
            try:
                for item in items:
                    made.put(item)
            except Exception as reason:
                failed.append(reason)
            made.put(mark)

        threading.Thread(target=load, daemon=True).start()
        while True:
            item = made.get()
            if failed and early:
                raise failed[0]
            if item is mark or (
                end is not None and type(item) is type(end) and item == end
            ):
                break
            yield item
        if failed and error == "raise":
            raise failed[0]
        if failed and error == "other":
            raise RuntimeError(str(failed[0]))

    return ahead


@wrong("7.2", "What says 'the end'")
def none_is_the_end(items, n):
    made = queue.Queue(n)

    def load():
        try:
            for item in items:
                made.put(item)
        finally:
            made.put(None)

    threading.Thread(target=load, daemon=True).start()
    while (item := made.get()) is not None:
        yield item


wrong("7.2", "text|item|end|mistaken")(ahead_with(end=""))
wrong("7.2", "memory|wait|more|ahead")(ahead_with(room=None))
wrong("7.2", "wait|more|ahead")(ahead_with(room=3))
wrong("7.2", "error|raise")(ahead_with(error="swallow"))
wrong("7.2", "same object|very|another|same error|itself")(ahead_with(error="other"))
wrong("7.2", "before|first|items|early")(ahead_with(early=True))


@wrong("7.2", "thread|ahead")
def no_thread(items, n):
    yield from items


@wrong("7.2", "all|wait|more|memory|before|ahead")
def all_made_first(items, n):
    yield from list(items)


# 7.3 An epoch that can begin anywhere


@right("7.3", part=0)
def by_hash(n_clips, seed, epoch):
    return sorted(
        range(n_clips),
        key=lambda i: hashlib.sha256(f"{seed},{epoch},{i}".encode()).digest(),
    )


@right("7.3", part=0)
def by_own_random(n_clips, seed, epoch):
    order = list(range(n_clips))
    random.Random(f"{seed}/{epoch}").shuffle(order)
    return torch.tensor(order)


def order_of(number):
    def order(n_clips, seed, epoch):
        return np.random.default_rng(number(seed, epoch)).permutation(n_clips)

    return order


SUM = "sum|seed 3|other seeds|epoch"
wrong("7.3", SUM, part=0)(order_of(lambda seed, epoch: seed + epoch))
wrong("7.3", "seed 0|product|epoch|same", part=0)(order_of(lambda s, e: s * e))
wrong("7.3", "join|digit|seed|same", part=0)(order_of(lambda s, e: int(f"{s}{e}")))
wrong("7.3", "epoch", part=0)(order_of(lambda seed, epoch: seed))
wrong("7.3", "seed", part=0)(order_of(lambda seed, epoch: epoch))
wrong("7.3", "every process|process|hash", part=0)(
    order_of(lambda seed, epoch: abs(hash(f"{seed}, {epoch}")))
)
wrong("7.3", "same|again", part=0)(order_of(lambda seed, epoch: None))
wrong("7.3", "100|epoch|same", part=0)(order_of(lambda seed, epoch: 100 * seed + epoch))


@wrong("7.3", "whole program|shared|share", part=0)
def seeds_numpy(n_clips, seed, epoch):
    np.random.seed(1000 * seed + epoch)
    return np.random.permutation(n_clips)


@wrong("7.3", "whole program|shared|share", part=0)
def seeds_torch(n_clips, seed, epoch):
    torch.manual_seed(hash((seed, epoch)) % 2**32)
    return torch.randperm(n_clips)


@wrong("7.3", "once|twice|each", part=0)
def with_replacement(n_clips, seed, epoch):
    return np.random.default_rng([seed, epoch]).integers(n_clips, size=n_clips)


@wrong("7.3", "roll|shuffle|same|neighbour|follow|order", part=0)
def rolled_clips(n_clips, seed, epoch):
    first = np.random.default_rng([seed, epoch]).integers(n_clips)
    return np.roll(np.arange(n_clips), first)


@right("7.3", part=1)
def every_other(order, batch_size, rank, n_ranks, done):
    starts = range(done * batch_size, len(order), batch_size)
    return tuple(
        order[s : s + batch_size][n_ranks - 1 - rank :: n_ranks] for s in starts
    )


@right("7.3", part=1)
def in_blocks(order, batch_size, rank, n_ranks, done):
    order = torch.tensor(np.array(order))
    batches = order.split(batch_size)[done:] if len(order) else []
    return [batch.tensor_split(n_ranks)[rank].tolist() for batch in batches]


@wrong("7.3", "left over|last|shorter|rest|lost|batches", part=1)
def drops_last_batch(order, batch_size, rank, n_ranks, done):
    n = len(order) // batch_size
    return [
        order[i * batch_size : (i + 1) * batch_size][rank::n_ranks]
        for i in range(done, n)
    ]


@wrong("7.3", "each batch|batch", part=1)
def divides_the_epoch(order, batch_size, rank, n_ranks, done):
    mine, size = order[rank::n_ranks], batch_size // n_ranks or 1
    return [mine[s : s + size] for s in range(done * size, len(mine), size)]


@wrong("7.3", "done|left", part=1)
def ignores_done(order, batch_size, rank, n_ranks, done):
    return every_other(order, batch_size, rank, n_ranks, 0)


@wrong("7.3", "done|batches|clips", part=1)
def done_counts_clips(order, batch_size, rank, n_ranks, done):
    return every_other(order[done:], batch_size, rank, n_ranks, 0)


@wrong("7.3", "empty|same number|steps|batches", part=1)
def empty_ones_left_out(order, batch_size, rank, n_ranks, done):
    found = every_other(order, batch_size, rank, n_ranks, done)
    return [share for share in found if len(share)]


@wrong("7.3", "is shared as", part=1)
def rest_to_the_last(order, batch_size, rank, n_ranks, done):
    found = []
    for s in range(done * batch_size, len(order), batch_size):
        batch = order[s : s + batch_size]
        size = len(batch) // n_ranks
        end = None if rank == n_ranks - 1 else (rank + 1) * size
        found.append(batch[rank * size : end])
    return found


@wrong("7.3", "each must come once", part=1)
def equal_shares_only(order, batch_size, rank, n_ranks, done):
    found = every_other(order, batch_size, rank, n_ranks, done)
    size = batch_size // n_ranks
    return [share[:size] for share in found]


@wrong("7.3", "each batch|batches|same number|steps|every batch", part=1)
def whole_batches(order, batch_size, rank, n_ranks, done):
    return every_other(order, batch_size, 0, 1, done)[rank::n_ranks]


# 7.4 A batch in parts

bce = functional.binary_cross_entropy_with_logits


def parts_with(
    weigh=lambda n, of, n_parts: n / of,
    clear=True,
    before=None,
    after=None,
    gives=None,
    keep=False,
):
    def accumulate(network, samples, labels, n_most):
        if before:
            before(network)
        if clear:
            network.zero_grad()
        losses = []
        parts = list(zip(samples.split(n_most), labels.split(n_most), strict=True))
        for x, y in parts:
            share = weigh(len(x), len(samples), len(parts))
            loss = bce(network(x), y) * share
            if keep:
                losses.append(loss)
            else:
                loss.backward()
                losses.append(loss.detach())
        if keep:
            sum(losses).backward()
        if after:
            after(network)
        return gives(losses, parts) if gives else float(sum(losses))

    return accumulate


@right("7.4")
def by_autograd(network, samples, labels, n_most):
    weights = [w for w in network.parameters() if w.requires_grad]
    total, slopes = 0, [torch.zeros_like(w) for w in weights]
    for start in range(0, len(samples), n_most):
        part = slice(start, start + n_most)
        loss = bce(network(samples[part]), labels[part], reduction="sum")
        for slope, more in zip(slopes, torch.autograd.grad(loss, weights), strict=True):
            slope += more
        total += loss.detach()
    for weight, slope in zip(weights, slopes, strict=True):
        weight.grad = slope / labels.numel()
    return total / labels.numel()


@right("7.4")
def divides_afterwards(network, samples, labels, n_most):
    network.zero_grad(set_to_none=False)
    losses = []
    for x, y in zip(samples.split(n_most), labels.split(n_most), strict=True):
        losses.append(bce(network(x), y, reduction="sum"))
        losses[-1].backward()
    for weight in network.parameters():
        if weight.grad is not None:
            weight.grad /= labels.numel()
    return np.float64(sum(map(float, losses)) / labels.numel())


wrong("7.4", "windows of a short part")(parts_with(lambda n, of, k: 1 / k))
wrong("7.4", "grad|before|gone|clear|zero_grad")(parts_with(clear=False))
wrong("7.4", "backward|memory|next|before")(parts_with(keep=True))
wrong("7.4", "sum|times|divide|parts|large")(parts_with(lambda n, of, k: 1))
wrong("7.4", "mode|eval")(parts_with(before=lambda net: net.eval()))
wrong("7.4", "mode|train")(parts_with(after=lambda net: net.train()))
wrong("7.4", "loss|last|returns|gave|gives")(
    parts_with(gives=lambda losses, parts: float(losses[-1] / len(parts[-1][0]) * 10))
)


def steps(network):
    with torch.no_grad():
        for weight in network.parameters():
            if weight.grad is not None:
                weight -= 0.1 * weight.grad


def freezes(network):
    network.requires_grad_(False)


wrong("7.4", "step|weights|move|change")(parts_with(after=steps))
wrong("7.4", "needs a gradient|requires_grad|gradient")(parts_with(after=freezes))


@wrong("7.4", "at once|n_most|windows|whole|got")
def whole_at_once(network, samples, labels, n_most):
    network.zero_grad()
    loss = bce(network(samples), labels)
    loss.backward()
    return loss.item()


# 7.5 Killed, and on it goes


def state_of(training, leave=()):
    state = {
        "model": copy.deepcopy(training.model.state_dict()),
        "optimizer": copy.deepcopy(training.optimizer.state_dict()),
        "schedule": copy.deepcopy(training.schedule.state_dict()),
        "losses": list(training.losses),
        "random": torch.get_rng_state(),
    }
    return {k: v for k, v in state.items() if k not in leave}


def put(training, state):
    for name in ("model", "optimizer", "schedule"):
        if name in state:
            getattr(training, name).load_state_dict(state[name])
    training.losses = list(state.get("losses", []))
    if "random" in state:
        torch.set_rng_state(state["random"])


def run_with(leave=(), write="new.pickle", name="run.pickle", after=None):
    def save(training, disk):
        disk.write(write, pickle.dumps(state_of(training, leave)))
        if write != name:
            disk.replace(write, name)
        if after:
            after()

    def load(training, disk):
        put(training, pickle.loads(disk.read(name)))

    return save, load


right("7.5")(run_with())


def numbered_save(training, disk):
    """A file for each epoch; a tiny one, replaced at once, names the last whole one."""
    name = f"epoch{len(training.losses)}"
    buffer = io.BytesIO()
    torch.save(state_of(training), buffer)
    disk.write(name, buffer.getvalue())
    disk.write("pointer.new", name.encode())
    disk.replace("pointer.new", "pointer")


def numbered_load(training, disk):
    name = disk.read("pointer").decode()
    state = torch.load(io.BytesIO(disk.read(name)), weights_only=False)
    put(training, state)


def summed_save(training, disk):
    data = pickle.dumps(state_of(training))
    checked = hashlib.sha256(data).digest() + data
    disk.write("a.tmp", checked)
    disk.replace("a.tmp", "a")


def summed_load(training, disk):
    put(training, pickle.loads(disk.read("a")[32:]))


right("7.5")((summed_save, summed_load))
right("7.5")((numbered_save, numbered_load))
wrong("7.5", "random|dropout")(run_with(leave=["random"]))
wrong("7.5", "momentum|optimizer")(run_with(leave=["optimizer"]))
wrong("7.5", "schedule|learning rate")(run_with(leave=["schedule"]))
wrong("7.5", "losses|epochs")(run_with(leave=["losses"]))
wrong("7.5", "power|half|write")(run_with(write="run.pickle"))
wrong("7.5", "changes the training")(run_with(after=lambda: torch.manual_seed(0)))


def two_files_save(training, disk):
    for name, part in (
        ("model", ["optimizer", "schedule", "random"]),
        ("rest", ["model", "losses"]),
    ):
        disk.write("tmp", pickle.dumps(state_of(training, part)))
        disk.replace("tmp", name)


def two_files_load(training, disk):
    put(training, pickle.loads(disk.read("model")) | pickle.loads(disk.read("rest")))


wrong("7.5", "power|whole|half|mix|two|between")((two_files_save, two_files_load))


def copy_beside_save(training, disk):
    """Writes over the only file, then makes a second one as a backup."""
    data = pickle.dumps(state_of(training))
    disk.write("run", data)
    disk.write("backup", data)


def copy_beside_load(training, disk):
    try:
        put(training, pickle.loads(disk.read("run")))
    except Exception:
        put(training, pickle.loads(disk.read("backup")))


wrong("7.5", "and again")((copy_beside_save, copy_beside_load))


# 7.6 Which stage first?


@right("7.6", part=0)
def by_list(work, n_clips, tries, clock=time.perf_counter):
    marks = []
    for _ in range(1 + tries):
        begin = clock()
        work()
        marks.append(clock() - begin)
    return torch.tensor(marks[1:]).double().min() * 1000 / n_clips


@right("7.6", part=0)
def warmed_before(work, n_clips, tries, clock=time.perf_counter):
    work()
    best = math.inf
    while tries:
        begin, _, end = clock(), work(), clock()
        best, tries = min(best, end - begin), tries - 1
    return np.array([best / n_clips * 1e3])


def times_with(pick=min, skip=1, unit=1000, own=None, each=True, extra=1):
    def ms_a_clip(work, n_clips, tries, clock=time.perf_counter):
        tell, found = own or clock, []
        for _ in range(extra + tries):
            begin = tell()
            work()
            found.append(tell() - begin)
        return pick(found[skip:]) * unit / (n_clips if each else 1)

    return ms_a_clip


wrong("7.6", "smallest|mean", part=0)(times_with(pick=np.mean))
wrong("7.6", "smallest|middle|median", part=0)(times_with(pick=np.median))
wrong("7.6", "warm|first", part=0)(times_with(skip=0))
wrong("7.6", "milli|second", part=0)(times_with(unit=1))
wrong("7.6", "clock", part=0)(times_with(own=time.perf_counter))
wrong("7.6", "a clip|n_clips|clips", part=0)(times_with(each=False))
wrong("7.6", "1 \\+ tries|tries|times|calls", part=0)(times_with(extra=0, skip=0))
wrong("7.6", "smallest|last|largest", part=0)(times_with(pick=lambda x: x[-1]))


@right("7.6", part=1)
def in_fractions_too(ms, stage, times):
    others = sum(Fraction(v) for k, v in ms.items() if k != stage)
    now = 0 if times == math.inf else Fraction(ms[stage]) / Fraction(times)
    return (others + Fraction(ms[stage])) / (others + now)


@right("7.6", part=1)
def by_amdahl(ms, stage, times):
    share = ms[stage] / sum(ms.values())
    return np.float32(1 / (1 - share + share / times))


@wrong("7.6", "changes `ms`", part=1)
def writes_into_ms(ms, stage, times):
    before = sum(ms.values())
    ms[stage] /= times
    return before / sum(ms.values())


@wrong("7.6", "decode|cut|train|names|KeyError", part=1)
def three_names_only(ms, stage, times):
    new = dict(ms)
    new[stage] = ms[stage] / times
    before = ms["decode"] + ms["cut"] + ms["train"]
    return before / (new["decode"] + new["cut"] + new["train"])


@wrong("7.6", "upside|turned|before|new|divide", part=1)
def upside_down_gain(ms, stage, times):
    return 1 / by_amdahl(ms, stage, times)


@wrong("7.6", "whole|milli|how many times|time", part=1)
def milliseconds_left(ms, stage, times):
    return sum(ms.values()) - ms[stage] + ms[stage] / times


@wrong("7.6", "turn|largest|slowest|sum|one after", part=1)
def as_if_at_once(ms, stage, times):
    return max(ms.values()) / max((ms | {stage: ms[stage] / times}).values())


@wrong("7.6", "share|per cent|times|saved", part=1)
def share_saved(ms, stage, times):
    return (ms[stage] - ms[stage] / times) / sum(ms.values())


# 8.1 Do you agree with yourself?


@right("8.1")
def by_cohen(first, second):
    return cohen_kappa_score(first, second)


@right("8.1")
def by_counting(first, second):
    n, pairs = len(first), Counter(zip(map(int, first), map(int, second), strict=True))
    yes = pairs[1, 1] + pairs[1, 0], pairs[1, 1] + pairs[0, 1]
    chance = Fraction(yes[0] * yes[1] + (n - yes[0]) * (n - yes[1]), n * n)
    return (Fraction(pairs[1, 1] + pairs[0, 0], n) - chance) / (1 - chance)


def kappa_with(chance, over=lambda agree, c: 1 - c):
    def kappa(first, second):
        agree, p, q = (first == second).mean(), first.mean(), second.mean()
        c = chance(p, q)
        return (agree - c) / over(agree, c)

    return kappa


def by_chance(p, q):
    return p * q + (1 - p) * (1 - q)


wrong("8.1", "no|both|chance")(kappa_with(lambda p, q: p * q))
wrong("8.1", "chance|half|0.5")(kappa_with(lambda p, q: 0.5))
wrong("8.1", "divide|left")(kappa_with(by_chance, lambda a, c: 1))
wrong("8.1", "chance")(kappa_with(lambda p, q: 0))
wrong("8.1", "second|first|both lists|share")(kappa_with(lambda p, q: by_chance(p, p)))
wrong("8.1", "pooled|mean|each list|share|both")(
    kappa_with(lambda p, q: by_chance((p + q) / 2, (p + q) / 2))
)


@wrong("8.1", "correlation|chance")
def correlation(first, second):
    return np.corrcoef(first, second)[0, 1]


@wrong("8.1", "below|negative|0")
def never_negative(first, second):
    return max(0, cohen_kappa_score(first, second))


@right("8.1")
def by_the_four_counts(first, second):
    """From the table of the two lists, without any chance."""
    a, b = ((first == x) & (second == x) for x in (1, 0))
    c, d = ((first == x) & (second == 1 - x) for x in (1, 0))
    a, b, c, d = (x.sum() for x in (a, b, c, d))
    return 2 * (a * b - c * d) / ((a + c) * (c + b) + (a + d) * (d + b))


@right("8.1")
def by_disagreement(first, second):
    p, q = first.mean(), second.mean()
    return 1 - (first != second).mean() / (p * (1 - q) + q * (1 - p))


@right("8.1")
def by_crosstab(first, second):
    table = pd.crosstab(first, second, normalize="all")
    table = table.reindex(index=[0, 1], columns=[0, 1], fill_value=0)
    chance = (table.sum(axis=0) * table.sum(axis=1)).sum()
    return pd.Series([(np.trace(table) - chance) / (1 - chance)])


@right("8.1")
def by_all_pairs(first, second):
    """Chance is the agreement of every clip of one list with every one of the other."""
    chance = (first[:, None] == second).mean()
    return torch.tensor(((first == second).mean() - chance) / (1 - chance))


@right("8.1")
def in_decimals(first, second):
    n, both = Decimal(len(first)), sum(map(int, first == second))
    p, q = (Decimal(int(x.sum())) / n for x in (first, second))
    chance = p * q + (1 - p) * (1 - q)
    return (both / n - chance) / (1 - chance)


def kappa_of(agree=lambda a, b: (a == b).mean(), end=lambda a, c: (a - c) / (1 - c)):
    def kappa(first, second):
        return end(agree(first, second), by_chance(first.mean(), second.mean()))

    return kappa


wrong("8.1", "disagree|differ")(kappa_of(agree=lambda a, b: (a != b).mean()))
wrong("8.1", "what is left|1 - chance")(kappa_of(end=lambda a, c: (a - c) / c))
wrong("8.1", "what is left|1 - chance")(kappa_of(end=lambda a, c: (a - c) / (1 + c)))
wrong("8.1", "turned|the other way|minus")(kappa_of(end=lambda a, c: (c - a) / (1 - c)))
wrong("8.1", "turned|1 minus|disagree")(kappa_of(end=lambda a, c: (1 - a) / (1 - c)))
wrong("8.1", "percent")(kappa_of(end=lambda a, c: 100 * (a - c) / (1 - c)))
wrong("8.1", "rounded")(kappa_of(end=lambda a, c: round((a - c) / (1 - c), 1)))
wrong("8.1", "one number")(kappa_of(end=lambda a, c: ((a - c) / (1 - c), c)))
wrong("8.1", "that they agree, not differ")(
    kappa_with(lambda p, q: p * (1 - q) + q * (1 - p))
)
wrong("8.1", "second|first|both lists|share")(kappa_with(lambda p, q: by_chance(q, q)))


@wrong("8.1", "both call no")
def f1_of_the_lists(first, second):
    return f1_score(first, second)


@wrong("8.1", "changes `first`")
def turned_in_place(first, second):
    first[:] = 1 - first
    second = 1 - second
    return cohen_kappa_score(first, second)


# 8.2 Folds of whole artists


def dealt(tag, artists, n, start=0):
    """Artists with the word in turn, then those without it."""
    names = sorted(set(map(str, artists)))
    has = {
        a: any(t for t, b in zip(tag, artists, strict=True) if str(b) == a)
        for a in names
    }
    place = {}
    for kind in (True, False):
        for i, a in enumerate(x for x in names if has[x] is kind):
            place[a] = i % n + start
    return [place[str(a)] for a in artists]


right("8.2")(dealt)


@right("8.2")
def by_group_folds(tag, artists, n):
    by_artist = pd.Series(np.array(tag)).groupby(np.array(artists)).max()
    fold = by_artist.sort_values().rank(method="first").astype(int) % n
    return fold.loc[np.array(artists)].to_numpy()


@wrong("8.2", "artist|same fold")
def clip_by_clip(tag, artists, n):
    return np.arange(len(tag)) % n


@wrong("8.2", "0 to|number")
def from_one(tag, artists, n):
    return dealt(tag, artists, n, start=1)


@wrong("8.2", "without|with")
def by_kind(tag, artists, n):
    found = np.array(dealt(tag, artists, max(n - 1, 1)))
    word = {a for a, t in zip(artists.tolist(), tag, strict=True) if t}
    return np.where([a in word for a in artists.tolist()], found, n - 1)


@wrong("8.2", "word|fold|with")
def word_in_one_fold(tag, artists, n):
    names = [a for a in sorted(set(artists.tolist()))]
    word = {a for a, t in zip(artists.tolist(), tag, strict=True) if t}
    return [0 if a in word else names.index(a) % n for a in artists.tolist()]


@wrong("8.2", "fold|number|empty|n - 1|with")
def one_fold_too_few(tag, artists, n):
    return dealt(tag, artists, n - 1)


@wrong("8.2", "shape|clip|artist")
def of_artists(tag, artists, n):
    return np.arange(len(set(artists.tolist()))) % n


@wrong("8.2", "artist|same fold|word|with")
def random_clips(tag, artists, n):
    return np.random.default_rng(0).integers(n, size=len(tag))


@right("8.2")
def dealt_by_cycle(tag, artists, n):
    deck, fold_of = itertools.cycle(range(n)), {}
    for kind in (1, 0):
        for name in artists[tag == kind]:
            if name not in fold_of:
                fold_of[name] = next(deck)
        while fold_of and next(deck) != n - 1:
            pass  # the others begin at fold 0 again
    return pd.Series(artists).map(fold_of)


@right("8.2")
def the_largest_first(tag, artists, n):
    table = pd.DataFrame({"tag": tag, "artist": artists})
    table = table.groupby("artist")["tag"].agg(["max", "size"])
    table = table.sort_values(["max", "size"], ascending=False)
    table["fold"] = table.groupby("max").cumcount() % n
    return table["fold"].loc[artists].tolist()


@right("8.2")
def dealt_at_random(tag, artists, n):
    rng, place = np.random.default_rng(), {}
    word = set(artists[tag.astype(bool)])
    for names in (word, set(artists) - word):
        names = rng.permutation(sorted(names))
        place |= {name: float(i % n) for i, name in enumerate(names)}
    return [place[name] for name in artists]


@right("8.2")
def tried_until_it_fits(tag, artists, n):
    names, code = np.unique(artists, return_inverse=True)
    for seed in range(10_000):
        fold = np.random.default_rng(seed).integers(n, size=len(names))[code]
        seen = {(f, t) for f, t in zip(fold.tolist(), tag.tolist(), strict=True)}
        if len(seen) == 2 * n:
            return torch.from_numpy(fold)


@right("8.2")
def by_remainder_of_rank(tag, artists, n):
    word = np.isin(artists, artists[tag == 1])
    fold = np.zeros(len(tag), np.uint8)
    for part in (word, ~word):
        fold[part] = np.unique(artists[part], return_inverse=True)[1] % n
    return fold


@wrong("8.2", "artist . is in")
def each_kind_of_clip_dealt(tag, artists, n):
    """An artist with clips of both kinds gets a fold for each."""
    place = {}
    for kind in (1, 0):
        for i, name in enumerate(sorted(set(artists[tag == kind]))):
            place[name, kind] = i % n
    return [place[pair] for pair in zip(artists, tag.tolist(), strict=True)]


@wrong("8.2", "no clip with")
def the_word_is_the_fold(tag, artists, n):
    return tag


@wrong("8.2", "-1; folds are 0 to")
def counted_down(tag, artists, n):
    return [-fold for fold in dealt(tag, artists, n)]


@wrong("8.2", "0.5; folds are")
def not_whole(tag, artists, n):
    return np.array(dealt(tag, artists, n)) / 2


@wrong("8.2", "no clip with")
def the_others_in_the_last(tag, artists, n):
    word = set(artists[tag == 1])
    with_it = dealt(tag, artists, n)
    pairs = zip(artists, with_it, strict=True)
    return [fold if name in word else n - 1 for name, fold in pairs]


@wrong("8.2", "no clip with the word")
def by_most_clips(tag, artists, n):
    """An artist has the word if most of the clips have it."""
    share = pd.Series(tag).groupby(artists).mean() > 0.5
    return dealt(share.loc[artists].to_numpy(), artists, n)


@wrong("8.2", "no clip with")
def by_name(tag, artists, n):
    names = sorted(set(artists))
    return [names.index(name) % n for name in artists]


@wrong("8.2", "artist . is in|no clip with")
def in_order_of_the_names(tag, artists, n):
    """The folds of the clips sorted by artist, not of the clips as they come."""
    order = np.argsort(artists, kind="stable")
    return np.array(dealt(tag, artists, n))[order]


@wrong("8.2", "numbers are needed|fold of each clip|one for each")
def of_each_name(tag, artists, n):
    return dict(zip(artists, dealt(tag, artists, n), strict=True))


@wrong("8.2", "shape|numbers are needed")
def lists_of_places(tag, artists, n):
    fold = np.array(dealt(tag, artists, n))
    return [np.flatnonzero(fold == i).tolist() for i in range(n)]


@wrong("8.2", "nan")
def nan_for_the_others(tag, artists, n):
    word = set(artists[tag == 1])
    place = {name: i % n for i, name in enumerate(sorted(word))}
    return pd.Series(artists).map(place)


@wrong("8.2", "changes `artists`")
def sorted_in_place(tag, artists, n):
    artists.sort()
    return dealt(tag, artists, n)


# 8.3 A logistic regression by hand


@right("8.3", part=0)
def by_softplus(weight, bias, vectors, labels, C):
    logits = vectors @ weight + bias
    return (
        C * functional.softplus(logits * (1 - 2 * labels)).sum() + weight @ weight / 2
    )


@right("8.3", part=0)
def in_numpy_too(weight, bias, vectors, labels, C):
    w, b, x, y = (
        t.detach().numpy().astype(float) for t in (weight, bias, vectors, labels)
    )
    logits = x @ w + b
    return C * (np.logaddexp(0, logits) - y * logits).sum() + 0.5 * (w**2).sum()


def regression_with(mean=False, half=0.5, of_bias=0.0, at="loss", sign=1):
    def loss(weight, bias, vectors, labels, C):
        logits = sign * (vectors @ weight + bias)
        costs = functional.binary_cross_entropy_with_logits(
            logits, labels, reduction="mean" if mean else "sum"
        )
        squares = half * (weight**2).sum() + of_bias * (bias**2).sum()
        return C * costs + squares if at == "loss" else costs + C * squares

    return loss


wrong("8.3", "sum|mean", part=0)(regression_with(mean=True))
wrong("8.3", "½|half|1/2", part=0)(regression_with(half=1))
wrong("8.3", "bias", part=0)(regression_with(of_bias=0.5))
wrong("8.3", "C ", part=0)(regression_with(at="penalty"))
wrong("8.3", "square|weights|small", part=0)(regression_with(half=0))
wrong("8.3", "turned|sign|label", part=0)(regression_with(sign=-1))


@right("8.3", part=0)  # the text names no large logits
def by_log_of_sigmoid(weight, bias, vectors, labels, C):
    p = (vectors @ weight + bias).sigmoid()
    costs = -(labels * p.log() + (1 - labels) * (1 - p).log())
    return C * costs.sum() + 0.5 * weight.square().sum()


@wrong("8.3", "bias", part=0)
def without_bias(weight, bias, vectors, labels, C):
    return by_softplus(weight, 0 * bias, vectors, labels, C)


@right("8.3", part=1)
def by_logistic_regression(vectors, labels, C):
    model = LogisticRegression(C=C, tol=1e-10, max_iter=10_000)
    model.fit(vectors.numpy(), labels.numpy())
    return model.coef_[0], float(model.intercept_[0])


@right("8.3", part=1)
def by_newton(vectors, labels, C):
    x = torch.cat([vectors, torch.ones(len(vectors), 1)], dim=1).double()
    costs = torch.eye(x.shape[1]).double()
    costs[-1, -1] = 0
    w = torch.zeros(x.shape[1]).double()
    for _ in range(100):
        p = (x @ w).sigmoid()
        slope = C * x.T @ (p - labels) + costs @ w
        curve = C * x.T @ ((p * (1 - p))[:, None] * x) + costs
        step = torch.linalg.solve(curve, slope)
        w = w - step * min(1.0, 1 / float(step.norm() + 1e-12))
    return [w[:-1].requires_grad_(), w[-1:]]


def fit_with(n_steps=2000, scale=lambda C: C, **slip):
    def fit(vectors, labels, C):
        with torch.enable_grad():
            w = torch.zeros(vectors.shape[1], requires_grad=True)
            b = torch.zeros(1, requires_grad=True)
            walk = torch.optim.Adam([w, b], lr=0.05)
            for _ in range(n_steps):
                walk.zero_grad()
                regression_with(**slip)(w, b, vectors, labels, scale(C)).backward()
                walk.step()
        return w.detach(), b.detach()

    return fit


wrong("8.3", "lowest|lower|steps|valley|far", part=1)(fit_with(n_steps=5))
wrong("8.3", "C|lowest|lower", part=1)(fit_with(scale=lambda C: 1.0))
wrong("8.3", "bias|lowest|lower", part=1)(fit_with(of_bias=0.5))


@wrong("8.3", "weight|two|order|first|shape", part=1)
def bias_first(vectors, labels, C):
    return by_logistic_regression(vectors, labels, C)[::-1]


@right("8.3", part=0)
def number_of_each_clip(weight, bias, vectors, labels, C):
    total = 0.0
    for x, y in zip(vectors.tolist(), labels.tolist(), strict=True):
        z = sum(a * b for a, b in zip(x, weight.tolist(), strict=True)) + float(bias)
        total += math.log1p(math.exp(-z if y else z))
    return C * total + sum(w * w for w in weight.tolist()) / 2


@right("8.3", part=0)
def by_distribution(weight, bias, vectors, labels, C):
    logits = vectors.double() @ weight.double() + bias
    said = torch.distributions.Bernoulli(logits=logits).log_prob(labels.double())
    return (-C * said.sum() + weight.norm() ** 2 / 2)[None]


@right("8.3", part=0)
def by_logsumexp_of_two(weight, bias, vectors, labels, C):
    logits = torch.stack([torch.zeros(len(vectors)), vectors @ weight + bias], dim=1)
    costs = functional.cross_entropy(logits, labels.long(), reduction="none")
    return (C * costs).sum() + torch.dot(weight, weight) / 2


@right("8.3", part=1)
def by_bfgs(vectors, labels, C):
    def cost(w):
        z = vectors.double().numpy() @ w[:-1] + w[-1]
        y = labels.numpy()
        return C * (np.logaddexp(0, z) - y * z).sum() + (w[:-1] ** 2).sum() / 2

    w = optimize.minimize(cost, np.zeros(vectors.shape[1] + 1), method="BFGS").x
    return torch.tensor(w[:-1]), w[-1]


@right("8.3", part=1)
def by_plain_descent(vectors, labels, C):
    x, y = vectors.numpy().astype(float), labels.numpy()
    w, b = np.zeros(x.shape[1]), 0.0
    rate = 1 / (1 + C * (x**2).sum() + C * len(x))
    for _ in range(40_000):
        off = 1 / (1 + np.exp(-(x @ w + b))) - y
        w, b = w - rate * (C * off @ x + w), b - rate * C * off.sum()
    return w.tolist(), [b]


def loss_of_parts(cost=None, squares=lambda w: w @ w / 2, logits=None, end=None):
    """The right loss with one part of it replaced."""
    cost = cost or (lambda z, y: functional.softplus(z * (1 - 2 * y)))
    logits = logits or (lambda w, b, x: x @ w + b)
    end = end or (lambda costs, squares, C: C * costs.sum() + squares)

    def loss(weight, bias, vectors, labels, C):
        costs = cost(logits(weight, bias, vectors), labels)
        return end(costs, squares(weight), C)

    return loss


def in_parts(told, **parts):
    wrong("8.3", told, part=0)(loss_of_parts(**parts))


in_parts("label", cost=lambda z, y: functional.softplus(-y * z))
in_parts("label is 0", cost=lambda z, y: functional.softplus(-z)[y == 1])
in_parts("squared error", cost=lambda z, y: (z.sigmoid() - y) ** 2)
in_parts(
    "logarithm", cost=lambda z, y: functional.softplus(z * (1 - 2 * y)) / math.log(2)
)
in_parts("sigmoid", cost=lambda z, y: functional.softplus(z.sigmoid() * (1 - 2 * y)))
in_parts("sum of the squared|squares", squares=lambda w: w.abs().sum() / 2)
in_parts("sum of the squared|squares", squares=lambda w: w.norm() / 2)
in_parts("mean", squares=lambda w: (w**2).mean() / 2)
in_parts("added|minus|sign of the bias", logits=lambda w, b, x: x @ w - b)
in_parts("multipl|times", end=lambda costs, squares, C: costs.sum() / C + squares)
in_parts("alone", end=lambda costs, squares, C: C * (costs.sum() + squares))
in_parts("minus|added", end=lambda costs, squares, C: C * costs.sum() - squares)
in_parts("one number", end=lambda costs, squares, C: C * costs + squares)
in_parts(
    "rounded", end=lambda costs, squares, C: round(float(C * costs.sum() + squares), 1)
)


@wrong("8.3", "changes `weight`", part=0)
def squared_in_place(weight, bias, vectors, labels, C):
    costs = by_softplus(0 * weight, bias + vectors @ weight, 0 * vectors, labels, C)
    return costs + weight.square_().sum() / 2


def fit_then(change):
    def fit(vectors, labels, C):
        w, b = by_newton(vectors, labels, C)
        return change(w.detach(), b.detach())

    return fit


wrong("8.3", "bias", part=1)(fit_then(lambda w, b: (w, 0 * b)))
wrong("8.3", "lowest|rounded", part=1)(fit_then(lambda w, b: (w.round(decimals=1), b)))
wrong("8.3", "lowest|rounded", part=1)(fit_then(lambda w, b: (w, b.round(decimals=1))))
wrong("8.3", "sign|turned", part=1)(fit_then(lambda w, b: (-w, -b)))
wrong("8.3", "shape", part=1)(fit_then(lambda w, b: (torch.cat([w, b]), b)))
wrong("8.3", "parts", part=1)(fit_then(lambda w, b: torch.cat([w, b, b, b, b])))
wrong("8.3", "lowest", part=1)(fit_then(lambda w, b: (w / w.norm(), b)))
wrong("8.3", "mean|lowest", part=1)(fit_with(mean=True))


@wrong("8.3", "lowest|steps", part=1)
def few_steps_of_lbfgs(vectors, labels, C):
    w, b = torch.zeros(vectors.shape[1], requires_grad=True), torch.zeros(1)
    b.requires_grad_()
    walk = torch.optim.LBFGS([w, b], max_iter=3)

    def closure():
        walk.zero_grad()
        value = by_softplus(w, b, vectors, labels, C)
        value.backward()
        return value

    walk.step(closure)
    return w.detach(), b.detach()


@wrong("8.3", "bias|lowest", part=1)
def without_intercept(vectors, labels, C):
    model = LogisticRegression(C=C, fit_intercept=False, tol=1e-8)
    model.fit(vectors.numpy(), labels.numpy())
    return model.coef_[0], 0.0


@wrong("8.3", "lowest", part=1)
def of_scaled_vectors(vectors, labels, C):
    x = StandardScaler().fit_transform(vectors.numpy())
    return by_logistic_regression(torch.tensor(x), labels, C)


# 8.4 Find the partner


@right("8.4")
def by_log_softmax(a, b, temperature):
    a = a / a.norm(dim=1, keepdim=True)
    b = b / b.norm(dim=1, keepdim=True)
    table = a @ b.T / temperature
    costs = [-table.log_softmax(dim).diagonal().mean() for dim in (0, 1)]
    return torch.stack(costs).mean()


@right("8.4")
def by_logsumexp(a, b, temperature):
    a, b = (x * (x**2).sum(1, keepdim=True).rsqrt() for x in (a, b))
    table = torch.einsum("id,jd->ij", a, b) / temperature
    costs = table.logsumexp(1) + table.logsumexp(0) - 2 * table.diagonal()
    return costs.sum()[None] / (2 * len(a))


def partners_with(
    unit=True, rows=1.0, columns=1.0, heat=lambda x, t: x / t, total=torch.mean
):
    def partners(a, b, temperature):
        if unit:
            a, b = functional.normalize(a), functional.normalize(b)
        table = heat(a @ b.T, temperature)
        costs = [
            -w * table.log_softmax(dim).diagonal()
            for w, dim in ((columns, 0), (rows, 1))
            if w
        ]
        return total(torch.cat(costs))

    return partners


wrong("8.4", "column")(partners_with(columns=0))
wrong("8.4", "row")(partners_with(rows=0))
wrong("8.4", "length")(partners_with(unit=False))
wrong("8.4", "temperature|divid")(partners_with(heat=lambda x, t: x * t))
wrong("8.4", "temperature")(partners_with(heat=lambda x, t: x))
wrong("8.4", "mean|sum|questions")(partners_with(total=torch.sum))
wrong("8.4", "mean|sum|add|twice")(partners_with(total=lambda x: 2 * x.mean()))


@wrong("8.4", "gradient|learn|tensor")
def without_gradient(a, b, temperature):
    return by_log_softmax(a, b, temperature).detach()


@wrong("8.4", "two sides|own side|a times b|mixed|itself|lesson|2n|all crops")
def all_mixed(a, b, temperature):
    x = functional.normalize(torch.cat([a, b]))
    table = (x @ x.T / temperature).fill_diagonal_(-torch.inf)
    partner = torch.arange(len(x)).roll(len(a))
    return functional.cross_entropy(table, partner)


@wrong("8.4", "length|axis|dim|each vector|row")
def normalised_wrong_way(a, b, temperature):
    a, b = functional.normalize(a, dim=0), functional.normalize(b, dim=0)
    return partners_with(unit=False)(a, b, temperature)


@right("8.4")
def by_nll(a, b, temperature):
    a, b = functional.normalize(a, eps=0), functional.normalize(b, eps=0)
    table, own = a @ b.T / temperature, torch.arange(len(a))
    both = torch.cat([table.log_softmax(1), table.T.log_softmax(1)])
    return functional.nll_loss(both, own.repeat(2))


@right("8.4")
def by_distances(a, b, temperature):
    """For vectors of length 1 a squared distance is 2 minus twice the cosine."""
    a, b = (x / x.norm(dim=1)[:, None] for x in (a, b))
    table = (2 - ((a[:, None] - b[None]) ** 2).sum(dim=2)) / 2 / temperature
    rows = (table.softmax(dim=1) * torch.eye(len(a))).sum(dim=1)
    columns = (table.softmax(dim=0) * torch.eye(len(a))).sum(dim=0)
    return -(rows * columns).log().mean() / 2


@right("8.4")
def question_by_question(a, b, temperature):
    costs = []
    for x, y in ((a, b), (b, a)):
        for i in range(len(x)):
            heat = functional.cosine_similarity(x[i][None], y, dim=1) / temperature
            costs.append(functional.cross_entropy(heat, torch.tensor(i)))
    return torch.stack(costs).mean(dim=0, keepdim=True)


@right("8.4")
def in_double_precision(a, b, temperature):
    return by_log_softmax(a.double(), b.double(), torch.tensor(temperature))


@right("8.4")
def by_soft_targets(a, b, temperature):
    a, b = functional.normalize(a, dim=-1), functional.normalize(b, dim=-1)
    table, target = torch.mm(a, b.t()).div(temperature), torch.eye(len(a))
    halves = [functional.cross_entropy(t, target) for t in (table, table.t())]
    return 0.5 * halves[0] + 0.5 * halves[1]


def unit(x):
    return x / x.norm(dim=1, keepdim=True)


def of_table(cost, table=lambda a, b: unit(a) @ unit(b).T):
    def partners(a, b, temperature):
        return cost(table(a, b) / temperature, torch.arange(len(a)))

    return partners


def both_ways(table, right):
    entropy = functional.cross_entropy
    return (entropy(table, right) + entropy(table.T, right)) / 2


wrong("8.4", "temperature")(partners_with(heat=lambda x, t: x / t**2))
wrong("8.4", "temperature")(partners_with(heat=lambda x, t: x / t**0.5))
wrong("8.4", "length 1|of `b`")(of_table(both_ways, lambda a, b: unit(a) @ b.T))
wrong("8.4", "length 1|of `a`")(of_table(both_ways, lambda a, b: a @ unit(b).T))
wrong("8.4", "each vector|length")(
    of_table(both_ways, lambda a, b: (a / a.norm()) @ (b / b.norm()).T)
)
wrong("8.4", "minus|sign|unlike")(of_table(lambda t, r: both_ways(-t, r)))
wrong("8.4", "lowest|sign|turned|-log")(of_table(lambda t, r: -both_ways(t, r)))
wrong("8.4", "softmax")(of_table(lambda t, r: both_ways(t.softmax(1), r)))
wrong("8.4", "logarithm|-log")(
    of_table(lambda t, r: 1 - (t.softmax(0) + t.softmax(1)).diagonal().mean() / 2)
)
wrong("8.4", "its n answers|partner")(of_table(lambda t, r: both_ways(t, r.roll(1))))
wrong("8.4", "its n answers|partner")(of_table(lambda t, r: both_ways(t, r.flip(0))))
wrong("8.4", "partner itself|among its n|all n")(
    of_table(lambda t, r: both_ways(t - 1e9 * torch.eye(len(t)), r))
)
wrong("8.4", "itself|length|`b`")(of_table(both_ways, lambda a, b: unit(a) @ unit(a).T))
wrong("8.4", "yes or no|n answers")(
    of_table(
        lambda t, r: functional.binary_cross_entropy_with_logits(t, torch.eye(len(t)))
    )
)
wrong("8.4", "average|rows|columns")(
    of_table(lambda t, r: functional.cross_entropy((t + t.T) / 2, r))
)


@wrong("8.4", "gradient")
def as_a_float(a, b, temperature):
    return by_log_softmax(a, b, temperature).item()


@wrong("8.4", "gradient")
def by_numpy(a, b, temperature):
    a, b = (x.numpy() / np.linalg.norm(x, axis=1, keepdims=True) for x in (a, b))
    table = a @ b.T / temperature
    costs = [special.log_softmax(table, axis=i).diagonal() for i in (0, 1)]
    return torch.tensor(-np.mean(costs))


@wrong("8.4", "gradient")
def only_a_learns(a, b, temperature):
    return by_log_softmax(a, b.detach(), temperature)


@wrong("8.4", "changes `a`")
def normalised_in_place(a, b, temperature):
    a /= a.norm(dim=1, keepdim=True)
    return by_log_softmax(a, b, temperature)


# 8.5 What are they worth?


@right("8.5")
def walk_along(sizes, scores, goal):
    if scores[0] >= goal:
        return int(sizes[0])
    for i in range(1, len(sizes)):
        if scores[i] >= goal:
            part = (goal - scores[i - 1]) / (scores[i] - scores[i - 1])
            return math.exp(
                (1 - part) * math.log(sizes[i - 1]) + part * math.log(sizes[i])
            )
    return math.inf


@right("8.5")
def by_torch_power(sizes, scores, goal):
    sizes, scores = (torch.tensor(np.array(x)).double() for x in (sizes, scores))
    there = (scores >= goal).nonzero().ravel()
    if not len(there):
        return torch.tensor(torch.inf)
    i = int(there[0])
    if i == 0:
        return sizes[0]
    part = (goal - scores[i - 1]) / (scores[i] - scores[i - 1])
    return sizes[i - 1] * (sizes[i] / sizes[i - 1]) ** part


def worth_with(
    scale=np.log, back=np.exp, last=False, never=np.inf, start=False, next_point=False
):
    def worth(sizes, scores, goal):
        if scores[0] >= goal and not start:
            return float(sizes[0])
        pairs = [i for i in range(1, len(sizes)) if scores[i - 1] < goal <= scores[i]]
        if not pairs:
            return float(never if np.isscalar(never) else sizes[-1])
        i = pairs[-1 if last else 0]
        if next_point:
            return float(sizes[i])
        x = scale(sizes[i - 1 : i + 1])
        return float(back(np.interp(goal, scores[i - 1 : i + 1], x)))

    return worth


wrong("8.5", "logarithm|axis")(worth_with(np.asarray, np.asarray))
wrong("8.5", "first")(worth_with(last=True))
wrong("8.5", "never|inf|nan")(worth_with(never=np.nan))
wrong("8.5", "never|inf|last")(worth_with(never=[]))
wrong("8.5", "between|line|point")(worth_with(next_point=True))
wrong("8.5", "back|exp|logarithm")(worth_with(back=np.asarray))


@wrong("8.5", "order of their sizes")
def log_interp(sizes, scores, goal):
    if scores.max() < goal:
        return np.inf
    order = np.argsort(scores)
    return np.exp(np.interp(goal, scores[order], np.log(sizes)[order]))


@wrong("8.5", "start|first size")
def goes_left_of_the_start(sizes, scores, goal):
    if scores[0] >= goal:
        return 0.0
    return worth_with()(sizes, scores, goal)


@right("8.5")
def by_recursion(sizes, scores, goal):
    if scores[0] >= goal:
        return sizes[0]
    if len(sizes) == 1:
        return np.inf
    if scores[1] < goal:
        return by_recursion(sizes[1:], scores[1:], goal)
    low, high = np.log2(sizes[:2])
    part = (goal - scores[0]) / (scores[1] - scores[0])
    return np.array([2 ** (low + part * (high - low))])


@right("8.5")
def by_geometric_mean(sizes, scores, goal):
    there = np.flatnonzero(scores >= goal)
    if not there.size:
        return float("inf")
    at = there[0]
    if at == 0:
        return Fraction(int(sizes[0]))
    part = (goal - scores[at - 1]) / (scores[at] - scores[at - 1])
    return stats.gmean(sizes[at - 1 : at + 1], weights=[1 - part, part])


@right("8.5")
def by_a_cut_series(sizes, scores, goal):
    curve = pd.Series(scores, np.log(sizes))
    if curve.max() < goal:
        return Decimal("inf")
    until = curve.loc[: (curve >= goal).idxmax()].tail(2)
    return np.exp(np.interp(goal, until, until.index))


@right("8.5")
def by_a_fine_grid(sizes, scores, goal):
    x = np.linspace(np.log(sizes[0]), np.log(sizes[-1]), 1_000_001)
    x = np.union1d(x, np.log(sizes))
    there = np.interp(x, np.log(sizes), scores) >= goal - 1e-9
    return float(np.exp(x[there.argmax()])) if there.any() else np.float32(np.inf)


@right("8.5")
def by_bisection(sizes, scores, goal):
    if max(scores) < goal:
        return torch.inf
    i = next(i for i, s in enumerate(scores) if s >= goal)
    low, high = math.log(sizes[max(0, i - 1)]), math.log(sizes[i])
    for _ in range(60):
        middle = (low + high) / 2
        if np.interp(middle, np.log(sizes), scores) < goal:
            low = middle
        else:
            high = middle
    return math.exp(high)


@wrong("8.5", "first time|reaches|from the start")
def only_above_the_goal(sizes, scores, goal):
    return by_geometric_mean(sizes, np.where(scores == goal, goal - 1e-9, scores), goal)


@wrong("8.5", "from the start")
def later_than_the_start(sizes, scores, goal):
    """Looks for a rise to the goal, though the first score has it already."""
    for i in range(1, len(sizes)):
        if scores[i - 1] <= goal <= scores[i] and scores[i - 1] < scores[i]:
            part = (goal - scores[i - 1]) / (scores[i] - scores[i - 1])
            return sizes[i - 1] * (sizes[i] / sizes[i - 1]) ** part
    return sizes[0] if scores[0] >= goal else np.inf


@wrong("8.5", "before|neighbour|dip|falls")
def best_so_far(sizes, scores, goal):
    """Lines between the best scores so far, not between the points."""
    best = np.maximum.accumulate(scores)
    return by_geometric_mean(sizes, best, goal)


@wrong("8.5", "nearest|line crosses")
def nearest_point(sizes, scores, goal):
    if scores.max() < goal:
        return np.inf
    return sizes[np.abs(scores - goal).argmin()]


@wrong("8.5", "the way begins")
def turned_share(sizes, scores, goal):
    if scores.max() < goal:
        return np.inf
    i = int(np.argmax(scores >= goal))
    if i == 0:
        return sizes[0]
    part = (scores[i] - goal) / (scores[i] - scores[i - 1])
    return sizes[i - 1] * (sizes[i] / sizes[i - 1]) ** part


@wrong("8.5", "half-way|middle")
def always_the_middle(sizes, scores, goal):
    if scores[0] >= goal or scores.max() < goal:
        return by_geometric_mean(sizes, scores, goal)
    i = int(np.argmax(scores >= goal))
    return float((sizes[i - 1] * sizes[i]) ** 0.5)


@wrong("8.5", "rounded|whole")
def whole_labels(sizes, scores, goal):
    found = float(by_geometric_mean(sizes, scores, goal))
    return found if math.isinf(found) else math.ceil(found)


@wrong("8.5", "the first time")
def where_it_is_best(sizes, scores, goal):
    if scores.max() < goal:
        return np.inf
    return by_geometric_mean(
        sizes[: scores.argmax() + 1], scores[: scores.argmax() + 1], scores.max()
    )


@wrong("8.5", "neighbour|first and last|two points")
def one_line_for_all(sizes, scores, goal):
    if scores[0] >= goal:
        return sizes[0]
    if scores.max() < goal:
        return np.inf
    part = (goal - scores[0]) / (scores.max() - scores[0])
    return sizes[0] * (sizes[scores.argmax()] / sizes[0]) ** part


@wrong("8.5", "logarithm")
def backwards_by_ten(sizes, scores, goal):
    found = float(by_geometric_mean(sizes, scores, goal))
    return found if math.isinf(found) else np.log10(found)


@wrong("8.5", "never|inf")
def goes_on_beyond(sizes, scores, goal):
    if scores.max() >= goal:
        return by_geometric_mean(sizes, scores, goal)
    slope = np.log(sizes[-1] / sizes[-2]) / (scores[-1] - scores[-2])
    return sizes[-1] * np.exp(slope * (goal - scores[-1]))


@wrong("8.5", "inf")
def minus_infinity(sizes, scores, goal):
    found = float(by_geometric_mean(sizes, scores, goal))
    return -np.inf if math.isinf(found) else found


@wrong("8.5", "return")
def nothing_if_never(sizes, scores, goal):
    return by_geometric_mean(sizes, scores, goal) if scores.max() >= goal else None


@wrong("8.5", "changes `scores`")
def accumulates_in_place(sizes, scores, goal):
    np.maximum.accumulate(scores, out=scores)
    return by_geometric_mean(sizes, scores, goal)


@wrong("8.5", "first time")
def from_the_other_end(sizes, scores, goal):
    for i in range(len(sizes) - 1, 0, -1):
        if scores[i - 1] < goal <= scores[i]:
            return by_geometric_mean(sizes[i - 1 : i + 1], scores[i - 1 : i + 1], goal)
    return sizes[0] if scores[0] >= goal else np.inf


@wrong("8.5", "first time")
def a_turn_too_many(sizes, scores, goal):
    """Begins at the pair of the last two points."""
    if scores[0] >= goal:
        return sizes[0]
    for i in range(-1, len(sizes)):
        if scores[i - 1] < goal <= scores[i]:
            part = (goal - scores[i - 1]) / (scores[i] - scores[i - 1])
            return sizes[i - 1] * (sizes[i] / sizes[i - 1]) ** part
    return np.inf


# The museum: the letter, then the function


def letter(id, answer, told):
    wrong(id, told, part=0)(answer)


letter("M.1", "a", "learning rate|letter|loss")
letter("M.9", "a", "batch norm|eval|letter")
letter("M.12", "the float16", "letter|a, b, c|one of")


# 9.1 From the likelihood to the loss


@right("9.1", part=0)
def torch_from_logits(z, y):
    return functional.binary_cross_entropy_with_logits(torch.tensor(z), torch.tensor(y))


@right("9.1", part=0)
def largest_taken_out(z, y):
    each = np.maximum(z, 0) - y * z + np.log1p(np.exp(-np.abs(z)))
    return [each.sum() / each.size]


@right("9.1", part=0)
def by_log_sigmoid(z, y):
    return -np.average(y * special.log_expit(z) + (1 - y) * special.log_expit(-z))


def xlogx(y):
    return special.xlogy(y, y) + special.xlogy(1 - y, 1 - y)


@right("9.1", part=1)
def by_xlogy(z, y):
    each = y * np.logaddexp(0, -z) + (1 - y) * np.logaddexp(0, z) + xlogx(y)
    return torch.tensor(each).mean()


@right("9.1", part=1)
def entry_by_entry(z, y):
    total = 0.0
    for logit, label in zip(z.ravel().tolist(), y.ravel().tolist(), strict=True):
        for share, x in ((label, logit), (1 - label, -logit)):
            if share > 0:
                softplus = max(-x, 0) + math.log1p(math.exp(-abs(x)))
                total += share * (math.log(share) + softplus)
    return total / z.size


def entropies(z, y):
    return y * np.logaddexp(0, -z) + (1 - y) * np.logaddexp(0, z)


@wrong("9.1", "label is 0|labels? of 0|labels are|label 0|\\by\\b", part=0)
def equation_2_19(z, y):
    return np.logaddexp(0, -z).mean()


@wrong("9.1", "nan|inf|large", part=0)
def as_in_3_7(z, y):
    p = 1 / (1 + np.exp(-z))
    return -np.mean(y * np.log(p) + (1 - y) * np.log(1 - p))


@wrong("9.1", "large|cut|clip|limit|1,000", part=0)
def scores_cut_off(z, y):
    p = np.clip(special.expit(z), 1e-7, 1 - 1e-7)
    return -np.mean(y * np.log(p) + (1 - y) * np.log(1 - p))


@wrong("9.1", "large|added|limit|1,000", part=0)
def a_little_added(z, y):
    p = special.expit(z)
    return -np.mean(y * np.log(p + 1e-12) + (1 - y) * np.log(1 - p + 1e-12))


wrong("9.1", "mean|sum", part=0)(lambda z, y: entropies(z, y).sum())
wrong("9.1", "minus|sign", part=0)(lambda z, y: -entropies(z, y).mean())
wrong("9.1", "natural", part=0)(lambda z, y: entropies(z, y).mean() / np.log(2))
wrong("9.1", "swapped|turned|label", part=0)(lambda z, y: entropies(-z, y).mean())
wrong("9.1", "square", part=0)(lambda z, y: np.mean((special.expit(z) - y) ** 2))
wrong("9.1", "share|between|round", part=0)(lambda z, y: entropies(z, y > 0.3).mean())
wrong("9.1", "sigmoid", part=0)(lambda z, y: entropies(special.expit(z), y).mean())
wrong("9.1", "one number", part=0)(entropies)
wrong("9.1", "1 - y|label 0|labels? of 0|half|\\by\\b", part=0)(
    lambda z, y: np.mean(y * np.logaddexp(0, -z))
)
wrong("9.1", "entropy", part=1)(lambda z, y: entropies(z, y).mean())
wrong("9.1", "subtract|minus|added|sign", part=1)(
    lambda z, y: np.mean(entropies(z, y) - xlogx(y))
)
wrong("9.1", "1 - y|half|both", part=1)(
    lambda z, y: np.mean(entropies(z, y) + special.xlogy(y, y))
)


@wrong("9.1", "nan|0 log|log 0", part=1)
def nan_at_zero(z, y):
    return np.mean(entropies(z, y) + y * np.log(y) + (1 - y) * np.log(1 - y))


@wrong("9.1", "turned|from the labels|other way|from the scores|reverse", part=1)
def the_other_divergence(z, y):
    p = special.expit(z)
    return np.mean(xlogx(p) - special.xlogy(p, y) - special.xlogy(1 - p, 1 - y))


# 9.2 L2, and what Adam makes of it


@right("9.2")
def torch_adams(start, gradients, rate, decay, decoupled):
    x = torch.tensor(start, requires_grad=True)
    optimizer = torch.optim.Adam(
        [x], lr=rate, weight_decay=decay, decoupled_weight_decay=decoupled
    )
    for row in torch.tensor(gradients):
        x.grad = row.clone()
        optimizer.step()
    return x


@right("9.2")
def sums_in_full(start, gradients, rate, decay, decoupled):
    total, seen = np.array(start, np.float64), []
    for t, g in enumerate(gradients):
        seen.append(g if decoupled else g + decay * total)
        ages = np.arange(t + 1)[::-1]
        m = np.average(seen, axis=0, weights=0.9**ages)
        v = np.average(np.square(seen), axis=0, weights=0.999**ages)
        total -= rate * decay * total * decoupled
        total -= rate * m / (np.sqrt(v) + 1e-8)
    return total


@right("9.2")
def parameter_by_parameter(start, gradients, rate, decay, decoupled):
    ends = []
    for x, column in zip(start.tolist(), gradients.T.tolist(), strict=True):
        m = v = 0.0
        for t, g in enumerate(column, 1):
            g, x = (g, x - x * rate * decay) if decoupled else (g + x * decay, x)
            m, v = m + (g - m) / 10, v + (g * g - v) / 1000
            x -= rate * m / (1 - 0.9**t) / (math.sqrt(v / (1 - 0.999**t)) + 1e-8)
        ends.append(x)
    return ends


def adam_with(
    b1=0.9,
    b2=0.999,
    fix=lambda x, b, t: x / (1 - b**t),
    eps=1e-8,
    root=lambda v, eps: np.sqrt(v) + eps,
    square=np.square,
    first=1,
    sign=1,
    give=lambda start, path: path[-1],
    l2=lambda g, x, d: g + d * x,
    shrink=lambda x, r, d: x * (1 - r * d),
    keep=False,
    behind=False,
):
    def adam(start, gradients, rate, decay, decoupled):
        x, m, v, path = start.copy(), 0 * start, 0 * start, []
        with np.errstate(all="ignore"):
            for t, g in enumerate(gradients, start=first):
                if decoupled and not behind:
                    x = shrink(x, rate, decay)
                if not decoupled:
                    g = l2(g, x, decay)
                m = b1 * m + (1 - b1) * g
                v = b2 * v + (1 - b2) * square(g)
                m_hat, v_hat = fix(m, b1, t), fix(v, b2, t)
                if keep:
                    m, v = m_hat, v_hat
                x = x - sign * rate * m_hat / root(v_hat, eps)
                if decoupled and behind:
                    x = shrink(x, rate, decay)
                path.append(x)
        return give(start, path)

    return adam


wrong("9.2", "no decay")(
    adam_with(l2=lambda g, x, d: g, shrink=lambda x, r, d: x),
)
wrong("9.2", "decay")(adam_with(l2=lambda g, x, d: g))
wrong("9.2", "decoupled")(adam_with(shrink=lambda x, r, d: x))
wrong("9.2", "away from 0|plus|minus")(adam_with(l2=lambda g, x, d: g - d * x))
wrong("9.2", "twice")(adam_with(l2=lambda g, x, d: g + 2 * d * x))
wrong("9.2", "half")(adam_with(l2=lambda g, x, d: g + d * x / 2))
wrong("9.2", "gradient|parameter itself|square")(
    adam_with(l2=lambda g, x, d: g + d * x**2 / 2)
)
wrong("9.2", "L1|sign")(adam_with(l2=lambda g, x, d: g + d * np.sign(x)))
wrong("9.2", "one number|each parameter|belongs to")(
    adam_with(l2=lambda g, x, d: g + d * x.sum())
)
wrong("9.2", "rate")(adam_with(shrink=lambda x, r, d: x * (1 - d)))
wrong("9.2", "away from 0|shrinks")(adam_with(shrink=lambda x, r, d: x * (1 + r * d)))
wrong("9.2", "before Adam|not after")(adam_with(behind=True))
wrong("9.2", "root")(adam_with(fix=lambda x, b, t: x / np.sqrt(1 - b**t)))
wrong("9.2", "makes up|too small")(adam_with(fix=lambda x, b, t: x))
wrong("9.2", "v is too small")(
    adam_with(fix=lambda x, b, t: x / (1 - b**t) if b == 0.9 else x)
)
wrong("9.2", "nan|which t")(adam_with(first=0))
wrong("9.2", "one ahead")(adam_with(first=2))
wrong("9.2", "swapped")(adam_with(b1=0.999, b2=0.9))
wrong("9.2", "square")(adam_with(square=np.abs))
wrong("9.2", "root")(adam_with(root=lambda v, eps: v + eps))
wrong("9.2", "against|minus")(adam_with(sign=-1))
wrong("9.2", "nan|0 / 0")(adam_with(eps=0))
wrong("9.2", "outside")(adam_with(root=lambda v, eps: np.sqrt(v + eps)))
wrong("9.2", "one step only|themselves")(adam_with(keep=True))
wrong("9.2", "moved")(adam_with(give=lambda start, path: path[-1] - start))
wrong("9.2", "only the last")(adam_with(give=lambda start, path: np.stack(path)))
wrong("9.2", "first step")(adam_with(give=lambda start, path: path[0]))
wrong("9.2", "each parameter")(adam_with(square=lambda g: np.mean(g**2) + 0 * g))


@wrong("9.2", "v must see|part of the gradient")
def pull_in_m_alone(start, gradients, rate, decay, decoupled):
    if decoupled:
        return adam_with()(start, gradients, rate, decay, True)
    x, m, v = start, 0, 0
    for t, g in enumerate(gradients, start=1):
        m, v = 0.9 * m + 0.1 * (g + decay * x), 0.999 * v + 0.001 * g**2
        x = x - rate * m / (1 - 0.9**t) / (np.sqrt(v / (1 - 0.999**t)) + 1e-8)
    return x


@wrong("9.2", "the other kind")
def the_other_way(start, gradients, rate, decay, decoupled):
    return adam_with()(start, gradients, rate, decay, not decoupled)


@wrong("9.2", "decoupled.*the other kind")
def always_l2(start, gradients, rate, decay, decoupled):
    return adam_with()(start, gradients, rate, decay, False)


@wrong("9.2", "both ways|at once|swapped")
def both_at_once(start, gradients, rate, decay, decoupled):
    x, m, v = start, 0, 0
    for t, g in enumerate(gradients, start=1):
        g, x = g + decay * x, x * (1 - rate * decay)
        m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g**2
        x = x - rate * m / (1 - 0.9**t) / (np.sqrt(v / (1 - 0.999**t)) + 1e-8)
    return x


@wrong("9.2", "as it is now|start")
def pulled_by_the_start(start, gradients, rate, decay, decoupled):
    of_start = adam_with(
        l2=lambda g, x, d: g + d * start, shrink=lambda x, r, d: x - r * d * start
    )
    return of_start(start, gradients, rate, decay, decoupled)


@wrong("9.2", "changes `start`")
def adam_in_place(start, *others):
    start += adam_with()(start, *others) - start
    return start


@wrong("9.2", "SGD|momentum")
def only_momentum(start, gradients, rate, decay, decoupled):
    m = 0
    for g in gradients:
        m = 0.9 * m + (g if decoupled else g + decay * start)
        start = start * (1 - rate * decay * decoupled) - rate * m
    return start


# 9.3 Twenty frequencies


@right("9.3")
def whole_transform(samples, n):
    spectrum = np.fft.fft(samples)
    half = np.abs(spectrum[: len(samples) // 2 + 1])
    peak = max(sorted(range(len(half)), key=half.__getitem__, reverse=True)[:n])
    turns = np.abs(np.fft.fftfreq(len(samples), 1 / len(samples)))
    return np.fft.ifft(np.where(turns > peak + 0.5, 0, spectrum)).real


@right("9.3")
def torch_fft(samples, n):
    spectrum = torch.fft.rfft(torch.tensor(samples))
    peak = spectrum.abs().topk(n).indices.max()
    keep = torch.arange(len(spectrum)) <= peak
    return torch.fft.irfft(spectrum * keep, n=len(samples)).requires_grad_()


def filtered(
    strength=np.abs, strongest=lambda x, n: np.argsort(x)[-n:], kept=None, give=None
):
    def low_pass(samples, n):
        spectrum = np.fft.rfft(samples)
        bins = np.arange(len(spectrum))
        best = strongest(strength(spectrum), n)
        keep = bins <= best.max() if kept is None else kept(bins, best)
        return (give or np.fft.irfft)(np.where(keep, spectrum, 0), len(samples))

    return low_pass


wrong("9.3", "only the|below|all other|left out")(filtered(kept=np.isin))
wrong("9.3", "stays, too")(filtered(kept=lambda x, best: x < best.max()))
wrong("9.3", "lowest|highest")(filtered(kept=lambda x, best: x <= best.min()))
wrong("9.3", "strongest|amplitude")(filtered(kept=lambda x, best: x <= best[-1]))
wrong("9.3", "absolute|complex|real part")(filtered(strength=np.real))
wrong("9.3", "weakest|strongest")(filtered(strongest=lambda x, n: np.argsort(x)[:n]))
wrong("9.3", "first n|lowest|amplitude|strongest")(
    filtered(strongest=lambda x, n: np.arange(n))
)
wrong("9.3", "above|below|high-pass|low")(filtered(kept=lambda x, b: x >= b.max()))
wrong("9.3", "shape|odd|len|samples")(filtered(give=lambda x, n: np.fft.irfft(x)))
wrong("9.3", "shape|inverse")(filtered(give=lambda x, n: x))
wrong("9.3", "one frequency above")(filtered(kept=lambda x, b: x <= b.max() + 1))
wrong("9.3", "as it was|nothing|unchanged")(lambda samples, n: samples.copy())
wrong("9.3", "0|mean|constant")(
    filtered(strongest=lambda x, n: np.argsort(x[1:])[-n:] + 1)
)


@wrong("9.3", "twice|once|twin|mirror")
def twins_counted(samples, n):
    spectrum = np.fft.fft(samples)
    turns = np.abs(np.fft.fftfreq(len(samples), 1 / len(samples)))
    peak = turns[np.argsort(np.abs(spectrum))[-n:]].max()
    return np.fft.ifft(np.where(turns > peak + 0.5, 0, spectrum)).real


@wrong("9.3", "mirror|upper half|negative|real")
def only_one_side(samples, n):
    spectrum = np.fft.fft(samples)
    half = np.abs(spectrum[: len(samples) // 2 + 1])
    spectrum[np.argsort(half)[-n:].max() + 1 :] = 0
    return np.fft.ifft(spectrum).real


# 9.4 A vote or a mean?


@right("9.4", part=0)
def vote_by_loops(scores):
    return [
        [sum(bool(s > 0.5) for s in column) / len(column) for column in clip.T]
        for clip in scores
    ]


@right("9.4", part=0)
def vote_in_torch(scores):
    return torch.tensor(scores).gt(0.5).double().mean(dim=1)


right("9.4", part=1)(np.array([0.51, 0.52, 0.53, 0.2, 0.1]))
right("9.4", part=1)([0.7, 0, 0.7, 0, 0.7])
right("9.4", part=2)(torch.tensor([0.9, 0.9, 0.45, 0.45, 0.45]))
right("9.4", part=2)([1, 0.5, 0.5, 0.5, 0.5])

wrong("9.4", "mean of the scores|share", part=0)(lambda scores: scores.mean(axis=1))
wrong("9.4", "above|0.5", part=0)(lambda scores: (scores >= 0.5).mean(axis=1))
wrong("9.4", "shape", part=0)(lambda scores: (scores > 0.5).mean(axis=2))
wrong("9.4", "count|share|number", part=0)(lambda scores: (scores > 0.5).sum(axis=1))
wrong("9.4", "majority|share|decision", part=0)(
    lambda scores: (scores > 0.5).mean(axis=1) > 0.5
)
wrong("9.4", "logit|0.5|score", part=0)(lambda scores: (scores > 0).mean(axis=1))
wrong("9.4", "one window|any|share", part=0)(lambda scores: (scores > 0.5).any(axis=1))
wrong("9.4", "mean", part=0)(lambda scores: (scores > scores.mean()).mean(axis=1))
wrong("9.4", "no|share", part=0)(lambda scores: (scores <= 0.5).mean(axis=1))
wrong("9.4", "mean", part=1)([0.9, 0.8, 0.7, 0.1, 0.2])
wrong("9.4", "majority|vote", part=1)([0.9, 0.9, 0.1, 0.1, 0.1])
wrong("9.4", "five|5", part=1)([0.6, 0.6, 0.0])
wrong("9.4", "0 to 1|between", part=2)([5, 5, 0.1, 0.1, 0.1])
wrong("9.4", "majority|vote", part=2)([0.9, 0.9, 0.9, 0.1, 0.1])
wrong("9.4", "mean", part=2)([0.6, 0.6, 0.1, 0.1, 0.1])
wrong("9.4", "mean", part=2)([0.75, 0.75, 0.5, 0.5, 0.0])
wrong("9.4", "numbers are needed|number", part=2)(["yes", "yes", "no", "no", "no"])


# 9.5 Before the loss, or after it?


@right("9.5", part=0)
def windows_flat(logits, labels):
    n, n_windows, n_tags = logits.shape
    for_each = labels.repeat_interleave(n_windows, dim=0)
    return functional.binary_cross_entropy_with_logits(
        logits.reshape(-1, n_tags), for_each
    )


@right("9.5", part=0)
def windows_by_hand(logits, labels):
    signs = (1 - 2 * labels)[:, None]
    return functional.softplus(signs * logits).mean(dim=(2, 1, 0))


@right("9.5", part=0)
def window_after_window(logits, labels):
    cost = nn.BCEWithLogitsLoss()
    return sum(cost(one, labels) for one in logits.unbind(1)) / logits.shape[1]


@right("9.5", part=1)
def clip_after_clip(logits, labels):
    cost = functional.binary_cross_entropy_with_logits
    each = [cost(x.mean(0), y) for x, y in zip(logits, labels, strict=True)]
    return torch.stack(each).mean().reshape(1)


@right("9.5", part=1)
def through_the_score(logits, labels):
    scores = torch.einsum("cwt->ct", logits).div(logits.shape[1]).sigmoid()
    return functional.binary_cross_entropy(scores, labels)


def spread_over(logits, labels):
    return labels[:, None].expand_as(logits)


@wrong("9.5", "labels of (its|another|other)|own clip|order|repeat", part=0)
def labels_in_turn(logits, labels):
    n, n_windows, n_tags = logits.shape
    return bce(logits.reshape(-1, n_tags), labels.repeat(n_windows, 1))


wrong("9.5", "mean|sum", part=0)(
    lambda x, y: bce(x, spread_over(x, y), reduction="sum")
)
wrong("9.5", "gradient", part=0)(lambda x, y: bce(x, spread_over(x, y)).item())
wrong("9.5", "gradient", part=0)(
    lambda x, y: entropies(x.numpy(), spread_over(x, y).numpy()).mean()
)
wrong("9.5", "sigmoid", part=0)(lambda x, y: bce(x.sigmoid(), spread_over(x, y)))
wrong("9.5", "mean logit|average|clip_loss|windows", part=0)(
    lambda x, y: bce(x.mean(dim=1), y)
)
wrong("9.5", "first window|all windows", part=0)(lambda x, y: bce(x[:, 0], y))
wrong("9.5", "turned|swapped|label", part=0)(lambda x, y: bce(-x, spread_over(x, y)))
wrong("9.5", "squared", part=0)(
    lambda x, y: functional.mse_loss(x.sigmoid(), spread_over(x, y))
)
wrong("9.5", "stopped with|shape", part=0)(lambda x, y: bce(x, y))
wrong("9.5", "one number", part=0)(
    lambda x, y: bce(x, spread_over(x, y), reduction="none")
)
wrong("9.5", "mean logit|each window|before|windows", part=1)(
    lambda x, y: bce(x, spread_over(x, y))
)
wrong("9.5", "scores|logits", part=1)(
    lambda x, y: functional.binary_cross_entropy(x.sigmoid().mean(dim=1), y)
)
wrong("9.5", "sigmoid", part=1)(lambda x, y: bce(x.mean(dim=1).sigmoid(), y))
wrong("9.5", "mean|sum", part=1)(lambda x, y: bce(x.sum(dim=1), y))
wrong("9.5", "largest|max", part=1)(lambda x, y: bce(x.amax(dim=1), y))
wrong("9.5", "mean|sum", part=1)(lambda x, y: bce(x.mean(dim=1), y, reduction="sum"))
wrong("9.5", "tags|windows", part=1)(
    lambda x, y: bce(x.mean(dim=2, keepdim=True), spread_over(x, y)[..., :1])
)
wrong("9.5", "tags|windows", part=1)(
    lambda x, y: bce(x.mean(dim=2, keepdim=True).expand_as(x), spread_over(x, y))
)
wrong("9.5", "gradient", part=1)(lambda x, y: bce(x.mean(dim=1), y).detach())
wrong("9.5", "median|mean", part=1)(lambda x, y: bce(x.median(dim=1).values, y))


# 9.6 Length or stride?


@right("9.6")
def by_combinations(table, setting):
    other = {"length": "stride", "stride": "length"}[setting]
    rows = sorted(table.to_dict("records"), key=lambda row: row[setting])
    won = [
        a["auc"] > b["auc"]
        for i, a in enumerate(rows)
        for b in rows[i + 1 :]
        if a[other] == b[other] and a[setting] != b[setting]
    ]
    return np.array([len(won), sum(won)])


@right("9.6")
def by_broadcasting(table, setting):
    (other,) = {"length", "stride"} - {setting}
    x, same, auc = (table[c].to_numpy() for c in (setting, other, "auc"))
    pair = (same[:, None] == same) & (x[:, None] < x)
    return torch.tensor(pair.sum()), (pair & (auc[:, None] > auc)).sum()


def wins_with(fits=None, won=lambda a, b: a > b, smaller=lambda a, b: a < b):
    def wins(table, setting):
        other = "stride" if setting == "length" else "length"
        n = n_won = 0
        for _, a in table.iterrows():
            for _, b in table.iterrows():
                same = a[other] == b[other] if fits is None else fits(a, b)
                if same and smaller(a[setting], b[setting]):
                    n, n_won = n + 1, n_won + won(a["auc"], b["auc"])
        return n, n_won

    return wins


wrong("9.6", "same|other setting|differ")(wins_with(fits=lambda a, b: True))
wrong("9.6", "equal|no win|tie")(wins_with(won=lambda a, b: a >= b))
wrong("9.6", "smaller|turned|larger")(wins_with(won=lambda a, b: a < b))
wrong("9.6", "once|twice")(wins_with(smaller=lambda a, b: a != b))
wrong("9.6", "swapped|other|setting")(
    lambda t, s: wins_with()(t, "stride" if s == "length" else "length")
)
wrong("9.6", "number|share")(lambda t, s: (lambda n, k: (n, k / n))(*wins_with()(t, s)))
wrong("9.6", "2 (parts|are)|parts")(lambda t, s: wins_with()(t, s)[1])
wrong("9.6", "order|swapped|first")(lambda t, s: wins_with()(t, s)[::-1])
wrong("9.6", "lost|without|win|pairs")(
    lambda t, s: (lambda n, k: (n - k, k))(*wins_with()(t, s))
)


@wrong("9.6", "neighbour|any order|order|pairs")
def only_neighbouring_rows(table, setting):
    other = "stride" if setting == "length" else "length"
    n = n_won = 0
    for (_, a), (_, b) in zip(
        table.iterrows(), table.iloc[1:].iterrows(), strict=False
    ):
        if a[other] == b[other] and a[setting] != b[setting]:
            low, high = sorted((a, b), key=lambda row: row[setting])
            n, n_won = n + 1, n_won + (low["auc"] > high["auc"])
    return n, n_won


@wrong("9.6", "order|smaller|below|row")
def lower_row_is_smaller(table, setting):
    other = "stride" if setting == "length" else "length"
    rows = table.to_dict("records")
    pairs = [
        (a, b)
        for i, a in enumerate(rows)
        for b in rows[i + 1 :]
        if a[other] == b[other] and a[setting] != b[setting]
    ]
    return len(pairs), sum(b["auc"] > a["auc"] for a, b in pairs)


@wrong("9.6", "changes `table`")
def sorts_the_table(table, setting):
    table.sort_values(setting, inplace=True)
    return by_broadcasting(table, setting)


# 9.7 An interval below 100 %


@right("9.7")
def by_stats(accuracies):
    logits = special.logit(accuracies)
    ends = stats.t.interval(
        0.95, len(logits) - 1, loc=logits.mean(), scale=stats.sem(logits)
    )
    return tuple(special.expit(ends))


@right("9.7")
def in_torch_logits(accuracies):
    logits = torch.tensor(accuracies).logit()
    n = len(logits)
    half = stats.t.isf(0.025, n - 1) * logits.std() / n**0.5
    return torch.sigmoid(torch.stack([logits.mean() - half, logits.mean() + half]))


def interval_with(
    t=lambda n: stats.t.ppf(0.975, n - 1),
    ddof=1,
    root=np.sqrt,
    there=special.logit,
    back=special.expit,
    middle=np.mean,
):
    def interval(accuracies):
        x = there(accuracies)
        half = t(len(x)) * x.std(ddof=ddof) / root(len(x))
        return tuple(back(middle(x) + np.array([-half, half])))

    return interval


def as_it_is(x):
    return x


wrong("9.7", "100|above 1|logit|printed")(interval_with(there=as_it_is, back=as_it_is))
wrong("9.7", "cut|clip")(interval_with(there=as_it_is, back=lambda x: np.clip(x, 0, 1)))
wrong("9.7", "n - 1|deviation")(interval_with(ddof=0))
wrong("9.7", "1.96|normal|Student|degrees")(interval_with(t=lambda n: 1.96))
wrong("9.7", "degrees|n - 1")(interval_with(t=lambda n: stats.t.ppf(0.975, n)))
wrong("9.7", "0.975|two|both")(interval_with(t=lambda n: stats.t.ppf(0.95, n - 1)))
wrong("9.7", "root|√|sqrt")(interval_with(root=lambda n: 1))
wrong("9.7", "root|√|sqrt")(interval_with(root=lambda n: n))
wrong("9.7", "back|sigmoid|logits")(interval_with(back=as_it_is))
wrong("9.7", "percent")(interval_with(back=lambda x: 100 * special.expit(x)))
wrong("9.7", "order|low|first")(lambda a: interval_with()(a)[::-1])
wrong("9.7", "2 parts|one|parts")(lambda a: interval_with()(a)[0])
wrong("9.7", "4.303|degrees|n")(interval_with(t=lambda n: 4.303))
wrong("9.7", "spread|half|runs|lowest")(lambda a: (a.min(), a.max()))
wrong("9.7", "logarithm|logit|1 - a|natural")(
    interval_with(there=lambda a: np.log10(a / (1 - a)), back=special.expit)
)
wrong("9.7", "logit|logarithm")(interval_with(there=np.log, back=np.exp))


# M.1 Always right, never content


@right("M.1", part=1)
def by_hand(logits, labels):
    return (
        functional.softplus(-logits) * labels
        + functional.softplus(logits) * (1 - labels)
    ).mean()


@right("M.1", part=1)
def as_a_layer(logits, labels):
    each = nn.BCEWithLogitsLoss(reduction="none")(logits, labels)
    return each.mean(dim=0).mean(dim=0, keepdim=True)


@wrong("M.1", "squashed a second time", part=1)
def still_twice(logits, labels):
    return functional.binary_cross_entropy_with_logits(logits.sigmoid(), labels)


@wrong("M.1", "mean|sum", part=1)
def summed(logits, labels):
    return functional.binary_cross_entropy_with_logits(logits, labels, reduction="sum")


@wrong("M.1", "gradient", part=1)
def detached(logits, labels):
    return torch.tensor(by_hand(logits, labels).item())


@wrong("M.1", "20|large|limit|clamp|logit", part=1)
def clamped_scores(logits, labels):
    p = logits.sigmoid().clamp(1e-4, 1 - 1e-4)
    return functional.binary_cross_entropy(p, labels)


@wrong("M.1", "inf|nan|large|log|logit|50", part=1)
def log_of_scores(logits, labels):
    p = logits.sigmoid()
    return -(labels * p.log() + (1 - labels) * (1 - p).log()).mean()


@wrong("M.1", "gradient", part=1)
def gradient_cut(logits, labels):
    right = by_hand(logits, labels).detach()
    return right + 0 * logits.sum()


# M.2 A clip and its neighbours


@right("M.2", part=1)
def of_a_copy(network, batch):
    with torch.no_grad():
        return copy.deepcopy(network).eval()(batch).sigmoid()


@right("M.2", part=1)
def mode_of_each(network, batch):
    modes = [(module, module.training) for module in network.modules()]
    try:
        network.train(False)
        return torch.special.expit(network(batch)).detach()
    finally:
        for module, mode in modes:
            module.training = mode


def tags_with(before=None, after=None, last=torch.sigmoid, grad=False):
    def tag_clips(network, batch):
        was = network.training
        (before or (lambda net: net.eval()))(network)
        with torch.set_grad_enabled(grad):
            found = last(network(batch))
        (after or (lambda net: net.train(was)))(network)
        return found

    return tag_clips


def nothing(network):
    pass


wrong("M.2", "company|neighbour|eval|training|alone", part=1)(tags_with(before=nothing))
wrong("M.2", "mode", part=1)(tags_with(after=nothing))
wrong("M.2", "mode", part=1)(tags_with(after=lambda net: net.train()))
wrong("M.2", "these are logits", part=1)(tags_with(last=torch.clone))
wrong("M.2", "gradient", part=1)(tags_with(grad=True))
wrong("M.2", "requires_grad|gradient|parameter", part=1)(
    tags_with(before=lambda net: net.eval().requires_grad_(False), grad=True)
)


# M.3 A tone at half the amplitude


@right("M.3", part=1)
def by_librosa(power):
    return librosa.power_to_db(power.numpy(), ref=1, amin=1e-10, top_db=None)


@right("M.3", part=1)
def of_the_root(power):
    return 20 * power.double().sqrt().clamp(min=1e-5).log10()


@wrong("M.3", "20|power|amplitude", part=1)
def still_twenty(power):
    return 20 * power.clamp(min=1e-10).log10()


@wrong("M.3", "natural", part=1)
def natural_log(power):
    return 10 * power.clamp(min=1e-10).log()


@wrong("M.3", "loudest|0 dB|power of 1", part=1)
def against_the_loudest(power):
    found = 10 * power.clamp(min=1e-10).log10()
    return found - found.max()


@wrong("M.3", "80|loudest|floor|range", part=1)
def top_eighty(power):
    return torch.tensor(librosa.power_to_db(power.numpy(), ref=1, amin=1e-10))


@wrong("M.3", "floor|silence|inf|-100", part=1)
def without_a_floor(power):
    return 10 * power.log10()


@wrong("M.3", "floor|-100|-50", part=1)
def floor_at_fifty(power):
    return 10 * power.clamp(min=1e-5).log10()


@wrong("M.3", "changes `power`", part=1)
def clamps_the_given(power):
    return 10 * power.clamp_(min=1e-10).log10()


@wrong("M.3", "10|bel|deci", part=1)
def in_bels(power):
    return power.clamp(min=1e-10).log10()


# M.4 The longer, the louder


@right("M.4", part=1)
def filled_in_numpy(power, n_frames):
    music = 10 * np.log10(np.maximum(power.numpy().astype(float), 1e-10))
    found = np.full((len(music), n_frames), -100.0)
    found[:, : music.shape[1]] = music
    return found - music.mean()


@right("M.4", part=1)
def mean_first(power, n_frames):
    n = power.shape[1]
    padded = functional.pad(power, (0, n_frames - n)).clamp(min=1e-10).log10() * 10
    return padded - padded[:, :n].mean()


def level(power):
    return 10 * power.clamp(min=1e-10).log10()


@wrong("M.4", "silence|-100|mean", part=1)
def silence_at_zero(power, n_frames):
    music = level(power) - level(power).mean()
    return functional.pad(music, (0, n_frames - power.shape[1]))


@wrong("M.4", "mean|silence|same", part=1)
def silence_at_hundred(power, n_frames):
    music = level(power) - level(power).mean()
    return functional.pad(music, (0, n_frames - power.shape[1]), value=-100.0)


@wrong("M.4", "silence|whole|music|mean", part=1)
def mean_of_everything(power, n_frames):
    found = level(functional.pad(power, (0, n_frames - power.shape[1])))
    return found - found.mean()


@wrong("M.4", "band|one mean|each", part=1)
def mean_of_each_band(power, n_frames):
    found = level(functional.pad(power, (0, n_frames - power.shape[1])))
    return found - level(power).mean(dim=1, keepdim=True)


@wrong("M.4", "end|begin|front|first", part=1)
def silence_in_front(power, n_frames):
    found = level(functional.pad(power, (n_frames - power.shape[1], 0)))
    return found - level(power).mean()


@wrong("M.4", "mean|power|decibel|dB", part=1)
def mean_of_the_power(power, n_frames):
    found = level(functional.pad(power, (0, n_frames - power.shape[1])))
    return found - level(power.mean())


@wrong("M.4", "deviation|divide|mean", part=1)
def divided_too(power, n_frames):
    return mean_first(power, n_frames) / level(power).std()


# M.5 Clicks at the wrong time


@right("M.5", part=1)
def by_librosa_stft(samples):
    return (
        np.abs(
            librosa.stft(samples.numpy(), n_fft=512, hop_length=256, pad_mode="reflect")
        )
        ** 2
    )


@right("M.5", part=1)
def by_frames(samples):
    padded = functional.pad(samples[None], (256, 256), mode="reflect")[0]
    frames = padded.unfold(0, 512, 256) * torch.hann_window(512)
    return torch.fft.rfft(frames).abs().square().T


def stft_with(hop=256, power=2, window=torch.hann_window, n=512, **about):
    def spectrogram(samples):
        found = torch.stft(
            samples, n, hop, window=window(n), return_complex=True, **about
        )
        return found.abs() ** power

    return spectrogram


wrong("M.5", "256|hop|apart|frames", part=1)(stft_with(hop=128))
wrong("M.5", "256|hop|apart|frames", part=1)(stft_with(hop=512))
wrong("M.5", "square|magnitude", part=1)(stft_with(power=1))
wrong("M.5", "Hann|window", part=1)(stft_with(window=torch.ones))
wrong("M.5", "Hann|Hamming|window", part=1)(stft_with(window=torch.hamming_window))
wrong("M.5", "centre|center|frames", part=1)(stft_with(center=False))
wrong("M.5", "normal|scale|times|factor", part=1)(stft_with(normalized=True))
wrong("M.5", "257|512|bins|shape", part=1)(stft_with(n=1024))


@wrong("M.5", "every other|256|window|frame", part=1)
def every_other_frame(samples):
    return stft_with(hop=128)(samples)[:, ::2] * 0.5


# M.6 The order of the waiting


class RNN(nn.Module):
    first = True

    def __init__(self, n_bands, n_units, n_tags):
        super().__init__()
        self.gru = nn.GRU(n_bands, n_units, batch_first=self.first)
        self.output = nn.Linear(n_units, n_tags)

    def states(self, frames):
        return self.gru(frames)[0]

    def pick(self, states):
        return states[:, -1]

    def forward(self, frames):
        return self.output(self.pick(self.states(frames)))


@right("M.6", part=1)
class MeanOfStates(RNN):
    def pick(self, states):
        return states.mean(dim=1)


@right("M.6", part=1)
class WithCells(nn.Module):
    def __init__(self, n_bands, n_units, n_tags):
        super().__init__()
        self.cell = nn.GRUCell(n_bands, n_units)
        self.output = nn.Linear(n_units, n_tags)

    def forward(self, frames):
        state = None
        for frame in frames.unbind(dim=1):
            state = self.cell(frame, state)
        return self.output(state)


@right("M.6", part=1)
class TurnedAxes(RNN):
    first = False

    def states(self, frames):
        return self.gru(frames.permute(1, 0, 2))[0].permute(1, 0, 2)


@wrong("M.6", "frame|first|last|heard", part=1)
class FirstState(RNN):
    def pick(self, states):
        return states[:, 0]


@wrong("M.6", "order", part=1)
class BagOfFrames(RNN):
    def states(self, frames):
        return self.gru(frames.mean(dim=1, keepdim=True))[0]


@wrong("M.6", "other clips|company|batch|clip", part=1)
class StillOverClips(RNN):
    first = False


@wrong("M.6", "before|again|twice|call|same", part=1)
class KeepsItsState(RNN):
    kept = None

    def states(self, frames):
        kept = self.kept
        if kept is not None and kept.shape[1] != len(frames):
            kept = None
        states, self.kept = self.gru(frames, kept)
        return states


@wrong("M.6", "frame", part=1)
class EveryOtherFrame(RNN):
    def states(self, frames):
        return super().states(frames[:, ::2])


@wrong("M.6", "sigmoid|logit|0 and 1", part=1)
class ScoresForLogits(RNN):
    def forward(self, frames):
        return super().forward(frames).sigmoid()


@wrong("M.6", "reshape|view|axes|clip|mix|frames", part=1)
class Reshaped(RNN):
    first = False

    def states(self, frames):
        n_clips, n_frames, n_bands = frames.shape
        turned = self.gru(frames.reshape(n_frames, n_clips, n_bands))[0]
        return turned.transpose(0, 1)


@wrong("M.6", "batch norm|clip|company|batch|one clip|training", part=1)
class WithOwnNorm(RNN):
    def __init__(self, n_bands, n_units, n_tags):
        super().__init__(n_bands, n_units, n_tags)
        self.norm = nn.BatchNorm1d(n_units, track_running_stats=False)

    def pick(self, states):
        return self.norm(states[:, -1])


@wrong("M.6", "50|any number|frames", part=1)
class FiftyFrames(RNN):
    def pick(self, states):
        return states[:, 49]


@wrong("M.6", "shape|frame", part=1)
class LogitsOfEachFrame(RNN):
    def pick(self, states):
        return states


# M.8 Good scores, bad names


@right("M.8", part=1)
def one_by_one(scores, trained_tags, labels):
    return pd.DataFrame(
        {tag: np.asarray(scores)[:, list(trained_tags).index(tag)] for tag in labels},
        index=labels.index,
    )


@right("M.8", part=1)
def by_reindex(scores, trained_tags, labels):
    unknown = set(labels.columns) - set(trained_tags)
    assert not unknown, unknown
    table = pd.DataFrame(scores, labels.index, list(trained_tags))
    return table.reindex(columns=labels.columns)


@wrong("M.8", "unknown|not know|error|stop|nan", part=1)
def nan_for_unknown(scores, trained_tags, labels):
    table = pd.DataFrame(scores, labels.index, list(trained_tags))
    return table.reindex(columns=labels.columns)


@wrong("M.8", "columns|fewer|exactly", part=1)
def all_trained_tags(scores, trained_tags, labels):
    one_by_one(scores, trained_tags, labels)
    return pd.DataFrame(scores, labels.index, list(trained_tags))


@wrong("M.8", "order|columns", part=1)
def in_trained_order(scores, trained_tags, labels):
    table = one_by_one(scores, trained_tags, labels)
    return table[[tag for tag in trained_tags if tag in labels]]


@wrong("M.8", "name|scores of|other tag|place|first", part=1)
def names_of_labels(scores, trained_tags, labels):
    one_by_one(scores, trained_tags, labels)
    n = labels.shape[1]
    return pd.DataFrame(np.asarray(scores)[:, :n], labels.index, labels.columns)


@wrong("M.8", "row|index", part=1)
def rows_from_zero(scores, trained_tags, labels):
    return one_by_one(scores, trained_tags, labels).reset_index(drop=True)


@wrong("M.8", "name|scores of|other tag|alphabet|sort", part=1)
def sorted_names(scores, trained_tags, labels):
    return one_by_one(scores, sorted(trained_tags), labels)


# M.9 The best batch size


@right("M.9", part=1)
def by_split(network, clips, batch_size):
    network.eval()
    with torch.inference_mode():
        parts = [network(x).sigmoid() for x in clips.split(batch_size)]
    return torch.cat(parts)


@right("M.9", part=1)
def in_chunks(network, clips, batch_size):
    network.train(False)
    rows, loader = [], torch.utils.data.DataLoader(clips, batch_size)
    for batch in loader:
        rows += network(batch).detach().sigmoid().tolist()
    return rows


def scored_with(starts, evaluate=True, last=torch.sigmoid):
    def score_all(network, clips, batch_size):
        if evaluate:
            network.eval()
        with torch.no_grad():
            batches = [
                clips[s : s + batch_size] for s in starts(len(clips), batch_size)
            ]
            return np.concatenate([last(network(x)).numpy() for x in batches])

    return score_all


def steps_of(n, size):
    return range(0, n, size)


wrong("M.9", "row|clips|lost|never", part=1)(
    scored_with(lambda n, size: range(0, max(n - size + 1, 1), size))
)
wrong("M.9", "eval|training|mode", part=1)(scored_with(steps_of, evaluate=False))
wrong("M.9", "without any clip", part=1)(
    scored_with(lambda n, size: range(0, n + 1, size))
)
wrong("M.9", "sigmoid|scores|logits|0 and 1", part=1)(
    scored_with(steps_of, last=torch.clone)
)
wrong("M.9", "twice|rows|again|more|clips", part=1)(
    scored_with(lambda n, size: [*range(0, max(n - size, 1), size), max(n - size, 0)])
)


@wrong("M.9", "order", part=1)
def in_another_order(network, clips, batch_size):
    return by_split(network, clips.flip(0), batch_size)


@wrong("M.9", "batch_size|at once|at most|clips", part=1)
def ignores_the_size(network, clips, batch_size):
    return by_split(network, clips, 16)


# M.10 Ninety clips, nine hundred rows


@right("M.10", part=1)
def by_merge(logits, labels):
    scores = torch.tensor(np.array(logits)).double().sigmoid().mean(dim=1)
    return np.nanmean(metrics.roc_auc(np.asarray(labels), scores.numpy()))


@right("M.10", part=1)
def tag_by_tag(logits, labels):
    scores = special.expit(np.asarray(logits, float)).sum(axis=1)
    scores = np.round(scores, 9)
    found = [
        roc_auc_score(has, s)
        for has, s in zip(labels.T, scores.T, strict=True)
        if 0 < has.sum() < len(has)
    ]
    return torch.tensor(sum(found) / len(found))


def macro_with(merge):
    def macro_auc(logits, labels):
        return np.nanmean(metrics.roc_auc(labels, merge(np.asarray(logits, float))))

    return macro_auc


wrong("M.10", "sigmoid|logits|scores", part=1)(macro_with(lambda x: x.mean(axis=1)))
wrong("M.10", "largest window", part=1)(macro_with(lambda x: x.max(axis=1)))
wrong("M.10", "median|mean|middle", part=1)(
    macro_with(lambda x: np.median(special.expit(x), axis=1))
)
wrong("M.10", "first|one window|all|mean", part=1)(macro_with(lambda x: x[:, 0]))


@wrong("M.10", "window|clips|row", part=1)
def over_all_windows(logits, labels):
    n, windows, n_tags = logits.shape
    scores = special.expit(np.asarray(logits, float)).reshape(-1, n_tags)
    return np.nanmean(metrics.roc_auc(np.repeat(labels, windows, axis=0), scores))


@wrong("M.10", "window|each|clips|mean", part=1)
def mean_of_areas(logits, labels):
    areas = [
        np.nanmean(metrics.roc_auc(labels, logits[:, w]))
        for w in range(logits.shape[1])
    ]
    return np.mean(areas)


@wrong("M.10", "pool|tag|all fields|micro|together|mean", part=1)
def all_fields_at_once(logits, labels):
    scores = special.expit(np.asarray(logits, float)).mean(axis=1)
    return roc_auc_score(np.ravel(labels), np.ravel(scores))


# M.11 Perfect, and 0.82


@right("M.11", part=1)
def by_mask(labels, scores):
    fine = (labels.sum(axis=0) > 0) & (labels.sum(axis=0) < len(labels))
    found = average_precision_score(labels[:, fine], scores[:, fine], average="macro")
    return [torch.tensor(found), fine.sum()]


@right("M.11", part=1)
def by_library(labels, scores):
    found = metrics.average_precision(labels, scores)
    return np.nanmean(found), np.isfinite(found).sum()


def ap_with(keep, n=None):
    def macro_ap(labels, scores):
        each = np.array(
            [
                average_precision_score(a, b) if a.any() else 0.0
                for a, b in zip(labels.T, scores.T, strict=True)
            ]
        )
        fine = keep(labels)
        return each[fine].mean(), labels.shape[1] if n == "all" else fine.sum()

    return macro_ap


def some_have(labels):
    return labels.any(axis=0)


def some_have_not(labels):
    return ~labels.all(axis=0)


wrong("M.11", "all clips|every clip|on all|all", part=1)(ap_with(some_have))
wrong("M.11", "no clip|none|nothing", part=1)(ap_with(some_have_not))
wrong("M.11", "number|count|how many", part=1)(
    ap_with(lambda x: some_have(x) & some_have_not(x), n="all")
)
wrong("M.11", "one clip|one|rare|number|few|some", part=1)(
    ap_with(lambda x: (x.sum(axis=0) > 1) & some_have_not(x))
)


@wrong("M.11", "ROC|average precision", part=1)
def areas_instead(labels, scores):
    found = metrics.roc_auc(labels, scores)
    return np.nanmean(found), np.isfinite(found).sum()


@wrong("M.11", "weigh|frequent|mean|each tag", part=1)
def weighted_by_positives(labels, scores):
    found = metrics.average_precision(labels, scores)
    fine = np.isfinite(found)
    return np.average(found[fine], weights=labels[:, fine].sum(axis=0)), fine.sum()


@wrong("M.11", "order|first|two|number", part=1)
def number_first(labels, scores):
    return by_library(labels, scores)[::-1]


# M.12 Too loud to be heard


@right("M.12", part=1)
def by_log1p(mel):
    return np.log1p(10_000 * mel.astype(np.longdouble)) / np.log(np.longdouble(10))


@right("M.12", part=1)
def in_torch_float(mel):
    return torch.log10(1 + 10_000 * torch.tensor(mel))


def levels_with(
    number=np.float64,
    factor=10_000,
    one=1,
    log=np.log10,
    least=None,
    most=np.inf,
    out=None,
):
    def compress(mel):
        with np.errstate(all="ignore"):
            x = np.minimum(number(factor) * mel.astype(number) + number(one), most)
            found = log(x).astype(out or x.dtype)
        return found

    return compress


wrong("M.12", "16|inf|fit", part=1)(levels_with(np.float16))
wrong("M.12", "16|round|digits|precise|0.00001", part=1)(levels_with(out=np.float16))
wrong("M.12", "65|large|limit|cut|clip|too low", part=1)(levels_with(most=65_504))
wrong("M.12", "natural", part=1)(levels_with(log=np.log))
wrong("M.12", "inf|1 \\+|add|0", part=1)(levels_with(one=0))
wrong("M.12", "10,000|factor", part=1)(levels_with(factor=1_000))
wrong("M.12", "whole|int|round|small", part=1)(
    lambda mel: np.log10(1 + (10_000 * mel).astype(np.int64))
)


@wrong("M.12", "changes `mel`", part=1)
def in_its_place(mel):
    mel *= 10_000
    mel += 1
    return np.log10(mel)


# M.13 Techno, very slow


@right("M.13", part=1)
def into_slices(maxima, means):
    rows = np.empty((len(maxima), 2 * maxima.shape[1]))
    rows[:, ::2], rows[:, 1::2] = maxima, means
    return rows


@right("M.13", part=1)
def by_cat_and_view(maxima, means):
    n = maxima.shape[1]
    return torch.cat([maxima, means], dim=1).view(-1, 2, n).transpose(1, 2).flatten(1)


@wrong("M.13", "order|behind|side by side|all maxima|first", part=1)
def all_maxima_first(maxima, means):
    return torch.stack([maxima, means], dim=1).flatten(1)


@wrong("M.13", "mean|maxim|swapped|before|order", part=1)
def means_before(maxima, means):
    return torch.stack([means, maxima], dim=-1).flatten(1)


@wrong("M.13", "shape|row|flatten|\\(", part=1)
def not_flattened(maxima, means):
    return torch.stack([maxima, means], dim=-1)


@wrong("M.13", "clip|row|mix|order", part=1)
def clips_mixed(maxima, means):
    found = torch.stack([maxima, means], dim=-1)
    return found.transpose(0, 1).reshape(len(maxima), -1)


@wrong("M.13", "shape|mean|max|row", part=1)
def clips_below_each_other(maxima, means):
    return torch.cat([maxima, means], dim=0)


@wrong("M.13", "sort|order|channel", part=1)
def sorted_rows(maxima, means):
    return torch.cat([maxima, means], dim=1).sort(dim=1).values


# M.14 Nine windows, one and the same


@right("M.14", part=1)
def by_zip(run, windows):
    return tuple(map(list, zip(*map(run, windows), strict=True)))


@right("M.14", part=1)
def in_tensors(run, windows):
    found = [run(window) for window in windows]
    return [torch.tensor(np.stack([row[i] for row in found])) for i in (0, 1)]


@wrong("M.14", "first", part=1)
def still_the_first(run, windows):
    found = [run(window) for window in windows]
    return np.stack([found[0][0]] * len(found)), np.stack([s for _, s in found])


@wrong("M.14", "last", part=1)
def all_the_last(run, windows):
    found = [run(window) for window in windows]
    return np.stack([found[-1][0]] * len(found)), np.stack([s for _, s in found])


@wrong("M.14", "once|twice|times|runs", part=1)
def runs_twice(run, windows):
    return np.stack([run(w)[0] for w in windows]), np.stack(
        [run(w)[1] for w in windows]
    )


@wrong("M.14", "vectors|first|order|swapped|shape", part=1)
def scores_first(run, windows):
    return in_tensors(run, windows)[::-1]


@wrong("M.14", "first window|shape|rows|missing", part=1)
def without_the_first(run, windows):
    return in_tensors(run, windows[1:])


@wrong("M.14", "before|late|shift|order|window", part=1)
def one_too_late(run, windows):
    vectors, scores = in_tensors(run, windows)
    return vectors[[0, *range(len(vectors) - 1)]], scores


@wrong("M.14", "mean|shape", part=1)
def mean_over_windows(run, windows):
    return [x.double().mean(dim=0) for x in in_tensors(run, windows)]


@wrong("M.14", "in reverse", part=1)
def from_the_end(run, windows):
    return in_tensors(run, windows[::-1])


# M.15 The shorter, the quieter


@right("M.15", part=1)
def by_unfold(samples, n):
    x = torch.tensor(np.array(samples))
    windows = list(x[: len(x) // n * n].view(-1, n))
    return torch.stack(windows + ([x[-n:]] if len(x) % n else []))


@right("M.15", part=1)
def by_starts(samples, n):
    starts = sorted({*range(0, len(samples) - n + 1, n), len(samples) - n})
    return [list(samples[s : s + n]) for s in starts]


def cut_at(starts):
    def cut(samples, n):
        return np.stack([samples[s : s + n] for s in starts(len(samples), n)])

    return cut


wrong("M.15", "left over|end|rest|last|lost|heard", part=1)(
    cut_at(lambda m, n: range(0, m - n + 1, n))
)
wrong("M.15", "twice|again|divides|nothing|window", part=1)(
    cut_at(lambda m, n: [*range(0, m - n + 1, n), m - n])
)
wrong("M.15", "all windows have moved", part=1)(
    cut_at(lambda m, n: np.linspace(0, m - n, -(-m // n)).astype(int))
)
wrong("M.15", "end|last|side by side|begin", part=1)(
    cut_at(lambda m, n: sorted(range(m - n, -1, -n)))
)
wrong("M.15", "will do", part=1)(
    cut_at(lambda m, n: sorted({*range(0, m - n + 1, n // 2 or 1), m - n}))
)


@wrong("M.15", "silence|zeros|0|own samples", part=1)
def still_padded(samples, n):
    return np.pad(samples, (0, -len(samples) % n)).reshape(-1, n)


@wrong("M.15", "begin|wrap|loop|own|end|again", part=1)
def looped(samples, n):
    return np.pad(samples, (0, -len(samples) % n), mode="wrap").reshape(-1, n)


@wrong("M.15", "mirror|reflect|end|again|as it was|order", part=1)
def mirrored(samples, n):
    return np.pad(samples, (0, -len(samples) % n), mode="reflect").reshape(-1, n)


@pytest.mark.parametrize(("id", "answer", "part", "of"), RIGHT)
def test_every_right_answer_is_accepted(mini, id, answer, part, of):
    found = outcome(id, answer, part, of, mini)
    assert found, found


@pytest.mark.parametrize(("id", "answer", "part", "of", "told"), WRONG)
def test_every_wrong_answer_is_told_its_fault(mini, id, answer, part, of, told):
    found = outcome(id, answer, part, of, mini)
    assert found.status == "wrong", found
    assert re.search(told, found.message, re.IGNORECASE), found.message


def test_there_are_some_for_every_task():
    tasks = {id for id in engine.tasks() if id[0] in "56789M"}
    tasks |= {"0.5", "0.6", "0.7", "0.8"}
    assert tasks == {case.values[0] for case in RIGHT}
    assert tasks == {case.values[0] for case in WRONG}
