"""Lesson 01: dust on the statue. The forward process q(x_t | x_0) and its noise schedules.

Variance preserving, as in DDPM (Ho et al. 2020, arXiv 2006.11239, eq. 4):
x_t = sqrt(alpha_bar_t) x_0 + sqrt(1 - alpha_bar_t) eps, with eps ~ N(0, 1).
"""

import torch
from einops import rearrange

from .checks import (
    as_tensor,
    brief,
    check_count,
    check_images,
    check_kind,
    check_number,
    check_t,
)

T = 1000  # steps of dust; t = 0 is the cleanest picture, t = T - 1 is chaos
LONGEST = 1_000_000  # steps of a schedule: more would only take long


class Schedule:
    """How much of the picture is left after each step: alpha_bar, (T,) float64, falling in [0, 1].

    Raises ValueError when the values leave [0, 1], rise, or are not one row of numbers.
    """

    def __init__(self, alpha_bar):
        row = as_tensor(alpha_bar)
        if row is None or row.ndim != 1 or len(row) < 2 or row.is_complex():
            raise ValueError(f"alpha_bar is one row of numbers, got {brief(alpha_bar)}")
        row = row.detach().double().cpu()
        if not ((row >= 0) & (row <= 1)).all() or (row.diff() > 0).any():
            raise ValueError("alpha_bar must fall from about 1 to about 0 and never rise")
        self.alpha_bar = row
        padded = torch.cat([row, torch.ones(1, dtype=torch.float64)])  # index -1 is 1
        both = torch.stack([padded.sqrt(), (1 - padded).sqrt()])
        self._rates = rearrange(both, "two t -> two t 1 1 1")

    def __len__(self):
        return len(self.alpha_bar)

    @property
    def snr(self):
        """Signal-to-noise ratio alpha_bar / (1 - alpha_bar), (T,)."""
        return self.alpha_bar / (1 - self.alpha_bar)

    def rates(self, t, like):
        """sqrt(alpha_bar_t) and sqrt(1 - alpha_bar_t), shaped (B, 1, 1, 1) to multiply pictures.

        t is an int or an integer tensor (B,) in 0..T-1; t = -1, one step before the first dust,
        is the clean picture itself. Raises ValueError for anything else.
        """
        if not torch.is_tensor(like) or not like.is_floating_point() or like.ndim == 0:
            raise ValueError(f"`like` is a batch of pictures in floats, got {brief(like)}")
        if type(t) is int:  # what samplers ask at every step
            lowest = highest = t
            rows = slice(t % (len(self) + 1), t % (len(self) + 1) + 1)
        else:
            rows = check_t(t, len(like)).cpu().reshape(-1)
            lowest, highest = rows.min(), rows.max()
        if lowest < -1 or highest >= len(self):
            raise ValueError(f"t must lie in 0..{len(self) - 1}, got {lowest}..{highest}")
        return tuple(self._rates[:, rows].to(like))


def cosine_schedule(steps=T):
    """Nichol & Dhariwal 2021 (arXiv 2102.09672, eq. 17); diffusers calls it `squaredcos_cap_v2`."""
    steps = check_count(steps, "steps", 2, LONGEST)

    u = torch.arange(steps + 1, dtype=torch.float64) / steps
    f = ((u + 0.008) / 1.008 * torch.pi / 2).cos() ** 2
    # 0.999: without the cap the last step would wipe the picture out at once
    betas = (1 - f[1:] / f[:-1]).clamp(max=0.999)
    return Schedule(torch.cumprod(1 - betas, 0))


def linear_schedule(steps=T, beta_start=1e-4, beta_end=0.02):
    """Ho et al. 2020 (arXiv 2006.11239, section 4); diffusers calls it `linear`."""
    first = check_number(beta_start, "beta_start", 0, 1)
    last = check_number(beta_end, "beta_end", 0, 1)
    steps = check_count(steps, "steps", 2, LONGEST)
    betas = torch.linspace(first, last, steps, dtype=torch.float64)
    return Schedule(torch.cumprod(1 - betas, 0))


def check_schedule(schedule):
    """schedule, or one sentence unless it is a `Schedule`: a row of numbers is not enough."""
    return check_kind(schedule, Schedule, "a Schedule, such as cosine_schedule()")


def add_noise(x_0, t, eps, schedule):
    """Cover pictures with the dust of step t in one jump; returns x_t, shaped like x_0.

    x_0 and eps are (B, C, H, W); t is an int or (B,) in 0..T-1. Raises ValueError otherwise.
    """
    check_images(x_0)
    check_images(eps, what="eps, the dust,", like=x_0)
    if eps.shape != x_0.shape:
        raise ValueError(
            f"eps must have the shape of x_0, got {tuple(eps.shape)}, {tuple(x_0.shape)}"
        )
    check_schedule(schedule)
    t = check_t(t, len(x_0))
    if (t < 0).any():
        raise ValueError(f"t must lie in 0..{len(schedule) - 1}, got {t.min()}")
    signal_rate, noise_rate = schedule.rates(t, like=x_0)
    return signal_rate * x_0 + noise_rate * eps
