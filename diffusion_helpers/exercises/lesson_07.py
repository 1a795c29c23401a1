"""Lesson 07: likeness, attention weights, guidance, condition dropout, masks, a diagnosis."""

import functools
from dataclasses import replace

import torch
import torch.nn.functional as F
from einops import rearrange

from ..data import load_emoji
from ..evaluation import rank_among
from ..noising import add_noise, cosine_schedule
from ..sampling import dpm_solver, guided, pure_noise, sample
from ..scenes import captions, scenes
from ..text import Text
from ..words import load_words, split_words
from . import Exercise, makers, named, no_number, no_tensor, off_by, parse_choice, same
from .beside import Numbers, Pictures, as_mask, shipped
from .broken_models import broken_model

# ---- 07.1: likeness -----------------------------------------------------------------------------


def alike(one, other):
    return F.cosine_similarity(one.mean(0), other.mean(0), dim=0)


def dot_product(one, other):
    return one.mean(0) @ other.mean(0)


def every_word_as_long(one, other):
    return alike(F.normalize(one, dim=1), F.normalize(other, dim=1))


def mean_over_pairs(one, other):
    return F.cosine_similarity(one[:, None], other[None], dim=2).mean()


def first_words(one, other):
    return F.cosine_similarity(one[0], other[0], dim=0)


def distance(one, other):
    return 1 - alike(one, other)


def over_one_length(one, other):
    return dot_product(one, other) / one.mean(0).norm()


def last_words(one, other):
    return F.cosine_similarity(one[-1], other[-1], dim=0)


def check_alike(function):
    one = torch.randn(3, 128) * torch.tensor([[0.2], [1.0], [0.6]])  # like "a red apple"
    other = one[1:] + 0.6 * torch.randn(2, 128)
    got, want = function(one, other), alike(one, other).item()
    if problem := no_number(got, "the likeness"):
        return problem
    got, said = float(got), f"Two texts of three and two words: you say {float(got):.2f}, "
    typical = {
        dot_product: "a product that grows with the length of the vectors; the cosine divides by "
        "both lengths.",
        every_word_as_long: f"it should be {want:.2f}. You made all words equally long first; then "
        '"a" counts as much as "apple".',
        mean_over_pairs: f"it should be {want:.2f}. That is the mean over all pairs of words; take "
        "the mean of the words first, then one cosine.",
        distance: f"it should be {want:.2f}. That is 1 minus the cosine, how different they are.",
        over_one_length: "divided by one length only; the cosine divides by both.",
        last_words: f"it should be {want:.2f}. You compared only the last words.",
        first_words: f"it should be {want:.2f}. You compared only the first words.",
    }
    for mistake, words in typical.items():
        if abs(got - mistake(one, other).item()) < 1e-4:
            return said + words
    return None if abs(got - want) < 1e-4 else f"{said}it should be {want:.2f}."


PAIRS = (("apple", "яблоко"), ("a red apple", "a green pear"), ("a red apple", "a car"))


def likeness_of_pairs(function):
    texts = (load_words().encode(list(pair)) for pair in PAIRS)
    rows = ([v[m] for v, m in zip(text.vectors, text.mask)] for text in texts)
    return [function(*pair) for pair in rows]


# ---- 07.2: attention weights ---------------------------------------------------------------------


def attention_weights(scores, mask):
    scores = scores.masked_fill(~rearrange(mask, "b m -> b 1 1 m"), -torch.inf)
    return scores.softmax(dim=-1)


def without_mask(scores, mask):
    return scores.softmax(dim=-1)


def zero_scores(scores, mask):
    return (scores * rearrange(mask, "b m -> b 1 1 m")).softmax(dim=-1)


def zero_shares(scores, mask):
    return scores.softmax(dim=-1) * rearrange(mask, "b m -> b 1 1 m")


def turned_round(scores, mask):
    return scores.masked_fill(rearrange(mask, "b m -> b 1 1 m"), -torch.inf).softmax(dim=-1)


def over_the_places(scores, mask):
    return scores.masked_fill(~rearrange(mask, "b m -> b 1 1 m"), -torch.inf).softmax(dim=-2)


