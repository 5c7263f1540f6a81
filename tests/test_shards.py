"""Shards: the same clips, labels and scores as the store, and nothing lost unsaid."""

import dataclasses
import functools
import http.server
import io
import json
import os
import shutil
import subprocess
import sys
import tarfile
import threading
import urllib.error
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from test_processes import job

from tagkit import models
from tagkit.data import batches, shards
from tagkit.evaluation import predict
from tagkit.training import train

PER_SHARD = 4
TAGS = ["guitar", "piano", "drums"]
WINDOW = 12_000, 12_000  # n_samples, sample_rate


@pytest.fixture(scope="module")
def few(mini):
    """Twenty-four clips of mini, of all three parts."""
    split = mini.split()
    ids = [i for part, n in (("train", 14), ("valid", 6), ("test", 4))
           for i in split.index[split == part][:n]]  # fmt: skip
    return dataclasses.replace(mini, clips=mini.clips.loc[ids])


@pytest.fixture(scope="module")
def packed(few, tmp_path_factory):
    folder = tmp_path_factory.mktemp("shards")
    shards.pack(few, folder, TAGS, "full", 12_000, PER_SHARD)
    return folder


@pytest.fixture
def copied(packed, tmp_path):
    """A copy of the shards, for tests that damage one."""
    for path in packed.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    return tmp_path


@pytest.fixture
def url(packed):
    yield from served(packed)


def served(folder):
    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass

    handler = functools.partial(Quiet, directory=str(folder))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


def everything(stream):
    return {i: x for _, clips in stream.read(stream.shards) for i, x in clips}


def drawn(stream, k=1, window=WINDOW, batch_size=4, n_crops=1, seed=0):
    return list(stream.crops(*window, batch_size, n_crops, seed).epoch(k))


@pytest.mark.parametrize("part", ["train", "valid", "test"])
def test_clips_and_labels_are_those_of_the_store(few, packed, mini_store, part):
    stream = shards.Stream(packed, part)
    own = batches.examples(few, mini_store, part, TAGS)
    found = everything(stream)
    assert list(found) == list(stream.labels.index)
    assert set(found) == set(own.labels.index)
    for clip_id, samples in found.items():
        assert samples.dtype == np.int16
        assert np.array_equal(samples, mini_store.samples[mini_store.rows[clip_id]])
    assert stream.labels.loc[own.labels.index].equals(own.labels)
    assert stream.about == own.about
    assert own.labels.to_numpy().any()


def test_files_are_in_the_form_of_webdataset(packed):
    manifest = json.loads((packed / "manifest.json").read_text())
    assert [s["n_clips"] for s in manifest["shards"]] == [4, 4, 4, 2, 4, 2, 4]
    names = {path.name for path in packed.iterdir()}
    assert names == {s["name"] for s in manifest["shards"]} | {"manifest.json"}
    with tarfile.open(packed / "train-000000.tar") as archive:
        members = [m.name for m in archive]
        first, second = members[:2]  # of one sample, side by side: the key, a dot
        about = json.load(archive.extractfile(second))
    clip_id = int(first.removesuffix(".npy"))
    assert second == f"{clip_id}.json" and about["clip_id"] == clip_id
    labels = shards.Stream(packed).labels.loc[clip_id]
    assert about["tags"] == labels.index[labels == 1].tolist()


def test_an_epoch_has_each_clip_once_and_another_order_each_time(packed):
    stream = shards.Stream(packed)
    whole = 349_488, 12_000
    clips = {x.tobytes(): i for i, x in everything(stream).items()}
    orders = []
    for seed, k in ((0, 1), (0, 1), (0, 2), (1, 1)):
        cuts = stream.crops(*whole, 4, 1, seed).cuts(k)
        windows = [(x, y) for batch in cuts for x, y in zip(*batch, strict=True)]
        ids = [clips[x.numpy().tobytes()] for x, _ in windows]
        assert sorted(ids) == sorted(stream.labels.index)
        labels = stream.labels.loc[ids].to_numpy(np.float32)
        assert np.array_equal(np.stack([y for _, y in windows]), labels)
        orders.append(ids)
    assert orders[0] == orders[1]
    assert orders[0] != orders[2] and orders[0] != orders[3]
    in_shards = list(stream.labels.index)
    near = [abs(in_shards.index(a) - in_shards.index(b)) == 1
            for a, b in zip(orders[0], orders[0][1:], strict=False)]  # fmt: skip
    assert sum(near) < len(near) / 2  # neighbours of a shard do not stay neighbours


