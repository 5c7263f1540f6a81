"""Records of runs, the tables that compare them, what papers say, what is shipped."""

import inspect
import json

import numpy as np
import pandas as pd
import pytest
import torch
from made import made_examples, noise
from sklearn.metrics import log_loss

from tagkit import models
from tagkit.data import batches, corpus
from tagkit.evaluation import features, metrics, predict, results
from tagkit.training import checkpoints, train

CHECKPOINTS = sorted((corpus.SHIPPED / "checkpoints" / "mini").glob("*.safetensors"))
MTT = {"corpus": "magnatagatune", "n_clips": 5329}


@pytest.fixture
def mini_card(monkeypatch):
    monkeypatch.syspath_prepend(str(corpus.SHIPPED / "build_mini"))
    import mini_card

    return mini_card


# -- tables of made-up runs -----------------------------------------------------------


TAGS = ["harp", "piano", "sitar"]
# Of twelve clips by six artists four have the harp, six the piano, none the sitar.
LABELS = np.array([[i % 3 == 0, i % 2 == 0, False] for i in range(12)], np.uint8)
ARTISTS = np.repeat(list("abcdef"), 2)


def made_scores(seed, skill):
    """Scores of twelve clips, the better the higher the skill."""
    random = np.random.default_rng(seed).uniform(size=LABELS.shape)
    return (skill * LABELS + (1 - skill) * random).astype(np.float32)


