"""Labels: which tags a clip has, and which clips train, validate and test.

Labels are a pandas frame with a row per clip and a uint8 column per tag, so the order
of the tags travels with the numbers.

Notebook: course/01_dataset_analysis.ipynb
"""

import difflib

import numpy as np
import pandas as pd

# The published order of MagnaTagATune's 50 most frequent tags. Three pairs of them
# have equal counts, so sorting alone does not give this order: it breaks the ties.
RAW50 = (
    "guitar, classical, slow, techno, strings, drums, electronic, rock, fast, piano, "
    "ambient, beat, violin, vocal, synth, female, indian, opera, male, singing, "
    "vocals, no vocals, harpsichord, loud, quiet, flute, woman, male vocal, no vocal, "
    "pop, soft, sitar, solo, man, classic, choir, voice, new age, dance, male voice, "
    "female vocal, beats, harp, cello, no voice, weird, country, metal, female voice, "
    "choral"
).split(", ")

# The 50 most frequent Last.fm tags of the Million Song Dataset, most frequent first, as
# Choi et al. 2017 and Pons & Serra 2019 spell them, and the kinds of Wells 2018, table
# 3.1, who numbers them in the same order (and prints R&B there, rnb in table 4.1).
LASTFM50 = (
    "rock, pop, alternative, indie, electronic, female vocalists, dance, 00s, "
    "alternative rock, jazz, beautiful, metal, chillout, male vocalists, "
    "classic rock, soul, indie rock, Mellow, electronica, 80s, folk, 90s, chill, "
    "instrumental, punk, oldies, blues, hard rock, ambient, acoustic, experimental, "
    "female vocalist, guitar, Hip-Hop, 70s, party, country, easy listening, sexy, "
    "catchy, funk, electro, heavy metal, Progressive rock, 60s, rnb, indie pop, sad, "
    "House, happy"
).split(", ")
# The songs of the Million Song Dataset that have one of them or more, as split by Choi
# et al. 2017; Wells could not decode 39, 5 and 6 of them.
LASTFM50_SPLIT = {"train": 201_680, "valid": 12_605, "test": 28_540}
LASTFM50_KINDS = {
    "genre": (
        "rock, pop, alternative, indie, electronic, dance, alternative rock, jazz, "
        "metal, classic rock, soul, indie rock, electronica, folk, punk, blues, "
        "hard rock, acoustic, experimental, Hip-Hop, country, funk, electro, "
        "heavy metal, Progressive rock, rnb, indie pop, House"
    ).split(", "),
    "mood": (
        "beautiful, chillout, Mellow, chill, oldies, ambient, party, easy listening, "
        "sexy, catchy, sad, happy"
    ).split(", "),
    "instrument": (
        "female vocalists, male vocalists, instrumental, female vocalist, guitar"
    ).split(", "),
    "era": "00s, 80s, 90s, 70s, 60s".split(", "),
}

# Keunwoo Choi's 29 groups of synonyms (magnatagatune-list), with the forgotten
# `female vocal` added. The first word of each group is the name after merging.
# fmt: off
MERGE_GROUPS = {
    "beat": ("beat", "beats"),
    "chant": ("chant", "chanting"),
    "choir": ("choir", "choral"),
    "classical": ("classical", "clasical", "classic"),
    "drum": ("drum", "drums"),
    "electro": ("electro", "electronic", "electronica", "electric"),
    "fast": ("fast", "fast beat", "quick"),
    "female": (
        "female", "female singer", "female singing", "female vocal",
        "female vocals", "female voice", "woman", "woman singing", "women",
    ),
    "flute": ("flute", "flutes"),
    "guitar": ("guitar", "guitars"),
    "hard": ("hard", "hard rock"),
    "harpsichord": ("harpsichord", "harpsicord"),
    "heavy": ("heavy", "heavy metal", "metal"),
    "horn": ("horn", "horns"),
    "india": ("india", "indian"),
    "jazz": ("jazz", "jazzy"),
    "male": (
        "male", "male singer", "male vocal", "male vocals",
        "male voice", "man", "man singing", "men",
    ),
    "no beat": ("no beat", "no drums"),
    "no singer": (
        "no singer", "no singing", "no vocal", "no vocals",
        "no voice", "no voices", "instrumental",
    ),
    "opera": ("opera", "operatic"),
    "orchestra": ("orchestra", "orchestral"),
    "quiet": ("quiet", "silence"),
    "singer": ("singer", "singing"),
    "space": ("space", "spacey"),
    "string": ("string", "strings"),
    "synth": ("synth", "synthesizer"),
    "violin": ("violin", "violins"),
    "vocal": ("vocal", "vocals", "voice", "voices"),
    "strange": ("strange", "weird"),
}
# fmt: on

