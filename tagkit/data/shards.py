"""Shards: a corpus in a few large files, for disks far away and for many machines.

A network or a spinning disk gives large files fast and thousands of small ones slowly.
`pack` writes the clips of a corpus into tar files of 128 clips each, in WebDataset's
form: `<clip_id>.npy`, the samples as int16, and beside it `<clip_id>.json`, the tags.
manifest.json holds a checksum per shard. (FLAC takes fewer bytes, but far more time.)

Notebook: course/07_scaling_up.ipynb
"""

import dataclasses
import hashlib
import http.client
import io
import itertools
import json
import shutil
import tarfile
import time
import urllib.request
import warnings
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from tagkit import files
from tagkit.data import batches, feed
from tagkit.data import store as stores
from tagkit.data.corpus import Corpus
from tagkit.machine import processes

FORM = "tagkit shards 1"
CLIPS = 128  # in a shard: 119 MB at 16 kHz
SHUFFLED = 2**28  # bytes of windows among which a batch is drawn
TRIES, PAUSE = 3, 1.0  # of a download, and seconds between two


def pack(
    corpus: Corpus,
    folder: str | Path,
    tag_list: str | list[str] = "raw50",
    version: str = "full",
    sample_rate: int = 16_000,
    clips_per_shard: int = CLIPS,
) -> dict:
    """Write a corpus into shards, part by part, and give their manifest.

    The clips are decoded as `store.prepare` does; those that it would leave out are
    named in the manifest. Each part is shuffled once, so that a shard holds clips of
    many artists. Can be stopped at any time and called again: a shard is there whole
    or not at all, and one whose clips, tags or files have changed is written anew.

    Args:
        tag_list, version: see `tags.choose` and `Corpus.split`.

    Raises: ValueError if the folder holds other shards; OSError for a full disk.

    >>> import tempfile
    >>> from tagkit.data import corpus
    >>> mini = corpus.open("mini")
    >>> few = dataclasses.replace(mini, clips=mini.clips[:4])
    >>> manifest = pack(few, tempfile.mkdtemp(), ["guitar", "piano"])
    >>> sum(shard["n_clips"] for shard in manifest["shards"])
    4

    Notebook: course/07_scaling_up.ipynb
    """
    folder, labels = Path(folder), corpus.labels(tag_list)
    split = corpus.split(tag_list, version)
    if clips_per_shard < 1:
        raise ValueError(f"clips_per_shard is {clips_per_shard}; needed is 1 or more")
    head = {"form": FORM, "corpus": corpus.name, "version": split.name}
    head |= {"tag_list": tag_list if isinstance(tag_list, str) else "own"}
    head |= {"tags": list(labels.columns), "sample_rate": sample_rate}
    head |= {"clips_per_shard": clips_per_shard}
    plan = {}
    for part in ("train", "valid", "test"):
        ids = np.random.default_rng(0).permutation(split.index[split == part])
        for at in range(0, len(ids), clips_per_shard):
            name = f"{part}-{at // clips_per_shard:06d}.tar"
            plan[name] = part, labels.loc[ids[at : at + clips_per_shard]]
    done = _done(corpus, folder, head, plan)
    for name, (part, some) in plan.items():
        if name not in done:
            done[name] = _write(corpus, folder, name, part, some, head)
            _say(folder / f"{name}.json", head | {"shards": [done[name]]})
    manifest = head | {"shards": [done[name] for name in plan]}
    _say(folder / "manifest.json", manifest)
    for name in plan:
        (folder / f"{name}.json").unlink(missing_ok=True)
    return manifest


def _say(path: Path, what: dict):
    files.write_atomically(path, json.dumps(what).encode())


def _source(corpus: Corpus, labels: pd.DataFrame) -> int:
    """Sum up clips, their tags, and the sizes and times of their files."""
    facts = []
    for clip_id, row in labels.iterrows():
        path = corpus.root / corpus.clips.at[clip_id, "mp3_path"]
        stat = path.stat() if path.exists() else None
        facts += [(clip_id, row.tolist(), stat and (stat.st_size, stat.st_mtime_ns))]
    return zlib.crc32(repr(facts).encode())


