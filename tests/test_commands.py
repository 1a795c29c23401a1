"""Every command of the course: a wrong word gets one sentence, and no letter stops the output."""

import ast
import io
import os
import runpy
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest
from IPython.display import display

from diffusion_helpers import checks
from diffusion_helpers.authoring import commands
from diffusion_helpers.classroom.__main__ import readable
from diffusion_helpers.exercises import exercise, hint
from diffusion_helpers.languages import load_language
from diffusion_helpers.widgets.html import HtmlOutput

ROOT = Path(__file__).resolve().parent.parent
LESSONS = sorted(path.name[:2] for path in (ROOT / "notebooks").glob("[0-9]*.ipynb"))
SOURCES = sorted(
    path
    for folder in ("diffusion_helpers", "benchmarks", "data", "docs")
    for path in (ROOT / folder).rglob("*.py")
)


@pytest.fixture
def output(monkeypatch):
    """Make `sys.stdout` a file of an encoding; what `said` returns was written there."""

    def begin(encoding):
        file = io.TextIOWrapper(io.BytesIO(), encoding=encoding, newline="\n")
        monkeypatch.setattr(sys, "stdout", file)
        return file

    return begin


def said(file):
    file.flush()
    return file.buffer.getvalue().decode(file.encoding)


def run(module, words, monkeypatch):
    """Run a module of the package as `python -m` does."""
    monkeypatch.setattr(sys, "argv", [module, *words])
    runpy.run_module(f"diffusion_helpers.{module}", run_name="__main__", alter_sys=True)


FILES = pytest.mark.parametrize("encoding", ["ascii", "cp1252"])


