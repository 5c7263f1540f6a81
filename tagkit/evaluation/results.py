"""Recorded runs, and the tables that compare them with each other and with papers.

Notebook: course/03_spectrogram_cnns.ipynb
"""

import ast
import inspect
import io
import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from tagkit import models
from tagkit.data import corpus
from tagkit.evaluation import metrics
from tagkit.files import write_atomically
from tagkit.models.tagger import Tagger

# Two scores compare only if all of these are the same.
TEST = ("corpus", "version", "tag_list", "part", "n_clips")
PROTOCOL = (*TEST, "merge", "n_train")
# What the tables read of a record.
NEEDED = """
model arguments parameters config recipe n_train about tags macro per_tag history loss
prior_loss right tag_seconds threads device versions
""".split()
# Average precision without listening, on the test clips of MagnaTagATune.
FLOORS = {
    ("full", "raw50"): 0.0531,
    ("clean", "raw50"): 0.0653,
    ("full", "merged50"): 0.0526,
    ("clean", "merged50"): 0.0639,
}


def read_runs(folder: str | Path | None = None) -> list[dict]:
    """Read the records of a folder, by default of the shipped runs, ordered by name.

    Beside the figures each holds its test clips: ids (n_clips,), labels and scores
    (n_clips, n_tags), artists (n_clips,) or None.

    Raises: ValueError for a file that `record` did not write.
    """
    folder = Path(folder or corpus.SHIPPED / "results")
    return [_read_run(path) for path in sorted(folder.glob("*.json"))]


def _read_run(path):
    try:
        run = dict(json.loads(path.read_text()))
    except (ValueError, TypeError):  # no text, no JSON, no dict
        run = {}
    missing = [key for key in NEEDED if key not in run]
    if missing:
        raise ValueError(
            f"{path} is not the record of a run: it lacks {', '.join(missing)}; "
            "`tagkit train --record` writes such files; move this one elsewhere"
        )
    clips = path.with_suffix(".npz")
    if not clips.exists():
        raise ValueError(
            f"{clips} is missing, the scores that belong to {path.name}; copy both "
            "files, or train again with `tagkit train --record`"
        )
    with np.load(clips) as arrays:
        return run | {"artists": None} | dict(arrays)


def leaderboard(runs: Sequence[dict]) -> pd.DataFrame:
    """Rank models by ROC-AUC, with 95 % intervals over artists and seeds together.

    Shape: a row per model and its arguments; columns parameters, seeds, roc_auc and ap
    with their intervals as in `metrics.evaluate`, loss, right (share of labels right
    when scores are cut at 0.5), epochs, train_seconds (per clip and epoch), tag_seconds
    (per clip), both the shortest measured. ``attrs["caption"]`` names the test clips
    and what chance reaches on them.
    Raises: ValueError that names what differs, unless runs share training size, test
    clips, tags, merging and, per model, all settings but the seed, each seed once.
    """
    if not runs:
        return pd.DataFrame()
    _check_comparable(runs)
    rows = {}
    for name, same in _by_label(runs).items():
        macro = _evaluate(same).loc["macro"]
        rows[name] = {
            "parameters": same[0]["parameters"],
            "seeds": len(same),
            **macro.drop(["positives", "ap_floor"]),
            "loss": np.mean([_number(run["loss"], np.inf) for run in same]),
            "right": np.mean([run["right"] for run in same]),
            "epochs": np.mean([len(run["history"]) for run in same]),
            "train_seconds": min(
                epoch["seconds"] / run["n_train"]
                for run in same
                for epoch in run["history"]
            ),
            "tag_seconds": min(run["tag_seconds"] for run in same),
        }
    about = runs[0]["about"]
    prior = _number(runs[0]["prior_loss"], np.inf)
    machines = {f"{run['device']}, {run['threads']} thread(s)" for run in runs}
    board = pd.DataFrame.from_dict(rows, orient="index")
    board = board.sort_values("roc_auc", ascending=False)
    board.attrs["caption"] = (
        f"{caption(about)} Without listening: ROC-AUC 0.500, AP "
        f"{runs[0]['macro']['ap_floor']:.3f}, loss {prior:.3f} (every clip scored by "
        f"the tags' shares in training), {about['nothing_right']:.1%} of the labels "
        f"right (no tag at all). Times: {' or '.join(sorted(machines))}."
    )
    return board


