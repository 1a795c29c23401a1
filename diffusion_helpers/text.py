"""Lesson 07: Whisper of the Spell. From a prompt in English or Russian to vectors of meaning.

A prompt is split into words; each known word has a row of 128 numbers in a table that was distilled
from a sentence encoder (data/build_words.py), where "apple" and "яблоко" stand close together.
Order is not in the table: `TextEmbedding`, which is trained with the network, adds it.
"""

import difflib
import functools
import json
import re
import unicodedata
import warnings
from dataclasses import dataclass

import torch
from einops import rearrange, repeat
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import nn

from .attention import TokenBlock
from .data import DATA

SIZE = 128  # numbers for each word
MAX_WORDS = 16  # the longest emoji name has 8 words; later words of a prompt are not heard
STYLES = ("noto", "twemoji", "fluent", "noto-v1", "emojione", "fxemoji")


def split_words(prompt):
    """The words of a prompt: Unicode-normalised, lower case, ё as е, without 's. A list of str."""
    plain = unicodedata.normalize("NFKC", prompt).lower().replace("ё", "е")
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
        rows = [rows] if isinstance(rows, int) else rows
        return Text(self.vectors[rows], self.mask[rows], self.styles[rows])

    def to(self, like):
        """On a device, or on the device and in the number format of a tensor of pictures."""
        device = like.device if torch.is_tensor(like) else like
        return Text(self.vectors.to(like), self.mask.to(device), self.styles.to(device))

    def repeat(self, n):
        """Every prompt n times, side by side: a, b -> a, a, b, b for n = 2."""
        rows = repeat(torch.arange(len(self)), "b -> (b n)", n=n)
        return self[rows.to(self.mask.device)]

    def draw(self, rows, generator):
        """The texts of these pictures, for `train`; see Captions.draw."""
        return self[rows]

    @staticmethod
    def join(texts):
        """Several texts one after another, as one."""
        return Text(
            torch.cat([t.vectors for t in texts]),
            torch.cat([t.mask for t in texts]),
            torch.cat([t.styles for t in texts]),
        )


def silence(n):
    """The text that says nothing, for n pictures: no word, no style."""
    return Text(
        torch.zeros(n, MAX_WORDS, SIZE),
        torch.zeros(n, MAX_WORDS, dtype=torch.bool),
        torch.zeros(n, dtype=torch.long),
    )


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
        """The words of a prompt that the table lacks, each with up to n known words like it."""
        words = dict.fromkeys(w for w in split_words(prompt) if w not in self.rows)
        return {word: self._like(word, n) for word in words}

    def _like(self, word, n):
        if len(word) > 30:  # longer than every known word
            return []
        near = [
            w
            for w in self.rows
            if abs(len(w) - len(word)) < 3 and len(set(w) & set(word)) > len(set(word)) / 2
        ]
        return difflib.get_close_matches(word, near, n, cutoff=0.7)

    def row_numbers(self, prompt):
        """A prompt as MAX_WORDS row numbers (a list of int); the last row where there is no word.

        Warns about unknown words, and about words after MAX_WORDS, which are not heard.
        """
        words = split_words(prompt)
        known = [self.rows[w] for w in words if w in self.rows]
        for word, near in self.unknown(prompt[:1000]).items():
            like = f"; similar words I know: {', '.join(near)}" if near else ""
            warnings.warn(f"I do not know the word {word[:30]!r}{like}", stacklevel=4)
        if len(known) > MAX_WORDS:
            warnings.warn(f"I hear the first {MAX_WORDS} words of a prompt", stacklevel=4)
        none = len(self.vectors) - 1
        return (known + [none] * MAX_WORDS)[:MAX_WORDS]

    def text(self, row_numbers, styles):
        """Row numbers (B, MAX_WORDS) and style numbers (B,), both integer tensors, as a Text."""
        return Text(self.vectors[row_numbers], row_numbers < len(self.vectors) - 1, styles)

    def encode(self, prompts, styles=None):
        """Prompts, and a style for each, as a Text of length B.

        prompts   a str or a list of str; "" says nothing
        styles    None, one of STYLES, or a list of these; a single prompt or style goes with all
        Raises ValueError for an unknown style or lists of different lengths.
        """
        prompts = [prompts] if isinstance(prompts, str) or prompts is None else list(prompts)
        styles = [styles] if isinstance(styles, str) or styles is None else list(styles)
        n = max(len(prompts), len(styles))
        if {len(prompts), len(styles)} - {1, n} or n == 0:
            raise ValueError(f"got {len(prompts)} prompts for {len(styles)} styles")
        if not all(p is None or isinstance(p, str) for p in prompts):
            raise ValueError("a prompt is a piece of text, such as 'a red apple'")
        rows = torch.tensor([self.row_numbers(p or "") for p in prompts])
        numbers = torch.tensor([style_number(s) for s in styles])
        return self.text(rows.expand(n, -1), numbers.expand(n))


