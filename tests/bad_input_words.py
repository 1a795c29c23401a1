"""Prompts, captions and scenes: good ones, and how to spoil them."""

import re

import torch
from bad_input_cases import (
    ANY_TEXT,
    Case,
    count,
    device,
    finite,
    floats,
    junk,
    level,
    mix,
    one,
    seed,
    seeded_generator,
    text,
    thing,
    together,
    whole_numbers,
    with_holes,
    wrong_floats,
)
from bad_input_pictures import LISTENER, PICTURES, SCENES, rows
from bs4 import BeautifulSoup
from hypothesis import strategies as st

from diffusion_helpers.pocket import STYLES as POCKET_STYLES
from diffusion_helpers.pocket import add_lora, load_pocket, take_lora
from diffusion_helpers.scenes import ATTRIBUTES
from diffusion_helpers.text import MAX_WORDS, STYLES, Text
from diffusion_helpers.words import load_words

WORDS = load_words()
PIPE = load_pocket("cpu")
HEARD = torch.zeros(1, 20, 128)  # a prompt, encoded
DRAWING = torch.where(torch.eye(6) > 0, -1.0, 1.0).expand(3, 6, 6).clone()
SAID = WORDS.encode(["a red apple", "", "кот"], ["noto", None, "fluent"])


def added_and_taken(pipe, rank):
    """What `add_lora` adds, with nothing of it left in PIPE."""
    add_lora(pipe, rank)
    return take_lora(pipe)


# ---- ways to spoil them -------------------------------------------------------------------------


def prompts(good):
    """One prompt, or a list of them."""
    several = st.lists(ANY_TEXT | one(None), min_size=1, max_size=3)
    return mix(
        [
            junk(but="none text list array"),
            one(
                [], [5], [b"cat"], [["cat"]], ["a", 1.5], {"a cat": 1}, {"a", "b"}, [[]], [object()]
            ),
        ],
        [ANY_TEXT, several, several.map(tuple), one(None, [None], ["a cat", None])],
    )


def styles(known):
    def spoil(good):
        return mix(
            [junk(but="none list array"), one("Noto", "noto ", "nоto", [[]], "", [])],
            [one(None, ["noto"] * 7, *known), one(["noto"], [None], ("fluent",))],
        )

    return spoil


def one_style(known):
    def spoil(good):
        return mix([junk(but="none"), one("Noto", "noto ", "", "<b>noto</b>")], [one(None, *known)])

    return spoil


def attributes(least=0, empty=True):
    """Spoiled scenes (n, 7)."""

    def spoil(good):
        wrong = [good.clone() for _ in ATTRIBUTES]
        for column, choices in enumerate(ATTRIBUTES):
            wrong[column][0, column] = choices
        return mix(
            [
                junk(but="tensor"),
                one(*wrong, good - 9, good.float(), good.bool(), good[:, :6], good[0], good[None]),
                one(good.tolist(), good.numpy(), good.to("meta"), good.T[:, :7]),
                one(good[:0]) if empty else st.nothing(),
                one(good * 0 - 1) if least == 0 else st.nothing(),
            ],
            [one(good.int(), good.to(torch.uint8), good.expand(len(good), 7), good.repeat(100, 1))],
        )

    return spoil


def columns(good):
    """Numbers for each of some shapes, (n,)."""
    return mix(
        [
            junk(but="tensor"),
            one(good / 0, good * float("nan"), good.to(torch.complex64), good[None], good[:0]),
            one(torch.cat([good, good]), good.tolist(), good.to("meta")),
        ],
        [one(good.double(), good.half(), good * 1e9, -good, good.long())],
    )


def pictures_of_paint(good):
    return mix(
        [junk(), one(good.float(), good.long(), good[0], good[None], good[:0], good[..., :0])],
        [one(good & False, good | True, ~good, good.repeat(30, 1, 1), good[..., :1])],
    )


def several(good):
    """A list with a list of captions for each picture."""
    return mix(
        [
            junk(),
            one([], [[]], ["a cat"] * 2, [["a"], []], [["a"], None], [["a"], [5]], [["a"]]),
            one([["a"], [None]], [["a"], {"b"}], [["a"], ["b"], ["c"]], {"a": ["a"]}),
        ],
        [st.lists(st.lists(ANY_TEXT, min_size=1, max_size=3), min_size=2, max_size=2)],
    )


def shares(good):
    nan = float("nan")
    return mix(
        [
            junk(but="none"),
            one([], [[1], []], [[1], [-1]], [[1], [nan]], [[1], [0]], [[1], [float("inf")]]),
            one([[1], [1j]], [[1], ["1"]], [[1, 1], [1]], [[1]], [1, 1], [[1], [[1]]]),
        ],
        [one(None, [[1], [2]], [(0.5,), (1e-9,)], [torch.ones(1), [1]], [[True], [1]])],
    )


