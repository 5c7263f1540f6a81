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
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from threading import Lock

import numpy as np
import pandas as pd
from tqdm import tqdm

from tagkit import files
from tagkit.data import audio
from tagkit.data import corpus as corpora

FULL_SCALE = 32767  # the int16 value of 1.0
CHUNK = 32  # clips between two entries in the journal
N_VERIFIED = 16  # rows whose checksum is looked at when a store is opened


class ClipStore:
    """A complete store, opened for reading; made by `prepare`.

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

    Notebook: course/01_dataset_analysis.ipynb
    """

    def __init__(self, folder: str | Path):
        self.folder = folder = Path(folder)
        try:
            index = json.loads((folder / "index.json").read_text())
            n_rows, n_samples = len(index["clips"]), index["n_samples"]
            sums = [(e["clip_id"], e["row"], e["crc32"]) for e in index["clips"]]
            found = (folder / "samples.int16").stat().st_size
        except (OSError, ValueError, TypeError, KeyError):
            raise ValueError(
                f"{folder} holds no complete store; make one with store.prepare(...) "
                "or `tagkit prepare`, which also completes an interrupted one"
            ) from None
        if found != n_rows * n_samples * 2:
            raise ValueError(
                f"{folder}/samples.int16 has {found} bytes, {n_rows * n_samples * 2} "
                "were needed; delete the folder and prepare it again"
            )
        path, shape = folder / "samples.int16", (n_rows, n_samples)
        self.samples = np.memmap(path, np.int16, "r", shape=shape)
        for clip_id, row, crc32 in sums[:: -(-n_rows // N_VERIFIED) or 1]:
            if zlib.crc32(self.samples[row]) != crc32:
                raise ValueError(
                    f"{folder}/samples.int16 does not hold what was written for clip "
                    f"{clip_id}; delete the folder and prepare it again"
                )
        entries = pd.DataFrame(index["clips"]).set_index("clip_id")
        good = entries["reason"].isna()
        self.sample_rate = index["sample_rate"]
        self.rows = entries.loc[good, "row"]
        self.bad = entries.loc[~good, ["reason"]]

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
    folder: str | Path | None = None,
    n_workers: int | None = None,
    progress: bool | None = None,
) -> ClipStore:
    """Decode every clip of a corpus once; later calls only look whether files changed.

    A clip that cannot be decoded, or is shorter than its segmentStart and segmentEnd
    say, is left out and named in `ClipStore.bad`; the others go on. Of a longer one,
    such as a whole song, the middle 29.124 s count. Can be stopped and called again.

    Args:
        sample_rate: 16,000 Hz serves every model, since batches resample; 12,000
            saves that work for models of 12 kHz.
        folder: where to put it; default data/cache/<corpus>-<rate>.
        n_workers: threads; default one per core.
        progress: show a bar; default in a terminal, in a notebook if it takes more
            than five seconds, and else a line.

    Shape: (n_clips, 465984) int16 at 16 kHz, 24.1 GB for MagnaTagATune's 25,860 clips.
    Raises: OSError if the disk is too small.

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
    if not _todo(corpus, sample_rate, folder)[-1]:
        return ClipStore(folder)
    folder.mkdir(parents=True, exist_ok=True)
    with _alone(folder):
        return _prepare(corpus, sample_rate, folder, n_workers, progress)


def _todo(corpus, sample_rate, folder):
    """Say what a store is to hold, what is done, and whether anything is to do."""
    n_samples = _row_length(sample_rate)
    head = {"corpus": corpus.name, "sample_rate": sample_rate, "n_samples": n_samples}
    wanted = _sources(corpus)
    known = _known(folder, head)
    done = {i: known[i] for i in wanted if _same_source(known.get(i), wanted[i])}
    whole = (folder / "index.json").exists() and len(known) == len(wanted) == len(done)
    return head, wanted, done, not whole


def _prepare(corpus, sample_rate, folder, n_workers, progress):
    head, wanted, done, is_work = _todo(corpus, sample_rate, folder)
    if not is_work:  # another process has done it
        return ClipStore(folder)
    todo = [entry for i, entry in wanted.items() if i not in done]
    n_new = len(todo) * head["n_samples"] * 2
    _check_room(folder, n_bytes(corpus, sample_rate), n_new)
    # From here on the store is open work: first the journal, then no index.
    journal = "".join(json.dumps(e) + "\n" for e in [head, *done.values()])
    files.write_atomically(folder / "journal.jsonl", journal.encode())
    (folder / "index.json").unlink(missing_ok=True)
    in_notebook = "ipykernel" in sys.modules and not os.getenv("TAGKIT_STATIC")
    show = sys.stderr.isatty() or in_notebook if progress is None else progress
    if progress is None and not show and "ipykernel" not in sys.modules:
        print(f"decoding {len(todo):,} clips at {sample_rate:,} Hz", file=sys.stderr)
    bar = {"unit": "clip", "disable": not show, "delay": 5 * in_notebook}
    flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0)
    file = os.open(folder / "samples.int16", flags)
    pool = ThreadPoolExecutor(n_workers or os.cpu_count())
    try:
        os.ftruncate(file, n_bytes(corpus, sample_rate))
        with (
            (folder / "journal.jsonl").open("a") as journal,
            tqdm(total=len(todo), **bar) as bar,
        ):
            work = partial(_decode_into, file, Lock(), corpus, sample_rate)
            # While a chunk is brought to the disk, the next is being decoded.
            chunks = [todo[at : at + CHUNK] for at in range(0, len(todo), CHUNK)]
            running = [[pool.submit(work, e) for e in chunk] for chunk in chunks[:1]]
            for k, chunk in enumerate(chunks):
                if k + 1 < len(chunks):
                    running.append([pool.submit(work, e) for e in chunks[k + 1]])
                for entry, future in zip(chunk, running.pop(0), strict=True):
                    done[entry["clip_id"]] = entry | future.result()
                    bar.update()
                os.fsync(file)  # the samples are on the disk before the journal says so
                for entry in chunk:
                    journal.write(json.dumps(done[entry["clip_id"]]) + "\n")
                journal.flush()
                os.fsync(journal.fileno())
    finally:
        pool.shutdown(cancel_futures=True)
        os.close(file)
    index = json.dumps(head | {"clips": [done[i] for i in wanted]})
    files.write_atomically(folder / "index.json", index.encode())
    (folder / "journal.jsonl").unlink(missing_ok=True)
    return ClipStore(folder)


def n_bytes(corpus: corpora.Corpus, sample_rate: int = audio.SAMPLE_RATE) -> int:
    """Say how many bytes the store of a corpus takes, before it is made.

    >>> from tagkit.data import corpus
    >>> f"{n_bytes(corpus.open('mini')) / 1e9:.2f} GB"
    '0.45 GB'

    Notebook: course/01_dataset_analysis.ipynb
    """
    return len(corpus.clips) * _row_length(sample_rate) * 2


def _row_length(sample_rate: int) -> int:
    return round(audio.CLIP_SAMPLES * sample_rate / audio.SAMPLE_RATE)


def _sources(corpus) -> dict:
    """Say for each clip its row, its seconds, and how its file is now."""
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
    """Read what an index or a journal of the same kind says is done."""
    try:
        index = json.loads((folder / "index.json").read_text(errors="replace"))
        lines = [{k: index[k] for k in head}, *index["clips"]]
    except (OSError, ValueError, TypeError, KeyError):
        lines = []
        try:
            for line in (folder / "journal.jsonl").open(errors="replace"):
                lines.append(json.loads(line))
        except (OSError, ValueError):
            pass  # there is none, or here the last run was killed
    try:
        n_rows = (folder / "samples.int16").stat().st_size // (2 * head["n_samples"])
    except OSError:
        return {}
    if not lines or lines[0] != head:
        return {}
    whole = {"clip_id", "row", "reason", "crc32"}
    return {
        entry["clip_id"]: entry
        for entry in lines[1:]
        if isinstance(entry, dict) and whole <= entry.keys()
        if isinstance(entry["row"], int) and entry["row"] < n_rows
    }


def _same_source(known, wanted) -> bool:
    """Say whether an entry still holds; one that was left out gets another chance."""
    keys = wanted.keys() - ({"changed"} if known and known["reason"] is None else set())
    return known is not None and all(known.get(k) == wanted[k] for k in keys)


@contextmanager
def _alone(folder: Path):
    """Wait until no other process makes this store; the lock ends with the process."""
    with open(folder / "lock", "a") as file:
        with suppress(ImportError):  # Windows: two at once are then for you to avoid
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _decode_into(file: int, lock: Lock, corpus, sample_rate, entry) -> dict:
    """Decode one clip into its row; say why not, and the checksum of the row."""
    try:
        samples, reason = _decode(corpus, entry["clip_id"], sample_rate), None
    except ValueError as error:  # AudioError, or a link out of the folder
        samples = np.zeros(0, np.int16)
        reason = str(error).replace(f"{corpus.root}{os.sep}", "")
    row = audio.fit_length(samples, _row_length(sample_rate)).tobytes()
    with lock:  # one position in the file for all threads
        os.lseek(file, entry["row"] * len(row), os.SEEK_SET)
        if reason is None or os.read(file, len(row)) != row:
            os.lseek(file, entry["row"] * len(row), os.SEEK_SET)
            view = memoryview(row)  # not a memory map: there a full disk is a crash
            while view:
                view = view[os.write(file, view) :]
    return {"reason": reason, "crc32": zlib.crc32(row)}


def _decode(corpus, clip_id, sample_rate) -> np.ndarray:
    """Decode one clip. Shape: (at most n_samples,) int16."""
    samples = corpus.load(clip_id, sample_rate)
    clip = corpus.clips.loc[clip_id]
    seconds = len(samples) / sample_rate
    needed = min(clip["segmentEnd"] - clip["segmentStart"], 29)
    if seconds < needed:
        raise audio.AudioError(
            f"{clip['mp3_path']} is cut short: it decodes to {seconds:.1f} s, "
            f"{needed} s were needed; get the file again"
        )
    spare = max(0, len(samples) - _row_length(sample_rate))  # the middle is taken
    samples = samples[spare // 2 : len(samples) - (spare - spare // 2)]
    samples *= FULL_SCALE  # in place: fresh memory costs more than the sums
    return np.rint(samples, out=samples).astype(np.int16)


def _check_room(folder: Path, n_bytes: int, n_new: int):
    """See that the new rows fit, those that the file has no blocks for yet."""
    file = folder / "samples.int16"
    there = getattr(file.stat(), "st_blocks", 0) * 512 if file.exists() else 0
    files.check_room(folder, min(n_new, n_bytes - there), "the store")
