"""Live controls: the right picture, the newest request only, one sentence for trouble."""

import asyncio
import html
import re
import sys
import threading
import time
import warnings
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from test_figures import decode, sources

from diffusion_helpers.widgets.controls import (
    Choice,
    Drawing,
    Live,
    Prompt,
    Seed,
    Seeds,
    Slider,
    Switches,
    live,
)
from diffusion_helpers.widgets.figures import to_uint8
from diffusion_helpers.words import PromptWarning, load_words

PICTURE = torch.rand(3, 8, 8, generator=torch.Generator().manual_seed(0)) * 2 - 1


def grey(level):
    return {"grey": torch.full((3, 4, 6), level / 10)}, f"level {level}"


def request(number, *values):
    return {"view": "me", "id": number, "values": list(values)}


def pixels(control, column=0):
    """What the page would draw, (H, W, 3)."""
    (width, height) = control.frame["columns"][column]["size"]
    flat = torch.frombuffer(bytearray(control.frame["pixels"][column]), dtype=torch.uint8)
    rgba = flat.reshape(height, width, 4)
    assert (rgba[..., 3] == 255).all()
    return rgba[..., :3].numpy()


def expected(level):
    return to_uint8(grey(level)[0]["grey"][None])[0]


def test_it_starts_with_what_the_function_draws_at_the_start_values():
    control = live(grey, level=Slider(-10, 10, start=3), alt="grey")
    assert (pixels(control) == expected(3)).all()
    assert control.frame["caption"] == "level 3" and not control.frame["trouble"]
    assert control.spec["parts"][0]["label"] == "level"


def test_a_request_is_answered_with_its_picture_and_its_number():
    control = live(grey, level=Slider(-10, 10, start=3), alt="grey")
    control._hear(control, request(7, -4), [])
    assert (pixels(control) == expected(-4)).all()
    assert (control.frame["view"], control.frame["id"], control.frame["done"]) == ("me", 7, True)


def test_a_value_beyond_the_end_of_a_slider_is_its_end():
    control = live(grey, level=Slider(-10, 10, start=3), alt="grey")
    control._hear(control, request(1, 99), [])
    assert control.frame["caption"] == "level 10"


def test_only_the_newest_of_many_requests_is_computed():
    seen = []

    def draw(level):
        seen.append(level)
        time.sleep(0.02)
        return grey(level)

    control = live(draw, level=Slider(0, 30, start=0), alt="grey")

    async def fast_hand():
        for level in range(1, 31):  # thirty moves arrive while the first is being computed
            control._hear(control, request(level, level), [])
        await control._worker

    asyncio.run(fast_hand())
    assert seen == [0, 30]
    assert control.frame["caption"] == "level 30" and control.frame["id"] == 30


