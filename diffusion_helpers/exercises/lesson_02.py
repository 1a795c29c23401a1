"""Lesson 02: stretching, the block's sum, the bridge, shapes, folding, parameters, own widths."""

import torch
import torch.nn.functional as F
from einops import rearrange, reduce, repeat

from ..unet import Block
from . import Exercise, makers, named, no_number, no_tensor, off_by, same
from .beside import FOUR, Numbers, Pictures, as_channels, emoji

# ---- 02.1: stretch ------------------------------------------------------------------------------


def stretch(h):
    return repeat(h, "b c h w -> b c (h y) (w x)", y=2, x=2)  # (B, C, 2H, 2W)


def tiled(h):
    return repeat(h, "b c h w -> b c (y h) (x w)", y=2, x=2)


def stretched_one_way(h):
    return repeat(h, "b c h w -> b c (h y) w", y=2)


def shared_out(h):
    return stretch(h) / 4


OTHER_STRETCHES = {
    "tiled along the rows": (
        lambda h: repeat(h, "b c h w -> b c (y h) (w x)", y=2, x=2),
        "Two small copies, one below the other: write (h y), not (y h).",
    ),
    "tiled along the columns": (
        lambda h: repeat(h, "b c h w -> b c (h y) (x w)", y=2, x=2),
        "Two small copies side by side: write (w x), not (x w).",
    ),
    "smoothed": (
        lambda h: F.interpolate(h, scale_factor=2, mode="bilinear"),
        "Your picture is smooth: each pixel is asked for four times, as it is.",
    ),
}


def check_stretch(function):
    h = torch.rand(2, 3, 4, 6)
    got, want = function(h), stretch(h)
    if torch.is_tensor(got) and got.shape in ((2, 3, 8, 6), (2, 3, 4, 12)):
        grown = "higher" if got.shape[2] == 8 else "wider"
        return f"The picture became {grown} only: repeat along h and along w."
    if problem := no_tensor(got, want.shape, "the stretched picture"):
        return problem
    if same(got, tiled(h)):
        return (
            "Four small copies of the picture: write (h y), so that the new axis y counts inside "
            "each old row, not (y h)."
        )
    if same(got, shared_out(h)):
        return f"The mean fell from {h.mean():.2f} to {got.mean():.2f}: repeat, do not share out."
    if same(got, want):
        return None
    return named(got, OTHER_STRETCHES, h) or f"Off by {off_by(got, want):.2f} on average."


def stretched_emoji(function):
    return function(F.avg_pool2d(emoji(*FOUR), 4))


# ---- 02.2: the block's sum ----------------------------------------------------------------------


def residual(block, x):  # (B, c_in, H, W) -> (B, c_out, H, W)
    change = block.conv1(F.silu(block.norm1(x)))  # (B, c_out, H, W)
    change = block.conv2(F.silu(block.norm2(change)))  # (B, c_out, H, W)
    return block.shortcut(x) + change


def change_of(block, x):
    return block.conv2(F.silu(block.norm2(block.conv1(F.silu(block.norm1(x))))))


def no_shortcut(block, x):
    return x + change_of(block, x)


def multiplied(block, x):
    return block.shortcut(x) * change_of(block, x)


def normed_shortcut(block, x):
    return block.shortcut(block.norm1(x)) + change_of(block, x)


def over_x(block, x):
    kept = block.shortcut(x)  # x itself, where the channels stay the same
    kept += change_of(block, x)
    return kept


OTHER_SUMS = {
    "returned x": (
        lambda block, x: block.shortcut(x),
        "You return what came in; the change is missing, so the block would never learn.",
    ),
    "subtracted the change": (
        lambda block, x: block.shortcut(x) - change_of(block, x),
        "You subtract the change: add it.",
    ),
    "one more SiLU": (
        lambda block, x: F.silu(block.shortcut(x) + change_of(block, x)),
        "A SiLU stands around your sum, so that a fresh block would change x: add, no more.",
    ),
}


