"""The command `tagkit`: from download and train to tag, networks, lab and doctor.

A command's docstring is its --help. Exit codes: 0 done, 1 an error that the message
explains, 2 a mistyped command, 130 interrupted. Imports wait until a command needs
them, so that `tagkit --help` answers at once. The file is long because it holds all
its commands with their options.
"""

import atexit
import contextlib
import dataclasses
import difflib
import gc
import json
import re
import sys
import tempfile
import time
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal, get_type_hints

from typer import Argument, BadParameter, Exit, Option, Typer
from typer.main import get_command

from tagkit.data.folders import UnreadWarning

ERRORS = (ValueError, OSError, ArithmeticError, MemoryError, ImportError)
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
MAY_BE_0 = ("seed", "momentum", "weight_decay", "l2_regularization")

# What several commands ask for.
Corpus = Annotated[
    str, Argument(help="mini, magnatagatune, a folder, or a table of labels")
]
Labels = Annotated[
    Literal["folders", "genre"] | None,
    Option(help="a folder's tags: names of its subfolders, or the files' own genres"),
]
Tags = Annotated[str, Option(help="raw50, merged50, all, or names with commas")]
Version = Annotated[str, Option(help="full, clean, artist, or 'clean artist'")]
Rate = Annotated[int, Option(help="Hz")]
Merge = Annotated[
    Literal["mean", "vote", "max", "mean_logits"],
    Option(help="how windows become one score; vote: the share above 0.5"),
]
PerTag = Annotated[bool, Option("--per-tag", help="a row of scores per tag, too")]

app = Typer(
    add_completion=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="`tagkit COMMAND --help` says all about a command, with an example.",
)


def _print_version(is_asked: bool):
    if is_asked:
        from importlib.metadata import version

        print(f"tagkit {version('tagkit')}")
        raise Exit


@app.callback()
def common(
    version: Annotated[
        bool, Option("--version", is_eager=True, callback=_print_version)
    ] = False,
):
    """Music tagging with neural networks."""


def main(arguments: list[str] | None = None) -> int:
    """Run one command and give its exit code."""
    words = sys.argv[1:] if arguments is None else arguments
    home = Path.home().as_posix()  # a shell knows no ~ in --out=~/tags.csv
    words = [re.sub(r"^(--[\w-]+=)?~(?=/|$)", rf"\1{home}", word) for word in words]
    atexit.register(gc.freeze)  # else the end looks through PyTorch for garbage, .5 s
    for stream in (sys.stdout, sys.stderr):  # a file's name may hold any byte
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    unread = []

    def warn(message, category, *_):
        print(f"warning: {message}", file=sys.stderr)
        if issubclass(category, UnreadWarning):
            unread.append(message)

    warnings.showwarning = warn
    try:
        get_command(app).main(words, prog_name="tagkit")
    except ERRORS as error:
        print(f"tagkit {words[0]}: {error}", file=sys.stderr)
        return 1
    except SystemExit as stop:
        if stop.code == 130:
            those = "download, prepare, pack, train --run, learn, similar, tag --out"
            print(
                f"\nstopped; {those} and tag --write go on when called again; what is "
                "done is kept",
                file=sys.stderr,
            )
        return stop.code or int(bool(unread))


@app.command(epilog="example: tagkit download magnatagatune")
def download(
    corpus: Annotated[str, Argument(help="magnatagatune; mini is here already")],
    root: Annotated[Path | None, Option(help="default: data/magnatagatune")] = None,
    base_url: Annotated[str | None, Option(help="a mirror")] = None,
    delete_archive: Annotated[bool, Option("--delete-archive")] = False,
):
    """Fetch, verify and unpack MagnaTagATune.

    3 GB from the network, 6 GB on the disk. Called again, it goes on where it was
    stopped. A mirror is a folder with the two tables and mp3.zip.001 ... .003, in place
    of the two official servers; digests are checked in any case. --delete-archive
    frees the 3 GB of zip parts; a clip that goes bad then has to be fetched again.
    """
    from tagkit.data import download as downloads

    if corpus != "magnatagatune":
        raise ValueError(f"{corpus!r} cannot be downloaded; needed is magnatagatune")
    bases = base_url or downloads.BASES
    opened = downloads.magnatagatune(root, bases, keep_archive=not delete_archive)
    print(f"{opened} in {opened.root}")


