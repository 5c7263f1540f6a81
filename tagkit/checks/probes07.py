"""The longer probes of lesson 07: a thread that reads ahead, a batch in parts.

What a learner's function changes or counts is given to it as it is, not as a copy.
"""

import contextlib
import ctypes
import threading
import time

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from tagkit.checks.engine import NotTried, call
from tagkit.checks.values import Wrong, number, refuse_slips, short

PATIENCE = 4.0  # seconds until something that should come at once counts as hanging


def run(function, *arguments):
    """As `call`, on the arguments themselves."""

    def given():
        return function(*arguments)

    given.__name__ = getattr(function, "__name__", "your answer")
    return call(given if callable(function) else function)


# 7.2 Read ahead


class Source:
    """Items that are made one by one, and remember by which thread and how many."""

    def __init__(self, items, error=None):
        self.items, self.error, self.n_made, self.maker = items, error, 0, None

    def __iter__(self):
        self.maker = threading.current_thread()
        for item in self.items:
            self.n_made += 1
            yield item
        if self.error:
            raise self.error


class Alike(str):  # an item that says of everything that it is equal to it
    __hash__, __eq__ = str.__hash__, lambda self, other: True


def within(work, seen):
    """Do a work in a thread, and say so if it does not come back."""
    box = {}

    def begin():
        try:
            box["value"] = work()
        except BaseException as error:
            box["error"] = error

    thread = threading.Thread(target=begin, daemon=True)
    thread.start()
    thread.join(PATIENCE)
    if thread.is_alive():
        stop = ctypes.py_object(SystemExit)  # should it go round and round
        ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread.ident), stop)
        raise Wrong(f"{seen} the loop waits for ever.")
    error = box.get("error")
    if isinstance(error, StopIteration):
        raise Wrong(f"{seen} the loop ends.")
    if isinstance(error, Exception) and not isinstance(error, Wrong | NotTried):
        call(_ahead_that_raises(error))  # says in which line
    if error is not None:
        raise error
    return box["value"]


def _ahead_that_raises(error):
    def ahead():
        raise error

    return ahead


@contextlib.contextmanager
def quiet_threads():
    """Keep what a learner's thread dies of out of the notebook."""
    hook, threading.excepthook = threading.excepthook, lambda _: None
    try:
        yield
    finally:
        threading.excepthook = hook


def _wait_for(condition):
    end = time.monotonic() + PATIENCE
    while not condition() and time.monotonic() < end:
        time.sleep(0.005)
    return condition()


def _started(ahead, source, n):
    steps = run(ahead, source, n)
    if not hasattr(steps, "__iter__"):
        raise Wrong(
            f"`ahead` returns {short(steps)}; a loop must be able to go over it: yield "
            "one item after another."
        )
    return iter(steps)


def probe_order(ahead):
    """The same items, whatever they are, in the same order; then the end."""
    things = [7, None, "", np.zeros(2), False, (None, None), ..., 0]
    things += [Alike("alike"), OSError("an item, raised by nobody"), 1]
    for items, n in ((things, 2), (things, 1), ([], 2), ([1], 5)):
        source, came = Source(items), []

        def go(source=source, came=came, n=n):
            for item in _started(ahead, source, n):
                came.append(item)
                if len(came) > 50:
                    break
            return True

        seen = f"With {len(items)} items and n = {n}, after {{}} of them"
        try:
            within(go, seen.format("all"))
        except Wrong as reason:  # say how far it came
            told = str(reason).replace("after all", f"after {len(came)}")
            raise Wrong(told) from None
        if any(a is not b for a, b in zip(came, items, strict=False)):
            at = next(i for i, (a, b) in enumerate(zip(came, items, strict=False))
                      if a is not b)  # fmt: skip
            raise Wrong(
                f"With {len(items)} items and n = {n} the item at place {at} is "
                f"{short(came[at])}, where {short(items[at])} was made."
            )
        if len(came) > len(items):
            raise Wrong(f"{seen.format('all')} comes {short(came[len(items)])}.")
        if len(came) < len(items):
            lost = f"the loop ends, before the item {short(items[len(came)])}."
            if came:
                lost += " What says 'the end' must be something that no item can be."
            raise Wrong(f"{seen.format(len(came))} {lost}")
        _probe_maker(source, f"With {len(items)} items and n = {n}")


