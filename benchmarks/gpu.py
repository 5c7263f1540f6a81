"""Training on a GPU at MagnaTagATune's size: python benchmarks/gpu.py

A synthetic store has as many clips as MagnaTagATune trains on, 18,706 of 29.124 s, of
noise, at 16 kHz, and another one at 12 kHz for the models that hear that rate. Each
model is trained with `train.fit`, in batches of 16 windows, a window a clip, and in the
plain way: float32 as PyTorch is when it starts, a DataLoader with eight worker
processes, nothing else. `fit` makes two epochs of 4,096 clips, compiled K2C2 of all,
and the second one counts; the plain way runs for four seconds. The seconds of an epoch
are those of 18,706 clips at the same milliseconds. Writes benchmarks/gpu.md.

The stores take 17.4 and 13.1 GB; `--folder` says where, `--clips 4096` makes them
smaller.
"""

import argparse
import json
import shutil
import sys
import tempfile
import time
import zlib
from pathlib import Path

import machine
import numpy as np
import pandas as pd
import torch
from torch.utils.data import DataLoader, Dataset
from torch.utils.flop_counter import FlopCounterMode

from tagkit import models
from tagkit.data import batches, store
from tagkit.machine import devices
from tagkit.training import train

TRAINED = 18_706  # clips that MagnaTagATune trains on
N_TAGS, BATCH, SECONDS = 50, 16, 4
NAMES = ("K2C2", "DielemanRaw", "SampleCNN", "CRNN", "ShortChunkCNN", "Musicnn")
COLUMNS = ["model", "how", "ms a clip", "s an epoch", "waiting", "of the peak", "times"]
GPU = torch.device("cuda", 0)