@app.command(epilog="example: tagkit prepare mini --sample-rate 12000")
def prepare(corpus: Corpus, sample_rate: Rate = 16_000, labels: Labels = None):
    """Decode a corpus once into a clip store.

    The sampling rate is that of the network, see `tagkit networks NAME`. 24.1 GB for
    MagnaTagATune at 16 kHz, 18.1 at 12. Can be stopped and called again.
    Exit code 1: a file cannot be read, see the warnings.
    """
    from tagkit.data import corpus as corpora
    from tagkit.data import store

    start = time.perf_counter()
    opened = corpora.open(corpus, labels=labels)
    n_gb = store.n_bytes(opened, sample_rate) / 1e9
    print(f"{opened}; its store at {sample_rate} Hz: {n_gb:.2f} GB", flush=True)
    clips = store.prepare(opened, sample_rate)
    print(f"{clips} in {time.perf_counter() - start:.1f} s, in {clips.folder}")
    seconds, full = clips.lengths / sample_rate, clips.samples.shape[1] / sample_rate
    if n_short := (seconds < full).sum():
        print(
            f"{n_short} of {len(clips)} clips are shorter than {full:.2f} s, the "
            f"shortest {seconds.min():.2f} s; windows lie inside them, or repeat a "
            "clip that is shorter than a window"
        )
    if n_other := opened.clips.attrs.get("n_other"):
        print(f"files beside them that are no sound: {n_other}")
    for clip_id in opened.annotations.index.difference(opened.clips.index):
        path = corpora.EMPTY_CLIPS[clip_id]
        print(f"left out: clip {clip_id}: {path} is empty (0 bytes) in every copy")


@app.command(epilog="example: tagkit pack mini shards --clips-per-shard 64")
def pack(
    corpus: Corpus,
    folder: Annotated[Path, Argument(help="where to put them: an empty one")],
    tags: Tags = "raw50",
    version: Version = "full",
    sample_rate: Rate = 16_000,
    clips_per_shard: int = 128,
    labels: Labels = None,
):
    """Write a corpus into WebDataset shards.

    For disks far away and corpora beyond one disk: tar files of int16 samples and
    tags, and an index with checksums. The sampling rate is that of the network to
    train. Can be stopped and called again.
    """
    from tagkit.data import corpus as corpora
    from tagkit.data import shards

    start = time.perf_counter()
    packed = shards.pack(
        corpora.open(corpus, labels=labels),
        folder,
        tag_list=_tag_list(tags),
        version=version,
        sample_rate=sample_rate,
        clips_per_shard=clips_per_shard,
    )
    files = packed["shards"]
    n_clips = sum(file["n_clips"] for file in files)
    n_gb = sum(file["n_bytes"] for file in files) / 1e9
    print(
        f"{n_clips} clips in {len(files)} shards, {n_gb:.2f} GB, in "
        f"{time.perf_counter() - start:.1f} s, in {folder}"
    )


@app.command(epilog="example: tagkit train mini K2C2 epochs=12 --run runs/k2c2")
def train(
    corpus: Corpus,
    model: Annotated[str, Argument(help="a name such as K2C2 or BoostedTrees")],
    settings: Annotated[list[str] | None, Argument(metavar="NAME=VALUE")] = None,
    recipe: Annotated[str | None, Option(help="such as won, roy_improved")] = None,
    tags: Tags = "raw50",
    version: Version = "full",
    share: Annotated[float, Option(help="of the training clips")] = 1,
    start: Annotated[
        str | None, Option("--from", help="a trained network to fine-tune")
    ] = None,
    freeze: Annotated[
        bool, Option("--freeze", help="with --from, train its last layer only")
    ] = False,
    labels: Labels = None,
    per_tag: PerTag = False,
    run: Annotated[Path | None, Option("--run", "--run-dir", help="a folder")] = None,
    record: Annotated[Path | None, Option(help="a file for the JSON")] = None,
):
    """Train a model and score it on the test part.

    NAME=VALUE is a setting of the training (train.Config: epochs, batch_size,
    learning_rate, seed ...) or of the model (width, length, stride ...). A recipe is
    that of a paper. A share is drawn track by track, with the seed. --from takes a
    network of `tagkit networks` or a checkpoint, whose arguments MODEL takes over, and
    gives it a new last layer for the tags; try a learning_rate of 0.0001. --run keeps
    checkpoints and goes on from them; torchrun takes --run for its own, write
    --run-dir behind it. With --record nothing is trained if the file is there.
    """
    from tagkit import models
    from tagkit.data import batches, store
    from tagkit.data import corpus as corpora
    from tagkit.evaluation import features

    values = dict(_setting(text) for text in settings or [])
    names = [*models.MODELS, *features.BASELINES]
    if model not in names:
        raise ValueError(_unknown("model", model, names))
    _check_settings(model, values)
    if freeze and not start:
        raise BadParameter("needs --from", param_hint="--freeze")
    if start:
        _check_start(start, model, values)
    if freeze:
        values["freeze"] = True
    if record and record.exists():
        print(f"{record} is there already")
        return
    opened = corpora.open(corpus, labels=labels)
    tag_list = _tag_list(tags)

    def draw_parts(sample_rate, seed):
        """Give the examples of the three parts; to train on, only the share asked."""
        clips = store.prepare(opened, sample_rate)
        parts = [
            batches.examples(opened, clips, part, tag_list=tag_list, version=version)
            for part in ("train", "valid", "test")
        ]
        if share != 1:
            known = opened.clips.loc[parts[0].labels.index]
            parts[0] = parts[0].take(corpora.draw_share(known, share, seed=seed))
        return parts

    if model in features.BASELINES:
        if recipe or run or start:
            raise ValueError(f"{model} has no recipe or run, and starts from nothing")
        how = {"record": record, "per_tag": per_tag}
        _train_baseline(opened, model, values, draw_parts, **how)
    else:
        values["n_tags"] = opened.labels(tag_list).shape[1]
        how = {"start": start, "recipe": recipe, "run": run}
        how |= {"record": record, "per_tag": per_tag}
        _train_network(model, values, draw_parts, **how)


