"""The tasks of lesson 02, networks on samples: hints and probes.

0.2 stands in the lesson itself. The probes of the exercise try small cases with traps
first, then the network of the lesson. The file is long because two tasks hand in
networks: a probe rebuilds each of them with the slip that it shows, to name the slip.
"""

import copy
import itertools

import numpy as np
import pandas as pd
import torch
from torch import nn
from torch.nn import functional

from tagkit.checks.engine import NotTried, call, calls, task, untouched
from tagkit.checks.tensors import array, built, output, without_gradient, yes_or_no
from tagkit.checks.values import (
    Wrong,
    number,
    plain,
    refuse_slips,
    several,
    short,
    table,
)

BASE = [("conv", 32, 256, 256), ("pad", 3, 4), ("conv", 32, 8, 1), ("pool", 4)]
BASE += BASE[1:]
N_SAMPLES = 34_950
MOMENTA, RATES = [0.99, 0.9, 0.0], [0.001, 0.01, 0.1]  # of task 2.5


@task(
    "0.2",
    "One training step",
    points=1,
    hints=(
        "Five lines, in the order of the sentence above the table: clear, logits, "
        "loss, gradient, step. Then a sixth, `return`.",
        "`logits = net(samples)`, then `loss = loss_of(logits, labels)`: the network's "
        "own numbers go into the loss, with no sigmoid between.",
        "`optimizer.zero_grad()`, logits, loss, `loss.backward()`, `optimizer.step()`, "
        "`return loss.item()`.",
    ),
    praise="Every network of this course is trained by these lines.",
)
def training_step(answer):
    torch.manual_seed(21)
    samples, labels = torch.randn(8, 6), (torch.rand(8, 3) < 0.3).float()
    start = nn.Sequential(nn.Linear(6, 5), nn.Tanh(), nn.Linear(5, 3))
    yours = copy.deepcopy(start)
    optimizer = torch.optim.SGD(yours.parameters(), lr=0.5)

    def step(samples, labels):
        return answer(yours, optimizer, samples, labels)

    step.__name__ = getattr(answer, "__name__", "step")
    before = _numbers(start)
    for n in (1, 2):
        loss = call(step if callable(answer) else answer, samples, labels)
        after, losses = _after_steps(start, samples, labels, n)
        if torch.equal(_numbers(yours), before):
            if all(weight.grad is None for weight in yours.parameters()):
                return (
                    "No parameter has moved: there was no gradient when the step was "
                    "taken. `backward` stands after `zero_grad` and before `step`."
                )
            return (
                "No parameter has moved, although there is a gradient: "
                "`optimizer.step()` is missing, or comes too early."
            )
        if not torch.allclose(_numbers(yours), after, atol=1e-5):
            for message, change in STEP_SLIPS.items():
                slip, _ = _after_steps(start, samples, labels, n, **change)
                if torch.allclose(_numbers(yours), slip, atol=1e-5):
                    return message
            return (
                f"After {n} of your steps the parameters are not where the five lines "
                "bring them. Is each of them there, once?"
            )
        yours_is = number(loss, "What `step` returns")
        slips = [(losses[n], "that is the loss after the step")]
        seen = f"Your step returns {yours_is:.4f}"
        otherwise = "that is not the loss of these logits"
        refuse_slips(yours_is, losses[n - 1], slips, seen, otherwise, atol=1e-4)


STEP_SLIPS = {
    "A sigmoid stands between the logits and the loss, which applies its own.": {
        "between": torch.sigmoid
    },
    "Your second step still holds the gradient of the first, since `backward` adds to "
    "what is there: clear it with `optimizer.zero_grad()`.": {"clear": False},
    "Each of your steps moves the parameters twice.": {"n_moves": 2},
    "Your loss is the sum over tags and windows; the lesson's is their mean.": {
        "reduction": "sum"
    },
}


def _numbers(net):
    """Give all parameters of a network as one row."""
    return torch.cat([weight.detach().flatten() for weight in net.parameters()])


def _after_steps(
    net,
    samples,
    labels,
    n,
    *,
    between=torch.clone,
    clear=True,
    n_moves=1,
    reduction="mean",
):
    """Give the parameters after n right steps and the losses; the options are slips."""
    net = copy.deepcopy(net)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.5)
    losses = []
    for _ in range(n + 1):
        after = _numbers(net)
        if clear:
            optimizer.zero_grad()
        logits = between(net(samples))
        loss = functional.binary_cross_entropy_with_logits(
            logits, labels, reduction=reduction
        )
        loss.backward()
        losses.append(loss.item())
        for _ in range(n_moves):
            optimizer.step()
    return after, losses


