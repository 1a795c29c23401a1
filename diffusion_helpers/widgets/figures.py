"""Pictures on the page, each with words for those who do not see it.

JupyterLab drops alt text that travels as display metadata; only `<img alt>` in HTML survives.
So every figure of the course goes through `show`, and every batch through `show_pictures`.
"""

import base64
import html
import io
import math
from collections.abc import Iterable, Mapping, Set

import matplotlib.pyplot as plt
import numpy as np
import torch
from einops import rearrange, repeat
from IPython.display import HTML, display
from matplotlib.figure import Figure
from PIL import Image

from ..checks import brief, check_count, check_floats, check_kind, utf8_safe
from ..languages import spoken, tr

# Colours that stay apart for colour-blind eyes (Okabe and Ito, 2008).
CLEAN = "#0072B2"  # blue: the picture, the signal
DUST = "#D55E00"  # vermilion: the noise
GREEN, ORANGE, PURPLE, SKY, BLACK = "#009E73", "#E69F00", "#CC79A7", "#56B4E9", "#000000"
FRAME = "outline:1px solid #808080"  # is seen on white and on black, in light and dark themes
# A figure stands on paper of its own; where the page is dark, the paper is not glaring white.
PAPER = """<style>
:is(body[data-jp-theme-light="false"], body.vscode-dark,
  body.vscode-high-contrast:not(.vscode-high-contrast-light), html[theme="dark"])
  .sculptor-paper { filter: brightness(.84); }
</style>"""
LARGEST_MAP = 4096  # pixels a side of an enlarged feature map

STYLE = {
    "figure.figsize": (10, 4.5),  # inches: the width of a notebook, two of them fit a screen
    "figure.constrained_layout.use": True,  # labels never overlap or fall off the edge
    "figure.facecolor": "white",  # `show` dims it where the page is dark
    "font.size": 16,  # readable from the back row
    "axes.titlesize": 18,
    "axes.prop_cycle": plt.cycler(color=[CLEAN, DUST, GREEN, ORANGE, PURPLE, SKY, BLACK]),
    "axes.grid": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "grid.color": "#e0e0e0",
    "lines.linewidth": 2.5,
    "legend.framealpha": 0.9,  # words stay readable over lines
    "image.interpolation": "nearest",  # a pixel stays a square
}


def use_course_style():
    """Give every figure that follows the large fonts and safe colours of the course."""
    plt.rcParams.update(STYLE)


def show(fig, alt):
    """Show a matplotlib figure with `alt`, the sentence a reader hears instead; close it.

    Raises ValueError when `alt` is empty.
    """
    check_alt(alt)
    check_kind(fig, Figure, tr("a matplotlib figure, such as fig, ax = plt.subplots()"))
    png = io.BytesIO()
    try:
        # 2 dots for each CSS pixel, and a margin: the figure may stand on a dark page
        fig.savefig(png, format="png", dpi=192, bbox_inches="tight", pad_inches=0.15)
    except ValueError as problem:  # most often a $ in a title that was not meant as a formula
        first = str(problem).strip().splitlines()[0]
        raise ValueError(
            tr("the figure cannot be drawn; write \\$ for a dollar: {}", first)
        ) from None
    finally:
        plt.close(fig)
    width = Image.open(png).width // 2
    style = f"width:{width}px;max-width:100%;height:auto;border-radius:10px"
    paper = f'{PAPER}<img class="sculptor-paper" alt="{escape(alt)}" style="{style}"'
    display(HTML(f'{paper} src="{_data_uri(png)}">'))