def style_number(style):
    """0 for None, else 1 + the place in STYLES. Raises ValueError for an unknown style."""
    if style is not None and style not in STYLES:
        raise ValueError(f"styles are {', '.join(STYLES)}, got {style!r}")
    return 0 if style is None else 1 + STYLES.index(style)


@functools.cache
def load_words():
    """The word table of the course. Raises FileNotFoundError or ValueError if it is missing or bad.

    Where it comes from: data/README.md.
    """
    table, index = DATA / "words" / "words.safetensors", DATA / "words" / "words.json"
    for path in (table, index):
        if not path.exists():
            raise FileNotFoundError(
                f"{path} is missing: install the package again, or restore it with "
                "`git checkout data`"
            )
    try:
        tensors = load_file(table)
        vectors = tensors["vectors"].float() * rearrange(tensors["scales"].float(), "n -> n 1")
        rows = _all_forms(**json.loads(index.read_text(encoding="utf-8")))
        if len(vectors) <= max(rows.values()):
            raise ValueError
    except (SafetensorError, KeyError, TypeError, ValueError, IndexError):
        raise ValueError(
            f"{table.parent} is damaged: restore it with `git checkout data`, or install the "
            "package again"
        ) from None
    return Words(torch.cat([vectors, torch.zeros(1, SIZE)]), rows)


def _all_forms(words, plurals, endings, inflected):
    """word -> row. A form of two words belongs to the one that comes first in the table."""
    rows = {word: row for row, word in enumerate(words)}
    for form, base in plurals.items():
        rows.setdefault(form, rows[base])
    first = len(words) - len(inflected)  # the Russian words are the last in the table
    for row, (stem, pattern) in enumerate(inflected, start=first):
        for ending in endings[pattern].split(" "):
            rows.setdefault(words[row][:stem] + ending, row)
    return rows


class Captions:
    """Several captions for each picture, of which every training step draws one anew.

    captions  one list of str a picture; styles one of STYLES or None a picture; shares (optional)
              how often each caption is drawn, lists of the same lengths as in captions
    """

    def __init__(self, words, captions, styles, shares=None):
        if not len(captions) == len(styles):
            raise ValueError(f"got captions for {len(captions)} pictures and {len(styles)} styles")
        shares = shares or [[1.0] * len(c) for c in captions]
        flat = [caption for several in captions for caption in several]
        distinct = {caption: i for i, caption in enumerate(dict.fromkeys(flat))}
        self.words = words
        self.rows = torch.tensor([words.row_numbers(c) for c in distinct])
        most = max(map(len, captions))
        self.choices = torch.tensor(
            [[distinct[c] for c in several] + [0] * (most - len(several)) for several in captions]
        )
        self.shares = torch.tensor([list(s) + [0.0] * (most - len(s)) for s in shares])
        self.styles = torch.tensor([style_number(s) for s in styles])

    def __len__(self):
        return len(self.styles)

    def draw(self, rows, generator):
        """One caption for each of these pictures, (B,) integers, as a Text."""
        drawn = torch.multinomial(self.shares[rows], 1, generator=generator)  # (B, 1)
        chosen = self.choices[rows].gather(1, drawn)[:, 0]
        return self.words.text(self.rows[chosen], self.styles[rows])


class TextEmbedding(nn.Module):
    """The network's own ear: a Text becomes tokens that know of one another and of their order.

    Returns the whole spell (B, width), zero in a fresh network; the tokens (B, 1 + L, width), the
    style's first, then the words; and their mask (B, 1 + L), where the style is always there.
    """

    def __init__(self, width, layers=2):
        super().__init__()
        self.styles = nn.Embedding(1 + len(STYLES), width)
        self.words = nn.Linear(SIZE, width)
        self.order = nn.Embedding(MAX_WORDS, width)
        self.layers = nn.ModuleList(TokenBlock(width) for _ in range(layers))
        self.norm = nn.LayerNorm(width)
        self.whole = nn.Linear(width, width)
        nn.init.zeros_(self.whole.weight)
        nn.init.zeros_(self.whole.bias)

    def forward(self, text):
        words = self.words(text.vectors) + self.order.weight[: text.mask.shape[1]]
        style = rearrange(self.styles(text.styles), "b c -> b 1 c")
        tokens = torch.cat([style, words], dim=1)  # (B, 1 + L, width)
        mask = torch.cat([torch.ones_like(text.mask[:, :1]), text.mask], dim=1)
        for layer in self.layers:
            tokens = layer(tokens, mask)
        tokens = self.norm(tokens)
        return self.whole(tokens[:, 0]), tokens, mask  # the first token has looked at all others
