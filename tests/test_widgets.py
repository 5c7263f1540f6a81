"""Widgets: they answer to what is clicked, and read well where nothing can be."""

import base64
import datetime
import io
import json
import re

import ipywidgets
import numpy as np
import pytest
import soundfile
import torch
from IPython.core.interactiveshell import InteractiveShell

from conftest import write_tables
from tagkit import models, widgets
from tagkit.data import audio, corpus

TAGS = ["guitar", "no vocals", "<b>loud</b>"]
LABELS = [(1, 1, 0), (1, 0, 1), (0, 0, 1), (0, 0, 0), (1, 0, 0), (1, 0, 0)]
TRUTH = [(1, 1, 0), (0, 0, 1), (0, 0, 1), (0, 1, 0), (1, 0, 0), (1, 1, 0)]
SINE = np.sin(2 * np.pi * 440 * np.arange(24_000) / 12_000) / 2
NASTY = '<script>alert("x")</script>'


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """Six clips of 2 s with three tags; clip 25 is empty; titles hold markup."""
    root = tmp_path_factory.mktemp("small")
    time = np.arange(32_000) / 16_000
    paths = [f"{i}/ann-album-{i}-title-0-29.mp3" for i in range(6)]
    for i, path in enumerate(paths):
        (root / path).parent.mkdir()
        tone = 0.3 * np.sin(2 * np.pi * 220 * (i + 1) * time)
        audio.write(root / path, tone.astype(np.float32))
    (root / paths[5]).write_bytes(b"")

    write_tables(root, paths, dict(zip(TAGS, zip(*TRUTH, strict=True), strict=True)))
    (root / "annotations_final.csv").rename(root / "truth.csv")
    write_tables(root, paths, dict(zip(TAGS, zip(*LABELS, strict=True), strict=True)))
    opened = corpus.open(root)
    opened.clips["title"] = NASTY
    return opened


def sounds(page):
    """Decode every player of a page."""
    found = re.findall(r'src="data:audio/mpeg;base64,([^"]+)"', page)
    return [audio_of(base64.b64decode(data)) for data in found]


def audio_of(data):
    return soundfile.read(io.BytesIO(data))


def shown(view):
    """The MIME bundle that IPython would send for a view."""
    return InteractiveShell.instance().display_formatter.format(view)[0]


WIDGET = "application/vnd.jupyter.widget-view+json"


def test_player_embeds_the_sound_it_was_given():
    time = np.arange(5 * 16_000) / 16_000
    view = widgets.player(np.sin(2 * np.pi * 440 * time) / 2, seconds=3, start=1)
    ((samples, rate),) = sounds(view.html)
    assert rate == 16_000 and 2.9 < len(samples) / rate < 3.2
    spectrum = np.abs(np.fft.rfft(samples[8000:24_000]))
    assert spectrum.argmax() == 440
    assert "3.0 s of 5.0 s" in view.html and "run this cell" in view.html


@pytest.mark.parametrize("rate", [8000, 12_000, 10_000, 44_100])
def test_player_takes_any_rate(rate):
    view = widgets.player(np.sin(np.arange(rate) / 9), sample_rate=rate)
    ((samples, found),) = sounds(view.html)
    assert found == (16_000 if rate == 10_000 else rate)
    assert 0.9 < len(samples) / found < 1.3


def test_long_loud_and_tiny_sounds_play():
    noise = np.random.default_rng(0).normal(size=200_000).clip(-1, 1)
    assert len(widgets.player(noise).html) < 60_000  # ten seconds stay small
    ((samples, _),) = sounds(widgets.player(5 * np.sin(np.arange(16_000) / 9)).html)
    assert np.abs(samples).max() < 1.3
    assert sounds(widgets.player(np.ones(1)).html)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (dict(samples=np.zeros(0)), "needed is sound"),
        (dict(samples=np.zeros((2, 16_000))), "needed is sound"),
        (dict(samples=np.array([0, np.nan])), "not finite"),
        (dict(samples=np.zeros(16_000), seconds=11), "at most 10 s"),
        (dict(samples=np.zeros(16_000), seconds=0), "at most 10 s"),
        (dict(samples=np.zeros(16_000), start=1), "begin inside"),
    ],
)
def test_player_refuses(arguments, message):
    with pytest.raises(ValueError, match=message):
        widgets.player(**arguments)


