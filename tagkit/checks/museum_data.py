"""Exhibits 7 to 11 of lesson 08: data, names and metrics."""

import numpy as np
import pandas as pd
import torch
from sklearn.metrics import average_precision_score

from tagkit.checks.engine import call, task
from tagkit.checks.museum import Still, array, named, refuse
from tagkit.checks.values import Wrong, number, plain, several, short
from tagkit.evaluation import metrics, predict


@task(
    "8.7",
    "Exhibit 7: company matters",
    points=2,
    hints=(
        "The weights are the same in both rows and the sound is, too. So the numbers "
        "that the classifier is given for a clip must differ. Who decides on them?",
        "Mean and deviation belong to what was learned in training, like weights. "
        "Which lines of the function look at `test` before it is scaled?",
        "`mean, deviation = train.mean(axis=0), train.std(axis=0)`, then use these two "
        "for both arrays. Where the deviation is 0, put 1.",
    ),
    praise="The one-line test: `assert np.allclose(standardise(train, test)[1][:1], "
    "standardise(train, test[:1])[1])`. A clip alone gets the numbers that it gets "
    "in company.",
)
def test_statistics(answer):
    repaired = named(
        answer,
        "c",
        {
            "a": "Too close a fit makes bad scores, but the same clip would get the "
            "same score in both rows.",
            "b": "A wrong hop would change a clip's features in both rows alike.",
            "d": "Few clips make a mean uncertain. But these are the same clips in "
            "both rows, with the same weights.",
        },
    )
    random = np.random.default_rng(7)
    train = random.normal([5, -40, 0, 3], [2, 10, 0.1, 0], (50, 4))
    test = random.normal([7, -60, 0.1, 3.5], [1, 20, 0.2, 0.1], (8, 4))
    _probe_scaling(repaired, train[:, :3], test[:, :3], "8 test clips")
    _probe_scaling(repaired, train, test, "a feature that is the same in training")
    _probe_scaling(repaired, train, test[:1], "one test clip alone")


def _probe_scaling(repaired, train, some, where):
    both = np.concatenate([train, some])
    mean, deviation = train.mean(axis=0), train.std(axis=0)
    deviation[deviation == 0] = 1
    result = several(call(repaired, train, some), 2, "Your result")
    for part, name in zip(result, ("training", "test"), strict=True):
        if not np.isfinite(np.asarray(plain(part), dtype=float)).all():
            raise Wrong(
                f"With {where}, your {name} features hold nan or infinity: "
                "something was divided by a deviation of 0."
            )
    ours = array(result[0], train.shape, "Your scaled training set")
    yours = array(result[1], some.shape, f"With {where}, your scaled test set")
    ones = [np.where(x.std(axis=0) > 0, x.std(axis=0), 1) for x in (some, both)]
    slips = [
        ((some - some.mean(axis=0)) / ones[0], "mean and deviation are its own"),
        ((some - both.mean(axis=0)) / ones[1], "the test clips are in the mean"),
        ((some - mean) / ones[0], "it was divided by its own deviation"),
        ((some - some.mean(axis=0)) / deviation, "its own mean was taken off"),
        (some, "it was not scaled at all"),
    ]
    still = train.std(axis=0) == 0
    if still.any() and np.abs(yours[:, still]).max() > 1000:
        raise Wrong(
            f"With {where}, it becomes {np.abs(yours[:, still]).max():.3g}: divide by "
            "1 where the deviation is 0, not by a tiny number."
        )
    seen = f"With {where}, the first of its scaled features is {yours[0, 0]:.3f}"
    otherwise = "the training clips alone do not give that"
    refuse(yours, (some - mean) / deviation, slips, seen, otherwise, 0.02)
    slips = [(train, "the training clips were not scaled")]
    seen = f"The first scaled training feature is {ours[0, 0]:.3f}"
    right = (train - mean) / deviation
    refuse(ours, right, slips, seen, "their own mean and deviation, please", 0.02)


@task(
    "8.8",
    "Exhibit 8: good scores, bad names",
    points=2,
    hints=(
        "The brightest cell of a row is mostly off the diagonal: every tag was "
        "learned well by *some* column. Which one should it be?",
        "The order of the columns was fixed when the network was trained. A sort by "
        "count gives another order on other clips.",
        "Make a table with the names `trained_tags`, then choose the columns of "
        "`labels` by name: `table[list(labels.columns)]`.",
    ),
    praise="The one-line test: `assert list(table.columns) == list(labels.columns)`, "
    "and never make a list of tags twice: store it beside the weights.",
)
def tag_order(answer):
    repaired = named(
        answer,
        "a",
        {
            "b": "A network that learned nothing would have no bright cell at all.",
            "c": "Then the rows would be mixed up, and no column would fit any tag.",
            "d": "A sigmoid keeps the order of the clips, and with it every ROC-AUC.",
        },
    )
    trained = ["slow", "drums", "harp", "rock", "gong"]
    scores = np.random.default_rng(8).random((6, 5))
    ones = [[0, 1, 1, 0], [0, 1, 0, 0], [1, 1, 0, 0], [0, 1, 0, 1], [0, 0, 1, 0]]
    labels = pd.DataFrame(
        [*ones, [0, 1, 1, 0]], columns=["rock", "slow", "gong", "harp"]
    )
    labels.index = [40, 7, 12, 3, 9, 28]
    every = labels.assign(drums=[0, 0, 1, 0, 0, 0])
    for now in (every, labels, labels[["gong", "harp", "slow"]]):
        _probe_names(repaired, scores, trained, now)
    strange = labels.assign(kazoo=0)
    try:
        call(repaired, scores, trained, strange)
    except Wrong:
        return
    raise Wrong(
        "Labels with the tag 'kazoo', which the network never learned, went through "
        "without an error."
    )


