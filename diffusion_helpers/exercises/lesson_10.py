"""Workshop 10: a straight mixture, a step along it, a detour, guidance in one call, landing."""

import functools

import torch
import torch.nn.functional as F
from einops import rearrange

from .. import add_noise, cosine_schedule, pure_noise
from ..distillation import ddim_step
from . import Exercise, Mistakes, makers, named, no_tensor, off_by, parse_choice, same
from .beside import FOUR, Numbers, Pictures, emoji

# ---- 10.1: the straight mixture -----------------------------------------------------------------


def flow_pair(x_0, eps, t):
    return (1 - t) * x_0 + t * eps, eps - x_0


def mixed_on_the_circle(x_0, eps, t):
    return (1 - t).sqrt() * x_0 + t.sqrt() * eps


PAIR_OF_ONE = "Return two things: x_t, and the target."
MIXTURES: Mistakes = {
    "swapped the shares": (
        lambda x_0, eps, t: (1 - t) * eps + t * x_0,
        "Your x_t is the picture at t = 1: t is the share of the noise.",
    ),
    "roots as in lesson 01": (
        mixed_on_the_circle,
        "You take roots of the shares, as in lesson 01. The straight line has none.",
    ),
    "noise on top": (
        lambda x_0, eps, t: x_0 + t * eps,
        "The picture stays as strong as it was: it fades to 1 - t.",
    ),
    "a faded picture under all of the noise": (
        lambda x_0, eps, t: (1 - t) * x_0 + eps,
        "All of the noise is there from the beginning: it counts t times.",
    ),
}
DIRECTIONS: Mistakes = {
    "towards the picture": (
        lambda x_0, eps, t: x_0 - eps,
        "Your target points from the noise to the picture. As t grows, x_t goes the other way.",
    ),
    "the noise": (
        lambda x_0, eps, t: eps,
        "Your target is the noise alone: the direction of the line is a difference.",
    ),
    "the picture": (
        lambda x_0, eps, t: x_0,
        "Your target is the picture itself: the direction of the line is a difference.",
    ),
    "the velocity of lesson 03": (
        lambda x_0, eps, t: (1 - t) * eps - t * x_0,
        "Your target still turns with t, like the velocity of lesson 03. A straight line has one "
        "direction everywhere.",
    ),
    "the way that is left": (
        lambda x_0, eps, t: t * (eps - x_0),
        "Your target becomes shorter near the picture. The direction is the same for every t: take "
        "no t times it.",
    ),
    "the mixture once more": (
        lambda x_0, eps, t: (1 - t) * x_0 + t * eps,
        "Your target is x_t once more. How does x_t change as t grows?",
    ),
}


def check_flow_pair(function):
    a = torch.rand(4, 3, 8, 8) * 2 - 1, torch.randn(4, 3, 8, 8), torch.rand(4, 1, 1, 1) * 0.8 + 0.1
    got, (x_t, direction) = function(*a), flow_pair(*a)
    if not isinstance(got, (tuple, list)) or len(got) != 2:
        return PAIR_OF_ONE
    for one, what in zip(got, ("x_t", "the target"), strict=True):
        if problem := no_tensor(one, x_t.shape, what):
            return problem
    if same(got[0], direction) and same(got[1], x_t):
        return "The other way round: x_t first, then the target."
    if not same(got[0], x_t):
        if not same(got[0], function(*a)[0]):
            return "The same call twice, and two different x_t: use `eps`, which is given."
        told = named(got[0], MIXTURES, *a)
        return told or f"x_t is off by {off_by(got[0], x_t):.2f}: mix by 1 - t and t."
    if same(got[1], direction):
        return None
    told = named(got[1], DIRECTIONS, *a)
    return told or f"x_t is right; the target is off by {off_by(got[1], direction):.2f} on average."


SHARES = (0.2, 0.5, 0.8, 1.0)


def mixed_and_back(function):
    """An apple mixed with noise, and, below, what is left without t times the target."""
    x_0, t = emoji("red apple").expand(4, -1, -1, -1), torch.tensor(SHARES).reshape(4, 1, 1, 1)
    x_t, target = function(x_0, pure_noise(4), t)
    return torch.cat([x_t, x_t - t * target])


# ---- 10.2: a step of Euler's method -------------------------------------------------------------


def euler_step(x, u, t, t_next):
    return x + (t_next - t) * u


