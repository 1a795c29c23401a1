"""More editions of all lessons, made from the same notebooks.

python -m diffusion_helpers.authoring.editions instructor editions/instructor
python -m diffusion_helpers.authoring.editions handout editions/handout
python -m diffusion_helpers.authoring.editions nbgrader source/sculptor
python -m diffusion_helpers.authoring.editions russian lessons_ru
python -m diffusion_helpers.authoring.editions instructor editions/ru --language ru

The instructor's edition holds our solutions where the reader's stubs stand, hints and typical
mistakes below them, the speaker's notes of `stage_notes/`, and a button that opens them in a window
of their own. The hand-out is the lesson without outputs and folded solutions. For nbgrader, the
hand-out has a point below each exercise.
"""

import argparse
import ast
import copy
import json
import re
import sys

from ..checks import as_path, brief, say
from ..exercises import find
from ..languages import ENGLISH, languages, load_language, speaking, spoken, tr, trn
from ..languages.code import parse
from ..languages.notebooks import NOTEBOOKS, in_spoken_language
from .notes import stage_notes
from .texts import missing

FOLDED = r"\s*<details[^>]*>\s*<summary>[^<]*{}[^<]*</summary>.*?</details>"
# A notes cell alone is a dead end for jupyterlab-slideshow: Shift Enter leads there, the screen
# turns empty and no arrow leads away. As a layer of a kind that is never shown, it is passed by.
NOTES = {"slideshow": {"slide_type": "notes"}, "jupyterlab-slideshow": {"layer": "none"}}


def instructor(notebook, lesson):
    """The `notebook` (a dict) of a lesson ("01") with solutions, hints, mistakes, and notes."""
    made = _without_outputs(notebook)
    said = {note.below: note for note in stage_notes(lesson)}
    cells = []
    for cell in made["cells"]:
        cells.append(cell)
        if len(cells) == 1:
            cells.append(_open_notes(lesson))
        found = _stubs_in(cell)
        if found:
            cell["source"] = _lines(_solved(_source(cell), found))
            cells += [_help(find(name)) for name, _ in found]
        if cell["id"] in said:
            cells.append(_note(said[cell["id"]]))
    return made | {"cells": cells}


def handout(notebook, _):
    """The lesson `notebook` (a dict) without outputs and folded solutions."""
    made = _without_outputs(notebook)
    # in every language a part of this word, in all its forms
    solution = re.compile(FOLDED.format(tr("solution")), re.S | re.I)
    cells = []
    for cell in made["cells"]:
        if cell["cell_type"] == "markdown":
            left = solution.sub("", _source(cell))
            if not left.strip():
                continue
            cell["source"] = _lines(left)
        cells.append(cell)
    return made | {"cells": cells}


def nbgrader(notebook, _):
    """The hand-out, with a cell below each exercise from which nbgrader takes one point."""
    made = handout(notebook, _)
    cells = []
    for cell in made["cells"]:
        cells.append(cell)
        cells += [_point(name, node.name) for name, node in _stubs_in(cell)]
    return made | {"cells": cells}


def reader(notebook, _):
    """The lesson `notebook` (a dict) without outputs: in English, the lesson itself."""
    return _without_outputs(notebook)


EDITIONS = {"instructor": instructor, "handout": handout, "nbgrader": nbgrader}


def editions():
    """{name: (what makes it, code of its language or None)}: russian is the reader's in Russian."""
    theirs = {load_language(code).english_name: code for code in languages() if code != ENGLISH}
    return {name: (make, None) for name, make in EDITIONS.items()} | {
        name: (reader, code) for name, code in theirs.items()
    }


def write(edition, folder, notebooks=NOTEBOOKS, language=ENGLISH):
    """Write the `edition` of every lesson in `notebooks` into `folder`; returns the paths.

    The same lessons give the same bytes. An edition that is named after a language, "russian", is
    the lesson itself in that language. Raises ValueError for an unknown edition or language, a
    folder that holds the lessons themselves, or where there are no lessons; OSError where nothing
    can be written.
    """
    folder, notebooks = as_path(folder), as_path(notebooks)
    lessons = sorted(notebooks.glob("[0-9][0-9]_*.ipynb"))
    known = editions()
    if not isinstance(edition, str) or edition not in known:
        raise ValueError(tr("There is no edition {}: choose {}.", brief(edition), ", ".join(known)))
    if not lessons:
        raise ValueError(
            tr(
                "There are no lessons in {}: run this in a copy of the course.",
                brief(str(notebooks)),
            )
        )
    if any((folder / path.name).resolve() == path.resolve() for path in lessons):  # links, too
        raise ValueError(tr("{} holds the lessons themselves: choose another folder.", folder))
    make, own = known[edition]
    with speaking(own or language):
        made = {  # all of them first: a lesson that fails leaves no half edition
            path.name: make(
                in_spoken_language(json.loads(path.read_text("utf-8")), path.name), path.name[:2]
            )
            for path in lessons
        }
    folder.mkdir(parents=True, exist_ok=True)
    for name, notebook in made.items():
        text = json.dumps(notebook, indent=1, ensure_ascii=False) + "\n"
        (folder / name).write_text(text, "utf-8", newline="\n")
    return [folder / name for name in made]


