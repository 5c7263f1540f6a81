"""To judge: mistakes to hear and set right, and a threshold that moves."""

import ipywidgets
import numpy as np
import pandas as pd

from tagkit import plots
from tagkit.data import audio
from tagkit.data.corpus import Corpus
from tagkit.evaluation import metrics
from tagkit.plots.sound import log_mel
from tagkit.widgets import page
from tagkit.widgets.page import View, box, safe
from tagkit.widgets.sound import player

ANSWERS = {"It is there": 1, "It is not there": 0, "Can't tell": None}


def threshold_slider(
    labels: pd.DataFrame,
    scores,
    threshold: float = 0.5,
    tag: str | None = None,
    *,
    corpus: Corpus | None = None,
) -> View:
    """Move a threshold through the scores of a tag, and see and hear what changes.

    A dot is a clip. Below are precision, recall and F1 over the threshold, and players
    of the two clips next to the cut.

    Args:
        threshold: where the slider begins, and what a static page shows.
        tag: the first one; default the most frequent.
        corpus: of the clips, if they are to be heard.

    Shape: labels (n_clips, n_tags), scores (n_clips, n_tags) in [0, 1].
    Raises: ValueError as metrics.roc_auc; for a tag that no clip carries, or a
    threshold outside [0.01, 0.99].
    Notebook: course/05_per_tag_evaluation.ipynb
    """
    scores = pd.DataFrame(np.asarray(scores, dtype=float), *labels.axes)
    names = list(labels.columns[labels.sum() > 0])
    tag = labels.sum().idxmax() if tag is None else tag
    if tag not in names or not 0.01 <= threshold <= 0.99:
        raise ValueError(
            f"tag {tag!r} at threshold {threshold}; needed are a tag that some clip "
            "carries and a threshold from 0.01 to 0.99; see labels.sum()"
        )
    grid = np.round(np.linspace(0.01, 0.99, 99), 2)
    tables = {step: metrics.decisions(labels, scores, step) for step in grid}

    def curves(tag):
        return pd.DataFrame({step: table.loc[tag] for step, table in tables.items()}).T

    def at_threshold(tag, threshold):
        threshold = round(threshold, 2)
        rows = curves(tag)
        now = rows.loc[threshold]
        summary = page.status(
            f"<b>{safe(tag)}</b>, threshold {threshold:.2f}: {now['yes']:,.0f} yeses, "
            f"{now['right']:,.0f} of them right; {now['positives']:,.0f} clips have "
            f"the tag. Precision {now['precision']:.2f}, recall {now['recall']:.2f}, "
            f"F1 {now['f1']:.2f}."
        )
        figure, axes = plots.panels(2, height=1.9)
        dots, lines = axes[:, 0]
        plots.score_dots(labels[tag], scores[tag], threshold, ax=dots)
        rows = rows[["precision", "recall", "f1"]]
        plots.threshold_curves(rows, threshold, ax=lines)
        lines.set_xlim(dots.get_xlim())
        heard = _at_the_cut(corpus, labels[tag], scores[tag], threshold)
        return box(summary + page.image(figure) + heard)

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
    corpus: Corpus,
    labels: pd.DataFrame,
    scores,
    mistakes,
    *,
    model=None,
    seconds: float = 5,
) -> View:
    """Listen to mistakes one by one, say what is there, and see the scores change.

    Label and score are hidden until you have answered; then the next clip is there. A
    label of which you cannot tell stays. The table given stays as it is:
    `parts["labels"]` is a corrected copy. Intervals draw whole artists.

    Args:
        mistakes: (clip_id, tag) each, such as the pairs of highest score without label.
        model: a network with short windows whose outputs are the tags of labels. Each
            player begins where it scores the tag highest; default mid-clip.
        seconds: per player, at most 10.

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
    table = pd.DataFrame(np.asarray(scores, dtype=float), *labels.axes)
    artists = corpus.clips.loc[labels.index, "artist"]
    known = pd.DataFrame() if corpus.truth is None else corpus.truth
    yours, true = labels.copy(), labels.copy()
    pages, verdicts = [], []
    for number, (clip_id, tag) in enumerate(mistakes, 1):
        sound = _from_the_peak(corpus, clip_id, tag, model, list(labels), seconds)
        pages.append(
            f"<b>{number} of {len(mistakes)}: is <i>{safe(tag)}</i> there?</b> "
            f"{seconds:g} s of clip {clip_id}.<br>{sound}"
        )
        label = labels.at[clip_id, tag]
        truth = known.at[clip_id, tag] if tag in known else None
        true.at[clip_id, tag] = label if truth is None else truth
        verdicts.append(
            f"<b>{safe(tag)}</b> in clip {clip_id}: "
            + _verdict(label, table.at[clip_id, tag], truth)
        )

    def row(name, corrected):
        return _row(name, corrected, labels, table, artists)

    before = row("as they are", labels)
    after = row("with the truth for these", true) if not true.equals(labels) else ""
    answers = "".join(f"<li>{verdict}</li>" for verdict in verdicts)
    static = (
        "".join(map(box, pages))
        + f"<details><summary>Who was right?</summary><ol>{answers}</ol></details>"
        + _comparison(before + after)
        + "<small>In JupyterLab buttons set each label right, and the scores follow."
        "</small>"
    )
    question = ipywidgets.HTML(box(pages[0]))
    said = ipywidgets.HTML()
    comparison = ipywidgets.HTML(box(_comparison(before)))
    buttons = {n: ipywidgets.Button(description=n) for n in (*ANSWERS, "Back")}
    given = {}  # what was answered, by number
    current = 0

    def show():
        over = f"<b>All {len(mistakes)} are heard.</b> Back goes to the last one."
        question.value = box(pages[current] if current < len(pages) else over)

    def answer(words):
        nonlocal current
        if current == len(mistakes):
            return
        given[current], mistake = words, mistakes[current]
        value = ANSWERS[words]
        yours.at[mistake] = labels.at[mistake] if value is None else value
        said.value = box(page.status(f"You said: {words}. {verdicts[current]}"))
        unsure = list(given.values()).count("Can't tell")
        name = "as you set them" + (f", {unsure} you could not tell" if unsure else "")
        comparison.value = box(_comparison(before + row(name, yours)))
        current += 1
        show()

    def back(_):
        nonlocal current
        current = max(0, current - 1)
        said.value = ""
        show()

    for words in ANSWERS:
        buttons[words].on_click(lambda _, words=words: answer(words))
    buttons["Back"].on_click(back)
    roc, ap = (text.split()[0] for text in _figures(labels, table, artists))
    return View(
        f"Relabel: {len(mistakes)} mistake{'s' * (len(mistakes) != 1)}; ROC-AUC {roc}, "
        f"AP {ap} with the labels as they are",
        box(static),
        ipywidgets.VBox(
            [question, ipywidgets.HBox(list(buttons.values())), said, comparison]
        ),
        {
            "buttons": buttons,
            "question": question,
            "said": said,
            "score": comparison,
            "labels": yours,
        },
    )


def _at_the_cut(corpus, has, score, threshold) -> str:
    """Players of the clips that score next to the threshold, above and below it."""
    if corpus is None:
        return ""
    heard = []
    for side, clips in (
        ("lowest yes", score[score >= threshold].nsmallest(1)),
        ("highest no", score[score < threshold].nlargest(1)),
    ):
        for clip_id, value in clips.items():
            samples = corpus.load(clip_id)
            middle = max(0.0, len(samples) / audio.SAMPLE_RATE / 2 - 2)
            named = "named" if has[clip_id] else "not named"
            title = f"The {side}, {value:.2f}, {named} by the crowd: clip {clip_id}"
            heard.append(player(samples, seconds=4, title=title, start=middle).html)
    return "".join(heard)


def _from_the_peak(corpus, clip_id, tag, model, tags, seconds) -> str:
    """Spectrogram and player of a piece of a clip, around where its tag is highest."""
    from tagkit.evaluation import predict  # torch, so only when needed

    samples = corpus.load(clip_id)
    rate = audio.SAMPLE_RATE
    whole = len(samples) / rate
    middle = whole / 2
    if model is not None:
        theirs = audio.resample(samples, rate, model.sample_rate)
        middle = predict.timeline(model, theirs, tags, overlap=0.5)[tag].idxmax()
    start = max(0.0, min(middle, whole - seconds / 2) - seconds / 2)
    piece, _ = page.cut(samples, rate, seconds, start)
    figure, ax = plots.panels(height=1.6)
    mel_db, hop = log_mel(piece, rate, n_frames=250)
    plots.spectrogram(mel_db, rate, hop, ax=ax)
    ax.set_ylabel("Hz")
    picture = page.image(figure, 'style="width:100%;display:block"')
    area = ax.get_position()  # where drawing has put it
    cursor, follow, jump = page.cursor(100 * area.x0, 100 * area.width)
    return (
        f'<div><div style="position:relative;max-width:800px" onclick="{jump}">'
        f"{picture}{cursor}</div>"
        f"{page.audio_tag(piece, rate, f' ontimeupdate={follow!r}')}</div>"
    )


def _verdict(label, score, truth) -> str:
    """Who was right; truth is None where it is not known."""
    named = "named it" if label else "did not name it"
    words = f"the crowd {named}, the network gives {score:.2f}. "
    if truth is None:
        return words + "What is true of this clip is not known."
    right = "label" if truth == label else "network"
    return words + f"It is {'' if truth else 'not '}there: the {right} was right."


def _figures(labels, scores, artists) -> list[str]:
    """ROC-AUC and AP with their intervals."""
    report = metrics.evaluate(labels, scores, n_boot=300, groups=artists)
    macro = report.loc["macro"]
    names = (("roc_auc", "roc_low", "roc_high"), ("ap", "ap_low", "ap_high"))
    return [
        f"{macro[value]:.3f} ({macro[low]:.3f} to {macro[high]:.3f})"
        for value, low, high in names
    ]


def _row(name, labels, given, scores, artists) -> str:
    """A row of the comparison: how many labels differ from those given, and scores."""
    n_changed = int((labels != given).to_numpy().sum())
    figures = _figures(labels, scores, artists)
    cells = "".join(f"<td>{x}</td>" for x in (n_changed, *figures))
    return f"<tr><th>{safe(name)}</th>{cells}</tr>"


def _comparison(rows: str) -> str:
    head = "<tr><th>labels</th><th>changed</th><th>ROC-AUC</th><th>AP</th></tr>"
    return page.status(f'<table cellpadding="6">{head}{rows}</table>')
