"""Lesson 04: the Creation. From pure noise to a picture, by taking away the predicted noise.

A sampler is a generator over a model. It yields one `Step` for every call of the network; the
finished picture is the `clean` of the last one.
"""

import functools
import inspect
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple, cast

import torch

from .checks import (
    brief,
    check_answer,
    check_clean,
    check_count,
    check_floats,
    check_images,
    check_kind,
    check_model,
    check_network,
    check_number,
    check_shape,
    check_t,
    seeded_generator,
)
from .denoiser import Denoiser, Prediction, as_prediction, schedule_of
from .device import as_device
from .noising import Schedule, check_schedule
from .text import EncodedText, Text, empty_text
from .words import load_words


class Step(NamedTuple):
    """One step of a sampler: at noise level t the network looked at x_t and predicted."""

    t: int
    x_t: torch.Tensor
    clean: torch.Tensor  # the predicted x_0, clipped where the sampler clips
    noise: torch.Tensor  # the predicted eps


@torch.no_grad()
def predict(
    model: Denoiser,
    schedule: Schedule,
    x_t: torch.Tensor,
    t: int | torch.Tensor,
    text: Text | EncodedText | None = None,
) -> Prediction:
    """Ask the network about x_t (B, C, H, W) at step t (int or (B,)).

    `model(x_t, t, text)` answers with what `model.predicts` says; for fixed x_t and t the other two
    forms of the `Prediction` are affine functions of it (see denoiser.py).
    """
    check_floats(x_t, "B C H W", "x_t")
    rates = check_schedule(schedule).rates(t, like=x_t)
    t = check_t(t, len(x_t)).to(x_t.device).expand(len(x_t))
    said = () if text is None else (text,)
    output = check_answer(check_model(model)(x_t, t, *said), x_t)
    guess = as_prediction(output, model.predicts, x_t, *rates)
    check_clean(guess.clean, t)
    return guess


def timesteps(steps: int, total: int = 1000) -> list[int]:
    """The `steps` noise levels to visit, from pure noise to clean: total - 1 first, evenly spaced.

    The spacing that arXiv 2305.08891 (section 3.3) calls trailing: it does start from pure noise.
    """
    check_count(steps, "steps", 1, check_count(total, "total"))
    return [round(total - i * total / steps) - 1 for i in range(steps)]


def logsnr_timesteps(steps: int, schedule: Schedule) -> list[int]:
    """The `steps` noise levels to visit, evenly spaced in the logarithm of the SNR.

    After pure noise itself they lie between half log SNRs of -3 and 2.5 (noise 20 times, picture 12
    times as strong as the other), where pictures take shape. arXiv 2206.00927 spaces them evenly,
    too; measured on the demiurge (guidance 3, N = 600), the Fréchet distance of 8 steps fell from
    2.1 to 1.4.
    """
    ts = timesteps(steps, len(check_schedule(schedule)))[:1]
    half_log_snr = schedule.snr.log() / 2
    for i, wanted in enumerate(torch.linspace(-3, 2.5, max(steps - 1, 1))[: steps - 1], start=1):
        nearest = int((half_log_snr - wanted).abs().argmin())
        ts.append(max(steps - 1 - i, min(nearest, ts[-1] - 1)))  # each lower than the one before
    return ts


# ---- samplers -----------------------------------------------------------------------------------
#
# All take the same arguments:
#
# x_T          (B, C, H, W) pure noise to start from, in the number format of the network
# steps        calls of the network
# schedule     the noise schedule; left out, the one that the network was taught with
# text         a Text of length B or 1, for a network that hears text
# clip_sample  clip the predicted clean picture to [-1, 1] at each step (diffusers uses the same
#              word). Left out, it is done for networks that predict the noise: near t = T - 1
#              their answer is divided by sqrt(alpha_bar), almost 0, and each error grows with it.
#              Say False where x_T is no picture, but a latent of a network that predicts noise.


