"""Workshop 10: straight roads beside bent ones. Flow matching against velocity, on one budget.

    python benchmarks/straight.py                (about 8 CPU-minutes)
    python benchmarks/straight.py --table        (trains nothing, only prints the table)

Three networks of one kind learn the workshop's small pictures (hearts, clocks, faces and moons of
16 x 16 pixels) for STEPS training steps. Within a seed their first weights, the order of the
pictures, the noise levels and the noise are the same:

velocity      learns the velocity of x_t = signal_rate x_0 + noise_rate eps, and draws with DDIM
flow          learns the direction eps - x_0 of x_t = (1 - t) x_0 + t eps, and draws with Euler's
              method (rectified flow, arXiv 2209.03003)
flow, reflow  spends the last third of the same budget on pairs of a noise and the picture that its
              own flow drew from it: one reflow (section 2.2 there)

Each draws N pictures in 1, 2, 4, 8 and 20 steps, from the same noise. Three things are measured:
the Fréchet distance to the pictures, all enlarged to 32 x 32 pixels; how far the picture of few
steps is from the one of 20 steps (mean squared error); and, for the flows, how much longer the path
of 20 steps is than a straight line.

Finished figures are kept in my_runs/straight/: an interrupted run goes on from there. The table
goes to benchmarks/straight.txt, the figures to data/straight.json, which the workshop reads.
"""

import argparse
import statistics
from pathlib import Path

import torch
import torch.nn.functional as F
from einops import rearrange, reduce, repeat
from objectives import interval, keep, measured_runs

from diffusion_helpers import (
    UNet,
    ddim,
    extract_features,
    frechet_distance,
    load_emoji,
    pure_noise,
    timesteps,
    train,
)
from diffusion_helpers.checks import seeded_generator
from diffusion_helpers.training import denoising_loss

KINDS = ("velocity", "flow", "flow, reflow")
SEEDS = (0, 1, 2)
STEPS = 480  # of training; for "flow, reflow" the last third is the reflow
BATCH = 32
SHAPE, WIDTHS = (3, 16, 16), (32, 64)  # as in the workshop, where the training is shorter
KINDS_OF_EMOJI = ("heart", "clock", "thirty", "face", "moon")
PAIRS = 800  # for the reflow
FEW = (1, 2, 4, 8, 20)  # steps of sampling; the last one is what the others are compared with
N, AT_ONCE = 256, 64  # pictures that each network draws, and how many in one batch
FOLDER = Path("my_runs/straight")


def load_small():
    """The workshop's training pictures, (P, 3, 16, 16)."""
    emoji = load_emoji()
    of_kind = [any(kind in name for kind in KINDS_OF_EMOJI) for name in emoji.names]
    some = emoji.images[torch.tensor(of_kind) & ~emoji.held_out]
    return reduce(some, "n c (h a) (w b) -> n c h w", "mean", a=2, b=2)


def features(pictures):
    """What the judge sees of small pictures, enlarged to the size that it knows: (P, 64)."""
    return extract_features(repeat(pictures, "n c h w -> n c (h a) (w b)", a=2, b=2))


def share_of_noise(n, like):
    """t of the flow, from 0.001 to 1, for the whole number n from 0 to 999 that a UNet hears."""
    return rearrange((n + 1) / 1000, "b -> b 1 1 1").to(like)


def flow_loss(model, x_0, rows, texts, schedule, generator, shard=slice(None), noise=None):
    """The loss of flow matching, with the random numbers of `denoising_loss`.

    With `noise`, one row for each picture, every picture has its own: a reflow.
    """
    n = torch.randint(1000, (len(rows),), generator=generator)[shard]
    eps = torch.randn(len(rows), *x_0.shape[1:], generator=generator)[shard]
    eps = eps if noise is None else noise[rows[shard]]
    t = share_of_noise(n, x_0)
    x_t = (1 - t) * x_0 + t * eps
    return F.mse_loss(model(x_t, n), eps - x_0)


@torch.no_grad()
def euler(model, x, steps):
    """The states of Euler's method, from the noise x to the picture: (steps + 1, B, C, H, W)."""
    states = [x]
    for n in timesteps(steps):  # these are t = 1, 1 - 1 / steps, ... 1 / steps
        x = x - model(x, torch.full((len(x),), n)) / steps
        states.append(x)
    return torch.stack(states)


