"""Workshop 10: progressive distillation against consistency distillation, on one small budget.

    python benchmarks/halving.py             (about 15 CPU-minutes)

The teacher is the demiurge with guidance 2: two calls a step. Its students begin with its weights,
hear no guidance scale and are called once a step. They learn PROMPTS emoji of one style, from
noised training pictures, at the levels of 8 steps. All ways get the same number of passes through
the network, each of BATCH pictures: a call counts one, a step of learning three (there and back).

progressive  a first student learns to land in one step where two of the teacher land (4 steps), and
             then teaches a second one (2 steps). Half of the passes each. arXiv 2202.00512
consistency  one student learns to answer with the end of the road from everywhere. Its target is
             the answer of a slow copy of itself, one step of the teacher later. It draws by turns:
             answer, fresh noise of the next level, answer. arXiv 2303.01469, algorithms 1 and 2
paths        the teacher draws first, in nine steps of DPM-Solver++; one student of 4 steps learns
             to land in one step where that path passes next. So swift is taught, which has the time
             for many more paths (data/train_swift.py, whose levels these are)

The same prompts are then drawn once each, in 4 calls and in 2, beside the demiurge itself in as
many calls: with guidance (half as many steps), without, and by turns as well. Right: the asked
emoji is among the 5 most like it of its style. Fréchet distances are to the real pictures of these
prompts. One seed.

A finished student is kept in my_runs/halving/: an interrupted run goes on from there. The table
goes to benchmarks/halving.txt, the figures to data/halving.json, which the workshop reads.
"""

import json
import sys
from copy import deepcopy
from pathlib import Path

import torch
import torch.nn.functional as F

from diffusion_helpers import (
    add_noise,
    ddim,
    extract_features,
    frechet_distance,
    load_checkpoint,
    load_emoji,
    predict,
    pure_noise,
    rank_among,
    timesteps,
    train,
)
from diffusion_helpers.checks import say, seeded_generator
from diffusion_helpers.data import DATA
from diffusion_helpers.distillation import ddim_step, halved_target, landing_velocity
from diffusion_helpers.recorded import share_interval
from diffusion_helpers.sampling import guided
from diffusion_helpers.words import load_words

STYLE, SCALE = "noto", 2.0
PROMPTS = 300  # few, so that a small budget shows something
PASSES = 1500  # for each way
BATCH, RATE = 32, 1e-3  # as for swift
GRID = 8  # steps of the teacher
SLOW = 0.95  # the slow copy keeps so much of itself at each step
CALLS = (4, 2)
PATHS = 1280  # a guided call at each of LEVELS: two passes
FOLDER = Path("my_runs/halving")

sys.path.insert(0, str(DATA))
from train_swift import LEVELS, VISITS, draw_paths  # noqa: E402


def noised(x_0, levels, first, schedule, generator):
    """Pictures at levels of `levels[first]`, drawn by chance: their places there, x_t and t."""
    i = first[torch.randint(len(first), (len(x_0),), generator=generator)]
    eps = torch.randn(x_0.shape, generator=generator)
    return i, add_noise(x_0, levels[i], eps, schedule), levels[i]


def progressive_loss(teacher, scale, steps):
    """The loss of a student of `steps` steps; the guided teacher takes twice as many."""
    levels, first = torch.tensor([*timesteps(2 * steps), -1]), torch.arange(0, 2 * steps, 2)

    def loss_fn(model, x_0, rows, texts, schedule, generator, shard=slice(None)):
        text = texts[rows]
        i, x_t, t = noised(x_0, levels, first, schedule, generator)
        asked = guided(teacher, text, scale=scale)
        target = halved_target(asked, x_t, t, levels[i + 1], levels[i + 2])
        return F.mse_loss(model(x_t, t, text), target)

    return loss_fn


def consistency_loss(teacher, scale):
    """The loss of a student that answers with the end of the road; it keeps its own slow copy."""
    levels, first, copies = torch.tensor([*timesteps(GRID), -1]), torch.arange(GRID), []

    def loss_fn(model, x_0, rows, texts, schedule, generator, shard=slice(None)):
        slow = follow(copies, model)
        text = texts[rows]
        i, x_t, t = noised(x_0, levels, first, schedule, generator)
        v = predict(guided(teacher, text, scale=scale), schedule, x_t, t).velocity
        x_next, t_next = ddim_step(v, x_t, t, levels[i + 1], schedule), levels[i + 1]
        end = predict(slow, schedule, x_next, t_next.clamp(min=0), text).clean
        end = torch.where((t_next < 0).view(-1, 1, 1, 1), x_next, end)  # there it is the picture
        return F.mse_loss(model(x_t, t, text), landing_velocity(x_t, end, t, -1, schedule))

    return loss_fn


@torch.no_grad()
def follow(copies, model):
    """The slow copy of `model`, one step nearer to it; `copies` is empty before the first."""
    if not copies:
        copies.append(deepcopy(model).eval())
    for weight, now in zip(copies[0].parameters(), model.parameters(), strict=True):
        weight.lerp_(now, 1 - SLOW)
    return copies[0]


