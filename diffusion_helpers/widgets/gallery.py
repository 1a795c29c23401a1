"""What you made and want to keep: one file a creation, in `gallery/` beside the notebooks.

Each file is a PNG. One with several frames is an animated PNG: a program that cannot move it shows
the finished picture. What the picture is called and how it was made stand in the file as text.
"""

import io
import os
import re
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from types import NoneType
from urllib.parse import quote

import numpy as np
from einops import repeat
from IPython.display import display
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from ..checks import brief, check_kind, utf8_safe
from ..languages import marked, spoken, tr, trn
from .figures import check_bytes, escape, png_data_uri
from .html import CSS, HtmlOutput, as_frames

FOLDER = "gallery"
SIDE = 256  # pixels: smaller pictures are enlarged by whole numbers, so that each pixel stays sharp
GAP = 4  # grey pixels between neighbours
SHOWN = 24  # pictures on a page, the newest
LONGEST = 50  # letters of a file's name: 200 bytes, whatever the language
LONGEST_TEXT = 300  # letters of what stands in a file
FIRST, LAST = 700, 2500  # ms: how long the frame before all others and the finished one stay
EMPTY = marked(
    "Nothing is kept yet. Press Keep below a live picture in any lesson, then run this cell again."
)
LATER = marked("What you keep later stands here when this cell runs again.")


def keep(pictures, caption, frames=(), settings=None):
    """Write `pictures` side by side into a new file of the gallery; returns its path.

    pictures   {name: picture}, each (C, H, W) or (N, C, H, W) in [-1, 1], or bytes (H, W, 3); of
               those that look the same only the first is kept
    caption    what the file and the picture are called
    frames     dicts like `pictures`, how they came to be: the file becomes an animation
    settings   {name: value}, how they were made, kept in the file as text
    No file is ever overwritten. Raises ValueError when something does not fit, or when the disk
    refuses the file.
    """
    check_kind(caption, str, tr("a caption in words"))
    check_kind(settings, (dict, NoneType), tr("settings as a dict"))
    check_kind(frames, (list, tuple), tr("frames as a list of dicts"))
    columns = _arrays(pictures)
    story = [_arrays(frame) for frame in frames]
    names = _unlike(columns)
    for frame in story:
        if any(name not in frame or frame[name].shape != columns[name].shape for name in names):
            raise ValueError(tr("expected frames of the columns {} in one size each", brief(names)))
    still, *moving = (_sheet([frame[name] for name in names]) for frame in (columns, *story))
    return _write_new(_png(still, moving, caption, settings or {}), caption)


def show_gallery():
    """Show what was kept, the newest first, each with its name and how it was made."""
    pictures, damaged, left = [], [], _files()
    while left and len(pictures) < SHOWN:
        path = left.pop(0)
        try:
            pictures.append(_figure(path))
        except Exception:  # Pillow's readers have a hundred ways to fail
            damaged.append(path.name)
    said = [tr(LATER if pictures else EMPTY)]
    if left:
        said.append(tr("And {} more in {}/.", len(left), FOLDER))
    if damaged:
        said.append(tr("Not shown, because no picture can be read: {}.", ", ".join(damaged)))
    sentences = "".join(f'<p class="caption">{escape(sentence)}</p>' for sentence in said)
    kept = tr("What you kept")
    page = f"""
<div class="sculptor gallery" lang="{spoken().code}" role="group" aria-label="{kept}">
<style>{CSS}</style>
<div class="kept">{"".join(pictures)}</div>
{sentences}</div>"""
    n, words = len(pictures), " ".join(said)
    summary = trn("Gallery: {} picture. {}", "Gallery: {} pictures. {}", n, n, words)
    display(HtmlOutput(page, summary.strip()))


def _arrays(pictures):
    """{name: (H, W, 3) uint8} of what a drawing function gives."""
    if not isinstance(pictures, dict) or not pictures:
        raise ValueError(
            tr("expected pictures as a dict, {{name: picture}}, got {}", brief(pictures))
        )
    return {
        name: check_bytes(p) if isinstance(p, np.ndarray) else _array(p, name)
        for name, p in pictures.items()
    }


def _array(picture, name):
    if not hasattr(picture, "ndim") or picture.ndim not in (3, 4):
        raise ValueError(tr("expected a picture (C, H, W) or (N, C, H, W), got {}", brief(picture)))
    return as_frames(picture[None], name)[0]


