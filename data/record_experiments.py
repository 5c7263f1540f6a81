"""The five documents' claims, tried on mini: python data/record_experiments.py

Each experiment asks of the 480 clips of mini what a document says of other music.
Ninety test clips cannot tell most networks apart, so each clip is scored once, by a
network that did not train on its folder: four folds of four folders, one folder more
apart to choose the epoch. That is the documents' protocol, with its leak: most artists
are in several folders. Where a claim is about which network is better, artists are
dealt into sixteen groups, and these take the place of folders ("artist").

A point, one way of training with one seed, is four networks. It writes
data/results/experiments/<experiment>/<arm>-<folds>-<seed>.json, and the scores beside
it; a point that is there is not computed again. What is begun is in
data/cache/experiments and goes on from its last whole epoch.

    python data/record_experiments.py                # all, a point per core at a time
    python data/record_experiments.py c d --jobs 1   # two experiments, one at a time
    python data/record_experiments.py --estimate     # how long each took
    python data/record_experiments.py a --shuffled   # with shuffled labels, to see 0.5
    python data/record_experiments.py c --table      # what is recorded, with intervals

Nothing is chosen by the clips that are scored. (Only the rate of Nesterov in (f) is one
of four, by the groups apart, which other folds score.) Scores of four networks meet in
one ranking. A network scores a tag higher if it met it more often; then its test
folders have it less often. So `comparable` takes a tag's share of the training clips
out of its scores. The file is long because it holds all experiments, as plain tables.
"""

import argparse
import io
import json
import os
import shutil
import zlib
from dataclasses import asdict, dataclass, field
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
import torch

from tagkit import models
from tagkit.data import batches, corpus, store
from tagkit.evaluation import metrics, predict
from tagkit.evaluation.results import without_nan
from tagkit.files import write_atomically
from tagkit.training import Config, fit

RESULTS = corpus.SHIPPED / "results" / "experiments"
CACHE = corpus.DATA / "cache" / "experiments"
N_GROUPS, N_FOLDS = 16, 4
SEEDS = (0, 1, 2)
WHOLE_CLIP = 465_920  # samples at 16 kHz, for the spectrogram of a whole clip


@dataclass(frozen=True)
class Arm:
    """One way of training, to be compared with the others of its experiment.

    Args:
        model, arguments, config: what is trained, and how.
        folds: for "folder" and "artist", the seeds.
        merges: how windows become scores; "whole" scores each clip as one window.
        share: of the training clips.
        pair: two tags; only clips that have one of them are taken.
        order: None, or how whole clips come in each epoch: "shuffled", "fixed", or
            "drawn" with replacement.
        low_pass: take out what lies above a clip's 20 strongest frequencies.
        n_valid: groups apart to choose the epoch.
    """

    model: str
    arguments: dict = field(default_factory=dict)
    config: dict = field(default_factory=dict)
    folds: dict = field(default_factory=lambda: {"folder": SEEDS})
    merges: tuple[str, ...] = ("mean",)
    share: float = 1
    pair: tuple[str, str] | None = None
    order: str | None = None
    low_pass: bool = False
    n_valid: int = 1


@dataclass(frozen=True)
class Experiment:
    """A question, what was reduced to ask it here and why, and the arms."""

    question: str
    source: str
    reduced: str
    arms: dict[str, Arm]


FEWER = (
    "480 clips in place of 21,000 or more, so an epoch has a fiftieth of the steps; "
    "{}. Two cores do all experiments in under four hours."
)
BOTH, TWO = {"folder": SEEDS, "artist": (0,)}, {"folder": (0, 1)}
ADAM = {"learning_rate": 0.001, "start_at_prior": True}

# (a) Weber: two pairs of tags, twenty songs of nine chunks, vote.
WEBER = {"batch_size": 45, "crops_per_clip": 9, "epochs": 15, "details": True}
_pairs = {
    "guitar-techno": ("guitar", "techno"),
    "piano-rock": ("piano", "rock"),
}
_weber = {}
for _name, _pair in _pairs.items():
    for _arm, _order, _loss in (
        ("entropy", "shuffled", "window"),
        ("mse", "shuffled", "mse"),
        ("fixed order", "fixed", "window"),
        ("drawn order", "drawn", "window"),
    ):
        if "order" in _arm and _name != "piano-rock":  # the smaller of the two
            continue
        _weber[f"{_name} {_arm}"] = Arm(
            "PonsWaveform",
            {"n_samples": 51_776, "width": 0.125},
            WEBER | ADAM | {"loss": _loss},
            folds={"folder": (0, 1) if _arm in ("entropy", "mse") else (0,)},
            merges=("mean", "vote"),
            pair=_pair,
            order=_order,
            n_valid=4,
        )

