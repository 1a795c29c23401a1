"""Draw the example pictures of workshop 09: three invented things, eight drawings of each.

    python data/draw_own_word.py

It writes the eight zubriks, data/own_word/1.png and so on, 64 x 64 pixels on white, for readers
who want to draw nothing themselves; `benchmarks/own_word.py` draws all three things anew. As in
drawings by hand, no two are alike: every line wobbles, and sizes, tilt and colours vary.
"""

import math
import random

from PIL import Image, ImageDraw

from diffusion_helpers.checks import say
from diffusion_helpers.data import DATA

MANY = 8  # drawings of each thing
SIZE = 64
FINE = 4  # drawn so many times larger, then averaged down: smooth edges
INK = (45, 35, 60)
PEN = 2.7  # thickness of a line, in pixels of the finished picture


class Hand:
    """A hand that draws on one picture, never twice the same. Points count from -1 to 1."""

    def __init__(self, seed):
        self.chance = random.Random(seed)
        self.paper = Image.new("RGB", (SIZE * FINE, SIZE * FINE), "white")
        self.pen = ImageDraw.Draw(self.paper)
        self.tilt, self.scale = self.about(0, 0.15), self.about(0.8, 0.06)
        self.x, self.y, self.side = self.about(0, 0.05), self.about(0, 0.05), self.either(-1, 1)

    def about(self, middle, spread):
        return middle + self.chance.uniform(-spread, spread)

    def either(self, *choices):
        return self.chance.choice(choices)

    def place(self, x, y):
        """Where a point of the thing lies on the paper."""
        x, y = self.side * self.scale * x, self.scale * y
        cos, sin = math.cos(self.tilt), math.sin(self.tilt)
        x, y = cos * x - sin * y + self.x, sin * x + cos * y + self.y
        return (1 + x) / 2 * SIZE * FINE, (1 + y) / 2 * SIZE * FINE

    def colour(self, red, green, blue):
        return tuple(round(min(255, max(0, self.about(c, 14)))) for c in (red, green, blue))

    def shape(self, points, colour):
        """A filled shape with an outline in ink."""
        corners = [self.place(self.about(x, 0.02), self.about(y, 0.02)) for x, y in points]
        self.pen.polygon(corners, fill=colour)
        self.pen.line([*corners, *corners[:2]], INK, round(PEN * FINE), joint="curve")

    def line(self, *points, colour=INK, width=PEN):
        corners = [self.place(self.about(x, 0.02), self.about(y, 0.02)) for x, y in points]
        self.pen.line(corners, colour, round(width * FINE), joint="curve")

    def round(self, x, y, wide, high, colour):
        """A filled oval whose edge wobbles."""
        first, second = self.about(0, 3), self.about(0, 3)
        points = []
        for turn in (2 * math.pi * i / 40 for i in range(40)):
            r = 1 + 0.05 * math.sin(2 * turn + first) + 0.03 * math.sin(3 * turn + second)
            points.append((x + wide * r * math.cos(turn), y + high * r * math.sin(turn)))
        corners = [self.place(*point) for point in points]
        self.pen.polygon(corners, fill=colour)
        self.pen.line([*corners, *corners[:2]], INK, round(PEN * FINE), joint="curve")

    def dot(self, x, y, radius, colour=INK):
        x, y = self.place(x, y)
        r = radius * self.scale * SIZE * FINE / 2
        self.pen.ellipse((x - r, y - r, x + r, y + r), fill=colour)

    def picture(self):
        return self.paper.resize((SIZE, SIZE), Image.Resampling.BOX)


