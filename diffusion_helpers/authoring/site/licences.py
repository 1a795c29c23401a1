"""The page that says whose work the site carries, and what a reader may do with it.

Nothing is told twice: credits come from data/licences/CREDITS.md and from the engine's README, the
terms of what Sphinx adds from the packages that are installed here.
"""

import re
import textwrap
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from ...languages import ENGLISH, marked, spoken, tr
from ..readme import in_blocks

OURS = Path(__file__).with_name("sphinx") / "licences.md"  # what we say ourselves
# What each package puts into the pages; all are installed by the extra `site`.
MAKERS = {
    "sphinx": marked("the frame of the pages, and their search"),
    "snowballstemmer": marked("the endings of words, for the search"),
    "furo": marked(
        "their look. In it are normalize.css (Nicolas Gallagher and Jonathan Neal), gumshoe "
        "(Chris Ferdinandi), and icons of Just the Docs (Patrick Marsceill), Feather (Cole Bemis) "
        "and Tabler (Paweł Kuna), all under the same MIT licence"
    ),
    "sphinx-basic-ng": marked("the style that furo builds on"),
    "myst-nb": marked("the style of cells and outputs"),
    "pygments": marked("the colours of code"),
    "accessible-pygments": marked("colours of code with enough contrast"),
}


def licences_page(root: Path) -> str:
    """Markdown: what a reader may do, all credits, and the terms of what makes the pages.

    Our words are in the spoken language, the credits and terms in English.

    `root` is a checkout. Links lead to files of the checkout, from its root. Raises
    FileNotFoundError where a package of MAKERS or the text of its licence is missing.
    """
    parts = {
        "CREDITS": _section(root, "data/licences/CREDITS.md"),
        "ENGINE": _section(root, "diffusion_helpers/living/vendor/README.md"),
        "MAKERS": "\n\n".join(map(_maker, MAKERS)),
    }
    text = in_blocks(OURS.read_text("utf-8"))
    return re.sub("<!--([A-Z]+)-->", lambda place: parts[place[1]].strip(), text)


def english_mark() -> str:
    """What stands above a heading of English words on a page of another language."""
    return "" if spoken().code == ENGLISH else "{.language-en}\n"


def _section(root, file):
    """A file of the checkout, its headings one step lower, its links from the root.

    In another language it stays as it is, and is marked as English for voices.
    """
    mark = english_mark()
    text = re.sub(r"^#", f"{mark}##", (root / file).read_text("utf-8"), flags=re.MULTILINE)

    def from_root(link):
        path = (root / file).parent.joinpath(link[1]).resolve().relative_to(root.resolve())
        return f"]({path.as_posix()})"

    return re.sub(r"\]\((?!https?:|#)([^)\s]+)\)", from_root, text)


def _maker(name):
    """What a package puts into the pages, and the full text of its licence, folded."""
    try:
        package = distribution(name)
    except PackageNotFoundError:
        raise FileNotFoundError(f'{name} is missing: pip install -e ".[site]"') from None
    terms = [f for f in package.files or [] if re.match(r"(LICEN[CS]E|COPYING)\b", f.name)]
    if not terms:
        raise FileNotFoundError(f"{name} {package.version} has no text of its licence")
    text = terms[0].locate().read_text("utf-8").strip()
    return (
        f"- **{package.metadata['Name']}** {package.version}: {tr(MAKERS[name])}.\n\n"
        f"  <details><summary>{tr('The licence of {}', package.metadata['Name'])}</summary>\n\n"
        + textwrap.indent(f"````text\n{text}\n````", "  ")
        + "\n\n  </details>"
    )
