"""What all pictures share: size, colours, the sentence of alt text, PNG bytes."""

import base64
import html
import io
import os
import sys
import weakref

import matplotlib.pyplot as plt
import seaborn as sns
from matplotlib.figure import Figure
from matplotlib.ticker import ScalarFormatter, StrMethodFormatter
from PIL import Image

# Okabe and Ito's colours without yellow, orange and sky blue darkened: each stands out
# from white by at least 3 to 1
COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#C07F00", "#3A96CF", "#000000")
GREY = "#767676"
FAINT = "#DDDDDD"
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
DPI = 160  # a picture is stored at this resolution and shown at 100
UNITS = {
    "loss": "loss (cross-entropy)",
    "valid_loss": "validation loss (cross-entropy)",
    "valid_roc_auc": "validation ROC-AUC",
    "valid_ap": "validation average precision",
    "roc_auc": "ROC-AUC",
    "ap": "average precision",
    "learning_rate": "learning rate",
}

_SENTENCES = weakref.WeakKeyDictionary()  # ax -> its alt text


def panels(n_rows: int = 1, n_columns: int = 1, *, height: float = 3.2):
    """Make a figure of notebook width with a grid of empty axes.

    Args: height, of one row, in inches; the width is 8 inches (800 pixels on screen).
    Returns: (figure, axes), axes with shape (n_rows, n_columns), or one ax for 1 x 1.
    Notebook: course/01_dataset_analysis.ipynb
    """
    figure, axes = plt.subplots(
        n_rows,
        n_columns,
        figsize=(8, height * n_rows),
        dpi=DPI,
        layout="constrained",
        facecolor="white",
        squeeze=n_rows * n_columns == 1,
    )
    for ax in figure.axes:  # what is drawn by hand looks like all the rest
        ax.set_prop_cycle(color=COLORS)
        sns.despine(ax=ax)
    return figure, axes


def describe(ax, sentence: str):
    """Give a picture drawn by hand its alt text, as the functions here do.

    Args: sentence, what a reader who cannot see the picture must know: the kind of
    picture, what is on its axes, and the one or two numbers that matter.
    Notebook: course/01_dataset_analysis.ipynb
    """
    need(str(sentence).strip(), "a sentence that says what the picture shows", sentence)
    _SENTENCES[ax] = " ".join(str(sentence).split())
    _teach_ipython()


def alt_text(ax) -> str:
    """Return the sentence that stands for a picture; of a figure, those of its axes."""
    axes = ax.axes if isinstance(ax, Figure) else [ax]
    sentences = [_SENTENCES[one] for one in axes if one in _SENTENCES]
    need(sentences, "an ax drawn by tagkit.plots, or plots.describe(ax, sentence)", ax)
    return " ".join(sentences)


def to_png(ax) -> bytes:
    """Render the whole figure of an ax as a small PNG, 160 dots an inch; close it."""
    figure = ax.figure.canvas.figure
    data = io.BytesIO()
    figure.savefig(data, format="png", dpi=DPI, facecolor="white")
    plt.close(figure)
    return shrink(data.getvalue())


# -- for the other files of this package --------------------------------------------


def need(good, needed: str, *came):
    """Raise ValueError unless the data is good: what came, and what was needed."""
    if not good:
        raise ValueError(f"this is {', '.join(map(str, came))}; needed is {needed}")


def start(ax, height: float = 3.2):
    """The given ax, or the ax of a new figure."""
    return panels(height=height)[1] if ax is None else ax


def finish(ax, alt: str, *, title: str = "", x: str = "", y: str = "", grid: str = ""):
    """Title, units, font sizes, light grid behind the data, alt text."""
    ax.set_title(plain(title), loc="left", fontsize=11)
    ax.set_xlabel(plain(x), fontsize=10)
    ax.set_ylabel(plain(y), fontsize=10)
    ax.tick_params(labelsize=9)
    for axis in (ax.xaxis, ax.yaxis):
        large = max(map(abs, axis.get_view_interval())) >= 1000
        if large and type(axis.get_major_formatter()) is ScalarFormatter:
            axis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
    sns.despine(ax=ax)
    ax.set_axisbelow(True)
    if grid:
        ax.grid(axis=grid, color=FAINT, linewidth=0.8)
    describe(ax, alt)
    return ax


def legend(ax, *, above: bool = False):
    """Move the legend off the data: to the right of it, or above its right end."""
    corner = "lower right" if above else "upper left"
    n_columns = 3 if above else 1
    ax.legend(
        loc=corner, bbox_to_anchor=(1, 1), ncols=n_columns, frameon=False, fontsize=9
    )


def heat(ax, frame, unit: str, *, form: str = "", **options):
    """A seaborn heat map, each number in its cell by form; NaN cells are grey."""
    sns.heatmap(
        frame.rename(index=plain, columns=plain),
        cmap="viridis",
        annot=bool(form),
        fmt=form,
        annot_kws={"fontsize": 9},
        cbar_kws={"label": unit, "pad": 0.01, "aspect": 25},
        ax=ax,
        **options,
    )
    ax.set_facecolor(FAINT)
    ax.tick_params(axis="y", rotation=0)


def plain(text) -> str:
    """Text in which matplotlib finds no formula: a tag may hold a dollar sign."""
    return str(text).replace("$", r"\$")


def clock(seconds: float) -> str:
    """Seconds as a player shows them: 1:05."""
    return f"{seconds // 60:.0f}:{int(seconds % 60):02d}"


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
    """Let IPython show figures with their alt text, 800 pixels wide.

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
        """PNG as base64, and its width on the screen in pixels."""
        drawn = draw(figure)
        data = drawn[0] if isinstance(drawn, tuple) else drawn
        png = shrink(data if isinstance(data, bytes) else base64.b64decode(data))
        width = Image.open(io.BytesIO(png)).width * 100 / figure.dpi
        return base64.b64encode(png).decode(), round(width)

    def as_png(figure):
        sentence = _sentence_of(figure)
        if not sentence:
            return draw(figure)
        if not is_static():
            return None
        data, width = picture(figure)
        return data, {"width": width, "alt": sentence}

    def as_html(figure):
        sentence = _sentence_of(figure)
        if is_static() or not sentence:
            return None
        data, width = picture(figure)
        return (
            f'<img src="data:image/png;base64,{data}" width="{width}" '
            f'alt="{html.escape(sentence)}">'
        )

    def as_text(figure, printer, cycle):
        sentence = _sentence_of(figure)
        printer.text(f"Figure: {sentence}" if sentence else repr(figure))

    as_png.knows_alt_text = True
    formatters["image/png"].for_type(Figure, as_png)
    formatters["text/html"].for_type(Figure, as_html)
    formatters["text/plain"].for_type(Figure, as_text)