def _probe_maker(source, seen):
    if source.maker is None:
        raise Wrong(f"{seen} nothing was asked of the source.")
    if not _wait_for(lambda: not source.maker.is_alive()):
        raise Wrong(f"{seen} the thread still lives after the end: let it come home.")


def probe_slow(ahead):
    """An item that takes long is waited for: silence is not the end."""
    source = Source(time.sleep(pause) for pause in (0, 1.2, 0))
    seen = "With three items, of which the second takes 1.2 s,"
    came = within(lambda: list(_started(ahead, source, 2)), seen)
    if len(came) != 3:
        raise Wrong(f"{seen} the loop gets {len(came)}: a slow item is not the end.")


def probe_distance(ahead):
    """As many items made ahead as asked for, and no more."""
    for n in (1, 3):
        source = Source(range(300))
        seen = f"With n = {n}"

        def first(source=source, n=n):
            steps = _started(ahead, source, n)
            return steps, next(steps)

        steps, _ = within(first, f"{seen}, before the first item")
        for held in (1, 2, 3):
            enough = _wait_for(lambda h=held, s=source, n=n: s.n_made >= h + n)
            time.sleep(0.03)  # for one too many to show
            made = source.n_made
            what = f"{seen}, while the loop holds item {held}, {made} were made"
            if made == 300:
                raise Wrong(f"{what}: all there are, and they would fill the memory.")
            if made == held:
                raise Wrong(f"{what}: none ahead of it, so nothing runs at once.")
            if not enough:
                raise Wrong(f"{what}: fewer than {n} wait for it.")
            if made > held + n + 1:
                raise Wrong(f"{what}: more than {n} wait. How long may the queue grow?")
            within(lambda s=steps: next(s), f"{seen}, after {held} items")
        rest = within(lambda s=steps: list(s), f"{seen}, at the end")
        if len(rest) != 296:
            raise Wrong(f"{seen} and 300 items, {300 - 4 - len(rest)} were lost.")
        _probe_maker(source, seen)


def probe_error(ahead):
    """An error comes where the item would have come, and is the same one."""
    for n_items, n in ((3, 2), (0, 1), (5, 9)):
        error = OSError("clip 4711 cannot be read")
        source, came = Source(range(n_items), error), []

        def go(source=source, came=came, n=n):
            try:
                for item in _started(ahead, source, n):
                    came.append(item)
            except BaseException as stop:
                return stop
            return None

        seen = f"Where making item {n_items + 1} raises OSError, n = {n},"
        raised = within(go, f"{seen} after {n_items} items")
        if isinstance(raised, Wrong | NotTried):
            raise raised
        if raised is None:
            raise Wrong(
                f"{seen} your loop ends after {len(came)} items as if all were made: "
                "nobody will know that some are missing."
            )
        if len(came) != n_items:
            raise Wrong(f"{seen} the error comes after {len(came)} items, too early.")
        if raised is not error:
            raise Wrong(
                f"{seen} the loop gets {type(raised).__name__}: {raised}; it must get "
                "the very error that was raised."
            )
        _probe_maker(source, seen)


# 7.4 A batch in parts


class _Marked(torch.autograd.Function):
    """Passes numbers on unchanged, and notes when they go forwards and backwards."""

    @staticmethod
    def forward(ctx, numbers, notes):
        ctx.notes = notes
        notes.append(len(numbers))
        return numbers.clone()

    @staticmethod
    def backward(ctx, gradient):
        ctx.notes.append(-len(gradient))
        return gradient, None


class Watched(nn.Module):
    """A small network that notes the size of each part it gets, and gives back."""

    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 3))
        self.notes = []

    def forward(self, samples):
        return _Marked.apply(self.layers(samples), self.notes)


def _gradient(network):
    parts = [weight.grad for weight in network.parameters()]
    if any(part is None for part in parts):
        raise NotTried("No gradient has been computed yet.")
    return torch.cat([part.flatten() for part in parts]).detach().clone()


