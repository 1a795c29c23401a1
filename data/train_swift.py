"""Distil swift from the demiurge: 4 calls of the network draw what took 40.

    python data/train_swift.py gather SECONDS [--seed N]
    python data/train_swift.py learn SECONDS [--weights FILE] [--out FILE]

`gather` lets the demiurge draw, with guidance, and writes into my_runs/swift/ where its paths pass
the four levels that swift visits, and where they end. Several may run side by side, each with its
own seed. `learn` teaches a student, which begins as the demiurge itself: from each of these places,
one step of DDIM is to land on the next. It may run beside `gather`, and takes what is new every
REFRESH steps. No picture of the emoji is used: whatever the student learns, the demiurge drew.

Each half is known by itself: the scale as an input (Meng et al. 2022, arXiv 2210.03142), a student
that learns from the teacher's own paths (Luhman and Luhman 2021, arXiv 2101.02388), several steps
become one (Salimans and Ho 2022, arXiv 2202.00512). What it reached: benchmarks/swift.txt.
"""

import argparse
import copy
import os
import random
import time
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from train_demiurge import CHANGES, captions

from diffusion_helpers import UNet, load_checkpoint, load_emoji, save_checkpoint
from diffusion_helpers.authoring import commands
from diffusion_helpers.checks import say
from diffusion_helpers.data import DATA
from diffusion_helpers.distillation import guided_velocity, landing_velocity
from diffusion_helpers.optim import make_optimizers, optimizer_step, set_rate
from diffusion_helpers.sampling import dpm_solver, timesteps
from diffusion_helpers.text import MAX_WORDS, STYLES, Text
from diffusion_helpers.training import WARM_UP
from diffusion_helpers.unet import GUIDANCE_RANGE
from diffusion_helpers.words import load_words

VISITS = timesteps(4)  # the levels at which the student is called
LEVELS = [999, 967, 920, 830, 749, 499, 249, 121, 44]  # and those of the teacher, more at both ends
PATHS = Path("my_runs/swift")
TOGETHER = 64  # paths in one file
BATCH = 128
RATE = 1e-3  # a third of a training from scratch: the student begins near its goal
SHARES = torch.tensor([0.35, 0.25, 0.2, 0.2])  # of a batch, for each step: the first learns most
FORGET = 0.995  # the saved weights are a moving mean of the last 200 or so
REFRESH = 20  # training steps between two looks for new paths
REPORT = 120  # seconds between two reports, each with a checkpoint
OWN, ANY = 0.4, 0.45  # share of prompts in a style that drew the thing, in any; the rest: in none
TOLD, TWO, NOTHING = 0.1, 0.08, 0.03  # share with words for a change, of two things, of no words


class Prompts:
    """What may be asked for: every name and keyword, in styles that drew the thing and others."""

    def __init__(self, seed):
        self.words, emoji = load_words(), load_emoji()
        self.captions, self.names = captions(emoji, self.words), [*emoji.names, *emoji.names_ru]
        self.generator, self.random = torch.Generator().manual_seed(seed), random.Random(seed)

    def draw(self, n):
        """A Text of length n."""
        rows = torch.randint(len(self.captions), (n,), generator=self.generator)
        text = self.captions.sample_captions(rows, self.generator)
        anybody = torch.randint(1, 1 + len(STYLES), (n,), generator=self.generator)
        chance = torch.rand(n, generator=self.generator)
        styles = torch.where(chance < OWN, text.styles, anybody * (chance < OWN + ANY))
        texts = [self.altered(text[i]) for i in range(n)]
        return Text(*(torch.cat(part) for part in zip(*texts)), styles)

    def altered(self, text):
        """vectors and mask of one Text, most often as they are."""
        chance, vectors, mask = self.random.random(), text.vectors.clone(), text.mask.clone()
        if chance < TOLD:
            end = int(mask.sum())
            for change in self.random.sample(CHANGES, self.random.choice([1, 1, 2])):
                if end < MAX_WORDS:
                    vectors[0, end] = self.words.vectors[self.words.rows[change]]
                    mask[0, end], end = True, end + 1
        elif chance < TOLD + TWO:
            joint = self.random.choice([" and ", " ", " with "])
            two = self.words.encode(joint.join(self.random.sample(self.names, 2)))
            vectors, mask = two.vectors, two.mask
        elif chance < TOLD + TWO + NOTHING:
            mask = torch.zeros_like(mask)
        return vectors, mask


def draw_scales(n, generator):
    """Guidance scales (n,), small ones more often: they are in use, and large ones vary less."""
    least, most = GUIDANCE_RANGE
    return least + (most - least) * torch.rand(n, generator=generator) ** 2


