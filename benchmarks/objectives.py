"""Two objectives of lesson 03, noise and velocity, and what makes them differ.

    python benchmarks/objectives.py              (about 6 CPU-minutes)
    python benchmarks/objectives.py --table      (trains nothing, only prints the table)

Each network is trained with the same number of steps on the lesson's faces; within a seed its
first parameters, the order of the pictures, the noise levels and the noise are the same. Two things
can differ between "noise" and "velocity": what the output means, and how the loss weighs the error
of the clean picture (by SNR, or by SNR + 1). So both are crossed: two networks get the weighting of
the other one. Multiplying the noise's loss by 1 / alpha_bar gives the velocity's loss exactly, but
that factor passes 1e8 at the end, so there it is limited to MOST.

At every noise level the error of the clean picture is measured, without clipping, on the faces that
are held out from training. Beside it stand three answers that need no network: copy (say that x_t
is the noise), the mean of the training faces, and fog (the average of the training faces, each
weighted by how well it fits x_t). Then each network makes N pictures with clipping of the clean
picture, and N without.

Finished figures are kept in my_runs/objectives/: an interrupted run goes on from there. The table
goes to benchmarks/objectives.txt, the figures to data/objectives.json, which lesson 03 reads.
"""

import argparse
import json
import statistics
import time
from pathlib import Path

import torch
import torch.nn.functional as F

from diffusion_helpers import (
    UNet,
    add_noise,
    cosine_schedule,
    ddpm,
    extract_features,
    frechet_distance,
    load_emoji,
    nearest,
)
from diffusion_helpers.checks import say, seeded_generator
from diffusion_helpers.data import DATA
from diffusion_helpers.denoiser import Prediction, as_prediction, velocity
from diffusion_helpers.recorded import seed_interval
from diffusion_helpers.sampling import pure_noise

# what the output means, and in which of the three the loss is measured
OBJECTIVES = {
    "noise": ("noise", "noise"),
    "velocity": ("velocity", "velocity"),
    "velocity, loss of noise": ("velocity", "noise"),
    "noise, loss of velocity": ("noise", "velocity"),
}
SEEDS = (0, 1, 2)
STEPS = 200  # the effect shows long before the samples are good
BATCH = 32  # half of the package's, so that a lesson can train four of these networks
WIDTHS = (16, 32, 64)  # as in the lesson
RATE, WARM_UP = 2e-3, 50  # as in the lesson's loop
MOST = 100  # of the factor 1 / alpha_bar
LEVELS = torch.linspace(0, 999, 21).round().long()[1:-1].tolist()  # 50, 100, ... 949
NOISES = 4  # of each face that is held out: they are few
N, SAMPLE_STEPS = 64, 30
FOLDER = Path("my_runs/objectives")


def load_faces():
    """The lesson's faces (532, 3, 32, 32), and those that are held out from training (35, ...)."""
    emoji = load_emoji()
    words = zip(emoji.names, emoji.keywords, emoji.groups, strict=True)
    is_face = torch.tensor(
        [g == "smileys-emotion" and "face" in name + " ".join(keys) for name, keys, g in words]
    )
    return emoji.images[is_face & ~emoji.held_out], emoji.images[is_face & emoji.held_out]


def objective_loss(model, x_0, t, eps, measured_in, schedule):
    signal_rate, noise_rate = schedule.rates(t, like=x_0)
    x_t = add_noise(x_0, t, eps, schedule)
    output = model(x_t)
    if model.predicts == measured_in:
        truth = Prediction(eps, x_0, velocity(x_0, eps, signal_rate, noise_rate))
        return F.mse_loss(output, getattr(truth, measured_in))
    if measured_in == "noise":  # a velocity's error in the noise: alpha_bar times its own
        guess = as_prediction(output, "velocity", x_t, signal_rate, noise_rate)
        return F.mse_loss(guess.noise, eps)
    weight = (1 / signal_rate**2).clamp(max=MOST)
    return (weight * (output - eps) ** 2).mean()


def train_objective(name, seed, faces, schedule, steps=STEPS):
    predicts, measured_in = OBJECTIVES[name]
    torch.manual_seed(seed)
    model = UNet(widths=WIDTHS, blocks=1, time=False, predicts=predicts)
    optimizer = torch.optim.AdamW(model.parameters(), betas=(0.9, 0.99))
    generator = seeded_generator(seed)
    for step in range(steps):
        x_0 = faces[torch.randint(len(faces), (BATCH,), generator=generator)]
        t = torch.randint(len(schedule), (BATCH,), generator=generator)
        eps = torch.randn(x_0.shape, generator=generator)
        loss = objective_loss(model, x_0, t, eps, measured_in, schedule)
        loss.backward()
        optimizer.param_groups[0]["lr"] = RATE * min(1, (step + 1) / WARM_UP) * (1 - step / steps)
        optimizer.step()
        optimizer.zero_grad()
    return model.eval()


def fog(x_t, t, faces, schedule):
    """The average of the faces, each weighted by how well it fits x_t."""
    signal_rate, noise_rate = schedule.rates(t, like=x_t)
    flat = faces.flatten(1)
    distance = torch.cdist(x_t.flatten(1), signal_rate.flatten() * flat).square()  # (B, N)
    fit = -distance / (2 * noise_rate.flatten() ** 2)
    return (fit.softmax(1) @ flat).view_as(x_t)


@torch.no_grad()
def by_level(answer, unseen, schedule):
    """Error of the clean picture at each of LEVELS, for answer(x_t, t) -> clean picture."""
    x_0, errors = unseen.repeat(NOISES, 1, 1, 1), []
    for t in LEVELS:
        eps = torch.randn(x_0.shape, generator=seeded_generator(0))
        errors.append(F.mse_loss(answer(add_noise(x_0, t, eps, schedule), t), x_0).item())
    return errors


