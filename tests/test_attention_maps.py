"""Attention weights drawn over a picture, and a frame round the place that asks."""

import pytest
import torch

from diffusion_helpers.widgets.attention_maps import draw_attention, frame_place


def test_the_frame_stands_round_its_place_and_nothing_else_changes():
    picture = torch.zeros(3, 32, 32)
    changed = (frame_place(picture, x=2, y=5) != 0).any(0)  # (96, 96)
    rows, columns = changed.any(1).nonzero().flatten(), changed.any(0).nonzero().flatten()
    assert rows.min() == 60 and rows.max() == 71  # place 5 of 8, each 12 pixels after enlarging
    assert columns.min() == 24 and columns.max() == 35
    assert not changed[62:70, 26:34].any(), "the picture inside the frame can be seen"
    assert (picture == 0).all()


def test_the_largest_attention_weight_is_the_darkest_orange():
    weights = torch.zeros(64)
    weights[8 * 1 + 6] = 0.7
    drawn = draw_attention(weights, torch.ones(3, 32, 32), x=0, y=0)
    orange = (drawn[2] < -0.9) & (drawn[0] > 0)  # little blue, much red
    rows, columns = orange.any(1).nonzero().flatten(), orange.any(0).nonzero().flatten()
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (12, 23, 72, 83)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: frame_place(torch.zeros(3, 32, 32), x=8, y=0), "x is a whole number"),
        (lambda: frame_place(torch.zeros(3, 32, 30), x=0, y=0), "is square"),
        (lambda: frame_place(torch.zeros(3, 4, 4), x=0, y=0), "is square"),
        (lambda: draw_attention(torch.zeros(63), torch.zeros(3, 32, 32), 0, 0), "N x N places"),
        (lambda: draw_attention(torch.zeros(64), torch.zeros(3, 30, 30), 0, 0), "is square"),
    ],
)
def test_what_does_not_fit_gets_one_sentence(call, words):
    with pytest.raises(ValueError, match=words):
        call()
