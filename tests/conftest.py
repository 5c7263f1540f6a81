"""Small corpora made on the spot, and the real tables where they are at hand."""

import ctypes
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tagkit.data import audio, corpus, store

# The real MagnaTagATune tables are not part of the project: their licence is not
# the project's. Point TAGKIT_MTT at a folder with them to run these tests.
MTT = Path(os.environ.get("TAGKIT_MTT") or Path(__file__).parents[2] / "shared" / "mtt")


@pytest.fixture(scope="session")
def mtt():
    if not MTT.is_dir():
        pytest.skip(f"no MagnaTagATune tables at {MTT}; set TAGKIT_MTT to their folder")
    return corpus.open(MTT)


@pytest.fixture(scope="session")
def mini():
    return corpus.open("mini")


@pytest.fixture(scope="session")
def mini_store(mini):
    return store.prepare(mini, sample_rate=12_000)


def write_tables(root, paths, labels, artists=None):
    """Write the two tables of a corpus in MagnaTagATune's format."""
    root.mkdir(parents=True, exist_ok=True)
    ids = [10 + 3 * i for i in range(len(paths))]
    table = pd.DataFrame(labels)
    table.insert(0, "clip_id", ids)
    table["mp3_path"] = paths
    info = pd.DataFrame({"clip_id": ids, "track_number": 1, "title": "t"})
    info["artist"] = artists or [f"artist {i}" for i in range(len(paths))]
    info["album"], info["url"] = "album", ""
    info["segmentStart"], info["segmentEnd"], info["original_url"] = 0, 29, ""
    info["mp3_path"] = paths
    how = {"sep": "\t", "index": False, "quoting": 1, "lineterminator": "\r\n"}
    table.to_csv(root / "annotations_final.csv", **how)
    info.to_csv(root / "clip_info_final.csv", **how)
    return ids


def as_a_user(*words, **environment):
    """Run python without the rights of root to read and write what is forbidden."""

    def drop():
        for right in (1, 2):  # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH
            ctypes.CDLL(None).prctl(24, right, 0, 0, 0)  # PR_CAPBSET_DROP

    return subprocess.run(
        [sys.executable, *map(str, words)],
        env=os.environ | environment,
        preexec_fn=drop,
        capture_output=True,
        text=True,
    )


def tone(hz, seconds=29.124, rate=16_000, channels=1):
    """A sine at half scale. Shape: (n_samples,) or (n_samples, channels)."""
    time = np.arange(round(seconds * rate)) / rate
    wave = (0.5 * np.sin(2 * np.pi * hz * time)).astype(np.float32)
    return wave if channels == 1 else np.stack([wave] * channels, axis=1)


@pytest.fixture
def tones(tmp_path):
    """Eight clips: a low or a high tone, tagged so; folders 0 ... 7."""
    root = tmp_path / "tones"
    paths = [f"{i}/tone-{i}-0-29.mp3" for i in range(8)]
    high = [i % 2 for i in range(8)]
    write_tables(root, paths, {"high": high, "low": [1 - h for h in high]})
    for i, path in enumerate(paths):
        (root / path).parent.mkdir()
        audio.write(root / path, tone((300 if i % 2 == 0 else 3000) + 50 * i))
    return corpus.open(root)
