"""Pictures to learn from: the emoji that come with the course, or your own."""

import hashlib
import io
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from einops import rearrange
from PIL import Image, ImageOps
from torch.utils.data import Dataset

from .checks import as_path, as_tensor, brief, check_count

_INSIDE_WHEEL = Path(__file__).parent / "data"
DATA = _INSIDE_WHEEL if _INSIDE_WHEEL.exists() else Path(__file__).parent.parent / "data"
PICTURE_ENDINGS = {".png", ".jpg", ".jpeg", ".webp", ".gif", ".bmp"}


def read_data(name):
    """The bytes of a file that the course ships, such as "words/words.json".

    Raises FileNotFoundError where it is missing, and ValueError unless it is, to the last bit, the
    one in data/SHA256SUMS.
    """
    content = _read(name)
    if f"{hashlib.sha256(content).hexdigest()}  {name}" not in _checksums():
        raise ValueError(
            f"{DATA / name} is damaged: restore it with `git checkout data`, "
            "or install the package again"
        )
    return content


def shipped(folder):
    """The names of the files that the course ships in a folder of its data."""
    names = [line.partition("  ")[2] for line in _checksums()]
    return [name for name in names if name.startswith(f"{folder}/")]


def _checksums():
    """The lines of data/SHA256SUMS; that file itself may be damaged, too."""
    return _read("SHA256SUMS").decode("ascii", "replace").splitlines()


def _read(name):
    try:
        return (DATA / as_path(name)).read_bytes()
    except OSError:
        raise FileNotFoundError(
            f"{DATA / name} is missing: restore it with `git checkout data`, "
            "or install the package again"
        ) from None


@dataclass(frozen=True)
class Emoji(Dataset):
    """Emoji pictures and what they show; every list has length N. `emoji[i]` is one picture.

    images (N, 3, size, size) float32 in [-1, 1], white background; names and names_ru one caption
    each; keywords and keywords_ru lists of words; styles and groups one word each; concepts the
    code point, equal for the same emoji in another style; held_out (N,) bool: pairs of concept and
    style that no training may ever see.
    """

    images: torch.Tensor
    names: list
    names_ru: list
    keywords: list
    keywords_ru: list
    styles: list
    groups: list
    concepts: list
    held_out: torch.Tensor

    def __len__(self):
        return len(self.images)

    def __getitem__(self, i):
        return self.images[i]

    def where(self, keep):
        """The emoji for which `keep`, a (N,) bool tensor, is true."""
        keep = as_tensor(keep)
        if keep is None or keep.dtype != torch.bool or keep.shape != (len(self),):
            raise ValueError(f"`keep` is one True or False for each of the {len(self)} emoji")
        rows = keep.nonzero().flatten().tolist()
        columns = {
            name: value[rows] if torch.is_tensor(value) else [value[i] for i in rows]
            for name, value in vars(self).items()
        }
        return Emoji(**columns)

    def training(self):
        """Everything that a model may learn from: all but the held-out pairs."""
        return self.where(~self.held_out)


def load_emoji(size=32):
    """All emoji of the course as an `Emoji`, at 32x32 or 64x64 pixels.

    Raises ValueError for another size, FileNotFoundError or ValueError for a missing or damaged
    file. Where the pictures come from: data/README.md.
    """
    if not isinstance(size, int) or size not in (32, 64):
        raise ValueError(f"emoji come in size 32 or 64, got {brief(size)}")
    index = json.loads(read_data("emoji/emoji.json"))
    concepts = {c["hexcode"]: c for c in index["concepts"]}
    held_out = {tuple(pair) for pair in index["held_out"]}
    sheets, columns = [], {name: [] for name in Emoji.__dataclass_fields__}
    for style, hexcodes in index["order"].items():
        sheet = read_data(f"emoji/{style}_{size}.webp")
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


def _cut(sheet, size):
    sheet = np.asarray(Image.open(io.BytesIO(sheet)).convert("RGB"))
    return rearrange(sheet, "(row h) (col w) c -> (row col) h w c", h=size, w=size)


def to_signed(pictures):
    """Bytes (N, H, W, C) in 0..255 to float32 (N, C, H, W) in [-1, 1]."""
    if not isinstance(pictures, np.ndarray) or pictures.dtype != np.uint8 or pictures.ndim != 4:
        raise ValueError(f"expected bytes (N, H, W, C) in a numpy array, got {brief(pictures)}")
    return rearrange(torch.from_numpy(pictures).float() / 127.5 - 1, "n h w c -> n c h w")


