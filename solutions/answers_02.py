"""Right and wrong answers to the tasks of lesson 02, for the tests of their probes.

Spoilers: learners, look into `hint` first. A wrong answer stands beside a part of
the message that it must get.
"""

import functools
import math

import numpy as np
import pandas as pd
import torch
from torch import nn
from torch.nn import functional

from tagkit import models
from tagkit.checks.engine import Answers

ANSWERS: dict[str, Answers] = {}


# 0.2 One training step, in the lesson

with_logits = functional.binary_cross_entropy_with_logits


def step(net, optimizer, samples, labels, between=torch.clone):
    optimizer.zero_grad()
    loss = with_logits(between(net(samples)), labels)
    loss.backward()
    optimizer.step()
    return loss.item()


def cleared_at_the_end(net, optimizer, samples, labels):
    loss = nn.BCEWithLogitsLoss()(net(samples), labels)
    loss.backward()
    optimizer.step()
    net.zero_grad()
    return loss


def by_log_sigmoid(net, optimizer, samples, labels):
    logits = net(samples)
    signs = 2 * labels - 1
    loss = -functional.logsigmoid(signs * logits).mean()
    net.zero_grad(set_to_none=False)
    loss.backward()
    optimizer.step()
    return loss.detach()


def never_cleared(net, optimizer, samples, labels):
    loss = with_logits(net(samples), labels)
    loss.backward()
    optimizer.step()
    return loss.item()


def cleared_too_late(net, optimizer, samples, labels):
    loss = with_logits(net(samples), labels)
    loss.backward()
    optimizer.zero_grad()
    optimizer.step()
    return loss.item()


def no_backward(net, optimizer, samples, labels):
    optimizer.zero_grad()
    loss = with_logits(net(samples), labels)
    optimizer.step()
    return loss.item()


def no_step(net, optimizer, samples, labels):
    optimizer.zero_grad()
    loss = with_logits(net(samples), labels)
    loss.backward()
    return loss.item()


def twice(net, optimizer, samples, labels):
    loss = step(net, optimizer, samples, labels)
    optimizer.step()
    return loss


def loss_after(net, optimizer, samples, labels):
    step(net, optimizer, samples, labels)
    return with_logits(net(samples), labels).item()


def summed(net, optimizer, samples, labels):
    optimizer.zero_grad()
    loss = with_logits(net(samples), labels, reduction="sum")
    loss.backward()
    optimizer.step()
    return loss.item()


ANSWERS["0.2"] = Answers(
    step,
    [cleared_at_the_end, by_log_sigmoid],
    [
        (never_cleared, "still holds the gradient of the first"),
        (cleared_too_late, "there was no gradient"),
        (no_backward, "there was no gradient"),
        (no_step, "although there is a gradient"),
        (functools.partial(step, between=torch.sigmoid), "A sigmoid stands between"),
        (twice, "moves the parameters twice"),
        (loss_after, "that is the loss after the step"),
        (summed, "Your loss is the sum"),
        (functools.partial(step, between=torch.tanh), "not where the five lines"),
        (lambda *given: [step(*given)] * 2, "one number is needed"),
        (lambda net, samples, labels: 0.5, "stopped with TypeError"),
        (0.5, "function itself was asked for"),
    ],
)


# 2.1 Frames and parameters on paper


def trace(n, layers, conv=None, pool=None, bias=1, pad=sum, into=True):
    """Right as it is; each argument changes one thing."""
    channels, frames, count = 1, [], 0
    for kind, *sizes in layers:
        if kind == "conv":
            out, length, stride = sizes
            n = conv(n, length, stride) if conv else (n - length) // stride + 1
            count += out * (channels if into else 1) * length + bias * out
            channels = out
        elif kind == "pad":
            n += pad(sizes)
        else:
            n = pool(n, sizes[0]) if pool else n // sizes[0]
        frames.append(n)
    return frames, count