def _done(corpus: Corpus, folder: Path, head: dict, plan: dict) -> dict:
    """Say which shards are there as planned, by the manifest or one by one."""
    found = {}
    for path in folder.glob("*.json"):  # manifest.json; <shard>.json of a stopped run
        said = json.loads(path.read_text())
        shards = said.pop("shards", [])
        if said != head:
            raise ValueError(
                f"{folder} holds shards of {said.get('corpus')!r} with other settings; "
                "pack into an empty folder, or delete this one"
            )
        for shard in shards:
            name, at = shard["name"], folder / shard["name"]
            if name in plan and at.exists() and at.stat().st_size == shard["n_bytes"]:
                if shard.get("source") == _source(corpus, plan[name][1]):
                    found[name] = shard
    return found


def _write(corpus, folder: Path, name: str, part: str, labels, head: dict) -> dict:
    """Decode the clips of a shard and write it; say what the manifest is to say."""
    temporary = folder / f"{name}.clips"
    some = dataclasses.replace(corpus, clips=corpus.clips.loc[labels.index])
    try:
        clips = stores.prepare(some, head["sample_rate"], temporary, progress=False)
        good = labels[labels.index.isin(clips.rows.index)]  # positions of its tags
        tagged = {i: np.flatnonzero(row).tolist() for i, row in good.T.items()}
        file = io.BytesIO()
        with tarfile.open(fileobj=file, mode="w") as archive:
            for clip_id, positions in tagged.items():
                samples = io.BytesIO()
                np.save(samples, clips.samples[clips.rows[clip_id]])
                tags = [head["tags"][k] for k in positions]
                about = json.dumps({"clip_id": clip_id, "tags": tags}).encode()
                for suffix, data in (("npy", samples.getvalue()), ("json", about)):
                    member = tarfile.TarInfo(f"{clip_id}.{suffix}")  # of no time, owner
                    member.size = len(data)
                    archive.addfile(member, io.BytesIO(data))
        data = file.getvalue()
        files.write_atomically(folder / name, data)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    said = {"name": name, "part": part, "n_clips": len(tagged), "n_bytes": len(data)}
    said |= {"sha256": hashlib.sha256(data).hexdigest()}
    said |= {"source": _source(corpus, labels)}
    said |= {"n_samples": clips.samples.shape[1], "clips": tagged}
    return said | {"left_out": {int(i): w for i, w in clips.bad["reason"].items()}}


