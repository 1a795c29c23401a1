"""The course as a static site: its pages hang together, are found, read and operated everywhere.

Two lessons are run for it, the first one and a part of lesson 06, that one in Russian as well;
`pytest -m slow` makes the whole site.
"""

import contextlib
import functools
import json
import re
import threading
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from unittest import mock
from urllib.parse import unquote, urlsplit

import nbformat
import pytest
from browser import REPO
from bs4 import BeautifulSoup
from page_objects import PROJECTOR, LiveHand, PredictionHand, check_accessible
from playwright.sync_api import expect
from shorten_lessons import shortened

from diffusion_helpers import ddim
from diffusion_helpers.authoring import site as site_of
from diffusion_helpers.authoring.editions import stubs
from diffusion_helpers.authoring.site import edition, first_page, glossary, links, pages, run
from diffusion_helpers.exercises import find
from diffusion_helpers.languages import languages, speaking, spoken
from diffusion_helpers.languages.notebooks import translated

LESSONS = sorted((REPO / "notebooks").glob("[0-9]*.ipynb"))
START, OTHER = "00_start_here", "06_focus_of_thought"
PHONE = {"width": 390, "height": 844}
THEMES = ("light", "dark")


def lesson(path):
    """A lesson without outputs, as a dict."""
    return json.loads(path.read_text("utf-8"))


# ---- the edition, without running anything ------------------------------------------------------


def cells_on_the_site(path, code):
    """Those of a lesson that did not run, in a language."""
    with speaking(code):
        made = lesson(path) if code == "en" else translated(lesson(path), path.name, spoken())
        return edition.site_edition(made, path.name[:2], lesson(path))["cells"]


@pytest.mark.parametrize("language", languages())
@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)
def test_what_needs_a_kernel_is_taken_out(path, language):
    cells = cells_on_the_site(path, language)
    code = [edition.source_of(cell) for cell in cells if cell["cell_type"] == "code"]
    assert code and not [text for text in code if edition.FOR_A_KERNEL.fullmatch(text.strip())]
    assert not any("pip install" in text for text in code)
    prose = [edition.source_of(cell) for cell in cells if cell["cell_type"] == "markdown"]
    assert not [text for text in prose if "hint(" in text]
    ids = [cell["id"] for cell in cells]
    assert len(set(ids)) == len(ids)


@pytest.mark.parametrize("path", LESSONS[1:], ids=lambda path: path.stem)
def test_each_exercise_has_its_hints_and_our_solution_below_it(path):
    cells = edition.site_edition(lesson(path), path.name[:2])["cells"]
    names = [name for name, _, _ in stubs(cells)]
    assert names
    for name in names:
        (help_,) = (cell for cell in cells if cell["id"] == "help-" + name.replace(".", "-"))
        text, exercise = edition.source_of(help_), find(name)
        assert all(hint in text for hint in exercise.hints) and exercise.source in text
        assert text.count("<details>") == text.count("</details>") == 2


def test_a_sentence_that_a_lesson_no_longer_says_is_named():
    changed = lesson(LESSONS[0])
    for cell in changed["cells"]:
        if cell["id"] == "creation":
            cell["source"] = "Other words."
    with pytest.raises(ValueError, match="cell creation of lesson 00 no longer says"):
        edition.site_edition(changed, "00")


def output_of(name, **data):
    return {"output_type": name, "metadata": {}, "data": data}


@pytest.mark.parametrize(
    "output, left",
    [
        ({"output_type": "stream", "name": "stdout", "text": "51 %"}, True),
        ({"output_type": "stream", "name": "stderr", "text": "a warning"}, False),
        (output_of("display_data", **{edition.WIDGET: {}, "text/html": ""}), False),
        (output_of("display_data", **{"text/html": '<div data-verdict="open">to do</div>'}), False),
        (output_of("display_data", **{"text/html": f"<style>{edition.CSS}</style><p>x</p>"}), True),
    ],
)
def test_outputs_are_those_of_a_page_without_a_kernel(output, left):
    made = edition._output(output)
    assert bool(made) == left
    assert edition.CSS not in json.dumps(made)


