"""Lesson 04: the Creation. From chaos to a picture, by taking away the predicted dust.

A sampler is a generator over a model. It yields one `Step` for every call of the network; the
finished picture is the `clean` of the last one.
"""

import functools
import inspect
from collections import deque
from typing import NamedTuple

import torch

from .checks import (
    brief,
    check_count,
    check_floats,
    check_images,
    check_kind,
    check_model,
    check_network,
    check_number,
    check_shape,
    check_t,
    is_bounded,
    seeded_generator,
)
from .device import as_device
from .noising import check_schedule, cosine_schedule
from .text import Text, empty_text, load_words


class Prediction(NamedTuple):
    """One prediction in three coordinates, each (B, C, H, W); any one gives the other two."""

    noise: torch.Tensor  # eps, the dust in x_t
    clean: torch.Tensor  # x_0, the picture under it
    # sqrt(alpha_bar) eps - sqrt(1 - alpha_bar) x_0 (arXiv 2202.00512, app. D)
    velocity: torch.Tensor


class Step(NamedTuple):
    """One step of the Creation: at noise level t the network looked at x_t and predicted."""

    t: int
    x_t: torch.Tensor
    clean: torch.Tensor
    noise: torch.Tensor


@torch.no_grad()
def predict(model, schedule, x_t, t, text=None):
    """Ask the network about x_t (B, C, H, W) at step t (int or (B,)); returns a `Prediction`.

    `model(x_t, t, text)` returns what `model.predicts` says; the other two follow from
    x_t = sqrt(alpha_bar) x_0 + sqrt(1 - alpha_bar) eps.
    """
    check_floats(x_t, "B C H W", "x_t")
    signal_rate, noise_rate = check_schedule(schedule).rates(t, like=x_t)
    t = check_t(t, len(x_t)).to(x_t.device).expand(len(x_t))
    output = check_model(model)(x_t, t) if text is None else model(x_t, t, text)
    if not torch.is_tensor(output) or output.shape != x_t.shape or output.device != x_t.device:
        raise ValueError(f"a network answers with a tensor like x_t, this one gave {brief(output)}")
    guess = _convert(model.predicts, output, x_t, signal_rate, noise_rate)
    if not is_bounded(guess.clean):
        raise ValueError(
            f"the network's clean picture at t = {t.max()} holds NaN or infinite values: "
            "check x_t, its weights, and that the schedule leaves something of the picture"
        )
    return guess


def _convert(predicts, output, x_t, signal_rate, noise_rate):
    if predicts == "velocity":
        return Prediction(
            noise_rate * x_t + signal_rate * output, signal_rate * x_t - noise_rate * output, output
        )
    if predicts == "noise":
        noise, clean = output, (x_t - noise_rate * output) / signal_rate
    else:
        noise, clean = (x_t - signal_rate * output) / noise_rate, output
    return Prediction(noise, clean, signal_rate * noise - noise_rate * clean)


def timesteps(steps, total=1000):
    """The `steps` noise levels to visit, from chaos to clean: total - 1 first, evenly spaced.

    The spacing that arXiv 2305.08891 (section 3.3) calls trailing: it does start from chaos.
    """
    check_count(steps, "steps", 1, check_count(total, "total"))
    return [round(total - i * total / steps) - 1 for i in range(steps)]


def logsnr_timesteps(steps, schedule):
    """The `steps` noise levels to visit, evenly spaced in the logarithm of the SNR.

    After chaos itself they lie between half log SNRs of -3 and 2.5 (dust 20 times, picture 12 times
    as strong as the other), where pictures take shape. arXiv 2206.00927 spaces them evenly, too;
    measured on the demiurge (guidance 3, N = 600), the Fréchet distance of 8 steps fell from 2.1
    to 1.4.
    """
    ts = timesteps(steps, len(check_schedule(schedule)))[:1]
    half_log_snr = schedule.snr.log() / 2
    for i, wanted in enumerate(torch.linspace(-3, 2.5, max(steps - 1, 1))[: steps - 1], start=1):
        nearest = int((half_log_snr - wanted).abs().argmin())
        ts.append(max(steps - 1 - i, min(nearest, ts[-1] - 1)))  # each lower than the one before
    return ts


def ddim(model, x_T, steps=20, schedule=None, text=None):
    """DDIM with eta = 0 (arXiv 2010.02502, eq. 12): no new dust, so x_T decides everything.

    x_T (B, C, H, W) is the chaos to start from; yields one `Step` per call of the network.
    """
    check_images(x_T)
    schedule = check_schedule(cosine_schedule() if schedule is None else schedule)
    ts = timesteps(steps, len(schedule))
    x = x_T
    for t, t_next in zip(ts, [*ts[1:], -1], strict=True):
        guess = predict(model, schedule, x, t, text)
        yield Step(t, x, guess.clean, guess.noise)
        signal_rate, noise_rate = schedule.rates(t_next, like=x)
        x = signal_rate * guess.clean + noise_rate * guess.noise


