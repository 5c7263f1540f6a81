"""The command `tagkit`: download, prepare, pack, train, evaluate, tag, doctor.

A command's docstring is its --help. Exit codes: 0 done, 1 an error that the message
explains, 2 a mistyped command, 130 interrupted. Imports wait until a command needs
them, so that `tagkit --help` answers at once. The file is long because all seven
commands are in it, each with its options.
"""

import dataclasses
import difflib
import functools
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, get_type_hints

from typer import Argument, BadParameter, Exit, Option, Typer
from typer.main import get_command

EXAMPLES = {
    "download": "tagkit download magnatagatune",
    "prepare": "tagkit prepare mini --sample-rate 12000",
    "pack": "tagkit pack mini shards --clips-per-shard 64",
    "train": "tagkit train mini K2C2 width=0.24 epochs=12 --run runs/k2c2",
    "evaluate": "tagkit evaluate runs/k2c2/best.safetensors --corpus mini",
    "tag": "tagkit tag song.mp3 folder/of/music --top 5",
    "doctor": "tagkit doctor",
}
ERRORS = (ValueError, OSError, ArithmeticError, MemoryError, ImportError)
N_SHOWN = 20  # clips left out that `prepare` names one by one
# What a setting may be, by its annotation in train.Config or in the model.
KINDS = {
    int: ("a whole number", int),
    float: ("a number", int, float),
    bool: ("true or false", bool),
    str: ("a name", str),
    int | None: ("a whole number or null", int, type(None)),
    str | None: ("a name or null", str, type(None)),
    tuple[str, ...] | None: ("names with commas or null", str, list, type(None)),
    Sequence[int]: ("a list such as [64,128,128,128]", list),
}
MAY_BE_0 = ("seed", "momentum", "weight_decay")  # of the numbers; none is below 0


class Outcome(NamedTuple):
    """A finished run, as `results.record` writes it."""

    what: dict
    history: list[dict]
    train: Any
    test: Any
    scores: Any
    tag_seconds: float
    merge: str = "mean"


# What several commands ask for.
Corpus = Annotated[str, Argument(help="mini, magnatagatune, or a folder")]
Tags = Annotated[str, Option(help="raw50, merged50, all, or names with commas")]
Version = Annotated[str, Option(help="full, clean, artist, or 'clean artist'")]
Rate = Annotated[int, Option(help="Hz")]
Merge = Annotated[str, Option(help="mean, vote, max, mean_logits")]
Part = Literal["train", "valid", "test"]
Format = Literal["table", "json", "csv"]

app = Typer(
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Music tagging with neural networks.",
    epilog="\b\nexamples:\n  " + "\n  ".join(EXAMPLES.values()) + "\n\n"
    "`tagkit COMMAND --help` says all about a command.",
)


def main(arguments: list[str] | None = None) -> int:
    """Run one command and give its exit code.

    >>> main(["train", "mimi", "K2C2"])
    1
    """
    for stream in (sys.stdout, sys.stderr):  # a file's name may hold any byte
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    try:
        get_command(app).main(arguments, prog_name="tagkit")
    except SystemExit as stop:
        return stop.code


def _command(function):
    """Make a command of a function; its errors become one line and an exit code."""
    name = function.__name__

    @functools.wraps(function)
    def run(**options):
        try:
            code = function(**options)
        except BrokenPipeError:  # typer ends quietly, as in `tagkit tag ... | head`
            raise
        except ERRORS as error:
            print(f"tagkit {name}: {error}", file=sys.stderr)
            code = 1
        except KeyboardInterrupt:
            goes_on = name in ("download", "prepare", "pack") or options.get("run")
            then = "; the same command goes on from here" if goes_on else ""
            print(f"\nstopped{then}", file=sys.stderr)
            code = 130
        raise Exit(code or 0)

    app.command(name, epilog=f"example: {EXAMPLES[name]}")(run)
    return function


@_command
def download(
    corpus: Annotated[str, Argument(help="magnatagatune; mini is here already")],
    root: Annotated[Path | None, Option(help="default: data/magnatagatune")] = None,
    base_url: Annotated[str | None, Option(help="a mirror")] = None,
    delete_archive: Annotated[
        bool, Option("--delete-archive", help="when done")
    ] = False,
):
    """Fetch, verify and unpack MagnaTagATune.

    3 GB from the network, 6 GB on the disk. Called again, it goes on where it was
    stopped. A mirror is a folder with the two tables and mp3.zip.001 ... .003, in place
    of the two official servers; digests are checked in any case. Without the 3 GB of
    zip parts, the archive, a clip that goes bad has to be fetched again.
    """
    from tagkit.data import download as downloads

    if corpus != "magnatagatune":
        raise ValueError(f"{corpus!r} cannot be downloaded; needed is magnatagatune")
    opened = downloads.magnatagatune(
        root, base_url=base_url or downloads.BASES, keep_archive=not delete_archive
    )
    print(f"{opened} in {opened.root}")