# (b) Wells: three networks of one size. One recipe for all, as there.
SIXTY = {"K2C1": 0.195, "K1C2": 0.248, "K2C2": 0.24}  # widths for 61,000 parameters
WELLS = {"epochs": 10, "batch_size": 8, "learning_rate": 0.002, "start_at_prior": True}

# (c) and (d) Elwood & Varosyan, Roy: ten clips a batch, merged before the loss.
TEN_CLIPS = {"batch_size": 50, "crops_per_clip": 5, "loss": "clip"}
RATES, MOMENTA = (0.05, 0.1, 0.25, 0.5, 1), (0.99, 0.97, 0.95, 0.9, 0)
CELLS = ((1024, 1024), (1024, 512), (512, 512), (512, 256), (256, 256))

# (f) Roy's improved network, narrow, and the base one.
ROY = TEN_CLIPS | {"epochs": 20}
NESTEROV = {"optimizer": "sgd", "momentum": 0.9, "nesterov": True}
PLATEAU = {"learning_rate": 0.01, "schedule": "plateau", "flat_epochs": 4}

# (g) and (i) recurrent networks, small: two cores do not do more.
SMALL_CRNN = {"channels": [8, 16, 16, 16], "hidden": 32}
CRNN = {"batch_size": 8, "epochs": 20, "start_at_prior": True, "learning_rate": 0.002}
CRNN_RATES = (0.0001, 0.0005, 0.001, 0.002, 0.005)

# (h) Pons: two networks by the number of clips, equally many steps for each share.
PONS = {"epochs": 8, "batch_size": 16, "crops_per_clip": 3} | ADAM
_pons = {}
for _net in ("PonsWaveform", "PonsSpectrogram"):
    _merges = ("mean", "whole") if _net == "PonsSpectrogram" else ("mean",)
    for _share in (0.25, 0.5, 1):
        _pons[f"{_net} {_share}"] = Arm(
            _net,
            {"width": 0.125},
            PONS | {"epochs": round(PONS["epochs"] / _share)},
            folds={"folder": (0, 1), "artist": (0,)}
            if _share == 1
            else {"folder": (0,)},
            merges=_merges if _share == 1 else ("mean",),
            share=_share,
        )
    for _part, _size in (("front", 0.5), ("back", 0.5)):
        _arguments = {"front_width": _size, "width": 0.125}
        if _part == "back":
            _arguments = {"n_back": round(512 * _size), "n_dense": round(500 * _size)}
            _arguments["width"] = 0.125
        _pons[f"{_net} {_part} {_size}"] = Arm(
            _net, _arguments, PONS, folds={"folder": (0,)}
        )

