"""The update command, with git and a remote on this disk: the new edition comes, and no work of the
reader's is lost, whatever state the checkout is in."""

import json
import os
import runpy
import shutil
import subprocess
import sys
from datetime import date
from pathlib import Path

import pytest

from diffusion_helpers import update as command
from diffusion_helpers.update import Update, update

pytestmark = pytest.mark.skipif(not shutil.which("git"), reason="needs git")

ONE, TWO = "notebooks/01_one.ipynb", "notebooks/02_two.ipynb"
MODULE = "diffusion_helpers/unet.py"
TODAY = date.today()
MINE = f"notebooks/my_01_one_{TODAY}.ipynb"


@pytest.fixture(autouse=True)
def no_identity(monkeypatch, tmp_path):
    """A student's machine: git was installed, and nobody told it a name."""
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("AUTHOR_NAME", "AUTHOR_EMAIL", "COMMITTER_NAME", "COMMITTER_EMAIL", "DIR"):
        monkeypatch.delenv(f"GIT_{name}", raising=False)


def git(folder, *words):
    who = ["-c", "user.name=Ada", "-c", "user.email=ada@example.org", "-c", "commit.gpgsign=false"]
    done = subprocess.run(["git", *who, *words], cwd=folder, check=True, capture_output=True)
    return done.stdout.decode().strip()


def lesson(text, outputs=()):
    cell = {"cell_type": "code", "id": "a", "metadata": {}, "execution_count": None}
    return json.dumps({"cells": [cell | {"source": [text], "outputs": list(outputs)}]}, indent=1)


