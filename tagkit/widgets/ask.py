"""To click: a menu of tags, a guess at a clip's tags, a quiz, a prediction."""

import contextlib
import json
import math
import os
import string
from collections.abc import Sequence
from pathlib import Path

import ipywidgets
import numpy as np

from tagkit import files
from tagkit.data import tags
from tagkit.data.audio import AudioError
from tagkit.data.corpus import Corpus
from tagkit.widgets import page
from tagkit.widgets.page import MAX_SECONDS, View, box, is_static, listing, safe
from tagkit.widgets.sound import player


def tag_explorer(
    corpus: Corpus,
    n_clips: int = 3,
    tag: str | None = None,
    tag_list="raw50",
    seconds: float = 5,
) -> View:
    """Choose a tag from a menu and hear clips that carry it.

    The clips are spread evenly over those of the tag, and the same each time. Where
    the corpus knows the truth, each clip says whether the tag is true of it.

    Args:
        n_clips: players per tag.
        tag: the first one, which a static page shows; default the most frequent.
        seconds: per player, at most 10.

    Raises: ValueError for a tag that is not in the list, or a list without clips.
    Notebook: course/01_dataset_analysis.ipynb
    """
    labels = corpus.labels(tag_list)
    counts = labels.sum()
    counts = counts[counts > 0].sort_values(ascending=False, kind="stable")
    tag = counts.index[0] if tag is None and len(counts) else tag
    if tag not in counts:
        raise ValueError(
            f"no clip of {corpus.name} has the tag {tag!r}; needed is one of "
            f"{', '.join(counts.index[:8])} ...; see corpus.labels(tag_list).sum()"
        )

    def clips_of(tag):
        ids = labels.index[labels[tag] == 1]
        picked = ids[np.unique(np.linspace(0, len(ids) - 1, n_clips).astype(int))]
        clips = "".join(_clip(corpus, clip_id, seconds, tag) for clip_id in picked)
        heading = f"<b>{safe(tag)}</b>: {len(ids):,} of {len(labels):,} clips"
        return box(heading + clips)

    menu = ipywidgets.Dropdown(
        options=[(f"{name} ({count:,} clips)", name) for name, count in counts.items()],
        value=tag,
        description="tag",
    )
    clips = page.follow(clips_of, menu)
    others = ", ".join(f"{safe(t)} ({n:,})" for t, n in counts.items() if t != tag)
    more = f"<small>In JupyterLab a menu switches to: {others}.</small>"
    return View(
        f"Tag explorer: {tag}, {min(n_clips, counts[tag])} of {counts[tag]:,} clips",
        clips.value + box(more),
        ipywidgets.VBox([menu, clips]),
        {"tag": menu, "clips": clips},
    )


def _clip(corpus, clip_id, seconds, tag) -> str:
    """Player, title, artist and tags of one clip."""
    about = corpus.clips.loc[clip_id]
    name = f"{about.get('title', '')} - {about.get('artist', '')}"
    try:
        sound = player(corpus.load(clip_id), seconds=seconds, title=name).html
    except AudioError as reason:  # the others still play
        sound = box(safe(reason))
    caption = page.crowd_named(corpus, clip_id)
    if corpus.truth is not None and tag in corpus.truth:
        is_true = bool(corpus.truth.at[clip_id, tag])
        caption += f"; <b>{safe(tag)}</b> is {'true' if is_true else 'not true'} of it"
    return f"{sound}<small>{caption}</small>"


