"""Lesson 04: the Creation. From pure noise to a picture, by taking away the predicted noise.

A sampler is a generator over a model. It yields one `Step` for every call of the network; the
finished picture is the `clean` of the last one, and `with_end` makes it a step of its own.
"""

import functools
import inspect
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple, cast

import torch

from .checks import (
    SEED_STRIDE,
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
    check_seeds,
    check_shape,
    expand_t,
    seeded_generator,
)
from .denoiser import Denoiser, Prediction, as_prediction, schedule_of
from .device import as_device
from .languages import marked, tr
from .noising import Schedule, check_schedule
from .text import EncodedText, Text, empty_text
from .words import Words, load_words


class Step(NamedTuple):
    """One step of a sampler: at noise level t the network looked at x_t and predicted."""

    t: int
    x_t: torch.Tensor
    clean: torch.Tensor  # the predicted x_0, clipped where the sampler clips
    noise: torch.Tensor  # the predicted eps, of the answer before clipping


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
    t = expand_t(t, x_t, most=len(schedule) - 1)
    text_args = () if text is None else (text,)
    output = check_answer(check_model(model)(x_t, t, *text_args), x_t)
    guess = as_prediction(output, model.predicts, x_t, *rates)
    check_clean(guess.clean, t)
    return guess


HALF_LOG_SNRS = (-3.0, 2.5)  # of the second level that `logsnr_timesteps` visits, and of the last


def timesteps(steps: int, total: int = 1000) -> list[int]:
    """The `steps` noise levels to visit, from pure noise to clean: total - 1 first, evenly spaced.

    The spacing that arXiv 2305.08891 (section 3.3) calls trailing: it does start from pure noise.
    """
    check_count(steps, "steps", 1, check_count(total, "total"))
    return [round(total - i * total / steps) - 1 for i in range(steps)]


def logsnr_timesteps(steps: int, schedule: Schedule) -> list[int]:
    """The `steps` noise levels to visit, evenly spaced in the logarithm of the SNR.

    The first is pure noise; the others lie between the half log SNRs of HALF_LOG_SNRS, where
    pictures take shape: from noise_rate / signal_rate = 20 to signal_rate / noise_rate = 12. arXiv
    2206.00927 spaces them evenly, too. Measured on the shipped network "demiurge" (guidance 3, 600
    samples), the Fréchet distance of 8 steps fell from 2.1 to 1.4.
    """
    ts = timesteps(steps, len(check_schedule(schedule)))[:1]
    half_log_snr = schedule.snr.log() / 2
    first, last = HALF_LOG_SNRS
    first = first if steps > 2 else (first + last) / 2  # the only one lies in the middle
    for i, half_log in enumerate(torch.linspace(first, last, steps - 1), start=1):
        nearest = int((half_log_snr - half_log).abs().argmin())
        lowest = steps - 1 - i  # as many lower levels as there are steps to come
        ts.append(max(lowest, min(nearest, ts[-1] - 1)))  # lower than the one before
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
#              their answer is divided by sqrt(alpha_bar), almost 0, which amplifies its errors.
#              The predicted noise is not computed anew (diffusers: use_clipped_model_output=False).
#              Pass False for latents.
#
# They are generators: a wrong argument is refused when the first step is asked for. t = -1 stands
# for the clean picture, one step before the first noise.


def ddim(
    model: Denoiser,
    x_T: torch.Tensor,
    steps: int = 20,
    schedule: Schedule | None = None,
    text: Text | None = None,
    clip_sample: bool | None = None,
    eta: float = 0.0,
    seed: int | Sequence[int] = 0,
) -> Iterator[Step]:
    """DDIM (arXiv 2010.02502, eq. 12 and 16): keeps the predicted noise, or a part of it.

    eta   0 adds no fresh noise, so that x_T alone decides the picture; 1 adds as much as `ddpm`
          does, and is `ddpm` where nothing is clipped
    seed  fixes the fresh noise, for each picture of the batch on its own; or a list of seeds
    """
    schedule, predict_at = _prepare(model, x_T, schedule, text, clip_sample)
    eta = check_number(eta, "eta", 0, 1)
    fresh_noise = _fresh_noise(x_T, seed)
    ts = timesteps(steps, len(schedule))
    alpha_bar = torch.cat([schedule.alpha_bar, schedule.alpha_bar.new_ones(1)])  # see `ddpm`
    x = x_T
    for t, t_next in zip(ts, [*ts[1:], -1], strict=True):
        guess = predict_at(x, t)
        yield Step(t, x, guess.clean, guess.noise)
        noise = guess.noise
        if eta > 0:  # the variance of the noise stays 1, whatever share of it is replaced
            replaced = eta**2 * (1 - alpha_bar[t] / alpha_bar[t_next]) / (1 - alpha_bar[t])
            noise = (1 - replaced).sqrt() * noise + replaced.sqrt() * fresh_noise()
        signal_rate, noise_rate = schedule.rates(t_next, like=x)
        x = signal_rate * guess.clean + noise_rate * noise