@torch.no_grad()
def check_residual(function):
    fresh, x = Block(16, 16), 3 * torch.randn(2, 16, 8, 8) + 1
    got = function(fresh, x)
    if problem := no_tensor(got, x.shape, "what comes out"):
        return problem
    trained = Block(16, 16)
    trained.conv2.reset_parameters()
    second = function(trained, x)
    if problem := no_tensor(second, x.shape, "what comes out"):
        return problem
    if same(second, change_of(trained, x)):
        return (
            f"What comes in has spread {x.std():.2f}, out of a fresh block comes "
            f"{got.std():.2f}: you return the change, but x is not added."
        )
    if same(second, multiplied(trained, x)):
        return (
            f"A fresh block gives spread {got.std():.2f}: its change is zero, so a product is "
            "zero too. Add."
        )
    if same(second, normed_shortcut(trained, x)):
        return (
            f"A fresh block changes the spread from {x.std():.2f} to {got.std():.2f}: the "
            "shortcut carries x as it came in, not normalised."
        )
    if not same(second, trained(x)):
        off = off_by(second, trained(x))
        told = named(second, OTHER_SUMS, trained, x)
        return told or f"Off by {off:.2f} on average: shortcut plus change."
    wider = Block(16, 32)
    try:
        third = function(wider, x)
    except RuntimeError:  # the sum was right where the channels are the same
        return (
            "Right where as many channels come out as in. With 16 in and 32 out the sum does not "
            "fit: block.shortcut adapts x."
        )
    if problem := no_tensor(third, (2, 32, 8, 8), "what comes out"):
        return problem
    if not same(third, wider(x)):
        return f"Off by {off_by(third, wider(x)):.2f}, 16 to 32."
    try:
        with torch.enable_grad():
            function(trained, x).sum().backward()
    except RuntimeError:  # of torch, which notices that a number it needs is another one
        return (
            "The sum is right, but += puts it where x was, and the gradients need x as it came in: "
            "make a new tensor, with +."
        )
    return None


@torch.no_grad()
def spreads(function):
    x, after = 3 * torch.randn(2, 16, 8, 8) + 1, []
    for _ in range(20):
        x = function(Block(16, 16), x)
        after.append(x.std())
    return [after[0], after[4], after[19]]


# ---- 02.3: the bridge ---------------------------------------------------------------------------


def magic_bridge(h, bridge, strength):  # -> (B, C + C_bridge, H, W)
    return torch.cat([h, strength * bridge], dim=1)


def never_cut(h, bridge, strength):
    return torch.cat([h, bridge], dim=1)


def bridge_first(h, bridge, strength):
    return torch.cat([strength * bridge, h], dim=1)


def both_weakened(h, bridge, strength):
    return strength * torch.cat([h, bridge], dim=1)


def added(h, bridge, strength):
    return h + strength * bridge


def more_pictures(h, bridge, strength):
    return torch.cat([h, strength * bridge])


OTHER_BRIDGES = {
    "weakened what comes from below": (
        lambda h, bridge, strength: torch.cat([strength * h, bridge], dim=1),
        "The strength is on the wrong side: it belongs to the bridge, not to h.",
    ),
    "added the strength": (
        lambda h, bridge, strength: torch.cat([h, bridge + strength], dim=1),
        "You add the strength to the bridge: multiply, so that 0 closes it.",
    ),
    "1 minus the strength": (
        lambda h, bridge, strength: torch.cat([h, (1 - strength) * bridge], dim=1),
        "Your bridge is open at strength 0 and closed at 1: it is the other way round.",
    ),
}


