"""Many files: each once and whole, however often and wherever the run is stopped."""

import csv
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import mutagen
import numpy as np
import pytest

from tagkit import cli
from tagkit.data import audio, corpus
from tagkit.evaluation import predict, tagging
from tagkit.training import checkpoints

NETWORK = "mini/DielemanRaw"
TAGS = ["guitar", "no, vocals", 'so "called"', "two\nlines"]
ODD = (
    b'comma, and "quotes".wav',
    b"new\nline.wav",
    b"carriage\rreturn.wav",
    b"latin-\xe9\xff.wav",
    "snow \N{SNOWMAN}.wav".encode(),
    b" [space], {and} tab\t.wav",
)


@pytest.fixture
def music(tmp_path):
    """Sixteen sounds of a second, six with strange names, and a picture."""
    folder = tmp_path / "music"
    (folder / "deep").mkdir(parents=True)
    rng = np.random.default_rng(0)
    for i in range(16):
        noise = (0.1 * rng.standard_normal(16_000)).clip(-1, 1).astype(np.float32)
        name = ODD[i] if i < len(ODD) else f"deep/{i}.wav".encode()
        path = os.path.join(os.fsencode(folder), name)
        with open(path, "wb") as file:
            file.write(audio.encode(noise, kind="wav"))
    (folder / "cover.jpg").write_bytes(b"a picture")
    return folder


def names_in(path):
    """The names in a file of scores, read as others would read it."""
    if path.suffix == ".csv":
        how = {"newline": "", "encoding": "utf-8", "errors": "surrogateescape"}
        with path.open(**how) as file:
            rows = list(csv.DictReader(file))
        assert all(None not in row.values() for row in rows)  # none is short
    elif path.suffix == ".json":
        rows = json.loads(path.read_text())
    else:
        rows = [json.loads(line) for line in path.read_text().splitlines()]
    assert all(0 <= float(row["guitar"]) <= 1 for row in rows)
    return [row["file"] for row in rows]


def sounds_in(folder):
    return sorted(str(path) for path in folder.rglob("*.wav"))


def tag(*words):
    return cli.main(["tag", "--network", NETWORK, *map(str, words)])


@pytest.mark.parametrize("suffix", [".csv", ".json", ".jsonl"])
def test_a_run_that_is_stopped_five_times_has_each_file_once(
    music, tmp_path, suffix, monkeypatch, capsys
):
    out, tag_file, n_left = tmp_path / f"tags{suffix}", predict.tag_file, 0

    def until_stopped(*args, **how):
        nonlocal n_left
        if n_left == 0:
            raise KeyboardInterrupt
        n_left -= 1
        return tag_file(*args, **how)

    monkeypatch.setattr(predict, "tag_file", until_stopped)
    n_before = 0
    for n_left in (0, 3, 5, 1, 2):
        n_wanted = n_left
        assert tag(music, "--out", out) == 130
        assert "tag --write go on when called again" in capsys.readouterr().err
        names = names_in(out)  # JSON is closed
        assert len(names) == len(set(names)) == n_before + n_wanted
        n_before = max(0, len(names) - 1)
        if names:  # as if the machine had stopped in the middle of a row
            out.write_bytes(out.read_bytes()[:-6])
    monkeypatch.setattr(predict, "tag_file", tag_file)
    assert tag(music, "--out", out) == 0
    assert sorted(names_in(out)) == sounds_in(music)
    err = capsys.readouterr().err
    assert f"{n_before} of 16 were in {out} already" in err
    n = 16 - n_before
    assert "no sound: 1\n" in err and f"{n} of {n} files" in err
    before = out.read_bytes()
    monkeypatch.setattr(predict, "tag_file", None)  # what is there is not computed
    assert tag(music, "--out", out) == 0 and out.read_bytes() == before


