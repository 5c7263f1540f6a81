"""Windows: the right samples beside the right labels, everything seen once."""

import numpy as np
import pandas as pd
import pytest
import torch
from made import made_examples, made_store, noise

from tagkit.data import batches, store


@pytest.fixture
def numbered(tmp_path):
    """Ten clips; clip i is constant at 100 * (i + 1), its labels are i in binary."""
    rows = np.repeat(100 * np.arange(1, 11)[:, None], 1000, axis=1).astype(np.int16)
    labels = [[i >> bit & 1 for bit in range(4)] for i in range(10)]
    return made_examples(tmp_path / "s", rows, labels)


def clip_of(samples):
    return (samples[:, 0] * store.FULL_SCALE / 100).round().int() - 1


@pytest.mark.filterwarnings("error")
def test_labels_stand_beside_their_samples(numbered):
    for samples, labels in numbered.crops(100, 12_000, batch_size=4).epoch(0):
        assert samples.dtype == labels.dtype == torch.float32
        assert samples.shape[1:] == (100,) and labels.shape[1:] == (4,)
        number = (labels * torch.tensor([1, 2, 4, 8])).sum(dim=1)
        assert number.tolist() == clip_of(samples).tolist()


def test_labels_stay_beside_their_samples_when_clips_are_taken(numbered):
    some = numbered.take([107, 102, 105])
    ((samples, labels),) = some.crops(100, 12_000, batch_size=4).epoch(0)
    assert sorted(clip_of(samples).tolist()) == [2, 5, 7]
    number = (labels * torch.tensor([1, 2, 4, 8])).sum(dim=1)
    assert number.tolist() == clip_of(samples).tolist()
    samples = next(iter(batches.GridCrops(some, 1000, 12_000)))
    assert clip_of(samples).tolist() == [7, 2, 5]


@pytest.mark.parametrize("crops_per_clip", [1, 3])
@pytest.mark.parametrize("batch_size", [1, 4, 100])
def test_every_clip_comes_equally_often_in_an_epoch(
    numbered, batch_size, crops_per_clip
):
    options = {"batch_size": batch_size, "crops_per_clip": crops_per_clip}
    crops = numbered.crops(100, 12_000, **options)
    drawn = torch.cat([clip_of(samples) for samples, _ in crops.epoch(1)])
    assert torch.bincount(drawn).tolist() == [crops_per_clip] * 10
    assert crops.n_windows == len(drawn)


def test_epochs_differ_and_the_same_epoch_does_not(numbered):
    def order(seed, k):
        crops = numbered.crops(100, 12_000, batch_size=4, seed=seed)
        return torch.cat([clip_of(samples) for samples, _ in crops.epoch(k)]).tolist()

    assert order(0, 1) == order(0, 1)
    assert order(0, 1) != order(0, 2)
    assert order(0, 1) != order(1, 1)
    assert order(0, 1) != sorted(order(0, 1))


def test_windows_start_anywhere_and_never_beyond_the_end(tmp_path):
    ramp = np.arange(50, dtype=np.int16)[None] * 10
    made = made_examples(tmp_path / "s", ramp, [[1]])
    crops = batches.RandomCrops(made, 40, 12_000, crops_per_clip=400)
    starts = set()
    for samples, _ in crops.epoch(0):
        values = (samples * store.FULL_SCALE / 10).round().int()
        starts |= set(values[:, 0].tolist())
        assert (values.diff(dim=1) == 1).all()
    assert starts == set(range(11))


def test_samples_are_scaled_to_one(tmp_path):
    rows = np.array([[store.FULL_SCALE, -store.FULL_SCALE, 0, 0]], dtype=np.int16)
    made = made_examples(tmp_path / "s", rows, [[1]])
    samples = next(iter(batches.GridCrops(made, 4, 12_000)))
    assert samples.tolist() == [[1, -1, 0, 0]]


