"""Lesson 06: the softmax, scaled scores, heads, the bill, a diagnosis, short sight, places."""

import functools

import torch
from einops import einsum, rearrange

from ..attention import Attention, capture_attention
from ..sampling import pure_noise
from ..twins import load_twins
from . import Exercise, makers, named, no_number, no_tensor, off_by, parse_choice, same
from .beside import Numbers, Pictures, as_mask
from .broken_models import broken_model

# ---- 06.1: the softmax over the right axis ------------------------------------------------------


def shares(scores):
    return scores.softmax(dim=1)


def shares_of_a_column(scores):
    return scores.softmax(dim=0)


def shares_of_everything(scores):
    return scores.exp() / scores.exp().sum()


def not_divided(scores):
    return scores.exp()


def without_exponential(scores):
    return scores / scores.sum(dim=1, keepdim=True)


OTHER_SHARES = {
    "returned the logarithm": (
        lambda scores: scores.log_softmax(1),
        "Yours are below zero: log_softmax gives logarithms of the weights, softmax the weights.",
    ),
    "a sigmoid": (
        lambda scores: scores.sigmoid(),
        "A sigmoid looks at each score alone: with softmax the places of a row share one whole.",
    ),
    "a softmax of the softmax": (
        lambda scores: scores.softmax(1).softmax(1),
        "Two softmaxes one after the other make all weights nearly alike: one is enough.",
    ),
    "a wrong sign": (
        lambda scores: (-scores).softmax(1),
        "The lowest score gets the largest weight: leave the minus out.",
    ),
    "absolute values": (
        lambda scores: scores.abs() / scores.abs().sum(1, keepdim=True),
        "A score of -1 counts as much as 1: take the exponential, not the absolute value.",
    ),
}


SCORES = torch.tensor([[1.0, 0.0, -1.0, 3.0, 0.5], [2.0, 2.0, 0.0, -2.0, 1.0], [0.3] * 5])


def check_shares(function):
    scores = SCORES
    got, want = function(scores), shares(scores)
    if problem := no_tensor(got, want.shape, "the weights"):
        return problem
    if same(got, want):
        return None
    if same(got, shares_of_a_column(scores)):
        return (
            f"Your first row sums to {got[0].sum():.2f} and your columns to 1: a row belongs to "
            "one place that asks, so it is the rows that must sum to 1."
        )
    if same(got, shares_of_everything(scores)):
        return (
            f"Your first row sums to {got[0].sum():.2f}: all together share one whole. Each row "
            "needs a sum of its own."
        )
    if same(got, not_divided(scores)):
        return f"Your first row sums to {got[0].sum():.1f}: now divide by the sum of the row."
    if same(got, without_exponential(scores)):
        return (
            f"The score -1 gets a share of {got[0, 2]:.2f}: take the exponential first, it makes "
            "every number positive."
        )
    told = named(got, OTHER_SHARES, scores)
    return told or f"The weights are off by {off_by(got, want):.2f} on average."


def shares_of_the_first(function):
    weights = function(SCORES)[0]
    return [*weights.tolist(), weights.sum()]


# ---- 06.2: scaled scores, head by head ----------------------------------------------------------


def scaled_scores(query, key):
    return einsum(query, key, "b h n d, b h m d -> b h n m") / query.shape[-1] ** 0.5


def check_scaled_scores(function):
    query, key = torch.randn(2, 4, 6, 64), torch.randn(2, 4, 9, 64)
    got, want = function(query, key), scaled_scores(query, key)
    if torch.is_tensor(got) and got.shape == (2, 4, 9, 6):
        return (
            "Your scores have one row for each key, (2, 4, 9, 6): `n` asks and stands before `m`."
        )
    if torch.is_tensor(got) and got.shape == (2, 6, 9):
        return (
            "The letter `h` is gone from your scores, (2, 6, 9): then all heads are one head, and "
            "share their attention weights."
        )
    if problem := no_tensor(got, want.shape, "the scores"):
        return problem
    if same(got, want, atol=1e-3):
        return None
    spread = f"Your scores have a spread of {got.std():.1f}, it should be near 1"
    for times, words in (
        (64**0.5, "the division by the root of d is missing"),
        (64**-0.5, "you divide by d; its root is enough"),
        (4.0, "you divide by the root of the number of heads; d is the last axis"),
        (64, "you multiply by the root of d"),
    ):
        if same(got, want * times, atol=1e-3):
            return f"{spread}: {words}."
    if same(got, want.softmax(-1)):
        return "You took the softmax already: only the scores are asked for."
    if same(got, -want, atol=1e-3):
        return "Your scores have the wrong sign: leave the minus out."
    for d, words in ((6, "places"), (4, "heads")):
        if same(got, want * 8 / d**0.5, atol=1e-3):
            return f"{spread}: you divide by the root of the number of {words}; d is the last axis."
    return (
        f"The scores are off by {off_by(got, want):.2f} on average. {spread}: divide by the root "
        "of query.shape[-1]."
    )


