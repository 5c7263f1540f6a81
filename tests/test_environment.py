"""pyproject, constraints and environment.yml say the same."""

import re
import tomllib
from pathlib import Path

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def constraints():
    lines = (ROOT / "constraints.txt").read_text().split()
    return dict(line.lower().replace("_", "-").split("==") for line in lines)


def requirements():
    extras = PROJECT["optional-dependencies"].values()
    return [Requirement(text) for text in sum(extras, [*PROJECT["dependencies"]])]


def test_every_requirement_is_pinned_within_its_range():
    pinned = constraints()
    for requirement in requirements():
        assert requirement.name in pinned
        assert requirement.specifier.contains(pinned[requirement.name]), requirement


def test_every_requirement_is_a_range_not_a_pin():
    for requirement in requirements():
        operators = {part.operator for part in requirement.specifier}
        assert operators == {">=", "<"}, requirement


def test_torch_and_torchaudio_are_of_one_version():
    pinned = constraints()
    assert pinned["torch"] == pinned["torchaudio"]
    ranges = {r.specifier for r in requirements() if r.name.startswith("torch")}
    assert len(ranges) == 1


def test_conda_installs_the_same_set_through_pip():
    text = (ROOT / "environment.yml").read_text()
    assert re.findall(r"- (-[ce] \S+)", text) == [
        "-c constraints.txt",
        "-e .[course,test]",
    ]
    python = re.search(r"python=(\S+)", text)[1]
    assert SpecifierSet(PROJECT["requires-python"]).contains(python)
    makefile = (ROOT / "Makefile").read_text()
    assert "-c constraints.txt -e '.[course,test]'" in makefile


def test_nothing_names_a_place_to_download_packages_from():
    for name in ("pyproject.toml", "constraints.txt", "environment.yml", "Makefile"):
        text = (ROOT / name).read_text()
        assert not re.search("index-url|find-links|https?://", text), name
