"""Hand-made features of clips, and the baselines that a network has to beat.

What music tagging was before networks: librosa's descriptors, averaged over a clip,
and trees on top. Pons et al. 2018 (arXiv:1711.02520) compare their networks with such
a baseline; its features and settings are private, so ours is a stand-in.

Notebook: course/03_spectrogram_cnns.ipynb
"""

import io
import json
import os
import sys
import zipfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd
from tqdm import tqdm

from tagkit import files
from tagkit.data import audio
from tagkit.data import corpus as corpora

VERSION = 1  # of what `describe` computes: raise it and every table is made again
N_FFT, HOP = 2048, 256  # samples
MANY = 5000  # clips, from which on trees are worth more than one thread
FLOOR = 1e-5  # the smallest amplitude: -100 dB
TREES = {  # settings of BoostedTrees, see there
    "max_iter": 100,
    "learning_rate": 0.05,
    "max_leaf_nodes": 4,
    "min_samples_leaf": 5,
    "l2_regularization": 1.0,
    "max_features": 0.2,
}
NOTES = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")


def describe(samples: np.ndarray, sample_rate: int = audio.SAMPLE_RATE) -> pd.Series:
    """Describe one clip by 113 named numbers.

    Mean and standard deviation over its frames of: 20 MFCCs, 12 chroma, contrast in 6
    bands, centroid, bandwidth, rolloff (Hz), flatness, zero crossings (share of
    samples), level (dB) and onset strength; then the mean absolute change of each MFCC
    from frame to frame, the largest onset strength, onsets a second and tempo (bpm).
    All are finite: levels have a floor of -100 dB, a frame without energy has
    centroid, bandwidth, rolloff and chroma 0, and silence the tempo 121, librosa's
    guess. The tempo's steps are coarse: its period is a whole number of hops.

    Args:
        sample_rate: in Hz, above 6,400 for the bands of the contrast. Features of two
            rates do not compare.

    Shape: (n_samples,) -> (n_features,) float32, index names.
    Raises: ValueError if samples has no or more than one axis, or is empty;
    ImportError without librosa.
    Source: McFee et al. 2015, librosa; its defaults where nothing is said.

    >>> hiss = np.random.default_rng(0).normal(0, 0.1, 16_000).astype("float32")
    >>> describe(hiss)[["level mean", "centroid mean"]].round(-1).tolist()
    [-20.0, 4000.0]

    Notebook: course/03_spectrogram_cnns.ipynb
    """
    librosa = _librosa()
    if samples.ndim != 1 or len(samples) == 0:
        raise ValueError(
            f"samples has shape {samples.shape}, needed is (n,) with n above 0; "
            "audio.load mixes stereo to mono"
        )
    seconds = len(samples) / sample_rate
    samples = audio.fit_length(samples, max(len(samples), N_FFT))
    rate, hop, get = {"sr": sample_rate}, {"hop_length": HOP}, librosa.feature
    sizes = np.abs(librosa.stft(samples, n_fft=N_FFT, **hop))  # (1025, n_frames)
    mel = get.melspectrogram(S=sizes**2, **rate)  # (128, n_frames)
    mel = librosa.power_to_db(mel, amin=FLOOR**2)
    onsets = librosa.onset.onset_strength(S=mel, n_fft=N_FFT, **rate, **hop)
    peaks = librosa.onset.onset_detect(onset_envelope=onsets, **rate, **hop)
    tempo = get.tempo(onset_envelope=onsets, **rate, **hop)[0]
    sizes, mel = sizes[:, ::2], mel[:, ::2]  # only onsets need every frame
    mfcc = get.mfcc(S=mel, n_mfcc=20)  # (20, n_frames / 2)
    tuning = None if sizes.any() else 0.0  # None: measured
    chroma = get.chroma_stft(S=sizes**2, tuning=tuning, **rate)  # (12, n_frames / 2)
    contrast = get.spectral_contrast(S=sizes, n_bands=5, **rate)  # (6, n_frames / 2)
    centroid = get.spectral_centroid(S=sizes, **rate)  # (1, n_frames / 2)
    frames = {"frame_length": N_FFT, "hop_length": 2 * HOP}
    level = get.rms(y=samples, **frames)  # (1, n_frames / 2)
    rows = {f"mfcc {i}": row for i, row in enumerate(mfcc)}
    rows |= {f"chroma {n}": row for n, row in zip(NOTES, chroma, strict=True)}
    rows |= {f"contrast {i}": row for i, row in enumerate(contrast)}
    rows |= {
        "centroid": centroid,
        "bandwidth": get.spectral_bandwidth(S=sizes, centroid=centroid, **rate),
        "rolloff": get.spectral_rolloff(S=sizes, **rate),
        "flatness": get.spectral_flatness(S=sizes),
        "zero crossings": get.zero_crossing_rate(samples, **frames),
        "level": librosa.amplitude_to_db(level, amin=FLOOR, top_db=None),
        "onset strength": onsets,
    }
    found = {f"{name} mean": row.mean() for name, row in rows.items()}
    found |= {f"{name} deviation": row.std() for name, row in rows.items()}
    changes = np.abs(np.diff(mfcc, axis=1)).mean(axis=1)  # (20,)
    found |= {f"mfcc {i} change": change for i, change in enumerate(changes)}
    found["onset strength largest"] = onsets.max()
    found["onsets a second"] = len(peaks) / seconds
    found["tempo"] = tempo
    return pd.Series(found, dtype=np.float32)


