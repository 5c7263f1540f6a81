"""The tasks of lesson 08, few labels and borrowed ears: hints and probes.

The file is long because many slips have a message of their own.
"""

import functools
import math

import numpy as np
import pandas as pd
import torch
from scipy.optimize import minimize
from torch.nn import functional

from tagkit.checks.engine import NotTried, call, calls, task, untouched
from tagkit.checks.tensors import array
from tagkit.checks.values import Wrong, number, plain, refuse_slips, several

FIT_TO = 1e-4  # above the lowest loss: three digits of most weights


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
        ([1] * 5 + [0] * 8, [1] * 4 + [0] + [1] * 2 + [0] * 6),
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
            (2 * np.mean(a & b) / (p + q), "clips that both call no agree, too"),
            ((1 - agree - chance) / (1 - chance), "count where they do not differ"),
            (agree - chance, "divide by what is left above chance"),
            ((agree - chance) / chance, "divide by what is left, 1 minus chance"),
            ((agree - chance) / (1 + chance), "divide by what is left, 1 minus chance"),
            ((1 - agree) / (1 - chance), "that is 1 minus kappa"),
            ((agree + chance - 1) / chance, "chance is that they agree, not differ"),
            ((agree - p * q) / (1 - p * q), "by chance both may say no, too"),
        ]
        with np.errstate(all="ignore"):
            slips.append((np.corrcoef(a, b)[0, 1], "that is the correlation"))
        for share in p, q:
            of_one = share**2 + (1 - share) ** 2
            if not np.isclose(chance, of_one):
                text = "p is the share of the first list, q that of the second"
                slips.append(((agree - of_one) / (1 - of_one), text))
        turned = (chance - agree) / (1 - chance)
        if agree < chance:
            slips[:0] = [(k, "below chance, kappa is below 0") for k in (0, turned)]
        else:
            slips.append((turned, "agreement and chance are turned round"))
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
        if others := set(yours) - set(range(n)):
            return f"{case} there is a fold {min(others):g}; folds are 0 to {n - 1}."
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
            [*"jjjiihhh", *"aabbccddeeff"],
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
    shapes = (13, 3, 0.5, 1), (9, 2, 2.0, 1), (60, 12, 2.0, 4)
    cases = [_regression_case(*shape) for shape in shapes]
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
        entropy, minus_bias = each.sum(), 2 * (x @ weight) - logits
        slips = [
            (C * each.mean() + penalty, "the sum over the clips, not their mean"),
            (entropy + C * penalty, "C stands before the cross-entropy"),
            (C * (entropy + penalty), "C stands before the cross-entropy alone"),
            (entropy / C + penalty, "multiply by C, do not divide"),
            (entropy + penalty, "C is missing"),
            (C * entropy, "the squared weights are missing"),
            (C * entropy - penalty, "the squared weights are added"),
        ]
        # What may stand in place of the squared weights, and of the cross-entropy.
        slips += [
            (C * entropy + other, text)
            for other, text in (
                (2 * penalty, "half the sum of the squares"),
                (penalty + bias.square().sum() / 2, "the bias is free"),
                (weight.abs().sum() / 2, "the sum of the squares, not of the weights"),
                (weight.norm() / 2, "the sum of the squares, without a root"),
                (weight.square().mean() / 2, "the sum of the squares, not their mean"),
            )
        ]
        slips += [
            (C * other.sum() + penalty, text)
            for other, text in (
                (cost(-logits, y), "the sign of the logit is turned"),
                (cost(x @ weight, y), "the logits lack the bias"),
                (cost(minus_bias, y), "the bias is added to the logit"),
                (
                    cost(logits.sigmoid(), y),
                    "take that of the logits, no sigmoid first",
                ),
                (each[y == 1], "clips whose label is 0 cost something, too"),
                (functional.softplus(-y * logits), "a label of 0 is no minus 1"),
                (each / math.log(2), "the logarithm is the natural one"),
                ((logits.sigmoid() - y) ** 2, "that is a squared error"),
            )
        ]
        seen = f"For {len(x)} clips, {len(weight)} numbers and C = {C:g} yours is "
        seen += f"{yours:.4f}"
        right = C * entropy + penalty
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
        yours, best = np.append(weight, bias), _best(x, y, C)
        above = _objective(yours, x, y, C) - _objective(best, x, y, C)
        if above > FIT_TO:
            slips = [
                (best * np.append(np.ones(n), 0), "the bias is 0"),
                (_best(x, y, C, of_bias=1), "the bias is free"),
                (_best(x, y, C / len(x)), "the sum over the clips, not their mean"),
                (_best(x, y, 1), "C is missing"),
                (-best, "the sign is turned"),
            ]
            slips += [(best.round(k), "is something rounded?") for k in (2, 1)]
            near = (text for slip, text in slips if np.allclose(yours, slip, atol=1e-3))
            raise Wrong(
                f"For {len(x)} clips and C = {C:g} the loss where `fit` stops is "
                f"{above:.1g} above the lowest: "
                + next(near, "more steps, or another loss?")
            )