# Pairs of tags that cannot both be true of one clip.
CONTRADICTIONS = (
    ("loud", "quiet"),
    ("slow", "fast"),
    ("vocal", "no vocal"),
    ("vocals", "no vocals"),
    ("voice", "no voice"),
    ("male", "female"),
    ("man", "woman"),
    ("drums", "no drums"),
    ("guitar", "no guitar"),
    ("piano", "no piano"),
    ("flute", "no flute"),
    ("rock", "not rock"),
    ("classical", "not classical"),
)


def merge_synonyms(labels: pd.DataFrame) -> pd.DataFrame:
    """Merge the columns of synonyms: a clip has a merged tag if it has any of them.

    A merged column takes the place of the first column of its group; others stay.

    Shape: (n_clips, n_tags) -> (n_clips, fewer tags), uint8.
    Source: keunwoochoi/magnatagatune-list; `female vocal` added here.

    >>> frame = pd.DataFrame({"drum": [1, 0], "slow": [0, 0], "drums": [1, 1]})
    >>> merge_synonyms(frame)
       drum  slow
    0     1     0
    1     1     0
    """
    group_of = {raw: name for name, raws in MERGE_GROUPS.items() for raw in raws}
    members = {}
    for tag in labels.columns:
        members.setdefault(group_of.get(tag, tag), []).append(tag)
    return pd.DataFrame(
        {name: labels[raws].max(axis=1) for name, raws in members.items()}
    )


def top(labels: pd.DataFrame, n: int = 50) -> list[str]:
    """Name the n most frequent tags, most frequent first.

    Tags of equal count keep the order of RAW50, then that of the columns.

    Shape: (n_clips, n_tags) -> n names.
    """
    rank = {tag: i for i, tag in enumerate(RAW50)}
    counts = labels.sum().astype(int)
    by_count = sorted(counts.index, key=lambda tag: (-counts[tag], rank.get(tag, 50)))
    return by_count[:n]


def choose(labels: pd.DataFrame, tag_list: str | list[str]) -> pd.DataFrame:
    """Take the columns of a tag list, in its order.

    Args:
        tag_list: "raw50", the 50 most frequent tags, by count; "merged50", the 50
            most frequent after merging synonyms, by alphabet; "lastfm50", those of
            LASTFM50, for labels from Last.fm; "all"; or a list of names. Scores on
            different lists do not compare.

    Shape: (n_clips, n_tags) -> (n_clips, n_chosen), uint8.
    Raises: ValueError for an unknown tag or list, with the nearest names.
    """
    if isinstance(tag_list, str):
        if tag_list == "raw50":
            return labels[top(labels)]
        if tag_list == "merged50":
            merged = merge_synonyms(labels)
            return merged[sorted(top(merged))]
        if tag_list == "all":
            return labels
        if tag_list != "lastfm50":
            raise ValueError(
                f"tag list {tag_list!r} is unknown; needed is 'raw50', 'merged50', "
                f"'lastfm50', 'all' or a list of tags such as [{tag_list!r}]"
            )
        tag_list = LASTFM50
    for tag in tag_list:
        if tag not in labels.columns:
            near = difflib.get_close_matches(str(tag).lower(), labels.columns)
            raise ValueError(
                f"tag {tag!r} is not among the {labels.shape[1]} tags of this corpus; "
                f"the nearest are {near or 'none'} (lists are raw50, merged50, "
                "lastfm50 and all)"
            )
    return labels[list(tag_list)]


def folder_split(mp3_paths: pd.Series) -> pd.Series:
    """Split 12:1:3 by the first character of the path: 0-b train, c valid, d-f test.

    All clips of a track lie in one folder, so no track is on both sides.

    Shape: (n_clips,) paths -> (n_clips,) "train", "valid" or "test".
    Raises: ValueError for a path that does not lie in a folder 0 ... f.
    Source: listed clip by clip in jordipons/musicnn-training and in jukemir.
    """
    part_of = dict.fromkeys("0123456789ab", "train")
    part_of |= {"c": "valid", "d": "test", "e": "test", "f": "test"}
    parts = mp3_paths.str.split("/").str[0].map(part_of)
    if parts.isna().any():
        bad = mp3_paths[parts.isna()].iloc[0]
        raise ValueError(
            f"path {bad!r} does not begin with a folder 0 ... f; split this corpus "
            "by artist"
        )
    return parts.rename("split")


