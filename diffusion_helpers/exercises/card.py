"""Your progress as a small card: what was right, and how many hints were taken.

The card follows. In the notebook where an exercise turns right it changes at once; what another
notebook did, it shows as soon as it comes into sight again. In a saved or exported page it stands
still.
"""

import html
from collections.abc import Sequence
from uuid import uuid4

import anywidget
from IPython.display import display
from traitlets import Unicode

from .. import progress
from ..checks import brief
from ..languages import marked, spoken, tr, trn
from ..progress import FILE, NOTHING, State, states
from ..widgets.html import ALIVE_OR_STILL, CSS, STATIC, HtmlOutput
from . import Exercise, lessons, of_lesson

FOLLOWS = marked("It follows what you do.")
STANDS = marked("Run this cell to see what is new.")


def card(lesson: str | None = None) -> "Card":
    """Your progress in one lesson ("01"), or in all of them, their exercises folded.

    Raises ValueError for a lesson without exercises.
    """
    there = lessons()
    if lesson is not None and (not isinstance(lesson, str) or lesson not in there):
        known = ", ".join(there)
        raise ValueError(tr("expected one of the lessons {}, got {}", known, brief(lesson)))
    return Card(lesson)


class Card(anywidget.AnyWidget):
    """What `card` returns: alive in a notebook, and a still card in a saved or exported page."""

    _esm = STATIC / "card.js"
    page = Unicode().tag(sync=True)  # the card as HTML

    def __init__(self, lesson: str | None):
        self._lesson, self._name, self._still = lesson, uuid4().hex, None
        self._done = states()
        super().__init__(page=self._alive())
        self.on_msg(lambda *_: self.show(states()))  # it came into sight
        progress.watch(self.show)

    def show(self, done: dict[str, State]) -> None:
        """Show what `done` says, if that is new."""
        if done != self._done:
            self._done = done
            self.page = self._alive()
            if self._still is not None:
                self._still.update(self.still())

    def still(self) -> HtmlOutput:
        """The card as it is now, for a saved page."""
        own = f"<style>{ALIVE_OR_STILL.replace('NAME', self._name)}</style>"
        page = _page(self._lesson, self._done, f"still-of={self._name}", own, STANDS)
        return HtmlOutput(page, repr(self))

    def _alive(self):
        return _page(self._lesson, self._done, f"name={self._name}", "", FOLLOWS)

    def __repr__(self):
        numbers = _numbers(self._lesson)
        return "; ".join(_part(number, self._done, folded=False)[1] for number in numbers)

    def _ipython_display_(self):
        # Two outputs, as a live control has: the widget, and what a saved page shows instead.
        view = {"model_id": self.model_id, "version_major": 2, "version_minor": 0}
        widget = {"application/vnd.jupyter.widget-view+json": view, "text/html": ""}
        display(widget | {"text/plain": repr(self)}, raw=True)
        self._still = display(self.still(), display_id=True)


def _numbers(lesson):
    return [lesson] if lesson else lessons()


def _page(lesson, done, data, style, last):
    """The whole card as HTML; `data` is its data attribute, `last` its last sentence."""
    name = lesson and progress.title(lesson).lower()
    title = tr("Your progress in {}", name) if lesson else tr("Your progress")
    parts = "".join(_part(number, done, folded=lesson is None)[0] for number in _numbers(lesson))
    return (
        f'<div class="sculptor card" lang="{spoken().code}" data-{data} role="group" '
        f'aria-label="{title}">'
        f"<style>{CSS}</style>{style}{parts}"
        f'<p class="asleep">{tr("Kept on your disk only, in {}.", FILE)} {tr(last)}</p></div>'
    )


def _part(number: str, done: dict[str, State], folded: bool) -> tuple[str, str]:
    """One lesson of the card: (HTML, the same in a few words)."""
    exercises: Sequence[Exercise] = of_lesson(number)
    own = [NOTHING | done.get(e.name, {}) for e in exercises]
    right = sum(s["right"] for s in own)
    words = tr("{}: {} of {} exercises right", progress.title(number), right, len(exercises))
    lines = [
        f'<li class="{"right" if s["right"] else "open"}"><strong>{e.name}</strong> '
        f"{html.escape(e.title)}: {_words(s, len(e.hints))}</li>"
        for e, s in zip(exercises, own)
    ]
    meter = f'<progress max="{len(exercises)}" value="{right}" aria-label="{words}"></progress>'
    fold = f"<details{'' if folded else ' open'}><summary>{words}{meter}</summary>"
    return f"{fold}<ul>{''.join(lines)}</ul></details>", words


def _words(state, hints):
    right, n = state["right"], state["hints"]
    if n > hints:
        return tr("right, solution seen") if right else tr("to do, solution seen")
    if n == 0:
        return tr("right") if right else tr("to do")
    if right:
        return trn("right, {} hint", "right, {} hints", n, n)
    return trn("to do, {} hint", "to do, {} hints", n, n)
