"""What widgets, exercises and pages without Python say in another language than English."""

import ast
import json
import re

import pytest
import torch
from drawings import drawing_page, lesson_function, lesson_parts, moves

from diffusion_helpers import add_noise, cosine_schedule, exercises, languages, load_emoji
from diffusion_helpers.authoring import presenter
from diffusion_helpers.authoring.texts import of_notebook
from diffusion_helpers.exercises import card, whose
from diffusion_helpers.languages import Language, load_language, speaking, spoken, tr
from diffusion_helpers.languages.javascript import CALL, _numbered, in_scope, texts_of, with_texts
from diffusion_helpers.languages.notebooks import NOTEBOOKS, translated_cell
from diffusion_helpers.living import files, mirrors
from diffusion_helpers.widgets import controls, gallery, predictions, scrubber
from diffusion_helpers.widgets.html import KEEP
from diffusion_helpers.words import load_words

OTHERS = [code for code in languages.languages() if code != "en"]
others = pytest.mark.parametrize("code", OTHERS)
DRAWS = sorted((files.STATIC / "draws").glob("lesson_*.js"))
TEXTS = {
    "your guess": "ваша догадка",
    "Start over": "Начать заново",
    "Roll the dice for {0}": "Бросить кости: {0}",
    "seed": "зерно",
    "Keep": "Оставить",
    "Pinned: {0}": "Закреплено: {0}",
    "Without Python it stays still: {}.": "Без Python не оживёт: {}.",
    mirrors.OWN_FUNCTION: "рисует чужая функция",
    controls.ASLEEP: "Неподвижная картинка.",
    "Kept: {}": "Сохранено: {}",
    "step": "шаг",
    "Play": "Смотреть",
    "step {} of {}, t = {}": "шаг {} из {}, t = {}",
    "You said: {0}. So it was.": "Ваш ответ: {0}. Так и вышло.",
    "Choose before you go on.": "Выберите, прежде чем <идти> дальше.",
    "Exercise {}: not yet. {}": "Упражнение {}: пока нет. {}",
    "yours": "ваше",
    "right": "верно",
    "Lesson {}": "Урок {}",
    "I do not know the word '{}'": "Я не знаю слова «{}»",
}
HINTS = ("right, {} hint", "right, {} hints")


@pytest.fixture
def russian(monkeypatch):
    """A language of a few texts is spoken."""
    texts = {("", english): text for english, text in TEXTS.items()}
    hints = {0: "верно, {} подсказка", 1: "верно, {} подсказки", 2: "верно, {} подсказок"}
    plural = load_language("ru").plural
    # "en": functions and exercises stay as they are
    spoken = Language("en", "Русский", "russian", texts, {HINTS: hints}, plural)
    monkeypatch.setattr(languages, "_spoken", spoken)


# ---- tr in JavaScript ---------------------------------------------------------------------------

CASES = [
    ("step {0} of {1}", (3, 20)),
    ("{} and {}", ("a", "b")),
    ("{1} before {0}", ("{0}", "}}")),  # a value is no place
    ("{{{0}}}", ("x",)),
    ("no {0} without values {{", ()),
    ('"quoted" \\ </script> \u2028 «ёлочки»', ()),
    ("{0} {0}", ("twice",)),
    ("toString", ()),  # of every object
]


def test_tr_in_javascript_is_that_of_python(visit, monkeypatch):
    texts = {("", text): f"{text} ё </script>" for text, _ in CASES[:6]}
    monkeypatch.setattr(languages, "_spoken", Language("xx", "X", "x", texts))
    calls = ", ".join(f"tr({json.dumps([text, *values])[1:-1]})" for text, values in CASES)
    calls = calls.replace("<", "\\u003c")
    with visit() as tab:
        tab.page.set_content(f"<script>{in_scope(f'window.said = [{calls}];')}</script>")
        assert tab.page.evaluate("said") == [tr(text, *values) for text, values in CASES]
        assert tab.page.evaluate("typeof tr") == "undefined"  # a scope of its own