def test_grid_covers_from_start_to_end(tmp_path):
    rows = np.stack([np.arange(1000), np.arange(1000) + 5000]).astype(np.int16)
    made = made_examples(tmp_path / "s", rows, [[1], [0]])
    grid = batches.GridCrops(made, 300, 12_000, clips_per_batch=1)
    assert grid.n_windows == 4
    first, second = ((s * store.FULL_SCALE).round().int() for s in grid)
    assert first[:, 0].tolist() == [0, 233, 466, 700]
    assert set(first.flatten().tolist()) == set(range(1000))  # every sample is heard
    assert second[:, 0].tolist() == [5000, 5233, 5466, 5700]


@pytest.mark.parametrize(
    ("n", "rate", "n_windows"),
    [
        (34_950, 12_000, 10),
        (349_488, 12_000, 1),
        (48_000, 16_000, 10),
        (59_049, 16_000, 8),
        (320_000, 16_000, 2),
    ],
)
def test_grid_has_as_few_windows_as_cover_the_clip(tmp_path, n, rate, n_windows):
    silence = np.zeros((1, round(29.124 * rate)), np.int16)
    made = made_examples(tmp_path / "s", silence, [[1]], rate)
    grid = batches.GridCrops(made, n, rate)
    assert grid.n_windows == n_windows
    assert next(iter(grid)).shape == (n_windows, n)


def test_grid_is_in_the_order_of_the_labels_whatever_the_batch(numbered):
    for n in (1, 3, 8, 100):
        grid = batches.GridCrops(numbered, 1000, 12_000, clips_per_batch=n)
        assert torch.cat([clip_of(s) for s in grid]).tolist() == list(range(10))


@pytest.mark.parametrize("crops", [batches.RandomCrops, batches.GridCrops])
@pytest.mark.parametrize(("stored", "needed"), [(12_000, 16_000), (16_000, 12_000)])
def test_a_store_of_another_rate_is_refused(tmp_path, crops, stored, needed):
    made = made_examples(tmp_path / "s", noise(1, 1000), [[1]], stored)
    told = rf"{stored} Hz.* {needed}; take .*prepare\(corpus, sample_rate={needed}\)"
    with pytest.raises(ValueError, match=told):
        crops(made, 100, needed)
    assert len(crops(made, 100, stored).rows) == 1


def test_window_longer_than_the_clips_is_refused(tmp_path):
    made = made_examples(tmp_path / "s", noise(1, 12_000), [[1]], 12_000)
    with pytest.raises(ValueError, match=r"24000 samples .* 2.00 s; .* 1.00 s"):
        batches.GridCrops(made, 24_000, 12_000)
    batches.GridCrops(made, 12_000, 12_000)


@pytest.fixture
def tones_store(tones, tmp_path):
    tones.path(13).write_bytes(b"")  # clip 13, folder 1
    return store.prepare(tones, 8_000, folder=tmp_path / "s")


def test_examples_leave_out_what_the_store_left_out(tones, tones_store):
    train = batches.examples(tones, tones_store, "train", "all")
    assert len(train) == 7 and 13 not in train.labels.index
    assert train.labels.equals(tones.labels("all").drop(13))
    assert train.about == {
        "corpus": "tones",
        "tag_list": "all",
        "version": "full",
        "part": "train",
        "n_clips": 7,
    }
    assert "n_clips=7" in repr(train)


def test_examples_of_clips_of_your_own(tones, tones_store):
    mine = batches.examples(tones, tones_store, [16, 10], ["low"])
    assert mine.labels.index.tolist() == [16, 10]
    assert mine.about["part"] == mine.about["version"] == "own"
    assert mine.about["tag_list"] == "own"
    assert len(batches.examples(tones, tones_store, pd.Index([16]), ["low"])) == 1


def test_examples_refuse_unknown_parts_and_clips(tones, tones_store):
    for part in ("validation", "test", []):  # the tones lie in folders 0 ... 7
        with pytest.raises(ValueError, match="needed is 'train', 'valid', 'test' or"):
            batches.examples(tones, tones_store, part, "all")
    with pytest.raises(ValueError, match=r"clip 999 is not in tones"):
        batches.examples(tones, tones_store, [10, 999], "all")


