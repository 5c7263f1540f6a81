"""Downloading: whole, verified and unpacked, whatever the server, disk or user do.

A server on this machine serves a corpus of 40 small clips, cut into three parts.
"""

import contextlib
import errno
import gzip
import hashlib
import http.server
import io
import json
import os
import random
import shutil
import signal
import struct
import subprocess
import sys
import threading
import time
import types
import zipfile
from pathlib import Path

import pytest

from conftest import MTT, tone, write_tables
from tagkit.data import archive, audio, corpus, download

EMPTY = corpus.EMPTY_CLIPS[35644]
PART = "mp3.zip.002"


class Handler(http.server.BaseHTTPRequestHandler):
    """Does what the server's `script` says for the next request of a file.

    status, location: answer with these. body, etag: of the file. ranges: False
    ignores them. cut: close after so many bytes. trickle: (bytes, seconds) per
    block. length: added to the length that is said; None says none. shift: added to
    the start of a range. hold: an event to wait for. if_range: False ignores it.
    type: the content type.
    """

    def log_message(self, *_):
        pass

    def do_GET(self):
        owner, name = self.server.owner, self.path.rsplit("/", 1)[1]
        steps = owner.script.get(name)
        how = owner.always | (steps.pop(0) if steps else {})
        wanted, known = self.headers["Range"], self.headers["If-Range"]
        owner.asked.append((name, wanted, known))
        if "hold" in how:
            how["hold"].wait(10)
        body, etag = how.get("body", owner.files.get(name)), how.get("etag")
        if "status" in how or body is None:
            self.send_response(how.get("status", 404))
            if "location" in how:
                self.send_header("Location", how["location"])
            self.end_headers()
            return
        start, same = 0, known is None or not how.get("if_range", True)
        if wanted and how.get("ranges", True) and (same or known == etag):
            start = int(wanted.removeprefix("bytes=").removesuffix("-"))
            if start >= len(body):
                self.send_error(416)
                return
            start += how.get("shift", 0)
            self.send_response(206)
            said = f"bytes {start}-{len(body) - 1}/{len(body)}"
            self.send_header("Content-Range", said)
        else:
            self.send_response(200)
        if how.get("length", 0) is not None:
            n_said = len(body) - start + how.get("length", 0)
            self.send_header("Content-Length", str(n_said))
        if "type" in how:
            self.send_header("Content-Type", how["type"])
        if etag:
            self.send_header("ETag", etag)
        self.end_headers()
        body = body[start:][: how.get("cut")]
        size, seconds = how.get("trickle", (len(body) or 1, 0))
        try:
            for at in range(0, len(body), size):
                self.wfile.write(body[at : at + size])
                owner.n_sent += len(body[at : at + size])
                time.sleep(seconds)
        except OSError:
            pass  # the other side went away


class Server:
    def __init__(self, files):
        self.files, self.script, self.always = dict(files), {}, {}
        self.asked, self.n_sent = [], 0
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.owner, self.server.daemon_threads = self, True
        self.url = f"http://127.0.0.1:{self.server.server_port}/mtt/"
        threading.Thread(target=self.server.serve_forever, args=(0.01,)).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()

    def ranges(self, name):
        return [wanted for asked, wanted, _ in self.asked if asked == name]


