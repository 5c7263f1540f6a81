"""The command `tagkit`: download, prepare, pack, train, evaluate, tag, doctor.

Exit codes: 0 done, 1 an error that the message explains, 2 a mistyped command,
130 interrupted.

Notebook: course/00_start_here.ipynb
"""

import argparse
import json
import os
import sys
from collections.abc import Sequence
from typing import get_type_hints

from tagkit import commands

EXAMPLES = {
    "download": "tagkit download magnatagatune",
    "prepare": "tagkit prepare mini --sample-rate 12000",
    "pack": "tagkit pack mini shards --clips-per-shard 64",
    "train": "tagkit train mini K2C2 width=0.24 epochs=12 --run runs/k2c2",
    "evaluate": "tagkit evaluate runs/k2c2/best.safetensors --corpus mini",
    "tag": "tagkit tag song.mp3 folder/of/music --top 5",
    "doctor": "tagkit doctor",
}
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


def main(arguments: list[str] | None = None) -> int:
    """Run one command and give its exit code.

    >>> main(["train", "mimi", "K2C2"])
    1

    Notebook: course/00_start_here.ipynb
    """
    options = _read(arguments)
    for stream in (sys.stdout, sys.stderr):  # a file's name may hold any byte
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    try:
        if options.name == "train":
            _check_settings(options.model, options.settings)
        return options.command(options) or 0
    except BrokenPipeError:  # who reads has seen enough, as in `tagkit tag ... | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except (ValueError, OSError, ArithmeticError, MemoryError, ImportError) as error:
        print(f"tagkit {options.name}: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        goes_on = options.name in ("download", "prepare", "pack") or getattr(
            options, "run", 0
        )
        then = "; the same command goes on from here" if goes_on else ""
        print(f"\nstopped{then}", file=sys.stderr)
        return 130


def _read(arguments):
    """Read a command line, in which settings may also stand behind options."""
    options, rest = _parser().parse_known_args(arguments)
    if options.name == "train":
        late = [text for text in rest if "=" in text and text[0] != "-"]
        options.settings += map(_name_and_value, late)
        rest = [text for text in rest if text not in late]
    if rest:
        options.error(f"unrecognized arguments: {' '.join(rest)}")
    return options


def _check_settings(model, settings):
    """Refuse settings that a training cannot have, before any work."""
    from tagkit import models
    from tagkit.training import train

    kinds, is_network = get_type_hints(train.Config), model in models.MODELS
    if is_network:
        kinds |= get_type_hints(models.MODELS[model].cls.__init__)
    for name, value in settings:
        if name == "n_tags":
            raise ValueError(f"n_tags is {value!r}; needed is --tags, which settles it")
        if name not in kinds and is_network:
            raise ValueError(commands.unknown("setting", name, kinds))
        if name not in kinds:
            continue  # of a baseline, or of a mistyped model
        needed, *types = KINDS[kinds[name]]
        wrong = type(value) not in types  # true is not taken for 1
        if kinds[name] == Sequence[int] and not wrong:
            wrong = any(type(n) is not int or n < 1 for n in value)
        if type(value) in (int, float) and not wrong and value <= 0:
            wrong = value < 0 or name not in MAY_BE_0
            needed = "0 or more" if name in MAY_BE_0 else "more than 0"
        if wrong:
            raise ValueError(f"{name} is {value!r}; needed is {needed}")


def _name_and_value(text: str):
    name, equals, value = text.partition("=")
    if not equals:
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=VALUE")
    try:
        return name, json.loads(value)
    except json.JSONDecodeError:
        return name, value


def _tag_list(text: str):
    return text if text in ("raw50", "merged50", "all") else text.split(",")


