"""The hand, the eye and the ear of a student on the controls of a page."""

import io
import re
import time
from pathlib import Path

import numpy as np
from axe_playwright_python.sync_playwright import Axe
from PIL import Image, ImageDraw
from playwright.sync_api import Error

PROJECTOR = {"width": 1920, "height": 1080}
# Two frames later, a page has handled what the hand did, and everything stands where it belongs.
TWO_FRAMES = "() => new Promise((go) => requestAnimationFrame(() => requestAnimationFrame(go)))"


class Hand:
    """On one scrubber: moves it, and reads what the eye and the ear get."""

    def __init__(self, page, nth=0):
        self.page, self.root = page, page.locator(".scrubber").nth(nth)
        self.root.locator("canvas").first.wait_for()  # awake
        self.slider = self.root.get_by_role("slider")
        self.slider.scroll_into_view_if_needed()
        self.last = int(self.slider.get_attribute("max"))

    @property
    def frame(self):
        return int(self.slider.input_value())

    @property
    def words(self):
        """The caption, after checking that the ear gets the same words as the eye."""
        words = self.root.locator(".caption").inner_text()
        assert self.slider.get_attribute("aria-valuetext") == words
        for picture in self.root.get_by_role("img").all():
            assert picture.get_attribute("aria-label").endswith(f": {words}")
        return words

    def pixels(self, column=0):
        """The picture of one column as a data URI."""
        canvas = self.root.locator("canvas").nth(column)
        return canvas.evaluate("(canvas) => canvas.toDataURL()")

    def all_pixels(self):
        return [self.pixels(i) for i in range(self.root.locator("canvas").count())]

    def drag(self, start, end):
        """Press at one end (0 left, 1 right), move in small steps, release at the other."""
        drag(self.page, self.slider, start, end)

    def photo(self, path):
        """A screenshot of the scrubber; pytest prints the path when the test fails."""
        print(f"screenshot: {path}")
        return self.root.screenshot(path=path)


class LiveHand:
    """On one live control; `settle` waits until Python has answered the newest request."""

    def __init__(self, page, nth=0):
        self.page, self.root = page, page.locator(".sculptor.live").nth(nth)
        self.root.scroll_into_view_if_needed()

    @property
    def words(self):
        return self.root.locator(".last .caption").inner_text()

    @property
    def trouble(self):
        return self.root.locator(".trouble").inner_text()

    @property
    def offers(self):
        """What the ear gets of the buttons that replace an unknown word."""
        buttons = self.root.locator(".offers").get_by_role("button")
        return [button.get_attribute("aria-label") for button in buttons.all()]

    def seen(self):
        """All that the eye can get: the pictures and the words below them."""
        canvases = self.root.locator("canvas:not(.board)")
        pictures = canvases.evaluate_all("(all) => all.map((canvas) => canvas.toDataURL())")
        labels = canvases.evaluate_all("(all) => all.map((canvas) => canvas.ariaLabel)")
        assert all(label.endswith(self.words) for label in labels), labels
        return pictures, self.words

    def wait_for(self, words):
        """Wait until `words` stand below the pictures; if they never do, say what stood there."""
        try:
            self.root.get_by_text(words).wait_for()
        except Error:
            busy = self.root.locator('[aria-busy="true"]').count()
            raise AssertionError(
                f"waited for {words!r}, got {self.words!r}, trouble {self.trouble!r}, busy {busy}"
            ) from None

    def settle(self, timeout=60):  # seconds: two requests of 50 steps on a busy machine
        """Wait until nothing is computed any more."""
        self.page.evaluate(TWO_FRAMES)  # the browser has handed every event on to the control
        busy = self.root.locator('[aria-busy="true"]')
        busy.first.wait_for(state="detached", timeout=timeout * 1000)
        return self.seen()

    def keep(self):
        """Press Keep and wait for what Python says about it."""
        self.root.get_by_role("button", name="Keep").click()
        return said(self.root, "Kept: |cannot")

    def changes(self, act):
        """Do something, and require that another picture or other words come of it."""
        before = self.seen()
        act()
        end = time.monotonic() + 10  # a busy browser may hand the event on late
        while (after := self.settle()) == before and time.monotonic() < end:
            pass
        assert after != before and not self.trouble
        return after