class Pictures(Dataset):
    """Any pictures as training data: a folder, or any data set of pictures (torchvision's too).

    source   a folder with picture files (searched at every depth), or a Dataset whose items are
             PIL pictures, uint8 or [0, 1] float tensors (C, H, W), alone or first in a tuple
    size     every picture is cut to a centred square and scaled to size x size pixels
    channels 3 for colour, 1 for grey

    Items are float32 (channels, size, size) in [-1, 1]; transparent pictures are put on white.
    Raises FileNotFoundError for a folder that is not there, ValueError for one without pictures
    or a file that is no picture.
    """

    def __init__(self, source, size=32, channels=3):
        if type(channels) is not int or channels not in (1, 3):
            raise ValueError(f"channels is 1 (grey) or 3 (colour), got {brief(channels)}")
        if isinstance(source, (str, Path)):
            source = _picture_files(as_path(source))
        if not hasattr(source, "__getitem__") or not hasattr(source, "__len__"):
            raise ValueError(f"expected a folder or a data set of pictures, got {brief(source)}")
        if len(source) == 0:
            raise ValueError("the data set is empty: it needs at least one picture")
        self.source, self.mode = source, "RGB" if channels == 3 else "L"
        self.size = check_count(size, "size", most=4096)

    def __len__(self):
        return len(self.source)

    def __getitem__(self, i):
        item = self.source[i]
        item = item[0] if isinstance(item, (tuple, list)) and item else item
        if isinstance(item, (Path, Image.Image)):
            picture = _upright(item)
        else:
            picture = Image.fromarray(_bytes_of(item))
        if picture.mode.startswith("I;16"):  # 16 bits a pixel: keep the upper eight
            picture = Image.fromarray((np.asarray(picture) // 257).astype(np.uint8))
        if picture.mode in ("I", "F", "La") or 0 in picture.size:  # Pillow would cut I and F at 255
            raise ValueError(
                f"expected a picture such as RGB, got {picture.width} x {picture.height} pixels "
                f"in mode {picture.mode}: convert it first"
            )
        if picture.has_transparency_data:
            picture = picture.convert("RGBA")
            picture = Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture)
        side = min(picture.size)
        left, top = (picture.width - side) // 2, (picture.height - side) // 2
        square = (left, top, left + side, top + side)
        picture = picture.convert("RGB").convert(self.mode)  # not every mode goes to grey at once
        small = picture.resize((self.size,) * 2, Image.LANCZOS, box=square)
        array = rearrange(np.array(small), "h w ... -> 1 h w (...)")
        return to_signed(array)[0]


def _picture_files(folder):
    if not folder.is_dir():
        raise FileNotFoundError(f"there is no folder {brief(str(folder))}: check the path")
    files = sorted(
        p for p in folder.rglob("*") if p.suffix.lower() in PICTURE_ENDINGS and p.is_file()
    )
    if not files:
        endings = ", ".join(sorted(PICTURE_ENDINGS))
        raise ValueError(f"no pictures found in {str(folder)!r}: it looks for files in {endings}")
    return files


def _upright(picture):
    """A picture, or the one in a file, turned as it was taken: phones note how they were held."""
    try:
        opened = Image.open(picture) if isinstance(picture, Path) else picture
        opened.load()  # now: Pillow would notice a file that is cut short only later
        return ImageOps.exif_transpose(opened)
    except Exception:  # Pillow's readers have a hundred ways to fail, and one answer fits them all
        name = picture if isinstance(picture, Path) else brief(picture)
        raise ValueError(f"{name} is not a picture: remove it or save it again") from None


def _bytes_of(item):
    """A tensor (C, H, W), uint8 or float in [0, 1], as an array (H, W, 3) or (H, W) of bytes."""
    is_float = torch.is_tensor(item) and item.is_floating_point()
    if not is_float and not (torch.is_tensor(item) and item.dtype == torch.uint8):
        raise ValueError(
            f"expected a PIL picture or a tensor (C, H, W) of uint8 or floats, got {brief(item)}"
        )
    if item.ndim != 3 or item.shape[0] not in (1, 3) or 0 in item.shape or item.is_meta:
        raise ValueError(
            f"expected a PIL picture or a tensor (C, H, W) with 1 or 3 channels, got {brief(item)}"
        )
    if is_float:
        if not (item.min() >= 0 and item.max() <= 1):  # NaN is neither
            raise ValueError(
                "float pictures given to Pictures must lie in [0, 1], like torchvision's; "
                "pictures already in [-1, 1] need no Pictures around them"
            )
        item = (item * 255).round().byte()
    array = rearrange(item.cpu(), "c h w -> h w c").numpy()
    return array if array.shape[2] == 3 else array[..., 0]