def random_split(clip_ids: pd.Index, seed: int = 0) -> pd.Series:
    """Split clips 12:1:3 at random, to measure how much such a split leaks.

    A network can pass such a test by recognising the recording.

    Shape: (n_clips,) -> (n_clips,) "train", "valid" or "test".
    Source: Panwar et al. 2017 split so; the ISMIR 2021 tutorial warns of it.
    """
    order = np.random.default_rng(seed).permutation(len(clip_ids))
    position = order * 16 // len(clip_ids)
    parts = np.where(position < 12, "train", np.where(position < 13, "valid", "test"))
    return pd.Series(parts, index=clip_ids, name="split")


def group_split(groups: pd.Series) -> pd.Series:
    """Split clips 12:1:3 so that all clips of a group fall into one part.

    With artists as groups, a network cannot pass the test by recognising the artist.
    The largest groups are placed first, each where most clips are still wanted; the
    same groups give the same split.

    Shape: (n_clips,) artists -> (n_clips,) "train", "valid" or "test".
    Raises: ValueError for less than three groups.
    Source: the artist filter of Pampalk et al. 2005 and Flexer 2007.

    >>> group_split(pd.Series(["Ann", "Ann", "Bo", "Cy"])).tolist()
    ['train', 'train', 'test', 'valid']
    """
    counts = groups.value_counts().sort_index().sort_values(kind="stable")[::-1]
    if len(counts) < 3:
        raise ValueError(
            f"{len(counts)} artists or groups cannot be split into three parts without "
            "a leak, three are needed; fill in the column artist"
        )
    n_sixteenth = len(groups) / 16
    wanted = {"train": 12 * n_sixteenth, "test": 3 * n_sixteenth, "valid": n_sixteenth}
    part_of = {}
    for group, n_clips in counts.items():
        part_of[group] = max(wanted, key=wanted.get)
        wanted[part_of[group]] -= n_clips
    for part in wanted:  # one without any group takes the smallest that can be spared
        parts = list(part_of.values())
        if part not in parts:
            spare = [group for group in part_of if parts.count(part_of[group]) > 1]
            part_of[spare[-1]] = part
    return groups.map(part_of).rename("split")


def overlap(split: pd.Series, groups: pd.Series) -> float:
    """Give the share of test clips whose group is also in training: the leak.

    Shape: (n_clips,) parts, (n_clips,) artists, albums or tracks -> one number.

    >>> parts = pd.Series(["train", "test", "test"])
    >>> overlap(parts, pd.Series(["Ann", "Ann", "Bo"]))
    0.5
    """
    in_train = set(groups[split == "train"])
    return float(groups[split == "test"].isin(in_train).mean())


def cooccurrence(labels: pd.DataFrame) -> pd.DataFrame:
    """Give the share of the clips with tag a (row) that also have tag b (column).

    This is P(b | a), which is not symmetric: most clips with a harpsichord are
    classical, few classical clips have a harpsichord.

    Shape: (n_clips, n_tags) -> (n_tags, n_tags), nan in the row of an unused tag.
    """
    values = labels.astype(float)
    both = values.T @ values
    return both.div(np.diag(both), axis=0)


def pair_counts(labels: pd.DataFrame, a: str, b: str) -> dict[str, int]:
    """Count the clips with tag a or tag b, with both, and with one only.

    Shape: (n_clips, n_tags) -> four counts.
    Source: Weber's two-label subsets guitar/techno and piano/rock (EPFL 2019).

    >>> frame = pd.DataFrame({"a": [1, 1, 0], "b": [1, 0, 0]})
    >>> pair_counts(frame, "a", "b")
    {'either': 2, 'both': 1, 'only_a': 1, 'only_b': 0}
    """
    has_a, has_b = choose(labels, [a, b]).to_numpy(bool).T
    return {
        "either": int((has_a | has_b).sum()),
        "both": int((has_a & has_b).sum()),
        "only_a": int((has_a & ~has_b).sum()),
        "only_b": int((has_b & ~has_a).sum()),
    }


def contradictions(labels: pd.DataFrame) -> pd.DataFrame:
    """List the pairs of CONTRADICTIONS that this corpus has, with their counts.

    Shape: (n_clips, n_tags) -> a frame with tag, other, n_tag, n_other, n_both.
    """
    rows = []
    for a, b in CONTRADICTIONS:
        if a in labels and b in labels:
            n_both = pair_counts(labels, a, b)["both"]
            rows.append((a, b, labels[a].sum(), labels[b].sum(), n_both))
    return pd.DataFrame(rows, columns=["tag", "other", "n_tag", "n_other", "n_both"])
