"""Batches: windows cut from the clip store, random to train on, a grid to score.

Notebook: course/02_raw_waveform_cnns.ipynb
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from numpy.lib.stride_tricks import sliding_window_view

from tagkit.data import store as stores
from tagkit.data.corpus import Corpus
from tagkit.machine import devices, processes


@dataclass(frozen=True)
class Examples:
    """Labelled clips of one part of a corpus; made by `examples`.

    Attributes:
        store: where their samples are.
        labels: frame (n_clips, n_tags) uint8, index clip_id.
        about: corpus, tag_list, version, part, n_clips: what to print beside a score.
        artists: series (n_clips,), for intervals; None where they are not known.
    """

    store: stores.ClipStore
    labels: pd.DataFrame
    about: dict
    artists: pd.Series | None = None

    def __len__(self):
        return len(self.labels)

    def __repr__(self):
        return "Examples(" + ", ".join(f"{k}={v}" for k, v in self.about.items()) + ")"

    def take(self, n: int | Iterable[int]) -> "Examples":
        """Keep the first n clips, 1 or more, or the clips with these ids."""
        if not isinstance(n, int | np.integer):
            labels = self.labels.loc[_known(n, self.labels, self)]
        elif n < 1:
            raise ValueError(f"n is {n}; needed is at least 1, or clip ids")
        else:
            labels = self.labels.iloc[:n]
        artists = None if self.artists is None else self.artists.loc[labels.index]
        return Examples(
            self.store, labels, self.about | {"n_clips": len(labels)}, artists
        )

    def crops(self, n_samples: int, sample_rate: int, **options) -> "RandomCrops":
        """Give random windows to train on; the options are those of `RandomCrops`.

        It is what `train.fit` asks of a training set: the part of this process.
        """
        rank, n_ranks = processes.place()
        options |= {"rank": rank, "n_ranks": n_ranks}
        return RandomCrops(self, n_samples, sample_rate, **options)


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
        part: "train", "valid" or "test" of the split, or clip ids of your own.
        tag_list, version: see `tags.choose` and `Corpus.split`.

    Raises: ValueError for an unknown part or clip, or if no clip is left.

    >>> from tagkit.data import corpus
    >>> mini = corpus.open("mini")
    >>> examples(mini, stores.prepare(mini), "test").labels.shape
    (90, 50)
    """
    labels = corpus.labels(tag_list)
    if isinstance(part, str):
        split = corpus.split(tag_list, version)
        ids = split.index[split == part]
        version = split.name
    else:
        ids = _known(part, labels, corpus.name)
        part = version = "own"
    n_clips = len(ids)
    ids = ids[ids.isin(store.rows.index)]
    if len(ids) == 0:
        lacks = f"{n_clips} clips, and none of them is in the store"
        if not n_clips:
            lacks = f"no clip, of {len(labels)}"
        raise ValueError(
            f"part {part!r} of {corpus.name} has {lacks}; needed is 'train', 'valid', "
            "'test' or clip ids, and a store of the same corpus"
        )
    tag_list = tag_list if isinstance(tag_list, str) else "own"
    about = {"corpus": corpus.name, "tag_list": tag_list, "version": version}
    about |= {"part": part, "n_clips": len(ids)}
    return Examples(store, labels.loc[ids], about, corpus.clips.loc[ids, "artist"])


def _known(ids, labels, owner) -> pd.Index:
    """Give clip ids as an index; raises ValueError if one has no labels."""
    ids = pd.Index(ids)
    unknown = ids[~ids.isin(labels.index)]
    if len(unknown):
        raise ValueError(f"clip {unknown[0]} is not in {owner}; needed are its ids")
    return ids


