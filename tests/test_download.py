"""Downloading: whole, verified and unpacked, whatever the server, disk or user do.

A server on this machine serves a corpus of 40 small clips, cut into three parts.
"""

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
import subprocess
import sys
import threading
import types
import zipfile
from pathlib import Path

import pytest

from conftest import MTT, write_tables
from tagkit import cli
from tagkit.data import annotations, corpus, download

EMPTY = corpus.EMPTY_CLIPS[35644]
PART = "mp3.zip.002"
GUARD = 300  # seconds until a hanging test ends


class Handler(http.server.BaseHTTPRequestHandler):
    """Does what the server's `script` says for the next request of a file.

    status: answer with it. body: instead of the file. ranges: False ignores them.
    shift: added to the start of a range. cut: close after so many bytes. hold: an
    event to wait for. hold_after: bytes to send before.
    """

    def log_message(self, *_):
        pass

    def do_GET(self):
        owner = self.server.owner
        name = self.path.rsplit("/", 1)[1]
        steps = owner.script.get(name)
        how = owner.always | (steps.pop(0) if steps else {})
        wanted = self.headers["Range"]
        owner.asked.append((name, wanted))
        body = how.get("body", owner.files.get(name))
        if "status" in how or body is None:
            self.send_response(how.get("status", 404))
            self.end_headers()
            return
        start = 0
        if wanted and how.get("ranges", True):
            start = int(wanted.removeprefix("bytes=").removesuffix("-"))
            if start >= len(body):
                self.send_error(416)
                return
            start += how.get("shift", 0)
            self.send_response(206)
            content_range = f"bytes {start}-{len(body) - 1}/{len(body)}"
            self.send_header("Content-Range", content_range)
        else:
            self.send_response(200)
        self.send_header("Content-Length", str(len(body) - start))
        self.end_headers()
        body = body[start:][: how.get("cut")]
        n_first = how.get("hold_after", len(body))
        try:
            owner.n_sent += n_first
            self.wfile.write(body[:n_first])
            if "hold" in how:
                owner.holding.set()
                how["hold"].wait(GUARD)
                self.wfile.write(body[n_first:])
        except OSError:
            pass  # the other side went away


class Server:
    def __init__(self, files):
        self.files = dict(files)
        self.script = {}
        self.always = {}
        self.asked = []
        self.n_sent = 0
        self.holding = threading.Event()
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.owner = self
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}/mtt/"
        threading.Thread(target=self.server.serve_forever, args=(0.01,)).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()

    def ranges(self, name):
        return [wanted for asked, wanted in self.asked if asked == name]


def zipped(members):
    """Give the bytes of a zip archive; members are (name, bytes)."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as target:
        for name, data in members:
            target.writestr(name, data)
    return file.getvalue()


def in_three_parts(data):
    third = len(data) // 3 + 7
    pieces = [data[:third], data[third : 2 * third], data[2 * third :]]
    return dict(zip(download.PARTS, pieces, strict=True))


def digest(data):
    return hashlib.sha256(data).hexdigest()


def pin(monkeypatch, files):
    """Let the download know these files instead of MagnaTagATune's."""
    for name, data in files.items():
        monkeypatch.setitem(download.SHA256, name, digest(data))
        monkeypatch.setitem(download.BYTES, name, len(data))


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """The files of a server, and the clips that must come out: path -> bytes."""
    folder = tmp_path_factory.mktemp("world")
    noise = random.Random(0)
    clips = {EMPTY: b""}
    for i in range(40):
        path = f"{i % 16:x}/artist-album-{i:02}-title-0-29.mp3"
        clips[path] = noise.randbytes(noise.randrange(2000, 6000))
    write_tables(folder, list(clips), {"loud": [i % 2 for i in range(len(clips))]})
    files = {name: (folder / name).read_bytes() for name in download.TABLES}
    members = [("0/", b""), ("readme.txt", b"hello"), *clips.items()]
    files |= in_three_parts(zipped(members))
    return types.SimpleNamespace(files=files, clips=clips)


@pytest.fixture
def server(world):
    server = Server(world.files)
    yield server
    server.close()


@pytest.fixture
def fetch(server, world, tmp_path, monkeypatch):
    """Call the download; keywords replace arguments."""

    def fetch(**options):
        options = {"root": fetch.root, "base_url": server.url} | options
        return download.magnatagatune(**options)

    pin(monkeypatch, world.files)
    monkeypatch.setattr(download, "WAIT", 0)
    fetch.root = tmp_path / "mtt"
    return fetch


