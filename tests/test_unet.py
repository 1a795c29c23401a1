"""The Sculptor of Chaos: its shapes, its magics, and one sentence for each wrong call."""

import pytest
import torch

from diffusion_helpers import device
from diffusion_helpers.attention import capture_attention
from diffusion_helpers.checks import PREDICTS
from diffusion_helpers.text import MAX_WORDS, STYLES, Text
from diffusion_helpers.unet import Block, TimeEmbedding, UNet, look_inside
from diffusion_helpers.words import load_words


def awake(net, seed=0):
    """A fresh network answers zero everywhere; move its weights so that it says something."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for p in net.parameters():
            p.add_(0.1 * torch.randn(p.shape, generator=generator))
    return net.eval()


def tiny(**kw):
    return UNet(**{"image_shape": (3, 8, 8), "widths": (16, 32), "blocks": 1, **kw})


def pictures(n=2, shape=(3, 8, 8), dtype=torch.float32):
    return torch.randn(n, *shape, generator=torch.Generator().manual_seed(7)).to(dtype)


# ---- shapes -------------------------------------------------------------------------------------


@pytest.mark.parametrize("time", [True, False])
@pytest.mark.parametrize(
    ("shape", "widths", "blocks"),
    [
        ((3, 32, 32), (16, 32, 48), 1),
        ((1, 28, 28), (16, 32, 48), 1),
        ((3, 30, 34), (16, 32, 48), 1),
        ((3, 17, 23), (16, 32, 32), 2),
        ((3, 8, 8), (16,), 1),
    ],
)
def test_the_answer_is_shaped_like_the_picture(shape, widths, blocks, time):
    net = awake(UNet(shape, widths, blocks, time))
    x_t = pictures(2, shape)
    answer = net(x_t, torch.tensor([3, 900]))
    assert answer.shape == x_t.shape and answer.dtype == x_t.dtype
    assert torch.isfinite(answer).all() and answer.abs().max() > 0


def test_a_network_works_on_other_heights_and_widths_than_it_was_made_for():
    assert awake(tiny())(pictures(2, (3, 30, 34)), 5).shape == (2, 3, 30, 34)


def test_a_fresh_network_answers_zero():
    assert torch.equal(tiny()(pictures(), 5), torch.zeros(2, 3, 8, 8))


def test_a_fresh_block_of_equal_widths_changes_nothing():
    x = pictures(2, (16, 8, 8))
    assert torch.equal(Block(16, 16)(x), x)


def test_every_picture_is_judged_on_its_own():
    net, x_t, t = awake(tiny()).double(), pictures(3, dtype=torch.float64), torch.tensor([1, 50, 9])
    together = net(x_t, t)
    for i in range(3):
        torch.testing.assert_close(net(x_t[i : i + 1], t[i : i + 1]), together[i : i + 1])


def test_the_memory_layout_of_the_picture_does_not_matter():
    net, x_t = awake(tiny()).double(), pictures(dtype=torch.float64)
    expected = net(x_t.contiguous(), 5)
    torch.testing.assert_close(net(x_t.to(memory_format=torch.channels_last), 5), expected)


# ---- Sense of Time ------------------------------------------------------------------------------


def test_a_blind_network_does_not_hear_t():
    net, x_t = awake(tiny(time=False)), pictures()
    expected = net(x_t)
    for t in (0, 999, torch.tensor([3, 700])):
        assert torch.equal(net(x_t, t), expected)


def test_a_blind_network_is_the_same_network_without_the_parts_that_hear():
    seeing, blind = dict(tiny().named_parameters()), dict(tiny(time=False).named_parameters())
    extra = seeing.keys() - blind.keys()
    assert blind.keys() < seeing.keys()
    assert all("time" in name for name in extra)
    assert all(blind[name].shape == seeing[name].shape for name in blind)


def test_a_network_with_sense_of_time_does_hear_t():
    net, x_t = awake(tiny()), pictures()
    assert (net(x_t, 10) - net(x_t, 900)).abs().max() > 1e-3


def test_one_t_is_the_same_t_for_every_picture():
    net, x_t = awake(tiny()), pictures()
    expected = net(x_t, torch.tensor([7, 7]))
    for t in (7, torch.tensor(7), torch.tensor([7]), [7, 7]):
        assert torch.equal(net(x_t, t), expected)


def test_each_picture_gets_its_own_t():
    net, x_t = awake(tiny()).double(), pictures(dtype=torch.float64)
    both = net(x_t, torch.tensor([7, 800]))
    torch.testing.assert_close(both[0], net(x_t, 7)[0])
    torch.testing.assert_close(both[1], net(x_t, 800)[1])


def test_no_two_moments_look_alike_to_sense_of_time():
    torch.manual_seed(0)
    moments = TimeEmbedding(64).double()(torch.arange(1000).double())
    distance = torch.cdist(moments, moments) + torch.eye(1000).double()
    assert moments.shape == (1000, 64) and distance.min() > 1e-4


def test_the_waves_are_those_of_the_paper():
    """PE(pos, 2i) = sin(pos / 10000^(2i / d)), and the cosine beside it (arXiv 1706.03762)."""
    embedding = TimeEmbedding(16, waves=8)
    seen = []
    embedding.mlp.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    t = 123.0
    angles = torch.tensor([t / 10_000 ** (2 * i / 8) for i in range(4)])
    expected = torch.cat([angles.sin(), angles.cos()])
    embedding(torch.tensor([t]))
    torch.testing.assert_close(seen[0][0], expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_the_waves_tell_neighbouring_steps_apart_in_16_bits(dtype):
    """bf16 has 8 bits for a number: t = 998, 999 and 1000 would be the same."""
    exact, short, seen = TimeEmbedding(16), TimeEmbedding(16).to(dtype), []
    for embedding in (exact, short):
        embedding.mlp.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
        embedding(torch.arange(990, 1000))
    torch.testing.assert_close(seen[1].float(), seen[0], rtol=0, atol=0.01)


# ---- Magic Bridges ------------------------------------------------------------------------------


@pytest.mark.parametrize("level", [0, 1])
def test_cutting_a_magic_bridge_changes_the_picture(level):
    widths = (16, 32, 48)
    net, x_t = awake(tiny(widths=widths)), pictures()
    seen = {}

    def remember(_, __, output):
        seen["sent"] = output

    def cut(_, inputs):
        h, time = inputs
        below, bridge = h.split([widths[level + 1], widths[level]], dim=1)
        seen["arrived"] = bridge
        return torch.cat([below, torch.zeros_like(bridge)], dim=1), time

    whole = net(x_t, 5)
    net.down[level][-1].register_forward_hook(remember)
    net.up[len(widths) - 2 - level][0].register_forward_pre_hook(cut)
    without = net(x_t, 5)
    assert torch.equal(seen["arrived"], seen["sent"])
    assert (whole - without).abs().max() > 1e-3


def test_the_bottom_sees_the_whole_picture_at_low_resolution():
    net, shapes = tiny(image_shape=(3, 32, 32), widths=(16, 32, 48)), []
    net.bottom.register_forward_hook(lambda _, inputs, __: shapes.append(inputs[0].shape))
    net(pictures(2, (3, 32, 32)), 5)
    assert shapes == [(2, 48, 8, 8)]


# ---- Focus of Thought and Whisper of the Spell --------------------------------------------------

MAGICS = [{"attention": True}, {"text": True}, {"attention": True, "text": True}]


def listener(**kw):
    return awake(tiny(attention=True, text=True, **kw)).double()


def said(*prompts, style="noto"):
    return load_words().encode(list(prompts), style)


def with_a_voice(net):
    """A fresh network whose last layer, and only that, says something."""
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for p in net.leave.parameters():
            p.add_(0.1 * torch.randn(p.shape, generator=generator))
    return net


def test_the_spell_changes_the_picture():
    net, x_t = listener(), pictures(dtype=torch.float64)
    answers = [net(x_t, 5, said(p, style=s)) for p in ("cat", "red dog") for s in ("noto", None)]
    answers.append(net(x_t, 5))
    for i, one in enumerate(answers):
        assert all((one - other).abs().max() > 1e-4 for other in answers[:i])


def test_no_text_is_the_empty_prompt():
    net, x_t = listener(), pictures(dtype=torch.float64)
    assert torch.equal(net(x_t, 5), net(x_t, 5, said("", style=None)))
    torch.testing.assert_close(net(x_t, 5), net(x_t, 5, said("", "", style=None)))


def test_word_order_changes_the_picture():
    net, x_t = listener(), pictures(dtype=torch.float64)
    one, other = "a red circle above a blue square", "a blue circle above a red square"
    assert (net(x_t, 5, said(one)) - net(x_t, 5, said(other))).abs().max() > 1e-4


def test_a_longer_prompt_beside_it_does_not_change_what_a_prompt_says():
    net, x_t = listener(), pictures(dtype=torch.float64)
    alone = net(x_t[:1], 5, said("cat"))
    beside = net(x_t, 5, said("cat", "a big red circle above a small blue square"))
    torch.testing.assert_close(beside[:1], alone)


def test_one_prompt_is_for_every_picture_and_each_may_have_its_own():
    net, x_t = listener(), pictures(dtype=torch.float64)
    both = net(x_t, 5, said("cat", "dog"))
    torch.testing.assert_close(net(x_t, 5, said("cat")), net(x_t, 5, said("cat", "cat")))
    torch.testing.assert_close(both[:1], net(x_t[:1], 5, said("cat")))
    torch.testing.assert_close(both[1:], net(x_t[1:], 5, said("dog")))


@pytest.mark.parametrize("magics", MAGICS)
@pytest.mark.parametrize("time", [True, False])
def test_in_a_fresh_network_no_magic_changes_anything_yet(magics, time):
    torch.manual_seed(0)
    net, x_t = with_a_voice(tiny(time=time, **magics)), pictures()
    plain = tiny(time=False)
    shared = {k: v for k, v in net.state_dict().items() if k in plain.state_dict()}
    plain.load_state_dict(shared)
    text = said("a red apple") if "text" in magics else None
    assert net(x_t, 5, text).abs().max() > 0
    assert torch.equal(net(x_t, 5, text), plain(x_t))


@pytest.mark.parametrize("magics", MAGICS)
def test_the_first_gradients_already_reach_each_magic(magics):
    torch.manual_seed(0)
    net, kinds = with_a_voice(tiny(**magics)), {"conv2"}
    kinds |= {"focus.attention.out"} if "attention" in magics else set()
    kinds |= {"listen.attention.out"} if "text" in magics else set()
    text = said("a red apple") if "text" in magics else None
    (net(pictures(), 5, text) - pictures()).square().mean().backward()
    for kind in kinds:
        layers = [p for n, p in net.named_parameters() if f"{kind}.weight" in n]
        assert layers and all(p.grad.any() for p in layers)


@pytest.mark.parametrize("magics", MAGICS)
@pytest.mark.parametrize("time", [True, False])
def test_gradient_reaches_every_parameter_of_every_magic(magics, time):
    net = awake(tiny(time=time, **magics)).double()
    text = said("a red apple", "cat") if "text" in magics else None
    net(pictures(dtype=torch.float64), 5, text).square().mean().backward()
    deaf = [n for n, p in net.named_parameters() if p.grad is None or not p.grad.any()]
    assert deaf == []


def test_leaving_out_a_magic_leaves_the_rest_of_the_network_as_it_is():
    names = {
        magic: dict(tiny(attention="a" in magic, text="t" in magic).named_parameters())
        for magic in ("", "a", "t", "at")
    }
    assert names["at"].keys() == names["a"].keys() | names["t"].keys()
    assert names["a"].keys() & names["t"].keys() == names[""].keys()
    assert all("focus" in name for name in names["a"].keys() - names[""].keys())
    heard = names["t"].keys() - names[""].keys()
    assert all("listen" in name or name.startswith("text.") for name in heard)


def test_attention_is_where_places_are_few_and_listening_is_below_the_first_level():
    net, words = tiny(image_shape=(3, 32, 32), widths=(16,) * 4, attention=True, text=True), 17
    with capture_attention(net) as maps:
        net(pictures(2, (3, 32, 32)), 5, said("cat"))
    places = {16: (16, 16), 8: (8, 8), 4: (4, 4)}
    looks = [(n, m[0].shape[2:]) for n, m in maps.items() if not n.startswith("text.")]
    focus = {shape for name, shape in looks if "focus" in name}
    listen = {shape for name, shape in looks if "listen" in name}
    assert focus == {(64, 64), (16, 16)} and words == 1 + MAX_WORDS
    assert listen == {(h * w, words) for h, w in places.values()}
    assert all(m[0].shape[0] == 2 for n, m in maps.items() if not n.startswith("text."))


def test_a_small_network_without_levels_below_listens_at_its_only_one():
    net = awake(tiny(widths=(16,), attention=True, text=True))
    assert (net(pictures(), 5, said("cat")) - net(pictures(), 5)).abs().max() > 1e-4


# ---- distilled networks -------------------------------------------------------------------------


def distilled(**kw):
    return tiny(text=True, distilled_steps=4, **kw)


def test_a_fresh_embedding_of_the_guidance_scale_changes_nothing():
    torch.manual_seed(0)
    plain = awake(tiny(attention=True, text=True))
    net = distilled(attention=True)
    missing = net.load_state_dict(plain.state_dict(), strict=False).missing_keys
    assert missing and all(name.startswith("guidance.mlp.") for name in missing)
    text, x_t = said("cat", "a red apple"), pictures()
    for scale in (None, 1, 6.0, torch.tensor([2.0, 5.0])):
        assert torch.equal(net.eval()(x_t, 5, net.encode_text(text, scale)), plain(x_t, 5, text))


def test_a_seed_draws_the_weights_of_a_distilled_network_as_before():
    torch.manual_seed(3)
    plain = tiny(text=True).state_dict()
    torch.manual_seed(3)
    net = distilled().state_dict()
    assert all(torch.equal(net[name], weight) for name, weight in plain.items())


def test_a_distilled_network_hears_the_guidance_scale():
    net, x_t = awake(distilled()).double(), pictures(dtype=torch.float64)
    text = said("cat", "a red apple")
    both = net(x_t, 5, net.encode_text(text, torch.tensor([2.0, 5.0])))
    for i, scale in enumerate((2, 5)):
        torch.testing.assert_close(both[i], net(x_t, 5, net.encode_text(text, scale))[i])
    assert (both - net(x_t, 5, net.encode_text(text, 1))).abs().amax((1, 2, 3)).min() > 1e-4
    assert torch.equal(net(x_t, 5, text), net(x_t, 5, net.encode_text(text, 1.0)))


def test_the_first_gradients_already_reach_the_embedding_of_the_guidance_scale():
    net = awake(distilled())
    with torch.no_grad():
        for p in net.guidance.mlp[2].parameters():
            p.zero_()
    net(pictures(), 5, net.encode_text(said("cat", "dog"), 3)).square().mean().backward()
    assert net.guidance.mlp[2].weight.grad.any()


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_a_distilled_network_in_16_bits_is_told_the_same_scale(dtype):
    """bf16 has 8 bits for a number: 1.05 would be 1.047."""
    seen = []
    for net in (distilled(), distilled().to(dtype)):
        net.guidance.mlp.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
        net.encode_text(said("cat"), 1.05)
    torch.testing.assert_close(seen[1].float(), seen[0], rtol=0, atol=0.01)


@pytest.mark.parametrize(
    ("scale", "words"),
    [
        (0, r"guidance_scale is a number from 1\.0 to 6\.0, got 0"),
        (6.1, r"guidance_scale is a number from 1\.0 to 6\.0"),
        (torch.tensor([1.0, 7.0]), r"each guidance_scale is a number from 1\.0 to 6\.0"),
        (torch.tensor([1.0, float("nan")]), r"each guidance_scale is a number from 1\.0 to 6\.0"),
        (torch.tensor([2.0]), r"a guidance_scale for each text of shape \(2\)"),
        (torch.tensor([2, 3]), "a guidance_scale for each text"),
    ],
)
def test_a_scale_that_was_not_taught_gets_one_sentence(scale, words):
    with pytest.raises(ValueError, match=words):
        distilled().encode_text(said("cat", "dog"), scale)


def test_only_a_distilled_network_is_told_a_scale():
    with pytest.raises(ValueError, match="only a distilled network is told a guidance_scale"):
        tiny(text=True).encode_text(said("cat"), 2)
    net = distilled()
    with pytest.raises(ValueError, match="guidance_scale, and with a Text"):
        net.encode_text(net.encode_text(said("cat")), 2)


def test_a_distilled_network_needs_text():
    with pytest.raises(ValueError, match="give it text=True"):
        tiny(distilled_steps=4)


# ---- learning and precision ---------------------------------------------------------------------


@pytest.mark.parametrize("time", [True, False])
def test_gradient_reaches_every_parameter(time):
    net = awake(tiny(time=time, blocks=2)).double()
    net(pictures(dtype=torch.float64), torch.tensor([5, 600])).square().mean().backward()
    deaf = [n for n, p in net.named_parameters() if p.grad is None or p.grad.abs().max() == 0]
    assert deaf == []


@pytest.mark.parametrize("helps", [True, False])
def test_float64_runs_in_full_precision(monkeypatch, helps):
    """The slope along a random direction, by autograd and by a small difference, to 7 digits."""
    monkeypatch.setattr(device, "bf16_helps", lambda _: helps)
    net, x_t = awake(tiny()).double(), pictures(dtype=torch.float64).requires_grad_()
    loss = net(x_t, 5).square().sum()
    loss.backward()
    direction = torch.randn(x_t.shape, generator=torch.Generator().manual_seed(1)).double()
    with torch.no_grad():
        step = 1e-5
        ahead, behind = (net(x_t + s * direction, 5).square().sum() for s in (step, -step))
    slope = (x_t.grad * direction).sum()
    assert loss.dtype == torch.float64
    torch.testing.assert_close((ahead - behind) / (2 * step), slope, rtol=1e-7, atol=0)


@pytest.mark.parametrize("helps", [True, False])
def test_float32_answers_in_float32_whatever_it_computes_in(monkeypatch, helps):
    monkeypatch.setattr(device, "bf16_helps", lambda _: helps)
    net, x_t = awake(tiny()), pictures()
    answer = net(x_t, 5)
    assert answer.dtype == torch.float32
    exact = net.double()(x_t.double(), 5)
    tolerance = 0.05 if helps else 1e-5
    assert (answer - exact).abs().max() < tolerance * exact.abs().max()


def test_the_configuration_builds_the_same_network_again():
    net = tiny(predicts="noise", attention=True, text=True, distilled_steps=2)
    again = UNet(**net.config)
    assert again.config == net.config and again.predicts == "noise"
    shapes = {name: p.shape for name, p in net.state_dict().items()}
    assert {name: p.shape for name, p in again.state_dict().items()} == shapes


# ---- one clear sentence for each mistake --------------------------------------------------------


@pytest.mark.parametrize(
    ("x_t", "words"),
    [
        (pictures(2, (1, 8, 8)), r"3 colour channels, got a batch of shape \(2, 1, 8, 8\)"),
        (torch.zeros(3, 8, 8), r"shape \(B, C, H, W\), got torch.float32 \(3, 8, 8\)"),
        (torch.zeros(2, 3, 8, 8, dtype=torch.uint8), "got torch.uint8"),
        (None, "got None"),
        (torch.zeros(0, 3, 8, 8), "at least one picture, got an empty batch"),
        (torch.full((2, 3, 8, 8), float("nan")), "NaN or infinite"),
    ],
)
def test_wrong_pictures_get_one_sentence(x_t, words):
    with pytest.raises(ValueError, match=words):
        tiny()(x_t, 5)


def test_a_missing_t_gets_one_sentence():
    with pytest.raises(ValueError, match=r"has Sense of Time: call it as model\(x_t, t\)"):
        tiny()(pictures())


@pytest.mark.parametrize("t", [torch.tensor([1, 2, 3]), torch.ones(2, 1, dtype=torch.long)])
def test_a_t_of_another_shape_gets_one_sentence(t):
    with pytest.raises(ValueError, match=r"3 values of t for 2 pictures|a row of them"):
        tiny()(pictures(), t)


def test_a_network_that_cannot_listen_says_so():
    with pytest.raises(ValueError, match="never learned to listen"):
        tiny()(pictures(), 5, text=torch.zeros(2, 4, 8))


@pytest.mark.parametrize("text", ["a red apple", ["cat", "dog"], torch.zeros(2, MAX_WORDS, 128)])
def test_a_text_of_another_kind_says_how_to_make_one(text):
    with pytest.raises(ValueError, match=r"expected text made by load_words\(\).encode"):
        tiny(text=True)(pictures(), 5, text)


@pytest.mark.parametrize("n", [0, 3, 4])
def test_a_wrong_number_of_prompts_gets_one_sentence(n):
    text = Text(torch.zeros(n, 2, 128), torch.ones(n, 2).bool(), torch.zeros(n).long())
    with pytest.raises(ValueError, match=f"expected one prompt per picture, got {n} for 2"):
        tiny(text=True)(pictures(), 5, text)


def test_every_style_and_every_aim_make_a_network_that_answers():
    for predicts in PREDICTS:
        net = awake(tiny(text=True, predicts=predicts))
        answers = torch.cat([net(pictures(1), 5, said("cat", style=s)) for s in (None, *STYLES)])
        assert torch.pdist(answers.flatten(1)).min() > 1e-4


def test_an_unknown_aim_gets_one_sentence():
    with pytest.raises(ValueError, match="predicts is velocity, noise or clean, got 'score'"):
        tiny(predicts="score")


def test_a_block_that_listens_asks_for_tokens():
    """Without them it would look at the picture itself, where the widths are the same."""
    block = Block(16, 16, c_text=16)
    with pytest.raises(ValueError, match="expected tokens of a text of shape"):
        block(torch.zeros(1, 16, 4, 4))


def test_positions_are_counted_as_the_pooling_leaves_them():
    """Five rows are halved to three and two: 2 x 52 positions are more than 64."""
    net = UNet((3, 5, 205), widths=(16,) * 4, blocks=1, attention=True)
    looks = [any("focus" in name for name, _ in level.named_modules()) for level in net.down]
    with capture_attention(net) as maps:
        net(torch.zeros(1, 3, 5, 205), 5)
    assert all(m[0].shape[-1] <= 64 for m in maps.values()) and looks[-1]


# ---- looking inside -----------------------------------------------------------------------------


def test_look_inside_writes_down_what_goes_in_and_what_comes_out():
    net, x_t = awake(tiny(time=False)), pictures(2)
    seen = look_inside(net, x_t, ["leave", "enter", "down.0.0"])
    assert list(seen) == ["leave", "enter", "down.0.0"], "in the order that was asked for"
    assert seen["enter"][0].shape == x_t.shape
    assert torch.equal(seen["down.0.0"][0], seen["enter"][1]), "one part feeds the next"
    assert torch.equal(seen["leave"][1], net(x_t))
    assert not any(part._forward_hooks for part in net.modules()), "no hook stays behind"


def test_look_inside_leaves_no_hook_where_the_network_fails():
    net = tiny(time=True)
    with pytest.raises(ValueError, match="Sense of Time"):
        look_inside(net, pictures(1), ["enter"])
    assert not any(part._forward_hooks for part in net.modules())


@pytest.mark.parametrize(
    ("parts", "words"),
    [
        ("enter", "expected a list of names of parts"),
        (["enter", "exit"], "expected parts among .* got 'exit'"),
        (["down"], r"does not use \['down'\]"),  # a list of levels, which is never called
    ],
)
def test_look_inside_says_which_part_is_missing(parts, words):
    with pytest.raises(ValueError, match=words):
        look_inside(tiny(time=False), pictures(1), parts)
