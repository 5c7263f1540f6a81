"""Convert the networks of the package musicnn to checkpoints of tagkit.

    python data/convert_musicnn.py [musicnn-0.1.0-py3-none-any.whl]

Without a wheel, pip downloads it. Its TensorFlow checkpoints are read without
TensorFlow. Written are, below data/,

    checkpoints/magnatagatune/Musicnn.safetensors   trained on MagnaTagATune
    checkpoints/lastfm50/Musicnn.safetensors        trained on the Million Song Dataset
    checkpoints/LICENSE-musicnn                     the authors' notice, for both
    checkpoints/SHA256SUMS                          digests of these three
    results/logs/musicnn-*.csv                      the authors' logs of both runs

Every run writes the same bytes.

Source: Pons & Serra, 2019, https://github.com/jordipons/musicnn.
"""

import argparse
import ast
import hashlib
import io
import json
import re
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from safetensors.torch import save

from tagkit.files import write_atomically

DATA = Path(__file__).parent
PACKAGE = "musicnn==0.1.0"
WHEEL_SHA256 = "f38a4890c648c1ddbb141c5d96d2b0a8cfcd36746002d896989f7b88beb65cfa"
NETWORKS = {  # a folder of data/checkpoints, and what is in the package
    "magnatagatune": ("MTT_musicnn", "MTT_LABELS"),
    "lastfm50": ("MSD_musicnn", "MSD_LABELS"),
}
ABOUT = {
    "magnatagatune": {
        "corpus": "magnatagatune",
        "tag_list": "raw50",
        "version": "full",
        "part": "train",
        "sound": "MagnaTagATune, CC BY-NC-SA",
    },
    "lastfm50": {
        "corpus": "msd",
        "tag_list": "lastfm50",
        "part": "train",
        "sound": "Million Song Dataset",
    },
}
LOGS = {"Epoch": "epoch", "train_cost": "loss", "val_cost": "valid_loss"}
LOGS |= {"epoch_time": "seconds", "learing_rate": "learning_rate"}  # their spelling

# Our layers and theirs. Their filters of 38 bands come before those of 67.
WEIGHTED = {
    "frontend.0.conv": "conv2d_1",
    "frontend.1.conv": "conv2d",
    "frontend.2.conv": "conv2d_2",
    "frontend.3.conv": "conv2d_3",
    "frontend.4.conv": "conv2d_4",
    "middle.0.0": "conv2d_5",
    "middle.1.0": "conv2d_6",
    "middle.2.0": "conv2d_7",
    "dense.2": "dense",
    "output": "dense_1",
}
NORMS = {
    "scale": "batch_normalization",
    "frontend.0.norm": "batch_normalization_2",
    "frontend.1.norm": "batch_normalization_1",
    "frontend.2.norm": "batch_normalization_3",
    "frontend.3.norm": "batch_normalization_4",
    "frontend.4.norm": "batch_normalization_5",
    "middle.0.2": "batch_normalization_6",
    "middle.1.2": "batch_normalization_7",
    "middle.2.2": "batch_normalization_8",
    "dense.0": "batch_normalization_9",
    "dense.4": "batch_normalization_10",
}
STATISTICS = {"weight": "gamma", "bias": "beta"}
STATISTICS |= {"running_mean": "moving_mean", "running_var": "moving_variance"}
# Their channels in our order, and what is pooled of them: theirs is the maximum and
# the mean of channel 0, then of channel 1 ...; ours all maxima, then all means.
CHANNELS = np.r_[204:408, 0:204, 408:753]
POOLED = np.r_[2 * CHANNELS, 2 * CHANNELS + 1]


# -- the format of TensorFlow's checkpoints -------------------------------------------


