"""Exported lessons whose controls live without Python."""

import base64
import io
import re
import shutil
import subprocess
import sys
from urllib.parse import urlsplit

import nbformat
import numpy as np
import pytest
import torch
from browser import REPO, jupyter_environment
from drawings import defined, in_float32, in_python, lesson_function, lesson_source, serve
from nbclient import NotebookClient
from page_objects import LiveHand, check_accessible, check_live
from PIL import Image
from shorten_lessons import shorter

from diffusion_helpers import ddim, load_checkpoint, pure_noise
from diffusion_helpers.authoring import one_file
from diffusion_helpers.living import mirrors
from diffusion_helpers.sampling import guided, with_end
from diffusion_helpers.text import STYLES
from diffusion_helpers.widgets.controls import ASLEEP, Choice, Prompt, Seeds, Slider, live
from diffusion_helpers.words import load_words

LESSONS = sorted(path.stem for path in (REPO / "notebooks").glob("[0-9]*.ipynb"))


# ---- the tables ---------------------------------------------------------------------------------


def live_functions():
    """{(lesson, cell, name): source} of each function that a lesson hands to `live`."""
    found = {}
    for lesson in LESSONS:
        for cell in nbformat.read(REPO / "notebooks" / f"{lesson}.ipynb", as_version=4).cells:
            for name in re.findall(r"^live\(\s*(\w+)", cell.source, re.MULTILINE):
                found[lesson, cell.id, name] = lesson_source(lesson, cell.id, name)
    return found


def test_each_drawing_function_of_the_lessons_has_its_row():
    """Who changes one changes its twin in living/static/draws/, too, and then its row."""
    found = {mirrors.fingerprint(source): where for where, source in live_functions().items()}
    rows = {name: mirror for table in mirrors.MIRRORS for name, mirror in table.items()}
    assert len(found) > 20 and not rows.keys() & mirrors.ONLY_PYTHON.keys()
    missing = {
        where: name for name, where in found.items() if name not in {**rows, **mirrors.ONLY_PYTHON}
    }
    assert not missing, f"no row in living/mirrors.py: {missing}"
    stale = (rows.keys() | mirrors.ONLY_PYTHON.keys()) - found.keys()
    assert not stale, f"no lesson has these functions any more: {stale}"
    draws = [mirror.draw for mirror in rows.values()]
    assert sorted(draws) == sorted(set(draws)), "two lessons share a drawing"


# ---- a lesson and its page ----------------------------------------------------------------------

LOOKS = {"any": None} | {style: style for style in STYLES}
PARTS = {
    "wish": Prompt("a red apple"),
    "style": Choice(LOOKS, start="noto"),
    "network": Choice(("swift", "demiurge")),
    "guidance": Slider(1, 6, start=3, step=0.5),
    "seeds": Seeds(),
}
ALT = "A picture emerges from noise while the network follows your wish"


@pytest.fixture(scope="module", autouse=True)
def float32():
    with in_float32():
        yield


@pytest.fixture(scope="module")
def creation():
    """What the globals of lesson 00 hold, and its drawing function."""
    lesson = {
        **{"ddim": ddim, "guided": guided, "pure_noise": pure_noise, "with_end": with_end},
        **{name: load_checkpoint(name, "cpu") for name in ("swift", "demiurge")},
        "device": torch.device("cpu"),
        "words": load_words(),
    }
    return lesson, lesson_function("00_start_here", "creation-live", "create", lesson)


def test_lesson_00_creates_as_in_python(draws, creation):
    moves = [{"wish": "a red aple", "network": 1}, {"guidance": 6}]
    moves.append({"wish": "", "style": 0, "guidance": 1.5, "seeds": [7, True]})
    draws(creation[1], PARTS, moves)


CHANGED = """def create(wish, style, network, guidance, seeds):
    return {'grey': torch.zeros(3, 4, 4)}, wish"""


def test_a_function_or_a_network_of_your_own_stays_still_and_says_why(creation):
    lesson, _ = creation
    other = load_checkpoint("demiurge", "cpu")
    with torch.no_grad():
        next(other.parameters()).mul_(1.001)  # a little training
    source = lesson_source("00_start_here", "creation-live", "create")
    own = {
        mirrors.OWN_FUNCTION: defined(CHANGED, "create", {"torch": torch}),
        mirrors.OWN_NETWORK: defined(source, "create", lesson | {"demiurge": other}),
    }
    for reason, draw in own.items():
        with pytest.raises(ValueError, match=re.escape(reason)):
            mirrors.living_part(draw)
    with pytest.raises(ValueError, match=re.escape(mirrors.OWN_FUNCTION)):
        mirrors.living_part(len)  # what has no source at all
    page = live(own[mirrors.OWN_FUNCTION], alt=ALT, **PARTS).static_image()
    assert "<script" not in page
    assert f"{ASLEEP} Without Python it stays still: its drawing function is" in page


