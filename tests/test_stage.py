"""The stage: where pictures and controls stand, and that they stay there, in light and dark.

Most of it is looked at on a plain page, on which the control's other half is a few lines of script
instead of Python. What JupyterLab adds (its boxes, themes, keys and kernels) is tried in there.
"""

import base64
import json

import nbformat
import pytest
import torch
from browser import jupyter_lab, open_and_run_all
from page_objects import TWO_FRAMES, check_accessible
from test_browser import notebook

from diffusion_helpers import load_emoji
from diffusion_helpers.sampling import Step
from diffusion_helpers.widgets.controls import (
    Choice,
    Drawing,
    Prompt,
    Seed,
    Slider,
    Switches,
    live,
)
from diffusion_helpers.widgets.html import CSS
from diffusion_helpers.widgets.scrubber import scrub_steps, scrubber

LONG = "a caption that goes on and on, as captions do where much is to be said, " * 6
BOXES = """(card) => Object.fromEntries(
  ["", ".panel", ".panel input", ".panel button", ".last button"].flatMap((part) =>
    (part ? [...card.querySelectorAll(part)] : [card]).map((element, i) => {
      const { x, y, width, height } = element.getBoundingClientRect(), top = card.offsetTop;
      return [`${part} ${i}`, [x, y + scrollY - top, width, height].map(Math.round)];
    })))"""
# The other half of a control: it shows what a test puts into its frame.
WAKE = """
const revive = (x) => x?.bytes !== undefined
  ? new DataView(Uint8Array.from(atob(x.bytes), (c) => c.charCodeAt(0)).buffer)
  : Array.isArray(x) ? x.map(revive)
  : x && typeof x === "object"
    ? Object.fromEntries(Object.entries(x).map(([k, v]) => [k, revive(v)])) : x;
window.models = revive(STATES).map((state, i) => {
  let heard = () => {};
  const model = {
    get: (name) => state[name], off() {}, send() {},
    on: (what, hear) => { if (what === "change:frame") heard = hear; },
    answer: (news) => { state.frame = { ...state.frame, ...news }; heard(); },
  };
  control.render({ model, el: document.querySelector(`#live-${i}`) });
  return model;
});
window.more = (i, n) => { // n pictures instead of those that were there
  const { columns, pixels } = models[i].get("frame");
  models[i].answer({
    columns: Array.from({ length: n }, (_, k) => ({ ...columns[0], name: `${k} word` })),
    pixels: Array(n).fill(pixels[0]),
  });
};
"""


def spell(prompt, not_this, style, guidance, seed, pictures=2):
    x = load_emoji().images
    names = ["the picture so far", "the predicted clean picture of this step", "third", "fourth"]
    return {name: x[i] for i, name in zip(range(pictures), names)}, f"{prompt}, done"


def draw(board, x, marks):
    return {"noisy": board, "cleaned": board}, "error 0.013"


def numbers(emoji_number):
    return {"picture": load_emoji().images[emoji_number]}, f"number {emoji_number}"


def controls():
    word = {"prompt": Prompt("a red apple", longest=30), "not_this": Prompt("a cat")}
    style = Choice(["any", "noto", "twemoji", "openmoji", "fluent"])
    rest = {"style": style, "guidance": Slider(0, 10, start=3, step=0.5), "seed": Seed()}
    board = Drawing(load_emoji().images[3])
    return [
        live(spell, **word, **rest, alt="A spell and its pictures"),
        live(draw, board=board, x=Slider(0, 7, start=1), marks=Switches(("top", "low")), alt="ink"),
        live(numbers, emoji_number=Slider(0, 5818, start=7), alt="One of many"),
    ]


def scrubbers():
    x = load_emoji().images[:4]
    film = torch.stack([x * i / 5 for i in range(6)])
    captions = ["short", LONG, *"cdef"]
    three = {name: film for name in ("x_t", "the predicted clean picture", "noise")}
    steps = [Step(t, x * t / 900, x, -x) for t in (900, 500, 100)]
    return [scrubber(three, captions, start=0), scrub_steps(steps)]


def plain(state):
    """A control's state as JSON, its bytes in base64."""
    return json.dumps(state, default=lambda b: {"bytes": base64.b64encode(bytes(b)).decode()})


