"""From a model and labelled clips to a trained tagger."""

from tagkit.training.train import Config, History, fit

__all__ = ["Config", "History", "fit"]