def write(folder, files):
    for name, text in files.items():
        path = Path(folder, name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8", newline="\n")


def publish(remote, **files):
    """A new edition of some files; None takes one away."""
    names = {"one": ONE, "two": TWO, "module": MODULE, "project": "pyproject.toml"}
    for key, text in files.items():
        name = names.get(key, f"notebooks/{key}.ipynb")
        write(remote, {name: text}) if text is not None else Path(remote, name).unlink()
    git(remote, "add", "-A")
    git(remote, "commit", "-m", "an edition")


@pytest.fixture
def remote(tmp_path):
    folder = tmp_path / "remote"
    folder.mkdir()
    git(folder, "init", "--quiet", "--initial-branch=main")
    write(folder, {".gitignore": "sculptor_progress.json\n"})
    publish(folder, one=lesson("1"), two=lesson("2"), module="widths = 1\n", project="[project]\n")
    return folder


@pytest.fixture
def course(remote, tmp_path):
    """A student's checkout, with progress, a notebook and a picture of their own."""
    git(tmp_path, "clone", "--quiet", str(remote), "course")
    own = {"notebooks/sculptor_progress.json": "{}", "notebooks/own.ipynb": lesson("own")}
    write(tmp_path / "course", own | {"notebooks/gallery/0001 a cat.png": "png"})
    return tmp_path / "course"


def read(course, name):
    return (course / name).read_text("utf-8")


def check_own(course):
    """What the student has beside the lessons is as it was."""
    assert read(course, "notebooks/own.ipynb") == lesson("own")
    assert read(course, "notebooks/sculptor_progress.json") == "{}"
    assert read(course, "notebooks/gallery/0001 a cat.png") == "png"


def test_untouched_lessons_become_the_new_ones(remote, course):
    publish(remote, one=lesson("1, better"), three=lesson("3"), two=None)
    done = update(course)
    assert done.kept == {} and done.branch is None and not done.packages
    assert len(done.edition) == 10
    assert read(course, ONE) == lesson("1, better")
    assert read(course, "notebooks/three.ipynb") == lesson("3")
    assert not (course / TWO).exists()
    assert git(course, "rev-parse", "HEAD") == git(remote, "rev-parse", "HEAD")
    assert git(course, "branch", "--show-current") == "main"
    check_own(course)
    assert update(course) is None


@pytest.mark.parametrize(
    "theirs",
    [lesson("1", ["my output"]), lesson("my line"), "cut in the mid"],
    ids=["run", "changed", "damaged"],
)
def test_a_lesson_with_work_in_it_is_kept_beside_the_new_one(theirs, remote, course):
    write(course, {ONE: theirs, TWO: lesson("2", ["my output"])})
    publish(remote, one=lesson("1, better"))
    assert update(course).kept == {ONE: MINE}
    assert read(course, ONE) == lesson("1, better") and read(course, MINE) == theirs
    assert read(course, TWO) == lesson("2", ["my output"])  # the edition did not change that one
    check_own(course)
    publish(remote, one=lesson("1, best"), two=lesson("2, better"))
    write(course, {ONE: lesson("again")})
    kept = update(course).kept
    assert kept[ONE] == f"notebooks/my_01_one_{TODAY}_2.ipynb"  # the first copy is not overwritten
    assert read(course, MINE) == theirs and read(course, kept[ONE]) == lesson("again")
    assert read(course, kept[TWO]) == lesson("2", ["my output"])


def test_work_that_was_added_to_the_index_is_kept_as_well(remote, course):
    write(course, {ONE: lesson("mine"), "notebooks/three.ipynb": lesson("my third")})
    git(course, "add", "-A")
    publish(remote, one=lesson("1, better"), three=lesson("3"))
    kept = update(course).kept
    assert read(course, kept[ONE]) == lesson("mine")
    assert read(course, kept["notebooks/three.ipynb"]) == lesson("my third")
    assert read(course, "notebooks/three.ipynb") == lesson("3")


def test_a_deleted_lesson_comes_back_when_there_is_a_new_one(remote, course):
    (course / ONE).unlink()
    (course / TWO).unlink()
    publish(remote, one=lesson("1, better"))
    assert update(course).kept == {}
    assert read(course, ONE) == lesson("1, better")
    assert not (course / TWO).exists()  # that was the student's wish


def test_a_lesson_that_goes_leaves_the_students_copy(remote, course):
    write(course, {ONE: lesson("mine")})
    publish(remote, one=None)
    assert update(course).kept == {ONE: MINE}
    assert not (course / ONE).exists() and read(course, MINE) == lesson("mine")


def test_changed_code_is_kept_and_new_packages_are_told(remote, course):
    write(course, {MODULE: "widths = 2\n"})
    publish(remote, module="widths = 3\n", project="[project]\nname = 'x'\n")
    done = update(course)
    assert done.packages and read(course, MODULE) == "widths = 3\n"
    assert read(course, done.kept[MODULE]) == "widths = 2\n"


def test_commits_of_ones_own_are_kept_on_a_branch(remote, course):
    """What ends in a conflict, or in a question for a name, when one pulls."""
    write(course, {ONE: lesson("mine")})
    git(course, "commit", "--quiet", "-am", "my work")
    mine = git(course, "rev-parse", "HEAD")
    publish(remote, one=lesson("1, better"))
    done = update(course)
    assert done.branch == f"before_update_{TODAY}" and done.kept == {ONE: MINE}
    assert git(course, "rev-parse", done.branch) == mine
    assert read(course, ONE) == lesson("1, better") and read(course, MINE) == lesson("mine")
    assert git(course, "rev-parse", "HEAD") == git(remote, "rev-parse", "HEAD")
    write(course, {ONE: lesson("more")})
    git(course, "commit", "--quiet", "-am", "more work")
    assert update(course) is None  # ahead of the newest edition
    publish(remote, one=lesson("1, best"))
    assert update(course).branch == f"before_update_{TODAY}_2"
    assert git(course, "rev-parse", f"before_update_{TODAY}") == mine


def test_a_detached_head_and_a_branch_of_ones_own_follow_the_main_edition(remote, course):
    git(course, "checkout", "--quiet", "--detach")
    write(course, {ONE: lesson("mine")})
    publish(remote, one=lesson("1, better"))
    assert update(course).kept == {ONE: MINE} and read(course, ONE) == lesson("1, better")
    git(course, "checkout", "--quiet", "-b", "experiments")
    publish(remote, one=lesson("1, best"))
    assert update(course).kept == {} and read(course, ONE) == lesson("1, best")
    assert git(course, "branch", "--show-current") == "experiments"


def test_a_shallow_clone_is_updated(remote, tmp_path):
    publish(remote, one=lesson("1, better"))
    git(tmp_path, "clone", "--quiet", "--depth=1", remote.as_uri(), "shallow")
    write(tmp_path / "shallow", {ONE: lesson("mine")})
    publish(remote, one=lesson("1, best"))
    assert update(tmp_path / "shallow").kept == {ONE: MINE}
    assert read(tmp_path / "shallow", ONE) == lesson("1, best")


def test_line_ends_of_windows_are_no_work(remote, tmp_path):
    words = ["-c", "core.autocrlf=true", "clone", "--quiet", "--config", "core.autocrlf=true"]
    git(tmp_path, *words, str(remote), "windows")
    assert b"\r\n" in (tmp_path / "windows" / ONE).read_bytes()
    publish(remote, one=lesson("1, better"))
    assert update(tmp_path / "windows").kept == {}


# ---- troubles: one sentence, and nothing is changed ---------------------------------------------


def check_refused(course, sentence):
    before = {path: path.read_bytes() for path in course.rglob("*.ipynb")}
    with pytest.raises(ValueError, match=sentence):
        update(course)
    assert {path: path.read_bytes() for path in course.rglob("*.ipynb")} == before


def test_without_the_network(remote, course):
    write(course, {ONE: lesson("mine")})
    remote.rename(remote.with_name("out of reach"))
    check_refused(course, "cannot be fetched .* when you are online")


def test_without_git(course, monkeypatch):
    monkeypatch.setenv("PATH", str(course))
    check_refused(course, "updating needs git: install it")


def test_in_a_folder_from_a_zip(course, tmp_path):
    shutil.rmtree(course / ".git")
    check_refused(course, "no git checkout.* git clone, and copy sculptor_progress.json")
    git(tmp_path, "init", "--quiet")  # a checkout of something else around it is left alone
    check_refused(course, "no git checkout")


def test_without_an_address(course):
    git(course, "remote", "remove", "origin")
    check_refused(course, "knows no address: git remote add origin ADDRESS")


def test_in_the_middle_of_a_merge(remote, course):
    write(course, {ONE: lesson("mine")})
    git(course, "commit", "--quiet", "-am", "my work")
    publish(remote, one=lesson("1, better"))
    with pytest.raises(subprocess.CalledProcessError):
        git(course, "pull", "--quiet", "--no-rebase")  # a conflict
    check_refused(course, "has not finished a merge: .* git merge --abort")
    git(course, "merge", "--abort")
    assert update(course).kept == {ONE: MINE}


def test_when_a_stash_did_not_fit(course):
    write(course, {ONE: lesson("mine")})
    git(course, "stash")
    write(course, {ONE: lesson("other")})
    git(course, "commit", "--quiet", "-am", "other")
    with pytest.raises(subprocess.CalledProcessError):
        git(course, "stash", "pop")
    check_refused(course, "git holds a conflict: git status names it")


def test_when_a_folder_is_in_the_way(remote, course):
    (course / "notebooks" / "three.ipynb").mkdir()
    publish(remote, three=lesson("3"))
    with pytest.raises(ValueError, match=r"your folder notebooks/three\.ipynb stands where"):
        update(course)


def test_when_nothing_can_be_written(remote, course, monkeypatch, capsys):
    def refuse(source, target):
        raise OSError(28, "No space left on device", str(target))

    write(course, {ONE: lesson("mine")})
    publish(remote, one=lesson("1, better"))
    monkeypatch.setattr(shutil, "copy2", refuse)
    monkeypatch.setattr(command, "ROOT", course)
    with pytest.raises(SystemExit, match=r"my_01_one.* cannot be written: No space left on device"):
        command.main([])
    assert read(course, ONE) == lesson("mine")


# ---- the command --------------------------------------------------------------------------------


def test_the_command_says_what_happened(remote, course, monkeypatch, capsys):
    monkeypatch.setattr(command, "ROOT", course)
    installed = []
    monkeypatch.setattr(command, "install", lambda folder: installed.append(folder))
    command.main([])
    assert capsys.readouterr().out == "You have the newest edition.\n" and not installed
    write(course, {ONE: lesson("mine")})
    git(course, "commit", "--quiet", "-am", "my work")
    publish(remote, one=lesson("1, better"), project="[project]\nname = 'x'\n")
    command.main([])
    said = capsys.readouterr().out.splitlines()
    assert said[0].startswith("This is the edition of 20")
    assert said[1:3] == [
        f"{ONE} is new; yours is {MINE}.",
        f"Your own commits are kept on the branch before_update_{TODAY}.",
    ]
    assert installed == [course] and "pip install -e ." in said[4]  # it answered None: it failed
    assert said[-1].startswith("In open lessons")
    remote.rename(remote.with_name("out of reach"))
    with pytest.raises(SystemExit, match="Not updated: the newest edition cannot be fetched"):
        command.main([])
    with pytest.raises(SystemExit, match="Say nothing more"):
        command.main(["please"])


def test_what_it_installs_is_the_course(monkeypatch, tmp_path):
    ran = []

    def run(words, check):
        ran.append(words)
        return subprocess.CompletedProcess(words, 0)

    monkeypatch.setattr(subprocess, "run", run)
    assert command.install(tmp_path)
    assert ran == [[sys.executable, "-m", "pip", "install", "--quiet", "-e", str(tmp_path)]]


def test_it_runs_as_a_module_and_on_this_course(monkeypatch):
    """One word too many, so that the tests never update themselves."""
    monkeypatch.setattr(sys, "argv", ["update", "please"])
    monkeypatch.delitem(sys.modules, "diffusion_helpers.update")
    with pytest.raises(SystemExit, match=r"python -m diffusion_helpers\.update"):
        runpy.run_module("diffusion_helpers.update", run_name="__main__", alter_sys=True)
    assert (command.ROOT / "pyproject.toml").is_file() and Update._fields[1] == "kept"