def check_attention_weights(function):
    mask = torch.tensor([[True, True, False, False, False], [True] * 5])
    scores = torch.randn(2, 3, 4, 5)
    got = function(scores, mask)
    if torch.is_tensor(got) and got.shape == scores.shape and got.dtype.is_floating_point:
        empty = got[0, ..., 2:].sum(-1).mean().item()
        if (got == -torch.inf).any() and not got.isnan().any():
            return "These are scores, with minus infinity where there is no word: now the softmax."
        typical = {
            without_mask: f"The places where there is no word still get {empty:.0%} of the "
            "attention: use the mask.",
            zero_scores: f"A score of 0 is no weight of 0, since exp(0) is 1: the empty places "
            f"still get {empty:.0%} of the attention.",
            zero_shares: f"The attention weights sum to {got[0].sum(-1).mean():.2f} instead of 1: "
            "mask the scores, before the softmax.",
            turned_round: "The mask is turned round: its True means that there is a word, and "
            "masked_fill fills where it finds True.",
            over_the_places: f"Each place has its own weights: softmax over the words, the "
            f"last axis. Yours sum to {got[1].sum(-1).mean():.2f} over the words.",
        }
        for mistake, words in typical.items():
            if torch.allclose(got, mistake(scores, mask), atol=1e-5, equal_nan=True):
                return words
    if problem := no_tensor(got, scores.shape, "the weights"):
        return problem
    want = attention_weights(scores, mask)
    if same(got, want):
        return None
    sums = got[0].sum(-1).mean()
    return (
        f"The weights are off by {off_by(got, want):.2f} on average: over the words yours sum to "
        f"{sums:.2f}, and {got[0, ..., 2:].sum(-1).mean():.2f} of it lies where there is no word."
    )


def weights_of_two_words(function):
    mask = torch.tensor([[True, True, False, False, False]])
    weights = function(torch.randn(1, 1, 4, 5), mask)[0, 0, 0]
    return [*weights.tolist(), weights.sum()]


# ---- 07.3: guidance -----------------------------------------------------------------------------


def guide(without, with_text, scale):
    return without + scale * (with_text - without)


def flipped(without, with_text, scale):
    return without - scale * (with_text - without)


def from_the_prompt(without, with_text, scale):
    return with_text + scale * (with_text - without)


def exchanged(without, with_text, scale):
    return with_text + scale * (without - with_text)


def only_louder(without, with_text, scale):
    return scale * with_text


def only_the_difference(without, with_text, scale):
    return scale * (with_text - without)


OTHER_GUIDES = {
    "added the prediction with the prompt": (
        lambda without, with_text, scale: without + scale * with_text,
        "You add the whole prediction with the prompt; add only what the prompt changed.",
    ),
    "added both": (
        lambda without, with_text, scale: without + scale * (with_text + without),
        "A plus where a minus belongs: what the prompt changed is with_text minus without.",
    ),
    "forgot the scale": (
        lambda without, with_text, scale: with_text,
        "The scale does nothing: at 3 you return the prediction with the prompt.",
    ),
    "divided by the scale": (
        lambda without, with_text, scale: without + (with_text - without) / max(scale, 1e-9),
        "You divide by the scale: multiply what the prompt changed by it.",
    ),
}


def check_guide(function):
    without, with_text = torch.randn(2, 2, 3, 8, 8)
    typical = {
        flipped: "A flipped sign: at scale 1 you are {with_text:.2f} away from the prediction with "
        "the prompt, and a larger scale leads further away.",
        from_the_prompt: "Start at the prediction without the prompt: at scale 0 yours is "
        "{without:.2f} away from it, on average.",
        exchanged: "The two predictions are exchanged: scale 0 gives the one with the prompt, "
        "scale 1 the one without.",
        only_louder: "That scales the whole prediction, not what the prompt changed in it: at "
        "scale 0 nothing is left.",
        only_the_difference: "That is only the difference; it has to be added to the prediction "
        "without the prompt.",
    }
    answers = {scale: function(without, with_text, scale) for scale in (3.0, 7.5, 1.0, 0.0)}
    for got in answers.values():
        if problem := no_tensor(got, with_text.shape, "the prediction"):
            return problem
    away = {
        "with_text": off_by(answers[1.0], with_text),
        "without": off_by(answers[0.0], without),
    }
    for scale, got in answers.items():
        want = guide(without, with_text, scale)
        if same(got, want):
            continue
        for mistake, words in typical.items():
            if same(got, mistake(without, with_text, scale)):
                return words.format(**away)
        return named(got, OTHER_GUIDES, without, with_text, scale) or (
            f"At scale {scale:g} you are off by {off_by(got, want):.2f}: a straight line, the "
            "prediction without the prompt at 0 and the one with it at 1."
        )
    return None


