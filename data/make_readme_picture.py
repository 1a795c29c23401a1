"""Draw the moving pictures of the README, data/readme/: the demiurge follows eight prompts, and the
apprentice, which hears none, draws what it likes. Seed 0.

python data/make_readme_picture.py
"""

import torch
from einops import rearrange
from matplotlib.font_manager import findfont
from PIL import Image, ImageDraw, ImageFont

from diffusion_helpers import ddim, ddpm, load_checkpoint, pure_noise
from diffusion_helpers.checks import say
from diffusion_helpers.data import DATA
from diffusion_helpers.sampling import guided
from diffusion_helpers.widgets.figures import to_uint8
from diffusion_helpers.words import load_words

PROMPTS = ("a red apple", "зелёное дерево", "a rocket", "синее сердце")
PROMPTS += ("a sunflower", "пончик", "a mushroom", "жёлтая звезда")
COLUMNS = 4
SIDE = 4 * 32  # of a picture with a prompt, in pixels
GAP, LINE = 16, 34  # between pictures, and the height of a prompt below one
INK, PAPER = "#1a1a1a", "#ffffff"


def with_prompts(pictures, font):
    """A frame: each picture with its prompt below."""
    rows = -(-len(pictures) // COLUMNS)
    size = GAP + COLUMNS * (SIDE + GAP), GAP + rows * (SIDE + LINE)
    frame = Image.new("RGB", size, PAPER)
    draw = ImageDraw.Draw(frame)
    for i, (array, prompt) in enumerate(zip(to_uint8(pictures), PROMPTS, strict=True)):
        x, y = GAP + i % COLUMNS * (SIDE + GAP), GAP + i // COLUMNS * (SIDE + LINE)
        frame.paste(Image.fromarray(array).resize((SIDE, SIDE), 0), (x, y))
        draw.text((x + SIDE / 2, y + SIDE + 14), prompt, INK, font, anchor="mm")
    return frame


def demiurge():
    """Eight prompts, four in each language, in every second of 20 steps."""
    model = guided(load_checkpoint("demiurge"), load_words().encode(list(PROMPTS), "noto"))
    steps = list(ddim(model, pure_noise(len(PROMPTS)), steps=20))
    pictures = [step.x_t.cpu() for step in steps[::2]] + [steps[-1].clean.cpu()]
    font = ImageFont.truetype(findfont("DejaVu Sans"), 15)  # it comes with matplotlib
    return [with_prompts(few.clamp(-1, 1), font) for few in pictures]


def apprentice():
    """24 pictures without a prompt, in every sixth of 60 steps."""
    steps = list(ddpm(load_checkpoint("apprentice"), pure_noise(24), steps=60))
    return [sheet(step.x_t.cpu()) for step in steps[::6]] + [sheet(steps[-1].clean.cpu())]


def sheet(pictures):
    array = rearrange(to_uint8(pictures), "(row col) h w c -> (row h) (col w) c", col=8)
    return Image.fromarray(array).resize((array.shape[1] * 3, array.shape[0] * 3), 0)


def save(name, frames, pace, colours):
    """Write an animation; `colours` of all frames but the last, which has twice as many."""
    frames = [f.quantize(colours) for f in frames[:-1]] + [frames[-1].quantize(2 * colours)]
    path = DATA / "readme" / name
    durations = [pace] * (len(frames) - 1) + [3000]  # milliseconds; the result stays a while
    frames[0].save(path, save_all=True, append_images=frames[1:], duration=durations, loop=0)
    say(f"{path}: {path.stat().st_size / 1e6:.1f} MB")


def main():
    torch.manual_seed(0)
    save("creation.gif", apprentice(), 250, 48)
    save("prompts.gif", demiurge(), 250, 64)


if __name__ == "__main__":
    main()
