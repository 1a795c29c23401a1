"""Lesson 04: fresh noise, one DDIM step, a diagnosis, half a Creation, a walk, looking ahead."""

import functools
import itertools

import torch
from einops import rearrange, reduce

from ..data import load_emoji
from ..noising import add_noise, cosine_schedule
from ..sampling import predict, pure_noise, timesteps
from . import Exercise, makers, named, no_tensor, off_by, parse_choice, same
from .beside import FOUR, SHARES, Numbers, Pictures, emoji, shipped, spread_between
from .broken_models import broken_model

# ---- what a sampler draws with the reader's line -------------------------------------------------

ALPHA_BAR = cosine_schedule().alpha_bar.float()  # (1000,)


def ask_apprentice(x, t):
    """(clean, noise) that the apprentice predicts."""
    guess = predict(shipped("apprentice"), cosine_schedule(), x, t)
    return guess.clean, guess.noise


def create(x, steps, step):
    """What `steps` calls of step(x, clean, noise, a_t, a_s) make of pure noise."""
    ts = timesteps(steps)
    for t, s in itertools.pairwise(ts):
        clean, noise = ask_apprentice(x, t)
        x = step(x, clean, noise, ALPHA_BAR[t], ALPHA_BAR[s])
    return ask_apprentice(x, ts[-1])[0]


def created_by_ddpm(function):
    def step(x, clean, noise, a_t, a_s):
        return function(x, clean, a_t, a_s, torch.randn_like(x))

    return create(pure_noise(4), 15, step)


def created_by_ddim(function):
    return create(pure_noise(4), 10, lambda x, clean, noise, a_t, a_s: function(clean, noise, a_s))


def sampled_from_600(function):
    ts = [t for t in timesteps(20) if t <= 600]
    return function(emoji(*FOUR), pure_noise(4), ts, ask_apprentice, ALPHA_BAR)


def walked(function):
    a, b = pure_noise(2)
    walk = torch.stack([function(a, b, share) for share in SHARES])
    return create(walk, 10, lambda x, clean, noise, a_t, a_s: ddim_step(clean, noise, a_s))


def in_five_calls(function):
    return five_calls(pure_noise(4), ask_apprentice, ALPHA_BAR, function)


def distance(function):
    world, x_T = World(), torch.randn(16, 3, 8, 8)
    end = five_calls(x_T, world.predict, world.alpha_bar, function)
    return (end - world.end(x_T)).pow(2).mean().item()


# ---- 04.1: one DDPM step ------------------------------------------------------------------------


def ddpm_step(x, clean, a_t, a_s, fresh):
    alpha, beta = a_t / a_s, 1 - a_t / a_s
    mean = (a_s.sqrt() * beta * clean + alpha.sqrt() * (1 - a_s) * x) / (1 - a_t)
    return mean + ((1 - a_s) / (1 - a_t) * beta).sqrt() * fresh


def no_fresh_noise(x, clean, a_t, a_s, fresh):
    return ddpm_step(x, clean, a_t, a_s, 0 * fresh)


def fresh_noise_subtracted(x, clean, a_t, a_s, fresh):
    return ddpm_step(x, clean, a_t, a_s, -fresh)


def fresh_noise_without_root(x, clean, a_t, a_s, fresh):
    share = (1 - a_s) / (1 - a_t) * (1 - a_t / a_s)
    return ddpm_step(x, clean, a_t, a_s, 0 * fresh) + share * fresh


def fresh_noise_as_it_is(x, clean, a_t, a_s, fresh):
    return ddpm_step(x, clean, a_t, a_s, 0 * fresh) + fresh


def fresh_noise_of_beta(x, clean, a_t, a_s, fresh):
    return ddpm_step(x, clean, a_t, a_s, 0 * fresh) + (1 - a_t / a_s).sqrt() * fresh