def test_the_texts_of_a_script_are_those_that_it_uses(russian):
    script = 'tr("seed"); tr("Ke" +\n  "ep", 1); tr("unknown"); str("right"); tr(name);'
    assert texts_of(script) == ["seed", "Keep", "unknown"]
    carried = json.loads(re.search("texts = ({.*}), values", with_texts(script))[1])
    assert carried == {"seed": "зерно", "Keep": "Оставить"}


def test_english_scripts_carry_no_texts():
    assert "var texts = {}," in with_texts(controls.SCRIPT)
    assert files.worker_script().count("var texts = {},") == 1 + len(DRAWS)


def test_places_of_a_lesson_have_numbers():
    english = "{a:.1f} of {len(b)}, {a:.1f} {{x}}"
    assert _numbered(english, english) == "{0} of {1}, {2} {{x}}"
    assert _numbered("из {len(b)}: {a:.1f} и {a:.1f}", english) == "из {1}: {0} и {2}"


# ---- which texts there are ----------------------------------------------------------------------


@pytest.mark.parametrize("path", DRAWS, ids=lambda path: path.stem)
def test_a_drawing_says_what_its_lesson_says(path):
    """So its texts need no translation of their own."""
    (lesson,) = NOTEBOOKS.glob(f"{path.stem[-2:]}_*.ipynb")
    there = {_numbered(source.text, source.text) for source in of_notebook(lesson)}
    assert set(texts_of(path.read_text("utf-8"))) <= there


@others
def test_no_script_lacks_a_text(code):
    """But for names in the code of a lesson, which may stay."""
    own = [controls.SCRIPT, scrubber.SCRIPT, predictions.SCRIPT, predictions.SCORE, KEEP]
    own += [presenter.SCRIPT, *(p.read_text("utf-8") for p in files.STATIC.glob("*.js"))]
    with speaking(code):
        for script in own:
            carried = json.loads(re.search("texts = ({.*}), values", with_texts(script))[1])
            assert set(carried) == set(texts_of(script))
        for path in DRAWS:
            script = path.read_text("utf-8")
            delivered = with_texts(script, path.stem[-2:])
            carried = json.loads(re.search("texts = ({.*}), values", delivered)[1])
            assert not [text for text in set(texts_of(script)) - set(carried) if " " in text]


def test_every_call_of_tr_in_a_script_has_a_literal():
    for path in [*files.STATIC.rglob("*.js"), *(controls.STATIC.glob("*.js"))]:
        script = re.sub("//.*", "", path.read_text("utf-8"))
        assert len(re.findall(r"\btr\(", script)) == len(CALL.findall(script)), path.name


# ---- drawings without Python ---------------------------------------------------------------------


@others
def test_a_page_knows_the_functions_of_lessons_in_every_language(code):
    """As many as in English: those of mirrors.py."""
    with speaking(code):
        known = [
            source
            for path in sorted(NOTEBOOKS.glob("[0-9][0-9]_*.ipynb"))
            for cell in json.loads(path.read_text("utf-8"))["cells"]
            for source in functions(cell, path.name)
            if is_known(source)
        ]
    assert len(known) == sum(map(len, mirrors.MIRRORS)) + len(mirrors.ONLY_PYTHON)


@others
def test_a_page_draws_a_lesson_in_every_language(code, visit):
    """Captions and titles are those of the lesson in that language."""
    few, schedule = load_emoji().images[::90], cosine_schedule()
    own = {"torch": torch, "add_noise": add_noise, "schedule": schedule}
    with speaking(code), drawing_page(visit) as draws:
        for lesson, cell, name in (
            ("03_training", "live-question", "question"),
            ("05_sense_of_time", "live-guess", "how_noisy"),
        ):
            draw = lesson_function(lesson, cell, name, own | {"faces": few, "unseen": few})
            parts = lesson_parts(lesson, cell, draw)
            draws(draw, parts, moves(parts, 3))
        assert (
            load_language(code).text("show it", "05_sense_of_time.ipynb")
            in parts["the_truth"].options
        )


# ---- controls -----------------------------------------------------------------------------------


def grey(your_guess, seed):
    return {"grey": torch.full((3, 8, 8), your_guess / 9)}, f"{your_guess}"


def guessing(draw=grey):
    guess, seed = controls.Slider(0, 9, start=3), controls.Seed()
    return controls.live(draw, your_guess=guess, seed=seed, alt="A grey square")


