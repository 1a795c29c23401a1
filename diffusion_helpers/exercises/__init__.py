"""Learning by doing: a reader fills in a function, and hears at once whether it is right.

`@exercise("01.1")` above the reader's function runs that exercise's check and says one line. Below
that line, what a wrong function draws or counts stands beside what ours does. It hands on a correct
function, the reader's or ours, so that a lesson always runs to its end. One module a lesson,
`lesson_01` and so on, holds the exercises as `EXERCISES`.
"""

import functools
import importlib
import importlib.abc
import importlib.util
import inspect
import linecache
import pkgutil
import textwrap
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FunctionType
from typing import Any

import torch
from IPython.display import display

from .. import progress
from ..checks import brief, check_count, say
from ..languages import ENGLISH, load_language, marked, spoken, tr
from ..languages.code import translate_code
from ..widgets.html import HtmlOutput, as_html
from .beside import Curves, Numbers, Pictures, show_beside
from .guarded import ToDo, guarded, kind_of, on_copies, own_room, stopped

COLOURS = {"right": "#009e73", "wrong": "#d55e00", "open": "#718898"}  # as in a prediction


@dataclass(frozen=True)
class Exercise:
    """One exercise: what is asked, how an answer is judged, and how to help.

    `check` gets the reader's function and returns None when it is right, or one sentence that
    names the likely mistake. It runs with a seed of its own and leaves the lesson's random numbers
    alone. The function works on copies of the tensors that `check` gives it, so it may change
    them; only a network is passed as it is. `solution` is ours; readers see its source, so it must
    be a plain function with the name and the parameters of the stub, and use only what its lesson
    has imported above the exercise. `wrong` maps a short description of a typical mistake ("forgot
    the square root") to a function that makes it; its sentence must be one that no other mistake
    gets. `views`, if there are any, show what a wrong function makes beside what ours makes. They
    take less than a second, and must not give the answer away.
    """

    name: str  # lesson and number: "01.1"
    title: str
    check: Callable[[Callable], str | None]
    solution: FunctionType
    hints: tuple[str, str]
    wrong: dict[str, Callable]
    views: tuple[Pictures | Numbers | Curves, ...] = ()

    @property
    def source(self) -> str:
        """The solution as text, as it would stand in a notebook."""
        return textwrap.dedent(inspect.getsource(self.solution)).strip()

    def judge(self, function: Callable) -> str | None:
        """What is not right yet about `function`, in one sentence; "" when it is right.

        Returns None when there is nothing to judge yet: a result of None or `...`, or a
        NotImplementedError. Whatever else the function raises becomes a sentence. Torch's settings
        do not matter here, and are afterwards as they were.
        """
        try:
            with own_room():
                return self.check(guarded(function)) or ""
        except (ToDo, NotImplementedError):
            return None
        except Exception as error:  # the reader's code may do anything; the lesson goes on
            unusable = tr("What your function returns cannot be used ({}).", kind_of(error))
            return stopped(error, function) or unusable


def exercise(name: str) -> Callable[[Callable], Callable]:
    """Decorate the answer to the exercise `name` ("01.1"): judge it, and say one line.

    The decorated name becomes the reader's own function when it is right, otherwise our solution.
    The reader's function goes on working on copies of its tensors: one that works in place must not
    change the pictures that the lesson needs again. A right answer is noted in the progress file.
    What a wrong one draws or counts is shown beside ours. Raises ValueError when there is no such
    exercise.
    """
    found = find(name)

    def judged(function: Callable) -> Callable:
        verdict = found.judge(function)
        if verdict == "":
            progress.note(name, right=True)
            _show(tr("Exercise {}: right.", name), "right")
            return on_copies(function)
        help_and_on = tr('Stuck? `hint("{}")`. The lesson goes on with our solution.', name)
        if verdict is None:
            _show(f"{tr('Exercise {}: to do.', name)} {help_and_on}", "open")
        else:
            _show(f"{tr('Exercise {}: not yet. {}', name, verdict)} {help_and_on}", "wrong")
            show_beside(found.views, function, found.solution, verdict)
        return found.solution

    return judged