OTHER_FRESH_NOISE = {
    "beta without a root": (
        lambda x, clean, a_t, a_s, fresh: (
            ddpm_step(x, clean, a_t, a_s, 0 * fresh) + (1 - a_t / a_s) * fresh
        ),
        "The fresh noise is multiplied by beta: the formula has (1 - a_s) / (1 - a_t) times beta, "
        "and a root over both.",
    ),
    "forgot beta": (
        lambda x, clean, a_t, a_s, fresh: (
            ddpm_step(x, clean, a_t, a_s, 0 * fresh) + ((1 - a_s) / (1 - a_t)).sqrt() * fresh
        ),
        "Too much fresh noise: beta is missing under the root.",
    ),
    "the root over a part": (
        lambda x, clean, a_t, a_s, fresh: (
            ddpm_step(x, clean, a_t, a_s, 0 * fresh)
            + ((1 - a_s) / (1 - a_t)).sqrt() * (1 - a_t / a_s) * fresh
        ),
        "Too little fresh noise: beta stands under the root, too.",
    ),
    "upside down": (
        lambda x, clean, a_t, a_s, fresh: (
            ddpm_step(x, clean, a_t, a_s, 0 * fresh)
            + ((1 - a_t) / (1 - a_s) * (1 - a_t / a_s)).sqrt() * fresh
        ),
        "Too much fresh noise: 1 - a_s stands above 1 - a_t, not below.",
    ),
    "as in DDIM": (
        lambda x, clean, a_t, a_s, fresh: (
            ddpm_step(x, clean, a_t, a_s, 0 * fresh) + (1 - a_s).sqrt() * fresh
        ),
        "Too much fresh noise: the root of 1 - a_s is all the noise of the next level, and a part "
        "of that stands in the mean already.",
    ),
    "left the mean out": (
        lambda x, clean, a_t, a_s, fresh: (
            ddpm_step(x, clean, a_t, a_s, fresh) - no_fresh_noise(x, clean, a_t, a_s, fresh)
        ),
        "That is the fresh noise alone: add the mean.",
    ),
}


def check_ddpm_step(function):
    alpha_bar = cosine_schedule().alpha_bar.float()
    x, clean, fresh = torch.randn(3, 4, 3, 8, 8)
    a = (x, clean, alpha_bar[599], alpha_bar[399], fresh)
    got, want = function(*a), ddpm_step(*a)
    if problem := no_tensor(got, want.shape, "x_s"):
        return problem
    true = ((want - no_fresh_noise(*a)) / fresh).mean().item()
    added = ((got - no_fresh_noise(*a)) / fresh).mean().item()
    if same(got, no_fresh_noise(*a)):
        return f"That is the mean alone: fresh noise with a std of {true:.2f} is missing."
    if same(got, fresh_noise_subtracted(*a)):
        return (
            "You subtract the fresh noise. Its sign does not matter to the sampler; but add it, to "
            "get the same pictures as the package."
        )
    if same(got, fresh_noise_without_root(*a)):
        return f"The fresh noise has std {added:.2f}, it should be {true:.2f}: a root is missing."
    if same(got, fresh_noise_as_it_is(*a)):
        return f"You add all of the fresh noise; this step needs {true:.2f} times it."
    if same(got, fresh_noise_of_beta(*a)):
        last = (1 - alpha_bar[19]).sqrt().item()
        return (
            f"The root of beta alone adds noise with std {added:.2f} instead of {true:.2f}, and "
            f"still {last:.2f} in the last of fifty steps, where nothing may be added: "
            "(1 - a_s) / (1 - a_t) is missing."
        )
    if same(got, want):
        return None
    if not same(got, function(*a)):
        return "The same step twice, and two different results: use `fresh`, which is given."
    told = named(got, OTHER_FRESH_NOISE, *a)
    return told or f"x_s is off by {off_by(got, want):.2f} on average."


# ---- 04.2: one DDIM step ------------------------------------------------------------------------


def ddim_step(clean, noise, a_s):
    return a_s.sqrt() * clean + (1 - a_s).sqrt() * noise


