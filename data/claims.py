"""Claims of the five documents, and what comes of them here: python data/claims.py

writes data/claims.csv, a row for each claim of the table CLAIMS: what a document says,
what it reports, what comes out here with an interval over artists and seeds, and a
verdict. Nobody types a verdict. It follows from the interval and from the values that
would agree with the claim:

    holds here          the whole interval agrees
    does not hold here  none of it does
    cannot be told ...  some of it does

A claim about scores needs the records of data/record_experiments.py, where every clip
of mini is scored by a network that did not train on its folder. Where they are missing,
the row says "not recorded yet" and names the command that makes them. mini is not the
corpus of the documents: a claim that does not hold here may hold there. A claim that
needs no music at all is tried by calculation, see calculations.py.

`a > b` is a paired difference with a margin of 0. "No difference" cannot be shown; less
than MARGIN can, and the margin is ours. The file is long because it holds the table.
"""

import functools
import json
from collections.abc import Callable
from typing import NamedTuple

import calculations
import numpy as np
import pandas as pd
import record_experiments as experiments
from scipy import stats

from tagkit.data import corpus
from tagkit.evaluation import metrics, results

RESULT = corpus.SHIPPED / "claims.csv"
N_BOOT = 1000
MARGIN = 0.02  # of ROC-AUC or AP: less is no big difference
COLUMNS = ["document", "section", "claim", "reported", "measure", "ours", "low", "high"]
COLUMNS += ["seeds", "verdict", "command"]
ANY = np.inf


class Trial(NamedTuple):
    """How a claim is tried.

    Attributes:
        measure: what `ours` is.
        command: makes what is read.
        run: gives ours, low, high, the number of seeds and the verdict; raises
            FileNotFoundError where nothing is recorded.
    """

    measure: str
    command: str
    run: Callable[[], tuple]


def verdict(low: float, high: float, agrees: tuple[float, float], sample: str) -> str:
    """Compare an interval with the values that agree with a claim, bounds left out.

    >>> verdict(0.01, 0.03, (0, 1), "9 clips"), verdict(-0.03, 0.0, (0, 1), "9 clips")
    ('holds here', 'does not hold here')
    >>> verdict(-0.01, 0.03, (0, 1), "9 clips")
    'cannot be told with 9 clips'
    """
    if agrees[0] < low and high < agrees[1]:
        return "holds here"
    if high <= agrees[0] or low >= agrees[1]:
        return "does not hold here"
    return f"cannot be told with {sample}"


# -- how a claim is tried --------------------------------------------------------------


class Drawn(NamedTuple):
    """ROC-AUC and AP of each tag as they are, then in draws of artists and seeds.

    Shape: roc_auc and ap (1 + N_BOOT, n_tags).
    """

    roc_auc: np.ndarray
    ap: np.ndarray
    tags: list[str]
    n_seeds: int
    sample: str

    def of(self, *words: str) -> np.ndarray:
        """Average the ROC-AUC over the tags that have one of these words in them."""
        has = [any(word in tag.split() for word in words) for tag in self.tags]
        return average(self.roc_auc[:, has])

    def but(self, *words: str) -> np.ndarray:
        """Average the ROC-AUC over the tags that have none of them."""
        has = [any(word in tag.split() for word in words) for tag in self.tags]
        return average(self.roc_auc[:, ~np.array(has)])


@functools.cache
def drawn(letter: str, arm: str, by: str = "folder", merge: str = "mean") -> Drawn:
    """Score an arm of an experiment, on the same draws as the other arms."""
    labels, scores, artists = experiments.read(letter, arm, by, merge)
    report = metrics.evaluate(labels, scores, n_boot=0)[:-1]
    whole = report[["roc_auc", "ap"]].T.to_numpy()
    many = metrics.resampled(labels, scores, n_boot=N_BOOT, groups=artists)
    both = [np.vstack(pair) for pair in zip(whole, many, strict=True)]
    sample = f"{len(labels)} clips of {len(set(artists))} artists"
    return Drawn(*both, list(labels), len(scores), sample)


