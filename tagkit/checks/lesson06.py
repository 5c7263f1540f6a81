"""The tasks of lesson 06, recommendation: hints and probes.

Each probe tries small cases with traps: equal clips, zeros, ties, values below 0.
"""

import numpy as np
from scipy import stats

from tagkit.checks.engine import calls, task
from tagkit.checks.tensors import array
from tagkit.checks.values import Wrong, number, refuse_slips, several, short
from tagkit.evaluation import neighbours


@task(
    "0.6",
    "Moved by what was skipped",
    points=1,
    hints=(
        "`kept` has a row for each clip. Which axis does `mean` go along, so that a "
        "vector as long as `query` is left?",
        "The mean of no rows is nan. `len(kept)` says how many rows there are.",
        "`if len(kept): query = query + 0.75 * kept.mean(axis=0)`, likewise with minus "
        "and 0.15 for `skipped`, then `return query`.",
    ),
    praise="The rule is from the 1960s, and from the search for texts.",
)
def moved(answer):
    random = np.random.default_rng(6)
    none, some = np.zeros((0, 4)), random.normal(size=(3, 4)).round(1)
    cases = [
        (random.normal(size=4).round(1), some, random.normal(size=(2, 4)).round(1)),
        (np.array([1.0, 0]), np.array([[0.0, 1]]), np.array([[0.0, -1], [2, 1]])),
        (some[0], none, some[1:]),
        (some[0], some[1:], none),
        (some[0], none, none),
    ]
    for (query, kept, skipped), value in zip(cases, calls(answer, cases), strict=True):
        case = f"For {len(kept)} kept and {len(skipped)} skipped"
        yours = array(value, query.shape, f"{case} your query", "(n_dims,)")
        to, away = (
            (x.mean(axis=0), x.sum(axis=0)) if len(x) else (0 * query, 0 * query)
            for x in (kept, skipped)
        )
        slips = [
            (query + 0.75 * to[1] - 0.15 * away[1], "these are sums, not means"),
            (query - 0.75 * to[0] + 0.15 * away[0], "it moves the wrong way"),
            (query + 0.75 * to[0] + 0.15 * away[0], "skipped clips push it away"),
            (query + 0.15 * to[0] - 0.75 * away[0], "the weights are exchanged"),
            (0.75 * to[0] - 0.15 * away[0], "the query itself is missing"),
            (query + 0.75 * to[0], "the skipped clips have no effect"),
            (query + to[0] - away[0], "the weights are missing"),
        ]
        right = query + 0.75 * to[0] - 0.15 * away[0]
        seen = f"{case} your query begins with {yours[0]:.3f}"
        refuse_slips(yours, right, slips, seen, "the rule gives another vector")


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
    cases = [(few,), (few[[0, 1, 3]],), (many,)]
    names = "five vectors", "the example of the text", "30 vectors of 7 numbers"
    asked = zip(cases, names, calls(answer, cases), strict=True)
    for (vectors,), what, value in asked:
        n = len(vectors)
        yours = array(value, (n, n), f"For {what} your matrix", "(n_clips, n_clips)")
        right = neighbours.similarity(vectors, centre=False)
        product = vectors @ vectors.T
        lengths = np.linalg.norm(vectors, axis=1)
        one_length = product / np.where(lengths > 0, lengths, 1)
        sums = np.abs(vectors).sum(axis=1, keepdims=True)
        by_sums = vectors / np.where(sums > 0, sums, 1)
        slips = [
            (product, "these are products; divide by both lengths"),
            (one_length, "you divided by one of the two lengths only"),
            (one_length.T, "you divided by one of the two lengths only"),
            (by_sums @ by_sums.T, "a length is the root of the sum of squares"),
            (neighbours.similarity(vectors), "no mean is taken off here"),
            (right + np.diag(lengths == 0), "a vector of zeros has no direction"),
        ]
        row, column = np.unravel_index(np.abs(yours - right).argmax(), right.shape)
        seen = f"For {what} your cosine of clip {row} and clip {column} is "
        seen += f"{yours[row, column]:.3f}"
        refuse_slips(yours, right, slips, seen, "their vectors do not give that", 1e-4)


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
            [0.1, 0.8, 1.0, 0.3, 0.2, 0.7],
            [-0.2, -0.2, 0.3, 1.0, -0.1, -0.4],
            [0.5, 0.5, 0.2, 0.6, 1.0, 0.6],
            [0.5, 0.5, 0.7, -0.4, 0.1, 1.0],
        ]
    )
    few = np.array([[1, 0.9, 0.2], [0.9, 1, 0.3], [0.2, 0.3, 1]])
    rough = np.random.default_rng(62).normal(size=(60, 60)).round(1) - 2
    many = np.array([f"artist {i % 13}" for i in range(60)])
    cases = {
        "six clips by five artists": (near, np.array(list("abacde")), 3),
        "six clips by two artists": (near, np.array(list("aababb")), 3),
        "the artists of the text": (few, np.array(list("AAB")), 1),
        "60 clips by 13 artists": (rough, many, 10),
    }
    asked = zip(cases.items(), calls(answer, cases.values()), strict=True)
    for (what, (similarities, artists, k)), value in asked:
        n, case = len(artists), f"For {what} and k={k}"
        yours = array(value, (n, k), f"{case} your result", "(n_clips, k)")
        if (yours != yours.round()).any() or yours.min() < 0 or yours.max() >= n:
            raise Wrong(
                f"{case} your result holds {short(yours.flat[0])}; places of clips, "
                f"whole numbers from 0 to {n - 1}, are needed."
            )
        yours = yours.astype(int)
        right = neighbours.nearest(similarities, k, groups=artists)
        turned = neighbours.nearest(similarities.T, k, groups=artists)
        if (yours == turned).all() and (right != turned).any():
            raise Wrong(f"{case} you read columns; clip i asks in row i.")
        for clip in np.flatnonzero((yours != right).any(axis=1)):
            own, row = yours[clip], similarities[clip]
            if (artists[own] == artists[clip]).any():
                fault = "its own artist is in it"
            elif (row[own] == row[right[clip]]).all():
                fault = "of equally near clips the first ones come first"
            elif (np.diff(row[own]) > 0).any():
                fault = "the most similar one must come first"
            else:
                fault = "nearer clips by other artists are left out"
            raise Wrong(f"{case} clip {clip} gets the list {own.tolist()}: {fault}.")


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
    of_text = np.array([[2, 0]]), np.array([[False, True, True]])
    cases = {
        "For two queries": (found, relevant),
        "For the text's query": of_text,
        "For 25 queries, one of them without any relevant clip": (more, wanted),
    }
    asked = zip(cases.items(), calls(answer, cases.values()), strict=True)
    for (case, (places, wish)), value in asked:
        n, k = places.shape
        yours = array(value, (n,), f"{case} your result", "(n_queries,)")
        hits = np.take_along_axis(wish, places, axis=1).sum(axis=1)
        recall = hits / np.maximum(wish.sum(axis=1), 1)
        so_far = np.take_along_axis(wish, places, axis=1).cumsum(axis=1)
        at_ranks = (so_far / np.arange(1, k + 1)).mean(axis=1)
        slips = [
            (hits, "these are counts, a share is needed"),
            (recall, "you divided by the relevant clips: that is recall"),
            (wish[:, :k].mean(axis=1), "you took the first columns, not the found"),
            (wish[0][places].mean(axis=1), "each query has a row of `relevant`"),
            (1 - hits / k, "that is the share that is not relevant"),
            (at_ranks, "all k places count alike, whatever their rank"),
        ]
        query = np.abs(yours - hits / k).argmax()
        seen = f"{case} your precision of query {query} is {yours[query]:.3f}"
        otherwise = f"of its {k} places, which are relevant to it?"
        refuse_slips(yours, hits / k, slips, seen, otherwise)


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
    cases = [
        (large, 11, 8, 0.7),
        (small, 0, 3, 0.0),  # the examples of the text
        (small, 0, 3, 0.5),
        (large, 5, 8, 0.0),
        (large, 39, 12, 0.8),
        (large.round(1), 4, 10, 0.5),
    ]
    for given, value in zip(cases, calls(answer, cases), strict=True):
        near, first, n, variety = given
        case = f"For {len(near)} clips, first {first}, n={n} and variety={variety:g}"
        value = several(value, n, f"{case} your list")
        yours = [int(number(place, f"{case} a place")) for place in value]
        seen = f"{case} your list is {yours}"
        if yours[0] != first:
            raise Wrong(f"{seen}: it must begin with clip {first}.")
        if len(set(yours)) < n:
            raise Wrong(f"{seen}: a clip occurs twice.")
        slips = [
            (_playlist(*given, skip=0), "the first clip is none of the others"),
            (_playlist(*given, how=np.mean), "take the largest similarity, not a mean"),
            (_playlist(near, first, n, 0), "variety has no effect"),
            (_playlist(*given, to=-1), "stay near the first clip, not the last one"),
            (_playlist(*given, how=_last), "unlike all the others, not only the last"),
            (_playlist(near, first, n, 1 - variety), "the two weights are exchanged"),
            (
                _playlist(near, first, n, variety / (1 + variety)),
                "similarity to the first has the weight 1 - variety",
            ),
        ]
        right = _playlist(*given)
        refuse_slips(yours, right, slips, seen, "another clip is worth more")


