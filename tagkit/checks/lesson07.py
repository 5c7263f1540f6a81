"""The six tasks of lesson 07, scaling up: hints and probes.

The file is long because two tasks need a stage: a source that a thread reads ahead of a
loop (7.2), and a training with a disk that loses its power (7.5). No clock decides:
what might wait for ever gets a number of turns; a busy machine makes turns longer.
"""

import builtins
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

    def given():
        return function(*arguments)

    given.__name__ = getattr(function, "__name__", "your answer")
    return call(given if callable(function) else function)


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
# What slips make of a figure, as factors.
FACTORS = {
    2: "that is twice the bytes of a number",
    8: "that is bits; a byte has 8",
    1000: "that is MB",
    1e9 / 2**30: "a GB is 1000 MB here",
    3600: "that is seconds",
    DAY: "that is seconds",
    100: "37.91 s are for 100 songs",
    60: "that is a minute's",
    1 / 20: "that is batches a second",
    24: "that is hours",
    1 / 50: "that is one epoch",
}
KINDS = ("disk", "memory", "arithmetic")
MACHINES = (  # clips, what one needs, what the machine gives in a second
    (36_000, (1e6, 5e7, 2e9), (2e8, 1e10, 1e11)),
    (N, (7e5, 4e7, 1e9), (1e8, 9e9, 5e11)),
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
    praise="Divide the two rates, and see that the gap is no matter of per cents. "
    "Loading in the loop, a large network on samples, other machines: all have a part.",
)
def bill(answer):
    figures, epoch = several(answer, 2, "Your answer")
    if untouched(figures):
        raise NotTried("The bill is still empty.")
    if not isinstance(figures, dict):
        return f"`bill` is {short(figures)}; a dict with the names of the cell is due."
    for name, right in BILL.items():
        if name not in figures:
            return f"In `bill` {name!r} is missing."
        if untouched(figures[name]):
            raise NotTried(f"{name!r} is still open.")
        yours = number(figures[name], f"{name!r}")
        if np.isclose(yours, right, rtol=0.01):
            continue
        reason = "write the units beside your numbers, and see what is left"
        if np.isclose(yours, right, rtol=0.05):
            reason = "that is near, but more than one per cent off"
        if np.isclose(yours * right, 1, rtol=0.01):
            reason = "it is turned round: seconds for one clip"
        for factor, slip in FACTORS.items():
            if np.isclose(yours, right * factor, rtol=0.01):
                reason = slip
        return f"Your {name!r} is {yours:,.4g}: {reason}."
    for n_clips, needs, gives in MACHINES:
        _probe_epoch(epoch, n_clips, needs, gives)


def _probe_epoch(epoch, n_clips, needs, gives):
    clip = dict(zip(KINDS, needs, strict=True))
    machine = dict(zip(KINDS, gives, strict=True))
    value = several(call(epoch, n_clips, clip, machine), 3, "The result of `epoch`")
    hours = n_clips * np.array(needs) / np.array(gives) / 3600
    in_turn, together = hours.sum(), hours.max()
    mixed_units = n_clips * sum(needs) / sum(gives) / 3600
    case = f"For {n_clips:,} clips of {clip} on {machine}"
    for part, right, other, name in (
        (value[0], in_turn, together, "in turn"),
        (value[1], together, in_turn, "at the same time"),
    ):
        yours = number(part, f"{case} your hours {name}")
        slips = [
            (right * 3600, "that is seconds"),
            (other, "in turn and at the same time, mixed"),
            (mixed_units, "different units were added"),
        ]
        text = f"{case} you get {yours:.6g} hours {name}"
        otherwise = "add up and compare times"
        refuse_slips(yours, right, slips, text, otherwise, atol=1e-6 * right)
    name = str(plain(value[2]))
    right = KINDS[hours.argmax()]
    if name != right:
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
        for n_items, n in ((3, 2), (0, 1), (5, 9)):
            error = OSError("clip 4711 cannot be read")
            _probe_loop(answer, range(n_items), n, error)