@pytest.fixture(scope="module")
def notebook(creation):
    """A lesson that was run: two controls that can live in a page, and one that cannot."""
    lesson, create = creation
    changed = defined(CHANGED, "create", lesson | {"torch": torch})
    cells = [nbformat.v4.new_markdown_cell("# A lesson that lives on")]
    for draw, wish in ((create, "a red apple"), (create, "rocket"), (changed, "nothing")):
        control = live(draw, alt=ALT, **PARTS | {"wish": Prompt(wish)})
        output = nbformat.v4.new_output("display_data", {"text/html": control.static_image()})
        cells.append(nbformat.v4.new_code_cell("live(...)", outputs=[output]))
    return nbformat.v4.new_notebook(cells=cells)


@pytest.fixture(scope="module")
def exported(notebook, tmp_path_factory):
    """Its page, as nbconvert's command writes it, in a folder with an uncommon name."""
    folder = tmp_path_factory.mktemp("export") / "Мир и хаос, 1 %"
    folder.mkdir()
    nbformat.write(notebook, folder / "урок 1.ipynb")
    command = [sys.executable, "-m", "nbconvert", "--to", "html", folder / "урок 1.ipynb"]
    subprocess.run(command, check=True, env=jupyter_environment(folder))
    return folder / "урок 1.html"


@pytest.fixture(scope="module")
def tab(visit, exported):
    """The page, opened from a disk."""
    with visit() as tab:
        tab.page.goto(exported.as_uri())
        yield tab
        tab.check_quiet()


def wish(hand, words):
    hand.root.get_by_role("textbox", name="wish").fill(words)


def check_picture(hand, creation, words):
    """The end of the creation for these words is what Python draws, to 1 of 255 levels."""
    hand.wait_for(f"{words}, finished")
    pictures, caption = hand.settle()
    values = {name: part.spec()["start"] for name, part in PARTS.items()} | {"wish": words}
    wanted = in_python(creation[1], PARTS, values)[-1]
    assert caption == wanted["caption"] and not hand.trouble
    for picture, pixels in zip(pictures, wanted["pixels"], strict=True):
        png = base64.b64decode(picture.partition(",")[2])
        got = np.array(Image.open(io.BytesIO(png)).convert("RGB")).astype(int)
        assert np.abs(got - pixels).max() <= 1


# ---- alive --------------------------------------------------------------------------------------


def test_a_page_from_a_disk_comes_alive_when_a_hand_moves(tab, creation):
    page, hand = tab.page, LiveHand(tab.page)
    page.wait_for_function("() => document.querySelectorAll('.sculptor.live').length === 2")
    shown = page.locator(".sculptor.still").evaluate_all("(a) => a.map((s) => s.checkVisibility())")
    assert shown == [False, False, True]  # the one that was changed stays
    assert mirrors.OWN_FUNCTION in page.locator(".still .asleep").last.inner_text()
    assert hand.words == "a red apple, finished in 4 calls"
    assert page.evaluate("Object.keys(sculptorPacks).length") == 0  # nothing is loaded before
    buttons = hand.root.get_by_role("group", name="Keep and compare").get_by_role("button")
    assert buttons.all_inner_texts() == ["Pin", "Save picture", "Save animation", "Save GIF"]
    check_accessible(page, "main")

    page.evaluate(LOADING)
    wish(hand, "blue heart")
    check_picture(hand, creation, "blue heart")
    said = page.evaluate("() => said")
    assert said[0] == "Loading the network" and said[-1] == "Starting the network"
    assert len(said) > 10 and all(re.search(r"\d of 1\d MB$", words) for words in said[1:-1])
    assert not hand.root.locator(".loading").is_visible()

    other = LiveHand(page, 1)  # shares what is loaded
    page.evaluate(LOADING)
    wish(other, "дом")
    check_picture(other, creation, "дом")
    assert not [words for words in page.evaluate("() => said") if "MB" in words]
    check_picture(hand, creation, "blue heart")


