"""The top of the site's first page: it plays, draws a wish, and reads what a link brings."""

import json
import re
from unittest import mock

import numpy as np
import pytest
from browser import REPO
from drawings import in_float32, serve
from page_objects import TWO_FRAMES, LiveHand, check_accessible, said, saved

from diffusion_helpers import ddim
from diffusion_helpers.authoring.site import first_page
from diffusion_helpers.living import mirrors, pages
from diffusion_helpers.widgets.controls import Choice, Prompt, Seed, Seeds, Slider
from diffusion_helpers.widgets.figures import to_uint8

PHONE, PROJECTOR = {"width": 390, "height": 844}, {"width": 1920, "height": 1080}
OURS = 260_000  # bytes before the first click; the theme of the site needs the rest of 400,000
STEPS = 4  # of what is drawn in Python here


@pytest.fixture(scope="module")
def page_html():
    """The page, of which Python made fewer steps."""
    fewer = lambda model, x_T, _: ddim(model, x_T, STEPS)  # noqa: E731
    with mock.patch.multiple(first_page, ddim=fewer, SHARES=2), in_float32():
        return first_page.alone(first_page.play())


@pytest.fixture(scope="module")
def address(page_html):
    files = {f"/packs/{name}": pack for name, pack in pages.packs(first_page.NEEDS).items()}
    with serve(files | {"/index.html": page_html.encode()}) as address:
        yield f"{address}/index.html"


@pytest.fixture(scope="module")
def tab(visit):
    with visit() as tab:
        tab.page.requests = []
        tab.page.on("request", lambda request: tab.page.requests.append(request.url))
        yield tab.page
        tab.check_quiet()


class Hero(LiveHand):
    """On the control below the recorded creation."""

    def __init__(self, page, address, fragment="", motion="reduce"):
        page.emulate_media(reduced_motion=motion)
        page.goto("about:blank")  # a new fragment alone loads nothing
        page.requests.clear()
        page.goto(address + fragment)
        page.locator(".hero .draw").wait_for()  # awake
        super().__init__(page)
        self.bar = self.root.locator(".replay")
        self.slider = self.bar.get_by_role("slider")
        self.hint = page.locator(".hint")

    def pixels(self, column=0):
        canvas = self.root.locator(".drawn canvas").nth(column)
        return pixels(canvas)

    def titles(self):
        return self.root.locator(".drawn figcaption").all_inner_texts()

    def packs(self, network):
        """Which of its packs were asked for."""
        return [url for url in self.page.requests if f"checkpoints-{network}" in url]

    def starts(self):
        """What stands in the controls."""

        def chosen(name):
            group = self.root.get_by_role("radiogroup", name=name)
            return group.locator("label:has(:checked)").inner_text()

        return {
            "wish": self.root.get_by_label("wish", exact=True).input_value(),
            "style": chosen("style"),
            "network": chosen("network"),
            "guidance": self.root.get_by_label("guidance").input_value(),
            "seed": self.root.get_by_label("seeds", exact=True).input_value(),
        }


def pixels(canvas):
    """(H, W, 3) of a canvas, as ints."""
    width, *flat = canvas.evaluate(
        "(c) => [c.width, ...c.getContext('2d').getImageData(0, 0, c.width, c.height).data]"
    )
    return np.array(flat).reshape(-1, width, 4)[..., :3]


USUAL = {"wish": "a red apple", "style": "noto", "guidance": "3", "seed": "0", "network": "swift"}
OLD = USUAL | {"network": "demiurge"}  # a link without a network brings what it always brought


# ---- before the first click ---------------------------------------------------------------------


