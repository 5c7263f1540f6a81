"""Shards: the same clips, labels and scores as the store, and nothing lost unsaid."""

import contextlib
import dataclasses
import json
import shutil
import tarfile
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from test_download import Server
from test_processes import job
from test_train import quiet

from tagkit import cli, models
from tagkit.data import batches, shards
from tagkit.evaluation import predict
from tagkit.training import train

TAGS = ["guitar", "piano", "drums"]
HOW = {"tag_list": TAGS, "sample_rate": 12_000, "clips_per_shard": 4}
WINDOW = 12_000, 12_000  # n_samples, sample_rate
WHOLE = 349_488, 12_000


@pytest.fixture(scope="module")
def few(mini):
    """Twenty-four clips of mini, of all three parts."""
    split = mini.split()
    parts = {"train": 14, "valid": 6, "test": 4}
    ids = [i for part, n in parts.items() for i in split.index[split == part][:n]]
    return dataclasses.replace(mini, clips=mini.clips.loc[ids])


@pytest.fixture(scope="module")
def packed(few, tmp_path_factory):
    folder = tmp_path_factory.mktemp("shards")
    shards.pack(few, folder, **HOW)
    return folder


@pytest.fixture
def copied(packed, tmp_path):
    """A copy of the shards, for tests that damage one."""
    return Path(shutil.copytree(packed, tmp_path / "copied"))


@pytest.fixture
def serve(monkeypatch):
    """Start a local server of the files in a folder."""
    monkeypatch.setattr(shards, "PAUSE", 0)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with contextlib.ExitStack() as servers:

        def start(folder):
            server = Server({path.name: path.read_bytes() for path in folder.iterdir()})
            servers.callback(server.close)
            return server

        yield start


def everything(stream):
    return dict(stream.read(stream.shards))


def drawn(stream, k=1, batch_size=4, n_crops=1, seed=0):
    options = {"batch_size": batch_size, "crops_per_clip": n_crops, "seed": seed}
    return list(stream.crops(*WINDOW, **options).epoch(k))


def same(batches, others):
    pairs = zip(batches, others, strict=True)
    return all(torch.equal(x, x2) and torch.equal(y, y2) for (x, y), (x2, y2) in pairs)


def clips_drawn(stream, k=1, batch_size=4, seed=0):
    """The clips of an epoch in their order; their labels are looked at, too."""
    clips = {samples.tobytes(): i for i, samples in everything(stream).items()}
    ids = []
    for cuts, labels in stream.crops(*WHOLE, batch_size=batch_size, seed=seed).cuts(k):
        mine = [clips[cut.numpy().tobytes()] for cut in cuts]
        assert np.array_equal(labels, stream.labels.loc[mine])
        ids += mine
    return ids


@pytest.mark.parametrize("part", ["train", "valid", "test"])
def test_clips_and_labels_are_those_of_the_store(few, packed, mini_store, part):
    stream = shards.Stream(packed, part)
    own = batches.examples(few, mini_store, part, TAGS)
    clips = everything(stream)
    assert list(clips) == list(stream.labels.index)
    assert set(clips) == set(own.labels.index)
    for clip_id, samples in clips.items():
        assert samples.dtype == np.int16
        assert np.array_equal(samples, mini_store.samples[mini_store.rows[clip_id]])
    assert stream.labels.loc[own.labels.index].equals(own.labels)
    assert own.labels.to_numpy().any()
    assert stream.about == own.about and len(stream) == len(own)


def test_files_are_in_the_form_of_webdataset(packed):
    index = json.loads((packed / "index.json").read_text())
    assert [s["n_clips"] for s in index["shards"]] == [4, 4, 4, 2, 4, 2, 4]
    names = {path.name for path in packed.iterdir()}
    assert names == {s["name"] for s in index["shards"]} | {"index.json"}
    labels = shards.Stream(packed).labels
    with tarfile.open(packed / "train-000000.tar") as archive:
        first, second = archive.getnames()[:2]  # of one sample: its key, a dot
        tags = json.load(archive.extractfile(first))["tags"]
    row = labels.loc[int(first.removesuffix(".json"))]
    assert tags == row.index[row == 1].tolist()
    assert second == first.replace("json", "npy")


