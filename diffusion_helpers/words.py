"""Lesson 07: Whisper of the Spell. From a prompt in English or Russian to vectors of meaning.

A prompt is split into words; each known word has a row of 128 numbers in a table that was distilled
from a sentence encoder (data/build_words.py), where "apple" and "яблоко" stand close together.
An emoji is heard as its name. Order is not in the table: `text.TextEmbedding` adds it.
"""

import functools
import json
import re
import sys
import unicodedata
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import torch
from einops import rearrange
from rapidfuzz import process
from rapidfuzz.distance import OSA
from safetensors.torch import load

from .checks import brief, check_count, check_floats
from .data import read_data
from .languages import tr
from .text import MAX_WORDS, SIZE, Text, style_number

NAMED = 8  # unknown words that are compared with the known ones; the box must answer while you type
ALIKE = 0.75  # similar words have at least this likeness: 1 less the share of wrong letters
DRAWN = 0.11  # what a word gains that names an emoji: "elefant" is an elephant, not "elegant"
LONGEST = 30  # letters of a new word
# Words that the table lacks and nobody misses: they say nothing that can be drawn.
SMALL = {"am", "as", "be", "by", "he", "i", "is", "it", "my", "or", "we", "о"}

# ---- what is not heard --------------------------------------------------------------------------

_gathered: ContextVar["list[PromptWarning] | None"] = ContextVar("gathered", default=None)


class PromptWarning(UserWarning):
    """Part of a prompt was ignored.

    word      the unknown word, "" where the sentence is about something else
    similar   known words like it, the likeliest first
    """

    def __init__(self, sentence: str, word: str = "", similar: Sequence[str] = ()) -> None:
        super().__init__(sentence)
        self.word, self.similar = word, tuple(similar)

    @classmethod
    def say(cls, sentence: str, word: str = "", similar: Sequence[str] = ()) -> None:
        """Warn at the first caller outside the package, so that Jupyter shows it every time."""
        warning, gathered = cls(sentence, word, similar), _gathered.get()
        if gathered is not None:
            gathered.append(warning)
            return
        frame, level = sys._getframe(1), 2
        while frame.f_back and frame.f_globals.get("__name__", "").startswith(f"{__package__}."):
            frame, level = frame.f_back, level + 1
        warnings.warn(warning, stacklevel=level)


@contextmanager
def gather_warnings() -> Iterator[list[PromptWarning]]:
    """Put what is not heard into a list, for a page to show; other threads still warn.

    `warnings.catch_warnings` would change what all threads say.
    """
    gathered: list[PromptWarning] = []
    token = _gathered.set(gathered)
    try:
        yield gathered
    finally:
        _gathered.reset(token)


# ---- from a prompt to its words -----------------------------------------------------------------

# Arrows, symbols and emoji. Letters and digits in circles are words; skin tones change a sign.
SIGN = "[\u2190-\u245f\u2500-\u2775\u2794-\u2bff\U0001f000-\U0001f3fa\U0001f400-\U0001faff]"
LOOK = f"(?<={SIGN})[\ufe0e\ufe0f\U0001f3fb-\U0001f3ff]+"  # drawn in colour, the tone of a skin
ONE_SIGN = f"[\U0001f1e6-\U0001f1ff]{{2}}|[#*]\u20e3|{SIGN}"  # a flag, a key, any other
JOINER = "\u200d"  # makes one sign of several


def split_words(prompt: str) -> list[str]:
    """The words of a prompt: Unicode-normalised, lower case, ё as е, without 's.

    Stress marks ("щено́к") and invisible characters do not part a word. An emoji of the course
    gives the words of its English name. Raises ValueError unless the prompt is a str.
    """
    return _words_of(_plain(prompt))


def name_emoji(prompt: str) -> str:
    """The prompt with each emoji of the course replaced by its English name: "a red apple".

    Joined emoji have names of their own; skin tones are left out. Other signs stay. Raises
    ValueError unless the prompt is a str, FileNotFoundError or ValueError where the list of emoji
    is missing or damaged.
    """
    if not isinstance(prompt, str):
        raise ValueError(
            tr("a prompt is a piece of text, such as 'a red apple', got {}", type(prompt).__name__)
        )
    if not re.search(SIGN, prompt):
        return prompt  # without reading the list of emoji
    names, pattern = _emoji_names()
    named = pattern.sub(lambda found: f" {names[found[1]]} ", re.sub(LOOK, "", prompt))
    return " ".join(named.split())


def _plain(prompt: str) -> str:
    plain = unicodedata.normalize("NFKC", name_emoji(prompt)).lower().replace("ё", "е")
    return "".join(c for c in plain if unicodedata.category(c) not in ("Mn", "Cf"))


def _words_of(plain: str) -> list[str]:
    return re.findall(r"[^\W_]+", re.sub(r"['’]", "", re.sub(r"['’]s\b", "", plain)))


@functools.cache
def _concepts() -> list[dict[str, Any]]:
    """The emoji of the course: code points, names, keywords."""
    return json.loads(read_data("emoji/emoji.json"))["concepts"]


