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
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn

from ..checkpoints import load_checkpoint
from ..data import read_data
from ..languages import marked
from ..languages.notebooks import english_source, said_in
from ..pocket import STYLES as POCKET_STYLES
from ..pocket import load_pocket
from ..text import STYLES
from ..twins import load_twins
from .files import TWINS

OWN_FUNCTION = marked("its drawing function is not the course's")
OWN_NETWORK = marked("its network is your own")
OWN_HELPER = marked("it calls a function that is not the course's")
OWN_CHOICES = marked("it chooses from what is not the course's")
OWN_SCHEDULER = marked("its scheduler is your own")


@dataclass(frozen=True)
class Mirror:
    """What a page needs to draw without Python.

    draw    the name of the function in static/draws/
    needs   networks by name, "words", or other files of data/; what a Choice offers by its name is
            loaded when it is chosen
    own     takes the globals of the function in Python and returns what else it draws with,
            {name: tensor}; raises ValueError, with the reason, where a page cannot have it
    """

    draw: str
    needs: tuple[str, ...] = ()
    own: Callable[[dict[str, Any]], dict[str, torch.Tensor]] = lambda _: {}


def shipped(lesson: dict[str, Any], **networks: str) -> None:
    """Raise ValueError unless these globals are networks of the course, `variable="name"`."""
    for variable, name in networks.items():
        _check_weights(lesson.get(variable), _shipped_weights(name))


def shipped_pocket(lesson: dict[str, Any]) -> dict[str, torch.Tensor]:
    """No numbers, or ValueError unless lesson 08's `pipe` is the pocket Stable Diffusion."""
    pipe, theirs = lesson.get("pipe"), _shipped_pocket()
    for part in ("text_encoder", "unet", "vae"):
        _check_weights(getattr(pipe, part, None), getattr(theirs, part).state_dict())
    scheduler = getattr(pipe, "scheduler", None)
    same_kind = type(scheduler) is type(theirs.scheduler)
    if not same_kind or dict(scheduler.config) != dict(theirs.scheduler.config):
        raise ValueError(OWN_SCHEDULER)
    return {}


def _check_weights(own, theirs):
    weights = own.state_dict() if isinstance(own, nn.Module) else {}
    if weights.keys() != theirs.keys() or not all(
        torch.equal(weights[key].detach().cpu(), theirs[key]) for key in theirs
    ):
        raise ValueError(OWN_NETWORK)


@functools.cache
def _shipped_weights(name):
    network = load_twins(TWINS[name], "cpu") if name in TWINS else load_checkpoint(name, "cpu")
    return network.state_dict()


@functools.cache
def _shipped_pocket():
    return load_pocket("cpu")


def unchanged(lesson: dict[str, Any], **functions: str) -> None:
    """Raise ValueError unless these globals are the lesson's own, `function="fingerprint"`."""
    for name, known in functions.items():
        try:
            source = inspect.getsource(lesson[name])
        except (KeyError, OSError, TypeError):
            source = ""
        if fingerprint(source) != known:
            raise ValueError(OWN_HELPER)


def equal(lesson: dict[str, Any], **values: Any) -> None:
    """Raise ValueError unless these globals have these values."""
    if any(lesson[name] != value for name, value in values.items()):
        raise ValueError(OWN_CHOICES)


def _said(number, values):
    """A dictionary of a lesson with its keys in the spoken language."""
    return {said_in(number, key): value for key, value in values.items()}


# ---- the tables, {sha256 of a function's source: its mirror} -------------------------------------


def _demiurge(lesson):
    shipped(lesson, demiurge="demiurge")
    return {}


def _both(lesson):
    shipped(lesson, swift="swift", demiurge="demiurge")
    return {}