STEPS: Mistakes = {
    "away from the picture": (
        lambda x, u, t, t_next: x + (t - t_next) * u,
        "You walk towards the noise: u points there, and t becomes smaller.",
    ),
    "the whole way": (
        lambda x, u, t, t_next: x - u,
        "You walk the whole length of u. From t to t_next it is only t - t_next of it.",
    ),
    "all that is left": (
        lambda x, u, t, t_next: x - t * u,
        "You walk to t = 0, to the picture: stop at t_next.",
    ),
    "the length of t_next": (
        lambda x, u, t, t_next: x - t_next * u,
        "The length of the step is t - t_next, not t_next.",
    ),
    "the step alone": (
        lambda x, u, t, t_next: (t_next - t) * u,
        "That is the step alone: add it to x.",
    ),
    "mixed once more": (
        lambda x, u, t, t_next: (1 - t_next) * x + t_next * u,
        "You mix x and u. But u is no noise, it is a direction: add a part of it to x.",
    ),
}


def check_euler_step(function):
    for t, t_next in ((0.8, 0.6), (0.35, 0.1)):
        a = torch.randn(4, 3, 8, 8), torch.randn(4, 3, 8, 8), t, t_next
        got, want = function(*a), euler_step(*a)
        if problem := no_tensor(got, want.shape, "x"):
            return problem
        if not same(got, want):
            told = named(got, STEPS, *a)
            return told or f"From {t} to {t_next} x is off by {off_by(got, want):.2f} on average."
    return None


def best_guess(x, t):
    """The mean of FOUR emoji, each weighted by how well it explains x: the exact flow of these."""
    pictures = emoji(*FOUR)
    distance = torch.cdist(x.flatten(1), (1 - t) * pictures.flatten(1)).square()  # (B, 4)
    return ((-distance / (2 * t**2)).softmax(1) @ pictures.flatten(1)).view_as(x)


def walked_by(function):
    """What ten steps make of noise, along the exact flow of four emoji."""
    x, steps = pure_noise(8), 10
    for i in range(steps):
        t = 1 - i / steps
        u = (x - best_guess(x, t)) / t
        x = function(x, u, t, t - 1 / steps)
    return x


# ---- 10.3: how much longer than a straight line? ------------------------------------------------


def detour(path):
    legs = (path[1:] - path[:-1]).flatten(2).norm(dim=2)  # (S, B)
    return legs.sum(0) / (path[-1] - path[0]).flatten(1).norm(dim=1)


DETOURS: Mistakes = {
    "upside down": (
        lambda path: 1 / detour(path),
        "Yours is below 1, as if a path were shorter than the straight line: length over distance.",
    ),
    "how much longer": (
        lambda path: detour(path) - 1,
        "All are 1 too small: return length over distance, so that a straight path has 1.",
    ),
    "the length alone": (
        lambda path: (path[1:] - path[:-1]).flatten(2).norm(dim=2).sum(0),
        "That is the length of the path: divide it by the distance of its two ends.",
    ),
    "squared lengths": (
        lambda path: (
            (path[1:] - path[:-1]).flatten(2).square().sum(2).sum(0)
            / (path[-1] - path[0]).flatten(1).square().sum(1)
        ),
        "You add up squares. A length is the root of a sum of squares, taken for each leg.",
    ),
    "the mean leg": (
        lambda path: detour(path) / (len(path) - 1),
        "You take the mean of the legs: the length of a path is their sum.",
    ),
    "from where it begins": (
        lambda path: (
            (path[1:] - path[:-1]).flatten(2).norm(dim=2).sum(0) / path[0].flatten(1).norm(dim=1)
        ),
        "You divide by the length of the noise itself: the distance is from the first to the last.",
    ),
    "every pixel alone": (
        lambda path: (
            (path[1:] - path[:-1]).abs().sum(0).flatten(1).sum(1)
            / (path[-1] - path[0]).abs().flatten(1).sum(1)
        ),
        "You add up the ways of single pixels. Take the length of the whole difference: `norm`.",
    ),
}


def check_detour(function):
    path = torch.randn(6, 3, 2, 4, 4).cumsum(0)
    got, want = function(path), detour(path)
    if torch.is_tensor(got) and got.ndim == 0:
        return "You return one number for all paths: keep the axis of the batch, one number each."
    if torch.is_tensor(got) and tuple(got.shape) == (5, 3):
        return "You have one number for each leg: add them up along the path."
    if problem := no_tensor(got, (3,), "the detours"):
        return problem
    if same(got, want):
        return None
    told = named(got, DETOURS, path)
    return told or f"Off by {off_by(got, want):.2f} on average."