def small_floats(good):
    """As `floats`, but the batch stays small: decoding takes its time."""
    return mix(
        [*wrong_floats(good), with_holes(good)],
        [one(good.double(), good.half(), good * 1e30, good[..., :-1], torch.cat([good, good]))],
    )


def wrong_latents(good):
    return mix([*wrong_floats(good)])


def wrong_drawing(good):
    return mix([*wrong_floats(good), with_holes(good), one(torch.ones(3, 4, 4))])


# ---- right answers ------------------------------------------------------------------------------


def right_words(result, prompt):
    assert isinstance(result, list)
    for word in result:
        assert word and not set(word) & set(" _'’<>&\"\n\x00")


def right_numbers(result, self, prompt):
    assert len(result) == MAX_WORDS and all(0 <= n < len(WORDS.vectors) for n in result)


def right_unknown(result, self, prompt, n=3):
    assert all(word not in WORDS.rows and len(near) <= n for word, near in result.items())


def right_text(result, self, prompts, styles=None):
    """Each prompt says what it says alone."""
    finite(result.vectors)
    n = max(len(x) if isinstance(x, (list, tuple)) else 1 for x in (prompts, styles))
    assert result.vectors.shape == (n, MAX_WORDS, 128) and result.mask.shape == (n, MAX_WORDS)
    assert result.styles.shape == (n,) and not result.vectors[~result.mask].any()
    listed = list(prompts) if isinstance(prompts, (list, tuple)) else [prompts] * n
    last = WORDS.row_numbers(listed[-1] or "")
    assert torch.equal(result.vectors[-1], WORDS.vectors[torch.tensor(last)])


def is_text(n):
    def right(result, **arguments):
        assert isinstance(result, Text)
        assert len(result) == (n(**arguments) if callable(n) else n)
        assert len(result.vectors) == len(result.mask) == len(result.styles)

    return right


def right_said(result, prompt=None, style=None, **_):
    finite(result)
    n = max(len(x) if isinstance(x, (list, tuple)) else 1 for x in (prompt, style))
    assert result.shape == (n, 3, 8, 8) and result.abs().max() <= 1


def right_sentences(result, attributes, language="en"):
    assert len(result) == len(attributes) and len(set(result)) <= len(attributes)
    assert all(re.fullmatch(r"[\w ]{20,}", line) for line in result)


def right_scenes(result, n, unseen=False, **_):
    finite(result.images)
    assert result.images.shape == (n, 3, 32, 32) and result.attributes.shape == (n, 7)


def right_ink(result, x, y, half, shape):
    finite(result)
    assert result.shape == (len(x), 1, 32, 32) and 0 <= result.min() <= result.max() <= 1


def right_spell(result, pipe, words, style=None):
    assert result.endswith(f", {style}" if style else "")
    tokens = PIPE.tokenizer(result).input_ids
    assert len(tokens) <= PIPE.tokenizer.model_max_length


def right_page(result, source, **_):
    """Whatever a formula or escaped text holds stays text."""
    page = BeautifulSoup(result, "html.parser")
    assert not page.select("script, img, svg, iframe, object, embed, style, link, meta")
    assert not any(name.startswith("on") for tag in page.find_all() for name in tag.attrs)


def in_formula(words):
    """Markdown with words where they must not become HTML: escaped, in code and in formulas."""
    import html

    safe = html.escape(words)
    code = words.replace("`", "'").replace("\n", " ").replace("\r", " ")
    tex = code.replace("$", "")
    return one(
        safe,
        f"``` \n{code}\n```",
        f"<details><summary>{safe}</summary>\n\n$x$\n\n</details>",
        f"<table><tr><td>$a$ {safe} $b$</td></tr></table>",
        f"`` {code} ``",
        f"$\\text{{{html.escape(tex)}}}$",
    )


# ---- the table ----------------------------------------------------------------------------------

PROMPTS = one("a red apple", "кот", "")
SCENE = (
    st.integers(1, 4)
    .flatmap(
        lambda n: st.tuples(
            *(st.lists(st.integers(0, k - 1), min_size=n, max_size=n) for k in ATTRIBUTES)
        )
    )
    .map(lambda columns: torch.tensor(columns).T.contiguous())
)
ATTRIBUTE = {"attributes": SCENE}