def said(root, pattern):
    """What stands beside the buttons, once it matches."""
    status = root.get_by_role("status").filter(has_text=re.compile(pattern))
    status.wait_for()
    return status.inner_text()


def saved(root, name):
    """Press a button that saves; returns the picture that comes and the name of its file."""
    with root.page.expect_download() as download:
        root.get_by_role("button", name=name).click()
    file = download.value.suggested_filename
    said(root, re.escape(f"Saved: {file}"))
    return Image.open(io.BytesIO(Path(download.value.path()).read_bytes())), file


def pictures_in(image, *sizes):
    """The pictures in a saved one, each (H, W, 3), whose titles have one line; `sizes` are (H, W).

    Each pixel must have become a square of pixels alike.
    """
    pixels, left, found = np.array(image.convert("RGB")), 16, []
    for height, width in sizes:
        scale = max(1, round(min(256 / height, 1024 / width)))
        large = pixels[41 : 41 + height * scale, left : left + width * scale]
        small = large[::scale, ::scale]
        assert (large == small.repeat(scale, 0).repeat(scale, 1)).all()
        found.append(small)
        left += width * scale + 16
    return found


class PredictionHand:
    """On one prediction, and on what the lesson reveals about it."""

    def __init__(self, page, nth=0):
        self.page, self.root = page, page.locator(".sculptor.prediction").nth(nth)
        self.root.locator(".asleep").wait_for(state="detached")  # awake
        self.name = self.root.get_attribute("data-prediction")
        self.revealed = page.locator(f'.sculptor.revealed[data-prediction="{self.name}"]')
        self.revealed.locator(".asleep").wait_for(state="detached")
        self.radios = self.root.get_by_role("radio")
        self.options = [radio.get_attribute("value") for radio in self.radios.all()]  # their keys
        words = self.root.locator("label").all_inner_texts()
        self.words = dict(zip(self.options, words))

    @property
    def chosen(self):
        return [radio.get_attribute("value") for radio in self.radios.all() if radio.is_checked()]

    @property
    def verdict(self):
        """right, wrong or none, after checking that the words and the folds say the same."""
        verdict = self.revealed.get_attribute("data-verdict")
        said = self.revealed.locator(".said").inner_text()
        truth = self.revealed.get_attribute("data-truth")
        opened = self.revealed.locator("details[open]").all()
        names = {part.get_attribute("data-option") for part in opened}
        assert names == ({*self.chosen, truth} if self.chosen else set())
        assert all(part.locator("p").is_visible() for part in opened)
        if verdict == "none":
            assert not self.chosen and said.startswith("You made no prediction")
        else:
            assert said.startswith(f"You said: {self.words[self.chosen[0]]}. ")
            assert (verdict == "right") == (self.chosen == [truth]) == said.endswith("So it was.")
        return verdict

    def choose(self, option):
        """Click on the words of the option with this key, as a reader does."""
        self.root.locator("label").nth(self.options.index(option)).click()

    def start_over(self):
        self.root.get_by_role("button", name="Start over").click()


def drag(page, slider, start, end, steps=20):
    """Drag a slider from one place to another (0 left, 1 right) with the mouse."""
    slider.hover()  # waits until it stands still
    box = slider.bounding_box()
    places = [box["x"] + 10 + (box["width"] - 20) * place for place in (start, end)]
    y = box["y"] + box["height"] / 2
    page.mouse.move(places[0], y)
    page.mouse.down()
    page.mouse.move(places[1], y, steps=steps)
    page.mouse.up()


def check_scrubber(hand, folder=None):
    """Drag from one end to the other, then by keys: pictures and words must follow."""
    hand.drag(1, 0)
    assert hand.frame == 0
    first = hand.all_pixels(), hand.words
    if folder:
        hand.photo(folder / "first.png")
    hand.drag(0, 1)
    assert hand.frame == hand.last
    last = hand.all_pixels(), hand.words
    if folder:
        hand.photo(folder / "last.png")
    assert first[0] != last[0] and first[1] != last[1]

    for key, frame in [
        ("ArrowLeft", hand.last - 1),
        ("ArrowRight", hand.last),
        ("ArrowDown", hand.last - 1),
        ("ArrowUp", hand.last),
        ("Home", 0),
        ("End", hand.last),
    ]:
        hand.slider.press(key)
        assert hand.frame == frame, f"{key} led to frame {hand.frame}, not {frame}"
        if frame in (0, hand.last):
            assert (hand.all_pixels(), hand.words) == (first, last)[frame > 0]
    radios = hand.root.get_by_role("radio").all()
    for radio in radios[1:]:
        before = hand.all_pixels(), hand.words
        radio.check()
        assert (hand.all_pixels(), hand.words) != before
    hand.root.get_by_role("button", name="Start over").press("Enter")
    if radios:
        assert radios[0].is_checked()


