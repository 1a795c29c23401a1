"""Points of a picture for flow matching: where they lie, and which lie on the drawing."""

import pytest
import torch

from diffusion_helpers import load_emoji
from diffusion_helpers.flow import dark_points, share_on_dark


@pytest.fixture(scope="module")
def smile():
    emoji = load_emoji(64)
    return emoji.images[[*zip(emoji.names, emoji.styles)].index(("slightly smiling face", "noto"))]


def test_the_points_are_the_dark_pixels(smile):
    points = dark_points(smile)
    assert points.shape == (int((smile.mean(0) < -0.1).sum()), 2)
    torch.testing.assert_close(points.mean(0), torch.zeros(2), atol=1e-5, rtol=0)
    assert abs(points.std().item() - 1) < 1e-5


def test_x_is_to_the_right_and_y_is_up():
    picture = torch.ones(3, 8, 8)
    picture[:, 0, 0] = picture[:, 4, 6] = -1  # the left upper one, and one below to the right
    (left, up), (right, down) = dark_points(picture).tolist()
    assert left < right and up > down
    assert (right - left) / (up - down) == pytest.approx(6 / 4)


def test_its_own_points_lie_on_it_and_the_others_do_not(smile):
    points = dark_points(smile)
    assert share_on_dark(points, smile) == 1
    assert share_on_dark(points * 100, smile) < 0.02  # outside the picture
    assert share_on_dark(torch.cat([points, points + 1000]), smile) == 0.5
    assert share_on_dark(torch.zeros(4, 2), smile) == 0  # between the eyes and the mouth
    assert 0 < share_on_dark(torch.randn(4000, 2), smile) < 0.3


def test_a_picture_without_dark_pixels_gets_one_sentence():
    with pytest.raises(ValueError, match="two dark pixels or more, got 0"):
        dark_points(torch.ones(3, 8, 8))