EXPERIMENTS = {
    "a": Experiment(
        "Do two tags train? Is the squared error better, a vote, a shuffled order?",
        "Weber, EPFL 2019: 3.4, 4.1, 4.3",
        FEWER.format(
            "an eighth of the width, five songs a batch in place of twenty and 15 "
            "epochs in place of 50; clips with neither tag are left out as there; "
            "four groups apart for the epoch, since one has four clips with the tags; "
            "two seeds, one for the orders"
        ),
        _weber,
    ),
    "b": Experiment(
        "Is k2c2 better than k1c2, and k1c2 than k2c1? For how many tags is it best?",
        "Wells, Cambridge 2018: 4.2.2, 4.2.3",
        FEWER.format("61,000 parameters in place of a million, 10 epochs of 150"),
        {
            name: Arm(name, {"width": width}, WELLS, folds=BOTH)
            for name, width in SIXTY.items()
        },
    ),
    "c": Experiment(
        "Is a high momentum with a low rate best? Where does training collapse?",
        "Elwood & Varosyan, Bristol: table I",
        FEWER.format(
            "five windows of a clip, not ten, 15 epochs of 20, one seed; rates fifty "
            "times the report's, so that fewer steps go as far; networks start at the "
            "tags' shares, which costs them no steps"
        ),
        {
            f"momentum {momentum}, rate {rate}": Arm(
                "DielemanRaw",
                {},
                TEN_CLIPS
                | {"epochs": 15, "optimizer": "sgd", "learning_rate": rate}
                | {"momentum": momentum, "start_at_prior": True},
                folds={"folder": (0,)},
            )
            for momentum in MOMENTA
            for rate in RATES
        },
    ),
    "d": Experiment(
        "Do a shorter window and stride of the first layer score higher?",
        "Roy, Bristol: table 1; Elwood & Varosyan, Bristol: table II",
        FEWER.format("five windows of a clip, 12 epochs of 20; it is DielemanRaw"),
        {
            f"length {length}, stride {stride}": Arm(
                "DielemanRaw",
                {"length": length, "stride": stride},
                ADAM | {"epochs": 12, "crops_per_clip": 5},
            )
            for length, stride in CELLS
        },
    ),
    "e": Experiment(
        "Is a loss on merged windows better, a squared error, a weight for rare tags?",
        "Roy, Bristol: V.B; Weber, EPFL 2019: 4.1; Pons et al. 2018: 4",
        FEWER.format("five windows of a clip in place of ten"),
        {
            name: Arm(
                "DielemanRaw",
                {},
                ADAM | {"epochs": 20, "batch_size": 50, "crops_per_clip": 5} | how,
                merges=("mean", "mean_logits"),
            )
            for name, how in {
                "window": {},
                "clip": {"loss": "clip"},
                "mse": {"loss": "mse"},
                "weights": {"class_weights": True},
            }.items()
        },
    ),
    "f": Experiment(
        "Adam or Nesterov? A schedule on ROC-AUC or on the loss? L2, a low pass?",
        "Roy, Bristol: V.C, IX.D, IX.E, IX.G",
        FEWER.format(
            "a quarter of the improved network's width, five windows of ten; three "
            "seeds for Adam and Nesterov at 1, two for the schedule, one for all else"
        ),
        {
            "base Adam": Arm("RoyBase", {}, ROY | ADAM),
        }
        | {
            f"base Nesterov, rate {rate}": Arm(
                "RoyBase",
                {},
                ROY | NESTEROV | {"learning_rate": rate, "start_at_prior": True},
                folds={"folder": SEEDS if rate == 1 else (0,)},
            )  # Roy gives no rate; 1, the largest, was best on the groups apart, seed 0
            for rate in (0.001, 0.01, 0.1, 1)
        }
        | {
            name: Arm(
                "RoyImproved",
                {"width": 0.25},
                ROY | PLATEAU | {"start_at_prior": True} | how,
                folds={"folder": (0, 1) if "watch" in name else (0,)},
                low_pass=name == "improved low pass",
            )
            for name, how in {
                "improved watch roc_auc": {"watch": "roc_auc"},
                "improved watch loss": {"watch": "loss"},
                "improved L2": {"watch": "roc_auc", "weight_decay": 1e-4},
                "improved low pass": {"watch": "roc_auc"},
            }.items()
        },
    ),
    "g": Experiment(
        "From which rate on does the CRNN overfit? Is it better than the CNN for each "
        "tag, and does the gap between women's and men's voices close?",
        "Elwood & Varosyan, Bristol: IX, X.C, X.E",
        FEWER.format(
            "8 and 16 channels in place of 64 and 128, batches of 8 in place of 32; of "
            "the five rates the report names two, .0001 and .0005; three seeds for the "
            "CNN and for the CRNN at .002, one for the other rates"
        ),
        {
            f"CRNN rate {rate}": Arm(
                "CRNN",
                SMALL_CRNN,
                CRNN | {"learning_rate": rate},
                folds=BOTH if rate == CRNN["learning_rate"] else {"folder": (0,)},
            )
            for rate in CRNN_RATES
        }
        | {
            "CNN": Arm(
                "DielemanRaw",
                {},
                TEN_CLIPS | {"epochs": 20} | ADAM,
                folds=BOTH,
            )
        },
    ),
    "h": Experiment(
        "Do spectrograms win where clips are few, and waveforms catch up? Does size "
        "matter in front or back? Is a whole song worse than the mean of its patches?",
        "Pons et al. 2018: 4, tables of the front- and back-ends",
        FEWER.format(
            "an eighth of the width; a quarter, a half and all of 330 clips, not "
            "100,000 to a million, each with as many steps; two seeds with all clips, "
            "one with fewer and for capacity"
        ),
        _pons,
    ),
    "i": Experiment(
        "Are attention, or scans in four directions, better than the last state?",
        "Wells, Cambridge 2018: proposal, 5.3; Elwood & Varosyan, Bristol: III",
        FEWER.format(
            "networks of about 20,000 parameters; CRNN-TF has GRUs, not Grid-LSTMs; "
            "two seeds"
        ),
        {
            "CRNN": Arm("CRNN", SMALL_CRNN, CRNN),
            "CRNNAttention": Arm("CRNNAttention", SMALL_CRNN, CRNN, folds=TWO),
            "CRNNTF": Arm("CRNNTF", {"width": 0.125}, CRNN, folds=TWO),
        },
    ),
}
# Points that are those of another experiment, with other seeds or none of their own.
SAME = {("i", "CRNN"): ("g", f"CRNN rate {CRNN['learning_rate']}")}
# A quick arm of each, to say whether anything leaks when labels are shuffled.
SHUFFLED = {
    "a": "piano-rock entropy",
    "b": "K2C1",
    "c": "momentum 0.99, rate 0.05",
    "d": "length 1024, stride 1024",
    "e": "window",
    "f": "base Adam",
    "g": "CNN",
    "h": "PonsWaveform front 0.5",
    "i": "CRNNTF",
}


