"""The clip store: every clip decoded once, into one memory map of 16-bit samples.

samples.int16   (n_rows, n_samples), a row per clip, written in place; a clip shorter
                than its row is repeated to fill it
journal.json    while it is being made: the clips that are done
index.json      the same, of a complete store: the only sign that it may be opened

A run that is killed leaves no index; the next one goes on from the journal.

Notebook: course/01_dataset_analysis.ipynb
"""

import json
import os
import sys
import warnings
import zlib
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from threading import Lock
from typing import NamedTuple

import numpy as np
import pandas as pd
from tqdm import tqdm

from tagkit import files
from tagkit.data import audio, folders
from tagkit.data import corpus as corpora

FULL_SCALE = 32767  # the int16 value of 1.0
CHUNK = 512  # clips after which the journal is written again
SLACK = 2  # seconds; a file longer by more than that holds more than its segment
N_VERIFIED = 16  # rows whose checksum is looked at when a store is opened
ENTRY = {
    "clip_id",
    "row",
    "n_samples",
    "reason",
    "crc32",
}  # what is known of a clip that is done


class ClipStore:
    """A complete store, opened for reading; `prepare` makes one.

    Attributes:
        folder: where it is.
        samples: memory map (n_rows, n_samples) int16.
        sample_rate: in Hz.
        rows: the row of each good clip, index clip_id.
        lengths: the samples that each good clip has of its own, index clip_id.
        bad: frame with a reason per clip that could not be used, index clip_id.

    Raises: ValueError if the folder holds no complete store, or a damaged one.
    """

    def __init__(self, folder: str | Path):
        self.folder = Path(folder)
        path = self.folder / "samples.int16"
        try:
            index = json.loads((self.folder / "index.json").read_text())
            entries = pd.DataFrame(index["clips"]).set_index("clip_id")
            checksums = entries[["row", "crc32"]]
            lengths = entries["n_samples"]
            is_bad = entries["reason"].notna()
            shape = (len(entries), index["n_samples"])
            self.samples = np.memmap(path, np.int16, "r", shape=shape)
            self.sample_rate = index["sample_rate"]
        except (OSError, ValueError, TypeError, KeyError):
            raise ValueError(
                f"{folder} holds no complete store; make one with store.prepare(...) "
                "or `tagkit prepare`, which also completes an interrupted one"
            ) from None
        self.rows = entries.loc[~is_bad, "row"]
        self.lengths = lengths[~is_bad]
        self.bad = entries.loc[is_bad, ["reason"]]
        step = -(-len(entries) // N_VERIFIED)
        for clip_id, row, crc32 in checksums.iloc[::step].itertuples():
            if zlib.crc32(self.samples[row]) != crc32:
                raise ValueError(
                    f"{path} does not hold what was written for clip {clip_id}; delete "
                    "the folder and prepare it again"
                )

    def __len__(self):
        return len(self.rows)

    def __repr__(self):
        n_short = (self.lengths < self.samples.shape[1]).sum()
        shorter = f"{n_short} of them shorter, " if n_short else ""
        return (
            f"ClipStore({len(self)} clips of {self.samples.shape[1]} samples at "
            f"{self.sample_rate} Hz, {shorter}{len(self.bad)} left out)"
        )

    def read(self, clip_id: int, start: int = 0, n_samples: int | None = None):
        """Read one clip or a part of it, as long as the clip is.

        Shape: (n_samples,) float32 in [-1, 1].
        Raises: ValueError for a clip that is not there, with its reason.
        """
        if clip_id not in self.rows.index:
            why = self.bad["reason"].get(clip_id, "it is not in the corpus")
            raise ValueError(f"clip {clip_id!r} is not in the store: {why}")
        stop = self.lengths[clip_id]
        if n_samples is not None:
            stop = min(stop, start + n_samples)
        return self.samples[self.rows[clip_id], start:stop] / np.float32(FULL_SCALE)


def prepare(
    corpus: corpora.Corpus,
    sample_rate: int = audio.SAMPLE_RATE,
    *,
    folder: str | Path | None = None,
    n_workers: int | None = None,
) -> ClipStore:
    """Decode every clip of a corpus once; later calls only check for changed files.

    A clip that cannot be decoded, or is shorter than its segmentStart and segmentEnd
    say, is left out and named in `ClipStore.bad`. From a file longer than its segment
    the segment is cut; of a longer one without segment, such as a whole song, the
    middle 29.124 s are kept, from a whole second on. A shorter clip keeps its length.
    An interrupted call goes on where it was.

    Args:
        sample_rate: that of the model, model.sample_rate; another one is refused.
        folder: default data/cache/<corpus>-<rate>.
        n_workers: threads; default one per core.

    Shape: (n_clips, 465984) int16 at 16 kHz, 24.1 GB for MagnaTagATune's 25,860 clips.
    Raises: ValueError for an impossible rate; OSError if the disk is too small, or
    cannot be written.
    Warns: of each clip that is left out, with the reason.
    """
    folder = folder or corpora.DATA / "cache" / f"{corpus.key}-{sample_rate}"
    folder = files.expand(folder)
    lowest, highest = audio.RATES
    if not lowest <= sample_rate <= highest:
        raise ValueError(
            f"sample_rate is {sample_rate}; needed are {lowest} to {highest} Hz"
        )
    if not _plan(corpus, sample_rate, folder).is_complete:
        files.make_folder(folder)
        with files.locked(folder / "lock"):
            plan = _plan(corpus, sample_rate, folder)
            if not plan.is_complete:  # else another process has done it meanwhile
                _complete(corpus, folder, plan, n_workers)
    store = ClipStore(folder)
    for clip_id, reason in store.bad["reason"].items():
        text = f"left out: clip {clip_id}: {reason}"
        warnings.warn(text, folders.UnreadWarning, stacklevel=2)
    return store


class _Plan(NamedTuple):
    """What a store is to hold, and how much of it is done."""

    head: dict  # corpus, sample_rate, n_samples
    wanted: dict  # clip_id -> entry: its row, its seconds, its file as it is now
    done: dict  # clip_id -> entry with crc32 and reason, which is None for a good clip
    todo: list  # the entries of wanted that are not in done
    is_complete: bool


def _plan(corpus, sample_rate, folder) -> _Plan:
    n_samples = _row_length(sample_rate)
    head = {"corpus": corpus.name, "sample_rate": sample_rate, "n_samples": n_samples}
    wanted = _sources(corpus)
    known = _known(folder, head)
    done = {
        clip_id: known[clip_id]
        for clip_id, entry in wanted.items()
        if clip_id in known and _still_holds(known[clip_id], entry)
    }
    todo = [entry for clip_id, entry in wanted.items() if clip_id not in done]
    is_complete = (folder / "index.json").exists() and known.keys() == done.keys()
    return _Plan(head, wanted, done, todo, is_complete and not todo)


def _complete(corpus, folder, plan, n_workers):
    """Do what the plan lacks, then turn the journal into the index."""
    path = folder / "samples.int16"
    row_bytes = plan.head["n_samples"] * 2
    n_there = getattr(path.stat(), "st_blocks", 0) * 512 if path.exists() else 0
    n_missing = len(plan.wanted) * row_bytes - n_there
    files.check_room(folder, min(len(plan.todo) * row_bytes, n_missing), "the store")
    _write_journal(folder, plan)
    (folder / "index.json").unlink(missing_ok=True)
    _decode_all(corpus, folder, plan, n_workers)
    os.replace(folder / "journal.json", folder / "index.json")


def _write_journal(folder, plan):
    clips = [plan.done[clip_id] for clip_id in plan.wanted if clip_id in plan.done]
    text = json.dumps(plan.head | {"clips": clips})
    files.write_atomically(folder / "journal.json", text.encode())


def _decode_all(corpus, folder, plan, n_workers):
    """Decode what is to do, and enter it in the journal once it is on the disk."""
    flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0)
    file = os.open(folder / "samples.int16", flags)
    pool = ThreadPoolExecutor(n_workers or os.cpu_count())
    try:
        os.ftruncate(file, len(plan.wanted) * plan.head["n_samples"] * 2)
        decode = partial(_decode_into, file, Lock(), corpus, plan.head)
        with _bar(len(plan.todo), plan.head["sample_rate"]) as bar:
            outcomes = pool.map(decode, plan.todo)
            for start in range(0, len(plan.todo), CHUNK):
                for entry in plan.todo[start : start + CHUNK]:
                    plan.done[entry["clip_id"]] = entry | next(outcomes)
                    bar.update()
                os.fsync(file)  # the samples are there before the journal says so
                _write_journal(folder, plan)
    finally:
        pool.shutdown(cancel_futures=True)
        os.close(file)


