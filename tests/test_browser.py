"""Scrubbers and live controls in a browser: alive, busy, reopened, exported, not trusted."""

import html
import json
import shutil
import subprocess
import sys

import nbformat
import pytest
import torch
from browser import (
    IDLE,
    RUN_ALL,
    export_page,
    jupyter_environment,
    jupyter_lab,
    open_and_run_all,
    open_notebook,
)
from page_objects import (
    Hand,
    LiveHand,
    check_accessible,
    check_live,
    check_play,
    check_scrubber,
    drag,
    pictures_in,
    saved,
)
from PIL import Image
from test_figures import decode

from diffusion_helpers import pure_noise
from diffusion_helpers.progress import FILE
from diffusion_helpers.widgets import controls as controls_of
from diffusion_helpers.widgets.figures import to_uint8

FRAMES = 12
# What a hidden still leaves of its output, in pixels.
HEIGHTS_AROUND = """(stills) => stills.map(
  (still) => still.closest(".jp-OutputArea-child").getBoundingClientRect().height)"""

SCRUBBERS = [
    """\
import torch
from diffusion_helpers.widgets.scrubber import scrubber

start, end = torch.randn(3, 32, 32), torch.ones(3, 32, 32)
end[:, 6:26, 6:26] = torch.tensor([0.9, 0.2, -0.8]).reshape(3, 1, 1)
mix = torch.linspace(0, 1, 12).reshape(12, 1, 1, 1)
x_t = (1 - mix) * start + mix * end
captions = [f"step {i} of 12, dust {100 - 100 * i // 12} %" for i in range(1, 13)]
tracks = {"x_t": x_t, "predicted clean picture": end.expand(12, 3, 32, 32), "noise": start - x_t}
scrubber(tracks, captions)""",
    """\
grid = torch.stack([x_t, -x_t, x_t.flip(3), x_t.roll(9, 2)], dim=1)  # (F, N, C, H, W)
both = {"cosine": {"x_t": grid}, "linear": {"x_t": -grid}}
lines = {name: [f"{name}, {words}" for words in captions] for name in both}
scrubber(both, lines, label="t", choice_label="schedule", start=3)""",
]
LIVE = [
    """\
import time
import torch
from diffusion_helpers.widgets.controls import Choice, Drawing, Prompt, Seed, Slider, Switches, live

def mix(statue, t, side, marks, seed, spell):
    dust = torch.randn(3, 32, 32, generator=torch.Generator().manual_seed(seed))
    x_t = (1 - t / 99) * statue + t / 99 * dust
    x_t[0 if "red" in marks else 1] *= -1 if "blue" in marks else 1
    x_t = x_t.flip(2) if side == "left" else x_t
    return {"statue": statue, "x_t": x_t}, f"t = {t}, {side}, {marks}, seed {seed}, {spell!r}"

live(
    mix,
    statue=Drawing(torch.linspace(-1, 1, 32).expand(3, 32, 32).clone()),
    t=Slider(0, 99, start=20),
    side=Choice(["right", "left"]),
    marks=Switches(("red", "blue"), start=("red",)),
    seed=Seed(1),
    spell=Prompt("a cat"),
    alt="A statue under dust",
)""",
    """\
computed = []

def slow(level):
    time.sleep(2.5 if level == 77 else 0.04)
    computed.append(level)
    if level == 13:
        raise ValueError("<img src=x onerror=alert(1)> thirteen is\\nbad luck")
    return {"grey": torch.full((3, 8, 8), level / 100)}, f"level {level}, {len(computed)} computed"

live(slow, level=Slider(0, 100, start=50), alt="A grey square")""",
    """\
def steps(count):
    for i in range(1, count + 1):
        time.sleep(0.05)
        yield {"grey": torch.full((3, 8, 8), i / count)}, f"step {i} of {count}", i / count

live(steps, count=Slider(1, 90, start=2), alt="A square that turns white step by step")""",
    """\
from diffusion_helpers.words import load_words

def hear(spell, unwanted):
    heard = load_words().encode([spell, unwanted]).mask.float().mean().item()
    return {"grey": torch.full((3, 8, 8), heard)}, f"{spell!r} without {unwanted!r}"

live(hear, spell=Prompt("a gitar"), unwanted=Prompt("a cat"), alt="What the table hears")""",
    """\
from diffusion_helpers import pure_noise
from diffusion_helpers.widgets.controls import Seeds

def create(spell, seeds):
    time.sleep(0.05)
    noise = pure_noise(len(seeds), (3, 16, 16), seed=seeds)
    for i in range(1, 6):
        pictures = {"so far": (1 - i / 5) * noise + i / 5, "chaos": noise}
        yield pictures, f"{spell}, step {i} of 5", i / 5

live(create, spell=Prompt("a red apple"), seeds=Seeds(7), alt="A creation in five steps")""",
]

