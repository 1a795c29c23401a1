"""The broken model of lesson 03. Its cause stands below: do your experiments first."""

from torch import nn

from ...checkpoints import load_checkpoint
from ...noising import cosine_schedule


class BrokenModel(nn.Module):
    """Simulates a network trained on (x + 1) / 2, in [0, 1]: rescale, denoise, map back.

    Made from the apprentice, and exact: with y = (x + 1) / 2 and the rates s and n of step t,
    y_t = s y + n eps means 2 y_t - s = s x + 2 n eps, the picture x under more noise. The
    apprentice is not told the step, so it cleans that as it is. Call it as model(x_t, t).
    """

    predicts = "velocity"

    def __init__(self, apprentice):
        super().__init__()
        self.apprentice = apprentice
        self.image_shape = apprentice.image_shape
        self.schedule = cosine_schedule()

    def forward(self, x_t, t=None):
        if t is None:
            raise ValueError("this network is told t: call it as model(x_t, t)")
        signal_rate, noise_rate = self.schedule.rates(t, like=x_t)
        size = (signal_rate**2 + 4 * noise_rate**2).sqrt()
        seen = (2 * x_t - signal_rate) / size  # variance 1 again, as at a noisier step
        clean = (signal_rate * seen - 2 * noise_rate * self.apprentice(seen)) / size
        return (signal_rate * x_t - (clean + 1) / 2) / noise_rate


def broken_model(device=None):
    """The broken Sculptor, in evaluation mode on `device` (default: `pick_device()`)."""
    return BrokenModel(load_checkpoint("apprentice", device)).eval()
