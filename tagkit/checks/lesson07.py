"""The tasks of lesson 07, scaling up: hints and probes; 0.7 stands in the lesson.

The file is long because two tasks need a stage: a source that a thread reads ahead of a
loop (7.2), and a run with a disk that loses its power (7.5). No clock decides:
what might wait for ever gets a number of turns; a busy machine makes turns longer.
"""

import contextlib
import functools
import itertools
import random as python_random
import threading
import time
from unittest import mock

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from tagkit.checks.engine import NotTried, call, task, untouched
from tagkit.checks.values import Wrong, number, plain, refuse_slips, several, short


def run(function, *arguments):
    """As `call`, on the arguments themselves: for what is counted or changed there."""

    @functools.wraps(function)
    def given():
        return function(*arguments)

    return call(given if callable(function) else function)


@contextlib.contextmanager
def left_as_it_was(network, case):
    """Refuse an answer that leaves weights, modes or what needs a gradient changed."""

    def state():
        modes = [layer.training for layer in network.modules()]
        needs = [weight.requires_grad for weight in network.parameters()]
        return modes, needs, [t.clone() for t in network.state_dict().values()]

    modes, needs, numbers = state()
    yield
    modes_after, needs_after, numbers_after = state()
    if modes_after != modes:
        raise Wrong(f"{case}: you give the network back in the other mode.")
    if needs_after != needs:
        raise Wrong(f"{case}: afterwards other weights of the network need a gradient.")
    if not all(map(torch.equal, numbers, numbers_after)):
        raise Wrong(f"{case}: your function changes the numbers of the network.")


def _figures(value, names, what):
    """Read the learner's own figures, a number for each name."""
    if untouched(value):
        raise NotTried(f"`{what}` is still to be filled in.")
    lost = [name for name in names if not isinstance(value, dict) or name not in value]
    if lost:
        raise Wrong(f"`{what}` has no {lost[0]!r}; keep the names of the cell.")
    if any(untouched(value[name]) for name in names):
        raise NotTried(f"A part of `{what}` is still open.")
    return {name: number(value[name], f"Your {name!r}") for name in names}


# 0.7 Which limit binds?


@task(
    "0.7",
    "Which limit binds?",
    points=1,
    hints=(
        "What would the FLOP take if memory cost nothing, and the bytes if arithmetic "
        "cost nothing? Both are work divided by work a second.",
        "Both go on at the same time. If one takes 2 s and the other 5 s, when are "
        "both done?",
        "`return max(flop / peak, n_bytes / rate)`, in place of the `...`.",
    ),
    praise="The two are equal at peak / rate FLOP a byte: the ridge of the roof.",
)
def at_least(answer):
    for flop, n_bytes, peak, rate in (
        (6e9, 5e9, 3e9, 1e9),  # 2 s and 5 s
        (8e9, 1e9, 2e9, 5e8),  # 4 s and 2 s
        (3e8, 3e8, 6e10, 2e10),
        (0, 5e7, 1e11, 2e10),
    ):
        value = call(answer, flop, n_bytes, peak, rate)
        case = f"For {flop:g} FLOP at {peak:g}/s and {n_bytes:g} bytes at {rate:g}/s"
        yours = number(value, f"{case} your result")
        slips = [
            (flop / peak + n_bytes / rate, "both go on at once, so they do not add up"),
            (min(flop / peak, n_bytes / rate), "then one is done; the other is not"),
            ((flop + n_bytes) / (peak + rate), "different units were added"),
            (max(flop / rate, n_bytes / peak), "peak is for FLOP, rate is for bytes"),
            (1000 * max(flop / peak, n_bytes / rate), "that is milliseconds"),
        ]
        if flop:
            slips.append(
                (max(peak / flop, rate / n_bytes), "a second has so many: divide by it")
            )
        seen = f"{case} you get {yours:.4g} s"
        otherwise = "compare what each of the two takes alone"
        right = max(flop / peak, n_bytes / rate)
        refuse_slips(yours, right, slips, seen, otherwise, atol=1e-9)