# -- folds -----------------------------------------------------------------------------


def groups(mini, by: str) -> pd.Series:
    """Put every clip into one of sixteen groups: its folder, or one of artists.

    Artists are dealt out, those with most clips first, each to the smallest group.

    Shape: (n_clips,) 0 to 15, index clip_id.
    """
    if by == "folder":
        return mini.clips["mp3_path"].str[0].map(lambda name: int(name, 16))
    counts = mini.clips["artist"].value_counts().sort_index()
    sizes, group_of = np.zeros(N_GROUPS, int), {}
    for artist, n_clips in counts.sort_values(ascending=False, kind="stable").items():
        group_of[artist] = int(sizes.argmin())
        sizes[group_of[artist]] += n_clips
    return mini.clips["artist"].map(group_of)


def folds(group: pd.Series, n_valid: int = 1) -> list[tuple]:
    """Divide clips four times: each is in one test part, and in no other part of it.

    Shape: per fold ids to train on, ids to choose the epoch by, ids to score.
    """
    size = N_GROUPS // N_FOLDS
    parts = []
    for i in range(N_FOLDS):
        test = range(i * size, (i + 1) * size)
        valid = [(test.stop + k) % N_GROUPS for k in range(n_valid)]
        is_test, is_valid = group.isin(test), group.isin(valid)
        ids = group.index
        parts.append((ids[~is_test & ~is_valid], ids[is_valid], ids[is_test]))
    return parts


# -- what some arms do to the clips ----------------------------------------------------


class WholeClips(batches.Examples):
    """Examples whose epochs are whole clips, all windows of each in one batch.

    They come in the order of `order`, see `Arm`. `of` makes them.
    """

    @classmethod
    def of(cls, examples: batches.Examples, order: str):
        made = cls(examples.store, examples.labels, examples.about, examples.artists)
        object.__setattr__(made, "order", order)
        return made

    def crops(self, n_samples: int, sample_rate: int, **options):
        crops = WholeCrops(self, n_samples, sample_rate, together=True, **options)
        crops.order = self.order
        return crops


class WholeCrops(batches.RandomCrops):
    """Nine chunks that fill a clip, clip after clip."""

    def _plan_together(self, random):
        clips, starts = super()._plan_together(random)
        n = len(self.rows)
        if self.order == "fixed":
            clips = np.repeat(np.arange(n), self.crops_per_clip)
        if self.order == "drawn":
            clips = np.repeat(random.integers(n, size=n), self.crops_per_clip)
        return clips, starts  # the same in all clips, which have one length


def low_passed(clips: store.ClipStore, folder: Path) -> store.ClipStore:
    """Copy a store without what lies above each clip's 20 strongest frequencies.

    Source: Roy, Bristol, IX.G.
    """
    if not (folder / "index.json").exists():
        folder.mkdir(parents=True, exist_ok=True)
        index = json.loads((clips.folder / "index.json").read_text())
        rows = np.empty(clips.samples.shape, np.int16)
        for row, samples in enumerate(clips.samples):
            rows[row] = low_pass(samples)
        for entry in index["clips"]:
            entry["crc32"] = zlib.crc32(rows[entry["row"]])
        write_atomically(folder / "samples.int16", rows.tobytes())
        write_atomically(folder / "index.json", json.dumps(index).encode())
    return store.ClipStore(folder)


