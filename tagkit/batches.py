"""Batches: windows cut from the clip store, random to train on, a grid to score.

A batch holds samples and labels only; what a model makes of the samples, mel bands
or not, is its own affair. The first file that knows torch.

Notebook: course/02_raw_waveform_cnns.ipynb
"""

import queue
import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import pandas as pd
import torch
import torchaudio

from tagkit import store as stores
from tagkit.corpus import Corpus


@dataclass(frozen=True)
class Examples:
    """Labelled clips of one part of a corpus; made by `examples`.

    Attributes:
        store: where their samples are.
        labels: frame (n_clips, n_tags) uint8, index clip_id.
        about: corpus, tag_list, version, part, n_clips: what to print beside a score.
    """

    store: stores.ClipStore
    labels: pd.DataFrame
    about: dict

    def __len__(self):
        return len(self.labels)

    def __repr__(self):
        return "Examples(" + ", ".join(f"{k}={v}" for k, v in self.about.items()) + ")"

    def take(self, n: int | Iterable[int]) -> "Examples":
        """Keep the first n clips, or the clips with these ids."""
        labels = self.labels.iloc[:n] if isinstance(n, int) else self.labels.loc[n]
        return Examples(self.store, labels, self.about | {"n_clips": len(labels)})


def examples(
    corpus: Corpus,
    store: stores.ClipStore,
    part: str | pd.Index = "train",
    tag_list: str | list[str] = "raw50",
    version: str = "full",
) -> Examples:
    """Pair the labels of a part of a corpus with their samples in a store.

    Clips that the store left out are left out.

    Args:
        part: "train", "valid" or "test" of the folder split, or clip ids of a split
            of your own.
        tag_list, version: see `tags.choose` and `Corpus.split`.

    Raises: ValueError for an unknown part or if no clip is left.

    >>> from tagkit import corpus
    >>> mini = corpus.open("mini")
    >>> examples(mini, stores.prepare(mini), "test").labels.shape
    (90, 50)

    Notebook: course/02_raw_waveform_cnns.ipynb
    """
    labels = corpus.labels(tag_list)
    if isinstance(part, str):
        split = corpus.split(tag_list, version)
        ids, name, version = split.index[split == part], part, split.name
    else:
        ids, name, version = pd.Index(part), "own", "own"
        unknown = ids[~ids.isin(labels.index)]
        if len(unknown):
            raise ValueError(
                f"clip {unknown[0]} is not in {corpus.name}; needed are clip ids of "
                "Corpus.clips"
            )
    ids = ids[ids.isin(store.rows.index)]
    if len(ids) == 0:
        raise ValueError(
            f"part {name!r} of {corpus.name} has no clip in the store; needed is "
            "'train', 'valid', 'test' or clip ids, and a store of the same corpus"
        )
    about = {
        "corpus": corpus.name,
        "tag_list": tag_list if isinstance(tag_list, str) else "own",
        "version": version,
        "part": name,
        "n_clips": len(ids),
    }
    return Examples(store, labels.loc[ids], about)


class RandomCrops:
    """Shuffled batches of random windows, the same for the same seed and epoch.

    Args:
        n_samples, sample_rate: the window, as the model wants it.
        batch_size: windows in a batch; the last batch of an epoch may be smaller.
        crops_per_clip: windows of each clip in an epoch.

    Shape: `epoch(k)` yields samples (batch, n_samples) float32 in [-1, 1] and labels
    (batch, n_tags) float32. Each clip's label is taken for each of its windows.

    >>> from tagkit import corpus
    >>> mini = corpus.open("mini")
    >>> valid = examples(mini, stores.prepare(mini), "valid")
    >>> samples, labels = next(RandomCrops(valid, 34_950, 12_000, 8).epoch(0))
    >>> samples.shape, labels.shape
    (torch.Size([8, 34950]), torch.Size([8, 50]))

    Notebook: course/02_raw_waveform_cnns.ipynb
    """

    def __init__(
        self, examples, n_samples, sample_rate, batch_size=16, crops_per_clip=1, seed=0
    ):
        self.examples, self.batch_size, self.seed = examples, batch_size, seed
        self.crops_per_clip = crops_per_clip
        self.window = Window(examples.store, n_samples, sample_rate)
        self.rows = examples.store.rows.loc[examples.labels.index].to_numpy()
        self.labels = torch.tensor(examples.labels.to_numpy(), dtype=torch.float32)
        self.n_windows = len(self.rows) * crops_per_clip

    def epoch(self, k: int) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        """Yield the batches of epoch k."""
        random = np.random.default_rng([self.seed, k])
        order = np.tile(np.arange(len(self.rows)), self.crops_per_clip)
        random.shuffle(order)
        starts = random.integers(self.window.last_start + 1, size=len(order))
        for at in range(0, len(order), self.batch_size):
            clips = order[at : at + self.batch_size]
            samples = self.window.cut(
                self.rows[clips], starts[at : at + self.batch_size]
            )
            yield samples, self.labels[clips]


