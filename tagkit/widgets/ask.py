"""To click: a menu of tags, a guess at a clip's tags, a quiz."""

import string

import ipywidgets
import numpy as np

from tagkit.data import tags
from tagkit.data.corpus import Corpus
from tagkit.widgets.page import CROWD, MAX_SECONDS, View, box, listing, safe, tags_of
from tagkit.widgets.sound import player


def tag_explorer(
    corpus: Corpus,
    n_clips: int = 3,
    tag: str | None = None,
    tag_list="raw50",
    seconds: float = 5,
) -> View:
    """Choose a tag from a menu and hear clips that carry it.

    Clips are spread evenly over the tag's clips, the same ones each time. Where the
    corpus knows the truth, each clip says whether the tag is true of it.

    Args:
        n_clips: players per tag; tag: the one to begin with, default the most
            frequent, which is also the one that a static page shows.
        seconds: per player, at most 10.

    Raises: ValueError for a tag that is not in the list, or a list without clips.

    >>> from tagkit.data import corpus
    >>> tag_explorer(corpus.open("mini"), n_clips=1, tag="piano")  # doctest: +ELLIPSIS
    Tag explorer: piano, 1 of ... clips

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

    def page(tag):
        ids = labels.index[labels[tag] == 1]
        picked = ids[np.unique(np.linspace(0, len(ids) - 1, n_clips).astype(int))]
        clips = "".join(_clip(corpus, clip_id, seconds, tag) for clip_id in picked)
        return f"<b>{safe(tag)}</b>: {len(ids):,} of {len(labels):,} clips{clips}"

    first = page(tag)
    menu = ipywidgets.Dropdown(
        options=[(f"{name} ({count:,} clips)", name) for name, count in counts.items()],
        value=tag,
        description="tag",
    )
    clips = ipywidgets.HTML(box(first))

    def change(event):
        clips.value = box(f"<i>loading {safe(event['new'])} ...</i>")
        clips.value = box(page(event["new"]))

    menu.observe(change, names="value")
    others = ", ".join(f"{safe(t)} ({n:,})" for t, n in counts.items() if t != tag)
    more = f"<br><small>In JupyterLab a menu switches to: {others}.</small>"
    shown = min(n_clips, int(counts[tag]))
    return View(
        f"Tag explorer: {tag}, {shown} of {counts[tag]:,} clips",
        box(first + more),
        ipywidgets.VBox([menu, clips]),
        {"tag": menu, "clips": clips},
    )


def guess(
    corpus: Corpus,
    clip_id: int,
    n_choices: int = 12,
    seconds: float = MAX_SECONDS,
    seed: int = 0,
) -> View:
    """Listen to a clip, tick the tags that you hear, then see what the crowd said.

    Args:
        n_choices: tags to choose from: the crowd's, filled up with frequent others.

    Raises: ValueError for an unknown clip, AudioError for one that cannot be read.

    >>> from tagkit.data import corpus
    >>> mini = corpus.open("mini")
    >>> guess(mini, mini.clips.index[0])  # doctest: +ELLIPSIS
    Guess: 12 tags for clip ...

    Notebook: course/00_start_here.ipynb
    """
    sound = player(corpus.load(clip_id), seconds=seconds, title=f"clip {clip_id}")
    crowd = tags_of(corpus.annotations, clip_id)
    others = [tag for tag in tags.top(corpus.annotations) if tag not in crowd]
    n_others = min(len(others), max(0, n_choices - len(crowd)))
    added = np.random.default_rng(seed).choice(len(others), n_others, replace=False)
    choices = sorted([*crowd, *(others[i] for i in added)])
    truth = None if corpus.truth is None else tags_of(corpus.truth, clip_id)
    answer = f"{CROWD}: {listing(crowd)}." + (
        "" if truth is None else f"<br>True of the sound: {listing(truth)}."
    )
    layout = {"width": "14em"}
    boxes = [  # a full-width dollar sign, as "$" begins a formula in a description
        ipywidgets.Checkbox(False, description=name, indent=False, layout=layout)
        for name in (tag.replace("$", "\N{FULLWIDTH DOLLAR SIGN}") for tag in choices)
    ]
    button = ipywidgets.Button(description="What did the crowd say?")
    button.layout.width = "16em"
    said = ipywidgets.HTML()

    def compare(_):
        ticked = zip(choices, boxes, strict=True)
        heard = [tag for tag, tick in ticked if tick.value]
        lines = (
            ("You and the crowd", [tag for tag in heard if tag in crowd]),
            ("You only", [tag for tag in heard if tag not in crowd]),
            ("The crowd only", [tag for tag in crowd if tag not in heard]),
        )
        told = "<br>".join(f"<b>{who}</b>: {listing(names)}" for who, names in lines)
        known = "" if truth is None else f"<br>True of the sound: {listing(truth)}"
        said.value = box(told + known)

    button.on_click(compare)
    grid = ipywidgets.Box(boxes, layout={"flex_flow": "row wrap"})
    question = "Which of these tags do you hear?"
    page = box(
        f"{sound.html}{question} {listing(choices)}."
        f"<details><summary>What did the crowd say?</summary>{answer}</details>"
    )
    top = ipywidgets.HTML(box(sound.html + question))
    return View(
        f"Guess: {len(choices)} tags for clip {clip_id}",
        page,
        ipywidgets.VBox([top, grid, button, said]),
        {"boxes": boxes, "button": button, "said": said},
    )


def quiz(question: str, choices: list) -> View:
    """Ask a question; each choice answers with its own explanation.

    Args:
        question: text, in which `backticks` mark code.
        choices: (text, is_right, explanation) each; wrong ones deserve a reason, too.

    Raises: ValueError for fewer than two choices, none that is right, or a choice
    without its three parts.

    >>> quiz("Is 0.5 a good ROC-AUC?", [("Yes", False, "It is chance."),
    ...     ("No", True, "A coin reaches it.")])
    Quiz: Is 0.5 a good ROC-AUC? (2 choices)

    Notebook: course/00_start_here.ipynb
    """
    whole = all(len(choice) == 3 and all(map(str, choice)) for choice in choices)
    if len(choices) < 2 or not whole or not any(choice[1] for choice in choices):
        raise ValueError(
            f"choices are {choices!r}; needed are two or more of (text, is_right, "
            "explanation), at least one of them right; add what is missing"
        )
    letters = string.ascii_uppercase[: len(choices)]
    rows, buttons, places = [], [], []
    asked, answered = "", ""
    for letter, (choice, is_right, why) in zip(letters, choices, strict=True):
        verdict = "\N{CHECK MARK} Right." if is_right else "\N{BALLOT X} No."
        answer = f"<b>{verdict}</b> {safe(why, code=True)}"
        asked += f"<li>{letter}: {safe(choice, code=True)}</li>"
        answered += f"<li>{letter}: {answer}</li>"
        layout = {"width": "3em", "flex": "0 0 auto"}
        button = ipywidgets.Button(description=letter, layout=layout)
        place = ipywidgets.HTML()
        button.on_click(
            lambda _, place=place, a=answer: place.set_trait("value", box(a))
        )
        row = [button, ipywidgets.HTML(box(safe(choice, code=True)))]
        rows += [ipywidgets.HBox(row, layout={"align_items": "center"}), place]
        buttons.append(button)
        places.append(place)
    flat = '<ul style="list-style:none;padding-left:1em">'
    title = f"<b>{safe(question, code=True)}</b>"
    page = box(
        f"{title}{flat}{asked}</ul>"
        f"<details><summary>Answers</summary>{flat}{answered}</ul></details>"
    )
    return View(
        f"Quiz: {question} ({len(choices)} choices)",
        page,
        ipywidgets.VBox([ipywidgets.HTML(box(title)), *rows]),
        {"buttons": buttons, "said": places},
    )


def _clip(corpus, clip_id, seconds, tag) -> str:
    """Player, title, artist and tags of one clip."""
    about = corpus.clips.loc[clip_id]
    name = f"{about.get('title', '')} - {about.get('artist', '')}"
    try:
        sound = player(corpus.load(clip_id), seconds=seconds, title=name).html
    except ValueError as reason:  # the others still play
        sound = box(safe(reason))
    told = f"{CROWD}: {listing(tags_of(corpus.annotations, clip_id))}"
    if corpus.truth is not None and tag in corpus.truth:
        is_true = bool(corpus.truth.at[clip_id, tag])
        told += f"; <b>{safe(tag)}</b> is {'true' if is_true else 'not true'} of it"
    return f"{sound}<small>{told}</small>"
