"""Bring the newest edition of the course, and keep what you made.

    python -m diffusion_helpers.update
    python -m diffusion_helpers.update --language ru

A lesson that you ran or changed, and that the new edition changes as well, is kept beside the new
one, as my_01_forward_noising_2026-11-29.ipynb. All other work of yours stays where it is: changed
files that the edition does not touch, your own notebooks, progress, predictions, gallery.

git does the work, without a commit: no name and no address of yours is needed. It never merges, so
there is no conflict to solve. If you made commits of your own, a branch keeps them.
"""

import argparse
import os
import shutil
import subprocess
import sys
from datetime import date
from pathlib import Path
from typing import NamedTuple

from .checks import as_path, brief, say
from .languages import ENGLISH, languages, marked, speaking, tr

ROOT = Path(__file__).resolve().parents[1]
UNFINISHED = {  # files in .git: what git has not finished, and how to leave it
    "MERGE_HEAD": "merge",
    "CHERRY_PICK_HEAD": "cherry-pick",
    "rebase-merge": "rebase",
    "rebase-apply": "rebase",
}
NO_CHECKOUT = marked(
    "{} is no git checkout, so it cannot update itself. If the course came as a wheel, install the "
    "new one. If it came as a zip, get the new edition by git clone, and copy "
    "sculptor_progress.json, the folder gallery and your own notebooks into its folder notebooks"
)


class Update(NamedTuple):
    """What an update did."""

    edition: str  # the day of the new edition: "2026-11-29"
    kept: dict[str, str]  # {a file of the new edition: the file beside it that holds yours}
    branch: str | None  # where your own commits are kept, if you made some
    packages: bool  # whether the new edition may need other packages


def update(folder: str | Path = ROOT) -> Update | None:
    """Bring the newest edition into `folder`, a checkout of the course; None: it is there already.

    Raises ValueError, with one sentence, where git is missing or has something unfinished, where
    `folder` is no checkout, and where nothing can be fetched; OSError where nothing can be written.
    """
    folder = as_path(folder).resolve()
    _check_checkout(folder)
    newest = _fetch(folder)
    if _is_part_of(folder, newest, "HEAD"):
        return None
    changed = _names(folder, "diff", "--name-only", "--no-renames", "-z", "HEAD", newest)
    for name in changed:
        if Path(folder, name).is_dir():
            raise ValueError(tr("your folder {} stands where a new file belongs: rename it", name))
    kept = {name: _keep(folder, name) for name in _own(folder, changed, newest)}
    branch = None if _is_part_of(folder, "HEAD", newest) else _keep_commits(folder)
    _switch(folder, changed, newest)
    edition = _git(folder, "show", "-s", "--format=%cs", newest).strip()
    return Update(edition, kept, branch, "pyproject.toml" in changed)


# ---- git ----------------------------------------------------------------------------------------


def _git(folder, *words, told=""):
    """What git answers, `told` on its standard input. Raises ValueError with git's reason."""
    command = ["git", "--literal-pathspecs", "-C", str(folder), *words]
    environment = os.environ | {"LC_ALL": "C"}
    told = told.encode("utf-8", "surrogateescape")  # a file's name may be any bytes
    done = subprocess.run(command, input=told, capture_output=True, env=environment, check=False)
    if done.returncode:
        said = done.stderr.decode("utf-8", "replace").strip().splitlines()
        reason = said[0] if said else tr("no reason given")
        raise ValueError(tr("git {} failed: {}", words[0], reason))
    return done.stdout.decode("utf-8", "surrogateescape")


def _knows(folder, *words):
    """git's answer, or None where it has none."""
    try:
        return _git(folder, *words).strip()
    except ValueError:
        return None


def _names(folder, *words):
    return list(filter(None, _git(folder, *words).split("\0")))


def _is_part_of(folder, one, other):
    return _knows(folder, "merge-base", "--is-ancestor", one, other) is not None


def _blobs(folder, edition):
    """{file: the number that git gives its content} of a whole edition."""
    lines = _names(folder, "ls-tree", "-r", "-z", "--full-tree", edition)
    return {name: head.split()[2] for head, _, name in (line.partition("\t") for line in lines)}


def _check_checkout(folder):
    """One sentence unless git is at rest in a checkout of the course."""
    if not shutil.which("git"):
        raise ValueError(
            tr("updating needs git: install it from https://git-scm.com, then try again")
        )
    if not Path(folder, ".git").exists():
        raise ValueError(tr(NO_CHECKOUT, brief(str(folder))))
    for mark, action in UNFINISHED.items():
        if Path(folder, _git(folder, "rev-parse", "--git-path", mark).strip()).exists():
            raise ValueError(
                tr(
                    "git has not finished a {}: finish it, or leave it by  git {} --abort  in the "
                    "folder of the course; then try again",
                    action,
                    action,
                )
            )
    if _git(folder, "ls-files", "--unmerged"):
        raise ValueError(tr("git holds a conflict: git status names it; solve it, then try again"))