def _train_network(name, settings, draw_parts, *, start, recipe, run, record, per_tag):
    """Train a network, score it, and write the record if one is asked for."""
    import torch

    from tagkit import models
    from tagkit.evaluation import predict, results
    from tagkit.machine import devices, processes
    from tagkit.training import checkpoints, recipes, train

    changes = {k: v for k, v in settings.items() if hasattr(train.Config, k)}
    arguments = {k: v for k, v in settings.items() if k not in changes}
    stages, merge = _stages(recipe, changes)
    first = stages[0]
    processes.start()
    device = devices.choose(first.device)
    torch.manual_seed(first.seed)
    if start:
        model = checkpoints.start_from(start, arguments["n_tags"])
    else:
        model = models.build(name, **arguments)
    train_set, valid, test = draw_parts(model.sample_rate, first.seed)
    if processes.is_first():
        print(
            f"{name}, {models.count_parameters(model):,} parameters, on {train_set}, "
            f"device {devices.summary(device, first.precision)}"
        )
        _say_one_sided(train_set, "learnt")
        _say_one_sided(valid, "scored")
        n_short, n_clips = 0, 0
        for part in (train_set, valid, test):
            seconds = part.store.lengths[part.labels.index] / part.store.sample_rate
            n_short += (seconds < model.n_samples / model.sample_rate).sum()
            n_clips += len(part)
        if n_short:
            print(
                f"{n_short} of {n_clips} clips are shorter than a window of "
                f"{model.n_samples / model.sample_rate:.2f} s, and repeated to fill it"
            )
    if len(stages) == 1:
        history = train.fit(model, train_set, valid, first, run_dir=run)
    else:
        history = recipes.fit_stages(model, train_set, valid, stages, run_dir=run)
    if history.interrupted:
        raise KeyboardInterrupt
    if not processes.is_first():  # the first process of torchrun reports for all
        return
    start = time.perf_counter()
    scores = predict.clip_scores(model, test, merge)
    seconds = (time.perf_counter() - start) / len(test)
    what = results.model_facts(model, first)
    what["recipe"] = recipe
    what["stages"] = [dataclasses.asdict(stage) for stage in stages]
    _print_report(test, scores, merge, per_tag)
    _record(record, what, history.epochs, train_set, test, scores, seconds, merge)


def _check_start(start, model, settings):
    """Refuse a checkpoint of another model, or settings that it has already."""
    from tagkit.training import checkpoints, train

    its = checkpoints.read_checkpoint(checkpoints.find(start))["model"]
    if its != model:
        raise ValueError(f"{start} holds {its}, not {model}; name {its} to start there")
    for name in settings:
        if not hasattr(train.Config, name):
            raise ValueError(f"{name} is as in {start}; leave it out")


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
            raise ValueError(f"the stages of {recipe} differ in {name}; leave it out")
    stages = [dataclasses.replace(stage, **changes) for stage in chosen.stages]
    return stages, chosen.merge