@functools.cache
def _emoji_names() -> tuple[dict[str, str], re.Pattern[str]]:
    """Sign -> English name, and the pattern that finds these signs, the longest first.

    Where the course has one emoji of a person, a man and a woman have signs of their own.
    """
    names = {"\u2640": "woman", "\u2642": "man"}
    for concept in _concepts():
        sign = "".join(chr(int(code, 16)) for code in concept["hexcode"].split("-"))
        sign = re.sub(LOOK, "", sign)
        names[sign] = concept["name"]
        if sign.startswith(f"\U0001f9d1{JOINER}"):  # a person
            names[f"\U0001f468{sign[1:]}"] = f"man {concept['name']}"
            names[f"\U0001f469{sign[1:]}"] = f"woman {concept['name']}"
    longest_first = sorted(names, key=len, reverse=True)
    return names, re.compile(f"{JOINER}?({'|'.join(map(re.escape, longest_first))})")


def _sign_name(sign: str) -> str:
    """What Unicode calls a sign; a flag is two letters, the code of its country."""
    if len(sign) == 1:
        return unicodedata.name(sign, tr("without a name")).lower()
    if sign.endswith("\u20e3"):
        return tr("keycap {}", sign[0])
    country = "".join(chr(ord(letter) - 0x1F1E6 + ord("A")) for letter in sign)
    return tr("flag {}", country)


# ---- the word table -----------------------------------------------------------------------------


class Words:
    """The word table: which words are known, and what each of them means.

    vectors (N + 1, 128) float32, the last row zero for "no word"; rows: word -> row, with 110,000
    inflected forms that share the row of their base form. Get it from `load_words`.
    """

    def __init__(self, vectors: torch.Tensor, rows: dict[str, int]) -> None:
        self.vectors, self.rows = vectors, rows
        self._known, self._longest = list(rows), max(map(len, rows), default=0)

    def __contains__(self, word: str) -> bool:
        return word in self.rows

    def with_words(self, new: Mapping[str, torch.Tensor]) -> "Words":
        """Another table, which knows new words as well: {"zubrik": its vector (128,)}.

        This table stays as it is. Raises ValueError unless each is one word of letters or digits
        that the table lacks, in either language, with a vector of SIZE finite numbers.
        """
        if not isinstance(new, Mapping):
            raise ValueError(
                tr('new words come with their vectors: {{"zubrik": ...}}, got {}', brief(new))
            )
        rows, last = dict(self.rows), len(self.vectors) - 1
        for i, (word, vector) in enumerate(new.items()):
            check_floats(vector, "C", tr("a vector for {}", brief(word)), C=SIZE)
            if not torch.isfinite(vector).all():
                raise ValueError(tr("the vector for {} holds NaN or infinite values", brief(word)))
            rows[self.check_new(word)] = last + i
        added = [vector.detach().float().cpu() for vector in new.values()]
        vectors = torch.cat([self.vectors[:-1], *(rearrange(v, "c -> 1 c") for v in added)])
        return Words(torch.cat([vectors, self.vectors[-1:]]), rows)

    def check_new(self, word: str) -> str:
        """A new word as prompts are read (lower case), or one sentence unless it can be learned."""
        said = split_words(word) if isinstance(word, str) else []
        if len(said) != 1 or len(said[0]) > LONGEST:
            raise ValueError(
                tr(
                    'a new word is one word of at most {} letters, such as "zubrik", got {}',
                    LONGEST,
                    brief(word),
                )
            )
        if said[0] in self:
            raise ValueError(tr("{!r} means something already: choose a word that is new", said[0]))
        return said[0]

    def unknown(self, prompt: str, n: int = 3) -> dict[str, list[str]]:
        """The words of a prompt that the table lacks, each with up to n known words like it.

        Only the first NAMED of them are compared with the known words.
        """
        check_count(n, least=0)
        return self._unknown(split_words(prompt), n)

    def _unknown(self, words: list[str], n: int) -> dict[str, list[str]]:
        unknown = dict.fromkeys(word for word in words if word not in self.rows)
        return {word: self._like(word, n) if i < NAMED else [] for i, word in enumerate(unknown)}

    def _like(self, word: str, n: int) -> list[str]:
        """Known words with nearly the same spelling, no two from one row, the likeliest first.

        A letter too many, too few, wrong or exchanged with its neighbour counts as one mistake.
        """
        cutoff = ALIKE - DRAWN
        if len(word) * cutoff > self._longest:  # all that it has more would be wrong letters
            return []
        found = process.extract(
            word, self._known, scorer=OSA.normalized_similarity, score_cutoff=cutoff, limit=None
        )

        def order(match):
            known, likeness, _ = match
            row = self.rows[known]
            return -likeness - DRAWN * (row in self._drawn), known[0] != word[0], row, known

        nearest: dict[int, str] = {}
        for less, _, row, known in sorted(map(order, found)):
            if -less >= ALIKE:
                nearest.setdefault(row, known)
        return list(nearest.values())[:n]

    @functools.cached_property
    def _drawn(self) -> set[int]:
        """The rows of the words that name an emoji, in either language."""
        names = [concept[key] for concept in _concepts() for key in ("name", "name_ru")]
        return {self.rows[word] for name in names for word in split_words(name) if word in self}

    def row_numbers(self, prompt: str) -> list[int]:
        """A prompt as MAX_WORDS row numbers; the last row where there is no word.

        Warns about unknown words and signs, and about words after MAX_WORDS.
        """
        plain = _plain(prompt)
        words, signs = _words_of(plain), re.findall(ONE_SIGN, plain)
        self._warn(words, list(dict.fromkeys(signs)))
        none = len(self.vectors) - 1
        known = [self.rows[word] for word in words if word in self.rows]
        if len(known) > MAX_WORDS:
            PromptWarning.say(tr("I hear the first {} words of a prompt", MAX_WORDS))
        return (known + [none] * MAX_WORDS)[:MAX_WORDS]

    def _warn(self, words: list[str], signs: list[str]) -> None:
        unknown = self._unknown([word for word in words if word not in SMALL], n=3)
        for word, similar in list(unknown.items())[:NAMED]:
            short, like = word[:30], ", ".join(similar)
            said = (
                tr("I do not know the word '{}'; similar words I know: {}", short, like)
                if similar
                else tr("I do not know the word '{}'", short)
            )
            PromptWarning.say(said, word, similar)
        for sign in signs[:NAMED]:
            shown = repr(sign)[1:-1]
            PromptWarning.say(tr("I do not know the sign '{}' ({})", shown, _sign_name(sign)))
        if (more := len(unknown) - NAMED) > 0:
            PromptWarning.say(tr("I do not know {} more words of this prompt", more))
        if (more := len(signs) - NAMED) > 0:
            PromptWarning.say(tr("I do not know {} more signs of this prompt", more))

    def text(self, row_numbers: torch.Tensor, styles: torch.Tensor) -> Text:
        """Row numbers (B, MAX_WORDS) and style numbers (B,), both integers, as a Text."""
        return Text(self.vectors[row_numbers], row_numbers < len(self.vectors) - 1, styles)

    def encode(
        self, prompts: str | Iterable[str | None] | None, styles: str | Iterable | None = None
    ) -> Text:
        """Prompts, and a style for each, as a Text of length B.

        prompts   a str or a list of str; "" and None say nothing
        styles    None, one of text.STYLES, or a list of these; a single prompt or style goes with
                  all
        Warns as `row_numbers` does, and where nothing of a prompt is heard. Raises ValueError for
        an unknown style or lists of different lengths.
        """
        spoken = ["" if prompt is None else prompt for prompt in _as_list(prompts)]
        styles = _as_list(styles)
        n = max(len(spoken), len(styles))
        if {len(spoken), len(styles)} - {1, n} or n == 0:
            raise ValueError(tr("got {} prompts for {} styles", len(spoken), len(styles)))
        rows = torch.tensor([self.row_numbers(prompt) for prompt in spoken])
        numbers = torch.tensor([style_number(style) for style in styles])
        text = self.text(rows.expand(n, -1), numbers.expand(n))
        for prompt, heard in zip(spoken, text.mask):
            if prompt.strip() and not heard.any():
                PromptWarning.say(
                    tr("Nothing in this prompt is heard, so it draws as if there were none")
                )
        return text


