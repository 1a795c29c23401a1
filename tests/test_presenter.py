"""The presenter's view: what the button knows of the slides, and the window that follows them."""

import json

import nbformat
import pytest
from browser import jupyter_lab, open_and_run_all
from page_objects import Show, check_accessible

from diffusion_helpers.authoring import editions, presenter
from diffusion_helpers.authoring.notes import Note
from diffusion_helpers.languages import spoken

TALK = "01_talk.ipynb"
SAVE_AND_CLOSE = """async () => {
  await jupyterapp.commands.execute("docmanager:save");
  await jupyterapp.commands.execute("application:close");
}"""


def talk():
    """Three slides, one of them with a slide below, and two notes."""
    v4 = nbformat.v4
    cells = [
        v4.new_markdown_cell("# The *talk*\n\nWords.", id="title", metadata=kind("slide")),
        editions._open_notes("01"),
        editions._note(Note("title", 1, "Greet", "Say *hello*.\n\nWait </script>.")),
        v4.new_markdown_cell("## Noise", id="noise", metadata=kind("slide")),
        v4.new_code_cell("1 + 1", id="sum"),
        editions._note(Note("sum", 3, "Two", "Read `1 + 1` aloud.")),
        v4.new_markdown_cell(
            "More about noise, in a line that is longer than a title can be",
            id="more",
            metadata=kind("subslide"),
        ),
        v4.new_markdown_cell("## The end", id="end", metadata=kind("slide")),
    ]
    kernel = {"name": "python3", "display_name": "Py", "language": "python"}
    made = v4.new_notebook(metadata={"kernelspec": kernel})
    made.cells = [nbformat.from_dict(cell) for cell in cells]
    return made


def kind(slide_type):
    return {"slideshow": {"slide_type": slide_type}}


def test_it_knows_the_slides_and_the_notes(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    nbformat.write(talk(), TALK)
    page = presenter.open_notes("01").page
    data = page.split("const talk = ")[1].split(";\n")[0]
    known = json.loads(data)
    assert [(s["kind"], s["title"], s["cells"]) for s in known["slides"]] == [
        ("slide", "The talk", ["title"]),
        ("slide", "Noise", ["noise", "sum"]),
        ("subslide", "More about noise, in a line that is longer than a title can …", ["more"]),
        ("slide", "The end", ["end"]),
    ]
    assert [(n["below"], n["title"], n["begins"], n["minutes"]) for n in known["notes"]] == [
        ("title", "Greet", 0, 1),
        ("sum", "Two", 1, 3),
    ]
    assert known["notes"][0]["page"] == "<p>Say <em>hello</em>.</p><p>Wait &lt;/script&gt;.</p>"
    assert page.count("</script>") == 1 and known["language"] == "en"


def test_its_window_speaks_the_language_of_the_notebook(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    notebook = talk()
    notebook.metadata["language"] = "ru"
    nbformat.write(notebook, TALK)
    assert '"language": "ru"' in presenter.open_notes("01").page and spoken().code == "en"


@pytest.mark.parametrize(
    ("lesson", "words"),
    [
        ("1", "expected one of the lessons 00, 01, .* got '1'"),
        (None, "expected one of the lessons"),
        ("02", "no lesson 02 with notes in this folder: open the instructor's edition"),
    ],
)
def test_a_lesson_without_notes_gets_one_sentence(lesson, words, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match=words):
        presenter.open_notes(lesson)


@pytest.fixture(scope="module")
def lab(visit, tmp_path_factory):
    root = tmp_path_factory.mktemp("notebooks")
    nbformat.write(talk(), root / TALK)
    with jupyter_lab(root, tmp_path_factory.mktemp("jupyter")) as lab:
        yield lab


def test_the_window_follows_the_slides_and_leads_them(visit, lab, tmp_path):
    with visit() as tab:
        open_and_run_all(tab.page, lab, TALK, timeout=120)
        with tab.page.expect_popup() as opened:
            tab.page.get_by_role("button", name="Open the notes").press("Enter")
        notes = opened.value
        notes.get_by_text("Start the slides").wait_for()
        assert notes.get_by_role("timer").inner_text() == "0:00 of 4:00"

        tab.page.bring_to_front()
        show = Show(tab.page)
        notes.get_by_role("heading", name="Greet").wait_for()
        notes.get_by_text("Next slide: Noise").wait_for()
        assert notes.locator(".words em").inner_text() == "hello"

        show.press("ArrowRight", leads_to="noise")  # the slide's note belongs to its second cell
        notes.get_by_role("heading", name="Two").wait_for()
        notes.get_by_text("3 min, from minute 1").wait_for()
        notes.get_by_text("Next slide: The end; below: More about noise").wait_for()
        notes.screenshot(path=tmp_path / "notes.png")
        check_accessible(notes, "html")

        notes.bring_to_front()  # the keys of this window lead, too
        for key, leads_to in [("ArrowRight", "sum"), ("ArrowDown", "more"), ("ArrowUp", "sum")]:
            notes.keyboard.press(key)
            tab.page.wait_for_function(
                "(id) => jupyterapp.shell.currentWidget.content.activeCell.model.id === id",
                arg=leads_to,
            )
        notes.get_by_role("button", name="Forward").click()
        notes.get_by_text("The last slide").wait_for()
        notes.get_by_role("heading", name="Two").wait_for()  # without a note of its own
        notes.get_by_role("button", name="Start the clock again").click()
        assert notes.get_by_role("timer").inner_text() == "0:00 of 4:00, 1 min early"

        tab.page.bring_to_front()
        show.leave()
        with notes.expect_event("close"):  # it ends with the notebook
            tab.page.evaluate(SAVE_AND_CLOSE)
        tab.check_quiet()
