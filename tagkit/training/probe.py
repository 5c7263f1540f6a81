"""A tagger for tags of one's own: a logistic regression per tag on frozen embeddings.

mine = corpus.open("labels.csv")
learned = probe.learn(mine)             # plan, embeddings, regressions, scores
learned.save("mine.safetensors")        # tagkit tag --network mine.safetensors

An artist is never on both sides: neither where a tag is scored nor where the
regularisation is chosen. Where no artist is known, `labels.read` takes the folder of a
file, or the file itself.
"""

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd

from tagkit.data import audio, corpus, folders
from tagkit.evaluation import cache, metrics, networks, tagging

if TYPE_CHECKING:
    from tagkit.models.tagger import Tagger

LEAST = 5  # positives, and negatives, from which on a tag is scored
ENOUGH = 20  # below it the score is rough
CHOICES = (0.001, 0.01, 0.1, 1.0)  # C of scikit-learn: less is more regularised
OTHERWISE = 0.01  # where there is nothing to choose by


class Probe(NamedTuple):
    """A linear layer: a logistic regression per tag.

    Attributes:
        weight: (n_tags, n_dims); bias: (n_tags,), for embeddings as they are.
        C: what was chosen for each tag, (n_tags,).
    """

    weight: np.ndarray
    bias: np.ndarray
    C: np.ndarray

    def logits(self, vectors: np.ndarray) -> np.ndarray:
        """Score clips. Shape: (n_clips, n_dims) -> (n_clips, n_tags), any number."""
        return vectors @ self.weight.T + self.bias

    def put_into(self, model: "Tagger"):
        """Make it the last layer of the network whose embeddings it was fitted on."""
        import torch

        with torch.no_grad():
            model.output.weight.copy_(torch.from_numpy(self.weight))
            model.output.bias.copy_(torch.from_numpy(self.bias))


def fit(vectors: np.ndarray, labels, groups) -> Probe:
    """Fit a logistic regression per tag on embeddings.

    C is the one of CHOICES whose predictions for clips of other groups have the lowest
    cross-entropy, in 5 folds. A tag that all clips have, or none, gets its share as its
    score.

    Args:
        groups: a name per clip, such as its artist; a group is never in two folds.

    Shape: (n_clips, n_dims), (n_clips, n_tags) of 0 and 1, (n_clips,) -> a `Probe`.
    """
    vectors, groups = np.asarray(vectors, np.float64), np.asarray(groups)
    fitted = [_fit_tag(vectors, tag == 1, groups) for tag in np.asarray(labels).T]
    return Probe(*map(np.array, zip(*fitted, strict=True)))


def held_out_logits(vectors: np.ndarray, labels, groups) -> np.ndarray:
    """Score each clip by a probe that was fitted, its C chosen, without its group.

    A tag with few positives leaves out one of the groups that have it at a time, and
    its share of those that do not; others are scored in 5 folds.

    Shape: as `fit` -> (n_clips, n_tags); nan for a tag that only one group has, or only
    one has not.
    """
    vectors, groups = np.asarray(vectors, np.float64), np.asarray(groups)
    labels = np.asarray(labels)
    logits = np.full(labels.shape, np.nan)
    for t, tag in enumerate(labels.T == 1):
        few = min(tag.sum(), (~tag).sum()) < ENOUGH
        for rest, left_out in _folds(tag, groups, ENOUGH if few else 5):
            weight, bias, _ = _fit_tag(vectors[rest], tag[rest], groups[rest])
            logits[left_out, t] = vectors[left_out] @ weight + bias
    return logits


def _fit_tag(vectors, tag, groups):
    """Choose C and fit one tag. Shape: weight (n_dims,), bias, C."""
    chosen, folds = OTHERWISE, _folds(tag, groups, 5)
    if folds:
        losses = {}
        for C in CHOICES:
            logits = np.empty(len(tag))
            for rest, left_out in folds:
                weight, bias = _regress(vectors[rest], tag[rest], C)
                logits[left_out] = vectors[left_out] @ weight + bias
            losses[C] = np.logaddexp(0, np.where(tag, -logits, logits)).mean()
        chosen = min(losses, key=losses.get)
    return *_regress(vectors, tag, chosen), chosen


def _regress(vectors, tag, C):
    """Fit one regression on standardised embeddings; give it for those as they are."""
    from sklearn.linear_model import LogisticRegression  # takes a second

    n_ones, n = tag.sum(), len(tag)
    if n_ones in (0, n):
        share = (n_ones + 0.5) / (n + 1)
        return np.zeros(vectors.shape[1]), np.log(share / (1 - share))
    mean, spread = vectors.mean(axis=0), vectors.std(axis=0)
    spread[spread == 0] = 1
    model = LogisticRegression(C=C, max_iter=1000)
    model.fit((vectors - mean) / spread, tag)
    weight = model.coef_[0] / spread
    return weight, model.intercept_[0] - weight @ mean


