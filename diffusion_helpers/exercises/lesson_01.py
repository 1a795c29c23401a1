"""Lesson 01: one jump, half noise, taking the noise off, back to the layers, a schedule."""

import torch
from einops import rearrange

from ..noising import add_noise as package_add_noise
from ..noising import cosine_schedule, linear_schedule
from . import Exercise, makers, named, no_number, no_tensor, off_by, same
from .beside import FOUR, Curves, Numbers, Pictures, emoji

# ---- 01.1: one jump -----------------------------------------------------------------------------


def add_noise(x_0, t, eps, alpha_bar):
    # shape (b,) becomes (b, 1, 1, 1), so that it multiplies whole pictures
    a = rearrange(alpha_bar[t], "b -> b 1 1 1")
    return a.sqrt() * x_0 + (1 - a).sqrt() * eps


def no_root_over_noise(x_0, t, eps, alpha_bar):
    a = rearrange(alpha_bar[t], "b -> b 1 1 1")
    return a.sqrt() * x_0 + (1 - a) * eps


def no_root_over_picture(x_0, t, eps, alpha_bar):
    a = rearrange(alpha_bar[t], "b -> b 1 1 1")
    return a * x_0 + (1 - a).sqrt() * eps


def no_roots(x_0, t, eps, alpha_bar):
    a = rearrange(alpha_bar[t], "b -> b 1 1 1")
    return a * x_0 + (1 - a) * eps


def roots_swapped(x_0, t, eps, alpha_bar):
    a = rearrange(alpha_bar[t], "b -> b 1 1 1")
    return (1 - a).sqrt() * x_0 + a.sqrt() * eps


def at(alpha_bar, t):
    return rearrange(alpha_bar[t], "b -> b 1 1 1")


OTHER_JUMPS = {
    "did not fade the picture": (
        lambda x_0, t, eps, alpha_bar: x_0 + (1 - at(alpha_bar, t)).sqrt() * eps,
        "The picture is as bright as before: multiply it by the root of alpha_bar.",
    ),
    "left the noise out": (
        lambda x_0, t, eps, alpha_bar: at(alpha_bar, t).sqrt() * x_0,
        "The picture fades, but there is no noise in it: add the second half of the formula.",
    ),
    "left the picture out": (
        lambda x_0, t, eps, alpha_bar: (1 - at(alpha_bar, t)).sqrt() * eps,
        "There is only noise: add the picture, times its root.",
    ),
    "subtracted the noise": (
        lambda x_0, t, eps, alpha_bar: add_noise(x_0, t, -eps, alpha_bar),
        "You subtract the noise: between the two products stands a plus.",
    ),
    "took 1 minus the root": (
        lambda x_0, t, eps, alpha_bar: (
            at(alpha_bar, t).sqrt() * x_0 + (1 - at(alpha_bar, t).sqrt()) * eps
        ),
        "Your noise is too thin: you take 1 minus a root; take the root of 1 - alpha_bar.",
    ),
    "cut off at -1 and 1": (
        lambda x_0, t, eps, alpha_bar: add_noise(x_0, t, eps, alpha_bar).clamp(-1, 1),
        "The formula is right, but you cut off what lies outside of [-1, 1]: only screens do that.",
    ),
}


