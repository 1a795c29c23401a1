"""A drawing of a page beside the lesson's own function: the same pictures, the same words.

    def test_creations(draws):  # a fixture, see conftest.py
        create = lesson_function("00_start_here", "creation-live", "create", GLOBALS)
        draws(create, {"wish": Prompt("a red apple"), ...}, [{}, {"wish": "blue heart"}])
        draws(create, parts := lesson_parts("00_start_here", "creation-live", create), moves(parts))

GLOBALS are those that the cells above the function make; keep them few and true.
"""

import ast
import base64
import contextlib
import hashlib
import linecache
import random
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import FunctionType, SimpleNamespace
from unittest import mock

import nbformat
import numpy as np
from browser import REPO

from diffusion_helpers import twins, unet
from diffusion_helpers.languages import spoken
from diffusion_helpers.languages.notebooks import translated_cell
from diffusion_helpers.living import mirrors
from diffusion_helpers.living.files import needed_files, worker_script
from diffusion_helpers.widgets import controls
from diffusion_helpers.widgets.controls import (
    Choice,
    Drawing,
    Live,
    Seed,
    Seeds,
    Slider,
    Switches,
    _rgba,
)
from diffusion_helpers.widgets.figures import to_uint8

HERE = Path(__file__).parent
DECIMALS = re.compile(r"-?\d+\.\d+")


# ---- a page on a server, and PyTorch in 32 bits -------------------------------------------------

IN_TIME = """(argument) => Promise.race([(%s)(argument), new Promise((_, fail) =>
  setTimeout(() => fail(new Error("no answer in time")), 120_000))])"""


class Server(BaseHTTPRequestHandler):
    """The files of a page, from memory."""

    def do_GET(self):
        path = self.path.partition("?")[0]
        content = self.server.files.get(path)
        self.send_response(404 if content is None else 200)
        kind = {".js": "text/javascript", ".html": "text/html"}.get(Path(path).suffix)
        self.send_header("Content-Type", kind or "application/octet-stream")
        self.send_header("Content-Length", str(len(content or b"")))
        self.end_headers()
        self.wfile.write(content or b"")

    def log_message(self, *_):
        pass


@contextlib.contextmanager
def serve(files):
    """Serve {path: bytes} on this machine; yields the address."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Server)
    server.files = files
    server.handle_error = lambda *_: None  # a page may leave in the middle of a download
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


def in_float32():
    """No bf16, which some processors have: pages compute in 32 bits."""
    plain = {"fast_math": lambda _: contextlib.nullcontext()}
    both = contextlib.ExitStack()
    for module in (unet, twins):
        both.enter_context(mock.patch.multiple(module, **plain))
    return both


@contextlib.contextmanager
def drawing_page(visit):
    """Yields `compare` for the drawings of one page; what they need is served when it is needed."""
    files = {
        "/page.html": (HERE / "living.html").read_bytes(),
        "/worker.js": worker_script().encode(),
    }
    with serve(files) as address, visit() as tab, in_float32():
        tab.page.goto(f"{address}/page.html")

        def drawn(asked):
            for need in asked["needs"]:
                for name, content in needed_files(need).items():
                    files[f"/files/{name}"] = content
            return tab.page.evaluate(IN_TIME % "drawn", asked)

        yield lambda draw, parts, moves=({},): compare(drawn, draw, parts, moves)
        tab.check_quiet()


# ---- the two sides ------------------------------------------------------------------------------


def cell_source(lesson, cell):
    """The source of the cell of notebooks/LESSON.ipynb that has this id, in the spoken language."""
    cells = nbformat.read(REPO / "notebooks" / f"{lesson}.ipynb", as_version=4).cells
    (source,) = [each.source for each in cells if each.id == cell]
    return translated_cell(source, f"{lesson}.ipynb", spoken())


def lesson_source(lesson, cell, name):
    """The source of a function in a cell."""
    source = cell_source(lesson, cell)
    (function,) = [
        node
        for node in ast.parse(source).body
        if isinstance(node, ast.FunctionDef) and node.name == name
    ]
    first = min(part.lineno for part in (function, *function.decorator_list))
    return "\n".join(source.splitlines()[first - 1 : function.end_lineno])


def lesson_function(lesson, cell, name, globals):
    """The function itself. What it calls and reads comes from `globals`."""
    return defined(lesson_source(lesson, cell, name), name, globals)


def defined(source, name, globals):
    """The function of a source that `inspect.getsource` finds, as that of a notebook's cell."""
    file, space = f"<{name}, {len(linecache.cache)}>", dict(globals)
    exec(compile(source, file, "exec"), space)
    linecache.cache[file] = len(source), None, source.splitlines(keepends=True), file
    assert isinstance(space[name], FunctionType)
    return space[name]


def lesson_parts(lesson, cell, draw):
    """The controls that a cell puts beside a drawing function, {name: part}."""
    (call,) = [
        node
        for node in ast.walk(ast.parse(cell_source(lesson, cell)))
        if isinstance(node, ast.Call) and ast.unparse(node).startswith(f"live({draw.__name__},")
    ]
    space = vars(controls) | draw.__globals__
    return {
        keyword.arg: eval(ast.unparse(keyword.value), space)
        for keyword in call.keywords
        if keyword.arg not in ("alt", "height")
    }


