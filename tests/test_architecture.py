"""The parts of the house: what imports what, and that the picture in docs/ shows it."""

import importlib.util
import re
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PATH = ROOT / "docs" / "architecture.py"


@pytest.fixture(scope="module")
def architecture():
    spec = importlib.util.spec_from_file_location("architecture", PATH)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_no_imports_go_in_a_circle(architecture):
    TopologicalSorter(architecture.imports()).prepare()  # a CycleError says which
    TopologicalSorter(architecture.house()).prepare()


def test_the_core_imports_nothing_that_stands_around_the_lessons(architecture):
    house = architecture.house()
    core = {part for part in house if architecture.layer_of(part) == "the core"}
    assert {"noising", "unet", "sampling", "training", "checks"} <= core
    wrong = {part: house[part] - core for part in core if house[part] - core}
    assert not wrong, f"modules of the core import what only lessons need: {wrong}"


def test_the_picture_is_up_to_date(architecture):
    drawn = architecture.draw(architecture.house())
    assert drawn == architecture.draw(architecture.house()), "the same code gives the same picture"
    assert architecture.PICTURE.read_text(encoding="utf-8") == drawn, (
        "docs/architecture.svg is out of date: run `python docs/architecture.py`"
    )


def test_the_picture_shows_every_part_of_the_package(architecture):
    bold = re.findall(r'font-weight="bold"[^>]*>([^<]*)<', architecture.PICTURE.read_text("utf-8"))
    folder = ROOT / "diffusion_helpers"
    parts = {path.stem for path in folder.glob("[!_]*.py")}
    folders = (path.parent for path in folder.rglob("__init__.py") if path.parent != folder)
    parts |= {path.relative_to(folder).as_posix() for path in folders}
    assert sorted(bold) == sorted(parts | {"notebooks"})


def test_the_page_names_only_files_that_exist():
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    paths = re.findall(r"`([\w./]+\.\w{2,}|[\w./]+/)`", page)
    examples = {"NN_its_name": "03_training", "NN": "03", "NAME": "demiurge", "XX": "ru"}
    for word, example in examples.items():
        paths = [path.replace(word, example) for path in paths]
    assert len(paths) > 10
    folders = (ROOT, ROOT / "diffusion_helpers")
    missing = [path for path in paths if not any((folder / path).exists() for folder in folders)]
    assert not missing, f"docs/architecture.md names what is not there: {missing}"


@pytest.mark.parametrize(
    "source, found",
    [
        ("from . import progress", {"house.progress"}),
        ("from . import anything", {"house.exercises"}),
        ("from .. import progress, bright", {"house.progress", "house.light"}),
        ("from ..widgets.html import CSS", {"house.widgets.html"}),
        ("def late():\n    from house.light import bright", {"house.light"}),
        ("import house.widgets.html, torch", {"house.widgets.html"}),
        ("import torch\nfrom torch import nn", set()),
    ],
)
def test_imports_are_read_from_the_code(architecture, source, found):
    names = ("house", "house.light", "house.progress", "house.exercises", "house.widgets.html")
    homes = {name: name for name in names} | {"house.bright": "house.light"}
    homes["house.exercises.progress"] = "house.progress"
    assert architecture.imported(source, homes, package="house.exercises") == found


def test_a_circle_is_refused(architecture):
    with pytest.raises(CycleError):
        architecture.draw({"noising": {"unet"}, "unet": {"noising"}})


def test_arrows_that_follow_from_others_are_left_out(architecture):
    graph = {"a": {"b", "c", "d"}, "b": {"c"}, "c": {"d"}, "d": set(), "e": {"d"}}
    assert architecture.reduced(graph) == {
        "a": {"b"},
        "b": {"c"},
        "c": {"d"},
        "d": set(),
        "e": {"d"},
    }
