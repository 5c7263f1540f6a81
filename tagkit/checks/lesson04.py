"""The tasks of lesson 04, networks with a memory: hints and probes.

A network is judged by how it behaves, never by how it is written. The file is long
because many slips of recurrent networks are named, each by a network that has it.
"""

import copy
import itertools

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from tagkit import models
from tagkit.checks.engine import NotTried, call, calls, task, untouched
from tagkit.checks.tensors import array, built, output, steady, yes_or_no
from tagkit.checks.values import Wrong, number, refuse_slips, several, short
from tagkit.evaluation import metrics


@task(
    "0.4",
    "Time, turned round",
    points=1,
    hints=(
        "`inputs` is a tuple with one tensor, (batch, 15, 32), as in `shuffle`. Which "
        "of its axes is time?",
        "`flip` turns a tensor round along one axis: `x.flip(0)` turns the batch.",
        "`return inputs[0].flip(1)`, in place of the `...`.",
    ),
    praise="Hooked to the GRU as `shuffle` was, it changes the score as little.",
)
def turned(answer):
    random = torch.Generator().manual_seed(4)
    for n_steps in (15, 20):
        steps = torch.randn(4, n_steps, 3, generator=random)
        value = _from_hook(answer, steps)
        shape = (4, n_steps, 3)
        if n_steps == 20 and tuple(np.shape(value)) == (4, 15, 3):
            return "It works for 15 steps only: of 20 steps it gives 15 back."
        what = f"For clips, steps, features {shape} your result"
        yours = array(value, shape, what, "(batch, time, features)")
        slips = [
            (steps, "that is the order as before"),
            (steps.flip(0), "the clips have changed places, not the steps"),
            (steps.flip(2), "the features of each step have changed places"),
            (steps.flip(0, 1), "the clips have changed places, too"),
            (steps.flip(1, 2), "the features have changed places, too"),
            (steps.flip(0, 1, 2), "clips and features have changed places, too"),
        ]
        seen = f"Your first step of clip 0 is {np.round(yours[0, 0], 2)}"
        otherwise = "turn round the axis of time alone"
        refuse_slips(yours, steps.flip(1), slips, seen, otherwise)


def _from_hook(answer, steps):
    """What a pre-hook makes of the steps; says so if it has a body and no return."""
    try:
        value = call(answer, nn.GRU(3, 2, batch_first=True), (steps,))
    except NotTried:
        empty = (lambda gru, inputs: None).__code__.co_code
        code = getattr(answer, "__code__", None)
        if code and len(code.co_code) > len(empty):
            raise Wrong("Your hook returns nothing. Is a `return` missing?") from None
        raise
    except Wrong as reason:
        if "step must be greater than zero" in str(reason):
            more = "A tensor has no slices with a step of -1; torch wants `.flip(1)`."
            raise Wrong(f"{reason} {more}") from None
        raise
    return value[0] if isinstance(value, tuple | list) and len(value) == 1 else value


