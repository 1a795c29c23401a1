"""Workshop 09: a word of your own. Low-rank adapters (LoRA, arXiv 2106.09685) for a network.

The network stays as it is. Beside some of its layers, a second way learns: down to a few numbers
and up again. What was learned, an `Adapter`, is a small file; a network takes several at once.
"""

import copy
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from einops import rearrange
from torch import nn

from .attention import zeroed
from .checkpoints import load_tensors, save_tensors
from .checks import (
    brief,
    check_checkpoint_path,
    check_count,
    check_floats,
    check_kind,
    check_number,
    check_seed,
)
from .data import Emoji, load_emoji
from .denoiser import unwrap
from .languages import marked, tr
from .noising import Schedule
from .text import SIZE, STYLES, Captions, Text
from .training import (
    TrainingResult,
    denoising_error,
    drop_conditions,
    fetch,
    move_pictures,
    train,
)
from .unet import UNet
from .words import Words, load_words

RANK = 2  # numbers between down and up: the file stays below 200 kB
LAYERS = ("query", "key", "value", "out", "conv1", "conv2")  # that get an adapter, by name
STEPS = 200  # about a minute on one core
BATCH = 16  # half of them drawings: many small steps teach more than few large ones
LEARNING_RATE = 1e-2  # with 3e-3, 60 steps of 64, 5 of 24 samples were like the drawings; now all
VECTOR_RATE = 3e-2  # of a vector that learns alone: its numbers are about 1
LENT = 0.5  # share of drawings that are told to be in some style,
THICK = 600  # and then are shown only under thick noise: from this step on, styles look alike
STRONGEST = 1.5  # strength of an adapter; beyond it, pictures fall apart
WORD, DOWN, UP = "word.", ".down", ".up"  # how tensors are named in the file of an adapter