CARDS = [
    """\
from diffusion_helpers.exercises import exercise, find
from diffusion_helpers.exercises.card import card

card("01")""",
    "card()",
    "exercise('01.1')(find('01.1').solution)",
]


def notebook(cells):
    made = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(text) for text in cells])
    made.metadata.kernelspec = {
        "name": "python3",
        "display_name": "Python 3",
        "language": "python",
    }
    return made


@pytest.fixture(scope="module")
def lab(visit, tmp_path_factory):
    """JupyterLab over two small notebooks."""
    root = tmp_path_factory.mktemp("notebooks")
    nbformat.write(notebook(SCRUBBERS), root / "scrubbers.ipynb")
    nbformat.write(notebook(LIVE), root / "live.ipynb")
    nbformat.write(notebook(CARDS), root / "cards.ipynb")
    with jupyter_lab(root, tmp_path_factory.mktemp("jupyter")) as lab:
        yield lab


@pytest.fixture(scope="module")
def scrubbers_tab(visit, lab):
    """A tab with the scrubbers, run once for all the tests that share it."""
    with visit() as tab:
        open_and_run_all(tab.page, lab, "scrubbers.ipynb", timeout=120)
        yield tab


@pytest.fixture
def scrubbers(scrubbers_tab):
    """The tab with the scrubbers, as they are at first; the console must stay clean."""
    Hand(scrubbers_tab.page, nth=1)  # awake
    scrubbers_tab.page.evaluate("window.dispatchEvent(new Event('start-over'))")
    yield scrubbers_tab
    scrubbers_tab.check_quiet()


@pytest.fixture(scope="module")
def live_tab(visit, lab):
    """A tab with the live controls, run once for all the tests that share it."""
    with visit() as tab:
        open_and_run_all(tab.page, lab, "live.ipynb", timeout=120)
        yield tab


@pytest.fixture
def live(live_tab):
    """The tab with the live controls; the console must stay clean."""
    yield live_tab.page
    live_tab.check_quiet()


def test_scrubber_in_jupyterlab(scrubbers, tmp_path):
    hand = Hand(scrubbers.page)
    assert hand.frame == hand.last == FRAMES - 1  # what came out is shown first
    check_scrubber(hand, tmp_path)
    check_play(hand)
    check_accessible(scrubbers.page, ".sculptor")


def test_choices_keep_the_frame(scrubbers, tmp_path):
    first, hand = Hand(scrubbers.page), Hand(scrubbers.page, nth=1)
    before = first.pixels()
    assert hand.frame == 3
    cosine = hand.pixels()
    assert hand.words.startswith("cosine, step 4")
    hand.root.get_by_role("radio", name="linear").check()
    assert hand.frame == 3 and hand.pixels() != cosine
    assert hand.words.startswith("linear, step 4")
    hand.root.get_by_role("radio", name="linear").press("ArrowUp")
    assert hand.pixels() == cosine
    hand.photo(tmp_path / "choices.png")
    hand.slider.press("End")
    assert first.frame == FRAMES - 1 and first.pixels() == before  # the neighbour stayed still


def test_start_over_with_shift_resets_every_control_of_the_page(scrubbers):
    first, hand = Hand(scrubbers.page), Hand(scrubbers.page, nth=1)
    first.slider.press("Home")
    hand.root.get_by_role("radio", name="linear").check()
    hand.slider.press("End")
    again = hand.root.get_by_role("button", name="Start over")
    again.click()
    assert (first.frame, hand.frame) == (0, 3)
    assert hand.words.startswith("cosine, step 4")
    again.click(modifiers=["Shift"])
    assert (first.frame, hand.frame) == (FRAMES - 1, 3)


