"""Pictures: what is drawn comes from the data, is named, and is put into words."""

import copy
import io
import re

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
from tagkit.plots.sound import log_mel


@pytest.fixture(autouse=True)
def no_figure_left():
    """Every test begins without figures; pictures on a given ax leave none behind."""
    plt.close("all")
    yield
    plt.close("all")


HISTORY = pd.DataFrame(
    dict(epoch=[1, 2, 3], loss=[0.4, 0.3, 0.2], valid_roc_auc=[0.6, 0.75, 0.7])
)
GRID = pd.DataFrame(
    [[0.7, 0.8], [0.6, np.nan]],
    pd.Index([64, 256], name="length"),
    pd.Index([64, 256], name="stride"),
)
WINDOWS = pd.DataFrame(
    [[0.1, 0.7, 0.2], [0.2, 0.6, 0.1], [0.3, 0.0, 0.9]],
    [1.5, 4.5, 7.5],
    ["flute", "guitar", "a$b$"],
)
SINE = np.sin(2 * np.pi * 440 * np.arange(32_000) / 16_000).astype(np.float32) / 2

RATES = pd.DataFrame(
    dict(precision=[0.2, 0.5, np.nan], recall=[1, 0.5, 0], f1=[0.33, 0.5, 0.0]),
    [0.1, 0.5, 0.9],
)

# name -> (arguments, words of the alt text)
PICTURES = {
    "waveform": ([SINE, 16_000], ["2.0 s", "0.50", "square 0.35"]),
    "spectrogram": (
        [np.eye(96)[:, :50] * 40 - 40, 12_000, 256],
        ["96 bands by 50 frames (1.1 s)", "-40.0 to 0.0 dB"],
    ),
    "mel_filters": (
        [np.array([[0, 1, 0], [0, 0, 0]]), np.array([0, 100, 200])],
        ["2 mel filters", "0 to 200 Hz", "1 of them empty"],
    ),
    "curves": ([{"raw": HISTORY}], ["ROC-AUC", "0.7, highest at epoch 2 (0.75)"]),
    "heat_table": ([GRID], ["2 x 2", "0.800 at length 64, stride 256"]),
    "tag_timeline": (
        [WINDOWS, ["guitar"]],
        ["3 of 3 tags in 3 windows", "a$b$ is highest at 7.5 s (0.90)"],
    ),
    "taggram": (
        [WINDOWS, 9.0],
        ["9.0 s, 3 of 3 tags in 3 windows", "guitar is highest at 1.5 s (0.70)"],
    ),
    "scores_with_intervals": (
        [{"raw": (0.7, 0.65, 0.75), "mel": pd.Series(0.8, ["roc", "low", "high"])}],
        ["raw 0.700 (0.650 to 0.750)", "mel 0.800"],
    ),
    "score_dots": (
        [[1, 0, 0, 1], [0.7, 0.6, 0.2, 0.1], 0.5],
        ["2 clips with the tag, 2 without", "2 yeses, 1 right; 1 missed"],
    ),
    "threshold_curves": (
        [RATES, 0.3],
        ["best at 0.50 (0.50)", "at 0.30 are precision 0.35, recall 0.75, F1 0.4"],
    ),
    "clip_map": (
        [np.arange(6).reshape(3, 2), ["rock", "", "rock"]],
        ["rock 2, none of these 1"],
    ),
}


def drawn(name, **more):
    return getattr(plots, name)(*copy.deepcopy(PICTURES[name][0]), **more)


@pytest.mark.parametrize("name", PICTURES)
def test_a_picture_has_a_sentence_units_and_readable_text(name):
    ax = drawn(name)
    sentence, figure = plots.alt_text(ax), ax.figure
    assert all(words in sentence for words in PICTURES[name][1]), sentence
    assert sentence.endswith(".") and "nan" not in sentence and len(sentence) < 400
    assert ax.get_xlabel() or ax.get_ylabel()
    assert plots.alt_text(figure) == sentence
    figure.canvas.draw()
    box, (width, height) = figure.get_tightbbox(), figure.get_size_inches()
    assert box.x0 > -0.02 and box.y0 > -0.02
    assert box.x1 < width + 0.02 and box.y1 < height + 0.02
    for text in figure.findobj(Text):
        assert not text.get_text() or text.get_fontsize() >= 9


