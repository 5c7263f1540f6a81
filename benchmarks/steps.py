"""What the course says of steps: widths, layouts, memory that is kept.

Milliseconds a clip, the fastest of five tries; for Musicnn a clip is one window. Clips
are those of `mini`, decoded at their own 16 kHz and read at 12 kHz, one after another;
Musicnn and the steps of sixteen clips take noise. The limit of a step is its FLOP at
the rate of a large matrix product, that of reading the bytes at the rate of a large
copy.
"""

import os
import subprocess
import sys

import machine
import torch
from torch.utils.flop_counter import FlopCounterMode

from tagkit import models
from tagkit.data import batches, corpus, store

# glibc keeps freed memory instead of giving it back and asking for it again.
KEEP = {"MALLOC_MMAP_THRESHOLD_": "4294967296", "MALLOC_TRIM_THRESHOLD_": "8589934592"}


def fastest(work, n_clips):
    """Milliseconds a clip: one try to warm up, then the smallest of five."""
    return 1000 * machine.fastest(work) / n_clips


def limit(work, n_clips):
    """Milliseconds a clip that the multiplications and additions of work take."""
    with FlopCounterMode(display=False) as counter:
        work()
    return 1000 * counter.get_total_flops() / machine.flop_rate() / n_clips


def step(model, samples, labels):
    """One training step, as a function without arguments."""
    optimizer = torch.optim.Adam(model.parameters())
    loss_of = torch.nn.BCEWithLogitsLoss()

    def work():
        loss = loss_of(model(samples), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    return work


def step_of_sixteen():
    """A step of K2C2 with sixteen clips, for a process with other memory settings."""
    samples = 0.1 * torch.randn(16, 349_488)
    labels = (torch.rand(16, 50) < 0.07).float()
    return fastest(step(models.K2C2(width=0.24), samples, labels), 16)


def main():
    if sys.argv[1:] == ["sixteen"]:
        print(step_of_sixteen())
        return
    mini = corpus.open("mini")
    clips = store.prepare(mini, sample_rate=12_000)
    train = batches.examples(mini, clips, "train")
    whole, labels = next(
        batches.RandomCrops(train, 349_488, 12_000, batch_size=8).epoch(0)
    )
    some = train.labels.index[:20]
    found = {
        "decode an mp3": fastest(lambda: [mini.load(i) for i in some], 20),
        "read a whole clip from the store": fastest(
            lambda: [clips.read(i) for i in some], 20
        ),
    }
    moved = 349_488 * 6  # bytes: int16 read, float32 written
    limits = {"read a whole clip from the store": 1000 * moved / machine.memory_rate()}
    base = models.DielemanRaw()
    windows = whole.unfold(1, base.n_samples, base.n_samples - 2).flatten(0, 1)
    ten = labels.repeat_interleave(len(windows) // 8, 0)
    steps = {"DielemanRaw, its ten windows": step(base, windows, ten)}
    for width in (0.24, 0.25):
        model = models.K2C2(width=width)
        steps[f"K2C2, width {width}"] = step(model, whole, labels)
    model = models.K2C2(width=0.24).to(memory_format=torch.contiguous_format)
    steps["K2C2, width 0.24, channels first"] = step(model, whole, labels)
    samples = 0.1 * torch.randn(8, 47_616)
    for name in ("Musicnn, width 0.125", "the same, a gradient back to its image"):
        model = models.Musicnn(width=0.125)
        if "back" in name:
            model.scale.register_forward_hook(lambda *of: of[-1].requires_grad_())
        steps[name] = step(model, samples, labels)
    for name, work in steps.items():
        found[f"step of {name}"] = fastest(work, 8)
        limits[f"step of {name}"] = limit(work, 8)
    bare = {key: value for key, value in os.environ.items() if key not in KEEP}
    for name, more in (("", {}), (", freed memory kept", KEEP)):
        words = [sys.executable, __file__, "sixteen"]
        done = subprocess.run(words, env=bare | more, stdout=subprocess.PIPE)
        found[f"step of K2C2, width 0.24, sixteen clips{name}"] = float(done.stdout)
        limits[f"step of K2C2, width 0.24, sixteen clips{name}"] = limits[
            "step of K2C2, width 0.24"
        ]
    rows = [
        [name, f"{value:.2f}", f"{limits[name]:.2f}" if name in limits else ""]
        for name, value in found.items()
    ]
    print(machine.table(["work", "ms a clip", "limit"], rows))


if __name__ == "__main__":
    main()
