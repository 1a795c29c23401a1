"""Draw data/readme/creation.gif, the moving picture of the README: the apprentice at work, seed 0.

python data/make_readme_picture.py
"""

import torch
from einops import rearrange
from PIL import Image

from diffusion_helpers import ddpm, load_checkpoint, pure_noise
from diffusion_helpers.checks import say
from diffusion_helpers.data import DATA
from diffusion_helpers.widgets.figures import to_uint8

SCALE = 3


def sheet(pictures):
    array = rearrange(to_uint8(pictures), "(row col) h w c -> (row h) (col w) c", col=8)
    return Image.fromarray(array).resize((array.shape[1] * SCALE, array.shape[0] * SCALE), 0)


def main():
    torch.manual_seed(0)
    steps = list(ddpm(load_checkpoint("apprentice"), pure_noise(24), steps=60))
    frames = [sheet(step.x_t.cpu()) for step in steps[::3]] + [sheet(steps[-1].clean.cpu())]
    frames = [frame.quantize(64) for frame in frames]
    path = DATA / "readme" / "creation.gif"
    durations = [150] * (len(frames) - 1) + [3000]  # milliseconds; the result stays a while
    frames[0].save(path, save_all=True, append_images=frames[1:], duration=durations, loop=0)
    say(f"{path}: {path.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
