"""The ladder: blind apprentice, + Sense of Time, + Focus of Thought, + Whisper of the Spell.

    python benchmarks/ladder.py          (about 70 minutes on one quiet core)

Every rung is trained with the same number of steps on the same pictures, everything else equal:
within a seed even the order of the pictures, their dust and the chaos to sample from are the same.
Three seeds, all rungs of a seed before the next. Adherence asks whether a sample is the emoji that
was asked for, among the 5 most like it of its style (benchmarks/demiurge.py). All samples are asked
for; only the last rung hears it, so the others show chance. Finished nets and figures are kept in
my_runs/ladder/: an interrupted run goes on from there; delete the folder to start anew. The table
comes out at the end (or so far, with `--table`) and goes to benchmarks/ladder.txt, the figures to
data/ladder.json, which the lessons read. The nets of the first seed are the shipped ones,
data/checkpoints/ladder_*.safetensors.
"""

import argparse
import json
import shutil
import statistics
import time
from itertools import pairwise
from pathlib import Path

import torch
from demiurge import against, hits
from einops import rearrange
from PIL import Image

from diffusion_helpers import (
    UNet,
    cosine_schedule,
    ddim,
    ddpm,
    extract_features,
    load_checkpoint,
    load_emoji,
    loss_by_level,
    pick_device,
    sample,
    save_checkpoint,
    train,
)
from diffusion_helpers.checks import say
from diffusion_helpers.data import DATA
from diffusion_helpers.grain import grain
from diffusion_helpers.recorded import seed_interval
from diffusion_helpers.widgets.figures import to_uint8
from diffusion_helpers.words import load_words

RUNGS = {
    "blind": {"time": False},
    "time": {"time": True},
    "attention": {"time": True, "attention": True},
    "text": {"time": True, "attention": True, "text": True},
}
SEEDS = (0, 1, 2)
WIDTHS = (32, 64, 128)  # those of the apprentice
BLOCKS = 1  # half as deep as the apprentice: twelve trainings must fit into an hour or so
STEPS = 600  # the budget is in steps, so that it does not depend on what else the machine does
N = 1000  # pictures for each figure; with 2,000 the sampling would take as long as the training
SAMPLE_STEPS = 20  # the course's default
BATCH = 100  # pictures sampled at once
FOLDER = Path("my_runs/ladder")
CROWD = ("distance", "precision", "recall", "grain")
FIGURES = (*CROWD, "adherence")


def train_rung(rung, seed, emoji):
    """Train one net and keep it as it would be shipped; returns its path."""
    path = FOLDER / f"{rung}_{seed}.safetensors"
    if not path.exists():
        say(f"training {rung}, seed {seed}")
        torch.manual_seed(seed)
        model = UNet(widths=WIDTHS, blocks=BLOCKS, **RUNGS[rung]).to(pick_device())
        texts = load_words().encode(emoji.names, emoji.styles) if model.text else None
        began = time.process_time()
        train(model, emoji, steps=STEPS, texts=texts, seed=seed, reports=5)
        seconds = round(time.process_time() - began)
        save_checkpoint(model, path, steps=STEPS, cpu_seconds=seconds, seed=seed)
        (FOLDER / f"{rung}_{seed}.seconds").write_text(str(seconds), "utf-8")
    if seed == SEEDS[0]:
        shutil.copyfile(path, DATA / "checkpoints" / f"ladder_{rung}.safetensors")
    return path


