"""Many files: found, tagged, and written so that a long run can be stopped and go on.

A row is a dict: the file's name, in a timeline also the second, and a score per tag.
The file is long because it holds both, the reading and the table that is gone on with.
"""

import csv
import io
import json
import os
import re
import sys
import tempfile
import time
import warnings
import zipfile
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from tagkit.data import audio, folders, metadata
from tagkit.files import write_atomically

if TYPE_CHECKING:  # what only finds files needs no PyTorch
    from tagkit.models.tagger import Tagger

DIGITS = 4  # of a score
DAMAGED = (ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile)
ANY_NAME = {"encoding": "utf-8", "errors": "surrogateescape"}  # a name's own bytes


class Job(NamedTuple):
    """A file, and what is wanted of it."""

    path: Path
    rows: bool
    embedding: bool


class Tagged(NamedTuple):
    """What came out for a file: rows and embedding, if they were wanted.

    Attributes:
        remarks: what the decoder said of the file, or why it is no sound.
    """

    path: Path
    is_sound: bool
    rows: list[dict]
    embedding: np.ndarray | None
    remarks: list[str]


def find(paths: Sequence[Path]) -> list[Path]:
    """List the files that are named, and the sound below the folders that are named.

    How many other files those folders hold is said on the standard error stream.

    Shape: files, each once.
    Raises: ValueError if there are none.
    Warns: of folders and links that cannot be read.
    """
    found = folders.search(paths)
    for text in found.unread:
        warnings.warn(text, folders.UnreadWarning, stacklevel=2)
    if not found.files:
        raise ValueError(f"no sound in {', '.join(map(str, paths))}")
    if found.n_other:
        print(f"files beside them that are no sound: {found.n_other}", file=sys.stderr)
    return found.files


def tag(
    model: "Tagger",
    tags: Sequence[str],
    jobs: Sequence[Job],
    *,
    merge: str = "mean",
    timeline: bool = False,
    overlap: float = 0.0,
    processes: int = 1,
) -> Iterator[Tagged]:
    """Tag files one after the other, or several at a time; their order stays.

    Args:
        timeline: a row per window, see `predict.timeline`, in place of one per file.
        overlap: as in `predict.tag_file`.
        processes: how many files at a time, each in a process of its own.

    Raises: ValueError as `predict.tag_file`; a file that cannot be decoded raises
    nothing, its error is in what is yielded.
    """
    how = {"merge": merge, "timeline": timeline, "overlap": overlap}
    if processes == 1:
        yield from (_tag(model, list(tags), job, **how) for job in jobs)
        return
    import joblib  # takes a tenth of a second

    work = joblib.Parallel(n_jobs=processes, return_as="generator")
    yield from work(joblib.delayed(_tag)(model, list(tags), job, **how) for job in jobs)


def _tag(model, tags, job, *, merge, timeline, overlap) -> Tagged:
    from tagkit.evaluation import predict  # and with it PyTorch

    def scores_and_embedding(path):
        if job.rows and job.embedding:
            return predict.tag_and_embed(
                model, path, tags, merge, line=timeline, overlap=overlap
            )
        if job.embedding:
            return None, predict.embeddings(model, [path], overlap=overlap)[0]
        if timeline:
            return predict.timeline(model, path, tags, overlap=overlap), None
        return predict.tag_file(model, path, tags, merge, overlap=overlap), None

    heard, remarks = attempt(scores_and_embedding, job.path)
    scores, embedding = heard or (None, None)
    rows = []
    if scores is not None:
        rows = scores.reset_index() if timeline else scores[tags].to_frame().T
        rows = rows.to_dict("records")
    rows = [{name: round(float(n), DIGITS) for name, n in row.items()} for row in rows]
    return Tagged(
        job.path,
        is_sound=heard is not None,
        rows=[{"file": str(job.path)} | row for row in rows],
        embedding=embedding,
        remarks=remarks,
    )


