"""Lesson 08: the error in decibels, where image-to-image begins, between two blocks of chaos."""

import torch
from einops import reduce

from .. import add_noise, cosine_schedule, pure_noise, timesteps
from . import Exercise, makers, named, no_tensor, off_by, same
from .beside import Numbers, Pictures, emoji, spread_between

# ---- 08.1: how much is lost ---------------------------------------------------------------------


def my_psnr(pictures, truth):
    return 10 * torch.log10(4 / reduce((pictures - truth) ** 2, "b c h w -> b", "mean"))


def range_of_one(pictures, truth):
    return 10 * torch.log10(1 / reduce((pictures - truth) ** 2, "b c h w -> b", "mean"))


def one_for_all(pictures, truth):
    return 10 * torch.log10(4 / ((pictures - truth) ** 2).mean())


def upside_down(pictures, truth):
    return 10 * torch.log10(reduce((pictures - truth) ** 2, "b c h w -> b", "mean") / 4)


def natural_logarithm(pictures, truth):
    return 10 * torch.log(4 / reduce((pictures - truth) ** 2, "b c h w -> b", "mean"))


OTHER_DECIBELS = {
    "without the ten": (
        lambda pictures, truth: my_psnr(pictures, truth) / 10,
        "Ten times too few: a decibel is a tenth of a power of ten.",
    ),
    "twenty times": (
        lambda pictures, truth: my_psnr(pictures, truth) * 2,
        "Twice too many: 20 goes with the root of the error, 10 with the squared error.",
    ),
    "the range not squared": (
        lambda pictures, truth: my_psnr(pictures, truth) - 10 * torch.tensor(2.0).log10(),
        "All are 3 dB too low: the range is squared, as the error is, 2 times 2.",
    ),
    "the sum of the error": (
        lambda pictures, truth: (
            my_psnr(pictures, truth) - 10 * torch.tensor(truth[0].numel()).log10()
        ),
        "You add the squared errors up: take their mean, so that a larger picture is no worse.",
    ),
    "the error not squared": (
        lambda pictures, truth: (
            10 * torch.log10(4 / reduce((pictures - truth).abs(), "b c h w -> b", "mean"))
        ),
        "Your error is not squared: (pictures - truth) ** 2.",
    ),
    "squared too late": (
        lambda pictures, truth: (
            10 * torch.log10(4 / reduce(pictures - truth, "b c h w -> b", "mean") ** 2)
        ),
        "Errors above and below cancel out: square first, then take the mean.",
    ),
    "the error itself": (
        lambda pictures, truth: reduce((pictures - truth) ** 2, "b c h w -> b", "mean"),
        "That is the squared error: now 4 over it, the logarithm, and ten times that.",
    ),
}


def check_psnr(function):
    truth = torch.rand(3, 3, 8, 8) * 2 - 1
    pictures = truth + torch.tensor([0.3, 0.1, 0.02]).reshape(3, 1, 1, 1) * torch.randn(3, 3, 8, 8)
    got, want, a = function(pictures, truth), my_psnr(pictures, truth), (pictures, truth)
    if torch.is_tensor(got) and got.ndim == 0:
        return "You return one number for all pictures: keep the axis b, one number a picture."
    if problem := no_tensor(got, (3,), "the decibels"):
        return problem
    if same(got, range_of_one(*a)):
        return (
            f"All are {off_by(got, want):.1f} dB too low: in [-1, 1] the range is 2, its square 4."
        )
    if same(got, upside_down(*a)):
        return f"You give {got[2]:.0f} dB to the best copy: range over error, not error over range."
    if same(got, natural_logarithm(*a)):
        return "Decibels count in powers of ten: log10, not log."
    if same(got, want):
        return None
    return named(got, OTHER_DECIBELS, *a) or f"Off by {off_by(got, want):.1f} dB on average."