def zipped(members, method=zipfile.ZIP_STORED):
    """Give the bytes of a zip archive; members are (name or ZipInfo, bytes)."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as target:
        for name, data in members:
            target.writestr(name, data)
    return file.getvalue()


def cut_in_three(data):
    third = len(data) // 3 + 7
    return [data[:third], data[third : 2 * third], data[2 * third :]]


def table_of(files):
    """Name -> (SHA-256, bytes), as download.FILES."""
    return {n: (hashlib.sha256(d).hexdigest(), len(d)) for n, d in files.items()}


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """The files of a server, and the clips that must come out: path -> bytes."""
    folder, noise = tmp_path_factory.mktemp("world"), random.Random(0)
    clips = {EMPTY: b""}
    for i in range(40):
        path = f"{i % 16:x}/artist-album-{i:02}-title-0-29.mp3"
        clips[path] = noise.randbytes(noise.randrange(2000, 6000))
        if i < 3:
            audio.write(folder / "tone.mp3", tone(300 + 100 * i, seconds=1))
            clips[path] = (folder / "tone.mp3").read_bytes()
    write_tables(folder, list(clips), {"loud": [i % 2 for i in range(len(clips))]})
    members = [("0/", b""), ("readme.txt", b"hello"), *clips.items()]
    data = zipped(members, zipfile.ZIP_DEFLATED)
    files = {n: (folder / n).read_bytes() for n in download.FILES if "csv" in n}
    names = [name for name in download.FILES if name not in files]
    files |= dict(zip(names, cut_in_three(data), strict=True))
    return types.SimpleNamespace(files=files, clips=clips, table=table_of(files))


@pytest.fixture
def server(world):
    server = Server(world.files)
    yield server
    server.close()


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch):
    monkeypatch.setattr(download, "WAIT", 0.001)


@pytest.fixture
def fetch(server, world, tmp_path):
    """Call the download; keywords replace arguments."""

    def fetch(**how):
        how = {"root": tmp_path / "mtt", "base_url": server.url, "timeout": 5} | how
        return download.magnatagatune(**({"files": world.table} | how))

    fetch.root = tmp_path / "mtt"
    return fetch


def tree(folder):
    """Every file below a folder with its bytes, the lock left out."""
    files = (p for p in folder.rglob("*") if p.is_file() and p.name[0] != ".")
    return {str(p.relative_to(folder)): p.read_bytes() for p in files}


def assert_complete(root, world, parts=True):
    tables = {n: d for n, d in world.files.items() if parts or n.endswith(".csv")}
    assert tree(root) == world.clips | tables


# ---- a good server ----


def test_whole_download_opens_as_a_corpus(fetch, server, world):
    opened = fetch()
    assert_complete(fetch.root, world)
    assert [asked[1] for asked in server.asked] == [None] * 5
    assert sorted(asked[0] for asked in server.asked) == sorted(world.files)
    again = corpus.open(fetch.root)
    assert len(opened.clips) == len(again.clips) == 40  # the empty one is left out
    assert len(again.load(again.clips.index[0])) >= 16_000


def test_default_folder_is_the_named_corpus(fetch, world, tmp_path, monkeypatch):
    monkeypatch.setattr(corpus, "DATA", tmp_path)
    fetch(root=None)
    assert corpus.open("magnatagatune").name == "magnatagatune"
    assert_complete(tmp_path / "magnatagatune", world)


@pytest.mark.parametrize("keep", [True, False])
def test_second_call_fetches_nothing(fetch, server, world, keep):
    fetch(keep_archive=keep)
    server.asked.clear()
    before = {p: p.stat().st_mtime_ns for p in fetch.root.rglob("*.mp3")}
    fetch(keep_archive=keep)
    assert server.asked == []
    assert {p: p.stat().st_mtime_ns for p in fetch.root.rglob("*.mp3")} == before
    assert_complete(fetch.root, world, parts=keep)


def test_clips_unzipped_by_hand_are_enough(fetch, server, world):
    for path, data in world.clips.items():
        (fetch.root / path).parent.mkdir(parents=True, exist_ok=True)
        (fetch.root / path).write_bytes(data)
    fetch()
    assert server.ranges("mp3.zip.001") == []
    assert_complete(fetch.root, world, parts=False)


def test_damaged_clips_are_mended_without_a_server(fetch, server, world):
    fetch()
    server.asked.clear()
    clips = sorted(fetch.root.glob("?/*.mp3"))
    data = bytearray(clips[5].read_bytes())
    data[-1] ^= 1
    clips[5].write_bytes(data)
    fetch()
    assert_complete(fetch.root, world)
    clips[3].unlink()
    fetch()
    assert server.asked == []
    assert_complete(fetch.root, world)


def test_bar_has_rate_and_time_left_but_not_without_a_terminal(fetch, capsys):
    fetch(progress=True)
    shown = capsys.readouterr().err
    assert PART in shown and "B/s" in shown and "<" in shown and "unpack" in shown
    shutil.rmtree(fetch.root)
    fetch()
    assert capsys.readouterr() == ("", "")


def test_the_known_digests_are_those_of_the_real_tables():
    if not MTT.is_dir():
        pytest.skip("no real tables")
    for name in ("annotations_final.csv", "clip_info_final.csv"):
        data = gzip.decompress((MTT / f"{name}.gz").read_bytes())
        assert table_of({name: data})[name] == download.FILES[name]


def test_real_names_are_all_clips():
    if not MTT.is_dir():
        pytest.skip("no real tables")
    with gzip.open(MTT / "annotations_final.csv.gz", "rt") as file:
        names = [line.rsplit("\t", 1)[1].strip().strip('"') for line in file][1:]
    assert len({name.lower() for name in names}) == 25_863
    assert all(archive.CLIP.fullmatch(name) for name in names)


# ---- servers that fail ----


@pytest.mark.parametrize("seed", range(6))
def test_cut_at_random_places(fetch, server, world, seed):
    places = random.Random(seed)
    for name, data in world.files.items():
        cuts = [{"cut": places.randrange(len(data) // 3)} for _ in range(4)]
        server.script[name] = cuts
    fetch()
    assert_complete(fetch.root, world)
    # Nothing came twice: each try asked for what was still missing.
    assert server.n_sent == sum(map(len, world.files.values()))


def test_cut_again_and_again_while_it_advances(fetch, server, world):
    step = len(world.files[PART]) // 20
    server.script[PART] = [{"cut": step}] * 19
    fetch()
    assert len(server.ranges(PART)) > 4 * download.TRIES
    assert_complete(fetch.root, world)


def test_cut_in_two_calls(fetch, server, world):
    server.script[PART] = [{"cut": 5000}, *[{"status": 503}] * (download.TRIES - 1)]
    with pytest.raises(OSError, match="5000 bytes of it are kept") as raised:
        fetch()
    assert "HTTP 503" in str(raised.value)
    with pytest.raises(ValueError, match="no annotations_final"):
        corpus.open(fetch.root)
    server.asked.clear()
    fetch()
    assert server.ranges(PART) == ["bytes=5000-"]
    assert_complete(fetch.root, world)


@pytest.mark.parametrize("seed", range(3))
def test_server_without_ranges(fetch, server, world, seed):
    places = random.Random(seed)
    server.always = {"ranges": False}
    for name, data in world.files.items():
        server.script[name] = [{"cut": places.randrange(len(data))} for _ in range(2)]
    fetch()
    assert_complete(fetch.root, world)


def test_server_that_cuts_for_ever_is_given_up(fetch, server):
    steps = [{"ranges": False, "cut": 300}] * 40 + [{"status": 404}]
    server.script = {name: list(steps) for name in server.files}
    with pytest.raises(OSError, match="the connection ended after 300 of"):
        fetch()
    assert len(server.asked) <= 2 * download.TRIES


@pytest.mark.parametrize("status", [404, 403])
def test_missing_file(fetch, server, status):
    server.script[PART] = [{"status": status}] * 9
    with pytest.raises(OSError) as raised:
        fetch()
    assert len(server.ranges(PART)) == 1, "asking again would not help"
    said = str(raised.value)
    for word in (f"{server.url}{PART}: HTTP {status}", "huggingface.co", "--base-url"):
        assert word in said
    assert f"put the tables into {fetch.root}" in said


def test_second_address_where_the_first_fails(fetch, server, world):
    other = Server({})
    try:
        fetch(base_url=(other.url, server.url))
    finally:
        other.close()
    assert len(other.asked) == 1, "then the better one is asked first"
    assert_complete(fetch.root, world)


def test_second_address_goes_on_where_the_first_stopped(fetch, server, world):
    other = Server(world.files)
    other.always = {"etag": '"other"'}
    other.script[PART] = [{"cut": 5000}, *[{"status": 500}] * 9]
    try:
        fetch(base_url=(other.url, server.url))
    finally:
        other.close()
    assert server.asked[0] == (PART, "bytes=5000-", None)
    assert_complete(fetch.root, world)


def test_nobody_answers(fetch, world):
    dead = Server({})
    dead.close()
    with pytest.raises(OSError, match="(?s)refused.*huggingface"):
        fetch(base_url=dead.url)
    assert tree(fetch.root) == {}


def test_failing_then_fine(fetch, server, world):
    for name in world.files:
        server.script[name] = [{"status": 500}, {"status": 429}]
    fetch()
    assert_complete(fetch.root, world)


def test_redirect(fetch, server, world):
    where = server.url.replace("mtt", "moved")
    for name in world.files:
        moved = {"status": 302, "location": where + name}
        server.script[name] = [moved, {"cut": 100}, moved]
    fetch()
    assert server.ranges(PART) == [None, None, "bytes=100-", "bytes=100-"]
    assert_complete(fetch.root, world)


def test_trickle_is_given_up_and_resumed(fetch, server, world):
    server.script[PART] = [{"trickle": (8, 0.05)}] * 2
    fetch(timeout=0.3)
    assert len(server.ranges(PART)) == 3
    assert_complete(fetch.root, world)


def test_trickle_for_ever(fetch, server, monkeypatch):
    monkeypatch.setattr(download, "TRIES", 2)
    server.always = {"trickle": (1, 0.1), "ranges": False, "cut": 30}
    with pytest.raises(OSError, match=r"only \d+ bytes came in 0.\d s"):
        fetch(timeout=0.3)


def test_silence(fetch, server, world):
    never = threading.Event()
    server.script[PART] = [{"hold": never}, {"trickle": (4000, 1)}]
    fetch(timeout=0.2)
    assert server.ranges(PART) == [None, None, "bytes=4000-", *server.ranges(PART)[3:]]
    assert_complete(fetch.root, world)
    never.set()


def test_said_length_too_large(fetch, server, world):
    server.script[PART] = [{"length": 1000}]
    fetch()
    n_bytes = len(world.files[PART])
    assert server.ranges(PART) == [None, f"bytes={n_bytes}-"]  # answered with 416
    assert_complete(fetch.root, world)


def test_said_length_too_small(fetch, server, world):
    server.script[PART] = [{"length": -1000}]
    with pytest.raises(OSError, match="needed is " + world.table[PART][0]):
        fetch()
    assert not list(fetch.root.glob(f"{PART}*"))
    fetch()
    assert_complete(fetch.root, world)


def test_no_length_and_a_cut(fetch, server, world):
    server.script[PART] = [{"length": None, "cut": 3000}, {"length": None}]
    fetch()
    assert_complete(fetch.root, world)


def test_wrong_digest(fetch, server, world):
    wrong = bytes(len(world.files[PART]))
    server.script[PART] = [{"body": wrong}]
    with pytest.raises(OSError) as raised:
        fetch()
    said = str(raised.value)
    assert world.table[PART][0] in said and hashlib.sha256(wrong).hexdigest() in said
    assert server.url + PART in said and "deleted" in said
    assert len(server.ranges(PART)) == 1
    assert not list(fetch.root.glob(f"{PART}*")) and not list(fetch.root.glob("?/*"))
    with pytest.raises(ValueError, match="no annotations_final"):
        corpus.open(fetch.root)
    fetch()
    assert_complete(fetch.root, world)


def test_wrong_digest_of_a_table(fetch, server, world):
    name = "annotations_final.csv"
    server.always = {}
    server.script[name] = [{"body": world.files[name].replace(b'"1"', b'"0"', 1)}]
    with pytest.raises(OSError, match="needed is " + world.table[name][0]):
        fetch()
    assert tree(fetch.root) == {}


def test_another_file_under_a_name_is_left_alone(fetch, server):
    fetch.root.mkdir()
    (fetch.root / "annotations_final.csv").write_text("mine")
    with pytest.raises(ValueError, match="is not the known file: 4 bytes"):
        fetch()
    assert tree(fetch.root) == {"annotations_final.csv": b"mine"}


@pytest.mark.parametrize("honest", [True, False])
def test_file_changes_between_two_tries(fetch, server, world, honest):
    old = bytes(len(world.files[PART]))
    server.always = {"if_range": honest}
    server.script[PART] = [
        {"body": old, "etag": '"old"', "cut": 5000},
        *[{"etag": '"new"', "cut": 9000}, {"etag": '"new"'}],
    ]
    fetch()
    asked = [known for name, _, known in server.asked if name == PART]
    assert asked == [None, '"old"', '"new"' if honest else None]
    assert_complete(fetch.root, world)


@pytest.mark.parametrize("share", [0.1, 1, 1.2])
def test_file_changes_between_two_calls(fetch, server, world, share):
    n_bytes = int(len(world.files[PART]) * share)
    fetch.root.mkdir()
    (fetch.root / f"{PART}.part").write_bytes(bytes(n_bytes))  # of another version
    fetch()
    assert server.ranges(PART) == [f"bytes={n_bytes}-", None]
    assert_complete(fetch.root, world)


def test_wrong_file_that_is_cut_ends(fetch, server, world):
    server.script[PART] = [{"body": bytes(len(world.files[PART])), "cut": 5000}] * 99
    with pytest.raises(OSError, match="needed is"):
        fetch()


def test_range_that_begins_elsewhere(fetch, server, world):
    server.script[PART] = [{"cut": 5000}, {"shift": -1000}]
    fetch()
    assert server.ranges(PART) == [None, "bytes=5000-", None]
    assert_complete(fetch.root, world)


def test_range_that_begins_elsewhere_is_not_appended(fetch, server, monkeypatch):
    monkeypatch.setattr(download, "TRIES", 2)
    server.script[PART] = [{"cut": 5000}, {"shift": -1000}]
    with pytest.raises(OSError, match="'bytes 4000-.*not from byte 5000, came"):
        fetch()


@pytest.mark.parametrize(
    ("page", "said"),
    [
        ({}, "26 bytes of text/plain are offered, about"),
        ({"length": None, "type": "text/html"}, "some bytes of text/html are offered"),
    ],
)
def test_page_of_a_login_does_not_cost_what_came(fetch, server, world, page, said):
    page = {"body": b"<html>please log in</html>", "ranges": False} | page
    server.script[PART] = [{"cut": 5000}, page]
    with pytest.raises(OSError, match=said):
        fetch()
    part = fetch.root / f"{PART}.part"
    assert part.read_bytes() == world.files[PART][:5000]


def test_endless_file(fetch, server, world):
    server.script[PART] = [{"body": bytes(10**6), "length": None}]
    with pytest.raises(OSError, match="bytes came, about"):
        fetch()
    fetch(base_url=server.url)
    assert_complete(fetch.root, world)


def test_bad_address(fetch):
    for base in ("mirror.example/mtt", "file:///tmp", "ftp://x/y", ""):
        with pytest.raises(ValueError, match="no web address; needed is http"):
            fetch(base_url=base)
    assert not fetch.root.exists()


# ---- disk, user, second process ----


def test_small_disk_is_seen_before_the_first_byte(fetch, server, world, monkeypatch):
    usage = shutil.disk_usage("/")._replace(free=100_000)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    with pytest.raises(OSError, match=r"GB more in .*, 0.000 GB are free; make room"):
        fetch()
    assert server.asked == []
    n_bytes = sum(map(len, world.files.values()))
    n_archive = sum(len(d) for n, d in world.files.items() if "zip" in n)
    enough = usage._replace(free=n_bytes + int(n_archive * 1.5) + 4096 * 45)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: enough)
    fetch()
    assert_complete(fetch.root, world)


def test_room_for_the_archive_alone_is_too_little(fetch, server, world, monkeypatch):
    n_bytes = sum(map(len, world.files.values()))
    usage = shutil.disk_usage("/")._replace(free=n_bytes + 1000)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    with pytest.raises(OSError, match="archive and clips"):
        fetch()
    assert server.asked == []


def failing(after, error, write=download._write):
    """Give a function like download._write that fails after so many bytes."""
    left = [after]

    def fail(file, data):
        write(file, bytes(data)[: left[0]])
        left[0] -= len(data)
        if left[0] <= 0:
            raise error

    return fail


FULL = OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.parametrize(
    ("error", "raises", "says"),
    [
        (FULL, OSError, "the disk is full; make room; what came is kept"),
        (KeyboardInterrupt(), KeyboardInterrupt, "stopped; what came is kept"),
    ],
)
def test_full_disk_or_interrupt_while_fetching(
    fetch, server, world, monkeypatch, error, raises, says
):
    tables = sum(len(d) for n, d in world.files.items() if "csv" in n)
    with monkeypatch.context() as patch:
        patch.setattr(download, "_write", failing(tables + 7000, error))
        with pytest.raises(raises, match=says):
            fetch()
    first = fetch.root / "mp3.zip.001.part"
    assert first.read_bytes() == world.files["mp3.zip.001"][:7000]
    assert len(server.ranges("mp3.zip.001")) == 1, "asking again would not help"
    fetch()
    assert server.ranges("mp3.zip.001")[1] == "bytes=7000-"
    assert_complete(fetch.root, world)


@pytest.mark.parametrize("error", [FULL, KeyboardInterrupt()])
def test_full_disk_or_interrupt_while_unpacking(
    fetch, server, world, monkeypatch, error
):
    left, write = [10], Path.write_bytes

    def write_half(path, data):
        left[0] -= 1
        write(path, data if left[0] else data[: len(data) // 2])
        if not left[0]:
            raise error

    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_bytes", write_half)
        with pytest.raises(type(error), match="call again"):
            fetch()
    clips = list(fetch.root.glob("?/*.mp3"))
    assert len(clips) == 9
    for path in clips:
        assert path.read_bytes() == world.clips[str(path.relative_to(fetch.root))]
    with pytest.raises(ValueError, match="no annotations_final"):
        corpus.open(fetch.root)
    server.asked.clear()
    fetch()
    assert server.asked == []
    assert_complete(fetch.root, world)


CHILD = """
import json, shutil, subprocess, sys
from tagkit.data import download
how, sizes, target = json.loads(sys.argv[1])
usage = shutil.disk_usage("/")
shutil.disk_usage = lambda _: usage  # so that only the writing itself can notice
for size in sizes:
    if subprocess.call(["mount", "-t", "tmpfs", "-o", f"size={size}", "x", "/mnt"]):
        sys.exit(77)
    try:
        download.magnatagatune(**how)
    except OSError as error:
        print(error)
    print(*download.Path("/mnt/mtt").glob("*.csv"), "are in place")
    subprocess.check_call(["mount", "-o", "remount,size=50m", "/mnt"])
    download.magnatagatune(**how)
    shutil.copytree("/mnt/mtt", f"{target}/{size}")
