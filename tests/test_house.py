"""The house is in order: what git holds, what the README promises, what the wheel carries."""

import ast
import importlib
import inspect
import itertools
import json
import os
import re
import shlex
import subprocess
import sys
import sysconfig
import venv
import warnings
import zipfile
from pathlib import Path

import nbformat
import numpy as np
import pytest
import yaml

import diffusion_helpers

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).resolve().parent.parent
FOLDERS = {"notebooks", "diffusion_helpers", "data", "tests", "benchmarks", "docs"}
FOLDERS |= {".ci", ".github"}
NOTEBOOKS = sorted((ROOT / "notebooks").glob("[0-9]*.ipynb"))
MEGABYTE = 10**6

FIRST_COMMAND = (
    "python3 -m venv .venv && .venv/bin/pip install -e . "
    "&& .venv/bin/jupyter lab --notebook-dir . notebooks/00_start_here.ipynb"
)
SECOND_COMMAND = (
    'python3 -m venv .venv && .venv/bin/pip install -e ".[test]" && .venv/bin/python -m pytest'
)

IN_COLAB = "%pip install --no-deps *.whl rapidfuzz"
FIRST_LINES = (  # of each lesson's code
    "# Package missing? Run  %pip install -e ..  and restart.\n"
    f"# In Colab, upload the course's wheel and run  {IN_COLAB}\n"
)


def git(*args):
    """What git prints, as bytes; None where git or the repository is missing."""
    command = ["git", "-c", f"safe.directory={ROOT.as_posix()}", *args]
    try:
        return subprocess.run(command, cwd=ROOT, capture_output=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return None


@pytest.fixture(scope="module")
def tracked():
    """The files in git, as paths relative to the root."""
    if not (ROOT / ".git").exists():
        pytest.skip("this copy of the course is not a git checkout")
    listing = git("ls-files", "-z")
    assert listing is not None, "`git ls-files` failed: install git and run it here to see why."
    names = [name for name in listing.decode().split("\0") if name]
    assert names, "git holds no file yet: `git add` the course first."
    return [name for name in names if (ROOT / name).exists()]


def text(name):
    return (ROOT / name).read_text(encoding="utf-8")


# ---- set-up -------------------------------------------------------------------------------------


def test_environment_lists_the_same_packages_as_pyproject():
    project = tomllib.loads(text("pyproject.toml"))["project"]
    environment = yaml.safe_load(text("environment.yml"))
    (pip,) = (entry["pip"] for entry in environment["dependencies"] if isinstance(entry, dict))

    assert pip[0] == "-e .", "environment.yml must install the course itself first, as `-e .`."
    wanted = project["dependencies"] + project["optional-dependencies"]["test"]
    missing = sorted(set(wanted) - set(pip[1:]))
    extra = sorted(set(pip[1:]) - set(wanted))
    assert not missing and not extra, (
        "The pip section of environment.yml must repeat pyproject.toml's dependencies and its "
        f"`test` extra. Add to environment.yml: {missing}. Take out: {extra}."
    )
    assert len(pip[1:]) == len(wanted), "environment.yml names a package twice: keep one."


def test_readme_gives_the_two_commands():
    lines = text("README.md").splitlines()
    for command in (FIRST_COMMAND, SECOND_COMMAND):
        assert command in lines, f"README.md must hold this line, alone and unchanged: {command}"
        windows = re.search(r"-e \S+", command).group()
        assert any(rf".venv\Scripts\pip install {windows}" in line for line in lines), (
            rf"README.md must show the Windows form too: .venv\Scripts\pip install {windows} …"
        )


def test_ci_runs_the_second_command():
    code = [line for line in text(".ci/run").splitlines() if not line.lstrip().startswith("#")]
    assert any(line.startswith(SECOND_COMMAND) for line in code), (
        f".ci/run must run the README's second command as it stands: {SECOND_COMMAND}"
    )


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md", "docs/architecture.md"])
def test_links_lead_somewhere(name):
    links = re.findall(r"\]\(([^)\s#]+)", text(name))
    links += re.findall(r'(?:src|href)="([^"#]+)"', text(name))
    assert links, f"{name} links to nothing."
    here = (ROOT / name).parent
    broken = [link for link in links if "://" not in link and not (here / link).exists()]
    assert not broken, f"{name} points to files that do not exist: {broken}"


def test_readme_imports_names_that_exist():
    imports = [line for line in text("README.md").splitlines() if line.startswith("from diff")]
    assert imports, "README.md must show how to make a first change, with its import line."
    for line in imports:
        exec(line, {})  # an ImportError says which name the README has wrong


# ---- what people expect of a public project -----------------------------------------------------

WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))


