"""Does the pocket Stable Diffusion draw what it is asked for? Autoencoder, adherence, speed.

    python benchmarks/pocket.py [--quick] [--sheet SHEET.png]

Everything goes through the stock StableDiffusionPipeline.
Autoencoder: PSNR of all held-out emoji, which it never saw, beside a thumbnail of as many numbers.
Adherence: the judge of benchmarks/demiurge.py on pictures averaged down to 32x32; 200 concepts,
chosen by seed, each in one style of which the painter saw it, and all held-out pairs of its three
styles. The prompt is "name, style"; 20 steps of the pipeline's own scheduler, one sample a pair,
none picked; 95 % intervals are Wilson's. Guidance 1 is no guidance. The ceiling: the real pictures
through the autoencoder. Speed: one prompt, 20 steps, guidance 3, beside the bare network calls.

--quick measures guidance 3 alone, 100 concepts, and writes nothing; otherwise the result goes to
benchmarks/pocket.txt.
"""

import argparse
import platform
from pathlib import Path

import torch
import torch.nn.functional as F
from demiurge import hits, medians, save_sheet, wilson

from diffusion_helpers import load_emoji
from diffusion_helpers.authoring import commands
from diffusion_helpers.checks import say
from diffusion_helpers.pocket import STYLES, format_prompt, load_pocket, to_latents, to_pictures

SEED = 0
CONCEPTS = 200
BATCH = 50
STEPS = 20
SCALES = (1.0, 3.0, 5.0)
DEFAULT = 3.0


def psnr(pictures, truth):
    return (10 * torch.log10(4 / (pictures - truth).square().mean((1, 2, 3)))).mean().item()


def restored(pipe, pictures):
    """These (N, 3, 64, 64), through the autoencoder and back."""
    return torch.cat([to_pictures(pipe, to_latents(pipe, b)) for b in pictures.split(100)])


def autoencoder(pipe, pictures):
    """PSNR in dB of these (N, 3, 64, 64), squeezed by the autoencoder and by a thumbnail."""
    small = F.interpolate(pictures, size=18, mode="bilinear", antialias=True)  # 972 numbers
    thumbnail = F.interpolate(small, size=64, mode="bicubic").clamp(-1, 1)
    return psnr(restored(pipe, pictures), pictures), psnr(thumbnail, pictures)


def draw(pipe, emoji, rows, scale):
    """One picture (64x64) for each of these emoji, asked for by name and style."""
    pictures = []
    for start in range(0, len(rows), BATCH):
        some = rows[start : start + BATCH]
        prompts = [format_prompt(pipe, emoji.names[i], emoji.styles[i]) for i in some]
        dice = torch.Generator().manual_seed(SEED + start)
        how = {"num_inference_steps": STEPS, "guidance_scale": scale, "generator": dice}
        pictures.append(pipe(prompts, output_type="pt", **how).images.cpu().float() * 2 - 1)
    return torch.cat(pictures)


def halved(pictures):
    return F.interpolate(pictures, size=32, mode="area")


def speed(pipe):
    """Median seconds of one prompt, and of the bare calls of the UNet that it needs."""
    x = torch.randn(2, 4, 16, 16).to(pipe.device)
    words = torch.randn(2, 20, 128).to(pipe.device)

    @torch.no_grad()
    def bare():
        for _ in range(STEPS):
            pipe.unet(x, 500, words)

    how = {"num_inference_steps": STEPS, "guidance_scale": DEFAULT}
    drawn = f"{STEPS} steps"
    return medians({drawn: lambda: pipe("a red apple, noto", **how), "bare calls": bare})


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--sheet", type=commands.picture_file)
    wish = parser.parse_args()

    pipe, emoji, large = load_pocket(), load_emoji(), load_emoji(64)
    lines = [f"seed {SEED}, {STEPS} steps; right emoji among the 5 nearest of its style"]

    def report(line):
        say(line)
        lines.append(line)

    ours, thumbnail = autoencoder(pipe, large.images[large.held_out])
    report(
        f"autoencoder, held-out emoji: {ours:.1f} dB; a thumbnail of 972 numbers {thumbnail:.1f}"
    )
    known = torch.tensor([style in STYLES for style in emoji.styles])
    order = torch.randperm(len(emoji), generator=torch.Generator().manual_seed(SEED))
    seen = order[(known & ~emoji.held_out)[order]].tolist()
    one_each = list({emoji.concepts[i]: i for i in reversed(seen)}.values())[::-1]
    kinds = {"training": one_each[: 100 if wish.quick else CONCEPTS]}
    if not wish.quick:
        kinds["held out"] = order[(known & emoji.held_out)[order]].tolist()
        real = large.images[kinds["training"]]
        right = sum(hits(halved(restored(pipe, real)), emoji, kinds["training"]))
        report(f"the real pictures, through the autoencoder: {wilson(right, len(real))}")
    for scale in (DEFAULT,) if wish.quick else SCALES:
        for kind, rows in kinds.items():
            pictures = draw(pipe, emoji, rows, scale)
            right = sum(hits(halved(pictures), emoji, rows))
            report(f"guidance {scale:g}  {kind:9} {wilson(right, len(rows))} of {len(rows)}")
            if wish.sheet and scale == DEFAULT and kind == "training":
                save_sheet(pictures, large.images[rows], wish.sheet)
    if not wish.quick:
        report(f"{platform.machine()}, {torch.get_num_threads()} threads, one prompt, guidance 3")
        for name, seconds in speed(pipe).items():
            report(f"{name:10} {seconds:.2f} s")
        Path("benchmarks/pocket.txt").write_text("\n".join(lines) + "\n", "utf-8")


if __name__ == "__main__":
    main()
