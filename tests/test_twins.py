"""Twins: an oracle that is never wrong on clean scenes, and nets that see as far as we say."""

import pytest
import torch

from diffusion_helpers import sample, train
from diffusion_helpers.twins import (
    CORNER,
    PALETTE,
    WHITE,
    PlaceNorm,
    TwinsNet,
    attention_to_corners,
    compare_colours,
    load_twins,
    pixels_across,
    score,
    twins,
    with_frame,
)
from diffusion_helpers.unet import group_norm

# ---- scenes -------------------------------------------------------------------------------------


def test_scenes_are_four_grounds_on_white_and_repeat_with_their_seed():
    scenes = twins(200, seed=3)
    assert scenes.shape == (200, 3, 32, 32) and scenes.dtype == torch.float32
    assert scenes.abs().max() == 1
    for between in (scenes[:, :, :, CORNER:-CORNER], scenes[:, :, CORNER:-CORNER]):
        assert (between == 1).all(), "between the corners there is nothing"
    assert torch.equal(scenes, twins(200, seed=3))
    assert not torch.equal(scenes, twins(200, seed=4))


def test_discs_on_one_ground_have_one_colour_and_the_grounds_know_nothing_of_each_other():
    verdict = compare_colours(twins(6000))
    for ground in (0, 1):
        here = verdict.grounds == ground
        lowest = verdict.colours.masked_fill(~here, WHITE).min(1).values
        highest = verdict.colours.masked_fill(~here, -1).max(1).values
        assert (lowest == highest)[here.any(1)].all()
    both = (verdict.grounds == 0).any(1) & (verdict.grounds == 1).any(1)
    black = verdict.colours.masked_fill(verdict.grounds == 1, WHITE).min(1).values[both]
    white = verdict.colours.masked_fill(verdict.grounds == 0, WHITE).min(1).values[both]
    assert abs((black == white).double().mean() - 1 / 6) < 0.02


def test_every_colour_and_ground_is_about_equally_frequent_in_every_corner():
    verdict = compare_colours(twins(6000))
    for corner in range(4):
        counts = verdict.colours[:, corner].bincount(minlength=WHITE)
        assert len(counts) == len(PALETTE)
        assert (counts - 1000).abs().max() < 120  # four standard deviations
        assert abs(verdict.grounds[:, corner].double().mean() - 0.5) < 0.03


# ---- the oracle ---------------------------------------------------------------------------------


@pytest.mark.parametrize("noise", [0, 0.1, 0.3])
@pytest.mark.parametrize("agreeing", [True, False])
def test_the_oracle_is_exact(agreeing, noise):
    scenes = twins(300, agreeing=agreeing)
    eps = torch.randn(scenes.shape, generator=torch.Generator().manual_seed(0))
    verdict = compare_colours(scenes + noise * eps)
    assert verdict.well_formed.all()
    assert (verdict.agrees == agreeing).all()


def test_the_oracle_names_all_colours_and_grounds():
    scenes = twins(50, seed=1, agreeing=False)
    verdict = compare_colours(scenes)
    for corner, (y, x) in enumerate(((0, 0), (0, 31), (31, 0), (31, 31))):
        middle = scenes[:, :, abs(y - 5), abs(x - 5)]
        assert torch.equal(PALETTE[verdict.colours[:, corner]], middle)
        assert torch.equal(verdict.grounds[:, corner], (scenes[:, 0, y, x] > 0).long())


def without_left(scene):
    scene[:, :, :CORNER, :CORNER] = 1
    return scene


def half_a_disc(scene):
    scene[:, :, :6, :CORNER] = 1
    return scene


def two_coloured(scene):
    scene[:, :, :6, 3:9] = -scene[:, :, :6, 3:9]
    return scene


def bridge(scene):
    scene[:, :, 4:8, 8:24] = scene[:, :, 5:6, 5:6]
    return scene


@pytest.mark.parametrize("spoil", [without_left, half_a_disc, two_coloured, bridge])
def test_spoiled_scenes_are_not_well_formed(spoil):
    assert not compare_colours(spoil(twins(60))).well_formed.any()


def test_where_a_disc_is_missing_nothing_agrees():
    verdict = compare_colours(torch.ones(2, 3, 32, 32))
    assert not verdict.agrees.any() and (verdict.colours == WHITE).all()


def test_the_oracle_wants_scenes():
    with pytest.raises(ValueError, match=r"scenes have shape \(B, 3, 32, 32\)"):
        compare_colours(torch.zeros(1, 3, 28, 28))


def test_the_score_counts_pairs_and_knows_luck():
    right, wrong = score(twins(600, seed=1)), score(twins(600, seed=1, agreeing=False))
    assert right.well_formed == right.agrees == 1 and right.low > 0.99
    assert 0.2 < wrong.agrees < 0.6 and wrong.low < wrong.agrees < wrong.high
    assert abs(right.luck - 1 / 6) < 0.02
    one_scene = twins(50, seed=0)
    one_scene = one_scene[compare_colours(one_scene).grounds.double().mean(1) == 0.5][:1]
    first = PALETTE[compare_colours(one_scene).colours[0, 0]].view(3, 1, 1)
    for y, x in ((0, 0), (0, 20), (20, 0), (20, 20)):
        one_scene[0, :, y + 3 : y + 9, x + 3 : x + 9] = first
    assert score(one_scene).agrees == score(one_scene).luck == 1, "one colour needs no search"
    white = score(torch.ones(3, 3, 32, 32))
    assert white.well_formed == white.agrees == 0


def test_a_frame_is_grey_and_changes_no_pixel_inside():
    framed = with_frame(twins(2))
    assert framed.shape == (2, 3, 34, 34) and (framed[:, :, 0] == 0).all()
    assert torch.equal(framed[:, :, 1:-1, 1:-1], twins(2))


# ---- how far the nets see -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("parts", "pixels"),
    [
        ({"attention": False}, 0),
        ({"attention": True}, 144),
        ({"attention": False, "norm": group_norm}, 144),
    ],
    ids=["convolutions only", "attention", "GroupNorm"],
)
def test_news_crosses_with_attention_or_group_norm_alone(parts, pixels):
    assert pixels_across(TwinsNet(**parts)) == pixels


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
        score(sample(load_twins(attention, device="cpu"), steps=20, n=100))
        for attention in (True, False)
    )
    assert far.agrees > 0.9 and far.well_formed > 0.8
    assert near.agrees < 0.35  # luck is 0.17
    assert near.well_formed > 0.8


def test_the_shipped_net_looks_at_its_partners():
    heads = attention_to_corners(load_twins(device="cpu"), twins(100, seed=2), 900)
    same, other = torch.stack(list(heads.values())).unbind(1)
    assert (same - other).max() > 0.1
