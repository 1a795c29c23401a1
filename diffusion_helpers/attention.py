"""Lesson 06: Focus of Thought. Multi-head attention (Vaswani et al. 2017, arXiv 1706.03762, 3.2).

Every place of a picture asks a question (query); every place it may look at offers a key and a
value. The better a key answers the question, the more of its value is taken along. The softmax is
written out, so that the attention weights can be looked at and changed.
"""

import copy
import functools
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import torch
import torch.nn.functional as F
from einops import einsum, rearrange
from torch import nn

from .checks import brief, check_count, check_floats, check_mask, explain_errors_with
from .denoiser import unwrap
from .languages import marked, tr


def _check_heads(query, key, value, mask=None):
    check_floats(query, "B heads N D", marked("queries"))
    b, heads, _, d = query.shape
    check_floats(key, "B heads M D", marked("keys"), query, B=b, heads=heads, D=d)
    check_floats(value, "B heads M D", marked("values"), query, B=b, heads=heads, M=key.shape[2])


@explain_errors_with(_check_heads)
def attend(
    query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, mask: torch.Tensor | None = None
) -> tuple[torch.Tensor, torch.Tensor]:
    """Attention output and attention weights.

    query (B, heads, N, D), key and value (B, heads, M, D); mask (B, M) bool, False where nothing
    may be looked at, with at least one True a row. Returns (B, heads, N, D) and the weights
    (B, heads, N, M), which sum to 1 over M. Equals scaled_dot_product_attention.
    """
    if query.shape[:2] != key.shape[:2] or key.shape[:3] != value.shape[:3]:
        _check_heads(query, key, value, mask)  # einsum would spread one picture's keys over all
    scores = einsum(query, key, "b h n d, b h m d -> b h n m") / math.sqrt(query.shape[-1])
    if mask is not None:
        check_mask(mask, len(key), key.shape[2])
        scores = scores.masked_fill(~rearrange(mask, "b m -> b 1 1 m"), -torch.inf)
    weights = scores.softmax(dim=-1)
    return einsum(weights, value, "b h n m, b h m d -> b h n d"), weights


Layer = TypeVar("Layer", bound=nn.Module)


def zeroed(layer: Layer) -> Layer:
    """layer with zeros for weights: what it adds changes nothing, until it has learned to."""
    for weight in layer.parameters():
        nn.init.zeros_(weight)
    return layer


class Attention(nn.Module):
    """Tokens x (B, N, width) look at themselves, or at a context (B, M, context_width).

    heads   how many questions each token asks at once; each head has width / heads numbers
    Returns (B, N, width); zero in a fresh network, so that adding it changes nothing.
    """

    def __init__(self, width: int, context_width: int | None = None, heads: int = 4):
        super().__init__()
        if check_count(width, "width") % check_count(heads, "heads"):
            raise ValueError(tr("width must be a multiple of heads, got {} and {}", width, heads))
        context_width = width if context_width is None else context_width
        check_count(context_width, "context_width")
        self.heads = heads
        self.query = nn.Linear(width, width, bias=False)
        self.key = nn.Linear(context_width, width, bias=False)
        self.value = nn.Linear(context_width, width, bias=False)
        self.weights = nn.Identity()  # passes the weights through, for `capture_attention`
        self.out = zeroed(nn.Linear(width, width))

    def _check(self, x, context=None, mask=None):
        check_floats(x, "B N C", marked("tokens"), self.query.weight, C=self.query.in_features)
        context = x if context is None else context
        check_floats(context, "B M C", marked("context"), x, B=len(x), C=self.key.in_features)

    @explain_errors_with(_check)
    def forward(
        self,
        x: torch.Tensor,
        context: torch.Tensor | None = None,
        mask: torch.Tensor | None = None,
    ) -> torch.Tensor:
        context = x if context is None else context
        projected = self.query(x), self.key(context), self.value(context)
        q, k, v = (rearrange(p, "b n (h d) -> b h n d", h=self.heads) for p in projected)
        taken, weights = attend(q, k, v, mask)
        self.weights(weights)
        return self.out(rearrange(taken, "b h n d -> b n (h d)"))