def per_tag(runs: Sequence[dict]) -> pd.DataFrame:
    """Rank models for each tag, the most frequent tag first.

    Shape: a row per (tag, model); columns as in `metrics.evaluate`, nan for a tag that
    cannot be scored.
    Raises: ValueError as `leaderboard`.
    """
    if not runs:
        return pd.DataFrame()
    _check_comparable(runs)
    reports = {name: _evaluate(same)[:-1] for name, same in _by_label(runs).items()}
    frame = pd.concat(reports, names=["model", "tag"]).swaplevel()
    frame = frame.sort_values(
        ["positives", "tag", "roc_auc"], ascending=[False, True, False]
    )
    frame.attrs = {"caption": caption(runs[0]["about"])}
    return frame


def compare(runs: Sequence[dict], a: str, b: str) -> pd.DataFrame:
    """Compare two models by their recorded runs, artists and seeds drawn.

    Args:
        a, b: a model, or with `label` a model and its arguments.

    Shape: as `metrics.compare`.
    Raises: ValueError as `leaderboard`, or unless each name fits the runs of one model.
    """
    both = []
    for name in (a, b):
        found = [run for run in runs if name in (run["model"], label(run))]
        labels = _values(label(run) for run in found)
        if len(labels) != 1:
            raise ValueError(
                f"{name!r} fits {' and '.join(labels) or 'no run'}; choose one of "
                f"{', '.join(_values(label(run) for run in runs))}"
            )
        both.append(found)
    _check_comparable(both[0] + both[1])
    scores = [np.stack([run["scores"] for run in same]) for same in both]
    one = both[0][0]
    return metrics.compare(one["labels"], *scores, groups=one["artists"])


def paper_cards(runs: Sequence[dict] = ()) -> pd.DataFrame:
    """List published figures with what they were measured on, beside our own.

    `ours` is the mean ROC-AUC over the seeds of our runs with the same model and
    arguments, test clips and tags, windows merged by mean; without any, `why` gives the
    reason. Papers differ in more, such as the sample rate; one that only names the
    split 12:1:3 is taken to use all readable clips.

    Shape: a row per figure of data/published.csv; columns system, source, protocol,
    roc_auc (mean of n_runs with standard deviation sd, if the paper says so), ap,
    ap_floor (that of equal scores, if known), status ("verified": read in the paper,
    its code or a paper that quotes it; "recalled": from memory, look it up before you
    print it), ours with its interval over artists and seeds, why.
    Raises: ValueError as `leaderboard`, for the runs of one card.
    """
    cards = pd.read_csv(corpus.SHIPPED / "published.csv")
    cards = cards.fillna({"model": "", "arguments": "", "why": ""})
    rows = []
    for card in cards.to_dict("records"):
        row = {
            "system": card["system"],
            "source": card["source"],
            "protocol": _protocol(card),
            "roc_auc": card["roc_auc"],
            "n_runs": card["runs"],
            "sd": card["sd"],
            "ap": card["ap"],
            "ap_floor": FLOORS.get((card["version"], card["tag_list"]), np.nan),
            "status": card["status"],
        }
        rows.append(row | _ours(card, runs))
    return pd.DataFrame(rows)


def label(run: dict) -> str:
    """Name a run's model and its arguments other than the defaults.

    >>> label({"model": "K2C2", "arguments": {"n_tags": 50, "width": 0.25}})
    'K2C2 (width=0.25)'
    """
    changed = _changed(run["model"], run["arguments"])
    text = ", ".join(f"{k}={v}" for k, v in changed.items())
    return f"{run['model']} ({text})" if text else run["model"]


