"""The pages of the site beside its lessons, as Markdown; what they say stands in one place only."""

import os
import re
from pathlib import Path

from ...languages import spoken, tr
from ..readme import in_blocks, readme
from .edition import source_of
from .glossary import ROW
from .licences import english_mark, licences_page
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
INDEX = Path(__file__).with_name("sphinx") / "index.md"
ORPHAN = "---\norphan: true\n---\n\n"  # in no table of contents


def all_pages(
    root: Path, lessons: dict[str, dict], english: dict[str, dict], play: str, links: Links
) -> dict[str, str]:
    """{name: Markdown} of the pages beside the lessons and the glossary, in the spoken language.

    `root` is a checkout, `lessons` maps the file of each lesson to its notebook, `english` to the
    one that was translated; `play` is the HTML on top of the first page. Raises ValueError where a
    part of the README is gone.
    """
    told, data = readme(root), (root / "data" / "README.md").read_text("utf-8")
    colab = _part("In Colab and VS Code", told)
    instructors = "\n\n".join(_part(name, told) for name in FOR_INSTRUCTORS)
    written = {
        "python.md": f"# {tr('Get Python')}\n\n{_part('Start', told, head=False)}\n\n{colab}",
        "instructors.md": f"# {tr('For instructors')}\n\n{instructors}",
    }
    written["licences.md"] = licences_page(root)
    written = {page: links.relink(text, "README.md", page) for page, text in written.items()}
    return written | {
        "index.md": index_page(lessons, english, play, told),
        "data.md": ORPHAN + english_mark() + links.relink(data, "data/README.md", "data.md"),
    }


def _part(name, told, head=True):
    """The part of the README in the spoken language that is called `name` in English."""
    title = spoken().text(f"## {name}")
    words = section(told, title.removeprefix("## "))
    return f"{title}\n\n{words}" if head else words


def index_page(lessons: dict[str, dict], english: dict[str, dict], play: str, told: str) -> str:
    """sphinx/index.md with what the lessons and the README, `told`, say, and with `play`."""
    start = next(iter(lessons))
    cells = {cell["id"]: source_of(cell) for cell in lessons[start]["cells"]}
    source = {cell["id"]: source_of(cell) for cell in english[start]["cells"]}
    know = [block.startswith("**Your progress**") for block in source["before"].split("\n\n")]
    parts = {
        "TITLE": tr("Sculptor of Chaos"),
        "PLAY": play,
        "START": start,
        "MAP": _map(lessons, english, cells["map"]),
        "KNOW": "\n\n".join(cells["before"].split("\n\n")[1 : know.index(True)]),
        "FORGET": tr("Forget what I read and predicted"),
        "COMMANDS": _commands(told),
        "LESSONS": "\n".join(lessons),
        "LESSONS-CAPTION": tr("Lessons"),
        "BESIDE-CAPTION": tr("More on this site"),
    }
    text = in_blocks(INDEX.read_text("utf-8"))
    return re.sub("<!--([A-Z-]+)-->", lambda place: parts[place[1]], text)


def _map(lessons, english, table):
    """The lessons as a list: what each is about, what one builds, and its minutes."""
    rows = {row[0][1:3]: row for row in ROW.findall(table) if row[0].startswith("[")}
    entries = []
    for file, notebook in lessons.items():
        if file[:2] not in rows:
            continue
        _, _, term, built = rows[file[:2]]
        title = TITLE.search(source_of(notebook["cells"][0]))[1]
        head = source_of(english[file]["cells"][0])
        minutes, deeper = MINUTES.search(head)[1], WITH_DEEPER.search(head)
        if deeper:
            minutes = tr("{} minutes; {} with all that is *Deeper*", minutes, deeper[1])
        else:
            minutes = tr("{} minutes", minutes)
        about = tr("{}. You build {}.", f"{term[0].upper()}{term[1:]}", built)
        entries.append(f"- [{title}]({file})\n\n  {about}\n\n  {minutes}")
    return "{.map}\n" + "\n\n".join(entries)


def _commands(told):
    """The README's first command, in two lines."""
    install, _, start = INSTALL.search(told)[0].rpartition(" && ")
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