def steps(workflow, job):
    """The commands that a job of a workflow runs, in their order."""
    jobs = yaml.safe_load(text(f".github/workflows/{workflow}.yml"))["jobs"]
    return [step["run"].strip() for step in jobs[job]["steps"] if "run" in step]


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_workflows_may_only_read_and_end_in_time(path):
    workflow = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert workflow["permissions"] == {"contents": "read"}
    assert workflow["concurrency"]["cancel-in-progress"] is True
    for job in workflow["jobs"].values():
        assert job["timeout-minutes"] <= 180  # all lessons run in two languages
        for uses in filter(None, (step.get("uses") for step in job["steps"])):
            assert re.fullmatch(r"actions/[a-z-]+@v\d+", uses), f"{uses}: pin a major version"


def test_the_workflow_on_linux_runs_the_second_command():
    assert steps("tests", "linux")[-1] == SECOND_COMMAND


def test_the_workflow_on_other_systems_draws_a_picture_and_runs_tests_that_exist():
    install, draw, run_tests = steps("tests", "other-systems")
    assert install.removeprefix("python -m pip") in SECOND_COMMAND
    python, *arguments = shlex.split(draw)
    assert python == "python"
    result = subprocess.run(
        [sys.executable, *arguments], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == "torch.Size([1, 3, 32, 32])"
    files = run_tests.removeprefix("python -m pytest ").split()
    assert files and all((ROOT / file).is_file() for file in files), files


def test_the_hooks_for_commits_have_the_tested_versions():
    tested = dict(line.split("==") for line in text("constraints.txt").splitlines())
    repositories = yaml.safe_load(text(".pre-commit-config.yaml"))["repos"]
    pins = {repository["repo"].split("/")[-1]: repository["rev"] for repository in repositories}
    assert pins == {"nbstripout": tested["nbstripout"], "ruff-pre-commit": f"v{tested['ruff']}"}
    hooks = {hook["id"]: hook for repository in repositories for hook in repository["hooks"]}
    assert hooks["nbstripout"]["args"] == ["--keep-id"], "every cell keeps its id"


def test_the_citation_says_what_pyproject_says():
    project = tomllib.loads(text("pyproject.toml"))["project"]
    citation = yaml.safe_load(text("CITATION.cff"))
    for name in ("version", "license", "authors", "keywords"):
        assert citation[name] == project[name], f"{name} in CITATION.cff is not pyproject.toml's"
    assert citation["abstract"] == project["description"]


NEWS = text("CHANGELOG.md").partition("\n## 0.1.0")[0]  # what is not released yet
RENAMED = re.findall(r"^\| `([^`|]+)` \| `([^`|]+)` \|$", NEWS, re.MULTILINE)


def test_each_renamed_thing_has_one_row_in_the_changelog():
    rows = [line for line in NEWS.splitlines() if line.startswith("|") and "---" not in line]
    assert len(rows) == len(RENAMED) + 2, "a row has not the form | `old` | `new` |"
    olds = [old for old, _ in RENAMED]
    assert len(set(olds)) == len(olds), "an old name stands in two rows"


@pytest.mark.parametrize("name", [new for _, new in RENAMED])
def test_the_new_names_in_the_changelog_exist(name):
    path, _, argument = name.removesuffix("=)").partition("(")
    parts = path.split(".")
    if parts[:2] == ["classroom", "__main__"]:  # needs the extra `classroom`
        assert f"def {parts[-1]}(" in text("diffusion_helpers/classroom/__main__.py")
        return
    found = diffusion_helpers
    for part in parts:
        if not hasattr(found, part):
            importlib.import_module(f"{found.__name__}.{part}")
        found = getattr(found, part)
    assert not argument or argument in inspect.signature(found).parameters


# ---- what git holds -----------------------------------------------------------------------------


def test_only_the_known_folders_are_in_git(tracked):
    unknown = sorted({name.split("/")[0] for name in tracked if "/" in name} - FOLDERS)
    assert not unknown, (
        f"These top-level folders are not part of the house: {unknown}. Move what they hold into "
        f"one of {sorted(FOLDERS)}, or leave them out of git."
    )


def test_no_pickles_in_git(tracked):
    suffixes = (".pt", ".pth", ".pkl", ".pickle", ".ckpt", ".joblib")
    pickles = [name for name in tracked if name.lower().endswith(suffixes)]
    assert not pickles, f"Opening a pickle can run code. Save these as .safetensors: {pickles}"
    for name in tracked:
        if name.endswith(".npz"):
            with np.load(ROOT / name, allow_pickle=False) as arrays:
                for key in arrays:
                    arrays[key]  # raises where an array hides a pickle
        elif name.endswith(".npy"):
            np.load(ROOT / name, allow_pickle=False)


def test_the_repository_stays_small(tracked):
    sizes = {name: (ROOT / name).stat().st_size for name in tracked}
    largest = sorted(sizes, key=sizes.get, reverse=True)[:5]
    total = sum(sizes.values())
    assert total < 75 * MEGABYTE, (
        f"The files in git hold {total / MEGABYTE:.0f} MB, more than 75. The largest: "
        + ", ".join(f"{name} ({sizes[name] / MEGABYTE:.1f} MB)" for name in largest)
    )


# A path that exists on one person's machine only; /usr/bin/env and the like are fine.
ABSOLUTE = re.compile(
    r"(?<![\w.~})-])/(?:home|root|Users|work|tmp|mnt|media|opt|srv|content|kaggle|private)/"
    r"|\b[A-Za-z]:[\\/]{1,2}(?:Users|Windows|Program|Temp)\b"
)


def source_lines(name):
    if name.endswith(".ipynb"):
        cells = nbformat.read(ROOT / name, as_version=4).cells
        return [line for cell in cells for line in cell.source.splitlines()]
    return text(name).splitlines()


def test_no_absolute_paths(tracked):
    code = [name for name in tracked if name.endswith((".py", ".ipynb")) or name == ".ci/run"]
    found = [
        f"{name}: {line.strip()[:100]}"
        for name in code
        for line in source_lines(name)
        if ABSOLUTE.search(line)
    ]
    assert not found, "Build paths from Path(__file__), not from one machine:\n" + "\n".join(found)


@pytest.mark.parametrize(
    "line, is_absolute",
    [
        ("cd " + "/".join(["", "home", "ada"]), True),
        ("open('" + "/".join(["", "tmp", "emoji.npz"]) + "')", True),
        ("\\\\".join(["C:", "Users", "ada"]), True),
        ("\\".join(["C:", "Users", "ada"]), True),
        ('ROOT / "work/data"', False),
        ("https://example.com/home/page", False),
        ('print(f"{name}:\\n")', False),
        ("loss = up / down", False),
    ],
)
def test_absolute_paths_are_recognised(line, is_absolute):
    assert bool(ABSOLUTE.search(line)) == is_absolute


# ---- other front ends ---------------------------------------------------------------------------

HARMLESS = {"overflow", "color-scheme", "filter"}  # beside colours, which are variables
ALIVE_RULE = ":not(:has(.sculptor)) { display: none; }"  # where the kernel of a control is gone


@pytest.mark.parametrize("name", ["control.css", "figures.py", "controls.py", "html.py"])
def test_nothing_depends_on_the_styles_of_jupyterlab(name):
    """VS Code and Colab have others: what only JupyterLab's classes give may be comfort at most."""
    folder = "static/" if name.endswith(".css") else ""
    source = text(f"diffusion_helpers/widgets/{folder}{name}")
    source = re.sub(r"\s+", " ", re.sub(r"/\*.*?\*/", "", source, flags=re.S))
    for selector, rule in re.findall(r"([^{}]*jp-[^{}]*)\{([^{}]*)\}", source):
        if f"{selector}{{{rule}}}".endswith(ALIVE_RULE):
            continue
        properties = {line.split(":")[0].strip() for line in rule.split(";") if line.strip()}
        strange = {p for p in properties if not p.startswith("--")} - HARMLESS
        assert not strange, f"{name}: {selector.strip()} decides {sorted(strange)}"


# ---- lessons ------------------------------------------------------------------------------------


def test_there_are_lessons_numbered_without_gaps():
    assert NOTEBOOKS, "notebooks/ holds no lesson: the first is 01_forward_noising.ipynb."
    for path in NOTEBOOKS:
        assert re.fullmatch(r"\d\d_[a-z0-9_]+\.ipynb", path.name), (
            f"{path.name}: name a lesson with its number and lower-case words, like 02_unet_anatomy"
        )
    numbers = [int(path.name[:2]) for path in NOTEBOOKS]
    assert numbers == list(range(len(numbers))), (  # 00 is the start page
        f"The lessons are numbered {numbers}: give each its own number, from 01 without a gap."
    )


def read_notebook(raw):
    return nbformat.reads(raw, as_version=nbformat.NO_CONVERT)


def leftovers(notebook):
    """Where a run has left its traces, a few words each."""
    found = ["widget state"] if "widgets" in notebook.metadata else []
    for number, cell in enumerate(notebook.cells):
        if cell.cell_type != "code":
            continue
        if cell.outputs:
            found.append(f"an output in cell {number}")
        if cell.execution_count is not None:
            found.append(f"an execution count in cell {number}")
        if "execution" in cell.metadata:
            found.append(f"run times in cell {number}")
    return found


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_lesson_is_stripped(path):
    found = leftovers(read_notebook(path.read_text(encoding="utf-8")))
    if not found:
        return
    advice = (
        f"{path.name} holds {', '.join(found[:5])}: before you commit it, run "
        f"`nbstripout --keep-id notebooks/{path.name}`."
    )
    committed = git("show", f":notebooks/{path.name}")
    if committed is not None and not leftovers(read_notebook(committed.decode())):
        warnings.warn(advice, stacklevel=1)  # someone is at work in a clean checkout
    else:
        pytest.fail(advice, pytrace=False)


def test_leftovers_are_recognised():
    v4 = nbformat.v4
    output = v4.new_output("stream", text="51 %")
    notebook = v4.new_notebook(
        metadata={"widgets": {}},
        cells=[
            v4.new_markdown_cell("Predict."),
            v4.new_code_cell("1", outputs=[output]),
            v4.new_code_cell("2", execution_count=7),
            v4.new_code_cell("3", metadata={"execution": {}}),
            v4.new_code_cell("4"),
        ],
    )
    assert leftovers(notebook) == [
        "widget state",
        "an output in cell 1",
        "an execution count in cell 2",
        "run times in cell 3",
    ]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_lesson_is_well_formed(path):
    notebook = json.loads(path.read_text(encoding="utf-8"))  # nbformat.read would repair it
    version = (notebook["nbformat"], notebook["nbformat_minor"])
    assert version >= (4, 5), f"{path.name}: save it as notebook format 4.5 or newer (cell ids)."
    ids = [cell.get("id") for cell in notebook["cells"]]
    assert None not in ids and len(set(ids)) == len(ids), (
        f"{path.name}: every cell needs an id of its own."
    )
    nbformat.validate(nbformat.from_dict(notebook))
    kernel = notebook["metadata"].get("kernelspec", {}).get("name")
    assert kernel == "python3", f"{path.name}: its kernel is {kernel!r}, choose `python3`."


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_formulas_have_single_backslashes(path):
    for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
        doubled = re.search(r"\\\\[a-zA-Z,;]", "".join(cell["source"]))
        assert cell["cell_type"] != "markdown" or not doubled, (
            f"cell {cell['id']} of {path.name} shows {doubled[0]} instead of a formula: "
            "write one backslash"
        )


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_lesson_says_how_to_install_the_package(path):
    notebook = read_notebook(path.read_text(encoding="utf-8"))
    code = [cell.source for cell in notebook.cells if cell.cell_type == "code"]
    assert code, f"{path.name} has no code cell."
    assert code[0].startswith(FIRST_LINES), f"{path.name}: its code begins with {FIRST_LINES!r}"
    assert f"`{IN_COLAB}`" in text("README.md")  # which says where the wheel comes from


# What the lessons need and Colab has (github.com/googlecolab/backend-info, August 2026).
COLAB_HAS = {"torch", "torchvision", "numpy", "PIL", "matplotlib", "einops", "safetensors"}
COLAB_HAS |= {"IPython", "traitlets", "anywidget", "diffusers", "transformers", "accelerate"}


def test_the_line_for_colab_installs_all_that_colab_lacks():
    sources = [(ROOT / "diffusion_helpers").glob("*.py")]
    sources += [
        (ROOT / "diffusion_helpers" / part).rglob("*.py") for part in ("widgets", "exercises")
    ]
    found = set()
    for path in itertools.chain(*sources):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Import):
                found |= {name.name.split(".")[0] for name in node.names}
            elif isinstance(node, ast.ImportFrom) and not node.level:
                found.add(node.module.split(".")[0])
    lacking = found - sys.stdlib_module_names - COLAB_HAS
    assert lacking == set(IN_COLAB.split()[4:]), f"{IN_COLAB} must bring {sorted(lacking)}"


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_no_lesson_asks_for_what_only_a_checkout_can(path):
    """Readers may have nothing but the wheel; messages of the package know which it is."""
    assert "!git" not in path.read_text("utf-8")


