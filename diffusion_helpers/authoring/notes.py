"""The speaker's notes of a lesson: what to say on stage, and when.

python -m diffusion_helpers.authoring.notes 01

prints them as one page, to print or to keep on the other screen. They stand in `stage_notes/`, one
file a lesson, so that a reader's lesson shows none; the instructor's edition shows them all.
"""

import argparse
import re
import sys
import textwrap
from dataclasses import dataclass
from pathlib import Path

from ..checks import brief, say
from ..languages import ENGLISH, languages, speaking, spoken, tr
from ..progress import title

FOLDER = Path(__file__).with_name("stage_notes")
HEAD = re.compile(r"^## Below `([^`\n]+)`, (\d+) minutes?: (.+)\n\n", re.M)


@dataclass(frozen=True)
class Note:
    """What to say on the slide of the cell `below`, and for how many minutes."""

    below: str  # the id of the cell
    minutes: int
    title: str
    words: str  # Markdown


def lessons():
    """The numbers of the lessons that have notes: "00", "01" and so on."""
    return sorted(path.stem.removeprefix("lesson_") for path in FOLDER.glob("lesson_*.md"))


def stage_notes(lesson):
    """The notes to a lesson ("01"), in their order. Raises ValueError where there are none."""
    if not isinstance(lesson, str) or lesson not in lessons():
        there = ", ".join(lessons())
        raise ValueError(
            tr("there are no notes to lesson {}: there are to {}", brief(lesson), there)
        )
    start, *parts = HEAD.split((FOLDER / f"lesson_{lesson}.md").read_text("utf-8"))
    if start.strip() or any("\n## " in words for words in parts[3::4]):
        raise ValueError(
            tr("lesson_{}.md: a note begins with ## Below `cell`, 2 minutes: title", lesson)
        )
    say = spoken().text
    return [
        Note(below, int(minutes), say(title), say(words.strip()))
        for below, minutes, title, words in zip(*(parts[i::4] for i in range(4)))
    ]


def running_order(lesson):
    """The notes to a lesson ("01") as plain text, each with the minute at which it begins."""
    notes = stage_notes(lesson)  # or one sentence
    lines, minute = [tr("{} on stage", title(lesson))], 0
    for note in notes:
        lines += ["", tr("{:2}  {} ({} min)", minute, note.title.upper(), note.minutes)]
        for paragraph in note.words.split("\n\n"):
            lines += [textwrap.fill(paragraph, 76, initial_indent="    ", subsequent_indent="    ")]
        minute += note.minutes
    return "\n".join([*lines, "", tr("{:2}  the end", minute), ""])


def main(arguments=None):
    """Print the notes to each lesson; one sentence where there are none."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("lesson", nargs="+", help="its number: 01")
    parser.add_argument("--language", default=ENGLISH, choices=languages())
    asked = parser.parse_args(arguments)
    try:
        with speaking(asked.language):
            pages = [running_order(number) for number in asked.lesson]
    except ValueError as problem:
        sys.exit(str(problem))
    sys.stdout.reconfigure(encoding="utf-8")  # a file on Windows shall hold every letter, too
    say("\n".join(pages))


if __name__ == "__main__":
    main()
