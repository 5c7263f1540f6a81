"""Right and wrong answers to the tasks of lesson 07, for the tests of their probes.

Spoilers: learners, look into `hint` first. A wrong answer stands beside a part of
the message that it must get.
"""

import collections
import concurrent.futures
import io
import math
import pickle
import queue
import random as python_random
import threading
import time
import timeit

import numpy as np
import torch
from torch.nn import functional

from tagkit.checks.engine import Answers
from tagkit.data import feed

ANSWERS: dict[str, Answers] = {}


# 0.7 Which limit binds? The task inside the lesson


def at_least(flop, n_bytes, peak, rate):
    return max(flop / peak, n_bytes / rate)


def at_least_by_if(flop, n_bytes, peak, rate):
    if flop * rate > n_bytes * peak:
        return flop / peak
    return n_bytes / rate


ANSWERS["0.7"] = Answers(
    at_least,
    [
        at_least_by_if,
        lambda f, b, p, r: np.maximum(f / p, b / r),
        lambda f, b, p, r: torch.tensor([f / p, b / r], dtype=torch.float64).amax(),
    ],
    [
        (lambda f, b, p, r: f / p + b / r, "do not add up"),
        (lambda f, b, p, r: min(f / p, b / r), "then one is done; the other is not"),
        (lambda f, b, p, r: f / p, "then one is done; the other is not"),
        (lambda f, b, p, r: b / r, "then one is done; the other is not"),
        (lambda f, b, p, r: (f + b) / (p + r), "different units were added"),
        (lambda f, b, p, r: max(p / f, r / b), "divide by it"),
        (lambda f, b, p, r: max(f * p, b * r), "what each of the two takes alone"),
        (lambda f, b, p, r: (f / p, b / r), "one number is needed"),
        (at_least(1, 1, 1, 1), "without brackets"),
    ],
)


# 7.1 The bill for a million songs

BILL = {
    "store in int16, GB": 698.976,
    "store in float32, GB": 1397.952,
    "mel bands in float32, GB": 524.544,
    "decode all once, hours": 105.31,
    "EPFL, clips a second": 1.8667,
    "Cambridge, songs a second": 277.36,
    "50 epochs at EPFL's rate, days": 310.02,
    "50 epochs at Cambridge's rate, days": 2.0864,
}


def epoch(n_clips, clip, machine):
    seconds = {name: n_clips * clip[name] / machine[name] for name in clip}
    slowest = max(seconds, key=seconds.get)
    return sum(seconds.values()) / 3600, seconds[slowest] / 3600, slowest


def epoch_by_loop(n_clips, clip, machine):
    total, longest, name = 0, 0, None
    for kind in ("arithmetic", "memory", "disk"):
        hours = n_clips / 3600 * (clip[kind] / machine[kind])
        total += hours
        if hours > longest:
            longest, name = hours, kind
    return {"sum": total, "max": longest, "name": name}


def epoch_by_torch(n_clips, clip, machine):
    names = [*clip]
    need, give = (torch.tensor([x[k] for k in names]).double() for x in (clip, machine))
    hours = n_clips * need / give / 3600
    return hours.sum(), hours.max(), names[hours.argmax()]


def epoch_of(change):
    return lambda *x: change(*epoch(*x))


def mixed_units(n_clips, clip, machine):
    _, most, name = epoch(n_clips, clip, machine)
    return n_clips * sum(clip.values()) / sum(machine.values()) / 3600, most, name


def most_needed(n_clips, clip, machine):
    return *epoch(n_clips, clip, machine)[:2], max(clip, key=clip.get)


def with_bill(name, value):
    return BILL | {name: value}, epoch


