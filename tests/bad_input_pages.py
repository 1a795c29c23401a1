"""Figures, scrubbers, controls, predictions and exercises: good ones, and how to spoil them."""

import json
import math
import re
import tempfile
from pathlib import Path
from types import SimpleNamespace
from unittest import mock

import matplotlib.pyplot as plt
import numpy as np
import torch
from bad_input_cases import (
    ANY_TEXT,
    ROOM,
    Case,
    count,
    floats,
    junk,
    mix,
    number,
    odd_floats,
    of_shape,
    one,
    seed,
    text,
    thing,
    together,
    with_holes,
    wrong_floats,
)
from bad_input_pictures import COSINE, NET
from bs4 import BeautifulSoup
from hypothesis import strategies as st
from matplotlib.figure import Figure

from diffusion_helpers import exercises, progress
from diffusion_helpers.sampling import ddim
from diffusion_helpers.training import TrainingResult
from diffusion_helpers.widgets import controls, figures, gallery, training_report
from diffusion_helpers.widgets.controls import (
    Choice,
    Drawing,
    Prompt,
    Seed,
    Seeds,
    Slider,
    Switches,
)
from diffusion_helpers.widgets.scrubber import scrubber

PICTURES = of_shape("B", 3, 4, 5)
FRAMES = of_shape(4, 3, 6, 6)
BOARD = of_shape(3, 4, 4)

# ---- ways to spoil them -------------------------------------------------------------------------


def some_words(good):
    """Words that must not be empty."""
    return mix([junk(but="text"), one("", " ", "\n\t")], [ANY_TEXT.filter(str.strip)])


def any_words(good):
    return mix([], [ANY_TEXT, junk()])


def captions(n, none=True):
    def spoil(good):
        lines = st.lists(ANY_TEXT | one(None, 5, 1.5), min_size=n, max_size=n)
        wrong = st.lists(ANY_TEXT, max_size=9).filter(lambda lines: len(lines) != n)
        return mix(
            [
                junk(but="list array tensor" + " none" * none),
                wrong,
                one("a" * n, {k: "a" for k in range(n)}, torch.tensor(3)),
            ],
            [lines, lines.map(tuple), lines.map(iter)] + [one(None)] * none,
        )

    return spoil


def three_pictures(good):
    """As `floats`, but always three."""
    return mix([*wrong_floats(good), with_holes(good)], odd_floats(good)[:1])


def frames_of_pictures(good):
    """As `floats`; with one axis more they are small grids."""
    return floats(good).filter(lambda s: not torch.is_tensor(s.value) or s.value.ndim != 5)


def arrays(good):
    """Spoiled pictures of bytes (H, W, 3)."""
    return mix(
        [
            junk(),
            one(good.astype(float), good.astype(np.int64), good[..., :1], good[None], good[0]),
            one(good[:0], good[:, :0], torch.from_numpy(good), good.tolist(), good > 9),
        ],
        [one(good[::-1], good.transpose(1, 0, 2), good.repeat(50, 0))],
    )


def figure(good):
    return mix([junk(), one(plt, good.axes[0], "figure")], [one(titled(r"$5 and \$6"), Figure())])


def tracks(good):
    """Spoiled tracks of a scrubber: a dict from a name to frames."""
    frames = good["x"]
    wrong = mix([*wrong_floats(frames), with_holes(frames)]).map(lambda s: {"x": s.value})
    return mix(
        [
            junk(but="dict"),
            one({}, {"x": {}}, {"x": None}, [frames], frames, {"a": {"x": frames}}),
            wrong.filter(lambda t: not torch.is_tensor(t["x"]) or t["x"].ndim != 5),
            one({"x": frames, "y": frames[1:]}, {"x": frames, "y": None}),
            one({"x": frames[:, :2]}, {"x": frames[:, :, :0]}),
        ],
        [
            st.dictionaries(ANY_TEXT | one(5, None), one(frames), min_size=1, max_size=3),
            one({"x": frames, "y": frames[..., 1:]}),
            one({"x": frames.half()}, {"x": frames * 1e30}, {"x": frames[:, None]}),
            one({"x": frames[:, None].expand(-1, 7, -1, -1, -1)}, {"x": frames.clone()[:, :1]}),
        ],
    )


