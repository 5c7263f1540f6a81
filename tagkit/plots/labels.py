"""Pictures of label tables and splits."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
import seaborn as sns

from tagkit.plots.picture import COLORS, finish, heat, legend, listing, plain, start


def tag_counts(labels: pd.DataFrame, n: int = 50, *, ax=None):
    """Draw on how many clips each of the n most frequent tags stands.

    Args: labels, a labels frame; n, the number of bars: above 60 names overlap.
    Shape: labels (n_clips, n_tags).
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
        ax.bar_label(ax.containers[0], fmt="{:,.0f}", fontsize=9, padding=2)
    first, last = counts.index[0], counts.index[-1]
    return finish(
        ax,
        f"Bar chart of clips per tag for {len(counts)} of {labels.shape[1]} tags: "
        f"from {first} on {counts[first]:,} to {last} on {counts[last]:,}.",
        title=f"The {len(counts)} most frequent tags on {len(labels):,} clips",
        x="tag",
        y="clips",
        grid="y",
    )


def tags_per_clip(labels: pd.DataFrame, *, ax=None):
    """Draw how many clips carry 0, 1, 2, ... tags; the bar at 0 has its own colour.

    Args: labels, a labels frame of all tags that you count.
    Shape: labels (n_clips, n_tags).
    Raises: ValueError for an empty frame or values other than 0 and 1.
    Notebook: course/01_dataset_analysis.ipynb

    >>> tags_per_clip(pd.DataFrame({"piano": [1, 0], "flute": [1, 0]})).get_xlabel()
    'tags on a clip'
    """
    _need_labels(labels)
    per_clip = labels.sum(axis=1).astype(int)
    ax = start(ax)
    look = dict(color=COLORS[0], alpha=1, edgecolor="white", shrink=0.85)
    sns.histplot(per_clip, discrete=True, binrange=(0, per_clip.max()), ax=ax, **look)
    ax.patches[0].set_facecolor(COLORS[1])
    if len(ax.patches) <= 16:
        ax.bar_label(ax.containers[0], fmt="{:,.0f}", fontsize=9)
    ax.xaxis.get_major_locator().set_params(integer=True)
    n_bare = int((per_clip == 0).sum())
    share = f"({100 * n_bare / len(labels):.1f} %)"
    return finish(
        ax,
        f"Histogram of tags per clip over {len(labels):,} clips: {n_bare:,} {share} "
        f"carry none, the median is {per_clip.median():g}, the most on one clip is "
        f"{per_clip.max()}.",
        title=f"{n_bare:,} of {len(labels):,} clips {share} carry no tag",
        x="tags on a clip",
        y="clips",
        grid="y",
    )


def cooccurrence(matrix: pd.DataFrame, *, ax=None):
    """Draw P(column tag | row tag) as a heat map; the diagonal, always 1, is grey.

    Args: matrix, from tags.cooccurrence; up to 12 tags the cells show their numbers.
    Shape: (n_tags, n_tags), shares in [0, 1]; rows of tags without clips may be NaN.
    Raises: ValueError for fewer than two tags, other rows than columns, or no shares.
    Notebook: course/01_dataset_analysis.ipynb

    >>> from tagkit.plots import alt_text
    >>> tags = ["violin", "strings"]
    >>> alt_text(cooccurrence(pd.DataFrame([[1, 0.8], [0.4, 1]], tags, tags)))
    'Heat map of P(column tag | row tag) for 2 tags: the highest is 0.80, of strings
    given violin.'
    """
    shares = matrix.mask(np.eye(*matrix.shape, dtype=bool)).astype(float)
    listed = shares.stack().dropna()
    if list(matrix.index) != list(matrix.columns) or not listed.between(0, 1).any():
        raise ValueError(
            f"matrix has shape {matrix.shape} and {len(listed)} values beside the "
            "diagonal; needed is a square frame of tags with shares from 0 to 1; make "
            "one with tags.cooccurrence(labels)"
        )
    ax = start(ax, min(8.8, 2 + 0.3 * len(matrix)))
    heat(ax, shares, "share of clips", form=".2f" * (len(matrix) <= 12), vmin=0)
    ax.tick_params(axis="x", rotation=90)
    row, column = listed.idxmax()
    return finish(
        ax,
        f"Heat map of P(column tag | row tag) for {len(matrix)} tags: the highest is "
        f"{listed.max():.2f}, of {column} given {row}.",
        title="P(column tag | row tag)",
        y="row tag (given)",
    )


def pair_overlap(pairs: Mapping, *, ax=None):
    """Draw which part of the clips with either of two tags carries both.

    Args: pairs, (tag, other tag) -> counts from tags.pair_counts; a bar for each
    pair, least overlap first.
    Shape: counts has the keys either, both, only_a, only_b (clips).
    Raises: ValueError for no pairs, missing keys or counts that do not add up.
    Notebook: course/01_dataset_analysis.ipynb

    >>> counts = dict(either=10, both=1, only_a=6, only_b=3)
    >>> pair_overlap({("guitar", "techno"): counts}).get_xlabel()
    'share of the clips with either tag (%)'
    """
    parts = {"only_a": "first tag only", "both": "both", "only_b": "second tag only"}
    table = pd.DataFrame({f"{a} / {b}": counts for (a, b), counts in pairs.items()}).T
    if (
        not {*parts, "either"} <= set(table)
        or (
            (table[[*parts]].sum(axis=1) != table["either"]) | (table["either"] == 0)
        ).any()
    ):
        raise ValueError(
            f"counts are {dict(pairs)}; needed are only_a + both + only_b = either "
            "clips of one pair or more; make them with tags.pair_counts(labels, a, b)"
        )
    shares = 100 * table.rename(columns=parts)[[*parts.values()]].div(
        table["either"], axis=0
    )
    shares = shares.sort_values("both")
    table = table.loc[shares.index]
    names = [f"{plain(n)}\n{table['either'][n]:,} clips" for n in table.index]
    ax = start(ax, 1.4 + 0.5 * len(table))
    shares.set_axis(names).plot.barh(
        stacked=True,
        color=[COLORS[5], COLORS[1], COLORS[4]],
        width=0.7,
        edgecolor="white",
        ax=ax,
    )
    for key, bars in zip(parts, ax.containers, strict=True):
        words = [f"{n:,}" if n else "" for n in table[key]]
        ax.bar_label(bars, words, label_type="center", fontsize=9)
    ax.invert_yaxis()
    legend(ax, above=True)
    told = [
        f"{name} {table['both'][name]:,} of {table['either'][name]:,} clips "
        f"({share:.1f} %)"
        for name, share in shares["both"].items()
    ]
    return finish(
        ax,
        f"Stacked bars of tag pairs, clips with both tags: {listing(told[:6])}.",
        title="How far two tags overlap",
        x="share of the clips with either tag (%)",
    )


