"""Lesson 04: fresh dust, one DDIM step, a diagnosis, half a Creation, a walk, your own sampler."""

import functools
import itertools

import torch
from einops import rearrange, reduce

from ..data import load_emoji
from ..noising import add_noise, cosine_schedule
from ..sampling import predict, pure_noise
from . import Exercise, no_tensor, off_by, parse_choice, same
from .broken_models import broken_model

# ---- 04.1: one DDPM step ------------------------------------------------------------------------


def ddpm_step(x, clean, a_t, a_s, eps):
    alpha, beta = a_t / a_s, 1 - a_t / a_s
    mean = (a_s.sqrt() * beta * clean + alpha.sqrt() * (1 - a_s) * x) / (1 - a_t)
    return mean + ((1 - a_s) / (1 - a_t) * beta).sqrt() * eps


def no_fresh_dust(x, clean, a_t, a_s, eps):
    return ddpm_step(x, clean, a_t, a_s, 0 * eps)


def fresh_dust_subtracted(x, clean, a_t, a_s, eps):
    return ddpm_step(x, clean, a_t, a_s, -eps)


def fresh_dust_without_root(x, clean, a_t, a_s, eps):
    share = (1 - a_s) / (1 - a_t) * (1 - a_t / a_s)
    return ddpm_step(x, clean, a_t, a_s, 0 * eps) + share * eps


def fresh_dust_as_it_is(x, clean, a_t, a_s, eps):
    return ddpm_step(x, clean, a_t, a_s, 0 * eps) + eps


def fresh_dust_of_beta(x, clean, a_t, a_s, eps):
    return ddpm_step(x, clean, a_t, a_s, 0 * eps) + (1 - a_t / a_s).sqrt() * eps


def check_ddpm_step(function):
    alpha_bar = cosine_schedule().alpha_bar.float()
    x, clean, eps = torch.randn(3, 4, 3, 8, 8)
    a = (x, clean, alpha_bar[599], alpha_bar[399], eps)
    got, want = function(*a), ddpm_step(*a)
    if problem := no_tensor(got, want.shape, "x_s"):
        return problem
    true = ((want - no_fresh_dust(*a)) / eps).mean().item()
    added = ((got - no_fresh_dust(*a)) / eps).mean().item()
    if same(got, no_fresh_dust(*a)):
        return f"That is the mean alone: the fresh dust, {true:.2f} thick in this step, is missing."
    if same(got, fresh_dust_subtracted(*a)):
        return (
            "You subtract the fresh dust. Dust has no direction, so that would do as well; but add "
            "it, to get the same pictures as the package."
        )
    if same(got, fresh_dust_without_root(*a)):
        return f"The fresh dust is {added:.2f} thick, it should be {true:.2f}: a root is missing."
    if same(got, fresh_dust_as_it_is(*a)):
        return f"You add all of eps; only {true:.2f} of it belongs into this step."
    if same(got, fresh_dust_of_beta(*a)):
        last = (1 - alpha_bar[19]).sqrt().item()
        return (
            f"The root of beta alone adds dust {added:.2f} thick instead of {true:.2f}, and still "
            f"{last:.2f} in the last of fifty steps, where nothing may be added: (1 - a_s) / "
            "(1 - a_t) is missing."
        )
    return None if same(got, want) else f"x_s is off by {off_by(got, want):.2f} on average."


# ---- 04.2: one DDIM step ------------------------------------------------------------------------


def ddim_step(clean, noise, a_s):
    return a_s.sqrt() * clean + (1 - a_s).sqrt() * noise


def both_roots_forgotten(clean, noise, a_s):
    return a_s * clean + (1 - a_s) * noise


def root_over_dust_forgotten(clean, noise, a_s):
    return a_s.sqrt() * clean + (1 - a_s) * noise


def shares_swapped(clean, noise, a_s):
    return (1 - a_s).sqrt() * clean + a_s.sqrt() * noise


def dust_left_out(clean, noise, a_s):
    return a_s.sqrt() * clean