def test_every_picture_is_tested():
    helpers = {"COLORS", "alt_text", "describe", "panels", "to_png"}
    assert set(PICTURES) == set(plots.__all__) - helpers


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


def cells(ax, number=0):
    """The values of a mesh, rows from the first on; NaN where it is masked."""
    return np.ma.filled(ax.collections[number].get_array().astype(float), np.nan)


def legend_of(ax):
    return [text.get_text() for text in ax.get_legend().get_texts()]


def test_waveform_units_follow_the_length():
    ax = plots.waveform(SINE, 16_000)
    assert ax.get_xlim() == (0, 2) and ax.get_xlabel() == "time (s)"
    assert ax.get_ylim() == pytest.approx((-0.55, 0.55), abs=0.01)
    ax = plots.waveform(SINE[:160], 16_000)
    ax.figure.canvas.draw()
    assert ax.get_xlabel() == "time (ms)" and "10" in ticks(ax.xaxis)
    assert "Waveform of 0.1 ms" in plots.alt_text(plots.waveform(SINE[:1], 16_000))


def test_spectrogram_puts_bands_at_their_hz():
    mels = np.linspace(0, 2595 * np.log10(1 + 8000 / 700), 98)[1:-1]
    centres = 700 * (10 ** (mels / 2595) - 1)
    ax = plots.spectrogram(np.zeros((96, 10)), 16_000, 256)
    edges = ax.collections[0].get_coordinates()[:, 0, 1]
    assert (edges[:-1] < centres).all() and (centres < edges[1:]).all()
    hz = np.linspace(0, 8000, 257)
    ax = plots.spectrogram(np.zeros((257, 10)), 16_000, 256, hz=hz)
    edges = ax.collections[0].get_coordinates()[:, 0, 1]
    assert np.allclose((edges[1:] + edges[:-1]) / 2, hz)


def test_spectrogram_shows_80_db_and_survives_minus_infinity():
    ax = plots.spectrogram(np.array([[-300.0, 0.0], [-np.inf, -10]]), 16_000, 256)
    assert ax.collections[0].get_clim() == (-80, 0) and np.isnan(cells(ax)[1, 0])
    assert "-300.0 to 0.0 dB." in plots.alt_text(ax)
    with pytest.raises(ValueError, match="frequency per row"):
        plots.spectrogram(np.zeros((9, 9)), 16_000, 256, hz=np.ones(3))


def lines(ax):
    """Lines with data: seaborn adds empty ones for its legend."""
    return [line for line in ax.lines if len(line.get_xdata())]


def test_curves_draw_a_validation_loss_where_there_is_one():
    history = HISTORY.assign(valid_loss=[0.5, 0.45, 0.5])
    ax = plots.curves({"raw": history}, "loss")
    assert len(lines(ax)) == 2 and "lowest at epoch 3 (0.2)" in plots.alt_text(ax)
    assert legend_of(ax) == ["run", "raw", "clips", "training", "validation"]
    both = lines(plots.curves({"a": HISTORY, "b": HISTORY.head(1)}))
    assert [len(line.get_xdata()) for line in both] == [3, 1]
    assert both[0].get_color() != both[1].get_color()
    assert both[0].get_marker() != both[1].get_marker()


def test_recorded_runs_are_grey_and_told():
    past = [HISTORY.assign(epoch=HISTORY["epoch"] + 9), HISTORY.head(1)]
    ax = plots.curves({"your run": HISTORY}, recorded=past)
    colours = [line.get_color() for line in lines(ax)]
    assert colours[:2] == [picture.GREY] * 2 and picture.GREY not in colours[2:]
    assert legend_of(ax) == ["recorded (2)", "your run"]
    assert "recorded runs end at 0.6 to 0.7" in plots.alt_text(ax)
    rates = HISTORY.assign(learning_rate=[0.01, 0.01, 0.002])
    ax = plots.curves({"a": rates}, "learning_rate")
    assert ax.get_yscale() == "log"
    assert "a ends at 0.002, highest at epoch 1 (0.01)" in plots.alt_text(ax)


def test_a_floor_is_drawn_named_and_told():
    ax = plots.curves({"your run": HISTORY}, floor=0.25)
    assert "the floor is at 0.25." in plots.alt_text(ax)
    assert [*lines(ax)[-1].get_ydata()] == [0.25, 0.25]
    assert legend_of(ax)[-1] == "floor"


