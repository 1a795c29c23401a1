"""Pages that draw without Python: the same dice, words, schedules and pictures as in Python.

The JavaScript runs in a real browser, over http on this machine; all other hosts are blocked.
"""

import base64
import gzip
import hashlib
import json
import random
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from drawings import IN_TIME, in_float32, serve
from hypothesis import given, settings
from hypothesis import strategies as st

from diffusion_helpers import load_checkpoint, pure_noise
from diffusion_helpers.attention import capture_attention
from diffusion_helpers.checks import SEED_STRIDE, seeded_generator
from diffusion_helpers.data import read_data, to_signed
from diffusion_helpers.languages.javascript import with_texts
from diffusion_helpers.living import files as living
from diffusion_helpers.living.mirrors import pack_tensor
from diffusion_helpers.noising import cosine_schedule, linear_schedule
from diffusion_helpers.sampling import (
    ddim,
    ddpm,
    dpm_solver,
    guided,
    logsnr_timesteps,
    timesteps,
)
from diffusion_helpers.text import STYLES
from diffusion_helpers.twins import load_twins
from diffusion_helpers.widgets.controls import Choice, Seeds, Switches, _offers, _rgba
from diffusion_helpers.widgets.figures import to_uint8
from diffusion_helpers.widgets.html import as_frames
from diffusion_helpers.words import _sign_name, gather_warnings, load_words, split_words

HERE = Path(__file__).parent
sys.path.append(str(HERE.parent / "benchmarks"))
from words import ENGLISH, RUSSIAN  # noqa: E402

NETWORKS = ("demiurge", "swift", "apprentice", "ladder_attention", "twins_attention")
SAMPLERS = {"ddim": ddim, "ddpm": ddpm, "dpm_solver": dpm_solver}
CONCEPTS = json.loads(read_data("emoji/emoji.json"))["concepts"]


# ---- a page, its server, and PyTorch in 32 bits -------------------------------------------------


@pytest.fixture(scope="module")
def site():
    """(address, files) of a server on this machine; files are {path: bytes}."""
    needed = living.living_files(*NETWORKS)
    files = {f"/files/{name}": content for name, content in needed.items()}
    files["/files/words/words.json"] = gzip.compress(needed["words/words.json"])
    sums = {name: hashlib.sha256(content).hexdigest() for name, content in needed.items()}
    files["/sums.json"] = json.dumps(sums).encode()
    page = (HERE / "living.html").read_text("utf-8")  # it imports single modules, which call tr()
    files["/page.html"] = page.replace("<script>", f"<script>{with_texts('')}", 1).encode()
    files |= {f"/{path.name}": path.read_bytes() for path in living.STATIC.glob("*.js")}
    files["/worker.js"] = living.worker_script().encode() + (HERE / "living.js").read_bytes()
    with serve(files) as address:
        yield address, files


@pytest.fixture(scope="module")
def page(site, visit):
    """A function that evaluates JavaScript in the page, with one argument."""
    with visit() as tab:
        tab.page.goto(f"{site[0]}/page.html")
        yield lambda code, argument=None: tab.page.evaluate(IN_TIME % code, argument)
        tab.check_quiet()


@pytest.fixture(scope="module")
def worker(page):
    """The page, once its worker is ready."""
    ended = page("async () => (window.living = await start(await files())).ended")
    assert ended["kind"] == "ready"
    return page


@pytest.fixture(scope="module", autouse=True)
def float32():
    with in_float32():
        yield


# ---- dice ---------------------------------------------------------------------------------------

DICE = """async (seed) => {
  const { Dice } = await import("/dice.js"), dice = () => new Dice(BigInt(seed));
  const uniform = dice(), faces = dice();
  return {
    rand: Array.from({ length: 700 }, () => uniform.rand()),
    randint: Array.from({ length: 700 }, () => faces.randint(1000)),
    randperm: dice().randperm(303),
    randn: [...dice().randn(3072), ...dice().randn(1003)],
    plus: new Dice(BigInt(seed), PLUS).rand(),
  };
}""".replace("PLUS", str(2 * SEED_STRIDE))


