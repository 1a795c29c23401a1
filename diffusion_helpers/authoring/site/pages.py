"""The pages of the site beside its lessons, as Markdown; what they say stands in one place only."""

import os
import re
from pathlib import Path

from .edition import source_of
from .glossary import ROW
from .licences import licences_page
from .links import Links

PLACES = {  # {file of a checkout: the page that says the same}
    "README.md": "python.md",
    "data/README.md": "data.md",
    "data/licences/CREDITS.md": "licences.md",
}
FOR_INSTRUCTORS = (  # parts of the README
    *("Presenting", "Exercises and editions", "Handing out a lesson", "The course as a site"),
    "A class on one server",
)
MINUTES = re.compile(r"^\| \*\*Time\*\* \| (?:The path about )?(\d+) minutes", re.MULTILINE)
WITH_DEEPER = re.compile(r"with everything \*Deeper\* about (\d+)")
TITLE = re.compile(r"^# (.+)$", re.MULTILINE)
INSTALL = re.compile(r"^python3 -m venv .* && .*jupyter lab.*$", re.MULTILINE)  # in the README
ORPHAN = "---\norphan: true\n---\n\n"  # in no table of contents


def all_pages(root: Path, lessons: dict[str, dict], play: str, links: Links) -> dict[str, str]:
    """{name: Markdown} of the pages beside the lessons and the glossary.

    `root` is a checkout, `lessons` maps the file of each lesson to its notebook, `play` is the HTML
    on top of the first page. Raises ValueError where a part of the README is gone.
    """
    readme = (root / "README.md").read_text("utf-8")
    data = (root / "data" / "README.md").read_text("utf-8")
    python = [section(readme, "Start"), "## In Colab and VS Code"]
    python = ["# Get Python", *python, section(readme, "In Colab and VS Code")]
    instructors = [f"## {name}\n\n{section(readme, name)}" for name in FOR_INSTRUCTORS]
    written = {
        "python.md": "\n\n".join(python),
        "instructors.md": "\n\n".join(["# For instructors", *instructors]),
    }
    written["licences.md"] = licences_page(root)
    written = {page: links.relink(text, "README.md", page) for page, text in written.items()}
    return written | {
        "index.md": index_page(lessons, play, readme),
        "data.md": ORPHAN + links.relink(data, "data/README.md", "data.md"),
    }


def index_page(lessons: dict[str, dict], play: str, readme: str) -> str:
    """sphinx/index.md with what lessons and README say, and with `play`."""
    start = next(iter(lessons))
    cells = {cell["id"]: source_of(cell) for cell in lessons[start]["cells"]}
    parts = {
        "PLAY": play,
        "START": start,
        "MAP": _map(lessons, cells["map"]),
        "KNOW": cells["before"].partition("\n\n")[2].partition("\n\n**Your progress**")[0],
        "COMMANDS": _commands(readme),
        "LESSONS": "\n".join(lessons),
    }
    text = Path(__file__).with_name("sphinx").joinpath("index.md").read_text("utf-8")
    return re.sub("<!--([A-Z]+)-->", lambda place: parts[place[1]], text)


def _map(lessons, table):
    """The lessons as a list: what each is about, what one builds, and its minutes."""
    rows = {row[0][1:3]: row for row in ROW.findall(table) if row[0].startswith("[")}
    entries = []
    for file, notebook in lessons.items():
        if file[:2] not in rows:
            continue
        _, _, term, built = rows[file[:2]]
        head = source_of(notebook["cells"][0])
        deeper = WITH_DEEPER.search(head)
        minutes = f"{MINUTES.search(head)[1]} minutes"
        minutes += f"; {deeper[1]} with all that is *Deeper*" if deeper else ""
        about = f"{term[0].upper()}{term[1:]}. You build {built}."
        entries.append(f"- [{TITLE.search(head)[1]}]({file})\n\n  {about}\n\n  {minutes}")
    return "{.map}\n" + "\n\n".join(entries)


def _commands(readme):
    """The README's first command, in two lines."""
    install, _, start = INSTALL.search(readme)[0].rpartition(" && ")
    repository = os.environ.get("GITHUB_REPOSITORY")  # known where the workflow makes the site
    clone = f"git clone https://github.com/{repository} course && cd course\n" if repository else ""
    return f"{clone}{install}\n{start}"


def section(text: str, name: str) -> str:
    """What stands below the heading `## name` of a Markdown text, its own headings one level up.

    Raises ValueError where there is no such heading.
    """
    found = re.search(rf"^## {re.escape(name)}\n(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)
    if found is None:
        raise ValueError(f"the README has no part ## {name}")
    return re.sub(r"^###", "##", found[1].strip(), flags=re.MULTILINE)
