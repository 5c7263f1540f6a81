"""Draw the diagrams of lesson 02: python course/figures/draw_02.py"""

from pathlib import Path

FOLDER = Path(__file__).parent
BLUE, ORANGE, GREEN = "#0072B2", "#B34D00", "#00785A"
PALE = {
    BLUE: "#DCEBF5",
    ORANGE: "#FBE6D8",
    GREEN: "#D8F0E8",
    "#555555": "#F2F2F2",
}
GREY = "#555555"


def text(
    x, y, words, size=17, color="#222222", anchor="middle", weight="normal"
):
    return (
        f'<text x="{x}" y="{y}" font-size="{size}" fill="{color}" '
        f'text-anchor="{anchor}" font-weight="{weight}">{words}</text>'
    )


def box(x, y, width, height, color, words="", size=17):
    """A box with words in its middle."""
    shape = (
        f'<rect x="{x}" y="{y}" width="{width}" height="{height}" rx="4" '
        f'fill="{PALE[color]}" stroke="{color}" stroke-width="2"/>'
    )
    return shape + text(x + width / 2, y + height / 2 + 6, words, size)


def minus(number):
    return str(number).replace("-", "−")


def line(x1, y1, x2, y2, color=GREY, head=False):
    end = ' marker-end="url(#head)"' if head else ""
    return (
        f'<line x1="{x1}" y1="{y1}" x2="{x2}" y2="{y2}" stroke="{color}" '
        f'stroke-width="2"{end}/>'
    )


def save(name, height, title, parts):
    """Write 02_<name>.svg, 800 pixels wide; white, for dark pages too."""
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="800" '
        f'height="{height}" viewBox="0 0 800 {height}" '
        'font-family="Helvetica, Arial, sans-serif" role="img">',
        f"<title>{title}</title>",
        '<defs><marker id="head" viewBox="0 0 10 10" refX="9" refY="5" '
        'markerWidth="7" markerHeight="7" orient="auto">'
        f'<path d="M0 0 10 5 0 10z" fill="{GREY}"/></marker></defs>',
        '<rect width="100%" height="100%" fill="white"/>',
        *parts,
        "</svg>",
    ]
    (FOLDER / f"02_{name}.svg").write_text("\n".join(lines) + "\n", "utf-8")


def kernel():
    """A kernel of three numbers at two places, three samples apart."""
    samples, weights = [0, 1, 2, 3, 2, 1, 0, -1], [1, 0, -1]
    left, size = 140, 74
    parts = [
        text(120, y, words, anchor="end")
        for y, words in ((66, "kernel"), (166, "samples"), (286, "answers"))
    ]
    for i, sample in enumerate(samples):
        parts.append(box(left + i * size, 135, size, 50, GREY, minus(sample)))
    for place, color in ((0, BLUE), (3, ORANGE)):
        x = left + place * size
        for i, weight in enumerate(weights):
            parts.append(
                box(x + i * size, 35, size, 50, color, minus(weight))
            )
            parts.append(text(x + i * size + size / 2, 118, "×", 22, color))
        pairs = zip(samples[place:], weights, strict=False)
        answer = sum(sample * weight for sample, weight in pairs)
        middle = x + 1.5 * size
        parts.append(line(middle, 190, middle, 250, color, head=True))
        parts.append(text(middle + 12, 226, "add up", 15, color, "start"))
        parts.append(
            box(middle - size / 2, 256, size, 50, color, minus(answer))
        )
    parts.append(line(left + 4, 20, left + 3 * size - 4, 20, GREY, head=True))
    parts.append(text(left + 3 * size + 8, 25, "stride 3", 15, GREY, "start"))
    parts.append(
        text(
            left + 6 * size + 8, 66, "no room for a third", 15, GREY, "start"
        )
    )
    title = "A kernel on samples 0 to 2, then on samples 3 to 5"
    save("kernel", 325, title, parts)