def _train_baseline(opened, name, settings, draw_parts, *, record, per_tag):
    """Fit a baseline, score it, and write the record if one is asked for."""
    from tagkit.data import audio
    from tagkit.evaluation import features

    model = features.BASELINES[name](**settings)
    table = features.table(opened, log=print)
    train_set, _, test = draw_parts(audio.SAMPLE_RATE, model.seed)
    _say_one_sided(train_set, "learnt")
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
    _print_report(test, scores, "mean", per_tag)
    _record(record, what, history, train_set, test, scores, seconds, "mean")


def _record(record, what, history, train_set, test, scores, seconds, merge):
    from tagkit.evaluation import results

    if record:
        results.record(
            record,
            what,
            history=history,
            train=train_set,
            test=test,
            scores=scores,
            tag_seconds=seconds,
            merge=merge,
        )
        print(f"recorded in {record}")


@app.command(epilog="example: tagkit evaluate runs/k2c2/best.safetensors --corpus mini")
def evaluate(
    checkpoint: Annotated[Path, Argument(help="a file best.safetensors")],
    corpus: Annotated[str | None, Option(help="default: it was trained on")] = None,
    part: Literal["train", "valid", "test"] = "test",
    merge: Merge = "mean",
    labels: Labels = None,
    per_tag: PerTag = False,
):
    """Score a checkpoint on a part of a corpus."""
    from tagkit.data import batches, store
    from tagkit.data import corpus as corpora
    from tagkit.evaluation import predict
    from tagkit.machine import devices
    from tagkit.training import checkpoints

    model, made = checkpoints.load(checkpoint)
    trained_on = made["about"]
    model.to(devices.best())
    version = trained_on.get("version", "full")
    if "scores" in trained_on and corpus is None:
        print("as `tagkit learn` scored it, on artists apart:")
        print(*trained_on["scores"] or ["no tag could be scored"], sep="\n")
        return
    if "scores" in trained_on and version == "own":
        raise ValueError(
            f"{checkpoint} learned from all its clips, so none is left to score it on; "
            "`tagkit learn` has scored it on artists apart: to see those scores, leave "
            "--corpus out"
        )
    if version == "own":
        raise ValueError(
            f"{checkpoint} was trained on clip ids of your own, so a part may hold "
            "some of them; score it from Python: predict.clip_scores"
        )
    if corpus is None and trained_on["corpus"] not in corpora.NAMED:
        raise ValueError(
            f"{checkpoint} was trained on {trained_on['corpus']}, which is not one of "
            f"{', '.join(corpora.NAMED)}; say where it is: --corpus "
            "FOLDER or TABLE"
        )
    opened = corpora.open(corpus or trained_on["corpus"], labels=labels)
    examples = batches.examples(
        opened,
        store.prepare(opened, model.sample_rate),
        part,
        tag_list=made["tags"],
        version=version,
    )
    scores = predict.clip_scores(model, examples, merge)
    examples.about["tag_list"] = trained_on.get("tag_list", "own")
    _print_report(examples, scores, merge, per_tag)


@app.command(epilog="example: tagkit learn labels.csv --out mine.safetensors")
def learn(
    table: Annotated[str, Argument(help="a table file,tags; or any corpus with tags")],
    music: Annotated[
        Path | None, Argument(help="where its files are; default: beside the table")
    ] = None,
    out: Annotated[Path | None, Option(help="the network to write")] = None,
    network: Annotated[
        str, Option(help="what to start from, see `tagkit networks`")
    ] = "magnatagatune",
    tags: Tags = "all",
    labels: Labels = None,
    dry_run: Annotated[
        bool, Option("--dry-run", help="only say what would be learned and scored")
    ] = False,
):
    """Learn tags of your own from a few labelled files.

    A logistic regression per tag on what a trained network hears; the result is a
    network for `tagkit tag --network`. Five files with a tag and five without are the
    least that is scored. No artist is on both sides of a score; where the table has no
    column artist, a folder counts as one. What was heard is kept in data/cache.
    """
    from tagkit.data import corpus as corpora
    from tagkit.training import probe

    if out is None and not dry_run:
        raise BadParameter("needed is a name, or --dry-run", param_hint="--out")
    if not dry_run:
        _check_output(out, ".safetensors", _is_checkpoint, "--out")
    own = corpora.open(table, folder=music, labels=labels)
    if dry_run:
        print(probe.plan(own, _tag_list(tags)))
        print("nothing was heard: a file that cannot be read will be left out of these")
        return
    learned = probe.learn(own, network, tag_list=_tag_list(tags))
    learned.save(out)
    unscored = ", unscored" if learned.report is None else ""
    print(f"written to {out}{unscored}; try: tagkit tag --network {out} FILES")


