"""The lessons in a browser, with mouse and keyboard, as a student meets them."""

import os
import shutil
import subprocess
import sys

import nbformat
import pytest
from browser import (
    REPO,
    chromium,
    jupyter_environment,
    jupyter_lab,
    open_and_run_all,
    open_notebook,
    why_not,
)

LESSON = "04_reverse_sampling.ipynb"
FRAMES = 12

TINY = [
    """\
import torch
from diffusion_helpers.scrubber import scrubber

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


# Scope "module": Playwright's event loop is gone before other files run theirs.
@pytest.fixture(scope="module")
def visit():
    """A function that opens a tab of a real browser."""
    reason = why_not()
    if reason:
        pytest.fail(reason) if os.environ.get("CI") else pytest.skip(reason)
    with chromium() as visit:
        yield visit


@pytest.fixture(scope="module")
def lab(visit, tmp_path_factory):
    """JupyterLab over a copy of the notebooks: what a test runs never reaches the repository."""
    root = tmp_path_factory.mktemp("notebooks")
    if (REPO / "notebooks").exists():
        shutil.copytree(REPO / "notebooks", root, dirs_exist_ok=True)
    nbformat.write(tiny(), root / "tiny.ipynb")
    with jupyter_lab(root, tmp_path_factory.mktemp("jupyter")) as lab:
        yield lab


def tiny():
    """A notebook of two scrubbers."""
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(text) for text in TINY])
    python = {"name": "python3", "display_name": "Python 3", "language": "python"}
    notebook.metadata.kernelspec = python
    return notebook


class Hand:
    """The hand on one scrubber: moves it, and reads what the eye and the ear get."""

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

    def drag(self, start, end):
        """Press at one end (0 left, 1 right), move in small steps, release at the other."""
        box = self.slider.bounding_box()
        places = [box["x"] + 10 + (box["width"] - 20) * place for place in (start, end)]
        y = box["y"] + box["height"] / 2
        self.page.mouse.move(places[0], y)
        self.page.mouse.down()
        self.page.mouse.move(places[1], y, steps=20)
        self.page.mouse.up()

    def photo(self, path):
        """A screenshot of the scrubber; pytest prints the path when the test fails."""
        print(f"screenshot: {path}")
        return self.root.screenshot(path=path)


def check_hand(hand, folder):
    """Drag from chaos to picture, walk with the keys: picture and words must follow."""
    hand.drag(1, 0)
    assert hand.frame == 0
    chaos = hand.pixels(), hand.words, hand.photo(folder / "chaos.png")
    hand.drag(0, 1)
    assert hand.frame == hand.last
    picture = hand.pixels(), hand.words, hand.photo(folder / "picture.png")
    assert all(a != b for a, b in zip(chaos, picture, strict=True))

    for key, frame in [
        ("ArrowLeft", hand.last - 1),
        ("ArrowDown", hand.last - 2),
        ("ArrowRight", hand.last - 1),
        ("ArrowUp", hand.last),
        ("Home", 0),
        ("End", hand.last),
    ]:
        hand.slider.press(key)
        assert hand.frame == frame, f"{key} led to frame {hand.frame}, not {frame}"
        if frame in (0, hand.last):
            assert (hand.pixels(), hand.words) == (chaos, picture)[frame > 0][:2]
    hand.slider.press("PageDown")
    assert hand.frame < hand.last


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


def test_scrubber_in_jupyterlab(visit, lab, tmp_path):
    with visit() as tab:
        open_and_run_all(tab.page, lab, "tiny.ipynb", timeout=120)
        hand = Hand(tab.page)
        assert hand.frame == hand.last == FRAMES - 1  # what came out is shown first
        check_hand(hand, tmp_path)
        check_play(hand)
        tab.check_quiet()


def test_choices_keep_the_frame(visit, lab, tmp_path):
    with visit() as tab:
        open_and_run_all(tab.page, lab, "tiny.ipynb", timeout=120)
        first, hand = Hand(tab.page), Hand(tab.page, nth=1)
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
        tab.check_quiet()


@pytest.fixture(scope="module")
def executed(lab, tmp_path_factory):
    """The tiny notebook, run without a browser: its outputs and its export as one page."""
    folder = tmp_path_factory.mktemp("export")
    convert = [sys.executable, "-m", "nbconvert", "--execute", "--output-dir", folder]
    for kind in ("html", "notebook"):
        command = [*convert, "--to", kind, lab.root / "tiny.ipynb"]
        subprocess.run(command, check=True, env=jupyter_environment(folder))
    return folder


def test_scrubber_lives_on_in_an_exported_page(visit, executed, tmp_path):
    with visit() as tab:
        tab.page.goto((executed / "tiny.html").as_uri())
        hand = Hand(tab.page)
        check_hand(hand, tmp_path)
        check_play(hand)


def test_a_notebook_not_trusted_shows_the_still_picture(visit, lab, executed, tmp_path):
    """JupyterLab runs no script of a notebook that came from elsewhere."""
    shutil.copy(executed / "tiny.ipynb", lab.root / "foreign.ipynb")
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


def test_lesson_04_from_chaos_to_picture(visit, lab, tmp_path):
    with visit() as tab:
        open_and_run_all(tab.page, lab, LESSON, timeout=240)
        check_hand(Hand(tab.page), tmp_path)
        pictures = tab.page.locator(".jp-OutputArea-output img").all()
        nameless = [p for p in pictures if not (p.get_attribute("alt") or "").strip()]
        assert pictures and not nameless, f"{len(nameless)} pictures without alt"
        tab.page.screenshot(path=tmp_path / "lesson.png")
        tab.check_quiet()
