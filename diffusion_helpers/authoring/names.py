"""When a cell asks for a name that no cell has made yet: which cell to run first.

After a restart of the kernel, or when a cell was left out, Python says no more than that a name is
not defined. The notebook itself knows where it is made. Kernels of this environment ask here
(kernel_config.json, which pyproject.toml puts where IPython looks), from their first cell on.
"""

import json
import re
import symtable
from pathlib import Path

from ..languages import languages, speaking, spoken, tr

CHOICE = r'^speak\("(\w+)"\)'


def explain(shell, kind, error, trace, tb_offset=None):
    """Show a NameError as IPython does, and below it the cell that makes the name."""
    lines = shell.InteractiveTB.structured_traceback(kind, error, trace, tb_offset=tb_offset)
    ran = [text.strip() for text in shell.history_manager.input_hist_raw]  # the asking one is last
    asking = getattr(shell, "get_parent", dict)().get("metadata", {}).get("cellId")
    cells = _notebook(set(ran) - {""}, asking)
    here = [i for i, c in enumerate(cells) if c.get("id") == asking or _source(c) == ran[-1]]
    with speaking(_language(cells)):
        where = _maker(error.name, cells, here[0] if here else len(cells))
        if where:
            lines.append(
                tr(
                    "`{}` is made {}. Run that cell first, or choose Run → Run All Above Selected "
                    "Cell.",
                    error.name,
                    where,
                )
            )
    shell._showtraceback(kind, error, lines)


def _notebook(ran, asking):
    """The cells of the notebook in this folder that holds the most of what ran; [] if none does."""
    best, most = [], 0
    for path in sorted(Path().glob("*.ipynb")):
        try:
            cells = json.loads(path.read_text("utf-8"))["cells"]
        except (OSError, ValueError, KeyError, TypeError):
            continue  # it is being saved, or is no notebook
        known = sum(_source(cell) in ran or cell.get("id") == asking for cell in cells)
        if known > most:
            best, most = cells, known
    return best


def _language(cells):
    """The language of a lesson, whose first cell may not have run; else the spoken one."""
    chosen = re.search(CHOICE, "\n".join(map(_source, cells)), re.M)
    return chosen[1] if chosen and chosen[1] in languages() else spoken().code


def _maker(name, cells, here):
    """In words, the cell that makes `name`: the last above `here`, or else the first below."""
    makers, heading, first = {}, "", None
    for i, cell in enumerate(cells):
        source = _source(cell)
        if cell["cell_type"] == "markdown":
            heading = (re.findall(r"^#+ +(.+)$", source, re.M) or [heading])[-1]
        elif first is None:
            first = i
        if cell["cell_type"] == "code" and i != here and name in _made(source):
            begins = source.partition("\n")[0]
            words = tr("below “{}”, in the cell that begins with `{}`", heading, begins)
            makers[i] = tr("in the first code cell") if i == first else words
    above = [i for i in makers if i < here]
    return makers.get(above[-1] if above else min(makers, default=None))


def _made(source):
    """The names that a cell makes: what it assigns, imports and defines outside of functions."""
    try:
        table = symtable.symtable(re.sub(r"^%.*$", "", source, flags=re.M), "cell", "exec")
    except SyntaxError:
        return set()
    return {s.get_name() for s in table.get_symbols() if s.is_assigned() or s.is_imported()}


def _source(cell):
    return "".join(cell["source"]).strip()
