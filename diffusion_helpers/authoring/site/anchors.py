"""The same anchors in every language, so that a link may change the language and keep the place.

Headings are called by their words, which differ. So a section takes the name of the section at the
same place of the page in the first language, and each paragraph, row or cell is counted in its own.
"""

import re
from pathlib import Path

from docutils import nodes
from sphinx.util import logging

SECTION = re.compile(r'<section\b[^>]*? id="([^"]+)"')
COUNTED = (nodes.paragraph, nodes.list_item, nodes.row, nodes.term, nodes.container)
log = logging.getLogger(__name__)


def name_sections(doctree: nodes.document, first: Path) -> None:
    """Call the sections as those of the page `first`, a file of HTML, are called.

    Where it has others, Sphinx hears a warning.
    """
    names = SECTION.findall(first.read_text("utf-8")) if first.is_file() else []
    sections = list(doctree.findall(nodes.section))
    if len(names) != len(sections):
        log.warning("%s has %d headings, this page %d", first.name, len(names), len(sections))
        return
    for name, section in zip(names, sections):
        section["ids"] = [name, *(other for other in section["ids"] if other != name)]


def name_paragraphs(doctree: nodes.document) -> None:
    """Count what can be read in each section: `the-map.3` is the third piece of `the-map`."""
    for section in doctree.findall(nodes.section):
        for count, node in enumerate(_pieces(section), start=1):
            node["ids"].append(f"{section['ids'][0]}.{count}")


def _pieces(node):
    """What is counted below a section, without what is in deeper sections or in a cell."""
    for child in node.children:
        if isinstance(child, nodes.section):
            continue
        if isinstance(child, COUNTED):
            yield child
        if not isinstance(child, nodes.container):
            yield from _pieces(child)
