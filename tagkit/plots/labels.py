"""Pictures of label tables and splits."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
import seaborn as sns

from tagkit.plots.picture import (
    COLORS,
    finish,
    heat,
    legend,
    need,
    plain,
    start,
)


def tag_counts(labels: pd.DataFrame, n: int = 50, *, ax=None):
    """Draw on how many clips each of the n most frequent tags stands.

    Shape: labels (n_clips, n_tags); above n = 60 their names overlap.
    Raises: ValueError for an empty frame or values other than 0 and 1.
    Notebook: course/01_dataset_analysis.ipynb

    >>> from tagkit.plots import alt_text
    >>> alt_text(tag_counts(pd.DataFrame({"piano": [1, 0], "flute": [1, 1]})))
    'Bar chart of clips per tag for 2 of 2 tags: from flute on 2 to piano on 1.'
    """
    _need_labels(labels)
    counts = labels.sum().sort_values(ascending=False, kind="stable").head(n)
    ax = start(ax, 4.2)
    sns.barplot(counts.rename(plain), color=COLORS[0], saturation=1, ax=ax)
    ax.tick_params(axis="x", rotation=90)
    if len(counts) <= 20:
        ax.bar_label(ax.containers[0], fmt="{:,.0f}", fontsize=9)
        ax.margins(y=0.1)
    first, last = counts.index[0], counts.index[-1]
    alt = (
        f"Bar chart of clips per tag for {len(counts)} of {labels.shape[1]} tags: "
        f"from {first} on {counts[first]:,} to {last} on {counts[last]:,}."
    )
    title = f"The {len(counts)} most frequent tags on {len(labels):,} clips"
    return finish(ax, alt, title=title, x="tag", y="clips", grid="y")


def tags_per_clip(labels: pd.DataFrame, *, ax=None):
    """Draw how many clips carry 0, 1, 2, ... tags; the bar at 0 has its own colour.

    Shape: labels (n_clips, n_tags), with all tags that you count.
    Raises: ValueError for an empty frame or values other than 0 and 1.
    Notebook: course/01_dataset_analysis.ipynb

    >>> tags_per_clip(pd.DataFrame({"piano": [1, 0], "flute": [1, 0]})).get_xlabel()
    'tags on a clip'
    """
    _need_labels(labels)
    per_clip = labels.sum(axis=1).astype(int)
    ax = start(ax)
    sns.histplot(
        per_clip,
        discrete=True,
        binrange=(0, per_clip.max()),
        color=COLORS[0],
        alpha=1,
        shrink=0.85,
        edgecolor="white",
        ax=ax,
    )
    ax.patches[0].set_facecolor(COLORS[1])
    if len(ax.patches) <= 16:
        ax.bar_label(ax.containers[0], fmt="{:,.0f}", fontsize=9)
        ax.margins(y=0.1)
    ax.xaxis.get_major_locator().set_params(integer=True)
    n_bare = int((per_clip == 0).sum())
    bare = f"{n_bare:,} ({100 * n_bare / len(labels):.1f} %) carry none"
    alt = (
        f"Histogram of tags per clip over {len(labels):,} clips: {bare}, the median is "
        f"{per_clip.median():g}, the most on one clip is {per_clip.max()}."
    )
    title = f"Of {len(labels):,} clips {bare}"
    return finish(ax, alt, title=title, x="tags on a clip", y="clips", grid="y")


def cooccurrence(matrix: pd.DataFrame, *, ax=None):
    """Draw P(column tag | row tag) as a heat map; the diagonal, always 1, is grey.

    Shape: matrix (n_tags, n_tags), shares from tags.cooccurrence, NaN for tags without
    clips; up to 12 tags the cells show their numbers.
    Raises: ValueError for fewer than two tags, other rows than columns, or no shares.
    Notebook: course/01_dataset_analysis.ipynb

    >>> from tagkit.plots import alt_text
    >>> tags = ["violin", "strings"]
    >>> alt_text(cooccurrence(pd.DataFrame([[1, 0.8], [0.4, 1]], tags, tags)))
    'Heat map of P(column tag | row tag) for 2 tags: the highest is 0.80, of strings
    given violin.'
    """
    shares = matrix.mask(np.eye(*matrix.shape, dtype=bool)).astype(float)
    pairs = shares.stack().dropna()
    need(
        len(pairs) and [*matrix] == [*matrix.index] and pairs.between(0, 1).all(),
        "a square frame of shares from 0 to 1, tags.cooccurrence(labels)",
        f"a frame of shape {matrix.shape}",
        f"values from {pairs.min()} to {pairs.max()}",
    )
    ax = start(ax, min(8.8, 2 + 0.3 * len(matrix)))
    form = ".2f" if len(matrix) <= 12 else ""
    every = dict(xticklabels=True, yticklabels=True)
    heat(ax, shares, "share of clips", form=form, vmin=0, **every)
    ax.tick_params(axis="x", rotation=90)
    row, column = pairs.idxmax()
    alt = (
        f"Heat map of P(column tag | row tag) for {len(matrix)} tags: the highest is "
        f"{pairs.max():.2f}, of {column} given {row}."
    )
    title = "P(column tag | row tag)"
    return finish(ax, alt, title=title, y="row tag (given)")


def pair_overlap(pairs: Mapping, *, ax=None):
    """Draw which part of the clips with either of two tags carries both.

    Args: pairs, (tag, other tag) -> counts from tags.pair_counts; a bar for each
    pair, least overlap first.
    Raises: ValueError for no pairs, missing keys or counts that do not add up.
    Notebook: course/01_dataset_analysis.ipynb

    >>> counts = dict(either=10, both=1, only_a=6, only_b=3)
    >>> pair_overlap({("guitar", "techno"): counts}).get_xlabel()
    'share of the clips with either tag (%)'
    """
    keys = ["only_a", "both", "only_b"]
    table = pd.DataFrame({f"{a} / {b}": counts for (a, b), counts in pairs.items()}).T
    table = table.reindex(columns=[*keys, "either"])
    need(
        len(table) and (table[keys].sum(axis=1) == table["either"]).all(),
        "only_a + both + only_b = either clips, tags.pair_counts(labels, a, b)",
        dict(pairs),
    )
    shares = 100 * table[keys].div(table["either"], axis=0)
    shares = shares.sort_values("both")
    table = table.loc[shares.index]
    ax = start(ax, 1.4 + 0.5 * len(table))
    names = [f"{plain(n)}\n{table['either'][n]:,} clips" for n in table.index]
    shares.columns = ["first tag only", "both", "second tag only"]
    colours = [COLORS[5], COLORS[1], COLORS[4]]
    shares.set_axis(names).plot.barh(stacked=True, color=colours, width=0.7, ax=ax)
    for key, bars in zip(keys, ax.containers, strict=True):
        counts = [f"{count:,}" if count else "" for count in table[key]]
        ax.bar_label(bars, counts, label_type="center", fontsize=9)
    ax.invert_yaxis()
    legend(ax, above=True)
    told = ", ".join(f"{name} {share:.1f} %" for name, share in shares["both"].items())
    alt = f"Stacked bars of tag pairs; both tags are on: {told} of the clips."
    title = "How far two tags overlap"
    return finish(ax, alt, title=title, x="share of the clips with either tag (%)")


def leak(shares: Mapping, *, ax=None):
    """Draw the share of test clips whose track or artist is also in training.

    Args: shares, split name -> {"track": share, "artist": share}, from tags.overlap.
    Raises: ValueError for an empty dict or a share outside [0, 1].
    Notebook: course/01_dataset_analysis.ipynb

    >>> leak({"folders": {"track": 0.0}, "random": {"track": 0.9}}).get_xlabel()
    'share of the test clips (%)'
    """
    table = 100 * pd.DataFrame(shares).T
    need(
        table.size and ((table >= 0) & (table <= 100)).all(axis=None),
        "shares from 0 to 1 for each split, tags.overlap(split, groups)",
        dict(shares),
    )
    ax = start(ax, 1.2 + 0.35 * table.size)
    table = table.rename(plain).rename_axis("split").add_prefix("same ")
    sns.barplot(
        table.reset_index().melt("split"),
        x="value",
        y="split",
        hue="variable",
        palette=COLORS[: table.shape[1]],
        saturation=1,
        ax=ax,
    )
    for bars in ax.containers:
        ax.bar_label(bars, fmt="{:.1f} %", fontsize=9, padding=4)
    ax.set_xlim(0, 108)
    legend(ax, above=True)
    worst = table.max(axis=1)
    told = ", ".join(f"{split} {share:.1f} %" for split, share in worst.items())
    alt = f"Bar chart of test clips with a relative in training: at most {told}."
    title = "Test clips with a relative in training"
    return finish(ax, alt, title=title, x="share of the test clips (%)", grid="x")


def label_noise(labels: pd.DataFrame, truth: pd.DataFrame, n: int = 20, *, ax=None):
    """Draw on how many clips a tag is true and named, true only, named only.

    Args: labels, what the crowd named; truth, what is in the sound; n, the number of
    tags, those that are true of most clips.
    Shape: two frames (n_clips, n_tags) with the same index and columns.
    Raises: ValueError where the two frames do not match or are empty.
    Notebook: course/05_per_tag_evaluation.ipynb

    >>> from tagkit.plots import alt_text
    >>> crowd, true = ({"flute": v} for v in ([1, 0, 0, 1], [1, 1, 1, 0]))
    >>> alt_text(label_noise(pd.DataFrame(crowd), pd.DataFrame(true))).split(": ")[1]
    '67 % of the true tags are not named, 1 of the named tags not true.'
    """
    same = labels.index.equals(truth.index) and labels.columns.equals(truth.columns)
    need(
        same and labels.size,
        "the same clips and tags in both, truth.loc[labels.index, labels.columns]",
        f"labels {labels.shape}",
        f"truth {truth.shape}",
    )
    named, true = labels == 1, truth == 1
    parts = {
        "true and named": (named & true).sum(),
        "true, not named": (~named & true).sum(),
        "named, not true": (named & ~true).sum(),
    }
    n_true = true.sum().sort_values(ascending=False, kind="stable")
    shown = pd.DataFrame(parts).loc[n_true.index[:n]]
    ax = start(ax, 1.2 + 0.24 * len(shown))
    colours = [COLORS[0], COLORS[5], COLORS[1]]
    shown.rename(plain).plot.barh(stacked=True, color=colours, width=0.8, ax=ax)
    for bar in ax.containers[1]:
        bar.set(hatch="//", edgecolor="white")
    ax.invert_yaxis()
    legend(ax, above=True)
    _, missed, wrong = (part.sum() for part in parts.values())
    alt = (
        f"Stacked bars of {len(shown)} of {len(n_true)} tags on {len(labels):,} clips: "
        f"{100 * missed / max(n_true.sum(), 1):.0f} % of the true tags are not named, "
        f"{wrong:,} of the named tags not true."
    )
    return finish(ax, alt, x="clips", y="tag", grid="x")


def _need_labels(labels):
    """Raise unless labels is a frame of 0 and 1 with clips and tags."""
    need(
        isinstance(labels, pd.DataFrame) and labels.size,
        "a frame with clips and tags, corpus.labels('raw50')",
        f"{type(labels).__name__} of shape {np.shape(labels)}",
    )
    others = [tag for tag in labels if not labels[tag].isin([0, 1]).all()]
    need(not others, "columns of 0 and 1, corpus.labels('raw50')", others[:3])