"""


def test_a_truly_full_disk(server, world, tmp_path):
    """A small disk, full while fetching and while unpacking, then made larger."""
    n_archive = sum(len(d) for n, d in world.files.items() if "zip" in n)
    sizes = [int(n_archive * share) // 4096 * 4096 for share in (0.5, 1.4)]
    how = {"root": "/mnt/mtt", "base_url": server.url, "files": world.table}
    child = [sys.executable, "-c", CHILD, json.dumps([how, sizes, str(tmp_path)])]
    try:
        done = run_python(["unshare", "-rm", *child])
    except FileNotFoundError:
        pytest.skip("no unshare to make a small disk with")
    if done.returncode == 77 or done.stderr.startswith("unshare"):
        pytest.skip(f"no small disk: {done.stderr}")
    assert done.returncode == 0, done.stderr
    full = "the disk is full; make room; what came is kept in /mnt/mtt: call again"
    assert done.stdout.count(full) == 2
    assert done.stdout.count("\nare in place") == 2  # no table is
    for size in sizes:
        assert_complete(tmp_path / str(size), world)


def run_python(command):
    folder = Path(__file__).parents[1]
    return subprocess.run(command, capture_output=True, text=True, cwd=folder)


def test_two_downloads_at_once(fetch, server, world):
    hold, results = threading.Event(), []
    server.script[PART] = [{"hold": hold}]
    first = threading.Thread(target=lambda: results.append(fetch()))
    first.start()
    while not server.ranges(PART):
        time.sleep(0.01)
    n_asked, before = len(server.asked), tree(fetch.root)
    with pytest.raises(
        OSError, match="another download writes to .*; wait for its end"
    ):
        fetch()
    assert len(server.asked) == n_asked and tree(fetch.root) == before
    hold.set()
    first.join()
    assert len(results) == 1
    assert_complete(fetch.root, world)
    fetch()  # the lock is free again


def test_lock_without_fcntl(fetch, monkeypatch):
    held = []

    def locking(file, mode, n_bytes):
        held.append((mode, n_bytes))
        if len(held) > 1:
            raise PermissionError(errno.EACCES, "Permission denied")

    windows = types.SimpleNamespace(LK_NBLCK=2, locking=locking)
    monkeypatch.setitem(sys.modules, "fcntl", None)
    monkeypatch.setitem(sys.modules, "msvcrt", windows)
    fetch()
    with pytest.raises(OSError, match="another download writes"):
        fetch()
    assert held == [(2, 1), (2, 1)]


ZYGOTE = """
import json, os, sys
from tagkit.data import download
download.WAIT = 0.001
for line in sys.stdin:
    if not (pid := os.fork()):
        download.magnatagatune(**json.loads(line))
        os._exit(0)
    print(pid, flush=True)
    print(os.waitpid(pid, 0)[1], flush=True)
