"""The tasks of lesson 08, few labels and borrowed ears: hints and probes."""

import functools

import numpy as np
import pandas as pd
import torch
from scipy.optimize import minimize
from torch.nn import functional

from tagkit.checks.engine import NotTried, call, calls, task, untouched
from tagkit.checks.tensors import array
from tagkit.checks.values import Wrong, number, plain, refuse_slips, several


@task(
    "0.8",
    "On one scale",
    points=1,
    hints=(
        "The test pieces stand for music that you do not have yet. What can you know "
        "of its mean?",
        "`train.mean(axis=0)` and `train.std(axis=0)` have a number per dimension. Use "
        "them for both.",
        "`spread = np.where(train.std(axis=0) == 0, 1, train.std(axis=0))`, then "
        "`(train - train.mean(axis=0)) / spread`, and the same for `test`.",
    ),
    praise="This is what `StandardScaler` does when you fit it on the training part.",
)
def standardised(answer):
    random = np.random.default_rng(8)
    train = random.normal(3, [1, 5, 0.1], (6, 3))
    test = random.normal(5, [2, 1, 0.3], (4, 3))
    flat = train.copy()
    flat[:, 1] = 7
    for given in ((train, test), (flat, test)):
        yours = several(call(answer, *given), 2, "Your answer")
        words = "train", "test"
        yours = [
            array(part, x.shape, f"Your {word}", "(n_clips, n_dims)")
            for part, x, word in zip(yours, given, words, strict=True)
        ]
        mean = given[0].mean(axis=0)
        right = _by(mean, given[0].std(axis=0), given)
        both = np.concatenate(given)
        slips = [
            (
                (test - test.mean(axis=0)) / test.std(axis=0),
                "it is scaled by the test itself",
            ),
            (
                (test - both.mean(axis=0)) / both.std(axis=0),
                "it is scaled by both parts together",
            ),
            (
                (test - train.mean()) / train.std(),
                "one mean serves all dimensions",
            ),
            (test - mean, "its spread is missing"),
            (test, "that is the test part as it was"),
        ]
        largest = max(np.abs(part).max() for part in yours)
        if largest > 1e4:
            return f"A number becomes {largest:.3g}: leave a spread of 0 at 1."
        seen = f"Your first test piece becomes {np.round(yours[1][0], 2)}"
        otherwise = "take mean and spread of each dimension of the training part"
        wider = _by(mean, given[0].std(axis=0, ddof=1), given)  # torch's
        if all(map(np.allclose, yours, wider)):
            continue
        refuse_slips(yours[1], right[1], slips, seen, otherwise, atol=1e-4)
        seen = f"Your first training piece becomes {np.round(yours[0][0], 2)}"
        refuse_slips(yours[0], right[0], [], seen, otherwise, atol=1e-4)


def _by(mean, spread, parts):
    return [(x - mean) / np.where(spread == 0, 1, spread) for x in parts]


@task(
    "8.1",
    "Do you agree with yourself?",
    points=3,
    hints=(
        "How often do the two lists agree? And how often would they if each kept its "
        "share of yeses, but said them at random?",
        "By chance both say yes in p * q of the clips, and both say no in "
        "(1 - p) * (1 - q), where p and q are the shares of yeses.",
        "`agree = np.mean(first == second)`, `chance = p * q + (1 - p) * (1 - q)`, and "
        "`(agree - chance) / (1 - chance)`.",
    ),
    praise="Below 0.6 think again about the word, before you label more.",
)
def kappa(answer):
    lists = [
        ([1] * 4 + [0] * 8, [1] * 3 + [0] * 9),
        ([1, 1, 0, 0], [1, 0, 0, 0]),  # the example of the text
        ([1, 0, 1, 0, 1, 0, 0], [0, 1, 0, 1, 0, 1, 0]),  # below 0
        ([1] * 9 + [0], [1] * 8 + [0, 1]),
        ([1, 0, 0, 1, 0], [1, 0, 0, 1, 0]),
    ]
    cases = [tuple(map(np.array, pair)) for pair in lists]
    for (a, b), value in zip(cases, calls(answer, cases), strict=True):
        yours = number(value, "Your kappa")
        agree, p, q = np.mean(a == b), a.mean(), b.mean()
        chance = p * q + (1 - p) * (1 - q)
        either = np.mean((a == 1) | (b == 1))
        pooled = (p + q) / 2
        pooled = pooled**2 + (1 - pooled) ** 2
        slips = [
            (agree, "that is plain agreement, chance is not taken off"),
            (2 * agree - 1, "chance is not one half: a list may say no most times"),
            (np.mean(a & b) / either, "clips that both call no agree, too"),
            (agree - chance, "divide by what is left above chance"),
            ((agree - p * q) / (1 - p * q), "by chance both may say no, too"),
        ]
        with np.errstate(all="ignore"):
            slips.append((np.corrcoef(a, b)[0, 1], "that is the correlation"))
        for share in p, q:
            of_one = share**2 + (1 - share) ** 2
            if not np.isclose(chance, of_one):
                text = "p is the share of the first list, q that of the second"
                slips.append(((agree - of_one) / (1 - of_one), text))
        if agree < chance:
            slips.insert(0, (0, "below chance, kappa is below 0"))
        if not np.isclose(chance, pooled):
            text = "each list has its own share of yeses"
            slips.append(((agree - pooled) / (1 - pooled), text))
        n, n_yes = len(a), (int(a.sum()), int(b.sum()))
        seen = (
            f"For {n} clips with {n_yes[0]} and {n_yes[1]} yeses yours is {yours:.4g}"
        )
        otherwise = "take the agreement above chance, of all that is above chance"
        refuse_slips(
            yours, (agree - chance) / (1 - chance), slips, seen, otherwise, 1e-4
        )