def _unlike(columns):
    """The names of the columns without those that show the same as one before."""
    names = []
    for name, array in columns.items():
        if not any(np.array_equal(array, columns[known]) for known in names):
            names.append(name)
    return names


def _sheet(arrays):
    """Pictures side by side, enlarged without smoothing: (H, W, 3) uint8."""
    scales = [max(1, round(SIDE / array.shape[0])) for array in arrays]
    big = [repeat(a, "h w c -> (h y) (w x) c", y=n, x=n) for a, n in zip(arrays, scales)]
    height, gaps = max(len(array) for array in big), GAP * (len(big) - 1)
    sheet = np.full((height, gaps + sum(array.shape[1] for array in big), 3), 128, np.uint8)
    x = 0
    for array in big:
        sheet[: len(array), x : x + array.shape[1]] = array
        x += array.shape[1] + GAP
    return sheet


def _png(still, moving, caption, settings):
    """The bytes of the file. The still picture is not part of the animation."""
    told = PngInfo()
    told.add_itxt("Title", one_line(caption))
    how = "\n".join(f"{one_line(name)}: {one_line(value)}" for name, value in settings.items())
    told.add_itxt("Settings", how)
    told.add_itxt("Creation Time", datetime.now().astimezone().isoformat(timespec="seconds"))
    told.add_itxt("Software", "Sculptor of Chaos")
    story = {}
    if len(moving) > 1:
        pace = max(60, min(400, 5000 // len(moving)))  # ms a frame, as the scrubber plays
        story = {
            "save_all": True,
            "default_image": True,
            "append_images": [Image.fromarray(sheet) for sheet in moving],
            "duration": [FIRST, *[pace] * (len(moving) - 2), LAST],
            "loop": 0,  # again and again
        }
    png = io.BytesIO()
    Image.fromarray(still).save(png, "PNG", pnginfo=told, **story)
    return png.getvalue()


def _write_new(content, caption):
    """Write the file whole or not at all, under the next number."""
    folder = Path(FOLDER)
    name = " ".join(re.sub(r'[\\/:*?"<>|]+', " ", one_line(caption)).split())
    name = name[:LONGEST].strip(" .") or tr("picture")
    half_written = folder / f"{os.getpid()}.part"  # two notebooks may keep at once
    path = None
    try:
        folder.mkdir(exist_ok=True)
        half_written.write_bytes(content)
        number = max(map(_number, _files()), default=0) + 1
        taken = folder / f"{number:04d} {name}.png"
        taken.open("xb").close()  # fails where another notebook was faster
        path = taken
        os.replace(half_written, path)
    except OSError as error:
        for broken in (half_written, path):
            with suppress(OSError, AttributeError):
                broken.unlink()
        raise ValueError(
            tr(
                "the picture cannot be written into {} ({}): it still stands here, and "
                '"Save picture" puts it among your browser\'s downloads',
                folder.resolve(),
                error.strerror,
            )
        ) from None
    return path


def _files():
    """The files of the gallery, the newest first."""
    return sorted(Path(FOLDER).glob("*.png"), key=lambda p: (_number(p), p.name), reverse=True)


def _number(path):
    return int(re.match("[0-9]{0,9}", path.name)[0] or 0)


def _figure(path):
    """A picture of the gallery for the page: it stands still, and a link leads to the file."""
    with Image.open(path, formats=["PNG"]) as image:
        moves, told = getattr(image, "is_animated", False), dict(image.text)
        still = image.convert("RGB")
    still.thumbnail((1024, 1024))  # a file may have come from elsewhere
    title = told.get("Title") or path.stem
    how = (
        line for line in told.get("Settings", "").splitlines() if not line.endswith(f": {title}")
    )
    title, how = escape(title), escape(", ".join(how))
    link = tr("Open the animation") if moves else tr("Open the picture")
    return f"""<figure>
<img class="picture" height="192" alt="{title}" src="{png_data_uri(np.array(still))}">
<figcaption>{title}</figcaption>
<p>{how}</p>
<a href="{quote(f"{FOLDER}/{path.name}")}" aria-label="{link}: {title}">{link}</a>
</figure>"""


def one_line(words):
    """Words as one line that a file can hold."""
    return " ".join(re.sub(r"[\x00-\x1f\x7f]+", " ", utf8_safe(words)).split())[:LONGEST_TEXT]