def measure(model, seed, faces, unseen, schedule):
    def clean(x_t, t):
        return as_prediction(model(x_t), model.predicts, x_t, *schedule.rates(t, like=x_t)).clean

    figures = {"picture": by_level(clean, unseen, schedule)}
    real = extract_features(faces)
    for clipped in (True, False):
        for step in ddpm(model, pure_noise(N, seed=seed), SAMPLE_STEPS, clip_sample=clipped):
            last = step
        pictures = last.clean.clamp(-1, 1).nan_to_num()
        figures["clipped" if clipped else "unclipped"] = {
            "distance": frechet_distance(real, extract_features(pictures)),
            "to nearest": nearest(pictures, faces)[1].mean().item(),
        }
    return figures


def baselines(faces, unseen, schedule):
    def copy(x_t, t):
        return as_prediction(x_t, "noise", x_t, *schedule.rates(t, like=x_t)).clean

    answers = {
        "copy": copy,
        "mean face": lambda x_t, t: faces.mean(0, keepdim=True).expand_as(x_t),
        "fog": lambda x_t, t: fog(x_t, t, faces, schedule),
    }
    return {name: by_level(answer, unseen, schedule) for name, answer in answers.items()}


def floor(faces):
    """The distance of N real faces to all others, mean over the seeds: what no sample can beat."""
    distances = []
    for seed in SEEDS:
        order = torch.randperm(len(faces), generator=seeded_generator(seed))
        features = extract_features(faces[order])
        distances.append(frechet_distance(features[N:], features[:N]))
    return statistics.mean(distances)


def interval(values, digits):
    """Mean and half of the 95 % interval of Student's t over the seeds, as words."""
    if len(values) != 3:
        return f"{statistics.mean(values):.{digits}f}"
    mean, half = seed_interval(values)
    return f"{mean:.{digits}f} +- {half:.{digits}f}"


def table(result):
    """The result as lines of text."""
    lines = [
        f"{result['steps']} steps of {BATCH} faces, widths {WIDTHS}, blind; mean over the seeds "
        "+- 95 % interval (Student's t over the seeds)",
        f"error of the clean picture on {result['held out']} faces that are held out, no clipping",
        f"{'t':24} " + " ".join(f"{t:>15}" for t in LEVELS),
    ]
    for name, errors in result["baselines"].items():
        lines.append(f"{name:24} " + " ".join(f"{error:15.3f}" for error in errors))
    for name, runs in result["runs"].items():
        levels = zip(*(run["picture"] for run in runs), strict=True)
        lines.append(f"{name:24} " + " ".join(f"{interval(v, 3):>15}" for v in levels))
    lines.append(
        f"Fréchet distance of {N} samples (DDPM, {SAMPLE_STEPS} steps) to the faces; real faces "
        f"{result['floor']:.1f}"
    )
    for name, runs in result["runs"].items():
        cells = [
            f"{way} {interval([run[way]['distance'] for run in runs], 1)}, to the nearest face "
            f"{interval([run[way]['to nearest'] for run in runs], 3)}"
            for way in ("clipped", "unclipped")
        ]
        lines.append(f"{name:24} " + "   ".join(cells))
    for name, runs in result["runs"].items():
        seconds = ", ".join(str(run["cpu_seconds"]) for run in runs)
        lines.append(f"CPU-seconds of training, {name}: {seconds}")
    return "\n".join(lines)


def measured_runs(kinds, seeds, folder, teach, measure, only_read):
    """{kind: the figures of each seed}; what is in `folder` is read, the rest is taught, measured.

    teach(kind, seed) returns a network, measure(kind, model, seed) a dict of figures.
    """
    folder.mkdir(parents=True, exist_ok=True)
    runs = {kind: [] for kind in kinds}
    for seed in seeds:
        for kind in kinds:
            path = folder / f"{kind}_{seed}.json"
            if not path.exists() and not only_read:
                say(f"training {kind}, seed {seed}")
                began = time.process_time()
                model = teach(kind, seed)
                figures = {"seed": seed, "cpu_seconds": round(time.process_time() - began)}
                path.write_text(json.dumps(figures | measure(kind, model, seed)), "utf-8")
            if path.exists():
                runs[kind].append(json.loads(path.read_text("utf-8")))
    return {kind: done for kind, done in runs.items() if done}


def keep(result, text, name, whole):
    """Say the table, and write it and its figures where lessons find them, if it is whole."""
    say(text)
    if whole:
        (DATA / f"{name}.json").write_text(json.dumps(result, indent=1) + "\n", "utf-8")
        Path(f"benchmarks/{name}.txt").write_text(text + "\n", "utf-8")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--table", action="store_true", help="train nothing, only print the table")
    wish = parser.parse_args()
    (faces, unseen), schedule = load_faces(), cosine_schedule()
    runs = measured_runs(
        OBJECTIVES,
        SEEDS,
        FOLDER,
        lambda name, seed: train_objective(name, seed, faces, schedule),
        lambda name, model, seed: measure(model, seed, faces, unseen, schedule),
        wish.table,
    )
    result = {
        "steps": STEPS,
        "levels": LEVELS,
        "held out": len(unseen),
        "floor": floor(faces),
        "baselines": baselines(faces, unseen, schedule),
        "runs": runs,
    }
    whole = sum(map(len, runs.values())) == len(OBJECTIVES) * len(SEEDS)
    keep(result, table(result), "objectives", whole)


if __name__ == "__main__":
    main()
