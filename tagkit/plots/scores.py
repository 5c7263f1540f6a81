"""Pictures of scores: of one clip, of models and tags, of pairs, of neighbours.

One subject with ten pictures, hence a long file; each of its functions is short.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.colors import ListedColormap

from tagkit.evaluation.metrics import seed_interval
from tagkit.plots.picture import (
    COLORS,
    FAINT,
    GREY,
    MARKERS,
    UNITS,
    finish,
    heat,
    legend,
    need,
    plain,
    start,
)

# -- one clip ------------------------------------------------------------------------


def tag_scores(scores: pd.Series, truth=None, *, n: int = 10, title: str = "", ax=None):
    """Draw a model's n highest scores for one clip, and the tags that it missed.

    Args: scores, of one clip, such as predict.tag_file gives or a row of
    predict.clip_scores; truth, a list of the clip's tags: these bars are striped, and
    those below the n highest follow with their rank.
    Shape: scores (n_tags,) in [0, 1], its index the tags.
    Raises: ValueError without tags or where a score is NaN.
    Notebook: course/00_start_here.ipynb

    >>> from tagkit.plots import alt_text
    >>> alt_text(tag_scores(pd.Series({"flute": 0.1, "guitar": 0.9}), ["flute"]))
    'Scores of one clip, highest guitar 0.90, flute 0.10; the crowd named flute.'
    """
    need(
        scores.size and np.isfinite(scores).all(),
        "a finite score per tag of one clip, predict.tag_file(...)",
        f"{len(scores)} scores, finite: {np.isfinite(scores).sum()}",
    )
    truth = None if truth is None else list(truth)
    ranked = scores.sort_values(ascending=False, kind="stable")
    missed = [tag for tag in ranked.index[n:] if tag in (truth or [])]
    shown = pd.concat([ranked.head(n), ranked[missed]])
    names = {tag: f"{tag} (rank {ranked.index.get_loc(tag) + 1})" for tag in missed}
    ax = start(ax, 1.1 + 0.24 * len(shown))
    labels = [plain(names.get(tag, tag)) for tag in shown.index]
    bars = dict(color=COLORS[5], saturation=1, width=0.7, edgecolor="white")
    sns.barplot(x=shown.to_numpy(), y=labels, ax=ax, **bars)
    ax.bar_label(ax.containers[0], fmt="{:.2f}", fontsize=9, padding=3)
    for bar, tag in zip(ax.patches, shown.index, strict=True):
        if tag in (truth or []):
            bar.set(facecolor=COLORS[0], hatch="///")
    ax.set_xlim(0, 1.08)
    told = ", ".join(f"{tag} {score:.2f}" for tag, score in ranked.head(3).items())
    crowd = (
        "" if truth is None else f"; the crowd named {', '.join(truth or ['no tag'])}"
    )
    alt = f"Scores of one clip, highest {told}{crowd}."
    title = title or ("Striped: tags that the crowd named" if truth else "")
    return finish(ax, alt, title=title, x="score (0 to 1)", y="tag", grid="x")


def tag_timeline(
    scores: pd.DataFrame, truth=(), *, n: int = 8, title: str = "", ax=None
):
    """Draw when each tag is heard: the scores of a clip's windows, one row per tag.

    The n tags with the highest score in any window are drawn, the highest above. With
    at most 16 windows each cell holds its number.

    Args: scores, from predict.timeline: the index is the middle of each window in
    seconds; truth, a list of the clip's tags: these get a star.
    Shape: scores (n_windows, n_tags) in [0, 1].
    Raises: ValueError where seconds do not rise, a score is NaN or there are none.
    Notebook: course/00_start_here.ipynb

    >>> from tagkit.plots import alt_text
    >>> scores = {"harp": [0.9, 0.2], "metal": [0.1, 0.8]}
    >>> alt_text(tag_timeline(pd.DataFrame(scores, [1.5, 4.5]))).split(": ")[1]
    'harp is highest at 1.5 s (0.90), metal is highest at 4.5 s (0.80).'
    """
    rising = scores.index.is_monotonic_increasing and scores.index.is_unique
    need(
        rising and scores.size and np.isfinite(scores).all(axis=None),
        "finite scores (n_windows, n_tags) of one clip, predict.timeline(...)",
        f"scores {scores.shape}",
        f"seconds {list(scores.index[:3])}",
    )
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
    peaks = table.idxmax(axis=1)
    told = ", ".join(
        f"{tag} is highest at {peaks[tag]:.1f} s ({table.at[tag, peaks[tag]]:.2f})"
        for tag in shown[:3]
    )
    star = "*: tags that the crowd named" if len(truth) else ""
    alt = (
        f"Scores of {len(shown)} of {scores.shape[1]} tags in {len(scores)} windows of "
        f"a clip: {told}."
    )
    return finish(ax, alt, title=title or star, x="middle of the window (s)", y="tag")


# -- models and tags -----------------------------------------------------------------


def scores_with_intervals(
    scores: Mapping, unit: str = "ROC-AUC", *, chance: float | None = None, ax=None
):
    """Draw scores as points with their intervals, one row per model.

    Args: scores, name -> (mean, low, high), from metrics.evaluate's row "macro" or
    metrics.seed_interval; say in the text which of the two; chance, the score of
    guessing, drawn as a dotted line.
    Shape: three numbers per model.
    Raises: ValueError for no rows, numbers that are not finite, low > mean > high.
    Notebook: course/01_dataset_analysis.ipynb

    >>> from tagkit.plots import alt_text
    >>> alt_text(scores_with_intervals({"raw": (0.7, 0.68, 0.72)}))
    'Scores with intervals, ROC-AUC: raw 0.700 (0.680 to 0.720).'
    """
    table = pd.DataFrame(scores, index=["mean", "low", "high"], dtype=float).T
    need(
        len(table) and table["mean"].between(table["low"], table["high"]).all(),
        "low <= mean <= high of one model or more, metrics.seed_interval(values)",
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
    told = ", ".join(
        f"{name} {mean:.3f} ({low:.3f} to {high:.3f})"
        for name, mean, low, high in table.itertuples()
    )
    dotted = "" if chance is None else f"; chance is {chance:g}"
    alt = f"Scores with intervals, {unit}: {told}{dotted}."
    title = "" if chance is None else f"Dotted: chance ({chance:g})"
    return finish(ax, alt, title=title, x=unit, grid="x")


def score_against_data(
    runs: pd.DataFrame, unit: str = "ROC-AUC", *, chance: float | None = None, ax=None
):
    """Draw how scores grow with the number of training clips, a line per model.

    Lines join the means over seeds, bars are their t-intervals, and the small dots are
    the single seeds. Each step to the right doubles the clips.

    Args: runs, such as results.read_runs gives, as a frame; chance, the score of
    guessing, drawn as a dotted line.
    Shape: a row per run; columns model, n_train (clips) and score.
    Raises: ValueError without runs, or for a column that is missing or not above 0.
    Notebook: course/03_spectrogram_cnns.ipynb

    >>> runs = pd.DataFrame(dict(model="raw", n_train=[45, 90], score=[0.6, 0.7]))
    >>> from tagkit.plots import alt_text
    >>> alt_text(score_against_data(runs))
    'ROC-AUC against the number of training clips, 45 to 90: raw from 0.600 to 0.700.'
    """
    numbers = runs.get(["n_train", "score"], pd.DataFrame())
    need(
        numbers.size and "model" in runs and (numbers > 0).all(axis=None),
        "runs with a model, n_train and a score, both above 0",
        f"{len(runs)} rows with {list(runs)}",
    )
    runs = runs.assign(model=runs["model"].map(plain))
    look = dict(x="n_train", y="score", hue="model")
    look["palette"] = sns.color_palette(COLORS, runs["model"].nunique())
    ax = start(ax, 3.6)
    sns.scatterplot(runs, s=16, legend=False, ax=ax, **look)
    sns.lineplot(
        runs,
        style="model",
        markers=True,
        err_style="bars",
        errorbar=lambda v: seed_interval(v)[1:] if len(v) > 1 else (np.nan, np.nan),
        ax=ax,
        **look,
    )
    if chance is not None:
        ax.axhline(chance, color=GREY, linestyle=":")
    ticks = sorted(runs["n_train"].unique())
    ax.set_xscale("log", base=2)
    ax.set_xticks(ticks, [f"{n:,}" for n in ticks])
    legend(ax)
    means = runs.groupby(["model", "n_train"], sort=False)["score"].mean()
    told = []
    for name in runs["model"].unique():
        line = means[name].sort_index()
        told.append(f"{name} from {line.iloc[0]:.3f} to {line.iloc[-1]:.3f}")
    dotted = "" if chance is None else f"; chance is {chance:g}"
    alt = (
        f"{unit} against the number of training clips, {ticks[0]:,} to {ticks[-1]:,}: "
        f"{', '.join(told)}{dotted}."
    )
    title = "Dots: single seeds; bars: t-interval of their mean"
    return finish(
        ax,
        alt,
        title=title,
        x="training clips (each step doubles them)",
        y=unit,
        grid="y",
    )


def per_tag(report: pd.DataFrame, metric: str = "roc_auc", *, ax=None):
    """Draw the score of every tag with its interval, best first, with its positives.

    Tags whose score is undefined (no positive or no negative clip) are left out and
    counted in the title. The line is the macro mean; grey marks are each tag's
    chance: 0.5 for ROC-AUC, its share of positives for average precision.

    Args: report, from metrics.evaluate; metric, "roc_auc" or "ap".
    Shape: (n_tags + 1, columns), last row "macro".
    Raises: ValueError where columns are missing or no tag has a score.
    Notebook: course/05_per_tag_evaluation.ipynb

    >>> report = pd.DataFrame(dict(positives=[9], ap=[0.5], ap_low=[0.4], ap_high=[0.6],
    ...     ap_floor=[0.1]), index=["flute"])
    >>> [label.get_text() for label in per_tag(report, "ap").get_yticklabels()]
    ['flute (9)']
    """
    tags = _tags_of(report, metric)
    n_undefined = len(report.drop(index="macro", errors="ignore")) - len(tags)
    tags = tags.sort_values(metric, ascending=False, kind="stable")
    ax = start(ax, 1.3 + 0.19 * len(tags))
    score = tags[metric]
    short = "roc" if metric == "roc_auc" else metric
    _intervals(ax, score, *(tags.get(f"{short}_{e}", score) for e in ("low", "high")))
    chance = tags["ap_floor"] if metric == "ap" else [0.5] * len(tags)
    ax.plot(chance, range(len(tags)), "|", color=GREY, markersize=7, label="chance")
    if "macro" in report.index:
        mean = report.at["macro", metric]
        ax.axvline(mean, color=COLORS[1], label=f"mean {mean:.3f}")
    legend(ax, above=True)
    _name_rows(ax, tags)
    unit = UNITS.get(metric, metric)
    ends = [f"{tags.index[i]} ({score.iloc[i]:.3f})" for i in (0, -1)]
    undefined = f" ({n_undefined} undefined)" if n_undefined else ""
    alt = (
        f"{unit} of {len(tags)} tags with intervals{undefined}: best {ends[0]}, "
        f"worst {ends[1]}."
    )
    title = f"{len(tags)} tags{undefined}"
    return finish(ax, alt, title=title, x=unit, y="tag (positive clips)", grid="x")


def per_tag_compare(
    report_a: pd.DataFrame,
    report_b: pd.DataFrame,
    *,
    names: tuple = ("A", "B"),
    metric: str = "roc_auc",
    ax=None,
):
    """Draw two models' scores of every tag, sorted by how far B is ahead of A.

    Which differences are more than luck, metrics.compare says, not this picture.

    Args: reports from metrics.evaluate on the same clips; names, of the models.
    Shape: both (n_tags + 1, columns), the same tags.
    Raises: ValueError where tags or their positives differ, or no tag has a score.
    Notebook: course/05_per_tag_evaluation.ipynb

    >>> a = pd.DataFrame(dict(positives=[9], roc_auc=[0.5]), index=["flute"])
    >>> from tagkit.plots import alt_text
    >>> alt_text(per_tag_compare(a, a + [0, 0.25], names=("raw", "mel")))
    'ROC-AUC of raw and mel: mel is ahead on 1 of 1 tags, from flute (+0.250) to flute
    (+0.250).'
    """
    a, b = _tags_of(report_a, metric), _tags_of(report_b, metric)
    need(
        a["positives"].to_dict() == b["positives"].to_dict(),
        "two reports on the same clips and tags",
        f"{len(a)} and {len(b)} tags with a score, or other clips",
    )
    gain = (b[metric] - a[metric]).sort_values(ascending=False, kind="stable")
    a, b = a.loc[gain.index], b.loc[gain.index]
    rows = range(len(gain))
    ax = start(ax, 1.3 + 0.19 * len(gain))
    ax.hlines(rows, a[metric], b[metric], color=FAINT, linewidth=3)
    ax.plot(a[metric], rows, "o", color=COLORS[1], label=plain(names[0]))
    ax.plot(b[metric], rows, "s", color=COLORS[0], label=plain(names[1]))
    legend(ax, above=True)
    _name_rows(ax, a)
    unit = UNITS.get(metric, metric)
    ahead = f"{names[1]} is ahead on {(gain > 0).sum()} of {len(gain)} tags"
    ends = [f"{gain.index[i]} ({gain.iloc[i]:+.3f})" for i in (0, -1)]
    alt = f"{unit} of {names[0]} and {names[1]}: {ahead}, from {ends[0]} to {ends[1]}."
    return finish(ax, alt, title=ahead, x=unit, y="tag (positive clips)", grid="x")


# -- judging -------------------------------------------------------------------------


def pair_grid(labels, scores, tag: str = "the tag", *, ax=None):
    """Draw which pairs of a clip with a tag and one without are in the right order.

    A row per clip with the tag, a column per clip without, from the lower left corner
    on the highest score first. So the edge is the ROC curve, and what is blue under it
    is the area, the ROC-AUC.

    Args: labels and scores, of one tag, in one order of clips.
    Shape: labels (n_clips,) of 0 and 1, scores (n_clips,).
    Raises: ValueError for other shapes, NaN, or a tag on no clip or on all.
    Notebook: course/05_per_tag_evaluation.ipynb

    >>> from tagkit.plots import alt_text
    >>> alt_text(pair_grid([1, 1, 0], [0.9, 0.1, 0.5], "flute"))
    '2 clips with flute by 1 without: 50.0 % of 2 pairs in the right order, 0 ties.'
    """
    has_tag, scores = np.asarray(labels) == 1, np.asarray(scores, dtype=float)
    need(
        has_tag.shape == scores.shape == (has_tag.size,)
        and 0 < has_tag.sum() < has_tag.size
        and np.isfinite(scores).all(),
        "finite scores (n_clips,) of a tag that some clips carry and some do not",
        f"labels {has_tag.shape} with {has_tag.sum()} positives",
        f"scores {scores.shape}",
    )
    ones, zeros = np.sort(scores[has_tag])[::-1], np.sort(scores[~has_tag])[::-1]
    order = np.sign(ones[:, None] - zeros)  # (n_ones, n_zeros)
    right, ties = 100 * (order + 1).mean() / 2, int((order == 0).sum())
    ax = start(ax, 2.6)
    grid = ax.pcolormesh(
        order,
        cmap=ListedColormap([COLORS[4], GREY, COLORS[0]]),
        vmin=-1,
        vmax=1,
        edgecolor="white",
        linewidth=0.4 if order.size <= 4000 else 0,
    )
    bar = ax.figure.colorbar(grid, ax=ax, pad=0.01, aspect=12)
    bar.set_ticks([-2 / 3, 0, 2 / 3], labels=["wrong", "tie", "right"])
    ax.set_yticks([0, len(ones)])
    alt = (
        f"{len(ones)} clips with {tag} by {len(zeros)} without: {right:.1f} % of "
        f"{order.size:,} pairs in the right order, {ties:,} ties."
    )
    title = f"{tag}: {right:.1f} % of {order.size:,} pairs in the right order"
    return finish(
        ax,
        alt,
        title=title,
        x=f"clips without {tag}, highest score first",
        y="clips with it",
    )


def threshold_curves(curves: pd.DataFrame, threshold: float, *, ax=None):
    """Draw precision, recall and F1 over the threshold, and their values at one.

    Args: curves, such as one row of metrics.decisions for each threshold, stacked;
    threshold, drawn as a line, with the three values there.
    Shape: (n_thresholds, columns), index threshold, columns precision, recall, f1.
    Raises: ValueError where columns are missing or no threshold has an F1.

    >>> from tagkit.plots import alt_text
    >>> curves = pd.DataFrame(dict(precision=[0.2, 0.5], recall=[1, 0.5],
    ...     f1=[0.33, 0.5]), [0.1, 0.5])
    >>> alt_text(threshold_curves(curves, 0.5))
    'Precision, recall and F1 over the threshold: F1 is best at 0.50 (0.50); at 0.50
    are precision 0.50, recall 0.50, F1 0.50.'
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


