"""The longer probes of lesson 02: is it the base network, is it mended, and more."""

import itertools

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from tagkit.checks.engine import call
from tagkit.checks.tensors import built, output, without_gradient, yes_or_no
from tagkit.checks.values import Wrong, number, refuse_slips, several


def places(n, layer):
    """How many frames a layer leaves, then what slips would leave and why."""
    kind, *sizes = layer
    if kind == "pad":
        once = "zeros go before and after, add both"
        return [n + sum(sizes), (n + sizes[0], once), (n + sizes[1], once), (n, once)]
    length, stride = (sizes[1:]) if kind == "conv" else (sizes[0], sizes[0])
    right = (n - length) // stride + 1
    rounded = "the whole kernel must fit, it may not hang over the end"
    if kind == "pool":
        rounded = "a pool drops what is left over: round down"
    return [
        right,
        (right - 1, "one too few, the first place counts too"),
        (right + 1, rounded),
        (n - length + 1, "the stride was not used"),
        (n, "this layer changes the number of frames"),
    ]


def probe_parameters(network):
    """Refuse a network whose number of parameters is not the table's."""
    count = sum(weight.numel() for weight in network.parameters())
    reasons = {
        0: "are the layers in a plain list? PyTorch does not look into it",
        55_390: "a strided convolution has biases too",
        39_519: "the first layer has one filter only",
        104_670: "the first layer has 128 filters",
        49_022: "too few frames arrive at the dense layer; pad both convolutions",
        33_022: "too few frames arrive at the dense layer",
    }
    otherwise = "look at the parameters of each layer, and compare with the table"
    if count != 55_422:
        reason = reasons.get(count, otherwise)
        raise Wrong(f"Yours has {count:,} parameters with 50 tags: {reason}.")


def probe_structure(network, samples):
    """Put the network's own weights into the network of the table, and compare.

    Where the logits differ, slips are put into the table until they agree.
    """
    with torch.no_grad():
        for weight in network.parameters():
            weight.mul_(2.0).add_(0.01 * torch.randn(weight.shape))
    yours = output(network, samples).detach()
    parts = {n: [] for n in (8192, 32, 25_600, 100, 5000, 50)}
    for weight in network.parameters():
        parts.get(weight.numel(), []).append(weight.detach().flatten())
    if [len(found) for found in parts.values()] != [3, 3, 1, 1, 1, 1]:
        raise Wrong("Your layers have the right sum of parameters, but other sizes.")
    dense = [parts[n][0] for n in (25_600, 100, 5000, 50)]
    orders = list(itertools.permutations(range(3)))
    for kernels, biases, turned in itertools.product(orders, orders, (False, True)):
        convs = [(parts[8192][k], parts[32][b]) for k, b in zip(kernels, biases)]  # noqa: B905
        if _same(yours, _by_table(samples, convs, dense, turned=turned)):
            return
    convs = list(zip(parts[8192], parts[32], strict=True))
    for change, message in (
        ({"last": torch.sigmoid}, "a sigmoid comes last; logits are needed"),
        ({"last": torch.relu}, "a ReLU comes last; a logit may be negative"),
        ({"last": lambda x: x.softmax(1)}, "a softmax comes last; logits are needed"),
        ({"pad": (4, 3)}, "4 zeros come before and 3 after; it is 3 and 4"),
        ({"pad": (7, 0)}, "all zeros come before; it is 3 before and 4 after"),
        ({"pad": (0, 7)}, "all zeros come after; it is 3 before and 4 after"),
        ({"pool": functional.avg_pool1d}, "a pool takes the mean, not the maximum"),
        *(
            ({"linear": (n,)}, f"there is no ReLU after the {name}")
            for n, name in enumerate(("first convolution", "second convolution",
                                      "third convolution", "dense layer of 100"))
        ),
        ({"linear": (0, 1, 2, 3)}, "there is no ReLU at all"),
    ):  # fmt: skip
        if _same(yours, _by_table(samples, convs, dense, **change)):
            raise Wrong(f"Shapes and parameters are right, but {message}.")
    raise Wrong(
        "Shapes and parameters are right, but with its own weights the network of the "
        "table gives other logits. Compare order, paddings, ReLU and pools."
    )


def _same(a, b):
    return torch.allclose(a, b, rtol=1e-3, atol=1e-4 * float(b.abs().max()))


def _by_table(x, convs, dense, turned=False, pad=(3, 4), pool=None, linear=(),
              last=None):  # fmt: skip
    pool, x = pool or functional.max_pool1d, x[:, None]
    for number_, (kernel, bias) in enumerate(convs):
        first = number_ == 0
        kernel = kernel.reshape((32, 1, 256) if first else (32, 32, 8))
        x = x if first else functional.pad(x, pad)
        x = functional.conv1d(x, kernel, bias, stride=256 if first else 1)
        x = x if number_ in linear else x.relu()
        x = x if first else pool(x, 4)
    x = (x.transpose(1, 2) if turned else x).flatten(1)
    x = functional.linear(x, dense[0].reshape(100, 256), dense[1])
    x = x if 3 in linear else x.relu()
    x = functional.linear(x, dense[2].reshape(50, 100), dense[3])
    return last(x) if last else x


