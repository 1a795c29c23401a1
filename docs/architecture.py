"""Draw which part of the course imports which: docs/architecture.svg, read from the code itself.

    python docs/architecture.py

The picture has three layers: the lessons, what stands around them, and the core. Arrows that follow
from others are left out: where a imports b and b imports c, there is none from a to c.
tests/test_architecture.py tells when the picture in git is out of date.
"""

import ast
import functools
import json
import textwrap
from graphlib import TopologicalSorter
from html import escape
from itertools import pairwise
from pathlib import Path
from statistics import fmean as mean

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = "diffusion_helpers"
PICTURE = Path(__file__).with_suffix(".svg")
MARGIN, GAP = 24, 36  # GAP: between two rows, where the arrows run
APART = 20  # between two boxes of a row, or arrows that pass there
ROUNDS = 60  # in which boxes look for their places
COLOURS = {"the lessons": "#fde5c4", "around them": "#d6e9f8", "the core": "#d9efe4"}
INK, GREY, PAPER = "#1b1b1b", "#595959", "#ffffff"  # a paper of its own, for dark pages
PAGE = f"""\
<svg xmlns="http://www.w3.org/2000/svg" width="{{width}}" height="{{height}}" \
viewBox="0 0 {{width}} {{height}}" fill="{INK}" role="img" \
font-family="'DejaVu Sans', Verdana, sans-serif">
<title>Which part of the course imports which</title>
<marker id="to" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="8" markerHeight="8" \
orient="auto"><path d="M0 0 L8 4 L0 8 z" fill="{GREY}"/></marker>
<rect width="100%" height="100%" rx="8" fill="{PAPER}"/>
{{drawn}}
</svg>
"""


# ---- the imports --------------------------------------------------------------------------------