def guess(
    corpus: Corpus,
    clip_id: int,
    n_choices: int = 12,
    seconds: float = MAX_SECONDS,
    seed: int = 0,
) -> View:
    """Listen to a clip, tick the tags that you hear, then compare with the crowd.

    Args:
        n_choices: tags to choose from: the crowd's and frequent others.

    Raises: ValueError for an unknown clip, AudioError for one that cannot be read.
    Notebook: course/00_start_here.ipynb
    """
    sound = player(corpus.load(clip_id), seconds=seconds, title=f"clip {clip_id}")
    crowd = page.tags_of(corpus.annotations, clip_id)
    others = [tag for tag in tags.top(corpus.annotations) if tag not in crowd]
    n_others = min(len(others), max(0, n_choices - len(crowd)))
    added = np.random.default_rng(seed).choice(len(others), n_others, replace=False)
    choices = sorted([*crowd, *(others[i] for i in added)])
    truth = ""
    if corpus.truth is not None:
        true = listing(page.tags_of(corpus.truth, clip_id))
        truth = f"<br>True of the sound: {true}"
    boxes = []
    for tag in choices:
        # A full-width dollar sign, as "$" begins a formula in a description.
        name = tag.replace("$", "\N{FULLWIDTH DOLLAR SIGN}")
        tick = ipywidgets.Checkbox(False, description=name, indent=False)
        tick.layout.width = "14em"
        boxes.append(tick)
    button = ipywidgets.Button(description="What did the crowd say?")
    button.layout.width = "16em"
    answer = ipywidgets.HTML()

    def compare(_):
        ticked = [tag for tag, tick in zip(choices, boxes, strict=True) if tick.value]
        both = [tag for tag in ticked if tag in crowd]
        you = [tag for tag in ticked if tag not in crowd]
        missed = [tag for tag in crowd if tag not in ticked]
        answer.value = box(
            f"<b>You and the crowd</b>: {listing(both)}<br>"
            f"<b>You only</b>: {listing(you)}<br>"
            f"<b>The crowd only</b>: {listing(missed)}{truth}"
        )

    button.on_click(compare)
    grid = ipywidgets.Box(boxes, layout={"flex_flow": "row wrap"})
    question = "Which of these tags do you hear?"
    answers = f"{page.crowd_named(corpus, clip_id)}.{truth}{truth and '.'}"
    static = box(
        f"{sound.html}{question} {listing(choices)}."
        f"<details><summary>What did the crowd say?</summary>{answers}</details>"
    )
    top = ipywidgets.HTML(box(sound.html + question))
    return View(
        f"Guess: {len(choices)} tags for clip {clip_id}",
        static,
        ipywidgets.VBox([top, grid, button, answer]),
        {"boxes": boxes, "button": button, "said": answer},
    )


def quiz(question: str, choices: list) -> View:
    """Ask a question; a click on a choice opens its explanation.

    Args:
        question: text, in which `backticks` mark code.
        choices: (text, is_right, explanation) each; explain the wrong ones, too.

    Raises: ValueError for fewer than two choices, none that is right, or a choice
    without its three parts.
    Notebook: course/00_start_here.ipynb

    >>> quiz("Is 0.5 a good ROC-AUC?", [("Yes", False, "It is chance."),
    ...     ("No", True, "A coin reaches it.")])
    Quiz: Is 0.5 a good ROC-AUC? (2 choices)
    """
    whole = all(len(choice) == 3 and all(map(str, choice)) for choice in choices)
    if len(choices) < 2 or not whole or not any(choice[1] for choice in choices):
        raise ValueError(
            f"choices are {choices!r}; needed are two or more of (text, is_right, "
            "explanation), at least one of them right; add what is missing"
        )
    rows = ""
    letters = string.ascii_uppercase[: len(choices)]
    for letter, (text, is_right, why) in zip(letters, choices, strict=True):
        verdict = "\N{CHECK MARK} Right." if is_right else "\N{BALLOT X} No."
        rows += (
            f"<details><summary>{letter}: {safe(text, code=True)}</summary>"
            f"<b>{verdict}</b> {safe(why, code=True)}</details>"
        )
    return View(
        f"Quiz: {question} ({len(choices)} choices)",
        box(f"<b>{safe(question, code=True)}</b>{rows}"),
    )


