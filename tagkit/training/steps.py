"""What a training step needs beside its formula: memory enough, a finite loss.

Notebook: course/07_scaling_up.ipynb
"""

import math

import torch
from torch import nn

from tagkit.data.feed import Feed
from tagkit.machine import devices, processes

LATE = 32  # steps after which a GPU is asked for its losses; to ask is to wait for it


class Gradients:
    """Forward and backward: set the gradients of a batch's loss, and give the loss.

    Where the memory is too small for a batch, this and all later ones as large are
    computed in two halves, whose gradients add up to the same; batch norm then sees
    half batches, and a single window twice.

    Args:
        config: a train.Config; log: is told of it.

    Raises: MemoryError if half a batch is too large as well. Several processes do not
    halve, since all would have to.

    Notebook: course/07_scaling_up.ipynb
    """

    def __init__(self, model: nn.Module, config, device: torch.device, log):
        network = processes.wrap(model)
        self.network = torch.compile(network) if config.compile else network
        self.casting = devices.casting(config.precision, device)
        self.loss_of = nn.BCEWithLogitsLoss()
        self.model, self.device, self.log = model, device, log
        self.most = math.inf  # windows at a time

    def __call__(self, batch: processes.Batch) -> torch.Tensor:
        while True:
            try:
                return self._in_parts(batch)
            except (RuntimeError, MemoryError) as error:
                self._give_up_or_halve(error, len(batch.samples))
            # Only behind the except is the memory of the failed try free again.
            self.model.zero_grad()
            devices.forget(self.device)

    def _in_parts(self, batch):
        whole, n = 0.0, len(batch.labels)
        parts = (tensor.chunk(2 if n > self.most else 1) for tensor in batch[:2])
        for samples, labels in zip(*parts, strict=True):
            share = len(labels) / n
            if len(labels) == 1 < n:  # alone, it has no spread for batch norm
                samples, labels = samples.repeat(2, 1), labels.repeat(2, 1)
            with self.casting:
                logits = self.network(samples)  # (batch, n_tags)
            loss = self.loss_of(logits.float(), labels) * share
            (loss * batch.weight).backward()
            whole = whole + loss.detach()
        return whole

    def _give_up_or_halve(self, error, n):
        if not devices.is_out_of_memory(error):
            raise error
        halved = self.most < math.inf
        if halved or n < 3 or processes.place()[1] > 1:
            raise MemoryError(
                f"the memory of {self.device} is too small for {n} windows"
                f"{', even half at a time' if halved else ''}; take a "
                "smaller batch_size, another width of the model, or more processes"
            ) from error
        self.most = -(-n // 2)
        self.log(
            f"the memory of {self.device} is too small for a batch of {n}; from now on "
            "two halves, one after the other: the same gradients, somewhat slower"
        )


class Losses:
    """The losses of an epoch's batches; those of a GPU are looked at now and then.

    Raises: FloatingPointError, by `add` or `mean`, if one is not finite.

    Notebook: course/07_scaling_up.ipynb
    """

    def __init__(self, epoch: int, feed: Feed, config):
        self.epoch, self.feed, self.config = epoch, feed, config
        self.late = 1 if feed.device.type == "cpu" else LATE
        self.new, self.known, self.sizes = [], [], []

    def add(self, loss: torch.Tensor, n: int):
        """Take the mean loss of n windows."""
        self.new.append(loss)
        self.sizes.append(n)
        if len(self.new) == self.late:
            self._look()

    def mean(self) -> float:
        """Give the mean over the windows of the epoch, of all processes."""
        self._look()
        sums = (loss * n for loss, n in zip(self.known, self.sizes, strict=True))
        n_windows = processes.total(sum(self.sizes))
        if not n_windows:
            raise ValueError("there were no clips to train on")
        return processes.total(sum(sums)) / n_windows

    def _look(self):
        for loss in torch.stack(self.new).tolist() if self.new else []:
            number = len(self.known)
            if not math.isfinite(loss):
                clips = self.feed.clips(self.epoch, number)
                raise FloatingPointError(
                    f"the loss is {loss} at epoch {self.epoch}, batch {number}"
                    f"{', clips ' if clips else ''}{', '.join(map(str, clips))}; "
                    f"try a learning rate below {self.config.learning_rate}"
                )
            self.known.append(loss)
        self.new = []
