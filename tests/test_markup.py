"""HTML and script in prompts, captions and titles are shown, and never obeyed, in any page.

Wherever somebody's words reach a page they are put through it here, in a real JupyterLab and in the
page that it exports.
"""

import nbformat
import pytest
from browser import REPO, export_page, jupyter_lab, open_and_run_all, open_notebook
from page_objects import Hand, LiveHand, PredictionHand
from test_browser import notebook

SCRIPT = "<script>window.pwned = 1</script>"
IMAGE = "<img src=x onerror='window.pwned = 1'>"
EVIL = f'{SCRIPT}{IMAGE}"><svg onload="window.pwned = 1">`</script>`'

LESSON = [  # the first control of lesson 07, at two steps
    cell.source.replace("start=20", "start=2")
    for cell in nbformat.read(REPO / "notebooks" / "07_whisper_of_the_spell.ipynb", 4).cells
    if cell.id in ("setup", "first-live")
]
OTHERS = [
    f"""\
EVIL = {EVIL!r}

def echo(prompt, choice, switches):
    return {{EVIL: torch.zeros(3, 8, 8)}}, f"{{prompt}} {{choice}} {{switches}}"

live(echo, prompt=Prompt(EVIL), choice=Choice([EVIL, "b"]), switches=Switches((EVIL, "b"), (EVIL,)),
     alt=EVIL)""",
    """\
frames = torch.rand(3, 3, 8, 8)
scrubber({EVIL: {EVIL: frames}, "b": {EVIL: -frames}}, {EVIL: [EVIL] * 3, "b": [EVIL] * 3},
         label=EVIL, choice_label=EVIL, alt=EVIL)""",
    """\
import matplotlib.pyplot as plt
from diffusion_helpers.widgets.figures import show

fig, ax = plt.subplots()
ax.set_title(EVIL)
show(fig, EVIL)
show_pictures(frames, alt=EVIL, captions=[EVIL] * 3)""",
    """\
from pathlib import Path
from diffusion_helpers.exercises import questions

questions.FOLDER = Path.cwd()
option = f"- `a` {EVIL}\\n\\n  {EVIL}\\n\\n"
Path("lesson_07.md").write_text(f"## 07.a\\n\\n{EVIL}\\n\\n{option}{option.replace('`a`', '`b`')}")
ask("07.a")""",
    'reveal("07.a", "a", EVIL)',
    """\
@exercise("03.5")
def diagnosis():
    return EVIL

@exercise("03.1")
def mistake_of(*arguments, **named):
    raise RuntimeError(EVIL)

card("03")""",
]
# What a box leaves that is full in the middle of a sign: no message between page and Python can
# carry it.
HALF_AN_EMOJI = """(box) => {
  box.value = "\\ud83c";
  box.dispatchEvent(new Event("input"));
}"""
IN_A_PAGE = {".sculptor.live": 0, ".sculptor.still": 1, ".choices label": 1}  # no live control
OBEYED = "() => 'pwned' in window || document.querySelector('img[src=x], svg[onload]') !== null"


def check_shown(page, others):
    """The words stand on the page as they were written, as often as they must, and do nothing."""
    assert not page.evaluate(OBEYED)
    for selector, least in others.items():
        shown = page.locator(selector).filter(has_text=SCRIPT)
        assert shown.count() >= least, f"{selector}: {shown.count()} times"


@pytest.fixture(scope="module")
def lab(visit, tmp_path_factory):
    root = tmp_path_factory.mktemp("notebooks")
    made = notebook([LESSON[0].replace("import Choice", "import Switches, Choice"), *LESSON[1:]])
    made.cells += notebook(OTHERS).cells
    nbformat.write(made, root / "evil.ipynb")
    with jupyter_lab(root, tmp_path_factory.mktemp("jupyter")) as lab:
        yield lab


@pytest.mark.slow
def test_markup_is_shown_and_never_obeyed(visit, lab, tmp_path):
    with visit() as tab:
        page = tab.page
        open_and_run_all(page, lab, "evil.ipynb", timeout=300)
        spell, echo = LiveHand(page), LiveHand(page, nth=1)
        for words, heard in ((IMAGE, "'img'"), (EVIL, "'svg'")):
            answers(spell, lambda box: box.fill(words), heard)  # noqa: B023
        assert EVIL in echo.words
        answers(echo, lambda box: box.evaluate(HALF_AN_EMOJI), "\ufffd <script>")
        answers(echo, lambda box: box.fill(IMAGE), f"{IMAGE} <script>")
        echo.changes(echo.root.get_by_role("radio").last.check)
        echo.changes(echo.root.get_by_role("checkbox").last.check)

        everywhere = {
            ".sculptor.live": 1,
            ".scrubber": 1,
            ".scrubber .caption": 1,
            ".choices label": 2,
            "figcaption": 5,
            ".prediction": 1,
            ".revealed": 1,
            ".revealed .happened": 1,
            "[data-verdict=wrong][style]": 2,
        }
        play(page)
        check_shown(page, everywhere)
        page.evaluate("jupyterapp.commands.execute('docmanager:save')")
        page.wait_for_function("!jupyterapp.shell.currentWidget.context.model.dirty")
        tab.check_quiet()

    exported = export_page(lab.root / "evil.ipynb", tmp_path)
    with visit() as tab:
        tab.page.goto(exported.as_uri())
        play(tab.page)
        check_shown(tab.page, everywhere | IN_A_PAGE)
        tab.check_quiet()

    with visit() as tab:  # opened again: not trusted, or trusted, as JupyterLab sees fit
        open_notebook(tab.page, lab, "evil.ipynb")
        tab.page.locator(".sculptor.still").first.wait_for()
        check_shown(tab.page, {"figcaption": 1})
        tab.check_quiet()


def answers(hand, write, words):
    """Write into the box of a live control, and wait until its caption says these words."""
    write(hand.root.get_by_role("textbox"))
    hand.root.locator(".last .caption").filter(has_text=words).wait_for(timeout=60_000)
    assert not hand.trouble


def play(page):
    """Let our own scripts write every word that they have: captions, labels, what was predicted."""
    hand = Hand(page)
    hand.slider.press("Home")
    hand.root.get_by_role("radio").last.check()
    assert hand.words == EVIL
    prediction = PredictionHand(page)
    for option in prediction.options:
        prediction.choose(option)
        assert (
            prediction.revealed.locator(".said")
            .inner_text()
            .startswith(f"You said: {prediction.words[option]}. ")
        )