def tree(folder):
    """Every file below a folder with its bytes, the lock left out."""
    files = (p for p in folder.rglob("*") if p.is_file() and p.name[0] != ".")
    return {str(p.relative_to(folder)): p.read_bytes() for p in files}


def assert_complete(root, world, parts=True):
    names = download.TABLES + download.PARTS if parts else download.TABLES
    assert tree(root) == world.clips | {name: world.files[name] for name in names}


def assert_not_a_corpus(root):
    with pytest.raises(ValueError, match="no annotations_final"):
        corpus.open(root)


# ---- a good server ----


def test_whole_download_is_the_named_corpus(
    fetch, server, world, tmp_path, monkeypatch
):
    monkeypatch.setattr(corpus, "DATA", tmp_path)
    opened = fetch(root=None)
    assert_complete(tmp_path / "magnatagatune", world)
    assert sorted(server.asked) == sorted((name, None) for name in world.files)
    again = corpus.open("magnatagatune")
    assert len(opened.clips) == len(again.clips) == 40  # the empty one is left out


def test_the_command_downloads(fetch, server, world, capsys):
    address = ["--root", str(fetch.root), "--base-url", server.url]
    assert cli.main(["download", "magnatagatune", *address, "--delete-archive"]) == 0
    assert str(fetch.root) in capsys.readouterr().out
    assert_complete(fetch.root, world, parts=False)


@pytest.mark.parametrize("keep", [True, False])
def test_second_call_fetches_and_writes_nothing(fetch, server, world, keep):
    fetch(keep_archive=keep)
    server.asked.clear()
    before = {p: p.stat().st_ino for p in fetch.root.rglob("*.mp3")}
    fetch(keep_archive=keep)
    assert server.asked == []
    assert {p: p.stat().st_ino for p in fetch.root.rglob("*.mp3")} == before
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
    clips[3].unlink()
    data = bytearray(clips[5].read_bytes())
    data[-1] ^= 1
    clips[5].write_bytes(data)
    fetch()
    assert server.asked == []
    assert_complete(fetch.root, world)


def test_bar_has_rate_and_time_left_but_not_without_a_terminal(
    fetch, capsys, monkeypatch
):
    fetch()
    assert capsys.readouterr() == ("", "")
    shutil.rmtree(fetch.root)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    fetch()
    shown = capsys.readouterr().err
    assert PART in shown and "B/s" in shown and "<" in shown and "unpack" in shown


@pytest.mark.skipif(not MTT.is_dir(), reason="no real tables")
def test_the_real_tables_have_the_known_digests_and_name_clips():
    for name in download.TABLES:
        data = gzip.decompress((MTT / f"{name}.gz").read_bytes())
        assert digest(data) == download.SHA256[name]
        assert len(data) == download.BYTES[name]
    paths = annotations.read(MTT / "annotations_final.csv.gz")["mp3_path"]
    assert len(set(paths.str.lower())) == 25_863  # also where capitals are the same
    assert all(download.CLIP.fullmatch(path) for path in paths)


# ---- servers that fail ----


