"""What all networks of the course have in common: how they are called, and what they answer.

x_t = sqrt(alpha_bar) x_0 + sqrt(1 - alpha_bar) eps has two unknowns: the picture x_0 and the noise
eps. A network answers with one of them, or with the velocity, a mixture of both. For a given x_t
and t each of the three gives the other two.
"""

from typing import Any, NamedTuple, Protocol

import torch

from .checks import check_pair, check_predicts
from .noising import Schedule, check_schedule, cosine_schedule


class Denoiser(Protocol):
    """A network, or a function, that looks at noisy pictures: `model(x_t, t)` -> like x_t.

    x_t is (B, C, H, W) and t (B,); `predicts`, one of PREDICTS, says what the answer means. One
    that hears text is called as `model(x_t, t, text)`. It may also have

    schedule     the Schedule that it was taught with; without it, cosine_schedule() is meant
    encode_text  a method that encodes a Text once, for many calls (see UNet.encode_text)
    distilled_steps  of a distilled network, how many steps it draws in; its `encode_text` takes a
                 guidance_scale, too
    """

    predicts: str

    def __call__(self, x_t: torch.Tensor, t: torch.Tensor, /) -> torch.Tensor: ...


class Prediction(NamedTuple):
    """One prediction in three forms, each (B, C, H, W); any one gives the other two."""

    noise: torch.Tensor  # eps, the noise in x_t
    clean: torch.Tensor  # x_0, the picture under it
    velocity: torch.Tensor  # see `velocity`


def velocity(
    x_0: torch.Tensor, eps: torch.Tensor, signal_rate: torch.Tensor, noise_rate: torch.Tensor
) -> torch.Tensor:
    """v = sqrt(alpha_bar) eps - sqrt(1 - alpha_bar) x_0 (arXiv 2202.00512, appendix D)."""
    return signal_rate * eps - noise_rate * x_0


def as_prediction(
    output: torch.Tensor,
    predicts: str,
    x_t: torch.Tensor,
    signal_rate: torch.Tensor,
    noise_rate: torch.Tensor,
) -> Prediction:
    """A network's output about x_t, which means what `predicts` says, in all three forms."""
    if predicts == "velocity":
        noise = noise_rate * x_t + signal_rate * output
        return Prediction(noise, signal_rate * x_t - noise_rate * output, output)
    if predicts == "noise":
        noise, clean = output, (x_t - noise_rate * output) / signal_rate
    else:
        noise, clean = (x_t - signal_rate * output) / noise_rate, output
    return Prediction(noise, clean, velocity(clean, noise, signal_rate, noise_rate))


def target(
    predicts: str,
    x_0: torch.Tensor,
    eps: torch.Tensor,
    t: int | torch.Tensor,
    schedule: Schedule,
) -> torch.Tensor:
    """What a network that predicts this should answer about x_t, (B, C, H, W): the loss's target.

    Raises ValueError for other shapes, a t out of range, or an unknown `predicts`.
    """
    check_pair(x_0, eps)
    rates = check_schedule(schedule).rates(t, like=x_0)
    if check_predicts(predicts) == "velocity":
        return velocity(x_0, eps, *rates)
    return eps if predicts == "noise" else x_0


def schedule_of(model: Denoiser) -> Schedule:
    """The noise schedule that a model was taught with; cosine where it does not say."""
    schedule = getattr(model, "schedule", None)
    return cosine_schedule() if schedule is None else check_schedule(schedule)


def unwrap(model: Any) -> Any:
    """The network inside torch.compile's wrapper, which would put a prefix before every weight."""
    return getattr(model, "_orig_mod", model)