LESSON_00 = {
    "5d0b69a34bcd55d0f4de9139728dc88a68dd1af21aa73483f092365836042075": Mirror(
        "create", ("swift", "demiurge"), _both
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


def _by_colour(lesson):
    attend_once = "dee54502a332ef155a21b58ad989058fe28b11a93590b0592abea0022e96894e"
    unchanged(lesson, attend_once=attend_once)
    return {}


def _inside(lesson):
    bottom, down = "bottom.focus.attention", "down.2.0.focus.attention"
    equal(lesson, LAYERS=_said("06", {"at the bottom": bottom, "on the way down": down}))
    shipped(lesson["unets"], attention="ladder_attention")
    return {"alpha_bar": lesson["schedule"].alpha_bar}


def _changes(lesson):
    weights = torch.rand(2, 1, 3, 3)
    wanted = {
        "as trained": weights,
        "another picture": weights.flip(0),
        "evenly": torch.full_like(weights, 1 / 3),
        "self": torch.eye(3).expand_as(weights),
        "nothing": torch.zeros_like(weights),
    }
    made = {name: change(weights) for name, change in lesson["CHANGES"].items()}
    wanted = _said("06", wanted)
    if made.keys() != wanted.keys() or not all(torch.equal(made[n], wanted[n]) for n in wanted):
        raise ValueError(OWN_CHOICES)
    shipped(lesson, painter="twins_attention")
    shipped(lesson["recorded"], **_said("06", {"convolutions only": "twins_near"}))
    return {}


LESSON_06 = {
    "1a0f8d0fd34e02f0eeacec0aa4e2031c709ddc492de79ba4b144b3bedb84e51e": Mirror(
        "look_by_colour", (), _by_colour
    ),
    "b8e917c208adf189d20bef3eb42a76c7bf09caf432b3e5e5899b348fab619340": Mirror(
        "look_inside", ("ladder_attention",), _inside
    ),
    "5fe8bdf78e74cbb272ddf359466dddfd3936d8ce8edd1da5ef4ffc6bfbce301c": Mirror(
        "paint_twins", ("twins_attention", "twins_near"), _changes
    ),
}


def _artists(lesson):
    equal(lesson, ARTISTS=_said("07", {"any": None} | {style: style for style in STYLES}))
    return _demiurge(lesson)


def _both_artists(lesson):
    return _artists(lesson) | _both(lesson)


def _names(lesson):
    my_words = "47b43a14a38697cb5d9e5d8d536ec4c993389083cf6a66fe7ee68acbe29d72c9"
    my_vectors = "3a699ae65ca3241a603430ca6026d1f54fa03a7857e33712f717c15940382b7e"
    unchanged(lesson, my_words=my_words, my_vectors=my_vectors)
    index = json.loads(read_data("emoji/emoji.json"))
    named = {concept["hexcode"]: concept["name"] for concept in index["concepts"]}
    equal(lesson, names=[named[hexcode] for hexcode in index["order"]["noto"]])
    return {}


def _maps(lesson):
    up, down = "up.1.0.listen.attention", "down.1.0.listen.attention"
    equal(lesson, LAYERS=_said("07", {"16x16, on the way up": up, "16x16, on the way down": down}))
    paint = "31c2c1fa62ca395c55d5a2fa391e34e24e10ab1b453f100583e6f0ff3afb120c"
    unchanged(lesson, paint=paint)
    return _artists(lesson)


LESSON_07 = {
    "2ae82ba8e5c8694fb0558aa15a809c965e4c53d173d346e08ffa24f1a8393c41": Mirror(
        "creation", ("swift", "demiurge"), _both_artists
    ),
    "43de038c1f0fcbf43b7acdfac72e0dd18da845b0bf8e16fa728e0543e9c45cd0": Mirror(
        "find", ("words", "emoji/noto_32.webp"), _names
    ),
    "60af34592772f1e86f72de19f7e927cc26cd6eef6453d3768ba1e97bf2f89cee": Mirror(
        "attention_map", ("demiurge",), _maps
    ),
    "85c5bc3217313bdf18ce46aff4bb18de18a19c5fbb35ce4c776a185cbaad2c06": Mirror(
        "away", ("demiurge",), _artists
    ),
}


def _three_hands(lesson):
    names = {"any": None} | {style: style for style in POCKET_STYLES}
    equal(lesson, STYLE_NAMES=_said("08", names))
    return shipped_pocket(lesson)


def _painted(lesson):
    paint = "f680d0a2c8524835ea256b527ddf3da4b4e92d0431f2718d63d7ed42c715924a"
    unchanged(lesson, paint=paint)
    return _three_hands(lesson)


DECODED = {"to_pictures": "1077c5a412844f25ef1f8141c6eb010142ef99bf5a402e41fad3f82f1825810b"}


def _ten_emoji(lesson):
    to_latents = "570e63565349f783b13ea19d22574556c4dd4cf95b2ba1b68a331993ce147d35"
    unchanged(lesson, to_latents=to_latents, **DECODED)
    rows = {name: lesson["row_of"](name, "noto") for name in lesson["TEN"]}
    return shipped_pocket(lesson) | {n: lesson["emoji"].images[row] for n, row in rows.items()}


def _ten_lines(lesson):
    encode_prompts = "db9396aa7fef03e6b4ae29b7967c55bc887b2843cfc391ee4e7e2334a98a82f0"
    with_guidance = "4a6b894c4b96a1d38a77ed3e4d157ad7320df737796c4f892611f3f982fdcef4"
    unchanged(lesson, encode_prompts=encode_prompts, with_guidance=with_guidance, **DECODED)
    return _three_hands(lesson)


LESSON_08 = {
    "66c114c5b83a9f76ae7d9d3732261de763f2d31d49582836c742fb65adedace7": Mirror(
        "first", ("pocket",), _painted
    ),
    "7892c832bc02b03a225f72e2c39a7f8ae4ec803d2c0f311d2697c65e4860e801": Mirror(
        "without_channels", ("pocket",), _ten_emoji
    ),
    "7dcd90f7958482ae8799788dc78c6628618e52ec1e78a71435aab0553ceb91e8": Mirror(
        "creation_latent", ("pocket",), _ten_lines
    ),
    "f5597c6f93624593069f31d6b75ce622396dc13a61d63f34604c41d850c3b385": Mirror(
        "from_sketch", ("pocket",), _three_hands
    ),
}
LESSON_09: dict[str, Mirror] = {}


def _two_hands(lesson):
    equal(lesson, ARTISTS=_said("10", {"any": None} | {style: style for style in STYLES}))
    shipped(lesson, demiurge="demiurge", swift="swift")
    return {}


LESSON_10 = {
    "bbb0b61729bc3eedcdfe777416c5adec07bff7d8067c1c4c63d1fc5494aea38d": Mirror(
        "side_by_side", ("swift", "demiurge"), _two_hands
    ),
    "ed1c35b85a2c28f5351007ec111902b9c8ef64cc359c055989c28f2cec803c77": Mirror(
        "edge", ("swift",), _two_hands
    ),
}
MIRRORS = (
    *(LESSON_00, LESSON_01, LESSON_02, LESSON_03, LESSON_04, LESSON_05, LESSON_06, LESSON_07),
    *(LESSON_08, LESSON_09, LESSON_10),
)
FIRST_PAGE = {  # of the site: authoring/site/first_page.py
    "4304a10ce4f9ac7d64a109b855dffba2daa13b537369a055a7e208093f5d2012": Mirror(
        "create", ("swift", "demiurge")
    ),
    "f07c71aa167bbadb165ff9cb4eb7d30cc0be6c04f7b6d6f11785201ca72e74de": Mirror(
        "sheet", ("swift", "demiurge")
    ),
    "12a47e759fa7289b41b15ba987ddafdc0434e4e22929a8dbe476fbf328547b10": Mirror(
        "morph", ("swift", "demiurge")
    ),
}
# Functions that no page can have: their network was trained by a cell, or they keep files.
TRAINED_HERE = marked("its network was trained in this lesson")
KEEPS_FILES = marked("it keeps your drawings beside the notebook")
ONLY_PYTHON = {  # {sha256: the reason}
    "4427a53fbda2196fc415f987cce1b233a22b2a5e94bf06246fb03afa9dad3dcf": TRAINED_HERE,  # 02 hold
    "e3a538e41534cf04097d98a396b2f8b0b4d52189ab0df4efe9ac3cb475a040d8": TRAINED_HERE,  # 03 one_look
    "43860af648a92763912fa65e9f35054bd401e58bdf4bc3ff3b6cfd0b2a8b26ac": KEEPS_FILES,  # 09 draw
    "7076fdc24ccf62e9442c33ca966993aeba7a55248189e53dd44b2ae8213f0041": TRAINED_HERE,  # 09 say_it
    "ee120f70d53a589773444c9ad8efd796e22cfae0a394a4781fa444928f286083": TRAINED_HERE,  # 09 mix
}


# ---- what a page gets ----------------------------------------------------------------------------


def fingerprint(source: str) -> str:
    """By which the tables know a function: the sha256 of its English source, without what is
    around it."""
    return hashlib.sha256(english_source(source).encode()).hexdigest()


def mirror_of(source: str) -> Mirror:
    """The row of the function with this source. Raises ValueError, with the reason, for none."""
    name = fingerprint(source)
    if name in ONLY_PYTHON:
        raise ValueError(ONLY_PYTHON[name])
    for table in (*MIRRORS, FIRST_PAGE):
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
        kind, numbers = "levels", levels.movedim(-3, -1)  # a pixel's colours together pack smaller
    else:
        kind, numbers = "floats", tensor.float()
    array = np.ascontiguousarray(numbers.numpy())
    return {"kind": kind, "shape": list(tensor.shape), **pack_bytes(array.tobytes())}


def pack_bytes(content: bytes) -> dict[str, str]:
    """Bytes for JSON, as static/files.js reads them."""
    # 6: the most, 9, takes six times as long and saves a hundredth
    return {"base64": base64.b64encode(gzip.compress(bytes(content), 6, mtime=0)).decode()}
