"""The six tasks of lesson 04, networks with a memory: hints and probes.

Each probe tries small cases with traps; what tells a right network from a broken one
is how it behaves, never how it is written.
"""

import copy

import numpy as np
import torch
from torch import nn

from tagkit.checks import probes04
from tagkit.checks.engine import NotTried, call, task, untouched
from tagkit.checks.tensors import array, built, output, without_gradient, yes_or_no
from tagkit.checks.values import number, refuse_slips, several, short
from tagkit.evaluation import metrics

POOLS = ((2, 2), (3, 3), (4, 4), (4, 4))


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
    for size, pools in (
        ((96, 1440), POOLS),
        ((96, 1366), ((2, 4), (2, 4), (2, 4))),
        ((50, 1000), ((3, 7), (4, 2))),
    ):
        yours = several(call(left, *size, pools), 2, "The result of `left`")
        yours = [number(part, "A number of `left`") for part in yours]
        right, slips = probes04.left(size, pools)
        seen = f"From {size[0]} x {size[1]} `left` makes {yours[0]:g} x {yours[1]:g}"
        refuse_slips(
            yours, right, slips, seen, "divide by each pool, and drop the rest"
        )
    for given in ((3, 2, 1, False), (128, 32, 2, False), (5, 4, 3, False)) + (
        *((7, 3, 1, True), (128, 32, 2, True), (6, 2, 3, True)),
    ):
        try:
            value = call(count, *given)
        except NotTried as reason:
            raise NotTried(f"`left` is right. {reason}") from None
        yours = number(value, "The result of `gru_parameters`")
        right, slips = probes04.parameters(*given)
        n_in, n, n_layers, both = given
        way = "in both directions" if both else "in one direction"
        seen = f"For {n_in} features, {n} states, {n_layers} layers {way}"
        seen += f" yours counts {yours:g}"
        refuse_slips(yours, right, slips, seen, "count matrices and biases")
    if untouched(reading):
        raise NotTried("Both functions are right; `reading` is still to be found.")
    if str(reading).strip().upper() not in ("A", "B", "C"):
        return f"`reading` is {short(reading)}; one of the letters A, B, C is needed."
    if str(reading).strip().upper() != "B":
        return f"Reading {reading} has another number. Add its three parts, dense too."


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
    for n_pad, shape, loud, least in (
        (2, (3, 4, 5), 1.0, 0.0),
        (37, (2, 96, 40), 100.0, 0.0),
        (3, (2, 4, 6), 1.0, 1e-5),  # a clip that is never silent
    ):
        power = loud * torch.rand(shape, generator=random)
        power[0, :, 1], power[1] = 0, 1e-6 * power[1]
        power = power.clamp(min=least)
        where = f"For {shape} and n_pad = {n_pad}"
        value = call(answer, power, n_pad)
        right_shape = (*shape[:2], shape[2] + 2 * n_pad)
        size = tuple(getattr(value, "shape", ()))
        if size == (shape[0], shape[1] + 2 * n_pad, shape[2]):
            return f"{where} yours is {size}: mel bands were added; add frames."
        if size == (*shape[:2], shape[2] + n_pad):
            return f"{where} yours is {size}: frames are needed on both sides."
        what = f"{where} your result"
        yours = array(value, right_shape, what, "(batch, n_mels, n_frames)")
        inside = yours[..., n_pad : n_pad + shape[2]]
        edges = np.concatenate([yours[..., :n_pad], yours[..., -n_pad:]], axis=-1)
        decibels = 10 * power.clamp(min=1e-10).log10().double().numpy()
        if np.isinf(inside).any():
            return f"{where} a power of 0 gives {inside.min():g}; limit it to 1e-10."
        seen = f"{where} the clip's own frames go from {inside.min():.1f} to "
        seen += f"{inside.max():.1f} dB"
        slips = [
            (2 * decibels, "20 log10 is for amplitudes; this is a power"),
            (decibels / 10, "that is log10; decibels are ten times as much"),
            (power.double().numpy(), "these are powers, no decibels"),
            (decibels * np.log(10), "the logarithm is to the base 10"),
            (decibels - decibels.max(), "0 dB is a power of 1, not the loudest"),
        ]
        probes04.refuse(
            inside, decibels, slips, seen, "10 log10 of the power, at least 1e-10"
        )
        seen = f"{where} the new frames go from {edges.min():.1f} to {edges.max():.1f}"
        if np.allclose(edges, 0, atol=1e-3):
            return f"{seen} dB: 0 dB is loud. What has silence on this scale?"
        if not np.allclose(edges, -100, atol=1e-3):
            return f"{seen} dB: each is to be as silent as a power of 0."


