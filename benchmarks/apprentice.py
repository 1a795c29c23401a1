"""How good is the apprentice? Fréchet distance, precision and recall, beside real against real.

    python benchmarks/apprentice.py            (about ten minutes on two cores)

N = 2,000 samples for each sampler, drawn once from the seeds 0 to 9, against 2,000 real emoji; the
floor is the same measurement between those and 2,000 other real ones. The +- says how far the
number moves when the samples are drawn again with replacement (bootstrap, 95 %). The result
stands in benchmarks/apprentice.txt. `python benchmarks/apprentice.py SHEET.png` also saves 100
samples.
"""

import argparse

import numpy as np
import torch
from einops import rearrange
from PIL import Image

from diffusion_helpers import (
    ddim,
    ddpm,
    extract_features,
    frechet_distance,
    load_checkpoint,
    load_emoji,
    nearest,
    precision_recall,
    sample,
)
from diffusion_helpers.authoring import commands
from diffusion_helpers.checks import say
from diffusion_helpers.widgets.figures import to_uint8

N, SEED = 2000, 0
BATCH = 200


def interval(real, fake, draws=40):
    generator = torch.Generator().manual_seed(SEED)
    again = [fake[torch.randint(N, (N,), generator=generator)] for _ in range(draws)]
    low, high = np.percentile([frechet_distance(real, f) for f in again], [2.5, 97.5])
    return (high - low) / 2  # only the width: repeated pictures move its centre up


def line(name, real, fake):
    precision, recall = precision_recall(real, fake)
    distance = frechet_distance(real, fake)
    return (
        f"{name:18} distance {distance:5.2f} +- {interval(real, fake):.2f}"
        f"  precision {precision:.3f}  recall {recall:.3f}"
    )


def save_sheet(pictures, path):
    sheet = rearrange(to_uint8(pictures), "(row col) h w c -> (row h) (col w) c", col=20)
    Image.fromarray(sheet).resize((sheet.shape[1] * 2, sheet.shape[0] * 2), 0).save(path)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("sheet", nargs="?", type=commands.picture_file, metavar="SHEET.png")
    wish = parser.parse_args()

    emoji = load_emoji()
    pictures = emoji.training().images
    order = torch.randperm(len(pictures), generator=torch.Generator().manual_seed(SEED))
    real, other = (extract_features(pictures[order[i : i + N]]) for i in (0, N))
    lines = [line("real against real", real, other)]
    model = load_checkpoint("apprentice")
    for sampler, steps in ((ddpm, 50), (ddpm, 20), (ddim, 50), (ddim, 20)):
        batches = [
            sample(model, steps=steps, sampler=sampler, seed=SEED + i, n=BATCH).cpu()
            for i in range(N // BATCH)
        ]
        fakes = torch.cat(batches)
        lines.append(line(f"{sampler.__name__}, {steps} steps", real, extract_features(fakes)))
        say(lines[-1])
        if len(lines) == 2:
            if wish.sheet:
                save_sheet(fakes[:100], wish.sheet)
            copies = nearest(fakes, pictures)[1]
            unseen = nearest(emoji.images[emoji.held_out], pictures)[1]
            lines.append(
                f"squared distance to the nearest training picture, median: samples "
                f"{copies.median():.3f}, real unseen emoji {unseen.median():.3f}"
            )
    text = "\n".join([f"N = {N}, seed {SEED}", *lines])
    say(text)
    with open("benchmarks/apprentice.txt", "w", encoding="utf-8") as file:
        file.write(text + "\n")


if __name__ == "__main__":
    main()
