"""What makes a page alive without Python: its script, and the packs that lie beside it.

A pack is a script with a file inside, or a part of it, because a page that is opened from a disk
may read nothing else. The script of the page, static/page.js, loads them when a hand first moves.
"""

import functools
import hashlib
import html
import json
import re
from collections.abc import Iterable

from ..languages.javascript import in_scope
from .files import STATIC, needed_files, worker_script
from .mirrors import pack_bytes

PACKS = "packs/"
PIECE = 1_000_000  # letters of a pack
LIVING = re.compile(r'<script\b[^>]*\bclass="living"[^>]*>(.*?)</script>', re.DOTALL)
GIVEN = re.compile(r"^const (FILES|WORKER|live) = null;", re.MULTILINE)  # in static/page.js
EXPORT = "export default { render };"  # in the code of a live control


def html_of(notebook: dict) -> str:
    """All HTML that the cells of a notebook have shown."""
    return "\n".join(
        "".join(output.get("data", {}).get("text/html", ""))
        for cell in notebook["cells"]
        for output in cell.get("outputs", [])
    )


def needs_of(page: str) -> list[str] | None:
    """What the live controls in the HTML of a page need, each once; None where none is alive."""
    parts = [json.loads(part)["needs"] for part in LIVING.findall(page)]
    return list(dict.fromkeys(need for needs in parts for need in needs)) if parts else None


def packs(needs: Iterable[str]) -> dict[str, bytes]:
    """The packs behind these needs of drawings (see `needed_files`), {file name: bytes}."""
    return {
        f"{pack}.js": f'sculptorPack("{pack}", "{text}")'.encode()
        for need in needs
        for name, content in needed_files(need).items()
        for pack, text in _packed(name, content)[1].items()
    }


def page_script(needs: Iterable[str], live: str) -> str:
    """The script of pages whose controls have these needs; `live` is the code of a live control.

    All pages of a site may share one, made for the needs of all. `first_script` stands before it.
    """
    code = {
        "FILES": json.dumps({need: _about(need) for need in needs}),
        "WORKER": json.dumps(pack_bytes(worker_script().encode())["base64"]),
        "live": f"(() => {{\n{live.replace(EXPORT, 'return { render };')}\n}})()",
    }
    page = (STATIC / "page.js").read_text("utf-8")
    return in_scope(GIVEN.sub(lambda given: f"const {given[1]} = {code[given[1]]};", page))


def first_script() -> str:
    """The script that stands before that of `page_script`, and before packs within a page."""
    return in_scope((STATIC / "first.js").read_text("utf-8"))


def inline(script: str, folder: str = PACKS) -> str:
    """Both scripts as the last elements of a page; `script` is that of `page_script`.

    The page finds its packs in `folder`, seen from its own place.
    """
    return _scripts(f'data-packs="{html.escape(folder)}"', f"\n{_inside(script)}")


def linked(script: str, folder: str = PACKS) -> str:
    """As `inline`, for a page that finds the script of `page_script` at an address."""
    return _scripts(f'data-packs="{html.escape(folder)}" src="{html.escape(script)}"', "")


def in_one_file(page: str) -> str:
    """The HTML of a page with its packs inside, so that nothing has to lie beside it.

    Raises ValueError where no control on the page lives.
    """
    before, script, after = page.partition("<script data-packs=")
    needs = needs_of(page)
    if needs is None or not script:
        raise ValueError("there is no live control on this page: run the lesson, then export it")
    inside = "".join(f"<script>{pack.decode()}</script>\n" for pack in packs(needs).values())
    return before + inside + script + after


def _scripts(attributes, content):
    """The first script as an element, and the one of the page."""
    first = f"<script>\n{_inside(first_script())}</script>"
    return f"{first}\n<script {attributes}>{content}</script>\n"


def _inside(script):
    """A script as HTML holds it."""
    return script.replace("</script", r"<\/script").replace("<!--", r"<\!--")


def _about(need):
    """{file: what a page has to know of it}; sizes are those of the packs."""
    about = {}
    for name, content in needed_files(need).items():
        sha256, texts = _packed(name, content)
        size = sum(map(len, texts.values()))
        about[name] = {"packs": list(texts), "sha256": sha256, "size": size}
    return about


@functools.cache  # several networks share the engine
def _packed(name, content):
    """The sha256 of a file, and its packs {name: base64}; they are short, so progress is seen."""
    text, stem = pack_bytes(content)["base64"], name.replace("/", "-")
    pieces = [text[start : start + PIECE] for start in range(0, len(text), PIECE)]
    names = [stem] if len(pieces) == 1 else [f"{stem}.{i}" for i in range(1, len(pieces) + 1)]
    return hashlib.sha256(content).hexdigest(), dict(zip(names, pieces, strict=True))