@task(
    "2.1",
    "Frames and parameters on paper",
    points=3,
    hints=(
        "Go through the layers one by one and carry two numbers along: how many "
        "frames and how many channels there are now. The sound has one channel.",
        "A kernel fits at `(frames - length) // stride + 1` places: `//` drops what is "
        "left over, and the first place counts too. A pool keeps `frames // size`.",
        "A convolution has `n_channels * channels_before * length` weights and "
        "`n_channels` biases. Change `channels` only after you have counted them.",
    ),
    praise="Which samples at the end of a window does the first layer never hear?",
)
def on_paper(answer):
    small = [("conv", 4, 10, 5), ("pool", 4)]
    traps = [("conv", 3, 7, 4), ("pad", 3, 4), ("conv", 5, 8, 1), ("pool", 4)]
    traps += [("conv", 2, 2, 2), ("pad", 0, 2), ("pool", 3)]
    cases = [(104, traps), (100, small), (103, traps), (N_SAMPLES, BASE)]
    for (n, layers), value in zip(cases, calls(answer, cases), strict=True):
        frames, count = several(value, 2, "Your result")
        start = f"For {n:,} samples"
        what = f"{start} your list of frames"
        frames = array(frames, (len(layers),), what, "(n_layers,)")
        before, channels, weights = n, 1, []
        for layer, yours in zip(layers, frames, strict=True):
            right, slips = _places(before, layer)
            seen = f"{start} and {layer}, from {before:,} frames yours makes {yours:g}"
            refuse_slips(yours, right, slips, seen, "that is not so")
            before = right
            if layer[0] == "conv":
                weights.append((layer[1], channels, layer[2]))
                channels = layer[1]
        out, into, length = np.array(weights).T
        without_biases = (out * into * length).sum()
        slips = [
            (without_biases, "the biases are missing, one for each kernel"),
            ((out * length + out).sum(), "each kernel covers all channels before it"),
        ]
        count = number(count, f"{start} your n_parameters")
        seen = f"{start} and {len(layers)} layers yours counts {count:g} parameters"
        right = without_biases + out.sum()
        refuse_slips(count, right, slips, seen, "count each convolution by itself")


def _places(n, layer):
    """How many frames a layer leaves, and what typical slips leave."""
    kind, *sizes = layer
    if kind == "pad":
        once = "zeros go before and after, add both"
        return n + sum(sizes), [(n + sizes[0], once), (n + sizes[1], once)]
    length, stride = sizes[1:] if kind == "conv" else (sizes[0], sizes[0])
    right = (n - length) // stride + 1
    return right, [
        (right - 1, "one too few, the first place counts too"),
        (right + 1, "a kernel must fit as a whole, and so must a pool: round down"),
        (n - length + 1, "the stride was not used"),
    ]


@task(
    "2.2",
    "A convolution with channels",
    points=3,
    hints=(
        "For one filter and one place: take `length` samples of every channel, "
        "multiply number by number with the kernel, add everything up, add the bias.",
        "The window is `samples[:, start : start + length]`, of the same shape as "
        "`weight[filter]`. Starts go in steps of `stride` while the window fits.",
        "Two loops, over filters and over starts, fill `answer[filter, frame] = "
        "(window * weight[filter]).sum() + bias[filter]`.",
    ),
    praise="This is all that `nn.Conv1d` does, faster and for a whole batch.",
)
def convolve(answer):
    random = np.random.default_rng(22)
    sizes = [(2, 3, 13, 4, 2), (3, 2, 21, 5, 4), (2, 4, 1000, 256, 128)]
    cases = []
    for n_in, n_out, n, length, stride in sizes:
        samples = random.integers(-36, 36, (n_in, n)) / 4  # exact in float32 as well
        weight = random.integers(-36, 36, (n_out, n_in, length)) / 4
        weight[..., 0] += 20  # so that a kernel is not its own mirror
        cases.append((samples, weight, random.integers(1, 99, n_out) / 4, stride))
    example = np.array([[1.0, 2, 3], [0, 1, 5]]), np.array([[[1.0, 0], [0, 2]]])
    cases.insert(1, (*example, np.array([10.0]), 1))
    for case, value in zip(cases, calls(answer, cases), strict=True):
        samples, weight, bias, stride = case
        right = _conv1d(samples, weight, bias, stride)
        what = f"For weight of shape {weight.shape} and stride {stride} your answer"
        yours = array(value, right.shape, what, "(n_out, n_frames)")
        turned = _conv1d(samples, weight[..., ::-1].copy(), bias, stride)
        first = _conv1d(samples[:1], weight[:, :1], bias, stride)
        slips = [
            (turned, "the kernel is turned round"),
            (right - bias[:, None], "the bias is missing"),
            (right + (len(samples) - 1) * bias[:, None], "add the bias once per frame"),
            (first, "only the first channel was heard"),
        ]
        wrong = ~np.isclose(yours, right, rtol=0, atol=1e-6)
        place = np.unravel_index(wrong.argmax(), wrong.shape)
        seen = f"{what} is {yours[place]:g} for filter {place[0]} in frame {place[1]}"
        refuse_slips(yours, right, slips, seen, "compute this one on paper")


