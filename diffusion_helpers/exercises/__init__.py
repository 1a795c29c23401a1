"""Learning by doing: a reader fills in a function, and hears at once whether it is right.

`@exercise("01.1")` above the reader's function runs that exercise's check and says one line. It
hands on a correct function, the reader's or ours, so that a lesson always runs to its end. One
module a lesson, `lesson_01` and so on, holds the exercises as `EXERCISES`.
"""

import functools
import importlib
import inspect
import linecache
import pkgutil
import textwrap
import traceback
from collections.abc import Callable
from dataclasses import dataclass

import torch
from IPython.display import display

from .. import progress
from ..checks import brief
from ..widgets.html import HtmlOutput, as_html

COLOURS = {  # of the edge and the ground, as in a prediction
    "right": ("#009e73", "#edf8f4"),
    "wrong": ("#d55e00", "#fff4ec"),
    "open": ("#718898", "#f2f4f6"),
}


@dataclass(frozen=True)
class Exercise:
    """One exercise: what is asked, how an answer is judged, and how to help.

    `check` gets the reader's function and returns None when it is right, or one sentence that
    names the likely mistake. It runs with seeded dice that leave the lesson's own alone. `solution`
    is ours; readers see its source, so it must be a plain function with the name and the
    parameters of the stub, and use only what its lesson has imported above the exercise. `wrong`
    maps a short description of a typical mistake ("forgot the square root") to a function that
    makes it; its sentence must be one that no other mistake gets.
    """

    name: str  # lesson and number: "01.1"
    title: str
    check: Callable
    solution: Callable
    hints: tuple[str, str]
    wrong: dict[str, Callable]

    @property
    def source(self):
        """The solution as text, as it would stand in a notebook."""
        return textwrap.dedent(inspect.getsource(self.solution)).strip()

    def judge(self, function):
        """What is not right yet about `function`, in one sentence; "" when it is right.

        Returns None when there is nothing to judge yet: a result of None or `...`, or a
        NotImplementedError. Whatever else the function raises becomes a sentence.
        """
        try:
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(0)
                return self.check(_finished(function)) or ""
        except (ToDo, NotImplementedError):
            return None
        except Exception as error:  # the reader's code may do anything; the lesson goes on
            return _stopped(error, function)


def exercise(name):
    """Decorate the answer to the exercise `name` ("01.1"): judge it, and say one line.

    The decorated name becomes the reader's own function when it is right, otherwise our solution.
    A right answer is noted in the progress file. Raises ValueError when there is no such exercise.
    """
    found = find(name)

    def judged(function):
        verdict = found.judge(function)
        if verdict == "":
            progress.note(name, right=True)
            _say(f"Exercise {name}: right.", "right")
            return function
        words = f'to do. Stuck? `hint("{name}")`.' if verdict is None else f"not yet. {verdict}"
        words = f"Exercise {name}: {words} The lesson goes on with our solution."
        _say(words, "open" if verdict is None else "wrong")
        return found.solution

    return judged


def hint(name, number=1):
    """Show hint `number` to the exercise `name`: 1, 2, or 3 for our solution.

    Each call says the same as often as it runs, so that a hint left in a cell spends no other one.
    An unknown name or number gets one sentence.
    """
    try:
        found = find(name)
    except ValueError as problem:
        print(problem)
        return
    last = len(found.hints) + 1
    if number not in range(1, last + 1):
        print(
            f"There is no hint {number!r} to {name}: 1 to {last - 1}, or {last} for our solution."
        )
        return
    progress.note(name, hints=max(number, progress.state(name)["hints"]))
    if number == last:
        print(f"Our solution to {name}; yours may look different:\n\n{found.source}")
        return
    more = "More help" if number < last - 1 else "Our solution"
    words = f"Hint {number} of {last - 1} to {name}: {found.hints[number - 1]}"
    _say(f'{words} {more}: `hint("{name}", {number + 1})`.', "open")


def find(name):
    """The exercise `name`. Raises ValueError, naming those that there are."""
    number = name.partition(".")[0] if isinstance(name, str) else None
    there = {e.name: e for e in of_lesson(number)} if number in lessons() else {}
    if not isinstance(name, str) or name not in there:
        known = f"lesson {number} has {', '.join(there)}" if there else "they look like 01.1"
        raise ValueError(f"There is no exercise {brief(name)}: {known}.")
    return there[name]


