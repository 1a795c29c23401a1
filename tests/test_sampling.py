"""The Creation: our samplers against diffusers' schedulers, and on data whose score is known."""

import functools
import math
import warnings
from itertools import pairwise

import pytest
import torch
from diffusers import DDIMScheduler, DDPMScheduler, DPMSolverMultistepScheduler

from diffusion_helpers import sampling
from diffusion_helpers.noising import cosine_schedule, linear_schedule
from diffusion_helpers.sampling import (
    ddim,
    ddpm,
    dpm_solver,
    guided,
    logsnr_timesteps,
    predict,
    pure_noise,
    sample,
    timesteps,
    with_schedule,
)
from diffusion_helpers.text import Text, empty_text
from diffusion_helpers.unet import UNet
from diffusion_helpers.words import load_words

THEIR_NAMES = {"noise": "epsilon", "clean": "sample", "velocity": "v_prediction"}
randn = torch.randn  # the real one, while a test replaces it
SCHEDULES = {"cosine": cosine_schedule(), "linear": linear_schedule()}


class Toy:
    """A small fixed function of x and t that stands in for a network."""

    def __init__(self, predicts):
        self.predicts = predicts

    def __call__(self, x, t):
        share = t.to(x).reshape(-1, 1, 1, 1) / 1000
        return 0.7 * torch.sin(x + 3 * share) + 0.2 * share


class Gaussian:
    """The best possible network for pixels that are independent normal numbers N(mean, std^2)."""

    predicts = "velocity"

    def __init__(self, mean, std, schedule):
        self.mean, self.std, self.schedule = mean, std, schedule

    def __call__(self, x, t):
        alpha_bar = self.schedule.alpha_bar[t].to(x).reshape(-1, 1, 1, 1)
        surprise = x - alpha_bar.sqrt() * self.mean
        variance = alpha_bar * self.std**2 + 1 - alpha_bar  # of x_t
        clean = self.mean + alpha_bar.sqrt() * self.std**2 / variance * surprise
        noise = (1 - alpha_bar).sqrt() / variance * surprise
        return alpha_bar.sqrt() * noise - (1 - alpha_bar).sqrt() * clean


def fixed_dust():
    """Stands in for torch.randn: the same random pictures for whoever asks, in their order."""
    generator = torch.Generator().manual_seed(99)
    return lambda shape, **_: randn(*shape, generator=generator, dtype=torch.float64)


def recorder(drawn):
    """Stands in for torch.randn: writes down what it drew."""

    def draw(*args, **kw):
        drawn.append(randn(*args, **kw))
        return drawn[-1]

    return draw


@pytest.fixture
def x_T():
    return pure_noise(2, (3, 4, 4), seed=5).double()


@pytest.fixture
def network():
    torch.manual_seed(0)
    net = UNet((3, 8, 8), widths=(16, 32), blocks=1)
    with torch.no_grad():
        for p in net.parameters():
            p.add_(0.1 * torch.randn_like(p))
    return net.eval()


# ---- against diffusers --------------------------------------------------------------------------


CLIPS = [None, True, False]  # left out, asked for, refused


def their_scheduler(kind, predicts, schedule, steps, clip, **kw):
    scheduler = kind(
        timestep_spacing="trailing",
        clip_sample=predicts == "noise" if clip is None else clip,
        prediction_type=THEIR_NAMES[predicts],
        **kw,
    )
    scheduler.alphas_cumprod = schedule.alpha_bar  # theirs is rounded to float32
    scheduler.set_timesteps(steps)
    return scheduler


