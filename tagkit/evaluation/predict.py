"""From logits of windows to scores of clips: the only sigmoid over them.

Notebook: course/02_raw_waveform_cnns.ipynb
"""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from tagkit.data import audio, batches, corpus, feed, store
from tagkit.machine import devices
from tagkit.models.tagger import Tagger

CLIPS = 32  # cut at a time
FILE_WINDOWS = 16  # of a file, taken at a time: an hour is too much
MERGES = ("mean", "vote", "max", "mean_logits")


def window_logits(model: Tagger, examples: batches.Examples) -> np.ndarray:
    """Run a model, in evaluation mode, over windows that cover each clip evenly.

    A shorter clip's windows come again and again; how many are its own, `own_windows`
    says.

    Shape: (n_clips, n_windows, n_tags), any real number.
    Raises: ValueError if window and store do not fit, see `batches.Window`.
    """
    return _clip_windows(model, model, examples)[0]


def own_windows(model: Tagger, examples: batches.Examples) -> np.ndarray:
    """Say how many windows each clip has of its own, for `merge_windows`.

    Shape: (n_clips,), 1 to n_windows.
    """
    return batches.GridCrops(examples, model.n_samples, model.sample_rate).n_own


def merge_windows(
    logits: np.ndarray, merge: str = "mean", *, n_own: np.ndarray | None = None
) -> np.ndarray:
    """Merge the windows of each clip into one score per tag.

    Args:
        merge: "mean" of the windows' scores (Elwood & Varosyan, most papers), "vote",
            the share of windows above 0.5 (Weber), "max", or "mean_logits", the
            sigmoid of the mean logit (Roy).
        n_own: how many windows of each clip count, those at the front; default all.

    Shape: (n_clips, n_windows, n_tags) -> (n_clips, n_tags) in [0, 1].
    Raises: ValueError for another merge.
    """
    if merge not in MERGES:
        raise ValueError(f"merge {merge!r} is unknown; needed is {', '.join(MERGES)}")
    if n_own is not None:
        return _for_each(n_own, logits, lambda own: merge_windows(own, merge))
    if merge == "mean_logits":
        return _sigmoid(logits.mean(axis=1))
    if merge == "vote":
        return (logits > 0).mean(axis=1)
    scores = _sigmoid(logits)
    return scores.mean(axis=1) if merge == "mean" else scores.max(axis=1)


def clip_scores(
    model: Tagger, examples: batches.Examples, merge: str = "mean"
) -> np.ndarray:
    """Score every clip for every tag, its windows merged by `merge_windows`.

    Shape: (n_clips, n_tags) in [0, 1].
    """
    logits, n_own = _clip_windows(model, model, examples)
    return merge_windows(logits, merge, n_own=n_own)


def tag_file(
    model: Tagger,
    path: str | Path,
    tags: list[str],
    merge: str = "mean",
    *,
    overlap: float = 0.0,
) -> pd.Series:
    """Tag any file of sound, of any length, rate and number of channels.

    Args:
        overlap: as in `batches.starts`; more windows give a steadier mean.

    Shape: (n_tags,) scores in [0, 1], index tag, highest first.
    Raises: audio.AudioError for a file that cannot be decoded; ValueError unless there
    is a tag for each of the model's outputs.
    Notebook: course/00_start_here.ipynb
    """
    logits, _ = _file_windows(model, model, path, overlap)
    return _merged(logits, tags, merge)


def embeddings(
    model: Tagger,
    clips: batches.Examples | corpus.Corpus | Iterable[str | Path],
    *,
    overlap: float = 0.0,
) -> np.ndarray:
    """Describe each clip by what a model's last layer reads, the mean of its windows.

    Sounds with near vectors sound alike to the network: see `neighbours`.

    Args:
        clips: examples of a store; or files of any length, or a corpus, whose files
            are taken whole, such as corpus.open(folder). No labels are looked at.
        overlap: as in `batches.starts`; more windows give a steadier mean.

    Shape: (n_clips, n_dims) float32.
    Raises: as `window_logits` for examples, `audio.AudioError` for files; ValueError
    for no clips.
    """
    if isinstance(clips, batches.Examples):
        windows, n_own = _clip_windows(model, model.embed, clips, overlap)
        return _for_each(n_own, windows, lambda own: own.mean(axis=1))
    if isinstance(clips, corpus.Corpus):
        clips = map(clips.path, clips.clips.index)
    paths = [clips] if isinstance(clips, str | Path) else list(clips)
    if not paths:
        raise ValueError("there are no clips; needed are examples or files of sound")
    files = (_file_windows(model, model.embed, path, overlap)[0] for path in paths)
    return np.stack([windows.mean(axis=0) for windows in files])


