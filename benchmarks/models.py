"""What each model costs, measured: python benchmarks/models.py

For every model, in the paper's size and in that of its recorded runs, in a process of
its own: milliseconds of a training step a window and of tagging a clip of 29 s (as many
windows as cover it), and the most memory that a step of a batch took beyond what the
process held before. Writes benchmarks/models.md. `--threads 1` asks one core.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from pathlib import Path

import psutil
import torch

from tagkit import models, tables

BATCH, SECONDS = 8, 29.124


def measure(name: str, arguments: dict) -> dict:
    """Time steps and forward passes of one model; the smallest of three each."""
    torch.manual_seed(0)
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
    train_seconds = fastest(step)
    memory = peak() - held
    n_windows = -(-SECONDS * model.sample_rate // model.n_samples)
    return {
        "parameters": models.count_parameters(model),
        "window": f"{model.n_samples / model.sample_rate:.2f} s",
        "step": 1000 * train_seconds / BATCH,
        "tag": fastest(tag) / BATCH * n_windows,
        "memory": memory,
    }


def fastest(work, n=3):
    """Seconds: one try to warm up, then the smallest of n."""
    times = []
    for _ in range(n + 1):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return min(times[1:])


def peak():
    """The most memory that this process has held, in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def cases():
    """Every model in the paper's size, then as recorded, where that differs."""
    for name in models.MODELS:
        yield name, {"n_tags": 50}
    yield "ShortChunkCNN", {"n_tags": 50, "residual": True}
    seen = {}
    for run in tables.read_runs():
        if run["model"] in models.MODELS and tables.label(run) not in models.MODELS:
            seen[tables.label(run)] = run["model"], run["arguments"]
    yield from seen.values()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--one", nargs=2, metavar=("MODEL", "ARGUMENTS"))
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    if options.one:
        print(json.dumps(measure(options.one[0], json.loads(options.one[1]))))
        return
    lines = [
        f"Written by `python benchmarks/models.py --threads {options.threads}` on a "
        f"machine with {os.cpu_count()} cores, torch {torch.__version__}; batches of "
        f"{BATCH} windows.",
        "",
        "| model | parameters | window | ms a window, training step | ms a clip, "
        f"tagging | MiB more for a step of {BATCH} |",
        "|---|---|---|---|---|---|",
    ]
    for name, arguments in cases():
        words = [sys.executable, __file__, "--threads", str(options.threads)]
        words += ["--one", name, json.dumps(arguments)]
        done = subprocess.run(words, stdout=subprocess.PIPE, check=True)
        found = json.loads(done.stdout)
        label = tables.label({"model": name, "arguments": arguments})
        lines.append(
            f"| {label} | {found['parameters']:,} | {found['window']} | "
            f"{found['step']:.3g} | {1000 * found['tag']:.3g} | {found['memory']:.0f} |"
        )
        print(lines[-1], flush=True)
    Path(__file__).with_suffix(".md").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
