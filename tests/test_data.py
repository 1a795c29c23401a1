"""Pictures to learn from: what the course ships, what students bring, and what may be wrong."""

import json
import os
import pickle
import random
import re
import shutil
import time
import warnings
from contextlib import contextmanager
from pathlib import Path
from unittest import mock

import numpy as np
import pytest
import torch
from PIL import Image, ImageOps, features
from PIL.PngImagePlugin import PngInfo
from torchvision.datasets import FakeData
from torchvision.transforms import PILToTensor, ToTensor

from diffusion_helpers import UNet, data, load_checkpoint, train
from diffusion_helpers.checkpoints import save_checkpoint
from diffusion_helpers.data import Pictures, load_emoji

STYLES = {"noto", "twemoji", "fluent", "noto-v1", "emojione", "fxemoji"}


@pytest.fixture(scope="module")
def emoji():
    return load_emoji()


@pytest.fixture
def copied_data(tmp_path, monkeypatch):
    """The 32-pixel emoji in a folder that a test may damage."""
    folder = tmp_path / "emoji"
    shutil.copytree(data.DATA / "emoji", folder, ignore=shutil.ignore_patterns("*_64.webp"))
    shutil.copy(data.DATA / "SHA256SUMS", tmp_path)
    monkeypatch.setattr(data, "DATA", tmp_path)
    return folder


# ---- the emoji of the course --------------------------------------------------------------------


def test_emoji_are_pictures_in_range_with_everything_said_about_each(emoji):
    n = len(emoji)
    assert n > 5000
    assert emoji.images.shape == (n, 3, 32, 32) and emoji.images.dtype == torch.float32
    assert emoji.images.min() == -1 and emoji.images.max() == 1
    assert emoji.held_out.shape == (n,) and emoji.held_out.dtype == torch.bool
    lists = ("names", "names_ru", "keywords", "keywords_ru", "styles", "groups", "concepts")
    assert {len(getattr(emoji, name)) for name in lists} == {n}


def test_captions_are_words_in_two_languages(emoji):
    assert all(re.search("[A-Za-z]", name) for name in emoji.names)
    assert {name for name in emoji.names_ru if not re.search("[А-Яа-я]", name)} == {"CD", "DVD"}
    assert all(isinstance(word, str) and word for words in emoji.keywords for word in words)
    assert set(emoji.styles) == STYLES
    assert all(group and " " not in group for group in set(emoji.groups))