def _as_list(x: Any) -> list:
    if isinstance(x, (Set, Mapping, torch.Tensor)):  # whose order, or words, mean nothing
        raise ValueError(tr("prompts and styles are a text or a list of them, got {}", brief(x)))
    return list(x) if isinstance(x, Iterable) and not isinstance(x, (str, bytes)) else [x]


@functools.cache
def load_words() -> Words:
    """The word table of the course. Raises FileNotFoundError or ValueError for a missing or damaged
    file. Where it comes from: data/README.md.
    """
    tensors = load(read_data("words/words.safetensors"))
    vectors = tensors["vectors"].float() * rearrange(tensors["scales"].float(), "n -> n 1")
    rows = _all_forms(**json.loads(read_data("words/words.json")))
    return Words(torch.cat([vectors, torch.zeros(1, SIZE)]), rows)


def _all_forms(
    words: list[str],
    plurals: dict[str, str],
    endings: list[str],
    inflected: list[tuple[int, int]],
    same: dict[str, str],
) -> dict[str, int]:
    """word -> row. A form of two words belongs to the one in `same`, or else to the first."""
    rows = {word: row for row, word in enumerate(words)}
    rows |= {word: rows[base] for word, base in same.items()}
    for form, base in plurals.items():
        rows.setdefault(form, rows[base])
    first = len(words) - len(inflected)  # the Russian words are the last in the table
    for row, (stem, pattern) in enumerate(inflected, start=first):
        for ending in endings[pattern].split(" "):
            rows.setdefault(words[row][:stem] + ending, rows[words[row]])
    return rows
