"""Years from now: the oldest versions that pyproject allows, the set that was tested, Binder."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

REPO = Path(__file__).resolve().parent.parent
PROJECT = tomllib.loads((REPO / "pyproject.toml").read_text("utf-8"))["project"]
EXTRAS = PROJECT["optional-dependencies"]
WANTED = PROJECT["dependencies"] + EXTRAS["test"]
CONSTRAINTS = (REPO / "constraints.txt").read_text("utf-8").splitlines()


def oldest(requirement):
    """`numpy>=2.2` as `numpy==2.2`; a condition behind a semicolon stays."""
    return requirement.replace(">=", "==", 1).replace("~=", "==", 1)


@pytest.mark.parametrize(
    ("requirement", "first"),
    [
        ("numpy>=2.2", "numpy==2.2"),
        ("ruff~=0.17.6", "ruff==0.17.6"),
        ("jupyterlab-slideshow==0.3.4", "jupyterlab-slideshow==0.3.4"),
        ("tomli>=2.2.1; python_version < '3.11'", "tomli==2.2.1; python_version < '3.11'"),
    ],
)
def test_the_oldest_version_of_a_requirement(requirement, first):
    assert oldest(requirement) == first


def test_every_requirement_says_from_which_version_on():
    assert all(re.search(r"[>=~]=", requirement) for requirement in WANTED)


def test_the_tested_set_holds_one_version_of_each_package_that_the_course_needs():
    pinned = [re.fullmatch(r"([\w.-]+)==([\w.]+)", line) for line in CONSTRAINTS]
    strange = [line for line, found in zip(CONSTRAINTS, pinned) if not found]
    assert not strange, f"constraints.txt: only NAME==VERSION, no +cpu and no path: {strange}"
    versions = {canonicalize_name(found[1]): found[2] for found in pinned}
    assert len(versions) == len(CONSTRAINTS)
    for requirement in map(Requirement, WANTED + EXTRAS["classroom"]):
        if requirement.marker is None or requirement.marker.evaluate({"python_version": "3.12"}):
            version = versions.get(canonicalize_name(requirement.name))
            assert version and version in requirement.specifier, f"{requirement}: {version}"


def test_the_readme_names_the_python_that_pyproject_asks_for():
    readme = (REPO / "README.md").read_text("utf-8")
    assert f"With Python {PROJECT['requires-python'].removeprefix('>=')} or newer" in readme
    assert "-c constraints.txt" in readme


# ---- fresh environments -------------------------------------------------------------------------

ONLINE = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}


@pytest.fixture
def course(tmp_path):
    """A copy of the course, as someone downloads it."""
    leave = shutil.ignore_patterns(".git", ".venv", "my_runs", "editions", "__pycache__", ".*cache")
    return shutil.copytree(REPO, tmp_path / "course", ignore=leave)


def environment(folder, *install):
    """The Python of a new environment in which pip installed something."""
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    pip = [python, "-m", "pip", "install", "--quiet"]
    if subprocess.run([*pip, "einops"], env=ONLINE, capture_output=True).returncode:
        pytest.skip("pip reaches no package index from here")
    made = subprocess.run([*pip, *install], env=ONLINE, capture_output=True, text=True)
    assert made.returncode == 0, made.stderr[-3000:]
    return python


DRAW = """
from diffusion_helpers import load_checkpoint, sample
picture = sample(load_checkpoint("demiurge"), "a red apple", style="noto", steps=4)
print(tuple(picture.shape))
"""


@pytest.mark.slow
def test_the_tested_set_installs_and_draws(course, tmp_path):
    python = environment(tmp_path / "venv", "-c", course / "constraints.txt", "-e", course)
    drawn = subprocess.run(
        [python, "-c", DRAW], cwd=tmp_path, env=ONLINE, capture_output=True, text=True
    )
    assert drawn.stdout.strip() == "(1, 3, 32, 32)", drawn.stderr
    freeze = [python, "-m", "pip", "freeze", "--exclude-editable"]
    got = subprocess.run(freeze, env=ONLINE, capture_output=True, text=True, check=True).stdout
    got = {re.sub(r"\+\w+$", "", line) for line in got.splitlines() if "==" in line}
    assert got and not got - set(CONSTRAINTS)


@pytest.mark.slow
def test_the_suite_passes_on_the_oldest_versions(course, tmp_path):
    wanted = tmp_path / "oldest.txt"
    wanted.write_text("\n".join(map(oldest, WANTED)))
    python = environment(tmp_path / "venv", "-r", wanted, "-e", course)
    # The lessons are shortened in tests/test_lessons.py; the whole ones are for today's versions.
    suite = [python, "-m", "pytest", "-q", "-n0", "tests", "--basetemp", tmp_path / "tests"]
    result = subprocess.run(
        suite, cwd=course, env=ONLINE | {"OMP_NUM_THREADS": "1"}, capture_output=True, text=True
    )
    assert result.returncode == 0, result.stdout[-6000:]


@pytest.mark.slow
def test_repo2docker_knows_what_to_do_with_the_repository(course, monkeypatch):
    app = pytest.importorskip("repo2docker.app", reason="needs `pip install jupyter-repo2docker`")
    monkeypatch.chdir(course)
    docker = app.Repo2Docker()
    packs = (kind(docker.base_image) for kind in docker.buildpacks)
    pack = next(pack for pack in packs if pack.detect())
    assert type(pack).__name__ == "CondaBuildPack" and pack.python_version == "3.12"
    pack.platform = "linux/amd64"
    assert "environment.yml" in pack.render({})