def draw(model, sampler, seed, crowd):
    """N pictures, (N, 3, 32, 32). A net that listens is told what the real crowd shows."""
    batches = []
    for i in range(N // BATCH):
        rows = slice(i * BATCH, (i + 1) * BATCH)
        told = {"n": BATCH}
        if model.text:
            told = {"prompt": crowd.names[rows], "style": crowd.styles[rows], "guidance_scale": 1}
        batch_seed = N * seed + i
        batches.append(sample(model, steps=SAMPLE_STEPS, sampler=sampler, seed=batch_seed, **told))
    return torch.cat(batches).cpu()


def measure(pictures, real):
    return against(real, pictures) | {"grain": grain(pictures)}


def evaluate_rung(rung, seed, path, training, rows, held_out):
    """All figures of one net as a dict, computed once; rows of `training` are the real crowd."""
    result = FOLDER / f"{rung}_{seed}.json"
    if not result.exists():
        say(f"measuring {rung}, seed {seed}")
        model = load_checkpoint(path)
        loss = loss_by_level(model, held_out, cosine_schedule(), seed=seed)
        seconds = int((FOLDER / f"{rung}_{seed}.seconds").read_text("utf-8"))
        figures = {"seed": seed, "cpu_seconds": seconds}
        figures["loss"] = {name: values.tolist() for name, values in loss._asdict().items()}
        crowd = training.where(torch.isin(torch.arange(len(training)), torch.tensor(rows)))
        real = extract_features(crowd.images)
        for sampler in (ddim, ddpm):
            pictures = draw(model, sampler, seed, crowd)
            save_sheet(pictures[:100], FOLDER / f"{rung}_{seed}_{sampler.__name__}.png")
            figures[sampler.__name__] = measure(pictures, real)
            figures[sampler.__name__]["adherence"] = statistics.mean(hits(pictures, training, rows))
        result.write_text(json.dumps(figures), "utf-8")
    return json.loads(result.read_text("utf-8"))


def save_sheet(pictures, path):
    sheet = rearrange(to_uint8(pictures), "(row col) h w c -> (row h) (col w) c", col=20)
    Image.fromarray(sheet).resize((sheet.shape[1] * 2, sheet.shape[0] * 2), 0).save(path)


def interval(values):
    """Mean and half of the 95 % interval of Student's t over the seeds."""
    return seed_interval(values) if len(values) > 1 else (values[0], float("nan"))


def table(ladder):
    """The result as lines of text."""
    floor = "  ".join(f"{name} {ladder['floor'][name]:.3f}" for name in CROWD)
    lines = [
        f"{ladder['steps']} steps of 64 pictures each, N = {N}, {SAMPLE_STEPS} steps of sampling, "
        f"widths {WIDTHS}, {BLOCKS} block a level; guidance 1",
        "mean over the seeds +- 95 % interval (Student's t over the seeds)",
        f"real against real  {floor}",
    ]
    for sampler in ("ddim", "ddpm"):
        for rung, runs in ladder["rungs"].items():
            cells = []
            for name in FIGURES:
                mean, half = interval([run[sampler][name] for run in runs])
                cells.append(f"{name} {mean:.3f} +- {half:.3f}")
            lines.append(f"{sampler}  {rung:9} ({len(runs)} seeds)  " + "  ".join(cells))
    lines.append("change from the rung below, within each seed")
    rungs = list(ladder["rungs"])
    for sampler in ("ddim", "ddpm"):
        for below, rung in pairwise(rungs):
            pairs = list(zip(ladder["rungs"][below], ladder["rungs"][rung], strict=False))
            cells = []
            for name in FIGURES:
                mean, half = interval([b[sampler][name] - a[sampler][name] for a, b in pairs])
                cells.append(f"{name} {mean:+.3f} +- {half:.3f}")
            lines.append(f"{sampler}  + {rung:9} ({len(pairs)} seeds)  " + "  ".join(cells))
    lines.append(
        "loss on held-out pictures that nobody names (mean squared error of the velocity), "
        "mean over seeds"
    )
    first = next(iter(ladder["rungs"].values()))[0]["loss"]["t"]
    lines.append("t          " + " ".join(f"{t:6d}" for t in first))
    for rung, runs in ladder["rungs"].items():
        levels = zip(*(run["loss"]["velocity"] for run in runs), strict=True)
        lines.append(f"{rung:10} " + " ".join(f"{statistics.mean(v):.4f}" for v in levels))
    for rung, runs in ladder["rungs"].items():
        seconds = ", ".join(str(run["cpu_seconds"]) for run in runs)
        lines.append(f"CPU-seconds of training, {rung}: {seconds}")
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--table", action="store_true", help="train nothing, only print the table")
    wish = parser.parse_args()

    FOLDER.mkdir(parents=True, exist_ok=True)
    emoji = load_emoji()
    training = emoji.training()
    held_out = emoji.images[emoji.held_out]
    order = torch.randperm(len(training), generator=torch.Generator().manual_seed(0))
    chosen, other = (sorted(order[i : i + N].tolist()) for i in (0, N))
    if not wish.table:
        for seed in SEEDS:
            paths = {rung: train_rung(rung, seed, training) for rung in RUNGS}
            for rung, path in paths.items():
                evaluate_rung(rung, seed, path, training, chosen, held_out)
    runs = {
        rung: [
            json.loads(path.read_text("utf-8"))
            for seed in SEEDS
            if (path := FOLDER / f"{rung}_{seed}.json").exists()
        ]
        for rung in RUNGS
    }
    floor = measure(training.images[other], extract_features(training.images[chosen]))
    settings = {"steps": STEPS, "n": N, "sample_steps": SAMPLE_STEPS}
    ladder = {**settings, "floor": floor, "rungs": {r: done for r, done in runs.items() if done}}
    (DATA / "ladder.json").write_text(json.dumps(ladder, indent=1) + "\n", "utf-8")
    text = table(ladder)
    Path("benchmarks/ladder.txt").write_text(text + "\n", "utf-8")
    say(text)


if __name__ == "__main__":
    main()