def _regression_case(n, n_dims, C, spread):
    """Vectors whose last dimension is spread ** 2 times as wide as the first."""
    random = torch.Generator().manual_seed(n)
    x = torch.randn(n, n_dims, generator=random)
    noise = torch.randn(n, generator=random)
    y = (x[:, 0] + noise > 0.5).float()
    weight = torch.randn(n_dims, generator=random)
    wide = torch.logspace(-1, 1, n_dims, base=spread)
    return x * wide, y, C, weight / wide, torch.tensor([0.8])


def _objective(parameters, x, y, C, of_bias=0):
    x, y = x.double().numpy(), y.double().numpy()
    logits = x @ parameters[:-1] + parameters[-1]
    each = np.logaddexp(0, np.where(y == 1, -logits, logits))
    squares = (parameters[:-1] ** 2).sum() + of_bias * parameters[-1] ** 2
    return C * each.sum() + squares / 2


def _best(x, y, C, of_bias=0):
    start = np.zeros(x.shape[1] + 1)
    return minimize(_objective, start, (x, y, C, of_bias)).x


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
        table, own = _cosines(a, b) / t, torch.arange(len(a))
        cut = table - 1e9 * torch.eye(len(a))
        shares = (table.softmax(0) + table.softmax(1)).diagonal() / 2
        apart = functional.binary_cross_entropy_with_logits(table, torch.eye(len(a)))
        unit_a, unit_b = functional.normalize(a), functional.normalize(b)
        whole = a @ b.T / a.norm() / b.norm()
        slips = [
            (_both_ways(_cosines(a, b) * t), "divide by the temperature"),
            (_both_ways(table / t), "divide by the temperature once"),
            (_both_ways(table * t**0.5), "divide by the temperature, not by its root"),
            (_both_ways(unit_a @ b.T / t), "the vectors of `b` have length 1, too"),
            (_both_ways(a @ unit_b.T / t), "the vectors of `a` have length 1, too"),
            (_both_ways(whole / t), "each vector gets length 1 by itself"),
            (_both_ways(_cosines(a, a) / t), "compare `a` with `b`, not with itself"),
            (_both_ways(-table), "the likenesses have a minus sign"),
            (-_both_ways(table), "the sign of the loss is turned"),
            (_both_ways(table.softmax(1)), "a cross-entropy does its own softmax"),
            (_both_ways(table.softmax(0)), "a cross-entropy does its own softmax"),
            (1 - shares.mean(), "a cross-entropy is a logarithm of the share"),
            (_both_ways(table, own.flip(0)), "crop i is the partner of crop i"),
            (_both_ways(table, own.roll(1)), "crop i is the partner of crop i"),
            (_both_ways(cut), "the partner itself is among the n answers"),
            (apart, "a question has n answers, not a yes or no for each"),
            (_one_way((table + table.T) / 2), "rows and columns ask apart"),
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
        right = _both_ways(_cosines(a, b) / t).item()
        slips = [(float(slip), text) for slip, text in slips]
        refuse_slips(yours, right, slips, seen, otherwise, atol=1e-4)
        sides = [x.clone().requires_grad_() for x in (a, b)]
        wanted = _both_ways(_cosines(*sides) / t)
        try:
            value = answer(*sides, t)
        except RuntimeError:  # numpy takes no tensor that wants a gradient
            value = None
        if not getattr(value, "requires_grad", False):
            return "No gradient comes through your loss; keep it a tensor."
        slopes = torch.autograd.grad(value.sum(), sides, allow_unused=True)
        right = torch.autograd.grad(wanted, sides)
        for name, slope, its in zip("ab", slopes, right, strict=True):
            if slope is None or not torch.allclose(slope, its, atol=1e-4):
                return (
                    f"Your loss is right, but not the gradient that reaches `{name}`."
                )


def _cosines(a, b, dim=1):
    return functional.normalize(a, dim=dim) @ functional.normalize(b, dim=dim).T


def _mixed(a, b, t):
    """The loss of the lesson, in which each crop asks among all others."""
    both = torch.cat([a, b])
    table = (_cosines(both, both) / t).fill_diagonal_(-torch.inf)
    partner = torch.arange(len(both)).roll(len(a))
    return functional.cross_entropy(table, partner)


def _one_way(table, partner=None):
    partner = torch.arange(len(table)) if partner is None else partner
    return functional.cross_entropy(table, partner)


def _both_ways(table, partner=None):
    return (_one_way(table, partner) + _one_way(table.T, partner)) / 2


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
        # It falls before it reaches the goal, and after, and comes again at the end.
        ([*sizes, 720], [0.60, 0.66, 0.62, 0.72, 0.68, 0.84], 0.695),
        ([10, 1000], [0.5, 0.7], 0.6),  # the example of the text
        # A score is the goal: the first, one between, the last.
        (sizes, [0.65, 0.60, 0.62, 0.76, 0.84], 0.65),
        (sizes, [0.60, 0.70, 0.66, 0.69, 0.84], 0.70),
        (sizes, [0.60, 0.65, 0.68, 0.76, 0.84], 0.84),
        (sizes, [0.6, 0.7, 0.75, 0.8, 0.85], 0.72),
        (sizes, [0.60, 0.65, 0.68, 0.76, 0.84], 0.50),
        (sizes, [0.60, 0.65, 0.68, 0.76, 0.84], 0.90),
        (sizes, [0.60, 0.65, 0.65, 0.76, 0.84], 0.65),
    ]
    cases = [(np.array(n, float), np.array(s), goal) for n, s, goal in cases]
    for (n, s, goal), value in zip(cases, calls(answer, cases), strict=True):
        case = f"For the scores {', '.join(f'{x:g}' for x in s)} and a goal of {goal:g}"
        yours = _number_or_inf(value)
        seen = f"{case} yours is {yours:.4g}"
        if s.max() < goal:
            if yours == np.inf:
                continue
            return f"{seen}; it is never reached, so it is inf."
        if np.isinf(yours):
            return f"{seen}; the curve reaches it."
        if s[0] >= goal and not np.isclose(yours, n[0]):
            return f"{seen}: it is there from the start, at the first size."
        after, top, in_order = np.argmax(s >= goal), np.argmax(s), np.argsort(s)
        before = max(0, after - 1)
        right = np.exp(_crossing(np.log(n), s, goal))
        slips = [
            (
                np.exp(np.interp(goal, s[in_order], np.log(n)[in_order])),
                "the points stay in the order of their sizes",
            ),
            (
                np.exp(np.interp(goal, np.sort(s), np.log(n))),
                "the points stay in the order of their sizes",
            ),
            (
                _crossing(n, s, goal),
                "straight on the axis of logarithms, not counts",
            ),
            (n[after], "the point where the line crosses, not the next"),
            (n[before], "where the line crosses, not before"),
            (n[np.abs(s - goal).argmin()], "where the line crosses, not the nearest"),
            (np.log(right), "that is a logarithm, not a count"),
            (np.log10(right), "that is a logarithm, not a count"),
            (n[before] * n[after] / right, "the way begins at the first of the two"),
            ((n[before] * n[after]) ** 0.5, "the goal need not lie half-way"),
            (np.ceil(right), "it is rounded; a curve knows parts of a label"),
            (np.round(right), "it is rounded; a curve knows parts of a label"),
            (
                np.exp(_crossing(np.log(n), np.maximum.accumulate(s), goal)),
                "the line begins at the point before, not at the best so far",
            ),
            (
                np.exp(_crossing(np.log(n[[0, top]]), s[[0, top]], goal)),
                "draw the line between two neighbours",
            ),
            (n[top], "the first time that the curve reaches it counts"),
        ]
        last = np.exp(_crossing(np.log(n[::-1]), s[::-1], goal, falls=True))
        slips.append((last, "the first time that the curve reaches it counts"))
        otherwise = "draw a line between the two points around the goal"
        refuse_slips(yours, right, slips, seen, otherwise, atol=0.02)


def _number_or_inf(value) -> float:
    read = np.ravel(plain(value))
    if len(read) == 1 and read[0] in (np.inf, -np.inf):
        return float(read[0])
    return number(value, "Your number")


def _crossing(x, s, goal, *, falls=False):
    """Where a curve of straight lines reaches the goal, or falls to it."""
    if not falls and s[0] >= goal:
        return x[0]
    for i in range(len(s) - 1):
        low, high = (s[i + 1], s[i]) if falls else (s[i], s[i + 1])
        if low < goal <= high:
            return x[i] + (goal - s[i]) / (s[i + 1] - s[i]) * (x[i + 1] - x[i])
    return x[-1]
