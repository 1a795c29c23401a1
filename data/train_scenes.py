"""Train the painter of scenes: two shapes where the words say, in the right order.

    python data/train_scenes.py SECONDS [--weights FILE] [--out FILE]

It may be stopped and started again with the same SECONDS: it goes on from my_runs/. When the time
is spent it writes FILE (default: data/checkpoints/scenes.safetensors). What it reached:
data/README.md.
"""

from train_demiurge import SEED, teach, wishes

from diffusion_helpers.scenes import captions, other_side, scenes
from diffusion_helpers.text import Captions
from diffusion_helpers.words import load_words

WIDTHS = (32, 64, 128)
BLOCKS = 1
BATCH = 64  # the pictures are simple; more steps pay better than calmer ones
SCENES = 20_000  # far more than the 4,000 or so captions: no two scenes stand at the same places
ENGLISH = 0.3  # how often each of the two English sentences is said; the rest is Russian


def all_captions(attributes, words):
    """Each scene told from both sides, in both languages."""
    sides = (attributes, other_side(attributes))
    told = [captions(side, language) for language in ("en", "ru") for side in sides]
    shares = [[ENGLISH, ENGLISH, 0.5 - ENGLISH, 0.5 - ENGLISH]] * len(attributes)
    texts = [list(four) for four in zip(*told, strict=True)]
    return Captions(words, texts, [None] * len(attributes), shares)


if __name__ == "__main__":
    wish = wishes("scenes")
    drawn = scenes(SCENES, SEED)
    texts = all_captions(drawn.attributes, load_words())
    teach(wish, WIDTHS, BLOCKS, BATCH, drawn.images, texts)