def _bar(n_clips, sample_rate) -> tqdm:
    """Show a bar in a terminal, one after five seconds in a notebook, else a line."""
    in_notebook = "ipykernel" in sys.modules
    is_shown = sys.stderr.isatty() or (in_notebook and not os.getenv("TAGKIT_STATIC"))
    if not is_shown and not in_notebook:
        print(f"decoding {n_clips:,} clips at {sample_rate:,} Hz", file=sys.stderr)
    delay = 5 if in_notebook else 0
    return tqdm(total=n_clips, unit="clip", disable=not is_shown, delay=delay)


def n_bytes(corpus: corpora.Corpus, sample_rate: int = audio.SAMPLE_RATE) -> int:
    """Say how many bytes the store of a corpus takes, before it is made."""
    return len(corpus.clips) * _row_length(sample_rate) * 2


def _row_length(sample_rate: int) -> int:
    return round(audio.CLIP_SAMPLES * sample_rate / audio.SAMPLE_RATE)


def _sources(corpus) -> dict:
    """Give for each clip its row, its segment, and its file as it is now."""
    entries = {}
    for row, clip in enumerate(corpus.clips.itertuples()):
        path = corpus.root / clip.mp3_path
        entry = {"clip_id": clip.Index, "row": row, "path": clip.mp3_path}
        entry["segment"] = [int(clip.segmentStart), int(clip.segmentEnd)]
        try:
            stat = path.stat()
            entry |= {"size": stat.st_size, "time": stat.st_mtime_ns}
            # Changes with permissions, too, or when a file takes the place of a link.
            entry["changed"] = path.lstat().st_ctime_ns
        except OSError:  # decoding will say that it is missing
            entry |= {"size": -1, "time": -1, "changed": -1}
        entries[clip.Index] = entry
    return entries


