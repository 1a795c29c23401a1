"""Does the demiurge draw what it is asked for? Adherence, a crowd's distance, and copying.

    python benchmarks/demiurge.py [--quick] [--weights FILE] [--sheet SHEET.png]

Adherence: the share of samples whose emoji is among the 5 most like it (`rank_among`) of all real
emoji of the asked style. The prompt is the English name; 300 training pairs of concept and style,
chosen by seed, and all held-out pairs, which no training saw; 20 DDIM steps, one sample a pair,
seeds stated, none picked; 95 % intervals are Wilson's. At guidance 0 the prompt is not heard: that
row is chance. Crowd: Fréchet distance, precision and recall of N = 2,000 samples of random training
pairs against 2,000 real emoji. Copying: squared distance to the nearest training picture.
--quick measures 60 pairs of each kind at guidance 3 alone. The full result is written to
benchmarks/demiurge.txt.
"""

import argparse

import torch
from einops import rearrange
from PIL import Image

from diffusion_helpers import (
    crowd_features,
    frechet_distance,
    load_checkpoint,
    load_emoji,
    nearest,
    precision_recall,
    rank_among,
    sample,
)
from diffusion_helpers.figures import to_uint8

SEED = 0
N = 2000  # for the crowd; Fréchet distances compare only at one N
BATCH = 100
SCALES = (0.0, 1.0, 2.0, 3.0, 5.0)


def draw(model, emoji, rows, scale):
    """One picture for each of these emoji, asked for by name and style: (len(rows), 3, 32, 32)."""
    pictures = []
    for start in range(0, len(rows), BATCH):
        some = rows[start : start + BATCH]
        names, styles = [emoji.names[i] for i in some], [emoji.styles[i] for i in some]
        seed = SEED + start
        pictures.append(sample(model, names, styles, guidance_scale=scale, seed=seed).cpu())
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


def wilson(right, n, z=1.96):
    """Share, and the 95 % interval of Wilson 1927, in per cent."""
    share = right / n
    centre = (share + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * (share * (1 - share) / n + z**2 / (4 * n**2)) ** 0.5
    return f"{share:5.1%} ({centre - half:.1%} to {centre + half:.1%})"


def adherence(model, emoji, rows, name, scale):
    pictures = draw(model, emoji, rows, scale)
    found = hits(pictures, emoji, rows)
    share = wilson(sum(found), len(found))
    return pictures, f"guidance {scale:g}  {name:9} {share} of {len(found)}"


def crowd(model, emoji, training_rows, scale):
    pictures = emoji.images[training_rows[:N]]
    generator = torch.Generator().manual_seed(SEED + 1)
    rows = [training_rows[i] for i in torch.randint(len(training_rows), (N,), generator=generator)]
    real, fake = crowd_features(pictures), crowd_features(draw(model, emoji, rows, scale))
    precision, recall = precision_recall(real, fake)
    return (
        f"guidance {scale:g}  N = {N}  distance {frechet_distance(real, fake):.2f}  "
        f"precision {precision:.3f}  recall {recall:.3f}"
    )


def copying(emoji, held_out, pictures):
    training = emoji.training().images
    drawn, real = (nearest(p, training)[1].median() for p in (pictures, emoji.images[held_out]))
    return (
        "squared distance to the nearest training picture, median over the held-out pairs: "
        f"drawn {drawn:.3f}, real {real:.3f}"
    )


def save_sheet(pictures, real, path):
    """Pairs of rows: 20 drawn pictures over the 20 real ones that were asked for."""
    n = len(pictures) // 20 * 20
    pair = torch.stack([pictures[:n], real[:n]])
    pair = rearrange(pair, "kind (row col) c h w -> (row kind col) c h w", col=20)
    sheet = rearrange(to_uint8(pair), "(row col) h w c -> (row h) (col w) c", col=20)
    Image.fromarray(sheet).resize((sheet.shape[1] * 2, sheet.shape[0] * 2), 0).save(path)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--weights", default="demiurge")
    parser.add_argument("--sheet")
    wish = parser.parse_args()

    model, emoji = load_checkpoint(wish.weights), load_emoji()
    order = torch.randperm(len(emoji), generator=torch.Generator().manual_seed(SEED))
    training_rows = order[~emoji.held_out[order]].tolist()
    held_out = order[emoji.held_out[order]].tolist()
    kinds = {"training": training_rows[: 60 if wish.quick else 300]}
    kinds["held out"] = held_out[:60] if wish.quick else held_out
    lines = [f"seed {SEED}, 20 DDIM steps; right emoji among the 5 nearest of the asked style"]
    for scale in (3.0,) if wish.quick else SCALES:
        for name, rows in kinds.items():
            pictures, line = adherence(model, emoji, rows, name, scale)
            lines.append(line)
            print(line, flush=True)
            if scale == 3.0 and name == "training" and wish.sheet:
                save_sheet(pictures, emoji.images[rows], wish.sheet)
            if scale == 3.0 and name == "held out":
                lines.append(copying(emoji, rows, pictures))
                print(lines[-1], flush=True)
    if not wish.quick:
        for scale in SCALES[1:]:
            lines.append(crowd(model, emoji, training_rows, scale))
            print(lines[-1], flush=True)
        with open("benchmarks/demiurge.txt", "w", encoding="utf-8") as file:
            file.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