@pytest.fixture(scope="module")
def stage(visit, tmp_path_factory):
    """A tab with scrubbers and controls on a plain page, for all the tests that follow."""
    alive = controls()
    states = plain([{"spec": c.spec, "frame": c.frame} for c in alive])
    places = "".join(f'<div id="live-{i}"></div>' for i in range(len(alive)))
    esm = alive[0]._esm.replace("export default", "const control =")
    page = tmp_path_factory.mktemp("stage") / "stage.html"
    page.write_text(
        f"""<!doctype html><html lang="en"><head><title>Stage</title><meta name="viewport"
content="width=device-width"><style>body {{ margin: 8px }} {CSS}</style>
</head><body><main><h1>Stage</h1>{"".join(s.page for s in scrubbers())}{places}
<div style="height: 1000px"></div></main>
<script type="module">{esm}{WAKE.replace("STATES", states)}</script></body></html>""",
        "utf-8",
    )
    with visit() as tab:
        tab.page.goto(page.as_uri())
        tab.page.locator(".live canvas").last.wait_for()
        yield tab.page
        tab.check_quiet()


def size(page, width, height=900):
    page.set_viewport_size({"width": width, "height": height})
    page.wait_for_function("(width) => innerWidth === width", arg=width)
    page.evaluate(TWO_FRAMES)  # to lay the page out


@pytest.mark.parametrize("width", [1440, 600, 390, 360])
def test_every_slider_is_long_enough_for_a_hand(stage, width):
    size(stage, width)
    sliders = stage.get_by_role("slider").all()
    assert len(sliders) == 5
    assert all(slider.bounding_box()["width"] >= 300 for slider in sliders)
    assert stage.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize(("width", "beside"), [(1440, True), (940, True), (600, False)])
def test_the_panel_stands_beside_the_pictures_where_there_is_room(stage, width, beside):
    size(stage, width)
    for card in stage.locator(".sculptor").all():
        pictures, panel = (card.locator(part).bounding_box() for part in (".pictures", ".panel"))
        if width < 1150 and card.locator(".picture").count() > 2:  # they are compared in one row
            tops = [picture.bounding_box()["y"] for picture in card.locator(".picture").all()]
            assert len(set(tops)) == 1 and pictures["y"] + pictures["height"] <= panel["y"]
        elif beside:
            assert pictures["x"] + pictures["width"] <= panel["x"] and panel["width"] >= 400
            assert card.bounding_box()["height"] < 700
        else:
            assert pictures["y"] + pictures["height"] <= panel["y"]


@pytest.mark.parametrize(("width", "height"), [(1440, 600), (600, 700), (390, 844)])
def test_pictures_stay_in_sight_while_a_control_has_the_focus(stage, width, height):
    size(stage, width, height)
    for card in stage.locator(".live").all():
        for control in card.locator(".panel :is(input, button):visible").all():
            control.focus()
            control.scroll_into_view_if_needed()
            inner = card.locator(".picture").all()
            boxes = [picture.bounding_box() for picture in inner]
            own = control.bounding_box()
            seen = [b for b in boxes if b["y"] >= -1 and b["y"] + b["height"] <= height + 1]
            assert seen, f"no picture beside {control.evaluate('(e) => e.outerHTML')}"
            assert 0 <= own["y"] < height
            hidden = "([e, b]) => !e.contains(document.elementFromPoint(...b))"
            middle = [own["x"] + own["width"] / 2, own["y"] + own["height"] / 2]
            label = control.evaluate("(e) => (e.type === 'file' ? e.parentElement : e).outerHTML")
            assert "file" in label or not control.evaluate(
                f"(e, b) => ({hidden})([e, b])", middle
            ), f"the pictures cover {label}"