def check_ddim_step(function):
    a = (torch.rand(4, 3, 8, 8) * 2 - 1, torch.randn(4, 3, 8, 8), torch.tensor(0.36))
    got, want = function(*a), ddim_step(*a)
    if problem := no_tensor(got, want.shape, "x_s"):
        return problem
    dust = function(torch.zeros_like(a[0]), *a[1:]).std().item() / a[1].std().item()
    if same(got, both_roots_forgotten(*a)):
        return (
            f"Where alpha_bar is 0.36 your dust is {dust:.2f} thick, it should be 0.80, and the "
            "picture is too faint as well: both shares want a square root."
        )
    if same(got, root_over_dust_forgotten(*a)):
        return (
            f"Where alpha_bar is 0.36 your dust is {dust:.2f} thick, it should be 0.80: the root "
            "over 1 - a_s is missing."
        )
    if same(got, shares_swapped(*a)):
        return f"The shares are swapped: where alpha_bar is 0.36 your dust is {dust:.2f} thick."
    if same(got, dust_left_out(*a)):
        return "The dust is missing: at the next level the apprentice would find none to see."
    off = off_by(got, want)
    hint_ = "it is lesson 01's one jump, with clean for x_0 and noise for eps"
    return None if same(got, want) else f"x_s is off by {off:.2f} on average: {hint_}."


# ---- 04.3: the diagnosis ------------------------------------------------------------------------

CAUSES = ("dead", "sign", "noise", "clean", "late")


def diagnosis():
    return "noise"


@functools.cache
def examination():
    """What the experiments measure on the patient, on few pictures."""
    broken, schedule = broken_model("04", "cpu"), cosine_schedule()
    pictures = load_emoji().training().images[100:104]
    eps, t = pure_noise(4, seed=3), torch.full((4,), 100)
    seen = predict(broken, schedule, add_noise(pictures, t, eps, schedule), 100)
    giant = predict(broken, schedule, eps, 999).clean
    return {
        "dust": alike(seen.noise, eps),
        "contrast": giant.std().item(),
        "chaos": alike(giant, eps),
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
            "A Sculptor that always says zero would turn pure chaos into plain grey in one look; "
            f"experiment 2 measures a contrast of {found['contrast']:.2f}, and that is the chaos."
        )
    if said == "sign":
        return (
            "With a flipped sign the dust that it sees at t = 100 would be the opposite of the "
            f"true dust; experiment 1 says that they agree, by {found['dust']:+.2f}."
        )
    if said == "clean":
        return (
            "At t = 100 velocity is nearly dust. If the answer were the clean picture, the dust "
            "that we read from it would look like the picture; experiment 1 says that it agrees "
            f"with the true dust, by {found['dust']:+.2f}."
        )
    if said == "late":
        return (
            "Pure chaos lies at the last level: a Sculptor that answers for a later one would "
            "still see the fog there. Experiment 2 finds the chaos itself, turned over "
            f"({found['chaos']:+.2f})."
        )
    return None


# ---- 04.4: half a Creation ----------------------------------------------------------------------


def from_half(picture, eps, ts, look, alpha_bar):
    a = alpha_bar[ts[0]]
    x = a.sqrt() * picture + (1 - a).sqrt() * eps
    for t, s in zip(ts, [*ts[1:], None], strict=True):
        clean, noise = look(x, t)
        if s is not None:
            x = alpha_bar[s].sqrt() * clean + (1 - alpha_bar[s]).sqrt() * noise
    return clean


def from_chaos(picture, eps, ts, look, alpha_bar):
    return walk_down(eps, ts, look, alpha_bar)[0]


def not_buried(picture, eps, ts, look, alpha_bar):
    return walk_down(picture, ts, look, alpha_bar)[0]


def buried_without_roots(picture, eps, ts, look, alpha_bar):
    a = alpha_bar[ts[0]]
    return walk_down(a * picture + (1 - a) * eps, ts, look, alpha_bar)[0]


def only_one_look(picture, eps, ts, look, alpha_bar):
    return from_half(picture, eps, ts[:1], look, alpha_bar)


def hands_over_the_dusty_one(picture, eps, ts, look, alpha_bar):
    a = alpha_bar[ts[0]]
    return walk_down(a.sqrt() * picture + (1 - a).sqrt() * eps, ts, look, alpha_bar)[1]


def walk_down(x, ts, look, alpha_bar):
    """(clean, x_t) at the end of a walk with DDIM through the levels ts."""
    for t, s in zip(ts, [*ts[1:], None], strict=True):
        clean, noise = look(x, t)
        if s is not None:
            x = ddim_step(clean, noise, alpha_bar[s])
    return clean, x


