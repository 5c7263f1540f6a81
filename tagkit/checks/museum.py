"""The museum of silent bugs: the exhibits, their hints and probes.

A learner hands in two things: the letter of the bug, and the repaired function. The
file is long because each exhibit has its four letters, its hints and its slips.
"""

import re

import numpy as np
import pandas as pd
import torch
from sklearn.metrics import average_precision_score, roc_auc_score
from torch import nn
from torch.nn import functional

from tagkit.checks.engine import NotTried, call, task, untouched
from tagkit.checks.lesson07 import left_as_it_was, run
from tagkit.checks.tensors import array, built, output
from tagkit.checks.values import Wrong, number, refuse_slips, several, short
from tagkit.evaluation import metrics, predict


def exhibit(number, title, letter, others, *, hints, praise):
    """Declare the task of an exhibit: decorates the probe of the repaired function.

    Args:
        letter: the right one of a, b, c, d.
        others: what speaks against each of the other three.
    """

    def declare(probe):
        def judge(answer):
            bug, repaired = several(answer, 2, "Your answer")
            if untouched(bug):
                raise NotTried("Name the bug first: `bug` is still empty.")
            letters = re.findall(r"\b[a-d]\b", str(bug).lower())
            if not letters:
                return f"`bug` is {short(bug)}; one letter of a, b, c, d is needed."
            if letters[0] != letter:
                return f"`bug` is {letters[0]!r}. {others[letters[0]]}"
            if untouched(repaired):
                raise NotTried("The bug is named. Now repair the function.")
            return probe(repaired)

        name = f"Exhibit {number}: {title}"
        return task(f"M.{number}", name, points=2, hints=hints, praise=praise)(judge)

    return declare


