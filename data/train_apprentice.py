"""Train the apprentice: the simple Sculptor, blind to the step, without attention and without text.

    python data/train_apprentice.py SECONDS      (about 90 minutes on one core: 5000)

It may be stopped and started again with the same SECONDS: it goes on from my_runs/. When the time
is spent it writes data/checkpoints/apprentice.safetensors. What it reached: data/README.md.
"""

import argparse

import torch

from diffusion_helpers import UNet, load_emoji, save_checkpoint, train
from diffusion_helpers.authoring import commands
from diffusion_helpers.data import DATA

SEED = 0
WIDTHS = (32, 64, 128)  # narrow at full resolution, where most of the time goes
CHECKPOINT = "my_runs/apprentice_training.safetensors"


def main(seconds):
    torch.manual_seed(SEED)
    model = UNet(widths=WIDTHS, blocks=2, time=False)
    emoji = load_emoji().training()  # all six styles, held-out pairs left out
    run = train(model, emoji, seconds=seconds, seed=SEED, checkpoint=CHECKPOINT, reports=60)
    if run.finished:
        path = DATA / "checkpoints" / "apprentice.safetensors"
        save_checkpoint(model, path, steps=run.steps, seconds=round(run.seconds), seed=SEED)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("seconds", type=commands.seconds)
    main(parser.parse_args().seconds)
