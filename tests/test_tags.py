"""Labels: synonyms, tag lists, splits, pairs, on frames small enough to check."""

import numpy as np
import pandas as pd
import pytest

from tagkit.data import tags


def frame(**columns):
    return pd.DataFrame(columns, dtype=np.uint8)


def test_merging_takes_any_of_the_synonyms_and_keeps_the_others():
    labels = frame(drum=[1, 0, 0], slow=[1, 0, 1], drums=[0, 1, 0], weird=[0, 0, 1])
    merged = tags.merge_synonyms(labels)
    assert list(merged.columns) == ["drum", "slow", "strange"]
    assert merged["drum"].tolist() == [1, 1, 0]
    assert merged["slow"].tolist() == [1, 0, 1]
    assert (merged.dtypes == np.uint8).all()
    assert list(labels.columns) == ["drum", "slow", "drums", "weird"]  # untouched


def test_merging_twice_changes_nothing_more():
    raw = [raw for raws in tags.MERGE_GROUPS.values() for raw in raws]
    assert len(raw) == len(set(raw)), "a tag stands in two groups"
    labels = pd.DataFrame(np.eye(len(raw), dtype=np.uint8), columns=raw)
    once = tags.merge_synonyms(labels)
    assert once.shape[1] == len(tags.MERGE_GROUPS) == 29
    pd.testing.assert_frame_equal(tags.merge_synonyms(once), once)


def test_top_counts_and_breaks_ties_as_published():
    labels = frame(choral=[1, 0], b=[1, 1], guitar=[0, 1], a=[0, 1])
    assert tags.top(labels, 4) == ["b", "guitar", "choral", "a"]
    assert tags.top(labels, 1) == ["b"]
    assert len(tags.top(labels, 50)) == 4
    labels = frame(often=[1] * 300, seldom=[1] * 255 + [0] * 45)
    assert tags.top(labels, 1) == ["often"]  # 300 is more than a uint8 counts


def test_published_top_50_is_fifty_different_tags():
    assert len(tags.RAW50) == len(set(tags.RAW50)) == 50
    assert tags.RAW50[0] == "guitar" and tags.RAW50[-1] == "choral"


def test_chosen_columns_keep_the_order_asked_for():
    labels = frame(a=[1], b=[0], c=[1])
    assert list(tags.choose(labels, ["c", "a"])) == ["c", "a"]
    assert list(tags.choose(labels, "all")) == ["a", "b", "c"]
    assert list(tags.choose(labels, "raw50")) == ["a", "c", "b"]
    labels = frame(violin=[1, 1], drums=[1, 0], drum=[0, 1], ambient=[0, 0])
    assert list(tags.choose(labels, "merged50")) == ["ambient", "drum", "violin"]


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        (["Guitr"], ["'Guitr'", "2 tags", "'guitar'"]),
        (["xyzzy"], ["'xyzzy'", "none"]),
        ("guitar", ["'guitar'", "'raw50'", "['guitar']"]),
        ([7], ["7"]),
    ],
)
def test_unknown_tags_are_answered_with_the_nearest(wanted, words):
    with pytest.raises(ValueError) as caught:
        tags.choose(frame(guitar=[1], piano=[0]), wanted)
    assert all(word in str(caught.value) for word in words)


def test_lastfm_tags_have_one_kind_each():
    assert len(set(tags.LASTFM50)) == 50
    kinds = [tag for kind in tags.LASTFM50_KINDS.values() for tag in kind]
    assert sorted(kinds) == sorted(tags.LASTFM50)
    for kind in tags.LASTFM50_KINDS.values():  # the most frequent first
        places = [tags.LASTFM50.index(tag) for tag in kind]
        assert places == sorted(places)
    sizes = {kind: len(names) for kind, names in tags.LASTFM50_KINDS.items()}
    assert sizes == {"genre": 28, "mood": 12, "instrument": 5, "era": 5}
    assert sum(tags.LASTFM50_SPLIT.values()) == 242_825
    labels = frame(**{tag: [1] for tag in reversed(tags.LASTFM50)})
    assert list(tags.choose(labels, "lastfm50")) == tags.LASTFM50
    with pytest.raises(ValueError, match="'pop'"):
        tags.choose(labels.drop(columns="pop"), "lastfm50")


