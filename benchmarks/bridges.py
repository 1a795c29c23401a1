"""What the skip connections are for: which waves of a picture are lost without them.

    python benchmarks/bridges.py         (about four minutes on one quiet core)

The hourglass of lesson 02 is trained with its skip connections and with zeros in their place, from
the same first parameters, on the same pictures with the same noise; at two noise levels, with three
seeds each, for as many steps as in the lesson, each with twice as many pictures. Beside them stand
the best linear filter that treats each wave by itself (Wiener, measured on the training pictures)
and the course's apprentice. Errors are those on the held-out pictures, for all of them the same
noisy ones. The figures go to data/bridges.json, which the lesson reads, and to
benchmarks/bridges.txt. Finished trainings are kept in my_runs/bridges/; delete the
folder to start anew.
"""

import json
from pathlib import Path

import torch
import torch.nn.functional as F

from diffusion_helpers import UNet, add_noise, cosine_schedule, load_checkpoint, load_emoji
from diffusion_helpers.checks import say
from diffusion_helpers.data import DATA
from diffusion_helpers.sampling import predict

LEVELS = (0.5, 0.95)  # alpha_bar
SEEDS = (0, 1, 2)
STEPS = 150  # training steps of each net, as many as in the lesson
BATCH = 32
RATE = 2e-3  # falls to zero in a straight line
BANDS = {"coarse": slice(1, 4), "middle": slice(4, 9), "fine": slice(9, 17)}  # waves
FOLDER = Path("my_runs/bridges")

SCHEDULE = cosine_schedule()
EMOJI = load_emoji()
TRAINING, HELD_OUT = EMOJI.training().images, EMOJI.images[EMOJI.held_out]

WAVES = torch.fft.fftfreq(32) * 32
RING = torch.hypot(WAVES[:, None], WAVES[None]).round().long().clamp(max=16)  # (32, 32)


def step_of(alpha_bar):
    return int((SCHEDULE.alpha_bar - alpha_bar).abs().argmin())


def noisy(t):
    """The held-out pictures under noise, the same noise for all that is compared."""
    eps = torch.randn(HELD_OUT.shape, generator=torch.Generator().manual_seed(1))
    return add_noise(HELD_OUT, t, eps, SCHEDULE)


def cut_bridges(net):
    """Zeros in place of what each skip connection carries, in training and after it."""
    for level, c_bridge in zip(net.up, reversed(net.config["widths"][:-1])):

        def cut(_, inputs, c_bridge=c_bridge):
            h, *rest = inputs
            return torch.cat([h[:, :-c_bridge], torch.zeros_like(h[:, -c_bridge:])], 1), *rest

        level[0].register_forward_pre_hook(cut)


def trained(bridges, t, seed):
    torch.manual_seed(seed)
    net = UNet(blocks=1, time=False, predicts="clean")
    if not bridges:
        cut_bridges(net)
    optimizer = torch.optim.AdamW(net.parameters(), lr=RATE)
    decay = torch.optim.lr_scheduler.LinearLR(optimizer, 1, 0, STEPS)
    generator = torch.Generator().manual_seed(seed)
    for _ in range(STEPS):
        x_0 = TRAINING[torch.randint(len(TRAINING), (BATCH,), generator=generator)]
        eps = torch.randn(x_0.shape, generator=generator)
        loss = F.mse_loss(net(add_noise(x_0, t, eps, SCHEDULE)), x_0)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        decay.step()
    return net.eval()


def wiener(x_t, t):
    alpha_bar = SCHEDULE.alpha_bar[t].item()
    power = torch.fft.fft2(TRAINING, norm="ortho").abs().square().mean((0, 1))  # (32, 32)
    gain = alpha_bar**0.5 * power / (alpha_bar * power + 1 - alpha_bar)
    return torch.fft.ifft2(gain * torch.fft.fft2(x_t, norm="ortho"), norm="ortho").real


def power_by_ring(pictures):
    power = torch.fft.fft2(pictures, norm="ortho").abs().square().mean((0, 1))
    return torch.zeros(17).index_add(0, RING.flatten(), power.flatten())


def figures(predicted):
    """The error, and of each band the share that is lost."""
    lost, truth = power_by_ring(predicted - HELD_OUT), power_by_ring(HELD_OUT)
    shares = {name: (lost[b].sum() / truth[b].sum()).item() for name, b in BANDS.items()}
    return {"error": F.mse_loss(predicted, HELD_OUT).item()} | shares


@torch.no_grad()
def asked(net, t):
    return net(noisy(t))


def run(bridges, alpha_bar, seed):
    """The figures of one training; computed once."""
    t = step_of(alpha_bar)
    result = FOLDER / f"{'with' if bridges else 'without'}_{alpha_bar}_{seed}.json"
    if not result.exists():
        result.write_text(json.dumps(figures(asked(trained(bridges, t, seed), t))), "utf-8")
    return json.loads(result.read_text("utf-8"))


def line(name, runs):
    cells = []
    for key in runs[0]:
        values = [r[key] for r in runs]
        spread = f" ({min(values):.3f} to {max(values):.3f})" if len(values) > 1 else ""
        cells.append(f"{key} {sum(values) / len(values):.3f}{spread}")
    return f"{name:16} " + "  ".join(cells)


def main():
    FOLDER.mkdir(parents=True, exist_ok=True)
    levels, apprentice = {}, load_checkpoint("apprentice", "cpu")
    for alpha_bar in LEVELS:
        t = step_of(alpha_bar)
        x_t = noisy(t)
        levels[str(alpha_bar)] = {
            "with bridges": [],
            "without bridges": [],
            "Wiener filter": [figures(wiener(x_t, t))],
            "apprentice": [figures(predict(apprentice, SCHEDULE, x_t, t).clean)],
        }
    for seed in SEEDS:
        for alpha_bar in LEVELS:
            for bridges in (True, False):
                name = "with bridges" if bridges else "without bridges"
                found = run(bridges, alpha_bar, seed)
                levels[str(alpha_bar)][name].append(found)
                say(f"seed {seed}, alpha_bar {alpha_bar}, {name}: {found}")
    lines = [f"{STEPS} steps of {BATCH} pictures; mean (range) over the seeds {SEEDS}"]
    for alpha_bar, runs in levels.items():
        lines += [f"alpha_bar {alpha_bar}", *(line(name, found) for name, found in runs.items())]
    lines.append("error: MSE; coarse, middle, fine: share lost of 1 to 3, 4 to 8, 9 and more waves")
    say("\n".join(lines))
    Path("benchmarks/bridges.txt").write_text("\n".join(lines) + "\n", "utf-8")
    (DATA / "bridges.json").write_text(
        json.dumps({"steps": STEPS, "batch": BATCH, "levels": levels}, indent=1), "utf-8"
    )


if __name__ == "__main__":
    main()