def test_heat_table_frames_the_best_cell():
    ax = plots.heat_table(GRID)
    (frame,) = ax.patches
    assert frame.get_xy() == (1, 0) and not frame.get_fill()
    assert np.array_equal(cells(ax), GRID, equal_nan=True)
    assert [t.get_text() for t in ax.texts] == ["0.700", "0.800", "0.600"]


def test_a_tag_timeline_has_a_row_per_tag_and_a_column_per_window():
    ax = plots.tag_timeline(WINDOWS, ["guitar"], n=2)
    assert ticks(ax.yaxis) == [r"a\$b\$", "guitar *"]  # the highest peak is above
    assert ticks(ax.xaxis) == ["1.5", "4.5", "7.5"]
    assert np.array_equal(cells(ax), WINDOWS[["a$b$", "guitar"]].T)
    assert [t.get_text() for t in ax.texts[:3]] == ["0.20", "0.10", "0.90"]
    seconds = np.arange(240) * 3 + 1.5
    ax = plots.tag_timeline(pd.DataFrame({"harp": 1.0}, seconds))
    assert not ax.texts and ticks(ax.xaxis)[1] == "61.5" and len(ticks(ax.xaxis)) == 12


def test_a_taggram_lies_on_the_axis_of_time():
    ax = plots.taggram(WINDOWS, 9.5, n=2)
    # Chosen by their peaks, and the one that is heard most is above.
    assert ticks(ax.yaxis) == ["guitar 0.70", r"a\$b\$ 0.90"]
    assert np.array_equal(cells(ax), WINDOWS[["guitar", "a$b$"]].T)
    edges = ax.collections[0].get_coordinates()[0, :, 0]
    assert [*edges] == [0, 3, 6, 9.5] and ax.get_xlim() == (0, 9.5)
    assert ax.collections[0].get_clim() == (0, 1)
    assert plots.taggram(WINDOWS / 2, 9).collections[0].get_clim() == (0, 0.5)
    seconds = np.arange(200) * 3 + 1.5
    ax = plots.taggram(pd.DataFrame({"harp": 1.0}, seconds), 600)
    assert ticks(ax.xaxis)[:3] == ["0:00", "1:00", "2:00"]
    # A sound that is shorter than its one window.
    ax = plots.taggram(WINDOWS.head(1), 0.4)
    assert ax.get_xlim() == (0, 0.4) and cells(ax).shape == (3, 1)


