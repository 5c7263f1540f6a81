"""To click: a menu of tags, a guess at a clip's tags, a quiz."""

import string

import ipywidgets
import numpy as np

from tagkit.data import tags
from tagkit.data.audio import AudioError
from tagkit.data.corpus import Corpus
from tagkit.widgets import page
from tagkit.widgets.page import MAX_SECONDS, View, box, listing, safe
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
