"""Right and wrong answers to the tasks of lesson 09, for the tests of their probes.

Spoilers: learners, look into `hint` first. A wrong answer stands beside a part of
the message that it must get.
"""

import itertools

import numpy as np
import pandas as pd
import torch
from scipy import special, stats
from torch.nn import functional

from tagkit.checks.engine import Answers

ANSWERS: dict[str, Answers] = {}


# 9.1 From the likelihood to the loss


def loss(z, y):
    return np.mean(y * np.logaddexp(0, -z) + (1 - y) * np.logaddexp(0, z))


def divergence(z, y):
    between = y[(y > 0) & (y < 1)]
    entropy = -between * np.log(between) - (1 - between) * np.log(1 - between)
    return loss(z, y) - entropy.sum() / y.size


def loss_by_torch(z, y):
    z, y = torch.tensor(z), torch.tensor(y)
    return functional.binary_cross_entropy_with_logits(z, y)


def divergence_by_scipy(z, y):
    """The logarithms of both scores, with which no score is ever 0."""
    yes = special.entr(y) + y * special.log_expit(z)
    no = special.entr(1 - y) + (1 - y) * special.log_expit(-z)
    return -torch.tensor(yes + no).mean()


def printed_2_19(z, y):
    return np.mean(-np.log(1 / (1 + np.exp(-z))))


def printed_3_7(z, y):
    with np.errstate(all="ignore"):
        p = 1 / (1 + np.exp(-z))
        return np.mean(-y * np.log(p) - (1 - y) * np.log(1 - p))


def cut_off(z, y):
    p = special.expit(z).clip(1e-7, 1 - 1e-7)
    return np.mean(-y * np.log(p) - (1 - y) * np.log(1 - p))


def with_nan(z, y):
    with np.errstate(all="ignore"):
        return loss(z, y) + np.mean(y * np.log(y) + (1 - y) * np.log(1 - y))


ANSWERS["9.1"] = Answers(
    (loss, divergence),
    [[loss_by_torch, divergence], (loss, divergence_by_scipy)],
    [
        ((printed_2_19, divergence), "if all labels are 1"),
        ((printed_3_7, divergence), "is nan where logits are as large as 1,000"),
        ((cut_off, divergence), "Is a score cut off"),
        ((lambda z, y: y.size * loss(z, y), divergence), "not their sum"),
        ((lambda z, y: loss(-z, y), divergence), "are swapped"),
        ((lambda z, y: loss(z, y) / np.log(2), divergence), "that of base 2"),
        ((lambda z, y: loss(z, np.round(y)), divergence), "between 0 and 1 stays so"),
        ((loss, loss), "the entropy of the labels is in it"),
        ((loss, with_nan), "0 · log 0 counts as 0"),
        ((loss, lambda z, y: 2 * loss(z, y) - divergence(z, y)), "subtract it"),
        ((loss, lambda z, y: -divergence(z, y)), "its sign is turned"),
        ((loss, lambda z, y: divergence(z, 0.9 * y)), "minus the entropy"),
    ],
)


# 9.2 L2, and what Adam makes of it


def adam(start, gradients, rate, decay, decoupled, power=1, eps=1e-8, first=1):
    parameters, m, v = start, 0, 0
    with np.errstate(all="ignore"):
        for t, g in enumerate(gradients, start=first):
            if decoupled:
                parameters = parameters * (1 - rate * decay)
            else:
                g = g + decay * parameters
            m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g**2
            m_hat, v_hat = m / (1 - 0.9**t) ** power, v / (1 - 0.999**t) ** power
            parameters = parameters - rate * m_hat / (np.sqrt(v_hat) + eps)
    return parameters


def adam_by_torch(start, gradients, rate, decay, decoupled):
    x = torch.nn.Parameter(torch.tensor(start))
    kind = torch.optim.AdamW if decoupled else torch.optim.Adam
    optimizer = kind([x], lr=rate, weight_decay=decay)
    for row in gradients:
        x.grad = torch.tensor(row)
        optimizer.step()
    return x.detach()


def adam_in_single_precision(start, gradients, *how):
    return adam(start.astype(np.float32), gradients.astype(np.float32), *how).tolist()