@pytest.mark.parametrize("seconds", [3, 90])
def test_a_log_mel_shows_a_tone_where_it_sounds(seconds):
    """Silence, then 1000 Hz for the last third."""
    time = np.arange(seconds * 12_000) / 12_000
    tone = np.sin(2 * np.pi * 1000 * time) * (time > 2 / 3 * seconds)
    mel_db, hop = log_mel(tone, 12_000, n_frames=200)
    assert mel_db.shape == (96, len(tone) // hop + 1) and len(mel_db.T) <= 201
    assert mel_db.max() == 0 and mel_db.min() == -80
    begins = np.argmax(mel_db.max(axis=0) > -20) * hop / 12_000
    assert begins == pytest.approx(2 / 3 * seconds, abs=0.02 * seconds)
    mels = np.linspace(0, 2595 * np.log10(1 + 6000 / 700), 98)[1:-1]
    loudest = 700 * (10 ** (mels[mel_db[:, -3].argmax()] / 2595) - 1)
    assert loudest == pytest.approx(1000, rel=0.03)


def test_intervals_go_from_low_to_high():
    ax = plots.scores_with_intervals({"a": (0.7, 0.65, 0.75)}, chance=0.5)
    assert ax.collections[0].get_segments()[0][:, 0] == pytest.approx([0.65, 0.75])
    assert [*ax.lines[0].get_xdata()] == [0.7] and "is 0.5" in plots.alt_text(ax)


def test_score_dots_are_told_apart_at_the_threshold():
    ax = drawn("score_dots")
    (dots,) = ax.collections
    rows = {x: round(y) for x, y in dots.get_offsets()}
    assert rows == {0.7: 0, 0.6: 1, 0.2: 1, 0.1: 0}  # 0: the row with the tag
    colours = [tuple(colour) for colour in dots.get_facecolors()]
    assert colours[0] == colours[2] != colours[1] == colours[3]  # right and wrong
    (again,) = drawn("score_dots").collections
    assert np.array_equal(again.get_offsets(), dots.get_offsets())  # no dot jumps
    assert ticks(ax.yaxis) == ["with it (2)", "without (2)"]


def test_threshold_curves_mark_the_threshold():
    ax = drawn("threshold_curves")
    assert legend_of(ax) == ["precision", "recall", "F1"]
    assert [*ax.lines[1].get_ydata()] == [1, 0.5, 0]
    marks = ax.collections[-1].get_offsets()
    assert np.allclose(marks, [(0.3, 0.35), (0.3, 0.75), (0.3, 0.415)])


def test_clip_map_marks_kinds_and_says_so():
    points = np.arange(8).reshape(4, 2)
    ax = plots.clip_map(points, ["rock", "", "flute", "rock"], "A map")
    assert plots.alt_text(ax).endswith("flute 1, rock 2, none of these 1.")
    assert legend_of(ax) == ["flute (1)", "rock (2)", "none of these (1)"]
    drawn = {len(marks.get_offsets()) for marks in ax.collections}
    shapes = {marks.get_paths()[0].vertices.tobytes() for marks in ax.collections[:2]}
    assert drawn == {1, 2} and len(shapes) == 2, "told apart by shape, too"
    assert plots.clip_map(points).get_legend() is None


NAN = np.array([0.1, np.nan])
NOISE = np.zeros((9, 9))
# name of a picture, arguments, and what the error must name: what came or the need
WRONG = [
    ("waveform", [SINE.reshape(2, -1), 16_000], "(2, 16000)"),
    ("waveform", [NAN, 16_000], "finite"),
    ("spectrogram", [NOISE[None], 16_000, 256], "mel_db[0]"),
    ("spectrogram", [NOISE[:, :0], 16_000, 256], "finite: 0"),
    ("curves", [{}], "History.frame"),
    ("curves", [{"raw": HISTORY}, "f1"], "f1"),
    ("heat_table", [GRID * np.nan], "a number"),
    ("tag_timeline", [WINDOWS[::-1]], "7.5"),
    ("tag_timeline", [WINDOWS * np.nan], "predict.timeline"),
    ("taggram", [WINDOWS[::-1], 9], "7.5"),
    ("taggram", [WINDOWS, 6], "length of the sound"),
    ("scores_with_intervals", [{"a": (0.5, 0.6, 0.7)}], "0.6"),
    ("score_dots", [[1, 0], [0.5], 0.5], "a score for each"),
    ("threshold_curves", [RATES[["recall"]], 0.5], "f1"),
    ("clip_map", [np.zeros((2, 3))], "needed is"),
    ("clip_map", [np.zeros((2, 2)), ["a"]], "1 kinds"),
    ("clip_map", [NAN[None]], "hold NaN"),
    ("clip_map", [np.zeros((0, 2))], "0 points"),
    ("clip_map", [np.zeros((8, 2)), list("abcdefgh")], "8 kinds"),
    ("alt_text", [None], "plots.describe"),
    ("describe", [None, " "], "a sentence"),
]


@pytest.mark.parametrize(("name", "arguments", "words"), WRONG)
def test_says_what_is_wrong_with_the_data(name, arguments, words):
    with pytest.raises(ValueError, match=re.escape(words)):
        getattr(plots, name)(*arguments)


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
    figure, ax = plots.panels()
    plots.describe(ax, 'A "plot" of 1 < 2.')
    data, metadata = shell.display_formatter.format(figure)
    assert data["text/plain"] == 'Figure: A "plot" of 1 < 2.'
    if static:
        about = metadata["image/png"]
        assert about["alt"] == 'A "plot" of 1 < 2.' and about["width"] in range(
            700, 850
        )
        assert "text/html" not in data
    else:
        assert 'alt="A &quot;plot&quot; of 1 &lt; 2."' in data["text/html"]
        assert "image/png" not in data
    other, _ = shell.display_formatter.format(plots.panels()[0])  # without a sentence
    assert "image/png" in other and "text/html" not in other
    assert other["text/plain"].startswith("<Figure")
