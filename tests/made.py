"""Stores and examples made from arrays, for tests that need no audio file."""

import json
import zlib

import numpy as np
import pandas as pd

from tagkit.data import batches, store


def made_store(folder, samples, sample_rate=12_000, bad=()):
    """Write a complete store whose row i is samples[i], clip ids 100, 101, ..."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = np.asarray(samples)
    if rows.dtype != np.int16:
        rows = np.round(rows * store.FULL_SCALE).astype(np.int16)
    rows.tofile(folder / "samples.int16")
    clips = [
        {"clip_id": 100 + i, "row": i, "reason": None, "crc32": zlib.crc32(row)}
        | {"n_samples": len(row)}
        for i, row in enumerate(rows)
    ]
    for i in bad:
        clips[i]["reason"] = "it is broken"
    head = {"corpus": "made", "sample_rate": sample_rate, "n_samples": rows.shape[1]}
    (folder / "index.json").write_text(json.dumps(head | {"clips": clips}))
    return store.ClipStore(folder)


def made_examples(folder, samples, labels, sample_rate=12_000, tags=None):
    """Pair samples (n_clips, n_samples) with labels (n_clips, n_tags)."""
    labels = np.asarray(labels, dtype=np.uint8)
    clips = made_store(folder, samples, sample_rate)
    tags = tags or [f"tag {i}" for i in range(labels.shape[1])]
    index = pd.Index(100 + np.arange(len(labels)), name="clip_id")
    about = {"corpus": "made", "tag_list": "own", "version": "full", "part": "made"}
    about["n_clips"] = len(labels)
    frame = pd.DataFrame(labels, index=index, columns=tags)
    return batches.Examples(clips, frame, about)


def noise(n_clips, n_samples, seed=0):
    """White noise at a tenth of full scale. Shape: (n_clips, n_samples)."""
    random = np.random.default_rng(seed)
    return (0.1 * random.standard_normal((n_clips, n_samples))).clip(-1, 1)