SCALES = (0.0, 1.0, 2.0, 4.0)


def drawn_with(guide, noise, *prompts):
    """What the demiurge draws in five steps from its predictions for these prompts."""
    net = shipped("demiurge")
    texts = [load_words().encode(prompt) for prompt in prompts]

    def told(x_t, t):
        return guide(net(x_t, t), *(net(x_t, t, text) for text in texts))

    told.predicts = net.predicts
    *_, end = dpm_solver(told, noise, steps=5)
    return end.clean


def guided_apple(function):
    def at_each_scale(without, with_text):
        pairs = zip(without.split(1), with_text.split(1), SCALES)
        return torch.cat([function(*pair) for pair in pairs])

    noise = pure_noise(1, seed=2).repeat(len(SCALES), 1, 1, 1)
    return drawn_with(at_each_scale, noise, "a red apple")


# ---- 07.4: condition dropout --------------------------------------------------------------------


def drop_condition(mask, share):
    hidden = torch.rand(len(mask), 1) < share  # one random number for each prompt
    return mask & ~hidden


def single_words(mask, share):
    return mask & (torch.rand(mask.shape) >= share)


def one_for_all(mask, share):
    return mask & (torch.rand(1) >= share)


def the_others(mask, share):
    return mask & (torch.rand(len(mask), 1) < share)


def nothing_hidden(mask, share):
    return mask.clone()


def check_drop_condition(function):
    mask = torch.arange(6) < torch.randint(2, 7, (2000, 1))
    hidden, seen = [], []
    for _ in range(40):
        got = function(mask, 0.15)
        if problem := no_tensor(got, mask.shape, "the mask"):
            return problem
        if got.dtype != torch.bool:
            return f"A mask is a tensor of bools, yours holds {got.dtype}."
        if (got & ~mask).any():
            return "Your mask lets in words where there are none."
        some = ((got != mask).any(1) & got.any(1)).double().mean().item()
        if some > 0:
            return (
                f"{some:.0%} of the prompts lost a part of their words: hide all words of a prompt "
                "or none, with one random number for each prompt."
            )
        gone = ~got.any(1)
        hidden.append(gone.double().mean().item())
        seen.append(gone)
    if 0 < sum(hidden) < 40 and all(torch.equal(gone, seen[0]) for gone in seen):
        return "Each batch hides the same places of it: draw random numbers, new ones at each call."
    mean = sum(hidden) / len(hidden)
    if mean == 0:
        return "In 40 batches not one prompt was hidden."
    if all(share in (0, 1) for share in hidden):
        return (
            "Each batch is hidden as a whole or not at all: draw a random number for each prompt."
        )
    if abs(mean - 0.85) < 0.01:
        return f"{mean:.0%} of the prompts are hidden, asked for were 15%: the others stay."
    if abs(mean - 0.15) > 0.01:
        return f"{mean:.1%} of the prompts are hidden, asked for were 15%."
    return None


def hidden_shares(function):
    mask = torch.arange(6) < torch.randint(2, 7, (2000, 1))
    got = function(mask, 0.15)
    hidden, changed = ~got.any(1), (got != mask).any(1)
    return [f"{share.double().mean():.0%}" for share in (hidden, changed & ~hidden)]


# ---- 07.5: the mask -----------------------------------------------------------------------------


def word_mask(lengths, longest):
    return torch.arange(longest) < lengths[:, None]


def check_mask(function):
    lengths = torch.tensor([2, 5, 0, 3])
    for longest in (6, 9):
        try:
            got = function(lengths, longest)
        except NotImplementedError:
            raise
        except RuntimeError as problem:
            if "must match the size" not in str(problem):
                raise
            return (
                f"A row of {longest} places does not fit beside a row of 4 lengths: make a column "
                "of the lengths, so that each meets every place."
            )
        if problem := no_tensor(got, (4, longest), "the mask"):
            return problem
        if got.dtype != torch.bool:
            return f"A tensor of bools was asked for, yours holds {got.dtype}."
        place = torch.arange(longest)
        if torch.equal(got, place <= lengths[:, None]):
            words = got.sum(1).tolist()
            return f"One word too many: you let in {words} for {lengths.tolist()}; count from 0."
        if torch.equal(got, place >= lengths[:, None]):
            return "It is turned round: True means that there is a word."
        if torch.equal(got, place + 1 < lengths[:, None]):
            words = got.sum(1).tolist()
            return f"One word too few: you let in {words} for {lengths.tolist()}; count from 0."
        if torch.equal(got, place == lengths[:, None]):
            return "You mark one place a prompt: all places below its length hold a word, so <."
        if got.all():
            return "You let in every place: a place holds a word when it lies below the length."
        if torch.equal(got, place >= longest - lengths[:, None]):
            return "Your words stand at the end of the row; a prompt begins at place 0."
        if not torch.equal(got, word_mask(lengths, longest)):
            wrong = (got != word_mask(lengths, longest)).double().mean().item()
            return f"{wrong:.0%} of the places are wrong: compare a row of places with a column."
    return None


