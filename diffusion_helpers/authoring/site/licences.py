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
RIGHTS = """
# Licences and credits

## What you may do

**Read, copy, change and pass on** all that is here, also for money. What is asked in return is
mostly a name.

| what | what is asked in return |
|---|---|
| code, lessons, networks | [MIT](LICENSE): keep the copyright notice |
| the emoji of the artists | their names and licences, as below, and a word on what you changed |
| the word list (`words.json`) | its names, and CC-BY-SA-4.0 also for a list made from it |
| the site as a whole | copy the whole folder, so that this page goes with it |

**Pictures that you draw here.** We claim no right to them: use them as you like, without naming us.
Two things are worth knowing.

- The networks learned from the artists' drawings. A picture that comes close to one drawing is
  better treated as that drawing: name its artists, as below. How close the pictures come was
  measured ([Copying](data/README.md#the-demiurge)). Creative Commons says where its licences ask
  for names, and what is still open: [Using CC-Licensed Works for AI Training][training].
- The right to forbid others to copy a picture that a machine drew may belong to nobody. The
  Copyright Office of the United States holds that a prompt alone makes nobody its author
  ([Copyright and Artificial Intelligence, part 2](https://www.copyright.gov/ai/), 2025); other
  countries differ.

This is what we understand, and no legal advice. The licences themselves decide.

[training]: https://creativecommons.org/using-cc-licensed-works-for-ai-training-2/
"""
ABSENT = """
## What is not on this site

To run the lessons yourself you install Python packages, such as PyTorch and JupyterLab. They come
from their own makers, under their own licences, and no part of them is here but what the list above
names. `pip show --verbose NAME` says the licence of each.
"""


def licences_page(root: Path) -> str:
    """Markdown: what a reader may do, all credits, and the terms of what makes the pages.

    Our words are in the spoken language, the credits and terms in English.

    `root` is a checkout. Links lead to files of the checkout, from its root. Raises
    FileNotFoundError where a package of MAKERS or the text of its licence is missing.
    """
    credits = _section(root, "data/licences/CREDITS.md")
    engine = _section(root, "diffusion_helpers/living/vendor/README.md")
    makers = f"## {tr('What makes these pages')}\n\n" + "\n\n".join(map(_maker, MAKERS))
    rights, absent = in_blocks(RIGHTS), in_blocks(ABSENT)
    return "\n\n".join(part.strip() for part in (rights, credits, engine, makers, absent)) + "\n"


def _section(root, file):
    """A file of the checkout, its headings one step lower, its links from the root.

    In another language it stays as it is, and is marked as English for voices.
    """
    mark = "" if spoken().code == ENGLISH else "{.language-en}\n"
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