def ddpm(
    model: Denoiser,
    x_T: torch.Tensor,
    steps: int = 20,
    schedule: Schedule | None = None,
    text: Text | None = None,
    seed: int | Sequence[int] = 0,
    clip_sample: bool | None = None,
) -> Iterator[Step]:
    """Ancestral sampling (arXiv 2006.11239, eq. 6 and 7): removes noise, then adds fresh noise.

    `seed` fixes the fresh noise, for each picture of the batch on its own; a list gives each a seed
    of its own.
    """
    schedule, predict_at = _prepare(model, x_T, schedule, text, clip_sample)
    fresh_noise = _fresh_noise(x_T, seed)
    ts = timesteps(steps, len(schedule))
    # a 1 at the end, so that index -1, what follows after the last step, is the clean picture
    alpha_bar = torch.cat([schedule.alpha_bar, schedule.alpha_bar.new_ones(1)])
    x = x_T
    for t, t_next in zip(ts, [*ts[1:], -1], strict=True):
        guess = predict_at(x, t)
        yield Step(t, x, guess.clean, guess.noise)
        a_t, a_next = alpha_bar[t], alpha_bar[t_next]  # in 64 bits, whatever x is in
        alpha = a_t / a_next  # alpha_t and beta_t of the paper, for the jump from t_next to t
        beta = 1 - alpha
        weight_clean = a_next.sqrt() * beta / (1 - a_t)
        weight_x = alpha.sqrt() * (1 - a_next) / (1 - a_t)
        mean = weight_clean * guess.clean + weight_x * x
        std = ((1 - a_next) / (1 - a_t) * beta).sqrt()
        x = mean + std * fresh_noise()


def dpm_solver(
    model: Denoiser,
    x_T: torch.Tensor,
    steps: int | list[int] = 8,
    schedule: Schedule | None = None,
    text: Text | None = None,
    clip_sample: bool | None = None,
) -> Iterator[Step]:
    """DPM-Solver++ 2M (arXiv 2211.01095, algorithm 2), a multistep method of second order.

    DDIM takes the predicted clean picture as constant over a step; this one extrapolates it in a
    straight line from the last two predictions, so that few steps do. It visits the levels of
    `logsnr_timesteps`, or those of a list, from much noise to little; and is deterministic given
    x_T.
    """
    schedule, predict_at = _prepare(model, x_T, schedule, text, clip_sample)
    if isinstance(steps, list):
        ts = _check_falling(steps, schedule)
    else:
        ts = logsnr_timesteps(steps, schedule)
    half_log_snr = schedule.snr.log() / 2
    x = x_T
    previous: tuple[torch.Tensor, torch.Tensor] | None = None  # x_0 and h of the step before
    _, noise_rate = schedule.rates(ts[0], like=x)
    for t, t_next in zip(ts, [*ts[1:], None], strict=True):  # the clean picture has no log SNR
        guess = predict_at(x, t)
        yield Step(t, x, guess.clean, guess.noise)
        if t_next is None:
            return
        signal_next, noise_next = schedule.rates(t_next, like=x)
        h = half_log_snr[t_next] - half_log_snr[t]  # the paper's step in lambda
        extrapolated = guess.clean  # the paper's D
        if previous is not None:
            clean_before, h_before = previous
            extrapolated = extrapolated + h / (2 * h_before) * (guess.clean - clean_before)
        x = noise_next / noise_rate * x - signal_next * torch.expm1(-h) * extrapolated
        noise_rate, previous = noise_next, (guess.clean, h)


def with_end(steps: Iterable[Step]) -> Iterator[Step]:
    """The steps of a sampler, then the end: t = -1, where x_t is the finished picture.

    A sampler's last step still looks at a noisy x_t; what it returns is the clean picture of that
    step. So a film of x_t needs one picture more than there are steps. Raises ValueError where
    there is no step.
    """
    last = None
    for last in steps if isinstance(steps, Iterable) else ():
        yield last
    if last is None or not all(hasattr(last, part) for part in Step._fields):
        raise ValueError(tr("expected at least one step of a sampler, such as ddim(model, x_T)"))
    yield Step(-1, last.clean, last.clean, last.noise)


def _check_falling(ts, schedule):
    """Levels given as a list, or one sentence unless each is a t with less noise than before."""
    most = len(schedule)
    for t in ts:
        most = check_count(
            t, tr("each t of a list lies below the one before it: this t"), 0, most - 1
        )
    if not ts:
        raise ValueError(tr("expected at least one level to visit, got an empty list"))
    return list(ts)


