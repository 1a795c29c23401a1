"""Shared input checks: each raises a ValueError of one sentence, or returns what fits.

They cost microseconds, so that they can stand in a sampler's loop and in a network.
"""

import functools
import numbers
import os
import reprlib
import sys
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from .languages import marked, tr

PREDICTS = ("noise", "clean", "velocity")  # what a network's answer may mean: see denoiser.py
INT_DTYPES = (torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8)
SHORT = reprlib.Repr()
SHORT.maxstring = 80  # letters: a path fits
SEED_STRIDE = 1_000_003  # apart: the streams of random numbers that one seed decides
MAX_ABS = 1e9  # from pictures in [-1, 1]
LARGEST = sys.float_info.max


def brief(x: Any) -> str:
    """x in a few words, for a sentence: a tensor by its kind and shape, all else cut short."""
    if torch.is_tensor(x):
        return f"{x.dtype} {tuple(x.shape)}"
    if hasattr(x, "dtype") and hasattr(x, "shape"):
        return f"{type(x).__name__} {x.dtype} {tuple(x.shape)}"
    words = " ".join(SHORT.repr(x).split())
    return words if len(words) <= 120 else f"{words[:117]}..."


def utf8_safe(words: Any) -> str:
    """Text without lone surrogates (half of an emoji, cut in two): each becomes a "?"."""
    return str(words).encode("utf-8", "replace").decode()


def printable(words: Any) -> str:
    """Words as the output can hold them: one in cp1252 or ASCII gets the number of other letters.

    Python writes so when its output goes into a file on Windows, and would stop at such a letter.
    """
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    return str(words).encode(encoding, "backslashreplace").decode(encoding)


def say(words: Any, end: str = "\n") -> None:
    """Print words at once, in letters that the output can hold."""
    print(printable(words), end=end, flush=True)


def explain_errors_with(check: Callable[..., Any]) -> Callable[[Callable], Callable]:
    """Decorate a function: if it fails, run `check` with the same arguments, and raise its clearer
    error. When `check` finds nothing, the function's own error stands. It costs nothing otherwise.
    """

    def decorate(function):
        @functools.wraps(function)
        def told(*inputs, **named):
            try:
                return function(*inputs, **named)
            except Exception:
                sentence = _sentence_of(check, inputs, named)
                if sentence is None:
                    raise
            raise sentence from None

        return told

    return decorate


def _sentence_of(check, inputs, named):
    try:
        check(*inputs, **named)
    except ValueError as sentence:
        return sentence.with_traceback(None)


def check_kind(x: Any, kind: Any, wanted: str) -> Any:
    """x, or one sentence unless it is of this class; `wanted`, `marked`, says where to get one."""
    if not isinstance(x, kind):
        raise ValueError(tr("expected {}, got {}", tr(wanted), brief(x)))
    return x


def check_checkpoint_path(name: str | Path) -> Path:
    """name as a Path, or one sentence unless it ends like the files that load_checkpoint reads."""
    path = as_path(name)
    if path.suffix != ".safetensors":
        raise ValueError(
            tr("the name of a checkpoint ends with .safetensors, got {}", brief(str(path)))
        )
    return path


def as_path(name: str | Path) -> Path:
    """name as a Path, or one sentence unless it is a str or a Path that a disk could hold.

    "~" at its start is the home folder.
    """
    with suppress(TypeError, UnicodeEncodeError):
        parts = Path(name).parts if isinstance(name, (str, Path)) else [b"\0"]
        if all(len(p) < 256 and not set(b"\0\n\r") & set(p) for p in map(os.fsencode, parts)):
            return Path(os.path.expanduser(name))  # what names no home stays as it is
    raise ValueError(tr("expected the name of a file or a folder, got {}", brief(name)))


def check_predicts(predicts: Any) -> str:
    """predicts, or one sentence unless it is one of PREDICTS."""
    if not isinstance(predicts, str) or predicts not in PREDICTS:
        raise ValueError(tr("predicts is velocity, noise or clean, got {}", brief(predicts)))
    return predicts


def check_model(model: Any) -> Any:
    """model, or one sentence unless it can be called and says what it predicts."""
    if not callable(model):
        raise ValueError(
            tr("expected a network, such as load_checkpoint(...), got {}", brief(model))
        )
    check_predicts(getattr(model, "predicts", None))
    return model


