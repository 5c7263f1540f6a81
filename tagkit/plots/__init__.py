"""Pictures from arrays and frames: one function draws one picture on one ax.

picture   the common style, alt text, `panels`, `to_png`
labels    tag_counts, tags_per_clip, cooccurrence, pair_overlap, split_sizes, leak
sound     waveform, spectrogram, mel_scale, mel_filters, filters
training  curves, heat_table
scores    scores_with_intervals, per_tag, per_tag_compare, tag_scores

Every function takes `ax=None`: give the ax of a figure of your own, or let it make
one of notebook width. It returns the ax and never calls show. Axes carry their
units, colours can be told apart with any colour vision, and `alt_text(ax)` says
in one sentence what the picture shows, with numbers from the data.
"""

from tagkit.plots.labels import (
    cooccurrence,
    leak,
    pair_overlap,
    split_sizes,
    tag_counts,
    tags_per_clip,
)
from tagkit.plots.picture import COLORS, alt_text, describe, panels, to_png
from tagkit.plots.scores import (
    per_tag,
    per_tag_compare,
    scores_with_intervals,
    tag_scores,
)
from tagkit.plots.sound import filters, mel_filters, mel_scale, spectrogram, waveform
from tagkit.plots.training import curves, heat_table

__all__ = [
    "COLORS",
    "alt_text",
    "cooccurrence",
    "curves",
    "describe",
    "filters",
    "heat_table",
    "leak",
    "mel_filters",
    "mel_scale",
    "pair_overlap",
    "panels",
    "per_tag",
    "per_tag_compare",
    "scores_with_intervals",
    "spectrogram",
    "split_sizes",
    "tag_counts",
    "tag_scores",
    "tags_per_clip",
    "to_png",
    "waveform",
]