def zubrik(hand):
    """A round green animal with one eye on a stalk and two big teeth."""
    green, pink = hand.colour(110, 190, 70), hand.colour(240, 120, 160)
    for x in (-0.4, 0.4):
        hand.line((x, 0.7), (hand.about(x, 0.06), 0.98), width=1.6 * PEN)  # legs
    hand.line((0.05, -0.4), (hand.about(0.15, 0.1), -0.8), width=1.3 * PEN)  # the stalk
    hand.round(0, 0.2, hand.about(0.74, 0.05), hand.about(0.6, 0.05), green)
    for x, y in ((-0.5, 0), (-0.36, -0.2), (0.52, 0.1)):
        hand.dot(x, y, 0.09, pink)
    hand.shape([(-0.45, 0.32), (0.45, 0.32), (0.3, 0.5), (-0.3, 0.5)], hand.colour(120, 30, 60))
    for x in (-0.2, 0.14):
        hand.shape([(x - 0.13, 0.34), (x + 0.13, 0.34), (x + 0.1, 0.66), (x - 0.1, 0.66)], "white")
    hand.round(0.15, -0.72, 0.24, 0.24, "white")
    hand.dot(hand.about(0.17, 0.06), hand.about(-0.72, 0.05), 0.11)


def lumvik(hand):
    """A lamp that is a snail: an orange spiral on a violet foot, with a yellow light ahead."""
    violet, orange = hand.colour(140, 90, 200), hand.colour(250, 150, 50)
    hand.shape(
        [(-0.9, 0.85), (0.6, 0.85), (0.75, 0.1), (0.55, 0.05), (0.4, 0.55), (-0.6, 0.6)], violet
    )
    hand.round(-0.2, 0.1, hand.about(0.56, 0.04), hand.about(0.54, 0.04), orange)
    turns = [i / 30 * 2.2 * 2 * math.pi for i in range(31)]
    spiral = [
        (0.42 * a / turns[-1] * math.cos(a), 0.42 * a / turns[-1] * math.sin(a)) for a in turns
    ]
    hand.line(*((x - 0.2, y + 0.1) for x, y in spiral))
    hand.round(0.66, -0.18, 0.28, 0.26, hand.colour(255, 225, 70))
    for dx, dy in ((-0.2, -0.38), (0.05, -0.45), (0.3, -0.3)):
        hand.line((0.66 + dx * 0.9, -0.18 + dy * 0.9), (0.66 + dx * 1.5, -0.18 + dy * 1.5))


def kwarb(hand):
    """A fruit like a blue drop with red stripes and three yellow leaves that stand up."""
    blue, red = hand.colour(70, 150, 230), hand.colour(220, 60, 70)
    yellow = hand.colour(245, 210, 60)
    for lean in (-0.45, 0, 0.45):
        tip = (hand.about(1.3 * lean, 0.06), hand.about(-0.95, 0.05))
        hand.shape([(0.4 * lean - 0.2, -0.35), tip, (0.4 * lean + 0.2, -0.35)], yellow)
    points = []
    for turn in (2 * math.pi * i / 40 for i in range(40)):
        wide = 0.62 + 0.14 * math.sin(turn)  # wider below
        points.append((wide * math.cos(turn), 0.25 + 0.7 * math.sin(turn)))
    hand.shape(points, blue)
    for y, half in ((-0.1, 0.42), (0.25, 0.55), (0.6, 0.5)):
        bend = hand.about(0.12, 0.04)
        hand.line((-half, y), (0, y + bend), (half, y), colour=red, width=2 * PEN)


THINGS = {"zubrik": zubrik, "lumvik": lumvik, "kwarb": kwarb}


def drawings(thing, n=MANY):
    """n drawings of one of THINGS, PIL pictures of 64 x 64 pixels; always the same ones."""
    pictures = []
    for seed in range(n):
        hand = Hand(f"{thing} {seed}")
        THINGS[thing](hand)
        pictures.append(hand.picture())
    return pictures


def main():
    folder = DATA / "own_word"
    folder.mkdir(exist_ok=True)
    for i, picture in enumerate(drawings("zubrik"), start=1):
        picture.save(folder / f"{i}.png", optimize=True)
    say(f"drawn in {folder}: now run python data/checksums.py")


if __name__ == "__main__":
    main()
