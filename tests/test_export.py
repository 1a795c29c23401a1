"""An exported lesson is one page that needs no kernel, no network and no library."""

import io
import json
import logging
import re
import shutil
import subprocess
import sys
import urllib.request
import zipfile
from pathlib import Path

import nbformat
import pytest
from browser import REPO, export_page, jupyter_environment, jupyter_lab
from bs4 import BeautifulSoup
from hatchling.builders.wheel import WheelBuilder
from jupyter_core.paths import jupyter_config_path, jupyter_path
from nbclient import NotebookClient
from nbconvert import HTMLExporter
from nbformat.sign import NotebookNotary
from page_objects import Hand, check_accessible
from PIL import Image
from traitlets.config import Config

from diffusion_helpers.authoring import export
from diffusion_helpers.living import pages

LESSONS = sorted((REPO / "notebooks").glob("[0-9]*.ipynb"))
PAGE = REPO / "diffusion_helpers" / "authoring" / "export_template" / "page.html.j2"
CONFIG = PAGE.with_name("jupyter_config.json")


# ---- formulas -----------------------------------------------------------------------------------


def soup(markdown):
    return BeautifulSoup(export.markdown2html({}, markdown), "html.parser")


@pytest.mark.parametrize(
    "markdown, place",
    [
        (r"the dust $\varepsilon$ of $x_t$", "p > math"),
        (r"$$x_t = \sqrt{\bar\alpha_t}\,x_0$$", 'math[display="block"]'),
        ("$$\n\\begin{aligned}\na &= b \\\\\n&= c\n\\end{aligned}\n$$", "math mtable"),
        (r"\begin{align} a &= b \end{align}", "math mtable"),
        (r"# Why $\beta$ grows", "h1 > math"),
        (r"**the share $\bar\alpha_t$**", "strong > math"),
        ("| a | b |\n|---|---|\n| $x_t$ | $\\beta$ |", "td > math"),
        ("- one\n- $x$", "li > math"),
        ("<details><summary>Why?</summary>\n\nFor $x$:\n\n$$y$$\n\n</details>", "details math"),
        ("<details><summary>Why $x$?</summary>\n\nSo.\n\n</details>", "summary > math"),
        ("<table><tr><td>\n$a &lt; b$</td></tr></table>", "td > math"),
    ],
)
def test_formulas_become_mathml_wherever_they_stand(markdown, place):
    page = soup(markdown)
    assert page.select(place), page
    assert "$" not in page.get_text() and not page.select("code")


@pytest.mark.parametrize(
    "markdown, text",
    [
        ("It costs $5 and $6.", "It costs $5 and $6."),
        ("$5-$6 a month", "$5-$6 a month"),
        (r"\$5 or \$6", "$5 or $6"),
        ("`$x$` and `a $b`, `c$`", "$x$ and a $b, c$"),
        ("```\n$x$\n```", "$x$\n"),
        ("<pre>\n$x$ &lt;\n</pre>", "\n$x$ <\n"),
        ("<p><code>$x$</code> &amp; more</p>", "$x$ & more"),
    ],
)
def test_other_dollars_stay(markdown, text):
    page = soup(markdown)
    assert not page.select("math") and page.get_text().rstrip("\n") == text.rstrip("\n")


def test_a_price_hides_no_formula():
    page = soup("It costs $5. The dust is $x$, or `$`.")
    assert page.get_text() == "It costs $5. The dust is x, or $.\n" and len(page("math")) == 1


@pytest.mark.parametrize("tex", [r"\unknown{x<y}", r"\frac{1}{2", r"x^2^3", r"\left( x"])
@pytest.mark.parametrize("dollars", ["$", "$$"])
def test_a_formula_that_fails_stays_readable(tex, dollars, monkeypatch, caplog):
    monkeypatch.setattr(export, "get_logger", lambda: logging.getLogger("export"))
    page = soup(f"See {dollars}{tex}{dollars}.")
    assert page.code.get_text() == tex and not page.select("math")
    assert tex in caplog.text


