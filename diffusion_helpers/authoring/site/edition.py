"""The site's edition of a lesson: what ran, made fit for readers who have no Python.

Hints and our solution stand folded below each exercise. What only speaks to a kernel goes, what is
folded in the notebook is folded on the page, and the style of all controls stands once in the site.
"""

import copy
import re
import textwrap
from collections.abc import Iterator

from ...exercises import find
from ...languages import spoken, tr
from ...widgets.html import CSS
from ..editions import stubs

INSTALLING = re.compile(r"^# (Package missing\?|In Colab,).*\n", re.MULTILINE)
FOR_A_KERNEL = re.compile(r"(card|show_gallery)\(.*\)")
WIDGET = "application/vnd.jupyter.widget-view+json"
# Sentences that name `hint`, with a question before them ("Stuck?"): hints stand folded below.
HINT = re.compile(r"(?: [^.?!`\n]+\?)?(?: [^.?!`\n]+)?(?:[ \xa0]`hint\([^`]*`[^`.]*)+\.")
VERDICT = '<div data-verdict="'  # what an exercise says of the line that is missing
# What is true in JupyterLab only: {(lesson, cell): [(words there, words here)]}. It is replaced in
# the English cell; what comes of it is a text of its own for every other language.
WORDS = {
    ("00", "title"): [
        (
            "A running JupyterLab. If you are reading this in it, you have one.",
            "A browser. To change code and run it, also [Python](python.md).",
        ),
        ("your progress and your gallery, the glossary, and help", "and help"),
        (re.compile(r"\n\n\*\*In English and in Russian\.\*\* [^\n]*"), ""),
    ],
    ("00", "creation"): [
        (
            "Run the cell above, then the three below (`Shift` `Enter` each). Then type",
            "Type",
        )
    ],
    ("00", "scrub-text"): [
        (" This control needs no Python any more, so it also works in an exported page.", "")
    ],
    ("00", "trouble"): [
        (
            "All of these happened while the course was made.",
            "On this site, a control that cannot draw says why, and its last picture stays. "
            "The tables are about running the course with Python, in JupyterLab. "
            "All of these happened while the course was made.",
        )
    ],
    ("00", "trouble-more"): [
        (
            "the two lines that stand first in the README's *Start*",
            "the two lines that stand first in [Get Python](python.md)",
        ),
        (
            "the command in the README's *Update*",
            "the command below *Update* in [Get Python](python.md)",
        ),
        ("start it as the README says", "start it as [Get Python](python.md) says"),
    ],
    ("00", "before"): [
        (
            re.compile(r"\*\*Your progress\*\* stays in .*", re.DOTALL),
            "**Your progress and your predictions** stay in your browser and are sent nowhere. "
            "[The first page](index.md) shows how far you are, and has a button that forgets all.",
        )
    ],
    ("00", "glossary"): [
        (
            re.compile(r"Each word of the story .*", re.DOTALL),
            "Each word of the story has one meaning. [The glossary](glossary.md) says which, "
            "and explains the field's terms.",
        )
    ],
    ("00", "glossary-more"): [(re.compile(r".*", re.DOTALL), "")],
    ("01", "help-exercises"): [(re.compile(r".*", re.DOTALL), "")],
    ("08", "question"): [("this notebook does not know", "this page does not know")],
    ("08", "finale"): [
        (
            re.compile(r"The card shows all exercises.* kept\.", re.DOTALL),
            "Below stands how well you foresaw what happened.",
        )
    ],
}


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


def in_a_browser(notebook: dict, lesson: str) -> Iterator[tuple[str, str]]:
    """The cells of an English lesson that say something else on the site: (id, its text there).

    Raises ValueError where a sentence of WORDS is no longer in its cell.
    """
    for cell in notebook["cells"]:
        if not (words := WORDS.get((lesson, cell["id"]))):
            continue
        text = HINT.sub("", source_of(cell))
        for there, here in words:
            pattern = there if isinstance(there, re.Pattern) else re.compile(re.escape(there))
            if not pattern.search(text):
                raise ValueError(
                    f"cell {cell['id']} of lesson {lesson} no longer says {there!r:.90}"
                )
            text = pattern.sub(lambda _, here=here: here, text, count=1)
        yield cell["id"], text


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