def drawn_mask(function):
    return as_mask(function(torch.tensor([2, 5, 0, 3]), 9)[None])


# ---- 07.6: the broken model ----------------------------------------------------------------------


def diagnosis():
    return "last"


CAUSES = ("sign", "order", "eight", "last", "shapes")


def check_diagnosis(function):
    cause, problem = parse_choice(function(), CAUSES)
    if problem:
        return problem
    return None if cause == "last" else _against(cause)


@functools.cache
def _against(cause):
    """Which experiment speaks against a wrong diagnosis, with its number."""
    net, words = broken_model("07", "cpu"), load_words()
    above = "a big red circle above a small blue square"  # nine words
    beside = above.replace("above", "left of")  # ten

    def heard(prompt):  # how many words the text encoder lets in
        return int(net.text(words.encode(prompt))[2].sum()) - 1  # without the style token

    with torch.no_grad():
        if cause == "sign":
            drawn, schedule = scenes(8, seed=9), cosine_schedule()
            eps, t = torch.randn(8, 3, 32, 32, generator=torch.Generator().manual_seed(0)), 800
            x_t = add_noise(drawn.images, t, eps, schedule)
            signal_rate, noise_rate = schedule.rates(t, like=x_t)
            want = signal_rate * eps - noise_rate * drawn.images
            text = words.encode(captions(drawn.attributes))
            told, hushed = (F.mse_loss(net(x_t, t, said), want) for said in (text, None))
            return (
                f"On real scenes at t = {t} its squared error is {told:.3f} with the prompt and "
                f"{hushed:.3f} without: the prompt leads the right way, and sizes and colours obey."
            )
        if cause == "order":
            both = words.encode([above, "a big blue circle above a small red square"])
            tokens = net.text(both)[1]
            (first, second), length = tokens.mean(1), tokens.mean(1).norm(dim=1).mean()
            return (
                f"Exchange the two colours: the mean of its text encoder's tokens changes by "
                f"{(first - second).norm() / length:.0%} of its length, without order not at "
                "all. And each colour stands where it was asked for."
            )
        if cause == "eight":
            return (
                f"Say 'left of': of these ten words its text encoder lets in {heard(beside)}, more "
                "than eight, and the colour of the second object, the ninth word, is still right."
            )
        return (
            f"Its text encoder lets in {heard(above)} of the nine words of '{above}', so it does "
            "not hear every word. Add one at the end: the second object gets its shape."
        )


# ---- 07.7: away from a prompt --------------------------------------------------------------------


def guide_away(without, with_text, unwanted, scale):
    return unwanted + scale * (with_text - unwanted)


def not_avoided(without, with_text, unwanted, scale):
    return without + scale * (with_text - without)


def away_from_the_prompt(without, with_text, unwanted, scale):
    return unwanted - scale * (with_text - unwanted)


def beyond_the_prompt(without, with_text, unwanted, scale):
    return with_text + scale * (with_text - unwanted)


def from_no_prompt(without, with_text, unwanted, scale):
    return without + scale * (with_text - unwanted)


OTHER_GUIDES_AWAY = {
    "exchanged": (
        lambda without, with_text, unwanted, scale: with_text + scale * (unwanted - with_text),
        "The two are exchanged: scale 0 gives the prompt, scale 1 what is not wanted.",
    ),
    "the prompt against no prompt": (
        lambda without, with_text, unwanted, scale: unwanted + scale * (with_text - without),
        "You start at the unwanted prediction, but the difference is to the one without a prompt.",
    ),
    "only the difference": (
        lambda without, with_text, unwanted, scale: scale * (with_text - unwanted),
        "That is only the difference; it has to be added to the unwanted prediction.",
    ),
    "towards the unwanted": (
        lambda without, with_text, unwanted, scale: without + scale * (unwanted - without),
        "That is guidance towards what is not wanted; the prompt has to take part.",
    ),
}