def test_a_control_shows_translated_labels_and_keeps_its_names(russian, visit):
    control = guessing()
    assert [part["label"] for part in control.spec["parts"]] == ["ваша догадка", "зерно"]
    assert [part["name"] for part in control.spec["parts"]] == ["your_guess", "seed"]
    state = json.dumps({"spec": control.spec, "frame": control.frame | {"pixels": []}})
    script = control._esm.replace("export default", "const control =")
    with visit() as tab:
        tab.page.set_content(f"""<main></main><script type="module">{script}
const state = {state.replace("[32, 32]", "[1, 1]")};
state.frame.columns = [];
const model = {{ get: (name) => state[name], on() {{}}, off() {{}}, send() {{}} }};
control.render({{ model, el: document.querySelector("main") }});</script>""")
        for role, name in (
            ("slider", "ваша догадка"),
            ("button", "Начать заново"),
            ("button", "Бросить кости: зерно"),
            ("button", "Оставить"),
            ("button", "Pin"),  # this language has no word for it
        ):
            assert tab.page.get_by_role(role, name=name, exact=True).count() == 1, name
        tab.page.get_by_role("button", name="Pin").click()
        assert tab.page.locator(".pinned .caption").inner_text().startswith("Закреплено: 3; ваша")
        tab.check_quiet()


def test_a_still_control_says_why_it_stays(russian):
    still = guessing().static_image()
    assert "Неподвижная картинка. Без Python не оживёт: рисует чужая функция." in still


def test_what_is_kept_is_said_and_named(russian, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    control, sent = guessing(), []
    monkeypatch.setattr(control, "send", sent.append)
    control._keep("me")
    (file,) = (tmp_path / gallery.FOLDER).glob("*.png")
    assert sent == [{"view": "me", "kept": f"Сохранено: gallery/{file.name}"}]
    assert "ваша догадка: 3".encode() in file.read_bytes()


def test_a_scrubber_speaks(russian):
    frames = {"a": torch.zeros(2, 3, 4, 4)}
    page = scrubber.scrubber(frames, ["x", "y"]).page
    assert ">Смотреть</button>" in page and "<label>шаг<input" in page
    assert ">Начать заново</button>" in page and '"Pinned: {0}": "Закреплено: {0}"' in page


def test_a_prediction_speaks_and_no_text_ends_its_script(russian):
    page = predictions.ask("01.a").page
    assert ">Начать заново</button>" in page
    assert "Выберите, прежде чем \\u003cидти> дальше." in page


# ---- exercises and words ------------------------------------------------------------------------


def test_an_exercise_speaks(russian, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    shown = []
    monkeypatch.setattr(exercises, "display", shown.append)
    monkeypatch.setattr(exercises, "show_beside", lambda *_: None)
    exercises.exercise("01.1")(lambda x_0, t, eps, alpha_bar: x_0)
    assert repr(shown[0]).startswith("Упражнение 01.1: пока нет. ")
    assert whose(test_an_exercise_speaks) == "ваше"


def test_a_card_counts_hints(russian):
    said = [card._words({"right": True, "hints": n}, 5) for n in (0, 1, 2, 5)]
    assert said == ["верно", "верно, 1 подсказка", "верно, 2 подсказки", "верно, 5 подсказок"]


def test_unknown_words_are_told(russian):
    with pytest.warns(UserWarning, match="Я не знаю слова «абвгдезз»"):
        load_words().encode("абвгдезз")


# ---- helpers ------------------------------------------------------------------------------------


def functions(cell, file):
    """The sources of the functions in a cell that a live control may draw with."""
    code = "".join(cell["source"])
    if cell["cell_type"] != "code" or "live(" not in code:
        return []
    code = translated_cell(code, file, spoken())
    lines = re.sub(r"(?m)^[%!].*$", "pass", code).split("\n")
    return [
        "\n".join(lines[node.lineno - 1 : node.end_lineno])
        for node in ast.parse("\n".join(lines)).body
        if isinstance(node, ast.FunctionDef)
    ]


def is_known(source):
    try:
        mirrors.mirror_of(source)
    except ValueError as reason:
        return str(reason) != mirrors.OWN_FUNCTION
    return True