@pytest.mark.parametrize("seed", [0, 1, 123, 2**31 - 1, 2**32, 2**53 - 1])
def test_the_dice_are_those_of_pytorch(page, seed):
    got = page(DICE, str(seed))
    assert got["rand"] == torch.rand(700, generator=seeded_generator(seed)).tolist()
    faces = torch.randint(1000, (700,), generator=seeded_generator(seed))
    assert got["randint"] == faces.tolist()
    assert got["randperm"] == torch.randperm(303, generator=seeded_generator(seed)).tolist()
    plus = torch.rand((), generator=seeded_generator(seed, plus=2 * SEED_STRIDE))
    assert got["plus"] == plus.item()
    want = [torch.randn(n, generator=seeded_generator(seed)) for n in (3072, 1003)]
    # PyTorch takes logarithm and cosine of 32-bit numbers, in a way of its own on each processor
    np.testing.assert_allclose(got["randn"], torch.cat(want), rtol=0, atol=2e-6)


def test_fewer_than_16_normal_numbers_are_refused(page):
    with pytest.raises(Exception, match="at least 16"):
        page('async () => new (await import("/dice.js")).Dice(0).randn(15)')


# ---- words --------------------------------------------------------------------------------------

WORDS = """async (prompts) => {
  if (!window.words) {
    const [{ Words }, { safetensors }, { readFile }] =
      await Promise.all(["/words.js", "/weights.js", "/files.js"].map((name) => import(name)));
    const all = await files(), read = (name) => readFile(all, name);
    const json = async (name) => JSON.parse(new TextDecoder().decode(await read(name)));
    window.words = new Words(await json("words/words.json"),
      safetensors(await read("words/words.safetensors")),
      await json("emoji/emoji.json"), await json("signs.json"));
  }
  return EACH;
}"""
SPLIT = WORDS.replace(
    "EACH",
    """prompts.map((prompt) => {
    const split = words.split(prompt);
    return [split, split.map((word) => words.rows.get(word) ?? -1)];
  })""",
)
TRICKY = [
    *("", " ", "a red apple", "the Cat's whiskers", "THE CATS’ house", "naïve café", "’s", "it's"),
    *("rock'n'roll guitar", "1st place medal", "ﬁre engine", "fire\u00adengine", "snow_man", "x²"),
    *("  many   spaces\tand\nlines ", "½ a pizza", "Ⅳ coins", "e\u0301clair", "mothers' day"),
    *("CO₂ cloud", "a\u200dpple", "İstanbul", "straße", "ΟΔΥΣΣΕΥΣ", "苹果", "o'clock's_face's"),
    *("щено́к", "Двух ЧЁРНЫХ котов", "ёжик в тумане", "и\u0306од", "ракете’s", "о синем ките"),
    *("🍎", "a 🚀 and a🍎b", "👩‍🚀 and 🧑🏽‍🚒", "❤️ 👍🏿", "🏳️‍🌈", "👨‍👩‍👧", "♀ ♂ ☀︎", "a\ufeffb🍎c"),
]
UNHEARD = [
    *(
        "is it a bannana, or o red hart",
        "a purple flumox",
        "elefant and aple",
        "паучок и сабака",
        "zzzzzzzzzz",
        "♻ ☯ 🇫🇷 #⃣",
        "?!",
    ),
    *("a b c d e f g h i j k l m n o p q r s t u v w x y z", "the cat " * 9, "🇩🇪" * 3, " "),
    *("one two three four five six seven eight nine ten eleven twelve apple red blue up dog cat",),
    *("blurgh glarx snoof wibbel trunx plonk quux vleem morx spling", "🪩\U0001faf9\u2429"),
]


def all_prompts():
    """More than 200 in both languages: free ones, names of emoji, and odd ones."""
    draw = random.Random(0)
    names = [concept[key] for concept in draw.sample(CONCEPTS, 60) for key in ("name", "name_ru")]
    return [*ENGLISH, *RUSSIAN, *names, *TRICKY]


def as_python(prompts):
    rows = load_words().rows
    split = [split_words(prompt) for prompt in prompts]
    return [[words, [rows.get(word, -1) for word in words]] for words in split]


