"""The lessons as slides: what each cell says about its slide, and the slides in a browser."""

import json
import re
import shutil

import nbformat
import pytest
from browser import REPO, jupyter_lab, open_and_run_all
from page_objects import Hand, LiveHand

from diffusion_helpers.authoring.notes import NOTE, running_order, stage_notes

NOTEBOOKS = sorted((REPO / "notebooks").glob("*.ipynb"))
LESSON = "01_forward_noising.ipynb"
PROJECTOR = {"width": 1920, "height": 1080}
LOOKS = "@deathbeds/jupyterlab-fonts"  # the notebook's own style on slides

# A notes cell is a dead end for jupyterlab-slideshow: Shift Enter leads there, the screen turns
# empty and no arrow leads away. As a layer of a kind that is never shown, it is passed by.
PASSED_BY = {"layer": "none"}

# ---- what the notebooks say ---------------------------------------------------------------------


def cells_of(path):
    return nbformat.read(path, as_version=4).cells


def kind(cell):
    """slide, subslide, skip, notes, or None: on the slide of the cell above."""
    return cell.metadata.get("slideshow", {}).get("slide_type")


def heading(cell):
    """Whether a section begins in this cell."""
    return cell.cell_type == "markdown" and re.search(r"^## ", cell.source, re.M)


lessons = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


@lessons
def test_every_cell_belongs_to_a_slide(path):
    cells = cells_of(path)
    assert kind(cells[0]) == "slide", f"{path.name} must begin with a slide"
    for cell in cells:
        assert kind(cell) in ("slide", "subslide", "skip", "notes", None), (
            f"{path.name}, cell {cell.id}: {kind(cell)!r} is no type of slide; a cell that stays "
            "on the slide above has no slide_type at all"
        )


@lessons
def test_each_section_begins_a_slide(path):
    for cell in cells_of(path):
        if heading(cell):
            assert cell.source.startswith("## "), (
                f"{path.name}, cell {cell.id}: a section begins in the middle; cut the cell there"
            )
            assert kind(cell) in ("slide", "subslide"), (
                f"{path.name}, cell {cell.id}: make it a slide, or a subslide when it is not shown "
                "on stage"
            )


@lessons
def test_only_what_is_marked_deeper_or_folded_is_skipped(path):
    for cell in cells_of(path):
        if kind(cell) == "skip":
            assert cell.source.startswith(("# Deeper", "<details>")), (
                f"{path.name}, cell {cell.id} is never shown on stage: make it a subslide"
            )


@lessons
def test_speakers_notes_are_folded_and_say_how_long(path):
    for cell in cells_of(path):
        is_note = kind(cell) == "notes"
        layer = cell.metadata.get("jupyterlab-slideshow")
        assert layer == (PASSED_BY if is_note else None), f"{path.name}, cell {cell.id}: {layer}"
        if is_note:
            assert cell.cell_type == "markdown" and NOTE.fullmatch(cell.source), (
                f"{path.name}, cell {cell.id}: fold the note as "
                "<details><summary>On stage, 3 minutes: TITLE</summary>, the words, </details>"
            )
        else:
            assert "<summary>On stage" not in cell.source, f"{path.name}: {cell.id} is a note"


@lessons
def test_the_minutes_add_up_to_the_time_on_stage(path):
    title = cells_of(path)[0].source
    promised = re.search(r"(?:(\d+) to )?(\d+) on stage|On stage (\d+)", title)
    assert promised, f"{path.name}: its first cell must say how many minutes it takes on stage"
    low, high, alone = (int(word) if word else None for word in promised.groups())
    most = high or alone
    minutes = sum(minutes for minutes, _, _ in stage_notes(path))
    assert (low or most) <= minutes <= most, (
        f"{path.name} promises {promised[0]!r}, its notes take {minutes} minutes"
    )


@lessons
def test_only_code_is_folded(path):
    for cell in cells_of(path):
        if cell.cell_type != "code":
            assert "jupyter" not in cell.metadata, f"{path.name}: {cell.id} holds text, show it"
        elif kind(cell) in ("slide", "subslide", None):
            outputs_hidden = cell.metadata.get("jupyter", {}).get("outputs_hidden")
            assert not outputs_hidden, f"{path.name}: the picture of {cell.id} is hidden"


def test_all_lessons_look_alike_on_stage():
    looks = {path.name: json.dumps(style_of(path), sort_keys=True) for path in NOTEBOOKS}
    assert len(set(looks.values())) == 1, (
        f"copy the notebook metadata {LOOKS!r} of one lesson to all: {sorted(looks)}"
    )