def _parser() -> argparse.ArgumentParser:
    lines = "".join(f"\n  {example}" for example in EXAMPLES.values())
    parser = argparse.ArgumentParser(
        prog="tagkit",
        description="Music tagging with neural networks.",
        epilog=f"examples:{lines}\n\n`tagkit COMMAND --help` says all about a command.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    subparsers = parser.add_subparsers(
        title="commands", required=True, dest="name", metavar="COMMAND"
    )

    def add(name, function, text):
        first, example = text.split(". ")[0].split(": ")[0], EXAMPLES[name]
        command = subparsers.add_parser(
            name, help=first, description=text, epilog=f"example: {example}"
        )
        command.set_defaults(command=function, error=command.error)
        return command

    download = add(
        "download",
        commands.download,
        "Fetch, verify and unpack MagnaTagATune: 3 GB from the network, 6 GB on the "
        "disk. Called again, it goes on where it was stopped.",
    )
    download.add_argument("corpus", help="magnatagatune; mini is here already")
    download.add_argument(
        "--root", metavar="FOLDER", help="default: data/magnatagatune"
    )
    download.add_argument(
        "--base-url",
        metavar="URL",
        help="a mirror: the folder with the two tables and mp3.zip.001 ... .003 "
        "(default: the two official servers); digests are checked in any case",
    )
    download.add_argument(
        "--delete-archive",
        action="store_true",
        help="delete the 3 GB of zip parts at the end; without them a clip that goes "
        "bad has to be fetched again",
    )

    prepare = add(
        "prepare",
        commands.prepare,
        "Decode a corpus once into a clip store: 24.1 GB for MagnaTagATune at 16 kHz, "
        "18.1 at 12. Can be stopped and called again.",
    )
    prepare.add_argument("corpus", help="mini, magnatagatune, or a folder")
    prepare.add_argument(
        "--sample-rate", type=int, default=16_000, help="Hz (default %(default)s)"
    )
    prepare.add_argument("--workers", type=int, help="threads (default: one per core)")

    pack = add(
        "pack",
        commands.pack,
        "Write a corpus into WebDataset shards, for disks far away and corpora beyond "
        "one disk: tar files of int16 samples and tags, and a manifest with checksums. "
        "Can be stopped and called again.",
    )
    pack.add_argument("corpus", help="mini, magnatagatune, or a folder")
    pack.add_argument("folder", help="where to put them: an empty one")
    pack.add_argument(
        "--tags", type=_tag_list, default="raw50", help="as of train (%(default)s)"
    )
    pack.add_argument("--version", default="full", help="of the split, as of train")
    pack.add_argument(
        "--sample-rate", type=int, default=16_000, help="Hz (default %(default)s)"
    )
    pack.add_argument(
        "--clips-per-shard", type=int, default=128, help="(default %(default)s)"
    )

    train = add("train", commands.train, "Train a model and score it on the test part.")
    train.add_argument("corpus", help="mini, magnatagatune, or a folder")
    train.add_argument("model", help="a name such as K2C2 or BoostedTrees")
    train.add_argument(
        "settings",
        nargs="*",
        type=_name_and_value,
        metavar="NAME=VALUE",
        help="of the training (train.Config: epochs, batch_size, learning_rate, seed "
        "...) or of the model (width, length, stride ...)",
    )
    train.add_argument("--recipe", help="of a paper, such as won or roy_improved")
    train.add_argument(
        "--tags",
        type=_tag_list,
        default="raw50",
        help="raw50, merged50, all, or names with commas, such as guitar,techno",
    )
    train.add_argument(
        "--version",
        default="full",
        help="of the split: full, clean, artist, or 'clean artist'",
    )
    train.add_argument(
        "--share",
        type=float,
        default=1,
        help="of the training clips, drawn track by track with the seed (default: all)",
    )
    train.add_argument(
        "--sample-rate", type=int, help="of the store (default: the model's)"
    )
    train.add_argument(
        "--run",
        "--run-dir",  # torchrun takes --run for an option of its own
        metavar="FOLDER",
        help="keep checkpoints, go on there; behind torchrun write --run-dir",
    )
    train.add_argument(
        "--record",
        metavar="FILE",
        help="write the run's JSON; nothing is trained if it is there",
    )

    evaluate = add(
        "evaluate", commands.evaluate, "Score a checkpoint on a part of a corpus."
    )
    evaluate.add_argument("checkpoint", help="a file best.safetensors")
    evaluate.add_argument("--corpus", help="default: the one it was trained on")
    evaluate.add_argument("--part", default="test", choices=("train", "valid", "test"))
    evaluate.add_argument(
        "--merge", default="mean", help="mean, vote, max, mean_logits"
    )

    tag = add(
        "tag",
        commands.tag,
        "Tag files of sound. Without --checkpoint a network answers that was trained "
        "on mini, the embedded corpus of 480 synthesised clips: it shows how tagging "
        "works, not how well it can. It is K2C2, which hears 29 s at once; with "
        "--timeline it is DielemanMel, which hears 3 s.",
    )
    tag.add_argument("files", nargs="+", help="wav, flac, ogg, mp3, or folders")
    tag.add_argument("--checkpoint", help="a file best.safetensors of your own run")
    tag.add_argument("--top", type=int, default=5, help="tags shown (%(default)s)")
    tag.add_argument(
        "--format", choices=("table", "json", "csv"), default="table",
        help="json and csv hold all tags",
    )  # fmt: skip
    windows = tag.add_mutually_exclusive_group()  # scores of each, or of all in one
    windows.add_argument(
        "--timeline", action="store_true", help="scores of each window, with its time"
    )
    windows.add_argument("--merge", default="mean", help="mean, vote, max, mean_logits")

    add(
        "doctor", commands.doctor, "Look at versions, device, disk, corpora and stores."
    )
    return parser