# 7.1 The bill for a million songs

N, DAY = 1_000_000, 24 * 3600
EPFL = 3360 / 1800  # clips a second
CAMBRIDGE = 201_641 / 727
BILL = {
    "store in int16, GB": N * 349_488 * 2 / 1e9,
    "store in float32, GB": N * 349_488 * 4 / 1e9,
    "mel bands in float32, GB": N * 96 * 1366 * 4 / 1e9,
    "decode all once, hours": N * 37.91 / 100 / 3600,
    "EPFL, clips a second": EPFL,
    "Cambridge, songs a second": CAMBRIDGE,
    "50 epochs at EPFL's rate, days": 50 * N / EPFL / DAY,
    "50 epochs at Cambridge's rate, days": 50 * N / CAMBRIDGE / DAY,
}
FACTORS = {  # what slips make of a figure, by its unit
    "GB": (
        (2, "that is twice the bytes of a number"),
        (1 / 2, "that is half the bytes of a number"),
        (1 / 4, "that is how many numbers; each has four bytes"),
        (8, "that is bits; a byte has eight"),
        (1e9 / 2**30, "a GB is 1000 MB here"),
        (1 + 349_488 / (96 * 1366), "bands stand in place of the samples"),
    ),
    "hours": (
        (100, "37.91 s are for 100 songs"),
        (60, "that is minutes"),
        (3600, "that is seconds"),
    ),
    "second": (
        (1 / 20, "that is batches; a batch has 20 clips"),
        (60, "that is a minute's; divide by seconds"),
        (727 / 3300, "that is the first way of reading; take the last one, 727 s"),
    ),
    "days": ((1 / 50, "that is one epoch"), (24, "that is hours")),
}
KINDS = ("disk", "memory", "arithmetic")
MACHINES = (  # clips, what one needs, what the machine gives in a second
    (N, (7e5, 4e7, 1e9), (1e8, 9e9, 5e11)),
    (36_000, (1e6, 5e7, 2e9), (2e8, 1e10, 1e11)),
    (1000, (5e5, 9e8, 6e9), (5e8, 8e9, 1e11)),
)


@task(
    "7.1",
    "The bill for a million songs",
    points=3,
    hints=(
        "Write the unit behind every number: clips · samples a clip · bytes a sample "
        "are bytes; clips / (clips a second) are seconds.",
        "A rate is clips divided by seconds; 30 minutes are 1,800 s. In `epoch` "
        "divide what a clip needs of a resource by what the machine gives in a second; "
        "do it for each resource before you add up.",
        "`seconds = {name: n_clips * clip[name] / machine[name] for name in clip}`; "
        "then `sum(seconds.values())`, `max(seconds.values())` and "
        "`max(seconds, key=seconds.get)`.",
    ),
    praise="Divide the two rates: the gap is far more than a few per cent. "
    "Loading in the loop, a large network on samples, other machines: all have a part.",
)
def bill(answer):
    figures, epoch = several(answer, 2, "Your answer")
    for name, yours in _figures(figures, BILL, "bill").items():
        right = BILL[name]
        factors = FACTORS[name.split()[-1]]
        slips = [(right * factor, message) for factor, message in factors]
        seen = f"Your {name!r} is {yours:,.4g}"
        otherwise = "that is more than one per cent off; write units beside the numbers"
        refuse_slips(yours, right, slips, seen, otherwise, atol=0.01 * right)
    for n_clips, needs, gives in MACHINES:
        _probe_epoch(epoch, n_clips, needs, gives)


