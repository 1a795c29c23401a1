"""Another language is the same course: the same programs, formulas, links and numbers."""

import ast
import json
import re
import subprocess
import sys
from pathlib import Path

import nbformat
import polib
import pytest
import torch
from nbclient import NotebookClient
from shorten_lessons import shorter

from diffusion_helpers import (
    Pictures,
    checks,
    exercises,
    languages,
    load_checkpoint,
    lora,
    noising,
    sampling,
    training,
    unet,
    update,
)
from diffusion_helpers.authoring import editions, texts
from diffusion_helpers.authoring.texts import Source, faults
from diffusion_helpers.device import as_device
from diffusion_helpers.exercises import questions
from diffusion_helpers.languages import (
    Language,
    notebooks,
    read_catalogue,
    speak,
    speaking,
    tr,
    trn,
)
from diffusion_helpers.languages.code import inside, outside_places, parse, texts_in, translate_code
from diffusion_helpers.languages.notebooks import NOTEBOOKS, translated
from diffusion_helpers.words import load_words

LESSONS = sorted(NOTEBOOKS.glob("[0-9][0-9]_*.ipynb"))
OTHERS = [code for code in languages.languages() if code != "en"]
others = pytest.mark.parametrize("code", OTHERS)
lessons = pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)


@pytest.fixture(scope="module")
def sources():
    return texts.all_sources()


def cells_of(path, kind="code"):
    cells = json.loads(path.read_text("utf-8"))["cells"]
    return [(c["id"], "".join(c["source"])) for c in cells if c["cell_type"] == kind]


class Program(ast.NodeTransformer):
    """What a program does: its tree without words, the expressions in f-strings in any order."""

    def visit_Constant(self, node):
        return ast.Constant("") if isinstance(node.value, str) else node

    def visit_JoinedStr(self, node):
        parts = [self.visit(v) for v in node.values if isinstance(v, ast.FormattedValue)]
        return ast.Tuple([ast.Constant("f"), *sorted(parts, key=ast.dump)], ast.Load())


def program(code):
    return ast.dump(Program().visit(parse(code)))


def longer(text):
    """A text that nobody would miss: all its words become other ones."""
    return outside_places(text, lambda words: words.replace(" ", " «щё» ")) + " конец"


# ---- the same program ---------------------------------------------------------------------------


@lessons
def test_a_program_stays_the_same_whatever_its_texts_become(path):
    for cell, code in cells_of(path):
        assert translate_code(code, lambda text: text) == code, cell
        made = translate_code(code, longer)
        assert program(made) == program(code), cell
        if not any(inside(text.text) for text in texts_in(code)):
            wanted = words(longer(text.text) for text in texts_in(code))
            assert words(text.text for text in texts_in(made)) == wanted, cell


def words(found):
    """All words of some texts; the lines of comments may be broken elsewhere."""
    return sorted(" ".join(found).split())


@lessons
@others
def test_a_lesson_is_the_same_program_in_every_language(code, path):
    english = dict(cells_of(path))
    made = translated(json.loads(path.read_text("utf-8")), path.name, languages.load_language(code))
    assert [cell["id"] for cell in made["cells"]] == [
        cell["id"] for cell in json.loads(path.read_text("utf-8"))["cells"]
    ]
    for cell in made["cells"]:
        if cell["cell_type"] == "code":
            text = "".join(cell["source"])
            assert program(text) == program(english[cell["id"]]), cell["id"]
            wide = [line for line in text.split("\n") if len(line) > 100]
            assert not wide or max(map(len, english[cell["id"]].split("\n"))) > 100, wide


