"""What each model costs: a training step, tagging, memory, and how near to the limit.

Every model at the paper's size and at the size of its recorded runs, each in a process
of its own, in batches of 8 windows; the fastest of three times counts. "Of the peak" is
the share of a large matrix product's FLOP rate that a step reaches, counted by PyTorch,
which leaves out recurrent layers. "Waiting" is the share of the second epoch of
`train.fit`, on 32 clips of `mini`, that is spent waiting for data. "Memory" is what a
step needs beyond what was held before.
"""

import json
import subprocess
import sys

import machine
import psutil
import torch
from torch.utils.flop_counter import FlopCounterMode

from tagkit import models
from tagkit.data import batches, corpus, store
from tagkit.evaluation import results
from tagkit.machine import devices
from tagkit.training import train

BATCH, SECONDS = 8, 29.124


def measure(name: str, arguments: dict) -> dict:
    """Time steps and forward passes of one model."""
    torch.manual_seed(0)
    devices.keep_freed_memory()  # as tagkit does where it trains
    model = models.build(name, **arguments)
    samples = 0.1 * torch.randn(BATCH, model.n_samples)
    labels = (torch.rand(BATCH, 50) < 0.07).float()
    optimizer = torch.optim.Adam(model.parameters())
    loss_of = torch.nn.BCEWithLogitsLoss()

    def step():
        loss = loss_of(model.train()(samples), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    def tag():
        with torch.inference_mode():
            model.eval()(samples)

    held = psutil.Process().memory_info().rss / 2**20
    seconds = machine.fastest(step, 3)
    memory = machine.peak() - held
    n_windows = -(-SECONDS * model.sample_rate // model.n_samples)
    with FlopCounterMode(display=False) as counter:
        step()
    return {
        "parameters": models.count_parameters(model),
        "window": model.n_samples / model.sample_rate,
        "step": 1000 * seconds / BATCH,
        "share": counter.get_total_flops() / seconds / machine.flop_rate(),
        "waiting": waiting(model, 10 if seconds / BATCH < 0.005 else 1),
        "tag": 1000 * machine.fastest(tag, 3) / BATCH * n_windows,
        "memory": memory,
    }


def waiting(model, crops_per_clip) -> float:
    """The share of the second epoch that train.fit waits for data."""
    music = corpus.open("mini")
    clips = store.prepare(music, sample_rate=model.sample_rate)
    whole = batches.examples(music, clips, "train").take(40)
    part, valid = whole.take(whole.labels.index[8:]), whole.take(8)
    config = train.Config(
        epochs=2, batch_size=BATCH, crops_per_clip=crops_per_clip, device="cpu"
    )
    return train.fit(model, part, valid, config, log=None).epochs[-1]["waiting"]


def cases():
    """Every model in the paper's size, then as recorded, where that differs."""
    for name in models.MODELS:
        yield name, {"n_tags": 50}
    yield "ShortChunkCNN", {"n_tags": 50, "residual": True}
    seen = {}
    for run in results.read_runs():
        if run["model"] in models.MODELS and results.label(run) not in models.MODELS:
            seen[results.label(run)] = run["model"], run["arguments"]
    yield from seen.values()


def main():
    """Measure all, or one model in a process of its own."""
    if len(sys.argv) > 1:
        print(json.dumps(measure(sys.argv[1], json.loads(sys.argv[2]))))
        return
    rows = []
    for name, arguments in cases():
        words = [sys.executable, __file__, name, json.dumps(arguments)]
        done = subprocess.run(words, stdout=subprocess.PIPE, check=True)
        found = json.loads(done.stdout)
        row = [results.label({"model": name, "arguments": arguments})]
        row += [f"{found['parameters']:,}", f"{found['window']:.2f}"]
        row += [f"{found['step']:.3g}", f"{found['share']:.0%}"]
        row += [f"{found['waiting']:.1%}", f"{found['tag']:.3g}"]
        rows.append([*row, f"{1000 / found['tag']:.0f}", f"{found['memory']:.0f}"])
    columns = ["model", "parameters", "window, s", "ms a window, training"]
    columns += ["of the peak", "waiting", "ms a clip, tagging", "clips a second"]
    print(machine.table([*columns, "memory, MiB"], rows))


if __name__ == "__main__":
    main()
