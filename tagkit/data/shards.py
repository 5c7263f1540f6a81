"""Shards: a corpus in a few large files, for disks far away and for many machines.

A network or a spinning disk gives large files fast and thousands of small ones slowly.
`pack` writes the clips of a corpus into tar files of 128 clips each, with webdataset:
`<clip_id>.npy`, the samples as int16, and beside it `<clip_id>.json`, the tags.
index.json lists the shards with their clips and checksums; it is written last.

Notebook: course/appendix_clusters.ipynb
"""

import hashlib
import io
import itertools
import json
import random
import shutil
import time
import warnings
import zlib
from collections.abc import Iterator
from dataclasses import KW_ONLY, dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import requests
import torch
from sklearn.preprocessing import MultiLabelBinarizer
from torch.utils.data import default_collate

from tagkit import files
from tagkit.data import batches, feed
from tagkit.data import store as stores
from tagkit.data.corpus import Corpus
from tagkit.machine import processes

try:
    import webdataset as wds
except ImportError:
    raise ImportError(
        "shards need webdataset: run pip install -e '.[shards]' in the folder of the "
        "clone"
    ) from None

BUFFER = 2**28  # bytes of windows among which a batch is drawn
TRIES = 4  # of a download
PAUSE = 1.0  # seconds between two tries


def pack(
    corpus: Corpus,
    folder: str | Path,
    *,
    tag_list: str | list[str] = "raw50",
    version: str = "full",
    sample_rate: int = 16_000,
    clips_per_shard: int = 128,
) -> dict:
    """Write a corpus into shards, part by part, and return their index.

    The clips are first decoded into a clip store in the folder, as large as all shards
    together, which is deleted at the end; an interrupted `pack`, called again, goes on
    with it. Shards that are in the folder are replaced. Each part is shuffled, so that
    a shard has clips of many artists.

    Args:
        tag_list, version: see `tags.choose` and `Corpus.split`.
        sample_rate: that of the model to train; another one is refused.
        clips_per_shard: 128 clips take 119 MB at 16 kHz.

    Raises: ValueError for fewer than one clip a shard; OSError for a full disk.
    """
    folder = Path(folder)
    if clips_per_shard < 1:
        raise ValueError(f"clips_per_shard is {clips_per_shard}; needed is 1 or more")
    labels = corpus.labels(tag_list)
    split = corpus.split(tag_list, version)
    store = stores.prepare(corpus, sample_rate, folder=folder / "store")
    (folder / "index.json").unlink(missing_ok=True)
    shards = []
    for part in ("train", "valid", "test"):
        for old in folder.glob(f"{part}-??????.tar"):
            old.unlink()
        clip_ids = store.rows.index.intersection(split.index[split == part])
        clip_ids = np.random.default_rng(0).permutation(clip_ids)
        for start in range(0, len(clip_ids), clips_per_shard):
            name = f"{part}-{start // clips_per_shard:06d}.tar"
            some = labels.loc[clip_ids[start : start + clips_per_shard]]
            facts = _write_shard(folder / name, store, some)
            shards.append({"name": name, "part": part} | facts)
    index = {
        "corpus": corpus.name,
        "tag_list": tag_list if isinstance(tag_list, str) else "own",
        "version": split.name,
        "tags": list(labels.columns),
        "sample_rate": sample_rate,
        "n_samples": store.samples.shape[1],
        "left_out": store.bad["reason"].to_dict(),
        "shards": shards,
    }
    files.write_atomically(folder / "index.json", json.dumps(index).encode())
    shutil.rmtree(folder / "store", ignore_errors=True)
    return index