@pytest.mark.parametrize(
    ("code", "made"),
    [
        ('print("a cat")', 'print("кот")'),
        ("print('a cat')", 'print("кот")'),
        ('print(f"{n:,} cats")', 'print(f"котов: {n:,}")'),
        ('x = f"{a} and {b}"', 'x = f"{b}, {a}"'),
        ("x = 1  # a cat", "x = 1  # кот"),
        ("%pip install x\nx = 'a cat'  # noqa: E501", '%pip install x\nx = "кот"  # noqa: E501'),
        ("f\"{'a cat' if n else 'none'}!\"", "f\"{'кот' if n else 'none'}!\""),
        ('"say \\"hi\\""', "'скажи \"хай\"'"),
        ('("a "\n "cat")', '("кот")'),
    ],
)
def test_texts_in_code_become_others(code, made):
    words = {"a cat": "кот", "{n:,} cats": "котов: {n:,}", "{a} and {b}": "{b}, {a}"}
    words['say "hi"'] = 'скажи "хай"'
    assert translate_code(code, lambda text: words.get(text, text)) == made


def test_a_place_that_a_translation_loses_is_told():
    with pytest.raises(ValueError, match="other places"):
        translate_code('f"{n} cats"', lambda text: "коты")


def test_long_texts_are_broken_and_long_comments_stand_above():
    code = 'if x:\n    say("short", 1)  # why'
    made = translate_code(code, lambda text: "длинное слово " * 9)
    assert max(map(len, made.split("\n"))) <= 100 and program(made) == program(code)
    assert made.split("\n")[1].startswith("    # длинное")


# ---- complete, and not rotten -------------------------------------------------------------------


@others
def test_no_text_is_missing(code, sources):
    lacking = [(s.file, s.place, s.text[:60]) for s in texts.missing(code, sources)]
    assert not lacking, f"python -m diffusion_helpers.authoring.texts {code} says which"


@others
def test_no_translation_differs_where_it_may_not(code, sources):
    wrong = [(s.file, s.place, s.text[:60], why) for s, why in texts.faulty(code, sources)]
    assert not wrong


@others
def test_the_catalogue_is_what_the_command_writes(code, sources, tmp_path):
    path = languages.FOLDER / f"{code}.po"
    copy = tmp_path / path.name
    copy.write_bytes(path.read_bytes())
    texts.update(copy, sources)
    assert copy.read_bytes() == path.read_bytes(), f"run authoring.texts {code}"


@others
def test_russian_is_written_as_russian(code):
    """No straight quotes around Russian words, and no lost letter of another alphabet in a word."""
    mixed = r"[А-Яа-яЁё][A-Za-z]|[A-Za-z][А-Яа-яЁё]"
    for (_, english), text in languages.load_language(code).texts.items():
        plain = texts.prose(text)
        assert not re.search(mixed, plain), (
            english[:60],
            re.findall(f"\\S*(?:{mixed})\\S*", plain),
        )


@pytest.mark.parametrize(
    ("kind", "english", "translation", "wrong"),
    [
        ("markdown", "See $x_t$ and `eps`.", "Смотрите $x_t$ и `eps`.", ""),
        ("markdown", "See $x_t$.", "Смотрите $x_0$.", "formula"),
        ("markdown", r"$\text{a}$ cat", r"$\text{ы}$ кот", ""),
        ("markdown", "`eps` is noise", "eps — это шум", "code"),
        ("markdown", "`your guess` moves", "`ваша догадка` движется", ""),
        ("markdown", "[Ho](https://a.b/1)", "[Хо](https://a.b/2)", "link"),
        ("markdown", "10,000 cats in 3 rooms", "10\u00a0000 котов в 3 комнатах", ""),
        ("markdown", "2 cats", "3 кота", "numbers"),
        ("markdown", "# A\n\n- b", "# А\n\nб", "headings"),
        ("markdown", "| a | b |", "| а |", "headings"),
        ("markdown", "<b>a</b>", "<i>а</i>", "tag"),
        ("f-string", "{n} of {m}", "{m}, {n}", ""),
        ("f-string", "{n} of {m}", "{n}", "places"),
        ("f-string", "{n:.2f} m", "{n:.3f} м", "places"),
        ("message", "{} of {}", "{1}, {0}", ""),
        ("message", "{} of {:.0%}", "{1:.0%}, {0}", ""),
        ("message", "{} of {}", "{}", "places"),
    ],
)
def test_what_may_not_differ_is_told(kind, english, translation, wrong):
    told = faults(Source("f", "", kind, english), translation, {"your guess": "ваша догадка"})
    assert [fault.partition(":")[0].partition(" ")[0].rstrip(",") for fault in told] == (
        [wrong] if wrong else []
    )


