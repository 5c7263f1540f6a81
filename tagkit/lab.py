"""The reader's own copies of lessons and exercises, and JupyterLab opened on them.

A copy lies in work/, under the name of its source. It has no outputs, is made once and
never overwritten. In its metadata it keeps a digest of its source as it was then.
"""

import hashlib
import json
import os
import re
import sysconfig
import time
from pathlib import Path

from tagkit import files

ROOT = Path(__file__).parents[1]
FOLDERS = ("course", "exercises")
_LINK = re.compile(r"""(\]\(|(?:src|href)=["'])([^)\s"'#:]+)""")


def notebooks() -> list[str]:
    """Name all lessons, then all exercises, such as course/00_start_here.ipynb.

    Raises: ValueError where they are not beside the library.
    """
    names = [
        path.relative_to(ROOT).as_posix()
        for folder in FOLDERS
        for path in sorted((ROOT / folder).glob("*.ipynb"))
    ]
    if not names:
        raise ValueError(
            f"there are no lessons in {ROOT}; they come with the whole project: "
            "get it, and run pip install -e '.[course]' in it"
        )
    return names


def copy_missing() -> list[str]:
    """Make the copies that are not there, and give a remark on each that needs one.

    Such is a copy whose source has changed since, or that is no notebook any more.
    """
    remarks = []
    for name in notebooks():
        path = ROOT / "work" / name
        if not path.exists():
            _copy(name)
            continue
        remedy = f"`{_reset_command(name)}` makes a new copy and keeps yours"
        try:
            kept = json.loads(path.read_text("utf-8"))["metadata"].get("tagkit", {})
        except (ValueError, KeyError, TypeError, AttributeError):
            remarks.append(f"work/{name} is no notebook any more; {remedy}")
            continue
        if kept.get("digest") != _digest(_read(name)):
            remarks.append(f"work/{name} is older than {name}; {remedy}")
    return remarks


def reset(text: str) -> tuple[Path, Path | None]:
    """Make one copy anew, and keep the old one beside it with its date.

    Args:
        text: how the name begins: `02` is the lesson, `exercises/02` the exercise.

    Returns: the copy, and the old one, None if there was none.
    Raises: ValueError unless it is the beginning of one name.
    """
    name = _find(text)
    path = ROOT / "work" / name
    old = None
    if path.exists():
        date = time.strftime("%Y-%m-%d_%H%M%S", time.localtime(path.stat().st_mtime))
        old = path.with_name(f"{path.stem}.{date}.ipynb")
        path.replace(old)
    _copy(name)
    return path, old


def serve(options: list[str]):
    """Run JupyterLab with the first lesson open, until it is stopped.

    Args:
        options: for JupyterLab, such as --no-browser.
    """
    from jupyterlab.labapp import LabApp

    # Upload of songs, no questions about news; `tagkit` in terminals and cells.
    _put_first("JUPYTER_CONFIG_PATH", str(ROOT / ".jupyter"))
    _put_first("PATH", sysconfig.get_path("scripts"))
    arguments = [
        f"--ServerApp.root_dir={ROOT}",
        f"--LabApp.default_url=/lab/tree/work/{notebooks()[0]}",
    ]
    if hasattr(os, "geteuid") and os.geteuid() == 0:  # as in a container
        arguments.append("--allow-root")
    LabApp.launch_instance([*arguments, *options])


def _put_first(variable, folder):
    """Let a list of folders in the environment begin with this one."""
    others = os.environ.get(variable)
    os.environ[variable] = f"{folder}{os.pathsep}{others}" if others else folder


def _find(text):
    """The name that begins with a text, with or without its folder."""
    wanted = text.replace("\\", "/").removeprefix("work/")
    names = notebooks()
    for start in (wanted, *(f"{folder}/{wanted}" for folder in FOLDERS)):
        found = [name for name in names if name.startswith(start)]
        if len(found) == 1:
            return found[0]
        if found:
            break
    known = ", ".join(found or names)
    raise ValueError(f"{text!r} does not name one notebook; needed is one of {known}")


def _read(name):
    import nbformat

    return nbformat.read(ROOT / name, as_version=4)


def _digest(notebook) -> str:
    """A digest of what a reader works with: text and code, not the outputs."""
    cells = [[cell.cell_type, cell.source] for cell in notebook.cells]
    return hashlib.sha256(json.dumps(cells).encode()).hexdigest()


def _copy(name):
    """Write the copy of a notebook: no outputs, links that hold, a line at the top."""
    import nbformat

    notebook = _read(name)
    notebook.metadata["tagkit"] = {"digest": _digest(notebook)}
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
        else:
            cell.source = _relink(name, cell.source)
    note = (
        f"> This is your own copy of [{name}](../../{name}), without its outputs. "
        "Change what you like: it is never overwritten. "
        f"To begin anew, run `{_reset_command(name)}` in a terminal; "
        "the old copy stays beside the new one."
    )
    notebook.cells.insert(0, nbformat.v4.new_markdown_cell(note, id="your-own-copy"))
    text = nbformat.writes(notebook) + "\n"
    files.write_atomically(ROOT / "work" / name, text.encode())


def _relink(name, text) -> str:
    """Links to what is not copied, such as figures, lead to the source's own place."""
    source = (ROOT / name).parent
    copied = {*FOLDERS, *notebooks()}

    def place(match):
        target = os.path.normpath(source / match[2])
        inside = Path(os.path.relpath(target, ROOT)).as_posix()
        if not os.path.exists(target) or inside in copied:
            return match[0]
        return f"{match[1]}../../{inside}"

    return _LINK.sub(place, text)


def _reset_command(name) -> str:
    """The shortest command that resets a notebook."""
    folder, _, file = name.partition("/")
    number = file.partition("_")[0]
    return (
        f"tagkit lab --reset {number if folder == 'course' else f'{folder}/{number}'}"
    )
