"""The minutes of a lesson: the rule that counts them, and what the lessons' heads promise."""

import importlib.util
from pathlib import Path

import nbformat
import pytest

ROOT = Path(__file__).resolve().parents[1]
_, *LESSONS = sorted((ROOT / "notebooks").glob("[0-9]*.ipynb"))  # without the start page
LONGEST, LONGER = 45, {"02": 60, "07": 60, "08": 60}  # minutes of the path

spec = importlib.util.spec_from_file_location("minutes", ROOT / "benchmarks" / "minutes.py")
tool = importlib.util.module_from_spec(spec)
spec.loader.exec_module(tool)

text, code = nbformat.v4.new_markdown_cell, nbformat.v4.new_code_cell
WORDS = "word " * 150  # a minute of text
LINES = "x\n" * 60  # a minute of code


# ---- the rule -----------------------------------------------------------------------------------


def hidden(source):
    return code(source, metadata={"jupyter": {"source_hidden": True}})


@pytest.mark.parametrize(
    ("cells", "path", "everything"),
    [
        ([text(WORDS), code(LINES)], 2, 2),
        ([code("@exercise('01.1')\ndef f(): ...\n" + LINES)], 5, 5),
        ([code("# not an @exercise\n" + LINES)], 1, 1),
        ([hidden(LINES)], 0, 0),
        ([text(f"{WORDS}<details><summary>Deeper: why</summary>{WORDS}</details>")], 1, 2),
        ([text(f"## Deeper: proofs\n{WORDS}"), code(LINES), text(f"### The first\n{WORDS}")], 0, 3),
        ([text("## Deeper: proofs"), code(LINES), text(f"## Exercises\n{WORDS}")], 1, 2),
        ([text(f"### Deeper: a proof\n{WORDS}\n### Again\n{WORDS}")], 1, 2),
        ([text(f"## 7. Deeper: one chaos\n{WORDS}")], 0, 1),
        ([text(f"## How much deeper?\n{WORDS}\n## Diagnose it\n{WORDS}")], 2, 2),
        ([text("## Deeper: proofs"), text(f"```\n# no heading\n```\n{WORDS}")], 0, 1),
        ([code("# Deeper, a comment"), text(WORDS)], 1, 1),
    ],
)
def test_what_counts_where(cells, path, everything):
    assert tool.count(cells) == pytest.approx((path, everything), abs=0.12)


@pytest.mark.parametrize(
    ("head", "said"),
    [
        ("The path about 40 minutes, with everything *Deeper* about 75; 15 on stage.", (40, 75)),
        ("30 to 40 minutes alone, 15 on stage.", None),
    ],
)
def test_the_head_says_its_minutes_in_one_form(head, said):
    assert tool.promise([text(f"# Title\n\n| **Time** | {head} |\n")]) == said


@pytest.mark.parametrize(("minutes", "fives"), [(42.4, 40), (42.5, 45), (47.5, 50), (0, 0)])
def test_minutes_are_rounded_to_fives(minutes, fives):
    assert tool.rounded(minutes) == fives


def test_the_seconds_that_cells_compute_are_measured_kept_and_added(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(tool, "MEASURED", tmp_path / "minutes.json")
    busy = (
        "import time\nend = time.process_time() + 0.3\nwhile time.process_time() < end:\n    pass"
    )
    cells = [hidden(busy), text("## Deeper: more"), hidden(busy)]
    lesson = tmp_path / "09_busy.ipynb"
    nbformat.write(nbformat.v4.new_notebook(cells=cells), lesson)
    read, _ = tool.minutes(lesson)
    assert "not measured" in tool.row(lesson)

    tool.main(["--run", str(lesson)])
    seconds = tool.measured()["09_busy"]
    assert 0.2 < seconds["path"] < 2 and seconds["path"] + 0.2 < seconds["all"] < 4
    assert tool.minutes(lesson)[0] == pytest.approx(read + seconds["path"] / 60)
    assert f"{seconds['path']:.1f} / " in capsys.readouterr().out


# ---- the lessons --------------------------------------------------------------------------------

lessons = pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)


@lessons
def test_the_head_of_a_lesson_promises_what_is_counted(path):
    assert path.stem in tool.measured(), f"python benchmarks/minutes.py --run notebooks/{path.name}"
    counted = tuple(map(tool.rounded, tool.minutes(path)))
    assert tool.promise(tool.cells_of(path)) == counted, (
        f"{path.name}: let its head say 'The path about {counted[0]} minutes, with everything "
        f"*Deeper* about {counted[1]};'"
    )


@lessons
def test_the_path_of_a_lesson_is_short_enough(path):
    spine, _ = tool.minutes(path)
    most = LONGER.get(path.stem[:2], LONGEST)
    assert spine <= most, f"{path.name}: {spine:.1f} minutes, {most} at most; move some to Deeper"