def check_play(hand):
    """Play from the start to the end with the keyboard, pause on the way."""
    hand.slider.press("End")
    hand.page.keyboard.press("Shift+Tab")  # the button stands before the slider
    hand.page.keyboard.press("Space")
    pause = hand.root.get_by_role("button", name="Pause")
    pause.wait_for()
    assert hand.frame < hand.last  # it began again
    pause.click()
    frame = hand.frame
    hand.page.wait_for_timeout(900)
    assert hand.frame == frame < hand.last
    hand.root.get_by_role("button", name="Play").press("Enter")
    hand.root.get_by_role("button", name="Play").wait_for()  # it stops by itself
    assert hand.frame == hand.last and hand.words


def check_live(hand):
    """Move every part of a live control by mouse and by keyboard; the picture must follow."""
    page, root = hand.page, hand.root
    start = hand.settle()
    for slider in root.get_by_role("slider").all():
        _check_slider(hand, slider)
    for group in root.locator(".choices[role=radiogroup]").all():
        radios = group.get_by_role("radio")
        hand.changes(radios.last.check)
        hand.changes(lambda: page.keyboard.press("ArrowUp"))
    for box in root.get_by_role("checkbox").all():
        hand.changes(box.click)
        hand.changes(lambda: page.keyboard.press("Space"))
    for field in root.get_by_role("spinbutton").all():  # of a seed, or of a slider with thousands
        field.scroll_into_view_if_needed()
        number = min(12345, int(field.get_attribute("max")) - 1)
        hand.changes(lambda: field.fill(str(number)))  # noqa: B023
        hand.changes(lambda: field.press("ArrowUp"))  # noqa: B023
    for dice in root.get_by_role("button", name="Roll the dice").all():
        hand.changes(dice.click)
    for box in root.get_by_role("textbox").all():
        _check_prompt(hand, box)
    for board in root.get_by_role("application").all():
        _check_board(hand, board)
    root.get_by_role("button", name="Start over").click()
    again = hand.settle()
    if hand.words.startswith("kept in the folder"):  # files stay, and the board is empty
        assert hand.words.endswith("; the board is empty")
    else:
        assert again == start
    return start


def check_moves(hand):
    """Move one part of a live control by mouse, then by keys; the picture must follow."""
    keys, root = hand.page.keyboard, hand.root
    slider, box = root.get_by_role("slider").first, root.get_by_role("checkbox").first
    if slider.count():
        at_end = slider.input_value() == slider.get_attribute("max")
        end = 8 if at_end else slider.bounding_box()["width"] - 8
        hand.changes(lambda: slider.click(position={"x": end, "y": 8}))
        hand.changes(lambda: keys.press("ArrowRight" if at_end else "ArrowLeft"))
    elif box.count():
        hand.changes(box.click)
        hand.changes(lambda: keys.press("Space"))
    else:
        hand.changes(lambda: root.get_by_role("textbox").first.fill("blue heart"))
        hand.changes(lambda: keys.press("Backspace"))


def check_prediction(hand):
    """Give each answer by mouse: what is revealed follows, and the question is silent."""
    hand.start_over()
    assert hand.verdict == "none"
    question = hand.root.inner_text()
    for part in hand.revealed.locator("details").all():
        assert part.locator("p").text_content() not in question
        part.locator("summary").click()  # without an answer each explanation can be unfolded
        assert part.locator("p").is_visible()
        part.locator("summary").press("Enter")
        assert not part.locator("p").is_visible()
    verdicts = []
    for option in hand.options:
        hand.choose(option)
        assert hand.chosen == [option]
        verdicts.append(hand.verdict)
        assert not any(word in hand.root.inner_text() for word in ("So it was", "It was not"))
    assert verdicts.count("right") == 1 and "none" not in verdicts
    hand.start_over()