@task(
    "8.2",
    "Folds of whole artists",
    points=4,
    hints=(
        "What must stay together are the artists, so make two lists of artists: those "
        "who have the word in some clip, and those who never have it.",
        "Deal each list like cards: artist 0 to fold 0, artist 1 to fold 1, and after "
        "fold n - 1 begin again. Then every fold gets artists of both lists.",
        "`fold_of = {}`; for each of the two lists `for i, artist in enumerate(list_): "
        "fold_of[artist] = i % n`; return `[fold_of[artist] for artist in artists]`.",
    ),
    praise="Each fold can now be scored, and no artist helps to score itself.",
)
def folds(answer):
    for tag, artists, n in _fold_cases():
        names = [*artists]
        value = call(answer, np.array(tag), np.array(names), n)
        value = value.to_numpy() if isinstance(value, pd.Series) else value
        what = f"For {len(tag)} clips your result"
        yours = array(value, (len(tag),), what, "(n_clips,)")
        case = f"For {len(tag)} clips of {len(set(names))} artists and n = {n}"
        if set(yours) - set(range(n)):
            return f"{case} there is a fold {max(yours):g}; folds are 0 to {n - 1}."
        frame = pd.DataFrame({"tag": tag, "artist": names, "fold": yours})
        n_folds = frame.groupby("artist")["fold"].nunique()
        if n_folds.max() > 1:
            return f"{case} artist {n_folds.idxmax()} is in {n_folds.max()} folds."
        for fold in range(n):
            inside = frame[frame["fold"] == fold]["tag"]
            for kind, word in ((1, "with"), (0, "without")):
                if not (inside == kind).any():
                    return f"{case} fold {fold} has no clip {word} the word."


def _fold_cases():
    """Words that few artists have, and that stand together in the table."""
    return [
        ([1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0], [*"aabbccddeeff"], 2),
        ([1, 0, 1, 0, 0, 0], [*"abcdef"], 2),
        (
            [1, 1, 0, 1, 0, 1, 1, 1] + [0] * 12,
            [*"aaabbccc", *"ddeeffgghhij"],
            3,
        ),
        ([0] * 10 + [1] * 10, [*"abcdefghij", *"klmnoklmno"], 5),
    ]


