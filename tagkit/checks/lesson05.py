"""The tasks of lesson 05, per-tag evaluation: hints and probes.

Each probe tries small cases with traps, and labels of the corpus in use. The file is
long because each slip is computed, so that a message can name it.
"""

import functools

import numpy as np
import pandas as pd
from sklearn.metrics import auc, precision_recall_curve

from tagkit.checks.engine import call, task
from tagkit.checks.values import Wrong, number, refuse_slips, several, short, table
from tagkit.evaluation import metrics


def _some_labels(corpus, n_clips):
    """Labels of the first test clips of a corpus, at most n_clips of them."""
    labels = corpus.labels()
    return labels[corpus.split().loc[labels.index] == "test"].head(n_clips)


@task(
    "0.5",
    "Precision and recall",
    points=1,
    hints=(
        "`score >= threshold` says yes or no for each clip. How many clips got a yes "
        "and have the tag?",
        "That number, divided by the yeses, is the precision; divided by the positives "
        "it is the recall.",
        "With `yes = score >= threshold` and `right = (yes & (has == 1)).sum()`: "
        "`return right / yes.sum(), right / has.sum()`",
    ),
    praise="Recall only falls when the threshold rises; precision mostly rises: watch "
    "both below.",
)
def decided(answer):
    random = np.random.default_rng(5)
    made = (random.random(40) < 0.3).astype("uint8")
    noisy = (0.4 * made + 0.6 * random.random(40)).round(1)
    example = [1, 0, 1, 0, 1, 1, 0], [0.9, 0.7, 0.6, 0.45, 0.4, 0.2, 0.1], 0.4
    for case, has, score, threshold in (
        ("For the example of the text", *example),
        ("For 40 made-up clips", made, noisy, 0.5),
        ("For 40 made-up clips, half as loud,", made, noisy / 2, 0.2),
    ):
        has, score = np.asarray(has, np.uint8), np.asarray(score, float)
        value = call(answer, has, score, threshold)
        yours = several(value, 2, f"{case} your result")
        yours = [number(part, f"{case} a number of yours") for part in yours]
        precision, recall = _shares(has == 1, score >= threshold)
        above = _shares(has == 1, score > threshold)
        at_half = _shares(has == 1, score >= 0.5)
        right = ((score >= threshold) == has).mean()
        slips = [
            ((recall, precision), "these are recall and precision; turn them round"),
            (above, "a score at the threshold is a yes"),
            ((right, recall), "precision looks at the yeses alone"),
            (at_half, "the threshold is the third argument"),
            ((100 * precision, 100 * recall), "shares are asked for, not percent"),
        ]
        seen = f"{case} you give {yours[0]:.3f} and {yours[1]:.3f}"
        otherwise = "count the yeses, the positives, and the yeses that are right"
        refuse_slips(yours, (precision, recall), slips, seen, otherwise)


def _shares(has, yes):
    right = (has & yes).sum()
    return right / max(yes.sum(), 1), right / has.sum()


@task(
    "5.1",
    "Two scores from their definitions",
    points=4,
    hints=(
        "Both begin with the scores of the clips with the tag, `scores[has == 1]`. "
        "`area` compares each of them with each of the others; `precision` looks at "
        "all clips that score as much or more.",
        "A pair counts 1, a tie one half, and the mean over all pairs is asked for. "
        "For a clip with the tag, its precision is a mean of `has` over the chosen "
        "clips. Do not sort: sorting puts equal scores into some order.",
        "`a[:, None] > b` compares all pairs at once. For `precision`: the mean of "
        "`has[scores >= own].mean()` over all `own` in `scores[has == 1]`.",
    ),
    praise="Both agree with scikit-learn, ties included, and with `metrics`.",
)
def two_scores(answer, corpus):
    area, precision = several(answer, 2, "Your answer")
    labels = _some_labels(corpus, 300)
    tag = labels.sum().idxmax()
    random = np.random.default_rng(1).random(len(labels)).round(1)
    cases = [
        ("7 made-up clips", [0, 1, 0, 1, 0, 1, 0], [2, 0.5, -3, 2, 0.5, 2, -3]),
        ("the example of the text", [1, 0, 1, 0, 0], [0.9, 0.6, 0.6, 0.3, 0.1]),
        ("clips of one score", [0, 1, 0, 0], [0.2, 0.2, 0.2, 0.2]),
        (f"{tag} in {corpus.name} and random scores", labels[tag], random),
    ]
    pairs = "take each pair of a clip with and one without"
    shares = "of the clips as high, how many have it?"
    for function, name, slips_of, otherwise in (
        (area, "area", _areas, pairs),
        (precision, "precision", _precisions, shares),
    ):
        for case, has, scores in cases:
            has, scores = np.asarray(has, np.uint8), np.asarray(scores, float)
            value = call(function, has, scores)
            yours = number(value, f"For {case} the result of `{name}`")
            right, slips = slips_of(has == 1, scores)
            seen = f"For {case} `{name}` gives {yours:.4f}"
            refuse_slips(yours, right, slips, seen, otherwise)


