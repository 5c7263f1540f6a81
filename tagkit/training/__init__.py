"""From a model and labelled clips to a trained tagger."""