def steps(good):
    first = good[0]
    return mix(
        [
            junk(),
            one([None], [first, None], [SimpleNamespace(t=3)], first, [first._replace(clean=None)]),
            one([first, first._replace(clean=first.clean[:, :, 1:])], [first._replace(x_t="a")]),
            one([first._replace(noise=first.noise / 0)], [first._replace(t=None)]),
            one([first._replace(t="a")], [first._replace(t=math.nan)]),
        ],
        [one(iter(good), tuple(good), good[:1], good * 3)],
    )


def some_steps(good):
    return mix(
        [junk(), one([None], [good[0], None], [SimpleNamespace(t=3)], good[0])],
        [one(iter(good), tuple(good), good[:1], good * 3)],
    )


def schedules(good):
    return mix(
        [junk(but="none"), one(COSINE.alpha_bar, SimpleNamespace(alpha_bar=[1, 0]))],
        [one(None, COSINE, SimpleNamespace(alpha_bar=torch.linspace(1, 0, 1000)))],
    )


def options(good):
    """Words to choose from."""
    return mix(
        [junk(but="list dict"), one([], (), {}, "ab", {"a", "b"}, iter("ab"), None)],
        [
            st.lists(ANY_TEXT, min_size=1, max_size=3),
            st.dictionaries(ANY_TEXT, one(None, 5), min_size=1, max_size=3),
            one([None], [1, 2.5], [[1]], [len], ["a", "a"], [True, 1]),
        ],
    )


def chosen(good):
    return mix([junk(but="none list"), one("c", "A", ["a"])], [one(None, "a", "b")])


def switched(good):
    return mix([junk(but="list"), one("a", ("c",), ["a", "c"], [None], [[]])], [one((), ["a"])])


def board(good):
    return mix(
        [
            *wrong_floats(good),
            with_holes(good),
            one(good[:, 1:], good[:2], good[None], torch.cat([good, good])),
        ],
        [one(good.double(), good.half(), good * 1e9, good.clone().requires_grad_())],
    )


def sent(right, *wrong):
    """What a page may send for a control."""

    def spoil(good):
        return mix(
            [junk(but="whole number flag list text"), one(*wrong)],
            [
                one(*right),
                st.integers(),
                st.floats(),
                ANY_TEXT,
                st.lists(st.booleans(), max_size=3),
            ],
        )

    return spoil


def buffers(good):
    return mix(
        [junk(but="bytes"), one(b"", b"1" * 63, b"1" * 65, bytearray(3))],
        [st.binary(min_size=64, max_size=64), one(memoryview(b"1" * 64), bytearray(64))],
    )


def parts(good):
    return mix([junk(), one("slider", Slider)], [one(Slider(0, 9, start=3), Seed(), Prompt("a"))])


def drawers(good):
    """Functions that draw wrongly."""
    picture = torch.zeros(3, 4, 4)
    wrong = (None, picture, (picture, "a"), ({"a": picture},), ({}, "a"), ({"a": None}, "a"))
    wrong += (({"a": picture / 0}, "a"), ({"a": picture}, "a", 2), ({"a": picture}, "a", "b"))
    wrong += (({"a": picture}, "a", math.nan), ({"a": picture[0]}, "a"), "ab", {"a": picture})
    wrong += (({"a": picture.long()}, "a"), ({"a": picture}, "a", 1, 1), ({5: picture[:2]}, "a"))

    def nothing(level):
        yield from ()

    return mix(
        [junk(but="thing"), one(nothing, lambda other: 1, print, *map(constant, wrong))],
        [
            ANY_TEXT.map(lambda words: constant(({words: picture}, words))),
            ANY_TEXT.map(lambda words: constant([{5: picture[None]}, None, 1])),
        ],
    )


def constant(value):
    return lambda level: value


def requests(good):
    """What a page may send as a whole."""
    anything = st.recursive(
        one(None, True, 0, -1, 2.5, math.nan, "a", "\ud800", 10**30) | ANY_TEXT,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
        max_leaves=5,
    )
    return mix([], [anything, anything.map(lambda v: {"view": "me", "id": 1, "values": v})])


def exercise_names(good):
    return mix([junk(), one("1.1", "01", "01.99", "../01.1", "01.1\n", "०१.1")])


