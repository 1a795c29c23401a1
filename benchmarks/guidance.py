"""What guidance costs where a prompt leaves room: names that several artists drew, no style told.

    python benchmarks/guidance.py [--quick]

NAMES names, chosen by seed among those that at least ARTISTS artists drew for the training; EACH
pictures for each name and guidance scale, 20 DDIM steps, the same noise at every scale. The style
is left out, so there is a variety that can be lost. Four figures for each scale:

adherence  the share of pictures whose name is among the 5 most like it of all names (`similarity`
           to all training pictures, the best picture of each name). At guidance 0: chance
diversity  the variance among the pictures of one name, as a share of the variance of all pictures,
           in the features of the evaluation network (the judge)
artists    of how many artists the nearest pictures of that name are, among EACH pictures
distance   Fréchet distance to the training pictures of these names

The row "real" is a perfect sampler: for each name, EACH draws, with return, of one of its training
pictures. Intervals: 95 %, bootstrap over the names. --quick measures 4 names and writes nothing.
The table goes to benchmarks/guidance.txt, the figures to data/guidance.json, which lesson 07 reads.
"""

import argparse
import json
from pathlib import Path

import torch
from einops import rearrange

from diffusion_helpers import (
    extract_features,
    frechet_distance,
    load_checkpoint,
    load_emoji,
    nearest,
    sample,
)
from diffusion_helpers.checks import say
from diffusion_helpers.data import DATA
from diffusion_helpers.evaluation import similarity

SEED = 0
NAMES, EACH, ARTISTS = 48, 8, 5
SCALES = (0.0, 1.0, 2.0, 3.0, 4.0, 8.0)
STEPS = 20
FIRST = 5  # places in which the asked name must be
RESAMPLED = 1000  # times that the names are drawn anew, for an interval


def choose(emoji, n):
    """n names that at least ARTISTS artists drew for the training: {name: rows of its pictures}."""
    rows = {}
    for i, name in enumerate(emoji.names):
        if not emoji.held_out[i]:
            rows.setdefault(name, []).append(i)
    several = [name for name, own in rows.items() if len(own) >= ARTISTS]
    order = torch.randperm(len(several), generator=torch.Generator().manual_seed(SEED))
    return {several[i]: rows[several[i]] for i in order[:n].tolist()}


def adheres(pictures, asked, emoji):
    """Whether each picture's own name is among the FIRST most like it: (B,) bool."""
    training = [i for i, held in enumerate(emoji.held_out.tolist()) if not held]
    names = list(dict.fromkeys(emoji.names))
    number = torch.tensor([names.index(emoji.names[i]) for i in training])
    scores = similarity(pictures, emoji.images[training])  # (B, N)
    best = torch.full((len(pictures), len(names)), -torch.inf)
    best = best.scatter_reduce(1, number.expand(len(pictures), -1), scores, "amax")
    right = best.gather(1, torch.tensor([[names.index(name)] for name in asked]))
    return (best > right).sum(1) < FIRST


def diversity(features):  # (names, EACH, 64)
    every = rearrange(features, "k n d -> (k n) d")
    return float(features.var(1).mean(0).sum() / every.var(0).sum())


def measure(pictures, chosen, emoji):
    """The four figures of len(chosen) * EACH pictures, with intervals."""
    asked = [name for name in chosen for _ in range(EACH)]
    own = rearrange(pictures, "(k n) c h w -> k n c h w", n=EACH)
    artists = torch.tensor(
        [
            len(set(nearest(several, emoji.images[rows])[0].tolist()))
            for several, rows in zip(own, chosen.values(), strict=True)
        ]
    ).double()
    hits = rearrange(adheres(pictures, asked, emoji).double(), "(k n) -> k n", n=EACH).mean(1)
    features = extract_features(pictures)
    grouped = rearrange(features, "(k n) d -> k n d", n=EACH)
    real = extract_features(emoji.images[[i for rows in chosen.values() for i in rows]])
    figures = {
        "adherence": [hits.mean().item()],
        "diversity": [diversity(grouped)],
        "artists": [artists.mean().item()],
        "distance": [frechet_distance(real, features)],
    }
    drawn = torch.randint(
        len(chosen), (RESAMPLED, len(chosen)), generator=torch.Generator().manual_seed(SEED)
    )
    again = {
        "adherence": [hits[rows].mean().item() for rows in drawn],
        "diversity": [diversity(grouped[rows]) for rows in drawn],
        "artists": [artists[rows].mean().item() for rows in drawn],
    }
    for figure, values in again.items():
        ends = torch.tensor(values).quantile(torch.tensor([0.025, 0.975])).tolist()
        figures[figure] += ends
    return figures


def real_sampler(chosen, emoji):
    """EACH draws, with return, of a training picture of each name."""
    generator = torch.Generator().manual_seed(SEED)
    rows = [
        rows[i]
        for rows in chosen.values()
        for i in torch.randint(len(rows), (EACH,), generator=generator).tolist()
    ]
    return emoji.images[rows]


def table(result):
    lines = [
        f"{len(result['names'])} names, {result['each']} pictures each, no style told, "
        f"{STEPS} DDIM steps, seed {SEED}; 95 % intervals, bootstrap over the names"
    ]
    for row in result["rows"]:
        cells = []
        for figure in ("adherence", "diversity", "artists"):
            middle, low, high = row[figure]
            cells.append(f"{figure} {middle:.2f} ({low:.2f} to {high:.2f})")
        cells.append(f"distance {row['distance'][0]:.2f}")
        lines.append(f"{row['name']:12} " + "  ".join(cells))
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true")
    wish = parser.parse_args()
    model, emoji = load_checkpoint("demiurge"), load_emoji()
    chosen = choose(emoji, 4 if wish.quick else NAMES)
    rows = [{"name": "real"} | measure(real_sampler(chosen, emoji), chosen, emoji)]
    for scale in SCALES:
        drawn = sample(
            model, list(chosen), steps=STEPS, guidance_scale=scale, seed=SEED, n=EACH
        ).cpu()
        found = {"name": f"guidance {scale:g}", "scale": scale}
        rows.append(found | measure(drawn, chosen, emoji))
        say(table({"names": list(chosen), "each": EACH, "rows": rows[-1:]}))
    result = {"names": list(chosen), "each": EACH, "steps": STEPS, "rows": rows}
    if not wish.quick:
        (DATA / "guidance.json").write_text(json.dumps(result, indent=1) + "\n", "utf-8")
        Path("benchmarks/guidance.txt").write_text(table(result) + "\n", "utf-8")
    say(table(result))


if __name__ == "__main__":
    main()