def _probe_loop(ahead, items, n, error=None):
    """The same items in the same order, then the error or the end; no thread stays."""
    source, came = Source(items, error), []
    then = ", then an OSError" if error else ""
    case = f"With {len(items)} items{then}, and n = {n},"

    def loop():
        for item in run(ahead, source, n):
            came.append(item)
            if len(came) > len(items):
                break

    stop = _in_a_thread(loop, came, case)
    if error and stop is None:
        raise Wrong(
            f"{case} your loop ends after {len(came)} items as if all were made: "
            "nobody will know that some are missing."
        )
    if stop is not error:
        raise Wrong(
            f"{case} the loop stops with {type(stop).__name__}: {stop}. Of errors it "
            "must get the very one that was raised, and no other."
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


def _in_a_thread(work, came, case):
    """Do a work in a thread; return the error of the learner that ended it, or None."""
    errors = []

    def begin():
        try:
            work()
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=begin, daemon=True)
    thread.start()
    if not _comes_true(lambda: not thread.is_alive()):
        raise Wrong(f"{case} the loop waits for ever after {len(came)} items.")
    for error in errors:
        if isinstance(error, Wrong | NotTried):
            raise error
        return error
    return None


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

ONE_NUMBER = "two numbers went into one in which both look alike"
PAIRS = (  # seed and epoch, another seed and epoch, and what equal orders tell
    ((3, 4), (3, 5), "the epoch is not used"),
    ((3, 4), (7, 4), "the seed is not used"),
    ((3, 4), (4, 3), ONE_NUMBER),
    ((1, 11), (11, 1), ONE_NUMBER),
    ((3, 14), (4, 4), ONE_NUMBER),
    ((3, 1004), (4, 4), ONE_NUMBER),
)


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
    praise="So a training finds its place again by its seed, its epoch and its batch.",
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
    python_random.random(), np.random.random(), torch.rand(1)
    _order_of(order, 8, 1)
    if _order_of(order, 3, 4) != first:
        raise Wrong(
            "For seed 3 and epoch 4 your order is not the same a second time: it knows "
            "what was drawn before."
        )
    with mock.patch.object(builtins, "hash", _hash_of_another_process):
        again = _order_of(order, 3, 4)
    if again != first:
        raise Wrong(
            "For seed 3 and epoch 4 your order is not the same in another process: "
            "there `hash` gives another number for a text."
        )
    for one, other, message in PAIRS:
        if _order_of(order, *one) == _order_of(order, *other):
            raise Wrong(
                f"Seed and epoch {one} have the same order as {other}: {message}."
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


def _shared_random():
    _, words, *rest = np.random.get_state()
    of_numpy = (words.tolist(), rest)
    return of_numpy, torch.get_rng_state().tolist(), python_random.getstate()


_hash = hash


def _hash_of_another_process(value):
    return _hash(f"another {value}" if isinstance(value, str) else value)


def _probe_shares(shares, places, size, n_ranks, done):
    case = (
        f"For {len(places)} clips in batches of {size}, n_ranks = {n_ranks}, "
        f"done = {done}"
    )
    batches = [places[at : at + size] for at in range(0, len(places), size)]
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
    for k, batch in enumerate(left):
        parts = [process[k] for process in processes]
        where = f"{case}, batch {k + done} (counted from 0)"
        if sorted(itertools.chain(*parts)) != batch:
            raise Wrong(
                f"{where} holds the places {batch}, and your processes get {parts}: "
                "each place of the batch must come once, and no other."
            )
        sizes = [len(part) for part in parts]
        if max(sizes) - min(sizes) > 1:
            raise Wrong(f"{where} is shared as {sizes}: some wait for the others.")


# 7.4 A batch in parts


class Watched(nn.Module):
    """A small network that notes the size of each part it gets, and gives back."""

    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 3))
        self.notes = []

    def forward(self, samples):
        if not self.training:
            raise RuntimeError("a network that learns is in the mode for training")
        logits = self.layers(samples)
        self.notes.append(len(samples))
        if logits.requires_grad:
            logits.register_hook(lambda gradient: self.notes.append(-len(gradient)))
        return logits

    def gradient(self):
        parts = [weight.grad for weight in self.parameters()]
        if any(part is None for part in parts):
            raise NotTried("No gradient has been computed yet.")
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
    network = Watched()
    weights = nn.utils.parameters_to_vector(network.parameters()).clone()

    def mean(rows):
        network.zero_grad()
        logits = network(samples[rows])
        loss = functional.binary_cross_entropy_with_logits(logits, labels[rows])
        loss.backward()
        return network.gradient(), loss.item()

    parts = [mean(rows) for rows in torch.arange(n).split(n_most)]
    whole, whole_loss = mean(slice(None))
    old, _ = mean(slice(0, 2))  # a gradient that is there before
    network.notes.clear()
    value = run(accumulate, network, samples, labels, n_most)
    case = f"For {n} windows in parts of at most {n_most}"
    yours = network.gradient()
    _probe_notes(network.notes, n, n_most, case)
    if not torch.equal(nn.utils.parameters_to_vector(network.parameters()), weights):
        raise Wrong(f"{case} the weights changed; no step is asked for.")
    gradients = [gradient for gradient, _ in parts]
    losses = [loss for _, loss in parts]
    slips = [
        (sum(gradients) / len(parts), "windows of a short part count more than others"),
        (sum(gradients), "the parts' means are added up, one for each part"),
        (whole * n, "windows are added up; the mean is asked for"),
        (whole + old, "the gradient that was there before is still in it"),
    ]
    off = float((yours - whole).norm() / whole.norm())
    text = f"{case} your gradient is off by {100 * off:.3g} % of the right one"
    otherwise = "weight each part by its windows"
    refuse_slips(yours, whole, slips, text, otherwise, atol=1e-5)
    loss = number(value, f"{case} your loss")
    slips = [(np.mean(losses), "a mean of means"), (sum(losses), "a sum of means")]
    text = f"{case} you return the loss {loss:.4f}"
    otherwise = "the mean over all fields is asked"
    refuse_slips(loss, whole_loss, slips, text, otherwise, atol=1e-5)


