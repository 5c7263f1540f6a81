"""The six tasks of lesson 06, recommendation: hints and probes.

Each probe tries small cases with traps: equal clips, zeros, ties, values below 0.
"""

import numpy as np
from scipy import stats

from tagkit.checks.engine import call, task
from tagkit.checks.museum import array, refuse
from tagkit.checks.values import Wrong, number, plain, several, short
from tagkit.evaluation import neighbours


@task(
    "6.1",
    "Which clips point the same way",
    points=2,
    hints=(
        "All products of all pairs at once: `vectors @ vectors.T`. What is the length "
        "of a vector, and by which two lengths is each product divided?",
        "Divide the vectors by their lengths first; then one product is enough. A "
        "length of 0 must not be divided by: put 1 in its place.",
        "`lengths = np.linalg.norm(vectors, axis=1, keepdims=True)`, then "
        "`units = vectors / np.where(lengths > 0, lengths, 1)` and `units @ units.T`.",
    ),
    praise="Every number lies between -1 and 1, and the diagonal is 1, unless a vector "
    "is all zeros.",
)
def cosines(answer):
    few = np.array([[2, 0], [3, 3], [0, 5], [0, 0], [-1, 0]])
    many = np.random.default_rng(6).normal(0.02, 0.02, (30, 7))
    for vectors, where in ((few, "five vectors"), (many, "30 vectors of 7 numbers")):
        n, where = len(vectors), f"For {where}"
        value = np.asarray(plain(call(answer, vectors)))
        if value.dtype.kind == "f" and value.shape == (n, n) and np.isnan(value).any():
            row, column = np.argwhere(np.isnan(value))[0]
            raise Wrong(
                f"{where} your cosine of {vectors[row]} and {vectors[column]} is nan: "
                "something was divided by 0."
            )
        yours = array(value, (n, n), f"{where} your matrix")
        right = neighbours.similarity(vectors, centre=False)
        product = vectors @ vectors.T
        lengths = np.linalg.norm(vectors, axis=1)
        lengths = np.where(lengths > 0, lengths, 1)
        with_self = right + np.diag(lengths == 0)
        np.fill_diagonal(with_self, 1)
        slips = [
            (product, "these are products; divide by both lengths"),
            (product / lengths, "you divided by one of the two lengths only"),
            (product / lengths[:, None], "you divided by one of the two lengths only"),
            (product / np.outer(lengths, lengths) ** 2, "the squares of the lengths?"),
            (neighbours.similarity(vectors), "nothing is to be taken off here"),
            (1 - right, "that is a distance: less is nearer"),
            (with_self, "a vector of zeros has no direction, so it is like none"),
        ]
        row, column = np.unravel_index(np.abs(yours - right).argmax(), right.shape)
        seen = f"{where} your cosine of clip {row} and clip {column} is "
        seen += f"{yours[row, column]:.3f}"
        refuse(yours, right, slips, seen, "their vectors do not give that")


@task(
    "6.2",
    "Neighbours by other artists",
    points=3,
    hints=(
        "Give all clips that may not be listed a similarity below every other one, "
        "then sort each row. Is 0 low enough?",
        "`artists[:, None] == artists` is True for all pairs of one artist, a clip "
        "with itself among them. For ties, ask `argsort` for `kind='stable'`.",
        "`allowed = np.where(same, -np.inf, similarities)`, and then "
        "`np.argsort(-allowed, axis=1, kind='stable')[:, :k]`.",
    ),
    praise="This filter costs precision, and it is honest: look at the next tasks.",
)
def filtered(answer):
    near = np.array(
        [
            [1.0, 1.0, 0.9, -0.2, 0.5, 0.5],
            [1.0, 1.0, 0.8, -0.2, 0.5, 0.5],
            [0.9, 0.8, 1.0, 0.3, 0.2, 0.7],
            [-0.2, -0.2, 0.3, 1.0, -0.1, -0.4],
            [0.5, 0.5, 0.2, -0.1, 1.0, 0.6],
            [0.5, 0.5, 0.7, -0.4, 0.6, 1.0],
        ]
    )
    each = np.array(list("abcdef"))
    some = np.array(list("abacde"))
    lone = np.array(list("aababb"))
    vectors = np.random.default_rng(62).normal(size=(60, 3))
    rough = neighbours.similarity(vectors).round(1) - 2  # some lie below -1
    many = np.array([f"artist {i % 13}" for i in range(60)])
    for similarities, artists, k, where in (
        (near, each, 2, "six clips by six artists"),
        (near, some, 3, "six clips by five artists"),
        (near, lone, 3, "six clips by two artists"),
        (rough, many, 10, "60 clips by 13 artists"),
    ):
        n, where = len(artists), f"For {where} and k={k}"
        value = call(answer, similarities, artists, k)
        yours = array(value, (n, k), f"{where} your result")
        if (yours != yours.round()).any() or yours.min() < 0 or yours.max() >= n:
            raise Wrong(
                f"{where} your result holds {short(yours.flat[0])}; places of clips, "
                f"whole numbers from 0 to {n - 1}, are needed."
            )
        yours = yours.astype(int)
        right = neighbours.nearest(similarities, k, artists)
        for clip in range(n):
            _judge_row(
                clip, yours[clip], right[clip], similarities[clip], artists, where
            )


