"""The path through the course: the first command, the links from lesson to lesson, the end."""

import json
import re
import runpy
import shlex
import sys
import time
from contextlib import suppress
from html import unescape

import pytest
from browser import REPO, jupyter_lab
from PIL import Image
from test_house import FIRST_COMMAND

LESSONS = sorted((REPO / "notebooks").glob("[0-9]*.ipynb"))
MAP = "00_start_here.ipynb"
LAST = next(path for path in LESSONS if path.name.startswith("08"))  # then come the workshops
LINK = re.compile(r"\[((?:[^][]|\[[^][]*\])*)\]\(([^)\s]+)\)")
names = pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)


def cells_of(path):
    return json.loads(path.read_text("utf-8"))["cells"]


def source(cell):
    return "".join(cell["source"])


def text_of(path):
    return "\n\n".join(source(cell) for cell in cells_of(path) if cell["cell_type"] == "markdown")


def links(text):
    """(words, target) of each link, without those in formulas and code."""
    text = re.sub(r"```.*?```|\$\$.*?\$\$|(?<!\[)`[^`\n]*`(?!\])", "", text, flags=re.S)
    return LINK.findall(text)


# ---- links --------------------------------------------------------------------------------------


@names
def test_every_relative_link_leads_to_a_file(path):
    there = [target for _, target in links(text_of(path)) if "://" not in target]
    assert there
    broken = [target for target in there if not _leads_somewhere(path.parent / unescape(target))]
    assert not broken, f"{path.name} links to what is not there: {broken}"


def _leads_somewhere(target):
    """Whether there is a file, and in it the heading that JupyterLab finds by what follows a #."""
    name, _, heading = target.name.partition("#")
    file = target.with_name(name)
    if not heading or not file.is_file():
        return file.is_file()
    headings = re.findall(r"^#+ (.+)$", text_of(file), re.M)
    return heading in [words.replace(" ", "-") for words in headings]


@names
def test_files_that_it_names_are_links(path):
    named = re.findall(r"(?<!\[)`((?:data|benchmarks|diffusion_helpers)/[^`\s]+)`", text_of(path))
    bare = [name for name in named if (REPO / name).is_file()]
    assert not bare, f"{path.name}: write [`{bare[0]}`](../{bare[0]})"


@pytest.mark.parametrize("number", range(1, len(LESSONS)))
def test_it_ends_with_the_next_lesson_and_the_map(number):
    path = LESSONS[number]
    last = source(cells_of(path)[-1])
    assert f"[The map of all lessons]({MAP}#The-map-of-the-lessons)" in last
    if path in (LAST, LESSONS[-1]):
        return
    coming = LESSONS[number + 1]
    title = source(cells_of(coming)[0]).partition("\n")[0].removeprefix("# ").partition(":")[0]
    line = f"**Next: [{title}]({coming.name}).** "
    (recap,) = [c for c in cells_of(path) if c["id"] == "recap"]
    for text in (last, source(recap)):
        sentence = text.partition(line)[2].partition("\n")[0]
        assert sentence.endswith("."), f"{path.name} must say in one sentence what comes: {line}…"


def test_the_start_page_leads_to_all_lessons_and_to_the_first_one_last():
    start = text_of(LESSONS[0])
    assert {target for _, target in links(start)} >= {path.name for path in LESSONS[1:]}
    assert source(cells_of(LESSONS[0])[-1]).startswith("## Go\n\n**Next: [01 · Dust on the statue]")
    assert "**What comes:**" in source(cells_of(LESSONS[0])[0])


def test_the_course_ends_with_what_was_done_and_its_question_last():
    cells = cells_of(LAST)
    ids = [cell["id"] for cell in cells]
    parts = ("recap", "finale", "finale-card", "finale-score", "finale-gallery")
    finale = [ids.index(name) for name in parts]
    assert finale == sorted(finale)
    path = ids[: next(i for i, cell in enumerate(cells) if source(cell).startswith("## Deeper"))]
    assert path[-1] == "question", "nothing of the path comes after the question"
    asked = "If creation is only the removal of the excess from chaos, what does that say about"
    assert asked in source(cells[ids.index("question")]) and asked in source(cells[-1])