def test_no_request_is_lost_between_the_two_threads_that_jupyterlab_asks_in():
    control = live(grey, level=Slider(0, 10, start=0), alt="grey")
    barrier = threading.Barrier(2)

    def ask(numbers):
        async def hand():
            for number in numbers:
                await asyncio.to_thread(barrier.wait)  # both in the same moment
                control._hear(control, request(number, number % 10), [])
            while control.frame["id"] != 599 and time.monotonic() < deadline:
                await asyncio.sleep(0.01)

        asyncio.run(hand())

    deadline = time.monotonic() + 20
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        threads = [threading.Thread(target=ask, args=[range(i, 600, 2)]) for i in (0, 1)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(before)
    assert (control.frame["id"], control.frame["caption"]) == (599, "level 9")


def test_an_older_request_that_comes_last_is_not_drawn():
    control = live(grey, level=Slider(-10, 10, start=3), alt="grey")
    control._hear(control, request(2, 5), [])
    control._hear(control, request(1, 4), [])
    assert (control.frame["id"], control.frame["caption"]) == (2, "level 5")
    control._hear(control, request(1, 4) | {"view": "another"}, [])
    assert control.frame["caption"] == "level 4"


def test_after_an_interrupt_it_draws_again():
    def draw(level):
        if level == 5:
            raise KeyboardInterrupt
        return grey(level)

    control = live(draw, level=Slider(0, 10, start=3), alt="grey")
    with pytest.raises(KeyboardInterrupt):
        control._hear(control, request(1, 5), [])
    control._hear(control, request(2, 6), [])
    assert control.frame["caption"] == "level 6"


def test_a_slow_drawing_is_left_when_a_newer_request_arrives():
    shares = []

    def slowly(level):
        for step in range(1, 11):
            shares.append((level, step))
            yield *grey(level), step / 10

    control = live(slowly, level=Slider(0, 9, start=0), alt="grey")
    assert len(shares) == 10  # the start picture is drawn to its end
    shares.clear()

    async def impatient():
        control._hear(control, request(1, 1), [])
        await asyncio.sleep(0.005)
        control._hear(control, request(2, 2), [])
        await control._worker

    asyncio.run(impatient())
    assert (2, 10) in shares and (1, 10) not in shares
    assert control.frame["id"] == 2 and control.frame["done"] and control.frame["share"] == 1


def test_a_drawing_that_never_says_it_is_complete_is_still_answered():
    def half(level):
        yield *grey(level), 0.5

    control = live(half, level=Slider(0, 9, start=0), alt="grey")
    control._hear(control, request(4, 1), [])
    assert control.frame["done"] and control.frame["id"] == 4


@pytest.mark.parametrize(
    "error, words",
    [
        (ValueError("expected a\n picture"), "expected a picture"),
        (ZeroDivisionError("division by zero"), "ZeroDivisionError: division by zero"),
        (AssertionError(), "AssertionError: no reason given"),
    ],
)
def test_an_error_becomes_one_sentence_and_the_picture_stays(error, words):
    def moody(level):
        if level == 5:
            raise error
        return grey(level)

    control = live(moody, level=Slider(0, 9, start=2), alt="grey")
    control._hear(control, request(1, 5), [])
    assert control.frame["trouble"] == words and control.frame["done"]
    assert (pixels(control) == expected(2)).all()
    control._hear(control, request(2, 6), [])
    assert control.frame["trouble"] == "" and control.frame["caption"] == "level 6"


def test_an_error_at_the_start_is_the_cells_own():
    with pytest.raises(ZeroDivisionError):
        live(lambda level: 1 / level, level=Slider(0, 9, start=0), alt="never drawn")


def test_a_drawing_comes_back_as_it_was_put_on_the_board():
    got = []

    def keep(board):
        got.append(board)
        return {"board": board}, "as drawn"

    control = live(keep, board=Drawing(PICTURE), alt="a board")
    assert (pixels(control) == to_uint8(PICTURE[None])[0]).all()
    control._hear(control, request(1, None), [memoryview(control.spec["parts"][0]["start"])])
    torch.testing.assert_close(got[1], PICTURE, atol=1 / 127, rtol=0)
    control._hear(control, request(2, None), [b"too short"])
    assert control.frame["trouble"] == "expected a drawing of 8 x 8 pixels"


def test_each_control_gives_the_function_the_value_that_it_stands_for():
    got = []

    def keep(**values):
        got.append(values)
        return grey(1)

    def draw(steps, share, sampler, bridges, seed, spell):
        return keep(
            steps=steps, share=share, sampler=sampler, bridges=bridges, seed=seed, spell=spell
        )

    control = live(
        draw,
        steps=Slider(1, 50, start=20),
        share=Slider(0, 1, start=0.5, step=0.1),
        sampler=Choice({"DDPM": len, "DDIM": max}, start="DDIM"),
        bridges=Switches(("top", "middle"), start=("top",)),
        seed=Seed(3),
        spell=Prompt("a cat"),
        alt="all of them",
    )
    start = {"steps": 20, "share": 0.5, "sampler": max, "bridges": ("top",), "seed": 3}
    start["spell"] = "a cat"
    control._hear(control, request(1, 7, 0.3, 0, [False, True], 12, "ко́т"), [])
    moved = {"steps": 7, "share": 0.3, "sampler": len, "bridges": ("middle",), "seed": 12}
    moved["spell"] = "ко́т"
    assert got == [start, moved]
    assert [type(v) for v in got[1].values()][:2] == [int, float]


VALUES = st.lists(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(), st.just([True])),
    max_size=7,
)


@given(VALUES, st.lists(st.binary(max_size=300), max_size=2))
@settings(deadline=None, max_examples=60)
def test_whatever_arrives_there_is_a_picture_or_one_sentence(values, buffers):
    def draw(level, word, switches, seed, spell, board):
        return {"board": board}, f"{level} {word} {switches} {seed} {spell}"

    control = live(
        draw,
        level=Slider(0, 9, start=1),
        word=Choice(["a", "b"]),
        switches=Switches(("x",)),
        seed=Seed(),
        spell=Prompt("", longest=5),
        board=Drawing(PICTURE),
        alt="a board",
    )
    control._hear(control, {"view": "me", "id": 1, "values": values}, buffers)
    assert control.frame["done"] and "\n" not in control.frame["trouble"]
    assert control.frame["trouble"] or re.match(r"\d (a|b) \(", control.frame["caption"])