def test_a_changed_text_is_fuzzy_and_counts_as_missing(tmp_path):
    path = tmp_path / "xx.po"
    head = polib.POFile()
    head.metadata = {"Language": "xx", "X-Name": "X", "X-English-Name": "x-ish"}
    head.metadata["Plural-Forms"] = "nplurals=1; plural=0;"
    head.save(str(path))
    place = ("f", "cell", "markdown")
    texts.update(path, [Source(*place, "A cat sits here."), Source(*place, "And a dog.")])
    file = polib.pofile(str(path))
    assert [entry.msgstr for entry in file] == ["", ""]
    file[0].msgstr, file[1].msgstr = "Тут кот.", "И пёс."
    file.save(str(path))
    assert read_catalogue(path).text("A cat sits here.") == "Тут кот."
    texts.update(path, [Source(*place, "A black cat sits here."), Source(*place, "And a dog.")])
    changed, kept = polib.pofile(str(path))
    assert changed.fuzzy and changed.msgstr == "Тут кот."
    assert changed.previous_msgid == "A cat sits here." and not kept.fuzzy
    language = read_catalogue(path)
    assert language.text("A black cat sits here.") == "A black cat sits here."
    assert language.text("And a dog.") == "И пёс."


# ---- what is said -------------------------------------------------------------------------------

SOME = Language(
    "ru",
    "Русский",
    "russian",
    {("", "{} of {:.0%}"): "{1:.0%}, {0}", ("", "a {brace}"): "скобка {brace}"},
    {("{} cat", "{} cats"): {0: "{} кот", 1: "{} кота", 2: "{} котов"}},
    lambda n: 0 if n % 10 == 1 and n % 100 != 11 else 1 if 2 <= n % 10 <= 4 else 2,
)


def test_a_text_is_said_in_the_spoken_language(monkeypatch):
    assert tr("{} of {:.0%}", 1, 0.5) == "1 of 50%"
    assert [trn("{} cat", "{} cats", n, n) for n in (1, 2)] == ["1 cat", "2 cats"]
    monkeypatch.setattr(languages, "_spoken", SOME)
    assert tr("{} of {:.0%}", 1, 0.5) == "50%, 1"
    assert tr("a {brace}") == "скобка {brace}" and tr("what nobody translated") == (
        "what nobody translated"
    )
    said = [trn("{} cat", "{} cats", n, n) for n in (1, 2, 5, 21)]
    assert said == ["1 кот", "2 кота", "5 котов", "21 кот"]
    assert trn("{} dog", "{} dogs", 21, 21) == "21 dogs"


@pytest.mark.parametrize("wrong", ["xx", "", None, 3, "../ru", ["ru"]])
def test_a_language_that_is_not_there_gets_one_sentence(wrong):
    with pytest.raises(ValueError, match="the course speaks en") as told:
        speak(wrong)
    assert "\n" not in str(told.value) and languages.spoken().code == "en"


@pytest.mark.parametrize("content", ["", "no catalogue", 'msgid "a"\nmsgstr', "\0"])
def test_a_damaged_catalogue_gets_one_sentence(content, tmp_path):
    (tmp_path / "xx.po").write_text(content, "utf-8")
    with pytest.raises(ValueError, match=r"xx\.po is no catalogue of a language"):
        read_catalogue(tmp_path / "xx.po")


def test_a_language_is_spoken_for_a_while_also_where_something_fails():
    with pytest.raises(RuntimeError), speaking(OTHERS[0]):
        assert languages.spoken().code == OTHERS[0]
        raise RuntimeError
    assert languages.spoken().code == "en"