def detours(function):
    """A straight line, two sides of a square and half a circle, each in 100 legs."""
    s = torch.linspace(0, 1, 101)
    corner = torch.stack([(2 * s).clamp(max=1), (2 * s - 1).clamp(min=0)], 1)
    circle = torch.stack([(torch.pi * s).cos(), (torch.pi * s).sin()], 1)
    paths = torch.stack([torch.stack([s, s], 1), corner, circle], 1)  # (101, 3, 2)
    return function(rearrange(paths, "s b xy -> s b 1 1 xy"))


# ---- 10.4: the answer that needs two calls ------------------------------------------------------


def guided_target(without, with_text, scale):
    return without + rearrange(scale, "b -> b 1 1 1") * (with_text - without)


def by_scale(scale):
    return rearrange(scale, "b -> b 1 1 1")


GUIDED: Mistakes = {
    "from the answer with text": (
        lambda without, with_text, scale: with_text + by_scale(scale) * (with_text - without),
        "You go too far by one difference: begin at the answer without the text, so that scale 1 "
        "is the answer with it.",
    ),
    "the wrong way": (
        lambda without, with_text, scale: without + by_scale(scale) * (without - with_text),
        "Your difference points away from the text: with_text - without.",
    ),
    "the two swapped": (
        lambda without, with_text, scale: with_text + by_scale(scale) * (without - with_text),
        "At scale 1 you get the answer without the text: the two are swapped.",
    ),
    "the difference alone": (
        lambda without, with_text, scale: by_scale(scale) * (with_text - without),
        "That is the difference alone, times the scale: add the answer without the text.",
    ),
    "no difference": (
        lambda without, with_text, scale: without + by_scale(scale) * with_text,
        "You add all of the answer with the text, scale times: only the difference is exaggerated.",
    ),
    "the scale along the width": (
        lambda without, with_text, scale: without + scale * (with_text - without),
        "Your scales run along the width of the pictures: every picture has its own, so give the "
        "scale the axes (B, 1, 1, 1).",
    ),
    "one scale for all": (
        lambda without, with_text, scale: without + scale.mean() * (with_text - without),
        "All pictures get the same scale: each has its own.",
    ),
    "the scale of the first": (
        lambda without, with_text, scale: without + scale[0] * (with_text - without),
        "All pictures get the scale of the first one.",
    ),
}


def check_guided_target(function):
    # as wide as the batch is large: there torch takes a scale of shape (B,) without an error
    a = torch.randn(4, 3, 8, 4), torch.randn(4, 3, 8, 4), torch.tensor([1.0, 2.0, 3.5, 6.0])
    got, want = function(*a), guided_target(*a)
    if problem := no_tensor(got, want.shape, "the target"):
        return problem
    if same(got, want):
        return None
    return named(got, GUIDED, *a) or f"The target is off by {off_by(got, want):.2f} on average."


SCALES = (0.0, 1.0, 2.0, 4.0)


def exaggerated(function):
    """A blurred apple and a sharp one as the two answers: guidance exaggerates what differs."""
    sharp = emoji("red apple").expand(4, -1, -1, -1)
    blurred = F.avg_pool2d(F.pad(sharp, (2, 2, 2, 2), value=1.0), 5, 1)
    return function(blurred, sharp, torch.tensor(SCALES)).clamp(-1, 1)


# ---- 10.5: where two steps land -----------------------------------------------------------------


def landing_velocity(x_t, x_next, t, t_next, schedule):
    signal, noise = schedule.rates(t, like=x_t)  # each (B, 1, 1, 1)
    signal_next, noise_next = schedule.rates(t_next, like=x_t)
    kept = signal_next * signal + noise_next * noise  # of x_t
    return (x_next - kept * x_t) / (noise_next * signal - signal_next * noise)


def rates_of(x_t, t, t_next, schedule):
    """signal, noise, signal_next, noise_next."""
    return *schedule.rates(t, like=x_t), *schedule.rates(t_next, like=x_t)


def wrong_landing(formula):
    """The mistake that takes this formula of x_t, x_next and the four rates."""

    def wrong(x_t, x_next, t, t_next, schedule):
        return formula(x_t, x_next, *rates_of(x_t, t, t_next, schedule))

    return wrong