@exhibit(
    1,
    "always right, never content",
    "b",
    {
        "a": "Then the loss would still be falling at the end. It stands still.",
        "c": "A layer too small could not decide every field rightly.",
        "d": "With the labels of other examples, few decisions would be right.",
    },
    hints=(
        "What would the loss of this network have to be, when its logits grow for "
        "ever? Compute the loss by hand for a logit of 20 and label 1.",
        "Look up what `binary_cross_entropy_with_logits` does to its first argument, "
        "as its name says. What does it get here?",
        "Hand the logits to `functional.binary_cross_entropy_with_logits` as they are.",
    ),
    praise="The one-line test: `assert training_loss(torch.tensor([[20.0]]), "
    "torch.ones(1, 1)) < 0.01`. Who is right and sure of it must not be punished.",
)
def two_sigmoids(repaired):
    logits = [[0.5, -1.0, 2.0], [-3.0, 0.2, 1.0], [1.5, 0.1, -0.4], [0.0, -2.0, 0.3]]
    labels = [[1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [1.0, 1.0, 0.0], [0.0, 0.0, 1.0]]
    _probe_loss(repaired, logits, labels, "For four clips and three tags")
    for x, y in (
        ([[0.0, 0]], [[1.0, 0]]),
        ([[20.0, -20]], [[1.0, 0]]),
        ([[20.0]], [[0.0]]),
    ):
        _probe_loss(repaired, x, y, f"For the logits {x} and the labels {y}")
    large = [[20.0, -20.0], [-50.0, 40.0]]
    one_wrong, all_right = [[1.0, 0.0], [0.0, 0.0]], [[1.0, 0.0], [0.0, 1.0]]
    text = "no logit between -50 and 50 may be limited on the way"
    case = "For large logits, one of them wrong,"
    _probe_loss(repaired, large, one_wrong, case, text)
    _probe_loss(
        repaired, large, all_right, "For large logits, all of them right,", text
    )


COMPARE = "compare it, field by field, with the loss of the text"


def _probe_loss(repaired, logits, labels, case, otherwise=COMPARE):
    logits, labels = torch.tensor(logits, requires_grad=True), torch.tensor(labels)
    value = run(repaired, logits, labels)
    if not isinstance(value, torch.Tensor):
        raise Wrong(f"Your loss is a {type(value).__name__}; a tensor is needed.")
    yours = number(value, f"{case} your loss")
    loss = functional.binary_cross_entropy_with_logits
    right = loss(logits, labels)
    slips = [
        (float(loss(logits.sigmoid(), labels)), "a score was squashed a second time"),
        (float(right) * labels.numel(), "that is the sum, not the mean"),
    ]
    seen = f"{case} your loss is {yours:.4f}"
    refuse_slips(yours, float(right), slips, seen, otherwise, atol=1e-4)
    (gradient,) = torch.autograd.grad(right, logits)
    if value.requires_grad:
        value.backward()
    if logits.grad is None or not torch.allclose(logits.grad, gradient, atol=1e-4):
        raise Wrong(
            f"{case} your loss is right, and its gradient is not: on the way from the "
            "logits every step must stay a tensor."
        )


@exhibit(
    2,
    "a clip and its neighbours",
    "a",
    {
        "b": "A gradient step needs an optimizer and a gradient. Here is neither.",
        "c": "The samples are the same array in all three rows.",
        "d": "Without it some scores would lie outside 0 and 1.",
    },
    hints=(
        "Which layers look at the other clips of a batch? Print the network.",
        "A network has two modes. `network.training` tells in which it is, and a new "
        "network, such as `models.build` gives it, is in the mode for training.",
        "`was = network.training`, `network.eval()`, compute the scores, then "
        "`network.train(was)`, and return the scores.",
    ),
    praise="The one-line test: `assert torch.allclose(tag_clips(network, four)[:1], "
    "tag_clips(network, four[:1]), atol=1e-5)`.",
)
def no_eval(repaired):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(8)
        layers = [nn.Linear(6, 8), nn.BatchNorm1d(8), nn.Dropout(0.5), nn.Linear(8, 3)]
        network, batch = nn.Sequential(*layers), torch.randn(5, 6)
        network[1].running_mean.normal_()
        logits = network.eval()(batch).detach()
        right = logits.sigmoid()
        slips = [(logits, "these are logits")]
        for training, mode in ((True, "for training"), (False, "for evaluation")):
            network.train(training)
            case = f"For a network in the mode {mode}"
            with left_as_it_was(network, case):
                value = run(repaired, network, batch)
                if getattr(value, "requires_grad", False):
                    raise Wrong("Your scores have a gradient; compute them without.")
                what = f"{case} your result"
                yours = array(value, (5, 3), what, "(n_clips, n_tags)")
                seen = f"{case} your first score is {yours[0, 0]:.4f}"
                otherwise = "for evaluation the network says something else"
                refuse_slips(yours, right, slips, seen, otherwise, atol=1e-4)


@exhibit(
    3,
    "a tone at half the amplitude",
    "c",
    {
        "a": "The clamp sets the level of silence. Steps between tones stay.",
        "b": "A longer window would raise or lower all tones alike.",
        "d": "With the natural logarithm a step would be 2.3 times too large.",
    },
    hints=(
        "Every step is twice as large as it should be, and so is the range. Where "
        "does a factor come in?",
        "There are two formulas, 20 log10 of an amplitude and 10 log10 of a power. A "
        "power is the square of an amplitude. Which one comes in here?",
        "`10 * power.clamp(min=1e-10).log10()`",
    ),
    praise="The one-line test: `assert abs(to_db(torch.tensor(100.0)) - 20) < 0.01`. "
    "Better still, halve a real tone and look for 6 dB.",
)
def db_twice(repaired):
    random = torch.Generator().manual_seed(8)
    many = 10 ** (14 * torch.rand(2, 3, 4, generator=random) - 10)
    few = torch.tensor([1.0, 0.25, 1e-4, 2.0, 1e-10, 1e-12, 0.0])
    text = torch.tensor([1, 1e-4, 1e-11, 0])
    for power, case in (
        (few, "For seven powers"),
        (text, "For the powers of the text"),
        (many, "For powers (2, 3, 4)"),
    ):
        value = call(repaired, power)
        yours = array(value, power.shape, f"{case} your result", "the shape of power")
        p = power.double().numpy()
        decibels = 10 * np.log10(p.clip(1e-10))
        slips = [
            (2 * decibels, "still too large by a factor"),
            (10 * np.log(p.clip(1e-10)), "that is the natural logarithm"),
            (10 * np.log10(p + 1e-10), "adding moves quiet powers; cut them off"),
            (decibels - decibels.max(), "a power of 1 is 0 dB, not the loudest"),
            (decibels / 10, "these are bels; a bel has ten decibels"),
            (decibels.clip(-50), "the floor is -100 dB"),
            (
                decibels.clip(decibels.max() - 80),
                "it is cut off 80 dB below the loudest; the floor is -100 dB",
            ),
        ]
        if np.isinf(yours).any():
            raise Wrong(f"{case} silence becomes infinite; its floor is -100 dB.")
        place = np.abs(yours - decibels).argmax()
        seen = f"{case} your level of {p.flat[place]:.4g} is {yours.flat[place]:.2f} dB"
        refuse_slips(yours, decibels, slips, seen, "that is not its level", atol=1e-3)


@exhibit(
    4,
    "the longer, the louder",
    "d",
    {
        "a": "The clamp is the same in every row. It cannot tell rows apart.",
        "b": "The mean is taken off in every row; it is another mean each time.",
        "c": "The music comes first and is not cut, as the shapes say.",
    },
    hints=(
        "The same music comes out at other levels. Which line of the function sees "
        "the frames that were added?",
        "Take the logarithm and the mean of the real frames first, and pad at the end. "
        "Then 0 is no silence any more: which number is -100 dB now?",
        "With `mean = decibels.mean()`: pad `decibels - mean` with "
        "`value=float(-100 - mean)`.",
    ),
    praise="The one-line test: `assert torch.allclose(prepare(power, 100), "
    "prepare(power, 200)[:, :100])`. What comes after a sound must not change it.",
)
def early_padding(repaired):
    random = torch.Generator().manual_seed(4)
    for n, n_frames in ((10, 16), (1, 2), (10, 10), (7, 40)):
        power = 10 ** (5 * torch.rand(4, n, generator=random) - 5)
        if n == 7:
            power[0, 1] = 0  # one field without any power
        if n == 1:
            power = torch.tensor([[1.0], [0.01]])  # the example of the text
        case = f"For {n} frames and n_frames={n_frames}"
        value = call(repaired, power, n_frames)
        shape = (len(power), n_frames)
        yours = array(value, shape, f"{case} your result", "(n_mels, n_frames)")
        decibels = 10 * np.log10(power.numpy().clip(1e-10))
        mean = decibels.mean()

        def padded(values, level, rest=n_frames - n):
            return np.pad(values, ((0, 0), (0, rest)), constant_values=level)

        early = padded(decibels, -100)
        slips = [
            (early - early.mean(), "the added frames are still in the mean"),
            (padded(decibels - mean, 0), "0 is the mean of the clip, not silence"),
            (padded(decibels - mean, -100), "the mean was taken off the music only"),
            (
                early - decibels.mean(axis=1, keepdims=True),
                "each band has lost a mean of its own; one mean is taken off all",
            ),
            (
                early - 10 * np.log10(power.numpy().mean().clip(1e-10)),
                "that is the level of the mean power, not the mean level",
            ),
            ((early - mean) / (decibels.std() or 1), "nothing is to be divided"),
            (np.roll(early - mean, n_frames - n, axis=1), "silence comes at the end"),
        ]
        right = padded(decibels - mean, -100 - mean)
        first, last = yours[:, 0].mean(), yours[:, -1].mean()
        seen = f"{case} your frames go from a mean of {first:.2f} to {last:.2f}"
        otherwise = "the music must keep its numbers, and silence be silent"
        refuse_slips(yours, right, slips, seen, otherwise, atol=1e-3)


@exhibit(
    5,
    "clicks at the wrong time",
    "b",
    {
        "a": "A rate of 16,000 in place of 12,000 would stretch time by 4/3 only.",
        "c": "A window of another length smears a click, it does not move it.",
        "d": "The samples are printed: the clicks are where they should be.",
    },
    hints=(
        "Nothing is wrong with the ruler: frames are said to be 256 samples apart. "
        "How far apart are they really? Count them.",
        "What does `torch.stft` take when no hop is given? `help(torch.stft)` tells.",
        "`torch.stft(samples, 512, hop_length=256, window=window, "
        "return_complex=True)`",
    ),
    praise="The one-line test: `assert spectrogram(samples).shape[-1] == 1 + "
    "len(samples) // 256`. A network that pools over time would not complain.",
)
def wrong_hop(repaired):
    random = torch.Generator().manual_seed(5)
    for n in (5000, 8192):
        samples = torch.randn(n, generator=random)
        value = call(repaired, samples)
        case, shape = f"For {n} samples of noise", (257, 1 + n // 256)
        yours = array(value, shape, f"{case} your result", "(n_bins, n_frames)")

        def power(window, x=samples):
            bins = torch.stft(x, 512, 256, len(window), window, return_complex=True)
            return (bins.abs() ** 2)[:, 2:-2].numpy()  # edges may be padded in any way

        right = power(torch.hann_window(512))
        slips = [
            (np.sqrt(right), "these are amplitudes; square them"),
            (power(torch.ones(512)), "there is no window"),
            (power(torch.hann_window(256)), "your window is too short"),
            (power(torch.hamming_window(512)), "your window is not Hann's"),
            (right / 512, "your power is divided by 512: is it normalized?"),
        ]
        seen = f"{case} your mean power is {yours.mean():.1f}"
        otherwise = "window, transform or square differ from what the text says"
        atol = 1e-3 * right.mean()
        refuse_slips(yours[:, 2:-2], right, slips, seen, otherwise, atol=atol)


@exhibit(
    6,
    "the order of the waiting",
    "d",
    {
        "a": "There is no layer here that behaves otherwise in training.",
        "b": "Every new network starts with random weights. But these rows come "
        "from one network.",
        "c": "In the first two rows its frames are the same, but not its company.",
    },
    hints=(
        "The network has no batch norm and no dropout. What else can carry something "
        "from one clip to the next? Something with a memory.",
        "Which axis does `nn.GRU` take for time? `help(nn.GRU)` says what shape it "
        "wants, and which argument changes that.",
        "`nn.GRU(n_bands, n_units, batch_first=True)`; the last line can stay.",
    ),
    praise="The one-line test: `assert torch.allclose(network(x)[:1], network(x[:1]), "
    "atol=1e-6)`. It finds the missing `eval()` of exhibit 2 as well.",
)
def over_the_batch(repaired):
    if getattr(repaired, "__init__", None) is nn.Module.__init__:
        raise NotTried("The bug is named. The class is still empty.")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(6)
        networks = [built(repaired, 6, 8, 3) for _ in range(6)]
        frames = torch.randn(4, 5, 6)

    def logits(x, network=networks[0]):
        value = output(network, x)
        return array(value, (len(x), 3), "Your result", "(n_clips, n_tags)")

    yours, alone = logits(frames), logits(frames[3:])[0]
    if not np.allclose(alone, yours[3], atol=1e-5):
        raise Wrong(
            f"The last clip has the logit {alone[0]:.4f} alone and {yours[3, 0]:.4f} "
            "among others."
        )
    logits(frames)
    again = logits(frames)  # the second time in a row
    if not np.allclose(again, yours, atol=1e-5):
        raise Wrong(
            f"The same clips have the logit {yours[0, 0]:.4f} first and "
            f"{again[0, 0]:.4f} later: something is kept from one call to the next."
        )
    for place in range(5):
        changed = frames.clone()
        changed[:, place] += 3
        if np.allclose(logits(changed), yours, atol=1e-7):
            raise Wrong(f"Frame {place} of 0 to 4 does not change the logits.")
    if np.allclose(logits(frames.flip(1)), yours, atol=1e-6):
        raise Wrong("In reverse the frames give the same logits: order has no effect.")
    each = np.concatenate([logits(frames, network) for network in networks])
    if 0 <= each.min() and each.max() <= 1:
        raise Wrong(
            f"In six new networks all your results lie between {each.min():.2f} and "
            f"{each.max():.2f}: these are scores, and logits are asked for."
        )


@exhibit(
    7,
    "company matters",
    "c",
    {
        "a": "Too close a fit makes bad scores, but the same clip would get the "
        "same score in both rows.",
        "b": "A wrong hop would change a clip's features in both rows alike.",
        "d": "Few clips make a mean uncertain. But these are the same clips in "
        "both rows, with the same weights.",
    },
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
def test_statistics(repaired):
    random = np.random.default_rng(7)
    train = random.normal([5, -40, 0, 3], [2, 10, 0.1, 0], (6, 4))
    test = random.normal([7, -60, 0.1, 3.5], [1, 20, 0.2, 0.1], (8, 4))
    _probe_scaling(repaired, train[:, :3], test[:, :3], "8 test clips")
    of_text = np.array([[0.0], [4]]), np.array([[6.0]])
    _probe_scaling(repaired, *of_text, "the example of the text")
    _probe_scaling(repaired, train, test, "a feature that is the same in training")
    _probe_scaling(repaired, train, test[:1], "one test clip alone")


def _probe_scaling(repaired, train, test, name):
    parts = several(call(repaired, train, test), 2, f"With {name}, your result")
    axes = "(n_clips, n_features)"
    yours = [
        array(parts[0], train.shape, f"With {name}, your training set", axes),
        array(parts[1], test.shape, f"With {name}, your test set", axes),
    ]
    yours = np.concatenate(yours)
    largest = np.abs(yours).max()
    if largest > 1e4:
        raise Wrong(
            f"With {name}, a number becomes {largest:.3g}: divide by 1 where the "
            "deviation is 0, not by 0 or a tiny number."
        )

    def scaled(values, by, ddof=0):
        deviation = by.std(axis=0, ddof=ddof)
        return (values - by.mean(axis=0)) / np.where(deviation > 0, deviation, 1)

    both = np.concatenate([train, test])
    ours = scaled(train, train)
    slips = [
        (np.concatenate([ours, scaled(test, test)]), "mean and deviation are its own"),
        (scaled(both, both), "the test clips are in the mean"),
        (scaled(both, train, 1), "the deviation divides by n - 1; numpy's by n"),
        (np.concatenate([ours, test]), "it was not scaled at all"),
        ((both - train.mean()) / train.std(), "all features have one mean"),
    ]
    first = yours[len(train), 0]
    seen = f"With {name}, the first feature of the test set becomes {first:.3f}"
    otherwise = "the training clips alone do not give that"
    refuse_slips(yours, scaled(both, train), slips, seen, otherwise, atol=1e-4)


@exhibit(
    8,
    "good scores, bad names",
    "a",
    {
        "b": "A network that learned nothing would have no bright cell at all.",
        "c": "Then the rows would be mixed up, and no column would fit any tag.",
        "d": "A sigmoid keeps the order of the clips, and with it every ROC-AUC.",
    },
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
def tag_order(repaired):
    trained = ["slow", "drums", "harp", "rock", "gong"]
    scores = np.random.default_rng(8).random((6, 5))
    labels = pd.DataFrame(
        {
            "rock": [0, 0, 1, 0, 0, 0],
            "slow": [1, 1, 1, 1, 0, 1],
            "gong": [1, 0, 0, 0, 1, 1],
            "harp": [0, 0, 0, 1, 0, 0],
        },
        index=[40, 7, 12, 3, 9, 28],
    )
    every = labels.assign(drums=[0, 0, 1, 0, 0, 0])
    for now in (every, labels, labels[["gong", "harp", "slow"]]):
        _probe_names(repaired, scores, trained, now)
    small = pd.DataFrame([[1, 0]], columns=["rock", "slow"])  # the text's example
    _probe_names(repaired, np.array([[0.1, 0.9]]), ["slow", "rock"], small)
    try:
        call(repaired, scores, trained, labels.assign(kazoo=0))
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
    names = [str(name) for name in yours.columns]
    if names != tags:
        raise Wrong(
            f"Your table has the columns {', '.join(names)}; needed are the "
            f"{len(tags)} tags of `labels`, in their order."
        )
    rows = list(yours.index)
    if rows != list(labels.index):
        raise Wrong(f"Your rows are named {short(rows)}, and not as in `labels`.")
    table = pd.DataFrame(scores, labels.index, trained)
    for tag in tags:
        column = yours[tag].to_numpy(dtype=float)
        fits = [name for name in trained if np.allclose(table[name], column)]
        if tag not in fits:
            owner = f"the scores of {fits[0]!r}" if fits else "scores of no tag"
            raise Wrong(f"Your column {tag!r} holds {owner}.")


class _Recorder(nn.Module):
    """A network that notes how many clips it gets at once, and in which mode."""

    def __init__(self):
        super().__init__()
        self.sizes, self.modes = [], set()

    def forward(self, clips):
        self.sizes.append(len(clips))
        self.modes.add(self.training)
        return torch.stack([clips.sum(dim=1), clips[:, 0]], dim=1)


@exhibit(
    9,
    "the best batch size",
    "d",
    {
        "a": "Batch norm does that in training mode. The function calls `eval()`.",
        "b": "Nothing is drawn at random here: each row comes out the same again.",
        "c": "Rounding changes the seventh digit of a score, not the second one.",
    },
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
def last_batch(repaired):
    random = torch.Generator().manual_seed(9)
    for n_clips, batch_size in ((10, 4), (3, 4), (8, 4), (5, 1)):
        clips, network = torch.randn(n_clips, 6, generator=random), _Recorder()
        case = f"With {n_clips} clips in batches of {batch_size}"
        value = run(repaired, network, clips, batch_size)
        yours = array(value, (n_clips, 2), f"{case} your result", "(n_clips, n_tags)")
        if max(network.sizes, default=0) > batch_size:
            raise Wrong(
                f"{case} the network got {max(network.sizes)} clips at once: on a "
                "graphics card that is how memory runs out."
            )
        if 0 in network.sizes:
            raise Wrong(f"{case} the network was given a batch without any clip.")
        logits = _Recorder()(clips)
        slips = [
            (logits, "these are logits; scores are between 0 and 1"),
            (logits.sigmoid().flip(0), "the clips are in another order"),
        ]
        seen = f"{case} your first score is {yours[0, 0]:.4f}"
        otherwise = "is each clip scored once, in its place?"
        refuse_slips(yours, logits.sigmoid(), slips, seen, otherwise, atol=1e-4)
        if True in network.modes:
            raise Wrong(f"{case} the network scored in the mode for training.")


@exhibit(
    10,
    "ninety clips, nine hundred rows",
    "b",
    {
        "a": "The weights are those of the recorded run. Only what is computed "
        "from their logits differs.",
        "c": "Every tag has clips with it and clips without it here.",
        "d": "ROC-AUC looks at the order only, and a sigmoid does not change it.",
    },
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
def window_level(repaired):
    random = np.random.default_rng(10)
    for n_clips, n_windows in ((40, 5), (30, 3)):
        labels = (random.random((n_clips, 4)) < 0.4).astype(int)
        logits = random.normal(0, 2.5, (n_clips, n_windows, 4)) + labels[:, None]
        case = f"For {n_clips} clips of {n_windows} windows your macro ROC-AUC"
        yours = number(call(repaired, logits, labels), case)

        def area(scores, labels=labels):
            return np.mean(metrics.roc_auc(labels, scores))

        windows = area(logits.reshape(-1, 4), np.repeat(labels, n_windows, axis=0))
        slips = [
            (windows, "every window counts as a clip of its own"),
            (area(logits.mean(axis=1)), "you took the mean of the logits"),
            (area(logits.max(axis=1)), "you took the largest window"),
            (area(np.median(logits, axis=1)), "you took the middle window"),
            (area(logits[:, 0]), "you took the first window only"),
            (
                np.mean([area(logits[:, i]) for i in range(n_windows)]),
                "windows are compared, one after the other; merge them first",
            ),
            (
                roc_auc_score(labels.ravel(), predict.merge_windows(logits).ravel()),
                "all tags are in one list; take the mean of the tags' areas",
            ),
        ]
        right = area(predict.merge_windows(logits))
        otherwise = "how do the windows of a clip become one score?"
        refuse_slips(yours, right, slips, f"{case} is {yours:.4f}", otherwise)


@exhibit(
    11,
    "perfect, and 0.82",
    "c",
    {
        "a": "The scores are the labels themselves: no network was asked.",
        "b": "Labels and scores are one and the same table, in one order.",
        "d": "A threshold has no part in average precision.",
    },
    hints=(
        "Compute the average precision tag by tag, for the perfect scores. Which "
        "values occur?",
        "Where nobody has a tag there is nothing to find, and scikit-learn calls that "
        "0. Where everybody has it, any scores get 1. Neither says anything.",
        "`mixed = labels.any(axis=0) & ~labels.all(axis=0)`, then the mean over "
        "`labels[:, mixed]` and `scores[:, mixed]`, and `mixed.sum()`.",
    ),
    praise="The one-line test: `assert macro_ap(labels, labels)[0] == 1`. Give a "
    "metric the truth itself, and see whether it is content.",
)
def empty_tags(repaired):
    random = np.random.default_rng(11)
    labels = (random.random((20, 6)) < [0.4, 0.2, 0.6, 0.3, 0, 0]).astype(int)
    labels[:, 5] = 1
    labels[:, 3] = np.arange(20) == 7  # one clip alone has it
    scores = random.random(labels.shape)
    for n_tags, case in (
        (6, "For a table of 6 tags, of which one is on no clip and one on all"),
        (5, "For a table of 5 tags, of which one is on no clip"),
        (4, "For a table of 4 tags"),
    ):
        y, s = labels[:, :n_tags], scores[:, :n_tags]
        each = average_precision_score(y, s, average=None)
        some = y.any(axis=0)
        mixed = some & ~y.all(axis=0)
        value = several(call(repaired, y, s), 2, "Your result")
        yours = number(value[0], f"{case} your mean")
        counted = number(value[1], f"{case} your n_tags")
        slips = [
            (each.mean(), "all tags are in the mean"),
            (each[some].mean(), "a tag that all clips have is in the mean"),
        ]
        if not some.all():
            text = "a tag that no clip has is in the mean"
            slips.append((each[~y.all(axis=0)].mean(), text))
        weights = y[:, mixed].sum(axis=0)
        slips += [
            (each[mixed & (y.sum(axis=0) > 1)].mean(), "one clip with it is enough"),
            (np.nanmean(metrics.roc_auc(y, s)), "that is the ROC-AUC"),
            (np.average(each[mixed], weights=weights), "rare tags count as much"),
            (mixed.sum(), "the mean comes first, then the number of tags"),
        ]
        otherwise = "which tags are in your mean?"
        seen = f"{case} your mean is {yours:.4f}"
        refuse_slips(yours, each[mixed].mean(), slips, seen, otherwise)
        if counted != mixed.sum():
            raise Wrong(f"{case} you counted {counted:g} tags in the mean.")


@exhibit(
    12,
    "too loud to be heard",
    "b",
    {
        "a": "log10 of 0 would be minus infinity, and the 1 that is added prevents it.",
        "c": "The same factor serves the quiet copies well. Infinity is no large "
        "number that a smaller factor would make right.",
        "d": "Bands in another order would give the same numbers in another order.",
    },
    hints=(
        "What is the largest number that `np.float16` holds? `np.finfo` tells. What "
        "is 10,000 times the power of a loud band?",
        "Which numbers have how many bits, line by line? Print `.dtype` after each. "
        "Multiply and take the logarithm in 32 bits.",
        "`return np.log10(10_000 * mel.astype(np.float32) + 1)`",
    ),
    praise="The one-line test: `assert np.isfinite(compress(1000 * mel)).all()`. "
    "Sixteen bits are for storing what has been made small, not for computing.",
)
def short_floats(repaired):
    random = np.random.default_rng(12)
    for most, case in (
        (5, "a loud clip"),
        (1, "the powers of the text"),
        (0, "a quiet clip"),
        (2, "a clip"),
    ):
        mel = (10 ** random.uniform(-4, most, (6, 9))).astype(np.float32)
        mel[0, :2] = 0, 0.9 * 10**most
        if most == 1:
            mel = np.float32([[0, 1, 10]])  # the example of the text
        yours = call(repaired, mel)
        yours = array(yours, mel.shape, f"For {case} your result", "that of `mel`")
        x = mel.astype(np.float64)
        right = np.log10(10_000 * x + 1)
        with np.errstate(all="ignore"):
            half = mel.astype(np.float16)
            cut = np.log10(np.minimum(10_000 * x, 65_504) + 1)
            late = np.log10(10_000 * half.astype(np.float64) + 1)
        slips = [
            (cut, "it stops at the largest number of 16 bits"),
            (late, "`mel` itself was put into 16 bits, before anything else"),
            (np.log(10_000 * x + 1), "that is the natural logarithm"),
            (10 * right, "no factor of 10 was asked for"),
            (right.astype(np.float16), "the result was rounded to 16 bits"),
            (np.log10(1_000 * x + 1), "the factor is 10,000"),
            (
                np.log10((10_000 * x).astype(np.int64) + 1),
                "it was cut to whole numbers on the way",
            ),
        ]
        place = np.abs(yours - right).argmax()  # the first infinite one, if any
        level, found = x.flat[place], yours.flat[place]
        seen = f"For {case} your level of {level:.4g} is {found:.4f}"
        if found == -np.inf:
            raise Wrong(f"{seen}: add 1 before you take the logarithm.")
        if np.isinf(found):
            raise Wrong(f"{seen}: some number on the way has no room for it.")
        otherwise = "that is not its level"
        refuse_slips(yours, right, slips, seen, otherwise, atol=3e-5)  # 32 bits of 90


@exhibit(
    13,
    "techno, very slow",
    "a",
    {
        "b": "A mean of nine windows moves scores a little. It makes no other music.",
        "c": "The weights are those of the file, whose check sum is right.",
        "d": "Without the maxima the array is half as wide, and the layer stops.",
    },
    hints=(
        "The layer multiplies number 0 with its weight 0. What was number 0 when the "
        "layer was trained, and number 1? The text says how the array was flattened.",
        "An array (n_clips, n_channels, 2), flattened: the maximum of channel 0, its "
        "mean, the maximum of channel 1 ... Build it on two clips of three channels.",
        "`torch.stack([maxima, means], dim=2).flatten(1)`",
    ),
    praise="The one-line test: the authors' own scores of one clip, kept in a file. "
    "Nothing else finds it: shapes fit, and numbers look like scores.",
)
def pooled_apart(repaired):
    random = torch.Generator().manual_seed(13)
    for n_clips, n_channels in ((2, 3), (4, 5), (1, 2)):
        maxima, means = torch.randn(2, n_clips, n_channels, generator=random)
        if n_clips == 1:
            maxima, means = torch.tensor([[[5.0, 6]], [[1, 2]]])  # the text's example
        case = f"For {n_clips} clips of {n_channels} channels"
        value = call(repaired, maxima, means)
        shape = (n_clips, 2 * n_channels)
        yours = array(value, shape, f"{case} your result", "(n_clips, 2 n_channels)")

        def joined(a, b, dim=2):
            return torch.stack([a, b], dim=dim).flatten(1).numpy()

        slips = [
            (joined(maxima, means, 1), "all maxima come first, as before"),
            (joined(means, maxima), "the mean of a channel comes before its maximum"),
            (joined(means, maxima, 1), "all means come first"),
            (
                torch.stack([maxima, means], 2).transpose(0, 1).reshape(yours.shape),
                "the clips are mixed: each has a row",
            ),
        ]
        seen = f"{case} your first row is {np.round(yours[0], 2).tolist()}"
        otherwise = "each channel gives its maximum, then its mean"
        refuse_slips(yours, joined(maxima, means), slips, seen, otherwise)


@exhibit(
    14,
    "nine windows, one and the same",
    "d",
    {
        "a": "The scores of the windows differ, so the windows do.",
        "b": "Dropout would give other numbers each time, not the same nine times.",
        "c": "Vectors of one direction would have other lengths. These are equal.",
    },
    hints=(
        "The scores are right and the vectors are not, and both come from one call. "
        "Follow each name through the loop: where is it written, where is it read?",
        "A wrong name raises no error if another variable has it. Which one is "
        "appended in the loop, and when was it last changed?",
        "One loop over all windows: `vector, scores = run(window)`, and append both.",
    ),
    praise="The one-line test: `assert not np.array_equal(vectors[0], vectors[1])`. A "
    "linter says it as well: a variable that is written and never read.",
)
def first_copied(repaired):
    random = np.random.default_rng(14)
    for n_windows in (4, 1, 6):
        windows = random.normal(size=(n_windows, 5))
        heard = []

        def run_one(window, heard=heard):
            heard.append(np.array(window))
            return np.tanh(window[:4] + window[4]), np.abs(window[:2]) / 9

        right = [run_one(window) for window in windows]
        vectors, scores = map(np.stack, zip(*right, strict=True))
        heard.clear()
        case = f"For {n_windows} windows"
        value = several(run(repaired, run_one, list(windows)), 2, f"{case} your result")
        what = f"{case} your vectors"
        yours = array(value[0], vectors.shape, what, "(n_windows, 4)")
        slips = [
            (np.repeat(vectors[:1], n_windows, 0), "all are those of the first window"),
            (np.repeat(vectors[-1:], n_windows, 0), "all are those of the last window"),
            (np.roll(vectors, 1, 0), "each is that of the window before"),
            (
                vectors[[0, *range(n_windows - 1)]],
                "each is that of the window before",
            ),
            (vectors[::-1], "they come in reverse"),
        ]
        seen = f"{case} your vectors begin with {np.round(yours[:, 0], 2).tolist()}"
        refuse_slips(yours, vectors, slips, seen, "a vector for each window, in order")
        theirs = array(value[1], scores.shape, f"{case} your scores", "(n_windows, 2)")
        seen = f"{case} your first scores are {np.round(theirs[0], 3).tolist()}"
        refuse_slips(theirs, scores, [], seen, "the scores were right before")
        if len(heard) != n_windows:
            n = len(heard)
            raise Wrong(f"{case} you run the network {n} times; once each will do.")


@exhibit(
    15,
    "the shorter, the quieter",
    "c",
    {
        "a": "The samples that are there are the same in every row.",
        "b": "The network has no memory: windows are scored one by one.",
        "d": "A sigmoid keeps the order, and these are the same windows but for one.",
    },
    hints=(
        "The score falls where a little is left over behind the whole windows. What "
        "does the network hear there?",
        "Silence is music, too, for a network: it has an opinion on it, and the mean "
        "counts it like any other window. Let every window be full of sound.",
        "Where something is left over, one more window: `samples[-n:]`.",
    ),
    praise="The one-line test: `assert set(np.unique(cut(ones, n))) == {1}`, with "
    "`ones = np.ones(n + 1)`.",
)
def padded_with_silence(repaired):
    random = np.random.default_rng(15)
    for n_samples, n in ((10, 4), (8, 4), (13, 3), (7, 7), (11, 6)):
        samples = 1 + random.random(n_samples).astype(np.float32)
        if n == 4:
            samples = np.arange(1, n_samples + 1, dtype=np.float32)
        starts = [*range(0, n_samples - n + 1, n)]
        if n_samples % n:
            starts.append(n_samples - n)
        case = f"For {n_samples} samples and n = {n}"
        value = call(repaired, samples, n)
        n_rows = len(value) if hasattr(value, "__len__") else 1
        rows = array(value, (n_rows, n), f"{case} your result", "(n_windows, n)")
        if not (rows > 0).all():
            raise Wrong(f"{case} a window holds zeros, which are no sound of the clip.")
        right = np.stack([samples[start : start + n] for start in starts])
        if len(rows) < len(starts):
            lost = "beginning" if np.array_equal(rows[-1], samples[-n:]) else "end"
            raise Wrong(f"{case} you cut {len(rows)} windows: the {lost} is not heard.")
        if len(rows) > len(starts):
            raise Wrong(f"{case} you cut {len(rows)} windows; {len(starts)} will do.")
        wrapped = np.resize(samples, len(starts) * n).reshape(-1, n)
        places = np.linspace(0, n_samples - n, len(starts)).round().astype(int)
        evenly = np.stack([samples[start : start + n] for start in places])
        mirrored = np.pad(samples, (0, -n_samples % n), "reflect").reshape(-1, n)
        slips = [
            (wrapped, "the last window goes on with the beginning of the clip"),
            (evenly, "all windows have moved; only the last one is to"),
            (mirrored, "the last window turns round at the end of the clip"),
        ]
        seen = f"{case} your last window is {np.round(rows[-1], 2).tolist()}"
        otherwise = "side by side, and the last one ends with the clip"
        refuse_slips(rows, right, slips, seen, otherwise)