def style_of(path):
    return nbformat.read(path, as_version=4).metadata.get(LOOKS)


@pytest.mark.parametrize("path", NOTEBOOKS[1:], ids=lambda path: path.stem)
def test_the_last_note_has_questions_to_discuss(path):
    _, _, words = stage_notes(path)[-1]
    assert words.count("*To discuss afterwards.*") == 1
    assert words.partition("*To discuss afterwards.*")[2].count("?") >= 2


def test_the_running_order_says_when_each_note_begins(tmp_path):
    notes = ["", "Words.", "More\nwords.\n\nAnd more."]
    cells = [nbformat.v4.new_markdown_cell(note(i, words)) for i, words in enumerate(notes) if i]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), tmp_path / "lesson.ipynb")
    assert stage_notes(tmp_path / "lesson.ipynb") == [(1, "T1", "Words."), (2, "T2", notes[2])]
    assert running_order(tmp_path / "lesson.ipynb").splitlines() == [
        "lesson",
        "",
        " 0  T1 (1 min)",
        "    Words.",
        "",
        " 1  T2 (2 min)",
        "    More words.",
        "    And more.",
        "",
        " 3  the end",
    ]


def note(minutes, words):
    unit = "minute" if minutes == 1 else "minutes"
    summary = f"<summary>On stage, {minutes} {unit}: T{minutes}</summary>"
    return f"<details>{summary}\n\n{words}\n\n</details>"


# ---- the slides in a browser --------------------------------------------------------------------

CONTROLS = {
    "scrubber": """\
import torch
from diffusion_helpers.widgets.scrubber import scrubber

grey = torch.linspace(-1, 1, 12).reshape(12, 1, 1, 1).expand(12, 3, 32, 32)
scrubber({"grey": grey}, [f"step {i} of 12" for i in range(1, 13)])""",
    "button": """\
import ipywidgets

button, out, clicks = ipywidgets.Button(description="One more"), ipywidgets.Output(), []


@out.capture(clear_output=True)
def count(_):
    clicks.append(1)
    print("clicks so far:", len(clicks))


button.on_click(count)
ipywidgets.VBox([button, out])""",
    "live": """\
from diffusion_helpers.widgets.controls import Slider, live


def grey(level):
    return {"grey": torch.full((3, 8, 8), level / 9)}, f"level {level}"


live(grey, level=Slider(0, 9, start=2), alt="A grey square")""",
}


def small():
    """A title with notes, then a slide for each control, then a slide of text."""
    v4, cells = nbformat.v4, []
    cells.append(slide("title", "# Title\n\nWords."))
    cells.append(v4.new_markdown_cell(note(1, "Say it."), id="notes", metadata=note_metadata()))
    for name, code in CONTROLS.items():
        cells.append(slide(f"{name}-text", f"## {name}"))
        cells.append(v4.new_code_cell(code, id=name))
    cells.append(v4.new_markdown_cell(note(2, "And this."), id="more", metadata=note_metadata()))
    cells.append(slide("end", "## The end"))
    made = v4.new_notebook(cells=cells)
    made.metadata.kernelspec = {"name": "python3", "display_name": "Py", "language": "python"}
    made.metadata[LOOKS] = style_of(REPO / "notebooks" / LESSON)
    return made


def slide(name, text):
    metadata = {"slideshow": {"slide_type": "slide"}}
    return nbformat.v4.new_markdown_cell(text, id=name, metadata=metadata)


def note_metadata():
    return {"slideshow": {"slide_type": "notes"}, "jupyterlab-slideshow": PASSED_BY}


@pytest.fixture(scope="module")
def lab(visit, tmp_path_factory):
    """JupyterLab over the small notebook and a copy of the first lesson."""
    root = tmp_path_factory.mktemp("notebooks")
    nbformat.write(small(), root / "small.ipynb")
    shutil.copy(REPO / "notebooks" / LESSON, root)
    with jupyter_lab(root, tmp_path_factory.mktemp("jupyter")) as lab:
        yield lab


