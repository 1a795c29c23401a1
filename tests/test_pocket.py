"""The pocket Stable Diffusion: the stock pipeline reads it, draws with it, and agrees with ours."""

import shutil
import subprocess
import sys
import warnings

import pytest
import torch
import torch.nn.functional as F
from browser import REPO
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from diffusion_helpers import (
    cosine_schedule,
    data,
    ddim,
    load_emoji,
    pocket,
    pure_noise,
    rank_among,
)
from diffusion_helpers.lora import LoraLayer
from diffusion_helpers.pocket import (
    BACKBONES,
    POCKET,
    STYLES,
    add_lora,
    check_peft,
    count_backbones,
    format_prompt,
    load_pipeline,
    load_pocket,
    settings_of,
    settings_of_sd1,
    shapes_inside,
    take_lora,
    to_latents,
    to_pictures,
)
from diffusion_helpers.words import PromptWarning


@pytest.fixture(scope="module")
def pipe():
    return load_pocket("cpu")


def hidden(pipe, prompts):
    padded = {"padding": "max_length", "truncation": True, "return_tensors": "pt"}
    ids = pipe.tokenizer(prompts, **padded).input_ids
    return pipe.text_encoder(ids).last_hidden_state


def test_the_stock_pipeline_reads_the_folder_with_no_code_of_ours():
    from diffusers import StableDiffusionPipeline

    pipe = StableDiffusionPipeline.from_pretrained(POCKET, local_files_only=True)
    kinds = {name: type(part).__name__ for name, part in pipe.components.items() if part}
    assert kinds == {
        "vae": "AutoencoderKL",
        "text_encoder": "CLIPTextModel",
        "tokenizer": "CLIPTokenizer",
        "unet": "UNet2DConditionModel",
        "scheduler": "DDIMScheduler",
    }
    (picture,) = pipe("a red apple, noto", num_inference_steps=2).images
    assert picture.size == (64, 64)


def test_its_weights_have_the_names_that_every_version_of_transformers_reads():
    with safe_open(POCKET / "text_encoder" / "model.safetensors", "pt") as file:
        assert all(name.startswith("text_model.") for name in file.keys())  # noqa: SIM118


def test_it_is_small_and_holds_no_pickle():
    files = [path for path in POCKET.rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) <= 25e6
    assert {path.suffix for path in files} <= {".safetensors", ".json", ".txt"}


def test_the_autoencoder_restores_emoji_that_it_never_saw(pipe):
    emoji = load_emoji(64)
    pictures = emoji.images[emoji.held_out][::6]
    latents = to_latents(pipe, pictures)
    assert latents.shape == (len(pictures), 4, 16, 16)
    assert latents.std() == pytest.approx(1, abs=0.1)
    error = (to_pictures(pipe, latents) - pictures).square().mean((1, 2, 3))
    assert (10 * torch.log10(4 / error)).mean() > 30


def test_it_draws_what_the_prompt_says(pipe):
    """A sample of what benchmarks/pocket.py measures."""
    emoji, gallery = load_emoji(), {}
    for style in STYLES:
        gallery[style] = [i for i, s in enumerate(emoji.styles) if s == style]
    seen = [i for i in gallery["noto"] if not emoji.held_out[i]][::50]
    pictures = pipe(
        [format_prompt(pipe, emoji.names[i], "noto") for i in seen],
        num_inference_steps=20,
        guidance_scale=3.0,
        generator=torch.Generator().manual_seed(0),
        output_type="pt",
    ).images
    pictures = F.interpolate(pictures * 2 - 1, size=32, mode="area")
    truth = torch.tensor([gallery["noto"].index(i) for i in seen])
    ranks = rank_among(pictures, emoji.images[gallery["noto"]], truth)
    assert (ranks < 5).double().mean() > 0.6  # chance: .004


def test_the_same_seed_draws_the_same_picture(pipe):
    def draw():
        dice = torch.Generator().manual_seed(5)
        return pipe(
            "house, twemoji", num_inference_steps=3, generator=dice, output_type="pt"
        ).images

    assert torch.equal(draw(), draw())


# ---- a word of its own --------------------------------------------------------------------------

