"""The README in the course's other languages, made block by block of README.md and a catalogue.

`authoring.texts` writes it, README.ru.md, when it brings the catalogue up to date.
"""

import re
from pathlib import Path

from ..languages import ENGLISH, languages, load_language, speaking, spoken
from ..languages.notebooks import NOTEBOOKS

ROOT = NOTEBOOKS.parent
BETWEEN = re.compile(r"(```.*?```|\n\n+)", re.DOTALL)  # blocks stand empty lines, and code
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)


def in_blocks(text: str) -> str:
    """A Markdown text in the spoken language, each block of it for itself; code stays."""
    parts = BETWEEN.split(text)
    parts[::2] = [_block(part) for part in parts[::2]]
    return "".join(parts)


def readme(root: Path = ROOT) -> str:
    """README.md of a checkout in the spoken language. Raises OSError where there is none."""
    english = (root / "README.md").read_text("utf-8")
    made = in_blocks(english).replace(switch(ENGLISH), switch(spoken().code), 1)
    heads = [_anchors(text) for text in (english, made)]  # links lead to headings by their words
    anchors = dict(zip(*heads, strict=True))
    return re.sub(r"\]\(#([\w-]+)\)", lambda link: f"](#{anchors[link[1]]})", made)


def switch(code: str) -> str:
    """The line of links to the other languages' READMEs, which stands below the title."""
    names = {
        other: "README.md" if other == ENGLISH else f"README.{other}.md" for other in languages()
    }
    return " · ".join(
        load_language(other).name if other == code else f"[{load_language(other).name}]({file})"
        for other, file in names.items()
    )


def write(code: str) -> None:
    """Write README.ru.md, or that of another language. Raises OSError where that fails."""
    with speaking(code):
        (ROOT / f"README.{code}.md").write_text(readme(), "utf-8")


def _block(part):
    words = part.strip("\n")
    return part.replace(words, spoken().text(words), 1) if words else part


def _anchors(text):
    """What GitHub and our site call the headings of a text in links."""
    heads = HEADING.findall(BETWEEN.sub("\n\n", text))
    return [re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads]
