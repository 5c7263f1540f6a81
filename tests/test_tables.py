"""Recorded runs, the tables that compare them, and what papers say."""

import inspect
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tagkit import models
from tagkit.data import corpus
from tagkit.evaluation import metrics, results

ROOT = Path(__file__).parents[1]
MTT = {"corpus": "magnatagatune", "n_clips": 5329}


def run(model="K2C2", seed=0, roc=0.8, arguments=None, loss=0.2, n_train=100, **about):
    """A record with the fields that the tables read."""
    known = {"corpus": "mini", "tag_list": "raw50", "version": "full", "part": "test"}
    known |= {"n_clips": 90, "merge": "mean", "n_tags": 50, "masked": []}
    macro = {"roc_auc": roc, "roc_low": roc - 0.1, "roc_high": roc + 0.1}
    macro |= {"ap": roc / 2, "ap_low": roc / 3, "ap_high": roc, "ap_floor": 0.07}
    unscored = dict.fromkeys(macro) | {"positives": 0}
    return {
        "model": model,
        "arguments": {"n_tags": 50} | (arguments or {}),
        "parameters": 1000,
        "n_train": n_train,
        "config": {"seed": seed},
        "about": known | {"nothing_right": 0.93} | about,
        "tags": ["harp", "piano", "sitar"],
        "macro": macro,
        "per_tag": {
            "harp": macro | {"positives": 4},
            "piano": macro | {"positives": 9},
            "sitar": unscored,
        },
        "history": [{"seconds": 15.0 + seed}, {"seconds": 5.0 + seed}],
        "loss": loss,
        "prior_loss": 0.24,
        "right": 0.94,
        "tag_seconds": 0.01 * (seed + 1),
        "threads": 1,
        "recipe": None,
        "device": "cpu",
        "versions": {"torch": "2.11.0"},
    }


def test_best_model_first_with_both_intervals():
    values = [0.80, 0.82, 0.84]
    runs = [run("DielemanRaw", s, 0.6) for s in range(3)]
    small = {"width": 0.25}
    runs += [run("K2C2", s, v, small, loss=v) for s, v in enumerate(values)]
    board = results.leaderboard(runs)
    assert list(board.index) == ["K2C2 (width=0.25)", "DielemanRaw"]
    row = board.iloc[0]
    mean, low, high = metrics.seed_interval(values)
    assert (row.roc_auc, row.seed_low, row.seed_high) == (mean, low, high)
    assert row.clip_low == pytest.approx(0.72) and row.seeds == 3
    assert row.clip_high == pytest.approx(0.92)
    assert row.ap == pytest.approx(0.41) and row.ap_low < row.ap < row.ap_high
    assert row.loss == pytest.approx(0.82) and row.right == pytest.approx(0.94)
    assert row.epochs == 2 and row.parameters == 1000


def test_times_are_the_smallest_seen():
    row = results.leaderboard([run(seed=1), run(seed=0), run(seed=2)]).iloc[0]
    assert row.train_seconds == pytest.approx(0.05)
    assert row.tag_seconds == pytest.approx(0.01)


def test_caption_says_on_what_and_what_luck_reaches():
    said = results.leaderboard([run()]).attrs["caption"]
    for word in ("90 clips", "raw50", "full", "0.500", "0.070", "0.240", "93.0%"):
        assert word in said


@pytest.mark.parametrize("table", [results.leaderboard, results.per_tag])
@pytest.mark.parametrize(
    "differs", [{"version": "clean"}, {"corpus": "magnatagatune"}, {"n_clips": 89},
                {"tag_list": "merged50"}, {"part": "valid"}, {"merge": "max"},
                {"n_train": 50}]
)  # fmt: skip
def test_scores_of_different_protocols_are_not_put_side_by_side(table, differs):
    with pytest.raises(ValueError, match=f"differ in {next(iter(differs))}"):
        table([run(), run("DielemanRaw", **differs)])