LANDINGS: Mistakes = {
    "the sign": (
        wrong_landing(lambda x, y, a, s, b, q: (y - (b * a + q * s) * x) / (b * s - q * a)),
        "Your v is right but for its sign: below the line stands sigma' alpha - alpha' sigma.",
    ),
    "minus for plus": (
        wrong_landing(lambda x, y, a, s, b, q: (y - (b * a - q * s) * x) / (q * a - b * s)),
        "The part of x_t is wrong: it has two terms, and both are added.",
    ),
    "plus below the line": (
        wrong_landing(lambda x, y, a, s, b, q: (y - (b * a + q * s) * x) / (q * a + b * s)),
        "Below the line stands a difference: the clean picture holds minus sigma times v.",
    ),
    "nothing below the line": (
        wrong_landing(lambda x, y, a, s, b, q: y - (b * a + q * s) * x),
        "You have what is left for v to do, and not yet v: divide by what v counts.",
    ),
    "x_t forgotten": (
        wrong_landing(lambda x, y, a, s, b, q: y / (q * a - b * s)),
        "You left x_t out: a part of it is in the next place, whatever v is.",
    ),
    "the places subtracted": (
        wrong_landing(lambda x, y, a, s, b, q: y - x),
        "That is the way from x_t to x_next. A velocity is another thing: one DDIM step, solved "
        "for v.",
    ),
    "as if it were the picture": (
        wrong_landing(lambda x, y, a, s, b, q: (a * x - y) / s),
        "You treat x_next as the clean picture. It is noisy still: it has rates of its own.",
    ),
    "the levels swapped": (
        wrong_landing(lambda x, y, a, s, b, q: (x - (b * a + q * s) * y) / (s * b - a * q)),
        "Your v belongs to x_next: it leads back from there to x_t.",
    ),
    "a velocity of both": (
        wrong_landing(lambda x, y, a, s, b, q: a * x - s * y),
        "That is lesson 03's formula with two places in it: solve the step for v.",
    ),
}


def check_landing_velocity(function):
    schedule, (x_t, x_next) = cosine_schedule(), pure_noise(8, (3, 8, 8), seed=4).split(4)
    for t, t_next in ((799, 349), (torch.tensor([999, 500, 240, 20]), 9), (249, -1)):
        a = x_t, x_next, t, t_next, schedule
        got, want = function(*a), landing_velocity(*a)
        if problem := no_tensor(got, want.shape, "v"):
            return problem
        if same(got, want, atol=1e-3):
            continue
        if told := named(got, LANDINGS, *a):
            return told
        where = "the clean picture" if t_next == -1 else f"t = {t_next}"
        landed = ddim_step(got.float(), x_t, t, t_next, schedule)
        return f"One step with your v to {where} lands {off_by(landed, x_next):.2f} beside x_next."
    return None


LEVELS = ((999, 499), (749, 249), (499, 99), (249, -1))


def landed(function):
    """Where one step lands that is to land on an apple, with the noise of the next level."""
    apple, schedule, (eps, other) = emoji("red apple"), cosine_schedule(), pure_noise(2).split(1)
    places = []
    for t, t_next in LEVELS:
        x_t = add_noise(apple, t, other, schedule)
        x_next = apple if t_next == -1 else add_noise(apple, t_next, eps, schedule)
        v = function(x_t, x_next, t, t_next, schedule)
        places.append(ddim_step(v, x_t, t, t_next, schedule))
    return torch.cat(places)


# ---- 10.6: the diagnosis ------------------------------------------------------------------------

AGAINST = {
    "levels": "A network that is told other levels leaves too much noise or takes too much away. "
    "At scale 2 the pictures of the broken one are those of the healthy one: compare the rows.",
    "style": "Then another style would change nothing. Read the second column of the table.",
    "twice": "Then its colours would be stronger than those of the healthy one. Read the last "
    "column.",
    "end": "Then its last two predictions would be the same. Read the third column.",
}


def diagnosis():
    return "scale"


def check_diagnosis(function):
    said, problem = parse_choice(function(), ("levels", "scale", "style", "twice", "end"))
    return problem or AGAINST.get(said)