def lesson_names(good):
    return mix(
        [junk(but="none"), one("1", "1.1", "99", "../01", "01.99", "<b>", "01.1 ")], [one(None)]
    )


def lesson_shapes(good):
    """What looks like a lesson may be forgotten, whether it is there or not."""
    return mix([junk(but="none"), one("1", "1.1", "../01", "01\n", "<b>")], [one(None, "99")])


def question_names(good):
    junk_names = one("01.", "1.a", "01.aa", "01.A", "<b>", '01.a"', "01.a\n", "01.z", "99.a", "")
    return mix([junk(), junk_names], [one("07.a")])


# ---- right answers ------------------------------------------------------------------------------

ALLOWED = "script, img, style, canvas, input, button"


def right_html(page, scripts=0):
    """The page holds our own script and nothing that anybody wrote into it."""
    page.encode()  # a page is a file
    soup = BeautifulSoup(page, "html.parser")
    assert len(soup.select("script")) == scripts and not soup.select("svg, iframe, object, embed")
    for tag in soup.find_all():
        assert not any(name.startswith("on") for name in tag.attrs), tag
    for img in soup.select("img"):
        assert re.fullmatch(r"data:image/png;base64,[A-Za-z0-9+/=]+", img["src"])


def shown(call):
    """A function that displays, as one that returns what it displays."""

    def returns(**arguments):
        with mock.patch.object(figures, "display") as display:
            call(**arguments)
        (page,) = display.call_args.args
        return page.data

    return returns


def right_grid(result, images, captions=None, **_):
    right_html(result)
    assert result.count("<img ") == len(images)


def right_bytes(result, images, **_):
    assert result.shape == (len(images), *images.shape[2:], 3) and result.dtype == np.uint8


def right_scrubber(result, *, scripts=1, **_):
    right_html(result.page, scripts)
    repr(result).encode()
    data = re.search(r"const data = (\{.*\});", result.page)[1]
    assert len(json.loads(data)["names"]) >= 1


def right_end(result, **_):
    assert len(result) > 1 and result[-1].t == -1
    assert result[-1].x_t is result[-1].clean is result[-2].clean


def right_still(result, **_):
    right_html(result)


def kept(result, **_):
    """What fits is let through."""


def right_frames(result, track, **_):
    assert len(result) == len(track) and result.dtype == np.uint8 and result.shape[3] == 3


def right_spec(result, **_):
    json.dumps(result.spec() | {"start": None}, allow_nan=False).encode()


def right_live(result, **_):
    right_html(result.static_image())
    sent_to_page = {"alt": result.spec["alt"], "caption": result.frame["caption"]}
    json.dumps(sent_to_page, ensure_ascii=False).encode()
    assert len(result.frame["pixels"]) == len(result.frame["columns"]) > 0


def right_slide(result, self, value, **_):
    assert self.first <= result <= self.last and type(result) is int


def right_answer_to(result, self, request, **_):
    """Whatever came: an answer that a page can hold, one line, and the picture stays."""
    frame = result.frame
    assert frame["done"] and "\n" not in frame["trouble"] and len(frame["trouble"]) < 400
    json.dumps([frame["trouble"], frame["caption"]], ensure_ascii=False).encode()
    right_html(result.static_image())


def right_report(result, **_):
    right_html(result)


def right_fragment(result, scripts=1, **_):
    right_html(result._repr_html_(), scripts)
    repr(result).encode()


# ---- the table ----------------------------------------------------------------------------------


def titled(title):
    fig = Figure(figsize=(1, 1))
    fig.add_subplot().set_title(title)
    return fig


def hear(self, request, buffers=()):
    self._hear(self, request, list(buffers))
    return self


def level_control():
    return controls.live(
        lambda level, spell: ({"grey": torch.full((3, 4, 4), level / 10)}, spell),
        level=Slider(0, 9, start=3),
        spell=Prompt("a"),
        alt="grey",
    )


def reported(run, share, model, **made):
    report = training_report.LiveReport(**{"n": 1, "steps": 1} | made)
    with mock.patch.object(training_report, "display") as display:
        report(run, share, model)
    (page,) = display.call_args.args
    return page.data


