"""Pictures to learn from: the emoji that come with the course, or your own."""

import hashlib
import io
import json
import os
import time
import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from einops import rearrange
from PIL import Image, ImageOps, UnidentifiedImageError
from torch.utils.data import Dataset

from .checks import as_path, as_tensor, brief, check_count, say, utf8_safe
from .languages import marked, tr

_INSIDE_WHEEL = Path(__file__).parent / "data"
DATA = _INSIDE_WHEEL if _INSIDE_WHEEL.exists() else Path(__file__).parent.parent / "data"
RESTORE = (  # a file that is missing or damaged
    marked("install the wheel again, with `pip install --force-reinstall --no-deps`")
    if DATA == _INSIDE_WHEEL
    else marked("restore it with `git checkout data`, or download the course again")
)
# Pillow knows the endings of these formats, but it reads them on Windows alone (WMF), with another
# program (EPS) or not at all.
NOT_READ = {"BUFR", "EPS", "GRIB", "HDF5", "MPEG", "WMF"}
KEPT_BYTES = 10**9  # of small pictures that `Pictures` keeps in memory
NAMED = 5  # files or reasons that a sentence names; it counts the others


def read_data(name: str) -> bytes:
    """The bytes of a file that the course ships, such as "words/words.json".

    Raises FileNotFoundError where it is missing, and ValueError unless it is, to the last bit, the
    one in data/SHA256SUMS.
    """
    return _checked(name, _read(name), _checksums())


def shipped(folder: str) -> list[str]:
    """The names of the files that the course ships in a folder of its data."""
    names = [line.partition("  ")[2] for line in _checksums()]
    return [name for name in names if name.startswith(f"{folder}/")]


def _checked(name: str, content: bytes, checksums: list[str]) -> bytes:
    if f"{hashlib.sha256(content).hexdigest()}  {name}" not in checksums:
        raise ValueError(tr("{} is damaged: {}", DATA / name, tr(RESTORE)))
    return content


def _checksums() -> list[str]:
    """The lines of data/SHA256SUMS; that file itself may be damaged, too."""
    return _read("SHA256SUMS").decode("ascii", "replace").splitlines()


def _read(name: str) -> bytes:
    try:
        return (DATA / as_path(name)).read_bytes()
    except OSError:
        raise FileNotFoundError(tr("{} is missing: {}", DATA / name, tr(RESTORE))) from None


@dataclass(frozen=True)
class Emoji(Dataset[torch.Tensor]):
    """Emoji pictures and what they show; every list has length N. `emoji[i]` is one picture.

    images (N, 3, size, size) float32 in [-1, 1], white background; names and names_ru one caption
    each; keywords and keywords_ru lists of words; styles and groups one word each; concepts the
    code point, equal for the same emoji in another style; held_out (N,) bool: pairs of concept and
    style that no training may ever see.
    """

    images: torch.Tensor
    names: list[str]
    names_ru: list[str]
    keywords: list[list[str]]
    keywords_ru: list[list[str]]
    styles: list[str]
    groups: list[str]
    concepts: list[str]
    held_out: torch.Tensor

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, i: int) -> torch.Tensor:
        return self.images[i]

    def where(self, keep: torch.Tensor | np.ndarray | Sequence[bool]) -> "Emoji":
        """The emoji for which `keep`, a (N,) bool tensor, is true."""
        chosen = as_tensor(keep)
        if chosen is None or chosen.dtype != torch.bool or chosen.shape != (len(self),):
            raise ValueError(tr("`keep` is one True or False for each of the {} emoji", len(self)))
        rows = chosen.nonzero().flatten().tolist()
        columns: dict[str, Any] = {
            name: value[rows] if torch.is_tensor(value) else [value[i] for i in rows]
            for name, value in vars(self).items()
        }
        return Emoji(**columns)

    def training(self) -> "Emoji":
        """Everything that a model may learn from: all but the held-out pairs."""
        return self.where(~self.held_out)


