"""Train the demiurge: the Sculptor with all three magics, which draws what the prompt says.

    python data/train_demiurge.py SECONDS [--weights FILE] [--out FILE]

It may be stopped and started again with the same SECONDS: it goes on from my_runs/. When the time
is spent, and the learning rate has fallen to zero, it writes FILE (default:
data/checkpoints/demiurge.safetensors). `--weights` starts from the weights of an earlier training,
with a fresh optimiser. What it reached: data/README.md.
"""

import argparse

import torch

from diffusion_helpers import UNet, load_checkpoint, load_emoji, save_checkpoint, train
from diffusion_helpers.data import DATA
from diffusion_helpers.text import Captions, load_words

SEED = 0
WIDTHS = (32, 64, 128, 256)  # narrow where pictures are large, wide where knowledge fits cheaply
BLOCKS = 1  # a level and direction: half again as many pictures a second as two
BATCH = 128  # one step of the optimiser costs as much as 25 pictures: share it
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


def wishes(name):
    """What the command line asks for, in all trainings of this folder that take a prompt."""
    parser = argparse.ArgumentParser()
    parser.add_argument("seconds", type=float)
    parser.add_argument("--weights", help="start from these weights, with a fresh optimiser")
    parser.add_argument("--out", default=DATA / "checkpoints" / f"{name}.safetensors")
    parser.add_argument("--checkpoint", default=f"my_runs/{name}_training.safetensors")
    return parser.parse_args()


def teach(wish, widths, blocks, batch, pictures, texts):
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
        reports=max(10, round(wish.seconds / 300)),  # a checkpoint every five minutes
    )
    if run.finished:
        save_checkpoint(model, wish.out, steps=run.steps, seconds=round(run.seconds), seed=SEED)


if __name__ == "__main__":
    wish = wishes("demiurge")
    emoji = load_emoji().training()  # all six styles, held-out pairs left out
    teach(wish, WIDTHS, BLOCKS, BATCH, emoji, captions(emoji, load_words()))
