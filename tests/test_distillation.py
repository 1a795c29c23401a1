"""Distillation: each target is what it says it is, checked by another way to the same place."""

import itertools

import pytest
import torch
from bad_input_pictures import LISTENER, lively

from diffusion_helpers import UNet, add_noise, cosine_schedule, ddim, predict, pure_noise, timesteps
from diffusion_helpers.denoiser import velocity
from diffusion_helpers.distillation import (
    ddim_step,
    guided_velocity,
    halved_target,
    landing_velocity,
)
from diffusion_helpers.sampling import guided
from diffusion_helpers.words import load_words

SCHEDULE = cosine_schedule()
X, OTHER = pure_noise(8, (3, 8, 8), seed=1).split(4)
STEPS = {"the first of four": (999, 749), "to the clean picture": (249, -1), "a small one": (2, 1)}
STEPS |= {"one each": (torch.tensor([999, 500, 30, 1]), torch.tensor([998, -1, 12, 0]))}
steps = pytest.mark.parametrize(("t", "t_next"), STEPS.values(), ids=STEPS)


def test_a_step_is_the_samplers():
    network = lively(UNet((3, 8, 8), widths=(16, 32), blocks=1))
    for now, then in itertools.pairwise(ddim(network, X, steps=4)):
        v = predict(network, SCHEDULE, now.x_t, now.t).velocity
        torch.testing.assert_close(ddim_step(v, now.x_t, now.t, then.t, SCHEDULE), then.x_t)
    v = predict(network, SCHEDULE, then.x_t, then.t).velocity
    torch.testing.assert_close(ddim_step(v, then.x_t, then.t, -1, SCHEDULE), then.clean)


@steps
def test_the_landing_velocity_lands(t, t_next):
    v = landing_velocity(X, OTHER, t, t_next, SCHEDULE)
    torch.testing.assert_close(ddim_step(v, X, t, t_next, SCHEDULE), OTHER, rtol=0, atol=1e-5)


@steps
def test_its_clean_picture_is_that_of_the_paper(t, t_next):
    """arXiv 2202.00512, algorithm 2, in 64 bits."""
    x, x_next = X.double(), OTHER.double()
    (a, s), (a_next, s_next) = SCHEDULE.rates(t, like=x), SCHEDULE.rates(t_next, like=x)
    theirs = (x_next - s_next / s * x) / (a_next - s_next / s * a)
    v = landing_velocity(x, x_next, t, t_next, SCHEDULE)
    torch.testing.assert_close(a * x - s * v, theirs)


class OnePicture:
    """The ideal network of a world with one picture: every path leads to it, in any steps."""

    predicts = "clean"

    def __init__(self, picture):
        self.picture = picture

    def __call__(self, x_t, t, *text):
        return self.picture.expand_as(x_t)


@pytest.mark.parametrize("levels", [(999, 500, 249), (499, 249, -1), (X.new_tensor([9] * 4), 5, 2)])
def test_where_all_paths_lead_to_one_picture_nothing_is_left_to_learn(levels):
    t, t_middle, t_next = (level.long() if torch.is_tensor(level) else level for level in levels)
    teacher, eps = OnePicture(OTHER[:1]), X
    x_t = add_noise(teacher.picture.expand_as(eps), t, eps, SCHEDULE)
    wanted = velocity(teacher.picture, eps, *SCHEDULE.rates(t, like=eps))
    found = halved_target(teacher, x_t, t, t_middle, t_next)
    torch.testing.assert_close(found, wanted, rtol=0, atol=1e-4)


def test_one_step_of_the_target_lands_where_two_steps_of_the_teacher_land():
    network = lively(UNet((3, 8, 8), widths=(16, 32), blocks=1))
    first, _, third, _ = timesteps(4)
    _, _, after_two, _ = ddim(network, X, steps=4)
    v = halved_target(network, X, first, timesteps(4)[1], third)
    torch.testing.assert_close(ddim_step(v, X, first, third, SCHEDULE), after_two.x_t)
    assert (v - predict(network, SCHEDULE, X, first).velocity).abs().max() > 1e-3  # not its own


def test_each_picture_is_guided_by_its_own_scale():
    text, t = (
        load_words().encode(["a red apple", "a cat", "a house", ""]),
        torch.tensor([9, 99, 5, 999]),
    )
    scales = torch.tensor([1.0, 2.0, 3.5, 6.0])
    together = guided_velocity(LISTENER, X, t, text, scales)
    for i, scale in enumerate(scales.tolist()):
        alone = guided(LISTENER, text[i], scale=scale)(X[i : i + 1], t[i : i + 1])
        torch.testing.assert_close(together[i : i + 1], alone)
        one_for_all = guided_velocity(LISTENER, X, t, text, scale)[i : i + 1]
        torch.testing.assert_close(one_for_all, alone)
    assert not torch.allclose(together, guided_velocity(LISTENER, X, t, text, 1.0))
