"""Does the demiurge draw what it is asked for? Adherence, a crowd's distance, copying, speed.

    python benchmarks/demiurge.py [--quick] [--weights FILE] [--sheet SHEET.png]

Adherence: the share of samples whose emoji is among the 5 most like it (`rank_among`) of all real
emoji of the asked style. The prompt is the English name; 300 training pairs of concept and style,
chosen by seed, and all held-out pairs, which no training saw; 20 DDIM steps, one sample a pair,
seeds stated, none picked; 95 % intervals are Wilson's. At guidance 0 the prompt is not heard: that
row is chance. Crowd: Fréchet distance, precision and recall of N = 2,000 samples of random training
pairs against 2,000 real emoji, also with 8 steps of DPM-Solver++; the floor is real against other
real emoji. Things: the share of the held-out pairs where the picture passes for the asked thing in
the style of anyone who drew it, with the style told and left out, and the share of the real
pictures by others that pass for the asked artist's. Copying: squared distance to the nearest
training picture. Speed: one prompt with guidance, and 20 bare calls of the network on the same two
pictures for comparison.

--quick measures 60 pairs of each kind at guidance 3 alone, and writes nothing. The full result goes
to benchmarks/demiurge.txt, the figures to data/demiurge.json, which lesson 07 reads.
"""

import argparse
import json
import platform
import time
from pathlib import Path

import torch
from einops import rearrange
from PIL import Image

from diffusion_helpers import (
    ddim,
    dpm_solver,
    extract_features,
    frechet_distance,
    load_checkpoint,
    load_emoji,
    nearest,
    precision_recall,
    rank_among,
    sample,
)
from diffusion_helpers.authoring import commands
from diffusion_helpers.checks import say
from diffusion_helpers.data import DATA
from diffusion_helpers.recorded import share_interval
from diffusion_helpers.widgets.figures import to_uint8
from diffusion_helpers.words import load_words

SEED = 0
PAIRS = 300  # of training pairs; of the held-out ones there are not many more
N = 2000  # for the crowd; Fréchet distances compare only at one N
BATCH = 100
STEPS = 20  # the course's default
SCALES = (0.0, 1.0, 2.0, 3.0, 5.0, 8.0)
DEFAULT = 3.0  # the guidance at which copying and the sheet are looked at
CROWDS = ((ddim, 20, 1.0), (ddim, 20, 2.0), (ddim, 20, 3.0))
CROWDS += ((dpm_solver, 8, 2.0), (dpm_solver, 8, 3.0), (ddim, 8, 3.0))
ROUNDS = 7  # of each, in turn, for the speed


def pairs(emoji, most):
    """All rows in a random order, and of each kind of pair the first ones: {kind: rows}."""
    order = torch.randperm(len(emoji), generator=torch.Generator().manual_seed(SEED))
    return order, {
        "training": order[~emoji.held_out[order]].tolist()[:most],
        "held out": order[emoji.held_out[order]].tolist()[:most],
    }


def draw(model, emoji, rows, scale, sampler=ddim, steps=STEPS, told=True):
    """One picture for each of these emoji, by name and style if told: (len(rows), 3, 32, 32)."""
    pictures = []
    for start in range(0, len(rows), BATCH):
        some = rows[start : start + BATCH]
        names = [emoji.names[i] for i in some]
        styles = [emoji.styles[i] if told else None for i in some]
        how = {"steps": steps, "guidance_scale": scale, "sampler": sampler, "seed": SEED + start}
        pictures.append(sample(model, names, styles, **how).cpu())
    return torch.cat(pictures)


def hits(pictures, emoji, rows):
    """Whether each picture's own emoji is among the 5 most like it of its style: a list of bool."""
    found = [False] * len(rows)
    for style in set(emoji.styles):
        gallery = [i for i, s in enumerate(emoji.styles) if s == style]
        asked = [k for k, i in enumerate(rows) if emoji.styles[i] == style]
        if asked:
            truth = torch.tensor([gallery.index(rows[k]) for k in asked])
            ranks = rank_among(pictures[asked], emoji.images[gallery], truth)
            for k, rank in zip(asked, ranks.tolist(), strict=True):
                found[k] = rank < 5
    return found


def wilson(right, n):
    """A share and its interval as words."""
    low, high = share_interval(right, n)
    return f"{right / n:5.1%} ({low:.1%} to {high:.1%})"


def adherence(model, emoji, rows, kind, scale, steps=STEPS):
    pictures = draw(model, emoji, rows, scale, steps=steps)
    right = sum(hits(pictures, emoji, rows))
    low, high = share_interval(right, len(rows))
    found = {"scale": scale, "kind": kind, "right": right, "n": len(rows), "low": low, "high": high}
    say(adherence_line(found))
    return pictures, found


def adherence_line(row):
    share = wilson(row["right"], row["n"])
    return f"guidance {row['scale']:g}  {row['kind']:9} {share} of {row['n']}"


def things(model, emoji, rows, drawn):
    """Does it draw the thing at all? Shares of these held-out rows; `drawn` are its pictures."""
    others = [
        (k, j)
        for k, i in enumerate(rows)
        for j, name in enumerate(emoji.names)
        if name == emoji.names[i] and not emoji.held_out[j]
    ]
    by_others = [j for _, j in others]

    def by_anyone(pictures):
        found = hits(pictures[[k for k, _ in others]], emoji, by_others)
        return len({k for (k, _), yes in zip(others, found, strict=True) if yes}) / len(rows)

    real = hits(emoji.images[by_others], emoji, [rows[k] for k, _ in others])
    return {
        "style told": by_anyone(drawn),
        "style left out": by_anyone(draw(model, emoji, rows, DEFAULT, told=False)),
        "real, by others": sum(real) / len(real),
    }