def _judge_row(clip, yours, right, near, artists, where):
    if (yours == right).all():
        return
    seen = f"{where} clip {clip} gets the list {yours.tolist()}"
    if clip in yours:
        raise Wrong(f"{seen}: it is in its own list.")
    if len(set(yours)) < len(yours):
        raise Wrong(f"{seen}: one clip occurs twice.")
    if (artists[yours] == artists[clip]).any():
        raise Wrong(f"{seen}: its own artist is in it.")
    if np.allclose(near[yours], near[right]):
        raise Wrong(f"{seen}: of equally near clips the first ones come first.")
    if (np.diff(near[yours]) > 0).any():
        raise Wrong(f"{seen}: the most similar one must come first.")
    raise Wrong(f"{seen}: nearer clips by other artists are left out.")


@task(
    "6.3",
    "Precision at k",
    points=2,
    hints=(
        "For one query: which of its k places are relevant *to it*? That is a list of "
        "k answers, and their mean is its precision.",
        "Row q of `found` holds columns of row q of `relevant`. By hand, a loop: "
        "`relevant[q][found[q]]`.",
        "`np.take_along_axis(relevant, found, axis=1).mean(axis=1)`, or the loop.",
    ),
    praise="Its floor is what random lists reach: compute it beside every score.",
)
def precision(answer):
    found = np.array([[2, 0, 1], [3, 4, 0]])
    relevant = np.array([[1, 0, 1, 1, 1], [0, 1, 1, 1, 0]], dtype=bool)
    random = np.random.default_rng(63)
    more = np.argsort(random.random((25, 40)), axis=1)[:, :6]
    wanted = random.random((25, 40)) < np.linspace(0.1, 0.9, 25)[:, None]
    wanted[3] = False
    for places, wish, where in (
        (found, relevant, "For two queries"),
        (more, wanted, "For 25 queries, one of them without any relevant clip"),
    ):
        k = places.shape[1]
        value = call(answer, places, wish)
        if np.size(plain(value)) == 1:
            raise Wrong(f"{where} yours is one number; one for each query is needed.")
        yours = np.asarray(plain(value), dtype=float)
        if np.isnan(yours).any():
            raise Wrong(f"{where} yours holds nan: what is divided by 0?")
        yours = array(yours, (len(places),), f"{where} your result")
        hits = np.take_along_axis(wish, places, axis=1).sum(axis=1)
        n_relevant = np.maximum(wish.sum(axis=1), 1)
        slips = [
            (hits, "these are counts, a share is needed"),
            (hits / n_relevant, "you divided by the relevant clips: that is recall"),
            (hits / np.minimum(k, n_relevant), "you divided by what was possible"),
            (
                wish[:, :k].mean(axis=1),
                "you took the first columns, not the found ones",
            ),
            (wish.mean(axis=1), "that is what a random list reaches"),
            (wish[0][places].mean(axis=1), "every query was judged by the first one"),
            (1 - hits / k, "these are the misses"),
        ]
        at = np.abs(yours - hits / k).argmax()
        seen = f"{where} your precision of query {at} is {yours[at]:.3f}"
        otherwise = f"of its {k} places, which are relevant to it?"
        refuse(yours, hits / k, slips, seen, otherwise, 1e-6)