def _probe_epoch(epoch, n_clips, needs, gives):
    clip = dict(zip(KINDS, needs, strict=True))
    machine = dict(zip(KINDS, gives, strict=True))
    case = f"For {n_clips:,} clips of {clip} on {machine}"
    value = several(call(epoch, n_clips, clip, machine), 3, f"{case} your result")
    yours = np.array([number(part, f"{case} your hours") for part in value[:2]])
    hours = n_clips * np.array(needs) / np.array(gives) / 3600
    right = np.array([hours.sum(), hours.max()])
    upside = n_clips * np.array(gives) / np.array(needs) / 3600
    mixed_units = n_clips * sum(needs) / sum(gives) / 3600
    slips = [
        (right * 3600, "that is seconds"),
        (right[::-1], "in turn and at the same time, mixed"),
        ([mixed_units, right[1]], "different units were added"),
        (right / n_clips, "that is one clip; an epoch has n_clips of them"),
        ([right[0], hours.min()], "the slowest of the three counts, not the fastest"),
        ([right[0], hours.mean()], "the slowest of the three counts, not the mean"),
        ([hours.mean(), right[1]], "in turn, the three add up; that is their mean"),
        ([upside.sum(), upside.max()], "divide what a clip needs by what a second has"),
    ]
    seen = f"{case} you get {yours[0]:.6g} hours in turn and {yours[1]:.6g} at once"
    otherwise = "add up and compare times"
    refuse_slips(yours, right, slips, seen, otherwise, atol=1e-6 * right[1])
    name = str(plain(value[2]))
    if name != KINDS[hours.argmax()]:
        raise Wrong(f"{case} you name {name!r}, which is not the slowest in seconds.")


# 7.2 Read ahead in a thread

TURN = 0.01  # seconds for which a turn leaves the processor to other threads
PATIENCE = 400  # turns without an end that count as hanging

ANYTHING = [7, None, "", np.zeros(2), False, (None, None), ..., 0]
ANYTHING += [OSError("an item, raised by nobody"), 1]


class Source:
    """Items that are made one by one; it knows by which thread, and how many."""

    def __init__(self, items, error=None):
        self.items = items
        self.error = error
        self.n_made = 0
        self.maker = None

    def __iter__(self):
        self.maker = threading.current_thread()
        for item in self.items:
            self.n_made += 1
            yield item
        if self.error:
            raise self.error


@task(
    "7.2",
    "Read ahead in a thread",
    points=4,
    hints=(
        "Begin with the lesson's `ahead`. Two things are not as asked: what happens to "
        "an item that is None, and what happens when making an item raises?",
        "Put pairs into the queue: what it is, and the item. The thread wraps its loop "
        "into `try ... except BaseException as error` and puts the error into the "
        "queue, too, behind the items made before it.",
        'In the thread: `for item in items: made.put(("item", item))`, then '
        '`made.put(("end", None))`, and in `except`: `made.put(("error", error))`. '
        "In the loop: `kind, item = made.get()`, and yield, return or raise.",
    ),
    praise="`feed.ahead` does this for `train.fit`; it also ends its thread when the "
    "loop over it is left early.",
)
def read_ahead(answer):
    with mock.patch("threading.excepthook"):  # what a learner's thread may die of
        for items, n in ((ANYTHING, 2), (ANYTHING, 1), ([], 2), ([1], 5)):
            _probe_loop(answer, items, n)
        for n in (1, 3):
            _probe_distance(answer, n)
        for items, n in ((range(3), 2), ([1, None], 2), ([], 1), (range(5), 9)):
            error = OSError("clip 4711 cannot be read")
            _probe_loop(answer, items, n, error)


def _probe_loop(ahead, items, n, error=None):
    """The same items in the same order, then the error or the end; no thread stays."""
    source, came, errors = Source(items, error), [], []
    then = ", then an OSError" if error else ""
    case = f"With {len(items)} items{then}, and n = {n},"

    def loop():
        try:
            for item in run(ahead, source, n):
                came.append(item)
                if len(came) > len(items):
                    break
        except BaseException as reason:
            errors.append(reason)

    thread = threading.Thread(target=loop, daemon=True)
    thread.start()
    if not _comes_true(lambda: not thread.is_alive()):
        raise Wrong(f"{case} the loop waits for ever after {len(came)} items.")
    end = errors[0] if errors else None
    if isinstance(end, Wrong | NotTried):
        raise end
    if end is not error:
        way = f"with {end!r}" if end else f"after {len(came)} items as if all were made"
        raise Wrong(
            f"{case} the loop ends {way}. Of errors it must get the very one that was "
            "raised, and no other."
        )
    for place, (yours, item) in enumerate(zip(came, items, strict=False)):
        if yours is not item:
            raise Wrong(
                f"{case} the item at place {place} is {short(yours)}, where "
                f"{short(item)} was made."
            )
    if len(came) != len(items):
        raise Wrong(
            f"{case} the loop gets {len(came)}. What says 'the end' must be something "
            "that no item can be, and an error comes behind the items made before it."
        )
    if source.maker is None or not _comes_true(lambda: not source.maker.is_alive()):
        raise Wrong(f"{case} the thread still lives after the end: let it come home.")


