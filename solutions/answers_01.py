"""Right and wrong answers to the tasks of lesson 01, for the tests of their probes.

Spoilers: learners, look into `hint` first. A wrong answer stands beside a part of
the message that it must get.
"""

import csv
import decimal
import fractions
import itertools

import numpy as np
import pandas as pd
import torch

from tagkit.checks.engine import Answers
from tagkit.data import tags

ANSWERS: dict[str, Answers] = {}


# 1.1 Read the table by hand


def by_lines(path):
    lines = path.read_text().splitlines()[1:]
    rows = [line.split("\t")[1:-1] for line in lines]
    return len(rows), sum('"1"' not in row for row in rows)


def by_csv(path):
    with open(path, newline="") as file:
        _, *rows = csv.reader(file, delimiter="\t")
    return [len(rows), sum(set(row[1:-1]) == {"0"} for row in rows)]


def by_pandas(path):
    ones = pd.read_csv(path, sep="\t").iloc[:, 1:-1].sum(axis=1)
    return pd.Series([len(ones), (ones == 0).sum()])


def counts_header(path):
    rows = [line.split("\t")[1:-1] for line in path.read_text().splitlines()]
    return len(rows), sum('"1"' not in row for row in rows)


def counts_end(path):
    lines = path.read_bytes().decode().split("\r\n")[1:]
    return len(lines), sum('"1"' not in line.split("\t")[1:-1] for line in lines)


def forgets_quotes(path):
    rows = [line.split("\t") for line in path.read_text().splitlines()[1:]]
    return len(rows), sum("1" not in row[1:-1] for row in rows)


def counts_clip_id(path):
    lines = path.read_text().splitlines()[1:]
    return len(lines), sum('"1"' not in line for line in lines)


def forgets_first_tag(path):
    rows = [line.split("\t")[2:-1] for line in path.read_text().splitlines()[1:]]
    return len(rows), sum('"1"' not in row for row in rows)


ANSWERS["1.1"] = Answers(
    by_lines,
    [by_csv, by_pandas, lambda path: torch.tensor(by_lines(path))],
    [
        (counts_header, "10 clips, 3 untagged: one clip too many"),
        (counts_end, "one clip too many"),
        (forgets_quotes, "read with its quotes"),
        (counts_clip_id, "clip 1 counts as tagged"),
        (forgets_first_tag, "the first tag is not read"),
        (
            lambda path: by_lines(path)[::-1],
            "2 clips, 9 untagged: the number of clips comes first",
        ),
        (lambda path: by_lines(path)[0], "2 parts are needed"),
        (lambda path: (9, 2), "For the table of the text yours gives 9"),
        (lambda path: by_lines(path.parent / "nowhere.csv"), "FileNotFoundError"),
    ],
)


# 1.2 Which tags come together


def by_product(labels):
    values = labels.to_numpy(float)
    both = values.T @ values
    return pd.DataFrame(both / np.diag(both)[:, None], labels.columns, labels.columns)


def by_loop(labels):
    rows = {}
    for a in labels:
        chosen = labels[labels[a] == 1]
        rows[a] = chosen.mean() if len(chosen) else chosen.sum()
    return pd.DataFrame(rows).T


def by_tensor(labels):
    values = torch.tensor(labels.to_numpy(), dtype=torch.float64, requires_grad=True)
    both = torch.einsum("ca,cb->ab", values, values)
    return both / values.sum(dim=0).clamp(min=1)[:, None]


def turned_names(labels):
    return by_product(labels).iloc[::-1, ::-1]


def in_uint8(labels):
    values = labels.to_numpy()
    return (values.T @ values) / np.maximum(values.sum(axis=0)[:, None], 1)


def of_either(labels):
    values = labels.to_numpy(float)
    both, n = values.T @ values, values.sum(axis=0)
    return both / np.maximum(n[:, None] + n - both, 1)


def divides_by_zero(labels):
    given = by_product(labels)
    return given.mask(given.isna(), np.inf)


def nothing_for_few_clips(labels):
    if len(labels) > 600:
        return None
    return by_product(labels)


def fills_its_argument(labels):
    labels["loud"] = 1
    return by_product(labels)