def attempt(function: Callable, path: Path) -> tuple[Any, list[str]]:
    """Do something with a file that may be no sound.

    Shape: what the function gives, None if the file cannot be decoded; remarks, what
    the decoder said of the file, or why it is no sound.
    """
    done, refused = None, []
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            done = function(path)
        except audio.AudioError as error:
            refused = [str(error)]
    said = dict.fromkeys(str(warning.message) for warning in caught)
    return done, list(said) + refused


def strongest(row: dict, top: int | None, threshold: float | None) -> dict:
    """Keep the tags of a row with the highest scores, in falling order.

    Args:
        top: how many at most; None for no limit.
        threshold: the least score; None for no limit.

    >>> strongest({"file": "a.mp3", "guitar": 0.4, "flute": 0.1, "drums": 0.7}, 2, 0.5)
    {'file': 'a.mp3', 'drums': 0.7}
    """
    head = {name: row[name] for name in ("file", "seconds") if name in row}
    scores = {tag: score for tag, score in row.items() if tag not in head}
    best = sorted(scores, key=scores.get, reverse=True)[:top]
    return head | {t: scores[t] for t in best if scores[t] >= (threshold or 0)}


def shown(text: str | Path) -> str:
    """Give a name as one line of a table shows it, with its line breaks escaped.

    >>> print(shown("new\\nline.mp3"))
    new\\nline.mp3
    """
    return re.sub(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]", _escape, str(text))


def _escape(found) -> str:
    return repr(found[0])[1:-1]


class Output:
    """Rows on their way to a file, or to the standard output.

    A file is whole after each `write`, JSON with its last bracket. One that is there
    already is continued: a half-written end is cut off, and `done` holds the names of
    the files in it. Names are written with their own bytes in CSV, as \\udc.. in JSON.

    Args:
        format: "csv", "json", "jsonl", or "table" for the standard output.
        columns: file, in a timeline seconds, then the tags.

    Raises: ValueError if the file holds anything else.
    """

    def __init__(self, format: str, columns: Sequence[str], path: Path | None = None):
        self.format = format
        self.columns = list(columns)
        self.done: set[str] = set()
        self.is_first = True  # no row is there yet
        self.file = None
        head = {"csv": _csv_line(columns), "json": "[\n"}.get(format, "")
        self.tail = "]\n" if format == "json" else ""
        if path is None:
            print(head, end="", flush=True)
            return
        self.end = 0  # of the last whole row
        is_new = not path.exists() or path.stat().st_size == 0
        if not is_new:
            self._read(path, head.encode(**ANY_NAME))
        path.parent.mkdir(parents=True, exist_ok=True)
        self.file = path.open("w+b" if is_new else "r+b", buffering=0)
        self._append(head if self.end == 0 else "")

    def _read(self, path, head):
        """Find out what a file holds, and where its last whole row ends."""
        data = path.read_bytes()
        start = head or b'{"file": "'
        n = len(os.path.commonprefix([data, start]))
        if n < min(len(data), len(start)):
            raise ValueError(
                f"{path} cannot be continued: at byte {n} it has "
                f"{data[n : n + 30]!r}, needed is {start[n : n + 30]!r}; it may be of "
                "other tags; name another file"
            )
        last, start_of_last = None, len(head)
        self.end = len(head) if data.startswith(head) else 0
        try:
            for end, row in _whole_rows(data, self.format):
                other = set(row) - set(self.columns)
                if other or ("seconds" in self.columns) != ("seconds" in row):
                    raise ValueError(f"its columns are others ({', '.join(row)[:60]})")
                if row["file"] != last:
                    last, start_of_last = row["file"], self.end
                self.end = end
                self.done.add(last)
        except (ValueError, KeyError, TypeError, csv.Error) as error:
            raise ValueError(
                f"{path} cannot be continued: {error}; name another file"
            ) from None
        if "seconds" in self.columns and last is not None:
            self.end = start_of_last  # some of its windows may be missing
            self.done.discard(last)
        self.is_first = not self.done

    def write(self, rows: Sequence[dict]):
        """Write the rows of one file at once, so that they outlast what comes after.

        Raises: OSError, for a full disk.
        """
        text = ""
        for row in rows:
            text += self._text(row)
            self.is_first = False
        if self.file is None:
            print(text, end="", flush=True)
        else:
            self._append(text)

    def close(self):
        """Close what is open."""
        if self.file is None:
            print(self.tail, end="", flush=True)
        else:
            self.file.close()

    def _append(self, text):
        """Write behind the last whole row, JSON's bracket with it, or nothing."""
        data = text.encode(**ANY_NAME)
        try:
            self._put(data + self.tail.encode())
        except OSError:  # a full disk; there was room for the bracket before
            self._put(self.tail.encode())
            raise
        self.end += len(data)

    def _put(self, data):
        self.file.seek(self.end)
        while data:
            data = data[self.file.write(data) :]
        self.file.truncate()

    def _text(self, row):
        if self.format == "csv":
            return _csv_line(row.get(name) for name in self.columns)
        if self.format == "json":
            return ("" if self.is_first else ",") + json.dumps(row) + "\n"
        if self.format == "jsonl":
            return json.dumps(row) + "\n"
        row = dict(row)
        name = row.pop("file")
        if "seconds" in row:
            name += f" at {row.pop('seconds'):.1f} s"
        scores = ", ".join(f"{tag} {score:.2f}" for tag, score in row.items())
        return shown(f"{name}: {scores or 'no tag'}") + "\n"


