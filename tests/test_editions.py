"""The instructor's edition and the hand-out differ from the lesson only where they should."""

import ast
import json
import subprocess
import sys

import nbformat
import pytest
from test_commands import run as run_here

from diffusion_helpers import progress
from diffusion_helpers.authoring import editions
from diffusion_helpers.authoring.notes import stage_notes
from diffusion_helpers.exercises import exercise, find

LESSONS = sorted(editions.NOTEBOOKS.glob("[0-9][0-9]_*.ipynb"))
lessons = pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)


def read(path):
    return json.loads(path.read_text("utf-8"))


def text(cell):
    return "".join(cell["source"])


def is_note(cell):
    return cell["metadata"] == {
        "slideshow": {"slide_type": "notes"},
        "jupyterlab-slideshow": {"layer": "none"},  # else the slides cannot leave it
    }


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A folder with both editions of all lessons."""
    folder = tmp_path_factory.mktemp("editions")
    for edition in editions.EDITIONS:
        editions.write(edition, folder / edition)
    return folder


@lessons
@pytest.mark.parametrize("edition", editions.EDITIONS)
def test_they_are_valid_and_clean_notebooks(edition, path, made):
    notebook = read(made / edition / path.name)
    nbformat.validate(nbformat.from_dict(notebook))
    ids = [cell["id"] for cell in notebook["cells"]]
    assert len(set(ids)) == len(ids)
    assert not any(cell.get("outputs") or cell.get("execution_count") for cell in notebook["cells"])
    assert notebook["metadata"] == read(path)["metadata"]


@lessons
def test_the_instructors_edition_differs_only_where_it_should(path, made):
    before = {cell["id"]: cell for cell in read(path)["cells"]}
    after = {cell["id"]: cell for cell in read(made / "instructor" / path.name)["cells"]}
    names = [name for name, *_ in editions.stubs(before.values())]
    helps = [f"instructor-{name.replace('.', '-')}" for name in names]
    notes = [f"notes-{note.below}" for note in stage_notes(path.name[:2])]
    new = ["open-notes", *helps, *notes]
    assert [cell for cell in after if cell not in new] == list(before)
    assert list(after)[1] == "open-notes" and f'open_notes("{path.name[:2]}")' in text(
        after["open-notes"]
    )
    assert [cell for cell in after if cell in helps] == helps
    assert [cell for cell in after if cell in notes] == notes
    assert all(is_note(after[cell]) for cell in new)
    for cell_id, cell in before.items():
        if "@exercise" in text(cell) and cell["cell_type"] == "code":
            assert without_answers(text(after[cell_id])) == without_answers(text(cell))
        else:
            assert after[cell_id] == cell
    for note in stage_notes(path.name[:2]):
        said = text(after[f"notes-{note.below}"])
        assert all(part in said for part in (note.title, note.words, f"{note.minutes} minute"))


def without_answers(code):
    """The code with the bodies of its exercises cut out."""
    tree = ast.parse(code)
    for node in tree.body:
        if isinstance(node, ast.FunctionDef) and "exercise" in ast.unparse(node.decorator_list[:1]):
            node.body = [ast.Pass()]
    return ast.unparse(tree)


@lessons
def test_the_instructor_reads_hints_and_mistakes_off_the_slides(path, made):
    cells = {cell["id"]: cell for cell in read(made / "instructor" / path.name)["cells"]}
    for name, *_ in editions.stubs(read(path)["cells"]):
        cell, one = cells[f"instructor-{name.replace('.', '-')}"], find(name)
        for words in (*one.hints, *one.wrong, *map(one.judge, one.wrong.values())):
            assert words in text(cell)


@lessons
def test_the_solutions_are_right_with_what_the_lesson_imports(path, made, capsys):
    cells = read(made / "instructor" / path.name)["cells"]
    for name, above, node in editions.stubs(cells):
        space = editions.imported(above)
        exec(ast.unparse(node), space)
        assert capsys.readouterr().out == f"Exercise {name}: right.\n"
        assert space[node.name] is not find(name).solution  # the cell's own function


@lessons
def test_the_hand_out_differs_only_where_it_should(path, made):
    before = read(path)["cells"]
    after = {cell["id"]: cell for cell in read(made / "handout" / path.name)["cells"]}
    for cell in before:
        if "olution" in text(cell) and "<details" in text(cell):
            assert text(after.get(cell["id"], {"source": ""})) in text(cell)
        else:
            assert after.pop(cell["id"]) == cell
    assert "olutions</summary>" not in json.dumps(list(after.values()))


@lessons
def test_for_nbgrader_the_hand_out_has_one_point_below_each_exercise(path, made):
    plain = read(made / "handout" / path.name)["cells"]
    cells = read(made / "nbgrader" / path.name)["cells"]
    points = [cell for cell in cells if "nbgrader" in cell["metadata"]]
    assert [cell for cell in cells if cell not in points] == plain
    names = [name for name, *_ in editions.stubs(plain)]
    assert [cell["metadata"]["nbgrader"]["grade_id"] for cell in points] == [
        f"point-{name.replace('.', '-')}" for name in names
    ]
    for point in points:
        above = [cell for cell in cells[: cells.index(point)] if cell not in points]
        assert "@exercise" in text(above[-1])


def test_the_point_for_nbgrader_is_given_for_a_right_answer_only(capsys):
    stub = '@exercise("01.2")\ndef half_noise(alpha_bar):\n    return ...'
    cell = {"cell_type": "code", "id": "c", "metadata": {}, "source": [stub]}
    _, point = editions.nbgrader(notebook(cell), "01")["cells"]
    answers = {"...": 0, "0": 0, "(alpha_bar - 0.5).abs().argmin().item()": 1}
    for answer, worth in answers.items():
        space = {"__name__": "__main__", "exercise": exercise}
        exec(stub.replace("...", answer), space)
        assert eval(text(point), space) == worth


def notebook(*cells):
    metadata = {"widgets": {}, "kernelspec": {"name": "python3"}}
    return {"cells": list(cells), "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}


def markdown(source, **metadata):
    return {"cell_type": "markdown", "id": "m", "metadata": metadata, "source": [source]}


def test_the_hand_out_takes_outputs_and_solutions_out():
    fold = "<details>\n<summary>Solutions, and more</summary>\n\nx\n\n</details>"
    run = {
        "cell_type": "code",
        "id": "c",
        "metadata": {"execution": {}},
        "source": ["1"],
        "outputs": [{}],
        "execution_count": 3,
    }
    deeper = "Words.\n\n<details><summary>Deeper: a proof</summary>\n\ny\n\n</details>"
    given = notebook(markdown(fold), markdown(f"{deeper}\n\n{fold}"), run)
    made = editions.handout(given, "01")
    assert [text(cell) for cell in made["cells"]] == [deeper, "1"]
    assert made["cells"][1]["outputs"] == [] and made["cells"][1]["execution_count"] is None
    assert made["cells"][1]["metadata"] == {} and "widgets" not in made["metadata"]
    assert given["cells"][2]["outputs"] == [{}]  # the lesson itself is untouched


def test_all_stubs_of_one_cell_are_solved_and_the_rest_stays():
    one, two = find("01.2").solution, find("01.5").solution
    code = (
        "%matplotlib inline\nimport torch\n\n\n@exercise('01.2')\n"
        f"def {one.__name__}(alpha_bar): ...  # your line\n\n\n# between\n"
        f"@exercise('01.5')\ndef {two.__name__}():\n    # think\n    return ...\n\n\nprint('ü')"
    )
    cell = {"cell_type": "code", "id": "c", "metadata": {}, "source": code.splitlines(True)}
    made = editions.instructor(notebook(cell), "01")["cells"]
    assert text(made[0]) == (
        "%matplotlib inline\nimport torch\n\n\n@exercise('01.2')\n"
        f"{find('01.2').source}\n\n\n# between\n@exercise('01.5')\n{find('01.5').source}"
        "\n\n\nprint('ü')"
    )
    assert [cell["id"] for cell in made] == [
        *("c", "open-notes", "instructor-01-2", "instructor-01-5")
    ]


def test_the_same_lessons_give_the_same_bytes(made, tmp_path):
    for edition in editions.EDITIONS:
        for path in editions.write(edition, tmp_path / edition):
            assert path.read_bytes() == (made / edition / path.name).read_bytes()
            assert path.read_bytes().endswith(b"}\n")


def run(*arguments):
    command = [sys.executable, "-m", "diffusion_helpers.authoring.editions", *map(str, arguments)]
    return subprocess.run(command, cwd=editions.NOTEBOOKS.parent, capture_output=True, text=True)


def test_the_command_says_what_it_made(tmp_path):
    result = run("handout", tmp_path / "new" / "folder")
    assert result.returncode == 0 and f"{len(LESSONS)} lessons" in result.stdout
    assert len(list((tmp_path / "new" / "folder").iterdir())) == len(LESSONS)


@pytest.mark.filterwarnings("ignore:.*found in sys.modules")  # it is run once more
@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("teacher", "x"), "no edition 'teacher': choose instructor, handout, nbgrader"),
        (("handout", "notebooks"), "holds the lessons themselves"),
        (("handout", "README.md"), "README.md cannot be written"),
    ],
)
def test_a_wrong_argument_gets_one_sentence(arguments, words, monkeypatch):
    monkeypatch.chdir(editions.NOTEBOOKS.parent)
    with pytest.raises(SystemExit) as stopped:  # Python writes it to stderr and exits with 1
        run_here("authoring.editions", arguments, monkeypatch)
    assert words in stopped.value.code and "\n" not in stopped.value.code


def test_without_lessons_it_says_so(tmp_path):
    with pytest.raises(ValueError, match="There are no lessons in"):
        editions.write("handout", tmp_path / "out", notebooks=tmp_path)


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    """Right answers are noted here, not in the repository."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(progress, "_unsaved", {})
