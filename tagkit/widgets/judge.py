"""To judge: a slider for the threshold, and a browser of mistakes to relabel."""

import ipywidgets
import numpy as np
import pandas as pd

from tagkit import plots
from tagkit.data.corpus import Corpus
from tagkit.evaluation import metrics
from tagkit.widgets import page
from tagkit.widgets.page import View, box, safe
from tagkit.widgets.sound import player

ALL = "all tags (macro)"


def threshold_slider(
    labels: pd.DataFrame, scores, threshold: float = 0.5, tag: str | None = None
) -> View:
    """Move a threshold and see yeses, precision, recall and F1 change.

    Args:
        threshold: where the slider begins, and what a static page shows.
        tag: the first one; default all tags, averaged.

    Shape: labels (n_clips, n_tags), scores (n_clips, n_tags) in [0, 1].
    Raises: ValueError as metrics.roc_auc; for a tag that no clip carries, or a
    threshold outside [0.01, 0.99].
    Notebook: course/05_per_tag_evaluation.ipynb
    """
    scores = np.asarray(scores, dtype=float)
    names = [ALL, *labels.columns[labels.sum() > 0]]
    tag = ALL if tag is None else tag
    if tag not in names or not 0.01 <= threshold <= 0.99:
        raise ValueError(
            f"tag {tag!r} at threshold {threshold}; needed are a tag that some clip "
            "carries and a threshold from 0.01 to 0.99; see labels.sum()"
        )
    grid = np.round(np.linspace(0.01, 0.99, 99), 2)
    tables = {step: metrics.decisions(labels, scores, step) for step in grid}

    def curves(tag):
        row = "macro" if tag == ALL else tag
        return pd.DataFrame({step: table.loc[row] for step, table in tables.items()}).T

    def at_threshold(tag, threshold):
        threshold = round(threshold, 2)
        rows = curves(tag)
        now = rows.loc[threshold]
        ax = plots.threshold_curves(rows[["precision", "recall", "f1"]], threshold)
        summary = (
            f"<b>{safe(tag)}</b>, threshold {threshold:.2f}: {now['yes']:,.0f} yeses, "
            f"{now['right']:,.0f} of them right; {now['positives']:,.0f} labels are 1. "
            f"Precision {now['precision']:.2f}, recall {now['recall']:.2f}, "
            f"F1 {now['f1']:.2f}."
        )
        return box(page.status(summary) + page.image(ax))

    menu = ipywidgets.Dropdown(options=names, value=tag, description="tag")
    slider = ipywidgets.FloatSlider(
        value=threshold,
        min=0.01,
        max=0.99,
        step=0.01,
        description="threshold",
        continuous_update=False,
        layout={"width": "36em"},
    )
    shown = page.follow(at_threshold, menu, slider)
    rows = curves(tag)
    now = rows.loc[round(threshold, 2)]
    rows = rows.loc[np.round(np.arange(0.1, 0.95, 0.1), 2)].rename_axis("threshold")
    table = (
        rows[["yes", "right", "precision", "recall", "f1"]]
        .reset_index()
        .to_html(
            index=False,
            border=0,
            float_format="{:.2f}".format,
            formatters={"yes": "{:.0f}".format, "right": "{:.0f}".format},
        )
    )
    more = "<small>In JupyterLab a slider moves the threshold, a menu the tag.</small>"
    return View(
        f"Threshold slider: {tag} at {threshold:.2f}, precision "
        f"{now['precision']:.2f}, recall {now['recall']:.2f}, F1 {now['f1']:.2f}",
        shown.value + box(table + more),
        ipywidgets.VBox([menu, slider, shown]),
        {"tag": menu, "threshold": slider, "shown": shown},
    )