def _fresh_noise(x_T, seed):
    """A function that draws new noise like x_T at each call, for each picture on its own."""
    if isinstance(seed, Sequence):
        own_seeds = [(own, 1) for own in check_seeds(seed, len(x_T))]
    else:
        own_seeds = [(seed, i + 1) for i in range(len(x_T))]
    # from 1, because 0 would be the generator of pure_noise(seed)
    generators = [seeded_generator(own, plus=SEED_STRIDE * i) for own, i in own_seeds]

    def draw():
        noise = [torch.randn(x_T.shape[1:], generator=own) for own in generators]
        return torch.stack(noise).to(x_T)

    return draw


def _prepare(model, x_T, schedule, text, clip_sample):
    """What all samplers do first: check, encode the text, decide about clipping.

    Returns the schedule, and predict_at(x_t, t), which gives a `Prediction`.
    """
    check_images(x_T)
    taught = schedule_of(check_model(model))
    schedule = check_schedule(taught if schedule is None else schedule)
    if len(schedule) != len(taught) and hasattr(model, "schedule"):  # else nobody knows
        warnings.warn(
            tr(
                "this schedule has {} steps, and the network was taught with {}: the same t is "
                "another amount of noise for it",
                len(schedule),
                len(taught),
            ),
            stacklevel=3,
        )
    if text is not None or getattr(model, "text", None) is not None:
        text = _encoded(model, text)
    clip = model.predicts == "noise" if clip_sample is None else clip_sample

    def predict_at(x_t, t):
        guess = predict(model, schedule, x_t, t, text)
        return guess._replace(clean=guess.clean.clamp(-1, 1)) if clip else guess

    return schedule, predict_at


@torch.no_grad()
def _encoded(model, text, **scale):
    """text, encoded once for all steps where the network can do that."""
    return model.encode_text(text, **scale) if hasattr(model, "encode_text") else text


def pure_noise(
    n: int,
    image_shape: tuple[int, int, int] = (3, 32, 32),
    seed: int | Sequence[int] = 0,
    device: torch.device | str = "cpu",
) -> torch.Tensor:
    """x_T: n pictures of standard normal noise, (n, C, H, W), the same on every device.

    The same seed gives the same first pictures, however many are asked for. With a list of n seeds,
    each picture is the first one of its own seed.
    """
    shape, n = check_shape(image_shape), check_count(n)
    if isinstance(seed, Sequence):
        generators = [seeded_generator(own) for own in check_seeds(seed, n)]
    else:
        generators = [seeded_generator(seed)] * n  # goes on where the picture before it ended
    pictures = [torch.randn(shape, generator=own) for own in generators]
    return torch.stack(pictures).to(as_device(device))


def guided(
    model: Denoiser, text: Text, negative: Text | None = None, scale: float = 3.0
) -> Denoiser:
    """Classifier-free guidance (arXiv 2207.12598): a network that follows `text` more closely.

    text      a Text of length B, or 1 for all pictures
    negative  a Text to move away from; None is the empty text
    scale     0 follows `negative`, 1 follows `text`, more exaggerates the difference. As in
              diffusers; the paper's w is scale - 1
    Returns a network without text, model(x_t, t), for any sampler; both texts are encoded now, once
    for all its calls. It answers what the network says to `negative`, plus `scale` times the
    difference that `text` makes. Whether it predicts noise, clean picture or velocity, it is the
    same guidance (see `predict`).

    A distilled network ("swift") has learned what that comes to: it is called once a step, and told
    the scale, from 1 to 6 (arXiv 2210.03142). It takes no negative text.
    """
    check_model(model)
    scale = check_number(scale, "guidance_scale")
    negative = empty_text(1) if negative is None else negative
    for each in (text, negative):
        check_kind(each, Text, marked("text made by load_words().encode([...])"))
    distilled = getattr(model, "distilled_steps", None) is not None
    if distilled and (negative.mask.any() or negative.styles.any()):
        raise ValueError(
            tr(
                "this network has its guidance built in and takes no negative prompt: for one, "
                'use load_checkpoint("demiurge")'
            )
        )
    if distilled:
        text = _encoded(model, text, guidance_scale=scale)
    else:
        text, negative = _encoded(model, text), _encoded(model, negative)

    def guided_model(x_t, t, more=None):
        if more is not None:
            raise ValueError(tr("a guided network has its text already: leave `text` out"))
        if distilled:
            return model(x_t, t, text)
        if scale in (0, 1):
            return model(x_t, t, text if scale == 1 else negative)
        both = type(text).join([negative.expand_to(x_t), text.expand_to(x_t)])
        t = torch.as_tensor(t).expand(len(x_t)).repeat(2)
        without, with_text = model(x_t.repeat(2, 1, 1, 1), t, both).chunk(2)
        return without + scale * (with_text - without)

    guided_model.predicts = model.predicts  # type: ignore[attr-defined]
    guided_model.schedule = schedule_of(model)  # type: ignore[attr-defined]
    return cast(Denoiser, guided_model)