def _probe_notes(notes, n, n_most, case):
    """All windows, in parts that are small enough, one after another."""
    most = max(itertools.accumulate(notes), default=0)
    if most > n_most:
        raise Wrong(
            f"{case} the network went forwards with {most} windows before it went "
            "backwards: what each part has in memory stays there until then."
        )
    forwards = sum(step for step in notes if step > 0)
    if forwards != n:
        raise Wrong(f"{case} the network got {forwards} windows in all.")


# 7.5 Killed, and on it goes


class PowerFailure(BaseException):
    """The power is gone. No Exception, for no `except` helps against it."""


class Disk:
    """Files by name, on a disk that may lose its power in the middle of a step."""

    def __init__(self, files=(), power=None):
        self.kept = dict(files)
        self.power = power  # steps until it fails
        self.steps = []

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
        """All that a training needs to go on, by the names of LOST."""
        memory = [self.optimizer.state.get(w, {}) for w in self.model.parameters()]
        return {
            "weights": [w.tolist() for w in self.model.parameters()],
            "buffers": [b.tolist() for b in self.model.buffers()],
            "losses": list(self.losses),
            "optimizer": [
                [plain(kept[k]).tolist() for k in kept if kept[k] is not None]
                for kept in memory
            ],
            "rate": [self.schedule.last_epoch, self.optimizer.param_groups[0]["lr"]],
            "random": torch.get_rng_state().tolist(),
        }


