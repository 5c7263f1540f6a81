"""Right and wrong answers to the tasks of lesson 08, for the tests of their probes.

Spoilers: learners, look into `hint` first. A wrong answer stands beside a part of
the message that it must get.
"""

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import cohen_kappa_score
from sklearn.model_selection import GroupKFold, KFold, StratifiedGroupKFold
from sklearn.preprocessing import StandardScaler
from torch.nn import functional

from tagkit.checks.engine import Answers

ANSWERS: dict[str, Answers] = {}


# 0.8 On one scale: the task inside the lesson


def standardise(train, test):
    mean, spread = train.mean(axis=0), train.std(axis=0)
    spread = np.where(spread == 0, 1, spread)
    return (train - mean) / spread, (test - mean) / spread


def by_sklearn(train, test):
    scaler = StandardScaler().fit(train)
    return [scaler.transform(train), scaler.transform(test)]


def by_torch(train, test):
    train, test = torch.tensor(train), torch.tensor(test)
    spread = train.std(dim=0)  # divided by n - 1
    spread[spread < 1e-12] = 1
    return (train - train.mean(dim=0)) / spread, (test - train.mean(dim=0)) / spread


def each_its_own(train, test):
    return standardise(train, train)[0], standardise(test, test)[0]


def of_both(train, test):
    both = np.concatenate([train, test])
    return standardise(both, train)[1], standardise(both, test)[1]


def by_zero(train, test):
    return [(x - train.mean(axis=0)) / train.std(axis=0) for x in (train, test)]


def in_place(train, test):
    train -= train.mean(axis=0)
    return train, test


ANSWERS["0.8"] = Answers(
    standardise,
    [by_sklearn, by_torch],
    [
        (each_its_own, "scaled by the test itself"),
        (of_both, "scaled by both parts"),
        (by_zero, "divided by zero?"),
        (
            lambda a, b: ((a - a.mean()) / a.std(), (b - a.mean()) / a.std()),
            "one mean serves all",
        ),
        (lambda a, b: (a - a.mean(0), b - a.mean(0)), "its spread is missing"),
        (lambda a, b: (standardise(a, b)[0], b), "as it was"),
        (lambda a, b: (a, standardise(a, b)[1]), "Your first training piece"),
        (lambda a, b: standardise(a, b)[::-1], "(n_clips, n_dims) = (6, 3)"),
        (lambda a, b: standardise(a, b)[1], "has 4 parts"),
        (in_place, "changes `train`"),
    ],
)


# 8.1 Do you agree with yourself?


def kappa(first, second):
    p, q = first.mean(), second.mean()
    chance = p * q + (1 - p) * (1 - q)
    return ((first == second).mean() - chance) / (1 - chance)


def kappa_by_table(first, second):
    table = np.histogram2d(first, second, bins=2)[0] / len(first)
    chance = table.sum(axis=0) @ table.sum(axis=1)
    return [(np.trace(table) - chance) / (1 - chance)]


def agreement(first, second):
    return (first == second).mean()


def both_yes(first, second):
    return (first & second).sum() / (first | second).sum()


def not_divided(first, second):
    p, q = first.mean(), second.mean()
    return agreement(first, second) - p * q - (1 - p) * (1 - q)


def yes_by_chance(first, second):
    chance = first.mean() * second.mean()
    return (agreement(first, second) - chance) / (1 - chance)


def pooled(first, second):
    p = (first.mean() + second.mean()) / 2
    chance = p**2 + (1 - p) ** 2
    return (agreement(first, second) - chance) / (1 - chance)


ANSWERS["8.1"] = Answers(
    kappa,
    [cohen_kappa_score, kappa_by_table, lambda *x: torch.tensor(kappa(*x))],
    [
        (agreement, "plain agreement"),
        (lambda *x: 2 * agreement(*x) - 1, "chance is not one half"),
        (both_yes, "both call no"),
        (not_divided, "divide by what is left"),
        (yes_by_chance, "both may say no, too"),
        (lambda *x: abs(kappa(*x)), "below chance, kappa"),
        (pooled, "its own share of yeses"),
        (lambda a, b: "high", "one number is needed"),
    ],
)


