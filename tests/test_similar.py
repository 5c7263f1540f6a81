"""Embeddings that are kept, and what sounds alike in folders of any music."""

import json
import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from tagkit.data import audio, corpus
from tagkit.evaluation import cache, networks, predict
from tagkit.training import checkpoints

NETWORK = "mini/DielemanRaw"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("data")


@pytest.fixture
def data(folder, monkeypatch):
    """A data folder, one for all tests: joblib looks at it once in a process."""
    monkeypatch.setattr(corpus, "DATA", folder)
    return folder


@pytest.fixture
def music(tmp_path):
    """Three sounds of four seconds."""
    rng = np.random.default_rng(0)
    paths = [tmp_path / "music" / f"{name}.wav" for name in "abc"]
    paths[0].parent.mkdir()
    for path in paths:
        noise = 0.1 * rng.standard_normal(4 * 16_000)
        audio.write(path, noise.cumsum().clip(-1, 1).astype(np.float32))
    return paths


def no_network():
    raise AssertionError("all of these files are known")


def load():
    return checkpoints.load(NETWORK)[0]


def test_embeddings_are_computed_once(data, music):
    model, path = load(), networks.find(NETWORK)
    loaded = []
    embed = cache.embedder(path, lambda: loaded.append(1) or model)
    first = [embed(file) for file in music]
    wanted = predict.embeddings(model, music)
    np.testing.assert_array_equal(first, wanted)
    assert first[0].dtype == np.float32 and loaded == [1]
    known = cache.embedder(path, no_network)
    link = music[0].with_name("link.wav")
    link.symlink_to(music[0])
    np.testing.assert_array_equal([known(file) for file in music], wanted)
    np.testing.assert_array_equal(known(link), wanted[0])
    np.testing.assert_array_equal(known(os.path.relpath(music[0])), wanted[0])
    twin = shutil.copy(path, music[0].with_name("twin.safetensors"))
    np.testing.assert_array_equal(cache.embedder(twin, no_network)(music[0]), wanted[0])


def test_another_file_network_or_overlap_is_another_embedding(data, music):
    path = networks.find(NETWORK)
    embed = cache.embedder(path, load)
    first = embed(music[0])
    time = music[0].stat().st_mtime_ns
    for change in (
        lambda: shutil.copy(music[1], music[0]),
        lambda: os.utime(music[0], ns=(time, time + 1000)),
    ):
        change()
        with pytest.raises(AssertionError, match="known"):
            cache.embedder(path, no_network)(music[0])
    np.testing.assert_array_equal(embed(music[0]), embed(music[1]))
    assert not np.array_equal(embed(music[0]), first)
    with pytest.raises(AssertionError, match="known"):
        cache.embedder(path, no_network, overlap=0.5)(music[1])
    with pytest.raises(AssertionError, match="known"):
        cache.embedder(networks.find("mini/K2C2"), no_network)(music[1])


def test_what_cannot_be_read_is_not_kept(data, music):
    embed = cache.embedder(networks.find(NETWORK), load)
    for _ in range(2):
        with pytest.raises(audio.AudioError, match="gone.wav cannot be read"):
            embed(music[0].with_name("gone.wav"))
    music[1].write_bytes(b"no sound" * 99)
    with pytest.raises(audio.AudioError, match="not audio"):
        embed(music[1])
    shutil.copy(music[0], music[1])
    assert len(embed(music[1]))


@pytest.mark.filterwarnings("ignore:.*while loading results")
def test_a_damaged_entry_is_computed_again(data, music):
    path, before = networks.find(NETWORK), set(data.rglob("output.pkl"))
    first = cache.embedder(path, load)(music[0])
    (kept,) = set(data.rglob("output.pkl")) - before
    kept.write_bytes(kept.read_bytes()[:50])
    np.testing.assert_array_equal(cache.embedder(path, load)(music[0]), first)
    np.testing.assert_array_equal(cache.embedder(path, no_network)(music[0]), first)


def test_another_process_knows_them_without_pytorch(data, music):
    path = networks.find(NETWORK)
    embed = cache.embedder(path, load)
    with ThreadPoolExecutor(2) as threads:  # the same file at once
        first, again = threads.map(embed, [music[0]] * 2)
    np.testing.assert_array_equal(first, again)
    code = f"""
import sys
from pathlib import Path
from tagkit.evaluation import cache
print(cache.embedder(Path({str(path)!r}), exit)(sys.argv[1]).tolist())
assert "torch" not in sys.modules
"""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code, music[0]],
        env=os.environ | {"TAGKIT_DATA": str(data)},
        capture_output=True,
        text=True,
    )
    assert done.stderr == "" and json.loads(done.stdout) == first.tolist()