class RandomCrops:
    """Shuffled batches of random windows, the same for the same seed and epoch.

    Args:
        n_samples, sample_rate: the window, as the model wants it.
        batch_size: windows in a batch; the last may be smaller, or larger by one.
        crops_per_clip: windows of each clip in an epoch.
        together: all windows of a clip come one after another in one batch, one from
            each of crops_per_clip equal stretches, or evenly placed where they fill the
            clip. A batch has as many whole clips as its size allows, one at least.
        rank, n_ranks: which part of every batch, see `processes.place`; all of it.

    Shape: `epoch(k)` yields samples (batch, n_samples) float32 in [-1, 1] and labels
    (batch, n_tags) float32. Each clip's label is taken for each of its windows.
    """

    def __init__(
        self,
        examples: Examples,
        n_samples: int,
        sample_rate: int,
        *,
        batch_size: int = 16,
        crops_per_clip: int = 1,
        together: bool = False,
        seed: int = 0,
        rank: int = 0,
        n_ranks: int = 1,
    ):
        self.examples = examples
        self.batch_size = batch_size
        self.crops_per_clip = crops_per_clip
        self.together = together
        if together:
            n_clips_at_once = max(1, batch_size // crops_per_clip)
            self.batch_size = n_clips_at_once * crops_per_clip
        self.seed = seed
        self.rank = rank
        self.n_ranks = n_ranks
        self.window = Window(examples.store, n_samples, sample_rate)
        self.finish = finish
        self.rows = examples.store.rows.loc[examples.labels.index].to_numpy()
        self.last_starts = self.window.last_starts(examples.labels.index)
        labels = np.ascontiguousarray(examples.labels, np.float32)
        self.labels = torch.from_numpy(labels)
        self.n_windows = len(self.rows) * crops_per_clip

    def cuts(self, k: int) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        """Yield batches of epoch k as stored: (batch, n_samples) int16, and labels."""
        clips, starts = self._plan(k)
        plan = self.rows[clips], starts, clips
        if self.window.on_device is not None:  # all at once: a copy waits for the GPU
            plan = [torch.from_numpy(p).to(self.labels.device) for p in plan]
        for mine in self._parts():
            rows, starts, clips = (p[mine] for p in plan)
            yield self.window.cut(rows, starts), self.labels[clips]

    def epoch(self, k: int) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        """Yield the batches of epoch k: samples and labels."""
        return ((self.finish(cuts), labels) for cuts, labels in self.cuts(k))

    def clips(self, k: int, batch: int) -> list:
        """Name the clips of a batch, counted from 0, of epoch k."""
        order, _ = self._plan(k)
        for number, mine in enumerate(self._parts()):
            if number == batch:
                return self.examples.labels.index[order[mine]].tolist()
        return []

    def reside(self, device: torch.device) -> bool:
        """Keep all clips on a device from now on, if it has room; say whether."""
        n_bytes = len(self.rows) * self.window.n_row * 2
        if not devices.has_room(n_bytes, device):
            return False
        self.window.load(self.rows, device)
        self.rows = np.arange(len(self.rows))
        self.labels = self.labels.to(device)
        return True

    def _plan(self, k):
        """Draw the clips of an epoch in their order, and where their windows start."""
        random = np.random.default_rng([self.seed, k])
        if self.together:
            return self._plan_together(random)
        order = np.tile(np.arange(len(self.rows)), self.crops_per_clip)
        random.shuffle(order)
        return order, random.integers(self.last_starts[order] + 1)

    def _plan_together(self, random):
        """Draw an order of clips; each clip's windows go through it from its start."""
        n = self.crops_per_clip
        clips = random.permutation(len(self.rows))
        last = self.last_starts[clips, None]  # (n_clips, 1)
        n_samples = self.window.n_samples
        room = np.maximum(0, (last + n_samples) / n - n_samples)  # in its stretch
        hop = (last - room) / max(1, n - 1)
        starts = np.arange(n) * hop + random.random((len(clips), n)) * room
        return np.repeat(clips, n), starts.astype(int).ravel()

    def _parts(self):
        """Yield the places of each batch in the plan, of this process.

        A last window alone, without spread for batch norm, joins the batch before it.
        """
        size, n = self.batch_size, self.n_windows
        alone = n > size > 1 and n % size == 1
        for start in range(0, n - alone, size):
            end = start + size
            if alone and end + 1 == n:
                end = n
            if start + self.rank < min(end, n):
                yield slice(start + self.rank, end, self.n_ranks)


class GridCrops:
    """Windows that cover each clip evenly, clip after clip, for scoring.

    As few as cover the clip, evenly spaced from its start to its end, see `starts`. A
    clip that is shorter than the others needs fewer; they come again and again until
    there are as many. Scores are those that `tagkit tag` gives the files, to 0.001.

    Args:
        overlap: the least share of a window that the next one hears again.

    Attributes:
        n_windows: windows of each clip.
        n_own: those that come for the first time, (n_clips,); a score is their mean.

    Shape: iterating yields samples (n_clips_in_batch * n_windows, n_samples) float32.
    """

    def __init__(
        self,
        examples: Examples,
        n_samples: int,
        sample_rate: int,
        *,
        clips_per_batch: int = 8,
        overlap: float = 0.0,
    ):
        self.examples = examples
        self.clips_per_batch = clips_per_batch
        self.window = Window(examples.store, n_samples, sample_rate)
        self.finish = finish
        clip_ids = examples.labels.index
        self.rows = examples.store.rows.loc[clip_ids].to_numpy()
        self.lengths = examples.store.lengths.loc[clip_ids].to_numpy()
        self.n_windows = len(starts(self.window.n_row, n_samples, overlap))
        own = {n: starts(n, n_samples, overlap) for n in set(self.lengths)}
        self.starts = {n: np.resize(own[n], self.n_windows) for n in own}
        self.n_own = np.array([len(own[n]) for n in self.lengths])

    def cuts(self) -> Iterator[tuple[torch.Tensor]]:
        """Yield the windows, int16, in tuples of one."""
        for first in range(0, len(self.rows), self.clips_per_batch):
            part = slice(first, first + self.clips_per_batch)
            every = [self.starts[n] for n in self.lengths[part]]
            rows = np.repeat(self.rows[part], self.n_windows)
            yield (self.window.cut(rows, np.concatenate(every)),)

    def __iter__(self) -> Iterator[torch.Tensor]:
        return (self.finish(cuts) for (cuts,) in self.cuts())


class Window:
    """Cut windows of n_samples from a store.

    Shape: `cut(rows, starts)` (n,), (n,) -> (n, n_samples) int16.
    Raises: ValueError if the window is longer than a clip, or the store has another
    sampling rate; OSError if the store has been removed or cut short since.
    """

    def __init__(self, store, n_samples: int, sample_rate: int):
        self.store = store
        self.n_samples = n_samples
        self.on_device = None
        self.n_row = store.samples.shape[1]
        if sample_rate != store.sample_rate:
            raise ValueError(
                f"the store has {store.sample_rate} Hz, the model needs {sample_rate}; "
                f"take store.prepare(corpus, sample_rate={sample_rate})"
            )
        if self.n_row < n_samples:
            raise ValueError(
                f"a window of {n_samples} samples at {sample_rate} Hz is "
                f"{n_samples / sample_rate:.2f} s; the clips have "
                f"{self.n_row / store.sample_rate:.2f} s; choose a shorter window"
            )
        self.samples = np.asarray(store.samples)
        self.every_window = sliding_window_view(self.samples, n_samples, axis=1)

    def last_starts(self, clip_ids: pd.Index) -> np.ndarray:
        """Say where each clip's last window starts; 0 in one shorter than a window.

        Such a window holds the clip repeatedly, as the store does.
        """
        lengths = self.store.lengths.loc[clip_ids].to_numpy()
        return np.maximum(0, lengths - self.n_samples)

    def cut(self, rows: np.ndarray, starts: np.ndarray) -> torch.Tensor:
        """Cut one window per row and start, all at once."""
        if self.on_device is not None:
            return self.on_device.unfold(1, self.n_samples, 1)[rows, starts]
        self._check_file()
        return torch.from_numpy(self.every_window[rows, starts])

    def load(self, rows: np.ndarray, device: torch.device):
        """Copy these rows to a device; from then on row i is the i-th of them."""
        self._check_file()
        copy = torch.empty((len(rows), self.n_row), dtype=torch.int16, device=device)
        pin = device.type == "cuda"  # memory that a GPU reads by itself
        buffer = torch.empty((64, self.n_row), dtype=torch.int16, pin_memory=pin)
        for first in range(0, len(rows), 64):
            part = buffer[: len(rows) - first]
            np.take(self.samples, rows[first : first + 64], 0, part.numpy(), "clip")
            copy[first : first + 64].copy_(part)
        self.on_device = copy

    def _check_file(self):
        """A memory map that has lost its file ends the process without a word."""
        path = self.store.folder / "samples.int16"
        n_bytes = path.stat().st_size if path.exists() else 0
        if n_bytes < self.samples.nbytes:
            raise OSError(
                f"{path} has {n_bytes} bytes, {self.samples.nbytes} when it was opened"
                "; make it with `tagkit prepare`, then call the same training again"
            )


def starts(n_samples: int, n_window: int, overlap: float = 0.0) -> np.ndarray:
    """Place as few windows as cover a sound, evenly from its start to its end.

    Args:
        overlap: the least share of a window that the next one hears again, 0 to below
            1; 0.5 gives about twice as many windows as 0.

    Shape: (n_windows,), the first sample of each; one for a sound shorter than it.
    Raises: ValueError for another overlap.

    >>> starts(10, 4)
    array([0, 3, 6])
    """
    if not 0 <= overlap < 1:
        raise ValueError(f"overlap is {overlap}; needed is 0 to below 1, such as 0.5")
    last = max(0, n_samples - n_window)
    hop = max(1, round(n_window * (1 - overlap)))
    return np.linspace(0, last, 1 + -(-last // hop)).astype(int)


def finish(cuts: torch.Tensor) -> torch.Tensor:
    """Make samples of what a store holds, on the device where the cuts are.

    Shape: (batch, n_samples) int16 -> the same, float32 in [-1, 1].

    >>> finish(torch.tensor([[32767, 0, -32767]], dtype=torch.int16))
    tensor([[ 1.,  0., -1.]])
    """
    return cuts.float().div_(stores.FULL_SCALE)  # faster than one division