def test_every_picture_is_the_tile_of_its_sheet(emoji):
    """Cut with Pillow, by hand, a few tiles of every style."""
    index = json.loads((data.DATA / "emoji" / "emoji.json").read_text(encoding="utf-8"))
    rows = iter(range(len(emoji)))
    for style, concepts in index["order"].items():
        sheet = Image.open(data.DATA / "emoji" / f"{style}_32.webp").convert("RGB")
        looked_at = {0, 41, len(concepts) // 2, len(concepts) - 1}
        for i, concept in enumerate(concepts):
            row = next(rows)
            assert (emoji.styles[row], emoji.concepts[row]) == (style, concept)
            if i in looked_at:
                x, y = 32 * (i % index["columns"]), 32 * (i // index["columns"])
                tile = np.asarray(sheet.crop((x, y, x + 32, y + 32))).transpose(2, 0, 1)
                expected = torch.from_numpy(tile / 127.5 - 1).float()
                torch.testing.assert_close(emoji.images[row], expected)
    assert next(rows, None) is None


def test_no_concept_comes_twice_in_a_style(emoji):
    pairs = list(zip(emoji.concepts, emoji.styles))
    assert len(set(pairs)) == len(pairs)


def test_no_picture_is_empty(emoji):
    assert emoji.images.flatten(1).std(dim=1).min() > 0.02


def test_the_background_is_white(emoji):
    corners = emoji.images[:, :, [0, 0, -1, -1], [0, -1, 0, -1]].amin(dim=(1, 2))
    assert (corners > 0.98).float().mean() > 0.9  # a few pictures fill their whole square


def test_five_percent_are_held_out_and_never_the_only_style_of_a_concept(emoji):
    assert 0.045 < emoji.held_out.float().mean() < 0.055
    seen = set(emoji.training().concepts)
    assert {c for c, held in zip(emoji.concepts, emoji.held_out) if held} <= seen


def test_training_leaves_out_exactly_the_held_out_pairs(emoji):
    training = emoji.training()
    assert not training.held_out.any()
    kept = set(zip(training.concepts, training.styles))
    held = {(c, s) for c, s, h in zip(emoji.concepts, emoji.styles, emoji.held_out) if h}
    assert len(training) + len(held) == len(emoji) and not kept & held


def test_where_keeps_pictures_and_words_together(emoji):
    few = emoji.where(torch.tensor([style == "fluent" for style in emoji.styles]))
    rows = [i for i, style in enumerate(emoji.styles) if style == "fluent"]
    assert set(few.styles) == {"fluent"} and len(few) == len(rows)
    assert few.names == [emoji.names[i] for i in rows]
    assert torch.equal(few.images, emoji.images[rows])


def test_emoji_are_a_data_set(emoji):
    batch = next(iter(torch.utils.data.DataLoader(emoji, batch_size=4)))
    assert torch.equal(batch, emoji.images[:4]) and torch.equal(emoji[7], emoji.images[7])


def test_loading_twice_gives_the_same(emoji):
    again = load_emoji()
    assert torch.equal(again.images, emoji.images) and torch.equal(again.held_out, emoji.held_out)
    assert again.names == emoji.names and again.keywords_ru == emoji.keywords_ru


def test_loading_takes_about_a_second():
    times = []
    for _ in range(2):
        began = time.process_time()  # the work of other programs does not count
        load_emoji()
        times.append(time.process_time() - began)
    assert min(times) < 1.5


def test_large_emoji_are_the_small_ones_drawn_larger(emoji):
    large = load_emoji(64)
    assert large.images.shape == (len(emoji), 3, 64, 64)
    assert large.concepts == emoji.concepts and large.styles == emoji.styles
    rows = torch.arange(0, len(emoji), 97)
    halved = torch.nn.functional.avg_pool2d(large.images[rows], 2)
    assert (halved - emoji.images[rows]).abs().mean(dim=(1, 2, 3)).max() < 0.1


@pytest.mark.parametrize("size", [48, 0, -32, None, "32"])
def test_another_size_is_refused(size):
    with pytest.raises(ValueError, match=f"size 32 or 64, got {size!r}"):
        load_emoji(size)


@pytest.mark.parametrize("name", ["twemoji_32.webp", "emoji.json"])
def test_a_missing_file_is_named_with_what_to_do(copied_data, name):
    (copied_data / name).unlink()
    with pytest.raises(FileNotFoundError, match=f"{name} is missing.*git checkout data"):
        load_emoji()


def cut_short(content):
    return content[: len(content) // 2]


def flip_one_bit(content):
    middle = len(content) // 2
    return content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]


@pytest.mark.parametrize(
    ("name", "damage"),
    [
        ("twemoji_32.webp", cut_short),
        ("twemoji_32.webp", flip_one_bit),
        ("noto-v1_32.webp", lambda _: b""),
        ("emoji.json", cut_short),
        ("emoji.json", lambda _: b""),
        ("emoji.json", lambda _: b"\xff\xfe\x00"),
        ("emoji.json", lambda _: b'{"columns": 40}'),
    ],
)
def test_a_damaged_file_is_named_with_what_to_do(copied_data, name, damage):
    file = copied_data / name
    file.write_bytes(damage(file.read_bytes()))
    with pytest.raises(ValueError, match=f"{name} is damaged.*git checkout data"):
        load_emoji()


# ---- pictures of one's own ----------------------------------------------------------------------


def noise_picture(width, height, seed=0):
    generator = np.random.default_rng(seed)
    return Image.fromarray(generator.integers(0, 256, (height, width, 3), dtype=np.uint8))


def only(folder, **kw):
    """The one picture of a folder."""
    pictures = Pictures(folder, **kw)
    assert len(pictures) == 1
    return pictures[0]


def test_a_picture_of_the_right_size_stays_as_it_is(tmp_path):
    picture = noise_picture(32, 32)
    picture.save(tmp_path / "noise.png")
    expected = torch.from_numpy(np.asarray(picture).transpose(2, 0, 1) / 127.5 - 1).float()
    got = only(tmp_path)
    assert got.shape == (3, 32, 32) and got.dtype == torch.float32
    torch.testing.assert_close(got, expected)


@pytest.mark.parametrize("size", [(28, 28), (100, 60), (31, 97), (5, 5), (1, 1)])
@pytest.mark.parametrize("channels", [1, 3])
def test_every_size_becomes_the_asked_one(tmp_path, size, channels):
    noise_picture(*size).save(tmp_path / "noise.png")
    got = only(tmp_path, size=16, channels=channels)
    assert got.shape == (channels, 16, 16) and got.min() >= -1 and got.max() <= 1


@pytest.mark.parametrize("upright", [False, True])
def test_a_long_picture_is_cut_to_its_middle(tmp_path, upright):
    picture = Image.new("RGB", (30, 10), "red")
    picture.paste((0, 255, 0), (10, 0, 20, 10))  # the middle third is green
    if upright:
        picture = picture.transpose(Image.Transpose.ROTATE_90)
    picture.save(tmp_path / "flag.png")
    got = only(tmp_path, size=10)
    assert (got[1] == 1).all() and (got[0] == -1).all()


def test_grey_becomes_three_equal_channels_or_stays_one(tmp_path):
    Image.new("L", (8, 8), 51).save(tmp_path / "grey.png")
    expected = 51 / 127.5 - 1
    torch.testing.assert_close(only(tmp_path, size=8), torch.full((3, 8, 8), expected))
    torch.testing.assert_close(only(tmp_path, size=8, channels=1), torch.full((1, 8, 8), expected))


def test_transparency_is_put_on_white(tmp_path):
    picture = Image.new("RGBA", (8, 8), (255, 0, 0, 0))  # red that cannot be seen
    picture.paste((0, 0, 0, 255), (0, 0, 4, 8))
    picture.paste((0, 0, 0, 51), (4, 0, 8, 4))  # one fifth black
    picture.save(tmp_path / "glass.png")
    got = only(tmp_path, size=8)
    assert (got[:, :, :4] == -1).all() and (got[:, 4:, 4:] == 1).all()
    torch.testing.assert_close(got[:, :4, 4:], torch.full((3, 4, 4), 1 - 2 / 5), rtol=0, atol=0.01)


@pytest.mark.parametrize("ending", ["gif", "png"])
def test_a_palette_picture_keeps_its_colours_and_its_holes(tmp_path, ending):
    picture = Image.new("P", (8, 8), 0)
    picture.putpalette([255, 0, 0, 0, 0, 255])  # 0 is red, 1 is blue
    picture.paste(1, (0, 0, 4, 8))
    picture.save(tmp_path / f"palette.{ending}", transparency=0)
    got = only(tmp_path, size=8)
    assert got[:, 0, 0].tolist() == [-1, -1, 1] and got[:, 0, 7].tolist() == [1, 1, 1]


def test_pictures_are_found_at_every_depth_whatever_the_case_of_their_ending(tmp_path):
    for name in ("b.png", "deep/er/a.JPG", "c.webp", "d.bmp"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        noise_picture(8, 8).save(tmp_path / name)
    (tmp_path / "notes.txt").write_text("no picture")
    with pytest.warns(UserWarning, match=r"': 1 \.txt \(not readable here\)$"):
        assert len(Pictures(tmp_path)) == len(Pictures(str(tmp_path))) == 4


def test_a_folder_is_read_in_the_same_order_every_time(tmp_path):
    names = [f"{i}.png" for i in range(6)]
    random.Random(0).shuffle(names)
    for name in names:
        Image.new("L", (8, 8), 40 * int(name[0])).save(tmp_path / name)
    shades = [picture.mean().item() for picture in Pictures(tmp_path)]
    assert shades == sorted(shades)


@pytest.mark.parametrize(
    "transform",
    [
        pytest.param(None, id="PIL"),
        pytest.param(ToTensor(), id="float in [0, 1]"),
        pytest.param(PILToTensor(), id="bytes"),
    ],
)
def test_a_torchvision_data_set_gives_the_same_whatever_it_holds(transform):
    pil = FakeData(size=4, image_size=(3, 32, 32))
    expected = [np.asarray(pil[i][0]).transpose(2, 0, 1) / 127.5 - 1 for i in range(4)]
    pictures = Pictures(FakeData(size=4, image_size=(3, 32, 32), transform=transform))
    assert len(pictures) == 4
    for i in range(4):
        torch.testing.assert_close(pictures[i], torch.from_numpy(expected[i]).float())


def test_grey_tensors_work(tmp_path):
    bytes_ = torch.arange(64, dtype=torch.uint8).reshape(1, 8, 8)
    for item in (bytes_, bytes_ / 255, (bytes_, "a label")):
        got = Pictures([item], size=8, channels=1)[0]
        torch.testing.assert_close(got, bytes_ / 127.5 - 1)


# ---- one clear sentence for each mistake --------------------------------------------------------


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"there is no folder '.*my_fotos': check the path"):
        Pictures(tmp_path / "my_fotos")


def test_a_folder_without_pictures_says_which_endings_count(tmp_path):
    (tmp_path / "notes.txt").write_text("no picture")
    with pytest.raises(ValueError, match=r"no pictures found in .*\.jpg.*\.png"):
        Pictures(tmp_path)


def test_an_empty_data_set_says_so():
    with pytest.raises(ValueError, match="the data set is empty"):
        Pictures([])


def png_bytes(folder):
    noise_picture(40, 40).save(folder / "whole.tmp", format="png")
    return (folder / "whole.tmp").read_bytes()


CANNOT = "cannot be read as a picture: remove it or save it again"


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        pytest.param(lambda whole: b"this is a text", "no format that Pillow knows", id="text"),
        pytest.param(lambda whole: b"", "no format that Pillow knows", id="empty"),
        pytest.param(lambda whole: whole[: len(whole) // 2], "truncated", id="cut in the middle"),
        pytest.param(lambda whole: whole[:20], ".+", id="cut in its header"),
        pytest.param(lambda whole: whole[:33] + b"x" * 300, ".+", id="garbage after its header"),
    ],
)
def test_a_file_that_is_no_picture_is_named_with_the_reason(tmp_path, damage, reason):
    (tmp_path / "broken.png").write_bytes(damage(png_bytes(tmp_path)))
    (tmp_path / "whole.tmp").unlink()
    with pytest.raises(ValueError, match=rf"broken\.png \(.*{reason}.*\) {CANNOT}"):
        Pictures(tmp_path)


def test_a_folder_with_the_name_of_a_picture_is_not_one(tmp_path):
    (tmp_path / "cats.png").mkdir()
    noise_picture(8, 8).save(tmp_path / "cats.png" / "a.png")
    assert only(tmp_path, size=8).shape == (3, 8, 8)


@pytest.mark.parametrize(
    "item",
    [
        torch.full((3, 8, 8), -1.0),
        torch.full((3, 8, 8), 255.0),
        torch.full((3, 8, 8), float("nan")),
    ],
)
def test_float_pictures_out_of_range_say_which_range(item):
    with pytest.raises(ValueError, match=r"must lie in \[0, 1\]"):
        Pictures([item])[0]


@pytest.mark.parametrize(
    ("item", "words"),
    [
        (torch.zeros(8, 8), r"got torch.float32 \(8, 8\)"),
        (torch.zeros(2, 8, 8), r"got torch.float32 \(2, 8, 8\)"),
        ({"image": 1}, "got {'image': 1}"),
        (np.zeros((8, 8, 3)), r"got ndarray float64 \(8, 8, 3\)"),
    ],
)
def test_items_of_another_kind_get_one_sentence(item, words):
    with pytest.raises(ValueError, match="expected a PIL picture or a tensor.*" + words):
        Pictures([item])[0]


@pytest.mark.parametrize("channels", [0, 2, 4])
def test_another_number_of_channels_is_refused(channels):
    with pytest.raises(ValueError, match=f"1 .grey. or 3 .colour., got {channels}"):
        Pictures([torch.zeros(3, 8, 8)], channels=channels)


def test_a_photo_stands_upright(tmp_path):
    picture = Image.new("RGB", (8, 8), "red")
    picture.paste((0, 0, 255), (0, 0, 8, 4))  # blue above red, as the sensor saw it
    exif = Image.Exif()
    exif[0x0112] = 3  # orientation: upside down
    picture.save(tmp_path / "photo.png", exif=exif)
    got = only(tmp_path, size=8)
    assert got[:, 0, 0].tolist() == [1, -1, -1] and got[:, 7, 0].tolist() == [-1, -1, 1]


def test_sixteen_bit_grey_keeps_its_shades(tmp_path):
    shades = np.linspace(0, 65535, 64).astype(np.uint16).reshape(8, 8)
    Image.fromarray(shades).save(tmp_path / "deep.png")
    got = only(tmp_path, size=8, channels=1)
    expected = torch.from_numpy(shades / 32767.5 - 1).float().unsqueeze(0)
    torch.testing.assert_close(got, expected, rtol=0, atol=0.01)


# ---- a folder is read once ----------------------------------------------------------------------


@contextmanager
def counted_calls(owner, name):
    """The first argument of each call of a function or method, which works as ever."""
    whole, seen = getattr(owner, name), []

    def spy(*inputs, **named):
        seen.append(inputs[0])
        return whole(*inputs, **named)

    with mock.patch.object(owner, name, spy):
        yield seen


def test_a_folder_is_decoded_once(tmp_path):
    for i in range(3):
        noise_picture(90, 60, seed=i).save(tmp_path / f"{i}.png")
    with counted_calls(Image, "open") as opened:
        pictures = Pictures(tmp_path, size=16)
        first = list(pictures)
        assert len(opened) == 3
        again = [pictures[i] for i in (0, 1, -1)]
    assert len(opened) == 3 and len(first) == 3
    assert all(torch.equal(a, b) for a, b in zip(first, again))
    first[0].fill_(9)  # what a training does with a picture does not change the next one
    assert torch.equal(pictures[0], again[0])


def test_the_memory_for_small_pictures_has_a_limit(tmp_path, monkeypatch):
    for i in range(4):
        noise_picture(9, 9, seed=i).save(tmp_path / f"{i}.png")
    whole = Pictures(tmp_path, size=8, channels=1)
    monkeypatch.setattr(data, "KEPT_BYTES", 2 * 8 * 8 + 1)
    with pytest.warns(UserWarning, match="129 bytes, holds 2 of these 4; the others are") as said:
        pictures = Pictures(tmp_path, size=8, channels=1)
        with counted_calls(Image, "open") as opened:
            assert all(torch.equal(a, b) for a, b in zip(pictures, whole))
    assert len(said) == 1 and [file.name for file in opened] == ["2.png", "3.png"]
    (tmp_path / "3.png").write_bytes(b"")
    with pytest.raises(ValueError, match=rf"3\.png \(no format that Pillow knows\) {CANNOT}"):
        pictures[3]


def test_a_data_set_whose_items_change_is_asked_each_time():
    class Changing(list):
        def __getitem__(self, i):
            self[0:1] = [super().__getitem__(0) + 1]
            return super().__getitem__(0)

    pictures = Pictures(Changing([torch.zeros(3, 8, 8, dtype=torch.uint8)]), size=8)
    assert [(127.5 * pictures[0].mean().item() + 127.5) for _ in range(3)] == pytest.approx(
        [1, 2, 3], abs=1e-3
    )


def test_a_folder_travels_to_other_processes(tmp_path):
    noise_picture(9, 9).save(tmp_path / "a.png")
    pictures = Pictures(tmp_path)
    travelled = pickle.loads(pickle.dumps(pictures))
    assert len(travelled) == 1 and torch.equal(travelled[0], pictures[0])


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("size", [(640, 480), (643, 481)])
def test_a_large_jpeg_is_decoded_at_a_part_of_its_size_and_looks_the_same(
    tmp_path, size, orientation
):
    colours = np.random.default_rng(1).integers(0, 256, (6, 8, 3), dtype=np.uint8)
    picture = Image.fromarray(colours).resize(size, Image.Resampling.BICUBIC)
    exif = Image.Exif()
    exif[0x0112] = orientation
    picture.save(tmp_path / "photo.jpg", quality=95, exif=exif)

    whole = ImageOps.exif_transpose(Image.open(tmp_path / "photo.jpg"))
    side = min(whole.size)
    left, top = (whole.width - side) // 2, (whole.height - side) // 2
    square = (left, top, left + side, top + side)
    small = whole.resize((16, 16), Image.Resampling.LANCZOS, box=square)
    expected = torch.from_numpy(np.asarray(small).transpose(2, 0, 1) / 127.5 - 1).float()

    with counted_calls(Image.Image, "resize") as resized:
        got = only(tmp_path, size=16)
    (decoded,) = resized
    assert 4 * 16 <= min(decoded.size) < 8 * 16
    torch.testing.assert_close(got, expected, rtol=0, atol=0.07)


def test_a_small_jpeg_is_decoded_as_it_always_was(tmp_path):
    noise_picture(127, 127).save(tmp_path / "photo.jpg")
    small = Image.open(tmp_path / "photo.jpg").resize((16, 16), Image.Resampling.LANCZOS)
    expected = data.to_signed(np.array(small)[None])[0]
    assert torch.equal(only(tmp_path, size=16), expected)


def test_a_long_reading_is_counted_on_one_line(tmp_path, monkeypatch, capsys):
    for i in range(5):
        noise_picture(4, 4).save(tmp_path / f"{i}.png")
    Pictures(tmp_path)
    assert capsys.readouterr().out == ""  # nothing about what takes no time
    clock = iter(range(0, 1000, 2))
    monkeypatch.setattr(data.time, "monotonic", lambda: next(clock))
    Pictures(tmp_path)
    said = capsys.readouterr().out
    counts = [f"\rreading pictures: {i} of 5" for i in (2, 4, 5)]
    assert said == "".join(counts) + "\n"


# ---- all that is broken in a folder, and why ----------------------------------------------------


def test_all_broken_pictures_are_named_at_once(tmp_path):
    for i in range(9):
        noise_picture(40, 40).save(tmp_path / f"{i}.png")
    for i in range(1, 8):
        whole = (tmp_path / f"{i}.png").read_bytes()
        (tmp_path / f"{i}.png").write_bytes(whole[:-200])
    named = ", ".join(rf"\S*{i}\.png \(image file is truncated[^)]*\)+" for i in range(1, 6))
    with pytest.raises(ValueError, match=f"^{named} and 2 more cannot be read as pictures: remove"):
        Pictures(tmp_path)


def test_a_broken_picture_beyond_the_memory_is_named_as_well(tmp_path, monkeypatch):
    for i in range(3):
        noise_picture(40, 40).save(tmp_path / f"{i}.png")
    (tmp_path / "2.png").write_bytes((tmp_path / "2.png").read_bytes()[:-200])
    monkeypatch.setattr(data, "KEPT_BYTES", 0)
    with pytest.raises(ValueError, match=r"2\.png \(image file is truncated"):
        Pictures(tmp_path)


def jpeg_cut_short(file):
    noise_picture(90, 90).save(file, "jpeg")
    file.write_bytes(file.read_bytes()[:-900])


def long_text(file):
    info = PngInfo()
    info.add_text("prompt", "a castle " * 200_000, zip=True)
    noise_picture(9, 9).save(file, "png", pnginfo=info)


def huge(file):
    noise_picture(9, 9).save(file, "png")


def floats(file):
    Image.fromarray(np.full((9, 9), 0.5, dtype=np.float32)).save(file, "tiff")


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (jpeg_cut_short, "image file is truncated"),
        (long_text, "Decompressed data too large for PngImagePlugin.MAX_TEXT_CHUNK"),
        (huge, r"Image size \(81 pixels\) exceeds limit of 40 pixels"),
        (floats, "9 x 9 pixels in mode F: convert it first"),
    ],
)
def test_the_reason_of_pillow_is_told(tmp_path, monkeypatch, make, reason):
    make(tmp_path / "bad.jpg")
    if make is huge:
        monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 20)
    with pytest.raises(ValueError, match=rf"bad\.jpg \(.*{reason}.*\) {CANNOT}"):
        Pictures(tmp_path)