"""


def test_killed_at_random_moments(server, world, tmp_path):
    """kill -9 on the way, often: each state goes on, and none passes for whole."""
    server.always = {"trickle": (4000, 0.003)}
    how = {"base_url": server.url, "files": world.table}
    moments, killed = random.Random(1), []
    with subprocess.Popen(
        [sys.executable, "-c", ZYGOTE],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[1],
    ) as child:
        for i in range(2):
            root, before = tmp_path / f"mtt{i}", server.n_sent
            stops = sorted(moments.sample(range(76), 9))
            while True:
                child.stdin.write(json.dumps(how | {"root": str(root)}) + "\n")
                child.stdin.flush()
                pid = int(child.stdout.readline())
                stop = stops.pop(0) if stops else 999
                while stop < 999:  # blocks that were sent, then clips
                    clips = list(root.glob("?/*.mp3"))
                    if (server.n_sent - before) // 4000 + len(clips) >= stop:
                        break
                    if (root / "annotations_final.csv").exists():
                        break
                    time.sleep(0.0005)
                if stop < 999:
                    time.sleep(moments.uniform(0, 0.003))
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGKILL)
                status = int(child.stdout.readline())
                if status == 0:
                    break
                assert status == signal.SIGKILL
                clips = list(root.glob("?/*.mp3"))
                killed.append(len(clips))
                for path in clips:
                    name = f"{path.parent.name}/{path.name}"
                    assert path.read_bytes() == world.clips[name]
                if (root / "annotations_final.csv").exists():
                    assert len(clips) == len(world.clips)
            leftover = [p for p in root.rglob("*") if p.suffix in (".part", ".tmp")]
            assert leftover == []
            assert_complete(root, world)
        child.stdin.close()
    assert len(killed) >= 8 and 0 in killed and max(killed) > 0


# ---- archives that must not be unpacked ----


def unpacked(tmp_path, data):
    """Unpack an archive in three parts; give the tree above the folder and its own."""
    root = tmp_path / "above" / "mtt"
    root.mkdir(parents=True)
    parts = [tmp_path / f"mp3.zip.00{i}" for i in (1, 2, 3)]
    for path, piece in zip(parts, cut_in_three(data), strict=True):
        path.write_bytes(piece)
    try:
        return archive.unpack(parts, root)
    finally:
        assert set(tree(tmp_path)) - {p.name for p in parts} <= {
            f"above/mtt/{name}" for name in tree(root)
        }


def member(name, mode=0o100644):
    info = zipfile.ZipInfo("x")
    info.filename = info.orig_filename = name
    info.external_attr = mode << 16
    return info


GOOD = ("a/good-0-29.mp3", b"sound" * 100)
ZEROS = bytes(5 * 10**6)
UNSAFE = {
    "absolute": ([("/tmp/x.mp3", b"x")], "leaves the folder"),
    "double slash": ([("//a/x.mp3", b"x")], "leaves the folder"),
    "up": ([("../x.mp3", b"x")], "leaves the folder"),
    "up within": ([("a/../../x.mp3", b"x")], "leaves the folder"),
    "up at the end": ([("a/..", b"x")], "leaves the folder"),
    "backslash": ([(member("a\\..\\x.mp3"), b"x")], "leaves the folder"),
    "drive": ([("C:/a/x.mp3", b"x")], "leaves the folder"),
    "drive alone": ([("c:x.mp3", b"x")], "leaves the folder"),
    "link": ([(member("a/x.mp3", 0o120777), b"/etc/passwd")], "is a link"),
    "link elsewhere": ([(member("b", 0o120777), b"/tmp")], "is a link"),
    "device": ([(member("a/x.mp3", 0o020666), b"")], "is a link or no file"),
    "double": ([GOOD, GOOD], "occurs twice"),
    "double in capitals": ([GOOD, ("a/GOOD-0-29.mp3", b"")], "occurs twice"),
    "bomb": ([("a/x.mp3", ZEROS)], "is a bomb"),
    "large": ([("a/x.mp3", random.Random(0).randbytes(1_000_001))], "is a bomb"),
    "many zeros": ([(f"a/{i}.mp3", bytes(900_000)) for i in range(3)], "is a bomb"),
    "no clip": ([("readme.txt", b"x"), ("a/x.txt", b"x")], "no member is a clip"),
}


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("kind", UNSAFE)
def test_unsafe_archive_writes_nothing(tmp_path, kind):
    members, reason = UNSAFE[kind]
    first = [] if kind == "no clip" else [("0/first-0-29.mp3", b"sound")]
    data = zipped([*first, *members], zipfile.ZIP_DEFLATED)
    with pytest.raises(ValueError, match=reason):
        unpacked(tmp_path, data)
    assert tree(tmp_path / "above") == {} and not Path("/tmp/x.mp3").exists()


def test_packing_that_is_not_usual(tmp_path):
    with pytest.raises(ValueError, match="packed unusually"):
        unpacked(tmp_path, zipped([GOOD], zipfile.ZIP_LZMA))
    assert tree(tmp_path / "above") == {}


def test_only_clips_come_out(tmp_path):
    others = ["readme.txt", "a/cover.jpg", "g/x.mp3", "a/b/x.mp3", "x.mp3", "a/ä.mp3"]
    others += ["aa/x.mp3", "a/.mp3", "a/..mp3", "a/x y.mp3", "__MACOSX/a/x.mp3"]
    data = zipped([*[(name, b"x") for name in others], GOOD])
    assert unpacked(tmp_path, data) == 1
    assert tree(tmp_path / "above" / "mtt") == dict([GOOD])


def lying(data, said):
    """Let the directory and the member's head say another size."""
    central, local = bytearray(data), data.index(b"PK\3\4")
    struct.pack_into("<I", central, data.index(b"PK\1\2") + 24, said)
    struct.pack_into("<I", central, local + 22, said)
    return bytes(central)


