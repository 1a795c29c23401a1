"""Scenes: an oracle that is never wrong on clean ones, and captions that say what is there."""

import math
import warnings

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from diffusion_helpers.scenes import (
    CHOICES,
    COLOURS,
    LEAST,
    PALETTE,
    RELATIONS,
    RUSSIAN,
    SHAPES,
    SIZES,
    captions,
    draw_scenes,
    is_held_out,
    other_side,
    patches_of_paint,
    rasterise,
    read_scenes,
    same_scene,
    scenes,
)
from diffusion_helpers.text import MAX_WORDS
from diffusion_helpers.words import load_words, split_words

# All 5184 things that can be said, so most properties are checked without exception.
EVERY = torch.cartesian_prod(*map(torch.arange, (*CHOICES, len(RELATIONS), *CHOICES)))
ENGLISH = captions(EVERY)
ALIKE = (EVERY[:, :3] == EVERY[:, 4:]).all(1)  # both objects look the same


def scene(*sentences):
    """The attributes (n, 7) that these English captions tell."""
    return EVERY[[ENGLISH.index(s) for s in sentences]]


def draw(attributes, seed=0):
    return draw_scenes(attributes, torch.Generator().manual_seed(seed))


def exchanged(attributes):
    """The two objects change places: "A above B" becomes "B above A"."""
    return torch.cat([attributes[:, 4:], attributes[:, 3:4], attributes[:, :3]], dim=1)


def side_by_side(n):
    drawn = scenes(4 * n)
    return drawn.images[drawn.attributes[:, 3] % 2 == 1][:n]


# ---- scenes -------------------------------------------------------------------------------------


@pytest.mark.parametrize("unseen", [False, True])
def test_scenes_are_pictures_and_repeat_with_their_seed(unseen):
    one, same, other = (scenes(200, seed, unseen) for seed in (3, 3, 4))
    assert one.images.shape == (200, 3, 32, 32) and one.images.dtype == torch.float32
    assert one.images.min() >= -1 and one.images.max() == 1
    assert one.attributes.shape == (200, 7) and one.attributes.dtype == torch.long
    assert torch.equal(one.images, same.images) and torch.equal(one.attributes, same.attributes)
    assert not torch.equal(one.attributes, other.attributes)


@pytest.mark.parametrize("unseen", [False, True])
def test_everything_that_can_be_drawn_is_drawn(unseen):
    for column, attribute in enumerate(scenes(600, unseen=unseen).attributes.T):
        counts = (*CHOICES, len(RELATIONS), *CHOICES)
        assert attribute.unique().tolist() == list(range(counts[column]))


def test_one_scene_stands_at_many_places():
    drawn = draw(scene("a small red circle above a small blue square").expand(50, 7))
    assert len(drawn.unique(dim=0)) == 50


# The oracle cannot notice if it shares a mistake with the drawing: these pictures are known by eye.
@pytest.mark.parametrize(
    ("sentence", "half"),
    [
        ("a big red circle above a small blue square", (slice(0, 16), slice(None))),
        ("a big red circle below a small blue square", (slice(16, 32), slice(None))),
        ("a big red circle left of a small blue square", (slice(None), slice(0, 16))),
        ("a big red circle right of a small blue square", (slice(None), slice(16, 32))),
    ],
)
def test_the_first_object_stands_where_the_relation_says(sentence, half):
    red, _, blue = draw(scene(sentence).expand(20, 7)).unbind(1)
    reddish, here = red > blue, torch.zeros(32, 32, dtype=torch.bool)
    here[half] = True
    assert reddish[:, here].any() and not reddish[:, ~here].any()
    assert (blue > red)[:, ~here].any() and not (blue > red)[:, here].any()


@pytest.mark.parametrize(("size", "half"), list(enumerate(SIZES.values())))
@pytest.mark.parametrize(("shape", "area"), [(0, math.pi), (1, 4), (2, 2)])
def test_shapes_are_as_large_as_they_should_be(size, half, shape, area):
    ink = rasterise(*torch.tensor([[16.2], [15.7], [half]]), torch.tensor([shape]))
    assert ink.shape == (1, 1, 32, 32)
    assert ink.sum().item() == pytest.approx(area * half**2, rel=0.04)


def test_a_triangle_points_up():
    widths = rasterise(*torch.tensor([[16.0], [16.0], [6.5]]), torch.tensor([2]))[0, 0].sum(1)
    assert widths[10] < 2 and widths[21] > 11


# ---- what is held out ---------------------------------------------------------------------------


