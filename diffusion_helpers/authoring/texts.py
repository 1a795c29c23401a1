"""All texts of the course that a reader may see, and whether a language has them all.

python -m diffusion_helpers.authoring.texts ru

brings languages/ru.po up to date with the lessons and the package, writes README.ru.md, and says
what is missing: a new text stands there empty, and one whose English has changed keeps its old
translation, marked as fuzzy, which counts as missing until somebody has read it and taken the mark
away.
"""

import argparse
import ast
import difflib
import json
import re
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import polib

from .. import exercises
from ..checks import brief, say
from ..exercises import questions
from ..languages import ENGLISH, FOLDER, forget, languages, load_language, speaking
from ..languages.code import PLACE, inside, parse, places, texts_in
from ..languages.javascript import texts_of
from ..languages.notebooks import NOTEBOOKS
from . import notes, readme
from .browser_words import in_a_browser

PACKAGE = Path(__file__).resolve().parents[1]
ROOT = NOTEBOOKS.parent
ALIKE = 0.6  # of a new text and a lost one in the same place: then the old translation may help


@dataclass(frozen=True)
class Source:
    """One English text: where it stands, of what kind it is, and whether it must be translated.

    A string of one word, in code, is a name unless a catalogue translates it.
    """

    file: str  # in the repository
    place: str  # in the file: the id of a cell, the name of an exercise
    kind: str
    text: str
    context: str = ""
    many: str = ""  # of a text with a number: its plural
    needed: bool = True

    @property
    def key(self) -> tuple[str, str]:
        return self.context, self.text


def all_sources(notebooks: Path = NOTEBOOKS) -> list[Source]:
    """Every text of the course, in the order of the files, each once for every place."""
    parts: list[Iterable[Source]] = []
    for path in sorted(notebooks.glob("[0-9][0-9]_*.ipynb")):
        parts.append(of_notebook(path))
        number = path.name[:2]
        if number in questions.lessons():
            parts.append(of_questions(number))
        if number in exercises.lessons():
            parts.append(of_exercises(number))
        if number in notes.lessons():
            parts.append(of_notes(number))
    parts += [of_readme(ROOT / "README.md"), of_site()]
    parts += [of_python(path) for path in sorted(PACKAGE.rglob("*.py"))]
    scripts = sorted(PACKAGE.rglob("*.js"))  # a lesson's drawings say what the lesson says
    parts += [of_javascript(path) for path in scripts if not path.match("draws/lesson_*")]
    with speaking(ENGLISH):
        return [source for part in parts for source in part]


def missing(code: str, sources: Iterable[Source] | None = None) -> list[Source]:
    """The texts that a language has to have and has not, each once. A changed one is missing."""
    language = load_language(code)
    found = {}
    for source in all_sources() if sources is None else sources:
        there = language.many if source.many else language.texts
        key = (source.text, source.many) if source.many else source.key
        if source.needed and key not in there:
            found[key] = source
    return list(found.values())


# ---- one kind of file each -----------------------------------------------------------------------


def of_notebook(path: Path) -> Iterator[Source]:
    """The Markdown cells of a lesson, whole; strings, comments and control labels of its code."""
    file = f"notebooks/{path.name}"
    for cell in json.loads(path.read_text("utf-8"))["cells"]:
        text = "".join(cell["source"])
        if cell["cell_type"] == "markdown":
            yield Source(file, cell["id"], "markdown", text)
        elif cell["cell_type"] == "code":
            yield from of_code(file, cell["id"], text, path.name)
            for label in _control_labels(text):
                yield Source(file, cell["id"], "control label", label)


def of_code(file: str, place: str, code: str, context: str) -> Iterator[Source]:
    """The texts in some code, each once."""
    seen = set()
    for found in texts_in(code):
        within = inside(found.text) if found.kind == "f-string" else []
        for kind, text in [(found.kind, found.text), *(("string", text) for text in within)]:
            if text not in seen and _has_words(text):
                seen.add(text)
                needed = kind == "comment" or bool(re.search(r"\S\s+\S", text.strip()))
                yield Source(file, place, kind, text, context, needed=needed)


def of_questions(number: str) -> Iterator[Source]:
    """What the questions of a lesson ask, offer and explain."""
    file = f"diffusion_helpers/exercises/questions/lesson_{number}.md"
    for question in questions.of_lesson(number).values():
        yield Source(file, question.name, "question", question.text)
        for key, option in question.options.items():
            yield Source(file, f"{question.name} {key}", "option", option.words)
            yield Source(file, f"{question.name} {key}", "explanation", option.why)