def test_prompts_have_the_same_words_and_rows(page):
    prompts = all_prompts()
    assert len(prompts) >= 200
    assert page(SPLIT, prompts) == as_python(prompts)


known = st.sampled_from(list(load_words().rows))
known = st.one_of(known, known.map(str.title), known.map(str.upper))
signs = st.sampled_from([c["hexcode"] for c in CONCEPTS]).map(
    lambda code: "".join(chr(int(part, 16)) for part in code.split("-"))
)
# browsers know newer Unicode than Python: signs without a meaning may have got one
letters = st.text(st.characters(exclude_categories=["Cs", "Cn"]), max_size=12)
between = st.sampled_from([" ", "", "'", "’s ", "_", "\u0301", "\ufe0f", "\u200d", "-"])
prompt = st.lists(st.one_of(known, signs, letters, between), max_size=8).map("".join)


@settings(max_examples=10, deadline=None)
@given(st.lists(prompt, min_size=20, max_size=30))
def test_any_prompt_has_the_same_words_and_rows(page, prompts):
    assert page(SPLIT, prompts) == as_python(prompts)


def test_what_is_not_heard_is_said_in_the_same_words(page):
    got = page(
        WORDS.replace("EACH", "prompts.map((p) => words.encode([p], [null]).unheard)"), UNHEARD
    )
    for prompt, said in zip(UNHEARD, got, strict=True):
        with gather_warnings() as warned:
            load_words().encode(prompt)
        assert [each["sentence"] for each in said] == [str(warning) for warning in warned], prompt
        similar = [(each.get("word", ""), (*each.get("similar", ()),)) for each in said]
        assert similar == [(warning.word, warning.similar) for warning in warned]


def test_encoded_prompts_are_the_same_numbers(page):
    prompts, styles = (
        ["a red apple", "зелёное дерево", "", "flumox"],
        ["noto", None, "fxemoji", None],
    )
    encode = "(({ vectors, mask, styles }) => [[...vectors], [...mask], [...styles].map(Number)])"
    got = page(WORDS.replace("EACH", f"{encode}(words.encode(...prompts))"), [prompts, styles])
    with gather_warnings():
        text = load_words().encode(prompts, styles)
    assert got == [
        text.vectors.flatten().tolist(),
        text.mask.flatten().int().tolist(),
        text.styles.tolist(),
    ]


def test_signs_have_the_names_that_python_says():
    names = living.sign_names()
    assert len(names) > 4000
    assert all(_sign_name(sign) == name for sign, name in names.items())


# ---- schedules and levels -----------------------------------------------------------------------

SCHEDULES = """async (steps) => {
  const s = await import("/sampling.js");
  const [cosine, linear, short] = [s.cosineSchedule(), s.linearSchedule(), s.cosineSchedule(50)];
  return {
    alphaBar: [cosine, linear, short].map(({ alphaBar }) => [...alphaBar]),
    rates: [cosine, linear, short].map((each) => [-1, 0, 20, 49].map((t) => each.rates(t))),
    timesteps: steps.map((n) => s.timesteps(n)),
    logsnr: steps.map((n) => [cosine, linear].map((each) => s.logsnrTimesteps(n, each))),
  };
}"""


def test_schedules_and_levels_are_the_same(page):
    steps = [*range(1, 61), 333, 1000]
    got = page(SCHEDULES, steps)
    schedules = cosine_schedule(), linear_schedule(), cosine_schedule(50)
    like = torch.zeros(1, 3, 1, 1)
    for alpha_bar, rates, schedule in zip(got["alphaBar"], got["rates"], schedules, strict=True):
        np.testing.assert_allclose(alpha_bar, schedule.alpha_bar, rtol=1e-12)
        own = [[rate.item() for rate in schedule.rates(t, like)] for t in (-1, 0, 20, 49)]
        np.testing.assert_allclose(rates, own, rtol=1e-6)
    assert got["timesteps"] == [timesteps(n) for n in steps]
    assert got["logsnr"] == [[logsnr_timesteps(n, s) for s in schedules[:2]] for n in steps]


