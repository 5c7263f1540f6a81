"""Pictures: what is drawn comes from the data, is named, and is put into words."""

import copy
import io

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from IPython.core.interactiveshell import InteractiveShell
from matplotlib.text import Text
from PIL import Image

from tagkit import plots
from tagkit.plots import picture


@pytest.fixture(autouse=True)
def no_figure_left():
    """Every test begins without figures; pictures on a given ax leave none behind."""
    plt.close("all")
    yield
    plt.close("all")


def frame(rows, columns):
    return pd.DataFrame(rows, columns=columns, dtype=np.uint8)


LABELS = frame(
    [[1, 0, 0], [1, 1, 0], [1, 1, 0], [0, 0, 0], [1, 0, 1]], ["guitar", "flute", "a$b$"]
)
MATRIX = pd.DataFrame(
    [[1, 0.5, 0.25], [0.75, 1, 0], [np.nan] * 3], list("abc"), list("abc")
)
COUNTS = dict(either=10, both=1, only_a=6, only_b=3)
SPLIT = pd.DataFrame(
    dict(clips=[12, 1, 3], artists=[4, 1, 2]), ["train", "valid", "test"]
)
HISTORY = pd.DataFrame(
    dict(epoch=[1, 2, 3], loss=[0.4, 0.3, 0.2], valid_roc_auc=[0.6, 0.75, 0.7])
)
REPORT = pd.DataFrame(
    dict(
        positives=[4, 2, 0, 6],
        roc_auc=[0.625, 0.875, np.nan, 0.75],
        roc_low=[0.5, 0.8, np.nan, 0.7],
        roc_high=[0.7, 0.9, np.nan, 0.8],
        ap=[0.3, 0.5, np.nan, 0.4],
        ap_low=[0.2, 0.4, np.nan, 0.3],
        ap_high=[0.4, 0.6, np.nan, 0.5],
        ap_floor=[0.1, 0.05, np.nan, 0.075],
    ),
    ["guitar", "flute", "none", "macro"],
)
BETTER = REPORT.assign(roc_auc=REPORT["roc_auc"] + [0.125, -0.0625, 0, 0])
GROWTH = pd.DataFrame(
    {
        "model": ["raw"] * 4 + ["mel"],
        "n_train": [90, 90, 45, 45, 45],
        "score": [0.7, 0.8, 0.55, 0.65, 0.625],
    }
)
GRID = pd.DataFrame(
    [[0.7, 0.8], [0.6, np.nan]],
    pd.Index([64, 256], name="length"),
    pd.Index([64, 256], name="stride"),
)
TIMELINE = np.array([[0.1, 0.7, 0.2], [0.2, 0.6, 0.1], [0.3, 0.0, 0.9]])
SINE = np.sin(2 * np.pi * 440 * np.arange(32_000) / 16_000).astype(np.float32) / 2
WEIGHTS = np.stack(
    [np.sin(2 * np.pi * hz * np.arange(256) / 12_000) for hz in (3000, 750, 1500)]
)

WALK = pd.DataFrame(
    [
        ("Conv1d, MaxPool1d", "128 x 19683", 768, 0.1875),
        ("Conv1d", "512 x 1", 263_680, 2460.2),
        ("Linear", "50", 25_650, "all"),
    ],
    columns=["layer", "output", "parameters", "sees_ms"],
)