def test_clip_view_holds_picture_sound_and_tags():
    samples = np.sin(np.arange(4 * 16_000) / 9).astype(np.float32)
    mel = np.random.default_rng(0).normal(size=(96, 188))
    kept = samples.copy(), mel.copy()
    tags = ["guitar", NASTY]
    view = widgets.clip_view(
        samples, 16_000, mel, tags, truth=["guitar"], seconds=2, start=1
    )
    assert np.array_equal(samples, kept[0]) and np.array_equal(mel, kept[1])
    assert len(sounds(view.html)) == 1
    (alt,) = re.findall(r'alt="([^"]+)"', view.html)
    assert "Waveform of 2.0 s" in alt and "96 bands by 94 frames" in alt
    assert "The crowd named: <i>guitar</i>" in view.html
    assert "True of the sound: <i>guitar</i>" in view.html
    assert "<script" not in view.html and "&lt;script" in view.html
    with pytest.raises(ValueError, match="mel_db"):
        widgets.clip_view(samples, 16_000, mel[None], ["guitar"])


def test_clip_view_takes_any_sound_and_a_file(tmp_path):
    rate = 22_050
    time = np.arange(3 * rate) / rate
    high = np.sin(2 * np.pi * 3000 * time) * (time > 2) / 2
    view = widgets.clip_view(high, rate, seconds=2, start=1)
    assert repr(view) == "Clip view: 2.0 s" and "crowd" not in view.html
    ((samples, played),) = sounds(view.html)
    assert played == rate and len(samples) / rate == pytest.approx(2, abs=0.1)
    (alt,) = re.findall(r'alt="([^"]+)"', view.html)
    assert "Waveform of 2.0 s" in alt and "96 bands" in alt

    audio.write(tmp_path / "my <i>.wav", high.astype(np.float32), rate)
    view = widgets.clip_view(str(tmp_path / "my <i>.wav"), tags=[])
    assert "<b>my &lt;i&gt;.wav</b>" in view.html and "named: nothing" in view.html
    ((_, played),) = sounds(view.html)
    assert played == 16_000
    with pytest.raises(audio.AudioError, match="missing"):
        widgets.clip_view(tmp_path / "no.mp3")


def test_tag_explorer_changes_with_its_menu(small):
    view = widgets.tag_explorer(small, n_clips=2, tag_list="all")
    menu, clips = view.parts["tag"], view.parts["clips"]
    assert menu.value == "guitar" and "4 of 6 clips" in clips.value
    assert len(sounds(clips.value)) == 1 and "is empty" in clips.value  # clip 25
    before = clips.value
    menu.value = "<b>loud</b>"
    assert clips.value != before
    assert len(sounds(clips.value)) == 2 and "2 of 6 clips" in clips.value
    assert "<b>loud" not in clips.value and "<script" not in clips.value
    assert "is true of it" in clips.value
    menu.value = "no vocals"
    assert clips.value.count("<audio") == 1


def test_tag_explorer_says_where_the_crowd_was_wrong(small):
    view = widgets.tag_explorer(small, n_clips=6, tag_list="all")
    assert view.html.count("is true of it") == 3
    assert view.html.count("is not true of it") == 1
    assert "a menu switches to: &lt;b&gt;loud" in view.html
    with pytest.raises(ValueError, match="no clip of small. has the tag"):
        widgets.tag_explorer(small, tag="bagpipe", tag_list="all")


def test_guess_compares_ear_and_crowd(small):
    view = widgets.guess(small, 13, n_choices=3)
    boxes = {box.description: box for box in view.parts["boxes"]}
    assert list(boxes) == sorted(TAGS)
    boxes["guitar"].value = boxes["no vocals"].value = True
    assert view.parts["said"].value == ""
    view.parts["button"].click()
    said = view.parts["said"].value
    assert "<b>You and the crowd</b>: <i>guitar</i>" in said
    assert "<b>You only</b>: <i>no vocals</i>" in said
    assert "<b>The crowd only</b>: <i>&lt;b&gt;loud&lt;/b&gt;</i>" in said
    assert "True of the sound: <i>&lt;b&gt;loud" in said
    assert "<details>" in view.html and len(sounds(view.html)) == 1