def test_reduced_motion_slows_play_down(scrubbers):
    """Frames that change once a second do not flicker."""
    page = scrubbers.page
    page.evaluate("document.querySelectorAll('.scrubber').forEach((old) => old.remove())")
    page.emulate_media(reduced_motion="reduce")
    page.evaluate(RUN_ALL)
    page.wait_for_function(IDLE, timeout=60_000)
    hand = Hand(page)
    between = hand.root.evaluate(
        """(root) => new Promise((go) => { // ms between the first two frames
          const [play] = root.querySelectorAll("button"), times = [];
          new MutationObserver(() => {
            if (times.push(performance.now()) === 2) go(times[1] - times[0]);
          }).observe(root.querySelector(".caption"), { childList: true });
          play.click();
        })"""
    )
    assert between > 990  # a timer may be late, never early
    hand.root.get_by_role("button", name="Pause").click()
    page.emulate_media(reduced_motion="no-preference")


def test_every_part_of_a_live_control_answers_mouse_and_keyboard(live, tmp_path):
    hand = LiveHand(live)
    check_live(hand)
    hand.root.screenshot(path=tmp_path / "live.png")
    check_accessible(live, ".sculptor.live")


def test_tab_reaches_every_part_and_shows_where_it_is(live):
    hand = LiveHand(live)
    hand.root.get_by_role("application").focus()
    names = []
    for _ in range(12):
        name, outline = live.evaluate(
            """() => {
              const e = document.activeElement, label = e.labels?.[0];
              const style = getComputedStyle(e.type === "file" ? label : e);
              return [e.ariaLabel || label?.textContent || e.textContent, style.outlineStyle];
            }"""
        )
        assert outline == "solid", f"no visible focus on {name!r}"
        names.append(name.strip())
        live.keyboard.press("Tab")
    assert names[0].startswith("statue. Arrow keys")
    assert names[2:5] == ["Upload a picture", "Clear the board", "t"]
    assert names[6:] == ["red", "blue", "seed", "Roll the dice for seed", "spell", "Keep"]


def test_thirty_fast_moves_never_queue_and_end_on_the_last_value(live):
    hand = LiveHand(live, nth=1)
    slider, before = hand.root.get_by_role("slider"), computed(hand)
    slider.evaluate(
        """(slider) => {
          for (let level = 71; level <= 100; level++) {
            slider.value = level;
            slider.dispatchEvent(new Event("input"));
          }
        }"""
    )
    hand.wait_for("level 100,")
    assert hand.settle()[1] == hand.words
    assert computed(hand) - before <= 3  # the first, the one that waited, the newest


def test_a_fast_mouse_ends_on_the_last_value(live):
    hand = LiveHand(live, nth=1)
    drag(live, hand.root.get_by_role("slider"), 1, 0, steps=30)
    hand.wait_for("level 0,")
    assert hand.settle()[1] == hand.words and hand.words.startswith("level 0,")


def computed(hand):
    return int(hand.words.split(", ")[1].split()[0])


def test_an_error_in_a_callback_is_one_sentence_and_the_last_picture_stays(live):
    hand = LiveHand(live, nth=1)
    slider = hand.root.get_by_role("slider")
    slider.press("End")
    before = hand.settle()
    slider.evaluate("(s) => { s.value = 13; s.dispatchEvent(new Event('input')); }")
    assert hand.settle() == before
    assert hand.trouble == "<img src=x onerror=alert(1)> thirteen is bad luck"
    assert hand.root.get_by_role("alert").is_visible()
    slider.press("ArrowRight")
    hand.settle()
    assert hand.words.startswith("level 14,") and not hand.trouble


def test_slow_computing_shows_progress_and_drops_what_is_out_of_date(live, tmp_path):
    hand = LiveHand(live, nth=2)
    slider = hand.root.get_by_role("slider")
    slider.press("End")  # 90 steps of 50 ms
    progress = hand.root.get_by_role("progressbar", name="computing")
    progress.wait_for()
    live.wait_for_timeout(600)
    assert 0 < float(progress.get_attribute("value")) < 1
    hand.root.screenshot(path=tmp_path / "progress.png")
    slider.press("Home")  # out of date: one step is wanted now
    hand.settle(timeout=2)
    assert hand.words == "step 1 of 1"


