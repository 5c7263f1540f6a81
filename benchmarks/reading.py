"""What loading an epoch costs: from a store, decoded in the loop, from mel files.

All 360 training clips of `mini`, whole, at 12 kHz, ways in turn, the smallest of three
rounds. "Decoded in the loop" is what Weber did, a file of mel bands per clip what Wells
did first. Files are in the system's cache; the last column is what the bytes alone
would take from the disk of this machine, if they were not. Then how long three
trainings wait for data, and what worker processes or a thread give.
"""

import tempfile
from pathlib import Path

import machine
import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset

from tagkit import models
from tagkit.data import audio, batches, corpus, feed, store
from tagkit.models import mel
from tagkit.training import train

RATE, N_SAMPLES = 12_000, 349_488


def mel_files(examples, folder):
    """A file of 96 x 1366 mel bands in float32 for each clip, and their paths."""
    layer = mel.LogMel(RATE, 512, 256, 96, log="db")
    paths = []
    for clip_id in examples.labels.index:
        bands = layer(torch.from_numpy(examples.store.read(clip_id))[None])[0]
        paths.append(folder / f"{clip_id}.npy")
        np.save(paths[-1], bands.numpy())
    return paths


def loading(music, examples, folder):
    """Print the milliseconds a clip of each way."""
    order = np.random.default_rng(0).permutation(len(examples))
    sounds = [music.path(i) for i in examples.labels.index[order]]
    bands = np.array(mel_files(examples, folder))[order]
    whole = batches.RandomCrops(examples, N_SAMPLES, RATE, batch_size=16)
    short = batches.RandomCrops(
        examples, 34_950, RATE, batch_size=160, crops_per_clip=10
    )

    def drain(steps):
        for _ in steps:
            pass

    ways = {
        "store, whole clips": (lambda: drain(whole.epoch(1)), 2 * N_SAMPLES),
        "store, ten windows of 2.9 s": (lambda: drain(short.epoch(1)), 20 * 34_950),
        "a file of mel bands a clip": (lambda: drain(map(np.load, bands)), 524_672),
        "decoded in the loop": (
            lambda: drain(audio.load(path, RATE) for path in sounds),
            sum(path.stat().st_size for path in sounds) / len(sounds),
        ),
    }
    times = {name: [] for name in ways}
    for _ in range(3):
        for name, (way, _) in ways.items():
            times[name].append(machine.seconds(way))
    best = {name: min(found) for name, found in times.items()}
    _, disk = machine.disk_rate()
    rows = []
    for name, (_, n_bytes) in ways.items():
        ms = 1000 * best[name] / len(examples)
        times_decoding = best["decoded in the loop"] / best[name]
        rate = n_bytes / ms / 1e6
        floor = 1000 * n_bytes / disk
        rows.append([name, f"{ms:.3f}", f"{times_decoding:.1f}", f"{rate:.2f}"])
        rows[-1].append(f"{floor:.3f}")
    columns = ["way", "ms a clip", "times decoding", "GB/s", "ms a clip, disk alone"]
    print(machine.table(columns, rows))


def waiting(examples):
    """Print how long train.fit waits for its batches."""
    valid = examples.take(8)
    rows = []
    for name, arguments in (
        ("DielemanRaw", {}),
        ("DielemanMel", {}),
        ("K2C2", {"width": 0.24}),
    ):
        torch.manual_seed(0)
        model = models.build(name, n_tags=examples.labels.shape[1], **arguments)
        crops = 10 if model.n_samples < 40_000 else 1
        config = train.Config(epochs=3, crops_per_clip=crops, device="cpu")
        part = examples.take(examples.labels.index[8:])
        history = train.fit(model, part, valid, config, log=None)
        shares = [f"{epoch['waiting']:.1%}" for epoch in history.epochs]
        shares.append(f"{history.epochs[-1]['seconds']:.1f}")
        rows.append([name if not arguments else f"{name} (width 0.24)", *shares])
    columns = ["model", "epoch 1", "2", "3", "s an epoch"]
    print("\nShare of an epoch of `train.fit` in which batches are made:\n")
    print(machine.table(columns, rows))


class Clips(Dataset):
    """A clip at a time, for DataLoader."""

    def __init__(self, examples):
        self.store, self.ids = examples.store, examples.labels.index

    def __len__(self):
        return len(self.ids)

    def __getitem__(self, i):
        return torch.from_numpy(self.store.read(self.ids[i]))


def workers(examples):
    """Print what DataLoader's worker processes give beside threads."""
    crops = batches.RandomCrops(examples, N_SAMPLES, RATE, batch_size=16)
    rows = []
    for n in (0, 1, 2):
        loader = DataLoader(Clips(examples), 16, shuffle=True, num_workers=n)
        best = min(
            machine.seconds(lambda of=loader: [None for _ in of]) for _ in range(3)
        )
        rows.append([f"DataLoader, {n} worker processes", best])
    best = min(
        machine.seconds(lambda: [None for _ in crops.epoch(1)]) for _ in range(3)
    )
    rows.append(["store, in turn", best])
    best = min(
        machine.seconds(lambda: [None for _ in feed.ahead(crops.epoch(1))])
        for _ in range(3)
    )
    rows.append(["store, a thread ahead", best])
    ms = [[name, f"{1000 * value / len(examples):.3f}"] for name, value in rows]
    print("\nWhole clips, batches of 16, nothing but loading:\n")
    print(machine.table(["way", "ms a clip"], ms))


def main():
    music = corpus.open("mini")
    clips = store.prepare(music, sample_rate=RATE)
    examples = batches.examples(music, clips, "train")
    with tempfile.TemporaryDirectory() as folder:
        loading(music, examples, Path(folder))
    waiting(examples)
    workers(examples)


if __name__ == "__main__":
    main()
