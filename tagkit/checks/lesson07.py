"""The six tasks of lesson 07, scaling up: hints and probes.

Nothing is timed against a fixed number: what a machine needs is its own affair.
"""

import time

import numpy as np
import torch

from tagkit.checks import probes07, resume07
from tagkit.checks.engine import NotTried, call, task, untouched
from tagkit.checks.values import Wrong, number, plain, refuse_slips, several, short

N, DAY = 1_000_000, 24 * 3600
STORE, MEL = N * 349_488 * 2 / 1e9, N * 96 * 1366 * 4 / 1e9
EPFL, CAMBRIDGE = 3360 / 1800, 201_641 / 727
# Each figure of the bill, and what slips of its own give, as factors.
BILL = {
    "store in int16, GB": (STORE, []),
    "store in float32, GB": (2 * STORE, []),
    "mel bands in float32, GB": (MEL, [(1 / 96, "the bands were forgotten")]),
    "decode all once, hours": (
        N * 37.91 / 100 / 3600,
        [(100, "37.91 s are for 100 songs"), (4258 / 3791, "that is wav")],
    ),
    "EPFL, clips a second": (EPFL, [(1 / 20, "that is batches a second")]),
    "Cambridge, songs a second": (CAMBRIDGE, [(727 / 3300, "that is before")]),
    "50 epochs at EPFL's rate, days": (50 * N / EPFL / DAY, []),
    "50 epochs at Cambridge's rate, days": (
        50 * N / CAMBRIDGE / DAY,
        [(3300 / 727, "that is the rate before")],
    ),
}
UNITS = {
    "GB": [
        (2, "that is twice the bytes of a number"),
        (1 / 2, "that is half the bytes of a number"),
        (8, "that is bits; a byte has 8"),
        (1000, "that is MB"),
        (1 / 1000, "that is TB"),
        (1e9, "that is bytes"),
        (1e9 / 2**30, "a GB is 1000 MB here"),
        (1e-6, "that is one clip"),
    ],
    "hours": [(3600, "that is seconds"), (1 / 24, "that is days")],
    "second": [
        (60, "that is a minute's"),
        (1 / 60, "60 seconds are a minute"),
        (3600, "that is an hour's"),
    ],
    "days": [
        (DAY, "that is seconds"),
        (1440, "that is minutes"),
        (24, "that is hours"),
        (1 / 50, "that is one epoch"),
    ],
}


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
    if not isinstance(figures, dict) or set(figures) != set(BILL):
        what = f"`bill` is {short(figures)}"
        if isinstance(figures, dict):
            what = f"In `bill` {short(min(set(figures) ^ set(BILL), key=str))} is "
            what += "missing" if set(BILL) - set(figures) else "one too many"
        return f"{what}; a dict with the names of the cell is due."
    for name, (right, slips) in BILL.items():
        if untouched(figures[name]):
            raise NotTried(f"{name!r} is still open.")
        yours = number(figures[name], f"{name!r}")
        otherwise = "write the units beside your numbers, and see what is left"
        if np.isclose(yours, right, rtol=0.05):
            otherwise = "that is near, but more than one per cent off"
        for factor, what in [*slips, *UNITS[name.split()[-1]]]:
            if np.isclose(yours, right * factor, rtol=0.01):
                otherwise = what
        if yours > 0 and np.isclose(1 / yours, right, rtol=0.01):
            otherwise = "it is turned round: seconds for one clip"
        if not np.isclose(yours, right, rtol=0.01):
            return f"Your {name!r} is {yours:,.4g}: {otherwise}."
    kinds = ("disk", "memory", "arithmetic")
    for n, needs, gives in (
        (36_000, (1e6, 5e7, 2e9), (2e8, 1e10, 1e11)),
        (N, (7e5, 4e7, 1e9), (1e8, 9e9, 5e11)),
        (1000, (5e5, 9e8, 6e9), (5e8, 8e9, 1e11)),
    ):
        clip, machine = (dict(zip(kinds, x, strict=True)) for x in (needs, gives))
        value = several(call(epoch, n, clip, machine), 3, "The result of `epoch`")
        each = n * np.array(needs) / gives / 3600
        where = f"For {n:,} clips of {clip} on {machine}"
        for at, (what, right) in enumerate(
            (("in turn", each.sum()), ("at the same time", each.max()))
        ):
            yours = number(value[at], f"{where} your hours {what}")
            slips = [
                (right * 3600, "that is seconds"),
                (right * 60, "that is minutes"),
                (right / n, "that is one clip"),
                ((each.max(), each.sum())[at], "in turn and at the same time, mixed"),
                (each.min(), "the slowest is waited for, not the fastest"),
                (each.mean(), "nobody waits for a mean"),
                (sum(needs) / sum(gives) * n / 3600, "different units were added"),
            ]
            slips = [s for s in slips if not np.isclose(s[0], right, rtol=1e-4)]
            seen = f"{where} you get {yours:.6g} hours {what}"
            refuse_slips(yours, right, slips, seen, "add up and compare times",
                         atol=1e-6 * right)  # fmt: skip
        name = str(plain(value[2]))
        if name not in kinds:
            return f"{where} you name {name!r}; one of {', '.join(kinds)} is needed."
        if name != kinds[each.argmax()]:
            took = 3600 * each[kinds.index(name)]
            return f"{where} you name {name}, which takes {took:.4g} s; others, longer."


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
    with probes07.quiet_threads():
        probes07.probe_order(answer)
        probes07.probe_distance(answer)
        probes07.probe_error(answer)
        probes07.probe_slow(answer)


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
    resume07.probe_order(order)
    for n, size, n_ranks in ((20, 8, 1), (24, 6, 3), (23, 8, 3), (9, 4, 2), (5, 9, 4)):
        places = np.random.default_rng(n).permutation(n)
        for done in {0, 1, n // size}:
            resume07.probe_shares(shares, places, size, n_ranks, done)


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
    praise="`train.fit` does so by itself when a batch does not fit into memory.",
)
def in_parts(answer):
    probes07.probe_parts(answer)


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
    praise="Five entries and one replace are enough. `state.State` of the library "
    "does so, and keeps the best weights, too.",
)
def killed(answer):
    save, load = several(answer, 2, "Your answer")
    with torch.random.fork_rng(devices=[]):
        resume07.probe_resume(save, load)
        resume07.probe_power(save, load)