def _folds(tag, groups, n_most):
    """Make folds of whole groups, each with its share of positives and negatives.

    Equal shares matter: a regression that missed one positive more than the others
    gives lower logits, and the clip that it missed is compared with theirs.

    Shape: a list of (places to fit on, places left out), at most one per group that has
    the tag; none if there are less than two of these, or of others.
    """
    from sklearn.model_selection import StratifiedGroupKFold

    n = min(n_most, *(len(set(groups[tag == side])) for side in (True, False)))
    if n < 2:
        return []
    return list(StratifiedGroupKFold(n).split(tag, tag, groups))


@dataclass(frozen=True)
class Plan:
    """How the tags of a corpus are going to be learned and scored; see `plan`.

    Attributes:
        labels: (n_clips, n_tags), without the tags that cannot be learned.
        artists: (n_clips,).
        split: the part of each clip, or None: each clip is scored by regressions that
            were fitted without its artist.
        tags: a row per tag: positives, negatives, artists (that have it), scored.
        remarks: a sentence for each tag that is not learned or not scored.
    """

    labels: pd.DataFrame
    artists: pd.Series
    split: pd.Series | None
    tags: pd.DataFrame
    remarks: list[str]

    def __str__(self):
        (n, n_tags), n_artists = self.labels.shape, self.artists.nunique()
        lines = [f"{n} clips, {n_tags} tags, {n_artists} artists or folders"]
        if self.split is None:
            lines.append(
                f"a test part would hold less than {ENOUGH} clips with some tag: each "
                "clip is scored by regressions fitted without its artist; the tagger "
                "learns from all clips"
            )
        else:
            fitted = self.split != "test"
            lines.append(
                f"the tagger learns from {fitted.sum()} clips of "
                f"{self.artists[fitted].nunique()} artists and is scored on "
                f"{(~fitted).sum()} clips of {self.artists[~fitted].nunique()} others"
            )
        return "\n".join([*lines, self.tags.to_string(), *self.remarks])


def plan(
    own: corpus.Corpus,
    tag_list: str | list[str] = "all",
    *,
    ids: pd.Index | None = None,
) -> Plan:
    """Say how tags are going to be learned and scored, by their counts alone.

    Where the test part of the corpus's split by artist holds 20 positives and 20
    negatives of every tag that can be scored, it scores them; else each clip is scored
    in turn. A tag is scored from 5 positives and 5 negatives on, of two artists each.

    Args:
        ids: of the clips to take; default all.

    Raises: ValueError if there is no tag that some clips have and others have not.
    """
    labels, artists = own.labels(tag_list), own.clips["artist"]
    split = own.split(tag_list, "artist") if artists.nunique() >= 3 else None
    if ids is not None:
        labels, artists = labels.loc[ids], artists[ids]
    rows, remarks = {}, []
    for name, column in labels.items():
        tag = column == 1
        with_it, without = artists[tag].nunique(), artists[~tag].nunique()
        counts = {"positives": tag.sum(), "negatives": (~tag).sum(), "artists": with_it}
        reason = ""
        if not 0 < tag.sum() < len(tag):
            reason = (
                f"is left out: {'all clips have' if tag.any() else 'no clip has'} it"
            )
        for side, n_artists in (("have it", with_it), ("do not have it", without)):
            n = (tag == (side == "have it")).sum()
            if n < LEAST and not reason:
                reason = (
                    f"is learned, not scored: clips that {side}: {n}, needed: {LEAST}"
                )
            if n_artists < 2 and not reason:
                reason = (
                    f"is learned, not scored: the clips that {side} are all of one "
                    "artist or folder, needed are two"
                )
        few = min(tag.sum(), (~tag).sum()) < ENOUGH
        scored = "no" if reason else "rough" if few else "yes"
        rows[name] = counts | {"scored": scored}
        remarks += [f"{name!r} {reason}"] if reason else []
    table = pd.DataFrame.from_dict(rows, orient="index")
    known = [n for n, row in rows.items() if row["positives"] and row["negatives"]]
    if not known:
        lost = own.clips.attrs.get("lost")
        raise ValueError(
            (f"{lost}; " if lost else "")
            + f"there is nothing to learn from {len(labels)} clips: "
            + ("; ".join(remarks) or "they have no tags")
        )
    scored = list(table.index[table["scored"] != "no"])
    if split is not None:
        split = split[labels.index]
        tested = labels.loc[split == "test", scored]
        n_fewest = min([*tested.sum(), *(1 - tested).sum()], default=0)
        split = split if n_fewest >= ENOUGH else None
    return Plan(labels[known], artists, split, table, remarks)