class Show:
    """A notebook shown as slides, in the hands of somebody with a mouse and a keyboard."""

    def __init__(self, page):
        self.page = page
        page.set_viewport_size(PROJECTOR)
        page.evaluate("jupyterapp.shell.currentWidget.content.activeCellIndex = 0")
        page.locator("[data-command='deck:toggle']").click()
        page.locator(".jp-deck-mod-stop").wait_for()
        page.wait_for_timeout(1200)  # it closes the side bars once more after a second

    @property
    def active(self):
        return self.page.evaluate("jupyterapp.shell.currentWidget.content.activeCell.model.id")

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
        self.page.wait_for_function(
            "(id) => jupyterapp.shell.currentWidget.content.activeCell.model.id === id",
            arg=leads_to,
            timeout=5000,
        )

    def font_sizes(self):
        """In pixels, of every paragraph of prose that is shown."""
        return self.page.evaluate(
            """() => [...document.querySelectorAll(".jp-deck-mod-onscreen .jp-RenderedMarkdown p")]
              .map((p) => parseFloat(getComputedStyle(p).fontSize))"""
        )

    def leave(self):
        self.page.keyboard.press("Escape")
        self.page.locator(".jp-deck-mod-stop").wait_for(state="detached")


def test_controls_work_on_slides(visit, lab, tmp_path):
    with visit() as tab:
        open_and_run_all(tab.page, lab, "small.ipynb", timeout=120)
        show = Show(tab.page)
        assert show.seen() == ["title"]
        show.press("ArrowRight", leads_to="scrubber-text")
        assert show.seen() == ["scrubber-text", "scrubber"]

        hand = Hand(tab.page)
        hand.drag(1, 0)
        assert hand.frame == 0
        hand.drag(0, 1)
        assert hand.frame == hand.last
        for key, frame in [("ArrowLeft", hand.last - 1), ("ArrowRight", hand.last), ("Home", 0)]:
            hand.slider.press(key)
            assert hand.frame == frame
        assert show.seen() == ["scrubber-text", "scrubber"]  # the keys moved the slider only
        tab.page.screenshot(path=tmp_path / "scrubber.png")

        tab.page.locator(".jp-deck-mod-onscreen h2").click()  # gives the keys back to the slides
        show.press("ArrowRight", leads_to="scrubber")
        show.press("ArrowRight", leads_to="button-text")
        more = tab.page.get_by_role("button", name="One more")
        for clicks in (1, 2):
            more.click()
            tab.page.get_by_text(f"clicks so far: {clicks}").wait_for()
        assert show.seen() == ["button-text", "button"]
        tab.page.screenshot(path=tmp_path / "button.png")

        show.press("ArrowRight", leads_to="live-text")
        control = LiveHand(tab.page)
        control.changes(lambda: control.root.get_by_role("slider").press("End"))
        assert control.words == "level 9" and show.seen() == ["live-text", "live"]
        tab.page.screenshot(path=tmp_path / "live.png")

        tab.page.locator(".jp-deck-mod-direction-forward").click()  # the arrows on the screen
        tab.page.wait_for_timeout(300)
        assert show.active == "end" and show.seen() == ["end"]
        show.leave()
        assert len(show.seen()) > 1 and tab.page.locator("summary").first.is_visible()
        tab.check_quiet()


def test_shift_enter_passes_the_speakers_notes(visit, lab):
    with visit() as tab:
        open_and_run_all(tab.page, lab, "small.ipynb", timeout=120)
        show = Show(tab.page)
        cells = [cell.id for cell in small().cells]
        for cell in cells[1:]:
            show.press("Shift+Enter", leads_to=cell)
            assert show.seen() and not {"notes", "more"} & set(show.seen())
        assert show.seen() == ["end"]
        show.leave()
        tab.check_quiet()


@pytest.mark.slow  # most of a minute; controls on slides are in the quick tests
def test_lesson_01_presents(visit, lab, tmp_path):
    shown = [c for c in cells_of(lab.root / LESSON) if kind(c) not in ("skip", "notes")]
    with visit() as tab:
        open_and_run_all(tab.page, lab, LESSON, timeout=120)
        show = Show(tab.page)
        for number, cell in enumerate(shown):
            if number:
                show.press("Space", leads_to=cell.id)  # down, or on: every slide in its order
            assert cell.id in show.seen(), f"{cell.id} is out of sight"
            if kind(cell):
                assert all(size >= 24 for size in show.font_sizes()), "too small for the back row"
                tab.page.screenshot(path=tmp_path / f"{number:02} {cell.id}.png")
        show.leave()

        show = Show(tab.page)
        core = [c.id for c in on_stage(shown)]
        for cell in core[1:]:
            show.press("ArrowRight", leads_to=cell)  # on: no subslide
        show.leave()
        tab.check_quiet()


def on_stage(cells):
    """The cells of the slides, without the subslides that hang below them."""
    below = False
    for cell in cells:
        below = kind(cell) == "subslide" or (below and kind(cell) is None)
        if not below:
            yield cell