@task(
    "4.3",
    "A CRNN from its table",
    points=5,
    hints=(
        "Build the four units in a loop: `nn.Conv2d(n_in, n_out, 3, padding=1)`, "
        "`nn.BatchNorm2d`, `nn.ELU`, `nn.MaxPool2d`. Print the shape after each line "
        "of `forward`.",
        "After the units there is (batch, 128, 1, 15). Take the axis of 1 away, then "
        "turn the other two: the GRU wants (batch, time, features); tell it so.",
        "`x.squeeze(2).transpose(1, 2)`, `nn.GRU(n_in, n_hidden, num_layers=2, "
        "batch_first=True)`, and `states[:, -1]` of `states, _ = self.gru(x)`.",
    ),
    praise="394,098 parameters, as in Choi's smallest, and no clip hears another.",
)
@probes04.on_one_thread
def crnn(answer):
    torch.manual_seed(43)
    network = built(answer, 7, (2, 3, 5, 9), 3)
    small = probes04.Reference(7, (2, 3, 5, 9), 3)
    images = torch.randn(3, 1, 96, 1440)
    images[:, :, :, 500:900] += 1.5
    logits = output(network, images)
    if tuple(logits.shape) != (3, 7):
        return (
            f"For 3 images and 7 tags your logits have shape {tuple(logits.shape)}; "
            "(batch, n_tags) is needed."
        )
    probes04.compare_parts(network, small)
    lost = without_gradient(network, logits.sum())
    if lost:
        return (
            f"No gradient reaches {', '.join(lost[:3])}: it has no say in the logits."
        )
    clip = output(network.eval(), images)
    moved = (output(network, images[[1, 2, 0]])[2] - clip[0]).abs().max().item()
    if moved > 1e-4:
        return (
            f"A clip's logits change by {moved:.4f} when the batch is put into another "
            f"order: {probes04.SLIPS['over batch']}"
        )
    with torch.no_grad():
        yours = output(network.train(), images)
        if not torch.allclose(yours, small.train()(images), atol=1e-4):
            for slip, message in probes04.SLIPS.items():
                if torch.allclose(yours, small(images, slip), atol=1e-4):
                    return (
                        f"With equal weights the logits are not the table's: {message}."
                    )
            return "With equal weights the logits are not the table's: mind the order."
    network = built(answer, 50, (64, 128, 128, 128), 32)
    n = sum(weights.numel() for weights in network.parameters())
    if n != 394_098:
        return f"At full size yours has {n:,} parameters, 394,098 are needed."


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
@probes04.on_one_thread
def leaks(answer):
    found = [(kind, text, False) for kind, text in probes04.RIGHT.items()]
    found += [(kind, text, True) for kind, text in probes04.LEAKY.items()]
    for kind, text, is_leaky in found:
        for n in (6, 3):
            batch = probes04.sequences(n, seed=n)[0]
            value = call(answer, probes04.small(kind), batch)
            if yes_or_no(value, "Your result") != is_leaky:
                more = probes04.MISSED.get(
                    kind, "Compare every clip in different company."
                )
                return f"Yours says {not is_leaky} of {text}, {n} clips. {more}"


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
    pooled, weights = probes04.pooled(pool, states, real)
    sums = weights.sum(axis=1)
    if (weights < 0).any() or not np.allclose(sums, 1, atol=1e-4):
        where = (
            "over the batch" if np.allclose(weights.sum(axis=0), 1, atol=1e-4) else ""
        )
        where = where and f" They sum to 1 {where}."
        bad = int(np.abs(sums - 1).argmax())
        return (
            f"The weights of clip {bad} sum to {sums[bad]:.4f} over time, not 1.{where}"
        )
    on_padding = np.where(real, 0, weights).max()
    if on_padding > 1e-6:
        return f"A step that is padding gets the weight {on_padding:.4f}; 0 is needed."
    right = np.einsum("bs,bsn->bn", weights, states.numpy())
    if not np.allclose(pooled, right, atol=1e-4):
        return "The pooled states are not the sum of your weights times the states."
    n = sum(p.numel() for p in pool.parameters())
    if n not in (48, 49):
        return f"For n = 6 yours has {n} parameters; W, b and v have 48 together."
    shapes = {tuple(p.shape): p.detach() for p in pool.parameters()}
    W, b = shapes.get((6, 6)), shapes.get((6,))
    v = shapes.get((1, 6), shapes.get((6, 1)))
    if W is not None and b is not None and v is not None:
        for turned in (W, W.T):
            scores = (torch.tanh(states @ turned.T + b) @ v.reshape(6)).numpy()
            scores = np.where(real, np.exp(scores), 0)
            if np.allclose(weights, scores / scores.sum(axis=1)[:, None], atol=1e-4):
                break
        else:
            return (
                "The weights are not the softmax of v tanh(W state + b). Is tanh there?"
            )
    if not np.allclose(
        weights[0], probes04.pooled(pool, states[:1], real[:1])[1][0], atol=1e-4
    ):
        return "The weights of a clip change with the other clips of the batch."
    louder = torch.where(real[:, :, None], states, 1000 * states)
    if not np.allclose(probes04.pooled(pool, louder, real)[0], pooled, atol=1e-4):
        return "What stands in the padded steps changes the result; it must not matter."
    result = several(call(pool, states, real), 2, "Your result")[0]
    lost = without_gradient(pool, result.square().sum())
    if lost and (n == 48 or len(lost) > 1):
        return f"No gradient reaches {', '.join(lost)}: were the weights detached?"


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
@probes04.on_one_thread
def order(answer):
    shuffle, reader = several(answer, 2, "Your answer")
    for shape, block in (((2, 3, 40), 1), ((2, 4, 23), 5), ((1, 96, 200), 96)):
        probes04.probe_shuffle(shuffle, shape, block)
    if untouched(reader):
        raise NotTried("`shuffle_time` is right; `reader` is still to be trained.")
    if isinstance(reader, type):
        return "`reader` is a class; hand in the network that you trained."
    if isinstance(reader, nn.Module):
        reader = copy.deepcopy(reader).eval()
    x, wanted = probes04.sequences(800, seed=4646)
    with torch.no_grad():
        try:
            logits = call(reader, x)
            alone = call(reader, x[5:9])
        except NotTried:
            raise NotTried("`shuffle_time` is right; `reader` gives nothing.") from None
    logits = array(logits, (800, 2), "What `reader` gives", "(n, 2)")
    alone = array(alone, (4, 2), "What `reader` gives", "(n, 2)")
    if not np.allclose(alone, logits[5:9], atol=1e-3):
        return "`reader` gives a sequence other logits in another batch: test 4.4."
    there, first = metrics.roc_auc(wanted.numpy(), logits)
    seen = (
        f"On 800 new sequences `reader` has a ROC-AUC of {there:.3f} for the whistle "
    )
    seen += f"and {first:.3f} for the order"
    if min(there, first) < BOUND:
        if first < 0.6 <= there:
            return f"{seen}: it hears what is there, and not what comes first."
        return f"{seen}; {BOUND} is needed for both. Does its loss still fall?"
