"""Focus of Thought: our attention against PyTorch's own, and a look at where it looks."""

import math

import pytest
import torch
import torch.nn.functional as F

from diffusion_helpers import UNet
from diffusion_helpers.attention import (
    Attention,
    SpatialAttention,
    TokenBlock,
    attend,
    capture_attention,
    changed_attention,
    effective_places,
    places_told_apart,
)


def numbers(*shape, seed=0, dtype=torch.float32):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed)).to(dtype)


def awake(net, seed=0):
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for p in net.parameters():
            p.add_(0.2 * torch.randn(p.shape, generator=generator))
    return net.eval()


def some_mask(b, m):
    """The first 1, 2, 3, ... tokens may be looked at."""
    return torch.arange(m) < torch.arange(1, b + 1)[:, None]


# ---- attend -------------------------------------------------------------------------------------


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize(("n", "m", "heads", "d"), [(64, 64, 4, 8), (16, 5, 2, 16), (1, 3, 1, 4)])
def test_attention_is_that_of_pytorch(n, m, heads, d, masked):
    q, k, v = numbers(3, heads, n, d), numbers(3, heads, m, d, seed=1), numbers(3, heads, m, d)
    mask = some_mask(3, m) if masked else None
    ours, weights = attend(q, k, v, mask)
    theirs = F.scaled_dot_product_attention(
        q, k, v, attn_mask=None if mask is None else mask[:, None, None, :]
    )
    torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-5)
    torch.testing.assert_close(weights @ v, ours, rtol=0, atol=1e-5)


def test_weights_share_out_one_whole_and_nothing_where_the_mask_is_false():
    mask = some_mask(3, 5)
    _, weights = attend(numbers(3, 2, 7, 8), *[numbers(3, 2, 5, 8, seed=s) for s in (1, 2)], mask)
    assert weights.shape == (3, 2, 7, 5) and weights.min() >= 0
    torch.testing.assert_close(weights.sum(-1), torch.ones(3, 2, 7))
    assert not weights.masked_select(~mask[:, None, None, :]).any()


def test_equal_keys_share_the_attention_equally_and_a_fitting_one_wins():
    query = torch.tensor([[[[10.0, 0.0]]]])
    value = torch.tensor([[[[1.0], [3.0]]]])
    mean, _ = attend(query, torch.zeros(1, 1, 2, 2), value)
    assert mean.item() == pytest.approx(2)
    taken, weights = attend(query, torch.tensor([[[[10.0, 0.0], [0.0, 10.0]]]]), value)
    assert taken.item() == pytest.approx(1) and weights[0, 0, 0, 0].item() == pytest.approx(1)
    even, _ = attend(query, torch.tensor([[[[0.0, 0.0], [-0.1, 0.0]]]]), value)
    first = 1 / (1 + math.exp(-1 / math.sqrt(2)))  # the softmax by hand
    assert even.item() == pytest.approx(first + 3 * (1 - first))


# ---- the layers ---------------------------------------------------------------------------------


def test_the_layer_is_pytorchs_multi_head_attention():
    ours = awake(Attention(16, heads=4))
    theirs = torch.nn.MultiheadAttention(16, 4, bias=True, batch_first=True)
    with torch.no_grad():
        theirs.in_proj_weight.copy_(
            torch.cat([ours.query.weight, ours.key.weight, ours.value.weight])
        )
        theirs.in_proj_bias.zero_()
        theirs.out_proj.load_state_dict(ours.out.state_dict())
    x, mask = numbers(3, 5, 16), some_mask(3, 5)
    expected, _ = theirs(x, x, x, key_padding_mask=~mask)
    torch.testing.assert_close(ours(x, mask=mask), expected, rtol=0, atol=1e-5)


def test_a_context_of_another_width_and_length_can_be_looked_at():
    layer = awake(Attention(16, context_width=24, heads=2))
    x, context = numbers(3, 7, 16), numbers(3, 5, 24)
    mask = some_mask(3, 5)
    got = layer(x, context, mask)
    assert got.shape == (3, 7, 16)
    shortened = layer(x[:1], context[:1, :1])  # the mask left one token to the first picture
    torch.testing.assert_close(got[:1], shortened)


@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        (TokenBlock(16), (2, 5, 16)),
        (SpatialAttention(torch.nn.GroupNorm(1, 16), 16), (2, 16, 3, 5)),
    ],
)
def test_a_fresh_layer_changes_nothing_and_can_learn(layer, shape):
    x = numbers(*shape)
    assert torch.equal(layer(x), x)
    layer(x).square().sum().backward()
    learning = {n for n, p in layer.named_parameters() if p.grad is not None and p.grad.any()}
    assert {n for n in learning if n.endswith("out.weight")}  # the last layer wakes the others
    awake(layer)(x).square().sum().backward()
    deaf = [n for n, p in layer.named_parameters() if not p.grad.any()]
    assert deaf == []


def test_a_fresh_attention_answers_zero():
    assert not Attention(16)(numbers(2, 5, 16)).any()