def test_a_recorded_creation_plays_at_once_and_stops_for_the_keyboard(tab, address):
    hero = Hero(tab, address, motion="no-preference")
    reached = []
    for _ in range(3):
        tab.keyboard.press("Tab")
        reached.append(tab.evaluate("document.activeElement.textContent"))
    assert reached == ["", "Draw", "Pause"]  # first the wish
    before = hero.slider.input_value()
    tab.wait_for_function(
        "(before) => document.querySelector('.replay input').value !== before", arg=before
    )
    assert hero.root.locator(".caption").get_attribute("aria-live") == "off"
    tab.keyboard.press("Enter")
    hero.bar.get_by_role("button", name="Play").wait_for()
    place, picture = hero.slider.input_value(), hero.pixels()
    tab.wait_for_timeout(600)  # four frames of the recording
    assert hero.slider.input_value() == place and (hero.pixels() == picture).all()
    assert hero.root.locator(".caption").get_attribute("aria-live") == "polite"
    assert not [url for url in tab.requests if "/packs/" in url]


def test_where_motion_disturbs_nothing_moves_until_asked(tab, address):
    hero = Hero(tab, address)
    hero.bar.wait_for()
    assert hero.bar.get_by_role("button").inner_text() == "Play"
    wishes, frames = first_page.wishes(), STEPS + 1
    assert hero.words == f"recorded: {wishes[-1]}, finished"
    assert hero.titles() == ["the picture so far", "predicted clean picture"]
    hero.slider.press("Home")
    for i, wish in enumerate(wishes):
        for k in range(frames):
            where = f"step {k + 1} of {STEPS}" if k < STEPS else "finished"
            assert hero.seen()[1] == f"recorded: {wish}, {where}"
            assert hero.slider.get_attribute("aria-valuetext") == hero.words
            assert int(hero.slider.input_value()) == i * frames + k
            hero.slider.press("ArrowRight")


def test_the_recording_shows_what_the_demiurge_saw(tab, address):
    """The pictures so far are made in the page again, of noise and predictions; within what WebP
    loses they are those of Python."""
    demiurge, words = first_page._network("demiurge")
    with in_float32():
        model = first_page.guided(demiurge, words.encode(first_page.wishes()[1], "noto"))
        *steps, end = first_page.with_end(ddim(model, first_page.pure_noise(1), STEPS))
    hero = Hero(tab, address)
    hero.bar.wait_for()
    hero.slider.press("Home")
    for _ in range(STEPS + 1):
        hero.slider.press("ArrowRight")
    for step in steps:
        assert np.abs(hero.pixels(0) - to_uint8(step.x_t)[0].astype(int)).mean() < 8
        assert np.abs(hero.pixels(1) - to_uint8(step.clean)[0].astype(int)).mean() < 8
        hero.slider.press("ArrowRight")
    assert np.abs(hero.pixels(0) - to_uint8(end.clean)[0].astype(int)).max() <= 1


def test_little_is_loaded_before_the_first_click(tab, address, page_html):
    assert len(page_html.encode()) < OURS
    Hero(tab, address).bar.wait_for()
    assert [url for url in tab.requests if not url.startswith(("data:", "blob:"))] == [address]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_is_accessible(tab, address, scheme):
    tab.emulate_media(color_scheme=scheme)
    Hero(tab, address, "#wish=a+dog").hint.wait_for()
    tab.evaluate("document.querySelectorAll('details').forEach((fold) => { fold.open = true; })")
    check_accessible(tab, "body")
    tab.emulate_media(color_scheme="light")


def test_it_fits_a_phone_and_a_projector(tab, address):
    normal = tab.viewport_size
    for size in (PHONE, PROJECTOR):
        tab.set_viewport_size(size)
        hero = Hero(tab, address)
        tab.evaluate(
            "document.querySelectorAll('details').forEach((fold) => { fold.open = true; })"
        )
        assert tab.evaluate("document.documentElement.scrollWidth") <= size["width"]
        wide = [c.bounding_box()["width"] for c in hero.root.locator(".drawn canvas").all()]
        assert min(wide) >= (150 if size is PHONE else 400)  # seen from the back row
    tab.set_viewport_size(normal)


# ---- a wish in a link ---------------------------------------------------------------------------


