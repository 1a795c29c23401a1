"""Record a training of a wider network for lesson 03, which trains a narrower one live.

python data/record_live.py "2 cores, AMX"        (85 seconds; the words say which machine)
"""

import argparse

import torch

from diffusion_helpers import UNet, ddpm, load_emoji, train
from diffusion_helpers.checkpoints import save_tensors
from diffusion_helpers.data import DATA
from diffusion_helpers.widgets.figures import to_uint8
from diffusion_helpers.widgets.training_report import LiveReport

SECONDS, REPORTS, PICTURES = 85, 12, 8


def is_face(name, keywords, group):
    return group == "smileys-emotion" and "face" in name + " ".join(keywords)


def main(machine):
    emoji = load_emoji().training()
    faces = emoji.where(
        [is_face(*x) for x in zip(emoji.names, emoji.keywords, emoji.groups, strict=True)]
    )
    torch.manual_seed(0)
    model = UNet(widths=(32, 64, 96), blocks=1, time=False)
    watch = LiveReport(n=PICTURES, sampler=ddpm, steps=30)
    train(model, faces.images, seconds=SECONDS, report=watch, reports=REPORTS)
    steps, seconds, pictures = zip(*watch.history, strict=True)
    pictures = torch.stack([torch.from_numpy(to_uint8(p)) for p in pictures])  # (F, N, H, W, C)
    notes = {"machine": machine, "steps": steps, "seconds": [round(s) for s in seconds]}
    path = DATA / "recorded" / "lesson_03_live.safetensors"
    save_tensors(path, {"pictures": pictures}, notes)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("machine", help='in a few words: "2 cores, AMX"')
    main(parser.parse_args().machine)
