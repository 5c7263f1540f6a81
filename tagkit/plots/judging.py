"""Pictures for judging scores: pairs, thresholds, label noise, what was listened to."""

import numpy as np
import pandas as pd
from matplotlib.colors import ListedColormap

from tagkit.plots.picture import COLORS, GREY, MARKERS, STYLES, finish, plain, start
from tagkit.plots.sound import spectrogram


def pair_grid(labels, scores, tag: str = "the tag", ax=None):
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
    labels, scores = _one_tag(labels, scores)
    ones, zeros = np.sort(scores[labels])[::-1], np.sort(scores[~labels])[::-1]
    order = np.sign(ones[:, None] - zeros)  # (n_ones, n_zeros)
    right, ties = 100 * (order + 1).mean() / 2, int((order == 0).sum())
    ax = start(ax, 2.6)
    colours = ListedColormap([COLORS[4], GREY, COLORS[0]])
    shown = dict(cmap=colours, vmin=-1, vmax=1, aspect="auto", interpolation="nearest")
    extent = (0, len(zeros), 0, len(ones))
    image = ax.imshow(order, origin="lower", extent=extent, **shown)
    if order.size <= 4000:
        ax.vlines(range(1, len(zeros)), 0, len(ones), color="white", linewidth=0.4)
        ax.hlines(range(1, len(ones)), 0, len(zeros), color="white", linewidth=0.4)
    bar = ax.figure.colorbar(image, ax=ax, pad=0.01, aspect=12)
    bar.set_ticks([-2 / 3, 0, 2 / 3], labels=["wrong", "tie", "right"])
    bar.ax.tick_params(labelsize=9, length=0)
    ax.set_yticks([0, len(ones)])
    return finish(
        ax,
        f"{len(ones)} clips with {tag} by {len(zeros)} without: {right:.1f} % of "
        f"{order.size:,} pairs in the right order, {ties:,} ties.",
        title=f"{tag}: {right:.1f} % of {order.size:,} pairs in the right order",
        x=f"clips without {tag}, highest score first",
        y="clips with it",
    )


def threshold_curves(curves: pd.DataFrame, threshold: float | None = None, ax=None):
    """Draw precision, recall and F1 over the threshold.

    Args: curves, such as one row of metrics.decisions for each threshold, stacked;
    threshold, drawn as a line, with the three values there.
    Shape: (n_thresholds, columns), index threshold, columns precision, recall, f1.
    Raises: ValueError where columns are missing or no threshold has an F1.
    Notebook: course/05_per_tag_evaluation.ipynb

    >>> from tagkit.plots import alt_text
    >>> curves = pd.DataFrame(dict(precision=[0.2, 0.5], recall=[1, 0.5],
    ...     f1=[0.33, 0.5]), [0.1, 0.5])
    >>> alt_text(threshold_curves(curves))
    'Precision, recall and F1 at thresholds 0.10 to 0.50: F1 is best at 0.50 (0.50).'
    """
    names = {"precision": "precision", "recall": "recall", "f1": "F1"}
    if not set(names) <= set(curves) or curves["f1"].isna().all():
        raise ValueError(
            f"curves has columns {list(curves)} and {len(curves)} rows; needed are "
            "precision, recall and f1 with numbers; stack rows of metrics.decisions"
        )
    at = curves.index.to_numpy(dtype=float)
    best = curves["f1"].idxmax()
    told = f"F1 is best at {best:.2f} ({curves.at[best, 'f1']:.2f})"
    ax = start(ax, 2.8)
    for number, (name, label) in enumerate(names.items()):
        style = dict(color=COLORS[number], linestyle=STYLES[number], linewidth=2)
        ax.plot(at, curves[name], label=label, **style)
    title = f"{told[0].upper()}{told[1:]}"
    if threshold is not None:
        ax.axvline(threshold, color=COLORS[6], linewidth=1)
        there = {n: np.interp(threshold, at, curves[n]) for n in names}
        for number, name in enumerate(names):
            look = dict(color=COLORS[number], markersize=7)
            ax.plot([threshold], [there[name]], MARKERS[number], **look)
        values = ", ".join(f"{names[n]} {v:.2f}" for n, v in there.items())
        told += f"; at {threshold:.2f} are {values}"
        title = f"At {threshold:.2f}: {values}"
    ax.set_ylim(-0.02, 1.02)
    ax.legend(frameon=False, loc="upper left", bbox_to_anchor=(1, 1))
    return finish(
        ax,
        f"Precision, recall and F1 at thresholds {at[0]:.2f} to {at[-1]:.2f}: {told}.",
        title=title,
        x="threshold (of the score)",
        y="share",
        grid="y",
    )