# ---- pictures -----------------------------------------------------------------------------------


def case(prompt, style=None, guidance=3, sampler="ddim", steps=20, **more):
    plain = {"name": "demiurge", "negative": "", "seed": 0, "n": 1, "options": {}}
    asked = {"prompt": prompt, "style": style, "guidance": guidance, "sampler": sampler}
    return plain | asked | {"steps": steps} | more


QUICK = [
    case("a red apple", "noto", steps=5),
    case("зелёное дерево", "twemoji", 10, "dpm_solver", 4, seed=1),
    case(
        "heart",
        "noto",
        3,
        "ddpm",
        3,
        negative="red",
        n=3,
        options={"seed": [5, 9, 5]},
        seed=[4, 4, 7],
    ),
    case("красного яблока", None, 1, steps=3, options={"eta": 0.6, "seed": 2}, seed=3),
    case("a red apple", "noto", 4.5, steps=4, name="swift"),
    case("зелёное дерево", None, 1, steps=4, name="swift", seed=[7, 8], n=2),
    case(None, name="apprentice", sampler="ddpm", steps=2, n=2),
    case(None, name="twins_attention", sampler="dpm_solver", steps=6, n=5),
    case(None, name="ladder_attention", steps=4, options={"clipSample": True}),
]
EN = ("a blue whale", "rocket", "smiling cat", "a green frog", "dog", "two birds", "a castle")
EN += ("cat with red heart", "a person who cooks", "purple umbrella", "", "thunderstorm at night")
RU = ("серого волка", "жёлтая машина", "ёжик", "грустный клоун", "самолётами", "ракета в космосе")
RU += ("горячий кофе", "красные цветы", "звёздами", "дом", "лиса", "щенок и мяч")
WHOLE = [
    case(
        prompt,
        (*STYLES, None)[i % 7],
        (0, 1, 3, 7.5, 10)[i % 5],
        sampler := tuple(SAMPLERS)[i % 3],
        8 if sampler == "dpm_solver" else 20,
        seed=i,
        options={"ddim": {"eta": 0.5, "seed": i} if i % 2 else {}, "ddpm": {"seed": i}}.get(
            sampler, {}
        ),
    )
    for i, prompt in enumerate((*EN, *RU))
]


def in_python(asked):
    """What the test's drawing function draws, by PyTorch, as the bytes of a frame."""
    name, options = asked["name"], asked["options"]
    options = {{"clipSample": "clip_sample"}.get(key, key): value for key, value in options.items()}
    model = load_twins(True, "cpu") if name == "twins_attention" else load_checkpoint(name, "cpu")
    if asked["prompt"] is not None:
        encode = load_words().encode
        with gather_warnings():
            text, negative = encode(asked["prompt"], asked["style"]), encode(asked["negative"])
        model = guided(model, text, negative, asked["guidance"])
    x_T = pure_noise(asked["n"], seed=asked["seed"])
    *_, last = SAMPLERS[asked["sampler"]](model, x_T, asked["steps"], **options)
    return as_frames(last.clean[None], "clean")[0].astype(int)


def in_page(worker, asked):
    frame = worker(
        """async (asked) => {
          const { columns, pixels, trouble } = (await living.last("sample", asked)).frame;
          return { size: columns?.[0].size, pixels: pixels && [...pixels[0]], trouble };
        }""",
        asked,
    )
    assert frame["trouble"] == ""
    width, height = frame["size"]
    rgba = np.array(frame["pixels"]).reshape(height, width, 4)
    assert (rgba[..., 3] == 255).all()
    return rgba[..., :3]


def name_of(asked):
    return f"{asked['prompt'] or asked['name']}-{asked['sampler']}"


@pytest.mark.parametrize("asked", QUICK, ids=name_of)
def test_a_page_draws_what_pytorch_draws(worker, asked):
    assert np.abs(in_page(worker, asked) - in_python(asked)).max() <= 1


