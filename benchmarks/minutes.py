"""How many minutes does a lesson take? Its path, and all of it with what is marked Deeper.

    python benchmarks/minutes.py                             (counts all lessons, at once)
    python benchmarks/minutes.py notebooks/01_*.ipynb        (counts one)
    python benchmarks/minutes.py --run [notebooks/01_*.ipynb]  (runs them first: about 8 minutes)

Counted: text at 150 words a minute, code that is shown at 60, and 4 minutes for each exercise. A
word is what stands between blanks. Added: the time in which the cells compute. `--run` measures it
cell by cell, in CPU seconds of one thread, so that a busy machine changes little, and keeps it in
benchmarks/minutes.json.

A section whose heading begins with "Deeper" is no part of the path, nor are the sections inside it.
Text in <details> is no part of it either. Hidden code takes nobody's time; the seconds that it
computes do count.
"""

import argparse
import json
import math
import os
import re
import sys
import tempfile
from pathlib import Path

from diffusion_helpers.authoring.commands import lesson
from diffusion_helpers.checks import say

ROOT = Path(__file__).resolve().parents[1]
MEASURED = ROOT / "benchmarks" / "minutes.json"  # {lesson: {"path": seconds, "all": seconds}}
TEXT, CODE = 150, 60  # words a minute
EXERCISE = 4  # minutes

FOLD = re.compile(r"<details.*?</details>", re.S)
FENCED = re.compile(r"^```.*?^```", re.S | re.M)
SECTION = re.compile(r"^(?=#+ )", re.M)
HEADING = re.compile(r"(#+) (?:\d+\. )?(Deeper)?")
PROMISE = re.compile(
    r"^\| \*\*Time\*\* \| The path about (\d+) minutes, with everything \*Deeper\* about (\d+);",
    re.M,
)


def pieces(cells):
    """Each piece of a lesson that takes time, as (its cell, its text, whether it is Deeper)."""
    deep = 0  # the level of the heading "Deeper" that this stands under
    for cell in cells:
        text = "".join(cell["source"])
        if cell["cell_type"] == "code":
            yield cell, text, deep > 0
        else:
            for fold in FOLD.findall(text):
                yield cell, fold, True
            text = FENCED.sub(lambda code: code[0].replace("#", "."), FOLD.sub("", text))
            for section in SECTION.split(text):
                heading = HEADING.match(section)
                if heading and not 0 < deep < len(heading[1]):
                    deep = len(heading[1]) if heading[2] else 0
                yield cell, section, deep > 0


def count(cells):
    """(the path, all) in minutes, without the time to compute."""
    spent = [0.0, 0.0]  # on the path, on what is Deeper
    for cell, text, deep in pieces(cells):
        words = len(text.split())
        if cell["cell_type"] != "code":
            spent[deep] += words / TEXT
        elif not cell["metadata"].get("jupyter", {}).get("source_hidden"):
            exercises = len(re.findall(r"^@exercise", text, re.M))
            spent[deep] += words / CODE + EXERCISE * exercises
    return spent[0], sum(spent)


def promise(cells):
    """(the path, all) in minutes, as the lesson's first cell gives them, or None."""
    found = PROMISE.search("".join(cells[0]["source"]))
    return (int(found[1]), int(found[2])) if found else None


def run(path):
    """(the path, all) in CPU seconds that the cells of the lesson at `path` compute."""
    import nbformat
    import psutil
    from nbclient import NotebookClient

    notebook = nbformat.read(path, as_version=4)
    computed = [0.0, 0.0]
    with tempfile.TemporaryDirectory() as folder:
        client = NotebookClient(notebook, timeout=1200, resources={"metadata": {"path": folder}})
        with client.setup_kernel(env=os.environ | {"OMP_NUM_THREADS": "1"}):
            kernel = psutil.Process(client.km.provisioner.pid)
            for cell, _, deep in pieces(notebook.cells):
                if cell["cell_type"] == "code":
                    before = cpu_seconds(kernel)
                    client.execute_cell(cell, notebook.cells.index(cell))
                    computed[deep] += cpu_seconds(kernel) - before
    return computed[0], sum(computed)


def cpu_seconds(process):
    spent = process.cpu_times()
    return spent.user + spent.system + spent.children_user + spent.children_system


def measured():
    """What `--run` has kept: {lesson: {"path": seconds, "all": seconds}}."""
    return json.loads(MEASURED.read_text("utf-8")) if MEASURED.exists() else {}


def keep(name, seconds):
    kept = measured() | {name: {"path": round(seconds[0], 1), "all": round(seconds[1], 1)}}
    rows = [f"{json.dumps(name)}: {json.dumps(kept[name])}" for name in sorted(kept)]
    MEASURED.write_text("{\n" + ",\n".join(rows) + "\n}\n", "utf-8", newline="\n")


def minutes(path):
    """(the path, all) in minutes, with the time to compute where it has been measured."""
    seconds = measured().get(path.stem, {"path": 0, "all": 0})
    spine, everything = count(cells_of(path))
    return spine + seconds["path"] / 60, everything + seconds["all"] / 60


def cells_of(path):
    return json.loads(path.read_text("utf-8"))["cells"]


def rounded(amount):
    """Minutes as a lesson's head gives them: 5, 10, 15 ..."""
    return 5 * math.floor(amount / 5 + 0.5)


def row(path):
    """One lesson in one line: its minutes, its seconds, and what its head promises."""
    seconds, said = measured().get(path.stem), promise(cells_of(path))
    runs = f"{seconds['path']:5.1f} / {seconds['all']:5.1f} s" if seconds else "not measured"
    head = f"{said[0]} / {said[1]}" if said else "another form"
    spine, everything = minutes(path)
    return f"{path.stem:26}{spine:6.1f}{everything:7.1f}    {runs:16}{head}"


def main(words):
    parser = argparse.ArgumentParser(description="Minutes of each lesson: its path, and all.")
    parser.add_argument("lessons", nargs="*", type=lesson, help="notebooks; without them all")
    parser.add_argument("--run", action="store_true", help="measure how long the cells compute")
    asked = parser.parse_args(words)
    say(f"{'minutes':26}{'path':>6}{'all':>7}    {'of it running':16}the head")
    _, *lessons = sorted(ROOT.glob("notebooks/[0-9]*.ipynb"))  # without the start page
    for path in asked.lessons or lessons:
        if asked.run:
            keep(path.stem, run(path))
        say(row(path))


if __name__ == "__main__":
    main(sys.argv[1:])