def timeline(
    model: Tagger,
    path: str | Path | np.ndarray,
    tags: list[str],
    *,
    overlap: float = 0.0,
) -> pd.DataFrame:
    """Tag a file window by window, to see when each tag is heard.

    Args:
        path: or its samples (n_samples,), at the model's rate.
        overlap: as in `batches.starts`; more windows give a finer picture.

    Shape: (n_windows, n_tags) scores in [0, 1], index the middle of each window in
    seconds, columns tags.
    Raises: as `tag_file`.
    """
    logits, starts = _file_windows(model, model, path, overlap)
    return _timed(model, logits, starts, tags)


def tag_and_embed(
    model: Tagger,
    path: str | Path,
    tags: list[str],
    merge: str = "mean",
    *,
    line: bool = False,
    overlap: float = 0.0,
) -> tuple[pd.Series | pd.DataFrame, np.ndarray]:
    """Tag a file and embed it, in one pass over its windows.

    Args:
        line: tag window by window.

    Shape: what `tag_file` gives, or for a line `timeline`; and (n_dims,) float32.
    Raises: as `tag_file`.
    """

    def both(samples):
        vectors = model.embed(samples)  # (batch, n_dims)
        return torch.cat([model.output(vectors), vectors], dim=1)

    outputs, starts = _file_windows(model, both, path, overlap)
    n_tags = model.output.out_features
    logits, vectors = outputs[:, :n_tags], outputs[:, n_tags:]
    if line:
        tagged = _timed(model, logits, starts, tags)
    else:
        tagged = _merged(logits, tags, merge)
    return tagged, vectors.mean(axis=0)


def occlusion(
    model: Tagger, samples: np.ndarray, n_pieces: int = 14, filling: str = "noise"
) -> np.ndarray:
    """Hide a clip piece by piece, and measure how far the logit of each tag falls.

    Logits, averaged over windows, are compared because a score of 0.99 hardly moves.

    Args:
        filling: what replaces a piece: "silence", to which a network reacts as to any
            event, or "noise" with the spectrum of the whole clip.

    Shape: samples (n_samples,) at the model's rate -> (n_pieces, n_tags), logit of the
    whole clip minus logit without the piece: above 0 the piece spoke for the tag.
    Raises: ValueError for another filling, or for samples that do not fit.
    Source: Zeiler & Fergus, ECCV 2014, who covered parts of pictures in grey.
    Notebook: course/05_per_tag_evaluation.ipynb
    """
    samples = np.asarray(samples, dtype=np.float32)
    if filling not in ("silence", "noise"):
        raise ValueError(f"filling {filling!r} is unknown; needed is silence or noise")
    if samples.ndim != 1 or not 1 <= n_pieces <= len(samples) >= model.n_samples:
        raise ValueError(
            f"samples have shape {samples.shape} for {n_pieces} pieces; needed is a "
            f"clip (n_samples,) of at least {model.n_samples} samples at "
            f"{model.sample_rate} Hz; take store.prepare(...).read(clip_id)"
        )
    fill = _noise_like(samples) if filling == "noise" else np.zeros_like(samples)
    edges = np.linspace(0, len(samples), n_pieces + 1).astype(int)
    n = model.n_samples
    starts = batches.starts(len(samples), n)
    logits = []
    nothing_hidden = (0, 0)
    for first, last in [nothing_hidden, *zip(edges[:-1], edges[1:], strict=True)]:
        covered = samples.copy()
        covered[first:last] = fill[first:last]
        windows = torch.from_numpy(np.stack([covered[s : s + n] for s in starts]))
        logits.append(_run(model, model, windows).mean(axis=0))
    return logits[0] - np.stack(logits[1:])


