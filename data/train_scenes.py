"""Train the painter of scenes: two shapes where the words say, in the right order.

    python data/train_scenes.py SECONDS [--weights FILE] [--out FILE]

It may be stopped and started again with the same SECONDS: it goes on from my_runs/. When the time
is spent it writes FILE (default: data/checkpoints/scenes.safetensors). What it reached:
data/README.md.
"""

import argparse

import torch

from diffusion_helpers import UNet, load_checkpoint, save_checkpoint, train
from diffusion_helpers.data import DATA
from diffusion_helpers.scenes import captions, other_side, scenes
from diffusion_helpers.text import Captions, load_words

SEED = 0
WIDTHS = (32, 64, 128)
BLOCKS = 1
BATCH = 64  # the pictures are simple; more steps pay better than calmer ones
SCENES = 20_000  # far more than the 4,000 or so captions: no two scenes stand at the same places
ENGLISH = 0.3  # how often each of the two English sentences is said; the rest is Russian


def all_captions(attributes, words):
    """Each scene told from both sides, in both languages."""
    sides = (attributes, other_side(attributes))
    told = [captions(side, language) for language in ("en", "ru") for side in sides]
    shares = [[ENGLISH, ENGLISH, 0.5 - ENGLISH, 0.5 - ENGLISH]] * len(attributes)
    texts = [list(four) for four in zip(*told, strict=True)]
    return Captions(words, texts, [None] * len(attributes), shares)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("seconds", type=float)
    parser.add_argument("--weights", help="start from these weights, with a fresh optimiser")
    parser.add_argument("--out", default=DATA / "checkpoints" / "scenes.safetensors")
    parser.add_argument("--checkpoint", default="my_runs/scenes_training.safetensors")
    wish = parser.parse_args()

    torch.manual_seed(SEED)
    if wish.weights:
        model = load_checkpoint(wish.weights)
    else:
        model = UNet(widths=WIDTHS, blocks=BLOCKS, attention=True, text=True)
    drawn = scenes(SCENES, SEED)
    run = train(
        model,
        drawn.images,
        seconds=wish.seconds,
        texts=all_captions(drawn.attributes, load_words()),
        seed=SEED,
        batch=BATCH,
        checkpoint=wish.checkpoint,
        reports=max(10, round(wish.seconds / 300)),  # a checkpoint every five minutes
    )
    if run.finished:
        save_checkpoint(model, wish.out, steps=run.steps, seconds=round(run.seconds), seed=SEED)


if __name__ == "__main__":
    main()