def both_roots_forgotten(clean, noise, a_s):
    return a_s * clean + (1 - a_s) * noise


def root_over_noise_forgotten(clean, noise, a_s):
    return a_s.sqrt() * clean + (1 - a_s) * noise


def rates_swapped(clean, noise, a_s):
    return (1 - a_s).sqrt() * clean + a_s.sqrt() * noise


def noise_left_out(clean, noise, a_s):
    return a_s.sqrt() * clean


OTHER_DDIM_STEPS = {
    "subtracted the noise": (
        lambda clean, noise, a_s: ddim_step(clean, -noise, a_s),
        "You subtract the noise: at the next level there is some left, so add it.",
    ),
    "did not fade the picture": (
        lambda clean, noise, a_s: clean + (1 - a_s).sqrt() * noise,
        "The picture is too bright: it stands times the root of a_s.",
    ),
    "all of both": (
        lambda clean, noise, a_s: clean + noise,
        "You add both as they are: each has its rate, a root.",
    ),
    "the clean picture": (
        lambda clean, noise, a_s: clean,
        "That is the predicted clean picture: a small step leaves noise in it.",
    ),
    "1 minus the root": (
        lambda clean, noise, a_s: a_s.sqrt() * clean + (1 - a_s.sqrt()) * noise,
        "Your noise is too thin: take the root of 1 - a_s, not 1 minus a root.",
    ),
    "forgot the root over the picture": (
        lambda clean, noise, a_s: a_s * clean + (1 - a_s).sqrt() * noise,
        "The picture is too faint: the root over a_s is missing.",
    ),
}


def check_ddim_step(function):
    a = (torch.rand(4, 3, 8, 8) * 2 - 1, torch.randn(4, 3, 8, 8), torch.tensor(0.36))
    got, want = function(*a), ddim_step(*a)
    if problem := no_tensor(got, want.shape, "x_s"):
        return problem
    rate = function(torch.zeros_like(a[0]), *a[1:]).std().item() / a[1].std().item()
    if same(got, both_roots_forgotten(*a)):
        return (
            f"Where alpha_bar is 0.36 your noise rate is {rate:.2f}, it should be 0.80, and the "
            "picture is too faint as well: both need a square root."
        )
    if same(got, root_over_noise_forgotten(*a)):
        return (
            f"Where alpha_bar is 0.36 your noise rate is {rate:.2f}, it should be 0.80: the root "
            "over 1 - a_s is missing."
        )
    if same(got, rates_swapped(*a)):
        return f"The rates are swapped: where alpha_bar is 0.36 your noise rate is {rate:.2f}."
    if same(got, noise_left_out(*a)):
        return "The noise is missing: at the next level the network would find none to predict."
    if same(got, want):
        return None
    if not same(got, function(*a)):
        return "The same step twice, and two different results: DDIM keeps the predicted noise."
    jump = "it is lesson 01's one jump, with clean for x_0 and noise for eps"
    told = named(got, OTHER_DDIM_STEPS, *a)
    return told or f"x_s is off by {off_by(got, want):.2f} on average: {jump}."


# ---- 04.3: the diagnosis ------------------------------------------------------------------------

CAUSES = ("dead", "sign", "noise", "clean", "late")


def diagnosis():
    return "noise"


@functools.cache
def examination():
    """What the experiments measure on the broken model, on few pictures."""
    broken, schedule = broken_model("04", "cpu"), cosine_schedule()
    pictures, eps = load_emoji().training().images[100:104], pure_noise(4, seed=3)

    def seen(t):
        return predict(broken, schedule, add_noise(pictures, torch.full((4,), t), eps, schedule), t)

    middle, late = seen(600), seen(900)
    return {
        "output": middle.velocity.std().item(),
        "picture": alike(middle.clean, pictures),
        "late picture": alike(late.clean, pictures),
    }


def alike(a, b):
    return torch.corrcoef(torch.stack([a.flatten(), b.flatten()]))[0, 1].item()


