"""MagnaTagATune fetched, verified and unpacked; can be stopped anywhere, called again.

mp3.zip.001 .002 .003   a byte split of one zip archive, read as one file, never joined
*.part                  what came so far; a SHA-256 decides when it is good
0/ ... f/               the clips, each there whole or not at all
*.csv                   the two tables, in place last: a corpus opens when it is whole

Notebook: course/01_dataset_analysis.ipynb
"""

import errno
import hashlib
import http.client
import os
import re
import sys
import time
import urllib.error
import urllib.request
from contextlib import contextmanager
from pathlib import Path

from tqdm import tqdm

from tagkit.data import annotations, archive
from tagkit.data import corpus as corpora
from tagkit.files import check_room

BASES = (
    "https://mirg.city.ac.uk/datasets/magnatagatune/",
    "http://mi.soi.city.ac.uk/datasets/magnatagatune/",
)
SHA256 = """\
99b94e95825d4fa576386a5367b9c96e0ec636e9f9c240aceb492f4728f68c3c annotations_final.csv
cb6108a10d3a91f0bfd7d2fbec2382559d15f20c8d28093f14e12162a47a3e78 clip_info_final.csv
f857fe185968773058cc71662c2ef5d8f2d4b7338e3c122cfd52f82dcb9760b9 mp3.zip.001
fc2e1ec441755556ed1398b1808f1b08b6034372f8bc27394510c0c58cdb52ce mp3.zip.002
83a689824c17e82f6eb81cdbc4e4ca239a4cfc1fb41f1a5c80b861caec90450f mp3.zip.003""".split()
# Of the parts only the sum is known, 2.97 GB. Sizes serve to look at the disk and to
# know a web page from a file.
BYTES = (21_517_373, 8_608_397, 990_000_000, 990_000_000, 990_000_000)
FILES = dict(zip(SHA256[1::2], zip(SHA256[::2], BYTES, strict=True), strict=True))
BY_HAND = """\
Other places, and what to do by hand:
  huggingface.co/datasets/confit/magnatagatune: both tables, and mp3.zip (parts joined)
  github.com/jordipons/musicnn-training: aux/mtt/annotations_final.csv
  mirg.city.ac.uk/codeapps/the-magnatagatune-dataset: the official page
1. put the tables into {root} under the names above
2. put the parts there too, or unzip mp3.zip there: folders 0 ... f beside the tables
3. call again: what is there is verified, only what is missing is fetched
Any mirror with files of these names will do as base_url (--base-url)."""

ROOM = 1.04  # bytes on the disk for a byte of archive: mp3 does not compress
SLOWEST = 1024  # bytes a second
TRIES, WAIT = 4, 1.0  # tries of a URL that bring nothing, seconds before the second
FULL = (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC))


class _Cut(Exception):
    """A try that failed; the next may not."""


class _Refused(Exception):
    """A URL does not give what is needed; another one may."""


def magnatagatune(
    root: str | Path | None = None,
    base_url: str | tuple[str, ...] = BASES,
    keep_archive: bool = True,
    progress: bool | None = None,
    files: dict[str, tuple[str, int]] = FILES,
    timeout: float = 30,
) -> corpora.Corpus:
    """Download MagnaTagATune and open it; what is there is verified, not fetched again.

    Args:
        root: the corpus folder; default data/magnatagatune, which
            `corpus.open("magnatagatune")` opens.
        base_url: where the files are; several are tried in this order. Any mirror
            will do, since every file must have the known digest.
        keep_archive: keep the parts, 3 GB, after unpacking: with them a second call
            verifies and mends the clips without the servers, which may be down.
        progress: show bars; default only in a terminal.
        files: name -> (SHA-256, bytes) of tables and parts; others are for tests.
        timeout: seconds until a silent or very slow connection is given up.

    Raises: OSError if no server has a file, the disk is too small or another download
    runs; ValueError if a file is not the known one or the archive is unsafe.
    Source: Law et al. 2009, digests as published in p-lambda/jukemir.

    >>> f"{sum(n_bytes for _, n_bytes in FILES.values()) / 1e9:.2f} GB to fetch"
    '3.00 GB to fetch'

    Notebook: course/01_dataset_analysis.ipynb
    """
    bases = [base_url] if isinstance(base_url, str) else list(base_url)
    if not all(re.match(r"https?://[^/]", base) for base in bases):
        raise ValueError(
            f"base_url {base_url!r} is no web address; needed is http://... or "
            "https://..., the folder in which the files are"
        )
    root = Path(root or corpora.DATA / "magnatagatune")
    root.mkdir(parents=True, exist_ok=True)
    show = sys.stderr.isatty() if progress is None else progress
    parts = [root / name for name in files if not name.endswith(".csv")]
    with _explained(root), _alone(root):
        _check_disk(root, files, parts)
        # A fetched table keeps its name .part until the clips are there.
        fetched = {
            root / name: _fetch(root / name, files, bases, timeout, show)
            for name in files
            if name.endswith(".csv")
        }
        table = annotations.read(fetched[root / "annotations_final.csv"])
        if _lacking(root, table) or all(path.exists() for path in parts):
            for path in parts:
                _place(_fetch(path, files, bases, timeout, show), path)
            archive.unpack(parts, root, show)
        if lacking := _lacking(root, table):
            raise ValueError(
                f"{root}: {len(lacking)} of the {len(table)} clips in "
                f"annotations_final.csv are not in the archive, such as {lacking[0]}; "
                "get tables and archive from the same place"
            )
        getattr(os, "sync", int)()  # first the clips are on the disk, then:
        for path, part in fetched.items():
            _place(part, path)
        for path in () if keep_archive else parts:
            path.unlink(missing_ok=True)
    return corpora.open(root)


