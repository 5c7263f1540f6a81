"""What networks that learned from recordings make of `mini`, and the other way round.

    python data/cross_examine.py              # all
    python data/cross_examine.py embeddings   # or mini, or recorded: only this one

writes the numbers between the marks "cross-examination", "recorded" and "embeddings" of
README.md here. The network trained on MagnaTagATune never met `mini`; it is judged by
what is true of each clip (truth.csv) and by what the crowd said. All shipped networks
are then asked about `recorded`, and judged by what author, metadata or package state of
it. The embeddings of all are judged by the neighbours of clips of `mini`, as in lesson
06, and by whether they tell a few kinds of `recorded` apart.
"""

import argparse
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import stats

from tagkit.data import batches, corpus, store, tags
from tagkit.evaluation import metrics, neighbours, networks, predict
from tagkit.files import write_atomically
from tagkit.training import checkpoints

MARKS = "<!-- {0}: begin (cross_examine.py) -->", "<!-- {0}: end -->"
PARTS = ("mini", "recorded", "embeddings")
N_FIRST = 3  # of a network's tags, its highest, that are held against the stated words
# Kinds of recorded, by parts of the stated words. A kind needs pieces by three artists,
# so that two are left where one is left out; folk, jazz, reggae and the names of
# instruments and countries have fewer. Written down before any result was seen.
KINDS = {
    "classical": ("classical", "opera", "orchestra"),
    "rock": ("rock", "metal"),
    "electronic": ("electronic", "house", "ambient"),
}
N_NEAREST = 5
N_SHUFFLES = 1000


def examine_mini(network: str = "magnatagatune") -> dict[str, pd.DataFrame]:
    """Score a shipped network on all clips of mini, for the tags of its list and raw50.

    Intervals draw whole artists.

    Shape: for "truth" and "crowd", and both on the test folders alone, a report of
    `metrics.evaluate`.
    """
    model, made = checkpoints.load(network)
    mini = corpus.open("mini")
    shared = [tag for tag in made["tags"] if tag in mini.labels("raw50")]
    clips = store.prepare(mini, model.sample_rate)
    every = batches.examples(mini, clips, mini.clips.index, shared)
    scores = pd.DataFrame(
        predict.clip_scores(model, every), every.labels.index, made["tags"]
    )[shared]
    in_test = mini.split()[scores.index] == "test"
    reports = {}
    for name, labels in (("truth", mini.truth), ("crowd", every.labels)):
        labels = labels.loc[scores.index, shared]
        reports[name] = judge(labels, scores, mini)
        reports[f"{name}, test folders"] = judge(labels[in_test], scores[in_test], mini)
    return reports


def judge(labels, scores, music) -> pd.DataFrame:
    """Evaluate scores, drawing whole artists."""
    artists = music.clips.loc[labels.index, "artist"]
    return metrics.evaluate(labels, scores, groups=artists)


def mini_lines(reports: dict[str, pd.DataFrame]):
    """Yield the tables of `examine_mini` as Markdown."""
    yield "| judged by | clips | tags | ROC-AUC | AP | AP without listening |"
    yield "|---|---|---|---|---|---|"
    for name, report in reports.items():
        n_tags = report.attrs["n_tags"] - len(report.attrs["masked"])
        row = report.loc["macro"]
        yield (
            f"| {name} | {report.attrs['n_clips']} | {n_tags} | {area(row, 'roc')} | "
            f"{area(row, 'ap')} | {row.ap_floor:.3f} |"
        )
    yield ""
    yield "| | tag | true | ROC-AUC, truth | named | ROC-AUC, crowd |"
    yield "|---|---|---|---|---|---|"
    truth, crowd = reports["truth"].iloc[:-1], reports["crowd"].iloc[:-1]
    order = truth["roc_auc"].sort_values(ascending=False, kind="stable").index
    for rank, tag in enumerate(order, 1):
        yield (
            f"| {rank} | {tag} | {truth.positives[tag]:.0f} | "
            f"{area(truth.loc[tag], 'roc')} | {crowd.positives[tag]:.0f} | "
            f"{area(crowd.loc[tag], 'roc')} |"
        )


def area(row, kind) -> str:
    """Write a score with its interval."""
    value = row["roc_auc" if kind == "roc" else kind]
    if np.isnan(value):
        return "-"
    return f"{value:.3f} ({row[f'{kind}_low']:.3f} to {row[f'{kind}_high']:.3f})"


