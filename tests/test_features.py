"""Features against librosa and physics, the table's cache, and the baselines."""

import json
import os
import re
from dataclasses import replace

import librosa
import numpy as np
import pandas as pd
import pytest
import threadpoolctl
from sklearn.metrics import log_loss

from conftest import tone
from tagkit.data import audio, corpus
from tagkit.evaluation import features, metrics

RATE = 16_000


@pytest.fixture
def data(tmp_path, monkeypatch):
    """A data folder of its own."""
    monkeypatch.setattr(corpus, "DATA", tmp_path / "data")
    return tmp_path / "data"


@pytest.fixture
def described(monkeypatch):
    """The lengths of the clips that were described."""
    lengths, describe = [], features.describe

    def counted(samples, *rest):
        if len(samples) > features.N_FFT:  # the shortest is for the names alone
            lengths.append(len(samples))
        return describe(samples, *rest)

    monkeypatch.setattr(features, "describe", counted)
    return lengths


def hiss(seconds=4.0, level=0.1):
    random = np.random.default_rng(0)
    return (level * random.standard_normal(round(seconds * RATE))).astype(np.float32)


def clicks(bpm, seconds=20):
    samples = np.zeros(seconds * RATE, np.float32)
    for second in np.arange(0.5, seconds - 0.1, 60 / bpm):
        samples[round(second * RATE) :][:400] = hiss(0.025, 0.3)
    return samples


def test_features_are_those_of_librosa():
    samples = hiss() + tone(500, 4)
    numbers = features.describe(samples)
    assert (
        numbers.dtype == np.float32 and numbers.index.is_unique and len(numbers) == 113
    )
    whole = {"y": samples, "sr": RATE}
    mfcc = librosa.feature.mfcc(**whole, n_mfcc=20)
    chroma = librosa.feature.chroma_stft(**whole)
    wanted = {
        "mfcc 3 mean": mfcc[3].mean(),
        "mfcc 19 deviation": mfcc[19].std(),
        "mfcc 0 change": np.abs(np.diff(mfcc[0])).mean(),
        "chroma B mean": chroma[11].mean(),
        "centroid mean": librosa.feature.spectral_centroid(**whole).mean(),
        "bandwidth mean": librosa.feature.spectral_bandwidth(**whole).mean(),
        "rolloff deviation": librosa.feature.spectral_rolloff(**whole).std(),
        "flatness mean": librosa.feature.spectral_flatness(y=samples).mean(),
        "onset strength mean": librosa.onset.onset_strength(
            **whole, hop_length=256
        ).mean(),
    }
    for name, value in wanted.items():
        assert numbers[name] == pytest.approx(value, rel=1e-3, abs=1e-4), name


@pytest.mark.parametrize(("hz", "note"), [(440.0, "A"), (2093.0, "C")])
def test_pure_tone(hz, note):
    numbers = features.describe(tone(hz, 4))
    assert numbers["centroid mean"] == pytest.approx(hz, rel=0.03)
    assert numbers["zero crossings mean"] == pytest.approx(2 * hz / RATE, rel=0.03)
    assert numbers["level mean"] == pytest.approx(20 * np.log10(0.5 / 2**0.5), abs=0.3)
    chroma = {n: numbers[f"chroma {n} mean"] for n in features.NOTES}
    assert max(chroma, key=chroma.get) == note


@pytest.mark.parametrize("bpm", [84, 120, 150])
def test_click_track(bpm):
    numbers = features.describe(clicks(bpm))
    assert numbers["tempo"] == pytest.approx(bpm, rel=0.02)
    assert numbers["onsets a second"] == pytest.approx(bpm / 60, rel=0.06)
    assert numbers["onset strength largest"] > 5 * numbers["onset strength mean"]


@pytest.mark.parametrize("n", [1, 1000, 5 * RATE])
@pytest.mark.filterwarnings("ignore:Trying to estimate tuning")
def test_silence_and_dc_are_finite(n):
    silence = features.describe(np.zeros(n, np.float32))
    dc = features.describe(np.full(n, 0.5, np.float32))
    assert np.isfinite(silence).all() and np.isfinite(dc).all()
    assert silence["level mean"] == pytest.approx(-100)
    assert silence[["centroid mean", "chroma A mean"]].tolist() == [0, 0]
    assert silence["onsets a second"] == 0