@task(
    "8.3",
    "A logistic regression by hand",
    points=5,
    hints=(
        "The cross-entropy of a clip is log(1 + exp(-z)) if it has the word and "
        "log(1 + exp(z)) if not, z its logit. PyTorch has it as "
        "`binary_cross_entropy_with_logits`; watch its `reduction`.",
        "scikit-learn minimises C times the *sum* over the clips, plus half the sum of "
        "the squared weights. The bias is not among them.",
        "`logits = vectors @ weight + bias`, then `C * functional.binary_cross_entropy_"
        'with_logits(logits, labels, reduction="sum") + weight.square().sum() / 2`. To '
        "fit: `torch.optim.LBFGS([weight, bias], max_iter=500)` with a closure.",
    ),
    praise="Your regression and scikit-learn's are the same minimum of the same loss.",
)
def regression(answer):
    loss, fit = several(answer, 2, "Your answer")
    cases = [_regression_case(*shape) for shape in ((12, 3, 0.5), (9, 2, 2.0))]
    two = torch.tensor([[1.0], [-1.0]]), torch.tensor([1.0, 0.0])
    given = [(w, b, x, y, C) for x, y, C, w, b in cases]
    given.append((torch.zeros(1), torch.zeros(1), *two, 1.0))  # the text's example
    for arguments, value in zip(given, calls(loss, given), strict=True):
        yours = number(value, "Your loss")
        weight, bias, x, y, C = arguments
        logits = x @ weight + bias
        cost = functools.partial(
            functional.binary_cross_entropy_with_logits, reduction="none"
        )
        each = cost(logits, y)
        penalty = weight.square().sum() / 2
        slips = [
            (C * each.mean() + penalty, "the sum over the clips, not their mean"),
            (each.sum() + C * penalty, "C stands before the cross-entropy"),
            (C * each.sum() + 2 * penalty, "half the sum of the squares"),
            (C * each.sum() + penalty + bias.square().sum() / 2, "the bias is free"),
            (C * each.sum(), "the squared weights are missing"),
            (each.sum() + penalty, "C is missing"),
            (C * cost(-logits, y).sum() + penalty, "the sign of the logit is turned"),
            (C * cost(x @ weight, y).sum() + penalty, "the logits lack the bias"),
        ]
        seen = f"For {len(x)} clips, {len(weight)} numbers and C = {C:g} yours is "
        seen += f"{yours:.4f}"
        right = C * each.sum() + penalty
        slips = [(s.item(), text) for s, text in slips]
        otherwise = "C times the summed cross-entropy of the logits, plus the penalty"
        refuse_slips(yours, right.item(), slips, seen, otherwise, atol=1e-3)
    if untouched(fit):
        raise NotTried("`loss` is right; `fit` is still to be written.")
    arguments = [(x, y, C) for x, y, C, _, _ in cases]
    for (x, y, C), value in zip(arguments, calls(fit, arguments), strict=True):
        weight, bias = several(value, 2, "What `fit` gives")
        n = x.shape[1]
        weight = array(weight, (n,), "Your weight", "(n_dims,)")
        bias = number(bias, "Your bias")
        best = _best(x, y, C)
        found = _objective(np.append(weight, bias), x, y, C)
        if found > _objective(best, x, y, C) + 1e-3:
            lowest = _objective(best, x, y, C)
            raise Wrong(
                f"For {len(x)} clips and C = {C:g} the loss where `fit` stops is "
                f"{found:.4f}, and {found - lowest:.4f} above the lowest. More steps, "
                "or another loss?"
            )


def _regression_case(n, n_dims, C):
    random = torch.Generator().manual_seed(n)
    x = torch.randn(n, n_dims, generator=random)
    noise = torch.randn(n, generator=random)
    y = (x[:, 0] + noise > 0.5).float()
    weight = torch.randn(n_dims, generator=random)
    return x, y, C, weight, torch.tensor([0.8])


def _objective(parameters, x, y, C):
    x, y = x.double().numpy(), y.double().numpy()
    logits = x @ parameters[:-1] + parameters[-1]
    each = np.logaddexp(0, np.where(y == 1, -logits, logits))
    return C * each.sum() + (parameters[:-1] ** 2).sum() / 2


def _best(x, y, C):
    return minimize(_objective, np.zeros(x.shape[1] + 1), (x, y, C)).x


@task(
    "8.4",
    "Find the partner",
    points=4,
    hints=(
        "Row i of the table compares crop i of `a` with all crops of `b`; the right "
        "answer stands in column i. What is the right answer of column i?",
        "Make the vectors of length 1 first: `functional.normalize(a, dim=1)`. Then "
        "`functional.cross_entropy(table, torch.arange(n))` asks the rows; the columns "
        "are the rows of `table.T`.",
        "`table = normalize(a, dim=1) @ normalize(b, dim=1).T / temperature`, `right = "
        "torch.arange(len(a))`, and `(cross_entropy(table, right) + "
        "cross_entropy(table.T, right)) / 2`.",
    ),
    praise="With pictures in `a` and captions in `b` this is the loss of CLIP.",
)
def partners(answer):
    random = torch.Generator().manual_seed(84)
    cases = []
    for n, n_dims, temperature in ((5, 4, 0.5), (3, 8, 0.1), (7, 2, 1.0)):
        a = torch.randn(n, n_dims, generator=random)
        b = 2 * a + torch.randn(n, n_dims, generator=random)
        cases.append((a, b, temperature))
    cases.append((torch.eye(2), torch.eye(2), 1.0))  # the example of the text
    for (a, b, t), value in zip(cases, calls(answer, cases), strict=True):
        yours = number(value, "Your loss")
        slips = [
            (_both_ways(_cosines(a, b) * t), "divide by the temperature"),
            (_both_ways(a @ b.T / t), "make each vector of length 1 first"),
            (_one_way(_cosines(a, b) / t), "the columns ask, too"),
            (_one_way(_cosines(b, a) / t), "the rows ask, too"),
            (2 * _both_ways(_cosines(a, b) / t), "the mean of both ways, not the sum"),
            (_both_ways(_cosines(a, b)), "the temperature is missing"),
            (
                2 * len(a) * _both_ways(_cosines(a, b) / t),
                "the mean over all questions, not their sum",
            ),
            (_both_ways(_cosines(a, b, dim=0) / t), "a vector is a row, not a column"),
            (_mixed(a, b, t), "`a` and `b` stay on two sides, as in no other loss"),
        ]
        seen = f"For {len(a)} pairs and temperature {t:g} yours is {yours:.4f}"
        otherwise = "a cross-entropy over cosines, rows and columns"
        right = _both_ways(_cosines(a, b) / t)
        refuse_slips(yours, right, slips, seen, otherwise, atol=1e-4)
        if not value.requires_grad:
            inside = a.clone().requires_grad_()
            if not getattr(answer(inside, b, t), "requires_grad", False):
                return "No gradient comes through your loss; keep it a tensor."


