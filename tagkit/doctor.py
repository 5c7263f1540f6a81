"""Look at the machine and the project, and say what to do about each problem.

Notebook: course/00_start_here.ipynb
"""

import importlib.metadata
import os
import platform
import shutil
from pathlib import Path

from tagkit.data import corpus, store

PACKAGES = ("torch", "torchaudio", "librosa", "jupyterlab", "ipywidgets", "soundfile")


def report(print=print) -> list[str]:
    """Print versions, device, memory, disk, corpora and stores; give the problems.

    A problem is a sentence that says what is wrong and what to do.

    >>> problems = report(print=lambda line: None)

    Notebook: course/00_start_here.ipynb
    """
    problems = []
    versions = {}
    for name in PACKAGES:
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            problems.append(f"{name} is not installed; run pip install -e '.[course]'")
    tagkit = importlib.metadata.version("tagkit")
    print(f"tagkit {tagkit}, python {platform.python_version()} on {platform.system()}")
    print(", ".join(f"{name} {version}" for name, version in versions.items()))
    minor = {versions[n].split(".")[:2][1] for n in PACKAGES[:2] if n in versions}
    if len(minor) > 1:
        problems.append(
            f"torch {versions['torch']} and torchaudio {versions['torchaudio']} do "
            "not fit; install the two versions of constraints.txt"
        )
    print(f"device {_device(problems)}, {os.cpu_count()} cores, {_memory()} of memory")
    corpus.DATA.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(corpus.DATA).free / 1e9
    print(f"{free:.0f} GB free for data")
    if free < 1:
        problems.append(f"{free:.1f} GB of disk are free, mini's store needs 0.4")
    for name in corpus.NAMED:
        print(f"{name}: {_corpus(name, problems)}")
    for folder in sorted((corpus.DATA / "cache").glob("*-[0-9]*")):
        try:
            print(f"store {folder.name}: {len(store.ClipStore(folder))} clips")
        except ValueError as error:
            print(f"store {folder.name}: cannot be used")
            name, rate = folder.name.rsplit("-", 1)
            problems.append(
                f"{error}"
                if (folder / "index.json").exists()
                else f"the store {folder.name} is not complete; `tagkit prepare "
                f"{name if name in corpus.NAMED else 'FOLDER'} --sample-rate {rate}` "
                "goes on with it"
            )
    for folder in sorted((corpus.DATA / "checkpoints").glob("*/")):
        names = [_checkpoint(p, problems) for p in sorted(folder.glob("*.safetensors"))]
        print(f"checkpoints trained on {folder.name}: {', '.join(names)}")
    for path in sorted(Path().glob("runs/*/best.safetensors")):
        print(f"checkpoint {path}: {_checkpoint(path, problems)}")
    for problem in problems:
        print(f"problem: {problem}")
    print(f"{len(problems)} problems" if problems else "all is well")
    return problems


def _device(problems) -> str:
    try:
        from tagkit.machine import devices

        return str(devices.best())
    except (ImportError, OSError) as error:
        problems.append(
            f"torch or torchaudio cannot be loaded ({error}); both must be builds of "
            "the same version from the same place, see constraints.txt"
        )
        return "unknown"


def _memory() -> str:
    try:
        n_bytes = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return "unknown size"
    return f"{n_bytes / 1e9:.0f} GB"


def _checkpoint(path, problems) -> str:
    """Load a checkpoint into its model, as `tagkit tag` does."""
    try:
        from tagkit.training import checkpoints

        return checkpoints.load(path)[1]["model"]
    except ImportError:
        return f"{path.name} (cannot be looked at without torch)"
    except (ValueError, KeyError, TypeError) as error:
        problems.append(f"{error}")
        return f"{path.name} (cannot be used)"


def _corpus(name, problems) -> str:
    folder = corpus.DATA / name
    if not folder.is_dir():
        if name == "mini":
            problems.append(f"{folder} is missing; get the whole repository again")
            return "not there"
        return "not there; `tagkit download magnatagatune` fetches it"
    if list(folder.glob("*.part")):
        n_bytes = sum(p.stat().st_size for p in folder.glob("mp3.zip.*"))
        problems.append(
            f"the download of {name} is not complete, {n_bytes / 1e9:.1f} of 3.0 GB "
            "are there; `tagkit download magnatagatune` goes on with it"
        )
        return "not complete"
    try:
        opened = corpus.open(name)
    except ValueError as error:
        problems.append(str(error))
        return "damaged"
    missing = [p for p in opened.clips["mp3_path"] if not (folder / p).is_file()]
    if missing:
        problems.append(
            f"{len(missing)} clips of {name} are missing, the first is {missing[0]}; "
            "get that folder again"
        )
    return f"{len(opened.clips) - len(missing)} of {len(opened.clips)} clips"
