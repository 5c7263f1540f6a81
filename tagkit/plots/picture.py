"""What all pictures share: size, colours, the sentence of alt text, PNG bytes."""

import base64
import html
import io
import os
import sys
import weakref

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, ScalarFormatter
from PIL import Image

# Okabe and Ito's colours without yellow, orange and sky blue darkened: each stands out
# from white by at least 3 to 1
COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#C07F00", "#3A96CF", "#000000")
GREY = "#767676"
FAINT = "#DDDDDD"
STYLES = ("-", "--", ":", "-.")
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
NAMES = {
    "loss": "loss (cross-entropy)",
    "valid_loss": "validation loss (cross-entropy)",
    "valid_roc_auc": "validation ROC-AUC",
    "valid_ap": "validation average precision",
    "roc_auc": "ROC-AUC",
    "ap": "average precision",
    "learning_rate": "learning rate",
}

_SENTENCES = weakref.WeakKeyDictionary()  # ax -> its alt text


def panels(n_rows: int = 1, n_columns: int = 1, height: float = 3.2):
    """Make a figure of notebook width with a grid of empty axes.

    Args: height, of one row, in inches; the width is 8 inches (800 pixels).
    Returns: (figure, axes), axes with shape (n_rows, n_columns), or one ax for 1 x 1.
    Notebook: course/01_dataset_analysis.ipynb

    >>> figure, axes = panels(2)
    >>> axes.shape, int(figure.get_figwidth())
    ((2, 1), 8)
    >>> plt.close(figure)
    """
    figure, axes = plt.subplots(
        n_rows,
        n_columns,
        figsize=(8, height * n_rows),
        dpi=100,
        layout="constrained",
        facecolor="white",
        squeeze=n_rows * n_columns == 1,
    )
    for ax in figure.axes:  # what is drawn by hand looks like all the rest
        ax.set_prop_cycle(color=COLORS)
        ax.spines[["top", "right"]].set_visible(False)
    return figure, axes


def describe(ax, sentence: str):
    """Give a picture drawn by hand its alt text, as the functions here do.

    Args: sentence, what a reader who cannot see the picture must know: the kind of
    picture, what is on its axes, and the one or two numbers that matter.
    Raises: ValueError for an empty sentence.
    Notebook: course/02_raw_waveform_cnns.ipynb

    >>> figure, ax = panels()
    >>> alt_text(describe(ax, "A straight line from 0 to 1."))
    'A straight line from 0 to 1.'
    >>> plt.close(figure)
    """
    if not str(sentence).strip():
        raise ValueError(
            "the alt text is empty; needed is a sentence; say what the picture shows"
        )
    _SENTENCES[ax] = " ".join(str(sentence).split())
    _teach_ipython()
    return ax


def alt_text(ax) -> str:
    """The sentence that stands for a picture; for a figure, those of all its axes.

    Raises: ValueError where the ax was not drawn by this package.
    Notebook: course/01_dataset_analysis.ipynb

    >>> import pandas as pd
    >>> from tagkit import plots
    >>> labels = pd.DataFrame({"piano": [1, 0, 1], "flute": [0, 0, 1]})
    >>> plots.alt_text(plots.tags_per_clip(labels))  # doctest: +ELLIPSIS
    'Histogram of tags per clip over 3 clips: 1 (33.3 %) carry none, ...
    """
    axes = ax.axes if isinstance(ax, Figure) else [ax]
    sentences = [_SENTENCES[one] for one in axes if one in _SENTENCES]
    if not sentences:
        raise ValueError(
            "this ax has no alt text; needed is an ax drawn by tagkit.plots; "
            "for a picture of your own call plots.describe(ax, sentence) first"
        )
    return " ".join(sentences)


def to_png(ax) -> bytes:
    """Render the whole figure of an ax as a small PNG and close it.

    Shape: width x height in inches at 100 dots per inch, at most 256 colours.
    Notebook: course/00_start_here.ipynb

    >>> figure, ax = panels()
    >>> to_png(ax)[1:4]
    b'PNG'
    """
    figure = ax.figure.canvas.figure
    data = io.BytesIO()
    figure.savefig(data, format="png", dpi=100, facecolor="white")
    plt.close(figure)
    return shrink(data.getvalue())


# -- for the other files of this package --------------------------------------------


def start(ax, height: float = 3.2):
    """The given ax, or the ax of a new figure."""
    return panels(height=height)[1] if ax is None else ax


