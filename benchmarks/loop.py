"""`fit` and scoring beside a textbook loop, and the memory that both keep.

A window of each of the 360 training clips of `mini`, drawn anew in every epoch, batches
of 16, Adam. The textbook holds the clips as float32 in memory (a `Dataset` that slices
them, a `DataLoader` without workers); `train.fit` cuts the windows from the store. Five
rounds, taking turns; each counts its fastest epoch of two, or of six short ones. The
table shows the medians, and the smallest and largest ratio of textbook to tagkit. Then
90 clips are scored; the textbook's windows are cut and made float32 beforehand. Both
keep freed memory, as tagkit always does on a CPU. The last table times one window with
that, and with memory given back (TAGKIT_KEEP_MEMORY=0).
"""

import os
import subprocess
import sys
import time

import machine
import numpy as np
import torch
from torch.nn import functional
from torch.utils.data import DataLoader, Dataset, TensorDataset

from tagkit import models
from tagkit.data import batches, corpus, store
from tagkit.evaluation import predict
from tagkit.machine import devices
from tagkit.training import train

ROUNDS = 5
MODELS = {  # width, epochs
    "DielemanRaw": (1.0, 6),
    "DielemanMel": (1.0, 6),
    "K2C2": (0.24, 2),
    "Musicnn": (0.125, 2),
}


class Clips(Dataset):
    """Clips in memory, of which a random window is given."""

    def __init__(self, samples, labels, n_samples):
        self.samples, self.labels, self.n_samples = samples, labels, n_samples

    def __len__(self):
        return len(self.samples)

    def __getitem__(self, i):
        start = np.random.randint(self.samples.shape[1] - self.n_samples + 1)
        return self.samples[i, start : start + self.n_samples], self.labels[i]


def textbook(model, loader, epochs):
    """Seconds of each epoch."""
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    seconds = []
    for _ in range(epochs):
        start = time.perf_counter()
        for samples, labels in loader:
            optimizer.zero_grad()
            logits = model(samples)
            loss = functional.binary_cross_entropy_with_logits(logits, labels)
            loss.backward()
            optimizer.step()
        seconds.append(time.perf_counter() - start)
    return min(seconds)


def textbook_scores(model, loader):
    """Logits of windows in memory, batch by batch."""
    model.eval()
    with torch.inference_mode():
        return torch.cat([model(samples) for (samples,) in loader])


def rows_of(name, training, valid):
    """Compare training and scoring of one model."""
    width, epochs = MODELS[name]
    model = models.build(name, width=width)
    n_samples, rate = model.n_samples, model.sample_rate
    n_row = training.store.samples.shape[1]
    crops = batches.RandomCrops(training, n_row, rate, batch_size=360)
    samples, labels = next(crops.epoch(1))
    loader = DataLoader(Clips(samples, labels, n_samples), 16, shuffle=True)
    some = training.take(training.labels.index[:90])
    grid = batches.GridCrops(some, n_samples, rate)
    whole = torch.cat(list(grid))
    scoring = DataLoader(TensorDataset(whole), 8 * grid.n_windows)
    config = train.Config(epochs=epochs)
    pairs = {"training": [], "scoring": []}
    for _ in range(ROUNDS):
        theirs = textbook(models.build(name, width=width), loader, epochs)
        ours = models.build(name, width=width)
        history = train.fit(ours, training, valid, config, log=None)
        pairs["training"].append((theirs, history.frame()["seconds"].min()))
        theirs = machine.fastest(lambda: textbook_scores(model, scoring), 2)
        ours = machine.fastest(lambda: predict.window_logits(model, some), 2)
        pairs["scoring"].append((theirs, ours))
    for work, seconds in pairs.items():
        theirs, ours = np.median(seconds, axis=0)
        ratios = [a / b for a, b in seconds]
        yield [
            f"{name}, {work}",
            f"{theirs:.3f}",
            f"{ours:.3f}",
            f"{np.median(ratios):.2f}",
            f"{min(ratios):.2f} to {max(ratios):.2f}",
        ]


def window(name):
    """Milliseconds to score a window, in batches of 8."""
    model = models.build(name)
    samples = 0.1 * torch.randn(8, model.n_samples)
    seconds = machine.fastest(lambda: predict._run(model, model, samples), 5)
    return 1000 * seconds / 8


def main():
    """Print the tables; with the name of a model, its milliseconds a window."""
    if len(sys.argv) > 1:
        print(window(sys.argv[1]))
        return
    mini = corpus.open("mini")
    devices.keep_freed_memory()
    rows = []
    for name in MODELS:
        clips = store.prepare(mini, models.build(name).sample_rate)
        training = batches.examples(mini, clips, "train")
        valid = batches.examples(mini, clips, "valid").take(4)
        rows += rows_of(name, training, valid)
    head = ["work", "textbook, s", "tagkit, s", "textbook / tagkit", "five rounds"]
    print(machine.table(head, rows))
    rows = []
    for name in ("K2C2", "CRNN", "SampleCNN", "ShortChunkCNN", "Musicnn"):
        found = []
        for keep in ("0", "1"):
            done = subprocess.run(
                [sys.executable, __file__, name],
                env=os.environ | {"TAGKIT_KEEP_MEMORY": keep},
                stdout=subprocess.PIPE,
                check=True,
            )
            found.append(float(done.stdout))
        rows.append([name, *(f"{ms:.1f}" for ms in found)])
    print()
    print(machine.table(["ms a window", "given back", "kept"], rows))


if __name__ == "__main__":
    main()