def _probe_names(repaired, scores, trained, labels):
    yours = call(repaired, scores, trained, labels)
    if not isinstance(yours, pd.DataFrame):
        raise Wrong(f"Your result is {short(yours)}; a pandas DataFrame is needed.")
    tags = list(labels.columns)
    if sorted(map(str, yours.columns)) != sorted(tags):
        raise Wrong(
            f"Your table has the columns {', '.join(map(str, yours.columns))}; needed "
            f"are the tags of `labels`, here {len(tags)}."
        )
    if len(yours) != len(labels) or list(yours.index) != list(labels.index):
        raise Wrong(
            f"The rows of your table are named {short(list(yours.index))}; they must "
            "be named as those of `labels` are."
        )
    for tag in tags:
        column = yours[tag].to_numpy(dtype=float)
        if not np.allclose(column, scores[:, trained.index(tag)]):
            fits = [
                t for at, t in enumerate(trained) if (column == scores[:, at]).all()
            ]
            of = f"the scores of {fits[0]!r}" if fits else "scores of no tag"
            raise Wrong(f"Your column {tag!r} holds {of}.")
    if list(yours.columns) != tags:
        raise Wrong(
            "Your names are right, but the columns stand in another order than in "
            "`labels`: as arrays the two do not fit."
        )


class _Recorder(Still):
    def __init__(self):
        super().__init__()
        self.sizes, self.modes = [], set()

    def forward(self, clips):
        self.sizes.append(len(clips))
        self.modes.add(self.training)
        return torch.stack([clips.sum(dim=1), clips[:, 0]], dim=1)


@task(
    "8.9",
    "Exhibit 9: the best batch size",
    points=2,
    hints=(
        "A network in evaluation mode gives a clip the same score in any batch. So "
        "what else may change with the batch size? Print the shape of the scores.",
        "90 clips in batches of 64: where does `range` stop? Write down the values of "
        "`start` by hand.",
        "`range(0, len(clips), batch_size)`. The last slice may run over the end; it "
        "simply comes out shorter.",
    ),
    praise="The one-line test: `assert len(scores) == len(clips)`. A loader's "
    "`drop_last=True` is for training, never for scoring.",
)
def last_batch(answer):
    repaired = named(
        answer,
        "d",
        {
            "a": "Batch norm does that in training mode. The function calls `eval()`.",
            "b": "Nothing is drawn at random here: each row comes out the same again.",
            "c": "Rounding changes the seventh digit of a score, not the second one.",
        },
    )
    random = torch.Generator().manual_seed(9)
    for n_clips, batch_size in ((10, 4), (3, 4), (8, 4), (5, 1)):
        clips, network = torch.randn(n_clips, 6, generator=random), _Recorder()
        where = f"With {n_clips} clips in batches of {batch_size}"
        value = call(repaired, network, clips, batch_size)
        rows = np.shape(plain(value))[:1]
        if rows != (n_clips,):
            raise Wrong(
                f"{where} your scores have {rows[0] if rows else 'no'} rows."
                " Which clips are missing, or there twice?"
            )
        yours = array(value, (n_clips, 2), f"{where} your result")
        if max(network.sizes) > batch_size:
            raise Wrong(
                f"{where} the network got {max(network.sizes)} clips at once: on a "
                "graphics card that is how memory runs out."
            )
        if 0 in network.sizes:
            raise Wrong(f"{where} the network was given a batch without any clip.")
        logits = torch.stack([clips.sum(dim=1), clips[:, 0]], dim=1).double()
        right = logits.sigmoid().numpy()
        slips = [
            (logits.numpy(), "these are logits; scores are between 0 and 1"),
            (right[::-1], "the clips stand in the reverse order"),
        ]
        seen = f"{where} your first score is {yours[0, 0]:.4f}"
        refuse(yours, right, slips, seen, "is each clip scored once, in its place?")
        if True in network.modes:
            raise Wrong(f"{where} the network scored in the mode for training.")