def test_guess_fills_up_with_other_tags_and_knows_bad_clips(small):
    assert len(widgets.guess(small, 19).parts["boxes"]) == 3  # the clip has no tag
    assert "The crowd named: nothing" in widgets.guess(small, 19).html
    with pytest.raises(ValueError, match="not in small"):
        widgets.guess(small, 999)
    with pytest.raises(audio.AudioError, match="empty"):
        widgets.guess(small, 25)


CHOICES = [
    ("`a < b`", False, "It is the other way."),
    (NASTY, True, "Because of `roc_auc`."),
]


def test_quiz_hides_an_answer_under_each_choice():
    page = widgets.quiz("Is it <i>?", CHOICES).html
    assert "Is it &lt;i&gt;?" in page and "<script" not in page
    before, first, second = page.split("<details>")
    assert "other way" not in before
    choice, answer = first.split("</summary>")
    assert "A: <code>a &lt; b</code>" in choice and "other way" not in choice
    assert "No.</b> It is the other way." in answer
    assert "Right.</b> Because of <code>roc_auc</code>." in second


@pytest.mark.parametrize(
    "choices",
    [[], CHOICES[:1], [CHOICES[0], ("x", False, "y")], [*CHOICES, ("x", False)]],
)
def test_quiz_refuses_incomplete_choices(choices):
    with pytest.raises(ValueError, match="two or more"):
        widgets.quiz("Which?", choices)