def _comes_true(condition, n_turns=PATIENCE):
    """Leave the processor to other threads until a condition holds."""
    for _ in range(n_turns):
        if condition():
            return True
        time.sleep(TURN)
    return condition()


def _probe_distance(ahead, n):
    """While the loop holds an item: are as many made ahead as asked for, no more?"""
    source = Source(range(300))
    steps = iter(run(ahead, source, n))
    for n_held in (1, 2):
        next(steps)
        _comes_true(lambda held=n_held: source.n_made >= held + n, PATIENCE // 4)
        _comes_true(lambda held=n_held: source.n_made > held + n + 1, 5)
        n_waiting = source.n_made - n_held
        case = f"With n = {n}, while the loop holds item {n_held}, {n_waiting} wait"
        if n_waiting < n:
            raise Wrong(f"{case}: too few are made ahead of it.")
        if n_waiting > n + 1:
            raise Wrong(f"{case}: how long may the queue grow? Memory fills up.")
    list(steps)


# 7.3 An epoch that can begin anywhere


@task(
    "7.3",
    "An epoch that can begin anywhere",
    points=4,
    hints=(
        "A generator of your own, made anew in each call from seed and epoch, cannot "
        "know what was drawn before, and nobody else draws from it.",
        "`np.random.default_rng([seed, epoch])` takes both numbers, not their sum. For "
        "the shares: cut the order into batches first, and each batch into shares.",
        "`batches = [order[i : i + batch_size] for i in range(0, len(order), "
        "batch_size)]`, and the share of a batch is `batch[rank::n_ranks]`.",
    ),
    praise="So a run finds its place again by its seed, its epoch and its batch.",
)
def anywhere(answer):
    order, shares = several(answer, 2, "Your answer")
    _probe_order(order)
    example = np.array([5, 0, 3, 4, 1, 2, 6])
    _probe_shares(shares, example, 3, 2, 1)
    for n, size, n_ranks in ((20, 8, 1), (23, 8, 3), (9, 4, 2), (5, 9, 4)):
        places = np.random.default_rng(n).permutation(n)
        for done in {0, 1, n // size}:
            _probe_shares(shares, places, size, n_ranks, done)


def _probe_order(order):
    first = _order_of(order, 3, 4)
    _order_of(order, 8, 1)
    if _order_of(order, 3, 4) != first:
        raise Wrong(
            "For seed 3 and epoch 4 your order is not the same a second time: it knows "
            "what was drawn before."
        )
    with _another_process(order):
        elsewhere = _order_of(order, 3, 4)
    if elsewhere != first:
        raise Wrong(
            "For seed 3 and epoch 4 your order is another one in a new process of "
            "Python: there `hash` gives another number for the same text."
        )
    for one, other in (  # pairs of a seed and an epoch
        ((3, 4), (3, 5)),
        ((3, 4), (7, 4)),
        ((3, 4), (4, 3)),
        ((1, 11), (11, 1)),
        *(((3, 4 + factor), (4, 4)) for factor in (10, 100, 1000)),  # of a sum
    ):
        if _order_of(order, *one) == _order_of(order, *other):
            raise Wrong(
                f"Seed and epoch {one} have the order of {other}: use both, and "
                "not as one number in which both look alike."
            )


def _order_of(order, seed, epoch, n=40):
    case = f"For {n} clips, seed {seed} and epoch {epoch} your order"
    before = _shared_random()
    value = several(call(order, n, seed, epoch), n, case)
    read = [int(number(place, f"{case}, at one place,")) for place in value]
    lost = set(range(n)) - set(read)
    if lost:
        raise Wrong(f"{case} leaves out place {min(lost)}; each from 0 comes once.")
    if _shared_random() != before:
        raise Wrong(
            f"{case} draws from the random numbers that the whole program shares, or "
            "sets them anew. Dropout will notice."
        )
    return read


@contextlib.contextmanager
def _another_process(function):
    """Let a function's `hash` give for texts what it gives in another process."""
    names = getattr(function, "__globals__", {})
    was = names.get("hash", hash)

    def elsewhere(value):
        holds_text = isinstance(value, str | bytes) or "'" in repr(value)
        return was(value) ^ 74 if holds_text else was(value)

    names["hash"] = elsewhere
    try:
        yield
    finally:
        names["hash"] = was


def _shared_random():
    words, place = np.random.get_state()[1:3]
    of_torch = torch.get_rng_state().tolist()
    return words.tolist(), place, of_torch, python_random.getstate()


def _probe_shares(shares, places, size, n_ranks, done):
    case = f"For {len(places)} clips in batches of {size}, {n_ranks=}, {done=}"
    starts = range(0, len(places), size)
    batches = [places[start : start + size] for start in starts]
    left = [sorted(batch.tolist()) for batch in batches[done:]]
    processes = []
    for rank in range(n_ranks):
        value = call(shares, places, size, rank, n_ranks, done)
        parts = [np.asarray(plain(part)).astype(int).ravel().tolist() for part in value]
        if len(parts) != len(left):
            raise Wrong(
                f"{case}, process {rank} gets {len(parts)} batches; {len(left)} are "
                "left, the short one counted, even if a process has no clip in it."
            )
        processes.append(parts)
    for k, (batch, *parts) in enumerate(zip(left, *processes, strict=True), done):
        if sorted(itertools.chain(*parts)) != batch:
            raise Wrong(
                f"{case}, batch {k} (from 0) holds the places {batch}, and your "
                f"processes get {parts}: each must come once, and no other."
            )
        sizes = [len(part) for part in parts]
        if max(sizes) - min(sizes) > 1:
            raise Wrong(f"{case}, batch {k} is shared as {sizes}: some have to wait.")


# 7.4 A batch in parts


class Watched(nn.Module):
    """A small network that notes the size of each part it gets, and gives back."""

    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 3))
        self.notes = []

    def forward(self, samples):
        logits = self.layers(samples)
        self.notes.append(len(samples))
        if logits.requires_grad:
            logits.register_hook(lambda gradient: self.notes.append(-len(gradient)))
        return logits

    def gradient(self):
        weights = self.parameters()
        parts = [torch.zeros_like(w) if w.grad is None else w.grad for w in weights]
        return nn.utils.parameters_to_vector(parts).clone()