def spread_and_largest(function):
    scores = function(torch.randn(2, 4, 9, 64), torch.randn(2, 4, 9, 64))
    return scores.std(), scores.softmax(-1).max()


# ---- 06.3: into heads ---------------------------------------------------------------------------


def split(tokens, heads):
    return rearrange(tokens, "b n (h d) -> b h n d", h=heads)


def numbers_interleaved(tokens, heads):
    return rearrange(tokens, "b n (d h) -> b h n d", h=heads)


def places_mixed(tokens, heads):
    b, n, width = tokens.shape
    return tokens.reshape(b, heads, n, width // heads)


def heads_last(tokens, heads):
    return rearrange(tokens, "b n (h d) -> b n h d", h=heads)


def check_split(function):
    tokens = torch.arange(2 * 6 * 12.0).reshape(2, 6, 12)  # place n holds 12 n to 12 n + 11
    got, want = function(tokens, 4), split(tokens, 4)
    if torch.is_tensor(got) and got.shape == (2, 6, 4, 3):
        return (
            "Your shape is (B, N, heads, D): the heads must stand before the places, because "
            "each head compares all places with all."
        )
    if problem := no_tensor(got, want.shape, "what the heads get"):
        return problem
    if same(got, want):
        return None
    if same(got, places_mixed(tokens, 4)):
        places = got[0, 0].div(12, rounding_mode="floor").unique().tolist()
        return (
            f"The shape is right, but your first head holds only the places {places[0]:.0f} and "
            f"{places[-1]:.0f} of six, cut in pieces: reshape reads on across places, name the "
            "axes instead."
        )
    if same(got, numbers_interleaved(tokens, 4)):
        return (
            f"Your first head gets the numbers {got[0, 0, 0].int().tolist()} of the first place, "
            "one from each head: it should be [0, 1, 2], so `h` stands before `d` in the bracket."
        )
    return f"What the heads get is off by {off_by(got, want):.1f} on average."


def drawn_heads(function):
    """One picture a head: red grows with the place, blue with its number."""
    values = function(torch.arange(6 * 12.0).reshape(1, 6, 12), 4)[0]
    places, numbers = values.div(12, rounding_mode="floor") / 5, values % 12 / 11
    return 2 * torch.stack([places, 0 * places, numbers], dim=1) - 1


# ---- 06.4: the bill -----------------------------------------------------------------------------


def bill(side, heads):
    return heads * side**4  # side * side places, and each looks at each


def check_bill(function):
    for side, heads in ((16, 8), (8, 4)):
        got = function(side, heads)
        if problem := no_number(got, "the number of attention weights"):
            return problem
        if got == bill(side, heads):
            continue
        case = f"For side {side} and {heads} heads you say {float(got):,.0f}"
        for wrong, words in (
            (heads * side**2, "that counts the places; each of them looks at all of them"),
            (side**4, "right for one head"),
            (heads * side**3, f"{side}x{side} is {side**2} places, and each looks at {side**2}"),
            ((heads * side**2) ** 2, "the heads do not attend to each other"),
        ):
            if got == wrong:
                return f"{case}: {words}."
        return f"{case}: it is heads x places x places."
    return None


# ---- 06.5: the diagnosis ------------------------------------------------------------------------

DIAGNOSES = ("itself", "chaos", "scale", "head", "axis", "pictures")
FIRST, LAST = slice(0, 12), slice(20, None)  # rows or columns of the corners
PART = {  # of the chaos of twelve scenes; the first of them is watched
    "own corner": (0, ..., FIRST, FIRST),
    "other corner": (0, ..., LAST, LAST),
    "other pictures": slice(1, None),
}


def diagnosis():
    return "pictures"


@functools.cache
def examined():
    """What the three experiments of the lesson find: how far the top left moves, and the maps."""
    x, other, found = pure_noise(12, seed=0, device="cpu"), pure_noise(12, seed=1, device="cpu"), {}
    with torch.no_grad():
        for name, net in (
            ("healthy", load_twins(device="cpu")),
            ("broken", broken_model("06", "cpu")),
        ):
            with capture_attention(net) as maps:
                before = net(x, 990)
            found[name, "maps"] = [seen[0] for seen in maps.values()]
            for part, where in PART.items():
                y = x.clone()
                y[where] = other[where]
                found[name, part] = (net(y, 990) - before)[0, :, FIRST, FIRST].abs().mean().item()
    return found


def largest(maps):
    """The largest attention weight relative to an even share, on average."""
    shares = [weights.max(-1).values.mean().item() * weights.shape[-1] for weights in maps]
    return sum(shares) / len(shares)


def check_diagnosis(function):
    word, problem = parse_choice(function(), DIAGNOSES)
    if problem:
        return problem
    if word == "pictures":
        return None
    found = examined()
    healthy, maps = largest(found["healthy", "maps"]), found["broken", "maps"]
    sums = torch.cat([weights.sum(-1).flatten() for weights in maps])
    return {
        "axis": "Then the attention weights of a place that asks would sum to anything, but their "
        f"sums go from {sums.min():.2f} to {sums.max():.2f} (experiment 1).",
        "scale": "Then the attention weights would be sharper, but the largest is "
        f"{largest(maps):.1f} times an even share, and {healthy:.1f} times in the healthy net "
        "(experiment 1).",
        "chaos": "Then the start would not matter, but with other chaos in its own top left corner "
        f"the prediction there moves by {found['broken', 'own corner']:.4f} (experiment 2).",
        "head": "Then the other head would still reach across, but with other chaos in the bottom "
        f"right corner the top left moves by {found['broken', 'other corner']:.4f}, in the healthy "
        f"net by {found['healthy', 'other corner']:.4f} (experiment 2).",
        "itself": "Then no other picture could matter, but with other pictures beside it the first "
        f"one moves by {found['broken', 'other pictures']:.4f} (experiment 3).",
    }[word]


# ---- 06.6: short sight on purpose ---------------------------------------------------------------


def window(side, reach):
    y, x = torch.arange(side**2) // side, torch.arange(side**2) % side
    rows, columns = (y[:, None] - y).abs(), (x[:, None] - x).abs()
    return (rows <= reach) & (columns <= reach)


def neighbours_in_the_list(side, reach):
    token = torch.arange(side**2)
    return (token[:, None] - token).abs() <= reach


def distances(side):
    y, x = torch.arange(side**2) // side, torch.arange(side**2) % side
    return (y[:, None] - y).abs(), (x[:, None] - x).abs()


def signed(side, reach):
    y, x = torch.arange(side**2) // side, torch.arange(side**2) % side
    return (y[:, None] - y <= reach) & (x[:, None] - x <= reach)


def check_window(function):
    for side, reach in ((8, 1), (5, 2)):
        got, want = function(side, reach), window(side, reach)
        if torch.is_tensor(got) and got.shape == (side, side):
            return "One row for each *place* is asked for: (side * side, side * side)."
        if problem := no_tensor(got, want.shape, "the window"):
            return problem
        if got.dtype != torch.bool:
            return f"Expected bools, got {got.dtype}: a comparison such as `<=` makes them."
        if torch.equal(got, want):
            continue
        rows, columns = distances(side)
        sees = f"Side {side}, reach {reach}: the first place sees {int(got[0].sum())}"
        for wrong, words in (
            (rows <= reach, "the columns may be at most `reach` apart, too"),
            (columns <= reach, "the rows may be at most `reach` apart, too"),
            (~want, "True is where a place may look, and yours is the other way round"),
            (signed(side, reach), "a place above or left of it is near, too, .abs()"),
            (neighbours_in_the_list(side, reach), "the list's neighbours are not the picture's"),
            ((rows < reach) & (columns < reach), "at most `reach`, so <= and not <"),
            ((rows <= reach) | (columns <= reach), "rows and columns are asked for, both"),
            (rows + columns <= reach, "a diamond, but a square was asked for"),
        ):
            if torch.equal(got, wrong):
                return f"{sees} instead of {int(want[0].sum())} places: {words}."
        return f"{sees}; the row of place i is i // side, its column i % side."
    return None


REACHES = (1, 2, 4)


def seen_from_one_place(function):
    rows = [function(8, reach)[8 * 3 + 1] for reach in REACHES]
    return as_mask(torch.stack(rows).reshape(-1, 8, 8))


# ---- 06.7: a masked softmax ----------------------------------------------------------------------


def shares_within(scores, allowed):
    return scores.masked_fill(~allowed, -torch.inf).softmax(dim=-1)


def cut_afterwards(scores, allowed):
    return scores.softmax(dim=-1) * allowed


def scores_to_zero(scores, allowed):
    return (scores * allowed).softmax(dim=-1)


def the_other_way_round(scores, allowed):
    return scores.masked_fill(allowed, -torch.inf).softmax(dim=-1)


OTHER_SHARES_WITHIN = {
    "over the places that ask": (
        lambda scores, allowed: scores.masked_fill(~allowed, -torch.inf).softmax(-2),
        "Your columns sum to 1: the softmax goes over the last axis.",
    ),
    "forgot the window": (
        lambda scores, allowed: scores.softmax(-1),
        "`allowed` changes nothing: most of the attention goes outside.",
    ),
    "did not divide": (
        lambda scores, allowed: scores.exp() * allowed,
        "Nothing lies outside, but a row does not sum to 1: divide by its sum.",
    ),
    "a score of -1": (
        lambda scores, allowed: scores.masked_fill(~allowed, -1.0).softmax(-1),
        "A score of -1 is not low enough, other scores are lower: -torch.inf.",
    ),
}


def check_shares_within(function):
    scores, allowed = torch.randn(2, 3, 25, 25), window(5, 1)
    got, want = function(scores, allowed), shares_within(scores, allowed)
    if torch.is_tensor(got) and got.shape == want.shape and got.isnan().any():
        return "Some weights are NaN, for 0 times infinity is no number: masked_fill puts it in."
    if torch.is_tensor(got) and got.shape == want.shape and (got == -torch.inf).any():
        return "These are scores, with minus infinity outside: now the softmax."
    if problem := no_tensor(got, want.shape, "the weights"):
        return problem
    if same(got, want):
        return None
    outside = (got * ~allowed).sum(-1).mean().item()
    if same(got, cut_afterwards(scores, allowed)):
        return (
            f"Nothing lies outside, but a row now sums to {got.sum(-1).mean():.2f} on average: "
            "divide by what is left, or take the places out before the softmax."
        )
    if same(got, scores_to_zero(scores, allowed)):
        return (
            f"{outside:.0%} of the attention still goes outside: a score of 0 is not nothing, its "
            "exponential is 1."
        )
    if same(got, the_other_way_round(scores, allowed)):
        return f"{outside:.0%} of the attention goes outside: `allowed` is True where it may look."
    told = named(got, OTHER_SHARES_WITHIN, scores, allowed)
    return told or f"The weights are off by {off_by(got, want):.3f}, and {outside:.0%} go outside."


def kept_inside(function):
    allowed = window(5, 1)
    weights = function(torch.randn(2, 3, 25, 25), allowed)
    return weights.sum(-1).mean(), f"{(weights * ~allowed).sum(-1).mean():.0%}"


# ---- 06.8: tell them where they are -------------------------------------------------------------


def with_places(tokens):
    return tokens + torch.linspace(-1, 1, tokens.shape[1])[:, None]


def rows_only(tokens):
    return tokens + (torch.arange(tokens.shape[1]) // 8 / 8)[:, None]


def look_twice(function, tokens, order):
    """What a fresh attention makes of tokens, and of the shuffled ones, sorted back."""
    look = Attention(128)
    look.out.reset_parameters()  # a fresh one changes nothing
    with torch.no_grad():
        plain = look(function(tokens))
        return plain, look(function(tokens[:, order]))[:, order.argsort()]


def told_apart(function):
    tokens = torch.randn(1, 64, 128)
    plain, back = look_twice(function, tokens, torch.randperm(64))
    codes = (function(tokens) - tokens)[0].mul(1e4).round().unique(dim=0)
    return len(codes), (plain - back).abs().max()


def check_places(function):
    tokens, order = torch.randn(2, 64, 128), torch.randperm(64)
    placed = function(tokens)
    if problem := no_tensor(placed, tokens.shape, "the tokens"):
        return problem
    added = placed - tokens
    again, bare = function(tokens) - tokens, function(torch.zeros_like(tokens))
    if not torch.allclose(added, again, atol=1e-5):
        return (
            f"Called twice, you add something else, {off_by(added, again):.2f} apart: a place "
            "needs a code that stays."
        )
    if not torch.allclose(added, bare, atol=1e-4):
        return (
            "What you add depends on what stands there: for tokens of zeros it is another, by "
            f"{off_by(added, bare):.2f} on average."
        )
    if added.abs().max() < 1e-6:
        return "Nothing is added."
    if torch.allclose(added, added[:, :1].expand_as(added), atol=1e-5):
        return "Every place gets the same; then nobody knows where he is."
    codes = len(added[0].mul(1e4).round().unique(dim=0))
    if codes < 64:
        return f"64 places share {codes} codes; each needs one of its own."
    plain, back = look_twice(function, tokens, order)
    gap = (plain - back).abs().max().item()
    return None if gap > 1e-3 else f"Too faint: after shuffling the answers differ by {gap:.0e}."


EXERCISES = (
    Exercise(
        name="06.1",
        title="the softmax",
        check=check_shares,
        solution=shares,
        hints=(
            "`scores` has one row for each place that asks. Its attention weights are shared out "
            "among the places that answer, and sum to 1.",
            "A tensor has the method `.softmax(dim=...)`. Over `dim` the result sums to 1: dim 0 "
            "runs down a column, dim 1 along a row.",
        ),
        wrong={
            "over the columns": shares_of_a_column,
            "over everything at once": shares_of_everything,
            "forgot to divide by the sum": not_divided,
            "forgot the exponential": without_exponential,
            **makers(OTHER_SHARES),
        },
        views=(
            Numbers(
                "What the first of three places takes from five",
                shares_of_the_first,
                ["1", "2", "3", "4", "5", "sum"],
            ),
        ),
    ),
    Exercise(
        name="06.2",
        title="scaled scores",
        check=check_scaled_scores,
        solution=scaled_scores,
        hints=(
            "Put the two letters for picture and head in front of `attend_once`'s einsum; they "
            "stay. Which letter disappears?",
            '`einsum(query, key, "b h n d, b h m d -> b h n m")`, divided by the root of '
            "`query.shape[-1]`.",
        ),
        wrong={
            "forgot the division": lambda query, key: scaled_scores(query, key) * 8,
            "divided by d": lambda query, key: scaled_scores(query, key) * query.shape[-1] ** -0.5,
            "took the number of heads for d": lambda query, key: (
                scaled_scores(query, key) * (query.shape[-1] / query.shape[1]) ** 0.5
            ),
            "summed over the heads": lambda query, key: einsum(
                query, key, "b h n d, b h m d -> b n m"
            ),
            "keys ask queries": lambda query, key: scaled_scores(key, query),
            "took the number of places for d": lambda query, key: (
                scaled_scores(query, key) * 8 / query.shape[2] ** 0.5
            ),
            "took the softmax": lambda query, key: scaled_scores(query, key).softmax(-1),
            "a wrong sign": lambda query, key: -scaled_scores(query, key),
        },
        views=(
            Numbers(
                "Four heads, nine places, 64 numbers each",
                spread_and_largest,
                ["spread of the scores", "largest attention weight"],
            ),
        ),
    ),
    Exercise(
        name="06.3",
        title="into heads",
        check=check_split,
        solution=split,
        hints=(
            "The width is heads times d, the numbers of one head side by side. Einops writes such "
            "an axis with a bracket.",
            '`rearrange(tokens, "b n (h d) -> ...", h=heads)`. In which order does `my_attend` '
            "want the four letters?",
        ),
        wrong={
            "reshape, which mixes places": places_mixed,
            "every fourth number to one head": numbers_interleaved,
            "heads behind places": heads_last,
        },
        views=(
            Pictures(
                "What the heads get: red is the place, blue the number in it",
                drawn_heads,
                ["head 1", "head 2", "head 3", "head 4"],
            ),
        ),
    ),
    Exercise(
        name="06.4",
        title="the bill",
        check=check_bill,
        solution=bill,
        hints=(
            "How many places has a picture of side x side? Each of them looks at each of them.",
            "N = side * side; N * N attention weights for one head, and the heads do not share.",
        ),
        wrong={
            "counted the places only": lambda side, heads: heads * side**2,
            "forgot the heads": lambda side, heads: side**4,
            "took the side for the places once": lambda side, heads: heads * side**3,
            "squared the heads too": lambda side, heads: (heads * side**2) ** 2,
        },
        views=(
            Numbers(
                "Attention weights of one layer",
                lambda f: [f(16, 8), f(32, 8)],
                ["16x16, 8 heads", "32x32, 8 heads"],
            ),
        ),
    ),
    Exercise(
        name="06.5",
        title="diagnose it",
        check=check_diagnosis,
        solution=diagnosis,
        hints=(
            "Experiment 2: in the broken model nothing of its own other corner arrives. Which two "
            "of the six claims say so?",
            "Experiment 3: the first scene depends on which others are in the batch. Which of the "
            "two can explain that?",
        ),
        wrong={
            "each place looks at itself": lambda: "itself",
            "does not use its chaos": lambda: "chaos",
            "no division by the root of d": lambda: "scale",
            "a dead head": lambda: "head",
            "softmax over the places that ask": lambda: "axis",
        },
    ),
    Exercise(
        name="06.6",
        title="short sight on purpose",
        check=check_window,
        solution=window,
        hints=(
            "Make the row and the column of each place first: place i stands in row i // side and "
            "column i % side.",
            "`(y[:, None] - y).abs()` holds the distance in rows of each place to each. The same "
            "for columns; `&` joins two tensors of bools.",
        ),
        wrong={
            "neighbours in the list": neighbours_in_the_list,
            "less than reach": lambda side, reach: window(side, reach - 1),
            "rows or columns": lambda side, reach: (
                (distances(side)[0] <= reach) | (distances(side)[1] <= reach)
            ),
            "a diamond": lambda side, reach: sum(distances(side)) <= reach,
            "numbers instead of bools": lambda side, reach: window(side, reach).float(),
            "rows only": lambda side, reach: distances(side)[0] <= reach,
            "columns only": lambda side, reach: distances(side)[1] <= reach,
            "the other way round": lambda side, reach: ~window(side, reach),
            "forgot the absolute value": signed,
        },
        views=(
            Pictures(
                "Dark: what the place in row 3 and column 1 may see",
                seen_from_one_place,
                [f"reach {reach}" for reach in REACHES],
            ),
        ),
    ),
    Exercise(
        name="06.7",
        title="a masked softmax",
        check=check_shares_within,
        solution=shares_within,
        hints=(
            "A share becomes exactly 0 when its score is so low that the exponential is 0. Which "
            "number does that?",
            "`scores.masked_fill(~allowed, -torch.inf)` changes the scores outside; then the "
            "softmax over the last axis.",
        ),
        wrong={
            "cut after the softmax": cut_afterwards,
            "scores outside to zero": scores_to_zero,
            "the mask the other way round": the_other_way_round,
            "multiplied by infinity": lambda scores, allowed: (
                scores + ~allowed * -torch.inf
            ).softmax(-1),
            "forgot the softmax": lambda scores, allowed: scores.masked_fill(~allowed, -torch.inf),
            **makers(OTHER_SHARES_WITHIN),
        },
        views=(
            Numbers(
                "Attention weights with reach 1",
                kept_inside,
                ["sum of a row", "share that goes outside"],
            ),
        ),
    ),
    Exercise(
        name="06.8",
        title="tell them where they are",
        check=check_places,
        solution=with_places,
        hints=(
            "Add a code of its own to each of the N places: the same for every picture, whatever "
            "stands there.",
            "The plainest code is one number that grows from place to place: "
            "`torch.linspace(-1, 1, N)`, shaped (N, 1) so that it meets all C numbers.",
        ),
        wrong={
            "the same for every place": lambda tokens: tokens + 1,
            "new numbers at each call": lambda tokens: tokens + torch.randn(tokens.shape[1:]),
            "depends on what stands there": lambda tokens: tokens + tokens.roll(1, dims=1),
            "rows only": rows_only,
            "nothing": lambda tokens: tokens,
        },
        views=(
            Numbers(
                "64 places",
                told_apart,
                ["different codes", "largest difference after shuffling"],
            ),
        ),
    ),
)