def test_a_long_silence_is_explained_and_the_picture_follows(live):
    hand = LiveHand(live, nth=1)
    slider = hand.root.get_by_role("slider")
    slider.evaluate("(s) => { s.value = 77; s.dispatchEvent(new Event('input')); }")
    hand.root.get_by_text("Waiting for Python").wait_for()
    hand.wait_for("level 77,")
    assert not hand.trouble


def test_an_unknown_word_is_replaced_by_a_button_with_the_mouse(live, tmp_path):
    hand = LiveHand(live, nth=3)
    spell, unwanted = hand.root.get_by_role("textbox").all()
    offer = hand.root.get_by_role("button", name="Use guitar instead of gitar", exact=True)
    assert offer.inner_text() == "Use guitar"
    assert "I do not know the word 'gitar'" in hand.words
    hand.root.screenshot(path=tmp_path / "offer.png")
    check_accessible(live, ".sculptor.live")
    hand.changes(offer.click)
    assert spell.input_value() == "a guitar" and hand.words == "'a guitar' without 'a cat'"
    assert hand.offers == []

    unwanted.fill("Pizzza's buterfly")
    hand.settle()
    assert hand.offers == ["Use pizza instead of pizzza", "Use butterfly instead of buterfly"]
    hand.changes(hand.root.get_by_role("button", name="Use pizza").click)
    assert unwanted.input_value() == "pizza buterfly" and spell.input_value() == "a guitar"
    hand.changes(hand.root.get_by_role("button", name="Use butterfly").click)
    assert hand.words == "'a guitar' without 'pizza butterfly'" and hand.offers == []
    hand.root.get_by_role("button", name="Start over").click()
    hand.settle()
    assert hand.offers == ["Use guitar instead of gitar"]


def test_an_unknown_word_is_replaced_with_keys_alone(live):
    hand = LiveHand(live, nth=3)
    spell, unwanted = hand.root.get_by_role("textbox").all()
    spell.fill("Ра́кита, ROKCET_rokcet: elefants!")  # a stress mark, capitals, twice
    hand.settle()
    spell.press("Tab")
    live.keyboard.press("Tab")
    use_rocket = "Use rocket instead of rokcet"
    assert live.evaluate("document.activeElement.ariaLabel") == use_rocket
    unwanted.evaluate("(b) => { b.value = 'a dog'; b.dispatchEvent(new Event('input')); }")
    hand.wait_for("without 'a dog'")
    assert live.evaluate("document.activeElement.ariaLabel") == use_rocket  # a new picture came
    hand.changes(lambda: live.keyboard.press("Enter"))
    assert spell.input_value() == "Ра́кита, rocket_rocket: elefants!"
    assert spell.evaluate("(box) => box === document.activeElement")
    live.keyboard.press("Tab")
    hand.changes(lambda: live.keyboard.press("Space"))
    assert spell.input_value().startswith("ракета, rocket_rocket: ")


# ---- keep and compare ---------------------------------------------------------------------------

STORY = 4  # the live control that creates in five steps


def so_far(step, *seeds):
    """What `create` shows of each seed after a step: (N, 3, 16, 16)."""
    noise = pure_noise(len(seeds), (3, 16, 16), seed=list(seeds))
    return (1 - step / 5) * noise + step / 5


def test_the_picture_that_is_seen_is_saved(live, tmp_path):
    hand = LiveHand(live, STORY)
    hand.settle()
    image, name = saved(hand.root, "Save picture")
    image.save(tmp_path / "saved.png")
    assert name == "a red apple, step 5 of 5.png"
    white, chaos = pictures_in(image, (16, 16), (16, 16))
    assert (white == 255).all() and (chaos == to_uint8(so_far(0, 7))[0]).all()


def test_an_animation_holds_all_steps_of_the_newest_request(live):
    hand = LiveHand(live, STORY)

    def check(image, seed):
        assert image.n_frames == 1 + 5
        for step in range(1, 6):
            image.seek(step)
            (picture, _) = pictures_in(image, (16, 16), (16, 16))
            assert (picture == to_uint8(so_far(step, seed))[0]).all()

    image, name = saved(hand.root, "Save animation")  # at the start, too
    assert name == "a red apple, step 5 of 5, animation.png"
    check(image, seed=7)
    hand.root.get_by_role("spinbutton").fill("11")
    hand.settle()
    check(saved(hand.root, "Save animation")[0], seed=11)
    hand.root.get_by_role("button", name="Start over").click()
    hand.settle()