def check_magic_bridge(function):
    h, bridge = torch.randn(2, 16, 8, 8), torch.randn(2, 16, 8, 8)
    got, want = function(h, bridge, 0.3), magic_bridge(h, bridge, 0.3)
    shape = tuple(got.shape) if torch.is_tensor(got) else None
    if shape == tuple(h.shape):
        return (
            "16 channels from below and 16 over the bridge gave 16: you mixed them. Laid beside "
            "each other they are 32."
        )
    if shape == (4, 16, 8, 8):
        return "2 pictures became 4: axis 0 counts pictures, the channels are axis 1."
    if shape in ((2, 16, 16, 8), (2, 16, 8, 16)):
        return f"The picture grew to {shape[2]}x{shape[3]}: the channels are axis 1."
    if problem := no_tensor(got, want.shape, "what goes on"):
        return problem
    if same(got, never_cut(h, bridge, 0.3)):
        return (
            f"At strength 0.3 the bridge still carries a spread of {got[:, 16:].std():.2f}, all it "
            "has: multiply it by its strength."
        )
    if same(got, bridge_first(h, bridge, 0.3)):
        return "The bridge's channels come first: put your own, h, before them."
    if same(got, both_weakened(h, bridge, 0.3)):
        return "The strength weakens what comes from below too: it belongs to the bridge alone."
    if not same(got, want):
        told = named(got, OTHER_BRIDGES, h, bridge, 0.3)
        return told or f"Off by {off_by(got, want):.2f} on average."
    if problem := no_tensor(function(h, bridge, 0), want.shape, "what goes on at strength 0"):
        return problem
    return None


def channels_that_go_on(function):
    dog = emoji("dog face")
    blurred = F.interpolate(F.avg_pool2d(dog, 8), scale_factor=8)
    return as_channels(function(blurred, dog, 0.3))


# ---- 02.4: a larger picture ---------------------------------------------------------------------


def bottom_shape():
    return 96, 16, 16  # the net's channels; height and width are 64, halved twice


def check_bottom_shape(function):
    got = function()
    if not isinstance(got, (tuple, list, torch.Size)):
        return f"Expected three numbers, (C, H, W), got {type(got).__name__}."
    got = tuple(got)
    if len(got) == 4:
        return "Leave the batch out, only (C, H, W)."
    if len(got) != 3:
        return f"Expected three numbers, (C, H, W), got {len(got)}."
    right = bottom_shape()
    if got == right:
        return None
    if got == (96, 8, 8):
        return "That is the bottom for a 32x32 picture; each squeeze halves what comes in."
    if got == (16, 16, 96):
        return "The three numbers are right, their order is not: channels first."
    if got[1:] == right[1:]:
        return f"Height and width fit, {got[0]} channels do not: look up the deepest level's."
    if got[0] == right[0]:
        return (
            f"The channels fit, {got[1]}x{got[2]} does not: three levels have two squeezes "
            "between them."
        )
    return "Follow the table in section 4 with 64 in place of 32."


# ---- 02.5 and 02.6: a squeeze that loses nothing ------------------------------------------------


def fold(h):  # (B, C, H, W) -> (B, 4C, H/2, W/2)
    return rearrange(h, "b c (h y) (w x) -> b (c y x) h w", y=2, x=2)


def unfold(h):  # (B, 4C, H/2, W/2) -> (B, C, H, W)
    return rearrange(h, "b (c y x) h w -> b c (h y) (w x)", y=2, x=2)


def averaged(h):
    return reduce(h, "b c (h y) (w x) -> b c h w", "mean", y=2, x=2)


def one_of_four(h):
    return h[..., ::2, ::2]


def quarters(h):
    return rearrange(h, "b c (y h) (x w) -> b (c y x) h w", y=2, x=2)


def colours_last(h):
    return rearrange(h, "b c (h y) (w x) -> b (y x c) h w", y=2, x=2)


def check_fold(function):
    h = torch.rand(2, 3, 8, 4)
    got, want = function(h), F.pixel_unshuffle(h, 2)
    if torch.is_tensor(got) and got.shape == (2, 3, 4, 2):
        did = {averaged: "averaged", one_of_four: "kept one pixel of four"}
        did = next(
            (words for wrong, words in did.items() if same(got, wrong(h))), "made one of four"
        )
        return f"{h.numel()} numbers went in, {got.numel()} came out: you {did}."
    if torch.is_tensor(got) and got.shape == (8, 3, 4, 2):
        return "2 pictures became 8: the four numbers of a square belong into the channels."
    if problem := no_tensor(got, want.shape, "the folded picture"):
        return problem
    if same(got, want):
        return None
    if not same(got.sort(1).values, want.sort(1).values):
        return (
            "Each new pixel must hold one 2x2 square, yours holds pixels from far apart: is it "
            "(h y), not (y h)?"
        )
    return "Nothing is lost, but the channels are in another order: (c y x), colours slowest."


