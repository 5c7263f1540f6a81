"""Training: the textbook loop, the same twice, the same after any interruption."""

import math
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from made import made_examples, noise
from torch import nn

import tagkit
from tagkit import models
from tagkit.data import batches
from tagkit.evaluation import metrics, predict
from tagkit.training import checkpoints, train

FACTS = ["epoch", "loss", "valid_loss", "valid_roc_auc", "valid_ap", "learning_rate"]


@pytest.fixture(autouse=True)
def one_thread():
    """Networks this small are faster on one thread than on two."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def small(**arguments):
    """A raw network on a third of a second, of 3 tags."""
    torch.manual_seed(0)
    known = {"n_tags": 3, "length": 64, "stride": 64, "n_samples": 4000, "width": 0.25}
    return models.DielemanRaw(**known | arguments)


class Dropping(models.DielemanRaw):
    """As `small`, with dropout: it needs random numbers in training."""

    def __init__(self, **arguments):
        super().__init__(**arguments)
        self.drop = nn.Dropout(0.3)

    def forward(self, samples):
        return self.drop(super().forward(samples))


def quiet(**settings):
    """A config for tests, on the CPU."""
    return train.Config(**{"epochs": 3, "batch_size": 4, "device": "cpu"} | settings)


def labels_of(n, seed=0):
    labels = np.random.default_rng(seed).integers(0, 2, (n, 3))
    labels[0], labels[1] = 0, 1  # each tag has both
    return labels


@pytest.fixture
def data(tmp_path):
    """Eleven clips to train on, five to validate: noise with random labels."""
    whole = made_examples(tmp_path / "s", 3 * noise(16, 6000), labels_of(16))
    return whole.take(11), whole.take(range(111, 116))


def facts(history):
    return history.frame()[FACTS]


def weights(model):
    return {k: v.clone() for k, v in model.state_dict().items()}


def assert_same_weights(a, b):
    assert a.keys() == b.keys()
    for name in a:
        assert torch.equal(a[name], b[name]), name


def fit(model, data, config=None, run_dir=None, log=None):
    return train.fit(model, *data, config or quiet(), run_dir=run_dir, log=log)


# --- the loop


def test_is_the_textbook_loop(data):
    """Plain gradient descent by hand gives the same weights, bit for bit."""
    config = quiet(optimizer="sgd", momentum=0.0, learning_rate=0.05, epochs=2)
    one, other = small(), small()
    history = fit(one, data, config)
    loss_of = nn.BCEWithLogitsLoss()
    crops = batches.RandomCrops(
        data[0], 4000, 12_000, batch_size=4, crops_per_clip=1, seed=0
    )
    for epoch in (1, 2):
        total = 0
        for samples, labels in crops.epoch(epoch):
            loss = loss_of(other(samples), labels)
            gradients = torch.autograd.grad(loss, list(other.parameters()))
            total += loss.item() * len(labels)
            with torch.no_grad():
                for p, g in zip(other.parameters(), gradients, strict=True):
                    p -= 0.05 * g
        row = history.epochs[epoch - 1]
        assert row["loss"] == pytest.approx(total / 11, rel=1e-6)
        assert row["valid_loss"] == pytest.approx(
            train.validate(other, data[1])["valid_loss"], rel=1e-5
        )
    if history.best["epoch"] == 2:
        for a, b in zip(one.parameters(), other.parameters(), strict=True):
            torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("name", ["DielemanRaw", "K2C2", "CRNN"])
def test_zero_logits_cost_the_logarithm_of_two(tmp_path, name):
    """Trap 1 in the loop: what fit calls loss is that of logits."""
    n = models.build(name).n_samples
    data = made_examples(tmp_path / "s", noise(4, n), labels_of(4))
    model = models.build(name, n_tags=3, width=0.05)
    nn.init.zeros_(model.output.weight)
    nn.init.zeros_(model.output.bias)
    config = quiet(epochs=1, learning_rate=0.0)
    (row,) = train.fit(model, data, data, config, log=None).epochs
    assert row["loss"] == pytest.approx(math.log(2), abs=1e-5)
    assert row["valid_loss"] == pytest.approx(math.log(2), abs=1e-5)
    assert row["valid_roc_auc"] == 0.5


def chords(n, n_samples):
    """A chord of its own per clip. Shape: (n, n_samples)."""
    time = np.arange(n_samples) / 12_000
    hz = 200 * 1.5 ** np.arange(n)[:, None]
    return 0.5 * np.sin(2 * np.pi * hz * time)


@pytest.mark.parametrize("name", ["DielemanRaw", "DielemanMel"])
def test_overfits_eight_clips(tmp_path, name):
    data = made_examples(tmp_path / "s", chords(8, 6000), labels_of(8))
    torch.manual_seed(0)
    model = models.build(name, n_tags=3, stride=128, n_samples=6000)
    config = quiet(epochs=40, learning_rate=3e-3)
    history = train.fit(model, data, data, config, log=None)
    assert history.best["valid_loss"] < 0.05
    assert history.epochs[-1]["loss"] < 0.05
    assert history.epochs[-1]["valid_roc_auc"] == 1


@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
def test_same_seed_same_history_and_weights(data, optimizer):
    config = quiet(optimizer=optimizer, crops_per_clip=2)
    one, two, three = small(), small(), small()
    first = fit(one, data, config)
    torch.rand(100)  # what was drawn before does not count
    second = fit(two, data, config)
    pd.testing.assert_frame_equal(facts(first), facts(second), check_exact=True)
    assert_same_weights(weights(one), weights(two))
    third = fit(three, data, replace(config, seed=1))
    assert not facts(first)["loss"].equals(facts(third)["loss"])


def test_epochs_see_other_windows(data):
    """Trap 6: with a rate of zero only order and windows can move the loss."""
    frame = facts(fit(small(), data, quiet(learning_rate=0.0, epochs=4)))
    assert frame["loss"].nunique() == 4
    assert frame["valid_loss"].nunique() == 1


def test_best_weights_are_in_the_model_at_the_end(data):
    model = small()
    history = fit(model, data, quiet(epochs=25, learning_rate=5e-3))
    assert history.best["epoch"] < 25  # random labels: validation gets worse
    assert train.validate(model, data[1])["valid_loss"] == pytest.approx(
        history.best["valid_loss"], rel=1e-6
    )


def test_keeps_the_weights_of_the_epoch_that_it_is_asked_to(data, monkeypatch):
    """The losses say epoch 2, the ROC-AUCs epoch 3."""
    told, valid = [], train.validate
    rows = [(0.5, 0.6), (0.3, 0.7), (0.4, 0.9), (0.6, 0.8)]

    def made_up(model, examples, *loss):
        told.append(weights(model))
        row = dict(
            zip(("valid_loss", "valid_roc_auc"), rows[len(told) - 1], strict=True)
        )
        return valid(model, examples, *loss) | row

    monkeypatch.setattr(train, "validate", made_up)
    for keep, epoch in (("valid_loss", 2), ("valid_roc_auc", 3)):
        told.clear()
        model = small()
        history = fit(model, data, quiet(epochs=4, keep=keep))
        assert history.best["epoch"] == epoch
        assert_same_weights(weights(model), told[epoch - 1])


def test_a_measure_that_is_none_is_refused(data):
    """No tag is both on some of the validation clips and not on others."""
    labels = data[1].labels * 0
    valid = batches.Examples(data[1].store, labels, data[1].about)
    with pytest.raises(ValueError, match="valid_roc_auc is not a number: no tag is on"):
        train.fit(small(), data[0], valid, quiet(keep="valid_roc_auc"), log=None)
    assert len(train.fit(small(), data[0], valid, quiet(), log=None).epochs) == 3


def test_training_is_in_training_mode_and_validation_is_not(data):
    modes = []
    model = small().eval()  # whatever it was in before
    model.register_forward_hook(lambda m, i, o: modes.append((m.training, len(o))))
    fit(model, data, quiet(epochs=2))
    assert modes == 2 * [(True, 4), (True, 4), (True, 3), (False, 10)]


def test_validation_scores_whole_clips_at_once(data):
    """Traps 4, 15, 16: no mean over batches, no windows counted as clips."""
    model = small()
    scores = predict.clip_scores(model, data[1])
    report = metrics.evaluate(data[1].labels, scores, n_boot=0)
    row = train.validate(model, data[1])
    assert row["valid_roc_auc"] == report.at["macro", "roc_auc"]
    assert row["valid_ap"] == report.at["macro", "ap"]


def test_history_and_lines(data):
    lines = []
    history = fit(small(), data, log=lines.append)
    frame = history.frame()
    assert frame["epoch"].tolist() == [1, 2, 3]
    assert set(frame.columns) >= {*FACTS, "seconds", "waiting"}
    assert (frame["seconds"] > 0).all() and frame["waiting"].between(0, 1).all()
    assert history.best["valid_loss"] == frame["valid_loss"].min()
    assert len(lines) == 3
    assert lines[0].startswith("epoch  1/3  loss 0.") and "waiting for data" in lines[0]


def test_silence_is_possible_and_print_is_the_default(data, capsys):
    fit(small(), data, quiet(epochs=1))
    assert capsys.readouterr().out == ""
    train.fit(small(), *data, quiet(epochs=1))
    assert capsys.readouterr().out.startswith("epoch  1/1")


def test_settings_reach_the_optimizer():
    model = small()
    settings = {"momentum": 0.5, "nesterov": True, "weight_decay": 0.1}
    config = quiet(optimizer="sgd", learning_rate=2, **settings)
    sgd = train.make_optimizer(model, config)
    assert isinstance(sgd, torch.optim.SGD)
    assert (settings | {"lr": 2}).items() <= sgd.param_groups[0].items()
    adam = train.make_optimizer(model, quiet(weight_decay=0.1))
    assert isinstance(adam, torch.optim.Adam)
    assert adam.param_groups[0]["weight_decay"] == 0.1


@pytest.mark.parametrize(
    ("settings", "factors"),
    [
        ({"schedule": None}, [1, 1, 1, 1, 1]),
        ({"schedule": "plateau"}, [1, 1, 1, 1, 0.2, 0.2, 0.2, 0.04]),
        ({"schedule": "plateau", "flat_epochs": 1, "factor": 0.5}, [1, 1, 0.5, 0.25]),
        ({"schedule": "decay", "factor": 0.5}, [1, 0.5, 0.25, 0.125]),
    ],
)
def test_a_schedule_multiplies_the_learning_rate(data, settings, factors):
    config = quiet(epochs=len(factors), optimizer="sgd", learning_rate=1e-6, **settings)
    rates = facts(fit(small(), data, config))["learning_rate"]
    np.testing.assert_allclose(rates / 1e-6, factors)


def test_start_at_prior_costs_what_the_prior_costs(data):
    """With the last weights at zero, the first loss is that of the tags' shares."""
    model = small()
    nn.init.zeros_(model.output.weight)
    config = quiet(epochs=1, learning_rate=0.0, start_at_prior=True)
    (row,) = fit(model, data, config).epochs
    labels = data[0].labels
    share = np.tile((labels.sum() + 0.5) / (len(labels) + 1), (len(labels), 1))
    assert row["loss"] == pytest.approx(metrics.cross_entropy(labels, share), abs=1e-5)
    # A tag that nobody or everybody has stays possible.
    extreme = labels.assign(**{labels.columns[0]: 0, labels.columns[1]: 1})
    train.start_at_prior(model, extreme)
    assert torch.isfinite(model.output.bias).all()