TEXTS = [
    Case("words.split_words", together(prompt=PROMPTS), right_words, {"prompt": text}),
    Case(
        "words.name_emoji",
        together(prompt=PROMPTS),
        lambda result, prompt: isinstance(result, str) or 1 / 0,
        {"prompt": text},
    ),
    Case("text.empty_text", together(n=one(1, 3)), is_text(lambda n: n), {"n": count()}),
    Case(
        "text.style_number",
        together(style=one(*STYLES)),
        lambda result, style: [0 <= result <= 6 or 1 / 0],
        {"style": one_style(STYLES)},
    ),
    Case(
        "text.Text.to",
        together(self=one(SAID), like=PICTURES),
        is_text(3),
        {
            "like": lambda good: mix(
                [
                    junk(but="none whole tensor text"),
                    one("gpu", "cuda:99", good.int(), good.bool()),
                ],
                [one("cpu", None, good.double(), good.half(), good.to("meta"), "meta")],
            )
        },
    ),
    Case(
        "text.Text.repeat",
        together(self=one(SAID), n=one(1, 4)),
        is_text(lambda self, n: 3 * n),
        {"n": count()},
    ),
    Case(
        "text.Text.expand_to",
        together(self=one(WORDS.encode("a cat")), x_t=PICTURES),
        is_text(lambda self, x_t: len(x_t)),
        {
            "x_t": lambda good: mix(
                [
                    junk(but="tensor"),
                    one(good.int(), good[0], good.tolist(), good.bool(), good[:0], good[None]),
                ],
                [one(good.double(), good.to("meta"), torch.cat([good] * 100), good / 0)],
            )
        },
    ),
    Case(
        "words.Words.unknown",
        together(self=one(WORDS), prompt=PROMPTS, n=one(1, 3)),
        right_unknown,
        {"prompt": text, "n": count(0)},
    ),
    Case(
        "words.Words.row_numbers",
        together(self=one(WORDS), prompt=PROMPTS),
        right_numbers,
        {"prompt": text},
    ),
    Case(
        "words.Words.encode",
        together(self=one(WORDS), prompts=PROMPTS, styles=one(None, "noto")),
        right_text,
        {"prompts": prompts, "styles": styles(STYLES)},
    ),
    Case(
        "text.Captions",
        together(words=one(WORDS), captions=one([["a cat"], ["dog"]]), styles=one(["noto", None])),
        lambda result, **_: is_text(2)(
            result.sample_captions(torch.arange(2), seeded_generator(0))
        ),
        {"words": thing(), "captions": several, "styles": styles([]), "shares": shares},
    ),
    Case(
        "sampling.sample",
        together(model=one(LISTENER), prompt=PROMPTS, style=one(None, "noto"), steps=one(1)),
        right_said,
        {
            "prompt": prompts,
            "style": styles(STYLES),
            "negative": prompts,
            "guidance_scale": lambda good: mix([junk(but="whole number")], [one(0, -3, 1e300)]),
        },
    ),
    Case(
        "pocket.format_prompt",
        together(pipe=one(PIPE), words=PROMPTS, style=one(None, *POCKET_STYLES)),
        right_spell,
        {"pipe": thing(), "words": text, "style": one_style(POCKET_STYLES)},
    ),
]

POCKET = [
    Case(
        "pocket.load_pocket",
        together(device=one("cpu")),
        lambda result, **_: result.vae or 1 / 0,
        {"device": device},
        lambda device: PIPE if isinstance(device, str) and device == "cpu" else load_pocket(device),
    ),
    Case(
        "pocket.load_pipeline",
        together(name_or_folder=one("no such"), device=one("cpu")),
        None,
        {
            "name_or_folder": lambda good: mix(
                [junk(), one("no such/model", "", "/", ".", "a" * 9999, "..", "\x00", "http://x/y")]
            ),
            "device": lambda good: mix([junk(but="none")]),
        },
    ),
    Case(
        "pocket.to_pictures",
        together(
            pipe=one(PIPE), latents=whole_numbers(2, 1, PIPE.vae.config.latent_channels, 2, 2)
        ).map(lambda a: a | {"latents": a["latents"].float()}),
        lambda result, latents, **_: (finite(result), result.shape[0] == len(latents) or 1 / 0),
        {"pipe": thing(), "latents": small_floats},
    ),
    Case(
        "pocket.to_latents",
        together(pipe=one(PIPE), pictures=whole_numbers(2, 1, 3, 16, 16)).map(
            lambda a: a | {"pictures": a["pictures"].float()}
        ),
        lambda result, pictures, **_: (finite(result), result.shape[0] == len(pictures) or 1 / 0),
        {"pipe": thing(), "pictures": small_floats},
    ),
    Case(
        "pocket.settings_of",
        together(pipe=one(PIPE)),
        lambda result, **_: result["noise schedule"] or 1 / 0,
        {"pipe": thing()},
    ),
    Case(
        "pocket.shapes_inside",
        together(pipe=one(PIPE), latents=one(torch.zeros(1, 4, 8, 8)), t=one(5), prompt=one(HEARD)),
        lambda result, **_: result["leave"] or 1 / 0,
        {"pipe": thing(), "latents": wrong_latents, "t": level(1000), "prompt": wrong_latents},
    ),
    Case("pocket.count_backbones", together(), lambda result: result["SDXL"] or 1 / 0),
    Case(
        "pocket.add_lora",
        together(pipe=one(PIPE), rank=one(1, 2)),
        lambda result, **_: result or 1 / 0,
        {"pipe": thing(), "rank": count()},
        added_and_taken,
    ),
    Case("pocket.take_lora", together(pipe=one(PIPE)), None, {"pipe": thing()}),
    Case("pocket.check_peft", together(), lambda result: result is None or 1 / 0),
]

