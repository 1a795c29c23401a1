"""Start the hub of a class; the first time with --admin NAME, who chooses a password.

sudo .venv/bin/python -m diffusion_helpers.classroom --admin NAME
sudo .venv/bin/python -m diffusion_helpers.classroom --language ru
"""

import argparse
import getpass
import importlib.util
import json
import os
import re
import shutil
import stat
import sys
from pathlib import Path

from ..authoring import editions
from ..languages import ENGLISH, languages, speaking, tr

HERE = Path(__file__).resolve().parent
BIN = Path(sys.executable).parent
PASSWORD = 10  # characters at least, as in jupyterhub_config.py
HIDDEN = [Path(f"/{name}") for name in ("home", "root", "run/user", "tmp", "var/tmp")]


def preflight_error(folder, systemd=Path("/run/systemd/system")):
    """What stands in the way of a class in `folder`, in a sentence; None where nothing does."""
    engines = ("jupyterhub", "nativeauthenticator", "systemdspawner")
    if not all(importlib.util.find_spec(name) for name in engines):
        return tr('Install the extra first: {} install -e ".[classroom]".', BIN / "pip")
    path = os.pathsep.join([str(BIN), os.environ.get("PATH", "")])
    if not shutil.which("configurable-http-proxy", path=path):
        return tr(
            "JupyterHub's proxy is missing: run {} install --global --prefix {} "
            "configurable-http-proxy@5.",
            BIN / "npm",
            sys.prefix,
        )
    if not systemd.is_dir() or os.geteuid() != 0:
        return tr(
            "A class needs a Linux server with systemd, and to be started there with sudo: systemd "
            "gives every student a user, a folder and limits of their own."
        )
    for place in (HERE, Path(sys.prefix), folder.parent):
        if not readable(place):
            return tr(
                "Students cannot read {}: it must be open to everybody and outside of /home and "
                "/tmp; for the course with its .venv, /opt is the usual place.",
                place,
            )
    return None


def readable(place):
    """Whether a student's server sees the folder `place`, as far as it is there, and may enter."""
    place = place.resolve()
    if any(place.is_relative_to(hidden) for hidden in HIDDEN):
        return False
    return all(
        folder.stat().st_mode & stat.S_IXOTH
        for folder in (place, *place.parents)
        if folder.exists()
    )


def prepare(folder, language=ENGLISH):
    """The class folder: lessons that everybody can read, and what is the hub's alone."""
    for path, mode in ((folder, 0o711), (folder / "private", 0o700), (folder / "lessons", 0o755)):
        path.mkdir(parents=True, exist_ok=True)
        path.chmod(mode)
    for path in editions.write("handout", folder / "lessons", language=language):
        path.chmod(0o644)


def name_instructor(folder, name, password):
    """Note the instructor's `name` and new `password` (hashed) for the start of the hub."""
    import bcrypt

    if not re.fullmatch(r"[a-z][a-z0-9._-]{0,29}", name):
        raise ValueError(
            tr("{!r} cannot be a name here: use up to 30 of a-z, 0-9, dot, _ and -.", name)
        )
    if len(password) < PASSWORD:
        raise ValueError(tr("The password is too short: take {} characters or more.", PASSWORD))
    path = folder / "private" / "instructors.json"
    names = json.loads(path.read_text("utf-8")) if path.exists() else {}
    names[name] = bcrypt.hashpw(password.encode(), bcrypt.gensalt()).decode()
    path.touch(mode=0o600)
    path.write_text(json.dumps(names), "utf-8")


def main(arguments):
    """Check, prepare, and become JupyterHub; one sentence where that fails."""
    parser = argparse.ArgumentParser("python -m diffusion_helpers.classroom")
    parser.add_argument("--admin", metavar="NAME", help="the instructor, or a new password for one")
    parser.add_argument("--folder", type=Path, default=Path("/var/lib/sculptor_class"))
    parser.add_argument("--language", default=ENGLISH, choices=languages(), help="of the lessons")
    asked = parser.parse_args(arguments)
    with speaking(asked.language):
        _start(asked)


def _start(asked):
    problem = preflight_error(asked.folder)
    if problem:
        sys.exit(problem)
    try:
        prepare(asked.folder, asked.language)
        if asked.admin:
            question = tr("A password for {}: ", asked.admin)
            name_instructor(asked.folder, asked.admin, getpass.getpass(question))
    except ValueError as problem:
        sys.exit(str(problem))
    except OSError as problem:
        sys.exit(tr("{} cannot be written: {}.", problem.filename, problem.strerror))
    if not (asked.folder / "private" / "instructors.json").exists():
        sys.exit(tr("Say who the instructor is, this first time: add --admin NAME."))
    os.chdir(asked.folder / "private")
    hub = str(BIN / "jupyterhub")
    env = os.environ | {"SCULPTOR_CLASS": str(asked.folder)}
    os.execve(hub, [hub, "--config", str(HERE / "jupyterhub_config.py")], env)


if __name__ == "__main__":
    main(sys.argv[1:])
