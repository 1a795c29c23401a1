"""Start one student's server: bring the lessons, then become Jupyter.

This runs as the student, so it can touch nobody else's files, and by its path, so that it does not
wait for torch. A lesson that a student has worked on is never written over: when we have a new one,
it is put beside the old one. A lesson that the student deletes comes back at the next start.
"""

import hashlib
import json
import os
import sys
from pathlib import Path

RECORD = ".handed_out.json"  # beside the lessons: which version of each was handed out last


def hand_out(source, folder):
    """Copy the lessons of `source` into `folder`; returns the names of the new files."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    given = _read(folder / RECORD)
    before, news = dict(given), []
    for lesson in sorted(Path(source).glob("*.ipynb")):
        target, version, last = folder / lesson.name, _version(lesson), given.get(lesson.name)
        if target.exists():
            if last == version:
                continue
            if _version(target) != last:  # the student has worked on it
                target = folder / f"{lesson.stem}_new_{version[:6]}.ipynb"
        given[lesson.name] = version
        if target.name == lesson.name or not target.exists():
            _write(target, lesson.read_bytes())
            news.append(target.name)
    if given != before:
        _write(folder / RECORD, json.dumps(given, indent=1).encode())
    return news


def _version(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _read(record):
    try:
        given = json.loads(record.read_text("utf-8"))
    except (OSError, ValueError):  # lost or damaged: then every lesson counts as worked on
        return {}
    return given if isinstance(given, dict) else {}


def _write(path, content):
    """All of the content or nothing, also on a full disk."""
    part = path.with_name(path.name + ".part")
    try:
        part.write_bytes(content)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def main(arguments):
    """Hand out the lessons and start Jupyter; without the lessons where they cannot be written."""
    try:
        hand_out(os.environ["SCULPTOR_LESSONS"], Path.home() / "lessons")
    except OSError as problem:
        print(f"The lessons could not be brought: {problem}.", file=sys.stderr)
    if "RUNTIME_DIRECTORY" in os.environ:  # by systemd: short enough for the names of sockets
        os.environ["JUPYTER_RUNTIME_DIR"] = os.environ["RUNTIME_DIRECTORY"]
    server = str(Path(sys.executable).with_name("jupyterhub-singleuser"))
    os.execv(server, [server, *arguments])


if __name__ == "__main__":
    main(sys.argv[1:])
