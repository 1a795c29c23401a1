"""The glossary of the first lesson as a page of its own, on which each term can be linked."""

import re

from .edition import source_of

HEAD = """\
# Glossary

Each word of the story has one meaning. After its first mention the lessons use the field's term.
{ref}`All terms from A to Z <genindex>`
"""
ROW = re.compile(r"^\| *(.+?) *\| *(.+?) *\| *(.+?) *\| *(.+?) *\|$", re.MULTILINE)
FOLD = "<details>"  # in the cell glossary-more; after it come the field's terms


def glossary_page(lessons: dict[str, dict]) -> str:
    """The page as Markdown, from the cells `glossary` and `glossary-more` of the first lesson.

    `lessons` maps the file of each lesson to its notebook; terms lead to those that are there.
    Raises ValueError where one of the cells, or all its tables, are gone.
    """
    first = next(iter(lessons.values()))
    cells = {cell["id"]: source_of(cell) for cell in first["cells"]}
    more, _, terms = cells.get("glossary-more", "").partition(FOLD)
    story = [_of_the_story(*row) for row in _rows(f"{cells.get('glossary', '')}\n{more}")]
    files = {name[:2]: name for name in lessons}
    field = [_of_the_field(*row, files) for row in _rows(terms)]
    if not story or not field:
        raise ValueError("lesson 00 has no tables in its cells glossary and glossary-more")
    parts = [HEAD, "## Words of the story\n", *_terms(story)]
    return "\n".join([*parts, "\n## The field's terms\n", *_terms(field)])


def _rows(text):
    """The rows of all tables in a text, without their heads."""
    rows = ROW.findall(text)
    return [row for row in rows if row[0] not in ("in the story", "term") and "---" not in row[0]]


def _of_the_story(word, english, russian, formula):
    return word, f"{english}; {_russian(russian)}. {formula}"


def _of_the_field(term, russian, sentence, lesson, files):
    where = f"[lesson {lesson}]({files[lesson]})" if lesson in files else f"lesson {lesson}"
    return term, f"{sentence} ({_russian(russian)}; {where})"


def _russian(words):
    return f'<span lang="ru">{words}</span>' if re.search("[а-яё]", words) else words


def _terms(pairs):
    """Sphinx's list of terms, which it also puts into search and index."""
    return ["```{glossary}", *(f"{term}\n    {words}\n" for term, words in pairs), "```"]