def test_a_file_that_may_not_be_opened_says_so(tmp_path):
    noise_picture(9, 9).save(tmp_path / "a.png")
    closed = mock.patch.object(Image, "open", side_effect=PermissionError(13, "Permission denied"))
    with closed, pytest.raises(ValueError, match=rf"a\.png \(Permission denied\) {CANNOT}"):
        Pictures(tmp_path)


def test_a_picture_of_a_data_set_that_is_cut_short_says_why(tmp_path):
    jpeg_cut_short(tmp_path / "a.jpg")
    refused = pytest.raises(ValueError, match=r"Jpeg.* \(image file is truncated .*\) cannot be")
    with Image.open(tmp_path / "a.jpg") as picture, refused:
        Pictures([picture])[0]


# ---- which files of a folder count --------------------------------------------------------------


def skipped(folder):
    """The names of the files that count, and what is said about the others."""
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        names = [p.relative_to(folder).as_posix() for p in Pictures(folder).source]
    assert all(w.filename == __file__ for w in said)  # it points to the line of the caller
    return names, " ".join(str(w.message) for w in said)


def test_hidden_files_and_folders_are_passed_over(tmp_path):
    for name in ("a.png", ".ipynb_checkpoints/a-checkpoint.png", "__MACOSX/._b.png", "c/.d.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        noise_picture(8, 8).save(tmp_path / name)
    (tmp_path / "._a.png").write_bytes(b"what a Mac notes about a.png")
    (tmp_path / ".DS_Store").write_bytes(b"what a Mac notes about the folder")
    names, said = skipped(tmp_path)
    assert names == ["a.png"]
    assert re.fullmatch(r"skipped in '.*': 4 hidden", said)


def test_nothing_is_said_where_nothing_is_skipped(tmp_path):
    noise_picture(8, 8).save(tmp_path / "a.png")
    (tmp_path / ".DS_Store").write_bytes(b"what a Mac notes about the folder")
    assert skipped(tmp_path) == (["a.png"], "")


def test_a_folder_that_is_hidden_itself_counts_when_it_is_named(tmp_path):
    (tmp_path / ".photos").mkdir()
    noise_picture(8, 8).save(tmp_path / ".photos" / "a.png")
    assert skipped(tmp_path / ".photos") == (["a.png"], "")


@pytest.mark.parametrize("ending", [".tif", ".TIFF", ".jfif", ".avif", ".ppm", ".jp2", ".ico"])
def test_every_ending_that_pillow_can_read_counts(tmp_path, ending):
    kind = Image.registered_extensions().get(ending.lower())
    if kind is None or (kind == "JPEG2000" and not features.check("jpg_2000")):
        pytest.skip(f"this Pillow does not read {ending}")
    noise_picture(40, 40).save(tmp_path / f"a{ending}", kind)
    noise_picture(40, 40).save(tmp_path / "b.jpg")
    assert skipped(tmp_path) == ([f"a{ending}", "b.jpg"], "")
    assert Pictures(tmp_path, size=8)[0].shape == (3, 8, 8)


def test_files_that_cannot_be_read_here_are_counted_by_their_ending(tmp_path):
    noise_picture(8, 8).save(tmp_path / "a.png")
    for name in ("b.heic", "c.HEIC", "captions.txt", "README", "d.eps", "e.h5", "f.mpg", "g.wmf"):
        (tmp_path / name).write_bytes(b"")
    names, said = skipped(tmp_path)
    assert names == ["a.png"]
    assert "': 2 .heic (not readable here), 1 " in said
    assert said.count(" (not readable here)") == 5 and said.endswith(", 2 others")
    for name in ("d.eps", "e.h5", "f.mpg", "g.wmf"):
        (tmp_path / name).unlink()
    assert skipped(tmp_path)[1].endswith(
        "': 2 .heic (not readable here), "
        "1 without an ending (not readable here), 1 .txt (not readable here)"
    )


def test_a_folder_with_nothing_that_counts_says_what_it_holds(tmp_path):
    (tmp_path / "a.heic").write_bytes(b"")
    (tmp_path / ".hidden").mkdir()
    with pytest.raises(
        ValueError,
        match=r"no pictures found in .*; skipped: 1 hidden, 1 \.heic \(not readable",
    ):
        Pictures(tmp_path)


def test_endings_in_capitals_are_files_of_their_own(tmp_path):
    for i, name in enumerate(("a.PNG", "b.png", "B.Png")):
        noise_picture(8, 8, seed=i).save(tmp_path / name)
    assert len(Pictures(tmp_path)) == len(list(tmp_path.iterdir()))


def test_a_name_that_is_no_file_is_never_opened(tmp_path):
    """A pipe would keep the reader waiting for ever."""
    if not hasattr(os, "mkfifo"):
        pytest.skip("this system has no pipes in folders")
    os.mkfifo(tmp_path / "pipe.png")
    noise_picture(8, 8).save(tmp_path / "a.png")
    names, said = skipped(tmp_path)
    assert names == ["a.png"] and said.endswith(": 1 .png (not a file)")


def test_a_folder_that_may_not_be_opened_is_counted(tmp_path):
    noise_picture(8, 8).save(tmp_path / "a.png")
    (tmp_path / "closed").mkdir()
    scandir = os.scandir

    def closed(path):
        if str(path).endswith("closed"):
            raise PermissionError(13, "Permission denied")
        return scandir(path)

    with mock.patch("os.scandir", closed):
        assert skipped(tmp_path)[1].endswith(": 1 closed (Permission denied)")


@pytest.mark.parametrize("name", ["photo.png", "photos.zip"])
def test_a_file_in_the_place_of_a_folder_says_what_to_give(tmp_path, name):
    (tmp_path / name).write_bytes(b"")
    with pytest.raises(ValueError, match=rf"{name}' is a file: give the folder that holds your"):
        Pictures(tmp_path / name)


def test_home_is_the_home_folder_in_every_path(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    noise_picture(8, 8).save(tmp_path / "a.png")
    pictures = Pictures("~", size=8)
    assert len(pictures) == len(Pictures(Path("~"))) == 1
    net = UNet((3, 8, 8), widths=(16,), blocks=1)
    save_checkpoint(net, "~/nets/net.safetensors")
    assert load_checkpoint("~/nets/net.safetensors", "cpu").config == net.config
    train(net, pictures, steps=1, checkpoint="~/nets/run.safetensors", report=lambda *_: None)
    assert sorted(p.name for p in (tmp_path / "nets").iterdir()) == [
        "net.safetensors",
        "run.safetensors",
    ]


# ---- checksums ----------------------------------------------------------------------------------


def test_the_list_of_checksums_is_read_once_for_all_emoji():
    with counted_calls(Path, "read_bytes") as files:
        load_emoji()
    assert [file.name for file in files].count("SHA256SUMS") == 1 and len(files) == 8
