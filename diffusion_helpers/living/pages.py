"""What makes a page alive without Python: its script, and the packs that lie beside it.

A pack is a script with one file inside, because a page that is opened from a disk may read nothing
else. The script of the page, static/page.js, loads them when a hand first moves.
"""

import functools
import hashlib
import html
import json
import re
from collections.abc import Iterable

from .files import STATIC, needed_files, worker_script
from .mirrors import pack_bytes

PACKS = "packs/"
LIVING = re.compile(r'<script type="application/json" class="living">(.*?)</script>', re.DOTALL)
GIVEN = re.compile(r"^const (FILES|WORKER|live) = null;", re.MULTILINE)  # in static/page.js
EXPORT = "export default { render };"  # in the code of a live control


def needs_of(page: str) -> list[str] | None:
    """What the live controls in the HTML of a page need, each once; None where none is alive."""
    parts = [json.loads(part)["needs"] for part in LIVING.findall(page)]
    return list(dict.fromkeys(need for needs in parts for need in needs)) if parts else None


def packs(needs: Iterable[str]) -> dict[str, bytes]:
    """The packs behind these needs of drawings (see `needed_files`), {file name: bytes}."""
    return {
        f"{pack_name(name)}.js": f'sculptorPack("{pack_name(name)}", "{text}")'.encode()
        for need in needs
        for name, (_, text) in _packed(need).items()
    }


def page_script(needs: Iterable[str], live: str) -> str:
    """The script of pages whose controls have these needs; `live` is the code of a live control."""
    files = {
        need: {
            name: {"pack": pack_name(name), "sha256": sha256, "size": len(text)}
            for name, (sha256, text) in _packed(need).items()
        }
        for need in needs
    }
    code = {
        "FILES": json.dumps(files),
        "WORKER": json.dumps(worker_script(), ensure_ascii=False),
        "live": f"(() => {{\n{live.replace(EXPORT, 'return { render };')}\n}})()",
    }
    page = (STATIC / "page.js").read_text("utf-8")
    return GIVEN.sub(lambda given: f"const {given[1]} = {code[given[1]]};", page)


def script_element(script: str, folder: str = PACKS) -> str:
    """The script as an element of a page that finds its packs in `folder`."""
    script = script.replace("</script", r"<\/script").replace("<!--", r"<\!--")
    return f'<script data-packs="{html.escape(folder)}">\n{script}</script>'


def pack_name(file: str) -> str:
    """What the pack of a file is called, without its ending."""
    return file.replace("/", "-")


def _packed(need):
    return {name: _pack(content) for name, content in needed_files(need).items()}


@functools.cache  # several networks share the engine
def _pack(content):
    """The sha256 of a file, and its gzipped bytes as base64."""
    return hashlib.sha256(content).hexdigest(), pack_bytes(content)["base64"]