def detour(path):
    """How much longer a path (S + 1, B, C, H, W) is than the straight line, (B,): 1 is straight."""
    legs = (path[1:] - path[:-1]).flatten(2).norm(dim=2)  # (S, B)
    return legs.sum(0) / (path[-1] - path[0]).flatten(1).norm(dim=1)


def learn(model, pictures, steps, seed, loss_fn):
    train(model, pictures, steps=steps, seed=seed, batch=BATCH, loss_fn=loss_fn, reports=1)


def teach(kind, seed, small):
    torch.manual_seed(seed)
    model = UNet(image_shape=SHAPE, widths=WIDTHS, blocks=1)
    if kind == "velocity":
        learn(model, small, STEPS, seed, denoising_loss)
    elif kind == "flow":
        learn(model, small, STEPS, seed, flow_loss)
    else:
        reflow = STEPS // 3
        learn(model, small, STEPS - reflow, seed, flow_loss)
        noise = pure_noise(PAIRS, SHAPE, seed=1000 + seed)
        drawn = torch.cat([euler(model, x, FEW[-1])[-1] for x in noise.split(AT_ONCE)])

        def loss_of_pairs(*args):
            return flow_loss(*args, noise=noise)

        learn(model, drawn, reflow, seed, loss_of_pairs)
    return model


def draw(kind, model, steps, seed):
    """(N pictures, their detours or None)."""
    pictures, detours = [], []
    for x in pure_noise(N, SHAPE, seed=seed).split(AT_ONCE):
        if kind == "velocity":
            *_, last = ddim(model, x, steps)
            pictures.append(last.clean)
        else:
            path = euler(model, x, steps)
            pictures.append(path[-1])
            detours.append(detour(path))
    return torch.cat(pictures).clamp(-1, 1), torch.cat(detours) if detours else None


def measure(kind, model, seed, small):
    real = features(small)
    drawn = {steps: draw(kind, model, steps, seed) for steps in FEW}
    most, detours = drawn[FEW[-1]]
    return {
        "distance": [frechet_distance(real, features(x)) for x, _ in drawn.values()],
        "miss": [F.mse_loss(x, most).item() for x, _ in drawn.values()],
        "detour": None if detours is None else detours.mean().item(),
    }


def floor(small):
    """The distance of N real pictures to all others, mean over the seeds: no sample can beat it."""
    distances = []
    for seed in SEEDS:
        real = features(small[torch.randperm(len(small), generator=seeded_generator(seed))])
        distances.append(frechet_distance(real[N:], real[:N]))
    return statistics.mean(distances)


def table(result):
    """The result as lines of text."""
    lines = [
        f"{result['training steps']} training steps of {BATCH} pictures, widths {WIDTHS}; mean "
        f"over {len(SEEDS)} seeds +- 95 % interval (Student's t over the seeds)",
        f"Fréchet distance of {N} pictures to all {result['pictures']}; of real ones to the "
        f"others {result['floor']:.1f}",
        f"{'steps of sampling':18}" + " ".join(f"{steps:>15}" for steps in FEW),
    ]

    def rows(figure, digits):
        for kind, runs in result["runs"].items():
            cells = zip(*(run[figure] for run in runs), strict=True)
            yield f"{kind:18}" + " ".join(f"{interval(cell, digits):>15}" for cell in cells)

    lines += rows("distance", 1)
    lines.append(f"squared error to the picture that the same noise gives in {FEW[-1]} steps")
    lines += rows("miss", 4)
    for kind, runs in result["runs"].items():
        if runs[0]["detour"] is not None:
            long = interval([run["detour"] for run in runs], 3)
            lines.append(f"{kind}: a path of {FEW[-1]} steps is {long} times the straight line")
    for kind, runs in result["runs"].items():
        seconds = ", ".join(str(run["cpu_seconds"]) for run in runs)
        lines.append(f"CPU-seconds of training, {kind}: {seconds}")
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--table", action="store_true", help="train nothing, only print the table")
    wish = parser.parse_args()
    torch.set_num_threads(1)
    small = load_small()
    runs = measured_runs(
        KINDS,
        SEEDS,
        FOLDER,
        lambda kind, seed: teach(kind, seed, small),
        lambda kind, model, seed: measure(kind, model, seed, small),
        wish.table,
    )
    result = {
        "training steps": STEPS,
        "pictures": len(small),
        "steps": list(FEW),
        "floor": floor(small),
        "runs": runs,
    }
    whole = sum(map(len, runs.values())) == len(KINDS) * len(SEEDS)
    keep(result, table(result), "straight", whole)


if __name__ == "__main__":
    main()
