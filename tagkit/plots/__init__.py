"""Pictures from arrays and frames: one function draws one picture on one ax.

picture   the common style, alt text, `panels`, `to_png`
labels    tag_counts, tags_per_clip, cooccurrence, pair_overlap, leak, label_noise
sound     waveform, spectrogram, occlusion, mel_scale, mel_filters, filters, response,
          centres
training  curves, heat_table, shape_walk, timeline, costs
scores    of a clip: tag_scores, tag_timeline; of models and tags:
          scores_with_intervals, score_against_data, per_tag, per_tag_compare;
          pair_grid, threshold_curves; clip_map, occurrences

Every function takes `ax=None`: give the ax of a figure of your own, or let it make
one of notebook width. It returns the ax and never calls show. Axes carry their
units, colours can be told apart with any colour vision, and `alt_text(ax)` says
in one sentence what the picture shows, with numbers from the data.
"""

from tagkit.plots.labels import (
    cooccurrence,
    label_noise,
    leak,
    pair_overlap,
    tag_counts,
    tags_per_clip,
)
from tagkit.plots.picture import COLORS, alt_text, describe, panels, to_png
from tagkit.plots.scores import (
    clip_map,
    occurrences,
    pair_grid,
    per_tag,
    per_tag_compare,
    score_against_data,
    scores_with_intervals,
    tag_scores,
    tag_timeline,
    threshold_curves,
)
from tagkit.plots.sound import (
    centres,
    filters,
    mel_filters,
    mel_scale,
    occlusion,
    response,
    spectrogram,
    waveform,
)
from tagkit.plots.training import costs, curves, heat_table, shape_walk, timeline

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
    "tag_counts",
    "tag_scores",
    "tag_timeline",
    "tags_per_clip",
    "threshold_curves",
    "timeline",
    "to_png",
    "waveform",
]