def probe_mended(mended):
    """Train a learner's network on an easy task: the loss must nearly vanish."""
    torch.manual_seed(24)
    inputs = torch.randn(200, 20)
    inputs += 2 * inputs.sign()  # a clear case, on which one can be sure
    labels = (inputs[:, :4] > 0).float()
    network = built(mended, 20, 4)
    made = output(network, inputs)
    if made.shape != (200, 4):
        raise Wrong(f"`Mended` makes {tuple(made.shape)} from 200 inputs and 4 tags.")
    lost = without_gradient(network, made.square().mean())
    if lost:
        raise Wrong(f"In `Mended` no gradient reaches {lost[0]}.")
    weights = list(network.parameters())
    for _ in range(100):  # torch.optim would first import for seconds
        logits = network(inputs)
        loss = functional.binary_cross_entropy_with_logits(logits, labels)
        network.zero_grad()
        loss.backward()
        with torch.no_grad():
            for weight in weights:
                weight -= 0.5 * weight.grad
    seen = f"After 100 steps on an easy task the loss of `Mended` is {loss:.3f}"
    if logits.min() >= 0:
        raise Wrong(f"{seen}: none of its outputs is negative, a logit may be.")
    if logits.min() >= -1 and logits.max() <= 1:
        raise Wrong(f"{seen}: its outputs stay within -1 and 1, it is still squashed.")
    if loss > 0.1:
        raise Wrong(f"{seen}; it should nearly vanish.")
    loud = output(network, 100 * inputs).detach()
    if loud.abs().max() < 50:
        raise Wrong("The logits of `Mended` do not grow with its inputs.")


class _Inside(nn.Module):
    """A network with a function around it that no list of layers shows."""

    def __init__(self, network, after):
        super().__init__()
        self.network, self.after = network, after

    def forward(self, inputs):
        return self.after(self.network(inputs))


def probe_test(squashed):
    """Try a learner's test on healthy networks and on squashed ones."""
    torch.manual_seed(42)

    def make(scale=1.0, bias=0.0, hidden=nn.ReLU):
        layers = nn.Sequential(nn.Linear(20, 30), hidden(), nn.Linear(30, 4))
        with torch.no_grad():
            layers[2].weight.mul_(scale)
            layers[2].bias.fill_(bias)
        return layers

    sure = make(scale=50)
    for network, right, what in (
        (make(), False, "a healthy network, untrained"),
        (make(0.01, 0.5), False, "a healthy network with logits near 0.5"),
        (make(0.1, 2.0), False, "a healthy network with mostly positive logits"),
        (make(20, 0, nn.Sigmoid), False, "a network with a sigmoid between its layers"),
        (_Inside(make(), torch.tanh), False, "one that ends in tanh, from -1 to 1"),
        (_Inside(make(), lambda x: 2 * x.sigmoid()), False, "one with outputs up to 2"),
        (nn.Sequential(make(), nn.Sigmoid()), True, "a network that ends in a sigmoid"),
        (_Inside(make(), torch.sigmoid), True, "one with the sigmoid in its `forward`"),
        (_Inside(sure, torch.sigmoid), True, "one whose scores are nearly 0 and 1"),
        (_Inside(make(0.01, -2.0), torch.sigmoid), True, "one whose scores are small"),
    ):
        yours = yes_or_no(call(squashed, network, 20), "The result of `squashed`")
        if yours != right:
            raise Wrong(f"`squashed` gives {yours} for {what}.")


def probe_best(best, table):
    """Ask for the cell of the lowest loss."""
    yours = [number(x, "A part of `best`") for x in several(call(best, table), 2, "It")]
    places = {pair: loss for pair, loss in table.stack().dropna().items()}
    if tuple(yours[::-1]) in places and tuple(yours) not in places:
        raise Wrong(f"`best` gives {tuple(yours)}: momentum first, then the rate.")
    if tuple(yours) not in places:
        raise Wrong(
            f"`best` gives {tuple(yours)}, which is no cell with a loss; hand back "
            "momentum and rate themselves, and pass over nan."
        )
    if places[tuple(yours)] > min(places.values()):
        loss = places[tuple(yours)]
        raise Wrong(
            f"`best` gives a cell with the loss {loss:g}; there is a lower one."
        )


def probe_spread(spread, table):
    """Ask for the spread of losses at each effective step."""
    value = call(spread, table)
    pairs = value.items() if hasattr(value, "items") else ()
    yours = {number(k, "A step"): number(v, "A spread") for k, v in pairs}
    groups = {}
    for (momentum, rate), loss in table.stack().dropna().items():
        groups.setdefault(round(rate / (1 - momentum), 6), []).append(loss)
    right = {k: max(v) - min(v) for k, v in groups.items() if len(v) > 1}
    for step, losses in groups.items():
        found = [yours[key] for key in yours if abs(key - step) < 1e-5]
        if len(found) > 1 or (not found and step in right):
            raise Wrong(
                f"`spread` has the step {step:g} {len(found)} times; there are "
                f"{len(losses)} cells with it. Are 0.1 and 0.09999999 one step?"
            )
        if found and step not in right:
            raise Wrong(f"`spread` has the step {step:g}, with one loss only.")
        if found:
            slips = [(max(losses), "that is the largest loss"),
                     (np.std(losses), "largest minus smallest is asked for"),
                     (-right[step], "largest minus smallest, not the other way"),
                     (np.mean(losses), "that is the mean")]  # fmt: skip
            seen = f"`spread` gives {found[0]:g} for the step {step:g}"
            refuse_slips(found[0], right[step], slips, seen, "that is not so")
    if len(yours) > len(right):
        raise Wrong(f"`spread` has {len(yours)} steps, more than the table has twice.")