WRONG_CALLS = {
    "a count": lambda: sampling.timesteps(0),
    "a number": lambda: checks.check_number("half", "eta", 0, 1),
    "a shape": lambda: checks.check_images(torch.zeros(3, 32, 32)),
    "noise": lambda: checks.check_pair(torch.zeros(1, 3, 8, 8), torch.zeros(1, 3, 8)),
    "a device for numbers": lambda: checks.check_floats(torch.zeros(2, device="meta"), "N"),
    "a kind": lambda: noising.check_schedule(7),
    "rows": lambda: checks.check_rows([5], 3),
    "t": lambda: noising.cosine_schedule(10).rates(10, torch.zeros(1, 1)),
    "a budget": lambda: training.train(None, [], steps=1, seconds=1),
    "a network": lambda: load_checkpoint("nobody"),
    "a file": lambda: load_checkpoint("nobody.safetensors"),
    "a style": lambda: load_words().encode("cat", "sketch"),
    "a device": lambda: as_device("nowhere"),
    "pictures": lambda: Pictures("nowhere"),
    "parts": lambda: unet.UNet(widths=(31, 64)),
    "an adapter": lambda: lora.get_adapter(unet.UNet(widths=(16, 16))),
    "an edition": lambda: editions.write("posters", "out"),
    "a checkout": lambda: update.update("/"),
}


@others
@pytest.mark.parametrize("call", WRONG_CALLS)
def test_a_wrong_call_gets_one_sentence_in_every_language(code, call):
    wrong = WRONG_CALLS[call]
    with pytest.raises((ValueError, OSError)) as english:
        wrong()
    with speaking(code), pytest.raises(type(english.value)) as told:
        wrong()
    said = str(told.value)
    assert texts.CYRILLIC.search(said) and "\n" not in said and "{" not in said
    # no part of it is left in English
    assert not re.search(r"\b(a|the|is|of|for|from|to|with|expected|got|such|as)\b", said)


CORE = sorted(
    path
    for pattern in ("*.py", "classroom/*.py", "authoring/*.py")
    for path in texts.PACKAGE.glob(pattern)
)
SAY = {"say", "warn", "exit", "ArgumentTypeError"}
FOR_AUTHORS = {"texts.py", "browser_words.py"}  # what it says is for authors of the course alone