def check_add_noise(function):
    schedule = linear_schedule()
    alpha_bar = schedule.alpha_bar.float()
    x_0, eps, t = (
        torch.rand(4, 3, 8, 8) * 2 - 1,
        torch.randn(4, 3, 8, 8),
        torch.tensor([9, 300] * 2),
    )
    got, want = function(x_0, t, eps, alpha_bar), package_add_noise(x_0, t, eps, schedule)
    if problem := no_tensor(got, want.shape, "x_t"):
        return problem
    noise = function(torch.zeros_like(x_0), t, eps, alpha_bar)[1].var().item()
    true, a = (1 - alpha_bar[300]).item() * eps[1].var().item(), (x_0, t, eps, alpha_bar)
    if same(got, no_root_over_noise(*a)):
        return (
            f"The noise at t = 300 has variance {noise:.2f}, it should have {true:.2f}: "
            "the root over 1 - alpha_bar is missing."
        )
    if same(got, no_root_over_picture(*a)):
        left = alpha_bar[300].item()
        return (
            f"The picture at t = 300 is multiplied by {left:.2f}, it should be {left**0.5:.2f}: "
            "the root over alpha_bar is missing."
        )
    if same(got, no_roots(*a)):
        return f"Both roots are missing: the noise has variance {noise:.2f} instead of {true:.2f}."
    if same(got, roots_swapped(*a)):
        return "The two roots are swapped: at t = 9 it is nearly all noise already."
    if same(got, want):
        return None
    return named(got, OTHER_JUMPS, *a) or f"x_t is off by {off_by(got, want):.2f} on average."


JUMPS = (0, 100, 250, 500, 750, 999)


def apple_after_jumps(function):
    apples = emoji("red apple").expand(len(JUMPS), -1, -1, -1)
    alpha_bar = linear_schedule().alpha_bar.float()
    return function(apples, torch.tensor(JUMPS), torch.randn_like(apples), alpha_bar)


# ---- 01.2: half noise ---------------------------------------------------------------------------


def half_noise(alpha_bar):
    return (alpha_bar - 0.5).abs().argmin()


def check_half_noise(function):
    for schedule, name in ((cosine_schedule(), "cosine"), (linear_schedule(), "linear")):
        alpha_bar = schedule.alpha_bar.float()
        got, want = function(alpha_bar), half_noise(alpha_bar).item()
        if problem := no_number(got, "t"):
            return problem
        if abs(got - want) < 1e-6:
            continue
        if 0 < got < 1:
            return f"You return {float(got):.3f}, an alpha_bar; its place in the row is asked for."
        if got == len(alpha_bar) - 1:
            return (
                "You say the last t, where alpha_bar is lowest: look for the smallest distance "
                "from 0.5, and a distance has no sign, .abs()."
            )
        if got == int(got) and 0 <= got < len(alpha_bar):
            return (
                f"For the {name} schedule you say t = {int(got)}, where alpha_bar is "
                f"{alpha_bar[int(got)]:.3f}. Did you look for the smallest |alpha_bar - 0.5|?"
            )
        return f"Expected a whole t from 0 to {len(alpha_bar) - 1}, got {float(got):g}."
    return None


# ---- 01.3: take the noise off -------------------------------------------------------------------


def remove_noise(x_t, t, eps, alpha_bar):
    a = rearrange(alpha_bar[t], "b -> b 1 1 1")
    return (x_t - (1 - a).sqrt() * eps) / a.sqrt()


def not_divided(x_t, t, eps, alpha_bar):
    a = rearrange(alpha_bar[t], "b -> b 1 1 1")
    return x_t - (1 - a).sqrt() * eps


def divided_first(x_t, t, eps, alpha_bar):
    a = rearrange(alpha_bar[t], "b -> b 1 1 1")
    return x_t / a.sqrt() - (1 - a).sqrt() * eps


def divided_by_share(x_t, t, eps, alpha_bar):
    a = rearrange(alpha_bar[t], "b -> b 1 1 1")
    return (x_t - (1 - a).sqrt() * eps) / a


def roots_forgotten(x_t, t, eps, alpha_bar):
    a = rearrange(alpha_bar[t], "b -> b 1 1 1")
    return (x_t - (1 - a) * eps) / a


