"""Right and wrong answers to the tasks of lesson 06, for the tests of their probes.

Spoilers: learners, look into `hint` first. A wrong answer stands beside a part of
the message that it must get.
"""

import numpy as np
import pandas as pd
import torch
from scipy import stats
from scipy.spatial.distance import cdist
from sklearn.metrics.pairwise import cosine_similarity

from tagkit.checks.engine import Answers
from tagkit.evaluation import neighbours

ANSWERS: dict[str, Answers] = {}


# 0.6 Moved by what was skipped


def by_ifs(query, kept, skipped):
    if len(kept):
        query = query + 0.75 * kept.mean(axis=0)
    if len(skipped):
        query = query - 0.15 * skipped.mean(axis=0)
    return query


def by_sum(query, kept, skipped):
    to = kept.sum(axis=0) / max(1, len(kept))
    return list(
        query + 3 / 4 * to - 3 / 20 * skipped.sum(axis=0) / max(1, len(skipped))
    )


def by_tensor(query, kept, skipped):
    to, away = (torch.tensor(x).mean(dim=0).nan_to_num() for x in (kept, skipped))
    return torch.tensor(query) + 0.75 * to - 0.15 * away


def weighted(to=0.75, away=-0.15, start=1, how=np.mean):
    def move(query, kept, skipped):
        move = start * query
        for weight, heard in ((to, kept), (away, skipped)):
            move = move + (weight * how(heard, axis=0) if len(heard) else 0)
        return move

    return move


ANSWERS["0.6"] = Answers(
    by_ifs,
    [by_sum, by_tensor, lambda *x: pd.Series(by_ifs(*x))],
    [
        (weighted(how=np.sum), "these are sums"),
        (weighted(-0.75, 0.15), "the wrong way"),
        (weighted(away=0.15), "push it away"),
        (weighted(0.15, -0.75), "the weights are exchanged"),
        (weighted(start=0), "the query itself is missing"),
        (weighted(away=0), "the skipped clips have no effect"),
        (weighted(1, -1), "the weights are missing"),
        (lambda q, k, s: q + 0.75 * k.mean(0) - 0.15 * s.mean(0), "holds nan"),
        (lambda q, k, s: q + 0.75 * k.mean() - 0.15 * s.mean(), "another vector"),
        (lambda q, k, s: q + 0.75 * k - 0.15 * s[:1], "has shape (3, 4)"),
        (lambda q, k, s: by_ifs(q, k, s) if len(k) else None, "returns nothing in one"),
    ],
)


# 6.1 Which clips point the same way


def by_units(vectors):
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    units = vectors / np.where(lengths > 0, lengths, 1)
    return units @ units.T


def by_loop(vectors):
    rows = []
    for a in vectors:
        row = []
        for b in vectors:
            size = (a**2).sum() ** 0.5 * (b**2).sum() ** 0.5
            row.append((a * b).sum() / size if size else 0)
        rows.append(row)
    return rows


def by_torch(vectors):
    x = torch.tensor(vectors, dtype=torch.float64)
    return torch.nn.functional.cosine_similarity(x[:, None], x, dim=-1)


def divides_by_zero(vectors):
    units = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return units @ units.T


def one_length(vectors):
    lengths = np.linalg.norm(vectors, axis=1)
    return vectors @ vectors.T / np.where(lengths > 0, lengths, 1)


def full_diagonal(vectors):
    near = by_units(vectors)
    np.fill_diagonal(near, 1)
    return near


ANSWERS["6.1"] = Answers(
    by_units,
    [
        by_loop,
        by_torch,
        cosine_similarity,
        lambda vectors: pd.DataFrame(neighbours.similarity(vectors, centre=False)),
    ],
    [
        (lambda vectors: vectors @ vectors.T, "divide by both lengths"),
        (one_length, "one of the two lengths only"),
        (divides_by_zero, "divided by zero"),
        (full_diagonal, "a vector of zeros has no direction"),
        (neighbours.similarity, "no mean is taken off"),
        (lambda vectors: by_units(vectors.T), "has shape (2, 2)"),
        (lambda vectors: -cdist(vectors, vectors), "do not give that"),
    ],
)


# 6.2 Neighbours by other artists


