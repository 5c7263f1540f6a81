"""Networks on corpora that they never met: the tables of the data card."""

import re
import sys

import numpy as np
import pandas as pd

from tagkit.data import corpus
from tagkit.evaluation import networks

sys.path.insert(0, str(corpus.SHIPPED))

import cross_examine  # noqa: E402


def test_the_card_holds_what_was_measured_beforehand():
    """MTT_musicnn on mini, measured elsewhere: truth .883, crowd .848, 47 tags."""
    card = (corpus.SHIPPED / "README.md").read_text()
    begin, end = (mark.format("cross-examination") for mark in cross_examine.MARKS)
    numbers = card.split(begin)[1].split(end)[0]
    rows = {}
    for row in re.findall(r"^\| (truth|crowd) \| (.*) \|$", numbers, re.M):
        rows[row[0]] = row[1].split(" | ")
    expected = {"truth": 0.883, "crowd": 0.848}
    for name, value in expected.items():
        n_clips, n_tags, area = rows[name][:3]
        assert (n_clips, n_tags) == ("480", "47")
        mean, low, high = map(float, re.findall(r"0\.\d+", area))
        assert abs(mean - value) <= 0.005 and low < mean < high
    assert len(re.findall(r"^\| \d+ \|", numbers, re.M)) == 47


def test_lines_and_marks_by_hand(tmp_path, mini):
    """Scores that are the truth itself reach 1; the rest of the file stays."""
    ids = mini.clips.index[::8]
    truth = mini.truth.loc[ids, ["rock", "slow"]]
    noise = pd.DataFrame(
        np.random.default_rng(0).random(truth.shape), ids, truth.columns
    )
    reports = {
        "truth": cross_examine.judge(truth, truth, mini),
        "crowd": cross_examine.judge(
            mini.labels(["rock", "slow"]).loc[ids], noise, mini
        ),
    }
    lines = list(cross_examine.mini_lines(reports))
    assert "| truth | 60 | 2 | 1.000 (1.000 to 1.000) |" in lines[2]
    n_slow = int(truth["slow"].sum())
    assert any(f"| slow | {n_slow} | 1.000 (" in line for line in lines[6:])
    card = tmp_path / "README.md"
    begin, end = (mark.format("some") for mark in cross_examine.MARKS)
    card.write_text(f"before\n\n{begin}\nold\n{end}\n\nafter\n")
    cross_examine.replace(card, "some", lines)
    cross_examine.replace(card, "some", lines)
    text = card.read_text()
    assert text.startswith(f"before\n\n{begin}\n") and text.endswith(
        f"{end}\n\nafter\n"
    )
    assert text.count(lines[2]) == 1 and "old" not in text


def test_kinds_are_told_by_pieces_of_other_artists():
    vectors = np.array([[0, 1.0], [0, 2], [1, 4], [2, 0], [3, 1]])
    told = cross_examine.tell_kinds(vectors, list("aaabb"), [1, 2, 3, 4, 5])
    assert told.tolist() == [True] * 5
    told = cross_examine.tell_kinds(vectors, list("aaabb"), [1, 2, 3, 4, 4])
    assert told.tolist() == [True] * 3 + [False] * 2  # no b by anybody else
    pieces = cross_examine.kinds_of_recorded()
    artists = pieces.groupby("kind")["artist"].nunique()
    assert set(artists.index) == set(cross_examine.KINDS) and artists.min() >= 3


def test_the_card_says_what_embeddings_are_worth():
    card = (corpus.SHIPPED / "README.md").read_text()
    begin, end = (mark.format("embeddings") for mark in cross_examine.MARKS)
    numbers = card.split(begin)[1].split(end)[0]
    rows = re.findall(r"^\| (\S+) \| (.*) \| \d+ of 14: (.*) \|$", numbers, re.M)
    assert sorted(name for name, *_ in rows) == sorted(networks.shipped())
    for _, *cells in rows:
        for cell in cells:
            mean, low, high = map(float, re.findall(r"[01]\.\d+", cell))
            assert low <= mean <= high