def split_sizes(about: pd.DataFrame, *, ax=None):
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
    inner = [
        ", ".join(f"{int(row[kind]):,} {kind}" for kind in kinds)
        for _, row in about.iterrows()
    ]
    names = [f"{part}\n{text}" for part, text in zip(about.index, inner, strict=True)]
    ax = start(ax, 0.9 + 0.6 * len(about))
    bars = dict(color=COLORS[0], saturation=1, width=0.65)
    sns.barplot(x=clips.to_numpy(), y=[plain(name) for name in names], ax=ax, **bars)
    shares = [f"{count:,} ({100 * count / clips.sum():.1f} %)" for count in clips]
    ax.bar_label(ax.containers[0], shares, fontsize=9, padding=4)
    ax.margins(x=0.2)
    told = [
        f"{part} {count:,} clips" + f" ({text})" * bool(text)
        for part, count, text in zip(about.index, clips, inner, strict=True)
    ]
    return finish(
        ax,
        f"Bar chart of the parts of a split: {listing(told)}.",
        title=f"{clips.sum():,} clips in {len(about)} parts",
        x="clips",
        grid="x",
    )


def leak(shares: Mapping, *, ax=None):
    """Draw the share of test clips whose track or artist is also in training.

    Args: shares, split name -> {"track": share, "artist": share}, from tags.overlap.
    Shape: shares in [0, 1].
    Raises: ValueError for an empty dict or a share outside [0, 1].
    Notebook: course/01_dataset_analysis.ipynb

    >>> leak({"folders": {"track": 0.0}, "random": {"track": 0.9}}).get_xlabel()
    'share of the test clips (%)'
    """
    table = 100 * pd.DataFrame(shares).T
    if table.empty or not ((table >= 0) & (table <= 100)).all(axis=None):
        raise ValueError(
            f"shares are {dict(shares)}; needed are numbers from 0 to 1; "
            "take them from tags.overlap(split, groups)"
        )
    ax = start(ax, 1.2 + 0.35 * table.size)
    long = table.rename(plain).rename_axis("split").add_prefix("same ").reset_index()
    sns.barplot(
        long.melt("split"),
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
    told = listing(
        f"{split}: " + ", ".join(f"{row[k]:.1f} % share the {k}" for k in table)
        for split, row in table.iterrows()
    )
    return finish(
        ax,
        f"Bar chart of test clips with a relative in training, {told}.",
        title="Test clips with a relative in training",
        x="share of the test clips (%)",
        grid="x",
    )


def label_noise(labels: pd.DataFrame, truth: pd.DataFrame, n: int = 20, *, ax=None):
    """Draw for each tag on how many clips it is true and named, true only, named only.

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
    if not same or not labels.size:
        raise ValueError(
            f"labels {labels.shape} and truth {truth.shape} are empty or have other "
            "clips or tags; needed are two like frames; use truth.loc[labels.index, "
            "labels.columns]"
        )
    named, true = labels == 1, truth == 1
    parts = pd.DataFrame(
        {
            "true and named": (named & true).sum(),
            "true, not named": (~named & true).sum(),
            "named, not true": (named & ~true).sum(),
        }
    )
    n_true = true.sum().sort_values(ascending=False, kind="stable")
    shown = parts.loc[n_true.index[:n]]
    ax = start(ax, 1.2 + 0.24 * len(shown))
    shown.rename(plain).plot.barh(
        stacked=True,
        color=[COLORS[0], COLORS[5], COLORS[1]],
        width=0.8,
        edgecolor="white",
        ax=ax,
    )
    for bar in ax.containers[1]:
        bar.set_hatch("//")
    ax.invert_yaxis()
    legend(ax, above=True)
    _, missed, wrong = parts.sum()
    return finish(
        ax,
        f"Stacked bars of {len(shown)} of {len(parts)} tags on {len(labels):,} clips: "
        f"{100 * missed / max(n_true.sum(), 1):.0f} % of the true tags are not named, "
        f"{wrong:,} of the named tags not true.",
        x="clips",
        y="tag",
        grid="x",
    )


def _need_labels(labels: pd.DataFrame):
    """Raise unless labels is a frame of 0 and 1 with clips and tags."""
    if not isinstance(labels, pd.DataFrame) or not labels.size:
        raise ValueError(
            f"labels is {type(labels).__name__} of shape {np.shape(labels)}; needed is "
            "a labels frame with clips and tags; take corpus.labels('raw50')"
        )
    others = [tag for tag in labels if not labels[tag].isin([0, 1]).all()]
    if others:
        raise ValueError(
            f"columns {others[:3]} hold other values than 0 and 1; needed are tags "
            "only; take corpus.labels('raw50')"
        )
