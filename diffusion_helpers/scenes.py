"""Lesson 07: scenes. Two shapes, one beside the other, and an oracle that reads them exactly.

"a big red circle above a small blue square" has seven attributes; all seven must be right. Swap two
words and the picture is wrong, so a net that only knows *which* words were said must fail.
"""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from einops import rearrange, reduce

from .checks import (
    brief,
    check_attributes,
    check_count,
    check_images,
    check_kind,
    check_rows,
    seeded_generator,
)
from .languages import marked, tr

SIDE = 32
SIZES = {"big": 6.5, "small": 4.0}  # half of the height and the width, in pixels
COLOURS = {
    "red": (0.90, 0.10, 0.10),
    "yellow": (0.98, 0.80, 0.05),
    "green": (0.10, 0.60, 0.20),
    "blue": (0.10, 0.35, 0.95),
    "purple": (0.60, 0.15, 0.75),
    "black": (0.10, 0.10, 0.10),
}
SHAPES = ("circle", "square", "triangle")
RELATIONS = ("above", "left of", "below", "right of")  # two on: the same, seen from the other side
CHOICES = (len(SIZES), len(COLOURS), len(SHAPES))
ATTRIBUTES = (*CHOICES, len(RELATIONS), *CHOICES)  # how many each attribute of a scene has
PALETTE = torch.tensor(list(COLOURS.values())) * 2 - 1  # (6, 3)
FINE = 4  # pixels are drawn four times too fine, then averaged, so that edges are smooth
LEAST = 8  # pixels: smaller specks of paint are no objects
LIKE = 0.7  # intersection over union with the ideal shape, for an object to be well formed

RUSSIAN = {
    "big": "большой",
    "small": "маленький",
    "red": "красный",
    "yellow": "жёлтый",
    "green": "зелёный",
    "blue": "синий",
    "purple": "фиолетовый",
    "black": "чёрный",
    "circle": "круг",
    "square": "квадрат",
    "triangle": "треугольник",
    "above": "над",
    "left of": "слева от",
    "below": "под",
    "right of": "справа от",
}


class Scenes(NamedTuple):
    """n scenes: images (n, 3, 32, 32) in [-1, 1] and what they show, attributes (n, 7) integers.

    A row of attributes: size, colour and shape of the first object, the relation, then size, colour
    and shape of the second; each counts in SIZES, COLOURS, SHAPES or RELATIONS.
    """

    images: torch.Tensor
    attributes: torch.Tensor


class Reading(NamedTuple):
    well_formed: torch.Tensor  # (B,) bool: exactly two objects, each close to an ideal shape
    attributes: torch.Tensor  # (B, 7) integers, the upper or left object first; -1 where unreadable


def scenes(n: int, seed: int = 0, unseen: bool = False) -> Scenes:
    """n random scenes, as `Scenes`, that a net may learn from; with unseen=True only such that show
    a held-out combination of colour, shape and place.
    """
    check_count(n)
    generator = seeded_generator(seed)
    rows, found = [], 0
    while found < n:
        size, colour, shape = (torch.randint(k, (2 * n, 2), generator=generator) for k in CHOICES)
        relation = torch.randint(len(RELATIONS), (2 * n,), generator=generator)
        columns = size[:, 0], colour[:, 0], shape[:, 0], relation, size[:, 1], colour[:, 1]
        drawn = torch.stack([*columns, shape[:, 1]], dim=1)
        rows.append(drawn[is_held_out(drawn) == unseen])
        found += len(rows[-1])
    attributes = torch.cat(rows)[:n]
    return Scenes(draw_scenes(attributes, generator), attributes)


def is_held_out(attributes: torch.Tensor) -> torch.Tensor:
    """Whether scenes (n, 7) show a combination of colour, shape and place that no net learns from.

    One in nine combinations, spread evenly: every colour and shape is seen in three places or all
    four. A place is where an object stands: at the top, left, bottom or right.
    """
    attributes = check_attributes(attributes, ATTRIBUTES)
    _, colour_1, shape_1, relation, _, colour_2, shape_2 = attributes.T
    first = (5 * colour_1 + 3 * shape_1 + 7 * relation) % 9 == 0
    second = (5 * colour_2 + 3 * shape_2 + 7 * ((relation + 2) % 4)) % 9 == 0
    return first | second


