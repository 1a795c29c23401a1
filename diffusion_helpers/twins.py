"""Lesson 06: the twins. Discs that must find their partners, and nets with a short sight.

Each corner of a scene shows a disc on black or on white ground. Discs on the same ground have the
same colour, and the grounds are drawn anew for every scene: who are partners stands in the picture
alone. Each disc by itself is right in any of six colours, so a net that cannot look from one corner
to the others is right by chance only. An exact oracle judges it.
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
import torch.nn.functional as F
from einops import rearrange
from torch import nn

from .attention import SpatialAttention, capture_attention, zeroed
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
from .languages import marked, tr
from .noising import add_noise, cosine_schedule
from .recorded import share_interval
from .sampling import pure_noise
from .unet import TimeEmbedding

SIDE = 32
PALETTE = torch.tensor(  # corners of the colour cube: as far from each other, and white, as can be
    [[1, -1, -1], [1, 1, -1], [-1, 1, -1], [-1, 1, 1], [-1, -1, 1], [1, -1, 1]]
).float()
COLOURS = ("red", "yellow", "green", "cyan", "blue", "magenta")  # the names of PALETTE's rows
WHITE = len(PALETTE)  # the number of the background, after those of the colours
RADIUS = 3  # pixels: the ground is seen under more noise than the colour, so partners are known
CORNER = 12  # pixels a side of a ground; between two of them lie 8 pixels of white
CORNERS = ("top left", "top right", "bottom left", "bottom right")
BLACK_GROUND, WHITE_GROUND = -1.0, 1.0


# ---- scenes and their oracle --------------------------------------------------------------------


def _disc():
    """Where the disc of a corner is: (12, 12) bool."""
    y, x = torch.meshgrid(torch.arange(CORNER), torch.arange(CORNER), indexing="ij")
    return (y - (CORNER - 1) / 2) ** 2 + (x - (CORNER - 1) / 2) ** 2 <= RADIUS**2


def _cut(pictures):
    """The four corners of pictures (B, C, 32, 32), as views: a list of (B, C, 12, 12)."""
    first, last = slice(None, CORNER), slice(-CORNER, None)
    return [pictures[..., y, x] for y in (first, last) for x in (first, last)]


def twins(n: int, seed: int = 0, agreeing: bool = True) -> torch.Tensor:
    """n scenes, (n, 3, 32, 32) in [-1, 1]: a disc in each corner, on black or on white ground.

    Each ground is black or white with the same chance. Discs on the same ground have the same
    colour, one of six; the two grounds know nothing of each other. With agreeing=False one disc
    that has a partner gets another colour: scenes that the oracle must refuse.
    """
    n, generator = check_count(n), seeded_generator(seed)

    def draw(start, stop, *shape):
        return torch.randint(start, stop, shape, generator=generator)

    grounds, colour = draw(0, 2, n, 4), draw(0, len(PALETTE), n, 2)
    colours = colour.gather(1, grounds)  # (n, 4)
    liking, step = torch.rand(n, 4, generator=generator), draw(1, len(PALETTE), n)
    if not agreeing:
        alone = _same(grounds).sum(2) == 1  # no partner, so that any colour is right
        odd = liking.masked_fill(alone, -1).argmax(1)
        row = torch.arange(n)
        colours[row, odd] = (colours[row, odd] + step) % len(PALETTE)

    pictures = torch.ones(n, 3, SIDE, SIDE)
    for corner, ground, colour in zip(_cut(pictures), grounds.T, colours.T, strict=True):
        ground = rearrange(torch.where(ground == 0, BLACK_GROUND, WHITE_GROUND), "n -> n 1 1 1")
        corner[:] = torch.where(_disc(), rearrange(PALETTE[colour], "n c -> n c 1 1"), ground)
    return pictures


def _same(of_corners):
    """Which corners show the same: (B, 4) -> (B, 4, 4) bool."""
    return of_corners[:, :, None] == of_corners[:, None]


class Verdict(NamedTuple):
    well_formed: torch.Tensor  # (B,) bool: one disc of one colour on one ground in each corner
    agrees: torch.Tensor  # (B,) bool: all discs on the same ground show the same colour
    colours: torch.Tensor  # (B, 4) of the CORNERS: rows of PALETTE, or WHITE where there is none
    grounds: torch.Tensor  # (B, 4) 0 where the ground is black, 1 where it is white


def compare_colours(pictures: torch.Tensor) -> Verdict:
    """The oracle: a `Verdict` for pictures (B, 3, 32, 32). Raises ValueError for other shapes.

    Every pixel counts for the nearest colour, black and white included; a disc has the colour that
    most of its pixels have. Its own accuracy, on clean and noisy scenes: benchmarks/twins.txt.
    """
    check_images(pictures, channels=3)
    if pictures.shape[-2:] != (SIDE, SIDE):
        raise ValueError(tr("scenes have shape (B, 3, 32, 32), got {}", tuple(pictures.shape)))
    colours = torch.cat([PALETTE, torch.tensor([[WHITE_GROUND] * 3, [BLACK_GROUND] * 3])])
    away = rearrange(pictures, "b c y x -> b 1 y x c")
    away = away - rearrange(colours.to(pictures), "k c -> k 1 1 c")
    paint = F.one_hot(away.square().sum(-1).argmin(1), len(colours))  # (B, H, W, 8)
    paint = rearrange(paint, "b y x k -> b k y x").double()

    disc, right, found, grounds = _disc().to(pictures.device), [], [], []
    for corner in _cut(paint):  # (B, 8, 12, 12)
        inside, around = corner[..., disc].mean(-1), corner[..., ~disc].mean(-1)  # (B, 8) shares
        most, colour = inside[:, :WHITE].max(1)
        ground, white = around[:, WHITE:].max(1)
        # a tenth of other colours is noise
        right.append((most >= 0.9) & (ground >= 0.9))
        found.append(torch.where(most > 0, colour, WHITE))
        grounds.append(1 - white)
    between = torch.ones(SIDE, SIDE, dtype=torch.bool, device=pictures.device)
    for corner in _cut(between):
        corner[:] = False
    right.append(paint[:, WHITE, between].mean(1) >= 0.95)
    shown, on = torch.stack(found, 1), torch.stack(grounds, 1)  # (B, 4) each
    agrees = (_same(shown) | ~_same(on)).all(2).all(1) & (shown < WHITE).all(1)
    return Verdict(torch.stack(right).all(0), agrees, shown, on)


class Score(NamedTuple):
    """What the oracle says of many pictures: shares from 0 to 1."""

    well_formed: float  # of all pictures
    agrees: float  # of all pairs of discs on the same ground: both have the same colour
    low: float  # the 95 % interval of `agrees`
    high: float
    luck: float  # of all pairs on different grounds, which need not agree: the same colour

    @property
    def cells(self) -> list[str]:
        """For a table with the columns `score_heads`."""
        return [
            f"{self.well_formed:.2f}",
            f"{self.agrees:.2f}",
            tr("{:.2f} to {:.2f}", self.low, self.high),
            f"{self.luck:.2f}",
        ]


def score_heads() -> list[str]:
    """The heads of a table of `Score.cells`."""
    return [
        tr("well formed"),
        tr("pairs match"),
        tr("95 % interval"),
        tr("match on different grounds"),
    ]


def score(pictures: torch.Tensor) -> Score:
    """The oracle's count over pictures (B, 3, 32, 32). Raises ValueError for other shapes.

    The interval is Wilson's (1927), which is fair near 0 and 1 too, with the pictures as its
    number, because the pairs of one scene are not independent. `luck` is 1/6 in real scenes. A net
    that likes a few colours, or paints each scene in one, agrees more often without having found
    any partner, and has more luck. It is NaN where no pair is on different grounds.
    """
    verdict, n = compare_colours(pictures), len(pictures)
    each = torch.ones(4, 4, dtype=torch.bool, device=pictures.device).triu(1)  # each pair once
    same, other = _same(verdict.grounds) & each, ~_same(verdict.grounds) & each  # (n, 4, 4)
    match = _same(verdict.colours) & (verdict.colours < WHITE)[:, None]
    agrees, luck = (match[pairs].double().mean().item() for pairs in (same, other))
    formed = verdict.well_formed.double().mean().item()
    return Score(formed, agrees, *share_interval(agrees * n, n), luck)


def with_frame(pictures: torch.Tensor) -> torch.Tensor:
    """A thin grey frame round each scene, (B, 3, H, W) -> (B, 3, H + 2, W + 2), for looking at.

    Without it the white of one scene runs into the next.
    """
    check_images(pictures)
    return F.pad(pictures, (1, 1, 1, 1), value=0.0)


# ---- a net that cannot look far -----------------------------------------------------------------

PATCH = 4  # pixels a side: 8 x 8 places, so that attention costs little
WIDTH = 64  # numbers at each place
HEADS = 2  # of 32 numbers each, as in the UNet
STEPS = 600  # measured: enough for agreement above .98 with each of three seeds
LEARNING_RATE = 2e-2  # measured: so small a net bears seven times the usual one, and learns faster
BLOCKS = 2  # each sees one place further: two places, and the corners are three apart


class PlaceNorm(nn.Module):
    """RMSNorm (arXiv 1910.07467) at each place alone: h (B, C, H, W) -> the same shape.

    GroupNorm would divide by a statistic of the whole picture, and so tell every place about all
    others.
    """

    def __init__(self, channels: int):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(check_count(channels, "channels"), 1, 1))

    def forward(self, h: torch.Tensor) -> torch.Tensor:
        # one would be spread over all
        check_floats(h, "B C H W", marked("features"), C=len(self.weight))
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
        # one picture would be spread over all times
        check_floats(time, "B C", marked("time"), B=len(h))
        scale, shift = rearrange(self.time(time), "b (two c) -> two b c 1 1", two=2)
        change = self.conv(self.norm(h) * (1 + scale) + shift)
        h = h + self.think(F.silu(change))
        return h if self.focus is None else self.focus(h)


class TwinsNet(nn.Module):
    """A shallow net for scenes, with or without Focus of Thought, everything else equal.

    attention  every place looks at all others after each block; without it no pixel of one
               corner can see a pixel of another
    norm       makes a normalisation from a number of channels; unet.group_norm lets statistics of
               the whole picture through

    Call it as model(x_t, t), like a UNet: x_t (B, 3, 32, 32), t (B,); returns the clean
    picture, shaped like x_t. `train`, `sample` and `capture_attention` work with it.
    """

    image_shape, predicts, text = (3, SIDE, SIDE), "clean", None

    def __init__(self, attention: bool = True, norm: Callable[[int], nn.Module] = PlaceNorm):
        super().__init__()
        if not callable(norm):
            raise ValueError(tr("norm makes a normalisation from a width, got {}", brief(norm)))
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
        check_images(x_t, 3, marked("pictures"), like=self.enter.weight)
        check_floats(x_t, "B C H W", marked("scenes"), H=SIDE, W=SIDE)
        with fast_math(x_t):
            time = self.time(expand_t(t, x_t))
            # (B, 3, 32, 32) -> (B, 48, 8, 8) -> (B, WIDTH, 8, 8)
            h = self.enter(F.pixel_unshuffle(x_t, PATCH)) + self.place
            for block in self.blocks:
                h = block(h, time)
            out = self.leave(F.silu(self.leave_norm(h)))
        return F.pixel_shuffle(out.to(x_t.dtype), PATCH)


@torch.no_grad()
def attention_to_corners(model: TwinsNet, scenes: torch.Tensor, t: int) -> dict[str, torch.Tensor]:
    """How much attention the discs of scenes (B, 3, 32, 32) under noise pay to the other corners.

    Returns, for each head of a `TwinsNet` with attention, the mean share of a disc's attention that
    goes to one other corner (on the same ground, on the other ground), a tensor (2,). An even share
    of a corner is 9 of 64 places, .14. NaN where no scene has such a pair.
    """
    grounds = compare_colours(scenes).grounds
    same, other = _same(grounds), ~_same(grounds)
    same = same & ~torch.eye(4, dtype=torch.bool, device=same.device)  # not the own corner
    eps = pure_noise(len(scenes), seed=1, device=scenes.device)
    with capture_attention(model) as maps:
        model(add_noise(scenes, t, eps, model.schedule), t)
    near, far = slice(None, 3), slice(-3, None)  # a corner is 3 x 3 places
    heads = {}
    for block, (weights,) in enumerate(maps.values(), start=1):
        # the four places in the middle of the corners ask
        asks = rearrange(weights[:, :, [9, 14, 49, 54]], "b h n (y x) -> b h n y x", y=8)
        shares = [asks[..., y, x].sum((-1, -2)) for y in (near, far) for x in (near, far)]
        for head, share in enumerate(torch.stack(shares, -1).unbind(1), start=1):  # (B, 4, 4)
            means = [share[which.cpu()].mean() for which in (same, other)]
            heads[tr("block {}, head {}", block, head)] = torch.stack(means)
    return heads


def pixels_across(model: TwinsNet) -> int:
    """How many of the 144 pixels of the bottom right corner can change the top left prediction.

    Asked of the gradient, at random parameters: the zeros of a fresh net would hide everything.
    """
    torch.manual_seed(0)
    for p in model.parameters():
        nn.init.normal_(p, std=0.1)
    x_t = torch.randn(1, *model.image_shape, requires_grad=True)
    prediction = model(x_t, 500)[..., :CORNER, :CORNER]
    (grad,) = torch.autograd.grad(prediction.square().sum(), x_t)
    return int((grad[0, :, -CORNER:, -CORNER:].abs().sum(0) > 0).sum())


def load_twins(attention: bool = True, device: torch.device | str | None = None) -> TwinsNet:
    """The shipped net with attention (True) or with convolutions only, in evaluation mode."""
    name = "twins_attention" if attention else "twins_near"
    tensors, notes = load_tensors(DATA / "checkpoints" / f"{name}.safetensors")
    model = TwinsNet(**notes["config"])
    model.load_state_dict(dequantize(tensors))
    return model.eval().to(as_device(device))
