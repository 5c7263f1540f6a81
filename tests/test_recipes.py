"""The papers' trainings: the values as published, and each can be run."""

import dataclasses

import numpy as np
import pytest
import torch
from made import made_examples, noise

from tagkit import models, predict, recipes, train

# name -> epochs, batch size in windows, optimizer, rate, momentum
PUBLISHED = {
    "dieleman": (270, 10, "sgd", 0.01, 0.0),
    "roy_base": (20, 100, "adam", 1e-3, None),
    "roy_improved": (20, 100, "adam", 0.01, None),
    "elwood_base": (20, 100, "sgd", 0.005, 0.99),
    "elwood_crnn": (20, 32, "adam", 1e-4, None),
    "wells": (150, 16, "adam", 1e-3, None),
    "lee": (100, 23, "sgd", 0.01, 0.9),
    "wang": (50, 32, "adam", 1e-3, None),
    "musicnn": (600, 32, "adam", 1e-3, None),
    "won": (80, 16, "adam", 1e-4, None),
}


def test_values_as_published():
    assert set(PUBLISHED) == set(recipes.RECIPES)
    for name, (epochs, batch, optimizer, rate, momentum) in PUBLISHED.items():
        first = recipes.RECIPES[name].stages[0]
        found = first.epochs, first.batch_size, first.optimizer, first.learning_rate
        assert found == (epochs, batch, optimizer, rate), name
        assert momentum in (None, first.momentum), name


def test_schedules_as_published():
    stages = {name: recipe.stages for name, recipe in recipes.RECIPES.items()}
    for name, factor, flat in (
        ("roy_improved", 1 / 5, 4),  # "stalls for more than three epochs"
        ("lee", 1 / 5, 3),
        ("musicnn", 1 / 2, 75),
    ):
        (only,) = stages[name]
        found = only.schedule, only.factor, only.flat_epochs
        assert found == ("plateau", factor, flat), name
    assert (stages["wang"][0].schedule, stages["wang"][0].factor) == ("decay", 0.9)
    assert stages["wang"][0].weight_decay == 1e-6
    assert stages["lee"][0].nesterov and stages["musicnn"][0].weight_decay == 1e-5


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


def test_merges_are_known_and_roys_is_of_logits():
    for name, recipe in recipes.RECIPES.items():
        assert recipe.merge in predict.MERGES
        assert (recipe.merge == "mean_logits") == name.startswith("roy"), name


def test_table_shows_a_row_per_stage_and_what_differs():
    table = recipes.table()
    assert len(table) == sum(len(r.stages) for r in recipes.RECIPES.values()) == 13
    assert not {"seed", "device"} & set(table.columns)
    assert table.loc[("won", 3), "learning_rate"] == 1e-5


@pytest.mark.parametrize("name", list(recipes.RECIPES))
def test_every_recipe_trains(tmp_path, name):
    labels = np.random.default_rng(0).integers(0, 2, (6, 3))
    data = made_examples(tmp_path / "s", noise(6, 6000), labels)
    torch.manual_seed(0)
    model = models.DielemanRaw(3, 64, 64, n_samples=4000, width=0.25)
    short = [
        dataclasses.replace(s, epochs=1, device="cpu")
        for s in recipes.RECIPES[name].stages
    ]
    history = train.fit_stages(model, data, data, short, log=None)
    assert len(history.epochs) == len(short)
    scores = predict.clip_scores(model, data, recipes.RECIPES[name].merge)
    assert scores.shape == (6, 3) and np.isfinite(scores).all()