def test_start_at_prior_does_not_undo_a_resumed_run(data, tmp_path):
    config = quiet(epochs=3, start_at_prior=True)
    whole, parted = small(), small()
    fit(whole, data, config)
    fit(parted, data, replace(config, epochs=1), tmp_path / "run")
    fit(parted, data, config, tmp_path / "run")
    assert_same_weights(weights(parted), weights(whole))


def test_patience_stops_and_stays_stopped(data, tmp_path):
    config = quiet(epochs=9, learning_rate=1e-12, optimizer="sgd", patience=2)
    history = fit(small(), data, config, tmp_path / "run")
    assert len(history.epochs) == 3  # the first is the best
    again = fit(small(), data, config, tmp_path / "run")
    assert len(again.epochs) == 3


def test_no_epochs_change_nothing(data):
    model = small()
    before = weights(model)
    assert fit(model, data, quiet(epochs=0)).epochs == []
    assert_same_weights(before, weights(model))


# --- what is refused


def test_loss_that_explodes_is_named(data):
    config = quiet(optimizer="sgd", learning_rate=1e30)
    with pytest.raises(FloatingPointError, match=r"epoch \d, batch \d.*lower learning"):
        fit(small(), data, config)


def test_weights_that_explode_in_the_last_step_are_named(data):
    """Too late for the loss of a training batch: the validation clips see it."""
    config = quiet(batch_size=8, optimizer="sgd", learning_rate=1e30)
    with pytest.raises(FloatingPointError, match="validation clips is nan after the"):
        train.fit(small(), data[0].take(8), data[1], config, log=None)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"optimizer": "adamm"}, "'adamm' is unknown; needed is 'adam' or 'sgd'"),
        ({"schedule": "cosine"}, "'cosine' is unknown; needed is None, 'plateau'"),
        ({"batch_size": 0}, "batch_size is 0; needed is a whole number from 1"),
        ({"crops_per_clip": 0}, "crops_per_clip is 0"),
        ({"epochs": -1}, "epochs is -1; needed is a whole number from 0"),
        ({"epochs": 1.5}, "epochs is 1.5; needed is a whole number from 0"),
        ({"patience": "abc"}, "patience is .abc.; needed is a whole number from 1"),
        ({"augment": "nois"}, "nois"),
        ({"keep": "loss"}, "'loss'; needed is 'valid_loss' or 'valid_roc_auc'"),
    ],
)
def test_unknown_settings_are_refused(data, settings, words):
    with pytest.raises(ValueError, match=words):
        fit(small(), data, quiet(**settings))


