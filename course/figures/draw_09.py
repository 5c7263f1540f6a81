"""Draw the diagram of lesson 09: python course/figures/draw_09.py"""

from pathlib import Path

from draw_04 import BLUE, GREEN, GREY, HEAD, ORANGE, text

FOLDER = Path(__file__).parent


def verdict():
    """Three intervals of a difference, and what each says of a claim."""
    zero, drawn = 330, ""
    drawn += (
        f'<line x1="{zero}" y1="24" x2="{zero}" y2="200" stroke="{GREY}" '
        'stroke-width="2" stroke-dasharray="6 5"/>\n'
    )
    drawn += text(zero, 226, "difference 0", GREY, 18)
    rows = (
        (52, 372, 500, GREEN, "holds here"),
        (110, 150, 290, ORANGE, "does not hold here"),
        (168, 260, 420, BLUE, "cannot be told"),
    )
    for y, low, high, color, words in rows:
        drawn += (
            f'<line x1="{low}" y1="{y}" x2="{high}" y2="{y}" '
            f'stroke="{color}" stroke-width="5"/>\n'
        )
        for x in (low, high):
            drawn += (
                f'<line x1="{x}" y1="{y - 11}" x2="{x}" y2="{y + 11}" '
                f'stroke="{color}" stroke-width="4"/>\n'
            )
        middle = (low + high) / 2
        drawn += f'<circle cx="{middle:g}" cy="{y}" r="8" fill="{color}"/>\n'
        drawn += text(660, y + 7, words, color, 21, "bold")
    return HEAD.format(height=240) + drawn + "</svg>\n"


if __name__ == "__main__":
    (FOLDER / "09_verdict.svg").write_text(verdict())