def load_emoji(size: int = 32) -> Emoji:
    """All emoji of the course as an `Emoji`, at 32x32 or 64x64 pixels.

    Raises ValueError for another size, FileNotFoundError or ValueError for a missing or damaged
    file. Where the pictures come from: data/README.md.
    """
    if not isinstance(size, int) or size not in (32, 64):
        raise ValueError(tr("emoji come in size 32 or 64, got {}", brief(size)))
    checksums = _checksums()  # once for all files

    def read(name: str) -> bytes:
        return _checked(name, _read(name), checksums)

    index = json.loads(read("emoji/emoji.json"))
    concepts = {c["hexcode"]: c for c in index["concepts"]}
    held_out = {tuple(pair) for pair in index["held_out"]}
    sheets = []
    columns: dict[str, Any] = {name: [] for name in Emoji.__dataclass_fields__}
    for style, hexcodes in index["order"].items():
        sheet = read(f"emoji/{style}_{size}.webp")
        sheets.append(_cut(sheet, size)[: len(hexcodes)])
        for hexcode in hexcodes:
            concept = concepts[hexcode]
            columns["names"].append(concept["name"])
            columns["names_ru"].append(concept["name_ru"])
            columns["keywords"].append(concept["keywords"])
            columns["keywords_ru"].append(concept["keywords_ru"])
            columns["groups"].append(concept["group"])
            columns["concepts"].append(hexcode)
            columns["styles"].append(style)
            columns["held_out"].append((hexcode, style) in held_out)
    columns["images"] = to_signed(np.concatenate(sheets))
    columns["held_out"] = torch.tensor(columns["held_out"])
    return Emoji(**columns)


def _cut(sheet: bytes, size: int) -> np.ndarray:
    pixels = np.asarray(Image.open(io.BytesIO(sheet)).convert("RGB"))
    return rearrange(pixels, "(row h) (col w) c -> (row col) h w c", h=size, w=size)


def to_signed(pictures: np.ndarray) -> torch.Tensor:
    """Bytes (N, H, W, C) in 0..255 to float32 (N, C, H, W) in [-1, 1]."""
    if not isinstance(pictures, np.ndarray) or pictures.dtype != np.uint8 or pictures.ndim != 4:
        raise ValueError(
            tr("expected bytes (N, H, W, C) in a numpy array, got {}", brief(pictures))
        )
    return rearrange(torch.from_numpy(pictures).float() / 127.5 - 1, "n h w c -> n c h w")


