"""Progress stays on the disk, survives what can happen to a file, and never stops a lesson."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from unittest.mock import Mock

import pytest
from bs4 import BeautifulSoup
from page_objects import check_accessible

from diffusion_helpers import exercises, progress
from diffusion_helpers.exercises.card import card
from diffusion_helpers.progress import FILE, note, reset, state, states

RIGHT = {"right": True, "hints": 0}


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(progress, "_unsaved", {})
    return tmp_path


def test_nothing_is_written_before_there_is_something_to_remember(folder):
    assert state("01.1") == {"right": False, "hints": 0}
    card(), card("01"), reset(), note("01.1", right=False, hints=0)
    assert not list(folder.iterdir())


def test_it_survives_a_restart(folder):
    note("01.1", right=True)
    note("01.1", hints=2)
    code = "from diffusion_helpers.progress import state; print(state('01.1'), state('01.2'))"
    path = str(Path(progress.__file__).parents[1])
    environment = os.environ | {"PYTHONPATH": path}
    command = [sys.executable, "-c", code]
    other = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    known = {"right": True, "hints": 2}
    assert other.stdout.strip() == f"{known} { {'right': False, 'hints': 0} }"
    assert [path.name for path in folder.iterdir()] == [FILE]  # no half-written file is left


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "null",
        '{"exercises": 3}',
        '{"exercises": {"01.1": true}}',
        '{"exercises": {"01.1": {"right": 1, "hints": 0}}}',
        '{"exercises": {"01.1": {"right": true}}}',
        b"\xff\xfe",
    ],
)
def test_a_damaged_file_is_set_aside(text, folder, capsys):
    text = text if isinstance(text, bytes) else text.encode()
    (folder / FILE).write_bytes(text)
    assert not state("01.1")["right"]
    (line,) = capsys.readouterr().out.splitlines()
    assert "damaged" in line and (folder / f"{FILE}.damaged").read_bytes() == text
    note("01.1", right=True)
    assert state("01.1") == RIGHT and not capsys.readouterr().out


def test_an_interrupted_write_harms_nothing(folder, monkeypatch, capsys):
    note("01.1", right=True)
    before = (folder / FILE).read_bytes()

    def full(*_):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as broken:
        broken.setattr(os, "replace", full)
        note("01.2", right=True)
        note("01.3", right=True)
    (line,) = capsys.readouterr().out.splitlines()  # said once, not at each exercise
    assert "cannot be saved" in line and "No space left" in line
    assert (folder / FILE).read_bytes() == before
    assert all(state(f"01.{i}") == RIGHT for i in (1, 2, 3))  # kept until the kernel stops
    note("01.4", right=True)
    assert len(json.loads((folder / FILE).read_text())["exercises"]) == 4  # and then written


def test_a_folder_that_cannot_be_written_gets_one_sentence(folder, monkeypatch, capsys):
    monkeypatch.setattr(progress, "FILE", "not_there/progress.json")
    note("01.1", right=True)
    assert state("01.1") == RIGHT
    assert len(capsys.readouterr().out.splitlines()) == 1


def test_reset_forgets_one_lesson_or_all(folder):
    for name in ("01.1", "01.2", "02.1"):
        note(name, right=True)
    reset("01")
    assert not state("01.2")["right"] and state("02.1")["right"]
    reset()
    assert not state("02.1")["right"] and not (folder / FILE).exists()


def test_a_lesson_that_is_not_there_is_no_reason_to_forget_another():
    note("01.1", right=True)
    reset("99")
    assert state("01.1") == RIGHT
    for lesson in ("1", "01.1", "01\n", "०१", 1, ""):
        with pytest.raises(ValueError, match='two digits, such as "01"'):
            reset(lesson)
    assert state("01.1") == RIGHT


def test_what_was_done_stays_done():
    note("01.1", right=True, hints=2)
    note("01.1", right=False, hints=1)
    assert state("01.1") == {"right": True, "hints": 2}


def test_the_file_is_read_once_for_each_answer_hint_and_card(monkeypatch):
    note("01.1", right=True)
    read, paths = Path.read_text, []

    def counted(path, *args, **named):
        paths.extend([path] if path.name == FILE else [])  # a card reads its script as well
        return read(path, *args, **named)

    monkeypatch.setattr(Path, "read_text", counted)
    for use in (
        lambda: note("01.2", right=True),
        lambda: note("01.2", right=True),  # nothing new
        lambda: exercises.hint("01.1", 2),
        lambda: exercises.exercise("01.1")(exercises.find("01.1").solution),
        lambda: card(),
        lambda: reset("01"),
    ):
        use()
        assert paths == [Path(FILE)]
        paths.clear()
    assert states() == {}


# ---- the card -----------------------------------------------------------------------------------


def test_the_card_says_what_is_right_and_how_many_hints_were_taken():
    own = exercises.of_lesson("01")
    note("01.1", right=True)
    note("01.2", right=True, hints=1)
    note("01.3", hints=2)
    note("01.4", hints=3)
    shown = card("01")
    lines = [li.get_text() for li in BeautifulSoup(shown.page, "html.parser").select("li")]
    assert [line.partition(": ")[2] for line in lines[:4]] == [
        "right",
        "right, 1 hint",
        "to do, 2 hints",
        "to do, solution seen",
    ]
    for exercise, line in zip(own, lines, strict=True):
        assert exercise.name in line and exercise.title in line
    assert repr(shown) == f"Lesson 01: 2 of {len(own)} exercises right"
    assert "http" not in shown.page


def test_the_card_of_all_lessons_shows_each_and_folds_their_exercises():
    shown = card()
    assert re.findall(r"(?:Lesson|Workshop) (\d\d): 0 of", repr(shown)) == exercises.lessons()
    folds = BeautifulSoup(shown.page, "html.parser")("details")
    assert len(folds) == len(exercises.lessons())
    assert not any(fold.has_attr("open") for fold in folds)
    assert all(fold.summary.progress for fold in folds)  # the meter is seen without unfolding
    assert BeautifulSoup(card("01").page, "html.parser").details.has_attr("open")


def words_of(page):
    return re.sub(r"\s+", " ", BeautifulSoup(page, "html.parser").get_text())


def test_the_card_follows_what_its_own_kernel_does(monkeypatch):
    stills = []
    monkeypatch.setattr(
        "diffusion_helpers.exercises.card.display",
        lambda shown, **how: Mock(update=stills.append) if how.get("display_id") else None,
    )
    one, all_lessons, other = card("01"), card(), card("02")
    one._ipython_display_()
    before = other.page
    note("01.1", right=True)
    for shown in (one, all_lessons):
        assert "Lesson 01: 1 of" in repr(shown) and "Lesson 01: 1 of" in words_of(shown.page)
    assert [words_of(still.page).count("Lesson 01: 1 of") for still in stills] == [1]
    assert other.page == before
    reset("01")
    assert "Lesson 01: 0 of" in repr(one) and len(stills) == 2


def test_the_card_asks_for_what_another_kernel_did():
    """The file is written by another process; then the card comes into sight."""
    shown = card("01")
    Path(FILE).write_text('{"exercises": {"01.1": {"right": true, "hints": 0}}}', "utf-8")
    assert "Lesson 01: 0 of" in repr(shown)
    shown._handle_custom_msg({"look": True}, [])
    assert "Lesson 01: 1 of" in repr(shown) and "Lesson 01: 1 of" in words_of(shown.page)


def test_a_disk_that_keeps_nothing_is_no_reason_for_the_card_to_stand_still(monkeypatch):
    shown = card("01")
    monkeypatch.setattr(os, "replace", Mock(side_effect=OSError(28, "No space left on device")))
    note("01.1", right=True)
    assert "Lesson 01: 1 of" in repr(shown)


def test_the_still_card_of_a_saved_page_says_so():
    still = card("01").still()
    assert "Run this cell to see what is new" in words_of(still.page)
    assert BeautifulSoup(still.page, "html.parser").select_one("[data-still-of]")


def test_it_folds_by_mouse_and_keyboard_and_is_accessible(visit, tmp_path):
    note("01.1", right=True)
    file, page = tmp_path / "card.html", card().page
    file.write_text(f'<!doctype html><html lang="en"><title>C</title><main>{page}</main></html>')
    with visit() as tab:
        tab.page.goto(file.as_uri())
        own = tab.page.get_by_text("01.1 one jump: right")
        summary = tab.page.locator("summary").first
        assert not own.is_visible()
        summary.click()
        assert own.is_visible()
        check_accessible(tab.page, "main")
        summary.press("Enter")
        assert not own.is_visible()
        tab.check_quiet()


def test_what_comes_after_the_course_is_called_a_workshop():
    words = words_of(card().page)
    assert "Lesson 08: 0 of" in words and "Workshop 09: 0 of" in words
    assert 'aria-label="Your progress in workshop 09"' in card("09").page


def test_a_lesson_without_exercises_gets_one_sentence():
    with pytest.raises(ValueError, match="expected one of the lessons 01"):
        card("99")
