"""From vectors of clips to clips that sound alike: neighbours, playlists, skips, maps.

A clip's vector may be its scores, its logits, or what a network's last layer reads
(`predict.embeddings`).

Notebook: course/06_recommendation.ipynb
"""

import numpy as np
import pandas as pd

from tagkit.evaluation import metrics

EXACT = 100_000  # clips up to which each is compared with all
BLOCK = 2**25  # similarities that are held at a time
KEPT, SKIPPED = 0.75, 0.15  # weights of Rocchio's rule; the first clip has 1


def similarity(
    vectors: np.ndarray, centre: bool = True, *, of: list[int] | None = None
) -> np.ndarray:
    """Compute the cosine of the angle between every two vectors.

    With `centre`, what all vectors have in common, their mean, does not count.

    Args:
        of: the places of some clips; only their rows are computed.

    Shape: (n_clips, n_features) -> (n_clips, n_clips), or of some (n_some, n_clips),
    in [-1, 1]; 0 for zeros.
    Raises: ValueError for vectors of another shape or values that are not finite.
    """
    units = _units(vectors, centre)
    rows = units if of is None else units[of]
    return np.clip(rows @ units.T, -1, 1)


def overlap(labels) -> np.ndarray:
    """Compute the share of the tags of two clips that both carry (Jaccard).

    Shape: (n_clips, n_tags) of 0 and 1 -> (n_clips, n_clips) in [0, 1]; 0 without tags.
    """
    labels = np.asarray(labels, dtype=np.float64)
    both = labels @ labels.T
    either = labels.sum(axis=1)[:, None] + labels.sum(axis=1) - both
    return both / np.where(either > 0, either, 1)


def nearest(similarities: np.ndarray, k: int, groups=None) -> np.ndarray:
    """List for each clip the k most similar others, the most similar first.

    With `groups`, a name per clip such as its artist, clips of one group are not listed
    for each other (the artist filter).

    Shape: (n_clips, n_clips) -> (n_clips, k) places of clips; ties in their order.
    Raises: ValueError if a clip has fewer than k others to choose from.
    Source: Pampalk, Flexer & Widmer, ISMIR 2005, for the artist filter.
    """
    similarities = _square(similarities)
    n_clips = len(similarities)
    groups = np.arange(n_clips) if groups is None else np.asarray(groups)
    same = groups[:, None] == groups
    fewest = n_clips - int(same.sum(axis=1).max())
    _check_k(k, fewest)
    order = np.where(same, np.inf, -similarities).argsort(axis=1, kind="stable")
    return order[:, :k]


