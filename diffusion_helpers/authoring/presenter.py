"""The presenter's view: the notes of a lesson in a second window, which follows the slides.

The instructor's edition shows the button below its title. The window stays on the speaker's screen
while the slides fill the other one.
"""

import json
import re
from pathlib import Path

from ..checks import brief
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
        raise ValueError(f"expected one of the lessons {', '.join(lessons())}, got {brief(lesson)}")
    paths = sorted(Path().glob(f"{lesson}_*.ipynb"))
    cells = json.loads(paths[0].read_text("utf-8"))["cells"] if paths else []
    talk = {"lesson": lesson, "slides": _slides(cells), "notes": _notes(cells)}
    if not talk["notes"]:
        raise ValueError(
            f"there is no lesson {lesson} with notes in this folder: open the instructor's edition"
        )
    data = json.dumps(talk, ensure_ascii=False).replace("<", "\\u003c")  # no tag ends the script
    page = f"""
<div class="sculptor notes" role="group" aria-label="Notes to lesson {lesson}">
<style>{CSS}</style>
<button type="button" hidden="hidden" data-lm-suppress-shortcuts>Open the notes</button>
<p class="caption" role="status"></p>
<p class="asleep">Run this cell for a button that opens the notes in a window of their own.</p>
<script>{SCRIPT.replace("TALK", data, 1)}</script>
</div>"""
    return HtmlOutput(page, f"Notes to lesson {lesson}: open this notebook in JupyterLab")


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
            title = f"{section}: what the code shows" if code else _title(text)
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