WITH = {"num_inference_steps": 2, "guidance_scale": 3.0, "output_type": "latent"}


def latents_of(pipe, **how):
    start = pure_noise(1, (4, 16, 16), seed=2)
    return pipe("a zubrik, noto", latents=start, **WITH, **how).images


@pytest.fixture(scope="module")
def taught():
    """(latents without an adapter, latents with ours in place, its tensors, a bare pipeline)."""
    pipe = load_pocket("cpu")
    before = latents_of(pipe)
    torch.manual_seed(0)
    add_lora(pipe, rank=2)
    assert torch.equal(latents_of(pipe), before)  # `up` is zero: nothing changes yet
    for layer in pipe.unet.modules():
        if isinstance(layer, LoraLayer):
            with torch.no_grad():
                layer.up.weight.normal_(std=0.05)
                for part in (layer.up, layer.down):  # the file holds 16 bits
                    part.weight.copy_(part.weight.half())
    ours = latents_of(pipe)
    return before, ours, take_lora(pipe), pipe


def test_only_the_layers_of_an_adapter_learn():
    pipe = load_pocket("cpu")
    add_lora(pipe, rank=1)
    learning = {name for name, p in pipe.unet.named_parameters() if p.requires_grad}
    layers = [name for name, part in pipe.unet.named_modules() if isinstance(part, LoraLayer)]
    assert learning == {f"{n}.{part}.weight" for n in layers for part in ("down", "up")}
    kinds = {type(pipe.unet.get_submodule(name).base) for name in layers}
    assert kinds == {torch.nn.Linear, torch.nn.Conv2d} and len(layers) > 40


def test_the_stock_pipeline_loads_our_adapter_and_draws_the_same(taught, tmp_path):
    before, ours, tensors, pipe = taught
    file = tmp_path / "zubrik.safetensors"
    save_file(tensors, file, {"format": "pt"})
    assert (ours - before).abs().max() > 0.1
    assert torch.equal(latents_of(pipe), before)  # it is what it was
    pipe.load_lora_weights(file, adapter_name="zubrik")
    torch.testing.assert_close(latents_of(pipe), ours, rtol=0, atol=1e-4)
    nothing = latents_of(pipe, cross_attention_kwargs={"scale": 0.0})
    torch.testing.assert_close(nothing, before, rtol=0, atol=1e-4)
    with pytest.raises(ValueError, match="has adapters already: load it anew"):
        add_lora(pipe)
    pipe.unload_lora_weights()
    assert torch.equal(latents_of(pipe), before)


def test_its_names_are_those_that_diffusers_saves(taught, tmp_path):
    from peft.utils import get_peft_model_state_dict

    *_, tensors, _ = taught
    pipe = load_pocket("cpu")
    pipe.load_lora_weights(tensors, adapter_name="zubrik")
    layers = get_peft_model_state_dict(pipe.unet, adapter_name="zubrik")
    pipe.save_lora_weights(tmp_path, unet_lora_layers=layers, weight_name="theirs.safetensors")
    theirs = load_file(tmp_path / "theirs.safetensors")
    assert theirs.keys() == tensors.keys()
    assert all(torch.equal(theirs[name].half(), tensors[name]) for name in tensors)


def test_an_adapter_is_added_once_and_taken_once(pipe):
    with pytest.raises(ValueError, match=r"no adapters of ours: call pocket\.add_lora"):
        take_lora(pipe)
    other = load_pocket("cpu")
    add_lora(other)
    with pytest.raises(ValueError, match="has adapters already"):
        add_lora(other)


def test_without_peft_one_sentence_says_what_to_install(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ImportError, match=r"^diffusers needs peft .* run  %pip install peft  in"):
        check_peft()


# ---- our core's counterparts --------------------------------------------------------------------


@pytest.fixture
def exact():
    """All in float64, its schedule too, which the library keeps in float32."""
    pipe = load_pocket("cpu")
    pipe.unet.double()
    pipe.scheduler.alphas_cumprod = cosine_schedule().alpha_bar
    pipe.scheduler.final_alpha_cumprod = torch.tensor(1.0, dtype=torch.float64)
    return pipe