def search(vectors, k: int, groups=None, *, queries=None, exact=None) -> np.ndarray:
    """Find neighbours where clips are too many for a square of similarities.

    The same as `nearest(similarity(vectors), k, groups)`, but for ties, and in single
    precision, some queries at a time. Above `EXACT` clips, faiss looks in the clusters
    around a query alone and misses some of its neighbours; not so if `k` and the
    largest group together are more than a hundredth of the clips.
    It sorts all clips first: among a million, `exact=True` is faster for fewer than two
    thousand queries (benchmarks/growth.md).

    Args:
        groups: as in `nearest`, a name per clip; none of the query's own is listed.
        queries: the places of some clips; only their rows are made.
        exact: False to let faiss look also where fewer clips are, True never.

    Shape: (n_clips, n_features) -> (n_clips or n_queries, k) places of clips.
    Raises: ValueError if k is not from 1 to what every clip has of others;
    ImportError if faiss is needed and missing.
    """
    units = _units(vectors, centre=True, dtype=np.float32)
    n_clips = len(units)
    names = np.arange(n_clips) if groups is None else np.asarray(groups)
    _, names, sizes = np.unique(names, return_inverse=True, return_counts=True)
    _check_k(k, n_clips - int(sizes.max()))
    queries = np.arange(n_clips) if queries is None else np.asarray(queries)
    n_found = k + int(sizes.max())  # at most so many are of the query's own group
    if exact is None:
        exact = n_clips <= EXACT or n_found > n_clips // 100
    index = None if exact else _index(units)
    lists, is_short = [], []
    for some in np.array_split(queries, max(1, len(queries) * n_clips // BLOCK)):
        if exact:
            near = units[some] @ units.T
            found = np.argpartition(near, -n_found, axis=1)[:, -n_found:]
            near = np.take_along_axis(near, found, axis=1)
        else:
            near, found = index.search(units[some], n_found)  # -1 where none is left
        near[(names[found] == names[some][:, None]) | (found < 0)] = -np.inf
        order = (-near).argsort(axis=1, kind="stable")[:, :k]
        lists.append(np.take_along_axis(found, order, axis=1))
        is_short.append(np.take_along_axis(near, order, axis=1)[:, -1] == -np.inf)
    found, is_short = np.concatenate(lists), np.concatenate(is_short)
    if is_short.any():  # the clusters held fewer than k others
        rest = queries[is_short]
        found[is_short] = search(vectors, k, groups, queries=rest, exact=True)
    return found


def _index(units):
    """Sort the vectors into clusters, of which each search looks into a sixteenth."""
    try:
        import faiss
    except ImportError:
        raise ImportError(
            f"{len(units):,} clips need faiss: run pip install -e '.[large]' in the "
            "folder of the clone; search(..., exact=True) does without and takes longer"
        ) from None
    n_clusters = round(len(units) ** 0.5)
    index = faiss.index_factory(
        units.shape[1], f"IVF{n_clusters},Flat", faiss.METRIC_INNER_PRODUCT
    )
    index.train(units)
    index.add(units)
    index.nprobe = max(8, n_clusters // 16)
    return index


def precision_at_k(lists: np.ndarray, relevant: np.ndarray) -> np.ndarray:
    """Compute for each query the share of its k neighbours that are relevant.

    Shape: lists (n_queries, k) from `nearest`, relevant (n_queries, n_clips) of bool
    -> (n_queries,) in [0, 1].
    Raises: ValueError if the two have different numbers of rows.
    """
    lists, relevant = np.asarray(lists), np.asarray(relevant)
    if len(lists) != len(relevant):
        raise ValueError(
            f"lists has {len(lists)} queries and relevant {len(relevant)}; needed are "
            "the same rows of both, as in lists[queries], relevant[queries]"
        )
    return np.take_along_axis(relevant, lists, axis=1).mean(axis=1)


def interval(values, groups=None, *, n_boot: int = 1000, seed: int = 0):
    """Compute the mean of a number per query, with a 95 % bootstrap interval.

    With `groups`, a name per query such as its artist, whole groups are drawn.

    Shape: (n_queries,) -> mean, low, high.
    Raises: ValueError for no values.
    """
    values = np.asarray(values, dtype=np.float64)
    if values.ndim != 1 or not len(values):
        raise ValueError(f"values have shape {values.shape}; needed is (n_queries,)")
    weights = metrics.drawn(len(values), groups, n_boot, seed)  # (n_boot, n_queries)
    means = (weights * values).sum(axis=1) / weights.sum(axis=1)
    return values.mean(), *np.percentile(means, (2.5, 97.5))


def hubness(lists: np.ndarray, n_clips: int) -> pd.Series:
    """Measure how unevenly the lists of `nearest` recommend the clips.

    Shape: (n_clips, k) -> skewness (0 if balanced, above 1 if there are a few hubs),
    most (lists that hold the same clip), never (clips that no list holds).
    Source: Radovanovic, Nanopoulos & Ivanovic, JMLR 2010.
    """
    from scipy import stats  # takes a second

    counts = np.bincount(np.ravel(lists), minlength=n_clips)
    figures = {
        "skewness": stats.skew(counts) if np.ptp(counts) else 0.0,
        "most": counts.max(),
        "never": (counts == 0).sum(),
    }
    return pd.Series(figures, dtype=np.float64)


def tsne(vectors: np.ndarray, perplexity: float = 10, *, seed: int = 0) -> np.ndarray:
    """Lay clips out in a plane so that neighbours stay neighbours, with t-SNE.

    The vectors are centred and brought to length 1, so that the cosine counts.
    Distances between far points, the sizes of groups and the axes mean nothing. Maps
    differ between machines. `perplexity` is about how many neighbours count.

    Shape: (n_clips, n_features) -> (n_clips, 2), without a unit.
    Raises: ValueError unless perplexity is below the number of clips.
    Source: van der Maaten & Hinton, JMLR 2008; scikit-learn's.
    """
    from sklearn.manifold import TSNE  # takes a second

    units = _units(vectors, centre=True)
    if not 0 < perplexity < len(units):
        raise ValueError(
            f"the perplexity is {perplexity} for {len(units)} clips; needed is less "
            "than there are clips, best a tenth of them or less"
        )
    layout = TSNE(perplexity=perplexity, init="pca", random_state=seed)
    return layout.fit_transform(units)


def playlist(
    similarities: np.ndarray, first: int, n: int = 6, variety: float = 0.0, groups=None
) -> list[int]:
    """Choose clips to follow a first one, near to it and unlike each other.

    Maximal marginal relevance: the next clip has the largest (1 - variety) * similarity
    to the first - variety * the largest similarity to a clip chosen after the first.

    Args:
        n: clips in the list, the first one included.
        variety: 0 takes the nearest, 0.5 gives both terms the same weight.
        groups: a name per clip, such as its artist; none occurs twice.

    Shape: (n_clips, n_clips), the place of the first clip -> n places of clips.
    Raises: ValueError for a variety outside [0, 1), or if clips run out.
    Source: Carbonell & Goldstein, SIGIR 1998.
    """
    similarities = _square(similarities)
    if not 0 <= variety < 1:
        raise ValueError(f"variety is {variety}; needed is 0 to below 1, such as 0.3")
    chosen = [first]
    while len(chosen) < n:
        values = (1 - variety) * similarities[first]
        if len(chosen) > 1:
            values = values - variety * similarities[chosen[1:]].max(axis=0)
        chosen.append(_best(values, chosen, groups))
    return chosen


def terms(similarities: np.ndarray, places: list[int]) -> np.ndarray:
    """Give the two terms by which `playlist` weighed each clip after the first.

    Shape: (n_clips, n_clips), n places -> (n - 1, 2): the similarity to the first, and
    the largest one to a clip that was chosen between; nan where there is none.
    """
    near = _square(similarities)[np.ix_(places, places)].astype(float)
    others = [near[i, 1:i].max() if i > 1 else np.nan for i in range(1, len(near))]
    return np.stack([near[0, 1:], others], axis=1)


def feedback(
    similarities: np.ndarray,
    first: int,
    kept: list[int],
    skipped: list[int],
    *,
    n: int = 5,
    groups=None,
) -> list[int]:
    """Choose the next clips by what a listener kept and what was skipped.

    Rocchio's rule moves the query towards the mean of what was kept, by `KEPT`, and
    away from the mean of what was skipped, by `SKIPPED`. The vectors of `similarity`
    have length 1, so moving the query and then comparing is to weigh similarities:
    to the first + KEPT * mean to the kept - SKIPPED * mean to the skipped.

    Args:
        first: the place of the first clip, the query.
        kept, skipped: places of clips that were heard; either may be empty.
        groups: a name per clip, such as its artist; none that was heard, none twice.

    Shape: (n_clips, n_clips), places -> n places of clips that were not heard.
    Raises: ValueError if clips run out.
    Source: Rocchio, in Salton (ed.), The SMART Retrieval System, 1971; the weights of
    Manning, Raghavan & Schutze, Introduction to Information Retrieval, 2008, 9.1.1.

    >>> near = np.eye(5)
    >>> near[0] = 1, 0.9, 0.9, 0.5, 0.4
    >>> near[1, 4], near[2, 3] = 0.8, 0.8
    >>> feedback(near, 0, kept=[1], skipped=[2], n=1)
    [4]
    """
    similarities = _square(similarities)
    values = similarities[first].astype(float)
    for weight, heard in ((KEPT, kept), (-SKIPPED, skipped)):
        if len(heard):
            values = values + weight * similarities[list(heard)].mean(axis=0)
    chosen = [first, *kept, *skipped]
    n_heard = len(chosen)
    while len(chosen) < n_heard + n:
        chosen.append(_best(values, chosen, groups))
    return chosen[n_heard:]


def _best(values, chosen, groups):
    """Give the clip of largest value that is neither chosen nor of a chosen group."""
    names = np.arange(len(values)) if groups is None else np.asarray(groups)
    free = ~np.isin(names, names[chosen])
    if not free.any():
        raise ValueError(
            f"after {len(chosen)} clips no other is free; needed are more clips or "
            "groups; ask for fewer or leave groups out"
        )
    return int(np.where(free, values, -np.inf).argmax())


def _check_k(k, fewest):
    if not 1 <= k <= fewest:
        raise ValueError(
            f"k is {k}; needed is 1 to {fewest}, as a clip here has only {fewest} "
            "others that are not of its own group; take a smaller k or more clips"
        )


def _units(vectors, centre, dtype=np.float64) -> np.ndarray:
    vectors = np.array(vectors, dtype=dtype)  # a copy, changed below
    if vectors.ndim != 2 or not vectors.size or not np.isfinite(vectors).all():
        raise ValueError(
            f"vectors have shape {vectors.shape} or values that are not finite; needed "
            "is (n_clips, n_features); take predict.clip_scores or predict.embeddings"
        )
    if centre:
        vectors -= vectors.mean(axis=0, dtype=np.float64).astype(dtype)
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)  # (n_clips, 1)
    vectors /= np.where(lengths > 0, lengths, 1)
    return vectors


def _square(similarities) -> np.ndarray:
    similarities = np.array(similarities)
    if similarities.ndim != 2 or len(set(similarities.shape)) != 1:
        raise ValueError(
            f"similarities have shape {similarities.shape}; needed is (n_clips, "
            "n_clips); take neighbours.similarity(vectors)"
        )
    return similarities
