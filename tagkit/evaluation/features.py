"""Hand-made features of clips, and the baselines that a network has to beat.

They stand in for the baseline of Pons et al. 2018 (arXiv:1711.02520), whose features
and settings are private.

Notebook: course/03_spectrogram_cnns.ipynb
"""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import joblib
import numpy as np
import pandas as pd

from tagkit.data import audio
from tagkit.data import corpus as corpora
from tagkit.files import make_folder

VERSION = 1  # of `describe`: raise it when its numbers change, and tables are renewed
N_FFT, HOP = 2048, 256  # samples
MANY = 5000  # clips: with fewer, threads cost trees more than they gain
FLOOR = 1e-5  # the smallest amplitude: -100 dB
TREES = {  # settings of BoostedTrees, see there
    "max_iter": 100,
    "learning_rate": 0.05,
    "max_leaf_nodes": 4,
    "min_samples_leaf": 5,
    "l2_regularization": 1.0,
    "max_features": 0.2,  # a share at each split: with all, the seed changes nothing
}
NOTES = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")


def describe(samples: np.ndarray, sample_rate: int = audio.SAMPLE_RATE) -> pd.Series:
    """Describe one clip by 113 named numbers.

    Mean and standard deviation over its frames of: 20 MFCCs, 12 chroma, contrast in 6
    bands, centroid, bandwidth, rolloff (Hz), flatness, zero crossings (share of
    samples), level (dB) and onset strength; then the mean absolute change of each MFCC
    from frame to frame, the largest onset strength, onsets a second and tempo (bpm).
    All are finite: levels have a floor of -100 dB, a frame without energy has
    centroid, bandwidth, rolloff and chroma 0, and silence has librosa's tempo, 121.

    The sample rate must be above 6,400 Hz; features of two rates do not compare.

    Shape: (n_samples,) -> (n_features,) float32, index names.
    Raises: ValueError if samples has no or more than one axis, or is empty.
    Source: McFee et al. 2015, librosa; its defaults unless given here.
    """
    import librosa  # not there without the course's packages

    if samples.ndim != 1 or len(samples) == 0:
        raise ValueError(
            f"samples has shape {samples.shape}, needed is (n,) with n above 0; "
            "audio.load mixes stereo to mono"
        )
    long_enough = audio.fit_length(samples, max(len(samples), N_FFT))
    magnitudes = np.abs(librosa.stft(long_enough, n_fft=N_FFT, hop_length=HOP))
    mel = librosa.feature.melspectrogram(S=magnitudes**2, sr=sample_rate)
    mel = librosa.power_to_db(mel, amin=FLOOR**2)  # (128, n_frames)
    timing = {"sr": sample_rate, "hop_length": HOP}
    onsets = librosa.onset.onset_strength(S=mel, n_fft=N_FFT, **timing)
    peaks = librosa.onset.onset_detect(onset_envelope=onsets, **timing)
    # Only onsets need every frame; for the rest every other one is enough.
    mfcc = librosa.feature.mfcc(S=mel[:, ::2], n_mfcc=20)  # (20, n_frames / 2)
    rows = {f"mfcc {i}": row for i, row in enumerate(mfcc)}
    rows |= _frames(long_enough, magnitudes[:, ::2], sample_rate)
    rows["onset strength"] = onsets
    numbers = {f"{name} mean": row.mean() for name, row in rows.items()}
    numbers |= {f"{name} deviation": row.std() for name, row in rows.items()}
    changes = np.abs(np.diff(mfcc, axis=1)).mean(axis=1)  # (20,)
    numbers |= {f"mfcc {i} change": change for i, change in enumerate(changes)}
    numbers["onset strength largest"] = onsets.max()
    numbers["onsets a second"] = len(peaks) * sample_rate / len(samples)
    numbers["tempo"] = librosa.feature.tempo(onset_envelope=onsets, **timing)[0]
    return pd.Series(numbers, dtype=np.float32)


def _frames(samples, magnitudes, sample_rate):
    """Describe each frame, two hops from the next: a row of n_frames per name."""
    import librosa

    get = librosa.feature
    rate = {"sr": sample_rate}
    tuning = None if magnitudes.any() else 0.0  # None: measured
    chroma = get.chroma_stft(S=magnitudes**2, tuning=tuning, **rate)  # (12, n_frames)
    contrast = get.spectral_contrast(S=magnitudes, n_bands=5, **rate)  # (6, n_frames)
    centroid = get.spectral_centroid(S=magnitudes, **rate)  # (1, n_frames)
    frames = {"frame_length": N_FFT, "hop_length": 2 * HOP}
    level = get.rms(y=samples, **frames)
    rows = {f"chroma {note}": row for note, row in zip(NOTES, chroma, strict=True)}
    rows |= {f"contrast {i}": row for i, row in enumerate(contrast)}
    return rows | {
        "centroid": centroid,
        "bandwidth": get.spectral_bandwidth(S=magnitudes, centroid=centroid, **rate),
        "rolloff": get.spectral_rolloff(S=magnitudes, **rate),
        "flatness": get.spectral_flatness(S=magnitudes),
        "zero crossings": get.zero_crossing_rate(samples, **frames),
        "level": librosa.amplitude_to_db(level, amin=FLOOR, top_db=None),
    }