def check_diagnosis(function):
    said, problem = parse_choice(function(), CAUSES)
    if problem:
        return problem
    found = examination() if said != "noise" else {}
    if said == "dead":
        return (
            "A dead network returns the same number for any input, so the std of its output is 0; "
            f"experiment 1 measures {found['output']:.2f}."
        )
    if said == "sign":
        return (
            "With a flipped sign the predicted picture at t = 600 would be the opposite of the "
            f"true one; experiment 2 says that they agree, by {found['picture']:+.2f}."
        )
    if said == "clean":
        return (
            "If the output were the clean picture, what we compute from it at t = 600 would hold "
            "minus the picture: the agreement in experiment 2 would be below zero. It is "
            f"{found['picture']:+.2f}."
        )
    if said == "late":
        return (
            "A network that is wrong about the level still predicts a picture at t = 900, only one "
            "with too much or too little noise in it. In experiment 3 the predicted picture and "
            f"the true one agree by {found['late picture']:+.2f}: no picture is there."
        )
    return None


# ---- 04.4: half a Creation ----------------------------------------------------------------------


def from_half(picture, eps, ts, predict, alpha_bar):
    a = alpha_bar[ts[0]]
    x = a.sqrt() * picture + (1 - a).sqrt() * eps
    for t, s in zip(ts, [*ts[1:], None], strict=True):
        clean, noise = predict(x, t)
        if s is not None:
            x = alpha_bar[s].sqrt() * clean + (1 - alpha_bar[s]).sqrt() * noise
    return clean


def from_pure_noise(picture, eps, ts, predict, alpha_bar):
    return walk_down(eps, ts, predict, alpha_bar)[0]


def no_noise_added(picture, eps, ts, predict, alpha_bar):
    return walk_down(picture, ts, predict, alpha_bar)[0]


def noise_added_without_roots(picture, eps, ts, predict, alpha_bar):
    a = alpha_bar[ts[0]]
    return walk_down(a * picture + (1 - a) * eps, ts, predict, alpha_bar)[0]


def only_one_call(picture, eps, ts, predict, alpha_bar):
    return from_half(picture, eps, ts[:1], predict, alpha_bar)


def returns_the_noisy_one(picture, eps, ts, predict, alpha_bar):
    a = alpha_bar[ts[0]]
    return walk_down(a.sqrt() * picture + (1 - a).sqrt() * eps, ts, predict, alpha_bar)[1]


def walk_down(x, ts, predict, alpha_bar):
    """(clean, x_t) at the end of a walk with DDIM through the levels ts."""
    for t, s in zip(ts, [*ts[1:], None], strict=True):
        clean, noise = predict(x, t)
        if s is not None:
            x = ddim_step(clean, noise, alpha_bar[s])
    return clean, x


def check_from_half(function):
    world, ts, calls = World(), [599, 399, 199, 99], []

    def watched(x, t):
        calls.append((x, t))
        return world.predict(x, t)

    a = world.pictures[:4], torch.randn(4, 3, 8, 8), ts
    got = function(*a, watched, world.alpha_bar)
    start = ddim_step(*a[:2], world.alpha_bar[599])
    want, noisy = walk_down(start, ts, world.predict, world.alpha_bar)
    if problem := no_tensor(got, want.shape, "the picture"):
        return problem
    if not calls:
        return "Your function never called predict."
    first, t = calls[0]
    if problem := no_tensor(first, want.shape, "the input of the first call"):
        return problem
    if same(first, a[1]):
        return "You start from pure noise: what was in the picture is lost before the first call."
    if same(first, a[0]):
        return f"You start from the picture without noise, and tell the network that t = {t}."
    if same(first, both_roots_forgotten(*a[:2], world.alpha_bar[599])):
        return f"The noisy picture has std {first.std():.2f}: mind the two roots of the one jump."
    if not same(first, start):
        return "The first call does not see the picture with the noise of t = ts[0]."
    if [t for _, t in calls] != ts:
        return (
            f"Expected one call of predict at each level of ts, {ts}; you called it at "
            f"{[t for _, t in calls]}."
        )
    if same(got, noisy):
        return (
            f"You return the last x, which is still noisy (off by {off_by(got, want):.2f}): the "
            "finished picture is the last clean one."
        )
    return None if same(got, want, atol=1e-3) else f"Off by {off_by(got, want):.2f} on average."