def combinations(attributes):
    """What each object is and where it stands: two lists of (colour, shape, place)."""
    _, colour_1, shape_1, relation, _, colour_2, shape_2 = attributes.T.tolist()
    opposite = [{0: 2, 2: 0, 1: 3, 3: 1}[r] for r in relation]
    return list(zip(colour_1, shape_1, relation)), list(zip(colour_2, shape_2, opposite))


def test_a_scene_is_held_out_whichever_object_is_named_first():
    assert torch.equal(is_held_out(EVERY), is_held_out(other_side(EVERY)))


def test_training_sees_no_held_out_scene_and_the_others_are_all_held_out():
    assert not is_held_out(scenes(500).attributes).any()
    assert is_held_out(scenes(500, unseen=True).attributes).all()


def test_every_colour_and_shape_is_seen_in_three_places_or_all_four():
    first, second = combinations(EVERY[~is_held_out(EVERY)])
    seen = set(first) | set(second)
    for colour in range(len(COLOURS)):
        for shape in range(len(SHAPES)):
            assert sum((colour, shape, place) in seen for place in range(4)) >= 3
    assert len(seen) == 72 - 8  # one in nine is kept back


def test_held_out_scenes_are_those_with_a_combination_that_training_never_shows():
    held_out = is_held_out(EVERY)
    first, second = combinations(EVERY[~held_out])
    seen = set(first) | set(second)
    new = [a not in seen or b not in seen for a, b in zip(*combinations(EVERY))]
    assert held_out.tolist() == new


# ---- the oracle ---------------------------------------------------------------------------------


@pytest.mark.parametrize("dust", [0, 0.1])
@pytest.mark.parametrize("unseen", [False, True])
def test_the_oracle_is_exact(unseen, dust):
    drawn = scenes(100, seed=1, unseen=unseen)
    noise = torch.randn(drawn.images.shape, generator=torch.Generator().manual_seed(0))
    reading = read_scenes(drawn.images + dust * noise)
    assert reading.well_formed.all()
    turned = drawn.attributes[:, 3:4] >= 2  # the oracle names the upper or left object first
    expected = torch.where(turned, other_side(drawn.attributes), drawn.attributes)
    assert torch.equal(reading.attributes, expected)


def objects(*places, shape=0, colour=0, half=4.0):
    """A picture (1, 3, 32, 32) of equal objects with these centres (x, y)."""
    picture = torch.ones(1, 3, 32, 32)
    for x, y in places:
        ink = rasterise(*torch.tensor([[x], [y], [half]]), torch.tensor([shape]))
        picture = picture * (1 - ink) + PALETTE[colour].view(1, 3, 1, 1) * ink
    return picture


LEFT, RIGHT, BELOW = (7.0, 8.0), (25.0, 8.0), (16.0, 24.0)


@pytest.mark.parametrize("shape", range(len(SHAPES)))
def test_two_objects_are_well_formed_but_not_one_or_three(shape):
    for places, fine in [((LEFT, RIGHT), True), ((LEFT,), False), ((LEFT, RIGHT, BELOW), False)]:
        assert read_scenes(objects(*places, shape=shape)).well_formed.tolist() == [fine]


def erased_left(pictures):
    pictures[..., :16] = 1
    return pictures


def half_erased(pictures):
    pictures[..., :8] = pictures[..., 24:] = 1  # the outer half of each object
    return pictures


def bridge(pictures):
    pictures[:, :, 14:18, 4:28] = -1
    return pictures


@pytest.mark.parametrize("spoil", [torch.ones_like, erased_left, half_erased, bridge])
def test_spoiled_scenes_are_not_well_formed(spoil):
    reading = read_scenes(spoil(side_by_side(30)))
    assert not reading.well_formed.any() and (reading.attributes == -1).all()


@pytest.mark.parametrize("noise", [torch.randn, torch.rand])
def test_pure_noise_is_not_well_formed(noise):
    generator = torch.Generator().manual_seed(0)
    pictures = noise(30, 3, 32, 32, generator=generator)
    assert not read_scenes(pictures).well_formed.any()
    assert not read_scenes(2 * pictures - 1).well_formed.any()


@pytest.mark.parametrize(("pixels", "fine"), [(LEAST - 1, True), (LEAST, False)])
def test_only_a_small_speck_is_overlooked(pixels, fine):
    picture = objects(LEFT, RIGHT)
    picture[:, :, 30, 5 : 5 + pixels] = -1
    assert read_scenes(picture).well_formed.tolist() == [fine]


def test_every_picture_is_read_on_its_own():
    drawn = scenes(3)
    together = drawn.images.clone()
    together[1] = 1
    reading = read_scenes(together)
    assert reading.well_formed.tolist() == [True, False, True]
    assert same_scene(reading.attributes, drawn.attributes).tolist() == [True, False, True]


