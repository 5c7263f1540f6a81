"""Draw the diagrams of lesson 08: python course/figures/draw_08.py"""

from pathlib import Path

from draw_04 import BLUE, GREEN, GREY, HEAD, ORANGE, arrow, box, text

FOLDER = Path(__file__).parent


def probe():
    """A frozen network, and two small layers that are learned."""
    drawn = text(75, 118, "sound", GREY, 22) + arrow(112, 111, 158, 111)
    drawn += box(160, 50, 210, 122, BLUE, "#E6F1F8")
    drawn += text(265, 105, "borrowed network", BLUE, 22, "bold")
    drawn += text(265, 136, "frozen", BLUE)
    drawn += arrow(372, 111, 418, 111)
    drawn += box(420, 76, 130, 70, GREEN, "#E6F5F0")
    drawn += text(485, 106, "200", GREEN, 22, "bold")
    drawn += text(485, 132, "numbers", GREEN)
    for y, word in ((54, "your word 1"), (168, "your word 2")):
        drawn += arrow(552, 111, 598, y)
        drawn += box(600, y - 34, 180, 68, ORANGE, "#FBEDE3")
        drawn += text(690, y - 4, word, ORANGE, 21, "bold")
        drawn += text(690, y + 22, "learned", ORANGE)
    return HEAD.format(height=222) + drawn + "</svg>\n"


def square(x, y, size, fill):
    return (
        f'<rect x="{x}" y="{y}" width="{size}" height="{size}" '
        f'fill="{fill}" stroke="{GREY}"/>\n'
    )


def contrastive():
    """Two crops of each of three clips, and the table of their likenesses."""
    drawn, names = "", ("a", "b", "c")
    for row, name in enumerate(names):
        y = 40 + 78 * row
        drawn += box(20, y, 250, 46, BLUE, "#E6F1F8")
        drawn += text(48, y + 31, name, BLUE, 22, "bold")
        for x, number in ((90 + 14 * row, 1), (190 - 6 * row, 2)):
            drawn += box(x, y + 6, 58, 34, ORANGE, "#FBEDE3")
            drawn += text(x + 29, y + 30, f"{name}{number}", ORANGE, 19)
    drawn += arrow(280, 141, 330, 141)
    labels = [f"{name}{number}" for number in (1, 2) for name in names]
    size, left, top = 36, 420, 44
    for i, a in enumerate(labels):
        middle = top + size * i + size / 2 + 7
        drawn += text(left - 22, middle, a, ORANGE, 19)
        drawn += text(left + size * i + size / 2, top - 12, a, ORANGE, 19)
        for j in range(6):
            kind = (
                "itself" if i == j else "partner" if abs(i - j) == 3 else ""
            )
            fill = {"itself": "#BBBBBB", "partner": GREEN}.get(kind, "white")
            x, y = left + size * j, top + size * i
            drawn += square(x, y, size, fill)
    for y, fill, words in (
        (100, GREEN, "partner"),
        (150, "#BBBBBB", "itself"),
    ):
        drawn += (
            f'<rect x="665" y="{y}" width="26" height="26" fill="{fill}"/>\n'
        )
        drawn += text(738, y + 20, words, GREY, 19)
    return HEAD.format(height=284) + drawn + "</svg>\n"


if __name__ == "__main__":
    (FOLDER / "08_probe.svg").write_text(probe())
    (FOLDER / "08_contrastive.svg").write_text(contrastive())