LOADING = """() => {
  const said = window.said = [];
  for (const words of document.querySelectorAll(".loading")) {
    new MutationObserver(() => { if (words.textContent) said.push(words.textContent); })
      .observe(words, { childList: true });
  }
}"""


def test_impatient_moves_end_on_the_last_one(tab, creation):
    """60 a second, while the pictures of the first are still computed."""
    hand = LiveHand(tab.page)
    tab.page.evaluate(
        """() => new Promise((done) => {
          const box = document.querySelector(".sculptor.live input[type=text]");
          let left = 120;
          const timer = setInterval(() => {
            left -= 1;
            box.value = left ? `${left} stars` : "green tree";
            box.dispatchEvent(new Event("input", { bubbles: true }));
            if (!left) { clearInterval(timer); done(); }
          }, 1000 / 60);
        })"""
    )
    check_picture(hand, creation, "green tree")


def test_a_page_that_slept_goes_on(tab, creation):
    hand, browser = LiveHand(tab.page), tab.page.context.new_cdp_session(tab.page)
    wish(hand, "purple umbrella")
    browser.send("Page.setWebLifecycleState", {"state": "frozen"})
    browser.send("Page.setWebLifecycleState", {"state": "active"})
    check_picture(hand, creation, "purple umbrella")
    browser.send("Page.setWebLifecycleState", {"state": "frozen"})
    browser.send("Page.setWebLifecycleState", {"state": "active"})
    wish(hand, "rocket")
    check_picture(hand, creation, "rocket")


def test_all_in_one_file_over_http_in_two_tabs(visit, exported, creation, tmp_path):
    one_file.main([str(exported), str(tmp_path / "one.html")])
    page, hands = (tmp_path / "one.html").read_bytes(), []
    with serve({"/one.html": page}) as address, visit() as one, visit() as other:
        for tab, words in ((one, "cat"), (other, "звезда")):
            tab.page.goto(f"{address}/one.html")
            hands.append(LiveHand(tab.page))
            wish(hands[-1], words)
        for hand, words in zip(hands, ("cat", "звезда"), strict=True):
            hand.page.bring_to_front()
            check_picture(hand, creation, words)
        one.check_quiet()
        other.check_quiet()


def test_a_page_that_cannot_be_one_file_gets_one_sentence(tmp_path, capsys):
    (tmp_path / "still.html").write_text("<p>a still</p>", "utf-8")
    (tmp_path / "bytes.html").write_bytes(b"\xff\xfe\xff")
    sentences = {
        "still.html": "there is no live control on this page: run the lesson, then export it",
        "bytes.html": f"{tmp_path / 'bytes.html'} is no page of HTML",
        "none.html": f"{tmp_path / 'none.html'}: No such file or directory",
    }
    for name, sentence in sentences.items():
        with pytest.raises(SystemExit) as end:
            one_file.main([str(tmp_path / name), str(tmp_path / "out.html")])
        assert end.value.code == 2 and capsys.readouterr().err.endswith(f"error: {sentence}\n")
    assert not (tmp_path / "out.html").exists()


# ---- what may be amiss --------------------------------------------------------------------------


def test_a_missing_or_damaged_pack_is_told_and_may_come_later(visit, exported, creation, tmp_path):
    shutil.copy(exported, tmp_path / "page.html")
    with visit() as tab:
        tab.page.goto((tmp_path / "page.html").as_uri())
        hand = LiveHand(tab.page)
        before = hand.seen()
        wish(hand, "cat")
        hand.settle()
        assert re.fullmatch(
            r"the file packs/\S+\.js is missing or damaged, or did not come: get it again",
            hand.trouble,
        )
        assert hand.seen() == before

        shutil.copytree(exported.parent / "packs", tmp_path / "packs")
        damaged = tmp_path / "packs" / "checkpoints-swift.safetensors.2.js"
        whole = damaged.read_text("utf-8")
        for broken, words in (
            (
                whole[:-100],
                "packs/checkpoints-swift.safetensors.2.js is missing",
            ),
            (whole[:5000] + whole[5004:], "or not whole: get the page and its packs again"),
        ):
            damaged.write_text(broken, "utf-8")
            wish(hand, "dog")
            hand.root.get_by_text(words).wait_for()
            hand.settle()
            assert hand.seen() == before
            wish(hand, "cat")
        damaged.write_text(whole, "utf-8")
        wish(hand, "fish")
        check_picture(hand, creation, "fish")
        assert not tab.outside