@pytest.mark.parametrize("width", [1440, 600, 390])
def test_nothing_moves_whatever_is_said(stage, width):
    """Captions, offers and troubles of any length leave all boxes where they are."""
    size(stage, width)
    card = stage.locator(".live").first
    stage.evaluate("models[0].answer({ caption: 'short', offers: [], trouble: '' })")
    before = card.evaluate(BOXES)
    offers = [["apple", "pineapple"], ["red", "reddish-brown"], ["cat", "caterpillar"]]
    for news in ({"caption": LONG}, {"offers": offers}, {"trouble": LONG}):
        stage.evaluate("(news) => models[0].answer(news)", news)
        after = card.evaluate(BOXES)
        assert {name: after[name] for name in before if "button" not in name} == {
            name: before[name] for name in before if "button" not in name
        }, news
        assert after[".last button 0"] == before[".last button 0"]
    caption = card.locator(".last .caption")
    assert caption.inner_text() == LONG.strip()
    caption.focus()
    stage.keyboard.press("End")  # all of it can be read, by keys as well
    stage.wait_for_function(
        "(p) => p.scrollTop > 0 && p.scrollTop + p.clientHeight >= p.scrollHeight - 1",
        arg=caption.element_handle(),
    )
    stage.evaluate("models[0].answer({ caption: 'short', offers: [], trouble: '' })")


@pytest.mark.parametrize("width", [1440, 600, 390])
def test_a_scrubber_keeps_its_size_from_frame_to_frame(stage, width):
    size(stage, width)
    card = stage.locator(".scrubber").first
    slider = card.get_by_role("slider")
    seen = []
    for frame in range(3):
        slider.evaluate("(s, n) => { s.value = n; s.dispatchEvent(new Event('input')); }", frame)
        seen.append(card.evaluate(BOXES))
    assert card.locator(".caption").inner_text() == "c"
    assert seen[0] == seen[1] == seen[2]


@pytest.mark.parametrize("width", [1440, 600, 390])
def test_more_pictures_do_not_push_the_text_box_away(stage, width):
    size(stage, width)
    box = stage.locator(".live").first.get_by_role("textbox").first
    places = []
    for n in (2, 7, 1, 2):
        stage.evaluate("(n) => more(0, n)", n)
        places.append(box.evaluate("(b) => b.getBoundingClientRect().y + scrollY"))
    assert len({round(place) for place in places}) == 1, places


@pytest.mark.parametrize("width", [1440, 600])
def test_pictures_are_aligned_when_one_title_is_long(stage, width):
    size(stage, width)
    stage.evaluate("""() => {
      const { columns } = models[0].get("frame");
      models[0].answer({ columns: columns.slice(0, 2).map((column, i) =>
        ({ ...column, name: i ? "a title that is too long for one line" : "short" })) });
    }""")
    one, other = (
        c.bounding_box() for c in stage.locator(".live").first.locator(".picture").all()[:2]
    )
    assert one["y"] == other["y"] and one["height"] == other["height"]