@pytest.mark.parametrize("table", [results.leaderboard, results.per_tag])
def test_a_run_does_not_count_twice(table):
    with pytest.raises(ValueError, match="K2C2 has seed 3 more than once"):
        table([run(seed=3), run(seed=4), run(seed=3)])
    other = table([run(seed=3), run(seed=3, arguments={"width": 0.5})])
    assert set(other.index.get_level_values(-1)) == {"K2C2", "K2C2 (width=0.5)"}


@pytest.mark.parametrize("table", [results.leaderboard, results.per_tag])
def test_another_training_is_not_another_seed(table):
    """The same network with another rate, or by a recipe, is no run of one kind."""
    other = run(seed=1)
    other["config"]["learning_rate"] = 0.1
    first = run(seed=0)
    first["config"]["learning_rate"] = 0.001
    with pytest.raises(ValueError, match="K2C2 differ in learning_rate: 0.001 and 0.1"):
        table([first, other])
    with pytest.raises(ValueError, match="K2C2 differ in recipe: None and won"):
        table([run(seed=0), run(seed=1) | {"recipe": "won"}])


def test_one_seed_has_no_interval_over_seeds():
    row = results.leaderboard([run()]).iloc[0]
    assert row[["seed_low", "seed_high"]].isna().all()


def test_an_infinite_loss_is_null_in_a_record():
    sure = [run("PredictNothing", s, 0.5, loss=None) for s in range(2)]
    board = results.leaderboard([*sure, run()])
    assert board.loss["PredictNothing"] == np.inf and board.loss["K2C2"] == 0.2


def test_each_tag_has_both_intervals_and_frequent_tags_come_first():
    runs = [run("DielemanRaw", s, 0.6) for s in range(2)]
    frame = results.per_tag(
        runs + [run("K2C2", s, v) for s, v in enumerate((0.8, 0.9))]
    )
    order = [(t, m) for t in ("piano", "harp") for m in ("K2C2", "DielemanRaw")]
    assert list(frame.index[:4]) == order and frame.index.names == ["tag", "model"]
    row = frame.loc[("harp", "K2C2")]
    assert (row.roc_auc, row.seed_low, row.seed_high) == tuple(
        metrics.seed_interval([0.8, 0.9])
    )
    assert row.positives == 4 and row.clip_low == pytest.approx(0.75)
    assert row.ap == pytest.approx(0.425)
    unscored = frame.loc["sitar", ["roc_auc", "seed_low", "clip_low", "ap"]]
    assert unscored.isna().all(axis=None)
    assert "90 clips" in frame.attrs["caption"]


@pytest.mark.parametrize("lacks", ["loss", "tag_seconds", "per_tag", "n_train"])
def test_a_file_that_is_no_record_is_named(tmp_path, lacks):
    record = run()
    del record[lacks]
    (tmp_path / "x.json").write_text(json.dumps(record))
    said = rf"x\.json is not the record of a run \('{lacks}'\)"
    with pytest.raises(ValueError, match=said):
        results.read_runs(tmp_path)
    (tmp_path / "x.json").write_text(json.dumps(run()))
    assert results.read_runs(tmp_path) == [run()]


def test_every_published_figure_has_a_source_a_protocol_and_a_status():
    cards = results.paper_cards()
    assert not cards[["system", "source", "protocol", "status"]].isna().any(axis=None)
    assert set(cards["status"]) == {"verified", "recalled"}
    assert cards["roc_auc"].between(0.4, 1, inclusive="neither").all()
    assert (cards["ap"].dropna() < cards["roc_auc"][cards["ap"].notna()]).all()
    assert (cards["ap"].dropna() > 0.3).all()
    assert not cards.duplicated(["system", "source"]).any()
    assert cards["ours"].isna().all() and (cards["why"] != "").all()


