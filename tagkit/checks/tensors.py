"""Read arrays of any dimension, and try networks that a learner built."""

import numpy as np
import torch
from torch import nn

from tagkit.checks.engine import call
from tagkit.checks.values import Wrong, plain, short


def array(value, shape, what: str, axes: str) -> np.ndarray:
    """Read an array of numbers of one shape: from nested lists, arrays or tensors.

    Args:
        axes: what the axes are, such as "(n_filters, n_frames)".

    Shape: any -> shape, float64; infinite numbers pass, nan does not.

    >>> array([[1, 2]], (1, 2), "It", "(rows, columns)")
    array([[1., 2.]])
    """
    many = isinstance(value, list | tuple)
    try:
        read = [plain(part) for part in value] if many else plain(value)
        read = np.asarray(read).astype(np.float64)
    except (TypeError, ValueError):
        raise Wrong(f"{what} is {short(value)}; numbers are needed.") from None
    if read.shape != tuple(shape):
        raise Wrong(
            f"{what} has shape {read.shape}; {axes} = {tuple(shape)} is needed."
        )
    if np.isnan(read).any():
        raise Wrong(f"{what} holds nan, not a number; was something divided by zero?")
    return read


def yes_or_no(value, what: str) -> bool:
    """Read True or False: Python's, numpy's, or a tensor's.

    >>> yes_or_no(np.True_, "It")
    True
    """
    read = plain(value)
    if np.size(read) != 1 or np.asarray(read).dtype != bool:
        raise Wrong(f"{what} is {short(value)}; True or False is needed.")
    return bool(read)


def built(kind, *arguments) -> nn.Module:
    """Build a network from a learner's class."""
    if isinstance(kind, nn.Module):
        raise Wrong(
            f"You handed in one {type(kind).__name__}; the class itself is asked for: "
            "write its name without brackets."
        )
    network = call(kind, *arguments)
    if not isinstance(network, nn.Module):
        raise Wrong(
            f"`{getattr(kind, '__name__', 'it')}(...)` gives {short(network)}; a "
            "network is needed, a class that derives from `nn.Module`."
        )
    return network


def output(network, *inputs) -> torch.Tensor:
    """Send inputs through a network, and say which line went wrong if one does."""
    try:
        value = call(network, *inputs)
    except Wrong as reason:
        one = getattr(inputs[0], "shape", ())[:1] == (1,)
        alone = " The batch held one clip." if one else ""
        raise Wrong(f"{reason}{alone}") from None
    if not isinstance(value, torch.Tensor):
        name = type(network).__name__
        raise Wrong(f"`{name}` gives {short(value)}; a tensor is needed.")
    return value


def steady(network, inputs, what: str = "clip") -> torch.Tensor:
    """What a network gives in `eval()`, the same each time and for each clip alone.

    Raises: Wrong when the same inputs, or one clip by itself, give something else.
    """
    network.eval()
    with torch.no_grad():
        once, again = (output(network, inputs) for _ in range(2))
        alone = torch.cat([output(network, inputs[[n]]) for n in range(len(inputs))])
    if not torch.equal(once, again):
        raise Wrong(
            "In eval() the same batch gets something else each time. What in "
            "`forward` is drawn at random, or kept from one call to the next?"
        )
    apart = (once - alone).abs().max().item()
    if not apart <= 1e-4:
        raise Wrong(
            f"In eval() a {what} alone gets numbers that are up to {apart:.4f} away "
            "from those that it gets in a batch. What in the network hears the other "
            f"{what}s?"
        )
    return once


def without_gradient(network, loss) -> list[str]:
    """Name the parameters that a loss does not reach."""
    if loss.grad_fn is None:
        return [name for name, _ in network.named_parameters()]
    network.zero_grad()
    loss.backward()
    return [
        name
        for name, weight in network.named_parameters()
        if weight.grad is None or not weight.grad.any()
    ]