def table(
    corpus: corpora.Corpus, log: Callable[[str], None] | None = None
) -> pd.DataFrame:
    """Describe every clip of a corpus once; later calls read the table from the disk.

    The table in data/cache/features is made again, whole, when a clip's file has
    changed. A clip that cannot be decoded is left out and named in ``attrs["bad"]``
    with the reason. `log`, such as print, gets a line after each tenth of the clips.

    Shape: (n_clips, n_features) float32, index clip_id, columns as `describe`.
    """
    folder = corpora.DATA / "cache" / "features"
    make_folder(folder)
    memory = joblib.Memory(folder, verbose=0)
    describe_all = memory.cache(_describe_all, ignore=["corpus", "log"])
    sources = [
        (clip_id, path, _state(corpus.root / path))
        for clip_id, path in corpus.clips["mp3_path"].items()
    ]
    key = joblib.hash([VERSION, corpus.key, sources])
    return describe_all(key, corpus, log)


def _describe_all(key, corpus, log):
    """Make the table; joblib finds it again by its key."""
    rows, bad = {}, {}
    clips, n_clips = corpus.clips.index, len(corpus.clips)
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        outcomes = pool.map(lambda clip_id: _describe(corpus, clip_id), clips)
        for n_done, outcome in enumerate(outcomes, 1):
            kind = bad if isinstance(outcome, str) else rows
            kind[clips[n_done - 1]] = outcome
            if log and n_done * 10 // n_clips > (n_done - 1) * 10 // n_clips:
                log(f"{n_done} of {n_clips} clips described")
    names = describe(np.zeros(N_FFT, np.float32)).index
    frame = pd.DataFrame(rows, names, dtype=np.float32).T.rename_axis("clip_id")
    frame.attrs["bad"] = bad
    return frame


def _describe(corpus, clip_id):
    """Give a row of numbers, or the reason why there is none."""
    try:
        return describe(corpus.load(clip_id))
    except ValueError as error:
        return str(error).replace(f"{corpus.root}{os.sep}", "")


def _state(path):
    return (path.stat().st_size, path.stat().st_mtime_ns) if path.exists() else None


class ConstantPrior:
    """The baseline that gives each tag its share among the training clips.

    A network whose loss is no lower has learnt how frequent the tags are and nothing
    else.

    Attributes:
        arguments: what it was made with, without the seed.
        parameters: how many numbers fitting chose; of trees, splits and leaf values.
        listens: whether a score depends on the features.

    >>> labels = pd.DataFrame({"rock": [1, 0, 0, 0]})
    >>> ConstantPrior().fit(labels, labels).predict(labels[:2]).tolist()
    [[0.25], [0.25]]
    """

    listens = False

    def __init__(self, seed: int = 0):
        self.seed = seed
        self.arguments = {}

    def fit(self, features: pd.DataFrame, labels: pd.DataFrame):
        """Fit a classifier to each tag and return the baseline itself.

        Raises: ValueError if features and labels are not of the same clips.
        """
        if not features.index.equals(labels.index):
            raise ValueError(
                f"features are of {len(features)} clips and labels of {len(labels)}, "
                "not the same in the same order; use features.loc[labels.index]"
            )
        self.models = [self._fit_tag(features, labels[tag]) for tag in labels]
        self.parameters = sum(_n_parameters(model) for model in self.models)
        return self

    def _fit_tag(self, features, has_tag):
        from sklearn.dummy import DummyClassifier  # takes seconds to import

        return DummyClassifier(strategy="prior").fit(features, has_tag)

    def predict(self, features: pd.DataFrame) -> np.ndarray:
        """Score clips. Shape: (n_clips, n_features) -> (n_clips, n_tags) in [0, 1]."""
        scores = np.zeros((len(features), len(self.models)))
        for tag, model in enumerate(self.models):
            if 1 in model.classes_:  # else no clip of training had the tag
                scores[:, tag] = model.predict_proba(features)[:, -1]
        return scores


class PredictNothing(ConstantPrior):
    """The baseline that gives no tag to any clip: right in most places, and useless."""

    def fit(self, features: pd.DataFrame, labels: pd.DataFrame):
        """Fit to labels without a positive and return the baseline itself."""
        super().fit(features, labels * 0)
        self.parameters = 0
        return self


class BoostedTrees(ConstantPrior):
    """The baseline of features and gradient-boosted trees, one model per tag.

    A tag without positives, or without negatives, gets its share. The settings, chosen
    on the validation part of mini, suit few clips and rare tags.

    Args:
        arguments: settings of scikit-learn's HistGradientBoostingClassifier in place
            of those of `TREES`, such as max_iter=200.
    """

    listens = True

    def __init__(self, seed: int = 0, **arguments):
        super().__init__(seed)
        self.arguments = arguments

    def fit(self, features: pd.DataFrame, labels: pd.DataFrame):
        """Fit the trees of each tag and return the baseline itself."""
        from threadpoolctl import threadpool_limits  # of scikit-learn

        with threadpool_limits(1 if len(features) < MANY else None, "openmp"):
            super().fit(features, labels)
        return self

    def _fit_tag(self, features, has_tag):
        from sklearn.ensemble import HistGradientBoostingClassifier

        if has_tag.nunique() < 2:
            return super()._fit_tag(features, has_tag)
        settings = TREES | self.arguments
        return HistGradientBoostingClassifier(
            early_stopping=False, random_state=self.seed, **settings
        ).fit(features, has_tag)


def _n_parameters(model):
    """Count splits and leaves of trees; a model without trees is a share."""
    trees = getattr(model, "_predictors", None)  # a list of one per iteration
    return sum(len(tree.nodes) for (tree,) in trees) if trees else 1


BASELINES = {b.__name__: b for b in (PredictNothing, ConstantPrior, BoostedTrees)}