# name -> (arguments, words of the alt text, words on the axes)
PICTURES = {
    "tag_counts": (
        [LABELS],
        ["3 of 3 tags", "guitar, 4 clips", "a$b$, 1 clip"],
        "clips",
    ),
    "tags_per_clip": (
        [LABELS],
        ["5 clips", "1 (20.0 %) carry none", "median is 2", "on one clip is 2"],
        "tags on a clip",
    ),
    "cooccurrence": ([MATRIX], ["3 tags", "0.75", "b that also carry a"], "row tag"),
    "pair_overlap": (
        [COUNTS, ("guitar", "techno")],
        ["guitar or techno", "10 clips", "both on 1 (10.0 %)"],
        "(%)",
    ),
    "split_sizes": ([SPLIT], ["train 12 clips (4 artists)", "test 3 clips"], "clips"),
    "leak": (
        [
            {
                "folder": {"track": 0.0, "artist": 0.5},
                "random": {"track": 0.9, "artist": 1},
            }
        ],
        ["folder: 0.0 % share the track, 50.0 %", "random: 90.0 %"],
        "(%)",
    ),
    "waveform": ([SINE, 16_000], ["2.0 s", "0.50", "square 0.35"], "time (s)"),
    "spectrogram": (
        [np.eye(96)[:, :50] * 40 - 40, 12_000, 256],
        ["96 bands by 50 frames (1.1 s)", "-40.0 to 0.0 dB"],
        "frequency (Hz)",
    ),
    "mel_scale": ([6000], ["0 to 6,000 Hz", "ends at 1,466 Hz"], "pitch (mel)"),
    "mel_filters": (
        [np.array([[0, 1, 0], [0, 0, 0]]), np.array([0, 100, 200])],
        ["2 mel filters", "0 to 200 Hz", "1 of them are empty"],
        "frequency (Hz)",
    ),
    "filters": ([WEIGHTS, 12_000], ["3 filters", "750 to 3,000", "1,500 Hz"], "(Hz)"),
    "response": ([WEIGHTS[1], 12_000], ["0 to 6,000 Hz", "most to 750 Hz"], "(Hz)"),
    "shape_walk": (
        [WALK, "A walk"],
        ["3 units with 290,098 parameters", "sees 0.19 ms", "(91 %) are in unit 2"],
        "log scale",
    ),
    "curves": ([{"raw": HISTORY}], ["raw is best at epoch 2 (0.750)"], "ROC-AUC"),
    "scores_with_intervals": (
        [{"raw": (0.7, 0.65, 0.75), "mel": (0.8, 0.8, 0.8)}, "ROC-AUC", 0.5],
        ["raw 0.700 (0.650 to 0.750)", "mel 0.800", "chance is 0.5"],
        "ROC-AUC",
    ),
    "per_tag": (
        [REPORT],
        ["2 tags", "best flute (0.875)", "worst guitar (0.625)", "left out: 1"],
        "positive clips",
    ),
    "per_tag_compare": (
        [REPORT, BETTER, ("raw", "mel")],
        ["mel is ahead on 1", "guitar (+0.125)", "flute (-0.062)"],
        "ROC-AUC",
    ),
    "score_against_data": (
        [GROWTH, "ROC-AUC", 0.5],
        ["45 to 90: raw from 0.600 to 0.750 and mel from 0.625 to 0.625", "is 0.5"],
        "ROC-AUC",
    ),
    "heat_table": ([GRID], ["2 rows", "0.800 at length 64, stride 256"], "stride"),
    "tag_scores": (
        [[0.1, 0.9, 0.5], ["flute", "guitar", "harp"], [1, 0, 0], 2],
        ["guitar 0.90", "harp 0.50", "the crowd named flute"],
        "score (0 to 1)",
    ),
    "tag_timeline": (
        [TIMELINE, [1.5, 4.5, 7.5], ["flute", "guitar", "a$b$"], ["guitar"], 2],
        ["2 of 3 tags in 3 windows", "a$b$ is highest at 7.5 s (0.90)", "named guitar"],
        "(s)",
    ),
}


def drawn(name, **more):
    return getattr(plots, name)(*copy.deepcopy(PICTURES[name][0]), **more)


@pytest.mark.parametrize("name", PICTURES)
def test_says_in_words_what_it_shows(name):
    ax = drawn(name)
    sentence = plots.alt_text(ax)
    for words in PICTURES[name][1]:
        assert words in sentence
    assert sentence.endswith(".") and "nan" not in sentence and len(sentence) < 400
    assert PICTURES[name][2] in f"{ax.get_xlabel()} {ax.get_ylabel()}"
    assert plots.alt_text(ax.figure) == sentence
    ax.figure.canvas.draw()


def test_what_is_drawn_by_hand_has_the_colours_of_all():
    _, axes = plots.panels(2)
    lines = [axes[1, 0].plot([0, 1])[0] for _ in range(2)]
    assert [line.get_color() for line in lines] == [*plots.COLORS[:2]]
    assert not axes[0, 0].spines["top"].get_visible()


