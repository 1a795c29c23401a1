"""Twins: an oracle that is never wrong on clean scenes, and nets that see as far as we say."""

import pytest
import torch

from diffusion_helpers import pure_noise, sample, train
from diffusion_helpers.twins import (
    PALETTE,
    STRIP,
    WHITE,
    PlaceNorm,
    TwinsNet,
    compare_colours,
    load_twins,
    twins,
)
from diffusion_helpers.unet import group_norm

# ---- scenes -------------------------------------------------------------------------------------


def test_scenes_are_two_discs_on_white_and_repeat_with_their_seed():
    scenes = twins(200, seed=3)
    assert scenes.shape == (200, 3, 32, 32) and scenes.dtype == torch.float32
    assert scenes.abs().max() == 1
    assert (scenes[:, :, :, STRIP:-STRIP] == 1).all(), "between the twins there is nothing"
    assert torch.equal(scenes, twins(200, seed=3))
    assert not torch.equal(scenes, twins(200, seed=4))
    assert torch.equal(scenes, scenes.flip(3)), "twins are each other's mirror image"


def test_every_colour_is_about_equally_frequent():
    counts = compare_colours(twins(6000)).left.bincount(minlength=WHITE)
    assert len(counts) == len(PALETTE)
    assert (counts - 1000).abs().max() < 120  # four standard deviations


# ---- the oracle ---------------------------------------------------------------------------------


@pytest.mark.parametrize("noise", [0, 0.1, 0.3])
@pytest.mark.parametrize("agreeing", [True, False])
def test_the_oracle_is_exact(agreeing, noise):
    scenes = twins(300, agreeing=agreeing)
    dust = torch.randn(scenes.shape, generator=torch.Generator().manual_seed(0))
    verdict = compare_colours(scenes + noise * dust)
    assert verdict.well_formed.all()
    assert (verdict.agrees == agreeing).all()


def test_the_oracle_names_both_colours():
    scenes = twins(50, seed=1, agreeing=False)
    verdict = compare_colours(scenes)
    assert torch.equal(PALETTE[verdict.left], scenes[:, :, 16, 5])
    assert torch.equal(PALETTE[verdict.right], scenes[:, :, 16, 26])


def without_left(scene):
    scene[:, :, :, :STRIP] = 1
    return scene


def half_a_disc(scene):
    scene[:, :, :16, :STRIP] = 1
    return scene


def two_coloured(scene):
    scene[:, :, :16, :STRIP] = scene[:, :, :16, :STRIP].roll(1, 1)
    return scene


def bridge(scene):
    scene[:, :, 14:18, 8:24] = scene[:, :, 16:17, 5:6]
    return scene


@pytest.mark.parametrize("spoil", [without_left, half_a_disc, two_coloured, bridge])
def test_spoiled_scenes_are_not_well_formed(spoil):
    assert not compare_colours(spoil(twins(60))).well_formed.any()


def test_where_a_disc_is_missing_nothing_agrees():
    verdict = compare_colours(torch.ones(2, 3, 32, 32))
    assert not verdict.agrees.any() and (verdict.left == WHITE).all()


def test_the_oracle_wants_scenes():
    with pytest.raises(ValueError, match=r"scenes have shape \(B, 3, 32, 32\)"):
        compare_colours(torch.zeros(1, 3, 28, 28))


# ---- how far the nets see -----------------------------------------------------------------------


def influence(net):
    """How strongly the left strip of the answer depends on each pixel: (32, 32)."""
    torch.manual_seed(1)
    with torch.no_grad():
        for p in net.parameters():
            p.add_(0.1 * torch.randn_like(p))  # fresh nets change nothing, so they look at nothing
    x = pure_noise(2).double().requires_grad_()
    net.double()(x, torch.tensor([500, 500]))[:, :, :, :STRIP].square().sum().backward()
    return x.grad.abs().amax((0, 1))


def test_without_attention_one_twin_cannot_see_the_other():
    assert (influence(TwinsNet(attention=False))[:, -STRIP:] == 0).all()


def test_with_attention_it_can():
    assert (influence(TwinsNet(attention=True))[:, -STRIP:] > 0).all()


def test_group_norm_lets_the_other_twin_through():
    assert (influence(TwinsNet(attention=False, norm=group_norm))[:, -STRIP:] > 0).all()


def test_attention_is_the_only_difference():
    far, near = TwinsNet(attention=True), TwinsNet(attention=False)
    extra = set(far.state_dict()) - set(near.state_dict())
    assert set(near.state_dict()) <= set(far.state_dict())
    assert extra and all("focus" in name for name in extra)


def test_place_norm_normalises_each_place_alone():
    h = torch.randn(2, 16, 4, 4) * torch.arange(1, 17).view(1, 1, 4, 4)
    out = PlaceNorm(16)(h)
    torch.testing.assert_close(out.square().mean(1), torch.ones(2, 4, 4), atol=1e-4, rtol=0)


def test_the_course_trains_and_samples_it():
    net = TwinsNet()
    run = train(net, twins(32), steps=3, batch=8, report=lambda *_: None)
    assert run.steps == 3
    assert sample(net, steps=2, n=2).shape == (2, 3, 32, 32)


# ---- what the course ships ----------------------------------------------------------------------


def test_the_shipped_nets_show_the_point():
    far, near = (
        compare_colours(sample(load_twins(attention, device="cpu"), steps=20, n=100))
        for attention in (True, False)
    )
    assert far.agrees.double().mean() > 0.85
    assert near.agrees.double().mean() < 0.35  # chance is 0.17