@pytest.mark.parametrize("path", CORE, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_every_sentence_is_said_by_tr(path):
    """Those of errors and warnings, and those that are printed, in the core and its commands."""
    calls = [n for n in ast.walk(ast.parse(path.read_text("utf-8"))) if isinstance(n, ast.Call)]
    bare = [
        f"line {call.lineno}: {ast.unparse(call.args[0])[:60]}"
        for call in calls
        if call.args and (name_of(call.func) in SAY or name_of(call.func).endswith("Error"))
        if isinstance(call.args[0], (ast.JoinedStr, ast.BinOp, ast.IfExp))
        or (isinstance(call.args[0], ast.Constant) and " " in str(call.args[0].value))
    ]
    assert not bare or path.name in FOR_AUTHORS


def name_of(function):
    """The last name of what is called: "warn" of `warnings.warn`."""
    return getattr(function, "attr", getattr(function, "id", ""))


# ---- what is made of it -------------------------------------------------------------------------


@others
def test_the_edition_in_a_language_is_the_lesson_in_it(code, tmp_path):
    name = languages.load_language(code).english_name
    for path in editions.write(name, tmp_path):
        made = json.loads(path.read_text("utf-8"))
        assert made["metadata"]["language"] == code
        first = next("".join(c["source"]) for c in made["cells"] if c["cell_type"] == "code")
        assert f'speak("{code}")' in first and 'speak("en")' not in first
        english = dict(cells_of(NOTEBOOKS / path.name, "markdown"))
        for cell in made["cells"]:
            if cell["cell_type"] == "markdown" and texts._has_words(english[cell["id"]]):
                assert "".join(cell["source"]) != english[cell["id"]], cell["id"]


def test_a_new_language_is_one_file_and_lacks_what_it_says(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(languages, "FOLDER", tmp_path)
    monkeypatch.setattr(editions, "missing", lambda code: texts.missing(code)[:17])
    head = polib.POFile()
    head.metadata = {"Language": "eo", "X-Name": "Esperanto", "X-English-Name": "esperanto"}
    head.metadata["Plural-Forms"] = "nplurals=2; plural=(n != 1);"
    head.append(polib.POEntry(msgid="Exercise {}: right.", msgstr="Ekzerco {}: ĝuste."))
    head.save(str(tmp_path / "eo.po"))
    editions.main(["esperanto", str(tmp_path / "out")])
    said = capsys.readouterr().out
    assert f"{len(LESSONS)} lessons (esperanto)" in said and "17 texts have no translation" in said
    made = json.loads((tmp_path / "out" / LESSONS[1].name).read_text("utf-8"))
    english = json.loads(LESSONS[1].read_text("utf-8"))
    changed = [a["id"] for a, b in zip(made["cells"], english["cells"]) if a != b]
    assert changed == ["imports"]  # it speaks Esperanto, where it can
    with speaking("eo"):
        assert tr("Exercise {}: right.", "01.1") == "Ekzerco 01.1: ĝuste."


SOON = ("00", "01")  # run here; pytest -m slow runs all


@others
@pytest.mark.parametrize(
    "path",
    [
        pytest.param(path, marks=[] if path.name[:2] in SOON else [pytest.mark.slow])
        for path in LESSONS
    ],
    ids=lambda path: path.stem,
)
def test_a_lesson_runs_in_every_language(code, path, tmp_path):
    """Run All, its trainings shortened, and without the internet."""
    made = translated(json.loads(path.read_text("utf-8")), path.name, languages.load_language(code))
    lesson = nbformat.from_dict(made)
    for cell in lesson.cells:
        cell.source = shorter("".join(cell.source))
    NotebookClient(lesson, timeout=300, resources={"metadata": {"path": str(tmp_path)}}).execute()
    verdicts = re.findall(r'data-verdict="(\w+)"', json.dumps(lesson).replace('\\"', '"'))
    assert set(verdicts) <= {"open"}, verdicts


@others
@pytest.mark.parametrize("number", exercises.lessons())
def test_each_mistake_has_a_sentence_of_its_own_in_every_language(code, number):
    english = exercises.of_lesson(number)
    with speaking(code):
        theirs = exercises.of_lesson(number)
        assert theirs is exercises.of_lesson(number) and theirs is not english
        for one, other in zip(english, theirs):
            assert other.name == one.name and other.title != one.title
            assert program(other.source) == program(one.source)
            assert other.judge(other.solution) == ""
            told = [other.judge(function) for function in other.wrong.values()]
            assert all(told) and len(set(told)) == len(told), other.name
            assert all(texts.CYRILLIC.search(words) for words in (*told, *other.hints))
    assert exercises.of_lesson(number) is english


@others
@pytest.mark.parametrize("number", questions.lessons())
def test_questions_are_asked_in_every_language(code, number):
    english = questions.of_lesson(number)
    with speaking(code):
        theirs = questions.of_lesson(number)
    assert list(theirs) == list(english)
    for name, question in english.items():
        assert list(theirs[name].options) == list(question.options)
        assert theirs[name].text != question.text


@others
def test_a_lessons_functions_are_known_in_every_language(code):
    """So that a page without Python draws what they draw."""
    from diffusion_helpers.living import mirrors

    rows = {name for table in (*mirrors.MIRRORS, mirrors.ONLY_PYTHON) for name in table}
    with speaking(code):
        found = {
            mirrors.fingerprint(source)
            for path in LESSONS
            for _, text in cells_of(path)
            if "def " in text
            for source in notebooks._sources(
                notebooks.translated_cell(text, path.name, languages.spoken())
            )
        }
    assert rows <= found


@others
def test_the_command_counts_the_texts(code, tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "diffusion_helpers.authoring.texts", code],
        cwd=Path(__file__).parents[1], capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-2000:]
    assert "0 that differ" in done.stdout
