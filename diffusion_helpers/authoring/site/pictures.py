"""The icon of the site and the picture that stands beside a shared link, both by the demiurge."""

import base64
import io
from pathlib import Path

from PIL import Image

PREVIEW = "preview.png"
PICTURE = Path(__file__).resolve().parents[3] / "data" / "readme" / "prompts.gif"
APPLE = (16, 16, 144, 144)  # the place of the first of its eight pictures


def _png(picture):
    made = io.BytesIO()
    picture.save(made, "PNG", optimize=True)
    return made.getvalue()


def preview() -> bytes:
    """Eight pictures with their prompts, a PNG: the last frame of the README's moving picture."""
    with Image.open(PICTURE) as frames:
        frames.seek(frames.n_frames - 1)
        return _png(frames.convert("RGB"))


def favicon() -> str:
    """The apple among them as a data URI."""
    with Image.open(io.BytesIO(preview())) as picture:
        apple = _png(picture.crop(APPLE).resize((32, 32), Image.Resampling.NEAREST).quantize(32))
    return "data:image/png;base64," + base64.b64encode(apple).decode()