@_command
def prepare(
    corpus: Corpus,
    sample_rate: Rate = 16_000,
    workers: Annotated[int | None, Option(help="default: one per core")] = None,
):
    """Decode a corpus once into a clip store.

    24.1 GB for MagnaTagATune at 16 kHz, 18.1 at 12. Can be stopped and called again.
    """
    from tagkit.data import corpus as corpora
    from tagkit.data import store

    start = time.perf_counter()
    opened = corpora.open(corpus)
    size = _size(store.n_bytes(opened, sample_rate))
    print(f"{opened}; its store at {sample_rate} Hz takes {size}", flush=True)
    clips = store.prepare(opened, sample_rate, n_workers=workers)
    print(f"{clips} in {time.perf_counter() - start:.1f} s, in {clips.folder}")
    for clip_id in opened.annotations.index.difference(opened.clips.index):
        path = corpora.EMPTY_CLIPS[clip_id]
        print(f"left out: clip {clip_id}: {path} is empty (0 bytes) in every copy")
    for clip_id, reason in clips.bad["reason"].head(N_SHOWN).items():
        print(f"left out: clip {clip_id}: {reason}")
    if len(clips.bad) > N_SHOWN:
        print(f"and {len(clips.bad) - N_SHOWN} more; index.json there names them all")
    return 0 if len(clips) else 1


@_command
def pack(
    corpus: Corpus,
    folder: Annotated[Path, Argument(help="where to put them: an empty one")],
    tags: Tags = "raw50",
    version: Version = "full",
    sample_rate: Rate = 16_000,
    clips_per_shard: int = 128,
):
    """Write a corpus into WebDataset shards.

    For disks far away and corpora beyond one disk: tar files of int16 samples and
    tags, and an index with checksums. Can be stopped and called again.
    """
    from tagkit.data import corpus as corpora
    from tagkit.data import shards

    start = time.perf_counter()
    packed = shards.pack(
        corpora.open(corpus),
        folder,
        tag_list=_tag_list(tags),
        version=version,
        sample_rate=sample_rate,
        clips_per_shard=clips_per_shard,
    )
    files = packed["shards"]
    n_clips = sum(file["n_clips"] for file in files)
    size = _size(sum(file["n_bytes"] for file in files))
    seconds = time.perf_counter() - start
    print(
        f"{n_clips} clips in {len(files)} shards, {size}, in {seconds:.1f} s, "
        f"in {folder}"
    )
    for clip_id, reason in packed["left_out"].items():
        print(f"left out: clip {clip_id}: {reason}")


@_command
def train(
    corpus: Corpus,
    model: Annotated[str, Argument(help="a name such as K2C2 or BoostedTrees")],
    settings: Annotated[list[str] | None, Argument(metavar="NAME=VALUE")] = None,
    recipe: Annotated[str | None, Option(help="such as won, roy_improved")] = None,
    tags: Tags = "raw50",
    version: Version = "full",
    share: Annotated[float, Option(help="of the training clips")] = 1,
    sample_rate: Annotated[int | None, Option(help="default: the model's")] = None,
    run: Annotated[Path | None, Option("--run", "--run-dir", help="a folder")] = None,
    record: Annotated[Path | None, Option(help="a file for the JSON")] = None,
):
    """Train a model and score it on the test part.

    NAME=VALUE is a setting of the training (train.Config: epochs, batch_size,
    learning_rate, seed ...) or of the model (width, length, stride ...). A recipe is
    that of a paper. A share is drawn track by track, with the seed. --run keeps
    checkpoints and goes on from them; torchrun takes --run for its own, write
    --run-dir behind it. With --record nothing is trained if the file is there.
    """
    from tagkit import models
    from tagkit.data import batches
    from tagkit.data import corpus as corpora
    from tagkit.evaluation import features, results

    values = dict(_setting(text) for text in settings or [])
    names = [*models.MODELS, *features.BASELINES]
    if model not in names:
        raise ValueError(_unknown("model", model, names))
    _check_settings(model, values)
    if record and record.exists():
        print(f"{record} is there already")
        return
    opened = corpora.open(corpus)
    tag_list = _tag_list(tags)

    def choose_parts(clips, seed):
        """Give the examples of the three parts; to train on, only the share asked."""
        parts = [
            batches.examples(opened, clips, part, tag_list=tag_list, version=version)
            for part in ("train", "valid", "test")
        ]
        if share != 1:
            known = opened.clips.loc[parts[0].labels.index]
            parts[0] = parts[0].take(corpora.draw_share(known, share, seed=seed))
        return parts

    if model in features.BASELINES:
        if recipe or run:
            raise ValueError(f"{model} has no recipe or run")
        outcome = _train_baseline(
            opened, model, settings=values, choose_parts=choose_parts
        )
    else:
        values["n_tags"] = opened.labels(tag_list).shape[1]
        outcome = _train_network(
            opened,
            model,
            settings=values,
            choose_parts=choose_parts,
            recipe=recipe,
            sample_rate=sample_rate,
            run=run,
        )
    if outcome is None:  # the first process of torchrun reports for all
        return
    about = outcome.test.about | {"merge": outcome.merge}
    _print_report(outcome.test.labels, outcome.scores, about)
    if record:
        results.record(record, **outcome._asdict())
        print(f"recorded in {record}")