def read_arrays(index: bytes, data: bytes) -> dict[str, np.ndarray]:
    """Read the float32 arrays of a TensorFlow checkpoint, by name.

    Args:
        index: the file .index, an uncompressed LevelDB table. Its last 48 bytes say
            where a block is that says where the other blocks are. Their values say
            where an array begins in `data`, the file .data-00000-of-00001.
    """
    arrays = {}
    _, _, *handle = varints(index[-48:], 4)
    for _, value in entries(index, *handle):
        for name, entry in entries(index, *varints(value, 2)):
            entry = fields(entry)  # 1 dtype, 2 shape, 4 offset, 5 size
            if name and entry[1] == 1:  # float32; the first, without a name, is a head
                shape = [fields(dim).get(1, 0) for dim in parts(entry.get(2, b""))]
                start = entry.get(4, 0)
                array = np.frombuffer(data[start : start + entry[5]], "<f4")
                arrays[name.decode()] = array.reshape(shape)
    return arrays


def entries(table: bytes, start: int, length: int):
    """Yield the keys and values of a block, each key after what it shares."""
    block = table[start : start + length]
    n_restarts = int.from_bytes(block[-4:], "little")
    at, key = 0, b""
    while at < len(block) - 4 - 4 * n_restarts:
        shared, at = varint(block, at)
        n_key, at = varint(block, at)
        n_value, at = varint(block, at)
        key = key[:shared] + block[at : at + n_key]
        at += n_key + n_value
        yield key, block[at - n_value : at]


def numbered(message: bytes):
    """Yield number and value of each field of a protocol buffer."""
    at = 0
    while at < len(message):
        tag, at = varint(message, at)
        number, kind = tag >> 3, tag & 7
        if kind == 0:
            value, at = varint(message, at)
        else:  # bytes with their length before them, or four bytes
            length, at = varint(message, at) if kind == 2 else (4, at)
            value, at = message[at : at + length], at + length
        yield number, value


def fields(message: bytes) -> dict:
    """Give the fields of a protocol buffer by their numbers."""
    return dict(numbered(message))


def parts(message: bytes) -> list[bytes]:
    """Give every field 2 of a protocol buffer: the dimensions of a shape."""
    return [value for number, value in numbered(message) if number == 2]


def varint(data: bytes, at: int) -> tuple[int, int]:
    """Read a number, seven bits a byte, and where the next thing begins."""
    value = shift = 0
    while True:
        value |= (data[at] & 127) << shift
        shift, at = shift + 7, at + 1
        if data[at - 1] < 128:
            return value, at


def varints(data: bytes, n: int) -> list[int]:
    """Read n numbers."""
    values, at = [], 0
    for _ in range(n):
        value, at = varint(data, at)
        values.append(value)
    return values


# -- the networks ---------------------------------------------------------------------


def convert(arrays: dict[str, np.ndarray]) -> dict[str, torch.Tensor]:
    """Name, turn and order the arrays of a network as `models.Musicnn` has them.

    Shape: kernels (time, frequency, in, out) -> (out, in, frequency, time).
    """
    weights = {}
    for ours, theirs in WEIGHTED.items():
        kernel = arrays[f"{theirs}/kernel"]
        if ours.startswith("middle"):  # here frequency is what holds the channels
            kernel = kernel[:, :, 0]
        weights[f"{ours}.weight"] = kernel.T
        weights[f"{ours}.bias"] = arrays[f"{theirs}/bias"]
    for ours, theirs in NORMS.items():
        for name, statistic in STATISTICS.items():
            weights[f"{ours}.{name}"] = arrays[f"{theirs}/{statistic}"]
        weights[f"{ours}.num_batches_tracked"] = np.array(0)
    weights["gain"] = weights.pop("scale.weight")
    weights["shift"] = weights.pop("scale.bias")
    for name in ("middle.0.0.weight", "dense.2.weight"):
        order = CHANNELS[:561] if "middle" in name else POOLED
        weights[name] = weights[name][:, order]
    for name in STATISTICS:
        weights[f"dense.0.{name}"] = weights[f"dense.0.{name}"][POOLED]
    return {name: torch.from_numpy(w.copy()) for name, w in weights.items()}