def folded_emoji(function):
    h = function(emoji("red apple", "dog face"))
    fits = h.shape[1] == 12  # those of a colour side by side
    return rearrange(h, "b (c yx) h w -> (b yx) c h w", yx=4) if fits else h


def colours_mixed(h):
    return rearrange(h, "b (y x c) h w -> b c (h y) (w x)", y=2, x=2)


def rows_for_columns(h):
    return rearrange(h, "b (c x y) h w -> b c (h y) (w x)", y=2, x=2)


def side_by_side(h):
    return rearrange(h, "b (c y x) h w -> b c (y h) (x w)", y=2, x=2)


def check_unfold(function):
    h = torch.rand(2, 3, 8, 4)
    folded = fold(h)
    got = function(folded)
    if problem := no_tensor(got, h.shape, "the unfolded picture"):
        return problem
    if same(got, h):
        return None
    off = off_by(got, h)
    if same(got, colours_mixed(folded)):
        return f"Off by {off:.2f}: colours are mixed up; fold put c first, then y, then x."
    if same(got, rows_for_columns(folded)):
        return f"Off by {off:.2f}: rows and columns of each square are swapped; y before x."
    if same(got, side_by_side(folded)):
        return f"Off by {off:.2f}: four small pictures lie side by side; write (h y), not (y h)."
    return f"Off by {off:.2f} on average: use the same order of c, y, x as in fold."


def unfolded_emoji(function):
    return function(fold(emoji(*FOUR)))


# ---- 02.7: count the parameters -----------------------------------------------------------------


def conv_parameters(c_in, c_out, k=3):
    return k * k * c_in * c_out + c_out  # a kernel for each pair of channels, and the bias


def check_conv_parameters(function):
    for c_in, c_out, k in ((3, 32, 3), (160, 64, 3), (64, 96, 1)):
        got, kernel = function(c_in, c_out, k), k * k * c_in * c_out
        if problem := no_number(got, "the number of parameters"):
            return problem
        got, right = (
            float(got),
            sum(p.numel() for p in torch.nn.Conv2d(c_in, c_out, k).parameters()),
        )
        if got == right:
            continue
        counted = f"Conv2d({c_in}, {c_out}, {k}) learns {right:,} numbers, you count {got:,.0f}: "
        if got == kernel:
            return f"{counted}the bias is missing, one number for each channel that comes out."
        if got == kernel + c_in:
            return f"{counted}the bias belongs to the channels that come out, not in."
        if got == k * c_in * c_out + c_out:
            return f"{counted}the kernel is k by k, so k * k numbers for each pair of channels."
        if got == 9 * c_in * c_out + c_out:
            return f"{counted}right for 3x3 only; use k."
        if got == c_in * c_out + c_out:
            return f"{counted}the kernel is missing, k * k numbers for each pair of channels."
        if got == kernel + 1:
            return f"{counted}there is not one bias, but one for each channel that comes out."
        if got == kernel + c_in * c_out:
            return f"{counted}you have a bias for each pair; it is one for each that comes out."
        return f"Conv2d({c_in}, {c_out}, {k}) learns {right:,} numbers, your formula says {got:g}."
    return None


# ---- 02.8: an hourglass of your own -------------------------------------------------------------


def my_widths():
    return 16, 32, 192  # narrow where the pixels are, wide where they are few