def _noise_like(samples):
    """Make noise with the magnitudes of a clip's spectrum and random phases."""
    magnitudes = np.abs(np.fft.rfft(samples))
    turns = np.random.default_rng(0).random(len(magnitudes))
    noise = np.fft.irfft(magnitudes * np.exp(2j * np.pi * turns), len(samples))
    return noise.astype(np.float32)


def _merged(logits, tags, merge) -> pd.Series:
    """Give a file's scores, highest first, of the logits of its windows."""
    _check_tags(logits, tags)
    scores = merge_windows(logits[None], merge)[0]
    return pd.Series(scores, index=list(tags)).sort_values(ascending=False)


def _timed(model, logits, starts, tags) -> pd.DataFrame:
    """Give the scores of each window, by the second of its middle."""
    _check_tags(logits, tags)
    middles = (starts + model.n_samples / 2) / model.sample_rate
    return pd.DataFrame(
        _sigmoid(logits), index=pd.Index(middles, name="seconds"), columns=list(tags)
    )


def _check_tags(logits, tags):
    if logits.shape[1] != len(tags):
        raise ValueError(
            f"the model has {logits.shape[1]} outputs, you gave {len(tags)} tags; use "
            "the list that it was trained on, checkpoints.read_checkpoint(path)['tags']"
        )


def _file_windows(model, compute, path, overlap):
    """Compute what `_run` does for each window of a file, and where each begins.

    Shape: (n_windows, n), (n_windows,).
    """
    samples = path
    if not isinstance(path, np.ndarray):
        samples = audio.load(path, model.sample_rate)
    n = model.n_samples
    starts = batches.starts(len(samples), n, overlap)
    outputs = []
    for part in np.array_split(starts, -(-len(starts) // FILE_WINDOWS)):
        # A sound shorter than a window is repeated, as in a store.
        windows = np.stack([np.resize(samples[s : s + n], n) for s in part])
        # As in a store: in bands without sound a logarithm hears the rounding.
        windows = store.rounded(windows) / np.float32(store.FULL_SCALE)
        outputs.append(_run(model, compute, torch.from_numpy(windows)))
    return np.concatenate(outputs), starts


def _clip_windows(model, compute, examples, overlap=0.0):
    """Compute what `_run` does for each window of each clip; count a clip's own.

    Shape: (n_clips, n_windows, n), (n_clips,).
    """
    n, rate = model.n_samples, model.sample_rate
    crops = batches.GridCrops(examples, n, rate, overlap=overlap, clips_per_batch=CLIPS)
    device = next(model.parameters()).device

    def finished(cuts):  # few at a time: they stay in the cache
        return compute(crops.finish(cuts))

    steps = feed.to_device(crops.cuts(), device)
    outputs = [_run(model, finished, cuts) for (cuts,) in steps]
    outputs = np.concatenate(outputs).reshape(len(examples), crops.n_windows, -1)
    return outputs, crops.n_own


def _for_each(n_own, windows, merge):
    """Merge the first n_own windows of each clip: all clips with as many at once.

    Shape: (n_clips,), (n_clips, n_windows, n) -> (n_clips, n).
    """
    counts = np.unique(n_own)
    parts = [merge(windows[n_own == n, :n]) for n in counts]
    merged = np.empty((len(windows), windows.shape[2]), parts[0].dtype)
    for n, part in zip(counts, parts, strict=True):
        merged[n_own == n] = part
    return merged


def _run(model: Tagger, compute, samples: torch.Tensor) -> np.ndarray:
    """Compute the model itself, or its `embed`, in evaluation mode, without gradients.

    Shape: (batch, n_samples) -> (batch, n_tags) or (batch, n_dims).
    """
    training = model.training
    device = next(model.parameters()).device
    n_windows = len(samples)
    if device.type == "cpu":
        devices.keep_freed_memory()
        n_windows = getattr(model, "n_at_once", 64)  # of any nn.Module
    try:
        with torch.inference_mode():
            model.eval()
            parts = [compute(part.to(device)) for part in samples.split(n_windows)]
            return torch.cat(parts).float().cpu().numpy()
    finally:
        model.train(training)


def _sigmoid(logits: np.ndarray) -> np.ndarray:
    return torch.from_numpy(np.asarray(logits)).sigmoid().numpy()
