"""Lessons 02 to 07: the Sculptor of Chaos. A UNet whose three magics can each be left out.

The hourglass of Ronneberger et al. 2015 (arXiv 1505.04597) with the residual blocks of DDPM
(arXiv 2006.11239, appendix B), in full resolution but narrow, which suits a laptop best. The three
magics are time (Sense of Time), self-attention (Focus of Thought) and text (Whisper of the Spell).
"""

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from einops import rearrange
from torch import nn

from .attention import SpatialAttention, zeroed
from .checks import (
    brief,
    check_count,
    check_floats,
    check_images,
    check_kind,
    check_number,
    check_predicts,
    check_shape,
    check_widths,
    expand_t,
    explain_errors_with,
)
from .device import fast_math
from .languages import marked, tr
from .noising import Schedule, cosine_schedule
from .text import EncodedText, Text, TextEmbedding, empty_text

TEXT_WIDTH = 256  # width of a text's embedding: of each token, and of the pooled text
HEAD_WIDTH = 32  # channels of one attention head
GUIDANCE_RANGE = (1.0, 6.0)  # the guidance scales that a distilled network was taught
MAX_POSITIONS = 64  # self-attention up to so many positions (8 x 8): its cost is their square


def group_norm(channels: int) -> nn.GroupNorm:
    """16 channels a group: enough statistics for small pictures, and fast on every device."""
    return nn.GroupNorm(max(1, channels // 16), channels)


class Block(nn.Module):
    """Residual block: two convolutions added to what came in. (B, c_in, H, W) -> (B, c_out, H, W).

    c_time     width of the step's embedding, to which a text network adds the pooled text. Where
               given, it scales and shifts the channels after the second norm (scale-shift norm,
               arXiv 2102.09672), by the layer `time`
    attention  self-attention follows, over all positions of the picture: the layer `focus`
    c_text     width of a token of text. Where given, cross-attention to the tokens (B, M, c_text)
               under their mask (B, M) follows: the layer `listen`
    """

    def __init__(
        self,
        c_in: int,
        c_out: int,
        c_time: int | None = None,
        attention: bool = False,
        c_text: int | None = None,
    ):
        super().__init__()
        optional = [c for c in (c_time, c_text) if c is not None]
        for channels in (c_in, c_out, *optional):
            check_count(channels, tr("each of c_in, c_out, c_time and c_text"))
        self.norm1 = group_norm(c_in)
        self.conv1 = nn.Conv2d(c_in, c_out, 3, padding=1)
        self.norm2 = group_norm(c_out)
        self.conv2 = zeroed(nn.Conv2d(c_out, c_out, 3, padding=1))
        self.shortcut = nn.Conv2d(c_in, c_out, 1) if c_in != c_out else nn.Identity()
        self.time = nn.Linear(c_time, 2 * c_out) if c_time else None
        # as many heads as divide c_out, each of at least HEAD_WIDTH channels
        heads = max(n for n in range(1, max(1, c_out // HEAD_WIDTH) + 1) if c_out % n == 0)
        self.focus = self.listen = None
        if attention:
            self.focus = SpatialAttention(group_norm(c_out), c_out, heads=heads)
        if c_text:
            self.listen = SpatialAttention(group_norm(c_out), c_out, c_text, heads)

    def _check_inputs(self, x, time=None, tokens=None, mask=None):
        """Raises ValueError. Runs after a failure, and where torch would not fail."""
        check_floats(x, "B C H W", marked("features"), self.conv1.weight, C=self.conv1.in_channels)
        if self.time is not None:
            check_floats(
                time, "B C", marked("time"), self.time.weight, B=len(x), C=self.time.in_features
            )
        if self.listen is not None:
            check_floats(tokens, "B M C", marked("tokens of a text"), x, B=len(x))

    @explain_errors_with(_check_inputs)
    def forward(
        self,
        x: torch.Tensor,
        time: torch.Tensor | None = None,
        tokens: torch.Tensor | None = None,
        mask: torch.Tensor | None = None,
    ) -> torch.Tensor:
        h = self.conv1(F.silu(self.norm1(x)))
        h = self.norm2(h)
        if self.time is not None:
            if time is None or len(time) != len(x):  # torch would broadcast a batch of 1
                self._check_inputs(x, time, tokens)
            scale, shift = rearrange(self.time(time), "b (two c) -> two b c 1 1", two=2)
            h = h * (1 + scale) + shift
        h = self.shortcut(x) + self.conv2(F.silu(h))
        if self.focus is not None:
            h = self.focus(h)
        if self.listen is not None:
            if tokens is None:  # the layer would turn into self-attention
                self._check_inputs(x, time, tokens)
            h = self.listen(h, tokens, mask)
        return h


class TimeEmbedding(nn.Module):
    """Sinusoidal embedding of the step t, (B,) -> (B, width), and an MLP (arXiv 1706.03762, 3.5).

    waves  the number of its sines and cosines together, an even number
    """

    def __init__(self, width: int, waves: int = 64):
        super().__init__()
        # not a buffer, so that model.half() leaves it in float32
        self.frequencies = torch.exp(-math.log(10_000) * torch.arange(waves // 2) / (waves // 2))
        self.mlp = nn.Sequential(
            nn.Linear(waves, width), nn.SiLU(), nn.Linear(width, width), nn.SiLU()
        )

    def forward(self, t: torch.Tensor) -> torch.Tensor:
        dtype = next(self.mlp.parameters()).dtype
        t = t.to(torch.promote_types(dtype, torch.float32))  # bf16 would round 999 to 1000
        angles = rearrange(t, "b -> b 1") * self.frequencies.to(t.device)  # (B, waves / 2)
        return self.mlp(torch.cat([angles.sin(), angles.cos()], dim=1).to(dtype))


class UNet(nn.Module):
    """Path Down, bottom, Path Up; at every level but the deepest a Magic Bridge (skip connection).

    image_shape  (C, H, W) of the pictures; other heights and widths work too
    widths       channels per level, from full resolution downwards; multiples of 16
    blocks       residual blocks per level and direction
    time         tell every block the step t; False leaves the network blind to it
    predicts     what the output means: "velocity", "noise" or "clean" (see denoiser.py)
    attention    self-attention in the levels of at most 8 x 8 positions, and always in the deepest
                 level and in the middle block
    text         every level below the first has cross-attention to the words (a network of one
                 level has it there), and every block gets the pooled text, added to the embedding
                 of the step
    text_width   numbers for each token of a text
    distilled_steps  a network with text that was distilled (arXiv 2210.03142): it draws in so many
                 steps, and is told the guidance scale (see `encode_text`), so that no second call
                 is needed for guidance. None for all others

    Call it as model(x_t, t) or model(x_t, t, text): x_t (B, C, H, W), t (B,), a Text of length B
    or 1, None for the empty text; returns a float tensor shaped like x_t. Raises ValueError for a
    wrong shape. `schedule` is the noise schedule that it was taught with: `train` sets it, and
    `save_checkpoint` keeps it (state_dict() does not).
    """

    def __init__(
        self,
        image_shape: tuple[int, int, int] = (3, 32, 32),
        widths: Sequence[int] = (32, 64, 96),
        blocks: int = 2,
        time: bool = True,
        predicts: str = "velocity",
        attention: bool = False,
        text: bool = False,
        text_width: int = TEXT_WIDTH,
        distilled_steps: int | None = None,
    ):
        super().__init__()
        self.image_shape, widths = check_shape(image_shape), check_widths(widths)
        blocks, text_width = check_count(blocks, "blocks"), check_count(text_width, "text_width")
        self.predicts = check_predicts(predicts)
        self.config = {
            "image_shape": list(self.image_shape),
            "widths": widths,
            "blocks": blocks,
            "time": time,
            "predicts": predicts,
            "attention": attention,
            "text": text,
            "text_width": text_width,
        }
        self.schedule: Schedule = cosine_schedule()
        embedding_width = text_width if text else 4 * widths[0]
        self.time = TimeEmbedding(embedding_width) if time else None
        self.text = TextEmbedding(text_width) if text else None
        self.guidance, self.distilled_steps = None, distilled_steps
        if distilled_steps is not None:
            self.config["distilled_steps"] = check_count(distilled_steps, "distilled_steps")
            if not text:
                raise ValueError(
                    tr("a distilled network hears the guidance scale: give it text=True")
                )

        c_time = embedding_width if time or text else None
        channels, height, width = self.image_shape
        deepest = len(widths) - 1

        def make_level(c_in, depth):
            positions = math.ceil(height / 2**depth) * math.ceil(width / 2**depth)
            self_attention = attention and (depth == deepest or positions <= MAX_POSITIONS)
            c_text = text_width if text and (depth > 0 or depth == deepest) else None
            c_ins = [c_in] + [widths[depth]] * (blocks - 1)
            return nn.ModuleList(
                Block(c, widths[depth], c_time, self_attention, c_text) for c in c_ins
            )

        self.enter = nn.Conv2d(channels, widths[0], 3, padding=1)  # the first convolution
        self.down = nn.ModuleList(
            make_level(c, depth) for depth, c in enumerate((widths[0], *widths[:-1]))
        )
        # the middle block: the first of a level, so that old seeds draw the weights they drew
        self.bottom = make_level(widths[-1], deepest)[0]
        self.up = nn.ModuleList(  # each level takes the level below and its skip connection
            make_level(widths[depth + 1] + widths[depth], depth)
            for depth in reversed(range(deepest))
        )
        self.leave_norm = group_norm(widths[0])
        self.leave = zeroed(nn.Conv2d(widths[0], channels, 3, padding=1))  # the last convolution
        if distilled_steps is not None:  # at last: a seed draws all other weights as before
            self.guidance = TimeEmbedding(text_width)
            zeroed(self.guidance.mlp[2])  # a fresh one changes nothing
        self.to(memory_format=torch.channels_last)

    def forward(
        self,
        x_t: torch.Tensor,
        t: int | torch.Tensor | None = None,
        text: Text | EncodedText | None = None,
    ) -> torch.Tensor:
        check_images(x_t, self.image_shape[0], marked("pictures"), like=self.enter.weight)
        with fast_math(x_t):  # bf16 autocast where the hardware has it
            condition = self._condition(x_t, t, text)
            h = self.enter(x_t.contiguous(memory_format=torch.channels_last))
            skips: list[torch.Tensor] = []
            for level in self.down:
                if skips:  # before every level but the first
                    h = F.avg_pool2d(h, 2, ceil_mode=True)  # (B, C, H, W) -> (B, C, H/2, W/2)
                for block in level.children():
                    h = block(h, *condition)
                skips.append(h)
            h = self.bottom(h, *condition)
            skips.pop()  # the deepest level needs no connection to itself
            for level in self.up:
                skip = skips.pop()
                h = F.interpolate(h, size=skip.shape[-2:])  # back to the H and W of that level
                h = torch.cat([h, skip], dim=1)  # (B, C_below + C_skip, H, W)
                for block in level.children():
                    h = block(h, *condition)
            out = self.leave(F.silu(self.leave_norm(h)))
        return out.to(x_t.dtype)

    def encode_text(
        self,
        text: Text | EncodedText | None,
        guidance_scale: float | torch.Tensor | None = None,
    ) -> EncodedText:
        """Encode a Text once, for many calls, as long as the weights do not change.

        text            None is the empty text; an EncodedText is returned as it is
        guidance_scale  for a distilled network: a number in GUIDANCE_RANGE, or a tensor (B,) with
                        one for each text; None is 1. It is embedded as the step is (arXiv
                        2210.03142, section 3.1) and added to the pooled text
        Raises ValueError for anything else, and for a network without text.
        """
        if self.text is None:
            raise ValueError(tr("this network never learned to listen: call it as model(x_t, t)"))
        if guidance_scale is not None and (self.guidance is None or isinstance(text, EncodedText)):
            raise ValueError(
                tr(
                    "only a distilled network is told a guidance_scale, and with a Text: for "
                    "others, use guided(model, text, scale=...)"
                )
            )
        if isinstance(text, EncodedText):
            return text
        text = empty_text(1) if text is None else text
        check_kind(text, Text, marked("text made by load_words().encode([...])"))
        weight = self.enter.weight
        with fast_math(weight):
            encoded = self.text(text.to(weight))
            if self.guidance is None:
                return encoded
            scales = _check_scales(guidance_scale, len(text)).to(weight.device)
            return encoded._replace(pooled=encoded.pooled + self.guidance(100 * scales))

    def _condition(self, x_t, t, text):
        """What every block is told: the step, or with text (step + pooled text, tokens, mask)."""
        if t is None and self.time is not None:
            raise ValueError(tr("this network has Sense of Time: call it as model(x_t, t)"))
        time = None if self.time is None else self.time(expand_t(t, x_t))
        if self.text is None and text is None:
            return (time,)
        # raises where the network takes no text
        pooled, tokens, mask = self.encode_text(text).expand_to(x_t)
        embedding = pooled if time is None else time + pooled
        return embedding, tokens, mask


def _check_scales(guidance_scale, n):
    """guidance_scale as a tensor (n,), or one sentence unless it lies in GUIDANCE_RANGE."""
    least, most = GUIDANCE_RANGE
    if not torch.is_tensor(guidance_scale):
        number = 1.0 if guidance_scale is None else guidance_scale
        return torch.full((n,), check_number(number, "guidance_scale", least, most))
    scales = check_floats(guidance_scale, "B", marked("a guidance_scale for each text"), B=n)
    if not ((scales >= least) & (scales <= most)).all():
        raise ValueError(tr("each guidance_scale is a number from {} to {}", least, most))
    return scales


@torch.no_grad()
def look_inside(
    net: nn.Module, x_t: torch.Tensor, parts: Sequence[str]
) -> dict[str, tuple[torch.Tensor, torch.Tensor]]:
    """What went into each part of a network and what came out, {name: (in, out)}, for net(x_t).

    `parts` are names as in `net.named_modules()`, such as "down.0". A forward hook, a function that
    PyTorch calls each time a part has done its work, writes both down; the hooks are gone
    afterwards. x_t is (B, C, H, W). Raises ValueError for a part that the network does not have or
    does not use.
    """
    check_kind(net, nn.Module, marked("a network"))
    check_floats(x_t, "B C H W", "x_t")
    there = dict(net.named_modules())
    if isinstance(parts, str) or not isinstance(parts, Sequence):
        raise ValueError(tr("expected a list of names of parts, got {}", brief(parts)))
    for name in parts:
        if not isinstance(name, str) or name not in there:
            raise ValueError(tr("expected parts among {}, got {}", brief(list(there)), brief(name)))
    seen = {}

    def write_down(name):
        return lambda part, inputs, out: seen.update({name: (inputs[0], out)})

    hooks = [there[name].register_forward_hook(write_down(name)) for name in parts]
    try:
        net(x_t)
    finally:
        for hook in hooks:
            hook.remove()
    if unused := [name for name in parts if name not in seen]:
        raise ValueError(tr("net(x_t) does not use {}: name parts that it calls", brief(unused)))
    return {name: seen[name] for name in parts}