def at_home(function, *args, **kw):
    """Call what writes the progress file, in a folder of its own."""
    home = tempfile.mkdtemp(dir=ROOM)
    with mock.patch.object(progress, "FILE", str(Path(home, progress.FILE))):
        result = function(*args, **kw)
        progress.state("01.1")  # what was written can be read
    assert not list(Path(home).glob("*.damaged"))
    return result


def judged(function, name="01.1"):
    return exercises.find(name).judge(function)


def raising(words):
    def stop(*args, **kw):
        raise RuntimeError(words)

    return stop


def in_gallery(function, *args, **kw):
    """Call what writes into the gallery, in a folder of its own."""
    home = tempfile.mkdtemp(dir=ROOM)
    with mock.patch.object(gallery, "FOLDER", home):
        result = function(*args, **kw)
        right_html(gallery_page())
    return result


def gallery_page():
    with mock.patch.object(gallery, "display") as display:
        gallery.show_gallery()
    (page,) = display.call_args.args
    return page.page


def kept_pictures(good):
    """What may stand in a dict of pictures."""
    picture = good["a"]
    wrong = (picture[0], picture.long(), picture / 0, picture[:2], picture[:0], None, "a", 5)
    return mix(
        [junk(), one({}, [picture], picture), one(*({"a": w} for w in wrong))],
        [one({"a": picture * 9, 5: picture[None]}, {"a": figures.to_uint8(picture[None])[0]})],
    )


def stories(good):
    picture = good[0]["a"]
    return mix(
        [junk(but="list"), one([None], [{}], [{"b": picture}], [{"a": picture[:, 1:]}], good[0])],
        [one([], (), good, good * 2, [good[0] | {"b": picture}])],
    )


STEPS = list(ddim(NET, torch.zeros(2, 3, 8, 8), steps=2))
LINES = ["one", "two", "three", "four"]
ARRAY = one(np.arange(60, dtype=np.uint8).reshape(4, 5, 3))

FIGURES = [
    Case(
        "widgets.figures.show",
        together(fig=st.builds(titled, one("a", "b")), alt=one("a figure")),
        right_still,
        {"fig": figure, "alt": some_words},
        shown(figures.show),
    ),
    Case(
        "widgets.figures.show_pictures",
        together(images=of_shape(3, 3, 4, 5), alt=one("pictures"), columns=one(1, 8)),
        right_grid,
        {
            "images": lambda good: mix(
                [*wrong_floats(good), with_holes(good)], odd_floats(good)[:1]
            ),
            "alt": some_words,
            "captions": captions(3),
            "columns": count(),
            "height": count(),
        },
        shown(figures.show_pictures),
    ),
    Case(
        "widgets.figures.show_pictures",
        together(images=of_shape(3, 3, 4, 5), alt=one("pictures"), columns=one(1)),
        right_grid,
        {"rows": captions(3)},
        shown(figures.show_pictures),
    ),
    Case(
        "widgets.figures.feature_maps",
        together(features=of_shape(4, 4, 8), n=one(1, 4), size=one(8, 16)),
        lambda result, n, size, **_: right_bytes(figures.to_uint8(result), images=result),
        {"features": lambda good: mix([*wrong_floats(good)]), "n": count(), "size": count()},
    ),
    Case("widgets.figures.to_uint8", together(images=PICTURES), right_bytes, {"images": floats}),
    Case(
        "widgets.figures.png_data_uri",
        together(array=ARRAY),
        lambda result, array: right_html(f'<img src="{result}">'),
        {"array": arrays},
    ),
    Case(
        "widgets.figures.check_alt",
        together(alt=one("a")),
        lambda result, alt: None,
        {"alt": some_words},
    ),
    Case("widgets.figures.check_bytes", together(array=ARRAY), kept, {"array": arrays}),
    Case(
        "widgets.figures.check_captions",
        together(captions=one(["a", "b"]), n=one(2), each=one("a picture")),
        lambda result, n, **_: [line.encode() for line in result],
        {"captions": captions(2, none=False)},
    ),
    Case(
        "widgets.figures.escape",
        together(words=ANY_TEXT),
        lambda result, words: right_html(f"<p title=\"{result}\" alt='{result}'>{result}</p>"),
        {"words": any_words},
    ),
    Case(
        "widgets.gallery.keep",
        together(
            pictures=one({"a": torch.zeros(3, 4, 4)}),
            caption=one("a red apple"),
            frames=one([{"a": torch.ones(3, 4, 4)}, {"a": torch.zeros(3, 4, 4)}]),
        ),
        lambda result, **_: result.name.encode(),
        {
            "pictures": kept_pictures,
            "caption": lambda good: mix([junk(but="text")], [ANY_TEXT]),
            "frames": stories,
            "settings": lambda good: mix(
                [junk(but="none dict")], [st.dictionaries(ANY_TEXT, ANY_TEXT), one({5: {"a": 1}})]
            ),
        },
        lambda **arguments: in_gallery(gallery.keep, **arguments),
    ),
    Case(
        "widgets.gallery.one_line",
        together(words=ANY_TEXT),
        lambda result, words: "\n" not in result.encode().decode() or 1 / 0,
        {"words": any_words},
    ),
    Case(
        "widgets.html.as_html",
        together(text=ANY_TEXT),
        lambda result, text: right_html(f"<p>{result}</p>"),
        {"text": any_words},
    ),
    Case(
        "widgets.html.as_frames",
        together(track=FRAMES, name=one("x")),
        right_frames,
        {"track": frames_of_pictures, "name": any_words},
    ),
    Case(
        "widgets.html.static_image",
        together(name=one("x"), picture=ARRAY, caption=one("a"), height=one(1, 256)),
        right_still,
        {"name": any_words, "picture": arrays, "caption": any_words, "height": count()},
    ),
    Case(
        "widgets.training_report.LiveReport",
        together(run=one(TrainingResult([1.0, 0.5], 3.0)), share=one(0.1, 1), model=one(NET)),
        right_report,
        {
            "n": count(),
            "height": count(),
            "share": number(1e-9, 1),
            "model": thing(),
            "run": lambda good: mix(
                [junk(), one(TrainingResult())], [one(TrainingResult([math.nan], 1.0))]
            ),
            "sampler": thing(but="thing"),
            "steps": count(1, 1000),
            "seed": seed,
            "prompt": lambda good: mix([junk(but="none"), one("a cat", ["dog"])]),  # NET is deaf
        },
        reported,
    ),
]