def test_a_model_that_is_no_tagger_is_told_what_it_lacks(data):
    model = nn.Linear(4000, 3)
    with pytest.raises(ValueError, match="Linear has no n_samples, sample_rate, argum"):
        fit(model, data)
    model.n_samples, model.sample_rate, model.arguments = 4000, 12_000, {}
    with pytest.raises(ValueError, match="Linear has no output; .* tagger.Tagger"):
        fit(model, data, quiet(start_at_prior=True))


def test_a_model_of_your_own_trains_and_comes_back(tmp_path):
    text = Path(tagkit.__file__).parents[1].joinpath("tagkit/README.md").read_text()
    code = next(c for c in text.split("```python")[1:] if "class Mine" in c)
    scope = {"__name__": "mine"}
    exec(code.split("```")[0], scope)
    model = scope["model"]
    labels = np.eye(4, 50, dtype=int)
    data = made_examples(tmp_path / "s", noise(4, 40_000), labels, sample_rate=16_000)
    train.fit(model, data, data, quiet(epochs=1), run_dir=tmp_path / "run", log=None)
    again = scope["Mine"]()
    checkpoints.load_weights(again, tmp_path / "run" / "best.safetensors")
    assert_same_weights(weights(model), weights(again))


def test_clips_in_both_parts_are_refused(data):
    both = batches.Examples(data[0].store, data[0].labels.iloc[-3:], data[0].about)
    with pytest.raises(ValueError, match=r"3 clips, such as 108, are in training and"):
        train.fit(small(), data[0], both, quiet(), log=None)


