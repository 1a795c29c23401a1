"""The twins: what attention is for, measured where only global agreement counts.

    python benchmarks/twins.py           (about six minutes on one quiet core)

The same shallow net is trained with attention, without, and without but with GroupNorm, whose
statistics go round the whole picture. Three seeds each, N = 500 samples a net, judged by the exact
oracle of diffusion_helpers/twins.py, whose own accuracy comes first. Finished nets and figures are
kept in my_runs/twins/; delete the folder to start anew. The result goes to benchmarks/twins.txt,
the figures to data/twins.json; the nets of the first seed are the shipped ones.
"""

import json
import shutil
import time
from pathlib import Path

import torch
from ladder import interval, save_sheet

from diffusion_helpers import pick_device, sample, save_checkpoint, train
from diffusion_helpers.checks import say
from diffusion_helpers.data import DATA
from diffusion_helpers.twins import LEARNING_RATE, PALETTE, STEPS, TwinsNet, compare_colours, twins
from diffusion_helpers.unet import group_norm

NETS = {
    "attention": {"attention": True},
    "near": {"attention": False},
    "near, GroupNorm": {"attention": False, "norm": group_norm},
}
SHIPPED = {"attention": "twins_attention", "near": "twins_near"}
SEEDS = (0, 1, 2)
SCENES = 2000  # far more than the six different ones: every colour is equally frequent within 1 %
N = 500  # samples a net: the agreement of one net is known within 0.03
NOISES = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 1.0)  # standard deviations on pictures in [-1, 1]
FOLDER = Path("my_runs/twins")


def oracle_lines():
    """How often the oracle is right, on scenes that agree and on scenes that do not."""
    lines = [f"the oracle on {N} agreeing and {N} disagreeing scenes, with dust on them"]
    for noise in NOISES:
        generator = torch.Generator().manual_seed(0)
        cells = []
        for agreeing in (True, False):
            scenes = twins(N, seed=1, agreeing=agreeing)
            dust = noise * torch.randn(scenes.shape, generator=generator)
            verdict = compare_colours(scenes + dust)
            right = (verdict.agrees == agreeing).double().mean()
            formed = verdict.well_formed.double().mean()
            name = "agreeing" if agreeing else "disagreeing"
            cells.append(f"{name}: right {right:.3f}, called well formed {formed:.3f}")
        lines.append(f"dust {noise:.1f}  " + "  ".join(cells))
    return lines


def run(name, seed):
    """Train one net, sample, ask the oracle; computed once."""
    stem = FOLDER / f"{name}_{seed}"
    result = stem.with_suffix(".json")
    if not result.exists():
        torch.manual_seed(seed)
        model = TwinsNet(**NETS[name]).to(pick_device())
        began = time.process_time()
        scenes = twins(SCENES, seed)
        trained = train(model, scenes, steps=STEPS, seed=seed, learning_rate=LEARNING_RATE)
        seconds = round(time.process_time() - began)
        pictures = sample(model, steps=20, seed=seed, n=N).cpu()
        save_sheet(pictures[:100], stem.with_suffix(".png"))
        verdict = compare_colours(pictures)
        formed = verdict.well_formed
        colours = torch.arange(len(PALETTE))
        left, right = (
            (v[formed, None] == colours).double().mean(0) for v in (verdict.left, verdict.right)
        )
        figures = {
            "seed": seed,
            "cpu_seconds": seconds,
            "loss": sum(trained.losses[-50:]) / 50,
            "well_formed": formed.double().mean().item(),
            "agrees": verdict.agrees[formed].double().mean().item(),
            # what two independent discs of these colours would reach
            "chance": (left * right).sum().item(),
        }
        save_checkpoint(model, stem.with_suffix(".safetensors"), steps=STEPS, seed=seed)
        result.write_text(json.dumps(figures), "utf-8")
    if seed == SEEDS[0] and name in SHIPPED:
        shipped = DATA / "checkpoints" / f"{SHIPPED[name]}.safetensors"
        shutil.copyfile(stem.with_suffix(".safetensors"), shipped)
    return json.loads(result.read_text("utf-8"))


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
        for key in ("well_formed", "agrees", "chance"):
            mean, half = interval([r[key] for r in results])
            cells.append(f"{key} {mean:.3f} +- {half:.3f}")
        seconds = ", ".join(str(r["cpu_seconds"]) for r in results)
        lines.append(f"{name:16} " + "  ".join(cells) + f"  ({seconds} CPU-seconds)")
    lines.append("agrees and chance: among the well-formed; chance: by its own colours, if they")
    lines.append("were independent (six equally frequent colours: 0.167)")
    say("\n".join(lines))
    Path("benchmarks/twins.txt").write_text("\n".join(lines) + "\n", "utf-8")
    (DATA / "twins.json").write_text(
        json.dumps({"steps": STEPS, "n": N, "runs": runs}, indent=1), "utf-8"
    )


if __name__ == "__main__":
    main()