# ---- 04.5: a walk between two blocks of pure noise ----------------------------------------------


def mix(a, b, share):
    angle = torch.as_tensor(share) * torch.pi / 2  # a quarter of a circle
    return angle.cos() * a + angle.sin() * b


def straight_line(a, b, share):
    return (1 - share) * a + share * b


def from_b_to_a(a, b, share):
    return mix(b, a, share)


def in_degrees(a, b, share):
    return mix(a, b, share * 180 / torch.pi)


def half_a_circle(a, b, share):
    return mix(a, b, 2 * share)


def check_mix(function):
    a, b = torch.randn(2, 4, 3, 32, 32)
    got = {share: function(a, b, share) for share in (0.0, 0.25, 0.5, 0.75, 1.0)}
    for mixed in got.values():
        if problem := no_tensor(mixed, a.shape, "the mixture"):
            return problem
    if same(got[0.0], b) and same(got[1.0], a):
        return "Your walk goes the other way: at share = 0 it has to be a."
    if not same(got[0.0], a):
        return f"At share = 0 it has to be a; it is off by {off_by(got[0.0], a):.2f} on average."
    if same(got[1.0], in_degrees(a, b, 1.0)):
        return "Your angle goes up to 90; cos and sin want radians, and a quarter circle is pi / 2."
    if same(got[1.0], -a):
        return "You walk half a circle: at share = 1 you have arrived at -a, not at b."
    if same(got[1.0], mix(a, b, 2 / torch.pi)):
        return "Your angle goes up to 1; at b it has to be a quarter of a circle, pi / 2."
    if same(got[1.0], -b):
        return "At share = 1 you have arrived at -b: add the two, do not subtract."
    if not same(got[1.0], b):
        return f"At share = 1 it has to be b; it is off by {off_by(got[1.0], b):.2f} on average."
    std = {share: mixed.std().item() for share, mixed in got.items()}
    worst = max(std, key=lambda share: abs(std[share] - 1))
    if abs(std[worst] - 1) > 0.05:
        return (
            f"At share = {worst} the mixture has a standard deviation of {std[worst]:.2f}; pure "
            "noise has 1. The squares of the two factors have to add up to 1."
        )
    towards_b = [alike(mixed, b) for mixed in got.values()]
    if min(after - before for before, after in itertools.pairwise(towards_b)) < 0.02:
        return "The std is right, but your walk stands still or turns back on the way."
    return None


# ---- 04.6: look ahead ---------------------------------------------------------------------------


class World:
    """Data whose ideal network is known exactly: 8 x 8 pictures from a normal distribution.

    It has the average and all the correlations of the shrunken training emoji. There the best
    prediction is a formula, and so is the picture to which endlessly many DDIM steps lead.
    """

    alpha_bar = cosine_schedule().alpha_bar.float()  # (1000,)

    def __init__(self):
        self.pictures, self.mean, self.variance, self.axes = axes_of_emoji()

    def predict(self, x, t):
        a = self.alpha_bar[t].double()
        along = (flat(x) - a.sqrt() * self.mean) @ self.axes
        shrunk = along * a.sqrt() * self.variance / (a * self.variance + 1 - a)
        clean = self.mean + shrunk @ self.axes.T
        noise = (flat(x) - a.sqrt() * clean) / (1 - a).sqrt()
        return square(clean), square(noise)

    def end(self, x_T):
        """Where endlessly many DDIM steps lead from the pure noise x_T."""
        a = self.alpha_bar[999].double()
        along = (flat(x_T) - a.sqrt() * self.mean) @ self.axes
        stretched = along * (self.variance / (a * self.variance + 1 - a)).sqrt()
        return square(self.mean + stretched @ self.axes.T)