# ---- style --------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", [["check"], ["format", "--check"]], ids=["lint", "format"])
def test_ruff_is_content(command):
    ruff = [sys.executable, "-m", "ruff", *command, "--no-cache", "."]
    result = subprocess.run(ruff, cwd=ROOT, capture_output=True, text=True)
    if result.returncode != 0:
        pytest.fail(
            "Run `ruff check --fix .` and `ruff format .`, then read what is left:\n"
            f"{result.stdout}{result.stderr}",
            pytrace=False,
        )


@pytest.mark.slow
def test_the_core_is_clean_to_mypy():
    result = subprocess.run(
        [sys.executable, "-m", "mypy"], cwd=ROOT, capture_output=True, text=True
    )
    if result.returncode != 0:
        pytest.fail(f"mypy finds in the core:\n{result.stdout}{result.stderr}", pytrace=False)


def test_every_public_function_of_the_core_is_annotated():
    bare = []
    for path in sorted((ROOT / "diffusion_helpers").glob("*.py")):
        tree = ast.parse(path.read_text("utf-8"))
        classes = [node for node in tree.body if isinstance(node, ast.ClassDef)]
        for owner in [tree, *(c for c in classes if not c.name.startswith("_"))]:
            for function in owner.body:
                if not isinstance(function, ast.FunctionDef):
                    continue
                arguments = [*function.args.args, *function.args.kwonlyargs]
                typed = all(a.annotation or a.arg in ("self", "cls") for a in arguments)
                returns = function.returns is not None or function.name == "__init__"
                if not function.name.startswith("_") and not (typed and returns):
                    bare.append(f"{path.name}: {function.name}")
    assert not bare, f"Annotate the arguments and the result of {bare}"