@task(
    "7.4",
    "A batch in parts",
    points=3,
    hints=(
        "Do it on paper with parts of 4, 4 and 2 windows. Which share of the whole "
        "mean belongs to a window of the first part, and of the last?",
        "`loss.backward()` adds to the gradients that are there. So clear them once, "
        "before the first part, and go backwards after each part with its share.",
        "For each part: `loss = bce(network(part), wanted) * len(part) / "
        "len(samples)`, `loss.backward()`, and `total += loss.item()`.",
    ),
    praise="`train.fit` does so with `accumulate`, where a batch does not fit into "
    "memory.",
)
def in_parts(answer):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(74)
        for n, n_most in ((10, 4), (8, 4), (7, 5), (3, 5), (6, 1)):
            _probe_parts(answer, n, n_most)


def _probe_parts(accumulate, n, n_most):
    """The gradient and the loss of the whole batch, whatever its parts."""
    samples = 9 * torch.randn(n, 6)
    labels = (torch.rand(n, 3) < 0.4).float()
    network = Watched().train(n % 2 == 0)

    def mean(rows):
        network.zero_grad()
        logits = network(samples[rows])
        loss = functional.binary_cross_entropy_with_logits(logits, labels[rows])
        loss.backward()
        return network.gradient(), loss.item()

    parts = [mean(rows)[0] for rows in torch.arange(n).split(n_most)]
    whole, whole_loss = mean(slice(None))
    old, _ = mean(slice(0, 2))  # a gradient that is there before
    network.notes.clear()
    case = f"For {n} windows in parts of at most {n_most}"
    with left_as_it_was(network, case):
        value = run(accumulate, network, samples, labels, n_most)
    yours = network.gradient()
    most = max(itertools.accumulate(network.notes), default=0)
    if most > n_most:
        raise Wrong(
            f"{case} the network went forwards with {most} windows before it went "
            "backwards: what each part has in memory stays there until then."
        )
    slips = [
        (sum(parts) / len(parts), "windows of a short part count more than others"),
        (sum(parts), "the parts' means are added up, one for each part"),
        (whole * n, "windows are added up; the mean is asked for"),
        (whole + old, "the gradient that was there before is still in it"),
    ]
    off = float((yours - whole).norm() / whole.norm())
    seen = f"{case} your gradient is off by {100 * off:.3g} % of the right one"
    refuse_slips(yours, whole, slips, seen, "weight each part by its windows", 1e-5)
    loss = number(value, f"{case} your loss")
    seen = f"{case} you return the loss {loss:.4f}"
    refuse_slips(loss, whole_loss, [], seen, "the mean over all fields is asked", 1e-5)


