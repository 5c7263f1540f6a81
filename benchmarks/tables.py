"""What work on the tables of MagnaTagATune costs.

Seconds, the fastest of three tries. The script reads data/magnatagatune or the folder
that is named (`make bench MTT=FOLDER`). Only the two tables are needed; without them it
says so and stops.
"""

import sys

import machine

from tagkit.data import corpus, tags


def main():
    """Open a corpus and do what lesson 01 does with its labels."""
    name = sys.argv[1] if len(sys.argv) > 1 else "magnatagatune"
    try:
        opened = corpus.open(name)
    except (OSError, ValueError) as error:
        print(f"Not measured here: {error}")
        return
    labels, artists = opened.annotations, opened.clips["artist"]
    rows = [["open the corpus", machine.fastest(lambda: corpus.open(name), 3)]]
    for what, work in {
        "raw50": lambda: opened.labels("raw50"),
        "merged50": lambda: opened.labels("merged50"),
        "cooccurrence of all tags": lambda: tags.cooccurrence(labels),
        "contradictions": lambda: tags.contradictions(labels),
        "split by folder, clean": lambda: opened.split("merged50", "clean"),
        "split by artist": lambda: opened.split(version="artist"),
        "overlap of artists": lambda: tags.overlap(opened.split(), artists),
        "describe": opened.describe,
    }.items():
        rows.append([what, machine.fastest(work, 3)])
    print(f"{opened}\n")
    rows.append(["all of it", sum(seconds for _, seconds in rows)])
    print(machine.table(["work", "s"], [[what, f"{s:.3f}"] for what, s in rows]))


if __name__ == "__main__":
    main()