def assert_same_walk(ours, scheduler, model, x):
    """Every step of `ours` is the step of `scheduler`, which walks its own way from x on."""
    ours = list(ours)
    assert [step.t for step in ours] == scheduler.timesteps.tolist()
    for step in ours:
        torch.testing.assert_close(step.x_t, x, rtol=1e-6, atol=1e-6)
        answer = model(x, torch.full((len(x),), step.t))
        theirs = scheduler.step(answer, torch.tensor(step.t), x)
        torch.testing.assert_close(step.clean, theirs.pred_original_sample, rtol=1e-6, atol=1e-6)
        x = theirs.prev_sample
    assert x.dtype == torch.float64
    torch.testing.assert_close(ours[-1].clean, x, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("steps", [5, 10, 20, 50])
@pytest.mark.parametrize("schedule", SCHEDULES.values(), ids=SCHEDULES)
@pytest.mark.parametrize("predicts", THEIR_NAMES)
@pytest.mark.parametrize("clip", CLIPS)
def test_ddim_equals_that_of_diffusers_step_by_step(clip, predicts, schedule, steps, x_T):
    model = Toy(predicts)
    theirs = their_scheduler(DDIMScheduler, predicts, schedule, steps, clip, set_alpha_to_one=True)
    assert_same_walk(ddim(model, x_T, steps, schedule, None, clip), theirs, model, x_T)


@pytest.mark.parametrize("eta", [0.3, 1.0])
@pytest.mark.parametrize("steps", [5, 20])
@pytest.mark.parametrize("schedule", SCHEDULES.values(), ids=SCHEDULES)
@pytest.mark.parametrize("predicts", THEIR_NAMES)
@pytest.mark.parametrize("clip", CLIPS)
def test_ddim_with_fresh_noise_equals_that_of_diffusers_step_by_step(
    clip, predicts, schedule, steps, eta, x_T, monkeypatch
):
    model, fresh = Toy(predicts), fixed_dust()
    theirs = their_scheduler(DDIMScheduler, predicts, schedule, steps, clip, set_alpha_to_one=True)
    step = theirs.step

    def step_with_eta(answer, t, x):
        noise = torch.stack([fresh(x.shape[1:]) for _ in x])
        return step(answer, t, x, eta=eta, variance_noise=noise)

    theirs.step = step_with_eta
    monkeypatch.setattr(torch, "randn", fixed_dust())
    ours = list(ddim(model, x_T, steps, schedule, None, clip, eta))
    assert_same_walk(ours, theirs, model, x_T)


@pytest.mark.parametrize("schedule", SCHEDULES.values(), ids=SCHEDULES)
@pytest.mark.parametrize("steps", [1, 3, 20])
def test_ddim_with_all_fresh_noise_is_ddpm(steps, schedule, x_T):
    model = Toy("velocity")
    ancestral = ddpm(model, x_T, steps, schedule, seed=3)
    for ours, theirs in zip(ddim(model, x_T, steps, schedule, eta=1, seed=3), ancestral):
        torch.testing.assert_close(ours.x_t, theirs.x_t)
        torch.testing.assert_close(ours.clean, theirs.clean)


@pytest.mark.parametrize("eta", [0.2, 1])
def test_the_fresh_noise_of_ddim_is_that_of_its_seed(eta, x_T):
    def last(**kw):
        *_, step = ddim(Toy("velocity"), x_T, 5, **kw)
        return step.clean

    assert torch.equal(last(seed=1), last(seed=2))
    assert torch.equal(last(seed=1, eta=eta), last(seed=1, eta=eta))
    assert not torch.allclose(last(seed=1, eta=eta), last(seed=2, eta=eta))


@pytest.mark.parametrize("eta", [-0.1, 1.5, math.nan, "1", None])
def test_a_wrong_eta_gets_one_sentence(eta, x_T):
    with pytest.raises(ValueError, match="eta is a number from 0 to 1, got"):
        next(ddim(Toy("velocity"), x_T, 5, eta=eta))


@pytest.mark.parametrize("steps", [5, 10, 20, 30, 50])
@pytest.mark.parametrize("schedule", SCHEDULES.values(), ids=SCHEDULES)
@pytest.mark.parametrize("predicts", THEIR_NAMES)
@pytest.mark.parametrize("clip", CLIPS)
def test_ddpm_equals_that_of_diffusers_step_by_step(
    clip, predicts, schedule, steps, x_T, monkeypatch
):
    model = Toy(predicts)
    theirs = their_scheduler(DDPMScheduler, predicts, schedule, steps, clip)
    monkeypatch.setattr(torch, "randn", fixed_dust())
    ours = list(ddpm(model, x_T, steps, schedule, clip_sample=clip))
    monkeypatch.setattr(torch, "randn", fixed_dust())
    assert_same_walk(ours, theirs, model, x_T)


@pytest.mark.parametrize("steps", [1, 2, 5, 8, 20, 50])
@pytest.mark.parametrize("schedule", SCHEDULES.values(), ids=SCHEDULES)
@pytest.mark.parametrize("predicts", THEIR_NAMES)
@pytest.mark.parametrize("clip", CLIPS)
def test_dpm_solver_equals_that_of_diffusers_step_by_step(clip, predicts, schedule, steps, x_T):
    model = Toy(predicts)
    clips = predicts == "noise" if clip is None else clip
    theirs = DPMSolverMultistepScheduler(  # at most 1: its thresholding is then a clipping
        prediction_type=THEIR_NAMES[predicts], thresholding=clips, sample_max_value=1.0
    )
    theirs.set_timesteps(timesteps=logsnr_timesteps(steps, schedule))
    alpha_bar = schedule.alpha_bar[theirs.timesteps]
    sigmas = ((1 - alpha_bar) / alpha_bar).sqrt()
    theirs.sigmas = torch.cat([sigmas, torch.zeros(1)])  # its own are rounded to float32
    x = x_T
    for step in dpm_solver(model, x_T, steps, schedule, None, clip):
        torch.testing.assert_close(step.x_t, x, rtol=1e-5, atol=1e-5)  # theirs rounds to float32
        answer = model(x, torch.full((len(x),), step.t))
        x = theirs.step(answer, torch.tensor(step.t), x).prev_sample
    torch.testing.assert_close(step.clean, x, rtol=1e-5, atol=1e-5)


def test_few_steps_of_dpm_solver_lead_closer_to_the_end_of_many():
    """Where the perfect network is known, 8 steps of the fast one beat 16 of the slow one."""
    schedule = SCHEDULES["cosine"]
    x_T = torch.linspace(-2, 2, 75, dtype=torch.float64).reshape(1, 3, 5, 5)

    def error(sampler, steps):
        *_, last = sampler(Gaussian(0.1, 0.5, schedule), x_T, steps, schedule)
        return (last.clean - (0.1 + 0.5 * x_T)).abs().max()

    assert error(dpm_solver, 8) < error(ddim, 16)


def test_dpm_solver_visits_the_levels_of_a_list():
    model, x_T = Gaussian(0.1, 0.5, SCHEDULES["cosine"]), pure_noise(2, (3, 8, 8))
    own = list(dpm_solver(model, x_T, 8))
    same = list(dpm_solver(model, x_T, [step.t for step in own]))
    assert all(torch.equal(a.x_t, b.x_t) for a, b in zip(own, same, strict=True))
    for levels, why in (
        ([500, 700], "lies below"),
        ([1000], "from 0 to 999"),
        ([], "at least one"),
    ):
        with pytest.raises(ValueError, match=why):
            next(dpm_solver(model, x_T, levels))


@pytest.mark.parametrize("taught", [None, "cosine", "linear"])
@pytest.mark.parametrize("sampler", [ddim, ddpm, dpm_solver])
def test_the_schedule_is_the_one_it_was_taught_with_unless_another_is_given(sampler, taught, x_T):
    model = Toy("velocity")
    if taught:
        model.schedule = SCHEDULES[taught]
    ends = {name: list(sampler(model, x_T, 5, s))[-1].clean for name, s in SCHEDULES.items()}
    *_, silent = sampler(model, x_T, 5)
    assert torch.equal(silent.clean, ends[taught or "cosine"])
    assert not torch.allclose(ends["cosine"], ends["linear"])


@pytest.mark.parametrize("sampler", [ddim, ddpm, dpm_solver])
def test_sample_and_guidance_use_the_schedule_that_the_network_was_taught_with(sampler, listener):
    net = UNet(**listener.config).double()
    net.load_state_dict(listener.state_dict())
    net.schedule = linear_schedule()
    how = {"steps": 3, "seed": 2, "sampler": sampler}
    x_T = pure_noise(1, (3, 8, 8), seed=2).double()
    fresh = {"seed": 2} if sampler is ddpm else {}
    heard = guided(net, said("cat"))
    *_, spoken = sampler(heard, x_T, 3, linear_schedule(), **fresh)
    *_, plain = sampler(net, x_T, 3, linear_schedule(), **fresh)
    assert heard.schedule is net.schedule
    assert torch.equal(sample(net, "cat", "noto", **how), spoken.clean.clamp(-1, 1))
    assert torch.equal(sample(net, **how), plain.clean.clamp(-1, 1))
    assert not torch.allclose(sample(net, **how), sample(listener, **how))


@pytest.mark.parametrize("sampler", [ddim, ddpm, dpm_solver])
def test_clipping_keeps_a_network_that_predicts_noise_from_exploding(sampler, x_T):
    """Near the end an error of a tenth in the noise is one of hundreds in the clean picture."""
    model = Toy("noise")
    wild = [step.clean.abs().max() for step in sampler(model, x_T, 8, clip_sample=False)]
    tame = [step.clean.abs().max() for step in sampler(model, x_T, 8)]
    assert max(wild) > 100 and max(tame) <= 1


# ---- timesteps ----------------------------------------------------------------------------------


@pytest.mark.parametrize("steps", [1, 2, 3, 7, 20, 30, 64, 81, 333, 999, 1000])
def test_timesteps_start_from_chaos_and_end_one_stride_above_clean(steps):
    ts = timesteps(steps)
    stride = 1000 / steps
    assert len(ts) == steps and ts[0] == 999
    assert all(a > b and abs((a - b) - stride) <= 1 for a, b in pairwise(ts))
    assert abs(ts[-1] - (stride - 1)) <= 0.5


@pytest.mark.parametrize("steps", [1, 5, 20, 30, 50, 64, 1000])
def test_timesteps_are_the_trailing_ones_of_diffusers(steps):
    scheduler = DDPMScheduler(timestep_spacing="trailing")
    scheduler.set_timesteps(steps)
    assert timesteps(steps) == scheduler.timesteps.tolist()


@pytest.mark.parametrize("schedule", SCHEDULES.values(), ids=SCHEDULES)
@pytest.mark.parametrize("steps", [1, 2, 3, 8, 20, 200, 1000])
def test_logsnr_timesteps_start_from_chaos_and_fall(steps, schedule):
    ts = logsnr_timesteps(steps, schedule)
    assert len(ts) == steps and ts[0] == 999 and ts[-1] >= 0
    assert all(a > b for a, b in pairwise(ts))
    if steps == 8:
        strides = (schedule.snr[ts[1:]].log() / 2).diff()
        assert strides.min() > 0.8 and strides.max() < 1.05  # 5.5 / 6 = 0.92
    if steps == 2:  # the picture is what the network says of the second: it must not be noise
        assert schedule.snr[ts[1]].log().item() / 2 == pytest.approx(-0.25, abs=0.05)


# ---- data whose best network is known -----------------------------------------------------------


@pytest.mark.parametrize("sampler", [ddim, ddpm, dpm_solver])
@pytest.mark.parametrize(("mean", "std"), [(0.4, 0.3), (-0.2, 0.8)])
def test_a_perfect_network_samples_the_gaussian_it_knows(sampler, mean, std):
    schedule, pixels = SCHEDULES["cosine"], 10 * 3 * 32 * 32
    x_T = pure_noise(10, seed=1).double()
    *_, last = sampler(Gaussian(mean, std, schedule), x_T, 200, schedule)
    got = last.clean
    assert got.mean().item() == pytest.approx(mean, abs=4 * std / math.sqrt(pixels) + 1e-3)
    # 4 standard errors of a variance, and 6 % because 200 steps are not infinitely many
    assert got.var().item() == pytest.approx(std**2, rel=4 * math.sqrt(2 / pixels) + 0.06)


def test_ddim_walks_a_gaussian_along_straight_quantiles():
    """Without fresh dust the darkest pixel of chaos becomes the darkest of the picture, and on."""
    schedule = SCHEDULES["cosine"]
    x_T = torch.linspace(-2, 2, 75, dtype=torch.float64).reshape(1, 3, 5, 5)
    *_, last = ddim(Gaussian(0.1, 0.5, schedule), x_T, 200, schedule)
    torch.testing.assert_close(last.clean, 0.1 + 0.5 * x_T, rtol=0, atol=0.02)


# ---- one prediction in three coordinates --------------------------------------------------------


@pytest.mark.parametrize("t", [0, 3, 500, 998, torch.tensor([1, 900])])
@pytest.mark.parametrize("predicts", THEIR_NAMES)
def test_the_three_coordinates_are_one_prediction(predicts, t, x_T):
    schedule, model = SCHEDULES["cosine"], Toy(predicts)
    got = predict(model, schedule, x_T, t)
    a = schedule.alpha_bar[torch.as_tensor(t).reshape(-1)].reshape(-1, 1, 1, 1)
    torch.testing.assert_close(a.sqrt() * got.clean + (1 - a).sqrt() * got.noise, x_T)
    torch.testing.assert_close(
        a.sqrt() * got.noise - (1 - a).sqrt() * got.clean, got.velocity, rtol=1e-7, atol=1e-7
    )
    answer = model(x_T, torch.as_tensor(t).expand(2))
    assert torch.equal(getattr(got, predicts), answer)


def test_an_unknown_coordinate_gets_one_sentence(x_T):
    with pytest.raises(ValueError, match="velocity, noise or clean, got 'score'"):
        predict(Toy("score"), SCHEDULES["cosine"], x_T, 5)


def test_predict_hands_the_text_on(x_T):
    heard = []

    class Listener(Toy):
        def __call__(self, x, t, text=None):
            heard.append(text)
            return super().__call__(x, t)

    predict(Listener("noise"), SCHEDULES["cosine"], x_T, 5, "a red apple")
    list(ddim(Listener("noise"), x_T, 1, text="a blue heart"))
    list(ddpm(Listener("noise"), x_T, 1, text="a fish"))
    assert heard == ["a red apple", "a blue heart", "a fish"]


def test_predict_keeps_no_memory_for_gradients(network):
    got = predict(network, SCHEDULES["cosine"], pure_noise(1, (3, 8, 8)), 5)
    assert not got.clean.requires_grad


# ---- chaos and fresh dust -----------------------------------------------------------------------


def test_chaos_is_standard_normal_and_decided_by_its_seed():
    x = pure_noise(16, seed=3)
    assert x.shape == (16, 3, 32, 32) and x.dtype == torch.float32
    assert abs(x.mean().item()) < 4 / math.sqrt(x.numel())
    assert x.var().item() == pytest.approx(1, abs=4 * math.sqrt(2 / x.numel()))
    assert torch.equal(x, pure_noise(16, seed=3)) and not torch.equal(x, pure_noise(16, seed=4))


def test_more_chaos_begins_with_the_same_pictures():
    assert torch.equal(pure_noise(5, seed=3)[:2], pure_noise(2, seed=3))


def test_a_list_of_seeds_gives_each_picture_the_chaos_of_its_own_seed():
    seeds = [7, 8, 9, 10]
    alone = torch.cat([pure_noise(1, seed=seed) for seed in seeds])
    assert torch.equal(pure_noise(4, seed=seeds), alone)
    assert torch.equal(pure_noise(1, seed=[7]), pure_noise(1, seed=7))
    with pytest.raises(ValueError, match="got 4 seeds for 3 pictures: one each"):
        pure_noise(3, seed=seeds)


@pytest.mark.parametrize("sampler", [ddim, functools.partial(ddim, eta=1), ddpm, dpm_solver])
def test_four_at_once_are_the_four_of_their_seeds(sampler):
    def drawn(seeds):
        kind = getattr(sampler, "func", sampler)
        seeded = {} if kind is dpm_solver else {"seed": seeds}
        x_T = pure_noise(len(seeds), (3, 8, 8), seed=seeds).double()
        return list(sampler(Toy("velocity"), x_T, 4, **seeded))[-1].clean

    alone = torch.cat([drawn([seed]) for seed in (7, 8, 9, 10)])
    torch.testing.assert_close(drawn([7, 8, 9, 10]), alone, rtol=0, atol=1e-12)


@pytest.mark.parametrize("image_shape", [(3, 32, 32), (3, 7, 5), (1, 2, 2), (1, 1, 1)])
@pytest.mark.parametrize("sampler", [ddim, ddpm, dpm_solver])
def test_a_picture_does_not_depend_on_how_many_are_drawn_beside_it(sampler, image_shape):
    def drawn(n):
        x_T = pure_noise(n, image_shape, seed=3).double()
        return list(sampler(Toy("velocity"), x_T, 4))[-1].clean

    torch.testing.assert_close(drawn(4)[:1], drawn(1), rtol=0, atol=1e-12)
    assert not torch.allclose(drawn(4)[1], drawn(4)[2])


def test_ddim_adds_no_dust_and_ddpm_adds_the_dust_of_its_seed(x_T):
    model = Toy("velocity")

    def last(sampler, **kw):
        *_, step = sampler(model, x_T, 5, **kw)
        return step.clean

    assert torch.equal(last(ddim), last(ddim))
    assert torch.equal(last(ddpm, seed=1), last(ddpm, seed=1))
    assert not torch.allclose(last(ddpm, seed=1), last(ddpm, seed=2))


def test_the_first_fresh_dust_is_not_the_chaos_it_falls_on(monkeypatch):
    x_T = pure_noise(4, seed=3)
    drawn = []
    monkeypatch.setattr(torch, "randn", recorder(drawn))
    list(ddpm(Toy("velocity"), x_T, 3, seed=3))
    assert len(drawn) >= 2  # one between each step and the next
    for fresh in drawn:
        for picture in x_T:
            correlation = torch.corrcoef(torch.stack([fresh.flatten(), picture.flatten()]))[0, 1]
            assert abs(correlation.item()) < 0.1


# ---- another schedule ---------------------------------------------------------------------------


@pytest.mark.parametrize("schedule", [linear_schedule(), cosine_schedule(50), cosine_schedule()])
def test_a_network_hears_the_t_of_its_own_schedule_with_the_same_noise(small_x_T, schedule):
    heard, own = [], cosine_schedule()

    def model(x_t, t):
        heard.append(t)
        return torch.zeros_like(x_t)

    model.predicts = "velocity"
    followed = with_schedule(model, schedule)
    for t in range(len(schedule)):
        followed(small_x_T, torch.tensor([t, t]))
    wanted = (own.alpha_bar - schedule.alpha_bar[:, None]).abs().argmin(1)
    assert torch.equal(torch.stack(heard), wanted[:, None].expand(-1, 2))


def test_an_ideal_network_with_another_schedule_draws_the_same_crowd():
    """Its answers are exact at the same noise, so both schedules end at mean and deviation."""
    model = Gaussian(0.3, 0.5, cosine_schedule())
    x_T = pure_noise(200, (3, 4, 4)).double()
    for net in (model, with_schedule(model, linear_schedule())):
        *_, last = ddim(net, x_T, 100)
        assert abs(last.clean.mean() - 0.3) < 0.02 and abs(last.clean.std() - 0.5) < 0.02


# ---- guidance -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def listener():
    """A small network with all magics, in float64, that says something."""
    torch.manual_seed(0)
    net = UNet((3, 8, 8), widths=(16, 32), blocks=1, attention=True, text=True)
    with torch.no_grad():
        for p in net.parameters():
            p.add_(0.1 * torch.randn_like(p))
    return net.double().eval()


def said(*prompts, style="noto"):
    return load_words().encode(list(prompts), style)


@pytest.fixture
def small_x_T():
    return pure_noise(2, (3, 8, 8), seed=5).double()


@pytest.mark.parametrize("unwanted", [[], ["dog"], ["dog", "blue"]])
@pytest.mark.parametrize("prompts", [["cat"], ["cat", "red apple"]])
def test_guidance_is_the_answer_without_plus_s_times_what_the_spell_adds(
    listener, small_x_T, prompts, unwanted
):
    text, negative = said(*prompts), said(*unwanted) if unwanted else None
    without = listener(small_x_T, 500, negative)  # None says nothing
    spoken = listener(small_x_T, 500, text)
    assert (spoken - without).abs().max() > 1e-3
    assert torch.equal(guided(listener, text, negative, 0)(small_x_T, 500), without)
    assert torch.equal(guided(listener, text, negative, 1.0)(small_x_T, 500), spoken)
    for s in (3, 0.5, -1.0):
        got = guided(listener, text, negative, s)(small_x_T, torch.tensor([500, 500]))
        torch.testing.assert_close(got, without + s * (spoken - without))


def test_guidance_is_three_unless_another_is_given(listener, small_x_T):
    text = said("cat")
    expected = guided(listener, text, scale=3)(small_x_T, 5)
    assert torch.equal(guided(listener, text)(small_x_T, 5), expected)


@pytest.mark.parametrize("t", [3, 500, 990])
def test_guidance_is_the_same_in_all_three_coordinates(t, small_x_T):
    """Three networks that mean the same, one for each coordinate: guided, they still do."""
    schedule = SCHEDULES["cosine"]

    class Means(Toy):
        def __call__(self, x, t, text):
            loudness = text.mask.sum(1).to(x).reshape(-1, 1, 1, 1)
            signal_rate, noise_rate = schedule.rates(t, like=x)
            noise = torch.sin(x + loudness)
            clean = (x - noise_rate * noise) / signal_rate
            velocity = signal_rate * noise - noise_rate * clean
            return {"noise": noise, "clean": clean, "velocity": velocity}[self.predicts]

    texts = said("cat", "a red apple")
    guesses = [predict(guided(Means(p), texts), schedule, small_x_T, t) for p in THEIR_NAMES]
    quiet = torch.sin(small_x_T)
    loud = torch.sin(small_x_T + torch.tensor([1.0, 3.0]).double().reshape(-1, 1, 1, 1))
    for guess in guesses:
        torch.testing.assert_close(guess.noise, quiet + 3 * (loud - quiet), rtol=1e-6, atol=1e-6)
        for one, other in zip(guess, guesses[0]):
            torch.testing.assert_close(one, other, rtol=1e-6, atol=1e-6)


def test_a_guided_network_works_in_every_sampler(listener, small_x_T):
    model = guided(listener, said("cat"), scale=2)
    assert model.predicts == listener.predicts
    for sampler in (ddim, ddpm, dpm_solver):
        *_, last = sampler(model, small_x_T, 3)
        assert torch.isfinite(last.clean).all()


def test_guidance_brings_text_and_silence_to_the_pictures():
    """No real second device is needed to see that everything arrives on that of the pictures."""
    heard = []

    class Away(Toy):
        def __call__(self, x, t, text):
            heard.append(text)
            return x

    guided(Away("noise"), said("cat"))(torch.zeros(2, 3, 8, 8, device="meta"), 5)
    assert len(heard[0]) == 4
    assert {v.device.type for v in vars(heard[0]).values()} == {"meta"}


@pytest.mark.parametrize("scale", ["3", None, math.nan, math.inf, [1, 2]])
def test_a_wrong_scale_gets_one_sentence(listener, scale):
    with pytest.raises(ValueError, match="guidance_scale is a number, got"):
        guided(listener, said("cat"), scale=scale)
    with pytest.raises(ValueError, match="guidance_scale is a number, got"):
        sample(listener, "cat", guidance_scale=scale)


def test_a_text_that_is_none_gets_one_sentence(listener):
    for wrong in (("a red apple",), (said("cat"), "dog")):
        with pytest.raises(ValueError, match=r"expected text made by load_words\(\)"):
            guided(listener, *wrong)


@pytest.mark.parametrize("scale", [0.0, 1.0, 3.0])
def test_a_wrong_number_of_texts_gets_one_sentence(listener, scale):
    text = said("cat", "dog")
    with pytest.raises(ValueError, match="expected one prompt per picture, got 2 for 4"):
        guided(listener, text, text, scale)(torch.zeros(4, 3, 8, 8).double(), 5)


# ---- guidance inside a network ------------------------------------------------------------------


@pytest.fixture(scope="module")
def distilled(listener):
    """A small distilled network, in float64, that hears the guidance scale."""
    torch.manual_seed(1)
    net = UNet(**listener.config, distilled_steps=2)
    net.load_state_dict(listener.state_dict(), strict=False)
    with torch.no_grad():
        for p in net.guidance.parameters():
            p.add_(0.1 * torch.randn_like(p))
    return net.double().eval()


@pytest.mark.parametrize("prompts", [["cat"], ["cat", "red apple"]])
def test_a_distilled_network_is_called_once_a_step_and_told_the_scale(
    distilled, small_x_T, prompts
):
    model = guided(distilled, said(*prompts), scale=2.5)
    sizes = []
    hook = distilled.register_forward_hook(lambda _, inputs, __: sizes.append(len(inputs[0])))
    try:
        steps = list(ddim(model, small_x_T, steps=2))
    finally:
        hook.remove()
    assert [step.t for step in steps] == [999, 499] and sizes == [2, 2]
    expected = distilled(small_x_T, 999, distilled.encode_text(said(*prompts), 2.5))
    assert torch.equal(model(small_x_T, 999), expected)
    assert (model(small_x_T, 999) - guided(distilled, said("cat"), scale=6)(small_x_T, 999)).any()


@pytest.mark.parametrize("negative", [("dog", None), ("", "noto")])
def test_a_distilled_network_refuses_a_negative_prompt(distilled, negative):
    with pytest.raises(ValueError, match=r"takes no negative prompt: .*demiurge"):
        guided(distilled, said("cat"), load_words().encode(*negative))


def test_an_empty_negative_prompt_is_none(distilled, small_x_T):
    model = guided(distilled, said("cat"), said("", style=None), 2)
    assert torch.equal(model(small_x_T, 5), guided(distilled, said("cat"), scale=2)(small_x_T, 5))


@pytest.mark.parametrize("scale", [0, 0.5, 7])
def test_a_scale_that_a_distilled_network_was_not_taught_gets_one_sentence(distilled, scale):
    with pytest.raises(ValueError, match=r"guidance_scale is a number from 1\.0 to 6\.0"):
        guided(distilled, said("cat"), scale=scale)
    with pytest.raises(ValueError, match=r"guidance_scale is a number from 1\.0 to 6\.0"):
        sample(distilled, "cat", guidance_scale=scale)


def test_a_distilled_network_draws_in_its_own_number_of_steps(distilled):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        got = sample(distilled, "cat", "noto", seed=3)
        assert torch.equal(got, sample(distilled, "cat", "noto", seed=3, steps=2))
        assert sample(distilled).shape == (1, 3, 8, 8)
    model = guided(distilled, said("cat"))
    *_, last = ddim(model, pure_noise(1, (3, 8, 8), seed=3).double(), steps=2)
    torch.testing.assert_close(got, last.clean.clamp(-1, 1))


@pytest.mark.parametrize("other", [{"steps": 3}, {"sampler": ddpm}])
def test_other_steps_of_a_distilled_network_are_remarked_upon_once(distilled, other):
    with pytest.warns(UserWarning, match="taught to draw in 2 steps of ddim") as said_:
        sample(distilled, "cat", **other)
    assert [warning.filename for warning in said_] == [__file__]


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_a_distilled_network_samples_in_16_bits(dtype, distilled):
    def weights(kind):
        net = UNet(**distilled.config)
        net.load_state_dict(distilled.state_dict())
        return net.to(kind).eval()

    got, want = (sample(weights(kind), "cat", seed=2) for kind in (dtype, torch.float32))
    assert got.dtype == dtype and (got.float() - want).abs().mean() < 0.05


# ---- the one call -------------------------------------------------------------------------------


@pytest.mark.parametrize("sampler", [ddim, ddpm, dpm_solver])
def test_the_same_seed_gives_the_same_picture_and_another_seed_another(network, sampler):
    first = sample(network, steps=3, sampler=sampler, seed=1, n=2)
    assert torch.equal(first, sample(network, steps=3, sampler=sampler, seed=1, n=2))
    assert not torch.allclose(first, sample(network, steps=3, sampler=sampler, seed=2, n=2))
    assert not torch.allclose(first[0], first[1])


def test_another_seed_also_means_other_fresh_dust(network, monkeypatch):
    def dust_of(seed):
        drawn = []
        monkeypatch.setattr(torch, "randn", recorder(drawn))
        sample(network, steps=3, sampler=ddpm, seed=seed)
        return drawn[1:]  # the first is the chaos

    for one, other in zip(dust_of(1), dust_of(2), strict=True):
        assert not torch.equal(one, other)


def test_samples_are_pictures_in_range():
    net = UNet(widths=(16, 32), blocks=1)
    with torch.no_grad():
        net.leave.bias.fill_(3.0)  # a bad network, whose pictures would leave the range
    got = sample(net, steps=2, n=3)
    assert got.shape == (3, 3, 32, 32)
    assert got.min() >= -1 and got.max() <= 1
    assert not got.requires_grad


def test_sample_is_the_clean_picture_of_the_last_step(network):
    *_, last = ddim(network, pure_noise(2, (3, 8, 8), seed=4), 5)
    assert torch.equal(sample(network, steps=5, seed=4, n=2), last.clean.clamp(-1, 1))


def test_sample_draws_what_a_guided_network_draws(listener, monkeypatch):
    x_T = pure_noise(4, (3, 8, 8), seed=4).double()
    monkeypatch.setattr(sampling, "pure_noise", lambda *_, **__: x_T)
    got = sample(listener, ["cat", "dog"], "noto", "blue", steps=4, guidance_scale=2, n=2, seed=4)
    text = said("cat", "cat", "dog", "dog")
    *_, last = ddim(guided(listener, text, said("blue", style=None), 2), x_T, 4)
    torch.testing.assert_close(got, last.clean.clamp(-1, 1))


@pytest.fixture(scope="module")
def listener32(listener):
    net = UNet(**listener.config)
    net.load_state_dict(listener.state_dict())
    return net.eval()


@pytest.mark.parametrize(
    ("wish", "n"),
    [
        ({"prompt": "cat"}, 1),
        ({"prompt": ""}, 1),
        ({"style": "noto"}, 1),
        ({"negative": "dog"}, 1),
        ({"prompt": ["cat", "dog"], "n": 2}, 4),
        ({"prompt": "cat", "style": ["noto", "fluent", None]}, 3),
        ({"prompt": ["cat", "dog"], "style": ["noto", None], "negative": ["blue", None]}, 2),
        ({"prompt": ["cat", "dog"], "negative": ["blue", "red"], "n": 3}, 6),
        ({"prompt": ["cat", "dog"], "negative": "blue", "n": 3}, 6),
        ({"prompt": "<b>cat</b> & dog 🐕", "negative": "🐈"}, 1),
    ],
)
def test_every_way_to_ask_gives_a_picture_for_each(listener32, wish, n):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it may not know "b"
        got = sample(listener32, steps=1, **wish)
    assert got.shape == (n, 3, 8, 8) and got.abs().max() <= 1


def test_each_prompt_gets_its_own_negative(listener32):
    wish = {"steps": 2, "n": 2, "seed": 3}
    both = sample(listener32, ["cat", "dog"], negative=["blue", "red"], **wish)
    same_negative = sample(listener32, ["cat", "dog"], negative="blue", **wish)
    torch.testing.assert_close(both[:2], same_negative[:2], rtol=0, atol=0.02)
    assert (both[2:] - same_negative[2:]).abs().max() > 0.05


def test_saying_nothing_is_asking_for_nothing(listener32):
    expected = sample(listener32, steps=2, seed=1)
    torch.testing.assert_close(sample(listener32, "", steps=2, seed=1), expected, rtol=0, atol=0.05)
    ignored = sample(listener32, "cat", "noto", steps=2, seed=1, guidance_scale=0)
    assert torch.equal(ignored, expected)
    assert len(empty_text(3)) == 3 and isinstance(empty_text(1), Text)


@pytest.mark.parametrize(
    ("wish", "words"),
    [
        ({"prompt": 5}, "a prompt is a piece of text, such as 'a red apple', got int"),
        ({"prompt": "cat", "style": "picasso"}, "styles are noto, .*, got 'picasso'"),
        ({"prompt": ["cat"] * 2, "style": ["noto"] * 3}, "got 2 prompts for 3 styles"),
        ({"prompt": ["cat"] * 2, "negative": ["dog"] * 3}, "got 3 negative prompts for 2 prompts"),
        ({"prompt": []}, "got 0 prompts"),
    ],
)
def test_wishes_that_do_not_fit_get_one_sentence(listener32, wish, words):
    with pytest.raises(ValueError, match=words):
        sample(listener32, **wish)


@pytest.mark.parametrize("sampler", [ddim, ddpm, dpm_solver])
def test_the_same_prompt_and_seed_give_the_same_picture(listener32, sampler):
    def draw(**kw):
        return sample(listener32, "cat", steps=2, sampler=sampler, **kw)

    assert torch.equal(draw(seed=1), draw(seed=1))
    assert not torch.allclose(draw(seed=1), draw(seed=2))


def test_a_typo_in_a_prompt_is_said_at_the_students_own_line(listener32):
    with pytest.warns(UserWarning, match="do not know the word 'rokcet'.*rocket") as said_:
        sample(listener32, "red rokcet", steps=1)
    assert said_[0].filename == __file__


@pytest.mark.parametrize("words", [{"prompt": "cat"}, {"style": "noto"}, {"negative": "dog"}])
def test_a_network_that_cannot_listen_says_so(network, words):
    with pytest.raises(ValueError, match="never learned to listen"):
        sample(network, **words)


@pytest.mark.parametrize("sampler", [ddim, ddpm, dpm_solver])
@pytest.mark.parametrize("steps", [0, -1, 1001, 2.5, "20"])
def test_a_wrong_number_of_steps_gets_one_sentence(network, sampler, steps):
    with pytest.raises(ValueError, match=f"steps is a whole number from 1 to 1000, got {steps!r}"):
        sample(network, steps=steps, sampler=sampler)


@pytest.mark.parametrize("n", [0, -1, 1.5])
def test_a_wrong_number_of_pictures_gets_one_sentence(network, n):
    with pytest.raises(ValueError, match=f"n is a whole number from 1 up, got {n!r}"):
        sample(network, n=n)


@pytest.mark.parametrize("sampler", [ddim, ddpm, dpm_solver])
def test_chaos_of_a_wrong_shape_gets_one_sentence(network, sampler):
    with pytest.raises(ValueError, match=r"shape \(B, C, H, W\), got torch.float32 \(8, 8\)"):
        next(sampler(network, torch.zeros(8, 8)))


# ---- the number format, and wrappers ------------------------------------------------------------


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
@pytest.mark.parametrize("sampler", [ddim, ddpm, dpm_solver])
def test_sampling_follows_the_number_format_of_the_weights(sampler, dtype, listener):
    def drawn(net, *prompt):
        return sample(net, *prompt, steps=3, sampler=sampler, seed=2, n=2)

    exact = UNet(**listener.config)
    exact.load_state_dict(listener.state_dict())
    net = UNet(**listener.config).to(dtype)
    net.load_state_dict(listener.state_dict())
    for prompt in ((), ("cat", "noto")):
        got, want = drawn(net.eval(), *prompt), drawn(exact.eval(), *prompt)
        assert got.dtype == dtype
        assert (got.float() - want).abs().mean() < 0.05


@pytest.mark.slow  # half a minute; a training of a compiled network is in the quick tests
@pytest.mark.parametrize("kind", ["listener", "distilled"])
def test_a_compiled_network_draws_what_the_network_draws(kind, request):
    net = request.getfixturevalue(kind)
    compiled = torch.compile(net, backend="eager")
    how = {"steps": 2, "seed": 1}
    torch.testing.assert_close(sample(compiled, "cat", **how), sample(net, "cat", **how))
    torch.testing.assert_close(sample(compiled, **how), sample(net, **how))


@pytest.mark.parametrize("scale", [0, 1, 3])
def test_each_prompt_is_encoded_once_however_many_steps_there_are(scale, listener, small_x_T):
    heard = []
    hook = listener.text.register_forward_hook(lambda *_: heard.append(1))
    try:
        list(ddim(guided(listener, said("cat"), said("blue"), scale), small_x_T, steps=9))
        assert len(heard) == 2  # what to draw, and what not to
        list(ddim(listener, small_x_T, steps=9, text=said("cat")))
        assert len(heard) == 3
    finally:
        hook.remove()


def test_an_encoded_text_says_what_the_text_says(listener, small_x_T):
    for text in (said("cat"), said("cat", "red apple")):
        encoded = listener.encode_text(text)
        assert listener.encode_text(encoded) is encoded
        expected = listener(small_x_T, 5, text)
        torch.testing.assert_close(listener(small_x_T, 5, encoded), expected)
    with pytest.raises(ValueError, match="expected one prompt per picture, got 2 for 3"):
        listener(torch.zeros(3, 3, 8, 8).double(), 5, encoded)


def test_a_network_without_a_known_answer_gets_one_sentence_with_text_too(small_x_T):
    """Whatever it predicts would be taken for the clean picture."""

    class Unknown(Toy):
        def __call__(self, x, t, text=None):
            return super().__call__(x, t)

    for text in (None, said("cat")):
        with pytest.raises(ValueError, match="predicts is velocity, noise or clean, got 'v'"):
            predict(Unknown("v"), SCHEDULES["cosine"], small_x_T, 5, text)


def test_a_schedule_of_another_length_than_the_taught_one_is_remarked_upon(x_T):
    model = Toy("velocity")
    model.schedule = SCHEDULES["cosine"]
    with pytest.warns(UserWarning, match="has 100 steps, and the network was taught with 1000"):
        list(ddim(model, x_T, 3, cosine_schedule(100)))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        list(ddim(model, x_T, 3, SCHEDULES["linear"]))
        list(ddim(Toy("velocity"), x_T, 3, cosine_schedule(100)))


def test_a_guided_network_has_its_text_already(listener, small_x_T):
    with pytest.raises(ValueError, match="has its text already: leave `text` out"):
        list(ddim(guided(listener, said("cat")), small_x_T, 2, text=said("dog")))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_many_steps_of_ddpm_keep_their_noise_in_16_bits(dtype):
    """Between two of 500 steps alpha_bar changes by less than bf16 can tell."""
    x_T = pure_noise(1, (3, 16, 16), seed=1)
    model = Gaussian(0.0, 0.5, SCHEDULES["cosine"])
    exact, short = (
        list(ddpm(model, x_T.to(kind), 500))[-1].clean.double() for kind in (torch.float64, dtype)
    )
    assert short.std().item() == pytest.approx(exact.std().item(), rel=0.05)
