"""`tr` in JavaScript: each script that a reader gets carries the texts that it uses, and no others.

`tr("step {0} of {1}", i, steps)` is there what `tr("step {} of {}", i, steps)` is in Python; the
numbers may be left out, and formats there are none. In English no texts are carried.
"""

import json
import re
from pathlib import Path

from . import spoken
from .code import PLACE, places

TR = Path(__file__).with_name("tr.js").read_text("utf-8")
STRING = r'"(?:\\.|[^"\\])*"'
CALL = re.compile(rf"\btr\(\s*({STRING}(?:\s*\+\s*{STRING})*)")


def texts_of(script: str) -> list[str]:
    """The English texts for which a script calls `tr`, each once."""
    found = (re.findall(STRING, call[1]) for call in CALL.finditer(script))
    return list(dict.fromkeys("".join(map(json.loads, parts)) for parts in found))


def with_texts(script: str, lesson: str = "") -> str:
    """A script behind its `tr`, which knows its texts in the spoken language.

    They are those of the package; with the number of a `lesson`, "06", those of its code, where
    {0} and {1} are the places of an f-string in their order: so a drawing says what the lesson's
    own function says. Put both into a scope: `tr` is a name like any other.
    """
    known = _of_lesson(lesson) if lesson else spoken().texts
    keys = {text: text if lesson else ("", text) for text in texts_of(script)}
    texts = {text: known[key] for text, key in keys.items() if key in known}
    # as JSON no text ends the element in which the script stands
    carried = json.dumps(texts, ensure_ascii=False).replace("<", "\\u003c")
    return TR.replace("= TEXTS,", f"= {carried},", 1) + script


def in_scope(script: str, lesson: str = "") -> str:
    """The same in a scope of its own, for a page that holds several scripts."""
    return f"(() => {{\n{with_texts(script, lesson)}}})();"


def _of_lesson(lesson):
    """{English: the text} of the code of a lesson, with numbers in their places."""
    return {
        _numbered(english, english): _numbered(text, english)
        for (context, english), text in spoken().texts.items()
        if re.match(rf"{lesson}_.*\.ipynb$", context)
    }


def _numbered(template, english):
    """The text of an f-string with the number of each place, as they follow in `english`."""
    left = places(english)
    order = list(range(len(left)))

    def number(found):
        if found[0] not in left:
            return found[0]
        i = left.index(found[0])
        del left[i]
        return f"{{{order.pop(i)}}}"

    return PLACE.sub(number, template)
