"""Pictures of networks and training: curves, settings, layers."""

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns

from tagkit.plots.picture import (
    COLORS,
    GREY,
    UNITS,
    finish,
    heat,
    legend,
    need,
    plain,
    start,
)


def curves(
    histories: Mapping,
    what: str = "valid_roc_auc",
    *,
    recorded: Sequence[pd.DataFrame] = (),
    floor: float | None = None,
    title: str = "",
    ax=None,
):
    """Draw one quantity of one or more training runs over the epochs.

    Args: histories, name -> History.frame(); what, a column of them: "loss" (with the
    validation loss dashed beside it), "valid_loss", "valid_roc_auc" or "valid_ap";
    recorded, frames of earlier runs, drawn as thin grey lines; floor, what is reached
    without listening, drawn as a dotted line.
    Shape: each frame (n_epochs, columns), with a column epoch.

    >>> from tagkit.plots import alt_text
    >>> raw = pd.DataFrame({"epoch": [1, 2, 3], "valid_roc_auc": [0.6, 0.7, 0.65]})
    >>> alt_text(curves({"raw": raw})).split(": ")[1]
    'raw ends at 0.65, highest at epoch 2 (0.7).'
    """
    need(histories, "name -> History.frame()", histories)
    for frame in [*histories.values(), *recorded]:
        there = {"epoch", what} <= set(frame) and frame[what].notna().any()
        need(there, f"History.frame() with epoch and {what}", list(frame))
    table = pd.concat({plain(name): frame for name, frame in histories.items()})
    table = table.rename_axis(["run", None]).reset_index("run")
    parts = {what: "training"}
    if what == "loss" and "valid_loss" in table:
        parts["valid_loss"] = "validation"
    table = table.melt(["run", "epoch"], [*parts], var_name="clips").replace(parts)
    ax = start(ax)
    for seed, frame in enumerate(recorded):
        label = None if seed else f"recorded ({len(recorded)})"
        ax.plot(frame["epoch"], frame[what], color=GREY, linewidth=1, label=label)
    sns.lineplot(
        table,
        x="epoch",
        y="value",
        hue="run",
        style="clips" if len(parts) > 1 else "run",
        markers=True,
        palette=sns.color_palette(COLORS, len(histories)),
        estimator=None,
        ax=ax,
    )
    extreme = "lowest" if "loss" in what else "highest"
    summary = []
    for name, frame in histories.items():
        line = frame.set_index("epoch")[what].dropna()
        best = line.idxmin() if extreme == "lowest" else line.idxmax()
        summary.append(
            f"{name} ends at {line.iloc[-1]:.3g}, {extreme} at epoch {best} "
            f"({line[best]:.3g})"
        )
    if recorded:
        ends = [frame[what].iloc[-1] for frame in recorded]
        summary.append(f"recorded runs end at {min(ends):.3g} to {max(ends):.3g}")
    if floor is not None:
        ax.axhline(floor, color="black", linestyle=":", label="floor")
        summary.append(f"the floor is at {floor:.3g}")
    ax.xaxis.get_major_locator().set_params(integer=True)
    if what == "learning_rate":
        ax.set_yscale("log")
    legend(ax)
    unit = UNITS.get(what, what)
    alt = f"Curves of {unit} over epochs: {'; '.join(summary)}."
    return finish(ax, alt, title=title, x="epoch", y=unit, grid="y")


def heat_table(
    frame: pd.DataFrame,
    unit: str = "ROC-AUC",
    *,
    form: str = ".3f",
    title: str = "",
    ax=None,
):
    """Draw a table as a heat map, every number in its cell, the highest framed.

    Args: frame, with index.name and columns.name set; form, a format.
    Shape: (n_rows, n_columns); cells that were not run are NaN and stay grey.
    """
    values = frame.to_numpy(dtype=float)
    need(np.isfinite(values).any(), "a number in some cell", f"a frame {values.shape}")
    ax = start(ax, 1.4 + 0.35 * len(frame))
    heat(ax, frame.astype(float), unit, form=form)
    row, column = np.unravel_index(np.nanargmax(values), values.shape)
    ax.add_patch(
        plt.Rectangle((column, row), 1, 1, fill=False, edgecolor=COLORS[1], linewidth=3)
    )
    x, y = frame.columns.name or "", frame.index.name or ""
    alt = (
        f"Table of {unit}, {len(frame)} x {frame.shape[1]}: highest "
        f"{values[row, column]:{form}} at {y or 'row'} {frame.index[row]}, "
        f"{x or 'column'} {frame.columns[column]}."
    )
    return finish(ax, alt, title=title, x=x, y=y)
