"""Read a learner's answer whatever its type, and say so kindly when it cannot be read.

Each reader takes the answer and `what`, a few words that name it in messages, and
raises `Wrong` when the answer is of another kind.
"""

import math
import reprlib
from decimal import Decimal
from numbers import Real

import numpy as np
import pandas as pd


class Wrong(Exception):
    """What is wrong with an answer, in words for the learner."""


def plain(value):
    """Turn tensors, Series and Index into numpy, sets and views into lists.

    >>> plain(pd.Series([1, 2]))
    array([1, 2])
    """
    if hasattr(value, "detach"):  # a torch tensor, on any device
        value = value.detach().cpu()
        return value.float().numpy() if value.is_floating_point() else value.numpy()
    if isinstance(value, pd.Series | pd.Index):
        return value.to_numpy()
    if isinstance(value, set | frozenset):
        return sorted(value, key=str)
    if isinstance(value, type({}.keys()) | type({}.values()) | zip | map | range):
        return list(value)
    return value


def short(value) -> str:
    """Show a value in a few words.

    >>> short(np.zeros((2, 3))), short(0.25)
    ('an array of shape (2, 3)', '0.25')
    """
    value = plain(value)
    if isinstance(value, pd.DataFrame):
        return f"a table of {value.shape[0]} rows and {value.shape[1]} columns"
    if isinstance(value, np.ndarray) and value.ndim:
        return f"an array of shape {value.shape}"
    if isinstance(value, np.ndarray | np.generic):
        value = value.item()
    return f"{value:.6g}" if isinstance(value, float) else reprlib.repr(value)


def unchanged(before, after) -> bool:
    """Compare an argument with what became of it; kinds not known here count as equal.

    >>> unchanged([np.zeros(2)], [np.ones(2)]), unchanged({"a": 1}, {"a": 1})
    (False, True)
    """
    if type(before) is not type(after):
        return False
    if isinstance(before, pd.DataFrame | pd.Series | pd.Index):
        return before.equals(after)
    before, after = plain(before), plain(after)
    if isinstance(before, np.ndarray):
        floats = before.dtype.kind in "fc"
        return np.array_equal(before, after, equal_nan=floats)
    if isinstance(before, dict):
        same_keys = before.keys() == after.keys()
        return same_keys and all(unchanged(before[key], after[key]) for key in before)
    if isinstance(before, list | tuple):
        return len(before) == len(after) and all(map(unchanged, before, after))
    if isinstance(before, int | float | str):
        return before == after or before != before  # the second is nan
    return True


def number(value, what: str) -> float:
    """Read one number: int, float, numpy's, or an array or tensor of one element.

    >>> number(np.array([3]), "the count")
    3.0
    """
    read = plain(value)
    if isinstance(read, list | tuple | np.ndarray) and np.size(read) == 1:
        read = np.asarray(read).reshape(-1)[0]
    if isinstance(read, np.generic):
        read = read.item()
    if isinstance(read, bool) or not isinstance(read, Real | Decimal):
        kind = type(value).__name__
        raise Wrong(f"{what} is {short(value)} ({kind}); one number is needed.")
    if not math.isfinite(read):
        raise Wrong(f"{what} is {short(value)}. Was something divided by zero?")
    return float(read)


def several(value, n: int, what: str) -> list:
    """Read a sequence of n parts: tuple, list, array, Series, tensor, or a dict.

    >>> several((1, "a"), 2, "the answer")
    [1, 'a']
    """
    read = plain(value)
    if isinstance(read, dict):
        read = list(read.values())
    if isinstance(read, str) or not isinstance(read, list | tuple | np.ndarray):
        raise Wrong(f"{what} is {short(value)}; {n} parts are needed, as a tuple.")
    if len(read) != n:
        raise Wrong(f"{what} has {len(read)} parts; {n} are needed.")
    return list(read)