class Stream:
    """A part in shards, local or far away, to train on as on `batches.Examples`.

    Args:
        where: the folder, or its URL, http(s).
        part: "train", "valid" or "test".
        skip_broken: go on without a shard that is missing or damaged, and warn how
            many clips are lost, in place of an error.

    Raises: ValueError if where holds no manifest, or no such part.

    >>> import tempfile
    >>> from tagkit.data import corpus
    >>> mini, folder = corpus.open("mini"), tempfile.mkdtemp()
    >>> _ = pack(dataclasses.replace(mini, clips=mini.clips[:4]), folder, ["piano"])
    >>> stream = Stream(folder)
    >>> samples, labels = next(stream.crops(34_950, 12_000, 3, 1, seed=0).epoch(1))
    >>> samples.shape, labels.shape
    (torch.Size([3, 34950]), torch.Size([3, 1]))

    Notebook: course/07_scaling_up.ipynb
    """

    def __init__(self, where: str | Path, part: str = "train", skip_broken=False):
        self.where, self.skip_broken = str(where).rstrip("/"), skip_broken
        try:
            manifest = json.loads(_read(self.where, "manifest.json"))
            if manifest["form"] != FORM:
                raise ValueError(f"its form is {manifest['form']!r}, not {FORM!r}")
            self.shards = [s for s in manifest["shards"] if s["part"] == part]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ValueError(
                f"{where} holds no whole manifest.json ({error}); make shards, or "
                "complete them, with `tagkit pack CORPUS FOLDER`"
            ) from None
        sets = {int(i): t for shard in self.shards for i, t in shard["clips"].items()}
        if not sets:
            raise ValueError(
                f"{where} holds no clip of part {part!r}; needed is train, valid or "
                "test of a corpus whose split has it"
            )
        index = pd.Index(list(sets), name="clip_id")
        self.labels = pd.DataFrame(0, index, manifest["tags"], dtype=np.uint8)
        for row, tagged in enumerate(sets.values()):
            self.labels.iloc[row, tagged] = 1
        self.sample_rate = manifest["sample_rate"]
        self.n_row = self.shards[0]["n_samples"]
        self.about = {key: manifest[key] for key in ("corpus", "tag_list", "version")}
        self.about |= {"part": part, "n_clips": len(sets)}

    def __len__(self):
        return len(self.labels)

    def read(self, shards: list[dict]) -> Iterator[tuple[dict, list | None]]:
        """Yield each shard and its clips, [(clip_id, samples)], None if it is skipped.

        Raises: OSError, naming a shard that is missing or not what was packed.
        """
        return feed.ahead(((shard, self._clips(shard)) for shard in shards), 1)

    def _clips(self, shard: dict) -> list[tuple[int, np.ndarray]] | None:
        """Read one shard, verify it, and give its clips."""
        try:
            data = _read(self.where, shard["name"])
            if len(data) != shard["n_bytes"]:
                raise OSError(f"it has {len(data)} bytes, not {shard['n_bytes']}")
            if hashlib.sha256(data).hexdigest() != shard["sha256"]:
                raise OSError("its checksum is not that of the manifest")
        except (OSError, http.client.HTTPException) as error:
            name = f"{self.where}/{shard['name']}"
            if self.skip_broken:
                lost = f"{shard['n_clips']} of {len(self)} clips are missing"
                warnings.warn(f"{lost}: shard {name}: {error}", stacklevel=2)
                return None
            raise OSError(
                f"shard {name} cannot be used: {error}; copy or pack it again, or go "
                f"on without its {shard['n_clips']} clips: skip_broken=True"
            ) from None
        with tarfile.open(fileobj=io.BytesIO(data)) as archive:
            names = [name for name in archive.getnames() if name.endswith(".npy")]
            files = [io.BytesIO(archive.extractfile(name).read()) for name in names]
        return [(int(n[:-4]), np.load(f)) for n, f in zip(names, files, strict=True)]

    def crops(self, n_samples, sample_rate, batch_size, crops_per_clip, seed):
        """Give random windows to train on: what `train.fit` asks of a training set."""
        return _Crops(self, n_samples, sample_rate, batch_size, crops_per_clip, seed)

    def keep(self, folder: str | Path) -> batches.Examples:
        """Copy this part into a clip store (MagnaTagATune's valid: 1.7 GB)."""
        folder, clips, sums = Path(folder), [], []
        try:
            kept = stores.ClipStore(folder)
            of = json.loads((folder / "index.json").read_text())["shards"]
            whole = of == [shard["sha256"] for shard in self.shards]
        except (ValueError, KeyError):
            whole = False
        if not whole:
            folder.mkdir(parents=True, exist_ok=True)
            (folder / "index.json").unlink(missing_ok=True)
            with open(folder / "samples.int16", "wb") as file:
                for shard, found in self.read(self.shards):
                    sums += [shard["sha256"]] if found else []
                    for clip_id, samples in found or []:
                        file.write(samples.tobytes())
                        clip = {"clip_id": clip_id, "row": len(clips), "reason": None}
                        clips.append(clip | {"crc32": zlib.crc32(samples)})
            index = {"corpus": self.about["corpus"], "sample_rate": self.sample_rate}
            index |= {"n_samples": self.n_row, "clips": clips, "shards": sums}
            _say(folder / "index.json", index)
            kept = stores.ClipStore(folder)
        labels = self.labels.loc[self.labels.index.isin(kept.rows.index)]
        return batches.Examples(kept, labels, self.about | {"n_clips": len(labels)})


