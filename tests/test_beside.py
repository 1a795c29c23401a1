"""What a wrong answer makes stands beside what ours makes, and nothing it does stops the lesson."""

import time
from pathlib import Path

import nbformat
import pytest
import torch
from bs4 import BeautifulSoup
from nbclient import NotebookClient
from page_objects import check_accessible

from diffusion_helpers import exercises, progress
from diffusion_helpers.exercises import Curves, Exercise, Numbers, Pictures, beside, exercise, find
from diffusion_helpers.exercises.guarded import guarded
from diffusion_helpers.widgets import figures

ALL = [one for number in exercises.lessons() for one in exercises.of_lesson(number)]
# Ours beside it would be the answer.
ANSWERS = {"02.4", "03.5", "04.3", "05.9", "06.5", "07.6", "10.6"}


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    """No test touches the progress of whoever runs it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(progress, "_unsaved", {})


@pytest.fixture
def page(monkeypatch):
    """What is displayed, as a list of HTML."""
    shown = []
    for module in (exercises, beside, figures):
        monkeypatch.setattr(module, "display", lambda x: shown.append(x._repr_html_()))
    return shown


def words_of(page):
    return " ".join(BeautifulSoup("".join(page), "html.parser").get_text(" ").split())


def alts_of(page):
    return [img["alt"] for img in BeautifulSoup("".join(page), "html.parser").find_all("img")]


# ---- each exercise ------------------------------------------------------------------------------


def test_all_are_shown_but_those_whose_result_is_the_answer():
    assert {one.name for one in ALL if not one.views} == ANSWERS


@pytest.mark.parametrize("one", [o for o in ALL if o.views], ids=lambda one: one.name)
def test_a_mistake_looks_different_from_ours(one):
    """In each view ours is there, without a remark, and some mistake is there, too, and differs."""
    for view in one.views:
        ours, remark = beside._attempt(view, guarded(one.solution))
        assert ours is not None and remark == ""
        tried = (beside._attempt(view, guarded(wrong))[0] for wrong in one.wrong.values())
        assert any(yours is not None and differ(yours, ours) for yours in tried)


def differ(yours, ours):
    if torch.is_tensor(ours):
        return yours.shape != ours.shape or not torch.allclose(yours, ours, atol=0.05)
    return str(yours) != str(ours)


@pytest.mark.parametrize("name", ["01.1", "01.2", "01.4"])  # pictures, numbers, a curve
def test_both_are_labelled(name, page):
    wrong = next(iter(find(name).wrong.values()))
    assert exercise(name)(wrong) is find(name).solution
    words, alts = words_of(page[1:]), alts_of(page)
    if name == "01.2":
        assert "yours 500 500 ours 495 258" in words
        return
    for whose in ("yours", "ours"):
        assert whose in words or name == "01.4"  # a curve's label is drawn
        assert any(whose in alt for alt in alts), alts
    assert len(alts) == (12 if name == "01.1" else 1)


def test_nothing_is_drawn_below_a_right_answer_or_an_empty_stub(page):
    exercise("01.1")(find("01.1").solution)
    exercise("01.1")(lambda *_: ...)
    assert len(page) == 2


def test_it_is_accessible(visit, tmp_path, page):
    for name in ("01.1", "01.2", "01.4"):
        for function in (next(iter(find(name).wrong.values())), lambda *_: float("nan")):
            exercise(name)(function)
    file = tmp_path / "beside.html"
    file.write_text(
        f'<!doctype html><html lang="en"><title>S</title><main>{"".join(page)}</main></html>',
        encoding="utf-8",
    )
    with visit() as tab:
        tab.page.goto(file.as_uri())
        check_accessible(tab.page, "main")


# ---- whatever a reader's function does ----------------------------------------------------------


def stops(*_):
    raise KeyError("no such key")


def not_a_number(x):
    return torch.full_like(x, float("nan"))


class Unfinished:
    """Right at first, then nothing more."""

    def __init__(self):
        self.calls = 0

    def __call__(self, x):
        self.calls += 1
        return x if self.calls == 1 else None


def half_of_it_is_lost(x):
    x = x.clone()
    x.view(-1)[::2] = float("inf")
    return x


BAD = {  # {what it does: (the function, what is said of it)}
    "raises": (stops, "yours: Your function stopped with KeyError"),
    "NaN": (not_a_number, "100% of its numbers are NaN, infinite or beyond a billion"),
    "half of it infinite": (half_of_it_is_lost, "50% of its numbers are NaN, infinite or beyond"),
    "another shape": (lambda x: torch.zeros(2, 2), "but torch.float32 (2, 2)"),
    "nothing": (lambda x: None, "yours: nothing comes back here"),
    "unfinished": (Unfinished(), "yours: nothing comes back here"),
    "a network": (lambda x: torch.nn.Linear(2, 2), "but Linear("),
    "a word": (lambda x: "sixteen", "but 'sixteen'"),
    "complex": (lambda x: x * 1j, "but torch.complex64"),
    "empty": (lambda x: x[:0], "but torch.float32 (0"),
    "a number": (lambda x: 3, "but 3"),
}


def views_of(function):
    """Pictures and a curve of what `function` makes of ones."""

    def pictures(f):
        f(torch.ones(1))
        return f(torch.ones(2, 3, 4, 4))

    def row(f):
        f(torch.ones(1))
        return f(torch.ones(8))

    return (Pictures("Two", pictures), Curves("A row", row, range(8), "x", "y"))


@pytest.mark.parametrize("what", BAD)
def test_whatever_it_does_one_sentence_says_so_and_ours_is_there(what, page):
    function, told = BAD[what]
    for view in views_of(function):
        if isinstance(function, Unfinished):
            function.calls = 0
        page.clear()
        beside.show_beside((view,), function, lambda x: x, "")
        assert told in words_of(page).replace(" :", ":"), words_of(page)
        assert any("ours" in alt for alt in alts_of(page))


@pytest.mark.parametrize("what", ["raises", "nothing", "unfinished"])
def test_a_table_without_yours_says_why(what, page):
    function, told = BAD[what]
    if isinstance(function, Unfinished):
        function.calls = 1
    table = Numbers("Some", lambda f: [f(torch.ones(1)).item(), 2], ["a", "b"])
    beside.show_beside((table,), function, lambda x: x, "")
    words = words_of(page).replace(" :", ":")
    assert told in words and words.endswith("ours 1 2")


def test_a_row_of_another_length_is_no_row(page):
    table = Numbers("Some", lambda f: f(0), ["a", "b"])
    beside.show_beside((table,), lambda x: [1, 2, 3], lambda x: (1_000_000, "many"), "")
    words = words_of(page).replace(" :", ":")
    assert "yours: 3 in place of 2 numbers" in words and "ours 1,000,000 many" in words


def test_a_shorter_row_is_drawn_as_far_as_it_goes():
    curve = Curves("A row", lambda f: f(0), range(8), "x", "y")
    (xs, ys), remark = curve.read(torch.arange(5))
    assert xs == [0, 1, 2, 3, 4] and ys.tolist() == xs and remark == ""


def test_huge_pictures_are_drawn_and_their_range_is_told(page):
    (pictures, _) = views_of(None)
    beside.show_beside((pictures,), lambda x: 500 * x, lambda x: x, "")
    assert "yours: from 500 to 500, cut off at -1 and 1" in words_of(page).replace(" :", ":")
    assert len(alts_of(page)) == 4


def test_one_that_is_slow_is_left_out(page, monkeypatch):
    monkeypatch.setattr(beside, "SECONDS", 0.01)

    def slow(x):
        time.sleep(0.02)
        return x

    beside.show_beside(views_of(slow)[:1], slow, lambda x: time.sleep(0.02) or x, "")
    words = words_of(page).replace(" :", ":")
    assert "yours: left out, for it takes more than 0.01 seconds" in words
    assert len(alts_of(page)) == 2  # ours may take its time


def test_what_the_line_says_already_is_not_said_again(page):
    def careless(*_):
        return undefined_name  # noqa: F821

    exercise("01.1")(careless)
    assert len(page) == 1 and words_of(page).count("NameError") == 1


def test_another_error_below_the_line_is_not_said(page):
    verdict = "Your function stopped with RuntimeError, in line 2 of the cell."
    beside.show_beside(views_of(stops), stops, lambda x: x, verdict)
    assert page == []


def test_where_nothing_differs_nothing_is_drawn(page):
    table = Numbers("Some", lambda f: [f(torch.ones(1)).item(), 2], ["a", "b"])
    views = (*views_of(None), table)
    beside.show_beside(views, lambda x: x * 1.0001, lambda x: x, "Wrong.")
    assert page == []
    beside.show_beside(views, lambda x: x * 0.9, lambda x: x, "Wrong.")
    assert len(page) > 0


def test_one_that_works_in_place_or_sets_torch_up_spoils_nothing(page):
    before = beside.emoji("red apple").clone()
    state, dtype = torch.get_rng_state(), torch.get_default_dtype()

    def spoils(x_0, t, eps, alpha_bar):
        torch.set_default_dtype(torch.float64)
        torch.manual_seed(5)
        return x_0.fill_(0.5)

    ours = beside._attempt(find("01.1").views[0], guarded(find("01.1").solution))[0]
    exercise("01.1")(spoils)
    assert torch.equal(beside.emoji("red apple"), before)
    assert torch.equal(torch.get_rng_state(), state) and torch.get_default_dtype() == dtype
    again = beside._attempt(find("01.1").views[0], guarded(find("01.1").solution))[0]
    assert torch.equal(ours, again)


def test_what_it_prints_is_printed_by_the_check_only(page, capsys):
    def chatty(x_0, t, eps, alpha_bar):
        print("here")
        return x_0

    find("01.1").judge(chatty)
    of_the_check = capsys.readouterr().out.count("here")
    exercise("01.1")(chatty)
    assert capsys.readouterr().out.count("here") == of_the_check > 0


def test_what_it_says_is_never_taken_for_html(page):
    def own(*_):
        raise ValueError("<img src=x onerror=alert(1)>")

    beside.show_beside(views_of(own), own, lambda x: x, "")
    assert "onerror" in words_of(page)
    assert all(
        "onerror" not in str(img)
        for img in BeautifulSoup("".join(page), "html.parser").find_all("img")
    )


def test_control_c_still_stops():
    def endless(x):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        beside.show_beside(views_of(endless), endless, lambda x: x, "")


# ---- whose it is --------------------------------------------------------------------------------


def double(x):
    return 2 * x


def test_a_label_says_whose_function_the_lesson_goes_on_with(monkeypatch, page):
    wrong = exercise("01.2")(lambda alpha_bar: 3)
    assert exercises.whose(wrong) == "ours"

    made = Exercise("99.1", "double", lambda f: None, double, ("a", "b"), {})
    monkeypatch.setattr(exercises, "find", lambda _: made)
    assert exercises.whose(exercise("99.1")(double)) == "yours"


WRONG = {  # {how the line to fill in of lesson 01 begins: a wrong one}
    "    return ...  # your line: the picture": "    return x_0 / 0  # the picture",
    "    ...  # your lines\n\n\nmine": "    return torch.linspace(0, 1, 1000)\n\n\nmine",
}


@pytest.mark.slow
def test_lesson_01_goes_on_to_its_end_with_ours_and_says_so(tmp_path):
    (path,) = (Path(__file__).parents[1] / "notebooks").glob("01_*.ipynb")
    lesson = nbformat.read(path, as_version=4)
    changed = []
    for stub, wrong in WRONG.items():
        (cell,) = (cell for cell in lesson.cells if stub in cell.source)
        cell.source = cell.source.replace(stub, wrong)
        changed.append(cell)
    NotebookClient(lesson, resources={"metadata": {"path": str(tmp_path)}}).execute()
    jump, schedule = (str(cell.outputs) for cell in changed)
    assert "100% of its numbers are NaN, infinite or beyond a billion" in jump
    assert "The apple after one jump: yours, t = 0" in jump
    assert "The dog under the schedule: ours: t = 0" in schedule  # what the lesson draws below