@pytest.fixture
def answers(tmp_path, monkeypatch):
    """A reader who sits before the notebook; where the answers are kept."""
    monkeypatch.delenv("TAGKIT_STATIC", raising=False)
    monkeypatch.delenv("TAGKIT_PROGRESS", raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path / ".predictions.json"


LAYERS = ["the first `conv`", "the <b>dense</b> layer", "the mel"]


def test_a_prediction_is_kept_and_shown_beside_the_truth(answers):
    question = 'Which is "largest"?'
    guess = widgets.predict(question, LAYERS)
    assert repr(guess.reveal(LAYERS[0])) == f"It was {LAYERS[0]}."
    assert guess.answer is None and guess.parts["said"].value == ""
    guess.parts["buttons"][0].click()
    guess.parts["buttons"][1].click()  # thought better of
    assert "You say <b>the &lt;b&gt;dense" in guess.parts["said"].value
    assert repr(guess.reveal(LAYERS[1])) == f"You said {LAYERS[1]}. So it is."
    wrong = guess.reveal(LAYERS[0])
    assert repr(wrong) == f"You said {LAYERS[1]}. It was {LAYERS[0]}."
    assert "&lt;b&gt;dense" in wrong.html and 'role="status"' in wrong.html

    again = widgets.predict(question, LAYERS)  # as after a restart
    assert again.answer == LAYERS[1] and again.parts["said"].value
    assert widgets.predict("Another?", LAYERS).answer is None
    assert widgets.predict(question, LAYERS[::2]).answer is None
    assert widgets.predict(question, (0, 1)).answer is None
    assert json.loads(answers.read_text()) == {question: LAYERS[1]}


@pytest.mark.parametrize(
    ("limits", "value", "truth", "words"),
    [
        ((0.5, 1.0), 0.7, 0.8137, "You said 0.70. It was 0.81."),
        ((0, 1), 0.81, np.float32(0.8137), "You said 0.81. So it is."),
        ((0, 100), 40, 55, "You said 40. It was 55."),
        ((1000, 200_000), 50_000, 55_422, "You said 50,000. It was 55,422."),
        ((0, 1), None, 1.3, "You said 0.50. It was 1.30."),  # as the slider stood
    ],
)
def test_a_predicted_number(answers, limits, value, truth, words):
    guess = widgets.predict("How many?", limits)
    slider = guess.parts["slider"]
    slider.value = slider.value if value is None else value
    assert guess.answer is None, "a slider that is moved is no answer yet"
    guess.parts["button"].click()
    assert repr(guess.reveal(truth)) == words
    again = widgets.predict("How many?", limits)
    assert again.answer == guess.answer
    with pytest.raises(ValueError, match="needed is a number"):
        guess.reveal("many")


@pytest.mark.parametrize("damage", [b"{", b"\xff", b"[1]", b'{"How?": {}}'])
def test_damaged_predictions_count_as_none(answers, damage):
    answers.write_bytes(damage)
    assert widgets.predict("How?", LAYERS).answer is None
    guess = widgets.predict("How?", (0, 1))
    guess.parts["button"].click()
    assert json.loads(answers.read_text()) == {"How?": 0.5}


def test_a_prediction_that_cannot_be_kept_counts_all_the_same(answers, monkeypatch):
    (answers.parent / "file").write_text("")
    monkeypatch.setenv("TAGKIT_PROGRESS", str(answers.parent / "file" / "ada.json"))
    guess = widgets.predict("How?", LAYERS)
    guess.parts["buttons"][2].click()
    assert repr(guess.reveal("the mel")) == "You said the mel. So it is."


def test_a_static_page_asks_and_does_not_answer(answers, monkeypatch):
    answers.write_text(json.dumps({"How?": LAYERS[0], "How far?": 0.5}))
    monkeypatch.setenv("TAGKIT_STATIC", "1")
    guess = widgets.predict("How?", LAYERS)
    assert all(text in guess.html for text in ("How?", "&lt;b&gt;dense", "the mel"))
    assert "You" in guess.html and "You say" not in guess.html
    assert repr(guess.reveal(LAYERS[0])) == f"It was {LAYERS[0]}."
    far = widgets.predict("How far?", (0, 1))
    assert "from 0.00 to 1.00" in far.html and far.answer is None


@pytest.mark.parametrize(
    "options", [[], ["one"], ["a", "a"], ["a", 1], (1, 0), (1, 1), (1, 2, 3)]
)
def test_predict_refuses(options):
    with pytest.raises(ValueError, match="two or more different texts, or two numbers"):
        widgets.predict("Which?", options)


@pytest.mark.parametrize("static", [True, False])
def test_static_shows_html_and_live_shows_widgets(small, static, monkeypatch):
    monkeypatch.setenv("TAGKIT_STATIC", "1" if static else "")
    for make in (
        lambda: widgets.tag_explorer(small, tag_list="all"),
        lambda: widgets.guess(small, 10),
        lambda: widgets.tag_upload(Pitch(), TONES),
        lambda: widgets.predict("How?", LAYERS),
        lambda: widgets.predict("How?", (0, 1)),
    ):
        view = make()
        assert view.html == make().html  # the same page each time
        assert isinstance(view.widget, ipywidgets.Widget)  # made in both modes
        bundle = shown(view)
        assert bundle["text/html"] == view.html and bundle["text/plain"] == view.text
        assert (WIDGET in bundle) is not static
    assert WIDGET not in shown(widgets.player(np.zeros(1600)))  # needs no kernel


class Pitch(models.Tagger):
    """Two tags: a high tone, a low tone, told by how often a window crosses zero."""

    def __init__(self):
        super().__init__(12_000, 12_000, {})  # a second
        self.middle = torch.nn.Parameter(torch.tensor(1000.0))  # Hz

    def forward(self, samples):
        self.check(samples)
        crossings = (samples[:, 1:] * samples[:, :-1] < 0).sum(dim=1) / 2  # Hz
        high = (crossings - self.middle) / 50
        return torch.stack([high, -high], dim=1)  # (batch, 2)


TONES = ["high & <b>", "low"]


def siren(*tones, rate=16_000):
    """Three seconds of each tone, none of its samples 0."""
    turns = 2 * np.pi * np.arange(3 * rate) / rate
    return np.concatenate([np.sin(hz * turns + 0.1) / 2 for hz in tones])


def moments(page):
    return re.findall(r"<li>([^<]+)</li>", page)


def test_a_taggram_says_and_plays_what_is_heard_when():
    samples = siren(300, 2000, 300).astype(np.float32)
    kept = samples.copy()
    view = widgets.taggram(samples, Pitch(), TONES, title=NASTY, caption="By <i>Ann")
    assert np.array_equal(samples, kept)
    ((played, rate),) = sounds(view.html)
    assert rate == 12_000 and len(played) / rate == pytest.approx(9, abs=0.2)
    first = [moment.split()[:2] for moment in moments(view.html)]
    assert [name for _, name in first] == [*["low"] * 3, *["high"] * 3, *["low"] * 3]
    assert first[0][0] == "0:00" and first[-1][0] == "0:08"
    (alt,) = re.findall(r'alt="([^"]+)"', view.html)
    assert "Spectrogram of 96 bands" in alt and "2 of 2 tags in 9 windows" in alt
    assert f'<output aria-live="off">{moments(view.html)[0]}<' in view.html
    assert "<script" not in view.html and "By &lt;i&gt;Ann" in view.html
    assert "<b>," not in view.html and "high &amp; &lt;b&gt;" in view.html


def test_a_taggram_of_a_file_is_that_of_its_samples(tmp_path):
    samples = siren(300, 2000).astype(np.float32)
    audio.write(tmp_path / "mine.wav", samples)
    of_file = widgets.taggram(str(tmp_path / "mine.wav"), Pitch(), TONES)
    of_samples = widgets.taggram(samples, Pitch(), TONES)
    assert moments(of_file.html) == moments(of_samples.html)
    assert "<b>mine.wav</b> 0:06" in of_file.html
    assert repr(of_file).startswith("Taggram: mine.wav, 0:06, highest")
    high = siren(2000, rate=48_000)
    view = widgets.taggram(high, Pitch(), TONES, sample_rate=48_000)
    assert moments(view.html)[0].startswith("0:00 high")


def test_a_short_and_a_long_taggram(monkeypatch):
    short = widgets.taggram(siren(2000)[:6000], Pitch(), TONES)
    assert len(moments(short.html)) == 1 and sounds(short.html)
    monkeypatch.setattr("tagkit.widgets.song.MAX_MINUTES", 1)
    samples = np.tile(siren(300), 30)  # 90 s
    view = widgets.taggram(samples, Pitch(), TONES)
    ((played, rate),) = sounds(view.html)
    assert len(played) / rate == pytest.approx(60, abs=0.2)
    assert "the first 1:00 of 1:30" in view.html
    assert moments(view.html)[-1].startswith("0:59")


def test_a_taggram_refuses(tmp_path):
    with pytest.raises(audio.AudioError, match="missing"):
        widgets.taggram(tmp_path / "no.mp3", Pitch(), TONES)
    with pytest.raises(ValueError, match="needed is sound"):
        widgets.taggram(np.array([np.nan]), Pitch(), TONES)
    with pytest.raises(ValueError, match="you gave 3 tags"):
        widgets.taggram(siren(300), Pitch(), TAGS)


def upload(view, name, content):
    """What the front end does when a file is chosen."""
    file = {
        "name": name,
        "type": "audio/wav",
        "size": len(content),
        "content": memoryview(content),
        "last_modified": datetime.datetime.now(datetime.UTC),
    }
    view.parts["upload"].value = (file,)


def test_an_uploaded_song_is_tagged_and_a_wrong_file_named_in_place():
    view = widgets.tag_upload(Pitch(), TONES)
    said, shown = view.parts["said"], view.parts["shown"]
    upload(view, "my <b>song.wav", audio.encode(siren(300), kind="wav"))
    assert "my &lt;b&gt;song.wav</b> 0:03" in shown.value and "low" in shown.value
    assert len(sounds(shown.value)) == 1 and "Listening" not in said.value
    upload(view, "no.mp3", b"words, not sound")
    assert shown.value == "" and "no.mp3 is no" in said.value
    assert "/no.mp3" not in said.value, "the temporary folder is nobody's business"
    assert "<audio" not in view.html and "taggram(" in view.html


@pytest.fixture
def labelling(small, tmp_path, monkeypatch):
    """Begin to label the small corpus, live; each call is a new kernel."""
    monkeypatch.setenv("TAGKIT_STATIC", "")
    return lambda *words, music=small: widgets.label(
        music, words, tmp_path / "labels.csv"
    )


def keep(view, *values):
    for tick, value in zip(view.parts["ticks"], values, strict=True):
        tick.value = value
    view.parts["buttons"]["Keep and go on"].click()


def test_labels_are_kept_read_and_learned_from(labelling, small, tmp_path):
    view = labelling("calm", "low")
    assert "<b>1 of 6</b>" in view.parts["question"].value
    keep(view, True, False)
    keep(view, False, True)
    assert "2 of 6 kept, in labels.csv. <i>calm</i> 1 yes, 1 no" in (
        view.parts["said"].value
    )
    own = corpus.open(tmp_path / "labels.csv")
    assert own.labels("all").to_numpy().tolist() == [[1, 0], [0, 1]]
    assert list(own.clips["artist"]) == list(small.clips["artist"][:2])

    again = labelling("calm", "low")  # the kernel has started again
    assert "<b>3 of 6</b>" in again.parts["question"].value
    again.parts["buttons"]["Back"].click()
    assert [tick.value for tick in again.parts["ticks"]] == [False, True]
    keep(again, True, True)  # another mind
    assert corpus.open(tmp_path / "labels.csv").labels("all").iloc[1].tolist() == [1, 1]
    for _ in range(3):
        keep(again, False, False)
    assert "is empty" in again.parts["question"].value  # the last file has no sound
    keep(again, True, True)
    assert "5 of 6 kept" in again.parts["said"].value


def test_other_words_want_another_table(labelling, tmp_path):
    keep(labelling("calm"), True)
    with pytest.raises(ValueError, match="artist, calm; needed are file, artist, loud"):
        labelling("loud")
    (tmp_path / "labels.csv").write_text("a,b\n1,2\n")
    with pytest.raises(ValueError, match="has the columns a, b"):
        labelling("calm")
    assert (tmp_path / "labels.csv").read_text() == "a,b\n1,2\n"


def test_labels_of_a_folder_name_its_files_from_there(tmp_path, monkeypatch):
    monkeypatch.setenv("TAGKIT_STATIC", "")
    music = tmp_path / "music"
    for name in ("ann/one.wav", "ben/two.wav"):
        (music / name).parent.mkdir(parents=True)
        audio.write(music / name, SINE.astype(np.float32))
    for value in (1, 0):
        keep(widgets.label(music, ["x, y"]), bool(value))
    rows = (music / "labels.csv").read_text().splitlines()
    assert rows == ['file,artist,"x, y"', "ann/one.wav,,1", "ben/two.wav,,0"]
    assert corpus.open(music).labels("all")["x, y"].tolist() == [1, 0]


def test_a_table_that_cannot_be_written_is_said(labelling, monkeypatch):
    def full(*_):
        raise OSError("no space")

    view = labelling("calm")
    monkeypatch.setattr("tagkit.files.write_atomically", full)
    keep(view, True)
    assert "Not kept: no space" in view.parts["said"].value


def test_a_static_page_of_labelling_reads_nothing(labelling, tmp_path, monkeypatch):
    keep(labelling("calm"), True)
    monkeypatch.setenv("TAGKIT_STATIC", "1")
    view = labelling("loud")
    assert "<i>loud</i>" in view.html and len(sounds(view.html)) == 1
    assert repr(view) == "Label: 6 pieces, loud"
    assert WIDGET not in shown(view)


@pytest.mark.parametrize("words", [[], "calm", ["calm", "Calm"], ["artist"], [" "]])
def test_label_refuses_words(small, words):
    with pytest.raises(ValueError, match="needed is a list of one or more"):
        widgets.label(small, words)


def test_label_refuses_a_folder_without_sound(tmp_path):
    with pytest.raises(ValueError, match="there is no sound"):
        widgets.label(tmp_path, ["calm"])