@pytest.mark.parametrize("name", PICTURES)
def test_draws_on_a_given_ax_and_leaves_the_input_alone(name):
    figure, ax = plots.panels()
    arguments = copy.deepcopy(PICTURES[name][0])
    assert getattr(plots, name)(*arguments, ax=ax) is ax
    assert plt.get_fignums() == [figure.number]
    for before, after in zip(PICTURES[name][0], arguments, strict=True):
        if isinstance(before, pd.DataFrame):
            pd.testing.assert_frame_equal(before, after)
        elif isinstance(before, np.ndarray):
            np.testing.assert_array_equal(before, after)
    assert plots.to_png(ax)[:4] == b"\x89PNG"
    assert plt.get_fignums() == []


@pytest.mark.parametrize("name", PICTURES)
def test_text_is_large_enough_and_no_label_leaves_the_picture(name):
    figure = drawn(name).figure
    figure.canvas.draw()
    box, (width, height) = figure.get_tightbbox(), figure.get_size_inches()
    assert box.x0 > -0.02 and box.y0 > -0.02
    assert box.x1 < width + 0.02 and box.y1 < height + 0.02
    for text in figure.findobj(Text):
        assert not text.get_text() or text.get_fontsize() >= 9


def heights(ax):
    return [bar.get_height() for bar in ax.patches]


def widths(ax):
    return [bar.get_width() for bar in ax.patches]


def ticks(axis):
    return [label.get_text() for label in axis.get_ticklabels()]


@pytest.mark.parametrize("colour", [*picture.COLORS, picture.GREY])
def test_colours_stand_out_from_white(colour):
    """WCAG 2: at least 3 to 1 for lines and bars, 4.5 to 1 for text (grey)."""
    rgb = np.array(matplotlib.colors.to_rgb(colour))
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    contrast = 1.05 / (linear @ [0.2126, 0.7152, 0.0722] + 0.05)
    assert contrast >= (4.5 if colour == picture.GREY else 3)


def test_bars_are_the_counts():
    ax = plots.tag_counts(LABELS, n=2)
    assert heights(ax) == [4, 2] and ticks(ax.xaxis) == ["guitar", "flute"]
    assert heights(plots.tags_per_clip(LABELS)) == [1, 1, 3]
    assert widths(plots.split_sizes(SPLIT)) == [12, 1, 3]
    assert widths(plots.pair_overlap(COUNTS)) == [60, 10, 30]
    assert widths(plots.leak({"folder": 0.25})) == [25]


def test_pairs_are_sorted_by_their_overlap():
    more = dict(either=4, both=3, only_a=1, only_b=0)
    ax = plots.pair_overlap({("a", "b"): more, ("guitar", "techno"): COUNTS})
    assert ticks(ax.yaxis) == ["guitar / techno\n10 clips", "a / b\n4 clips"]


def test_dollar_signs_are_no_formula():
    ax = plots.tag_counts(LABELS)
    ax.figure.canvas.draw()
    assert ticks(ax.xaxis)[2] == r"a\$b\$"


def test_cooccurrence_hides_the_diagonal_and_writes_small_tables():
    ax = plots.cooccurrence(MATRIX)
    values = ax.images[0].get_array().filled(np.nan)
    assert np.isnan(np.diag(values)).all() and values[1, 0] == 0.75
    assert len(ax.texts) == 9
    tags = [f"t{i}" for i in range(13)]
    assert not plots.cooccurrence(pd.DataFrame(np.eye(13), tags, tags)).texts


def test_waveform_units_follow_the_length():
    assert plots.waveform(SINE, 16_000).get_xlim() == (0, 2)
    ax = plots.waveform(SINE[:160], 16_000)
    assert ax.get_xlabel() == "time (ms)" and ax.get_xlim() == (0, 10)
    assert len(ax.lines[0].get_xdata()) == 160
    assert "Waveform of 0.1 ms" in plots.alt_text(plots.waveform(SINE[:1], 16_000))
    plots.waveform(np.zeros(10), 16_000)  # silence has no peak


def test_spectrogram_puts_hz_where_the_bands_are():
    ax = plots.spectrogram(np.zeros((96, 10)), 16_000, 256)
    mels = np.linspace(0, 2595 * np.log10(1 + 8000 / 700), 98)[1:-1]
    place = dict(zip(ticks(ax.yaxis), ax.get_yticks(), strict=True))["1,000"]
    assert np.interp(place, range(96), mels) == pytest.approx(1000, rel=1e-3)
    ax = plots.spectrogram(np.zeros((257, 10)), 16_000, 256, np.linspace(0, 8000, 257))
    assert dict(zip(ticks(ax.yaxis), ax.get_yticks(), strict=True))["4,000"] == 128
    assert plots.spectrogram(np.zeros((1, 1)), 16_000, 256).images


