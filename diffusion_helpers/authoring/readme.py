"""The README in the course's other languages: python -m diffusion_helpers.authoring.readme

writes README.ru.md from README.md and the catalogue, block by block.
"""

import re
from pathlib import Path

from ..checks import say
from ..languages import ENGLISH, languages, speaking, spoken
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
    made = in_blocks(english)
    heads = [map(_anchor, HEADING.findall(BETWEEN.sub("\n\n", text))) for text in (english, made)]
    anchors = dict(zip(*heads, strict=True))
    return re.sub(r"\]\(#([\w-]+)\)", lambda link: f"](#{anchors.get(link[1], link[1])})", made)


def _block(part):
    words = part.strip("\n")
    return part.replace(words, spoken().text(words), 1) if words else part


def _anchor(heading):
    """What GitHub and our site call a heading in a link."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def main() -> None:
    """Write the README of each language but English."""
    for code in languages():
        if code != ENGLISH:
            with speaking(code):
                (ROOT / f"README.{code}.md").write_text(readme(), "utf-8")
            say(f"README.{code}.md")


if __name__ == "__main__":
    main()
