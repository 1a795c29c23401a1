"""Workshop 10: distillation. A student learns to say in one call what its teacher says in several.

Two things are saved. The guided answer, for which a teacher needs two calls, becomes the answer of
one (`guided_velocity`, arXiv 2210.03142, section 3.1). Two steps of DDIM become one that lands in
the same place (`halved_target`, progressive distillation, arXiv 2202.00512, algorithm 2). What the
student is taught is always a velocity.
"""

from typing import Any

import torch
from einops import rearrange

from .checks import (
    brief,
    check_floats,
    check_images,
    check_kind,
    check_number,
    check_t,
    expand_t,
    is_bounded,
)
from .denoiser import Denoiser, schedule_of
from .languages import marked, tr
from .noising import Schedule, check_schedule
from .sampling import predict
from .text import EncodedText, Text, empty_text


def ddim_step(
    velocity: torch.Tensor,
    x_t: torch.Tensor,
    t: int | torch.Tensor,
    t_next: int | torch.Tensor,
    schedule: Schedule,
) -> torch.Tensor:
    """Where one DDIM step (arXiv 2010.02502, eq. 12) from t to t_next lands, given the velocity.

    velocity and x_t are (B, C, H, W); t and t_next are ints or (B,), and t_next lies below t; -1 is
    the clean picture. Raises ValueError otherwise.
    """
    keep, turn = _step(check_images(x_t, what="x_t"), velocity, t, t_next, schedule)
    return (keep * x_t + turn * velocity).to(x_t.dtype)


def landing_velocity(
    x_t: torch.Tensor,
    x_next: torch.Tensor,
    t: int | torch.Tensor,
    t_next: int | torch.Tensor,
    schedule: Schedule,
) -> torch.Tensor:
    """The velocity whose one DDIM step from x_t at t to t_next lands on x_next: a student's target.

    x_t and x_next are (B, C, H, W); t and t_next are ints or (B,), and t_next lies below t; -1 is
    the clean picture. Raises ValueError otherwise.
    """
    keep, turn = _step(check_images(x_t, what="x_t"), x_next, t, t_next, schedule)
    return ((x_next - keep * x_t) / turn).to(x_t.dtype)


def _step(x_t, other, t, t_next, schedule):
    """DDIM's step is keep * x_t + turn * velocity; both (B, 1, 1, 1), at least in 32 bits."""
    if check_images(other, what=marked("the other pictures"), like=x_t).shape != x_t.shape:
        raise ValueError(tr("both need one shape, got {} and {}", brief(x_t), brief(other)))
    most = len(check_schedule(schedule)) - 1
    t, t_next = check_t(t, len(x_t), 0, most), check_t(t_next, len(x_t), -1, most)
    if (t_next >= t).any():
        raise ValueError(
            tr("a step leads to less noise: t_next must be below t, got {}, {}", t_next, t)
        )
    exact = torch.empty(len(x_t), dtype=torch.float64)  # near levels: small differences
    signal, noise = schedule.rates(t, like=exact)
    signal_next, noise_next = schedule.rates(t_next, like=exact)
    # clean = signal x_t - noise v and eps = noise x_t + signal v, mixed with the rates of t_next
    keep = signal_next * signal + noise_next * noise
    turn = noise_next * signal - signal_next * noise
    like = x_t.new_empty(0, dtype=torch.promote_types(x_t.dtype, torch.float32))
    return keep.to(like), turn.to(like)


def halved_target(
    teacher: Denoiser,
    x_t: torch.Tensor,
    t: int | torch.Tensor,
    t_middle: int | torch.Tensor,
    t_next: int | torch.Tensor,
    text: Text | EncodedText | None = None,
) -> torch.Tensor:
    """The velocity whose one step from t to t_next lands where the teacher's two steps land.

    The teacher goes from t to t_middle and from there to t_next (arXiv 2202.00512, algorithm 2). It
    may be a `guided` one, or a student of an earlier halving; x_t is (B, C, H, W), the levels are
    ints or (B,) and fall. Raises ValueError otherwise.
    """
    schedule, x = schedule_of(teacher), x_t
    for a, b in ((t, t_middle), (t_middle, t_next)):
        x = ddim_step(predict(teacher, schedule, x, a, text).velocity, x, a, b, schedule)
    return landing_velocity(x_t, x, t, t_next, schedule)


def guided_velocity(
    teacher: Any,
    x_t: torch.Tensor,
    t: int | torch.Tensor,
    text: Text | EncodedText,
    scale: float | torch.Tensor,
) -> torch.Tensor:
    """The guided answer of a network with text, as a velocity (B, C, H, W): two calls in one batch.

    Unlike `guided`, each picture may have a `scale` of its own, (B,), so that a student learns them
    all: what it is to answer to `student.encode_text(text, scale)`. x_t is (B, C, H, W), t an int
    or (B,), text of length B or 1. Raises ValueError otherwise.
    """
    check_images(x_t, what="x_t")
    check_kind(text, (Text, EncodedText), marked("text made by load_words().encode([...])"))
    if not hasattr(teacher, "encode_text"):
        raise ValueError(tr("expected a network that hears text, got {}", brief(teacher)))
    if not torch.is_tensor(scale) or scale.ndim == 0:
        scale = x_t.new_full((len(x_t),), check_number(scale, "scale"))
    if not is_bounded(check_floats(scale, "B", marked("scales"), x_t, B=len(x_t))):
        raise ValueError(tr("the scales hold NaN, infinite or huge values: {}", brief(scale)))
    with torch.no_grad():
        said, nothing = teacher.encode_text(text), teacher.encode_text(empty_text(1))
        both = EncodedText.join([nothing.expand_to(x_t), said.expand_to(x_t)])
    twice = expand_t(t, x_t).repeat(2)
    answer = predict(teacher, schedule_of(teacher), x_t.repeat(2, 1, 1, 1), twice, both)
    without, with_text = answer.velocity.chunk(2)
    return without + rearrange(scale, "b -> b 1 1 1") * (with_text - without)