FLOW = [
    Case(
        "flow.dark_points",
        together(picture=one(DRAWING)),
        lambda result, **_: finite(result),
        {"picture": wrong_drawing},
    ),
    Case(
        "flow.share_on_dark",
        together(points=one(torch.zeros(3, 2)), picture=one(DRAWING)),
        lambda result, **_: 0 <= result <= 1 or 1 / 0,
        {"points": wrong_latents, "picture": wrong_drawing},
    ),
]

SCENES_TABLE = [
    Case(
        "scenes.scenes",
        together(n=one(1, 3), seed=one(0, 1), unseen=one(True, False)),
        right_scenes,
        {"n": count(), "seed": seed},
    ),
    Case(
        "scenes.is_held_out",
        together(**ATTRIBUTE),
        lambda result, attributes: result.shape == (len(attributes),) or 1 / 0,
        {"attributes": attributes(empty=False)},
    ),
    Case(
        "scenes.draw_scenes",
        together(**ATTRIBUTE, generator=one(seeded_generator(0))),
        lambda result, attributes, **_: (finite(result), len(result) == len(attributes) or 1 / 0),
        {"attributes": attributes(), "generator": thing()},
    ),
    Case(
        "scenes.rasterise",
        together(
            x=one(torch.tensor([16.0, 3.0])),
            y=one(torch.tensor([16.0, 30.0])),
            half=one(torch.tensor([6.5, 4.0])),
            shape=whole_numbers(3, 2),
        ),
        right_ink,
        {"x": columns, "y": columns, "half": columns, "shape": rows(3)},
    ),
    Case(
        "scenes.read_scenes",
        together(pictures=SCENES),
        lambda result, pictures: [len(part) == len(pictures) or 1 / 0 for part in result],
        {"pictures": floats},
    ),
    Case(
        "scenes.patches_of_paint",
        together(mask=whole_numbers(2, "B", 5, 6)).map(lambda a: {"mask": a["mask"].bool()}),
        lambda result, mask: (
            result.shape == mask.shape or 1 / 0,
            ((result > 0) == mask).all() or 1 / 0,
        ),
        {"mask": pictures_of_paint},
    ),
    Case(
        "scenes.same_scene",
        together(a=SCENE).map(lambda x: x | {"b": x["a"]}),
        lambda result, a, b: result.shape == (len(a),) or 1 / 0,
        {"a": attributes(-1, empty=False), "b": attributes(-1, empty=False)},
    ),
    Case(
        "scenes.captions",
        together(**ATTRIBUTE, language=one("en", "ru")),
        right_sentences,
        {
            "attributes": attributes(empty=False),
            "language": lambda good: mix([junk(), one("EN", "de", "ru "), ANY_TEXT]),
        },
    ),
    Case(
        "scenes.other_side",
        together(**ATTRIBUTE),
        lambda result, attributes: result.shape == attributes.shape or 1 / 0,
        {"attributes": attributes(-1, empty=False)},
    ),
]

EXPORT = [
    Case(
        "authoring.export.markdown2html",
        together(context=one({}), source=one("$x$", "a <b>c</b>")),
        right_page,
        {"source": lambda good: mix([], [ANY_TEXT.flatmap(in_formula)])},
    ),
    Case(
        "authoring.export.mathml",
        together(tex=one("x_t", r"\frac{1}{2}"), display=one(True, False)),
        lambda result, tex, display: right_page(result, tex),
        {"tex": lambda good: mix([], [ANY_TEXT, ANY_TEXT.map(lambda t: rf"\text{{{t}}}")])},
    ),
]

CASES = TEXTS + POCKET + FLOW + SCENES_TABLE + EXPORT