LOST = {  # the most important first
    "weights": "the weights are not those that were saved",
    "buffers": "batch normalisation has lost its running means: not all that a model "
    "keeps is a parameter",
    "losses": "`losses` is not as it was, so another epoch is taken for the next one",
    "optimizer": "the optimizer has forgotten its past: its first step is another one",
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
        _probe_power(save, load)


def _do(function, training, disk):
    """Save or load; what it returns does not matter."""

    def work():
        function(training, disk)
        return True

    work.__name__ = getattr(function, "__name__", "your answer")
    run(work if callable(function) else function)


def _probe_resume(save, load):
    """Stopped after three of five epochs: the same to the last bit."""
    case = "Stopped after epoch 3 and loaded:"
    whole = Training().until(5).now()
    training, disk = Training().until(3), Disk()
    before = training.now()
    _do(save, training, disk)
    if not disk.kept:
        raise NotTried("`save` writes nothing yet.")
    if training.now() != before:
        raise Wrong("`save` itself changes the training that it saves.")
    again = Training(seed=99)
    fresh = again.now()
    _do(load, again, Disk(disk.kept))
    loaded = again.now()
    if loaded == fresh:
        raise NotTried("`load` changes nothing yet.")
    for part, message in LOST.items():
        if loaded[part] != before[part]:
            raise Wrong(f"{case} {message}.")
    if again.until(5).now() != whole:
        raise Wrong(f"{case} epochs 4 and 5 do not end as without the stop.")


def _probe_power(save, load):
    """The power fails in each step of `save`, and again in each of the next one."""
    whole, disk = Training().until(4).now(), Disk()
    _do(save, Training().until(2), disk)
    stories = [("When the power fails while `save` {},", disk.kept)]
    for _ in range(2):
        stories = [
            failure
            for story, kept in stories
            for failure in _failures(save, load, story, kept, whole)
        ]


def _failures(save, load, story, kept, whole):
    """Let each step of the next `save` fail; what is left must be loadable."""
    for power in itertools.count():
        training, disk = Training(seed=99), Disk(kept, power)
        _do(load, training, Disk(kept))
        states = [len(training.losses), len(training.losses) + 1]
        try:
            _do(save, training.until(states[1]), disk)
            states.pop(0)
        except PowerFailure:
            pass
        case = story.format(disk.steps[-1])
        again = Training(seed=99)
        try:
            _do(load, again, Disk(disk.kept))
        except Wrong as reason:
            raise Wrong(f"{case} nothing is left to go on from: {reason}") from None
        if len(again.losses) not in states or again.until(4).now() != whole:
            raise Wrong(f"{case} `load` finds neither the old state nor the new.")
        if len(states) == 1:
            return  # it has no more steps
        yield f"{case} and again while the next one {{}},", disk.kept


# 7.6 Which stage first?

STAGES = ("decode", "cut", "train")
GAINS = (  # milliseconds of each stage, and how many times as fast one becomes
    ({"decode": 6.0, "cut": 1.0, "train": 3.0}, 2),
    ({"read": 2.0, "mix": 7.0}, 2.5),
    ({"decode": 5.0, "cut": 0.25, "train": 2.0}, float("inf")),
)
SECONDS = (  # what the calls of a work take, and its clips
    ((0.5, 0.3, 0.2, 0.4), 4),
    ((0.01, 0.16, 0.05, 0.11, 0.08), 5),
)


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
    for seconds, n_clips in SECONDS:
        _probe_clock(ms_a_clip, seconds, n_clips)
    for ms, times in GAINS:
        for stage in ms:
            _probe_gain(gain, ms, stage, times)
    _probe_measured(measured, first)


def _probe_clock(ms_a_clip, seconds, n_clips):
    clock = Clock(seconds)
    n_tries = len(seconds) - 1
    value = run(ms_a_clip, clock.work, n_clips, n_tries, clock)
    yours = number(value, "The result of `ms_a_clip`")
    case = f"For {n_clips} clips and {n_tries} tries `ms_a_clip`"
    if clock.n_calls != 1 + n_tries:
        raise Wrong(
            f"{case} calls the work {clock.n_calls} times: one to warm up, and the "
            "tries, are asked for."
        )
    _, *tries = seconds
    scale = 1000 / n_clips
    slips = [
        (scale * min(seconds), "the first call counts; it is for warming up"),
        (scale * np.mean(tries), "a mean also holds what other programs took"),
        (1000 * min(tries), "that is for all clips, one is asked for"),
        (min(tries) / n_clips, "that is seconds; a second has 1,000 ms"),
    ]
    took = ", ".join(f"{1000 * second:g}" for second in seconds)
    text = f"{case} gives {yours:.4g} ms, where by `clock` the calls took {took} ms"
    right = scale * min(tries)
    refuse_slips(yours, right, slips, text, "the smallest of the tries is asked", 1e-4)


def _probe_gain(gain, ms, stage, times):
    total = sum(ms.values())
    new = total - ms[stage] + ms[stage] / times
    yours = number(call(gain, ms, stage, times), "The result of `gain`")
    slips = [
        (times, "the other stages take as long as before"),
        (new / total, "it is turned round: above 1 means faster"),
        (total / (total - ms[stage]), "that is for a stage that costs nothing"),
        (total - new, "that is the time saved; a ratio is asked for"),
    ]
    text = f"For {ms}, {stage} {times:g} times as fast, you get {yours:.4g}"
    refuse_slips(yours, total / new, slips, text, "old sum / new sum")


def _probe_measured(measured, first):
    """The learner's own figures: can they be, and does `first` follow from them?"""
    if untouched(measured):
        raise NotTried("The functions are right; `measured` is still to be measured.")
    if not isinstance(measured, dict) or set(measured) != set(STAGES):
        names = ", ".join(STAGES)
        raise Wrong(f"`measured` is {short(measured)}; a dict with {names} is needed.")
    if any(untouched(value) for value in measured.values()):
        raise NotTried("A part of `measured` is still open.")
    ms = {name: number(value, f"Your {name!r}") for name, value in measured.items()}
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