@pytest.mark.slow
@pytest.mark.parametrize("asked", WHOLE, ids=name_of)
def test_a_page_draws_whole_pictures_as_pytorch_does(worker, asked):
    assert np.abs(in_page(worker, asked) - in_python(asked)).max() <= 1


LOOK = """async (asked) => {
  const raw = living.until(({ kind }) => kind === "raw");
  living.ask("look", asked);
  return raw;
}"""


@pytest.mark.parametrize(
    "name, prompts, layers",
    [
        ("demiurge", ["red apple", "кот"], ["up.1.0.listen.attention", "bottom.focus.attention"]),
        ("ladder_attention", None, ["down.2.0.focus.attention"]),
    ],
)
def test_attention_weights_are_those_of_the_layer_with_that_name(worker, name, prompts, layers):
    got = worker(LOOK, {"name": name, "prompts": prompts, "t": 600, "layers": layers})
    net = load_checkpoint(name, "cpu")
    text = [] if prompts is None else [load_words().encode(prompts, ["noto", None])]
    with torch.no_grad(), capture_attention(net) as maps:
        answer = net(pure_noise(2, seed=1), torch.tensor([600, 600]), *text)
    np.testing.assert_allclose(got["answer"], answer.flatten(), atol=1e-4)
    for layer, weights in zip(layers, got["weights"], strict=True):
        np.testing.assert_allclose(weights, maps[layer][0].flatten(), atol=1e-4)


def test_every_network_has_its_graphs():
    for name in living.NETWORKS:
        hears = name in ("ladder_text", "demiurge", "scenes", "swift")
        files = living.living_files(name)
        graphs = {file for file in files if file.startswith("graphs/")}
        parts = ("step", "text") if hears else ("step",)
        assert graphs == {f"graphs/{name}.{part}.onnx" for part in parts}
        assert set(living.WORDS) <= set(files) if hears else "signs.json" not in files


# ---- the worker ---------------------------------------------------------------------------------


FRAME = """async ([values, kinds]) => {
  const { frame } = await living.last("create", values, "control", kinds);
  return { ...frame, pixels: frame.pixels.map((p) => [...p]) };
}"""


def test_a_frame_is_what_a_live_control_sends(worker):
    """For the values and the specs of a lesson's own controls."""
    parts = {"style": Choice(["any", "noto"]), "seeds": Seeds()}
    kinds = {name: part.spec() for name, part in parts.items()}
    values = {"wish": "a red aple ♻", "style": 1, "network": "demiurge"}
    values |= {"guidance": 1, "seeds": [5, True]}
    frame = worker(FRAME, [values, kinds])
    with gather_warnings() as unheard:
        text = load_words().encode("a red aple ♻", "noto")
    model, seeds = load_checkpoint("demiurge", "cpu"), parts["seeds"].read([5, True], None)
    *_, last = ddim(guided(model, text, scale=1), pure_noise(4, seed=seeds))
    picture = as_frames(last.clean[None], "clean")[0]
    names = ("the picture so far", "predicted clean picture")
    assert frame["columns"] == [{"name": name, "size": [65, 65]} for name in names]
    for pixels in frame["pixels"]:
        rgb = np.array(pixels).reshape(65, 65, 4)[..., :3]
        assert np.abs(rgb - picture.astype(int)).max() <= 1
    assert frame["caption"] == ". ".join(["a red aple ♻, finished", *map(str, unheard)])
    assert frame["offers"] == _offers(unheard) == [["aple", "apple"]]
    assert (frame["share"], frame["done"], frame["trouble"]) == (1, True, "")


GIVEN = """async ({ kinds, own, board }) => {
  const values = { board: null, word: 1, on: [true, false, true] };
  const buffers = [new Uint8Array(board).buffer];
  const { frame } = await living.last("given", values, "given", kinds, own, buffers);
  return { ...frame, pixels: frame.pixels.map((p) => [...p]) };
}"""


