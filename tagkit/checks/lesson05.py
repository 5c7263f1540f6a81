"""The six tasks of lesson 05, per-tag evaluation: hints and probes.

Each probe tries a small case with traps first, then labels of the corpus in use.
"""

import numpy as np
import pandas as pd

from tagkit.checks import probes05
from tagkit.checks.engine import NotTried, call, task
from tagkit.checks.values import Wrong, number, refuse_slips, several, short, table


def _some_labels(corpus, n_clips):
    """Labels of the first test clips of a corpus, at most n_clips of them."""
    labels = corpus.labels()
    return labels[corpus.split().loc[labels.index] == "test"].head(n_clips)


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
    cases = [("5 made-up clips", [1, 0, 1, 0, 0], [0.8, 0.8, 0.3, 0.1, 0.5])]
    cases += [("clips of one score", [0, 1, 0, 0], [0.2] * 4)]
    cases += [("scores that are logits", [0, 1, 0, 1, 1, 0], [-3, 2, -3, -3, 0.5, 2])]
    labels = _some_labels(corpus, 300)
    tag = labels.sum().idxmax()
    scores = np.random.default_rng(1).random(len(labels)).round(1)
    cases += [(f"{tag} in {corpus.name} and dice", labels[tag], scores)]
    for function, name, judge in (
        (area, "area", probes05.areas),
        (precision, "precision", probes05.precisions),
    ):
        for where, has, scores in cases:
            has, scores = np.asarray(has, np.uint8), np.asarray(scores, float)
            try:
                value = call(function, has, scores)
            except NotTried as reason:
                done = "" if name == "area" else "`area` is right. "
                raise NotTried(f"{done}{reason}") from None
            yours = number(value, f"For {where} the result of `{name}`")
            right, slips, otherwise = judge(has == 1, scores)
            seen = f"For {where} `{name}` gives {yours:.4f}"
            slips = [slip for slip in slips if abs(slip[0] - right) > 1e-5]
            refuse_slips(yours, right, slips, seen, otherwise)


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
    shares = [0.5, 0.3, 0, 0.1, 1, 0.02]
    made = (random.random((60, 6)) < shares).astype("uint8")
    whole = (random.random((40, 3)) < 0.4).astype("uint8")
    for labels, where in (
        (made, "For 60 made-up clips"),
        (whole, "For clips in which every tag can be scored"),
        (_some_labels(corpus, 60).to_numpy(), f"For 60 clips of {corpus.name}"),
    ):
        scores = random.random(labels.shape).round(2)
        value = several(call(answer, labels, scores), 3, f"{where} your result")
        parts = probes05.macros(labels, scores)
        for part, (name, right, slips) in zip(value, parts, strict=True):
            if np.isscalar(part) and np.isnan(part):
                raise Wrong(f"{where} your {name} is nan: one tag without a score did.")
            yours = number(part, f"{where} your {name}")
            slips = [slip for slip in slips if abs(slip[0] - right) > 1e-5]
            seen = f"{where} your {name} is {yours:.4f}"
            refuse_slips(yours, right, slips, seen, "keep the tags with a score, only")


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
    made = (random.random((40, 5)) < 0.2).astype("uint8")
    made = pd.DataFrame(made, 1000 - 7 * np.arange(40), [*"abcde"])
    for labels, n, where in (
        (made, 4, "For 40 made-up clips"),
        (_some_labels(corpus, 90), 3, f"For clips of {corpus.name}"),
    ):
        scores = pd.DataFrame(random.beta(0.5, 2, labels.shape), *labels.axes)
        if n == 4:  # scores of 0 and 1: the worst, the second worst, and good ones
            scores.iloc[[3, 8, 5, 6]] = 0.3
            labels.iloc[[3, 8, 5, 6]] = 0
            scores.iloc[3, :2], labels.iloc[3], scores.iloc[8, :2] = 0, 1, 1
            scores.iloc[5, :3], scores.iloc[6] = 0, 0.13
        value = several(call(answer, labels, scores, n), 2, f"{where} your result")
        s, has = scores.clip(1e-6, 1 - 1e-6), labels.astype(float)
        loss = -(has * np.log(s) + (1 - has) * np.log(1 - s)).mean(axis=1)
        of_ones, of_zeros = -has * np.log(s), (has - 1) * np.log(1 - s)
        others = {
            "log(0) is infinite, limit the scores first": probes05.unlimited(
                has, scores
            ),
            "that is the order of squared errors": (has - s) ** 2,
            "labels are uint8, in which -1 is 255": of_zeros - 255 * of_ones,
            "the scores are probabilities already": probes05.twice(has, scores),
            "only ones count in your loss; zeros have a loss, too": of_ones,
            "only zeros count in your loss; ones have a loss, too": of_zeros,
        }
        others = {text: each.mean(axis=1) for text, each in others.items()}
        for name, part, sign in (("best", value[0], 1), ("worst", value[1], -1)):
            yours = several(part, n, f"{where} your list of the {name}")
            if not set(yours) <= set(labels.index):
                is_row = set(yours) <= set(range(len(labels)))
                what = "rows, give clip ids" if is_row else "no clip ids of the table"
                given = short(np.array(yours).tolist())
                raise Wrong(f"{where} your {name} are {given}: {what}.")

            def agrees(loss, sign, yours=yours):
                first = np.sort(sign * loss.to_numpy())[: len(yours)]
                return np.allclose(sign * loss.loc[yours], first, rtol=0, atol=1e-9)

            if agrees(loss, sign):
                continue
            seen = f"{where} the first of your {name} is clip {yours[0]}"
            seen += f" with a loss of {loss[yours[0]]:.4f}"
            if agrees(loss, sign, yours[::-1]):
                raise Wrong(f"{seen}: the order is reversed; most extreme first.")
            if agrees(loss, -sign):
                raise Wrong(f"{seen}: best and worst are the wrong way round.")
            for text, other in others.items():
                if agrees(other, sign):
                    raise Wrong(f"{seen}: {text}.")
            raise Wrong(f"{seen}. Another clip or order is right; mind scores of 0, 1.")


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
    labels = (random.random((12, 4)) < 0.25).astype("uint8")
    labels = pd.DataFrame(labels, 5 * np.arange(12) + 2, names)
    truth = labels.mask(random.random(labels.shape) < 0.4, 1).astype("uint8")
    truth.iloc[:2] = 0
    cases = [(labels, truth, 6, "For 12 made-up clips")]
    if corpus.truth is not None:
        labels = _some_labels(corpus, 90)
        truth = corpus.truth.loc[labels.index, labels.columns]
        cases += [(labels, truth, 20, f"For {corpus.name}")]
    for labels, truth, n, where in cases:
        fields = random.permutation(labels.size).reshape(labels.shape) / labels.size
        scores = pd.DataFrame(fields, *labels.axes)
        if n == 6:  # the first is a false alarm, and the limit of n can be seen
            free = scores.stack()[labels.stack() == 0].nlargest(n + 1).index
            for place, is_true in ((0, 0), (n - 1, 1), (n, 1)):
                truth.loc[free[place]] = is_true
        changed = []
        value = call(_watched(answer, changed), labels, scores, truth, n)
        if changed:
            raise Wrong(f"{where} your function changes the labels given; copy them.")
        yours = table(value, labels.index, labels.columns, f"{where} your table")
        has, s, true = (x.to_numpy(float) for x in (labels, scores, truth))
        free, given = np.where(has == 0, s, -1), np.where(has == 1, 1 - s, -1)
        alarms = probes05.highest(free, n)
        right = np.where(alarms, true, has)
        per_tag = np.stack([probes05.highest(c, n) for c in free.T]).T
        missing = probes05.highest(np.where(true == 1, free, -1), n)
        slips = [
            (has, "nothing was set right"),
            (np.where(alarms, 1, has), "you believed the scores; ask the truth"),
            (true, "you set all labels right; only n false alarms were heard"),
        ]
        slips += [
            (np.where(heard, true, has), text)
            for heard, text in (
                (probes05.highest(s, n), "labels of 1 are no false alarms"),
                (probes05.highest(1 - s - has, n), "these scores are the lowest"),
                (per_tag, "these are n for each tag; n in all"),
                (alarms.any(axis=1)[:, None], "whole clips changed"),
                (missing, "n counts what was heard, right or not"),
                (probes05.highest(given, n), "these are misses, their label is 1"),
            )
        ]
        slips = [(slip, what) for slip, what in slips if (slip != right).any()]
        seen = f"{where} and n = {n} you change {int((yours != has).sum())} fields"
        refuse_slips(yours, right, slips, seen, "take the n highest scores of label 0")


