"""Models, sequences and slips with which the probes of lesson 04 try an answer.

The small models take (batch, 15, 8) and give (batch, 3).
"""

import functools

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from tagkit import models
from tagkit.checks.engine import call
from tagkit.checks.tensors import array
from tagkit.checks.values import Wrong, several


def on_one_thread(probe):
    """Run a probe on one thread: for small networks, several are slower."""

    @functools.wraps(probe)
    def alone(*arguments, **given):
        n_threads = torch.get_num_threads()
        torch.set_num_threads(1)
        try:
            return probe(*arguments, **given)
        finally:
            torch.set_num_threads(n_threads)

    return alone


def sequences(n, seed):
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


class Small(nn.Module):
    """A GRU and a dense layer, changed in one way by `kind`."""

    def __init__(self, kind):
        super().__init__()
        self.kind = kind
        self.norm = nn.BatchNorm1d(8, track_running_stats=kind != "own statistics")
        self.gru = nn.GRU(8, 6, batch_first=kind != "over the batch")
        self.dropout = nn.Dropout(0.5)
        self.weigh = nn.Linear(8, 1)
        self.output = nn.Linear(6, 3)

    def forward(self, x):
        kind, dim = self.kind, 0 if self.kind == "attention over clips" else 1
        if kind in ("batch norm", "own statistics"):
            x = self.norm(x.transpose(1, 2)).transpose(1, 2)
        if kind == "batch mean":
            x = x - x.mean(dim=0)
        if kind == "loudest":
            x = x / x.abs().max()
        if kind.startswith("attention"):
            x = x * 15 * self.weigh(x).softmax(dim=dim)
        states = self.gru(x)[0]
        states = states.mean(dim=1) if kind == "mean" else states[:, -1]
        logits = self.output(self.dropout(states) if kind == "dropout" else states)
        if kind == "a little of the one before":
            logits = logits + 0.02 * logits.roll(1, 0)
        if kind == "first to last":
            logits = logits.index_add(0, torch.tensor([len(x) - 1]), logits[:1])
        if kind == "rounding":
            logits = logits + 1e-6 * torch.arange(len(x))[:, None]
        return logits


RIGHT = {
    "mean": "a network that takes the mean of its states",
    "batch norm": "a network with batch norm, given in training mode",
    "dropout": "a network with dropout, given in training mode",
    "attention": "a network with attention over time",
    "rounding": "a network whose logits differ by one millionth from rounding",
}
LEAKY = {
    "over the batch": "a GRU that runs over the batch",
    "a little of the one before": "a network that adds 2 % of the clip before",
    "first to last": "a network whose last clip hears the first one",
    "attention over clips": "attention that sums to 1 over the batch",
    "batch mean": "a network that takes the mean of the batch away",
    "loudest": "a network that divides by the loudest number of the batch",
    "own statistics": "batch norm that uses the batch in eval() too",
}


def small(kind):
    """One of the models in RIGHT or LEAKY, in training mode, the same each time."""
    with torch.random.fork_rng([]):
        torch.manual_seed(4)
        return Small(kind).train()


def parts(network):
    """The numbers of a network, layer by layer, by kind of layer.

    Shape: {kind: [tensors in the order in which they were made]}.
    """
    found = {"conv": [], "norm": [], "memory": [], "dense": []}
    kinds = {
        "conv": nn.Conv2d,
        "norm": nn.BatchNorm2d,
        "memory": (nn.RNNBase, nn.RNNCellBase),
        "dense": nn.Linear,
    }
    for layer in network.modules():
        for kind, cls in kinds.items():
            if isinstance(layer, cls):
                found[kind] += list(layer.parameters())
    return found


