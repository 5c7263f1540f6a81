"""How the papers trained: the values as published, and each can be run."""

# ruff: noqa: F811 - fixtures are parameters of the same name

import dataclasses

import numpy as np
import pytest
from made import made_examples, noise
from test_train import (  # noqa: F401
    assert_same_weights,
    data,
    labels_of,
    one_thread,
    quiet,
    small,
    weights,
)

from tagkit import models
from tagkit.evaluation import predict
from tagkit.training import checkpoints, recipes, train

# name -> epochs, batch size in windows, optimizer, rate, momentum. Where a paper is
# silent the value is ours, and `differs` says so.
PUBLISHED = {
    "dieleman": (270, 10, "sgd", 0.01, 0.0),
    "roy_base": (20, 100, "adam", 1e-3, None),
    "roy_improved": (20, 100, "adam", 0.01, None),
    "elwood_base": (20, 100, "sgd", 0.005, 0.99),
    "elwood_crnn": (20, 32, "adam", 1e-4, None),
    "weber": (50, 180, "adam", 1e-3, None),
    "pons_mtt": (600, 32, "adam", 1e-3, None),
    "pons_million": (600, 32, "adam", 1e-3, None),
    "wells": (150, 16, "adam", 1e-3, None),
    "lee": (100, 23, "sgd", 0.01, 0.9),
    "wang": (50, 32, "adam", 1e-3, None),
    "musicnn": (600, 32, "adam", 1e-3, None),
    "won": (80, 16, "adam", 1e-4, None),
}


def test_values_as_published_or_as_chosen():
    assert set(PUBLISHED) == set(recipes.RECIPES)
    for name, (epochs, batch, optimizer, rate, momentum) in PUBLISHED.items():
        first = recipes.RECIPES[name].stages[0]
        assert first.epochs == epochs and first.batch_size == batch, name
        assert first.optimizer == optimizer and first.learning_rate == rate, name
        assert momentum in (None, first.momentum), name


def test_schedules_as_published():
    stages = {name: recipe.stages for name, recipe in recipes.RECIPES.items()}
    for name, factor, flat in (
        ("roy_improved", 1 / 5, 4),  # "stalls for more than three epochs"
        ("lee", 1 / 5, 3),
        ("musicnn", 1 / 2, 75),
    ):
        (only,) = stages[name]
        assert only.schedule == "plateau", name
        assert (only.factor, only.flat_epochs) == (factor, flat), name
    assert (stages["wang"][0].schedule, stages["wang"][0].factor) == ("decay", 0.9)
    assert stages["wang"][0].weight_decay == 1e-6
    assert stages["lee"][0].nesterov and stages["musicnn"][0].weight_decay == 1e-5


def test_what_is_made_small_as_published():
    """Ten clips at a time, merged before the loss; the squared error of 1.2 million."""
    for name, recipe in recipes.RECIPES.items():
        (stage, *_) = recipe.stages
        merged = name in ("roy_base", "roy_improved", "elwood_base")
        expected = "clip" if merged else "mse" if name == "pons_million" else "window"
        assert stage.loss == expected, name
        if merged:
            assert stage.batch_size == 10 * stage.crops_per_clip == 100, name
    (roy,) = recipes.RECIPES["roy_improved"].stages
    assert roy.watched == "valid_roc_auc" and roy.keep == "valid_loss"


def test_networks_as_published():
    built = {
        (name, network): models.build(network, **arguments)
        for name, recipe in recipes.RECIPES.items()
        for network, arguments in recipe.networks.items()
    }
    n = {key: models.count_parameters(model) for key, model in built.items()}
    assert n["roy_base", "RoyBase"] == 17_119
    assert n["roy_improved", "RoyImproved"] == 2_845_470
    assert n["elwood_base", "DielemanRaw"] == 55_422
    assert n["dieleman", "DielemanRaw"] == 65_022
    wells = [n["wells", name] for name in ("K2C1", "K1C2", "K2C2")]
    assert max(wells) < 1.003 * min(wells)
    weber = built["weber", "PonsWaveform"]
    assert weber.n_samples * 9 == 465_984 and weber.output.out_features == 2
    for network in ("PonsWaveform", "PonsSpectrogram"):  # 15 s, a frame less or more
        n_samples = built["pons_million", network].n_samples
        assert abs(n_samples - 15 * 16_000) < 256


def test_wons_stages():
    first, *rest = recipes.RECIPES["won"].stages
    assert (first.optimizer, first.weight_decay) == ("adam", 1e-4)
    assert [s.learning_rate for s in rest] == [1e-3, 1e-4, 1e-5]
    assert all(
        (s.optimizer, s.nesterov, s.momentum) == ("sgd", True, 0.9) for s in rest
    )
    assert sum(s.epochs for s in (first, *rest)) == 200
    assert [s.epochs for s in rest[:2]] == [20, 20]