def check_guide_away(function):
    without, with_text, unwanted = torch.randn(3, 5)
    typical = {
        not_avoided: "That is guidance without a negative prompt: you do not use the unwanted one.",
        away_from_the_prompt: "A flipped sign; this runs away from the prompt.",
        beyond_the_prompt: "Start at the unwanted prediction: at scale 1 yours is not the one with "
        "the prompt.",
        from_no_prompt: "Start at the unwanted prediction: at scale 0 yours gives the one without "
        "a prompt.",
    }
    for scale in (3.0, 7.5, 1.0, 0.0):
        got, want = (f(without, with_text, unwanted, scale) for f in (function, guide_away))
        if problem := no_tensor(got, want.shape, "the prediction"):
            return problem
        if same(got, want):
            continue
        for mistake, words in typical.items():
            if same(got, mistake(without, with_text, unwanted, scale)):
                return words
        return named(got, OTHER_GUIDES_AWAY, without, with_text, unwanted, scale) or (
            f"At scale {scale:g} you are off by {off_by(got, want):.2f}: a straight line, the "
            "unwanted prediction at 0 and the one with the prompt at 1."
        )
    return None


def hearts_away_from_red(function):
    def away(without, heart, red):
        return function(without, heart, red, 3.0)

    return drawn_with(away, pure_noise(3), "heart", "red")


# ---- 07.8: between two prompts -------------------------------------------------------------------


def between(a, b, share):
    vectors = (1 - share) * a.vectors + share * b.vectors
    return replace(a, vectors=vectors, mask=a.mask | b.mask)


def from_b_to_a(a, b, share):
    return between(b, a, share)


def words_of_the_first(a, b, share):
    return replace(between(a, b, share), mask=a.mask)


def words_of_both(a, b, share):
    return replace(between(a, b, share), mask=a.mask & b.mask)


def added(a, b, share):
    return replace(between(a, b, share), vectors=a.vectors + share * b.vectors)


def check_between(function):
    masks = torch.arange(16) < torch.tensor([[2], [4]])
    short, long = (
        Text(torch.randn(1, 16, 128) * mask[None, :, None], mask[None], torch.tensor([style]))
        for mask, style in zip(masks, (1, 2))
    )
    for a, b, share in ((long, short, 0.4), (short, long, 0.25)):
        got, want = function(a, b, share), between(a, b, share)
        if not isinstance(got, Text):
            return "Expected a Text: replace(a, vectors=..., mask=...) makes one."
        if problem := no_tensor(got.vectors, want.vectors.shape, "its vectors"):
            return problem
        if same(got.vectors, between(b, a, share).vectors):
            return "Share 0 must give a, and share 1 must give b; yours goes the other way."
        if same(got.vectors, added(a, b, share).vectors):
            return "The two shares must sum to 1: of a there is only 1 - share left."
        if not same(got.vectors, want.vectors):
            off = off_by(got.vectors, want.vectors)
            return f"The vectors are off by {off:.2f}: (1 - share) times a's, plus share times b's."
        if not torch.equal(got.styles, a.styles):
            return "Leave the style as it is."
        if not torch.is_tensor(got.mask) or got.mask.dtype != torch.bool:
            return "The mask stays a tensor of bools."
        if got.mask.shape != a.mask.shape or not torch.equal(got.mask, a.mask | b.mask):
            lost = int((a.mask | b.mask).sum()) - int(got.mask.sum())
            if a is short and torch.equal(got.mask, a.mask):
                return f"On the way to a longer prompt your mask leaves out {lost} words of that."
            return f"Your mask lets in {lost} words less than it should: let in those of either."
    return None


SHARES = (0, 0.25, 0.5, 0.75, 1)


def apple_to_car(function):
    apple, car = (load_words().encode(word, "noto") for word in ("apple", "automobile"))
    way = Text.join([function(apple, car, share) for share in SHARES])
    noise = pure_noise(1).repeat(len(SHARES), 1, 1, 1)
    *_, end = dpm_solver(guided(shipped("demiurge"), way), noise, steps=6)
    return end.clean


# ---- 07.9: a prompt that works -------------------------------------------------------------------


def my_prompt():
    return "щенок"