def low_pass(samples: np.ndarray, n: int = 20) -> np.ndarray:
    """Set all frequencies above the highest of the n strongest ones to zero.

    Shape: (n_samples,) int16 -> the same.
    """
    spectrum = np.fft.rfft(samples.astype(np.float64))
    highest = np.argsort(np.abs(spectrum))[-n:].max()
    spectrum[highest + 1 :] = 0
    quiet = np.fft.irfft(spectrum, len(samples))
    return np.clip(np.round(quiet), -32768, 32767).astype(np.int16)


# -- a point ---------------------------------------------------------------------------


def train_fold(mini, arm: Arm, ids: tuple, labels, seed: int, run_dir):
    """Train one network and score its test clips.

    A network whose loss is no number any more scores every tag by its share.

    Shape: scores per merge (n_test, n_tags), a dict of what happened, share of each tag
    in training (n_tags,), the number of parameters.
    """
    torch.manual_seed(seed)
    arguments = arm.arguments | {"n_tags": labels.shape[1]}
    model = models.build(arm.model, **arguments)
    clips = store.prepare(mini, model.sample_rate)
    if arm.low_pass:
        clips = low_passed(clips, CACHE / f"low_pass-{model.sample_rate}")
    about = {"corpus": mini.name, "tag_list": "raw50", "version": "own", "part": "own"}
    parts = [
        batches.Examples(clips, labels.loc[some], about | {"n_clips": len(some)})
        for some in ids
    ]
    train_part, valid_part, test_part = parts
    if arm.order:
        train_part = WholeClips.of(train_part, arm.order)
    shares = train_part.labels.mean().to_numpy()
    n_parameters = models.count_parameters(model)
    config = Config(seed=seed, device="cpu", **arm.config)
    said = {"n_train": len(train_part), "n_valid": len(valid_part)}
    said["n_test"] = len(test_part)
    try:
        history = fit(model, train_part, valid_part, config, run_dir=run_dir, log=None)
    except FloatingPointError as error:
        same = np.tile(shares, (len(test_part), 1))
        said |= {"collapsed": str(error), "history": {}}
        return dict.fromkeys(arm.merges, same), said, shares, n_parameters
    if history.interrupted:
        raise KeyboardInterrupt
    table = history.frame().drop(columns=["epoch", "waiting"])
    said |= {"best": history.best["epoch"], "history": table.to_dict("list")}
    logits = predict.window_logits(model, test_part)
    scores = {}
    for merge in arm.merges:
        if merge == "whole":
            whole = models.build(arm.model, **arguments, n_samples=WHOLE_CLIP)
            whole.load_state_dict(model.state_dict())
            scores[merge] = predict.clip_scores(whole, test_part)
        else:
            scores[merge] = predict.merge_windows(logits, merge)
    return scores, said, shares, n_parameters