def moves(parts, n=5):
    """The start, each slider at both ends, and n random hands; what is typed or drawn stays."""
    draw = random.Random(0)
    sliders = {name: part for name, part in parts.items() if isinstance(part, Slider)}
    ends = [{name: end} for name, part in sliders.items() for end in (part.first, part.last)]
    return [
        {},
        *ends,
        *({k: v for k, p in parts.items() if (v := _any(p, draw)) is not None} for _ in range(n)),
    ]


def _any(part, draw):
    """A value that the page may send of a part, or None."""
    if isinstance(part, Slider):
        steps = round((part.last - part.first) / part.step)
        return round(part.first + part.step * draw.randint(0, steps), 6)
    if isinstance(part, Choice):
        return draw.randrange(len(part.options))
    if isinstance(part, Switches):
        return [draw.random() < 0.5 for _ in part.options]
    if isinstance(part, Seed):
        seed = draw.randint(0, part.last)
        return [seed, draw.random() < 0.5] if isinstance(part, Seeds) else seed
    return None


def in_python(draw, parts, values):
    """The frames that a live control of `draw` shows; `values` are those of the page, by name."""
    control = SimpleNamespace(_draw=draw)
    control._steps = lambda read: Live._steps(control, read)
    read = {
        name: part.read(values[name], values[name] if isinstance(part, Drawing) else None)
        for name, part in parts.items()
    }
    return [
        frame | {"pixels": [_pixels(frame["columns"][i], p) for i, p in enumerate(frame["pixels"])]}
        for frame in Live._frames(control, read)
    ]


def in_page(drawn, draw, parts, values):
    """The frames with which the worker of a page answers, where nothing newer is asked."""
    living = mirrors.living_part(draw)
    specs = [{"name": name} | part.spec() for name, part in parts.items()]
    boards = [
        base64.b64encode(values[name]).decode()
        for name, part in parts.items()
        if isinstance(part, Drawing)
    ]
    sent = [None if isinstance(part, Drawing) else values[name] for name, part in parts.items()]
    asked = {
        "draw": living["draw"],
        "needs": {need: _sums(need) for need in living["needs"]},
        "own": living["own"],
        "parts": [{k: v for k, v in spec.items() if not isinstance(v, bytes)} for spec in specs],
        "values": sent,
        "boards": boards,
    }
    frames = drawn(asked)
    trouble = [frame["trouble"] for frame in frames if frame["trouble"]]
    assert not trouble, trouble
    for frame in frames:
        frame["pixels"] = [
            _pixels(column, base64.b64decode(pixels))
            for column, pixels in zip(frame["columns"], frame["pixels"], strict=True)
        ]
    return frames


def compare(drawn, draw, parts, moves):
    """For the start values and for each of `moves`, which replace some of them by name.

    Values are those that a page sends: the number of a slider or seed, the words of a prompt, the
    index of a choice, a list of switches, [seed, four at once], the bytes of a board (`board_of`).
    Captions, titles, sizes and shares are the same; pictures differ by at most 1 of 255 levels. A
    number that measures a network's answer may differ by one in its last digit.
    """
    network = bool(mirrors.living_part(draw)["needs"])
    starts = {name: part.spec()["start"] for name, part in parts.items()}
    for move in moves:
        values = starts | move
        wanted, got = in_python(draw, parts, values), in_page(drawn, draw, parts, values)
        for key in ("columns", "offers", "share"):
            assert [frame[key] for frame in got] == [frame[key] for frame in wanted], key
        for one, other in zip(got, wanted, strict=True):
            mine, theirs = one["caption"], other["caption"]
            assert mine == theirs or (network and _nearly(mine, theirs)), (mine, theirs)
        assert [frame["done"] for frame in got] == [frame["share"] == 1 for frame in wanted]
        for one, other in zip(got, wanted, strict=True):
            for mine, theirs in zip(one["pixels"], other["pixels"], strict=True):
                assert np.abs(mine - theirs).max() <= 1, one["caption"]


def board_of(picture):
    """What a page sends of a drawing board that shows a picture (3, S, S) in [-1, 1]."""
    return _rgba(to_uint8(picture[None])[0])


def _nearly(one, other):
    """Whether two captions differ by one in the last digit of numbers, and in nothing else."""
    (mine, theirs), (a, b) = (
        [f(words) for words in (one, other)] for f in (DECIMALS.split, DECIMALS.findall)
    )
    places = [len(number.partition(".")[2]) for number in a]
    return (
        mine == theirs
        and places == [len(number.partition(".")[2]) for number in b]
        and all(
            abs(float(x) - float(y)) < 1.5 * 10**-n for x, y, n in zip(a, b, places, strict=True)
        )
    )


def _pixels(column, pixels):
    """Bytes of RGBA -> (H, W, 3) of ints."""
    width, height = column["size"]
    return np.frombuffer(pixels, np.uint8).reshape(height, width, 4)[..., :3].astype(int)


def _sums(need):
    return {name: hashlib.sha256(c).hexdigest() for name, c in needed_files(need).items()}
