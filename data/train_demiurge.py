"""Train the demiurge: the Sculptor with all three magics, which draws what the prompt says.

    python data/train_demiurge.py SECONDS [--weights FILE [--halfway]] [--out FILE]

It may be stopped and started again with the same SECONDS: it goes on from my_runs/. When the time
is spent, and the learning rate has fallen to zero, it writes FILE (default:
data/checkpoints/demiurge.safetensors). `--weights` starts from the weights of an earlier training,
with a fresh optimiser; `--halfway` then saves the mean of those and of the new ones (arXiv
2109.01903: such a mean often does better than either). What it reached: data/README.md.
"""

import argparse

import torch
from einops import rearrange

from diffusion_helpers import UNet, load_checkpoint, load_emoji, save_checkpoint, train
from diffusion_helpers.authoring import commands
from diffusion_helpers.data import DATA
from diffusion_helpers.noising import T
from diffusion_helpers.text import MAX_WORDS, STYLES, Captions, Text
from diffusion_helpers.training import denoising_loss, move_pictures
from diffusion_helpers.words import load_words

SEED = 0
WIDTHS = (32, 64, 128, 256)  # narrow where pictures are large, wide where knowledge fits cheaply
BLOCKS = 1  # a level and direction: half again as many pictures a second as two
BATCH = 128  # one step of the optimiser costs as much as 25 pictures: share it
NAME = 0.6  # how often a picture is shown with its English name; the rest is shared equally by
# its Russian name and by keywords of both languages
CHANGES = ("mirrored", "turned", "tiny", "painted")  # what is done to a picture, and told
ALTERED = 0.5  # share of pictures that may be altered,
EACH = 0.4  # and of these, the share to which each change happens
LENT = 0.3  # share of pictures that may be lent to an artist who never drew such a thing,
THICK = 600  # and then are shown only under thick dust: from this step on, artists look alike


def captions(emoji, words):
    """For each picture its names and its keywords, in both languages, and how often each."""
    texts, shares = [], []
    for name, name_ru, keywords, keywords_ru in zip(
        emoji.names, emoji.names_ru, emoji.keywords, emoji.keywords_ru, strict=True
    ):
        rest = [*keywords, *keywords_ru] or [name]
        texts.append([name, name_ru, *rest])
        other = (1 - NAME) / 2
        shares.append([NAME, other] + [other / len(rest)] * len(rest))
    return Captions(words, texts, emoji.styles, shares)


class Altered:
    """Captions that also tell how their pictures were altered, and lent; see `altered_loss`."""

    def __init__(self, texts, told, styles):
        self.texts, self.told = texts, told  # told (B, len(CHANGES)) bool
        self.styles = styles  # (B,) the style that is told, as a number

    def sample_captions(self, rows, generator):
        """One caption a picture, and behind it the words for what was done to the picture."""
        text = self.texts.sample_captions(rows, generator)
        vectors, mask = text.vectors.clone(), text.mask.clone()
        words = load_words()
        for told, change in zip(self.told.T, CHANGES, strict=True):
            end = mask.sum(1)
            hears = torch.where(told & (end < MAX_WORDS))[0]
            vectors[hears, end[hears]] = words.vectors[words.rows[change]]
            mask[hears, end[hears]] = True
        return Text(vectors, mask, self.styles)


def never_drew(texts, rows):
    """The styles, by number, in which no picture shows the thing of each of these: (B, 7) bool."""
    thing = texts.choices[:, 0]  # the first caption is the name
    drawn = torch.zeros(len(texts.rows), 1 + len(STYLES), dtype=torch.bool)
    drawn[thing, texts.styles] = True
    drawn[:, 0] = True  # "no style" is nobody who could borrow
    return ~drawn[thing[rows]]


def lend(texts, rows, t, generator):
    """Tell some pictures to be by an artist who never drew such a thing: styles and t, (B,) each.

    A network that has seen an egg by four artists may still fail at the egg of the fifth: it
    learned pairs of words and style by heart. Under thick dust it learns here that an egg is an
    egg, whoever draws it; how the artist draws, it learns under thin dust from the artist alone.
    """
    borrowers = never_drew(texts, rows)
    lent = (torch.rand(len(rows), generator=generator) < LENT) & borrowers.any(1)
    anyone = torch.where(rearrange(lent, "b -> b 1"), borrowers, True).float()
    borrower = torch.multinomial(anyone, 1, generator=generator)[:, 0]
    thick = THICK + t * (T - THICK) // T
    return torch.where(lent, borrower, texts.styles[rows]), torch.where(lent, thick, t)