def table(
    corpus: corpora.Corpus,
    n_workers: int | None = None,
    log: Callable[[str], None] | None = None,
) -> pd.DataFrame:
    """Describe every clip of a corpus once; later calls read the table from the disk.

    It is data/cache/<corpus>-features.npz, and made again, whole, when a clip's file
    has changed. A clip that cannot be decoded is left out and named in
    ``attrs["bad"]`` with the reason; one that is cut short is described as it is.

    Args:
        n_workers: threads; default one per core.
        log: is given a line after each tenth of the clips, such as print in a
            notebook; None shows a bar in a terminal and in a notebook.

    Shape: (n_clips, n_features) float32, index clip_id, columns as `describe`.
    Raises: ImportError without librosa, if the table is not on the disk.

    >>> from tagkit.data import corpus
    >>> table(corpus.open("mini")).shape
    (480, 113)

    Notebook: course/03_spectrogram_cnns.ipynb
    """
    path = corpora.DATA / "cache" / f"{corpus.key}-features.npz"
    source = json.dumps([VERSION, _sources(corpus)])
    try:
        with np.load(path) as kept:
            if str(kept["source"]) == source:
                return _frame(**{k: kept[k] for k in kept if k != "source"})
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        pass  # there is none, or none that can be read
    names = describe(np.zeros(N_FFT, np.float32)).index
    with ThreadPoolExecutor(n_workers or os.cpu_count()) as pool:
        found = pool.map(lambda clip: _describe(corpus, clip), corpus.clips.index)
        if log:
            found = _told(found, len(corpus.clips), log)
        else:
            in_notebook = "ipykernel" in sys.modules and not os.getenv("TAGKIT_STATIC")
            bar = {"file": sys.stdout if in_notebook else sys.stderr, "unit": "clip"}
            bar["disable"] = False if in_notebook else None  # None: if no terminal
            found = tqdm(found, total=len(corpus.clips), **bar)
        found = list(found)
    bad = {int(c): r for c, (_, r) in zip(corpus.clips.index, found, strict=True) if r}
    good = [values for values, reason in found if not reason]
    made = {
        "values": np.array(good, np.float32).reshape(-1, len(names)),
        "clips": corpus.clips.index.drop(list(bad)).to_numpy(),
        "names": names.to_numpy(str),
        "bad": json.dumps(bad),
    }
    file = io.BytesIO()
    np.savez(file, source=source, **made)
    files.write_atomically(path, file.getvalue())
    return _frame(**made)


class PredictNothing:
    """The baseline that gives no tag to any clip: right in most places, and useless.

    Args:
        seed: what is drawn is the same for the same seed; only BoostedTrees draws.

    Attributes:
        arguments: what it was made with, without the seed.
        parameters: how many numbers fitting chose.
        listens: whether a score depends on the features.

    Raises: ValueError if features and labels are not of the same clips.

    >>> labels = pd.DataFrame({"rock": [1, 0, 0, 0]})
    >>> PredictNothing().fit(labels, labels).predict(labels).sum()
    np.float64(0.0)

    Notebook: course/03_spectrogram_cnns.ipynb
    """

    listens = False

    def __init__(self, seed: int = 0):
        self.seed, self.arguments, self.parameters = seed, {}, 0

    def fit(self, features: pd.DataFrame, labels: pd.DataFrame):
        """Note how many tags there are; gives the baseline itself."""
        if not features.index.equals(labels.index):
            raise ValueError(
                f"features are of {len(features)} clips and labels of {len(labels)}, "
                "not the same in the same order; use features.loc[labels.index]"
            )
        self.n_tags = labels.shape[1]
        return self

    def predict(self, features: pd.DataFrame) -> np.ndarray:
        """Score clips. Shape: (n_clips, n_features) -> (n_clips, n_tags) in [0, 1]."""
        return np.zeros((len(features), self.n_tags))