def base_network():
    """The blocks of Dieleman and Schrauwen's network, with their shapes."""
    parts = []
    blocks = [  # x, width, height, colour, shape
        (20, 130, 26, GREY, "1 × 34,950"),
        (212, 130, 120, BLUE, "32 × 136"),
        (404, 64, 120, ORANGE, "32 × 34"),
        (530, 30, 120, ORANGE, "32 × 8"),
        (640, 22, 150, GREEN, "100"),
        (740, 22, 100, GREEN, "n_tags"),
    ]
    for x, width, height, color, shape in blocks:
        parts.append(box(x, 150 - height / 2, width, height, color))
        parts.append(
            text(x + width / 2, 252, shape, 17, "#222222", weight="bold")
        )
    wave = "M24 150 " + " ".join(
        f"q6 {-18 if i % 2 else 18} 12 0" for i in range(10)
    )
    parts.append(
        f'<path d="{wave}" fill="none" stroke="{GREY}" stroke-width="2"/>'
    )
    steps = [  # from x, to x, words above
        (150, 212, ("strided", "convolution", "256 / 256")),
        (342, 404, ("convolution", "of 8 frames,", "pool 4")),
        (468, 530, ("again", "", "")),
        (560, 640, ("flatten,", "dense", "")),
        (662, 740, ("dense", "", "")),
    ]
    for start, end, words in steps:
        parts.append(line(start + 4, 150, end - 4, 150, head=True))
        for i, word in enumerate(words):
            parts.append(text((start + end) / 2, 24 + 19 * i, word, 15, GREY))
    parts.append(text(85, 276, "samples", 15, GREY))
    parts.append(text(386, 276, "channels × frames", 15, GREY))
    parts.append(text(751, 276, "logits", 15, GREY))
    title = "From 34,950 samples to 136, 34 and 8 frames, then to tags"
    save("base_network", 295, title, parts)


def merge():
    """Ten windows of a clip, each through the same network, and the mean."""
    parts = [
        text(20, 54, "clip", anchor="start"),
        text(20, 132, "network", anchor="start"),
        text(20, 214, "scores", anchor="start"),
        text(20, 290, "clip’s score", anchor="start"),
    ]
    scores = [0.2, 0.3, 0.2, 0.8, 0.9, 0.8, 0.9, 0.7, 0.1, 0.1]
    for i, score in enumerate(scores):
        x = 140 + 64 * i
        parts.append(box(x, 24, 64, 48, GREY, i + 1))
        parts.append(line(x + 32, 74, x + 32, 100, head=True))
        parts.append(box(x + 4, 104, 56, 46, BLUE, "net", 16))
        parts.append(line(x + 32, 152, x + 32, 180, head=True))
        parts.append(box(x + 4, 184, 56, 46, ORANGE, score, 16))
        parts.append(line(x + 32, 232, 460, 258))
    mean = sum(scores) / len(scores)
    parts.append(box(400, 258, 120, 50, GREEN, f"mean {mean:.2f}"))
    save(
        "merge",
        325,
        "Ten windows, ten scores for a tag, and their mean",
        parts,
    )


def threes():
    """27 samples, seen by threes: 9 points, 3 points, one point."""
    parts, last = [], []
    rows = ["27 samples", "first layer", "first unit", "second unit"]
    for row, name in enumerate(rows):
        n, y = 3 ** (3 - row), 270 - 78 * row
        xs = [165 + 610 * (i + 0.5) / n for i in range(n)]
        for i, x in enumerate(last):
            parts.insert(0, line(x, y + 78, xs[i // 3], y, "#9BBBD0"))
        color = GREY if row == 0 else BLUE
        parts += [
            f'<circle cx="{x:.1f}" cy="{y}" r="8" fill="{color}"/>'
            for x in xs
        ]
        parts.append(text(20, y + 6, name, anchor="start"))
        last = xs
    save(
        "threes",
        300,
        "Each layer takes three points of the layer below it",
        parts,
    )


if __name__ == "__main__":
    kernel()
    base_network()
    merge()
    threes()