def paths_loss(teacher, scale, texts):
    """The loss of a student that lands, in one step, on the next place of the teacher's path."""
    asked, levels = torch.arange(PATHS) % len(texts), torch.tensor([*VISITS, -1])
    places = torch.cat(
        [
            draw_paths(teacher, texts[some], torch.full((BATCH,), scale), pure_noise(BATCH, seed=i))
            for i, some in enumerate(asked.split(BATCH))
        ]
    )

    def loss_fn(model, x_0, rows, texts, schedule, generator, shard=slice(None)):
        i = torch.randint(PATHS, (BATCH,), generator=generator)
        step = torch.randint(len(VISITS), (BATCH,), generator=generator)
        x_t, x_next, t = places[i, step], places[i, step + 1], levels[step]
        target = landing_velocity(x_t, x_next, t, levels[step + 1], schedule)
        return F.mse_loss(model(x_t, t, texts[asked[i]]), target)

    return loss_fn


def teach(name, student, loss_fn, passes, emoji, text):
    student.requires_grad_(True)
    how = {"batch": BATCH, "learning_rate": RATE, "loss_fn": loss_fn}
    file = FOLDER / f"{name}.safetensors"
    train(student, emoji, steps=passes, texts=text, checkpoint=file, **how)
    return student.requires_grad_(False)


def by_ddim(model, text, x_T, steps):
    *_, last = ddim(model, x_T, steps, text=text)
    return last.clean


def by_turns(model, text, x_T, steps):
    """Answer, fresh noise of the next level, answer: multistep consistency sampling."""
    generator, x, levels = seeded_generator(len(x_T)), x_T, timesteps(steps)
    for t, t_next in zip(levels, [*levels[1:], None], strict=True):
        clean = predict(model, model.schedule, x, t, text).clean
        if t_next is not None:
            x = add_noise(clean, t_next, torch.randn(x.shape, generator=generator), model.schedule)
    return clean


def draw(model, text, steps, sampler=by_ddim, scale=None):
    """One picture a prompt, with guidance where there is a `scale`."""
    pictures = []
    for start in range(0, len(text), 100):
        some = text[start : start + 100]
        x_T = pure_noise(len(some), seed=start)
        asked = (model, some) if scale is None else (guided(model, some, scale=scale), None)
        pictures.append(sampler(*asked, x_T, steps))
    return torch.cat(pictures).clamp(-1, 1)


def measure(pictures, real, gallery, truth):
    ranks = rank_among(pictures, gallery, truth)
    distance = frechet_distance(extract_features(real), extract_features(pictures))
    return {"distance": distance, "right": (ranks < 5).sum().item()}


def table(result):
    """The result as lines of text."""
    lines = [
        f"{result['prompts']} prompts in the style {STYLE}, {result['passes']} passes of {BATCH} "
        f"pictures for each way, seed 0; real against other real pictures {result['floor']:.2f}"
    ]
    for name, by_calls in result["runs"].items():
        for calls, found in by_calls.items():
            low, high = share_interval(found["right"], result["prompts"])
            lines.append(
                f"{name:26} {calls:>2} calls  distance {found['distance']:5.2f}  right "
                f"{found['right'] / result['prompts']:6.1%} ({low:.1%} to {high:.1%})"
            )
    return "\n".join(lines)


def main():
    torch.set_num_threads(1)
    FOLDER.mkdir(parents=True, exist_ok=True)
    emoji, demiurge = load_emoji(), load_checkpoint("demiurge", "cpu")
    style = [i for i, name in enumerate(emoji.styles) if name == STYLE]
    known = torch.tensor([i for i in style if not emoji.held_out[i]])
    known = known[torch.randperm(len(known), generator=seeded_generator(0))]
    chosen, others = known[:PROMPTS].tolist(), known[PROMPTS : 2 * PROMPTS]
    real, gallery = emoji.images[chosen], emoji.images[style]
    text = load_words().encode([emoji.names[i] for i in chosen], STYLE)
    truth = torch.tensor([style.index(i) for i in chosen])

    four = progressive_loss(demiurge, SCALE, 4), PASSES // 2 // 7  # guided, two steps: 4 + 3 passes
    four = teach("progressive_4", deepcopy(demiurge), *four, real, text)
    two = progressive_loss(four, 1.0, 2), PASSES // 2 // 5  # one call, two steps: 2 + 3 passes
    two = teach("progressive_2", deepcopy(four), *two, real, text)
    same = consistency_loss(demiurge, SCALE), PASSES // 6  # guided, one step, the copy: 2 + 1 + 3
    same = teach("consistency", deepcopy(demiurge), *same, real, text)

    spent = PATHS // BATCH * 2 * len(LEVELS)
    path = paths_loss(demiurge, SCALE, text), (PASSES - spent) // 3
    path = teach("paths", deepcopy(demiurge), *path, real, text)

    ways = {
        "the demiurge, guidance 2": {
            2 * steps: draw(demiurge, text, steps, scale=SCALE) for steps in (20, 2, 1)
        },
        "the demiurge, no guidance": {c: draw(demiurge, text, c) for c in CALLS},
        "the demiurge, by turns": {c: draw(demiurge, text, c, by_turns) for c in CALLS},
        "progressive": {4: draw(four, text, 4), 2: draw(two, text, 2)},
        "consistency": {c: draw(same, text, c, by_turns) for c in CALLS},
        "paths": {4: draw(path, text, 4)},
    }
    result = {
        "prompts": PROMPTS,
        "passes": PASSES,
        "floor": frechet_distance(extract_features(real), extract_features(emoji.images[others])),
        "runs": {
            name: {calls: measure(p, real, gallery, truth) for calls, p in drawn.items()}
            for name, drawn in ways.items()
        },
    }
    (DATA / "halving.json").write_text(json.dumps(result, indent=1) + "\n", "utf-8")
    Path("benchmarks/halving.txt").write_text(table(result) + "\n", "utf-8")
    say(table(result))


if __name__ == "__main__":
    main()
