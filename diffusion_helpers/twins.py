"""Lesson 06: the twins. Discs that must find their partner, and nets with a short sight.

A scene holds four discs, two of one colour and two of another, and which of them are partners is
drawn anew for every scene. Each disc alone is right in any of six colours, so a net that cannot look
from one to the other is right by chance only. An exact oracle judges it.
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
RADIUS = 4  # pixels: large enough to see, small enough to move
CORNER = 12  # pixels a side: one disc anywhere in each corner; the 8 between must stay empty
CORNERS = ("top left", "top right", "bottom left", "bottom right")
# the four discs in pairs, in all three ways: PAIRINGS[k] gives the pair, 0 or 1, of each corner
PAIRINGS = torch.tensor([[0, 0, 1, 1], [0, 1, 0, 1], [0, 1, 1, 0]])


# ---- scenes and their oracle --------------------------------------------------------------------


def twins(n: int, seed: int = 0, agreeing: bool = True) -> torch.Tensor:
    """n scenes, (n, 3, 32, 32) in [-1, 1]: two pairs of discs, each pair of its own colour.

    One disc stands in each corner of 12 x 12 pixels, anywhere in it; its partner stands in any of
    the three other corners. With agreeing=False one disc has another colour, so that it has no
    partner (or joins the other pair): scenes that the oracle must refuse.
    """
    n, generator = check_count(n), seeded_generator(seed)

    def draw(start, stop, shape):
        return torch.randint(start, stop, shape, generator=generator)

    one = draw(0, len(PALETTE), (n,))
    other = (one + draw(1, len(PALETTE), (n,))) % len(PALETTE)
    pairs = PAIRINGS[draw(0, len(PAIRINGS), (n,))]  # (n, 4)
    colours = torch.where(pairs == 0, one[:, None], other[:, None])
    offset = draw(0, CORNER - 2 * RADIUS + 1, (2, n, 4)) + RADIUS - 0.5  # of a centre, y and x
    odd, step = draw(0, 4, (n,)), draw(1, len(PALETTE), (n,))
    if not agreeing:
        colours[torch.arange(n), odd] = (colours[torch.arange(n), odd] + step) % len(PALETTE)

    y, x = torch.meshgrid(torch.arange(SIDE), torch.arange(SIDE), indexing="ij")
    pictures = torch.ones(n, 3, SIDE, SIDE)
    for corner in range(4):
        centre_y = offset[0, :, corner] + (SIDE - CORNER) * (corner // 2)
        centre_x = offset[1, :, corner] + (SIDE - CORNER) * (corner % 2)
        away = (y - centre_y[:, None, None]) ** 2 + (x - centre_x[:, None, None]) ** 2
        disc = rearrange(away <= RADIUS**2, "n y x -> n 1 y x")
        paint = rearrange(PALETTE[colours[:, corner]], "n c -> n c 1 1")
        pictures = torch.where(disc, paint, pictures)
    return pictures


class Verdict(NamedTuple):
    well_formed: torch.Tensor  # (B,) bool: one disc of one colour in each corner, nothing between
    agrees: torch.Tensor  # (B,) bool: each disc has one partner, two colours in all
    colours: torch.Tensor  # (B, 4) of the CORNERS: rows of PALETTE, or WHITE where there is none


def compare_colours(pictures: torch.Tensor) -> Verdict:
    """The oracle: a `Verdict` for pictures (B, 3, 32, 32). Raises ValueError for other shapes.

    Every pixel counts for the nearest colour, white included; a corner has the colour that most of
    its coloured pixels have. Its own accuracy, on clean and noisy scenes: benchmarks/twins.txt.
    """
    check_images(pictures, channels=3)
    if pictures.shape[-2:] != (SIDE, SIDE):
        raise ValueError(f"scenes have shape (B, 3, 32, 32), got {tuple(pictures.shape)}")
    colours = torch.cat([PALETTE, torch.ones(1, 3)]).to(pictures)
    away = rearrange(pictures, "b c y x -> b 1 y x c") - rearrange(colours, "k c -> k 1 1 c")
    paint = F.one_hot(away.square().sum(-1).argmin(1), len(colours))  # (B, H, W, 7)
    area = 52  # pixels of a disc

    first, last = slice(None, CORNER), slice(-CORNER, None)
    corners = [paint[:, y, x] for y in (first, last) for x in (first, last)]
    counts = torch.stack([corner.sum((1, 2)) for corner in corners], 1)  # (B, 4, 7)
    most, found = counts[..., :WHITE].max(-1)  # (B, 4)
    others = counts[..., :WHITE].sum(-1) - most
    # a quarter more or less is still a disc; up to a tenth of other colours is noise
    discs = ((most - area).abs() <= 0.25 * area) & (others <= 0.1 * area)
    middle = slice(CORNER, -CORNER)
    white = paint[..., WHITE].double()
    between = torch.cat([white[:, middle].flatten(1), white[:, first, middle].flatten(1),
                         white[:, last, middle].flatten(1)], 1).mean(1)  # fmt: skip
    found = torch.where(most > 0, found, WHITE)
    partners = (found[:, :, None] == found[:, None]).sum(-1)  # (B, 4), each disc counts itself
    agrees = (partners == 2).all(1) & (found < WHITE).all(1)
    return Verdict(discs.all(1) & (between >= 0.95), agrees, found)


def luck(colours: torch.Tensor) -> float:
    """How often discs of these colours (B, 4) would agree if each were painted for itself: 0 to 1.

    Six colours, all as frequent: 90 of 6^4 drawings, .069. A net that likes a few colours agrees
    more often without knowing anything of the other discs.
    """
    check_indices_placeholder = colours
    share = F.one_hot(check_indices_placeholder, WHITE + 1)[..., :WHITE].double().mean(0)  # (4, 6)
    total = 0.0
    for pairs in PAIRINGS:
        a, b = (share[pairs == pair].prod(0) for pair in (0, 1))  # (6,) both discs have this colour
        total += (a.sum() * b.sum() - (a * b).sum()).item()  # two different ones
    return total


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
