"""From a trained tagger to scores, and to what the scores are worth."""