def _lacking(root: Path, table) -> list:
    """Name the clips that are not there; three are empty in every copy."""
    empty = corpora.EMPTY_CLIPS.values()
    return [p for p in table["mp3_path"] if not (_size(root / p) or p in empty)]


def _check_disk(root: Path, files: dict, parts: list):
    """Look before the first byte whether all that is to come has room."""
    n_archive = sum(files[path.name][1] for path in parts)
    n_clips = sum(path.stat().st_size for path in root.glob("[0-9a-f]/*.mp3"))
    needed = 0
    for path in (root / name for name in files):
        if path not in parts or n_clips < n_archive:
            there = max(_size(path), _size(_part(path)))
            needed += max(0, files[path.name][1] - there)
    if not all(path.exists() for path in parts):  # else unpack knows it exactly
        needed += max(0, n_archive * ROOM - n_clips)
    check_room(root, needed, "MagnaTagATune (archive and clips)")


def _fetch(path: Path, files: dict, bases: list, timeout: float, show: bool) -> Path:
    """Give the verified file: `path` if it is there, else its .part."""
    part, (sha256, n_bytes) = _part(path), files[path.name]
    if path.exists():
        if (found := _digest(path)) == sha256:
            return path
        raise ValueError(
            f"{path} is not the known file: {_size(path)} bytes with SHA-256 {found}, "
            f"needed is {sha256}; move it away or delete it, and call again"
        )
    if part.exists() and _digest(part) == sha256:
        return part
    failures = ""
    for base in list(bases):
        url = f"{base.rstrip('/')}/{path.name}"
        bar = {"unit": "B", "unit_scale": True, "initial": _size(part)}
        try:
            with tqdm(desc=path.name, total=n_bytes, disable=not show, **bar) as bar:
                _fetch_from(url, part, sha256, n_bytes, timeout, bar)
        except _Refused as failure:
            failures += f"  {url}: {failure}\n"
        else:
            bases.sort(key=base.__ne__)  # the next file is asked for here first
            return part
    raise OSError(
        f"{path.name} could not be fetched, {_size(part)} bytes of it are kept; call "
        f"again later to go on\n{failures}Needed are {', '.join(files)}.\n"
        + BY_HAND.format(root=path.parent)
    )


def _fetch_from(url, part, sha256, n_bytes, timeout, bar):
    """Try one URL until .part is complete and right, or raise _Refused."""
    n_failed, n_wrong, furthest, known = 0, 0, _size(part), {}
    while n_failed < TRIES:
        time.sleep(WAIT * 2 ** (n_failed - 1) if n_failed else 0)
        try:
            again = _receive(url, part, n_bytes, timeout, bar, known)
            if (found := _digest(part)) == sha256:
                return
            reason = f"{_size(part)} bytes with SHA-256 {found} came and were deleted, "
            reason += f"needed is {sha256}"
            part.unlink()
            n_wrong, furthest = n_wrong + 1, 0
            if not again or n_wrong > 1:
                break
        except _Cut as failure:
            reason = str(failure)
        # A thousandth more than ever is worth new tries: so there is an end of them.
        if _size(part) - furthest > n_bytes // 1000:
            n_failed, furthest = 0, _size(part)
        n_failed += 1
    raise _Refused(reason)