@app.command(epilog="example: tagkit tag folder/of/music --out tags.csv")
def tag(
    files: Annotated[
        list[Path], Argument(readable=False, help="anything with sound, or folders")
    ],
    network: Annotated[
        str, Option(help="see `tagkit networks`; or the path of a best.safetensors")
    ] = "magnatagatune",
    top: Annotated[int | None, Option(min=1, help="at most so many tags")] = None,
    threshold: Annotated[
        float | None, Option(min=0, max=1, help="only tags with at least this score")
    ] = None,
    format: Annotated[
        Literal["table", "csv", "json", "jsonl"] | None,
        Option(help="default: by the suffix of --out, else table", show_default=False),
    ] = None,
    out: Annotated[Path | None, Option(help="a .csv, .json or .jsonl")] = None,
    timeline: Annotated[
        bool, Option("--timeline", help="a row per window, not per file")
    ] = False,
    overlap: Annotated[
        float,
        Option(min=0, max=0.99, help="share of a window that the next repeats"),
    ] = 0.0,
    embeddings: Annotated[Path | None, Option(help="an .npz to write, too")] = None,
    jobs: Annotated[int, Option(min=1, help="files at a time, in processes")] = 1,
    device: Annotated[
        str | None, Option(help="cpu, cuda ...; default: the best")
    ] = None,
    merge: Merge = "mean",
    write: Annotated[
        bool, Option("--write", help="put the tags into the files, as their genre")
    ] = False,
    overwrite: Annotated[
        bool,
        Option(
            "--overwrite",
            help="with --write: also in place of a genre, which --remove cannot bring "
            "back",
        ),
    ] = False,
    remove: Annotated[
        bool, Option("--remove", help="take out of the files what --write put there")
    ] = False,
    dry_run: Annotated[
        bool, Option("--dry-run", help="with --write, --remove: only show it")
    ] = False,
):
    """Tag files of sound.

    Folders are searched to the bottom. A table shows the 5 strongest tags; csv, json
    and jsonl hold all; --top or --threshold leave some out (in csv an empty cell).
    With --out a run that was stopped goes on when called again with the same options
    from the same folder; what is in the file, or in that of --embeddings, is not
    computed again. Links are followed, what is hidden is passed over. Exit code 1: a
    file, folder or link could not be read; each is named with the reason. Write --
    before names that begin with -.

    --write puts the tags that --top or --threshold choose into the files themselves
    (mp3, flac, ogg, opus, m4a, wav, aiff). A genre that is there stays, unless it was
    written so. The sound stays the same bit for bit.
    """
    from tagkit.evaluation import tagging

    if timeline and merge != "mean":
        raise BadParameter("not allowed with --timeline", param_hint="--merge")
    if write and top is None and threshold is None:
        raise BadParameter("needs --top or --threshold", param_hint="--write")
    if write and (out or format or timeline or remove):
        others = "--out, --format, --timeline or --remove"
        raise BadParameter(f"not allowed with {others}", param_hint="--write")
    if overwrite and not write:
        raise BadParameter("needs --write", param_hint="--overwrite")
    if dry_run and not (write or remove):
        raise BadParameter("needs --write or --remove", param_hint="--dry-run")
    format = _output_format(format, out)
    if format == "table" and top is None and threshold is None:
        top = 5
    sounds = tagging.find(files)
    genres = tagging.Genres(threshold, overwrite=overwrite, dry_run=dry_run)
    if remove:
        for path in sounds:
            genres.remove(path)
        genres.close()
        _say_failed(genres.failed, "changed")
        raise Exit(1 if genres.failed else 0)
    from tagkit.machine import devices
    from tagkit.training import checkpoints

    model, made = checkpoints.load(network)
    model.to(devices.choose(device))
    tags = made["tags"]
    columns = ["file", *(["seconds"] if timeline else []), *tags]
    vectors = tagging.Embeddings(embeddings, network) if embeddings else None
    output = genres if write else tagging.Output(format, columns, out)
    todo = tagging.todo(sounds, output, vectors)
    n_before, failed = len(sounds) - len(todo), []
    how = {"merge": merge, "timeline": timeline, "overlap": overlap}
    progress = tagging.Progress(len(sounds), n_before, beside_table=out is None)
    with contextlib.ExitStack() as at_end:  # all of it, whatever happens
        at_end.callback(output.close)
        if vectors:
            at_end.callback(vectors.save)
        at_end.callback(progress.clear)
        for done in tagging.tag(model, tags, todo, **how, processes=jobs):
            for text in done.remarks:
                progress.clear()
                print(f"tagkit tag: {text}", file=sys.stderr)
            progress.step()
            failed += [] if done.is_sound else [done.path]
            if top or threshold is not None:
                rows = [tagging.strongest(row, top, threshold) for row in done.rows]
                done = done._replace(rows=rows)
            if done.rows:
                output.write(done.rows)
            if done.embedding is not None:
                vectors.add(str(done.path), done.embedding)
    if n_before:
        there = out or embeddings
        print(f"{n_before} of {len(sounds)} were in {there} already", file=sys.stderr)
    print(
        f"{len(todo) - len(failed)} of {len(todo)} files tagged by {network}: "
        f"{made['model']}, trained on {_trained_on(made['about'])}"
        + (", unscored" if made["about"].get("scores") == [] else ""),
        file=sys.stderr,
    )
    _say_failed(failed, "tagged")
    _say_failed(genres.failed, "changed")
    if failed or genres.failed:
        raise Exit(1)