def test_other_tags_or_another_order_are_refused(data):
    turned = data[1].labels[data[1].labels.columns[::-1]]
    fewer = data[1].labels.iloc[:, :2]
    for labels in (turned, fewer):
        other = batches.Examples(data[1].store, labels, data[1].about)
        with pytest.raises(ValueError, match="take both from one tag list"):
            train.fit(small(), data[0], other, quiet(), log=None)
    with pytest.raises(ValueError, match=r"5 outputs, the examples 3 tags"):
        fit(small(n_tags=5), data)


# --- stop and go on


class Stopped(BaseException):
    """As a Ctrl-C: nothing may catch it."""


def stop_at(monkeypatch, model, k):
    """Stop at the k-th forward pass or file operation."""
    count = [0]

    def counted(call):
        def wrapped(*args, **more):
            count[0] += 1
            if count[0] == k:
                raise Stopped
            return call(*args, **more)

        return wrapped

    model.forward = counted(model.forward)
    for name in ("fsync", "replace"):
        monkeypatch.setattr(os, name, counted(getattr(os, name)))


@pytest.mark.parametrize("kind", [models.DielemanRaw, Dropping])
def test_goes_on_bit_exactly_after_a_stop_at_any_moment(
    data, tmp_path, monkeypatch, kind
):
    def build():
        torch.manual_seed(0)
        return kind(**small().arguments)

    config = quiet(schedule="plateau", learning_rate=5e-3)
    whole = build()
    history = fit(whole, data, config, tmp_path / "whole")
    expected = weights(whole)
    for k in range(1, 99):
        folder, model = tmp_path / f"run{k}", build()
        with monkeypatch.context() as patch:
            stop_at(patch, model, k)
            try:
                fit(model, data, config, folder)
            except Stopped:
                pass
            else:
                assert k > 18  # 3 epochs of 4 passes and 2 to 4 file operations
                return
        if (folder / "best.safetensors").exists():
            checkpoints.read_checkpoint(folder / "best.safetensors")
        if (folder / "last.pt").exists():
            torch.manual_seed(k)  # the next process knows nothing of this one
            model = kind(**whole.arguments)
        else:
            model = build()
        again = fit(model, data, config, folder)
        pd.testing.assert_frame_equal(facts(again), facts(history), check_exact=True)
        assert_same_weights(weights(model), expected)
        checkpoints.load_weights(model, folder / "best.safetensors")
        assert_same_weights(weights(model), expected)
    raise AssertionError("the run was still stopped at the 98th moment")


