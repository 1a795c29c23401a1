"""Pictures that the browser writes are what was seen, pixel by pixel; the buttons themselves are
pressed in test_browser.py."""

import base64
import io

import numpy as np
import pytest
from page_objects import pictures_in
from PIL import Image

from diffusion_helpers import add_noise, cosine_schedule, load_emoji, pure_noise
from diffusion_helpers.languages.javascript import with_texts
from diffusion_helpers.widgets.figures import to_uint8
from diffusion_helpers.widgets.html import KEEP

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
        f'<meta charset="utf-8"><body><p id="place"></p><script>{with_texts(KEEP)}</script>',
        "utf-8",
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


def test_an_animation_holds_all_frames_pixel_by_pixel(page):
    image = opened(page, "animate(shots)")
    assert image.format == "PNG" and image.is_animated and image.n_frames == 1 + len(FRAMES)
    assert image.mode == "RGB" and image.info["loop"] == 0
    assert (
        np.stack(pictures_in(image, (6, 9), (6, 9))) == FRAMES[-1]
    ).all()  # the finished one, where nothing can move
    durations = []
    for i, frame in enumerate(FRAMES, start=1):
        image.seek(i)
        assert (np.stack(pictures_in(image, (6, 9), (6, 9))) == frame).all()
        durations.append(image.info["duration"])
    assert durations == [700, 400, 400, 400, 2500]


def test_what_is_said_is_in_the_picture_and_nothing_is_cut_off(page):
    """More words make it taller; as wide as the pictures it stays."""
    width, height = page.evaluate(
        "(() => { const c = painter(shots[0], [shots[0].caption])(shots[0]);"
        " return [c.width, c.height]; })()"
    )
    assert width == 16 + 2 * (9 * 43 + 16)
    tall = page.evaluate("""() => {
      const shot = { ...shots[0], caption: "a picture of an apple and a boat ".repeat(9) };
      const canvas = painter(shot, [shot.caption])(shot);
      return [canvas.width, canvas.height];
    }""")
    assert tall[0] == width and tall[1] == height + 3 * 25  # four lines


def test_a_gif_holds_all_frames_and_the_colours_of_emoji(page):
    """256 colours a frame: few pictures lose more than the eye sees, and noise stays noise."""
    clean = load_emoji().images[[700, 4000]]  # of two styles
    eps, schedule = pure_noise(2, seed=1), cosine_schedule()
    story = [add_noise(clean, t, eps, schedule) for t in (999, 600, 300, 100)] + [clean]
    frames = np.stack([to_uint8(pictures) for pictures in story])
    page.evaluate(SHOTS, frames.tolist())
    image = opened(page, "animateGif(shots)")
    assert image.format == "GIF" and image.n_frames == len(frames) and image.info["loop"] == 0
    durations, lost = [], []
    for i, frame in enumerate(frames):
        image.seek(i)
        shown = np.stack(pictures_in(image, (32, 32), (32, 32))).astype(int)
        lost.append(np.abs(shown - frame))
        durations.append(image.info["duration"])
    assert durations == [700, 400, 400, 400, 2500]
    assert lost[-1].mean() < 1 and lost[-1].max() <= 12
    assert all(each.mean() < 12 for each in lost)


@pytest.mark.parametrize(
    "caption, name",
    [
        ("a red apple, step 20 of 20", "a red apple, step 20 of 20.png"),
        ("красное яблоко", "красное яблоко.png"),
        ('../a\\b: "c" <d>? *|\n', "a b c d.png"),
        ("", "picture.png"),
        (" . ", "picture.png"),
        ("🍎" * 99, "🍎" * 80 + ".png"),
    ],
)
def test_names_of_files_fit_every_disk(page, caption, name):
    assert page.evaluate("fileName", caption) == name


def test_an_old_browser_gets_one_sentence(page):
    said = page.evaluate("""async () => {
      const had = CompressionStream;
      window.CompressionStream = undefined;
      const said = await animate(shots).catch(({ message }) => message);
      window.CompressionStream = had;
      return said;
    }""")
    assert said == "This browser is too old to write an animation: save the picture instead."
