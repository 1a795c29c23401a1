"""The texts in a piece of code, its strings and its comments, found and put into another language.

The program stays the same: only what stands between quotes and after # changes, and expressions
inside f-strings are copied. An f-string is one text with its places in braces, as it stands in the
code: "{n} of {len(names)} names".
"""

import ast
import io
import itertools
import re
import textwrap
import tokenize
from collections.abc import Callable, Iterator
from dataclasses import dataclass

WIDTH = 100  # letters of a line
MAGIC = re.compile(r"^(\s*)[%!].*$", re.MULTILINE)  # Jupyter's own lines
LITERAL = re.compile(
    r"(?P<prefix>[rRbBuUfF]{0,2})(?P<quote>\"\"\"|'''|\"|')"
    r"(?P<body>(?:\\.|(?!(?P=quote)).)*)(?P=quote)",
    re.DOTALL,
)
PLACE = re.compile(r"\{\{|\}\}|\{(?:[^{}]|\{[^{}]*\})*\}")  # in an f-string; {{ is a brace
FOR_TOOLS = re.compile(r"(noqa|type:|fmt:|mypy:|ruff:|pragma)")


@dataclass(frozen=True)
class Text:
    """A string or a comment in code: `text` as a reader reads it, and where it stands."""

    kind: str  # "string", "f-string" or "comment"
    text: str
    start: int  # letters from the beginning of the code
    end: int
    own_line: bool = False  # of a comment: nothing stands before it


def texts_in(code: str) -> list[Text]:
    """All strings and comments of some Python code, in their order.

    Raises SyntaxError where it is no Python.
    """
    plain = _without_magic(code)
    return sorted([*_strings(plain), *_comments(plain)], key=lambda text: text.start)


def translate_code(code: str, translation: Callable[[str], str]) -> str:
    """The same program with each of its texts as `translation` has it.

    Lines that grow too long are broken. Raises ValueError where a translation changes a place of an
    f-string.
    """
    for text in reversed(texts_in(code)):  # from below: the places above stay true
        if text.kind == "comment" and (new := translation(text.text)) != text.text:
            code = _with_comment(code, text, new)
    for text in reversed(texts_in(code)):  # anew: a long comment moves what stands before it
        if text.kind == "comment":
            continue
        new = translation(text.text)
        if text.kind == "f-string":
            _check_places(text.text, new)
            new = PLACE.sub(lambda place: _place(place[0], translation), new)
        if new != text.text:
            code = _with_string(code, text, new)
    return code


def places(template: str) -> list[str]:
    """The places of an f-string's text, {x:.2f}, in their order."""
    return [place for place in PLACE.findall(template) if place not in ("{{", "}}")]


def parse(code: str) -> ast.Module:
    """The tree of a cell's code, without Jupyter's own lines. Raises SyntaxError as Python does."""
    return ast.parse(_without_magic(code))


def outside_places(template: str, change: Callable[[str], str]) -> str:
    """An f-string's text with what stands between its places changed, and the places kept."""
    made, end = [], 0
    for place in PLACE.finditer(template):
        made += [change(template[end : place.start()]), place[0]]
        end = place.end()
    return "".join([*made, change(template[end:])])


def inside(template: str) -> list[str]:
    """The strings inside the places of an f-string's text: {"yes" if ok else "no"}."""
    literals = (found for place in places(template) for found in LITERAL.finditer(place))
    return [_read(found[0], False) for found in literals if not found["prefix"]]


# ---- what there is -------------------------------------------------------------------------------


def _without_magic(code):
    """The code with a number in place of each of Jupyter's own lines; all letters keep places."""
    return MAGIC.sub(lambda line: line[1] + "0".ljust(len(line[0]) - len(line[1])), code)


def _line_starts(code):
    """Where each line of the code begins, in letters."""
    lengths = (len(line) for line in code.splitlines(keepends=True))
    return list(itertools.accumulate(lengths, initial=0))


def _strings(code):
    lines, starts = code.splitlines(keepends=True), _line_starts(code)

    def offset(line, column):  # Python counts columns in bytes
        return starts[line - 1] + len(lines[line - 1].encode()[:column].decode())

    for node in _outer_strings(ast.parse(code)):
        start = offset(node.lineno, node.col_offset)
        end = offset(node.end_lineno, node.end_col_offset)
        kind = "f-string" if isinstance(node, ast.JoinedStr) else "string"
        yield Text(kind, _read(code[start:end], kind == "f-string"), start, end)


def _outer_strings(node) -> Iterator[ast.expr]:
    if isinstance(node, ast.JoinedStr) or (
        isinstance(node, ast.Constant) and isinstance(node.value, str)
    ):
        yield node
        return
    for child in ast.iter_child_nodes(node):
        yield from _outer_strings(child)


def _read(source, template):
    """What the literals in `source`, one or several beside each other, say."""
    said = []
    for literal in LITERAL.finditer(source):
        prefix, body = literal["prefix"].lower(), literal["body"]
        decoded = str if "r" in prefix else _unescaped
        if "f" in prefix:
            said.append(outside_places(body, decoded))
        else:
            words = decoded(body)
            said.append(words.replace("{", "{{").replace("}", "}}") if template else words)
    return "".join(said)


def _unescaped(body):
    """What the body of a literal says: \\n is a new line."""
    inside = re.sub(r'(\\.)|"', lambda found: found[1] or '\\"', body, flags=re.DOTALL)
    return ast.literal_eval(f'"""{inside}"""')


