"""The path of a window through a network: sizes, parameters and receptive fields."""

import pandas as pd
import torch
from torch import nn
from torch.nn import functional

from tagkit.models.tagger import Tagger

PLAIN = (nn.ReLU, nn.ELU, nn.Tanh, nn.Sigmoid, nn.Dropout, nn.Flatten, nn.Identity)
PLAIN += (nn.ZeroPad1d, nn.ZeroPad2d)  # before a convolution, and part of it
NORMS = (nn.BatchNorm1d, nn.BatchNorm2d)
MEANS = {nn.MaxPool1d: functional.avg_pool1d, nn.MaxPool2d: functional.avg_pool2d}
TIMELESS = (nn.Linear, nn.GRU, nn.AdaptiveAvgPool1d)


def shapes(model: Tagger) -> pd.DataFrame:
    """Send one window of zeros through a model and list what each layer gives.

    Shape: a frame with layer, output (without the batch axis) and parameters.

    >>> from tagkit import models
    >>> shapes(models.DielemanRaw())["output"].iloc[0]
    '32 x 136'
    """
    rows = [
        (type(layer).__name__, _text(output.shape[1:]), _count(layer))
        for layer, output in layers_of(model, torch.zeros(1, model.n_samples))
    ]
    return pd.DataFrame(rows, columns=["layer", "output", "parameters"])


def walk(model: Tagger) -> pd.DataFrame:
    """List the size, parameters and receptive field of each unit of a model.

    A unit is a layer with weights and the norm and pool that follow it. `sees_ms` is
    its receptive field: how much of the window, in milliseconds, can change the point
    in the middle of its output. It is "all" where that is the whole window, and after
    layers without a time axis: a dense or recurrent layer or a mean.

    The fields are measured, in a narrow copy of the model with equal weights and means
    in place of the maxima: the gradient of that point shows which samples matter. (The
    first sample under a Hann window never does.)

    Shape: a frame with layer, output (without the batch axis), parameters, sees_ms.

    >>> from tagkit import models
    >>> table = walk(models.DielemanRaw())
    >>> table["output"].tolist()
    ['32 x 136', '32 x 34', '32 x 8', '100', '50']
    >>> table["sees_ms"].iloc[0]  # 256 samples of 12,000 in a second
    21.33...
    """
    rows = []
    steps = layers_of(model, torch.zeros(1, model.n_samples))
    for (layer, output), field in zip(steps, _fields(model), strict=True):
        if isinstance(layer, PLAIN):
            continue
        name = type(layer).__name__
        size = tuple(output.shape[1:])
        follows = isinstance(layer, (*MEANS, nn.ConstantPad1d))
        follows |= isinstance(layer, NORMS) and output.numel() == rows[-1]["n"]
        if not follows:
            rows.append({"layer": name, "size": size, "parameters": 0})
        row = rows[-1]
        row["parameters"] += _count(layer)
        n_samples = field[1] - field[0]
        whole = n_samples == model.n_samples
        row["sees_ms"] = "all" if whole else 1000 * n_samples / model.sample_rate
        row["n"] = output.numel()
        if not isinstance(layer, NORMS):  # some take a map as an image of one channel
            row["size"] = size
        if isinstance(layer, tuple(MEANS)):
            row["layer"] += f", {name}"
    table = pd.DataFrame(rows)
    table["output"] = table["size"].map(_text)
    return table[["layer", "output", "parameters", "sees_ms"]]


def _count(layer):
    """Count the parameters of a layer itself, without those of layers inside it."""
    return sum(p.numel() for p in layer.parameters(recurse=False) if p.requires_grad)


def _text(size):
    return " x ".join(map(str, size))


def _fields(model):
    """Measure which samples (first, last + 1) reach the middle of each layer's output.

    None for a layer of PLAIN.
    """
    small = {"width": 0.02} if "width" in model.arguments else {}
    with torch.random.fork_rng(devices=[]):  # your next random number stays the same
        narrow = type(model)(**model.arguments | small)
    with torch.no_grad():
        for layer in narrow.modules():
            weight = getattr(layer, "weight", None)
            if weight is not None and weight.ndim > 1:
                weight.fill_(1 / weight[0].numel())
                if layer.bias is not None:
                    layer.bias.zero_()
    noise = torch.rand(1, narrow.n_samples, generator=torch.Generator().manual_seed(0))
    samples = (noise + 0.5).requires_grad_()  # loud enough for decibels above 0
    fields = []
    for layer, output in layers_of(narrow, samples, means=True):
        if isinstance(layer, TIMELESS) or output.ndim < 3:
            fields.append((0, model.n_samples))
        elif isinstance(layer, PLAIN):
            fields.append(None)
        else:
            middle = output[..., output.shape[-1] // 2].sum()
            (slope,) = torch.autograd.grad(middle, samples, retain_graph=True)
            places = slope[0].nonzero()[:, 0]
            fields.append((int(places[0]), int(places[-1]) + 1))
    return fields


def layers_of(model, samples, means=False):
    """List a model's layers in order of calls, each with its output for samples.

    Args:
        means: replace maxima by means.
    """
    steps = []

    def note(layer, inputs, output):
        output = output[0] if isinstance(output, tuple) else output  # of a GRU
        replaced = means and type(layer) in MEANS
        if replaced:
            sizes = layer.kernel_size, layer.stride, layer.padding, layer.ceil_mode
            output = MEANS[type(layer)](inputs[0], *sizes)
        steps.append((layer, output))
        return output if replaced else None

    layers = [m for m in model.modules() if not list(m.children()) or _count(m)]
    hooks = [layer.register_forward_hook(note) for layer in layers]
    training = model.training
    try:
        with torch.set_grad_enabled(samples.requires_grad):
            device = next(model.parameters()).device
            model.eval()(samples.to(device))
    finally:
        model.train(training)
        for hook in hooks:
            hook.remove()
    return steps
