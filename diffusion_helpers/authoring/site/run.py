"""The lessons, run from top to bottom. What ran is kept, and used again while nothing changed."""

import hashlib
import json
import tempfile
import time
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

from ...checks import say
from ...languages import spoken

PACKAGE = Path(__file__).resolve().parents[2]
NOT_IN_A_RUN = {"authoring", "classroom"}  # parts of the package that no lesson uses
LONGEST_CELL = 1800  # seconds, of a training on a slow machine


def executed(name: str, notebook: dict, cache: Path) -> dict:
    """The lesson `notebook` (a dict) of the file `name` with its outputs.

    It is run in a fresh kernel, or taken from `cache`, a folder. Raises RuntimeError where a cell
    fails.
    """
    stem, text = Path(name).stem, json.dumps(notebook)
    kept = cache / f"{stem}-{_fingerprint(text)}.ipynb"
    if not kept.exists():
        lesson, start = nbformat.reads(text, as_version=4), time.monotonic()
        with tempfile.TemporaryDirectory() as folder:  # what it writes goes with it
            try:
                NotebookClient(lesson, timeout=LONGEST_CELL).execute(cwd=folder)
            except CellExecutionError as problem:
                raise RuntimeError(f"{name} does not run to its end: {problem}") from None
        say(f"{name} ({spoken().code}): run in {time.monotonic() - start:.0f} seconds.")
        cache.mkdir(parents=True, exist_ok=True)
        for old in cache.glob(f"{stem}-*.ipynb"):
            old.unlink()
        nbformat.write(lesson, kept)
    return json.loads(kept.read_text("utf-8"))


def _fingerprint(text):
    """Another one when the lesson, the package or a file in data/ has changed.

    In another language than English also when its catalogue has: controls speak it, too.
    """
    parts = [*sorted(PACKAGE.rglob("*.py")), *sorted(PACKAGE.rglob("*.js"))]
    parts += sorted(PACKAGE.rglob(f"{spoken().code}.po"))
    parts += [*sorted(PACKAGE.rglob("*.css")), *sorted(PACKAGE.rglob("lesson_*.md"))]
    parts += [part / "SHA256SUMS" for part in (PACKAGE / "data", PACKAGE.parent / "data")]
    known = hashlib.sha256(text.encode())
    for part in parts:
        of_package = part.relative_to(PACKAGE) if part.is_relative_to(PACKAGE) else Path()
        if part.exists() and not NOT_IN_A_RUN & set(of_package.parts[:1]):
            known.update(part.read_bytes())
    return known.hexdigest()[:16]