@task(
    "8.10",
    "Exhibit 10: ninety clips, nine hundred rows",
    points=2,
    hints=(
        "How many rows does the AUC compare, and how many clips were tagged by people?",
        "A label says what is heard somewhere in 29 seconds; a window of three need "
        "not have it. Merge the windows first. Scores are sigmoids of logits.",
        "`scores = predict.merge_windows(logits)` or, by hand, the sigmoid first and "
        "then `.mean(axis=1)`. After that no label has to be repeated.",
    ),
    praise="The one-line test: `assert len(scores) == len(labels)` before any metric, "
    "with no `repeat` in sight.",
)
def window_level(answer):
    repaired = named(
        answer,
        "b",
        {
            "a": "The weights are those of the recorded run. Only what is computed "
            "from their logits differs.",
            "c": "Every tag has clips with it and clips without it here.",
            "d": "ROC-AUC looks at the order only, and a sigmoid does not change it.",
        },
    )
    random = np.random.default_rng(10)
    for n_clips, n_windows in ((40, 5), (30, 3)):
        labels = (random.random((n_clips, 4)) < 0.4).astype(int)
        logits = random.normal(0, 2.5, (n_clips, n_windows, 4)) + labels[:, None]
        where = f"For {n_clips} clips of {n_windows} windows your macro ROC-AUC"
        value = plain(call(repaired, logits, labels))
        if np.size(value) == 4:
            raise Wrong(f"{where} has 4 values, one for each tag; take their mean.")
        yours = number(value, where)

        def area(scores, labels=labels):
            return np.mean(metrics.roc_auc(labels, scores))

        flat = logits.reshape(-1, 4)
        repeated = [
            np.repeat(labels, n_windows, axis=0),
            np.tile(labels, (n_windows, 1)),
        ]
        slips = [
            (area(flat, repeated[0]), "every window counts as a clip of its own"),
            (area(flat, repeated[1]), "windows got the labels of other clips"),
            (area(logits.mean(axis=1)), "you took the mean of the logits"),
            (area(logits.max(axis=1)), "you took the largest window"),
            (area((logits > 0).mean(axis=1)), "you counted windows above 0.5"),
            (area(logits[:, 0]), "only the first window of each clip was used"),
        ]
        right = area(predict.merge_windows(logits))
        otherwise = "how do the windows of a clip become one score?"
        refuse(yours, right, slips, f"{where} is {yours:.4f}", otherwise, 1e-6)


@task(
    "8.11",
    "Exhibit 11: perfect, and 0.82",
    points=2,
    hints=(
        "Compute the average precision tag by tag, for the perfect scores. Which "
        "values occur?",
        "Where nobody has a tag there is nothing to find, and scikit-learn calls that "
        "0. Where everybody has it, any scores get 1. Neither says anything.",
        "`told = labels.any(axis=0) & ~labels.all(axis=0)`, then the mean over "
        "`labels[:, told]` and `scores[:, told]`, and `told.sum()`.",
    ),
    praise="The one-line test: `assert macro_ap(labels, labels)[0] == 1`. Give a "
    "metric the truth itself, and see whether it is content.",
)
def empty_tags(answer):
    repaired = named(
        answer,
        "c",
        {
            "a": "The scores are the labels themselves: no network was asked.",
            "b": "Labels and scores are one and the same table, in one order.",
            "d": "A threshold has no part in average precision.",
        },
    )
    random = np.random.default_rng(11)
    labels = (random.random((20, 6)) < [0.4, 0.2, 0.6, 0.3, 0, 0]).astype(int)
    labels[:, 5] = 1
    scores = random.random(labels.shape)
    for some, where in (
        (labels, "For a table of 6 tags, of which one is on no clip and one on all"),
        (labels[:, :5], "For a table of 5 tags, of which one is on no clip"),
        (labels[:, :4], "For a table of 4 tags"),
    ):
        given = scores[:, : some.shape[1]]
        each = np.array(
            [
                average_precision_score(y, s)
                for y, s in zip(some.T, given.T, strict=True)
            ]
        )
        told = some.any(axis=0) & ~some.all(axis=0)
        value = several(call(repaired, some, given), 2, "Your result")
        yours = number(value[0], f"{where} your mean")
        counted = number(value[1], f"{where} your n_tags")
        n_positive = some.sum(axis=0)
        slips = [
            (each.mean(), "all tags are in the mean"),
            (each[n_positive > 0].mean(), "a tag that all clips have is in the mean"),
            (each[~some.all(axis=0)].mean(), "a tag without positives is in the mean"),
            (each[told].sum() / len(told), "the sum was divided by all tags"),
            (np.where(n_positive, each, 1).mean(), "a tag without positives counts 1"),
            (np.average(each, weights=n_positive), "tags were weighed by their clips"),
            (average_precision_score(some, given, average="micro"), "one pot, no mean"),
        ]
        otherwise = "which tags are in your mean?"
        seen = f"{where} your mean is {yours:.4f}"
        refuse(yours, each[told].mean(), slips, seen, otherwise, 1e-6)
        if counted != told.sum():
            raise Wrong(f"{where} you counted {counted:g} tags in the mean.")
