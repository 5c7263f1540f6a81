"""Pictures of neighbourhoods: a map of clips, and how often each is recommended."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from tagkit.plots.picture import (
    COLORS,
    GREY,
    MARKERS,
    STYLES,
    finish,
    listing,
    plain,
    start,
)

OTHER = "none of these"


def clip_map(points, kinds: Sequence[str] | None = None, title: str = "", ax=None):
    """Draw clips as points of a plane, with a mark and a colour for each kind.

    Args: points, from neighbours.tsne; kinds, a word per clip, such as a tag of it;
    an empty word is drawn as a small grey point. At most seven words: more marks
    cannot be told apart.
    Shape: points (n_clips, 2), kinds n_clips words.
    Raises: ValueError where lengths differ, a point is not finite, or for more words.
    Notebook: course/06_recommendation.ipynb

    >>> from tagkit.plots import alt_text
    >>> alt_text(clip_map([[0, 1], [2, 0], [2, 1]], ["flute", "", "flute"]))
    'Map of 3 clips, axes without a unit: flute 2 and none of these 1.'
    """
    points = np.asarray(points, dtype=float)
    kinds = [""] * len(points) if kinds is None else [str(kind) for kind in kinds]
    words = sorted(set(kinds) - {""})
    if points.shape != (len(kinds), 2) or not np.isfinite(points).all():
        raise ValueError(
            f"points have shape {points.shape} for {len(kinds)} kinds, or hold NaN; "
            "needed is (n_clips, 2) and a word for each; take neighbours.tsne(vectors)"
        )
    if not len(points) or len(words) > len(MARKERS):
        raise ValueError(
            f"there are {len(points)} points of {len(words)} kinds; needed are 1 or "
            f"more of at most {len(MARKERS)}; leave the rarer kinds empty"
        )
    kinds, counts = np.array(kinds), []
    ax = start(ax, 5.2)
    for number, word in enumerate([*words, ""]):
        x, y = points[kinds == word].T
        if len(x):
            label = f"{word or OTHER} ({len(x)})"
            style = dict(marker=MARKERS[number], color=COLORS[number], s=44)
            if not word:
                style = dict(marker="o", color=GREY, s=20)
            style |= dict(linewidths=0.6, edgecolors="white", label=plain(label))
            ax.scatter(x, y, **style)
            counts.append(f"{word or OTHER} {len(x)}")
    if words:
        ax.legend(frameon=False, loc="upper left", bbox_to_anchor=(1, 1))
    ax.set_xticks([])
    ax.set_yticks([])
    ax.margins(0.05)
    told = f": {listing(counts)}" if words else ""
    alt = f"Map of {len(points)} clips, axes without a unit{told}."
    return finish(ax, alt, title, "t-SNE, first axis (no unit)", "second axis")


def occurrences(counts: Mapping, k: int, ax=None):
    """Draw how many clips stand in 0, 1, 2, ... lists of k neighbours.

    Were all clips recommended alike, all would stand near k, the dotted line.

    Args: counts, name -> how often each clip is found, np.bincount of
    neighbours.nearest.
    Shape: (n_clips,) whole numbers for each name.
    Raises: ValueError for no names, no clips or counts below 0.
    Notebook: course/06_recommendation.ipynb

    >>> from tagkit.plots import alt_text
    >>> alt_text(occurrences({"cosine": [0, 1, 1, 6]}, k=2))
    'Clips by how many lists of 2 hold them, cosine: 1 of 4 in none, the most 6.'
    """
    rows = {
        name: pd.Series(np.ravel(found), dtype=int) for name, found in counts.items()
    }
    if not rows or any(row.empty or row.min() < 0 for row in rows.values()):
        raise ValueError(
            f"counts hold {list(rows)}, of no clip or of a number below 0; needed is "
            "name -> counts; take np.bincount(found.ravel(), minlength=n_clips)"
        )
    ax = start(ax, 3.4)
    told = []
    for number, (name, row) in enumerate(rows.items()):
        clips = np.bincount(row)
        ax.plot(
            range(len(clips)),
            clips,
            STYLES[number % len(STYLES)],
            marker=MARKERS[number % len(MARKERS)],
            color=COLORS[number % len(COLORS)],
            markersize=5,
            label=plain(name),
        )
        told.append(f"{name}: {clips[0]} of {len(row)} in none, the most {row.max()}")
    ax.axvline(k, color=GREY, linestyle=":")
    ax.set_ylim(bottom=0)
    ax.legend(frameon=False)
    alt = f"Clips by how many lists of {k} hold them, {'; '.join(told)}."
    return finish(
        ax, alt, "", f"lists of {k} neighbours that hold a clip", "clips", "y"
    )
