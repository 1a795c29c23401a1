"""The scrubber's page: right frames, right words, safe, and a picture even without its script."""

import json
import re
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from test_figures import decode, sources

from diffusion_helpers.widgets.figures import to_uint8
from diffusion_helpers.widgets.scrubber import scrub_steps, scrubber

FRAMES = 7


def pictures(*shape, seed=0):
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed)) * 2 - 1


def data_of(page):
    """What the page's script works on."""
    return json.loads(re.search(r"const data = (\{.*\});", page)[1])


def frame_of(data, frame, column=0, choice=0):
    """Cut one frame from the sprite, as the browser does."""
    sprite = decode(data["choices"][choice]["sprites"][column])
    width, height = data["sizes"][column]
    row, place = divmod(frame, data["across"])
    return sprite[row * height : (row + 1) * height, place * width : (place + 1) * width]


def test_every_frame_lies_in_the_sprite_where_the_script_looks():
    track = pictures(FRAMES, 3, 8, 6)
    data = data_of(scrubber({"x_t": track}, list("abcdefg")).page)
    for frame, expected in enumerate(to_uint8(track)):
        assert np.array_equal(frame_of(data, frame), expected)


def test_a_thousand_frames_stay_within_what_browsers_draw():
    data = data_of(scrubber({"x_t": torch.zeros(1000, 1, 32, 32)}, ["."] * 1000).page)
    assert max(decode(data["choices"][0]["sprites"][0]).shape) == 32 * 32
    with pytest.raises(ValueError, match="show fewer frames"):
        scrubber({"x_t": torch.zeros(1000, 1, 300, 3)}, ["."] * 1000)


def test_a_batch_becomes_a_grid_of_framed_pictures():
    track = pictures(FRAMES, 5, 3, 8, 8)
    data = data_of(scrubber({"x_t": track}, list("abcdefg")).page)
    assert data["sizes"] == [[3 * 9 - 1, 2 * 9 - 1]]  # 5 pictures: 2 rows of 3, the last one empty
    frame = frame_of(data, 3)
    assert np.array_equal(frame[9:17, 9:17], to_uint8(track[3])[4])
    assert (frame[8] == 128).all() and (frame[9:, 18:] == 128).all()  # seen on white and black


def test_a_batch_of_one_is_a_picture():
    track = pictures(FRAMES, 1, 3, 8, 8)
    assert data_of(scrubber({"x": track}, list("abcdefg")).page)["sizes"] == [[8, 8]]


@pytest.mark.parametrize(("start", "shown"), [(None, 6), (0, 0), (3, 3)])
def test_without_its_script_the_page_shows_the_start_frame(start, shown):
    track = pictures(FRAMES, 3, 8, 8)
    page = scrubber({"x_t": track}, list("abcdefg"), start=start, height=80).page
    static = page[: page.index("<script>")]
    (still,) = sources(static)
    assert np.array_equal(decode(still)[::10, ::10], to_uint8(track)[shown])
    caption = "abcdefg"[shown]
    assert f'alt="x_t: {caption}"' in static and f">{caption}</p>" in static
    assert f'value="{shown}"' in static and 'width="80"' in static


def test_nothing_is_left_unescaped():
    evil = "</script><script>alert('x')</script>"
    page = scrubber(
        {evil: {evil: pictures(2, 3, 8, 8)}},
        {evil: [evil, evil]},
        label=evil,
        choice_label=evil,
        alt=f'"{evil}',
    ).page
    assert page.count("<script>") == page.count("</script>") == 1
    assert "alert('" not in page[: page.index("<script>")]
    assert data_of(page)["choices"][0]["captions"] == [evil, evil]  # and yet the words are whole