# ---- letters ------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_everything_is_printed_by_say(path):
    """`print` stops at a letter that the output cannot hold; `say` writes its number."""
    calls = [n for n in ast.walk(ast.parse(path.read_text("utf-8"))) if isinstance(n, ast.Call)]
    calls = [n for n in calls if isinstance(n.func, ast.Name) and n.func.id == "print"]
    prints = [n.lineno for n in calls if not n.keywords or n.keywords[0].arg != "file"]  # stderr
    own = 1 if path.name == "checks.py" and path.parent.name == "diffusion_helpers" else 0
    assert len(prints) == own, f"use say of diffusion_helpers.checks in lines {prints}"


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_every_file_of_text_is_utf_8(path):
    """What Python takes without a name is another encoding on Windows."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if not isinstance(node, ast.Call):
            continue
        named = any(k.arg == "encoding" for k in node.keywords)
        if isinstance(node.func, ast.Name) and node.func.id == "open":
            mode = node.args[1].value if len(node.args) > 1 else "r"
            assert named or "b" in mode, f"line {node.lineno}: open(..., encoding='utf-8')"
        elif isinstance(node.func, ast.Attribute) and node.func.attr in ("read_text", "write_text"):
            needed = 1 + (node.func.attr == "write_text")
            assert named or len(node.args) >= needed, f"line {node.lineno}: say 'utf-8'"


WORDS = "щенок α 🍎 é \ud83d"


@pytest.mark.parametrize(
    ("encoding", "shown"),
    [
        ("ascii", r"\u0449\u0435\u043d\u043e\u043a \u03b1 \U0001f34e \xe9 \ud83d"),
        ("cp1252", r"\u0449\u0435\u043d\u043e\u043a \u03b1 \U0001f34e é \ud83d"),
        ("utf-8", "щенок α 🍎 é \\ud83d"),
    ],
)
def test_a_letter_that_the_output_cannot_hold_is_written_as_its_number(encoding, shown, output):
    file = output(encoding)
    checks.say(WORDS)
    display(HtmlOutput("", WORDS))
    assert said(file).splitlines() == [shown, shown]


def test_an_output_without_an_encoding_is_no_reason_to_stop(monkeypatch):
    monkeypatch.setattr(sys, "stdout", None)
    assert checks.printable("é") == repr(HtmlOutput("", "é")) == "é"


@FILES
def test_hints_and_verdicts_go_into_any_file(encoding, output, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    file = output(encoding)
    hint("04.5"), hint("07.9", 3), hint("нет"), hint("01.1", "два")

    @exercise("01.1")
    def add_noise(x_0, t, eps, alpha_bar):
        raise ValueError("пыль")

    assert r"\u0449\u0435\u043d\u043e\u043a" in said(file)  # of our solution
    assert r"\u043f\u044b\u043b\u044c" in said(file)


# ---- commands of the package --------------------------------------------------------------------


@FILES
def test_an_edition_is_written_whatever_the_output_can_hold(
    encoding, output, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    file = output(encoding)
    run("authoring.editions", ["handout", "раздача"], monkeypatch)
    folder = r"\u0440\u0430\u0437\u0434\u0430\u0447\u0430"
    assert said(file) == f"{len(LESSONS)} lessons (handout) in {folder}.\n"
    assert len(list((tmp_path / "раздача").glob("*.ipynb"))) == len(LESSONS)


@FILES
def test_speakers_notes_are_a_file_in_utf_8(encoding, output, monkeypatch):
    file = output(encoding)
    run("authoring.notes", LESSONS, monkeypatch)
    notes = file.buffer.getvalue().decode("utf-8")
    assert notes.count("  the end") == len(LESSONS) and not notes.isascii()


def test_a_command_whose_output_goes_into_a_file_on_windows(tmp_path):
    """As a whole: what Python does with its output before our code runs is not in our hands."""
    command = [sys.executable, "-W", "ignore", "-m", "diffusion_helpers.authoring.editions"]
    environment = os.environ | {"PYTHONIOENCODING": "cp1252", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [*command, "handout", "раздача"], cwd=tmp_path, env=environment, capture_output=True
    )
    assert done.returncode == 0 and not done.stderr, done.stderr
    assert done.stdout.startswith(b"%d lessons (handout) in \\u0440" % len(LESSONS))


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ("notes 99", "there are no notes to lesson '99': there are to "
         + ", ".join(LESSONS)),
        ("editions posters out", "There is no edition 'posters': choose instructor, handout, "
         "nbgrader, russian."),
        ("editions handout file", "file cannot be written: File exists."),
    ],
)  # fmt: skip
def test_a_wrong_word_gets_one_sentence(words, sentence, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").touch()
    name, *rest = words.split()
    with pytest.raises(SystemExit) as stopped:  # Python writes it to stderr and exits with 1
        run(f"authoring.{name}", rest, monkeypatch)
    assert stopped.value.code == sentence and not capsys.readouterr().out


WHERE_TO = "Say where the lessons go: python -m diffusion_helpers FOLDER."
RUSSIAN = load_language("ru")


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ([], WHERE_TO),
        (["notebooks"], "notebooks holds the lessons themselves: choose another folder."),
        (["README.md"], "README.md cannot be written: File exists."),
        (["--language", "ru"], RUSSIAN.text(WHERE_TO)),
    ],
)
def test_lessons_that_cannot_be_laid_out(words, sentence, monkeypatch, capsys):
    monkeypatch.chdir(ROOT)
    with pytest.raises(SystemExit) as stopped:
        run("__main__", words, monkeypatch)
    assert stopped.value.code == sentence and not capsys.readouterr().out


def test_lessons_are_laid_out_in_russian(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    run("__main__", ["уроки", "--language", "ru"], monkeypatch)
    names = sorted(path.name for path in (tmp_path / "уроки").glob("*.ipynb"))
    new = RUSSIAN.text("New in {}: {}.").format("уроки", ", ".join(names))
    assert capsys.readouterr().out == f"{new}\n" and len(names) == len(LESSONS)
    for name in names:
        assert 'speak(\\"ru\\")' in (tmp_path / "уроки" / name).read_text("utf-8")
    (tmp_path / "уроки" / names[1]).unlink()  # it comes back, and nothing else does
    run("__main__", ["уроки", "--language", "ru"], monkeypatch)
    assert RUSSIAN.text("New in {}: {}.").format("уроки", names[1]) in capsys.readouterr().out


def test_a_class_in_a_folder_that_is_not_there_yet_can_be_prepared(tmp_path):
    assert readable(Path("/usr/is/not/there")) and not readable(tmp_path / "not" / "there")


# ---- benchmarks/ and data/ ----------------------------------------------------------------------

SCRIPTS = [  # the script, wrong words, what is said
    ("benchmarks/apprentice.py", "sheet.nope", "sheet.nope is no name of a picture: end it in"),
    ("benchmarks/apprentice.py", "file/sheet.png", "File exists"),
    ("benchmarks/checks.py", "nope", "there is no folder nope"),
    ("benchmarks/checks.py", ".", "holds no module of the course"),
    ("benchmarks/classroom.py", "", "Say how large the classes are"),
    ("benchmarks/classroom.py", "4 many", "Say how large the classes are"),
    ("benchmarks/contact_sheet.py", "--weights nope", "no network is called 'nope'"),
    ("benchmarks/contact_sheet.py", "--out sheet", "sheet is no name of a picture"),
    ("benchmarks/demiurge.py", "--weights nope.safetensors", "there is no checkpoint"),
    ("benchmarks/demiurge.py", "--weights file.safetensors", "is damaged or is no checkpoint"),
    ("benchmarks/demiurge.py", "--sheet sheet", "sheet is no name of a picture"),
    ("benchmarks/fast.py", "nope", "There is no part 'nope': choose training, "),
    ("benchmarks/ladder.py", "--tabel", "unrecognized arguments: --tabel"),
    ("benchmarks/objectives.py", "--tabel", "unrecognized arguments: --tabel"),
    ("benchmarks/straight.py", "--tabel", "unrecognized arguments: --tabel"),
    ("benchmarks/minutes.py", "nope.ipynb", "there is no lesson nope.ipynb"),
    ("benchmarks/minutes.py", "file", "there is no lesson file"),
    ("benchmarks/pocket.py", "--sheet sheet", "sheet is no name of a picture"),
    ("benchmarks/scenes.py", "--weights nope", "no network is called 'nope'"),
    ("benchmarks/swift.py", "--weights demiurge", "demiurge is no distilled network"),
    ("data/build_emoji.py", "", "required: packages"),
    ("data/build_emoji.py", "nope", "there is no folder nope"),
    ("data/build_emoji.py", ".", "is missing: run npm as the head of this file says."),
    ("data/record_live.py", "", "required: machine"),
    ("data/train_apprentice.py", "", "required: seconds"),
    ("data/train_apprentice.py", "long", "'long'"),
    ("data/train_apprentice.py", "nan", "the time in seconds is a number from 1 up"),
    ("data/train_demiurge.py", "-- -5", "the time in seconds is a number from 1 up"),
    ("data/train_demiurge.py", "5 --weights nope", "no network is called 'nope'"),
    ("data/train_pocket.py", "painter 0", "the time in seconds is a number from 1 up"),
    ("data/train_scenes.py", "5 --halfway", "--halfway needs --weights"),
]


@pytest.mark.parametrize(("script", "words", "sentence"), SCRIPTS)
def test_a_script_says_at_once_what_is_wrong(
    script, words, sentence, tmp_path, monkeypatch, capsys
):
    (tmp_path / "file").touch()
    (tmp_path / "file.safetensors").touch()
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(ROOT / Path(script).parent)
    monkeypatch.setattr(sys, "argv", [script, *words.split()])
    monkeypatch.setitem(sys.modules, "resvg_py", ModuleType("resvg_py"))  # draws, and is large
    with pytest.raises(SystemExit) as stopped:
        try:
            runpy.run_path(str(ROOT / script), run_name="__main__")
        except ImportError as missing:
            pytest.skip(f"{missing.name} is not installed")
    said = capsys.readouterr()
    told = said.err if isinstance(stopped.value.code, int) else stopped.value.code
    assert stopped.value.code in (1, 2) or isinstance(stopped.value.code, str)
    assert sentence in told.splitlines()[-1] and not said.out


def test_the_folder_of_a_picture_is_made(tmp_path):
    """At once: a measurement of hours must not end there."""
    assert commands.picture_file(str(tmp_path / "new" / "sheet.png")).parent.is_dir()