def _conv1d(samples, weight, bias, stride):
    tensors = map(torch.tensor, (samples, weight, bias))
    return functional.conv1d(*tensors, stride=stride).numpy()


@task(
    "2.3",
    "The same paper, read in another way",
    points=5,
    hints=(
        "`nn.Conv1d` wants (batch, channels, n_samples), so give the batch a channel: "
        "`samples[:, None]`. `nn.MaxPool1d` moves by its own size unless you say "
        "`stride=`.",
        "After the second pool (batch, 32, 116) is left, and `x.mean(dim=2)` makes it "
        "(batch, 32). Put layers into attributes or one `nn.Sequential`, not a list.",
        "`nn.Sequential(nn.Conv1d(1, 1, 256, 256), nn.ReLU(), nn.Conv1d(1, 32, 8), "
        "nn.ReLU(), nn.MaxPool1d(4, stride=1), ...)`, the mean, then the dense layers, "
        "and nothing after the last `nn.Linear`.",
    ),
    praise="`models.RoyBase` is the same network: your weights would fit it. On `mini` "
    "its three recorded runs score 0.74 to 0.79, those of the lesson's network "
    "0.84 to 0.86. One kernel is no filter bank.",
)
def other_reading(answer):
    torch.manual_seed(23)
    samples = torch.rand(3, N_SAMPLES) * 2 - 1
    samples[2] *= 0.01
    network = built(answer, 50)
    for n in (3, 1):
        logits = output(network, samples[:n])
        array(logits, (n, 50), f"Your output for {n} windows", "(batch, n_tags)")
    count = sum(weight.numel() for weight in network.parameters())
    if count != 17_119:
        reason = COUNT_SLIPS.get(count, "compare each layer with the table")
        return f"Yours has {count:,} parameters with 50 tags: {reason}."
    lost = without_gradient(network, output(network, samples).square().mean())
    if lost:
        return f"No gradient reaches {lost[0]}: is it unused, frozen or detached?"
    made = output(network.train(), samples).detach()
    if not torch.equal(made, output(network, samples)):
        return "The same windows get other logits each time; the table has no dropout."
    alone = output(network.eval(), samples[:1]).detach()
    if not torch.allclose(alone, made[:1], atol=1e-4):
        return (
            "A window gets other logits alone, in evaluation mode, than in a batch in "
            "training: its logits must not depend on the mode or on its neighbours."
        )
    _probe_structure(network, samples)
    logits = output(built(answer, 7), samples)
    array(logits, (3, 7), "Your output for n_tags = 7", "(batch, n_tags)")


COUNT_SLIPS = {
    0: "are the layers in a plain list? PyTorch does not look into it",
    17_118: "the first convolution has a bias too",
    385_119: "the dense layer gets 32 means, not all the frames",
    55_422: "this is the lesson's network; the table is another one",
}
STRUCTURE_SLIPS = {
    "a sigmoid comes last; logits are needed": {"last": torch.sigmoid},
    "a ReLU comes last; a logit may be negative": {"last": torch.relu},
    "the pools move by 4 frames; here they move by 1": {"moves": 4},
    "the convolutions are padded; here they are not": {"pad": (3, 4)},
    "the largest of all frames is taken; it is their mean": {"merge": torch.amax},
    "the pools take the mean; here they take the largest": {
        "pool": functional.avg_pool1d
    },
    "there is no ReLU": {"without": range(4)},
    "there is no ReLU after the first convolution": {"without": [0]},
    "there is no ReLU after the second convolution": {"without": [1]},
    "there is no ReLU after the third convolution": {"without": [2]},
    "there is no ReLU after the dense layer of 100": {"without": [3]},
}