def of_exercises(number: str) -> Iterator[Source]:
    """Titles, hints, sentences and labels of the exercises of a lesson.

    Of their comments and docstrings, a reader sees only those in solutions.
    """
    name = f"lesson_{number}.py"
    code = (PACKAGE / "exercises" / name).read_text("utf-8")
    solutions = "\n".join(exercise.source for exercise in exercises.of_lesson(number))
    hidden = {
        ast.get_docstring(node, clean=False)
        for node in ast.walk(ast.parse(code))
        if _is_documented(node)
    }
    for source in of_code(f"diffusion_helpers/exercises/{name}", "", code, name):
        if (source.kind != "comment" and source.text not in hidden) or source.text in solutions:
            yield source


def _is_documented(node):
    return isinstance(node, (ast.Module, ast.FunctionDef, ast.ClassDef))


def of_notes(number: str) -> Iterator[Source]:
    """The speaker's notes of a lesson."""
    file = f"diffusion_helpers/authoring/stage_notes/lesson_{number}.md"
    for note in notes.stage_notes(number):
        yield Source(file, note.below, "title", note.title)
        yield Source(file, note.below, "notes", note.words)


def of_readme(path: Path) -> Iterator[Source]:
    """The blocks of a Markdown file between its empty lines, without code."""
    for i, block in enumerate(blocks(path.read_text("utf-8"))):
        if _has_words(block) and not block.startswith("```") and block != readme.switch(ENGLISH):
            yield Source(path.name, str(i), "markdown", block)


def of_site() -> Iterator[Source]:
    """What the site says beside the lessons, and cells of lessons that say something else there."""
    for path in sorted(NOTEBOOKS.glob("[0-9][0-9]_*.ipynb")):
        lesson = json.loads(path.read_text("utf-8"))
        for name, text in in_a_browser(lesson, path.name[:2]):
            if text.strip():
                yield Source(f"notebooks/{path.name}", f"{name}, on the site", "markdown", text)
    site = PACKAGE / "authoring" / "site"
    for path in (*sorted((site / "sphinx").glob("*.md")), site / "play" / "play.html"):
        yield from _of_blocks(path.relative_to(PACKAGE.parent), path.read_text("utf-8"))
    for label in _control_labels((site / "first_page.py").read_text("utf-8")):
        yield Source("diffusion_helpers/authoring/site/first_page.py", "", "control label", label)
    for path in sorted((site / "sphinx" / "templates").glob("*.html")):
        yield from of_javascript(path)


def _of_blocks(file, text):
    """The blocks of a text of the site that have words beside tags and places, <!--MAP-->."""
    for block in blocks(text):
        if not block.startswith("```") and _has_words(re.sub(r"<[^>]*>", " ", block)):
            yield Source(file.as_posix(), "", "markdown", block)


def blocks(text: str) -> list[str]:
    """The blocks of a Markdown text: what stands between empty lines; code is one block."""
    return [block.strip("\n") for block in readme.BETWEEN.split(text) if block.strip("\n")]


def of_python(path: Path) -> Iterator[Source]:
    """What a module of the package says through `tr` and `trn`; `marked` is for constants."""
    file = path.relative_to(PACKAGE.parent).as_posix()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") in ("tr", "trn", "marked"):
            said = [part.value for part in node.args[:2] if isinstance(part, ast.Constant)]
            if node.func.id == "trn" and len(said) == 2:
                yield Source(file, "", "message", said[0], many=said[1])
            elif node.func.id != "trn" and said and isinstance(node.args[0], ast.Constant):
                yield Source(file, "", "message", said[0])


def of_javascript(path: Path) -> Iterator[Source]:
    """What a script says through `tr`."""
    file = path.relative_to(PACKAGE.parent).as_posix()
    for text in texts_of(path.read_text("utf-8")):
        yield Source(file, "", "message", text)


def _control_labels(code):
    """The names that live controls show: those of the arguments of `live`."""
    if "live(" not in code:
        return []
    return [
        word.arg.replace("_", " ")
        for node in ast.walk(parse(code))
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "live"
        for word in node.keywords
        if word.arg not in (None, "alt") and isinstance(word.value, ast.Call)
    ]