def check_prediction_keys(hand):
    """Give each answer by keys alone, then start over."""
    hand.start_over()
    hand.radios.first.press("Space")
    assert hand.chosen == hand.options[:1]
    verdicts = []
    for option in [*hand.options[1:], hand.options[0]]:  # round once
        hand.page.keyboard.press("ArrowDown")
        assert hand.chosen == [option]
        verdicts.append(hand.verdict)
    assert verdicts.count("right") == 1 and "none" not in verdicts
    hand.page.keyboard.press("Tab")
    hand.page.keyboard.press("Enter")  # the button that follows starts over
    assert hand.verdict == "none"


class Show:
    """A notebook shown as slides, in the hands of somebody with a mouse and a keyboard."""

    def __init__(self, page):
        self.page = page
        page.set_viewport_size(PROJECTOR)
        page.evaluate("jupyterapp.shell.currentWidget.content.activeCellIndex = 0")
        page.locator("[data-command='deck:toggle']").click()
        page.locator(".jp-deck-mod-stop").wait_for()
        page.wait_for_timeout(1200)  # it closes the side bars once more after a second

    def seen(self):
        """The ids of the cells that the audience sees, at least in part."""
        return self.page.evaluate(
            """() => jupyterapp.shell.currentWidget.content.widgets.filter(({ node }) => {
              const { top, bottom, height } = node.getBoundingClientRect();
              const shown = node.checkVisibility({ visibilityProperty: true });
              return shown && height > 8 && top < innerHeight && bottom > 0;
            }).map(({ model }) => model.id)"""
        )

    def press(self, key, leads_to):
        self.page.keyboard.press(key)
        self.arrive(leads_to)

    def arrive(self, cell):
        """Wait until the slide with this cell is shown and stands still."""
        self.page.wait_for_function(
            "(id) => jupyterapp.shell.currentWidget.content.activeCell.model.id === id",
            arg=cell,
        )
        self.page.evaluate(TWO_FRAMES)

    def font_sizes(self):
        """In pixels, of every paragraph of prose that is shown."""
        return self.page.evaluate(
            """() => [...document.querySelectorAll(".jp-deck-mod-onscreen .jp-RenderedMarkdown p")]
              .map((p) => parseFloat(getComputedStyle(p).fontSize))"""
        )

    def leave(self):
        self.page.keyboard.press("Escape")
        self.page.locator(".jp-deck-mod-stop").wait_for(state="detached")


# Every slide: its first cell, and what is wrong with it. A wrong prediction is told most, so the
# questions are answered wrongly first.
SLIDES = """async () => {
  for (const asked of document.querySelectorAll(".sculptor.prediction")) {
    const same = `[data-prediction="${asked.dataset.prediction}"]`;
    const truth = document.querySelector(`.sculptor.revealed${same}`)?.dataset.truth;
    [...asked.querySelectorAll("[type=radio]")].find(({ value }) => value !== truth).click();
  }
  const notebook = jupyterapp.shell.currentWidget.content, slides = [];
  const outside = (part) => Math.max(
    part.scrollWidth - part.clientWidth, part.scrollHeight - part.clientHeight);
  for (const [i, { model }] of notebook.widgets.entries()) {
    const kind = model.getMetadata("slideshow")?.slide_type;
    if (!["slide", "subslide"].includes(kind)) continue;
    notebook.activeCellIndex = i;
    let cells, ends, before, now; // until it stands still: what reacts to its new size has done so
    do {
      before = now;
      for (let frame = 0; frame < 3; frame++) await new Promise(requestAnimationFrame);
      cells = notebook.widgets.filter(({ node }) => node.matches(".jp-deck-mod-onscreen"));
      ends = cells.map(({ node }) => node.getBoundingClientRect());
      now = JSON.stringify(cells.map(({ model }, n) => [model.id, ends[n]]));
    } while (now !== before);
    const height = Math.max(...ends.map(({ bottom }) => bottom)) - ends[0].top;
    const wrong = [];
    if (height > innerHeight) {
      const each = cells.map((cell, n) => `${cell.model.id} ${Math.round(ends[n].height)}`);
      wrong.push(`${Math.ceil(height - innerHeight)} pixels too tall (${each.join(", ")})`);
    }
    if (height < 40) wrong.push("empty");
    for (const { model, node } of cells) {
      const boxes = ".cm-scroller, .jp-OutputArea-output, .jp-MarkdownOutput";
      const hidden = Math.max(0, ...[...node.querySelectorAll(boxes)].map(outside));
      if (hidden > 2) wrong.push(`${hidden} pixels of ${model.id} are out of sight`);
      const bar = node.querySelector(".jp-Placeholder");
      if (bar && getComputedStyle(bar).opacity > 0) wrong.push(`a bar of folded code: ${model.id}`);
      const signs = [...node.querySelectorAll(".jp-InternalAnchorLink")];
      if (signs.some((sign) => sign.checkVisibility())) wrong.push(`a paragraph sign: ${model.id}`);
    }
    slides.push({ name: model.id, wrong });
  }
  return slides;
}"""


