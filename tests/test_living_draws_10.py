"""What the page of workshop 10 draws without Python, beside the workshop's own functions."""

import pytest
from drawings import lesson_function, lesson_parts, moves

from diffusion_helpers import ddim, load_checkpoint, pure_noise
from diffusion_helpers.sampling import guided
from diffusion_helpers.text import STYLES
from diffusion_helpers.words import load_words

LESSON = "10_fewer_steps"


@pytest.fixture(scope="module")
def swiftly():
    """Globals of the workshop."""
    lesson = {"ddim": ddim, "guided": guided, "pure_noise": pure_noise, "words": load_words()}
    lesson |= {"ARTISTS": {"any": None} | {style: style for style in STYLES}, "STYLES": STYLES}
    networks = {name: load_checkpoint(name, "cpu") for name in ("demiurge", "swift")}
    return lesson | networks | {"device": "cpu"}


def both(cell, name, lesson):
    draw = lesson_function(LESSON, cell, name, lesson)
    return draw, lesson_parts(LESSON, cell, draw)


def test_workshop_10_draws_with_both(draws, swiftly):
    draw, parts = both("first-live", "side_by_side", swiftly)
    draws(draw, parts, [{"guidance": 1, "prompt": "синий кит"}])


def test_workshop_10_draws_in_any_number_of_steps(draws, swiftly):
    draw, parts = both("edge-live", "edge", swiftly)
    draws(draw, parts, [{"steps": 1}, {"steps": 7, "guidance": 6, "seeds": [3, True]}])


@pytest.mark.slow
def test_workshop_10_draws_all(draws, swiftly):
    for cell, name in (("first-live", "side_by_side"), ("edge-live", "edge")):
        draw, parts = both(cell, name, swiftly)
        draws(draw, parts, moves(parts))