@pytest.mark.parametrize("said", [0, 100, 5_000, 900_000])
def test_directory_that_lies_about_sizes(tmp_path, said):
    inner = random.Random(0).randbytes(600_000)
    data = lying(zipped([(GOOD[0], inner)], zipfile.ZIP_DEFLATED), said)
    with pytest.raises(ValueError, match="cannot be unpacked"):
        unpacked(tmp_path, data)
    assert tree(tmp_path / "above") == {}


def test_lying_bomb_does_not_fill_the_memory(tmp_path):
    import tracemalloc

    data = lying(zipped([(GOOD[0], bytes(60 * 10**6))], zipfile.ZIP_DEFLATED), 1000)
    tracemalloc.start()
    with pytest.raises(ValueError, match="cannot be unpacked"):
        unpacked(tmp_path, data)
    assert tracemalloc.get_traced_memory()[1] < 10 * 10**6
    tracemalloc.stop()
    assert tree(tmp_path / "above") == {}


def test_no_room_for_the_clips(tmp_path, monkeypatch):
    usage = shutil.disk_usage("/")._replace(free=400)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    with pytest.raises(OSError, match="unpacking 1 clips needs"):
        unpacked(tmp_path, zipped([GOOD]))
    assert tree(tmp_path / "above") == {}