def point(
    mini, arm: Arm, by: str, seed: int, *, shuffled=False, n_clips=None, run_dir=None
) -> tuple[dict, dict]:
    """Train and score the four folds of a point.

    Args:
        by: "folder" or "artist"; n_clips: of each part of a fold, for tests.

    Shape: what to write as JSON, and the arrays.
    """
    torch.set_num_threads(1)
    labels = mini.labels("raw50")
    if arm.pair:
        labels = labels[list(arm.pair)]
        labels = labels[labels.any(axis=1)]
    group = groups(mini, by)[labels.index]
    if shuffled:
        drawn = np.random.default_rng(seed).permutation(len(labels))
        labels = pd.DataFrame(labels.to_numpy()[drawn], labels.index, labels.columns)
    rows, scores, shares, test_ids, fold_of = [], {}, [], [], []
    for i, (train_ids, *rest) in enumerate(folds(group, arm.n_valid)):
        if arm.share != 1:
            known = mini.clips.loc[train_ids]
            train_ids = corpus.draw_share(known, arm.share, seed=seed)
        ids = [some[:n_clips] for some in (train_ids, *rest)]
        folder = run_dir and run_dir / f"fold{i}"
        parts, row, share, n = train_fold(mini, arm, ids, labels, seed, folder)
        for merge, part in parts.items():
            scores.setdefault(merge, []).append(part)
        shares.append(share)
        test_ids.append(ids[2])
        fold_of += [i] * len(ids[2])
        rows.append(row)
    ids = np.concatenate(test_ids)
    arrays = {f"scores {m}": np.concatenate(s) for m, s in scores.items()}
    arrays = {name: array.astype(np.float16) for name, array in arrays.items()}
    arrays |= {"ids": ids, "labels": labels.loc[ids].to_numpy(np.uint8)}
    arrays |= {"artists": mini.clips.loc[ids, "artist"].to_numpy(str)}
    arrays |= {"shares": np.array(shares), "fold": np.array(fold_of)}
    seconds = sum(sum(row["history"].get("seconds", ())) for row in rows)
    said = {
        "folds": by,
        "seed": seed,
        "shuffled": shuffled,
        "arm": asdict(arm),
        "parameters": n,
        "tags": list(labels.columns),
        "macro": {merge: _macro(arrays, merge) for merge in arm.merges},
        "parts": rows,
        "minutes": round(seconds / 60, 2),
        "threads": torch.get_num_threads(),
        "versions": {"torch": torch.__version__, "numpy": np.__version__},
    }
    return said, arrays


def comparable(arrays: dict, merge: str = "mean") -> np.ndarray:
    """Take each tag's share of its network's training clips out of the scores.

    As logits, so that scores of four networks can be ranked as one. A vote of 0 or 1 is
    taken for one of .001 or .999.

    Shape: (n_clips, n_tags), any real number.
    """
    scores = np.clip(arrays[f"scores {merge}"].astype(np.float64), 0.001, 0.999)
    shares = np.clip(arrays["shares"], 0.001, 0.999)[arrays["fold"]]
    logits = np.log(scores / (1 - scores)) - np.log(shares / (1 - shares))
    return logits.round(2)  # scores are kept in half precision


def _macro(arrays, merge):
    scores = comparable(arrays, merge)
    row = metrics.evaluate(arrays["labels"], scores, n_boot=0).loc["macro"]
    return {"roc_auc": round(float(row.roc_auc), 4), "ap": round(float(row.ap), 4)}


# -- records ---------------------------------------------------------------------------


def path_of(letter: str, arm: str, by: str, seed: int, kind: str = "") -> Path:
    """Name the record of a point; kind is "shuffled" where labels were."""
    return RESULTS / kind / letter / f"{arm}-{by}-{seed}.json"


def record(letter: str, name: str, by: str, seed: int, shuffled: bool = False) -> str:
    """Make the record of a point, unless it is there; say what it holds in a line."""
    kind = "shuffled" if shuffled else ""
    path = path_of(letter, name, by, seed, kind)
    if not path.exists():
        experiment = EXPERIMENTS[letter]
        run_dir = CACHE / kind / letter / path.stem
        said, arrays = point(
            corpus.open("mini"),
            experiment.arms[name],
            by,
            seed,
            shuffled=shuffled,
            run_dir=run_dir,
        )
        head = {"experiment": letter, "question": experiment.question}
        head |= {"source": experiment.source, "reduced": experiment.reduced}
        words = "--shuffled" if shuffled else ""
        head["command"] = f"python data/record_experiments.py {letter} {words}".strip()
        write(path, head | {"name": name} | said, arrays)
        shutil.rmtree(run_dir, ignore_errors=True)
    said = json.loads(path.read_text())
    return f"{letter} {name}, {by}, seed {seed}: {said['macro']} {said['minutes']} min"


def write(path: Path, said: dict, arrays: dict):
    """Write the figures as JSON and the arrays beside it, the arrays first."""
    path.parent.mkdir(parents=True, exist_ok=True)
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    write_atomically(path.with_suffix(".npz"), buffer.getvalue())
    text = json.dumps(_rounded(without_nan(said)))
    write_atomically(path, text.encode())