def _areas(has, scores):
    a, b = scores[has][:, None], scores[~has]
    above, ties = (a > b).mean(), (a == b).mean()
    right = above + ties / 2
    return right, [
        (right * a.size * b.size, "that is a count; take the mean over all pairs"),
        (above, "pairs of equal scores count as lost; count them half"),
        (above + ties, "pairs of equal scores count as won; count them half"),
        (1 - right, "it is turned round: the clip with the tag should win"),
    ]


def _precisions(has, scores):
    ranking = has[np.argsort(-scores, kind="stable")]
    in_order = (ranking.cumsum() / np.arange(1, len(has) + 1))[ranking].mean()
    shares = np.array([has[scores >= own].mean() for own in scores])
    from_below = np.mean([has[scores <= own].mean() for own in scores[has]])
    higher = scores > scores[has][:, None]  # (n_with, n_clips)
    above = (1 + (higher & has).sum(axis=1)) / (1 + higher.sum(axis=1))
    others = (scores >= scores[has][:, None]) & ~np.eye(len(has), dtype=bool)[has]
    alone = (others & has).sum(axis=1) / np.maximum(others.sum(axis=1), 1)
    alone = np.where(others.any(axis=1), alone, 1)
    part, recall, _ = precision_recall_curve(has, scores)
    return shares[has].mean(), [
        (above.mean(), "clips of the same score are among those that score as much"),
        (alone.mean(), "the clip itself is among those that score as much"),
        (auc(recall, part), "no lines are drawn between points"),
        (in_order, "clips of equal score count together, in no order"),
        (shares.mean(), "take the mean over the clips with the tag, not over all"),
        (from_below, "the list goes up from the lowest; begin at the top"),
    ]