def label_noise(labels: pd.DataFrame, truth: pd.DataFrame, n: int = 20, ax=None):
    """Draw for each tag on how many clips it is true and named, true only, named only.

    Args: labels, what the crowd named; truth, what is in the sound; n, the number of
    tags, those that are true of most clips.
    Shape: two frames (n_clips, n_tags) with the same index and columns.
    Raises: ValueError where the two frames do not match or are empty.
    Notebook: course/05_per_tag_evaluation.ipynb

    >>> from tagkit.plots import alt_text
    >>> said, true = ({"flute": v} for v in ([1, 0, 0, 1], [1, 1, 1, 0]))
    >>> alt_text(label_noise(pd.DataFrame(said), pd.DataFrame(true))).split(": ")[1]
    '67 % of the true tags are not named, 1 named tag is not true; most missed'
    """
    if (
        not (labels.index.equals(truth.index) and labels.columns.equals(truth.columns))
        or not labels.size
    ):
        raise ValueError(
            f"labels {labels.shape} and truth {truth.shape} are empty or have other "
            "clips or tags; needed are two like frames; use truth.loc[labels.index, "
            "labels.columns]"
        )
    said, true = labels.to_numpy() == 1, truth.to_numpy() == 1
    parts = pd.DataFrame(
        {"both": (said & true).sum(0), "missed": (~said & true).sum(0)}, labels.columns
    )
    parts["wrong"] = (said & ~true).sum(0)
    n_true = parts["both"] + parts["missed"]
    shown = parts.loc[n_true.sort_values(ascending=False, kind="stable").index[:n]]
    ax = start(ax, 1.2 + 0.24 * len(shown))
    looks = {
        "both": dict(label="true and named", color=COLORS[0]),
        "missed": dict(label="true, not named", color=COLORS[5], hatch="//"),
        "wrong": dict(label="named, not true", color=COLORS[1], hatch=".."),
    }
    left = np.zeros(len(shown))
    for part, look in looks.items():
        ax.barh(range(len(shown)), shown[part], left=left, edgecolor="white", **look)
        left += shown[part].to_numpy()
    ax.set_yticks(range(len(shown)), [plain(tag) for tag in shown.index])
    ax.set_ylim(len(shown) - 0.4, -0.6)
    ax.legend(frameon=False, loc="lower left", bbox_to_anchor=(0, 1), ncols=3)
    share = 100 * parts["missed"].sum() / max(n_true.sum(), 1)
    rates = (parts["missed"] / n_true.where(n_true > 0)).fillna(0)
    worst, n_wrong = rates.idxmax(), parts["wrong"].sum()
    be = "tags are" if n_wrong != 1 else "tag is"
    return finish(
        ax,
        f"Stacked bars of {len(shown)} of {len(parts)} tags on {len(labels):,} clips: "
        f"{share:.0f} % of the true tags are not named, {n_wrong:,} named {be} not "
        f"true; most missed: {worst} ({100 * rates[worst]:.0f} %).",
        x="clips",
        y="tag",
        grid="x",
    )