def ddim(
    model: Denoiser,
    x_T: torch.Tensor,
    steps: int = 20,
    schedule: Schedule | None = None,
    text: Text | None = None,
    clip_sample: bool | None = None,
) -> Iterator[Step]:
    """DDIM with eta = 0 (arXiv 2010.02502, eq. 12): no fresh noise, so x_T decides everything."""
    schedule, ask = _begin(model, x_T, schedule, text, clip_sample)
    ts = timesteps(steps, len(schedule))
    x = x_T
    for t, t_next in zip(ts, [*ts[1:], -1], strict=True):
        guess = ask(x, t)
        yield Step(t, x, guess.clean, guess.noise)
        signal_rate, noise_rate = schedule.rates(t_next, like=x)
        x = signal_rate * guess.clean + noise_rate * guess.noise


def ddpm(
    model: Denoiser,
    x_T: torch.Tensor,
    steps: int = 20,
    schedule: Schedule | None = None,
    text: Text | None = None,
    seed: int = 0,
    clip_sample: bool | None = None,
) -> Iterator[Step]:
    """Ancestral sampling (arXiv 2006.11239, eq. 6 and 7): removes noise, then adds a little again.

    `seed` fixes the fresh noise, for each picture of the batch on its own.
    """
    schedule, ask = _begin(model, x_T, schedule, text, clip_sample)
    # not the numbers of pure_noise(seed)
    generators = [seeded_generator(seed, plus=1_000_003 * (i + 1)) for i in range(len(x_T))]
    ts = timesteps(steps, len(schedule))
    x = x_T
    for t, t_next in zip(ts, [*ts[1:], -1], strict=True):
        guess = ask(x, t)
        yield Step(t, x, guess.clean, guess.noise)
        signal_rate, noise_rate = schedule.rates(t, like=x)
        signal_next, noise_next = schedule.rates(t_next, like=x)
        # what is left of the picture on the way from t_next to t
        alpha = (signal_rate / signal_next) ** 2
        beta = 1 - alpha
        mean = signal_next * beta * guess.clean + alpha.sqrt() * noise_next**2 * x
        fresh = [torch.randn(x.shape[1:], generator=own) for own in generators]
        std = noise_next / noise_rate * beta.sqrt()
        x = mean / noise_rate**2 + std * torch.stack(fresh).to(x)


def dpm_solver(
    model: Denoiser,
    x_T: torch.Tensor,
    steps: int = 8,
    schedule: Schedule | None = None,
    text: Text | None = None,
    clip_sample: bool | None = None,
) -> Iterator[Step]:
    """DPM-Solver++ 2M (arXiv 2211.01095, algorithm 2): looks one step back, so that few steps do.

    DDIM goes on as if the clean picture it sees would stay; this one goes on as if it would keep
    changing as it just did. It visits the levels of `logsnr_timesteps`; x_T decides everything.
    """
    schedule, ask = _begin(model, x_T, schedule, text, clip_sample)
    ts, half_log_snr = logsnr_timesteps(steps, schedule), schedule.snr.log() / 2
    x = x_T
    last: tuple[torch.Tensor, torch.Tensor] | None = None  # clean picture and stride before this
    _, noise_rate = schedule.rates(ts[0], like=x)
    for t, t_next in zip(ts, [*ts[1:], None], strict=True):
        guess = ask(x, t)
        yield Step(t, x, guess.clean, guess.noise)
        if t_next is None:
            return
        signal_next, noise_next = schedule.rates(t_next, like=x)
        stride = half_log_snr[t_next] - half_log_snr[t]
        ahead = guess.clean
        if last is not None:
            clean_before, stride_before = last
            ahead = ahead + stride / (2 * stride_before) * (guess.clean - clean_before)
        x = noise_next / noise_rate * x - signal_next * torch.expm1(-stride) * ahead
        noise_rate, last = noise_next, (guess.clean, stride)


def _begin(model, x_T, schedule, text, clip_sample):
    """What every sampler begins with: the schedule, and how to ask: (x_t, t) -> `Prediction`."""
    check_images(x_T)
    schedule = check_schedule(schedule_of(model) if schedule is None else schedule)
    text = None if text is None else _encoded(model, text)
    clip = check_model(model).predicts == "noise" if clip_sample is None else clip_sample

    def ask(x_t, t):
        guess = predict(model, schedule, x_t, t, text)
        return guess._replace(clean=guess.clean.clamp(-1, 1)) if clip else guess

    return schedule, ask


@torch.no_grad()
def _encoded(model, text):
    """text, encoded once for all steps where the network can do that."""
    return model.encode_text(text) if hasattr(model, "encode_text") else text


