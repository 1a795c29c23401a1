"""Grain and errors by patches against plain loops."""

import pytest
import torch

from diffusion_helpers import grain
from diffusion_helpers.data import load_emoji


def test_patches_are_squares_of_the_picture():
    x = torch.randn(2, 3, 8, 12)
    got = grain.patches(x)
    assert got.shape == (2 * 2 * 3, 48)
    torch.testing.assert_close(got[4], x[0, :, 4:8, 4:8].flatten())  # second row, second column


def test_grain_is_what_trembles_on_the_flattest_quarter():
    x = torch.rand(1, 3, 8, 8) * 2 - 1
    x[:, :, :4, :4] = 0.02 * torch.randn(3, 4, 4)  # one of the four patches
    assert grain.grain(x) == pytest.approx(x[:, :, :4, :4].std().item(), rel=1e-5)
    emoji = load_emoji()
    assert grain.grain(emoji.images[emoji.held_out]) < 1e-6  # white walls


def test_errors_are_told_apart_by_the_patches_of_the_truth():
    truth = torch.zeros(1, 3, 8, 8)
    truth[:, :, :, 4:] = torch.randn(1, 3, 8, 4)
    off = torch.randn(1, 3, 8, 8)
    off[..., :4] *= 0.01
    assert grain.flat_patches(truth).tolist() == [True, False, True, False]
    flat, textured = grain.patch_errors(truth + off, truth)
    assert flat == pytest.approx(0.01, rel=0.3) and textured == pytest.approx(1, rel=0.3)
    assert grain.patch_errors(truth + 1, truth) == pytest.approx((0, 0), abs=1e-6)  # no tremble


def test_pictures_that_cannot_be_split_get_one_sentence():
    with pytest.raises(ValueError, match="multiples of 4"):
        grain.grain(torch.zeros(1, 3, 6, 8))
    with pytest.raises(ValueError, match="like the true ones"):
        grain.patch_errors(torch.zeros(1, 3, 8, 4), torch.zeros(1, 3, 8, 8))
    with pytest.raises(ValueError, match="flat patches and textured"):
        grain.patch_errors(torch.zeros(1, 3, 8, 8), torch.zeros(1, 3, 8, 8))
