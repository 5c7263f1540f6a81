"""Draw the diagrams of lesson 04: python course/figures/draw_04.py"""

from pathlib import Path

FOLDER = Path(__file__).parent
BLUE, ORANGE, GREEN, GREY = "#0072B2", "#D55E00", "#009E73", "#555555"
HEAD = """\
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 800 {height}"
     width="800" height="{height}" text-anchor="middle"
     font-family="Arial, Helvetica, sans-serif">
<defs><marker id="tip" viewBox="0 0 10 10" refX="9" refY="5" orient="auto"
 markerWidth="9" markerHeight="9" markerUnits="userSpaceOnUse">
<path d="M0,0 L10,5 L0,10 z" fill="#555555"/></marker></defs>
<rect width="800" height="{height}" fill="white"/>
"""


def box(x, y, width, height, color, fill="white"):
    return (
        f'<rect x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" '
        f'rx="6" fill="{fill}" stroke="{color}" stroke-width="2.5"/>\n'
    )


def text(x, y, words, color="black", size=20, weight="normal"):
    return (
        f'<text x="{x:g}" y="{y:g}" font-size="{size}" fill="{color}" '
        f'font-weight="{weight}">{words}</text>\n'
    )


def arrow(x1, y1, x2, y2):
    return (
        f'<line x1="{x1:g}" y1="{y1:g}" x2="{x2:g}" y2="{y2:g}" '
        f'stroke="{GREY}" stroke-width="2.5" marker-end="url(#tip)"/>\n'
    )


def unrolled_gru():
    """The same GRU at every step; its state goes from left to right."""
    names = ["1", "2", "3", None, "15"]
    centres = [150, 295, 440, 565, 690]
    drawn = text(45, 145, "zeros", GREY) + arrow(72, 138, 103, 138)
    for place, (name, x) in enumerate(zip(names, centres, strict=True)):
        if name is None:
            drawn += text(x, 145, "…", GREY, 30)
        else:
            drawn += box(x - 47, 110, 94, 56, BLUE, "#E6F1F8")
            drawn += text(x, 145, "GRU", BLUE, 22, "bold")
            drawn += arrow(x, 212, x, 168)
            drawn += box(x - 60, 214, 120, 38, GREEN, "#E6F5F0")
            drawn += text(x, 240, f"step {name}", GREEN)
        if place < 4:
            left = x + (49 if name else 22)
            right = centres[place + 1] - (49 if names[place + 1] else 22)
            drawn += arrow(left, 138, right, 138)
            drawn += text((left + right) / 2, 126, "state", GREY, 17)
    drawn += arrow(690, 108, 690, 70)
    drawn += box(605, 22, 170, 46, ORANGE, "#FBEDE3")
    drawn += text(690, 52, "dense, 50 logits", ORANGE)
    drawn += text(335, 58, "one network, the same weights at every step")
    drawn += text(400, 286, "about two seconds of music in each step", GREEN)
    return drawn, 304


def crnn():
    """Maps that shrink to 15 steps of 128 features, read by a GRU."""
    maps = [
        ("1", "96 × 1440", 130, 96, None),
        ("64", "48 × 720", 104, 72, "(2, 2)"),
        ("128", "16 × 240", 82, 50, "(3, 3)"),
        ("128", "4 × 60", 64, 30, "(4, 4)"),
        ("128", "1 × 15", 56, 14, "(4, 4)"),
    ]
    middle, x, drawn = 72, 14, ""
    for channels, size, width, height, pool in maps:
        if pool:
            drawn += arrow(x, middle, x + 60, middle)
            drawn += text(x + 30, middle - 38, "conv", GREY, 17)
            drawn += text(x + 30, middle - 16, "pool", GREY, 17)
            drawn += text(x + 30, middle + 28, pool, GREY, 17)
            x += 64
        for shift in (8, 4, 0) if pool else (0,):
            top = middle - height / 2 - shift
            drawn += box(x + shift, top, width, height, GREEN, "#E6F5F0")
        drawn += text(x + width / 2, middle + 78, size, GREEN, 18)
        words = "1 channel" if channels == "1" else f"{channels}"
        drawn += text(x + width / 2, middle + 102, words, "black", 18)
        x += width + (12 if pool else 4)
    last = x - 40
    drawn += f'<path d="M{last:g},182 V206 H22 V236" stroke="{GREY}" '
    drawn += 'fill="none" stroke-width="2.5" marker-end="url(#tip)"/>\n'
    for step in range(15):
        drawn += box(14 + 22 * step, 240, 17, 60, GREEN, "#E6F5F0")
    drawn += text(180, 326, "15 steps in time, 128 features each", GREEN, 18)
    drawn += arrow(350, 270, 402, 270)
    drawn += box(406, 236, 110, 68, BLUE, "#E6F1F8")
    drawn += text(461, 266, "two GRUs", BLUE) + text(461, 291, "of 32", BLUE)
    drawn += arrow(518, 270, 570, 270)
    drawn += box(574, 236, 96, 68, BLUE, "#E6F1F8")
    drawn += text(622, 266, "the last", BLUE) + text(622, 291, "state", BLUE)
    drawn += arrow(672, 270, 694, 270)
    drawn += box(698, 236, 92, 68, ORANGE, "#FBEDE3")
    drawn += text(744, 266, "dense", ORANGE)
    drawn += text(744, 291, "50 logits", ORANGE, 18)
    return drawn, 346


if __name__ == "__main__":
    for name, draw in {"unrolled_gru": unrolled_gru, "crnn": crnn}.items():
        drawn, height = draw()
        svg = HEAD.format(height=height) + drawn + "</svg>\n"
        (FOLDER / f"04_{name}.svg").write_text(svg, encoding="utf-8")