def make_store(folder: Path, n_clips: int, sample_rate: int) -> batches.Examples:
    """A store of noise, and random labels."""
    n = round(465_984 * sample_rate / 16_000)
    random = np.random.default_rng(0)
    noise = 3000 * random.standard_normal(40 * n, dtype=np.float32)
    noise = memoryview(noise.astype(np.int16).tobytes())
    folder.mkdir(parents=True)
    clips, checked = [], range(0, n_clips, -(-n_clips // store.N_VERIFIED))
    with open(folder / "samples.int16", "wb") as file:
        for i in range(n_clips):
            start = 2 * (i * 104_729 % (39 * n))
            row = noise[start : start + 2 * n]
            file.write(row)
            crc32 = zlib.crc32(row) if i in checked else 0
            clip = {"clip_id": i, "row": i, "reason": None, "crc32": crc32}
            clips.append(clip | {"n_samples": n})
    head = {"corpus": "synthetic", "sample_rate": sample_rate, "n_samples": n}
    (folder / "index.json").write_text(json.dumps(head | {"clips": clips}))
    labels = (random.random((n_clips, N_TAGS)) < 0.07).astype("uint8")
    labels[0], labels[1] = 0, 1  # each tag has both
    frame = pd.DataFrame(labels, columns=[f"tag {i}" for i in range(N_TAGS)])
    frame.index.name = "clip_id"
    about = {"corpus": "synthetic", "tag_list": "own", "version": "full"}
    about |= {"part": "train", "n_clips": n_clips}
    return batches.Examples(store.ClipStore(folder), frame, about)


class Windows(Dataset):
    """The plain way to data: a window at a time, from the same store."""

    def __init__(self, examples, model):
        self.samples = np.asarray(examples.store.samples)
        self.labels = examples.labels.to_numpy(np.float32)
        self.n = model.n_samples

    def __len__(self):
        return len(self.labels)

    def __getitem__(self, i):
        start = torch.randint(self.samples.shape[1] - self.n + 1, ()).item()
        cut = self.samples[i, start : start + self.n]
        return torch.from_numpy(cut / np.float32(32_767)), torch.tensor(self.labels[i])


def plainly(name: str, examples) -> float:
    """Seconds a clip of the plain way, over SECONDS of training."""
    torch.set_float32_matmul_precision("highest")
    torch.backends.cudnn.allow_tf32 = True  # as PyTorch is when it starts
    model = models.build(name, n_tags=N_TAGS).to(GPU)
    optimizer = torch.optim.Adam(model.parameters())
    loss_of = torch.nn.BCEWithLogitsLoss()
    loader = DataLoader(Windows(examples, model), BATCH, shuffle=True, num_workers=8)
    seen, start = 0, None
    for number, (samples, labels) in enumerate(loader):
        logits = model(samples.to(GPU))
        loss = loss_of(logits, labels.to(GPU))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        loss.item()
        if number == 20:  # workers have started, kernels are chosen
            start = time.perf_counter()
        elif start is not None:
            seen += len(samples)
            if time.perf_counter() - start > SECONDS:
                break
    return (time.perf_counter() - start) / seen


def well(name: str, examples, **settings) -> dict:
    """The second epoch of train.fit: seconds a clip, share of waiting."""
    torch.manual_seed(0)
    model = models.build(name, n_tags=N_TAGS)
    config = train.Config(epochs=2, batch_size=BATCH, **settings)
    part = examples.take(range(BATCH, len(examples)))
    history = train.fit(model, part, examples.take(BATCH), config, log=None)
    first, last = history.epochs
    found = {"seconds": last["seconds"] / len(part), "waiting": last["waiting"]}
    return found | {"first": first["seconds"] - last["seconds"]}


def flop_of(name: str) -> int:
    """FLOP of a training step a window, as PyTorch counts them (recurrence not)."""
    model = models.build(name, n_tags=N_TAGS)
    with FlopCounterMode(display=False) as counter:
        model(torch.zeros(2, model.n_samples)).sum().backward()
    return counter.get_total_flops() // 2


def measure(whole: dict, n_clips: int, peak: float):
    """Yield the rows of the table."""
    for name in NAMES:
        model = models.build(name)
        examples = whole[model.sample_rate]
        some = examples.take(min(n_clips, 4096))
        flop = flop_of(name)
        plain = plainly(name, examples)
        yield [name, "plain", *_figures(plain, None, flop / peak, 1)]
        ways = {"fit": {}} | (
            {"fit, compiled": {"compile": True}} if name == "K2C2" else {}
        )
        for how, settings in ways.items():
            found = well(name, examples if settings else some, **settings)
            seconds = found["seconds"]
            if settings:
                how += f" ({found['first']:.0f} s more, once)"
            share = flop / peak
            yield [
                name,
                how,
                *_figures(seconds, found["waiting"], share, plain / seconds),
            ]
        if name == "K2C2":  # as if the GPU were too small for the clips
            room, devices.RESIDENT = devices.RESIDENT, 0
            found = well(name, some)
            devices.RESIDENT, seconds = room, found["seconds"]
            figures = _figures(seconds, found["waiting"], share, plain / seconds)
            yield [name, "fit, clips copied", *figures]


def _figures(seconds, waiting, floor, times):
    waiting = "" if waiting is None else f"{waiting:.1%}"
    epoch = f"{seconds * TRAINED:.1f}"
    return [
        f"{1000 * seconds:.3f}",
        epoch,
        waiting,
        f"{floor / seconds:.1%}",
        f"{times:.1f}",
    ]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folder", type=Path, help="for the stores, 31 GB")
    parser.add_argument("--clips", type=int, default=TRAINED)
    options = parser.parse_args()
    if not torch.cuda.is_available():
        sys.exit("no GPU here that PyTorch can use: nothing to measure")
    folder = Path(tempfile.mkdtemp(prefix="synthetic", dir=options.folder))
    words = [f"`python {' '.join(['benchmarks/gpu.py', *sys.argv[1:]])}`"]
    words += [machine.describe(GPU)]
    peak = machine.flop_rate(GPU, torch.bfloat16)
    rows = []
    try:
        whole = {
            rate: make_store(folder / str(rate), options.clips, rate)
            for rate in (12_000, 16_000)
        }
        for row in measure(whole, options.clips, peak):
            print(*row, sep=" | ", flush=True)
            rows.append(row)
            machine.write(__file__, "\n\n".join([*words, machine.table(COLUMNS, rows)]))
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
