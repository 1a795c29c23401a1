"""Lesson 07: Whisper of the Spell. What a network hears: encoded prompts, and its own encoder.

`words.py` makes a Text of prompts. The order of words is not in its vectors: `TextEmbedding`,
which is trained with the network, adds it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from einops import rearrange, repeat
from torch import nn

from .attention import TokenBlock, zeroed
from .checks import as_tensor, brief, check_count, check_kind
from .device import as_device
from .languages import marked, tr

SIZE = 128  # numbers for each word
MAX_WORDS = 16  # the longest emoji name has 8 words; later words of a prompt are not heard
STYLES = ("noto", "twemoji", "fluent", "noto-v1", "emojione", "fxemoji")


def style_number(style: str | None) -> int:
    """0 for None, else 1 + the place in STYLES. Raises ValueError for an unknown style."""
    if style is not None and (not isinstance(style, str) or style not in STYLES):
        raise ValueError(tr("styles are {}, got {}", ", ".join(STYLES), brief(style)))
    return 0 if style is None else 1 + STYLES.index(style)


@dataclass(frozen=True)
class Text:
    """What B prompts say, ready for a network.

    vectors (B, L, 128) float, one row a word; mask (B, L) bool, False where there is no word;
    styles (B,) integers, 0 for no style, else 1 + the place in STYLES. With no word and no style, a
    network answers as if it had got no text.
    """

    vectors: torch.Tensor
    mask: torch.Tensor
    styles: torch.Tensor

    def __len__(self) -> int:
        return len(self.mask)

    def __getitem__(self, rows: int | slice | list | torch.Tensor) -> "Text":
        """Some of the prompts: an index, a slice or a tensor of rows; always a Text."""
        rows = torch.arange(len(self), device=self.mask.device)[rows].reshape(-1)
        return Text(self.vectors[rows], self.mask[rows], self.styles[rows])

    def to(self, like: torch.Tensor | torch.device | str | None) -> "Text":
        """On a device, or on the device and in the number format of a tensor of pictures.

        Raises ValueError for a tensor of integers or a device that is not there.
        """
        if torch.is_tensor(like) and not like.is_floating_point():
            raise ValueError(tr("expected a device or a tensor of floats, got {}", brief(like)))
        device = like.device if torch.is_tensor(like) else as_device(like)
        dtype = like.dtype if torch.is_tensor(like) else self.vectors.dtype
        return Text(self.vectors.to(device, dtype), self.mask.to(device), self.styles.to(device))

    def repeat(self, n: int) -> "Text":
        """Every prompt n times, side by side: a, b -> a, a, b, b for n = 2."""
        return self[repeat(torch.arange(len(self)), "b -> (b n)", n=check_count(n))]

    def expand_to(self, x_t: torch.Tensor) -> "Text":
        """One prompt for each of these pictures (B, C, H, W), on their device, in their format.

        Raises ValueError unless there are B prompts, or one for all.
        """
        return self.to(x_t).repeat(_times(len(self), x_t))

    def sample_captions(self, rows: torch.Tensor, generator: torch.Generator | None) -> "Text":
        """The texts of these pictures, (B,) integers, for `train`; see Captions.sample_captions."""
        return self[rows]

    @staticmethod
    def join(texts: Sequence["Text"]) -> "Text":
        """Several texts one after another, as one."""
        return Text(
            torch.cat([t.vectors for t in texts]),
            torch.cat([t.mask for t in texts]),
            torch.cat([t.styles for t in texts]),
        )


def empty_text(n: int) -> Text:
    """The Text of length n that says nothing: no word, no style."""
    check_count(n)
    return Text(
        torch.zeros(n, MAX_WORDS, SIZE),
        torch.zeros(n, MAX_WORDS, dtype=torch.bool),
        torch.zeros(n, dtype=torch.long),
    )


def _times(texts: int, x_t: torch.Tensor) -> int:
    """How often each of so many texts is needed for the pictures x_t (B, C, H, W)."""
    if not torch.is_tensor(x_t) or x_t.ndim != 4:
        raise ValueError(tr("expected pictures (B, C, H, W), got {}", brief(x_t)))
    if texts not in (1, len(x_t)):
        raise ValueError(tr("expected one prompt per picture, got {} for {}", texts, len(x_t)))
    return len(x_t) // texts


class Captions:
    """Several captions for each picture, of which every training step draws one anew.

    words     the word table of load_words(), or another with its `row_numbers` and `text`
    captions  one list of str a picture
    styles    one of STYLES or None a picture
    shares    how often each caption is drawn, lists of the same lengths as in captions; None: all
              captions of a picture equally often
    Raises ValueError where these do not fit together.
    """

    def __init__(
        self,
        words: Any,
        captions: Sequence[Sequence[str]],
        styles: Sequence[str | None],
        shares: Sequence[Sequence[float]] | None = None,
    ) -> None:
        _check_captions(words, captions, styles, shares)
        shares = [[1.0] * len(c) for c in captions] if shares is None else shares
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

    def __len__(self) -> int:
        return len(self.styles)

    def sample_captions(self, rows: torch.Tensor, generator: torch.Generator | None) -> Text:
        """One caption for each of these pictures, (B,) integers, as a Text of length B."""
        drawn = torch.multinomial(self.shares[rows], 1, generator=generator)  # (B, 1)
        chosen = self.choices[rows].gather(1, drawn)[:, 0]
        return self.words.text(self.rows[chosen], self.styles[rows])


def _check_captions(words: Any, captions: Any, styles: Any, shares: Any) -> None:
    if not hasattr(words, "row_numbers"):
        raise ValueError(tr("expected the word table of load_words(), got {}", brief(words)))
    for several in (captions, styles):
        check_kind(several, (list, tuple), marked("a list with one entry a picture"))
    if not len(captions) == len(styles) > 0:
        raise ValueError(
            tr("got captions for {} pictures and {} styles", len(captions), len(styles))
        )
    if not all(c and isinstance(c, (list, tuple)) for c in captions):
        raise ValueError(tr('every picture needs a list of captions; [""] says nothing'))
    fit = shares is None or (isinstance(shares, (list, tuple)) and len(shares) == len(captions))
    if not fit or not all(_are_shares(s, len(c)) for s, c in zip(shares or [], captions)):
        raise ValueError(tr("every caption needs its share, a number from 0 up, not all of them 0"))


def _are_shares(shares: Any, n: int) -> bool:
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
    def join(texts: "Sequence[EncodedText]") -> "EncodedText":
        """Several texts one after another, as one."""
        return EncodedText(*map(torch.cat, zip(*texts)))


class TextEmbedding(nn.Module):
    """A small transformer that encodes a Text of length B: pooled vector, tokens, mask.

    Returns an EncodedText. Its pooled vector is zero in a fresh network; in its mask the style is
    always there.
    """

    def __init__(self, width: int, layers: int = 2) -> None:
        super().__init__()
        self.styles = nn.Embedding(1 + len(STYLES), width)
        self.words = nn.Linear(SIZE, width)
        self.order = nn.Embedding(MAX_WORDS, width)  # the position embedding
        self.layers = nn.ModuleList(TokenBlock(width) for _ in range(layers))
        self.norm = nn.LayerNorm(width)
        self.whole = zeroed(nn.Linear(width, width))  # the projection of the pooled text

    def forward(self, text: Text) -> EncodedText:
        words = self.words(text.vectors) + self.order.weight[: text.mask.shape[1]]
        style = rearrange(self.styles(text.styles), "b c -> b 1 c")
        tokens = torch.cat([style, words], dim=1)  # (B, 1 + L, width)
        mask = torch.cat([torch.ones_like(text.mask[:, :1]), text.mask], dim=1)
        for layer in self.layers:
            tokens = layer(tokens, mask)
        tokens = self.norm(tokens)
        # the first token has looked at all others
        return EncodedText(self.whole(tokens[:, 0]), tokens, mask)
