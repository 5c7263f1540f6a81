"""The clip store: every clip decoded once, into one memory map of 16-bit samples.

Decoding an mp3 costs some milliseconds, reading it from the map less than one
(benchmarks/steps.py, decode.py). A store is one folder:

samples.int16   (n_rows, n_samples), a row per clip, written in place
journal.jsonl   while it is being made: a line per finished clip
index.json      once it is complete: the only sign that it may be opened

A run that is killed leaves no index; the next one goes on from the journal.

Notebook: course/01_dataset_analysis.ipynb
"""

import json
import os
import sys
import zlib
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from threading import Lock
from typing import NamedTuple

import numpy as np
import pandas as pd
from filelock import FileLock
from tqdm import tqdm

from tagkit import files
from tagkit.data import audio
from tagkit.data import corpus as corpora

FULL_SCALE = 32767  # the int16 value of 1.0
CHUNK = 32  # clips between two entries in the journal
N_VERIFIED = 16  # rows whose checksum is looked at when a store is opened
ENTRY = {"clip_id", "row", "reason", "crc32"}  # what a line of the journal must have


class ClipStore:
    """A complete store, opened for reading; `prepare` makes one.

    Attributes:
        folder: where it is.
        samples: memory map (n_rows, n_samples) int16.
        sample_rate: in Hz.
        rows: the row of each good clip, index clip_id.
        bad: frame with a reason per clip that could not be used, index clip_id.

    Raises: ValueError if the folder holds no complete store, or if one of 16 rows,
    evenly spaced, is not what was written.

    >>> from tagkit.data import corpus
    >>> clips = prepare(corpus.open("mini"))
    >>> clips.samples.shape, clips.sample_rate
    ((480, 465984), 16000)
    """

    def __init__(self, folder: str | Path):
        self.folder = folder = Path(folder)
        path = folder / "samples.int16"
        try:
            index = json.loads((folder / "index.json").read_text())
            entries = pd.DataFrame(index["clips"]).set_index("clip_id")
            checksums = entries[["row", "crc32"]]
            shape = (len(entries), index["n_samples"])
            is_bad = entries["reason"].notna()
            self.sample_rate = index["sample_rate"]
            n_bytes = path.stat().st_size
        except (OSError, ValueError, TypeError, KeyError):
            raise ValueError(
                f"{folder} holds no complete store; make one with store.prepare(...) "
                "or `tagkit prepare`, which also completes an interrupted one"
            ) from None
        n_needed = shape[0] * shape[1] * 2
        if n_bytes != n_needed:
            raise ValueError(
                f"{path} has {n_bytes} bytes, {n_needed} were needed; delete the "
                "folder and prepare it again"
            )
        self.samples = np.memmap(path, np.int16, "r", shape=shape)
        self.rows = entries.loc[~is_bad, "row"]
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
        return (
            f"ClipStore({len(self)} clips of {self.samples.shape[1]} samples at "
            f"{self.sample_rate} Hz, {len(self.bad)} left out)"
        )

    def read(self, clip_id: int, start: int = 0, n_samples: int | None = None):
        """Read one clip or a part of it.

        Shape: (n_samples,) float32 in [-1, 1].
        Raises: ValueError for a clip that is not there, with its reason.
        """
        if clip_id not in self.rows.index:
            why = self.bad["reason"].get(clip_id, "it is not in the corpus")
            raise ValueError(f"clip {clip_id!r} is not in the store: {why}")
        stop = None if n_samples is None else start + n_samples
        return self.samples[self.rows[clip_id], start:stop] / np.float32(FULL_SCALE)