class Genres:
    """Tags on their way into the files themselves, in place of an `Output`.

    Each file is said on the standard output, one that is refused on the other stream.

    Args:
        threshold: the least score, to be named where no tag reached it.
        overwrite, dry_run: as in `metadata.write`.

    Attributes:
        failed: the files that could not be changed.
    """

    done = frozenset()  # a file that has them already is seen to be so

    def __init__(
        self,
        threshold: float | None = None,
        *,
        overwrite: bool = False,
        dry_run: bool = False,
    ):
        self.threshold = threshold
        self.overwrite = overwrite
        self.dry_run = dry_run
        self.n_files = self.n_changed = self.n_kept = 0
        self.failed = []

    def write(self, rows: Sequence[dict]):
        """Write the tags of each row as the genre of its file."""
        for row in rows:
            path, *tags = row["file"], *(name for name in row if name != "file")
            self._change(metadata.write, path, tags, overwrite=self.overwrite)

    def remove(self, path: Path):
        """Take the tags that tagkit wrote out of a file."""
        self._change(metadata.remove, path)

    def close(self):
        """Say how many files were changed, and how many keep a genre of their own."""
        how = "would be" if self.dry_run else "are"
        said = f"{self.n_changed} of {self.n_files} files {how} changed"
        if self.n_kept:
            said += f"; {self.n_kept} keep the genre they have (see --overwrite)"
        print(said, file=sys.stderr)

    def _change(self, change, path, *tags, **how):
        self.n_files += 1
        try:
            change = change(path, *tags, dry_run=self.dry_run, **how)
        except (metadata.MetadataError, audio.AudioError) as error:
            self.failed.append(path)
            print(f"tagkit tag: {error}", file=sys.stderr)
            return
        before, after = (
            "; ".join(genre) or "no genre" for genre in (change.before, change.after)
        )
        self.n_kept += change.kept
        self.n_changed += before != after
        end = "stays" if before == after else f"-> {after}"
        said = f"{before} {end}"
        if tags == ([],) and not change.kept:
            low = f"no tag reached {self.threshold:g}"
            said = low if before == "no genre" else f"{said} ({low})"
        print(shown(f"{path}: {said}"), flush=True)


def _csv_line(fields) -> str:
    text = io.StringIO()
    csv.writer(text).writerow(fields)  # ends in \r\n: so it quotes both in a name
    return text.getvalue().removesuffix("\r\n") + "\n"


def _whole_rows(data: bytes, format: str) -> Iterator[tuple[int, dict]]:
    """Yield each row that is there to its end, and the byte where it ends."""
    at = 0

    def lines():
        nonlocal at
        for line in io.BytesIO(data):
            if not line.endswith(b"\n"):
                return
            at += len(line)
            yield line.decode(**ANY_NAME)

    if format == "csv":
        rows = csv.reader(lines())
        columns = next(rows, [])
        n = len(columns)
        for fields in rows:
            if n != len(columns):
                raise ValueError(f"a row has {n} fields, needed are {len(columns)}")
            n = len(fields)
            if n == len(columns):  # else it must be the last one
                yield at, dict(zip(columns, fields, strict=True))
        return
    for line in lines():
        if line not in ("[\n", "]\n"):
            yield at, json.loads(line.removeprefix(","))


