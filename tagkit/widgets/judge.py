"""To judge: a slider for the threshold, and a browser of mistakes to relabel."""

import base64
import html

import ipywidgets
import numpy as np
import pandas as pd

from tagkit import plots
from tagkit.data.corpus import Corpus
from tagkit.evaluation import metrics
from tagkit.widgets.page import CROWD, View, box, listing, safe, tags_of
from tagkit.widgets.sound import player

ALL = "all tags (macro)"


def threshold_slider(
    labels: pd.DataFrame, scores, threshold: float = 0.5, tag: str | None = None
) -> View:
    """Move a threshold and see yeses, precision, recall and F1 change.

    Args:
        threshold: where the slider begins, and what a static page shows.
        tag: the one to begin with; default all tags, averaged.

    Shape: labels (n_clips, n_tags), scores (n_clips, n_tags) in [0, 1].
    Raises: ValueError as metrics.roc_auc; for a tag that no clip carries, or a
    threshold outside [0.01, 0.99].

    >>> labels = pd.DataFrame({"flute": [1, 1, 0], "harp": [0, 1, 0]})
    >>> threshold_slider(labels, [[0.9, 0.1], [0.4, 0.8], [0.3, 0.2]], tag="flute")
    Threshold slider: flute at 0.50, precision 1.00, recall 0.50, F1 0.67

    Notebook: course/05_per_tag_evaluation.ipynb
    """
    scores = np.asarray(scores, dtype=float)
    named = [ALL, *labels.columns[labels.sum() > 0]]
    tag = ALL if tag is None else tag
    if tag not in named or not 0.01 <= threshold <= 0.99:
        raise ValueError(
            f"tag {tag!r} at threshold {threshold}; needed are a tag that some clip "
            "carries and a threshold from 0.01 to 0.99; see labels.sum()"
        )
    grid = np.round(np.linspace(0.01, 0.99, 99), 2)
    tables = {at: metrics.decisions(labels, scores, at) for at in grid}

    def rows(tag):
        name = "macro" if tag == ALL else tag
        return pd.DataFrame({at: table.loc[name] for at, table in tables.items()}).T

    def page(tag, at):
        curves = rows(tag)
        now = curves.loc[at]
        ax = plots.threshold_curves(curves[["precision", "recall", "f1"]], at)
        alt = html.escape(plots.alt_text(ax))
        png = base64.b64encode(plots.to_png(ax)).decode()
        told = (
            f"<b>{safe(tag)}</b>, threshold {at:.2f}: {now['yes']:,.0f} yeses, "
            f"{now['right']:,.0f} of them right; {now['positives']:,.0f} labels are 1. "
            f"Precision {now['precision']:.2f}, recall {now['recall']:.2f}, "
            f"F1 {now['f1']:.2f}."
        )
        picture = f'<img src="data:image/png;base64,{png}" alt="{alt}" width="800">'
        return f'<div role="status" aria-live="polite">{told}</div>{picture}', now

    first, now = page(tag, round(threshold, 2))
    wide = {"width": "36em"}
    menu = ipywidgets.Dropdown(options=named, value=tag, description="tag")
    slider = ipywidgets.FloatSlider(
        value=threshold,
        min=0.01,
        max=0.99,
        step=0.01,
        description="threshold",
        continuous_update=False,
        layout=wide,
    )
    shown = ipywidgets.HTML(box(first))

    def change(_):
        shown.value = box(page(menu.value, round(slider.value, 2))[0])

    menu.observe(change, names="value")
    slider.observe(change, names="value")
    cells = rows(tag).loc[np.round(np.arange(0.1, 0.95, 0.1), 2)]
    cells = cells[["yes", "right", "precision", "recall", "f1"]].rename_axis(
        "threshold"
    )
    counts = {name: "{:.0f}".format for name in ("yes", "right")}
    table = cells.reset_index().to_html(
        index=False, border=0, float_format="{:.2f}".format, formatters=counts
    )
    more = "<small>In JupyterLab a slider moves the threshold, a menu the tag.</small>"
    return View(
        f"Threshold slider: {tag} at {threshold:.2f}, precision "
        f"{now['precision']:.2f}, recall {now['recall']:.2f}, F1 {now['f1']:.2f}",
        box(first + table + more),
        ipywidgets.VBox([menu, slider, shown]),
        {"tag": menu, "threshold": slider, "shown": shown},
    )