@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)
def test_every_formula_of_the_lessons_translates(path, monkeypatch, caplog):
    monkeypatch.setattr(export, "get_logger", lambda: logging.getLogger("export"))
    for cell in nbformat.read(path, as_version=4).cells:
        if cell.cell_type == "markdown":
            words = re.sub(r"```.*?```|`.*?`", "", cell.source, flags=re.S)
            formulas = re.findall(r"\$\$.+?\$\$|\$.+?\$", words, flags=re.S)
            assert len(soup(cell.source).select("math")) == len(formulas), formulas
    assert not caplog.records, caplog.text


# ---- installed ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def installed():
    """Jupyter finds our page and its configuration, and they are those of this repository."""
    for source, folders, name in [
        (CONFIG, jupyter_config_path(), "jupyter_config.json"),
        (PAGE, jupyter_path("nbconvert", "templates"), "sculptor/page.html.j2"),
    ]:
        found = [Path(folder, name) for folder in folders if Path(folder, name).exists()]
        assert any(file.read_bytes() == source.read_bytes() for file in found), (
            f"Jupyter finds no {name} like {source.relative_to(REPO)}: the course was installed "
            'before it changed. Run `pip install -e ".[test]"` again.'
        )


def test_the_wheel_puts_them_where_jupyter_looks(tmp_path):
    (wheel,) = WheelBuilder(str(REPO)).build(directory=str(tmp_path), versions=["standard"])
    with zipfile.ZipFile(wheel) as archive:
        root = next(name for name in archive.namelist() if ".data/" in name).split("/")[0]
        assert archive.read(f"{root}/data/etc/jupyter/jupyter_config.json") == CONFIG.read_bytes()
        kernel = archive.read(f"{root}/data/etc/ipython/ipython_kernel_config.json")
        assert (
            kernel == (REPO / "diffusion_helpers" / "authoring" / "kernel_config.json").read_bytes()
        )
        page = archive.read(f"{root}/data/share/jupyter/nbconvert/templates/sculptor/{PAGE.name}")
        assert page == PAGE.read_bytes()


# ---- the page -----------------------------------------------------------------------------------

TINY = [
    r"""# A tiny lesson

The dust $\varepsilon \sim \mathcal N(0, 1)$ covers $x_0$:

$$x_t = \underbrace{\sqrt{\bar\alpha_t}}_{\text{signal}}\,x_0 + \sqrt{1-\bar\alpha_t}\,\varepsilon$$

<details><summary>Deeper</summary>

Because $\sum_i \beta_i$ grows.

</details>

![a red dot](dot.png)""",
    """\
import torch
from diffusion_helpers.widgets.scrubber import scrubber

scrubber({"x_t": torch.linspace(-1, 1, 8).reshape(8, 1, 1, 1).expand(8, 3, 4, 4)}, range(8))""",
    """\
import matplotlib.pyplot as plt
from diffusion_helpers.widgets.figures import show

show(plt.figure(figsize=(2, 1)), "an empty figure")""",
    """\
from IPython.display import display
from ipywidgets import IntSlider

display(IntSlider()._repr_mimebundle_() | {"text/html": "<p>a still picture</p>"}, raw=True)""",
]


FOLDED = f"""\
long = "{"long " * 60}"
print("told by folded code")"""


@pytest.fixture(scope="module")
def lesson(tmp_path_factory):
    """The path of a tiny lesson, executed; its last cell is folded."""
    folder = tmp_path_factory.mktemp("lesson")
    Image.new("RGB", (8, 8), "red").save(folder / "dot.png")
    words, *code = TINY
    cells = [nbformat.v4.new_markdown_cell(words), *map(nbformat.v4.new_code_cell, code)]
    folded = {"jupyter": {"source_hidden": True}}
    cells.append(nbformat.v4.new_code_cell(FOLDED, metadata=folded))
    notebook = nbformat.v4.new_notebook(cells=cells)
    notebook.metadata.kernelspec = {"name": "python3", "display_name": "P", "language": "python"}
    NotebookClient(notebook, timeout=120).execute()
    assert "widgets" in notebook.metadata  # what makes nbconvert call for a library
    nbformat.write(notebook, folder / "tiny.ipynb")
    return folder / "tiny.ipynb"