def _probe_structure(network, samples):
    """Put the network's own weights into the network of the table, and compare.

    Where the logits differ, slips are put into the table until they agree.
    """
    with torch.no_grad():
        for weight in network.parameters():
            weight.mul_(2.0).add_(0.01 * torch.randn(weight.shape))
    yours = output(network, samples).detach()
    parts = {n: [] for n in (256, 1, 32, 8192, 3200, 100, 5000, 50)}
    for weight in network.parameters():
        if weight.squeeze().shape == (32, 8, 32):  # of a Conv2d on the turned image
            weight = weight.squeeze().transpose(1, 2)
        parts.get(weight.numel(), []).append(weight.detach().flatten())
    if [len(weights) for weights in parts.values()] != [2, 1, 2, 1, 1, 1, 1, 1]:
        raise Wrong("Your layers have the right sum of parameters, but other sizes.")
    orders = itertools.product(
        itertools.permutations(parts[256]), itertools.permutations(parts[32])
    )
    for kernels, biases in orders:
        convs = [
            (kernels[0].reshape(1, 1, 256), parts[1][0]),
            (kernels[1].reshape(32, 1, 8), biases[0]),
            (parts[8192][0].reshape(32, 32, 8), biases[1]),
        ]
        dense = [parts[n][0] for n in (3200, 100, 5000, 50)]
        if _same(yours, _by_table(samples, convs, dense)):
            return
        for message, change in STRUCTURE_SLIPS.items():
            if _same(yours, _by_table(samples, convs, dense, **change)):
                raise Wrong(f"Shapes and parameters are right, but {message}.")
    raise Wrong(
        "Shapes and parameters are right, but with its own weights the network of the "
        "table gives other logits. Compare order, strides, ReLU, pools and mean."
    )


def _same(a, b):
    return torch.allclose(a, b, rtol=1e-3, atol=1e-4 * float(b.abs().max()))


def _by_table(
    x,
    convs,
    dense,
    *,
    pad=(0, 0),
    moves=1,
    pool=functional.max_pool1d,
    merge=torch.mean,
    without=(),
    last=torch.clone,
):
    """The network of the table with given weights; the options are slips."""
    relus = [torch.clone if n in without else torch.relu for n in range(4)]
    (kernel, bias), *others = convs
    x = relus[0](functional.conv1d(x[:, None], kernel, bias, stride=256))
    for relu, (kernel, bias) in zip(relus[1:], others, strict=False):
        x = relu(functional.conv1d(functional.pad(x, pad), kernel, bias))
        x = pool(x, 4, moves)
    x = merge(x, dim=2)
    x = relus[3](functional.linear(x, dense[0].reshape(100, 32), dense[1]))
    return last(functional.linear(x, dense[2].reshape(50, 100), dense[3]))


# Which curve shows what, and why it can be nothing else.
CURVES = {
    "A": ("labels shuffled", "falls far below 0.6, but not below the constant prior"),
    "B": ("steps too short", "goes on falling, by less than a thousandth an epoch"),
    "C": ("squashed twice", "rests near 0.69, where no more epochs will help it"),
    "D": ("healthy", "falls below the constant prior"),
}


@task(
    "2.4",
    "A silent bug: symptom, repair, test",
    points=5,
    hints=(
        "Compare each curve with two numbers: 0.6931, the price of not knowing, and "
        "the constant prior. Is the curve still moving at the end? Does it get below?",
        "The loss does the sigmoid itself. What reaches it must be able to be any real "
        "number, so one line of the network has to go.",
        "For the test, shout: `network(1e4 * torch.randn(100, n_in))`. Logits grow "
        "with the inputs; after a sigmoid all of them stay within 0 and 1.",
    ),
    praise="Three lines of test, and this bug never costs you a night again.",
)
def silent_bug(answer):
    causes, mended, squashed = several(answer, 3, "Your answer")
    if untouched(causes):
        raise NotTried("No curve has a cause yet.")
    causes = dict(causes) if isinstance(causes, pd.Series) else causes
    if not isinstance(causes, dict) or set(causes) != set(CURVES):
        return f"`causes` is {short(causes)}; a dict with A, B, C and D is needed."
    for name, yours in causes.items():
        right, evidence = CURVES[name]
        if untouched(yours):
            raise NotTried(f"Curve {name} has no cause yet.")
        if yours != right:
            return f"You call curve {name} {yours}. But look: it {evidence}."
    _probe_mended(mended)
    _probe_test(squashed)