ANSWERS["1.2"] = Answers(
    by_product,
    [
        by_loop,
        by_tensor,
        turned_names,
        tags.cooccurrence,
        lambda labels: np.nan_to_num(by_product(labels)).tolist(),
    ],
    [
        (lambda labels: by_product(labels).T.fillna(0), "rows and columns are swapped"),
        (lambda labels: labels.astype(int).T @ labels.astype(int), "these are counts"),
        (lambda labels: labels.astype(float).T @ labels / len(labels), "by all clips"),
        (of_either, "the clips that have either"),
        (in_uint8, "counts above 255"),
        (divides_by_zero, "neither nan nor 0"),
        (lambda labels: labels.corr(), "= "),
        (lambda labels: by_product(labels.iloc[:, 1:]), "has no row 'loud'"),
        (lambda labels: by_product(labels).to_numpy()[0], "has shape (6,)"),
        (lambda labels: by_product(labels.head(300)), "which share has"),
        (nothing_for_few_clips, "Is a `return` missing?"),
        (fills_its_argument, "changes `labels`"),
    ],
)


# 1.3 Two tags that hardly meet


def all_pairs(labels):
    for a, b in itertools.combinations(labels.columns, 2):
        counts = tags.pair_counts(labels, a, b)
        yield (a, b), counts["either"], counts["both"]


def least_share(labels, n_clips):
    rows = [row for row in all_pairs(labels) if row[1] >= n_clips]
    return min(rows, key=lambda row: row[2] / row[1])[0]


def by_matrices(labels, n_clips):
    values = labels.to_numpy(float)
    return by_both(labels, n_clips, values.T @ values)


def by_both(labels, n_clips, both):
    n = labels.to_numpy().sum(axis=0, dtype=float)
    either = np.add.outer(n, n) - both
    share = np.where(either < n_clips, 2, both / np.maximum(either, 1))
    np.fill_diagonal(share, 2)
    return labels.columns[list(np.unravel_index(share.argmin(), share.shape))]


def forgets_limit(labels, n_clips):
    return min(all_pairs(labels), key=lambda row: row[2] / max(row[1], 1))[0]


def counts_both_twice(labels, n_clips):
    rows = [row for row in all_pairs(labels) if row[1] + row[2] >= n_clips]
    return min(rows, key=lambda row: row[2] / row[1])[0]


def by_score(score):
    """The pair of enough clips with the least score of (both, n_a, n_b, either)."""

    def pair(labels, n_clips):
        n = labels.sum()
        rows = [row for row in all_pairs(labels) if row[1] >= n_clips]
        return min(rows, key=lambda r: score(r[2], n[r[0][0]], n[r[0][1]], r[1]))[0]

    return pair


def in_uint8(labels, n_clips):
    values = labels.to_numpy()
    return by_both(labels, n_clips, values.T @ values)


ANSWERS["1.3"] = Answers(
    least_share,
    [
        by_matrices,
        lambda labels, n_clips: list(least_share(labels, n_clips))[::-1],
        lambda labels, n_clips: set(least_share(labels, n_clips)),
    ],
    [
        (forgets_limit, "too few clips"),
        (counts_both_twice, "one with both counts once"),
        (by_score(lambda both, a, b, either: both), "Another pair shares less"),
        (by_score(lambda both, a, b, either: -both / either), "shares less"),
        (by_score(lambda both, a, b, either: both / min(a, b)), "shares less"),
        (by_score(lambda both, a, b, either: both / a), "shares less"),
        (by_score(lambda both, a, b, either: both / b), "shares less"),
        (in_uint8, "yours is"),
        (
            lambda labels, n_clips: (labels.columns[0],) * 2,
            "Your pair is flute and flute",
        ),
        (lambda labels, n_clips: ("Flute", "techno"), "not both are tags"),
        (lambda labels, n_clips: (0, 1), "not both are tags"),
        (lambda labels, n_clips: "flute techno", "2 parts are needed"),
        (lambda labels, n_clips: ("flute", "techno"), "yours is flute and techno"),
    ],
)


# 1.4 One word for one thing