def by_torch(n, layers):
    x, frames, count, channels = torch.zeros(1, 1, n), [], 0, 1
    for kind, *sizes in layers:
        if kind == "conv":
            layer = nn.Conv1d(channels, *sizes)
            channels = sizes[0]
        else:
            kinds = {"pad": nn.ZeroPad1d, "pool": nn.MaxPool1d}
            layer = kinds[kind](tuple(sizes) if kind == "pad" else sizes[0])
        x = layer(x)
        frames.append(x.shape[-1])
        count += sum(weight.numel() for weight in layer.parameters())
    return torch.tensor(frames), count


def slip(**change):
    return functools.partial(trace, **change)


ANSWERS["2.1"] = Answers(
    trace,
    [
        by_torch,
        lambda n, layers: [tuple(trace(n, layers)[0]), float(trace(n, layers)[1])],
        lambda n, layers: (
            np.array(trace(n, layers)[0]),
            np.int64(trace(n, layers)[1]),
        ),
    ],
    [
        (slip(conv=lambda n, k, s: (n - k) // s), "the first place counts too"),
        (slip(conv=lambda n, k, s: n // s), "must fit as a whole"),
        (slip(conv=lambda n, k, s: n - k + 1), "the stride was not used"),
        (slip(pool=lambda n, k: math.ceil(n / k)), "round down"),
        (slip(pool=lambda n, k: n - k + 1), "the stride was not used"),
        (slip(pad=max), "zeros go before and after"),
        (slip(pad=min), "zeros go before and after"),
        (slip(bias=0), "the biases are missing"),
        (slip(into=False), "each kernel covers all channels before it"),
        (lambda n, layers: trace(n, layers)[::-1], "is needed"),
        (lambda n, layers: (trace(n, layers)[0][-1:], 44), "has shape (1,)"),
        (lambda n, layers: trace(n, layers)[1], "2 parts are needed"),
    ],
)


# 2.2 A convolution with channels


def by_loop(samples, weight, bias, stride):
    n_out, _, length = weight.shape
    starts = range(0, samples.shape[1] - length + 1, stride)
    return [
        [(samples[:, s : s + length] * w).sum() + b for s in starts]
        for w, b in zip(weight, bias, strict=True)
    ]


def by_windows(samples, weight, bias, stride):
    length = weight.shape[2]
    windows = np.lib.stride_tricks.sliding_window_view(samples, length, axis=1)
    return np.einsum("ctl,ocl->ot", windows[:, ::stride], weight) + bias[:, None]


def by_conv1d(samples, weight, bias, stride):
    tensors = (torch.tensor(x, dtype=torch.float32) for x in (samples, weight, bias))
    return functional.conv1d(*tensors, stride=stride)


def by_convolve(turned):
    def convolve(samples, weight, bias, stride):
        rows = [
            sum(
                np.convolve(s, k[::-1] if turned else k, "valid")
                for s, k in zip(samples, kernels, strict=True)
            )
            for kernels in weight
        ]
        return (np.stack(rows) + bias[:, None])[:, ::stride]

    return convolve


ANSWERS["2.2"] = Answers(
    by_loop,
    [by_windows, by_conv1d, by_convolve(turned=True)],
    [
        (by_convolve(turned=False), "the kernel is turned round"),
        (lambda x, w, b, s: by_windows(x, w, 0 * b, s), "the bias is missing"),
        (lambda x, w, b, s: by_windows(x, w, len(x) * b, s), "once per frame"),
        (lambda x, w, b, s: by_windows(x[:1], w[:, :1], b, s), "the first channel"),
        (lambda x, w, b, s: by_windows(x, w, b, 1), "has shape (3, 10)"),
        (lambda x, w, b, s: by_windows(x, w, b, s).T, "is needed"),
        (lambda x, w, b, s: by_windows(x, w, b, s).astype(int), "is cut off"),
        (lambda x, w, b, s: by_windows(x, w, b[0], s), "stopped with"),
        (lambda x, w, b, s: by_windows(x, w, b, s) + 1, "compute this one on paper"),
    ],
)


# 2.3 The same paper, read in another way


class Sequence(nn.Module):
    """Right as it is; each class attribute changes one thing."""

    pads, moves, pool, n_flat = (0, 0), 1, nn.MaxPool1d, 32
    after = (nn.ReLU, nn.ReLU, nn.ReLU, nn.ReLU)
    merge: tuple = (nn.AdaptiveAvgPool1d(1),)
    last: tuple = ()
    bias = True

    def __init__(self, n_tags=50):
        super().__init__()
        a, b, c, d = (kind() for kind in self.after)
        pad = nn.ZeroPad1d(self.pads)
        pool = self.pool(4, self.moves)
        self.layers = nn.Sequential(
            *(nn.Conv1d(1, 1, 256, 256, bias=self.bias), a),
            *(pad, nn.Conv1d(1, 32, 8), b, pool, pad, nn.Conv1d(32, 32, 8), c, pool),
            *(*self.merge, nn.Flatten()),
            *(nn.Linear(self.n_flat, 100), d, nn.Linear(100, n_tags)),
            *(kind() for kind in self.last),
        )

    def forward(self, samples):
        return self.layers(samples[:, None])


def variant(**change):
    return type("Variant", (Sequence,), change)


class Functional(nn.Module):
    """The same with names in another order, and the pool before ReLU."""

    def __init__(self, n_tags=50):
        super().__init__()
        self.out, self.dense = nn.Linear(100, n_tags), nn.Linear(32, 100)
        self.third = nn.Conv1d(32, 32, 8)
        self.second = nn.Conv1d(1, 32, 8)
        self.first = nn.Conv1d(1, 1, 256, 256)

    def forward(self, samples):
        x = self.first(samples.unsqueeze(1)).relu()
        for conv in (self.second, self.third):
            x = functional.max_pool1d(conv(x), 4, 1).relu()
        return self.out(self.dense(x.mean(dim=-1)).relu())


class Folded(Functional):
    """The first layer as a dense layer on pieces of 256 samples."""

    def __init__(self, n_tags=50):
        super().__init__(n_tags)
        self.first = nn.Linear(256, 1)

    def forward(self, samples):
        x = self.first(samples.unfold(1, 256, 256)).relu().transpose(1, 2)
        for conv in (self.second, self.third):
            x = conv(x).relu().unfold(2, 4, 1).amax(dim=3)
        return self.out(self.dense(x.sum(dim=2) / 116).relu())


class OnImages(Functional):
    """The second and third layer as Conv2d on the turned image (frames, channels)."""

    def __init__(self, n_tags=50):
        super().__init__(n_tags)
        self.second, self.third = nn.Conv2d(1, 32, (8, 1)), nn.Conv2d(1, 32, (8, 32))

    def forward(self, samples):
        x = self.first(samples.unsqueeze(1)).relu()
        for conv in (self.second, self.third):
            image = x.transpose(1, 2)[:, None]
            x = functional.max_pool1d(conv(image).relu()[..., 0], 4, 1)
        return self.out(self.dense(x.mean(dim=2)).relu())


class InList(Sequence):
    def __init__(self, n_tags=50):
        super().__init__(n_tags)
        self.plain = list(self.layers)
        del self.layers

    def forward(self, samples):
        x = samples[:, None]
        for layer in self.plain:
            x = layer(x)
        return x


class NoGradient(Sequence):
    def forward(self, samples):
        frames = self.layers[:2](samples[:, None]).detach()
        return self.layers[2:](frames)


class Dropping(Sequence):
    def forward(self, samples):
        return functional.dropout(super().forward(samples), 0.5)


class Mixing(Sequence):
    def forward(self, samples):
        logits = super().forward(samples)
        return logits - logits.mean(dim=0)


RELU, NONE = nn.ReLU, nn.Identity
ANSWERS["2.3"] = Answers(
    Sequence,
    [Functional, Folded, OnImages, lambda n_tags: models.RoyBase(n_tags=n_tags)],
    [
        (variant(last=(nn.Sigmoid,)), "a sigmoid comes last"),
        (variant(last=(nn.ReLU,)), "a ReLU comes last"),
        (variant(pool=nn.AvgPool1d), "the pools take the mean"),
        (variant(moves=4), "the pools move by 4"),
        (variant(moves=2), "gives other logits"),
        (variant(pads=(3, 4)), "the convolutions are padded"),
        (variant(merge=(nn.AdaptiveMaxPool1d(1),)), "the largest of all frames"),
        (variant(merge=(), n_flat=32 * 116), "32 means, not all the frames"),
        (variant(bias=False), "the first convolution has a bias"),
        (variant(after=(NONE, RELU, RELU, RELU)), "after the first convolution"),
        (variant(after=(RELU, RELU, RELU, NONE)), "after the dense layer of 100"),
        (variant(after=(NONE,) * 4), "there is no ReLU"),
        (variant(after=(nn.ELU,) * 4), "gives other logits"),
        (variant(merge=()), "stopped with RuntimeError"),
        (InList, "in a plain list"),
        (NoGradient, "No gradient reaches layers.0"),
        (Dropping, "no dropout"),
        (Mixing, "must not depend on the mode or on its neighbours"),
        (lambda n_tags: Sequence(50), "for n_tags = 7"),
        (Sequence(), "without brackets"),
        (lambda n_tags: models.DielemanRaw(n_tags=n_tags), "the lesson's network"),
        (models.K2C2, "stopped with ValueError"),
    ],
)


# 2.4 A silent bug: symptom, repair, test

CAUSES = {"A": "labels shuffled", "B": "steps too short", "C": "squashed twice"}
CAUSES["D"] = "healthy"


class Mended(nn.Module):
    last = staticmethod(lambda x: x)

    def __init__(self, n_in=20, n_tags=4):
        super().__init__()
        self.hidden, self.output = nn.Linear(n_in, 32), nn.Linear(32, n_tags)

    def forward(self, inputs):
        return self.last(self.output(self.hidden(inputs).relu()))


def ending(last):
    return type("Mended", (Mended,), {"last": staticmethod(last)})


class Frozen(Mended):
    def __init__(self, n_in=20, n_tags=4):
        super().__init__(n_in, n_tags)
        self.spare = nn.Linear(3, 3)


def shout(network, n_in):
    with torch.no_grad():
        made = network(1e4 * torch.randn(100, n_in))
    return bool(((made >= 0) & (made <= 1)).all())


def shout_in_pieces(network, n_in):
    for _ in range(30):
        made = network(1e5 * (torch.rand(1, n_in) - 0.5)).detach().numpy()
        if made.min() < 0 or made.max() > 1:
            return np.False_
    return np.True_


def whisper(network, n_in):
    made = network(torch.randn(100, n_in))
    return bool(((made >= 0) & (made <= 1)).all())


def last_layer(network, n_in):
    return isinstance([*network.modules()][-1], nn.Sigmoid)


def any_layer(network, n_in):
    return any(isinstance(layer, nn.Sigmoid) for layer in network.modules())


def never_negative(network, n_in):
    return bool((network(torch.randn(100, n_in)) >= 0).all())


def not_sure(network, n_in):
    made = network(1e4 * torch.randn(100, n_in))
    return bool(((made > 0) & (made < 0.9)).all())


def mixed(**change):
    return CAUSES | change


ANSWERS["2.4"] = Answers(
    (CAUSES, Mended, shout),
    [
        (CAUSES, ending(lambda x: 2 * x), shout_in_pieces),
        [
            dict(reversed(CAUSES.items())),
            lambda n_in, n_tags: nn.Sequential(
                nn.Linear(n_in, 99), nn.ELU(), nn.Linear(99, n_tags)
            ),  # fmt: skip
            lambda *both: torch.tensor(shout(*both)),
        ],
    ],
    [
        ((mixed(C="steps too short"), Mended, shout), "rests near 0.69"),
        ((mixed(B="squashed twice"), Mended, shout), "goes on falling"),
        ((mixed(A="healthy"), Mended, shout), "not below the constant prior"),
        ((mixed(D="labels shuffled"), Mended, shout), "falls below the constant"),
        ((mixed(A="overfitting"), Mended, shout), "You call curve A overfitting"),
        (({"A": "healthy"}, Mended, shout), "with A, B, C and D"),
        ((CAUSES, ending(torch.sigmoid), shout), "what comes after the last layer"),
        ((CAUSES, ending(torch.relu), shout), "outputs lie from 0.00"),
        ((CAUSES, ending(torch.tanh), shout), "from -1.00 to 1.00"),
        ((CAUSES, ending(lambda x: x.detach()), shout), "no gradient reaches"),
        ((CAUSES, ending(lambda x: 9 * x.tanh()), shout), "do not grow"),
        ((CAUSES, Frozen, shout), "no gradient reaches spare"),
        ((CAUSES, nn.Linear, shout), "Where is the ReLU?"),
        ((CAUSES, ending(lambda x: x[:, :1]), shout), "has shape (200, 1)"),
        ((CAUSES, Mended, whisper), "True for a healthy network with logits near"),
        ((CAUSES, Mended, last_layer), "False for one with the sigmoid in its"),
        ((CAUSES, Mended, any_layer), "True for a network with a sigmoid between"),
        ((CAUSES, Mended, never_negative), "True for a healthy network with"),
        ((CAUSES, Mended, not_sure), "False for one with the sigmoid"),
        ((CAUSES, Mended, lambda *_: "yes"), "True or False is needed"),
        ((CAUSES, Mended(), shout), "without brackets"),
    ],
)


# 2.5 Momentum and learning rate: is it one knob?

LOSSES = [[0.6374, 0.2663, 0.2551], [0.6825, 0.5290, 0.2547], [0.6909, 0.6820, 0.2694]]
GRID = pd.DataFrame(LOSSES, [0.99, 0.9, 0.0], [0.001, 0.01, 0.1])


def effective(momentum, rate):
    return rate / (1 - momentum)


def best(grid):
    return grid.stack().idxmin()


def best_by_loop(grid):
    cells = [(grid.loc[m, r], m, r) for m in grid.index for r in grid.columns]
    return list(min(cell for cell in cells if not math.isnan(cell[0]))[1:])


def spread(grid, digits=6, least=2, how=lambda x: max(x) - min(x)):
    groups = {}
    for (momentum, rate), loss in grid.stack().dropna().items():
        step = rate / (1 - momentum)
        groups.setdefault(round(step, digits) if digits else step, []).append(loss)
    return {k: how(v) for k, v in groups.items() if len(v) >= least}


def spread_by_frame(grid):
    cells = grid.stack().reset_index(name="loss")
    step = (cells["level_1"] / (1 - cells["level_0"])).round(8)
    found = cells.groupby(step)["loss"].agg(["max", "min", "count"])
    found = found[found["count"] > 1]
    return found["max"] - found["min"]


def best_with_nan(grid):
    at = np.unravel_index(grid.to_numpy().argmin(), grid.shape)
    return grid.index[at[0]], grid.columns[at[1]]


def one_changed(at, other):
    answer = [effective, best, spread, GRID]
    answer[at] = other
    return tuple(answer)


ANSWERS["2.5"] = Answers(
    (effective, best, spread, GRID),
    [
        one_changed(1, best_by_loop),
        one_changed(2, spread_by_frame),
        one_changed(3, GRID.iloc[::-1, ::-1].mask(GRID < 0.2548)),
        [lambda m, r: torch.tensor(r / (1 - m)).double(), best, spread, GRID],
    ],
    [
        (one_changed(0, lambda m, r: r * (1 - m)), "makes steps longer"),
        (one_changed(0, lambda m, r: r * (1 + m)), "the sum goes on"),
        (one_changed(0, lambda m, r: 1 / (1 - m)), "the rate is missing"),
        (one_changed(0, lambda m, r: r / m), "that is not so"),
        (one_changed(1, lambda g: g.stack().idxmax()), "another cell has a lower loss"),
        (one_changed(1, best_with_nan), "pass over nan"),
        (one_changed(1, lambda g: best(g)[::-1]), "momentum comes first"),
        (one_changed(1, lambda g: g.min().min()), "2 parts are needed"),
        (one_changed(1, lambda g: (g.min(axis=1).idxmin(), 0.001)), "a lower loss"),
        (one_changed(2, lambda g: spread(g, digits=None)), "one step?"),
        (one_changed(2, lambda g: spread(g, least=1)), "which only one loss has"),
        (one_changed(2, lambda g: spread(g, how=lambda x: x[0] - x[-1])), "the first"),
        (one_changed(2, lambda g: spread(g, how=max)), "that is the largest loss"),
        (one_changed(2, lambda g: spread(g, how=np.std)), "standard deviation"),
        (one_changed(2, lambda g: max(spread(g).values())), "a dict is needed"),
        (one_changed(2, lambda g: spread(g.fillna(0.1))), "only one loss has"),
        (one_changed(3, GRID.T), "Are rows and columns in place?"),
        (one_changed(3, GRID.iloc[:2]), "`grid` has no row 0"),
        (one_changed(3, GRID * 0 + 0.69), "Are rows and columns in place?"),
        (one_changed(3, GRID.where(GRID < 0.3)), "Most cells of `grid` are empty"),
    ],
)


# The examples of the texts: which part of the answer, what it gets, what it gives

OF_TEXT = pd.DataFrame([[0.64, 0.30], [0.69, 0.68]], [0.9, 0.0], [0.001, 0.01])
EXAMPLES = {
    "2.1": [(None, (100, [("conv", 4, 10, 5), ("pool", 4)]), ([19, 4], 44))],
    "2.2": [
        (
            None,
            (
                np.array([[1.0, 2, 3], [0, 1, 5]]),
                np.array([[[1.0, 0], [0, 2]]]),
                np.array([10.0]),
                1,
            ),
            [[13, 22]],
        )
    ],
    "2.5": [
        (0, (0.5, 0.1), 0.2),
        (1, (OF_TEXT,), (0.9, 0.01)),
        (2, (OF_TEXT,), {0.01: 0.04}),
    ],
}

# The last hints, followed to the letter: {0} is the first piece of code in the hint

FOLLOWED = {
    "0.2": (
        None,
        """
def answer(net, optimizer, samples, labels):
    {0}
    logits = net(samples)
    loss = with_logits(logits, labels)
    {1}
    {2}
    {3}
""",
    ),
    "2.1": (
        None,
        """
def answer(n_samples, layers):
    n, frames, n_parameters, channels_before = n_samples, [], 0, 1
    for kind, *about in layers:
        if kind == "conv":
            n_channels, length, stride = about
            n = (n - length) // stride + 1
            n_parameters += {0} + {1}
            channels_before = n_channels
        else:
            n = n + sum(about) if kind == "pad" else n // about[0]
        frames.append(n)
    return frames, n_parameters
""",
    ),
    "2.2": (
        None,
        """
def answer(samples, weight, bias, stride):
    n_out, _, length = weight.shape
    starts = range(0, samples.shape[1] - length + 1, stride)
    answer = np.zeros((n_out, len(starts)))
    for filter in range(n_out):
        for frame, start in enumerate(starts):
            window = samples[:, start : start + length]
            {0}
    return answer
""",
    ),
    "2.3": (
        None,
        """
class answer(nn.Module):
    def __init__(self, n_tags=50):
        super().__init__()
        begin = {0:*()}
        second = [nn.Conv1d(32, 32, 8), nn.ReLU(), nn.MaxPool1d(4, stride=1)]
        self.layers = nn.Sequential(*begin, *second)
        self.hidden, self.last = nn.Linear(32, 100), nn.Linear(100, n_tags)

    def forward(self, samples):
        x = self.layers(samples[:, None]).mean(dim=2)
        return self.last(self.hidden(x).relu())
""",
    ),
    "2.4": (
        2,
        """
def answer(network, n_in):
    made = {0}
    return bool(((made >= 0) & (made <= 1)).all())
""",
    ),
    "2.5": (
        2,
        """
def answer(grid):
    assert {1} == best(grid)
    steps = {{}}
    for (momentum, rate), loss in grid.stack().dropna().items():
        steps.setdefault({3}, []).append(loss)
    return {{step: {4} for step, losses in steps.items() if len(losses) >= 2}}
""",
    ),
}