class Pictures(Dataset[torch.Tensor]):
    """Any pictures as training data: a folder, or any data set of pictures (torchvision's too).

    source   a folder with picture files, searched at every depth, or a Dataset whose items are
             PIL pictures, uint8 or [0, 1] float tensors (C, H, W), alone or first in a tuple
    size     every picture is cut to a centred square and scaled to size x size pixels
    channels 3 for colour, 1 for grey

    Items are float32 (channels, size, size) in [-1, 1]; transparent pictures are put on white.

    The files of a folder are read once, when `Pictures` is made: up to a millisecond for a small
    picture, a twentieth of a second for a JPEG of 12 megapixels; a line counts them if it takes
    long. The small pictures stay in memory, up to KEPT_BYTES (100,000 at 32 x 32 are .3 GB); the
    files beyond are read again at each access. A warning says how many files were skipped, and why.
    Items of a data set may change at each access, so they are never kept.

    Raises FileNotFoundError for a folder that is not there, ValueError for one without pictures,
    and for files that cannot be read, all at once.
    """

    def __init__(
        self, source: str | Path | Dataset | Sequence, size: int = 32, channels: int = 3
    ) -> None:
        if type(channels) is not int or channels not in (1, 3):
            raise ValueError(tr("channels is 1 (grey) or 3 (colour), got {}", brief(channels)))
        self.channels, self.mode = channels, "RGB" if channels == 3 else "L"
        self.size = check_count(size, "size", most=4096)
        self.source: Any = source
        self._kept: torch.Tensor | None = None  # bytes (n, size, size, channels) of n first files
        if isinstance(source, (str, Path)):
            self.source, skipped = _find_pictures(as_path(source))
            if skipped:
                warnings.warn(
                    tr("skipped in {}: {}", brief(str(source)), _counted(skipped)), stacklevel=2
                )
            n = min(len(self.source), KEPT_BYTES // (self.size * self.size * channels))
            self._kept = self._read_files(n)
            if len(self._kept) < len(self.source):
                warnings.warn(
                    tr(
                        "the memory for small pictures, {:,} bytes, holds {:,} of these {:,}; the "
                        "others are read again at each access, which is slow: choose a smaller "
                        "size, or fewer pictures",
                        KEPT_BYTES,
                        len(self._kept),
                        len(self.source),
                    ),
                    stacklevel=2,
                )
        if not hasattr(self.source, "__getitem__") or not hasattr(self.source, "__len__"):
            raise ValueError(
                tr("expected a folder or a data set of pictures, got {}", brief(source))
            )
        if len(self.source) == 0:
            raise ValueError(tr("the data set is empty: it needs at least one picture"))

    def __len__(self) -> int:
        return len(self.source)

    def __getitem__(self, i: int) -> torch.Tensor:
        if self._kept is None:
            small = self._shrink(self.source[i])
        else:
            i = range(len(self))[i]  # -1 is the last one
            small = self._kept[i].numpy() if i < len(self._kept) else self._shrink(self.source[i])
        return to_signed(rearrange(small, "h w c -> 1 h w c"))[0]

    def _read_files(self, n: int) -> torch.Tensor:
        """Read all files; the first n as bytes (n, size, size, channels).

        Raises ValueError with one sentence about all that cannot be read.
        """
        kept = torch.empty(n, self.size, self.size, self.channels, dtype=torch.uint8)
        faults = []
        for i, file in enumerate(_with_progress(self.source)):
            try:
                small = self._shrink_file(file)
            except Exception as problem:
                faults.append(_fault(file, problem))
                continue
            if i < n:
                kept[i] = torch.from_numpy(small)
        if faults:
            raise _unreadable(faults)
        return kept

    def _shrink(self, item: Any) -> np.ndarray:
        """An item of a data set as bytes (size, size, channels)."""
        item = item[0] if isinstance(item, (tuple, list)) and item else item
        if not isinstance(item, (Path, Image.Image)):
            return self._square(Image.fromarray(_bytes_of(item)))
        try:
            if isinstance(item, Path):
                return self._shrink_file(item)
            picture = _upright(item)
        except Exception as problem:
            raise _unreadable([_fault(item, problem)]) from None
        return self._square(picture)

    def _shrink_file(self, file: Path) -> np.ndarray:
        """The picture in a file as bytes (size, size, channels).

        Pillow's readers have a hundred ways to fail, so this raises whatever they raise.
        """
        with Image.open(file, formats=tuple(dict.fromkeys(_formats().values()))) as opened:
            width = opened.width
            # a JPEG may be decoded at 1/2, 1/4 or 1/8, with at least 4 x 4 pixels for each of ours
            opened.draft(None, (4 * self.size, 4 * self.size))
            reduced = round(width / opened.width)
            return self._square(_upright(opened), reduced)

    def _square(self, picture: Image.Image, reduced: int = 1) -> np.ndarray:
        """The centred square of a picture as bytes (size, size, channels).

        A pixel of it stands for `reduced` x `reduced` pixels of its file.
        """
        if picture.mode.startswith("I;16"):  # 16 bits a pixel: keep the upper eight
            picture = Image.fromarray((np.asarray(picture) // 257).astype(np.uint8))
        if picture.mode in ("I", "F", "La") or 0 in picture.size:  # Pillow would cut I and F at 255
            raise ValueError(
                tr(
                    "expected a picture such as RGB, got {} x {} pixels in mode {}: convert it "
                    "first",
                    picture.width,
                    picture.height,
                    picture.mode,
                )
            )
        if picture.has_transparency_data:
            picture = picture.convert("RGBA")
            picture = Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture)
        side = min(picture.size)
        # the corner is a whole pixel of the file, which may lie within one of the picture
        left, top = ((n - side) * reduced // 2 / reduced for n in picture.size)
        square = (left, top, left + side, top + side)
        picture = picture.convert("RGB").convert(self.mode)  # not every mode goes to grey at once
        small = picture.resize((self.size, self.size), Image.Resampling.LANCZOS, box=square)
        return rearrange(np.array(small), "h w ... -> h w (...)")


def _find_pictures(folder: Path) -> tuple[list[Path], Counter[str]]:
    """The picture files below a folder in a fixed order, and how many others, by the reason.

    Links are followed, and each file counts once. Raises FileNotFoundError without such a folder,
    ValueError without any picture in it.
    """
    if os.path.isfile(folder):
        raise ValueError(
            tr(
                "{} is a file: give the folder that holds your pictures, and unpack an archive "
                "first",
                brief(str(folder)),
            )
        )
    if not os.path.isdir(folder):
        raise FileNotFoundError(tr("there is no folder {}: check the path", brief(str(folder))))
    formats, files, skipped, seen = _formats(), [], Counter[str](), set()
    for file, target in _walk(folder, skipped):
        ending, hidden = file.suffix.lower(), file.name.startswith(".")
        if ending not in formats:
            if not hidden:  # nobody misses a .DS_Store
                skipped[tr("{} (not readable here)", ending[:12] or tr("without an ending"))] += 1
        elif hidden:
            skipped[tr("hidden")] += 1
        elif not os.path.isfile(file):
            skipped[tr("{} (not a file)", ending)] += 1
        elif target in seen:
            skipped[tr("linked twice")] += 1
        else:
            seen.add(target)
            files.append(file)
    if not files:
        place = brief(str(folder))
        if not skipped:
            raise ValueError(
                tr(
                    "no pictures found in {}: it looks for files such as .jpg, .png, .webp and "
                    ".tif",
                    place,
                )
            )
        raise ValueError(
            tr(
                "no pictures found in {}: it looks for files such as .jpg, .png, .webp and .tif; "
                "skipped: {}",
                place,
                _counted(skipped),
            )
        )
    return sorted(files), skipped


def _walk(folder: Path, skipped: Counter[str]) -> Iterator[tuple[Path, str]]:
    """All files below a folder, and below the folders that it links to, but in no hidden one; each
    with the place where it really lies.

    No folder is entered twice; a link to a folder above this one would lead in a circle.
    """

    def closed(error: OSError) -> None:
        skipped[tr("closed ({})", error.strerror)] += 1

    seen = {str(above) for above in Path(os.path.realpath(folder)).parents}
    for place, folders, names in os.walk(folder, onerror=closed, followlinks=True):
        real = os.path.realpath(place)
        if real in seen:
            skipped[tr("linked twice")] += 1
            folders.clear()
            continue
        seen.add(real)
        skipped.update(tr("hidden") for name in folders if name.startswith("."))
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for file in (Path(place, name) for name in sorted(names)):
            yield (
                file,
                os.path.realpath(file) if file.is_symlink() else os.path.join(real, file.name),
            )


def _counted(skipped: Counter[str]) -> str:
    """How many files or folders were skipped for each reason, the most frequent ones first."""
    frequent = skipped.most_common(NAMED)
    others = skipped.total() - sum(n for _, n in frequent)
    reasons = [f"{n:,} {reason}" for reason, n in frequent] + [tr("{:,} others", others)] * (
        others > 0
    )
    return utf8_safe(", ".join(reasons))


def _formats() -> dict[str, str]:
    """The endings of picture files, each with its format, that Pillow can read on this machine."""
    endings = Image.registered_extensions()
    return {e: name for e, name in endings.items() if name in Image.OPEN and name not in NOT_READ}


def _with_progress(files: list[Path]) -> Iterator[Path]:
    """The files one by one, and a line that counts them if that takes more than 3 seconds."""
    said = began = time.monotonic()
    for i, file in enumerate(files, 1):
        yield file
        now = time.monotonic()
        if now - said > 3 or (said > began and i == len(files)):
            say(tr("\rreading pictures: {:,} of {:,}", i, len(files)), end="")
            said = now
    if said > began:
        say("")


def _upright(picture: Image.Image) -> Image.Image:
    """A picture turned as it was taken: phones note how they were held."""
    picture.load()  # now: Pillow would notice a file that is cut short only later
    return ImageOps.exif_transpose(picture)


def _fault(item: Any, problem: Exception) -> str:
    """The name of a picture and, in brackets, why Pillow cannot read it."""
    if isinstance(problem, UnidentifiedImageError):  # its own words name a file, and no reason
        reason = tr("no format that Pillow knows")
    else:
        reason = getattr(problem, "strerror", None) or str(problem) or type(problem).__name__
    name = str(item) if isinstance(item, Path) else brief(item)
    return utf8_safe(" ".join(f"{name} ({reason.rstrip('.'):.100})".split()))


def _unreadable(faults: list[str]) -> ValueError:
    """One sentence about all pictures that cannot be read."""
    named = ", ".join(faults[:NAMED])
    if len(faults) == 1:
        return ValueError(tr("{} cannot be read as a picture: remove it or save it again", named))
    if len(faults) > NAMED:
        named = tr("{} and {:,} more", named, len(faults) - NAMED)
    return ValueError(tr("{} cannot be read as pictures: remove them or save them again", named))


def _bytes_of(item: Any) -> np.ndarray:
    """A tensor (C, H, W), uint8 or float in [0, 1], as an array (H, W, 3) or (H, W) of bytes."""
    is_float = torch.is_tensor(item) and item.is_floating_point()
    if not is_float and not (torch.is_tensor(item) and item.dtype == torch.uint8):
        raise ValueError(
            tr(
                "expected a PIL picture or a tensor (C, H, W) of uint8 or floats, got {}",
                brief(item),
            )
        )
    if item.ndim != 3 or item.shape[0] not in (1, 3) or 0 in item.shape or item.is_meta:
        raise ValueError(
            tr(
                "expected a PIL picture or a tensor (C, H, W) with 1 or 3 channels, got {}",
                brief(item),
            )
        )
    if is_float:
        if not (item.min() >= 0 and item.max() <= 1):  # NaN is neither
            raise ValueError(
                tr(
                    "float pictures given to Pictures must lie in [0, 1], like torchvision's; "
                    "pictures already in [-1, 1] need no Pictures around them"
                )
            )
        item = (item * 255).round().byte()
    array = rearrange(item.cpu(), "c h w -> h w c").numpy()
    return array if array.shape[2] == 3 else array[..., 0]
