"""The questions that lessons ask before they tell, one text file a lesson: `lesson_01.md`.

Their shape stands in README.md, beside them. A file is read anew at each call: whoever edits it
sees the change when the cell runs again.
"""

import re
from dataclasses import dataclass
from pathlib import Path

from ...checks import brief
from ...languages import spoken

FOLDER = Path(__file__).parent
NAME = re.compile(r"[0-9]{2}\.[a-z]")
OPTION = re.compile(r"`([A-Za-z0-9]+(?: [A-Za-z0-9]+)*)` (.+)")  # its key and its words


@dataclass(frozen=True)
class Option:
    """What can be chosen: its words, and why they are wrong, or right and why."""

    words: str
    why: str


@dataclass(frozen=True)
class Question:
    """One question; `options` maps the key of each Option, which code uses, to the Option."""

    name: str  # lesson and letter: "01.a"
    text: str
    options: dict[str, Option]


def lessons():
    """The numbers of the lessons that have a file of questions: "01", "02" and so on."""
    return sorted(path.stem.removeprefix("lesson_") for path in FOLDER.glob("lesson_[0-9][0-9].md"))


def find(name):
    """The Question `name`, such as "01.a". Raises ValueError, naming those that there are."""
    if not isinstance(name, str) or not NAME.fullmatch(name):
        raise ValueError(f'expected the name of a question like "01.a", got {brief(name)}')
    there = of_lesson(name[:2])
    if name not in there:
        known = f"lesson {name[:2]} asks {', '.join(there)}" if there else "that lesson asks none"
        raise ValueError(f"There is no question {name}: {known}.")
    return there[name]


def of_lesson(number):
    """The questions of the lesson `number` ("01"), name -> Question, in their order; {} for none.

    Raises ValueError for another kind of number. Where the file has another shape than README.md
    says, the sentence names the file, the question and what to do.
    """
    if not isinstance(number, str) or not re.fullmatch("[0-9]{2}", number):
        raise ValueError(f'expected the number of a lesson like "01", got {brief(number)}')
    path = FOLDER / f"lesson_{number}.md"
    if not path.exists():
        return {}
    try:
        text = path.read_text("utf-8-sig")  # some editors put a mark before the first letter
    except UnicodeDecodeError:
        raise ValueError(f"{path.name} holds other signs than text: save it as UTF-8.") from None
    return {name: _spoken(asked) for name, asked in _parse(path.name, number, text).items()}


def _spoken(question):
    """The question in the spoken language."""
    say = spoken().text
    options = {k: Option(say(one.words), say(one.why)) for k, one in question.options.items()}
    return Question(question.name, say(question.text), options)


def _parse(file, number, text):
    """The questions in the `text` of a file, for the lesson `number`."""
    head, *parts = re.split(r"^## ", text, flags=re.M)
    astray = [line for line in head.splitlines() if line.strip() and not line.startswith("# ")]
    if astray:
        raise ValueError(f'{file}: put {brief(astray[0])} below a heading like "## {number}.a".')
    questions = {}
    for part in parts:
        name, _, body = part.partition("\n")
        name = name.strip()
        if not NAME.fullmatch(name) or name[:2] != number:
            raise ValueError(
                f"{file}: write the heading {brief(name)} with this lesson's number and a letter, "
                f'like "## {number}.a".'
            )
        place = f"{file}, question {name}"
        if name in questions:
            raise ValueError(f"{place}: two questions have this name, give one another letter.")
        questions[name] = _question(place, name, body)
    return questions


def _question(place, name, body):
    """One question from the text below its heading; a ValueError begins with its `place`."""
    text, *parts = re.split(r"^- ", body, flags=re.M)
    paragraphs = _paragraphs(text)
    if len(paragraphs) != 1:
        raise ValueError(f"{place}: write one paragraph below the heading, then the options.")
    options = {}
    for part in parts:
        key, option = _option(place, part)
        if key in options:
            raise ValueError(f"{place}: give one of the two options `{key}` another key.")
        options[key] = option
    if len(options) < 2:
        raise ValueError(f'{place}: write two options or more, each like "- `half` about half".')
    return Question(name, _line(paragraphs[0]), options)


def _option(place, part):
    """The key and the Option in `part`, the text after its "- "."""
    first = part.partition("\n")[0]
    astray = [line for line in part.splitlines()[1:] if re.match(r"\S", line)]
    if astray:
        raise ValueError(
            f'{place}: begin {brief(astray[0])} with "- " if it is an option, else with two blanks.'
        )
    paragraphs = [_line(paragraph) for paragraph in _paragraphs(part)]
    found = OPTION.fullmatch(paragraphs[0]) if paragraphs else None
    if not found:
        raise ValueError(
            f'{place}: write the option {brief(first)} as a key and words, like "- `half` about '
            'half".'
        )
    if len(paragraphs) != 2:
        raise ValueError(
            f"{place}: write one paragraph below the option `{found[1]}` that explains it, with "
            "an empty line between."
        )
    return found[1], Option(found[2], paragraphs[1])


def _paragraphs(text):
    return [part for part in re.split(r"\n[^\S\n]*\n", text) if part.strip()]


def _line(paragraph):
    return " ".join(paragraph.split())
