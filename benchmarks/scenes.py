"""Does the painter of scenes paint what it is told? All seven attributes, read by the exact oracle.

    python benchmarks/scenes.py [--quick] [--weights FILE]

500 captions of scenes such as the training showed, and 500 with a combination of colour, shape and
place that it never showed; in English and in Russian, 20 DDIM steps, seeds stated, none picked;
95 % intervals are Wilson's. A caption counts as obeyed when the picture is well formed and every
attribute is right: two sizes, two colours, two shapes, and how they stand. At guidance 0 the
caption is not heard: that row is chance. Beside it stands what chance should give: how often the
scene of one caption, drawn at random, obeys another. "order": the same caption with the two objects
exchanged, so that only the order of its words differs; obeyed if the picture shows the exchange.
The oracle's own accuracy is measured on drawn scenes under dust. --quick paints 100 captions of
each kind at guidance 3 alone. The full result is written to benchmarks/scenes.txt.
"""

import argparse
from pathlib import Path

import torch
from demiurge import wilson

from diffusion_helpers import load_checkpoint, sample
from diffusion_helpers.authoring import commands
from diffusion_helpers.checks import say
from diffusion_helpers.scenes import captions, read_scenes, same_scene, scenes

N = 500
BATCH = 100
SCALES = (0.0, 1.0, 2.0, 3.0, 5.0)
DUST = (0.0, 0.1, 0.2, 0.3, 0.5)  # standard deviation of dust added to drawn scenes
FRESH = 100  # seed of the captions; the training drew its scenes with another


def paint(model, told, scale):
    """One picture for each caption: (len(told), 3, 32, 32)."""
    batches = [told[i : i + BATCH] for i in range(0, len(told), BATCH)]
    return torch.cat(
        [
            sample(model, some, guidance_scale=scale, seed=seed).cpu()
            for seed, some in enumerate(batches)
        ]
    )


def obeyed(pictures, wanted):
    """Whether each picture shows its scene, all of it; and whether it is well formed at all."""
    reading = read_scenes(pictures)
    return reading.well_formed & same_scene(reading.attributes, wanted), reading.well_formed


def oracle_lines():
    lines = ["the oracle on 500 drawn scenes, with dust on them"]
    drawn = scenes(500, FRESH)
    generator = torch.Generator().manual_seed(0)
    for dust in DUST:
        noisy = drawn.images + dust * torch.randn(drawn.images.shape, generator=generator)
        right, formed = obeyed(noisy, drawn.attributes)
        of_formed = (right.sum() / formed.sum().clamp(min=1)).item()
        lines.append(
            f"dust {dust:.1f}  called well formed {formed.float().mean():.3f}, "
            f"of these all attributes right {of_formed:.3f}"
        )
    return lines


def exchanged(attributes):
    """The two objects change places; how they stand stays: only the order of the words differs."""
    return torch.cat([attributes[:, 4:], attributes[:, 3:4], attributes[:, :3]], dim=1)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--weights", type=commands.weights, default="scenes")
    wish = parser.parse_args()

    model, n = load_checkpoint(wish.weights), 100 if wish.quick else N
    wanted = {
        "training": scenes(n, FRESH).attributes,
        "held out": scenes(n, FRESH, unseen=True).attributes,
    }
    lines = [] if wish.quick else oracle_lines()

    def report(kind, attributes, scale, language="en"):
        pictures = paint(model, captions(attributes, language), scale)
        right, formed = obeyed(pictures, attributes)
        lines.append(
            f"guidance {scale:g}  {language}  {kind:9} obeyed {wilson(int(right.sum()), n)} of {n}"
            f", well formed {formed.float().mean():.3f}"
        )
        say(lines[-1])

    say("\n".join(lines))
    for scale in (3.0,) if wish.quick else SCALES:
        for kind, attributes in wanted.items():
            report(kind, attributes, scale)
    shuffled = wanted["training"].roll(1, 0)
    by_luck = same_scene(shuffled, wanted["training"]).float().mean()
    lines.append(f"chance: a scene drawn for another caption obeys this one in {by_luck:.3f}")
    say(lines[-1])
    for kind, attributes in wanted.items():
        report(kind, attributes, 3.0, "ru")
    report("order", exchanged(wanted["training"]), 3.0)
    if not wish.quick:
        Path("benchmarks/scenes.txt").write_text("\n".join(lines) + "\n", "utf-8")


if __name__ == "__main__":
    main()