@dataclass(frozen=True)
class Learned:
    """A tagger that `learn` made.

    Attributes:
        model: the network with a new last layer.
        plan: what it learned from, and how it was scored.
        probe: its last layer, and the C of each tag.
        report: as `metrics.evaluate` gives it, of the tags that could be scored, whole
            artists drawn; with the columns negatives and rough. None if there is none.
        about: what its checkpoint says of where it comes from.
    """

    model: "Tagger"
    plan: Plan
    probe: Probe
    report: pd.DataFrame | None
    about: dict

    def __str__(self):
        if self.report is None:
            return "no tag could be scored"
        lines = []
        for name, row in self.report.iterrows():
            text = (
                f"{name}: ROC-AUC {row.roc_auc:.2f} [{row.roc_low:.2f}, "
                f"{row.roc_high:.2f}], AP {row.ap:.2f} [{row.ap_low:.2f}, "
                f"{row.ap_high:.2f}] (without listening {row.ap_floor:.2f})"
            )
            if name != "macro":
                text += f", {row.positives} with it, {row.negatives} without"
            lines.append(text + (", rough" if row.rough else ""))
        lines.append(
            "95 % intervals over artists or folders; with few of them they are too "
            "narrow"
        )
        return "\n".join(lines)

    def save(self, path: str | Path):
        """Write a checkpoint, for `checkpoints.load` and `tagkit tag --network`."""
        from tagkit.training import checkpoints

        checkpoints.save_as(
            path,
            self.model,
            self.model.state_dict(),
            tags=list(self.plan.labels.columns),
            about=self.about,
            config={"C": self.probe.C.tolist()},
            epoch={},
        )


def learn(
    own: corpus.Corpus,
    network: str | Path = "magnatagatune",
    *,
    tag_list: str | list[str] = "all",
    log: Callable[[str], None] | None = print,
) -> Learned:
    """Learn the tags of a corpus on the embeddings of a network, and score them.

    Whole files are heard, and embeddings kept, see `cache.embedder`. A file that cannot
    be read is left out, with a warning. The scores are those of the mean embedding of a
    file's windows; `tagkit tag` averages the scores of windows, which is not the same.

    Args:
        network: as `checkpoints.load` takes it.
        log: called with the plan, what is left out, and the scores; None for silence.

    Raises: ValueError as `plan` and `checkpoints.find`.
    Source: Alain & Bengio 2017, who call such regressions probes.
    """
    from tagkit.machine import devices
    from tagkit.training import checkpoints

    is_silent, log = log is None, log or (lambda line: None)
    chosen = plan(own, tag_list)
    log(str(chosen))
    embed = cache.embedder(
        networks.find(network),
        lambda: checkpoints.load(network)[0].to(devices.best()),
    )
    vectors, progress = {}, None
    if not is_silent:
        progress = tagging.Progress(len(chosen.labels), 0, beside_table=False)
    for clip_id in chosen.labels.index:
        try:
            vectors[clip_id] = embed(own.path(clip_id))
        except audio.AudioError as error:
            if progress:
                progress.clear()
            text = f"left out: {error}"
            warnings.warn(text, folders.UnreadWarning, stacklevel=2)
        if progress:
            progress.step()
    if progress:
        progress.clear()
    ids = pd.Index(vectors)
    if len(ids) < len(chosen.labels):
        chosen = plan(own, tag_list, ids=ids)
        log(str(chosen))
    labels, artists = chosen.labels, chosen.artists
    vectors = np.stack(list(vectors.values()))
    fitted = np.ones(len(ids), bool)
    if chosen.split is not None:
        fitted = (chosen.split != "test").to_numpy()
    found = fit(vectors[fitted], labels[fitted], artists[fitted])
    scored = list(chosen.tags.index[chosen.tags["scored"] != "no"])
    report = None
    if scored and chosen.split is None:
        logits = held_out_logits(vectors, labels[scored], artists)
        report = _report(labels[scored], logits, artists, chosen.tags)
    elif scored:
        logits = found.logits(vectors[~fitted])[:, labels.columns.isin(scored)]
        truth = labels.loc[~fitted, scored]
        report = _report(truth, logits, artists[~fitted], chosen.tags)
    model = checkpoints.start_from(network, len(labels.columns))
    found.put_into(model)
    about = {
        "corpus": own.name,
        "tag_list": tag_list if isinstance(tag_list, str) else "own",
        "version": "own" if chosen.split is None else "artist",
        "part": "all" if chosen.split is None else "train and valid",
        "n_clips": int(fitted.sum()),
    }
    learned = Learned(model.eval(), chosen, found, report, about)
    about["scores"] = [] if report is None else str(learned).splitlines()
    log(str(learned))
    return learned


def _report(labels, logits, artists, table) -> pd.DataFrame:
    report = metrics.evaluate(labels, logits, groups=artists)
    negatives = (1 - labels).sum()
    report.insert(1, "negatives", [*negatives, negatives.sum()])
    rough = (table["scored"] == "rough")[labels.columns]
    report["rough"] = [*rough, rough.any()]
    return report