INT, HOURS = "store in int16, GB", "decode all once, hours"
ANSWERS["7.1"] = Answers(
    (BILL, epoch),
    [
        ({k: round(v, 1) if v > 5 else round(v, 2) for k, v in BILL.items()},
         epoch_by_loop),
        [{k: np.float32(v) for k, v in reversed(BILL.items())}, epoch_by_torch],
        ({k: torch.tensor(v) for k, v in BILL.items()}, epoch),
    ],
    [
        (with_bill(INT, 1397.952), "is 1,398: that is twice the bytes"),
        (with_bill(INT, 650.97), "a GB is 1000 MB here"),
        (with_bill(HOURS, 10_531), "are for 100 songs"),
        (with_bill("50 epochs at EPFL's rate, days", 6.2), "one epoch"),
        (with_bill("50 epochs at Cambridge's rate, days", -1), "write units"),
        (with_bill("EPFL, clips a second", 1.9), "more than one per cent off"),
        (({k: v for k, v in BILL.items() if k != INT}, epoch), "GB'; keep the names"),
        (([*BILL.values()], epoch), "has no 'store in int16"),
        ((BILL, epoch_of(lambda a, b, c: (3600 * a, 3600 * b, c))), "that is seconds"),
        ((BILL, epoch_of(lambda a, b, c: (b, a, c))), "mixed"),
        ((BILL, mixed_units), "different units were added"),
        ((BILL, most_needed), "you name 'arithmetic', which is not"),
        ((BILL, epoch_of(lambda a, b, c: (a, b, 2))), "you name '2', which is not"),
        ((BILL, epoch_of(lambda a, b, c: (a, b))), "3 are needed"),
        ((BILL, lambda *x: 1 / 0), "stopped with ZeroDivisionError"),
    ],
)  # fmt: skip


# 7.2 Read ahead in a thread


def ahead(items, n):
    made = queue.Queue(n)

    def work():
        try:
            for item in items:
                made.put(("item", item))
            made.put(("end", None))
        except BaseException as error:
            made.put(("error", error))

    threading.Thread(target=work, daemon=True).start()
    while True:
        kind, item = made.get()
        if kind == "end":
            return
        if kind == "error":
            raise item
        yield item


def ahead_by_futures(items, n):
    source, end, waiting = iter(items), object(), collections.deque()
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        for _ in range(n):
            waiting.append(pool.submit(next, source, end))
        while (item := waiting.popleft().result()) is not end:
            waiting.append(pool.submit(next, source, end))
            yield item


class Ahead:
    """With a lock in place of a queue, and an iterator in place of a generator."""

    def __init__(self, items, n):
        self.items, self.n, self.made = items, n, collections.deque()
        self.changed, self.error, self.is_over = threading.Condition(), None, False
        threading.Thread(target=self.work, daemon=True).start()

    def work(self):
        try:
            for item in self.items:
                with self.changed:
                    self.changed.wait_for(lambda: len(self.made) < self.n)
                    self.made.append(item)
                    self.changed.notify_all()
        except Exception as error:
            self.error = error
        with self.changed:
            self.is_over = True
            self.changed.notify_all()

    def __iter__(self):
        return self

    def __next__(self):
        with self.changed:
            self.changed.wait_for(lambda: self.made or self.is_over)
            self.changed.notify_all()
            if self.made:
                return self.made.popleft()
            raise self.error or StopIteration


def lessons_ahead(items, n, size=None, end=None):
    made = queue.Queue(n if size is None else size)

    def load():
        for item in items:
            made.put(item)
        made.put(end)

    threading.Thread(target=load, daemon=True).start()
    while (item := made.get()) is not end:
        yield item


END = object()


def swallows(items, n):
    def quiet():
        try:
            yield from items
        except OSError:
            pass

    yield from lessons_ahead(quiet(), n, end=END)


def never_tells(items, n):
    yield from lessons_ahead(items, n, end=END)


def wraps(items, n):
    try:
        yield from ahead(items, n)
    except OSError as error:
        raise RuntimeError("the loader died") from error


def as_item(items, n):
    def caught():
        try:
            yield from items
        except OSError as error:
            yield error

    yield from ahead(caught(), n)


def unbounded(items, n):
    yield from ahead(items, 0)


def one_too_many(items, n):
    yield from ahead(items, n + 1)


