"""What right and slipped ways of scoring give: for the probes of lesson 05.

Each function takes what the learner's function takes and returns the right value, and
pairs of a value that a typical slip gives with what to say of it.
"""

import functools

import numpy as np

from tagkit.evaluation import metrics


def areas(has, scores):
    a, b = scores[has][:, None], scores[~has]
    above, ties, n = (a > b).mean(), (a == b).mean(), has.sum()
    slips = [
        (above, "pairs of equal scores count as lost; count them half"),
        (above + ties, "pairs of equal scores count as won; count them half"),
        (1 - above - ties / 2, "it is turned round: the clip with the tag should win"),
        ((above + ties / 2) * a.size * b.size, "a share of pairs is needed, no count"),
        ((above + ties / 2) * a.size * b.size / len(has) ** 2, _ALL_PAIRS),
        ((above + ties / 2) * a.size * b.size / n, _ALL_PAIRS),
    ]
    return above + ties / 2, slips, "take each pair of a clip with and one without"


_ALL_PAIRS = "divide by the number of pairs of a clip with and a clip without"


def precisions(has, scores):
    def ranked(*keys):
        ranking = has[np.lexsort((*keys, -scores))]
        return (ranking.cumsum() / np.arange(1, len(has) + 1))[ranking].mean()

    steps = np.unique(scores)[::-1]
    chosen = [scores >= step for step in steps]
    shares = np.array([has[some].mean() for some in chosen])
    recalls = np.array([0, *(has[some].sum() / has.sum() for some in chosen)])
    before = np.array([1, *shares])
    area = (np.diff(recalls) * (before[1:] + before[:-1]) / 2).sum()
    highest = np.maximum.accumulate(shares[::-1])[::-1]
    right = (np.diff(recalls) * shares).sum()
    above = [has[scores > own].sum() / max(1, (scores > own).sum()) for own in scores]
    tied = "clips of equal score were put into an order; they count together"
    slips = [
        (ranked(), tied),
        (ranked(~has), tied),
        (ranked(has), tied),
        (ranked(-np.arange(len(has))), tied),
        (area, "that is a trapezoid area; no line between two points is asked for"),
        (
            (np.diff(recalls) * highest).sum(),
            "the curve was smoothed; take it as it is",
        ),
        (np.mean(np.array(above)[has]), "a clip itself belongs to its list, too"),
        (_below(has, scores), "the list goes up from the lowest; begin at the top"),
        (shares.mean(), "take the mean over the clips with the tag, not over all"),
        (np.mean([has[scores >= s].mean() for s in scores]), "take clips with the tag"),
        (right * has.sum(), "the sum was not divided by the clips with the tag"),
        (right * has.mean(), "it was divided by all clips, not by those with the tag"),
    ]
    return right, slips, "of the clips that score as much or more, how many have it?"


def _below(has, scores):
    return np.mean([has[scores <= own].mean() for own in scores[has]])


_GRID = np.arange(1, 20) / 20


def _f1(has, yes):
    """F1 of each tag at each threshold; 0 where nothing was said or is there."""
    both, n = (has & yes).sum(axis=-2), has.sum(axis=-2) + yes.sum(axis=-2)
    return 2 * both / np.maximum(n, 1)