def show_pictures(images, alt, captions=None, columns=8, height=96, rows=None):
    """Show a batch as a grid of crisp pixels, `columns` wide, each `height` CSS pixels tall.

    Where the page is too narrow for that, all of them shrink; none is cut off. `images` is
    (N, C, H, W) in [-1, 1], C = 1 or 3; values outside are clamped, for display only. `captions`,
    if given, are N strings, one under each picture; `rows` are words, one before each row. Raises
    ValueError on an empty `alt`, a wrong shape, NaN, or captions or rows that do not match.
    """
    check_alt(alt)
    arrays = to_uint8(images)
    check_count(columns, "columns"), check_count(height, "height")
    captions = None if captions is None else check_captions(captions, len(arrays), tr("a picture"))
    n_rows = math.ceil(len(arrays) / columns)
    rows = None if rows is None else check_captions(rows, n_rows, tr("a row"))
    cells = []
    for i, array in enumerate(arrays):
        caption = "" if captions is None else escape(captions[i])
        words = caption or tr("{} of {}", i + 1, len(arrays))
        if rows is not None:
            row = escape(rows[i // columns])
            words = f"{row}, {words}"
            if i % columns == 0:
                cells.append(f'<span style="align-self:center;font-size:16px">{row}</span>')
        width = round(height * array.shape[1] / array.shape[0])
        style = f"width:{width}px;max-width:100%;height:auto;image-rendering:pixelated;{FRAME}"
        cells.append(
            '<figure style="min-width:0;margin:0;text-align:center">'
            f'<img alt="{escape(alt)}: {words}" src="{png_data_uri(array)}"'
            f' style="{style};vertical-align:top">'  # no room for letters below it
            f'<figcaption style="max-width:{height}px;font-size:16px">{caption}</figcaption>'
            "</figure>"
        )
    tracks = "" if rows is None else "minmax(4em,max-content) "
    grid = f"grid-template-columns:{tracks}repeat({columns},minmax(0,max-content))"
    words = "overflow-wrap:break-word;hyphens:auto"  # a long word stays below its own picture
    style = f"display:grid;gap:8px;padding:1px;{words};{grid}"
    group = f'role="group" lang="{spoken().code}" aria-label="{escape(alt)}"'
    display(HTML(f'<div {group} style="{style}">{"".join(cells)}</div>'))


LINE_STYLES = ("-", "--", "-.", ":")  # lines stay apart in print, too


def show_curves(
    x, lines, *, xlabel, ylabel, alt, title=None, level=None, log=False, ylim=None, marks=""
):
    """Draw `lines` over `x` in one figure, each with its own colour and its own kind of line.

    `lines` is {label: ys} or {label: (its own xs, ys)}; numbers or tensors of one axis. `level` is
    {label: y}: thin black lines across the figure, such as a baseline. `log` makes the y axis
    logarithmic, `ylim` is (lowest, highest), and `marks`, such as "o", draws each point. Raises
    ValueError when there is nothing to draw or a line and its xs differ in length.
    """
    check_alt(alt)
    pairs = {str(label): _points(label, x, line) for label, line in _named(lines).items()}
    fig, ax = plt.subplots()
    for i, (label, (xs, ys)) in enumerate(pairs.items()):
        ax.plot(xs, ys, LINE_STYLES[i % len(LINE_STYLES)], marker=marks, label=label)
    for i, (label, y) in enumerate((level or {}).items()):
        style = LINE_STYLES[i % len(LINE_STYLES)]
        ax.axhline(float(y), color=BLACK, linewidth=1, linestyle=style, label=str(label))
    ax.set(xlabel=xlabel, ylabel=ylabel, title=title or "")
    if log:
        ax.set_yscale("log")
    if ylim is not None:
        ax.set_ylim(*ylim)
    if len(pairs) + len(level or {}) > 1:
        ax.legend()
    show(fig, alt)


def show_bars(values, *, xlabel, alt, title=None, errors=None):
    """Draw horizontal bars with the number beside each.

    `values` is {label: number}, or {label: {series: number}} for groups of bars; `errors` has the
    same shape and adds a line of plus and minus this much. Raises ValueError when it is empty or
    when the groups hold different series.
    """
    check_alt(alt)
    values = _named(values)
    if not isinstance(next(iter(values.values())), Mapping):
        values = {label: {"": value} for label, value in values.items()}
        errors = errors and {label: {"": error} for label, error in errors.items()}
    series = list(next(iter(values.values())))
    if any(list(group) != series for group in values.values()):
        raise ValueError(
            tr("expected the same bars in every group, {} as in the first one", series)
        )
    thick = 0.8 / len(series)
    fig, ax = plt.subplots(figsize=(10, 1.2 + 0.5 * len(values) * max(1, 0.7 * len(series))))
    for i, name in enumerate(series):
        heights = [float(group[name]) for group in values.values()]
        places = [row + (i - (len(series) - 1) / 2) * thick for row in range(len(values))]
        spread = errors and [float(errors[label][name]) for label in values]
        bars = ax.barh(places, heights, thick * 0.92, xerr=spread or None, label=name)
        ax.bar_label(bars, fmt="%.3g", padding=4)
    ax.set_yticks(range(len(values)), [str(label) for label in values])
    ax.invert_yaxis()  # the first one on top, as in the text
    ax.margins(x=0.12)
    ax.set_axisbelow(True)  # no grid over the bars
    ax.grid(visible=False, axis="y")
    ax.set(xlabel=xlabel, title=title or "")
    if len(series) > 1:
        ax.legend()
    show(fig, alt)


def show_heat_map(values, *, rows, columns, xlabel, ylabel, alt, title=None):
    """Draw (len(rows), len(columns)) numbers as a map of colours, each number written in its cell.

    Raises ValueError when the numbers do not fit the names of the rows and columns.
    """
    check_alt(alt)
    values = torch.as_tensor(values, dtype=torch.float32).detach().cpu()
    if values.shape != (len(rows), len(columns)) or 0 in values.shape:
        expected = (len(rows), len(columns))
        raise ValueError(
            tr("expected one number for each row and column, {}, got {}", expected, brief(values))
        )
    fig, ax = plt.subplots(figsize=(min(14, 3 + 0.9 * len(columns)), 1.8 + 0.5 * len(rows)))
    image = ax.imshow(values.numpy(), cmap="cividis", aspect="auto")
    middle = (values.min() + values.max()) / 2
    for row, numbers in enumerate(values):
        for column, number in enumerate(numbers):
            colour = "black" if number > middle else "white"
            ax.text(column, row, f"{number:.3g}", ha="center", va="center", color=colour, size=13)
    ax.set_xticks(range(len(columns)), [str(name) for name in columns])
    ax.set_yticks(range(len(rows)), [str(name) for name in rows])
    ax.grid(visible=False)
    ax.set(xlabel=xlabel, ylabel=ylabel, title=title or "")
    fig.colorbar(image)
    show(fig, alt)


def show_points(clouds, *, alt, side=3.0):
    """Draw clouds of points side by side: `clouds` is {title: (N, 2)}, x to the right and y up.

    Points farther than `side` from the middle are not drawn. Raises ValueError when there is
    nothing to draw or a cloud has another shape.
    """
    check_alt(alt)
    for title, points in _named(clouds).items():
        if not torch.is_tensor(points) or points.ndim != 2 or points.shape[1] != 2:
            raise ValueError(tr("expected points (N, 2) for {!r}, got {}", title, brief(points)))
    width = min(14, 3 * len(clouds))
    fig, axes = plt.subplots(1, len(clouds), figsize=(width, width / len(clouds) + 0.4))
    for ax, (title, points) in zip(np.atleast_1d(axes), clouds.items(), strict=True):
        x, y = points.detach().cpu().float().unbind(1)
        ax.plot(x.numpy(), y.numpy(), ".", color=CLEAN, markersize=3, alpha=0.5)
        ax.set(xlim=(-side, side), ylim=(-side, side), aspect="equal", xticks=[], yticks=[])
        ax.set_title(str(title), fontsize=15)
        ax.spines[:].set_visible(True)
        ax.grid(visible=False)
    show(fig, alt)


def show_table(rows, columns, *, caption):
    """Show a table: `rows` is {name of the row: its cells}, `columns` names the cells.

    Numbers are shortened to three digits, everything else is shown as it is. `caption`, one
    sentence, stands above the table. Raises ValueError when a row has another length.
    """
    check_alt(caption)
    rows = _named(rows)
    for name, cells in rows.items():
        if len(cells) != len(columns):
            counts = len(columns), name, len(cells)
            raise ValueError(tr("expected {} cells in the row {!r}, got {}", *counts))
    cell = "padding:4px 12px;text-align:right;font-size:16px"
    heads = "".join(f'<th scope="col" style="{cell}">{escape(str(c))}</th>' for c in columns)
    lines = "".join(
        f'<tr><th scope="row" style="{cell};text-align:left">{escape(str(name))}</th>'
        + "".join(f'<td style="{cell}">{escape(_written(value))}</td>' for value in cells)
        + "</tr>"
        for name, cells in rows.items()
    )
    title = f'<caption style="text-align:left;font-size:16px">{escape(caption)}</caption>'
    head = f"<thead><tr><td></td>{heads}</tr></thead>"
    display(HTML(f'<table style="margin-left:0">{title}{head}<tbody>{lines}</tbody></table>'))


def _named(values):
    """A dict that is not empty, or one sentence."""
    if not isinstance(values, Mapping) or not values:
        raise ValueError(tr("expected something to show, {{label: values}}, got {}", brief(values)))
    return values


def _points(label, x, line):
    """The xs and ys of one line, as lists of numbers."""
    xs, ys = line if isinstance(line, tuple) and len(line) == 2 else (x, line)
    try:
        xs, ys = (torch.as_tensor(v).detach().cpu().double().tolist() for v in (xs, ys))
        fits = 0 < len(xs) == len(ys)
    except (TypeError, ValueError, RuntimeError):  # no numbers, or a single one
        fits = False
    if not fits:
        raise ValueError(tr("expected one number for each x of the line {!r}, at least one", label))
    return xs, ys


def _written(value):
    """A cell of a table as words: numbers with three digits."""
    value = value.item() if torch.is_tensor(value) and value.numel() == 1 else value
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def feature_maps(features, n=16, size=32):
    """The first n channels of features (C, H, W) as grey pictures (n, 1, size, size) in [-1, 1].

    Each map is stretched from its darkest value to its lightest; small ones are enlarged without
    smoothing. Raises ValueError on another shape, fewer than n channels, or an H and W that do not
    divide `size`.
    """
    check_floats(features, "C H W", "feature maps")
    n, size = check_count(n, "n"), check_count(size, "size", 1, LARGEST_MAP)
    channels, height, width = features.shape
    if channels < n or 0 in (height, width) or size % height or size % width:
        raise ValueError(
            tr(
                "expected at least {} channels whose height and width divide {}, got {}",
                *(n, size, brief(features)),
            )
        )
    maps = features[:n].detach().float().cpu()
    low, high = maps.amin((1, 2), keepdim=True), maps.amax((1, 2), keepdim=True)  # (n, 1, 1)
    maps = 2 * (maps - low) / (high - low).clamp(min=1e-6) - 1
    return repeat(maps, "c h w -> c 1 (h y) (w x)", y=size // height, x=size // width)


def to_uint8(images):
    """Turn (N, C, H, W) in [-1, 1], C = 1 or 3, into (N, H, W, 3) uint8, a numpy array.

    Values outside [-1, 1] are clamped. Raises ValueError on a wrong shape, an empty batch or NaN.
    """
    shape = tuple(getattr(images, "shape", ()))
    is_float = torch.is_tensor(images) and images.is_floating_point()
    if not is_float or len(shape) != 4 or shape[1] not in (1, 3) or images.is_meta:
        raise ValueError(
            tr(
                "expected pictures of shape (N, 3, 32, 32) in [-1, 1] (any height and width, 1 or "
                "3 channels, floats), got {}",
                brief(images),
            )
        )
    if 0 in shape:
        raise ValueError(tr("expected at least one picture, got an empty batch of shape {}", shape))
    images = images.detach().float().cpu()
    if not images.isfinite().all():
        broken = (~images.isfinite()).flatten(1).any(1).sum().item()
        raise ValueError(tr("got NaN or infinite numbers in {} of {} pictures", broken, shape[0]))
    bytes_ = ((images.clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8)
    return rearrange(bytes_.expand(-1, 3, -1, -1), "n c h w -> n h w c").numpy()  # (N, H, W, 3)


def png_data_uri(array):
    """Encode (H, W, 3) uint8 as a PNG that lives inside the page: `data:image/png;base64,...`."""
    check_bytes(array)
    png = io.BytesIO()
    Image.fromarray(array).save(png, format="png", optimize=True)
    return _data_uri(png)


def _data_uri(png):
    return "data:image/png;base64," + base64.b64encode(png.getvalue()).decode()


def check_alt(alt):
    if not isinstance(alt, str) or not alt.strip():
        raise ValueError(
            tr("expected alt, one sentence saying what the picture shows, got nothing")
        )


def check_bytes(array):
    """array, or one sentence unless it is one picture as a numpy array (H, W, 3) of bytes."""
    fits = isinstance(array, np.ndarray) and array.dtype == np.uint8 and array.ndim == 3
    if not fits or array.shape[2] != 3 or 0 in array.shape:
        raise ValueError(tr("expected one picture (H, W, 3) of bytes, got {}", brief(array)))
    return array


def check_captions(captions, n, each):
    """captions as a list of n str, or one sentence; each is "a picture" or "a frame"."""
    no_list = (str, bytes, Mapping, Set, torch.Tensor)
    if isinstance(captions, no_list) or not isinstance(captions, Iterable):
        raise ValueError(tr("expected a list of captions, one {}, got {}", each, brief(captions)))
    captions = [utf8_safe(words) for words in captions]
    if len(captions) != n:
        raise ValueError(tr("expected {} captions, one {}, got {}", n, each, len(captions)))
    return captions


def escape(words):
    """Words for a page: HTML in them is shown, and not obeyed."""
    return html.escape(utf8_safe(words))
