"""How many lines only check an input? In the modules that the lessons teach.

    python benchmarks/checks.py              (a second)
    python benchmarks/checks.py FOLDER       the package of another checkout, to compare

A code line holds code: no blank line, no comment, no docstring. A check is a line of

- an `if` that does nothing but raise or call a check, its condition and its `else` included;
- a call, an assignment or a `return` through which a value passes a `check_*` or `as_*` function of
  checks.py, or a `check_*` or `_check*` of its own module;
- a function whose name starts with `check_` or `_check`, from its `def` to its last line;
- the decorator `explain_errors_with`, and imports of such functions.

At last, the lines of `train` that stand between its docstring and its loop.
"""

import argparse
import ast
import io
import sys
import tokenize
from pathlib import Path

from diffusion_helpers.authoring import commands
from diffusion_helpers.checks import say

PACKAGE = Path(__file__).resolve().parents[1] / "diffusion_helpers"
MODULES = (
    "noising",
    "denoiser",
    "attention",
    "sampling",
    "unet",
    "text",
    "words",
    "training",
    "optim",
    "distributed",
)
CHECKS = ("check_", "_check")
DECORATORS = ("explain_errors_with", "told_by")  # its name until November 2026
SILENT = {
    tokenize.COMMENT,
    tokenize.NL,
    tokenize.NEWLINE,
    tokenize.INDENT,
    tokenize.DEDENT,
    tokenize.ENDMARKER,
}


def lines_of(node):
    """The numbers of the lines of a statement, its decorators included."""
    first = min([node.lineno, *(d.lineno for d in getattr(node, "decorator_list", []))])
    return set(range(first, node.end_lineno + 1))


def docstrings(tree):
    """The lines of all strings that stand alone, as docstrings do."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            found |= lines_of(node)
    return found


def code_lines(source, tree):
    """The numbers of the lines that hold code."""
    found = set()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type not in SILENT:
            found |= set(range(token.start[0], token.end[0] + 1))
    return found - docstrings(tree)


def called(node):
    """The name of the function that an expression calls, "" where it is no call."""
    function = node.func if isinstance(node, ast.Call) else None
    return getattr(function, "id", getattr(function, "attr", ""))


def shared_helpers(tree):
    """The names that a module takes from checks.py and that start as checks do."""
    return {
        name.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module == "checks"
        for name in node.names
        if name.name.startswith((*CHECKS, "as_"))
    }


def check_lines(tree):
    """The numbers of the lines that only look at an input."""
    helpers = shared_helpers(tree)

    def calls_a_check(statement):
        names = [called(node) for node in ast.walk(statement)]
        return any(name in helpers or name.startswith(CHECKS) for name in names)

    def only_refuses(statement):
        if isinstance(statement, ast.If):
            return all(map(only_refuses, statement.body + statement.orelse))
        call = isinstance(statement, ast.Expr) and calls_a_check(statement)
        return call or isinstance(statement, ast.Raise)

    def is_check(node):
        if isinstance(node, ast.If):
            return only_refuses(node)
        if isinstance(node, (ast.Expr, ast.Assign, ast.AnnAssign, ast.Return)):
            return calls_a_check(node)
        if isinstance(node, ast.ImportFrom):
            return node.module == "checks"
        return isinstance(node, ast.FunctionDef) and node.name.startswith(CHECKS)

    found = set()
    for node in ast.walk(tree):
        if is_check(node):
            found |= lines_of(node)
        for decorator in getattr(node, "decorator_list", []):
            if called(decorator) in DECORATORS:
                found |= lines_of(decorator)
    return found


def count(path):
    """(code lines, check lines) of one module."""
    source = path.read_text(encoding="utf-8")
    tree = ast.parse(source)
    code = code_lines(source, tree)
    return len(code), len(code & check_lines(tree))


def before_the_loop(path, name):
    """(code lines, check lines) of a function from its docstring to its first loop or `with`."""
    source = path.read_text(encoding="utf-8")
    tree = ast.parse(source)
    (function,) = (f for f in tree.body if isinstance(f, ast.FunctionDef) and f.name == name)
    loop = next(s for s in function.body if isinstance(s, (ast.While, ast.For, ast.With)))
    lines = code_lines(source, tree) & set(range(function.body[0].lineno, loop.lineno))
    return len(lines), len(lines & check_lines(tree))


def main(package):
    if not any((package / f"{module}.py").exists() for module in MODULES):
        sys.exit(f"{package} holds no module of the course: name its folder diffusion_helpers.")
    total = [0, 0]
    say(f"{'module':<12} {'code lines':>10} {'checks':>7} {'share':>6}")
    for module in MODULES:
        path = package / f"{module}.py"
        if path.exists():
            code, checks = count(path)
            total = [total[0] + code, total[1] + checks]
            say(f"{module:<12} {code:>10} {checks:>7} {checks / code:>6.0%}")
    say(f"{'together':<12} {total[0]:>10} {total[1]:>7} {total[1] / total[0]:>6.0%}")
    lines, checks = before_the_loop(package / "training.py", "train")
    say(f"\n`train`: {lines} code lines between its docstring and its loop, {checks} are checks")


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("package", nargs="?", type=commands.folder, default=PACKAGE)
    main(parser.parse_args().package)