class Guided:
    predicts = "velocity"

    def __init__(self, unet, spells, scale):
        self.unet, self.spells, self.scale = unet, spells, scale

    def __call__(self, x_t, t):
        silent, heard = self.unet(x_t.repeat(2, 1, 1, 1), t[0], self.spells).sample.chunk(2)
        return silent + self.scale * (heard - silent)


def test_its_schedule_is_ours(pipe):
    theirs, ours = pipe.scheduler.alphas_cumprod, cosine_schedule().alpha_bar
    torch.testing.assert_close(theirs.double(), ours, rtol=0, atol=1e-6)


@pytest.mark.parametrize("scale", [1.5, 3.0, 7.5])
def test_a_whole_creation_is_ours_step_by_step(exact, scale):
    x_T, theirs = pure_noise(1, (4, 16, 16), seed=1).double(), []
    with torch.no_grad():
        spells = hidden(exact, ["", "cat face, fluent"]).double()
    exact.text_encoder = None  # it has heard; that of transformers 4 cannot work in 64 bits

    def note(pipe, i, t, values):
        theirs.append((int(t), values["latents"]))
        return values

    how = {"num_inference_steps": 5, "guidance_scale": scale, "output_type": "latent"}
    how |= {"negative_prompt_embeds": spells[:1], "prompt_embeds": spells[1:]}
    exact(latents=x_T, callback_on_step_end=note, **how)
    ours = list(ddim(Guided(exact.unet, spells, scale), x_T, steps=5))
    assert [t for t, _ in theirs] == [step.t for step in ours]
    after = [step.x_t for step in ours[1:]] + [ours[-1].clean]
    for (_, a), b in zip(theirs, after):
        torch.testing.assert_close(a, b, rtol=0, atol=1e-6)


# ---- prompts ------------------------------------------------------------------------------------

ANYTHING = [
    "",
    " ",
    "🚀🚀",
    "\x00",
    "<script>alert(1)</script>",
    "ё" * 300,
    "a" * 5000,
    "漢字 ﷽",
    "’s",
]


@pytest.mark.parametrize("words", ANYTHING)
@pytest.mark.parametrize("style", [None, *STYLES])
def test_any_text_can_be_spelled_and_keeps_its_style(pipe, words, style):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PromptWarning)
        prompt = format_prompt(pipe, words, style)
    ids = pipe.tokenizer(prompt).input_ids
    assert len(ids) <= pipe.tokenizer.model_max_length
    assert style is None or prompt.endswith(f", {style}")
    assert torch.isfinite(hidden(pipe, [prompt])).all()


def test_a_prompt_that_is_too_long_says_what_is_heard(pipe):
    with pytest.warns(PromptWarning, match="first 1[0-9] tokens"):
        format_prompt(pipe, "a very long story about a cat " * 10, "noto")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert format_prompt(pipe, "a red apple", "noto") == "a red apple, noto"


@pytest.mark.parametrize("words", ["красное яблоко ", "תפוח אדום ", "☢☣", "ある林檎 ", "é"])
def test_a_long_prompt_may_be_cut_inside_a_sign(pipe, words):
    """Half a sign is left out, and every cut comes to an end."""
    for start in range(8):
        with pytest.warns(PromptWarning, match="first 1[0-9] tokens"):
            heard = format_prompt(pipe, "x" * start + words * 12, "noto")
        assert "\ufffd" not in heard
        assert heard.replace(" ", "").startswith("x" * start + words[0])
        assert 15 <= len(pipe.tokenizer(heard).input_ids) <= 20  # a sign has up to 4 tokens


@pytest.mark.parametrize(
    ("prompt", "as_said"),
    [
        ("🍎", "red apple"),
        ("a 🍎 on a table", "a red apple on a table"),
        ("👩🏽‍🚀❤️", "woman astronaut red heart"),
    ],
)
def test_an_emoji_is_heard_as_its_name(pipe, prompt, as_said):
    assert format_prompt(pipe, prompt, "noto") == f"{as_said}, noto"


def test_a_wrong_prompt_or_style_gets_one_sentence(pipe):
    with pytest.raises(ValueError, match="styles noto, twemoji, fluent, got 'fxemoji'"):
        format_prompt(pipe, "a cat", "fxemoji")
    with pytest.raises(ValueError, match=r"a prompt is a piece of text.*got int"):
        format_prompt(pipe, 3)