def cost(widths):
    """(parameters, multiplications for one 32x32 picture) of the lesson's hourglass."""
    top, middle, deep = widths
    stages = (  # the residual blocks: channels in and out, and the pixels they work on
        (top, top, 32**2),
        (top, middle, 16**2),
        (middle, deep, 8**2),
        (deep, deep, 8**2),
        (deep + middle, middle, 16**2),
        (middle + top, top, 32**2),
    )
    parameters = conv_parameters(3, top) + 2 * top + conv_parameters(top, 3)
    work = 2 * 9 * 3 * top * 32**2
    for c_in, c_out, pixels in stages:
        parameters += (
            2 * c_in + 2 * c_out + conv_parameters(c_in, c_out) + conv_parameters(c_out, c_out)
        )
        work += (9 * c_in * c_out + 9 * c_out * c_out) * pixels
        if c_in != c_out:
            parameters += conv_parameters(c_in, c_out, 1)
            work += c_in * c_out * pixels
    return parameters, work


def check_my_widths(function):
    got = function()
    if not isinstance(got, (tuple, list)) or len(got) != 3:
        words = f"{len(got)}" if isinstance(got, (tuple, list)) else type(got).__name__
        return f"Expected three widths, top, middle and deep, got {words}."
    for width in got:
        if not isinstance(width, int) or width < 16 or width % 16:
            return f"Each width is a multiple of 16, for the norm's groups; {width} is not."
    (parameters, work), (least, most) = cost(got), cost((32, 64, 96))
    if work > most:
        return (
            f"{work / 1e6:,.0f} million multiplications, {most / 1e6:,.0f} are allowed: where "
            "there are most pixels, channels are expensive."
        )
    if parameters < 2 * least:
        return (
            f"{parameters:,} parameters, {2 * least:,} are wanted: where there are few pixels, "
            "channels are cheap."
        )
    return None