def _has_words(text):
    """Whether there is something to read beside formulas, places and the names of axes."""
    for place in places(text):
        text = text.replace(place, " ")
    return not SHAPES.fullmatch(text) and bool(re.search(r"[^\W\d_]{2,}", text))


# ---- a catalogue ---------------------------------------------------------------------------------


def update(path: Path, sources: list[Source]) -> None:
    """Bring a PO file up to date with the course.

    New texts come in empty. One that stands where another is gone and is much like it keeps that
    one's translation, marked fuzzy. What the course no longer says goes.
    """
    old = polib.pofile(str(path), encoding="utf-8", wrapwidth=100)
    known = {(e.msgctxt or "", e.msgid, e.msgid_plural): e for e in old if not e.obsolete}
    forms = int(re.search(r"nplurals=(\d+)", old.metadata["Plural-Forms"])[1])
    entries: dict[tuple, polib.POEntry] = {}
    for source in sources:
        key = (source.context, source.text, source.many)
        if key in entries:
            _add_place(entries[key], source)
        elif source.needed or key in known:
            entries[key] = _entry(source, known.get(key), forms)
            _add_place(entries[key], source)
    lost = [entry for key, entry in known.items() if key not in entries]
    for key, entry in entries.items():
        if key not in known:
            _help_with(entry, lost)
    old[:] = list(entries.values())
    old.save(str(path))


def _entry(source, before, forms):
    context, many = source.context or None, source.many
    entry = polib.POEntry(msgctxt=context, msgid=source.text, comment=source.kind)
    if many:
        entry.msgid_plural, entry.msgstr_plural = many, dict.fromkeys(range(forms), "")
    if before is not None:
        entry.msgstr, entry.flags = before.msgstr, before.flags
        entry.msgstr_plural, entry.tcomment = before.msgstr_plural, before.tcomment
        entry.previous_msgid = before.previous_msgid
    return entry


def _add_place(entry, source):
    # polib keeps whole what ends in no number of a line
    name = source.place.replace(" ", "-")
    place = (f"{source.file}:{name}" if name else source.file, "")
    if place not in entry.occurrences:
        entry.occurrences.append(place)


def _help_with(entry, lost):
    """Give a new text the translation of a lost one from its place, if they are alike."""
    near = [e for e in lost if set(e.occurrences) & set(entry.occurrences) and e.msgstr]
    alike = [difflib.SequenceMatcher(None, e.msgid, entry.msgid).ratio() for e in near]
    if near and max(alike) >= ALIKE and not entry.msgid_plural:
        best = near[alike.index(max(alike))]
        entry.msgstr, entry.previous_msgid, entry.flags = best.msgstr, best.msgid, ["fuzzy"]


def faulty(code: str, sources: Iterable[Source]) -> list[tuple[Source, list[str]]]:
    """The translations of a language that differ from the English where they may not."""
    language = load_language(code)
    labels = {source.text: language.text(source.text, source.context) for source in sources}
    found = {}
    for source in sources:
        translation = language.texts.get(source.key)
        if translation is not None and (wrong := faults(source, translation, labels)):
            found[source.key] = (source, wrong)
    return list(found.values())


