"""Build the course as a web site: make site. Nothing is run, nothing is fetched.

Copies the lessons to build/site, gives each picture its sentence of alt text, writes
the table of contents, and lets Jupyter Book make HTML in build/site/_build/html.
"""

import shutil
import subprocess
import sys
from pathlib import Path

import nbformat

ROOT = Path(__file__).parents[2]
SITE = ROOT / "build" / "site"
STYLE = "div.cell_output pre { white-space: pre-wrap; }\n"  # no line is cut off
PAGES = (
    "README.md",
    "course/own_music.md",
    "course/glossary.md",
    "course/cheat_sheet.md",
    "tagkit/README.md",
    "data/README.md",
    "CONTRIBUTING.md",
    "CHANGELOG.md",
    "LICENSE",
)


def alt_texts(cell) -> list[str]:
    """The alt texts of the pictures that a cell shows."""
    shown = (output.get("metadata", {}) for output in cell.get("outputs", []))
    return [
        about["image/png"]["alt"]
        for about in shown
        if "alt" in about.get("image/png", {})
    ]


def copy_notebook(path: Path) -> str:
    """Copy a notebook with its alt texts where the builder looks for them."""
    notebook = nbformat.read(path, as_version=4)
    notebook.metadata.pop("widgets", None)  # a page without a kernel shows static forms
    for cell in notebook.cells:
        if texts := alt_texts(cell):
            cell.metadata["mystnb"] = {"image": {"alt": " ".join(texts)}}
    name = path.relative_to(ROOT)
    (SITE / name).parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(notebook, SITE / name)
    return str(name.with_suffix(""))


def main() -> int:
    """Build all, and give the builder's exit code."""
    shutil.rmtree(SITE, ignore_errors=True)
    SITE.mkdir(parents=True)
    shutil.copy(Path(__file__).with_name("_config.yml"), SITE)
    (SITE / "_static").mkdir()
    (SITE / "_static" / "site.css").write_text(STYLE)
    for name in (
        *PAGES,
        "data/mini_contact_sheet.png",
        "data/taggram.png",
        "data/lesson.png",
    ):
        (SITE / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, SITE / name)
    if (figures := ROOT / "course" / "figures").is_dir():
        shutil.copytree(figures, SITE / "course" / "figures", dirs_exist_ok=True)
    toc = ["format: jb-book", "root: README", "parts:"]
    for caption, folder in (("Lessons", "course"), ("Exercises", "exercises")):
        toc += [f"- caption: {caption}", "  chapters:"]
        for path in sorted((ROOT / folder).glob("*.ipynb")):
            toc.append(f"  - file: {copy_notebook(path)}")
    toc += ["- caption: More", "  chapters:"]
    toc += [f"  - file: {name[:-3]}" for name in PAGES[1:] if name.endswith(".md")]
    (SITE / "_toc.yml").write_text("\n".join(toc) + "\n")
    builder = Path(sys.executable).with_name("jupyter-book")
    return subprocess.run([builder, "build", "--quiet", SITE]).returncode


if __name__ == "__main__":
    sys.exit(main())
