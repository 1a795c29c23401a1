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
OWN_HELPER = "it calls a function that is not the course's"


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


def unchanged(lesson: dict[str, Any], **functions: str) -> None:
    """Raise ValueError unless these globals are the lesson's own, `function="fingerprint"`."""
    for name, known in functions.items():
        try:
            source = inspect.getsource(lesson[name])
        except (KeyError, OSError, TypeError):
            source = ""
        if fingerprint(source) != known:
            raise ValueError(OWN_HELPER)


# ---- the tables, {sha256 of a function's source: its mirror} -------------------------------------


def _demiurge(lesson):
    shipped(lesson, demiurge="demiurge")
    return {}


LESSON_00 = {
    "4f601ff5ac13cdace1f950835a518cbd929ceb2394be2e57c07efbd89cc00ed6": Mirror(
        "create", ("demiurge",), _demiurge
    ),
}


def _ideal_eye(lesson):
    return {"gallery": lesson["gallery"]} | lesson["schedules"]


LESSON_01 = {
    "bfadb08bb8b40a5f6e3e153cb98533ffe3b7df4ca0e097a238280e3de908065c": Mirror(
        "noisy", (), _ideal_eye
    ),
}
LESSON_02: dict[str, Mirror] = {}


def _noisy_faces(lesson):
    return {"faces": lesson["faces"], "alpha_bar": lesson["schedule"].alpha_bar}


def _turning_faces(lesson):
    velocity_of = "7c78159f831185256d4c1c941e049f292c9ddfd06c622a3585da319006162914"
    unchanged(lesson, velocity_of=velocity_of)
    return {"faces": lesson["faces"]}


LESSON_03 = {
    "a6bb8f410d35b425cdabb8ac02f7a455ba610a8a1a729447996f8f6078355171": Mirror(
        "question", (), _noisy_faces
    ),
    "eb8637ccee507509ea1fc665e44802f23453a69ea4f9df6a860019ef5ffb9da4": Mirror(
        "around_the_circle", (), _turning_faces
    ),
}


def _two_runs(lesson):
    agreement = "d7c7f83ff040b51ccbfe28ced11c95df01bfde85a816c053f50ac4aff9804d12"
    grain = "6134859c9a50b3e128ee3c2adced6b89a7471728abdb4d7e822cda288e3cfa6e"
    unchanged(lesson, agreement=agreement, grain=grain)
    shipped(lesson, apprentice="apprentice")
    return {"average": lesson["average"]}


def _from_a_sketch(lesson):
    predict = "1e112c9b3afddf46e3a034cb822a89037b01587c5e99db580c143bc58b76ac0b"
    levels = "e8fef059a507a6f2e47ae7abb2e470f69935053aa3d43107b25eaa8abefeb842"
    unchanged(lesson, predict=predict, levels=levels)
    shipped(lesson, apprentice="apprentice")
    return {"alpha_bar": lesson["alpha_bar"]}


LESSON_04 = {
    "acfcf980548149ecc8c266d432e64d43a3151b397c3610d8137919059eff2e93": Mirror(
        "create_twice", ("apprentice",), _two_runs
    ),
    "af5e40a219cf9ec1757f7c24a1eabba3f9ae849fac90e5dc641b8818c4df4865": Mirror(
        "half_finished", ("apprentice",), _from_a_sketch
    ),
}


def _noisy_emoji(lesson):
    return {"unseen": lesson["unseen"], "alpha_bar": lesson["schedule"].alpha_bar}


def _told_emoji(lesson):
    predict_once = "052244228097f2dcab90226b5f63a1f9e31e8272d6828b0dbf98c012c539effd"
    unchanged(lesson, predict_once=predict_once)
    shipped(lesson, seeing="ladder_time")
    return _noisy_emoji(lesson)


LESSON_05 = {
    "e0f2385cd2124e31cc8bfc3435b18b55f0295ef53055b60db128a9315fec2047": Mirror(
        "how_noisy", (), _noisy_emoji
    ),
    "024f7a771b02dde0c3ba1f3af0c1b3ba37dc95a06736a6b034aef23f8770777b": Mirror(
        "knobs", (), _noisy_emoji
    ),
    "9ef4d570ef8edae6655ccff5590b4cb135e92b6934e0b0514693908653afbdde": Mirror(
        "two_clocks", ("ladder_time",), _told_emoji
    ),
}
LESSON_06: dict[str, Mirror] = {}
LESSON_07: dict[str, Mirror] = {}
LESSON_08: dict[str, Mirror] = {}
MIRRORS = (
    *(LESSON_00, LESSON_01, LESSON_02, LESSON_03, LESSON_04, LESSON_05, LESSON_06, LESSON_07),
    LESSON_08,
)
# Functions that no page can have, because they draw with a network that a cell has just trained.
TRAINED_HERE = "its network was trained in this lesson"
ONLY_PYTHON = {  # {sha256: the reason}
    "da6d14b7263d2f7543cba869ef70d35dada3c4974c392cc90c1927b689d4b0d6": TRAINED_HERE,  # 02 hold
    "e3a538e41534cf04097d98a396b2f8b0b4d52189ab0df4efe9ac3cb475a040d8": TRAINED_HERE,  # 03 one_look
}


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
        own = pack_own(mirror, inspect.unwrap(draw).__globals__)
    except (OSError, TypeError, KeyError, AttributeError):  # no source, or other things around it
        raise ValueError(OWN_FUNCTION) from None
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
    elif tensor.ndim >= 3 and torch.equal(levels.float() / 127.5 - 1, tensor):
        kind, numbers = (
            "levels",
            levels.movedim(-3, -1),
        )  # a pixel's colours together: packs smaller
    else:
        kind, numbers = "floats", tensor.float()
    array = np.ascontiguousarray(numbers.numpy())
    return {"kind": kind, "shape": list(tensor.shape), **pack_bytes(array.tobytes())}


def pack_bytes(content: bytes) -> dict[str, str]:
    """Bytes for JSON, as static/files.js reads them."""
    # 6: the most, 9, takes six times as long and saves a hundredth
    return {"base64": base64.b64encode(gzip.compress(bytes(content), 6, mtime=0)).decode()}
