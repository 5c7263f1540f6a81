"""What is shipped of the recorded runs: complete, plausible, and as the texts say."""

import json
import sys

import numpy as np
import pytest

from tagkit import models
from tagkit.data import batches, corpus
from tagkit.evaluation import features, metrics, predict, results
from tagkit.training import checkpoints

ROOT = corpus.DATA.parent
CHECKPOINTS = sorted((corpus.DATA / "checkpoints" / "mini").glob("*.safetensors"))


@pytest.fixture(scope="module")
def recorded():
    return results.read_runs()


@pytest.fixture(scope="module")
def board(recorded):
    return results.leaderboard(recorded)


def test_every_model_and_baseline_has_three_seeds(recorded, board):
    assert {r["model"] for r in recorded} == {*models.MODELS, *features.BASELINES}
    assert (board["seeds"] == 3).all()
    assert any(r["arguments"].get("residual") for r in recorded)


def test_no_score_is_perfect_and_every_network_has_listened(recorded):
    for run in recorded:
        assert run["macro"]["roc_auc"] < 0.99
        if run["model"] not in ("PredictNothing", "ConstantPrior"):
            assert run["loss"] < run["prior_loss"], run["model"]
            assert run["macro"]["roc_low"] > 0.55, run["model"]


def test_what_does_not_listen_is_at_its_floors(board):
    for name in ("PredictNothing", "ConstantPrior"):
        assert board.at[name, "roc_auc"] == 0.5
    assert board.at["PredictNothing", "loss"] == np.inf
    about = results.read_runs()[0]["about"]
    assert board.at["PredictNothing", "right"] == pytest.approx(
        about["nothing_right"], abs=1e-5
    )


def test_records_are_those_of_record_runs():
    sys.path.insert(0, str(corpus.DATA / "build_mini"))
    import record_runs

    folder = corpus.DATA / "results"
    names = {str(p.relative_to(folder))[:-5] for p in folder.rglob("*.json")}
    assert names == {f"{name}-{s}" for name in record_runs.RUNS for s in range(3)}
    for name, (model, settings) in record_runs.RUNS.items():
        for seed in range(3):
            path = corpus.DATA / "results" / f"{name}-{seed}.json"
            run = json.loads(path.read_text())
            kept = run["config"] | run["arguments"]
            assert run["model"] == model and kept["seed"] == seed
            assert {k: kept[k] for k in settings} == settings, name
    assert [p.stem for p in CHECKPOINTS] == sorted(record_runs.CHECKPOINTS)


def test_runs_on_shares_differ_in_their_clips_alone():
    """As many windows and the same rule for each; the boards above never see them."""
    shares = results.read_runs(corpus.DATA / "results" / "shares")
    rows = {}
    for run in shares:
        key = run["model"], run["n_train"]
        rows.setdefault(key, []).append(run["config"]["seed"])
        if "epochs" in run["config"]:
            assert run["config"]["epochs"] * run["n_train"] == 16 * 360
            assert len(run["history"]) == run["config"]["epochs"]
            assert run["config"]["keep"] == "valid_roc_auc"
    kinds = ("DielemanRaw", "DielemanMel", "BoostedTrees")
    assert rows == {(k, n): [0, 1, 2] for k in kinds for n in (45, 90, 180, 360)}
    with pytest.raises(ValueError, match="differ in n_train"):
        results.leaderboard(shares)
    scores = {key: [] for key in rows}
    for run in shares:
        scores[run["model"], run["n_train"]].append(run["macro"]["roc_auc"])
    for kind in kinds:  # what lesson 03 says: each doubling helps
        means = [np.mean(scores[kind, n]) for n in (45, 90, 180, 360)]
        assert 0.6 < means[0] and (np.diff(means) > 0).all()


def test_readmes_hold_the_leaderboard(board):
    sys.path.insert(0, str(corpus.DATA / "build_mini"))
    import mini_card

    whole = (corpus.DATA / "README.md").read_text()
    best = (ROOT / "README.md").read_text()
    for line in mini_card.board_lines(board):
        assert line in whole
    for line in mini_card.board_lines(board.head()):
        assert line in best


@pytest.mark.parametrize("path", CHECKPOINTS, ids=lambda p: p.stem)
def test_shipped_weights_score_as_recorded(path, mini, mini_store, recorded):
    """Half precision, on other threads: the third decimal may move, no more."""
    about = checkpoints.read_checkpoint(path)
    model = models.build(about["model"], **about["arguments"])
    test = batches.examples(mini, mini_store, "test")
    checkpoints.load_weights(model, path, list(test.labels.columns))
    scores = predict.clip_scores(model, test)
    (run,) = (
        r for r in recorded if r["model"] == about["model"] and r["config"]["seed"] == 0
    )
    assert metrics.cross_entropy(test.labels, scores) == pytest.approx(
        run["loss"], abs=2e-3
    )
    roc = metrics.evaluate(test.labels, scores, n_boot=0).at["macro", "roc_auc"]
    assert roc == pytest.approx(run["macro"]["roc_auc"], abs=3e-3)


def test_shipped_weights_are_small():
    assert CHECKPOINTS
    assert sum(p.stat().st_size for p in CHECKPOINTS) < 40e6
