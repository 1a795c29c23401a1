"""What a visitor sees first: a recorded creation plays, and a field for a wish waits below it.

The demiurge made the recording when the page was made. With the first click it is loaded into the
browser and draws there; play/play.js has what the page does, living/static/draws/play.js
what it draws.
"""

import base64
import functools
import io
import json
import re
from pathlib import Path

import numpy as np
import torch
from einops import rearrange
from PIL import Image

from ... import cosine_schedule, ddim, load_checkpoint, pure_noise
from ...living import pages
from ...sampling import dpm_solver, guided, with_end
from ...text import STYLES
from ...widgets.controls import ASLEEP, SCRIPT, Choice, Prompt, Seed, Seeds, Slider, live
from ...widgets.figures import to_uint8
from ...widgets.html import CSS
from ...words import load_words

HERE = Path(__file__).with_name("play")
WISHES = ("a red apple", "синее сердце", "a rocket", "зелёное дерево")  # of the recording
LOOKS = {"any": None} | {style: style for style in STYLES}
NOISE = 32  # steps of the recorded noise in 1; it reaches from -4 to 4
WIDE = 2  # so far beyond [-1, 1] a prediction may reach
SHARES = 11  # pictures of a morph: 0 %, 10 % ... of the second wish
NEEDS = ("demiurge",)
WHERE = "Where JavaScript runs, this picture comes alive."
TITLE = "Sculptor of Chaos"


@functools.cache
def _demiurge():
    return load_checkpoint("demiurge", "cpu"), load_words()


# ---- what draws; in the browser the same is done by living/static/draws --------------------------


def create(wish, style, guidance, seeds):
    demiurge, words = _demiurge()
    model = guided(demiurge, words.encode(wish, style), scale=guidance)
    steps = ddim(model, pure_noise(len(seeds), seed=seeds), 20)
    for i, step in enumerate(with_end(steps), start=1):  # at the end no noise is left
        pictures = {"the picture so far": step.x_t, "predicted clean picture": step.clean}
        where = f"step {i} of 20" if i <= 20 else "finished"
        yield pictures, f"{wish or 'no wish'}, {where}", i / 21


def sheet(wish, guidance, seed):
    demiurge, words = _demiurge()
    model = guided(demiurge, words.encode([wish] * len(STYLES), list(STYLES)), scale=guidance)
    chaos = pure_noise(1, seed=seed).repeat(len(STYLES), 1, 1, 1)  # the same for all
    for i, step in enumerate(with_end(ddim(model, chaos, 20)), start=1):
        where = f"step {i} of 20" if i <= 20 else "finished"
        yield dict(zip(STYLES, step.x_t)), f"{wish or 'no wish'}, {where}", i / 21


def morph(first_wish, second_wish, style, guidance, seed):
    demiurge, words = _demiurge()
    texts = words.encode(["", first_wish, second_wish], [None, style, style])
    for k in range(SHARES):
        model = _mixed(demiurge, texts, guidance, k / (SHARES - 1))
        *_, last = dpm_solver(model, pure_noise(1, seed=seed), 8)
        names = f"{first_wish or 'no wish'}, {10 * k} % {second_wish or 'no wish'}"
        yield {"between the two": last.clean}, f"{100 - 10 * k} % {names}", (k + 1) / SHARES


def _mixed(model, texts, guidance, share):
    """A guided network whose prediction lies between those for two wishes.

    `texts` are no wish and these two; `share` is that of the last one.
    """

    def mixed(x_t, t):
        none, one, other = model(x_t.repeat(3, 1, 1, 1), t.repeat(3), texts).chunk(3)
        return none + guidance * (one + share * (other - one) - none)

    mixed.predicts = model.predicts
    return mixed


def _controls():
    """The three controls of the page."""
    look = {"style": Choice(LOOKS, start="noto"), "guidance": Slider(0, 10, start=3, step=0.5)}
    return (
        live(
            create,
            wish=Prompt("a red apple"),
            **look,
            seeds=Seeds(),
            height=320,
            alt="A picture emerges from noise while the network follows your wish",
        ),
        live(
            sheet,
            wish=Prompt("a strawberry"),
            guidance=look["guidance"],
            seed=Seed(),
            height=192,
            alt="One wish in six styles, from the same noise",
        ),
        live(
            morph,
            first_wish=Prompt("a red apple"),
            second_wish=Prompt("a blue heart"),
            **look,
            seed=Seed(),
            height=320,
            alt="From one wish to another, in eleven pictures that begin as the same noise",
        ),
    )


# ---- the recording ------------------------------------------------------------------------------


def recording():
    """The creation of WISHES, all from the same noise, as a dict that is ready for JSON.

    It holds only that noise and the predicted clean pictures, of which play/play.js makes the
    pictures so far, as DDIM does. "noise" is x_T times NOISE, rounded; "predicted" has a row for
    each wish and a column for each step, all divided by WIDE; "rates" are those of each step.
    """
    demiurge, words = _demiurge()
    model = guided(demiurge, words.encode(list(WISHES), "noto"))
    x_T = pure_noise(1)
    *steps, end = with_end(ddim(model, x_T.repeat(len(WISHES), 1, 1, 1), 20))
    predicted = np.stack([to_uint8(step.clean / WIDE) for step in steps])
    rates = [[rate.item() for rate in cosine_schedule().rates(step.t, x_T)] for step in steps]
    noise = rearrange((x_T * NOISE).round().clamp(-127, 127).to(torch.int8), "1 c h w -> h w c")
    return {
        "wishes": WISHES,
        "rates": rates,
        "noise": base64.b64encode(noise.contiguous().numpy().tobytes()).decode(),
        "predicted": _webp(
            rearrange(predicted, "step wish h w c -> (wish h) (step w) c"), quality=85
        ),
        "finished": _webp(
            rearrange(to_uint8(end.clean), "wish h w c -> h (wish w) c"), lossless=True
        ),
    }


def _webp(array, **how):
    file = io.BytesIO()
    Image.fromarray(array).save(file, format="WEBP", method=6, **how)
    return f"data:image/webp;base64,{base64.b64encode(file.getvalue()).decode()}"


# ---- the page -----------------------------------------------------------------------------------


def play():
    """The top of the first page, as HTML that awaits the script of `living.pages`.

    Its controls need what is in NEEDS, and the style sheet of all controls.
    """
    creation, styles, between = (control.static_image() for control in _controls())
    parts = {
        "STYLE": (HERE / "play.css").read_text("utf-8"),
        "SCRIPT": (HERE / "play.js").read_text("utf-8"),
        "RECORDING": json.dumps(recording(), ensure_ascii=False),
        "CREATION": creation,
        "STYLES": styles,
        "BETWEEN": between,
        "MEGABYTES": f"{sum(map(len, pages.packs(NEEDS).values())) / 1e6:.0f}",
    }
    return _filled("play.html", parts).replace(CSS, "").replace(ASLEEP, WHERE)


def alone(top):
    """The HTML of a page with nothing but `top`, what `play` returned; packs/ lies beside it."""
    script = pages.inline(pages.page_script(NEEDS, SCRIPT))
    return _filled("alone.html", {"TITLE": TITLE, "STYLE": CSS, "PLAY": top, "SCRIPT": script})


def one_file(top):
    """The same with its packs inside, which draws when it is opened from a disk, too."""
    return pages.in_one_file(alone(top))


def _filled(template, parts):
    """A page of ours, with `parts` where it says <!--NAME-->."""
    page = (HERE / template).read_text("utf-8")
    return re.sub("<!--([A-Z]+)-->", lambda place: parts[place[1]], page)