def average(areas: np.ndarray) -> np.ndarray:
    """Average over tags; one without a score in a draw moves as the others do.

    Shape: (n, n_tags) -> (n,).
    """
    return np.nanmean(areas[0]) + np.nanmean(areas - areas[0], axis=1)


def statistic(
    measure: str, agrees: tuple, letter: str, *arms, of, by="folder"
) -> Trial:
    """Try a claim by a number made of the areas of some arms.

    Args:
        arms: their names, or pairs of name and merge.
        of: from a `Drawn` for each arm to (1 + N_BOOT,).
    """

    def run():
        pairs = [(arm, "mean") if isinstance(arm, str) else arm for arm in arms]
        parts = [drawn(letter, arm, by, merge) for arm, merge in pairs]
        values = of(*parts)
        low, high = np.nanpercentile(values[1:], (2.5, 97.5))
        n_seeds = min(part.n_seeds for part in parts)
        said = verdict(low, high, agrees, parts[0].sample)
        return values[0], low, high, n_seeds, said

    where = "" if by == "folder" else ", folds by artist"
    return Trial(measure + where, command_of(letter), run)


def command_of(letter: str) -> str:
    return f"python data/record_experiments.py {letter}"


def better(letter, a, b, kind="roc_auc", *, by="folder", agrees=(0, ANY)) -> Trial:
    """Try by a paired difference of the means over all tags, a less b."""
    names = [arm if isinstance(arm, str) else ", ".join(arm) for arm in (a, b)]
    word = {"roc_auc": "ROC-AUC", "ap": "AP"}[kind]
    return statistic(
        f"{word} of {names[0]} less that of {names[1]}",
        agrees,
        letter,
        *(a, b),
        of=lambda a, b: average(getattr(a, kind) - getattr(b, kind)),
        by=by,
    )


def alike(letter, a, b, **options) -> Trial:
    """Try whether the difference is smaller than MARGIN."""
    return better(letter, a, b, agrees=(-MARGIN, MARGIN), **options)


def level(letter, arm, agrees) -> Trial:
    """Try by the ROC-AUC of one arm; draws of seeds far apart may lie past 1."""
    measure = f"ROC-AUC of {arm}"

    def of(a):
        return np.clip(average(a.roc_auc), 0, 1)

    return statistic(measure, agrees, letter, arm, of=of)


def every_tag(letter, a, b) -> Trial:
    """Try whether a is better for every tag, each tag tested, with Holm's correction.

    Low counts the tags for which it surely is, high those for which it is not surely
    worse.
    """

    def run():
        parts = [drawn(letter, arm) for arm in (a, b)]
        difference = parts[0].roc_auc - parts[1].roc_auc
        z = difference[0] / np.nanstd(difference[1:], axis=0)
        sure = metrics.holm(2 * stats.norm.sf(np.abs(z))) < 0.05
        n, ours = len(z), int((z > 0).sum())
        low, high = int((sure & (z > 0)).sum()), int(n - (sure & (z < 0)).sum())
        n_seeds = min(part.n_seeds for part in parts)
        said = verdict(low, high, (n - 1, ANY), parts[0].sample)
        return ours, low, high, n_seeds, said

    return Trial(f"tags for which {a} is better than {b}", command_of(letter), run)


def t_interval(values) -> tuple[float, float, float]:
    """Compute the mean of some networks and its 95 % t-interval: mean, low, high."""
    half = stats.t.ppf(0.975, len(values) - 1) * stats.sem(values)
    return np.mean(values), np.mean(values) - half, np.mean(values) + half


def late(letter, arm, agrees, from_epoch=10) -> Trial:
    """Try by what validation ROC-AUC gains after an epoch: a t-interval over networks.

    There is a network for each fold and seed.
    """

    def run():
        found = sorted((experiments.RESULTS / letter).glob(f"{arm}-folder-*.json"))
        if not found:
            raise FileNotFoundError(arm)
        parts = [p for path in found for p in json.loads(path.read_text())["parts"]]
        curves = [p["history"]["valid_roc_auc"] for p in parts if p["history"]]
        gains = [curve[-1] - curve[from_epoch - 1] for curve in curves]
        ours, low, high = t_interval(gains)
        said = verdict(low, high, agrees, f"{len(gains)} networks")
        return ours, low, high, len(found), said

    measure = f"validation ROC-AUC of {arm}, last epoch less epoch {from_epoch}"
    return Trial(measure, command_of(letter), run)