def ddpm(model, x_T, steps=20, schedule=None, text=None, seed=0):
    """Ancestral sampling (arXiv 2006.11239, eq. 6 and 7): removes dust, then adds a little again.

    x_T (B, C, H, W) is the chaos to start from, `seed` fixes the fresh dust; yields one `Step` per
    call of the network.
    """
    check_images(x_T)
    schedule = check_schedule(cosine_schedule() if schedule is None else schedule)
    generator = seeded_generator(seed, plus=1_000_003)  # not the numbers of pure_noise(seed)
    ts = timesteps(steps, len(schedule))
    x = x_T
    for t, t_next in zip(ts, [*ts[1:], -1], strict=True):
        guess = predict(model, schedule, x, t, text)
        yield Step(t, x, guess.clean, guess.noise)
        signal_rate, noise_rate = schedule.rates(t, like=x)
        signal_rate_next, noise_rate_next = schedule.rates(t_next, like=x)
        # what is left of the picture on the way from t_next to t
        alpha = (signal_rate / signal_rate_next) ** 2
        beta = 1 - alpha
        mean = (
            signal_rate_next * beta * guess.clean + alpha.sqrt() * noise_rate_next**2 * x
        ) / noise_rate**2
        fresh = torch.randn(x.shape, generator=generator, dtype=x.dtype).to(x)
        x = mean + noise_rate_next / noise_rate * beta.sqrt() * fresh


def dpm_solver(model, x_T, steps=8, schedule=None, text=None):
    """DPM-Solver++ 2M (arXiv 2211.01095, algorithm 2): looks one step back, so that few steps do.

    DDIM goes on as if the clean picture it sees would stay; this one goes on as if it would keep
    changing as it just did. It visits the levels of `logsnr_timesteps`. x_T (B, C, H, W) is the
    chaos to start from and decides everything; yields one `Step` per call of the network.
    """
    check_images(x_T)
    schedule = check_schedule(cosine_schedule() if schedule is None else schedule)
    ts, half_log_snr = logsnr_timesteps(steps, schedule), schedule.snr.log() / 2
    x, before, stride_before = x_T, None, None
    _, noise_rate = schedule.rates(ts[0], like=x)
    for t, t_next in zip(ts, [*ts[1:], None], strict=True):
        guess = predict(model, schedule, x, t, text)
        yield Step(t, x, guess.clean, guess.noise)
        if t_next is None:
            return
        signal_rate_next, noise_rate_next = schedule.rates(t_next, like=x)
        stride = half_log_snr[t_next] - half_log_snr[t]
        ahead = guess.clean
        if before is not None:
            ahead = ahead + stride / (2 * stride_before) * (guess.clean - before)
        x = noise_rate_next / noise_rate * x - signal_rate_next * torch.expm1(-stride) * ahead
        noise_rate, before, stride_before = noise_rate_next, guess.clean, stride


def pure_noise(n, image_shape=(3, 32, 32), seed=0, device="cpu"):
    """x_T: n blocks of pure chaos, (n, C, H, W) standard normal, the same on every device."""
    channels, height, width = check_shape(image_shape)
    pictures = torch.randn(
        check_count(n), channels, height, width, generator=seeded_generator(seed)
    )
    return pictures.to(as_device(device))


def guided(model, text, negative=None, scale=3.0):
    """Classifier-free guidance (arXiv 2207.12598): a network that follows `text` more closely.

    text      a Text of length B, or 1 for all pictures
    negative  a Text to move away from; None says nothing
    scale     0 ignores the text, 1 follows it, more exaggerates it
    Returns a network without text, model(x_t, t), for any sampler. The answer without the spell
    plus `scale` times the difference that the spell makes, in whatever the network predicts: noise,
    clean picture and velocity differ by x_t alone, so it is the same guidance in all three.
    """
    check_model(model)
    scale = check_number(scale, "guidance_scale")
    negative = empty_text(1) if negative is None else negative
    for said in (text, negative):
        check_kind(said, Text, "text made by load_words().encode([...])")

    def guided_model(x_t, t):
        if scale in (0, 1):
            return model(x_t, t, text if scale == 1 else negative)
        both = Text.join([spell.expand_to(x_t) for spell in (negative, text)])
        t = torch.as_tensor(t).expand(len(x_t)).repeat(2)
        without, spoken = model(x_t.repeat(2, 1, 1, 1), t, both).chunk(2)
        return without + scale * (spoken - without)

    guided_model.predicts = model.predicts
    return guided_model


def sample(
    model,
    prompt=None,
    style=None,
    negative=None,
    steps=20,
    guidance_scale=3.0,
    sampler=ddim,
    seed=0,
    n=1,
):
    """Pictures out of chaos, (B, C, H, W) in [-1, 1]; the same seed gives the same pictures.

    prompt    what to draw, in English or Russian, or a list; "" and None say nothing
    style     the hand that draws, one of text.STYLES, or a list as long as the prompts
    negative  what not to draw, one for all prompts or a list as long as the prompts
    n         pictures for each prompt, side by side

    Raises ValueError when asked for a prompt or a style that this network never learned to hear.
    """
    check_network(model)
    if not callable(sampler):
        raise ValueError(f"sampler is ddim, ddpm or dpm_solver, got {brief(sampler)}")
    x_T_of = functools.partial(
        pure_noise, image_shape=getattr(model, "image_shape", None), seed=seed
    )
    device = next(model.parameters()).device
    if prompt is None and style is None and negative is None:
        x_T = x_T_of(n, device=device)
    elif getattr(model, "text", None) is None:
        raise ValueError("this network never learned to listen: it takes no prompt and no style")
    else:
        words = load_words()
        text = words.encode(prompt, style)
        x_T = x_T_of(len(text) * check_count(n), device=device)
        unwanted = words.encode(negative)
        if len(unwanted) not in (1, len(text)):
            raise ValueError(f"got {len(unwanted)} negative prompts for {len(text)} prompts")
        unwanted = unwanted if len(unwanted) == 1 else unwanted.repeat(n)
        model = guided(model, text.repeat(n).to(device), unwanted.to(device), guidance_scale)
    fresh = {"seed": seed} if "seed" in inspect.signature(sampler).parameters else {}
    last = deque(sampler(model, x_T, steps=steps, **fresh), maxlen=1)[0]
    return last.clean.clamp(-1, 1)
