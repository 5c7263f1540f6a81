"""Pictures of scores: with intervals, against the number of clips, per tag."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from tagkit.plots.picture import (
    COLORS,
    FAINT,
    GREY,
    MARKERS,
    NAMES,
    STYLES,
    finish,
    listing,
    plain,
    start,
)


def scores_with_intervals(
    scores: Mapping, unit: str = "ROC-AUC", chance: float | None = None, ax=None
):
    """Draw scores as points with their intervals, one row per model.

    Args: scores, name -> (mean, low, high), from metrics.evaluate's row "macro" or
    metrics.seed_interval; say in the text which of the two; chance, the score of
    guessing, drawn as a dotted line.
    Shape: three numbers per model.
    Raises: ValueError for no rows, numbers that are not finite, low > mean > high.
    Notebook: course/03_spectrogram_cnns.ipynb

    >>> from tagkit.plots import alt_text
    >>> alt_text(scores_with_intervals({"raw": (0.7, 0.68, 0.72)}))
    'Scores with intervals, ROC-AUC: raw 0.700 (0.680 to 0.720).'
    """
    rows = {name: tuple(float(x) for x in row) for name, row in scores.items()}
    for name, row in rows.items():
        if (
            len(row) != 3
            or not row[1] <= row[0] <= row[2]
            or not np.isfinite(row).all()
        ):
            raise ValueError(
                f"the score of {name!r} is {row}; needed is (mean, low, high) with "
                "low <= mean <= high; take metrics.seed_interval(values)"
            )
    if not rows:
        raise ValueError("scores is empty; needed is name -> (mean, low, high)")
    ax = start(ax, 1.0 + 0.4 * len(rows))
    for place, (mean, low, high) in enumerate(rows.values()):
        _interval(ax, place, mean, low, high)
        ax.annotate(
            f"{mean:.3f}",
            (high, place),
            xytext=(6, 0),
            textcoords="offset points",
            va="center",
            fontsize=9,
        )
    if chance is not None:
        ax.axvline(chance, color=GREY, linestyle=":")
    ax.set_yticks(range(len(rows)), [plain(name) for name in rows])
    ax.set_ylim(len(rows) - 0.4, -0.6)
    ax.margins(x=0.12)
    told = listing(f"{n} {m:.3f} ({a:.3f} to {b:.3f})" for n, (m, a, b) in rows.items())
    dotted = "" if chance is None else f"; chance is {chance:g}"
    return finish(
        ax,
        f"Scores with intervals, {unit}: {told}{dotted}.",
        title="" if chance is None else f"Dotted: chance ({chance:g})",
        x=unit,
        grid="x",
    )


def score_against_data(
    runs: pd.DataFrame, unit: str = "ROC-AUC", chance: float | None = None, ax=None
):
    """Draw how scores grow with the number of training clips, a line per model.

    Lines join the means over seeds, bars are their t-intervals, and the small dots are
    the single seeds. Each step to the right doubles the clips. The models stand a
    little beside each other, so that no bar hides another.

    Args: runs, such as results.read_runs gives, as a frame; chance, the score of
    guessing, drawn as a dotted line.
    Shape: a row per run; columns model, n_train (clips) and score.
    Raises: ValueError where columns are missing, nothing is there, or a score or
    number of clips is no number above 0.
    Notebook: course/03_spectrogram_cnns.ipynb

    >>> runs = pd.DataFrame(dict(model="raw", n_train=[45, 90], score=[0.6, 0.7]))
    >>> from tagkit.plots import alt_text
    >>> alt_text(score_against_data(runs))
    'ROC-AUC against the number of training clips, 45 to 90: raw from 0.600 to 0.700.'
    """
    from tagkit.evaluation.metrics import seed_interval

    needed = ["model", "n_train", "score"]
    if not {*needed} <= {*runs} or runs.empty:
        raise ValueError(
            f"runs has {len(runs)} rows and columns {list(runs)}; needed are runs with "
            f"{', '.join(needed)}; make the frame from results.read_runs(folder)"
        )
    figures = runs[["n_train", "score"]].to_numpy(dtype=float)
    if not (np.isfinite(figures) & (figures > 0)).all():
        raise ValueError(
            "runs holds a score or number of clips that is no number above 0; needed "
            "are both for every run; leave runs without a score out"
        )
    ax, told = start(ax, 3.6), []
    names = list(runs["model"].unique())
    for number, name in enumerate(names):
        look = dict(color=COLORS[number % len(COLORS)])
        marker, style = MARKERS[number % len(MARKERS)], STYLES[number % len(STYLES)]
        beside = 2 ** (0.06 * (number - (len(names) - 1) / 2))
        means = {}
        for n, same in runs[runs["model"] == name].groupby("n_train")["score"]:
            means[n * beside] = same.mean()
            ax.plot([n * beside] * len(same), same, ".", **look, markersize=4)
            if len(same) > 1:
                bar = seed_interval(same)[1:]
                ax.vlines(n * beside, *bar, **look, linewidth=1.2, alpha=0.6)
        line = dict(look, marker=marker, linestyle=style, markersize=6, linewidth=1.8)
        ax.plot(list(means), list(means.values()), **line, label=plain(name))
        first, *_, last = *means.values(), *means.values()
        told.append(f"{name} from {first:.3f} to {last:.3f}")
    if chance is not None:
        ax.axhline(chance, color=GREY, linestyle=":")
    ticks = sorted(runs["n_train"].unique())
    ax.set_xscale("log", base=2)
    ax.set_xticks(ticks, [f"{n:,}" for n in ticks])
    ax.set_xticks([], minor=True)
    ax.legend(frameon=False, loc="upper left", bbox_to_anchor=(1, 1))
    dotted = "" if chance is None else f"; chance is {chance:g}"
    return finish(
        ax,
        f"{unit} against the number of training clips, {ticks[0]:,} to {ticks[-1]:,}: "
        f"{listing(told)}{dotted}.",
        title="Dots: single seeds; bars: t-interval of their mean",
        x="training clips (each step doubles them)",
        y=unit,
        grid="y",
    )


def per_tag(report: pd.DataFrame, metric: str = "roc_auc", ax=None):
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
    short = "roc" if metric == "roc_auc" else metric
    masked = len(report.drop(index="macro", errors="ignore")) - len(tags)
    tags = tags.sort_values(metric, ascending=False, kind="stable")
    ax = start(ax, 1.3 + 0.19 * len(tags))
    for place, (_, row) in enumerate(tags.iterrows()):
        low, high = row.get(f"{short}_low", np.nan), row.get(f"{short}_high", np.nan)
        _interval(ax, place, row[metric], low, high)
    chance = tags.get("ap_floor", np.nan) if metric == "ap" else 0.5
    chance = np.broadcast_to(chance, len(tags))
    ax.plot(chance, range(len(tags)), "|", color=GREY, markersize=7, label="chance")
    if "macro" in report.index:
        mean = report.at["macro", metric]
        ax.axvline(mean, color=COLORS[1], label=f"mean {mean:.3f}")
    ax.legend(frameon=False, loc="lower left", bbox_to_anchor=(0.55, 1), ncols=2)
    names = [f"{tag} ({row['positives']:,.0f})" for tag, row in tags.iterrows()]
    ax.set_yticks(range(len(tags)), [plain(name) for name in names])
    ax.set_ylim(len(tags) - 0.4, -0.6)
    unit = NAMES.get(metric, metric)
    ends = [f"{tags.index[i]} ({tags[metric].iloc[i]:.3f})" for i in (0, -1)]
    left_out = f"; undefined and left out: {masked}" if masked else ""
    return finish(
        ax,
        f"{unit} of {len(tags)} tags with intervals: best {ends[0]}, "
        f"worst {ends[1]}{left_out}.",
        title=f"{len(tags)} tags" + (f" ({masked} undefined)" if masked else ""),
        x=unit,
        y="tag (positive clips)",
        grid="x",
    )


def per_tag_compare(
    report_a: pd.DataFrame,
    report_b: pd.DataFrame,
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
    >>> alt_text(per_tag_compare(a, a + [0, 0.25], ("raw", "mel"))).split("; ")[0]
    'ROC-AUC of 1 tag for raw and mel: mel is ahead on 1'
    """
    a, b = _tags_of(report_a, metric), _tags_of(report_b, metric)
    if (
        set(a.index) != set(b.index)
        or (a["positives"] != b["positives"][a.index]).any()
    ):
        raise ValueError(
            f"the reports have {len(a)} and {len(b)} tags with a score or other clips; "
            "needed are two reports on the same clips and tags; evaluate both again"
        )
    gain = (b[metric] - a[metric]).sort_values(ascending=False, kind="stable")
    tags = gain.index
    ax = start(ax, 1.3 + 0.19 * len(tags))
    rows = range(len(tags))
    ax.hlines(rows, a[metric][tags], b[metric][tags], color=FAINT, linewidth=3)
    ax.plot(a[metric][tags], rows, "o", color=COLORS[1], label=plain(names[0]))
    ax.plot(b[metric][tags], rows, "s", color=COLORS[0], label=plain(names[1]))
    labels = [f"{tag} ({a['positives'][tag]:,.0f})" for tag in tags]
    ax.set_yticks(rows, [plain(label) for label in labels])
    ax.set_ylim(len(tags) - 0.4, -0.6)
    ax.legend(frameon=False, loc="lower left", bbox_to_anchor=(0.55, 1), ncols=2)
    unit = NAMES.get(metric, metric)
    n_ahead = int((gain > 0).sum())
    return finish(
        ax,
        f"{unit} of {len(tags)} tag{'s' * (len(tags) != 1)} for {names[0]} and "
        f"{names[1]}: {names[1]} is ahead on {n_ahead}; from {tags[0]} "
        f"({gain.iloc[0]:+.3f}) to {tags[-1]} ({gain.iloc[-1]:+.3f}).",
        title=f"{names[1]} is ahead on {n_ahead} of {len(tags)} tags",
        x=unit,
        y="tag (positive clips)",
        grid="x",
    )


def _interval(ax, place, mean, low, high):
    """A point with a line from low to high; the line is left out where it is NaN."""
    ax.plot([low, high], [place, place], color=COLORS[5], linewidth=3)
    ax.plot([mean], [place], "o", color=COLORS[0], markersize=5)


def _tags_of(report: pd.DataFrame, metric: str) -> pd.DataFrame:
    """The rows of tags that have a score."""
    if not {"positives", metric} <= set(report):
        raise ValueError(
            f"the report has columns {list(report)}; needed are positives and "
            f"{metric}; take metrics.evaluate(labels, scores, tags)"
        )
    tags = report.drop(index="macro", errors="ignore").dropna(subset=[metric])
    if tags.empty:
        raise ValueError(
            f"no tag of the report has a {metric}; needed is a tag with positive and "
            "negative clips; evaluate on more clips"
        )
    return tags
