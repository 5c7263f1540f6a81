"""Draw the diagrams of lesson 06: python course/figures/draw_06.py"""

from draw_04 import BLUE, FOLDER, GREEN, GREY, HEAD, ORANGE, box, text


def arrow(x1, y1, x2, y2, color=GREY, dashes="none"):
    return (
        f'<line x1="{x1:g}" y1="{y1:g}" x2="{x2:g}" y2="{y2:g}" '
        f'stroke="{color}" stroke-width="2.5" stroke-dasharray="{dashes}" '
        'marker-end="url(#tip)"/>\n'
    )


def dot(x, y, color):
    return f'<circle cx="{x:g}" cy="{y:g}" r="8" fill="{color}"/>\n'


def embedding():
    """From three seconds of sound to a vector, then tags or neighbours."""
    drawn = ""
    stages = [
        (20, 150, GREEN, "#E6F5F0", "3 seconds", "48,128 samples"),
        (215, 150, BLUE, "#E6F1F8", "the network", "all but its last layer"),
        (410, 150, ORANGE, "#FBEDE3", "embedding", "200 numbers"),
    ]
    for x, width, color, fill, name, below in stages:
        drawn += box(x, 70, width, 64, color, fill)
        drawn += text(x + width / 2, 109, name, color, 20, "bold")
        drawn += text(x + width / 2, 158, below, GREY, 16)
    drawn += arrow(172, 102, 213, 102) + arrow(367, 102, 408, 102)
    drawn += arrow(562, 92, 618, 52) + arrow(562, 112, 618, 152)
    drawn += box(620, 22, 160, 56, BLUE, "#E6F1F8") + text(
        700, 57, "last layer: tags"
    )
    drawn += box(620, 126, 160, 56, GREY) + text(700, 161, "angles: alike?")
    return 200, drawn


def feedback():
    """The query moves to the mean of the kept, away from the skipped."""
    drawn = ""
    kept, skipped = [(560, 60), (640, 92), (585, 128)], [(150, 60), (215, 90)]
    for x, y in kept:
        drawn += dot(x, y, GREEN)
    for x, y in skipped:
        drawn += dot(x, y, ORANGE)
    drawn += text(600, 35, "kept", GREEN, 20, "bold")
    drawn += text(180, 35, "skipped", ORANGE, 20, "bold")
    drawn += arrow(340, 210, 470, 146, GREEN, "7 5")
    drawn += text(345, 158, "0.75 × mean of kept", GREEN, 16)
    drawn += arrow(470, 146, 512, 172, ORANGE, "7 5")
    drawn += text(640, 176, "−0.15 × mean of skipped", ORANGE, 16)
    drawn += arrow(340, 210, 508, 175, BLUE)
    drawn += dot(340, 210, BLUE) + text(340, 240, "query", BLUE, 20, "bold")
    drawn += dot(516, 174, BLUE) + text(
        560, 212, "moved query", BLUE, 20, "bold"
    )
    return 255, drawn


if __name__ == "__main__":
    for name, draw in {"embedding": embedding, "feedback": feedback}.items():
        height, drawn = draw()
        svg = HEAD.format(height=height) + drawn + "</svg>\n"
        (FOLDER / f"06_{name}.svg").write_text(svg, encoding="utf-8")