def test_other_rates():
    time = np.arange(4 * 12_000) / 12_000
    samples = np.sin(2 * np.pi * 440 * time).astype(np.float32)
    numbers = features.describe(samples, 12_000)
    assert numbers["centroid mean"] == pytest.approx(440, rel=0.03)
    assert numbers.index.equals(features.describe(tone(440, 4)).index)


@pytest.mark.parametrize("shape", [(0,), (2, 4000)])
def test_no_samples_or_stereo(shape):
    with pytest.raises(ValueError, match=re.escape(f"{shape}")):
        features.describe(np.zeros(shape, np.float32))


@pytest.mark.filterwarnings("error:Trying to estimate tuning")
def test_table_is_made_once(tones, data, described):
    made = features.table(tones)
    assert made.shape == (8, 113) and (made.dtypes == np.float32).all()
    assert made.index.equals(tones.clips.index) and made.index.name == "clip_id"
    assert made.attrs["bad"] == {} and len(described) == 8
    one = features.describe(tones.load(made.index[3]))
    pd.testing.assert_series_equal(made.iloc[3], one, check_names=False)
    again = features.table(tones)
    assert len(described) == 8 + 1
    pd.testing.assert_frame_equal(again, made)
    assert again.attrs == made.attrs


@pytest.mark.parametrize("many", [True, False])
def test_few_clips_are_fitted_by_one_thread(monkeypatch, many):
    """Waiting for each other, threads take ten times longer on a busy machine."""
    openmp, counts = {"user_api": "openmp"}, []

    def threads():
        return {
            pool["num_threads"]
            for pool in threadpoolctl.threadpool_info()
            if openmp.items() <= pool.items()
        }

    monkeypatch.setattr(features, "MANY", 1 if many else 5000)
    monkeypatch.setattr(
        features.BoostedTrees, "_fit_tag", lambda *_: counts.append(threads())
    )
    table = pd.DataFrame({"tempo": range(9)}, dtype=float)
    with threadpoolctl.threadpool_limits(2, "openmp"):
        before = threads()
        features.BoostedTrees().fit(table, (table > 4).astype(int))
        assert threads() == before
    assert counts == [before if many else {1}]


def test_table_says_how_far_it_is(tones, data, described):
    lines = []
    made = features.table(tones, log=lines.append)
    assert len(made) == len(lines) == 8  # of few clips each is a tenth or more
    assert "4 of 8" in lines[3]
    features.table(tones, log=lines.append)  # read from the disk: nothing to wait for
    assert len(lines) == 8


def test_table_follows_files_clips_and_version(tones, data, described, monkeypatch):
    few = replace(tones, clips=tones.clips.iloc[:3])
    before, first = features.table(few), few.clips.index[0]
    audio.write(few.path(first), tone(1234))
    after = features.table(few)
    assert len(described) == 6
    assert after.at[first, "centroid mean"] == pytest.approx(1234, rel=0.03)
    pd.testing.assert_frame_equal(after.iloc[1:], before.iloc[1:])
    os.utime(few.path(first), (1, 1))  # another file of the same size
    features.table(few)
    assert len(described) == 9
    fewer = replace(few, clips=few.clips.iloc[:1])
    assert len(features.table(fewer)) == 1 and len(described) == 10
    monkeypatch.setattr(features, "VERSION", features.VERSION + 1)
    features.table(fewer)
    assert len(described) == 11


def test_bad_clips_are_left_out_and_named(tones, data, described):
    cut, gone, *good = tones.clips.index
    tones.path(cut).write_bytes(b"no sound at all")
    tones.path(gone).unlink()
    for _ in range(2):  # made, then read
        made = features.table(tones)
        assert made.index.tolist() == good and list(made.attrs["bad"]) == [cut, gone]
        assert "is missing" in made.attrs["bad"][gone]
        assert "not audio" in made.attrs["bad"][cut]
        assert str(tones.root) not in made.attrs["bad"][cut]
    assert len(described) == 6


def test_no_clip_can_be_read(tones, data):
    for path in tones.root.glob("*/*.mp3"):
        path.unlink()
    for _ in range(2):
        made = features.table(tones)
        assert made.shape == (0, 113) and len(made.attrs["bad"]) == 8


