"""Lesson 07: Whisper of the Spell. From a prompt in English or Russian to vectors of meaning.

A prompt is split into words; each known word has a row of 128 numbers in a table that was distilled
from a sentence encoder (data/build_words.py), where "apple" and "яблоко" stand close together.
Order is not in the table: `TextEmbedding`, which is trained with the network, adds it.
"""

import difflib
import functools
import json
import re
import sys
import unicodedata
import warnings
from collections.abc import Iterable, Mapping, Set
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from einops import rearrange, repeat
from safetensors.torch import load
from torch import nn

from .attention import TokenBlock
from .checks import as_tensor, brief, check_count, check_kind, check_rows
from .data import read_data
from .device import as_device

SIZE = 128  # numbers for each word
MAX_WORDS = 16  # the longest emoji name has 8 words; later words of a prompt are not heard
NAMED = 8  # unknown words that are compared with the known ones; the box must answer while you type
STYLES = ("noto", "twemoji", "fluent", "noto-v1", "emojione", "fxemoji")


_gathered = ContextVar("gathered", default=None)  # a list while somebody gathers sentences


class PromptWarning(UserWarning):
    """Something in a prompt that no network will hear; a live control shows it as words."""

    @staticmethod
    def say(sentence):
        """Warn about the line outside this package that led here: Jupyter shows it every time."""
        sentences = _gathered.get()
        if sentences is not None:
            sentences.append(sentence)
            return
        frame, level = sys._getframe(1), 2
        while frame.f_back and frame.f_globals.get("__name__", "").startswith(__package__ + "."):
            frame, level = frame.f_back, level + 1
        warnings.warn(sentence, PromptWarning, stacklevel=level)

    @staticmethod
    @contextmanager
    def gathered():
        """Gather the sentences in a list instead of warning; other threads warn as ever.

        `warnings.catch_warnings` would not do: it changes what all threads hear.
        """
        sentences = []
        token = _gathered.set(sentences)
        try:
            yield sentences
        finally:
            _gathered.reset(token)


def split_words(prompt):
    """The words of a prompt: Unicode-normalised, lower case, ё as е, without 's. A list of str.

    Stress marks ("щено́к") and invisible characters do not part a word.
    """
    if not isinstance(prompt, str):
        raise ValueError(
            f"a prompt is a piece of text, such as 'a red apple', got {type(prompt).__name__}"
        )
    plain = unicodedata.normalize("NFKC", prompt).lower().replace("ё", "е")
    plain = "".join(c for c in plain if unicodedata.category(c) not in ("Mn", "Cf"))
    plain = re.sub(r"['’]s\b", "", plain)
    return re.findall(r"[^\W_]+", re.sub(r"['’]", "", plain))


@dataclass(frozen=True)
class Text:
    """What B prompts say, ready for a network.

    vectors (B, L, 128) float, one row a word; mask (B, L) bool, False where there is no word;
    styles (B,) integers, 0 for no style, else 1 + the place in STYLES. No word and no style is no
    spell at all: a network answers as if it had got no text.
    """

    vectors: torch.Tensor
    mask: torch.Tensor
    styles: torch.Tensor

    def __len__(self):
        return len(self.mask)

    def __getitem__(self, rows):
        """Some of the prompts: an index, a slice or a tensor of rows; always a Text."""
        rows = torch.arange(len(self), device=self.mask.device)[rows].reshape(-1)
        return Text(self.vectors[rows], self.mask[rows], self.styles[rows])

    def to(self, like):
        """On a device, or on the device and in the number format of a tensor of pictures."""
        if torch.is_tensor(like) and not like.is_floating_point():
            raise ValueError(f"expected a device or a tensor of floats, got {brief(like)}")
        device = like.device if torch.is_tensor(like) else as_device(like)
        dtype = like.dtype if torch.is_tensor(like) else self.vectors.dtype
        return Text(self.vectors.to(device, dtype), self.mask.to(device), self.styles.to(device))

    def repeat(self, n):
        """Every prompt n times, side by side: a, b -> a, a, b, b for n = 2."""
        return self[repeat(torch.arange(len(self)), "b -> (b n)", n=check_count(n))]

    def expand_to(self, x_t):
        """One prompt for each of these pictures (B, C, H, W), on their device, in their format.

        Raises ValueError unless there are B prompts, or one for all.
        """
        return self.to(x_t).repeat(_times(len(self), x_t))

    def sample_captions(self, rows, generator):
        """The texts of these pictures, for `train`; see Captions.sample_captions."""
        return self[check_rows(rows, len(self))]

    @staticmethod
    def join(texts):
        """Several texts one after another, as one."""
        if not isinstance(texts, (list, tuple)) or not texts:
            raise ValueError(f"expected a list of texts, got {brief(texts)}")
        for text in texts:
            check_kind(text, Text, "texts made by load_words().encode([...])")
        return Text(
            torch.cat([t.vectors for t in texts]),
            torch.cat([t.mask for t in texts]),
            torch.cat([t.styles for t in texts]),
        )


