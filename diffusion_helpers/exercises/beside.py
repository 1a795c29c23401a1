"""A reader's result beside ours: a wrong answer is drawn or counted, not only judged.

An exercise lists what there is to see of it: `Pictures`, `Numbers`, `Curves`. Each has `of`, which
calls the function that it gets with a few small inputs and makes the result ready: once with the
reader's function, once with ours, and with the same random numbers.
"""

import functools
import io
import math
import warnings
from collections.abc import Callable, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass
from typing import Any

import torch
from IPython.display import display

from ..checkpoints import load_checkpoint
from ..checks import MAX_ABS, brief
from ..data import load_emoji
from ..languages import marked, tr
from ..widgets.figures import _written, show_curves, show_pictures, show_table
from ..widgets.html import HtmlOutput, as_html
from .guarded import STOPPED, ToDo, TooSlow, guarded, own_room, stopped

SECONDS = 10  # for all calls of the reader's function that one drawing makes
GREY = marked("{} of its numbers are NaN, infinite or beyond a billion, drawn grey")
LEFT_OUT = marked("{} of its numbers are NaN, infinite or beyond a billion, left out")
LARGEST = 1024  # pixels a side of a picture that is drawn
MOST = 64  # pictures


@dataclass(frozen=True)
class Pictures:
    """Pictures (N, C, H, W), C = 1 or 3: a row of yours above a row of ours."""

    title: str
    of: Callable[[Callable], Any]
    captions: Sequence[str] = ()
    columns: int = 8
    height: int = 96

    def read(self, got):
        """(what can be drawn of `got`, one clause or ""), or (None, one clause)."""
        if not torch.is_tensor(got) or got.is_complex() or got.ndim != 4 or 0 in got.shape:
            return None, tr("no pictures, but {}", brief(got))
        if got.shape[1] not in (1, 3) or max(got.shape[2:]) > LARGEST:
            return None, tr("no pictures that a screen can show, but {}", brief(got))
        pictures, lost = _drawable(got[:MOST].detach().float().cpu())
        note = lost and tr(GREY, lost)
        pictures = pictures.nan_to_num(0)
        low, high = pictures.min(), pictures.max()
        if not note and max(-low, high) > 10:
            note = tr("from {:.0f} to {:.0f}, cut off at -1 and 1 for the screen", low, high)
        return pictures, note

    def show(self, results, notes):
        """Draw both; a result of None has only its note."""
        _write(self.title)
        for name, pictures in results.items():
            _write_notes({name: notes[name]})
            if pictures is not None:
                captions = self.captions if len(self.captions) == len(pictures) else None
                columns = min(self.columns, len(pictures))
                rows = [name] * math.ceil(len(pictures) / columns)
                show_pictures(pictures, self.title, captions, columns, self.height, rows)


@dataclass(frozen=True)
class Numbers:
    """One number, or some words, for each of the columns: a table with yours above ours."""

    title: str
    of: Callable[[Callable], Any]
    columns: Sequence[str]

    def read(self, got):
        """(the cells of a row, ""), or (None, one clause)."""
        values = got.tolist() if torch.is_tensor(got) and got.ndim == 1 else got
        values = list(values) if isinstance(values, (list, tuple)) else [values]
        if len(values) != len(self.columns):
            return None, tr("{} in place of {} numbers", len(values), len(self.columns))
        return [_cell(value) for value in values], ""

    def show(self, results, notes):
        """Show both; a result of None has only its note."""
        _write_notes(notes)
        there = {name: cells for name, cells in results.items() if cells is not None}
        show_table(there, self.columns, caption=self.title)


@dataclass(frozen=True)
class Curves:
    """One number for each x: your curve and ours in one figure."""

    title: str
    of: Callable[[Callable], Any]
    x: Sequence[float]
    xlabel: str
    ylabel: str
    log: bool = False
    ylim: tuple[float | None, float | None] | None = None

    def read(self, got):
        """(the xs and ys that can be drawn, one clause or ""), or (None, one clause)."""
        if isinstance(got, (list, tuple)):
            got = torch.stack([torch.as_tensor(y).double().detach() for y in got])
        if not torch.is_tensor(got) or got.is_complex() or got.ndim != 1 or len(got) == 0:
            return None, tr("no row of numbers, but {}", brief(got))
        ys, lost = _drawable(got.detach().double().cpu())
        note = lost and tr(LEFT_OUT, lost)
        ys = ys[: len(self.x)]
        if ys.isnan().all():
            return None, note
        return (list(self.x)[: len(ys)], ys), note

    def show(self, results, notes):
        """Draw both; a result of None has only its note."""
        _write_notes(notes)
        there = {name: line for name, line in results.items() if line is not None}
        alt = f"{self.title}: {tr(' and ').join(there)}"
        axes = {"xlabel": self.xlabel, "ylabel": self.ylabel, "log": self.log, "ylim": self.ylim}
        show_curves(self.x, there, alt=alt, title=self.title, **axes)


