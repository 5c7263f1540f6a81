"""Pictures from arrays and frames: one function draws one picture on one ax.

picture   the common style, alt text, `panels`, `to_png`
labels    tag_counts, tags_per_clip, cooccurrence, pair_overlap, split_sizes, leak
sound     waveform, spectrogram, mel_scale, mel_filters, filters, response,
          centres
training  curves, heat_table, shape_walk
judging   pair_grid, threshold_curves, label_noise, occlusion
scores    scores_with_intervals, score_against_data, per_tag, per_tag_compare
clip      tag_scores, tag_timeline
similar   clip_map, occurrences
cost      timeline, costs

Every function takes `ax=None`: give the ax of a figure of your own, or let it make
one of notebook width. It returns the ax and never calls show. Axes carry their
units, colours can be told apart with any colour vision, and `alt_text(ax)` says
in one sentence what the picture shows, with numbers from the data.
"""

from tagkit.plots.clip import tag_scores, tag_timeline
from tagkit.plots.cost import costs, timeline
from tagkit.plots.judging import label_noise, occlusion, pair_grid, threshold_curves
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
    score_against_data,
    scores_with_intervals,
)
from tagkit.plots.similar import clip_map, occurrences
from tagkit.plots.sound import (
    centres,
    filters,
    mel_filters,
    mel_scale,
    response,
    spectrogram,
    waveform,
)
from tagkit.plots.training import curves, heat_table, shape_walk

__all__ = [
    "COLORS",
    "alt_text",
    "centres",
    "clip_map",
    "cooccurrence",
    "costs",
    "curves",
    "describe",
    "filters",
    "heat_table",
    "label_noise",
    "leak",
    "mel_filters",
    "mel_scale",
    "occlusion",
    "occurrences",
    "pair_grid",
    "pair_overlap",
    "panels",
    "per_tag",
    "per_tag_compare",
    "response",
    "score_against_data",
    "scores_with_intervals",
    "shape_walk",
    "spectrogram",
    "split_sizes",
    "tag_counts",
    "tag_scores",
    "tag_timeline",
    "tags_per_clip",
    "threshold_curves",
    "timeline",
    "to_png",
    "waveform",
]