@pytest.mark.skipif(os.name != "posix", reason="signals")
def test_json_is_closed_by_any_signal(music, tmp_path):
    out = tmp_path / "tags.json"
    for i in range(6, 16):  # enough for two stops
        for copy in range(6):
            shutil.copy(music / f"deep/{i}.wav", music / f"deep/{i}-{copy}.wav")
    command = [sys.executable, "-m", "tagkit", "tag", "--network", NETWORK]
    command += [str(music), "--out", str(out)]
    env = os.environ | {"OMP_NUM_THREADS": "1"}  # little work for two
    n_before = 0
    for how, code in ((signal.SIGINT, 130), (signal.SIGKILL, -9)):
        with subprocess.Popen(command, stderr=subprocess.DEVNULL, env=env) as process:
            size = out.stat().st_size if out.exists() else 0
            while process.poll() is None:
                if out.exists() and out.stat().st_size > size + 3000:
                    process.send_signal(how)
                    break
                time.sleep(0.01)
        assert process.returncode == code
        names = names_in(out)
        assert n_before < len(names) < 6 + 10 * 7
        n_before = len(names)
    assert tag(music, "--out", out) == 0
    assert sorted(names_in(out)) == sounds_in(music)


@pytest.mark.parametrize("format", ["csv", "json", "jsonl"])
@pytest.mark.parametrize("timeline", [False, True])
def test_a_file_cut_anywhere_is_mended(tmp_path, format, timeline):
    names = [os.fsdecode(name) for name in ODD[:4]]
    columns = ["file", *(["seconds"] if timeline else []), *TAGS]
    rng = np.random.default_rng(0)

    def rows(name):
        scores = {tag: round(float(rng.random()), 4) for tag in TAGS}
        times = [{"seconds": 1.5}, {"seconds": 4.5}] if timeline else [{}]
        return [{"file": name} | time | scores for time in times]

    table = {name: rows(name) for name in names}
    whole = tmp_path / f"whole.{format}"

    def write(path):
        output = tagging.Output(format, columns, path)
        todo = [name for name in names if name not in output.done]
        for name in todo:
            output.write(table[name])
        output.close()
        return len(todo)

    assert write(whole) == 4
    data = whole.read_bytes()
    if format != "csv":
        data.decode("ascii")
    path, counts = tmp_path / f"cut.{format}", []
    for n in range(len(data) + 1):
        path.write_bytes(data[:n])
        counts.append(write(path))
        assert path.read_bytes() == data, f"cut at byte {n}"
    assert counts == sorted(counts, reverse=True) and counts[0] == 4
    # The windows of the last file may not be all; one that is whole costs no more.
    assert counts[-1] == (1 if timeline else 0)


@pytest.mark.parametrize("format", ["csv", "json", "jsonl"])
def test_a_file_of_something_else_is_left_alone(tmp_path, format):
    path = tmp_path / f"mine.{format}"
    other = tagging.Output(format, ["file", "flute"], tmp_path / "other")
    other.write([{"file": "a.mp3", "flute": 0.5}])
    other.close()
    line = tagging.Output(format, ["file", "seconds", *TAGS], tmp_path / "line")
    line.write([{"file": "a.mp3", "seconds": 1.5} | dict.fromkeys(TAGS, 0.5)])
    line.close()
    for data in (
        b"my notes",
        b'{"title": "my notes"}\n',
        (tmp_path / "other").read_bytes(),
        (tmp_path / "line").read_bytes(),
    ):
        path.write_bytes(data)
        with pytest.raises(ValueError, match="name another file"):
            tagging.Output(format, ["file", *TAGS], path)
        assert path.read_bytes() == data


def test_a_broken_row_in_the_middle_is_not_cut_off(tmp_path):
    path = tmp_path / "tags.csv"
    path.write_text("file,guitar\na.mp3,0.5\nb.mp3\nc.mp3,0.5\n")
    with pytest.raises(ValueError, match="1 fields, needed are 2"):
        tagging.Output("csv", ["file", "guitar"], path)
    path.write_text("[\n" + '{"file": "a.mp3", "guitar": 0.5}\n,{"file"\n]\n')
    with pytest.raises(ValueError, match="name another file"):
        tagging.Output("json", ["file", "guitar"], path)


