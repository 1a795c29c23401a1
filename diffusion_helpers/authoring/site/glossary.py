"""The glossary of the first lesson as a page of its own, on which each term can be linked."""

import re

from ...languages import ENGLISH, spoken, tr
from .edition import source_of

ROW = re.compile(r"^\| *(.+?) *\| *(.+?) *\| *(.+?) *\| *(.+?) *\|$", re.MULTILINE)
HEAD = re.compile(r"^\|.*\|\n(?=\|[-|]+\|$)", re.MULTILINE)  # of a table
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
    head = tr(
        "Each word of the story has one meaning. After its first mention the lessons use the "
        "field's term."
    )
    index = f"{{ref}}`{tr('All terms from A to Z')} <genindex>`\n"
    titles = f"# {tr('Glossary')}\n", f"## {tr('Words of the story')}\n"
    below = "\n## " + tr("The field's terms") + "\n"
    return "\n".join([titles[0], head, index, titles[1], *_terms(story), below, *_terms(field)])


def _rows(text):
    """The rows of all tables in a text, without their heads."""
    return [row for row in ROW.findall(HEAD.sub("", text)) if "---" not in row[0]]


def _of_the_story(word, english, russian, formula):
    both = [_marked(words) for words in (english, russian)]
    return word, f"{'; '.join(both if spoken().code == ENGLISH else both[::-1])}. {formula}"


def _of_the_field(term, russian, sentence, lesson, files):
    where = tr("lesson {}", lesson)
    where = f"[{where}]({files[lesson]})" if lesson in files else where
    return term, f"{sentence} ({_marked(russian)}; {where})"


def _marked(words):
    """Words in another language than the page's, marked for voices."""
    language = "ru" if re.search("[а-яё]", words) else ENGLISH
    return words if language == spoken().code else f'<span lang="{language}">{words}</span>'


def _terms(pairs):
    """Sphinx's list of terms, which it also puts into search and index."""
    return ["```{glossary}", *(f"{term}\n    {words}\n" for term, words in pairs), "```"]