def test_spectrogram_shows_80_db_and_survives_minus_infinity():
    ax = plots.spectrogram(np.array([[-300.0, 0.0], [-np.inf, -10]]), 16_000, 256)
    assert ax.images[0].get_clim() == (-80, 0)
    assert "-300.0 to 0.0 dB, drawn from -80.0 up." in plots.alt_text(ax)


def test_filters_are_sorted_by_their_frequency():
    ax = plots.filters(np.vstack([WEIGHTS, np.zeros(256)])[:, None], 12_000)
    shown = ax.images[0].get_array()  # (n_bins, n_filters)
    peaks = np.linspace(0, 6000, len(shown))[shown[:, :3].argmax(axis=0)]
    assert np.allclose(peaks, [750, 1500, 3000], atol=12)
    assert "1 are zero" in plots.alt_text(ax)


def test_curves_draw_a_validation_loss_where_there_is_one():
    history = HISTORY.assign(valid_loss=[0.5, 0.45, 0.5])
    ax = plots.curves({"raw": history}, "loss")
    assert len(ax.lines) == 2 and "lowest at epoch 3 (0.200)" in plots.alt_text(ax)
    names = [text.get_text() for text in ax.get_legend().get_texts()]
    assert names == ["raw, training", "raw, validation"]
    ax = plots.curves({"a": HISTORY, "b": HISTORY.head(1)})
    assert [len(line.get_xdata()) for line in ax.lines] == [3, 1]
    assert ax.lines[0].get_color() != ax.lines[1].get_color()
    assert ax.lines[0].get_marker() != ax.lines[1].get_marker()


def test_recorded_runs_are_grey_and_told():
    past = [HISTORY.assign(epoch=HISTORY["epoch"] + 9), HISTORY.head(1)]
    ax = plots.curves({"your run": HISTORY}, recorded=past)
    assert [line.get_linestyle() for line in ax.lines] == ["-.", "-.", "-"]
    assert ax.lines[0].get_color() != ax.lines[2].get_color()
    names = [text.get_text() for text in ax.get_legend().get_texts()]
    assert names == ["recorded, 2 runs", "your run"]
    assert "2 recorded runs end at" in plots.alt_text(ax)
    assert ax.get_xticks()[-1] == past[0]["epoch"].max()
    rates = HISTORY.assign(learning_rate=[0.01, 0.01, 0.002])
    ax = plots.curves({"a": rates}, "learning_rate")
    assert ax.get_yscale() == "log"
    assert "a goes from 0.01 to 0.002" in plots.alt_text(ax)


def test_a_floor_is_drawn_named_and_told():
    ax = plots.curves({"your run": HISTORY}, floor=0.25)
    assert "the floor is at 0.250." in plots.alt_text(ax)
    assert [*ax.lines[1].get_ydata()] == [0.25, 0.25]
    assert ax.get_legend().get_texts()[1].get_text() == "floor"


def test_shape_walk_draws_fields_as_bars_and_says_all():
    ax = plots.shape_walk(WALK)
    assert widths(ax)[:2] == [0.1875, 2460.2] and widths(ax)[2] > 2460.2
    assert [bool(bar.get_hatch()) for bar in ax.patches] == [False, False, True]
    words = [text.get_text().strip() for text in ax.texts]
    assert words == ["0.19 ms", "2.46 s", "all"]
    assert ticks(ax.yaxis)[1] == "Conv1d   512 x 1"
    (right,) = ax.child_axes
    assert ticks(right.yaxis) == ["768 (0 %)", "263,680 (91 %)", "25,650 (9 %)"]
    bold = [label.get_fontweight() for label in right.get_yticklabels()]
    assert [weight == "bold" for weight in bold] == [False, True, False]


def test_centres_are_where_filters_answer_most():
    found = plots.centres(WEIGHTS[:, None], 12_000)
    assert np.allclose(found, [3000, 750, 1500], atol=12)