class Reference(nn.Module):
    """The CRNN of the lesson from the image on, with ways to go wrong.

    Shape: (batch, 1, 96, 1440) -> (batch, n_tags).
    """

    def __init__(self, n_tags, channels, n_hidden):
        super().__init__()
        whole = models.CRNN(n_tags, channels, n_hidden)
        self.units, self.gru, self.output = whole.units, whole.gru, whole.output

    def forward(self, images, slip=None):
        x = images
        for layer in self.units:
            is_elu = isinstance(layer, nn.ELU)
            if slip == "relu" and is_elu:
                x = functional.relu(x)
            elif slip != "no elu" or not is_elu:
                x = layer(x)
        x = x.squeeze(2)  # (batch, 128, 15)
        steps = x.reshape(len(x), 15, -1) if slip == "view" else x.transpose(1, 2)
        if slip == "backwards":
            steps = steps.flip(1)
        if slip == "over batch":
            steps = steps.transpose(0, 1)
        states, _ = self.gru(steps)
        states = states.transpose(0, 1) if slip == "over batch" else states
        of_clip = states[:, -1]
        if slip in ("mean", "max"):
            of_clip = states.mean(dim=1) if slip == "mean" else states.amax(dim=1)
        logits = self.output(of_clip)
        return logits.sigmoid() if slip == "sigmoid" else logits


SLIPS = {
    "view": "`view` or `reshape` does not turn axes: use `transpose`",
    "over batch": "the GRU runs over the batch; does it know that the batch is first?",
    "mean": "the mean of all states decides; take the last state",
    "max": "the largest of all states decides; take the last state",
    "backwards": "it reads the steps from the last to the first",
    "relu": "ReLU cuts what is negative; ELU is asked for",
    "no elu": "there is no ELU after the batch norm",
    "sigmoid": "logits are asked for, without a sigmoid",
}