def test_the_last_cell_of_the_course_leads_to_the_workshops_too():
    workshops = LESSONS[LESSONS.index(LAST) + 1 :]
    assert workshops
    assert {path.name for path in workshops} <= {t for _, t in links(source(cells_of(LAST)[-1]))}


def test_nothing_speaks_of_an_extra_for_lesson_08():
    """The first command installs all that the lessons need."""
    said = "\n".join(path.read_text("utf-8") for path in [*LESSONS, REPO / "README.md"])
    assert not re.search(r"\[pocket\]|extra `pocket`|left out without|without the extra", said)


def test_the_first_picture_of_the_readme_is_what_one_will_have_at_the_end():
    alt, target = re.search(
        r"!\[([^]]+)\]\(([^)]+)\)", (REPO / "README.md").read_text("utf-8")
    ).groups()
    made = runpy.run_path(str(REPO / "data" / "make_readme_picture.py"))
    assert target == "data/readme/prompts.gif"
    assert all(prompt in " ".join(alt.split()) for prompt in made["PROMPTS"])
    with Image.open(REPO / target) as picture:
        assert picture.n_frames > 8
        picture.seek(picture.n_frames - 1)
        assert picture.info["duration"] >= 3000  # what came out stays a while
    assert (REPO / target).stat().st_size < 700_000


# ---- the first command, in a browser ------------------------------------------------------------


BROWSER = """\
import sys
from pathlib import Path
from urllib.request import urlopen

Path(sys.argv[1]).write_bytes(urlopen(sys.argv[2]).read())  # a file that leads on
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def lab(visit, home):
    """The last part of the README's first command, in the folder of the course.

    A copy of the notebooks' folder would hide what the links lead to. No test saves a notebook.
    """
    program, lab_word, *words = shlex.split(FIRST_COMMAND.split(" && ")[-1])
    assert (program, lab_word) == (".venv/bin/jupyter", "lab")
    (home / "browser.py").write_text(BROWSER, "utf-8")
    browser = shlex.join([sys.executable, str(home / "browser.py"), str(home / "opened.html")])
    with jupyter_lab(REPO, home, [*words, f"--ServerApp.browser={browser} %s"]) as lab:
        yield lab


def opened(home, seconds=30):
    """The address that the browser was asked to open, without its token."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        with suppress(OSError, IndexError):
            return re.findall(r'href="([^"?]+)', (home / "opened.html").read_text("utf-8"))[0]
        time.sleep(0.2)


OPEN = "(path) => window.jupyterapp?.shell.currentWidget?.context?.path === path"


def test_it_opens_the_start_page_and_every_kind_of_link_works(visit, lab, home):
    address = opened(home)
    assert address == f"{lab.url}/lab/tree/notebooks/{MAP}"
    with visit() as tab:
        page = tab.page
        page.goto(f"{address}?reset&token={lab.token}")

        def arrive(path):
            page.wait_for_function(OPEN, arg=path, timeout=60_000)
            page.wait_for_function("jupyterapp.shell.currentWidget.context.isReady")

        def click(cell, words):
            page.evaluate(
                """(id) => {
                  const notebook = jupyterapp.shell.currentWidget.content;
                  notebook.activeCellIndex = notebook.widgets.findIndex((c) => c.model.id === id);
                  return notebook.scrollToItem(notebook.activeCellIndex);
                }""",
                cell,
            )
            page.locator(".jp-mod-active").get_by_role("link", name=words, exact=True).click()

        arrive(f"notebooks/{MAP}")
        click("go", "01 · Dust on the statue")  # the next lesson
        arrive("notebooks/01_forward_noising.ipynb")
        click("skip-read", "benchmarks/skip.py")  # a file beside the notebooks
        arrive("benchmarks/skip.py")
        page.evaluate("jupyterapp.commands.execute('application:close')")
        arrive("notebooks/01_forward_noising.ipynb")
        click("next", "The map of all lessons")
        arrive(f"notebooks/{MAP}")
        assert not tab.outside