def test_folder_that_is_a_link(tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "above" / "mtt").mkdir(parents=True)
    (tmp_path / "above" / "mtt" / "a").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "mp3.zip").write_bytes(zipped([GOOD]))
    with pytest.raises(ValueError, match="is a link out of the folder"):
        archive.unpack([tmp_path / "mp3.zip"], tmp_path / "above" / "mtt")
    assert tree(tmp_path / "elsewhere") == {}


def test_clip_that_is_a_link_is_replaced(tmp_path):
    outside, folder = tmp_path / "outside.mp3", tmp_path / "above" / "mtt" / "a"
    outside.write_bytes(GOOD[1])
    folder.mkdir(parents=True)
    (tmp_path / "above" / "mtt" / GOOD[0]).symlink_to(outside)
    (tmp_path / "mp3.zip").write_bytes(zipped([GOOD]))
    archive.unpack([tmp_path / "mp3.zip"], folder.parent)
    path = folder.parent / GOOD[0]
    assert not path.is_symlink() and path.read_bytes() == outside.read_bytes()


def test_archive_that_is_cut_short_or_mixed_up(fetch, server, world):
    names = [name for name in world.files if "zip" in name]
    first, second, third = (world.files[name] for name in names)
    for i, pieces in enumerate(
        [(first, second, third[:-30]), (third, first, second), (first, third, b"")]
    ):
        root = fetch.root / str(i)
        files = world.files | dict(zip(names, pieces, strict=True))
        server.files = files
        with pytest.raises(ValueError, match="cannot be unpacked.*parts in order"):
            fetch(root=root, files=table_of(files))
        assert not list(root.glob("?/*")), "nothing is written"
        with pytest.raises(ValueError, match="no annotations_final"):
            corpus.open(root)