def _watched(function, changed):
    """The function, which notes in `changed` if it changes its first argument."""

    def watched(first, *others):
        before = first.copy()
        value = function(first, *others)
        if not before.equals(first):
            changed.append(True)
        return value

    watched.__name__ = getattr(function, "__name__", "your answer")
    return watched if callable(function) else function


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
        "`values = [f1(valid_has, valid_score >= t) for t in GRID]`, "
        "`t = GRID[np.argmax(values)]` if `valid_has.any()` else 0.5, then "
        "`f1(has, score >= t)` on the test clips.",
    ),
    praise="Compare it with what `too_good` gives, for the network and for dice.",
)
def honest(answer, corpus):
    random = np.random.default_rng(55)
    made = (random.random((50, 6)) < [0.5, 0.3, 0.1, 0.05, 0.3, 0]).astype("uint8")
    made[:20, 3], made[25, 3], made[20:, 4] = 0, 1, 0
    some = _some_labels(corpus, 90).to_numpy()
    for labels, n, where in (
        (made, 20, "For 50 made-up clips"),
        (some, len(some) // 3, f"For clips of {corpus.name}"),
    ):
        louder, dice = random.random((2, *labels.shape))
        scores = (0.6 * labels * louder + 0.4 * dice).round(3) + 0.0004
        if labels is made:  # the threshold of the first tag is 0.25, as some scores
            scores[:n, 0] = np.where(made[:n, 0], 0.25 + (dice[:n, 0] > 0.5) / 3, 0.1)
            scores[np.flatnonzero(made[:n, 0] == 0)[0], 0] = 0.22
            scores[n:, 0] = np.where(dice[n:, 0] < 0.5, 0.25, scores[n:, 0])
        scores[:, 1] *= np.where(np.arange(len(labels)) < n, 1, 0.05)
        parts = labels[:n], scores[:n], labels[n:], scores[n:]
        yours = number(call(answer, *parts), f"{where} your result")
        right, slips = probes05.thresholded(*parts)
        slips = [slip for slip in slips if abs(slip[0] - right) > 1e-5]
        seen = f"{where} your F1 is {yours:.4f}"
        refuse_slips(yours, right, slips, seen, "follow the four rules one by one")


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
def interval(answer, corpus):
    some = _some_labels(corpus, 40).to_numpy()
    for where, n_boot, parts in (
        (f"For 40 clips of {corpus.name} and dice", 30, probes05.dice(some)),
        ("For 80 clips, each a group of its own", 200, probes05.rivals(False)),
        ("For 80 clips of 20 artists", 1200, probes05.rivals(True)),
    ):
        value = several(call(answer, *parts, n_boot), 2, f"{where} your interval")
        for end in value:
            if np.isscalar(end) and np.isnan(end):
                raise Wrong(
                    f"{where} an end is nan: some draws have tags without ones."
                )
        yours = [number(end, f"{where} an end of your interval") for end in value]
        seen = f"{where} your interval goes from {yours[0]:.4f} to {yours[1]:.4f}"
        if yours[0] >= yours[1]:
            raise Wrong(f"{seen}: low first, then high, and never the same.")
        if n_boot < 100:
            if not -0.9 < yours[0] < yours[1] < 0.9:
                raise Wrong(f"{seen}: too far for a difference of two areas of dice.")
            continue
        right, slips = probes05.known_intervals(len(set(parts[3])) < len(parts[3]))
        if probes05.near(yours, right, n_boot):
            continue
        for slip, text in slips:
            if probes05.near(yours, slip, 2 * n_boot):
                raise Wrong(f"{seen}: {text}.")
        width = (yours[1] - yours[0]) / (right[1] - right[0])
        odd = "draw with replacement, groups, and 95 % of the draws inside"
        odd = (
            "too wide; same draws for A and B, as many groups as there are?"
            if width > 1
            else odd
        )
        raise Wrong(f"{seen}: {odd}" + "." * (not odd.endswith("?")))