def left(size, pools):
    """What pools leave of (bands, frames), and what slips leave of it."""
    down, along = np.prod(pools, axis=0)
    right = (size[0] // down, size[1] // along)
    slips = [
        ((size[0] // along, size[1] // down), "a pool is (down, along)"),
        (right[::-1], "they are the wrong way round, bands come first"),
        (tuple(size), "the pools were not used"),
        (rounded(size, pools, np.ceil), "what does not fill a pool is dropped"),
        (rounded(size, pools, np.round), "what does not fill a pool is dropped"),
        ((size[0] / down, size[1] / along), "bands and frames are whole numbers"),
        ((size[0] // pools[-1][0], size[1] // pools[-1][1]), "use all pools"),
    ]
    slips = [slip for slip in slips if slip[0] != right]
    return right, slips


def parameters(n_in, n, n_layers, both):
    """How many numbers a GRU has, and how many slips count."""
    sizes = [n_in] + [n * (1 + both)] * (n_layers - 1)
    right = (1 + both) * sum(3 * (k * n + n * n + 2 * n) for k in sizes)
    same = (1 + both) * n_layers * 3 * (n_in * n + n * n + 2 * n)
    one_way = 2 * sum(
        3 * (k * n + n * n + 2 * n) for k in [n_in] + [n] * (n_layers - 1)
    )
    slips = [
        (
            (1 + both) * sum(3 * (k * n + n * n + n) for k in sizes),
            "PyTorch keeps two biases, one beside each matrix",
        ),
        (
            (1 + both) * sum(3 * (k * n + n * n) for k in sizes),
            "biases are missing",
        ),
        (right // 3, "three things are computed at each step, each has weights"),
        (right * 4 // 3, "that is an LSTM, which has four; a GRU has three"),
        (right // 2 if both else 0, "each direction has weights of its own"),
        (same, "later layers read states"),
        (one_way, "later layers read both directions"),
    ]
    slips = [slip for slip in slips if slip[0] != right]
    return right, slips


def rounded(size, pools, rounding):
    for pool in pools:
        size = [int(rounding(n / k)) for n, k in zip(size, pool, strict=True)]
    return tuple(size)


def refuse(yours, right, slips, seen, otherwise):
    """As `refuse_slips`, for numbers of float32."""
    if not np.allclose(yours, right, rtol=1e-4, atol=1e-3):
        for slip, message in slips:
            if np.allclose(yours, slip, rtol=1e-4, atol=1e-3):
                raise Wrong(f"{seen}: {message}.")
        raise Wrong(f"{seen}: {otherwise}.")


WHY = {
    "conv": "Four of 3 x 3, each with a bias?",
    "norm": "One for each convolution?",
    "memory": "Features of size 9, a state of 3, two layers, one direction?",
    "dense": "It reads one state, the last one.",
}


def compare_parts(network, small):
    """Copy the learner's numbers to the reference, or say which layer differs."""
    mine, theirs = parts(small), parts(network)
    names = {
        "conv": "the convolutions have",
        "norm": "the batch norms have",
        "memory": "the GRUs have",
        "dense": "the dense layer has",
    }
    for kind, name in names.items():
        a, b = (sum(p.numel() for p in part[kind]) for part in (mine, theirs))
        shapes = [[tuple(p.shape) for p in part[kind]] for part in (mine, theirs)]
        if a != b or sorted(shapes[0]) != sorted(shapes[1]):
            first = f" (first {shapes[1][0]}, (out, in))" if shapes[1] else ""
            raise Wrong(
                f"With 2, 3, 5, 9 channels, a state of 3 and 7 tags {name} "
                f"{b} parameters{first}, {a} are needed. {WHY[kind]}"
            )
        with torch.no_grad():
            for shape in set(shapes[0]):
                same = [
                    [p for p in part[kind] if tuple(p.shape) == shape]
                    for part in (mine, theirs)
                ]
                for to, fro in zip(*same, strict=True):
                    to.copy_(fro)


def pooled(pool, states, real):
    pooled, weights = several(call(pool, states, real), 2, "What it gives")
    batch, n_steps, n = states.shape
    pooled = array(pooled, (batch, n), "Your pooled state", "(batch, n)")
    if getattr(weights, "ndim", 0) == 3 and weights.shape[-1] == 1:
        weights = weights[..., 0]
    return pooled, array(weights, (batch, n_steps), "Your weights", "(batch, n_steps)")


def probe_shuffle(shuffle, shape, block):
    x = torch.arange(float(np.prod(shape))).reshape(shape)
    n = shape[-1] // block
    yours = [array(call(shuffle, x, block, s), shape, "Yours", "x") for s in (0, 0, 1)]
    where = f"For {tuple(shape)} and block = {block}"
    if n > 2 and (yours[0] == x.numpy()).all():
        raise Wrong(f"{where} nothing has moved.")
    if (yours[0] != yours[1]).any():
        raise Wrong(f"{where} the same seed gives another order the second time.")
    if n > 20 and (yours[0] == yours[2]).all():
        raise Wrong(f"{where} the seeds 0 and 1 give the same order.")
    x, y = x.numpy(), yours[0]
    if not np.array_equal(np.sort(y, axis=-1), x):
        raise Wrong(f"{where} a band of a clip lost frames, or got those of another.")
    if (y[..., n * block :] != x[..., n * block :]).any():
        raise Wrong(f"{where} the rest at the end has moved; only whole blocks do.")
    place = y - x[..., :1]  # which frame stands here, in each band of each clip
    if (place != place[:, :1]).any():
        raise Wrong(f"{where} the bands have different orders, so no frame is whole.")
    starts = place[..., : n * block].reshape(*shape[:2], n, block)
    if (np.diff(starts, axis=-1) != 1).any() or (starts[..., 0] % block).any():
        raise Wrong(f"{where} blocks are torn; frames of a block stay together.")


MISSED = {
    "mean": "A clip in another place gets the same logits there.",
    "batch norm": "Is it in eval()?",
    "dropout": "Is it in eval()?",
    "rounding": "Allow 0.0001.",
    "a little of the one before": "Its logits change by more than 0.0001.",
    "attention over clips": "Shuffled, its weights go along. What would change them?",
    "batch mean": "A mean does not know order. What else could you change?",
    "loudest": "Shuffled, the largest number stays the same. What would change it?",
    "own statistics": "Shuffled, its statistics stay the same. What would change them?",
}
