"""MagnaTagATune fetched, verified and unpacked; can be stopped anywhere, called again.

mp3.zip.001 .002 .003   a byte split of one zip archive, read as one file, never joined
*.part                  what has come so far; a SHA-256 decides when it is complete
0/ ... f/               the clips, each there whole or not at all
*.csv                   the two tables, in place last: a corpus opens when it is whole
"""

import hashlib
import io
import os
import re
import time
import zipfile
from bisect import bisect_right
from itertools import accumulate
from pathlib import Path

import requests
import urllib3
from requests.adapters import HTTPAdapter
from tqdm import tqdm

from tagkit.data import annotations
from tagkit.data import corpus as corpora
from tagkit.files import check_room, locked

BASES = (
    "https://mirg.city.ac.uk/datasets/magnatagatune/",
    "http://mi.soi.city.ac.uk/datasets/magnatagatune/",
)
TABLES = ("annotations_final.csv", "clip_info_final.csv")
PARTS = ("mp3.zip.001", "mp3.zip.002", "mp3.zip.003")
SHA256SUMS = """\
99b94e95825d4fa576386a5367b9c96e0ec636e9f9c240aceb492f4728f68c3c annotations_final.csv
cb6108a10d3a91f0bfd7d2fbec2382559d15f20c8d28093f14e12162a47a3e78 clip_info_final.csv
f857fe185968773058cc71662c2ef5d8f2d4b7338e3c122cfd52f82dcb9760b9 mp3.zip.001
fc2e1ec441755556ed1398b1808f1b08b6034372f8bc27394510c0c58cdb52ce mp3.zip.002
83a689824c17e82f6eb81cdbc4e4ca239a4cfc1fb41f1a5c80b861caec90450f mp3.zip.003"""
SHA256 = {name: sha for sha, name in map(str.split, SHA256SUMS.splitlines())}
# For the bars and the look at the disk. Of the parts only the sum is known, 2.97 GB.
BYTES = {"annotations_final.csv": 21_517_373, "clip_info_final.csv": 8_608_397}
BYTES |= {name: 990_000_000 for name in PARTS}

BY_HAND = """\
Other places, and what to do by hand:
  huggingface.co/datasets/confit/magnatagatune: both tables, and mp3.zip (parts joined)
  github.com/jordipons/musicnn-training: aux/mtt/annotations_final.csv
  mirg.city.ac.uk/codeapps/the-magnatagatune-dataset: the official page
1. put the tables into {root} under the names above
2. put the parts there too, or unzip mp3.zip there: folders 0 ... f beside the tables
3. call again: what is there is verified, only what is missing is fetched
Any mirror with files of these names will do as base_url (--base-url)."""

CLIP = re.compile(r"[0-9a-f]/[A-Za-z0-9_-][A-Za-z0-9_.-]*\.mp3")
ROOM = 1.04  # bytes on the disk for a byte of archive: mp3 does not compress
TIMEOUT = 30  # seconds until a silent connection is given up
TRIES = 4  # of one URL, in a row, that bring nothing new
WAIT = 1.0  # seconds before the second try, more before the others


def magnatagatune(
    root: str | Path | None = None,
    base_url: str | tuple[str, ...] = BASES,
    *,
    keep_archive: bool = True,
) -> corpora.Corpus:
    """Download MagnaTagATune and open it; what is there is verified, not fetched again.

    Args:
        root: the corpus folder; default data/magnatagatune.
        base_url: the folder with the files; several are tried in this order. Any
            mirror will do, since every file must have the known digest.
        keep_archive: keep the parts, 3 GB, after unpacking: with them a second call
            mends damaged clips without the servers.

    Raises: OSError if no server has a file, the disk is too small or another download
    runs; ValueError if a file in the folder is not the known one.
    Source: Law et al. 2009, digests as published in p-lambda/jukemir.
    """
    bases = [base_url] if isinstance(base_url, str) else list(base_url)
    root = Path(root or corpora.DATA / "magnatagatune")
    root.mkdir(parents=True, exist_ok=True)
    try:
        with locked(root / ".download.lock", wait=False), _session() as session:
            _complete(root, session, bases)
            if not keep_archive:
                for name in PARTS:
                    (root / name).unlink(missing_ok=True)
    except BlockingIOError:
        raise OSError(
            f"another download writes to {root}; wait for its end, then call again"
        ) from None
    return corpora.open(root)


def _complete(root: Path, session, bases: list[str]):
    """Fetch, unpack and put in place what the folder lacks, the tables last."""
    # A fetched file keeps its name .part until the clips are there.
    tables = [_fetch(root / name, session, bases) for name in TABLES]
    table = annotations.read(tables[0])
    lacking = [
        path
        for path in table["mp3_path"]
        if path not in corpora.EMPTY_CLIPS.values() and not _size(root / path)
    ]
    parts = []
    begun = list(root.glob("mp3.zip.00*"))  # parts, whole or .part
    if lacking or len(begun) >= len(PARTS):
        n_archive = sum(BYTES[name] for name in PARTS)
        n_to_fetch = max(0, n_archive - sum(_size(path) for path in begun))
        n_to_unpack = n_archive * ROOM * len(lacking) / len(table)
        check_room(root, n_to_fetch + n_to_unpack, "MagnaTagATune (archive and clips)")
        parts = [_fetch(root / name, session, bases) for name in PARTS]
        _unpack(parts, root)
    if hasattr(os, "sync"):  # not on Windows
        os.sync()  # the clips are on the disk before anything says so
    for path in parts + tables:
        os.replace(path, path.with_name(path.name.removesuffix(".part")))


