"""Draw the diagrams of lesson 07: python course/figures/draw_07.py"""

from draw_04 import BLUE, FOLDER, GREEN, GREY, HEAD, ORANGE, arrow, box, text

LOAD, COMPUTE, BATCHES = 60, 100, 8  # ms, ms, batches; two wait in the queue


def five_stages():
    """What a training step does with a batch, and what each stage uses."""
    stages = [
        ("read", ("files, decoder,", "disk, one core"), ORANGE, "#FBEDE3"),
        ("copy", ("to the device", ""), GREEN, "#E6F5F0"),
        ("forward", ("logits", "and loss"), BLUE, "#E6F1F8"),
        ("backward", ("gradients", ""), BLUE, "#E6F1F8"),
        ("optimizer", ("new weights", ""), BLUE, "#E6F1F8"),
    ]
    drawn = ""
    for place, (name, below, color, fill) in enumerate(stages):
        x = 88 + 156 * place
        drawn += box(x - 62, 26, 124, 58, color, fill)
        drawn += text(x, 62, name, color, 21, "bold")
        for line, words in enumerate(below):
            drawn += text(x, 112 + 23 * line, words, GREY, 18)
        if place < 4:
            drawn += arrow(x + 64, 55, x + 92, 55)
    drawn += (
        f'<path d="M324,144 L324,156 L776,156 L776,144" fill="none" '
        f'stroke="{BLUE}" stroke-width="2"/>\n'
    )
    drawn += text(550, 182, "arithmetic and memory of the device", BLUE, 18)
    return HEAD.format(height=198) + drawn + "</svg>\n"


def schedule(is_ahead):
    """When each batch is loaded and used, in ms: two lists of beginnings."""
    loads, steps = [], []
    for n in range(BATCHES):
        loaded = loads[-1] + LOAD if loads else 0
        done = steps[-1] + COMPUTE if steps else 0
        if is_ahead:  # two wait in the queue, one in the thread
            begin = max(loaded, steps[n - 3] if n >= 3 else 0)
        else:
            begin = done
        loads.append(begin)
        steps.append(max(begin + LOAD, done))
    return loads, steps


def ahead():
    """Eight batches in turn and ahead, on one axis of time."""
    drawn = ""
    for row, name in enumerate(("in turn", "ahead")):
        loads, steps = schedule(name == "ahead")
        end = steps[-1] + COMPUTE
        y, scale = 44 + 132 * row, 0.5
        title = text(
            120, y - 16, f"{name}: done after {end / 1000:.2f} s", size=20
        )
        drawn += title.replace("<text ", '<text text-anchor="start" ')
        rows = [("load", loads, LOAD, ORANGE, "#FBEDE3")]
        rows += [("compute", steps, COMPUTE, BLUE, "#E6F1F8")]
        for line, (what, begins, width, color, fill) in enumerate(rows):
            top = y + 38 * line
            drawn += text(62, top + 23, what, color, 19)
            for n, begin in enumerate(begins):
                x = 120 + scale * begin
                drawn += box(x, top, scale * width - 2, 32, color, fill)
                drawn += text(
                    x + scale * width / 2 - 1, top + 23, n + 1, color, 17
                )
    return HEAD.format(height=256) + drawn + "</svg>\n"


if __name__ == "__main__":
    for name, draw in {"five_stages": five_stages, "ahead": ahead}.items():
        (FOLDER / f"07_{name}.svg").write_text(draw(), encoding="utf-8")
