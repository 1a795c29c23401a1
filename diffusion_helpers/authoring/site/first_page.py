"""What a visitor sees first: a recorded creation plays, and a field for a wish waits below it.

The demiurge made the recording when the page was made. With the first click its student, swift, is
loaded into the browser and draws there while the visitor types; with another click, the demiurge.
play/play.js has what the page does, living/static/draws/play.js what it draws.
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
from ...languages import spoken, tr
from ...languages.javascript import in_scope
from ...living import pages
from ...recorded import swift_lost
from ...sampling import dpm_solver, guided, with_end
from ...text import STYLES
from ...widgets.controls import ASLEEP, SCRIPT, Choice, Prompt, Seed, Seeds, Slider, live
from ...widgets.figures import to_uint8
from ...widgets.html import CSS
from ...words import load_words
from ..readme import in_blocks

HERE = Path(__file__).with_name("play")
NOISE = 32  # steps of the recorded noise in 1; it reaches from -4 to 4
WIDE = 2  # so far beyond [-1, 1] a prediction may reach
SHARES = 11  # pictures of a morph: 0 %, 10 % ... of the second wish
NEEDS = ("swift", "demiurge")  # the first one draws until the other is chosen


@functools.cache
def _network(name):
    return load_checkpoint(name, "cpu"), load_words()


def wishes():
    """Those of the recording."""
    return tr("a red apple"), tr("синее сердце"), tr("a rocket"), tr("зелёное дерево")


def looks():
    """What a reader may choose as a style."""
    return {tr("any"): None} | {style: style for style in STYLES}


# ---- what draws; in the browser the same is done by living/static/draws --------------------------


def create(wish, style, network, guidance, seeds):
    net, words = _network(network)
    text, x_T = words.encode(wish, style), pure_noise(len(seeds), seed=seeds)
    wish = wish or tr("no wish")
    if network == "swift":  # all at once, so that the hand sees the picture change
        scale, heard = _hearing(guidance)
        *_, last = ddim(guided(net, text, scale=scale), x_T, 4)
        pictures = {tr("pure noise"): x_T, tr("the picture"): last.clean}
        yield pictures, tr("{}, finished in 4 calls", wish) + heard, 1
        return
    steps = ddim(guided(net, text, scale=guidance), x_T, 20)
    for i, step in enumerate(with_end(steps), start=1):  # at the end no noise is left
        pictures = {tr("the picture so far"): step.x_t, tr("predicted clean picture"): step.clean}
        yield pictures, _where(wish, i), i / 21


def _where(wish, i):
    return tr("{}, step {} of 20", wish, i) if i <= 20 else tr("{}, finished", wish)


def sheet(wish, network, guidance, seed):
    net, words = _network(network)
    text, wish = words.encode([wish] * len(STYLES), list(STYLES)), wish or tr("no wish")
    chaos = pure_noise(1, seed=seed).repeat(len(STYLES), 1, 1, 1)  # the same for all
    if network == "swift":
        scale, heard = _hearing(guidance)
        *_, last = ddim(guided(net, text, scale=scale), chaos, 4)
        yield dict(zip(STYLES, last.clean)), tr("{}, finished in 4 calls", wish) + heard, 1
        return
    for i, step in enumerate(with_end(ddim(guided(net, text, scale=guidance), chaos, 20)), start=1):
        yield dict(zip(STYLES, step.x_t)), _where(wish, i), i / 21


def morph(first_wish, second_wish, style, network, guidance, seed):
    net, words = _network(network)
    heard, looks = "", [style, style]
    if network == "swift":
        scale, heard = _hearing(guidance)
        texts = words.encode([first_wish, second_wish], looks)
        with torch.no_grad():
            texts = net.encode_text(texts, guidance_scale=scale)
    else:
        texts = words.encode(["", first_wish, second_wish], [None, *looks])
    for k in range(SHARES):
        model, x_T = _mixed(net, texts, guidance, k / (SHARES - 1)), pure_noise(1, seed=seed)
        *_, last = ddim(model, x_T, 4) if network == "swift" else dpm_solver(model, x_T, 8)
        one, other = first_wish or tr("no wish"), second_wish or tr("no wish")
        shares = tr("{} % {}, {} % {}", 100 - 10 * k, one, 10 * k, other)
        yield {tr("between the two"): last.clean}, shares + heard, (k + 1) / SHARES


def _hearing(guidance):
    """What swift hears of a guidance scale, and what a caption adds where it is another."""
    heard = min(max(guidance, 1), 6)
    if heard == guidance:
        return heard, ""
    return heard, tr("; guidance {0} is heard as {1}", f"{guidance:g}", f"{heard:g}")


def _mixed(model, texts, guidance, share):
    """A network whose prediction lies between those for two wishes, the last two of `texts`.

    `share` is that of the last one. Where a text for no wish stands before them, `guidance` is
    done here; a distilled network has heard it with the two.
    """

    def mixed(x_t, t):
        n = len(texts.mask)
        *none, one, other = model(x_t.repeat(n, 1, 1, 1), t.repeat(n), texts).chunk(n)
        between = one + share * (other - one)
        return none[0] + guidance * (between - none[0]) if none else between

    mixed.predicts = model.predicts
    return mixed


def _controls():
    """The three controls of the page."""
    style, network = Choice(looks(), start="noto"), Choice(NEEDS)
    guidance = Slider(0, 10, start=3, step=0.5)
    return (
        live(
            create,
            wish=Prompt(tr("a red apple")),
            style=style,
            network=network,
            guidance=guidance,
            seeds=Seeds(),
            height=320,
            alt=tr("A picture emerges from noise while the network follows your wish"),
        ),
        live(
            sheet,
            wish=Prompt(tr("a strawberry")),
            network=network,
            guidance=guidance,
            seed=Seed(),
            height=192,
            alt=tr("One wish in six styles, from the same noise"),
        ),
        live(
            morph,
            first_wish=Prompt(tr("a red apple")),
            second_wish=Prompt(tr("a blue heart")),
            style=style,
            network=network,
            guidance=guidance,
            seed=Seed(),
            height=320,
            alt=tr("From one wish to another, in eleven pictures that begin as the same noise"),
        ),
    )


# ---- the recording ------------------------------------------------------------------------------


def recording():
    """The creation of `wishes`, all from the same noise, as a dict that is ready for JSON.

    It holds only that noise and the predicted clean pictures, of which play/play.js makes the
    pictures so far, as DDIM does. "noise" is x_T times NOISE, rounded; "predicted" has a row for
    each wish and a column for each step, all divided by WIDE; "rates" are those of each step.
    """
    demiurge, words = _network("demiurge")
    model = guided(demiurge, words.encode(list(wishes()), "noto"))
    x_T = pure_noise(1)
    *steps, end = with_end(ddim(model, x_T.repeat(len(wishes()), 1, 1, 1), 20))
    predicted = np.stack([to_uint8(step.clean / WIDE) for step in steps])
    rates = [[rate.item() for rate in cosine_schedule().rates(step.t, x_T)] for step in steps]
    noise = rearrange((x_T * NOISE).round().clamp(-127, 127).to(torch.int8), "1 c h w -> h w c")
    return {
        "wishes": wishes(),
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
    first, other = (pages.packs([network]) for network in NEEDS)
    parts = {
        "STYLE": (HERE / "play.css").read_text("utf-8"),
        "SCRIPT": in_scope((HERE / "play.js").read_text("utf-8")),
        "RECORDING": json.dumps(recording(), ensure_ascii=False),
        "CREATION": creation,
        "STYLES": styles,
        "BETWEEN": between,
        "MEGABYTES": _megabytes(first.values()),
        "LOST": swift_lost(),
        "MORE": _megabytes(other[name] for name in other.keys() - first.keys()),
    }
    alive = tr("Where JavaScript runs, this picture comes alive.")
    return _filled("play.html", parts).replace(CSS, "").replace(tr(ASLEEP), alive)


def _megabytes(packs):
    return f"{sum(map(len, packs)) / 1e6:.0f}"


def alone(top):
    """The HTML of a page with nothing but `top`, what `play` returned; packs/ lies beside it."""
    script = pages.inline(pages.page_script(NEEDS, SCRIPT))
    parts = {"TITLE": tr("Sculptor of Chaos"), "LANGUAGE": spoken().code}
    return _filled("alone.html", parts | {"STYLE": CSS, "PLAY": top, "SCRIPT": script})


def one_file(top):
    """The same with its packs inside, which draws when it is opened from a disk, too."""
    return pages.in_one_file(alone(top))


def _filled(template, parts):
    """A page of ours, in the spoken language, with `parts` where it says <!--NAME-->."""
    page = in_blocks((HERE / template).read_text("utf-8"))
    return re.sub("<!--([A-Z]+)-->", lambda place: parts[place[1]], page)
