"""A lesson as one page of HTML that needs no kernel, no network and no library.

Jupyter's own export fetches three libraries from the internet, MathJax among them.
`export_template/` tells Jupyter to use our page instead, from the command line and from
JupyterLab's menu alike, and the page turns Markdown into HTML with `markdown2html`, the filter
below. It writes formulas as MathML, which browsers draw and screen readers speak by themselves.
"""

import html
import re

from jinja2 import pass_context
from math_core import LatexError, LatexToMathML
from nbconvert.filters.markdown_mistune import (
    IPythonRenderer,
    MarkdownWithMath,
    MathInlineParser,
)
from traitlets.log import get_logger

from ..checks import utf8_safe
from ..languages import ENGLISH, languages, speaking, tr
from ..living import pages
from ..widgets.controls import SCRIPT


def living_script(notebook, resources):
    """The script that makes the live controls of a page alive, or nothing where it has none.

    The packs that they need go into `resources`, and nbconvert writes them beside the page.
    """
    needs = pages.needs_of(pages.html_of(notebook))
    if needs is None or resources.get("should_sanitize_html"):
        return ""
    # JupyterLab puts all files of its zip beside each other; nbconvert's command keeps the folder.
    folder = pages.PACKS if "unique_key" in resources else ""
    beside = {folder + name: content for name, content in pages.packs(needs).items()}
    resources["outputs"] = (resources.get("outputs") or {}) | beside
    with speaking(language_of(notebook)):
        return pages.inline(pages.page_script(needs, SCRIPT), folder)


def language_of(notebook):
    """The code of the language in which a lesson is written; English where it does not say."""
    code = notebook["metadata"].get("language", ENGLISH)
    return code if code in languages() else ENGLISH


def show_code(notebook):
    """What stands on folded code."""
    with speaking(language_of(notebook)):
        return tr("Show code")


@pass_context
def markdown2html(context, source):
    """Turn Markdown into HTML, formulas into MathML, pictures beside the notebook into data.

    `context` is what nbconvert knows of the cell and its notebook.
    """
    renderer = FormulaRenderer(
        escape=False,  # HTML in a lesson is meant
        attachments=context.get("cell", {}).get("attachments", {}),
        embed_images=True,  # one file, whatever the lesson shows
        path=context.get("resources", {}).get("metadata", {}).get("path", ""),
    )
    return MarkdownWithMath(renderer, inline=FormulaParser()).render(utf8_safe(source))


def mathml(tex, display):
    """Translate TeX into MathML; a formula that fails stays readable TeX, and the log says why."""
    tex = utf8_safe(tex)
    try:
        # A translator of its own for each formula: the server exports in several threads.
        return LatexToMathML(fancy_error=False).convert_with_local_state(tex, displaystyle=display)
    except LatexError as error:
        get_logger().warning("This formula stays TeX, %s: %s", error, tex.strip())
        return f"<code>{html.escape(tex.strip())}</code>"


class FormulaParser(MathInlineParser):
    """Finds formulas in running text, and leaves prices alone."""

    def parse_inline_math_tex(self, m, state):
        body, after = m["math_inline_tex"], m.string[m.end() : m.end() + 1]
        # "$5 and $6": a formula has spaces on both ends or on none, and no digit follows it.
        if body[0].isspace() != body[-1].isspace() or after.isdigit():
            return None
        return super().parse_inline_math_tex(m, state)


FORMULAS_ONLY = FormulaParser()
FORMULAS_ONLY.rules = [rule for rule in FORMULAS_ONLY.rules if "math" in rule or "latex" in rule]

# A piece of HTML: code as a whole, a comment, a tag, or the text between them.
PIECE = re.compile(r"<(code|pre|script|style)\b.*?</\1\s*>|<!--.*?-->|<[^>]*>|[^<]+", re.S | re.I)


class FormulaRenderer(IPythonRenderer):
    """nbconvert's renderer, with MathML where it would leave TeX to a script."""

    def inline_math(self, body):
        return mathml(body, display=False)

    def block_math(self, body):
        return mathml(body, display=True)

    def latex_environment(self, name, body):
        return mathml(rf"\begin{{{name}}}{body}\end{{{name}}}", display=True)

    def block_html(self, text):
        # Only where there are pictures: nbconvert's search for them closes <details> too early.
        text = super().block_html(text) if "<img" in text else text
        return PIECE.sub(lambda m: self._formulas_in(m[0]), text)

    def inline_html(self, text):
        return super().inline_html(text) if "<img" in text else text

    def _formulas_in(self, piece):
        if piece.startswith("<"):
            return piece
        return self.render_tokens(FORMULAS_ONLY(html.unescape(piece), {}), None)
