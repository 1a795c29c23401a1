"""Predict and reveal: nothing is judged too early, nothing is lost without script or storage."""

import functools
import itertools
import re
import threading
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import pytest
from bs4 import BeautifulSoup
from page_objects import PredictionHand, check_accessible, check_prediction, check_prediction_keys
from playwright.sync_api import expect

from diffusion_helpers.exercises import questions
from diffusion_helpers.widgets import predictions
from diffusion_helpers.widgets.predictions import ask, prediction_score, reveal

OPTIONS = {
    "quarter": ("a quarter", "Layers multiply."),
    "half": ("about `half`", 'Half of the layers is <more> than "half".'),
    "nine tenths": ("nine tenths", "So it is: `alpha_bar` is small."),
}
QUESTION = "How much is dust & noise?"


def write_question(folder, name="01.a", text=QUESTION, options=OPTIONS):
    """Add a question to the file of its lesson."""
    parts = [f"- `{key}` {words}\n\n  {why}\n" for key, (words, why) in options.items()]
    with (folder / f"lesson_{name[:2]}.md").open("a", encoding="utf-8") as file:
        file.write("\n".join([f"## {name}\n", f"{text}\n", *parts, ""]))


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """Where the questions stand: 01.a and 01.b, of the same words."""
    monkeypatch.setattr(questions, "FOLDER", tmp_path)
    write_question(tmp_path)
    write_question(tmp_path, "01.b")
    return tmp_path


def soup(fragment):
    return BeautifulSoup(fragment.page, "html.parser")


def both(name="01.a", truth="nine tenths"):
    return ask(name), reveal(name, truth, "Measured: 92 %.")


def test_the_question_judges_nothing():
    asked = ask("01.a")
    html = soup(asked)
    assert not any(words in asked.page for words in ("Layers multiply", "more&gt;", "So it is:"))
    assert html.legend.get_text() == QUESTION
    assert [radio["value"] for radio in html.select("[type=radio]")] == list(OPTIONS)
    assert [label.get_text() for label in html("label")] == [
        words.replace("`", "") for words, _ in OPTIONS.values()
    ]
    assert not html.select("[checked]")


def test_without_its_script_everything_can_be_read():
    asked, revealed = map(soup, both())
    for html in (asked, revealed):
        for part in html.select("script, style, [hidden]"):
            part.decompose()
    assert QUESTION in asked.get_text() and predictions.UNSEEN in asked.get_text()
    read = revealed.get_text()
    for words, why in OPTIONS.values():
        assert words.replace("`", "") in read and why.replace("`", "") in read
    assert "What happened: nine tenths. Measured: 92 %." in read
    assert len(revealed("details")) == len(OPTIONS) and not revealed.select("details[open]")


def test_nothing_is_left_unescaped(folder):
    evil = "</script><img src=x onerror=alert(1)>\"'"
    write_question(folder, "02.a", evil, {"a": (evil, evil), "b": ("b", "why")})
    for html in map(soup, (ask("02.a"), reveal("02.a", "a", evil))):
        assert not html("img") and len(html("script")) == 1
    assert soup(reveal("02.a", "a", evil)).details.span.get_text() == evil


def test_controls_leave_the_arrow_keys_to_the_reader():
    for control in soup(ask("01.a")).select("input, button"):
        assert control.has_attr("data-lm-suppress-shortcuts")


def test_they_need_nothing_and_read_as_text():
    asked, revealed = both()
    for shown in (asked, revealed):
        assert "http" not in shown.page and shown._repr_html_() == shown.page
    assert repr(asked).startswith("Predict: How much") and "Layers" not in repr(asked)
    assert repr(revealed) == "What happened: nine tenths. Measured: 92 %."


def test_a_file_that_was_edited_is_read_at_once(folder):
    ask("01.a")
    (folder / "lesson_01.md").unlink()
    write_question(folder, "01.a", "Another?", {"yes": ("yes", "so"), "no": ("no", "so")})
    assert "Another?" in ask("01.a").page and "Another?" in reveal("01.a", "no", "0 of 3").page


def test_what_happened_is_told_without_the_cell_that_asked():
    """The question stands in its file, so a kernel that was restarted knows it."""
    assert soup(reveal("01.b", "half", "50 %")).select_one(".title").get_text() == QUESTION


def test_a_bad_reveal_gets_one_sentence():
    for call in (lambda: ask("01.z"), lambda: reveal("01.z", "half", "50 %")):
        with pytest.raises(ValueError, match=r"no question 01\.z: lesson 01 asks 01\.a, 01\.b\."):
            call()
    for truth in ("about half", None):  # the words are no key
        with pytest.raises(ValueError, match=r"expected truth among \['quarter', .* got "):
            reveal("01.a", truth, "50 %")
    with pytest.raises(ValueError, match="measured words"):
        reveal("01.a", "nine tenths", "")