@pytest.fixture(scope="module")
def page(installed, lesson, tmp_path_factory):
    """The path of the page that the plain command makes, called from another folder."""
    home = tmp_path_factory.mktemp("home")
    command = [sys.executable, "-m", "nbconvert", "--to", "html", lesson]
    subprocess.run(command, check=True, cwd=home, env=jupyter_environment(home))
    return lesson.with_suffix(".html")


def check_needs_nothing(text):
    """Nothing in the page `text` is fetched from elsewhere, and every formula is MathML."""
    html = BeautifulSoup(text, "html.parser")
    fetched = [tag for tag in html.select("[src], link[href]") if tag.get("src", "")[:5] != "data:"]
    assert not fetched, fetched
    assert not re.findall(r"import\s*\(|@import|url\(\s*[\"']?http", text)
    assert len(html.select("math")) == 4 and not html.select(".jp-RenderedMarkdown code")
    return html


def test_the_page_is_one_file_without_the_network(page):
    text = page.read_text("utf-8")
    html = check_needs_nothing(text)
    assert len(text) < 1_000_000
    assert html.html["lang"] == "en" and html.title.get_text() == "A tiny lesson"
    assert {img["alt"] for img in html("img")} >= {"a red dot", "an empty figure", "x_t: 7"}
    assert "widget-state" not in text and html.find("p", string="a still picture")


def test_the_page_lives_in_a_browser(visit, page, tmp_path):
    with visit() as tab:
        shutil.copy(page, tmp_path / "moved.html")  # to a folder where nothing else is
        tab.page.goto((tmp_path / "moved.html").as_uri())
        tab.page.get_by_text("Deeper").click()
        for formula in tab.page.locator("math").all():
            box = formula.bounding_box()
            assert 8 < box["height"] < 120 and 8 < box["width"] < 900, box
        assert tab.page.get_by_text("a still picture", exact=True).is_visible()
        assert tab.page.get_by_alt_text("a red dot").evaluate("img => img.naturalWidth") == 8
        hand = Hand(tab.page)
        before = hand.pixels()
        hand.slider.press("Home")
        assert hand.frame == 0 and hand.words == "0" and hand.pixels() != before
        tab.page.screenshot(path=tmp_path / "page.png", full_page=True)
        tab.check_quiet()


@pytest.mark.parametrize(
    "needs, command, beside",
    [
        (None, True, set()),  # no control lives on the page
        ([], True, set()),  # a control that needs no network: one file
        (["twins_near"], True, {"packs/graphs-twins_near.step.onnx.js", "packs/ort.mjs.js"}),
        (["twins_near"], False, {"graphs-twins_near.step.onnx.js", "ort.mjs.js"}),
    ],
)
def test_packs_lie_beside_a_page_that_needs_them(needs, command, beside):
    part = f'<script type="application/json" class="living">{json.dumps({"needs": needs})}</script>'
    page = "<p>a still</p>" if needs is None else part
    output = nbformat.v4.new_output("display_data", {"text/html": page})
    cells = [nbformat.v4.new_markdown_cell("words"), nbformat.v4.new_code_cell(outputs=[output])]
    resources = {"unique_key": "lesson"} if command else {}  # JupyterLab's menu has none
    script = export.living_script(nbformat.v4.new_notebook(cells=cells), resources)
    assert bool(script) == (needs is not None)
    files = resources.get("outputs") or {}
    assert beside <= files.keys() and bool(files) == bool(beside)