def test_folder_split_by_the_first_folder():
    paths = pd.Series([f"{f}/x.mp3" for f in "0123456789abcdef"], index=range(5, 21))
    split = tags.folder_split(paths)
    assert split.value_counts().to_dict() == {"train": 12, "valid": 1, "test": 3}
    assert split.tolist() == ["train"] * 12 + ["valid"] + ["test"] * 3
    assert split.index.equals(paths.index)


@pytest.mark.parametrize("path", ["g/x.mp3", "train/x.mp3", "x.mp3", "A/x.mp3", ""])
def test_folder_split_refuses_other_folders(path):
    with pytest.raises(ValueError, match=rf"{path!r} .*0 \.\.\. f"):
        tags.folder_split(pd.Series(["0/y.mp3", path]))


def test_random_split_has_the_sizes_and_depends_on_the_seed_only():
    ids = pd.Index(range(100, 1700), name="clip_id")
    split = tags.random_split(ids, seed=3)
    assert split.value_counts().to_dict() == {"train": 1200, "test": 300, "valid": 100}
    assert split.index.equals(ids)
    pd.testing.assert_series_equal(split, tags.random_split(ids, seed=3))
    assert (split != tags.random_split(ids, seed=4)).any()


def test_cooccurrence_is_the_share_of_the_rows_tag():
    # 400 clips: more than a uint8 counts
    labels = frame(a=[1, 1, 1, 1] * 100, b=[1, 0, 0, 0] * 100, never=[0] * 400)
    given = tags.cooccurrence(labels)
    assert given.loc["a", "b"] == 0.25 and given.loc["b", "a"] == 1
    assert given.loc["never"].isna().all()
    assert given.loc["a", "never"] == 0


def test_pairs_and_contradictions():
    labels = frame(slow=[1, 1, 0, 0], fast=[1, 0, 1, 0], loud=[1, 1, 1, 1])
    counts = tags.pair_counts(labels, "slow", "fast")
    assert counts == {"either": 3, "both": 1, "only_a": 1, "only_b": 1}
    found = tags.contradictions(labels)  # loud without quiet is no pair
    assert found.to_dict("records") == [
        {"tag": "slow", "other": "fast", "n_tag": 2, "n_other": 2, "n_both": 1}
    ]
    with pytest.raises(ValueError, match="'quick'"):
        tags.pair_counts(labels, "slow", "quick")


def test_group_split_keeps_groups_whole_and_comes_near_12_1_3():
    random = np.random.default_rng(0)
    sizes = random.integers(1, 40, size=100)
    groups = pd.Series(np.repeat([f"artist {i}" for i in range(100)], sizes))
    groups = groups.sample(frac=1, random_state=0)
    split = tags.group_split(groups)
    assert (split.groupby(groups).nunique() == 1).all()
    assert tags.overlap(split, groups) == 0
    share = split.value_counts() / len(split)
    assert (share["train"], share["valid"], share["test"]) == pytest.approx(
        (12 / 16, 1 / 16, 3 / 16), abs=0.01
    )
    assert tags.group_split(groups[::-1])[groups.index].equals(split)


@pytest.mark.parametrize("sizes", [(1, 1, 1), (90, 1, 1), (5, 5, 5, 5), (1, 50, 49)])
def test_group_split_of_few_groups_leaves_no_part_empty(sizes):
    groups = pd.Series(np.repeat(list("abcd")[: len(sizes)], sizes))
    split = tags.group_split(groups)
    assert set(split) == {"train", "valid", "test"}
    assert (split.groupby(groups).nunique() == 1).all()
    assert split.value_counts().idxmax() == "train" or set(sizes) == {1}


def test_group_split_needs_three_groups():
    with pytest.raises(ValueError, match="2 artists .*three"):
        tags.group_split(pd.Series(["a", "b", "a"]))
