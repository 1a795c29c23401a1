"""Predict and reveal: nothing is judged too early, nothing is lost without script or storage."""

import itertools
import re

import pytest
from bs4 import BeautifulSoup
from page_objects import PredictionHand, check_accessible, check_prediction, check_prediction_keys

from diffusion_helpers.widgets import predictions
from diffusion_helpers.widgets.predictions import predict, reveal

OPTIONS = {
    "a quarter": "Layers multiply.",
    "about half": 'Half of the layers is <more> than "half".',
    "nine tenths": "So it is: `alpha_bar` is small.",
}
QUESTION = "How much is dust & noise?"


@pytest.fixture(autouse=True)
def unasked(monkeypatch):
    monkeypatch.setattr(predictions, "_asked", {})


def soup(fragment):
    return BeautifulSoup(fragment.page, "html.parser")


def both(name="01.a", truth="nine tenths"):
    asked = predict(name, QUESTION, OPTIONS)
    return asked, reveal(name, truth, "Measured: 92 %.")


def test_the_question_judges_nothing():
    asked = predict("01.a", QUESTION, OPTIONS)
    html = soup(asked)
    assert not any(words in asked.page for words in ("Layers multiply", "more&gt;", "So it is:"))
    assert html.legend.get_text() == QUESTION
    assert [radio["value"] for radio in html.select("[type=radio]")] == list(OPTIONS)
    assert [label.get_text() for label in html("label")] == list(OPTIONS)
    assert not html.select("[checked]")


def test_without_its_script_everything_can_be_read():
    asked, revealed = map(soup, both())
    for html in (asked, revealed):
        for part in html.select("script, style, [hidden]"):
            part.decompose()
    assert QUESTION in asked.get_text() and predictions.UNSEEN in asked.get_text()
    words = revealed.get_text()
    for option, why in OPTIONS.items():
        assert option in words and why.replace("`", "") in words
    assert "What happened: nine tenths. Measured: 92 %." in words
    assert len(revealed("details")) == len(OPTIONS) and not revealed.select("details[open]")


def test_nothing_is_left_unescaped():
    evil = "</script><img src=x onerror=alert(1)>\"'"
    asked = predict("01.a", evil, {evil: evil, "b": "why"})
    revealed = reveal("01.a", evil, evil)
    for html in map(soup, (asked, revealed)):
        assert not html("img") and len(html("script")) == 1
    assert soup(revealed).details["data-option"] == evil


def test_controls_leave_the_arrow_keys_to_the_reader():
    for control in soup(predict("01.a", QUESTION, OPTIONS)).select("input, button"):
        assert control.has_attr("data-lm-suppress-shortcuts")


def test_they_need_nothing_and_read_as_text():
    asked, revealed = both()
    for shown in (asked, revealed):
        assert "http" not in shown.page and shown._repr_html_() == shown.page
    assert repr(asked).startswith("Predict: How much") and "Layers" not in repr(asked)
    assert repr(revealed) == "What happened: nine tenths. Measured: 92 %."


def test_a_question_may_be_asked_again():
    predict("01.a", QUESTION, OPTIONS)
    predict("01.a", "Another?", {"yes": "so", "no": "so"})
    assert "Another?" in reveal("01.a", "no", "0 of 3").page


@pytest.mark.parametrize(
    ("name", "question", "options", "words"),
    [
        ("1.a", "Q?", OPTIONS, 'a name like "01.a"'),
        ("01.1", "Q?", OPTIONS, 'a name like "01.a"'),
        (1.1, "Q?", OPTIONS, 'a name like "01.a"'),
        ("01.a", " ", OPTIONS, "a question and at least two options"),
        ("01.a", "Q?", {"only": "one"}, "at least two options"),
        ("01.a", "Q?", {"a": "why", "b": " "}, r"an explanation .* got none of \['b'\]"),
    ],
)
def test_a_bad_question_gets_one_sentence(name, question, options, words):
    with pytest.raises(ValueError, match=words):
        predict(name, question, options)


