"""Lesson 08 without Python: the pocket Stable Diffusion in a page, beside diffusers' own."""

import json
import linecache
from types import FunctionType

import nbformat
import numpy as np
import pytest
import torch
from browser import REPO
from diffusers import EulerDiscreteScheduler
from drawings import IN_TIME, board_of, serve
from hypothesis import given, settings
from hypothesis import strategies as st

from diffusion_helpers import pocket
from diffusion_helpers.data import load_emoji, read_data
from diffusion_helpers.languages.javascript import with_texts
from diffusion_helpers.living import mirrors
from diffusion_helpers.living.files import STATIC, needed_files
from diffusion_helpers.words import gather_warnings, name_emoji

LESSON = "08_the_demiurge"
# those with the controls, and with what they call
CELLS = ("setup", "load", "first-live", "encode", "channels-live", "encoder", "whispering")
CELLS += ("belief-live", "sketch-live")


@pytest.fixture(scope="module")
def lesson():
    """{name of a drawing function: (function, its controls)}, from the lesson's own cells."""
    space, controls = {}, {}

    def live(draw, *, alt, height, **parts):
        controls[draw.__name__] = draw, parts

    cells = nbformat.read(REPO / "notebooks" / f"{LESSON}.ipynb", as_version=4).cells
    for cell in cells:
        if cell.id in CELLS:
            run_cell(cell.source, cell.id, space)
            space["live"] = live
    return controls


def run_cell(source, name, space):
    """Run a cell so that `inspect` finds the source of its functions, as in a notebook."""
    linecache.cache[name] = len(source), None, source.splitlines(keepends=True), name
    exec(compile(source, name, "exec"), space)


# ---- pictures -----------------------------------------------------------------------------------

MOVES = {
    "first": [
        {"steps": 2, "seeds": [5, True]},
        {"prompt": "зелёное дерево", "style": 2, "guidance": 10, "steps": 3},
        {"prompt": "", "style": 0, "guidance": 1, "steps": 2, "seeds": [2**31 - 1, False]},
        {"prompt": "a 🍎b and 👩🏽‍🚀 " * 5, "style": 3, "guidance": 1.5, "steps": 1},
    ],
    "without_channels": [
        {},
        {"channels": [True, False, False, True], "picture": 6},
        {"channels": [False] * 4, "picture": 9},
    ],
    "creation": [
        {"steps": 1, "guidance": 0, "seeds": [3, True]},
        {"prompt": "🚀", "style": 0, "steps": 2, "guidance": 1},
        {"prompt": "щенок и мяч", "steps": 3, "guidance": 10},
        {"prompt": "", "steps": 1},
    ],
    "from_sketch": [
        {"strength": 0.1, "seeds": [5, True]},
        {"strength": 0.05, "prompt": "", "style": 0},
        {"strength": 0.3, "prompt": "зелёное яблоко 🍏"},
    ],
}
WHOLE = {  # at all steps
    "first": [
        {},
        {"prompt": "кот в красной шляпе", "style": 0, "steps": 48, "guidance": 8},
        {"prompt": "🚀🌈", "style": 2, "guidance": 10, "steps": 50, "seeds": [77, False]},
    ],
    "creation": [
        {},
        {
            "prompt": "грустный клоун 🎈",
            "style": 1,
            "steps": 33,
            "guidance": 7.5,
            "seeds": [4, False],
        },
    ],
    "from_sketch": [{}, {"strength": 1, "prompt": "дом", "seeds": [11, True]}],
}


@pytest.mark.parametrize("name", MOVES)
def test_a_page_draws_as_diffusers_does(draws, lesson, name):
    draws(*lesson[name], MOVES[name])


@pytest.mark.slow
@pytest.mark.parametrize("name", WHOLE)
def test_a_page_draws_whole_pictures_as_diffusers_does(draws, lesson, name):
    draws(*lesson[name], WHOLE[name])


def test_a_page_takes_a_drawing_of_the_reader(draws, lesson):
    board = load_emoji(64).images[100].roll(7, 1)
    draws(*lesson["from_sketch"], [{"sketch": board_of(board), "strength": 0.1}])


def test_what_a_reader_changed_is_not_drawn_by_a_page(lesson):
    draw, _ = lesson["creation"]
    part = mirrors.living_part(draw)
    assert (part["draw"], part["needs"], part["own"]) == ("creation_latent", ["pocket"], {})

    def with_own(**changed):
        return FunctionType(draw.__code__, draw.__globals__ | changed)

    own = {}
    run_cell("def with_guidance(prompts, scale):\n    return ddim", "own cell", own)
    with pytest.raises(ValueError, match=mirrors.OWN_HELPER):
        mirrors.living_part(with_own(with_guidance=own["with_guidance"]))
    pipe = pocket.load_pocket("cpu")
    with torch.no_grad():
        next(pipe.vae.parameters())[0] += 1
    with pytest.raises(ValueError, match=mirrors.OWN_NETWORK):
        mirrors.living_part(with_own(pipe=pipe))
    pipe = pocket.load_pocket("cpu")
    pipe.scheduler = EulerDiscreteScheduler.from_config(pipe.scheduler.config)
    with pytest.raises(ValueError, match=mirrors.OWN_SCHEDULER):
        mirrors.living_part(with_own(pipe=pipe))


# ---- the tokenizer and the scheduler ------------------------------------------------------------

START = """async () => {
  const [{ Tokenizer, PocketPrompts, trailing }, { emojiNames }] =
    await Promise.all(["/pocket.js", "/words.js"].map((name) => import(name)));
  const text = async (name) => (await fetch(`/files/${name}`)).text();
  const json = async (name) => JSON.parse(await text(name));
  const tokenizer = new Tokenizer(await json("POCKET/tokenizer/vocab.json"),
    await text("POCKET/tokenizer/merges.txt"), 20);
  const prompts = new PocketPrompts(tokenizer, (await json("emoji/emoji.json")).concepts);
  Object.assign(window, { tokenizer, prompts, trailing });
}""".replace("POCKET", pocket.POCKET.name)