class _Crops(batches.Crops):
    """Random windows of a stream, the same for the same seed, epoch and process.

    The order of the shards is drawn for the epoch; each process takes every n_ranks-th
    of them, so each clip comes once. Windows are drawn from a buffer of SHUFFLED bytes.
    """

    def __init__(self, stream, n_samples, sample_rate, batch_size, n_crops, seed):
        self.stream, self.n_samples, self.sample_rate = stream, n_samples, sample_rate
        self.batch_size, self.n_crops, self.seed = batch_size, n_crops, seed
        self.n_cut = batches.cut_length(n_samples, stream.sample_rate, sample_rate)
        if sample_rate > stream.sample_rate or self.n_cut > stream.n_row:
            raise ValueError(
                f"the shards have clips of {stream.n_row} samples at "
                f"{stream.sample_rate} Hz, the model needs {n_samples} at "
                f"{sample_rate}; pack them at a higher rate or choose a shorter window"
            )

    def cuts(self, k: int) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        """Yield batches of epoch k as stored: cuts int16 (batch, n_cut) and labels."""
        rank, n_ranks = processes.place()
        size = max(1, (self.batch_size + n_ranks - 1 - rank) // n_ranks)
        windows = self._shuffled(k, rank, n_ranks)
        batch = list(itertools.islice(windows, size))
        while batch:
            after = list(itertools.islice(windows, size))
            alone = after if len(after) == 1 < size else []  # no spread for batch norm
            yield self._stack(batch + alone)
            batch = after[len(alone) :]

    def finish(self, cuts: torch.Tensor) -> torch.Tensor:
        """Make samples of cuts, see `batches.finish`."""
        rates = self.stream.sample_rate, self.sample_rate
        return batches.finish(cuts, *rates, self.n_samples)

    def _shuffled(self, k, rank, n_ranks):
        """Yield clip ids and windows, each drawn from a buffer."""
        order = np.random.default_rng([self.seed, k])
        order = order.permutation(len(self.stream.shards))
        random = np.random.default_rng([self.seed, k, rank])
        buffer, n_held = [], max(self.batch_size, SHUFFLED // (2 * self.n_cut))
        mine = [self.stream.shards[i] for i in order[rank::n_ranks]]
        for _, clips in self.stream.read(mine):
            for clip_id, samples in clips or []:
                last = len(samples) - self.n_cut
                for start in random.integers(last + 1, size=self.n_crops):
                    cut = samples[start : start + self.n_cut].copy()  # not the clip
                    buffer.append((clip_id, cut))
                    if len(buffer) > n_held:
                        yield _draw(buffer, random)
        yield from (_draw(buffer, random) for _ in range(len(buffer)))

    def _stack(self, batch):
        """Shape: (batch, n_cut) int16, (batch, n_tags) float32."""
        ids, cuts = zip(*batch, strict=True)
        labels = self.stream.labels.loc[list(ids)].to_numpy(np.float32)
        return torch.from_numpy(np.stack(cuts)), torch.tensor(labels)


def _draw(buffer, random):
    at = random.integers(len(buffer))
    buffer[at], buffer[-1] = buffer[-1], buffer[at]  # the rest is not moved
    return buffer.pop()


def _read(where: str, name: str) -> bytes:
    """Read a file of a folder or below a URL; tries thrice if it breaks."""
    if not where.startswith(("http://", "https://")):
        return (Path(where) / name).read_bytes()
    for attempt in range(TRIES):
        try:
            with urllib.request.urlopen(f"{where}/{name}", timeout=60) as answer:
                return answer.read()
        except (OSError, http.client.HTTPException) as error:
            code = getattr(error, "code", 500)  # such as 404, which does not pass
            if (code < 500 and code != 429) or attempt == TRIES - 1:
                raise
            time.sleep(PAUSE)
