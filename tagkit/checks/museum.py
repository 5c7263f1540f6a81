"""What the probes of lesson 08, the museum of silent bugs, have in common.

A learner hands in two things: the letter of the bug, and the repaired function. The
probes ask the function only.
"""

import re

import numpy as np
from torch import nn

from tagkit.checks.engine import NotTried, untouched
from tagkit.checks.values import Wrong, plain, several, short


def named(answer, right: str, others: dict[str, str]):
    """Read the pair (bug, repaired): judge the letter, and give the repaired part."""
    bug, repaired = several(answer, 2, "Your answer")
    if untouched(bug):
        raise NotTried("Name the bug first: `bug` is still empty.")
    found = re.search(r"\b([a-d])\b", bug.lower()) if isinstance(bug, str) else None
    if not found:
        raise Wrong(
            f"`bug` is {short(bug)}; one letter of a, b, c, d is needed, in quotes."
        )
    letter = found[1]
    if letter != right:
        raise Wrong(f"`bug` is {letter!r}. {others[letter]}")
    if untouched(repaired):
        raise NotTried("The bug is named. Now repair the function.")
    return repaired


def array(value, shape, what: str) -> np.ndarray:
    """Read numbers of one shape from an array, a tensor, a table or lists."""
    try:
        read = np.asarray(plain(value)).astype(np.float64)
    except (TypeError, ValueError):
        raise Wrong(f"{what} is {short(value)}; numbers are needed.") from None
    if read.shape != tuple(shape):
        raise Wrong(f"{what} has shape {read.shape}; {tuple(shape)} is needed.")
    if not np.isfinite(read).all():
        raise Wrong(f"{what} holds {short(read[~np.isfinite(read)][0])}.")
    return read


def refuse(yours, right, slips, seen: str, otherwise: str, close=1e-4) -> None:
    """Raise Wrong unless yours is close to right, with the message of its slip.

    As `values.refuse_slips`, for numbers computed in float32.
    """
    if np.allclose(yours, right, rtol=close, atol=close):
        return
    for slip, message in slips:
        if np.shape(slip) == np.shape(yours) and np.allclose(
            yours, slip, rtol=close, atol=close
        ):
            otherwise = message
            break
    raise Wrong(f"{seen}: {otherwise}" + "." * (not otherwise.endswith("?")))


class Still(nn.Module):
    """A network that `call` does not copy, so that a probe sees what became of it."""

    def __deepcopy__(self, memo):
        return self
