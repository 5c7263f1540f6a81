"""The five tasks of lesson 02, networks on samples: hints and probes.

Each probe tries small cases with traps first, then the network of the lesson.
"""

import numpy as np
import pandas as pd
import torch
from torch.nn import functional

from tagkit.checks import probes02
from tagkit.checks.engine import NotTried, call, task, untouched
from tagkit.checks.tensors import array, built, output, without_gradient
from tagkit.checks.values import Wrong, number, refuse_slips, several, short

BASE = [("conv", 32, 256, 256), ("pad", 3, 4), ("conv", 32, 8, 1), ("pool", 4)]
BASE += BASE[1:]
N_SAMPLES = 34_950


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
    for n, layers in ((100, small), (104, traps), (103, traps), (N_SAMPLES, BASE)):
        frames, count = several(call(answer, n, layers), 2, "Your result")
        where = f"For {n:,} samples"
        frames = array(
            frames, (len(layers),), f"{where} your list of frames", "(n_layers,)"
        )
        before, channels, weights = n, 1, []
        for layer, yours in zip(layers, frames, strict=True):
            right, *slips = probes02.places(before, layer)
            seen = f"{where} and {layer}, from {before:,} frames yours makes {yours:g}"
            refuse_slips(yours, right, slips, seen, "that is not so")
            before = right
            if layer[0] == "conv":
                weights.append((layer[1], channels, layer[2]))
                channels = layer[1]
        many = np.array([out * into * length for out, into, length in weights])
        out, into, _ = np.array(weights).T
        slips = [
            (many.sum(), "the biases are missing, one for each output channel"),
            ((many // into + out).sum(), "each kernel covers all channels before it"),
            (many.sum() + into.sum(), "a bias belongs to each output channel"),
            (many[-1] + out[-1], "that is the last convolution; take all of them"),
        ]
        count = number(count, f"{where} your n_parameters")
        seen = f"{where} and {len(layers)} layers yours counts {count:g} parameters"
        right = (many + out).sum()
        refuse_slips(count, right, slips, seen, "count each convolution by itself")


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
    for n_in, n_out, n, length, stride in (
        (1, 1, 8, 3, 3),
        (2, 3, 13, 4, 1),
        (3, 2, 21, 5, 4),
        (2, 4, 1000, 256, 128),
    ):
        samples = random.integers(-9, 9, (n_in, n)).astype(float)
        weight = random.integers(-9, 9, (n_out, n_in, length)).astype(float)
        weight[..., 0] += 20  # so that a kernel is not its own mirror
        bias = random.integers(1, 99, n_out).astype(float)

        def slip(x, w, b=bias, stride=stride):
            made = functional.conv1d(*map(torch.tensor, (x, w, b)), stride=stride)
            return made.numpy()

        right = slip(samples, weight)
        where = f"For samples of shape {samples.shape} and weight of shape "
        where += f"{weight.shape}, stride {stride}, your answer"
        value = call(answer, samples, weight, bias, stride)
        shape = getattr(value, "shape", None) or np.shape(value)
        if len(shape) == 2 and shape[1] != right.shape[1] and shape[0] == n_out:
            for many, message in probes02.places(n, ("conv", 0, length, stride))[1:]:
                if shape[1] == many:
                    raise Wrong(f"{where} has {many} frames: {message}.")
        yours = array(value, right.shape, where, "(n_out, n_frames)")
        mean = (right - bias[:, None]) / length + bias[:, None]
        slips = [
            (slip(samples, weight[..., ::-1].copy()), "the kernel is turned round"),
            (right - bias[:, None], "the bias is missing"),
            (right + (n_in - 1) * bias[:, None], "add the bias once per frame"),
            (slip(samples[:1], weight[:, :1]), "only the first channel was heard"),
            (mean, "add up, do not average"),
            (mean / n_in + bias[:, None] * (1 - 1 / n_in), "add up, do not average"),
            (right.clip(min=0), "the ReLU is not part of the convolution"),
        ]
        at = np.unravel_index(np.argmax(yours != right), right.shape)
        seen = f"{where} is {yours[at]:g} for filter {at[0]} in frame {at[1]}"
        refuse_slips(yours, right, slips, seen, "compute this one on paper")


@task(
    "2.3",
    "The base network from nothing",
    points=5,
    hints=(
        "`nn.Conv1d` wants (batch, channels, n_samples), so give the batch a channel: "
        "`samples[:, None]`. `nn.ZeroPad1d((3, 4))` pads.",
        "After the second pool (batch, 32, 8) is left; `flatten(1)` makes it "
        "(batch, 256). Put layers into attributes or one `nn.Sequential`, not a list.",
        "`nn.Sequential(nn.Conv1d(1, 32, 256, 256), nn.ReLU(), nn.ZeroPad1d((3, 4)), "
        "nn.Conv1d(32, 32, 8), nn.ReLU(), nn.MaxPool1d(4), ...)`, and nothing after "
        "the last `nn.Linear`.",
    ),
    praise="`models.DielemanRaw` is the same network: your weights would fit it.",
)
def base(answer):
    torch.manual_seed(23)
    samples = torch.rand(3, N_SAMPLES) * 2 - 1
    samples[2] *= 0.01
    network = built(answer, 50)
    for n in (3, 1):
        made = output(network, samples[:n])
        if made.shape != (n, 50):
            return (
                f"From {n} windows and with 50 tags, yours makes {tuple(made.shape)}; "
                f"(batch, n_tags) = {(n, 50)} is needed."
            )
    probes02.probe_parameters(network)
    lost = without_gradient(network, output(network, samples).square().mean())
    if lost:
        return f"No gradient reaches {lost[0]}: what is done to the numbers before it?"
    made = output(network.train(), samples).detach()
    if not torch.equal(made, output(network, samples)):
        return "The same windows get other logits each time; the table has no dropout."
    alone = output(network.eval(), samples[:1]).detach()
    if not torch.allclose(alone, made[:1], atol=1e-4):
        return (
            "A window gets other logits alone, in evaluation mode, than in a batch in "
            "training: its logits must not depend on the mode or on its neighbours."
        )
    probes02.probe_structure(network, samples)
    if output(built(answer, 7), samples).shape != (3, 7):
        return "With n_tags = 7 it does not make (batch, 7); use the argument."


CAUSES = ("healthy", "squashed twice", "steps too short", "labels shuffled")
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
    if not isinstance(causes, dict) or set(causes) != set(CURVES):
        return f"`causes` is {short(causes)}; a dict with A, B, C and D is needed."
    for name, yours in causes.items():
        right, evidence = CURVES[name]
        if untouched(yours):
            raise NotTried(f"Curve {name} has no cause yet.")
        if yours not in CAUSES:
            return f"You call curve {name} {yours!r}; use one of {', '.join(CAUSES)}."
        if yours != right:
            return f"You call curve {name} {yours}. But look: it {evidence}."
    probes02.probe_mended(mended)
    probes02.probe_test(squashed)


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
    for momentum, rate in ((0.0, 0.01), (0.9, 0.01), (0.99, 0.002), (0.5, 0.1)):
        yours = number(call(effective, momentum, rate), "Your effective step")
        slips = [
            (rate / momentum if momentum else None, "momentum 0.9 leaves a tenth"),
            (rate * (1 - momentum), "momentum makes steps longer, not shorter"),
            (rate * momentum, "the steps add up, 1 + m + m * m and so on"),
            (rate * (1 + momentum), "the sum goes on, 1 + m + m * m and so on"),
            (1 / (1 - momentum), "the rate is missing"),
        ]
        slips = [slip for slip in slips if slip[0] is not None]
        seen = f"For momentum {momentum:g} and rate {rate:g} your step is {yours:g}"
        refuse_slips(yours, rate / (1 - momentum), slips, seen, "that is not so")
    losses = [[0.61, 0.3, np.nan], [0.68, 0.55, 0.27], [0.69, 0.66, 0.4]]
    made = pd.DataFrame(losses, [0.99, 0.9, 0.0], [0.001, 0.01, 0.1])
    for table in (made, made.T[::-1].T, made.mask(made == 0.55) - 0.2):
        probes02.probe_best(best, table)
        probes02.probe_spread(spread, table)
    if untouched(grid):
        raise NotTried("The functions are right; `grid` is still to be measured.")
    if not isinstance(grid, pd.DataFrame):
        return f"`grid` is {short(grid)}; a table of your losses is needed."
    if grid.shape != (3, 3) or not set(grid.columns) & {0.001, 0.01, 0.1}:
        return f"`grid` is {short(grid)}; a row per momentum, a column per rate, 3 x 3."
    grid = grid.astype(float)
    if grid.isna().to_numpy().sum() > 2:
        return "Most cells of `grid` are empty: train with each momentum and rate."
    short_step, long_step = grid.loc[0.0, 0.001], grid.loc[[0.9, 0.0], 0.1].min()
    if not short_step - long_step > 0.2:
        return (
            f"Your grid has the loss {short_step:.3f} for momentum 0 and rate 0.001, "
            f"and {long_step:.3f} at best for rate 0.1. Are rows and columns in place?"
        )
    if grid.round(3).stack().nunique() < 5:
        return "Many cells of `grid` are equal: are momentum and rate handed on?"
