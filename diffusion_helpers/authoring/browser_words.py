"""What is true in JupyterLab only, and what the site says instead, to readers without Python."""

import re
from collections.abc import Iterator

# Sentences that name `hint`, with a question before them ("Stuck?"): hints stand folded below.
HINT = re.compile(r"(?: [^.?!`\n]+\?)?(?: [^.?!`\n]+)?(?:[ \xa0]`hint\([^`]*`[^`.]*)+\.")
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


def in_a_browser(notebook: dict, lesson: str) -> Iterator[tuple[str, str]]:
    """The cells of an English lesson that say something else on the site: (id, its text there).

    Raises ValueError where a sentence of WORDS is no longer in its cell.
    """
    for cell in notebook["cells"]:
        if not (words := WORDS.get((lesson, cell["id"]))):
            continue
        text = HINT.sub("", "".join(cell["source"]))
        for there, here in words:
            pattern = there if isinstance(there, re.Pattern) else re.compile(re.escape(there))
            if not pattern.search(text):
                raise ValueError(
                    f"cell {cell['id']} of lesson {lesson} no longer says {there!r:.90}"
                )
            text = pattern.sub(lambda _, here=here: here, text, count=1)
        yield cell["id"], text
