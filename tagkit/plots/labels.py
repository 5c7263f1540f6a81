"""Pictures of label tables and splits."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from pandas.api.types import is_bool_dtype, is_numeric_dtype

from tagkit.plots.picture import (
    COLORS,
    finish,
    heat,
    listing,
    plain,
    start,
    write_cells,
)


def tag_counts(labels: pd.DataFrame, n: int = 50, ax=None):
    """Draw on how many clips each of the n most frequent tags stands.

    Args: labels, a labels frame; n, the number of bars: above 60 names overlap.
    Shape: labels (n_clips, n_tags).
    Raises: ValueError for an empty frame, missing values or columns of text.
    Notebook: course/01_dataset_analysis.ipynb

    >>> from tagkit.plots import alt_text
    >>> alt_text(tag_counts(pd.DataFrame({"piano": [1, 0], "flute": [1, 1]})))
    'Bar chart of clips per tag for 2 of 2 tags: from flute, 2 clips, to piano, 1 clip.'
    """
    _need_labels(labels)
    counts = labels.sum().sort_values(ascending=False, kind="stable").head(n)
    ax = start(ax, 4.2)
    bars = ax.bar(range(len(counts)), counts, color=COLORS[0], width=0.75)
    ax.set_xticks(range(len(counts)), [plain(tag) for tag in counts.index], rotation=90)
    ax.set_xlim(-0.6, len(counts) - 0.4)
    if len(counts) <= 20:
        ax.bar_label(bars, [f"{count:,}" for count in counts], fontsize=9, padding=2)
        ax.margins(y=0.12)
    ends = [f"{tag}, {_clips(counts[tag])}" for tag in counts.index[[0, -1]]]
    return finish(
        ax,
        f"Bar chart of clips per tag for {len(counts)} of {labels.shape[1]} tags: "
        f"from {ends[0]}, to {ends[1]}.",
        title=f"The {len(counts)} most frequent tags on {len(labels):,} clips",
        x="tag",
        y="clips",
        grid="y",
    )


def tags_per_clip(labels: pd.DataFrame, ax=None):
    """Draw how many clips carry 0, 1, 2, ... tags; the bar at 0 has its own colour.

    Args: labels, a labels frame of all tags that you count.
    Shape: labels (n_clips, n_tags).
    Raises: ValueError for an empty frame, missing values or columns of text.
    Notebook: course/01_dataset_analysis.ipynb

    >>> tags_per_clip(pd.DataFrame({"piano": [1, 0], "flute": [1, 0]})).get_xlabel()
    'tags on a clip'
    """
    _need_labels(labels)
    per_clip = labels.sum(axis=1).to_numpy().astype(int)
    clips = np.bincount(per_clip)
    ax = start(ax)
    colours = [COLORS[1]] + [COLORS[0]] * (len(clips) - 1)
    bars = ax.bar(range(len(clips)), clips, color=colours, width=0.8)
    if len(clips) <= 16:
        ax.bar_label(bars, [f"{count:,}" for count in clips], fontsize=9)
        ax.margins(y=0.12)
    ax.set_xticks(range(0, len(clips), 1 + len(clips) // 30))
    share = 100 * clips[0] / len(labels)
    return finish(
        ax,
        f"Histogram of tags per clip over {len(labels):,} clips: {clips[0]:,} "
        f"({share:.1f} %) carry none, the median is {np.median(per_clip):g}, "
        f"the most on one clip is {per_clip.max()}.",
        title=f"{clips[0]:,} of {len(labels):,} clips ({share:.1f} %) carry no tag",
        x="tags on a clip",
        y="clips",
        grid="y",
    )


def cooccurrence(matrix: pd.DataFrame, ax=None):
    """Draw P(column tag | row tag) as a heat map; the diagonal, always 1, is grey.

    Args: matrix, from tags.cooccurrence; up to 12 tags the cells show their numbers.
    Shape: (n_tags, n_tags), shares in [0, 1]; rows of tags without clips may be NaN.
    Raises: ValueError where rows and columns differ or shares leave [0, 1].
    Notebook: course/01_dataset_analysis.ipynb

    >>> tags = ["violin", "strings"]
    >>> ax = cooccurrence(pd.DataFrame([[1, 0.8], [0.4, 1]], tags, tags))
    >>> len(ax.get_yticklabels())
    2
    """
    values = np.array(matrix, dtype=float)
    if not values.size or list(matrix.index) != list(matrix.columns):
        raise ValueError(
            f"matrix has shape {values.shape} or other rows than columns; needed is "
            "a square frame of tags; make one with tags.cooccurrence(labels)"
        )
    if np.nanmin(values, initial=0) < 0 or np.nanmax(values, initial=0) > 1:
        raise ValueError(
            f"matrix holds values from {np.nanmin(values):g} to {np.nanmax(values):g}; "
            "needed are shares from 0 to 1; divide counts by the clips of the row's tag"
        )
    np.fill_diagonal(values, np.nan)
    n_tags = len(values)
    ax = start(ax, min(8.8, 2.6 + 0.3 * n_tags))
    found = values[np.isfinite(values)]
    limits = (0, max(found.max(), 0.01) if found.size else 1)
    image = heat(ax, values, matrix.index, matrix.columns, "share of clips", limits)
    ax.tick_params(top=True, labeltop=True, bottom=False, labelbottom=False)
    ax.tick_params(axis="x", rotation=90)
    if n_tags <= 12:
        write_cells(ax, image, values, ".2f")
    alt = f"Heat map of P(column tag | row tag) for {n_tags} tags"
    if found.size and found.max() > 0:
        row, column = np.unravel_index(np.nanargmax(values), values.shape)
        alt += (
            f": the highest is {values[row, column]:.2f}, the share of clips with "
            f"{matrix.index[row]} that also carry {matrix.columns[column]}"
        )
    else:
        alt += ": no two of them occur on one clip"
    title = "P(column tag | row tag)"
    return finish(ax, alt + ".", title=title, y="row tag (given)")


def pair_overlap(counts: Mapping, names: tuple = ("first tag", "second tag"), ax=None):
    """Draw which part of the clips with either of two tags carries both.

    Args: counts, from tags.pair_counts, then names are the two tags; or a dict of
    (tag, other) -> such counts, drawn as one bar per pair, least overlap first.
    Shape: counts has the keys either, both, only_a, only_b (clips).
    Raises: ValueError for missing keys or counts that do not add up.
    Notebook: course/01_dataset_analysis.ipynb

    >>> counts = dict(either=10, both=1, only_a=6, only_b=3)
    >>> pair_overlap(counts, ("guitar", "techno")).get_xlabel()
    'share of the clips with either tag (%)'
    """
    pairs = {tuple(names): counts} if "either" in counts else dict(counts)
    for pair, found in pairs.items():
        keys = ("only_a", "both", "only_b")
        if not {*keys, "either"} <= set(found) or not found["either"]:
            raise ValueError(
                f"counts of {pair} are {dict(found)}; needed are clips under either, "
                "both, only_a and only_b; make them with tags.pair_counts(labels, a, b)"
            )
        if sum(found[key] for key in keys) != found["either"]:
            raise ValueError(
                f"counts of {pair} do not add up: {dict(found)}; needed is only_a + "
                "both + only_b = either; make them with tags.pair_counts(labels, a, b)"
            )
    if not pairs:
        raise ValueError("counts is empty; needed is one pair; see tags.pair_counts")
    pairs = dict(sorted(pairs.items(), key=lambda i: i[1]["both"] / i[1]["either"]))
    ax = start(ax, 1.4 + 0.5 * len(pairs))
    parts = (("only_a", COLORS[5]), ("both", COLORS[1]), ("only_b", COLORS[4]))
    for row, (pair, found) in enumerate(pairs.items()):
        left = 0.0
        for (key, colour), owner in zip(parts, (pair[0], "both", pair[1]), strict=True):
            width = 100 * found[key] / found["either"]
            ax.barh(row, width, left=left, color=colour, height=0.7, edgecolor="white")
            if width > 12:
                text = plain(f"{owner} {found[key]:,}")
                ax.text(left + width / 2, row, text, ha="center", va="center", size=9)
            left += width
        ax.text(101, row, f"both: {found['both']:,}", va="center", size=9)
    ax.set_yticks(
        range(len(pairs)),
        [plain(f"{a} / {b}\n{c['either']:,} clips") for (a, b), c in pairs.items()],
    )
    ax.set_xlim(0, 116)
    ax.set_xticks(range(0, 101, 20))
    ax.invert_yaxis()
    told = listing(
        f"{a} or {b} is on {c['either']:,} clips, both on {c['both']:,} "
        f"({100 * c['both'] / c['either']:.1f} %)"
        for (a, b), c in list(pairs.items())[:6]
    )
    more = f"; other pairs: {len(pairs) - 6}" if len(pairs) > 6 else ""
    return finish(
        ax,
        f"Stacked bars of tag pairs: {told}{more}.",
        title="How far two tags overlap",
        x="share of the clips with either tag (%)",
    )


def split_sizes(about: pd.DataFrame, ax=None):
    """Draw the clips of each part of a split, with its tracks, albums and artists.

    Args: about, from Corpus.describe: one row per part, a column `clips`, and
    `tracks`, `albums`, `artists` where known.
    Shape: (n_parts, columns).
    Raises: ValueError without rows or without the column clips.
    Notebook: course/01_dataset_analysis.ipynb

    >>> split_sizes(pd.DataFrame({"clips": [12, 1, 3]}, ["train", "valid", "test"]))
    <Axes: title={'left': '16 clips in 3 parts'}, xlabel='clips'>
    """
    if not len(about) or "clips" not in about:
        raise ValueError(
            f"the frame has columns {list(about)} and {len(about)} rows; needed is "
            "one row per part with a column clips; take corpus.describe(tag_list)"
        )
    clips = about["clips"].astype(int)
    kinds = [kind for kind in ("tracks", "albums", "artists") if kind in about]
    ax = start(ax, 0.9 + 0.6 * len(about))
    bars = ax.barh(range(len(about)), clips, color=COLORS[0], height=0.65)
    shares = [f"{count:,} ({100 * count / clips.sum():.1f} %)" for count in clips]
    ax.bar_label(bars, shares, fontsize=9, padding=4)
    inner = [
        ", ".join(f"{int(r[k]):,} {k}" for k in kinds) for _, r in about.iterrows()
    ]
    names = [
        f"{part}\n{text}".strip() for part, text in zip(about.index, inner, strict=True)
    ]
    ax.set_yticks(range(len(about)), [plain(name) for name in names])
    ax.set_xlim(0, 1.2 * clips.max())
    ax.invert_yaxis()
    told = [
        f"{part} {count} clips" + (f" ({text})" if text else "")
        for part, count, text in zip(
            about.index, clips.map("{:,}".format), inner, strict=True
        )
    ]
    return finish(
        ax,
        f"Bar chart of the parts of a split: {listing(told)}.",
        title=f"{clips.sum():,} clips in {len(about)} parts",
        x="clips",
        grid="x",
    )


def leak(shares: Mapping, ax=None):
    """Draw the share of test clips whose track or artist is also in training.

    Args: shares, split name -> share from tags.overlap, or split name ->
    {"track": share, "artist": share}.
    Shape: shares in [0, 1].
    Raises: ValueError for an empty dict or a share outside [0, 1].
    Notebook: course/01_dataset_analysis.ipynb

    >>> leak({"folders": 0.0, "random": 0.9}).get_xlabel()
    'share of the test clips (%)'
    """
    nested = {
        split: share if isinstance(share, Mapping) else {"track": share}
        for split, share in shares.items()
    }
    table = pd.DataFrame(nested).T
    if table.empty or not ((table >= 0) & (table <= 1)).all(axis=None):
        raise ValueError(
            f"shares are {dict(shares)}; needed are numbers from 0 to 1; "
            "take them from tags.overlap(split, groups)"
        )
    ax = start(ax, 1.2 + 0.35 * table.size)
    height = 0.8 / table.shape[1]
    for place, (kind, column) in enumerate(table.items()):
        rows = np.arange(len(table)) + (place - (table.shape[1] - 1) / 2) * height
        hatch = ("", "//", "..")[place % 3]
        colour = COLORS[place % len(COLORS)]
        bars = ax.barh(
            rows,
            100 * column,
            height=0.9 * height,
            color=colour,
            hatch=hatch,
            edgecolor="white",
            label=f"same {kind}",
        )
        ax.bar_label(bars, [f"{100 * v:.1f} %" for v in column], fontsize=9, padding=4)
    ax.set_yticks(range(len(table)), [plain(split) for split in table.index])
    ax.set_xlim(0, 108)
    ax.invert_yaxis()
    if table.shape[1] > 1:
        ax.legend(frameon=False, loc="lower right", bbox_to_anchor=(1, 1), ncols=3)
    told = listing(
        f"{split}: " + ", ".join(f"{100 * row[k]:.1f} % share the {k}" for k in table)
        for split, row in table.iterrows()
    )
    return finish(
        ax,
        f"Bar chart of test clips with a relative in training, {told}.",
        title="Test clips with a relative in training",
        x="share of the test clips (%)",
        grid="x",
    )


def _clips(count) -> str:
    return f"{count:,} clip" + ("" if count == 1 else "s")


def _need_labels(labels: pd.DataFrame):
    """Raise unless labels is a frame of numbers with clips and tags."""
    if not isinstance(labels, pd.DataFrame) or 0 in labels.shape:
        raise ValueError(
            f"labels is {type(labels).__name__} of shape {np.shape(labels)}; needed is "
            "a labels frame with clips and tags; take corpus.labels('raw50')"
        )
    for tag, column in labels.items():
        if not (is_numeric_dtype(column) or is_bool_dtype(column)):
            raise ValueError(
                f"column {tag!r} holds {column.dtype}, not 0 and 1; needed are tags "
                "only; take corpus.labels(...) or drop mp3_path"
            )
    n_missing = int(labels.isna().sum().sum())
    if n_missing:
        raise ValueError(
            f"labels holds {n_missing} missing values; needed is 0 or 1 everywhere; "
            "join tables on clip_id before drawing"
        )