def recorded(a: str, b: str) -> Trial:
    """Try by the recorded runs of two models, on their test clips."""

    def run():
        runs = [run for run in results.read_runs() if run["model"] in (a, b)]
        n_seeds = min(sum(run["model"] == name for run in runs) for name in (a, b))
        if not n_seeds:
            raise FileNotFoundError(f"runs of {a} and {b}")
        row = results.compare(runs, a, b).loc["roc_auc", "difference":"high"]
        n_artists = len(set(runs[0]["artists"]))
        sample = f"{len(runs[0]['labels'])} clips of {n_artists} artists"
        low, high = row["low"], row["high"]
        return row.iloc[0], low, high, n_seeds, verdict(low, high, (0, ANY), sample)

    measure = f"ROC-AUC of {a} less that of {b}, recorded runs"
    return Trial(measure, "python data/record_runs.py", run)


def calculated(function: Callable) -> Trial:
    """Try by a function of calculations.py."""

    def run():
        printed, ours = function()
        word = "right" if calculations.agree(printed, ours) else "wrong"
        return ours, "", "", "", f"by calculation: {word}"

    measure = function.__doc__.splitlines()[0].rstrip(".")
    return Trial(measure, "python data/claims.py", run)


def popular(scores: np.ndarray, labels: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Compare how often the ten most frequent tags are picked with how often they are.

    Of each clip as many tags are picked as it has, those of the highest scores.

    Shape: scores (n_clips, n_tags), weights (n, n_clips) -> shares (n,).
    """
    often = np.argsort(-labels.sum(axis=0))[:10]
    ranks = np.argsort(np.argsort(-scores, axis=1), axis=1)
    picked = ranks < labels.sum(axis=1, keepdims=True)
    shares = [
        weights @ x[:, often].sum(axis=1) / (weights @ x.sum(axis=1))
        for x in (picked, labels)
    ]
    return shares[0] - shares[1]


def opposites(scores: np.ndarray, tags: list, weights: np.ndarray) -> np.ndarray:
    """Correlate the scores of slow with fast, and of loud with quiet; take the mean."""
    found = []
    for pair in (("slow", "fast"), ("loud", "quiet")):
        x, y = (scores[:, tags.index(tag)] for tag in pair)
        n = weights.sum(axis=1)
        x = x - (weights @ x / n)[:, None]
        y = y - (weights @ y / n)[:, None]
        size = ((weights * x**2).sum(axis=1) * (weights * y**2).sum(axis=1)) ** 0.5
        found.append((weights * x * y).sum(axis=1) / size)
    return np.mean(found, axis=0)


def of_scores(measure, agrees, letter, arm, function) -> Trial:
    """Try by a number made of the scores themselves, artists drawn, the mean of seeds.

    Args:
        function: from scores (n_clips, n_tags), labels and weights (n, n_clips).
    """

    def run():
        labels, _, artists = experiments.read(letter, arm)
        draws = metrics.drawn(len(labels), artists, N_BOOT, 0)
        weights = np.vstack([np.ones(len(labels)), draws])
        paths = sorted((experiments.RESULTS / letter).glob(f"{arm}-folder-*.npz"))
        seeds = [np.load(path)["scores mean"].astype(float) for path in paths]
        values = np.mean([function(one, labels, weights) for one in seeds], axis=0)
        low, high = np.percentile(values[1:], (2.5, 97.5))
        sample = f"{len(labels)} clips of {len(set(artists))} artists"
        return values[0], low, high, len(seeds), verdict(low, high, agrees, sample)

    return Trial(measure, command_of(letter), run)


# -- the claims ------------------------------------------------------------------------

WEBER, ROY, WELLS = "Weber, EPFL 2019", "Roy, Bristol", "Wells, Cambridge 2018"
PONS, ELWOOD = "Pons et al. 2018", "Elwood & Varosyan, Bristol"
CELL = "length {}, stride {}".format
GRID = "momentum {}, rate {}".format  # rates fifty times the report's, see there
PIANO, GUITAR = "piano-rock entropy", "guitar-techno entropy"
NETS = ("PonsWaveform", "PonsSpectrogram")
best_of_roy = functools.partial(calculations.best_cell, ROY)
best_of_elwood = functools.partial(calculations.best_cell, ELWOOD)
for _best in (best_of_roy, best_of_elwood):
    _best.__doc__ = calculations.best_cell.__doc__

# Section, claim, what it reports, how it is tried.
CLAIMS = {
    WEBER: [
        (
            "3.4.3",
            "The network learns to tell piano from rock.",
            "ROC-AUC .9457 on the clips of training",
            level("a", PIANO, (0.5, ANY)),
        ),
        (
            "4.1",
            "Squared error should make no big difference, piano and rock.",
            "not tried",
            alike("a", "piano-rock mse", PIANO),
        ),
        (
            "4.1",
            "Squared error should make no big difference, guitar and techno.",
            "not tried",
            alike("a", "guitar-techno mse", GUITAR),
        ),
        (
            "4.1",
            "Squared error should make no big difference, fifty tags.",
            "not tried",
            alike("e", "mse", "window"),
        ),
        (
            "4.1",
            "Shuffling suits better than drawing songs with replacement.",
            "not tried",
            better("a", PIANO, "piano-rock drawn order"),
        ),
        (
            "4",
            "Is another order in each epoch better than a fixed one?",
            "left open",
            better("a", PIANO, "piano-rock fixed order"),
        ),
        (
            "4.3",
            "A majority vote over chunks can merge them: better than their mean?",
            "not tried",
            better("a", (PIANO, "vote"), (PIANO, "mean")),
        ),
        (
            "3.3.1",
            "465,984 samples are nine chunks of 51,776.",
            "465984",
            calculated(calculations.samples_of_nine_chunks),
        ),
        (
            "3.3.4",
            "Scores of a sigmoid go into a cross-entropy with logits, and are learned.",
            "no figure",
            calculated(calculations.lowest_loss_after_a_sigmoid),
        ),
        (
            "3.4.2",
            "wav is slightly faster to load than mp3.",
            "42.58 s and 37.91 s for 100 songs",
            calculated(calculations.faster_to_load),
        ),
        (
            "3.4.3",
            "3,360 songs in batches of 20 are 167 iterations.",
            "167",
            calculated(calculations.steps_of_an_epoch),
        ),
    ],
    ROY: [
        (
            "V.C",
            "Adam does much better than SGD with Nesterov momentum (rate 1, ours).",
            "no figure",
            better("f", "base Adam", "base Nesterov, rate 1"),
        ),
        (
            "V.B",
            "Logits are averaged over a clip's windows before the loss: better?",
            "no figure",
            better("e", ("clip", "mean_logits"), ("window", "mean_logits")),
        ),
        (
            "X, table 1",
            "A shorter window and stride score higher, 256/256 above 1024/1024.",
            "+.0399",
            better("d", CELL(256, 256), CELL(1024, 1024)),
        ),
        (
            "X, table 1",
            "At one length a shorter stride scores higher, 1024/512 above 1024/1024.",
            "+.0274",
            better("d", CELL(1024, 512), CELL(1024, 1024)),
        ),
        (
            "IX.A",
            "The improved network scores higher than the base one.",
            "+.0745",
            better("f", "improved watch roc_auc", "base Adam"),
        ),
        (
            "IX.E",
            "The rate falls when the ROC-AUC stalls: better than on the loss?",
            "no figure",
            better("f", "improved watch roc_auc", "improved watch loss"),
        ),
        (
            "IX.G",
            "L2 lowers the score.",
            "no figure",
            better("f", "improved watch roc_auc", "improved L2"),
        ),
        (
            "IX.G",
            "A low pass below the 20 strongest frequencies brings nothing.",
            "no figure",
            better(
                "f",
                "improved low pass",
                "improved watch roc_auc",
                agrees=(-ANY, MARGIN),
            ),
        ),
        (
            "II",
            "An accuracy of .93 shows that EfficientNet-B0 tags accurately (quoted).",
            "accuracy .93",
            calculated(calculations.more_labels_right),
        ),
        (
            "V.B",
            "A global max pooling computes the average.",
            "the average",
            calculated(calculations.average_by_max_pooling),
        ),
        (
            "VIII",
            "Best and worst clip are .703 apart in loss.",
            "0.703",
            calculated(calculations.best_and_worst_loss),
        ),
        (
            "X, table 1",
            "Lower length and stride score higher: the smallest cell is the best.",
            "256/256",
            calculated(best_of_roy),
        ),
    ],
    WELLS: [
        (
            "4.2.3",
            "k2c2 scores higher than k1c2.",
            "in a figure",
            better("b", "K2C2", "K1C2"),
        ),
        (
            "4.2.3",
            "k1c2 scores higher than k2c1.",
            "in a figure",
            better("b", "K1C2", "K2C1"),
        ),
        (
            "4.2.3",
            "k2c2 scores higher than k1c2.",
            "in a figure",
            better("b", "K2C2", "K1C2", by="artist"),
        ),
        (
            "4.2.3",
            "k1c2 scores higher than k2c1.",
            "in a figure",
            better("b", "K1C2", "K2C1", by="artist"),
        ),
        (
            "4.2.3",
            "k2c2 outperforms k2c1 for all tags.",
            "50 of 50",
            every_tag("b", "K2C2", "K2C1"),
        ),
        (
            "4.2.2",
            "In AP k2c2 is the best of the three for most tags.",
            "32 of 50",
            statistic(
                "tags for which K2C2 has the highest AP",
                (25, ANY),
                "b",
                *("K2C2", "K1C2", "K2C1"),
                of=lambda a, *rest: (
                    np.all([a.ap > b.ap for b in rest], axis=0)
                    .sum(axis=1)
                    .astype(float)
                ),
            ),
        ),
        (
            "proposal",
            "Attention over time improves on the last state.",
            "not tried",
            better("i", "CRNNAttention", "CRNN"),
        ),
        (
            "2.5, eq. 2.11",
            "The likeliest parameters are minus an arg min.",
            "eq. 2.11",
            calculated(calculations.arg_max_of_likelihood),
        ),
        (
            "2.5",
            "A cross-entropy has a minimum at zero.",
            "0",
            calculated(calculations.least_cross_entropy),
        ),
        (
            "2.6.2, eq. 2.15",
            "z is the logarithm of P(x|C1)P(x) / P(x|C2)P(x).",
            "eq. 2.15",
            calculated(calculations.posterior),
        ),
        (
            "2.6.4, eq. 2.19",
            "The loss of an output unit is minus the logarithm of its sigmoid.",
            "eq. 2.19",
            calculated(calculations.loss_of_an_absent_tag),
        ),
        (
            "2.7.1, eq. 2.22",
            "A convolution commutes.",
            "eq. 2.21 and 2.22 are equal",
            calculated(calculations.convolution_commutes),
        ),
        (
            "2.7.1, eq. 2.23",
            "Networks compute a cross-correlation.",
            "eq. 2.23",
            calculated(calculations.layers_correlate),
        ),
        (
            "3.1.2",
            "Duration, rate and hop give 1366 frames.",
            "1366",
            calculated(calculations.frames),
        ),
        (
            "3.1.2, algorithm 1",
            "The middle of a clip is audio[lower:upper].",
            "the middle",
            calculated(calculations.length_of_the_middle),
        ),
        (
            "3.1.2, algorithm 1",
            "The mel spectrogram of librosa is squared to give power.",
            "the square",
            calculated(calculations.decibels_of_twice_the_samples),
        ),
        (
            "3.1.3",
            "A spectrogram takes 1.05 MB.",
            "1.05",
            calculated(calculations.megabytes_of_a_spectrogram),
        ),
        (
            "3.2.2, fig. 3.7",
            "Shifted by one, all inputs change, and half of the pooled values.",
            "2 of 4",
            calculated(calculations.values_that_pooling_keeps),
        ),
        (
            "3.2.2, eq. 3.3",
            "Below 0 the slope of ELU is its value plus alpha (its prime is missing).",
            "eq. 3.3",
            calculated(calculations.slope_of_elu),
        ),
        (
            "3.2.4, fig. 3.12",
            "A 2 x 2 filter on 3 x 3 inputs gives 3 x 3 outputs.",
            "3",
            calculated(calculations.positions_of_a_kernel),
        ),
        (
            "3.2.4, table 3.2",
            "The fourth unit of k2c1 has 304 inputs.",
            "304",
            calculated(calculations.inputs_of_the_fourth_unit),
        ),
        (
            "3.2.4, table 3.7",
            "The dense layer of k2c2 has 13,550 parameters.",
            "13550",
            calculated(calculations.parameters_of_the_dense_layer),
        ),
        (
            "3.2.4, table 3.7",
            "k2c2 has 1.0022 million parameters that train.",
            "1.0022",
            calculated(calculations.millions_of_parameters),
        ),
        (
            "3.2.4",
            "All three have about a million parameters: one size.",
            "a ratio of 1.0",
            calculated(calculations.largest_to_smallest),
        ),
        (
            "3.4.2, algorithm 5",
            "Adam corrects both moments by the root of 1 minus beta to the t.",
            "algorithm 5",
            calculated(calculations.first_step_of_adam),
        ),
        (
            "4.2.1",
            "Better than chance is an accuracy above 50 %.",
            "0.5",
            calculated(calculations.accuracy_without_listening),
        ),
        (
            "4.2.1, table 4.1",
            "A 95 % t-interval over three trainings fits each accuracy.",
            "80s 94.9 ± 6.3, experimental 96.4 ± 5.3",
            calculated(calculations.intervals_past_100),
        ),
        (
            "4.3.2, eq. 4.10",
            "Similarities in the plane, Student's t in the text, are exp(-d²).",
            "eq. 4.10",
            calculated(calculations.similarity_in_the_plane),
        ),
    ],
    PONS: [
        (
            "MagnaTagATune, results",
            "With little data the spectrogram is better than the waveform.",
            "higher ROC-AUC",
            better("h", *(f"{net} 1" for net in NETS[::-1])),
        ),
        (
            "MagnaTagATune, results",
            "With little data the spectrogram is better than the waveform.",
            "higher AP",
            better("h", *(f"{net} 1" for net in NETS[::-1]), "ap"),
        ),
        (
            "MagnaTagATune, results",
            "With little data the spectrogram is better than the waveform.",
            "higher ROC-AUC",
            better("h", *(f"{net} 1" for net in NETS[::-1]), by="artist"),
        ),
        (
            "1.2M songs, results",
            "With more data the waveform gains more than the spectrogram.",
            "it wins at 1.2 million songs",
            statistic(
                "PonsWaveform's gain by four times the clips less the other's",
                (0, ANY),
                "h",
                *(f"{net} {share}" for net in NETS for share in (1, 0.25)),
                of=lambda a, b, c, d: average(
                    (a.roc_auc - b.roc_auc) - (c.roc_auc - d.roc_auc)
                ),
            ),
        ),
        (
            "4, parameters",
            "Averaged patches are better than a whole song.",
            "no figure",
            better("h", ("PonsSpectrogram 1", "mean"), ("PonsSpectrogram 1", "whole")),
        ),
        (
            "MagnaTagATune, results",
            "Half the filters of the front-end make little difference, waveform.",
            "minor",
            alike("h", "PonsWaveform front 0.5", "PonsWaveform 1"),
        ),
        (
            "MagnaTagATune, results",
            "Half the filters of the back-end make little difference, waveform.",
            "minor",
            alike("h", "PonsWaveform back 0.5", "PonsWaveform 1"),
        ),
        (
            "MagnaTagATune, results",
            "Half the filters of the front-end make little difference, spectrogram.",
            "minor",
            alike("h", "PonsSpectrogram front 0.5", "PonsSpectrogram 1"),
        ),
        (
            "MagnaTagATune, results",
            "Half the filters of the back-end make little difference, spectrogram.",
            "minor",
            alike("h", "PonsSpectrogram back 0.5", "PonsSpectrogram 1"),
        ),
        (
            "1.2M songs, results",
            "With the least data trees are better than the waveform network.",
            "on 100,000 tracks",
            recorded("BoostedTrees", "PonsWaveform"),
        ),
        (
            "1.2M songs, results",
            "With the least data trees are better than the spectrogram network.",
            "on 100,000 tracks",
            recorded("BoostedTrees", "PonsSpectrogram"),
        ),
        (
            "1.2M songs, results",
            "Training could address rare tags: are weights for them better?",
            "not tried",
            better("e", "weights", "window", "ap"),
        ),
        (
            "1.2M songs, qualitative",
            "The network is biased towards popular tags.",
            "by ear",
            of_scores(
                "share of the ten frequent tags in what is picked less in the labels",
                (0, ANY),
                "h",
                "PonsSpectrogram 1",
                lambda scores, labels, weights: popular(
                    scores, labels.to_numpy(), weights
                ),
            ),
        ),
        (
            "1.2M songs, qualitative",
            "The network keeps apart tags that exclude each other.",
            "by ear",
            of_scores(
                "correlation of the scores of slow and fast, loud and quiet",
                (-ANY, 0),
                "h",
                "PonsSpectrogram 1",
                lambda scores, labels, weights: opposites(
                    scores, list(labels), weights
                ),
            ),
        ),
    ],
    ELWOOD: [
        (
            "VI.C, table I",
            "At a rate of .005, momentum .99 is better than .9.",
            "+.08",
            better("c", GRID(0.99, 0.25), GRID(0.9, 0.25)),
        ),
        (
            "VI.C, table I",
            "At a rate of .005, momentum .99 is better than none.",
            "+.19",
            better("c", GRID(0.99, 0.25), GRID(0, 0.25)),
        ),
        (
            "VI.C, table I",
            "At a rate of .01 momentum .9 is better: a high one wants a low rate.",
            "+.05",
            better("c", GRID(0.9, 0.5), GRID(0.99, 0.5)),
        ),
        (
            "VI.C, table I",
            "Momentum .99 and a rate of .02 learn nothing.",
            ".50",
            level("c", GRID(0.99, 1), (0.45, 0.55)),
        ),
        (
            "VII, table II",
            "512/256 is marginally better than 256/256.",
            "+.0015",
            better("d", CELL(512, 256), CELL(256, 256)),
        ),
        (
            "IX",
            "The network is worst at the tags that name an absence.",
            "no beat, no singer, no piano",
            statistic(
                "ROC-AUC of 'no' tags less that of the others, CNN",
                (-ANY, 0),
                "g",
                "CNN",
                of=lambda cnn: cnn.of("no") - cnn.but("no"),
            ),
        ),
        (
            "IX",
            "The network is best at heavy, rock and hard; here: rock and metal.",
            "in a figure",
            statistic(
                "ROC-AUC of rock and metal less that of the others, CNN",
                (0, ANY),
                "g",
                "CNN",
                of=lambda cnn: cnn.of("rock", "metal") - cnn.but("rock", "metal"),
            ),
        ),
        (
            "IX",
            "Male is tagged better than female.",
            "slightly",
            statistic(
                "ROC-AUC of male less that of female, CNN",
                (0, ANY),
                "g",
                "CNN",
                of=lambda cnn: cnn.of("male", "man") - cnn.of("female", "woman"),
            ),
        ),
        (
            "X.E",
            "With the CRNN the gap between male and female is smaller.",
            "reduced",
            statistic(
                "male less female, CNN less CRNN",
                (0, ANY),
                "g",
                *("CNN", "CRNN rate 0.002"),
                of=lambda cnn, crnn: (
                    (cnn.of("male", "man") - cnn.of("female", "woman"))
                    - (crnn.of("male", "man") - crnn.of("female", "woman"))
                ),
            ),
        ),
        (
            "X.D",
            "The CRNN scores higher than the CNN.",
            "+.0682",
            better("g", "CRNN rate 0.002", "CNN"),
        ),
        (
            "X.D",
            "The CRNN scores higher than the CNN.",
            "+.0682",
            better("g", "CRNN rate 0.002", "CNN", by="artist"),
        ),
        (
            "X.E",
            "The CRNN scores higher for every tag.",
            "50 of 50",
            every_tag("g", "CRNN rate 0.002", "CNN"),
        ),
        (
            "X.E",
            "Flute and female gain more than the other tags.",
            "in a figure",
            statistic(
                "gain of flute and female less that of the others",
                (0, ANY),
                "g",
                *("CRNN rate 0.002", "CNN"),
                of=lambda crnn, cnn: (
                    (crnn.of("flute", "female") - cnn.of("flute", "female"))
                    - (crnn.but("flute", "female") - cnn.but("flute", "female"))
                ),
            ),
        ),
        (
            "X.E",
            "Heavy, dance and modern gain least; here: dance and metal.",
            "in a figure",
            statistic(
                "gain of dance and metal less that of the others",
                (-ANY, 0),
                "g",
                *("CRNN rate 0.002", "CNN"),
                of=lambda crnn, cnn: (
                    (crnn.of("dance", "metal") - cnn.of("dance", "metal"))
                    - (crnn.but("dance", "metal") - cnn.but("dance", "metal"))
                ),
            ),
        ),
        (
            "X.C",
            "With a rate of .0005 the validation ROC-AUC falls after epoch 10.",
            "in a figure",
            late("g", "CRNN rate 0.0005", (-ANY, 0)),
        ),
        (
            "X.C",
            "With a rate of .0001 the validation ROC-AUC goes on rising.",
            "in a figure",
            late("g", "CRNN rate 0.0001", (0, ANY)),
        ),
        (
            "X.A",
            "Spectrograms are better than raw audio (quoted).",
            "Dieleman & Schrauwen: .8815 and .8487",
            recorded("DielemanMel", "DielemanRaw"),
        ),
        (
            "III",
            "CRNN-TF, which reads along time and frequency, is the best (quoted).",
            "Wang et al.: .9078, a CRNN .8926",
            better("i", "CRNNTF", "CRNN"),
        ),
        (
            "IV",
            "A clip lasts 29.14 s.",
            "29.14",
            calculated(calculations.seconds_of_a_clip),
        ),
        (
            "VI.C, table I",
            "Momentum .99 and a rate of .005 are the best of 25.",
            ".82",
            calculated(calculations.best_of_the_grid),
        ),
        (
            "VII, table II",
            "The score rises as length and stride fall: the smallest is the best.",
            "256/256",
            calculated(best_of_elwood),
        ),
        (
            "X.D",
            "From .8267 to .8949 is an increase of 8.25 %.",
            "8.25",
            calculated(calculations.relative_gain),
        ),
        (
            "XI",
            "With .8267 the replication outperforms the original model.",
            ".8267",
            calculated(calculations.better_of_two_papers),
        ),
    ],
}


def row(document, section, claim, reported, trial: Trial) -> dict:
    """Try a claim. Shape: a text for each of COLUMNS."""
    try:
        *numbers, n_seeds, said = trial.run()
    except FileNotFoundError:
        numbers, n_seeds, said = ["", "", ""], "", "not recorded yet"
    numbers = [x if isinstance(x, str) else plain(x) for x in numbers]
    words = [document, section, claim, reported, trial.measure, *numbers]
    words += [str(n_seeds), said, trial.command]
    return dict(zip(COLUMNS, words, strict=True))


def plain(number: float) -> str:
    """Write a number with three decimals, none if it is whole."""
    return f"{number:.0f}" if number % 1 == 0 else f"{number:.3f}"


def table() -> pd.DataFrame:
    """Try all claims. Shape: a row per claim, all columns text."""
    rows = [row(name, *claim) for name, claims in CLAIMS.items() for claim in claims]
    return pd.DataFrame(rows, columns=COLUMNS)


def main():
    found = table()
    found.to_csv(RESULT, index=False)
    words = found["verdict"].str.replace(" with .*", "", regex=True)
    print(words.value_counts().to_string())


if __name__ == "__main__":
    main()
