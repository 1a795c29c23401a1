"""Sphinx makes the site: its settings. __init__.py puts them beside the pages that it has made."""

from docutils import nodes

from diffusion_helpers.authoring.export import mathml
from diffusion_helpers.authoring.site.anchors import name_paragraphs, name_sections
from diffusion_helpers.authoring.site.pictures import PREVIEW, favicon
from diffusion_helpers.authoring.site.switch import others, up_to
from diffusion_helpers.languages import spoken, tr
from diffusion_helpers.living.pages import LIVING, PACKS, linked

project = tr("Sculptor of Chaos")
SUMMARY = tr(
    "A notebook course on diffusion models: build one, train it on emoji, break it, and see why it "
    "works."
)
ICON = favicon()
language = spoken().code
locale_dirs = []
extensions = ["myst_nb"]
highlight_language = "none"  # of code that says no language; what ran is Python
templates_path = ["templates"]
suppress_warnings = ["myst.xref_missing"]  # links of files that the site does not show

# ---- pages: what ran is shown as it ran ---------------------------------------------------------

nb_execution_mode = "off"
nb_ipywidgets_js = {}  # no library from the internet
nb_merge_streams = True
nb_code_prompt_show = tr("Show code")
nb_code_prompt_hide = tr("Hide code")
myst_enable_extensions = ["dollarmath", "amsmath", "attrs_block"]
myst_dmath_allow_digits = False  # "$5 and $6" are prices
myst_heading_anchors = 3
myst_update_mathjax = False

# ---- the theme ----------------------------------------------------------------------------------

html_theme = "furo"
html_title = project
html_theme_options = {"top_of_page_buttons": []}
html_static_path = ["static"]
html_css_files = ["control.css", "site.css"]
html_js_files = [("site.js", {"defer": "defer"})]
html_show_sphinx = False
html_show_copyright = False
html_copy_source = False
html_show_sourcelink = False
html_permalinks_icon = "#"
html_math_renderer = "mathml"


def inline_math(translator, node):
    translator.body.append(mathml(node.astext(), display=False))
    raise nodes.SkipNode


def block_math(translator, node):
    translator.body.append(f'<div class="math">{mathml(node.astext(), display=True)}</div>')
    raise nodes.SkipNode


def describe(app, page, template, context, doctree):
    """What search engines and shared links show of a page, its icon, and the script of controls."""
    prose = (p.astext() for p in doctree.findall(nodes.paragraph)) if doctree else ()
    words = next((p for p in prose if len(p) > 60), SUMMARY)
    first = page == "index"
    context["description"] = SUMMARY if first else " ".join(words.split())[:200]
    context["page_title"] = project if first else context.get("title", project)
    context["preview"] = PREVIEW
    context["tr"] = tr
    codes = app.config.languages.split(",")
    context["others"] = others(page, codes)
    if LIVING.search(context.get("body", "")):
        script = context["pathto"]("_static/living.js", 1)
        context["living"] = linked(script, up_to(page, codes) + PACKS)
    context["favicon_url"] = ICON
    if first:  # it shows no code, and loads faster without the style of code
        names = ("mystnb", "pygments")
        context["css_files"] = [
            css for css in context["css_files"] if not any(name in css.filename for name in names)
        ]


def name_places(app, doctree):
    """The same anchors in all languages; those of the first language stand in its pages."""
    codes, page = app.config.languages.split(","), app.env.docname
    if spoken().code != codes[0]:
        name_sections(doctree, app.outdir.parent / f"{page}.html")
    name_paragraphs(doctree)


def setup(app):
    app.add_config_value("languages", spoken().code, "html")
    app.connect("doctree-read", name_places, priority=100)  # before the tables of contents
    app.add_html_math_renderer("mathml", (inline_math, None), (block_math, None))
    app.connect("html-page-context", describe)
