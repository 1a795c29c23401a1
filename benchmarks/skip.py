"""Which noise schedule could skip a fifth of its steps?

    python benchmarks/skip.py            (six minutes on one core)

Nichol & Dhariwal 2021 (arXiv 2102.09672, section 3.2, figure 4) left out the sampling steps that
are nearest to pure noise: with the linear schedule the Fréchet distance hardly grew up to a fifth
of them. The same here: DDIM draws with all 25 steps, and then, from the same pure noise, with the
last 20 of them only. The network is the apprentice, which was trained with the cosine schedule;
under the linear one it is told the t at which it knows the same noise. Theirs was trained with the
linear schedule. The result stands in benchmarks/skip.txt.
"""

import torch

from diffusion_helpers import (
    Schedule,
    cosine_schedule,
    ddim,
    extract_features,
    frechet_distance,
    linear_schedule,
    load_checkpoint,
    load_emoji,
    pure_noise,
)
from diffusion_helpers.checks import say
from diffusion_helpers.sampling import with_schedule

N, BATCH, EACH = 1000, 100, 40  # pictures; how many at once; noise levels that one step crosses


def draw(model, schedule, steps):
    """N pictures in the last `steps` of the 25 steps through `schedule`."""
    model = with_schedule(model, Schedule(schedule.alpha_bar[: steps * EACH]))
    pictures = []
    for x_T in pure_noise(N).split(BATCH):
        *_, last = ddim(model, x_T, steps)
        pictures.append(last.clean.clamp(-1, 1))
    return torch.cat(pictures)


def main():
    torch.set_num_threads(1)
    apprentice = load_checkpoint("apprentice", "cpu")
    images = load_emoji().images
    emoji = images[torch.randperm(len(images), generator=torch.Generator().manual_seed(0))]
    real, floor = (extract_features(emoji[part]) for part in (slice(N), slice(N, 2 * N)))
    say(f"N = {N}, DDIM")
    say(f"{'real against real':32}distance {frechet_distance(real, floor):5.2f}")
    for name, schedule in (("cosine", cosine_schedule()), ("linear", linear_schedule())):
        drawn = {steps: draw(apprentice, schedule, steps) for steps in (25, 20)}
        for steps, pictures in drawn.items():
            distance = frechet_distance(real, extract_features(pictures))
            say(f"{f'{name}, {steps} of 25 steps':32}distance {distance:5.2f}")
        moved = (drawn[25] - drawn[20]).pow(2).mean()
        others = (drawn[25] - drawn[25].roll(1, 0)).pow(2).mean()
        words = f"MSE {moved:.4f}; to another picture {others:.2f}"
        say(f"{f'{name}, change of each picture':32}{words}")


if __name__ == "__main__":
    main()