def test_epoch_k_needs_no_epoch_before_it(packed):
    stream = shards.Stream(packed)
    crops = stream.crops(*WINDOW, 4, 2, 7)
    after = [list(crops.epoch(k)) for k in (1, 2, 3)][-1]
    alone = drawn(shards.Stream(packed), 3, n_crops=2, seed=7)
    assert sum(len(y) for _, y in alone) == 28
    for (x, y), (x2, y2) in zip(after, alone, strict=True):
        assert torch.equal(x, x2) and torch.equal(y, y2)


def test_windows_start_anywhere_and_hold_what_the_clip_holds(packed):
    stream = shards.Stream(packed)
    clips = everything(stream)
    starts = []
    for cuts, _ in stream.crops(*WINDOW, 4, 1, 0).cuts(1):
        for cut in cuts.numpy():
            where = [windows_at(x, cut) for x in clips.values()]
            assert sum(map(len, where)) == 1
            starts += sum(where, [])
    assert len(set(starts)) == len(starts) == 14
    assert min(starts) < 100_000 and max(starts) > 240_000


def windows_at(samples, cut):
    """Where a window begins in a clip, [] if it is not of it."""
    begins = np.flatnonzero(samples[: len(samples) - len(cut) + 1] == cut[0])
    return [int(b) for b in begins if np.array_equal(samples[b : b + len(cut)], cut)]


def test_buffer_of_one_batch_still_gives_every_window(packed, monkeypatch):
    monkeypatch.setattr(shards, "SHUFFLED", 0)
    assert sum(len(y) for _, y in drawn(shards.Stream(packed), n_crops=3)) == 42


@pytest.mark.parametrize(
    ("size", "sizes"), [(13, [14]), (4, [4, 4, 4, 2]), (1, [1] * 14)]
)
def test_a_last_window_alone_joins_the_batch_before_it(packed, size, sizes):
    crops = shards.Stream(packed).crops(*WINDOW, size, 1, 0)
    assert [len(y) for _, y in crops.epoch(1)] == sizes


