"""What the commands of `tagkit` do, each with the options that cli.py has read.

Imports wait until a command needs them, so that `tagkit --help` answers at once.

Notebook: course/00_start_here.ipynb
"""

import dataclasses
import difflib
import json
import sys
import time
from pathlib import Path

N_SHOWN = 20  # clips left out that `prepare` names one by one


def download(options):
    """Fetch MagnaTagATune, verify and unpack it."""
    from tagkit.data import download as downloads

    if options.corpus != "magnatagatune":
        raise ValueError(
            f"{options.corpus!r} cannot be downloaded; needed is magnatagatune (mini "
            "is part of the project, your own folders are where you put them)"
        )
    bases = options.base_url or downloads.BASES
    keep = not options.delete_archive
    opened = downloads.magnatagatune(options.root, bases, keep_archive=keep)
    print(f"{opened} in {opened.root}")


def prepare(options):
    """Decode a corpus into a store, say how large it gets and what is left out."""
    from tagkit.data import corpus, store

    start = time.perf_counter()
    opened = corpus.open(options.corpus)
    n_bytes = store.n_bytes(opened, options.sample_rate)
    print(
        f"{opened}; its store at {options.sample_rate} Hz takes {_size(n_bytes)}",
        flush=True,
    )
    clips = store.prepare(opened, options.sample_rate, n_workers=options.workers)
    print(f"{clips} in {time.perf_counter() - start:.1f} s, in {clips.folder}")
    for clip_id in opened.annotations.index.difference(opened.clips.index):
        path = corpus.EMPTY_CLIPS[clip_id]
        print(f"left out: clip {clip_id}: {path} is empty (0 bytes) in every copy")
    for clip_id, reason in clips.bad["reason"].head(N_SHOWN).items():
        print(f"left out: clip {clip_id}: {reason}")
    if len(clips.bad) > N_SHOWN:
        print(f"and {len(clips.bad) - N_SHOWN} more; index.json there names them all")
    return 0 if len(clips) else 1


def pack(options):
    """Write a corpus into shards, say how large they are and what is left out."""
    from tagkit.data import corpus, shards

    start, opened = time.perf_counter(), corpus.open(options.corpus)
    which = options.tags, options.version, options.sample_rate
    packed = shards.pack(opened, options.folder, *which, options.clips_per_shard)
    files = packed["shards"]
    print(
        f"{sum(s['n_clips'] for s in files)} clips in {len(files)} shards, "
        f"{_size(sum(s['n_bytes'] for s in files))}, in "
        f"{time.perf_counter() - start:.1f} s, in {options.folder}"
    )
    for shard in files:
        for clip_id, reason in shard["left_out"].items():
            print(f"left out: clip {clip_id}: {reason}")


def train(options):
    """Train a network or a baseline, score it, record it."""
    from tagkit import models
    from tagkit.data import corpus
    from tagkit.evaluation import features

    if options.record and Path(options.record).exists():
        print(f"{options.record} is there already")
        return
    names = [*models.MODELS, *features.BASELINES]
    if options.model not in names:
        raise ValueError(unknown("model", options.model, names))
    opened, settings = corpus.open(options.corpus), dict(options.settings)
    if options.model in features.BASELINES:
        _train_baseline(opened, settings, options)
    else:
        _train_network(opened, settings, options)


def _train_network(opened, settings, options):
    import torch

    from tagkit import models
    from tagkit.data import store
    from tagkit.evaluation import predict
    from tagkit.machine import devices, processes
    from tagkit.training import checkpoints, recipes, train

    merge, stages = "mean", (train.Config(),)
    if options.recipe:
        if options.recipe not in recipes.RECIPES:
            raise ValueError(unknown("recipe", options.recipe, recipes.RECIPES))
        recipe = recipes.RECIPES[options.recipe]
        merge, stages = recipe.merge, recipe.stages
    known = {field.name for field in dataclasses.fields(train.Config)}
    given = {k: v for k, v in settings.items() if k not in known}
    settings = {k: v for k, v in settings.items() if k in known}
    for name in settings.keys() - {"epochs", "seed", "device"}:
        if len({getattr(stage, name) for stage in stages}) > 1:
            raise ValueError(
                f"the stages of {options.recipe} differ in {name}; one value for all "
                "would be another recipe, leave it out"
            )
    stages = [dataclasses.replace(stage, **settings) for stage in stages]
    processes.start()
    say = print if processes.is_first() else None
    device = devices.choose(stages[0].device)
    torch.manual_seed(stages[0].seed)
    n_tags = opened.labels(options.tags).shape[1]
    model = models.build(options.model, n_tags=n_tags, **given)
    clips = store.prepare(opened, options.sample_rate or model.sample_rate)
    parts = _parts(opened, clips, options, stages[0].seed)
    if say:
        say(
            f"{options.model}, {models.count_parameters(model):,} parameters, on "
            f"{parts[0]}, device {devices.describe(device, stages[0].precision)}"
        )
    run = {"run_dir": options.run, "log": say}
    if len(stages) == 1:
        history = train.fit(model, *parts[:2], stages[0], **run)
    else:
        history = recipes.fit_stages(model, *parts[:2], stages, **run)
    if history.interrupted:
        raise KeyboardInterrupt
    if not processes.is_first():
        return
    start = time.perf_counter()
    scores = predict.clip_scores(model, parts[2], merge)
    seconds = (time.perf_counter() - start) / len(parts[2])
    what = checkpoints.describe(model, stages[0]) | {"recipe": options.recipe}
    what |= {"stages": [dataclasses.asdict(stage) for stage in stages]}
    _report_and_record(what, history.epochs, parts, scores, seconds, merge, options)