def empty_text(n):
    """The text that says nothing, for n pictures: no word, no style."""
    check_count(n)
    return Text(
        torch.zeros(n, MAX_WORDS, SIZE),
        torch.zeros(n, MAX_WORDS, dtype=torch.bool),
        torch.zeros(n, dtype=torch.long),
    )


def _times(texts, x_t):
    """How often each of so many texts is needed for the pictures x_t (B, C, H, W)."""
    if not torch.is_tensor(x_t) or x_t.ndim != 4:
        raise ValueError(f"expected pictures (B, C, H, W), got {brief(x_t)}")
    if texts not in (1, len(x_t)):
        raise ValueError(f"expected one prompt per picture, got {texts} for {len(x_t)}")
    return len(x_t) // texts


class Words:
    """The word table: which words are known, and what each of them means.

    vectors (N + 1, 128) float32, the last row zero for "no word"; rows: word -> row, with 110,000
    inflected forms that share the row of their base form. Get it from `load_words`.
    """

    def __init__(self, vectors, rows):
        self.vectors, self.rows = vectors, rows

    def __contains__(self, word):
        return word in self.rows

    def unknown(self, prompt, n=3):
        """The words of a prompt that the table lacks, each with up to n known words like it.

        Only the first NAMED of them are compared with the known words.
        """
        check_count(n, least=0)
        words = dict.fromkeys(w for w in split_words(prompt) if w not in self.rows)
        return {word: self._like(word, n) if i < NAMED else [] for i, word in enumerate(words)}

    @functools.cached_property
    def _letters(self):
        """The known words, their letters, and how often each word has each: (letters, words)."""
        words = np.array(list(self.rows))
        codes = words.view(np.uint32).reshape(len(words), -1)  # (words, longest word)
        letters = np.unique(codes[codes > 0])
        counts = np.stack([(codes == letter).sum(1, dtype=np.uint8) for letter in letters])
        return words, {chr(letter): row for row, letter in enumerate(letters)}, counts

    def _like(self, word, n, cutoff=0.7):
        """Known words with a similar spelling (difflib's ratio), no two from the same row.

        Letters in common, in any order, bound that ratio; they are counted for all words at once.
        """
        words, letters, counts = self._letters
        common = sum(
            np.minimum(counts[letters[c]], min(word.count(c), 255))
            for c in set(word) & set(letters)
        )
        bound = 2 * common / (len(word) + np.char.str_len(words))
        near = np.argsort(-bound, kind="stable")[:300]
        matcher = difflib.SequenceMatcher(b=word, autojunk=False)
        scored = []
        for known in words[near[bound[near] >= cutoff]].tolist():
            matcher.set_seq1(known)
            scored.append((-matcher.ratio(), known[0] != word[0], self.rows[known], known))
        found = {}
        for ratio, _, row, known in sorted(scored):
            if -ratio >= cutoff:
                found.setdefault(row, known)
        return list(found.values())[:n]

    def row_numbers(self, prompt):
        """A prompt as MAX_WORDS row numbers (a list of int); the last row where there is no word.

        Warns about unknown words, and about words after MAX_WORDS, which are not heard.
        """
        known = [self.rows[w] for w in split_words(prompt) if w in self.rows]
        unknown = self.unknown(prompt)
        for word, near in list(unknown.items())[:NAMED]:
            like = f"; similar words I know: {', '.join(near)}" if near else ""
            PromptWarning.say(f"I do not know the word {word[:30]!r}{like}")
        if len(unknown) > NAMED:
            PromptWarning.say(f"I do not know {len(unknown) - NAMED} more words of this prompt")
        if len(known) > MAX_WORDS:
            PromptWarning.say(f"I hear the first {MAX_WORDS} words of a prompt")
        none = len(self.vectors) - 1
        return (known + [none] * MAX_WORDS)[:MAX_WORDS]

    def text(self, row_numbers, styles):
        """Row numbers (B, MAX_WORDS) and style numbers (B,), both integer tensors, as a Text."""
        if not torch.is_tensor(row_numbers) or row_numbers.ndim != 2:
            raise ValueError(f"expected row numbers (B, {MAX_WORDS}), got {brief(row_numbers)}")
        check_rows(row_numbers.flatten(), len(self.vectors), "row numbers")
        if len(check_rows(styles, 1 + len(STYLES), "style numbers")) != len(row_numbers):
            raise ValueError(f"got {len(row_numbers)} prompts for {len(styles)} styles")
        return Text(self.vectors[row_numbers], row_numbers < len(self.vectors) - 1, styles)

    def encode(self, prompts, styles=None):
        """Prompts, and a style for each, as a Text of length B.

        prompts   a str or a list of str; "" says nothing
        styles    None, one of STYLES, or a list of these; a single prompt or style goes with all
        Raises ValueError for an unknown style or lists of different lengths.
        """
        prompts, styles = _as_list(prompts), _as_list(styles)
        n = max(len(prompts), len(styles))
        if {len(prompts), len(styles)} - {1, n} or n == 0:
            raise ValueError(f"got {len(prompts)} prompts for {len(styles)} styles")
        rows = torch.tensor([self.row_numbers("" if p is None else p) for p in prompts])
        numbers = torch.tensor([style_number(s) for s in styles])
        return self.text(rows.expand(n, -1), numbers.expand(n))