def _write_shard(path: Path, store: stores.ClipStore, labels: pd.DataFrame) -> dict:
    """Write clips with their tags into a tar file; return what the index says of it."""
    file = io.BytesIO()
    tags = {clip_id: list(row.index[row == 1]) for clip_id, row in labels.iterrows()}
    with wds.TarWriter(file, mtime=0) as archive:
        for clip_id in tags:
            samples = store.samples[store.rows[clip_id], : store.lengths[clip_id]]
            samples = np.array(samples)
            about = {"clip_id": clip_id, "tags": tags[clip_id]}
            archive.write({"__key__": str(clip_id), "npy": samples, "json": about})
    data = file.getvalue()
    files.write_atomically(path, data)
    return {
        "n_clips": len(tags),
        "n_bytes": len(data),
        "sha256": hashlib.sha256(data).hexdigest(),
        "tags": tags,
    }


class Stream:
    """A part in shards, local or far away, to train on as on `batches.Examples`.

    Args:
        source: the folder, or its URL, http(s).
        part: "train", "valid" or "test".
        skip_broken: go on without a shard that is missing or damaged, and warn how
            many clips are lost, in place of an error.

    Raises: ValueError if the source has no index.json, or no clip of the part.
    """

    def __init__(
        self, source: str | Path, part: str = "train", *, skip_broken: bool = False
    ):
        self.source = str(source).rstrip("/")
        self.skip_broken = skip_broken
        try:
            index = json.loads(_fetch(f"{self.source}/index.json"))
        except (OSError, ValueError) as error:
            raise ValueError(
                f"{source} has no whole index.json ({error}); make it: `tagkit pack`"
            ) from None
        self.shards = [shard for shard in index["shards"] if shard["part"] == part]
        tags = {int(i): t for shard in self.shards for i, t in shard["tags"].items()}
        if not tags:
            raise ValueError(f"{source} has no clip of part {part!r}")
        labels = MultiLabelBinarizer(classes=index["tags"]).fit_transform(tags.values())
        clip_ids = pd.Index(tags, name="clip_id")
        self.labels = pd.DataFrame(labels, clip_ids, index["tags"], np.uint8)
        self.sample_rate = index["sample_rate"]
        self.n_samples = index["n_samples"]
        self.about = {key: index[key] for key in ("corpus", "tag_list", "version")}
        self.about |= {"part": part, "n_clips": len(self)}

    def __len__(self):
        return len(self.labels)

    def crops(self, n_samples: int, sample_rate: int, **options) -> "_Crops":
        """Give random windows to train on, as `batches.Examples.crops` does."""
        return _Crops(self, n_samples, sample_rate, **options)

    def read(self, shards: list[dict]) -> Iterator[tuple[int, np.ndarray]]:
        """Yield clip id and samples of every clip, while the next shard is fetched.

        Shape: samples (n_samples,) int16, as long as the clip is.
        Raises: OSError, naming a shard that is missing or not what was packed.
        """
        clips = wds.DataPipeline(
            lambda: feed.ahead(self._open(shards), 1),
            wds.tariterators.tar_file_expander,
            wds.tariterators.group_by_keys,
            wds.decode(),
        )
        return ((int(clip["__key__"]), clip["npy"]) for clip in clips)

    def _open(self, shards):
        """Yield whole shards, verified, as webdataset takes them."""
        for shard in shards:
            url = f"{self.source}/{shard['name']}"
            try:
                data = _fetch(url)
                if hashlib.sha256(data).hexdigest() != shard["sha256"]:
                    raise OSError(f"its {len(data)} bytes are not those packed")
            except OSError as error:
                n_lost = f"{shard['n_clips']} of {len(self)} clips"
                problem = f"shard {url} with {n_lost} cannot be used: {error}"
                if not self.skip_broken:
                    remedy = "pack or copy it again, or pass skip_broken=True"
                    raise OSError(f"{problem}; {remedy}") from None
                warnings.warn(problem, stacklevel=2)
            else:
                yield {"url": url, "stream": io.BytesIO(data)}

    def keep(self, folder: str | Path) -> batches.Examples:
        """Copy this part into a clip store, to validate on, unless it is there.

        The valid part of MagnaTagATune takes 1.7 GB.
        """
        folder = Path(folder)
        path = folder / "index.json"
        sums = [shard["sha256"] for shard in self.shards]
        if not path.exists() or json.loads(path.read_text()).get("sha256") != sums:
            folder.mkdir(parents=True, exist_ok=True)
            path.unlink(missing_ok=True)
            clips = []
            with open(folder / "samples.int16", "wb") as file:
                for row, (clip_id, samples) in enumerate(self.read(self.shards)):
                    clip = {"clip_id": clip_id, "row": row, "reason": None}
                    whole_row = np.resize(samples, self.n_samples).tobytes()
                    file.write(whole_row)
                    clip |= {"n_samples": len(samples), "crc32": zlib.crc32(whole_row)}
                    clips.append(clip)
            index = {
                "corpus": self.about["corpus"],
                "sample_rate": self.sample_rate,
                "n_samples": self.n_samples,
                "clips": clips,
                "sha256": sums if len(clips) == len(self) else [],
            }
            files.write_atomically(path, json.dumps(index).encode())
        store = stores.ClipStore(folder)
        labels = self.labels.loc[store.rows.index]
        return batches.Examples(store, labels, self.about | {"n_clips": len(labels)})