def stubs(cells):
    """Each `@exercise` in the `cells`, in their order: (name, the code up to there, its node)."""
    above = []
    for cell in cells:
        if cell["cell_type"] == "code":
            above.append(_source(cell))
        for name, node in _stubs_in(cell):
            yield name, list(above), node


def imported(code):
    """The names that the cells of `code`, a list of texts, import: what a solution may use."""
    space = {}
    for text in code:
        imports = [n for n in parse(text).body if isinstance(n, (ast.Import, ast.ImportFrom))]
        exec(compile(ast.Module(imports, []), "<imports>", "exec"), space)
    return space


def _stubs_in(cell):
    """(name, node) of each function in the cell that is decorated with `@exercise("name")`."""
    text = _source(cell)
    if cell["cell_type"] != "code" or "@exercise" not in text:
        return []
    return [
        (decorator.args[0].value, node)
        for node in parse(text).body
        if isinstance(node, ast.FunctionDef)
        for decorator in node.decorator_list
        if isinstance(decorator, ast.Call) and getattr(decorator.func, "id", "") == "exercise"
    ]


def _solved(text, found):
    """The cell's text with our solutions in place of the stubs, decorators and all else kept."""
    lines = text.split("\n")
    for name, node in reversed(found):  # from below: the numbers of the lines above stay true
        lines[node.lineno - 1 : node.end_lineno] = find(name).source.split("\n")
    return "\n".join(lines)


def _open_notes(lesson):
    """A cell for the instructor, off the slides: the button that opens the notes."""
    code = f'from diffusion_helpers.authoring.presenter import open_notes\n\nopen_notes("{lesson}")'
    return {
        "cell_type": "code",
        "execution_count": None,
        "id": "open-notes",
        "metadata": copy.deepcopy(NOTES),
        "outputs": [],
        "source": _lines(code),
    }


def _note(note):
    """A cell for the instructor, off the slides: what to say, and for how long."""
    n = note.minutes
    summary = trn("On stage, {} minute: {}", "On stage, {} minutes: {}", n, n, note.title)
    text = f"<details open><summary>{summary}</summary>\n\n{note.words}\n\n</details>"
    return _off_the_slides(f"notes-{note.below}", text)


def _help(exercise):
    """A cell for the instructor, off the slides: the hints, and what mistakes are told."""
    hints = "\n".join(f"{i}. {hint}" for i, hint in enumerate(exercise.hints, start=1))
    mistakes = "\n".join(
        f"- *{what}*: {exercise.judge(function)}" for what, function in exercise.wrong.items()
    )
    title = tr("Exercise {}, {}: hints and typical mistakes", exercise.name, exercise.title)
    text = f"<details open><summary>{title}</summary>\n\n{hints}\n\n{mistakes}\n\n</details>"
    return _off_the_slides("instructor-" + exercise.name.replace(".", "-"), text)


def _off_the_slides(name, text):
    metadata = copy.deepcopy(NOTES)
    return {"cell_type": "markdown", "id": name, "metadata": metadata, "source": _lines(text)}


def _point(name, function):
    """A cell for nbgrader: 1 when the exercise is right, for then the reader's function stands."""
    grade_id = "point-" + name.replace(".", "-")
    graded = {"schema_version": 3, "grade_id": grade_id, "grade": True, "points": 1}
    ours = {"solution": False, "locked": True, "task": False}  # nobody's to change but ours
    return {
        "cell_type": "code",
        "execution_count": None,
        "id": grade_id,
        "metadata": {"nbgrader": graded | ours},
        "outputs": [],
        "source": [f'float({function}.__module__ == "__main__")  # the point for {name}'],
    }


def _without_outputs(notebook):
    made = copy.deepcopy(notebook)
    made["metadata"].pop("widgets", None)
    for cell in made["cells"]:
        if cell["cell_type"] == "code":
            cell |= {"outputs": [], "execution_count": None}
            cell["metadata"].pop("execution", None)
    return made


def _source(cell):
    return "".join(cell["source"])


def _lines(text):
    return text.splitlines(keepends=True)


def main(arguments=None):
    """Write the edition that the command line asks for; one sentence where that fails."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("edition", help=", ".join(editions()))
    parser.add_argument("folder", help="where it goes")
    parser.add_argument("--language", default=ENGLISH, choices=languages())
    asked = parser.parse_args(arguments)
    _, own = editions().get(asked.edition, (None, None))
    with speaking(own or asked.language):
        _write_and_say(asked)


def _write_and_say(asked):
    try:
        paths = write(asked.edition, asked.folder, language=asked.language)
    except ValueError as problem:
        sys.exit(str(problem))
    except OSError as problem:
        sys.exit(tr("{} cannot be written: {}.", asked.folder, problem.strerror))
    say(tr("{} lessons ({}) in {}.", len(paths), asked.edition, asked.folder))
    code = spoken().code
    if code != ENGLISH and (n := len(missing(code))):
        say(tr("{} texts have no translation yet and stay English; authoring.texts lists them.", n))


if __name__ == "__main__":
    main()
