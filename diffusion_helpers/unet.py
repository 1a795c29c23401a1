"""Lessons 02 to 07: the Sculptor of Chaos. A UNet whose three magics can each be left out.

The hourglass of Ronneberger et al. 2015 (arXiv 1505.04597) with the residual blocks of DDPM
(arXiv 2006.11239, appendix B), in full resolution but narrow, which suits a laptop best.
"""

import math

import torch
import torch.nn.functional as F
from einops import rearrange
from torch import nn

from .attention import SpatialAttention
from .checks import (
    brief,
    check_count,
    check_floats,
    check_images,
    check_shape,
    check_t,
    explain_errors_with,
)
from .device import fast_math
from .text import Text, TextEmbedding, empty_text

PREDICTS = ("noise", "clean", "velocity")
TEXT_WIDTH = 256  # numbers for each token of a spell, and for the whole of it
HEAD = 32  # numbers that one head of attention compares
FOCUS_PLACES = 64  # 8 x 8: each place looks at each other, so twice the side costs 16 times as much


def group_norm(channels):
    """16 channels a group: enough statistics for small pictures, and fast on every device."""
    groups = max(1, check_count(channels, "channels") // 16)
    if channels % groups:
        raise ValueError(f"channels come in multiples of 16, got {channels}")
    return nn.GroupNorm(groups, channels)


def _check_widths(widths):
    """widths as a list of int, or one sentence unless they are channels for each level."""
    if not isinstance(widths, (tuple, list)) or len(widths) == 0:
        raise ValueError(f"widths are a list, such as (32, 64, 96), got {brief(widths)}")
    widths = [check_count(width, "each of widths") for width in widths]
    if any(width % 16 for width in widths):
        raise ValueError(f"widths are multiples of 16, got {brief(widths)}")
    return widths


class Block(nn.Module):
    """Residual block: two convolutions added to what came in. (B, c_in, H, W) -> (B, c_out, H, W).

    With Sense of Time (c_time given) every block also scales and shifts its middle by the step.
    With Focus of Thought every place then looks at all other places; with Whisper of the Spell
    (c_text given) at the words of the spell, tokens (B, M, c_text) and their mask (B, M).
    """

    def __init__(self, c_in, c_out, c_time=None, focus=False, c_text=None):
        super().__init__()
        check_count(c_out, "c_out")
        for c_condition in (c_time, c_text):
            if c_condition is not None:
                check_count(c_condition, "c_time or c_text")
        self.norm1 = group_norm(c_in)
        self.conv1 = nn.Conv2d(c_in, c_out, 3, padding=1)
        self.norm2 = group_norm(c_out)
        self.conv2 = nn.Conv2d(c_out, c_out, 3, padding=1)
        nn.init.zeros_(self.conv2.weight)  # every block starts as "change nothing"
        nn.init.zeros_(self.conv2.bias)
        self.shortcut = nn.Conv2d(c_in, c_out, 1) if c_in != c_out else nn.Identity()
        self.time = nn.Linear(c_time, 2 * c_out) if c_time else None
        heads = max(n for n in range(1, max(1, c_out // HEAD) + 1) if c_out % n == 0)
        self.focus = SpatialAttention(group_norm(c_out), c_out, None, heads) if focus else None
        self.listen = SpatialAttention(group_norm(c_out), c_out, c_text, heads) if c_text else None

    def _check(self, x, time=None, tokens=None, mask=None):
        check_floats(x, "B C H W", "features", self.conv1.weight, C=self.conv1.in_channels)
        if self.time is not None:
            check_floats(time, "B C", "time", self.time.weight, B=len(x), C=self.time.in_features)

    @explain_errors_with(_check)
    def forward(self, x, time=None, tokens=None, mask=None):
        h = self.conv1(F.silu(self.norm1(x)))
        h = self.norm2(h)
        if self.time is not None:
            if len(time) != len(x):
                self._check(x, time)  # one picture would be spread over all times
            scale, shift = rearrange(self.time(time), "b (two c) -> two b c 1 1", two=2)
            h = h * (1 + scale) + shift
        h = self.shortcut(x) + self.conv2(F.silu(h))
        if self.focus is not None:
            h = self.focus(h)
        if self.listen is not None:
            h = self.listen(h, tokens, mask)
        return h


class TimeEmbedding(nn.Module):
    """Sense of Time: t (B,) becomes (B, width) by waves of many lengths (arXiv 1706.03762, 3.5)."""

    def __init__(self, width, waves=64):
        super().__init__()
        check_count(width, "width")
        if check_count(waves, "waves", least=2) % 2:
            raise ValueError(f"waves come in pairs, a sine and a cosine: got {waves}")
        frequencies = torch.exp(-math.log(10_000) * torch.arange(waves // 2) / (waves // 2))
        self.register_buffer("frequencies", frequencies, persistent=False)
        self.mlp = nn.Sequential(
            nn.Linear(waves, width), nn.SiLU(), nn.Linear(width, width), nn.SiLU()
        )

    def forward(self, t):
        if not torch.is_tensor(t) or t.ndim != 1 or t.is_complex() or t.dtype == torch.bool:
            raise ValueError(f"expected t (B,), one number a picture, got {brief(t)}")
        angles = rearrange(t, "b -> b 1") * self.frequencies  # (B, waves / 2)
        return self.mlp(torch.cat([angles.sin(), angles.cos()], dim=1))


class UNet(nn.Module):
    """Path Down, bottom, Path Up, with a Magic Bridge at every level but the deepest.

    image_shape  (C, H, W) of the pictures; other heights and widths work too
    widths       channels per level, from full resolution downwards; multiples of 16
    blocks       residual blocks per level and direction
    time         Sense of Time: tell every block the step t; False leaves the net blind
    predicts     what the output means: "velocity", "noise" or "clean" (see sampling.predict)
    attention    Focus of Thought: in the levels of at most 8 x 8 places, and at the bottom, every
                 place looks at all others
    text         Whisper of the Spell: every level below the first looks at the words, and every
                 block hears the spell as a whole, beside the step

    Call it as model(x_t, t) or model(x_t, t, text): x_t (B, C, H, W), t (B,), a Text of length B
    or 1, where None says nothing; returns a float tensor shaped like x_t. Raises ValueError for a
    wrong shape.
    """

    def __init__(
        self,
        image_shape=(3, 32, 32),
        widths=(32, 64, 96),
        blocks=2,
        time=True,
        predicts="velocity",
        attention=False,
        text=False,
    ):
        super().__init__()
        if not isinstance(predicts, str) or predicts not in PREDICTS:
            raise ValueError(f"predicts is one of {', '.join(PREDICTS)}, got {brief(predicts)}")
        image_shape, widths = check_shape(image_shape), _check_widths(widths)
        blocks = check_count(blocks, "blocks")
        self.config = {
            "image_shape": list(image_shape),
            "widths": widths,
            "blocks": blocks,
            "time": time,
            "predicts": predicts,
            "attention": attention,
            "text": text,
        }
        self.image_shape, self.predicts = tuple(image_shape), predicts
        c_time = TEXT_WIDTH if text else 4 * widths[0] if time else None
        self.time = TimeEmbedding(c_time) if time else None
        self.text = TextEmbedding(TEXT_WIDTH) if text else None

        channels, deepest = image_shape[0], len(widths) - 1
        places = image_shape[1] * image_shape[2]

        def level(c_in, depth):
            focus = attention and (depth == deepest or places // 4**depth <= FOCUS_PLACES)
            c_text = TEXT_WIDTH if text and (depth > 0 or depth == deepest) else None
            ins = [c_in] + [widths[depth]] * (blocks - 1)
            return nn.ModuleList(Block(c, widths[depth], c_time, focus, c_text) for c in ins)

        self.enter = nn.Conv2d(channels, widths[0], 3, padding=1)
        self.down = nn.ModuleList(
            level(c, depth) for depth, c in enumerate((widths[0], *widths[:-1]))
        )
        self.bottom = level(widths[-1], deepest)[0]
        self.up = nn.ModuleList(  # each level takes the level below and its bridge
            level(widths[depth + 1] + widths[depth], depth) for depth in reversed(range(deepest))
        )
        self.leave_norm = group_norm(widths[0])
        self.leave = nn.Conv2d(widths[0], channels, 3, padding=1)
        nn.init.zeros_(self.leave.weight)
        nn.init.zeros_(self.leave.bias)
        self.to(memory_format=torch.channels_last)

    def forward(self, x_t, t=None, text=None):
        check_images(x_t, self.image_shape[0], "pictures", like=self.enter.weight)
        with fast_math(x_t):
            condition = self._condition(x_t, t, text)
            h = self.enter(x_t.contiguous(memory_format=torch.channels_last))
            bridges = []
            for level in self.down:
                if bridges:
                    h = F.avg_pool2d(h, 2, ceil_mode=True)  # (B, C, H, W) -> (B, C, H/2, W/2)
                for block in level:
                    h = block(h, *condition)
                bridges.append(h)
            h = self.bottom(h, *condition)
            bridges.pop()  # the deepest level needs no bridge to itself
            for level in self.up:
                bridge = bridges.pop()
                h = F.interpolate(h, size=bridge.shape[-2:])  # back to the bridge's H and W
                h = torch.cat([h, bridge], dim=1)  # (B, C_below + C_bridge, H, W)
                for block in level:
                    h = block(h, *condition)
            out = self.leave(F.silu(self.leave_norm(h)))
        return out.to(x_t.dtype)

    def _condition(self, x_t, t, text):
        """What every block is told: (time,), or (time and spell, tokens, mask) when it listens."""
        if text is not None and self.text is None:
            raise ValueError("this network never learned to listen: call it as model(x_t, t)")
        time = None if self.time is None else self.time(self._check_t(t, x_t))
        if self.text is None:
            return (time,)
        spell, tokens, mask = self.text(self._check_text(text, x_t))
        return (spell if time is None else time + spell), tokens, mask

    def _check_text(self, text, x_t):
        text = empty_text(1) if text is None else text
        if not isinstance(text, Text):
            raise ValueError(
                "expected text made by load_words().encode([...]), "
                f"got {type(text).__name__}: call it as model(x_t, t, text)"
            )
        return text.expand_to(x_t)

    def _check_t(self, t, x_t):
        if t is None:
            raise ValueError("this network has Sense of Time: call it as model(x_t, t)")
        return check_t(t, len(x_t)).to(x_t).expand(len(x_t))