@dataclass
class _Crops:
    """Random windows of a stream, the same for the same seed, epoch and process.

    The order of the shards is drawn for the epoch; each process takes every n_ranks-th
    of them, so each clip comes once. Windows are drawn from a buffer.
    """

    reads_ahead = True  # a shard takes time to come
    finish = staticmethod(batches.finish)

    stream: Stream
    n_samples: int
    sample_rate: int
    _: KW_ONLY
    batch_size: int = 16
    crops_per_clip: int = 1
    seed: int = 0

    def __post_init__(self):
        rate = self.stream.sample_rate
        if self.sample_rate != rate or self.n_samples > self.stream.n_samples:
            raise ValueError(
                f"the clips have {self.stream.n_samples} samples at {rate} Hz, the "
                f"model needs {self.n_samples} at {self.sample_rate}; pack them at its "
                f"rate: `tagkit pack ... --sample-rate {self.sample_rate}`"
            )

    def cuts(self, k: int) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        """Yield batches of epoch k as stored: (batch, n_samples) int16, and labels."""
        rank, n_ranks = processes.place()
        shards = list(self.stream.shards)
        random.Random(f"{self.seed} {k}").shuffle(shards)
        rng = random.Random(f"{self.seed} {k} {rank}")
        n_held = max(self.batch_size, BUFFER // (2 * self.n_samples))
        shuffled = wds.shuffle(n_held, initial=n_held, rng=rng)
        windows = iter(shuffled(self._windows(shards[rank::n_ranks], rng)))
        size = max(1, (self.batch_size + n_ranks - 1 - rank) // n_ranks)
        batch = list(itertools.islice(windows, size))
        while batch:
            after = list(itertools.islice(windows, size))
            if len(after) == 1 < size:  # batch norm needs two
                batch += after
                after = []
            yield tuple(default_collate(batch))
            batch = after

    def epoch(self, k: int) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        """Yield the batches of epoch k: samples and labels."""
        return ((self.finish(cuts), labels) for cuts, labels in self.cuts(k))

    def _windows(self, shards, rng):
        """Yield windows and the labels of their clips, clip after clip."""
        for clip_id, samples in self.stream.read(shards):
            labels = self.stream.labels.loc[clip_id].to_numpy(np.float32)
            samples = np.resize(samples, max(len(samples), self.n_samples))
            for _ in range(self.crops_per_clip):
                start = rng.randint(0, len(samples) - self.n_samples)
                yield samples[start : start + self.n_samples].copy(), labels


def _fetch(url: str) -> bytes:
    """Read a file or a URL; try again where the connection breaks."""
    if not url.startswith(("http://", "https://")):
        return Path(url).read_bytes()
    for n_left in reversed(range(TRIES)):
        try:
            answer = requests.get(url, timeout=60)
            answer.raise_for_status()
            return answer.content
        except requests.RequestException:  # an OSError
            if n_left == 0:
                raise
            time.sleep(PAUSE)