def _say_failed(files, what):
    """Name the first files that could not be done, at the end of a long list."""
    from tagkit.evaluation import tagging

    if files:
        more = [f"{len(files) - 3} more"] * (len(files) > 3)
        names = ", ".join([tagging.shown(file) for file in files[:3]] + more)
        print(f"could not be {what}: {names}", file=sys.stderr)


def _output_format(format, out):
    """Settle the format by --format, or by the suffix of --out."""
    if out is None:
        return format or "table"
    format = format or out.suffix.lower().lstrip(".")
    if format not in ("csv", "json", "jsonl"):
        raise BadParameter(
            f"{str(out)!r} is to hold {format or 'nothing known'}; needed is csv, json "
            "or jsonl, as its suffix or with --format",
            param_hint="--out",
        )
    return format


@app.command(epilog="example: tagkit similar song.mp3 music/ --playlist like.m3u8")
def similar(
    song: Annotated[
        Path, Argument(readable=False, dir_okay=False, help="the sound to start from")
    ],
    music: Annotated[
        list[Path], Argument(readable=False, help="where to look: folders, or files")
    ],
    n: Annotated[int, Option("-n", min=1, help="at most so many files")] = 10,
    other_artists: Annotated[
        bool, Option("--other-artists", help="none by the artist of the song")
    ] = False,
    playlist: Annotated[
        Path | None, Option(help="an .m3u8 to write, the song first")
    ] = None,
    network: Annotated[
        str, Option(help="see `tagkit networks`; or the path of a best.safetensors")
    ] = "magnatagatune",
):
    """List the files that sound most like a song.

    Before each stands the cosine between its embedding and the song's: at most 1, and 0
    for a file no more like it than any other. The song and its copies are left out.
    Embeddings are kept in data/cache, or in the folder cache of TAGKIT_DATA, so a
    second call is quick. A file's artist is the one in its own tags, else the uppermost
    folder below the one that is searched. Exit code 1: a file could not be read; each
    is named with the reason.
    """
    from tagkit.evaluation import cache, networks, tagging
    from tagkit.evaluation import similar as similarity

    if playlist and playlist.suffix.lower() != ".m3u8":
        raise BadParameter(f"{playlist} is no .m3u8", param_hint="--playlist")
    files = tagging.find([song, *music])
    embed = cache.embedder(networks.find(network), lambda: _load_to_best(network))
    vectors, progress = {}, tagging.Progress(len(files), 0, beside_table=False)
    for path in files:
        vector, remarks = tagging.attempt(embed, path)
        for text in remarks:
            progress.clear()
            print(f"tagkit similar: {text}", file=sys.stderr)
        if vector is not None:
            vectors[path] = vector
        elif path == song:
            raise Exit(1)
        progress.step()
    progress.clear()
    if len(vectors) < 2:
        raise ValueError(f"no sound in {', '.join(map(str, music))} to compare with")
    artists = None
    if other_artists:
        artists = similarity.Artists(path for path in music if path.is_dir())
        if not artists(song):
            raise ValueError(
                f"{song} names no artist and lies in no folder below one that is "
                "searched; leave --other-artists out"
            )
    found = similarity.nearest(vectors, n, artist=artists)
    for path, near in found:
        print(f"{near:5.2f}  {tagging.shown(path)}")
    if other_artists:
        by = artists.n_by
        print(
            f"artists: {by['tags']} by the files' own tags, {by['folder']} by folder, "
            f"{by['']} not known",
            file=sys.stderr,
        )
    left_out = []
    if playlist:
        left_out = similarity.write_playlist(playlist, [song, *(p for p, _ in found)])
        for path in left_out:
            text = f"{path} cannot be named in a playlist; rename it"
            print(f"tagkit similar: {text}", file=sys.stderr)
    if left_out or len(vectors) < len(files):
        raise Exit(1)


