"""From logits of windows to scores of clips: the only place with a sigmoid.

Notebook: course/02_raw_waveform_cnns.ipynb
"""

from pathlib import Path

import numpy as np
import pandas as pd
import torch

from tagkit import audio, batches
from tagkit.tagger import Tagger

MERGES = ("mean", "vote", "max", "mean_logits")


def window_logits(model: Tagger, examples: batches.Examples) -> np.ndarray:
    """Run a model over windows that cover each clip evenly.

    The model is in evaluation mode meanwhile, whatever it was in before, and no
    number of it changes.

    Shape: (n_clips, n_windows, n_tags), any real number.
    Raises: ValueError if window and store do not fit, see `batches.Window`.

    >>> from tagkit import corpus, models, store
    >>> mini = corpus.open("mini")
    >>> valid = batches.examples(mini, store.prepare(mini), "valid").take(2)
    >>> window_logits(models.DielemanRaw(), valid).shape
    (2, 10, 50)

    Notebook: course/02_raw_waveform_cnns.ipynb
    """
    crops = batches.GridCrops(examples, model.n_samples, model.sample_rate)
    logits = [_run(model, samples) for samples in batches.ahead(crops)]
    return np.concatenate(logits).reshape(len(examples), crops.n_windows, -1)


def merge_windows(logits: np.ndarray, merge: str = "mean") -> np.ndarray:
    """Merge the windows of each clip into one score per tag.

    Args:
        merge: "mean" of the windows' scores (Elwood & Varosyan, most papers), "vote",
            the share of windows above 0.5 (Weber), "max", or "mean_logits", the
            sigmoid of the mean logit (Roy).

    Shape: (n_clips, n_windows, n_tags) -> (n_clips, n_tags) in [0, 1].
    Raises: ValueError for another merge.

    >>> merge_windows(np.array([[[0.0], [9.0]]]), "max").round(2)
    array([[1.]])

    Notebook: course/02_raw_waveform_cnns.ipynb
    """
    if merge not in MERGES:
        raise ValueError(f"merge {merge!r} is unknown; needed is {', '.join(MERGES)}")
    if merge == "mean_logits":
        return _sigmoid(logits.mean(axis=1))
    if merge == "vote":
        return (logits > 0).mean(axis=1)
    scores = _sigmoid(logits)
    return scores.mean(axis=1) if merge == "mean" else scores.max(axis=1)


def clip_scores(
    model: Tagger, examples: batches.Examples, merge: str = "mean"
) -> np.ndarray:
    """Score every clip for every tag.

    Args:
        merge: how windows of a clip become one score, see `merge_windows`.

    Shape: (n_clips, n_tags) in [0, 1].

    >>> from tagkit import corpus, models, store
    >>> mini = corpus.open("mini")
    >>> valid = batches.examples(mini, store.prepare(mini), "valid").take(2)
    >>> clip_scores(models.DielemanRaw(), valid).shape
    (2, 50)

    Notebook: course/02_raw_waveform_cnns.ipynb
    """
    return merge_windows(window_logits(model, examples), merge)


def tag_file(
    model: Tagger, path: str | Path, tags: list[str], merge: str = "mean"
) -> pd.Series:
    """Tag any file of sound, of any length, rate and number of channels.

    Shape: (n_tags,) scores in [0, 1], index tag, highest first.
    Raises: audio.AudioError for a file that cannot be decoded.

    >>> from tagkit import corpus, models
    >>> mini = corpus.open("mini")
    >>> path = mini.path(mini.clips.index[0])
    >>> len(tag_file(models.DielemanRaw(n_tags=2), path, ["piano", "flute"]))
    2

    Notebook: course/06_recommendation.ipynb
    """
    samples = audio.load(path, model.sample_rate)
    n = model.n_samples
    n_windows = max(1, -(-len(samples) // n))
    starts = np.linspace(0, max(0, len(samples) - n), n_windows).astype(int)
    cuts = np.stack([audio.fit_length(samples[s : s + n], n) for s in starts])
    parts = torch.from_numpy(cuts).split(16)  # an hour would not fit the memory at once
    logits = np.concatenate([_run(model, part) for part in parts])
    if logits.shape[1] != len(tags):
        raise ValueError(
            f"the model has {logits.shape[1]} outputs, you gave {len(tags)} tags; use "
            "the list that it was trained on, runs.read_checkpoint(path)['tags']"
        )
    scores = merge_windows(logits[None], merge)[0]
    return pd.Series(scores, index=list(tags)).sort_values(ascending=False)


def _run(model: Tagger, samples: torch.Tensor) -> np.ndarray:
    training = model.training
    device = next(model.parameters()).device
    try:
        with torch.inference_mode():
            return model.eval()(samples.to(device)).float().cpu().numpy()
    finally:
        model.train(training)


def _sigmoid(logits: np.ndarray) -> np.ndarray:
    return torch.from_numpy(np.asarray(logits)).sigmoid().numpy()