def caption(about: dict) -> str:
    """Say in one sentence what a score was measured on.

    >>> caption({"corpus": "mini", "part": "test", "version": "full", "n_clips": 90,
    ...          "tag_list": "raw50", "n_tags": 50, "masked": ["x"], "merge": "mean"})
    'mini, test part of the full folder split: 90 clips, raw50, 49 of 50 tags scored,
    windows merged by mean.'
    """
    n_scored = about["n_tags"] - len(about["masked"])
    by_folder = "folder " if about["version"] in ("full", "clean") else ""
    return (
        f"{about['corpus']}, {about['part']} part of the {about['version']} {by_folder}"
        f"split: {about['n_clips']} clips, {about['tag_list']}, {n_scored} of "
        f"{about['n_tags']} tags scored, windows merged by {about['merge']}."
    )


def _changed(model, arguments):
    """Give the arguments that are not the model's defaults, without n_tags."""
    defaults = {}
    if model in models.MODELS:
        known = inspect.signature(models.MODELS[model].cls).parameters
        defaults = {k: _plain(p.default) for k, p in known.items()}
    given = {k: _plain(v) for k, v in arguments.items() if k != "n_tags"}
    return {k: v for k, v in given.items() if v != defaults.get(k)}


def _plain(value):
    """JSON knows no tuple."""
    return list(value) if isinstance(value, tuple) else value


def _check_comparable(runs):
    for key in PROTOCOL:
        values = _values(run.get(key, run["about"].get(key)) for run in runs)
        if len(values) > 1:
            raise ValueError(
                f"these runs differ in {key}: {' and '.join(values)}; scores on "
                "different clips or tags, or after training on more clips, do not "
                "compare; choose runs of one kind"
            )
    for key in ("ids", "labels"):
        if not all(np.array_equal(run[key], runs[0][key]) for run in runs):
            raise ValueError(
                f"these runs have other {key} of test clips; their scores cannot be "
                "compared clip by clip; choose runs on the same tables"
            )
    for name, same in _by_label(runs).items():
        settings = [run["config"] | {"recipe": run["recipe"]} for run in same]
        for key in set().union(*settings) - {"seed", "device"}:
            values = _values(one.get(key) for one in settings)
            if len(values) > 1:
                raise ValueError(
                    f"the runs of {name} differ in {key}: {' and '.join(values)}; only "
                    "another seed makes runs of one kind, leave the others out"
                )
        seeds = [run["config"]["seed"] for run in same]
        repeated = [seed for seed in seeds if seeds.count(seed) > 1]
        if repeated:
            raise ValueError(
                f"{name} has seed {repeated[0]} more than once; the same run again "
                "makes the interval over seeds too narrow; leave one of them out"
            )


def _values(values):
    return sorted({str(value) for value in values})


def _by_label(runs):
    groups = {}
    for run in runs:
        groups.setdefault(label(run), []).append(run)
    return groups


def _number(value, null=np.nan):
    """JSON knows no nan and no infinity: null stands for them."""
    return null if value is None else value


def _evaluate(same):
    """Score the seeds of one model on their clips."""
    scores, one = np.stack([run["scores"] for run in same]), same[0]
    return metrics.evaluate(
        one["labels"], scores, tags=one["tags"], groups=one["artists"]
    )


def _protocol(card):
    version, tags = card["version"], card["tag_list"]
    split = "split not known" if version == "unknown" else f"{version} split"
    parts = [card["corpus"], split, "tags not known" if tags == "unknown" else tags]
    if card["n_clips"] > 0:  # not nan
        parts.append(f"{card['n_clips']:,.0f} {card['part']} clips")
    return ", ".join(parts)