def prepare(
    corpus: corpora.Corpus,
    sample_rate: int = audio.SAMPLE_RATE,
    *,
    folder: str | Path | None = None,
    n_workers: int | None = None,
    progress: bool | None = None,
) -> ClipStore:
    """Decode every clip of a corpus once; later calls only check for changed files.

    A clip that cannot be decoded, or is shorter than its segmentStart and segmentEnd
    say, is left out and named in `ClipStore.bad`. Of a longer one, such as a whole
    song, the middle 29.124 s are kept. An interrupted call goes on where it was.

    Args:
        sample_rate: 16,000 Hz serves every model, since batches resample; 12,000
            saves that work for models of 12 kHz.
        folder: where to put it; default data/cache/<corpus>-<rate>.
        n_workers: threads; default one per core.
        progress: show a bar; by default a terminal shows one, a notebook shows one
            after five seconds, and anything else prints a line.

    Shape: (n_clips, 465984) int16 at 16 kHz, 24.1 GB for MagnaTagATune's 25,860 clips.
    Raises: ValueError for an impossible rate or number of threads; OSError if the disk
    is too small.

    >>> from tagkit.data import corpus
    >>> len(prepare(corpus.open("mini")).bad)
    0

    Notebook: course/01_dataset_analysis.ipynb
    """
    folder = Path(folder or corpora.DATA / "cache" / f"{corpus.key}-{sample_rate}")
    if not audio.RATES[0] <= sample_rate <= audio.RATES[1] or (n_workers or 1) < 1:
        raise ValueError(
            f"sample_rate {sample_rate} and n_workers {n_workers}; needed are "
            f"{audio.RATES[0]} to {audio.RATES[1]} Hz and at least one thread"
        )
    if not _plan(corpus, sample_rate, folder).is_complete:
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / "lock"):
            plan = _plan(corpus, sample_rate, folder)
            if not plan.is_complete:  # else another process has done it meanwhile
                _check_room(folder, plan)
                _open_journal(folder, plan)
                _decode_all(corpus, folder, plan, n_workers, progress)
                _close_journal(folder, plan)
    return ClipStore(folder)


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
    done = {i: known[i] for i in wanted if _still_holds(known.get(i), wanted[i])}
    todo = [wanted[i] for i in wanted if i not in done]
    is_complete = (folder / "index.json").exists() and known.keys() == done.keys()
    return _Plan(head, wanted, done, todo, is_complete and not todo)


def _open_journal(folder, plan):
    """From here on the store is open work: first the journal, then no index."""
    lines = [json.dumps(entry) + "\n" for entry in [plan.head, *plan.done.values()]]
    files.write_atomically(folder / "journal.jsonl", "".join(lines).encode())
    (folder / "index.json").unlink(missing_ok=True)


def _close_journal(folder, plan):
    index = plan.head | {"clips": [plan.done[i] for i in plan.wanted]}
    files.write_atomically(folder / "index.json", json.dumps(index).encode())
    (folder / "journal.jsonl").unlink(missing_ok=True)


def _decode_all(corpus, folder, plan, n_workers, progress):
    """Decode what is to do, and enter it in the journal once it is on the disk."""
    lock = Lock()

    def decode(entry):
        return _decode_into(file, lock, corpus, plan, entry)

    flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0)
    file = os.open(folder / "samples.int16", flags)
    pool = ThreadPoolExecutor(n_workers or os.cpu_count())
    try:
        os.ftruncate(file, len(plan.wanted) * plan.head["n_samples"] * 2)
        with (
            (folder / "journal.jsonl").open("a") as journal,
            _bar(len(plan.todo), plan.head["sample_rate"], progress) as bar,
        ):
            outcomes = pool.map(decode, plan.todo)
            for start in range(0, len(plan.todo), CHUNK):
                chunk = plan.todo[start : start + CHUNK]
                for entry in chunk:
                    plan.done[entry["clip_id"]] = entry | next(outcomes)
                    bar.update()
                os.fsync(file)  # the samples are there before the journal says so
                for entry in chunk:
                    journal.write(json.dumps(plan.done[entry["clip_id"]]) + "\n")
                journal.flush()
                os.fsync(journal.fileno())
    finally:
        pool.shutdown(cancel_futures=True)
        os.close(file)


def _bar(n_clips, sample_rate, progress) -> tqdm:
    in_notebook = "ipykernel" in sys.modules
    delay = 5 if in_notebook else 0
    if progress is None:
        shown_there = in_notebook and not os.getenv("TAGKIT_STATIC")
        progress = sys.stderr.isatty() or shown_there
        if not progress and not in_notebook:
            what = f"decoding {n_clips:,} clips at {sample_rate:,} Hz"
            print(what, file=sys.stderr)
    return tqdm(total=n_clips, unit="clip", disable=not progress, delay=delay)


def n_bytes(corpus: corpora.Corpus, sample_rate: int = audio.SAMPLE_RATE) -> int:
    """Say how many bytes the store of a corpus takes, before it is made.

    >>> from tagkit.data import corpus
    >>> f"{n_bytes(corpus.open('mini')) / 1e9:.2f} GB"
    '0.45 GB'

    Notebook: course/07_scaling_up.ipynb
    """
    return len(corpus.clips) * _row_length(sample_rate) * 2


def _row_length(sample_rate: int) -> int:
    return round(audio.CLIP_SAMPLES * sample_rate / audio.SAMPLE_RATE)