def main(arguments: list[str] | None = None) -> None:
    """Bring the catalogue of a language up to date, and say what it lacks."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("language", choices=[c for c in languages() if c != ENGLISH])
    code = parser.parse_args(arguments).language
    sources = all_sources()
    update(FOLDER / f"{code}.po", sources)
    forget(code)
    readme.write(code)
    lacking, wrong = missing(code, sources), faulty(code, sources)
    for source in lacking:
        say(f"missing: {source.file} {source.place}: {brief(source.text)}")
    for source, reasons in wrong:
        say(f"differs: {source.file} {source.place}: {brief(source.text)}: {'; '.join(reasons)}")
    needed = len({(s.key, s.many) for s in sources if s.needed})
    say(f"{code}: {needed - len(lacking)} of {needed} texts, {len(wrong)} that differ.")
    sys.exit(bool(lacking or wrong))


# ---- what may not differ between a text and its translation --------------------------------------

FORMULA = re.compile(r"\$\$.*?\$\$|(?<![\\$])\$(?=\S)[^$]*?[^\s\\]\$(?!\d)", re.DOTALL)
FENCE = re.compile(r"```.*?```", re.DOTALL)
CODE = re.compile(r"`[^`]+`")
LINK = re.compile(r"\]\(([^)\s]+)\)|(?:href|src)=\"([^\"]+)\"|<(https?://[^>]+)>")
TAG = re.compile(r"</?[a-z][^>]*>")
NUMBER = re.compile(r"\d+(?:\.\d+)*")
IN_FORMULA = re.compile(r"\\(?:text|mathrm|textbf|textrm)\{[^{}]*\}|\\,|\\;|\\ |\s")
SHAPES = re.compile(r"[\w\s(),.\[\]*+/-]*->[\w\s(),.\[\]*+/-]*")  # "b n (h d) -> b h n d"
CYRILLIC = re.compile("[А-Яа-яЁё]")
TWO_PLACES = re.compile(r"\{(\d*)((?:![rsa])?(?::[^{}]*)?)\}")  # of str.format


def faults(source: Source, translation: str, labels: dict[str, str] | None = None) -> list[str]:
    """What differs between a text and its translation and may not, in words; [] where all is well.

    `labels` are words that a lesson may also write as `code`: {English: translation}.
    """
    one, other, labels = source.text, translation, labels or {}
    if one == other:
        return []  # a name, or a sentence that stays
    found = []
    if source.kind == "f-string" and sorted(places(one)) != sorted(places(other)):
        found.append(f"places: {_difference(places(one), places(other))}")
    if source.kind == "message" and _format_places(one) != _format_places(other):
        found.append(f"places: {_format_places(one)} became {_format_places(other)}")
    if source.kind in ("f-string", "message"):
        one, other = (_without_places(text) for text in (one, other))
    for name, pattern in (
        ("code block", FENCE), ("formula", FORMULA), ("code", CODE), ("link", LINK), ("tag", TAG)
    ):  # fmt: skip
        ours, theirs = (_parts(name, pattern, text, labels) for text in (one, other))
        if ours != theirs:
            found.append(f"{name}: {_difference(ours, theirs)}")
        one, other = (pattern.sub(" ", text) for text in (one, other))
    ours, theirs = _numbers(one), _numbers(other)
    if ours != theirs:
        found.append(f"numbers: {_difference(ours, theirs)}")
    shapes = [[_shape(line) for line in text.split("\n")] for text in (source.text, translation)]
    if source.kind in ("markdown", "notes") and shapes[0] != shapes[1]:
        found.append("headings, lists, tables or empty lines stand otherwise")
    return found


def prose(text: str) -> str:
    """A text without code, formulas, addresses, tags and places."""
    for pattern in (FENCE, CODE, FORMULA, LINK, TAG, PLACE):
        text = pattern.sub(" ", text)
    return text


def _parts(name, pattern, text, labels):
    found = [match[0] for match in pattern.finditer(text)]
    if name == "formula":
        found = [IN_FORMULA.sub("", part) for part in found]
    if name == "link":
        found = [next(filter(None, match.groups())) for match in pattern.finditer(text)]
    if name == "tag":
        found = [re.sub(r'(alt|title|aria-label)="[^"]*"', "", part) for part in found]
    if name == "code":
        found = ["`" + labels.get(part[1:-1], part[1:-1]) + "`" for part in found]
    return sorted(found)


def _numbers(text):
    text = re.sub(r"(?<=\d)[,\u00a0\u202f ](?=\d{3}(?!\d))", "", text)
    return sorted(NUMBER.findall(text))


def _format_places(text):
    """The places of `str.format` by their numbers, those without number counted."""
    found = TWO_PLACES.findall(text)
    return sorted((number or str(i), form) for i, (number, form) in enumerate(found))


def _without_places(text):
    return TWO_PLACES.sub(" ", re.sub(r"\{(?:[^{}]|\{[^{}]*\})*\}", " ", text))


def _shape(line):
    """What a line of Markdown is, beside its words."""
    cells = len(re.findall(r"(?<!\\)\|", FORMULA.sub("", line))) if line.startswith("|") else 0
    head = re.match(r"\s*(#+ |[-*] |\d+\. |> |\$\$)?", line)[0]
    return head, cells, bool(line.strip())


def _difference(ours, theirs):
    lost, new = list(ours), []
    for part in theirs:
        lost.remove(part) if part in lost else new.append(part)
    return f"{lost} became {new}"


if __name__ == "__main__":
    main()
