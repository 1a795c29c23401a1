"""What the pages of lessons 01 to 05 draw without Python, beside the lessons' own functions."""

import pytest
import torch
import torch.nn.functional as F
from drawings import board_of, lesson_function, lesson_parts, moves
from einops import rearrange

from diffusion_helpers import (
    add_noise,
    cosine_schedule,
    ddim,
    linear_schedule,
    load_checkpoint,
    load_emoji,
    pure_noise,
)
from diffusion_helpers.exercises import lesson_01, lesson_04
from diffusion_helpers.living import mirrors

LESSONS = {
    "01": "01_forward_noising",
    "03": "03_training",
    "04": "04_reverse_sampling",
    "05": "05_sense_of_time",
}
LEVELS = (torch.arange(3 * 32 * 32) % 256).float().reshape(3, 32, 32) / 127.5 - 1  # each of 256


@pytest.fixture(scope="module")
def few():
    """Some emoji, which stand for a lesson's many."""
    return load_emoji().images[::90]


@pytest.fixture(scope="module")
def apprentice():
    return load_checkpoint("apprentice", "cpu")


@pytest.fixture(scope="module")
def faces(few):
    """Globals of lesson 03."""
    lesson = {"faces": few, "schedule": cosine_schedule(), "add_noise": add_noise, "torch": torch}
    return lesson | {"velocity_of": function("03", "velocity", "velocity_of", {})}


@pytest.fixture(scope="module")
def unseen(few):
    """Globals of lesson 05."""
    lesson = {"unseen": few, "schedule": cosine_schedule(), "add_noise": add_noise}
    lesson |= {"torch": torch, "F": F, "device": "cpu"}
    lesson["seeing"] = load_checkpoint("ladder_time", "cpu")
    return lesson | {"predict_once": function("05", "pair", "predict_once", lesson)}


@pytest.fixture(scope="module")
def samplers(few, apprentice):
    """Globals of lesson 04."""
    lesson = {"torch": torch, "rearrange": rearrange, "pure_noise": pure_noise, "ddim": ddim}
    lesson |= {"apprentice": apprentice, "device": "cpu", "gallery": few}
    lesson |= {"alpha_bar": cosine_schedule().alpha_bar.float(), "ddim_step": lesson_04.ddim_step}
    lesson["average"] = few.mean(0, keepdim=True)
    cells = {"agreement": "possible", "grain": "measures", "predict": "build-look"}
    cells["levels"] = "build-ddpm"
    return lesson | {name: function("04", cell, name, lesson) for name, cell in cells.items()}


def function(lesson, cell, name, lesson_globals):
    return lesson_function(LESSONS[lesson], cell, name, lesson_globals)


def both(lesson, cell, name, lesson_globals):
    """A drawing function of a lesson, and the controls beside it."""
    draw = function(lesson, cell, name, lesson_globals)
    return draw, lesson_parts(LESSONS[lesson], cell, draw)


def test_lesson_01_covers_a_statue_and_asks_the_ideal_eye(draws, few):
    schedules = {"cosine": cosine_schedule(), "linear": linear_schedule()}
    lesson = {"statues": few, "gallery": few, "add_noise": lesson_01.add_noise, "torch": torch}
    lesson["schedules"] = {name: s.alpha_bar.float() for name, s in schedules.items()}
    draw, parts = both("01", "live-statue", "noisy", lesson)
    # at the very end of the cosine schedule all candidates are equal but for rounding
    hands = [move for move in moves(parts, 10) if move != {"t": 999}]
    hands += [{"t": 999, "schedule": 1}, {"t": 990, "schedule": 0}]
    draws(draw, parts, hands + [{"t": t, "your_statue": board_of(LEVELS)} for t in (0, 700)])


def test_lesson_03_shows_a_noisy_face_and_what_is_in_it(draws, faces):
    draw, parts = both("03", "live-question", "question", faces)
    draws(draw, parts, moves(parts, 10))


def test_lesson_03_turns_a_face_into_noise(draws, faces):
    draw, parts = both("03", "live-velocity", "around_the_circle", faces)
    draws(draw, parts, moves(parts, 15))


@pytest.mark.parametrize(
    "some",
    [
        [{"steps": 1}, {"eta": 0.55}],
        pytest.param(
            [{"steps": 20}, {"eta": 0.35, "steps": 20, "seed": 7}], marks=pytest.mark.slow
        ),
    ],
    ids=["short", "whole"],
)
def test_lesson_04_creates_twice(draws, samplers, some):
    draw, parts = both("04", "live-creation", "create_twice", samplers)
    draws(draw, parts, [{"steps": 2} | move for move in some])


@pytest.mark.parametrize(
    "some",
    [
        [{"start_at": 0}, {"start_at": 49}, {"start_at": 120, "seeds": [2**31 - 1, True]}],
        pytest.param([{}, {"start_at": 999, "seeds": [3, True]}], marks=pytest.mark.slow),
    ],
    ids=["short", "whole"],
)
def test_lesson_04_draws_from_a_sketch(draws, samplers, some):
    draw, parts = both("04", "live-half", "half_finished", samplers)
    draws(draw, parts, [*some, {"your_sketch": board_of(LEVELS), "start_at": 60}])


def test_lesson_05_hides_how_noisy_a_picture_is(draws, unseen):
    draw, parts = both("05", "live-guess", "how_noisy", unseen)
    draws(draw, parts, moves(parts, 10))


def test_lesson_05_turns_the_knobs(draws, unseen):
    draw, parts = both("05", "live-knobs", "knobs", unseen)
    draws(draw, parts, moves(parts, 10))


def test_lesson_05_tells_a_network_the_truth_and_a_lie(draws, unseen):
    draw, parts = both("05", "live-lie", "two_clocks", unseen)
    draws(draw, parts, moves(parts, 2))


# ---- what only Python can draw -------------------------------------------------------------------


@pytest.mark.parametrize(
    "lesson, cell, name",
    [("02_unet_anatomy", "live-bridges", "hold"), (LESSONS["03"], "live-look", "one_look")],
)
def test_a_network_of_the_lesson_stays_in_python(lesson, cell, name):
    with pytest.raises(ValueError, match=f"^{mirrors.TRAINED_HERE}$"):
        mirrors.living_part(lesson_function(lesson, cell, name, {}))


@pytest.mark.parametrize(
    "change, reason",
    [
        ({"grain": lambda x: 0.0}, mirrors.OWN_HELPER),
        ({"agreement": None}, mirrors.OWN_HELPER),
        ({"apprentice": torch.nn.Linear(1, 1)}, mirrors.OWN_NETWORK),
        ({"average": None}, mirrors.OWN_FUNCTION),
    ],
)
def test_what_a_reader_changed_around_it_keeps_a_drawing_in_python(samplers, change, reason):
    draw = function("04", "live-creation", "create_twice", samplers | change)
    with pytest.raises(ValueError, match=f"^{reason}$"):
        mirrors.living_part(draw)