def by_mask(similarities, artists, k):
    same = artists[:, None] == artists
    allowed = np.where(same, -np.inf, similarities)
    return np.argsort(-allowed, axis=1, kind="stable")[:, :k]


def by_sorted(similarities, artists, k):
    lists = []
    for clip, row in enumerate(similarities):
        others = [i for i in range(len(row)) if artists[i] != artists[clip]]
        lists.append(sorted(others, key=lambda i: -row[i])[:k])
    return lists


def by_frame(similarities, artists, k):
    rows = []
    for artist, row in zip(artists, similarities, strict=True):
        others = pd.Series(row)[artists != artist]
        rows.append(others.sort_values(ascending=False, kind="stable").index[:k])
    return torch.tensor(np.array(rows))


def drops_first(similarities, artists, k):
    return np.argsort(-similarities, axis=1, kind="stable")[:, 1 : k + 1]


def no_filter(similarities, artists, k):
    return neighbours.nearest(similarities, k)


def not_itself_excluded(similarities, artists, k):
    same = artists[:, None] == artists
    np.fill_diagonal(same, False)
    allowed = np.where(same, -np.inf, similarities)
    return np.argsort(-allowed, axis=1, kind="stable")[:, :k]


def filter_with_zero(similarities, artists, k):
    same = artists[:, None] == artists
    return np.argsort(-np.where(same, 0, similarities), axis=1, kind="stable")[:, :k]


def turned(similarities, artists, k):
    allowed = np.where(artists[:, None] == artists, -np.inf, similarities)
    return np.argsort(allowed, axis=1, kind="stable")[:, ::-1][:, :k]


def most_similar_last(similarities, artists, k):
    return by_mask(similarities, artists, k)[:, ::-1]


def least_similar(similarities, artists, k):
    allowed = np.where(artists[:, None] == artists, np.inf, similarities)
    return np.argsort(allowed, axis=1, kind="stable")[:, :k][:, ::-1]


def filters_afterwards(similarities, artists, k):
    found = neighbours.nearest(similarities, k)
    return [
        [i for i in row if artists[i] != a]
        for row, a in zip(found, artists, strict=True)
    ]


def values(similarities, artists, k):
    return np.take_along_axis(similarities, by_mask(similarities, artists, k), axis=1)


ANSWERS["6.2"] = Answers(
    by_mask,
    [
        by_sorted,
        by_frame,
        lambda near, artists, k: neighbours.nearest(near, k, artists),
    ],
    [
        (drops_first, "its own artist is in it"),
        (not_itself_excluded, "its own artist is in it"),
        (no_filter, "its own artist is in it"),
        (filter_with_zero, "its own artist is in it"),
        (turned, "of equally near clips the first ones"),
        (most_similar_last, "the most similar one must come first"),
        (least_similar, "are left out"),
        (filters_afterwards, "numbers are needed"),
        (values, "places of clips"),
        (lambda *x: by_mask(*x)[:, [0, 0, *range(2, x[2])]], "are left out"),
        (lambda near, *x: by_mask(near.T, *x), "you read columns"),
        (lambda *x: by_mask(*x)[:, :1], "has shape (6, 1)"),
    ],
)


# 6.3 Precision at k


def by_take(found, relevant):
    return np.take_along_axis(relevant, found, axis=1).mean(axis=1)


def by_query(found, relevant):
    rows = zip(found.tolist(), relevant.tolist(), strict=True)
    return [sum(row[place] for place in places) / len(places) for places, row in rows]


def by_rows(found, relevant):
    rows = np.arange(len(found))[:, None]
    return torch.tensor(relevant)[rows, torch.tensor(found)].double().mean(dim=1)


def recall(found, relevant):
    hits = np.take_along_axis(relevant, found, axis=1).sum(axis=1)
    return hits / np.maximum(relevant.sum(axis=1), 1)


def nan_recall(found, relevant):
    return np.take_along_axis(relevant, found, axis=1).sum(axis=1) / relevant.sum(1)


ANSWERS["6.3"] = Answers(
    by_take,
    [by_query, by_rows, lambda *both: pd.Series(neighbours.precision_at_k(*both))],
    [
        (recall, "that is recall"),
        (nan_recall, "that is recall"),
        (lambda f, r: by_take(f, r).mean(), "has shape ()"),
        (lambda f, r: by_take(f, r) * f.shape[1], "these are counts"),
        (lambda f, r: r[:, : f.shape[1]].mean(axis=1), "the first columns"),
        (lambda f, r: 1 - by_take(f, r), "that is not relevant"),
        (lambda f, r: np.take_along_axis(r, f, axis=1).mean(axis=0), "has shape (3,)"),
    ],
)


