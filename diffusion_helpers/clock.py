"""Lesson 05: what it is worth to be told t. Grain, errors on flat and textured patches, the ladder.

Grain is what trembles where a picture should be plain. The ladder is data/ladder.json, measured by
benchmarks/ladder.py: the same networks blind and told t, three seeds of each.
"""

import json
import statistics

import torch
from einops import rearrange

from .checks import check_images
from .data import read_data
from .recorded import seed_interval

SIDE = 4  # pixels of a patch: small enough to find walls beside any emoji
FLAT = 1e-3  # the standard deviation below which a patch counts as flat: far below 1/255
FIGURES = ("distance", "precision", "recall", "grain")


def patches(images: torch.Tensor) -> torch.Tensor:
    """All patches of 4 x 4 pixels, (B, C, H, W) -> (B H W / 16, 16 C); H and W multiples of 4."""
    check_images(images)
    if images.shape[2] % SIDE or images.shape[3] % SIDE:
        raise ValueError(
            f"expected pictures whose sides are multiples of {SIDE}, got {tuple(images.shape)}"
        )
    return rearrange(images, "b c (h a) (w d) -> (b h w) (c a d)", a=SIDE, d=SIDE)


def grain(images: torch.Tensor) -> float:
    """How much the flattest quarter of all patches trembles: its mean standard deviation.

    images (B, C, H, W) in [-1, 1], H and W multiples of 4. In a set of
    real emoji it is 0: they stand on plain white.
    Raises ValueError for other shapes.
    """
    spread = patches(images).std(1).sort().values
    return spread[: max(1, len(spread) // 4)].mean().item()


def patch_errors(clean: torch.Tensor, truth: torch.Tensor) -> tuple[float, float]:
    """How much the error of `clean` trembles, on patches that are flat in `truth` and on others.

    Both are (B, C, H, W); each number is the mean standard deviation of clean - truth in a patch.
    Raises ValueError when the shapes differ, or when all patches are of one kind.
    """
    if not torch.is_tensor(clean) or clean.shape != truth.shape:
        raise ValueError(f"expected predicted pictures like the true ones, {tuple(truth.shape)}")
    off, flat = patches(clean - truth).std(1), flat_patches(truth)
    if flat.all() or not flat.any():
        raise ValueError("expected pictures that have flat patches and textured ones")
    return off[flat].mean().item(), off[~flat].mean().item()


def flat_patches(images: torch.Tensor) -> torch.Tensor:
    """Which of the `patches` are walls of one colour, (B H W / 16,) of bool."""
    return patches(images).std(1) < FLAT


def ladder_ratios() -> dict[str, tuple[list[int], list[float]]]:
    """Velocity error, blind relative to told t: {"seed 1, recorded": (the levels t, the ratios)}.

    The shipped networks, which a lesson measures itself, are those of seed 0: it is left out.
    """
    runs = zip(*(_ladder()["rungs"][rung][1:] for rung in ("blind", "time")), strict=True)
    return {
        f"seed {told['seed']}, recorded": (
            told["loss"]["t"],
            [b / t for b, t in zip(blind["loss"]["velocity"], told["loss"]["velocity"])],
        )
        for blind, told in runs
    }


def ladder_changes(*figures: str) -> dict[str, list[str]]:
    """Rows of a table, {"DDIM, grain": [blind, told t, change, verdict]}, means over three seeds.

    `figures` are of "distance", "precision", "recall", "grain". The change is taken within a seed,
    with its 95 % interval (Student's t); "undecided" says that it may be luck. Raises ValueError
    for another figure.
    """
    rungs, rows = _ladder()["rungs"], {}
    for figure in figures:
        if figure not in FIGURES:
            raise ValueError(f"expected figures among {', '.join(FIGURES)}, got {figure!r:.60}")
        for sampler in ("ddim", "ddpm"):
            blind, told = ([run[sampler][figure] for run in rungs[r]] for r in ("blind", "time"))
            change = [after - before for before, after in zip(blind, told, strict=True)]
            mean, half = seed_interval(change)
            rows[f"{sampler.upper()}, {figure}"] = [
                f"{statistics.mean(blind):.3f}",
                f"{statistics.mean(told):.3f}",
                f"{mean:+.3f} ± {half:.3f}",
                "decided" if abs(mean) > half else "undecided",
            ]
    return rows


def _ladder():
    return json.loads(read_data("ladder.json"))