def examine_recorded(network: str) -> pd.DataFrame:
    """Ask a shipped network for its three highest tags of each piece of recorded.

    Shape: a row per clip id; `said`, the three tags; `true`, those stated tags that the
    network knows, of its own spelling (none: the piece does not count).
    """
    model, made = checkpoints.load(network)
    recorded = corpus.open("recorded")
    rows = {}
    for clip_id, stated in recorded.clips["tags"].items():
        scores = predict.tag_file(model, recorded.path(clip_id), made["tags"])
        true = {tag.casefold() for tag in stated.split(", ")}
        rows[clip_id] = {
            "said": list(scores.index[:N_FIRST]),
            "true": [tag for tag in made["tags"] if tag.casefold() in true],
        }
    return pd.DataFrame.from_dict(rows, orient="index")


def hits(answers: pd.DataFrame) -> tuple[int, int, float]:
    """Count pieces of which a stated tag is said: hits, pieces, rate by chance.

    By chance: the rate if each piece got the answer to another one.

    >>> said = [["rock"], ["piano"], ["rock"]]
    >>> hits(pd.DataFrame({"said": said, "true": [["rock"], ["rock"], []]}))
    (1, 2, 0.5)
    """
    counted = answers[answers["true"].str.len() > 0]
    found = [
        [not set(true).isdisjoint(said) for said in counted["said"]]
        for true in counted["true"]
    ]
    found = np.array(found)
    n, n_hits = len(found), int(np.trace(found))
    return n_hits, n, float((found.sum() - n_hits) / (n * (n - 1)))


def recorded_lines(answers: dict[str, pd.DataFrame]):
    """Yield rates, and all answers with what is true in bold, as Markdown."""
    yield "| network | pieces | a stated word among its first three | by chance |"
    yield "|---|---|---|---|"
    for name, answer in answers.items():
        n_hits, n, chance = hits(answer)
        low, high = stats.binomtest(n_hits, n).proportion_ci(method="wilson")
        rate = f"{n_hits}: {n_hits / n:.2f} ({low:.2f} to {high:.2f})"
        yield f"| {name} | {n} | {rate} | {chance:.2f} |"
    clips = corpus.open("recorded").clips
    on_mini = [name for name in answers if name.startswith("mini/")]
    for names in ([name for name in answers if name not in on_mini], on_mini):
        yield ""
        yield "| | piece | stated | " + " | ".join(names) + " |"
        yield "|---|---|---|" + "---|" * len(names)
        for clip_id, clip in clips.iterrows():
            cells = [first_three(answers[name].loc[clip_id]) for name in names]
            stated = clip["words"] or "-"
            yield f"| {clip_id} | {clip['title']} | {stated} | {' | '.join(cells)} |"


def first_three(answer) -> str:
    """Write the tags that were said, true ones bold; in brackets: does not count."""
    tags = [f"**{tag}**" if tag in answer["true"] else tag for tag in answer["said"]]
    return ", ".join(tags) if answer["true"] else f"({', '.join(tags)})"


def precision_on_mini(network: str) -> tuple[np.ndarray, pd.Series, float]:
    """Measure precision at 5 of mini's test clips among all, with artists apart.

    A neighbour is relevant if the two clips share half of what is true of them or more,
    as in lesson 06: synonyms merged, without "no vocals" and its like.

    Shape: precision (n_queries,), their artists (n_queries,), that of a random clip.
    """
    model, _ = checkpoints.load(network)
    mini = corpus.open("mini")
    clips = store.prepare(mini, model.sample_rate)
    every = batches.examples(mini, clips, mini.clips.index)
    ids = every.labels.index
    truth = tags.choose(mini.truth, "merged50").loc[ids]
    truth = truth[[tag for tag in truth if not tag.startswith("no ")]]
    relevant = neighbours.overlap(truth) >= 0.5
    artists = mini.clips.loc[ids, "artist"]
    near = neighbours.similarity(predict.embeddings(model, every))
    queries = np.flatnonzero(mini.split()[ids] == "test")
    lists = neighbours.nearest(near, N_NEAREST, artists)[queries]
    who = artists.to_numpy()
    chance = relevant[queries][who[queries][:, None] != who].mean()
    found = neighbours.precision_at_k(lists, relevant[queries])
    return found, artists.iloc[queries], chance


