"""Pages without Python in Firefox: what the tests say of them in Chromium holds there, too.

It needs Firefox (`apt install firefox-esr` on Debian), and is skipped without it.
"""

import base64
import io

import firefox
import numpy as np
import pytest
from drawings import in_python, serve
from PIL import Image
from test_living import (  # noqa: F401  (fixtures, and the tests that have a page to run in)
    float32,
    site,
    test_a_page_draws_whole_pictures_as_pytorch_does,
    test_any_prompt_has_the_same_words_and_rows,
    test_attention_weights_are_those_of_the_layer_with_that_name,
    test_controls_do_not_wait_for_each_other_and_trouble_is_one_sentence,
    test_prompts_have_the_same_words_and_rows,
    test_schedules_and_levels_are_the_same,
    test_the_dice_are_those_of_pytorch,
    test_the_newest_request_wins,
    test_what_is_not_heard_is_said_in_the_same_words,
    worker,
)
from test_living_pages import PARTS, creation, exported, notebook  # noqa: F401

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not firefox.find(), reason="no Firefox: apt install firefox-esr"),
]


@pytest.fixture(scope="module")
def tab():
    with firefox.firefox() as tab:
        yield tab


@pytest.fixture(scope="module")
def page(site, tab):  # noqa: F811
    """As in test_living.py: evaluates JavaScript in the page, with one argument."""
    tab.goto(f"{site[0]}/page.html")
    yield tab.evaluate
    tab.check_quiet()


# ---- the controls of an exported page -----------------------------------------------------------

PANEL = ".live .panel"
BOX, GUIDANCE = f"{PANEL} [type=text]", f"{PANEL} [type=range]"
STYLES, FOUR = f"{PANEL} [role=radiogroup] label", f"{PANEL} label:has([type=checkbox])"
PLACE = """([selector, nth]) => {
  const part = document.querySelectorAll(selector)[nth];
  part.scrollIntoView({ block: "center" });
  const { x, y, width, height } = part.getBoundingClientRect();
  return [x, y, width, height];
}"""
FRAME = "await new Promise(requestAnimationFrame);"
AWAKE = f"""async (n) => {{
  while (document.querySelectorAll(".sculptor.live").length < n) {FRAME}
}}"""
# The pictures and what is said, once nothing is computed any more and the caption begins so.
SETTLED = """async (words) => {
  const card = document.querySelector(".live");
  const said = (part) => card.querySelector(part).textContent;
  const there = () => said(".last .caption").startsWith(words) || said(".trouble");
  while (card.querySelector("[aria-busy=true]") || !there()) FRAME
  const pictures = [...card.querySelectorAll(".drawn canvas")].map((canvas) => canvas.toDataURL());
  return { caption: said(".last .caption"), trouble: said(".trouble"), pictures };
}""".replace("FRAME", FRAME)


class Hand:
    """On the first live control of the page, with a real mouse and real keys."""

    def __init__(self, tab):
        self.tab = tab
        tab.evaluate(AWAKE, 2)

    def click(self, selector, nth=0):
        x, y, width, height = self.tab.evaluate(PLACE, [selector, nth])
        self.tab.drag((x + width / 2, y + height / 2))

    def drag(self, selector, end):
        """A slider's handle goes from the left end to this share of its way."""
        x, y, width, height = self.tab.evaluate(PLACE, [selector, 0])
        shares = np.linspace(0, end, 12)
        self.tab.drag(*((x + 8 + (width - 16) * share, y + height / 2) for share in shares))

    def check(self, create, words, **chosen):
        """What is seen for these choices is what Python draws, within 1 of 255 levels."""
        values = {name: part.spec()["start"] for name, part in PARTS.items()} | chosen
        wanted = in_python(create, PARTS, values)[-1]
        got = self.tab.evaluate(SETTLED, words)
        assert (got["caption"], got["trouble"]) == (wanted["caption"], "")
        for picture, pixels in zip(got["pictures"], wanted["pixels"], strict=True):
            with Image.open(io.BytesIO(base64.b64decode(picture.partition(",")[2]))) as image:
                seen = np.array(image.convert("RGB")).astype(int)
            assert np.abs(seen - pixels).max() <= 1


@pytest.mark.parametrize("where", ["file", "http"])
def test_the_controls_of_a_page_answer_mouse_and_keys(tab, exported, creation, where):  # noqa: F811
    files = {"/page.html": exported.read_bytes()}
    files |= {f"/packs/{pack.name}": pack.read_bytes() for pack in exported.parent.glob("packs/*")}
    create = creation[1]
    with serve(files) as address:
        tab.goto(f"{address}/page.html" if where == "http" else exported.as_uri())
        hand = Hand(tab)
        hand.click(BOX)
        for key in ("End", *" on fire"):
            tab.press(key)
        chosen = {"wish": "a red apple on fire"}
        hand.check(create, f"{chosen['wish']}, finished", **chosen)
        hand.drag(GUIDANCE, 1)
        tab.press("ArrowLeft")
        chosen["guidance"] = 9.5
        hand.check(create, chosen["wish"], **chosen)
        hand.click(STYLES, 2)
        chosen["style"] = 2
        hand.check(create, chosen["wish"], **chosen)
        hand.click(FOUR)
        chosen["seeds"] = [0, True]
        hand.check(create, chosen["wish"], **chosen)
        tab.check_quiet()


BLOB = """async () => { // the bytes of the file that "Save animation" makes
  let made;
  const address = URL.createObjectURL;
  URL.createObjectURL = (blob) => {
    if (blob.type.startsWith("image/")) made = blob;
    return address(blob);
  };
  const all = [...document.querySelectorAll(".live button")];
  all.find(({ textContent }) => textContent === "Save animation").click();
  while (!made) await new Promise(requestAnimationFrame);
  const reader = new FileReader();
  await new Promise((go) => { reader.onload = go; reader.readAsDataURL(made); });
  return reader.result.split(",")[1];
}"""


def test_an_animation_is_saved_there_too(tab, exported):  # noqa: F811
    tab.goto(exported.as_uri())
    Hand(tab)
    with Image.open(io.BytesIO(base64.b64decode(tab.evaluate(BLOB)))) as film:
        assert film.format == "PNG" and film.n_frames == 1 + 21