ANSWERS["9.2"] = Answers(
    adam,
    [adam_by_torch, adam_in_single_precision],
    [
        (
            lambda s, g, r, d, w: adam(s, g, r, d, not w),
            "what the other kind of decay gives",
        ),
        (lambda s, g, r, d, w: adam(s, g, r, 0, w), "there is no decay in it"),
        (lambda s, g, r, d, w: adam(s, g, r, -d, w), "pushes away from 0"),
        (
            lambda s, g, r, d, w: adam(s, g, r, 2 * d, w),
            "twice as strong; the gradient",
        ),
        (
            lambda s, g, r, d, w: adam(s, g, r, d, False),
            "with a decay of 0.6 decoupled",
        ),
        (lambda *x: adam(*x, power=0.5), "as in algorithm 5"),
        (lambda *x: adam(*x, power=0), "nothing makes up for it"),
        (lambda *x: adam(*x, first=0), "With which t does your loop begin"),
        (lambda *x: adam(*x, first=2), "is one ahead"),
        (lambda *x: adam(*x, eps=0), "What keeps 0 / 0 away"),
        (lambda *x: adam(*x, eps=1e-5), "or as small as 0.00000001"),
        (lambda s, *x: adam(s, *x) - s, "not where they are"),
        (lambda s, g, *x: adam(s, g[:1], *x), "only the first step"),
        (lambda s, g, *x: adam(s, g, *x)[0], "(n_parameters,)"),
    ],
)


# 9.3 Twenty frequencies


def low_pass(samples, n):
    spectrum = np.fft.rfft(samples)
    highest = np.argsort(np.abs(spectrum))[-n:].max()
    spectrum[highest + 1 :] = 0
    return np.fft.irfft(spectrum, len(samples))