def test_per_tag_sorts_and_leaves_undefined_tags_out():
    ax = plots.per_tag(REPORT)
    assert ticks(ax.yaxis) == ["flute (2)", "guitar (4)"]
    assert "1 undefined" in ax.get_title("left")
    first = ax.lines[0].get_xdata(), ax.lines[1].get_xdata()
    assert list(first[0]) == [0.8, 0.9] and list(first[1]) == [0.875]
    floors = plots.per_tag(REPORT, "ap").lines[4].get_xdata()
    assert list(floors) == [0.05, 0.1]
    plots.per_tag(REPORT.drop(columns=["roc_low", "roc_high"]))  # without intervals


def test_tag_scores_add_true_tags_from_below():
    ax = drawn("tag_scores")
    assert ticks(ax.yaxis) == ["guitar", "harp", "flute (rank 3)"]
    assert [bool(bar.get_hatch()) for bar in ax.patches] == [False, False, True]
    same = plots.tag_scores([0.1, 0.9, 0.5], ["flute", "guitar", "harp"], ["flute"], 2)
    assert plots.alt_text(same) == plots.alt_text(ax)
    assert "crowd" not in plots.alt_text(plots.tag_scores([0.5], ["harp"]))
    assert "no tag" in plots.alt_text(plots.tag_scores([0.5], ["harp"], [0]))


def test_score_against_data_shows_means_intervals_and_seeds():
    ax = plots.score_against_data(GROWTH)
    dots = [line for line in ax.lines if line.get_marker() == "."]
    (raw, mel) = (line for line in ax.lines if line.get_marker() != ".")
    assert raw.get_ydata() == pytest.approx([0.6, 0.75])  # means, fewest clips first
    assert raw.get_xdata() == pytest.approx([45, 90], rel=0.05)
    assert sorted(np.concatenate([d.get_ydata() for d in dots])) == sorted(
        GROWTH["score"]
    )
    bars = [bar.get_segments()[0] for bar in ax.collections]
    assert len(bars) == 2  # a single seed has no interval
    half = 12.7062 * 0.05  # t of one degree of freedom, times the standard error
    assert bars[0][:, 1] == pytest.approx([0.6 - half, 0.6 + half], abs=1e-4)
    assert ax.get_xscale() == "log" and ticks(ax.xaxis) == ["45", "90"]
    looks = {(line.get_marker(), line.get_linestyle()) for line in (raw, mel)}
    assert len(looks) == 2  # not by colour alone
    names = [text.get_text() for text in ax.get_legend().get_texts()]
    assert names == ["raw", "mel"]


def test_a_timeline_has_a_row_per_tag_and_a_column_per_window():
    tags = ["flute", "guitar", "harp"]
    ax = plots.tag_timeline(TIMELINE, [1.5, 4.5, 7.5], tags, ["guitar"], n=2)
    assert ticks(ax.yaxis) == ["harp", "guitar *"]  # the highest peak is above
    assert ticks(ax.xaxis) == ["1.5", "4.5", "7.5"]
    shown = ax.images[0].get_array()
    assert np.array_equal(shown, TIMELINE.T[[2, 1]])
    assert [t.get_text() for t in ax.texts[:3]] == ["0.20", "0.10", "0.90"]
    assert "*" in ax.get_title(loc="left")
    long = plots.tag_timeline(np.ones((240, 1)), np.arange(240) * 3 + 1.5, ["harp"])
    assert not long.texts and len(long.get_xticks()) <= 12  # no crowd of numbers
    assert ticks(long.xaxis)[1] == f"{20 * 3 + 1.5:.0f}"
    assert plots.tag_timeline([[0.5]], [1.5], ["harp"]).images  # one window


def test_heat_table_frames_the_best_cell():
    (cell,) = [p for p in plots.heat_table(GRID).patches if not p.get_fill()]
    assert cell.get_xy() == (0.5, -0.5)
    assert "0.600 at" in plots.alt_text(plots.heat_table(GRID, best="min"))


