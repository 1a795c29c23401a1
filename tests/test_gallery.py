"""The gallery: what was kept comes back as it was, and nothing that was kept is ever lost."""

import os
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from bs4 import BeautifulSoup
from page_objects import check_accessible
from PIL import Image
from test_figures import decode

from diffusion_helpers.widgets import gallery
from diffusion_helpers.widgets.figures import to_uint8
from diffusion_helpers.widgets.gallery import keep, show_gallery

PICTURES = torch.rand(4, 3, 32, 32, generator=torch.Generator().manual_seed(0)) * 2 - 1


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def shown(monkeypatch):
    """A function that shows the gallery and returns its page, parsed."""

    def show():
        pages = []
        monkeypatch.setattr(gallery, "display", pages.append)
        show_gallery()
        (page,) = pages
        return BeautifulSoup(page.page, "html.parser")

    return show


def pixels(path, frame=0):
    with Image.open(path) as image:
        image.seek(frame)
        return np.array(image.convert("RGB"))


def enlarged(picture, scale=8):
    return to_uint8(picture[None])[0].repeat(scale, 0).repeat(scale, 1)


def test_a_picture_is_kept_losslessly_and_enlarged_by_whole_pixels():
    path = keep({"a": PICTURES[0]}, "a red apple")
    assert path == Path("gallery", "0001 a red apple.png")
    assert (pixels(path) == enlarged(PICTURES[0])).all()  # 32 pixels become 256


def test_columns_stand_side_by_side_and_those_that_look_alike_once():
    path = keep({"so far": PICTURES[0], "clean": PICTURES[0], "other": PICTURES}, "a")
    kept = pixels(path)
    assert (kept[:256, :256] == enlarged(PICTURES[0])).all()
    assert (kept[:, 256:260] == 128).all()  # the gap
    assert kept.shape == (260, 260 + 260, 3)  # 2 x 2 of 32 pixels and one between, times 4


def test_an_animation_holds_every_step_and_shows_the_finished_one_where_nothing_moves():
    steps = [{"a": picture} for picture in PICTURES]
    path = keep({"a": PICTURES[3]}, "a", steps)
    with Image.open(path) as image:
        assert image.is_animated and image.n_frames == 1 + len(steps) and image.info["loop"] == 0
        waits = [image.seek(i) or image.info["duration"] for i in range(1, 5)]
    assert waits == [700, 400, 400, 2500]
    assert (pixels(path) == enlarged(PICTURES[3])).all()
    for i, picture in enumerate(PICTURES, start=1):
        assert (pixels(path, i) == enlarged(picture)).all()


def test_how_it_was_made_stands_in_the_file():
    path = keep({"a": PICTURES[0]}, "красное\nяблоко", settings={"seed": [7], "style": "noto"})
    assert path.name == "0001 красное яблоко.png"
    with Image.open(path) as image:
        told = image.text
    assert told["Title"] == "красное яблоко" and told["Software"] == "Sculptor of Chaos"
    assert told["Settings"] == "seed: [7]\nstyle: noto" and told["Creation Time"].startswith("20")


@pytest.mark.parametrize(
    "caption, name",
    [
        ("", "0001 picture.png"),
        (" . ", "0001 picture.png"),
        ('../a\\b: "c" <d>? *|\0', "0001 a b c d.png"),
        ("x" * 999, f"0001 {'x' * 50}.png"),
        ("🍎" * 999, f"0001 {'🍎' * 50}.png"),
        ("half an emoji \ud83c", "0001 half an emoji.png"),
    ],
)
def test_a_name_fits_every_disk(caption, name, folder):
    assert keep({"a": PICTURES[0]}, caption).name == name
    assert [path.name for path in (folder / "gallery").iterdir()] == [name]


def test_nothing_is_overwritten(folder):
    first = keep({"a": PICTURES[0]}, "a")
    before = first.read_bytes()
    Path("gallery", "0007 from a friend.png").write_bytes(before)
    assert keep({"a": PICTURES[1]}, "a").name == "0008 a.png"
    assert keep({"a": PICTURES[1]}, "a").name == "0009 a.png"
    first.unlink()
    assert keep({"a": PICTURES[1]}, "a").name == "0010 a.png"  # a number is used once
    assert Path("gallery", "0007 from a friend.png").read_bytes() == before


def test_another_notebook_that_was_faster_loses_nothing(monkeypatch):
    theirs = keep({"a": PICTURES[0]}, "a")
    before = theirs.read_bytes()
    monkeypatch.setattr(gallery, "_files", lambda: [])  # as if theirs came a moment later
    with pytest.raises(ValueError, match="File exists"):
        keep({"a": PICTURES[1]}, "a")
    assert theirs.read_bytes() == before
    assert [path.name for path in Path("gallery").iterdir()] == [theirs.name]


