"""The pages of the site beside its lessons, as Markdown; what they say stands in one place only."""

import os
import re
from pathlib import Path

from .edition import source_of
from .glossary import ROW
from .links import Links

PLACES = {  # {file of a checkout: the page that says the same}
    "README.md": "python.md",
    "data/README.md": "data.md",
    "data/licences/CREDITS.md": "licences.md",
}
MINUTES = re.compile(r"^\| \*\*Time\*\* \| (?:The path about )?(\d+) minutes", re.MULTILINE)
WITH_DEEPER = re.compile(r"with everything \*Deeper\* about (\d+)")
TITLE = re.compile(r"^# (.+)$", re.MULTILINE)
CONTROL = "creation-live"  # the cell of the first lesson with a control to play with


def all_pages(root: Path, lessons: dict[str, dict], links: Links) -> dict[str, str]:
    """{name: Markdown} of the pages beside the lessons.

    `root` is a checkout, `lessons` maps the file of each lesson to its executed notebook.
    """
    readme = (root / "README.md").read_text("utf-8")
    data = (root / "data" / "README.md").read_text("utf-8")
    return {
        "index.md": first_page(lessons, _play(lessons), readme),
        "python.md": links.relink(python_page(readme), "README.md", "python.md"),
        "instructors.md": links.relink(instructors_page(readme), "README.md", "instructors.md"),
        "licences.md": licences_page(root, links),
        "data.md": ORPHAN + links.relink(data, "data/README.md", "data.md"),
    }


def _play(lessons):
    """HTML to play with: the still of the first lesson's control."""
    cells = {cell["id"]: cell for cell in next(iter(lessons.values()))["cells"]}
    return "".join(
        "".join(output.get("data", {}).get("text/html", "")) for output in cells[CONTROL]["outputs"]
    )


def first_page(lessons: dict[str, dict], play: str, readme: str) -> str:
    """The first page: `play` (HTML) on top, then the map, what to know, and the ways from here.

    `lessons` maps the file of each lesson to its notebook; `readme` is the README.
    """
    start = next(iter(lessons))
    cells = {cell["id"]: source_of(cell) for cell in lessons[start]["cells"]}
    know = cells["before"].partition("\n\n")[2].partition("\n\n**Your progress**")[0]
    return "\n\n".join(
        [
            f"# Sculptor of Chaos\n\n{_raw(play)}",
            "## The map of the lessons",
            "Eight lessons, to read here or to run on your own computer. "
            f"[Start here]({start}) says what the course is and how to find help.",
            '{.continue}\n[Continue where you were](index.md "the place that you read last")',
            _map(lessons, _rows(cells["map"])),
            _raw(FORGET),
            f"## What to know beforehand\n\n{know}",
            f"## Run it yourself\n\n{_two_commands(readme)}",
            "## For instructors\n\nEach lesson is also a talk of 15 to 20 minutes, with slides, "
            "speaker's notes and questions to discuss. [For instructors](instructors.md) says how to "
            "show, hand out and grade the lessons, and how to serve a whole class. This site needs no "
            "internet: copy its folder to a laptop, run `python -m http.server` in it, and a class "
            "can read it.",
            "[Licences and credits](licences.md): who drew the emoji, where the words come from, and "
            "what you may do with all of it.",
            _contents(lessons),
        ]
    )


ORPHAN = "---\norphan: true\n---\n\n"  # in no table of contents
FORGET = """
<p class="forget"><button type="button" hidden>Forget all that this browser keeps</button>
<span role="status"></span></p>
"""


def _raw(page):
    return f"```{{raw}} html\n{page.strip()}\n```"


def _rows(table):
    """{number of the lesson: (the story's words, the field's term, what you build)} of the map."""
    return {row[0][1:3]: row[1:] for row in ROW.findall(table) if row[0].startswith("[")}


def _map(lessons, rows):
    """The lessons as a list, each with its minutes."""
    lines = []
    for file, notebook in lessons.items():
        if (row := rows.get(file[:2])) is None:
            continue
        head = source_of(notebook["cells"][0])
        minutes = MINUTES.search(head)[1]
        deeper = WITH_DEEPER.search(head)
        more = f"; {deeper[1]} with all that is *Deeper*" if deeper else ""
        lines.append(
            f"- [{TITLE.search(head)[1]}]({file})\n\n  {row[1].capitalize()}. You build {row[2]}.\n\n"
            f"  {minutes} minutes{more}"
        )
    return "{.map}\n" + "\n\n".join(lines)


def _two_commands(readme):
    """How to get Python, from the README's first command."""
    command = re.search(r"^python3 -m venv .* && .*jupyter lab.*$", readme, re.MULTILINE)[0]
    install, _, start = command.rpartition(" && ")
    repository = os.environ.get("GITHUB_REPOSITORY")  # known where the workflow builds the site
    where = (
        f"In a terminal:\n\n```\ngit clone https://github.com/{repository} course && cd course\n"
        if repository
        else "In the folder of the course:\n\n```\n"
    )
    return (
        "You need Python 3.10 or newer, no graphics card, and no internet after the installation. "
        f"{where}{install}\n{start}\n```\n\n"
        "The first line installs all that the lessons need, the last one opens the start page. "
        "[Get Python](python.md) has the lines for Windows and conda, and a shorter download for "
        "Linux."
    )


def _contents(lessons):
    """The tables of contents that make the contents bar, and previous and next."""
    pages = ["glossary.md", "python.md", "instructors.md", "licences.md"]
    listed = "\n".join(lessons)
    others = "\n".join(pages)
    return (
        f"```{{toctree}}\n:hidden:\n:caption: Lessons\n\n{listed}\n```\n"
        f"```{{toctree}}\n:hidden:\n:caption: Beside them\n\n{others}\n```"
    )


def python_page(readme: str) -> str:
    """How to install the course, from the README."""
    return "\n\n".join(
        ["# Get Python", section(readme, "Start"), section(readme, "In Colab and VS Code", keep=True)]
    )


def instructors_page(readme: str) -> str:
    """What the README says to instructors."""
    names = ("Presenting", "Exercises and editions", "Handing out a lesson", "A class on one server")
    return "\n\n".join(["# For instructors", *(section(readme, name, keep=True) for name in names)])


def section(text: str, name: str, keep: bool = False) -> str:
    """What stands below the heading `name` (## ...) of a Markdown text, with its heading on wish.

    Raises ValueError where there is no such heading.
    """
    found = re.search(rf"^## {re.escape(name)}\n(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)
    if found is None:
        raise ValueError(f"the README has no part ## {name}")
    text = found[1].strip()
    return f"## {name}\n\n{text}" if keep else re.sub(r"^###", "##", text, flags=re.MULTILINE)


def licences_page(root: Path, links: Links) -> str:
    """Who made what the course stands on, from data/licences and the folder of the engine."""
    parts = []
    for file in ("data/licences/CREDITS.md", "diffusion_helpers/living/vendor/README.md"):
        text = links.relink((root / file).read_text("utf-8"), file, "licences.md")
        parts.append(re.sub(r"^#", "##", text, flags=re.MULTILINE))
    code = links.relink("Code and lessons: [MIT](./LICENSE).", "README.md", "licences.md")
    return "\n\n".join(["# Licences and credits", code, *parts])