# 6.4 A playlist


def by_worth(similarities, first, n, variety):
    chosen = [first]
    while len(chosen) < n:
        worth = (1 - variety) * similarities[first]
        if len(chosen) > 1:
            worth = worth - variety * similarities[chosen[1:]].max(axis=0)
        worth[chosen] = -np.inf
        chosen.append(int(worth.argmax()))
    return chosen


def by_candidates(similarities, first, n, variety):
    chosen, free = [first], set(range(len(similarities))) - {first}

    def worth(clip):
        others = [similarities[clip][other] for other in chosen[1:]]
        penalty = variety * max(others) if others else 0
        return (1 - variety) * similarities[clip][first] - penalty, -clip

    while len(chosen) < n:
        chosen.append(max(free, key=worth))
        free.remove(chosen[-1])
    return np.array(chosen)


def with_slip(how=np.max, first_too=False, again=False, sign=1, swap=False):
    def playlist(similarities, first, n, variety):
        chosen = [first]
        while len(chosen) < n:
            share = 1 - variety if swap else variety
            worth = (1 - share) * similarities[first]
            others = chosen if first_too else chosen[1:]
            if others:
                worth = worth - sign * share * how(similarities[others], axis=0)
            if not again:
                worth[chosen] = -np.inf
            chosen.append(int(worth.argmax()))
        return chosen

    return playlist


def one_short(similarities, first, n, variety):
    return by_worth(similarities, first, n, variety)[1:]


ANSWERS["6.4"] = Answers(
    by_worth,
    [
        by_candidates,
        neighbours.playlist,
        lambda *x: torch.tensor(neighbours.playlist(*x)),
    ],
    [
        (with_slip(first_too=True), "the first clip is none"),
        (with_slip(how=np.mean), "take the largest"),
        (with_slip(swap=True), "weights are exchanged"),
        (with_slip(sign=-1), "is worth more"),
        (with_slip(sign=0), "variety has no effect"),
        (with_slip(again=True), "occurs twice"),
        (with_slip(how=np.sum), "another clip is worth more"),
        (one_short, "has 7 parts; 8"),
        (lambda *x: by_worth(*x)[::-1], "it must begin with clip"),
        (lambda near, *x: np.argsort(-near[x[0]])[: x[1]], "variety has no effect"),
    ],
)


# 6.5 Hubs


def by_bincount(found, n_clips):
    counts = np.bincount(found.ravel(), minlength=n_clips)
    return counts, stats.skew(counts) if np.ptp(counts) else 0.0


def by_counting(found, n_clips):
    counts = [sum(clip in row for row in found.tolist()) for clip in range(n_clips)]
    mean = sum(counts) / n_clips
    square = sum((c - mean) ** 2 for c in counts) / n_clips
    cube = sum((c - mean) ** 3 for c in counts) / n_clips
    return counts, cube / square**1.5 if square else 0


def by_series(found, n_clips):
    given = pd.Series(found.ravel()).value_counts()
    counts = given.reindex(range(n_clips), fill_value=0)
    d = counts - counts.mean()
    return [counts, torch.tensor((d**3).mean() / max((d**2).mean(), 1e-12) ** 1.5)]


def skewed(found, n_clips, change):
    counts = by_bincount(found, n_clips)[0]
    return counts, change(counts - counts.mean(), counts)


def forgets_never(found, n_clips):
    _, counts = np.unique(found, return_counts=True)
    return counts, stats.skew(counts)