def decibels(function):
    truth = torch.rand(3, 3, 8, 8) * 2 - 1
    noise = torch.tensor([0.3, 0.1, 0.02]).reshape(3, 1, 1, 1) * torch.randn_like(truth)
    return function(truth + noise, truth)


# ---- 08.2: where image-to-image begins ----------------------------------------------------------


def begin_at(latent, eps, strength, schedule, steps=20):
    levels = timesteps(steps)[steps - int(steps * strength) :]
    return add_noise(latent, levels[0], eps, schedule), levels


def noisiest_levels(latent, eps, strength, schedule, steps=20):
    levels = timesteps(steps)[: int(steps * strength)]
    return add_noise(latent, levels[0], eps, schedule), levels


def noise_on_top(latent, eps, strength, schedule, steps=20):
    return latent + eps, timesteps(steps)[steps - int(steps * strength) :]


def from_chaos(latent, eps, strength, schedule, steps=20):
    return eps, timesteps(steps)[steps - int(steps * strength) :]


def no_noise(latent, eps, strength, schedule, steps=20):
    return latent, timesteps(steps)[steps - int(steps * strength) :]


def check_begin(function):
    schedule, (latent, eps) = cosine_schedule(), pure_noise(2, (4, 16, 16), seed=5).split(1)
    for strength in (0.5, 0.8, 1.0):
        got = function(latent, eps, strength, schedule)
        if not isinstance(got, (tuple, list)) or len(got) != 2:
            return "Return two things: x_t, and the list of levels that are left."
        x_t, levels = got
        if torch.is_tensor(levels) and levels.shape == latent.shape:
            return "Return x_t first, then the levels."
        want, right = begin_at(latent, eps, strength, schedule)
        levels = [int(t) for t in levels]
        if levels != right and levels == timesteps(20)[: len(right)]:
            return f"At strength {strength} you keep the noisiest levels; keep the last ones."
        if levels == right[::-1]:
            return "Your levels rise: sampling goes from much noise to little."
        if levels != right:
            return f"At strength {strength}: expected {len(right)} levels, {right[0]} the first."
        if problem := no_tensor(x_t, latent.shape, "x_t"):
            return problem
        if same(x_t, latent + eps):
            return f"x_t has variance {x_t.var():.1f}: noise is mixed in, not added on top."
        if same(x_t, latent):
            return "There is no noise on it: the network would expect what is not there."
        if strength < 1 and same(x_t, eps):
            return f"At strength {strength} nothing is left of the picture: mix, with `add_noise`."
        if not same(x_t, function(latent, eps, strength, schedule)[0]):
            return "The same call twice, and two different x_t: use `eps`, which is given."
        for t, words in ((999, "the very first level"), (right[-1], "the last level")):
            if same(x_t, add_noise(latent, t, eps, schedule)) and t != right[0]:
                return f"You add the noise of {words}, t = {t}: begin at the first that is left."
        if not same(x_t, want):
            return f"x_t is off by {off_by(x_t, want):.2f}: add the noise of the first level left."
    return None


STRENGTHS = (0.3, 0.6, 0.9)


def begun(function):
    """The function mixes pictures as it mixes latents, and those need no decoder."""
    apple, schedule = emoji("red apple"), cosine_schedule()
    eps = torch.randn_like(apple)
    return torch.cat([function(apple, eps, strength, schedule)[0] for strength in STRENGTHS])


# ---- 08.3: between two blocks of chaos ----------------------------------------------------------


def between(a, b, share):
    return (1 - share) ** 0.5 * a + share**0.5 * b  # independent noise adds in squares


def straight_line(a, b, share):
    return (1 - share) * a + share * b


def the_other_way(a, b, share):
    return share**0.5 * a + (1 - share) ** 0.5 * b


def squares(a, b, share):
    return (1 - share) ** 2 * a + share**2 * b