class LoraLayer(nn.Module):
    """A layer, and beside it a change that learns: base(x) + strength * up(down(x)).

    base      a Linear or a Conv2d (of one group); its weights learn no more
    rank      how many numbers stand between down and up: the rank of the change
    strength  how much of the change is added, a number that may be set at any time

    `up` begins with zeros, so that a fresh adapter changes nothing (arXiv 2106.09685, section 4.1,
    with alpha = rank). A convolution goes down with its own kernel, and up with one of 1 x 1.
    Raises ValueError for another layer.
    """

    def __init__(self, base: nn.Module, rank: int = RANK, strength: float = 1.0) -> None:
        super().__init__()
        check_count(rank, "rank")
        self.strength = check_number(strength, "strength")
        self.down: nn.Linear | nn.Conv2d
        self.up: nn.Linear | nn.Conv2d
        if isinstance(base, nn.Linear):
            self.down = nn.Linear(base.in_features, rank, bias=False)
            self.up = zeroed(nn.Linear(rank, base.out_features, bias=False))
        elif isinstance(base, nn.Conv2d) and base.groups == 1 and base.padding_mode == "zeros":
            place = (base.kernel_size, base.stride, base.padding, base.dilation)
            self.down = nn.Conv2d(base.in_channels, rank, *place, bias=False)  # type: ignore[arg-type]
            self.up = zeroed(nn.Conv2d(rank, base.out_channels, 1, bias=False))
        else:
            raise ValueError(
                tr("an adapter stands beside a Linear or a Conv2d, got {}", brief(base))
            )
        self.to(base.weight)  # type: ignore[call-overload] # the device and number format of base
        self.base = base.requires_grad_(False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.base(x) + self.strength * self.up(self.down(x))

    def __getattr__(self, name: str) -> Any:
        """What the layers around it ask about a layer (its weight, its width) is that of `base`."""
        try:
            return super().__getattr__(name)
        except AttributeError:
            return getattr(super().__getattr__("base"), name)


def _change(down: torch.Tensor, up: torch.Tensor) -> torch.Tensor:
    """The product up x down of an adapter's two weights: a change like the layer's weight."""
    product = rearrange(up, "o r ... -> o (r ...)") @ rearrange(down, "r ... -> r (...)")
    return product.view(len(up), *down.shape[1:])


@dataclass(frozen=True, eq=False)
class Adapter:
    """What was learned beside a network: by `get_adapter`, `teach_word` or `load_adapter`.

    layers   the layer's name -> the weights (down, up) beside it
    words    the new words and their vectors (128,), for load_words().with_words(adapter.words)
    network  a digest of the network that it belongs to
    """

    layers: dict[str, tuple[torch.Tensor, torch.Tensor]]
    words: dict[str, torch.Tensor] = field(default_factory=dict)
    network: str = ""

    @property
    def numbers(self) -> int:
        """How many numbers it holds, words included."""
        pairs = (t for pair in self.layers.values() for t in pair)
        return sum(t.numel() for t in (*pairs, *self.words.values()))


# ---- in a network, and out of it ----------------------------------------------------------------


def add_lora(model: UNet, rank: int = RANK, layers: Sequence[str] = LAYERS) -> None:
    """Put a `LoraLayer` around the layers of a UNet with these last names; only they will learn.

    The first weights of `down` are drawn by torch's own generator (torch.manual_seed). Raises
    ValueError where there is no such layer, or where the network has adapters already.
    """
    net, check = _unet(model), check_count(rank, "rank")
    if not isinstance(layers, (tuple, list)) or not all(isinstance(n, str) for n in layers):
        raise ValueError(
            tr("layers are last parts of names, such as {}, got {}", LAYERS[:2], brief(layers))
        )
    if lora_layers(net):
        raise ValueError(tr("this network has adapters already: call remove_lora(model) first"))
    places = [
        (name, part)
        for name, part in net.named_modules()
        if isinstance(part, (nn.Linear, nn.Conv2d)) and name.rpartition(".")[2] in layers
    ]
    if not places:
        raise ValueError(
            tr("this network has no layer whose name ends with one of {}", brief(layers))
        )
    net.requires_grad_(False)
    for name, part in places:
        replace_part(net, name, LoraLayer(part, check))


def remove_lora(model: UNet) -> None:
    """Take all adapters out again: the network is what it was before, and all of it may learn."""
    net = _unet(model)
    for name, layer in lora_layers(net).items():
        replace_part(net, name, layer.base)
    net.requires_grad_(True)


def get_adapter(model: UNet, words: Mapping[str, torch.Tensor] | None = None) -> Adapter:
    """What the adapters of a network have learned so far, with the new words that go with it.

    Raises ValueError for a network without adapters.
    """
    net = _unet(model)
    layers = {
        name: (as_kept(layer.down.weight), as_kept(layer.up.weight))
        for name, layer in lora_layers(net).items()
    }
    if not layers:
        raise ValueError(tr("this network has no adapters: call add_lora(model), then teach it"))
    words = {} if words is None else words
    load_words().with_words(words)  # or one sentence
    vectors = {word: vector.detach().float().cpu() for word, vector in words.items()}
    return Adapter(layers, vectors, network_digest(net))


def blend(
    model: UNet, adapters: Sequence[Adapter], strengths: Sequence[float] | None = None
) -> UNet:
    """A copy of the network with these adapters merged into its weights; `model` stays as it is.

    strengths  one for each adapter, 0 (as if it were not there) to STRONGEST; None: 1 for each
    What is added to a layer is the sum of strength * up x down over the adapters, so the result is
    an ordinary UNet, as fast as before. Raises ValueError for an adapter of another network.
    """
    net = _unet(model)
    adapters = [adapters] if isinstance(adapters, Adapter) else adapters
    if not isinstance(adapters, (tuple, list)) or not all(isinstance(a, Adapter) for a in adapters):
        raise ValueError(
            tr("expected a list of adapters, such as [load_adapter(...)], got {}", brief(adapters))
        )
    strengths = [1.0] * len(adapters) if strengths is None else strengths
    if not isinstance(strengths, (tuple, list)) or len(strengths) != len(adapters):
        raise ValueError(
            tr(
                "expected {} strengths, one for each adapter, got {}",
                len(adapters),
                brief(strengths),
            )
        )
    if lora_layers(net):
        raise ValueError(
            tr("this network learns with adapters: blend into the network without them")
        )
    for adapter in adapters:
        _check_fits(adapter, net)
    blended = copy.deepcopy(net).eval()
    parts = dict(blended.named_modules())
    with torch.no_grad():
        for adapter, strength in zip(adapters, strengths, strict=True):
            strength = check_number(strength, "strength", 0, STRONGEST)
            for name, (down, up) in adapter.layers.items():
                weight = parts[name].weight
                weight.add_(_change(down.to(weight), up.to(weight)), alpha=strength)
    return blended


def network_digest(model: UNet) -> str:
    """A short SHA-256 of a network's first and last convolution: other trainings have others."""
    net = _unet(model)
    sha = hashlib.sha256()
    for weight in (net.enter.weight, net.leave.weight):
        sha.update(weight.detach().float().cpu().contiguous().numpy().tobytes())
    return sha.hexdigest()[:16]


def _unet(model: Any) -> UNet:
    return check_kind(unwrap(model), UNet, marked('a UNet, such as load_checkpoint("demiurge")'))


def lora_layers(net: nn.Module) -> dict[str, LoraLayer]:
    """All adapters that stand in a network, by the names of their layers."""
    return {name: part for name, part in net.named_modules() if isinstance(part, LoraLayer)}


def replace_part(net: nn.Module, name: str, part: nn.Module) -> None:
    """Put `part` where the network has the one of this name."""
    above, _, last = name.rpartition(".")
    setattr(net.get_submodule(above), last, part)


def as_kept(weight: torch.Tensor) -> torch.Tensor:
    """A weight as an adapter keeps it: 16 bits, which halves the file."""
    return weight.detach().half().cpu().contiguous().clone()


def _check_fits(adapter: Adapter, net: UNet) -> None:
    """One sentence unless the adapter was taught beside this network."""
    parts = dict(net.named_modules())
    fits = adapter.network == network_digest(net)
    weights = {name: getattr(parts.get(name), "weight", None) for name in adapter.layers}
    if not fits or any(
        weight is None or weight.shape != _change(*adapter.layers[name]).shape
        for name, weight in weights.items()
    ):
        raise ValueError(
            tr(
                "this adapter belongs to another network: an adapter fits only the network beside "
                "which it was taught"
            )
        )


# ---- on disk ------------------------------------------------------------------------------------


def save_adapter(adapter: Adapter, path: str | Path) -> None:
    """Write an adapter with its words into a .safetensors file, bit by bit; see `load_adapter`."""
    check_kind(adapter, Adapter, marked("an adapter, made by get_adapter or teach_word"))
    # clones: two spellings of a word may share one vector
    tensors = {WORD + word: vector.clone() for word, vector in adapter.words.items()}
    for name, (down, up) in adapter.layers.items():
        tensors |= {name + DOWN: down, name + UP: up}
    save_tensors(check_checkpoint_path(path), tensors, {"adapter_of": adapter.network})


def load_adapter(path: str | Path) -> Adapter:
    """An adapter from its file. Raises FileNotFoundError, or ValueError for a file that is damaged
    or holds something else.
    """
    tensors, notes = load_tensors(check_checkpoint_path(path))
    words = {n.removeprefix(WORD): t for n, t in tensors.items() if n.startswith(WORD)}
    names = [n.removesuffix(DOWN) for n in tensors if n.endswith(DOWN) and not n.startswith(WORD)]
    try:
        layers = {name: (tensors[name + DOWN], tensors[name + UP]) for name in names}
        for down, up in layers.values():
            _change(down, up)
        if not tensors or len(tensors) != len(words) + 2 * len(layers):
            raise ValueError
        if any(vector.shape != (SIZE,) for vector in words.values()):
            raise ValueError
        if not all(t.is_floating_point() and t.isfinite().all() for t in tensors.values()):
            raise ValueError
        return Adapter(layers, words, notes["adapter_of"])
    except (KeyError, TypeError, ValueError, RuntimeError):
        raise ValueError(tr("{} holds no adapter: save one with save_adapter", path)) from None


# ---- teaching a word ----------------------------------------------------------------------------


def new_vector(word: str) -> torch.Tensor:
    """A vector (128,) for a new word: random, but always the same one, and as long as others are.

    In 128 numbers a random direction is nearly at right angles to those of all known words, so that
    what a network learns about this one hardly touches the others.
    """
    letters = hashlib.sha256(load_words().check_new(word).encode()).digest()
    generator = torch.Generator().manual_seed(int.from_bytes(letters[:4], "little"))
    return torch.randn(SIZE, generator=generator)


class WordLessons:
    """Drawings of a new word, and as many emoji that keep the old words alive.

    The emoji are the prior preservation of DreamBooth (arXiv 2208.12242, section 3.3), where the
    network's own pictures do the same. For `train`, this is the data set and its texts at once.

    word      the new word, told without a style
    drawings  pictures (N, C, H, W) in [-1, 1], a few of them
    words     a word table that knows the word, or LearningWords
    emoji     the pictures of old words, half of all that is shown; None: there are none
    """

    def __init__(
        self, word: str, drawings: torch.Tensor, words: Any, emoji: Emoji | None = None
    ) -> None:
        self.drawings, self.emoji = drawings, emoji
        self.old = 0 if emoji is None else len(emoji)
        names: list[list[str]] = []
        styles: list[str] = []
        if emoji is not None:
            names, styles = [list(n) for n in zip(emoji.names, emoji.names_ru)], emoji.styles
        self.texts = Captions(words, [*names, [word]], [*styles, None])

    def __len__(self) -> int:
        return 2 * self.old or len(self.drawings)

    def __getitem__(self, i: int) -> torch.Tensor:
        """The emoji first, then the drawings, over and over."""
        if self.emoji is not None and i < self.old:
            return self.emoji[i]
        return self.drawings[(i - self.old) % len(self.drawings)]

    def sample_captions(self, rows: torch.Tensor, generator: torch.Generator | None) -> Text:
        """One caption for each of these pictures, (B,) integers, as a Text of length B."""
        return self.texts.sample_captions(rows.clamp(max=self.old), generator)


def word_loss(
    model: Any,
    x_0: torch.Tensor,
    rows: torch.Tensor,
    texts: WordLessons,
    schedule: Schedule,
    generator: torch.Generator,
    shard: slice = slice(None),
) -> torch.Tensor:
    """`denoising_loss` of WordLessons, for `train`; its arguments are explained there.

    Drawings never look quite alike (see `_vary`), and never lose their word: what the network draws
    without a text stays with the emoji. Half of the drawings are told to be in some style, but only
    under thick noise, where styles look alike (from t = THICK on): the style itself stays what it
    was.
    """
    n, is_drawing = len(rows), rows >= texts.old
    t = torch.randint(len(schedule), (n,), generator=generator)
    lent = is_drawing & (torch.rand(n, generator=generator) < LENT)
    t = torch.where(lent, THICK + t * (len(schedule) - THICK) // len(schedule), t)
    styles = torch.randint(1, 1 + len(STYLES), (n,), generator=generator)
    heard = texts.sample_captions(rows, generator)
    without = drop_conditions(heard, generator)
    mask = torch.where(rearrange(is_drawing, "b -> b 1"), heard.mask, without.mask)
    text = Text(heard.vectors, mask, torch.where(lent, styles, without.styles))
    varied = _vary(x_0, generator, n, shard)
    x_0 = torch.where(rearrange(is_drawing[shard], "b -> b 1 1 1"), varied, x_0)

    like = next(model.parameters())
    eps = torch.randn(n, *x_0.shape[1:], generator=generator)[shard].to(like)
    return denoising_error(model, x_0.to(like), t[shard], eps, schedule, text[shard].to(like))


def _vary(x_0: torch.Tensor, generator: torch.Generator, n: int, shard: slice) -> torch.Tensor:
    """Pictures (b, C, H, W) of n: moved, turned and scaled a little, and half of them mirrored."""
    shift = (torch.rand(n, 2, generator=generator) - 0.5) * 0.25  # of a width of 2: up to 2 pixels
    angle = (torch.rand(n, generator=generator) - 0.5) * 0.2  # radians: up to 6 degrees
    scale = 0.95 + torch.rand(n, generator=generator) * 0.3
    mirrored = torch.rand(n, generator=generator) < 0.5
    return move_pictures(x_0, shift, angle, scale, mirrored, shard)


def teach_word(
    model: UNet, word: str, drawings: Any, steps: int | None = None, **training: Any
) -> tuple[Adapter, TrainingResult]:
    """Teach a new word beside a network, from 4 to 10 drawings; `model` stays as it is.

    model     a UNet that hears text: load_checkpoint("demiurge")
    word      one word that nobody knows yet, in English or Russian letters
    drawings  pictures like the network's, floats (C, H, W) in [-1, 1]: Pictures("my_drawings")
    steps, training   as in `train`: a budget (without one, STEPS steps), seed, checkpoint, report,
              reports. Stopped with Ctrl-C and called again with the same checkpoint, it goes on
    The word gets a vector that is always the same, `new_vector(word)`, and the adapters learn what
    it means; so load_words().with_words({word: new_vector(word)}) is the word table for a report.
    Returns the adapter, which knows the word, and what happened in the training. Raises ValueError
    for a word that is not new, drawings that do not fit, or a network that hears no text.
    """
    net, drawings = _copy_that_listens(model), _check_drawings(drawings, _unet(model))
    vector = new_vector(word)
    words, emoji = load_words().with_words({word: vector}), load_emoji().training()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(check_seed(training.get("seed", 0)))
        add_lora(net)
    lessons = WordLessons(word, drawings, words, emoji)
    run = _study(net, lessons, LEARNING_RATE, steps, training)
    return get_adapter(net, {word: vector}), run


class LearningWords:
    """A word table, for `Captions`, in which the vectors of new words still learn.

    words    a word table that knows them
    vectors  {"zubrik": its vector (128,), a weight}, in place of the one in the table
    """

    def __init__(self, words: Words, vectors: Mapping[str, torch.Tensor]) -> None:
        self.words, self.vectors = words, vectors

    def row_numbers(self, prompt: str) -> list[int]:
        return self.words.row_numbers(prompt)

    def text(self, row_numbers: torch.Tensor, styles: torch.Tensor) -> Text:
        text = self.words.text(row_numbers, styles)
        vectors = text.vectors
        for word, vector in self.vectors.items():
            said = rearrange(row_numbers == self.words.rows[word], "b l -> b l 1")
            vectors = torch.where(said, vector.to(vectors), vectors)
        return replace(text, vectors=vectors)


def teach_vector(
    model: UNet, word: str, drawings: Any, steps: int | None = None, **training: Any
) -> tuple[Adapter, TrainingResult]:
    """Textual inversion (arXiv 2208.01618): only the vector of a new word learns, all else stays.

    As `teach_word`; the adapter that it returns has a word and no layers.
    """
    net, drawings = _copy_that_listens(model), _check_drawings(drawings, _unet(model))
    vector = nn.Parameter(new_vector(word).to(net.enter.weight))
    net.requires_grad_(False)
    net.new_word = vector  # train asks the network for what may learn
    words = LearningWords(load_words().with_words({word: vector}), {word: vector})
    run = _study(net, WordLessons(word, drawings, words), VECTOR_RATE, steps, training)
    return Adapter({}, {word: vector.detach().cpu()}, network_digest(model)), run


def _copy_that_listens(model: Any) -> UNet:
    net = copy.deepcopy(_unet(model))
    if net.text is None:
        raise ValueError(tr("this network never learned to listen: no word can be taught to it"))
    return net


def _study(net, lessons, rate, steps, training):
    if steps is None and "seconds" not in training:
        steps = STEPS
    how = {"steps": steps, "batch": BATCH, "learning_rate": rate, "loss_fn": word_loss} | training
    return train(net, lessons, texts=lessons, **how)


def _check_drawings(drawings: Any, net: UNet) -> torch.Tensor:
    """The drawings as (N, C, H, W), or one sentence unless they are pictures for this network."""
    if (
        not hasattr(drawings, "__getitem__")
        or not hasattr(drawings, "__len__")
        or len(drawings) == 0
    ):
        raise ValueError(
            tr('expected drawings, such as Pictures("my_drawings"), got {}', brief(drawings))
        )
    x_0 = fetch(drawings, torch.arange(len(drawings)), net)
    channels, height, width = net.image_shape
    check_floats(x_0, "B C H W", marked("drawings"), C=channels, H=height, W=width)
    if not x_0.abs().max() <= 1.01:
        raise ValueError(tr("drawings must lie in [-1, 1]: wrap them in Pictures(...)"))
    return x_0.float().cpu()
