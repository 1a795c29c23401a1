"""The presenter's view: the notes of a lesson in a second window, which follows the slides.

The instructor's edition shows the button below its title. The window stays on the speaker's screen
while the slides fill the other one.
"""

import json
import re
from pathlib import Path

from ..checks import brief
from ..languages import speaking, spoken, tr
from ..languages.javascript import in_scope
from ..widgets.html import CSS, HtmlOutput, as_html
from .notes import lessons

SCRIPT = Path(__file__).with_name("presenter.js").read_text("utf-8")
# in any language: "On stage, 2 minutes: why we do this"
NOTE = re.compile(r"<summary>[^:<]*?(\d+)[^:<]*: (.+?)</summary>(.*)</details>", re.S)
LONGEST = 60  # characters of a slide's title


def open_notes(lesson):
    """A button that opens the notes to a lesson ("01") in a window of their own.

    Slides and notes are read from the lesson's notebook in this folder, as it was last saved: they
    may be yours. Raises ValueError for an unknown lesson, or where there are no notes.
    """
    if not isinstance(lesson, str) or lesson not in lessons():
        raise ValueError(
            tr("expected one of the lessons {}, got {}", ", ".join(lessons()), brief(lesson))
        )
    paths = sorted(Path().glob(f"{lesson}_*.ipynb"))
    notebook = json.loads(paths[0].read_text("utf-8")) if paths else {"cells": [], "metadata": {}}
    # this cell runs before the one that chooses the language
    with speaking(notebook["metadata"].get("language", spoken().code)):
        return _button(lesson, notebook["cells"])


def _button(lesson, cells):
    talk = {"lesson": lesson, "slides": _slides(cells), "notes": _notes(cells)}
    if not talk["notes"]:
        raise ValueError(
            tr(
                "there is no lesson {} with notes in this folder: open the instructor's edition",
                lesson,
            )
        )
    talk["language"] = spoken().code
    data = json.dumps(talk, ensure_ascii=False).replace("<", "\\u003c")  # no tag ends the script
    asleep = tr("Run this cell for a button that opens the notes in a window of their own.")
    page = f"""
<div class="sculptor notes" role="group" aria-label="{tr("Notes to lesson {}", lesson)}">
<style>{CSS}</style>
<button type="button" hidden="hidden" data-lm-suppress-shortcuts>{tr("Open the notes")}</button>
<p class="caption" role="status"></p>
<p class="asleep">{asleep}</p>
<script>{in_scope(SCRIPT).replace("TALK", data, 1)}</script>
</div>"""
    return HtmlOutput(page, tr("Notes to lesson {}: open this notebook in JupyterLab", lesson))


def _slides(cells):
    """[{kind, title, cells}]: the slides in their order, each with the ids of its cells."""
    slides, section = [], ""
    for cell in cells:
        kind = cell["metadata"].get("slideshow", {}).get("slide_type")
        text = "".join(cell["source"])
        if cell["cell_type"] == "markdown" and text.startswith("#"):
            section = _title(text)
        if kind in ("slide", "subslide"):
            code = cell["cell_type"] == "code"  # its first line tells a speaker nothing
            title = tr("{}: what the code shows", section) if code else _title(text)
            slides.append({"kind": kind, "title": title, "cells": []})
        if kind in ("slide", "subslide", None) and slides:
            slides[-1]["cells"].append(cell["id"])
    return slides


def _title(text):
    """The heading of a cell, or its first words."""
    first = next(iter(text.strip().splitlines()), "").lstrip("# ")
    words = re.sub(r"[*`$]", "", first)
    return words if len(words) <= LONGEST else words[:LONGEST].rsplit(" ", 1)[0] + " …"


def _notes(cells):
    """[{below, title, begins, minutes, page}]: the notes in their order, their words as HTML."""
    notes, begins = [], 0
    for cell in cells:
        note = cell["id"].startswith("notes-")
        found = NOTE.search("".join(cell["source"])) if note else None
        if found:
            minutes, title, words = int(found[1]), found[2], found[3].strip()
            page = "".join(f"<p>{_emphasised(as_html(part))}</p>" for part in words.split("\n\n"))
            notes.append(
                {
                    "below": cell["id"].removeprefix("notes-"),
                    "title": title,
                    "begins": begins,
                    "minutes": minutes,
                    "page": page,
                }
            )
            begins += minutes
    return notes


def _emphasised(page):
    return re.sub(r"\*([^*]+)\*", r"<em>\1</em>", page)