def checkpoint(wheel: zipfile.ZipFile, name: str) -> bytes:
    """Make the checkpoint of a network of NETWORKS."""
    original, labels = NETWORKS[name]
    folder = f"musicnn/{original}"
    index = wheel.read(f"{folder}/.index")
    data = wheel.read(f"{folder}/.data-00000-of-00001")
    settings = wheel.read("musicnn/configuration.py").decode()
    (tags,) = re.findall(rf"^{labels} = (.*)$", settings, re.M)
    config = json.loads(wheel.read(f"{folder}/config.json"))
    kept = ("epochs", "batch_size", "optimizer", "learning_rate", "weight_decay")
    stated = re.findall(
        r"AUC: ([\d.]+)", wheel.read(f"{folder}/experiment.result").decode()
    )
    roc_auc, ap = (round(float(number), 5) for number in stated)
    source = f"{original} of musicnn 0.1.0 (Pons & Serra 2019)"
    about = {
        "model": "Musicnn",
        "arguments": {"n_tags": 50, "width": 1.0, "bands": "slaney"},
        "tags": ast.literal_eval(tags),
        "about": ABOUT[name]
        | {"source": source, "licence": "ISC, see LICENSE-musicnn"}
        | {"stated": {"part": "test", "roc_auc": roc_auc, "ap": ap}},
        "config": {key: config[key] for key in (*kept, "patience")},
        "epoch": {},
    }
    weights = convert(read_arrays(index, data))
    return save(weights, {"tagkit": json.dumps(about)})


def log(wheel: zipfile.ZipFile, name: str) -> bytes:
    """Make a table of a training log: a row per epoch, seconds, no unit."""
    text = wheel.read(f"musicnn/{NETWORKS[name][0]}/train_log.tsv").decode()
    table = pd.read_csv(io.StringIO(text), sep="\t").rename(columns=LOGS)
    table["seconds"] = table["seconds"].str.removesuffix("s").astype(float)
    return table.to_csv(index=False).encode()


def files(wheel: Path) -> dict[str, bytes]:
    """Make all files from a wheel, by their paths below data/.

    Raises: ValueError for another wheel.
    """
    content = wheel.read_bytes()
    digest = hashlib.sha256(content).hexdigest()
    if digest != WHEEL_SHA256:
        raise ValueError(f"{wheel} has SHA-256 {digest}; needed is {WHEEL_SHA256}")
    made = {}
    with zipfile.ZipFile(io.BytesIO(content)) as package:
        notice = package.read("musicnn-0.1.0.dist-info/LICENSE.md")
        made["checkpoints/LICENSE-musicnn"] = notice
        for name in NETWORKS:
            made[f"checkpoints/{name}/Musicnn.safetensors"] = checkpoint(package, name)
            made[f"results/logs/musicnn-{name}.csv"] = log(package, name)
    digests = {
        path.removeprefix("checkpoints/"): hashlib.sha256(data).hexdigest()
        for path, data in made.items()
        if path.startswith("checkpoints/")
    }
    lines = [f"{digest}  {path}\n" for path, digest in sorted(digests.items())]
    made["checkpoints/SHA256SUMS"] = "".join(lines).encode()
    return made


def main():
    """Write all files."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("wheel", nargs="?", type=Path, help=f"of {PACKAGE}")
    wheel = parser.parse_args().wheel
    with tempfile.TemporaryDirectory() as folder:
        if wheel is None:
            pip = [sys.executable, "-m", "pip", "download", "--no-deps", PACKAGE]
            subprocess.run([*pip, "--dest", folder], check=True)
            (wheel,) = Path(folder).glob("*.whl")
        for path, data in files(wheel).items():
            (DATA / path).parent.mkdir(parents=True, exist_ok=True)
            write_atomically(DATA / path, data)
            print(f"data/{path}: {len(data):,} bytes")


if __name__ == "__main__":
    main()