def _comments(code):
    """Comments; those that fill neighbouring lines alone are one text."""
    starts = _line_starts(code)
    block: list = []
    for token in tokenize.generate_tokens(io.StringIO(code).readline):
        if token.type != tokenize.COMMENT or FOR_TOOLS.match(token.string.lstrip("#! ")):
            continue
        (row, column), start = token.start, starts[token.start[0] - 1] + token.start[1]
        words, own = token.string.lstrip("#").strip(), not token.line[:column].strip()
        if block and own and block[-1][:2] == (row - 1, column):
            block.append((row, column, words, start, start + len(token.string)))
            continue
        yield from _as_text(block, True)
        block = [(row, column, words, start, start + len(token.string))] if own else []
        if not own:
            yield Text("comment", words, start, start + len(token.string))
    yield from _as_text(block, True)


def _as_text(block, own):
    if block:
        words = "\n".join(line[2] for line in block)
        yield Text("comment", words, block[0][3], block[-1][4], own)


# ---- what becomes of it --------------------------------------------------------------------------


def _check_places(old, new):
    if sorted(places(old)) != sorted(places(new)):
        raise ValueError(f"{new!r} has other places than {old!r}")


def _place(place, translation):
    """A place of an f-string with the strings inside its expression translated."""
    if place in ("{{", "}}") or not ('"' in place or "'" in place):
        return place

    def translated(found):
        if found["prefix"]:
            return found[0]
        return _literal(translation(_read(found[0], False)), False, found["quote"])

    return LITERAL.sub(translated, place)


def _literal(words, template, quote='"'):
    """Words as a literal between these quotes; of a template, the places stay as they are."""

    def escaped(part):
        part = part.replace("\\", "\\\\").replace(quote, "\\" + quote)
        return re.sub(r"[\x00-\x1f]", lambda control: repr(control[0])[1:-1], part)

    if not template:
        return f"{quote}{escaped(words)}{quote}"
    if not places(words):
        return _literal(words.replace("{{", "{").replace("}}", "}"), False, quote)
    return f"f{quote}{outside_places(words, escaped)}{quote}"


def _quote(words):
    """The quotes in which the words stand best; those inside a place decide."""
    inside = "".join(places(words))
    return "'" if '"' in inside or ('"' in words and "'" not in words) else '"'


def _with_string(code, text, new):
    old, template = code[text.start : text.end], text.kind == "f-string"
    first = LITERAL.match(old)
    if len(first["quote"]) == 3:  # a docstring, or a text of several lines
        body = new.replace("\\", "\\\\").replace('"""', '\\"""')
        return f'{code[: text.start]}{"f" * template}"""{body}"""{code[text.end :]}'
    quote = _quote(new) if template else ("'" if '"' in new and "'" not in new else '"')
    line = code.rfind("\n", 0, text.start) + 1
    column = text.start - line
    rest = code[text.end :].partition("\n")[0]
    whole = _literal(new, template, quote)
    if column + len(whole) + len(rest) <= WIDTH:
        return code[: text.start] + whole + code[text.end :]
    indent = column if not code[line : text.start].strip() else _indent(code, line) + 4
    before = "" if indent == column else "\n" + " " * indent
    broken = ("\n" + " " * indent).join(_broken(new, template, quote, indent, rest))
    made = code[: text.start].rstrip(" ") * bool(before) or code[: text.start]
    made = made + before + broken + code[text.end :]
    if _is_python(made):
        return made
    broken = ("\n" + " " * (column + 1)).join(_broken(new, template, quote, column + 1, rest))
    return f"{code[: text.start]}({broken}){code[text.end :]}"


def _indent(code, line):
    return len(code) - line - len(code[line:].lstrip(" "))


def _broken(words, template, quote, indent, rest):
    """The words as literals of one line each, with room for the `rest` behind the last."""

    def literal(pieces):
        return _literal("".join(pieces), template, quote)

    def fits(pieces, rest=""):
        return indent + len(literal(pieces)) + len(rest) <= WIDTH

    parts = PLACE.split(words) if template else [words]
    found = PLACE.findall(words) if template else []
    pieces = []  # words with the blank behind them; a place clings to its neighbours
    for i, part in enumerate(parts):
        cut = re.findall(r"\S*\s+|\S+", part)
        if pieces and cut and not pieces[-1][-1].isspace():
            pieces[-1] += cut.pop(0)
        pieces += cut
        if i < len(found):
            if pieces and not pieces[-1][-1].isspace():
                pieces[-1] += found[i]
            else:
                pieces.append(found[i])
    lines: list[list[str]] = [[]]
    for piece in pieces:
        if lines[-1] and not fits([*lines[-1], piece]):
            lines.append([])
        lines[-1].append(piece)
    *lines, last = lines
    tail = next((i for i in range(len(last)) if fits(last[i:], rest)), 0)
    lines += [last[:tail], last[tail:]] if tail else [last]
    return [literal(line) for line in lines]


def _is_python(code):
    try:
        parse(code)
    except SyntaxError:
        return False
    return True


def _with_comment(code, text, new):
    line = code.rfind("\n", 0, text.start) + 1
    column = text.start - line
    if text.own_line:
        return code[: text.start] + _comment(new, column) + code[text.end :]
    if column + 2 + len(new) <= WIDTH:
        return f"{code[: text.start]}# {new}{code[text.end :]}"
    indent = _indent(code, line)  # too long to stand beside the code: it stands above
    body = code[line : text.start].rstrip()
    return f"{code[:line]}{' ' * indent}{_comment(new, indent)}\n{body}{code[text.end :]}"


def _comment(words, indent):
    """Words as a comment of as many lines as it needs, to stand behind so many blanks."""
    lines = [
        line
        for given in words.split("\n")
        for line in textwrap.wrap(given, WIDTH - indent - 2, break_long_words=False) or [""]
    ]
    return ("\n" + " " * indent).join(f"# {line}".rstrip() for line in lines)