@pytest.mark.parametrize("epochs", [1, 2, 3, 4])
def test_more_epochs_later_are_as_good_as_at_once(data, tmp_path, epochs):
    config = quiet(epochs=5, schedule="plateau", patience=4)
    whole = small()
    history = fit(whole, data, config)
    fit(small(), data, replace(config, epochs=epochs), tmp_path / "run")
    torch.manual_seed(99)
    model = models.DielemanRaw(**whole.arguments)
    again = fit(model, data, config, tmp_path / "run")
    pd.testing.assert_frame_equal(facts(again), facts(history), check_exact=True)
    assert_same_weights(weights(model), weights(whole))


def test_finished_run_is_not_trained_again(data, tmp_path):
    model = small()
    history = fit(model, data, run_dir=tmp_path / "run")
    again = small()
    lines = []
    assert fit(again, data, run_dir=tmp_path / "run", log=lines.append).epochs == (
        history.epochs
    )
    assert lines == []
    assert_same_weights(weights(again), weights(model))


@pytest.mark.parametrize(
    "change",
    ["seed", "model", "tags", "corpus", "labels", "order", "validation"],
)
def test_folder_of_another_run_is_refused_with_both_sides(data, tmp_path, change):
    fit(small(), data, run_dir=tmp_path / "run")
    config, model, (mine, valid) = quiet(), small(), data
    if change == "seed":
        config, words = quiet(seed=1), ["seed there 0, here 1"]
    elif change == "model":
        model, words = small(width=0.5), ["'width': 0.25", "'width': 0.5"]
    elif change == "tags":
        turned = ["tag 1", "tag 0", "tag 2"]
        mine = batches.Examples(mine.store, mine.labels[turned], mine.about)
        valid = batches.Examples(valid.store, valid.labels[turned], valid.about)
        words = ["tags there ['tag 0', 'tag 1'", "here ['tag 1', 'tag 0'"]
    elif change == "corpus":
        mine = batches.Examples(mine.store, mine.labels, mine.about | {"corpus": "x"})
        words = ["'corpus': 'made'", "'corpus': 'x'"]
    elif change == "validation":
        valid, words = valid.take(len(valid) - 1), ["checksum of"]
    else:
        labels = 1 - mine.labels if change == "labels" else mine.labels.iloc[::-1]
        mine = batches.Examples(mine.store, labels, mine.about)
        words = ["checksum of"]
    with pytest.raises(ValueError) as caught:
        train.fit(model, mine, valid, config, run_dir=tmp_path / "run", log=None)
    for word in [*words, "holds another run", "name another folder or delete"]:
        assert word in str(caught.value)


@pytest.mark.parametrize("name", models.MODELS)
def test_every_model_trains_on_one_clip_more_than_fills_the_batches(tmp_path, name):
    """A batch of one window stops batch norm: five clips are not four and one."""
    torch.manual_seed(0)
    model = models.build(name, n_tags=3, width=0.02)
    five = made_examples(
        tmp_path / "s", noise(5, model.n_samples), labels_of(5), model.sample_rate
    )
    history = train.fit(model, five, five, quiet(epochs=1), log=None)
    assert math.isfinite(history.epochs[0]["loss"])