@pytest.mark.parametrize("n_ranks", [2, 3, 5])
def test_processes_share_the_clips(packed, monkeypatch, n_ranks):
    whole, ids = (349_488, 12_000), []
    stream = shards.Stream(packed)
    clips = {x.tobytes(): i for i, x in everything(stream).items()}
    for rank in range(n_ranks):
        monkeypatch.setattr(shards.ranks, "place", lambda r=rank: (r, n_ranks))
        for cuts, _ in stream.crops(*whole, 6, 1, 0).cuts(1):
            assert len(cuts) <= -(-6 // n_ranks) + 1  # a last one does not stay alone
            ids += [clips[x.numpy().tobytes()] for x in cuts]
    assert sorted(ids) == sorted(stream.labels.index)


def test_from_a_url_as_from_a_folder(packed, url):
    for (x, y), (x2, y2) in zip(
        drawn(shards.Stream(packed)), drawn(shards.Stream(url + "/")), strict=True
    ):
        assert torch.equal(x, x2) and torch.equal(y, y2)


def test_fit_learns_the_same_weights_from_url_and_folder(packed, url, tmp_path):
    found = []
    for where in (packed, url):
        valid = shards.Stream(where, "valid").keep(tmp_path / str(len(found)))
        torch.manual_seed(0)
        model = models.DielemanRaw(n_tags=3, width=0.25)
        config = train.Config(epochs=2, batch_size=4, device="cpu")
        history = train.fit(model, shards.Stream(where), valid, config, log=None)
        found.append((model.state_dict(), [e["loss"] for e in history.epochs]))
    assert found[0][1] == found[1][1] and found[0][1][0] != found[0][1][1]
    assert all(torch.equal(w, found[1][0][k]) for k, w in found[0][0].items())


STREAMED = """
from tagkit.data import shards
url = {url!r}
stream, valid = shards.Stream(url), shards.Stream(url, "valid")
valid = valid.keep(folder / f"valid{{rank}}")
torch.manual_seed(0)
model = models.DielemanRaw(n_tags=3, width=0.25)
windows = stream.crops(349_488, 12_000, 4, 1, 0).cuts(1)
clips = [cut.numpy().tobytes().hex()[:400] for cuts, _ in windows for cut in cuts]
history = train.fit(model, stream, valid, quiet(epochs=2), folder / "run", log=None)
say(clips=clips, losses=[epoch["loss"] for epoch in history.epochs])
"""


def test_two_processes_stream_from_a_url(packed, url, tmp_path):
    """Each clip comes to one of them, and both end with the same figures."""
    said, _ = job(tmp_path, STREAMED.format(url=url))
    found = [clip for one in said for clip in one["clips"]]
    whole = everything(shards.Stream(packed)).values()
    assert sorted(found) == sorted(x.tobytes().hex()[:400] for x in whole)
    assert all(one["clips"] for one in said)
    assert said[0]["losses"] == said[1]["losses"] and len(said[0]["losses"]) == 2


def test_stopped_training_goes_on_from_shards(packed, tmp_path):
    stream = shards.Stream(packed)
    valid = shards.Stream(packed, "valid").keep(tmp_path / "valid")
    weights = []
    for stops in ((3,), (1, 3)):
        torch.manual_seed(0)
        run = tmp_path / f"run{len(stops)}"
        for epochs in stops:
            torch.manual_seed(0)
            model = models.DielemanRaw(n_tags=3, width=0.25)
            config = train.Config(epochs=epochs, batch_size=4, device="cpu")
            train.fit(model, stream, valid, config, run, log=None)
        weights.append(model.state_dict())
    assert all(torch.equal(w, weights[1][k]) for k, w in weights[0].items())


def test_what_has_changed_is_packed_again(few, tmp_path, monkeypatch):
    first = shards.pack(few, tmp_path, TAGS, "full", 12_000, PER_SHARD)
    written, write = [], shards._write
    monkeypatch.setattr(shards, "_write", lambda *a: written.append(a[2]) or write(*a))
    shards.pack(few, tmp_path, TAGS, "full", 12_000, PER_SHARD)
    assert not written
    for name, change in (("tags", 1 - few.annotations[TAGS]), ("files", None)):
        shard = first["shards"][1]
        clip = int(next(iter(shard["clips"])))
        if change is None:
            path = few.root / few.clips.at[clip, "mp3_path"]
            root = tmp_path / "other"
            for some in few.clips["mp3_path"]:
                (root / some).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(few.root / some, root / some)
            os.utime(root / path.relative_to(few.root), (1, 1))
            corpus = dataclasses.replace(few, root=root)
        else:
            table = few.annotations.copy()
            table.loc[clip, TAGS] = change.loc[clip]
            corpus = dataclasses.replace(few, annotations=table)
        folder = tmp_path / name
        shutil.copytree(tmp_path, folder, ignore=shutil.ignore_patterns("other", name))
        written.clear()
        shards.pack(corpus, folder, TAGS, "full", 12_000, PER_SHARD)
        assert written == [shard["name"]], name


def test_a_part_of_other_shards_is_kept_anew(few, packed, tmp_path):
    other = tmp_path / "16 kHz"
    shards.pack(few, other, TAGS, "full", 16_000, PER_SHARD)
    shards.Stream(packed, "valid").keep(tmp_path / "valid")
    kept = shards.Stream(other, "valid").keep(tmp_path / "valid")
    assert kept.store.sample_rate == 16_000


def test_kept_part_gives_the_scores_of_the_store(few, packed, mini_store, tmp_path):
    kept = shards.Stream(packed, "valid").keep(tmp_path)
    own = batches.examples(few, mini_store, "valid", TAGS)
    torch.manual_seed(0)
    model = models.DielemanMel(n_tags=3, width=0.25)
    found = predict.clip_scores(model, kept.take(own.labels.index))
    assert np.array_equal(found, predict.clip_scores(model, own))
    time = (tmp_path / "samples.int16").stat().st_mtime_ns
    shards.Stream(packed, "valid").keep(tmp_path)  # is there
    assert (tmp_path / "samples.int16").stat().st_mtime_ns == time
    other = shards.Stream(packed, "test").keep(tmp_path)  # is not
    assert set(other.labels.index) == set(shards.Stream(packed, "test").labels.index)


def truncate(path):
    path.write_bytes(path.read_bytes()[:-1024])


def change(path):
    data = bytearray(path.read_bytes())
    data[100_000] ^= 1
    path.write_bytes(data)


FAULTS = {
    "missing": (Path.unlink, "No such file"),
    "truncated": (truncate, "bytes, not"),
    "changed": (change, "its checksum is not that of the manifest"),
}


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("far", [False, True])
def test_broken_shard_is_named_and_skipped_only_if_asked(copied, fault, far):
    break_it, said = FAULTS[fault]
    break_it(copied / "train-000001.tar")
    servers = served(copied) if far else iter([copied])
    where = next(servers)
    said = "404" if far and fault == "missing" else said
    with pytest.raises(OSError, match="train-000001.tar cannot be used") as caught:
        drawn(shards.Stream(where))
    assert said in str(caught.value) and "4 clips: skip_broken=True" in str(
        caught.value
    )
    crops = shards.Stream(where, skip_broken=True).crops(*WINDOW, 4, 2, 0)
    with pytest.warns(UserWarning, match="4 of 14 clips are missing: shard .*000001"):
        n = sum(len(y) for _, y in crops.epoch(1))
    assert n == 20
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        drawn(shards.Stream(where, "valid"))  # the other parts are whole


@pytest.mark.parametrize("said", ["reset", "busy"])
def test_connection_that_breaks_is_tried_again(packed, monkeypatch, said):
    monkeypatch.setattr(shards, "PAUSE", 0)
    data, calls = (packed / "manifest.json").read_bytes(), []

    def open_badly(url, timeout):
        calls.append(url)
        if len(calls) % 3:
            if said == "busy":
                raise urllib.error.HTTPError(url, 503, said, {}, None)
            raise ConnectionResetError(said)
        return io.BytesIO(data)

    monkeypatch.setattr(shards.urllib.request, "urlopen", open_badly)
    assert len(shards.Stream("http://far/mtt")) == 14 and len(calls) == 3
    monkeypatch.setattr(shards, "TRIES", 2)
    calls.clear()
    with pytest.raises(ValueError, match="holds no whole manifest.json .*" + said):
        shards.Stream("http://far/mtt")


def test_what_is_no_folder_of_shards_is_refused(tmp_path, packed):
    with pytest.raises(ValueError, match="tagkit pack CORPUS FOLDER"):
        shards.Stream(tmp_path)
    (tmp_path / "manifest.json").write_text('{"form": "tagkit shards 9"}')
    with pytest.raises(ValueError, match="'tagkit shards 9', not"):
        shards.Stream(tmp_path)
    with pytest.raises(ValueError, match="no clip of part 'dev'; needed is train"):
        shards.Stream(packed, "dev")


def test_window_that_does_not_fit_is_refused(packed):
    stream = shards.Stream(packed)
    for window in ((12_000, 16_000), (349_489, 12_000)):
        with pytest.raises(ValueError, match="349488 samples at 12000 Hz, the model"):
            stream.crops(*window, 4, 1, 0)


def test_pack_again_changes_nothing_and_other_settings_are_refused(few, copied):
    before = {
        p.name: (p.read_bytes(), p.stat().st_mtime_ns) for p in copied.glob("*.tar")
    }
    shards.pack(few, copied, TAGS, "full", 12_000, PER_SHARD)
    after = {
        p.name: (p.read_bytes(), p.stat().st_mtime_ns) for p in copied.glob("*.tar")
    }
    assert before == after
    with pytest.raises(ValueError, match="with other settings; pack into an empty"):
        shards.pack(few, copied, TAGS, "full", 16_000, PER_SHARD)
    with pytest.raises(ValueError, match="clips_per_shard is 0"):
        shards.pack(few, copied, TAGS, clips_per_shard=0)


def test_stopped_packing_goes_on(few, packed, tmp_path, monkeypatch):
    whole, calls, write = shards.Stream(packed), [], shards._write

    def stop_after_two(*arguments):
        calls.append(arguments[2])
        if len(calls) == 3:
            raise KeyboardInterrupt
        return write(*arguments)

    monkeypatch.setattr(shards, "_write", stop_after_two)
    with pytest.raises(KeyboardInterrupt):
        shards.pack(few, tmp_path, TAGS, "full", 12_000, PER_SHARD)
    with pytest.raises(ValueError, match="or complete them"):
        shards.Stream(tmp_path)
    shards.pack(few, tmp_path, TAGS, "full", 12_000, PER_SHARD)
    assert len(calls) == len(set(calls)) + 1 == 8  # the one that was stopped, twice
    assert {p.name: p.read_bytes() for p in packed.iterdir()} == {
        p.name: p.read_bytes() for p in tmp_path.iterdir()
    }
    assert shards.Stream(tmp_path).labels.equals(whole.labels)
    (tmp_path / "valid-000000.tar").unlink()  # lost later
    shards.pack(few, tmp_path, TAGS, "full", 12_000, PER_SHARD)
    assert calls[-1] == "valid-000000.tar" and len(calls) == 9


def test_clip_that_cannot_be_decoded_is_named(tones, tmp_path):
    (tones.root / "0/tone-0-0-29.mp3").write_bytes(b"no sound")
    manifest = shards.pack(tones, tmp_path, ["high", "low"], sample_rate=12_000)
    (why,) = [why for s in manifest["shards"] for why in s["left_out"].items()]
    assert why[0] == 10 and "tone-0" in why[1]
    n = sum(len(shards.Stream(tmp_path, p)) for p in parts_of(manifest))
    assert n == 7 == sum(s["n_clips"] for s in manifest["shards"])


def parts_of(manifest):
    return {shard["part"] for shard in manifest["shards"] if shard["n_clips"]}


def test_command_packs(tmp_path, tones):
    words = [sys.executable, "-m", "tagkit", "pack", tones.root, tmp_path / "out"]
    words += ["--tags", "high,low", "--sample-rate", "12000", "--clips-per-shard", "3"]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    assert "8 clips in" in done.stdout and str(tmp_path / "out") in done.stdout
    assert len(shards.Stream(tmp_path / "out").labels.columns) == 2
