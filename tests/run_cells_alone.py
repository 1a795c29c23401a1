"""Each cell of a lesson alone: python run_cells_alone.py LESSON.ipynb first|fresh

Either right after the lesson's first cell, or in a fresh kernel. Prints, as JSON, the id of each
cell and how it ended: "" or the last line that the reader sees.
"""

import json
import os
import sys
from pathlib import Path

from IPython.core.interactiveshell import InteractiveShell

import diffusion_helpers
import diffusion_helpers.authoring.names

PACKAGE = Path(diffusion_helpers.__file__).parent
CONFIG = json.loads((PACKAGE / "authoring" / "kernel_config.json").read_text())


def run_alone(shell, cell):
    """How the cell ends in a copy of this process."""
    reads, writes = os.pipe()
    child = os.fork()
    if child == 0:
        shell._showtraceback = lambda kind, error, lines: os.write(writes, lines[-1].encode())
        shell.run_cell("".join(cell["source"]), store_history=True)
        os._exit(0)
    os.close(writes)
    with os.fdopen(reads) as last_line:
        said = last_line.read()
    _, status = os.waitpid(child, 0)
    return said or (f"died of {status}" if status else "")


if __name__ == "__main__":
    lesson, start = Path(sys.argv[1]), sys.argv[2]
    os.chdir(lesson.parent)
    cells = [c for c in json.loads(lesson.read_text("utf-8"))["cells"] if c["cell_type"] == "code"]
    shell = InteractiveShell.instance()
    for line in CONFIG["InteractiveShellApp"]["exec_lines"]:
        shell.run_cell(line)
    printed = os.fdopen(os.dup(1), "w")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # what cells print is not asked for
    if start == "first":
        shell.run_cell("".join(cells[0]["source"]), store_history=True)
    print(json.dumps({c["id"]: run_alone(shell, c) for c in cells[1:]}), file=printed)