def whose(function: Callable) -> str:
    """ "yours" or "ours": whose function an exercise handed on, for the label of what it draws.

    Raises ValueError when it is no function.
    """
    if not callable(function):
        raise ValueError(tr("expected a function below an @exercise, got {}", brief(function)))
    home = getattr(function, "__module__", None) or ""
    return tr("ours") if home.startswith(f"{__name__}.") else tr("yours")


def hint(name: str, number: int = 1) -> None:
    """Show hint `number` to the exercise `name`: 1, 2, or 3 for our solution.

    Each call says the same as often as it runs, so that a hint left in a cell spends no other one.
    An unknown name or number gets one sentence.
    """
    try:
        found = find(name)
    except ValueError as problem:
        say(problem)
        return
    hints = len(found.hints)
    last = hints + 1
    try:
        number = check_count(number, "number", 1, last)
    except ValueError:
        numbers = brief(number), name, hints, last
        say(tr("There is no hint {} to {}: 1 to {}, or {} for our solution.", *numbers))
        return
    progress.note(name, hints=number)
    if number == last:
        say(f"{tr('Our solution to {}; yours may look different:', name)}\n\n{found.source}")
        return
    words = tr("Hint {} of {} to {}: {}", number, hints, name, found.hints[number - 1])
    more = (
        tr('More help: `hint("{}", {})`.', name, number + 1)
        if number < hints
        else tr('Our solution: `hint("{}", {})`.', name, number + 1)
    )
    _show(f"{words} {more}", "open")


def find(name: str) -> Exercise:
    """The exercise `name`. Raises ValueError, naming those that there are."""
    number = name.partition(".")[0] if isinstance(name, str) else None
    there = {e.name: e for e in of_lesson(number)} if number in lessons() else {}
    if not isinstance(name, str) or name not in there:
        no = tr("There is no exercise {}", brief(name))
        known = (
            tr("lesson {} has {}", number, ", ".join(there)) if there else tr("they look like 01.1")
        )
        raise ValueError(f"{no}: {known}.")
    return there[name]


def lessons() -> list[str]:
    """The numbers of the lessons that have exercises: "01", "02" and so on."""
    names = sorted(module.name for module in pkgutil.iter_modules(__path__))
    return [name.removeprefix("lesson_") for name in names if name.startswith("lesson_")]


def of_lesson(number: str) -> tuple[Exercise, ...]:
    """The exercises of the lesson `number`, in their order; its module is imported only now."""
    if not isinstance(number, str) or number not in lessons():
        known = ", ".join(lessons())
        raise ValueError(tr("lessons with exercises are {}, got {}", known, brief(number)))
    return _module(f"{__name__}.lesson_{number}", spoken().code).EXERCISES


@functools.cache
def _module(name, language):
    """The module of a lesson; in another language it is the same program with other texts."""
    if language == ENGLISH:
        return importlib.import_module(name)
    loader = _InLanguage(name, load_language(language))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader(name, loader))
    loader.exec_module(module)
    return module


class _InLanguage(importlib.abc.InspectLoader):
    """Loads a module of this package with its texts in another language."""

    def __init__(self, name, language):
        path = Path(importlib.util.find_spec(name).origin)
        theirs = functools.partial(language.text, context=path.name)
        self.code = translate_code(path.read_text("utf-8"), theirs)
        self.file = f"<{name}, {language.code}>"
        # readers see the source of a solution, and `inspect` looks for it here
        lines = self.code.splitlines(keepends=True)
        linecache.cache[self.file] = (len(self.code), None, lines, self.file)

    def get_source(self, _):
        return self.code

    def get_code(self, _):
        return self.source_to_code(self.code, self.file)