# -- neighbours ----------------------------------------------------------------------


def clip_map(points, kinds: Sequence[str] | None = None, title: str = "", *, ax=None):
    """Draw clips as points of a plane, with a mark and a colour for each kind.

    Args: points, from neighbours.tsne; kinds, a word per clip, such as a tag of it;
    an empty word is drawn as a small grey point. At most seven words: more marks
    cannot be told apart.
    Shape: points (n_clips, 2), kinds n_clips words.
    Raises: ValueError where lengths differ, a point is not finite, or for more words.
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
    told = f": {', '.join(counts)}" if words else ""
    alt = f"Map of {len(points)} clips, axes without a unit{told}."
    return finish(
        ax, alt, title=title, x="t-SNE, first axis (no unit)", y="second axis"
    )


def occurrences(counts: Mapping, k: int, *, ax=None):
    """Draw how many clips stand in 0, 1, 2, ... lists of k neighbours.

    Were all clips recommended alike, all would stand near k, the dotted line.

    Args: counts, name -> how often each clip is recommended, np.bincount of
    neighbours.nearest.
    Shape: (n_clips,) whole numbers for each name.
    Raises: ValueError for no names, no clips or counts below 0.
    Notebook: course/06_recommendation.ipynb

    >>> from tagkit.plots import alt_text
    >>> alt_text(occurrences({"cosine": [0, 1, 1, 6]}, k=2))
    'Clips by how many lists of 2 hold them, cosine: 1 of 4 in none, the most 6.'
    """
    rows = {name: np.ravel(row).astype(int) for name, row in counts.items()}
    need(
        rows and all(row.size and row.min() >= 0 for row in rows.values()),
        "name -> counts, np.bincount(lists.ravel(), minlength=n_clips)",
        dict(counts),
    )
    told = [
        f"{name}: {(row == 0).sum()} of {row.size} in none, the most {row.max()}"
        for name, row in rows.items()
    ]
    clips = {plain(name): pd.Series(np.bincount(row)) for name, row in rows.items()}
    ax = start(ax, 3.4)
    sns.lineplot(clips, markers=True, palette=COLORS[: len(clips)], ax=ax)
    ax.axvline(k, color=GREY, linestyle=":")
    ax.set_ylim(bottom=0)
    legend(ax, above=True)
    alt = f"Clips by how many lists of {k} hold them, {'; '.join(told)}."
    return finish(
        ax, alt, x=f"lists of {k} neighbours that hold a clip", y="clips", grid="y"
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


def _name_rows(ax, tags):
    """A tag and its positives at each row, the first above."""
    names = [f"{tag} ({n:,.0f})" for tag, n in tags["positives"].items()]
    ax.set_yticks(range(len(tags)), [plain(name) for name in names])
    ax.set_ylim(len(tags) - 0.4, -0.6)


def _tags_of(report: pd.DataFrame, metric: str) -> pd.DataFrame:
    """The rows of tags that have a score."""
    needed = f"positives and {metric} of a tag with clips that carry it and others"
    need({"positives", metric} <= set(report), needed, list(report))
    tags = report.drop(index="macro", errors="ignore").dropna(subset=[metric])
    need(len(tags), needed, f"no tag with a number under {metric}")
    return tags
