"""The forward process: our schedules and our jump against diffusers' and against small steps."""

import math

import pytest
import torch
from diffusers import DDPMScheduler

from diffusion_helpers.noising import Schedule, T, add_noise, cosine_schedule, linear_schedule

SCHEDULES = [(cosine_schedule, "squaredcos_cap_v2"), (linear_schedule, "linear")]


@pytest.fixture
def pictures():
    generator = torch.Generator().manual_seed(0)
    return torch.rand(4, 3, 8, 8, generator=generator) * 2 - 1


@pytest.fixture
def eps():
    generator = torch.Generator().manual_seed(1)
    return torch.randn(4, 3, 8, 8, generator=generator)


# ---- schedules ----------------------------------------------------------------------------------


@pytest.mark.parametrize(("make_schedule", "name"), SCHEDULES)
def test_schedules_equal_those_of_diffusers(make_schedule, name):
    theirs = DDPMScheduler(T, beta_schedule=name).alphas_cumprod.double()
    torch.testing.assert_close(make_schedule().alpha_bar, theirs, rtol=0, atol=1e-6)


@pytest.mark.parametrize(("make_schedule", "name"), SCHEDULES)
def test_alpha_bar_falls_from_almost_one_to_almost_nothing(make_schedule, name):
    alpha_bar = make_schedule().alpha_bar
    assert alpha_bar.shape == (T,) and alpha_bar.dtype == torch.float64
    assert (alpha_bar.diff() < 0).all()
    assert alpha_bar[0] > 0.999 and 0 < alpha_bar[-1] < 1e-4


@pytest.mark.parametrize(("make_schedule", "name"), SCHEDULES)
def test_schedules_of_another_length_equal_those_of_diffusers(make_schedule, name):
    theirs = DDPMScheduler(100, beta_schedule=name).alphas_cumprod.double()
    ours = make_schedule(steps=100)
    assert len(ours) == 100
    torch.testing.assert_close(ours.alpha_bar, theirs, rtol=0, atol=1e-6)


def test_the_cosine_schedule_follows_the_formula_of_its_paper():
    def f(t):
        return math.cos((t / T + 0.008) / 1.008 * math.pi / 2) ** 2

    expected = torch.tensor([f(t + 1) / f(0) for t in range(T)], dtype=torch.float64)
    # the last step is capped, so it is left out
    torch.testing.assert_close(cosine_schedule().alpha_bar[:-1], expected[:-1])


def test_signal_to_noise_is_the_variance_of_the_picture_over_that_of_the_noise():
    schedule = Schedule([0.9, 0.5, 0.2])
    torch.testing.assert_close(schedule.snr, torch.tensor([9.0, 1.0, 0.25], dtype=torch.float64))


@pytest.mark.parametrize(
    ("alpha_bar", "words"),
    [
        ([0.9, 0.5, 0.6], "never rise"),
        ([1.1, 0.5, 0.1], "fall from about 1 to about 0"),
        ([0.9, 0.5, -0.1], "fall from about 1 to about 0"),
        ([0.9, float("nan"), 0.1], "fall from about 1 to about 0"),
        (torch.rand(3, 3), r"one row of numbers, got torch.float32 \(3, 3\)"),
        ([0.5], r"one row of numbers, got \[0.5\]"),
        (0.5, "one row of numbers, got 0.5"),
    ],
)
def test_a_wrong_schedule_gets_one_sentence(alpha_bar, words):
    with pytest.raises(ValueError, match=words):
        Schedule(alpha_bar)


# ---- signal and noise ---------------------------------------------------------------------------


def test_the_rates_are_shaped_to_multiply_pictures(pictures):
    signal_rate, noise_rate = cosine_schedule().rates(torch.tensor([0, 10, 500, 999]), pictures)
    assert signal_rate.shape == noise_rate.shape == (4, 1, 1, 1)
    assert signal_rate.dtype == noise_rate.dtype == pictures.dtype
    torch.testing.assert_close(signal_rate**2 + noise_rate**2, torch.ones(4, 1, 1, 1))


def test_one_step_before_the_first_noise_is_the_clean_picture(pictures):
    signal_rate, noise_rate = cosine_schedule().rates(-1, pictures)
    assert signal_rate.item() == 1 and noise_rate.item() == 0


def test_little_noise_keeps_its_digits_in_float32(pictures):
    schedule = cosine_schedule()
    _, noise_rate = schedule.rates(0, pictures)
    exact = math.sqrt(1 - schedule.alpha_bar[0].item())
    assert noise_rate.item() == pytest.approx(exact, rel=1e-6)