def thresholded(valid, early, labels, scores):
    valid, labels = valid == 1, labels == 1
    grid = _GRID[:, None, None]
    on_valid, on_test = _f1(valid, early >= grid), _f1(labels, scores >= grid)
    tags = np.arange(labels.shape[1])
    best = np.where(valid.any(axis=0), on_valid.argmax(axis=0), 9)
    each, there = on_test[best, tags], labels.any(axis=0)
    said = (scores >= grid)[best, :, tags].any(axis=1)
    last = 18 - on_valid[::-1].argmax(axis=0)
    last = np.where(valid.any(axis=0), last, 9)
    one = on_valid[:, valid.any(axis=0)].mean(axis=1).argmax()
    chosen = scores >= _GRID[best]
    nothing = ~there & ~said
    above = np.where(valid.any(axis=0), _f1(valid, early > grid).argmax(axis=0), 9)
    empty = "a tag that no test clip has has no F1; leave it out"
    on_test_text = "the thresholds were chosen on the test clips"
    slips = [
        (on_test.max(axis=0)[there].mean(), on_test_text),
        (on_test.max(axis=0).mean(), on_test_text),
        (
            on_valid.max(axis=0)[valid.any(axis=0)].mean(),
            "it is measured on validation",
        ),
        (on_valid.max(axis=0)[there].mean(), "it is measured on the validation clips"),
        (each[there & said].mean(), "a tag for which nothing was said counts 0"),
        (each.mean(), empty),
        (np.where(nothing, 1, each).mean(), empty),
        (on_test[on_valid.argmax(axis=0), tags][there].mean(), _NO_VALID),
        (each[there & valid.any(axis=0)].mean(), _NO_VALID),
        (
            on_test[last, tags][there].mean(),
            "of equally good thresholds take the lowest",
        ),
        (_f1(labels, scores > _GRID[best])[there].mean(), "at the threshold is a yes"),
        (_f1(labels, scores > _GRID[above])[there].mean(), "at the threshold is a yes"),
        (on_test[9][there].mean(), "that is 0.5 for every tag"),
        (on_test[one][there].mean(), "that is one threshold for all; each has its own"),
        (_f1(labels.reshape(-1, 1), chosen.reshape(-1, 1))[0], "average over tags"),
    ]
    return each[there].mean(), slips


_NO_VALID = "a tag without positives in validation gets 0.5"


def intervals(labels, a, b, groups, n_boot=6000):
    """The interval of a paired bootstrap over groups, and those of typical slips.

    Shape: labels, a, b (n_clips, n_tags), groups (n_clips,) -> (low, high), and pairs
    of (low, high) and what to say of it.
    """
    random = np.random.default_rng(56)
    n, n_tags = labels.shape
    names, place = np.unique(groups, return_inverse=True)
    alone = np.arange(n)

    def draw(place, size=None):
        k = place.max() + 1
        return random.multinomial(size or k, np.full(k, 1 / k), n_boot)[:, place]

    def many(scores, weights):
        return metrics._areas(labels, scores, weights)[0]  # (n_boot, n_tags)

    def ends(values, outer=2.5):
        return tuple(np.nanpercentile(values, (outer, 100 - outer)))

    weights = draw(place)
    of_a, of_b = many(a, weights), many(b, weights)
    gaps = np.nanmean(of_a - of_b, axis=1)
    by_clip = draw(alone)
    whole = (many(a, np.ones((1, n))) - many(b, np.ones((1, n))))[0]
    by_tag = whole[random.integers(0, n_tags, (n_boot, n_tags))].mean(axis=1)
    other = np.nanmean(of_a, axis=1) - np.nanmean(many(b, draw(place)), axis=1)
    slips = [
        (ends(-gaps), "it is B minus A; A minus B is asked for"),
        (ends(other), "A and B were scored on different draws; pair them"),
        (ends(by_tag), "tags were drawn; draw groups of clips"),
        (ends(np.nanmean(of_a, axis=1)), "it is the interval of A alone"),
        (ends(np.nanmean(of_b, axis=1)), "it is the interval of B alone"),
        (ends(gaps, 5), "it holds 90 % of the draws; 95 % are asked for"),
    ]
    if len(names) < n:
        gaps_by_clip = np.nanmean(many(a, by_clip) - many(b, by_clip), axis=1)
        slips += [(ends(gaps_by_clip), "single clips were drawn; draw whole groups")]
    return ends(gaps), slips