def test_a_link_fills_the_controls_and_loads_nothing(tab, address):
    hero = Hero(tab, address, "#wish=синее+сердце&style=twemoji&guidance=4.5&seed=7")
    assert hero.starts() == {
        "wish": "синее сердце",
        "style": "twemoji",
        "network": "demiurge",
        "guidance": "4.5",
        "seed": "7",
    }
    assert hero.hint.inner_text().startswith("A link brought the wish “синее сердце”. Press Draw")
    hero.wait_for("синее сердце, still noise: press Draw")
    assert hero.pixels().std() > 60  # noise
    assert not [url for url in tab.requests if "/packs/" in url]
    tab.evaluate("location.hash = '#wish=dog'")  # pasted into the address bar
    hero.wait_for("dog, still noise: press Draw")
    assert hero.starts() == OLD | {"wish": "dog"}


WISH = "<img src=x onerror=alert(1)>"


@pytest.mark.parametrize(
    "fragment, starts",
    [
        ("#the-map-of-the-lessons", USUAL),  # a heading of the page
        ("#", USUAL),
        ("#wish=", OLD | {"wish": ""}),
        ("#wish=dog", OLD | {"wish": "dog"}),
        ("#wish=%3Cimg%20src=x%20onerror=alert(1)%3E", OLD | {"wish": WISH}),
        ("#wish=</script><script>a()</script>", OLD | {"wish": "</script><script>a()</script>"}),
        ("#wish=cat&__proto__=1&constructor=2&parts=3", OLD | {"wish": "cat"}),
        ("#wish=cat&guidance=2.26", OLD | {"wish": "cat", "guidance": "2.5"}),
        ("#wish=a%0A%09cat%00", OLD | {"wish": "a cat\0"}),
        ("#wish=%E2%80%AEc%00at%E2%81%A6", OLD | {"wish": "c at"}),  # would turn words around
        ("#wish=cat&network=swift", USUAL | {"wish": "cat"}),
        ("#wish=cat&wish=dog", OLD | {"wish": "cat"}),
    ],
)  # fmt: skip
def test_what_a_link_says_is_only_words(tab, address, fragment, starts):
    hero = Hero(tab, address, fragment)
    assert hero.starts() == starts | {
        "wish": starts["wish"].replace("\0", hero.starts()["wish"][5:])
    }
    assert not tab.locator(".play img[src=x]").count()


@pytest.mark.parametrize(
    "fragment",
    [
        *("#wish=cat&style=oil", "#wish=cat&style=0", "#wish=cat&style=constructor"),
        *("#wish=cat&network=", "#wish=cat&network=Swift"),
        *(
            "#wish=cat&seed=-1",
            "#wish=cat&seed=1.5",
            "#wish=cat&seed=2147483648",
            "#wish=cat&seed=0x10",
        ),
        *(
            "#wish=cat&guidance=11",
            "#wish=cat&guidance=NaN",
            "#wish=cat&guidance=1e1",
            "#wish=cat&seed=",
        ),
        "#wish=" + "cat+" * 60,
        "#wish=cat&more=" + "x" * 100_000,
    ],
    ids=lambda fragment: fragment[:30],
)
def test_a_damaged_link_gives_the_usual_wish_and_one_sentence(tab, address, fragment):
    hero = Hero(tab, address, fragment)
    assert hero.starts() == USUAL
    assert hero.hint.inner_text() == "This link is damaged, so the usual wish stands here."


def test_a_copied_link_brings_the_same(tab, address):
    hero = Hero(tab, address, "#wish=два+кота+%26+%23+%25&style=any&guidance=0.5&seed=2147483647")
    starts = hero.starts()
    assert starts["wish"] == "два кота & # %"
    hero.root.get_by_role("button", name="Copy the link").click()
    said(hero.root, "The link to this wish|Copied")
    assert Hero(tab, address, "#" + tab.url.partition("#")[2]).starts() == starts


# ---- the first click ----------------------------------------------------------------------------


LISTEN = """() => {
  window.heard = new Set(); // all that was ever said; some of it for a moment only
  new MutationObserver(() => {
    document.querySelectorAll(".caption, .loading").forEach((each) => heard.add(each.textContent));
  }).observe(document.querySelector(".play"), { subtree: true, childList: true });
}"""
HEARD = "(words) => [...heard].some((said) => said.startsWith(words))"