@functools.cache
def axes_of_emoji():
    """The small pictures, their average, and the variance along each of their principal axes."""
    images = load_emoji().training().images
    small = reduce(images, "n c (h a) (w d) -> n c h w", "mean", a=4, d=4)
    variance, axes = torch.linalg.eigh(torch.cov(flat(small).T))
    return small, flat(small).mean(0), variance.clamp(min=0), axes


def flat(x):
    return rearrange(x, "n c h w -> n (c h w)").double()


def square(x):
    return rearrange(x, "n (c h w) -> n c h w", c=3, h=8).float()


def look_ahead(clean, before):
    return clean + (clean - before) / 2


def stays(clean, before):
    return clean


def back_instead_of_ahead(clean, before):
    return clean - (clean - before) / 2


def only_the_change(clean, before):
    return (clean - before) / 2


def five_calls(x, predict, alpha_bar, look_ahead):
    """DDIM in five steps that goes on with what look_ahead says instead of `clean`."""
    ts, before = [999, 799, 599, 399, 199], None
    for t, s in zip(ts, [*ts[1:], None], strict=True):
        clean, _ = predict(x, t)
        if s is None:
            return clean
        ahead = clean if before is None else look_ahead(clean, before)
        noise = (x - alpha_bar[t].sqrt() * ahead) / (1 - alpha_bar[t]).sqrt()
        x, before = ddim_step(ahead, noise, alpha_bar[s]), clean


def check_look_ahead(function):
    clean, before = torch.rand(2, 4, 3, 8, 8) * 2 - 1
    got = function(clean, before)
    if problem := no_tensor(got, clean.shape, "the picture ahead"):
        return problem
    if same(got, clean):
        return "That is `clean` as it is, so the sampler is DDIM itself."
    if same(got, only_the_change(clean, before)):
        return "That is only the change until then: add it to `clean`."
    world, x_T = World(), torch.randn(16, 3, 8, 8)
    wanted = world.end(x_T)

    def off(rule):
        end = five_calls(x_T, world.predict, world.alpha_bar, rule)
        return (end - wanted).pow(2).mean().item()

    gap, least = off(function), off(stays)
    if gap < least:
        return None
    measured = f"Your five steps end {gap:.4f} away from the exact result, DDIM's {least:.4f}"
    if same(got, clean + clean - before / 2):
        return f"{measured}: half of `before` is not half of the change; put brackets."
    if same(got, back_instead_of_ahead(clean, before)):
        return f"{measured}: you look back, towards `before`."
    return f"{measured}."