@task(
    "5.2",
    "A mean over tags that can be scored",
    points=3,
    hints=(
        "Which tags can be scored? Those that at least one clip has and at least one "
        "clip lacks. Find them first.",
        "scikit-learn gives nan for the ROC-AUC of a tag without positives, but 0 for "
        "its average precision, and 0 looks like a score. Leave the tag out of both.",
        "`ones = labels.sum(axis=0)` and `kept = (ones > 0) & (ones < len(labels))`; "
        "then `metrics.roc_auc(labels, scores)[kept].mean()`.",
    ),
    praise="Print the number of tags left out beside every macro mean.",
)
def macro(answer, corpus):
    random = np.random.default_rng(52)
    made = (random.random((60, 8)) < [0.5, 0.3, 0.2, 0, 0, 0.1, 1, 0.1]).astype("uint8")
    small = np.array([[1, 0, 0], [0, 0, 1], [0, 0, 1]], "uint8")
    some = _some_labels(corpus, 60).to_numpy()
    of_small = np.array([[0.9, 0.2, 0.5], [0.2, 0.4, 0.5], [0.1, 0.1, 0.8]])
    for case, labels, scores in (
        ("For 60 made-up clips", made, random.random(made.shape).round(2)),
        ("For the example of the text", small, of_small),
        (f"For 60 clips of {corpus.name}", some, random.random(some.shape).round(2)),
    ):
        value = several(call(answer, labels, scores), 3, f"{case} your result")
        full = labels.all(axis=0)
        kept = labels.any(axis=0) & ~full
        counts = "a tag that cannot be scored counts as"
        both = (metrics.roc_auc, metrics.average_precision)
        for part, metric, other, name in (
            (value[0], *both, "mean ROC-AUC"),
            (value[1], *both[::-1], "mean AP"),
        ):
            if np.isscalar(part) and np.isnan(part):
                raise Wrong(f"{case} your {name} is nan: one tag without a score did.")
            yours = number(part, f"{case} your {name}")
            each = metric(labels, scores)
            slips = [
                (np.where(kept, each, 0).mean(), f"{counts} 0"),
                (np.where(kept, each, full).mean(), f"{counts} 0 or 1"),
                (np.where(kept, each, 0.5).mean(), f"{counts} 0.5"),
                (each[kept].sum() / (kept | full).sum(), f"{counts} 0, if all have it"),
                (
                    (each[kept].sum() + full.sum()) / (kept | full).sum(),
                    "a tag that every clip has counts as 1",
                ),
                (other(labels, scores)[kept].mean(), "ROC-AUC comes first, then AP"),
            ]
            seen = f"{case} your {name} is {yours:.4f}"
            otherwise = "keep the tags with a score, only"
            refuse_slips(yours, each[kept].mean(), slips, seen, otherwise)
        yours = number(value[2], f"{case} your number of tags left out")
        slips = [(kept.sum(), "these are the tags that were kept")]
        seen = f"{case} you leave out {yours:g} tags"
        otherwise = "tags that no clip has, or every clip, cannot be scored"
        refuse_slips(yours, (~kept).sum(), slips, seen, otherwise)


@task(
    "5.3",
    "The best and the worst clips",
    points=3,
    hints=(
        "Each field (clip, tag) has a loss: -log of the score if the label is 1, -log "
        "of 1 - score if it is 0. A clip's loss is the mean over its tags.",
        "A score of exactly 0 or 1 would give an infinite loss, and 0 times infinity "
        "is nan: use `scores.clip(1e-6, 1 - 1e-6)` first. Then sort the clips.",
        "With `loss = -(labels * np.log(s) + (1 - labels) * np.log(1 - s))`, take "
        "`loss.mean(axis=1).sort_values().index`, its first n, and its last n turned "
        "round.",
    ),
    praise="Now look what the best have in common, and the worst.",
)
def extremes(answer, corpus):
    random = np.random.default_rng(53)
    made = (random.random((40, 5)) < 0.3).astype("uint8")
    made[~made.any(axis=1), 4] = 1  # else losses of ones alone would tie
    scores = random.beta(0.5, 2, made.shape).clip(0.02, 0.98)
    made[3], scores[3] = [1, 0, 0, 0, 0], [0, 0.1, 0.1, 0.1, 0.1]  # log(0), once
    made[8], scores[8] = [1, 1, 1, 1, 0], [0.01, 0.01, 0.01, 0.01, 0.1]  # still worse
    made[5], scores[5] = [1, 1, 0, 0, 0], [1, 1, 0.05, 0.05, 0.05]  # 0 * log(0)
    made[6], scores[6] = [0, 0, 0, 0, 1], [0.04, 0.04, 0.04, 0.04, 0.96]
    made = pd.DataFrame(made, 1000 - 7 * np.arange(40), [*"abcde"])
    of_made = pd.DataFrame(scores, *made.axes)
    small = pd.DataFrame([[1, 0], [0, 0], [0, 1]], [40, 12, 7], dtype="uint8")
    of_small = pd.DataFrame([[0.9, 0.2], [0.1, 0.1], [0.2, 0.1]], [40, 12, 7])
    some = _some_labels(corpus, 90)
    of_some = pd.DataFrame(random.beta(0.5, 2, some.shape), *some.axes)
    for case, labels, scores, n in (
        ("For 40 made-up clips", made, of_made, 4),
        ("For the example of the text", small, of_small, 1),
        (f"For clips of {corpus.name}", some, of_some, 3),
    ):
        value = several(call(answer, labels, scores, n), 2, f"{case} your result")
        loss = _losses(labels, scores)
        unlimited = _losses(labels, scores, limit=0)
        of_ones = _losses(labels, scores, of_zeros=0)
        for name, part, step in (("best", value[0], 1), ("worst", value[1], -1)):
            yours = several(part, n, f"{case} your list of the {name}")
            if not set(yours) <= set(labels.index):
                given = short(np.array(yours).tolist())
                raise Wrong(f"{case} your {name} are {given}: these are no clip ids.")
            right = loss[_first(n, loss, step)].to_numpy()
            turned = loss[_first(n, loss, -step)]
            slips = [
                (right[::-1], "the order is reversed, most extreme first"),
                (turned, "best and worst are the wrong way round"),
                (loss[_first(n, unlimited, step)], "log(0) is infinite, limit scores"),
                (loss[_first(n, of_ones, step)], "zeros have a loss, too"),
            ]
            for text, other in _other_losses(labels, scores).items():
                slip = loss[_first(n, other, step)]
                if not np.allclose(slip, right):  # not in both lists
                    slips.append((slip, text))
            seen = f"{case} the first of your {name} is clip {yours[0]}"
            seen += f" with a loss of {loss[yours[0]]:.4f}"
            otherwise = "another clip or another order is right"
            refuse_slips(loss[yours], right, slips, seen, otherwise)


