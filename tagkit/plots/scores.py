"""Pictures of scores: in time, with intervals, tag by tag; a map of clips."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import seaborn as sns

from tagkit.plots.picture import (
    COLORS,
    GREY,
    MARKERS,
    clock,
    finish,
    heat,
    legend,
    need,
    plain,
    start,
)


def tag_timeline(
    scores: pd.DataFrame, truth=(), *, n: int = 8, title: str = "", ax=None
):
    """Draw when each tag is heard: the scores of a clip's windows, one row per tag.

    The n tags with the highest score in any window are drawn, the highest above. With
    at most 16 windows each cell holds its number.

    Args: scores, from predict.timeline: the index is the middle of each window in
    seconds; truth, a list of the clip's tags: these get a star.
    Shape: scores (n_windows, n_tags) in [0, 1].
    Notebook: course/00_start_here.ipynb

    >>> from tagkit.plots import alt_text
    >>> scores = {"harp": [0.9, 0.2], "metal": [0.1, 0.8]}
    >>> alt_text(tag_timeline(pd.DataFrame(scores, [1.5, 4.5]))).split(": ")[1]
    'harp is highest at 1.5 s (0.90), metal is highest at 4.5 s (0.80).'
    """
    _need_timeline(scores)
    shown = scores.max().sort_values(ascending=False, kind="stable").index[:n]
    table = scores[shown].T
    few = len(scores) <= 16
    named = table.rename(lambda tag: f"{tag} *" if tag in truth else tag)
    ax = start(ax, 1 + 0.3 * len(shown))
    heat(
        ax,
        named.rename(columns="{:.1f}".format),
        "score (0 to 1)",
        form=".2f" if few else "",
        xticklabels=1 if few else -(-len(scores) // 12),
    )
    ax.tick_params(axis="x", rotation=0)
    star = "*: tags that the crowd named" if len(truth) else ""
    alt = (
        f"Scores of {len(shown)} of {scores.shape[1]} tags in {len(scores)} windows of "
        f"a clip: {_peaks(table)}."
    )
    return finish(ax, alt, title=title or star, x="middle of the window (s)", y="tag")


def taggram(
    scores: pd.DataFrame, seconds: float, *, n: int = 10, title: str = "", ax=None
):
    """Draw what is heard when on an axis of time, to stand below a spectrogram.

    The n tags with the highest score in any window are drawn, each named with it; the
    tag that is heard most over the whole length is above. The colours end at a score of
    1, or at 0.5 where none is above it.

    Args: scores, from predict.timeline: the index is the middle of each window in
    seconds; seconds, the length of the sound.
    Shape: scores (n_windows, n_tags) in [0, 1].

    >>> from tagkit.plots import alt_text
    >>> scores = {"harp": [0.9, 0.2], "metal": [0.1, 0.8]}
    >>> alt_text(taggram(pd.DataFrame(scores, [1.5, 4.5]), 6)).split(": ")[1]
    'harp is highest at 1.5 s (0.90), metal is highest at 4.5 s (0.80).'
    """
    _need_timeline(scores)
    middles = scores.index.to_numpy(dtype=float)
    peaks = scores.max().sort_values(ascending=False, kind="stable")[:n]
    shown = scores[peaks.index].mean().sort_values(ascending=False, kind="stable").index
    table = scores[shown].T  # (n_shown, n_windows)
    edges = [0, *(middles[1:] + middles[:-1]) / 2, seconds]
    need(edges[-1] > edges[-2] > 0 or len(edges) == 2, "the length of the sound", edges)
    rows = np.arange(len(shown) + 1)
    ax = start(ax, 1 + 0.26 * len(shown))
    most = 1 if peaks.iloc[0] > 0.5 else 0.5
    cells = ax.pcolormesh(edges, rows, table, cmap="BuPu", vmin=0, vmax=most)
    ax.hlines(rows[1:-1], 0, seconds, color="white", linewidth=2)
    ax.figure.colorbar(
        cells, ax=ax, pad=0.01, aspect=15, label=f"score (0 to {most:g})"
    )
    ax.set_xlim(0, seconds)
    step = next(s for s in (1, 2, 5, 10, 15, 30, 60, seconds) if seconds / s <= 12)
    marks = np.arange(0, seconds, step)
    ax.set_xticks(marks, [clock(at) for at in marks])
    names = [plain(f"{tag} {peaks[tag]:.2f}") for tag in shown]
    ax.set_yticks(rows[:-1] + 0.5, names)
    ax.set_ylim(len(shown), 0)
    alt = (
        f"Taggram of {seconds:.1f} s, {len(shown)} of {scores.shape[1]} tags in "
        f"{len(scores)} windows: {_peaks(table)}."
    )
    finish(ax, alt, title=title, x="time (min:s)", y="tag, highest score")
    ax.tick_params(axis="y", length=0)
    return ax


def scores_with_intervals(
    scores: Mapping, unit: str = "ROC-AUC", *, chance: float | None = None, ax=None
):
    """Draw scores as points with their intervals, one row per model.

    Args: scores, name -> (mean, low, high), from metrics.evaluate's row "macro";
    chance, the score of guessing, drawn as a dotted line.
    Notebook: course/01_dataset_analysis.ipynb

    >>> from tagkit.plots import alt_text
    >>> alt_text(scores_with_intervals({"raw": (0.7, 0.68, 0.72)}))
    'Scores with intervals, ROC-AUC: raw 0.700 (0.680 to 0.720).'
    """
    triples = {name: list(values) for name, values in scores.items()}  # Series, too
    table = pd.DataFrame(triples, ["mean", "low", "high"], dtype=float).T
    need(
        len(table) and table["mean"].between(table["low"], table["high"]).all(),
        "low <= mean <= high of one model or more, as in metrics.evaluate",
        dict(scores),
    )
    ax = start(ax, 1 + 0.4 * len(table))
    _intervals(ax, table["mean"], table["low"], table["high"])
    for row, (mean, _, high) in enumerate(table.to_numpy()):
        ax.text(high, row, f"  {mean:.3f}", va="center", fontsize=9)
    if chance is not None:
        ax.axvline(chance, color=GREY, linestyle=":")
    ax.set_yticks(range(len(table)), [plain(name) for name in table.index])
    ax.margins(x=0.12)
    summary = ", ".join(
        f"{name} {mean:.3f} ({low:.3f} to {high:.3f})"
        for name, mean, low, high in table.itertuples()
    )
    dotted = "" if chance is None else f"; chance is {chance:g}"
    alt = f"Scores with intervals, {unit}: {summary}{dotted}."
    title = "" if chance is None else f"Dotted: chance ({chance:g})"
    return finish(ax, alt, title=title, x=unit, grid="x")


def score_dots(has, scores, threshold: float, *, ax=None):
    """Draw each clip as a dot at its score, with the tag above, without it below.

    Blue dots are on the right side of the threshold, orange ones on the wrong side.

    Shape: has and scores (n_clips,) of one tag.
    """
    has, scores = np.asarray(has) == 1, np.asarray(scores, dtype=float)
    need(
        has.shape == scores.shape and scores.ndim == 1 and np.isfinite(scores).all(),
        "a label and a score for each clip, (n_clips,)",
        f"{has.shape} labels, {scores.shape} scores",
    )
    yes = scores >= threshold
    right = yes == has
    ax = start(ax, 2)
    jitter = np.random.default_rng(0).uniform(-0.3, 0.3, len(has))
    sns.scatterplot(  # not stripplot: its dots would jump with each threshold
        x=scores,
        y=np.where(has, 0, 1) + jitter,
        hue=right,
        hue_order=[True, False],
        palette=COLORS[:2],
        legend=False,
        linewidth=0,
        s=25,
        ax=ax,
    )
    ax.axvline(threshold, color="black", linewidth=1)
    ax.set_yticks([0, 1], [f"with it ({has.sum()})", f"without ({(~has).sum()})"])
    ax.set_ylim(1.5, -0.5)
    ax.set_xlim(-0.02, 1.02)
    found = f"{yes.sum()} yeses, {(yes & has).sum()} right; {(has & ~yes).sum()} missed"
    alt = (
        f"Scores of {has.sum()} clips with the tag, {(~has).sum()} without; at "
        f"{threshold:.2f} are {found}."
    )
    return finish(ax, alt, title=f"At {threshold:.2f}: {found}", x="score")


def threshold_curves(curves: pd.DataFrame, threshold: float, *, ax=None):
    """Draw precision, recall and F1 over the threshold, and their values at one.

    Shape: curves (n_thresholds, columns), index threshold, columns precision, recall
    and f1: rows of metrics.decisions, stacked.
    """
    names = {"precision": "precision", "recall": "recall", "f1": "F1"}
    need(
        set(names) <= set(curves) and curves["f1"].notna().any(),
        "precision, recall and f1, rows of metrics.decisions stacked",
        f"{len(curves)} rows with {list(curves)}",
    )
    curves = curves[[*names]].rename(columns=names).astype(float)
    ax = start(ax, 2.8)
    sns.lineplot(curves, palette=COLORS[:3], linewidth=2, ax=ax)
    ax.axvline(threshold, color="black", linewidth=1)
    there = {n: np.interp(threshold, curves.index, curves[n]) for n in curves}
    ax.scatter([threshold] * 3, there.values(), color=COLORS[:3], zorder=3)
    ax.set_ylim(-0.02, 1.02)
    legend(ax)
    values = ", ".join(f"{name} {value:.2f}" for name, value in there.items())
    best = curves["F1"].idxmax()
    alt = (
        "Precision, recall and F1 over the threshold: F1 is best at "
        f"{best:.2f} ({curves.at[best, 'F1']:.2f}); at {threshold:.2f} are {values}."
    )
    title = f"At {threshold:.2f}: {values}"
    return finish(
        ax, alt, title=title, x="threshold (of the score)", y="share", grid="y"
    )


def clip_map(points, kinds: Sequence[str] | None = None, title: str = "", *, ax=None):
    """Draw clips as points of a plane, with a mark and a colour for each kind.

    Args: points, from neighbours.tsne; kinds, a word per clip, such as a tag of it, at
    most seven different ones; an empty word is drawn as a small grey point.
    Shape: points (n_clips, 2), kinds n_clips words.
    Notebook: course/06_recommendation.ipynb

    >>> from tagkit.plots import alt_text
    >>> alt_text(clip_map([[0, 1], [2, 0], [2, 1]], ["flute", "", "flute"]))
    'Map of 3 clips, axes without a unit: flute 2, none of these 1.'
    """
    points = np.asarray(points, dtype=float)
    kinds = np.array([""] * len(points) if kinds is None else kinds, dtype=str)
    words = sorted({*kinds} - {""})
    need(
        points.shape == (len(kinds), 2) and len(kinds) and np.isfinite(points).all(),
        "finite points (n_clips, 2) and a word for each, neighbours.tsne(vectors)",
        f"{len(points)} points {points.shape} for {len(kinds)} kinds, or they hold NaN",
    )
    few = f"at most {len(MARKERS)}, the rarer kinds empty"
    need(len(words) <= len(MARKERS), few, f"{len(words)} kinds")
    ax = start(ax, 5.2)
    counts = []
    looks = [*zip(words, COLORS, MARKERS, strict=False), ("", GREY, "o")]
    for word, colour, marker in looks:
        x, y = points[kinds == word].T
        if not len(x):
            continue
        name = word or "none of these"
        ax.scatter(
            x,
            y,
            s=44 if word else 20,
            marker=marker,
            color=colour,
            edgecolors="white",
            label=plain(f"{name} ({len(x)})"),
        )
        counts.append(f"{name} {len(x)}")
    if words:
        legend(ax)
    ax.set_xticks([])
    ax.set_yticks([])
    ax.margins(0.05)
    summary = f": {', '.join(counts)}" if words else ""
    alt = f"Map of {len(points)} clips, axes without a unit{summary}."
    return finish(
        ax, alt, title=title, x="t-SNE, first axis (no unit)", y="second axis"
    )


def _need_timeline(scores):
    """Raise ValueError unless these are the scores of one clip, window by window."""
    rising = scores.index.is_monotonic_increasing and scores.index.is_unique
    need(
        rising and scores.size and np.isfinite(scores).all(axis=None),
        "finite scores (n_windows, n_tags) of one clip, predict.timeline(...)",
        f"scores {scores.shape}",
        f"seconds {list(scores.index[:3])}",
    )


def _peaks(table) -> str:
    """When the first three tags of (n_tags, n_windows) are highest, in words."""
    peaks = table.idxmax(axis=1)
    return ", ".join(
        f"{tag} is highest at {peaks[tag]:.1f} s ({table.at[tag, peaks[tag]]:.2f})"
        for tag in table.index[:3]
    )


def _intervals(ax, score, low, high):
    """Points with a line from low to high, a row each from above; NaN is left out."""
    ax.errorbar(
        score,
        range(len(score)),
        xerr=[score - low, high - score],
        fmt="o",
        color=COLORS[0],
        ecolor=COLORS[5],
        elinewidth=3,
        markersize=5,
    )
    ax.set_ylim(len(score) - 0.4, -0.6)