SCRUBBERS = [
    Case(
        "widgets.scrubber.scrubber",
        together(tracks=FRAMES, captions=one(LINES), label=one("step"), height=one(1, 99)).map(
            lambda a: a | {"tracks": {"x": a["tracks"]}}
        ),
        right_scrubber,
        {
            "tracks": tracks,
            "captions": captions(4, none=False),
            "label": text,
            "start": count(0, 3, none=True),
            "height": count(),
            "alt": lambda good: text(good, but="none"),
        },
        scrubber,
    ),
    Case(
        "widgets.scrubber.scrubber",
        together(tracks=FRAMES, words=ANY_TEXT, choice_label=one("schedule")).map(
            lambda a: {
                "tracks": {a["words"]: {"x": a["tracks"]}, "B": {"x": a["tracks"]}},
                "captions": {a["words"]: LINES, "B": LINES},
                "choice_label": a["choice_label"],
            }
        ),
        right_scrubber,
        {
            "choice_label": lambda good: mix([junk(but="text")], [ANY_TEXT]),
            "captions": lambda good: mix([junk(), one(LINES, {"B": LINES}, {5: LINES})]),
        },
        scrubber,
    ),
    Case(
        "widgets.scrubber.scrub_steps",
        together(steps=one(STEPS), schedule=one(None, COSINE)),
        right_scrubber,
        {
            "steps": steps,
            "schedule": schedules,
            "names": lambda _: mix([junk(), one([], "abc", ["a", "b"])], [one(["a", "b", "c"])]),
        },
    ),
    Case("sampling.with_end", together(steps=one(STEPS)), right_end, {"steps": some_steps}),
]