OTHER_WAYS_BACK = {
    "added the noise": (
        lambda x_t, t, eps, alpha_bar: remove_noise(x_t, t, -eps, alpha_bar),
        "You add the noise a second time; take it away.",
    ),
    "took all of the noise": (
        lambda x_t, t, eps, alpha_bar: (x_t - eps) / at(alpha_bar, t).sqrt(),
        "You take away too much: in x_t the noise stands times the root of 1 - alpha_bar.",
    ),
    "took all of the noise, and did not divide": (
        lambda x_t, t, eps, alpha_bar: x_t - eps,
        "The noise stands in x_t times one root, and the picture times another: use both.",
    ),
    "multiplied": (
        lambda x_t, t, eps, alpha_bar: (
            not_divided(x_t, t, eps, alpha_bar) * at(alpha_bar, t).sqrt()
        ),
        "The noise is gone, but the picture fades twice: divide by the root, do not multiply.",
    ),
    "forgot the root over the noise": (
        lambda x_t, t, eps, alpha_bar: (
            (x_t - (1 - at(alpha_bar, t)) * eps) / at(alpha_bar, t).sqrt()
        ),
        "Some noise is left: the root over 1 - alpha_bar is missing.",
    ),
    "only divided": (
        lambda x_t, t, eps, alpha_bar: x_t / at(alpha_bar, t).sqrt(),
        "The picture is as bright as it was, but its noise is still there: take it away first.",
    ),
    "forgot the brackets": (
        lambda x_t, t, eps, alpha_bar: (
            x_t - (1 - at(alpha_bar, t)).sqrt() * eps / at(alpha_bar, t).sqrt()
        ),
        "You divide only the noise: put the difference into brackets.",
    ),
    "swapped the roots": (
        lambda x_t, t, eps, alpha_bar: remove_noise(x_t, t, eps, 1 - alpha_bar),
        "The two roots are swapped: the noise stands times the root of 1 - alpha_bar.",
    ),
}


def check_remove_noise(function):
    schedule = cosine_schedule()
    alpha_bar = schedule.alpha_bar.float()
    x_0, eps, t = (
        torch.rand(4, 3, 8, 8) * 2 - 1,
        torch.randn(4, 3, 8, 8),
        torch.tensor([9, 500] * 2),
    )
    x_t = package_add_noise(x_0, t, eps, schedule)
    got, a = function(x_t, t, eps, alpha_bar), (x_t, t, eps, alpha_bar)
    if problem := no_tensor(got, x_0.shape, "x_0"):
        return problem
    off = off_by(got, x_0)
    if same(got, not_divided(*a)):
        return f"The noise is gone, but the picture is still faded (off by {off:.2f}): now divide."
    if same(got, divided_first(*a)):
        return f"Off by {off:.2f} on average: subtract the noise first, then divide the rest."
    if same(got, divided_by_share(*a)):
        return f"Off by {off:.2f} on average: divide by the root of alpha_bar, not by alpha_bar."
    if same(got, roots_forgotten(*a)):
        return f"Off by {off:.2f} on average: mind both square roots."
    if same(got, x_0, atol=1e-3):
        return None
    return named(got, OTHER_WAYS_BACK, *a) or f"Off by {off:.2f} on average."


def four_without_noise(function):
    schedule, x_0, t = cosine_schedule(), emoji(*FOUR), torch.full((len(FOUR),), 300)
    eps = torch.randn_like(x_0)
    x_t = package_add_noise(x_0, t, eps, schedule)
    return function(x_t, t, eps, schedule.alpha_bar.float())


# ---- 01.4: back to the layers -------------------------------------------------------------------


def layers(alpha_bar):
    before = torch.cat([torch.ones(1), alpha_bar[:-1]])  # 1: only picture, before any layer
    return 1 - alpha_bar / before


def first_layer_forgotten(alpha_bar):
    return 1 - alpha_bar[1:] / alpha_bar[:-1]


def what_stays(alpha_bar):
    return alpha_bar / torch.cat([torch.ones(1), alpha_bar[:-1]])


def share_of_noise(alpha_bar):
    return 1 - alpha_bar


def differences(alpha_bar):
    return torch.cat([torch.ones(1), alpha_bar[:-1]]) - alpha_bar


def last_before_first(alpha_bar):
    return 1 - alpha_bar / alpha_bar.roll(1)


