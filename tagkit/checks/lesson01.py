"""The six tasks of lesson 01, dataset analysis: hints and probes.

Each probe tries a small case with traps first, then the corpus that is in use.
"""

import tempfile
from pathlib import Path

import numpy as np
import pandas as pd

from tagkit.checks.engine import NotTried, call, task, untouched
from tagkit.checks.values import (
    Wrong,
    number,
    per_clip,
    refuse_slips,
    several,
    short,
    table,
    words,
)
from tagkit.data import tags


@task(
    "1.1",
    "Read the table by hand",
    points=2,
    hints=(
        "Read the whole text, take it apart into lines, and each line at the TABs. "
        "Print the first two lines with `repr`: it shows every sign.",
        'A field keeps its quotes: a given tag reads `"1"`, which is not `1`. The '
        "first line holds names, and the text ends with an end of line.",
        'For each line after the first: `fields = line.split("\\t")`, and the clip is '
        "untagged if `'\"1\"'` is not in `fields[1:-1]`.",
    ),
    praise="pandas needs one line for this. Now you know what it has to care for.",
)
def read_by_hand(answer, corpus):
    made = {1: "000", 2: "100", 10: "000", 11: "111", 12: "001", 30: "010"}
    lines = [["clip_id", "guitar", "slow", "harp", "mp3_path"]]
    lines += [[str(id), *ones, f"1/a-b-c-{id}-30.mp3"] for id, ones in made.items()]
    text = "".join("\t".join(f'"{x}"' for x in line) + "\r\n" for line in lines)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "annotations_final.csv"
        path.write_bytes(text.encode("ascii"))
        slips = [
            ((2, 6), "they are the wrong way round, clips come first"),
            ((6, 6), "no tag was found at all; a field is read with its quotes"),
            ((6, 1), "clip 1 counts as tagged for its clip_id; look at the tags only"),
            ((6, 3), "too many are untagged; where do your tags begin and end?"),
        ]
        one_more = "one clip too many; look at the first line and after the last one"
        slips += [((7, untagged), one_more) for untagged in range(8)]
        _probe_counts(answer, path, (6, 2), slips, "For a small table of 6 clips")
    path = corpus.root / "annotations_final.csv"
    ones = corpus.annotations.sum(axis=1)
    if path.exists():
        seen = f"Right on a small table, but for {corpus.name}"
        _probe_counts(answer, path, (len(ones), (ones == 0).sum()), [], seen)


def _probe_counts(answer, path, right, slips, where):
    clips, untagged = several(call(answer, path), 2, "Your result")
    yours = number(clips, "Your n_clips"), number(untagged, "Your n_untagged")
    seen = f"{where} yours gives {yours[0]:g} clips, {yours[1]:g} of them untagged"
    refuse_slips(yours, right, slips, seen, "that is not so")


@task(
    "1.2",
    "Which tags come together",
    points=3,
    hints=(
        "Count first, divide afterwards: how many clips have both tags of a pair, and "
        "how many have tag a?",
        "For a matrix of labels, `values.T @ values` counts all pairs at once, each "
        "tag alone in its diagonal. Mind the type: after 255 a uint8 goes on with 0.",
        "Make the values float, and divide each row by its own element of the "
        "diagonal: `both / np.diag(both)[:, None]`.",
    ),
    praise="Now look for rows in which one column is nearly 1.",
)
def together(answer, corpus):
    ones = np.random.default_rng(12).random((700, 6)) < [0.9, 0.7, 0.3, 0.05, 0.001, 0]
    names = ["loud", "drums", "slow", "harp", "gong", "kazoo"]
    small = pd.DataFrame(ones.astype(np.uint8), range(2, 2102, 3), names)
    for labels, where in (
        (small, "For a small table of 700 clips"),
        (corpus.labels(), f"For {corpus.name}"),
    ):
        names = labels.columns
        yours = table(call(answer, labels), names, names, f"{where} your matrix")
        values = labels.to_numpy(np.float64)
        both, n = values.T @ values, values.sum(axis=0)
        if np.isinf(yours).any() or np.nan_to_num(yours[n == 0]).any():
            raise Wrong(f"{where} the row of a tag without clips is neither nan nor 0.")
        used = np.ix_(n > 0, n > 0)
        yours, both, n = yours[used], both[used], n[n > 0, None]
        wrapped = "counts above 255 went wrong, because labels are uint8"
        slips = [
            ((both / n).T, "rows and columns are swapped: P(b | a) is row a, column b"),
            (both, "these are counts; divide them by the clips that have tag a"),
            (both / len(labels), "you divided by all clips, not by those with tag a"),
            (both / (n + n.T - both), "you divided by the clips with either tag"),
            (both / n - np.eye(len(n)), "the diagonal is 0; what is P(a | a)?"),
            (both % 256 / n, wrapped),
            (both % 256 / (n % 256), wrapped),
        ]
        row, column = np.unravel_index(np.argmax(yours != both / n), both.shape)
        a, b = (names[labels.any()][at] for at in (row, column))
        seen = f"{where} yours has P({b} | {a}) = {yours[row, column]:.3f}"
        otherwise = f"of the clips that have {a}, which share has {b}?"
        refuse_slips(yours, both / n, slips, seen, otherwise)