# ---- in a browser -------------------------------------------------------------------------------


def write_page(file):
    """Write a page with two predictions and what came of them."""
    parts = [*both("01.a"), *both("01.b", truth="quarter")]
    body = "".join(part.page for part in parts)
    file.write_text(
        f'<!doctype html><html lang="en"><title>Two</title><main>{body}</main></html>', "utf-8"
    )


@pytest.fixture
def page(tmp_path):
    write_page(tmp_path / "page.html")
    return tmp_path / "page.html"


def test_each_can_be_answered_by_mouse_and_keyboard(visit, page, tmp_path):
    with visit() as tab:
        tab.page.goto(page.as_uri())
        for i in range(2):
            check_prediction(PredictionHand(tab.page, i))
            check_prediction_keys(PredictionHand(tab.page, i))
        PredictionHand(tab.page, 0).choose("half")
        PredictionHand(tab.page, 1).choose("quarter")
        assert PredictionHand(tab.page, 0).verdict == "wrong"
        assert PredictionHand(tab.page, 1).verdict == "right"
        check_accessible(tab.page, "main")
        tab.page.screenshot(path=tmp_path / "page.png", full_page=True)
        print(f"screenshot: {tmp_path / 'page.png'}")
        tab.check_quiet()


def test_the_choice_is_there_when_the_page_is_opened_again(visit, page):
    with visit() as tab:
        tab.page.goto(page.as_uri())
        PredictionHand(tab.page, 0).choose("half")
        PredictionHand(tab.page, 1).start_over()
        tab.page.reload()
        assert PredictionHand(tab.page, 0).chosen == ["half"]
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


def test_a_choice_outlives_new_words(visit, page, folder, tmp_path):
    with visit() as tab:
        tab.page.goto(page.as_uri())
        PredictionHand(tab.page, 0).choose("half")
        (folder / "lesson_01.md").unlink()
        new = {key: (f"{words}, in other words", why) for key, (words, why) in OPTIONS.items()}
        for name in ("01.a", "01.b"):
            write_question(folder, name, "How much is dust, said anew?", new)
        write_page(page)
        tab.page.reload()
        hand = PredictionHand(tab.page, 0)
        assert hand.chosen == ["half"] and hand.verdict == "wrong"
        assert "You said: about half, in other words." in hand.revealed.inner_text()


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """A folder, and the port at which this machine serves what stands in it."""
    folder = tmp_path_factory.mktemp("served")
    serve = functools.partial(QuietHandler, directory=folder)
    with ThreadingHTTPServer(("127.0.0.1", 0), serve) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield folder, server.server_port
        server.shutdown()


