"""Frames that a notebook shows: what each recorded run reached, on what, how surely.

Notebook: course/03_spectrogram_cnns.ipynb
"""

import inspect
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from tagkit import corpus, metrics, models

# Two scores compare only if all of these are the same.
PROTOCOL = ("corpus", "tag_list", "version", "part", "n_clips", "merge")


def read_runs(folder: str | Path | None = None) -> list[dict]:
    """Read the records of runs, written by `runs.record`, in the order of their names.

    Args:
        folder: default data/results, the runs that are shipped.

    Raises: ValueError for a file that is not such a record.

    >>> read_runs("no such folder")
    []

    Notebook: course/03_spectrogram_cnns.ipynb
    """
    runs = []
    for path in sorted(Path(folder or corpus.DATA / "results").glob("*.json")):
        try:
            run = json.loads(path.read_text())
            run["macro"]["roc_auc"], run["about"]["n_clips"]
        except (json.JSONDecodeError, KeyError, TypeError) as error:
            raise ValueError(
                f"{path} is not the record of a run ({error}); `tagkit train --record` "
                "writes such files; move this one elsewhere"
            ) from None
        runs.append(run)
    return runs


def leaderboard(runs: Sequence[dict]) -> pd.DataFrame:
    """Set models side by side, best first, with two kinds of interval.

    `seed_low` and `seed_high` hold the mean over seeds in 95 % (t-interval): would
    another training differ? `clip_low` and `clip_high` are the bootstrap over test
    clips, averaged over seeds: would other clips differ?

    Shape: a row per model and its arguments; columns parameters, seeds, roc_auc with
    its two intervals, ap with its t-interval, epochs, seconds_per_clip (of training).
    ``attrs["caption"]`` says on what it was measured.
    Raises: ValueError if the runs were not measured on the same clips and tags in the
    same way, naming what differs.

    >>> leaderboard([]).empty
    True

    Notebook: course/03_spectrogram_cnns.ipynb
    """
    for key in PROTOCOL:
        values = sorted({str(run["about"].get(key)) for run in runs})
        if len(values) > 1:
            raise ValueError(
                f"these runs differ in {key}: {' and '.join(values)}; scores on "
                "different clips or tags do not compare, choose runs of one kind"
            )
    groups = {}
    for run in runs:
        groups.setdefault(label(run), []).append(run)
    rows = {}
    for name, same in groups.items():
        roc = [run["macro"]["roc_auc"] for run in same]
        ap = [run["macro"]["ap"] for run in same]
        epochs = sum(len(run["history"]) for run in same)
        seconds = sum(epoch["seconds"] for run in same for epoch in run["history"])
        rows[name] = {
            "parameters": same[0]["parameters"],
            "seeds": len({run["config"]["seed"] for run in same}),
            **_with_interval("roc_auc", roc, "seed"),
            "clip_low": np.mean([run["macro"]["roc_low"] for run in same]),
            "clip_high": np.mean([run["macro"]["roc_high"] for run in same]),
            **_with_interval("ap", ap, "ap"),
            "ap_floor": same[0]["macro"]["ap_floor"],
            "epochs": epochs / len(same),
            "seconds_per_clip": seconds / epochs / same[0]["n_train"],
        }
    frame = pd.DataFrame.from_dict(rows, orient="index")
    if len(frame):
        frame = frame.sort_values("roc_auc", ascending=False)
        frame.attrs["caption"] = caption(runs[0]["about"])
    return frame


def label(run: dict) -> str:
    """Name a run's model with the arguments that are not its defaults.

    >>> label({"model": "K2C2", "arguments": {"n_tags": 50, "width": 0.25}})
    'K2C2 (width=0.25)'

    Notebook: course/03_spectrogram_cnns.ipynb
    """
    defaults = {}
    if run["model"] in models.MODELS:
        signature = inspect.signature(models.MODELS[run["model"]].cls)
        defaults = {k: p.default for k, p in signature.parameters.items()}
    changed = {
        k: v
        for k, v in run["arguments"].items()
        if k != "n_tags" and v != defaults.get(k)
    }
    text = ", ".join(f"{k}={v}" for k, v in changed.items())
    return f"{run['model']} ({text})" if text else run["model"]


def caption(about: dict) -> str:
    """Say on what a score was measured, in one sentence.

    >>> caption({"corpus": "mini", "part": "test", "version": "full", "n_clips": 90,
    ...          "tag_list": "raw50", "n_tags": 50, "masked": ["x"], "merge": "mean"})
    'mini, test part of the full folder split: 90 clips, raw50, 49 of 50 tags scored,
    windows merged by mean.'

    Notebook: course/02_raw_waveform_cnns.ipynb
    """
    n_scored = about["n_tags"] - len(about["masked"])
    return (
        f"{about['corpus']}, {about['part']} part of the {about['version']} folder "
        f"split: {about['n_clips']} clips, {about['tag_list']}, {n_scored} of "
        f"{about['n_tags']} tags scored, windows merged by {about['merge']}."
    )


def _with_interval(name, values, prefix):
    if len(values) < 2:
        mean, low, high = values[0], np.nan, np.nan
    else:
        mean, low, high = metrics.seed_interval(values)
    return {name: mean, f"{prefix}_low": low, f"{prefix}_high": high}