class Embeddings:
    """An npz file with `files` (n,) and `embeddings` (n, n_dims); it is continued.

    Args:
        network: what computed them, kept as `network`.

    Raises: ValueError if the file holds anything else, or those of another network.
    """

    def __init__(self, path: Path, network: str):
        self.path = path
        self.network = network
        self.vectors: dict[str, np.ndarray] = {}
        self.saved = time.monotonic()
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path.parent):
            pass  # else it would be noticed after the first minute
        if not path.exists():
            return
        try:
            with np.load(path, allow_pickle=False) as held:
                its = str(held["network"])
                names, vectors = held["files"].tolist(), held["embeddings"]
        except (OSError, *DAMAGED) as error:
            raise ValueError(
                f"{path} holds no embeddings of tagkit tag ({error}); name another file"
            ) from None
        if its != network:
            raise ValueError(
                f"{path} holds embeddings of {its}, these are of {network}; name "
                "another file"
            )
        self.vectors = dict(zip(names, vectors, strict=True))

    def add(self, name: str, vector: np.ndarray):
        """Take in the embedding of a file; from time to time all are written.

        Shape: (n_dims,).
        Raises: OSError, for a full disk.
        """
        self.vectors[name] = vector
        if time.monotonic() - self.saved > 60:
            self.save()

    def save(self):
        """Write all of them; the file is there whole or not at all."""
        self.saved = time.monotonic()
        if not self.vectors:
            return
        data = io.BytesIO()
        np.savez(
            data,
            network=self.network,
            files=np.array(list(self.vectors)),
            embeddings=np.stack(list(self.vectors.values())),
        )
        write_atomically(self.path, data.getvalue())


def todo(
    files: Sequence[Path], output: Output, embeddings: Embeddings | None
) -> list[Job]:
    """List what is still to be done for each file, without those that are done."""
    done = set(map(os.path.abspath, output.done))
    there = set(map(os.path.abspath, embeddings.vectors if embeddings else ()))
    jobs = [
        Job(
            path,
            rows=os.path.abspath(path) not in done,
            embedding=embeddings is not None and os.path.abspath(path) not in there,
        )
        for path in files
    ]
    return [job for job in jobs if job.rows or job.embedding]


class Progress:
    """How far a long run is, on the standard error stream.

    In a terminal a line that changes, else a line every ten seconds.

    Args:
        beside_table: results go to the standard output; where that is the terminal,
            a changing line would stand among them.
    """

    def __init__(self, n_files: int, n_before: int, *, beside_table: bool):
        self.n_files = n_files
        self.n_before = n_before
        self.n_done = 0
        among = beside_table and sys.stdout.isatty()
        self.in_place = sys.stderr.isatty() and not among
        self.start = self.last = time.monotonic()

    def step(self):
        """Count a file, and say how far it is if nothing was said for a while."""
        self.n_done += 1
        now = time.monotonic()
        if self.n_done == 1:  # starting up says nothing about the rate
            self.start = self.last = now
        elif now - self.last >= (0.5 if self.in_place else 10):
            self.last = now
            self._say((self.n_done - 1) / (now - self.start))

    def _say(self, rate):
        n = self.n_before + self.n_done
        left = timedelta(seconds=round((self.n_files - n) / rate))
        rate = f"{rate:.2g}" if rate < 100 else f"{rate:.0f}"
        text = f"{n} of {self.n_files} files, {rate} a second, {left} left"
        print(
            f"\r{text}\x1b[K" if self.in_place else text,
            end="" if self.in_place else "\n",
            file=sys.stderr,
            flush=True,
        )

    def clear(self):
        """Clear the line that changes, so that something else can be said."""
        if self.in_place:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)
