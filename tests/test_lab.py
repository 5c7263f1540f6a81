"""`tagkit lab`: copies of the notebooks, never overwritten, and JupyterLab on them."""

import json
import os
import re
from pathlib import Path

import nbformat
import pytest
from nbformat import v4

from tagkit import cli, lab

PROJECT = lab.ROOT
LESSON = """See [how](../README.md#how), ![a net](figures/net.svg "nets") and
[the exercise](../exercises/02_deep.ipynb), all [exercises](../exercises/),
[the net's size](https://a.org/b), <img src="figures/net.svg">, [lost](no.md)."""


def write(path, *cells):
    notebook = v4.new_notebook(cells=list(cells))
    path.parent.mkdir(exist_ok=True)
    nbformat.write(notebook, path)


def code(source="1 + 1"):
    output = v4.new_output("stream", text="2")
    return v4.new_code_cell(source, outputs=[output], execution_count=3)


@pytest.fixture
def project(tmp_path, monkeypatch):
    """Two lessons, an exercise, a figure and a README."""
    monkeypatch.setattr(lab, "ROOT", tmp_path)
    write(tmp_path / "course" / "02_deep.ipynb", v4.new_markdown_cell(LESSON), code())
    write(tmp_path / "course" / "00_start.ipynb", code())
    task = code("answer = ...")
    task.metadata["nbgrader"] = {"grade_id": "task-1"}
    write(tmp_path / "exercises" / "02_deep.ipynb", task)
    (tmp_path / "course" / "figures").mkdir()
    (tmp_path / "course" / "figures" / "net.svg").write_text("<svg/>")
    (tmp_path / "README.md").write_text("how")
    return tmp_path


@pytest.fixture
def served(monkeypatch):
    """What JupyterLab would have been started with."""
    from jupyterlab.labapp import LabApp

    calls = []
    monkeypatch.setattr(LabApp, "launch_instance", calls.append)
    monkeypatch.setenv("JUPYTER_CONFIG_PATH", "theirs")
    monkeypatch.setenv("PATH", "/bin")
    return calls


def test_copies_have_no_outputs_and_say_what_they_are(project):
    assert lab.copy_missing() == []
    work = project / "work"
    names = [str(path.relative_to(work)) for path in sorted(work.rglob("*.ipynb"))]
    lessons = ["course/00_start.ipynb", "course/02_deep.ipynb"]
    assert names == [*lessons, "exercises/02_deep.ipynb"]
    note, text, cell = nbformat.read(work / "course/02_deep.ipynb", 4).cells
    assert "never overwritten" in note.source
    assert "`tagkit lab --reset 02`" in note.source
    assert cell.source == "1 + 1" and not cell.outputs and not cell.execution_count
    note, task = nbformat.read(work / "exercises/02_deep.ipynb", 4).cells
    assert "`tagkit lab --reset exercises/02`" in note.source
    assert task.metadata == {"nbgrader": {"grade_id": "task-1"}}
    for name in names:
        nbformat.validate(nbformat.read(work / name, 4))


def test_links_lead_to_copies_or_to_what_is_not_copied(project):
    lab.copy_missing()
    text = nbformat.read(project / "work/course/02_deep.ipynb", 4).cells[1].source
    outside = ("../README.md#how", "figures/net.svg")
    expected = LESSON.replace(outside[0], "../../README.md#how")
    assert text == expected.replace(outside[1], "../../course/figures/net.svg")


LINK = re.compile(r"""(?:\]\(|src="|href=")([^)\s"#:]+)[)\s"#]""")


def test_links_of_all_notebooks_hold_in_their_copies(tmp_path, monkeypatch):
    for path in PROJECT.iterdir():
        if path.name != "work":
            (tmp_path / path.name).symlink_to(path)
    monkeypatch.setattr(lab, "ROOT", tmp_path)
    lab.copy_missing()
    n_links = 0
    for path in (tmp_path / "work").rglob("*.ipynb"):
        for cell in nbformat.read(path, 4).cells:
            if cell.cell_type == "markdown":
                for target in LINK.findall(cell.source):
                    n_links += 1
                    assert Path(os.path.normpath(path.parent / target)).exists(), target
    assert n_links > 16