def test_an_interrupted_table_does_not_count(tones, data, described, monkeypatch):
    few, describe = replace(tones, clips=tones.clips.iloc[:4]), features.describe

    def stop(samples, *rest):
        if len(described) == 3:
            raise KeyboardInterrupt
        return describe(samples, *rest)

    with monkeypatch.context() as patch:
        patch.setattr(features, "describe", stop)
        patch.setattr(os, "cpu_count", lambda: 1)
        with pytest.raises(KeyboardInterrupt):
            features.table(few)
    assert len(features.table(few)) == 4 and len(described) == 3 + 4


def test_a_damaged_table_is_made_again(tones, data, described):
    few = replace(tones, clips=tones.clips.iloc[:4])
    whole = features.table(few)
    (path,) = data.glob("cache/features/**/output.pkl")
    good = path.read_bytes()
    for damaged in (b"", b"PK", good[: len(good) // 2]):
        described.clear()
        path.write_bytes(damaged)
        pd.testing.assert_frame_equal(features.table(few), whole)
        assert len(described) == 4


def made(n_clips=120, seed=0):
    """Features of noise but for the first two, and three tags: two follow from them,
    the third nobody has. Shape: (n_clips, 6), (n_clips, 3)."""
    random = np.random.default_rng(seed)
    index = pd.Index(range(500, 500 + n_clips), name="clip_id")
    table = pd.DataFrame(random.standard_normal((n_clips, 6)), index, list("abcdef"))
    labels = pd.DataFrame({"high": table["a"] > 0.8, "both": table["b"] > table["a"]})
    return table.astype(np.float32), labels.assign(never=False).astype(np.uint8)


@pytest.mark.parametrize("name", features.BASELINES)
def test_every_baseline(name):
    x, y = made()
    kind = features.BASELINES[name]
    fitted = kind(seed=3).fit(x, y)
    scores = fitted.predict(x.iloc[:50])
    assert scores.shape == (50, 3) and scores.dtype == np.float64
    assert scores.min() >= 0 and scores.max() <= 1
    np.testing.assert_array_equal(scores, kind(seed=3).fit(x, y).predict(x.iloc[:50]))
    np.testing.assert_array_equal(scores[:, 2], 0)  # the tag that nobody has
    assert json.loads(json.dumps(fitted.arguments)) == fitted.arguments
    assert "seed" not in fitted.arguments and type(fitted.parameters) is int
    with pytest.raises(ValueError, match=r"features.loc\[labels.index\]"):
        kind().fit(x, y.iloc[::-1])


def test_nothing_and_prior():
    x, y = made()
    nothing = features.PredictNothing().fit(x, y)
    assert nothing.parameters == 0 and not nothing.predict(x).any()
    prior = features.ConstantPrior().fit(x, y)
    assert prior.parameters == 3
    scores = prior.predict(x)
    for tag, share in enumerate(y.mean()):
        loss = log_loss(y.iloc[:, tag], scores[:, tag], labels=[0, 1])
        entropy = -sum(p * np.log(p) for p in (share, 1 - share) if p > 0)
        assert loss == pytest.approx(entropy, abs=1e-9)
        for other in (0.9 * share + 0.01, 0.9 * share + 0.2):
            other = np.full(len(y), other)
            assert log_loss(y.iloc[:, tag], other, labels=[0, 1]) > loss


def test_trees_learn_what_can_be_learnt():
    (x, y), (new_x, new_y) = made(), made(seed=1)
    always = y.assign(always=1)
    trees = features.BoostedTrees().fit(x, always)
    scores = trees.predict(new_x)
    roc = metrics.roc_auc(new_y, scores[:, :3])
    assert roc[0] > 0.95 and roc[1] > 0.85 and np.isnan(roc[2])
    np.testing.assert_array_equal(scores[:, 2:], [[0, 1]] * len(new_x))


def test_trees_count_and_draw():
    x, y = made()
    one = features.BoostedTrees(max_iter=1, max_leaf_nodes=2).fit(x, y)
    assert one.parameters == 2 * (1 + 2) + 1  # a split and two leaves; a share
    assert one.arguments == {"max_iter": 1, "max_leaf_nodes": 2}
    scores = [features.BoostedTrees(seed).fit(x, y).predict(x) for seed in (0, 1)]
    assert np.abs(scores[0] - scores[1]).max() > 0.001
