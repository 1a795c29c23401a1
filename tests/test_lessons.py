"""Every lesson in a browser, as a student meets it: run all, every control, reopened as a page.

Their trainings are shortened; tests/test_whole_lessons.py runs them whole.
"""

import shutil

import nbformat
import pytest
from browser import REPO, VIEW, export_page, jupyter_lab, open_and_run_all
from page_objects import (
    Hand,
    LiveHand,
    PredictionHand,
    check_accessible,
    check_live,
    check_moves,
    check_prediction,
    check_prediction_keys,
    check_scrubber,
    check_slides,
)
from shorten_lessons import shortened

LESSONS = sorted(path.name for path in (REPO / "notebooks").glob("[0-9]*.ipynb"))
LARGEST_PAGE = 5.5e6  # bytes


@pytest.fixture(scope="module")
def lab(visit, tmp_path_factory):
    """JupyterLab over a copy of the lessons: what a test runs never reaches the repository."""
    root = tmp_path_factory.mktemp("notebooks")
    for name in LESSONS:
        nbformat.write(shortened(REPO / "notebooks" / name), root / name)
    with jupyter_lab(root, tmp_path_factory.mktemp("jupyter")) as lab:
        yield lab


@pytest.fixture(scope="module", params=LESSONS)
def lesson(request, visit, lab):
    """A tab in which all the cells of a lesson have run. Its console must be clean at the end."""
    with visit() as tab:
        tab.name = request.param
        open_and_run_all(tab.page, lab, tab.name)
        yield tab
        tab.check_quiet()


def test_it_has_something_to_play_with(lesson):
    assert lesson.page.locator(".sculptor.scrubber").count() > 0
    assert lesson.page.locator(".sculptor.live").count() > 0


def test_every_scrubber_answers_mouse_and_keyboard(lesson, tmp_path):
    for i in range(lesson.page.locator(".sculptor.scrubber").count()):
        hand = Hand(lesson.page, i)
        check_scrubber(hand)
        hand.photo(tmp_path / f"scrubber_{i}.png")


def test_every_live_control_answers_mouse_and_keyboard(lesson, tmp_path):
    for i in range(lesson.page.locator(".sculptor.live").count()):
        hand = LiveHand(lesson.page, i)
        check_live(hand)
        hand.root.screenshot(path=tmp_path / f"live_{i}.png")


def predictions(page):
    """A hand on each question, awake; each has one place that reveals what came of it."""
    asked = page.locator(".sculptor.prediction").evaluate_all(NAMES)
    assert len(set(asked)) == len(asked)
    assert sorted(page.locator(".sculptor.revealed").evaluate_all(NAMES)) == sorted(asked)
    return [PredictionHand(page, i) for i in range(len(asked))]


NAMES = "(all) => all.map((prediction) => prediction.dataset.prediction)"


def test_every_prediction_is_answered_by_mouse_and_keyboard_and_revealed(lesson):
    questions = predictions(lesson.page)
    for hand in questions:
        assert hand.name.startswith(lesson.name[:2]), f"{hand.name} belongs to another lesson"
        hand.choose(hand.options[-1])
        assert hand.chosen == hand.options[-1:] and hand.verdict != "none"
    for hand in questions[:1]:  # they share one script: one question shows that it works
        check_prediction(hand)
        check_prediction_keys(hand)


@pytest.mark.slow
def test_each_option_of_every_prediction_is_answered(lesson):
    for hand in predictions(lesson.page):
        check_prediction(hand)


def test_no_two_controls_share_a_name(lesson):
    """Radio buttons of one name are one group, wherever they stand; ids lead labels to inputs."""
    shared = lesson.page.locator(".sculptor").evaluate_all(
        """(all) => {
          const owner = {}, shared = [];
          all.forEach((control, i) => control.querySelectorAll("input").forEach((input) => {
            for (const name of [input.id, input.type === "radio" ? input.name : ""]) {
              if (name && (owner[name] ??= i) !== i) shared.push(name);
            }
          }));
          return shared;
        }"""
    )
    assert not shared


def test_there_is_no_control_but_those(lesson):
    """Whatever can be operated in an output is a scrubber, a live control or a prediction."""
    kinds = "input, button, select, textarea, [role=slider], [role=button], [role=textbox]"
    others = lesson.page.locator(f".jp-OutputArea-output :is({kinds})").evaluate_all(
        "(all) => all.filter((e) => !e.closest('.sculptor')).map((e) => e.outerHTML)"
    )
    assert not others


def test_its_outputs_are_accessible(lesson):
    """Names, roles and contrast by the rules of axe-core; words for every picture."""
    check_accessible(lesson.page, ".jp-OutputArea-output")
    pictures = lesson.page.locator(".jp-OutputArea-output img").all()
    nameless = [p for p in pictures if not (p.get_attribute("alt") or "").strip()]
    assert pictures and not nameless, f"{len(nameless)} pictures without alt"


@pytest.fixture(scope="module")
def exported(lesson, lab, tmp_path_factory):
    """The lesson, saved from JupyterLab and exported as one page."""
    folder = tmp_path_factory.mktemp("export")
    page = lesson.page
    page.evaluate("jupyterapp.commands.execute('docmanager:save')")
    page.wait_for_function("!jupyterapp.shell.currentWidget.context.model.dirty")
    # From a folder of its own: nothing but the one file may be needed.
    return shutil.move(export_page(lab.root / lesson.name, folder), folder / "lesson.html")


def test_its_page_lives_on_without_kernel_or_network(lesson, exported, visit, tmp_path):
    assert exported.stat().st_size < LARGEST_PAGE
    with visit() as tab:
        tab.page.goto(exported.as_uri())
        hand = Hand(tab.page)
        check_scrubber(hand)
        check_living(tab.page, lesson)
        questions = predictions(tab.page)
        for hand in questions:
            hand.choose(hand.options[-1])
            assert hand.chosen == hand.options[-1:] and hand.verdict != "none"
        for hand in questions[:1]:  # in JupyterLab all are checked as closely
            check_prediction(hand)
            check_prediction_keys(hand)
        tab.page.screenshot(path=tmp_path / "page.png")
        check_accessible(tab.page, "main")
        tab.check_quiet()


# Functions that only Python can draw: with networks of the reader, or with fewer steps than the
# lesson has, because these lessons are shortened. tests/test_living_pages.py has them whole.
# Lesson 09 has one that keeps files, and two of a network that was trained in it.
ONLY_PYTHON = {"02": 1, "03": 1, "06": 1, "07": 2, "08": 1, "09": 3}


def check_living(page, lesson):
    """Each control lives and follows mouse and key, but for a few, whose stills say why."""
    stills = page.locator(".sculptor.still")
    assert stills.count() == lesson.page.locator(".sculptor.live").count()
    alive = stills.count() - ONLY_PYTHON.get(lesson.name[:2], 0)
    page.wait_for_function(
        "(n) => document.querySelectorAll('.sculptor.live').length === n", arg=alive
    )
    stay = [still for still in stills.all() if still.is_visible()]
    assert len(stay) == stills.count() - alive
    for still in stay:
        assert "Without Python it stays still: " in still.locator(".asleep").inner_text()
    for i in range(alive):
        check_moves(LiveHand(page, i))


def test_every_slide_fits_the_screen(lesson):
    """1920x1080 pixels, after Run All, with a wrong answer to every question."""
    check_slides(lesson.page)
    lesson.page.set_viewport_size(VIEW)