OTHER_LAYERS = {
    "took the root": (
        lambda alpha_bar: 1 - (1 - layers(alpha_bar)).sqrt(),
        "Your layers are half as thick as they are: alpha_bar counts variances, so take no root.",
    ),
    "upside down": (
        lambda alpha_bar: 1 - 1 / (1 - layers(alpha_bar)),
        "Your layers are below zero: divide each number by the one before it, not the other way.",
    ),
    "minus 1 in the wrong place": (
        lambda alpha_bar: -layers(alpha_bar),
        "Your layers have the wrong sign: what is gone is 1 minus what stays.",
    ),
    "one too early": (
        lambda alpha_bar: 1 - torch.cat([alpha_bar[1:], alpha_bar[-1:]]) / alpha_bar,
        "Your layers come one too early: the layer at t leads from t - 1 to t.",
    ),
}


def check_layers(function):
    beta = torch.linspace(1e-4, 0.02, 1000, dtype=torch.float64)
    alpha_bar = torch.cumprod(1 - beta, 0).float()
    got = function(alpha_bar)
    if torch.is_tensor(got) and got.shape == (999,):
        return "You return 999 layers of 1000: what was there before the first one?"
    if problem := no_tensor(got, beta.shape, "beta"):
        return problem
    if same(got, 1 - beta):
        return f"The first layer has thickness {got[0]:.4f}: that is what stays, 1 - beta."
    if same(got, share_of_noise(alpha_bar)):
        return (
            f"The last layer has thickness {got[-1]:.2f}: that is all the noise so far, "
            "1 - alpha_bar. How much does one layer change?"
        )
    if same(got, differences(alpha_bar), atol=1e-6):
        return (
            f"The last layer has thickness {got[-1]:.1e}, it should have {beta[-1]:.2f}: layers "
            "multiply, so divide neighbours instead of subtracting them."
        )
    if same(got, beta, atol=1e-5):
        return None
    if same(got[1:], beta[1:], atol=1e-5):
        return (
            f"Only the first layer is wrong: yours is {got[0]:.4g}, it should be {beta[0]:.4g}. "
            "Before it everything was picture, and that is a 1."
        )
    return named(got, OTHER_LAYERS, alpha_bar) or f"beta is off by {off_by(got, beta):.4f}."


# ---- 01.5: your own schedule --------------------------------------------------------------------


def my_schedule():
    return torch.sigmoid(torch.linspace(4.5, -6, 1000))  # SNR falls by the same factor at each step


def wasted(alpha_bar):
    """The share of the steps with hardly anything to clean, or hardly anything left to see."""
    return ((alpha_bar > 0.99) | (alpha_bar < 0.003)).double().mean().item()


def check_schedule(function):
    row, cosine = function(), wasted(cosine_schedule().alpha_bar)
    if problem := no_tensor(row, (1000,), "your row"):
        return problem
    if row.min() < 0 or row.max() > 1:
        low, high = row.min().item(), row.max().item()
        return f"alpha_bar is a share, from 0 to 1; yours goes from {low:.2f} to {high:.2f}."
    if (row.diff() > 0).any():
        step = int((row.diff() > 0).nonzero()[0])
        return f"Your row rises after step {step}: the forward process never takes noise away."
    if row[0] < 0.98:
        return f"Your first step leaves {row[0]:.0%} of the picture: begin with more than 98%."
    if row[-1] > 0.003:
        return f"Your last step leaves {row[-1]:.1%} of the picture: chaos needs less than 0.3%."
    if wasted(row) >= cosine:
        return f"{wasted(row):.0%} of your steps are wasted, the cosine's {cosine:.0%}."
    return None


MOMENTS = tuple(range(0, 1000, 100))


def dog_under(function):
    dogs = emoji("dog face").expand(len(MOMENTS), -1, -1, -1)
    return add_noise(dogs, torch.tensor(MOMENTS), torch.randn_like(dogs), function().float())


