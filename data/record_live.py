"""Record the live training of lesson 03, for machines that are too slow or too busy to show it.

python data/record_live.py "2 cores, AMX"        (85 seconds; the words say which machine)
"""

import sys
import types

import torch

from diffusion_helpers import UNet, ddpm, load_emoji, sample, train
from diffusion_helpers.checkpoints import save_tensors
from diffusion_helpers.data import DATA
from diffusion_helpers.figures import to_uint8

SECONDS, REPORTS, PICTURES = 85, 12, 8  # as in the lesson


def is_face(name, keywords, group):
    return group == "smileys-emotion" and "face" in name + " ".join(keywords)


def main(machine):
    emoji = load_emoji().training()
    faces = emoji.where(
        [is_face(*x) for x in zip(emoji.names, emoji.keywords, emoji.groups, strict=True)]
    )
    torch.manual_seed(0)
    model = UNet(widths=(32, 64, 96), blocks=1, time=False)
    record = types.SimpleNamespace(steps=[], seconds=[], pictures=[])

    def report(run, share, model):
        pictures = sample(model, steps=30, sampler=ddpm, n=PICTURES)
        record.steps.append(run.steps)
        record.seconds.append(round(run.seconds))
        record.pictures.append(torch.from_numpy(to_uint8(pictures)))
        print(f"{share:.0%}, step {run.steps}, loss {sum(run.losses[-50:]) / 50:.4f}", flush=True)

    train(model, faces.images, seconds=SECONDS, report=report, reports=REPORTS)
    notes = {"machine": machine, "steps": record.steps, "seconds": record.seconds}
    path = DATA / "recorded" / "lesson_03_live.safetensors"
    save_tensors(path, {"pictures": torch.stack(record.pictures)}, notes)  # (F, N, H, W, C) uint8


if __name__ == "__main__":
    main(sys.argv[1])