def _train_network(
    opened, name, *, settings, choose_parts, recipe, sample_rate, run
) -> Outcome | None:
    """Train a network; behind torchrun only the first process gives the outcome."""
    import torch

    from tagkit import models
    from tagkit.data import store
    from tagkit.evaluation import predict, results
    from tagkit.machine import devices, processes
    from tagkit.training import recipes, train

    names = {field.name for field in dataclasses.fields(train.Config)}
    arguments = {key: settings[key] for key in settings if key not in names}
    changes = {key: settings[key] for key in settings if key in names}
    stages, merge = _stages(recipe, changes)
    first = stages[0]
    processes.start()
    log = print if processes.is_first() else None
    device = devices.choose(first.device)
    torch.manual_seed(first.seed)
    model = models.build(name, **arguments)
    clips = store.prepare(opened, sample_rate or model.sample_rate)
    train_set, valid, test = choose_parts(clips, first.seed)
    if log:
        log(
            f"{name}, {models.count_parameters(model):,} parameters, on {train_set}, "
            f"device {devices.describe(device, first.precision)}"
        )
    if len(stages) == 1:
        history = train.fit(model, train_set, valid, first, run_dir=run, log=log)
    else:
        history = recipes.fit_stages(
            model, train_set, valid, stages, run_dir=run, log=log
        )
    if history.interrupted:
        raise KeyboardInterrupt
    if not processes.is_first():
        return None
    start = time.perf_counter()
    scores = predict.clip_scores(model, test, merge)
    seconds = (time.perf_counter() - start) / len(test)
    what = results.model_facts(model, first)
    what["recipe"] = recipe
    what["stages"] = [dataclasses.asdict(stage) for stage in stages]
    return Outcome(what, history.epochs, train_set, test, scores, seconds, merge)


def _stages(recipe, changes):
    """Give the stages of a recipe with some settings changed, and how it merges."""
    from tagkit.training import recipes, train

    if recipe is None:
        return [train.Config(**changes)], "mean"
    if recipe not in recipes.RECIPES:
        raise ValueError(_unknown("recipe", recipe, recipes.RECIPES))
    chosen = recipes.RECIPES[recipe]
    for name in changes.keys() - {"epochs", "seed", "device"}:
        if len({getattr(stage, name) for stage in chosen.stages}) > 1:
            raise ValueError(
                f"the stages of {recipe} differ in {name}; one value for all would be "
                "another recipe, leave it out"
            )
    stages = [dataclasses.replace(stage, **changes) for stage in chosen.stages]
    return stages, chosen.merge


