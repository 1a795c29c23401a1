"""Lessons 04 and 05: grain, what varies where a picture should be plain, and errors by patch."""

import torch
from einops import rearrange

from .checks import check_images
from .languages import tr

SIDE = 4  # pixels of a patch: small enough to find walls beside any emoji
FLAT = 1e-3  # the standard deviation below which a patch counts as flat: far below 1/255


def patches(images: torch.Tensor) -> torch.Tensor:
    """All patches of 4 x 4 pixels, (B, C, H, W) -> (B H W / 16, 16 C); H and W multiples of 4."""
    check_images(images)
    if images.shape[2] % SIDE or images.shape[3] % SIDE:
        raise ValueError(
            tr(
                "expected pictures whose sides are multiples of {}, got {}",
                SIDE,
                tuple(images.shape),
            )
        )
    return rearrange(images, "b c (h a) (w d) -> (b h w) (c a d)", a=SIDE, d=SIDE)


def grain(images: torch.Tensor) -> float:
    """How much the flattest quarter of all patches trembles: its mean standard deviation.

    images (B, C, H, W) in [-1, 1], H and W multiples of 4. In a set of real emoji it is 0: they
    stand on plain white. Raises ValueError for other shapes.
    """
    spread = patches(images).std(1).sort().values
    return spread[: max(1, len(spread) // 4)].mean().item()


def patch_errors(clean: torch.Tensor, truth: torch.Tensor) -> tuple[float, float]:
    """How much the error of `clean` trembles, on patches that are flat in `truth` and on others.

    Both are (B, C, H, W); each number is the mean standard deviation of clean - truth in a patch.
    Raises ValueError when the shapes differ, or when all patches are of one kind.
    """
    if not torch.is_tensor(clean) or clean.shape != truth.shape:
        raise ValueError(
            tr("expected predicted pictures like the true ones, {}", tuple(truth.shape))
        )
    off, flat = patches(clean - truth).std(1), flat_patches(truth)
    if flat.all() or not flat.any():
        raise ValueError(tr("expected pictures that have flat patches and textured ones"))
    return off[flat].mean().item(), off[~flat].mean().item()


def flat_patches(images: torch.Tensor) -> torch.Tensor:
    """Which of the `patches` are walls of one colour, (B H W / 16,) of bool."""
    return patches(images).std(1) < FLAT