@torch.no_grad()
def draw_paths(teacher, text, scales, x_T):
    """The teacher's paths from x_T at the levels of VISITS, and their end: (n, 5, 3, 32, 32)."""
    encoded = teacher.encode_text(text)

    def guided(x_t, t):
        return guided_velocity(teacher, x_t, t, encoded, scales)

    guided.predicts, guided.schedule = "velocity", teacher.schedule
    steps = list(dpm_solver(guided, x_T, LEVELS))
    places = [step.x_t for step in steps if step.t in VISITS] + [steps[-1].clean]
    return torch.stack(places, 1)


def gather(seconds, seed):
    """Let the teacher draw, and write what it drew, TOGETHER pictures a file."""
    teacher, prompts = load_checkpoint("demiurge", "cpu"), Prompts(seed)
    PATHS.mkdir(parents=True, exist_ok=True)
    began, i = time.monotonic(), 0
    while time.monotonic() - began < seconds:
        path, i = PATHS / f"{seed}_{i:05d}.safetensors", i + 1
        text = prompts.draw(TOGETHER)  # drawn anyhow: one who goes on has the numbers of before
        if path.exists():
            continue
        generator = torch.Generator().manual_seed(2**32 * seed + i)
        scales = draw_scales(TOGETHER, generator)
        x_T = torch.randn(TOGETHER, *teacher.image_shape, generator=generator)
        places = draw_paths(teacher, text, scales, x_T)
        told = {"vectors": text.vectors, "mask": text.mask, "styles": text.styles}
        half_written = path.with_suffix(".part")
        save_file({"places": places.half(), "scales": scales} | told, half_written)
        os.replace(half_written, path)


class Paths:
    """All that was gathered so far."""

    def __init__(self):
        self.seen, self.tensors = set(), {}

    def refresh(self):
        new = sorted(set(PATHS.glob("*.safetensors")) - self.seen)
        self.seen |= set(new)
        for key in ("places", "scales", "vectors", "mask", "styles"):
            parts = [self.tensors[key]] if key in self.tensors else []
            self.tensors[key] = torch.cat(parts + [load_file(path)[key] for path in new])

    def batch(self, schedule):
        """x_t, t, the velocity that lands on the next place, a Text and scales; all of length B."""
        rows = torch.randint(len(self.tensors["scales"]), (BATCH,))
        step = torch.multinomial(SHARES, BATCH, replacement=True)
        places = self.tensors["places"][rows].float()
        x_t, x_next = places[torch.arange(BATCH), step], places[torch.arange(BATCH), step + 1]
        levels = torch.tensor([*VISITS, -1])
        t, t_next = levels[step], levels[step + 1]
        vectors, mask, styles, scales = (
            self.tensors[key][rows] for key in ("vectors", "mask", "styles", "scales")
        )
        target = landing_velocity(x_t, x_next, t, t_next, schedule)
        return x_t, t, target, Text(vectors, mask, styles), scales


def new_student():
    """The demiurge's weights in a network that is told the scale, too."""
    teacher = load_checkpoint("demiurge", "cpu")
    student = UNet(**teacher.config, distilled_steps=len(VISITS))
    student.load_state_dict(teacher.state_dict(), strict=False)  # all but the scale's embedding
    student.schedule = teacher.schedule
    return student


def learn(seconds, weights, out):
    """Teach the student until the time is spent; the rate falls to 0 with it."""
    student = load_checkpoint(weights, "cpu") if weights else new_student()
    mean, optimizers, paths = copy.deepcopy(student), make_optimizers(student, RATE), Paths()
    began, reported, errors = time.monotonic(), 0.0, []
    while (spent := time.monotonic() - began) < seconds:
        if len(errors) % REFRESH == 0:
            paths.refresh()
        warm_up = min(1, (len(errors) + 1) / WARM_UP)
        set_rate(optimizers, RATE * warm_up * (1 - spent / seconds))
        x_t, t, target, text, scales = paths.batch(student.schedule)
        student.train()
        answer = student(x_t, t, student.encode_text(text, scales))
        loss = (answer - target).square().mean()
        errors.append(optimizer_step(loss, student, optimizers))
        forget = min(FORGET, len(errors) / (9 + len(errors)))
        with torch.no_grad():
            for kept, weight in zip(mean.parameters(), student.parameters(), strict=True):
                kept.lerp_(weight, 1 - forget)
        if spent - reported > REPORT:
            reported, recent = spent, errors[-100:]
            many = len(paths.tensors["scales"])
            error = sum(recent) / len(recent)
            say(f"{spent:.0f} s  step {len(errors)}  {many} paths  loss {error:.4f}")
            save_checkpoint(mean.eval(), out)
    save_checkpoint(mean.eval(), out, steps=len(errors), seconds=round(seconds))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("what", choices=["gather", "learn"])
    parser.add_argument("seconds", type=commands.seconds)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--weights", type=commands.weights, help="go on from these")
    parser.add_argument("--out", default=DATA / "checkpoints" / "swift.safetensors")
    wish = parser.parse_args()
    if wish.what == "gather":
        gather(wish.seconds, wish.seed)
    else:
        learn(wish.seconds, wish.weights, wish.out)


if __name__ == "__main__":
    main()
