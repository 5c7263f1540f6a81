"""Probes of lesson 07 for trainings that go on: an order, shares, a disk, its power."""

import random as python_random

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from tagkit.checks.engine import NotTried, call, untouched
from tagkit.checks.probes07 import run
from tagkit.checks.values import Wrong, plain, short

# 7.3 An epoch that can begin anywhere


def probe_order(order):
    def shared():
        numpy = [str(part) for part in np.random.get_state()[2:]]
        numpy += np.random.get_state()[1].tolist()
        return numpy, torch.get_rng_state().tolist(), python_random.getstate()

    def of(seed, epoch, n=40):
        seen = f"For {n} clips, seed {seed} and epoch {epoch} your order"
        before = shared()
        value = plain(call(order, n, seed, epoch))
        try:
            read = np.asarray([int(x) for x in value])
        except (TypeError, ValueError):
            raise Wrong(f"{seen} is {short(value)}; {n} places are needed.") from None
        lost = set(range(n)) - set(read.tolist())
        if len(read) != n:
            raise Wrong(f"{seen} has {len(read)} places.")
        if lost:
            raise Wrong(f"{seen} leaves out place {min(lost)}; each from 0 comes once.")
        if shared() != before:
            raise Wrong(
                f"{seen} draws from the random numbers that the whole program shares, "
                "or sets them anew. Dropout will notice."
            )
        return tuple(read)

    first = of(3, 4)
    python_random.random(), np.random.random(), torch.rand(1)
    of(8, 1)
    if of(3, 4) != first:
        raise Wrong(
            "For seed 3 and epoch 4 your order is not the same a second time: it knows "
            "what was drawn before."
        )
    if first == tuple(sorted(first)):
        raise Wrong("For seed 3 and epoch 4 your order is 0, 1, 2 ...: not shuffled.")
    alike = "two numbers went into one in which both look alike"
    for a, b, message in (
        ((3, 4), (3, 5), "so the epoch is not used"),
        ((3, 4), (7, 4), "so the seed is not used"),
        ((3, 4), (4, 3), alike),
        ((0, 1), (0, 2), "with seed 0 the epoch is lost"),
        ((2, 6), (3, 4), alike),
        *(((3, 4 + k), (4, 4), alike) for k in (10, 100, 1000)),
    ):
        one, two = of(*a), of(*b)
        seen = f"Seed {a[0]} in epoch {a[1]} has the same order as seed {b[0]} in "
        if one == two:
            raise Wrong(f"{seen}epoch {b[1]}: {message}.")
        pairs = [set(zip(x, x[1:] + x[:1], strict=True)) for x in (one, two)]
        if len(pairs[0] & pairs[1]) > 20:
            raise Wrong(f"{seen}epoch {b[1]}, begun at another place.")