def run(
    model="K2C2", seed=0, skill=0.4, arguments=None, loss=0.2, n_train=100, **about
):
    """A record with the fields that the tables read."""
    known = {"corpus": "mini", "tag_list": "raw50", "version": "full", "part": "test"}
    known |= {"n_clips": 90, "merge": "mean", "n_tags": 50, "masked": []}
    scores = made_scores(seed, skill)
    report = metrics.evaluate(LABELS, scores, tags=TAGS, groups=ARTISTS, n_boot=20)
    figures = results.without_nan(report.astype(object).to_dict("index"))
    return {
        "model": model,
        "arguments": {"n_tags": 50} | (arguments or {}),
        "parameters": 1000,
        "n_train": n_train,
        "config": {"seed": seed},
        "about": known | {"nothing_right": 0.93} | about,
        "tags": TAGS,
        "ids": np.arange(12),
        "labels": LABELS,
        "scores": scores,
        "artists": ARTISTS,
        "macro": figures.pop("macro"),
        "per_tag": figures,
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


def evaluated(seeds, skill):
    scores = np.stack([made_scores(seed, skill) for seed in seeds])
    return metrics.evaluate(LABELS, scores, tags=TAGS, groups=ARTISTS)


def test_best_model_first_with_intervals_over_artists_and_seeds():
    runs = [run("DielemanRaw", s, 0.1) for s in range(3)]
    small = {"width": 0.25}
    runs += [run("K2C2", s, 0.4, small, loss=0.8 + s / 10) for s in range(3)]
    board = results.leaderboard(runs)
    assert list(board.index) == ["K2C2 (width=0.25)", "DielemanRaw"]
    row, known = board.iloc[0], evaluated(range(3), 0.4).loc["macro"]
    for name in ("roc_auc", "roc_low", "roc_high", "ap", "ap_low", "ap_high"):
        assert row[name] == known[name], name
    assert row.roc_low < row.roc_auc < row.roc_high and row.seeds == 3
    assert row.loss == pytest.approx(0.9) and row.right == pytest.approx(0.94)
    assert row.epochs == 2 and row.parameters == 1000


def test_times_are_the_smallest_seen():
    row = results.leaderboard([run(seed=1), run(seed=0), run(seed=2)]).iloc[0]
    assert row.train_seconds == pytest.approx(0.05)
    assert row.tag_seconds == pytest.approx(0.01)


def test_caption_says_on_what_and_what_luck_reaches():
    caption = results.leaderboard([run()]).attrs["caption"]
    for word in ("90 clips", "raw50", "full", "0.500", "0.417", "0.240", "93.0%"):
        assert word in caption


@pytest.mark.parametrize("table", [results.leaderboard, results.per_tag])
@pytest.mark.parametrize(
    "differs", [{"version": "clean"}, {"corpus": "magnatagatune"}, {"n_clips": 89},
                {"tag_list": "merged50"}, {"part": "valid"}, {"merge": "max"},
                {"n_train": 50}]
)  # fmt: skip
def test_scores_of_different_protocols_are_not_put_side_by_side(table, differs):
    with pytest.raises(ValueError, match=next(iter(differs))):
        table([run(), run("DielemanRaw", **differs)])


@pytest.mark.parametrize("table", [results.leaderboard, results.per_tag])
def test_a_run_does_not_count_twice(table):
    with pytest.raises(ValueError, match="K2C2 .*seed 3"):
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
    with pytest.raises(ValueError, match="K2C2 .*learning_rate.*0.001.*0.1"):
        table([first, other])
    with pytest.raises(ValueError, match="K2C2 .*recipe.*None.*won"):
        table([run(seed=0), run(seed=1) | {"recipe": "won"}])


@pytest.mark.parametrize("key", ["ids", "labels"])
def test_runs_on_other_clips_are_not_put_side_by_side(key):
    other = run("DielemanRaw")
    other[key] = other[key][::-1]
    for table in (results.leaderboard, results.per_tag):
        with pytest.raises(ValueError, match=f"other {key}"):
            table([run(), other])
    with pytest.raises(ValueError, match=f"other {key}"):
        results.compare([run(), other], "K2C2", "DielemanRaw")


def test_two_models_are_compared_on_the_same_clips_with_their_seeds():
    runs = [run("DielemanRaw", s, 0.1) for s in range(2)]
    runs += [run("K2C2", s, 0.4, {"width": 0.25}) for s in range(3)]
    table = results.compare(runs, "K2C2", "DielemanRaw")
    a, b = ([made_scores(s, k) for s in range(n)] for n, k in ((3, 0.4), (2, 0.1)))
    known = metrics.compare(LABELS, np.stack(a), np.stack(b), groups=ARTISTS)
    pd.testing.assert_frame_equal(table, known)
    assert results.compare(runs, "K2C2 (width=0.25)", "DielemanRaw").equals(table)
    with pytest.raises(ValueError, match="'CRNN' fits no run; choose one of Diel"):
        results.compare(runs, "CRNN", "K2C2")
    with pytest.raises(ValueError, match=r"'K2C2' fits K2C2 and K2C2 \(width=0.25\)"):
        results.compare([*runs, run("K2C2")], "DielemanRaw", "K2C2")
    with pytest.raises(ValueError, match="n_train"):
        results.compare([run(), run("CRNN", n_train=9)], "K2C2", "CRNN")


def test_an_infinite_loss_is_null_in_a_record():
    sure = [run("PredictNothing", s, 0, loss=None) for s in range(2)]
    board = results.leaderboard([*sure, run()])
    assert board.loss["PredictNothing"] == np.inf and board.loss["K2C2"] == 0.2


def test_each_tag_has_its_interval_and_frequent_tags_come_first():
    runs = [run("DielemanRaw", s, 0.1) for s in range(2)]
    frame = results.per_tag(runs + [run("K2C2", s) for s in range(2)])
    order = [(t, m) for t in ("piano", "harp") for m in ("K2C2", "DielemanRaw")]
    assert list(frame.index[:4]) == order and frame.index.names == ["tag", "model"]
    row = frame.loc[("harp", "K2C2")]
    assert row.equals(evaluated(range(2), 0.4).loc["harp"].rename(row.name))
    unscored = frame.loc["sitar", ["roc_auc", "roc_low", "ap"]]
    assert unscored.isna().all(axis=None)
    assert "90 clips" in frame.attrs["caption"]


def write(folder, record, name="x"):
    """Write a record as `results.record` does: figures, and the clips beside them."""
    clips = {key: record.pop(key) for key in ("ids", "labels", "scores", "artists")}
    (folder / f"{name}.json").write_text(json.dumps(record))
    np.savez(folder / f"{name}.npz", **clips)


def test_a_record_comes_back_with_its_scores(tmp_path):
    write(tmp_path, run())
    (one,) = results.read_runs(tmp_path)
    np.testing.assert_equal(one, run())
    (tmp_path / "x.npz").unlink()
    with pytest.raises(ValueError, match=r"x\.npz is missing.*--record"):
        results.read_runs(tmp_path)


@pytest.mark.parametrize("lacks", ["loss", "tag_seconds", "per_tag", "n_train"])
def test_a_record_without_something_is_named(tmp_path, lacks):
    write(tmp_path, {key: value for key, value in run().items() if key != lacks})
    with pytest.raises(ValueError, match=rf"x\.json.*{lacks}"):
        results.read_runs(tmp_path)


@pytest.mark.parametrize("data", [b"{", b"[1]", b"7", b"\xff"])
def test_a_file_that_is_no_record_is_named(tmp_path, data):
    (tmp_path / "x.json").write_bytes(data)
    with pytest.raises(ValueError, match=r"x\.json.*macro"):
        results.read_runs(tmp_path)


def test_no_runs_make_empty_tables(tmp_path):
    none = results.read_runs(tmp_path / "no such folder")
    assert none == []
    assert results.leaderboard(none).empty and results.per_tag(none).empty


# -- published figures ----------------------------------------------------------------


def test_every_published_figure_has_a_source_a_protocol_and_a_status():
    cards = results.paper_cards()
    assert not cards[["system", "source", "protocol", "status"]].isna().any(axis=None)
    assert set(cards["status"]) == {"verified", "recalled"}
    assert cards["roc_auc"].dropna().between(0.4, 1, inclusive="neither").all()
    both = cards.dropna(subset=["roc_auc", "ap"])
    assert (both["ap"] < both["roc_auc"]).all()
    assert cards[["roc_auc", "ap"]].notna().any(axis=1).all()
    assert (cards["ap"].dropna() > 0.25).all()
    assert not cards.duplicated(["system", "source"]).any()
    assert cards["ours"].isna().all() and (cards["why"] != "").all()


def test_published_figures_are_those_of_the_documents():
    cards = results.paper_cards()
    n_figures = {
        "Weber, EPFL 2019": 1,
        "Roy, Bristol": 6,
        "Won et al. 2020": 12,
        "Elwood & Varosyan, Bristol": 6 + 25,  # a grid of 5 x 5
        "Dieleman & Schrauwen 2014": 10 + 6,
    }
    assert cards["source"].value_counts()[list(n_figures)].to_dict() == n_figures
    assert len(cards) == 114
    roc_auc = {
        ("Dieleman & Schrauwen 2014", "spectrogram 256/256"): 0.8815,
        ("Elwood & Varosyan, Bristol", "CRNN"): 0.8949,
        ("Elwood & Varosyan, Bristol", "base, momentum 0.99, rate 0.005"): 0.82,
        ("Roy, Bristol", "improved 256/256"): 0.8572,
        ("Panwar et al. 2017", "CRNN"): 0.893,
        ("Won et al. 2020", "short-chunk CNN + residual"): 0.9129,
    }
    named = cards.set_index(["source", "system"])
    assert named.loc[list(roc_auc), "roc_auc"].to_dict() == roc_auc
    assert named["ap"]["Won et al. 2020", "short-chunk CNN + residual"] == 0.4614
    assert named["ap"]["Pons & Serra 2019 (musicnn)", "musicnn"] == 0.38311
    for network, system in (
        ("magnatagatune", "musicnn"),
        ("lastfm50", "musicnn, Last.fm"),
    ):
        about = checkpoints.read_checkpoint(checkpoints.find(network))["about"]
        card = named.loc["Pons & Serra 2019 (musicnn)", system]
        assert about["stated"]["roc_auc"] == card["roc_auc"]
        assert about["stated"]["ap"] == card["ap"]
    assert set(named.loc["Pons et al. 2018", "status"]) == {"recalled"}
    assert set(named.loc["Wells, Cambridge 2018", "status"]) == {"verified"}
    five = cards[cards["sd"].notna()].set_index("system")
    assert five["sd"].to_dict() == {"base 256/256": 0.0027, "CRNN": 0.0028}
    assert set(five["n_runs"]) == {5}
    assert cards["n_runs"].notna().sum() == 2  # nobody else says how many
    of_2026 = cards[cards["source"].str.contains("2026|omar-rq")]
    assert len(of_2026) == 6 and of_2026["why"].str.contains("on a frozen").all()


def test_a_full_and_a_clean_test_set_have_different_floors():
    cards = results.paper_cards().set_index("source")
    assert cards.at["Wang et al. 2019", "ap_floor"] == 0.0653
    assert set(cards.loc["Roy, Bristol", "ap_floor"]) == {0.0639}
    assert np.isnan(cards.at["Panwar et al. 2017", "ap_floor"])


def test_a_run_stands_only_beside_figures_of_its_own_clips():
    runs = [run("DielemanRaw", s, **MTT) for s in range(2)]
    cards = results.paper_cards(runs)
    beside = cards[cards["ours"].notna()]
    assert list(beside["source"] + " " + beside["system"]) == [
        "Dieleman & Schrauwen 2014 raw 256/256"
    ]
    known = evaluated(range(2), 0.4).loc["macro"]
    mine = beside[["ours", "ours_low", "ours_high"]].to_numpy().ravel()
    assert mine.tolist() == known[["roc_auc", "roc_low", "roc_high"]].tolist()
    assert beside["why"].item() == ""
    clean = MTT | {"version": "clean", "tag_list": "merged50", "n_clips": 4392}
    both = runs + [run("DielemanRaw", 0, 0.8, **clean)]
    beside = results.paper_cards(both).dropna(subset="ours")
    assert list(beside["ours"]) == [1, known.roc_auc]
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
    assert "DielemanMel" in card["why"]


def test_arguments_of_a_card_choose_the_run():
    arguments = {"length": 1024, "stride": 512}
    cards = results.paper_cards([run("DielemanMel", arguments=arguments, **MTT)])
    assert list(cards.dropna(subset="ours")["system"]) == ["spectrogram 1024/512"]


def test_a_card_names_a_model_and_arguments_that_there_are():
    table = pd.read_csv(corpus.SHIPPED / "published.csv").fillna({"arguments": ""})
    for card in table.dropna(subset="model").itertuples():
        known = inspect.signature(models.MODELS[card.model].cls).parameters
        assert {pair.split("=")[0] for pair in card.arguments.split()} <= set(known)


def test_a_default_that_went_through_json_is_still_the_default():
    arguments = json.loads(json.dumps(models.build("CRNN").arguments))
    assert results.label({"model": "CRNN", "arguments": arguments}) == "CRNN"


def test_an_unsound_figure_has_a_reason_and_no_neighbour():
    """Runs on the very clips of each unsound figure are not put beside it."""
    table = pd.read_csv(corpus.SHIPPED / "published.csv")
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


# -- records --------------------------------------------------------------------------


def mean_log_loss(labels, scores):
    """scikit-learn's, the mean over tags."""
    pairs = zip(labels.to_numpy().T, np.transpose(scores), strict=True)
    return np.mean([log_loss(*pair, labels=[0, 1]) for pair in pairs])


def test_a_record_holds_all_that_the_tables_need(tmp_path):
    model = models.DielemanRaw(n_tags=2, length=64, stride=64, n_samples=4000)
    data = noise(6, 8000), [[0, 1], [1, 0]] * 3
    clips = made_examples(tmp_path / "s", *data, tags=["low", "high"])
    labels = clips.labels.assign(low=0)  # a tag that cannot be scored
    scores = predict.clip_scores(model, clips)
    path = tmp_path / "results" / "x.json"
    results.record(
        path,
        results.model_facts(model, train.Config(epochs=2, seed=5)) | {"recipe": None},
        history=[{"epoch": 1, "seconds": 2.0}, {"epoch": 2, "seconds": 4.0}],
        train=clips,
        test=batches.Examples(clips.store, labels, clips.about),
        scores=scores,
        tag_seconds=0.25,
        merge="vote",
    )
    assert "NaN" not in path.read_text() and "Infinity" not in path.read_text()
    (one,) = results.read_runs(path.parent)
    assert one["model"] == "DielemanRaw" and one["arguments"] == model.arguments
    assert one["parameters"] == models.count_parameters(model)
    assert one["config"]["seed"] == 5 and one["minutes"] == 0.1
    assert one["n_train"] == 6 and one["window"] == [4000, 12_000]
    assert one["about"]["merge"] == "vote" and one["about"]["corpus"] == "made"
    assert one["about"]["masked"] == ["low"]
    assert one["tags"] == list(one["per_tag"]) == ["low", "high"]
    assert one["per_tag"]["low"]["roc_auc"] is None
    assert one["per_tag"]["high"]["positives"] == 3
    roc = metrics.evaluate(labels, scores).at["macro", "roc_auc"]
    assert one["macro"]["roc_auc"] == pytest.approx(roc, abs=1e-5)
    assert one["loss"] == pytest.approx(mean_log_loss(labels, scores), abs=1e-5)
    # "low" has a share in training and none in the test.
    prior = np.tile(clips.labels.mean(), (len(clips), 1))
    assert one["prior_loss"] == pytest.approx(mean_log_loss(labels, prior), abs=1e-5)
    assert one["right"] == pytest.approx(((scores > 0.5) == labels).to_numpy().mean())
    assert one["tag_seconds"] == 0.25 and one["threads"] == torch.get_num_threads()
    assert one["versions"]["torch"] == torch.__version__


# -- what is shipped ------------------------------------------------------------------


def test_card_gets_the_whole_board(tmp_path, monkeypatch, mini_card):
    folder = tmp_path / "data"
    (folder / "results").mkdir(parents=True)
    card = folder / "README.md"
    card.write_text((corpus.SHIPPED / "README.md").read_text())
    names = ["PredictNothing", *(f"Net{n}" for n in range(6))]
    runs = [run(name, skill=n / 30, loss=None) for n, name in enumerate(names)]
    for one in [*runs, run("Elsewhere", **MTT)]:
        write(folder / "results", dict(one), one["model"])
    monkeypatch.setattr(mini_card, "contact_sheet", lambda *_: None)
    monkeypatch.setattr(mini_card, "sound_lines", lambda *_: ["no sound"])
    for _ in range(2):  # the second time nothing changes
        mini_card.write(corpus.SHIPPED / "mini", folder)
        lines = card.read_text().splitlines()
        rows = [line for line in lines if line.startswith(("| Net", "| PredictN"))]
        board = results.leaderboard(runs)
        assert [row.split(" | ")[0] for row in rows] == [f"| {n}" for n in board.index]
        row, macro = rows[board.index.get_loc("Net3")], board.loc["Net3"]
        assert row.startswith(
            f"| Net3 | 1,000 | 1 | {macro.roc_auc:.3f} [{macro.roc_low:.3f}, "
        )
        assert row.endswith("] | inf | 50 | 10 |")


@pytest.fixture(scope="module")
def recorded():
    return results.read_runs()


@pytest.fixture(scope="module")
def board(recorded):
    return results.leaderboard(recorded)


def test_no_score_is_perfect_and_every_network_has_listened(recorded):
    for run in recorded:
        assert run["macro"]["roc_auc"] < 0.99
        if run["model"] not in ("PredictNothing", "ConstantPrior"):
            assert run["loss"] < run["prior_loss"], run["model"]
            assert run["macro"]["roc_low"] > 0.55, run["model"]


@pytest.mark.parametrize("name", ["PredictNothing", "ConstantPrior"])
def test_what_does_not_listen_scores_as_recorded(name, mini, recorded):
    train_set, test_set = (mini.labels()[mini.split() == p] for p in ("train", "test"))
    baseline = features.BASELINES[name]().fit(train_set, train_set)
    report = metrics.evaluate(test_set, baseline.predict(test_set), n_boot=0)
    macro = report.loc["macro", ["roc_auc", "ap"]].round(5).to_dict()
    for one in (r for r in recorded if r["model"] == name):
        assert macro.items() <= one["macro"].items()
        assert baseline.parameters == one["parameters"]


def test_every_model_and_baseline_has_the_records_of_three_seeds(monkeypatch, board):
    assert (board["seeds"] == 3).all()
    monkeypatch.syspath_prepend(str(corpus.SHIPPED))
    import record_runs

    folder = corpus.SHIPPED / "results"
    names = {path.stem for path in folder.glob("*.json")}
    assert names == {f"{name}-{s}" for name in record_runs.RUNS for s in range(3)}
    recorded = {model for model, _ in record_runs.RUNS.values()}
    assert recorded == {*models.MODELS, *features.BASELINES}
    for name, (model, settings) in record_runs.RUNS.items():
        for seed in range(3):
            path = corpus.SHIPPED / "results" / f"{name}-{seed}.json"
            run = json.loads(path.read_text())
            kept = run["config"] | run["arguments"]
            assert run["model"] == model and kept["seed"] == seed
            assert {k: kept[k] for k in settings} == settings, name
    assert [p.stem for p in CHECKPOINTS] == sorted(record_runs.CHECKPOINTS)


def test_lesson_03_says_what_the_records_say(recorded):
    """Mel bands lead for four epochs, k2c2's dots lie above theirs; all is open."""
    kinds = ("DielemanRaw", "DielemanMel", "K2C2")
    runs = {kind: [run for run in recorded if run["model"] == kind] for kind in kinds}
    roc = {
        kind: np.array([[e["valid_roc_auc"] for e in run["history"]] for run in found])
        for kind, found in runs.items()
    }
    assert (roc["DielemanRaw"] < roc["DielemanMel"])[:, :4].all()
    areas = {kind: [run["macro"]["roc_auc"] for run in runs[kind]] for kind in kinds}
    assert min(areas["K2C2"]) > max(areas["DielemanMel"])
    for pair in (("DielemanRaw", "DielemanMel"), ("K2C2", "DielemanMel"),
                 ("K2C2", "DielemanRaw")):  # fmt: skip
        row = results.compare(recorded, *pair).loc["roc_auc"]
        assert row.low < 0 < row.high


def test_the_data_card_holds_the_leaderboard(board, mini_card):
    whole = (corpus.SHIPPED / "README.md").read_text()
    for line in mini_card.board_lines(board):
        assert line in whole


@pytest.mark.parametrize("path", CHECKPOINTS, ids=lambda p: p.stem)
def test_shipped_weights_score_as_recorded(path, mini, mini_store, recorded):
    """Half precision, on other threads: the third decimal may move, no more."""
    about = checkpoints.read_checkpoint(path)
    model = models.build(about["model"], **about["arguments"])
    test = batches.examples(mini, mini_store, "test")
    checkpoints.load_weights(model, path, list(test.labels.columns))
    scores = predict.clip_scores(model, test)
    (run,) = (
        r for r in recorded if r["model"] == about["model"] and r["config"]["seed"] == 0
    )
    assert metrics.cross_entropy(test.labels, scores) == pytest.approx(
        run["loss"], abs=2e-3
    )
    roc = metrics.evaluate(test.labels, scores, n_boot=0).at["macro", "roc_auc"]
    assert roc == pytest.approx(run["macro"]["roc_auc"], abs=3e-3)


def test_shipped_weights_are_small():
    assert CHECKPOINTS
    assert sum(p.stat().st_size for p in CHECKPOINTS) < 40e6
