"""Train the demiurge: the Sculptor with all three magics, which draws what the prompt says.

    python data/train_demiurge.py SECONDS [--weights FILE] [--out FILE]

It may be stopped and started again with the same SECONDS: it goes on from my_runs/. When the time
is spent, and the learning rate has fallen to zero, it writes FILE (default:
data/checkpoints/demiurge.safetensors). `--weights` starts from the weights of an earlier training,
with a fresh optimiser. What it reached: data/README.md.
"""

import argparse
from dataclasses import replace

import torch
import torch.nn.functional as F
from einops import rearrange, repeat

from diffusion_helpers import UNet, load_checkpoint, load_emoji, save_checkpoint, train
from diffusion_helpers.data import DATA
from diffusion_helpers.text import MAX_WORDS, Captions, load_words
from diffusion_helpers.training import denoising_loss

SEED = 0
WIDTHS = (32, 64, 128, 256)  # narrow where pictures are large, wide where knowledge fits cheaply
BLOCKS = 1  # a level and direction: half again as many pictures a second as two
BATCH = 128  # one step of the optimiser costs as much as 25 pictures: share it
NAME = 0.6  # how often a picture is shown with its English name; the rest is shared equally by
# its Russian name and by keywords of both languages
CHANGES = ("mirrored", "turned", "tiny", "painted")  # what is done to a picture, and told
ALTERED = 0.5  # share of pictures that may be altered; of these, each change happens to 40 %


def captions(emoji, words):
    """For each picture its names and its keywords, in both languages, and how often each."""
    texts, shares = [], []
    for name, name_ru, keywords, keywords_ru in zip(
        emoji.names, emoji.names_ru, emoji.keywords, emoji.keywords_ru, strict=True
    ):
        rest = [*keywords, *keywords_ru] or [name]
        texts.append([name, name_ru, *rest])
        other = (1 - NAME) / 2
        shares.append([NAME, other] + [other / len(rest)] * len(rest))
    return Captions(words, texts, emoji.styles, shares)


class Altered:
    """Captions that also tell how their pictures were altered; see `altered_loss`."""

    def __init__(self, texts, told):
        self.texts, self.told = texts, told  # told (B, len(CHANGES)) bool

    def draw(self, rows, generator):
        """One caption a picture, and behind it the words for what was done to the picture."""
        text = self.texts.draw(rows, generator)
        vectors, mask = text.vectors.clone(), text.mask.clone()
        said = load_words().encode(" ".join(CHANGES)).vectors[0]
        for told, vector in zip(self.told.T, said, strict=False):
            end = mask.sum(1)
            hears = torch.where(told & (end < MAX_WORDS))[0]
            vectors[hears, end[hears]], mask[hears, end[hears]] = vector, True
        return replace(text, vectors=vectors, mask=mask)


def altered_loss(model, x_0, rows, texts, schedule, generator, mine=slice(None)):
    """`denoising_loss` of pictures that never look quite the same, so that none can be learned by
    heart.

    Every picture is shifted by up to a pixel, which nobody sees. Half of them are altered beyond
    that, and their captions say so: what is told in the condition does not leak into what other
    prompts draw (arXiv 2206.00364, section 5: non-leaky augmentation).
    """
    n = len(rows)
    told = torch.rand(n, len(CHANGES), generator=generator) < 0.4
    told &= torch.rand(n, 1, generator=generator) < ALTERED
    mirrored, turned, tiny, painted = told.T
    shift = torch.randint(-1, 2, (n, 2), generator=generator) * 2 / x_0.shape[-1]
    angle = (torch.rand(n, generator=generator) - 0.5) * turned  # radians: up to 30 degrees
    scale = 1 + torch.rand(n, generator=generator) * 0.8 * tiny
    palette = torch.stack([torch.randperm(3, generator=generator) for _ in range(n)])
    palette = torch.where(rearrange(painted, "b -> b 1"), palette, torch.arange(3))

    cos, sin, side = angle.cos() * scale, angle.sin() * scale, 1 - 2.0 * mirrored
    matrix = torch.stack([side * cos, -side * sin, shift[:, 0], sin, cos, shift[:, 1]], 1)
    matrix = rearrange(matrix, "b (row column) -> b row column", row=2)[mine].to(x_0)
    grid = F.affine_grid(matrix, x_0.shape, align_corners=False)
    moved = F.grid_sample(x_0 - 1, grid, align_corners=False) + 1  # white comes in at the edges
    colours = repeat(palette[mine], "b c -> b c h w", h=x_0.shape[2], w=x_0.shape[3])
    moved = moved.gather(1, colours.to(moved.device))
    return denoising_loss(model, moved, rows, Altered(texts, told), schedule, generator, mine)


def wishes(name):
    """What the command line asks for, in all trainings of this folder that take a prompt."""
    parser = argparse.ArgumentParser()
    parser.add_argument("seconds", type=float)
    parser.add_argument("--weights", help="start from these weights, with a fresh optimiser")
    parser.add_argument("--out", default=DATA / "checkpoints" / f"{name}.safetensors")
    parser.add_argument("--checkpoint", default=f"my_runs/{name}_training.safetensors")
    return parser.parse_args()


def teach(wish, widths, blocks, batch, pictures, texts, loss_of=denoising_loss):
    """Train a network with all three magics as wished, and save it when the time is spent."""
    torch.manual_seed(SEED)
    if wish.weights:
        model = load_checkpoint(wish.weights)
    else:
        model = UNet(widths=widths, blocks=blocks, attention=True, text=True)
    run = train(
        model,
        pictures,
        seconds=wish.seconds,
        texts=texts,
        seed=SEED,
        batch=batch,
        checkpoint=wish.checkpoint,
        loss_of=loss_of,
        reports=max(10, round(wish.seconds / 300)),  # a checkpoint every five minutes
    )
    if run.finished:
        save_checkpoint(model, wish.out, steps=run.steps, seconds=round(run.seconds), seed=SEED)


if __name__ == "__main__":
    wish = wishes("demiurge")
    emoji = load_emoji().training()  # all six styles, held-out pairs left out
    teach(wish, WIDTHS, BLOCKS, BATCH, emoji, captions(emoji, load_words()), altered_loss)
