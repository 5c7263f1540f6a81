"""Train every model on mini, three seeds each: python data/record_runs.py

Writes data/results/<name>-<seed>.json, and for the models that later lessons open
data/checkpoints/mini/<name>.safetensors, of seed 0. A run that is recorded is not
repeated; one that was stopped goes on after its last whole epoch. The widths and epochs
are what two cores do in about an hour; each run computes on one core. All networks
start at the prior: the recurrent ones learn nothing otherwise, the others learn sooner.

    python data/record_runs.py --jobs 1      # one at a time; default: one per core
    python data/record_runs.py CRNN K2C2     # only these
"""

import argparse
import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import save

from tagkit.data import corpus, store
from tagkit.evaluation import features
from tagkit.files import write_atomically
from tagkit.training import checkpoints

CRNN = {"channels": [16, 32, 32, 32], "epochs": 16, "batch_size": 8}
CRNN |= {"learning_rate": 0.002}
FEW, MORE = {"epochs": 12, "crops_per_clip": 3}, {"epochs": 12, "crops_per_clip": 10}
# Name of the record, model, settings.
RUNS = {
    "PredictNothing": ("PredictNothing", {}),
    "ConstantPrior": ("ConstantPrior", {}),
    "BoostedTrees": ("BoostedTrees", {}),
    "DielemanRaw": ("DielemanRaw", MORE),
    "DielemanMel": ("DielemanMel", MORE),
    "RoyBase": ("RoyBase", MORE | {"epochs": 20}),
    "RoyImproved": ("RoyImproved", FEW | {"width": 0.5, "epochs": 16}),
    "SampleCNN": ("SampleCNN", FEW | {"width": 0.125, "learning_rate": 0.002}),
    "ReSE2Multi": (
        "ReSE2Multi",
        FEW | {"width": 0.125, "crops_per_clip": 2, "learning_rate": 0.002},
    ),
    "PonsWaveform": ("PonsWaveform", FEW | {"width": 0.25}),
    "PonsSpectrogram": ("PonsSpectrogram", FEW | {"width": 0.25, "epochs": 16}),
    "Musicnn": (
        "Musicnn",
        FEW | {"width": 0.125, "epochs": 16, "learning_rate": 0.002},
    ),
    "K2C1": ("K2C1", {"epochs": 12}),
    "K1C2": (
        "K1C2",
        {"width": 0.34, "epochs": 16, "batch_size": 8, "learning_rate": 0.002},
    ),
    "K2C2": ("K2C2", {"width": 0.24, "epochs": 12, "learning_rate": 0.003}),
    "CRNN": ("CRNN", CRNN),
    "CRNNAttention": ("CRNNAttention", CRNN),
    "CRNNTF": (
        "CRNNTF",
        {"width": 0.25, "epochs": 16, "batch_size": 8, "learning_rate": 0.002},
    ),
    "ShortChunkCNN": ("ShortChunkCNN", FEW | {"width": 0.125}),
    "ShortChunkCNN-residual": (
        "ShortChunkCNN",
        FEW | {"width": 0.125, "residual": True},
    ),
}
CHECKPOINTS = ("DielemanRaw", "DielemanMel", "K2C2", "CRNN", "CRNNAttention", "CRNNTF")
RESULTS, CACHE = corpus.SHIPPED / "results", corpus.DATA / "cache" / "runs"
SHIPPED = corpus.SHIPPED / "checkpoints" / "mini"


def halve(source: str | Path, target: str | Path):
    """Copy a checkpoint with its weights in half precision, for shipping.

    Scores move in the third decimal. What batch norm has counted stays as it is:
    variances can be larger than half precision holds.

    Raises: ValueError as `checkpoints.read_checkpoint`, or if a weight is too large.
    """
    about = json.dumps(checkpoints.read_checkpoint(source))
    with safe_open(source, "pt") as file:
        weights = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    halved = {
        k: v.half() if v.is_floating_point() and "running" not in k else v
        for k, v in weights.items()
    }
    for name, weight in halved.items():
        if not torch.isfinite(weight).all():
            raise ValueError(
                f"{source}: {name} holds numbers above 65,504, which half precision "
                "does not know; ship the checkpoint as it is"
            )
    Path(target).parent.mkdir(parents=True, exist_ok=True)
    write_atomically(Path(target), save(halved, {"tagkit": about}))


def command(name: str, seed: int) -> list[str]:
    """Spell the command that makes one record."""
    model, settings = RUNS[name]
    if model not in features.BASELINES:
        settings = {"start_at_prior": True} | settings
    values = [f"{k}={json.dumps(v)}" for k, v in settings.items()]
    words = [sys.executable, "-m", "tagkit", "train", "mini", model, f"seed={seed}"]
    words += [*values, "--record", str(RESULTS / f"{name}-{seed}.json")]
    run = ["--run", str(CACHE / f"{name}-{seed}")]
    return words if model in features.BASELINES else words + run


def record(name: str, seed: int) -> bool:
    """Make one record, unless it is there, and keep what was printed in the cache."""
    if (RESULTS / f"{name}-{seed}.json").exists():
        return True
    (CACHE / name).parent.mkdir(parents=True, exist_ok=True)
    environment = os.environ | {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    with (CACHE / f"{name}-{seed}.log").open("w") as log:
        done = subprocess.run(
            command(name, seed), stdout=log, stderr=subprocess.STDOUT, env=environment
        )
    last = (CACHE / f"{name}-{seed}.log").read_text().strip().splitlines()[-4:]
    print(f"{name}, seed {seed}: " + " | ".join(line.strip() for line in last))
    return done.returncode == 0


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", choices=[[], *RUNS], metavar="NAME")
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--seeds", type=int, nargs="*", default=(0, 1, 2))
    options = parser.parse_args()
    names = options.names or list(RUNS)
    mini = corpus.open("mini")
    for sample_rate in (12_000, 16_000):
        store.prepare(mini, sample_rate)
    todo = [(name, seed) for seed in options.seeds for name in names]
    with ThreadPoolExecutor(options.jobs) as pool:
        done = list(pool.map(lambda one: record(*one), todo))
    for name in CHECKPOINTS:
        best = CACHE / f"{name}-0" / "best.safetensors"
        if best.exists() and (RESULTS / f"{name}-0.json").exists():
            halve(best, SHIPPED / f"{name}.safetensors")
    return 0 if all(done) else 1


if __name__ == "__main__":
    sys.exit(main())