def _show(words, verdict):
    """Show one line in the colour of its verdict: right, wrong or open."""
    edge = COLOURS[verdict]
    # Styles of its own, not the style sheet: a lesson says a dozen such lines. The ground is a
    # veil (1f of ff) over that of the page, so it suits light and dark.
    box = (
        "width:fit-content;max-width:min(860px,100%);box-sizing:border-box;margin:0 0 8px;"
        f"padding:8px 12px;border-left:6px solid {edge};background:{edge}1f;color:inherit;"
        "font:18px/1.4 system-ui,sans-serif;overflow-wrap:anywhere"
    )
    code = '<code style="padding:0;color:inherit;background:none;font-size:.92em">'
    page = f'<div data-verdict="{verdict}" style="{box}">{as_html(words)}</div>'
    display(HtmlOutput(page.replace("<code>", code), words))


# ---- what a check needs -------------------------------------------------------------------------


RESULT = marked("the result")


def no_tensor(got: Any, shape: Sequence[int], what: str = RESULT) -> str | None:
    """A sentence when `got` is no tensor of numbers of `shape`, otherwise None."""
    what, shape = tr(what), tuple(shape)
    if not torch.is_tensor(got):
        kind = tr("a function") if callable(got) else type(got).__name__
        return tr("Expected {} to be a tensor of shape {}, got {}.", what, shape, kind)
    if tuple(got.shape) != shape:
        return tr("Expected {} of shape {}, got {}.", what, shape, tuple(got.shape))
    if not got.isfinite().all():
        broken = (~got.isfinite()).double().mean()
        if broken < 0.01:
            return tr("A part of {} is NaN or infinite.", what)
        return tr("{:.0%} of {} is NaN or infinite.", broken, what)
    return None


def no_number(got: Any, what: str = RESULT) -> str | None:
    """A sentence when `got` is no single finite number (a tensor of one will do), else None."""
    what, kind = tr(what), type(got).__name__
    try:
        value = float(got)
    except (TypeError, ValueError, RuntimeError):
        if torch.is_tensor(got):
            shape = tuple(got.shape)
            return tr("Expected {} to be one number, got {} of shape {}.", what, kind, shape)
        return tr("Expected {} to be one number, got {}.", what, kind)
    if value != value or value in (float("inf"), float("-inf")):
        return tr("Expected {} to be a finite number, got {}.", what, value)
    return None


def parse_choice(got: Any, words: Sequence[str]) -> tuple[str, None] | tuple[None, str]:
    """(the word, None) when `got` is one of `words`, in any case; else (None, a sentence)."""
    word = got.strip().lower() if isinstance(got, str) else ""
    if word in words:
        return word, None
    said = repr(got) if isinstance(got, str) else tr("a {}", type(got).__name__)
    return None, tr(
        "Return one of the words {}, in quotes; you returned {}.", ", ".join(words), said
    )


# {what was done: (a function that does it, what to say)}
Mistakes = dict[str, tuple[Callable, str]]


def named(got: torch.Tensor, mistakes: Mistakes, *args: Any) -> str | None:
    """What to say about `got`, where it is what one of the mistakes makes of `args`; else None."""
    return next((words for wrong, words in mistakes.values() if same(got, wrong(*args))), None)


def makers(mistakes: Mistakes) -> dict[str, Callable]:
    """The functions that make these mistakes, as an exercise wants them in `wrong`."""
    return {what: wrong for what, (wrong, _) in mistakes.items()}


def same(got: torch.Tensor, want: torch.Tensor, atol: float = 1e-4) -> bool:
    """Whether two tensors of one shape agree within `atol`."""
    return torch.allclose(got.double(), want.double(), rtol=1e-4, atol=atol)


def off_by(got: torch.Tensor, want: torch.Tensor) -> float:
    """By how much two tensors differ, on average."""
    return (got.double() - want.double()).abs().mean().item()
