"""Pictures of networks and trainings: layers, curves over epochs, settings."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from tagkit.plots.picture import (
    COLORS,
    GREY,
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


def curves(
    histories: Mapping,
    what: str = "valid_roc_auc",
    title: str = "",
    ax=None,
    recorded: Sequence[pd.DataFrame] = (),
    floor: float | None = None,
):
    """Draw one quantity of one or more trainings over the epochs.

    Args: histories, name -> History.frame(); what, a column of them: "loss",
    "valid_loss", "valid_roc_auc" or "valid_ap". With "loss", a validation loss is
    drawn dashed beside it where the frame has one. recorded, frames of runs that were
    made before, one a seed, as thin grey lines without marks. floor, what is reached
    without listening, as a black dotted line.
    Shape: each frame (n_epochs, columns), with a column epoch.
    Raises: ValueError without trainings, or where a frame lacks the column.
    Notebook: course/02_raw_waveform_cnns.ipynb

    >>> from tagkit.plots import alt_text
    >>> raw = pd.DataFrame({"epoch": [1, 2], "valid_roc_auc": [0.6, 0.7]})
    >>> alt_text(curves({"raw": raw}))
    'Curves of validation ROC-AUC over epochs: raw is best at epoch 2 (0.700).'
    """
    known = {f"recorded run {i}": frame for i, frame in enumerate(recorded)}
    for name, frame in [*histories.items(), *known.items()]:
        if not {"epoch", what} <= set(frame) or frame[what].isna().all():
            raise ValueError(
                f"the history of {name!r} has columns {list(frame)} and nothing under "
                f"{what!r}; needed are epoch and {what}; take History.frame()"
            )
    if not histories:
        raise ValueError("histories is empty; needed is name -> History.frame()")
    ax = start(ax)
    told = []
    for number, frame in enumerate(recorded):
        label = f"recorded, {len(recorded)} run" + "s" * (len(recorded) != 1)
        line = dict(color=GREY, linewidth=1.3, label="" if number else label)
        ax.plot(frame["epoch"], frame[what], "-.", **line)
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
        if what == "learning_rate":
            ends = frame[what].iloc[0], frame[what].iloc[-1]
            told.append(f"{name} goes from {ends[0]:g} to {ends[1]:g}")
        else:
            told.append(f"{name} is {word} at epoch {epoch} ({value:.3f})")
    if len(recorded):
        ends = [frame[what].iloc[-1] for frame in recorded]
        span = f"{min(ends):.3f} to {max(ends):.3f}"
        told.append(f"{len(recorded)} recorded runs end at {span}")
    if floor is not None:
        ax.axhline(floor, color="black", linestyle=":", label="floor")
        told.append(f"the floor is at {floor:.3f}")
    frames = [*histories.values(), *recorded]
    epochs = sorted({epoch for frame in frames for epoch in frame["epoch"]})
    ax.set_xticks(epochs[:: 1 + len(epochs) // 20])
    ax.legend(frameon=False, loc="upper left", bbox_to_anchor=(1, 1))
    if what == "learning_rate":
        ax.set_yscale("log")
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


def shape_walk(table: pd.DataFrame, title: str = "", ax=None):
    """Draw the way of a window through a network: what each unit sees, gives, costs.

    A bar is a unit's receptive field; hatched ones see the whole window or have no
    time left. The size of the output stands at the left, the parameters at the right.

    Args: table, from models.walk.
    Shape: columns layer, output, parameters and sees_ms (a number of milliseconds, or
    "all"), a row per unit, from input to output.
    Raises: ValueError where a column lacks, or no row has a receptive field.
    Notebook: course/02_raw_waveform_cnns.ipynb

    >>> from tagkit.plots import alt_text
    >>> rows = [("Conv1d", "2 x 9", 30, 20.0), ("Linear", "5", 90, "all")]
    >>> columns = ["layer", "output", "parameters", "sees_ms"]
    >>> alt_text(shape_walk(pd.DataFrame(rows, columns=columns)))
    'Walk through 2 units with 120 parameters: the first sees 20 ms, most parameters
    (75 %) are in unit 2, Linear.'
    """
    needed = {"layer", "output", "parameters", "sees_ms"}
    fields = pd.to_numeric(table.get("sees_ms"), errors="coerce")
    if not needed <= set(table) or fields.isna().all():
        raise ValueError(
            f"the table has columns {list(table)} and no receptive field in sees_ms; "
            "needed is what models.walk(model) gives"
        )
    n, counts = len(table), table["parameters"].to_numpy()
    ax = start(ax, 1.1 + 0.3 * n)
    top = 3 * fields.max()
    for row, field in enumerate(fields):
        known = field == field
        look = dict(color=COLORS[0]) if known else dict(color="white", hatch="///")
        edge = dict(edgecolor=COLORS[0], height=0.62)
        ax.barh(row, field if known else top, **{**look, **edge})
        text = f" {_ms(field)}" if known else " all "
        ink = dict(fontsize=9, va="center", color="black")
        if known:
            ax.text(field, row, text, **ink)
        else:
            back = dict(facecolor="white", edgecolor="none", pad=1.5)
            ax.text(fields.min(), row, text, bbox=back, **ink)
    ax.set_xscale("log")
    ax.set_xlim(fields.min() / 4, top * 1.6)
    names = [f"{layer}   {size}" for layer, size in table[["layer", "output"]].values]
    ax.set_yticks(range(n), names)
    ax.set_ylim(n - 0.4, -0.6)
    shares = counts / max(1, counts.sum())
    costs = [f"{c:,} ({100 * s:.0f} %)" for c, s in zip(counts, shares, strict=True)]
    right = ax.secondary_yaxis("right")
    right.set_yticks(range(n), costs)
    right.set_ylabel("parameters of the unit", fontsize=10)
    right.tick_params(labelsize=9, length=0)
    most, first = int(counts.argmax()), fields.first_valid_index()
    share, where = f"{100 * shares[most]:.0f} %", table["layer"].iloc[most]
    right.get_yticklabels()[most].set_fontweight("bold")
    ticks = [x for x in (0.1, 1, 10, 100, 1000, 10_000) if fields.min() / 4 < x < top]
    ax.set_xticks(ticks, [_ms(x) for x in ticks])
    ax.minorticks_off()
    return finish(
        ax,
        f"Walk through {n} units with {counts.sum():,} parameters: the first sees "
        f"{_ms(fields[first])}, most parameters ({share}) are in unit "
        f"{most + 1}, {where}.",
        title=title,
        x="what a point in the middle of the output can see (time, log scale)",
        y="",
        grid="x",
    )


def _ms(field: float) -> str:
    """Milliseconds with two or three digits, seconds from a thousand on."""
    if field >= 1000:
        return f"{field / 1000:.3g} s"
    return f"{field:.2g} ms" if field < 10 else f"{field:.0f} ms"
