"""What does "swift" draw in four calls, how fast, and what did the demiurge's student lose?

    python benchmarks/swift.py [--quick] [--weights FILE] [--sheet SHEET.png]

All of it takes about ten CPU minutes. Beside swift stand, in the same run, its teacher, the
demiurge, in 20 guided steps of DDIM (40 calls of the network), and the demiurge in as few steps as
swift (8 calls): what distillation had to repair. The sheet shows rows of swift's pictures, each
over the demiurge's of the same noise.

Adherence: as in benchmarks/demiurge.py, with its pairs, its noise and its judge: 300 training pairs
and all held-out ones, the share whose emoji is among the 5 nearest of its style. Crowd: Fréchet
distance, precision and recall of N = 2,000 pictures; the demiurge's 20 steps are those recorded in
data/demiurge.json, of the same pairs and the same noise.

What was lost, all at guidance 2:
styles    the share of the pictures of those pairs whose style, as the judge's network names it, is
          the asked one; "real" are the real pictures of the pairs
variety   48 names that at least 5 artists drew, no style told, 8 pictures of each, the same noise
          for all networks: the figures of benchmarks/guidance.py, their intervals by bootstrap over
          the names; apart, the mean difference (root mean square) of two pictures of one name; from
          the demiurge, that of its picture and the demiurge's of the same noise
free      the hundred prompts of benchmarks/contact_sheet.py, in both languages, in style noto: how
          often the emoji that is most like the demiurge's picture is among the 5 most like swift's
          of the same noise; beside it, the demiurge against itself with other noise

Speed: one prompt to one picture, medians of rounds in turn, so that the ratio holds on a busy
machine, with two threads and with one.

--quick measures 60 pairs of each kind at guidance 2 alone, and writes nothing. The full result goes
to benchmarks/swift.txt, the figures to data/swift.json, which lessons read.
"""

import argparse
import json
import platform
import warnings
from pathlib import Path

import demiurge as teacher
import guidance
import torch
from contact_sheet import PROMPTS
from demiurge import PAIRS, SEED, STEPS, N, adherence_line, crowd_line, medians, wilson
from einops import rearrange

from diffusion_helpers import (
    ddim,
    extract_features,
    load_checkpoint,
    load_emoji,
    rank_among,
    sample,
)
from diffusion_helpers.authoring import commands
from diffusion_helpers.checks import say
from diffusion_helpers.data import DATA, read_data
from diffusion_helpers.evaluation import load_feature_net, similarity
from diffusion_helpers.recorded import share_interval
from diffusion_helpers.words import PromptWarning

SCALE = 2.0  # the guidance at which the networks are compared
SCALES = (1.0, 2.0, 3.0, 5.0)  # of swift
CROWD_SCALES = (1.0, 2.0, 3.0)
TEACHER = ("demiurge", STEPS)  # a network's name and its steps, as all keys of `networks`
STYLE, OTHER_NOISE = "noto", 1000  # of the free prompts
THREADS = (2, 1)


def adherence(networks, emoji, kinds, scales):
    """The rows of the table, and the pictures at SCALE: {key: {kind: pictures}}."""
    rows, drawn = [], {key: {} for key in networks}
    for key, model in networks.items():
        say(row_of(key))
        for scale in scales if key[0] == "swift" else (SCALE,):
            for kind, pairs in kinds.items():
                pictures, found = teacher.adherence(model, emoji, pairs, kind, scale, key[1])
                rows.append(row_of(key) | found)
                if scale == SCALE:
                    drawn[key][kind] = pictures
    return rows, drawn


def row_of(key):
    return {"network": key[0], "steps": key[1]}