def _train_baseline(opened, name, *, settings, choose_parts) -> Outcome:
    """Fit a baseline."""
    from tagkit.data import store
    from tagkit.evaluation import features

    baseline = features.BASELINES[name]
    known = {"seed", *(features.TREES if baseline.listens else ())}
    for setting in settings:
        if setting not in known:
            raise ValueError(
                f"{name} has no {setting}; its settings are {', '.join(sorted(known))}"
            )
    model = baseline(**settings)
    start = time.perf_counter()
    table = features.table(opened, log=print)
    seconds = time.perf_counter() - start
    print(f"{table.shape[1]} features of {len(table)} clips in {seconds:.1f} s")
    train_set, _, test = choose_parts(store.prepare(opened), model.seed)
    start = time.perf_counter()
    model.fit(table.loc[train_set.labels.index], train_set.labels)
    history = [{"epoch": 1, "seconds": time.perf_counter() - start}]
    start = time.perf_counter()
    scores = model.predict(table.loc[test.labels.index])
    seconds = (time.perf_counter() - start) / len(test)
    if model.listens:  # to tag a clip is to describe it first
        some = [opened.load(clip_id) for clip_id in test.labels.index[:8]]
        start = time.perf_counter()
        for samples in some:
            features.describe(samples)
        seconds += (time.perf_counter() - start) / len(some)
    what = {
        "model": name,
        "arguments": model.arguments,
        "recipe": None,
        "parameters": model.parameters,
        "config": {"seed": 0} | settings,
        "device": "cpu",
    }
    return Outcome(what, history, train_set, test, scores, seconds)


@_command
def evaluate(
    checkpoint: Annotated[Path, Argument(help="a file best.safetensors")],
    corpus: Annotated[str | None, Option(help="default: it was trained on")] = None,
    part: Part = "test",
    merge: Merge = "mean",
):
    """Score a checkpoint on a part of a corpus."""
    from tagkit.data import batches, store
    from tagkit.data import corpus as corpora
    from tagkit.evaluation import predict
    from tagkit.machine import devices

    model, made = _open(checkpoint)
    trained_on = made["about"]
    model.to(devices.best())
    if trained_on["version"] == "own":
        raise ValueError(
            f"{checkpoint} was trained on clip ids of its user's choice, so no part of "
            "a split is known to be new to it; choose clips to score it on in Python: "
            "batches.examples, predict.clip_scores, metrics.evaluate"
        )
    if corpus is None and trained_on["corpus"] not in corpora.NAMED:
        raise ValueError(
            f"{checkpoint} was trained on {trained_on['corpus']!r}, a folder of your "
            "own; say where it is: --corpus FOLDER"
        )
    opened = corpora.open(corpus or trained_on["corpus"])
    examples = batches.examples(
        opened,
        store.prepare(opened, model.sample_rate),
        part,
        tag_list=made["tags"],
        version=trained_on["version"],
    )
    scores = predict.clip_scores(model, examples, merge)
    about = examples.about | {"tag_list": trained_on["tag_list"], "merge": merge}
    _print_report(examples.labels, scores, about)


@_command
def tag(
    files: Annotated[list[Path], Argument(help="wav, flac, ogg, mp3, or folders")],
    checkpoint: Annotated[Path | None, Option(help="best.safetensors of a run")] = None,
    top: Annotated[int, Option(min=1, help="tags shown")] = 5,
    format: Annotated[Format, Option(help="json and csv hold all tags")] = "table",
    timeline: Annotated[bool, Option("--timeline", help="scores by window")] = False,
    merge: Merge = "mean",
):
    """Tag files of sound.

    Without --checkpoint a network answers that was trained on mini, the embedded
    corpus of 480 synthesised clips: it shows how tagging works, not how well it can.
    It is K2C2, which hears 29 s at once; with --timeline it is DielemanMel, which
    hears 3 s.
    """
    from tagkit.data import audio, corpus
    from tagkit.evaluation import predict
    from tagkit.machine import devices

    if timeline and merge != "mean":
        raise BadParameter("not allowed with --timeline", param_hint="--merge")
    name = "DielemanMel" if timeline else "K2C2"  # of windows of 3 s, 29 s
    default = corpus.DATA / "checkpoints" / "mini" / f"{name}.safetensors"
    model, made = _open(checkpoint or default)
    model.to(devices.best())
    sounds = []
    for path in files:
        sounds += corpus.sound_files(path) if path.is_dir() else [path]
    if not sounds:
        raise ValueError(
            f"{', '.join(map(str, files))} holds no sound; needed are files such as "
            f"{', '.join(audio.SUFFIXES)}"
        )
    n_tagged = 0
    for path in sounds:
        try:
            if timeline:
                scores = predict.timeline(model, path, made["tags"]).reset_index()
            else:
                row = predict.tag_file(model, path, made["tags"], merge)
                scores = row[made["tags"]].to_frame().T
        except audio.AudioError as error:
            print(f"tagkit tag: {error}", file=sys.stderr)
            continue
        scores = scores.astype(float).round(4)
        scores.insert(0, "file", str(path))
        is_first = n_tagged == 0
        _print_tags(scores, format, top=top, timeline=timeline, is_first=is_first)
        n_tagged += 1
    if format == "json":
        print("]" if n_tagged else "[]")
    trained_on = made["about"]
    print(
        f"{n_tagged} of {len(sounds)} files tagged by {made['model']}, which was "
        f"trained on {trained_on['corpus']}, {trained_on['n_clips']} clips; it knows "
        "no other music and no other tags",
        file=sys.stderr,
    )
    return 0 if n_tagged == len(sounds) else 1