EXERCISES = (
    Exercise(
        name="01.1",
        title="one jump",
        check=check_add_noise,
        solution=add_noise,
        hints=(
            "Read the formula aloud: root of what is left, times the picture, plus root of the "
            "rest, times the noise.",
            "`a` is alpha_bar at t, one number for each picture; the second root stands over "
            "`1 - a`. A tensor has the method `.sqrt()`.",
        ),
        wrong={
            "forgot the root over 1 - alpha_bar": no_root_over_noise,
            "forgot the root over alpha_bar": no_root_over_picture,
            "forgot both roots": no_roots,
            "swapped the roots": roots_swapped,
            **makers(OTHER_JUMPS),
        },
        views=(
            Pictures("The apple after one jump", apple_after_jumps, [f"t = {t}" for t in JUMPS]),
        ),
    ),
    Exercise(
        name="01.2",
        title="half noise",
        check=check_half_noise,
        solution=half_noise,
        hints=(
            "Nearest to 0.5 means: the smallest distance |alpha_bar - 0.5|. You need its place.",
            "`.abs()` makes distances, `.argmin()` gives the place of the smallest.",
        ),
        wrong={
            "the middle of the row": lambda alpha_bar: len(alpha_bar) // 2,
            "the value instead of its place": lambda alpha_bar: alpha_bar[half_noise(alpha_bar)],
            "forgot the absolute value": lambda alpha_bar: (alpha_bar - 0.5).argmin(),
        },
        views=(
            Numbers(
                "At which t is a schedule half noise?",
                lambda f: [f(s().alpha_bar.float()) for s in (cosine_schedule, linear_schedule)],
                ["cosine", "linear"],
            ),
        ),
    ),
    Exercise(
        name="01.3",
        title="take the noise off",
        check=check_remove_noise,
        solution=remove_noise,
        hints=(
            "Solve the one-jump formula for x_0, as in school: first move the noise to the other "
            "side, then divide.",
            "x_0 = (x_t - root of (1 - a), times eps) / root of a. Shape `a` as in `add_noise`.",
        ),
        wrong={
            "did not divide": not_divided,
            "divided only x_t": divided_first,
            "divided by alpha_bar": divided_by_share,
            "forgot both roots": roots_forgotten,
            **makers(OTHER_WAYS_BACK),
        },
        views=(Pictures("Four emoji at t = 300, the noise taken off", four_without_noise),),
    ),
    Exercise(
        name="01.4",
        title="back to the layers",
        check=check_layers,
        solution=layers,
        hints=(
            "alpha_bar is a running product: each number is the one before it, times 1 - beta. So "
            "divide neighbours.",
            "Before the first layer everything is picture: put a 1 in front, "
            "`torch.cat([torch.ones(1), alpha_bar[:-1]])`, and divide by that.",
        ),
        wrong={
            "forgot the first layer": first_layer_forgotten,
            "returned 1 - beta": what_stays,
            "returned 1 - alpha_bar": share_of_noise,
            "subtracted neighbours": differences,
            "divided the first by the last": last_before_first,
            **makers(OTHER_LAYERS),
        },
        views=(
            Curves(
                "The layers of the cosine schedule",
                lambda f: f(cosine_schedule().alpha_bar.float()),
                range(1000),
                "t",
                "beta",
                log=True,
            ),
        ),
    ),
    Exercise(
        name="01.5",
        title="your own schedule",
        check=check_schedule,
        solution=my_schedule,
        hints=(
            "The cosine is slow at both ends. What is the plainest row that falls from 1 to 0?",
            "A straight line does it. Or let the SNR fall by the same factor at each step: "
            "`torch.sigmoid` of a straight line.",
        ),
        wrong={
            "the linear schedule of 2020": lambda: linear_schedule().alpha_bar,
            "rises": lambda: torch.linspace(0, 1, 1000),
            "leaves too much picture": lambda: torch.linspace(1, 0.1, 1000),
            "begins with much noise": lambda: torch.linspace(0.5, 0, 1000),
        },
        views=(
            Curves("The schedule", lambda f: f(), range(1000), "t", "alpha_bar"),
            Pictures(
                "The dog under the schedule", dog_under, [f"t = {t}" for t in MOMENTS], columns=10
            ),
        ),
    ),
)