@pytest.mark.parametrize(
    ("pictures", "sentence"),
    [
        (torch.ones(1, 3, 28, 28), r"scenes have shape \(B, 3, 32, 32\), got \(1, 3, 28, 28\)"),
        (torch.ones(1, 3, 32, 31), r"scenes have shape \(B, 3, 32, 32\), got \(1, 3, 32, 31\)"),
        (torch.ones(1, 1, 32, 32), "3 colour channels, got a batch of shape"),
        (torch.ones(3, 32, 32), r"expected images in \[-1, 1\] of shape \(B, C, H, W\), got"),
        (torch.ones(1, 3, 32, 32).long(), "expected images .* got torch.int64"),
        (torch.ones(0, 3, 32, 32), "expected at least one picture, got an empty batch"),
        (torch.full((1, 3, 32, 32), torch.nan), "the pictures hold NaN or infinite values"),
        (torch.full((1, 3, 32, 32), torch.inf), "the pictures hold NaN or infinite values"),
        ("scene", "expected images .* got 'scene'"),
    ],
)
def test_what_is_no_scene_gets_one_sentence(pictures, sentence):
    with pytest.raises(ValueError, match=sentence) as raised:
        read_scenes(pictures)
    assert "\n" not in str(raised.value)


def flooded(mask):
    """The patches of a mask (a list of lists), each as a set of places."""
    dry = {(y, x) for y, row in enumerate(mask) for x, wet in enumerate(row) if wet}
    patches = []
    while dry:
        patch, edge = set(), {next(iter(dry))}
        while edge:
            patch |= edge
            dry -= edge
            steps = ((0, 1), (1, 0), (0, -1), (-1, 0))
            edge = {(y + dy, x + dx) for y, x in edge for dy, dx in steps} & dry
        patches.append(patch)
    return patches


@settings(deadline=None, max_examples=100)
@given(st.lists(st.lists(st.booleans(), min_size=6, max_size=6), min_size=1, max_size=7))
def test_patches_hang_together_as_a_flood_would_find(mask):
    (labels,) = patches_of_paint(torch.tensor([mask]))
    found = [set(map(tuple, (labels == n).nonzero().tolist())) for n in labels[labels > 0].unique()]
    assert sorted(map(sorted, found)) == sorted(map(sorted, flooded(mask)))


# ---- the same scene -----------------------------------------------------------------------------


def test_above_and_below_tell_the_same_scene_and_a_swapped_pair_another():
    told, turned, swapped, beside = scene(
        "a big red circle above a small blue square",
        "a small blue square below a big red circle",
        "a small blue square above a big red circle",
        "a big red circle left of a small blue square",
    ).split(1)
    assert same_scene(told, turned).tolist() == [True]
    assert same_scene(told, swapped).tolist() == same_scene(told, beside).tolist() == [False]
    assert torch.equal(other_side(told), turned)


def test_the_other_side_is_its_own_inverse_and_keeps_the_scene():
    assert torch.equal(other_side(other_side(EVERY)), EVERY)
    assert same_scene(EVERY, other_side(EVERY)).all() and same_scene(EVERY, EVERY).all()
    assert (other_side(EVERY) != EVERY).any(1).all()


def test_objects_that_change_places_make_another_scene_unless_they_are_alike():
    assert torch.equal(same_scene(EVERY, exchanged(EVERY)), ALIKE)


@pytest.mark.parametrize("column", range(7))
def test_one_wrong_attribute_makes_another_scene(column):
    wrong = EVERY.clone()
    wrong[:, column] = (wrong[:, column] + 1) % (1 + EVERY[:, column].max())
    assert not same_scene(EVERY, wrong).any() and not same_scene(wrong, other_side(EVERY)).any()


def test_both_sides_are_drawn_as_the_same_scene():
    told = scenes(30, seed=2).attributes
    assert same_scene(read_scenes(draw(other_side(told))).attributes, told).all()


# ---- captions -----------------------------------------------------------------------------------


def test_captions_in_english():
    rows = torch.tensor([[0, 0, 0, 0, 1, 3, 1], [1, 5, 2, 1, 0, 4, 2], [1, 1, 1, 3, 0, 2, 0]])
    assert captions(rows) == captions(rows, "en")
    assert captions(rows) == [
        "a big red circle above a small blue square",
        "a small black triangle left of a big purple triangle",
        "a small yellow square right of a big green circle",
    ]
    assert captions(other_side(rows[:1])) == ["a small blue square below a big red circle"]