@task(
    "4.1",
    "The memory on paper",
    points=3,
    hints=(
        "A pool of (down, along) divides bands by `down` and frames by `along`; "
        "what does not fill a pool is dropped. For the GRU: which matrices turn the "
        "input and the state into `reset`, `update` and `new`?",
        "One layer in one direction: 3 times (n_in * n_hidden + n_hidden * n_hidden + "
        "two biases of n_hidden). The second layer reads the states of the first.",
        "The input of each later layer is `n_hidden`, or `2 * n_hidden` if the first "
        "one reads in both directions. For the reading, add what is given: the one "
        "with the most numbers in its dense layer is the file's size.",
    ),
    praise="One formula told which network stood behind a published file.",
)
def on_paper(answer):
    left, count, reading = several(answer, 3, "Your answer")
    cases = [
        (50, 1000, [(3, 7), (4, 2)]),
        (10, 21, [(2, 2), (2, 4)]),  # the example of the text
        (96, 1366, [(2, 4), (2, 4), (2, 4)]),
        (96, 1440, [(2, 2), (3, 3), (4, 4), (4, 4)]),
    ]
    for (*size, pools), value in zip(cases, calls(left, cases), strict=True):
        yours = several(value, 2, "The result of `left`")
        yours = [number(part, "A number of `left`") for part in yours]
        down, along = np.prod(pools, axis=0)
        right = (size[0] // down, size[1] // along)
        rounded_up = (-(-size[0] // down), -(-size[1] // along))
        one_pool = (size[0] // pools[0][0], size[1] // pools[0][1])
        slips = [
            ((size[0] // along, size[1] // down), "a pool is (down, along)"),
            (right[::-1], "bands come first, then frames"),
            (rounded_up, "what does not fill a pool is dropped"),
            ((size[0] / down, size[1] / along), "a part of a pool is dropped"),
            (one_pool, "that is after the first pool"),
        ]
        seen = f"From {size[0]} x {size[1]} `left` makes {yours[0]:g} x {yours[1]:g}"
        otherwise = "divide by each pool, and drop the rest"
        refuse_slips(yours, right, slips, seen, otherwise)
    cases = [
        (6, 2, 3, True),
        (3, 2, 1, False),  # the example of the text
        (5, 4, 3, False),
        (7, 3, 1, True),
    ]
    for given, value in zip(cases, calls(count, cases), strict=True):
        n_in, n, n_layers, both = given
        yours = number(value, "The result of `gru_parameters`")
        right = _gru_parameters(*given)
        one_way = _gru_parameters(n_in, n, n_layers, False)
        slips = [
            (_gru_parameters(*given, n_biases=1), "each matrix has a bias of its own"),
            (_gru_parameters(*given, n_biases=0), "the biases are missing"),
            (right * 4 / 3, "a GRU computes three things; an LSTM has four"),
            (right / 3, "each of the three things has matrices of its own"),
            (one_way, "each direction has weights"),
            (2 * one_way, "later layers read the states of both directions"),
            (n_layers * _gru_parameters(n_in, n, 1, both), "later layers read states"),
            (_gru_parameters(n_in, n, 1, both), "that is the first layer alone"),
        ]
        way = "in both directions" if both else "in one direction"
        seen = f"For {n_in} features, {n} states, {n_layers} layers {way}"
        seen += f" yours counts {yours:g}"
        refuse_slips(yours, right, slips, seen, "count matrices, biases, directions")
    if untouched(reading):
        raise NotTried("Both functions are right; `reading` is still to be found.")
    if str(np.squeeze(reading)).strip().upper() != "B":
        return f"`reading` is {short(reading)}. Of A, B, C, which adds up to the file?"


def _gru_parameters(n_in, n, n_layers, both, n_biases=2):
    ways = 2 if both else 1
    sizes = [n_in] + [ways * n] * (n_layers - 1)
    return ways * sum(3 * (k * n + n * n + n_biases * n) for k in sizes)


@task(
    "4.2",
    "Pad with silence",
    points=3,
    hints=(
        "What is silence? A power of 0. What does your scale make of it: which is the "
        "smallest number that it can give?",
        "Two orders work: add frames of power 0 and take decibels of everything, or "
        "take decibels and add frames of -100. Only zeros after decibels are a noise.",
        "`10 * power.clamp(min=1e-10).log10()`, then "
        "`nn.functional.pad(decibels, (n_pad, n_pad), value=-100.0)`: the last axis.",
    ),
    praise="Now 1,366 frames become 1,440, and the memory ends in silence.",
)
def silence(answer):
    random = torch.Generator().manual_seed(42)
    made = torch.rand(3, 4, 5, generator=random)
    made[0, :, 1] = 0
    made[0, :, 2] = 1e-13
    made[1] *= 1e-6
    made[2] += 0.001  # one clip is never silent
    cases = {
        "For made-up clips, two with silence in them": (100 * made, 2),
        "For clips that are never silent": (100 * made.clamp(min=1e-5), 37),
        "For the powers 1, 0.1, 0": (torch.tensor([[[1, 0.1, 0]]]), 1),
    }
    values = calls(answer, cases.values())
    for (case, (power, n_pad)), value in zip(cases.items(), values, strict=True):
        case = f"{case} and n_pad = {n_pad}"
        decibels = 10 * power.clamp(min=1e-10).log10()
        pads = (n_pad, n_pad)
        right = functional.pad(decibels, pads, value=-100)
        below_the_loudest = functional.pad(decibels - decibels.max(), pads, value=-100)
        padded = functional.pad(power, pads)
        quietest = decibels.amin(dim=(1, 2), keepdim=True)
        own = torch.cat([quietest.expand(*power.shape[:2], n_pad)] * 2, dim=-1)
        own = torch.cat([own[..., :n_pad], decibels, own[..., n_pad:]], dim=-1)
        sides = [
            functional.pad(decibels, both, value=-100)
            for both in ((2 * n_pad, 0), (0, 2 * n_pad))
        ]
        what = f"{case} your result"
        yours = array(value, right.shape, what, "(batch, n_mels, n_frames)")
        inside = yours[..., n_pad:-n_pad]
        if np.isinf(inside).any():
            return f"{case} a power of 0 gives {inside.min():g}; limit it to 1e-10."
        slips = [
            (2 * right, "20 log10 is for amplitudes; this is a power"),
            (functional.pad(decibels, pads), "0 dB is loud, not silent"),
            (below_the_loudest, "0 dB is a power of 1, not the loudest"),
            (10 * padded.clamp(min=1e-10).log(), "that is the natural logarithm"),
            (10 * (padded + 1e-10).log10(), "1e-10 is added, not the least value"),
            (
                10 * torch.where(padded == 0, 1e-10, padded).log10(),
                "powers between 0 and 1e-10 count as 1e-10, too",
            ),
            (own, "the padding is as quiet as the clip's quietest place, not silent"),
            *((side, "all padding stands on one side") for side in sides),
        ]
        seen = f"{case} the clip's own frames go from {inside.min():.1f} to "
        seen += f"{inside.max():.1f} dB, the first new one is at {yours[0, 0, 0]:.1f}"
        otherwise = "take 10 log10 of the power, at least 1e-10, in each frame"
        refuse_slips(yours, right, slips, seen, otherwise, atol=1e-3)


class _Reference(nn.Module):
    """The network of task 4.3 from the image on, with a slip if one is named."""

    def __init__(self, n_tags, channels, n_hidden):
        super().__init__()
        self.units = models.CRNN(n_tags, channels).units
        self.channels = channels
        self.gru = nn.GRU(
            channels[-1], n_hidden, 2, batch_first=True, bidirectional=True
        )
        self.output = nn.Linear(2 * n_hidden, n_tags)

    def forward(self, images, slip=None):
        x = self.units_of(slip)(images).squeeze(2)  # (batch, 128, 15)
        steps = x.reshape(len(x), 15, -1) if slip == "view" else x.transpose(1, 2)
        states, last = self.gru(steps)
        ahead, back = states.chunk(2, dim=2)
        of_clip = {
            "mean": states.mean(dim=1),
            "last step": states[:, -1],
            "first step": states[:, 0],
            "lower layer": torch.cat([last[0], last[1]], dim=1),
            "swapped": torch.cat([back[:, 0], ahead[:, -1]], dim=1),
        }.get(slip, torch.cat([ahead[:, -1], back[:, 0]], dim=1))
        logits = self.output(of_clip)
        return logits.sigmoid() if slip == "sigmoid" else logits

    def units_of(self, slip):
        """The four units, with another activation or another order if that is it."""
        layers = [*copy.deepcopy(self.units)]
        if slip in ("relu", "no elu"):
            other = nn.ReLU if slip == "relu" else nn.Identity
            layers = [other() if isinstance(x, nn.ELU) else x for x in layers]
        if slip == "norm last":
            for at in range(0, len(layers), 4):  # conv, norm, pool, ELU
                conv, norm, pool, elu = layers[at : at + 4]
                layers[at : at + 4] = conv, elu, norm, pool
        return nn.Sequential(*layers)


CRNN_SLIPS = {
    "view": "`view` or `reshape` does not turn axes: use `transpose`",
    "mean": "the mean of all states decides; take the last of each direction",
    "last step": "after step 15 the backward direction has heard one step only",
    "first step": "after step 1 the forward direction has heard one step only",
    "lower layer": "these are the last states of the first layer",
    "swapped": "the forward state comes first",
    "sigmoid": "logits are asked for, without a sigmoid",
    "relu": "a ReLU stands where the ELU belongs",
    "no elu": "there is no ELU",
    "norm last": "the ELU stands before the batch norm",
}
LAYERS = {
    "convolutions": (nn.Conv2d, "Four of 3 x 3, each with a bias?"),
    "batch norms": (nn.BatchNorm2d, "One for each convolution?"),
    "GRUs": (
        (nn.RNNBase, nn.RNNCellBase),
        "9 features, 3 states, two layers, two ways?",
    ),
    "dense layers": (nn.Linear, "One, which reads two states of 3?"),
}


def _numbers(model, types):
    layers = [layer for layer in model.modules() if isinstance(layer, types)]
    return [weight for layer in layers for weight in layer.parameters()]


def _copy_numbers(network, reference):
    """Give the reference the learner's numbers, or say in which layers they differ."""
    for name, (types, question) in LAYERS.items():
        theirs, ours = _numbers(network, types), _numbers(reference, types)
        if [p.shape for p in theirs] != [p.shape for p in ours]:
            n, needed = (sum(p.numel() for p in part) for part in (theirs, ours))
            shapes = [tuple(p.shape) for p in theirs]
            raise Wrong(
                f"With 2, 3, 5, 9 channels, a state of 3 and 7 tags the {name} have "
                f"{n} parameters {shapes}, {needed} are needed. {question}"
            )
        with torch.no_grad():
            for our, their in zip(ours, theirs, strict=True):
                our.copy_(their)


@task(
    "4.3",
    "A CRNN that reads both ways",
    points=5,
    hints=(
        "Build the four units in a loop: `nn.Conv2d(n_in, n_out, 3, padding=1)`, "
        "`nn.BatchNorm2d`, `nn.ELU`, `nn.MaxPool2d`. Print the shape after each line "
        "of `forward`. What does `nn.GRU` call its second direction?",
        "The forward direction has heard all when it has read step 15, the backward "
        "one when it has read step 1. In `states`, (batch, 15, 64), the first 32 "
        "numbers of a step are the forward state, the others the backward one.",
        "`nn.GRU(n_in, n_hidden, 2, batch_first=True, bidirectional=True)`, then "
        "`states, _ = self.gru(x.squeeze(2).transpose(1, 2))` and "
        "`torch.cat([states[:, -1, :n_hidden], states[:, 0, n_hidden:]], dim=1)`.",
    ),
    praise="423,730 parameters, each direction hears the whole clip, and no other one.",
)
def crnn(answer):
    torch.manual_seed(43)
    network = built(answer, 7, (2, 3, 5, 9), 3)
    reference = _Reference(7, (2, 3, 5, 9), 3)
    images = torch.randn(3, 1, 96, 1440)
    images[:, :, :, 500:900] += 1.5
    logits = output(network, images)
    array(logits, (3, 7), "For 3 images and 7 tags the output", "(batch, n_tags)")
    _copy_numbers(network, reference)
    with torch.no_grad():
        yours = output(network.train(), images).numpy()
        right = reference.train()(images).numpy()
    reference.requires_grad_(False)
    slips = ((reference(images, k).numpy(), text) for k, text in CRNN_SLIPS.items())
    steady(network, images)
    seen = "With equal weights the logits are not the table's"
    otherwise = "compare the layers and their order, and which state decides"
    refuse_slips(yours, right, slips, seen, otherwise, atol=1e-4)
    network = built(answer, 50, (64, 128, 128, 128), 32)
    n = sum(weights.numel() for weights in network.parameters())
    if n != 423_730:
        return f"At full size yours has {n:,} parameters, 423,730 are needed."


class _Small(nn.Module):
    """Takes (batch, 15, 8), gives (batch, 3); `kind` changes it in one way."""

    def __init__(self, kind):
        super().__init__()
        self.kind = kind
        self.norm = nn.BatchNorm1d(8, track_running_stats=kind != "own statistics")
        self.gru = nn.GRU(8, 6, batch_first=kind != "over the batch")
        self.weigh = nn.Linear(8, 1)
        self.output = nn.Linear(6, 3)

    def forward(self, x):
        kind = self.kind
        if kind in ("batch norm", "own statistics"):
            x = self.norm(x.transpose(1, 2)).transpose(1, 2)
        if kind == "attention over clips":
            x = x * 15 * self.weigh(x).softmax(dim=0)
        states = self.gru(x)[0]
        states = states.mean(dim=1) if kind == "mean" else states[:, -1]
        logits = self.output(states)
        if kind == "lower":
            logits = logits - 0.02 * (logits - logits.roll(1, 0)).abs()
        if kind == "higher":
            last = torch.tensor([len(x) - 1])
            logits = logits.index_add(0, last, (logits[:1] - logits[-1:]).abs())
        if kind == "rounding":
            logits = logits + 1e-6 * torch.arange(len(x))[:, None]
        return logits


EVAL = "Is it in eval()?"
ORDER = "Shuffling the batch does not change that. Which company would?"
COMPANY = "Compare every clip in different company."
SOUND = "No clip's logits change there by more than 0.0001."
SIGN = "There the logits change in one direction only."
# kind: what it is, whether it leaks, what to say to those who miss it
MODELS = {
    "mean": ("a network that takes the mean of its states", False, SOUND),
    "batch norm": ("a network with batch norm in training mode", False, EVAL),
    "rounding": ("a network whose logits differ by rounding", False, SOUND),
    "over the batch": ("a GRU that runs over the batch", True, COMPANY),
    "lower": ("a network that lowers the logits beside another clip", True, SIGN),
    "higher": (
        "a network that raises its last clip's logits after the first",
        True,
        f"{SIGN} {COMPANY}",
    ),
    "attention over clips": ("attention that sums to 1 over the batch", True, ORDER),
    "own statistics": ("batch norm that uses the batch in eval() too", True, ORDER),
}


@task(
    "4.4",
    "A test that finds the leak",
    points=4,
    hints=(
        "Put the model into `eval()`, and compare what a clip gets with what it gets "
        "in other company. Rounding may differ a little: allow 0.0001.",
        "Shuffling the clips finds a memory that runs over them: then "
        "`model(batch)[order]` is not `model(batch[order])`. But a mean over the batch "
        "stays the same when the batch is shuffled. Which company changes that, too?",
        "Score every clip alone: `torch.cat([model(clip[None]) for clip in batch])`, "
        "and compare with `model(batch)`.",
    ),
    praise="Put every model that you build to this test.",
)
def leaks(answer):
    kinds = [(kind, n) for kind in MODELS for n in (6, 3)]
    cases = []
    for kind, n in kinds:
        torch.manual_seed(4)
        cases.append((_Small(kind).train(), _sequences(n, seed=n)[0]))
    for (kind, n), value in zip(kinds, calls(answer, cases), strict=True):
        text, is_leaky, advice = MODELS[kind]
        if yes_or_no(value, "Your result") != is_leaky:
            return f"Yours says {not is_leaky} of {text}, {n} clips. {advice}"


@task(
    "4.5",
    "Attention that ignores padding",
    points=3,
    hints=(
        "Three lines: a score for each step, a softmax over time, a weighted sum. The "
        "steps that are not real must be out before the softmax, or the rest will not "
        "sum to 1.",
        "A score of minus infinity gives a weight of exactly 0: `masked_fill`. Scores "
        "have shape (batch, steps); the softmax goes over `dim=1`.",
        "`scores = self.v(torch.tanh(self.W(states))).squeeze(2)`, "
        '`scores.masked_fill(~real, float("-inf")).softmax(dim=1)`, and '
        "`(weights[:, :, None] * states).sum(dim=1)`.",
    ),
    praise="Without padding this is what `models.CRNNAttention` does.",
)
def attention(answer):
    torch.manual_seed(45)
    pool = built(answer, 6)
    states = 2 * torch.randn(4, 5, 6)
    real = torch.arange(5) < torch.tensor([5, 3, 1, 4])[:, None]
    for part in (slice(None), slice(1, 2)):  # all clips, and one alone
        _judge_attention(pool, states[part], real[part])
    if not torch.equal(call(pool, states, real)[1], call(pool, states, real)[1]):
        return "The same states get other weights each time. What is drawn at random?"


def _judge_attention(pool, states, real):
    batch, n_steps, n = states.shape
    pooled, weights = several(call(pool, states, real), 2, "What it gives")
    n_numbers = sum(p.numel() for p in pool.parameters())
    if n_numbers not in (48, 49):
        raise Wrong(
            f"For n = 6 yours has {n_numbers} parameters; W, b and v have 48 together."
        )
    pooled = array(pooled, (batch, n), "Your pooled state", "(batch, n)")
    weights = weights.squeeze(2) if np.ndim(weights) == 3 else weights
    weights = array(weights, (batch, n_steps), "Your weights", "(batch, n_steps)")
    sums = weights.sum(axis=1)
    if (weights < 0).any() or not np.allclose(sums, 1, atol=1e-4):
        clip = int(np.abs(sums - 1).argmax())
        over_batch = np.allclose(weights.sum(axis=0), 1, atol=1e-4)
        raise Wrong(
            f"The weights of clip {clip} sum to {sums[clip]:.4f} over time, not 1."
            + " They sum to 1 over the batch." * over_batch
        )
    on_padding = np.where(real, 0, weights).max()
    if on_padding > 1e-6:
        raise Wrong(f"A step that is padding gets the weight {on_padding:.4f}, not 0.")
    right = np.einsum("bs,bsn->bn", weights, states.numpy())
    if not np.allclose(pooled, right, atol=1e-4):
        raise Wrong("The pooled state is not the sum of your weights times the states.")
    numbers = [p.detach() for p in pool.parameters()]
    matrices = [p for p in numbers if p.shape == (n, n)]
    vectors = [p.reshape(n) for p in numbers if p.numel() == n]
    if len(matrices) != 1 or len(vectors) != 2:
        raise Wrong("W is (n, n), b and v have n numbers; your parameters do not.")
    for W, (b, v) in itertools.product(
        (matrices[0], matrices[0].T), itertools.permutations(vectors)
    ):
        scores = torch.tanh(states @ W.T + b) @ v
        right = scores.masked_fill(~real, -torch.inf).softmax(dim=1).numpy()
        if np.allclose(weights, right, atol=1e-4):
            return
    raise Wrong(
        "The weights are not the softmax of v tanh(W state + b). Is tanh there?"
    )


# (batch, n_mels, n_frames) and block; the last one is the example of the text
SHAPES = (((2, 3, 40), 1), ((2, 4, 23), 5), ((1, 96, 200), 96), ((1, 1, 5), 2))
BOUND = 0.9  # of both areas: see the comment in solutions/answers_04.py


@task(
    "4.6",
    "Does order matter?",
    points=3,
    hints=(
        "`shuffle_time`: cut the last axis into whole blocks, put the blocks into "
        "another order, join them, and add the rest at the end. For the reader: what "
        "of lesson 04 knows order, and what does a mean know?",
        "A new order of blocks: `torch.randperm(n_blocks, generator="
        "torch.Generator().manual_seed(seed))`. A GRU reads (batch, 15, 8) as it is; "
        "its last state goes into a dense layer of 2.",
        "`x[..., : n * block].unflatten(-1, (n, block))[..., order, :].flatten(-2)`, "
        "the rest by `torch.cat`. Train with Adam, 0.01, some 300 batches of 64.",
    ),
    praise="Read on: whose answers change when time is shuffled?",
)
def order(answer):
    shuffle, reader = several(answer, 2, "Your answer")
    for shape, block in SHAPES:
        _judge_shuffle(shuffle, shape, block)
    if untouched(reader):
        raise NotTried("`shuffle_time` is right; `reader` is still to be trained.")
    if isinstance(reader, nn.Module):
        reader = copy.deepcopy(reader).eval()
    x, wanted = _sequences(800, seed=4646)
    with torch.no_grad():
        logits, alone = call(reader, x), call(reader, x[5:9])
    logits = array(logits, (800, 2), "What `reader` gives", "(n, 2)")
    alone = array(alone, (4, 2), "What `reader` gives", "(n, 2)")
    if not np.allclose(alone, logits[5:9], atol=1e-3):
        return "`reader` gives a sequence other logits in another batch: test 4.4."
    there, first = metrics.roc_auc(wanted.numpy(), logits)
    seen = f"On 800 new sequences its ROC-AUC is {there:.3f} for the whistle "
    seen += f"and {first:.3f} for the order"
    if first < 0.6 <= there:
        return f"{seen}: it hears what is there, and not what comes first."
    if min(there, first) < BOUND:
        return f"{seen}; {BOUND} is needed for both. Does its loss still fall?"


def _sequences(n, seed):
    """Sequences in which a bell and a drum are heard once, a whistle in every second.

    Shape: (n, 15, 8), and (n, 2): is there a whistle, is the bell before the drum.
    """
    random = torch.Generator().manual_seed(seed)
    x = torch.randn(n, 15, 8, generator=random) / 2
    times = torch.rand(n, 15, generator=random).argsort(dim=1)
    bell, drum, whistle = times[:, 0], times[:, 1], times[:, 2]
    there = (torch.rand(n, generator=random) < 0.5).float()
    row = torch.arange(n)
    x[row, bell, 0] += 2
    x[row, drum, 1] += 2
    x[row, whistle, 2] += 2 * there
    return x, torch.stack([there, (bell < drum).float()], dim=1)


def _judge_shuffle(shuffle, shape, block):
    x = torch.arange(1.0, np.prod(shape) + 1).reshape(shape)
    n = shape[-1] // block
    yours = [
        array(value, shape, "Yours", "x")
        for value in calls(shuffle, [(x, block, seed) for seed in (0, 0, 1)])
    ]
    case = f"For {shape} and block = {block}"
    if (yours[0] != yours[1]).any():
        raise Wrong(f"{case} the same seed gives another order the second time.")
    x, y = x.numpy(), yours[0]
    if not np.array_equal(np.sort(y, axis=-1), x):
        raise Wrong(f"{case} a band of a clip lost frames, or got those of another.")
    if (y[..., n * block :] != x[..., n * block :]).any():
        raise Wrong(f"{case} the rest at the end has moved; only whole blocks do.")
    place = y - x[..., :1]  # which frame stands here, in each band of each clip
    if (place != place[:, :1]).any():
        raise Wrong(f"{case} the bands have different orders, so no frame is whole.")
    starts = place[..., : n * block].reshape(*shape[:2], n, block)
    if (np.diff(starts, axis=-1) != 1).any() or (starts[..., 0] % block).any():
        raise Wrong(f"{case} blocks are torn; frames of a block stay together.")
    if n > 20:
        steps = np.diff(starts[0, 0, :, 0]).astype(int) // block % n
        alike = np.bincount(steps).max() / len(steps)  # 1 if rolled or turned round
        if alike > 0.5 or (y == yours[2]).all():
            raise Wrong(
                f"{case} seeds 0 and 1 do not give two random orders: "
                f"{alike:.0%} of the blocks keep their distance to the next one."
            )
