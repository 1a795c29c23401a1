"""Workshop 09: half of the pictures old ones, a layer with a note, merged, its size, a measure."""

import math

import torch
from torch import nn

from . import Exercise, makers, named, no_number, no_tensor, off_by, same
from .beside import Numbers, Pictures, emoji

# ---- 09.1: half and half ------------------------------------------------------------------------


def half_and_half(drawings, old):
    row = torch.arange(len(old)) % len(drawings)  # 0, 1, 2, 0, 1, 2, ...
    return torch.cat([drawings[row], old])


def as_they_are(drawings, old):
    return torch.cat([drawings, old])


def old_ones_first(drawings, old):
    return half_and_half(drawings, old).roll(len(old), 0)


def too_many(drawings, old):
    return torch.cat([drawings.repeat(len(old) // len(drawings) + 1, 1, 1, 1), old])


def too_few(drawings, old):
    return torch.cat([drawings.repeat(len(old) // len(drawings), 1, 1, 1), old])


def one_drawing(drawings, old):
    return torch.cat([drawings[:1].expand_as(old), old])


def one_after_another(drawings, old):
    return half_and_half(drawings, old).unflatten(0, (2, -1)).transpose(0, 1).flatten(0, 1)


HALVES = {  # {what was done: (a function that does it, what to say)}
    "the old ones first": (
        old_ones_first,
        "The old pictures come first in yours: the texts expect the drawings first.",
    ),
    "always the first drawing": (
        one_drawing,
        "Only the first drawing comes, again and again: all of them should.",
    ),
    "drawings only": (
        lambda drawings, old: torch.cat([half_and_half(drawings, old)[: len(old)]] * 2),
        "Nothing but drawings: what the network knew is nowhere among them.",
    ),
    "old ones only": (
        lambda drawings, old: torch.cat([old, old]),
        "Nothing but old pictures: there is no drawing among them.",
    ),
    "one after another": (
        one_after_another,
        "Half and half, but by turns: first all drawings, then all old pictures.",
    ),
    "the mean of both": (
        lambda drawings, old: torch.cat([(half_and_half(drawings, old)[: len(old)] + old) / 2] * 2),
        "You mix the pictures themselves; join the two heaps and leave each picture as it is.",
    ),
    "each drawing many times in a row": (
        lambda drawings, old: torch.cat(
            [drawings.repeat_interleave(len(old) // len(drawings) + 1, 0)[: len(old)], old]
        ),
        "You repeat the first drawing until it is done, so that the last one comes less often: go "
        "through all of them, then again.",
    ),
}


def check_half_and_half(function):
    for few, many in ((3, 10), (4, 12), (5, 5)):
        drawings, old = torch.rand(few, 3, 8, 8), torch.rand(many, 3, 8, 8) - 1
        got = function(drawings, old)
        if torch.is_tensor(got) and got.ndim == 4 and got.shape[1:] == old.shape[1:]:
            drawn = int((got >= 0).flatten(1).all(1).sum())
            if len(got) == few + many != 2 * many:
                return f"Of {len(got)} pictures {drawn} are drawings: repeat them, one to one."
            if len(got) > 2 * many:
                return (
                    f"{drawn} drawings beside {many} old pictures: cut the repeated ones off, "
                    f"[:{many}]."
                )
            if many <= len(got) < 2 * many:
                return f"{drawn} drawings beside {many} old pictures: repeat once more, then cut."
        if problem := no_tensor(got, (2 * many, 3, 8, 8), "the pictures"):
            return problem
        want = half_and_half(drawings, old)
        if same(got, want):
            continue
        if said := named(got, HALVES, drawings, old):
            return said
        return f"{int((got != want).flatten(1).any(1).sum())} of {2 * many} pictures are others."
    return None


def heap(function):
    return function(emoji("red apple", "rocket"), emoji("dog face", "pizza", "cat face", "house"))


# ---- 09.2: a layer with a note -------------------------------------------------------------------


def with_note(x, base, down, up, strength):
    return base(x) + strength * up(down(x))


def without_base(x, base, down, up, strength):
    return strength * up(down(x))


def without_strength(x, base, down, up, strength):
    return base(x) + up(down(x))


def all_scaled(x, base, down, up, strength):
    return strength * (base(x) + up(down(x)))


def faded_over(x, base, down, up, strength):
    return (1 - strength) * base(x) + strength * up(down(x))


def behind_base(x, base, down, up, strength):
    return base(x) + strength * up(down(base(x)))


def up_first(x, base, down, up, strength):
    return base(x) + strength * down(up(x))


def no_gradient(x, base, down, up, strength):
    return (base(x) + strength * up(down(x))).detach()


BESIDE = {
    "forgot the base layer": (
        without_base,
        "The base layer is gone: what the network learned before has to stay, and yours is added.",
    ),
    "forgot the strength": (
        without_strength,
        "The strength does nothing: at 0 the layer should be the base layer alone.",
    ),
    "scaled the base layer, too": (
        all_scaled,
        "At strength 0 nothing is left: the strength belongs to the note only.",
    ),
    "faded from one to the other": (
        faded_over,
        "At strength 1 the base layer is gone: it stays whole at each strength.",
    ),
    "behind the base layer": (
        behind_base,
        "Your note gets what the base layer made; both get x, side by side.",
    ),
    "subtracted": (
        lambda x, base, down, up, strength: base(x) - strength * up(down(x)),
        "A minus where a plus belongs: a rising strength leads away from the new word.",
    ),
    "one of the two layers only": (
        lambda x, base, down, up, strength: base(x) + strength * up(x),
        "`down` has no part in it: first down to the low rank, then up again.",
    ),
}


def check_with_note(function):
    base, up, down = nn.Linear(6, 6), nn.Linear(6, 6, bias=False), nn.Linear(6, 6, bias=False)
    thin, wide = nn.Linear(6, 2, bias=False), nn.Linear(2, 6, bias=False)
    x = torch.randn(5, 6)
    for strength in (0.7, 0.0, 1.0):
        got, a = function(x, base, down, up, strength), (x, base, down, up, strength)
        if problem := no_tensor(got, (5, 6), "what comes out"):
            return problem
        want = with_note(*a)
        if same(got, up_first(*a)) and strength:
            return "`up` comes before `down` in yours: x goes down to the low rank first."
        typical = next((words for f, words in BESIDE.values() if same(got, f(*a))), None)
        if not same(got, want):
            return typical or f"At strength {strength:g} you are off by {off_by(got, want):.2f}."
        if not got.requires_grad:
            return "No gradient gets through to `down` and `up`: they could not learn."
    got = function(x, base, thin, wide, 1.0)
    if not same(got, with_note(x, base, thin, wide, 1.0)):
        return "With a rank of 2 it is another layer: use `down` and `up` as they come."
    conv, across = nn.Conv2d(3, 4, 3, padding=1), nn.Conv2d(3, 2, 3, padding=1, bias=False)
    place, x = nn.Conv2d(2, 4, 1, bias=False), torch.randn(2, 3, 8, 8)
    if not same(function(x, conv, across, place, 1.0), with_note(x, conv, across, place, 1.0)):
        return "It fits a Linear, but not a convolution: call the layers, whatever they are."
    return None


STRENGTHS = (0.0, 0.5, 1.0)


def distance_at_each_strength(function):
    """How far the layer is from its base layer."""
    base, down, up = nn.Linear(6, 6), nn.Linear(6, 6, bias=False), nn.Linear(6, 6, bias=False)
    x = torch.randn(50, 6)
    return [off_by(function(x, base, down, up, s), base(x)) for s in STRENGTHS]


# ---- 09.3: merged -------------------------------------------------------------------------------


def merged(weight, down, up, strength):
    return weight + strength * up @ down


def wrong_way_round(weight, down, up, strength):
    return weight + strength * (up @ down).T


MERGES = {
    "forgot the strength": (
        lambda weight, down, up, strength: weight + up @ down,
        "The strength does nothing: at 0 the weight should come back as it was.",
    ),
    "forgot the weight": (
        lambda weight, down, up, strength: strength * up @ down,
        "That is the note alone: the layer's own weight is gone.",
    ),
    "scaled the weight, too": (
        lambda weight, down, up, strength: strength * (weight + up @ down),
        "The strength belongs to the note only: at 0 nothing is left of the layer.",
    ),
    "faded from one to the other": (
        lambda weight, down, up, strength: (1 - strength) * weight + strength * up @ down,
        "At strength 1 the layer's own weight is gone: it stays whole, and the note is added.",
    ),
    "turned over": (
        wrong_way_round,
        "Rows and columns are exchanged: `up @ down` has the shape of the weight as it is.",
    ),
    "subtracted": (
        lambda weight, down, up, strength: weight - strength * up @ down,
        "A minus where a plus belongs: that takes the note out of a layer.",
    ),
    "behind the weight": (
        lambda weight, down, up, strength: weight + strength * up @ down @ weight,
        "The note stands beside the weight, not behind it: the product is of `up` and `down` only.",
    ),
    "strength twice": (
        lambda weight, down, up, strength: weight + (strength * up) @ (strength * down),
        "The strength counts twice, in `up` and in `down`: once is enough.",
    ),
}


def check_merged(function):
    weight, down, up = torch.randn(6, 6), torch.randn(2, 6), torch.randn(6, 2)
    for strength in (0.7, 0.0, 1.0):
        got, a = function(weight, down, up, strength), (weight, down, up, strength)
        if torch.is_tensor(got) and got.shape == (2, 2):
            return "`down @ up` is 2 x 2, as small as the rank: it is `up @ down`."
        if problem := no_tensor(got, (6, 6), "the weight"):
            return problem
        want = merged(*a)
        if not same(got, want):
            away = f"At strength {strength:g} you are off by {off_by(got, want):.2f}, on average."
            return named(got, MERGES, *a) or away
    wide, x = (torch.randn(5, 7), torch.randn(3, 7), torch.randn(5, 3), 0.5), torch.randn(4, 7)
    got = function(*wide)
    if problem := no_tensor(got, (5, 7), "the weight"):
        return problem
    with_note = x @ wide[0].T + 0.5 * x @ wide[1].T @ wide[2].T
    return None if same(x @ got.T, with_note) else "It fits a square weight, but no other."


def merged_stripes(function):
    weight, (adapter, _) = two_adapters()
    return torch.stack([function(weight, *adapter, s) for s in STRENGTHS])[:, None] / 2


# ---- 09.4: how many numbers ---------------------------------------------------------------------


def adapter_numbers(shape, rank):
    return rank * (shape[0] + math.prod(shape[1:]))


COUNTS = {
    "the full matrix": (
        lambda shape, rank: math.prod(shape),
        "That is the weight itself: `down` and `up` are what you save.",
    ),
    "rank times the full matrix": (
        lambda shape, rank: rank * math.prod(shape),
        "Numbers of two layers add up: rank times one side, plus rank times the other.",
    ),
    "one of the two": (
        lambda shape, rank: rank * math.prod(shape[1:]),
        "That is `down` alone; `up` has a row of `rank` numbers for each output.",
    ),
    "the other of the two": (
        lambda shape, rank: rank * shape[0],
        "That is `up` alone; `down` has a row for each of the `rank` numbers.",
    ),
    "forgot the kernel": (
        lambda shape, rank: rank * (shape[0] + shape[1]),
        "Right for a matrix. In a convolution `down` has a kernel: its k times k counts, too.",
    ),
    "the kernel twice": (
        lambda shape, rank: rank * (shape[0] + shape[1]) * math.prod(shape[2:]),
        "Right for a matrix. In a convolution only `down` has the kernel; `up` is 1 x 1.",
    ),
    "forgot the rank": (
        lambda shape, rank: shape[0] + math.prod(shape[1:]),
        "That is rank 1: each rank brings one row of `down` and one column of `up`.",
    ),
    "the rank squared": (
        lambda shape, rank: rank**2 * (shape[0] + math.prod(shape[1:])),
        "One rank too many: each of the two layers has the rank as one side, once.",
    ),
}
WEIGHTS = {"a Linear": (256, 128), "a square one": (128, 128), "a convolution": (64, 32, 3, 3)}


def check_numbers(function):
    rest = [kind for kind in COUNTS if kind not in ("forgot the kernel", "the kernel twice")]
    for what, shape in WEIGHTS.items():
        got, want = function(shape, 4), adapter_numbers(shape, 4)
        if problem := no_number(got, "the count"):
            return problem
        got, kinds = float(got), rest if len(shape) == 2 else COUNTS
        if got == want:
            continue
        for kind in kinds:
            if got == COUNTS[kind][0](shape, 4):
                return COUNTS[kind][1]
        return f"For {what}, {shape}, at rank 4: you count {got:,.0f}, and there are {want:,}."
    if float(function(WEIGHTS["a square one"], 7)) != adapter_numbers((128, 128), 7):
        return "Right at rank 4 and wrong at rank 7: use `rank`."
    return None


def counts(function):
    return [function(shape, 4) for shape in WEIGHTS.values()]


# ---- 09.5: recognised ---------------------------------------------------------------------------


def recognised(samples, own, others):
    nearest = torch.cdist(samples, torch.cat([own, others])).argmin(1)
    return (nearest < len(own)).float().mean()


def nearest_of_own(samples, own, others):
    return torch.cdist(samples, own).argmin(1)


def by_mean(samples, own, others):
    return (torch.cdist(samples, own).mean(1) < torch.cdist(samples, others).mean(1)).float().mean()


def to_the_mean(samples, own, others):
    own = own.mean(0, keepdim=True)
    return recognised(samples, own, others)


def found_of_own(samples, own, others):
    """How many of the own pictures have a sample as their nearest: the question turned round."""
    return recognised(own, samples, others)


MEASURES = {
    "the farthest": (
        lambda samples, own, others: (
            (torch.cdist(samples, torch.cat([own, others])).argmax(1) < len(own)).float().mean()
        ),
        "You take the farthest: the nearest has the smallest distance, argmin.",
    ),
    "a count": (
        lambda samples, own, others: recognised(samples, own, others) * len(samples),
        "That is how many of them: a share goes from 0 to 1.",
    ),
    "the others' share": (
        lambda samples, own, others: 1 - recognised(samples, own, others),
        "That is the share whose nearest is one of the others.",
    ),
    "mean distances": (
        by_mean,
        "You compare mean distances; one drawing that is nearer than all others is enough.",
    ),
    "the mean of the drawings": (
        to_the_mean,
        "You compare with the mean of the drawings, which looks like none of them.",
    ),
    "turned round": (
        found_of_own,
        "Turned round: for each sample its nearest picture, not for each drawing.",
    ),
    "not the first of them": (
        lambda samples, own, others: (
            (torch.cdist(samples, torch.cat([own, others])).argmin(1) <= len(own)).float().mean()
        ),
        "One row too many: rows 0 to len(own) - 1 are the drawings.",
    ),
}


def spots():
    """Samples, drawings and others on a plane; each measure gives another share."""
    own = torch.tensor([[0.0, 0.0], [4.0, 0.0], [0.0, 4.0]])
    others = torch.tensor([[1.2, 1.2], [9.0, 9.0], [-6.0, 0.0], [8.0, -7.0], [5.0, 5.0]])
    samples = [[0.1, 0.2], [4.1, 0.0], [3.6, 0.2], [0.1, 3.8], [0.2, 4.3]]
    samples += [
        [1.1, 1.3],
        [1.3, 1.4],
        [8.0, 9.0],
        [-5.0, 0.1],
        [5.2, 5.1],
        [-0.3, 0.1],
        [4.2, 0.1],
    ]
    return torch.tensor(samples), own, others


def check_recognised(function):
    a = spots()
    got, want = function(*a), recognised(*a).item()
    if torch.is_tensor(got) and got.ndim == 1:
        return f"You return {len(got)} numbers; the share is one, the mean of right and wrong."
    if problem := no_number(got, "the share"):
        return problem
    got = float(got)
    if abs(got - want) < 1e-4:
        near = a[1] + 0.01
        if float(function(near, a[1], a[2])) != 1 or float(function(a[2], a[1], a[2])) != 0:
            return "Samples that are drawings should give 1, and samples that are others 0."
        return None
    for wrong, words in MEASURES.values():
        if abs(got - float(wrong(*a))) < 1e-4:
            return words
    return f"Of 12 samples {want * 12:.0f} are nearest to a drawing: {want:.2f}, you say {got:.2f}."


def three_shares(function):
    samples, own, others = spots()
    cases = (own + 0.1, samples, others + 0.1)
    return [float(function(case, own, others)) for case in cases]


# ---- 09.6: several at once -----------------------------------------------------------------------


def blend_notes(weight, adapters, strengths):
    pairs = zip(adapters, strengths)
    return weight + sum(strength * up @ down for (down, up), strength in pairs)


def mixed_halves(weight, adapters, strengths):
    downs = sum(s * down for (down, _), s in zip(adapters, strengths))
    ups = sum(s * up for (_, up), s in zip(adapters, strengths))
    return weight + ups @ downs


def strength_twice(weight, adapters, strengths):
    return weight + sum(s * up @ (s * down) for (down, up), s in zip(adapters, strengths))


def mean_of_them(weight, adapters, strengths):
    return weight + (blend_notes(weight, adapters, strengths) - weight) / len(adapters)


def weight_each_time(weight, adapters, strengths):
    return sum(weight + s * up @ down for (down, up), s in zip(adapters, strengths))


def shares_of_all(weight, adapters, strengths):
    return weight + (blend_notes(weight, adapters, strengths) - weight) / max(sum(strengths), 1e-9)


BLENDS = {
    "mixed the halves": (
        mixed_halves,
        "You add up the downs and the ups first: then each `up` meets the other's `down`, too. "
        "Multiply each pair, then add.",
    ),
    "no strengths": (
        lambda weight, adapters, strengths: blend_notes(weight, adapters, [1.0] * len(adapters)),
        "The strengths do nothing: at strength 0 an adapter has no part in it.",
    ),
    "strength twice": (
        strength_twice,
        "Each strength counts twice, in `up` and in `down`: once is enough.",
    ),
    "only the adapters": (
        lambda weight, adapters, strengths: blend_notes(
            torch.zeros_like(weight), adapters, strengths
        ),
        "The weight itself is gone: without adapters it should come back as it was.",
    ),
    "the first one only": (
        lambda weight, adapters, strengths: blend_notes(weight, adapters[:1], strengths[:1]),
        "Only the first adapter has a part in it: add them all.",
    ),
    "the last one only": (
        lambda weight, adapters, strengths: blend_notes(weight, adapters[-1:], strengths[-1:]),
        "Only the last adapter is left: add to the sum, do not begin it anew.",
    ),
    "the mean of them": (
        mean_of_them,
        "You divide by the number of adapters: one at strength 1 should work wholly.",
    ),
    "divided by their sum": (
        shares_of_all,
        "You divide by the sum of the strengths: two at strength 1 should both work wholly.",
    ),
    "the weight each time": (
        weight_each_time,
        "You add the weight once for each adapter: it belongs into the sum once.",
    ),
    "subtracted": (
        lambda weight, adapters, strengths: 2 * weight - blend_notes(weight, adapters, strengths),
        "A minus where a plus belongs: the adapters are taken away.",
    ),
}


def two_adapters(rank=4, width=12):
    """A weight and two adapters with stripes, so that their pictures differ."""
    places = torch.arange(width) / width
    waves = torch.stack([(2 * torch.pi * k * places).sin() for k in range(1, rank + 1)])
    first = (waves, torch.randn(width, rank) / 2)
    second = (torch.randn(rank, width) / 2, waves.T)
    return torch.randn(width, width) / 4, [first, second]


def check_blend(function):
    weight, adapters = two_adapters()
    for strengths in ([0.8, 0.3], [1.0, 1.0], [1.0, 0.0], [0.0, 0.0]):
        got, a = function(weight, adapters, strengths), (weight, adapters, strengths)
        if torch.is_tensor(got) and got.shape == (4, 4):
            return "`down @ up` is 4 x 4, as small as the rank: it is `up @ down`."
        if problem := no_tensor(got, weight.shape, "the weight"):
            return problem
        want = blend_notes(*a)
        if same(got, want):
            continue
        for wrong, words in BLENDS.values():
            if same(got, wrong(*a)):
                return words
        return f"At strengths {strengths} you are off by {off_by(got, want):.2f}, on average."
    one = function(weight, adapters[:1], [0.5])
    if not same(one, blend_notes(weight, adapters[:1], [0.5])):
        return "Right for two adapters, wrong for one: there may be any number of them."
    return None


MIXTURES = ((0.0, 0.0), (1.0, 0.0), (0.5, 0.5), (0.0, 1.0))


def blended(function):
    weight, adapters = two_adapters()
    return torch.stack([function(weight, adapters, list(s)) for s in MIXTURES])[:, None] / 2


EXERCISES = (
    Exercise(
        name="09.1",
        title="half and half",
        check=check_half_and_half,
        solution=half_and_half,
        hints=(
            "Repeat the drawings until there are at least as many as old pictures, and cut off the "
            "rest. Or: which drawing stands in row 0, 1, 2, ... of such a heap?",
            "`torch.arange(len(old)) % len(drawings)` counts 0, 1, 2, 0, 1, 2 and so on; a tensor "
            "takes such rows as an index. `torch.cat` joins two heaps.",
        ),
        wrong={
            **makers(HALVES),
            "as they are": as_they_are,
            "not cut off": too_many,
            "too few": too_few,
        },
        views=(
            Pictures(
                "Two drawings, here an apple and a rocket, and four old pictures", heap, columns=8
            ),
        ),
    ),
    Exercise(
        name="09.2",
        title="a layer with a note",
        check=check_with_note,
        solution=with_note,
        hints=(
            "x takes two ways: through the base layer, and down to the low rank and up again. The "
            "results are added.",
            "`up(down(x))` is the second way; the strength multiplies it, and nothing else.",
        ),
        wrong={
            **makers(BESIDE),
            "up first": up_first,
            "stopped the gradient": no_gradient,
        },
        views=(
            Numbers(
                "How far the layer is from its base layer",
                distance_at_each_strength,
                [f"strength {strength}" for strength in STRENGTHS],
            ),
        ),
    ),
    Exercise(
        name="09.3",
        title="merged",
        check=check_merged,
        solution=merged,
        hints=(
            "The note goes down, then up. Two matrices one behind the other are one matrix: their "
            "product.",
            "`up @ down`, the later one at the left, has the shape of the weight. Multiply it by "
            "the strength and add it.",
        ),
        wrong={
            **makers(MERGES),
            "too small": lambda weight, down, up, strength: strength * down @ up,
        },
        views=(
            Pictures(
                "The weight as a picture",
                merged_stripes,
                [f"strength {strength}" for strength in STRENGTHS],
            ),
        ),
    ),
    Exercise(
        name="09.4",
        title="how many numbers",
        check=check_numbers,
        solution=adapter_numbers,
        hints=(
            "Two weights: `down` has `rank` rows, as long as one row of the weight; `up` has a row "
            "of `rank` numbers for each output.",
            "The outputs are `shape[0]`; all that one output looks at is `math.prod(shape[1:])`.",
        ),
        wrong=makers(COUNTS),
        views=(Numbers("Numbers of an adapter of rank 4", counts, list(WEIGHTS)),),
    ),
    Exercise(
        name="09.5",
        title="recognised",
        check=check_recognised,
        solution=recognised,
        hints=(
            "Put drawings and others into one table, and find the row that is nearest to each "
            "sample. Which rows are drawings?",
            "`torch.cdist(samples, torch.cat([own, others]))` holds all distances; `argmin(1)` is "
            "the nearest row. The drawings are the rows below `len(own)`.",
        ),
        wrong={"a row for each sample": nearest_of_own, **makers(MEASURES)},
        views=(
            Numbers(
                "The share that is recognised",
                three_shares,
                ["near the drawings", "some of each", "near the others"],
            ),
        ),
    ),
    Exercise(
        name="09.6",
        title="several at once",
        check=check_blend,
        solution=blend_notes,
        hints=(
            "Each adapter is one matrix, as large as the weight: the product of its two thin ones. "
            "Add it, as strongly as its number says.",
            "`up @ down` is that matrix. A `for` over `zip(adapters, strengths)`, or a `sum`.",
        ),
        wrong={
            **makers(BLENDS),
            "down @ up": lambda weight, adapters, strengths: sum(
                s * down @ up for (down, up), s in zip(adapters, strengths)
            ),
        },
        views=(
            Pictures(
                "The weight as a picture",
                blended,
                [f"strengths {a:g} and {b:g}" for a, b in MIXTURES],
            ),
        ),
    ),
)