def show_beside(
    views: Sequence[Pictures | Numbers | Curves],
    function: Callable,
    solution: Callable,
    verdict: str,
) -> None:
    """Show what a reader's `function` makes beside what our `solution` makes, in each view.

    Whatever the function does, the lesson goes on: where there is nothing to see, one sentence
    says why. A view is left out where it has nothing of yours and the `verdict` says already that
    the function stopped. Where no view differs as shown, none is shown.
    """
    told = verdict.startswith(tr(STOPPED).partition("{")[0])
    found, names = [], {"yours": tr("yours"), "ours": tr("ours")}
    for view in views:
        results, notes = {}, {}
        for name, one in (("yours", guarded(function, SECONDS)), ("ours", guarded(solution))):
            results[name], notes[name] = _attempt(view, one)
        if results["yours"] is not None or not told:
            found.append((view, results, notes))
    if all(_alike(results, notes) for _, results, notes in found):
        return
    for view, results, notes in found:
        view.show(*({names[name]: one for name, one in each.items()} for each in (results, notes)))


def _alike(results, notes):
    """Whether yours and ours look the same as they are shown."""
    yours, ours = results["yours"], results["ours"]
    if yours is None or ours is None or notes["yours"] != notes["ours"]:
        return False
    if torch.is_tensor(ours):  # pictures: by less than one of 256 greys
        if yours.shape != ours.shape:
            return False
        return ((yours.clamp(-1, 1) - ours.clamp(-1, 1)).abs() < 1 / 128).all().item()
    if isinstance(ours, tuple):  # a curve
        (xs, ys), (our_xs, our_ys) = yours, ours
        return xs == our_xs and torch.allclose(ys, our_ys, rtol=1e-3, atol=1e-6, equal_nan=True)
    return all(_written(a) == _written(b) for a, b in zip(yours, ours, strict=True))


def _attempt(view, function):
    """(what there is to draw, one clause or ""), or (None, one clause)."""
    try:
        # What it prints, and what it is warned of, was seen already.
        with own_room(), redirect_stdout(io.StringIO()), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return view.read(view.of(function))
    except ToDo:
        return None, tr("nothing comes back here")
    except TooSlow:
        return None, tr("left out, for it takes more than {} seconds", SECONDS)
    except Exception as error:  # the reader's code may do anything; the lesson goes on
        told = stopped(error, function)
        if told is None:
            return None, tr("left out, for its result does not fit here")
        return None, told.rstrip(".")


def _drawable(numbers):
    """The numbers, NaN where no screen can show them, and the share of those, or ""."""
    lost = ~(numbers.abs() <= MAX_ABS)
    share = lost.double().mean().item()
    if share == 0:
        return numbers, ""
    return numbers.masked_fill(lost, torch.nan), f"{share:.0%}"


def _cell(value):
    """A cell of a table: a number, with commas when it is a large whole one, or some words."""
    if torch.is_tensor(value) and value.numel() == 1:
        value = value.item()
    if isinstance(value, int):
        return f"{value:,}"
    return value if isinstance(value, (str, float)) else brief(value)


def _write_notes(notes):
    for name, note in notes.items():
        if note:
            _write(f"{name}: {note}")


def _write(words):
    style = "margin:8px 0 4px;font:16px/1.4 system-ui,sans-serif;max-width:860px"
    display(HtmlOutput(f'<p style="{style}">{as_html(words)}</p>', words))


# ---- what several lessons draw ------------------------------------------------------------------


@functools.cache
def emoji(*names: str) -> torch.Tensor:
    """The first emoji of each name, (N, 3, 32, 32) in [-1, 1]."""
    all_of_them = load_emoji()
    return all_of_them.images[[all_of_them.names.index(name) for name in names]]


@functools.cache
def shipped(name: str) -> torch.nn.Module:
    """A trained network of the course, loaded once."""
    return load_checkpoint(name, "cpu")


FOUR = ("red apple", "pizza", "dog face", "rocket")  # those of lesson 01


def as_mask(mask: torch.Tensor) -> torch.Tensor:
    """(N, H, W) bools as pictures: dark where True, pale where False."""
    return 0.7 - 1.7 * mask.float()[:, None]


def as_channels(features: torch.Tensor) -> torch.Tensor:
    """Each channel of (B, C, H, W) as a grey picture of its own."""
    return features.flatten(0, 1)[:, None]


SHARES = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)  # of the way from a to b


def spread_between(ends: Callable[[], Any]) -> Curves:
    """The standard deviation on the way from a to b, two blocks of noise, which `ends` makes."""

    def of(function):
        a, b = ends()
        return [function(a, b, share).std() for share in SHARES]

    words = tr("From a to b"), tr("share"), tr("standard deviation")
    return Curves(words[0], of, SHARES, *words[1:], ylim=(0, None))
