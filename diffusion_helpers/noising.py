"""Lesson 01: the forward process q(x_1:T | x_0), its marginals q(x_t | x_0), noise schedules.

Variance preserving, as in DDPM (Ho et al. 2020, arXiv 2006.11239, eq. 4):
x_t = sqrt(alpha_bar_t) x_0 + sqrt(1 - alpha_bar_t) eps, with eps ~ N(0, 1).
"""

from typing import Any

import torch
from einops import rearrange

from .checks import (
    check_alpha_bar,
    check_count,
    check_kind,
    check_like,
    check_number,
    check_pair,
    check_t,
)
from .languages import marked

T = 1000  # steps of noise; t = 0 is the cleanest picture, t = T - 1 is pure noise
LONGEST = 1_000_000  # steps of a schedule: more would only take long


class Schedule:
    """How much of the picture is left after each step: alpha_bar, (T,) float64, falling in [0, 1].

    Raises ValueError when the values leave [0, 1], rise, or are not one row of numbers.
    """

    def __init__(self, alpha_bar: Any):
        self.alpha_bar: torch.Tensor = check_alpha_bar(alpha_bar)
        padded = torch.cat([self.alpha_bar, torch.ones(1, dtype=torch.float64)])  # index -1 is 1
        both = torch.stack([padded.sqrt(), (1 - padded).sqrt()])
        self._rates = rearrange(both, "two t -> two t 1 1 1")

    def __len__(self) -> int:
        return len(self.alpha_bar)

    @property
    def snr(self) -> torch.Tensor:
        """Signal-to-noise ratio alpha_bar / (1 - alpha_bar), (T,)."""
        return self.alpha_bar / (1 - self.alpha_bar)

    def rates(self, t: int | torch.Tensor, like: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """signal_rate and noise_rate of step t: sqrt(alpha_bar_t) and sqrt(1 - alpha_bar_t).

        Both are (B, 1, 1, 1), to multiply pictures, on the device and in the number format of
        `like`. t is an int or an integer tensor (B,) in 0..T-1; t = -1, one step before the first
        noise, is the clean picture itself. Raises ValueError for anything else.
        """
        check_like(like)
        if type(t) is int and -1 <= t < len(self):  # what samplers ask: needs no tensor of indices
            place = t % len(self._rates[0])
            rows: slice | torch.Tensor = slice(place, place + 1)
        else:
            rows = check_t(t, len(like), -1, len(self) - 1).cpu().reshape(-1)
        signal_rate, noise_rate = self._rates[:, rows].to(like)
        return signal_rate, noise_rate


def cosine_schedule(steps: int = T) -> Schedule:
    """Nichol & Dhariwal 2021 (arXiv 2102.09672, eq. 17); diffusers calls it `squaredcos_cap_v2`."""
    steps = check_count(steps, "steps", 2, LONGEST)
    u = torch.arange(steps + 1, dtype=torch.float64) / steps
    f = ((u + 0.008) / 1.008 * torch.pi / 2).cos() ** 2
    # 0.999: without the cap the last step would wipe the picture out at once
    betas = (1 - f[1:] / f[:-1]).clamp(max=0.999)
    return Schedule(torch.cumprod(1 - betas, 0))


def linear_schedule(steps: int = T, beta_start: float = 1e-4, beta_end: float = 0.02) -> Schedule:
    """Ho et al. 2020 (arXiv 2006.11239, section 4); diffusers calls it `linear`."""
    first = check_number(beta_start, "beta_start", 0, 1)
    last = check_number(beta_end, "beta_end", 0, 1)
    steps = check_count(steps, "steps", 2, LONGEST)
    betas = torch.linspace(first, last, steps, dtype=torch.float64)
    return Schedule(torch.cumprod(1 - betas, 0))


def check_schedule(schedule: Schedule) -> Schedule:
    """schedule, or one sentence unless it is a `Schedule`: a row of numbers is not enough."""
    return check_kind(schedule, Schedule, marked("a Schedule, such as cosine_schedule()"))


def add_noise(
    x_0: torch.Tensor, t: int | torch.Tensor, eps: torch.Tensor, schedule: Schedule
) -> torch.Tensor:
    """Cover pictures with the noise of step t in one jump; returns x_t, shaped like x_0.

    x_0 and eps are (B, C, H, W); t is an int or (B,) in 0..T-1. Raises ValueError otherwise.
    """
    check_pair(x_0, eps)
    check_t(t, len(x_0), 0, len(check_schedule(schedule)) - 1)
    signal_rate, noise_rate = schedule.rates(t, like=x_0)
    return signal_rate * x_0 + noise_rate * eps