def check_slides(page):
    """Each slide of the lesson fits the projector's screen, with nothing cut off."""
    show = Show(page)
    page.mouse.move(0, 0)  # folded code shows itself below the mouse only
    slides = page.evaluate(SLIDES)
    show.leave()
    wrong = [
        f"slide {slide['name']}: {'; '.join(slide['wrong'])}" for slide in slides if slide["wrong"]
    ]
    assert slides and not wrong, (
        "begin a new slide or subslide in the middle of these, or scale what they show:\n"
        + "\n".join(wrong)
    )


def check_accessible(page, selector):
    """No violation of the rules that axe-core knows (names, roles, contrast, alt text)."""
    found = Axe().run(page, context=selector, options={"resultTypes": ["violations"]})
    assert not found.response["violations"], found.generate_report()


def _check_slider(hand, slider):
    ends = [slider.get_attribute(name) for name in ("min", "max")]
    away = 0 if slider.input_value() != ends[0] else 1
    hand.changes(lambda: drag(hand.page, slider, 1 - away, away))
    assert slider.input_value() == ends[away]  # a slider may stay at its end
    hand.changes(lambda: slider.press("Home" if away else "End"))
    assert slider.input_value() == ends[1 - away]
    hand.changes(lambda: slider.press("ArrowLeft" if away == 0 else "ArrowRight"))
    assert slider.get_attribute("aria-valuetext") == slider.input_value()


def _check_prompt(hand, box):
    """Type in both languages, add a word key by key, empty the box."""
    box.scroll_into_view_if_needed()
    hand.changes(lambda: box.fill("a green circle above a red square"))
    hand.changes(lambda: box.fill("большой синий квадрат слева от маленького круга"))

    def type_on():
        box.press("End")
        box.press_sequentially(" and stars")

    hand.changes(type_on)
    hand.changes(lambda: box.fill(""))
    hand.changes(lambda: box.fill("<b>an apple</b>"))


def _check_board(hand, board):
    """Paint with the mouse, then with the keys alone; clear; upload."""
    page, root = hand.page, hand.root
    root.get_by_role("radio", name="blue").check()

    def paint():
        board.hover(position={"x": 20, "y": 20})  # waits until the page stands still
        box = board.bounding_box()
        page.mouse.down()
        page.mouse.move(box["x"] + box["width"] * 0.7, box["y"] + box["height"] * 0.6, steps=12)
        page.mouse.up()

    hand.changes(paint)
    root.get_by_role("radio", name="red").press("Space")

    def keys():
        board.press("Space")
        for _ in range(9):
            board.press("Shift+ArrowUp")

    hand.changes(keys)
    assert root.get_by_text("brush at column").is_visible()
    hand.changes(root.get_by_role("button", name="Clear the board").click)
    upload = root.get_by_label("Upload a picture")
    hand.changes(lambda: upload.set_input_files([_photo()]))
    upload.set_input_files([{"name": "notes.txt", "mimeType": "image/png", "buffer": b"no"}])
    root.get_by_text('"notes.txt" is not a picture').wait_for()


def _photo():
    """A wide picture with something in its middle, as a file that a student may have."""
    picture = Image.new("RGB", (300, 200), "lightblue")
    ImageDraw.Draw(picture).ellipse((100, 50, 200, 150), fill="darkred")
    file = io.BytesIO()
    picture.save(file, format="PNG")
    return {"name": "photo.png", "mimeType": "image/png", "buffer": file.getvalue()}
