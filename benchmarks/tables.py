"""What work on the tables of a corpus costs: python benchmarks/tables.py [FOLDER]

Prints seconds, the smallest of three tries. Without a folder: data/magnatagatune. Only
its two tables are read, so a folder with nothing else will do.
"""

import sys
import time

from tagkit import corpus, tags


def fastest(work):
    """Seconds of the fastest of three tries, and what the work gave."""
    times = []
    for _ in range(3):
        start = time.perf_counter()
        found = work()
        times.append(time.perf_counter() - start)
    return min(times), found


def main():
    """Open a corpus and do what lesson 01 does with its labels."""
    name = sys.argv[1] if len(sys.argv) > 1 else "magnatagatune"
    seconds, opened = fastest(lambda: corpus.open(name))
    print(f"{opened}, opened in {seconds:.2f} s")
    labels, artists = opened.annotations, opened.clips["artist"]
    total = 0
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
        seconds, _ = fastest(work)
        total += seconds
        print(f"{what:<25} {seconds:6.3f} s")
    print(f"{'all label work':<25} {total:6.3f} s")


if __name__ == "__main__":
    main()