def _cosines(a, b, dim=1):
    return functional.normalize(a, dim=dim) @ functional.normalize(b, dim=dim).T


def _mixed(a, b, t):
    """The loss of the lesson, in which each crop asks among all others."""
    both = torch.cat([a, b])
    table = (_cosines(both, both) / t).fill_diagonal_(-torch.inf)
    partner = torch.arange(len(both)).roll(len(a))
    return functional.cross_entropy(table, partner).item()


def _one_way(table):
    return functional.cross_entropy(table, torch.arange(len(table))).item()


def _both_ways(table):
    return (_one_way(table) + _one_way(table.T)) / 2


@task(
    "8.5",
    "What are they worth?",
    points=3,
    hints=(
        "Find the first two neighbouring points between which the curve reaches the "
        "goal. The axis of the picture shows logarithms, so draw the line there.",
        "Between (n1, s1) and (n2, s2) the goal lies at the share "
        "`(goal - s1) / (s2 - s1)` of the way, and the way is from log(n1) to log(n2).",
        "For each pair of neighbours: `if s1 < goal <= s2: return n1 * (n2 / n1) ** "
        "((goal - s1) / (s2 - s1))`. Before: `scores[0] >= goal` gives `sizes[0]`; "
        "after: `float('inf')`.",
    ),
    praise="Ask it of both curves of section 6: what is a borrowed label worth?",
)
def worth(answer):
    sizes = [20, 45, 90, 180, 360]
    cases = [
        (sizes, [0.60, 0.72, 0.68, 0.76, 0.84], 0.70),  # it comes again
        ([10, 1000], [0.5, 0.7], 0.6),  # the example of the text
        (sizes, [0.6, 0.7, 0.75, 0.8, 0.85], 0.72),
        (sizes, [0.60, 0.65, 0.68, 0.76, 0.84], 0.50),
        (sizes, [0.60, 0.65, 0.68, 0.76, 0.84], 0.90),
        (sizes, [0.60, 0.65, 0.65, 0.76, 0.84], 0.65),
    ]
    cases = [(np.array(n, float), np.array(s), goal) for n, s, goal in cases]
    for (n, s, goal), value in zip(cases, calls(answer, cases), strict=True):
        case = f"For the scores {', '.join(f'{x:g}' for x in s)} and a goal of {goal:g}"
        if np.size(plain(value)) == 1 and np.isinf(plain(value)):
            if s.max() < goal and value > 0:
                continue
            return f"{case} yours is {float(value):g}; the curve reaches it."
        if s.max() < goal:
            return f"{case} yours is {value}; it is never reached, so it is inf."
        yours = number(value, "Your number")
        seen = f"{case} yours is {yours:.4g}"
        if s[0] >= goal and not np.isclose(yours, n[0]):
            return f"{seen}: it is there from the start, at the first size."
        in_order = np.argsort(s)
        slips = [
            (
                np.exp(np.interp(goal, s[in_order], np.log(n)[in_order])),
                "the points stay in the order of their sizes",
            ),
            (
                _crossing(n, s, goal),
                "straight on the axis of logarithms, not counts",
            ),
            (n[np.argmax(s >= goal)], "the point where the line crosses, not the next"),
            (n[max(0, np.argmax(s >= goal) - 1)], "where the line crosses, not before"),
            (
                _crossing(np.log(n), s, goal),
                "that is a logarithm, not a count",
            ),
        ]
        right = np.exp(_crossing(np.log(n), s, goal))
        last = np.exp(_crossing(np.log(n[::-1]), s[::-1], goal, falls=True))
        slips.append((last, "the first time that the curve reaches it counts"))
        otherwise = "draw a line between the two points around the goal"
        refuse_slips(yours, right, slips, seen, otherwise, atol=0.02)


def _crossing(x, s, goal, *, falls=False):
    """Where a curve of straight lines reaches the goal, or falls to it."""
    if not falls and s[0] >= goal:
        return x[0]
    for i in range(len(s) - 1):
        low, high = (s[i + 1], s[i]) if falls else (s[i], s[i + 1])
        if low < goal <= high:
            return x[i] + (goal - s[i]) / (s[i + 1] - s[i]) * (x[i + 1] - x[i])
    return x[-1]