def _probe_mended(mended):
    """Train a learner's network on an easy task: the loss must nearly vanish."""
    torch.manual_seed(24)
    inputs = torch.randn(200, 20)
    inputs += 2 * inputs.sign()  # a clear case, on which one can be sure
    labels = (inputs[:, :4] > 0).float()
    network = built(mended, 20, 4)
    logits = output(network, inputs)
    array(logits, (200, 4), "The output of `Mended`", "(batch, n_tags)")
    lost = without_gradient(network, logits.square().mean())
    if lost:
        raise Wrong(f"In `Mended` no gradient reaches {lost[0]}.")
    optimiser = torch.optim.SGD(network.parameters(), lr=0.5)
    for _ in range(100):
        logits = network(inputs)
        loss = functional.binary_cross_entropy_with_logits(logits, labels)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    if loss > 0.1:
        raise Wrong(
            f"After 100 steps on an easy task the loss of `Mended` is {loss:.3f}, its "
            f"outputs lie from {logits.min():.2f} to {logits.max():.2f}. A logit may "
            "be any number, above 1 and below 0: what comes after the last layer?"
        )
    loud = output(network, 100 * inputs).detach()
    if loud.abs().max() < 50:
        raise Wrong("The logits of `Mended` do not grow with its inputs.")
    middle = (output(network, inputs) + output(network, -inputs)) / 2
    if torch.allclose(middle, output(network, 0 * inputs), atol=1e-3):
        raise Wrong("`Mended` is a linear function of its inputs. Where is the ReLU?")


def _probe_test(squashed):
    """Try a learner's test on healthy networks and on squashed ones."""
    torch.manual_seed(42)

    def make(scale=1.0, bias=0.0, hidden=nn.ReLU, last=torch.clone):
        """A network that ends in a function that no list of layers shows."""
        layers = nn.Sequential(nn.Linear(20, 30), hidden(), nn.Linear(30, 4))
        with torch.no_grad():
            layers[2].weight.mul_(scale)
            layers[2].bias.fill_(bias)
        layers.register_forward_hook(lambda network, inputs, logits: last(logits))
        return layers

    cases = (
        (make(), False, "a healthy network, untrained"),
        (make(0.01, 0.5), False, "a healthy network with logits near 0.5"),
        (make(20, 0, nn.Sigmoid), False, "a network with a sigmoid between its layers"),
        (make(last=torch.tanh), False, "one that ends in tanh, from -1 to 1"),
        (make(last=lambda x: 2 * x.sigmoid()), False, "one with outputs up to 2"),
        (make(last=torch.sigmoid), True, "one with the sigmoid in its `forward`"),
        (make(50, last=torch.sigmoid), True, "one whose scores are nearly 0 and 1"),
        (nn.Sequential(make(), nn.Sigmoid()), True, "a network that ends in a sigmoid"),
        (nn.Linear(20, 4), False, "`nn.Linear(20, 4)`"),
    )
    values = calls(squashed, [(network, 20) for network, *_ in cases])
    for (_, right, what), value in zip(cases, values, strict=True):
        yours = yes_or_no(value, "The result of `squashed`")
        if yours != right:
            raise Wrong(f"`squashed` gives {yours} for {what}.")


