"""The site's edition of a lesson: what ran, made fit for readers who have no Python.

Hints and our solution stand folded below each exercise. What only speaks to a kernel goes, what is
folded in the notebook is folded on the page, and the style of all controls stands once in the site.
"""

import copy
import re
import textwrap

from ...exercises import find
from ...languages import spoken, tr
from ...widgets.html import CSS
from ..browser_words import HINT, in_a_browser
from ..editions import stubs

INSTALLING = re.compile(r"^# .*%pip install .*\n", re.MULTILINE)
FOR_A_KERNEL = re.compile(r"(card|show_gallery)\(.*\)")
WIDGET = "application/vnd.jupyter.widget-view+json"
VERDICT = '<div data-verdict="'  # what an exercise says of the line that is missing


def site_edition(notebook: dict, lesson: str, english: dict | None = None) -> dict:
    """The executed `notebook` of a lesson ("01") as the site shows it, in the spoken language.

    `english` is the lesson as it was written, where `notebook` is in another language. Raises
    ValueError where a sentence of WORDS is no longer in its cell.
    """
    made = copy.deepcopy(notebook)
    made["metadata"].pop("widgets", None)  # would call for a library on the internet
    here = dict(in_a_browser(english or notebook, lesson))
    cells = []
    for cell in made["cells"]:
        if cell["cell_type"] == "markdown":
            words = here.get(cell["id"])
            text = HINT.sub("", source_of(cell)) if words is None else spoken().text(words)
            cells += [cell | {"source": text}] if text.strip() else []
        elif not FOR_A_KERNEL.fullmatch(source_of(cell).strip()):
            cells += _code(cell)
    cells.insert(1, _words("site-head", _head(lesson)))
    return made | {"cells": cells}


def _head(lesson):
    """The note below a lesson's title."""
    if lesson == "00":
        words = tr(
            "This page shows the lesson as Python ran it. Sliders, controls and predictions work "
            "here. Hints and solutions stand below each exercise. To change code and run it, "
            "[get Python](python.md)."
        )
    else:
        words = tr(
            "This page shows the lesson as Python ran it. Sliders, controls and predictions work "
            "here. Hints and solutions stand below each exercise. To change code and run it, "
            "[get Python](python.md) and open this lesson there."
        )
    return f"```{{note}}\n{words}\n```"


def source_of(cell: dict) -> str:
    """The text of a cell, which a notebook may hold as lines."""
    return "".join(cell["source"])


def _code(cell):
    outputs = [made for output in cell["outputs"] if (made := _output(output))]
    source, imports_only = INSTALLING.subn("", source_of(cell))
    folded = imports_only or cell["metadata"].get("jupyter", {}).get("source_hidden")
    tags = ["hide-input"] if folded else []
    shown = cell | {"source": source, "outputs": outputs, "metadata": {"tags": tags}}
    names = [name for name, _, _ in stubs([cell])]
    if not names:
        return [shown]
    drawn = shown | {"id": cell["id"] + "-drawn", "metadata": {"tags": ["remove-input"]}}
    return [shown | {"outputs": []}, *map(_help, names), *([drawn] if outputs else [])]


def _output(output):
    """An output as a page without a kernel can show it; None where nothing is left."""
    if output["output_type"] == "stream":
        return output if output["name"] == "stdout" else None
    data = output.get("data", {})
    if WIDGET in data:  # beside it stands its still
        return None
    page = "".join(data.get("text/html", ""))
    if page.startswith(VERDICT):
        return None
    if page:
        data = data | {"text/html": page.replace(f"<style>{CSS}</style>", "").replace(CSS, "")}
    return output | {"data": data}


def _help(name):
    """Below an exercise: how to do it, our solution, and whose line drew what follows."""
    exercise = find(name)
    hints = "\n".join(f"{i}. {hint}" for i, hint in enumerate(exercise.hints, start=1))
    how = tr(
        "**To do exercise {}** you need [Python](python.md): it tells you at once whether your "
        "line is right. What this page shows next was made with our solution.",
        name,
    )
    return _words(
        "help-" + name.replace(".", "-"),
        f"{how}\n\n"
        f"<details><summary>{tr('Hints to {}', name)}</summary>\n\n{hints}\n\n</details>\n"
        f"<details><summary>{tr('Our solution to {}', name)}</summary>\n\n"
        f"```python\n{textwrap.dedent(exercise.source)}\n```\n\n</details>",
    )


def _words(name, text):
    return {"cell_type": "markdown", "id": name, "metadata": {}, "source": text}
