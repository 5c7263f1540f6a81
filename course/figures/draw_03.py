"""Draw the diagrams of lesson 03: python course/figures/draw_03.py"""

from pathlib import Path

import matplotlib.pyplot as plt
from matplotlib.patches import FancyBboxPatch, Rectangle

FOLDER = Path(__file__).parent
MIDDLE = {"ha": "center", "va": "center"}
BLUE, ORANGE, GREY = "#0072B2", "#D55E00", "#444444"
plt.rcParams |= {"svg.hashsalt": "tagkit", "font.size": 13.5}


def canvas(height):
    """A white page of 800 x height pixels, in pixels."""
    figure = plt.figure(figsize=(8, height / 100), facecolor="white")
    ax = figure.add_axes((0, 0, 1, 1))
    ax.set(xlim=(0, 800), ylim=(height, 0))
    ax.axis("off")
    return figure, ax


def save(figure, name):
    figure.savefig(FOLDER / name, metadata={"Date": None})
    plt.close(figure)


def arrow(ax, start, end):
    look = {"arrowstyle": "-|>", "color": GREY, "linewidth": 1.6}
    ax.annotate("", end, start, arrowprops=look | {"mutation_scale": 16})


def box(ax, x, y, width, text, color):
    """A rounded box around a text, its middle at (x, y)."""
    height = 30 + 22 * text.count("\n")
    corner = (x - width / 2, y - height / 2 - 4)
    look = {"boxstyle": "round,pad=0,rounding_size=8", "linewidth": 1.6}
    look |= {"fc": "white", "ec": color}
    ax.add_patch(FancyBboxPatch(corner, width, height + 8, **look))
    ax.text(x, y, text, **MIDDLE, linespacing=1.3)


def stack(ax, x, y, width, height, n):
    """Maps behind each other, the front one around (x, y)."""
    for k in reversed(range(n)):
        corner = (x - width / 2 + 5 * k, y - height / 2 - 5 * k)
        ax.add_patch(Rectangle(corner, width, height, fc="#D6E8F5", ec=BLUE))


def k2c2():
    figure, ax = canvas(490)
    maps = [  # middle x and y, drawn width and height, maps drawn, text
        (95, 105, 140, 84, 1, "1 × 96 × 1366"),
        (370, 105, 104, 62, 3, "67 × 48 × 341"),
        (640, 105, 76, 46, 4, "135 × 24 × 85"),
        (80, 345, 52, 32, 4, "135 × 12 × 21"),
        (295, 345, 30, 20, 5, "203 × 4 × 4"),
        (490, 345, 10, 10, 6, "271 × 1 × 1"),
    ]
    pools = ("(2, 4)", "(2, 4)", "(2, 4)", "(3, 5)", "(4, 4)")
    for x, y, width, height, n, text in maps:
        stack(ax, x, y, width, height, n)
        ax.text(x, y + 72, text, **MIDDLE)
    look = MIDDLE | {"color": ORANGE, "linespacing": 1.9}
    for i in (0, 1, 3, 4):
        x, y, width, _, n, _ = maps[i]
        start = x + width / 2 + 5 * n + 4
        end = maps[i + 1][0] - maps[i + 1][2] / 2 - 8
        arrow(ax, (start, y), (end, y))
        ax.text((start + end) / 2, y, f"conv 3 × 3\npool {pools[i]}", **look)
    ax.text(95, 30, "log-mel", **MIDDLE)
    # From the end of the first row to the beginning of the second.
    way = [640, 640, 80, 80], [195, 255, 255, 300]
    ax.plot(*way, color=GREY, linewidth=1.6)
    arrow(ax, (80, 290), (80, 316))
    ax.text(360, 255, f"conv 3 × 3\npool {pools[2]}", **look)
    box(ax, 622, 345, 110, "dense\n271 → 50", BLUE)
    arrow(ax, (530, 345), (562, 345))
    box(ax, 742, 345, 80, "50\nlogits", BLUE)
    arrow(ax, (679, 345), (700, 345))
    words = (
        "Sizes: channels × bands × frames. After each conv: batch norm, ELU."
    )
    ax.text(400, 466, words, **MIDDLE)
    save(figure, "03_k2c2.svg")


def two_fronts():
    figure, ax = canvas(330)
    box(ax, 95, 165, 140, "34,950\nsamples", GREY)
    box(ax, 320, 70, 210, "strided convolution\n32 × 136", ORANGE)
    box(ax, 320, 260, 210, "log-mel bands\n128 × 137", BLUE)
    body = "the same body\n2 × (conv 8, pool 4)\ndense 100"
    box(ax, 590, 165, 220, body, GREY)
    for y in (70, 260):
        arrow(ax, (165, 165), (214, y))
        arrow(ax, (425, y), (478, 165))
    arrow(ax, (701, 165), (736, 165))
    ax.text(768, 165, "50\ntags", **MIDDLE, linespacing=1.3)
    ax.text(320, 128, "learns its filters", **MIDDLE, color=ORANGE)
    ax.text(320, 204, "is given them", **MIDDLE, color=BLUE)
    save(figure, "03_two_fronts.svg")


if __name__ == "__main__":
    k2c2()
    two_fronts()
