"""Scores of clips: windows merged as said, nothing learnt or changed on the way."""

import numpy as np
import pytest
import soundfile
import torch
from made import made_examples, noise
from test_audio import bad_files
from torch import nn

from conftest import tone
from tagkit import models
from tagkit.data import audio, batches, corpus, store
from tagkit.evaluation import predict
from tagkit.models.tagger import Tagger


class Loudness(Tagger):
    """Logits that can be told by hand: of the first sample, and of the loudest."""

    def __init__(self, n_samples=1000, sample_rate=12_000):
        super().__init__(n_samples, sample_rate, {"n_tags": 2})
        self.gain = nn.Parameter(torch.tensor(10.0))
        self.batches = []

    def forward(self, samples):
        self.check(samples)
        self.batches.append(len(samples))
        first, loudest = samples[:, 0], samples.abs().amax(dim=1)
        return self.gain * torch.stack([first, loudest], dim=1)


class Forgetful(Loudness):
    """Gives other logits in training mode, as dropout and batch norm do."""

    def __init__(self):
        super().__init__()
        self.norm = nn.BatchNorm1d(2)
        self.drop = nn.Dropout(0.5)

    def forward(self, samples):
        return self.drop(self.norm(super().forward(samples)))


@pytest.fixture
def some(tmp_path):
    samples = np.zeros((3, 3000))
    for i in range(3):
        for w in range(3):
            samples[i, 1000 * w] = (i + 1) / 10
            samples[i, 1000 * w + 5] = (w + 4) / 10
    return made_examples(tmp_path / "s", samples, [[0, 1], [1, 0], [1, 1]])


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def test_window_logits_are_clip_by_window_by_tag(some):
    logits = predict.window_logits(Loudness(), some)
    assert logits.shape == (3, 3, 2) and logits.dtype == np.float32
    np.testing.assert_allclose(logits[:, :, 0], [[1] * 3, [2] * 3, [3] * 3], atol=1e-3)
    np.testing.assert_allclose(logits[:, :, 1], [[4, 5, 6]] * 3, atol=1e-3)
    turned = predict.window_logits(Loudness(), some.take([102, 100, 101]))
    np.testing.assert_array_equal(turned, logits[[2, 0, 1]])


LOGITS = np.array([[[2.0, -1, 0], [-3, -1, 1], [-3, 4, 1]]])  # (1, 3 windows, 3 tags)


@pytest.mark.parametrize(
    ("merge", "expected"),
    [
        ("mean", sigmoid(LOGITS).mean(axis=1)),
        ("max", sigmoid(LOGITS).max(axis=1)),
        ("mean_logits", sigmoid(LOGITS.mean(axis=1))),
        ("vote", np.array([[1 / 3, 1 / 3, 2 / 3]])),
    ],
)
def test_merges_by_hand(merge, expected):
    np.testing.assert_allclose(predict.merge_windows(LOGITS, merge), expected)
    assert set(predict.MERGES) == {"mean", "vote", "max", "mean_logits"}


def test_large_logits_stay_numbers():
    scores = predict.merge_windows(np.array([[[-1e4, 1e4]]], np.float32))
    assert scores.tolist() == [[0, 1]]


def test_unknown_merge_is_refused():
    with pytest.raises(ValueError, match="'median'.*mean, vote"):
        predict.merge_windows(LOGITS, "median")


def test_clip_scores_merge_the_windows(some):
    model = Loudness()
    logits = predict.window_logits(model, some)
    for merge in predict.MERGES:
        np.testing.assert_array_equal(
            predict.clip_scores(model, some, merge),
            predict.merge_windows(logits, merge),
        )
    by_default = predict.clip_scores(model, some)
    np.testing.assert_array_equal(by_default, predict.merge_windows(logits, "mean"))


@pytest.mark.parametrize("training", [True, False])
def test_the_model_is_in_evaluation_mode_and_left_as_it_was(some, training):
    """Trap: a missing eval(), or one that is never taken back."""
    torch.manual_seed(0)
    model = Forgetful().train(training)
    before = {k: v.clone() for k, v in model.state_dict().items()}
    first = predict.window_logits(model, some)
    np.testing.assert_array_equal(first, predict.window_logits(model, some))
    assert all(torch.equal(v, before[k]) for k, v in model.state_dict().items())
    assert model.training is training
    assert all(module.training is training for module in model.modules())


def test_mode_is_taken_back_after_an_error(some):
    model = Loudness(n_samples=1000).train()
    model.check = lambda samples: 1 / 0
    with pytest.raises(ZeroDivisionError):
        predict.window_logits(model, some)
    assert model.training