# ---- the wheel ----------------------------------------------------------------------------------


WHEEL_COMMAND = ".venv/bin/pip wheel . --no-deps"


def test_readme_says_how_the_wheel_is_made():
    assert WHEEL_COMMAND in text("README.md").splitlines()


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The file that the README's command makes, here without the internet."""
    folder = tmp_path_factory.mktemp("wheel")
    words = WHEEL_COMMAND.split()[1:]
    build = [sys.executable, "-m", "pip", *words, "--no-build-isolation", "--wheel-dir", folder]
    result = subprocess.run(build, cwd=ROOT, capture_output=True, text=True)
    if result.returncode != 0:
        pytest.fail(f"The wheel cannot be built:\n{result.stdout}{result.stderr}", pytrace=False)
    (path,) = folder.glob("sculptor_of_chaos-*.whl")
    return path


def test_the_wheel_carries_the_package_its_data_and_the_lessons(wheel, tracked):
    with zipfile.ZipFile(wheel) as archive:
        inside = set(archive.namelist())
    modules = {name for name in tracked if name.startswith("diffusion_helpers/")}
    data = {
        f"diffusion_helpers/{name}"
        for name in tracked
        if name.startswith("data/")
        and not name.startswith("data/readme/")
        and not name.endswith(".py")
    }
    lessons = {f"diffusion_helpers/notebooks/{path.name}" for path in NOTEBOOKS}
    missing = sorted((modules | data | lessons) - inside)
    assert not missing, f"The wheel lacks these files; see [tool.hatch] in pyproject: {missing}"
    for kind in (".webp", ".safetensors"):
        assert any(name.endswith(kind) for name in inside), f"The wheel carries no {kind} file."

    own = {name for name in inside if name.startswith("diffusion_helpers/")}
    meant = (".dist-info/", ".data/data/")  # about the package, and for Jupyter
    strange = {name for name in inside - own if not any(part in name for part in meant)}
    strange |= {name for name in own if name.endswith(".py") and "/data/" in name}
    assert not strange, f"The wheel carries what it should not: {sorted(strange)}"
    assert any(name.endswith(".dist-info/licenses/LICENSE") for name in inside), (
        "The wheel lacks the licence."
    )


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory):
    """The Python of a new environment with the wheel, in a folder without the course.

    All other packages are borrowed from this environment: no test needs the internet.
    """
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder)
    install = ["install", "--quiet", "--no-index", "--no-deps", "--ignore-installed"]
    subprocess.run([sys.executable, "-m", "pip", *install, "--prefix", folder, wheel], check=True)
    paths = sysconfig.get_paths(vars={"base": str(folder), "platbase": str(folder)})
    # A line of a .pth file brings the packages of a folder, but not what stands in its .pth files:
    # an editable install of the course stays out.
    borrowed = [path for path in sys.path if Path(path).name.endswith("-packages")]
    Path(paths["purelib"], "borrowed.pth").write_text("\n".join(borrowed), encoding="utf-8")
    return Path(paths["scripts"], Path(sys.executable).name), folder


