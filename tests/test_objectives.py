"""benchmarks/objectives.py: its crossed losses and its fog are what it says they are."""

import sys
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F

from diffusion_helpers import add_noise, cosine_schedule
from diffusion_helpers.denoiser import velocity

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "benchmarks"))
import objectives

SCHEDULE = cosine_schedule()


class Fixed(torch.nn.Module):
    """Answers the same picture, whatever it sees."""

    def __init__(self, predicts, answer):
        super().__init__()
        self.predicts, self.answer = predicts, answer

    def forward(self, x_t):
        return self.answer


@pytest.mark.parametrize("t", [10, 400, 700])
@pytest.mark.parametrize(
    ("predicts", "measured_in"), [("velocity", "noise"), ("noise", "velocity")]
)
def test_the_crossed_loss_is_the_own_one_times_alpha_bar_or_divided_by_it(t, predicts, measured_in):
    x_0, eps, answer = torch.randn(3, 4, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    ts = torch.full((4,), t)
    loss = objectives.objective_loss(
        Fixed(predicts, answer), x_0, ts, eps, measured_in, SCHEDULE
    ).item()
    v = velocity(x_0, eps, *SCHEDULE.rates(ts, like=x_0))
    own = F.mse_loss(answer, v if predicts == "velocity" else eps).item()
    a = SCHEDULE.alpha_bar[t].item()
    factor = a if predicts == "velocity" else min(1 / a, objectives.MOST)
    assert loss == pytest.approx(factor * own, rel=1e-4)


def test_the_fog_is_an_average_of_the_pictures():
    faces = torch.rand(5, 3, 8, 8, generator=torch.Generator().manual_seed(0)) * 2 - 1
    unseen = torch.rand(1, 3, 8, 8, generator=torch.Generator().manual_seed(2)) * 2 - 1
    eps = torch.randn(1, 3, 8, 8, generator=torch.Generator().manual_seed(1))
    nearly_noise = objectives.fog(add_noise(unseen, 999, eps, SCHEDULE), 999, faces, SCHEDULE)
    torch.testing.assert_close(nearly_noise, faces.mean(0, keepdim=True), atol=1e-2, rtol=0)
    nearly_clean = objectives.fog(add_noise(unseen, 0, eps, SCHEDULE), 0, faces, SCHEDULE)
    nearest = (faces - unseen).square().mean((1, 2, 3)).argmin()
    torch.testing.assert_close(nearly_clean[0], faces[nearest], atol=1e-2, rtol=0)


def test_no_face_is_both_trained_on_and_held_out():
    faces, unseen = objectives.load_faces()
    assert len(unseen) == 35
    assert torch.cdist(unseen.flatten(1), faces.flatten(1)).min() > 0
