"""What a second core gives: preparing, training with threads, training with processes.

Preparing is `store.prepare` of `mini` at its own 16 kHz. Training is `train.fit` on its
360 training clips at 12 kHz; the fastest of three epochs counts. Two processes are
started by torchrun with one thread each, and share each batch. The gain is at most 2 on
two cores, less where memory is the limit.
"""

import json
import os
import subprocess
import sys
import tempfile
from functools import partial

import machine
import torch

from tagkit import models
from tagkit.data import batches, corpus, store
from tagkit.machine import processes
from tagkit.training import train

MODELS = {"DielemanRaw": ({}, 10), "K2C2": ({"width": 0.24}, 1)}


def epoch_of(name):
    """Seconds of the fastest of three epochs, in this process or job."""
    processes.start()
    music = corpus.open("mini")
    clips = store.prepare(music, sample_rate=12_000)
    parts = [batches.examples(music, clips, part) for part in ("train", "valid")]
    arguments, crops = MODELS[name]
    torch.manual_seed(0)
    model = models.build(name, n_tags=50, **arguments)
    config = train.Config(epochs=3, crops_per_clip=crops, device="cpu")
    history = train.fit(model, *parts, config, log=None)
    return min(epoch["seconds"] for epoch in history.epochs)


def measure(name, n_processes, n_threads):
    """The same in a process of its own, or in several."""
    words = [sys.executable]
    if n_processes > 1:
        words += ["-m", "torch.distributed.run", "--standalone"]
        words += [f"--nproc-per-node={n_processes}"]
    words += [__file__, name]
    threads = {"OMP_NUM_THREADS": str(n_threads)}
    done = subprocess.run(
        words, env=os.environ | threads, capture_output=True, text=True, check=True
    )
    return json.loads(done.stdout.strip().splitlines()[-1])


def preparing(n_workers):
    """Seconds of store.prepare for all of mini, the fastest of three."""
    music, found = corpus.open("mini"), []
    for _ in range(3):
        with tempfile.TemporaryDirectory() as folder:
            how = {"folder": folder, "n_workers": n_workers}
            found.append(machine.seconds(partial(store.prepare, music, **how)))
    return min(found)


def main():
    if len(sys.argv) > 1:
        seconds = epoch_of(sys.argv[1])
        if processes.is_first():
            print(json.dumps(seconds))
        return
    one, two = (preparing(n) for n in (1, 2))
    rows = [["prepare mini", f"{one:.2f}", f"{two:.2f}", "", f"{one / two:.2f}", ""]]
    for name in MODELS:
        one, two = (measure(name, 1, n) for n in (1, 2))
        job = measure(name, 2, 1)
        row = [f"{seconds:.2f}" for seconds in (one, two, job)]
        rows.append([f"epoch of {name}", *row, f"{one / two:.2f}", f"{one / job:.2f}"])
    columns = ["work", "1 thread, s", "2 threads", "2 processes"]
    print(machine.table([*columns, "gain of threads", "gain of processes"], rows))


if __name__ == "__main__":
    main()