def pure_noise(
    n: int,
    image_shape: tuple[int, int, int] = (3, 32, 32),
    seed: int = 0,
    device: torch.device | str = "cpu",
) -> torch.Tensor:
    """x_T: n pictures of standard normal noise, (n, C, H, W), the same on every device.

    The same seed gives the same first pictures, however many are asked for.
    """
    shape, generator = check_shape(image_shape), seeded_generator(seed)
    pictures = [torch.randn(shape, generator=generator) for _ in range(check_count(n))]
    return torch.stack(pictures).to(as_device(device))


def guided(
    model: Denoiser, text: Text, negative: Text | None = None, scale: float = 3.0
) -> Denoiser:
    """Classifier-free guidance (arXiv 2207.12598): a network that follows `text` more closely.

    text      a Text of length B, or 1 for all pictures
    negative  a Text to move away from; None says nothing
    scale     0 ignores the text, 1 follows it, more exaggerates it
    Returns a network without text, model(x_t, t), for any sampler; both texts are encoded now, once
    for all its calls. It answers what the network says to `negative`, plus `scale` times the
    difference that `text` makes. For fixed x_t and t noise, clean picture and velocity are affine
    functions of one another, so it is the same guidance in all three.
    """
    check_model(model)
    scale = check_number(scale, "guidance_scale")
    negative = empty_text(1) if negative is None else negative
    for said in (text, negative):
        check_kind(said, Text, "text made by load_words().encode([...])")
    text, negative = _encoded(model, text), _encoded(model, negative)

    def guided_model(x_t, t):
        if scale in (0, 1):
            return model(x_t, t, text if scale == 1 else negative)
        both = type(text).join([negative.expand_to(x_t), text.expand_to(x_t)])
        t = torch.as_tensor(t).expand(len(x_t)).repeat(2)
        without, with_text = model(x_t.repeat(2, 1, 1, 1), t, both).chunk(2)
        return without + scale * (with_text - without)

    guided_model.predicts = model.predicts  # type: ignore[attr-defined]
    guided_model.schedule = schedule_of(model)  # type: ignore[attr-defined]
    return cast(Denoiser, guided_model)


def sample(
    model: Denoiser,
    prompt: str | list[str] | None = None,
    style: str | list[str] | None = None,
    negative: str | list[str] | None = None,
    steps: int = 20,
    guidance_scale: float = 3.0,
    sampler: Callable[..., Iterator[Step]] = ddim,
    seed: int = 0,
    n: int = 1,
) -> torch.Tensor:
    """Pictures out of pure noise, (B, C, H, W) in [-1, 1]; the same seed gives the same pictures.

    prompt    what to draw, in English or Russian, or a list; "" and None say nothing
    style     the hand that draws, one of text.STYLES, or a list as long as the prompts
    negative  what not to draw, one for all prompts or a list as long as the prompts
    n         pictures for each prompt, side by side

    It computes in the number format of the network's weights, and with the noise schedule that the
    network was taught with. Raises ValueError when asked for a prompt or a style that this network
    never learned to hear.
    """
    like = next(check_network(model).parameters())
    if not callable(sampler):
        raise ValueError(f"sampler is ddim, ddpm or dpm_solver, got {brief(sampler)}")
    shape: Any = getattr(model, "image_shape", None)
    start = functools.partial(pure_noise, image_shape=shape, seed=seed)
    if prompt is None and style is None and negative is None:
        x_T = start(n)
    elif getattr(model, "text", None) is None:
        raise ValueError("this network never learned to listen: it takes no prompt and no style")
    else:
        words = load_words()
        text = words.encode(prompt, style)
        x_T = start(len(text) * check_count(n))
        unwanted = words.encode(negative)
        if len(unwanted) not in (1, len(text)):
            raise ValueError(f"got {len(unwanted)} negative prompts for {len(text)} prompts")
        unwanted = unwanted if len(unwanted) == 1 else unwanted.repeat(n)
        model = guided(model, text.repeat(n), unwanted, guidance_scale)
    fresh = {"seed": seed} if "seed" in inspect.signature(sampler).parameters else {}
    last = deque(sampler(model, x_T.to(like), steps=steps, **fresh), maxlen=1)[0]
    return last.clean.clamp(-1, 1)