def test_a_bad_reveal_gets_one_sentence():
    with pytest.raises(ValueError, match=r"run the cell with predict\('01.a', ...\) first"):
        reveal("01.a", "nine tenths", "92 %")
    predict("01.a", QUESTION, OPTIONS)
    with pytest.raises(ValueError, match=r"expected truth among .* got 'all'"):
        reveal("01.a", "all", "92 %")
    with pytest.raises(ValueError, match="measured words"):
        reveal("01.a", "nine tenths", "")


# ---- in a browser -------------------------------------------------------------------------------


@pytest.fixture
def page(tmp_path):
    """A page with two predictions and what came of them, as a file."""
    parts = [*both("01.a"), *both("01.b", truth="a quarter")]
    body = "".join(part.page for part in parts)
    file = tmp_path / "page.html"
    file.write_text(
        f'<!doctype html><html lang="en"><title>Two</title><main>{body}</main></html>', "utf-8"
    )
    return file


def test_each_can_be_answered_by_mouse_and_keyboard(visit, page, tmp_path):
    with visit() as tab:
        tab.page.goto(page.as_uri())
        for i in range(2):
            check_prediction(PredictionHand(tab.page, i))
            check_prediction_keys(PredictionHand(tab.page, i))
        PredictionHand(tab.page, 0).choose("about half")
        PredictionHand(tab.page, 1).choose("a quarter")
        assert PredictionHand(tab.page, 0).verdict == "wrong"
        assert PredictionHand(tab.page, 1).verdict == "right"
        check_accessible(tab.page, "main")
        tab.page.screenshot(path=tmp_path / "page.png", full_page=True)
        print(f"screenshot: {tmp_path / 'page.png'}")
        tab.check_quiet()


def test_the_choice_is_there_when_the_page_is_opened_again(visit, page):
    with visit() as tab:
        tab.page.goto(page.as_uri())
        PredictionHand(tab.page, 0).choose("about half")
        PredictionHand(tab.page, 1).start_over()
        tab.page.reload()
        assert PredictionHand(tab.page, 0).chosen == ["about half"]
        assert PredictionHand(tab.page, 0).verdict == "wrong"
        assert PredictionHand(tab.page, 1).verdict == "none"
        PredictionHand(tab.page, 0).start_over()
        tab.page.reload()
        assert PredictionHand(tab.page, 0).verdict == "none"


@pytest.mark.parametrize("broken", ["getItem", "setItem"])
def test_without_storage_the_page_remembers(visit, page, broken):
    stop = "() => { throw new DOMException('denied', 'SecurityError'); }"
    with visit() as tab:
        tab.page.add_init_script(f"Storage.prototype.{broken} = {stop};")
        tab.page.goto(page.as_uri())
        for i in range(2):
            check_prediction(PredictionHand(tab.page, i))
            check_prediction_keys(PredictionHand(tab.page, i))
        tab.check_quiet()


def test_an_option_that_is_no_longer_there_counts_as_nothing(visit, page):
    with visit() as tab:
        tab.page.add_init_script("localStorage.setItem('sculptor-prediction-01.a', 'old words')")
        tab.page.goto(page.as_uri())
        hand = PredictionHand(tab.page, 0)
        assert hand.chosen == [] and hand.verdict == "none"
        tab.check_quiet()


def test_two_copies_on_one_page_agree_and_are_groups_of_their_own(visit, tmp_path):
    asked, revealed = both()
    file = tmp_path / "copies.html"
    body = asked.page + asked.page + revealed.page
    file.write_text(f'<!doctype html><html lang="en"><main>{body}</main></html>', "utf-8")
    with visit() as tab:
        tab.page.goto(file.as_uri())
        one, two = PredictionHand(tab.page, 0), PredictionHand(tab.page, 1)
        for first, second in itertools.permutations((one, two)):
            first.start_over()
            second.choose("about half")
            assert first.chosen == second.chosen == ["about half"]
        names = tab.page.locator("[type=radio]").evaluate_all("(all) => all.map((r) => r.name)")
        assert len(set(names)) == 2
        tab.check_quiet()


def test_the_script_never_leaves_its_page():
    assert not re.search(r"fetch|XMLHttp|import\(|http", predictions.SCRIPT)