def check_my_prompt(function):
    prompt = function()
    if not isinstance(prompt, str) or not prompt.strip():
        return "Expected a prompt, some words between quotation marks."
    said = split_words(prompt)
    if not said:
        return "There is no word in your prompt."
    if any("dog" in word for word in said):
        return f'The letters "dog" are in what it says, {" ".join(said)!r}: find another word.'
    words = load_words()
    if unknown := list(words.unknown(prompt)):
        return f"The table does not know the word {unknown[0]!r}, so no network will hear it."
    found = _dogs(prompt)
    if found >= 3:
        return None
    vectors = words.encode([prompt, "dog face"])
    means = [v[m].mean(0) for v, m in zip(vectors.vectors, vectors.mask)]
    near = F.cosine_similarity(*means, dim=0).item()
    return (
        f"The dog face is found in {found} of 8 pictures, 3 are needed. The likeness of your "
        f"prompt to 'dog face' is {near:.2f}."
    )


@functools.cache
def _eight(prompt):
    return sample(shipped("demiurge"), prompt, "twemoji", steps=12, n=8, seed=11)


def _dogs(prompt):
    """In how many of eight pictures the judge finds the dog face among its first five."""
    emoji = load_emoji()
    rows = [i for i, style in enumerate(emoji.styles) if style == "twemoji"]
    place = torch.tensor([[emoji.names[i] for i in rows].index("dog face")] * 8)
    return int((rank_among(_eight(prompt), emoji.images[rows], place) < 5).sum())


