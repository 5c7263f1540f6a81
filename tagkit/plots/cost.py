"""Pictures of what computing costs: who works when, and how long a clip takes."""

from collections.abc import Mapping, Sequence

import numpy as np

from tagkit.plots.picture import COLORS, finish, listing, plain, start

HATCHES = ("", "///", "...")


def timeline(rows: Mapping[str, Sequence], title: str = "", ax=None):
    """Draw who works when: a row per worker, a numbered box per piece of work.

    Args: rows, worker -> pairs of begin and end in seconds, in order; two workers whose
    boxes stand one above the other work at the same time.
    Shape: each (n_pieces, 2).
    Raises: ValueError without any work, or where a piece ends before it begins.
    Notebook: course/07_scaling_up.ipynb

    >>> from tagkit.plots import alt_text
    >>> ax = timeline({"load": [(0, 0.2), (0.2, 0.4)], "compute": [(0.2, 0.5)]})
    >>> alt_text(ax)
    'Timeline of 0.50 seconds; busy are load 80 % and compute 60 % of them.'
    """
    spans = {name: np.reshape(pieces, (-1, 2)) for name, pieces in rows.items()}
    every = np.concatenate([*spans.values(), np.empty((0, 2))])
    if not len(every) or (every[:, 1] < every[:, 0]).any():
        raise ValueError(
            f"rows hold {len(every)} pieces of work; needed are some, each a pair of "
            "begin and end in seconds, the end not before the begin"
        )
    ax = start(ax, 0.9 + 0.5 * len(rows))
    first, last = every.min(), every.max()
    told = []
    for place, (name, pieces) in enumerate(spans.items()):
        look = dict(facecolor=COLORS[place % len(COLORS)], edgecolor="white")
        look["hatch"] = HATCHES[place % len(HATCHES)]
        lengths = pieces[:, 1] - pieces[:, 0]
        ax.barh([place] * len(pieces), lengths, 0.7, pieces[:, 0] - first, **look)
        box = dict(facecolor="white", edgecolor="none", pad=1.5)
        for number, middle in enumerate(pieces.mean(axis=1) - first, 1):
            where = dict(ha="center", va="center", fontsize=9, bbox=box)
            ax.text(middle, place, number, **where)
        told.append(f"{name} {100 * lengths.sum() / (last - first):.0f} %")
    ax.set_yticks(range(len(rows)), [plain(name) for name in rows])
    ax.invert_yaxis()
    alt = f"Timeline of {last - first:.2f} seconds; busy are {listing(told)} of them."
    return finish(ax, alt, title=title, x="seconds", grid="x")


def costs(values: Mapping[str, float], unit: str, title: str = "", ax=None):
    """Draw positive numbers of very different size as dots on a logarithmic axis.

    Args: values, name -> number; drawn from top to bottom in the given order, each
    with its value beside it; unit, such as "milliseconds a clip".
    Raises: ValueError without values, or where one is not above 0.
    Notebook: course/07_scaling_up.ipynb

    >>> from tagkit.plots import alt_text
    >>> alt_text(costs({"then": 500, "now": 5}, "milliseconds a clip"))
    'Dots of milliseconds a clip, logarithmic: then 500 and now 5.'
    """
    if not values or not all(0 < value < np.inf for value in values.values()):
        raise ValueError(
            f"values are {dict(values)}; needed is one or more, each above 0; leave "
            "out what was not measured"
        )
    ax = start(ax, 1 + 0.32 * len(values))
    places, numbers = range(len(values)), list(values.values())
    ax.hlines(places, min(numbers) / 3, numbers, color=COLORS[0], linewidth=1)
    ax.plot(numbers, places, "o", color=COLORS[0])
    words = [f"{number:,.3g}" for number in numbers]
    words = [
        f"{number:,.0f}" if number >= 1000 else word
        for number, word in zip(numbers, words, strict=True)
    ]
    for place, number, word in zip(places, numbers, words, strict=True):
        ax.annotate(
            *(word, (number, place)),
            xytext=(8, 0),
            textcoords="offset points",
            va="center",
            fontsize=9,
        )
    ax.set_xscale("log")
    ax.set_xlim(min(numbers) / 3, max(numbers) * 5)
    ax.set_yticks(places, [plain(name) for name in values])
    ax.set_ylim(len(values) - 0.5, -0.5)
    told = listing(f"{n} {w}" for n, w in zip(values, words, strict=True))
    alt = f"Dots of {unit}, logarithmic: {told}."
    return finish(ax, alt, title=title, x=f"{unit} (logarithmic)", grid="x")
