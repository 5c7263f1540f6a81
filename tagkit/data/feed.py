"""The way of batches to the device, and how long the training waited for them.

On a CPU a thread cuts, scales and resamples the next batches while the present one is
computed. To a GPU it copies them as int16, half the bytes, from memory that the GPU can
read itself (pinned); they are scaled and resampled there. Where all clips fit into the
GPU's memory they stay there, and nothing has to be copied any more.

Notebook: course/07_scaling_up.ipynb
"""

import queue
import threading
import time
from collections.abc import Callable, Iterable, Iterator

import torch

from tagkit.machine import devices, processes


class Feed:
    """The batches of a training, epoch by epoch.

    Args:
        crops: `batches.RandomCrops`, or others with its epoch.
        n_samples, n_tags: of the model.

    Attributes:
        is_resident: whether all clips are on the device.
        waiting: seconds that the training stood still for data in this epoch. While a
            GPU still computes the step before, nothing stands still.

    >>> from tagkit.data import batches, corpus, store
    >>> mini = corpus.open("mini")
    >>> valid = batches.examples(mini, store.prepare(mini), "valid")
    >>> feed = Feed(valid.crops(4000, 12_000, 8, 1, 0), torch.device("cpu"), 4000, 50)
    >>> [batch.n for batch in feed.epoch(1)]
    [8, 8, 8, 6]

    Notebook: course/07_scaling_up.ipynb
    """

    def __init__(self, crops, device: torch.device, n_samples: int, n_tags: int):
        self.crops, self.device, self.waiting = crops, device, 0.0
        self.shape = n_samples, n_tags
        self.is_resident = getattr(crops, "reside", lambda device: False)(device)

    def epoch(self, k: int) -> Iterator[processes.Batch]:
        """Yield the batches of epoch k, on the device."""
        self.waiting = 0.0
        if hasattr(self.crops, "cuts"):
            steps, finish = self.crops.cuts(k), self.crops.finish
        else:
            steps, finish = self.crops.epoch(k), _as_it_is
        if self.is_resident:  # cut there: nothing to wait for
            steps = ((finish(c), labels.to(self.device)) for c, labels in steps)
        else:
            steps = to_device(steps, finish, self.device)
        return processes.even(self._timed(steps), *self.shape, self.device)

    def clips(self, k: int, batch: int) -> list:
        """Name the clips of a batch of epoch k, where the crops know them."""
        return getattr(self.crops, "clips", lambda k, batch: [])(k, batch)

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


def to_device(
    steps: Iterable[tuple[torch.Tensor, ...]], finish: Callable, device: torch.device
) -> Iterator[tuple[torch.Tensor, ...]]:
    """Bring batches to a device while those before are used, and finish them there.

    Args:
        steps: cuts first, then what belongs to them, as `batches.Crops.cuts` gives.
        finish: makes samples of the cuts, on the device where they are.

    Shape: steps of (cuts, ...) -> (finish(cuts), ...).

    >>> steps = [(torch.zeros(2, 3), torch.ones(2))]
    >>> ((samples, labels),) = to_device(steps, torch.exp, torch.device("cpu"))
    >>> samples.shape
    torch.Size([2, 3])

    Notebook: course/07_scaling_up.ipynb
    """
    if device.type == "cpu":
        yield from ahead((finish(cuts), *rest) for cuts, *rest in steps)
        return
    if device.type == "cuda":
        stream = torch.cuda.Stream(device)
        steps = (_copy(step, device, stream) for step in steps)
    for cuts, *rest in ahead(steps):
        yield finish(cuts.to(device)), *(tensor.to(device) for tensor in rest)


def _copy(step, device, stream):
    """Copy a batch beside the kernels that run, from pinned memory."""
    with torch.cuda.stream(stream):
        step = [tensor.pin_memory().to(device, non_blocking=True) for tensor in step]
    stream.synchronize()  # the thread that reads ahead waits, the training does not
    for tensor in step:  # its memory is free again only after the training's use
        tensor.record_stream(torch.cuda.default_stream(device))
    return step


def _as_it_is(samples):
    return samples


def ahead(steps: Iterable, n: int = 2) -> Iterator:
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
            for batch in steps:
                put((batch, None))
                if stopped.is_set():
                    return
            put((end, None))
        except BaseException as error:
            put((end, error))

    thread = threading.Thread(target=work, daemon=True)
    try:
        thread.start()
        while True:
            batch, error = made.get()
            if error is not None:
                raise error
            if batch is end:
                return
            yield batch
    finally:
        stopped.set()
        if thread.ident:  # Python may not end while a thread is inside PyTorch
            thread.join(10)