# 8.2 Folds of whole artists


def folds(tag, artists, n):
    fold_of = {}
    with_it = sorted(set(artists[tag == 1]))
    for names in (with_it, sorted(set(artists) - set(with_it))):
        for i, name in enumerate(names):
            fold_of[name] = i % n
    return [fold_of[name] for name in artists]


def folds_dealt_on(tag, artists, n):
    """Those without the word are dealt from the other end."""
    with_it = np.unique(artists[tag == 1])
    without = np.setdiff1d(artists, with_it)
    fold = np.empty(len(tag), int)
    for i, name in enumerate(with_it):
        fold[artists == name] = i % n
    for i, name in enumerate(without):
        fold[artists == name] = n - 1 - i % n
    return torch.tensor(fold)


def by_splitter(splitter):
    def make(tag, artists, n):
        fold = np.empty(len(tag), int)
        for i, (_, inside) in enumerate(splitter(n).split(tag, tag, artists)):
            fold[inside] = i
        return fold

    return make


def artists_in_order(tag, artists, n):
    names = sorted(set(artists))
    return [names.index(name) * n // len(names) for name in artists]


ANSWERS["8.2"] = Answers(
    folds,
    [folds_dealt_on, by_splitter(StratifiedGroupKFold)],
    [
        (by_splitter(KFold), "has no clip with the word"),
        (artists_in_order, "has no clip with the word"),
        (by_splitter(GroupKFold), "has no clip"),
        (lambda tag, artists, n: np.arange(len(tag)) % n, "is in 2 folds"),
        (lambda *x: np.array(folds(*x)) + 1, "folds are 0 to 1"),
        (lambda tag, artists, n: np.zeros(len(tag)), "fold 1 has no clip with"),
        (lambda tag, artists, n: folds(tag, artists, n)[:-1], "has shape (11,)"),
        (lambda tag, artists, n: artists, "numbers are needed"),
        (lambda tag, artists, n: folds(tag, artists, 2), "has no clip with"),
    ],
)


# 8.3 A logistic regression by hand


def loss(weight, bias, vectors, labels, C):
    logits = vectors @ weight + bias
    entropy = functional.binary_cross_entropy_with_logits
    return C * entropy(logits, labels, reduction="sum") + weight.square().sum() / 2


def loss_by_hand(weight, bias, vectors, labels, C):
    signs = 2 * labels - 1
    each = torch.log1p(torch.exp(-signs * (vectors @ weight + bias)))
    return float(C * each.sum() + (weight @ weight) / 2)


def fit(vectors, labels, C):
    weight = torch.zeros(vectors.shape[1], requires_grad=True)
    bias = torch.zeros(1, requires_grad=True)
    optimizer = torch.optim.LBFGS([weight, bias], max_iter=500)

    def closure():
        optimizer.zero_grad()
        value = loss(weight, bias, vectors, labels, C)
        value.backward()
        return value

    optimizer.step(closure)
    return weight.detach(), bias.detach()


def fit_by_sklearn(vectors, labels, C):
    model = LogisticRegression(C=C, tol=1e-8, max_iter=1000)
    model.fit(vectors.numpy(), labels.numpy())
    return model.coef_[0], model.intercept_


def fit_by_steps(vectors, labels, C, n_steps=2000):
    weight = torch.zeros(vectors.shape[1], requires_grad=True)
    bias = torch.zeros(1, requires_grad=True)
    optimizer = torch.optim.Adam([weight, bias], lr=0.02)
    for _ in range(n_steps):
        optimizer.zero_grad()
        loss(weight, bias, vectors, labels, C).backward()
        optimizer.step()
    return weight.detach(), bias.item()


def entropy(weight, bias, vectors, labels, how="sum"):
    logits = vectors @ weight + bias
    cost = functional.binary_cross_entropy_with_logits
    return cost(logits, labels, reduction=how)


def of_the_mean(w, b, x, y, C):
    return C * entropy(w, b, x, y, "mean") + w.square().sum() / 2


def bias_too(w, b, x, y, C):
    return loss(w, b, x, y, C) + b.square().sum() / 2


def of_scores(w, b, x, y, C):
    scores = (x @ w + b).sigmoid()
    each = functional.binary_cross_entropy_with_logits(scores, y, reduction="sum")
    return C * each + w.square().sum() / 2


ANSWERS["8.3"] = Answers(
    (loss, fit),
    [(loss_by_hand, fit_by_sklearn), [loss, fit_by_steps]],
    [
        ((of_the_mean, fit), "not their mean"),
        (
            (lambda w, b, x, y, C: entropy(w, b, x, y) + C * w @ w / 2, fit),
            "C stands before",
        ),
        ((lambda w, b, x, y, C: C * entropy(w, b, x, y) + w @ w, fit), "half the sum"),
        ((bias_too, fit), "the bias is free"),
        ((lambda w, b, x, y, C: C * entropy(w, b, x, y), fit), "are missing"),
        ((lambda w, b, x, y, C: entropy(w, b, x, y) + w @ w / 2, fit), "C is missing"),
        ((of_scores, fit), "no sigmoid first"),
        ((loss, lambda *x: fit_by_steps(*x, n_steps=20)), "more steps"),
        ((loss, lambda x, y, C: fit(x, y, 1 / C)), "or another loss?"),
        ((loss, lambda *x: fit(*x)[0]), "has 3 parts"),
    ],
)


# 8.4 Find the partner


def partners(a, b, temperature):
    a, b = functional.normalize(a, dim=1), functional.normalize(b, dim=1)
    table, right = a @ b.T / temperature, torch.arange(len(a))
    entropy = functional.cross_entropy
    return (entropy(table, right) + entropy(table.T, right)) / 2


def partners_by_hand(a, b, temperature):
    table = functional.cosine_similarity(a[:, None], b[None], dim=2) / temperature
    rows = table.logsumexp(dim=1) - table.diagonal()
    columns = table.logsumexp(dim=0) - table.diagonal()
    return torch.cat([rows, columns]).mean()


def partners_by_softmax(a, b, temperature):
    a = a / a.norm(dim=1, keepdim=True)
    b = b / b.norm(dim=1, keepdim=True)
    table = (a @ b.T / temperature).exp()
    shares = table.diagonal() ** 2 / (table.sum(dim=0) * table.sum(dim=1))
    return -shares.log().mean() / 2


def not_normalised(a, b, t):
    table, right = a @ b.T / t, torch.arange(len(a))
    entropy = functional.cross_entropy
    return (entropy(table, right) + entropy(table.T, right)) / 2


def rows_only(a, b, t):
    a, b = functional.normalize(a, dim=1), functional.normalize(b, dim=1)
    return functional.cross_entropy(a @ b.T / t, torch.arange(len(a)))


ANSWERS["8.4"] = Answers(
    partners,
    [partners_by_hand, partners_by_softmax],
    [
        (not_normalised, "length 1 first"),
        (lambda a, b, t: partners(a, b, 1 / t), "divide by the temperature"),
        (lambda a, b, t: partners(a, b, 1), "temperature is missing"),
        (rows_only, "the columns ask"),
        (lambda a, b, t: rows_only(b, a, t), "the rows ask"),
        (lambda a, b, t: 2 * partners(a, b, t), "not the sum"),
        (lambda a, b, t: -partners(a, b, t), "sign of the loss"),
        (lambda a, b, t: partners(a, b.flip(0), t), "is the partner of crop i"),
        (lambda a, b, t: partners(a.detach(), b, t).detach(), "No gradient"),
        (lambda a, b, t: a @ b.T, "one number is needed"),
    ],
)


# 8.5 What are they worth?


def worth(sizes, scores, goal):
    if scores[0] >= goal:
        return sizes[0]
    for i in range(1, len(sizes)):
        if scores[i - 1] < goal <= scores[i]:
            share = (goal - scores[i - 1]) / (scores[i] - scores[i - 1])
            return sizes[i - 1] * (sizes[i] / sizes[i - 1]) ** share
    return float("inf")


def worth_by_interp(sizes, scores, goal):
    if scores.max() < goal:
        return np.inf
    i = int(np.argmax(scores >= goal))
    around = slice(max(0, i - 1), i + 1)
    return np.exp(np.interp(goal, scores[around], np.log(sizes[around])))


def straight(sizes, scores, goal):
    return np.log(worth_by_interp(np.exp(sizes / 100), scores, goal)) * 100


def next_size(sizes, scores, goal):
    there = sizes[scores >= goal]
    return there[0] if len(there) else np.inf


def sorted_first(sizes, scores, goal):
    if scores.max() < goal:
        return np.inf
    return np.exp(np.interp(goal, np.sort(scores), np.log(sizes)))


def last_time(sizes, scores, goal):
    for i in range(len(sizes) - 1, 0, -1):
        if scores[i - 1] < goal <= scores[i]:
            return worth(sizes[i - 1 :], scores[i - 1 :], goal)
    return worth(sizes, scores, goal)


ANSWERS["8.5"] = Answers(
    worth,
    [worth_by_interp, lambda n, s, g: worth(n.tolist(), s.tolist(), g)],
    [
        (straight, "on the axis of logarithms"),
        (next_size, "where the line crosses, not the next"),
        (lambda *x: np.log(worth(*x)), "that is a logarithm"),
        (sorted_first, "the order of their sizes"),
        (last_time, "the first time that the curve"),
        (lambda n, s, g: np.exp(np.interp(g, s, np.log(n))), "yours is"),
        (lambda n, s, g: min(worth(n, s, g), 360), "so it is inf"),
        (lambda n, s, g: np.inf if s[0] < g else n[0], "the curve reaches it"),
    ],
)


# The examples of the texts: which part of the answer, what it gets, what it gives

EXAMPLES = {
    "8.1": [(None, (np.array([1, 1, 0, 0]), np.array([1, 0, 0, 0])), 0.5)],
    "8.2": [(None, (np.array([1, 0, 1, 0, 0, 0]), np.array([*"abcdef"]), 2), None)],
    "8.3": [
        (
            0,
            (
                *(torch.zeros(1), torch.zeros(1)),
                *(torch.tensor([[1.0], [-1.0]]), torch.tensor([1.0, 0.0])),
                1.0,
            ),
            1.3863,
        )
    ],
    "8.4": [(None, (torch.eye(2), torch.eye(2), 1.0), 0.3133)],
    "8.5": [(None, (np.array([10.0, 1000.0]), np.array([0.5, 0.7]), 0.6), 100)],
}

# The last hints, followed to the letter: {0} is the first piece of code in the hint

FOLLOWED = {
    "0.8": (
        None,
        """
def answer(train, test):
    {0}
    return {1}, (test - train.mean(axis=0)) / spread
""",
    ),
    "8.1": (
        None,
        """
def answer(first, second):
    p, q = first.mean(), second.mean()
    {0}
    {1}
    return {2}
""",
    ),
    "8.2": (
        None,
        """
def answer(tag, artists, n):
    word = set(artists[tag == 1])
    {0}
    for list_ in (sorted(word), sorted(set(artists) - word)):
        {1}
    return {2}
""",
    ),
    "8.3": (
        0,
        "def answer(weight, bias, vectors, labels, C):\n    {0}\n    return {1}",
    ),
    "8.4": (
        None,
        """
from torch.nn.functional import cross_entropy, normalize

def answer(a, b, temperature):
    {0}
    {1}
    return {2}
""",
    ),
    "8.5": (
        None,
        """
def answer(sizes, scores, goal):
    if {1}:
        return {2}
    for n1, n2, s1, s2 in zip(sizes, sizes[1:], scores, scores[1:]):
        {0}
    return {3}
""",
    ),
}
