"""The twins: what attention is for, measured where only agreement over a distance counts.

    python benchmarks/twins.py           (about seven minutes on one quiet core)

The same shallow net is trained with attention, without, and without but with GroupNorm, whose
statistics go round the whole picture. Three seeds each, N = 500 samples a net, judged by the exact
oracle of diffusion_helpers/twins.py, whose own accuracy comes first. Then, at each noise level, two
figures side by side: the error of the velocity on new scenes, and how often the discs agree when
sampling starts there, from such a scene under that much noise. Finished nets and
figures are kept in my_runs/twins/; delete the folder to start anew. The result goes to
benchmarks/twins.txt, the figures to data/twins.json; the nets of the first seed are the shipped
ones.
"""

import json
import shutil
import time
from itertools import pairwise
from pathlib import Path

import torch
from ladder import interval, save_sheet

from diffusion_helpers import (
    add_noise,
    cosine_schedule,
    loss_by_level,
    pick_device,
    predict,
    pure_noise,
    sample,
    train,
)
from diffusion_helpers.checkpoints import quantize_int8, save_tensors
from diffusion_helpers.checks import say
from diffusion_helpers.data import DATA
from diffusion_helpers.twins import LEARNING_RATE, STEPS, TwinsNet, compare_colours, score, twins
from diffusion_helpers.unet import group_norm

NETS = {
    "with attention": {"attention": True},
    "convolutions only": {"attention": False},
    "convolutions + GroupNorm": {"attention": False, "norm": group_norm},
}
SHIPPED = {"with attention": "twins_attention", "convolutions only": "twins_near"}
SEEDS = (0, 1, 2)
SCENES = 2000  # of 16 x 36 different ones: all of them are there
N = 500  # samples a net: the agreement of one net is known within 0.04
LEVELS = 19  # t = 50, 100, ... 949
NOISES = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 1.0)  # standard deviations on pictures in [-1, 1]
FOLDER = Path("my_runs/twins")


def oracle_lines():
    """How often the oracle is right, on scenes that agree and on scenes that do not."""
    lines = [f"the oracle on {N} agreeing and {N} disagreeing scenes, with noise on them"]
    for noise in NOISES:
        generator = torch.Generator().manual_seed(0)
        cells = []
        for agreeing in (True, False):
            scenes = twins(N, seed=1, agreeing=agreeing)
            eps = torch.randn(scenes.shape, generator=generator)
            verdict = compare_colours(scenes + noise * eps)
            right = (verdict.agrees == agreeing).double().mean()
            formed = verdict.well_formed.double().mean()
            name = "agreeing" if agreeing else "disagreeing"
            cells.append(f"{name}: right {right:.3f}, called well formed {formed:.3f}")
        lines.append(f"noise {noise:.1f}  " + "  ".join(cells))
    return lines


@torch.no_grad()
def sample_from(model, x_t, t, steps=10):
    """DDIM from x_t at the level t to the end: pictures like x_t."""
    schedule = model.schedule
    ts = torch.linspace(int(t), 0, steps + 1).round().int().tolist()
    for now, after in pairwise([*ts[:-1], -1]):
        guess = predict(model, schedule, x_t, now)
        signal_rate, noise_rate = schedule.rates(after, like=x_t)
        x_t = signal_rate * guess.clean + noise_rate * guess.noise
    return x_t


def by_level(model):
    """At each noise level: the error of the velocity, and the agreement when sampling starts."""
    device = pick_device()
    scenes = twins(N // 5, seed=1000).to(device)  # no training has this seed
    loss = loss_by_level(model, scenes, cosine_schedule(), levels=LEVELS)
    eps = pure_noise(len(scenes), seed=1000, device=device)
    levels = {"t": loss.t.tolist(), "velocity": loss.velocity.tolist(), "agrees": []}
    for t in levels["t"]:
        x_t = add_noise(scenes, t, eps, model.schedule)
        levels["agrees"].append(score(sample_from(model, x_t, t).cpu()).agrees)
    return levels


def run(name, seed):
    """Train one net, sample, ask the oracle; computed once."""
    stem = FOLDER / f"{name}_{seed}"
    result = stem.with_suffix(".json")
    if not result.exists():
        torch.manual_seed(seed)
        model = TwinsNet(**NETS[name]).to(pick_device())
        began = time.process_time()
        scenes = twins(SCENES, seed)
        train(model, scenes, steps=STEPS, seed=seed, learning_rate=LEARNING_RATE)
        seconds = round(time.process_time() - began)
        notes = {"config": model.config, "steps": STEPS, "seed": seed}
        save_tensors(stem.with_suffix(".safetensors"), quantize_int8(model.state_dict()), notes)
        pictures = sample(model, steps=20, seed=seed, n=N).cpu()
        save_sheet(pictures[:100], stem.with_suffix(".png"))
        figures = {
            "seed": seed,
            "cpu_seconds": seconds,
            **score(pictures)._asdict(),
            "levels": by_level(model),
        }
        result.write_text(json.dumps(figures), "utf-8")
    if seed == SEEDS[0] and name in SHIPPED:
        shipped = DATA / "checkpoints" / f"{SHIPPED[name]}.safetensors"
        shutil.copyfile(stem.with_suffix(".safetensors"), shipped)
    return json.loads(result.read_text("utf-8"))


def level_lines(runs):
    """A table: at every second noise level the velocity error and the agreement of each net."""
    ts = runs["convolutions only"][0]["levels"]["t"]
    lines = ["at each noise level: velocity error on new scenes / share of pairs that match"]
    lines += ["when sampling starts from such a scene under that much noise; mean over the seeds"]
    lines.append("t".ljust(24) + "".join(f"{t:>14}" for t in ts[1::2]))
    for name, results in runs.items():
        cells = ""
        for i in range(1, len(ts), 2):
            error, agrees = (
                sum(r["levels"][key][i] for r in results) / len(results)
                for key in ("velocity", "agrees")
            )
            cells += f"{error:8.4f} /{agrees:4.2f}"
        lines.append(f"{name:24}{cells}")
    return lines


def main():
    FOLDER.mkdir(parents=True, exist_ok=True)
    lines = [*oracle_lines(), f"{STEPS} steps of 64 scenes, N = {N}, DDIM, 20 steps; mean +- 95 %"]
    lines[-1] += f" interval (Student's t over the seeds {', '.join(map(str, SEEDS))})"
    runs = {name: [] for name in NETS}
    for seed in SEEDS:
        for name in NETS:
            runs[name].append(run(name, seed))
            say(f"{name} {runs[name][-1]}")
    for name, results in runs.items():
        cells = []
        for key in ("well_formed", "agrees", "luck"):
            mean, half = interval([r[key] for r in results])
            cells.append(f"{key} {mean:.3f} +- {half:.3f}")
        seconds = ", ".join(str(r["cpu_seconds"]) for r in results)
        lines.append(f"{name:24} " + "  ".join(cells) + f"  ({seconds} CPU-seconds)")
    lines.append(
        "agrees: of the pairs of discs on the same ground, those with the same colour; luck:"
    )
    lines.append("of the pairs on different grounds, which need not agree (in real scenes 0.167)")
    lines += level_lines(runs)
    say("\n".join(lines))
    Path("benchmarks/twins.txt").write_text("\n".join(lines) + "\n", "utf-8")
    (DATA / "twins.json").write_text(
        json.dumps({"steps": STEPS, "n": N, "runs": runs}, indent=1), "utf-8"
    )


if __name__ == "__main__":
    main()