EXERCISES = (
    Exercise(
        name="07.1",
        title="likeness",
        check=check_alike,
        solution=alike,
        hints=(
            "First the mean over the words of each text, so that both are one vector of 128 "
            "numbers. Then the cosine of the angle between the two.",
            "`.mean(0)` is the mean over the rows; `F.cosine_similarity(u, v, dim=0)` compares two "
            "vectors.",
        ),
        wrong={
            "a product without the lengths": dot_product,
            "all words made equally long": every_word_as_long,
            "the mean over all pairs of words": mean_over_pairs,
            "only the first words": first_words,
            "1 minus the cosine": distance,
            "divided by one length": over_one_length,
            "only the last words": last_words,
        },
        views=(
            Numbers(
                "How alike are two texts?", likeness_of_pairs, [", ".join(pair) for pair in PAIRS]
            ),
        ),
    ),
    Exercise(
        name="07.2",
        title="attention weights",
        check=check_attention_weights,
        solution=attention_weights,
        hints=(
            "Before the softmax: where there is no word, the score becomes minus infinity. Then "
            "its share is zero, and the others still sum to 1.",
            'Shape the mask for heads and places, `rearrange(mask, "b m -> b 1 1 m")`; '
            "`scores.masked_fill(where, -torch.inf)` fills where it finds True. The softmax goes "
            "over the last axis.",
        ),
        wrong={
            "forgot the mask": without_mask,
            "scores times the mask": zero_scores,
            "masked after the softmax": zero_shares,
            "turned the mask round": turned_round,
            "softmax over the places": over_the_places,
            "forgot the softmax": lambda scores, mask: scores.masked_fill(
                ~rearrange(mask, "b m -> b 1 1 m"), -torch.inf
            ),
        },
        views=(
            Numbers(
                "What a place takes from a prompt of two words",
                weights_of_two_words,
                ["word 1", "word 2", "empty", "empty", "empty", "sum"],
            ),
        ),
    ),
    Exercise(
        name="07.3",
        title="guidance",
        check=check_guide,
        solution=guide,
        hints=(
            "A straight line: it starts at the prediction without the prompt; scale 1 brings you "
            "to the prediction with it.",
            "What the prompt changes is `with_text - without`. Take `scale` times that, and add it "
            "to where you started.",
        ),
        wrong={
            "a flipped sign": flipped,
            "started at the prediction with the prompt": from_the_prompt,
            "the predictions exchanged": exchanged,
            "the whole prediction scaled": only_louder,
            "only the difference": only_the_difference,
            **makers(OTHER_GUIDES),
        },
        views=(Pictures("A red apple", guided_apple, [f"s = {s:g}" for s in SCALES]),),
    ),
    Exercise(
        name="07.4",
        title="condition dropout",
        check=check_drop_condition,
        solution=drop_condition,
        hints=(
            "Draw one random number for each prompt, and hide all of its words or none.",
            "`torch.rand(len(mask), 1) < share` is a column, True for about `share` of the "
            "prompts; a word stays where the mask has it and its prompt is not hidden.",
        ),
        wrong={
            "hid single words": single_words,
            "one random number for the whole batch": one_for_all,
            "hid the others": the_others,
            "hid nothing": nothing_hidden,
            "always the first ones": lambda mask, share: (
                mask & (torch.arange(len(mask))[:, None] >= share * len(mask))
            ),
        },
        views=(
            Numbers(
                "2000 prompts, of which 15% should be hidden",
                hidden_shares,
                ["hidden", "robbed of a part"],
            ),
        ),
    ),
    Exercise(
        name="07.5",
        title="the mask",
        check=check_mask,
        solution=word_mask,
        hints=(
            "A place holds a word when its number is smaller than the length of its prompt; places "
            "count from 0.",
            "Compare a row, `torch.arange(longest)`, with a column, `lengths[:, None]`.",
        ),
        wrong={
            "one word too many": lambda lengths, longest: torch.arange(longest) <= lengths[:, None],
            "turned round": lambda lengths, longest: torch.arange(longest) >= lengths[:, None],
            "words at the end of the row": lambda lengths, longest: word_mask(
                lengths, longest
            ).flip(1),
            "lengths as a row": lambda lengths, longest: torch.arange(longest) < lengths,
            "one word too few": lambda lengths, longest: (
                torch.arange(longest) + 1 < lengths[:, None]
            ),
            "one place only": lambda lengths, longest: torch.arange(longest) == lengths[:, None],
            "everything": lambda lengths, longest: torch.ones(len(lengths), longest).bool(),
        },
        views=(Pictures("Dark: words; four prompts of 2, 5, 0 and 3 words", drawn_mask),),
    ),
    Exercise(
        name="07.6",
        title="diagnose the broken model",
        check=check_diagnosis,
        solution=diagnosis,
        hints=(
            "Which of the seven attributes fails? Tell the same scenes from the other side: does "
            "the fault go with the object, or with its place in the sentence?",
            "Make the sentence longer by a word, at its front, in its middle ('left of'), at its "
            "end. When does the fault go away? And which word gets no attention?",
        ),
        wrong={
            "a flipped sign": lambda: "sign",
            "no order": lambda: "order",
            "only eight words": lambda: "eight",
            "shapes never learned": lambda: "shapes",
        },
    ),
    Exercise(
        name="07.7",
        title="away from a prompt",
        check=check_guide_away,
        solution=guide_away,
        hints=(
            "The unwanted prediction takes the place of the one without a prompt.",
            "A straight line again: the unwanted prediction at scale 0, the one with the prompt at "
            "scale 1. The one without a prompt is not needed.",
        ),
        wrong={
            "without the negative prompt": not_avoided,
            "a flipped sign": away_from_the_prompt,
            "started at the prediction with the prompt": beyond_the_prompt,
            "started without a prompt": from_no_prompt,
            **makers(OTHER_GUIDES_AWAY),
        },
        views=(Pictures("Three hearts, away from red", hearts_away_from_red),),
    ),
    Exercise(
        name="07.8",
        title="between two prompts",
        check=check_between,
        solution=between,
        hints=(
            "Two lines: the mixed vectors, then a Text that holds them. Which words must be read "
            "on the way from a short prompt to a long one?",
            "`replace(a, vectors=..., mask=...)` keeps the style of a; `a.mask | b.mask` lets in "
            "the words of either.",
        ),
        wrong={
            "from b to a": from_b_to_a,
            "only the words of the first prompt": words_of_the_first,
            "only words that both have": words_of_both,
            "added without taking away": added,
        },
        views=(
            Pictures("From an apple to a car", apple_to_car, [f"{share:.0%}" for share in SHARES]),
        ),
    ),
    Exercise(
        name="07.9",
        title="a prompt that works",
        check=check_my_prompt,
        solution=my_prompt,
        hints=(
            "The word must lie near 'dog' on the map, and mean the face rather than the whole "
            'animal, which is another emoji. `likeness("your word", "dog")` tells how near.',
            "Young animals are nearly all face. Try that in either language.",
        ),
        wrong={
            "has the letters": lambda: "a small dog",
            "an emoji, which is heard as its name": lambda: "\N{DOG FACE}",
            "a word that nobody knows": lambda: "pupppyy",
            "another thing": lambda: "red car",
        },
        views=(Pictures("Eight pictures for the prompt", lambda f: _eight(f())),),
    ),
)
