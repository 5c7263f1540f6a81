"""What loading an epoch costs: from a store, decoded in the loop, from mel files.

All 360 training clips of `mini`, whole, at 12 kHz. The ways take turns; the fastest of
five rounds counts. Weber decoded in the loop; Wells first kept a file of mel bands per
clip. All files are in the system's cache; the last column is the time that this
machine's disk would need if they were not. Then: how long three networks wait for data
in training. Last, other ways to read the same clips: webdataset and litdata, with int16
samples, and soundfile, which reads whole mp3 files at 16 kHz, because it cannot
resample. Worker processes are already running.
"""

import os
import sys
import tempfile
from collections import deque
from functools import partial
from pathlib import Path

import machine
import numpy as np
import soundfile
import torch
from torch.utils.data import DataLoader, Dataset

from tagkit import models
from tagkit.data import audio, batches, corpus, feed, store
from tagkit.models import mel
from tagkit.training import train

PEERS = Path(__file__).parents[1] / "build/peers"  # made by make bench
RATE, N_SAMPLES, ROUNDS = 12_000, 349_488, 5


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
    os.sync()  # or what was just written is on its way to the disk meanwhile
    times = {name: [] for name in ways}
    for _ in range(ROUNDS):
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


class Sounds(Dataset):
    """A file at a time, decoded where it is asked for, as a first DataLoader does."""

    def __init__(self, paths):
        self.paths = paths

    def __len__(self):
        return len(self.paths)

    def __getitem__(self, i):
        return soundfile.read(self.paths[i], audio.CLIP_SAMPLES, dtype="float32")[0]


class Clips(Sounds):
    """A clip of our store at a time."""

    def __init__(self, examples):
        self.store, self.paths = examples.store, examples.labels.index

    def __getitem__(self, i):
        return torch.from_numpy(self.store.read(self.paths[i]))


class Epoch:
    """An epoch of ours, as often as it is asked for."""

    def __init__(self, steps, through=iter):
        self.steps, self.through = steps, through

    def __iter__(self):
        return iter(self.through(self.steps.epoch(1)))


def as_float(samples):
    """Scale int16 as the store does; at the top, so that workers find it."""
    return batches.finish(torch.as_tensor(samples))


def from_chunks(item):
    return as_float(item["samples"]), item["labels"]


def peers(music, examples, folder):
    """Print what batches of 16 whole clips cost from the store and from elsewhere."""
    sys.path.append(str(PEERS))
    import litdata
    import webdataset

    labels = torch.from_numpy(examples.labels.to_numpy(np.float32))
    items = [
        {"samples": torch.from_numpy(store.rounded(examples.store.read(i)))}
        for i in examples.labels.index
    ]
    for item, row in zip(items, labels, strict=True):
        item["labels"] = row
    litdata.optimize(
        fn=items.__getitem__,
        inputs=list(range(len(items))),
        output_dir=str(folder / "litdata"),
        chunk_bytes="64MB",
        num_workers=1,
        start_method="fork",  # or it has all workers of this process start anew
        verbose=False,
    )
    n_shards = 4  # as many for each of two workers
    size = -(-len(items) // n_shards)
    with webdataset.ShardWriter(
        str(folder / "%06d.tar"), maxcount=size, verbose=0
    ) as out:
        for key, item in enumerate(items):
            arrays = {f"{name}.npy": tensor.numpy() for name, tensor in item.items()}
            out.write({"__key__": str(key), **arrays})
    shards = sorted(map(str, folder.glob("*.tar")))
    steps = batches.RandomCrops(examples, N_SAMPLES, RATE, batch_size=16)

    def tars(n):
        parts = webdataset.WebDataset(shards, shardshuffle=n_shards).shuffle(256)
        parts = parts.decode().to_tuple("samples.npy", "labels.npy")
        parts = parts.map_tuple(as_float)
        how = {"num_workers": n, "persistent_workers": n > 0}
        return webdataset.WebLoader(parts, batch_size=16, **how)

    def chunks(n):
        found = litdata.StreamingDataset(
            str(folder / "litdata"), shuffle=True, transform=from_chunks
        )
        how = {"num_workers": n, "persistent_workers": n > 0}
        return litdata.StreamingDataLoader(found, batch_size=16, **how)

    def load(dataset, n):
        how = {"num_workers": n, "persistent_workers": n > 0}
        return DataLoader(dataset, 16, shuffle=True, **how)

    sounds = Sounds([music.path(i) for i in examples.labels.index])
    ways = {
        "`RandomCrops` on the store": Epoch(steps),
        "the same, a thread ahead": Epoch(steps, feed.ahead),
    }
    for n in (0, 2):
        workers = f"{n} worker processes"
        ways |= {
            f"DataLoader on the store, {workers}": load(Clips(examples), n),
            f"webdataset, {workers}": tars(n),
            f"litdata, {workers}": chunks(n),
            f"DataLoader on soundfile, {workers}": load(sounds, n),
        }
    for way in ways.values():  # workers start, files come into the cache
        found = [batch if torch.is_tensor(batch) else batch[0] for batch in way]
        assert sum(map(len, found)) == len(examples)
    os.sync()
    times = {name: [] for name in ways}
    for _ in range(ROUNDS):
        for name, way in ways.items():
            times[name].append(machine.seconds(partial(deque, way, maxlen=0)))
    ms = {name: 1000 * np.array(found) / len(items) for name, found in times.items()}
    ours = ms["`RandomCrops` on the store"].min()
    rows = [
        [
            name,
            f"{x.min():.3f}",
            f"{x.min() / ours:.1f}",
            f"{x.min():.2f} to {x.max():.2f}",
        ]
        for name, x in ms.items()
    ]
    # int16 in, float out
    floor = 1000 * 6 * N_SAMPLES / machine.memory_rate()
    rows.append(["limit, memory", f"{floor:.3f}", f"{floor / ours:.1f}", ""])
    print("\nWhole clips in batches of 16, nothing but loading:\n")
    print(machine.table(["way", "ms a clip", "times ours", "five rounds"], rows))


def main():
    music = corpus.open("mini")
    clips = store.prepare(music, sample_rate=RATE)
    examples = batches.examples(music, clips, "train")
    with tempfile.TemporaryDirectory() as folder:
        loading(music, examples, Path(folder))
    waiting(examples)
    if not PEERS.exists():
        print("\nPeers are not measured here: `make bench` installs litdata.")
        return
    with tempfile.TemporaryDirectory() as folder:
        peers(music, examples, Path(folder))


if __name__ == "__main__":
    main()