CONTROLS = [
    Case(
        "widgets.controls.Slider",
        together(first=one(0, -1.5), last=one(9, 10**6), start=one(1, 2.5), step=one(1, 0.1)),
        right_spec,
        {name: number() for name in ("first", "last", "start", "step")},
    ),
    Case(
        "widgets.controls.Slider.read",
        together(self=one(Slider(0, 9, start=3)), value=one(3, 9, 99), _=one(None)),
        right_slide,
        {"value": sent([1, -(10**30), 1e300, math.inf], True, math.nan, "3", [3])},
    ),
    Case(
        "widgets.controls.Choice",
        together(options=one(["a", "b"], {"a": 1, "b": 2}), start=one(None, "a")),
        right_spec,
        {"options": options, "start": chosen},
    ),
    Case(
        "widgets.controls.Choice.read",
        together(self=one(Choice(["a", "b"])), value=one(0, 1), _=one(None)),
        lambda result, value, **_: result == ["a", "b"][value] or 1 / 0,
        {"value": sent([0], True, 2, -1, 0.0, "a", [0])},
    ),
    Case(
        "widgets.controls.Switches",
        together(options=one(("a", "b")), start=one((), ("a",))),
        right_spec,
        {"options": lambda good: options(good), "start": switched},
    ),
    Case(
        "widgets.controls.Switches.read",
        together(self=one(Switches(("a", "b"))), value=one([True, False]), _=one(None)),
        lambda result, value, **_: result == tuple(w for w, on in zip("ab", value) if on) or 1 / 0,
        {"value": sent([[True, True]], [True], [1, 0], ["a", "b"], "ab", [None, None], [[], []])},
    ),
    Case(
        "widgets.controls.Seed",
        together(start=one(0, 7), last=one(7, 100)),
        right_spec,
        {"start": count(0), "last": count(0, 2**53 - 1)},  # no seed but 0 is a choice, too
    ),
    Case(
        "widgets.controls.Seed.read",
        together(self=one(Seed(3)), value=one(0, 5), _=one(None)),
        lambda result, **_: 0 <= result < 2**31 or 1 / 0,
        {"value": sent([0], True, -1, 2**31, 1.5, "3")},
    ),
    Case(
        "widgets.controls.Seeds",
        together(start=one(0, 7), last=one(7, 100)),
        right_spec,
        {"start": count(0), "last": count(0, 2**53 - 1)},
    ),
    Case(
        "widgets.controls.Seeds.read",
        together(self=one(Seeds(3)), value=one([0, True], [5, False]), _=one(None)),
        lambda result, value, **_: len(result) == (4 if value[1] else 1) or 1 / 0,
        {"value": sent([[2, True]], True, 7, [7], [-1, True], [1.5, False], [1, 1], ["3", True])},
    ),
    Case(
        "widgets.controls.Prompt",
        together(start=one("a cat"), longest=one(5, 200)),
        right_spec,
        {"start": text, "longest": count(5)},
    ),
    Case(
        "widgets.controls.Prompt.read",
        together(self=one(Prompt("a")), value=one("a"), _=one(None)),
        lambda result, **_: len(result) <= 200 or 1 / 0,
        {"value": lambda good: mix([junk(but="text"), one("a" * 201)], [ANY_TEXT])},
    ),
    Case("widgets.controls.Drawing", together(start=BOARD), right_spec, {"start": board}),
    Case(
        "widgets.controls.Drawing.read",
        together(self=one(Drawing(torch.zeros(3, 4, 4))), _=one(None), pixels=one(b"1" * 64)),
        lambda result, **_: result.shape == (3, 4, 4) or 1 / 0,
        {"pixels": buffers},
    ),
    Case(
        "widgets.controls.live",
        together(
            draw=one(constant(({"a": torch.zeros(3, 4, 4)}, "a"))),
            alt=one("a square"),
            height=one(1, 256),
            level=one(Slider(0, 9, start=3)),
        ),
        right_live,
        {"draw": drawers, "alt": some_words, "height": count(), "level": parts},
    ),
    Case(
        "widgets.controls.Live._hear",
        together(
            self=st.builds(level_control), request=one({"view": "me", "id": 1, "values": [1, "a"]})
        ),
        right_answer_to,
        {
            "request": requests,
            "buffers": lambda good: mix([], [st.lists(st.binary(max_size=9), max_size=2)]),
        },
        hear,
    ),
]