def _receive(url, part: Path, n_bytes, timeout, bar, known: dict) -> bool:
    """Receive what .part lacks; say whether, if it is wrong, another try may help."""
    at = _size(part)
    request = urllib.request.Request(url, headers={"User-Agent": "tagkit"})
    if at:
        request.add_header("Range", f"bytes={at}-")
        if known.get("version"):
            request.add_header("If-Range", known["version"])
    try:
        response = urllib.request.urlopen(request, timeout=timeout)
    except urllib.error.HTTPError as error:
        error.close()
        if error.code == 416 and at:
            return True  # nothing comes after what is there; the digest will tell
        kind = _Cut if error.code in (408, 425, 429) or error.code >= 500 else _Refused
        raise kind(f"HTTP {error.code} {error.reason}") from None
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise _Cut(f"{getattr(error, 'reason', error)}") from None
    with response:
        etag, total = response.headers.get("ETag", ""), response.length
        version = etag if etag.startswith('"') else response.headers["Last-Modified"]
        if response.status == 206:
            sent = response.headers.get("Content-Range", "")
            found = re.fullmatch(rf"bytes {at}-\d+/(\d+)", sent.strip())
            if not found or known.get("version") not in (None, version):
                part.unlink()  # so the next try asks for all of it
                raise _Cut(f"{sent!r} of another version, or not from byte {at}, came")
            total = int(found[1])
        # Else the server ignores ranges or has a new version: all of it comes. But the
        # page of a login or a notice must not cost what is there.
        kind = response.headers.get_content_type()
        usual = total is None or n_bytes / 10 <= total <= 3 * n_bytes
        if kind == "text/html" or not usual:
            said = f"{total if total is not None else 'some'} bytes of {kind}"
            raise _Refused(f"{said} are offered, about {n_bytes} bytes were needed")
        at = at if response.status == 206 else 0
        check_room(part.parent, (total or n_bytes) - _size(part), part.stem)
        known["version"], bar.total, bar.n = version, total, at
        resumed, mark, since = at > 0, at, time.monotonic()
        with open(part, "ab" if at else "wb", buffering=0) as file:
            while total is None or at < total:
                try:
                    block = response.read1(min(1 << 18, (total or 1 << 60) - at))
                except (OSError, http.client.HTTPException) as error:
                    raise _Cut(f"after {at} bytes: {error!r}") from None
                if not block:
                    break
                _write(file, block)
                at += len(block)
                bar.update(len(block))
                if at > 3 * n_bytes:
                    file.truncate(0)
                    raise _Refused(f"{at} bytes came, about {n_bytes} were needed")
                if (seconds := time.monotonic() - since) > timeout:
                    if at - mark < SLOWEST * seconds:
                        raise _Cut(f"only {at - mark} bytes came in {seconds:.1f} s")
                    mark, since = at, time.monotonic()
            os.fsync(file.fileno())
    if total is not None and at < total:
        raise _Cut(f"the connection ended after {at} of {total} bytes")
    return resumed or total is None  # without a length a cut looks like the end


def _part(path: Path) -> Path:
    return path.with_name(path.name + ".part")


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _place(part: Path, path: Path):
    if part != path:
        os.replace(part, path)


def _write(file, data: bytes):
    """Write all of it; without a buffer nothing is left over when the disk is full."""
    view = memoryview(data)
    while view:
        view = view[file.write(view) :]


@contextmanager
def _alone(root: Path):
    """Hold a lock, which ends with the process, so that nobody else writes there."""
    with open(root / ".download.lock", "a") as file:
        try:
            try:
                import fcntl

                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except ImportError:  # Windows
                import msvcrt

                msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        except OSError as error:
            raise OSError(
                f"another download writes to {root} (no lock: {error}); wait for its "
                "end or stop it, then call again"
            ) from None
        yield


@contextmanager
def _explained(root: Path):
    """Say of a full disk and of an interrupt what is left and how to go on."""
    again = f"what came is kept in {root}: call again to go on from there"
    try:
        yield
    except KeyboardInterrupt:
        raise KeyboardInterrupt(f"stopped; {again}") from None
    except OSError as error:
        if error.errno in FULL:
            raise OSError(f"the disk is full; make room; {again}") from None
        raise