def test_a_lesson_in_another_language_is_a_page_in_it(installed):
    code = nbformat.v4.new_code_cell("1", metadata={"jupyter": {"source_hidden": True}})
    settings = Config(json.loads(CONFIG.read_text("utf-8")))
    for language, words in (("ru", "Показать код"), ("xx", "Show code")):
        notebook = nbformat.v4.new_notebook(metadata={"language": language}, cells=[code])
        page, _ = HTMLExporter(config=settings).from_notebook_node(notebook)
        html = BeautifulSoup(page, "html.parser")
        assert html.html["lang"] == (language if language == "ru" else "en")
        assert html.select_one("details.folded summary").get_text() == words


@pytest.mark.parametrize("look", ["lab", "classic", "dark"])
def test_folded_code_is_folded_in_the_page(installed, lesson, visit, tmp_path, look):
    how = ["--theme", "dark"] if look == "dark" else ["--template", look]
    folded = export_page(lesson, tmp_path, *how)
    with visit() as tab:
        tab.page.goto(folded.as_uri())
        (folded,) = tab.page.locator("details.folded").all()
        code, summary = folded.locator("pre"), folded.get_by_text("Show code")
        told = tab.page.get_by_text("told by folded code", exact=True)
        assert told.is_visible() and not code.is_visible()  # what it says stays in sight
        check_accessible(tab.page, "details.folded")
        tab.page.emulate_media(media="print")
        assert told.is_visible() and not summary.is_visible()  # paper cannot be unfolded
        tab.page.emulate_media(media="screen")

        summary.focus()
        tab.page.keyboard.press("Enter")
        assert code.is_visible() and code.inner_text().strip() == FOLDED
        assert code.bounding_box()["width"] < tab.page.viewport_size["width"]  # long lines scroll
        tab.page.emulate_media(media="print")
        assert code.is_visible() and not summary.is_visible()
        tab.page.emulate_media(media="screen")
        summary.focus()
        tab.page.keyboard.press("Space")
        assert not code.is_visible()
        tab.check_quiet()


def test_jupyterlab_exports_the_same_page(installed, lesson, tmp_path):
    """With the menu's dialog as it opens, "Sanitize HTML output" ticked."""
    foreign = shutil.copy(lesson, lesson.with_name("foreign.ipynb"))  # nobody here has run it
    notebook = nbformat.read(lesson, as_version=4)
    notebook.metadata.title = "Signed"  # a signature holds for the content, not for the path
    nbformat.write(notebook, lesson.with_name("signed.ipynb"))
    drawing = '<script type="application/json" class="living">{"needs": ["twins_near"]}</script>'
    output = nbformat.v4.new_output("display_data", {"text/html": drawing})
    cells = [nbformat.v4.new_code_cell("live(...)", outputs=[output])]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), lesson.with_name("living.ipynb"))
    (tmp_path / "data").mkdir()
    notary = NotebookNotary(data_dir=str(tmp_path / "data"))
    notary.sign(notebook)  # as JupyterLab does when it saves what was run
    notary.store.close()

    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with jupyter_lab(lesson.parent, tmp_path) as lab:

        def exported(name, sanitize="true"):
            address = f"{lab.url}/nbconvert/html/{name}?sanitize_html={sanitize}&token={lab.token}"
            return opener.open(address, timeout=60).read()

        page = check_needs_nothing(exported("signed.ipynb").decode())
        assert page.select(".scrubber script") and page.title.get_text() == "Signed"
        assert b"<script" not in exported(Path(foreign).name)
        assert b"<script" not in exported("living.ipynb")
        with zipfile.ZipFile(io.BytesIO(exported("living.ipynb", "false"))) as archive:
            names = {"living.html", *pages.packs(["twins_near"])}
            assert set(archive.namelist()) == names and len(names) > 5  # beside each other
            page = BeautifulSoup(archive.read("living.html"), "html.parser")
            assert page.select_one("script[data-packs]")["data-packs"] == ""