def things_line(things):
    return (
        f"held-out pairs, guidance {DEFAULT:g}: passes for the thing of anyone who drew it, style "
        f"told {things['style told']:.1%}, left out {things['style left out']:.1%}; real pictures "
        f"by others that pass for the asked artist's {things['real, by others']:.1%}"
    )


def against(real, pictures):
    features = extract_features(pictures)
    precision, recall = precision_recall(real, features)
    distance = frechet_distance(real, features)
    return {"distance": distance, "precision": precision, "recall": recall}


def crowds(model, emoji, order, ways=CROWDS):
    """The floor first, then every way of sampling: a list of dicts."""
    training = order[~emoji.held_out[order]]
    real = extract_features(emoji.images[training[:N]])
    other = {"sampler": "real against real", "steps": 0, "scale": 0}
    results = [other | against(real, emoji.images[training[N : 2 * N]])]
    generator = torch.Generator().manual_seed(SEED + 1)
    rows = training[torch.randint(len(training), (N,), generator=generator)].tolist()
    for sampler, steps, scale in ways:
        way = {"sampler": sampler.__name__, "steps": steps, "scale": scale}
        results.append(way | against(real, draw(model, emoji, rows, scale, sampler, steps)))
        say(crowd_line(results[-1]))
    return results


def crowd_line(row):
    return (
        f"{row['sampler']:10} {row['steps']:2} steps  guidance {row['scale']:g}  "
        f"distance {row['distance']:.2f}  precision {row['precision']:.3f}  "
        f"recall {row['recall']:.3f}"
    )


def copying(emoji, drawn, held_out):
    """Median squared distance to the nearest picture that the training saw, for each kind."""
    training = emoji.training().images
    crowds_of = drawn | {"real": emoji.images[held_out]}
    return {kind: nearest(p, training)[1].median().item() for kind, p in crowds_of.items()}


def copying_line(copying):  # "real" are the real pictures of the held-out pairs
    return (
        f"squared distance to the nearest training picture, median, guidance {DEFAULT:g}: "
        f"drawn for training pairs {copying['training']:.3f}, for held-out pairs "
        f"{copying['held out']:.3f}; real held-out pictures {copying['real']:.3f}"
    )


def speed(model):
    """Median seconds of one prompt, and of the bare calls of the network that it needs."""
    x = torch.randn(2, *model.image_shape).to(next(model.parameters()))
    text = load_words().encode(["a red apple", ""], ["noto", None]).to(x.device)

    @torch.no_grad()
    def bare():
        for _ in range(STEPS):
            model(x, 500, text)

    takes = {
        f"{STEPS} steps, ddim": lambda: sample(model, "a red apple", "noto", steps=STEPS),
        "bare calls of the network": bare,
        "8 steps, dpm_solver": lambda: sample(
            model, "a red apple", "noto", steps=8, sampler=dpm_solver
        ),
    }
    return medians(takes)


def medians(takes):
    """Median seconds of each of these functions, called in turn: a dict like `takes`."""
    seconds = {name: [] for name in takes}
    for _ in range(ROUNDS):
        for name, take in takes.items():
            began = time.perf_counter()
            take()
            seconds[name].append(time.perf_counter() - began)
    return {name: sorted(s)[ROUNDS // 2] for name, s in seconds.items()}


def save_sheet(pictures, real, path):
    """Pairs of rows: 20 drawn pictures over the 20 real ones that were asked for."""
    n = len(pictures) // 20 * 20
    pair = torch.stack([pictures[:n], real[:n]])
    pair = rearrange(pair, "kind (row col) c h w -> (row kind col) c h w", col=20)
    sheet = rearrange(to_uint8(pair), "(row col) h w c -> (row h) (col w) c", col=20)
    Image.fromarray(sheet).resize((sheet.shape[1] * 2, sheet.shape[0] * 2), 0).save(path)


def table(result):
    lines = [f"seed {SEED}, {STEPS} DDIM steps; right emoji among the 5 nearest of its style"]
    lines += [adherence_line(row) for row in result["adherence"]]
    lines += [things_line(result["things"]), copying_line(result["copying"])]
    lines += [f"N = {N}"] + [crowd_line(row) for row in result["crowds"]]
    lines.append(f"{platform.machine()}, {torch.get_num_threads()} threads, one prompt, guidance 3")
    lines += [f"{name:26} {seconds:.2f} s" for name, seconds in result["speed"].items()]
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--weights", type=commands.weights, default="demiurge")
    parser.add_argument("--sheet", type=commands.picture_file)
    wish = parser.parse_args()

    model, emoji = load_checkpoint(wish.weights), load_emoji()
    order, kinds = pairs(emoji, 60 if wish.quick else PAIRS)
    result, drawn = {"adherence": []}, {}
    for scale in (DEFAULT,) if wish.quick else SCALES:
        for kind, rows in kinds.items():
            pictures, found = adherence(model, emoji, rows, kind, scale)
            result["adherence"].append(found)
            if scale == DEFAULT:
                drawn[kind] = pictures
    if wish.sheet:
        save_sheet(drawn["training"], emoji.images[kinds["training"]], wish.sheet)
    result["things"] = things(model, emoji, kinds["held out"], drawn["held out"])
    say(things_line(result["things"]))
    result["copying"] = copying(emoji, drawn, kinds["held out"])
    say(copying_line(result["copying"]))
    if not wish.quick:
        result |= {"crowds": crowds(model, emoji, order), "speed": speed(model)}
        (DATA / "demiurge.json").write_text(json.dumps(result, indent=1) + "\n", "utf-8")
        Path("benchmarks/demiurge.txt").write_text(table(result) + "\n", "utf-8")
        say(table(result))


if __name__ == "__main__":
    main()
