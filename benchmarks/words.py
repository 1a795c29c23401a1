"""Does the word table understand free prompts? Retrieval of the right emoji, without any network.

    python benchmarks/words.py            (seconds on one core)

Each prompt is the mean of its words' vectors; each of the 1,229 concepts the mean over the words
of its name and keywords in the prompt's language. Right means that one of the expected emoji is
among the five with the highest cosine. The prompts below were written, with their answers, before
any was tried, by somebody who had not built the table; none is the name of an emoji. Chance is
below 2 %. The interval is Wilson's, 95 %. The result stands in benchmarks/words.txt.
"""

import json

import torch

from diffusion_helpers.checks import say
from diffusion_helpers.data import DATA
from diffusion_helpers.recorded import share_interval
from diffusion_helpers.words import load_words, split_words

BEST = 5
ENGLISH = {
    "something to eat with cheese": "pizza/cheese wedge/hamburger",
    "happy puppy": "dog face/dog",
    "a sad kitten": "crying cat/cat face/cat/weary cat",
    "a vehicle that puts out fires": "fire engine",
    "the king of the jungle": "lion",
    "an animal with a very long neck": "giraffe",
    "it lives in the ocean and has eight arms": "octopus",
    "a white bear from the north": "polar bear/bear",
    "a black and white bear that eats bamboo": "panda",
    "spider man": "spider/spider web/superhero",
    "rainy day": "cloud with rain/umbrella with rain drops/sun behind rain cloud",
    "a cold winter with snow": "snowflake/cloud with snow/snowman/cold face/snow-capped mountain",
    "an exploding mountain": "volcano",
    "a desert island": "desert island/desert",
    "a spaceship going to the moon": "rocket/flying saucer",
    "a frozen dessert": "ice cream/soft ice cream/shaved ice",
    "french breakfast pastry": "croissant",
    "a yellow tropical fruit": "banana/pineapple/mango",
    "a sour yellow citrus": "lemon",
    "an orange root that rabbits like": "carrot",
    "japanese raw fish": "sushi/fish",
    "a pint of lager": "beer mug/clinking beer mugs",
    "champagne celebration": "bottle with popping cork/clinking glasses/party popper",
    "my heart is broken": "broken heart",
    "a furious man": "enraged face/angry face/face with steam from nose",
    "I am so tired": "tired face/sleepy face/weary face/yawning face/sleeping face",
    "feeling sick with a fever": "face with thermometer/nauseated face/face vomiting",
    "a person who cooks": "cook",
    "a detective": "detective",
    "a bride and her groom": "person with veil/person in tuxedo/wedding/kiss/couple with heart",
    "halloween pumpkin": "jack-o-lantern",
    "a musical instrument with black and white keys": "musical keyboard/accordion",
    "a violinist": "violin",
    "bike": "bicycle/person biking/motorcycle/person mountain biking",
    "a tool to hit nails": "hammer/hammer and wrench/hammer and pick/nail polish",
    "it tells you the time": "watch/alarm clock/mantelpiece clock/timer clock/stopwatch",
    "photo": "camera/camera with flash/framed picture",
    "hospital injection": "syringe/hospital",
    "a library full of novels": "books/open book",
    "jewel": "gem stone/ring/crown",
}
RUSSIAN = {
    "грустный щенок": "dog face/dog",
    "красного яблока": "red apple",
    "весёлая кошка": "grinning cat/grinning cat with smiling eyes/cat face/cat/"
    "cat with tears of joy",
    "царь зверей": "lion",
    "длинная шея": "giraffe/swan/scarf",
    "белый медведь на севере": "polar bear/bear",
    "серого волка": "wolf",
    "хитрая лиса": "fox",
    "ночная птица с большими глазами": "owl",
    "паучок": "spider/spider web",
    "чёрно-белая лошадь в полоску": "zebra",
    "горбатый верблюд": "camel/two-hump camel",
    "дождливая погода": "cloud with rain/umbrella with rain drops/sun behind rain cloud",
    "холодная зима": "snowflake/cloud with snow/snowman/cold face/snowman without snow",
    "извержение вулкана": "volcano",
    "радугу": "rainbow",
    "ночное небо": "night with stars/milky way/crescent moon/star/shooting star/new moon",
    "космический корабль": "rocket/flying saucer/satellite",
    "пожарные": "fire engine/firefighter",
    "грузовичок": "delivery truck/articulated lorry/pickup truck",
    "катается на велосипеде": "person biking/bicycle/person mountain biking",
    "метрополитен": "metro",
    "мороженого": "ice cream/soft ice cream/shaved ice",
    "кислый жёлтый фрукт": "lemon/banana/mango",
    "оранжевый овощ": "carrot/jack-o-lantern",
    "яичница": "cooking/egg",
    "бутерброд": "sandwich",
    "чай с лимоном": "teacup without handle/hot beverage/teapot/lemon",
    "пиво с пеной": "beer mug/clinking beer mugs",
    "шашлык": "shrimp/oden/meat on bone/cut of meat/stuffed flatbread/burrito/dango",
    "разбитое сердечко": "broken heart",
    "очень сердитый": "enraged face/angry face/face with steam from nose",
    "слёзы текут": "crying face/loudly crying face/crying cat",
    "готовит ужин": "cook/cooking",
    "человек в скафандре": "astronaut",
    "жених и невеста": "wedding/person with veil/person in tuxedo",
    "пианино": "musical keyboard",
    "школьный учебник": "books/open book/green book/blue book/orange book/school/closed book",
    "укол в больнице": "syringe/hospital",
    "подарок на праздник": "wrapped gift/party popper",
}


LANGUAGES = (("English", ENGLISH, ""), ("Russian", RUSSIAN, "_ru"))


def right(expected, found):
    """Whether one of the expected emoji, with "/" between them, is among those found."""
    return not set(expected.split("/")).isdisjoint(found)


def direction(words, caption):
    """The mean of a caption's vectors at length 1; zero without known words."""
    none = len(words.vectors) - 1
    rows = [words.rows[w] for w in split_words(caption) if w in words] or [none]
    return torch.nn.functional.normalize(words.vectors[rows].mean(0), dim=0)


def retrieve(words, prompts, ending):
    """prompt -> the names of the emoji that are found first; `ending` is that of the language."""
    concepts = json.loads((DATA / "emoji" / "emoji.json").read_text(encoding="utf-8"))["concepts"]
    captions = [" ".join([c[f"name{ending}"], *c[f"keywords{ending}"]]) for c in concepts]
    gallery = torch.stack([direction(words, caption) for caption in captions])
    found = {}
    for prompt in prompts:
        best = (gallery @ direction(words, prompt)).topk(BEST).indices.tolist()
        found[prompt] = [concepts[i]["name"] for i in best]
    return found


def main():
    words = load_words()
    lines = []
    for language, prompts, ending in LANGUAGES:
        found = retrieve(words, prompts, ending)
        missed = [p for p in prompts if not right(prompts[p], found[p])]
        hits = len(prompts) - len(missed)
        low, high = share_interval(hits, len(prompts))
        lines.append(
            f"{language}: {hits} of {len(prompts)} among the first {BEST}: "
            f"{hits / len(prompts):.0%} ({low:.0%} to {high:.0%}); missed:"
        )
        lines += [f"    {prompt!r} found {', '.join(found[prompt])}" for prompt in missed]
    text = "\n".join(lines)
    say(text)
    with open("benchmarks/words.txt", "w", encoding="utf-8") as file:
        file.write(text + "\n")


if __name__ == "__main__":
    main()
