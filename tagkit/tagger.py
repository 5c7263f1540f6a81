"""What all models share: samples in, logits out, and a check of what comes in."""

import torch
from torch import nn


class Tagger(nn.Module):
    """A network from samples to logits; every model is one.

    Attributes:
        n_samples, sample_rate: the window it wants, and its rate in Hz.
        arguments: what it was built with, so that a checkpoint can build it again.
        output: the last layer, nn.Linear to n_tags.

    Shape: (batch, n_samples) float32 in [-1, 1] -> (batch, n_tags), any real number.
    Raises: ValueError, at the call, for windows of another length.

    Notebook: course/02_raw_waveform_cnns.ipynb
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


def scaled(n_channels: int, width: float) -> int:
    """Scale a paper's number of channels: 1.0 keeps it, 0.25 is for laptops.

    >>> scaled(67, 0.25)
    17
    """
    return max(1, round(n_channels * width))