def _first(n, losses, step):
    """The first n clips of a list from the best on (step 1) or from the worst (-1)."""
    return losses.sort_values().index[::step][:n]


def _other_losses(labels, scores):
    """What somebody may sort by in place of the loss, (n_clips,) each."""
    s = scores.clip(1e-6, 1 - 1e-6)
    return {
        "scores are limited to 0.000001, not to more": _losses(labels, scores, 0.01),
        "that is the squared error, without a log": ((labels - s) ** 2).mean(axis=1),
        "take the mean over all tags, not one field": -np.log(
            s.where(labels == 1, 1 - s)
        ).max(axis=1),
    }


def _losses(labels, scores, limit=1e-6, of_zeros=1):
    """The loss of each clip, (n_clips,)."""
    has, s = labels.astype(float), scores.clip(limit, 1 - limit)
    with np.errstate(all="ignore"):
        fields = has * np.log(s) + of_zeros * (1 - has) * np.log(1 - s)
    return -fields.mean(axis=1)


@task(
    "5.4",
    "Listen, and set the labels right",
    points=3,
    hints=(
        "Copy the labels first. Then find the fields with label 0, and among them the "
        "n with the highest scores: fields of the whole table, not n per tag.",
        "`scores.stack()` makes one long Series with the index (clip, tag). Keep those "
        "whose label is 0, and take `nlargest(n)`.",
        "For each `clip, tag` in that index: "
        "`mended.at[clip, tag] = truth.at[clip, tag]`. To listen is not to believe.",
    ),
    praise="Score the labels before and after, and then read on: this was not fair.",
)
def mend(answer, corpus):
    random = np.random.default_rng(54)
    names = ["drums", "harp", "slow", "loud"]
    made = (random.random((12, 4)) < 0.25).astype("uint8")
    made = pd.DataFrame(made, 5 * np.arange(12) + 2, names)
    true = made.mask(random.random(made.shape) < 0.4, 1 - made).astype("uint8")
    small = pd.DataFrame([[1, 0], [0, 0]], [3, 8], dtype="uint8")
    of_small = pd.DataFrame([[0.9, 0.8], [0.7, 0.2]], [3, 8])
    true_small = pd.DataFrame([[1, 0], [1, 1]], [3, 8], dtype="uint8")
    cases = [
        ("For 12 made-up clips", made, _ranks(made, random), true, 12),
        ("For the example of the text", small, of_small, true_small, 2),
    ]
    if corpus.truth is not None:
        some = _some_labels(corpus, 90)
        true = corpus.truth.loc[some.index, some.columns]
        cases += [(f"For {corpus.name}", some, _ranks(some, random), true, 20)]
    for case, labels, scores, truth, n in cases:
        value = call(answer, labels, scores, truth, n)
        yours = table(value, labels.index, labels.columns, f"{case} your table")
        has, s, true = (part.to_numpy(float) for part in (labels, scores, truth))
        free = np.where(has == 0, s, -1)
        alarms = _highest(free, n)
        right = np.where(alarms, true, has)
        slips = [
            (np.where(alarms, 1, has), "you believed the scores; ask the truth"),
            (true, "you set all labels right; only n false alarms were heard"),
            (np.where(_highest(s, n), true, has), "labels of 1 are no false alarms"),
            (np.where(alarms, 1 - true, has), "that is the truth turned round"),
            (
                np.where(_highest(np.where(has == 0, -s, -2), n), true, has),
                "these are the n lowest scores",
            ),
            (
                np.where(alarms.any(axis=1, keepdims=True), true, has),
                "whole clips were set right; only n fields were heard",
            ),
            (
                np.where(_highest_of_each(free, n), true, has),
                "all labels of 0 were set right, as with n of each tag",
            ),
        ]
        changed = int((yours != has).sum())
        seen = f"{case} and n = {n} you change {changed} field{'s' * (changed != 1)}"
        refuse_slips(yours, right, slips, seen, "take the n highest scores of label 0")