EXERCISES = (
    Exercise(
        name="10.1",
        title="the straight mixture",
        check=check_flow_pair,
        solution=flow_pair,
        hints=(
            "At t = 0 x_t is the picture, at t = 1 the noise, and half-way it is half of each. "
            "The target is how x_t changes when t grows: what do you get from x_0 to eps?",
            "Picture times `1 - t`, plus noise times `t`. The direction is a difference, and t is "
            "not in it. Return both, with a comma.",
        ),
        wrong={
            "x_t alone": lambda x_0, eps, t: (1 - t) * x_0 + t * eps,
            "the target first": lambda *a: flow_pair(*a)[::-1],
            "its own noise": lambda x_0, eps, t: (
                flow_pair(x_0, torch.randn_like(eps), t)[0],
                eps - x_0,
            ),
            **{
                what: functools.partial(lambda wrong, *a: (wrong(*a), flow_pair(*a)[1]), wrong)
                for what, wrong in makers(MIXTURES).items()
            },
            **{
                what: functools.partial(lambda wrong, *a: (flow_pair(*a)[0], wrong(*a)), wrong)
                for what, wrong in makers(DIRECTIONS).items()
            },
        },
        views=(
            Pictures(
                "An apple with noise; then what is left when t times the target is taken away",
                mixed_and_back,
                [f"t = {t:g}" for t in SHARES] + [f"back from {t:g}" for t in SHARES],
            ),
        ),
    ),
    Exercise(
        name="10.2",
        title="a step along the road",
        check=check_euler_step,
        solution=euler_step,
        hints=(
            "When t grows by 1, x changes by u. By how much does t change here? It becomes "
            "smaller.",
            "`t_next - t` is negative: x plus that times u.",
        ),
        wrong=makers(STEPS),
        views=(Pictures("Ten steps along a flow that knows four emoji by heart", walked_by),),
    ),
    Exercise(
        name="10.3",
        title="how long is the road?",
        check=check_detour,
        solution=detour,
        hints=(
            "The legs are `path[1:] - path[:-1]`. The length of each, one number a picture, then "
            "their sum along the path, then over the distance of the two ends.",
            "`.flatten(2).norm(dim=2)` of the legs is (S, B); `.flatten(1).norm(dim=1)` of "
            "`path[-1] - path[0]` is (B,).",
        ),
        wrong={
            "one number for all": lambda path: detour(path).mean(),
            "the legs not added": lambda path: (
                (path[1:] - path[:-1]).flatten(2).norm(dim=2)
                / (path[-1] - path[0]).flatten(1).norm(dim=1)
            ),
            **makers(DETOURS),
        },
        views=(
            Numbers(
                "Length over distance",
                detours,
                ["a straight line", "two sides of a square", "half a circle"],
            ),
        ),
    ),
    Exercise(
        name="10.4",
        title="what the student shall answer",
        check=check_guided_target,
        solution=guided_target,
        hints=(
            "It is lesson 07's guidance: begin at the answer without the text, and go `scale` "
            "times the difference that the text makes.",
            'Each picture has its own scale: `rearrange(scale, "b -> b 1 1 1")` gives it the axes '
            "of the pictures.",
        ),
        wrong=makers(GUIDED),
        views=(
            Pictures(
                "Two answers, a blurred apple and a sharp one, with four scales",
                exaggerated,
                [f"scale {scale:g}" for scale in SCALES],
            ),
        ),
    ),
    Exercise(
        name="10.5",
        title="landing in one step",
        check=check_landing_velocity,
        solution=landing_velocity,
        hints=(
            "Put the two predictions into the step: x_next is `signal_next * signal + noise_next * "
            "noise` times x_t, plus something times v. What is that something?",
            "v counts `noise_next * signal - signal_next * noise` times. So take the part of x_t "
            "from x_next, and divide by that.",
        ),
        wrong=makers(LANDINGS),
        views=(
            Pictures(
                "Where one step lands that is to land on an apple with the noise of the next level",
                landed,
                [f"{t} to {t_next}" for t, t_next in LEVELS[:-1]] + ["249 to the picture"],
            ),
        ),
    ),
    Exercise(
        name="10.6",
        title="diagnose it",
        check=check_diagnosis,
        solution=diagnosis,
        hints=(
            "A fault of what it *hears* leaves good pictures, and one experiment that changes "
            "nothing. A fault of how it *draws* shows in the pictures. Compare the rows of healthy "
            "and broken, column by column.",
            "One column is zero for the broken one. What was changed in that experiment?",
        ),
        wrong={
            "other levels": lambda: "levels",
            "deaf to the style": lambda: "style",
            "guidance twice": lambda: "twice",
            "no last step": lambda: "end",
        },
    ),
)