def test_the_picture_follows_while_one_types_and_drags(tab, address):
    hero = Hero(tab, address)
    hero.root.get_by_label("wish", exact=True).fill("a blue heart")
    hero.wait_for("a blue heart, finished in 4 calls")
    hero.settle()
    with in_float32():
        ((last, words, _),) = first_page.create("a blue heart", "noto", "swift", 3, [0])
    for column, name in enumerate(last):
        assert np.abs(hero.pixels(column) - to_uint8(last[name])[0].astype(int)).max() <= 1
    assert hero.words == words and hero.titles() == list(last)
    assert hero.bar.is_hidden()
    hero.root.get_by_role("button", name="Save GIF").click()
    said(hero.root, "One picture does not move")
    for _ in range(2):
        hero.changes(lambda: hero.root.get_by_label("guidance").press("ArrowRight"))
    pull(tab, hero.root.locator(".dragged"), 30)
    hero.settle()
    assert int(hero.starts()["seed"]) == 5
    pull(tab, hero.root.locator(".dragged"), -90)  # no further than to the first
    finished = hero.settle()
    assert int(hero.starts()["seed"]) == 0
    many = int(hero.slider.input_value()) + 1
    assert many >= 5 and hero.bar.inner_text().endswith("your pictures")
    film, name = saved(hero.root, "Save GIF")
    assert film.n_frames == many and name == "a blue heart, finished in 4 calls.gif"
    hero.slider.press("Home")  # what the hand did can be played again
    assert hero.seen()[0] != finished[0]
    assert hero.packs("swift") and not hero.packs("demiurge")

    tab.evaluate(LISTEN)
    hero.root.get_by_label("demiurge").check()
    for words in ("Loading the network", "a blue heart, step 1 of 20", "a blue heart, finished"):
        tab.wait_for_function(HEARD, arg=words)
    hero.settle()
    assert hero.titles() == ["the picture so far", "predicted clean picture"]
    assert hero.slider.input_value() == "20"
    packs = hero.packs("demiurge")
    assert packs and len(packs) == len(set(packs))
    hero.changes(hero.root.get_by_label("swift").check)
    assert hero.words == "a blue heart, finished in 4 calls" and hero.packs("demiurge") == packs


def pull(page, handle, by):
    """Drag something to the side by so many pixels."""
    box = handle.bounding_box()
    x, y = box["x"] + 4, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + by, y, steps=6)
    page.mouse.up()
    page.evaluate(TWO_FRAMES)


def test_a_link_of_the_demiurge_draws_what_pytorch_draws(tab, address):
    hero = Hero(tab, address, "#wish=a+blue+heart&style=fluent&guidance=1&seed=5", "no-preference")
    tab.evaluate(LISTEN)
    hero.root.get_by_label("wish").click()  # or Draw, or Enter, as below
    for words in ("Loading the network", "a blue heart, step 1 of 20", "a blue heart, finished"):
        tab.wait_for_function(HEARD, arg=words)
    hero.settle()
    with in_float32():
        *_, (last, words, _) = first_page.create("a blue heart", "fluent", "demiurge", 1, [5])
    for column in (0, 1):
        want = to_uint8(last["the picture so far"])[0].astype(int)
        assert np.abs(hero.pixels(column) - want).max() <= 1
    assert hero.words == words and hero.slider.input_value() == "20"
    finished = hero.seen()
    hero.slider.press("Home")  # what was drawn can be played again
    assert hero.seen()[1] == "a blue heart, step 1 of 20" and hero.seen()[0] != finished[0]
    hero.bar.get_by_role("button", name="Play").click()
    hero.wait_for("a blue heart, finished")  # it stops there
    hero.bar.get_by_role("button", name="Play").wait_for()
    assert hero.seen() == finished
    film, name = saved(hero.root, "Save GIF")
    assert film.format == "GIF" and film.n_frames == 21 and name == "a blue heart, finished.gif"

    # the other two begin with swift, and share what is loaded
    others = {
        "One wish in six styles": "a strawberry, finished in 4 calls; guidance 0 is heard as 1",
        "From one wish to another": "90 % a red apple, 10 % a blue heart",
    }
    for nth, (summary, words) in enumerate(others.items(), start=1):
        tab.get_by_text(summary).click()
        hand = LiveHand(tab, nth)
        hand.root.get_by_label("guidance").press("Home")
        hand.root.get_by_role("textbox").last.press("Enter")
        tab.wait_for_function(HEARD, arg=words)
    for network in first_page.NEEDS:
        assert len([url for url in tab.requests if f"{network}.step" in url]) == 1
    packs = [url for url in tab.requests if "/packs/" in url]  # another edition, another address
    assert packs and all(re.search(r"\.js\?[0-9a-f]{8}$", url) for url in packs)