def by_largest(labels, groups):
    merged = labels.copy()
    for name, words in groups.items():
        present = [word for word in words if word in labels]
        if present:
            column = labels[present].max(axis=1)
            merged = merged.drop(columns=present)
            merged[name] = column
    return merged


def by_any(labels, groups):
    name_of = {word: name for name, words in groups.items() for word in words}
    new = [name_of.get(tag, tag) for tag in labels]
    return labels.astype(bool).T.groupby(new).any().T


def by_sum(labels, groups):
    name_of = {word: name for name, words in groups.items() for word in words}
    return labels.T.groupby([name_of.get(tag, tag) for tag in labels]).sum().T


def by_all(labels, groups):
    name_of = {word: name for name, words in groups.items() for word in words}
    return labels.T.groupby([name_of.get(tag, tag) for tag in labels]).min().T


def keeps_words(labels, groups):
    merged = labels.copy()
    for name, words in groups.items():
        present = [word for word in words if word in labels]
        if present:
            merged[name] = labels[present].max(axis=1)
    return merged


def renames_only(labels, groups):
    name_of = {word: name for name, words in groups.items() for word in words}
    merged = labels.rename(columns=name_of)
    return merged.loc[:, ~merged.columns.duplicated()]


def wants_every_word(labels, groups):
    return pd.DataFrame({name: labels[[*w]].max(axis=1) for name, w in groups.items()})


def forgets_axis(labels, groups):
    merged = labels.drop(columns=[w for w in sum(groups.values(), ()) if w in labels])
    for name, words in groups.items():
        present = [word for word in words if word in labels]
        if present:
            merged[name] = labels[present].max()
    return merged


def loses_the_rest(labels, groups):
    return by_largest(labels, groups)[[name for name in groups if name != "horn"]]


ANSWERS["1.4"] = Answers(
    (by_largest, "female vocal"),
    [
        (by_any, "female vocal"),
        [lambda labels, groups: by_largest(labels, groups).iloc[::-1], "female vocal"],
        (by_largest, ["female vocal"]),
    ],
    [
        ((by_sum, "female vocal"), "holds 2: a clip has a tag or not"),
        ((by_all, "female vocal"), "one word of its group is enough"),
        ((keeps_words, "female vocal"), "which does not belong"),
        ((renames_only, "female vocal"), "one word of its group is enough"),
        ((wants_every_word, "female vocal"), "KeyError"),
        ((forgets_axis, "female vocal"), "one word of its group is enough"),
        ((loses_the_rest, "female vocal"), "has no column 'slow'"),
        (
            (lambda x, groups: by_any(x, groups).to_numpy(), "female vocal"),
            "with names",
        ),
        ((by_largest, "woman"), "in a group"),
        ((by_largest, "femal vocal"), "which is no tag"),
        ((by_largest, "no vocals"), "of another meaning"),
        ((by_largest, ["woman", "female vocal"]), "in a group"),
        (by_largest, "2 parts are needed"),
    ],
)


# 1.5 A split that does not leak


def share_of_clips(split, artists):
    known = set(artists[split == "train"])
    test = artists[split == "test"]
    return sum(artist in known for artist in test) / len(test)


def share_of_artists(split, artists):
    train, test = set(artists[split == "train"]), set(artists[split == "test"])
    return len(train & test) / len(test)


def share_of_all(split, artists):
    known = artists.isin(artists[split == "train"])
    return (known & (split == "test")).mean()


def share_with_valid(split, artists):
    return artists[split == "test"].isin(artists[split != "test"]).mean()


SHARES = {"train": 12 / 16, "valid": 1 / 16, "test": 3 / 16}


def by_need(clips, column="artist", shares=SHARES):
    part_of, got = {}, dict.fromkeys(shares, 0)
    for name, n in clips[column].value_counts().items():
        part = max(shares, key=lambda p: shares[p] - got[p] / len(clips))
        part_of[name], got[part] = part, got[part] + n
    return clips[column].map(part_of)


def by_running_sum(clips):
    counts = clips["artist"].value_counts().sort_index()
    end = counts.cumsum() / len(clips)
    parts = np.where(end <= 0.75, "train", np.where(end <= 0.82, "valid", "test"))
    return clips["artist"].map(dict(zip(counts.index, parts, strict=True))).tolist()