EXERCISES = (
    Exercise(
        name="02.1",
        title="stretch",
        check=check_stretch,
        solution=stretch,
        hints=(
            "It is `squeeze` read backwards: the right side of the arrow names (h y) and (w x). "
            "The einops word for copying is `repeat`.",
            'The pattern is "b c h w -> b c (h y) (w x)"; then say how large y and x are.',
        ),
        wrong={
            "tiled the whole picture": tiled,
            "stretched one axis": stretched_one_way,
            "shared the value out over the four": shared_out,
            **makers(OTHER_STRETCHES),
        },
        views=(Pictures("Four emoji of 8x8 pixels, stretched", stretched_emoji),),
    ),
    Exercise(
        name="02.2",
        title="the block's sum",
        check=check_residual,
        solution=residual,
        hints=(
            "out = x + change. Only, where the number of channels changes, x does not fit as it "
            "is.",
            "`block.shortcut` adapts x where that is needed, and leaves it alone where it is not: "
            "so it may always stand around x.",
        ),
        wrong={
            "returned the change alone": change_of,
            "left the shortcut out": no_shortcut,
            "multiplied instead of added": multiplied,
            "normalised the shortcut": normed_shortcut,
            "overwrote x": over_x,
            **makers(OTHER_SUMS),
        },
        views=(
            Numbers(
                "The spread after some fresh blocks; 3 before them",
                spreads,
                ["after 1", "after 5", "after 20"],
            ),
        ),
    ),
    Exercise(
        name="02.3",
        title="the Magic Bridge",
        check=check_magic_bridge,
        solution=magic_bridge,
        hints=(
            "`torch.cat` lays tensors beside each other, along the axis `dim`. Which axis counts "
            "the channels in (B, C, H, W)?",
            "First `h`, then the bridge times its strength, along `dim=1`.",
        ),
        wrong={
            "forgot the strength": never_cut,
            "put the bridge first": bridge_first,
            "weakened both": both_weakened,
            "added instead of laid beside": added,
            "laid pictures beside pictures": more_pictures,
            **makers(OTHER_BRIDGES),
        },
        views=(
            Pictures(
                "From below a blurred dog, over the bridge a sharp one, with strength 0.3",
                channels_that_go_on,
            ),
        ),
    ),
    Exercise(
        name="02.4",
        title="a larger picture",
        check=check_bottom_shape,
        solution=bottom_shape,
        hints=(
            "The channels belong to the net, height and width to the picture.",
            "64 is halved by each squeeze. How many squeezes lie above the bottom?",
        ),
        wrong={
            "the bottom of a 32x32 picture": lambda: (96, 8, 8),
            "counted the batch": lambda: (1, 96, 16, 16),
            "the middle level's channels": lambda: (64, 16, 16),
            "one squeeze only": lambda: (96, 32, 32),
            "channels last": lambda: (16, 16, 96),
        },
    ),
    Exercise(
        name="02.5",
        title="fold",
        check=check_fold,
        solution=fold,
        hints=(
            "Read `squeeze` again: y and x disappear there, because `reduce` averages them away. "
            "Here they must turn up on the right side.",
            'The left side is "b c (h y) (w x)"; on the right the channels are (c y x).',
        ),
        wrong={
            "averaged": averaged,
            "kept one pixel of four": one_of_four,
            "folded the quarters of the picture": quarters,
            "another order of channels": colours_last,
            "took the largest": lambda h: reduce(h, "b c (h y) (w x) -> b c h w", "max", y=2, x=2),
            "folded into the batch": lambda h: rearrange(
                h, "b c (h y) (w x) -> (b y x) c h w", y=2, x=2
            ),
        },
        views=(Pictures("Two emoji, folded", folded_emoji, height=64),),
    ),
    Exercise(
        name="02.6",
        title="unfold",
        check=check_unfold,
        solution=unfold,
        hints=(
            "Take your line for `fold` and swap the two sides of the arrow.",
            "einops cannot guess how large y and x are: say y=2 and x=2 here too.",
        ),
        wrong={
            "mixed the colours up": colours_mixed,
            "swapped y and x": rows_for_columns,
            "laid the quarters side by side": side_by_side,
        },
        views=(Pictures("Four emoji that were folded, unfolded", unfolded_emoji),),
    ),
    Exercise(
        name="02.7",
        title="count the parameters",
        check=check_conv_parameters,
        solution=conv_parameters,
        hints=(
            "For each pair of a channel that comes in and one that goes out there is one little "
            "square of numbers.",
            "That is `k * k` numbers for each of `c_in * c_out` pairs. And each channel that comes "
            "out gets one number more, its bias.",
        ),
        wrong={
            "forgot the bias": lambda c_in, c_out, k=3: k * k * c_in * c_out,
            "a bias for what comes in": lambda c_in, c_out, k=3: k * k * c_in * c_out + c_in,
            "k once": lambda c_in, c_out, k=3: k * c_in * c_out + c_out,
            "forgot the kernel": lambda c_in, c_out, k=3: c_in * c_out + c_out,
            "one bias for all": lambda c_in, c_out, k=3: k * k * c_in * c_out + 1,
            "a bias for each pair": lambda c_in, c_out, k=3: (k * k + 1) * c_in * c_out,
            "3x3 only": lambda c_in, c_out, k=3: 9 * c_in * c_out + c_out,
        },
        views=(
            Numbers(
                "The parameters of three convolutions",
                lambda f: [f(3, 32, 3), f(160, 64, 3), f(64, 96, 1)],
                ["3 to 32, 3x3", "160 to 64, 3x3", "64 to 96, 1x1"],
            ),
        ),
    ),
    Exercise(
        name="02.8",
        title="an hourglass of your own",
        check=check_my_widths,
        solution=my_widths,
        hints=(
            "How many parameters a layer has does not depend on the number of pixels, but its "
            "multiplications do. At 32x32 there are sixteen times as many pixels as at 8x8.",
            "Go down to 16 channels at the top, and spend at the bottom what that saves. Keep the "
            "middle narrow: on the Path Up it works on the deep channels too.",
        ),
        wrong={
            "the lesson's own widths": lambda: (32, 64, 96),
            "everything twice as wide": lambda: (64, 128, 192),
            "wide at the top": lambda: (96, 64, 32),
            "no multiples of 16": lambda: (20, 40, 200),
        },
        views=(
            Numbers(
                "Wanted: 1,139,654 parameters or more, 131.7 million multiplications or less",
                lambda f: cost(f()),
                ["parameters", "multiplications"],
            ),
        ),
    ),
)