def check_from_half(function):
    world, ts, looks = World(), [599, 399, 199, 99], []

    def look(x, t):
        looks.append((x, t))
        return world.look(x, t)

    a = world.pictures[:4], torch.randn(4, 3, 8, 8), ts
    got = function(*a, look, world.alpha_bar)
    want, dusty = walk_down(
        ddim_step(*a[:2], world.alpha_bar[599]), ts, world.look, world.alpha_bar
    )
    if problem := no_tensor(got, want.shape, "the picture"):
        return problem
    if not looks:
        return "Your function never called look."
    first, t = looks[0]
    if problem := no_tensor(first, want.shape, "what the first look sees"):
        return problem
    if same(first, a[1]):
        return "You start from pure chaos: what was in the picture is lost before the first look."
    if same(first, a[0]):
        return f"You start from the picture without dust, and say that it lies under t = {t}."
    if same(first, both_roots_forgotten(*a[:2], world.alpha_bar[599])):
        return f"The buried picture has std {first.std():.2f}: mind the two roots of the one jump."
    if not same(first, ddim_step(*a[:2], world.alpha_bar[599])):
        return "The first look does not see the picture under the dust of t = ts[0]."
    if [t for _, t in looks] != ts:
        return (
            f"Expected one look at each level of ts, {ts}; you looked at {[t for _, t in looks]}."
        )
    if same(got, dusty):
        return (
            f"You hand over the last x, which is still dusty (off by {off_by(got, want):.2f}): the "
            "finished picture is the last clean one."
        )
    return None if same(got, want, atol=1e-3) else f"Off by {off_by(got, want):.2f} on average."


# ---- 04.5: a walk between two blocks of chaos ---------------------------------------------------


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
    if not same(got[1.0], b):
        return f"At share = 1 it has to be b; it is off by {off_by(got[1.0], b):.2f} on average."
    thickness = {share: mixed.std().item() for share, mixed in got.items()}
    worst = max(thickness, key=lambda share: abs(thickness[share] - 1))
    if abs(thickness[worst] - 1) > 0.05:
        return (
            f"At share = {worst} the mixture has a standard deviation of {thickness[worst]:.2f}; "
            "chaos has 1. The squares of the two weights have to add up to 1."
        )
    towards_b = [alike(mixed, b) for mixed in got.values()]
    if min(after - before for before, after in itertools.pairwise(towards_b)) < 0.02:
        return "The thickness is right, but your walk stands still or turns back on the way."
    return None


# ---- 04.6: your own sampler ---------------------------------------------------------------------


class World:
    """A world whose ideal Sculptor is known exactly: 8 x 8 pictures from a normal distribution.

    It has the average and all the correlations of the shrunken training emoji. There the best
    answer is a formula, and so is the picture to which endlessly many DDIM steps lead.
    """

    alpha_bar = cosine_schedule().alpha_bar.float()  # (1000,)

    def __init__(self):
        self.pictures, self.mean, self.variance, self.axes = axes_of_emoji()

    def look(self, x, t):
        a = self.alpha_bar[t].double()
        along = (flat(x) - a.sqrt() * self.mean) @ self.axes
        shrunk = along * a.sqrt() * self.variance / (a * self.variance + 1 - a)
        clean = self.mean + shrunk @ self.axes.T
        noise = (flat(x) - a.sqrt() * clean) / (1 - a).sqrt()
        return square(clean), square(noise)

    def end(self, x_T):
        """Where endlessly many steps lead from the chaos x_T."""
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


def five_looks(x, look, alpha_bar):
    before = None
    for t, s in zip([999, 799, 599, 399, 199], [799, 599, 399, 199, None], strict=True):
        clean, _ = look(x, t)
        if s is None:
            return clean
        ahead = clean  # go on as if the clean picture would keep changing as it just did
        if before is not None:
            ahead = clean + (clean - before) / 2
        noise = (x - alpha_bar[t].sqrt() * ahead) / (1 - alpha_bar[t]).sqrt()
        x = alpha_bar[s].sqrt() * ahead + (1 - alpha_bar[s]).sqrt() * noise
        before = clean


def even(steps):
    return [round(1000 - i * 1000 / steps) - 1 for i in range(steps)]


def plain_ddim(x, look, alpha_bar):
    return walk_down(x, even(5), look, alpha_bar)[0]


def ten_looks(x, look, alpha_bar):
    return walk_down(x, even(10), look, alpha_bar)[0]


def plain_ddpm(x, look, alpha_bar):
    ts = even(5)
    for t, s in zip(ts, [*ts[1:], None], strict=True):
        clean, _ = look(x, t)
        if s is not None:
            x = ddpm_step(x, clean, alpha_bar[t], alpha_bar[s], torch.randn_like(x))
    return clean


def back_instead_of_ahead(x, look, alpha_bar):
    ts, before = even(5), None
    for t, s in zip(ts, [*ts[1:], None], strict=True):
        clean, noise = look(x, t)
        if s is None:
            return clean
        ahead = clean if before is None else clean - (clean - before) / 2
        x, before = ddim_step(ahead, noise, alpha_bar[s]), clean