def relabel(
    corpus: Corpus, labels: pd.DataFrame, scores, mistakes, seconds: float = 5
) -> View:
    """Listen to mistakes one by one, say who is right, and see the scores change.

    The labels given stay as they are; `parts["labels"]` holds the corrected ones.
    Where the corpus knows the truth, it is shown after your answer.

    Args:
        mistakes: (clip_id, tag) each, such as the pairs of highest score without label.
        seconds: per player, at most 10; a dozen players of 5 s take a quarter of a MB.

    Shape: labels (n_clips, n_tags), scores (n_clips, n_tags).
    Raises: ValueError for no mistakes or one that is not in labels; as `player`.
    Notebook: course/05_per_tag_evaluation.ipynb
    """
    mistakes = [(clip_id, tag) for clip_id, tag in mistakes]
    unknown = [m for m in mistakes if m[0] not in labels.index or m[1] not in labels]
    if unknown or not mistakes:
        raise ValueError(
            f"{len(mistakes)} mistakes, {unknown[:1]} is not in labels; needed are "
            "pairs of a clip and a tag of labels; take them from labels.stack()"
        )
    scores = np.asarray(scores, dtype=float)
    table = pd.DataFrame(scores, labels.index, labels.columns)
    known = pd.DataFrame() if corpus.truth is None else corpus.truth
    given = labels.copy()
    yours = labels.copy()
    true = labels.copy()
    pages, verdicts = [], []
    for number, (clip_id, tag) in enumerate(mistakes, 1):
        heading = f"<b>{number} of {len(mistakes)}: {safe(tag)}</b> on clip {clip_id}. "
        score = table.at[clip_id, tag]
        label = given.at[clip_id, tag]
        pages.append(heading + _question(corpus, clip_id, tag, label, score, seconds))
        truth = known.at[clip_id, tag] if tag in known else None
        verdicts.append(_verdict(tag, label, truth))
        true.at[clip_id, tag] = label if truth is None else truth
    before = _row("as the crowd named", given, given, scores)
    after = ""
    if any(tag in known for _, tag in mistakes):
        after = _row("with the truth for these", true, given, scores)
    answers = "".join(f"<li>{verdict}</li>" for verdict in verdicts)
    static = (
        "".join(map(box, pages))
        + f"<details><summary>Who was right?</summary><ol>{answers}</ol></details>"
        + _comparison(before + after)
        + "<small>In JupyterLab buttons set each label right, and the scores follow."
        "</small>"
    )
    question = ipywidgets.HTML(box(pages[0]))
    answer = ipywidgets.HTML()
    comparison = ipywidgets.HTML(box(_comparison(before)))
    names = ("It is there", "It is not there", "Back", "Next")
    buttons = {name: ipywidgets.Button(description=name) for name in names}
    row_of_buttons = ipywidgets.HBox(list(buttons.values()))
    current = 0

    def judge(value):
        mistake = mistakes[current]
        yours.at[mistake] = value
        same = value == given.at[mistake]
        note = "The label stays." if same else f"The label is {value} now."
        answer.value = box(f'<div role="status">{note} {verdicts[current]}</div>')
        row = _row("as you set them", yours, given, scores)
        comparison.value = box(_comparison(before + row))

    def turn(step):
        nonlocal current
        current = (current + step) % len(mistakes)
        question.value = box(pages[current])
        answer.value = ""

    buttons["It is there"].on_click(lambda _: judge(1))
    buttons["It is not there"].on_click(lambda _: judge(0))
    buttons["Back"].on_click(lambda _: turn(-1))
    buttons["Next"].on_click(lambda _: turn(1))
    roc, ap = (text.split()[0] for text in _figures(given, scores))
    return View(
        f"Relabel: {len(mistakes)} mistake{'s' * (len(mistakes) != 1)}; ROC-AUC {roc}, "
        f"AP {ap} with the labels as they are",
        box(static),
        ipywidgets.VBox([question, row_of_buttons, answer, comparison]),
        {
            "buttons": buttons,
            "question": question,
            "said": answer,
            "score": comparison,
            "labels": yours,
        },
    )


def _question(corpus, clip_id, tag, label, score, seconds) -> str:
    """What the crowd and the network say of a clip, with a player."""
    sound = player(corpus.load(clip_id), seconds=seconds, title=f"clip {clip_id}").html
    others = [t for t in page.tags_of(corpus.annotations, clip_id) if t != tag]
    named = "named" if label else "did not name"
    also = " also" if label else ""
    return (
        f"The crowd {named} it, the network gives {score:.2f}.{sound}"
        f"<small>{page.CROWD}{also}: {page.listing(others)}.</small>"
    )


def _verdict(tag, label, truth) -> str:
    """Who was right; truth is None where it is not known."""
    if truth is None:
        return "What is true of this clip is not known."
    right = "label" if truth == label else "network"
    verb = "is" if truth else "is not"
    return f"<b>{safe(tag)}</b> {verb} true of it: the {right} was right."


def _figures(labels, scores) -> list[str]:
    """ROC-AUC and AP with their intervals."""
    macro = metrics.evaluate(labels, scores, n_boot=300).loc["macro"]
    names = (("roc_auc", "roc_low", "roc_high"), ("ap", "ap_low", "ap_high"))
    return [
        f"{macro[value]:.3f} ({macro[low]:.3f} to {macro[high]:.3f})"
        for value, low, high in names
    ]


def _row(name, labels, given, scores) -> str:
    """A row of the comparison: how many labels differ from those given, and scores."""
    n_changed = int((labels != given).to_numpy().sum())
    cells = "".join(f"<td>{x}</td>" for x in (n_changed, *_figures(labels, scores)))
    return f"<tr><th>{safe(name)}</th>{cells}</tr>"


def _comparison(rows: str) -> str:
    head = "<tr><th></th><th>changed</th><th>ROC-AUC</th><th>AP</th></tr>"
    return page.status(f"<table>{head}{rows}</table>")
