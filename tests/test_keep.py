"""Save, animate, pin, keep: what comes out is what was seen, pixel by pixel."""

import base64
import io

import numpy as np
import pytest
from PIL import Image

from diffusion_helpers.widgets.html import STATIC

KEEP = (STATIC / "keep.js").read_text("utf-8")
GAP, TOP = 16, 41  # of a saved picture with titles of one line
DICE = np.random.default_rng(0)
FRAMES = DICE.integers(0, 256, (5, 2, 6, 9, 3), dtype=np.uint8)  # five shots of two columns
SHOTS = """(frames) => {
  window.shots = frames.map((columns, i) => ({
    caption: `step ${i + 1} of ${frames.length}`,
    columns: columns.map((rows, j) => {
      const canvas = document.createElement("canvas");
      [canvas.width, canvas.height] = [rows[0].length, rows.length];
      const bytes = Uint8ClampedArray.from(rows.flat().flatMap((rgb) => [...rgb, 255]));
      canvas.getContext("2d").putImageData(new ImageData(bytes, canvas.width), 0, 0);
      return { name: `column ${j + 1}`, canvas };
    }),
  }));
}"""
BYTES = """async (blob) => {
  const reader = new FileReader();
  await new Promise((done) => { reader.onload = done; reader.readAsDataURL(blob); });
  return reader.result.split(",")[1];
}"""


@pytest.fixture(scope="module")
def page(visit, tmp_path_factory):
    """A page with our script and five shots, and nothing else."""
    path = tmp_path_factory.mktemp("keep") / "page.html"
    path.write_text(
        f'<meta charset="utf-8"><body><p id="place"></p><script>{KEEP}</script>', "utf-8"
    )
    with visit() as tab:
        tab.page.goto(path.as_uri())
        tab.page.evaluate(SHOTS, FRAMES.tolist())
        yield tab.page
        tab.check_quiet()


def opened(page, blob):
    """What a blob of the page holds, as Pillow reads it."""
    content = page.evaluate(f"async () => ({BYTES})(await {blob})")
    return Image.open(io.BytesIO(base64.b64decode(content)))


def columns_of(image):
    """The two pictures in a saved one, (2, 6, 9, 3), after checking that their pixels are crisp."""
    pixels = np.array(image.convert("RGB"))
    found = []
    for left in (GAP, GAP + 9 * 43 + GAP):
        enlarged = pixels[TOP : TOP + 6 * 43, left : left + 9 * 43]
        small = enlarged[::43, ::43]
        assert (enlarged == small.repeat(43, 0).repeat(43, 1)).all()
        found.append(small)
    return np.stack(found)


def test_an_animation_holds_all_frames_pixel_by_pixel(page):
    image = opened(page, "animate(shots)")
    assert image.format == "PNG" and image.is_animated and image.n_frames == 1 + len(FRAMES)
    assert image.mode == "RGB" and image.info["loop"] == 0
    assert (columns_of(image) == FRAMES[-1]).all()  # the finished one, where nothing can move
    durations = []
    for i, frame in enumerate(FRAMES, start=1):
        image.seek(i)
        assert (columns_of(image) == frame).all()
        durations.append(image.info["duration"])
    assert durations == [700, 400, 400, 400, 2500]
