"""Lesson 06: the twins. Two distant discs that must have one colour, and nets with a short sight.

A scene where only global agreement counts: either disc alone is right in any of six colours, so a
net that cannot look from one to the other is right by chance only. An exact oracle judges it.
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
import torch.nn.functional as F
from einops import rearrange
from torch import nn

from .attention import SpatialAttention, zeroed
from .checkpoints import dequantize, load_tensors
from .checks import (
    brief,
    check_count,
    check_floats,
    check_images,
    expand_t,
    seeded_generator,
)
from .data import DATA
from .device import as_device, fast_math
from .noising import cosine_schedule
from .unet import TimeEmbedding

SIDE = 32
PALETTE = torch.tensor(  # corners of the colour cube: as far from each other, and white, as can be
    [[1, -1, -1], [1, 1, -1], [-1, 1, -1], [-1, 1, 1], [-1, -1, 1], [1, -1, 1]]
).float()
COLOURS = ("red", "yellow", "green", "cyan", "blue", "magenta")  # the names of PALETTE's rows
WHITE = len(PALETTE)  # the number of the background, after those of the colours
RADIUS = 4  # pixels: large enough to see, small enough to leave a wide gap
EDGE = 5.5  # distance of a centre from its edge: the discs fill columns 2 to 9 and 22 to 29
STRIP = 12  # columns at each edge that belong to a disc; the 8 between must stay empty


# ---- scenes and their oracle --------------------------------------------------------------------


def _disc():
    """Where the left disc is: (32, 32) bool; the right one is its mirror image."""
    y, x = torch.meshgrid(torch.arange(SIDE), torch.arange(SIDE), indexing="ij")
    return (y - (SIDE - 1) / 2) ** 2 + (x - EDGE) ** 2 <= RADIUS**2


def twins(n: int, seed: int = 0, agreeing: bool = True) -> torch.Tensor:
    """n scenes, (n, 3, 32, 32) in [-1, 1]: a disc left, a disc right, of one colour, on white.

    The places never change, so that colour is all there is to agree on. With agreeing=False the
    two colours always differ: scenes that the oracle must refuse.
    """
    n, generator = check_count(n), seeded_generator(seed)
    left = torch.randint(len(PALETTE), (n,), generator=generator)
    step = torch.randint(1, len(PALETTE), (n,), generator=generator)
    right = left if agreeing else (left + step) % len(PALETTE)
    pictures = torch.ones(n, 3, SIDE, SIDE)
    for colour, disc in ((left, _disc()), (right, _disc().flip(1))):
        pictures = torch.where(disc, rearrange(PALETTE[colour], "n c -> n c 1 1"), pictures)
    return pictures


class Verdict(NamedTuple):
    well_formed: torch.Tensor  # (B,) bool: one disc of one colour left, one right, nothing between
    agrees: torch.Tensor  # (B,) bool: both strips show the same colour
    left: torch.Tensor  # (B,) the left colour, a row of PALETTE, or WHITE where there is none
    right: torch.Tensor


def compare_colours(pictures: torch.Tensor) -> Verdict:
    """The oracle: a `Verdict` for pictures (B, 3, 32, 32). Raises ValueError for other shapes.

    Every pixel counts for the nearest colour, white included; a strip has the colour that most of
    its coloured pixels have. Its own accuracy, on clean and noisy scenes: benchmarks/twins.txt.
    """
    check_images(pictures, channels=3)
    if pictures.shape[-2:] != (SIDE, SIDE):
        raise ValueError(f"scenes have shape (B, 3, 32, 32), got {tuple(pictures.shape)}")
    colours = torch.cat([PALETTE, torch.ones(1, 3)]).to(pictures)
    away = rearrange(pictures, "b c y x -> b 1 y x c") - rearrange(colours, "k c -> k 1 1 c")
    paint = F.one_hot(away.square().sum(-1).argmin(1), len(colours))  # (B, H, W, 7)
    area = _disc().sum()

    well_formed, found = [], []
    for strip in (paint[:, :, :STRIP], paint[:, :, -STRIP:]):
        counts = strip.sum((1, 2))[:, :WHITE]  # (B, 6) pixels of each colour
        most, colour = counts.max(1)
        others = counts.sum(1) - most
        # a quarter more or less is still a disc; up to a tenth of other colours is noise
        right_size = (most - area).abs() <= 0.25 * area
        well_formed.append(right_size & (others <= 0.1 * area))
        found.append(torch.where(most > 0, colour, WHITE))
    between = paint[:, :, STRIP:-STRIP, WHITE].float().mean((1, 2))
    well_formed = well_formed[0] & well_formed[1] & (between >= 0.95)
    left, right = found
    return Verdict(well_formed, (left == right) & (left < WHITE), left, right)


# ---- a net that cannot look far -----------------------------------------------------------------

PATCH = 4  # pixels a side: 8 x 8 places, so that attention costs little
WIDTH = 64  # numbers at each place
HEADS = 2  # of 32 numbers each, as in the UNet
STEPS = 600  # measured: after 300 one seed in three still stayed below .90 agreement
LEARNING_RATE = 2e-2  # measured: so small a net bears seven times the usual one, and learns faster
BLOCKS = 2  # each sees one place further: two places or 8 pixels, and the twins are three apart


class PlaceNorm(nn.Module):
    """RMSNorm (arXiv 1910.07467) at each place alone: h (B, C, H, W) -> the same shape.

    GroupNorm would divide by a statistic of the whole picture, and so tell every place about all
    others.
    """

    def __init__(self, channels: int):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(check_count(channels, "channels"), 1, 1))

    def forward(self, h: torch.Tensor) -> torch.Tensor:
        check_floats(h, "B C H W", "features", C=len(self.weight))  # one would be spread over all
        return h * (h.square().mean(1, keepdim=True) + 1e-6).rsqrt() * self.weight


class NearBlock(nn.Module):
    """Residual block that sees one place further in each direction; (B, WIDTH, 8, 8), same out."""

    def __init__(self, norm: Callable[[int], nn.Module], c_time: int, attention: bool):
        super().__init__()
        self.norm = norm(WIDTH)
        self.time = nn.Linear(c_time, 2 * WIDTH)
        self.conv = nn.Conv2d(WIDTH, WIDTH, 3, padding=1)
        self.think = zeroed(nn.Conv2d(WIDTH, WIDTH, 1))
        self.focus = SpatialAttention(norm(WIDTH), WIDTH, None, HEADS) if attention else None

    def forward(self, h: torch.Tensor, time: torch.Tensor) -> torch.Tensor:
        check_floats(time, "B C", "time", B=len(h))  # one picture would be spread over all times
        scale, shift = rearrange(self.time(time), "b (two c) -> two b c 1 1", two=2)
        change = self.conv(self.norm(h) * (1 + scale) + shift)
        h = h + self.think(F.silu(change))
        return h if self.focus is None else self.focus(h)


class TwinsNet(nn.Module):
    """A shallow net for scenes, with or without Focus of Thought, everything else equal.

    attention  every place looks at all others after each block; without it no pixel of one twin
               can see a pixel of the other
    norm       makes a normalisation from a number of channels; unet.group_norm lets statistics of
               the whole picture through

    Call it as model(x_t, t), like a UNet: x_t (B, 3, 32, 32), t (B,); returns the clean
    picture, shaped like x_t. `train`, `sample` and `capture_attention` work with it.
    """

    image_shape, predicts, text = (3, SIDE, SIDE), "clean", None

    def __init__(self, attention: bool = True, norm: Callable[[int], nn.Module] = PlaceNorm):
        super().__init__()
        if not callable(norm):
            raise ValueError(f"norm makes a normalisation from a width, got {brief(norm)}")
        self.config = {"attention": attention}
        self.schedule = cosine_schedule()
        c_time = 128
        self.time = TimeEmbedding(c_time)
        self.enter = nn.Conv2d(3 * PATCH**2, WIDTH, 1)
        places = SIDE // PATCH
        self.place = nn.Parameter(0.1 * torch.randn(1, WIDTH, places, places))  # where am I?
        self.blocks = nn.ModuleList(NearBlock(norm, c_time, attention) for _ in range(BLOCKS))
        self.leave_norm = norm(WIDTH)
        self.leave = nn.Conv2d(WIDTH, 3 * PATCH**2, 1)

    def forward(self, x_t: torch.Tensor, t: int | torch.Tensor) -> torch.Tensor:
        check_images(x_t, 3, "pictures", like=self.enter.weight)
        check_floats(x_t, "B C H W", "scenes", H=SIDE, W=SIDE)
        with fast_math(x_t):
            time = self.time(expand_t(t, x_t))
            # (B, 3, 32, 32) -> (B, 48, 8, 8) -> (B, WIDTH, 8, 8)
            h = self.enter(F.pixel_unshuffle(x_t, PATCH)) + self.place
            for block in self.blocks:
                h = block(h, time)
            out = self.leave(F.silu(self.leave_norm(h)))
        return F.pixel_shuffle(out.to(x_t.dtype), PATCH)


def load_twins(attention: bool = True, device: torch.device | str | None = None) -> TwinsNet:
    """The shipped net that looks far (True) or the near-sighted one, in evaluation mode."""
    name = "twins_attention" if attention else "twins_near"
    tensors, notes = load_tensors(DATA / "checkpoints" / f"{name}.safetensors")
    model = TwinsNet(**notes["config"])
    model.load_state_dict(dequantize(tensors))
    return model.eval().to(as_device(device))