def one_too_few(items, n):
    yield from ahead(items, max(1, n - 2))


def starts_late(items, n):
    for item in items:
        box = []
        thread = threading.Thread(target=box.append, args=(item,))
        thread.start()
        thread.join()
        yield box[0]


def compares(items, n):
    for item in ahead(items, n):
        if item == "end":
            return
        yield item


def skips_false(items, n):
    return (x for x in ahead(items, n) if x is None or np.ndim(x) or x)


def last_first(items, n):
    return reversed(list(ahead(items, n)))


def never_home(items, n):
    made = queue.Queue(n)

    def load():
        for item in items:
            made.put((item,))
        made.put(())
        threading.Event().wait()

    threading.Thread(target=load, daemon=True).start()
    while pair := made.get():
        yield pair[0]


def error_by_type(items, n):
    """An error is told by its type, as if no item could be one."""
    for item in as_item(items, n):
        if isinstance(item, Exception):
            raise item
        yield item


ANSWERS["7.2"] = Answers(
    ahead,
    [ahead_by_futures, Ahead, feed.ahead],
    [
        (lessons_ahead, "the loop gets 1. What says 'the end'"),
        (never_tells, "waits for ever after 3 items"),
        (swallows, "as if all were made"),
        (wraps, "with RuntimeError('the loader died')"),
        (as_item, "as if all were made"),
        (unbounded, "how long may the queue grow?"),
        (one_too_many, "how long may the queue grow?"),
        (one_too_few, "too few are made ahead"),
        (lambda items, n: iter(items), "too few are made ahead"),
        (starts_late, "too few are made ahead"),
        (lambda items, n: list(items), "how long may the queue grow?"),
        (compares, "the loop ends with ValueError"),
        (skips_false, "where '' was made"),
        (last_first, "the item at place 0 is"),
        (never_home, "still lives after the end"),
        (error_by_type, "the loop ends with OSError('an item"),
        (lambda items, n: 5, "'int' object is not iterable"),
        (ahead([1], 1), "without brackets"),
    ],
)


# 7.3 An epoch that can begin anywhere


def order(n_clips, seed, epoch):
    return np.random.default_rng([seed, epoch]).permutation(n_clips)


def order_by_torch(n_clips, seed, epoch):
    random = torch.Generator().manual_seed(1_000_003 * seed + epoch)
    return torch.randperm(n_clips, generator=random)


def order_by_sorting(n_clips, seed, epoch):
    generator = python_random.Random(f"{seed} {epoch}")
    return sorted(range(n_clips), key=lambda _: generator.random())


def shares(order, batch_size, rank, n_ranks, done):
    batches = [order[i : i + batch_size] for i in range(0, len(order), batch_size)]
    return [batch[rank::n_ranks] for batch in batches[done:]]


def shares_by_pieces(order, batch_size, rank, n_ranks, done):
    for start in range(done * batch_size, len(order), batch_size):
        batch = np.asarray(order)[start : start + batch_size]
        yield np.array_split(batch, n_ranks)[rank].tolist()


def shares_by_torch(order, batch_size, rank, n_ranks, done):
    batches = torch.as_tensor(np.asarray(order)).split(batch_size)[done:]
    return [batch[(n_ranks - 1 - rank) :: n_ranks] for batch in batches]


def drawn_before(n_clips, seed, epoch, random=np.random.default_rng(0)):  # noqa: B008
    return random.permutation(n_clips)


def sets_all(n_clips, seed, epoch):
    np.random.seed(1000 * seed + epoch)
    return np.random.permutation(n_clips)


def torch_sets_all(n_clips, seed, epoch):
    torch.manual_seed(1000 * seed + epoch)
    return torch.randperm(n_clips)


def by_generator(mix):
    return lambda n, *x: np.random.default_rng(mix(*x)).permutation(n)


def by_hash(n_clips, seed, epoch):
    generator = python_random.Random(hash(f"{seed}/{epoch}"))
    return sorted(range(n_clips), key=lambda _: generator.random())