def macros(labels, scores):
    """Mean ROC-AUC, mean AP, tags left out: name, right value and slips of each.

    Shape: labels, scores (n_clips, n_tags).
    """
    (roc,), (ap,) = metrics._areas(labels, scores, np.ones((1, len(labels))))
    kept, ones, pot = ~np.isnan(roc), labels.mean(axis=0), labels.reshape(-1, 1)
    ap_of_all = np.where(ones == 1, 1.0, np.nan_to_num(ap))
    out, parts = "a tag that cannot be scored counts as", []
    for name, each, of_pot in (
        ("mean ROC-AUC", roc, metrics.roc_auc),
        ("mean AP", ap, metrics.average_precision),
    ):
        slips = [
            (np.nan_to_num(each).mean(), f"{out} 0"),
            (np.where(kept, each, 0.5).mean(), f"{out} one half"),
            (np.where(kept, each, ones).mean(), f"{out} its floor"),
            (ap_of_all.mean(), f"{out} 0 or 1"),
            (ap_of_all[ones > 0].mean(), f"{out} 1, because every clip has it"),
            (np.average(each[kept], weights=ones[kept]), "every tag weighs alike"),
            (of_pot(pot, scores.reshape(-1, 1))[0], "all tags are in one pot"),
            (np.median(each[kept]), "that is a median, a mean is asked for"),
            (np.nanmean(roc), "mind the order: ROC-AUC first, then AP"),
            (np.nanmean(ap), "mind the order: ROC-AUC first, then AP"),
        ]
        parts.append((name, each[kept].mean(), slips))
    slips = [
        (kept.sum(), "these are the tags that were kept"),
        ((ones > 0).sum(), "these are the tags that some clip has"),
        ((ones < 1).sum(), "these are the tags that some clip lacks"),
        ((ones == 0).sum(), "a tag that every clip has cannot be scored either"),
        ((ones == 1).sum(), "a tag that no clip has cannot be scored either"),
        ((~kept).mean(), "a count is asked for, no share"),
    ]
    return [*parts, ("number of tags left out", (~kept).sum(), slips)]


def twice(has, scores):
    s = 1 / (1 + np.exp(-scores))
    return -(has * np.log(s) + (1 - has) * np.log(1 - s))


def unlimited(has, scores):
    with np.errstate(all="ignore"):
        return -(has * np.log(scores) + (1 - has) * np.log(1 - scores))


def highest(values, n):
    flat = np.zeros(values.size, bool)
    flat[np.argsort(-values, axis=None)[:n]] = True
    return flat.reshape(values.shape)


def near(yours, other, n_boot):
    """Equal up to the luck of the draws, four standard deviations of it."""
    width, luck = other[1] - other[0], 4 * n_boot**-0.5
    shift = abs(sum(yours) - sum(other)) / 2
    return abs((yours[1] - yours[0]) / width - 1) < luck and shift < luck / 2 * width


@functools.cache
def known_intervals(in_groups):
    return intervals(*rivals(in_groups))


def dice(labels):
    random = np.random.default_rng(3)
    labels = np.column_stack([labels, np.arange(len(labels)) == 5])
    a, b = random.random((2, *labels.shape))
    return labels, a, b, np.arange(len(labels))


def rivals(in_groups):
    """Two models that mostly make the same mistakes, A slightly better."""
    random = np.random.default_rng(57)
    artist = np.repeat(np.arange(20), [1, 7, 2, 6, 3, 5, 4, 4, 3, 5] * 2)
    groups = np.array([f"artist {n}" for n in artist]) if in_groups else np.arange(80)
    has = random.random((80, 2)) < [0.5, 0.3]
    common, rest = random.normal(size=(2, 80, 2))
    per_artist = random.normal(size=(20, 2))[artist]
    if in_groups:
        has = (random.random((20, 2)) < 0.4)[artist] ^ (random.random((80, 2)) < 0.1)
        rest = rest / 2 + 2 * per_artist
    a = has * [2.5, 0.6] + common
    b = has * [1.0, 1.5] + common + 0.4 * rest
    return has.astype("uint8"), a, b, groups