def _in_order(named, names, what: str, kind: str):
    """A frame or Series in the order of names; without names, as it is."""
    given, names = named.index, pd.Index(names)
    if not given.isin(names).any():
        return named
    if given.has_duplicates:
        twice = given[given.duplicated()][0]
        raise Wrong(f"{what} has the {kind} {short(twice)} more than once.")
    lost, more = names.difference(given), given.difference(names)
    if len(lost):
        raise Wrong(
            f"{what} has no {kind} {short(lost[0])}; {len(lost)} of {len(names)} are "
            "missing."
        )
    if len(more):
        raise Wrong(f"{what} has the {kind} {short(more[0])}, which does not belong.")
    return named.loc[names]


def table(value, rows, columns, what: str) -> np.ndarray:
    """Read a matrix of numbers, from a frame (sorted by its names) or an array.

    Shape: any -> (n_rows, n_columns) float64, in the order of rows and columns.
    """
    if isinstance(value, pd.DataFrame):
        value = _in_order(value, rows, what, "row")
        value = _in_order(value.T, columns, what, "column").T
    try:
        read = np.asarray(plain(value)).astype(np.float64)
    except (TypeError, ValueError):
        raise Wrong(f"{what} is {short(value)}; numbers are needed.") from None
    if read.shape != (len(rows), len(columns)):
        raise Wrong(
            f"{what} has shape {read.shape}; here {len(rows)} rows and {len(columns)} "
            "columns are needed."
        )
    return read


def per_clip(value, clip_ids: pd.Index, what: str) -> pd.Series:
    """Read one value for each clip: a Series, a dict, or a sequence in their order.

    Shape: any -> Series (n_clips,), index as clip_ids.
    """
    if isinstance(value, pd.DataFrame):
        value = value.squeeze(axis=1)
    if isinstance(value, dict):
        value = pd.Series(value)
    default = pd.RangeIndex(len(clip_ids))
    if isinstance(value, pd.Series) and not value.index.equals(default):
        value = _in_order(value, clip_ids, what, "clip")
    read = plain(value)
    n = len(read) if isinstance(read, list | tuple | np.ndarray) else 1
    if n != len(clip_ids):
        raise Wrong(
            f"{what} is {short(value)}; {len(clip_ids)} values are needed, one for "
            "each clip."
        )
    return pd.Series(list(read), index=clip_ids)


def refuse_slips(
    yours, right, slips, seen: str, otherwise: str, atol: float = 1e-6
) -> None:
    """Raise Wrong unless yours is right, with the message of the slip that it shows.

    Args:
        slips: pairs of a value that a typical slip gives, and what to say of it; they
            are computed only if needed where they come one by one.
        seen: the beginning of each message, with the learner's value.
        otherwise: what to say of any other value.

    >>> refuse_slips(0.5, 0.5, [], "Yours is 0.5", "")
    """
    if np.allclose(yours, right, rtol=0, atol=atol):
        return
    yours, right = np.nan_to_num(yours), np.asarray(right, np.float64)

    def said(slips):
        near = (m for slip, m in slips if np.allclose(yours, slip, rtol=0, atol=atol))
        return next(near, "")

    slip = said(slips)
    more = "" if slip else said(_written_otherwise(right))
    message = slip or otherwise
    end = "" if message.endswith("?") else "."
    raise Wrong(f"{seen}: {message}{end}{more}")


def _written_otherwise(right: np.ndarray) -> list:
    """The right numbers in percent, rounded, or cut off, as slips."""
    rounded = " Is it rounded? Hand in all digits."
    found = [(right.round(n), rounded) for n in (4, 3, 2, 1)]
    found.append((np.trunc(right), " What stands behind the point is cut off."))
    if (right >= 0).all() and (right <= 1).all():
        percent = " That is in percent; a share from 0 to 1 is asked for."
        found.insert(0, (100 * right, percent))
    return [(slip, message) for slip, message in found if slip.any()]
