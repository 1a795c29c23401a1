"""The glossary of the first lesson as a page of its own, on which each term can be linked."""

import re

from .edition import source_of

TITLE = "# Glossary\n\nEach word of the story has one meaning. After its first mention the lessons use "
TITLE += "the field's term.\n"
ROW = re.compile(r"^\| *(.+?) *\| *(.+?) *\| *(.+?) *\| *(.+?) *\|$", re.MULTILINE)


def glossary_page(lessons: dict[str, dict]) -> str:
    """The page as Markdown, from the cells `glossary` and `glossary-more` of the first lesson.

    `lessons` maps the file of each lesson to its notebook; terms lead to those that are there.

    Raises ValueError where one of the cells, or all its tables, are gone.
    """
    first = next(iter(lessons.values()))
    cells = {cell["id"]: source_of(cell) for cell in first["cells"]}
    files = {name[:2]: name for name in lessons}
    story = _rows(cells.get("glossary", "")) + _rows(cells.get("glossary-more", "").split("<details>")[0])
    field = _rows(cells.get("glossary-more", "").partition("<details>")[2])
    if not story or not field:
        raise ValueError("the lesson 00 has no tables in its cells glossary and glossary-more")
    return "\n".join(
        [
            TITLE,
            "## Words of the story\n",
            *_terms(_of_the_story(*row) for row in story),
            "\n## The field's terms\n",
            *_terms(_of_the_field(*row, files) for row in field),
        ]
    )


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
    return [
        "```{glossary}",
        *(f"{term}\n    {words.strip()}\n" for term, words in pairs),
        "```",
    ]