def _load_to_best(network):
    """Load a network to the best device."""
    from tagkit.machine import devices
    from tagkit.training import checkpoints

    return checkpoints.load(network)[0].to(devices.best())


@app.command(epilog="example: tagkit networks lastfm50")
def networks(
    name: Annotated[str | None, Argument(help="list the tags of this one")] = None,
):
    """List the networks that are here, or the tags that one knows.

    The names are for `tagkit tag --network`.
    """
    from tagkit import models
    from tagkit.training import checkpoints

    if name:
        print(", ".join(checkpoints.load(name)[1]["tags"]))
        return
    rows = [("name", "model", "parameters", "tags", "trained on", "weights")]
    for name in checkpoints.shipped():
        model, made = checkpoints.load(name)
        n_parameters = f"{models.count_parameters(model):,}"
        n_tags = str(len(made["tags"]))
        about = made["about"]
        trained_on, licence = _trained_on(about), about.get("licence", "CC0")
        rows.append((name, made["model"], n_parameters, n_tags, trained_on, licence))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = (text.ljust(n) for text, n in zip(row, widths, strict=True))
        print("  ".join(cells).rstrip())


def _trained_on(about) -> str:
    """Say what a network heard, by what its checkpoint says of itself."""
    clips = f"{about['corpus']}, {about['n_clips']} clips" if "n_clips" in about else ""
    return about.get("sound", clips)


@app.command(epilog="example: tagkit export magnatagatune model.onnx")
def export(
    checkpoint: Annotated[str, Argument(help="see `tagkit networks`; or a path")],
    file: Annotated[Path, Argument(help="to write, such as model.onnx")],
):
    """Write a network as an ONNX file, to run it without PyTorch.

    From windows of sound, as many at once as you like, to scores. The file's metadata
    hold the tags, the sampling rate and the length of a window.
    """
    from tagkit.evaluation import export as exports
    from tagkit.training import checkpoints

    _check_output(file, ".onnx", exports.is_onnx, "FILE")
    model, made = checkpoints.load(checkpoint)
    exports.write(model, file, tags=made["tags"])
    print(
        f"{file}: {made['model']}, {len(made['tags'])} tags, windows of "
        f"{model.n_samples} samples at {model.sample_rate} Hz, "
        f"{file.stat().st_size / 1e6:.1f} MB"
    )


@app.command(epilog="example: tagkit lab -- --no-browser --ip=0.0.0.0")
def lab(
    options: Annotated[
        list[str] | None,
        Argument(metavar="-- OPTIONS", help="for JupyterLab; see `jupyter lab --help`"),
    ] = None,
    reset: Annotated[
        str | None, Option(help="only make this copy anew; the old one is kept")
    ] = None,
):
    """Open lessons and exercises in JupyterLab, as copies of your own.

    The copies lie in work/. They have no outputs, are made once, and are never
    overwritten; one whose source has changed since is named. --reset 02 makes the copy
    of lesson 02 anew, --reset exercises/02 that of its exercise. The old copy stays
    beside the new one, with the date of its last change in its name.
    """
    from tagkit import lab as labs

    if reset:
        copy, old = labs.reset(reset)
        print(f"{copy} is new" + (f"; the old one is {old.name}" if old else ""))
        return
    for remark in labs.copy_missing():
        print(f"tagkit lab: {remark}", file=sys.stderr)
    labs.serve(options or [])


@app.command(epilog="example: tagkit doctor")
def doctor():
    """Look at versions, device, disk, corpora and stores."""
    from tagkit.doctor import report

    if report():
        raise Exit(1)