@task(
    "1.3",
    "Two tags that hardly meet",
    points=3,
    hints=(
        "Go through all pairs once: `itertools.combinations(labels.columns, 2)`. "
        "`tags.pair_counts(labels, a, b)` counts either and both.",
        "Leave out the pairs with too few clips, where a clip with both tags counts "
        "once. Among the others compare both divided by either.",
        "`min(pairs, key=share)`, where `pairs` holds the pairs with enough clips and "
        '`share(pair)` gives `counts["both"] / counts["either"]`.',
    ),
    praise="With two tags like these a first network has an honest, easy task.",
)
def hardly_meet(answer, corpus):
    r = range
    traps = {"flute": r(40), "techno": r(38, 61), "banjo": r(90, 95)}
    traps |= {"gong": r(95, 100), "choir": r(37, 68), "rock": r(8, 38)}
    ratio = {"flute": [*r(11), *r(100, 110)], "choir": r(60), "rock": r(58, 120)}
    ratio |= {"techno": [109, *r(11, 26), *r(85, 99)]}
    traps, ratio = (
        pd.DataFrame({tag: np.isin(r(n), rows) for tag, rows in made.items()})
        for n, made in ((100, traps), (120, ratio))
    )
    for labels, least, where in (
        (traps.astype("uint8"), 61, "a small table"),
        (ratio.astype("uint8"), 50, "another small table"),
        (corpus.labels(), len(corpus.clips) // 4, corpus.name),
    ):
        pair = words(call(answer, labels, least), 2, "Your pair")
        if not set(pair) <= set(labels):
            return f"Your pair is {short(pair)}, but not both are tags of the table."
        at = tuple(labels.columns.get_indexer(pair))
        values = labels.to_numpy(np.float64)
        both, n = values.T @ values, values.sum(axis=0)
        either = n[:, None] + n - both
        share = np.where(either >= least, both / np.maximum(either, 1), np.inf)
        np.fill_diagonal(share, np.inf)
        seen = (
            f"For {where}, with {least} clips asked for, yours is {' and '.join(pair)}:"
            f" {either[at]:.0f} clips have either, {both[at]:.0f} have both"
        )
        if at[0] == at[1]:
            return f"{seen}. That is one tag; two are needed."
        if either[at] < least:
            return f"{seen}. These are too few clips; one with both counts once."
        if share[at] > share.min() + 1e-12:
            return f"{seen}, a share of {share[at]:.4f}. Another pair shares less."


@task(
    "1.4",
    "One word for one thing",
    points=3,
    hints=(
        "For each group find its words that are columns of the table; a word may be "
        "missing. For `forgotten`, print the tags that stand in no group.",
        "A clip called both drum and drums has drums once: take the largest of the "
        "columns, not their sum. For `forgotten`, look at the words for singers.",
        "`labels[present].max(axis=1)` is the new column; drop the columns `present` "
        "and add it. The forgotten tag joins two words that stand in other pairs.",
    ),
    praise="Count the tags that are left, and see how the largest ones have grown.",
)
def one_word(answer, corpus):
    merge, forgotten = several(answer, 2, "Your answer")
    columns = ["drum", "slow", "woman", "drums", "female vocal", "no voice"]
    rows = [[1, 0, 1, 1, 1, 0], [0, 1, 0, 1, 0, 0], [1, 0, 0, 0, 1, 1], [0] * 6]
    small = pd.DataFrame(rows, index=[4, 2, 9, 7], columns=columns, dtype="uint8")
    groups = {
        "drum": ("drum", "drums"),
        "female": ("female", "female vocal", "woman"),
        "no singer": ("no voice", "instrumental"),
        "horn": ("horn", "horns"),
    }
    _probe_merge(merge, small, groups, "For a small table")
    _probe_merge(merge, corpus.annotations, tags.MERGE_GROUPS, f"For {corpus.name}")
    if untouched(forgotten):
        raise NotTried("The function is right; `forgotten` is still to be found.")
    (tag,) = words([forgotten] if isinstance(forgotten, str) else forgotten, 1, "It")
    if tag not in corpus.annotations:
        return f"`forgotten` is {tag!r}, which is no tag of {corpus.name}."
    if tag != "female vocal":
        return f"`forgotten` is {tag!r}: in a group already, or of another meaning."


def _probe_merge(merge, labels, groups, where):
    value = call(merge, labels, groups)
    if not isinstance(value, pd.DataFrame):
        raise Wrong(f"{where} you return {short(value)}; a table with names is needed.")
    new_name = {word: name for name, group in groups.items() for word in group}
    new_name = {tag: new_name.get(tag, tag) for tag in labels}
    names = list(dict.fromkeys(new_name.values()))
    for tag in value:
        if tag in labels and tag not in names:
            raise Wrong(
                f"{where} {tag!r} is still a column, but its group replaces it."
            )
    yours = table(value, labels.index, names, f"{where} your table")
    for name, column in zip(names, yours.T, strict=True):
        right = labels[[tag for tag in labels if new_name[tag] == name]].max(axis=1)
        seen = f"{where} your column {name!r} has the sum {column.sum():g}"
        if column.max() > 1:
            raise Wrong(f"{seen} and holds {column.max():g}: a clip has a tag or not.")
        if not (column >= right).all():
            raise Wrong(f"{seen}, too few: one word of a group is enough for a clip.")
        if (column > right).any():
            raise Wrong(f"{seen}: ones stand where no word of the group is given.")


@task(
    "1.5",
    "A split that does not leak",
    points=5,
    hints=(
        "`leak`: list the artists in training, then take the share of test clips "
        "whose artist is in that list. `artist_split`: give out whole artists.",
        "Count the clips of each artist with `value_counts`. Give the artists out one "
        "by one, the largest first, and watch how many clips each part has.",
        "Always give the next artist to the part that lacks most, measured against "
        "its share: `max(shares, key=lambda part: shares[part] - got[part] / n)`. "
        'Then `clips["artist"].map(part_of)`.',
    ),
    praise="Compare what `leak` says of the folders, of a random split and of yours.",
)
def no_leak(answer, corpus):
    leak, split = several(answer, 2, "Your answer")
    _probe_leak(leak)
    random = np.random.default_rng(5)
    sizes = random.integers(2, 14, 90)
    artist = random.permutation(np.repeat([f"artist {i}" for i in range(90)], sizes))
    made = {name: random.permutation(artist) for name in corpus.clips}
    made = pd.DataFrame(made | {"artist": artist}, np.arange(sizes.sum()) * 2 + 5)
    made["mp3_path"] = [f"{i % 16:x}/{i // 3}-0-29.mp3" for i in range(len(made))]
    try:
        _probe_split(split, made, f"For {len(made)} made-up clips")
        _probe_split(split, corpus.clips, f"For the clips of {corpus.name}")
    except NotTried as reason:
        raise NotTried(f"`leak` is right. {reason}") from None


def _probe_leak(leak):
    split = pd.Series([*["train"] * 5, *["valid"] * 2, *["test"] * 7], range(3, 45, 3))
    names = pd.Series([*"AABBC", *"DD", *"AAABDEF"], split.index)
    value = number(call(leak, split, names), "The result of `leak`")
    slips = [
        (4 / 14, "it was divided by all clips; the test clips are asked about"),
        (5 / 7, "validation clips counted as training clips"),
        (2 / 5, "test artists were counted; clips are asked about"),
        (2 / 3, "training artists were counted; test clips are asked about"),
        (4 / 5, "training clips were counted; test clips are asked about"),
    ]
    seen = f"For 14 made-up clips `leak` gives {value:.4f}"
    otherwise = "among the test clips, count those whose artist is also in training"
    refuse_slips(value, 4 / 7, slips, seen, otherwise)
    clean = number(call(leak, split, names.mask(split == "test", "Z")), "Your leak")
    refuse_slips(clean, 0, [], f"`leak` gives {clean:.4f}", "all test artists are new")


def _probe_split(split, clips, where):
    parts = per_clip(call(split, clips), clips.index, f"{where} your split")
    wanted = {"train": 12 / 16, "valid": 1 / 16, "test": 3 / 16}
    for part in parts.unique():
        if part not in wanted:
            raise Wrong(f"{where} a part is {short(part)}; use train, valid and test.")
    homes = parts.groupby(clips["artist"]).agg(lambda part: sorted(set(part)))
    torn = homes[homes.str.len() > 1]
    if len(torn):
        raise Wrong(
            f"{where} {len(torn)} of {len(homes)} artists are in more than one part, "
            f"for instance {torn.index[0]} in {' and '.join(torn.iloc[0])}."
        )
    got = {part: float((parts == part).mean()) for part in wanted}
    if any(abs(got[part] - wanted[part]) > 0.03 for part in wanted):
        shares = ", ".join(f"{part} {share:.3f}" for part, share in got.items())
        raise Wrong(
            f"{where} your parts hold these shares of the clips: {shares}. Each may "
            "be off 12:1:3 by at most 0.03. Count clips, not artists."
        )
    if (per_clip(call(split, clips), clips.index, where) != parts).any():
        raise Wrong(f"{where} a second call gives another split; fix its seed.")


@task(
    "1.6",
    "How wrong are the labels?",
    points=3,
    hints=(
        "Two kinds of fields matter in `truth`: those with 1 and those with 0. Each of "
        "the first two rates looks at one kind only.",
        "A miss is a 0 in the labels where the truth is 1: divide by the ones of the "
        "truth. Do not subtract the tables: in uint8, 0 - 1 is 255.",
        "With numpy arrays, `miss = 1 - labels[truth == 1].mean()`; the false alarms "
        "are alike; the third is the share of zeros in `labels`.",
    ),
    praise="Which of the first two matters more? Count the fields behind each.",
)
def label_noise(answer, corpus):
    random = np.random.default_rng(16)
    truth = random.random((300, 4)) < [0.5, 0.3, 0.1, 0.05]
    labels = random.random(truth.shape) < np.where(truth, 0.6, 0.03)
    truth, labels = (pd.DataFrame(x.astype("uint8")) for x in (truth, labels))
    _probe_rates(answer, labels, truth, "For a small table")
    if corpus.truth is not None:
        labels = corpus.annotations.loc[corpus.truth.index, corpus.truth.columns]
        _probe_rates(answer, labels, corpus.truth, f"For {corpus.name}")


def _probe_rates(answer, labels, truth, where):
    value = several(call(answer, labels, truth), 3, "Your result")
    given, true = labels.to_numpy(bool), truth.to_numpy(bool)
    missed, false = (true & ~given).sum(), (given & ~true).sum()
    rates = {
        "miss rate": (missed, true.sum()),
        "false alarm rate": (false, (~true).sum()),
        "accuracy of predicting nothing": ((~given).sum(), given.size),
    }
    for (name, (count, n)), part in zip(rates.items(), value, strict=True):
        yours = number(part, f"{where} your {name}")
        others = [a / b for a, b in rates.values() if (a, b) != (count, n)]
        slips = [(other, "mind the order of the three") for other in others] + [
            (100 * count / n, "not per cent, a share is needed"),
            (1 - count / n, "that is the opposite"),
            ((~true).mean(), "it is asked of the labels, not of the truth"),
            (count / given.size, "it was divided by all fields"),
            (count / given.sum(), "it was divided by the ones in the labels"),
            (count / true.sum(), "it was divided by the ones in the truth"),
            (false / given.sum(), "the labels and the truth are swapped"),
        ]
        odd = "which fields are asked about?" if 0 <= yours <= 1 else "mind uint8"
        refuse_slips(
            yours, count / n, slips, f"{where} your {name} is {yours:.4f}", odd
        )