def luminance(colour):
    """The relative luminance of WCAG 2 of a computed colour such as rgb(128, 128, 128)."""
    parts = [int(float(p)) / 255 for p in colour.split("(")[1].rstrip(")").split(",")[:3]]
    r, g, b = (p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return 0.2126 * r + 0.7152 * g + 0.0722 * b


def test_every_picture_has_a_frame_that_is_seen_on_white_and_on_black(stage):
    styles = stage.locator(".picture").evaluate_all(
        "(all) => all.map((p) => [getComputedStyle(p).outlineWidth,"
        " getComputedStyle(p).outlineColor])"
    )
    assert len(styles) >= 10
    for width, colour in styles:
        frame = luminance(colour)
        assert width == "1px"
        assert 1.05 / (frame + 0.05) > 3 and (frame + 0.05) / 0.05 > 3, colour


def test_the_film_of_a_sampler_ends_on_the_finished_picture(stage):
    card = stage.locator(".scrubber").nth(1)
    x_t, clean, noise = (
        canvas.evaluate("(c) => c.toDataURL()") for canvas in card.locator("canvas").all()
    )
    assert x_t == clean != noise
    assert card.locator(".caption").inner_text().startswith("the end")
    card.get_by_role("slider").press("ArrowLeft")
    assert card.locator(".caption").inner_text() == "step 3 of 3, t = 100"
    assert card.locator("canvas").first.evaluate("(c) => c.toDataURL()") not in (clean, x_t)


def test_a_number_of_thousands_can_be_typed(stage):
    card = stage.locator(".live").nth(2)
    number, slider = card.get_by_role("spinbutton"), card.get_by_role("slider")
    number.fill("4321")
    assert slider.input_value() == slider.get_attribute("aria-valuetext") == "4321"
    number.press("ArrowUp")
    assert slider.input_value() == "4322"
    slider.press("Home")
    assert number.input_value() == "0"
    number.fill("99999")  # not a number of this slider
    number.press("Tab")
    assert number.input_value() == slider.input_value() == "0"
    assert stage.locator(".live").first.get_by_role("spinbutton").count() == 1  # only the seed's


def test_a_long_paste_is_cut_between_two_words(stage):
    box = stage.locator(".live").first.get_by_role("textbox").first
    for pasted, kept in [
        ("a beautiful green caterpillar under a tree", "a beautiful green caterpillar"),
        ("a cat and a dog", "a cat and a dog"),
    ]:
        box.fill("")
        box.evaluate(
            """(box, words) => {
              const clipboardData = new DataTransfer();
              clipboardData.setData("text/plain", words);
              const paste = new ClipboardEvent("paste", { clipboardData, cancelable: true });
              if (box.dispatchEvent(paste)) box.setRangeText(words); // as the browser does
            }""",
            pasted,
        )
        assert box.input_value() == kept


def test_who_wants_less_motion_or_own_colours_gets_them(stage):
    progress = stage.locator(".live progress").first
    assert progress.evaluate("(p) => getComputedStyle(p).transitionDuration") == "0.2s"
    stage.emulate_media(reduced_motion="reduce", forced_colors="active")
    assert progress.evaluate("(p) => getComputedStyle(p).transitionDuration") == "0s"
    slider, ink = stage.get_by_role("slider").first, stage.locator(".palette input").nth(2)
    assert slider.evaluate("(s) => getComputedStyle(s).appearance") == "auto"
    assert ink.evaluate("(i) => getComputedStyle(i).backgroundColor") == "rgb(0, 114, 178)"
    stage.emulate_media(reduced_motion="no-preference", forced_colors="none")


# ---- in JupyterLab ------------------------------------------------------------------------------

CELLS = [
    """\
from diffusion_helpers import load_emoji
from diffusion_helpers.exercises import exercise, hint
from diffusion_helpers.exercises.card import card
from diffusion_helpers.widgets.controls import Choice, Prompt, Seed, Slider, live
from diffusion_helpers.widgets.figures import show_curves, show_pictures, show_table
from diffusion_helpers.widgets.predictions import ask, reveal
from diffusion_helpers.widgets.scrubber import scrubber

x = load_emoji().images
ran = 0""",
    """\
ran += 1

def create(spell, style, t, guidance, seed):
    pictures = {"x_t": x[seed], "predicted clean picture": x[t], "predicted noise": -x[seed]}
    return pictures, f"{spell}, seed {seed}, run {ran}"

live(create, spell=Prompt("a cat"), style=Choice(["noto", "fluent"]), t=Slider(0, 999, start=5),
     guidance=Slider(0, 10, start=3), seed=Seed(), alt="A spell and its pictures")""",
    'scrubber({"x": x[:6]}, list("abcdef"))',
    """\
show_curves([1, 2], {"ours": [1, 2], "theirs": [2, 1]}, xlabel="t", ylabel="e", alt="Two lines")
show_pictures(x[:3], "Three emoji")
show_table({"a": [1], "b": [2]}, ["one"], caption="A table")""",
    'ask("01.a")',
    'reveal("01.a", "KEY", "Measured: 3.")',
    """\
@exercise("01.1")
def my_noise(*arguments, **named):
    return 3

hint("01.1")
card("01")""",
]


GROUND = """Number(getComputedStyle(document.querySelector(".jp-Notebook"))
  .backgroundColor.match(/\\d+/)[0])"""  # of the notebook: how much red, of 255
NOTHING_FADES = """!document.querySelector("#jupyterlab-splash")
  && document.getAnimations().every(({ playState }) => playState !== "running")"""


def wear(page, theme):
    """Change JupyterLab's theme, as its menu does, and wait until its style sheet is there."""
    change = "(theme) => jupyterapp.commands.execute('apputils:change-theme', { theme })"
    page.evaluate(change, theme)
    page.wait_for_function("(name) => document.body.dataset.jpThemeName === name", arg=theme)
    dark = str("Dark" in theme).lower()
    page.wait_for_function(f"{GROUND} < 128 === {dark} && {NOTHING_FADES}")


@pytest.fixture(scope="module")
def lab(visit, tmp_path_factory):
    """A tab of JupyterLab, its side bar open, with one of everything."""
    from diffusion_helpers.exercises import questions

    root = tmp_path_factory.mktemp("notebooks")
    key = next(iter(questions.find("01.a").options))
    cells = [cell.replace("KEY", key) for cell in CELLS]
    nbformat.write(notebook(cells), root / "stage.ipynb")
    with jupyter_lab(root, tmp_path_factory.mktemp("jupyter")) as lab, visit() as tab:
        size(tab.page, 1440)
        open_and_run_all(tab.page, lab, "stage.ipynb", timeout=240)
        tab.page.locator(".sculptor.live canvas").first.wait_for()
        yield tab.page
        tab.check_quiet()


def test_in_jupyterlab_with_its_side_bar_all_of_a_card_fits_the_window(lab):
    assert lab.locator("#jp-left-stack").is_visible()
    window = lab.locator(".jp-WindowedPanel-outer").bounding_box()["height"]
    for kind in (".live", ".scrubber"):
        card = lab.locator(f".sculptor{kind}")
        pictures, panel = (card.locator(p).bounding_box() for p in (".pictures", ".panel"))
        beside = pictures["x"] + pictures["width"] <= panel["x"] and panel["width"] >= 450
        assert beside != (card.locator(".picture").count() > 2)  # three need the whole width
        assert card.bounding_box()["height"] < window


def test_in_jupyterlab_pictures_stay_in_sight(lab):
    """Its boxes around an output would scroll them away; a narrow window has them above."""
    size(lab, 800, 600)
    lab.locator(".live").get_by_role("button", name="Start over").focus()
    lab.evaluate(TWO_FRAMES)
    picture = lab.locator(".live .picture").first.bounding_box()
    window = lab.locator(".jp-WindowedPanel-outer").bounding_box()
    panel = lab.locator(".live .panel").bounding_box()
    assert panel["y"] < window["y"]  # it was scrolled far
    assert window["y"] <= picture["y"] < window["y"] + window["height"] - picture["height"]
    size(lab, 1440)


def test_the_theme_is_followed_without_running_anything_again(lab):
    def look():
        card = lab.locator(".live").evaluate("(e) => getComputedStyle(e).backgroundColor")
        figure = lab.locator(".sculptor-paper").evaluate("(e) => getComputedStyle(e).filter")
        return luminance(card), figure

    shown = ".sculptor, [data-verdict], table, [role=group]"
    ground, figure = look()
    assert ground > 0.9 and figure == "none"
    check_accessible(lab, shown)
    try:
        wear(lab, "JupyterLab Dark")
        ground, figure = look()
        assert ground < 0.05 and figure == "brightness(0.84)"
        check_accessible(lab, shown)
    finally:
        wear(lab, "JupyterLab Light")


def test_the_keys_of_jupyterlab_work_in_a_control(lab):
    run = lab.locator(".live .last .caption").filter(has_text="run 2")
    box = lab.get_by_role("textbox", name="spell")
    assert not run.count()
    box.press("Shift+Enter")
    run.wait_for()
    lab.get_by_role("textbox", name="spell").press("Escape")
    focused = lab.evaluate("document.activeElement.className")
    assert "jp-Cell" in focused and "jp-mod-active" in focused


def test_after_a_restart_the_control_says_what_to_do(lab):
    lab.evaluate("jupyterapp.shell.currentWidget.sessionContext.session.kernel.restart()")
    alert = lab.locator(".live").get_by_role("alert")
    for _ in range(40):
        lab.get_by_role("slider", name="guidance").press("ArrowRight")
        if alert.is_visible() and "restarted" in alert.inner_text():
            break
        lab.wait_for_timeout(500)
    assert alert.inner_text().startswith("Python was restarted. In JupyterLab choose Run > Run All")
    menu = lab.evaluate("jupyterapp.commands.label('notebook:run-all-above')")
    assert menu in alert.inner_text()  # the words of the real menu