def test_file_scores_are_those_of_its_clip(tmp_path):
    samples = (0.3 * noise(1, 349_488)[0]).astype(np.float32)
    audio.write(tmp_path / "x.wav", samples, 12_000)
    torch.manual_seed(0)
    model = models.DielemanRaw(n_tags=3)
    some = made_examples(
        tmp_path / "s", audio.load(tmp_path / "x.wav", 12_000)[None], [[0] * 3]
    )
    for merge in predict.MERGES:
        expected = predict.clip_scores(model, some, merge)[0]
        scores = predict.tag_file(model, tmp_path / "x.wav", ["a", "b", "c"], merge)
        np.testing.assert_allclose(scores[["a", "b", "c"]], expected, atol=1e-6)
        assert scores.is_monotonic_decreasing


def test_timeline_says_when(tmp_path):
    wave = np.zeros(6000, np.float32)
    wave[3500] = 0.9  # in the fourth of six windows
    audio.write(tmp_path / "x.wav", wave, 12_000)
    lines = predict.timeline(Loudness(), tmp_path / "x.wav", ["first", "loudest"])
    assert lines.shape == (6, 2) and list(lines.columns) == ["first", "loudest"]
    np.testing.assert_allclose(lines.index, (np.arange(6) + 0.5) * 1000 / 12_000)
    assert lines["loudest"].argmax() == 3
    merged = predict.tag_file(Loudness(), tmp_path / "x.wav", ["first", "loudest"])
    np.testing.assert_allclose(merged["loudest"], lines["loudest"].mean(), atol=1e-6)


def test_embeddings_are_what_the_last_layer_reads(tones, tmp_path):
    made = store.prepare(tones, 12_000, folder=tmp_path / "s")
    examples = batches.examples(tones, made, tones.clips.index)
    torch.manual_seed(0)
    model = models.DielemanRaw(n_tags=2)  # ten windows a clip
    vectors = predict.embeddings(model, examples)
    logits = predict.window_logits(model, examples).mean(axis=1)
    with torch.inference_mode():
        again = model.output(torch.from_numpy(vectors)).numpy()
    assert vectors.shape == (8, model.n_dims) and vectors.dtype == np.float32
    np.testing.assert_allclose(again, logits, atol=1e-4)
    # Of their files nearly the same, for they are 0.07 s longer; no labels are needed.
    for table in tones.root.glob("*.csv"):
        table.unlink()
    bare = corpus.open(tones.root)
    files = [bare.path(clip) for clip in bare.clips.index]
    again = predict.embeddings(model, files)
    np.testing.assert_allclose(again, vectors, atol=1e-2)


def test_embeddings_of_files_are_means_over_their_windows(tmp_path):
    random = np.random.default_rng(0)
    torch.manual_seed(0)
    model = models.DielemanRaw(2, 32, 32, n_samples=1000).eval()
    files, expected = [], []
    for i, n in enumerate((400, 1000, 2600)):
        samples = random.uniform(-0.5, 0.5, n).astype(np.float32)
        files.append(tmp_path / f"{i}.wav")
        soundfile.write(files[-1], samples, 12_000, subtype="FLOAT")
        # 0.5: 1600 more samples in hops of 500 or less, so 5 windows, 400 apart.
        starts = range(0, 1601, 400) if n == 2600 else [0]
        # One shorter than a window comes again and again.
        windows = [np.resize(samples[s:], max(1000, n - s))[:1000] for s in starts]
        with torch.inference_mode():
            windows = torch.from_numpy(np.stack(windows))
            expected.append(model.embed(windows).mean(dim=0).numpy())
    found = predict.embeddings(model, files, overlap=0.5)
    np.testing.assert_allclose(found, expected, atol=1e-5)
    one = predict.embeddings(model, str(files[2]), overlap=0.5)
    np.testing.assert_allclose(one, expected[2:], atol=1e-5)
    assert np.abs(predict.embeddings(model, files[2]) - expected[2]).max() > 1e-4


def test_short_clips_get_the_scores_of_their_files(tmp_path):
    """Windows lie inside a clip, or repeat it: no silence is scored."""
    random = np.random.default_rng(0)
    lengths = (0.5, 1.4, 7.5, 29.124)
    rows = [f"{i}.wav,{'ab'[i % 2]}" for i in range(len(lengths))]
    (tmp_path / "labels.csv").write_text("\n".join(["file,tags", *rows]))
    for i, seconds in enumerate(lengths):
        sound = random.uniform(-0.5, 0.5, round(seconds * 12_000)).astype(np.float32)
        audio.write(tmp_path / f"{i}.wav", sound, 12_000)
    music = corpus.open(tmp_path)
    clips = store.prepare(music, 12_000, folder=tmp_path / "s")
    torch.manual_seed(0)
    model = models.DielemanRaw(2).eval()
    scores = predict.clip_scores(
        model, batches.examples(music, clips, music.clips.index)
    )
    for row, clip_id in zip(scores, music.clips.index, strict=True):
        alone = predict.tag_file(model, music.path(clip_id), ["a", "b"])
        np.testing.assert_allclose(row, alone[["a", "b"]], atol=1e-6)