NOT_FINITE = np.array([0.1, np.nan])
WRONG = {
    "no clips": (lambda: plots.tag_counts(LABELS[:0]), "shape"),
    "no tags": (lambda: plots.tags_per_clip(LABELS[[]]), "shape"),
    "array": (lambda: plots.tag_counts(LABELS.to_numpy()), "labels frame"),
    "paths": (lambda: plots.tag_counts(LABELS.assign(mp3_path="x")), "mp3_path"),
    "nan": (lambda: plots.tag_counts(LABELS.where(LABELS > 0)), "missing values"),
    "no matrix": (lambda: plots.cooccurrence(MATRIX.iloc[:0, :0]), "square"),
    "other rows": (lambda: plots.cooccurrence(MATRIX.iloc[:2]), "square"),
    "counts": (lambda: plots.cooccurrence(MATRIX * 10), "from 0 to 1"),
    "keys": (lambda: plots.pair_overlap({"either": 3}), "both"),
    "sum": (lambda: plots.pair_overlap({**COUNTS, "both": 5}), "do not add up"),
    "no pair": (lambda: plots.pair_overlap({}), "empty"),
    "no parts": (lambda: plots.split_sizes(SPLIT[:0]), "one row per part"),
    "no split": (lambda: plots.leak({}), "from 0 to 1"),
    "percent": (lambda: plots.leak({"random": 93}), "from 0 to 1"),
    "no samples": (lambda: plots.waveform(SINE[:0], 16_000), "needed is sound"),
    "stereo": (lambda: plots.waveform(SINE.reshape(2, -1), 16_000), "needed is sound"),
    "nan sound": (lambda: plots.waveform(NOT_FINITE, 16_000), "not finite"),
    "batch": (
        lambda: plots.spectrogram(np.zeros((1, 9, 9)), 16_000, 256),
        r"mel_db\[0",
    ),
    "no frames": (lambda: plots.spectrogram(np.zeros((9, 0)), 16_000, 256), "finite"),
    "hz": (
        lambda: plots.spectrogram(np.zeros((9, 9)), 16_000, 9, np.ones(3)),
        "hz has",
    ),
    "max hz": (lambda: plots.mel_scale(0), "above 0"),
    "bins": (lambda: plots.mel_filters(np.eye(3), np.ones(2)), "n_bins"),
    "no weights": (lambda: plots.filters(np.ones((0, 9)), 16_000), "n_filters"),
    "nan weights": (lambda: plots.filters(NOT_FINITE[None], 16_000), "not finite"),
    "kernel": (lambda: plots.response(NOT_FINITE, 16_000), "not finite"),
    "bank": (lambda: plots.response(WEIGHTS, 16_000), "n_filters"),
    "no walk": (lambda: plots.shape_walk(HISTORY), "models.walk"),
    "all sees": (lambda: plots.shape_walk(WALK.tail(1)), "models.walk"),
    "recorded": (
        lambda: plots.curves({"raw": HISTORY}, recorded=[HISTORY[["epoch"]]]),
        "History.frame",
    ),
    "no history": (lambda: plots.curves({}), "empty"),
    "column": (lambda: plots.curves({"raw": HISTORY}, "f1"), "History.frame"),
    "no scores": (lambda: plots.scores_with_intervals({}), "empty"),
    "order": (
        lambda: plots.scores_with_intervals({"a": (0.5, 0.6, 0.7)}),
        "low <= mean",
    ),
    "no runs": (lambda: plots.score_against_data(GROWTH[:0]), "0 rows"),
    "no size": (
        lambda: plots.score_against_data(GROWTH.drop(columns="n_train")),
        "n_t",
    ),
    "nan run": (
        lambda: plots.score_against_data(GROWTH.assign(score=np.nan)),
        "no number above 0",
    ),
    "no columns": (lambda: plots.per_tag(SPLIT), "positives"),
    "masked": (lambda: plots.per_tag(REPORT.loc[["none"]]), "no tag"),
    "clips": (
        lambda: plots.per_tag_compare(REPORT, BETTER.assign(positives=9)),
        "same clips",
    ),
    "no cells": (lambda: plots.heat_table(GRID * np.nan), "0 numbers"),
    "lengths": (lambda: plots.tag_scores([0.5], ["a", "b"]), "a number per tag"),
    "nan score": (lambda: plots.tag_scores(NOT_FINITE, ["a", "b"]), "NaN"),
    "turned": (
        lambda: plots.tag_timeline(TIMELINE[:2].T, [1, 2], ["a", "b"]),
        "2 windows",
    ),
    "no window": (lambda: plots.tag_timeline(np.ones((0, 1)), [], ["a"]), "0 windows"),
    "backwards": (
        lambda: plots.tag_timeline(TIMELINE, [3, 2, 1], ["a", "b", "c"]),
        "do not rise",
    ),
    "nan window": (
        lambda: plots.tag_timeline([[np.nan]], [1], ["a"]),
        "predict.timeline",
    ),
    "silent": (lambda: plots.describe(plots.panels()[1], " "), "needed is a sentence"),
    "foreign": (lambda: plots.alt_text(plots.panels()[1]), "plots.describe"),
}


