"""The questions: what their files may look like, and that no notebook gives an answer away."""

import ast
import json
import re
from collections import Counter
from pathlib import Path

import pytest

from diffusion_helpers.exercises import questions

NOTEBOOKS = sorted((Path(__file__).parent.parent / "notebooks").glob("[0-9]*.ipynb"))
FILES = sorted(questions.FOLDER.glob("lesson_*.md"))
ALL = {path.stem[-2:]: questions.of_lesson(path.stem[-2:]) for path in FILES}
lessons = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)

# ---- the files ----------------------------------------------------------------------------------

GOOD = """\
# Lesson 01: the questions

## 01.a

How much of it
is `dust`?

- `half` about half: of
  the *layers*

  Layers multiply.

- `nine tenths` nine tenths - or more

  So it is:
  `alpha_bar` is small.

## 01.b

Another?

- `yes` yes

  So.

- `no` no

  Not so.
"""


@pytest.fixture
def write(tmp_path, monkeypatch):
    """Write the file of lesson 01, as text or as bytes."""
    monkeypatch.setattr(questions, "FOLDER", tmp_path)

    def written(content):
        content = content.encode() if isinstance(content, str) else content
        (tmp_path / "lesson_01.md").write_bytes(content)

    return written


@pytest.mark.parametrize(
    "content",
    [
        GOOD,
        GOOD.rstrip(),
        GOOD.replace("\n", "\r\n"),
        "\ufeff" + GOOD,
        GOOD.replace("\n\n", "\n \t\n\n"),
        GOOD.partition("\n\n")[2],
    ],
    ids=["as told", "no last line end", "Windows", "a byte order mark", "more blanks", "no title"],
)
def test_a_file_is_read_as_its_author_means_it(write, content):
    write(content)
    one, other = questions.of_lesson("01").values()
    assert (one.name, one.text) == ("01.a", "How much of it is `dust`?")
    assert list(one.options) == ["half", "nine tenths"]
    assert one.options["half"].words == "about half: of the *layers*"
    assert one.options["half"].why == "Layers multiply."
    assert one.options["nine tenths"].words == "nine tenths - or more"
    assert one.options["nine tenths"].why == "So it is: `alpha_bar` is small."
    assert questions.find("01.b") == other and other.text == "Another?"


def damaged(old, new):
    assert GOOD.count(old) == 1
    return GOOD.replace(old, new)


A = r"^lesson_01\.md, question 01\.a: "
B = r"^lesson_01\.md, question 01\.b: "


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (damaged("## 01.b", "## 1.b"), r"^lesson_01\.md: write the heading '1\.b' with this"),
        (damaged("## 01.b", "## 02.b"), r"^lesson_01\.md: write the heading '02\.b' with this"),
        (damaged("## 01.b", "## 01.a"), A + "two questions have this name, give one another"),
        (damaged("# Lesson 01", "Lesson 01"), r"^lesson_01\.md: put 'Lesson 01: .* below a head"),
        (damaged("Another?", ""), B + "write one paragraph below the heading"),
        (damaged("Another?", "Another?\n\nAnd more?"), B + "write one paragraph below the heading"),
        (damaged("- `half` about", "`half` about"), A + "write one paragraph below the heading"),
        (damaged("- `half` about", "- about"), A + "write the option 'about half: of' as a key"),
        (damaged("- `half` about", "- `a/b` about"), A + "write the option '`a/b` about half: of'"),
        (damaged("- `yes` yes", "- `yes`"), B + "write the option '`yes`' as a key and words"),
        (damaged("- `yes` yes", "-"), B + "write one paragraph below the heading"),
        (damaged("  Layers", "Layers"), A + r"begin 'Layers multiply\.' with \"- \" if it is an"),
        (damaged("- `no` no", "* `no` no"), B + r"begin '\* `no` no' with \"- \" if it is an"),
        (damaged("  Layers multiply.\n", ""), A + "write one paragraph below the option `half`"),
        (damaged("multiply.", "multiply.\n\n  More."), A + "write one paragraph below the option"),
        (damaged("- `nine tenths`", "- `half`"), A + "give one of the two options `half` another"),
        (GOOD.partition("- `no`")[0], B + "write two options or more"),
        (GOOD.encode("utf-16"), r"^lesson_01\.md holds other signs than text: save it as UTF-8"),
    ],
)
def test_another_shape_gets_one_sentence_with_file_question_and_what_to_do(write, content, words):
    write(content)
    with pytest.raises(ValueError, match=words) as raised:
        questions.find("01.a")
    assert "\n" not in str(raised.value) and str(raised.value).endswith(".")