def run_installed(installed, *words, **environment):
    """What a Python command says in the folder of the new environment."""
    python, folder = installed
    offline = str(ROOT / "tests" / "offline")  # and no repository
    env = os.environ | {"PYTHONPATH": offline} | environment
    result = subprocess.run([python, *words], cwd=folder, env=env, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout[-3000:] + result.stderr[-3000:]
    return result.stdout.strip()


FIRST_CELLS = """
import json, pathlib, runpy, sys
import diffusion_helpers
from diffusion_helpers import load_checkpoint, sample
from diffusion_helpers.data import DATA, read_data

assert pathlib.Path(diffusion_helpers.__file__).is_relative_to(sys.prefix)
sys.argv[1:] = ["lessons"]
for _ in ("once", "again"):
    runpy.run_module("diffusion_helpers", run_name="__main__")
for path in sorted(pathlib.Path("lessons").glob("*.ipynb")):
    cells = json.loads(path.read_text("utf-8"))["cells"]
    exec("".join(next(cell["source"] for cell in cells if cell["cell_type"] == "code")), {})
picture = sample(load_checkpoint("demiurge"), "a red apple", style="noto", steps=2)
print(tuple(picture.shape))
(DATA / "ladder.json").unlink()
try:
    read_data("ladder.json")
except FileNotFoundError as error:
    print(error)
"""


def test_the_wheel_lays_the_lessons_out_and_their_first_cells_run(installed):
    new, again, *_, picture, missing = run_installed(installed, "-c", FIRST_CELLS).splitlines()
    assert new == f"New in lessons: {', '.join(path.name for path in NOTEBOOKS)}."
    assert again == "All lessons in lessons are up to date."
    assert picture == "(1, 3, 32, 32)"
    assert "ladder.json is missing: install the wheel again" in missing and "git" not in missing


@pytest.mark.slow
def test_a_lesson_from_the_wheel_runs_and_folds_in_its_page(installed):
    run_installed(installed, "-m", "diffusion_helpers", "lessons")
    templates = [str(Path(sys.prefix, "share", "jupyter"))]  # nbconvert's own, borrowed too
    command = ["-m", "nbconvert", "--to", "html", "--execute", "lessons/00_start_here.ipynb"]
    run_installed(installed, *command, JUPYTER_PATH=os.pathsep.join(templates))
    page = (installed[1] / "lessons" / "00_start_here.html").read_text("utf-8")
    assert '<details class="folded">' in page and 'class="sculptor scrubber"' in page
    assert "Traceback" not in page