def draw_scenes(attributes: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Scenes (n, 7) as pictures (n, 3, 32, 32); chance decides where exactly an object stands."""
    attributes = check_attributes(attributes, ATTRIBUTES)
    check_count(len(attributes), tr("the number of scenes"))
    check_kind(generator, torch.Generator, marked("dice such as torch.Generator()"))
    upright = (attributes[:, 3] % 2 == 0).float()  # one above the other, not side by side
    first_side = torch.where(attributes[:, 3] < 2, -1.0, 1.0)
    pictures = torch.ones(len(attributes), 3, SIDE, SIDE)
    for side, columns in ((first_side, (0, 1, 2)), (-first_side, (4, 5, 6))):
        size, colour, shape = (attributes[:, c] for c in columns)
        jitter = 2 * torch.rand(2, len(attributes), generator=generator) - 1
        along, across = 16 + 8 * side + jitter[0], 16 + 6 * jitter[1]
        x = torch.where(upright == 1, across, along)
        y = torch.where(upright == 1, along, across)
        ink = rasterise(x, y, torch.tensor(list(SIZES.values()))[size], shape)
        paint = rearrange(PALETTE[colour], "n c -> n c 1 1")
        pictures = pictures * (1 - ink) + paint * ink
    return pictures


def rasterise(
    x: torch.Tensor, y: torch.Tensor, half: torch.Tensor, shape: torch.Tensor
) -> torch.Tensor:
    """How much of each pixel a shape covers: centres and half sizes (n,) -> (n, 1, 32, 32)."""
    shape = check_rows(shape, len(SHAPES), marked("shapes"))
    for numbers in (x, y, half):
        fits = torch.is_tensor(numbers) and not numbers.is_complex() and not numbers.is_meta
        if not fits or numbers.shape != shape.shape:
            raise ValueError(tr("expected {} real numbers, got {}", len(shape), brief(numbers)))
        if not numbers.isfinite().all():
            raise ValueError(tr("a shape needs finite numbers for its centre and its size"))
    places = (torch.arange(SIDE * FINE) + 0.5) / FINE
    dx = rearrange(places, "w -> 1 1 w") - rearrange(x, "n -> n 1 1")
    dy = rearrange(places, "h -> 1 h 1") - rearrange(y, "n -> n 1 1")
    half, shape = (rearrange(v, "n -> n 1 1") for v in (half, shape))
    circle = dx**2 + dy**2 <= half**2
    square = (dx.abs() <= half) & (dy.abs() <= half)
    triangle = (dy.abs() <= half) & (2 * dx.abs() <= dy + half)
    inside = torch.where(shape == 0, circle, torch.where(shape == 1, square, triangle))
    return reduce(inside.float(), "n (h a) (w b) -> n 1 h w", "mean", a=FINE, b=FINE)


# ---- the oracle ---------------------------------------------------------------------------------


def read_scenes(pictures: torch.Tensor) -> Reading:
    """The oracle: what pictures (B, 3, 32, 32) show, as a `Reading`. ValueError for other shapes.

    Paint that hangs together is an object; its size and shape are those of the ideal shape that
    covers it best, its colour is the nearest to its mean. Its own accuracy: benchmarks/scenes.txt.
    """
    check_images(pictures, channels=3)
    if pictures.shape[-2:] != (SIDE, SIDE):
        raise ValueError(tr("scenes have shape (B, 3, 32, 32), got {}", tuple(pictures.shape)))
    pictures = pictures.detach().float().cpu()
    labels = patches_of_paint(pictures.amin(1) < 0)
    readings = [_read_one(p, label) for p, label in zip(pictures, labels, strict=True)]
    return Reading(
        torch.tensor([row is not None for row in readings]),
        torch.tensor([row or [-1] * 7 for row in readings]),
    )


def patches_of_paint(mask: torch.Tensor) -> torch.Tensor:
    """Number what hangs together: (B, H, W) bool -> (B, H, W) integers, 0 where there is nothing.

    Every pixel starts with a number of its own and takes the largest of its four neighbours'.
    """
    if not torch.is_tensor(mask) or mask.dtype != torch.bool or mask.ndim != 3 or 0 in mask.shape:
        raise ValueError(tr("expected a mask (B, H, W) of bool, got {}", brief(mask)))
    numbers = 1 + torch.arange(mask[0].numel()).view_as(mask[0])
    labels = numbers * mask
    while True:
        edge = F.pad(labels, (1, 1, 1, 1))
        shifted = (edge[:, 1:-1, :-2], edge[:, 1:-1, 2:], edge[:, :-2, 1:-1], edge[:, 2:, 1:-1])
        grown = torch.stack([labels, *shifted]).amax(0) * mask
        if torch.equal(grown, labels):
            return labels
        labels = grown


def _read_one(picture, labels):
    """One picture (3, 32, 32) as a row of seven attributes, or None where it cannot be read."""
    numbers, counts = labels[labels > 0].unique(return_counts=True)
    numbers = numbers[counts >= LEAST]
    if len(numbers) != 2:
        return None
    objects = [_read_object(picture, labels == number) for number in numbers]
    if None in objects:
        return None
    (y1, x1, *_), (y2, x2, *_) = objects
    upright = abs(y1 - y2) > abs(x1 - x2)
    objects.sort(key=lambda o: o[0] if upright else o[1])
    (_, _, *first), (_, _, *second) = objects
    return [*first, 0 if upright else 1, *second]


def _read_object(picture, mask):
    """Centre, size, colour and shape of the paint under mask (32, 32) bool; None if none fits."""
    ys, xs = mask.nonzero().T
    y, x = ((v.min() + v.max() + 1) / 2 for v in (ys, xs))
    colour = (picture[:, mask].mean(1) - PALETTE).square().sum(1).argmin().item()
    pure = 1 - rearrange(PALETTE[colour], "c -> c 1 1")  # how far the colour lies from white
    ink = ((1 - picture) * pure).sum(0) / pure.square().sum()  # the share of paint in each pixel
    around = F.max_pool2d(mask[None].float(), 3, stride=1, padding=1)[0]  # with its soft edge
    ink = ink.clamp(0, 1) * around
    near = torch.tensor([-0.5, 0.0, 0.5])  # half a pixel: a tip may be too thin to be in the mask
    size, shape, dy, dx = torch.cartesian_prod(
        torch.arange(len(SIZES)).float(), torch.arange(len(SHAPES)).float(), near, near
    ).T
    half = torch.tensor(list(SIZES.values()))[size.long()]
    ideal = rasterise(x + dx, y + dy, half, shape.long())[:, 0]
    likeness = ideal.minimum(ink).sum((1, 2)) / ideal.maximum(ink).sum((1, 2))
    best = likeness.argmax()
    if likeness[best] < LIKE:
        return None
    return y.item(), x.item(), int(size[best]), colour, int(shape[best])


def same_scene(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """Whether two lists of scenes (n, 7) say the same: "A above B" is "B below A". (n,) bool."""
    a, b = (check_attributes(x, ATTRIBUTES, least=-1) for x in (a, b))
    if len(a) != len(b):
        raise ValueError(tr("expected as many scenes on both sides, got {} and {}", len(a), len(b)))
    return (_upper_left_first(a) == _upper_left_first(b)).all(1)


def _upper_left_first(attributes):
    turned = torch.cat([attributes[:, 4:], attributes[:, 3:4] - 2, attributes[:, :3]], dim=1)
    return torch.where(attributes[:, 3:4] >= 2, turned, attributes)


# ---- what is said of them -----------------------------------------------------------------------


def captions(attributes: torch.Tensor, language: str = "en") -> list[str]:
    """Sentences for scenes (n, 7): "a big red circle above a small blue square", or in Russian."""
    if not isinstance(language, str) or language not in ("en", "ru"):
        raise ValueError(tr("language is 'en' or 'ru', got {}", brief(language)))
    return [_sentence(row, language) for row in check_attributes(attributes, ATTRIBUTES).tolist()]


def other_side(attributes: torch.Tensor) -> torch.Tensor:
    """The same scenes told from the other object: "A above B" becomes "B below A". (n, 7)."""
    attributes = check_attributes(attributes, ATTRIBUTES, least=-1)
    turned = (attributes[:, 3:4] + 2) % len(RELATIONS)
    return torch.cat([attributes[:, 4:], turned, attributes[:, :3]], dim=1)


def _sentence(row, language):
    first, relation, second = (_words(row[:3]), RELATIONS[row[3]], _words(row[4:]))
    if language == "en":
        return f"a {' '.join(first)} {relation} a {' '.join(second)}"
    # after "над" and "под" the instrumental case, after "слева от" and "справа от" the genitive
    ends = ("ого", "его", "а") if relation in ("left of", "right of") else ("ым", "им", "ом")
    *adjectives, noun = (RUSSIAN[w] for w in second)
    bent = [_bend(a, *ends) for a in adjectives] + [noun + ends[2]]
    return " ".join([*(RUSSIAN[w] for w in first), RUSSIAN[relation], *bent])


def _words(numbers):
    lists = (list(SIZES), list(COLOURS), SHAPES)
    return [names[i] for names, i in zip(lists, numbers, strict=True)]


def _bend(adjective, hard, soft, _):
    """A masculine adjective in another case: красный -> красным, синий -> синим, большой -> ..."""
    stem, ending = adjective[:-2], adjective[-2:]
    if ending == "ий" and not stem.endswith(("к", "г", "х")):
        return stem + soft
    if hard == "ым" and stem.endswith(("к", "г", "х", "ш", "ж")):
        return stem + "им"  # маленьким, большим
    return stem + hard
