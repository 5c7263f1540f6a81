"""Pictures from arrays and frames: one function draws one picture on one ax.

Here are the pictures that are special or drawn in several places. What a few lines of
seaborn draw stands in the lessons: begin there with `panels`, end with `describe`.

picture   `panels`, alt text, `to_png`, colours
sound     waveform, spectrogram, mel_filters
training  curves, heat_table
scores    tag_timeline, taggram, scores_with_intervals, score_dots, threshold_curves,
          clip_map

Every function takes `ax=None`: give the ax of a figure of your own, or let it make
one of notebook width. It returns the ax and never calls show. For data that it cannot
draw it raises ValueError, with what came and what was needed. Axes carry their units,
colours can be told apart with any colour vision, and `alt_text(ax)` says in one
sentence what the picture shows, with numbers from the data.
"""

from tagkit.plots.picture import COLORS, alt_text, describe, panels, to_png
from tagkit.plots.scores import (
    clip_map,
    score_dots,
    scores_with_intervals,
    tag_timeline,
    taggram,
    threshold_curves,
)
from tagkit.plots.sound import (
    mel_filters,
    spectrogram,
    waveform,
)
from tagkit.plots.training import curves, heat_table

__all__ = [
    "COLORS",
    "alt_text",
    "clip_map",
    "curves",
    "describe",
    "heat_table",
    "mel_filters",
    "panels",
    "score_dots",
    "scores_with_intervals",
    "spectrogram",
    "tag_timeline",
    "taggram",
    "threshold_curves",
    "to_png",
    "waveform",
]