def test_a_drawing_gets_the_board_the_choices_and_its_own_numbers(worker):
    levels = torch.arange(2 * 3 * 4 * 4).reshape(2, 3, 4, 4) * 2
    own = {
        "levels": to_signed(levels.byte().permute(0, 2, 3, 1).numpy()),  # pictures, as bytes
        "fine": torch.tensor([[0.1, -3.0, float(np.float32(1 / 3))]]),
        "exact": torch.tensor([1 / 3], dtype=torch.float64),
    }
    parts = {"word": Choice(["one", "two"]), "on": Switches(("a", "b", "c"))}
    packed = {name: pack_tensor(tensor) for name, tensor in own.items()}
    assert [each["kind"] for each in packed.values()] == ["levels", "floats", "doubles"]
    kinds = {name: part.spec() for name, part in parts.items()} | {"board": {"kind": "drawing"}}
    board = _rgba(to_uint8(own["levels"][1:])[0])
    frame = worker(GIVEN, {"kinds": kinds, "own": packed, "board": list(board)})
    values, exact, fine, shape = json.loads(frame["caption"])
    assert values == {"word": "two", "on": ["a", "c"]} and exact == [1 / 3]
    assert fine == own["fine"].flatten().tolist() and shape == [1, 3]
    assert frame["pixels"][0] == list(board) and (frame["done"], frame["offers"]) == (True, [])
    assert frame["pixels"][1] == list(_rgba(as_frames(own["levels"][None], "levels")[0]))


FIXED = """async (numbers) => {
  const { fixed, percent, float } = await import("/format.js");
  return numbers.map((x) => [0, 1, 2, 3].map((d) => [fixed(x, d), percent(x, d)]).concat(float(x)));
}"""


def test_numbers_are_written_as_python_writes_them(page):
    draw = random.Random(0)
    halves = [n / 2**k for n in range(-41, 42) for k in range(5)]
    numbers = [*halves, -0.0, -0.04, 2.45, 1.005, 1000.0, 1e-5, *(draw.gauss() for _ in range(300))]
    for x, got in zip(numbers, page(FIXED, numbers), strict=True):
        wanted = [[f"{x:.{d}f}", f"{x:.{d}%}"] for d in range(4)]
        assert got[:-1] == wanted, x
        assert got[-1] == (f"{x}" if abs(x) > 1e-4 else got[-1])


def test_the_newest_request_wins(worker):
    said = worker(
        """async () => {
          const from = living.said.length, many = 100_000;
          const third = living.until(({ frame }) => frame?.caption === "three, 3");
          for (const wish of ["one", "two", "three"]) living.ask("count", { wish, frames: many });
          await third;
          living.ask("count", { wish: "four", frames: many });
          await living.last("count", { wish: "five", frames: 4 });
          const frames = living.said.slice(from).map(({ frame }) => frame);
          return frames.map(({ caption, done, share }) => [caption, done, share]);
        }"""
    )
    assert [caption for caption, *_ in said[-4:]] == [f"five, {i}" for i in range(1, 5)]
    assert said[-1][1:] == [True, 1]
    assert len(said) < 100_000, "an older request was computed to its end"
    for wish in ("one", "two", "three", "four"):  # some are never begun
        frames = [rest for caption, *rest in said if caption.startswith(wish)]
        assert not frames or frames[-1] == [True, 1], f"nobody said that {wish} is over"


def test_a_drawing_with_nothing_to_show_yet_is_left_for_a_newer_one(worker):
    said = worker(
        """async () => {
          const from = living.said.length, steps = 10_000_000;
          const over = (id) => living.until(({ frame }) => frame?.id === id && frame.done);
          const first = over(living.ask("think", { wish: "one", steps }, "slow"));
          const last = living.last("think", { wish: "two", steps: 4 }, "slow");
          await Promise.all([first, last]);
          return living.said.slice(from).map(({ frame }) => [frame.caption ?? "", frame.done]);
        }"""
    )
    assert said == [["", True], ["two", True]]


def test_controls_do_not_wait_for_each_other_and_trouble_is_one_sentence(worker):
    got = worker(
        """async () => {
          const last = (wish, control) => living.last("count", { wish, frames: 20 }, control);
          const both = await Promise.all([last("a", "one"), last("b", "two")]);
          const captions = both.map(({ frame }) => frame.caption);
          const { frame } = await living.last("sample", { name: "flumox" }, "three");
          return [captions, frame.trouble, frame.done];
        }"""
    )
    assert got == [
        ["a, 20", "b, 20"],
        "this page lacks the network flumox: it was built without it",
        True,
    ]