@pytest.mark.parametrize("case", WRONG)
def test_says_what_is_wrong_with_the_data(case):
    call, words = WRONG[case]
    with pytest.raises(ValueError, match=words):
        call()


def test_png_is_small_and_keeps_the_colours():
    noise = np.random.default_rng(0).normal(size=(96, 1366)) * 20
    ax = plots.spectrogram(noise, 12_000, 256)
    ax.figure.savefig(file := io.BytesIO())
    small = picture.shrink(file.getvalue())
    assert len(small) < len(file.getvalue()) / 2
    before, after = (
        np.asarray(Image.open(one).convert("RGB"), dtype=int)
        for one in (file, io.BytesIO(small))
    )
    assert np.abs(before - after).max() <= 12


@pytest.mark.parametrize("static", [True, False])
def test_notebooks_get_the_sentence_with_the_picture(static, monkeypatch):
    from IPython.core.pylabtools import select_figure_formats

    shell = InteractiveShell.instance()
    select_figure_formats(shell, {"png"})
    monkeypatch.setattr("IPython.get_ipython", lambda: shell)
    monkeypatch.setenv("TAGKIT_STATIC", "1" if static else "")
    ax = plots.describe(plots.panels()[1], 'A "plot" of 1 < 2.')
    data, metadata = shell.display_formatter.format(ax.figure)
    assert data["text/plain"] == 'Figure: A "plot" of 1 < 2.'
    if static:
        assert metadata["image/png"]["alt"] == 'A "plot" of 1 < 2.'
        assert "text/html" not in data
    else:
        assert 'alt="A &quot;plot&quot; of 1 &lt; 2."' in data["text/html"]
        assert "image/png" not in data
    other, _ = shell.display_formatter.format(plots.panels()[0])  # without a sentence
    assert "image/png" in other and "text/html" not in other
    assert other["text/plain"].startswith("<Figure")


def test_a_timeline_has_a_box_per_piece_of_work():
    rows = {"load": [(1, 1.2), (1.2, 1.4)], "compute": [(1.2, 1.5)]}
    ax = plots.timeline(rows)
    boxes = [(p.get_x(), p.get_width(), p.get_y() + 0.35) for p in ax.patches]
    wanted = [(0, 0.2, 0), (0.2, 0.2, 0), (0.2, 0.3, 1)]
    np.testing.assert_allclose(boxes, wanted, atol=1e-9)
    assert [text.get_text() for text in ax.texts] == ["1", "2", "1"]
    assert ticks(ax.yaxis) == ["load", "compute"]
    hatches = {p.get_hatch() for p in ax.patches}
    assert len(hatches) == 2  # not by colour alone


@pytest.mark.parametrize("rows", [{}, {"load": []}, {"load": [(2, 1)]}])
def test_a_timeline_without_work_or_backwards_is_refused(rows):
    with pytest.raises(ValueError, match="needed are some, each a pair"):
        plots.timeline(rows)


def test_costs_are_dots_with_their_numbers_on_a_logarithmic_axis():
    ax = plots.costs({"then": 1234.5, "now": 0.5}, "milliseconds")
    assert ax.get_xscale() == "log"
    np.testing.assert_allclose(ax.lines[0].get_xdata(), [1234.5, 0.5])
    assert [text.get_text() for text in ax.texts] == ["1,234", "0.5"]
    assert ax.get_xlim()[0] < 0.5 and ax.get_xlim()[1] > 1234.5
    assert "then 1,234 and now 0.5" in plots.alt_text(ax)


@pytest.mark.parametrize("values", [{}, {"a": 0}, {"a": np.nan}, {"a": np.inf}])
def test_costs_that_no_logarithm_shows_are_refused(values):
    with pytest.raises(ValueError, match="needed is one or more, each above 0"):
        plots.costs(values, "seconds")
