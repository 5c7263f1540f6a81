"""Pictures of one clip: its tags with their scores, and over its time."""

import numpy as np

from tagkit.plots.picture import (
    COLORS,
    finish,
    heat,
    listing,
    plain,
    start,
    write_cells,
)


def tag_scores(scores, tags, truth=None, n: int = 10, title: str = "", ax=None):
    """Draw a model's n highest scores for one clip, and the tags that it missed.

    Args: scores and tags, of one clip, in one order; truth, the labels of the clip in
    the same order (0 and 1) or a list of its tags: these bars are striped, and those
    below the n highest follow with their rank.
    Shape: scores (n_tags,) in [0, 1], tags n_tags names.
    Raises: ValueError where lengths differ or a score is NaN.
    Notebook: course/00_start_here.ipynb

    >>> from tagkit.plots import alt_text
    >>> alt_text(tag_scores([0.1, 0.9], ["flute", "guitar"], ["flute"]))
    'Scores of one clip, highest guitar 0.90, flute 0.10; the crowd named flute.'
    """
    scores, tags = np.asarray(scores, dtype=float), [str(tag) for tag in tags]
    if scores.shape != (len(tags),) or not tags or not np.isfinite(scores).all():
        raise ValueError(
            f"scores has shape {scores.shape} for {len(tags)} tags, or holds NaN; "
            "needed is a number per tag of one clip; take a row of predict.clip_scores"
        )
    named = [] if truth is None else list(truth)
    if named and not isinstance(named[0], str):
        named = [tag for tag, is_true in zip(tags, named, strict=True) if is_true]
    order = np.argsort(-scores, kind="stable")
    shown = list(order[:n]) + [i for i in order[n:] if tags[i] in named]
    names = [
        tags[i] + (f" (rank {place + 1})" if place >= n else "")
        for place, i in enumerate(order)
        if i in shown
    ]
    ax = start(ax, 1.1 + 0.24 * len(shown))
    for row, i in enumerate(shown):
        true = tags[i] in named
        style = dict(color=COLORS[0], hatch="///") if true else dict(color=COLORS[5])
        bar = ax.barh(row, scores[i], height=0.7, edgecolor="white", **style)
        ax.bar_label(bar, [f"{scores[i]:.2f}"], fontsize=9, padding=3)
    ax.set_yticks(range(len(shown)), [plain(name) for name in names])
    ax.set_xlim(0, 1.08)
    ax.invert_yaxis()
    told = ", ".join(f"{tags[i]} {scores[i]:.2f}" for i in order[:3])
    crowd = (
        f"; the crowd named {listing(named) or 'no tag'}" if truth is not None else ""
    )
    return finish(
        ax,
        f"Scores of one clip, highest {told}{crowd}.",
        title=title or ("Striped: tags that the crowd named" if named else ""),
        x="score (0 to 1)",
        y="tag",
        grid="x",
    )


def tag_timeline(scores, seconds, tags, truth=(), n: int = 8, title: str = "", ax=None):
    """Draw when each tag is heard: the scores of a clip's windows, one row per tag.

    The n tags with the highest score in any window are drawn, the highest above. With
    at most 16 windows each cell holds its number.

    Args: scores, seconds and tags, of one clip, such as the values, index and columns
    of predict.timeline; seconds, the middle of each window; truth, a list of the
    clip's tags: these get a star.
    Shape: scores (n_windows, n_tags) in [0, 1], seconds (n_windows,), rising.
    Raises: ValueError where shapes differ, seconds do not rise or a score is NaN.
    Notebook: course/00_start_here.ipynb

    >>> from tagkit.plots import alt_text
    >>> scores = [[0.9, 0.1], [0.2, 0.8]]
    >>> alt_text(tag_timeline(scores, [1.5, 4.5], ["harp", "metal"])).split(": ")[1]
    'harp is highest at 1.5 s (0.90) and metal is highest at 4.5 s (0.80).'
    """
    scores, seconds = np.asarray(scores, dtype=float), np.asarray(seconds, dtype=float)
    tags = [str(tag) for tag in tags]
    if (
        scores.shape != (len(seconds), len(tags))
        or not scores.size
        or not np.isfinite(scores).all()
        or (np.diff(seconds) <= 0).any()
    ):
        raise ValueError(
            f"scores has shape {scores.shape} for {len(seconds)} windows and "
            f"{len(tags)} tags, or holds NaN, or the seconds do not rise; needed is "
            "(n_windows, n_tags) of one clip; take predict.timeline(...)"
        )
    shown = np.argsort(-scores.max(axis=0), kind="stable")[:n]
    names = [tags[i] + (" *" if tags[i] in list(truth) else "") for i in shown]
    ax = start(ax, 1.7 + 0.3 * len(shown))
    values = scores[:, shown].T  # (n_shown, n_windows)
    image = heat(ax, values, names, [f"{s:.1f}" for s in seconds], "score (0 to 1)")
    if len(seconds) <= 16:
        write_cells(ax, image, values, ".2f")
    else:
        every = -(-len(seconds) // 12)
        ax.set_xticks(ax.get_xticks()[::every], [f"{s:.0f}" for s in seconds[::every]])
    peaks = scores.argmax(axis=0)
    told = [
        f"{tags[i]} is highest at {seconds[peaks[i]]:.1f} s ({scores[peaks[i], i]:.2f})"
        for i in shown[:3]
    ]
    some = listing(name[:-2] for name in names if name.endswith(" *"))
    star = f" Of those drawn the crowd named {some or 'none'}." if len(truth) else ""
    return finish(
        ax,
        f"Scores of {len(shown)} of {len(tags)} tags in {len(seconds)} windows of a "
        f"clip: {listing(told)}.{star}",
        title=title or ("*: tags that the crowd named" if len(truth) else ""),
        x="middle of the window (s)",
        y="tag",
    )