def test_four_at_once_are_the_four_single_ones_and_nothing_jumps(live, tmp_path):
    hand = LiveHand(live, STORY)
    hand.settle()
    boxes = [hand.root.bounding_box(), hand.root.locator("canvas").first.bounding_box()]
    four = hand.root.get_by_label("four at once")
    hand.changes(four.check)
    assert boxes == [hand.root.bounding_box(), hand.root.locator("canvas").first.bounding_box()]
    hand.root.screenshot(path=tmp_path / "four.png")
    _, sheet = pictures_in(saved(hand.root, "Save picture")[0], (33, 33), (33, 33))
    for i, seed in enumerate((7, 8, 9, 10)):
        y, x = 17 * (i // 2), 17 * (i % 2)  # a grey pixel between
        assert (sheet[y : y + 16, x : x + 16] == to_uint8(so_far(0, seed))[0]).all()
    hand.changes(four.uncheck)


def test_a_pinned_picture_stays_beside_the_next(live, tmp_path):
    hand = LiveHand(live, STORY)
    before, _ = hand.settle()
    hand.root.get_by_role("button", name="Pin", exact=True).press("Enter")
    pinned = hand.root.locator(".pinned")
    pinned.get_by_text("Pinned: a red apple, step 5 of 5").wait_for()
    hand.root.get_by_role("textbox").fill("a boat")
    hand.wait_for("a boat, step 5 of 5")
    pictures = pinned.locator("canvas").evaluate_all("(all) => all.map((c) => c.toDataURL())")
    assert pictures == before
    labels = [picture.get_attribute("aria-label") for picture in pinned.get_by_role("img").all()]
    words = "a red apple, step 5 of 5; "  # and what the hand chose
    assert all(f"Pinned, {n}: {words}" in label for n, label in zip(("so far", "chaos"), labels))
    hand.root.screenshot(path=tmp_path / "pinned.png")
    check_accessible(live, ".sculptor.live")
    image, name = saved(hand.root, "Save picture")
    assert name == "a boat, step 5 of 5.png" and image.width == 16 + 2 * (256 + 16)  # without it
    hand.root.get_by_role("button", name="Unpin").press("Space")
    assert pinned.count() == 0
    hand.root.get_by_role("button", name="Start over").click()
    hand.settle()


def test_keep_writes_into_the_gallery_and_says_where(live, lab):
    hand = LiveHand(live, STORY)
    hand.settle()
    gallery = lab.root / "gallery"
    assert hand.keep() == "Kept: gallery/0001 a red apple.png"
    with Image.open(gallery / "0001 a red apple.png") as image:
        assert image.n_frames == 1 + 5 and "seeds: 7" in image.text["Settings"]
    assert live.evaluate("document.activeElement.textContent") == "Keep"  # the focus stays
    live.keyboard.press("Enter")
    hand.root.get_by_text("Kept: gallery/0002 a red apple.png").wait_for()

    shutil.rmtree(gallery)
    gallery.write_text("in the way", "utf-8")
    assert "the picture cannot be written into" in hand.keep()
    gallery.unlink()
    assert hand.keep() == "Kept: gallery/0001 a red apple.png"
    still = LiveHand(live, nth=1)  # one picture, no steps: no animation
    assert not still.root.get_by_role("button", name="Save animation").count()


@pytest.fixture(scope="module")
def left(live_tab, lab):
    """The live notebook, run, saved and left; its kernel is gone. It ends the tab of the others."""
    page = live_tab.page
    shutil.copy(lab.root / "live.ipynb", lab.root / "clean.ipynb")
    page.evaluate("jupyterapp.commands.execute('docmanager:save')")
    page.wait_for_function("!jupyterapp.shell.currentWidget.context.model.dirty")
    page.evaluate("jupyterapp.shell.currentWidget.sessionContext.shutdown()")
    hand = LiveHand(page)
    hand.root.get_by_role("slider").press("End")
    hand.root.get_by_text("Python was restarted").wait_for()
    page.close()
    yield "live.ipynb"
    shutil.copy(lab.root / "clean.ipynb", lab.root / "live.ipynb")


def test_a_reopened_notebook_shows_stills_and_comes_alive_when_run(visit, lab, left, tmp_path):
    with visit() as tab:
        open_notebook(tab.page, lab, left)
        stills = tab.page.locator(".sculptor.still")
        stills.first.get_by_text("t = 20, right").wait_for()
        assert stills.count() == len(LIVE)
        tab.page.wait_for_timeout(1500)
        tab.page.screenshot(path=tmp_path / "reopened.png")
        assert all(still.is_visible() for still in stills.all())
        assert not tab.page.get_by_text("Error displaying widget").first.is_visible()
        check_accessible(tab.page, ".sculptor.still")
        tab.page.evaluate("jupyterapp.commands.execute('notebook:run-all-cells')")
        tab.page.locator(".sculptor.live").nth(2).wait_for()
        assert not any(still.is_visible() for still in stills.all())
        assert all(height < 5 for height in stills.evaluate_all(HEIGHTS_AROUND))
        tab.errors = [e for e in tab.errors if "widget model not found" not in e]  # ipywidgets' own
        tab.check_quiet()


def test_the_card_follows_and_its_saved_page_stands_still(visit, lab):
    """No cell is run again: not after an exercise below it, and not after one elsewhere."""
    with visit() as tab:
        page = tab.page
        open_and_run_all(page, lab, "cards.ipynb", timeout=120)
        one, course = page.locator(".sculptor.card[data-name]").all()
        one.get_by_text("Lesson 01: 1 of").wait_for()
        course.get_by_text("Lesson 01: 1 of").wait_for()
        assert not any(s.is_visible() for s in page.locator("[data-still-of]").all())
        course.get_by_text("Lesson 02: 0 of").click()  # unfolded, and it stays so
        jupyterapp = "jupyterapp.commands.execute"
        page.evaluate(f"{jupyterapp}('docmanager:save')")
        page.evaluate(f"{jupyterapp}('docmanager:open', {{path: 'scrubbers.ipynb'}})")
        course.wait_for(state="hidden")
        done = {name: {"right": True, "hints": 0} for name in ("01.1", "02.1", "02.2")}
        (lab.root / FILE).write_text(json.dumps({"exercises": done}), "utf-8")
        page.evaluate(f"{jupyterapp}('docmanager:open', {{path: 'cards.ipynb'}})")
        course.get_by_text("Lesson 02: 2 of").wait_for()
        assert course.locator("details").nth(1).evaluate("(fold) => fold.open")
        one.get_by_text("Lesson 01: 1 of").wait_for()
        check_accessible(page, ".sculptor.card[data-name]")
        tab.check_quiet()
    outputs = nbformat.read(lab.root / "cards.ipynb", as_version=4).cells[0].outputs
    assert any("Lesson 01: 1 of" in output.data["text/html"] for output in outputs)


@pytest.fixture(scope="module")
def executed(lab, tmp_path_factory):
    """The notebooks, run without a browser: their outputs, and the export as one page."""
    folder = tmp_path_factory.mktemp("export")
    names = "scrubbers.ipynb", "live.ipynb"
    run = ["-m", "nbconvert", "--execute", "--to", "notebook", "--output-dir", folder]
    command = [sys.executable, *run, *(lab.root / name for name in names)]
    subprocess.run(command, check=True, env=jupyter_environment(folder))
    for name in names:
        export_page(folder / name, folder)
    return folder


def test_scrubber_lives_on_in_an_exported_page(visit, executed, tmp_path):
    with visit() as tab:
        tab.page.goto((executed / "scrubbers.html").as_uri())
        hand = Hand(tab.page)
        check_scrubber(hand, tmp_path)
        check_play(hand)
        check_accessible(tab.page, "main")
        check_saving(hand, tmp_path)
        tab.check_quiet()


def check_saving(hand, folder):
    """Without Python, too: the picture, the animation, a pinned copy."""
    hand.slider.press("Home")
    sizes = [(32, 32)] * 3
    image, name = saved(hand.root, "Save picture")
    image.save(folder / "saved.png")
    assert name == f"{hand.words}.png" and name.startswith("step 1 of 12")
    shown = [decode(uri) for uri in hand.all_pixels()]
    for picture, seen in zip(pictures_in(image, *sizes), shown, strict=True):
        assert (picture == seen).all()
    film, name = saved(hand.root, "Save animation")
    assert film.n_frames == 1 + FRAMES and name == "step 12 of 12, dust 0 %, animation.png"
    for frame in (0, 5, FRAMES - 1):
        hand.slider.evaluate(
            "(s, v) => { s.value = v; s.dispatchEvent(new Event('input')); }", frame
        )
        film.seek(1 + frame)
        shown = [decode(uri) for uri in hand.all_pixels()]
        for picture, seen in zip(pictures_in(film, *sizes), shown, strict=True):
            assert (picture == seen).all()
    hand.root.get_by_role("button", name="Pin", exact=True).click()
    pinned = hand.root.locator(".pinned canvas").first
    before = pinned.evaluate("(canvas) => canvas.toDataURL()")
    assert before == hand.pixels()
    hand.slider.press("Home")
    assert pinned.evaluate("(canvas) => canvas.toDataURL()") == before != hand.pixels()
    hand.root.get_by_role("button", name="Unpin").click()


def test_live_controls_are_stills_in_an_exported_page(visit, executed, tmp_path):
    with visit() as tab:
        tab.page.goto((executed / "live.html").as_uri())
        stills = tab.page.locator(".sculptor.still")
        assert stills.count() == len(LIVE) and all(still.is_visible() for still in stills.all())
        assert stills.first.locator("img").count() == 2
        stills.first.get_by_text("When this cell runs in a notebook").wait_for()
        stills.nth(3).get_by_text("similar words I know: guitar").wait_for()
        assert stills.get_by_role("button").count() == 0
        tab.page.screenshot(path=tmp_path / "page.png")
        tab.check_quiet()


def test_on_any_page_a_control_that_is_alive_hides_its_own_still(visit, tmp_path):
    """VS Code shows all outputs on one page; others put each into a frame of its own."""
    controls = [
        controls_of.live(
            lambda level: ({"grey": torch.full((3, 8, 8), level / 9)}, f"level {level}"),
            level=controls_of.Slider(0, 9, start=start),
            alt=f"A grey square {start}",
        )
        for start in (2, 7)
    ]
    alive, lone = (control.static_image() for control in controls)
    script = controls[0]._esm.replace("export default", "const control =")
    state = {"spec": controls[0].spec, "frame": controls[0].frame | {"pixels": []}}
    state["frame"]["columns"] = []  # the pictures would travel as bytes
    (tmp_path / "page.html").write_text(
        f"""<!doctype html><html lang="en"><title>Elsewhere</title><main>{alive}{lone}
<div id="cell"></div><iframe title="another cell" srcdoc="{html.escape(alive)}"></iframe></main>
<script type="module">{script}
const state = {json.dumps(state)};
const model = {{ get: (name) => state[name], on() {{}}, off() {{}}, send() {{}} }};
window.wake = () => {{
  window.sleep = control.render({{ model, el: document.querySelector("#cell") }});
}};
</script></html>""",
        "utf-8",
    )
    with visit() as tab:
        tab.page.goto((tmp_path / "page.html").as_uri())
        first, second = tab.page.locator(".sculptor.still").all()
        framed = tab.page.frame_locator("iframe").locator(".sculptor.still")
        assert first.is_visible() and second.is_visible() and framed.is_visible()
        tab.page.evaluate("wake()")
        tab.page.locator(".sculptor.live").wait_for()
        assert not first.is_visible() and second.is_visible()
        assert framed.is_visible()  # the control does not reach into a frame
        assert "JupyterLab" not in framed.inner_text()
        tab.page.evaluate("document.querySelector('#cell').replaceChildren()")  # output cleared
        assert first.is_visible()
        tab.check_quiet()


def test_a_notebook_not_trusted_shows_the_still_picture(visit, lab, executed, tmp_path):
    """JupyterLab runs no script of a notebook that came from elsewhere."""
    shutil.copy(executed / "scrubbers.ipynb", lab.root / "foreign.ipynb")
    with visit() as tab:
        open_notebook(tab.page, lab, "foreign.ipynb")
        output = tab.page.locator(".jp-OutputArea-output").nth(0)
        output.get_by_text("step 12 of 12").wait_for()
        output.screenshot(path=tmp_path / "untrusted.png")
        assert output.locator("canvas").count() == 0
        assert not output.get_by_role("slider").is_visible()  # nothing that does not work
        pictures = output.locator("img")
        assert pictures.count() == 3
        assert pictures.nth(0).get_attribute("alt") == "x_t: step 12 of 12, dust 0 %"
        assert pictures.nth(0).bounding_box()["height"] > 100
        tab.check_quiet()
