"""The way of batches to the device, and how long training waits for them.

On a CPU a batch is cut when it is asked for: a thread that reads ahead would take the
cores that compute. Reading ahead pays where batches come from elsewhere, and on a GPU,
to which a thread copies the next batches as int16, half the bytes, from memory that the
GPU can read itself (pinned). Where all clips fit into the GPU's memory they stay there.
"""

import time
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import torch

from tagkit.machine import devices, processes


class Batch(NamedTuple):
    """A batch on the device, or the part of one process.

    Attributes:
        samples, labels: (n, n_samples) and (n, n_tags) float32.
        n: number of windows that count; 0 for a stand-in.
        weight: of its mean loss, such that the mean over processes is the mean over
            all windows of the batch; 1 with one process.
    """

    samples: torch.Tensor
    labels: torch.Tensor
    n: int
    weight: float

    def micro_batches(self, n: int) -> Iterator[tuple]:
        """Yield samples, labels and fraction of the windows of n parts of the batch.

        A small batch has fewer parts: batch norm needs two windows.
        """
        n_windows = len(self.labels)
        n_parts = max(1, min(n, n_windows // 2))
        samples = self.samples.tensor_split(n_parts)
        labels = self.labels.tensor_split(n_parts)
        for some, their_labels in zip(samples, labels, strict=True):
            yield some, their_labels, len(some) / n_windows


class Feed:
    """The batches of a training run, epoch by epoch.

    Args:
        crops: `batches.RandomCrops`, or others with its `epoch`; its other methods are
            used where they are there. With a true `reads_ahead`, a thread makes the
            next batches: they come from far away.
        n_samples, n_tags: of the model.

    Attributes:
        is_resident: whether all clips are on the device.
        waiting: seconds of this epoch in which training stood still for data. While
            a GPU still computes the step before, nothing stands still.
    """

    def __init__(self, crops, device: torch.device, n_samples: int, n_tags: int):
        self.crops = crops
        self.device = device
        self.n_samples = n_samples
        self.n_tags = n_tags
        self.waiting = 0.0
        self.is_resident = getattr(crops, "reside", lambda device: False)(device)

    def epoch(self, k: int) -> Iterator[Batch]:
        """Yield the batches of epoch k, on the device."""
        self.waiting = 0.0
        steps = self._timed(self._steps(k))
        return even(steps, self.n_samples, self.n_tags, self.device)

    def clips(self, k: int, batch: int) -> list:
        """Name the clips of a batch of epoch k, where the crops know them."""
        return getattr(self.crops, "clips", lambda k, batch: [])(k, batch)

    def _steps(self, k):
        if self.is_resident:  # cut on the device
            return self.crops.epoch(k)
        if self.device.type != "cpu":
            cuts = getattr(self.crops, "cuts", self.crops.epoch)(k)
            finish = getattr(self.crops, "finish", _as_is)
            steps = to_device(cuts, self.device)
            return ((finish(cuts), labels) for cuts, labels in steps)
        if getattr(self.crops, "reads_ahead", False):
            return ahead(self.crops.epoch(k))
        return iter(self.crops.epoch(k))

    def _timed(self, steps):
        while True:
            step = devices.mark(self.device)
            asked = time.perf_counter()
            batch = next(steps, None)
            if devices.is_done(step):
                self.waiting += time.perf_counter() - asked
            if batch is None:
                return
            yield batch


def _as_is(samples):
    return samples


def even(
    steps: Iterable, n_samples: int, n_tags: int, device: torch.device | str = "cpu"
) -> Iterator[Batch]:
    """Weigh the parts of each batch by their sizes, and let no process step alone.

    A process without windows while others still have some gives its last ones again,
    with weight 0 (had it none, two of silence); without that the others would wait for
    it for ever. One that has a single window gives it twice, which has the same mean,
    so that batch norm has two.

    Shape: steps of samples (n, n_samples) and labels (n, n_tags) -> `Batch`.

    >>> steps = [(torch.zeros(3, 5), torch.zeros(3, 2))]
    >>> [(batch.n, batch.weight) for batch in even(steps, 5, 2)]
    [(3, 1.0)]
    """
    n_ranks = processes.place()[1]
    steps = iter(steps)
    silence = torch.zeros(2, n_samples, device=device)
    last = silence, torch.zeros(2, n_tags, device=device)
    while True:
        samples, labels = next(steps, (None, None))
        n = 0 if samples is None else len(samples)
        n_all = processes.total(n)
        if n_all == 0:
            return
        if n == 0:
            samples, labels = last
        if n == 1 < n_ranks:
            samples, labels = samples.repeat(2, 1), labels.repeat(2, 1)
        last = samples, labels
        yield Batch(samples, labels, n, n * n_ranks / n_all)


def to_device(
    steps: Iterable[tuple[torch.Tensor, ...]], device: torch.device
) -> Iterator[tuple[torch.Tensor, ...]]:
    """Bring batches to a device.

    To a GPU the next ones are copied while those before are used.

    Shape: any; such as `RandomCrops.cuts` gives.
    """
    if device.type == "cuda":
        stream = torch.cuda.Stream(device)
        steps = (_copy(step, device, stream) for step in steps)
    if device.type != "cpu":
        steps = ahead(steps)
    for step in steps:
        yield tuple(tensor.to(device) for tensor in step)


def _copy(step, device, stream):
    """Copy a batch beside the kernels that run, from pinned memory."""
    with torch.cuda.stream(stream):
        step = [tensor.pin_memory().to(device, non_blocking=True) for tensor in step]
    stream.synchronize()  # the thread that reads ahead waits, training does not
    for tensor in step:  # its memory is free again only after the training's use
        tensor.record_stream(torch.cuda.default_stream(device))
    return step


def ahead(steps: Iterable, n: int = 2) -> Iterator:
    """Make the next n batches in a thread while the present one is used.

    Raises: whatever making a batch raises, where the batch would have come.

    >>> list(ahead(range(3)))
    [0, 1, 2]
    """
    steps = iter(steps)
    end = object()
    pool = ThreadPoolExecutor(1)
    try:
        waiting = deque(pool.submit(next, steps, end) for _ in range(n))
        while (batch := waiting.popleft().result()) is not end:
            waiting.append(pool.submit(next, steps, end))
            yield batch
    finally:  # Python may not end while a thread is inside PyTorch
        pool.shutdown(cancel_futures=True)