@pytest.mark.parametrize(
    "words, made",
    [
        ("[next](01_forward_noising.ipynb)", "[next](01_forward_noising.ipynb)"),
        ("[map](00_start_here.ipynb#The-map)", "[map](00_start_here.ipynb#the-map)"),
        ("[unet](02_unet_anatomy.ipynb)", "unet"),  # not on this site
        ("[data](../data/README.md)", "[data](data.md)"),
        ("[`script`](../benchmarks/skip.py)", "[`script`](files/benchmarks-skip.py.md)"),
        ("[gone](../benchmarks/gone.py)", "gone"),
        ("[paper](https://arxiv.org/abs/2006.11239)", None),
        ("part[0](x_t, t) and f[a](b)", None),
        ("[get Python](python.md)", None),
        ("![a](../data/readme/prompts.gif)", None),
    ],
)
def test_links_lead_to_pages_or_nowhere(words, made):
    there = {f"notebooks/{name}": name for name in (f"{START}.ipynb", "01_forward_noising.ipynb")}
    found = links.Links(REPO, there | pages.PLACES)
    assert found.relink(words, "notebooks/04_x.ipynb", "04_x.ipynb") == (made or words)


def test_every_term_of_the_glossary_has_its_place():
    cells = {cell["id"]: edition.source_of(cell) for cell in lesson(LESSONS[0])["cells"]}
    rows = [
        line
        for name in ("glossary", "glossary-more")
        for line in cells[name].splitlines()
        if line.startswith("| ") and "in the story" not in line and "| term |" not in line
    ]
    text = glossary.glossary_page({path.name: lesson(path) for path in LESSONS})
    terms = re.findall(r"^([^\s`#].*)\n    \S", text, re.MULTILINE)
    terms += re.findall(r"^(`.*`)\n    \S", text, re.MULTILINE)
    assert len(rows) > 60 and sorted(terms) == sorted(row.split("|")[1].strip() for row in rows)


# ---- what ran is kept ---------------------------------------------------------------------------


def test_a_lesson_runs_again_only_when_something_changed(tmp_path, monkeypatch):
    runs = []

    class Client:
        def __init__(self, notebook, **_):
            self.notebook = notebook

        def execute(self, cwd):
            runs.append(self.notebook.cells[0].source)

    monkeypatch.setattr(run, "NotebookClient", Client)
    path, cache = tmp_path / "01_x.ipynb", tmp_path / "cache"
    for source in ("1", "1", "2", "2"):
        notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source, id="a")])
        assert run.executed(path.name, notebook, cache)["cells"][0]["id"] == "a"
    assert runs == ["1", "2"] and len(list(cache.iterdir())) == 1
    monkeypatch.setattr(run, "PACKAGE", tmp_path)  # another package
    (tmp_path / "noising.py").write_text("x = 1")
    run.executed(path.name, notebook, cache)
    (tmp_path / "authoring").mkdir()
    (tmp_path / "authoring" / "notes.py").write_text("y = 1")  # which no lesson uses
    run.executed(path.name, notebook, cache)
    (tmp_path / "ru.po").write_text("#")  # nor does English use this
    run.executed(path.name, notebook, cache)
    assert runs == ["1", "2", "2"]
    with speaking("ru"):
        run.executed(path.name, notebook, cache)
    assert runs == ["1", "2", "2", "2"]


def test_a_lesson_that_fails_is_named(tmp_path):
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("1 / 0")])
    with pytest.raises(RuntimeError, match=r"(?s)01_x.ipynb does not run.*ZeroDivisionError"):
        run.executed("01_x.ipynb", notebook, tmp_path / "cache")


