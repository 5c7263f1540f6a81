"""What a run leaves on the disk: its best weights and its record.

best.safetensors   the weights of the best epoch, and what they are for
*.json             the record of a finished run, see `results.leaderboard`

and last.pt, see state.py. Each file is there whole or not at all, and none can run code
when it is read.

Notebook: course/02_raw_waveform_cnns.ipynb
"""

import json
from dataclasses import asdict
from itertools import zip_longest
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save

from tagkit.evaluation import metrics
from tagkit.files import write_atomically
from tagkit.models.tagger import Tagger

# Settings of train.Config that version 0.3 did not know, and what they were there.
LATER = {"precision": None, "compile": False, "augment": None, "keep": "valid_loss"}


def read_checkpoint(path: str | Path) -> dict:
    """Read what a checkpoint says of itself, without its weights or any code.

    Shape: a dict with model, arguments, tags, about, config, epoch.
    Raises: ValueError if the file is not such a checkpoint.

    >>> read_checkpoint(__file__)
    Traceback (most recent call last):
    ...
    ValueError: ...checkpoints.py is not a checkpoint ...

    Notebook: course/02_raw_waveform_cnns.ipynb
    """
    try:
        with safe_open(path, "pt") as file:
            return json.loads(file.metadata()["tagkit"])
    except (SafetensorError, OSError, KeyError, TypeError, ValueError) as error:
        raise ValueError(
            f"{path} is not a checkpoint of tagkit ({error}); needed is a file such as "
            "best.safetensors in the folder of a run"
        ) from None


def load(path: str | Path, tags: list[str] | None = None) -> tuple[Tagger, dict]:
    """Build the model of a checkpoint, with its weights.

    Args:
        tags: as in `load_weights`.

    Shape: the model, in evaluation mode, and what `read_checkpoint` gives.
    Raises: ValueError as `read_checkpoint`, `models.build` and `load_weights`.

    >>> from tagkit.data import corpus
    >>> model, about = load(corpus.DATA / "checkpoints" / "mini" / "K2C2.safetensors")
    >>> about["tags"][:3]
    ['slow', 'guitar', 'classical']

    Notebook: course/05_per_tag_evaluation.ipynb
    """
    from tagkit import models  # only here: a training knows no particular one

    about = read_checkpoint(path)
    model = models.build(about["model"], **about["arguments"])
    load_weights(model, path, tags)
    return model.eval(), about


def load_weights(model: Tagger, path: str | Path, tags: list[str] | None = None):
    """Load a checkpoint's weights into a model of the same kind.

    Args:
        tags: the tags that you are going to use, in order; refused if they are not
            those that the weights were trained on.

    Raises: ValueError, naming both sides, if model, arguments or tags differ.

    Notebook: course/02_raw_waveform_cnns.ipynb
    """
    about = read_checkpoint(path)
    mine = (type(model).__name__, model.arguments)
    its = (about["model"], about["arguments"])
    if mine != its:
        raise ValueError(
            f"{path} holds {its[0]} with {its[1]}, the model is {mine[0]} with "
            f"{mine[1]}; build it with models.build(about['model'], "
            "**about['arguments']), about = checkpoints.read_checkpoint(path)"
        )
    if tags is not None and list(tags) != about["tags"]:
        both = zip_longest(about["tags"], tags, fillvalue="no tag")
        at, (its, mine) = next((i, p) for i, p in enumerate(both) if p[0] != p[1])
        raise ValueError(
            f"{path} was trained on {len(about['tags'])} tags, yours are {len(tags)}; "
            f"tag {at} is {its!r} there and {mine!r} here; use the checkpoint's own "
            "list, checkpoints.read_checkpoint(path)['tags']"
        )
    with safe_open(path, "pt") as file:
        set_weights(model, {name: file.get_tensor(name) for name in file.keys()}, path)  # noqa: SIM118


def save_weights(path: Path, model: Tagger, weights: dict, config, train, epoch: dict):
    """Write weights of a model and what they are for.

    Args:
        train: the clips it was trained on; epoch: its row of the history.
    """
    about = {
        "model": type(model).__name__,
        "arguments": model.arguments,
        "tags": list(train.labels.columns),
        "about": train.about,
        "config": asdict(config),
        "epoch": epoch,
    }
    weights = {name: tensor.cpu().contiguous() for name, tensor in weights.items()}
    data = save(weights, {"tagkit": json.dumps(_without_nan(about))})
    write_atomically(path, data)