ANSWERS["6.5"] = Answers(
    by_bincount,
    [by_counting, by_series],
    [
        (forgets_never, "has shape (3,)"),
        (
            lambda f, n: skewed(f, n, lambda d, c: (d**3).mean() / d.std() ** 3),
            "is nan",
        ),
        (
            lambda f, n: skewed(
                f, n, lambda d, c: (d**3).mean() / (c.std(ddof=1) or 1) ** 3
            ),
            "not by n - 1",
        ),
        (
            lambda f, n: skewed(f, n, lambda d, c: (d**3).mean() / c.var()),
            "the cube of the deviation",
        ),
        (
            lambda f, n: skewed(f, n, lambda d, c: -stats.skew(c)),
            "the mean cube of what?",
        ),
        (lambda f, n: skewed(f, n, lambda d, c: c.max()), "the mean cube of what?"),
        (lambda f, n: by_bincount(f[:, :1], n), "you count clip"),
        (lambda f, n: by_bincount(f, n)[0], "has 9 parts"),
    ],
)


# 6.6 What the map keeps


def by_row(own, drawn):
    rows = zip(own, drawn, strict=True)
    return np.mean([np.isin(o, d).mean() for o, d in rows])


def by_sets(own, drawn):
    rows = zip(own.tolist(), drawn.tolist(), strict=True)
    return sum(len(set(o) & set(d)) for o, d in rows) / own.size


def by_comparison(own, drawn):
    same = torch.tensor(own)[:, :, None] == torch.tensor(drawn)[:, None]
    return same.any(dim=2).double().mean()


ANSWERS["6.6"] = Answers(
    by_row,
    [by_sets, by_comparison],
    [
        (lambda own, drawn: (own == drawn).mean(), "may stand elsewhere"),
        (lambda own, drawn: np.isin(own, drawn).mean(), "the lists of all clips"),
        (lambda own, drawn: by_row(own, drawn) * own.shape[1], "that is a count"),
        (lambda own, drawn: by_row(drawn, own), "the share of `drawn`"),
        (lambda own, drawn: np.isin(own, drawn).mean(axis=1), "one number is needed"),
        (lambda own, drawn: 0.3, "how many of `own`"),
    ],
)


# The examples of the texts: which part of the answer, what it gets, what it gives

FOUR = np.array(
    [[1, 0.9, 0.8, 0.1], [0.9, 1, 0.9, 0], [0.8, 0.9, 1, 0], [0.1, 0, 0, 1]]
)
THREE = np.array([[1, 0.9, 0.2], [0.9, 1, 0.3], [0.2, 0.3, 1]])  # of two artists
EXAMPLES = {
    "6.1": [
        (
            None,
            (np.array([[2, 0], [3, 3], [0, 0]]),),
            [[1, 0.7071, 0], [0.7071, 1, 0], [0, 0, 0]],
        )
    ],
    "6.2": [(None, (THREE, np.array([*"AAB"]), 1), [[2], [2], [1]])],
    "6.3": [
        (None, (np.array([[2, 0]]), np.array([[False, True, True]])), [0.5]),
    ],
    "6.4": [
        (None, (FOUR, 0, 3, 0.0), [0, 1, 2]),
        (None, (FOUR, 0, 3, 0.5), [0, 1, 3]),
    ],
    "6.5": [(None, (np.array([[1], [0], [0], [0]]), 4), ([3, 1, 0, 0], 0.8165))],
    "6.6": [
        (None, (np.array([[5, 7], [3, 4]]), np.array([[7, 9], [4, 3]])), 0.75),
    ],
}

# The last hints, followed to the letter: {0} is the first piece of code in the hint

FOLLOWED = {
    "0.6": (
        None,
        """
def answer(query, kept, skipped):
    {0}
    if len({1}):
        query = query - 0.15 * {1}.mean(axis=0)
    {2}
""",
    ),
    "6.1": (None, "def answer(vectors):\n    {0}\n    {1}\n    return {2}"),
    "6.2": (
        None,
        """
def answer(similarities, artists, k):
    same = artists[:, None] == artists
    {0}
    return {1}
""",
    ),
    "6.3": (None, "def answer(found, relevant):\n    return {0}"),
    "6.4": (
        None,
        """
def answer(similarities, first, n, variety):
    chosen = [first]
    while len(chosen) < n:
        {0}
        if len(chosen) > 1:
            {1}
        {2}
        chosen.append({3})
    return chosen
""",
    ),
    "6.5": (
        None,
        """
def answer(found, n_clips):
    counts = np.bincount(found.ravel(), minlength=n_clips)
    if counts.std() == 0:
        return counts, 0
    {0}
    return counts, {1}
""",
    ),
    "6.6": (None, "def answer(own, drawn):\n    return {0}"),
}
