"""The six tasks of lesson 01, dataset analysis: hints and probes.

Each probe tries a small case with traps first, then the corpus that is in use.
"""

import tempfile
from pathlib import Path

import numpy as np
import pandas as pd

from tagkit.checks.engine import NotTried, calls, task, untouched
from tagkit.checks.values import (
    Wrong,
    number,
    per_clip,
    plain,
    refuse_slips,
    several,
    short,
    table,
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
    made = {1: "000", 2: "100", 10: "000", 11: "111", 12: "001", 13: "001"}
    made |= {14: "001", 30: "010", 31: "100"}
    table = [["clip_id", "guitar", "slow", "harp", "mp3_path"]]
    table += [[str(id), *ones, f"1/a-b-c-{id}-30.mp3"] for id, ones in made.items()]
    ends = "one clip too many; look at the first line and after the last one"
    slips = [
        ((10, 3), ends),
        ((10, 2), ends),
        ((8, 2), "one clip is missing; look at the first line and at the last one"),
        ((9, 9), "no tag was read at all; a field is read with its quotes"),
        ((9, 1), "clip 1 counts as tagged for its clip_id; look at the tags only"),
        ((9, 4), "too many are untagged; the first tag is not read"),
        ((9, 5), "too many are untagged; the last tag is not read"),
        ((9, 7), "these are the clips with a tag"),
        ((2, 9), "the number of clips comes first"),
    ]
    path = corpus.root / "annotations_final.csv"
    ones = corpus.annotations.sum(axis=1)
    with tempfile.TemporaryDirectory() as folder:
        cases = [
            (_written(folder, table), (9, 2), slips, "For a small table of 9 clips"),
            (_written(folder, EXAMPLE), (2, 1), [], "For the table of the text"),
        ]
        if path.exists():
            right = len(ones), (ones == 0).sum()
            cases.append(
                (path, right, [], f"Right for small tables. For {corpus.name}")
            )
        values = calls(answer, [case[:1] for case in cases])
        for (_, right, slips, start), value in zip(cases, values, strict=True):
            parts = several(value, 2, "Your result")
            names = "Your number of clips", "Your number of untagged clips"
            yours = [
                number(part, name) for part, name in zip(parts, names, strict=True)
            ]
            seen = f"{start} yours gives {yours[0]:g} clips, {yours[1]:g} untagged"
            refuse_slips(yours, right, slips, seen, "that is not so")


EXAMPLE = [
    ["clip_id", "guitar", "slow", "mp3_path"],
    ["2", "1", "0", "f/some_artist-some_album-01-some_title-30-59.mp3"],
    ["6", "0", "0", "c/other_artist-other_album-02-other_title-0-29.mp3"],
]


def _written(folder, lines) -> Path:
    """Write a table as annotations_final.csv is written."""
    quoted = ["\t".join(f'"{field}"' for field in line) + "\r\n" for line in lines]
    path = Path(folder) / str(len(lines)) / "annotations_final.csv"
    path.parent.mkdir()
    path.write_bytes("".join(quoted).encode("ascii"))
    return path


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
    example = pd.DataFrame({"drums": [1, 1, 0], "loud": [1, 0, 0]}, dtype="uint8")
    cases = [(small,), (example,), (corpus.labels(),)]
    for (labels,), value in zip(cases, calls(answer, cases), strict=True):
        start = f"For {len(labels):,} clips"
        names = labels.columns
        yours = table(value, names, names, f"{start} your matrix")
        values = labels.to_numpy(np.float64)
        both, n = values.T @ values, values.sum(axis=0)
        if np.nan_to_num(yours[n == 0]).any():
            raise Wrong(f"{start} the row of a tag without clips is neither nan nor 0.")
        used = np.ix_(n > 0, n > 0)
        yours, both, n = yours[used], both[used], n[n > 0, None]
        slips = [
            ((both / n).T, "rows and columns are swapped: P(b | a) is row a, column b"),
            (both, "these are counts; divide them by the clips that have tag a"),
            (both / len(labels), "you divided by all clips, not by those with tag a"),
            (both % 256 / n, "counts above 255 went wrong, because labels are uint8"),
            (both / (n + n.T - both), "you divided by the clips that have either"),
            (both / np.minimum(n, n.T), "you divided by the clips of the rarer tag"),
            (
                both / both.sum(axis=1, keepdims=True),
                "no row of P(b | a) need sum to 1",
            ),
            (np.corrcoef(values.T[labels.any()]), "these are correlations"),
        ]
        wrong = ~np.isclose(yours, both / n, rtol=0, atol=1e-6)
        row, column = np.unravel_index(wrong.argmax(), wrong.shape)
        a, b = names[labels.any()][[row, column]]
        seen = f"{start} yours has P({b} | {a}) = {yours[row, column]:.3f}"
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
    cases = [
        (_made_labels(773), 550),  # each slip gives another pair
        (_made_labels(1), 427),  # the right pair is on exactly so many clips
        (corpus.labels(), len(corpus.clips) // 4),
    ]
    for (labels, least), value in zip(cases, calls(answer, cases), strict=True):
        pair = several(value, 2, "Your pair")
        if not all(tag in list(labels) for tag in pair):
            return f"Your pair is {short(pair)}, but not both are tags of the table."
        if pair[0] == pair[1]:
            return f"Your pair is {pair[0]} and {pair[1]}; two tags are asked for."
        either, both, rules = _rules(labels, least)
        place = tuple(sorted(labels.columns.get_indexer(pair)))
        seen = (
            f"For {len(labels):,} clips, {least} of them asked for, yours is "
            f"{' and '.join(pair)}: {either[place]:.0f} clips have either, "
            f"{both[place]:.0f} have both"
        )
        if either[place] < least:
            return f"{seen}. These are too few clips; one with both counts once."
        share = np.where(either >= least, both / np.maximum(either, 1), np.inf)
        if share[place] > share.min() + 1e-12:
            slips = [f" {text}." for text, slip in rules.items() if slip == place]
            return (
                f"{seen}, a share of {share[place]:.4f}. Another pair shares less."
                + "".join(slips)
            )


def _rules(labels, least):
    """Clips with either and with both tags of each pair, and the pair of each slip."""
    values = labels.to_numpy(np.float64)
    both, n = values.T @ values, values.sum(axis=0)
    a, b = n[:, None], n
    either = np.where(np.triu(np.ones_like(both), 1), a + b - both, 0)  # each pair once
    share = both / np.maximum(either, 1)
    wrapped = both % 256 / np.maximum(either, 1)
    more = np.where(either > least, share, np.inf)
    rules = {
        "It has the smallest share of the rarer tag, not of either": both
        / np.minimum(a, b),
        "It has the smallest share of its first tag, not of either": both / a,
        "It has the smallest share of its second tag, not of either": both / b,
        "It has the fewest clips with both, not the smallest share": both,
        "It has the smallest share if counts are uint8, which ends at 255": wrapped,
        "It has the largest share": -share,
        "A pair on exactly so many clips counts, too": more,
    }
    enough = either >= max(least, 1)
    places = {}
    for text, rule in rules.items():
        least_of_all = np.where(
            enough, np.nan_to_num(rule, nan=np.inf), np.inf
        ).argmin()
        places[text] = tuple(map(int, np.unravel_index(least_of_all, both.shape)))
    return either + either.T, both, places


def _made_labels(seed):
    random = np.random.default_rng(seed)
    moods = random.normal(size=(900, 3)) @ random.normal(size=(3, 7))
    ones = moods + random.normal(size=(900, 7)) > random.uniform(-0.5, 2.5, 7)
    names = ["flute", "techno", "choir", "rock", "gong", "banjo", "fado"]
    return pd.DataFrame(ones.astype("uint8"), columns=names)


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
    example = pd.DataFrame(
        {"drum": [1, 0, 0], "slow": [0, 1, 1], "drums": [1, 1, 0]}, dtype="uint8"
    )
    cases = [
        (small, groups),
        (example, {"drum": ("drum", "drums")}),
        (corpus.annotations, tags.MERGE_GROUPS),
    ]
    for case, value in zip(cases, calls(merge, cases), strict=True):
        _judge_merged(value, *case)
    if untouched(forgotten):
        raise NotTried("The function is right; `forgotten` is still to be found.")
    named = np.ravel(plain(forgotten)).tolist()
    if not set(named) <= set(corpus.annotations):
        return f"`forgotten` is {short(forgotten)}, which is no tag of {corpus.name}."
    if named != ["female vocal"]:
        return f"`forgotten` is {short(forgotten)}: in a group, or of another meaning."


def _judge_merged(value, labels, groups):
    start = f"For {len(labels):,} clips"
    if not isinstance(value, pd.DataFrame):
        raise Wrong(f"{start} you return {short(value)}; a table with names is needed.")
    new_name = {word: name for name, group in groups.items() for word in group}
    new_name = {tag: new_name.get(tag, tag) for tag in labels}
    names = list(dict.fromkeys(new_name.values()))
    yours = table(value, labels.index, names, f"{start} your table")
    for name, column in zip(names, yours.T, strict=True):
        right = labels[[tag for tag in labels if new_name[tag] == name]].max(axis=1)
        seen = f"{start} your column {name!r} has the sum {column.sum():g}"
        if column.max() > 1:
            raise Wrong(f"{seen} and holds {column.max():g}: a clip has a tag or not.")
        if (column != right).any():
            raise Wrong(f"{seen}: any one word of its group is enough, none is not.")


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
    cases = [(made,), (corpus.clips,)]
    once, again = calls(split, cases), calls(split, cases)
    for (clips,), *both in zip(cases, once, again, strict=True):
        _judge_split(clips, *both)


def _probe_leak(leak):
    split = pd.Series([*["train"] * 5, *["valid"] * 2, *["test"] * 7], range(3, 45, 3))
    names = pd.Series([*"AABBC", *"DD", *"AAABDEF"], split.index)
    example = pd.Series(["train", "valid", "test", "test", "test"])
    cases = [(split, names), (example, pd.Series(["Ann", "Cy", "Ann", "Bo", "Cy"]))]
    slips = [
        (4 / 14, "it was divided by all clips; the test clips are asked about"),
        (5 / 7, "validation clips counted as training clips"),
        (2 / 5, "test artists were counted; clips are asked about"),
        (2 / 3, "training artists were counted; test clips are asked about"),
        (4 / 5, "training clips were counted; test clips are asked about"),
        (3 / 7, "these are the test clips whose artist is not in training"),
        (4, "that is a number of clips; a share is asked for"),
    ]
    otherwise = "among the test clips, count those whose artist is also in training"
    rights = [(4 / 7, slips), (1 / 3, [])]
    values = calls(leak, cases)
    for (parts, _), (right, slips), value in zip(cases, rights, values, strict=True):
        value = number(value, "The result of `leak`")
        seen = f"For {len(parts)} made-up clips `leak` gives {value:.4f}"
        refuse_slips(value, right, slips, seen, otherwise)


def _judge_split(clips, once, again):
    start = f"For {len(clips):,} clips"
    parts = per_clip(once, clips.index, f"{start} your split")
    if parts.isna().any():
        raise Wrong(f"{start} {parts.isna().sum()} clips are in no part, but nan.")
    strange = set(parts) - {"train", "valid", "test"}
    if strange:
        raise Wrong(
            f"{start} yours has a part {short(min(strange, key=str))}; the parts are "
            "called train, valid and test."
        )
    n_parts = parts.groupby(clips["artist"]).nunique()
    torn = n_parts.index[n_parts > 1]
    if len(torn):
        raise Wrong(
            f"{start} {len(torn)} of {len(n_parts)} artists are in more than one part, "
            f"for instance {torn[0]}."
        )
    wanted = pd.Series({"train": 12 / 16, "valid": 1 / 16, "test": 3 / 16})
    shares = parts.value_counts(normalize=True, dropna=False)
    if set(shares.index) != set(wanted.index) or (shares - wanted).abs().max() > 0.03:
        raise Wrong(
            f"{start} yours has {short(shares.round(3).to_dict())}. Each share of "
            "clips in train, valid and test may be off 12:1:3 by at most 0.03."
        )
    if (per_clip(again, clips.index, start) != parts).any():
        raise Wrong(
            f"{start} a second call gives another split. Is anything drawn without a "
            "fixed seed?"
        )


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
    example = pd.DataFrame([[1, 0, 0, 0]]), pd.DataFrame([[1, 1, 0, 0]])
    cases = [(labels, truth), tuple(table.astype("uint8") for table in example)]
    if corpus.truth is not None:
        labels = corpus.annotations.loc[corpus.truth.index, corpus.truth.columns]
        cases.append((labels, corpus.truth))
    for (labels, truth), value in zip(cases, calls(answer, cases), strict=True):
        given, true = labels.to_numpy(bool), truth.to_numpy(bool)
        rates = _rates(given, true)
        for name, part in zip(rates, several(value, 3, "Your result"), strict=True):
            right, slips = rates[name]
            slips += [
                (rate, f"mind the order: that is the {other}")
                for other, (rate, _) in rates.items()
                if other != name
            ]
            yours = number(part, f"Your {name}")
            seen = f"For {len(labels):,} clips your {name} is {yours:.4f}"
            otherwise = "which fields are asked about, and which share of them?"
            refuse_slips(yours, right, slips, seen, otherwise)


def _rates(given, true):
    """The three rates of labels and truth, each with the slips that belong to it."""
    missed, false, agree = true & ~given, given & ~true, given == true
    wrapped = "in uint8 0 - 1 is 255; compare, do not subtract"
    by_tag = "that is the mean over tags; all fields count alike"
    all_fields = "it was divided by all fields"
    with np.errstate(all="ignore"):
        of_tags = np.nanmean(missed.sum(0) / true.sum(0))
        false_of_tags = np.nanmean(false.sum(0) / (~true).sum(0))
    return {
        "miss rate": (
            missed.sum() / true.sum(),
            [
                (missed.mean(), all_fields),
                (
                    missed.sum() / (~given).sum(),
                    "it was divided by the zeros in labels",
                ),
                ((missed.sum() + 255 * false.sum()) / true.sum(), wrapped),
                (of_tags, by_tag),
                (false.sum() / given.sum(), "labels and truth are swapped"),
                (given[true].mean(), "that is the share that was found"),
            ],
        ),
        "false alarm rate": (
            false.sum() / (~true).sum(),
            [
                (false.mean(), all_fields),
                (false.sum() / given.sum(), "it was divided by the ones in the labels"),
                ((false.sum() + missed.sum()) / (~true).sum(), wrapped),
                ((false.sum() + 255 * missed.sum()) / (~true).sum(), wrapped),
                (false_of_tags, by_tag),
                (missed.sum() / (~given).sum(), "labels and truth are swapped"),
            ],
        ),
        "accuracy of predicting nothing": (
            (~given).mean(),
            [
                ((~true).mean(), "that compares zeros with the truth, not with labels"),
                (agree.mean(), "that compares the labels with the truth"),
                (given.mean(), "that is the share of ones"),
            ],
        ),
    }
