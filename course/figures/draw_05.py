"""Draw the diagram of lesson 05: python course/figures/draw_05.py"""

from draw_04 import BLUE, FOLDER, GREY, HEAD, ORANGE, box, text


def who_is_wrong():
    """What the crowd named against the scores: two ways to disagree."""
    fields = [
        ("hit", ["they agree"]),
        (
            "false alarm",
            ["there: the label is wrong", "not there: the network is"],
        ),
        ("miss", ["there: the network is wrong", "not there: the label is"]),
        ("rejection", ["they agree"]),
    ]
    drawn = text(335, 34, "the crowd named it", GREY)
    drawn += text(640, 34, "it did not", GREY)
    for row, words in enumerate(("high score", "low score")):
        drawn += text(95, 112 + 130 * row, words, GREY)
    for place, (name, lines) in enumerate(fields):
        x, y = 190 + 305 * (place % 2), 50 + 130 * (place // 2)
        color, fill = (
            (ORANGE, "#FBEDE3") if len(lines) > 1 else (BLUE, "#E6F1F8")
        )
        drawn += box(x, y, 290, 115, color, fill)
        drawn += text(x + 145, y + 36, name, color, 22, "bold")
        for number, line in enumerate(lines):
            drawn += text(x + 145, y + 68 + 28 * number, line, size=19)
    return drawn, 314


if __name__ == "__main__":
    drawn, height = who_is_wrong()
    svg = HEAD.format(height=height) + drawn + "</svg>\n"
    (FOLDER / "05_who_is_wrong.svg").write_text(svg, encoding="utf-8")