@pytest.fixture(scope="module")
def page(visit):
    """A function that evaluates JavaScript in a page with the tokenizer."""
    files = {f"/files/{name}": content for name, content in needed_files("pocket").items()}
    files |= {f"/{path.name}": path.read_bytes() for path in STATIC.glob("*.js")}
    page = f"<!doctype html><html lang=en><title>Tokens</title><script>{with_texts('')}</script>"
    files["/page.html"] = page.encode()
    with serve(files) as address, visit() as tab:
        tab.page.goto(f"{address}/page.html")
        tab.page.evaluate(IN_TIME % START, None)
        yield lambda code, argument=None: tab.page.evaluate(IN_TIME % code, argument)
        tab.check_quiet()


@pytest.fixture(scope="module")
def pipe():
    return pocket.load_pocket("cpu")


def check_prompts(page, pipe, prompts):
    """The same tokens, the same texts back, and the same formatted prompts and warnings."""
    code = """(all) => all.map((one) => {
      const ids = tokenizer.encode(one), formatted = prompts.format(one, "noto");
      return [ids, tokenizer.decode(ids), [...tokenizer.rows([one])].map(Number), formatted];
    })"""
    for prompt, (ids, text, row, formatted) in zip(prompts, page(code, prompts), strict=True):
        assert ids == pipe.tokenizer(prompt, add_special_tokens=False).input_ids, prompt
        assert text == pipe.tokenizer.decode(ids), prompt
        padded = {"padding": "max_length", "truncation": True}
        assert row == pipe.tokenizer(prompt, **padded).input_ids, prompt
        with gather_warnings() as warned:
            wanted = pocket.format_prompt(pipe, prompt, "noto")
        assert formatted["prompt"] == wanted, prompt
        assert [each["sentence"] for each in formatted["unheard"]] == list(map(str, warned))


TRICKY = [
    *("", " ", "a red apple", "it's a CAT’S house, isn't it?", "we'll they've I'm you'd 're'd"),
    *("3 birds, 1984", "½ Ⅳ x² ①", "!!!'s ... ,noto", "naïve café", "e\u0301clair", "и\u0306од"),
    *("İstanbul straße ΟΔΥΣΣΕΥΣ ǅ", "苹果 りんご 사과", "שלום مرحبا", "a\u200db\ufeffc\xadd"),
    *("tab\tand\nline\x85next\x1cfile\xa0blank\u3000wide", "<|endoftext|>", "a<|startoftext|> b"),
    *("<|ENDOFTEXT|>'s <|endoftext|>'s", "</w> w>", "🍎", "👩‍🚀 🧑🏽‍🚒 ❤️ 👍🏿 🏳️‍🌈", "♀ ♂ ☀︎ ☃ ⌛"),
    *("xyzzy" * 40, "🪩" * 30, "Ꙁ" * 30, "красное яблоко " * 10, "a, " * 30, "!?" * 40),
]
CONCEPTS = json.loads(read_data("emoji/emoji.json"))["concepts"]
PIECES = list(json.loads(read_data(f"{pocket.POCKET.name}/tokenizer/vocab.json")))
word = st.sampled_from([c[key] for c in CONCEPTS for key in ("name", "name_ru")])
word = st.one_of(word, word.map(str.title), word.map(str.upper), st.sampled_from(PIECES))
sign = st.sampled_from([c["hexcode"] for c in CONCEPTS]).map(
    lambda code: "".join(chr(int(part, 16)) for part in code.split("-"))
)
# browsers know newer Unicode than Python: signs without a meaning may have got one
letters = st.text(st.characters(exclude_categories=["Cs", "Cn"]), max_size=12)
between = st.sampled_from([" ", "", "'s", "’ve ", "'ll", "_", "\u0301", "\ufe0f", "\u200d", "<|"])
prompt = st.lists(st.one_of(word, sign, letters, between), max_size=10).map("".join)


def test_tricky_prompts_have_the_same_tokens(page, pipe):
    names = [concept[key] for concept in CONCEPTS[::10] for key in ("name", "name_ru")]
    assert len(names) >= 200
    check_prompts(page, pipe, [*TRICKY, *names])


@settings(max_examples=12, deadline=None)
@given(st.lists(prompt, min_size=20, max_size=30))
def test_any_prompt_has_the_same_tokens(page, pipe, prompts):
    check_prompts(page, pipe, prompts)


def test_half_an_emoji_is_the_same_in_a_prompt(page, pipe):
    half = "a \ud83c apple"
    assert page('() => prompts.format("a \\ud83c apple", null).prompt') == "a ? apple"
    assert pocket.format_prompt(pipe, half) == "a ? apple"
    assert name_emoji(half) == half


def test_noise_levels_and_schedule_are_those_of_diffusers(page, pipe):
    scheduler, got = (
        pipe.scheduler,
        page("() => Array.from({ length: 60 }, (_, i) => trailing(i + 1))"),
    )
    for steps, levels in enumerate(got, start=1):
        scheduler.set_timesteps(steps)
        assert levels == scheduler.timesteps.tolist(), steps
    alpha_bar = page(
        """async () => {
          const [{ DiffusersSchedule }, { cosineBetas }] =
            await Promise.all(["/pocket.js", "/sampling.js"].map((name) => import(name)));
          return [...new DiffusersSchedule(cosineBetas(1000)).alphaBar];
        }"""
    )
    np.testing.assert_allclose(alpha_bar, scheduler.alphas_cumprod, rtol=1e-6)