def check_between(function):
    a, b = pure_noise(2, (4, 64, 64), seed=8).split(1)
    for share in (0.0, 0.3, 0.5, 1.0):
        got = function(a, b, share)
        if problem := no_tensor(got, a.shape, "the mixture"):
            return problem
        if share == 0 and same(got, b):
            return "At share 0 you return b: it should be a, and b at share 1."
        if share == 1 and same(got, -a):
            return "At share 1 you have arrived at -a: that is half a circle, a quarter leads to b."
        if share in (0.0, 1.0) and not same(got, b if share else a):
            return f"At share {share:g} it should be {'b' if share else 'a'} itself."
        std = got.std().item()
        if std < 0.5 and abs(std - 1) > 0.02:
            return f"At share {share} the standard deviation is {std:.2f}: roots, not squares."
        if abs(std - 1) > 0.02:
            return (
                f"At share {share} the standard deviation is {std:.2f}: the squares of the two "
                "factors must add up to 1."
            )
    return None


EXERCISES = (
    Exercise(
        name="08.1",
        title="how much is lost",
        check=check_psnr,
        solution=my_psnr,
        hints=(
            "First the mean squared error of each picture, then 4 over it, then ten times the "
            "logarithm to the base ten.",
            '`reduce((pictures - truth) ** 2, "b c h w -> b", "mean")` is the error of each.',
        ),
        wrong={
            "took 1 for the range": range_of_one,
            "one number for the whole batch": one_for_all,
            "error over range": upside_down,
            "the natural logarithm": natural_logarithm,
            **makers(OTHER_DECIBELS),
        },
        views=(
            Numbers(
                "Decibels of three copies, the first with much noise",
                decibels,
                ["noise 0.3", "noise 0.1", "noise 0.02"],
            ),
        ),
    ),
    Exercise(
        name="08.2",
        title="where image-to-image begins",
        check=check_begin,
        solution=begin_at,
        hints=(
            "Levels fall from 999. Half strength means the second half of them: the ones with "
            "little noise.",
            "`levels = timesteps(steps)[steps - int(steps * strength):]`; then the noise of "
            "`levels[0]`, as in lesson 01.",
        ),
        wrong={
            "kept the noisiest levels": noisiest_levels,
            "put the noise on top": noise_on_top,
            "began with chaos": from_chaos,
            "forgot the noise": no_noise,
            "levels first": lambda *a: begin_at(*a)[::-1],
            "rising levels": lambda *a: (begin_at(*a)[0], begin_at(*a)[1][::-1]),
            "fresh noise": lambda latent, eps, *a: begin_at(latent, torch.randn_like(eps), *a),
            "the noise of the last level": lambda latent, eps, strength, schedule: (
                add_noise(latent, timesteps(20)[-1], eps, schedule),
                begin_at(latent, eps, strength, schedule)[1],
            ),
            "always from the noisiest level": lambda latent, eps, strength, schedule: (
                add_noise(latent, 999, eps, schedule),
                begin_at(latent, eps, strength, schedule)[1],
            ),
        },
        views=(
            Pictures(
                "An apple, from which image-to-image begins",
                begun,
                [f"strength {strength}" for strength in STRENGTHS],
            ),
        ),
    ),
    Exercise(
        name="08.3",
        title="between two blocks of chaos",
        check=check_between,
        solution=between,
        hints=(
            "Variances of independent noise add up: a factor w gives variance w². Which two "
            "factors have squares that add up to 1?",
            "The square roots of `1 - share` and `share`. Or the cosine and the sine of an angle.",
        ),
        wrong={
            "a straight line": straight_line,
            "the other way round": the_other_way,
            "squares for roots": squares,
            "half a circle": lambda a, b, share: (
                torch.tensor(share * torch.pi).cos() * a + torch.tensor(share * torch.pi).sin() * b
            ),
        },
        views=(spread_between(lambda: pure_noise(2, (4, 64, 64), seed=8).split(1)),),
    ),
)