def test_published_figures_are_those_of_the_documents():
    cards = results.paper_cards()
    counts = cards["source"].value_counts()
    for source, n in {"Weber, EPFL 2019": 1, "Roy, Bristol": 6}.items():
        assert counts[source] == n
    assert counts["Won et al. 2020"] == 12
    assert counts["Elwood & Varosyan, Bristol"] == 6 + 25  # a grid of 5 x 5
    assert counts["Dieleman & Schrauwen 2014"] == 10 + 6 and len(cards) == 106
    roc = cards.set_index(["source", "system"])["roc_auc"]
    assert roc["Dieleman & Schrauwen 2014", "raw 256/256"] == 0.8487
    assert roc["Dieleman & Schrauwen 2014", "spectrogram 256/256"] == 0.8815
    assert roc["Elwood & Varosyan, Bristol", "CRNN"] == 0.8949
    assert roc["Elwood & Varosyan, Bristol", "base 512/256"] == 0.8282
    assert roc["Roy, Bristol", "base 1024/1024"] == 0.7428
    assert roc["Roy, Bristol", "improved 256/256"] == 0.8572
    assert roc["Panwar et al. 2017", "CRNN"] == 0.893
    assert roc["Elwood & Varosyan, Bristol", "base, momentum 0.99, rate 0.005"] == 0.82
    assert roc["Won et al. 2020", "short-chunk CNN + residual"] == 0.9129
    ap = cards.set_index(["source", "system"])["ap"]
    assert ap["Won et al. 2020", "short-chunk CNN + residual"] == 0.4614
    assert ap["Pons & Serra 2019 (musicnn)", "musicnn"] == 0.38311
    sure = cards.set_index("source")["status"]
    assert sure["Pons et al. 2018"] == "recalled"
    assert sure["Wells, Cambridge 2018"] == "verified"
    five = cards[cards["sd"].notna()].set_index("system")
    assert five["sd"].to_dict() == {"base 256/256": 0.0027, "CRNN": 0.0028}
    assert set(five["n_runs"]) == {5}


def test_a_full_and_a_clean_test_set_have_different_floors():
    cards = results.paper_cards().set_index("source")
    assert cards.at["Wang et al. 2019", "ap_floor"] == 0.0653
    assert set(cards.loc["Dieleman & Schrauwen 2014", "ap_floor"]) == {0.0531}
    assert set(cards.loc["Roy, Bristol", "ap_floor"]) == {0.0639}
    assert np.isnan(cards.at["Panwar et al. 2017", "ap_floor"])


def test_a_run_stands_only_beside_figures_of_its_own_clips():
    runs = [run("DielemanRaw", s, v, **MTT) for s, v in enumerate((0.82, 0.84))]
    cards = results.paper_cards(runs)
    beside = cards[cards["ours"].notna()]
    assert list(beside["source"] + " " + beside["system"]) == [
        "Dieleman & Schrauwen 2014 raw 256/256"
    ]
    assert beside["ours"].item() == pytest.approx(0.83)
    low, high = metrics.seed_interval([0.82, 0.84])[1:]
    assert beside["ours_low"].item() == low and beside["ours_high"].item() == high
    assert beside["why"].item() == ""
    clean = MTT | {"version": "clean", "tag_list": "merged50", "n_clips": 4392}
    both = runs + [run("DielemanRaw", 0, 0.8, **clean)]
    beside = results.paper_cards(both).dropna(subset="ours")
    assert list(beside["ours"]) == [0.8, pytest.approx(0.83)]
    assert set(beside["source"]) == {
        "Elwood & Varosyan, Bristol", "Dieleman & Schrauwen 2014"
    }  # fmt: skip


@pytest.mark.parametrize(
    "differs", [{"corpus": "mini"}, {"n_clips": 90}, {"part": "valid"},
                {"merge": "max"}, {"arguments": {"width": 0.5}}]
)  # fmt: skip
def test_other_clips_merges_or_networks_are_not_ours(differs):
    cards = results.paper_cards([run("DielemanMel", **(MTT | differs))])
    assert cards["ours"].isna().all()
    card = cards[cards["system"] == "spectrogram 256/256"].iloc[0]
    assert "no run of DielemanMel on these clips; our runs are on" in card["why"]


