"""The broken model of lesson 04. Try to find out by experiments before you read on.

It is the apprentice, but it returns the predicted noise and says that this is a velocity.
"""

import torch
from torch import nn

from ...checkpoints import load_checkpoint
from ...noising import cosine_schedule
from ...sampling import predict


class BrokenModel(nn.Module):
    """The apprentice with a mislabelled output; called like any network, model(x_t, t)."""

    def __init__(self, apprentice):
        super().__init__()
        self.apprentice, self.schedule = apprentice, cosine_schedule()
        self.image_shape, self.predicts = apprentice.image_shape, "velocity"

    @torch.no_grad()
    def forward(self, x_t, t, text=None):
        return predict(self.apprentice, self.schedule, x_t, t).noise


def broken_model(device=None):
    """The broken model of lesson 04 on `device` (default: `pick_device()`)."""
    return BrokenModel(load_checkpoint("apprentice", device)).eval()
