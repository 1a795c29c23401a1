"""Exported lessons whose controls live without Python."""

import torch
from drawings import lesson_function

from diffusion_helpers import ddim, load_checkpoint, pure_noise
from diffusion_helpers.sampling import guided, with_end
from diffusion_helpers.text import STYLES
from diffusion_helpers.widgets.controls import Choice, Prompt, Seeds, Slider
from diffusion_helpers.words import load_words

# ---- what draws, beside Python ------------------------------------------------------------------


def test_lesson_00_creates_as_in_python(draws):
    lesson = {
        **{"ddim": ddim, "guided": guided, "pure_noise": pure_noise, "with_end": with_end},
        **{"demiurge": load_checkpoint("demiurge", "cpu"), "device": torch.device("cpu")},
        "words": load_words(),
    }
    create = lesson_function("00_start_here", "creation-live", "create", lesson)
    looks = {"any": None} | {style: style for style in STYLES}
    parts = {
        "wish": Prompt("a red aple"),
        "style": Choice(looks, start="noto"),
        "guidance": Slider(0, 10, start=3, step=0.5),
        "seeds": Seeds(),
    }
    draws(create, parts, [{}, {"wish": "", "style": 0, "guidance": 1, "seeds": [7, True]}])