@task(
    "6.4",
    "A playlist that stays near and does not repeat itself",
    points=3,
    hints=(
        "Build the list clip by clip. For each candidate compute one number, its "
        "worth, and take the best that is not in the list yet.",
        "`similarities[chosen].max(axis=0)` is the largest similarity of each clip to "
        "a list of clips. The first clip is left out of that list.",
        "`worth = (1 - variety) * similarities[first]`; from the third clip on "
        "`worth = worth - variety * similarities[chosen[1:]].max(axis=0)`; then "
        "`worth[chosen] = -np.inf` and `worth.argmax()`.",
    ),
    praise="Listen to lists of several varieties: where do they lose the thread?",
)
def varied(answer):
    small = np.array(
        [[1, 0.9, 0.8, 0.1], [0.9, 1, 0.9, 0], [0.8, 0.9, 1, 0], [0.1, 0, 0, 1]]
    )
    vectors = np.random.default_rng(64).normal(size=(40, 4))
    large = neighbours.similarity(vectors)
    for near, first, n, variety in (
        *((small, 0, 3, 0.0), (large, 7, 8, 0.3), (small, 0, 3, 0.5)),
        *((large, 0, 2, 0.9), (large, 5, 8, 0.0), (small, 3, 4, 0.3)),
        *((large, 11, 8, 0.6), (large, 39, 12, 0.8), (large.round(1), 4, 10, 0.5)),
    ):
        where = f"For {len(near)} clips, first {first}, n={n} and variety={variety:g}"
        value = plain(call(answer, near, first, n, variety))
        yours = array(value, np.shape(value), f"{where} your list").ravel()
        seen = f"{where} your list is {yours.astype(int).tolist()}"
        if len(yours) != n:
            raise Wrong(f"{seen}: these are {len(yours)} clips, {n} were asked for.")
        if yours[0] != first:
            raise Wrong(f"{seen}: it must begin with clip {first}.")
        if len(set(yours)) < n:
            raise Wrong(f"{seen}: a clip occurs twice.")
        right = neighbours.playlist(near, first, n, variety)
        slips = [
            (_mmr(near, first, n, variety, with_first=True), "the first clip counts as "
             "one of the others, though the list shall stay near to it"),
            (_mmr(near, first, n, variety, how=np.mean), "you took the mean similarity "
             "to the others; the largest one is asked for"),
            (_mmr(near, first, n, variety, how=np.min), "you took the smallest "
             "similarity to the others"),
            (_mmr(near, first, n, variety, only_last=True), "only the last clip of the "
             "list was compared"),
            (_mmr(near, first, n, 1 - variety), "the two weights are swapped"),
            (_mmr(near, first, n, -variety), "what is like the others got a bonus"),
            (_mmr(near, first, n, 0), "variety has no effect"),
        ]  # fmt: skip
        refuse(yours, right, slips, seen, "another clip is worth more", 1e-9)


def _mmr(near, first, n, variety, how=np.max, with_first=False, only_last=False):
    """Make a playlist with one slip of a learner built in."""
    chosen = [first]
    for _ in range(n - 1):
        worth = (1 - variety) * near[first]
        others = chosen if with_first else chosen[1:]
        if others:
            others = others[-1:] if only_last else others
            worth = worth - variety * how(near[others], axis=0)
        worth = np.where(np.isin(np.arange(len(near)), chosen), -np.inf, worth)
        chosen.append(int(worth.argmax()))
    return chosen