def test_top_and_threshold_leave_tags_out(music, tmp_path, capsys):
    file = music / "deep" / "9.wav"
    assert tag(file, "--format", "jsonl") == 0
    row = json.loads(capsys.readouterr().out)
    assert row.pop("file") == str(file) and len(row) == 50
    best = sorted(row, key=row.get, reverse=True)
    level = row[best[2]]  # that three tags reach

    assert tag(file, "--format", "json", "--top", 4, "--threshold", level) == 0
    (some,) = json.loads(capsys.readouterr().out)
    assert list(some) == ["file", *best[:3]] and some[best[0]] == row[best[0]]

    assert tag(file, "--out", tmp_path / "a.csv", "--threshold", level) == 0
    with (tmp_path / "a.csv").open() as lines:
        (cells,) = csv.DictReader(lines)
    assert [t for t, cell in cells.items() if cell] == [
        name for name in cells if name == "file" or name in best[:3]
    ]
    assert len(cells) == 51

    capsys.readouterr()
    assert tag(file) == tag(file, "--threshold", 1) == 0
    shown, nothing = capsys.readouterr().out.splitlines()
    assert shown.count(", ") == 4 and f"{best[0]} {row[best[0]]:.2f}" in shown
    assert nothing == f"{file}: no tag"


def test_embeddings_are_continued_beside_the_scores(music, tmp_path, monkeypatch):
    files, out = sorted(music.glob("*.wav")), tmp_path / "new" / "tags.jsonl"
    npz = tmp_path / "new" / "vectors.npz"
    assert tag(*files[:2], "--out", out) == 0  # scores only
    assert tag(*files[:3], "--out", out, "--embeddings", npz) == 0
    assert names_in(out) == [str(path) for path in files[:3]]
    monkeypatch.setattr(tagging.time, "monotonic", lambda: 0)
    assert tag(*files, "--out", out, "--embeddings", npz) == 0
    assert names_in(out) == [str(path) for path in files]
    model, _ = checkpoints.load(NETWORK)
    with np.load(npz) as held:
        assert held["files"].tolist() == [str(path) for path in files]
        np.testing.assert_allclose(
            held["embeddings"], predict.embeddings(model, files), atol=1e-6
        )
    with pytest.raises(ValueError, match="are of mini/K2C2; name another file"):
        tagging.Embeddings(npz, "mini/K2C2")
    with pytest.raises(ValueError, match="no embeddings of tagkit tag"):
        tagging.Embeddings(out, NETWORK)


@pytest.mark.parametrize(("line", "overlap"), [(False, 0), (True, 0.5)])
def test_scores_and_embedding_come_of_one_pass(music, monkeypatch, line, overlap):
    model, made = checkpoints.load(NETWORK)
    file, tags = music / "deep" / "9.wav", made["tags"]
    audio.write(file, np.resize(audio.load(file), 100_000))  # three windows
    if line:
        scores = predict.timeline(model, file, tags, overlap=overlap)
    else:
        scores = predict.tag_file(model, file, tags, overlap=overlap)
    (vector,) = predict.embeddings(model, file, overlap=overlap)
    loaded, load = [], audio.load
    monkeypatch.setattr(audio, "load", lambda *a: loaded.append(a) or load(*a))
    job = tagging.Job(file, rows=True, embedding=True)
    how = {"timeline": line, "overlap": overlap}
    (done,) = tagging.tag(model, tags, [job], **how)
    assert len(loaded) == 1
    np.testing.assert_allclose(done.embedding, vector, atol=1e-6)
    wanted = scores.to_numpy() if line else scores[tags].to_numpy()[None]
    found = [[row[tag] for tag in tags] for row in done.rows]
    np.testing.assert_allclose(found, wanted, atol=6e-5)  # of four digits
    with pytest.raises(ValueError, match="50 outputs, you gave 2 tags"):
        predict.tag_and_embed(model, file, ["a", "b"])