@pytest.mark.parametrize("broken", ["write_bytes", "mkdir", "open"])
def test_a_disk_that_refuses_gets_one_sentence_and_leaves_nothing_half_written(broken, monkeypatch):
    kept = keep({"a": PICTURES[0]}, "a")
    before = kept.read_bytes()

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(Path, broken, full)
        with pytest.raises(
            ValueError, match=r"cannot be written into .* \(No space left on device"
        ):
            keep({"a": PICTURES[1]}, "b")
    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", full)
        with pytest.raises(ValueError, match="No space left on device"):
            keep({"a": PICTURES[1]}, "b")
    assert [path.name for path in Path("gallery").iterdir()] == [kept.name]
    assert kept.read_bytes() == before


def test_a_file_named_gallery_gets_one_sentence(shown):
    Path("gallery").write_text("mine", "utf-8")
    with pytest.raises(ValueError, match="cannot be written into"):
        keep({"a": PICTURES[0]}, "a")
    assert Path("gallery").read_text("utf-8") == "mine"
    assert "Nothing is kept yet" in shown().text


def test_an_empty_gallery_says_what_to_do(shown, folder):
    page = shown()
    assert "Press Keep below a live picture" in page.text and not page.select("img")
    assert not list(folder.iterdir())  # looking makes no folder


def test_the_newest_stands_first_with_its_words_and_a_link_to_its_file(shown):
    keep(
        {"a": PICTURES[0]},
        "an <b>apple",
        settings={"wish": "an <b>apple", "seed": 7, "style": "noto"},
    )
    keep({"a": PICTURES[1]}, "a boat #2 100%", [{"a": picture} for picture in PICTURES])
    page = shown()
    assert [img["alt"] for img in page.select("img")] == ["a boat #2 100%", "an <b>apple"]
    assert page.select("figure p")[1].text == "seed: 7, style: noto"  # the name once
    assert not page.select("b")
    links = page.select("a")
    assert [link.text for link in links] == ["Open the animation", "Open the picture"]
    assert links[0]["href"] == "gallery/0002%20a%20boat%20%232%20100%25.png"
    first, second = (decode(img["src"]) for img in page.select("img"))  # stills
    assert (first == enlarged(PICTURES[1])).all() and (second == enlarged(PICTURES[0])).all()


def test_many_are_counted_and_only_the_newest_drawn(shown):
    path = keep({"a": PICTURES[0]}, "a")
    for number in range(2, 31):
        Path("gallery", f"{number:04d} a.png").write_bytes(path.read_bytes())
    page = shown()
    assert len(page.select("img")) == 24 and "And 6 more in gallery/." in page.text


def test_damaged_files_are_named_and_skipped(shown):
    whole = keep({"a": PICTURES[0]}, "whole", [{"a": picture} for picture in PICTURES])
    content = whole.read_bytes()
    Path("gallery", "0002 cut.png").write_bytes(content[: len(content) // 8])
    Path("gallery", "0003 empty.png").write_bytes(b"")
    Path("gallery", "0004 notes.png").write_text("notes", "utf-8")
    Path("gallery", "0005 folder.png").mkdir()
    page = shown()
    assert [img["alt"] for img in page.select("img")] == ["whole"]
    for name in ("0002 cut.png", "0003 empty.png", "0004 notes.png", "0005 folder.png"):
        assert name in page.text


def test_whatever_byte_is_wrong_the_gallery_is_shown(shown):
    path = keep({"a": PICTURES[0][:, :4, :4]}, "a", settings={"seed": 7})
    content = path.read_bytes()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow's own
        for place in range(0, len(content), 7):
            broken = bytearray(content)
            broken[place] ^= 255
            path.write_bytes(broken)
            assert len(shown().select("img")) in (0, 1)


def test_a_picture_from_elsewhere_is_shown_under_its_name(shown):
    Path("gallery").mkdir()
    Image.new("RGBA", (2000, 1500), (255, 0, 0, 128)).save("gallery/photo.png")
    page = shown()
    assert page.select_one("img")["alt"] == "photo"
    assert decode(page.select_one("img")["src"]).shape == (768, 1024, 3)


@pytest.mark.parametrize(
    "pictures, frames, words",
    [
        ({}, (), "expected pictures as a dict"),
        ({"a": PICTURES[0]}, [{"b": PICTURES[0]}], "expected frames of the columns"),
        ({"a": PICTURES[0]}, [{"a": PICTURES}], "expected frames of the columns"),
        ({"a": PICTURES[0, 0]}, (), r"expected a picture \(C, H, W\)"),
    ],
)
def test_what_does_not_fit_gets_one_sentence(pictures, frames, words, folder):
    with pytest.raises(ValueError, match=words):
        keep(pictures, "a", frames)
    assert not list(folder.iterdir())


def test_the_page_is_accessible(visit, shown, tmp_path):
    keep({"a": PICTURES[0]}, "a red apple", settings={"seed": 7})
    keep({"a": PICTURES[1], "b": PICTURES[2]}, "two", [{"a": PICTURES[0], "b": PICTURES[1]}] * 2)
    page = tmp_path / "gallery.html"
    page.write_text(f"<title>Kept</title><main>{shown()}</main>", "utf-8")
    with visit() as tab:
        tab.page.goto(page.as_uri())
        assert tab.page.get_by_role("img").count() == 2
        tab.page.screenshot(path=tmp_path / "gallery.png")
        check_accessible(tab.page, "main")
        tab.check_quiet()