@task(
    "2.5",
    "Momentum and learning rate: is it one knob?",
    points=4,
    hints=(
        "Momentum 0.9 adds the last step, nine tenths as long: 1 + 0.9 + 0.81 + ... is "
        "10. Training that broke off has nan, which is neither small nor large.",
        "0.001 / (1 - 0.99) is not exactly 0.1 for a computer: round the effective "
        "steps before you group the cells by them.",
        "`best`: `grid.stack().idxmin()`. `spread`: collect the losses in a dict of "
        "lists, under `round(rate / (1 - momentum), 6)`, nan left out; for each list "
        "of two or more, `max(losses) - min(losses)`.",
    ),
    praise="Now read your own spread: for which steps is it one knob, for which not?",
)
def one_knob(answer):
    effective, best, spread, grid = several(answer, 4, "Your answer")
    cases = [(0.9, 0.01), (0.0, 0.01), (0.99, 0.002), (0.5, 0.1)]
    for (momentum, rate), value in zip(cases, calls(effective, cases), strict=True):
        yours = number(value, "Your effective step")
        slips = [
            (rate * (1 - momentum), "momentum makes steps longer, not shorter"),
            (rate * momentum, "the steps add up, 1 + m + m * m and so on"),
            (rate * (1 + momentum), "the sum goes on, 1 + m + m * m and so on"),
            (1 / (1 - momentum), "the rate is missing"),
        ]
        seen = f"For momentum {momentum:g} and rate {rate:g} your step is {yours:g}"
        refuse_slips(yours, rate / (1 - momentum), slips, seen, "that is not so")
    losses = [[0.61, 0.3, np.nan], [0.68, 0.75, 0.27], [0.69, 0.72, 0.4]]
    made = pd.DataFrame(losses, MOMENTA, RATES)
    example = pd.DataFrame([[0.64, 0.3], [0.69, 0.68]], [0.9, 0.0], [0.001, 0.01])
    cases = [(made,), (made.iloc[:, ::-1],), (made.mask(made == 0.72) - 0.2,)]
    cases.append((example,))
    cells = zip(cases, calls(best, cases), calls(spread, cases), strict=True)
    for (losses,), cell, spreads in cells:
        _probe_best(cell, losses)
        _probe_spread(spreads, losses)
    if untouched(grid):
        raise NotTried("The functions are right; `grid` is still to be measured.")
    measured = table(grid, MOMENTA, RATES, "`grid`")
    if np.isnan(measured).sum() > 2:
        return "Most cells of `grid` are empty: train with each momentum and rate."
    short_step, long_step = measured[2, 0], np.nanmin(measured[1:, 2])
    if not short_step - long_step > 0.2:
        return (
            f"Your grid has the loss {short_step:.3f} for momentum 0 and rate 0.001, "
            f"and {long_step:.3f} at best for rate 0.1. Are rows and columns in place?"
        )
    if len(np.unique(measured.round(3))) < 5:
        return "Many cells of `grid` are equal: are momentum and rate handed on?"


def _probe_best(cell, losses):
    """Ask for the cell of the lowest loss."""
    yours = tuple(number(x, "A part of `best`") for x in several(cell, 2, "It"))
    of_cell = losses.stack().dropna().to_dict()
    if yours not in of_cell:
        raise Wrong(
            f"`best` gives {yours}, which is no cell with a loss: momentum comes "
            "first, then the rate; pass over nan."
        )
    if of_cell[yours] > min(of_cell.values()):
        raise Wrong(f"`best` gives {yours}, but another cell has a lower loss.")


def _probe_spread(spreads, losses):
    """Ask for the spread of losses at each effective step."""
    if not hasattr(spreads, "items"):
        raise Wrong(f"`spread` gives {short(spreads)}; a dict is needed.")
    if any(np.size(v) == 1 and pd.isna(plain(v)) for v in dict(spreads).values()):
        raise Wrong("`spread` gives nan for a step; leave out losses that are nan.")
    pairs = spreads.items()
    yours = sorted((number(k, "A step"), number(v, "A spread")) for k, v in pairs)
    groups = {}
    for (momentum, rate), loss in losses.stack().dropna().items():
        groups.setdefault(round(rate / (1 - momentum), 6), []).append(loss)
    shared = sorted(step for step, losses in groups.items() if len(losses) > 1)
    steps = [step for step, _ in yours]
    alone = [step for step in steps if len(groups.get(round(step, 6), ())) == 1]
    if alone:
        raise Wrong(f"`spread` has the step {alone[0]:g}, which only one loss has.")
    if len(steps) != len(shared) or not np.allclose(steps, shared, atol=1e-5):
        raise Wrong(
            f"`spread` has the steps {steps}; list each step that two losses or more "
            "share, once. Are steps that differ in the last digit, such as 0.1 and "
            "0.09999999, one step?"
        )
    pairs = zip(shared, yours, strict=True)
    for step, (_, spread) in sorted(pairs, key=lambda pair: -len(groups[pair[0]])):
        losses = groups[step]
        slips = [
            (max(losses), "that is the largest loss"),
            (losses[0] - losses[-1], "that is the first minus the last"),
            (losses[-1] - losses[0], "that is the last minus the first"),
            (np.std(losses), "that is the standard deviation"),
        ]
        seen = f"`spread` gives {spread:g} for the step {step:g}"
        otherwise = "largest minus smallest is asked for"
        refuse_slips(spread, max(losses) - min(losses), slips, seen, otherwise)