def test_arguments_of_a_card_choose_the_run():
    arguments = {"length": 1024, "stride": 512}
    cards = results.paper_cards([run("DielemanMel", arguments=arguments, **MTT)])
    assert list(cards.dropna(subset="ours")["system"]) == ["spectrogram 1024/512"]


def test_a_card_names_a_model_and_arguments_that_there_are():
    table = pd.read_csv(corpus.DATA / "published.csv").fillna({"arguments": ""})
    for card in table.dropna(subset="model").itertuples():
        known = inspect.signature(models.MODELS[card.model].cls).parameters
        assert {pair.split("=")[0] for pair in card.arguments.split()} <= set(known)


def test_a_default_that_went_through_json_is_still_the_default():
    arguments = json.loads(json.dumps(models.build("CRNN").arguments))
    assert results.label({"model": "CRNN", "arguments": arguments}) == "CRNN"


def test_an_unsound_figure_has_a_reason_and_no_neighbour():
    """Runs on the very clips of each unsound figure are not put beside it."""
    table = pd.read_csv(corpus.DATA / "published.csv")
    unsound = table[table["why"].notna()]
    for source in ("Weber, EPFL 2019", "Roy, Bristol", "Panwar et al. 2017"):
        assert (unsound["source"] == source).any()
    keys = ["corpus", "version", "tag_list", "part", "n_clips"]
    for card in unsound.dropna(subset="model").to_dict("records"):
        beside = run(card["model"], **{key: card[key] for key in keys})
        pairs = str(card["arguments"] if card["arguments"] == card["arguments"] else "")
        named = dict(pair.split("=") for pair in pairs.split())
        beside["arguments"] |= {k: int(v) for k, v in named.items()}  # all are numbers
        cards = results.paper_cards([beside]).set_index(["source", "system"])
        mine = cards.loc[(card["source"], card["system"])]
        assert np.isnan(mine["ours"]) and mine["why"] == card["why"]


def test_card_gets_the_whole_board_and_readme_the_best_five(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "data" / "build_mini"))
    import mini_card

    mini = ROOT / "data" / "mini"
    tags = list(corpus.open("mini").labels().columns)
    names = ["PredictNothing", *(f"Net{n}" for n in range(6))]
    folder = tmp_path / "data"
    (folder / "results").mkdir(parents=True)
    for path in ("README.md", "data/README.md"):
        (tmp_path / path).write_text((ROOT / path).read_text())
    for n, name in enumerate(names):
        for seed in range(2 if n else 1):
            record = run(name, seed, 0.5 + n / 20, loss=0.2 if n else None)
            record["tags"] = tags
            (folder / "results" / f"{name}-{seed}.json").write_text(json.dumps(record))
    elsewhere = json.dumps(run(**MTT))
    (folder / "results" / "mtt.json").write_text(elsewhere)
    monkeypatch.setattr(mini_card, "contact_sheet", lambda *_: None)
    monkeypatch.setattr(mini_card, "sound_lines", lambda *_: ["no sound"])
    for _ in range(2):  # the second time nothing changes
        mini_card.write(mini, folder)
        card, readme = (
            (tmp_path / p).read_text() for p in ("data/README.md", "README.md")
        )
        assert [n for n in names if f"| {n} |" in card] == names
        assert [n for n in names if f"| {n} |" in readme] == names[2:]
        head = "| model | parameters | ROC-AUC |"
    assert card.count(head) == readme.count(head) == 1
    board = card.split("results: begin")[1].split("results: end")[0]
    best, *_, last = [line for line in board.splitlines() if line.startswith("| ")]
    worst = "| PredictNothing | 1,000 | 0.500 | one run | 0.400 to 0.600 | 0.250 |"
    assert last == f"{worst} inf | 50 | 10 |"
    assert "loss 0.240" in board and "threads: 1" in board and "13 runs" in board
    assert "loss 0.240" in readme and "K2C2 |" not in board
    before, after = (ROOT / "README.md").read_text().split("<!-- results: end")
    assert readme.endswith(after) and readme.startswith(before.partition("<!--")[0])
