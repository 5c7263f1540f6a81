"""Pictures of trainings: curves over epochs, a table over settings."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from tagkit.plots.picture import (
    COLORS,
    MARKERS,
    NAMES,
    STYLES,
    finish,
    heat,
    listing,
    plain,
    start,
    write_cells,
)


def curves(histories: Mapping, what: str = "valid_roc_auc", title: str = "", ax=None):
    """Draw one quantity of one or more trainings over the epochs.

    Args: histories, name -> History.frame(); what, a column of them: "loss",
    "valid_loss", "valid_roc_auc" or "valid_ap". With "loss", a validation loss is
    drawn dashed beside it where the frame has one.
    Shape: each frame (n_epochs, columns), with a column epoch.
    Raises: ValueError without trainings, or where a frame lacks the column.
    Notebook: course/02_raw_waveform_cnns.ipynb

    >>> from tagkit.plots import alt_text
    >>> raw = pd.DataFrame({"epoch": [1, 2], "valid_roc_auc": [0.6, 0.7]})
    >>> alt_text(curves({"raw": raw}))
    'Curves of validation ROC-AUC over epochs: raw is best at epoch 2 (0.700).'
    """
    for name, frame in histories.items():
        if not {"epoch", what} <= set(frame) or frame[what].isna().all():
            raise ValueError(
                f"the history of {name!r} has columns {list(frame)} and nothing under "
                f"{what!r}; needed are epoch and {what}; take History.frame()"
            )
    if not histories:
        raise ValueError("histories is empty; needed is name -> History.frame()")
    ax = start(ax)
    told = []
    for number, (name, frame) in enumerate(histories.items()):
        line = dict(
            color=COLORS[number % len(COLORS)],
            marker=MARKERS[number % len(MARKERS)],
            markersize=4,
            linewidth=1.8,
        )
        both = what == "loss" and "valid_loss" in frame
        style = "-" if both else STYLES[number % len(STYLES)]
        label = plain(f"{name}, training" if both else name)
        ax.plot(frame["epoch"], frame[what], style, **line, label=label)
        if both:
            label = plain(f"{name}, validation")
            ax.plot(frame["epoch"], frame["valid_loss"], "--", **line, label=label)
        best = frame[what].idxmin() if "loss" in what else frame[what].idxmax()
        word = "lowest" if "loss" in what else "best"
        epoch, value = frame["epoch"][best], frame[what][best]
        told.append(f"{name} is {word} at epoch {epoch} ({value:.3f})")
    epochs = sorted({epoch for frame in histories.values() for epoch in frame["epoch"]})
    ax.set_xticks(epochs[:: 1 + len(epochs) // 20])
    ax.legend(frameon=False, loc="upper left", bbox_to_anchor=(1, 1))
    unit = NAMES.get(what, what)
    return finish(
        ax,
        f"Curves of {unit} over epochs: {listing(told)}.",
        title=title,
        x="epoch",
        y=unit,
        grid="y",
    )


def heat_table(
    frame: pd.DataFrame,
    unit: str = "ROC-AUC",
    form: str = ".3f",
    best: str = "max",
    title: str = "",
    ax=None,
):
    """Draw a table of numbers as a heat map with every number in its cell.

    Args: frame, say one row per length and one column per stride, with index.name and
    columns.name set; form, a format; best, "max" or "min": that cell gets a frame.
    Shape: (n_rows, n_columns); cells that were not run are NaN and stay grey.
    Raises: ValueError where no cell holds a number.
    Notebook: course/02_raw_waveform_cnns.ipynb

    >>> from tagkit.plots import alt_text
    >>> alt_text(heat_table(pd.DataFrame([[0.7, 0.8]], ["256"], ["256", "64"])))
    'Table of ROC-AUC, 1 row by 2 columns: best 0.800 at row 256, column 64.'
    """
    values = frame.to_numpy(dtype=float)
    if not np.isfinite(values).any() or best not in ("max", "min"):
        raise ValueError(
            f"the frame {values.shape} holds {np.isfinite(values).sum()} numbers, "
            f"best is {best!r}; needed are numbers and 'max' or 'min'"
        )
    ax = start(ax, 2.2 + 0.35 * len(frame))
    image = heat(ax, values, frame.index, frame.columns, unit)
    write_cells(ax, image, values, form)
    place = np.nanargmax(values) if best == "max" else np.nanargmin(values)
    row, column = np.unravel_index(place, values.shape)
    corner = (column - 0.5, row - 0.5)
    ax.add_patch(ax.patch.__class__(corner, 1, 1, fill=False, ec=COLORS[1], lw=3))
    x, y = frame.columns.name or "", frame.index.name or ""
    n_rows = f"{len(frame)} row" + "s" * (len(frame) != 1)
    n_columns = f"{frame.shape[1]} column" + "s" * (frame.shape[1] != 1)
    return finish(
        ax,
        f"Table of {unit}, {n_rows} by {n_columns}: best {values[row, column]:{form}} "
        f"at {y or 'row'} {frame.index[row]}, {x or 'column'} {frame.columns[column]}.",
        title=title,
        x=str(x),
        y=str(y),
    )
