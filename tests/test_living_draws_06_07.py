"""What the pages of lessons 06 and 07 draw without Python, beside the lessons' own functions."""

import ast
import re

import pytest
import torch
import torch.nn.functional as F
from drawings import board_of, cell_source, lesson_function, lesson_parts, moves
from einops import einsum, rearrange, reduce, repeat

from diffusion_helpers import (
    add_noise,
    cosine_schedule,
    ddim,
    load_checkpoint,
    load_emoji,
    predict,
    pure_noise,
)
from diffusion_helpers.attention import capture_attention, changed_attention, effective_places
from diffusion_helpers.exercises import lesson_06
from diffusion_helpers.living import mirrors
from diffusion_helpers.sampling import guided, with_end
from diffusion_helpers.text import STYLES
from diffusion_helpers.twins import compare_colours, load_twins, with_frame
from diffusion_helpers.widgets.attention_maps import draw_attention, frame_place
from diffusion_helpers.words import load_words, split_words

LESSONS = {"06": "06_focus_of_thought", "07": "07_whisper_of_the_spell"}
NOISE = torch.rand(3, 32, 32, generator=torch.Generator().manual_seed(0)) * 2 - 1
PATCHES = torch.ones(3, 32, 32)  # eight of 64 places are alike, and so share an attention weight
PATCHES[:, 8:16, 4:20] = torch.tensor([0.6, -0.6, -0.7])[:, None, None]


# ---- the lessons ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def focus():
    """Globals of lesson 06."""
    lesson = {"torch": torch, "F": F, "einsum": einsum, "rearrange": rearrange, "reduce": reduce}
    lesson |= {"add_noise": add_noise, "ddim": ddim, "predict": predict, "pure_noise": pure_noise}
    lesson |= {"capture_attention": capture_attention, "changed_attention": changed_attention}
    lesson |= {"draw_attention": draw_attention, "frame_place": frame_place, "device": "cpu"}
    lesson |= {"effective_places": effective_places, "compare_colours": compare_colours}
    lesson |= {"with_frame": with_frame, "schedule": cosine_schedule(), "shares": lesson_06.shares}
    near, painter = (load_twins(attention, "cpu") for attention in (False, True))
    lesson["recorded"] = {"convolutions only": near, "with attention": painter}
    lesson["unets"] = {"attention": load_checkpoint("ladder_attention", "cpu")}
    images = load_emoji().images
    lesson |= {"painter": painter, "pairs": images[[7, 0, 0, 0, 300]]}  # two are shown first
    lesson["attend_once"] = function("06", "all-queries", "attend_once", lesson)
    return lesson | assigned("06", {"CHANGES": "break-twins", "LAYERS": "live-look"}, lesson)


@pytest.fixture(scope="module")
def whisper():
    """Globals of lesson 07."""
    lesson = {"torch": torch, "F": F, "re": re, "repeat": repeat, "rearrange": rearrange}
    lesson |= {"ddim": ddim, "guided": guided, "pure_noise": pure_noise, "with_end": with_end}
    lesson |= {"capture_attention": capture_attention, "split_words": split_words, "STYLES": STYLES}
    lesson |= {"words": load_words(), "emoji": load_emoji(), "device": "cpu"}
    lesson |= {name: load_checkpoint(name, "cpu") for name in ("demiurge", "swift")}
    for name, cell in {"my_words": "split", "my_vectors": "split", "paint": "watch-live"}.items():
        lesson[name] = function("07", cell, name, lesson)
    cells = {"ARTISTS": "first-live", "LAYERS": "watch-live"}
    cells |= dict.fromkeys(("names", "meanings", "blank"), "search-live")
    return lesson | assigned("07", cells, lesson)


def function(lesson, cell, name, lesson_globals):
    return lesson_function(LESSONS[lesson], cell, name, lesson_globals)


def assigned(lesson, cells, lesson_globals):
    """What cells of a lesson give to names; `cells` is {name: cell}."""
    values = {}
    for name, cell in cells.items():
        (value,) = [
            node.value
            for node in ast.parse(cell_source(LESSONS[lesson], cell)).body
            if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == name
        ]
        values[name] = eval(ast.unparse(value), lesson_globals | values)
    return values


def both(lesson, cell, name, lesson_globals):
    """A drawing function of a lesson, and the controls beside it."""
    draw = function(lesson, cell, name, lesson_globals)
    return draw, lesson_parts(LESSONS[lesson], cell, draw)


# ---- lesson 06 -----------------------------------------------------------------------------------


def test_lesson_06_looks_by_colour(draws, focus):
    draw, parts = both("06", "live-toy", "look_by_colour", focus)
    drawn = [
        {"your_picture": board_of(picture), "x": x, "y": y, "sharpness": sharpness}
        for picture in (NOISE, PATCHES, torch.zeros(3, 32, 32))
        for x, y, sharpness in ((2, 2, 60), (7, 0, 1))
    ]
    draws(draw, parts, [*moves(parts), *drawn])


def test_lesson_06_looks_inside(draws, focus):
    draw, parts = both("06", "live-look", "look_inside", focus)
    drawn = {"your_picture": board_of(NOISE), "x": 5, "t": 700, "layer": 0, "head": 2}
    draws(draw, parts, [{}, {"t": 0, "layer": 1}, drawn, {"t": 999, "x": 7, "seed": 2**31 - 1}])


