"""The lessons in another language, in a browser: longer words cut nothing off, and pages live."""

import shutil

import nbformat
import pytest
from browser import VIEW, export_page, jupyter_lab, open_and_run_all
from page_objects import LiveHand, check_accessible, check_moves, check_slides
from shorten_lessons import shorter
from test_lessons import LESSONS, ONLY_PYTHON

from diffusion_helpers import languages
from diffusion_helpers.authoring import editions

pytestmark = pytest.mark.slow
OTHERS = [code for code in languages.languages() if code != "en"]
ALIVE = "(n) => document.querySelectorAll('.sculptor.live').length === n"


@pytest.fixture(scope="module", params=OTHERS)
def lab(request, visit, tmp_path_factory):
    """JupyterLab over the lessons in this language, their trainings shortened."""
    root = tmp_path_factory.mktemp(f"lessons_{request.param}")
    for path in editions.write(languages.load_language(request.param).english_name, root):
        lesson = nbformat.read(path, as_version=4)
        for cell in lesson.cells:
            cell.source = shorter(cell.source)
        nbformat.write(lesson, path)
    with jupyter_lab(root, tmp_path_factory.mktemp("jupyter")) as lab:
        lab.language = request.param
        yield lab


@pytest.fixture(scope="module", params=LESSONS)
def lesson(request, visit, lab):
    with visit() as tab:
        tab.name = request.param
        open_and_run_all(tab.page, lab, tab.name, timeout=1500)
        yield tab
        tab.check_quiet()


def test_its_outputs_say_their_language_and_are_accessible(lesson, lab):
    page = lesson.page
    said = page.locator(".sculptor").evaluate_all("(all) => all.map((e) => e.lang)")
    assert said and set(said) == {lab.language}
    check_accessible(page, ".jp-OutputArea-output")


def test_nothing_in_a_control_is_cut_off(lesson):
    """Neither words nor buttons stand out of their control, at the width of a laptop."""
    over = lesson.page.locator(".sculptor").evaluate_all(
        """(all) => all.flatMap((control) => [...control.querySelectorAll("*")].filter((e) => {
          const part = e.getBoundingClientRect(), whole = control.getBoundingClientRect();
          return part.width && part.right > whole.right + 1;
        }).map((e) => e.outerHTML.slice(0, 200)))"""
    )
    assert not over


def test_its_page_speaks_the_language_and_lives(lesson, lab, visit, tmp_path):
    page = lesson.page
    page.evaluate("jupyterapp.commands.execute('docmanager:save')")
    page.wait_for_function("!jupyterapp.shell.currentWidget.context.model.dirty")
    path = shutil.move(export_page(lab.root / lesson.name, tmp_path), tmp_path / "lesson.html")
    with visit() as tab:
        tab.page.goto(path.as_uri())
        assert tab.page.evaluate("document.documentElement.lang") == lab.language
        alive = page.locator(".sculptor.live").count() - ONLY_PYTHON.get(lesson.name[:2], 0)
        tab.page.wait_for_function(ALIVE, arg=alive)
        for i in range(alive):
            check_moves(LiveHand(tab.page, i))
        check_accessible(tab.page, "main")
        tab.check_quiet()


def test_every_slide_fits_the_screen(lesson):
    check_slides(lesson.page)
    lesson.page.set_viewport_size(VIEW)