def test_each_emoji_name_fits(pipe):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for name in set(load_emoji().names):
            format_prompt(pipe, name, "twemoji")


# ---- what is inside ------------------------------------------------------------------------------


def test_the_backbones_have_the_sizes_that_are_published():
    published = {
        "Stable Diffusion 1": 860,
        "SDXL": 2600,
        "SD 3 Medium": 2000,
        "ControlNet for it": 361,
    }
    published |= {"FLUX.1 [dev]": 12000, "FLUX.2 [dev]": 32000}
    counted = count_backbones()
    assert counted.keys() >= published.keys() == BACKBONES.keys()
    for name, millions in published.items():
        assert counted[name] == pytest.approx(millions, rel=0.02), name
    assert counted["LoRA of rank 4 for it"] == pytest.approx(0.797184)  # as diffusers' own example


def test_a_backbone_that_diffusers_does_not_know_is_left_out(monkeypatch):
    known = {"SD1": BACKBONES["Stable Diffusion 1"], "another": ("NoSuchModel", {})}
    monkeypatch.setattr(pocket, "BACKBONES", known)
    assert list(count_backbones()) == ["SD1"]


def test_the_settings_are_those_of_the_files(pipe):
    ours = settings_of(pipe)
    assert list(ours) == list(settings_of_sd1())
    assert list(ours.values()) == [
        "64",
        "4, a side 4 times smaller",
        "1.4",
        "6.0",
        "0.7",
        "squaredcos_cap_v2",
        "v_prediction",
        "trailing",
        "4",
        "yes",
    ]


def test_the_shapes_halve_and_double(pipe):
    found = shapes_inside(pipe, torch.randn(1, 4, 16, 16), 500, hidden(pipe, [""]))
    assert list(found) == [
        *("enter", "down 1", "down 2", "down 3", "middle", "up 1", "up 2", "up 3", "leave")
    ]
    assert found["down 1"] == ["DownBlock2D", "(1, 64, 8, 8)", 2]
    assert found["leave"] == ["Conv2d", "(1, 4, 16, 16)", ""]
    assert not any(part._forward_hooks for part in pipe.unet.modules())


# ---- what is missing ----------------------------------------------------------------------------


def test_without_diffusers_one_sentence_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "diffusers", None)
    for needs_it in (load_pocket, count_backbones):
        with pytest.raises(ImportError, match=r"%pip install diffusers transformers "):
            needs_it()


WITHOUT_ACCELERATE = """
import sys
sys.modules["accelerate"] = sys.modules["peft"] = None  # peft brings accelerate
from diffusion_helpers.pocket import load_pocket
assert load_pocket("cpu").unet is not None
"""


def test_it_loads_in_silence_where_accelerate_is_not_installed():
    """As where diffusers came alone, on Colab or by `--no-deps`: accelerate comes with peft."""
    load = [sys.executable, "-c", WITHOUT_ACCELERATE]
    done = subprocess.run(load, capture_output=True, text=True, cwd=REPO)
    assert done.returncode == 0, done.stderr
    assert done.stdout == done.stderr == ""


def test_a_missing_folder_is_named(monkeypatch, tmp_path):
    shutil.copy(data.DATA / "SHA256SUMS", tmp_path)
    monkeypatch.setattr(data, "DATA", tmp_path)
    with pytest.raises(
        FileNotFoundError, match=r"pocket-stable-diffusion.* is missing.*git checkout data"
    ):
        load_pocket()


@pytest.mark.parametrize("part", ["unet/diffusion_pytorch_model.safetensors", "unet/config.json"])
def test_a_damaged_file_gets_one_sentence(part, tmp_path):
    copy = tmp_path / "pocket"
    shutil.copytree(POCKET, copy)
    (copy / part).write_bytes((copy / part).read_bytes()[:100])
    with pytest.raises(ValueError, match="no pipeline to load"):
        load_pipeline(copy)


def test_a_model_that_is_nowhere_gets_one_sentence():
    with pytest.raises(ValueError, match="no pipeline to load at 'nobody/nothing'"):
        load_pipeline("nobody/nothing")
