"""Recorded runs and the table that compares them."""

import pytest

from tagkit import metrics, tables


def run(model="K2C2", seed=0, roc=0.8, **about):
    """A record with the fields that the leaderboard reads."""
    known = {"corpus": "mini", "tag_list": "raw50", "version": "full", "part": "test"}
    known |= {"n_clips": 90, "merge": "mean", "n_tags": 50, "masked": []}
    macro = {"roc_auc": roc, "roc_low": roc - 0.1, "roc_high": roc + 0.1}
    macro |= {"ap": roc / 2, "ap_floor": 0.07}
    return {
        "model": model,
        "arguments": {"n_tags": 50, "width": 0.25},
        "parameters": 1000,
        "n_train": 100,
        "config": {"seed": seed},
        "about": known | about,
        "macro": macro,
        "history": [{"seconds": 5.0}, {"seconds": 15.0}],
    }


def test_best_model_first_with_both_intervals():
    values = [0.80, 0.82, 0.84]
    runs = [run("DielemanRaw", s, 0.6) for s in range(3)]
    runs += [run("K2C2", s, v) for s, v in enumerate(values)]
    board = tables.leaderboard(runs)
    assert list(board.index) == ["K2C2 (width=0.25)", "DielemanRaw (width=0.25)"]
    row = board.iloc[0]
    mean, low, high = metrics.seed_interval(values)
    assert (row.roc_auc, row.seed_low, row.seed_high) == (mean, low, high)
    assert row.clip_low == pytest.approx(0.72) and row.seeds == 3
    assert row.seconds_per_clip == pytest.approx(0.1)
    assert "90 clips" in board.attrs["caption"]


@pytest.mark.parametrize(
    "differs", [{"version": "clean"}, {"corpus": "magnatagatune"}, {"n_clips": 89},
                {"tag_list": "merged50"}, {"part": "valid"}, {"merge": "max"}]
)  # fmt: skip
def test_scores_of_different_protocols_are_not_put_side_by_side(differs):
    with pytest.raises(ValueError, match=next(iter(differs))):
        tables.leaderboard([run(), run("DielemanRaw", **differs)])


def test_one_seed_has_no_interval_over_seeds():
    row = tables.leaderboard([run()]).iloc[0]
    assert row[["seed_low", "seed_high"]].isna().all()


def test_a_file_that_is_no_record_is_named(tmp_path):
    (tmp_path / "x.json").write_text('{"macro": {}}')
    with pytest.raises(ValueError, match=r"x\.json is not the record of a run"):
        tables.read_runs(tmp_path)