def check_network(model: Any) -> Any:
    """model, or one sentence unless it is a network with weights that says what it predicts."""
    if not isinstance(model, nn.Module) or next(model.parameters(), None) is None:
        raise ValueError(
            tr("expected a network, such as load_checkpoint(...), got {}", brief(model))
        )
    return check_model(model)


def check_answer(output: Any, x_t: torch.Tensor) -> torch.Tensor:
    """output, or one sentence unless it is what a network should answer about x_t."""
    if not torch.is_tensor(output) or output.shape != x_t.shape or output.device != x_t.device:
        raise ValueError(
            tr("a network answers with a tensor like x_t, this one gave {}", brief(output))
        )
    return output


def check_clean(clean: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
    """clean, or one sentence where a network's clean picture at step t has numbers without end."""
    if not is_bounded(clean):
        raise ValueError(
            tr(
                "the network's clean picture at t = {} holds NaN or infinite values: check x_t, "
                "its weights, and that the schedule leaves something of the picture",
                t.max(),
            )
        )
    return clean


def check_training(
    net: Any, pictures: Any, texts: Any, steps: Any, seconds: Any, functions: Iterable[Any]
) -> None:
    """One sentence unless `train` can begin with these."""
    if (steps is None) == (seconds is None):
        raise ValueError(tr("give train one budget: steps=2000, or seconds=60"))
    if steps is None:
        check_number(seconds, tr("the budget in seconds"), least=1e-6)
    else:
        check_count(steps, tr("the budget in steps"))
    single = getattr(pictures, "ndim", 1) == 0  # one number, which only looks like many
    if single or not hasattr(pictures, "__getitem__") or not hasattr(pictures, "__len__"):
        raise ValueError(tr("expected a data set of pictures, got {}", brief(pictures)))
    if len(pictures) == 0:
        raise ValueError(tr("the data set is empty: it needs at least one picture"))
    if texts is not None and not hasattr(texts, "sample_captions"):
        raise ValueError(tr("texts are made by load_words().encode([...]), or are Captions"))
    if texts is not None and len(texts) != len(pictures):
        raise ValueError(tr("got {} texts for {} pictures", len(texts), len(pictures)))
    if not all(map(callable, functions)):
        raise ValueError(tr("report, loss_fn and clock are functions: see the help of train"))
    _check_weights(list(check_network(net).parameters()))


def _check_weights(weights):
    """One sentence unless these can learn."""
    if any(w.is_inference() for w in weights):
        raise ValueError(
            tr("a network made under torch.inference_mode() cannot learn: make it outside")
        )
    if not any(w.requires_grad for w in weights):
        raise ValueError(tr("no weight of this network can learn: call model.requires_grad_(True)"))
    if any(w.dtype in (torch.float16, torch.bfloat16) for w in weights):
        raise ValueError(
            tr(
                "train needs weights in 32 bits: call model.float() first; where 16 bits are "
                "faster, it computes in them by itself"
            )
        )


def check_shape(shape: Any) -> tuple[int, int, int]:
    """(C, H, W) as a tuple of int, or one sentence unless shape is that."""
    three = isinstance(shape, (tuple, list)) and len(shape) == 3
    if not three or not all(_is(n, numbers.Integral) and n > 0 for n in shape):
        raise ValueError(tr("image_shape is (C, H, W), such as (3, 32, 32), got {}", brief(shape)))
    channels, height, width = map(int, shape)
    return channels, height, width


def check_widths(widths: Any) -> list[int]:
    """widths as a list of int, or one sentence unless they are channels for each level."""
    if not isinstance(widths, (tuple, list)) or len(widths) == 0:
        raise ValueError(tr("widths are a list, such as (32, 64, 96), got {}", brief(widths)))
    widths = [check_count(width, tr("each of widths")) for width in widths]
    if any(width % 16 for width in widths):
        raise ValueError(tr("widths are multiples of 16, got {}", brief(widths)))
    return widths


def check_count(n: Any, name: str = "n", least: int = 1, most: int | None = None) -> int:
    """n as an int, or one sentence unless it is a whole number from `least` to `most`.

    name   as the sentence has it: an argument's name, or a translated text
    """
    if _is(n, numbers.Integral) and least <= n and (most is None or n <= most):
        return int(n)
    if most is None:
        raise ValueError(tr("{} is a whole number from {} up, got {}", name, least, brief(n)))
    raise ValueError(tr("{} is a whole number from {} to {}, got {}", name, least, most, brief(n)))


def check_number(x: Any, name: str, least: float = -LARGEST, most: float = LARGEST) -> float:
    """x as a float, or one sentence unless it is a finite number from `least` to `most`.

    name   as in `check_count`
    """
    if _is(x, numbers.Real):
        with suppress(OverflowError):
            value = float(x)
            if least <= value <= most:
                return value
    if most != LARGEST:
        raise ValueError(tr("{} is a number from {} to {}, got {}", name, least, most, brief(x)))
    if least != -LARGEST:
        raise ValueError(tr("{} is a number from {} up, got {}", name, least, brief(x)))
    raise ValueError(tr("{} is a number, got {}", name, brief(x)))


def _is(x, kind):
    return isinstance(x, kind) and not isinstance(x, bool)  # True counts as 1 in Python


def check_floats(
    x: Any, axes: str, what: str = marked("numbers"), like: torch.Tensor | None = None, **sizes: int
) -> torch.Tensor:
    """x, or one sentence unless it is a tensor of floats with these axes: "B C H W", C=3.

    `what`, a `marked` text, names them. With `like`, a tensor, it also has to be on that one's
    device and in its number format; under autocast torch sees to the format.
    """
    names = axes.split()
    fits = torch.is_tensor(x) and x.is_floating_point() and x.ndim == len(names)
    if not fits or any(x.shape[names.index(axis)] != size for axis, size in sizes.items()):
        shape = ", ".join(str(sizes.get(axis, axis)) for axis in names)
        raise ValueError(tr("expected {} of shape ({}), got {}", tr(what), shape, brief(x)))
    if like is not None and (x.device != like.device or _differ(x, like)):
        raise ValueError(
            tr(
                "expected {} in {} on {}, got {} on {}: convert one of them with .to(...)",
                tr(what),
                like.dtype,
                like.device,
                x.dtype,
                x.device,
            )
        )
    if x.is_meta:
        raise ValueError(
            tr("expected {} that hold numbers, got a tensor on the device meta", tr(what))
        )
    return x


def _differ(x, y):
    """Whether torch would refuse to compute with both at once, for their number formats."""
    return x.dtype != y.dtype and not torch.is_autocast_enabled(x.device.type)


def check_rows(rows: Any, n: int, what: str = marked("rows")) -> torch.Tensor:
    """rows as int64 (B,), or one sentence unless they are row numbers of a table of n rows."""
    rows = as_tensor(rows)
    if rows is None or rows.ndim != 1 or rows.dtype not in INT_DTYPES or len(rows) == 0:
        raise ValueError(tr("{}: expected a row of whole numbers, got {}", tr(what), brief(rows)))
    if rows.min() < 0 or rows.max() >= n:
        raise ValueError(tr("{} lie in 0..{}, got {}..{}", tr(what), n - 1, rows.min(), rows.max()))
    return rows.long()


def check_attributes(x: Any, choices: Sequence[int], least: int = 0) -> torch.Tensor:
    """x as int64 (n, A), or one sentence unless column i counts from `least` to choices[i] - 1."""
    if not torch.is_tensor(x) or x.ndim != 2 or x.dtype not in INT_DTYPES or x.is_meta:
        raise ValueError(
            tr("expected attributes (n, {}) of integers, got {}", len(choices), brief(x))
        )
    if x.shape[1] != len(choices):
        raise ValueError(tr("expected attributes (n, {}), got {}", len(choices), tuple(x.shape)))
    if (x < least).any() or (x >= torch.tensor(choices, device=x.device)).any():
        raise ValueError(
            tr(
                "attributes count from {} to below {}, got {}..{}; of pictures that were read, "
                "keep those that are well_formed",
                least,
                list(choices),
                x.min(),
                x.max(),
            )
        )
    return x.long()


def check_mask(mask: Any, rows: int, columns: int) -> torch.Tensor:
    """mask, or one sentence unless it is a tensor (rows, columns) of True and False."""
    if not torch.is_tensor(mask) or mask.dtype != torch.bool or mask.shape != (rows, columns):
        raise ValueError(tr("expected a mask ({}, {}) of bool, got {}", rows, columns, brief(mask)))
    return mask


def as_tensor(x: Any) -> torch.Tensor | None:
    """x as a tensor of numbers that can be read, Python's own in full precision; else None."""
    try:
        x = torch.as_tensor(x if torch.is_tensor(x) else np.asarray(x))
    except (TypeError, ValueError, RuntimeError, OverflowError):  # torch has one for each reason
        return None
    return None if x.is_meta else x


def check_t(t: Any, n: int, least: int = 0, most: int | None = None) -> torch.Tensor:
    """Noise levels as a tensor of int64, () or (1,) or (n,), each from `least` to `most`."""
    whole = as_tensor(t)
    if whole is None or whole.ndim > 1 or whole.dtype not in INT_DTYPES:
        raise ValueError(tr("t is a whole number or a row of them, got {}", brief(t)))
    if whole.ndim == 1 and len(whole) not in (1, n):
        raise ValueError(
            tr("got {} values of t for {} pictures: one each, or one for all", len(whole), n)
        )
    whole = whole.long()
    if most is not None and (whole.min() < least or whole.max() > most):
        low, high = whole.min(), whole.max()
        raise ValueError(tr("t must lie in {}..{}, got {}..{}", max(0, least), most, low, high))
    return whole


def expand_t(t: Any, x_t: torch.Tensor, most: int | None = None) -> torch.Tensor:
    """t as one whole number for each of the pictures x_t, (B,), on their device."""
    return check_t(t, len(x_t), most=most).to(x_t.device).expand(len(x_t))


def check_alpha_bar(alpha_bar: Any) -> torch.Tensor:
    """alpha_bar as float64 (T,), or one sentence unless it falls within [0, 1]."""
    row = as_tensor(alpha_bar)
    if row is None or row.ndim != 1 or len(row) < 2 or row.is_complex():
        raise ValueError(tr("alpha_bar is one row of numbers, got {}", brief(alpha_bar)))
    row = row.detach().double().cpu()
    if not ((row >= 0) & (row <= 1)).all() or (row.diff() > 0).any():
        raise ValueError(tr("alpha_bar must fall from about 1 to about 0 and never rise"))
    return row


def check_like(like: Any) -> torch.Tensor:
    """like, or one sentence unless it is a batch of floats, whose format others can take."""
    if not torch.is_tensor(like) or not like.is_floating_point() or like.ndim == 0:
        raise ValueError(tr("`like` is a batch of pictures in floats, got {}", brief(like)))
    return like


def check_pair(x_0: Any, eps: Any) -> None:
    """One sentence unless x_0 are pictures, and eps, their noise, has the same shape and format."""
    check_images(x_0)
    if check_images(eps, what=marked("eps, the noise,"), like=x_0).shape != x_0.shape:
        raise ValueError(tr("eps must have the shape of x_0, got {}, {}", brief(eps), brief(x_0)))


def check_images(
    x: Any,
    channels: int | None = None,
    what: str = marked("images in [-1, 1]"),
    like: torch.Tensor | None = None,
) -> torch.Tensor:
    """x, or one sentence unless it is a float batch (B, C, H, W) of finite numbers."""
    check_floats(x, "B C H W", what, like)
    if channels is not None and x.shape[1] != channels:
        raise ValueError(
            tr(
                "this network works on pictures with {} colour channels, got a batch of shape {}",
                channels,
                tuple(x.shape),
            )
        )
    if x.numel() == 0:
        raise ValueError(tr("expected at least one picture, got an empty batch {}", tuple(x.shape)))
    if not is_bounded(x):
        raise ValueError(
            tr(
                "the pictures hold NaN or infinite values, or some beyond a billion: check where "
                "they come from"
            )
        )
    return x


def is_bounded(x: torch.Tensor) -> bool:
    """Whether no number of a tensor is NaN, infinite or so large that a network would overflow.

    Ten times faster than looking for the finite ones.
    """
    low, high = torch.aminmax(x.detach())  # NaN if there is one
    return bool(low > -MAX_ABS) and bool(high < MAX_ABS)


def check_seed(seed: Any) -> int:
    """seed as an int, or one sentence unless it is a whole number; any size will do."""
    if not _is(seed, numbers.Integral):
        raise ValueError(tr("seed is a whole number, got {}", brief(seed)))
    return int(seed)


def check_seeds(seeds: Any, n: int) -> Sequence[int]:
    """seeds, or one sentence unless they are whole numbers, one for each of n pictures."""
    if len(seeds) != n:
        raise ValueError(
            tr("got {} seeds for {} pictures: one each, or one number for all", len(seeds), n)
        )
    return [check_seed(seed) for seed in seeds]


def seeded_generator(seed: int, plus: int = 0) -> torch.Generator:
    """Random numbers that a seed decides."""
    return torch.Generator().manual_seed((check_seed(seed) + plus) % 2**64)