@_command
def doctor():
    """Look at versions, device, disk, corpora and stores."""
    from tagkit.doctor import report

    return 1 if report() else 0


def _tag_list(text: str):
    return text if text in ("raw50", "merged50", "all") else text.split(",")


def _setting(text: str):
    name, equals, value = text.partition("=")
    if not equals:
        raise BadParameter(f"{text!r} is not NAME=VALUE", param_hint="a setting")
    try:
        return name, json.loads(value)
    except json.JSONDecodeError:
        return name, value


def _check_settings(model: str, settings: dict):
    """Refuse settings that a training cannot have, before any work."""
    from tagkit import models
    from tagkit.training import train

    kinds = get_type_hints(train.Config)
    is_network = model in models.MODELS
    if is_network:
        kinds |= get_type_hints(models.MODELS[model].cls.__init__)
    for name, value in settings.items():
        if name == "n_tags":
            raise ValueError(f"n_tags is {value!r}; needed is --tags, which settles it")
        if name in kinds:
            _check_value(name, value, kinds[name])
        elif is_network:
            raise ValueError(_unknown("setting", name, kinds))


def _check_value(name, value, kind):
    needed, *types = KINDS[kind]
    fits = type(value) in types  # true is not taken for 1
    if fits and kind == Sequence[int]:
        fits = all(type(n) is int and n > 0 for n in value)
    if fits and type(value) in (int, float):
        needed = "0 or more" if name in MAY_BE_0 else "more than 0"
        fits = value > 0 or (value == 0 and name in MAY_BE_0)
    if not fits:
        raise ValueError(f"{name} is {value!r}; needed is {needed}")


def _unknown(kind, name, names) -> str:
    """Say which names are nearest to a mistyped one, else all of them."""
    lower = {known.lower(): known for known in names}
    near = difflib.get_close_matches(name.lower(), lower, 3, 0.5)
    which = "the nearest names are" if near else "known are"
    listed = ", ".join(lower[n] for n in near or lower)
    return f"{kind} {name!r} is unknown; {which} {listed}"


def _open(checkpoint):
    """Build the model of a checkpoint, with its weights."""
    from tagkit import models
    from tagkit.training import checkpoints

    name = checkpoints.read_checkpoint(checkpoint)["model"]
    if name not in models.MODELS:
        raise ValueError(
            f"{checkpoint} is of {name}, a model of your own; open it from Python: "
            "checkpoints.load_weights"
        )
    return checkpoints.load(checkpoint)


def _size(n_bytes: int) -> str:
    return f"{n_bytes / 1e9:.1f} GB" if n_bytes > 1e8 else f"{n_bytes / 1e6:.1f} MB"


def _print_tags(table, format, *, top, timeline, is_first):
    """Print the scores of one file at once, so that they outlast what comes after."""
    if format == "csv":
        print(table.to_csv(index=False, header=is_first), end="", flush=True)
        return
    for row in table.to_dict("records"):
        if format == "json":
            print(("[" if is_first else ",") + json.dumps(row), flush=True)
            is_first = False
            continue
        name = row.pop("file")
        if timeline:
            name += f" at {row.pop('seconds'):.1f} s"
        best = sorted(row, key=row.get, reverse=True)[:top]
        scores = ", ".join(f"{tag} {row[tag]:.2f}" for tag in best)
        print(f"{name}: {scores}", flush=True)


def _print_report(labels, scores, about):
    from tagkit.evaluation import metrics, results

    report = metrics.evaluate(labels, scores)
    about = about | report.attrs
    macro = report.loc["macro"]
    print(results.caption(about))
    print(
        f"macro ROC-AUC {macro.roc_auc:.3f} [{macro.roc_low:.3f}, {macro.roc_high:.3f}]"
        f"  (without listening: 0.500)\n"
        f"macro AP      {macro.ap:.3f} [{macro.ap_low:.3f}, {macro.ap_high:.3f}]"
        f"  (without listening: {macro.ap_floor:.3f})\n"
        "95 % bootstrap intervals over clips, that of AP leans upwards; predicting no "
        f"tag at all is right for {about['nothing_right']:.1%} of the labels"
    )
