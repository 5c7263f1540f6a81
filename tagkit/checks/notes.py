"""What a learner sees: the box of a check or a hint, and the board of all tasks."""

import html
import re
from dataclasses import dataclass

# Colours of Okabe and Ito, which colour-blind readers can tell apart. The sign and
# the word say the same, so nothing rests on the colour; the text takes the colour of
# the page, so that it is readable in light and in dark themes.
LOOKS = {
    "right": ("✓", "right", "#009E73"),
    "wrong": ("✗", "wrong", "#D55E00"),
    "not tried": ("○", "not tried yet", "#0072B2"),
    "hint": ("?", "hint", "#CC79A7"),
}
BOX = (
    "border-left:0.4em solid {};background:rgba(128,128,128,0.12);color:inherit;"
    "padding:0.5em 0.8em;margin:0.3em 0;max-width:50em"
)


@dataclass(frozen=True)
class Note:
    """A short box of text: the outcome of a check, or a hint.

    In a notebook it shows as a coloured box, elsewhere as plain text. `status` is
    "right", "wrong", "not tried" or "hint"; a note is true only when it is "right".

    >>> Note("1.2", "Pairs", "wrong", "Yours has 3 rows.")
    ✗ 1.2 Pairs: wrong. Yours has 3 rows.
    """

    id: str
    title: str
    status: str
    message: str

    def __bool__(self) -> bool:
        return self.status == "right"

    @property
    def head(self) -> str:
        sign, label, _ = LOOKS[self.status]
        if self.status == "hint":
            return f"{sign} {self.id} {self.title}."
        return f"{sign} {self.id} {self.title}: {label}."

    def __repr__(self) -> str:
        return f"{self.head} {self.message}".strip()

    def _repr_html_(self) -> str:
        colour = LOOKS[self.status][2]
        text = html.escape(self.message).replace("\n", "<br>")
        text = re.sub(r"`([^`]+)`", r"<code>\1</code>", text)
        return (
            f'<div role="status" style="{BOX.format(colour)}">'
            f"<b>{html.escape(self.head)}</b> {text}</div>"
        )

    def assert_right(self) -> None:
        """Raise AssertionError unless the answer is right: for hidden tests."""
        if not self:
            raise AssertionError(repr(self))


@dataclass(frozen=True)
class Board:
    """Tasks and how far they are: a table in a notebook, plain text elsewhere."""

    rows: tuple[tuple[str, str, int, str, int], ...]  # id, title, points, status, tries

    @property
    def summary(self) -> str:
        done = [points for _, _, points, status, _ in self.rows if status == "right"]
        total = sum(row[2] for row in self.rows)
        return (
            f"{len(done)} of {len(self.rows)} tasks right, "
            f"{sum(done)} of {total} points"
        )

    def __repr__(self) -> str:
        lines = [
            f"{LOOKS[status][0]} {id} {title} ({points} points): {LOOKS[status][1]}"
            for id, title, points, status, _ in self.rows
        ]
        return "\n".join([*lines, self.summary])

    def _repr_html_(self) -> str:
        lines = [_row("th", ["task", "title", "points", "tries", "outcome"])]
        for id, title, points, status, tries in self.rows:
            sign, label, colour = LOOKS[status]
            outcome = f'<span style="color:{colour}">{sign}</span> {label}'
            lines.append(_row("td", [id, html.escape(title), points, tries, outcome]))
        table = f'<table style="color:inherit">{"".join(lines)}</table>'
        return f"{table}<p>{self.summary}</p>"


def _row(kind: str, cells: list) -> str:
    left = 'style="text-align:left"'
    return f"<tr>{''.join(f'<{kind} {left}>{c}</{kind}>' for c in cells)}</tr>"