PREDICTIONS = [
    Case(
        "widgets.predictions.ask",
        together(name=one("07.a")),
        right_fragment,
        {"name": question_names},
    ),
    Case(
        "widgets.predictions.reveal",
        together(name=one("01.a"), truth=one("half"), measured=one("5 %")),
        right_fragment,
        {
            "name": lambda good: mix([junk(), one("01.y", "<b>", "")]),
            "truth": lambda good: mix([junk(), one("c", "", "Half", "about half")]),
            "measured": lambda good: mix([one("", " ")], [ANY_TEXT.filter(str.strip), one(5, 2.5)]),
        },
    ),
    Case(
        "exercises.questions.find",
        together(name=one("01.a")),
        lambda result, name: result.name == name or 1 / 0,
        {"name": question_names},
    ),
    Case(
        "exercises.questions.of_lesson",
        together(number=one("01", "08")),
        lambda result, **_: all(len(q.options) > 1 for q in result.values()) or 1 / 0,
        {"number": lambda good: mix([junk(), one("1", "../01", "01.a", "०१")], [one("99")])},
    ),
    Case(
        "exercises.card.card",
        together(lesson=one("01", None)),
        lambda result, **_: right_fragment(result.still(), scripts=0),
        {"lesson": lesson_names},
    ),
    Case(
        "exercises.find",
        together(name=one("01.1")),
        lambda result, name: result.name == name or 1 / 0,
        {
            "name": lambda good: mix(
                [junk(), one("1.1", "01", "01.99", "../01.1", "01.1\n", "०१.1")]
            )
        },
    ),
    Case(
        "exercises.exercise",
        together(name=one("01.1")),
        lambda result, name: callable(result) or 1 / 0,
        {
            "name": lambda good: mix(
                [junk(), one("1.1", "01", "01.99", "../01.1", "01.1\n", "०१.1")]
            )
        },
    ),
    Case(
        "exercises.whose",
        together(function=one(len)),
        lambda result, function: result in ("yours", "ours") or 1 / 0,
        {"function": lambda good: mix([junk()], [one(len, int, print)])},
    ),
    Case(
        "exercises.hint",
        together(name=one("01.1"), number=one(1, 2, 3)),
        kept,
        {"name": any_words, "number": any_words},
    ),
    Case(
        "exercises.of_lesson",
        together(number=one("01", "08")),
        lambda result, number: len(result) > 0 or 1 / 0,
        {"number": lambda good: mix([junk(), one("1", "../01", "01.1")])},
    ),
    Case(
        "progress.state",
        together(name=one("01.1")),
        lambda result, name: sorted(result) == ["hints", "right"] or 1 / 0,
        {"name": any_words},
        lambda name: at_home(progress.state, name),
    ),
    Case(
        "progress.note",
        together(name=one("01.1"), right=one(True)),
        kept,
        {
            "name": lambda good: mix([junk(but="text")], [ANY_TEXT]),
            "right": lambda good: mix([junk(but="flag")], [one(True, False)]),
            "hints": lambda good: mix([junk(but="whole"), one(True)], [one(0, 2)]),
            "other": lambda good: mix([junk()]),
        },
        lambda name, **news: at_home(progress.note, name, **news),
    ),
    Case(
        "progress.reset",
        together(lesson=one("01", None)),
        kept,
        {"lesson": lesson_shapes},
        lambda lesson: at_home(progress.reset, lesson),
    ),
    Case(
        "exercises.parse_choice",
        together(got=one("a"), words=one(["a", "b"])),
        lambda result, got, words: len(result) == 2 or 1 / 0,
        {"got": any_words},
    ),
    Case(
        "exercises.no_number",
        together(got=one(1.0), what=one("it")),
        lambda result, **_: result is None or "\n" not in result or 1 / 0,
        {"got": any_words},
    ),
    Case(
        "exercises.no_tensor",
        together(got=one(torch.zeros(2)), shape=one((2,))),
        lambda result, **_: result is None or "\n" not in result or 1 / 0,
        {"got": any_words},
    ),
    Case(
        "exercises.Exercise.judge",
        together(function=one(lambda *a: None)),
        lambda result, **_: result is None or ("\n" not in result and len(result) < 400) or 1 / 0,
        {
            "function": lambda good: mix(
                [],
                [junk().map(lambda v: lambda *a, **k: v), ANY_TEXT.map(raising), one(len, print)],
            )
        },
        judged,
    ),
]


CASES = FIGURES + SCRUBBERS + CONTROLS + PREDICTIONS