def test_clean_examples_have_a_tag_each(tones, tones_store):
    clean = batches.examples(tones, tones_store, "train", ["high"], "clean")
    assert clean.labels["high"].all() and len(clean) == 3
    assert clean.about["version"] == "clean"


def test_take_keeps_the_first_clips_or_those_that_are_named(numbered):
    for n in (3, np.int64(3)):
        assert numbered.take(n).labels.index.tolist() == [100, 101, 102]
        assert numbered.take(n).about["n_clips"] == 3
    assert numbered.take(pd.Index([105])).about["n_clips"] == 1
    assert len(numbered.take(99)) == 10
    twice = numbered.take(iter([103, 103, 101]))
    assert twice.labels.index.tolist() == [103, 103, 101]
    assert len(twice.take(1)) == 1


def test_take_refuses_what_is_not_there(numbered):
    for n in (0, -5, np.int64(0)):
        with pytest.raises(ValueError, match=f"n is {n}; needed is at least 1"):
            numbered.take(n)
    with pytest.raises(ValueError, match=r"clip 99 is not in .*part=made, n_clips=10"):
        numbered.take([105, 99])


def test_a_clip_is_read_from_its_own_row_and_not_from_its_position(tmp_path):
    rows = np.repeat(100 * np.arange(1, 4)[:, None], 50, axis=1).astype(np.int16)
    clips = made_store(tmp_path / "s", rows, bad=[0])
    frame = pd.DataFrame({"x": [1, 0]}, index=[101, 102])
    some = batches.Examples(clips, frame, {"n_clips": 2})
    assert clip_of(next(iter(batches.GridCrops(some, 50, 12_000)))).tolist() == [1, 2]


def test_examples_of_mini(mini, mini_store):
    for part, n in (("train", 360), ("valid", 30), ("test", 90)):
        labels = batches.examples(mini, mini_store, part).labels
        assert labels.shape == (n, 50)
        assert labels.columns.equals(mini.labels().columns)


@pytest.mark.parametrize(
    ("n", "size", "sizes"),
    [(9, 4, [4, 5]), (10, 4, [4, 4, 2]), (5, 4, [5]), (1, 4, [1]), (3, 1, [1, 1, 1])],
)
def test_a_last_window_alone_joins_the_batch_before_it(tmp_path, n, size, sizes):
    """Batch norm cannot learn a spread from one window."""
    labels = np.zeros((n, 2))
    whole = made_examples(tmp_path / "s", noise(n, 4000), labels)
    crops = whole.crops(4000, 12_000, batch_size=size)
    assert [len(wanted) for _, wanted in crops.epoch(1)] == sizes
    clips = [crops.clips(1, number) for number in range(len(sizes))]
    assert [len(ids) for ids in clips] == sizes
    assert sorted(sum(clips, [])) == whole.labels.index.tolist()
    assert crops.clips(1, len(sizes)) == []


def test_windows_of_a_shorter_clip_hold_its_sound_alone(tmp_path):
    """Clip 100 fills its row, 101 has 5,000 samples of its own, 102 has 700."""
    own = np.int16([1, 2, 3])[:, None] * np.ones(12_000, np.int16)
    made = made_examples(tmp_path / "s", own, [[1], [1], [1]], 12_000)
    made.store.lengths.loc[[101, 102]] = 5_000, 700
    crops = made.crops(1_000, 12_000, batch_size=300, crops_per_clip=100)
    order, starts = crops._plan(1)
    assert [starts[order == clip].max() // 1_000 for clip in range(3)] == [10, 3, 0]
    grid = batches.GridCrops(made, 1_000, 12_000)
    starts = [grid.starts[n].tolist() for n in grid.lengths]
    assert starts[0] == np.linspace(0, 11_000, 12).astype(int).tolist()
    assert starts[1][:6] == [0, 1_000, 2_000, 3_000, 4_000, 0]
    assert starts[2] == [0] * 12 and {len(s) for s in starts} == {12}
    assert grid.n_own.tolist() == [12, 5, 1]
    assert len(next(iter(grid))) == 36