@pytest.mark.parametrize("seed", range(4))
def test_busy_then_cut_at_random_places(fetch, server, world, seed):
    places = random.Random(seed)
    for name, data in world.files.items():
        # More often than a server that stands still would be asked.
        cuts = [places.randrange(1, len(data) // 9) for _ in range(8)]
        busy = [{"status": status} for status in (500, 429, 503)]
        server.script[name] = busy + [{"cut": n_bytes} for n_bytes in cuts]
    fetch()
    assert_complete(fetch.root, world)
    # Nothing came twice: each try asked for what was still missing.
    assert server.n_sent == sum(map(len, world.files.values()))


def test_cut_in_two_calls(fetch, server, world):
    server.script[PART] = [{"cut": 5000}, *[{"status": 503}] * download.TRIES]
    with pytest.raises(OSError, match="5000 bytes of it are kept") as raised:
        fetch()
    assert "HTTP 503" in str(raised.value)
    assert_not_a_corpus(fetch.root)
    server.asked.clear()
    fetch()
    assert server.ranges(PART) == ["bytes=5000-"]
    assert_complete(fetch.root, world)


def test_server_without_ranges(fetch, server, world):
    server.always = {"ranges": False}
    server.script = {name: [{"cut": 200}, {"cut": 100}] for name in world.files}
    fetch()
    assert_complete(fetch.root, world)


def test_server_that_cuts_at_one_place_for_ever_is_given_up(fetch, server):
    server.always = {"ranges": False, "cut": 300}
    with pytest.raises(OSError, match="the connection ended after 300 bytes"):
        fetch()
    assert len(server.asked) == 1 + download.TRIES


@pytest.mark.parametrize("status", [404, 403])
def test_missing_file(fetch, server, status):
    server.script[PART] = [{"status": status}] * 9
    with pytest.raises(OSError) as raised:
        fetch()
    assert len(server.ranges(PART)) == 1, "asking again would not help"
    for word in (f"{server.url}{PART}: HTTP {status}", "huggingface", str(fetch.root)):
        assert word in str(raised.value)
    assert not list(fetch.root.glob("?/*"))


def test_second_address_goes_on_where_the_first_stopped(fetch, server, world):
    other = Server(world.files)
    other.script[PART] = [{"cut": 5000}, *[{"status": 500}] * 9]
    try:
        fetch(base_url=(other.url, server.url))
    finally:
        other.close()
    # And the better one is asked first from then on.
    assert server.asked == [(PART, "bytes=5000-"), ("mp3.zip.003", None)]
    assert other.ranges("mp3.zip.003") == []
    assert_complete(fetch.root, world)


def test_nobody_answers(fetch):
    dead = Server({})
    dead.close()
    with pytest.raises(OSError, match="(?s)127.0.0.1.*refused.*huggingface"):
        fetch(base_url=dead.url)
    assert tree(fetch.root) == {}


@pytest.mark.parametrize("n_bytes", [0, 4000])
def test_silence_is_given_up_and_resumed(fetch, server, world, monkeypatch, n_bytes):
    monkeypatch.setattr(download, "TIMEOUT", 1)
    never = threading.Event()
    server.script[PART] = [{"hold": never, "hold_after": n_bytes}]
    fetch()
    assert server.holding.is_set() and len(server.ranges(PART)) > 1
    assert_complete(fetch.root, world)
    never.set()


@pytest.mark.parametrize("name", [PART, "annotations_final.csv"])
def test_wrong_digest(fetch, server, world, name):
    wrong = bytes(len(world.files[name]))
    server.script[name] = [{"body": wrong}]
    with pytest.raises(OSError) as raised:
        fetch()
    for word in (digest(wrong), digest(world.files[name]), server.url + name):
        assert word in str(raised.value)
    assert len(server.ranges(name)) == 1
    assert not list(fetch.root.glob(f"{name}*")) and not list(fetch.root.glob("?/*"))
    assert_not_a_corpus(fetch.root)
    fetch()
    assert_complete(fetch.root, world)


@pytest.mark.parametrize("share", [0.1, 1, 1.2])
def test_piece_of_another_version_is_thrown_away(fetch, server, world, share):
    n_bytes = int(len(world.files[PART]) * share)
    fetch.root.mkdir()
    (fetch.root / f"{PART}.part").write_bytes(bytes(n_bytes))
    fetch(base_url=(server.url, server.url))
    assert server.ranges(PART) == [f"bytes={n_bytes}-", None]
    assert_complete(fetch.root, world)


def test_another_file_under_a_name_is_left_alone(fetch):
    fetch.root.mkdir()
    (fetch.root / "annotations_final.csv").write_text("mine")
    with pytest.raises(ValueError, match="is not the known file"):
        fetch()
    assert tree(fetch.root) == {"annotations_final.csv": b"mine"}


def test_range_that_begins_elsewhere_is_not_appended(fetch, server, world):
    server.script[PART] = [{"cut": 5000}, {"shift": -1000}]
    fetch()
    assert server.ranges(PART) == [None, "bytes=5000-", None]
    assert_complete(fetch.root, world)


# ---- disk, user, second process ----


def set_free(monkeypatch, n_bytes):
    usage = shutil.disk_usage("/")._replace(free=n_bytes)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)


def test_room_for_the_archive_alone_is_too_little(fetch, server, world, monkeypatch):
    n_archive = sum(len(world.files[name]) for name in download.PARTS)
    set_free(monkeypatch, n_archive + 1000)
    needs = r"archive and clips\) needs 0.\d+ GB more in .*, 0.\d+ GB are free"
    with pytest.raises(OSError, match=needs):
        fetch()
    assert {name for name, _ in server.asked} == set(download.TABLES)
    set_free(monkeypatch, n_archive * 2.1)
    fetch()
    set_free(monkeypatch, 0)
    fetch()  # nothing is missing, so no room is needed
    assert_complete(fetch.root, world)


def test_full_disk_while_fetching(fetch, server, world, monkeypatch):
    part = fetch.root / f"{PART}.part"
    server.script[PART] = [{"cut": 7000}]

    def update(bar, n_bytes):  # is called after each block
        if part.exists():
            raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(download.tqdm, "update", update)
        with pytest.raises(OSError, match="No space left"):
            fetch()
    n_bytes = part.stat().st_size
    fetch()
    # In the first call, asking again would not have helped.
    assert server.ranges(PART) == [None, f"bytes={n_bytes}-"]
    assert_complete(fetch.root, world)


def test_two_downloads_at_once(fetch, server, world):
    release = threading.Event()
    results = []
    server.script[PART] = [{"hold": release, "hold_after": 1000}]
    first = threading.Thread(target=lambda: results.append(fetch()))
    first.start()
    assert server.holding.wait(GUARD)
    n_asked = len(server.asked)
    with pytest.raises(OSError, match="another download writes to"):
        fetch()
    assert len(server.asked) == n_asked
    release.set()
    first.join()
    assert len(results) == 1
    assert_complete(fetch.root, world)
    fetch()  # the lock is free again


def test_stopped_while_files_get_their_final_names(fetch, server, world):
    fetch()
    for name in (*download.TABLES, "mp3.zip.003"):
        (fetch.root / name).rename(fetch.root / f"{name}.part")
    server.asked.clear()
    fetch()
    assert server.asked == []
    assert_complete(fetch.root, world)


# Forks a download for each number, which kills itself at that event: a block received,
# half a clip written, before and after a file gets its final name.
FORKS = """
import json, os, signal, sys
from pathlib import Path
from tagkit.data import download

left = 0
write, replace = Path.write_bytes, os.replace

def event(*_):
    global left
    left -= 1
    if left == 0:
        os.kill(os.getpid(), signal.SIGKILL)

def write_bytes(path, data):
    write(path, data[: len(data) // 2])
    event()
    write(path, data)

def replace_and_tell(old, new):
    event()
    replace(old, new)
    event()

download.tqdm.update = event
Path.write_bytes = write_bytes
os.replace = replace_and_tell
download.SHA256, download.BYTES, options = json.loads(sys.argv[1])
for line in sys.stdin:
    if not (pid := os.fork()):
        left = int(line)
        download.magnatagatune(**options)
        os._exit(0)
    print(os.waitpid(pid, 0)[1], flush=True)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.parametrize("events", [(1, 2, 4, 8, 40, 33), (3, 5, 60, 70, 3, 4, 5, 6)])
def test_killed_and_called_again(fetch, server, world, events):
    """kill -9 on the way, often: each state goes on, and none passes for whole."""
    options = {"root": str(fetch.root), "base_url": server.url}
    about = json.dumps([download.SHA256, download.BYTES, options])
    with subprocess.Popen(
        [sys.executable, "-c", FORKS, about],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[1],
    ) as child:
        outcomes = []
        for n_events in (*events, 10**9):
            print(n_events, file=child.stdin, flush=True)
            outcomes.append(int(child.stdout.readline()))
            files = tree(fetch.root)
            clips = {name: data for name, data in files.items() if name[-4:] == ".mp3"}
            assert clips.items() <= world.clips.items()
            if "annotations_final.csv" in files:
                assert clips == world.clips
        child.stdin.close()
    assert outcomes[-1] == 0 and outcomes.count(signal.SIGKILL) >= len(events) - 3
    assert_complete(fetch.root, world)


# ---- what comes out of an archive ----


def test_only_clips_come_out(fetch, server, world, monkeypatch):
    names = ["../x.mp3", "/a/x.mp3", "a/../../x.mp3", "a\\..\\x.mp3", "C:/a/x.mp3"]
    names += ["readme.txt", "a/cover.jpg", "g/x.mp3", "a/b/x.mp3", "x.mp3", "a/ä.mp3"]
    names += ["aa/x.mp3", "a/.mp3", "a/..mp3", "a/x y.mp3", "__MACOSX/a/x.mp3"]
    others = [(name, b"x") for name in names]
    server.files |= in_three_parts(zipped([*others, *world.clips.items()]))
    pin(monkeypatch, server.files)
    fetch()
    assert {n for n in tree(fetch.root) if n not in server.files} == set(world.clips)
    assert [p.name for p in fetch.root.parent.iterdir()] == ["mtt"]


def test_clips_are_on_the_disk_before_anything_says_so(fetch, world, monkeypatch):
    states = []
    monkeypatch.setattr(os, "sync", lambda: states.append(set(tree(fetch.root))))
    fetch(keep_archive=False)
    (state,) = states
    assert set(world.clips) < state and not state & set(download.TABLES)
    assert all(f"{name}.part" in state for name in world.files)