TOO_OLD = "This browser is too old to bring its controls alive: open the page in a newer one."
NO_SIMD = "This browser is too old to run its network: open the page in a newer one."
OLD = {
    "delete window.DecompressionStream": TOO_OLD,
    "delete Array.prototype.findLastIndex": TOO_OLD,
    "WebAssembly.validate = () => false": NO_SIMD,
    "delete window.WebAssembly": NO_SIMD,
}


@pytest.mark.parametrize("lacks", OLD)
def test_an_old_browser_keeps_the_still_and_says_why(visit, exported, lacks):
    with visit() as tab:
        tab.page.add_init_script(lacks)
        tab.page.goto(exported.as_uri())
        tab.page.get_by_text(OLD[lacks]).first.wait_for()
        stills = tab.page.locator(".sculptor.still")
        assert all(still.is_visible() for still in stills.all())
        words = stills.locator(".asleep").all_inner_texts()
        assert words[:2] == [f"A still picture. {OLD[lacks]}"] * 2 and words[2].startswith(ASLEEP)
        assert tab.page.locator(".sculptor.live").count() == 0
        tab.check_quiet()


def test_a_thread_that_died_answers_no_more(visit, exported, creation):
    with visit() as tab:
        tab.page.goto(exported.as_uri())
        hand = LiveHand(tab.page)
        wish(hand, "cat")
        hand.settle()
        (thread,) = tab.page.workers
        thread.evaluate("() => { setTimeout(() => { throw new Error('no memory'); }); }")
        hand.root.get_by_text("the other thread, which computes, has stopped: ").wait_for()
        wish(hand, "dog")
        check_picture(hand, creation, "dog")
        assert len(tab.page.workers) == 1 and tab.page.workers != [thread]


@pytest.mark.parametrize("policy", ["script-src 'none'", "worker-src 'none'"])
def test_a_server_that_forbids_scripts_or_threads(visit, exported, policy):
    headers = {"Content-Security-Policy": policy, "Content-Type": "text/html"}
    with visit() as tab:
        tab.page.route("**/page.html", lambda r: r.fulfill(path=exported, headers=headers))
        tab.page.route(
            "**/packs/*",
            lambda r: r.fulfill(path=exported.parent / urlsplit(r.request.url).path[1:]),
        )
        tab.page.goto("http://127.0.0.1:1/page.html")
        if "script" in policy:
            stills = tab.page.locator(".sculptor.still").all()
            assert [still.is_visible() for still in stills] == [True] * 3
            return
        hand = LiveHand(tab.page)
        wish(hand, "cat")
        hand.settle()
        stopped = "the other thread, which computes, has stopped: this page may not start it"
        assert hand.trouble == stopped and hand.words == "a red apple, finished in 4 calls"


# ---- whole lessons ------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("name", LESSONS)
def test_every_control_of_a_lesson_lives_in_its_page(visit, name, tmp_path):
    """All but the drawing functions is shortened: then these would not be the lesson's own."""
    lesson, short = (nbformat.read(REPO / "notebooks" / f"{name}.ipynb", 4) for _ in range(2))
    for cell, whole in zip(short.cells, lesson.cells, strict=True):
        cell.source = whole.source if "live(" in whole.source else shorter(whole.source)
    NotebookClient(short, timeout=600, kernel_name="python3").execute(cwd=tmp_path)
    nbformat.write(short, tmp_path / "lesson.ipynb")
    command = [sys.executable, "-m", "nbconvert", "--to", "html", tmp_path / "lesson.ipynb"]
    subprocess.run(command, check=True, env=jupyter_environment(tmp_path))
    mine = [mirrors.fingerprint(code) for (at, *_), code in live_functions().items() if at == name]
    alive = len(mine) - len(mirrors.ONLY_PYTHON.keys() & set(mine))
    with visit() as tab:
        tab.page.goto((tmp_path / "lesson.html").as_uri())
        tab.page.wait_for_function(
            "(n) => document.querySelectorAll('.sculptor.live').length === n", arg=alive
        )
        stills = tab.page.locator(".sculptor.still").all()
        assert [still.is_visible() for still in stills].count(True) == len(mine) - alive
        for i in range(alive):
            hand = LiveHand(tab.page, i)
            hand.root.get_by_role("button", name="Start over").click()  # until now Python's picture
            check_live(hand)
        check_accessible(tab.page, "main")
        tab.check_quiet()
