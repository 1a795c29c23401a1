"""A reader's function, kept from doing harm: on copies, with torch's settings as they were.

It may raise, work in place, overwrite what it returned, or be slow. None of that reaches the
lesson.
"""

import copy
import functools
import inspect
import linecache
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FunctionType, MethodType

import torch

from ..languages import marked, tr
from ..noising import Schedule
from ..text import Text

STOPPED = marked("Your function stopped with {}, in line {} of the cell.")


class ToDo(Exception):
    """The reader's function gave nothing yet."""


class TooSlow(Exception):
    """The reader's function took too much time."""


@contextmanager
def own_room() -> Iterator[None]:
    """Torch's settings and random numbers: in here always the same, afterwards as they were."""
    with _settings_kept(), torch.random.fork_rng(devices=[]), torch.device("cpu"):
        torch.set_default_dtype(torch.float32)
        torch.set_grad_enabled(True)
        torch.default_generator.manual_seed(0)  # not those of a graphics card
        yield


def guarded(function: Callable, seconds: float = float("inf")) -> Callable:
    """`function` on copies. Once its calls have taken more than `seconds`, the next result is a
    TooSlow; a result of None or `...` is a ToDo."""
    spent = 0.0

    @functools.wraps(function)
    def watched(*args, **kw):
        nonlocal spent
        began = time.perf_counter()
        with _settings_kept():
            result = function(*args, **kw)
        spent += time.perf_counter() - began
        if result is None or result is ...:
            raise ToDo
        if spent > seconds:
            raise TooSlow
        return result

    return on_copies(watched)


def on_copies(function):
    """`function`, but it gets copies of its arguments and hands back a copy of its result.

    So what it does in place stays its own affair, and so does a result that it keeps and overwrites
    in the next call.
    """

    @functools.wraps(function)
    def called(*args, **kw):
        return _copied(function(*_copied(args), **_copied(kw)))

    return called


def _copied(x):
    """x with a copy of each tensor in it; a function becomes one that works on copies as well.

    A network stays the same one: copied, it would not learn from the gradients.
    """
    if torch.is_tensor(x):
        return x.clone()  # gradients find their way through it
    if isinstance(x, (FunctionType, MethodType)):
        return on_copies(x)
    if type(x) in (list, tuple):
        return type(x)(map(_copied, x))
    if isinstance(x, tuple) and hasattr(x, "_make"):  # a NamedTuple
        return x._make(map(_copied, x))
    if type(x) is dict:
        return {key: _copied(value) for key, value in x.items()}
    if isinstance(x, (Schedule, Text)):
        twin = copy.copy(x)
        vars(twin).update(_copied(vars(x)))
        return twin
    return x


@contextmanager
def _settings_kept() -> Iterator[None]:
    """Torch's number format, device and gradient mode are afterwards what they were."""
    dtype, device = torch.get_default_dtype(), torch.get_default_device()
    with torch.set_grad_enabled(torch.is_grad_enabled()):
        try:
            yield
        finally:
            torch.set_default_dtype(dtype)
            if torch.get_default_device() != device:
                torch.set_default_device(None if device.type == "cpu" else device)


def stopped(error: Exception, function: Callable) -> str | None:
    """That `function` stopped, in one sentence with its own line; None when the error is another's:
    of whoever used what it returned."""
    home = inspect.unwrap(function).__code__.co_filename if hasattr(function, "__code__") else None
    own = [f for f in traceback.extract_tb(error.__traceback__) if f.filename == home]
    if not own:
        return None
    number = own[-1].lineno
    line = linecache.getline(home, number).partition("  #")[0].strip()  # without its comment
    if not line:
        return tr(STOPPED, kind_of(error), number)
    words = kind_of(error), number, line
    return tr("Your function stopped with {}, in line {} of the cell: `{}`.", *words)


def kind_of(error: Exception) -> str:
    """The kind of an error and what it says, cut short."""
    said = " ".join(str(error).split())
    said = said if len(said) <= 200 else f"{said[:197]}..."
    return f"{type(error).__name__}: {said}".strip(": ").rstrip(".")