def test_dielemans_epochs_are_five_million_steps():
    (only,) = recipes.RECIPES["dieleman"].stages
    steps = only.epochs * 18_706 * only.crops_per_clip / only.batch_size
    assert steps == pytest.approx(5e6, rel=0.02)


def test_only_roy_merges_logits_and_only_weber_lets_windows_vote():
    for name, recipe in recipes.RECIPES.items():
        assert (recipe.merge == "mean_logits") == name.startswith("roy"), name
        assert (recipe.merge == "vote") == (name == "weber"), name


def test_table_shows_a_row_per_stage_and_what_differs():
    table = recipes.table()
    assert len(table) == sum(len(r.stages) for r in recipes.RECIPES.values()) == 16
    assert not {"seed", "device"} & set(table.columns)
    assert table.loc[("won", 3), "learning_rate"] == 1e-5


def test_stages_go_on_from_the_best_so_far(data, tmp_path):
    stages = [
        quiet(epochs=2),
        quiet(epochs=1, learning_rate=0.5),
        quiet(epochs=2, learning_rate=0.0),
    ]
    model, folder = small(), tmp_path / "run"
    history = recipes.fit_stages(model, *data, stages, run_dir=folder, log=None)
    one = small()
    first = train.fit(one, *data, stages[0], log=None)
    assert_same_weights(weights(model), weights(one))  # a rate of 0.5 only harmed
    frame = history.frame()
    assert frame["epoch"].tolist() == [1, 2, 3, 4, 5]
    assert frame["stage"].tolist() == [0, 0, 1, 2, 2]
    assert frame["learning_rate"].tolist() == [1e-3, 1e-3, 0.5, 0, 0]
    assert frame["valid_loss"].iloc[3] == pytest.approx(first.best["valid_loss"])
    again = small()
    checkpoints.load_weights(again, folder / "best.safetensors")
    assert_same_weights(weights(again), weights(model))


def test_stages_keep_by_roc_auc(data, monkeypatch):
    """The losses say epoch 1, the ROC-AUCs epoch 4, in the second stage."""
    saved = []
    validate = train.validate

    def made_up(model, examples, *loss):
        saved.append(weights(model))
        n = len(saved)
        made = {"valid_loss": 0.1 * n, "valid_roc_auc": 0.5 + 0.1 * n}
        return validate(model, examples, *loss) | made

    monkeypatch.setattr(train, "validate", made_up)
    model, stages = small(), [quiet(epochs=2, keep="valid_roc_auc")] * 2
    history = recipes.fit_stages(model, *data, stages, log=None)
    assert history.best["epoch"] == 4
    assert_same_weights(weights(model), saved[3])


@pytest.mark.parametrize("stop", [1, 2, 3, 4, 5])
def test_stages_stopped_anywhere_end_alike(data, tmp_path, stop):
    stages = [quiet(epochs=3), quiet(epochs=2, learning_rate=0.01)]
    whole = small()
    expected = recipes.fit_stages(whole, *data, stages, log=None).frame()
    lines = []

    def interrupt(line):
        lines.append(line)
        if len(lines) == stop:
            raise KeyboardInterrupt

    run = tmp_path / "run"
    half = recipes.fit_stages(small(), *data, stages, run_dir=run, log=interrupt)
    assert half.interrupted and len(half.epochs) == stop
    model = small()
    resumed = recipes.fit_stages(model, *data, stages, run_dir=run, log=None).frame()
    for column in ("epoch", "stage", "loss", "valid_loss"):
        assert resumed[column].tolist() == expected[column].tolist(), column
    assert_same_weights(weights(model), weights(whole))


def test_stages_stopped_before_the_first_epoch_leave_the_first_weights(
    data, monkeypatch
):
    def stop(*_):
        raise KeyboardInterrupt

    model = small()
    before = weights(model)
    monkeypatch.setattr(train, "validate", stop)
    history = recipes.fit_stages(model, *data, [quiet(), quiet()], log=None)
    assert history.interrupted and not history.epochs
    assert_same_weights(weights(model), before)


def test_only_the_first_stage_starts_at_the_prior(data):
    stages = [
        quiet(epochs=2, start_at_prior=True),
        quiet(epochs=2, learning_rate=0.0, start_at_prior=True),
    ]
    model, one = small(), small()
    recipes.fit_stages(model, *data, stages, log=None)
    train.fit(one, *data, stages[0], log=None)
    assert_same_weights(weights(model), weights(one))


@pytest.mark.parametrize("name", list(recipes.RECIPES))
def test_every_recipe_trains(tmp_path, name):
    data = made_examples(tmp_path / "s", noise(6, 6000), labels_of(6))
    model = small()
    short = [
        dataclasses.replace(s, epochs=1, device="cpu")
        for s in recipes.RECIPES[name].stages
    ]
    history = recipes.fit_stages(model, data, data, short, log=None)
    assert len(history.epochs) == len(short)
    scores = predict.clip_scores(model, data, recipes.RECIPES[name].merge)
    assert scores.shape == (6, 3) and np.isfinite(scores).all()
