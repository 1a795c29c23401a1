"""Train the demiurge: the Sculptor with all three magics, which draws what the prompt says.

    python data/train_demiurge.py SECONDS [--weights FILE] [--out FILE]

It may be stopped and started again with the same SECONDS: it goes on from my_runs/. When the time
is spent, and the learning rate has fallen to zero, it writes FILE (default:
data/checkpoints/demiurge.safetensors). `--weights` starts from the weights of an earlier training,
with a fresh optimiser. What it reached: data/README.md.
"""

import argparse

import torch
import torch.nn.functional as F

from diffusion_helpers import UNet, load_checkpoint, load_emoji, save_checkpoint, train
from diffusion_helpers.data import DATA
from diffusion_helpers.text import Captions, load_words
from diffusion_helpers.training import denoising_loss

SEED = 0
WIDTHS = (32, 64, 128, 256)  # narrow where pictures are large, wide where knowledge fits cheaply
BLOCKS = 1  # a level and direction: half again as many pictures a second as two
BATCH = 64  # more steps beat calmer gradients
NAME = 0.6  # how often a picture is shown with its English name; the rest is shared equally by
# its Russian name and by keywords of both languages


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


def nudged_loss(model, x_0, rows, texts, schedule, generator, mine=slice(None)):
    """The usual lesson, but each picture is moved by up to a pixel: learn shapes, not places."""
    places = torch.randint(3, (len(rows), 2), generator=generator)[mine].tolist()
    white = F.pad(x_0, (1, 1, 1, 1), value=1.0)
    height, width = x_0.shape[2:]
    x_0 = torch.stack(
        [w[:, y : y + height, x : x + width] for w, (y, x) in zip(white, places, strict=True)]
    )
    return denoising_loss(model, x_0, rows, texts, schedule, generator, mine)


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
        loss_of=loss_of,
        checkpoint=wish.checkpoint,
        reports=max(10, round(wish.seconds / 300)),  # a checkpoint every five minutes
    )
    if run.finished:
        save_checkpoint(model, wish.out, steps=run.steps, seconds=round(run.seconds), seed=SEED)


if __name__ == "__main__":
    wish = wishes("demiurge")
    emoji = load_emoji().training()  # all six styles, held-out pairs left out
    teach(wish, WIDTHS, BLOCKS, BATCH, emoji, captions(emoji, load_words()), nudged_loss)