def check_five_looks(function):
    world, looks = World(), []

    def look(x, t):
        looks.append(t)
        return world.look(x, t)

    x_T = torch.randn(16, 3, 8, 8)
    got = function(x_T, look, world.alpha_bar)
    if problem := no_tensor(got, x_T.shape, "your pictures"):
        return problem
    if len(looks) > 5:
        return f"Your sampler looked {len(looks)} times; five looks are allowed."
    if not looks:
        return "Your sampler never looked: it cannot know what lies under the dust."
    if not same(got, function(x_T, look, world.alpha_bar)):
        return (
            "Two runs from the same chaos gave different pictures: dice are thrown on the way, and "
            "no dice know where the chaos leads."
        )
    wanted, ddim = world.end(x_T), plain_ddim(x_T, world.look, world.alpha_bar)
    gap, least = ((p - wanted).pow(2).mean().item() for p in (got, ddim))
    if same(got, ddim, atol=1e-3):
        return f"That is DDIM itself, {least:.4f} away from where endless steps lead: beat it."
    if gap >= least:
        return (
            f"Your pictures are {gap:.4f} away from where endless steps lead, DDIM's {least:.4f}."
        )
    return None


EXERCISES = (
    Exercise(
        name="04.1",
        title="fresh dust",
        check=check_ddpm_step,
        solution=ddpm_step,
        hints=(
            "The formula has three parts, and `mean` already holds two. The third is the root "
            "times the fresh dust `eps`.",
            "Under the root stand (1 - a_s) / (1 - a_t), times beta. A tensor has the method "
            "`.sqrt()`.",
        ),
        wrong={
            "forgot the fresh dust": no_fresh_dust,
            "subtracted it": fresh_dust_subtracted,
            "forgot the root": fresh_dust_without_root,
            "added all of eps": fresh_dust_as_it_is,
            "the root of beta alone": fresh_dust_of_beta,
        },
    ),
    Exercise(
        name="04.2",
        title="one DDIM step",
        check=check_ddim_step,
        solution=ddim_step,
        hints=(
            "It is lesson 01's one jump: picture times one root, plus dust times the other.",
            "Here the picture is `clean`, the dust is `noise`, and what is left of the picture is "
            "`a_s`.",
        ),
        wrong={
            "forgot both roots": both_roots_forgotten,
            "forgot the root over 1 - a_s": root_over_dust_forgotten,
            "swapped the shares": shares_swapped,
            "left the dust out": dust_left_out,
        },
    ),
    Exercise(
        name="04.3",
        title="diagnose it",
        check=check_diagnosis,
        solution=diagnosis,
        hints=(
            "Look at the two ends. At small t all is well; in pure chaos it is not. Which of the "
            "five causes spares the clean end?",
            "From pure chaos one look gives minus the chaos. So the answer must have been the "
            "chaos: what in `signal_rate * x_t - noise_rate * answer` makes that? Then try a cure.",
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
            "Two parts: bury the picture under the dust of `ts[0]` with one jump, then the loop of "
            "`my_ddim`.",
            "`a = alpha_bar[ts[0]]`, then x is root of a times the picture plus root of 1 - a "
            "times eps. What you return is the last `clean`.",
        ),
        wrong={
            "starts from chaos": from_chaos,
            "does not bury the picture": not_buried,
            "forgot the roots": buried_without_roots,
            "looks only once": only_one_look,
            "returns the dusty x": hands_over_the_dusty_one,
        },
    ),
    Exercise(
        name="04.5",
        title="from one chaos to another",
        check=check_mix,
        solution=mix,
        hints=(
            "Variances of independent dusts add up: with weights p and q the mixture has variance "
            "p² + q². Which p and q keep it at 1 all the way?",
            "cos² + sin² = 1. Let an angle grow from 0 to pi / 2: "
            "`angle = torch.as_tensor(share) * torch.pi / 2`.",
        ),
        wrong={
            "a straight line": straight_line,
            "from b to a": from_b_to_a,
            "degrees": in_degrees,
            "half a circle": half_a_circle,
        },
    ),
    Exercise(
        name="04.6",
        title="your own sampler",
        check=check_five_looks,
        solution=five_looks,
        hints=(
            "DDIM goes on as if the clean picture that it sees would stay. But it has just changed "
            "since the last look. Keep the last one, and look ahead. (Or spend the five looks at "
            "other levels.)",
            "`ahead = clean + (clean - before) / 2`, and the dust that fits to it is what remains "
            "of x: `(x - alpha_bar[t].sqrt() * ahead) / (1 - alpha_bar[t]).sqrt()`.",
        ),
        wrong={
            "DDIM itself": plain_ddim,
            "ten looks": ten_looks,
            "throws dice": plain_ddpm,
            "looks back instead of ahead": back_instead_of_ahead,
        },
    ),
)
