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

PACKAGE = Path(__file__).resolve().parents[2]
NOT_IN_A_RUN = {"authoring", "classroom"}  # parts of the package that no lesson uses
LONGEST_CELL = 1800  # seconds, of a training on a slow machine


def executed(path: Path, cache: Path) -> dict:
    """The lesson at `path` with its outputs, run in a fresh kernel or taken from `cache`, a folder.

    Raises RuntimeError where a cell fails.
    """
    kept = cache / f"{path.stem}-{_fingerprint(path)}.ipynb"
    if not kept.exists():
        lesson, start = nbformat.read(path, as_version=4), time.monotonic()
        with tempfile.TemporaryDirectory() as folder:  # what it writes goes with it
            try:
                NotebookClient(lesson, timeout=LONGEST_CELL).execute(cwd=folder)
            except CellExecutionError as problem:
                raise RuntimeError(f"{path.name} does not run to its end: {problem}") from None
        say(f"{path.name}: run in {time.monotonic() - start:.0f} seconds.")
        cache.mkdir(parents=True, exist_ok=True)
        for old in cache.glob(f"{path.stem}-*.ipynb"):
            old.unlink()
        nbformat.write(lesson, kept)
    return json.loads(kept.read_text("utf-8"))


def _fingerprint(path):
    """Another one when the lesson, the package or a file in data/ has changed."""
    parts = [path, *sorted(PACKAGE.rglob("*.py")), *sorted(PACKAGE.rglob("*.js"))]
    parts += [*sorted(PACKAGE.rglob("*.css")), *sorted(PACKAGE.rglob("lesson_*.md"))]
    parts += [part / "SHA256SUMS" for part in (PACKAGE / "data", PACKAGE.parent / "data")]
    known = hashlib.sha256()
    for part in parts:
        of_package = part.relative_to(PACKAGE) if part.is_relative_to(PACKAGE) else Path()
        if part.exists() and not NOT_IN_A_RUN & set(of_package.parts[:1]):
            known.update(part.read_bytes())
    return known.hexdigest()[:16]
