"""Pictures to learn from: what the course ships, what students bring, and what may be wrong."""

import json
import random
import re
import shutil
import time

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision.datasets import FakeData
from torchvision.transforms import PILToTensor, ToTensor

from diffusion_helpers import data
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


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(lambda whole: b"this is a text", id="text"),
        pytest.param(lambda whole: b"", id="empty"),
        pytest.param(lambda whole: whole[: len(whole) // 2], id="cut in the middle"),
        pytest.param(lambda whole: whole[:20], id="cut in its header"),
        pytest.param(lambda whole: whole[:33] + b"x" * 300, id="garbage after its header"),
    ],
)
def test_a_file_that_is_no_picture_is_named(tmp_path, damage):
    (tmp_path / "broken.png").write_bytes(damage(png_bytes(tmp_path)))
    with pytest.raises(ValueError, match=r"broken\.png is not a picture: remove it or save it"):
        only(tmp_path)


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