@pytest.mark.slow
def test_lesson_06_looks_inside_everywhere(draws, focus):
    draw, parts = both("06", "live-look", "look_inside", focus)
    draws(draw, parts, moves(parts, 20))


def test_lesson_06_paints_with_changed_weights(draws, focus):
    draw, parts = both("06", "live-break", "paint", focus)
    draws(draw, parts, [{"weights": i, "seed": 7 * i} for i in (1, 2, 3)])  # the others need less


@pytest.mark.slow
def test_lesson_06_paints_many_scenes(draws, focus):
    draw, parts = both("06", "live-break", "paint", focus)
    draws(draw, parts, [*moves(parts, 20), {"weights": 4}])


# ---- lesson 07 -----------------------------------------------------------------------------------


def test_lesson_07_creates(draws, whisper):
    draw, parts = both("07", "first-live", "creation", whisper)
    slow = {"network": 1, "steps": 1}
    unknown = {"prompt": "a red aple", "style": 0, "guidance": 1, "seeds": [7, True]}
    draws(draw, parts, [slow, unknown | slow, unknown | {"guidance": 7.5}, {"steps": 4}])


@pytest.mark.slow
def test_lesson_07_creates_whole_pictures(draws, whisper):
    draw, parts = both("07", "first-live", "creation", whisper)
    tree = {"prompt": "зелёное дерево", "guidance": 10, "steps": 50}
    draws(draw, parts, [{"network": 1}, tree | {"network": 1}, *moves(parts)])


# Two names whose vectors are equal but for rounding may change places; none is near these.
PROMPTS = ["a red aple", "zzzzzz", "🍎", "the Cat's whiskers", "щено́к"]
PROMPTS += ["the cat " * 9, "no apple"]


def test_lesson_07_finds_by_meaning(draws, whisper):
    draw, parts = both("07", "search-live", "find", whisper)
    draws(draw, parts, [{}, *({"prompt": prompt} for prompt in PROMPTS)])


def test_lesson_07_maps_attention(draws, whisper):
    draw, parts = both("07", "watch-live", "attention_map", whisper)
    draws(draw, parts, [{"prompt": "the red aple and a big green 🚀 cat", "layer": 1, "seed": 3}])


@pytest.mark.slow
@pytest.mark.parametrize("move", [{}, {"prompt": "", "style": 0}, {"prompt": "cat " * 20}])
def test_lesson_07_maps_attention_of_many_prompts(draws, whisper, move):
    draw, parts = both("07", "watch-live", "attention_map", whisper)
    draws(draw, parts, [move])


# At guidance 0 only the other prompt is heard, at half the cost.
@pytest.mark.parametrize(
    "move",
    [
        {"prompt": "aple", "not_this": "a red aple", "guidance": 0, "seed": 2},
        pytest.param({}, marks=pytest.mark.slow),
        pytest.param({"guidance": 7.5, "style": 0}, marks=pytest.mark.slow),
    ],
    ids=["other prompt alone", "start", "strong"],
)
def test_lesson_07_leads_away(draws, whisper, move):
    draw, parts = both("07", "negative-live", "away", whisper)
    draws(draw, parts, [move])


# ---- what a reader changed -----------------------------------------------------------------------


def changed(lesson, name):
    """Something of the reader's own in place of what a lesson's global `name` holds."""
    value = lesson[name]
    if name == "CHANGES":
        return value | {"evenly": lambda w: w.mean(-1, keepdim=True).expand_as(w) / 2}
    if isinstance(value, dict):
        return value | {next(iter(value)): "mine"}
    if isinstance(value, list):
        return value[:-1]
    if isinstance(value, torch.nn.Module):
        return torch.nn.Linear(1, 1)
    return lambda *_: None


@pytest.mark.parametrize(
    "lesson, cell, draw, name, reason",
    [
        ("06", "live-toy", "look_by_colour", "attend_once", mirrors.OWN_HELPER),
        ("06", "live-look", "look_inside", "LAYERS", mirrors.OWN_CHOICES),
        ("06", "live-look", "look_inside", "unets", mirrors.OWN_NETWORK),
        ("06", "live-break", "paint", "CHANGES", mirrors.OWN_CHOICES),
        ("06", "live-break", "paint", "painter", mirrors.OWN_NETWORK),
        ("06", "live-break", "paint", "recorded", mirrors.OWN_NETWORK),
        ("07", "first-live", "creation", "ARTISTS", mirrors.OWN_CHOICES),
        ("07", "first-live", "creation", "demiurge", mirrors.OWN_NETWORK),
        ("07", "first-live", "creation", "swift", mirrors.OWN_NETWORK),
        ("07", "search-live", "find", "my_words", mirrors.OWN_HELPER),
        ("07", "search-live", "find", "names", mirrors.OWN_CHOICES),
        ("07", "watch-live", "attention_map", "LAYERS", mirrors.OWN_CHOICES),
        ("07", "watch-live", "attention_map", "paint", mirrors.OWN_HELPER),
        ("07", "negative-live", "away", "demiurge", mirrors.OWN_NETWORK),
    ],
)
def test_what_a_reader_changed_keeps_a_drawing_in_python(
    focus, whisper, lesson, cell, draw, name, reason
):
    known = {"06": focus, "07": whisper}[lesson]
    own = function(lesson, cell, draw, known | {name: changed(known, name)})
    with pytest.raises(ValueError, match=f"^{re.escape(reason)}$"):
        mirrors.living_part(own)