class TokenBlock(nn.Module):
    """One transformer layer: attention over all tokens, then an MLP on each. (B, N, width) -> same.

    `look` is the attention, `think1` and `think2` are the MLP (names that shipped weights carry).
    """

    def __init__(self, width: int, heads: int = 4):
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.look = Attention(width, heads=heads)
        self.think1 = nn.Linear(width, 2 * width)
        self.think2 = zeroed(nn.Linear(2 * width, width))

    def forward(self, x: torch.Tensor, mask: torch.Tensor | None = None) -> torch.Tensor:
        x = x + self.look(self.norm1(x), mask=mask)
        return x + self.think2(F.silu(self.think1(self.norm2(x))))


class SpatialAttention(nn.Module):
    """Attention added to a picture: h (B, C, H, W) -> (B, C, H, W), its H * W places as tokens.

    With context_width the places look at a text's tokens (cross-attention), without at each other
    (self-attention).
    """

    def __init__(
        self, norm: nn.Module, width: int, context_width: int | None = None, heads: int = 4
    ):
        super().__init__()
        self.norm = norm
        self.attention = Attention(width, context_width, heads)

    def forward(
        self,
        h: torch.Tensor,
        context: torch.Tensor | None = None,
        mask: torch.Tensor | None = None,
    ) -> torch.Tensor:
        tokens = rearrange(self.norm(h), "b c y x -> b (y x) c")
        change = self.attention(tokens, context, mask)
        return h + rearrange(change, "b (y x) c -> b c y x", y=h.shape[2])


@contextmanager
def capture_attention(model: nn.Module) -> Iterator[dict[str, list[torch.Tensor]]]:
    """See where a network looks: `with capture_attention(model) as maps: model(x_t, t, text)`.

    maps[name] is a list with one tensor (B, heads, N, M) for each call of the attention layer that
    is called `name` in the network; N counts places row by row, M places or tokens of the text.
    """
    if not isinstance(model, nn.Module):
        raise ValueError(tr("look into the network itself, such as load_checkpoint(...)"))
    maps: dict[str, list[torch.Tensor]] = {}
    hooks = []
    for name, module in unwrap(model).named_modules():
        if isinstance(module, Attention):
            maps[name] = []
            keep = functools.partial(_keep, maps[name])
            hooks.append(module.weights.register_forward_hook(keep))
    try:
        yield maps
    finally:
        for hook in hooks:
            hook.remove()


def _keep(seen, _, __, weights):
    seen.append(weights.detach().float().cpu())


@contextmanager
def changed_attention(change: Callable[[torch.Tensor], torch.Tensor]) -> Iterator[None]:
    """Attention weights of every network replaced: `with changed_attention(change): model(x_t, t)`.

    change   gets the attention weights of a layer, (B, heads, N, M), and returns those that it
             takes the values with, in the same shape
    """
    if not callable(change):
        raise ValueError(
            tr("change makes new attention weights from a layer's, got {}", brief(change))
        )
    global attend
    unchanged = attend

    def attend_changed(query, key, value, mask=None):
        weights = unchanged(query, key, value, mask)[1]
        new = change(weights)
        check_floats(new, "B heads N M", marked("the changed attention weights"), weights)
        if new.shape != weights.shape:
            raise ValueError(
                tr(
                    "change must keep the shape {}, it made {}",
                    tuple(weights.shape),
                    tuple(new.shape),
                )
            )
        return einsum(new, value, "b h n m, b h m d -> b h n d"), new

    attend = attend_changed
    try:
        yield
    finally:
        attend = unchanged


def effective_places(weights: torch.Tensor) -> torch.Tensor:
    """Over how many places attention weights (..., M) are spread: e to their entropy, (...,).

    1 where one place has all the weight, M where all have the same.
    """
    if not torch.is_tensor(weights) or not weights.is_floating_point() or weights.ndim == 0:
        raise ValueError(tr("expected attention weights (..., M), got {}", brief(weights)))
    return (-weights * weights.clamp(min=1e-9).log()).sum(-1).exp()


@torch.no_grad()
def places_told_apart(model: nn.Module, layer: str = "bottom.focus.attention") -> int:
    """How many places a layer can tell apart in a picture of one grey, where nothing is to be seen.

    Counts the different rows of attention weights of the layer with this name, in 64 bits.
    """
    network = copy.deepcopy(unwrap(model)).cpu().double()
    with capture_attention(network) as maps:
        if layer not in maps:
            raise ValueError(tr("there is no attention {!r:.60}, only {}", layer, ", ".join(maps)))
        network(torch.zeros(1, *network.image_shape, dtype=torch.double), 500)
    rows = rearrange(maps[layer][0], "1 h n m -> n (h m)")
    return len(rows.mul(1e5).round().unique(dim=0))
