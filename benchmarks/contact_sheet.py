"""A hundred prompts, the demiurge's first answer to each, on one sheet: nothing picked.

    python benchmarks/contact_sheet.py [--weights FILE] [--out SHEET.png]

Free prompts in English and Russian that were written down before any was drawn: things, moods,
synonyms, inflected words, colours that no emoji has, and some that ask for too much.
Style noto, guidance 3, 20 DDIM steps; the seed is the prompt's number. Words that the table lacks
are printed. The sheet goes to my_runs/contact_sheet.png unless you say otherwise.
"""

import argparse
import warnings

import matplotlib.pyplot as plt
import torch

from diffusion_helpers import load_checkpoint, sample
from diffusion_helpers.authoring import commands
from diffusion_helpers.checks import say
from diffusion_helpers.widgets.figures import to_uint8
from diffusion_helpers.words import PromptWarning, load_words

SHEET = """
a red apple; красное яблоко; puppy; щенок; a smiling face; грустное лицо; crying; an angry face;
a cat in love; влюблённый кот; a blue car; синяя машина; a red bus; старый поезд; rocket; ракета
летит на луну; airplane; sailboat on the sea; велосипед; a police car; house; дом с садом; castle;
a tree; зелёное дерево; christmas tree; palm tree on an island; a red rose; жёлтый цветок;
sunflower; cactus; mushroom; гриб; fire; огонь; a drop of water; волна; snowman; снежинка; rainbow;
радуга; sun; луна и звёзды; a storm with lightning; дождь; umbrella; pizza; кусок пиццы;
hamburger; мороженое; birthday cake; торт со свечами; a cup of coffee; чашка чая; beer; бокал вина;
banana; клубника; grapes; арбуз; lemon; морковь; a loaf of bread; egg; сыр; fish; рыба;
a whale in the ocean; осьминог; penguin; сова; an owl at night; лев; king of the animals; мишка;
свинья; a pink pig; лягушка; a green frog; паук; butterfly; бабочка; skull; привидение;
a ghost at halloween; робот; alien; принцесса; a man with a beard; доктор; guitar; барабан;
soccer ball; золотой кубок; a purple heart; голубое сердце; a clock; красный карандаш; a blue apple;
a dog and a cat
"""
PROMPTS = [" ".join(prompt.split()) for prompt in SHEET.split(";")]
COLUMNS = 10
SHOWN = 26  # letters of a prompt that fit under its picture


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--weights", type=commands.weights, default="demiurge")
    parser.add_argument("--out", type=commands.picture_file, default="my_runs/contact_sheet.png")
    wish = parser.parse_args()

    words, model = load_words(), load_checkpoint(wish.weights)
    for prompt in PROMPTS:
        if unknown := words.unknown(prompt):
            say(f"{prompt!r}: I do not know {unknown}")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PromptWarning)
        drawn = [sample(model, p, "noto", seed=i).cpu() for i, p in enumerate(PROMPTS)]
    rows = len(PROMPTS) // COLUMNS
    fig, axes = plt.subplots(rows, COLUMNS, figsize=(1.6 * COLUMNS, 1.85 * rows))
    for ax, prompt, picture in zip(axes.flat, PROMPTS, to_uint8(torch.cat(drawn)), strict=True):
        ax.imshow(picture)
        ax.set_title(prompt[:SHOWN], fontsize=8, y=-0.18)
        ax.axis("off")
    fig.savefig(wish.out, dpi=110, bbox_inches="tight")
    say(f"{len(PROMPTS)} prompts: {wish.out}")


if __name__ == "__main__":
    main()