class QuietHandler(SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


@pytest.mark.parametrize("how", ["one origin", "two origins", "no storage"])
def test_a_choice_in_another_frame_is_followed(visit, served, how):
    """As where each cell's outputs stand in a frame of their own, with what that frame may do."""
    folder, port = served
    inside = 'sandbox="allow-scripts"' if how == "no storage" else ""  # then storage throws
    there = "localhost" if how == "two origins" else "127.0.0.1"
    asked, revealed = both()
    pages = {"asked": asked.page, "revealed": revealed.page}
    pages["deeper"] = f'<iframe title="r" src="http://{there}:{port}/revealed.html"></iframe>'
    pages["lesson"] = "".join(
        f'<iframe id="{name}" title="{name}" {inside} width="900" height="500"'
        f' src="http://127.0.0.1:{port}/{name}.html"></iframe>'
        for name in ("asked", "deeper")
    )
    for name, body in pages.items():
        page = f'<!doctype html><html lang="en"><meta charset="utf-8"><title>x</title>{body}</html>'
        (folder / f"{name}.html").write_text(page, "utf-8")

    with visit() as tab:
        tab.page.goto(f"http://127.0.0.1:{port}/lesson.html")
        asked = tab.page.frame_locator("#asked").locator(".prediction")
        revealed = tab.page.frame_locator("#deeper").frame_locator("iframe").locator(".revealed")
        verdict = functools.partial(expect(revealed).to_have_attribute, "data-verdict")
        verdict("none")
        for part in revealed.locator("details").all():  # all can be read without an answer
            part.locator("summary").click()
            expect(part.locator("p")).to_be_visible()
        for option, right in (("half", False), ("nine tenths", True)):
            asked.locator(f'[value="{option}"]').check()
            verdict("right" if right else "wrong")
        caption = asked.locator(".caption")
        expect(caption).to_contain_text("until this page" if how == "no storage" else "Kept. Go on")

        tab.page.locator("#deeper").evaluate("(frame) => { frame.src += ''; }")  # it runs again
        verdict("right")
        asked.get_by_role("button", name="Start over").click()
        verdict("none")
        tab.check_quiet()


def test_a_choice_in_another_tab_is_followed(visit, page):
    with visit() as tab, visit() as other:
        for one in (tab, other):
            one.page.goto(page.as_uri())
        for first, second in ((tab, other), (other, tab)):
            for option, verdict in (("half", "wrong"), ("nine tenths", "right")):
                first.page.bring_to_front()
                PredictionHand(first.page, 0).choose(option)
                second.page.bring_to_front()
                hand = PredictionHand(second.page, 0)
                expect(hand.revealed).to_have_attribute("data-verdict", verdict, timeout=60_000)
                assert hand.chosen == [option]


def test_a_page_that_comes_into_sight_looks_again(visit, page):
    """Whatever was missed out of sight."""
    with visit() as tab:
        tab.page.goto(page.as_uri())
        tab.page.evaluate(
            """() => {
              localStorage.setItem("sculptor-prediction-01.a", "half");
              document.dispatchEvent(new Event("visibilitychange"));
            }"""
        )
        assert PredictionHand(tab.page, 0).chosen == ["half"]


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
            second.choose("half")
            assert first.chosen == second.chosen == ["half"]
        names = tab.page.locator("[type=radio]").evaluate_all("(all) => all.map((r) => r.name)")
        assert len(set(names)) == 2
        tab.check_quiet()


def test_no_script_leaves_its_page():
    for script in (predictions.SCRIPT, predictions.SCORE):
        assert not re.search(r"fetch|XMLHttp|import\(|http", script)


# ---- the score ----------------------------------------------------------------------------------


def score_of(tab, file):
    tab.page.goto(file.as_uri())
    return tab.page.locator(".sculptor.score .said").inner_text()


def test_the_score_counts_what_the_notebooks_of_one_browser_know(visit, page, folder, tmp_path):
    """Two pages stand for two notebooks: one asks and reveals, the other one counts."""
    write_question(folder, "02.a")
    file = tmp_path / "score.html"
    body = prediction_score().page + ask("02.a").page
    file.write_text(f'<!doctype html><html lang="en"><title>S</title><main>{body}</main></html>')
    with visit() as tab:
        tab.page.goto(file.as_uri())
        tab.page.evaluate("localStorage.clear()")  # what other tests predicted
        assert score_of(tab, file).startswith("No prediction is found here.")
        check_accessible(tab.page, "main")
        tab.page.goto(page.as_uri())  # 01.a: nine tenths is right; 01.b: a quarter
        PredictionHand(tab.page, 0).choose("nine tenths")
        PredictionHand(tab.page, 1).choose("half")
        assert score_of(tab, file) == "You predicted 1 of 2 right. 1 not answered yet."
        tab.page.get_by_text("Lesson by lesson").click()
        lines = tab.page.locator("[data-lesson]").all_inner_texts()
        assert lines == ["Lesson 01: 1 of 2 right", "Lesson 02: no result yet"]
        tab.page.get_by_label("half").check()  # it counts at once, and its result is not known
        said = tab.page.locator(".sculptor.score .said")
        assert said.inner_text().endswith(" 1 without a result yet.")
        check_accessible(tab.page, "main")
        tab.page.goto(page.as_uri())
        PredictionHand(tab.page, 1).choose("quarter")
        assert score_of(tab, file).startswith("You predicted 2 of 2 right. 1 without")
        tab.check_quiet()


def test_the_score_tells_what_luck_would_have_got(visit, folder, tmp_path):
    """Nine questions of three options each: three by luck."""
    for letter in "abcdefghi":
        write_question(folder, f"03.{letter}")
    file = tmp_path / "score.html"
    file.write_text(f'<!doctype html><html lang="en">{prediction_score().page}</html>')
    with visit() as tab:
        tab.page.goto(file.as_uri())
        tab.page.evaluate(
            """() => {
              localStorage.clear();
              for (const letter of "abcdefghi") {
                localStorage.setItem(`sculptor-prediction-03.${letter}`, "half");
                localStorage.setItem(`sculptor-truth-03.${letter}`, "abcd".includes(letter)
                  ? "half" : "quarter");
              }
            }"""
        )
        assert score_of(tab, file) == (
            "You predicted 4 of 9 right; guessing at random gets about 3. 2 not answered yet."
        )


def test_a_score_without_storage_says_so(visit, tmp_path):
    file = tmp_path / "score.html"
    file.write_text(f'<!doctype html><html lang="en">{prediction_score().page}</html>')
    stop = "Storage.prototype.getItem = () => { throw new DOMException('no', 'SecurityError'); }"
    with visit() as tab:
        tab.page.add_init_script(stop)
        assert "lets the page keep nothing" in score_of(tab, file)
        tab.check_quiet()


def test_a_score_that_was_not_counted_says_where_it_is():
    html = soup(prediction_score())
    for part in html.select("script, style, [hidden]"):
        part.decompose()
    assert predictions.UNCOUNTED in html.get_text() and not re.search("[0-9] of", html.get_text())
