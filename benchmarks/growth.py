"""How time and memory grow with the corpus.

Shards and neighbours are measured up to a million clips, the rest up to the 25,860 of
MagnaTagATune. `store.prepare` decodes the clips of `mini` again and again, 29 s each,
at 12 kHz. Training is one epoch of DielemanRaw, one window a clip, about a second of it
start-up. Its store is sparse: the clips are silence and take almost no room on the
disk. The same store is then scored, and read without a network: that shows how long the
system needs just to supply the memory. One window a clip can need as much, since
the system reads ahead. Clips in shards last a quarter of a second, because a million
whole ones would fill 700 GB; only the number of clips matters here. The shards have
just been written, so they are read from the system's cache.

For each clip `neighbours.search` finds the ten nearest clips by other artists. Each
artist has twenty clips. The vectors are made up: 200 numbers, the k-th with a spread
proportional to 1/k. Above 100,000 clips the neighbours of 1,000 clips are searched,
with faiss. Recall is the share of the true ten that it finds; other vectors would give
another. Memory is the peak of the process's own memory (RssAnon in Linux). Cached pages
of files are not counted: the system frees them when it needs the room. Each row is
measured in a process of its own.
"""

import dataclasses
import json
import re
import subprocess
import sys
import tempfile
import threading
import time
import zlib
from pathlib import Path

import machine
import numpy as np
import pandas as pd
import torch

from tagkit import models
from tagkit.data import batches, corpus, shards, store
from tagkit.evaluation import neighbours, predict
from tagkit.training import train

SIZES = (480, 4_800, 25_860, 1_000_000)
WHOLE, SHORT = 349_488, 3_000  # samples at 12 kHz
N_QUERIES = 1000


def sparse(folder: Path, n_clips: int, n_samples: int) -> batches.Examples:
    """A store of silence, and random labels."""
    with open(folder / "samples.int16", "wb") as file:
        file.truncate(2 * n_samples * n_clips)
    crc32 = zlib.crc32(bytes(2 * n_samples))
    clip = {"reason": None, "crc32": crc32, "n_samples": n_samples}
    clips = [{"clip_id": i, "row": i} | clip for i in range(n_clips)]
    head = {"corpus": "sparse", "sample_rate": 12_000, "n_samples": n_samples}
    (folder / "index.json").write_text(json.dumps(head | {"clips": clips}))
    labels = (np.random.default_rng(0).random((n_clips, 50)) < 0.07).astype(np.uint8)
    labels[0], labels[1] = 0, 1
    tags = [f"tag {k}" for k in range(50)]
    frame = pd.DataFrame(labels, pd.RangeIndex(n_clips, name="clip_id"), tags)
    about = {"corpus": "sparse", "tag_list": "own", "version": "full", "part": "train"}
    return batches.Examples(
        store.ClipStore(folder), frame, about | {"n_clips": n_clips}
    )


# -- works: each yields when it is ready to be measured, and again when that is done