def finish(ax, alt: str, title: str = "", x: str = "", y: str = "", grid: str = ""):
    """Title, units, font sizes, light grid behind the data, alt text."""
    ax.set_title(plain(title), loc="left", fontsize=11)
    ax.set_xlabel(plain(x), fontsize=10)
    ax.set_ylabel(plain(y), fontsize=10)
    ax.tick_params(labelsize=9)
    for axis in (ax.xaxis, ax.yaxis):
        large = max(map(abs, axis.get_view_interval())) >= 1000
        if large and type(axis.get_major_formatter()) is ScalarFormatter:
            axis.set_major_formatter(FuncFormatter(lambda x, place: f"{x:,.0f}"))
    ax.spines[["top", "right"]].set_visible(False)
    ax.set_axisbelow(True)
    if grid:
        ax.grid(axis=grid, color=FAINT, linewidth=0.8)
    legend = ax.get_legend()
    if legend is not None:
        for text in legend.get_texts():
            text.set_fontsize(9)
    return describe(ax, alt)


def heat(ax, values, rows, columns, unit: str, limits=None):
    """Cells of a table as colours with a bar under them; NaN cells stay grey."""
    low, high = limits or (np.nanmin(values), np.nanmax(values))
    colours = plt.get_cmap("viridis").with_extremes(bad=FAINT)
    image = ax.imshow(values, cmap=colours, vmin=low, vmax=high, aspect="auto")
    ax.set_xticks(range(len(columns)), [plain(name) for name in columns])
    ax.set_yticks(range(len(rows)), [plain(name) for name in rows])
    bar = ax.figure.colorbar(
        image, ax=ax, orientation="horizontal", aspect=40, pad=0.02, shrink=0.6
    )
    bar.set_label(unit, fontsize=10)
    bar.ax.tick_params(labelsize=9)
    return image


def write_cells(ax, image, values, form: str):
    """Write each value into its cell, in the ink that stands out from the colour."""
    for row, column in np.ndindex(values.shape):
        value = values[row, column]
        red, green, blue, _ = image.cmap(image.norm(value))
        ink = "black" if 0.3 * red + 0.6 * green + 0.1 * blue > 0.45 else "white"
        text = format(value, form) if np.isfinite(value) else "\N{EN DASH}"
        ax.text(column, row, text, color=ink, fontsize=9, ha="center", va="center")


def plain(text) -> str:
    """Text in which matplotlib finds no formula: a tag may hold a dollar sign."""
    return str(text).replace("$", r"\$")


def listing(parts) -> str:
    """'a', 'a and b', 'a, b and c'."""
    parts = list(parts)
    return " and ".join([", ".join(parts[:-1]), parts[-1]] if parts[1:] else parts)


def is_static() -> bool:
    """True where notebooks run with no front end (TAGKIT_STATIC=1)."""
    return os.environ.get("TAGKIT_STATIC") == "1"


def shrink(png: bytes) -> bytes:
    """The same picture with a palette: about a third of the bytes in a notebook."""
    picture = Image.open(io.BytesIO(png)).convert("RGB")
    data = io.BytesIO()
    cover = Image.Quantize.MAXCOVERAGE  # keeps the ends of a colour scale exact
    picture.quantize(256, cover, dither=Image.Dither.NONE).save(data, "png")
    return data.getvalue()


def _sentence_of(figure) -> str | None:
    return alt_text(figure) if any(ax in _SENTENCES for ax in figure.axes) else None


def _teach_ipython():
    """Let IPython show figures with their alt text.

    The sentence goes into the PNG's metadata (`alt`) and stands as the output's plain
    text. JupyterLab does not read that metadata, so a live front end gets an HTML
    image instead, whose alt attribute every browser and screen reader knows.
    """
    shell = sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None
    if shell is None or not hasattr(shell, "display_formatter"):
        return
    formatters = shell.display_formatter.formatters
    try:
        draw = formatters["image/png"].lookup_by_type(Figure)
    except KeyError:  # another format was chosen with %config InlineBackend
        return
    if getattr(draw, "knows_alt_text", False):
        return

    def picture(figure):
        """PNG as base64, its metadata, its sentence."""
        drawn = draw(figure)
        data, about = drawn if isinstance(drawn, tuple) else (drawn, {})
        if data is None:
            return None, about, None
        png = data if isinstance(data, bytes) else base64.b64decode(data)
        return base64.b64encode(shrink(png)).decode(), about, _sentence_of(figure)

    def as_png(figure):
        if _sentence_of(figure) and not is_static():
            return None
        data, about, sentence = picture(figure)
        return data and (data, {**about, "alt": sentence} if sentence else about)

    def as_html(figure):
        if is_static() or not _sentence_of(figure):
            return None
        data, about, sentence = picture(figure)
        width = f' width="{about["width"]}"' if "width" in about else ""
        return data and (
            f'<img src="data:image/png;base64,{data}"{width} '
            f'alt="{html.escape(sentence)}">'
        )

    def as_text(figure, printer, cycle):
        sentence = _sentence_of(figure)
        printer.text(f"Figure: {sentence}" if sentence else repr(figure))

    as_png.knows_alt_text = True
    formatters["image/png"].for_type(Figure, as_png)
    formatters["text/html"].for_type(Figure, as_html)
    formatters["text/plain"].for_type(Figure, as_text)