def test_an_unknown_name_gets_one_sentence(write):
    write(GOOD)
    with pytest.raises(ValueError, match=r"no question 01\.c: lesson 01 asks 01\.a, 01\.b\.$"):
        questions.find("01.c")
    with pytest.raises(ValueError, match=r"no question 02\.a: that lesson asks none\.$"):
        questions.find("02.a")
    with pytest.raises(ValueError, match=r"the name of a question like \"01\.a\", got '1\.a'"):
        questions.find("1.a")


def test_the_example_for_authors_is_read(write):
    (example,) = re.findall(r"```\n(.*?)```", (FILES[0].parent / "README.md").read_text(), re.S)
    write(example)
    assert [len(q.options) for q in questions.of_lesson("01").values()] == [2]


# ---- the notebooks ------------------------------------------------------------------------------


def cells_of(path):
    return [(cell, "".join(cell["source"])) for cell in json.loads(path.read_text())["cells"]]


def code_of(path):
    """The code of a lesson's cells, as (id, text) in their order."""
    return [(cell["id"], text) for cell, text in cells_of(path) if cell["cell_type"] == "code"]


def parsed(text):
    """The tree of a cell's code, without Jupyter's own lines."""
    return ast.parse(re.sub(r"^(\s*)[%!].*$", r"\1pass", text, flags=re.M))


def called(text, function):
    """The first argument of each call of this function in the code of a cell."""
    calls = [node for node in ast.walk(parsed(text)) if isinstance(node, ast.Call)]
    return [n.args[0].value for n in calls if getattr(n.func, "id", "") == function]


@lessons
def test_each_question_is_asked_once_and_revealed_once_below(path):
    asked, revealed = {}, {}
    for place, (_, text) in enumerate(code_of(path)):
        for function, found in (("ask", asked), ("reveal", revealed)):
            for name in called(text, function):
                assert name not in found, f"{path.name}: a second {function}({name!r})"
                found[name] = place
    assert sorted(asked) == sorted(revealed) == sorted(ALL.get(path.name[:2], {}))
    assert len(asked) >= 3 or path.name.startswith("00")
    early = [name for name in asked if revealed[name] <= asked[name]]
    assert not early, f"{path.name} reveals {early} before it asks"


@lessons
def test_a_cell_that_asks_does_nothing_else(path):
    """Then nothing in it can hint at the answer, and it is short enough to stay in sight."""
    for cell, text in code_of(path):
        if names := called(text, "ask"):
            assert text == f'ask("{names[0]}")', cell


def letters(text):
    """What is left of a text in any quotes, on any lines."""
    return re.sub(r"[\W_]+", "", text).lower()


def before_judged(name):
    """Letters of all that a notebook holds up to the cell that reveals the question `name`."""
    (path,) = (path for path in NOTEBOOKS if path.name.startswith(name[:2]))
    cells = [text for _, text in cells_of(path)]
    code = {text for _, text in code_of(path)}
    (end,) = (i for i, text in enumerate(cells) if text in code and name in called(text, "reveal"))
    return letters(" ".join(cells[: end + 1]))


@pytest.mark.parametrize("name", [name for lesson in ALL.values() for name in lesson])
def test_no_notebook_gives_an_explanation_away(name):
    """Whatever shows a notebook, folded or not, shows no answer before it is judged."""
    before = before_judged(name)
    for key, option in questions.find(name).options.items():
        for sentence in re.split(r"(?<=[.?!])\s+", option.why):
            # Short ones may be common ground: "Each disc alone is right in any colour."
            given_away = len(sentence.split()) > 8 and letters(sentence) in before
            assert not given_away, (
                f"what stands above {name}'s reveal tells why {key!r}: {sentence}"
            )
        assert not any(letters(option.why) in letters(p.read_text("utf-8")) for p in NOTEBOOKS)


