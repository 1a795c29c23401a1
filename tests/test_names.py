"""A cell that runs too early or twice: a result, or a sentence that says which cell to run."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from shorten_lessons import shortened

from diffusion_helpers.authoring import names

REPO = Path(__file__).resolve().parent.parent
LESSONS = sorted((REPO / "notebooks").glob("[0-9]*.ipynb"))
CONFIG = REPO / "diffusion_helpers" / "authoring" / "kernel_config.json"
SENTENCE = re.compile(
    r"`\w+` is made (in the first code cell|below “.+”, in the cell that begins with `.+`)\. "
    r"Run that cell first, or choose Run → Run All Above Selected Cell\."
)


def alone(lesson, start):
    """cell id -> how it ended, for each cell of the lesson run on its own."""
    program = [sys.executable, REPO / "tests" / "run_cells_alone.py", lesson, start]
    path = os.pathsep.join([str(REPO), os.environ.get("PYTHONPATH", "")])
    one = {"OMP_NUM_THREADS": "1"}  # more threads would not survive in the copies of the process
    env = os.environ | {"PYTHONPATH": path} | one
    run = subprocess.run(program, env=env, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    return json.loads(run.stdout)


needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="Windows does not fork")


@needs_fork
@pytest.mark.slow
@pytest.mark.parametrize("start", ["fresh", "first"])
@pytest.mark.parametrize("lesson", LESSONS, ids=lambda path: path.stem)
def test_each_cell_alone_gives_a_result_or_says_which_to_run_first(lesson, start):
    ends = alone(lesson, start)
    assert len(ends) > 2
    unclear = {cell: end for cell, end in ends.items() if end and not SENTENCE.fullmatch(end)}
    assert not unclear
    # else nothing was tried; the start page alone needs nothing but its first cell
    assert any(ends.values()) or (lesson.stem, start) == ("00_start_here", "first")


@pytest.mark.slow
@pytest.mark.parametrize("lesson", LESSONS, ids=lambda path: path.stem)
def test_each_cell_twice_in_order_gives_no_error(lesson, tmp_path):
    notebook = shortened(lesson)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    notebook.cells = [
        nbformat.v4.new_code_cell(cell.source) for cell in code for _ in ("once", "again")
    ]
    NotebookClient(notebook, timeout=900, resources={"metadata": {"path": str(tmp_path)}}).execute()


# ---- small notebooks ----------------------------------------------------------------------------

CELLS = [
    "# A lesson",
    "import math",
    "## Two schedules\n\nWords.",
    "%pip --version\nfor schedule in [1]:\n    pass",
    "def bend(x):\n    inside = x\n    return x",
    "## Later",
    "schedule = 2",
    "schedule + math.pi",
    "early = late",
    "late = 3",
]


def cells():
    make = nbformat.v4
    return [
        make.new_markdown_cell(text) if text[0] == "#" else make.new_code_cell(text)
        for text in CELLS
    ]


@pytest.mark.parametrize(
    ("name", "here", "where"),
    [
        ("math", 7, "in the first code cell"),
        ("schedule", 7, "below “Later”, in the cell that begins with `schedule = 2`"),
        ("schedule", 6, "below “Two schedules”, in the cell that begins with `%pip --version`"),
        ("bend", 7, "below “Two schedules”, in the cell that begins with `def bend(x):`"),
        ("late", 8, "below “Later”, in the cell that begins with `late = 3`"),
        ("schedule", 99, "below “Later”, in the cell that begins with `schedule = 2`"),
        ("early", 8, None),  # it asks for itself
        ("inside", 7, None),  # a function keeps it for itself
        ("nobody", 7, None),
    ],
)
def test_the_last_cell_above_that_makes_the_name_is_named(name, here, where):
    assert names._maker(name, cells(), here) == where


def test_the_sentence_is_in_the_language_of_the_lesson_though_its_first_cell_has_not_run():
    for code, spoken in [("ru", "ru"), ("en", "en"), ("xx", "en")]:
        chosen = {"cell_type": "code", "source": ["import math\n", f'speak("{code}")']}
        assert names._language([*cells(), chosen]) == spoken
    assert names._language(cells()) == names._language([]) == "en"


def test_a_cell_with_a_mistake_makes_no_names():
    assert names._made("schedule = = 2") == set()


def write(folder, name, *texts):
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(t) for t in texts])
    nbformat.write(notebook, folder / f"{name}.ipynb")


def test_the_notebook_is_the_one_that_holds_most_of_what_ran(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write(tmp_path, "a", "import math", "one = 1")
    write(tmp_path, "b", "import math", "one = 1", "two = 2")
    write(tmp_path, "c", "import math", "two = 2")
    (tmp_path / "half_saved.ipynb").write_text('{"cells": [{"cell')
    (tmp_path / "list.ipynb").write_text("[]")
    found = [names._source(cell) for cell in names._notebook({"one = 1", "two = 2"}, None)]
    assert found == ["import math", "one = 1", "two = 2"]
    assert names._notebook({"three = 3"}, None) == []


def last_words(folder, *texts):
    """What a kernel in `folder`, set up as the course does, shows last for each of the cells."""
    profile = folder / "home" / "profile_default"
    profile.mkdir(parents=True)
    (profile / "ipython_kernel_config.json").write_bytes(CONFIG.read_bytes())
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(text) for text in texts])
    client = NotebookClient(
        notebook, timeout=120, allow_errors=True, resources={"metadata": {"path": str(folder)}}
    )
    client.execute(env=os.environ | {"IPYTHONDIR": str(folder / "home")})
    errors = [[o for o in cell.outputs if o.output_type == "error"] for cell in notebook.cells]
    return [found[0].traceback[-1] if found else "" for found in errors]


def test_a_fresh_kernel_says_which_cell_to_run(tmp_path):
    nbformat.write(nbformat.v4.new_notebook(cells=cells()), tmp_path / "lesson.ipynb")
    early, typo, other, ok = last_words(tmp_path, CELLS[7], "nobody", "1 / 0", "1 + 1")
    assert early == (
        "`schedule` is made below “Later”, in the cell that begins with `schedule = 2`. Run that "
        "cell first, or choose Run → Run All Above Selected Cell."
    )
    assert re.search(r"name 'nobody' is not defined\S*$", typo)  # as Python says it, and no more
    assert "division by zero" in other and ok == ""


# ---- installed ----------------------------------------------------------------------------------


def test_kernels_of_this_environment_find_it():
    file = Path(sys.prefix, "etc", "ipython", "ipython_kernel_config.json")
    assert file.exists() and file.read_bytes() == CONFIG.read_bytes(), (
        "the course was installed before kernel_config.json changed: run "
        '`pip install -e ".[test]"` again'
    )