# ---- one jump -----------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(("make_schedule", "name"), SCHEDULES)
def test_add_noise_equals_that_of_diffusers(make_schedule, name, dtype, pictures, eps):
    x_0, eps, t = pictures.to(dtype), eps.to(dtype), torch.tensor([0, 250, 700, 999])
    ours = add_noise(x_0, t, eps, make_schedule())
    theirs = DDPMScheduler(T, beta_schedule=name).add_noise(x_0, eps, t)
    assert ours.dtype == dtype
    # diffusers rounds alpha_bar to float32; the square root of a small one doubles that error
    torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-5)


def test_one_number_for_t_means_the_same_t_for_all(pictures, eps):
    schedule = cosine_schedule()
    expected = add_noise(pictures, torch.full((4,), 321), eps, schedule)
    for t in (321, torch.tensor(321), torch.tensor([321])):
        assert torch.equal(add_noise(pictures, t, eps, schedule), expected)


@pytest.mark.parametrize("upto", [100, 500, 999])
@pytest.mark.parametrize(("make_schedule", "name"), SCHEDULES)
def test_many_small_steps_give_the_mean_and_variance_of_one_jump(make_schedule, name, upto):
    copies, pixel = 20_000, 0.7
    betas = DDPMScheduler(T, beta_schedule=name).betas.tolist()
    generator = torch.Generator().manual_seed(upto)
    slow = torch.full((copies, 1, 1, 1), pixel)
    for beta in betas[: upto + 1]:
        noise_rate = torch.randn(slow.shape, generator=generator)
        slow = math.sqrt(1 - beta) * slow + math.sqrt(beta) * noise_rate

    x_0 = torch.full((copies, 1, 1, 1), pixel)
    jump = add_noise(x_0, upto, torch.randn(x_0.shape, generator=generator), make_schedule())

    sampling_error = math.sqrt(2 * jump.var().item() / copies)  # of the difference of two means
    assert abs(slow.mean() - jump.mean()).item() < 4 * sampling_error
    # the variance of a variance estimated from n normal numbers is 2 / n of its square
    assert slow.var().item() == pytest.approx(jump.var().item(), rel=4 * math.sqrt(4 / copies))


# ---- one clear sentence for each mistake --------------------------------------------------------


@pytest.mark.parametrize(
    ("t", "words"),
    [
        (1000, r"t must lie in 0\.\.999, got 1000\.\.1000"),
        (torch.tensor([0, 1, 2, 5000]), r"t must lie in 0\.\.999, got 0\.\.5000"),
        (-2, r"t must lie in 0\.\.999, got -2"),
        (0.5, "whole number"),
        (torch.tensor([1.0, 2.0, 3.0, 4.0]), "whole number or a row of them, got torch.float32"),
        (torch.tensor([True, False, True, False]), "whole number"),
        (torch.zeros(2, 2, dtype=torch.long), r"whole number or a row of them.*\(2, 2\)"),
        (torch.tensor([1, 2]), "got 2 values of t for 4 pictures"),
        (torch.tensor([1, 2, 3, 4, 5]), "got 5 values of t for 4 pictures"),
    ],
)
def test_a_wrong_t_gets_one_sentence(t, words, pictures, eps):
    with pytest.raises(ValueError, match=words):
        add_noise(pictures, t, eps, cosine_schedule())


def test_no_t_at_all_gets_one_sentence(pictures, eps):
    with pytest.raises(ValueError, match="got 0 values of t for 4 pictures"):
        add_noise(pictures, torch.tensor([], dtype=torch.long), eps, cosine_schedule())


@pytest.mark.parametrize(
    ("x_0", "words"),
    [
        (torch.zeros(32, 32), r"shape \(B, C, H, W\), got torch.float32 \(32, 32\)"),
        (torch.zeros(4, 3, 8, 8, dtype=torch.uint8), "got torch.uint8"),
        ([1, 2], r"got \[1, 2\]"),
        (torch.zeros(0, 3, 8, 8), "at least one picture"),
        (torch.full((4, 3, 8, 8), float("nan")), "NaN or infinite"),
        (torch.full((4, 3, 8, 8), float("inf")), "NaN or infinite"),
    ],
)
def test_wrong_pictures_get_one_sentence(x_0, words, eps):
    with pytest.raises(ValueError, match=words):
        add_noise(x_0, 5, eps, cosine_schedule())


def test_noise_of_another_shape_gets_one_sentence(pictures, eps):
    with pytest.raises(ValueError, match="eps must have the shape of x_0"):
        add_noise(pictures, 5, eps[:1], cosine_schedule())