def test_missing_part(fetch, server, world):
    del server.files["mp3.zip.003"]
    with pytest.raises(OSError, match="mp3.zip.003 could not be fetched"):
        fetch()
    assert not list(fetch.root.glob("?/*"))


def test_damaged_member(tmp_path):
    data = bytearray(zipped([("a/first-0-29.mp3", b"x"), GOOD]))
    data[data.index(b"soundsound") + 3] ^= 1
    with pytest.raises(ValueError, match="Bad CRC-32"):
        unpacked(tmp_path, bytes(data))
    assert tree(tmp_path / "above" / "mtt") == {"a/first-0-29.mp3": b"x"}


def test_two_hundred_damaged_archives(tmp_path):
    """Whatever is in them: a ValueError, or exactly the clips; nothing else."""
    clips = [(f"{i:x}/clip-{i}.mp3", random.Random(i).randbytes(300)) for i in range(8)]
    good, chance = zipped(clips, zipfile.ZIP_DEFLATED), random.Random(0)
    outcomes = set()
    for i in range(200):
        data = bytearray(good)
        where = chance.choice([0, len(data) - 700])  # often in the directory
        for _ in range(chance.randrange(1, 6)):
            data[chance.randrange(where, len(data))] = chance.randrange(256)
        if i % 4 == 0:
            data = data[: chance.randrange(len(data))]
        try:
            unpacked(tmp_path / str(i), bytes(data))
        except ValueError as error:
            assert "cannot be unpacked" in str(error)
            outcomes.add("refused")
        else:
            outcomes.add("unpacked")
        root = tmp_path / str(i) / "above" / "mtt"
        contents = {data for _, data in clips}
        assert all(d in contents for n, d in tree(root).items() if n[-4:] == ".mp3")
    assert outcomes == {"refused", "unpacked"}


def test_clips_are_on_the_disk_before_anything_says_so(fetch, world, monkeypatch):
    states = []
    monkeypatch.setattr(os, "sync", lambda: states.append(set(tree(fetch.root))))
    fetch(keep_archive=False)
    (state,) = states
    assert set(world.clips) < state
    assert "mp3.zip.001" in state and "annotations_final.csv" not in state


def test_tables_of_another_corpus_are_not_put_in_place(fetch, server, world, tmp_path):
    write_tables(tmp_path, ["a/nowhere-0-29.mp3", EMPTY], {"loud": [0, 1]})
    tables = {n: (tmp_path / n).read_bytes() for n in world.files if "csv" in n}
    server.files |= tables
    with pytest.raises(ValueError, match="1 of the 2 clips in .*a/nowhere-0-29.mp3"):
        fetch(files=table_of(world.files | tables))
    assert not list(fetch.root.glob("*.csv"))
