"""A lesson in another language: the same cells, with the texts of a catalogue in place of ours."""

import ast
import copy
import functools
import json
from pathlib import Path
from typing import Any

from . import ENGLISH, Language, load_language, spoken
from .code import parse, translate_code

_INSIDE_WHEEL = Path(__file__).resolve().parents[1] / "notebooks"
_IN_A_CHECKOUT = Path(__file__).resolve().parents[2] / "notebooks"
NOTEBOOKS = _INSIDE_WHEEL if _INSIDE_WHEEL.exists() else _IN_A_CHECKOUT
# On slides: most languages need more letters than English, so they get a tenth more of everything.
FONTS = "@deathbeds/jupyterlab-fonts"
PRESENTING, CELL = "body[data-jp-deck-mode='presenting'] &", "& .jp-Cell.jp-deck-mod-onscreen"
ROOMY = {"zoom": "0.9", "max-width": "1880px"}
CHOICE = 'speak("{}")'  # in the first code cell of every lesson


def translated(notebook: dict[str, Any], name: str, language: Language) -> dict[str, Any]:
    """The `notebook` (a dict) of the file `name` in another language.

    Its Markdown changes, and the texts in its code; the program is the same, but that it speaks
    this language. Its metadata say `"language": "ru"`. Raises ValueError where a translation
    changes a place of an f-string.
    """
    made = copy.deepcopy(notebook)
    made["metadata"]["language"] = language.code
    if FONTS in made["metadata"]:
        made["metadata"][FONTS]["styles"][""][PRESENTING][CELL] |= ROOMY
    for cell in made["cells"]:
        text = "".join(cell["source"])
        if cell["cell_type"] == "markdown":
            text = language.text(text)
        elif cell["cell_type"] == "code":
            text = translated_cell(text, name, language)
        cell["source"] = text.splitlines(keepends=True)
    return made


def translated_cell(code: str, name: str, language: Language) -> str:
    """The code of a cell of the file `name` in another language."""
    made = translate_code(code, lambda text: language.text(text, name))
    return made.replace(CHOICE.format(ENGLISH), CHOICE.format(language.code))


def in_spoken_language(notebook: dict[str, Any], name: str) -> dict[str, Any]:
    """The `notebook` of the file `name` in the spoken language: in English, itself."""
    return notebook if spoken().code == ENGLISH else translated(notebook, name, spoken())


def english_source(source: str) -> str:
    """The English source of a lesson's function that speaks the spoken language, or `source`."""
    source = source.strip()
    return source if spoken().code == ENGLISH else _functions(spoken().code).get(source, source)


def said_in(lesson: str, text: str) -> str:
    """How the lesson "05" says a text of its code in the spoken language."""
    (path,) = NOTEBOOKS.glob(f"{lesson}_*.ipynb")
    return spoken().text(text, path.name)


@functools.cache
def _functions(code):
    """{source of a function in this language: its English source} of all lessons."""
    language, found = load_language(code), {}
    for path in sorted(NOTEBOOKS.glob("[0-9][0-9]_*.ipynb")):
        for cell in json.loads(path.read_text("utf-8"))["cells"]:
            text = "".join(cell["source"])
            if cell["cell_type"] == "code" and "def " in text:
                theirs = translated_cell(text, path.name, language)
                found |= dict(zip(_sources(theirs), _sources(text)))
    return found


def _sources(code):
    """The source of each function in a cell, from its decorators on."""
    lines = code.split("\n")
    return [
        "\n".join(lines[min(n.lineno for n in (node, *node.decorator_list)) - 1 : node.end_lineno])
        for node in ast.walk(parse(code))
        if isinstance(node, ast.FunctionDef)
    ]