@task(
    "6.5",
    "Hubs",
    points=2,
    hints=(
        "Turn the question round: not whom a clip lists, but how many lists name it. "
        "Clips that nobody names count, too, with 0.",
        "`np.bincount(found.ravel(), minlength=n_clips)` counts. For the skewness take "
        "the mean off, and divide by the deviation; then the mean of the cubes.",
        "`z = (counts - counts.mean()) / counts.std()` and `(z**3).mean()`; if the "
        "deviation is 0, the skewness is 0.",
    ),
    praise="Above 1 a few clips take the places of many. Who is never found?",
)
def hubs(answer):
    uneven = np.array([[1, 2], [0, 2], [0, 1], [2, 0], [2, 1]])
    even = np.array([[1], [2], [3], [0]])
    random = np.random.default_rng(65)
    many = (random.random((60, 70)) + np.arange(70) / 60).argsort(axis=1)[:, :5]
    for found, n, where in (
        (uneven, 5, "five lists of 2"),
        (uneven, 9, "five lists among 9 clips"),
        (many, 70, "60 lists among 70 clips"),
        (even, 4, "four lists in which every clip stands once"),
    ):
        where = f"For {where}"
        value, skewness = several(call(answer, found, n), 2, "Your result")
        counts = np.bincount(found.ravel(), minlength=n)
        if np.shape(plain(value)) == (len(np.unique(found)),) != (n,):
            raise Wrong(
                f"{where} you have {np.size(plain(value))} counts; {n} are needed: "
                "clips in no list have one, too."
            )
        yours = array(value, (n,), f"{where} your counts")
        at = np.abs(yours - counts).argmax()
        if not np.allclose(yours, counts):
            raise Wrong(f"{where} you count clip {at} in {yours[at]:g} lists.")
        if np.size(plain(skewness)) == 1 and np.isnan(float(plain(skewness))):
            raise Wrong(f"{where} your skewness is nan: the deviation is 0 there.")
        yours = number(skewness, f"{where} your skewness")
        right = stats.skew(counts) if np.ptp(counts) else 0.0
        d = counts - counts.mean()
        deviation = counts.std(ddof=1) or 1
        slips = [
            ((d**3).mean() / deviation**3, "the deviation divides by n, not by n - 1"),
            ((d**3).mean(), "it is not divided by the deviation"),
            ((d**3).sum() / (counts.std() or 1) ** 3, "that is the sum of the cubes"),
            (
                (d**3).mean() / (counts.var() or 1),
                "divide by the cube of the deviation",
            ),
            (-right, "the sign is the wrong way round"),
        ]
        seen = f"{where} your skewness is {yours:.4f}"
        refuse(yours, right, slips, seen, "the mean cube of what?", 1e-6)


@task(
    "6.6",
    "What the map keeps",
    points=2,
    hints=(
        "For one clip: how many of its row in `own` stand anywhere in its row of "
        "`drawn`? Their order does not matter.",
        "`np.isin(own[i], drawn[i])` for one clip; go through the rows, and do not mix "
        "the lists of different clips.",
        "`np.mean([np.isin(o, d).mean() for o, d in zip(own, drawn)])`",
    ),
    praise="Beside it belongs the share that chance keeps: k / (n_clips - 1).",
)
def kept(answer):
    own = np.array([[1, 2], [0, 2], [3, 1], [2, 0]])
    drawn = np.array([[2, 3], [3, 0], [0, 1], [1, 3]])
    random = np.random.default_rng(66)
    order = np.argsort(random.random((30, 12)), axis=1)
    again = np.argsort(random.random((30, 12)), axis=1)
    for a, b, where in (
        (own, drawn, "four clips with lists of 2"),
        (order[:, :4], again[:, :4], "30 clips with lists of 4"),
        (order[:, :3], again[:, :6], "lists of 3 and, on the map, lists of 6"),
    ):
        where = f"For {where} your share is"
        yours = number(call(answer, a, b), where)
        both = np.array([np.isin(x, y).sum() for x, y in zip(a, b, strict=True)])
        either = a.shape[1] + b.shape[1] - both
        right = both.mean() / a.shape[1]
        slips = [
            (both.mean(), "that is a count, divide by the length of the lists"),
            ((both / either).mean(), "you divided by the clips in either list"),
            (both.mean() / b.shape[1], "you divided by the lists on the map"),
            (np.isin(a, b).mean(), "you looked into the lists of all clips"),
            (100 * right, "a share, not per cent"),
            (1 - right, "that is what is lost"),
        ]
        if a.shape == b.shape:
            slips.append(((a == b).mean(), "the same neighbour may stand elsewhere"))
        seen = f"{where} {yours:.4f}"
        refuse(yours, right, slips, seen, "how many of `own` are in `drawn`?", 1e-6)
