"""Embeddings of files, each computed once and kept in data/cache, for any process.

What is kept is read without PyTorch.
"""

import functools
import hashlib
import os
from collections.abc import Callable
from pathlib import Path

import joblib
import numpy as np

from tagkit.data import audio, corpus
from tagkit.files import make_folder

REVISION = 2  # raise it when the same file and weights come to give other vectors


def embedder(
    network: Path, load: Callable, *, overlap: float = 0.0
) -> Callable[[str | Path], np.ndarray]:
    """Make a function that embeds a file, and remembers what it gave for it.

    A file is known by its real path, size and time of modification. The embeddings lie
    in cache/embeddings of the folder that TAGKIT_DATA names; delete it at any time. A
    process may be killed, and several may share the folder. What a decoder warns of is
    said only when a file is new.

    Args:
        network: its file of weights, such as checkpoints.find("magnatagatune") gives;
            known by what is in it.
        load: gives its model; called once, and only if some file is new.
        overlap: as in `predict.embeddings`.

    Shape: the function takes the path of a file and gives (n_dims,) float32, the mean
    over the file's windows.
    Raises: OSError if nothing can be written to that folder; the function,
    audio.AudioError for a file that cannot be decoded.
    """
    folder = corpus.DATA / "cache" / "embeddings"
    make_folder(folder)
    memory = joblib.Memory(folder, verbose=0)
    embed = memory.cache(_embed, ignore=["path", "load"])
    with network.open("rb") as file:
        weights = hashlib.file_digest(file, "sha256").hexdigest()
    load = functools.cache(load)

    def embed_file(path: str | Path) -> np.ndarray:
        try:
            found = os.stat(path)
        except OSError as error:
            raise audio.AudioError(
                f"{path} cannot be read ({error.strerror})"
            ) from None
        file = os.path.realpath(path), found.st_size, found.st_mtime_ns
        return embed((*file, weights, overlap, REVISION), path, load)

    return embed_file


def _embed(key, path, load) -> np.ndarray:
    from tagkit.evaluation import predict  # and with it PyTorch

    *_, overlap, _ = key
    return predict.embeddings(load(), [path], overlap=overlap)[0]