@pytest.mark.parametrize(
    ("english", "russian"),
    [
        (
            "a big red circle above a small blue square",
            "большой красный круг над маленьким синим квадратом",
        ),
        (
            "a small blue square below a big red circle",
            "маленький синий квадрат под большим красным кругом",
        ),
        (
            "a small black triangle above a big green circle",
            "маленький чёрный треугольник над большим зелёным кругом",
        ),
        (
            "a big purple square below a small yellow triangle",
            "большой фиолетовый квадрат под маленьким жёлтым треугольником",
        ),
        (
            "a big yellow triangle left of a small black circle",
            "большой жёлтый треугольник слева от маленького чёрного круга",
        ),
        (
            "a small purple circle right of a big blue square",
            "маленький фиолетовый круг справа от большого синего квадрата",
        ),
        (
            "a big blue circle right of a small red triangle",
            "большой синий круг справа от маленького красного треугольника",
        ),
    ],
)
def test_captions_in_russian(english, russian):
    assert captions(scene(english), "ru") == [russian]


# nominative, instrumental (after над, под), genitive (after слева от, справа от)
CASES = {
    "big": ("большой", "большим", "большого"),
    "small": ("маленький", "маленьким", "маленького"),
    "red": ("красный", "красным", "красного"),
    "yellow": ("жёлтый", "жёлтым", "жёлтого"),
    "green": ("зелёный", "зелёным", "зелёного"),
    "blue": ("синий", "синим", "синего"),
    "purple": ("фиолетовый", "фиолетовым", "фиолетового"),
    "black": ("чёрный", "чёрным", "чёрного"),
    "circle": ("круг", "кругом", "круга"),
    "square": ("квадрат", "квадратом", "квадрата"),
    "triangle": ("треугольник", "треугольником", "треугольника"),
}
PLACES = {
    "above": ("над", 1),
    "below": ("под", 1),
    "left of": ("слева от", 2),
    "right of": ("справа от", 2),
}


def test_every_word_stands_in_its_case():
    for english, russian in zip(ENGLISH, captions(EVERY, "ru")):
        (relation,) = (r for r in PLACES if f" {r} " in english)
        first, second = english.split(f" {relation} ")
        place, case = PLACES[relation]
        words = (
            [CASES[w][0] for w in first.split()[1:]],
            [CASES[w][case] for w in second.split()[1:]],
        )
        assert russian == f"{' '.join(words[0])} {place} {' '.join(words[1])}"


@pytest.mark.parametrize("language", ["en", "ru"])
def test_no_two_captions_are_the_same(language):
    assert len(set(captions(EVERY, language))) == len(EVERY)


@pytest.mark.parametrize("language", ["de", "EN", "", None])
def test_an_unknown_language_gets_one_sentence(language):
    with pytest.raises(ValueError, match=f"language is 'en' or 'ru', got {language!r}"):
        captions(EVERY[:1], language)


@pytest.mark.parametrize("language", ["en", "ru"])
def test_every_word_of_every_caption_is_heard(language):
    words = load_words()
    spoken = [split_words(caption) for caption in captions(EVERY, language)]
    assert {word for said in spoken for word in said if word not in words} == set()
    assert max(map(len, spoken)) <= MAX_WORDS


def test_every_attribute_has_a_meaning_of_its_own():
    words = load_words()
    for names in (SIZES, COLOURS, SHAPES, RELATIONS):
        for said in (names, [RUSSIAN[name] for name in names]):
            assert len({tuple(words.row_numbers(name)) for name in said}) == len(names)


# Not in Russian after над and под: there the case marks the second object too; to the word table
# "большим" is a form of "больший", and "кругом" a word of its own ("around").
@pytest.mark.parametrize(("language", "relations"), [("en", (0, 1, 2, 3)), ("ru", (1, 3))])
def test_exchanging_the_objects_changes_only_the_order_of_what_is_heard(language, relations):
    words, asked = load_words(), torch.isin(EVERY[:, 3], torch.tensor(relations))
    told = EVERY[asked & ~ALIKE][::20]
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # a word that is not heard
        one, other = (words.encode(captions(rows, language)) for rows in (told, exchanged(told)))
    assert torch.equal(one.mask, other.mask)
    for a, b in zip(one.vectors.tolist(), other.vectors.tolist()):
        assert a != b and sorted(a) == sorted(b)


def test_what_could_not_be_read_has_no_caption():
    reading = read_scenes(torch.ones(1, 3, 32, 32))
    with pytest.raises(ValueError, match="well_formed"):
        captions(reading.attributes)
    assert captions(reading.attributes[reading.well_formed]) == []


def test_no_scene_at_all_gets_one_sentence():
    with pytest.raises(ValueError, match="from 1 up, got 0"):
        scenes(0)