def test_what_is_no_sound_is_named_and_the_rest_goes_on(music, tmp_path, capsys):
    (music / "broken.mp3").write_bytes(b"no sound at all" * 99)
    data = (music / "deep" / "9.wav").read_bytes()
    (music / "deep" / "10.wav").write_bytes(data[: len(data) * 2 // 3] * 2)
    out, npz = tmp_path / "tags.csv", tmp_path / "vectors.npz"
    for said in ("16 of 17", "0 of 1"):  # a second run tries what failed again
        assert tag(music, "--out", out, "--embeddings", npz) == 1
        err = capsys.readouterr().err
        assert "broken.mp3 is not audio" in err and f"{said} files" in err
        assert len(names_in(out)) == len(np.load(npz)["files"]) == 16


@pytest.mark.skipif(os.name != "posix", reason="limits of a process")
@pytest.mark.parametrize("format", ["csv", "json", "jsonl"])
def test_a_full_disk_leaves_whole_rows(tmp_path, format):
    out = tmp_path / f"tags.{format}"
    script = f"""
import resource, signal
from pathlib import Path
from tagkit.evaluation import tagging
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
output = tagging.Output({format!r}, ["file", "guitar", "slow"], Path({str(out)!r}))
for i in range(100):
    output.write([{{"file": f"{{i}}.wav", "guitar": 0.25, "slow": 0.5}}])
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True
    )
    assert "OSError" in done.stderr and out.stat().st_size <= 1000
    names = names_in(out)
    assert len(names) > 10 and names == [f"{i}.wav" for i in range(len(names))]
    again = tagging.Output(format, ["file", "guitar", "slow"], out)
    assert again.done == set(names)
    again.close()


@pytest.mark.parametrize("data", [b"", b"\x93NUMPY", b"PK\x03\x04"])
def test_what_holds_no_embeddings_is_refused_at_once(tmp_path, data):
    (tmp_path / "e.npz").write_bytes(data)
    with pytest.raises(ValueError, match="no embeddings of tagkit tag"):
        tagging.Embeddings(tmp_path / "e.npz", NETWORK)
    with pytest.raises(OSError):
        tagging.Embeddings(tmp_path / "e.npz" / "e.npz", NETWORK)


def test_several_at_a_time_give_the_same_in_the_same_order(music):
    model, made = checkpoints.load(NETWORK)
    files = tagging.find([music])
    jobs = [tagging.Job(path, rows=True, embedding=True) for path in files[:6]]
    one, two = (
        list(tagging.tag(model, made["tags"], jobs, processes=n)) for n in (1, 2)
    )
    for a, b in zip(one, two, strict=True):
        assert a.path == b.path
        np.testing.assert_allclose(a.embedding, b.embedding, atol=1e-5)
        first, second = a.rows[0], b.rows[0]
        assert first["file"] == second["file"] == str(a.path)
        for name in made["tags"]:
            assert abs(first[name] - second[name]) < 2e-4


def genre(path):
    tags = mutagen.File(path).tags or {}
    return tags["TCON"].text if "TCON" in tags else []


def test_tags_are_written_into_the_files(music, capsys):
    folder = music / "deep"
    assert tag(folder, "--top", 2, "--format", "jsonl") == 0
    rows = map(json.loads, capsys.readouterr().out.splitlines())
    best = {Path(row.pop("file")): list(row) for row in rows}
    (folder / "broken.mp3").write_bytes(b"no sound at all" * 99)
    shutil.copy(folder / "9.wav", folder / "read-only.wav").chmod(0o444)
    for dry in (["--dry-run"], []):
        assert [genre(path) for path in best] == [[]] * 10
        assert tag(folder, "--write", "--top", 2, *dry) == 1
        out, err = capsys.readouterr()
        assert "broken.mp3 is not audio" in err and "wav is read-only" in err
        for path, names in best.items():
            assert f"{path}: no genre -> {'; '.join(names)}\n" in out
        how = "would be" if dry else "are"
        assert f"10 of 11 files {how} changed\n" in err
    assert {path: genre(path) for path in best} == best


def test_what_is_written_is_replaced_and_taken_out(music, capsys):
    folder = music / "deep"
    assert tag(folder, "--write", "--top", 2) == 0
    opened = mutagen.File(folder / "9.wav")
    opened["TCON"].text = ["Polka"]
    opened.save()
    capsys.readouterr()
    assert tag(folder, "--write", "--threshold", 1) == 0  # no tag is so sure
    out, err = capsys.readouterr()
    assert (
        "9.wav: Polka stays" in out and out.count("-> no genre (no tag reached 1)") == 9
    )
    assert "9 of 10 files are changed; 1 keep the genre" in err
    assert tag(folder, "--write", "--threshold", 1, "--overwrite") == 0
    out, err = capsys.readouterr()
    assert "9.wav: Polka stays" in out and out.count(": no tag reached 1\n") == 9
    assert tag(folder, "--write", "--top", 1, "--overwrite") == 0
    for n_changed in (10, 0):
        if n_changed:
            assert tag(folder, "--remove", "--dry-run") == 0
            assert "10 of 10 files would be changed" in capsys.readouterr().err
        assert tag(folder, "--remove") == 0
        assert f"{n_changed} of 10 files are changed" in capsys.readouterr().err


@pytest.mark.parametrize(
    "words",
    [
        "x --write",
        "x --write --top 2 --out tags.csv",
        "x --write --top 2 --remove",
        "x --overwrite",
        "x --dry-run",
    ],
)
def test_write_without_what_it_needs_is_a_mistyped_command(words, capsys):
    assert tag(*words.split()) == 2
    assert "--" in capsys.readouterr().err


def test_files_are_found_once(music, capsys):
    (music / ".hidden.wav").write_bytes(b"")
    first = Path(sounds_in(music)[0])
    files = tagging.find([first, music, music / "nothing.wav", first])
    assert "that are no sound: 1\n" in capsys.readouterr().err
    assert files[0] == first and files[-1] == music / "nothing.wav"
    assert len(files) == len(set(files)) == 17
    ways = [music, music / "deep" / "..", Path(os.path.relpath(music))]
    assert tagging.find(ways) == tagging.find([music])


def test_a_file_is_known_by_any_way_to_it(music, tmp_path, monkeypatch, capsys):
    scores, vectors = tmp_path / "tags.csv", tmp_path / "e.npz"
    monkeypatch.chdir(tmp_path)
    for folder in ("music/deep", "./music/../music/deep", music / "deep"):
        assert tag(folder, "--out", scores, "--embeddings", vectors) == 0
        assert len(names_in(scores)) == 10
    with np.load(vectors) as held:
        assert len(held["files"]) == 10


def test_a_line_of_a_table_is_one_line(music, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(corpus, "DATA", tmp_path / "data")
    files = [file for file in music.iterdir() if file.suffix == ".wav"]
    assert tag(*files, "--top", 1) == 0
    out = capsys.readouterr().out
    assert len(out.splitlines()) == 6 and "new\\nline.wav: " in out
    assert tag(*files, "--top", 1, "--write", "--dry-run") == 0
    assert len(capsys.readouterr().out.splitlines()) == 6
    like = ["similar", str(files[0]), str(music), "--network", NETWORK]
    assert cli.main(like) == 0
    assert len(capsys.readouterr().out.splitlines()) == 10


def test_what_could_not_be_tagged_is_named_at_the_end(music, capsys):
    gone = [music / f"gone {i}.wav" for i in range(5)]
    assert tag(*gone, music / "deep") == 1
    end = capsys.readouterr().err.splitlines()[-1]
    assert end == f"could not be tagged: {', '.join(map(str, gone[:3]))}, 2 more"


class Terminal:
    """A stream that may be a terminal; what it was told."""

    def __init__(self, is_terminal):
        self.text, self.isatty = "", lambda: is_terminal

    def write(self, text):
        self.text += text

    def flush(self):
        pass


def test_progress_is_said_now_and_then(monkeypatch):
    for is_terminal, n_lines, change in ((False, 5, "\n"), (True, 50, "\r")):
        clock = iter(range(0, 1000, 1))
        monkeypatch.setattr(tagging.time, "monotonic", lambda c=clock: next(c))
        monkeypatch.setattr(sys, "stderr", Terminal(is_terminal))
        progress = tagging.Progress(151, 100, beside_table=False)
        for _ in range(51):
            progress.step()
        assert sys.stderr.text.count(change) == n_lines
        assert "151 of 151 files, 1 a second, 0:00:00 left" in sys.stderr.text
        assert ("\n" in sys.stderr.text) != is_terminal
    # Among the lines of a table, in the same terminal, no line changes.
    monkeypatch.setattr(sys, "stdout", Terminal(True))
    assert not tagging.Progress(1, 0, beside_table=True).in_place