@pytest.mark.parametrize(
    "make, words",
    [
        (lambda: Slider(0, 9, start=10), "expected first <= start <= last"),
        (lambda: Slider(0, 9, start=1, step=0), "step above 0"),
        (lambda: Choice([]), "expected start among"),
        (lambda: Choice(["a"], start="b"), "expected start among"),
        (lambda: Switches(("a",), start=("b",)), "expected start among"),
        (lambda: Prompt(7), "expected text of at most 200 letters, got 7"),
        (lambda: Prompt("too long", longest=5), "expected text of at most 5 letters"),
        (lambda: Drawing(torch.zeros(3, 4, 5)), "expected a square picture"),
        (lambda: Drawing(torch.zeros(1, 4, 4)), "expected a square picture"),
        (lambda: Drawing(torch.full((3, 4, 4), float("nan"))), "NaN"),
        (lambda: live(grey, alt=" ", level=Slider(0, 9, start=1)), "expected alt"),
        (lambda: live(grey, alt="grey", seed=Seed()), "expected one control for each parameter"),
        (lambda: live(grey, alt="grey"), "expected one control for each parameter"),
    ],
)
def test_what_does_not_fit_is_refused_in_one_sentence(make, words):
    with pytest.raises(ValueError, match=words):
        make()


def test_a_prompt_that_is_too_long_gets_one_sentence_and_the_picture_stays():
    control = live(lambda spell: (grey(len(spell))[0], spell), spell=Prompt("a"), alt="grey")
    before = pixels(control)
    control._hear(control, request(1, "z" * 201), [])
    assert control.frame["trouble"].startswith("expected text of at most 200 letters, got 'zzz")
    assert len(control.frame["trouble"]) < 120 and (pixels(control) == before).all()


def test_the_still_shows_the_picture_with_its_words_and_says_how_to_wake_it():
    control = live(lambda t: (grey(t)[0], "<b>t & co</b>"), t=Slider(0, 9, start=4), alt='a "grey"')
    page = control.static_image()
    assert (decode(sources(page)[0])[::64, ::64] == expected(4)).all()
    assert html.escape("<b>t & co</b>") in page and "<b>" not in page
    assert f'alt="grey: {html.escape("<b>t & co</b>")}"' in page
    assert "When this cell runs in a notebook" in page


def test_it_is_shown_alive_and_as_a_still(monkeypatch):
    shown = []
    keep = lambda data, **_: shown.append(data)  # noqa: E731
    monkeypatch.setattr("diffusion_helpers.widgets.controls.display", keep)
    control = live(grey, level=Slider(0, 9, start=1), alt="grey")
    assert isinstance(control, Live)
    control._ipython_display_()
    widget, still = shown
    assert widget["application/vnd.jupyter.widget-view+json"]["model_id"] == control.model_id
    assert still.data == control.static_image()


def test_what_a_prompt_says_in_vain_stands_in_the_caption():
    def hear(spell):
        for share in (0.5, 1):
            load_words().encode(spell)
            warnings.warn("another matter", stacklevel=1)
            yield {"grey": torch.zeros(3, 8, 8)}, "heard", share

    with pytest.warns(UserWarning, match="another matter"):
        control = live(hear, spell=Prompt("a kroketodile <b>"), alt="A grey square")
    said = control.frame["caption"]
    assert said.startswith("heard. I do not know the word 'kroketodile'"), said
    assert said.count("kroketodile") == 1 and "another matter" not in said
    with pytest.warns(UserWarning, match="another matter"):
        control._hear(control, request(1, "a red apple"), [])
    assert control.frame["caption"] == "heard" and not control.frame["trouble"]


def hear(spell, unwanted):
    load_words().encode([spell, unwanted])
    return {"grey": torch.zeros(3, 8, 8)}, "heard"


def test_for_an_unknown_word_the_page_gets_the_likeliest_known_one():
    control = live(hear, spell=Prompt("a gitar"), unwanted=Prompt("a cat"), alt="A grey square")
    assert control.frame["offers"] == [["gitar", "guitar"]]
    assert "'gitar'; similar words I know: guitar" in control.frame["caption"]
    spell = "elefant xqzwvk ☢ pizzza rokcet"
    control._hear(control, request(1, spell, "a buterfly"), [])
    pairs = [["elefant", "elephant"], ["pizzza", "pizza"], ["rokcet", "rocket"]]
    assert control.frame["offers"] == pairs  # the first three: a page has room for no more
    control._hear(control, request(2, "a red apple", ""), [])
    assert control.frame["offers"] == []