def test_embeddings_of_nothing_and_of_a_model_without_them_are_refused(some):
    with pytest.raises(ValueError, match="no clips"):
        predict.embeddings(models.DielemanRaw(), [])
    with pytest.raises(NotImplementedError, match="Loudness"):
        predict.embeddings(Loudness(), some)


def test_windows_of_a_timeline_overlap_as_asked(tmp_path):
    samples = np.zeros(4000, dtype=np.float32)
    samples[2000:2010] = 0.5
    soundfile.write(tmp_path / "x.wav", samples, 12_000)
    model = Loudness()
    path = tmp_path / "x.wav"
    line = predict.timeline(model, path, ["first", "loudest"], overlap=0.5)
    np.testing.assert_allclose(12_000 * line.index, 500 + np.arange(0, 3001, 500))
    assert (line["loudest"] > 0.9).tolist() == [False] * 3 + [True] * 2 + [False] * 2
    assert len(predict.timeline(model, path, ["first", "loudest"])) == 4
    for wrong in (-0.1, 1):
        with pytest.raises(ValueError, match=str(wrong)):
            predict.timeline(model, path, ["first", "loudest"], overlap=wrong)


def test_tags_keep_their_scores_when_sorted(tmp_path):
    wave = np.full(1000, 0.5, np.float32)
    wave[0] = -0.5
    audio.write(tmp_path / "x.wav", wave, 12_000)
    scores = predict.tag_file(Loudness(), tmp_path / "x.wav", ["first", "loudest"])
    assert scores.index.tolist() == ["loudest", "first"]
    np.testing.assert_allclose(scores, sigmoid(np.array([5.0, -5.0])), atol=1e-3)


@pytest.mark.parametrize(("rate", "channels"), [(44_100, 2), (8_000, 1), (16_000, 6)])
def test_any_rate_and_channels(tmp_path, rate, channels):
    wave = tone(440, 1.5, rate, channels).reshape(-1, channels)
    soundfile.write(tmp_path / "x.flac", wave, rate)
    scores = predict.tag_file(Loudness(), tmp_path / "x.flac", ["first", "loudest"])
    assert scores["loudest"] == pytest.approx(sigmoid(5.0), abs=1e-2)


@pytest.mark.parametrize("n", [1, 10, 999, 1000, 1001, 1499, 1501, 2500, 12_345])
def test_any_length_and_every_sample_is_heard(tmp_path, n):
    for at in {0, n // 2, n - 1}:
        wave = np.zeros(n, np.float32)
        wave[at] = 0.9
        audio.write(tmp_path / "x.wav", wave, 12_000)
        scores = predict.tag_file(
            Loudness(), tmp_path / "x.wav", ["first", "loudest"], "max"
        )
        assert scores["loudest"] == pytest.approx(sigmoid(9.0), abs=1e-4)


def test_a_long_file_goes_through_in_batches(tmp_path):
    audio.write(tmp_path / "x.wav", tone(440, 20, 12_000), 12_000)
    model = Loudness()
    predict.tag_file(model, tmp_path / "x.wav", ["first", "loudest"])
    assert sum(model.batches) == 240
    assert max(model.batches) <= 32


def test_bad_files_raise_their_reason(tmp_path):
    for name, word in bad_files(tmp_path).items():
        with pytest.raises(audio.AudioError, match=word):
            predict.tag_file(Loudness(), tmp_path / name, ["first", "loudest"])


def test_tags_that_do_not_fit_the_model_are_refused(tmp_path):
    audio.write(tmp_path / "x.wav", tone(440, 1, 12_000), 12_000)
    with pytest.raises(ValueError, match=r"2 outputs.* 3 tags"):
        predict.tag_file(Loudness(), tmp_path / "x.wav", ["a", "b", "c"])


def test_windows_that_do_not_fit_the_store_are_refused(some):
    with pytest.raises(ValueError, match="4000"):
        predict.window_logits(Loudness(n_samples=4000), some)
    with pytest.raises(ValueError, match="16000|16,000"):
        predict.window_logits(Loudness(1000, 16_000), some)


def test_scores_do_not_depend_on_the_batches(some, monkeypatch):
    torch.manual_seed(0)
    model = models.DielemanRaw(2, 32, 32, n_samples=1000, width=0.5)
    expected = predict.clip_scores(model, some)
    monkeypatch.setattr(predict, "CLIPS", 1)
    np.testing.assert_allclose(predict.clip_scores(model, some), expected, atol=1e-6)