@pytest.mark.parametrize(
    "words, sentence",
    [
        ([], "Say where"),
        (["full"], "full is not empty, and no site of ours"),
        (["full/mine.txt"], "cannot be written"),
    ],
)
def test_the_command_says_what_is_wrong(words, sentence, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("full").mkdir()
    Path("full/mine.txt").write_text("mine")
    with pytest.raises(SystemExit) as left:
        site_of.main(words)
    assert sentence in str(left.value) and Path("full/mine.txt").read_text() == "mine"


def test_without_lessons_there_is_no_site(tmp_path):
    with pytest.raises(ValueError, match="no lessons"):
        site_of.build(tmp_path / "site", tmp_path)


# ---- the site of two lessons --------------------------------------------------------------------


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The folder of a site of two lessons, one of them without what comes after its first half.

    In Russian the first lesson shows what Python drew for the English one, which saves its run.
    """
    home = tmp_path_factory.mktemp("site")
    (home / "lessons").mkdir()
    for name in (START, OTHER):
        notebook = shortened(REPO / "notebooks" / f"{name}.ipynb")
        if name == OTHER:
            half = [cell.id for cell in notebook.cells].index("twins")
            notebook.cells = notebook.cells[:half] + notebook.cells[-1:]
        nbformat.write(notebook, home / "lessons" / f"{name}.ipynb")
    started = json.loads((home / "lessons" / f"{START}.ipynb").read_text("utf-8"))

    def executed(name, notebook, cache):
        if name != f"{START}.ipynb" or spoken().code == "en":
            return run.executed(name, notebook, cache)
        with speaking("en"):
            ran = run.executed(name, started, cache.parent)
        return translated(ran, name, spoken())

    fewer = lambda model, x_T, _: ddim(model, x_T, 4)  # noqa: E731
    with (
        mock.patch.multiple(first_page, ddim=fewer, SHARES=2),
        mock.patch.object(site_of, "executed", executed),
    ):
        return site_of.build(home / "class" / "site", home / "lessons").parent


def soups(folder):
    """{path: parsed page} of all pages of a site."""
    return {
        path: BeautifulSoup(path.read_text("utf-8"), "html.parser")
        for path in sorted(folder.rglob("*.html"))
    }


def check_links(made):
    """No dead link and no dead anchor within the site, and nothing is fetched from elsewhere."""
    ids = {path: {tag["id"] for tag in page.select("[id]")} for path, page in made.items()}
    dead, fetched = [], []
    for path, page in made.items():
        for tag in page.select("[href], [src]"):
            link = tag.get("href", tag.get("src"))
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                if tag.name != "a" and parts.scheme != "data":
                    fetched.append(f"{path.name}: {link[:100]}")
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            anchor = unquote(parts.fragment)
            if not target.is_file() or (anchor and anchor not in ids.get(target, ())):
                dead.append(f"{path.name}: {link}")
    assert not dead, "dead links:\n" + "\n".join(dead)
    assert not fetched, "fetched from elsewhere:\n" + "\n".join(fetched)


def test_no_link_is_dead(site):
    made = soups(site)
    assert {path.name for path in made} > {"index.html", "glossary.html", f"{OTHER}.html"}
    check_links(made)


def test_exercises_say_how_to_get_python(site):
    page = BeautifulSoup((site / f"{OTHER}.html").read_text("utf-8"), "html.parser")
    helps = [p for p in page.select("article p") if p.get_text().startswith("To do exercise 06.")]
    assert helps and all(p.a["href"] == "python.html" for p in helps)
    assert page.select_one(".admonition a")["href"] == "python.html"


def test_each_page_says_what_it_is(site):
    made = soups(site)
    for folder in (site, site / "ru"):
        del made[folder / site_of.ONE_FILE]  # for those who have no other page
    titles = [(page.html["lang"], page.title.get_text()) for page in made.values()]
    assert len(set(titles)) == len(titles)
    for path, page in made.items():
        russian = path.is_relative_to(site / "ru")
        assert page.html["lang"] == ("ru" if russian else "en") and page.select_one("h1"), path
        name = path.relative_to(site / "ru" if russian else site)
        for other in page.select("a.language, link[rel=alternate][hreflang]"):
            assert other["hreflang"] == ("en" if russian else "ru")
            there = (path.parent / other["href"]).resolve()
            assert there == (site / name if russian else site / "ru" / name)
        assert {a.get_text() for a in page.select("a.language")} == {
            "English" if russian else "Русский"
        }
        assert len(page.select_one("meta[name=description]")["content"]) > 20, path
        assert page.select_one("link[rel='shortcut icon']")["href"].startswith("data:image/png")
        picture = page.select_one("meta[property='og:image']")["content"]
        assert (path.parent / picture).resolve().is_file()


def test_both_languages_have_the_same_anchors(site):
    made = soups(site)
    for path in made:
        name = path.relative_to(site)
        if name.parts[0] == "ru" or name.name in (site_of.ONE_FILE, "genindex.html"):
            continue
        ids = [
            [tag["id"] for tag in made[page].select("article section[id], article [id*='.']")]
            for page in (path, site / "ru" / name)
        ]
        assert ids[0] == ids[1], name
        assert name.stem != OTHER or len(ids[0]) > 50


def test_what_stays_english_on_a_russian_page_is_marked(site):
    for name, words in (("licences", "Credits"), ("data", "The data")):
        page = BeautifulSoup((site / "ru" / f"{name}.html").read_text("utf-8"), "html.parser")
        (head,) = (h for h in page.select("article :is(h1, h2)") if words in h.get_text())
        assert head.parent["lang"] == "en"


def test_the_engine_and_its_networks_lie_there_once(site):
    assert (site / "packs").is_dir() and not (site / "ru" / "packs").exists()
    page = BeautifulSoup((site / "ru" / "index.html").read_text("utf-8"), "html.parser")
    assert page.select_one("script[data-packs]")["data-packs"] == "../packs/"


def test_formulas_are_mathml_and_all_there(site):
    page = (site / f"{OTHER}.html").read_text("utf-8")
    html = BeautifulSoup(page, "html.parser")
    cells = lesson(REPO / "notebooks" / f"{OTHER}.ipynb")["cells"]
    half = [cell["id"] for cell in cells].index("twins")
    words = "\n".join(
        edition.source_of(cell) for cell in cells[:half] if cell["cell_type"] == "markdown"
    )
    words = re.sub(r"```.*?```|`.*?`", "", words, flags=re.DOTALL)
    formulas = re.findall(r"\$\$.+?\$\$|\$.+?\$", words, flags=re.DOTALL)
    assert formulas and len(html.select("math")) == len(formulas)
    assert not re.search("mathjax|katex", page, re.IGNORECASE)


def test_the_first_page_is_light(site):
    """What a browser loads before the first click, in bytes as they lie on the disk."""
    html = BeautifulSoup((site / "index.html").read_text("utf-8"), "html.parser")
    loaded = [tag.get("src", tag.get("href")) for tag in html.select("script[src], link[href]")]
    loaded += [tag["src"] for tag in html.select("img[src]")]
    files = {site / link.split("?")[0] for link in loaded if "data:" not in link}
    files = {file for file in files if file.suffix != ".html"} | {site / "index.html"}
    assert sum(file.stat().st_size for file in files) < 400_000


def test_every_lesson_says_its_minutes_on_the_map(site):
    html = BeautifulSoup((site / "index.html").read_text("utf-8"), "html.parser")
    (entry,) = html.select("ul.map > li")  # the first one is no lesson of the map
    assert entry.a["href"] == f"{OTHER}.html" and re.search(
        r"\d+ minutes; \d+ with", entry.get_text()
    )


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


@contextlib.contextmanager
def served(folder):
    """The address of a folder that this machine serves, as `python -m http.server` does."""
    serve = functools.partial(Quiet, directory=folder)
    with ThreadingHTTPServer(("127.0.0.1", 0), serve) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.fixture(scope="module", params=["http", "file"])
def address(request, site):
    """Where the site stands: below a folder of a server, or on a disk."""
    if request.param == "file":
        yield site.as_uri()
        return
    with served(site.parent) as root:
        yield f"{root}/{site.name}"


def check_page(tab, tmp_path):
    """A page in both themes, on a phone and on a projector: readable, and nothing sticks out."""
    for theme in THEMES:
        tab.page.emulate_media(color_scheme=theme)
        check_accessible(tab.page, "html")
    for size in (PHONE, PROJECTOR):
        tab.page.set_viewport_size(size)
        tab.page.screenshot(path=tmp_path / f"{size['width']}.png")
        wide = tab.page.evaluate("document.documentElement.scrollWidth")
        assert wide <= size["width"], f"{wide} pixels wide"
    prose = tab.page.locator("article > section p:not(.sculptor *), #search-results").first
    font = prose.evaluate("(p) => parseFloat(getComputedStyle(p).fontSize)")
    assert font >= 19  # on the projector


PAGES = [
    "index",
    OTHER,
    "glossary",
    "instructors",
    "search",
    "ru/index",
    f"ru/{OTHER}",
    "ru/glossary",
]


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_accessible_in_both_themes_and_fits_every_screen(site, visit, name, tmp_path):
    with served(site) as root, visit() as tab:  # from a disk, axe may not read the style
        tab.page.goto(f"{root}/{name}.html{'?q=noise' if name == 'search' else ''}")
        if name == "search":
            tab.page.locator("#search-results li").first.wait_for()
        check_page(tab, tmp_path)
        tab.check_quiet()


def test_controls_and_outputs_follow_the_button_for_the_theme(site, visit):
    with visit() as tab:
        tab.page.emulate_media(color_scheme="light")
        tab.page.goto((site / f"{OTHER}.html").as_uri())
        question = tab.page.locator(".sculptor.prediction").first

        def grounds():
            return [
                box.evaluate("(box) => getComputedStyle(box).backgroundColor")
                for box in (question, tab.page.locator("body"))
            ]

        light = grounds()
        button = tab.page.locator(".theme-toggle-content button")
        button.click()  # where the system is light, that is dark
        expect(tab.page.locator("body")).to_have_attribute("data-jp-theme-light", "false")
        assert all(dark != pale for dark, pale in zip(grounds(), light))
        tab.page.reload()  # it is remembered
        expect(tab.page.locator("body")).to_have_attribute("data-jp-theme-light", "false")
        tab.page.evaluate("localStorage.removeItem('theme')")
        tab.check_quiet()


def test_search_finds_words_of_lessons_and_terms(address, visit):
    with visit() as tab:
        tab.page.goto(f"{address}/index.html")
        for words, found in (("permutation", "Glossary"), ("einsum", "06 ·"), ("softmax", "06 ·")):
            box = tab.page.get_by_role("textbox", name="Search")
            box.fill(words)
            box.press("Enter")
            result = tab.page.locator("#search-results li a", has_text=found).first
            expect(result).to_be_visible()
        result.click()
        expect(tab.page.get_by_role("heading", level=1)).to_contain_text("06 ·")
        tab.check_quiet()


def test_keys_alone_lead_through_the_site(address, visit):
    with visit() as tab:
        tab.page.goto(f"{address}/index.html")
        tab.page.keyboard.press("Tab")
        skip = tab.page.get_by_role("link", name="Skip to content")
        expect(skip).to_be_focused()
        tab.page.keyboard.press("Enter")
        assert tab.page.evaluate("location.hash") == "#furo-main-content"
        tab.page.get_by_role("complementary", name="The course").get_by_role(
            "link", name="06 ·"
        ).press("Enter")
        expect(tab.page.get_by_role("heading", level=1)).to_contain_text("06 ·")
        tab.page.set_viewport_size(PHONE)
        code = tab.page.locator("article pre[tabindex='0']").first  # wider than the page
        code.press("ArrowRight")
        expect(code).to_be_focused()
        tab.page.locator(".prev-page").press("Enter")
        expect(tab.page.get_by_role("heading", level=1)).to_have_text(re.compile("Start here"))
        tab.check_quiet()


def test_the_language_changes_and_the_paragraph_stays(address, visit):
    with visit() as tab:
        page = tab.page
        page.goto(f"{address}/{OTHER}.html")
        paragraph = page.locator("#how-large-are-the-scores > p").nth(1)
        name = paragraph.get_attribute("id")
        for language, size in (("ru", PROJECTOR), ("en", PHONE), ("ru", PHONE)):
            page.set_viewport_size(size)
            page.locator(f"[id='{name}']").evaluate(
                "(p) => p.scrollIntoView({ behavior: 'instant' })"
            )
            (link,) = [a for a in page.locator("a.language").all() if a.is_visible()]
            link.press("Enter")
            page.wait_for_url(f"**/{OTHER}.html#{name}")
            expect(page.locator("html")).to_have_attribute("lang", language)
            expect(page.locator(f"[id='{name}']")).to_be_in_viewport()
        page.evaluate("scrollTo({ top: 0, behavior: 'instant' })")  # or the page still moves
        (link,) = [a for a in page.locator("a.language").all() if a.is_visible()]
        link.click()
        page.wait_for_url(re.compile(rf"/{OTHER}\.html#?$"))
        page.goto(f"{address}/ru/index.html")
        place = page.locator(".continue")
        expect(place).to_contain_text("Фокус Мысли")  # read in English, told in Russian
        place.get_by_role("link").click()
        page.wait_for_url(f"**/ru/{OTHER}.html#*")
        box = page.get_by_role("textbox", name="Поиск")
        box.fill("внимание")
        box.press("Enter")
        expect(page.locator("#search-results li a", has_text="06 ·").first).to_be_visible()
        tab.check_quiet()


RUBBISH = """() => {
  localStorage.clear();
  localStorage.setItem("sculptor-read", "7");
  localStorage.setItem("sculptor-place", '{"file": "01_x.html", "at": "x", "words": "x"}');
}"""


def test_the_site_remembers_what_was_read_and_forgets_it(address, visit):
    with visit() as tab:
        page = tab.page
        page.goto(f"{address}/index.html")
        page.evaluate(RUBBISH)
        page.reload()
        place = page.locator(".continue")
        expect(place).to_be_hidden()
        page.locator("ul.map a").first.click()
        hand = PredictionHand(page, 1)  # the first one is not revealed in this half
        hand.choose(hand.options[0])
        assert hand.verdict in ("right", "wrong")
        ticks = page.locator(".sidebar-tree .tick")
        assert ticks.count() == 0
        page.locator(".related-pages").scroll_into_view_if_needed()
        expect(ticks).to_have_count(1)
        heading = page.locator("article h2").nth(1)
        words = heading.evaluate("(heading) => heading.firstChild.textContent")
        heading.evaluate("(heading) => heading.scrollIntoView({ behavior: 'instant' })")
        page.goto(f"{address}/index.html")
        expect(page.locator("ul.map .tick")).to_have_attribute("aria-label", "read")
        expect(place).to_contain_text(words)
        place.get_by_role("link").click()
        expect(page.locator("article h2").nth(1)).to_be_in_viewport()
        assert PredictionHand(page, 1).verdict in ("right", "wrong")
        page.goto(f"{address}/ru/{OTHER}.html")  # the same reader in another language
        revealed = PredictionHand(page, 1).revealed
        expect(revealed).to_have_attribute("data-verdict", re.compile("right|wrong"))
        expect(page.locator(".sidebar-tree .tick")).to_have_count(1)
        page.goto(f"{address}/index.html")
        page.get_by_role("button", name="Forget").click()
        expect(page.get_by_text("Forgotten.")).to_be_visible()
        expect(page.locator(".tick")).to_have_count(0)
        expect(place).to_be_hidden()
        page.locator("ul.map a").first.click()
        assert PredictionHand(page, 1).verdict == "none"
        tab.check_quiet()


def test_a_live_control_draws_without_python(site, visit):
    with visit() as tab:
        tab.page.goto((site / f"{START}.html").as_uri())
        hand = LiveHand(tab.page)
        hand.changes(hand.root.get_by_role("button", name="Roll the dice").click)
        check_in_sight(tab, hand)
        tab.check_quiet()


def check_in_sight(tab, hand):
    """On a phone the pictures stay below the site's head while a finger is on a slider."""
    tab.page.set_viewport_size(PHONE)
    slider = hand.root.locator("[type=range]").first
    slider.dispatch_event("pointerdown", {"pointerType": "touch"})
    pictures = hand.root.locator(".pictures")
    pictures.evaluate("(e) => scrollTo(0, scrollY + e.getBoundingClientRect().top + 100)")
    head = tab.page.locator(".mobile-header").bounding_box()
    assert pictures.bounding_box()["y"] == pytest.approx(head["y"] + head["height"], abs=2)


def test_on_paper_folds_are_open_and_nothing_waits_for_a_click(site, visit, tmp_path):
    with visit() as tab:
        page = tab.page
        page.emulate_media(color_scheme="dark")
        page.goto((site / f"{OTHER}.html").as_uri())
        fold = page.locator("article details", has_text="Our solution").first
        solution = fold.locator("pre")
        expect(solution).to_be_hidden()
        page.evaluate("dispatchEvent(new Event('beforeprint'))")
        page.emulate_media(media="print")
        expect(solution).to_be_visible()
        ground = page.locator(".sculptor").first.evaluate(
            "(box) => getComputedStyle(box).backgroundColor"
        )
        assert ground == "rgb(255, 255, 255)"
        assert not [b for b in page.locator(".sculptor button").all() if b.is_visible()]
        assert all(still.is_visible() for still in page.locator(".sculptor.still").all())
        page.screenshot(path=tmp_path / "paper.png", full_page=True)
        page.evaluate("dispatchEvent(new Event('afterprint'))")
        page.emulate_media(media="screen")
        expect(solution).to_be_hidden()
        tab.check_quiet()


# ---- the whole site -----------------------------------------------------------------------------


@pytest.mark.slow
def test_the_whole_site(visit, tmp_path):
    """All lessons, their trainings shortened."""
    (tmp_path / "lessons").mkdir()
    for path in LESSONS:
        nbformat.write(shortened(path), tmp_path / "lessons" / path.name)
    folder = site_of.build(tmp_path / "site", tmp_path / "lessons").parent
    check_links(soups(folder))
    with served(folder) as root, visit() as tab:
        for path in LESSONS:
            tab.page.goto(f"{root}/{path.stem}.html")
            check_page(tab, tmp_path)
            tab.check_quiet()