def _as_list(x):
    if isinstance(x, (Set, Mapping, torch.Tensor)):  # whose order, or words, mean nothing
        raise ValueError(f"prompts and styles are a text or a list of them, got {brief(x)}")
    return list(x) if isinstance(x, Iterable) and not isinstance(x, (str, bytes)) else [x]


def style_number(style):
    """0 for None, else 1 + the place in STYLES. Raises ValueError for an unknown style."""
    if style is not None and (not isinstance(style, str) or style not in STYLES):
        raise ValueError(f"styles are {', '.join(STYLES)}, got {brief(style)}")
    return 0 if style is None else 1 + STYLES.index(style)


@functools.cache
def load_words():
    """The word table of the course. Raises FileNotFoundError or ValueError for a missing or damaged
    file. Where it comes from: data/README.md.
    """
    tensors = load(read_data("words/words.safetensors"))
    vectors = tensors["vectors"].float() * rearrange(tensors["scales"].float(), "n -> n 1")
    rows = _all_forms(**json.loads(read_data("words/words.json")))
    return Words(torch.cat([vectors, torch.zeros(1, SIZE)]), rows)


def _all_forms(words, plurals, endings, inflected, same):
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


class Captions:
    """Several captions for each picture, of which every training step draws one anew.

    captions  one list of str a picture; styles one of STYLES or None a picture; shares (optional)
              how often each caption is drawn, lists of the same lengths as in captions
    Raises ValueError where these do not fit together.
    """

    def __init__(self, words, captions, styles, shares=None):
        if not hasattr(words, "row_numbers"):
            raise ValueError(f"expected the word table of load_words(), got {brief(words)}")
        for several in (captions, styles):
            check_kind(several, (list, tuple), "a list with one entry a picture")
        if not len(captions) == len(styles) > 0:
            raise ValueError(f"got captions for {len(captions)} pictures and {len(styles)} styles")
        if not all(c and isinstance(c, (list, tuple)) for c in captions):
            raise ValueError('every picture needs a list of captions; [""] says nothing')
        shares = [[1.0] * len(c) for c in captions] if shares is None else shares
        fit = isinstance(shares, (list, tuple)) and len(shares) == len(captions)
        if not fit or not all(_are_shares(s, len(c)) for s, c in zip(shares, captions)):
            raise ValueError("every caption needs its share, a number from 0 up, not all of them 0")
        flat = [caption for several in captions for caption in several]
        distinct = {caption: i for i, caption in enumerate(dict.fromkeys(flat))}
        self.words = words
        self.rows = torch.tensor([words.row_numbers(c) for c in distinct])
        most = max(map(len, captions))
        self.choices = torch.tensor(
            [[distinct[c] for c in several] + [0] * (most - len(several)) for several in captions]
        )
        self.shares = torch.tensor(
            [[*map(float, s), *[0.0] * (most - len(s))] for s in shares], dtype=torch.float32
        )
        self.styles = torch.tensor([style_number(s) for s in styles])

    def __len__(self):
        return len(self.styles)

    def sample_captions(self, rows, generator):
        """One caption for each of these pictures, (B,) integers, as a Text."""
        rows = check_rows(rows, len(self))
        if generator is not None:
            check_kind(generator, torch.Generator, "dice such as torch.Generator()")
        drawn = torch.multinomial(self.shares[rows], 1, generator=generator)  # (B, 1)
        chosen = self.choices[rows].gather(1, drawn)[:, 0]
        return self.words.text(self.rows[chosen], self.styles[rows])