def test_a_still_says_what_is_not_heard_and_has_no_button():
    control = live(hear, spell=Prompt("gitar"), unwanted=Prompt(":)"), alt="A grey square")
    page = control.static_image()
    assert "similar words I know: guitar" in page and "<button" not in page
    assert "Nothing in this prompt is heard" in page


def test_what_another_thread_hears_is_its_own():
    """A cell that runs while a control draws still warns, and the control keeps its sentences."""
    drawing, said = threading.Event(), threading.Event()

    def hear(spell):
        load_words().encode(spell)
        drawing.set()
        assert said.wait(30)
        return {"grey": torch.zeros(3, 8, 8)}, "heard"

    controls = []
    show = lambda: controls.append(live(hear, spell=Prompt("kroketodile"), alt="A grey square"))  # noqa: E731
    thread = threading.Thread(target=show)
    with pytest.warns(PromptWarning, match="aardwolfish"):
        thread.start()
        assert drawing.wait(30)
        load_words().encode("aardwolfish")
        said.set()
        thread.join()
    assert "kroketodile" in controls[0].frame["caption"]
    assert "aardwolfish" not in controls[0].frame["caption"]


# ---- four at once, and what is kept -------------------------------------------------------------


def test_seeds_give_one_or_four_in_a_row():
    seeds = Seeds(7)
    assert seeds.spec() == {"kind": "seeds", "start": [7, False], "last": 2**31 - 1}
    assert seeds.read([7, False], None) == [7] and seeds.read([7, True], None) == [7, 8, 9, 10]
    for wrong in (7, [7], [7, 1], ["7", True], [-1, True], [7, True, True], None):
        with pytest.raises(ValueError, match="seed"):
            seeds.read(wrong, None)


def creation(wish, style, seeds):
    for i in (1, 2, 3):
        yield {"so far": torch.full((len(seeds), 3, 4, 4), i / 3)}, f"{wish}, step {i} of 3", i / 3


@pytest.fixture
def creating(tmp_path, monkeypatch):
    """A control that creates in three steps, in an empty folder, and what it tells the page."""
    monkeypatch.chdir(tmp_path)
    style = Choice({"any": None, "noto": "noto"}, start="noto")
    control = live(creation, wish=Prompt("a cat"), style=style, seeds=Seeds(), alt="a creation")
    control.told = []
    monkeypatch.setattr(control, "send", control.told.append)
    return control


def keep_it(control):
    control._hear(control, {"view": "me", "keep": True}, [])
    return control.told.pop()


def test_what_is_shown_is_kept_with_its_steps_and_its_settings(creating):
    assert keep_it(creating) == {"view": "me", "kept": "Kept: gallery/0001 a cat.png"}
    creating._hear(creating, request(1, "кот", 0, [5, True]), [])
    assert keep_it(creating)["kept"] == "Kept: gallery/0002 кот.png"
    with Image.open("gallery/0002 кот.png") as image:
        assert image.n_frames == 1 + 3  # the finished one, and the three steps
        assert image.text["Settings"] == "wish: кот\nstyle: any\nseeds: 5, 6, 7, 8"
        assert image.size == (9 * 28, 9 * 28)  # two by two, with a pixel between


def test_without_a_prompt_the_caption_is_the_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    control = live(grey, level=Slider(-10, 10, start=3), alt="grey")
    monkeypatch.setattr(control, "send", lambda told: None)
    control._hear(control, request(1, 5), [])
    control._hear(control, {"keep": True}, [])
    assert [path.name for path in Path("gallery").iterdir()] == ["0001 level 5.png"]


def test_what_the_disk_says_is_told_and_the_picture_stays(creating):
    Path("gallery").write_text("a file in the way", "utf-8")
    before = creating.frame
    told = keep_it(creating)
    assert told["view"] == "me" and told["kept"].startswith("the picture cannot be written into")
    assert creating.frame == before


def test_while_a_picture_is_computed_what_is_shown_is_kept(creating):
    seen = []

    async def impatient():
        creating._hear(creating, request(1, "a dog", 1, [0, False]), [])
        while not creating.frame["caption"].startswith("a dog, step 2"):
            await asyncio.sleep(0)
        seen.append(keep_it(creating)["kept"])
        await creating._worker

    asyncio.run(impatient())
    assert seen == ["Kept: gallery/0001 a dog.png"]
    with Image.open("gallery/0001 a dog.png") as image:
        assert image.n_frames == 1 + 2
    assert creating.frame["caption"] == "a dog, step 3 of 3" and creating.frame["done"]
