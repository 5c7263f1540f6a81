"""What networks that learned from recordings make of `mini`, and the other way round.

    python data/cross_examine.py

writes the numbers between the marks "cross-examination" of README.md here. The network
trained on MagnaTagATune never met `mini`; it is judged by what is true of each clip
(truth.csv) and by what the crowd said.
"""

from pathlib import Path

import numpy as np
import pandas as pd

from tagkit.data import batches, corpus, store
from tagkit.evaluation import metrics, predict
from tagkit.files import write_atomically
from tagkit.training import checkpoints

MARKS = "<!-- {0}: begin (cross_examine.py) -->", "<!-- {0}: end -->"


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


def replace(readme: Path, name: str, lines):
    """Put lines between the marks of that name."""
    begin, end = (mark.format(name) for mark in MARKS)
    before, rest = readme.read_text().split(begin)
    after = rest.split(end)[1]
    text = "\n".join((before + begin, "", *lines, "", end + after))
    write_atomically(readme, text.encode())


def main():
    """Write all tables into the data card."""
    readme = Path(__file__).parent / "README.md"
    replace(readme, "cross-examination", mini_lines(examine_mini()))


if __name__ == "__main__":
    main()
