"""Draw three pictures of the documents again, on mini: python data/draw_claims.py

Wells compares three networks tag by tag (Cambridge 2018, 4.2.2). Elwood and Varosyan
(Bristol) do so with a CNN and a CRNN, and follow the CRNN at five rates for 20 epochs
(X.C, X.E). Reads the records of experiments (b) and (g).
"""

import json
from pathlib import Path

import pandas as pd
import record_experiments as experiments
import seaborn as sns

from tagkit import plots

NETS = ("K2C1", "K1C2", "K2C2")


def by_network(ax):
    """A column per tag, a dot for each of Wells' networks; k2c2's order."""
    table = experiments.per_tag("b", *NETS).sort_values("K2C2", ascending=False)
    areas = table[list(NETS)].rename_axis("tag").reset_index()
    long = areas.melt("tag", var_name="network", value_name="ROC-AUC")
    look = {"hue": "network", "style": "network", "s": 40}
    sns.scatterplot(long, x="tag", y="ROC-AUC", ax=ax, **look)
    best = table[list(NETS)].idxmax(axis=1).value_counts().reindex(NETS, fill_value=0)
    said = ", ".join(f"{name.lower()} {n}" for name, n in best.items())
    title = f"At 61,000 parameters each, best for so many tags: {said}"
    ax.set(title=title, xlabel="", xlim=(-0.7, len(table) - 0.3))
    ax.tick_params(axis="x", rotation=90, labelsize=8)
    plots.describe(ax, f"ROC-AUC of three networks for {len(table)} tags. {title}.")


def by_count(ax):
    """What the CRNN gains over the CNN, for each tag, by how many clips have it."""
    table = experiments.per_tag("g", "CNN", "CRNN rate 0.002")
    table["gain"] = table["CRNN rate 0.002"] - table["CNN"]
    sns.scatterplot(table, x="n_clips", y="gain", ax=ax)
    ax.axhline(0, color="grey", linestyle="--")
    order = table["gain"].sort_values()
    for tag in [*order.index[:2], *order.index[-2:]]:
        at = table.loc[tag, ["n_clips", "gain"]]
        ax.annotate(tag, at, (5, -3), textcoords="offset points", fontsize=8)
    title = f"CRNN ahead for {(order > 0).sum()} of {len(order)} tags"
    ax.set(title=title, xlabel="clips with the tag", ylabel="ROC-AUC, CRNN less CNN")
    ends = ", ".join(f"{tag} {order[tag]:+.2f}" for tag in order.index[[0, 1, -2, -1]])
    plots.describe(ax, f"Gains by number of clips. {title}; least and most: {ends}.")


def by_rate(ax):
    """Validation ROC-AUC of the CRNN at five rates, the mean of four networks."""
    rows = []
    for rate in experiments.CRNN_RATES:
        path = experiments.path_of("g", f"CRNN rate {rate}", "folder", 0)
        for part in json.loads(path.read_text())["parts"]:
            curve = part["history"]["valid_roc_auc"]
            rows += [(str(rate), n, y) for n, y in enumerate(curve, start=1)]
    columns = ["rate", "epoch", "validation ROC-AUC"]
    curves = pd.DataFrame(rows, columns=columns)
    look = {"hue": "rate", "style": "rate", "errorbar": None}
    sns.lineplot(curves, x="epoch", y=columns[2], ax=ax, **look)
    last = curves[curves["epoch"] == curves["epoch"].max()]
    ends = last.groupby("rate")[columns[2]].mean().round(2)
    title = f"The rate {ends.idxmax()} ends highest"
    ax.set(title=title, ylabel="validation ROC-AUC")
    said = ", ".join(f"{rate} {area}" for rate, area in ends.items())
    plots.describe(ax, f"Lines over epochs. {title}; at last: {said}.")


def draw():
    """Draw all three, the one with a column per tag over the others."""
    figure, ((top, rest), (left, right)) = plots.panels(2, 2, height=3.6)
    rest.remove()
    top.set_subplotspec(top.get_gridspec()[0, :])
    by_network(top)
    by_count(left)
    by_rate(right)
    return figure


def main():
    """Write claims.png beside this file, and print its alt text."""
    figure = draw()
    print(plots.alt_text(figure))
    Path(__file__).with_name("claims.png").write_bytes(plots.to_png(figure.axes[0]))


if __name__ == "__main__":
    main()