def with_schedule(model: Denoiser, schedule: Schedule) -> Denoiser:
    """The network `model` for a sampler that follows another `schedule` than it was taught with.

    A network knows an amount of noise by the t of its own schedule. So each t of `schedule` is
    translated: the network gets that t at which alpha_bar of its own schedule is nearest. Returns a
    network to be called in the same way, for any sampler. Raises ValueError unless `model` is a
    network and `schedule` a Schedule.
    """
    falling = schedule_of(check_model(model)).alpha_bar
    wanted = check_schedule(schedule).alpha_bar
    after = torch.searchsorted(-falling, -wanted)  # the first own t with at least as much noise
    pair = torch.stack([after - 1, after]).clamp(0, len(falling) - 1)  # (2, T): the t around it
    nearer = (falling[pair] - wanted).abs().argmin(0, keepdim=True)
    own_t = pair.gather(0, nearer)[0]  # (T,)

    def translated(x_t, t, *text):
        return model(x_t, own_t.to(x_t.device)[torch.as_tensor(t, device=x_t.device)], *text)

    translated.predicts = model.predicts  # type: ignore[attr-defined]
    translated.schedule = schedule  # type: ignore[attr-defined]
    return cast(Denoiser, translated)


def sample(
    model: Denoiser,
    prompt: str | list[str] | None = None,
    style: str | list[str] | None = None,
    negative: str | list[str] | None = None,
    steps: int | None = None,
    guidance_scale: float = 3.0,
    sampler: Callable[..., Iterator[Step]] = ddim,
    seed: int | Sequence[int] = 0,
    n: int = 1,
    words: Words | None = None,
) -> torch.Tensor:
    """Pictures out of pure noise, (B, C, H, W) in [-1, 1]; the same seed gives the same pictures.

    prompt    what to draw, in English or Russian, or a list; "" and None say nothing
    style     the emoji set to imitate, one of text.STYLES, or a list as long as the prompts
    negative  what not to draw, one for all prompts or a list as long as the prompts
    steps     calls of the network for a picture, or pairs of calls with guidance; left out, 20, or
              the number that a distilled network was taught to draw in
    n         pictures for each prompt, side by side
    seed      a whole number, or a list of them, one for each picture
    words     the word table, such as load_words().with_words(...); None: load_words()

    It computes in the number format of the network's weights, and with the noise schedule that the
    network was taught with. Raises ValueError when asked for a prompt or a style that this network
    never learned to hear.
    """
    weight = next(check_network(model).parameters())
    if not callable(sampler):
        raise ValueError(tr("sampler is ddim, ddpm or dpm_solver, got {}", brief(sampler)))
    steps = _steps_for(model, steps, sampler)
    shape: Any = getattr(model, "image_shape", None)
    start = functools.partial(pure_noise, image_shape=shape, seed=seed)
    if prompt is None and style is None and negative is None:
        x_T = start(n)
    elif getattr(model, "text", None) is None:
        raise ValueError(
            tr("this network never learned to listen: it takes no prompt and no style")
        )
    else:
        words = load_words() if words is None else check_kind(words, Words, marked("a word table"))
        text = words.encode(prompt, style)
        x_T = start(len(text) * check_count(n))
        unwanted = words.encode(negative)
        if len(unwanted) not in (1, len(text)):
            raise ValueError(tr("got {} negative prompts for {} prompts", len(unwanted), len(text)))
        unwanted = unwanted if len(unwanted) == 1 else unwanted.repeat(n)
        model = guided(model, text.repeat(n), unwanted, guidance_scale)
    seeded = {"seed": seed} if "seed" in inspect.signature(sampler).parameters else {}
    for step in sampler(model, x_T.to(weight), steps=steps, **seeded):
        last = step
    return last.clean.clamp(-1, 1)


def _steps_for(model, steps, sampler):
    """`steps`, or those that the network was distilled for; says so where they are others."""
    own = getattr(model, "distilled_steps", None)
    steps = (own or 20) if steps is None else steps
    if own is not None and (steps != own or sampler is not ddim):
        warnings.warn(
            tr(
                "this network was taught to draw in {} steps of ddim: leave `steps` and `sampler` "
                "out",
                own,
            ),
            stacklevel=3,
        )
    return steps