def by_clip(clips):
    return tags.random_split(clips.index)


def by_row(clips):
    place = np.arange(len(clips)) / len(clips)
    return np.where(place < 0.75, "train", np.where(place < 0.8125, "valid", "test"))


def without_seed(clips):
    artists = np.random.default_rng().permutation(clips["artist"].unique())
    order = {artist: place for place, artist in enumerate(artists)}
    turn = clips["artist"].map(order).sort_values(kind="stable")
    sums = pd.Series(np.arange(len(turn)) / len(turn), turn.index)
    start = sums.groupby(turn).transform("min").loc[clips.index]
    return np.where(start < 0.75, "train", np.where(start < 0.81, "valid", "test"))


ANSWERS["1.5"] = Answers(
    (share_of_clips, by_need),
    [
        (tags.overlap, lambda clips: by_need(clips).to_dict()),
        (lambda *x: torch.tensor(share_of_clips(*x)), by_running_sum),
        [share_of_clips, lambda clips: by_need(clips).iloc[::-1].to_frame()],
        (share_of_clips, lambda clips: by_need(clips).reset_index(drop=True)),
    ],
    [
        ((share_of_artists, by_need), "test artists were counted"),
        ((share_of_all, by_need), "divided by all clips"),
        ((share_with_valid, by_need), "validation clips counted"),
        ((lambda *x: "a lot", by_need), "one number is needed"),
        ((share_of_clips, by_clip), "artists are in more than one part"),
        ((share_of_clips, by_row), "artists are in more than one part"),
        ((share_of_clips, lambda c: by_need(c, "album")), "in more than one part"),
        ((share_of_clips, lambda c: by_need(c).iloc[3:]), "3 of 632 are missing"),
        (
            (share_of_clips, lambda c: by_need(c).replace("valid", "val")),
            "has a part 'val'",
        ),
        (
            (
                share_of_clips,
                lambda c: by_need(c, shares={"train": 0.8, "valid": 0.1, "test": 0.1}),
            ),
            "'train': 0.8",
        ),
        (
            (share_of_clips, lambda c: pd.Series("train", c.index)),
            "'train': 1.0",
        ),
        ((share_of_clips, without_seed), "a second call gives another split"),
        (
            (share_of_clips, lambda c: c["artist"]),
            "the parts are called train, valid and test",
        ),
    ],
)


# 1.6 How wrong are the labels?


def three_rates(labels, truth):
    given, true = labels.to_numpy(), truth.to_numpy()
    return 1 - given[true == 1].mean(), given[true == 0].mean(), 1 - given.mean()


def by_counting(labels, truth):
    n_true = int((truth == 1).sum().sum())
    missed = int(((truth == 1) & (labels == 0)).sum().sum())
    false = int(((truth == 0) & (labels == 1)).sum().sum())
    nothing = int((labels == 0).sum().sum()) / labels.size
    return [missed / n_true, false / (truth.size - n_true), nothing]


def of_labels(labels, truth):
    given, true = labels.to_numpy(), truth.to_numpy()
    return three_rates(labels, truth)[0], 1 - true[given == 1].mean(), 1 - given.mean()


def of_fields(labels, truth):
    missed = ((truth == 1) & (labels == 0)).to_numpy().mean()
    return missed, *three_rates(labels, truth)[1:]


def false_of_fields(labels, truth):
    false = ((truth == 0) & (labels == 1)).to_numpy().mean()
    miss, _, nothing = three_rates(labels, truth)
    return miss, false, nothing


def by_subtraction(labels, truth):
    difference = truth.to_numpy() - labels.to_numpy()
    return difference.sum() / truth.to_numpy().sum(), *three_rates(labels, truth)[1:]


