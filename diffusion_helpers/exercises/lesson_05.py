"""Lesson 05: a noise meter, the waves, two knobs, a translated clock, a turn, silence, the best
stopped clock, a message of your own, a diagnosis."""

import functools
import math

import torch
import torch.nn.functional as F
from einops import rearrange

from ..data import load_emoji
from ..noising import cosine_schedule, linear_schedule
from ..sampling import ddim, pure_noise
from . import Exercise, makers, named, no_number, no_tensor, off_by, parse_choice, same
from .beside import FOUR, Curves, Numbers, Pictures, emoji, shipped
from .broken_models import broken_model

# ---- 05.1: a noise meter ------------------------------------------------------------------------


def noise_meter(x_t):
    differences = x_t[..., 1:] - x_t[..., :-1]  # (B, 3, 32, 31)
    typical = differences.abs().flatten(1).median(1).values  # (B,)
    return typical / 0.6745 / 2**0.5  # a difference of two is sqrt(2) times as large


def of_two(x_t):
    return noise_meter(x_t) * 2**0.5


def median_as_it_is(x_t):
    return noise_meter(x_t) * 0.6745


def median_alone(x_t):
    return noise_meter(x_t) * 0.6745 * 2**0.5


def mean_size(x_t):
    return (x_t[..., 1:] - x_t[..., :-1]).abs().flatten(1).mean(1) / 0.6745 / 2**0.5


def sizes_forgotten(x_t):
    return (x_t[..., 1:] - x_t[..., :-1]).flatten(1).median(1).values / 0.6745 / 2**0.5


OTHER_METERS = {
    "multiplied by 0.6745": (
        lambda x_t: noise_meter(x_t) * 0.6745**2,
        "you multiply by 0.6745, and the median has to be divided by it.",
    ),
    "multiplied by the root of 2": (
        lambda x_t: noise_meter(x_t) * 2,
        "you multiply by sqrt(2), and the size of a difference has to be divided by it.",
    ),
    "divided by 2": (
        lambda x_t: noise_meter(x_t) / 2**0.5,
        "you divide by 2; it is sqrt(2), for variances add and standard deviations do not.",
    ),
    "the standard deviation": (
        lambda x_t: (x_t[..., 1:] - x_t[..., :-1]).flatten(1).std(1) / 2**0.5,
        "the standard deviation minds every edge of a picture, the median does not.",
    ),
}


def check_noise_meter(function):
    x_t, want = 0.5 * torch.randn(3, 3, 32, 32), torch.full((3,), 0.5)
    x_t[:, :, :, 16:] += 4  # an edge: the meter must not mind it
    got, true = function(x_t), noise_meter(x_t)
    if isinstance(got, tuple) and hasattr(got, "values"):
        return "A median along an axis gives two things, the values and their places: .values."
    if torch.is_tensor(got) and got.shape == (3, 3):
        return "One number for each colour: flatten(1) puts the colours of a picture together."
    if torch.is_tensor(got) and got.ndim == 0:
        return "One number for all the pictures together: flatten(1) and median(1) keep them apart."
    if problem := no_tensor(got, want.shape, "the meter's reading"):
        return problem
    reads = f"Noise of 0.50 reads {got.mean():.2f} on your meter"
    if same(got, of_two(x_t)):
        return f"{reads}: a difference of two values is sqrt(2) times as large as one of them."
    if same(got, median_as_it_is(x_t)):
        return f"{reads}: the median of the sizes is 0.6745 standard deviations, so divide by that."
    if same(got, median_alone(x_t)):
        return f"{reads}: divide the median by 0.6745 and by sqrt(2)."
    if same(got, mean_size(x_t)):
        return f"{reads}: the mean minds the few edges of a picture, the median does not."
    if same(got, sizes_forgotten(x_t)):
        return f"{reads}: differences go up and down alike; take the median of their sizes, .abs()."
    if same(got, true, atol=0.01):
        return None
    told = named(got, OTHER_METERS, x_t)
    return f"{reads}: {told}" if told else f"{reads}; ours says {true.mean():.2f}."


NOISES = (0.1, 0.2, 0.4, 0.6, 0.8, 1.0)  # standard deviations


def readings(function):
    pictures = emoji(*FOUR)
    noisy = (pictures + noise * torch.randn_like(pictures) for noise in NOISES)
    return [torch.as_tensor(function(x_t)).mean() for x_t in noisy]