def kinds_of_recorded() -> pd.DataFrame:
    """List the pieces of recorded that are of one of KINDS.

    Shape: (n_pieces, 2), columns kind and artist.
    """
    clips = corpus.open("recorded").clips
    kinds = {
        clip_id: kind
        for clip_id, words in clips["words"].items()
        for kind, parts in KINDS.items()
        if any(part in words for part in parts)
    }
    return pd.DataFrame({"kind": pd.Series(kinds), "artist": clips["artist"]}).dropna()


def tell_kinds(vectors: np.ndarray, kinds, artists) -> np.ndarray:
    """Tell the kind of each piece by the nearest mean of the pieces by other artists.

    The vectors are centred by those other pieces and brought to length 1, so that the
    cosine counts.

    Shape: (n_pieces, n_dims), (n_pieces,), (n_pieces,) -> (n_pieces,) of bool: right?
    """
    kinds, artists = np.asarray(kinds), np.asarray(artists)
    right = []
    for vector, kind, artist in zip(vectors, kinds, artists, strict=True):
        others = artists != artist
        middle = vectors[others].mean(axis=0)
        units = vectors[others] - middle
        units = units / np.linalg.norm(units, axis=1, keepdims=True)
        names = np.unique(kinds[others])
        means = np.stack([units[kinds[others] == name].mean(axis=0) for name in names])
        cosines = means @ (vector - middle) / np.linalg.norm(means, axis=1)
        right.append(names[cosines.argmax()] == kind)
    return np.array(right)


def embedding_lines(names: list[str]):
    """Yield what the embeddings of each network are worth, as Markdown."""
    recorded, pieces = corpus.open("recorded"), kinds_of_recorded()
    files = [recorded.path(clip_id) for clip_id in pieces.index]
    about = pieces["kind"], pieces["artist"]
    told, rows = {}, []
    for name in names:
        vectors = predict.embeddings(checkpoints.load(name)[0], files)
        told[name] = tell_kinds(vectors, *about)
        found, queries_by, chance = precision_on_mini(name)
        rows.append(
            f"| {name} | {with_interval(found, queries_by)} | {told[name].sum()} of "
            f"{len(pieces)}: {with_interval(told[name], about[1])} |"
        )
        if name == "magnatagatune":
            rng = np.random.default_rng(0)
            shuffled = [
                tell_kinds(vectors, rng.permutation(about[0]), about[1]).mean()
                for _ in range(N_SHUFFLES)
            ]
    counts = pieces.groupby("kind").agg(["size", "nunique"])["artist"]
    said = [
        f"{row['size']} {kind} by {row['nunique']}" for kind, row in counts.iterrows()
    ]
    yield f"| embeddings of | mini: precision at {N_NEAREST} | recorded: kinds told |"
    yield "|---|---|---|"
    yield from rows
    yield f"| by chance | {chance:.3f} | {np.mean(shuffled):.3f} |"
    yield ""
    on_mini = np.mean(
        [told[name] for name in names if name.startswith("mini/")], axis=0
    )
    others = [told[name] for name in names if not name.startswith("mini/")]
    gain = np.mean(others, axis=0) - on_mini
    yield (
        f"Kinds of recorded: {', '.join(said)} artists. Told by networks that learned "
        "from recordings minus told by those that learned from mini, on average: "
        f"{with_interval(gain, about[1])}."
    )


def with_interval(values, artists) -> str:
    """Write a mean with its interval, whole artists drawn."""
    mean, low, high = neighbours.interval(values, artists)
    return f"{mean:.3f} ({low:.3f} to {high:.3f})"


def replace(readme: Path, name: str, lines):
    """Put lines between the marks of that name."""
    begin, end = (mark.format(name) for mark in MARKS)
    before, rest = readme.read_text().split(begin)
    after = rest.split(end)[1]
    text = "\n".join((before + begin, "", *lines, "", end + after))
    write_atomically(readme, text.encode())


def main(parts):
    """Write the tables of these parts into the data card."""
    readme = Path(__file__).parent / "README.md"
    if unknown := set(parts) - set(PARTS):
        raise SystemExit(f"the parts are {', '.join(PARTS)}, not {', '.join(unknown)}")
    names = sorted(networks.shipped(), key=lambda name: name.startswith("mini/"))
    if "mini" in parts:
        replace(readme, "cross-examination", mini_lines(examine_mini()))
    if "recorded" in parts:
        answers = {name: examine_recorded(name) for name in names}
        replace(readme, "recorded", recorded_lines(answers))
    if "embeddings" in parts:
        replace(readme, "embeddings", embedding_lines(names))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("parts", nargs="*", help=f"{', '.join(PARTS)}; default: all")
    main(parser.parse_args().parts or PARTS)