ANSWERS["1.6"] = Answers(
    three_rates,
    [
        by_counting,
        lambda labels, truth: np.array(three_rates(labels, truth)),
        lambda *both: dict(zip("mfn", three_rates(*both), strict=True)),
        lambda *both: torch.tensor(three_rates(*both)),
        lambda *both: [fractions.Fraction(float(x)) for x in three_rates(*both)],
        lambda *both: [decimal.Decimal(float(x)) for x in three_rates(*both)],
    ],
    [
        (of_labels, "your false alarm rate is"),
        (of_labels, "divided by the ones in the labels"),
        (of_fields, "your miss rate is"),
        (false_of_fields, "divided by all fields"),
        (by_subtraction, "in uint8 0 - 1 is 255"),
        (lambda *both: [1 - x for x in three_rates(*both)], "that was found"),
        (lambda x, y: three_rates(y, x), "labels and truth are swapped"),
        (lambda *both: three_rates(*both)[::-1], "mind the order"),
        (lambda *both: three_rates(*both)[:2], "has 2 parts; 3 are needed"),
        (
            lambda *both: (*three_rates(*both)[:2], 0 / np.float64(0)),
            "Was something divided by zero?",
        ),
    ],
)


# The examples of the texts: which part of the answer, what it gets, what it gives

TABLE = "\r\n".join(
    "\t".join(f'"{field}"' for field in line.split())
    for line in (
        "clip_id guitar slow mp3_path",
        "2 1 0 f/some_artist-some_album-01-some_title-30-59.mp3",
        "6 0 0 c/other_artist-other_album-02-other_title-0-29.mp3",
    )
)


def frame(**columns):
    return pd.DataFrame(columns, dtype="uint8")


EXAMPLES = {
    "1.1": [(None, (TABLE + "\r\n",), (2, 1))],
    "1.2": [(None, (frame(drums=[1, 1, 0], loud=[1, 0, 0]),), [[1, 0.5], [1, 1]])],
    "1.4": [
        (
            0,
            (
                frame(drum=[1, 0, 0], slow=[0, 1, 1], drums=[1, 1, 0]),
                {"drum": ("drum", "drums")},
            ),
            frame(slow=[0, 1, 1], drum=[1, 1, 0]),
        )
    ],
    "1.5": [
        (
            0,
            (
                pd.Series(["train", "valid", "test", "test", "test"]),
                pd.Series(["Ann", "Cy", "Ann", "Bo", "Cy"]),
            ),
            1 / 3,
        )
    ],
    "1.6": [
        (
            None,
            tuple(
                pd.DataFrame([x], dtype="uint8") for x in ([1, 0, 0, 0], [1, 1, 0, 0])
            ),
            (0.5, 0.0, 0.75),
        )
    ],
}

# The last hints, followed to the letter: {0} is the first piece of code in the hint

FOLLOWED = {
    "1.1": (
        None,
        """
def answer(path):
    lines, n_untagged = path.read_text().splitlines()[1:], 0
    for line in lines:
        {0}
        n_untagged += {1} not in {2}
    return len(lines), n_untagged
""",
    ),
    "1.2": (
        None,
        """
def answer(labels):
    values = labels.to_numpy(float)
    both = values.T @ values
    return {0}
""",
    ),
    "1.3": (
        None,
        """
def answer(labels, n_clips):
    def share(pair):
        counts = tags.pair_counts(labels, *pair)
        return {3}

    pairs = []
    for a, b in itertools.combinations(labels.columns, 2):
        if tags.pair_counts(labels, a, b)["either"] >= n_clips:
            pairs.append((a, b))
    return {0}
""",
    ),
    "1.4": (
        0,
        """
def answer(labels, groups):
    merged = labels.copy()
    for name, words in groups.items():
        present = [word for word in words if word in labels]
        if present:
            column = {0}
            merged = merged.drop(columns={1})
            merged[name] = column
    return merged
""",
    ),
    "1.5": (
        1,
        """
def answer(clips):
    shares = {{"train": 12 / 16, "valid": 1 / 16, "test": 3 / 16}}
    n, got, part_of = len(clips), dict.fromkeys(shares, 0), {{}}
    for artist, n_clips in clips["artist"].value_counts().items():
        part_of[artist] = {0}
        got[part_of[artist]] += n_clips
    return {1}
""",
    ),
    "1.6": (
        None,
        """
def answer(labels, truth):
    labels, truth = labels.to_numpy(), truth.to_numpy()
    {0}
    return miss, labels[truth == 0].mean(), (labels == 0).mean()
""",
    ),
}