def _train_baseline(opened, settings, options):
    from tagkit.data import store
    from tagkit.evaluation import features

    baseline = features.BASELINES[options.model]
    known = {"seed", *(features.TREES if baseline.listens else ())}
    unknown = sorted(set(settings) - known)
    if unknown or options.recipe or options.run:
        raise ValueError(
            f"{options.model} has no {unknown[0] if unknown else 'recipe or run'}; "
            f"its settings are {', '.join(sorted(known))}"
        )
    model = baseline(**settings)
    start = time.perf_counter()
    table = features.table(opened)
    seconds = time.perf_counter() - start
    print(f"{table.shape[1]} features of {len(table)} clips in {seconds:.1f} s")
    parts = _parts(opened, store.prepare(opened), options, model.seed)
    train, _, test = (table.loc[part.labels.index] for part in parts)
    start = time.perf_counter()
    model.fit(train, parts[0].labels)
    history = [{"epoch": 1, "seconds": time.perf_counter() - start}]
    start = time.perf_counter()
    scores = model.predict(test)
    seconds = (time.perf_counter() - start) / len(test)
    if model.listens:  # who tags a clip has to describe it first
        some = [opened.load(clip_id) for clip_id in test.index[:8]]
        start = time.perf_counter()
        for samples in some:
            features.describe(samples)
        seconds += (time.perf_counter() - start) / len(some)
    what = {"model": options.model, "arguments": model.arguments, "recipe": None}
    what |= {"parameters": model.parameters, "config": {"seed": 0} | settings}
    what |= {"device": "cpu"}
    _report_and_record(what, history, parts, scores, seconds, "mean", options)


def _parts(opened, clips, options, seed):
    from tagkit.data import batches, corpus

    which = {"tag_list": options.tags, "version": options.version}
    names = ("train", "valid", "test")
    train, *rest = (batches.examples(opened, clips, part, **which) for part in names)
    if options.share != 1:
        known = opened.clips.loc[train.labels.index]
        train = train.take(corpus.draw_share(known, options.share, seed))
    return [train, *rest]


def _report_and_record(what, history, parts, scores, seconds, merge, options):
    from tagkit.evaluation import metrics
    from tagkit.training import checkpoints

    train, _, test = parts
    report = metrics.evaluate(test.labels, scores)
    _print_report(report, test.about | report.attrs | {"merge": merge})
    if options.record:
        checkpoints.record(
            options.record, what, history, train, test, scores, seconds, merge
        )
        print(f"recorded in {options.record}")


def evaluate(options):
    """Score a checkpoint on a part of a corpus."""
    from tagkit.data import batches, corpus, store
    from tagkit.evaluation import metrics, predict
    from tagkit.machine import devices

    model, about = _open(options.checkpoint)
    model.to(devices.best())
    if about["about"]["version"] == "own":
        raise ValueError(
            f"{options.checkpoint} was trained on clip ids of its user's choice, so no "
            "part of a split is known to be new to it; choose clips to score it on in "
            "Python: batches.examples, predict.clip_scores, metrics.evaluate"
        )
    name = options.corpus or about["about"]["corpus"]
    if options.corpus is None and name not in corpus.NAMED:
        raise ValueError(
            f"{options.checkpoint} was trained on {name!r}, a folder of your own; say "
            "where it is: --corpus FOLDER"
        )
    opened = corpus.open(name)
    examples = batches.examples(
        *(opened, store.prepare(opened, model.sample_rate), options.part),
        *(about["tags"], about["about"]["version"]),
    )
    scores = predict.clip_scores(model, examples, options.merge)
    report = metrics.evaluate(examples.labels, scores)
    tag_list = {"tag_list": about["about"]["tag_list"], "merge": options.merge}
    _print_report(report, examples.about | report.attrs | tag_list)