def _ours(card, runs):
    """Give our ROC-AUC for a card, or nan and what keeps us from comparing."""
    nothing = {"ours": np.nan, "ours_low": np.nan, "ours_high": np.nan}
    if card["why"] or not card["model"]:
        return nothing | {"why": card["why"] or "tagkit has no such model"}
    pairs = [pair.split("=") for pair in card["arguments"].split()]
    arguments = {name: ast.literal_eval(value) for name, value in pairs}
    changed = _changed(card["model"], arguments)
    same = [
        run
        for run in runs
        if run["model"] == card["model"]
        and _changed(run["model"], run["arguments"]) == changed
        and all(run["about"].get(key) == card[key] for key in TEST)
        and run["about"]["merge"] == "mean"
    ]
    if same:
        _check_comparable(same)
        macro = _evaluate(same).loc["macro"]
        figures = {"ours": macro.roc_auc, "ours_low": macro.roc_low}
        return figures | {"ours_high": macro.roc_high, "why": ""}
    wanted = label({"model": card["model"], "arguments": changed})
    why = f"no run of {wanted} on these clips"
    keys = ("corpus", "version", "tag_list")
    here = _values(", ".join(str(run["about"][key]) for key in keys) for run in runs)
    if here:
        why += f"; our runs are on {' and '.join(here)}"
    return nothing | {"why": why}


def model_facts(model: Tagger, config) -> dict:
    """Describe a network and its train.Config, for `record`."""
    return {
        "model": type(model).__name__,
        "arguments": model.arguments,
        "parameters": sum(p.numel() for p in model.parameters()),
        "window": [model.n_samples, model.sample_rate],
        "config": asdict(config),
        "device": str(next(model.parameters()).device),
    }


def record(path, what, *, history, train, test, scores, tag_seconds, merge="mean"):
    """Write a run's settings and its figures on the test clips as JSON.

    Labels, scores and artists go into an .npz of the same name beside it.

    Args:
        what: a recipe and the keys of `model_facts`.
        history: a dict per epoch, with its seconds.
        train, test: examples; scores are those of test, (n_clips, n_tags) in [0, 1].
        tag_seconds: how long scoring a clip took.
    """
    report = metrics.evaluate(test.labels, scores, groups=test.artists)
    prior = np.broadcast_to(train.labels.mean(), test.labels.shape)
    run = what | {
        "n_train": len(train),
        "about": test.about | report.attrs | {"merge": merge},
        "tags": list(test.labels.columns),
        "macro": report.loc["macro"].round(5).to_dict(),
        "per_tag": report.iloc[:-1].round(5).astype(object).to_dict("index"),
        "loss": round(metrics.cross_entropy(test.labels, scores), 5),
        "prior_loss": round(metrics.cross_entropy(test.labels, prior), 5),
        "right": round(float(((scores > 0.5) == test.labels.to_numpy()).mean()), 5),
        "history": history,
        "minutes": round(sum(e["seconds"] for e in history) / 60, 2),
        "tag_seconds": round(tag_seconds, 6),
        "threads": torch.get_num_threads(),
        "versions": {"torch": torch.__version__, "numpy": np.__version__},
    }
    clips = {
        "ids": test.labels.index.to_numpy(),
        "labels": test.labels.to_numpy(np.uint8),
        "scores": np.asarray(scores, np.float32),
    }
    if test.artists is not None:
        clips["artists"] = test.artists.to_numpy(str)
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **clips)
    write_atomically(Path(path).with_suffix(".npz"), buffer.getvalue())
    text = json.dumps(without_nan(run), indent=1)
    write_atomically(Path(path), text.encode())


def without_nan(value):
    """Replace each number that is not finite by None, which JSON writes as null."""
    if isinstance(value, dict):
        return {k: without_nan(v) for k, v in value.items()}
    if isinstance(value, list):
        return [without_nan(v) for v in value]
    return None if isinstance(value, float) and not np.isfinite(value) else value
