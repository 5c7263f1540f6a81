"""How the papers trained, as values: `recipes.RECIPES["roy_improved"]`.

recipe = recipes.RECIPES["elwood_base"]
model = models.build("DielemanRaw", **recipe.networks["DielemanRaw"])
recipes.fit_stages(model, train_part, valid_part, recipe.stages)
predict.clip_scores(model, test_part, recipe.merge)
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path

import pandas as pd

from tagkit.data import batches
from tagkit.files import write_atomically
from tagkit.models.tagger import Tagger
from tagkit.training import train
from tagkit.training.train import Config


@dataclass(frozen=True)
class Recipe:
    """One paper's training.

    Attributes:
        source: whose training it is.
        stages: settings, one after another, see `fit_stages`.
        merge: how windows become a clip's score, see `predict.merge_windows`.
        networks: what was trained so, names of `models.MODELS` and their arguments.
        differs: what we had to choose, or do differently.
    """

    source: str
    stages: tuple[Config, ...]
    merge: str
    networks: dict[str, dict]
    differs: str


# Ten clips, all ten windows of each, and one loss for each clip.
TEN_CLIPS = {"batch_size": 100, "crops_per_clip": 10, "loss": "clip"}
NESTEROV = {"optimizer": "sgd", "momentum": 0.9, "nesterov": True}
PIXELS = (
    "They scale samples from the lowest and the greatest value of the whole data set; "
    "ours are 16-bit values divided by full scale, nearly the same."
)

RAW_16_KHZ = {"sample_rate": 16_000, "n_samples": 48_000}

RECIPES = {
    "dieleman": Recipe(
        "Dieleman & Schrauwen 2014",
        (
            Config(
                epochs=270,
                batch_size=10,
                crops_per_clip=10,
                optimizer="sgd",
                learning_rate=0.01,
                momentum=0.0,
            ),
        ),
        "mean",
        {"DielemanRaw": RAW_16_KHZ, "DielemanMel": RAW_16_KHZ},
        "The rate is ours, the paper names none. Its 5 million steps are 270 epochs of "
        "MagnaTagATune.",
    ),
    "roy_base": Recipe(
        "Roy, Bristol",
        (Config(epochs=20, learning_rate=1e-3, **TEN_CLIPS),),
        "mean_logits",
        {"RoyBase": {}},
        PIXELS + " Not stated: which epoch is kept, how many runs. It validates on the "
        "test folders, and trains on folder c as well; we do neither.",
    ),
    "roy_improved": Recipe(
        "Roy, Bristol",
        (
            Config(
                epochs=20,
                learning_rate=0.01,
                schedule="plateau",
                factor=0.2,
                flat_epochs=4,
                watch="roc_auc",
                **TEN_CLIPS,
            ),
        ),
        "mean_logits",
        {"RoyImproved": {}},
        PIXELS + " Not stated: which epoch is kept, how many runs, the order of batch "
        "norm, ReLU and pool. It validates on the test folders, and trains on folder c "
        "as well; we do neither.",
    ),
    "elwood_base": Recipe(
        "Elwood & Varosyan, Bristol",
        (
            Config(
                epochs=20,
                optimizer="sgd",
                learning_rate=0.005,
                momentum=0.99,
                **TEN_CLIPS,
            ),
        ),
        "mean",
        {"DielemanRaw": {}},
        "Their loss is that of a clip's mean score, ours that of its mean logit. They "
        "keep the last epoch, we the best. They do not shuffle the clips, we do. Not "
        "stated: how many runs the grid of rates and momenta had.",
    ),
    "elwood_crnn": Recipe(
        "Elwood & Varosyan, Bristol",
        (Config(epochs=20, batch_size=32, learning_rate=1e-4),),
        "mean",
        {"CRNN": {}},
        "They keep the last epoch, we the best. Their recurrence runs over the batch "
        "(`models.CRNNOverBatch`), ours over time. Their power is squared once more "
        "before the logarithm, ours is not.",
    ),
    "weber": Recipe(
        "Weber, EPFL 2019",
        (Config(epochs=50, batch_size=180, crops_per_clip=9, learning_rate=1e-3),),
        "vote",
        {"PonsWaveform": {"n_tags": 2, "n_samples": 51_776}},
        "Twenty songs in nine chunks make a batch there; we take 180 windows at random "
        "places. Scores go through a sigmoid three times there, once here. The order "
        "is said to be drawn with replacement; the published code does not draw. There "
        "are no validation clips, and merging by vote is proposed, not done.",
    ),
    "pons_mtt": Recipe(
        "Pons et al. 2018, MagnaTagATune",
        (
            Config(
                epochs=600,
                batch_size=32,
                learning_rate=1e-3,
                schedule="plateau",
                factor=0.5,
                flat_epochs=75,
            ),
        ),
        "mean",
        {"PonsWaveform": {}, "PonsSpectrogram": {}},
        "The copy that we read has lost its numbers: rate, batch size, epochs and "
        "schedule are those of the authors' musicnn a year later. Adam, cross-entropy, "
        "dropout before each dense layer and means over patches are theirs.",
    ),
    "pons_million": Recipe(
        "Pons et al. 2018, 1.2 million tracks",
        (
            Config(
                epochs=600,
                batch_size=32,
                learning_rate=1e-3,
                loss="mse",
                schedule="plateau",
                factor=0.5,
                flat_epochs=75,
            ),
        ),
        "mean",
        {
            "PonsWaveform": {"n_layers": 9, "n_samples": 240_000},
            "PonsSpectrogram": {"n_samples": 239_872},
        },
        "As for MagnaTagATune. Squared error and nine layers are theirs, windows of "
        "15 s are from memory. Some of their tags are shares, which are regressed; all "
        "of ours are 0 or 1.",
    ),
    "wells": Recipe(
        "Wells 2018",
        (Config(epochs=150, batch_size=16, learning_rate=1e-3),),
        "mean",
        {"K2C1": {"width": 0.88}, "K1C2": {"width": 1.027}, "K2C2": {}},
        "The batch size is ours. k1c2 was stopped at 89 epochs. All three are said to "
        "have about a million parameters; the published ones have 1.28, 0.94 and 1.00, "
        "the widths here make them equal. Which epoch is kept is not stated.",
    ),
    "lee": Recipe(
        "Lee et al. 2017",
        (
            Config(
                epochs=100,
                batch_size=23,
                crops_per_clip=10,
                learning_rate=0.01,
                schedule="plateau",
                factor=0.2,
                flat_epochs=3,
                patience=10,
                **NESTEROV,
            ),
        ),
        "mean",
        {"SampleCNN": {"sample_rate": 22_050}},
        "From memory. The number of epochs and the patience are ours.",
    ),
    "wang": Recipe(
        "Wang et al. 2019",
        (
            Config(
                epochs=50,
                batch_size=32,
                learning_rate=1e-3,
                weight_decay=1e-6,
                schedule="decay",
                factor=0.9,
            ),
        ),
        "mean",
        {"CRNNTF": {}},
        "The number of epochs is ours; after 50 the rate is 0.5 % of the first.",
    ),
    "musicnn": Recipe(
        "Pons & Serra 2019",
        (
            Config(
                epochs=600,
                batch_size=32,
                learning_rate=1e-3,
                weight_decay=1e-5,
                schedule="plateau",
                factor=0.5,
                flat_epochs=75,
            ),
        ),
        "mean",
        {"Musicnn": {}},
        "Their code halves after 75 flat epochs in all, ours after 75 in a row; its "
        "weight decay spares the biases.",
    ),
    "won": Recipe(
        "Won et al. 2020",
        (
            Config(epochs=80, learning_rate=1e-4, weight_decay=1e-4),
            Config(epochs=20, learning_rate=1e-3, weight_decay=1e-4, **NESTEROV),
            Config(epochs=20, learning_rate=1e-4, weight_decay=1e-4, **NESTEROV),
            Config(epochs=80, learning_rate=1e-5, weight_decay=1e-4, **NESTEROV),
        ),
        "mean",
        {"ShortChunkCNN": {}},
        "They merge 16 windows of a clip, we as many as cover it.",
    ),
}


def fit_stages(
    model: Tagger,
    train_set: batches.Examples,
    valid_set: batches.Examples,
    stages: Sequence[Config],
    *,
    run_dir: str | Path | None = None,
    log: Callable[[str], None] | None = print,
) -> train.History:
    """Train in stages, each with its own settings, from the best weights so far.

    `start_at_prior` counts for the first stage only. Stage i draws other windows: its
    seed is that of its config plus i.

    Args:
        stages: as in `RECIPES`.
        run_dir: holds a folder per stage, stage0 ..., see `train.fit`, and at the end
            best.safetensors.

    Raises: as `train.fit`; ValueError if run_dir holds a run with other stages.
    Source: Won et al. 2020, who go from Adam to SGD with ever smaller steps.
    """
    stages = [
        replace(c, seed=c.seed + i, start_at_prior=c.start_at_prior and i == 0)
        for i, c in enumerate(stages)
    ]
    _keep_stages(run_dir, stages)
    whole = train.History()
    best = None
    for i, config in enumerate(stages):
        folder = Path(run_dir) / f"stage{i}" if run_dir is not None else None
        history = train.fit(
            model, train_set, valid_set, config, run_dir=folder, log=log
        )
        whole.keep = config.keep
        n_before = len(whole.epochs)
        for row in history.epochs:
            row = row | {"epoch": n_before + row["epoch"], "stage": i}
            whole.epochs.append(row)
        if history.epochs and whole.best["stage"] == i:  # else interrupted, or no gain
            best = {k: v.detach().clone() for k, v in model.state_dict().items()}
            _keep_best(run_dir, folder)
        model.load_state_dict(best or model.state_dict())
        if history.interrupted:
            whole.interrupted = True
            break
    return whole


def table() -> pd.DataFrame:
    """List the recipes, a row per stage, with the settings in which they differ.

    Shape: index recipe and stage; columns of train.Config, merge, source, networks,
    differs.

    >>> table().loc[("elwood_base", 0), ["learning_rate", "momentum"]].tolist()
    [0.005, 0.99]
    """
    rows = {
        (name, i): asdict(stage)
        | {"merge": recipe.merge, "source": recipe.source, "differs": recipe.differs}
        | {"networks": ", ".join(recipe.networks)}
        for name, recipe in RECIPES.items()
        for i, stage in enumerate(recipe.stages)
    }
    frame = pd.DataFrame.from_dict(rows, orient="index").fillna({"schedule": ""})
    frame.index.names = ["recipe", "stage"]
    same = [f.name for f in fields(Config) if frame[f.name].nunique(dropna=False) == 1]
    return frame.drop(columns=same)


def _keep_stages(run_dir, stages):
    """Write stages.json, or check that it holds the same stages."""
    if run_dir is None:
        return
    path = Path(run_dir) / "stages.json"
    given = json.loads(json.dumps([asdict(stage) for stage in stages]))
    saved = json.loads(path.read_text()) if path.exists() else given
    # A setting that an older version did not know is at its default there.
    if [asdict(Config()) | stage for stage in saved] != given:
        raise ValueError(
            f"{path} holds a run with other stages than these, so that later ones "
            "would begin from other weights; name another folder or delete that one"
        )
    write_atomically(path, json.dumps(given, indent=1).encode())


def _keep_best(run_dir, stage):
    """Copy the best weights of a stage to the folder of the whole run."""
    if run_dir is not None and (stage / "best.safetensors").exists():
        data = (stage / "best.safetensors").read_bytes()
        write_atomically(Path(run_dir) / "best.safetensors", data)
