"""Every exercise: the stub is to do, our solution right, each typical mistake gets its sentence."""

import ast
import copy
import inspect
import json
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import FunctionType

import nbformat
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from bs4 import BeautifulSoup
from nbclient import NotebookClient
from page_objects import check_accessible

from diffusion_helpers import Block, Prediction, cosine_schedule, exercises, progress
from diffusion_helpers.authoring import editions
from diffusion_helpers.exercises import Exercise, exercise, find, hint
from diffusion_helpers.noising import Schedule
from diffusion_helpers.text import Text

ALL = [e for number in exercises.lessons() for e in exercises.of_lesson(number)]
NOTEBOOKS = sorted((Path(__file__).parent.parent / "notebooks").glob("[0-9]*.ipynb"))
every = pytest.mark.parametrize("one", ALL, ids=lambda one: one.name)


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    """No test touches the progress of whoever runs it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(progress, "_unsaved", {})


def said(function, name, capsys):
    """(what `@exercise` hands on, the one line that it prints above what it draws)."""
    result = exercise(name)(function)
    line, *drawn = capsys.readouterr().out.splitlines()
    if re.search(": (right|to do)[.]", line):
        assert not drawn
    return result, line


# ---- each exercise ------------------------------------------------------------------------------


@every
def test_nothing_is_to_do(one, capsys):
    for stub in (lambda *_: None, lambda *_: ...):
        result, line = said(stub, one.name, capsys)
        assert result is one.solution
        assert line.startswith(f"Exercise {one.name}: to do. ") and f'hint("{one.name}")' in line
    assert not Path(progress.FILE).exists()


@every
def test_the_solution_is_right(one, capsys):
    result, line = said(one.solution, one.name, capsys)
    assert inspect.unwrap(result) is one.solution and line == f"Exercise {one.name}: right."
    assert progress.state(one.name)["right"]


@every
def test_each_mistake_has_a_sentence_of_its_own(one, capsys, monkeypatch):
    one = replace(one, views=())  # they are drawn below
    monkeypatch.setattr(exercises, "find", lambda _: one)
    lines = {what: said(wrong, one.name, capsys)[1] for what, wrong in one.wrong.items()}
    assert len(lines) >= 2 and len(set(lines.values())) == len(lines), lines
    for what, line in lines.items():
        assert line.startswith(f"Exercise {one.name}: not yet. "), f"{what}: {line}"
        assert re.search(r"[.?] Stuck\? .* The lesson goes on with our solution\.$", line), line
        assert f'`hint("{one.name}")`' in line
        for generic in ("stopped with", "cannot be used", "Expected the result"):
            assert generic not in line, f"{what}: {line}"
    assert not progress.state(one.name)["right"]


STRANGE = {
    "a word": "sixteen",
    "a number": 42.5,
    "a negative number": -1,
    "nothing but NaN": float("nan"),
    "a short row": torch.zeros(2),
    "a picture of NaN": torch.full((4, 3, 8, 8), float("nan")),
    "a list": [1, 2],
    "a dict": {},
    "an object": object(),
    "a function": len,
    "a class": int,
}


@every
@pytest.mark.parametrize("result", STRANGE.values(), ids=STRANGE)
def test_a_strange_result_gets_a_sentence(one, result, capsys, monkeypatch):
    monkeypatch.setattr(exercises, "show_beside", lambda *_: None)
    _, line = said(lambda *_: result, one.name, capsys)
    assert line.startswith(f"Exercise {one.name}: not yet. "), line


@every
def test_an_exception_gets_a_sentence(one, capsys):
    def careless(*_):
        return undefined_name  # noqa: F821

    result, line = said(careless, one.name, capsys)
    assert result is one.solution and "not yet. Your function stopped with NameError" in line
    assert "return undefined_name" in line

    _, line = said(lambda a, b, c, d, e, f, g, h: a, one.name, capsys)
    assert "not yet. " in line and "TypeError" in line  # the wrong number of parameters


@every
def test_it_leaves_the_dice_of_the_lesson_alone(one):
    torch.manual_seed(3)
    wanted = torch.rand(1)
    torch.manual_seed(3)
    one.judge(one.solution)
    assert torch.rand(1) == wanted


@every
def test_it_helps_twice_and_shows_the_solution(one, capsys):
    shown = []
    for number in (1, 2, 3):
        hint(one.name, number)
        shown.append(capsys.readouterr().out)
        assert progress.state(one.name) == {"right": False, "hints": number}
    assert one.hints[0] in shown[0] and one.hints[1] in shown[1] and one.source in shown[2]
    assert len(one.hints) == 2 and one.hints[0] != one.hints[1]
    assert one.source not in shown[0] + shown[1]
    for number, said in enumerate(shown[:2], start=2):
        assert said.endswith(f': `hint("{one.name}", {number})`.\n')  # how to go on


def test_a_hint_that_runs_again_says_the_same_and_spends_no_other(capsys):
    hint("01.1", 2)
    capsys.readouterr()
    for _ in range(3):
        hint("01.1")
    assert len(set(capsys.readouterr().out.splitlines())) == 1
    assert progress.state("01.1")["hints"] == 2


@pytest.mark.parametrize("number", [0, 4, -1, "2", None, 1.5])
def test_an_unknown_hint_gets_one_sentence(number, capsys):
    hint("01.1", number)
    said = f"There is no hint {number!r} to 01.1: 1 to 2, or 3 for our solution.\n"
    assert capsys.readouterr().out == said
    assert not Path(progress.FILE).exists()


# ---- right answers in other styles --------------------------------------------------------------


def spoil(x):
    """Overwrite the tensors in x and empty its lists; an answer that spoils a network is wrong."""
    if torch.is_tensor(x):
        with torch.no_grad():
            x.fill_(float("nan") if x.is_floating_point() else 0)
    elif isinstance(x, (tuple, list)):
        for one in x:
            spoil(one)
        if isinstance(x, list):
            x.clear()
    elif isinstance(x, (Schedule, Text)):
        spoil(tuple(vars(x).values()))


def spoils_what_it_gets(solution):
    def look_on(function):  # what is given to a network's look, or comes from it, is overwritten
        def looked(x, *rest):
            mine = x.clone()
            seen = function(mine, *rest)
            kept = seen.clone() if torch.is_tensor(seen) else tuple(one.clone() for one in seen)
            spoil((mine, seen))
            return kept

        return looked

    def own(*args):
        looks = [look_on(a) if isinstance(a, FunctionType) else a for a in args]
        result = solution(*looks)
        result = result.clone() if torch.is_tensor(result) else copy.deepcopy(result)
        learns = any(isinstance(a, torch.nn.Module) for a in args) and torch.is_grad_enabled()
        if not learns:  # the gradients of a network need what it saw
            spoil(args)
        return result

    return own


def spoils_its_earlier_results(solution):
    earlier = []

    def own(*args):
        spoil(earlier)
        earlier.append(solution(*args))
        return earlier[-1]

    return own


def changes_the_settings(solution):
    def own(*args):
        result = solution(*args)
        torch.manual_seed(1)
        torch.set_grad_enabled(False)
        torch.set_default_dtype(torch.float64)
        torch.set_default_device("meta")
        return result

    return own


def asks_for_gradients(solution):
    def own(*args):
        for one in args:
            if torch.is_tensor(one) and one.is_floating_point():
                one.requires_grad_()
        result = solution(*args)
        if torch.is_tensor(result) and result.is_floating_point():
            return result * torch.ones((), requires_grad=True)
        return result

    return own


def gives_numpy_numbers(solution):
    def own(*args):
        result = solution(*args)
        if torch.is_tensor(result) and result.ndim == 0 and not result.requires_grad:
            result = result.item()
        return np.float64(result) if isinstance(result, (int, float)) else result

    return own


STYLES = (
    spoils_what_it_gets,
    spoils_its_earlier_results,
    changes_the_settings,
    asks_for_gradients,
    gives_numpy_numbers,
)


def settings():
    return torch.get_default_dtype(), torch.get_default_device(), torch.is_grad_enabled()


@pytest.fixture
def settings_kept():
    before = settings()
    yield
    torch.set_default_dtype(before[0])
    torch.set_default_device(None)
    torch.set_grad_enabled(before[2])


@every
@pytest.mark.parametrize("style", STYLES, ids=lambda style: style.__name__)
def test_a_right_answer_is_right_in_any_style(one, style, settings_kept):
    before = settings()
    assert one.judge(style(one.solution)) == ""
    assert settings() == before
    assert one.judge(one.solution) == ""  # nothing of it is left


@every
def test_the_settings_of_the_lesson_do_not_matter(one, settings_kept):
    torch.set_default_dtype(torch.float64)
    torch.set_default_device("meta")
    torch.set_grad_enabled(False)
    before = settings()
    assert one.judge(one.solution) == ""
    assert settings() == before


def add_noise_in_place(x_0, t, eps, alpha_bar):
    a = alpha_bar[t][:, None, None, None]
    x_0 *= a.sqrt()
    x_0 += (1 - a).sqrt() * eps
    return x_0


def residual_in_place(block, x):
    change = block.conv1(F.silu(block.norm1(x)))
    change = block.conv2(F.silu(block.norm2(change), inplace=True))
    change += block.shortcut(x)
    return change


def ddim_step_in_place(clean, noise, a_s):
    return clean.mul_(a_s.sqrt()).add_(noise.mul_((1 - a_s).sqrt_()))


def from_half_in_place(picture, eps, ts, predict, alpha_bar):
    noise_rate, signal_rate = (1 - alpha_bar).sqrt_(), alpha_bar.sqrt_()
    x = picture.mul_(signal_rate[ts[0]]).add_(eps.mul_(noise_rate[ts[0]]))
    while ts:
        clean, noise = predict(x, ts.pop(0))
        if ts:
            x.copy_(clean).mul_(signal_rate[ts[0]]).add_(noise.mul_(noise_rate[ts[0]]))
    return clean


def look_ahead_in_place(clean, before):
    return clean.mul_(1.5).sub_(before.mul_(0.5))


def between_in_place(a, b, share):
    a.vectors.mul_(1 - share).add_(b.vectors.mul_(share))
    a.mask.logical_or_(b.mask)
    return replace(a)


IN_PLACE = {
    "01.1": add_noise_in_place,
    "02.2": residual_in_place,
    "04.2": ddim_step_in_place,
    "04.4": from_half_in_place,
    "04.6": look_ahead_in_place,
    "07.8": between_in_place,
}


@pytest.mark.parametrize("name", IN_PLACE)
def test_a_right_answer_may_work_in_place(name):
    assert find(name).judge(IN_PLACE[name]) == ""
    assert find(name).judge(find(name).solution) == ""


def test_what_is_handed_on_leaves_the_pictures_of_the_lesson_alone(capsys):
    """It has to: the cells below show the same statues again and again."""
    add_noise, line = said(add_noise_in_place, "01.1", capsys)
    assert line.endswith("right.")
    statues, eps, t = torch.rand(2, 3, 4, 4), torch.randn(2, 3, 4, 4), torch.tensor([9, 500])
    alpha_bar = cosine_schedule().alpha_bar.float()
    before = [x.clone() for x in (statues, eps, t, alpha_bar)]
    first = add_noise(statues, t, eps=eps, alpha_bar=alpha_bar)
    assert torch.equal(first, add_noise(statues, t, eps, alpha_bar))
    assert all(map(torch.equal, (statues, eps, t, alpha_bar), before))


def test_what_is_handed_on_gets_copies_of_all_but_networks(small, capsys):
    got = []

    def own(x, *more, **named):
        got.append((*more, named))
        return x + x

    own, _ = said(own, "99.1", capsys)
    row, network = torch.zeros(2), Block(16, 16)
    text = Text(torch.zeros(1, 2, 128), torch.ones(1, 2, dtype=torch.bool), torch.zeros(1))
    given = ([row, 1], (row, "a"), Prediction(row, row, row), {"a": row}, text, cosine_schedule())
    own(3, *given, network, x_t=row)
    (*copies, same, named) = got[-1]
    assert same is network and [type(c) for c in copies] == [type(g) for g in given]
    copies = [*copies[0], *copies[1], *copies[2], copies[3]["a"], *vars(copies[4]).values()]
    spoil([*copies, got[-1][5], named["x_t"]])
    assert not row.any() and not text.vectors.any() and text.mask.all()
    assert torch.equal(given[5].alpha_bar, cosine_schedule().alpha_bar)
    assert torch.equal(given[5].rates(9, row)[0], cosine_schedule().rates(9, row)[0])


def test_gradients_pass_through_what_is_handed_on(capsys):
    residual, _ = said(find("02.2").solution, "02.2", capsys)
    block, x = Block(16, 16), torch.randn(1, 16, 4, 4, requires_grad=True)
    residual(block, x).square().sum().backward()
    assert block.conv2.weight.grad.any() and x.grad.any()


def test_it_leaves_the_dice_of_a_graphics_card_alone(monkeypatch):
    """`torch.manual_seed` throws them anew as well, and nothing would bring them back."""
    monkeypatch.setattr(torch.cuda, "manual_seed_all", lambda seed: 1 / 0)
    for one in ALL:
        assert one.judge(one.solution) == ""


# ---- the machinery ------------------------------------------------------------------------------


def test_there_are_exercises_and_each_has_a_name_of_its_own():
    names = [one.name for one in ALL]
    assert len(names) == len(set(names)) >= 4
    for number in exercises.lessons():
        own = [e.name for e in exercises.of_lesson(number)]
        assert own == [f"{number}.{i}" for i in range(1, len(own) + 1)]


def double(x):
    return 2 * x


@pytest.fixture
def small(monkeypatch):
    """An exercise of which each line is known here."""

    def check(function):
        return None if function(3) == 6 else "Not six."

    made = Exercise("99.1", "double", check, double, ("a", "b"), {})
    monkeypatch.setattr(exercises, "find", lambda _: made)
    return made


def test_a_right_answer_is_handed_on(small, capsys):
    def own(x):
        """Mine."""
        return x + x

    result, line = said(own, "99.1", capsys)
    assert line == "Exercise 99.1: right." and result(4) == 8 and inspect.unwrap(result) is own
    assert (result.__name__, result.__doc__, result.__module__) == ("own", "Mine.", own.__module__)


def test_a_wrong_answer_is_replaced(small, capsys):
    result, line = said(lambda x: x, "99.1", capsys)
    assert result is double
    line, _, end = line.partition(" Stuck? ")
    assert line == "Exercise 99.1: not yet. Not six."
    assert end == '`hint("99.1")`. The lesson goes on with our solution.'


def test_a_stub_may_raise(small, capsys):
    def stub(x):
        raise NotImplementedError

    assert "to do" in said(stub, "99.1", capsys)[1]


def test_the_line_that_failed_is_named(small, capsys):
    def own(x):
        x = x + 1
        return x / 0  # a comment

    line = said(own, "99.1", capsys)[1]
    number = own.__code__.co_firstlineno + 2
    assert (
        f"ZeroDivisionError: division by zero, in line {number} of the cell: `return x / 0`. St"
        in line
    )


def test_an_error_in_other_code_that_the_function_calls_names_the_functions_line(small, capsys):
    line = said(lambda x: json.loads("{"), "99.1", capsys)[1]
    assert "stopped with JSONDecodeError" in line and 'json.loads("{")' in line


def test_control_c_still_stops(small):
    def endless(x):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        exercise("99.1")(endless)


@pytest.mark.parametrize("name", ["01.99", "77.1", "", "nonsense", "lesson_01", 1.1, None])
def test_an_unknown_name_gets_one_sentence(name, capsys):
    with pytest.raises(ValueError, match="There is no exercise"):
        exercise(name)
    hint(name)
    assert len(capsys.readouterr().out.splitlines()) == 1


def test_the_package_stays_fast_to_import():
    code = (
        "import sys, diffusion_helpers as d; import diffusion_helpers.exercises; "
        "sys.exit(any('lesson_' in m for m in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize(
    ("got", "words"),
    [
        (3, r"tensor of shape \(2,\), got int"),
        (len, "got a function"),
        (torch.zeros(3), r"of shape \(2,\), got \(3,\)"),
        (torch.tensor([1.0, float("nan")]), "50% of the result is NaN"),
    ],
)
def test_helpers_of_checks_say_what_is_wrong(got, words):
    assert re.search(words, exercises.no_tensor(got, (2,)))
    assert exercises.no_tensor(torch.zeros(2), (2,)) is None


@pytest.mark.parametrize(
    ("own", "verdict"),
    [(lambda x: 2 * x, "right"), (lambda x: x, "wrong"), (lambda x: None, "open")],
)
def test_what_it_says_has_the_colour_of_its_verdict(own, verdict, small, monkeypatch):
    shown = []
    monkeypatch.setattr(exercises, "display", shown.append)
    exercise("99.1")(own)
    box = BeautifulSoup(shown[0].page, "html.parser").div
    assert box["data-verdict"] == verdict and exercises.COLOURS[verdict][0] in box["style"]
    assert box.get_text() == repr(shown[0]).replace("`", "")


def test_what_it_says_is_accessible_and_never_too_wide(visit, tmp_path, monkeypatch):
    shown = []
    monkeypatch.setattr(exercises, "display", lambda fragment: shown.append(fragment.page))

    def wordy(*_):
        raise ValueError("x" * 90)

    for function in (find("01.1").solution, lambda *_: None, wordy):
        exercise("01.1")(function)
    file = tmp_path / "said.html"
    file.write_text(
        f'<!doctype html><html lang="en"><title>S</title><main>{"".join(shown)}</main></html>'
    )
    with visit() as tab:
        tab.page.set_viewport_size({"width": 400, "height": 600})
        tab.page.goto(file.as_uri())
        check_accessible(tab.page, "main")
        assert tab.page.evaluate("document.documentElement.scrollWidth") <= 400


def test_what_it_says_is_never_taken_for_html(small, monkeypatch):
    def own(x):
        raise ValueError("<img src=x onerror=alert(1)>")

    shown = []
    monkeypatch.setattr(exercises, "display", shown.append)
    exercise("99.1")(own)
    assert "<img" in repr(shown[0]) and "<img" not in shown[0].page


# ---- in the notebooks ---------------------------------------------------------------------------

USED = [  # (exercise, notebook, the cells above, the stub's node)
    (name, path, above, node)
    for path in NOTEBOOKS
    for name, above, node in editions.stubs(json.loads(path.read_text("utf-8"))["cells"])
]


def test_each_exercise_is_used_in_one_place_of_its_lesson():
    used = [name for name, *_ in USED]
    assert sorted(used) == sorted(one.name for one in ALL)
    for name, path, *_ in USED:
        assert path.name.startswith(name.partition(".")[0]), f"{name} stands in {path.name}"


@pytest.mark.parametrize("name, path, above, stub", USED, ids=lambda part: str(part)[:5])
def test_the_stub_in_the_notebook_is_to_do_and_looks_like_the_solution(
    name, path, above, stub, capsys
):
    solution = find(name).solution
    space = editions.imported(above)
    exec(ast.unparse(stub), space)
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith(f"Exercise {name}: to do")
    assert space[stub.name] is solution and solution.__name__ == stub.name
    parameters = [argument.arg for argument in stub.args.args]
    assert list(inspect.signature(solution).parameters) == parameters


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_no_cell_needs_what_only_an_optional_one_defines(path):
    """Whoever leaves the parts marked Deeper out must not meet a NameError later."""
    known, optional = set(), {}
    for cell in nbformat.read(path, as_version=4).cells:
        if cell.cell_type != "code":
            continue
        nodes = list(ast.walk(ast.parse(cell.source)))
        names = [n for n in nodes if isinstance(n, ast.Name)]
        parameters = {n.arg for n in nodes if isinstance(n, ast.arg)}
        defined = {n.id for n in names if isinstance(n.ctx, ast.Store)}
        defined |= {n.name for n in nodes if isinstance(n, (ast.FunctionDef, ast.ClassDef))}
        if cell.source.startswith("# Deeper"):
            optional |= dict.fromkeys(defined, cell.id)
            continue
        known |= defined
        for name in {n.id for n in names} - known - parameters:
            assert name not in optional, f"{cell.id} needs {name}, from {optional[name]} only"


IN_PLACE_LINES = {
    "over the picture": "x_0 *= a.sqrt(); x_0 += (1 - a).sqrt() * eps; return x_0",
    "over the dust": "eps *= (1 - a).sqrt(); eps += a.sqrt() * x_0; return eps",
}


@pytest.mark.slow
@pytest.mark.parametrize("line", IN_PLACE_LINES.values(), ids=IN_PLACE_LINES)
def test_lesson_01_goes_on_with_an_answer_that_works_in_place(line, tmp_path):
    """Every cell below calls it: with pictures that it must not change, and that have to fit."""
    lesson = nbformat.read(NOTEBOOKS[1], as_version=4)
    (cell,) = (cell for cell in lesson.cells if cell.source.count('@exercise("01.1")'))
    cell.source = re.sub(r"return \.\.\..*", line, cell.source)
    NotebookClient(lesson, resources={"metadata": {"path": str(tmp_path)}}).execute()
    assert "Exercise 01.1: right." in str(cell.outputs)


# ---- enough of each -----------------------------------------------------------------------------


@pytest.mark.parametrize("number", [path.name[:2] for path in NOTEBOOKS[1:]])
def test_each_lesson_has_enough_to_do(number):
    (path,) = NOTEBOOKS[0].parent.glob(f"{number}_*.ipynb")
    text = "\n".join(c.source for c in nbformat.read(path, as_version=4).cells)
    assert len(exercises.of_lesson(number)) >= (2 if number == "08" else 4)
    assert f'card("{number}")' in text
    assert ("broken_model(" in text) == ("03" <= number <= "07" or number == "10")