# ---- what draws ---------------------------------------------------------------------------------

NETWORK = {
    "network": Choice(("swift", "demiurge")),
    "guidance": Slider(0, 10, start=3, step=0.5),
}
LOOK = {"style": Choice(first_page.looks(), start="noto"), **NETWORK}
PARTS = {
    first_page.create: {"wish": Prompt("a red apple"), **LOOK, "seeds": Seeds()},
    first_page.sheet: {"wish": Prompt("a strawberry"), **NETWORK, "seed": Seed()},
    first_page.morph: {
        "first_wish": Prompt("a red apple"),
        "second_wish": Prompt("a blue heart"),
        **LOOK,
        "seed": Seed(),
    },
}


@pytest.mark.parametrize("draw", PARTS, ids=lambda draw: draw.__name__)
def test_each_drawing_has_its_mirror(draw):
    needs = ["swift", "demiurge"]
    assert mirrors.living_part(draw) == {"draw": draw.__name__, "needs": needs, "own": {}}


def test_a_page_draws_swiftly_as_python_does(draws):
    create, sheet, _ = PARTS
    draws(create, PARTS[create], [{"wish": "кот", "style": 0, "guidance": 7, "seeds": [3, True]}])
    draws(sheet, PARTS[sheet], [{"wish": "a roket", "guidance": 0.5, "seed": 4}])


@pytest.mark.slow
@pytest.mark.parametrize("network", [0, 1], ids=first_page.NEEDS)
@pytest.mark.parametrize(
    "draw, move",
    [
        (first_page.create, {"wish": "зелёное дерево", "style": 2, "seeds": [3, True]}),
        (first_page.sheet, {"wish": "a roket", "seed": 4}),
        (first_page.morph, {"first_wish": "кот", "second_wish": "", "style": 0, "seed": 1}),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_a_page_draws_as_python_does(draws, draw, move, network):
    draws(draw, PARTS[draw], [move | {"network": network}])


def test_the_wish_is_that_of_the_first_lesson():
    """The same controls as in the lesson, which start at the same values; old links bring any
    guidance, so there is more of it here."""
    lesson = json.loads((REPO / "notebooks" / "00_start_here.ipynb").read_text("utf-8"))
    (source,) = ["".join(c["source"]) for c in lesson["cells"] if c["id"] == "creation-live"]
    found = {}
    space = {
        name: getattr(first_page, name)
        for name in ("Choice", "Prompt", "Seeds", "Slider", "STYLES")
    }
    exec(source, space | {"live": lambda draw, **parts: found.update(parts)})
    del found["alt"]
    ours = PARTS[first_page.create] | {"guidance": Slider(1, 6, start=3, step=0.5)}
    assert {n: p.spec() for n, p in found.items()} == {n: p.spec() for n, p in ours.items()}


# ---- one file -----------------------------------------------------------------------------------


@pytest.mark.slow
def test_the_page_in_one_file_draws_from_a_disk(visit, page_html, tmp_path):
    path = tmp_path / "one.html"
    path.write_text(pages.in_one_file(page_html), "utf-8")
    with visit() as tab:
        tab.page.requests = []
        hero = Hero(tab.page, path.as_uri())
        hero.root.get_by_role("button", name="Draw").press("Enter")
        hero.wait_for("a red apple, finished")
        hero.settle()
        with in_float32():
            *_, (last, *_) = first_page.create("a red apple", "noto", 3, [0])
        want = to_uint8(last["the picture so far"])[0].astype(int)
        assert np.abs(hero.pixels() - want).max() <= 1
        tab.check_quiet()
