"""What the controls on a page share: their style, and how pictures stand in them."""

import math
import re
from dataclasses import dataclass
from pathlib import Path

import torch
from einops import rearrange, repeat
from torch.nn.functional import pad

from ..checks import brief, check_count, printable, utf8_safe
from ..languages import marked, tr
from .figures import check_bytes, escape, png_data_uri, to_uint8

STATIC = Path(__file__).with_name("static")
CSS = (STATIC / "control.css").read_text("utf-8")
KEYS = (STATIC / "keys.js").read_text("utf-8")
# stands before the script of a control
KEEP = "".join((STATIC / name).read_text("utf-8") for name in ("gif.js", "keep.js"))
# Where a widget is alive on the same page, its still is hidden, whatever program shows the page; in
# a frame of its own the still stays. The second rule is for JupyterLab: where the kernel that made
# the widget is gone, the still stands alone, without the complaint about a missing widget.
ALIVE_OR_STILL = """
html:has(.sculptor[data-name="NAME"]) .sculptor[data-still-of="NAME"],
.jp-OutputArea-child:has(+ .jp-OutputArea-child .sculptor[data-still-of]):not(:has(.sculptor)) {
  display: none; }
"""
AGAIN = marked("With Shift: every control on this page starts over")  # the tip on "Start over"
FRAME = 0.0  # a grey that is seen beside white pictures and beside black ones


@dataclass(frozen=True)
class HtmlOutput:
    """What a cell displays: `page` as HTML, `summary` where there is only text."""

    page: str
    summary: str

    def _repr_html_(self):
        return utf8_safe(self.page)

    def __repr__(self):
        return printable(self.summary)


def as_html(text):
    """Text for the page, with `code` as code."""
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(text))


def as_frames(track, name):
    """(F, C, H, W) or (F, N, C, H, W) -> (F, H, W, 3) uint8, N pictures laid out as one."""
    floats = torch.is_tensor(track) and track.is_floating_point()
    if not floats or track.ndim not in (4, 5) or 0 in track.shape:
        raise ValueError(
            tr(
                "expected track {} of floats (F, C, H, W) or (F, N, C, H, W), got {}",
                brief(name),
                brief(track),
            )
        )
    shape = track.shape
    if len(shape) == 4:
        return to_uint8(track)
    n = shape[1]
    if n == 1:
        return to_uint8(track[:, 0])
    rows = math.isqrt(n)
    columns = math.ceil(n / rows)
    track = pad(track, (0, 1, 0, 1), value=FRAME)  # one pixel between neighbours
    track = pad(track, (0, 0, 0, 0, 0, 0, 0, rows * columns - n), value=FRAME)  # the last row
    track = rearrange(track, "f (r n) c h w -> f c (r h) (n w)", r=rows)  # (F, C, rows H, cols W)
    return to_uint8(track[..., :-1, :-1])  # no gap after the last


def static_image(name, picture, caption, height):
    """The start frame as a plain <img>, which the script replaces with a canvas."""
    h, w, _ = check_bytes(picture).shape
    check_count(height, "height")
    scale = max(1, round(height / h))  # whole multiples keep every pixel the same square
    picture = repeat(picture, "h w c -> (h tall) (w wide) c", tall=scale, wide=scale)
    name, caption = escape(name), escape(caption)
    # The style is for JupyterLab without trust, which drops our <style> but keeps this.
    return f"""<figure style="display:inline-block;margin:0 16px 0 0;--wide:{w * scale}px">
<figcaption>{name}</figcaption>
<img class="picture" alt="{name}: {caption}" width="{w * scale}" height="{h * scale}"
 src="{png_data_uri(picture)}">
</figure>"""


def stage(images, sizes, height, panel):
    """Pictures, `images` of HTML, and a panel with what belongs to them: beside or below them.

    `sizes` are the (width, height) of the pictures, of which the widest decides on their places.
    """
    w, h = max(sizes, key=lambda size: size[0] * max(1, round(height / size[1])))
    n, wide = len(images), w * max(1, round(height / h))
    style = f"--n:{n};--count:{n};--wide:{wide}px;--ratio:{w / h:.3f}"
    return f"""<div class="stage"><div class="pictures" style="{style}">{"".join(images)}</div>
<div class="panel">{panel}</div></div>"""