def by_hash_of_numbers(n_clips, seed, epoch):
    random = np.random.default_rng(abs(hash((seed, epoch))))
    return random.permutation(n_clips)


def with_doubles(n_clips, seed, epoch):
    return np.random.default_rng([seed, epoch]).integers(0, n_clips, n_clips)


def without_last(order, batch_size, rank, n_ranks, done):
    n = len(order) // batch_size * batch_size
    return shares(order[:n], batch_size, rank, n_ranks, done)


def batch_each(order, batch_size, rank, n_ranks, done):
    return shares(order, batch_size * n_ranks, rank, n_ranks, done)


def all_to_all(order, batch_size, rank, n_ranks, done):
    return shares(order, batch_size, 0, 1, done)


def ranks_first(order, batch_size, rank, n_ranks, done):
    mine = np.array_split(order, n_ranks)[rank]
    return shares(mine, -(-batch_size // n_ranks), 0, 1, done)


def filled_up(order, batch_size, rank, n_ranks, done):
    more = -len(order) % n_ranks
    return shares(np.append(order, order[:more]), batch_size, rank, n_ranks, done)


def cut_even(order, batch_size, rank, n_ranks, done):
    return [
        batch[: len(batch) // n_ranks * n_ranks][rank::n_ranks]
        for batch in shares(order, batch_size, 0, 1, done)
    ]


def without_empty(*x):
    return [batch for batch in shares(*x) if len(batch)]


def clips_done(order, batch_size, rank, n_ranks, done):
    return shares(order[done:], batch_size, rank, n_ranks, 0)


def never_done(order, batch_size, rank, n_ranks, done):
    return shares(order, batch_size, rank, n_ranks, 0)


def rest_to_first(order, batch_size, rank, n_ranks, done):
    found = []
    for batch in shares(order, batch_size, 0, 1, done):
        each = len(batch) // n_ranks
        mine = batch[rank * each :][:each]
        rest = batch[each * n_ranks :] if rank == 0 else []
        found.append([*mine, *rest])
    return found


ANSWERS["7.3"] = Answers(
    (order, shares),
    [
        (order_by_torch, shares_by_torch),
        [order_by_sorting, shares_by_pieces],
        (lambda *x: order(*x).tolist(), lambda *x: tuple(shares(*x))),
        (by_hash_of_numbers, shares),
    ],
    [
        ((drawn_before, shares), "what was drawn before"),
        ((by_hash, shares), "another one in a new process"),
        ((by_generator(lambda s, e: s * e), shares), "look alike"),
        ((sets_all, shares), "that the whole program shares"),
        ((torch_sets_all, shares), "that the whole program shares"),
        ((by_generator(lambda s, e: s + e), shares), "look alike"),
        (
            (by_generator(lambda s, e: s), shares),
            "(3, 4) have the order of (3, 5)",
        ),
        (
            (by_generator(lambda s, e: e), shares),
            "(3, 4) have the order of (7, 4)",
        ),
        ((by_generator(lambda s, e: 1000 * s + e), shares), "look alike"),
        ((by_generator(lambda s, e: int(f"{s}{e}")), shares), "look alike"),
        ((with_doubles, shares), "leaves out place"),
        ((lambda *x: order(*x) + 1, shares), "leaves out place 0"),
        ((lambda *x: 7, shares), "40 parts are needed"),
        ((order, without_last), "the short one counted"),
        ((order, batch_each), "are left, the short one counted"),
        ((order, all_to_all), "must come once"),
        ((order, ranks_first), "are left, the short one counted"),
        ((order, filled_up), "must come once"),
        ((order, cut_even), "must come once"),
        ((order, without_empty), "even if a process has no clip in it"),
        ((order, clips_done), "must come once"),
        ((order, never_done), "are left, the short one counted"),
        ((order, rest_to_first), "some have to wait"),
    ],
)


# 7.4 A batch in parts

bce = functional.binary_cross_entropy_with_logits


def accumulate(network, samples, labels, n_most):
    network.zero_grad()
    total = 0.0
    for start in range(0, len(samples), n_most):
        part, wanted = samples[start : start + n_most], labels[start : start + n_most]
        loss = bce(network(part), wanted) * len(part) / len(samples)
        loss.backward()
        total += loss.item()
    return total


def by_sums(network, samples, labels, n_most):
    for weight in network.parameters():
        weight.grad = None
    total = torch.tensor(0.0)
    for part, wanted in zip(samples.split(n_most), labels.split(n_most), strict=True):
        loss = bce(network(part), wanted, reduction="sum") / labels.numel()
        loss.backward()
        total += loss.detach()
    return total


def by_grad(network, samples, labels, n_most):
    weights, total = [*network.parameters()], 0
    sums = [torch.zeros_like(w) for w in weights]
    for rows in reversed(torch.arange(len(samples)).split(n_most)):
        loss = bce(network(samples[rows]), labels[rows])
        for so_far, new in zip(sums, torch.autograd.grad(loss, weights), strict=True):
            so_far += len(rows) * new
        total += len(rows) * loss
    for weight, gradient in zip(weights, sums, strict=True):
        weight.grad = gradient / len(samples)
    return np.array([total.item() / len(samples)])


def parts_with(share, clear=True, keep=True, back=True):
    def in_parts(network, samples, labels, n_most):
        if clear:
            network.zero_grad()
        pairs = list(zip(samples.split(n_most), labels.split(n_most), strict=True))
        pairs = [p for p in pairs if len(p[0]) == n_most or keep]
        total = 0
        for part, wanted in pairs:
            loss = bce(network(part), wanted) * share(part, samples, pairs)
            if back:
                loss.backward()
            total = total + loss
        if not back:
            total.backward()
        return float(total)

    return in_parts


def right_share(part, samples, pairs):
    return len(part) / len(samples)


def last_only(network, samples, labels, n_most):
    for rows in torch.arange(len(samples)).split(n_most):
        network.zero_grad()
        loss = bce(network(samples[rows]), labels[rows])
        loss.backward()
    return loss


def leaving(change):
    def left(network, *rest):
        loss = accumulate(network, *rest)
        change(network)
        return loss

    return left


@torch.no_grad()
def takes_a_step(network):
    for weight in network.parameters():
        weight -= 0.1 * weight.grad


def at_once(network, samples, labels, n_most):
    network.zero_grad()
    loss = bce(network(samples), labels)
    loss.backward()
    return loss.item()


def returning(change):
    def changed(network, samples, labels, n_most):
        accumulate(network, samples, labels, n_most)
        with torch.no_grad():
            rows = torch.arange(len(samples)).split(n_most)
            forward = torch.nn.Sequential(*network.layers)
            losses = [bce(forward(samples[r]), labels[r]).item() for r in rows]
        return change(losses)

    return changed


ANSWERS["7.4"] = Answers(
    accumulate,
    [by_sums, by_grad, parts_with(right_share)],
    [
        (parts_with(lambda p, s, pairs: 1 / len(pairs)), "count more than others"),
        (parts_with(lambda *_: 1), "one for each part"),
        (parts_with(right_share, clear=False), "there before is still in it"),
        (parts_with(right_share, keep=False), "weight each part"),
        (parts_with(right_share, back=False), "before it went backwards"),
        (parts_with(lambda p, s, pairs: len(p)), "windows are added up"),
        (parts_with(lambda p, s, pairs: len(s) / len(p)), "weight each part"),
        (last_only, "weight each part"),
        (at_once, "with 10 windows before"),
        (leaving(torch.nn.Module.eval), "back in the other mode"),
        (leaving(takes_a_step), "changes the numbers of the network"),
        (leaving(lambda n: n.requires_grad_(False)), "need a gradient"),
        (returning(np.mean), "the mean over all fields"),
        (returning(list), "one number is needed"),
        (lambda network, *x: network(x[0]) @ 3, "stopped with TypeError"),
    ],
)  # fmt: skip


# 7.5 Killed, and on it goes


def state_of(training):
    return {
        "model": training.model.state_dict(),
        "optimizer": training.optimizer.state_dict(),
        "schedule": training.schedule.state_dict(),
        "losses": training.losses,
        "random": torch.get_rng_state(),
    }


def restore(training, state, without=()):
    def has(name):
        return name in state and name not in without

    for name in ("model", "optimizer", "schedule"):
        if has(name):
            getattr(training, name).load_state_dict(state[name])
    if has("losses"):
        training.losses = list(state["losses"])
    if has("random"):
        torch.set_rng_state(state["random"])


def packed(state):
    buffer = io.BytesIO()
    torch.save(state, buffer)
    return buffer.getvalue()


def save(training, disk):
    disk.write("new", packed(state_of(training)))
    disk.replace("new", "last.pt")


def load(training, disk, without=()):
    state = torch.load(io.BytesIO(disk.read("last.pt")), weights_only=True)
    restore(training, state, without)


def save_pickled(training, disk):
    state = state_of(training)
    disk.write("half", memoryview(pickle.dumps(state)))
    disk.replace("half", "whole")
    return len(training.losses)


def load_pickled(training, disk):
    state = pickle.loads(disk.read("whole"))
    restore(training, state)
    return training


def save_in_turn(training, disk):
    """Two files by turns: the newer one may be half written."""
    disk.write(f"state {len(training.losses) % 2}", packed(state_of(training)))


def load_in_turn(training, disk):
    found = []
    for name in ("state 0", "state 1"):
        try:
            found.append(torch.load(io.BytesIO(disk.read(name))))
        except Exception:
            pass
    restore(training, max(found, key=lambda state: len(state["losses"])))


def save_aside(training, disk):
    """The old file goes aside first; who loads has to look there, too."""
    try:
        disk.replace("last.pt", "old.pt")
    except FileNotFoundError:
        pass
    disk.write("last.pt", packed(state_of(training)))


def save_new_aside(training, disk):
    disk.write("new", packed(state_of(training)))
    try:
        disk.replace("last.pt", "old.pt")
    except FileNotFoundError:
        pass
    disk.replace("new", "last.pt")


def load_aside(training, disk):
    for name in ("last.pt", "old.pt"):
        try:
            state = torch.load(io.BytesIO(disk.read(name)))
            break
        except Exception:
            pass
    restore(training, state)


def loading_without(*names):
    return save, lambda training, disk: load(training, disk, names)


def save_parameters(training, disk):
    state = state_of(training)
    state["model"] = dict(training.model.named_parameters())
    disk.write("new", packed(state))
    disk.replace("new", "last.pt")


def load_parameters(training, disk):
    state = torch.load(io.BytesIO(disk.read("last.pt")))
    training.model.load_state_dict(state.pop("model"), strict=False)
    restore(training, state)


def save_and_draw(training, disk):
    save(training, disk)
    torch.rand(1)


def save_over(training, disk):
    disk.write("last.pt", packed(state_of(training)))


def save_then_copy(training, disk):
    disk.write("new", packed(state_of(training)))
    disk.write("last.pt", disk.read("new"))


def save_two(training, disk):
    state = state_of(training)
    for name in (("model",), ("optimizer", "schedule", "losses", "random")):
        disk.write("new", packed({k: state[k] for k in name}))
        disk.replace("new", f"{name[0]}.pt")


def load_two(training, disk):
    for name in ("model.pt", "optimizer.pt"):
        restore(training, torch.load(io.BytesIO(disk.read(name))))


def load_if_whole(training, disk):
    try:
        load(training, disk)
    except Exception:
        pass


def load_and_draw(training, disk):
    load(training, disk)
    torch.rand(1)


def load_other_rate(training, disk):
    load(training, disk)
    training.optimizer.param_groups[0]["lr"] = 0.2


ANSWERS["7.5"] = Answers(
    (save, load),
    [
        (save_pickled, load_pickled),
        [save_in_turn, load_in_turn],
        (save_new_aside, load_aside),
    ],
    [
        (loading_without("model"), "the weights are not those"),
        (loading_without("optimizer"), "has forgotten its past"),
        (loading_without("schedule"), "the schedule, or the learning rate"),
        (loading_without("losses"), "`losses` is not as it was"),
        (loading_without("random"), "dropout draws other numbers"),
        (
            loading_without("optimizer", "schedule", "random"),
            "has forgotten its past",
        ),
        ((save_parameters, load_parameters), "batch norm has lost"),
        ((save, load_other_rate), "the schedule, or the learning rate"),
        ((save, load_and_draw), "dropout draws other numbers"),
        ((save_and_draw, load), "changes the training that it saves"),
        ((save_over, load), "writes 'last.pt', nothing is left"),
        ((save_then_copy, load), "writes 'last.pt', nothing is left"),
        ((save_over, load_if_whole), "neither the old state nor the new"),
        ((save_two, load_two), "neither the old state nor the new"),
        ((save_aside, load), "nothing is left to go on from"),
        ((save_aside, load_aside), "and again while `save` writes 'last.pt'"),
        ((lambda t, d: d.write("a", state_of(t)), load), "a disk takes bytes"),
        ((save, lambda t, d: restore(t, d.read("last"))), "there is no file 'last'"),
        ((save, "load"), "without brackets"),
    ],
)


# 7.6 Which stage first?

MEASURED = {"decode": 5.22, "cut": 0.214, "train": 1.31}


def ms_a_clip(work, n_clips, tries, clock=time.perf_counter):
    seconds = []
    for _ in range(1 + tries):
        begin = clock()
        work()
        seconds.append(clock() - begin)
    return 1000 * min(seconds[1:]) / n_clips


def ms_by_timeit(work, n_clips, tries, clock):
    work()
    seconds = timeit.repeat(work, number=1, repeat=tries, timer=clock)
    return np.min(seconds) / n_clips * 1e3


def ms_by_tensor(work, n_clips, tries, clock):
    work()
    best = math.inf
    for _ in range(tries):
        begin = clock()
        work()
        best = min(best, clock() - begin)
    return torch.tensor(1000 * best / n_clips)


def gain(ms, stage, times):
    total = sum(ms.values())
    return total / (total - ms[stage] + ms[stage] / times)


def gain_by_shares(ms, stage, times):
    share = ms[stage] / sum(ms.values())
    return np.float64(1) / ((1 - share) + share / times)


def gain_by_dict(ms, stage, times):
    return [sum(ms.values()) / sum((ms | {stage: ms[stage] / times}).values())]


def ms_by(how):
    def timed(work, n_clips, tries, clock):
        seconds = timeit.repeat(work, number=1, repeat=1 + tries, timer=clock)
        return how(np.array(seconds), n_clips)

    return timed


def ms_by_wall(work, n_clips, tries, clock):
    return ms_a_clip(work, n_clips, tries)


def gain_by_name(ms, stage, times):
    ms = {name: ms[name] for name in ("decode", "cut", "train")}
    return gain(ms, stage, times)


def changed(at, other):
    answer = [ms_a_clip, gain, MEASURED, "decode"]
    answer[at] = other
    return tuple(answer)


ANSWERS["7.6"] = Answers(
    (ms_a_clip, gain, MEASURED, "decode"),
    [
        (ms_by_timeit, gain_by_shares, MEASURED, "decode"),
        [ms_by_tensor, gain_by_dict,
         {k: np.float32(MEASURED[k]) for k in ("train", "decode", "cut")}, "decode"],
        # a network so large that decoding is no longer the largest stage
        changed(2, MEASURED | {"train": 80})[:3] + ("train",),
    ],
    [
        (changed(0, ms_by(lambda s, n: 1000 * s.min() / n)), "for warming up"),
        (changed(0, ms_by(lambda s, n: 1000 * s[1:].mean() / n)), "a mean also holds"),
        (changed(0, ms_by(lambda s, n: 1000 * s[1:].min())), "that is for all clips"),
        (changed(0, ms_by(lambda s, n: s[1:].min() / n)), "that is seconds"),
        (changed(0, lambda w, n, t, c: ms_a_clip(w, n, t - 1, c)), "to warm up"),
        (changed(0, ms_by_wall), "the smallest of the tries"),
        (changed(0, lambda *_: 5.22), "calls the work 0 times"),
        (changed(1, gain_by_name), "KeyError"),
        (changed(1, lambda ms, s, t: t), "take as long as before"),
        (changed(1, lambda *x: 1 / gain(*x)), "turned round"),
        (changed(1, lambda ms, s, t: ms[s] - ms[s] / t), "old sum / new sum"),
        (changed(2, {"decode": 5}), "has no 'cut'; keep the names"),
        (changed(2, MEASURED | {"cut": 0}), "no time at all"),
        (changed(2, MEASURED | {"cut": [1, 2]}), "one number is needed"),
        (changed(3, "train"), "gains at most 1.24 times"),
        (changed(3, "cut"), "would mend 'cut' first"),
        (changed(3, "disk"), "one of decode, cut, train"),
    ],
)  # fmt: skip


# The examples of the texts: which part of the answer, what it gets, what it gives

PLACES = np.array([5, 0, 3, 4, 1, 2, 6])
EXAMPLES = {
    "7.1": [
        (
            1,
            (
                36_000,
                {"disk": 1e6, "memory": 5e7, "arithmetic": 2e9},
                {"disk": 2e8, "memory": 1e10, "arithmetic": 1e11},
            ),
            (0.3, 0.2, "arithmetic"),
        )
    ],
    "7.3": [
        (1, (PLACES, 3, 0, 2, 1), [[4, 2], [6]]),
        (1, (PLACES, 3, 1, 2, 1), [[1], []]),
    ],
    "7.6": [(1, ({"decode": 6, "cut": 1, "train": 3}, "decode", 2), 1.4286)],
}

# The last hints, followed to the letter: {0} is the first piece of code in the hint

FOLLOWED = {
    "0.7": (None, "def answer(flop, n_bytes, peak, rate):\n    {0}"),
    "7.1": (
        1,
        """
def answer(n_clips, clip, machine):
    {0}
    return {1} / 3600, {2} / 3600, {3}
""",
    ),
    "7.2": (
        None,
        """
def answer(items, n):
    made = queue.Queue(n)

    def load():
        try:
            {0}
            {1}
        {2} BaseException as error:
            {3}

    threading.Thread(target=load, daemon=True).start()
    while True:
        {4}
        if kind == "end":
            return
        if kind == "error":
            raise item
        yield item
""",
    ),
    "7.3": (
        1,
        """
def answer(order, batch_size, rank, n_ranks, done):
    {0}
    return [{1} for batch in batches[done:]]
""",
    ),
    "7.4": (
        None,
        """
def answer(network, samples, labels, n_most):
    network.zero_grad()
    total, bce = 0, functional.binary_cross_entropy_with_logits
    for start in range(0, len(samples), n_most):
        part, wanted = (x[start : start + n_most] for x in (samples, labels))
        {0}
        {1}
        {2}
    return total
""",
    ),
    "7.5": (
        None,
        """
def save(training, disk):
    state = dict(
        model=training.model.state_dict(),
        optimizer=training.optimizer.state_dict(),
        schedule=training.schedule.state_dict(),
        losses=training.losses,
        random=torch.get_rng_state(),
    )
    {1}
    {0}
    {2}
    {3}


def load(training, disk):
    state = torch.load(io.BytesIO(disk.read("last.pt")), weights_only=True)
    for name in ("model", "optimizer", "schedule"):
        getattr(training, name).load_state_dict(state[name])
    training.losses = list(state["losses"])
    torch.set_rng_state(state["random"])


answer = save, load
""",
    ),
    "7.6": (
        0,
        """
import timeit

def answer(work, n_clips, tries, clock):
    return 1000 * min({0}) / n_clips
""",
    ),
}