FROM_DISK = """async ({ script, packed }) => {
  const bytes = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt()).buffer;
  const files = Object.entries(packed).map(([name, [text, sha256]]) =>
    [name, { from: bytes(text), sha256 }]);
  const living = await start(Object.fromEntries(files), script);
  const asked = { name: "apprentice", prompt: null, sampler: "ddim", steps: 2, seed: 0, n: 1 };
  const { pixels } = (await living.last("sample", asked)).frame;
  living.worker.terminate();
  return [...pixels[0]];
}"""


def test_a_page_on_a_disk_draws_too(site, visit):
    """Where a browser fetches nothing, imports no module, and the page has all bytes itself."""
    packed = {}
    for name, content in living.living_files("apprentice").items():
        text = base64.b64encode(gzip.compress(content, 1)).decode()
        packed[name] = text, hashlib.sha256(content).hexdigest()
    with visit() as tab:
        tab.page.goto((HERE / "living.html").as_uri())
        script = site[1]["/worker.js"].decode()
        pixels = tab.page.evaluate(FROM_DISK, {"script": script, "packed": packed})
        tab.check_quiet()
    *_, last = ddim(load_checkpoint("apprentice", "cpu"), pure_noise(1), 2)
    rgb = np.array(pixels).reshape(32, 32, 4)[..., :3]
    assert np.abs(rgb - as_frames(last.clean[None], "clean")[0].astype(int)).max() <= 1


BREAK = """async ([name, how]) => {
  const all = await files((all) => {
    if (how === "missing") delete all[name];
    else if (how === "no answer") all[name].from += ".gone";
    else all[name].from = `${location.origin}/damaged/${name}`;
    const few = (file) => file === name || file.startsWith("ort.") || file.includes("apprentice");
    for (const file of Object.keys(all)) if (!few(file)) delete all[file];
  });
  const { worker, ended } = await start(all);
  worker.terminate();
  return ended;
}"""
LACKS, LATE, DAMAGED = (
    "this page lacks the file {}: it was built without it",
    "the file {} did not come, or not whole: load the page again",
    "the file {} is damaged: load the page again",
)


def test_weights_of_another_network_give_one_sentence(page):
    ended = page(
        """async () => {
          const { worker, ended } = await start(await files((all) => {
            const own = "checkpoints/apprentice.safetensors";
            all[own] = all["checkpoints/twins_attention.safetensors"];
            const few = (file) => file.startsWith("ort.") || file.includes("apprentice");
            for (const file of Object.keys(all)) if (!few(file)) delete all[file];
          }));
          worker.terminate();
          return ended;
        }"""
    )
    assert ended["kind"] == "failed" and "\n" not in ended["sentence"]
    assert ended["sentence"].startswith(
        "the network apprentice cannot start: build this page again ("
    )


@pytest.mark.parametrize(
    "name, how, sentence",
    [
        ("checkpoints/apprentice.safetensors", "missing", LACKS),
        ("ort.wasm", "missing", LACKS),
        ("graphs/apprentice.step.onnx", "no answer", LATE),
        ("checkpoints/apprentice.safetensors", "one bit", DAMAGED),
        ("words/words.json", "cut short", LATE),
        ("checkpoints/apprentice.safetensors", "cut short", DAMAGED),
        ("graphs/apprentice.step.onnx", "empty", LATE),
    ],
)
def test_a_missing_or_damaged_file_gives_one_sentence(page, site, name, how, sentence):
    files = site[1]
    content = files[f"/files/{name}"]
    flipped = content[:-1] + bytes([content[-1] ^ 1])
    damaged = {"one bit": flipped, "cut short": content[: len(content) // 2], "empty": b""}
    files[f"/damaged/{name}"] = damaged.get(how, content)
    ended = page(BREAK, [name, how])
    assert (ended["kind"], ended["sentence"]) == ("failed", sentence.format(name))