def lessons():
    """The numbers of the lessons that have exercises: "01", "02" and so on."""
    names = sorted(module.name for module in pkgutil.iter_modules(__path__))
    return [name.removeprefix("lesson_") for name in names if name.startswith("lesson_")]


def of_lesson(number):
    """The exercises of the lesson `number`, in their order; its module is imported only now."""
    if not isinstance(number, str) or number not in lessons():
        raise ValueError(f"lessons with exercises are {', '.join(lessons())}, got {brief(number)}")
    return importlib.import_module(f"{__name__}.lesson_{number}").EXERCISES


def _say(words, verdict):
    """Show one line in the colour of its verdict: right, wrong or open."""
    edge, ground = COLOURS[verdict]
    # Styles of its own, not the style sheet: a lesson says a dozen such lines.
    box = (
        "width:fit-content;max-width:min(860px,100%);box-sizing:border-box;margin:0 0 8px;"
        f"padding:8px 12px;border-left:6px solid {edge};background:{ground};color:#1a1a1a;"
        "font:18px/1.4 system-ui,sans-serif;overflow-wrap:anywhere"
    )
    code = '<code style="padding:0;color:inherit;background:none;font-size:.92em">'
    page = f'<div data-verdict="{verdict}" style="{box}">{as_html(words)}</div>'
    display(HtmlOutput(page.replace("<code>", code), words))


# ---- what a check needs -------------------------------------------------------------------------


def no_tensor(got, shape, what="the result"):
    """A sentence when `got` is no tensor of numbers of `shape`, otherwise None."""
    if not torch.is_tensor(got):
        kind = "a function" if callable(got) else type(got).__name__
        return f"Expected {what} to be a tensor of shape {tuple(shape)}, got {kind}."
    if tuple(got.shape) != tuple(shape):
        return f"Expected {what} of shape {tuple(shape)}, got {tuple(got.shape)}."
    if not got.isfinite().all():
        broken = (~got.isfinite()).double().mean()
        return f"{broken:.0%} of {what} is NaN or infinite."
    return None


def no_number(got, what="the result"):
    """A sentence when `got` is no single finite number (a tensor of one will do), else None."""
    try:
        value = float(got)
    except (TypeError, ValueError, RuntimeError):
        shape = f" of shape {tuple(got.shape)}" if torch.is_tensor(got) else ""
        return f"Expected {what} to be one number, got {type(got).__name__}{shape}."
    if value != value or value in (float("inf"), float("-inf")):
        return f"Expected {what} to be a finite number, got {value}."
    return None


def parse_choice(got, words):
    """(the word, None) when `got` is one of `words`, in any case; else (None, a sentence)."""
    word = got.strip().lower() if isinstance(got, str) else None
    if word in words:
        return word, None
    said = repr(got) if isinstance(got, str) else f"a {type(got).__name__}"
    return None, f"Return one of the words {', '.join(words)}, in quotes; you returned {said}."


def same(got, want, atol=1e-4):
    """Whether two tensors of one shape agree within `atol`."""
    return torch.allclose(got.double(), want.double(), rtol=1e-4, atol=atol)


def off_by(got, want):
    """By how much two tensors differ, on average."""
    return (got.double() - want.double()).abs().mean().item()


# ---- the reader's function ----------------------------------------------------------------------


class ToDo(Exception):
    """The reader's function gave nothing yet."""


def _finished(function):
    """`function`, but a result of None or `...` ends the check."""

    @functools.wraps(function)
    def watched(*args, **kw):
        result = function(*args, **kw)
        if result is None or result is ...:
            raise ToDo
        return result

    return watched


def _stopped(error, function):
    """What happened, in one sentence, with the reader's own line if it was theirs."""
    said = " ".join(str(error).split())
    said = said if len(said) <= 200 else f"{said[:197]}..."
    kind = f"{type(error).__name__}: {said}".strip(": ").rstrip(".")
    home = inspect.unwrap(function).__code__.co_filename if hasattr(function, "__code__") else None
    own = [f for f in traceback.extract_tb(error.__traceback__) if f.filename == home]
    if not own:
        return f"What your function returns cannot be used ({kind})."
    number = own[-1].lineno
    line = linecache.getline(home, number).partition("  #")[0].strip()  # without its comment
    return (
        f"Your function stopped with {kind}, in line {number} of the cell{line and f': `{line}`'}."
    )