def halve(source: str | Path, target: str | Path):
    """Copy a checkpoint with its weights in half precision, for shipping.

    `load_weights` reads it as any other. Scores move in the third decimal. What batch
    norm has counted stays as it is: variances can be larger than half precision holds.

    Raises: ValueError as `read_checkpoint`, or if a weight is too large.

    Notebook: course/05_per_tag_evaluation.ipynb
    """
    about = json.dumps(read_checkpoint(source))
    with safe_open(source, "pt") as file:
        weights = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    halved = {
        k: v.half() if v.is_floating_point() and "running" not in k else v
        for k, v in weights.items()
    }
    for name, weight in halved.items():
        if not torch.isfinite(weight).all():
            raise ValueError(
                f"{source}: {name} holds numbers above 65,504, which half precision "
                "does not know; ship the checkpoint as it is"
            )
    Path(target).parent.mkdir(parents=True, exist_ok=True)
    write_atomically(Path(target), save(halved, {"tagkit": about}))


def describe(model: Tagger, config) -> dict:
    """Say what a network is and how it is trained, for `record`.

    Args:
        config: a train.Config.

    >>> from tagkit import models
    >>> from tagkit.training import train
    >>> describe(models.DielemanRaw(), train.Config())["parameters"]
    55422

    Notebook: course/03_spectrogram_cnns.ipynb
    """
    return {
        "model": type(model).__name__,
        "arguments": model.arguments,
        "parameters": sum(p.numel() for p in model.parameters()),
        "window": [model.n_samples, model.sample_rate],
        "config": asdict(config),
        "device": str(next(model.parameters()).device),
    }


def record(path, what, history, train, test, scores, tag_seconds, merge="mean"):
    """Write what a run was and gave as one JSON, for `results.leaderboard`.

    Args:
        what: model, arguments, parameters, config with a seed: see `describe`.
        history: a dict per epoch, with its seconds.
        train, test: the clips it was trained on, and those that were scored.
        scores: (n_clips, n_tags) in [0, 1]; merge: how windows became a clip's score.
        tag_seconds: that scoring a clip took.

    Shape: what, history, about (of the test clips), per_tag and macro figures with
    intervals, loss (binary cross-entropy of the scores), prior_loss (that of the
    shares of the training clips), right (share of labels, scores cut at 0.5), minutes,
    threads, versions.

    Notebook: course/03_spectrogram_cnns.ipynb
    """
    report = metrics.evaluate(test.labels, scores)
    prior = np.broadcast_to(train.labels.mean(), test.labels.shape)
    run = what | {
        "n_train": len(train),
        "about": test.about | report.attrs | {"merge": merge},
        "tags": list(test.labels.columns),
        "macro": report.loc["macro"].round(5).to_dict(),
        "per_tag": report.iloc[:-1].round(5).astype(object).to_dict("index"),
        "loss": round(metrics.cross_entropy(test.labels, scores), 5),
        "prior_loss": round(metrics.cross_entropy(test.labels, prior), 5),
        "right": round(float(((scores > 0.5) == test.labels.to_numpy()).mean()), 5),
        "history": history,
        "minutes": round(sum(e["seconds"] for e in history) / 60, 2),
        "tag_seconds": round(tag_seconds, 6),
        "threads": torch.get_num_threads(),
        "versions": {"torch": torch.__version__, "numpy": np.__version__},
    }
    text = json.dumps(_without_nan(run), indent=1)
    write_atomically(Path(path), text.encode())


def _without_nan(value):
    """JSON knows no nan: say null."""
    if isinstance(value, dict):
        return {k: _without_nan(v) for k, v in value.items()}
    if isinstance(value, list):
        return [_without_nan(v) for v in value]
    return None if isinstance(value, float) and not np.isfinite(value) else value


def keep_stages(run_dir, stages):
    """Write stages.json, or see that it holds the same stages."""
    if run_dir is None:
        return
    path = Path(run_dir) / "stages.json"
    mine = json.loads(json.dumps([asdict(stage) for stage in stages]))
    # What version 0.3 wrote knows no settings that came later: they were off.
    if path.exists() and [LATER | s for s in json.loads(path.read_text())] != mine:
        raise ValueError(
            f"{path} holds a run with other stages than these, so that later ones "
            "would begin from other weights; name another folder or delete that one"
        )
    write_atomically(path, json.dumps(mine, indent=1).encode())


def keep_best(run_dir, stage):
    """Copy the best weights of a stage to the folder of the whole run."""
    if run_dir is not None and (stage / "best.safetensors").exists():
        data = (stage / "best.safetensors").read_bytes()
        write_atomically(Path(run_dir) / "best.safetensors", data)


def set_weights(model: Tagger, weights: dict, path: Path):
    """Set the weights that were read from a file, or say which layers differ.

    Raises: ValueError.
    """
    mine, its = model.state_dict().keys(), weights.keys()
    differ = [*(mine - its), *(its - mine)]
    shapes = [k for k in mine & its if weights[k].shape != model.state_dict()[k].shape]
    if differ or shapes:
        raise ValueError(
            f"{path} does not fit {type(model).__name__}: it has "
            f"{min(its - mine, default='nothing more')}, the model "
            f"{min(mine - its, default='nothing more')}; "
            + (f"{min(shapes)} has another shape; " if shapes else "")
            + "it was written by another version of tagkit, train again"
        )
    model.load_state_dict(weights)