def relabel(
    corpus: Corpus, labels: pd.DataFrame, scores, mistakes, seconds: float = 5
) -> View:
    """Listen to mistakes one by one, say who is right, and see the scores change.

    The labels given stay as they are; `parts["labels"]` holds the corrected ones.
    Where the corpus knows the truth, it is told after your answer.

    Args:
        mistakes: (clip_id, tag) each, such as the pairs of highest score without label.
        seconds: per player, at most 10; a dozen players of 5 s are a quarter of a MB.

    Shape: labels (n_clips, n_tags), scores (n_clips, n_tags).
    Raises: ValueError for no mistakes or one that is not in labels; as `player`.

    >>> from tagkit.data import corpus
    >>> mini = corpus.open("mini")
    >>> labels = mini.labels(["piano", "harp"]).iloc[:40]
    >>> relabel(mini, labels, labels.to_numpy() / 2, [(labels.index[0], "harp")])
    Relabel: 1 mistake; ROC-AUC 1.000, AP 1.000 with the labels as they are

    Notebook: course/05_per_tag_evaluation.ipynb
    """
    mistakes = [(clip, tag) for clip, tag in mistakes]
    lost = [m for m in mistakes if m[0] not in labels.index or m[1] not in labels]
    if lost or not mistakes:
        raise ValueError(
            f"{len(mistakes)} mistakes, {lost[:1]} is not in labels; needed are pairs "
            "of a clip and a tag of labels; take them from labels.stack()"
        )
    scores = np.asarray(scores, dtype=float)
    given, mine = labels.copy(), labels.copy()
    truth = corpus.truth
    known = [truth is not None and tag in truth for _, tag in mistakes]
    rights = [
        int(truth.at[m]) if k else None for m, k in zip(mistakes, known, strict=True)
    ]

    def figures(table):
        macro = metrics.evaluate(table, scores, n_boot=300).loc["macro"]
        return [
            f"{macro[m]:.3f} ({macro[low]:.3f} to {macro[high]:.3f})"
            for m, low, high in (
                ("roc_auc", "roc_low", "roc_high"),
                ("ap", "ap_low", "ap_high"),
            )
        ]

    def compared(rows):
        head = "<tr><th></th><th>changed</th><th>ROC-AUC</th><th>AP</th></tr>"
        body = ""
        for name, table in rows.items():
            n = int((table != given).to_numpy().sum())
            cells = "".join(f"<td>{x}</td>" for x in (n, *figures(table)))
            body += f"<tr><th>{safe(name)}</th>{cells}</tr>"
        return (
            f'<div role="status" aria-live="polite"><table>{head}{body}</table></div>'
        )

    def asked(place):
        clip, tag = mistakes[place]
        score = scores[labels.index.get_loc(clip), labels.columns.get_loc(tag)]
        sound = player(corpus.load(clip), seconds=seconds, title=f"clip {clip}").html
        did = "named" if given.at[clip, tag] else "did not name"
        others = [t for t in tags_of(corpus.annotations, clip) if t != tag]
        return (
            f"<b>{place + 1} of {len(mistakes)}: {safe(tag)}</b> on clip {clip}. The "
            f"crowd {did} it, the network gives {score:.2f}.{sound}"
            f"<small>{CROWD}{' also' * (did == 'named')}: {listing(others)}.</small>"
        )

    def told(place):
        if rights[place] is None:
            return "What is true of this clip is not known."
        right = "label" if rights[place] == given.at[mistakes[place]] else "network"
        tag, there = safe(mistakes[place][1]), "is" if rights[place] else "is not"
        return f"<b>{tag}</b> {there} true of it: the {right} was right."

    pages = [asked(place) for place in range(len(mistakes))]
    as_true = given.copy()
    for mistake, right in zip(mistakes, rights, strict=True):
        as_true.at[mistake] = given.at[mistake] if right is None else right
    before = {"as the crowd named": given}
    after = {"with the truth for these": as_true} if any(known) else {}
    answers = "".join(f"<li>{told(place)}</li>" for place in range(len(mistakes)))
    static = (
        "".join(box(page) for page in pages)
        + f"<details><summary>Who was right?</summary><ol>{answers}</ol></details>"
        + compared(before | after)
        + "<small>In JupyterLab buttons set each label right, and the scores follow."
        "</small>"
    )
    question = ipywidgets.HTML(box(pages[0]))
    said, score = ipywidgets.HTML(), ipywidgets.HTML(box(compared(before)))
    names = ("It is there", "It is not there", "Back", "Next")
    buttons = [ipywidgets.Button(description=name) for name in names]
    place = [0]

    def answer(value):
        mine.at[mistakes[place[0]]] = value
        same = value == given.at[mistakes[place[0]]]
        note = "The label stays." if same else f"The label is {value} now."
        said.value = box(f'<div role="status">{note} {told(place[0])}</div>')
        score.value = box(compared(before | {"as you set them": mine}))

    def turn(step):
        place[0] = (place[0] + step) % len(mistakes)
        question.value, said.value = box(pages[place[0]]), ""

    for button, act, value in zip(
        buttons, (answer, answer, turn, turn), (1, 0, -1, 1), strict=True
    ):
        button.on_click(lambda _, act=act, value=value: act(value))
    roc, ap = (text.split()[0] for text in figures(given))
    return View(
        f"Relabel: {len(mistakes)} mistake{'s' * (len(mistakes) != 1)}; ROC-AUC {roc}, "
        f"AP {ap} with the labels as they are",
        box(static),
        ipywidgets.VBox([question, ipywidgets.HBox(buttons), said, score]),
        {"buttons": dict(zip(names, buttons, strict=True)), "question": question}
        | {"said": said, "score": score, "labels": mine},
    )