def probe_parts(accumulate):
    """The gradient and the loss of the whole batch, whatever its parts."""
    bce = functional.binary_cross_entropy_with_logits
    random = torch.Generator().manual_seed(74)
    for n, n_most in ((10, 4), (8, 4), (7, 5), (3, 5), (6, 1)):
        samples = torch.randn(n, 6, generator=random) * (1 + torch.arange(n)[:, None])
        labels = (torch.rand(n, 3, generator=random) < 0.4).float()
        network = Watched()
        with torch.no_grad():
            for weight in network.parameters():
                weight.copy_(torch.randn(weight.shape, generator=random) / 2)
        weights = torch.cat([w.detach().flatten() for w in network.parameters()])

        def mean(rows, network=network, samples=samples, labels=labels):
            network.zero_grad()
            loss = bce(network(samples[rows]), labels[rows])
            loss.backward()
            return _gradient(network), loss.item()

        places = torch.arange(n).split(n_most)
        parts = [mean(rows) for rows in places]
        old, whole = mean(slice(0, 2))[0], mean(slice(None))
        mean(slice(0, 2))  # a gradient that is there before
        network.notes.clear()
        value = run(accumulate, network, samples, labels, n_most)
        seen = f"For {n} windows in parts of at most {n_most}"
        notes, mine = list(network.notes), _gradient(network)
        _probe_notes(notes, n, n_most, seen)
        after = torch.cat([w.detach().flatten() for w in network.parameters()])
        if not torch.equal(after, weights):
            raise Wrong(f"{seen} the weights changed; no step is asked for.")
        mean_of_means = sum(p[0] for p in parts) / len(parts)
        total = sum(p[0] for p in parts)
        full = [p for p, rows in zip(parts, places, strict=True) if len(rows) == n_most]
        kept = sum(p[0] for p in full) * n_most / n if full else whole[0] * 0
        sums = sum(p[0] * len(rows) for p, rows in zip(parts, places, strict=True))
        slips = [
            (mean_of_means, "a window in a short part counts more than another one"),
            (total, "the parts' means are added up, one for each part"),
            (sums, "windows are added up; the mean is asked for"),
            (sums * 3, "losses of all fields are added up; the mean is asked for"),
            (whole[0] + old, "the gradient that was there before is still in it"),
            (mean_of_means + old, "the gradient that was there before is still in it"),
            (whole[0] * 3, "the mean is over windows and tags"),
            (kept, "the last, shorter part is missing"),
            (parts[-1][0], "it is that of the last part only"),
            (parts[-1][0] * len(places[-1]) / n, "it is that of the last part only"),
        ]
        slips = [(s, t) for s, t in slips if not torch.allclose(s, whole[0], atol=1e-4)]
        off = float((mine - whole[0]).norm() / whole[0].norm())
        text = f"{seen} your gradient is off by {100 * off:.3g} % of the right one"
        refuse_slips(mine, whole[0], slips, text, "weight each part by its windows",
                     atol=1e-5)  # fmt: skip
        loss = number(value, f"{seen} your loss")
        slips = [
            (np.mean([p[1] for p in parts]), "a mean of means"),
            (sum(p[1] for p in parts), "the parts' means are added up"),
            (parts[-1][1], "that is the last part's"),
            (parts[-1][1] * len(places[-1]) / n, "that is the last part's"),
        ]
        slips = [slip for slip in slips if abs(slip[0] - whole[1]) > 1e-4]
        text = f"{seen} you return the loss {loss:.4f}"
        refuse_slips(loss, whole[1], slips, text, "the mean over all fields is asked",
                     atol=1e-5)  # fmt: skip


def _probe_notes(notes, n, n_most, seen):
    """Each window once, in parts that are small enough, one after another."""
    if max(notes, default=0) > n_most:
        raise Wrong(f"{seen} the network got {max(notes)} windows at once.")
    forwards = sum(step for step in notes if step > 0)
    if forwards != n:
        raise Wrong(f"{seen} the network got {forwards} windows in all.")
    held = most = 0
    for step in notes:
        held += step
        most = max(most, held)
    if most > n_most:
        raise Wrong(
            f"{seen} the network went forwards with {most} windows before it went "
            "backwards: what each part has in memory stays there until then."
        )