def _are_shares(shares, n):
    """Whether these are n finite numbers from 0 up with a sum above 0."""
    row = as_tensor(shares)
    if row is None or row.shape != (n,) or row.is_complex():
        return False
    return bool(((row >= 0) & (row < torch.inf)).all() and row.sum() > 0)


class EncodedText(NamedTuple):
    """B texts as a network hears them: what its layers are told at every step of a sampling."""

    pooled: torch.Tensor  # (B, width) each text as a whole
    tokens: torch.Tensor  # (B, 1 + L, width) the style's token, then the words'
    mask: torch.Tensor  # (B, 1 + L) bool, False where there is no token

    def expand_to(self, x_t: torch.Tensor) -> "EncodedText":
        """One text for each of these pictures (B, C, H, W), on their device.

        Raises ValueError unless there are B texts, or one for all.
        """
        times = _times(len(self.mask), x_t)
        return EncodedText(*(repeat(x.to(x_t.device), "b ... -> (b n) ...", n=times) for x in self))

    @staticmethod
    def join(texts: "list[EncodedText]") -> "EncodedText":
        """Several texts one after another, as one."""
        return EncodedText(*map(torch.cat, zip(*texts)))


class TextEmbedding(nn.Module):
    """The network's own ear: a Text becomes tokens that know of one another and of their order.

    Returns the whole spell (B, width), zero in a fresh network; the tokens (B, 1 + L, width), the
    style's first, then the words; and their mask (B, 1 + L), where the style is always there.
    """

    def __init__(self, width, layers=2):
        super().__init__()
        check_count(width, "width"), check_count(layers, "layers", least=0)
        self.styles = nn.Embedding(1 + len(STYLES), width)
        self.words = nn.Linear(SIZE, width)
        self.order = nn.Embedding(MAX_WORDS, width)
        self.layers = nn.ModuleList(TokenBlock(width) for _ in range(layers))
        self.norm = nn.LayerNorm(width)
        self.whole = nn.Linear(width, width)
        nn.init.zeros_(self.whole.weight)
        nn.init.zeros_(self.whole.bias)

    def forward(self, text):
        check_kind(text, Text, "text made by load_words().encode([...])")
        words = self.words(text.vectors) + self.order.weight[: text.mask.shape[1]]
        style = rearrange(self.styles(text.styles), "b c -> b 1 c")
        tokens = torch.cat([style, words], dim=1)  # (B, 1 + L, width)
        mask = torch.cat([torch.ones_like(text.mask[:, :1]), text.mask], dim=1)
        for layer in self.layers:
            tokens = layer(tokens, mask)
        tokens = self.norm(tokens)
        # the first token has looked at all others
        return EncodedText(self.whole(tokens[:, 0]), tokens, mask)