def probe_shares(shares, places, size, n_ranks, done):
    n, n_left = len(places), -(-len(places) // size) - done
    seen = f"For {n} clips in batches of {size}, n_ranks = {n_ranks}, done = {done}"
    each = []
    for rank in range(n_ranks):
        value = run(_listed(shares), places.copy(), size, rank, n_ranks, done)
        each.append([np.asarray(plain(part)).astype(int).ravel() for part in value])
        if len(each[-1]) != n_left:
            raise Wrong(
                f"{seen}, process {rank} gets {len(each[-1])} batches; {n_left} are "
                "left, the short one counted, even if a process has no clip in it."
            )
    for k in range(n_left):
        batch = places[(done + k) * size :][:size]
        parts = [mine[k] for mine in each]
        got = np.concatenate(parts)
        where = f"{seen}, batch {k + done} (counted from 0)"
        twice = [x for x in got.tolist() if got.tolist().count(x) > 1]
        if twice:
            raise Wrong(f"{where} gives clip {twice[0]} more than once.")
        strange = set(got.tolist()) - set(batch.tolist())
        if strange:
            raise Wrong(
                f"{where} has clip {min(strange)}, which is in another batch. All "
                f"clips together must be those {len(batch)} of the order."
            )
        if len(got) < len(batch):
            raise Wrong(f"{where} has {len(got)} clips of {len(batch)}; some are lost.")
        sizes = [len(part) for part in parts]
        if max(sizes) - min(sizes) > 1:
            raise Wrong(f"{where} is shared as {sizes}: some wait for the others.")


def _listed(function):
    """The function, whose result is read at once, should it be a generator."""

    def listed(*arguments):
        value = function(*arguments)
        return value if untouched(value) else list(value)

    listed.__name__ = getattr(function, "__name__", "your answer")
    return listed if callable(function) else function


# 7.5 Killed, and on it goes


class PowerFailure(BaseException):
    """The power is gone. No Exception, for no `except` helps against it."""


class Disk:
    """Files by name, on a disk that may lose its power in the middle of a step."""

    def __init__(self, files=(), power=None):
        self.kept, self.power, self.steps = dict(files), power, []

    def write(self, name, data):
        if not isinstance(data, bytes | bytearray | memoryview):
            raise TypeError(f"a disk takes bytes, not {type(data).__name__}")
        data = bytes(data)
        if self._fails(f"writes {name!r}"):
            self.kept[name] = data[: len(data) // 2]
            raise PowerFailure
        self.kept[name] = data

    def read(self, name):
        if name not in self.kept:
            raise FileNotFoundError(f"there is no file {name!r} on the disk")
        return self.kept[name]

    def replace(self, name, other):
        self.read(name)
        if self._fails(f"puts {name!r} in the place of {other!r}"):
            raise PowerFailure
        self.kept[other] = self.kept.pop(name)

    def _fails(self, step):
        self.steps.append(step)
        return self.power is not None and len(self.steps) > self.power


class Training:
    """A small training with all that changes while one runs."""

    def __init__(self, kind="SGD", seed=0):
        torch.manual_seed(seed)
        layers = [nn.Linear(12, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Dropout(0.3)]
        self.model = nn.Sequential(*layers, nn.Linear(16, 4))
        weights, rules = self.model.parameters(), torch.optim.lr_scheduler
        if kind == "SGD":
            self.optimizer = torch.optim.SGD(weights, lr=0.2, momentum=0.9)
            self.schedule = rules.StepLR(self.optimizer, step_size=3, gamma=0.1)
        else:
            self.optimizer = torch.optim.Adam(weights, lr=0.02)
            self.schedule = rules.CosineAnnealingLR(self.optimizer, T_max=5)
        self.losses = []

    def run_epoch(self):
        random = torch.Generator().manual_seed(len(self.losses))
        samples = torch.randn(48, 12, generator=torch.Generator().manual_seed(75))
        labels = (samples[:, :4] > 0.5).float()
        self.model.train()
        for rows in torch.randperm(48, generator=random).split(12):
            logits = self.model(samples[rows])
            loss = functional.binary_cross_entropy_with_logits(logits, labels[rows])
            self.optimizer.zero_grad()
            loss.backward()
            self.optimizer.step()
        self.schedule.step()
        self.losses.append(loss.item())

    def until(self, n):
        while len(self.losses) < n:
            self.run_epoch()
        return self

    def now(self):
        """All that a training needs to go on, by the words of the messages."""
        memory = [self.optimizer.state.get(w, {}) for w in self.model.parameters()]
        return {
            "weights": [w.detach().clone() for w in self.model.parameters()],
            "buffers": [b.clone() for b in self.model.buffers()],
            "losses": list(self.losses),
            "memory": [t.clone() for m in memory for t in m.values()
                       if isinstance(t, torch.Tensor)],
            "rate": self.optimizer.param_groups[0]["lr"],
            "schedule": self.schedule.last_epoch,
            "random": [torch.get_rng_state()],
        }  # fmt: skip


def _same(a, b):
    if isinstance(a, list) and isinstance(b, list) and len(a) == len(b):
        return all(_same(x, y) for x, y in zip(a, b, strict=True))
    return torch.equal(a, b) if isinstance(a, torch.Tensor) else a == b


def _ends_alike(training, whole):
    mine, right = training.now(), whole.now()
    parts = ("weights", "buffers", "losses", "rate")
    return all(_same(mine[part], right[part]) for part in parts)


def _do(function, training, disk):
    """Save or load; what it returns does not matter."""

    def work():
        function(training, disk)
        return True

    work.__name__ = getattr(function, "__name__", "your answer")
    run(work if callable(function) else function)


def _another_process(kind="SGD"):
    """A training as a new process begins it: other weights, other random numbers."""
    training = Training(kind, seed=99)
    torch.rand(5)
    return training


def probe_resume(save, load):
    """Stopped after two of four epochs: as if nothing had happened, to the last bit."""
    for kind, memory in (("SGD", "momentum"), ("Adam", "two numbers a weight")):
        whole, seen = Training(kind).until(4), f"With {kind}, stopped after epoch 2:"
        training, disk = Training(kind).until(2), Disk()
        before = training.now()
        _do(save, training, disk)
        if not disk.kept:
            raise NotTried("`save` writes nothing yet.")
        if not all(_same(training.now()[k], before[k]) for k in before):
            raise Wrong(f"{seen} `save` itself changes the training.")
        _do(save, Training(kind, seed=5).until(1), Disk())  # another training's disk
        again = _another_process(kind)
        fresh = again.now()
        _do(load, again, Disk(disk.kept))
        found = again.now()
        if all(_same(found[k], fresh[k]) for k in fresh):
            raise NotTried("`load` changes nothing yet.")
        try:
            again.until(4)
        except Exception as error:
            raise Wrong(
                f"{seen} after `load` the next epoch stops with "
                f"{type(error).__name__}: {error}."
            ) from None
        if _ends_alike(again, whole):
            continue
        _explain(found, before, again, whole, memory, seen)


def _explain(found, before, again, whole, memory, seen):
    """Say what is not as it was, the most important first."""
    for part, message in (
        ("weights", "the weights are not those that were saved."),
        (
            "buffers",
            "batch normalisation has lost its running means: not all that a model "
            "keeps is a parameter.",
        ),
        (
            "losses",
            f"the training that was loaded has the losses {short(found['losses'])}, "
            "so it takes the wrong epoch for the next one.",
        ),
        ("rate", f"it goes on with the learning rate {found['rate']:g}, another one."),
        (
            "memory",
            f"the optimizer has forgotten its past ({memory}): its first step is "
            "another one.",
        ),
        (
            "schedule",
            f"the schedule is in its epoch {found['schedule']}, so it changes the "
            "learning rate at another time.",
        ),
        ("random", "dropout draws other numbers than without the stop."),
    ):
        if not _same(found[part], before[part]):
            raise Wrong(f"{seen} {message}")
    raise Wrong(
        f"{seen} epoch 3 ends with the loss {short(again.losses[2])}, undisturbed "
        f"with {short(whole.losses[2])}."
    )


def _goes_on(load, disk, whole, n_done, seen):
    """A new process that loads the old state or the new, and ends as it should."""
    again = _another_process()
    try:
        _do(load, again, disk)
    except Wrong as reason:
        raise Wrong(f"{seen} nothing is left to go on from: {reason}") from None
    if len(again.losses) not in n_done or not _ends_alike(again.until(4), whole):
        raise Wrong(f"{seen} `load` finds neither the old state nor the new.")
    return again


def probe_power(save, load):
    """The power fails in each step of `save`: an old or a new state is left, whole."""
    whole, disk = Training().until(4), Disk()
    training = Training().until(2)
    _do(save, training, disk)
    training, rehearsal = training.until(3), Disk(disk.kept)
    random, failed = torch.get_rng_state(), []
    _do(save, training, rehearsal)
    for power, step in enumerate(rehearsal.steps):
        broken = Disk(disk.kept, power)
        torch.set_rng_state(random)
        try:
            _do(save, training, broken)
        except PowerFailure:
            pass
        left = Disk(broken.kept)
        seen = f"When the power fails while `save` {step}, after epoch 3,"
        again = _goes_on(load, left, whole, (2, 3), seen)
        after, last = Disk(left.kept), _another_process()
        _do(save, again, after)
        _do(load, last, after)
        if not _ends_alike(last, whole):
            raise Wrong(f"{seen} the next `save` and `load` bring back another state.")
        failed.append((left, seen))
    for left, seen in failed:
        _probe_again(save, load, left, whole, seen)


def _probe_again(save, load, left, whole, seen):
    """The power fails in the next `save`, too, in each of its steps."""
    for power in range(99):
        training, disk = _another_process(), Disk(left.kept, power)
        _do(load, training, left)
        n_done = len(training.losses)
        try:
            _do(save, training.until(n_done + 1), disk)
            break  # it has no more steps
        except PowerFailure:
            pass
        now = f"{seen} and again while the next `save` {disk.steps[-1]},"
        _goes_on(load, Disk(disk.kept), whole, (n_done, n_done + 1), now)