# 7.5 Killed, and on it goes


class PowerFailure(BaseException):
    """The power is gone. No Exception, for no `except` helps against it."""


class Disk:
    """Files by name, on a disk that may lose its power in the middle of a step."""

    def __init__(self, files=(), power=np.inf):
        self.kept = dict(files)
        self.power = power  # steps until it fails
        self.steps = []

    def write(self, name, data):
        if not isinstance(data, bytes | bytearray | memoryview):
            raise TypeError(f"a disk takes bytes, not {type(data).__name__}")
        data = bytes(data)
        self.kept[name] = data[: len(data) // 2]
        self._step(f"writes {name!r}")
        self.kept[name] = data

    def read(self, name):
        if name not in self.kept:
            raise FileNotFoundError(f"there is no file {name!r} on the disk")
        return self.kept[name]

    def replace(self, name, other):
        self.read(name)
        self._step(f"puts {name!r} in the place of {other!r}")
        self.kept[other] = self.kept.pop(name)

    def _step(self, step):
        self.steps.append(step)
        if len(self.steps) > self.power:
            raise PowerFailure


class Training:
    """A small run with all that changes while it goes on."""

    def __init__(self, seed=0):
        torch.manual_seed(seed)
        layers = [nn.Linear(12, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Dropout(0.3)]
        self.model = nn.Sequential(*layers, nn.Linear(16, 4))
        weights, rules = self.model.parameters(), torch.optim.lr_scheduler
        self.optimizer = torch.optim.SGD(weights, lr=0.2, momentum=0.9)
        self.schedule = rules.StepLR(self.optimizer, step_size=3, gamma=0.1)
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
        """All that a run needs to go on, by the names of LOST."""
        memory = self.optimizer.state_dict()["state"].values()
        return {
            "weights": [w.tolist() for w in self.model.parameters()],
            "buffers": [b.tolist() for b in self.model.buffers()],
            "losses": list(self.losses),
            "optimizer": [plain(kept["momentum_buffer"]).tolist() for kept in memory],
            "rate": [self.schedule.last_epoch, self.optimizer.param_groups[0]["lr"]],
            "random": torch.get_rng_state().tolist(),
        }


LOST = {  # the most important first
    "weights": "the weights are not those that were saved",
    "buffers": "batch norm has lost its running means, which are buffers",
    "losses": "`losses` is not as it was, so another epoch is taken for the next one",
    "optimizer": "the optimizer has forgotten its past",
    "rate": "the schedule, or the learning rate that it has set, is another one",
    "random": "dropout draws other numbers than without the stop",
}


@task(
    "7.5",
    "Killed, and on it goes",
    points=5,
    hints=(
        "Ask of everything that changes in an epoch: does `careless_save` keep it? The "
        "attributes of `Training` are a beginning; dropout draws from somewhere, too.",
        "Models, optimizers and schedules have `state_dict()` and "
        "`load_state_dict(...)`; torch's random numbers have `torch.get_rng_state()` "
        "and `torch.set_rng_state(...)`. For the power: which file may be half "
        "written while nobody needs it?",
        "Put all into a dict, `torch.save(state, buffer)` with `buffer = "
        'io.BytesIO()`, then `disk.write("new", buffer.getvalue())` and '
        '`disk.replace("new", "last.pt")`. The losses go into the dict as well.',
    ),
    praise="Five entries and one replace are enough. `checkpoints` of the library "
    "does so, and keeps the best weights, too.",
)
def killed(answer):
    save, load = several(answer, 2, "Your answer")
    with torch.random.fork_rng(devices=[]):
        _probe_resume(save, load)
        whole, disk = Training().until(4).now(), Disk()
        _do(save, Training().until(2), disk)
        _probe_power(save, load, disk.kept, whole, "When the power fails", n_more=1)


def _do(function, training, disk):
    """Save or load; what it returns does not matter."""
    with contextlib.suppress(NotTried):
        run(function, training, disk)


def _probe_resume(save, load):
    """Saved after three epochs and loaded: nothing is lost."""
    training, disk = Training().until(3), Disk()
    before = training.now()
    _do(save, training, disk)
    if not disk.kept:
        raise NotTried("`save` writes nothing yet.")
    if training.now() != before:
        raise Wrong("`save` changes the training that it saves; it may go on, too.")
    again = Training(seed=99)
    fresh = again.now()
    _do(load, again, Disk(disk.kept))
    loaded = again.now()
    if loaded == fresh:
        raise NotTried("`load` changes nothing yet.")
    for part, message in LOST.items():
        if loaded[part] != before[part]:
            raise Wrong(f"Stopped after epoch 3 and loaded: {message}.")


def _probe_power(save, load, kept, whole, story, n_more):
    """What each step of `save` leaves when it fails, n_more times again, must load."""
    for power in itertools.count():
        training, disk = Training(seed=99), Disk(kept, power)
        _do(load, training, Disk(kept))
        n_epochs = len(training.losses)
        try:
            _do(save, training.until(n_epochs + 1), disk)
            is_saved = True
        except PowerFailure:
            is_saved = False
        case = f"{story} while `save` {disk.steps[-1]},"
        again = Training(seed=99)
        try:
            _do(load, again, Disk(disk.kept))
        except Wrong as reason:
            raise Wrong(f"{case} nothing is left to go on from: {reason}") from None
        if len(again.losses) < n_epochs + is_saved or again.until(4).now() != whole:
            raise Wrong(f"{case} `load` finds neither the old state nor the new.")
        if is_saved:
            return
        if n_more:
            _probe_power(save, load, disk.kept, whole, f"{case} and again", n_more - 1)


# 7.6 Which stage first?

STAGES = ("decode", "cut", "train")


class Clock:
    """A clock that goes on only while the work is done."""

    def __init__(self, seconds):
        self.seconds = seconds
        self.now = 100.0
        self.n_calls = 0

    def work(self):
        self.now += self.seconds[min(self.n_calls, len(self.seconds) - 1)]
        self.n_calls += 1

    def __call__(self):
        return self.now


@task(
    "7.6",
    "Which stage first?",
    points=3,
    hints=(
        "`work()` does the work once. Look at the clock before and after each call, "
        "and keep the differences in a list; a second has 1,000 milliseconds.",
        "In `gain` only one number of the sum changes: `ms[stage]` becomes "
        "`ms[stage] / times`. Old sum divided by new sum.",
        "`timeit.repeat(work, number=1, repeat=1 + tries, timer=clock)[1:]` has all "
        "seconds but the first; `total / (total - ms[stage] + ms[stage] / times)` is "
        "the gain. For `first` try each stage with `math.inf`.",
    ),
    praise="Now mend it, measure again, and see which stage is the largest then.",
)
def which_first(answer):
    ms_a_clip, gain, measured, first = several(answer, 4, "Your answer")
    _probe_clock(ms_a_clip, (0.01, 0.16, 0.05, 0.11, 0.08), 5)
    _probe_clock(ms_a_clip, (0.5, 0.3, 0.2, 0.4), 4)
    for ms, times in (
        ({"read": 2.0, "mix": 7.0}, 2.5),
        ({"decode": 6.0, "cut": 1.0, "train": 3.0}, 2),  # the example of the text
        ({"decode": 5.0, "cut": 0.25, "train": 2.0}, float("inf")),
    ):
        for stage in ms:
            _probe_gain(gain, ms, stage, times)
    _probe_measured(measured, first)


def _probe_clock(ms_a_clip, seconds, n_clips):
    clock = Clock(seconds)
    n_tries = len(seconds) - 1
    case = f"For {n_clips} clips and {n_tries} tries `ms_a_clip`"
    value = run(ms_a_clip, clock.work, n_clips, n_tries, clock)
    yours = number(value, f"{case} gives what")
    if clock.n_calls != 1 + n_tries:
        raise Wrong(
            f"{case} calls the work {clock.n_calls} times: one to warm up, and the "
            "tries, are asked for."
        )
    tries = 1000 / n_clips * np.array(seconds[1:])
    slips = [
        (1000 / n_clips * min(seconds), "the first call counts; it is for warming up"),
        (tries.mean(), "a mean also holds what other programs took"),
        (np.median(tries), "that is the middle one, not the smallest"),
        (tries[-1], "that is the last one, not the smallest"),
        (tries.max(), "that is the largest"),
        (tries.min() * n_clips, "that is for all clips, one is asked for"),
        (tries.min() / 1000, "that is seconds; a second has 1,000 ms"),
    ]
    took = ", ".join(f"{1000 * second:g}" for second in seconds)
    seen = f"{case} gives {yours:.4g} ms, where by `clock` the calls took {took} ms"
    otherwise = "the smallest of the tries is asked"
    refuse_slips(yours, tries.min(), slips, seen, otherwise, 1e-4)


def _probe_gain(gain, ms, stage, times):
    total = sum(ms.values())
    new = total - ms[stage] + ms[stage] / times
    at_once = max(ms.values()) / max((ms | {stage: ms[stage] / times}).values())
    yours = number(call(gain, ms, stage, times), "The result of `gain`")
    slips = [
        (times, "the other stages take as long as before"),
        (new / total, "it is turned round: above 1 means faster"),
        (at_once, "the stages go on one after the other: add them up"),
        (new, "that is milliseconds; divide the old sum by it"),
        (1 - new / total, "that is the share of the time that is saved"),
    ]
    seen = f"For {ms}, {stage} {times:g} times as fast, you get {yours:.4g}"
    refuse_slips(yours, total / new, slips, seen, "old sum / new sum")


def _probe_measured(measured, first):
    """The learner's own figures: can they be, and does `first` follow from them?"""
    ms = _figures(measured, STAGES, "measured")
    if min(ms.values()) <= 0:
        raise Wrong(f"Your `measured` is {ms}; nothing takes no time at all.")
    if untouched(first):
        raise NotTried("Only `first` is still open.")
    if first not in STAGES:
        raise Wrong(f"`first` is {short(first)}; one of {', '.join(STAGES)} is needed.")
    if ms[first] < max(ms.values()):
        most = sum(ms.values()) / (sum(ms.values()) - ms[first])
        raise Wrong(
            f"You would mend {first!r} first. By your own figures that gains at most "
            f"{most:.2f} times, and another stage more."
        )