def occlusion(mel_db, sample_rate: int, hop: int, drops, title: str = "", ax=None):
    """Draw over a spectrogram how far the score falls where a piece is hidden.

    Orange: the score falls without this piece. Purple: it rises. Nearly white: it does
    not care. The spectrogram lies under it in grey.

    Args: mel_db, sample_rate and hop as for `spectrogram`; drops, score of the whole
    minus score without the piece; pieces divide the picture evenly, the first row is
    the lowest band. Pieces in time: shape (1, n); pieces in frequency: (n, 1).
    Shape: mel_db (n_mels, n_frames), drops (n_rows, n_columns).
    Raises: ValueError for other shapes or values that are not finite.
    Notebook: course/05_per_tag_evaluation.ipynb

    >>> from tagkit.plots import alt_text
    >>> mel_db = np.zeros((96, 94))
    >>> alt_text(occlusion(mel_db, 12_000, 256, [[0.0, 0.5]])).split(": ")[1]
    'it falls most, by 0.50, without the piece from 1.0 to 2.0 s; it rises nowhere.'
    """
    mel_db, drops = np.asarray(mel_db, dtype=float), np.asarray(drops, dtype=float)
    if mel_db.ndim != 2 or drops.ndim != 2 or not drops.size:
        raise ValueError(
            f"mel_db has shape {mel_db.shape}, drops {drops.shape}; needed are "
            "(n_mels, n_frames) and (n_rows, n_columns); of pieces in time take "
            "drops[None]"
        )
    if not np.isfinite(drops).all():
        raise ValueError(
            f"{(~np.isfinite(drops)).sum()} of {drops.size} drops are not finite; "
            "needed are differences of scores; hide the piece in another way"
        )
    ax = spectrogram(mel_db, sample_rate, hop, ax=start(ax, 3.0))
    ax.images[0].set_cmap("gray")
    ax.images[0].colorbar.remove()
    seconds, n_mels = mel_db.shape[1] * hop / sample_rate, len(mel_db)
    most = max(np.abs(drops).max(), 1e-9)
    place = dict(extent=(0, seconds, -0.5, n_mels - 0.5), origin="lower", aspect="auto")
    cover = ax.imshow(drops, cmap="PuOr_r", vmin=-most, vmax=most, alpha=0.62, **place)
    bar = ax.figure.colorbar(cover, ax=ax, pad=0.01, aspect=15)
    bar.set_label("fall of the logit", fontsize=10)
    bar.ax.tick_params(labelsize=9)
    row, column = np.unravel_index(drops.argmax(), drops.shape)
    width = seconds / drops.shape[1]
    where = [f"from {column * width:.1f} to {(column + 1) * width:.1f} s"]
    if len(drops) > 1:
        where.append(f"piece {row + 1} of {len(drops)} from below")
    rise = (
        f"it rises by up to {-drops.min():.2f}"
        if drops.min() < 0
        else "it rises nowhere"
    )
    return finish(
        ax,
        "Spectrogram with the fall of the logit where a piece is hidden, "
        f"{drops.shape[1]} pieces in time by {len(drops)} in frequency: it falls most, "
        f"by {drops.max():.2f}, without the piece {', '.join(where)}; {rise}.",
        title=title,
        x="time (s)",
        y="frequency (Hz)",
    )


def _one_tag(labels, scores):
    """Labels as booleans and scores of one tag, both (n_clips,)."""
    labels, scores = np.asarray(labels), np.asarray(scores, dtype=float)
    n_ones = int((labels == 1).sum()) if labels.ndim == 1 else 0
    if (
        labels.shape != scores.shape
        or not 0 < n_ones < len(labels)
        or not np.isfinite(scores).all()
    ):
        raise ValueError(
            f"labels {labels.shape} with {n_ones} positives, scores {scores.shape}; "
            "needed are two of (n_clips,) for one tag, finite, with clips that carry "
            "it and clips that do not; choose another tag"
        )
    return labels == 1, scores