def _last(rows, axis):
    return rows[-1]


def _playlist(near, first, n, variety, *, how=np.max, skip=1, to=0):
    """The list by the rule, or by a slip: near to chosen[to], unlike chosen[skip:]."""
    chosen = [first]
    while len(chosen) < n:
        worth = (1 - variety) * near[chosen[to]]
        if others := chosen[skip:]:
            worth = worth - variety * how(near[others], axis=0)
        worth[chosen] = -np.inf
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
    random = np.random.default_rng(65)
    many = (random.random((60, 70)) + np.arange(70) / 60).argsort(axis=1)[:, :5]
    once = np.array([[1], [2], [3], [0]])
    cases = {
        "five lists among 9 clips": (uneven, 9),
        "the lists of the text": (np.array([[1], [0], [0], [0]]), 4),
        "60 lists among 70 clips": (many, 70),
        "lists in which every clip stands once": (once, 4),
    }
    asked = zip(cases.items(), calls(answer, cases.values()), strict=True)
    for (what, (found, n)), value in asked:
        value = several(value, 2, f"For {what} your result")
        counts = np.bincount(found.ravel(), minlength=n)
        yours = array(value[0], (n,), f"For {what} your counts", "(n_clips,)")
        clip = np.abs(yours - counts).argmax()
        seen = f"For {what} you count clip {clip} in {yours[clip]:g} lists"
        shares = [(counts / len(found), "that is a share of the lists; count them")]
        refuse_slips(yours, counts, shares, seen, "count it in `found`")
        yours = number(value[1], f"For {what} your skewness")
        cube = ((counts - counts.mean()) ** 3).mean()
        deviation = counts.std(ddof=1) or 1
        slips = [
            (cube / deviation**3, "the deviation divides by n, not by n - 1"),
            (cube / (counts.var() or 1), "divide by the cube of the deviation"),
            (cube, "divide by the deviation before you take cubes"),
        ]
        if np.ptp(counts):
            corrected, fourth = stats.skew(counts, bias=False), stats.kurtosis(counts)
            slips += [
                (corrected, "it is corrected for small samples; divide by n alone"),
                (fourth, "that is the kurtosis, of fourth powers"),
                (fourth + 3, "that is the kurtosis, of fourth powers"),
            ]
        right = stats.skew(counts) if np.ptp(counts) else 0.0
        seen = f"For {what} your skewness is {yours:.4f}"
        refuse_slips(yours, right, slips, seen, "the mean cube of what?")


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
    order = np.argsort(np.random.default_rng(66).random((2, 30, 12)), axis=2)
    of_text = np.array([[[5, 7], [3, 4]], [[7, 9], [4, 3]]])
    longer = order[0, :, :3], order[1, :, :6]
    cases = {
        "30 clips with lists of 4": (order[0, :, :4], order[1, :, :4]),
        "the two clips of the text": tuple(of_text),
        "lists of 3 and, on the map, lists of 6": longer,
    }
    asked = zip(cases.items(), calls(answer, cases.values()), strict=True)
    for (what, (own, drawn)), value in asked:
        yours = number(value, f"For {what} your share")
        rows = zip(own, drawn, strict=True)
        both = np.array([np.isin(mine, other).sum() for mine, other in rows])
        k = own.shape[1]
        right = both.mean() / k
        slips = [
            (both.mean(), "that is a count, divide by the length of the lists"),
            (np.isin(own, drawn).mean(), "you looked into the lists of all clips"),
            (1 - right, "that is the share that is lost"),
            (
                (both / (k + drawn.shape[1] - both)).mean(),
                "divide by the clips of `own`, not by those of either list",
            ),
        ]
        if own.shape != drawn.shape:
            text = "that is the share of `drawn`; the share of `own` is asked for"
            slips.append((both.mean() / drawn.shape[1], text))
        if own.shape == drawn.shape:
            slips += [((own == drawn).mean(), "the same clip may stand elsewhere")]
        seen = f"For {what} your share is {yours:.4f}"
        refuse_slips(yours, right, slips, seen, "how many of `own` are in `drawn`?")