def test_self_attention_does_not_know_places():
    """Shuffled places give the shuffled answer: order must come from elsewhere."""
    layer = awake(TokenBlock(16)).double()
    x, order = numbers(2, 6, 16, dtype=torch.float64), torch.tensor([3, 0, 5, 1, 2, 4])
    torch.testing.assert_close(layer(x[:, order]), layer(x)[:, order])


def test_every_place_of_a_picture_can_reach_every_other():
    layer = awake(SpatialAttention(torch.nn.Identity(), 16)).double()
    h = numbers(1, 16, 4, 6, dtype=torch.float64).requires_grad_()
    layer(h)[0, :, 0, 0].sum().backward()
    assert h.grad.abs().amax(dim=1).min() > 0


def test_places_become_tokens_row_by_row():
    layer = awake(SpatialAttention(torch.nn.Identity(), 16)).double()
    h = numbers(1, 16, 4, 6, dtype=torch.float64)
    tokens = h.flatten(2).transpose(1, 2)
    expected = h + layer.attention(tokens).transpose(1, 2).reshape(h.shape)
    torch.testing.assert_close(layer(h), expected)


def test_a_width_that_the_heads_cannot_share_gets_one_sentence():
    with pytest.raises(ValueError, match="width must be a multiple of heads, got 16 and 3"):
        Attention(16, heads=3)


# ---- watch --------------------------------------------------------------------------------------


class Two(torch.nn.Module):
    """A network that looks twice."""

    def __init__(self):
        super().__init__()
        self.first = TokenBlock(16)
        self.second = Attention(16, context_width=8, heads=2)

    def forward(self, x, context, mask):
        return self.second(self.first(x), context, mask)


def hooks(net):
    return sum(len(m._forward_hooks) for m in net.modules())


def test_watch_sees_every_layer_at_every_call():
    net, mask = awake(Two()), some_mask(3, 5)
    said = numbers(3, 7, 16), numbers(3, 5, 8), mask
    expected = net(*said)
    with capture_attention(net) as maps:
        assert torch.equal(net(*said), expected)  # watching changes nothing
        net(*said)
    assert set(maps) == {"first.look", "second"} and {len(m) for m in maps.values()} == {2}
    assert maps["first.look"][0].shape == (3, 4, 7, 7) and maps["second"][1].shape == (3, 2, 7, 5)
    for weights in maps["first.look"] + maps["second"]:
        assert not weights.requires_grad
        torch.testing.assert_close(weights.sum(-1), torch.ones(weights.shape[:-1]))
    assert not maps["second"][0].masked_select(~mask[:, None, None, :]).any()


def test_watch_leaves_no_hooks_behind_whatever_happens():
    net = awake(Two())
    with capture_attention(net), capture_attention(net):
        assert hooks(net) == 4
    assert hooks(net) == 0
    with pytest.raises(ZeroDivisionError), capture_attention(net):
        1 / 0  # noqa: B018
    assert hooks(net) == 0
    with capture_attention(net) as maps:
        pass
    net(numbers(1, 7, 16), numbers(1, 5, 8), None)
    assert maps == {"first.look": [], "second": []}


def test_watching_what_is_no_network_gets_one_sentence():
    with (
        pytest.raises(ValueError, match="look into the network itself"),
        capture_attention(lambda x, t: x),
    ):
        pass


def test_changed_attention_replaces_the_weights_of_every_layer_and_puts_them_back():
    layer, x = Attention(8, heads=2), torch.randn(3, 5, 8)
    layer.out.reset_parameters()
    with torch.no_grad():
        before = layer(x)
        with changed_attention(lambda w: torch.full_like(w, 1 / w.shape[-1])):
            even = layer(x)
        with changed_attention(lambda w: 0 * w):
            nothing = layer(x)
        with pytest.raises(RuntimeError, match="stop"), changed_attention(lambda w: w):
            raise RuntimeError("stop")
        torch.testing.assert_close(layer(x), before, rtol=0, atol=0)
    mean = layer.value(x).mean(1, keepdim=True).expand(-1, 5, -1)
    torch.testing.assert_close(even, layer.out(mean))
    torch.testing.assert_close(nothing, layer.out.bias.expand(3, 5, 8))


def test_attention_is_spread_over_one_place_or_all():
    spread = effective_places(torch.tensor([[1.0, 0, 0, 0], [0.25, 0.25, 0.25, 0.25]]))
    torch.testing.assert_close(spread, torch.tensor([1.0, 4.0]))


def test_the_border_tells_the_places_apart_and_nothing_else_does():
    net = awake(UNet((3, 16, 16), widths=(16, 32), blocks=1, attention=True))
    layer = "bottom.focus.attention"
    assert places_told_apart(net, layer) > 8
    for part in net.modules():
        if isinstance(part, torch.nn.Conv2d):
            part.padding_mode = "circular"
    assert places_told_apart(net, layer) == 1
    with pytest.raises(ValueError, match="there is no attention 'top', only"):
        places_told_apart(net, "top")