# ---- 05.2: the waves ----------------------------------------------------------------------------


def waves(t, n=64):
    speeds = torch.exp(-math.log(10_000) * torch.arange(n // 2) / (n // 2)).to(t.device)  # (32,)
    angles = rearrange(t.float(), "b -> b 1") * speeds  # (B, 32), in radians
    return torch.cat([angles.sin(), angles.cos()], dim=1)  # (B, 64)


def angles_of(t, join=torch.mul):
    speeds = torch.exp(-math.log(10_000) * torch.arange(32) / 32)
    return join(rearrange(t.float(), "b -> b 1"), speeds)


def waves_of(t, join=torch.mul):
    angles = angles_of(t, join)
    return torch.cat([angles.sin(), angles.cos()], dim=1)


def only_sines(t, n=64):
    return waves(t, n)[:, : n // 2]


def one_below_the_other(t, n=64):
    return torch.cat(waves(t, n).chunk(2, dim=1), dim=0)


def cosines_first(t, n=64):
    return torch.cat(waves(t, n).chunk(2, dim=1)[::-1], dim=1)


def speeds_forgotten(t, n=64):
    angles = rearrange(t.float(), "b -> b 1").expand(-1, n // 2)
    return torch.cat([angles.sin(), angles.cos()], dim=1)


def divided_by_speeds(t, n=64):
    speeds = torch.exp(-math.log(10_000) * torch.arange(n // 2) / (n // 2))
    angles = rearrange(t.float(), "b -> b 1") / speeds
    return torch.cat([angles.sin(), angles.cos()], dim=1)


OTHER_WAVES = {
    "in pairs": (
        lambda t: rearrange(waves(t), "b (two hand) -> b (hand two)", two=2),
        "All is there, in another order: first all sines, then all cosines, with torch.cat.",
    ),
    "only sines, twice": (
        lambda t: torch.cat([only_sines(t), only_sines(t)], dim=1),
        "Your second half is the first again: it should be the cosines.",
    ),
    "in full turns": (
        lambda t: waves_of(t * 2 * math.pi),
        "Your hands are 2 pi times too fast: the speeds are radians a step already.",
    ),
    "t divided by 1000": (
        lambda t: waves_of(t / 1000),
        "Your hands are 1000 times too slow: take t as it is.",
    ),
    "added the speeds": (
        lambda t: waves_of(t, torch.add),
        "You add the speeds to t: an angle is t times a speed.",
    ),
    "the angles themselves": (
        lambda t: torch.cat([angles_of(t)] * 2, dim=1),
        "You return angles: take their sines and cosines.",
    ),
}


def check_waves(function):
    t = torch.tensor([0, 1, 10, 500, 999])
    got, want = function(t), waves(t)
    shape = tuple(got.shape) if torch.is_tensor(got) else None
    if shape == (5, 32):
        return "32 numbers for each t: the sine and the cosine of every hand make 64."
    if shape == (10, 32):
        return "Sines and cosines stand below each other; dim=1 lays them side by side, 64 for a t."
    if problem := no_tensor(got, want.shape, "the waves"):
        return problem
    if same(got, cosines_first(t), atol=1e-3):
        return (
            "All is there, but the package has the sines first, and trained networks expect that."
        )
    if same(got, speeds_forgotten(t), atol=1e-3):
        return "All your hands turn at one speed: multiply t by `speeds`."
    if same(got, divided_by_speeds(t), atol=1e-3):
        return (
            "Your slow hands are the fast ones: the angle is t times the speed, not divided by it."
        )
    if same(got, want, atol=1e-3):
        return None
    for wrong, words in OTHER_WAVES.values():
        if same(got, wrong(t), atol=1e-3):
            return words
    return f"The waves of t = 1 are off by {off_by(got[1], want[1]):.2f} on average."


def drawn_waves(function):
    rows = function(torch.arange(0, 1000, 2))
    return rearrange(rows, "t wave -> 1 1 wave t").repeat_interleave(3, dim=2)


# ---- 05.3: two knobs ----------------------------------------------------------------------------


def turn(h, knobs):
    scale, shift = rearrange(knobs, "b (two c) -> two b c 1 1", two=2)
    return h * (1 + scale) + shift


def no_one(h, knobs):
    scale, shift = rearrange(knobs, "b (two c) -> two b c 1 1", two=2)
    return h * scale + shift


def knobs_swapped(h, knobs):
    shift, scale = rearrange(knobs, "b (two c) -> two b c 1 1", two=2)
    return h * (1 + scale) + shift


def shifted_first(h, knobs):
    scale, shift = rearrange(knobs, "b (two c) -> two b c 1 1", two=2)
    return (h + shift) * (1 + scale)


OTHER_TURNS = {
    "only the shift": (
        lambda h, knobs: h + turn(0 * h, knobs),
        "Your scale does nothing: multiply h by 1 + scale.",
    ),
    "only the scale": (
        lambda h, knobs: turn(h, knobs) - turn(0 * h, knobs),
        "Your shift does nothing: add it.",
    ),
    "h once more": (
        lambda h, knobs: h + turn(h, knobs),
        "You add h once more: the 1 in 1 + scale keeps it already.",
    ),
    "1 + shift": (
        lambda h, knobs: turn(h, knobs) + 1,
        "You add 1 + shift: the 1 belongs to the scale alone.",
    ),
    "added the scale": (
        lambda h, knobs: h + knobs.reshape(2, 2, 3, 1, 1).sum(1),
        "You add both knobs: the scale multiplies.",
    ),
    "1 - scale": (
        lambda h, knobs: turn(h, knobs * torch.tensor([-1.0] * 3 + [1.0] * 3)),
        "A larger scale makes your h smaller: it is 1 + scale.",
    ),
}


def check_turn(function):
    h, knobs = torch.randn(2, 3, 4, 4), torch.randn(2, 6)
    got = function(h, knobs)
    if problem := no_tensor(got, h.shape, "h"):
        return problem
    if same(got, no_one(h, knobs)):
        fresh = function(h, torch.zeros(2, 6)).abs().max()
        return (
            f"With both knobs at zero your loudest value is {fresh:.2f}, and {h.abs().max():.2f} "
            "came in: a fresh clock must change nothing, so multiply by 1 + scale."
        )
    if same(got, knobs_swapped(h, knobs)):
        return "The knobs are swapped: scale multiplies, shift is added."
    if same(got, shifted_first(h, knobs)):
        return "Your scale turns the shift as well: first multiply, then add."
    if same(got, turn(h, knobs)):
        return None
    told = named(got, OTHER_TURNS, h, knobs)
    return told or f"h is off by {off_by(got, turn(h, knobs)):.2f}."


KNOBS = ((0.0, 0.0), (-0.5, 0.0), (0.0, 0.5), (-2.0, 0.5))  # scale and shift


def turned(function):
    grey = emoji("dog face").mean(1, keepdim=True).expand(len(KNOBS), -1, -1, -1)
    return function(grey, torch.tensor(KNOBS))


# ---- 05.4: the translated clock -----------------------------------------------------------------


def translate(t, of_sampler, of_net):
    return (of_net - rearrange(of_sampler[t], "b -> b 1")).abs().argmin(1)


def no_size(t, of_sampler, of_net):
    return (of_net - rearrange(of_sampler[t], "b -> b 1")).argmin(1)


def other_way(t, of_sampler, of_net):
    return translate(t, of_net, of_sampler)


def check_translate(function):
    t = torch.tensor([0, 100, 500, 999])
    linear, cosine = linear_schedule().alpha_bar, cosine_schedule().alpha_bar
    got = function(t, linear, cosine)
    if problem := no_tensor(got, t.shape, "your t"):
        return problem
    if got.is_floating_point() or got.min() < 0 or got.max() > 999:
        return f"A t is a place in the row, a whole number from 0 to 999; you say {got.tolist()}."
    if (cosine[got] - linear[t]).abs().max() < 0.002:
        return None
    asked = f"You translate {t.tolist()} into {got.tolist()}"
    if torch.equal(got, other_way(t, linear, cosine)):
        return (
            f"{asked}, the wrong way: search in the network's row for the amount in the sampler's."
        )
    if torch.equal(got, no_size(t, linear, cosine)):
        return f"{asked}: without .abs() the most negative difference is the smallest."
    return (
        f"{asked}: at t = 500 the share of noise is {1 - linear[500]:.0%} for the sampler, "
        f"and {1 - cosine[got[2]]:.0%} for the network. Search for the nearest alpha_bar."
    )


def translated(function):
    return function(torch.arange(1000), linear_schedule().alpha_bar, cosine_schedule().alpha_bar)


def sampled_with_it(function):
    net, linear, cosine = shipped("ladder_time"), linear_schedule(), cosine_schedule()

    def told(x_t, t):
        own_t = function(t.expand(len(x_t)), linear.alpha_bar, cosine.alpha_bar)
        return net(x_t, own_t.clamp(0, 999))

    told.predicts = net.predicts
    *_, end = ddim(told, pure_noise(4), steps=10, schedule=linear)
    return end.clean


# ---- 05.5: once round ---------------------------------------------------------------------------


def steps_for_a_turn(hand):
    speed = 10_000 ** (-hand / 32)  # radians a step
    return 2 * math.pi / speed


def check_steps(function):
    for hand in (8, 0, 31):
        got, want = function(hand), steps_for_a_turn(hand)
        if problem := no_number(got, "the number of steps"):
            return problem
        got = float(got)
        if abs(got / want - 1) < 1e-3:
            continue
        if abs(got * 2 * math.pi / want - 1) < 1e-3:
            return f"In {got:,.0f} steps hand {hand} turns by one radian; a full turn is 2 pi."
        if hand and abs(got * want / (2 * math.pi) ** 2 - 1) < 1e-3:
            return (
                f"Hand {hand} is slower than hand 0, so it needs more steps: divide by its speed."
            )
        if abs(got * 2 / want - 1) < 1e-3:
            return f"In {got:,.1f} steps hand {hand} makes half a turn: a full one is 2 pi."
        if abs(got * 2 * math.pi / 360 / want - 1) < 1e-3:
            return (
                "360 is a turn in degrees; the hands move in radians, and 2 pi of them are a turn."
            )
        speed = 10_000 ** (-hand / 32)
        return (
            f"Hand {hand} moves {speed:.4f} radians a step: {got:g} steps turn it by "
            f"{got * speed:.2f}, and a full turn is 2 pi."
        )
    return None


HANDS = (0, 8, 16, 31)


# ---- 05.6: silence ------------------------------------------------------------------------------


def silence():
    return -1, 0  # 1 + scale is zero, and SiLU of zero is zero


def check_silence(function):
    pair = function()
    if not isinstance(pair, (tuple, list)) and not (torch.is_tensor(pair) and pair.shape == (2,)):
        return "Two numbers are asked for: return scale, shift."
    if len(pair) != 2:
        return f"Two numbers are asked for, scale and shift; you return {len(pair)}."
    for name, value in zip(("scale", "shift"), pair):
        if problem := no_number(value, name):
            return problem
    scale, shift = (float(value) for value in pair)
    said = F.silu(torch.randn(1000) * (1 + scale) + shift)
    if said.abs().max() < 1e-6:
        return None
    if said.std() < 1e-6:
        return f"It no longer hears its channel, but it always says {said[0]:.2f}."
    return f"It still says things between {said.min():.2f} and {said.max():.2f}."


LOUD = torch.linspace(-3, 3, 61)  # what the channel holds


def heard(function):
    scale, shift = function()
    return F.silu(LOUD * (1 + scale) + shift)


# ---- 05.7: the best stopped clock ---------------------------------------------------------------


def best_hour(grid, told):
    return told[grid.mean(1).argmin()]


TOLD = (0, 300, 600, 990)
GRID = torch.tensor(  # an error for each told t, a row, and each true one
    [
        [0.30, 0.70, 1.00, 0.50],
        [0.90, 0.08, 1.25, 1.40],
        [1.00, 0.50, 0.05, 0.75],
        [1.25, 1.00, 0.25, 0.02],
    ]
)


def check_best_hour(function):
    told, grid = list(TOLD), GRID
    for table in (grid, grid.roll((1, 1), (0, 1))):
        got, want = function(table, told), best_hour(table, told)
        if problem := no_number(got, "the hour"):
            return problem
        got = float(got)
        if got == want:
            continue
        if got == told.index(want):
            return f"You return {got:g}, the number of the row; the t that was told is asked for."
        if got == told[table.mean(0).argmin()]:
            return (
                f"You say {got:g}: that is the true t that suffers least. The told t runs along "
                "the rows, so take the mean of each row."
            )
        if got == told[table.diagonal().argmin()]:
            return (
                f"You say {got:g}, where the honest clock does best; a stopped one is told always."
            )
        if got == told[table.max(1).values.argmin()]:
            return (
                f"You say {got:g}, where the worst error is smallest; asked for is the smallest "
                "mean over all true levels."
            )
        if got in told:
            mine, best = (table[told.index(hour)].mean() for hour in (got, want))
            return (
                f"You say {got:g}, with a mean error of {mine:.2f}; there is one with {best:.2f}."
            )
        return f"You say {got:g}, and nobody was told that: the hours are {told}."
    return None


def stopped_clock(function):
    hour = function(GRID, list(TOLD))
    return hour, GRID[TOLD.index(hour)].mean() if hour in TOLD else "nobody was told so"


# ---- 05.8: a message of your own ----------------------------------------------------------------


def my_message(t):
    halves = torch.arange(1, 33)  # hand k makes k half turns in 1000 steps: none is wasted
    angles = rearrange(t, "b -> b 1") / 1000 * math.pi * halves
    return torch.cat([angles.sin(), angles.cos()], dim=1)


def bare_number(t):
    return rearrange(t, "b -> b 1") / 1000


def powers(t):
    return bare_number(t) ** torch.arange(1, 9)


def of_all_together(t):
    return my_message(t / t.max() * 999)


@functools.cache
def curves():
    """Curves over t, (1000, 12): the noise rate, its logarithm, ten windows."""
    noise_rate = (1 - cosine_schedule().alpha_bar).sqrt()
    windows = torch.eye(10, dtype=torch.float64).repeat_interleave(100, dim=0)
    return torch.cat([torch.stack([noise_rate, noise_rate.log()], dim=1), windows], dim=1)


def drawn(message):
    """The share of each curve that the best linear layer draws of a message (1000, n), (12,)."""
    inputs = torch.cat([message, torch.ones(1000, 1)], dim=1).double()
    fit = inputs @ torch.linalg.lstsq(inputs, curves(), driver="gelsd").solution
    return 1 - (fit - curves()).var(0) / curves().var(0)


def check_message(function):
    t = torch.arange(1000)
    got = function(t)
    if not torch.is_tensor(got) or got.ndim != 2 or len(got) != 1000:
        kind = tuple(got.shape) if torch.is_tensor(got) else type(got).__name__
        return f"A row of numbers for each t is asked for, (1000, up to 64); you return {kind}."
    if got.shape[1] > 64:
        return f"You need {got.shape[1]} numbers for a t; the clock has room for 64."
    if problem := no_tensor(got, got.shape, "your message"):
        return problem
    alone = function(t[500:501])
    if (
        not torch.is_tensor(alone)
        or alone.shape != got[500:501].shape
        or not same(alone, got[500:501], atol=1e-3)
    ):
        return "t = 500 alone gets another message than among all t: it may depend on its t only."
    mine, theirs = (drawn(message).mean().item() for message in (got, waves(t)))
    if mine > theirs:
        return None
    if mine > theirs - 1e-4:
        return f"One linear layer draws {mine:.1%} of the curves, just as of our waves: do better."
    return (
        f"Of your message one linear layer draws {mine:.1%} of the curves, of our waves "
        f"{theirs:.1%}."
    )


def drawn_of_it(function):
    rate, logarithm, *windows = drawn(function(torch.arange(1000))).tolist()
    return [f"{share:.1%}" for share in (rate, logarithm, sum(windows) / len(windows))]


# ---- 05.9: a diagnosis --------------------------------------------------------------------------


def diagnosis():
    return "jams"


CAUSES = ("stopped", "backwards", "slow", "deaf", "turns", "jams")


@functools.cache
def unseen():
    emoji = load_emoji()
    return emoji.images[emoji.held_out][:8]


@torch.no_grad()
def error(net, true_t, told_t):
    """The error of the velocity over 8 unseen emoji, as the lesson measures it."""
    x_0, schedule = unseen(), cosine_schedule()
    eps = torch.randn(x_0.shape, generator=torch.Generator().manual_seed(0))
    signal_rate, noise_rate = schedule.rates(true_t, like=x_0)
    v = net(signal_rate * x_0 + noise_rate * eps, torch.tensor(told_t))
    return (v - (signal_rate * eps - noise_rate * x_0)).square().mean().item()


def check_diagnosis(function):
    said, problem = parse_choice(function(), CAUSES)
    if problem:
        return problem
    if said == "jams":
        return None
    ill, well = broken_model("05", "cpu"), shipped("ladder_time")
    if said == "stopped":
        low, high = (error(ill, t, t) / error(well, t, t) for t in (100, 500))
        return (
            "A clock that always shows one t is wrong at all others. At t = 100 and at t = 500 the "
            f"broken model's error is {low:.2f} and {high:.2f} times the healthy one's."
        )
    if said == "backwards":
        would, does = error(well, 100, 899), error(ill, 100, 100)
        return (
            f"At t = 100 it would hear 899, with an error of {would:.2f}; its error is {does:.2f}, "
            "as the healthy one's. Experiment 3 speaks against it."
        )
    if said == "slow":
        would, does = error(well, 500, 250), error(ill, 500, 500)
        return (
            f"At t = 500 it would hear 250, with an error of {would:.2f}; its error is {does:.2f}, "
            "as the healthy one's. Experiment 2 speaks against it."
        )
    if said == "deaf":
        truth, lie = error(ill, 300, 300), error(ill, 300, 600)
        return (
            f"It hears well enough to believe a lie: at true t = 300, told 300, its error is "
            f"{truth:.2f}, told 600 {lie:.2f}. Experiment 1 speaks against it."
        )
    low, high = error(ill, 300, 800), error(ill, 300, 950)
    return (
        "If it ran back, told 800 and told 950 would be different words to it. At true t = 300 "
        f"its error is {low:.3f} with the one and {high:.3f} with the other: try that in "
        "experiment 4."
    )


EXERCISES = (
    Exercise(
        name="05.1",
        title="a noise meter",
        check=check_noise_meter,
        solution=noise_meter,
        hints=(
            "Sizes: `.abs()`. One row of numbers for each picture: `.flatten(1)`. Its median: "
            "`.median(1).values`.",
            "The median size is 0.6745 standard deviations of the differences, and a difference "
            "of two values is sqrt(2) times as large as one of them: divide by both.",
        ),
        wrong={
            "forgot that a difference has two values": of_two,
            "forgot the 0.6745": median_as_it_is,
            "returned the median itself": median_alone,
            "took the mean": mean_size,
            "forgot the absolute value": sizes_forgotten,
            "forgot the values": lambda x_t: (
                (x_t[..., 1:] - x_t[..., :-1]).abs().flatten(1).median(1)
            ),
            "each colour": lambda x_t: torch.stack([noise_meter(c) for c in x_t.split(1, 1)], 1),
            **makers(OTHER_METERS),
        },
        views=(
            Curves(
                "The meter on four emoji with noise",
                readings,
                NOISES,
                "noise that is there",
                "noise that it reads",
            ),
        ),
    ),
    Exercise(
        name="05.2",
        title="a clock with 32 hands",
        check=check_waves,
        solution=waves,
        hints=(
            'Angle = t times speed. t is (B,), the speeds are (32,): `rearrange(t.float(), "b -> b '
            '1")` makes t a column, and times the speeds it is (B, 32).',
            "`torch.cat([angles.sin(), angles.cos()], dim=1)` lays both side by side.",
        ),
        wrong={
            "only the sines": only_sines,
            "sines and cosines below each other": one_below_the_other,
            "cosines first": cosines_first,
            "forgot the speeds": speeds_forgotten,
            "divided by the speeds": divided_by_speeds,
            **makers(OTHER_WAVES),
        },
        views=(
            Pictures(
                "The waves of t = 0 on the left to t = 998 on the right, one row each",
                drawn_waves,
                columns=1,
                height=160,
            ),
        ),
    ),
    Exercise(
        name="05.3",
        title="two knobs a channel",
        check=check_turn,
        solution=turn,
        hints=(
            "It is the formula above, as it stands. scale is knobs[0], shift is knobs[1]; both "
            "fit to h already.",
            "With both knobs at zero h must come out as it went in: what do you multiply by then?",
        ),
        wrong={
            "forgot the 1": no_one,
            "swapped the knobs": knobs_swapped,
            "shifted before scaling": shifted_first,
            **makers(OTHER_TURNS),
        },
        views=(
            Pictures(
                "A channel, turned",
                turned,
                [f"scale {scale:g}, shift {shift:g}" for scale, shift in KNOBS],
            ),
        ),
    ),
    Exercise(
        name="05.4",
        title="the translated clock",
        check=check_translate,
        solution=translate,
        hints=(
            "How much picture is left at t in the sampler's row? Look for the place in the net's "
            "row where as much is left, as `read_off` does with the noise rate.",
            'Make `of_sampler[t]` a column, `rearrange(..., "b -> b 1")`; its distances from '
            "`of_net` are (B, 1000), and `.argmin(1)` gives the places of the smallest.",
        ),
        wrong={
            "did not translate": lambda t, of_sampler, of_net: t,
            "the wrong way": other_way,
            "forgot the absolute value": no_size,
            "returned alpha_bar": lambda t, of_sampler, of_net: of_sampler[t],
        },
        views=(
            Curves("Translated", translated, range(1000), "t of the sampler", "t of the network"),
            Pictures("Samples with the translated t", sampled_with_it),
        ),
    ),
    Exercise(
        name="05.5",
        title="once round",
        check=check_steps,
        solution=steps_for_a_turn,
        hints=(
            "Steps = way / speed. The way is a full turn, 2 pi radians.",
            "In `waves` hand number i has the speed exp(-log(10000) i / 32): that is "
            "10000 ** (-i / 32).",
        ),
        wrong={
            "one radian instead of a turn": lambda hand: 10_000 ** (hand / 32),
            "multiplied by the speed": lambda hand: 2 * math.pi * 10_000 ** (-hand / 32),
            "a turn in degrees": lambda hand: 360 * 10_000 ** (hand / 32),
            "half a turn": lambda hand: steps_for_a_turn(hand) / 2,
        },
        views=(
            Numbers(
                "Steps for a full turn",
                lambda f: [f(hand) for hand in HANDS],
                [f"hand {hand}" for hand in HANDS],
            ),
        ),
    ),
    Exercise(
        name="05.6",
        title="silence",
        check=check_silence,
        solution=silence,
        hints=(
            "First make it deaf to its channel: which scale multiplies h by zero?",
            "Then SiLU gets the shift alone. For which number does SiLU say zero?",
        ),
        wrong={
            "scale 0, which changes nothing": lambda: (0, 0),
            "deaf, but not silent": lambda: (-1, -1),
            "a small shift": lambda: (0, -4),
        },
        views=(
            Curves("After SiLU", heard, LOUD.tolist(), "what is in the channel", "what it says"),
        ),
    ),
    Exercise(
        name="05.7",
        title="right twice a day",
        check=check_best_hour,
        solution=best_hour,
        hints=(
            "A stopped clock is one row of the table: told the same, whatever is true.",
            "`grid.mean(1)` is the mean of each row. You need the place of the smallest, and then "
            "the hour that stands there in `told`.",
        ),
        wrong={
            "the mean of each column": lambda grid, told: told[grid.mean(0).argmin()],
            "the best on the diagonal": lambda grid, told: told[grid.diagonal().argmin()],
            "the number of the row": lambda grid, told: grid.mean(1).argmin(),
            "the smallest of the largest": lambda grid, told: told[grid.max(1).values.argmin()],
        },
        views=(Numbers("A stopped clock, in an example", stopped_clock, ["t", "mean error"]),),
    ),
    Exercise(
        name="05.8",
        title="a message of your own",
        check=check_message,
        solution=my_message,
        hints=(
            "Our slowest hands hardly move in 1000 steps, and our fastest go round so often that "
            "no curve asks for them. Which speeds would you choose?",
            "Let hand k make k half turns in the whole day: angles pi k t / 1000, k from 1 to 32.",
        ),
        wrong={
            "the bare number": bare_number,
            "powers of t": powers,
            "our waves": waves,
            "a number for each t": lambda t: F.one_hot(t, 1000).float(),
            "depends on the other t": of_all_together,
        },
        views=(
            Numbers(
                "How much of each curve one linear layer draws",
                drawn_of_it,
                ["noise rate", "its logarithm", "ten windows"],
            ),
        ),
    ),
    Exercise(
        name="05.9",
        title="what is wrong with it?",
        check=check_diagnosis,
        solution=diagnosis,
        hints=(
            "Experiment 4, told the truth from 600 to 999: from where on is the broken model worse "
            "than the healthy one? That is the t.",
            "Experiment 4, told 800, 900 and 999: does the broken model notice that you say "
            "something else?",
        ),
        wrong={cause: functools.partial(str, cause) for cause in CAUSES[:-1]},
    ),
)