def _fetch(folder):
    """Fetch the newest edition; returns git's name for it."""
    branch = _knows(folder, "symbolic-ref", "--short", "HEAD")  # None: a detached HEAD
    upstream = _knows(folder, "rev-parse", "--symbolic-full-name", "@{upstream}")
    known = _git(folder, "remote").split()
    if not known:
        raise ValueError(tr("this checkout knows no address: git remote add origin ADDRESS"))
    remote = "origin" if "origin" in known else known[0]
    if upstream:
        remote = _git(folder, "config", f"branch.{branch}.remote").strip()
    try:
        _git(folder, "fetch", "--quiet", remote)
    except ValueError as problem:
        raise ValueError(
            tr("the newest edition cannot be fetched ({}): try again when you are online", problem)
        ) from None
    places = [f"refs/remotes/{remote}/{name}" for name in ("HEAD", "main", "master")]
    for place in filter(None, [upstream, *places]):
        if _knows(folder, "rev-parse", "--verify", "--quiet", f"{place}^{{commit}}"):
            return place
    raise ValueError(tr("no edition is known at {}: its branch main is missing", remote))


# ---- what is yours ------------------------------------------------------------------------------


def _own(folder, changed, newest):
    """Those of the `changed` files that hold work of yours."""
    base = _knows(folder, "merge-base", "HEAD", newest) or "HEAD"
    editions = _blobs(folder, base), _blobs(folder, newest)
    there = [name for name in changed if Path(folder, name).is_file()]
    told = "".join(f"{name}\n" for name in there)
    blobs = _git(folder, "hash-object", "--stdin-paths", told=told).split()
    return [
        name
        for name, blob in zip(there, blobs, strict=True)
        if blob not in [edition.get(name) for edition in editions]
    ]


def _keep(folder, name):
    """Copy a file to a free name beside it, which is returned."""
    path = Path(folder, name)
    free = _free(lambda word: not Path(path.parent, word).exists(), f"my_{path.stem}", path.suffix)
    shutil.copy2(path, path.with_name(free))
    return path.with_name(free).relative_to(folder).as_posix()


def _keep_commits(folder):
    """Give your commits a branch of their own; its name is returned."""
    branch = _free(
        lambda word: _knows(folder, "rev-parse", "--verify", "--quiet", word) is None,
        "before_update",
    )
    _git(folder, "branch", branch, "HEAD")
    return branch


def _free(is_free, stem, suffix=""):
    """A name with today's date that nothing has yet."""
    name = f"{stem}_{date.today()}"
    names = (f"{name}{number}{suffix}" for number in ["", *(f"_{n}" for n in range(2, 1000))])
    return next(filter(is_free, names))


def _switch(folder, changed, newest):
    """Put the newest edition in place of the present one; what it changes has been kept."""
    here = _blobs(folder, "HEAD")
    from_list = ("--pathspec-from-file=-", "--pathspec-file-nul")
    _git(folder, "reset", "--quiet", *from_list, told="\0".join(changed))
    for name in changed:
        if name not in here and Path(folder, name).is_file():  # of yours, and in the way
            Path(folder, name).unlink()
    ours = [name for name in changed if name in here]
    if ours:
        _git(folder, "checkout", "--quiet", "HEAD", *from_list, told="\0".join(ours))
    _git(folder, "reset", "--quiet", "--keep", newest)


# ---- the command --------------------------------------------------------------------------------


def install(folder: Path) -> bool:
    """Install what the new edition needs; whether that worked."""
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "-e", str(folder)]
    return subprocess.run(pip, check=False).returncode == 0


def main(arguments: list[str]) -> None:
    """Update the course that this package belongs to, and say what happened."""
    parser = argparse.ArgumentParser("python -m diffusion_helpers.update")
    parser.add_argument("more", nargs="*", help=argparse.SUPPRESS)
    parser.add_argument("--language", default=ENGLISH, choices=languages(), help="of what is said")
    asked = parser.parse_args(arguments)
    with speaking(asked.language):
        if asked.more:
            sys.exit(tr("Say nothing more than: python -m diffusion_helpers.update"))
        _update_and_say()


def _update_and_say():
    try:
        done = update(ROOT)
    except ValueError as problem:
        sys.exit(tr("Not updated: {}.", problem))
    except OSError as problem:
        sys.exit(tr("{} cannot be written: {}.", problem.filename, problem.strerror))
    if done is None:
        say(tr("You have the newest edition."))
        return
    say(tr("This is the edition of {} now.", done.edition))
    for name, kept in done.kept.items():
        say(tr("{} is new; yours is {}.", name, kept))
    if done.branch:
        say(tr("Your own commits are kept on the branch {}.", done.branch))
    if done.packages:
        say(tr("Installing what the new edition needs ..."))
        if not install(ROOT):
            say(tr("That failed. Do it by hand: {} -m pip install -e .", sys.executable))
    say(tr("In open lessons, choose File, Reload Notebook from Disk, and restart the kernel."))


if __name__ == "__main__":
    main(sys.argv[1:])
