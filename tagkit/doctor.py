"""Look at the machine and the project, and say what to do about each problem."""

import importlib.metadata
import os
import platform
import shutil
from pathlib import Path

from tagkit import files
from tagkit.data import corpus, store

PACKAGES = ("torch", "torchaudio", "librosa", "jupyterlab", "ipywidgets", "soundfile")


def report() -> list[str]:
    """Print versions, device, memory, disk, corpora and stores; give the problems.

    A problem is a sentence that says what is wrong and what to do.

    Notebook: course/00_start_here.ipynb
    """
    problems = []
    tagkit = importlib.metadata.version("tagkit")
    print(f"tagkit {tagkit}, python {platform.python_version()} on {platform.system()}")
    print(", ".join(_versions(problems)))
    print(f"device {_device(problems)}, {os.cpu_count()} cores, {_memory()} of memory")
    print(f"{_disk(problems)} for data in {corpus.DATA}")
    for name in corpus.NAMED:
        print(f"{name}: {_corpus(name, problems)}")
    for folder in sorted((corpus.DATA / "cache").glob("*-[0-9]*")):
        print(f"store {folder.name}: {_store(folder, problems)}")
    for folder in sorted((corpus.SHIPPED / "checkpoints").glob("*/")):
        names = [_checkpoint(p, problems) for p in sorted(folder.glob("*.safetensors"))]
        print(f"checkpoints trained on {folder.name}: {', '.join(names)}")
    for path in sorted(Path().glob("runs/*/best.safetensors")):
        print(f"checkpoint {path}: {_checkpoint(path, problems)}")
    for problem in problems:
        print(f"problem: {problem}")
    print(f"{len(problems)} problems" if problems else "all is well")
    return problems


def _versions(problems):
    for name in PACKAGES:
        try:
            yield f"{name} {importlib.metadata.version(name)}"
        except importlib.metadata.PackageNotFoundError:
            problems.append(f"{name} is not installed; run pip install -e '.[course]'")


def _device(problems) -> str:
    try:
        from tagkit import models  # noqa: F401, loads torchaudio too
        from tagkit.machine import devices

        return str(devices.best())
    except (ImportError, OSError) as error:
        remedy = "install both in one version from one place, see constraints.txt"
        problems.append(f"torch or torchaudio cannot be loaded ({error}); {remedy}")
        return "unknown"


def _memory() -> str:
    try:
        n_bytes = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return "unknown size"
    return f"{n_bytes / 1e9:.0f} GB"


def _disk(problems) -> str:
    try:
        files.make_folder(corpus.DATA / "cache")
    except OSError as error:
        problems.append(str(error))
        return "nothing can be written"
    free = shutil.disk_usage(corpus.DATA).free / 1e9
    if free < 1:
        problems.append(f"{free:.1f} GB of disk are free, mini's store needs 0.4")
    return f"{free:.0f} GB free"


def _store(folder, problems) -> str:
    try:
        return f"{len(store.ClipStore(folder))} clips"
    except ValueError as error:
        name, _, rate = folder.name.rpartition("-")
        name = name if name in corpus.NAMED else "FOLDER"
        problems.append(f"{error}: `tagkit prepare {name} --sample-rate {rate}`")
        return "cannot be used"


def _checkpoint(path, problems) -> str:
    try:
        from tagkit.training import checkpoints

        return checkpoints.load(path)[1]["model"]
    except ImportError:
        return f"{path.name} (cannot be looked at without torch)"
    except (ValueError, KeyError, TypeError) as error:
        problems.append(str(error))
        return f"{path.name} (cannot be used)"


def _corpus(name, problems) -> str:
    folder = corpus.home(name)
    remedy = "get the whole repository again"
    if name == "magnatagatune":
        remedy = "`tagkit download magnatagatune` gets what is missing"
        if not folder.is_dir():
            return f"not there; {remedy}"
    if list(folder.glob("*.part")):
        n_bytes = sum(path.stat().st_size for path in folder.glob("mp3.zip.*"))
        there = f"{n_bytes / 1e9:.1f} of 3.0 GB are there"
        problems.append(f"the download of {name} is not complete, {there}; {remedy}")
        return "not complete"
    try:
        opened = corpus.open(name)
    except ValueError as error:
        problems.append(f"{error}; {remedy}")
        return "damaged"
    paths = [folder / path for path in opened.clips["mp3_path"]]
    missing = [path for path in paths if not path.is_file()]
    if missing:
        some = f"{len(missing)} clips of {name}, such as {missing[0]}"
        problems.append(f"{some}, are missing; {remedy}")
    return f"{len(paths) - len(missing)} of {len(paths)} clips"