def crowds(networks, emoji, order):
    """Real against real and the demiurge as recorded, then what is drawn here: a list of dicts."""
    real, *recorded = json.loads(read_data("demiurge.json"))["crowds"]
    rows = [{"network": "real"} | real]
    for row in recorded:
        if (row["sampler"], row["steps"]) == ("ddim", STEPS) and row["scale"] in CROWD_SCALES:
            rows.append({"network": "demiurge"} | row)
    for (name, steps), model in networks.items():
        if (name, steps) != TEACHER:
            scales = CROWD_SCALES if name == "swift" else (SCALE,)
            drawn = teacher.crowds(model, emoji, order, [(ddim, steps, s) for s in scales])
            rows += [{"network": name} | row for row in drawn[1:]]
    return rows


# ---- what was lost ------------------------------------------------------------------------------


def styles(drawn, emoji, kinds):
    """Whose pictures have the asked style, both kinds of pairs together: a list of dicts."""
    rows = [i for pairs in kinds.values() for i in pairs]
    names = sorted(set(emoji.styles))  # as data/build_judge.py numbers them
    asked = torch.tensor([names.index(emoji.styles[i]) for i in rows])
    crowd = {("real", 0): emoji.images[rows]}
    crowd |= {key: torch.cat([of[kind] for kind in kinds]) for key, of in drawn.items()}
    found = []
    for key, pictures in crowd.items():
        with torch.no_grad():
            named = load_feature_net().style(extract_features(pictures).float()).argmax(1)
        found.append(row_of(key) | shares(named == asked))
    return found


def shares(right):
    """A row of True and False as a share with its interval."""
    low, high = share_interval(int(right.sum()), len(right))
    return {"right": int(right.sum()), "n": len(right), "low": low, "high": high}


def difference(one, other):
    """The root mean square of the difference of two batches of pictures, (B,)."""
    return (one - other).square().mean((1, 2, 3)).sqrt()


def variety(networks, emoji, names):
    """What one name gives with different noise: a list of dicts."""
    chosen = guidance.choose(emoji, names)
    drawn = {("real", 0): guidance.real_sampler(chosen, emoji)}
    for (name, steps), model in networks.items():
        how = {"steps": steps, "guidance_scale": SCALE, "seed": SEED, "n": guidance.EACH}
        drawn[name, steps] = sample(model, list(chosen), **how).cpu()
    rows = []
    for key, pictures in drawn.items():
        row = row_of(key) | guidance.measure(pictures, chosen, emoji)
        of_a_name = rearrange(pictures, "(k n) c h w -> n k c h w", n=guidance.EACH)
        one, other = torch.combinations(torch.arange(guidance.EACH)).T
        apart = [difference(of_a_name[i], of_a_name[j]) for i, j in zip(one, other, strict=True)]
        row["apart"] = torch.stack(apart).mean().item()
        if key[0] != "real":
            row["from the demiurge"] = difference(pictures, drawn[TEACHER]).mean().item()
        rows.append(row)
    return rows


def free(networks, emoji):
    """Whose picture of a free prompt looks like what the demiurge's looks like: a list of dicts."""
    gallery = emoji.images[[i for i, style in enumerate(emoji.styles) if style == STYLE]]

    def draw(key, first_seed):
        seeds = list(range(first_seed, first_seed + len(PROMPTS)))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", PromptWarning)
            how = {"steps": key[1], "guidance_scale": SCALE, "seed": seeds}
            return sample(networks[key], PROMPTS, STYLE, **how).cpu()

    shown = similarity(draw(TEACHER, SEED), gallery).argmax(1)
    rows = []
    for key in networks:
        noise = OTHER_NOISE if key == TEACHER else SEED
        right = rank_among(draw(key, noise), gallery, shown) < 5
        rows.append(row_of(key) | {"first seed": noise} | shares(right))
    return rows


# ---- how small, how fast ------------------------------------------------------------------------


def sizes(weights):
    """The bytes of the two files."""
    shipped = DATA / "checkpoints"
    swift = Path(weights) if weights != "swift" else shipped / "swift.safetensors"
    return {
        "swift": swift.stat().st_size,
        "demiurge": (shipped / "demiurge.safetensors").stat().st_size,
    }