def test_an_epoch_has_each_clip_once_in_an_order_of_its_own(packed, monkeypatch):
    stream = shards.Stream(packed)
    orders = [clips_drawn(stream, k, seed=s) for k, s in ((1, 0), (2, 0), (1, 1))]
    in_shards = list(stream.labels.index)
    for order in orders:
        assert sorted(order) == sorted(in_shards)
        places = [in_shards.index(clip_id) for clip_id in order]
        n_near = sum(abs(np.diff(places)) == 1)
        assert n_near < len(places) / 2  # neighbours in a shard do not stay neighbours
    assert orders[0] != orders[1] and orders[0] != orders[2]
    monkeypatch.setattr(shards, "BUFFER", 0)  # in the order of the shards
    assert len({clips_drawn(stream, k, batch_size=1)[0] for k in range(8)}) > 1


def test_epoch_k_needs_no_epoch_before_it(packed):
    crops = shards.Stream(packed).crops(*WINDOW, batch_size=4, crops_per_clip=2, seed=7)
    last = [list(crops.epoch(k)) for k in (1, 2, 3)][-1]
    assert same(last, drawn(shards.Stream(packed), 3, n_crops=2, seed=7))
    assert sum(len(labels) for _, labels in last) == 28


@pytest.mark.parametrize("buffer", [0, shards.BUFFER])
def test_windows_start_anywhere_in_a_clip(packed, monkeypatch, buffer):
    monkeypatch.setattr(shards, "BUFFER", buffer)
    stream = shards.Stream(packed)
    clips = everything(stream).values()
    starts = []
    for cuts, _ in stream.crops(*WINDOW, batch_size=4).cuts(1):
        for cut in cuts.numpy():
            places = [clip.tobytes().find(cut.tobytes()) for clip in clips]
            assert sorted(places)[-2] == -1  # it is of one clip
            starts.append(max(places) // 2)
    assert len(set(starts)) == len(starts) == 14
    assert min(starts) < 100_000 and max(starts) > 240_000


@pytest.mark.parametrize(
    ("size", "sizes"), [(13, [14]), (4, [4, 4, 4, 2]), (1, [1] * 14)]
)
def test_a_last_window_alone_joins_the_batch_before_it(packed, size, sizes):
    epoch = drawn(shards.Stream(packed), batch_size=size)
    assert [len(labels) for _, labels in epoch] == sizes


@pytest.mark.parametrize("n_ranks", [2, 3, 5])
def test_processes_share_the_clips(packed, monkeypatch, n_ranks):
    stream, ids = shards.Stream(packed), []
    for rank in range(n_ranks):
        monkeypatch.setattr(shards.processes, "place", lambda r=rank: (r, n_ranks))
        ids += clips_drawn(stream, batch_size=6)
    assert sorted(ids) == sorted(stream.labels.index)


def fitted(source, folder, *, stops=(2,)):
    """The weights after a run that stops after each of these epochs."""
    valid = shards.Stream(source, "valid").keep(folder / "valid")
    for epochs in stops:
        torch.manual_seed(0)
        model = models.DielemanRaw(n_tags=3, width=0.25)
        config = quiet(epochs=epochs)
        train.fit(model, shards.Stream(source), valid, config, run_dir=folder, log=None)
    return model.state_dict()


def test_url_gives_the_weights_of_the_folder_and_so_does_a_resumed_run(
    packed, serve, tmp_path
):
    weights = fitted(packed, tmp_path / "folder")
    far = fitted(serve(packed).url, tmp_path / "far")
    resumed = fitted(packed, tmp_path / "resumed", stops=(1, 2))
    for name, tensor in weights.items():
        assert torch.equal(tensor, far[name]) and torch.equal(tensor, resumed[name])


STREAMED = """
from tagkit.data import shards
valid = shards.Stream({url!r}, "valid").keep(folder / f"valid{{rank}}")
torch.manual_seed(0)
model = models.DielemanRaw(n_tags=3, width=0.25)
history = train.fit(model, shards.Stream({url!r}), valid, quiet(epochs=2), log=None)
say(losses=[epoch["loss"] for epoch in history.epochs])
"""


def test_two_processes_stream_from_a_url(packed, serve, tmp_path):
    (first, second), _ = job(
        tmp_path, STREAMED.format(url=serve(packed).url.rstrip("/"))
    )
    assert first["losses"] == second["losses"] and len(set(first["losses"])) == 2


def test_kept_part_gives_the_scores_of_the_store(few, packed, mini_store, tmp_path):
    kept = shards.Stream(packed, "valid").keep(tmp_path)
    own = batches.examples(few, mini_store, "valid", TAGS)
    torch.manual_seed(0)
    model = models.DielemanMel(n_tags=3, width=0.25)
    scores = predict.clip_scores(model, kept.take(own.labels.index))
    assert np.array_equal(scores, predict.clip_scores(model, own))
    time = (tmp_path / "samples.int16").stat().st_mtime_ns
    shards.Stream(packed, "valid").keep(tmp_path)  # is there
    assert (tmp_path / "samples.int16").stat().st_mtime_ns == time
    other = shards.Stream(packed, "test").keep(tmp_path)  # is not
    assert set(other.labels.index) == set(shards.Stream(packed, "test").labels.index)


def truncate(path):
    path.write_bytes(path.read_bytes()[:-1024])


def flip_a_bit(path):
    data = bytearray(path.read_bytes())
    data[100_000] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize("break_it", [Path.unlink, truncate, flip_a_bit])
@pytest.mark.parametrize("far", [False, True])
def test_broken_shard_is_named_and_skipped_only_if_asked(
    copied, serve, tmp_path, break_it, far
):
    break_it(copied / "train-000001.tar")
    source = serve(copied).url if far else copied
    with pytest.raises(OSError, match="train-000001.tar .*4 of 14.*skip_broken"):
        drawn(shards.Stream(source))
    stream = shards.Stream(source, skip_broken=True)
    with pytest.warns(UserWarning, match="train-000001.tar .*4 of 14"):
        assert sum(len(labels) for _, labels in drawn(stream, n_crops=2)) == 20
    with pytest.warns(UserWarning, match="000001"):
        assert len(stream.keep(tmp_path / "kept")) == 10
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        drawn(shards.Stream(source, "valid"))  # the other parts are whole


def test_connection_that_breaks_is_tried_again(packed, serve):
    server = serve(packed)
    broken = {"cut": 4}
    for name in ("index.json", "train-000001.tar"):
        server.script[name] = [broken] * (shards.TRIES - 1)
    assert same(drawn(shards.Stream(server.url)), drawn(shards.Stream(packed)))
    server.script["index.json"] = [broken] * shards.TRIES
    with pytest.raises(ValueError, match=server.url):
        shards.Stream(server.url)


def test_what_has_no_shards_is_refused(tmp_path, packed):
    with pytest.raises(ValueError, match="tagkit pack"):
        shards.Stream(tmp_path)
    with pytest.raises(ValueError, match="'dev'"):
        shards.Stream(packed, "dev")
    for window in ((12_000, 16_000), (349_489, 12_000)):
        with pytest.raises(ValueError, match=f"349488 .*12000 Hz.* {window[0]} "):
            shards.Stream(packed).crops(*window)


def test_stopped_packing_is_done_again(few, packed, copied, monkeypatch):
    def stop(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(shards.wds.TarWriter, "write", stop)
        shards.pack(few, copied, **HOW | {"clips_per_shard": 3})
    with pytest.raises(ValueError, match="index.json"):
        shards.Stream(copied)
    shards.pack(few, copied, **HOW)
    whole = {path.name: path.read_bytes() for path in packed.iterdir()}
    assert {path.name: path.read_bytes() for path in copied.iterdir()} == whole


def test_other_shards_are_replaced(few, copied):
    with pytest.raises(ValueError, match="clips_per_shard is 0"):
        shards.pack(few, copied, clips_per_shard=0)
    assert len(everything(shards.Stream(copied))) == 14  # still whole
    shards.pack(few, copied, **HOW | {"clips_per_shard": 20})
    assert len(list(copied.glob("*.tar"))) == 3
    assert len(everything(shards.Stream(copied))) == 14


def test_clip_that_cannot_be_decoded_is_named(tones, tmp_path):
    (tones.root / "0/tone-0-0-29.mp3").write_bytes(b"no sound")
    index = shards.pack(tones, tmp_path, tag_list=["high", "low"], sample_rate=12_000)
    ((clip_id, reason),) = index["left_out"].items()
    assert clip_id == 10 and "tone-0" in reason
    assert sum(shard["n_clips"] for shard in index["shards"]) == 7


def test_command_packs(tmp_path, tones, capsys):
    words = ["pack", str(tones.root), str(tmp_path / "out"), "--tags", "high,low"]
    assert cli.main([*words, "--sample-rate", "12000", "--clips-per-shard", "3"]) == 0
    printed = capsys.readouterr().out
    assert "8 clips in" in printed and str(tmp_path / "out") in printed
    assert len(shards.Stream(tmp_path / "out").labels.columns) == 2