def test_choices_share_one_slider():
    tracks = {name: {"x_t": pictures(FRAMES, 3, 8, 8, seed=i)} for i, name in enumerate("AB")}
    captions = {name: [f"{name} {i}" for i in range(FRAMES)] for name in "AB"}
    page = scrubber(tracks, captions, choice_label="schedule").page
    assert page.count('type="radio"') == 2 and page.count('type="range"') == 1
    data = data_of(page)
    for choice, name in enumerate("AB"):
        assert np.array_equal(frame_of(data, 2, choice=choice), to_uint8(tracks[name]["x_t"])[2])
        assert data["choices"][choice]["captions"][2] == f"{name} 2"


def test_the_page_depends_only_on_what_it_shows():
    track = pictures(FRAMES, 3, 8, 8)
    first, same = (scrubber({"x_t": track}, list("abcdefg")).page for _ in range(2))
    assert first == same
    assert data_of(first)["id"] != data_of(scrubber({"x_t": -track}, list("abcdefg")).page)["id"]


def test_it_displays_as_html_and_reads_as_text():
    shown = scrubber({"x_t": pictures(FRAMES, 3, 8, 8)}, list("abcdefg"), alt="Seven frames")
    assert shown._repr_html_() == shown.page and repr(shown) == "Scrubber: Seven frames"
    assert "http" not in shown.page  # nothing to fetch


F3 = torch.zeros(3, 3, 8, 8)


@pytest.mark.parametrize(
    ("tracks", "captions", "options", "words"),
    [
        ({}, ["a"], {}, "at least one track"),
        ({"x": F3}, ["a"], {}, "expected 3 captions, one a frame, got 1"),
        ({"x": F3, "y": F3[:2]}, ["a"] * 3, {}, "track 'y' to hold 3 frames .* got 2"),
        (
            {"x": F3[0]},
            ["a"] * 3,
            {},
            r"'x' of floats \(F, C, H, W\).* \(3, 8, 8\)",
        ),
        ({"x": F3[:0]}, [], {}, r"got torch.float32 \(0, 3, 8, 8\)"),
        ({"x": F3 / 0}, ["a"] * 3, {}, "NaN"),
        ({"x": F3}, ["a"] * 3, {"start": 3}, "start is a whole number from 0 to 2, got 3"),
        ({"A": {"x": F3}}, ["a"] * 3, {"choice_label": "c"}, r"captions for the choices \['A'\]"),
        ({"A": {"x": F3}}, {"A": ["a"]}, {"choice_label": "c"}, "3 captions, one a frame of 'A'"),
        (
            {"A": {"x": F3}, "B": {"y": F3}},
            {"A": ["a"] * 3, "B": ["a"] * 3},
            {"choice_label": "c"},
            r"tracks \['x'\] of 'B', got \['y'\]",
        ),
    ],
)
def test_bad_input_gets_one_sentence(tracks, captions, options, words):
    with pytest.raises(ValueError, match=words):
        scrubber(tracks, captions, **options)


def test_scrub_steps_tells_the_story_of_a_sampler():
    steps = [
        SimpleNamespace(t=t, **{name: pictures(1, 3, 8, 8) for name in ("x_t", "clean", "noise")})
        for t in (800, 400, 0)
    ]
    schedule = SimpleNamespace(alpha_bar=torch.linspace(1, 0, 1000))
    data = data_of(scrub_steps(iter(steps), schedule).page)
    assert data["names"] == ["x_t", "predicted clean picture", "predicted noise"]
    captions = data["choices"][0]["captions"]
    assert captions[1] == "step 2 of 3, t = 400, share of noise 40 %"
    assert data_of(scrub_steps(steps).page)["choices"][0]["captions"][2] == "step 3 of 3, t = 0"
    assert captions[3].startswith("the end") and data["start"] == 3
    x_t, clean, _ = (frame_of(data, 3, column) for column in range(3))
    assert np.array_equal(x_t, clean) and np.array_equal(x_t, to_uint8(steps[-1].clean)[0])
    assert data_of(scrub_steps(steps, names=list("acd")).page)["names"] == list("acd")
    for wrong in ([], 3):
        with pytest.raises(ValueError, match="at least one step"):
            scrub_steps(wrong)
    with pytest.raises(ValueError, match="names of 3 columns"):
        scrub_steps(steps, names=["one"])
