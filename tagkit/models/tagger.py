"""What models share: samples in, logits out, a check of what comes in, a layer."""

import torch
from torch import nn
from torch.nn import functional


class Tagger(nn.Module):
    """A network from samples to logits; every model is one.

    Attributes:
        n_samples, sample_rate: the window it wants, and its rate in Hz.
        arguments: what it was built with, so that a checkpoint can build it again.
        output: the last layer, nn.Linear to n_tags.

    Shape: (batch, n_samples) float32 in [-1, 1] -> (batch, n_tags), any real number.
    Raises: ValueError, at the call, for windows of another length.
    """

    def __init__(self, n_samples: int, sample_rate: int, arguments: dict):
        super().__init__()
        self.n_samples, self.sample_rate = n_samples, sample_rate
        self.arguments = arguments

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
    """A 2-D convolution that gives a GPU eight channels where there is one.

    Seven of them are zeros: what comes out is the same, but a GPU multiplies channels
    eight at a time, and takes a slower way for one.

    Shape: (batch, in_channels, height, width) -> (batch, out_channels, ...).

    >>> Conv2d(1, 4, 3, padding=1)(torch.zeros(2, 1, 96, 1366)).shape
    torch.Size([2, 4, 96, 1366])
    """

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if x.is_cuda and self.in_channels == 1:
            return self.of_eight(x)
        return super().forward(x)

    def of_eight(self, x: torch.Tensor) -> torch.Tensor:
        """Compute with seven channels of zeros. Shape: as forward, in_channels 1."""
        x, weight = (
            functional.pad(tensor, (0, 0, 0, 0, 0, 7)).contiguous(
                memory_format=torch.channels_last
            )
            for tensor in (x, self.weight)
        )
        return functional.conv2d(x, weight, self.bias, self.stride, self.padding)


def scaled(n_channels: int, width: float) -> int:
    """Scale a paper's number of channels: 1.0 keeps it, 0.25 is for laptops.

    >>> scaled(67, 0.25)
    17
    """
    return max(1, round(n_channels * width))