EXERCISES = (
    Exercise(
        name="04.1",
        title="fresh noise",
        check=check_ddpm_step,
        solution=ddpm_step,
        hints=(
            "The formula has three parts, and `mean` already holds two. The third is the root "
            "times the fresh noise `fresh`.",
            "Under the root stand (1 - a_s) / (1 - a_t), times beta. A tensor has the method "
            "`.sqrt()`.",
        ),
        wrong={
            "forgot the fresh noise": no_fresh_noise,
            "subtracted it": fresh_noise_subtracted,
            "forgot the root": fresh_noise_without_root,
            "added all of it": fresh_noise_as_it_is,
            "the root of beta alone": fresh_noise_of_beta,
            "drew its own noise": lambda x, clean, a_t, a_s, fresh: ddpm_step(
                x, clean, a_t, a_s, torch.randn_like(x)
            ),
            **makers(OTHER_FRESH_NOISE),
        },
        views=(Pictures("Created from pure noise in 15 steps of DDPM", created_by_ddpm),),
    ),
    Exercise(
        name="04.2",
        title="one DDIM step",
        check=check_ddim_step,
        solution=ddim_step,
        hints=(
            "It is lesson 01's one jump: picture times signal rate, plus noise times noise rate.",
            "The picture is `clean`, the noise is `noise`, and the two rates are the roots of "
            "`a_s` and of `1 - a_s`.",
        ),
        wrong={
            "forgot both roots": both_roots_forgotten,
            "forgot the root over 1 - a_s": root_over_noise_forgotten,
            "swapped the rates": rates_swapped,
            "left the noise out": noise_left_out,
            "drew fresh noise": lambda clean, noise, a_s: ddim_step(
                clean, torch.randn_like(noise), a_s
            ),
            **makers(OTHER_DDIM_STEPS),
        },
        views=(Pictures("Created from pure noise in 10 steps of DDIM", created_by_ddim),),
    ),
    Exercise(
        name="04.3",
        title="diagnose it",
        check=check_diagnosis,
        solution=diagnosis,
        hints=(
            "Write down for each cause what experiment 2 would show: put the wrong output into "
            "`clean = signal_rate * x_t - noise_rate * output`. Two causes give minus the picture.",
            "Two causes are left. In experiment 3 one of them would still show a picture. With the "
            "other, `clean` is x_t minus nearly as much noise as lies in it, and at t = 900 what "
            "is left is noise. Then try a cure.",
        ),
        wrong={
            "it says zero": lambda: "dead",
            "a flipped sign": lambda: "sign",
            "the clean picture": lambda: "clean",
            "another level": lambda: "late",
        },
    ),
    Exercise(
        name="04.4",
        title="a half-finished statue",
        check=check_from_half,
        solution=from_half,
        hints=(
            "Two parts: add the noise of `ts[0]` to the picture with one jump, then a loop of DDIM "
            "steps.",
            "`a = alpha_bar[ts[0]]`, then x is root of a times the picture plus root of 1 - a "
            "times eps. Return the last `clean`.",
        ),
        wrong={
            "starts from pure noise": from_pure_noise,
            "adds no noise": no_noise_added,
            "forgot the roots": noise_added_without_roots,
            "calls predict only once": only_one_call,
            "returns the noisy x": returns_the_noisy_one,
        },
        views=(Pictures("Four emoji, sampled anew from t = 599", sampled_from_600),),
    ),
    Exercise(
        name="04.5",
        title="from one block of pure noise to another",
        check=check_mix,
        solution=mix,
        hints=(
            "Variances of independent noise add up: with factors p and q the mixture has variance "
            "p² + q². Which p and q keep it at 1 all the way?",
            "cos² + sin² = 1. Let an angle grow from 0 to pi / 2: "
            "`angle = torch.as_tensor(share) * torch.pi / 2`.",
        ),
        wrong={
            "a straight line": straight_line,
            "from b to a": from_b_to_a,
            "degrees": in_degrees,
            "half a circle": half_a_circle,
            "forgot pi / 2": lambda a, b, share: mix(a, b, 2 / torch.pi * share),
            "subtracted": lambda a, b, share: mix(a, -b, share),
        },
        views=(
            spread_between(lambda: pure_noise(2)),
            Pictures("A walk between two pictures", walked, [f"{share:.0%}" for share in SHARES]),
        ),
    ),
    Exercise(
        name="04.6",
        title="look ahead",
        check=check_look_ahead,
        solution=look_ahead,
        hints=(
            "From `before` to `clean` the prediction has changed by `clean - before`, in one step. "
            "How much more will it change by the middle of the next step?",
            "Half as much again. In the example: 14 + (14 - 10) / 2 = 16.",
        ),
        wrong={
            "DDIM itself": stays,
            "back instead of ahead": back_instead_of_ahead,
            "only the change": only_the_change,
            "forgot the brackets": lambda clean, before: clean + clean - before / 2,
        },
        views=(
            Numbers("After five calls", distance, ["squared distance from the exact result"]),
            Pictures("Created in five calls", in_five_calls),
        ),
    ),
)