def alter(pictures, told, generator, shard):
    """Change pictures (b, C, H, W), which are `told[shard]`, as told (B, len(CHANGES)) says.

    All are moved by up to a pixel, which nobody sees. The random numbers are those of all B.
    """
    n, (mirrored, turned, tiny, painted) = len(told), told.T
    shift = torch.randint(-1, 2, (n, 2), generator=generator) * 2 / pictures.shape[-1]
    angle = (torch.rand(n, generator=generator) - 0.5) * turned  # radians: up to 29 degrees
    scale = 1 + torch.rand(n, generator=generator) * 0.8 * tiny
    palette = torch.stack([torch.randperm(3, generator=generator) for _ in range(n)])
    palette = torch.where(rearrange(painted, "b -> b 1"), palette, torch.arange(3))

    moved = move_pictures(pictures, shift, angle, scale, mirrored, shard)
    return moved[rearrange(torch.arange(len(moved)), "b -> b 1"), palette[shard]]


def altered_loss(model, x_0, rows, texts, schedule, generator, shard=slice(None)):
    """`denoising_loss` of pictures that never look quite alike: none can be learned by heart.

    Half of them may be altered, and their captions say so: what is told does not leak into what
    other prompts draw (arXiv 2206.00364, section 5: non-leaking augmentation). Some are lent.
    """
    told = torch.rand(len(rows), len(CHANGES), generator=generator) < EACH
    told &= torch.rand(len(rows), 1, generator=generator) < ALTERED
    x_0 = alter(x_0, told, generator, shard)
    t = torch.randint(len(schedule), (len(rows),), generator=generator)
    styles, t = lend(texts, rows, t, generator)
    texts = Altered(texts, told, styles)
    return denoising_loss(model, x_0, rows, texts, schedule, generator, shard, t)


def wishes(name):
    """What the command line asks for, in all trainings of this folder that take a prompt."""
    parser = argparse.ArgumentParser()
    parser.add_argument("seconds", type=commands.seconds)
    parser.add_argument(
        "--weights",
        type=commands.weights,
        help="start from these weights, with a fresh optimiser",
    )
    parser.add_argument("--halfway", action="store_true", help="save the mean of old and new")
    parser.add_argument("--out", default=DATA / "checkpoints" / f"{name}.safetensors")
    parser.add_argument("--checkpoint", default=f"my_runs/{name}_training.safetensors")
    wish = parser.parse_args()
    if wish.halfway and not wish.weights:
        parser.error("--halfway needs --weights: it saves the mean of those and of the new ones")
    return wish


def go_halfway(model, earlier):
    """Put each weight in the middle between its own and that of an earlier network like it."""
    with torch.no_grad():
        for weight, before in zip(model.parameters(), earlier.parameters(), strict=True):
            weight.lerp_(before.to(weight), 0.5)


def teach(wish, widths, blocks, batch, pictures, texts, loss_fn=denoising_loss):
    """Train a network with all three magics as wished, and save it when the time is spent."""
    torch.manual_seed(SEED)
    if wish.weights:
        model = load_checkpoint(wish.weights)
    else:
        model = UNet(widths=widths, blocks=blocks, attention=True, text=True)
    run = train(
        model,
        pictures,
        seconds=wish.seconds,
        texts=texts,
        seed=SEED,
        batch=batch,
        checkpoint=wish.checkpoint,
        loss_fn=loss_fn,
        reports=max(10, round(wish.seconds / 300)),  # a checkpoint every five minutes
    )
    if run.finished:
        if wish.halfway:
            go_halfway(model, load_checkpoint(wish.weights))
        save_checkpoint(model, wish.out, steps=run.steps, seconds=round(run.seconds), seed=SEED)


if __name__ == "__main__":
    wish = wishes("demiurge")
    emoji = load_emoji().training()  # all six styles, held-out pairs left out
    teach(wish, WIDTHS, BLOCKS, BATCH, emoji, captions(emoji, load_words()), altered_loss)