def test_a_copy_is_never_overwritten_and_an_older_one_is_named(project):
    lab.copy_missing()
    own = project / "work" / "course" / "02_deep.ipynb"
    notebook = nbformat.read(own, 4)
    notebook.cells.append(code("mine"))
    nbformat.write(notebook, own)
    kept = own.read_bytes()
    assert lab.copy_missing() == [] and own.read_bytes() == kept

    source = project / "course" / "02_deep.ipynb"
    text = source.read_text()
    source.write_text(text.replace('"2"', '"two"'))  # another output, the same lesson
    assert lab.copy_missing() == []
    source.write_text(text.replace("1 + 1", "1 + 2"))
    (remark,) = lab.copy_missing()
    assert remark.startswith("work/course/02_deep.ipynb is older than course/02_deep")
    assert "`tagkit lab --reset 02`" in remark and own.read_bytes() == kept

    write(project / "course" / "03_new.ipynb", code())
    lab.copy_missing()
    assert (project / "work" / "course" / "03_new.ipynb").exists()


@pytest.mark.parametrize("damage", ["", "{", "[]", "{}", '{"metadata": 1}'])
def test_a_damaged_copy_is_named_and_kept(project, damage):
    lab.copy_missing()
    own = project / "work" / "exercises" / "02_deep.ipynb"
    own.write_text(damage)
    (remark,) = lab.copy_missing()
    assert "work/exercises/02_deep.ipynb is no notebook" in remark
    assert "--reset exercises/02`" in remark and own.read_text() == damage


def test_reset_makes_one_copy_anew_and_keeps_the_old_one(project):
    lab.copy_missing()
    own = project / "work" / "exercises" / "02_deep.ipynb"
    fresh = own.read_bytes()
    own.write_text("mine")
    os.utime(own, (0, 1_750_000_000))
    made, old = lab.reset("exercises/02")
    assert made == own and own.read_bytes() == fresh and old.read_text() == "mine"
    assert re.fullmatch(r"02_deep\.2025-06-1\d_\d{6}\.ipynb", old.name)
    assert lab.copy_missing() == []
    own.unlink()
    assert lab.reset("work\\exercises\\02_deep.ipynb") == (own, None)
    assert lab.reset("02")[0] == project / "work" / "course" / "02_deep.ipynb"


@pytest.mark.parametrize("text", ["0", "9", "course", ""])
def test_reset_asks_for_one_name(project, text):
    with pytest.raises(ValueError, match="needed is one of course/00_start.ipynb"):
        lab.reset(text)
    assert not (project / "work").exists()


def test_the_command_makes_copies_and_hands_its_options_on(project, served, capsys):
    assert cli.main(["lab", "--", "--no-browser", "--ip=0.0.0.0"]) == 0
    (arguments,) = served
    assert arguments[-2:] == ["--no-browser", "--ip=0.0.0.0"]
    assert f"--ServerApp.root_dir={project}" in arguments
    first = "--LabApp.default_url=/lab/tree/work/course/00_start.ipynb"
    assert first in arguments and (project / first.partition("tree/")[2]).exists()
    settings = f"{project / '.jupyter'}{os.pathsep}theirs"
    assert os.environ["JUPYTER_CONFIG_PATH"] == settings
    tagkit = Path(os.environ["PATH"].split(os.pathsep)[0], "tagkit")
    assert tagkit.exists() or tagkit.with_suffix(".exe").exists()

    (project / "work" / "course" / "02_deep.ipynb").write_text("")
    assert cli.main(["lab"]) == 0
    assert "02_deep.ipynb is no notebook" in capsys.readouterr().err
    assert len(served) == 2


def test_the_command_resets_and_does_not_open(project, served, capsys):
    assert cli.main(["lab", "--reset", "00"]) == 0
    assert cli.main(["lab", "--reset", "00"]) == 0
    printed = capsys.readouterr().out.splitlines()
    assert printed[0].endswith("00_start.ipynb is new")
    assert "; the old one is 00_start.2" in printed[1] and not served
    assert cli.main(["lab", "--reset", "7"]) == 1
    assert "'7' does not name one notebook" in capsys.readouterr().err


@pytest.mark.parametrize("user", [0, 1000])
def test_root_is_allowed_where_the_user_is_root(project, served, user, monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: user)
    lab.serve([])
    assert ("--allow-root" in served[0]) is (user == 0)


def test_without_the_lessons_it_says_what_is_missing(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(lab, "ROOT", tmp_path)
    assert cli.main(["lab"]) == 1
    assert "there are no lessons in" in capsys.readouterr().err


def test_a_container_installs_the_same_set_and_opens_the_lab():
    container = json.loads((PROJECT / ".devcontainer/devcontainer.json").read_text())
    assert "-c constraints.txt -e '.[course]'" in container["postCreateCommand"]
    assert container["postAttachCommand"].startswith("tagkit lab -- ")
    assert container["forwardPorts"] == [8888]
    assert "tagkit lab -- $(LAB)" in (PROJECT / "Makefile").read_text()