def speed(networks):
    """Median seconds from a prompt to its picture, for each number of threads: a list of dicts."""

    def take(model, steps):
        return lambda: sample(model, "a red apple", "noto", steps=steps, guidance_scale=SCALE)

    takes = {key: take(model, key[1]) for key, model in networks.items()}
    before, rows = torch.get_num_threads(), []
    for threads in THREADS:
        torch.set_num_threads(threads)
        for draw in takes.values():  # warm-up
            draw()
        found = medians(takes)
        rows += [
            row_of(key) | {"threads": threads, "seconds": s, "times as fast": found[TEACHER] / s}
            for key, s in found.items()
        ]
    torch.set_num_threads(before)
    return rows


# ---- the table ----------------------------------------------------------------------------------


def variety_line(row):
    cells = [
        "{} {:.2f} ({:.2f} to {:.2f})".format(figure, *row[figure])
        for figure in ("adherence", "diversity", "artists")
    ]
    if near := row.get("from the demiurge"):
        cells.append(f"from the demiurge {near:.3f}")
    return "  ".join([*cells, f"apart {row['apart']:.3f}"])


def speed_line(row):
    return (
        f"{row['threads']} threads {row['seconds']:.3f} s, {row['times as fast']:.1f} times as fast"
    )


def share_line(row):
    return f"{wilson(row['right'], row['n'])} of {row['n']}"


PARTS = {  # {what: (its heading, the line of a row)}
    "adherence": ("right emoji among the 5 nearest of its style", adherence_line),
    "crowds": (f"N = {N}", crowd_line),
    "styles": (f"guidance {SCALE:g}: the asked style, as the judge names it", share_line),
    "variety": (f"guidance {SCALE:g}: one name, no style told, different noise", variety_line),
    "free": (f"guidance {SCALE:g}: free prompts, shows what the demiurge shows", share_line),
    "speed": (f"{platform.machine()}, one prompt to one picture", speed_line),
}


def table(result):
    lines = [f"seed {SEED}"]
    for part, (heading, line) in PARTS.items():
        lines.append(f"\n{heading}")
        for row in result.get(part, []):
            name = row["network"] + (f", {row['steps']} steps" if row["steps"] else "")
            lines.append(f"{name:20}  {line(row)}")
    lines += [f"\n{name}: {size:,} bytes" for name, size in result["bytes"].items()]
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--weights", type=commands.weights, default="swift")
    parser.add_argument("--sheet", type=commands.picture_file)
    wish = parser.parse_args()

    swift, demiurge, emoji = (
        load_checkpoint(wish.weights),
        load_checkpoint("demiurge"),
        load_emoji(),
    )
    few = swift.distilled_steps
    if few is None:
        parser.error(f"{wish.weights} is no distilled network")
    networks = {("swift", few): swift, TEACHER: demiurge, ("demiurge", few): demiurge}
    order, kinds = teacher.pairs(emoji, 60 if wish.quick else PAIRS)
    rows, drawn = adherence(networks, emoji, kinds, (SCALE,) if wish.quick else SCALES)
    result = {
        "adherence": rows,
        "styles": styles(drawn, emoji, kinds),
        "bytes": sizes(wish.weights),
    }
    if wish.sheet:
        pictures = [drawn[key]["training"] for key in (("swift", few), TEACHER)]
        teacher.save_sheet(*pictures, wish.sheet)
    if not wish.quick:
        result["crowds"] = crowds(networks, emoji, order)
        result["variety"] = variety(networks, emoji, guidance.NAMES)
        result |= {"free": free(networks, emoji), "speed": speed(networks)}
        (DATA / "swift.json").write_text(json.dumps(result, indent=1) + "\n", "utf-8")
        Path("benchmarks/swift.txt").write_text(table(result) + "\n", "utf-8")
    say(table(result))


if __name__ == "__main__":
    main()