def _sources(corpus) -> dict:
    """Give for each clip its row, its seconds, and its file as it is now."""
    entries, clips = {}, corpus.clips
    seconds = (clips["segmentEnd"] - clips["segmentStart"]).tolist()
    for row, (clip_id, path) in enumerate(clips["mp3_path"].items()):
        entry = {"clip_id": clip_id, "row": row, "path": path, "seconds": seconds[row]}
        try:
            stat = os.stat(corpus.root / path)
            entry |= {"size": stat.st_size, "time": stat.st_mtime_ns}
            # Changes with permissions, too, or when a file takes the place of a link.
            entry["changed"] = os.lstat(corpus.root / path).st_ctime_ns
        except OSError:  # decoding will say that it is missing
            entry |= {"size": -1, "time": -1, "changed": -1}
        entries[clip_id] = entry
    return entries


def _known(folder: Path, head: dict) -> dict:
    """Read what an index or a journal with this head says is done."""
    lines = _lines(folder, head)
    path = folder / "samples.int16"
    if not lines or lines[0] != head or not path.exists():
        return {}
    n_rows = path.stat().st_size // (2 * head["n_samples"])
    return {
        entry["clip_id"]: entry
        for entry in lines[1:]
        if isinstance(entry, dict) and ENTRY <= entry.keys()
        if isinstance(entry["row"], int) and entry["row"] < n_rows
    }


def _lines(folder, head) -> list:
    """Read an index, or else a journal up to the line at which its run was killed."""
    try:
        index = json.loads((folder / "index.json").read_text(errors="replace"))
        return [{name: index[name] for name in head}, *index["clips"]]
    except (OSError, ValueError, TypeError, KeyError):
        pass
    lines = []
    with suppress(OSError, ValueError):
        for line in (folder / "journal.jsonl").read_text(errors="replace").splitlines():
            lines.append(json.loads(line))
    return lines


def _still_holds(known, wanted) -> bool:
    """Say whether an entry fits its file; a clip left out gets another chance."""
    if known is None:
        return False
    unchecked = {"changed"} if known["reason"] is None else set()
    return all(known.get(name) == wanted[name] for name in wanted.keys() - unchecked)


def _decode_into(file: int, lock: Lock, corpus, plan, entry) -> dict:
    """Decode one clip into its row; give the reason if it is bad, and the checksum."""
    reason = None
    try:
        samples = _decode(corpus, entry["clip_id"], plan.head)
    except ValueError as error:  # AudioError, or a link out of the folder
        samples = np.zeros(0, np.int16)
        reason = str(error).replace(f"{corpus.root}{os.sep}", "")
    row = audio.fit_length(samples, plan.head["n_samples"]).tobytes()
    start = entry["row"] * len(row)
    with lock:  # one position in the file for all threads
        os.lseek(file, start, os.SEEK_SET)
        # The row of a bad clip is empty; most are already, and stay without blocks.
        if reason is None or os.read(file, len(row)) != row:
            os.lseek(file, start, os.SEEK_SET)
            unwritten = memoryview(row)  # no memory map: there a full disk is a crash
            while unwritten:
                unwritten = unwritten[os.write(file, unwritten) :]
    return {"reason": reason, "crc32": zlib.crc32(row)}


def _decode(corpus, clip_id, head) -> np.ndarray:
    """Decode one clip. Shape: (at most n_samples,) int16."""
    samples = corpus.load(clip_id, head["sample_rate"])
    clip = corpus.clips.loc[clip_id]
    seconds = len(samples) / head["sample_rate"]
    needed = min(clip["segmentEnd"] - clip["segmentStart"], 29)
    if seconds < needed:
        raise audio.AudioError(
            f"{clip['mp3_path']} is cut short: it decodes to {seconds:.1f} s, "
            f"{needed} s were needed; get the file again"
        )
    n_spare = max(0, len(samples) - head["n_samples"])  # the middle is taken
    samples = samples[n_spare // 2 : len(samples) - (n_spare - n_spare // 2)]
    samples *= FULL_SCALE  # in place: fresh memory costs more than the sums
    return np.rint(samples, out=samples).astype(np.int16)


def _check_room(folder: Path, plan):
    """Check that the new rows fit, those that the file has no blocks for yet."""
    path = folder / "samples.int16"
    n_there = getattr(path.stat(), "st_blocks", 0) * 512 if path.exists() else 0
    row_bytes = plan.head["n_samples"] * 2
    n_missing = len(plan.wanted) * row_bytes - n_there
    files.check_room(folder, min(len(plan.todo) * row_bytes, n_missing), "the store")