STAGES = ("decode", "cut", "train")


@task(
    "7.6",
    "Which stage first?",
    points=3,
    hints=(
        "`work()` does the work once. Look at the clock before and after each call, "
        "and keep the differences in a list; a second has 1,000 milliseconds.",
        "In `gain` only one number of the sum changes: `ms[stage]` becomes "
        "`ms[stage] / times`. Old sum divided by new sum.",
        "`timeit.repeat(work, number=1, repeat=1 + tries)[1:]` has all seconds but the "
        "first; `total / (total - ms[stage] + ms[stage] / times)` is the gain. For "
        "`first` try each stage with `math.inf`.",
    ),
    praise="Now mend it, measure again, and see which stage is the largest then.",
)
def which_first(answer):
    clock, gain, measured, first = several(answer, 4, "Your answer")
    _probe_clock(clock)
    for ms, times in (((5.0, 0.5, 1.5), 3), ((2.0, 1.0, 7.0), 2.5), ((3, 3, 2), 1),
                      ((5.0, 0.25, 2.0), float("inf"))):  # fmt: skip
        ms = dict(zip(STAGES, ms, strict=True))
        for stage in STAGES:
            total, old = sum(ms.values()), ms[stage]
            given = dict(ms)
            value = probes07.run(gain, given, stage, times)
            yours = number(value, "The result of `gain`")
            if given != ms:
                return "`gain` changes its dict, so the next call gets other times."
            new = total - old + old / times
            slips = [
                (times, "the other stages take as long as before"),
                (new / total, "it is turned round: above 1 means faster"),
                (total / (total - old), "that is for a stage that costs nothing"),
                (total / old, "that is the share of the stage, turned round"),
                (total - new, "that is the time saved; a ratio is asked for"),
                (total / max(ms.values()), "that is reading ahead, not in turn"),
            ]
            slips = [s for s in slips if abs(s[0] - total / new) > 1e-6]
            seen = f"For {ms}, {stage} {times:g} times as fast, you get {yours:.4g}"
            refuse_slips(yours, total / new, slips, seen, "old sum / new sum")
    if untouched(measured):
        raise NotTried("The functions are right; `measured` is still to be measured.")
    if not isinstance(measured, dict) or set(measured) != set(STAGES):
        return f"`measured` is {short(measured)}; a dict with {', '.join(STAGES)}."
    if any(untouched(value) for value in measured.values()):
        raise NotTried("A part of `measured` is still open.")
    ms = {name: number(value, f"Your {name!r}") for name, value in measured.items()}
    for name, value in ms.items():
        if value <= 0:
            return f"Your {name!r} is {value:.4g} ms; nothing takes no time at all."
    if ms["decode"] < 0.05 or ms["decode"] > 5000:
        return (
            f"Your 'decode' is {ms['decode']:.4g}. Can that be milliseconds for one "
            "clip of 29 s of music?"
        )
    if ms["decode"] <= ms["cut"]:
        return (
            f"Your 'decode' is {ms['decode']:.4g} ms and your 'cut' {ms['cut']:.4g}. "
            "To copy samples should take less than to compute them: are they mixed up?"
        )
    if untouched(first):
        raise NotTried("Only `first` is still open.")
    if first not in STAGES:
        return f"`first` is {short(first)}; one of {', '.join(STAGES)} is needed."
    best = sum(ms.values()) / (sum(ms.values()) - ms[first])
    if ms[first] < max(ms.values()):
        return (
            f"You would mend {first!r} first. By your own figures that gains at most "
            f"{best:.2f} times, and another stage more."
        )