class GridCrops:
    """Windows that cover each clip evenly, clip after clip, for scoring.

    As few windows as cover the whole clip, the first at its start, the last at its
    end, evenly spaced, so that they may overlap; a window as long as the clip gives
    one.

    Shape: iterating yields samples (n_clips_in_batch * n_windows, n_samples) float32.

    >>> from tagkit import corpus
    >>> mini = corpus.open("mini")
    >>> valid = examples(mini, stores.prepare(mini), "valid")
    >>> GridCrops(valid, 34_950, 12_000).n_windows
    10

    Notebook: course/02_raw_waveform_cnns.ipynb
    """

    def __init__(self, examples, n_samples, sample_rate, clips_per_batch=8):
        self.examples, self.clips_per_batch = examples, clips_per_batch
        self.window = Window(examples.store, n_samples, sample_rate)
        self.rows = examples.store.rows.loc[examples.labels.index].to_numpy()
        self.n_windows = -(-self.window.n_row // self.window.n_cut)

    def __iter__(self) -> Iterator[torch.Tensor]:
        starts = np.linspace(0, self.window.last_start, self.n_windows).astype(int)
        for at in range(0, len(self.rows), self.clips_per_batch):
            rows = self.rows[at : at + self.clips_per_batch]
            yield self.window.cut(
                np.repeat(rows, self.n_windows), np.tile(starts, len(rows))
            )


class Window:
    """Cut windows of n_samples at sample_rate from a store of any higher rate.

    Shape: `cut(rows, starts)` (n,), (n,) in samples of the store -> (n, n_samples).
    Raises: ValueError if the window is longer than a clip, or the rate too high.
    """

    def __init__(self, store, n_samples: int, sample_rate: int):
        self.store, self.n_samples, self.sample_rate = store, n_samples, sample_rate
        self.n_row = store.samples.shape[1]
        self.n_cut = -(-n_samples * store.sample_rate // sample_rate)
        self.last_start = self.n_row - self.n_cut
        if sample_rate > store.sample_rate:
            raise ValueError(
                f"the store has {store.sample_rate} Hz, the model needs {sample_rate}; "
                f"prepare one with store.prepare(corpus, sample_rate={sample_rate})"
            )
        if self.last_start < 0:
            raise ValueError(
                f"a window of {n_samples} samples at {sample_rate} Hz is "
                f"{n_samples / sample_rate:.2f} s; the clips have "
                f"{self.n_row / store.sample_rate:.2f} s; choose a shorter window"
            )

    def cut(self, rows: np.ndarray, starts: np.ndarray) -> torch.Tensor:
        """Cut one window per row and start, and bring it to the window's rate."""
        pairs = zip(rows, starts, strict=True)
        cuts = [self.store.samples[row, s : s + self.n_cut] for row, s in pairs]
        samples = torch.from_numpy(np.stack(cuts)).float() / stores.FULL_SCALE
        if self.sample_rate != self.store.sample_rate:
            samples = _resampler(self.store.sample_rate, self.sample_rate)(samples)
        return samples[:, : self.n_samples]


@lru_cache
def _resampler(from_rate: int, to_rate: int):
    return torchaudio.transforms.Resample(from_rate, to_rate)


def ahead(batches: Iterable, n: int = 2) -> Iterator:
    """Make the next n batches in a thread while the present one is used.

    Raises: whatever making a batch raises, where the batch would have come.

    >>> list(ahead(range(3)))
    [0, 1, 2]

    Notebook: course/07_scaling_up.ipynb
    """
    made, end, stopped = queue.Queue(n), object(), threading.Event()

    def put(item):
        while not stopped.is_set():
            try:
                return made.put(item, timeout=0.1)
            except queue.Full:
                continue

    def work():
        try:
            for batch in batches:
                put((batch, None))
                if stopped.is_set():
                    return
            put((end, None))
        except BaseException as error:
            put((end, error))

    threading.Thread(target=work, daemon=True).start()
    try:
        while True:
            batch, error = made.get()
            if error is not None:
                raise error
            if batch is end:
                return
            yield batch
    finally:
        stopped.set()