@lessons
def test_a_truth_is_the_key_of_an_option(path):
    """In `reveal` and the lines above it: no words of an option, which another language changes."""
    for cell, text in code_of(path):
        for name in called(text, "reveal"):
            words = {o.words: key for key, o in questions.find(name).options.items()}
            strings = {n.value for n in ast.walk(ast.parse(text)) if isinstance(n, ast.Constant)}
            for string in strings & words.keys():
                assert string in words.values(), f"{path.name}, {cell}: {string!r} is no key"


def made_in(tree):
    """The names that a piece of code makes: what it assigns, defines and imports."""
    nodes = list(ast.walk(tree))
    names = {n.id for n in nodes if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
    names |= {n.name for n in nodes if isinstance(n, (ast.FunctionDef, ast.ClassDef))}
    imports = [n for n in nodes if isinstance(n, (ast.Import, ast.ImportFrom))]
    return names | {a.asname or a.name.split(".")[0] for n in imports for a in n.names}


def decides(text, name):
    """The names from other cells that the truth in `reveal(name, truth, ...)` is made of."""
    tree = parsed(text)
    calls = [n for n in ast.walk(tree) if isinstance(n, ast.Call)]
    calls = [n for n in calls if getattr(n.func, "id", "") == "reveal"]
    (truth,) = [n.args[1] for n in calls if n.args[0].value == name]
    found, left = set(), [truth]
    while left:
        for node in ast.walk(left.pop()):
            if isinstance(node, ast.Name) and node.id not in found:
                found.add(node.id)
                left += [line for line in tree.body if node.id in made_in(line)]
    return found - made_in(tree)


@lessons
def test_an_answer_is_measured_and_below_its_question(path):
    """No key of the right answer stands in the code, and nothing above a question computes it."""
    code = code_of(path)
    place = {n: i for i, (_, text) in enumerate(code) for n in called(text, "ask")}
    for end, (cell, text) in enumerate(code):
        for name in called(text, "reveal"):
            between = [made_in(parsed(made)) for _, made in code[place[name] + 1 : end]]
            assert decides(text, name) & set().union(*between), (
                f"{path.name}, {cell}: what decides {name} is made of nothing that is computed "
                "between the question and here"
            )


# What a plot shows, and not what comes out: "largest at the ends" would answer a question.
OUTCOME = re.compile(
    r"\b(larg|small|high|low|grow|ris|fall|stay)(e?st|er|e?s|ing)?\b"
    r"|\b(above|below|far|near|more|less|most|least|never|always|everywhere|hardly)\b",
    re.I,
)


@lessons
def test_no_description_of_a_plot_tells_what_comes_out(path):
    """Code is read before it runs, and where nothing is folded all of it is in sight."""
    code = code_of(path)
    place = {n: i for i, (_, text) in enumerate(code) for n in called(text, "ask")}
    ends = [(place[n], i) for i, (_, text) in enumerate(code) for n in called(text, "reveal")]
    for i, (cell, text) in enumerate(code):
        if not any(start < i <= end for start, end in ends):
            continue
        for node in ast.walk(parsed(text)):
            plot = getattr(getattr(node, "func", None), "id", "")
            if plot in ("show_curves", "show_bars", "show_heat_map", "show_points"):
                (alt,) = [word.value for word in node.keywords if word.arg == "alt"]
                fixed = [p.value for p in ast.walk(alt) if isinstance(p, ast.Constant)]
                said = OUTCOME.search(" ".join(map(str, fixed)))
                assert not said, f"{path.name}, {cell}: compute it, or leave it out: {said[0]!r}"


def test_the_questions_differ():
    texts = Counter(q.text for lesson in ALL.values() for q in lesson.values())
    assert texts and max(texts.values()) == 1


# ---- folded code --------------------------------------------------------------------------------


@lessons
def test_code_that_is_folded_in_jupyterlab_is_folded_in_colab(path):
    """VS Code reads neither: there all code is in sight, which is why no code holds an answer."""
    for cell, _ in cells_of(path):
        folded = cell["metadata"].get("jupyter", {}).get("source_hidden", False)
        assert (cell["metadata"].get("cellView") == "form") == folded, (
            f'{path.name}, cell {cell["id"]}: fold it for both, with "cellView": "form" and '
            '"jupyter": {"source_hidden": true} in its metadata, or for none'
        )
