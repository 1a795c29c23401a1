"""Links between notebooks and files become links between pages of the site."""

import re
from pathlib import Path, PurePosixPath
from posixpath import normpath

LINK = re.compile(r"(?<!!)\[((?:[^\[\]]|\[[^\]]*\])*)\]\(((?:\.\./)*[\w.-][\w./-]*)?(#[\w.-]+)?\)")
OWN = ("index.md", "glossary.md", "python.md")  # pages that our own words link to
TEXTS = {".py": "python", ".txt": "text", ".json": "json", ".yaml": "yaml", "": "text"}


class Links:
    """Where the links of a checkout lead on the site, and the pages that must be there for that."""

    def __init__(self, root: Path, pages: dict[str, str]):
        self.root = root
        self.pages = pages  # {file in the checkout: page of the site, as a Markdown file}
        self.wanted: dict[str, str] = {}  # {file in the checkout: the page that will show it}

    def relink(self, text: str, file: str, page: str) -> str:
        """The Markdown `text` of a `file` of the checkout, to stand on a `page` of the site."""

        def led(match):
            words, target, anchor = match[1], match[2], match[3] or ""
            if target in OWN:
                return match[0]
            path = normpath(PurePosixPath(file).parent / (target or ""))
            there = self._page_of(path) if target else None
            if there is not None:
                up = "../" * (len(PurePosixPath(page).parts) - 1)
                return f"[{words}]({up}{there}{anchor.lower()})"
            meant = target and ("/" in target or Path(target).suffix in (".md", ".ipynb", *TEXTS))
            return words if meant and "." in target else match[0]

        return LINK.sub(led, text)

    def _page_of(self, path):
        """The page of the site that shows a file of the checkout; None where there can be none."""
        if path in self.pages:
            return self.pages[path]
        file = self.root / path
        if file.suffix in (".ipynb", ".md") or file.suffix not in TEXTS or not file.is_file():
            return None
        self.wanted[path] = f"files/{path.replace('/', '-')}.md"
        return self.wanted[path]


def file_page(path: str, text: str) -> str:
    """A page that shows the `text` of a file of the checkout."""
    language = TEXTS[PurePosixPath(path).suffix]
    fence = "`" * 8
    return f"---\norphan: true\n---\n\n# `{path}`\n\n{fence}{language}\n{text.rstrip()}\n{fence}\n"
