"""Which drawing functions of the lessons are written again in JavaScript, for pages without Python.

A function is known by its source: a reader who changes it gets what they wrote, and then only
Python can draw it. One table for each lesson; `python -m pytest tests/test_living_pages.py` says
which row is out of date, and the new checksum.
"""

import base64
import functools
import gzip
import hashlib
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn

from ..checkpoints import load_checkpoint

OWN_FUNCTION = "its drawing function is not the course's"
OWN_NETWORK = "its network is your own"


@dataclass(frozen=True)
class Mirror:
    """What a page needs to draw without Python.

    draw    the name of the function in static/draws/
    needs   networks by name, "words", or other files of data/
    own     takes the globals of the function in Python and returns what else it draws with,
            {name: tensor}; raises ValueError, with the reason, where a page cannot have it
    """

    draw: str
    needs: tuple[str, ...] = ()
    own: Callable[[dict[str, Any]], dict[str, torch.Tensor]] = lambda _: {}


def shipped(lesson: dict[str, Any], **networks: str) -> None:
    """Raise ValueError unless these globals are networks of the course, `variable="name"`."""
    for variable, name in networks.items():
        own, theirs = lesson.get(variable), _shipped_weights(name)
        weights = own.state_dict() if isinstance(own, nn.Module) else {}
        if weights.keys() != theirs.keys() or not all(
            torch.equal(weights[key].detach().cpu(), theirs[key]) for key in theirs
        ):
            raise ValueError(OWN_NETWORK)


@functools.cache
def _shipped_weights(name):
    return load_checkpoint(name, "cpu").state_dict()


# ---- the tables, {sha256 of a function's source: its mirror} -------------------------------------


def _demiurge(lesson):
    shipped(lesson, demiurge="demiurge")
    return {}


LESSON_00 = {
    "4f601ff5ac13cdace1f950835a518cbd929ceb2394be2e57c07efbd89cc00ed6": Mirror(
        "create", ("demiurge",), _demiurge
    ),
}
LESSON_01: dict[str, Mirror] = {}
LESSON_02: dict[str, Mirror] = {}
LESSON_03: dict[str, Mirror] = {}
LESSON_04: dict[str, Mirror] = {}
LESSON_05: dict[str, Mirror] = {}
LESSON_06: dict[str, Mirror] = {}
LESSON_07: dict[str, Mirror] = {}
LESSON_08: dict[str, Mirror] = {}
MIRRORS = (
    *(LESSON_00, LESSON_01, LESSON_02, LESSON_03, LESSON_04, LESSON_05, LESSON_06, LESSON_07),
    LESSON_08,
)
# Functions that no page can have, because they draw with what the reader has trained.
ONLY_PYTHON: dict[str, str] = {}  # {sha256: the reason}


# ---- what a page gets ----------------------------------------------------------------------------


def fingerprint(source: str) -> str:
    """By which the tables know a function: the sha256 of its source, without what surrounds it."""
    return hashlib.sha256(source.strip().encode()).hexdigest()


def mirror_of(source: str) -> Mirror:
    """The row of the function with this source. Raises ValueError, with the reason, for none."""
    name = fingerprint(source)
    if name in ONLY_PYTHON:
        raise ValueError(ONLY_PYTHON[name])
    for table in MIRRORS:
        if name in table:
            return table[name]
    raise ValueError(OWN_FUNCTION)


def living_part(draw: Callable[..., Any]) -> dict[str, Any]:
    """What a page needs to draw as `draw` does, ready for JSON: its draw, needs and own numbers.

    Raises ValueError, with the reason, for a function that only Python can compute.
    """
    try:
        mirror = mirror_of(inspect.getsource(draw))
    except (OSError, TypeError):  # it has no source
        raise ValueError(OWN_FUNCTION) from None
    own = pack_own(mirror, inspect.unwrap(draw).__globals__)
    return {"draw": mirror.draw, "needs": list(mirror.needs), "own": own}


def pack_own(mirror: Mirror, lesson: dict[str, Any]) -> dict[str, Any]:
    """The numbers that a drawing takes from the globals of its function, ready for JSON."""
    return {name: pack_tensor(tensor) for name, tensor in mirror.own(lesson).items()}


def pack_tensor(tensor: torch.Tensor) -> dict[str, Any]:
    """A tensor of any shape for JSON: pictures in [-1, 1] as bytes, where that loses nothing."""
    tensor = tensor.detach().cpu()
    levels = ((tensor + 1) * 127.5).round().clamp(0, 255).to(torch.uint8)
    if tensor.dtype == torch.float64:
        kind, numbers = "doubles", tensor
    elif torch.equal(levels.float() / 127.5 - 1, tensor):
        kind, numbers = "levels", levels
    else:
        kind, numbers = "floats", tensor.float()
    array = np.ascontiguousarray(numbers.numpy())
    return {"kind": kind, "shape": list(array.shape), **pack_bytes(array.tobytes())}


def pack_bytes(content: bytes) -> dict[str, str]:
    """Bytes for JSON, as static/files.js reads them."""
    return {"base64": base64.b64encode(gzip.compress(bytes(content), mtime=0)).decode()}