def prepare(n_clips, folder):
    mini = corpus.open("mini")
    times = -(-n_clips // len(mini.clips))
    clips = pd.concat([mini.clips] * times, ignore_index=True)[:n_clips]
    many = dataclasses.replace(mini, clips=clips)
    yield
    store.prepare(many, 12_000, folder=folder)


def epoch(n_clips, folder):
    torch.manual_seed(0)
    model = models.DielemanRaw(n_tags=50)
    examples = sparse(folder, n_clips, WHOLE)
    part, valid = examples.take(range(8, n_clips)), examples.take(8)
    yield
    train.fit(model, part, valid, train.Config(epochs=1, device="cpu"), log=None)


def scores(n_clips, folder):
    torch.manual_seed(0)
    model = models.DielemanRaw(n_tags=50)
    examples = sparse(folder, n_clips, WHOLE)
    yield
    predict.clip_scores(model, examples)


def read(n_clips, folder):
    examples = sparse(folder, n_clips, WHOLE)
    yield
    for samples in examples.store.samples:
        samples.max()


def pack(n_clips, folder):
    examples = sparse(folder, n_clips, SHORT)
    yield
    fill(folder, examples)


def fill(folder, examples):
    """Pack as `shards.pack` does, from a store that is there."""
    parts = []
    for start in range(0, len(examples), 128):
        name = f"train-{start // 128:06d}.tar"
        some = examples.labels.iloc[start : start + 128]
        facts = shards._write_shard(folder / name, examples.store, some)
        parts.append({"name": name, "part": "train"} | facts)
    index = {"corpus": "sparse", "tag_list": "own", "version": "full"}
    index |= {"tags": list(examples.labels.columns), "sample_rate": 12_000}
    index |= {"n_samples": SHORT, "shards": parts}
    (folder / "index.json").write_text(json.dumps(index))


def stream(n_clips, folder):
    words = [sys.executable, __file__, "pack", str(n_clips), str(folder)]
    subprocess.run(words, check=True, capture_output=True)  # its memory is not ours
    yield
    crops = shards.Stream(folder).crops(SHORT, 12_000)
    assert sum(len(cuts) for cuts, _ in crops.cuts(1)) == n_clips


def vectors(n_clips):
    """Vectors of clips and their artists; a fifth of the variance is within one."""
    random = np.random.default_rng(0)
    spread = (1 / np.arange(1, 201)).astype(np.float32)
    artists = np.arange(n_clips) // 20
    found = random.standard_normal((artists[-1] + 1, 200), np.float32)[artists]
    found += 0.5 * random.standard_normal((n_clips, 200), np.float32)
    return found * spread, artists


def near(n_clips, folder):
    found, artists = vectors(n_clips)
    some = None
    if n_clips > neighbours.EXACT:
        drawn = np.random.default_rng(1).choice(n_clips, 11 * N_QUERIES, replace=False)
        some = drawn[:N_QUERIES]
    yield
    start = time.perf_counter()
    lists = neighbours.search(found, 10, artists, queries=some)
    first = time.perf_counter() - start
    yield
    if some is not None:
        start = time.perf_counter()
        true = neighbours.search(found, 10, artists, queries=some, exact=True)
        exact = time.perf_counter() - start
        start = time.perf_counter()
        neighbours.search(found, 10, artists, queries=drawn)
        further = (time.perf_counter() - start - first) / 10
        share = [np.isin(a, b).mean() for a, b in zip(lists, true, strict=True)]
        yield {"recall": float(np.mean(share)), "exact": exact, "further": further}


WORKS = {
    "prepare": (prepare, "`store.prepare`"),
    "epoch": (epoch, "training, one epoch"),
    "scores": (scores, "scoring the same store"),
    "read": (read, "reading it, no network"),
    "pack": (pack, "writing shards"),
    "stream": (stream, "opening and reading shards"),
    "near": (near, "`neighbours.search`"),
}
UP_TO = dict.fromkeys(("prepare", "epoch", "scores", "read"), 25_860)


def held() -> float:
    """MiB that this process holds now, without pages of files."""
    status = Path("/proc/self/status").read_text()
    return int(re.search(r"RssAnon:\s+(\d+)", status)[1]) / 1024


def measure(name: str, n_clips: int, folder: Path) -> dict:
    """Seconds of a work, and the most memory that the process held meanwhile."""
    peak, stop = [0.0], threading.Event()

    def watch():
        while not stop.wait(0.02):
            peak[0] = max(peak[0], held())

    work = WORKS[name][0](n_clips, folder)
    next(work)
    peak[0] = held()
    threading.Thread(target=watch, daemon=True).start()
    start = time.perf_counter()
    next(work, None)
    seconds = time.perf_counter() - start
    stop.set()
    return {"seconds": seconds, "MiB": peak[0]} | next(work, {})


def main():
    """Measure all and write growth.md; or one work, with its number of clips."""
    if len(sys.argv) > 2:
        name, n_clips = sys.argv[1], int(sys.argv[2])
        if len(sys.argv) > 3:
            print(json.dumps(measure(name, n_clips, Path(sys.argv[3]))))
            return
        with tempfile.TemporaryDirectory(dir=corpus.DATA / "cache") as folder:
            print(json.dumps(measure(name, n_clips, Path(folder))))
        return
    rows, notes = [], []
    for name, (_, title) in WORKS.items():
        for n_clips in SIZES:
            if n_clips > UP_TO.get(name, n_clips):
                continue
            words = [sys.executable, __file__, name, str(n_clips)]
            done = subprocess.run(words, stdout=subprocess.PIPE, text=True, check=True)
            found = json.loads(done.stdout)
            seconds = found["seconds"]
            row = [title, f"{n_clips:,}", f"{seconds:.1f}"]
            row += [f"{1000 * seconds / n_clips:.2f}", f"{found['MiB']:.0f}"]
            print(row, flush=True)
            rows.append(row)
            if "recall" in found:
                rows[-1][0] += f", {N_QUERIES:,} queries"
                rows[-1][3] = ""
                notes.append(
                    f"\nAmong {n_clips:,} clips, faiss finds {found['recall']:.1%} of "
                    f"the true ten. That takes {seconds:.0f} s, index included, and "
                    f"{found['further']:.1f} s for each further thousand queries. "
                    f"Comparing a thousand with all takes {found['exact']:.1f} s."
                )
    about = __doc__.partition(".\n\n")
    head = ["work", "clips", "s", "ms a clip", "peak memory, MiB"]
    text = f"# {about[0]}\n\nWritten by `make bench-growth`. {machine.describe()}\n\n"
    text += f"{about[2]}\n{machine.table(head, rows)}\n" + "\n".join(notes)
    machine.write(__file__, text)


if __name__ == "__main__":
    main()