def _known(folder: Path, head: dict) -> dict:
    """Read what an index or a journal with this head says is done: clip_id -> entry."""
    name = "index.json" if (folder / "index.json").exists() else "journal.json"
    try:
        saved = json.loads((folder / name).read_text())
        size = (folder / "samples.int16").stat().st_size
        n_rows = size // (2 * head["n_samples"])
        done = {
            entry["clip_id"]: entry
            for entry in saved.pop("clips")
            if entry["row"] < n_rows and entry.keys() >= ENTRY
        }
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return {}  # damaged, or not there: everything is decoded
    return done if saved == head else {}


def _still_holds(known: dict, wanted: dict) -> bool:
    """Say whether an entry fits its file; a clip left out gets another chance."""
    unchecked = {"changed"} if known["reason"] is None else set()
    return all(known.get(name) == wanted[name] for name in wanted.keys() - unchecked)


def _decode_into(file: int, lock: Lock, corpus, head: dict, entry: dict) -> dict:
    """Decode one clip into its row; give the reason if it is bad, and the checksum."""
    reason = None
    try:
        samples = _decode(corpus, head, entry)
    except audio.AudioError as error:
        samples = np.zeros(0, np.int16)
        reason = str(error).replace(f"{corpus.root}{os.sep}", "")
    n_samples = len(samples)
    if n_samples == 0:
        samples = np.zeros(1, np.int16)
    row = np.resize(samples, head["n_samples"]).tobytes()  # again and again
    start = entry["row"] * len(row)
    with lock:  # one position in the file for all threads
        os.lseek(file, start, os.SEEK_SET)
        # The row of a bad clip is empty; most are already, and stay without blocks.
        if reason is None or os.read(file, len(row)) != row:
            os.lseek(file, start, os.SEEK_SET)
            unwritten = memoryview(row)  # no memory map: there a full disk is a crash
            while unwritten:
                unwritten = unwritten[os.write(file, unwritten) :]
    return {"reason": reason, "n_samples": n_samples, "crc32": zlib.crc32(row)}


def _decode(corpus, head: dict, entry: dict) -> np.ndarray:
    """Decode one clip. Shape: (at most n_samples,) int16."""
    rate, (first, last) = head["sample_rate"], entry["segment"]
    samples = corpus.load(entry["clip_id"], rate)
    seconds = len(samples) / rate
    needed = min(last - first, 29)
    if seconds < needed:
        raise audio.AudioError(
            f"{entry['path']} is cut short: it decodes to {seconds:.1f} s, "
            f"{needed} s were needed; get the file again"
        )
    if (
        last > first and seconds > last - first + SLACK
    ):  # it holds more than the segment
        if first < 0 or seconds < last - 1:
            raise audio.AudioError(
                f"{entry['path']} has {seconds:.1f} s, its segment is {first} to "
                f"{last}; mend segmentStart and segmentEnd"
            )
        samples = samples[first * rate : last * rate]
    # From a whole second on: the same at every rate.
    start = max(0, len(samples) - head["n_samples"]) // (2 * rate) * rate
    return rounded(samples[start : start + head["n_samples"]])


def rounded(samples: np.ndarray) -> np.ndarray:
    """Round samples, float32 in [-1, 1], to the 16 bits that a store keeps.

    Shape: (n_samples,) -> the same, int16.
    """
    scaled = samples * FULL_SCALE
    return np.rint(scaled, out=scaled).astype(np.int16)