class ConstantPrior(PredictNothing):
    """The baseline that gives each tag its share among the training clips.

    Of all scores that do not look at the clip these have the lowest loss: a network
    with no lower loss has learnt how frequent the tags are and nothing else.

    >>> labels = pd.DataFrame({"rock": [1, 0, 0, 0]})
    >>> ConstantPrior().fit(labels, labels).predict(labels[:2]).tolist()
    [[0.25], [0.25]]

    Notebook: course/03_spectrogram_cnns.ipynb
    """

    def fit(self, features: pd.DataFrame, labels: pd.DataFrame):
        """Count the positives of each tag; gives the baseline itself."""
        super().fit(features, labels)
        self.shares = labels.to_numpy(np.float64).mean(axis=0)  # (n_tags,)
        self.parameters = self.n_tags
        return self

    def predict(self, features: pd.DataFrame) -> np.ndarray:
        """Score clips. Shape: (n_clips, n_features) -> (n_clips, n_tags) in [0, 1]."""
        return np.tile(self.shares, (len(features), 1))


class BoostedTrees(ConstantPrior):
    """The baseline of features and gradient-boosted trees, one model per tag.

    A tag without positives, or without negatives, gets its share. Made for few clips
    and rare tags: a hundred trees of three splits, without early stopping, a fifth of
    the features at each split, chosen on the validation part of mini. (With all
    features at each split the seed would change nothing.)

    Args:
        arguments: settings of scikit-learn's HistGradientBoostingClassifier in place
            of those of `TREES`, such as max_iter=200.

    Attributes:
        parameters: the splits and the leaf values of all trees.

    Source: Pons et al. 2018, "GBT + features", whose settings are private.

    >>> features = pd.DataFrame({"tempo": range(40)})
    >>> labels = (features > 19).astype(int)
    >>> trees = BoostedTrees().fit(features, labels)
    >>> trees.predict(features.iloc[[0, -1]]).round().tolist()
    [[0.0], [1.0]]

    Notebook: course/03_spectrogram_cnns.ipynb
    """

    listens = True

    def __init__(self, seed: int = 0, **arguments):
        super().__init__(seed)
        self.arguments = arguments

    def fit(self, features: pd.DataFrame, labels: pd.DataFrame):
        """Fit the trees of each tag; gives the baseline itself."""
        from threadpoolctl import threadpool_limits  # of scikit-learn

        super().fit(features, labels)
        # With few clips threads wait for each other ten times longer than they work.
        with threadpool_limits(1 if len(features) < MANY else None, "openmp"):
            self._fit_each(features, labels)
        return self

    def _fit_each(self, features, labels):
        from sklearn.ensemble import HistGradientBoostingClassifier  # takes seconds

        settings = TREES | self.arguments
        self.models, self.parameters = {}, 0
        for tag, share in enumerate(self.shares):
            if not 0 < share < 1:
                self.parameters += 1
                continue
            model = HistGradientBoostingClassifier(
                early_stopping=False, random_state=self.seed, **settings
            )
            self.models[tag] = model.fit(features, labels.iloc[:, tag])
            trees = sum(model._predictors, [])  # a list of one tree per iteration
            self.parameters += sum(len(tree.nodes) for tree in trees)

    def predict(self, features: pd.DataFrame) -> np.ndarray:
        """Score clips. Shape: (n_clips, n_features) -> (n_clips, n_tags) in [0, 1]."""
        scores = super().predict(features)
        for tag, model in self.models.items():
            scores[:, tag] = model.predict_proba(features)[:, 1]
        return scores


BASELINES = {b.__name__: b for b in (PredictNothing, ConstantPrior, BoostedTrees)}


def _librosa():
    try:
        import librosa
    except ImportError:
        raise ImportError(
            "features need librosa, which is not installed; "
            "pip install -e '.[course]' in the folder of the course"
        ) from None
    return librosa


def _told(found, n, log):
    """Pass on what was found, and say after each tenth how many there are."""
    for done, one in enumerate(found, 1):
        yield one
        if done * 10 // n > (done - 1) * 10 // n:
            log(f"{done} of {n} clips described")


def _sources(corpus) -> list:
    """Say for each clip the name, size and time of its file now."""
    entries = []
    for clip_id, path in corpus.clips["mp3_path"].items():
        try:
            stat = os.stat(corpus.root / path)
            entries.append([clip_id, path, stat.st_size, stat.st_mtime_ns])
        except OSError:
            entries.append(
                [clip_id, path, -1, -1]
            )  # decoding will say that it is missing
    return entries


def _describe(corpus, clip_id):
    """Give (values, no reason), or (none, the reason why not)."""
    try:
        return describe(corpus.load(clip_id)).to_numpy(), ""
    except ValueError as error:  # AudioError, or a link out of the folder
        return None, str(error).replace(f"{corpus.root}{os.sep}", "")


def _frame(values, clips, names, bad) -> pd.DataFrame:
    clips = pd.Index(clips, name="clip_id")
    frame = pd.DataFrame(values, index=clips, columns=[str(n) for n in names])
    frame.attrs["bad"] = {int(c): r for c, r in json.loads(str(bad)).items()}
    return frame
