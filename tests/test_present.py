"""The lessons as slides: what each cell says about its slide, and the slides in a browser."""

import json
import re
import shutil

import nbformat
import pytest
from browser import REPO, jupyter_lab, open_and_run_all
from page_objects import Hand, LiveHand, Show

from diffusion_helpers.authoring import editions, notes
from diffusion_helpers.authoring.notes import Note, running_order, stage_notes

NOTEBOOKS = sorted((REPO / "notebooks").glob("[0-9]*.ipynb"))
LESSON = "01_forward_noising.ipynb"
LOOKS = "@deathbeds/jupyterlab-fonts"  # the notebook's own style on slides

# ---- what the notebooks say ---------------------------------------------------------------------


def cells_of(path):
    return nbformat.read(path, as_version=4).cells


def kind(cell):
    """slide, subslide, skip, or None: on the slide of the cell above."""
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
        assert kind(cell) in ("slide", "subslide", "skip", None), (
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
def test_a_reader_sees_no_speakers_notes_and_each_note_has_its_cell(path):
    cells = {cell.id: cell for cell in cells_of(path)}
    assert not any("<summary>On stage" in cell.source for cell in cells.values())
    order = list(cells)
    below = [order.index(note.below) for note in stage_notes(path.stem[:2])]
    assert below == sorted(set(below)), f"{path.name}: the notes follow the lesson, one a cell"
    assert all(kind(cells[order[i]]) != "skip" for i in below)


@lessons
def test_the_minutes_add_up_to_the_time_on_stage(path):
    title = cells_of(path)[0].source
    promised = re.search(r"(?:(\d+) to )?(\d+) on stage|On stage (\d+)", title)
    assert promised, f"{path.name}: its first cell must say how many minutes it takes on stage"
    low, high, alone = (int(word) if word else None for word in promised.groups())
    most = high or alone
    minutes = sum(note.minutes for note in stage_notes(path.stem[:2]))
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
    words = stage_notes(path.stem[:2])[-1].words
    assert words.count("*To discuss afterwards.*") == 1
    assert words.partition("*To discuss afterwards.*")[2].count("?") >= 2


NOTES = """\
## Below `title`, 1 minute: T1

Words.

## Below `more`, 2 minutes: T2

More
words.

And more.
"""


def test_the_running_order_says_when_each_note_begins(tmp_path, monkeypatch):
    monkeypatch.setattr(notes, "FOLDER", tmp_path)
    (tmp_path / "lesson_01.md").write_text(NOTES, "utf-8")
    assert stage_notes("01") == [
        Note("title", 1, "T1", "Words."),
        Note("more", 2, "T2", "More\nwords.\n\nAnd more."),
    ]
    assert running_order("01").splitlines() == [
        "Lesson 01 on stage",
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


@pytest.mark.parametrize(
    "broken", ["## Below title, 1 minute: T1\n\nWords.\n", NOTES + "\n## T3\n"]
)
def test_notes_of_another_form_get_one_sentence(broken, tmp_path, monkeypatch):
    monkeypatch.setattr(notes, "FOLDER", tmp_path)
    (tmp_path / "lesson_01.md").write_text(broken, "utf-8")
    with pytest.raises(ValueError, match=r"lesson_01\.md: a note begins with ## Below `cell`"):
        stage_notes("01")


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
    cells.append(note_cell("notes"))
    for name, code in CONTROLS.items():
        cells.append(slide(f"{name}-text", f"## {name}"))
        cells.append(v4.new_code_cell(code, id=name))
    cells.append(note_cell("more"))
    cells.append(slide("end", "## The end"))
    made = v4.new_notebook(cells=cells)
    made.metadata.kernelspec = {"name": "python3", "display_name": "Py", "language": "python"}
    made.metadata[LOOKS] = style_of(REPO / "notebooks" / LESSON)
    return made


def slide(name, text):
    metadata = {"slideshow": {"slide_type": "slide"}}
    return nbformat.v4.new_markdown_cell(text, id=name, metadata=metadata)


def note_cell(name):
    """A note of the instructor's edition."""
    return nbformat.v4.new_markdown_cell("Say it.", id=name, metadata=editions.NOTES)


@pytest.fixture(scope="module")
def lab(visit, tmp_path_factory):
    """JupyterLab over the small notebook and a copy of the first lesson."""
    root = tmp_path_factory.mktemp("notebooks")
    nbformat.write(small(), root / "small.ipynb")
    shutil.copy(REPO / "notebooks" / LESSON, root)
    with jupyter_lab(root, tmp_path_factory.mktemp("jupyter")) as lab:
        yield lab


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
        tab.page.wait_for_function("document.activeElement.matches('.jp-Cell')")  # has the keys
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
        show.arrive("end")
        assert show.seen() == ["end"]
        show.leave()
        assert "notes" in show.seen()  # the page is whole again
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
    shown = [c for c in cells_of(lab.root / LESSON) if kind(c) != "skip"]
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