def _ranks(labels, random):
    """Scores of which no two are equal, the lowest for a label of 1 as often as not."""
    scores = random.permutation(labels.size).reshape(labels.shape) / labels.size
    return pd.DataFrame(scores, *labels.axes)


def _highest(values, n):
    highest = np.zeros(values.size, bool)
    highest[np.argsort(-values, axis=None)[:n]] = True
    return highest.reshape(values.shape)


def _highest_of_each(values, n):
    """The n highest of each column that are no labels of 1."""
    columns = [_highest(column, n) for column in values.T]
    return np.column_stack(columns) & (values >= 0)


@task(
    "5.5",
    "An F1 too good to be true",
    points=3,
    hints=(
        "Ask of each line of `too_good`: which clips does it look at, and what does it "
        "say of a tag with nothing to find, or with nothing found?",
        "The threshold of a tag comes from validation labels and scores, the F1 from "
        "test labels and scores. Tags that no test clip has are left out of the mean; "
        "a tag for which nothing was said counts 0.",
        "The `f1` of the report gives nan; write your own: `2 * (has * yes).sum() / "
        "max(has.sum() + yes.sum(), 1)`. With `values = [f1(valid_has, valid_score >= "
        "t) for t in GRID]` take `GRID[np.argmax(values)]` if `valid_has.any()`, else "
        "0.5; then `f1(has, score >= t)` on the test clips.",
    ),
    praise="Compare it with what `too_good` gives, for the network and for random "
    "scores.",
)
def honest(answer, corpus):
    random = np.random.default_rng(55)
    made = (random.random((50, 6)) < [0.5, 0.3, 0.1, 0.05, 0.3, 0]).astype("uint8")
    made[:20, 3], made[25, 3], made[20:, 4] = 0, 1, 0
    made[[0, 1, 30, 31, 32], 2] = 1
    some = _some_labels(corpus, 90).to_numpy()
    small = [[1, 0], [0.72, 0.31], [1, 1, 0], [0.91, 0.32, 0.44]]
    small = [np.column_stack([tag, tag]) for tag in small]  # the same tag twice
    for case, parts in (
        ("For 50 made-up clips", _made_parts(made, 20, random)),
        ("For the example of the text, its tag twice", small),
        (f"For clips of {corpus.name}", _made_parts(some, len(some) // 3, random)),
    ):
        yours = number(call(answer, *parts), f"{case} your result")
        right, slips = _honest_f1(*parts)
        seen = f"{case} your F1 is {yours:.4f}"
        refuse_slips(yours, right, slips, seen, "follow the four rules one by one")


def _made_parts(labels, n, random):
    """Labels and scores of n validation clips and of the others."""
    louder, noise = random.random((2, *labels.shape))
    scores = (0.6 * labels * louder + 0.4 * noise).round(3) + 0.0004
    # The threshold of the first tag is 0.25, and many clips score just that.
    has = labels[:n, 0] == 1
    scores[:n, 0] = np.where(has, 0.25 + (noise[:n, 0] > 0.5) / 3, 0.1)
    scores[np.flatnonzero(~has)[0], 0] = 0.22
    scores[n:, 0] = np.where(noise[n:, 0] < 0.5, 0.25, scores[n:, 0])
    # Of the third tag all thresholds from 0.35 to 0.70 are equally good.
    scores[:n, 2] = np.where(labels[:n, 2] == 1, 0.72, 0.31)
    scores[n:, 1] *= 0.05  # the second tag is never named in the test
    return labels[:n], scores[:n], labels[n:], scores[n:]


GRID = np.arange(1, 20) / 20


def _f1(has, yes):
    """F1 of each tag; 0 where nothing was said or is there."""
    both = (has & yes).sum(axis=-2)
    return 2 * both / np.maximum(has.sum(axis=-2) + yes.sum(axis=-2), 1)


def _honest_f1(valid, early, labels, scores):
    """The F1 by the rules, and by slips."""
    valid, labels = valid == 1, labels == 1
    grid = GRID[:, None, None]
    on_valid = _f1(valid, early >= grid)  # (n_thresholds, n_tags)
    on_test = _f1(labels, scores >= grid)
    there = labels.any(axis=0)
    best = np.where(valid.any(axis=0), on_valid.argmax(axis=0), 9)  # GRID[9] is 0.5
    each = on_test[best, np.arange(len(best))]
    named = (scores >= GRID[best]).any(axis=0)
    above = _f1(labels, scores > GRID[best])
    last = np.where(valid.any(axis=0), 18 - on_valid[::-1].argmax(axis=0), 9)
    tags = np.arange(len(best))
    unheard = on_test[on_valid.argmax(axis=0), tags]
    strict = np.where(valid.any(axis=0), _f1(valid, early > grid).argmax(axis=0), 9)
    strict = _f1(labels, scores > GRID[strict])
    yes = (scores >= GRID[best])[:, there]
    pooled = 2 * (labels[:, there] & yes).sum() / (labels.sum() + yes.sum())
    return each[there].mean(), [
        (on_test.max(axis=0)[there].mean(), "you chose thresholds on the test clips"),
        (each[there & named].mean(), "a tag for which nothing was said counts 0"),
        (each.mean(), "a tag that no test clip has has no F1; leave it out"),
        (above[there].mean(), "at the threshold is a yes"),
        (strict[there].mean(), "at the threshold is a yes, on validation, too"),
        (on_test[last, tags][there].mean(), "of equal thresholds take the lowest"),
        (unheard[there].mean(), "a tag that no validation clip has gets 0.5"),
        (on_test[9][there].mean(), "each tag has a threshold of its own"),
        (pooled, "take the F1 of each tag, then the mean"),
        (np.where(there, each, 1).mean(), "a tag that no test clip has counts 1"),
    ]


@task(
    "5.6",
    "Is A better than B?",
    points=4,
    hints=(
        "One draw: choose as many groups as there are, with replacement, and take all "
        "clips of each, twice if drawn twice. Score A and B on these same clips.",
        "For the chosen rows, `metrics.roc_auc(labels[rows], a[rows])` has an area for "
        "each tag, nan for a tag that the draw lost: `np.nanmean`. The 2.5 and 97.5 "
        "percentiles of all differences are the ends.",
        "Rows of a draw: "
        "`np.concatenate([np.flatnonzero(groups == g) for g in drawn])` with "
        "`drawn = random.choice(names, len(names))`.",
    ),
    praise="Now draw clips, then artists: which interval would you print?",
)
def interval(answer):
    for case, n_boot, in_groups in (
        ("For 80 clips of 20 artists", 1200, True),
        ("For 80 clips, each a group of its own", 200, False),
    ):
        value = call(answer, *_rivals(in_groups), n_boot)
        value = several(value, 2, f"{case} your interval")
        if np.isnan(np.asarray(value, float)).any():
            raise Wrong(f"{case} an end is nan: some draws have tags without ones.")
        yours = [number(end, f"{case} an end of your interval") for end in value]
        seen = f"{case} your interval goes from {yours[0]:.4f} to {yours[1]:.4f}"
        if yours[0] >= yours[1]:
            raise Wrong(f"{seen}: low first, then high, and never the same.")
        right, slips = _known_intervals(in_groups)
        if _near(yours, right, n_boot):
            continue
        for slip, text in slips:
            if _near(yours, slip, n_boot):
                raise Wrong(f"{seen}: {text}.")
        way = "wide" if yours[1] - yours[0] > right[1] - right[0] else "narrow"
        raise Wrong(f"{seen}: too {way}. What is drawn, and how many of it?")


def _near(yours, other, n_boot):
    """Equal up to the luck of the draws, four standard deviations of it."""
    width, luck = other[1] - other[0], 4 * n_boot**-0.5
    shift = abs(sum(yours) - sum(other)) / 2
    return abs((yours[1] - yours[0]) / width - 1) < luck and shift < luck / 2 * width


def _rivals(in_groups):
    """Two models that mostly make the same mistakes, A slightly better.

    Four of 20 artists have 8 clips, the others 3; few clips have the last tag.
    """
    random = np.random.default_rng(57)
    artist = np.repeat(np.arange(20), [8, 3, 3, 3, 3] * 4)
    has = (random.random((20, 2)) < 0.4)[artist] ^ (random.random((80, 2)) < 0.1)
    common, noise = random.normal(size=(2, 80, 2))
    of_artist = random.normal(size=(20, 2))[artist]
    a = has * [2.5, 1.0] + 0.5 * common + 1.2 * of_artist
    b = has * [1.0, 1.5] + 0.5 * common + 2.2 * of_artist + 0.2 * noise
    rare = np.isin(np.arange(80), [13, 14, 30])
    labels = np.column_stack([has, rare]).astype("uint8")
    a = np.column_stack([a, a[:, 0] + rare])
    b = np.column_stack([b, b[:, 0]])
    groups = np.array([f"artist {n}" for n in artist]) if in_groups else np.arange(80)
    return labels, a, b, groups


@functools.cache
def _known_intervals(in_groups, n_boot=6000):
    """The interval of a paired bootstrap over groups, and those of typical slips."""
    labels, a, b, groups = _rivals(in_groups)
    random = np.random.default_rng(56)
    names, place = np.unique(groups, return_inverse=True)

    def draw(n, place, sizes=1):
        shares = np.broadcast_to(sizes, n) / np.broadcast_to(sizes, n).sum()
        return random.multinomial(n, shares, n_boot)[:, place]

    def gaps(drawn, drawn_for_b):
        of_a = metrics._areas(labels, a, drawn)[0]  # (n_boot, n_tags)
        of_b = metrics._areas(labels, b, drawn_for_b)[0]
        return np.nanmean(of_a - of_b, axis=1)

    def ends(values, outer=2.5):
        return tuple(np.percentile(values, (outer, 100 - outer)))

    drawn, drawn_again = draw(len(names), place), draw(len(names), place)
    paired = gaps(drawn, drawn)
    each = metrics.roc_auc(labels, a) - metrics.roc_auc(labels, b)
    of_tags = random.choice(each, (n_boot, len(each))).mean(axis=1)
    slips = [
        (ends(-paired), "it is B minus A; A minus B is asked for"),
        (ends(gaps(drawn, drawn_again)), "A and B had different draws; pair them"),
        (
            ends(paired, 5),
            "it is as narrow as one of 90 % of the draws (95 % are asked for), or one "
            "in which a group that was chosen twice counts once",
        ),
        (ends(of_tags), "tags were drawn; draw groups of clips"),
    ]
    if in_groups:
        clips = draw(80, np.arange(80))
        single = ends(gaps(clips, clips))
        slips.append((single, "single clips were drawn; draw whole groups"))
        large = draw(len(names), place, np.bincount(place))
        said = "large groups are drawn more often; each has the same chance"
        slips.append((ends(gaps(large, large)), said))
    return ends(paired), slips