def _fetch(path: Path, session, bases: list[str]) -> Path:
    """Give the verified file: `path` if it is there, else its .part."""
    part = path.with_name(path.name + ".part")
    sha256 = SHA256[path.name]
    if path.exists():
        digest = _digest(path)
        if digest != sha256:
            raise ValueError(
                f"{path} is not the known file: its SHA-256 is {digest}, needed is "
                f"{sha256}; move it away, and call again"
            )
        return path
    if part.exists() and _digest(part) == sha256:
        return part
    failures = ""
    for base in list(bases):
        url = f"{base.rstrip('/')}/{path.name}"
        try:
            _fetch_from(url, session, part, sha256)
        except requests.RequestException as failure:
            failures += f"  {url}: {failure}\n"
        else:
            bases.remove(base)
            bases.insert(0, base)  # the next file is asked for here first
            return part
    raise OSError(
        f"{path.name} could not be fetched, {_size(part)} bytes of it are kept; call "
        f"again later to go on\n{failures}Needed are {', '.join(SHA256)}.\n"
        + BY_HAND.format(root=path.parent)
    )


def _session() -> requests.Session:
    """Make a session that asks again when a server is busy or does not answer."""
    session = requests.Session()
    # A range counts the bytes as they are sent, so they must not be compressed.
    session.headers.update({"User-Agent": "tagkit", "Accept-Encoding": "identity"})
    retry = urllib3.Retry(
        TRIES - 1,
        backoff_factor=WAIT,
        status_forcelist=(429, *range(500, 600)),
        raise_on_status=False,
        respect_retry_after_header=False,  # it may ask for hours
    )
    session.mount("http://", HTTPAdapter(max_retries=retry))
    session.mount("https://", HTTPAdapter(max_retries=retry))
    return session


def _fetch_from(url: str, session, part: Path, sha256: str):
    """Receive from one URL until .part is right, or raise RequestException."""
    furthest = _size(part)
    n_idle = 0  # tries in a row that brought nothing new
    with tqdm(
        desc=part.stem,
        total=BYTES[part.stem],
        initial=furthest,
        unit="B",
        unit_scale=True,
        disable=None,  # no bar outside a terminal
    ) as bar:
        while True:
            try:
                _receive(url, session, part, bar)
                break
            except urllib3.exceptions.HTTPError as cut:
                n_bytes = _size(part)
                n_idle = 0 if n_bytes > furthest else n_idle + 1
                furthest = max(furthest, n_bytes)
                if n_idle == TRIES:
                    reason = f"the connection ended after {n_bytes} bytes: {cut}"
                    raise requests.ConnectionError(reason) from None
                time.sleep(WAIT * n_idle)
    digest = _digest(part)
    if digest != sha256:
        reason = f"{_size(part)} bytes with SHA-256 {digest} came, needed is {sha256}"
        part.unlink()  # the next URL, or the next call, begins anew
        raise requests.RequestException(reason)


def _receive(url: str, session, part: Path, bar):
    """Append to .part what it lacks; what came before a cut is kept."""
    start = _size(part)
    headers = {"Range": f"bytes={start}-"} if start else {}
    with session.get(url, headers=headers, stream=True, timeout=TIMEOUT) as response:
        status = response.status_code
        if status == 416 and start:
            return  # nothing comes after what is there: the digest will tell
        if status not in (200, 206):
            raise requests.HTTPError(f"HTTP {status} {response.reason}")
        sent = response.headers.get("Content-Range", "")
        if status == 206 and not sent.startswith(f"bytes {start}-"):
            part.unlink(missing_ok=True)  # so the next try asks for all of it
            raise urllib3.exceptions.HTTPError(f"{sent!r} came, not from byte {start}")
        mode = "ab" if status == 206 else "wb"  # 200: the server ignores ranges
        with part.open(mode) as file:
            bar.n = file.tell()
            # iter_content would lose the last, incomplete block before a cut.
            while block := response.raw.read1(1 << 18):
                file.write(block)
                bar.update(len(block))


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class _Parts(io.RawIOBase):
    """The parts of a file, read as the one that they were cut from."""

    def __init__(self, paths: list[Path]):
        self.paths = paths
        self.ends = list(accumulate(_size(path) for path in paths))
        self.position = 0

    def readable(self):
        return True

    def seekable(self):
        return True

    def seek(self, offset, whence=os.SEEK_SET):
        self.position = offset + (0, self.position, self.ends[-1])[whence]
        return self.position

    def readinto(self, buffer):
        i = bisect_right(self.ends, self.position)  # the part that holds this byte
        if i == len(self.paths):
            return 0
        with self.paths[i].open("rb") as file:
            file.seek(self.position - self.ends[i], os.SEEK_END)
            n_read = file.readinto(buffer)
        self.position += n_read
        return n_read


def _unpack(parts: list[Path], root: Path):
    """Write the clips of a verified archive, each whole or not at all.

    Only names such as a/song-0-29.mp3 are written, so nothing can leave the folder.
    """
    archive_file = io.BufferedReader(_Parts(parts), 1 << 20)
    with zipfile.ZipFile(archive_file) as archive:
        clips = [m for m in archive.infolist() if CLIP.fullmatch(m.filename)]
        for member in tqdm(clips, "unpack", unit="clip", disable=None):
            path = root / member.filename
            data = archive.read(member)  # checks the CRC
            if path.is_file() and path.read_bytes() == data:
                continue
            path.parent.mkdir(exist_ok=True)
            temporary = path.with_name(path.name + ".tmp")
            temporary.write_bytes(data)
            os.replace(temporary, path)
