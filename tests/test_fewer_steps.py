"""benchmarks/straight.py and halving.py: their losses and samplers are what they say they are."""

import sys
from pathlib import Path

import pytest
import torch
from bad_input_pictures import BLIND, LISTENER
from diffusers import FlowMatchEulerDiscreteScheduler

from diffusion_helpers import cosine_schedule, ddim, pure_noise
from diffusion_helpers.checks import seeded_generator
from diffusion_helpers.distillation import landing_velocity
from diffusion_helpers.words import load_words

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "benchmarks"))
import halving
import straight

SCHEDULE = cosine_schedule()
PICTURE = pure_noise(1, (3, 8, 8), seed=1)
ROWS, PICTURES = torch.zeros(6, dtype=torch.long), PICTURE.expand(6, -1, -1, -1)


class OnePicture(torch.nn.Module):
    """The ideal network of a world with one picture: nothing is left for it to learn."""

    predicts, schedule = "velocity", SCHEDULE

    def forward(self, x_t, t, *text):
        return landing_velocity(x_t, PICTURE.expand_as(x_t), t, -1, SCHEDULE)


class OneStraightRoad(torch.nn.Module):
    """The same for flow: from every place one line leads to the picture."""

    def forward(self, x_t, n):
        return (x_t - PICTURE) / straight.share_of_noise(n, x_t)


class Noise(torch.nn.Module):
    """A network that answers its input."""

    predicts, schedule = "velocity", SCHEDULE

    def forward(self, x_t, *_):
        return x_t


LOSSES = {
    "flow": (straight.flow_loss, OneStraightRoad()),
    "progressive": (halving.progressive_loss(OnePicture(), 2.0, 4), OnePicture()),
    "of a student": (halving.progressive_loss(OnePicture(), 1.0, 2), OnePicture()),
    "consistency": (halving.consistency_loss(OnePicture(), 2.0), OnePicture()),
}


@pytest.mark.parametrize("name", LOSSES)
def test_the_ideal_network_has_nothing_left_to_learn(name):
    loss_fn, ideal = LOSSES[name]
    text = load_words().encode(["a red apple"])
    for model, low, high in ((ideal, 0, 1e-6), (Noise(), 0.1, 10)):
        args = model, PICTURES, ROWS, text, SCHEDULE, seeded_generator(0)
        assert low <= loss_fn(*args).item() <= high


def test_in_a_reflow_each_picture_has_its_own_noise():
    drawn, noise = pure_noise(6, (3, 8, 8)).split(3)
    rows = torch.tensor([2, 0, 1])
    seen = []

    def look(x_t, n):
        t = straight.share_of_noise(n, x_t)
        seen.append((x_t - (1 - t) * drawn[rows]) / t)
        return noise[rows] - drawn[rows]

    args = look, drawn[rows], rows, None, SCHEDULE, seeded_generator(0)
    assert straight.flow_loss(*args, noise=noise).item() < 1e-6
    torch.testing.assert_close(seen[0], noise[rows], rtol=0, atol=1e-3)


def test_eulers_method_is_that_of_diffusers():
    def network(x_t, n):  # any answer that depends on both
        return BLIND(x_t, n) + x_t * straight.share_of_noise(torch.as_tensor(n), x_t)

    x = pure_noise(3, (3, 8, 8))
    path, theirs = straight.euler(network, x, 5), FlowMatchEulerDiscreteScheduler()
    theirs.set_timesteps(sigmas=[1.0, 0.8, 0.6, 0.4, 0.2])
    for place, after, t in zip(path, path[1:], theirs.timesteps, strict=False):
        n = (t * 1000 / theirs.config.num_train_timesteps).round().long() - 1
        answer = network(place, n.expand(3))
        torch.testing.assert_close(theirs.step(answer, t, place).prev_sample, after)


def test_a_detour_is_length_over_distance():
    corner = torch.tensor([[0.0, 0], [3, 0], [3, 4]]).reshape(3, 1, 1, 1, 2)
    line = torch.linspace(0, 1, 3).reshape(3, 1, 1, 1, 1).expand_as(corner)
    found = straight.detour(torch.cat([corner, line], 1))
    torch.testing.assert_close(found, torch.tensor([7 / 5, 1.0]))


def test_one_turn_is_one_step_and_the_slow_copy_follows():
    text, x_T = load_words().encode(["a red apple"] * 2), pure_noise(2, (3, 8, 8))
    (once,) = (step.clean for step in ddim(LISTENER, x_T, 1, text=text))
    torch.testing.assert_close(halving.by_turns(LISTENER, text, x_T, 1), once)
    model, copies = torch.nn.Linear(1, 1, bias=False), []
    with torch.no_grad():
        model.weight.fill_(1.0)
        assert halving.follow(copies, model).weight.item() == 1.0
        model.weight.fill_(2.0)
        assert halving.follow(copies, model).weight.item() == pytest.approx(2 - halving.SLOW)