def tag(options):
    """Tag files of sound, or all below folders."""
    from tagkit.data import audio, corpus
    from tagkit.evaluation import predict
    from tagkit.machine import devices

    name = "DielemanMel" if options.timeline else "K2C2"  # of windows of 3 s, 29 s
    default = corpus.DATA / "checkpoints" / "mini" / f"{name}.safetensors"
    model, about = _open(options.checkpoint or default)
    model.to(devices.best())
    files = []
    for name in map(Path, options.files):
        files += corpus.sound_files(name) if name.is_dir() else [name]
    if options.top < 1:
        raise ValueError(f"--top is {options.top}; needed is at least 1")
    if not files:
        raise ValueError(
            f"{', '.join(options.files)} holds no sound; needed are files such as "
            f"{', '.join(audio.SUFFIXES)}"
        )
    n_tagged = 0
    for file in files:
        try:
            if options.timeline:
                scores = predict.timeline(model, file, about["tags"]).reset_index()
            else:
                scores = predict.tag_file(model, file, about["tags"], options.merge)
                scores = scores[about["tags"]].to_frame().T
        except audio.AudioError as error:
            print(f"tagkit tag: {error}", file=sys.stderr)
            continue
        scores = scores.astype(float).round(4)
        scores.insert(0, "file", str(file))
        _print_tags(scores, options, first=n_tagged == 0)
        n_tagged += 1
    if options.format == "json":
        print("]" if n_tagged else "[]")
    print(
        f"{n_tagged} of {len(files)} files tagged by {about['model']}, which was "
        f"trained on {about['about']['corpus']}, {about['about']['n_clips']} clips; it "
        "knows no other music and no other tags",
        file=sys.stderr,
    )
    return 0 if n_tagged == len(files) else 1


def _size(n_bytes: int) -> str:
    return f"{n_bytes / 1e9:.1f} GB" if n_bytes > 1e8 else f"{n_bytes / 1e6:.1f} MB"


def unknown(kind, name, names) -> str:
    """Say which names are nearest to a mistyped one, else all of them."""
    lower = {known.lower(): known for known in names}
    near = difflib.get_close_matches(name.lower(), lower, 3, 0.5)
    which = "the nearest names are" if near else "known are"
    some = ", ".join(lower[n] for n in near or lower)
    return f"{kind} {name!r} is unknown; {which} {some}"


def _open(checkpoint):
    """Build the model of a checkpoint, with its weights."""
    from tagkit import models
    from tagkit.training import checkpoints

    name = checkpoints.read_checkpoint(checkpoint)["model"]
    if name not in models.MODELS:
        raise ValueError(
            f"{unknown('model', name, models.MODELS)}; a model of your own is opened "
            "from Python: checkpoints.load_weights"
        )
    return checkpoints.load(checkpoint)


def _print_tags(table, options, first):
    """Print the scores of one file, so that what is done is not lost on the way."""
    if options.format == "csv":
        print(table.to_csv(index=False, header=first), end="", flush=True)
    elif options.format == "json":
        for row in table.to_dict("records"):
            print(("[" if first else ",") + json.dumps(row), flush=True)
            first = False
    else:
        for row in table.to_dict("records"):
            where = row.pop("file")
            where += f" at {row.pop('seconds'):.1f} s" if options.timeline else ""
            best = sorted(row, key=row.get, reverse=True)[: options.top]
            scores = ", ".join(f"{tag} {row[tag]:.2f}" for tag in best)
            print(f"{where}: {scores}", flush=True)


def _print_report(report, about):
    from tagkit.evaluation import results

    macro = report.loc["macro"]
    print(results.caption(about))
    print(
        f"macro ROC-AUC {macro.roc_auc:.3f} [{macro.roc_low:.3f}, {macro.roc_high:.3f}]"
        f"  (without listening: 0.500)\n"
        f"macro AP      {macro.ap:.3f} [{macro.ap_low:.3f}, {macro.ap_high:.3f}]"
        f"  (without listening: {macro.ap_floor:.3f})\n"
        "95 % bootstrap intervals over clips, that of AP leans upwards; predicting no "
        "tag at all is right for "
        f"{about['nothing_right']:.1%} of the labels"
    )


def doctor(options):
    """Look at the installation; 1 if something is wrong with it."""
    from tagkit import doctor as looks

    problems = looks.report()
    return 1 if problems else 0