def low_pass_by_fft(samples, n):
    spectrum = np.fft.fft(samples)
    half = np.abs(spectrum)[: len(samples) // 2 + 1]
    peak = np.flatnonzero(half >= np.sort(half)[-n]).max()
    spectrum[peak + 1 : len(samples) - peak] = 0
    return np.fft.ifft(spectrum)


def low_pass_by_torch(samples, n):
    spectrum = torch.fft.rfft(torch.tensor(samples, dtype=torch.float32))
    spectrum[spectrum.abs().topk(n).indices.max() + 1 :] = 0
    return torch.fft.irfft(spectrum, len(samples))


def only_the_strongest(samples, n):
    spectrum = np.fft.rfft(samples)
    spectrum[np.argsort(np.abs(spectrum))[:-n]] = 0
    return np.fft.irfft(spectrum, len(samples))


def one_bin_less(samples, n):
    spectrum = np.fft.rfft(samples)
    spectrum[np.argsort(np.abs(spectrum))[-n:].max() :] = 0
    return np.fft.irfft(spectrum, len(samples))


def one_half_only(samples, n):
    spectrum = np.fft.fft(samples)
    half = np.abs(spectrum)[: len(samples) // 2 + 1]
    spectrum[np.argsort(half)[-n:].max() + 1 :] = 0
    return np.fft.ifft(spectrum)


def of_full_length(samples, n):
    spectrum = np.fft.rfft(samples)
    spectrum[np.argsort(np.abs(spectrum))[-n:].max() + 1 :] = 0
    return np.fft.irfft(spectrum)


ANSWERS["9.3"] = Answers(
    low_pass,
    [low_pass_by_fft, low_pass_by_torch],
    [
        (only_the_strongest, "the weaker ones below the highest stay"),
        (one_bin_less, "the highest of the n stays, too"),
        (one_half_only, "must go from both"),
        (lambda *x: one_half_only(*x).real, "mirrors the lower one and stays"),
        (of_full_length, "one is lost at the end"),
        (lambda x, n: x, "nothing is left out"),
        (lambda x, n: low_pass(x, 1), "the highest of the n counts"),
        (lambda x, n: np.abs(np.fft.rfft(x)), "(n_samples,)"),
        (lambda x, n: low_pass(x, n) / 2, "stay as they are"),
    ],
)


# 9.4 A vote or a mean?


def vote(scores):
    return (scores > 0.5).mean(axis=1)


def vote_by_counting(scores):
    yes = np.zeros(scores.shape[::2])
    for window in scores.transpose(1, 0, 2):
        yes += np.where(window > 0.5, 1, 0)
    return torch.tensor(yes / scores.shape[1])


V, M = [0.6, 0.6, 0.6, 0.0, 0.0], [1.0, 1.0, 0.4, 0.4, 0.4]

ANSWERS["9.4"] = Answers(
    (vote, V, M),
    [
        (vote_by_counting, np.array([0.0, 0.51, 0.51, 0, 0.51]), [1, 1, 0.5, 0.2, 0]),
        [lambda x: np.heaviside(x - 0.5, 0).mean(axis=1), tuple(V), torch.tensor(M)],
    ],
    [
        ((lambda x: x.mean(axis=1), V, M), "mean of the scores"),
        ((lambda x: (x >= 0.5).mean(axis=1), V, M), "exactly 0.5"),
        ((lambda x: (x > 0.5).sum(axis=1), V, M), "not which share"),
        ((lambda x: vote(x) > 0.5, V, M), "what the majority says"),
        ((lambda x: (x > 0.5).mean(axis=2), V, M), "(n_clips, n_tags)"),
        ((lambda x: 1 - vote(x), V, M), "say no"),
        ((vote, M, V), "In `only_vote` 2 of 5 say yes"),
        ((vote, [1, 1, 1, 0, 0], M), "The mean of `only_vote` is 0.6"),
        ((vote, V, [0.9, 0.9, 0.1, 0.1, 0.1]), "The mean of `only_mean` is 0.42"),
        ((vote, V, [1, 1, 1, 1, 0]), "In `only_mean` 4 of 5 say yes"),
        ((vote, V[:3], M), "five scores are needed"),
        ((vote, V, [9, 0, 0, 0, 0]), "scores lie from 0 to 1"),
    ],
)


# 9.5 Before the loss, or after it?


def window_loss(logits, labels):
    for_each = labels[:, None].expand_as(logits)
    return functional.binary_cross_entropy_with_logits(logits, for_each)


def clip_loss(logits, labels):
    merged = logits.mean(dim=1)
    return functional.binary_cross_entropy_with_logits(merged, labels)


def window_loss_by_softplus(logits, labels):
    signs = 1 - 2 * labels.unsqueeze(1)
    return functional.softplus(signs * logits).mean()


def clip_loss_by_log(logits, labels):
    p = (logits.sum(dim=1) / logits.shape[1]).sigmoid()
    return -torch.where(labels == 1, p, 1 - p).log().mean()


def labels_repeated(logits, labels):
    flat = logits.flatten(0, 1)
    labels = labels.repeat(logits.shape[1], 1)
    return functional.binary_cross_entropy_with_logits(flat, labels)


def of_mean_score(logits, labels):
    scores = logits.sigmoid().mean(dim=1)
    return functional.binary_cross_entropy(scores, labels)


ANSWERS["9.5"] = Answers(
    (window_loss, clip_loss),
    [(window_loss_by_softplus, clip_loss), [window_loss, clip_loss_by_log]],
    [
        ((labels_repeated, clip_loss), "the labels of another clip"),
        ((clip_loss, clip_loss), "loss of the mean logit"),
        ((lambda *x: window_loss(*x).item(), clip_loss), "No gradient comes through"),
        ((lambda x, y: window_loss(x.sigmoid(), y), clip_loss), "one sigmoid too many"),
        ((lambda x, y: window_loss(-x, y), clip_loss), "are swapped"),
        ((window_loss, window_loss), "average their logits before"),
        ((window_loss, of_mean_score), "average the logits, not the scores"),
        ((window_loss, lambda x, y: clip_loss(x[:, :1], y)), "only the first window"),
        ((window_loss, lambda x, y: clip_loss(3 * x, y)), "goes into the loss"),
        ((window_loss, lambda x, y: clip_loss(x, y).detach()), "No gradient"),
        ((window_loss, lambda x, y: x.mean(dim=1)), "one number is needed"),
    ],
)


# 9.6 Length or stride?


def wins(table, setting):
    other = "stride" if setting == "length" else "length"
    pairs = table.merge(table, on=other, suffixes=("_small", "_large"))
    pairs = pairs[pairs[f"{setting}_small"] < pairs[f"{setting}_large"]]
    return len(pairs), int((pairs["auc_small"] > pairs["auc_large"]).sum())


def wins_by_groups(table, setting):
    other = "stride" if setting == "length" else "length"
    found = [0, 0]
    for _, rows in table.sort_values(setting).groupby(other):
        for small, large in itertools.combinations(rows["auc"], 2):
            found[0] += 1
            found[1] += small > large
    return found


def wins_as_series(table, setting):
    return pd.Series(wins(table, setting), index=["pairs", "wins"])


def of_all_pairs(table, setting):
    return wins(
        table.assign(**dict.fromkeys({"length", "stride"} - {setting}, 1)), setting
    )


def with_ties(table, setting):
    n, won = wins(table, setting)
    return n, n - wins(table.assign(auc=-table["auc"]), setting)[1]


def by_larger(table, setting):
    return wins(table.assign(auc=-table["auc"]), setting)


def in_their_order(table, setting):
    other = "stride" if setting == "length" else "length"
    pairs = itertools.combinations(table.to_dict("records"), 2)
    pairs = [(a, b) for a, b in pairs if a[other] == b[other]]
    return len(pairs), sum(b["auc"] > a["auc"] for a, b in pairs)


ANSWERS["9.6"] = Answers(
    wins,
    [wins_by_groups, wins_as_series],
    [
        (of_all_pairs, "must be the same in both rows"),
        (with_ties, "equal AUCs are no win"),
        (by_larger, "if the smaller setting is higher"),
        (in_their_order, "may stand in either row"),
        (lambda *x: (2 * wins(*x)[0], wins(*x)[1]), "each pair counts once"),
        (lambda *x: wins(*x)[::-1], "first the number of pairs"),
        (lambda *x: wins(*x)[1], "2 parts are needed"),
        (lambda *x: (wins(*x)[0], "all"), "one number is needed"),
        (lambda *x: (len(x[0]), wins(*x)[1]), "a pair has two values of length"),
    ],
)


# 9.7 An interval below 100 %


def interval(accuracies, t=None, ddof=1, there=special.logit, back=special.expit):
    n, x = len(accuracies), there(accuracies)
    half = (t or stats.t.ppf(0.975, n - 1)) * x.std(ddof=ddof) / np.sqrt(n)
    return back(x.mean() + np.array([-half, half]))


def interval_by_scipy(accuracies):
    x = np.log(accuracies) - np.log1p(-accuracies)
    low, high = stats.t(len(x) - 1, x.mean(), stats.sem(x)).interval(0.95)
    return 1 / (1 + np.exp(-low)), 1 / (1 + np.exp(-high))


def same(x):
    return x


ANSWERS["9.7"] = Answers(
    interval,
    [interval_by_scipy, lambda x: torch.tensor(interval(x)), lambda x: [*interval(x)]],
    [
        (lambda x: interval(x, there=same, back=same), "that is the printed formula"),
        (
            lambda x: np.clip(interval(x, there=same, back=same), 0, 1),
            "printed interval, cut off",
        ),
        (lambda x: interval(x, t=1.96), "not 1.96"),
        (lambda x: interval(x, t=4.302653), "for n = 3 only"),
        (lambda x: interval(x, ddof=0), "is divided by n − 1"),
        (lambda x: interval(x, back=same), "bring both ends back"),
        (lambda x: interval(x, there=np.log, back=np.exp), "not log a"),
        (lambda x: interval(x)[::-1], "the low end comes first"),
        (lambda x: 100 * interval(x), "in percent"),
        (lambda x: interval(x) - 0.01, "the sigmoid of both ends"),
        (lambda x: interval(x)[1], "2 parts are needed"),
    ],
)


# The examples of the texts: which part of the answer, what it gets, what it gives

_z, _y = np.array([0.0]), np.array([0.4])
_turns = 2 * np.pi * np.arange(8) / 8
_steps = np.array([1.0]), np.array([[2.0], [-1.0]]), 0.1, 0.5
_three = 3 * np.cos(_turns) + np.cos(2 * _turns) + 2 * np.cos(3 * _turns)
_rows = [(8, 4, 0.6), (4, 4, 0.7), (4, 2, 0.7)]
_rows = pd.DataFrame(_rows, columns=["length", "stride", "auc"])
_pair = torch.tensor([[[2.0], [-2.0]]]), torch.ones(1, 1)

EXAMPLES = {
    "9.1": [(0, (_z, _y), 0.6931), (1, (_z, _y), 0.0201)],
    "9.2": [(None, (*_steps, False), [0.8506]), (None, (*_steps, True), [0.7809])],
    "9.3": [
        (None, (_three, 1), 3 * np.cos(_turns)),
        (None, (_three, 2), _three),
    ],
    "9.4": [(0, (np.array([0.9, 0.6, 0.7, 0.1]).reshape(1, 4, 1),), [[0.75]])],
    "9.5": [(0, _pair, 1.1269), (1, _pair, 0.6931)],
    "9.6": [(None, (_rows, "length"), (1, 1)), (None, (_rows, "stride"), (1, 0))],
    "9.7": [(None, (np.array([0.9, 0.95, 0.98]),), (0.7113, 0.9941))],
}

# The last hints, followed to the letter: {0} is the first piece of code in the hint

FOLLOWED = {
    "9.1": (
        None,
        """
def loss(z, y):
    return {0}
def divergence(z, y):
    {1}
    {2}
    return {3}
answer = loss, divergence
""",
    ),
    "9.2": (
        None,
        """
def answer(start, gradients, rate, decay, decoupled):
    {0}
    {1}
        if decoupled:
            {2}
        else:
            {3}
        {4}
        {5}
    return parameters
""",
    ),
    "9.3": (
        None,
        """
def answer(samples, n):
    {0}
    {1}
    {2}
    return {3}
""",
    ),
    "9.4": (
        None,
        """
def vote(scores):
    return {0}
answer = vote, {1}, {2}
""",
    ),
    "9.5": (
        None,
        """
def window_loss(logits, labels):
    return {0}
def clip_loss(logits, labels):
    return {1}
answer = window_loss, clip_loss
""",
    ),
    "9.6": (
        None,
        """
def answer(table, setting):
    {0}
    {1}
    {2}
    return {3}
""",
    ),
    "9.7": (
        None,
        """
def answer(accuracies):
    {0}
    {1}
    {2}
    {3}
    return {4}
""",
    ),
}
