"""The whole course as a static site, which needs no Python, no server of ours and no internet.

python -m diffusion_helpers.authoring.site OUT

It runs all lessons in each language (an hour or more; what ran is kept in OUT_executed, and used
again while lessons and package are unchanged) and lets Sphinx make pages of them: English ones in
OUT, those of another language in a folder of its own, OUT/ru. `--language en` makes one language
alone. `python -m http.server` in OUT shows the site to a class.
"""

import argparse
import copy
import json
import shutil
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path

from ...checks import as_path, brief, say
from ...languages import ENGLISH, languages, load_language, speaking, spoken
from ...languages.javascript import in_scope
from ...languages.notebooks import in_spoken_language
from ...living import pages as living
from ...widgets.controls import SCRIPT
from ...widgets.html import CSS
from ..editions import NOTEBOOKS
from . import pages
from .edition import site_edition, source_of
from .first_page import one_file, play
from .glossary import glossary_page
from .links import Links, file_page
from .pictures import PREVIEW, preview
from .run import executed

SPHINX = Path(__file__).with_name("sphinx")
ROOT = NOTEBOOKS.parent
USAGE = "Say where: python -m diffusion_helpers.authoring.site FOLDER"
ONE_FILE = "sculptor_of_chaos.html"  # the top of the first page, with all that it needs
MARK = ".sculptor-site"  # in a folder that we made, and may make anew


def build(folder, notebooks=NOTEBOOKS, language=None):
    """Make the site of the lessons in `notebooks` in `folder`; returns the path of its first page.

    It is in all languages, or in one, given by its code. What stood in the folder goes, if it was
    a site of ours. Raises ValueError for another folder that is not empty, for a language that the
    course does not speak, where there are no lessons, or where this is no checkout of the course;
    RuntimeError where a lesson fails or Sphinx complains; OSError where nothing can be written.
    """
    folder, notebooks = as_path(folder).resolve(), as_path(notebooks)
    lessons = sorted(notebooks.glob("[0-9][0-9]_*.ipynb"))
    if not lessons or lessons[0].name[:2] != "00":
        raise ValueError(f"There are no lessons in {brief(str(notebooks))}.")
    if not (ROOT / "README.md").is_file():
        raise ValueError("The site is made in a checkout of the course, not from the wheel.")
    if folder.exists() and not (folder / MARK).exists() and any(folder.iterdir()):
        raise ValueError(f"{folder} is not empty, and no site of ours: choose another folder.")
    if any(find_spec(name) is None for name in ("sphinx", "myst_nb", "furo")):
        raise ValueError('The site needs Sphinx: .venv/bin/pip install -e ".[site]" installs it.')
    codes = languages() if language is None else [load_language(language).code]
    english = {path.name: json.loads(path.read_text("utf-8")) for path in lessons}
    cache = folder.with_name(folder.name + "_executed")
    with tempfile.TemporaryDirectory() as place:
        made, needs = Path(place, "site"), set()
        for code in codes:  # the first one stands on top, the others below it
            with speaking(code):
                top = made if code == codes[0] else made / code
                needs |= _make(Path(place, code), top, english, cache, codes)
        _write_packs(made / living.PACKS, living.packs(sorted(needs)))
        (made / MARK).touch()
        (made / ".nojekyll").touch()  # GitHub leaves out folders that begin with _ otherwise
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(made, folder)
    return folder / "index.html"


def _make(place, made, english, cache, codes):
    """The pages in the spoken language, in the folder `made`; returns what their controls need."""
    code, source = spoken().code, place / "source"
    spelled = {name: in_spoken_language(notebook, name) for name, notebook in english.items()}
    kept = cache if code == ENGLISH else cache / code
    ran = {name: executed(name, notebook, kept) for name, notebook in spelled.items()}
    top = play()
    needs = living.needs_of("".join([top, *map(living.html_of, ran.values())]))
    _write_pages(source, ran, english, top, living.page_script(needs, SCRIPT))
    _run_sphinx(source, made, codes)
    (made / ONE_FILE).write_text(one_file(top), "utf-8")
    return set(needs)


def _write_pages(source, ran, english, top, script):
    """All that Sphinx reads: settings, style, scripts, and the pages as Markdown and notebooks."""
    shutil.copytree(SPHINX, source)
    shutil.copy(SPHINX.with_name("conf.py"), source)
    static = source / "static"
    (static / "site.js").write_text(in_scope((static / "site.js").read_text("utf-8")), "utf-8")
    (static / "control.css").write_text(CSS, "utf-8")
    (static / "living.js").write_text(script, "utf-8")
    (static / PREVIEW).write_bytes(preview())
    links = Links(ROOT, {f"notebooks/{name}": name for name in ran} | pages.PLACES)
    for name, notebook in ran.items():
        made = _relinked(site_edition(notebook, name[:2], english[name]), name, links)
        (source / name).write_text(json.dumps(made, ensure_ascii=False), "utf-8")
    told = {name: _relinked(notebook, name, links) for name, notebook in ran.items()}
    written = pages.all_pages(ROOT, told, english, top, links)
    for name, text in (written | {"glossary.md": glossary_page(told)}).items():
        (source / name).write_text(text, "utf-8")
    (source / "files").mkdir()
    for path, page in links.wanted.items():
        (source / page).write_text(file_page(path, (ROOT / path).read_text("utf-8")), "utf-8")


def _relinked(notebook, name, links):
    """A copy of a lesson whose links lead to pages of the site."""
    made = copy.deepcopy(notebook)
    for cell in made["cells"]:
        if cell["cell_type"] == "markdown":
            cell["source"] = links.relink(source_of(cell), f"notebooks/{name}", name)
    return made


def _write_packs(folder, packs):
    """The engine, the networks and the words, once for all pages."""
    folder.mkdir()
    for name, content in packs.items():
        (folder / name).write_bytes(content)


def _run_sphinx(source, made, codes):
    from sphinx.cmd.build import build_main  # the rest of the course does not need it

    words = ["--quiet", "--fail-on-warning", "--keep-going", "-d", str(source.parent / "trees")]
    words += ["-D", f"languages={','.join(codes)}"]
    if build_main([*words, str(source), str(made)]) != 0:
        raise RuntimeError("Sphinx complained, see above: the site was not made.")


def main(arguments):
    """Make the site in the folder that the command line names; one sentence where that fails."""
    parser = argparse.ArgumentParser(prog="python -m diffusion_helpers.authoring.site")
    parser.add_argument("folder", nargs="?", help="where the site is to stand")
    parser.add_argument("--language", choices=languages(), help="one language alone")
    asked = parser.parse_args(arguments)
    if asked.folder is None:
        sys.exit(f"{USAGE}.")
    try:
        page = build(asked.folder, language=asked.language)
    except (ValueError, RuntimeError) as problem:
        sys.exit(str(problem))
    except OSError as problem:
        sys.exit(f"{asked.folder} cannot be written: {problem.strerror}.")
    files = [path for path in page.parent.rglob("*") if path.is_file()]
    size = sum(path.stat().st_size for path in files) / 1e6
    say(f"{page}: {len(files)} files, {size:.1f} MB.")