def _check_output(path: Path, suffix: str, is_ours, hint: str):
    """Refuse, before any work, to write where it cannot be, or over something else."""
    problem = ""
    if path.is_dir():
        problem = f"is a folder; needed is a file, such as {path / f'mine{suffix}'}"
    elif path.suffix.lower() != suffix:
        problem = f"does not end in {suffix}; needed is a name such as mine{suffix}"
    elif path.exists() and not is_ours(path):
        problem = "is there already, and holds no network; needed is another name"
    else:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=path.parent):
                pass
        except OSError as error:
            problem = f"cannot be written ({error.strerror}); needed is another place"
    if problem:
        raise BadParameter(f"{path} {problem}", param_hint=hint)


def _is_checkpoint(path: Path) -> bool:
    from tagkit.training import checkpoints

    try:
        return bool(checkpoints.read_checkpoint(path))
    except ValueError:
        return False


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
    """Refuse settings that a training run cannot have, before any work."""
    from tagkit import models
    from tagkit.evaluation import features
    from tagkit.training import train

    if model in models.MODELS:
        kinds = get_type_hints(train.Config)
        kinds |= get_type_hints(models.MODELS[model].cls.__init__)
        del kinds["n_tags"]  # --tags settles it
    else:
        kinds = {"seed": int}
        if features.BASELINES[model].listens:
            kinds |= {name: type(value) for name, value in features.TREES.items()}
    for name, value in settings.items():
        if name not in kinds:
            raise ValueError(_unknown("setting", name, kinds))
        needed, *types = KINDS[kinds[name]]
        fits = type(value) in types  # true is not taken for 1
        if fits and type(value) in (int, float):
            needed = "0 or more" if name in MAY_BE_0 else "more than 0"
            fits = value > 0 or (value == 0 and name in MAY_BE_0)
        elif fits and kinds[name] == Sequence[int]:
            fits = all(type(n) is int and n > 0 for n in value)
        if not fits:
            raise ValueError(f"{name} is {value!r}; needed is {needed}")


def _unknown(kind, name, names) -> str:
    """Say which names are nearest to a mistyped one, else all of them."""
    lower = {known.lower(): known for known in names}
    near = difflib.get_close_matches(name.lower(), lower, 3, 0.5)
    listed = ", ".join(lower[n] for n in near or lower)
    return f"{kind} {name!r} is unknown; try {listed}"


def _say_one_sided(examples, verb):
    """Name the tags that no clip of a part has, or that every clip has."""
    part, counts = examples.about["part"], examples.labels.sum()
    for n, clips in ((0, "no clip"), (len(examples), "every clip")):
        if tags := list(counts.index[counts == n]):
            why = f"{clips} of the {part} part has it"
            print(f"not {verb}, since {why}: {', '.join(tags)}")


def _print_report(examples, scores, merge, per_tag):
    """Print what was scored and how well; every tag that was not, with the reason."""
    from tagkit.evaluation import metrics, results

    artists, drawn = examples.artists, "clips of one artist"
    if artists.nunique() > 1:
        drawn = f"{artists.nunique()} artists"
    else:  # drawn as a whole, it would be the same every time
        artists = None
    report = metrics.evaluate(examples.labels, scores, groups=artists)
    about = examples.about | {"merge": merge} | report.attrs
    macro = report.loc["macro"]
    print(results.caption(about))
    _say_one_sided(examples, "scored")
    if len(about["masked"]) == about["n_tags"]:
        print("no score: needed is a tag that some of these clips have and others lack")
        return
    if per_tag:
        width = max(map(len, report.index))
        print(f"{'tag':{width}}  clips  {'ROC-AUC':20}  {'AP':20}  without listening")
        for row in report.drop(index=["macro", *about["masked"]]).itertuples():
            print(
                f"{row.Index:{width}}  {row.positives:5}  {row.roc_auc:.3f} "
                f"[{row.roc_low:.3f}, {row.roc_high:.3f}]  {row.ap:.3f} "
                f"[{row.ap_low:.3f}, {row.ap_high:.3f}]  {row.ap_floor:.3f}"
            )
    print(
        f"macro ROC-AUC {macro.roc_auc:.3f} [{macro.roc_low:.3f}, {macro.roc_high:.3f}]"
        f"  (without listening: 0.500)\n"
        f"macro AP      {macro.ap:.3f} [{macro.ap_low:.3f}, {macro.ap_high:.3f}]"
        f"  (without listening: {macro.ap_floor:.3f})\n"
        f"95 % bootstrap intervals over {drawn}, that of AP leans upwards; "
        f"predicting no tag at all is right for {about['nothing_right']:.1%} of the "
        "labels"
    )
