"""Whether memory grows with the corpus: the same training on stores of any size.

A sparse store, which has 25,860 rows and hardly a byte on the disk, beside one of 480.
Memory is what the process itself holds at most while it trains (RssAnon of Linux), not
the pages of the store that the system keeps in its cache as long as nobody needs the
room. All clips are trained on once.
"""

import json
import re
import subprocess
import sys
import tempfile
import threading
import zlib
from pathlib import Path

import machine
import numpy as np
import pandas as pd
import torch

from tagkit import models
from tagkit.data import batches, store
from tagkit.training import train

N_SAMPLES = 349_488


def sparse(folder: Path, n_clips: int) -> batches.Examples:
    """A store of silence, and random labels."""
    with open(folder / "samples.int16", "wb") as file:
        file.truncate(2 * N_SAMPLES * n_clips)
    crc32 = zlib.crc32(bytes(2 * N_SAMPLES))
    clip = {"reason": None, "crc32": crc32, "n_samples": N_SAMPLES}
    clips = [{"clip_id": i, "row": i} | clip for i in range(n_clips)]
    head = {"corpus": "sparse", "sample_rate": 12_000, "n_samples": N_SAMPLES}
    (folder / "index.json").write_text(json.dumps(head | {"clips": clips}))
    labels = (np.random.default_rng(0).random((n_clips, 50)) < 0.07).astype(np.uint8)
    labels[0], labels[1] = 0, 1
    frame = pd.DataFrame(labels, pd.RangeIndex(n_clips, name="clip_id"))
    about = {"corpus": "sparse", "tag_list": "own", "version": "full", "part": "train"}
    return batches.Examples(
        store.ClipStore(folder), frame, about | {"n_clips": n_clips}
    )


def held() -> float:
    """MiB that this process holds now, without pages of files."""
    status = Path("/proc/self/status").read_text()
    return int(re.search(r"RssAnon:\s+(\d+)", status)[1]) / 1024


def peak_of(n_clips):
    """The most that is held while all clips are trained on."""
    torch.manual_seed(0)
    model = models.DielemanRaw(n_tags=50)
    peak, stop = [0.0], threading.Event()

    def watch():
        while not stop.wait(0.02):
            peak[0] = max(peak[0], held())

    with tempfile.TemporaryDirectory() as folder:
        examples = sparse(Path(folder), n_clips)
        threading.Thread(target=watch, daemon=True).start()
        part, valid = examples.take(range(8, n_clips)), examples.take(8)
        train.fit(model, part, valid, train.Config(epochs=1, device="cpu"), log=None)
        stop.set()
    return peak[0]


def main():
    if len(sys.argv) > 1:
        print(peak_of(int(sys.argv[1])))
        return
    rows = []
    for n_clips in (480, 4_800, 25_860):
        words = [sys.executable, __file__, str(n_clips)]
        done = subprocess.run(words, capture_output=True, text=True, check=True)
        gigabytes = 2 * N_SAMPLES * n_clips / 1e9
        rows.append([f"{n_clips:,}", f"{gigabytes:.1f}", f"{float(done.stdout):.0f}"])
    print(machine.table(["clips", "store, GB", "memory at most, MiB"], rows))


if __name__ == "__main__":
    main()
