"""Your progress as a small card: what was right, and how many hints were taken."""

import html
from collections.abc import Sequence

from ..checks import brief
from ..progress import FILE, NOTHING, State, states
from ..widgets.html import CSS, HtmlOutput
from . import Exercise, lessons, of_lesson


def card(lesson: str | None = None) -> HtmlOutput:
    """Your progress in one lesson ("01"), or in all of them, their exercises folded.

    It shows what was known when the cell ran. Raises ValueError for a lesson without exercises.
    """
    there = lessons()
    if lesson is not None and (not isinstance(lesson, str) or lesson not in there):
        raise ValueError(f"expected one of the lessons {', '.join(there)}, got {brief(lesson)}")
    done = states()
    parts = [
        _part(number, of_lesson(number), done, folded=lesson is None)
        for number in ([lesson] if lesson else there)
    ]
    title = f"Your progress in lesson {lesson}" if lesson else "Your progress"
    page = (
        f'<div class="sculptor card" role="group" aria-label="{title}">'
        f"<style>{CSS}</style>{''.join(part for part, _ in parts)}"
        f'<p class="asleep">Kept on your disk only, in {FILE}. Run this cell again to see what is '
        "new.</p></div>"
    )
    return HtmlOutput(page, "; ".join(words for _, words in parts))


def _part(number: str, exercises: Sequence[Exercise], done: dict[str, State], folded: bool):
    """One lesson of the card: (HTML, the same in a few words)."""
    own = [NOTHING | done.get(e.name, {}) for e in exercises]
    right = sum(s["right"] for s in own)
    words = f"Lesson {number}: {right} of {len(exercises)} exercises right"
    lines = [
        f'<li class="{"right" if s["right"] else "open"}"><strong>{e.name}</strong> '
        f"{html.escape(e.title)}: {_words(s, len(e.hints))}</li>"
        for e, s in zip(exercises, own)
    ]
    meter = f'<progress max="{len(exercises)}" value="{right}" aria-label="{words}"></progress>'
    fold = f"<details{'' if folded else ' open'}><summary>{words}{meter}</summary>"
    return f"{fold}<ul>{''.join(lines)}</ul></details>", words


def _words(state, hints):
    words = "right" if state["right"] else "to do"
    if state["hints"] > hints:
        return f"{words}, solution seen"
    return words + {0: "", 1: ", 1 hint"}.get(state["hints"], f", {state['hints']} hints")
