"""Lesson 06: attention weights over a picture, and which place of it asks."""

import torch
from einops import rearrange, repeat

from ..checks import check_count, check_floats
from ..languages import tr

BLUE, WHITE, ORANGE = (-1.0, -0.11, 0.4), (1.0, 1.0, 1.0), (0.67, -0.26, -1.0)
TIMES = 3  # each pixel is drawn this many times as wide, so that a thin frame fits in


def frame_place(picture: torch.Tensor, x: int, y: int, places: int = 8) -> torch.Tensor:
    """A blue frame with a white rim round the place in column x and row y.

    picture (3, H, W) in [-1, 1], cut into places x places; returns (3, 3 H, 3 W).
    """
    check_floats(picture, "C H W", "picture", C=3)
    check_count(places, "places")
    check_count(x, "x", 0, places - 1), check_count(y, "y", 0, places - 1)
    side = picture.shape[-1] // places
    if side == 0 or picture.shape[1:] != (side * places, side * places):
        raise ValueError(_not_square(places, picture))
    big = repeat(picture.clamp(-1, 1), "c h w -> c (h a) (w b)", a=TIMES, b=TIMES).clone()
    side *= TIMES
    for rim, colour in enumerate((BLUE, WHITE)):
        top, bottom = side * y + rim, side * (y + 1) - 1 - rim
        left, right = side * x + rim, side * (x + 1) - 1 - rim
        paint = torch.tensor(colour).to(big)[:, None]
        big[:, [top, bottom], left : right + 1] = paint[..., None]
        big[:, top : bottom + 1, [left, right]] = paint[..., None]
    return big


def draw_attention(weights: torch.Tensor, picture: torch.Tensor, x: int, y: int) -> torch.Tensor:
    """The attention weights of one place as orange ink over its pale grey picture.

    weights (N,), N places row by row, of the place in column x and row y, which gets a frame;
    picture (3, H, W) in [-1, 1]; returns (3, 3 H, 3 W). The darkest orange is the largest weight.
    """
    check_floats(weights, "N", "attention weights")
    places = round(len(weights) ** 0.5)
    if len(weights) == 0 or places**2 != len(weights):
        raise ValueError(tr("expected the attention weights of N x N places, got {}", len(weights)))
    check_floats(picture, "C H W", "picture", weights, C=3)
    side = max(1, picture.shape[-1] // places)
    strength = rearrange(weights / weights.max().clamp(min=1e-9), "(h w) -> 1 h w", w=places)
    strength = repeat(strength, "1 h w -> 1 (h a) (w b)", a=side, b=side)
    pale = 0.3 * picture.mean(0, keepdim=True).clamp(-1, 1) + 0.7
    if strength.shape != pale.shape:
        raise ValueError(_not_square(places, picture))
    ink = torch.tensor(ORANGE).to(picture)[:, None, None]
    return frame_place(pale * (1 - strength) + ink * strength, x, y, places)


def _not_square(places, picture):
    return tr("a picture of {} x {} places is square, got {}", places, places, picture.shape)