def _probe_clock(clock):
    """Time a work that notes its own seconds: which of them does the answer give?"""
    for pauses, n_clips in (((10, 160, 50, 110, 80), 4), ((80, 20, 50), 1)):
        for _ in range(3):  # a busy machine gets another chance
            took = []

            def work(pauses=pauses, took=took):
                begin, busy = time.perf_counter(), time.process_time() + 0.004
                while time.process_time() < busy:
                    pass  # some work, for a processor's clock to see
                end = begin + pauses[min(len(took), len(pauses) - 1)] / 1000
                time.sleep(max(0, end - time.perf_counter()))
                took.append(time.perf_counter() - begin)

            n_tries = len(pauses) - 1
            value = probes07.run(clock, work, n_clips, n_tries)
            yours = number(value, "The result of `ms_a_clip`")
            seen = f"For {n_clips} clips and {n_tries} tries `ms_a_clip` "
            if len(took) != 1 + n_tries:
                raise Wrong(f"{seen}calls the work {len(took)} times: one to warm up, "
                            f"and the tries, are asked for.")  # fmt: skip
            rest, scale = took[1:], 1000 / n_clips
            slips = [
                (0.004, "your clock does not see the program wait"),
                (min(took), "the first call counts; it is for warming up"),
                (max(rest), "that is the slowest"),
                (rest[-1] if rest[-1] > min(rest) else 9, "that is the last"),
                (np.mean(rest), "a mean also holds what other programs took"),
                (np.median(rest), "a median also holds what other programs took"),
                (np.mean(took), "a mean also holds what other programs took"),
                (sum(rest), "that is all tries together"),
                (sum(took), "that is all calls together"),
                (min(rest) / 1000, "that is seconds; a second has 1,000 ms"),
                (min(rest) * n_clips, "that is for all clips, one is asked for"),
                (min(rest) / 1000 * n_clips, "that is seconds for all clips"),
            ]
            off = [abs(yours - scale * s) for s, _ in slips]
            mine = abs(yours - scale * min(rest))
            if mine <= 0.25 * scale * min(rest) and mine <= min(off):
                break
        else:
            text = slips[int(np.argmin(off))][1]
            if min(off) > 0.5 * yours:
                text = "compare it with the smallest of the tries"
            raise Wrong(
                f"{seen}gives {yours:.4g} ms, where the calls took "
                f"{', '.join(f'{1000 * t:.0f}' for t in took)} ms: {text}."
            )