class Prediction(View):
    """A question, the reader's answer to it, and later both beside the truth.

    Attributes:
        answer: the option chosen or the number set, None before that.
    """

    def __init__(self, question: str, options: Sequence):
        self.question = question
        self.is_number = not isinstance(options[0], str)
        self.decimals = 0
        kept = _answers().get(question)
        if self.is_number:
            low, high = options
            power = math.floor(math.log10((high - low) / 50))  # 50 steps or more
            self.decimals = max(0, -power)
            slider = ipywidgets.FloatSlider(
                value=(low + high) / 2,
                min=low,
                max=high,
                step=10.0**power,
                readout_format=f",.{self.decimals}f",
                description="you say",
                layout={"width": "36em"},
            )
            button = ipywidgets.Button(description="Keep this answer")
            button.on_click(lambda _: self._keep(slider.value))
            parts = {"slider": slider, "button": button}
            controls = [slider, button]
            asked = f"Name a number from {self._text(low)} to {self._text(high)}."
            fits = isinstance(kept, int | float) and low <= kept <= high
        else:
            controls = [
                ipywidgets.Button(
                    description=text, tooltip=question, layout={"width": "auto"}
                )
                for text in options
            ]
            for button in controls:
                button.on_click(lambda button: self._keep(button.description))
            parts = {"buttons": controls}
            asked = f"Choose one: {listing(options)}."
            fits = kept in options
        said = ipywidgets.HTML()
        heading = f"<b>Your prediction: {safe(question, code=True)}</b>"
        row = ipywidgets.Box(controls, layout={"flex_flow": "row wrap"})
        super().__init__(
            f"Prediction: {question}",
            box(
                f"{heading}<br>{asked} "
                "<small>In JupyterLab a button keeps your answer.</small>"
            ),
            ipywidgets.VBox([ipywidgets.HTML(box(heading)), row, said]),
            {**parts, "said": said},
        )
        self.answer = None
        if fits:  # else the question had other options then
            self._say(kept)

    def reveal(self, truth) -> View:
        """Show the answer beside the truth; without an answer, the truth alone.

        Raises: ValueError for a truth that is no number where one was asked for.
        """
        is_number = isinstance(truth, int | float | np.number) and np.isfinite(truth)
        if self.is_number and not is_number:
            raise ValueError(
                f"the truth about {self.question!r} is {truth!r}; needed is a number; "
                "take .item() of an array or tensor"
            )
        truth = self._text(truth)
        words = f"It was {truth}."
        if self.answer is not None:
            answer = self._text(self.answer)
            words = f"You said {answer}. " + ("So it is." if answer == truth else words)
        return View(words, box(page.status(f"<b>{safe(words)}</b>")))

    def _text(self, value) -> str:
        return f"{value:,.{self.decimals}f}" if self.is_number else str(value)

    def _say(self, answer):
        self.answer = answer
        words = f"You say <b>{safe(self._text(answer))}</b>."
        self.parts["said"].value = page.status(words)

    def _keep(self, answer):
        self._say(answer)
        kept = {**_answers(), self.question: answer}
        text = json.dumps(kept, indent=1, ensure_ascii=False) + "\n"
        with contextlib.suppress(OSError):  # costs the file, not the answer
            files.write_atomically(_answers_file(), text.encode())


def predict(question: str, options: Sequence) -> Prediction:
    """Ask for a prediction, keep the answer, and show it beside the truth later.

    The answer is kept in `.predictions.json` beside `progress.json`, so that a kernel
    that starts again knows it. A static page shows the question and its options alone.

    Args:
        question: text, in which `backticks` mark code; another one for each prediction.
        options: two or more texts, or two numbers between which the answer lies.

    Raises: ValueError for other options.

    >>> guess = predict("Which has more parameters?", ["the LSTM", "the GRU"])
    >>> guess.reveal("the LSTM")
    It was the LSTM.
    """
    texts = [option for option in options if isinstance(option, str)]
    is_choice = len(texts) == len(options) == len(set(texts)) >= 2
    if not is_choice and (texts or len(options) != 2 or not options[0] < options[1]):
        raise ValueError(
            f"the options of {question!r} are {options!r}; needed are two or more "
            "different texts, or two numbers, the lower one first"
        )
    return Prediction(question, options)


def _answers_file() -> Path:
    progress = os.environ.get("TAGKIT_PROGRESS") or "progress.json"
    return Path(progress).with_name(".predictions.json")


def _answers() -> dict:
    """The answers kept so far, by question; a damaged file counts as empty."""
    if is_static():
        return {}
    with contextlib.suppress(OSError, ValueError):
        kept = json.loads(_answers_file().read_text("utf-8"))
        return kept if isinstance(kept, dict) else {}
    return {}