def _rounded(value):
    """Five digits are enough for what is drawn, and a third of the bytes."""
    if isinstance(value, dict):
        return {k: _rounded(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_rounded(v) for v in value]
    return float(f"{value:.5g}") if isinstance(value, float) else value


def read(letter: str, name: str, by: str = "folder", merge: str = "mean"):
    """Read the seeds of an arm, as `metrics.evaluate` and `compare` want them.

    Shape: labels (n_clips, n_tags), scores (n_seeds, n_clips, n_tags), artists
    (n_clips,).
    Raises: FileNotFoundError if none is recorded.
    """
    where, arm = SAME.get((letter, name), (letter, name))
    found = sorted((RESULTS / where).glob(f"{arm}-{by}-*.npz"))
    if not found:
        raise FileNotFoundError(
            f"{path_of(where, arm, by, 0)} is missing; make it with python "
            f"data/record_experiments.py {where}"
        )
    seeds = [dict(np.load(path)) for path in found]
    tags = json.loads(found[0].with_suffix(".json").read_text())["tags"]
    labels = pd.DataFrame(seeds[0]["labels"], seeds[0]["ids"], tags)
    scores = np.stack([comparable(one, merge) for one in seeds])
    return labels, scores, seeds[0]["artists"]


def table(letter: str, n_boot: int = 1000) -> pd.DataFrame:
    """List the arms of an experiment, with intervals over artists and seeds.

    Shape: a row per arm, kind of folds and merge that is recorded; columns n_seeds,
    n_clips, roc_auc and ap with their intervals.
    """
    rows = []
    for name, arm in EXPERIMENTS[letter].arms.items():
        for by in arm.folds:
            for merge in arm.merges:
                try:
                    labels, scores, artists = read(letter, name, by, merge)
                except FileNotFoundError:
                    continue
                how = {"groups": artists, "n_boot": n_boot}
                macro = metrics.evaluate(labels, scores, **how).loc["macro"]
                rows.append(
                    {"arm": name, "folds": by, "merge": merge}
                    | {"n_seeds": len(scores), "n_clips": len(labels)}
                    | macro[macro.index.str.startswith(("roc", "ap"))].to_dict()
                )
    return pd.DataFrame(rows).drop(columns="ap_floor", errors="ignore")


def per_tag(letter: str, *arms: str, by: str = "folder") -> pd.DataFrame:
    """List the ROC-AUC of some arms for each tag.

    Shape: a row per tag; columns n_clips, those with the tag, and one for each arm.
    Raises: FileNotFoundError if an arm is not recorded.
    """
    areas = {}
    for arm in arms:
        labels, scores, _ = read(letter, arm, by)
        areas[arm] = metrics.evaluate(labels, scores, n_boot=0)["roc_auc"][:-1]
    return pd.DataFrame({"n_clips": labels.sum()} | areas)


def minutes(letter: str, name: str, by: str, seed: int) -> float:
    """Say how many minutes of a core a point took when it was recorded; or nan."""
    path = path_of(letter, name, by, seed)
    return json.loads(path.read_text())["minutes"] if path.exists() else np.nan


def todo(letters) -> list[tuple]:
    """List the points of experiments, those of the first seed first."""
    points = [
        (letter, name, by, seed)
        for letter in letters
        for name, arm in EXPERIMENTS[letter].arms.items()
        if (letter, name) not in SAME
        for by, seeds in arm.folds.items()
        for seed in seeds
    ]
    return sorted(points, key=lambda p: (letters.index(p[0]), p[3]))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    letters = parser.add_argument("letters", nargs="*", metavar="LETTER")
    letters.choices = [[], *EXPERIMENTS]
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    for name in ("shuffled", "table", "estimate"):
        parser.add_argument(f"--{name}", action="store_true")
    options = parser.parse_args()
    chosen = list(options.letters or EXPERIMENTS)
    if options.estimate:
        for letter in chosen:
            took = [minutes(*point) for point in todo([letter])]
            total = f"{np.nansum(took):.0f} minutes of one core"
            print(f"{letter}: {len(took)} points, {total}")
    elif options.table:
        for letter in chosen:
            print(EXPERIMENTS[letter].question, table(letter).round(3), sep="\n")
    else:
        mini = corpus.open("mini")
        for rate in (12_000, 16_000):
            store.prepare(mini, rate)
        points = todo(chosen)
        if options.shuffled:
            points = [(letter, SHUFFLED[letter], "folder", 0) for letter in chosen]
        work = joblib.Parallel(options.jobs, return_as="generator_unordered")
        how = {"shuffled": options.shuffled}
        for line in work(joblib.delayed(record)(*one, **how) for one in points):
            print(line, flush=True)


if __name__ == "__main__":
    main()
