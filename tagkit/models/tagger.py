"""What all models share: samples in, logits out, and a check of the input's shape."""

import torch
from torch import nn
from torch.nn import functional


class Tagger(nn.Module):
    """A network from samples to logits, the base of every model.

    A model defines `embed`, from samples to the vector that its last layer reads, and
    that layer, `output`; or a `forward` of its own.

    Attributes:
        n_samples: length of its window.
        sample_rate: in Hz.
        arguments: those it was built with, so that a checkpoint can build it again.
        output: the last layer, nn.Linear to n_tags.
        n_at_once: the windows that a CPU scores at a time, for its memory and caches.

    Shape: (batch, n_samples) float32 in [-1, 1] -> (batch, n_tags), any real number.
    Raises: ValueError, when called, for windows of another length.

    >>> from tagkit import models
    >>> model = models.DielemanRaw(n_tags=50)
    >>> model(torch.zeros(2, model.n_samples)).shape
    torch.Size([2, 50])
    """

    def __init__(self, n_samples: int, sample_rate: int, arguments: dict):
        super().__init__()
        self.n_samples = n_samples
        self.sample_rate = sample_rate
        self.arguments = arguments
        self.n_at_once = 64 if n_samples < 10 * sample_rate else 8

    @property
    def n_dims(self) -> int:
        """Count the numbers in a vector of `embed`."""
        return self.output.in_features

    def embed(self, samples: torch.Tensor) -> torch.Tensor:
        """Give what the last layer reads, as a description of the sound.

        Shape: (batch, n_samples) -> (batch, n_dims).
        Raises: ValueError for windows of another length; NotImplementedError from a
        model of your own that has only a `forward`.
        """
        raise NotImplementedError(
            f"{type(self).__name__} has no embed(samples); define it to give what the "
            "last layer, self.output, reads, and leave forward to models.Tagger"
        )

    def forward(self, samples: torch.Tensor) -> torch.Tensor:
        return self.output(self.embed(samples))  # (batch, n_tags)

    def check(self, samples: torch.Tensor):
        """Refuse a batch that is not (batch, n_samples)."""
        if samples.ndim != 2 or samples.shape[1] != self.n_samples:
            seconds = self.n_samples / self.sample_rate
            raise ValueError(
                f"the batch has shape {tuple(samples.shape)}; {type(self).__name__} "
                f"needs (batch, {self.n_samples}), {seconds:.2f} s at "
                f"{self.sample_rate} Hz; batches.RandomCrops cuts such windows"
            )


class Conv2d(nn.Conv2d):
    """A 2-D convolution that pads a single input channel to eight on a GPU.

    The seven others are zeros and change nothing. GPUs multiply channels eight at a
    time and take a slower path for one.

    Shape: (batch, in_channels, height, width) -> (batch, out_channels, ...).
    """

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if x.is_cuda and self.in_channels == 1:
            return self.forward_eight(x)
        return super().forward(x)

    def forward_eight(self, x: torch.Tensor) -> torch.Tensor:
        """Compute with seven channels of zeros. Shape: as forward, in_channels 1."""
        seven = (0, 0, 0, 0, 0, 7)
        weight = functional.pad(self.weight, seven)
        weight = weight.contiguous(memory_format=torch.channels_last)
        x = functional.pad(x, seven).contiguous(memory_format=torch.channels_last)
        return functional.conv2d(x, weight, self.bias, self.stride, self.padding)


def scaled(n_channels: int, width: float) -> int:
    """Scale a paper's number of channels by `width`, to at least 1."""
    return max(1, round(n_channels * width))