@functools.cache
def modules():
    """{dotted name: path} of every module of the package."""
    found = {}
    for path in sorted((ROOT / PACKAGE).rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def imported(source, homes, package=""):
    """The modules that a source imports, at its top or later.

    homes       {dotted name: the module that it leads to}, see `homes_of_names`
    package     the package that the source stands in, from which its `.` and `..` count
    """
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {homes.get(name.name) for name in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = package.rsplit(".", node.level - 1)[0] if node.level else ""
            base = ".".join(filter(None, [base, node.module]))
            found |= {homes.get(f"{base}.{name.name}", homes.get(base)) for name in node.names}
    return found - {None}


def homes_of_names():
    """{dotted name: module}: the modules themselves, and what the package gathers from them."""
    homes = {name: name for name in modules()}
    for node in ast.parse(modules()[PACKAGE].read_text(encoding="utf-8")).body:
        if isinstance(node, ast.ImportFrom) and node.level:
            homes |= {f"{PACKAGE}.{name.name}": f"{PACKAGE}.{node.module}" for name in node.names}
    return homes


def imports():
    """{module: the modules of the package that it imports}, with full names."""
    homes, graph = homes_of_names(), {}
    for name, path in modules().items():
        package = name if path.name == "__init__.py" else name.rpartition(".")[0]
        graph[name] = imported(path.read_text(encoding="utf-8"), homes, package) - {name}
    return graph


@functools.cache
def lessons():
    """{notebook: the modules that it imports}."""
    homes, found = homes_of_names(), {}
    for path in sorted((ROOT / "notebooks").glob("*.ipynb")):
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        code = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
        found[path.stem] = set().union(*(imported(source, homes) for source in code))
    return found


def house():
    """{part: the other parts that it imports}.

    A part is a folder of the package, such as "widgets", a module outside of them, or "notebooks".
    """

    def part_of(module):
        names = module.split(".")[1:]
        folder = names if modules()[module].name == "__init__.py" else names[:-1]
        return "/".join(folder or names)

    graph = {part_of(module): set() for module in modules()}
    for module, others in imports().items():
        graph[part_of(module)] |= {part_of(other) for other in others} - {part_of(module)}
    graph["notebooks"] = {part_of(other) for others in lessons().values() for other in others}
    del graph[""], graph["__main__"]  # these only gather names, and call others
    return {part: others - {""} for part, others in graph.items()}


def reduced(graph):
    """The same graph without the arrows that follow from others."""
    beneath = {}
    for part in TopologicalSorter(graph).static_order():
        beneath[part] = graph[part].union(*(beneath[other] for other in graph[part]))
    return {
        part: others - set().union(*(beneath[other] for other in others))
        for part, others in graph.items()
    }


# ---- where things stand -------------------------------------------------------------------------


def layer_of(part):
    """Its key in COLOURS."""
    if part == "notebooks":
        return "the lessons"
    a_folder = (ROOT / PACKAGE / part).is_dir() and part != "languages"  # all say their words by it
    around = part in ("progress", "update") or a_folder
    return "around them" if around else "the core"


def heights(graph):
    """The row of each part, counted from below: above all that it imports, and all lower layers."""
    layer = {part: [*COLOURS].index(layer_of(part)) for part in graph}  # 0 is the highest
    below = {part: graph[part] | {o for o in graph if layer[o] > layer[part]} for part in graph}
    found = {}
    for part in TopologicalSorter(below).static_order():
        found[part] = max((1 + found[other] for other in below[part]), default=0)
    return found


def layered(graph):
    """(rows, chains): the rows of the drawing from below, and the arrows through them.

    An arrow has a waypoint in each row that it passes: a chain is [part, waypoint, ..., other], and
    a row holds parts and waypoints.
    """
    row_of = heights(graph)
    rows = [[] for _ in range(max(row_of.values()) + 1)]
    chains = []
    for part in sorted(graph):
        rows[row_of[part]].append(part)
    for high, low in sorted((part, other) for part in graph for other in graph[part]):
        waypoints = [(high, low, row) for row in range(row_of[high] - 1, row_of[low], -1)]
        chains.append([high, *waypoints, low])
        for waypoint in waypoints:
            rows[waypoint[2]].append(waypoint)
    return rows, chains


def centres(rows, chains):
    """{thing: x}: each part and waypoint near those that it is linked to, and none on another.

    Row after row, upwards and downwards, things go to the mean of those that they are linked to, as
    far as there is room. After some rounds all have found their places.
    """
    links = {thing: [] for row in rows for thing in row}
    for high, low in (link for chain in chains for link in pairwise(chain)):
        links[high].append(low)
        links[low].append(high)
    x = {thing: 100.0 * (i - len(row) / 2) for row in rows for i, thing in enumerate(row)}
    for turn in range(2 * ROUNDS):
        for beside, row in [*pairwise(rows), *pairwise(rows[::-1])]:
            for thing in row:  # at first only the row beside it pulls, then those on both sides
                linked = [o for o in links[thing] if o in beside or turn >= ROUNDS]
                x[thing] = mean([x[other] for other in linked] or [x[thing]])
            row.sort(key=x.get)
            keep_apart(row, x)
    left = min(x[thing] - size(thing)[0] / 2 for thing in x)
    return {thing: MARGIN + place - left for thing, place in x.items()}


def keep_apart(row, x):
    """Move the things of a row that stand too close, each as little as possible."""
    offset, offsets, blocks = 0, {}, []
    for thing in row:  # without its offset, a thing may stand where its neighbour stands
        offset += size(thing)[0] / 2
        offsets[thing] = offset
        offset += size(thing)[0] / 2 + APART
        blocks.append([x[thing] - offsets[thing]])
        while len(blocks) > 1 and mean(blocks[-2]) > mean(blocks[-1]):
            blocks[-2:] = [blocks[-2] + blocks[-1]]  # what overlaps moves as one
    places = [mean(block) for block in blocks for _ in block]
    x.update({thing: place + offsets[thing] for thing, place in zip(row, places)})


# ---- the picture --------------------------------------------------------------------------------


def contents(part):
    """What a box says under its name: the modules of a folder, or the lessons."""
    if part == "notebooks":
        names = [name.replace("_", "\N{NO-BREAK SPACE}") for name in lessons()]
        return textwrap.wrap(", ".join(names), 60)
    names = sorted(path.stem for path in (ROOT / PACKAGE / part).glob("[!_]*.py"))
    others = [name for name in names if not name.startswith("lesson_")]
    if others != names:
        names = [*others, "one module a lesson"]
    return textwrap.wrap(", ".join(names), 30)


@functools.cache
def size(thing):
    """The width and the height of a box, or of an arrow's way."""
    if isinstance(thing, tuple):
        return 0, 0
    words = contents(thing)
    width = max([9.8 * len(thing), *(7.4 * len(line) for line in words)])
    return 30 + width, 34 + 18 * len(words)


def box(part, x, y):
    """A box around a centre, with the part's name and contents."""
    width, height = size(part)
    corner = f'x="{x - width / 2:.0f}" y="{y - height / 2:.0f}"'
    shape = f'{corner} width="{width:.0f}" height="{height:.0f}" rx="6"'
    drawn = [f'<rect {shape} fill="{COLOURS[layer_of(part)]}" stroke="{GREY}"/>']
    for i, line in enumerate([part, *contents(part)]):
        style = 'font-size="15" font-weight="bold"' if i == 0 else 'font-size="13"'
        place = f'x="{x:.0f}" y="{y - height / 2 + 22 + 18 * i:.0f}"'
        drawn.append(f'<text {place} {style} text-anchor="middle">{escape(line)}</text>')
    return "\n".join(drawn)


def arrow(chain, places):
    """A line from one box down to another, past the rows between them, with a head at its end."""
    points = [(x, edge) for x, *edges in map(places.get, chain) for edge in edges][1:-1]
    for end, beside in ((0, 1), (-1, -2)):  # a little apart, where several meet at a box
        x, y = points[end]
        reach = 0.35 * size(chain[end])[0]
        points[end] = (x + max(-reach, min(reach, (points[beside][0] - x) / 5)), y)
    path = f"M{points[0][0]:.0f} {points[0][1]:.0f}"
    for (x, y), (x_1, y_1) in pairwise(points):
        half = (y + y_1) / 2
        path += f" C{x:.0f} {half:.0f} {x_1:.0f} {half:.0f} {x_1:.0f} {y_1:.0f}"
    return (
        f'<path d="{path}" fill="none" stroke="{GREY}" stroke-width="1.5" marker-end="url(#to)"/>'
    )


def legend(y):
    """What colours and arrows mean, from y down."""
    drawn = []
    for i, (layer, colour) in enumerate(COLOURS.items()):
        x = MARGIN + 150 * i
        square = f'<rect x="{x}" y="{y:.0f}" width="16" height="16"'
        drawn.append(f'{square} fill="{colour}" stroke="{GREY}"/>')
        drawn.append(f'<text x="{x + 24}" y="{y + 13:.0f}" font-size="13">{layer}</text>')
    words = "an arrow: imports; arrows that follow from others are left out"
    return [*drawn, f'<text x="{MARGIN}" y="{y + 41:.0f}" font-size="13">{words}</text>']


def draw(graph):
    """The picture as SVG. Raises graphlib.CycleError when the imports go in a circle."""
    rows, chains = layered(reduced(graph))
    x, places, y = centres(rows, chains), {}, MARGIN
    for row in reversed(rows):
        height = max(size(thing)[1] for thing in row)
        for thing in row:  # a waypoint leads past the whole row
            room = 0 if isinstance(thing, tuple) else (height - size(thing)[1]) / 2
            places[thing] = (x[thing], y + room, y + height - room)
        y += height + GAP
    boxes = [box(part, x[part], sum(places[part][1:]) / 2) for part in sorted(graph)]
    drawn = [*(arrow(chain, places) for chain in chains), *boxes, *legend(y)]
    width = MARGIN + max(x[thing] + size(thing)[0] / 2 for thing in x)
    return PAGE.format(width=round(width), height=round(y) + 65, drawn="\n".join(drawn))


if __name__ == "__main__":
    PICTURE.write_text(draw(house()), encoding="utf-8", newline="\n")
