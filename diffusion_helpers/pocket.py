"""Lesson 08: a real Stable Diffusion in your pocket, or one of your own.

The pocket Stable Diffusion was trained by this course on emoji of 64x64 pixels
(data/train_pocket.py). Its parts are stock classes of diffusers and transformers, and diffusers'
own pipeline draws with it.
"""

import importlib.util
import re
from pathlib import Path
from typing import Any

import torch

from .checks import as_path, brief, check_count, check_floats, check_images, check_t, utf8_safe
from .data import DATA, read_data, shipped
from .device import as_device
from .languages import marked, tr, trn
from .lora import RANK, LoraLayer, as_kept, lora_layers, replace_part
from .words import PromptWarning, name_emoji

POCKET = DATA / "pocket-stable-diffusion"
STYLES = ("noto", "twemoji", "fluent")  # the hands it knows; a prompt ends with one: "rocket, noto"
MISSING = marked(
    "this needs diffusers and transformers, which belong to the course: run  "
    "%pip install diffusers transformers  in a cell, then restart the kernel"
)


def load_pocket(device: torch.device | str | None = None) -> Any:
    """The pocket Stable Diffusion as diffusers' StableDiffusionPipeline, in float32.

    Raises ImportError without diffusers, FileNotFoundError or ValueError for missing or damaged
    files; nothing is downloaded.
    """
    for name in shipped(POCKET.name):
        read_data(name)  # diffusers would not notice a changed bit
    return load_pipeline(POCKET, device)


def load_pipeline(name_or_folder: str | Path, device: torch.device | str | None = None) -> Any:
    """Any Stable Diffusion pipeline: a folder on this disk, or a model's name on a hub.

    A folder that exists is read without any network; a name is downloaded by diffusers. No safety
    checker is loaded, so look before you show. Raises ImportError without diffusers, ValueError
    with one sentence where there is no such pipeline.
    """
    device = as_device(device)
    try:
        from diffusers import DiffusionPipeline
        from diffusers.utils import is_accelerate_available
        from diffusers.utils import logging as of_diffusers
        from transformers.utils import logging as of_transformers
    except ImportError:
        raise ImportError(tr(MISSING)) from None
    of_diffusers.disable_progress_bar()
    of_transformers.disable_progress_bar()
    folder = as_path(name_or_folder)
    here = folder.is_dir()
    name = str(folder if here else name_or_folder)
    if here and not Path(folder, "model_index.json").is_file():
        raise ValueError(tr("there is no pipeline to load in {}", brief(name)))
    code = sorted(folder.rglob("*.py")) if here else []
    if code:  # older versions of diffusers would run it
        raise ValueError(
            tr(
                "there is no pipeline to load at {!r}: it brings code of its own, {}, which is "
                "never run here",
                name,
                code[0].name,
            )
        )
    try:
        pipe = DiffusionPipeline.from_pretrained(
            name,
            local_files_only=here,
            use_safetensors=True,
            safety_checker=None,
            low_cpu_mem_usage=is_accelerate_available(),  # without it, diffusers would warn
        )
    except Exception as problem:  # each library has its own; the reader needs one sentence
        first = str(problem).strip().splitlines() or [type(problem).__name__]
        raise ValueError(
            tr("there is no pipeline to load at {}: {}", brief(name), first[0][:200])
        ) from None
    pipe.set_progress_bar_config(disable=True)
    return pipe.to(device)


def format_prompt(pipe: Any, words: str, style: str | None = None) -> str:
    """A prompt as the pocket model was taught to hear it: "rocket, noto"; an emoji as its name.

    Warns (`words.PromptWarning`) about words for which its 20 tokens leave no room, and leaves them
    out, so that the style is heard. Raises ValueError for a style that is not one of STYLES.
    """
    if style is not None and (not isinstance(style, str) or style not in STYLES):
        raise ValueError(
            tr("the pocket model knows the styles {}, got {}", ", ".join(STYLES), brief(style))
        )
    _check_pipe(pipe)
    words = utf8_safe(name_emoji(words))  # the tokenizer refuses half an emoji
    end = f", {style}" if style else ""
    tokens = pipe.tokenizer(words, add_special_tokens=False).input_ids
    room = pipe.tokenizer.model_max_length - 2
    room -= len(pipe.tokenizer(end, add_special_tokens=False).input_ids)
    if len(tokens) > room:
        PromptWarning.say(tr("I hear the first {} tokens of a prompt", room))
        for kept in range(room, -1, -1):  # a sign that is cut in two may spell itself longer
            words = pipe.tokenizer.decode(tokens[:kept]).rstrip("\ufffd")
            if len(pipe.tokenizer(words, add_special_tokens=False).input_ids) <= room:
                break
    return words + end


def _check_pipe(pipe):
    if not hasattr(pipe, "tokenizer") or not hasattr(pipe, "vae"):
        raise ValueError(
            tr("expected a Stable Diffusion such as load_pocket(), got {}", brief(pipe))
        )
    return pipe


@torch.no_grad()
def to_pictures(pipe: Any, latents: torch.Tensor) -> torch.Tensor:
    """Latents (B, C, h, w), as the UNet sees them, to pictures (B, 3, H, W) on the CPU."""
    vae = _check_pipe(pipe).vae
    check_images(latents, what=marked("latents"))
    check_floats(latents, "B C h w", marked("latents"), C=vae.config.latent_channels)
    latents = latents.to(vae.device, vae.dtype)
    pictures = vae.decode(latents / vae.config.scaling_factor).sample
    return pictures.clamp(-1, 1).float().cpu()


@torch.no_grad()
def to_latents(pipe: Any, pictures: torch.Tensor) -> torch.Tensor:
    """Pictures (B, 3, H, W) in [-1, 1] to the latents (B, C, h, w) that the UNet sees."""
    vae = _check_pipe(pipe).vae
    check_floats(check_images(pictures), "B C H W", marked("pictures"), C=3)
    pictures = pictures.to(vae.device, vae.dtype)
    return vae.encode(pictures).latent_dist.mean * vae.config.scaling_factor


# ---- a word of your own --------------------------------------------------------------------------

MISSING_PEFT = marked(
    "diffusers needs peft for adapters, and it belongs to the course: run  %pip install peft  in a "
    "cell, then restart the kernel"
)
# Attention and the convolutions of blocks, by their names in a UNet2DConditionModel.
LORA_LAYERS = re.compile(r"attn[12]\.(to_[qkv]|to_out\.0)$|resnets\.\d+\.conv[12]$")


def add_lora(pipe: Any, rank: int = RANK) -> None:
    """Put our `LoraLayer` around the attention and the convolutions of the pipeline's UNet.

    Only they will learn. Their first weights are drawn by torch's own generator. Raises ValueError
    where there are adapters already, of ours or of diffusers'.
    """
    unet, check = _check_pipe(pipe).unet, check_count(rank, "rank")
    if lora_layers(unet) or getattr(unet, "peft_config", None):
        raise ValueError(tr("this pipeline has adapters already: load it anew, then add others"))
    unet.requires_grad_(False)
    for name in [name for name, _ in unet.named_modules() if LORA_LAYERS.search(name)]:
        replace_part(unet, name, LoraLayer(unet.get_submodule(name), check))


def take_lora(pipe: Any) -> dict[str, torch.Tensor]:
    """Take our layers out of the pipeline again: what they learned, with the names diffusers uses.

    Saved as safetensors, the result is a file for `pipe.load_lora_weights`, of this pipeline or of
    any other with such a UNet. In 16 bits, strength 1. Raises ValueError where there are none.
    """
    unet, tensors = _check_pipe(pipe).unet, {}
    layers = lora_layers(unet)
    if not layers:
        raise ValueError(
            tr("this pipeline has no adapters of ours: call pocket.add_lora(pipe) first")
        )
    for name, layer in layers.items():
        for part, learned in (("lora_A", layer.down), ("lora_B", layer.up)):
            tensors[f"unet.{name}.{part}.weight"] = as_kept(learned.weight)
        replace_part(unet, name, layer.base)
    return tensors


def check_peft() -> None:
    """Raises ImportError with what to do where peft, which loads adapters, is not installed."""
    if importlib.util.find_spec("peft") is None:
        raise ImportError(tr(MISSING_PEFT))


# ---- what is inside, here and in the large ones --------------------------------------------------


def settings_of_sd1() -> dict[str, str]:
    """Settings of Stable Diffusion 1: its repository and the files of its weights, v1-5."""
    return {
        tr("picture, in pixels"): "512",
        tr("latent: channels, factor"): _latent(4, 8),
        tr("millions of parameters: text encoder"): "123",
        tr("millions of parameters: UNet"): "860",
        tr("millions of parameters: autoencoder"): "84",
        tr("noise schedule"): "scaled_linear",
        tr("the network predicts"): "epsilon",
        tr("spacing of the steps"): "leading",
        tr("cross-attention where the latent's side is"): "64, 32, 16, 8",
        tr("second entrance for the prompt, beside the timestep"): tr("no"),
    }


# The backbones of published models: the class of diffusers, and the settings that its own do not
# have by themselves (from the config.json beside the published weights).
BACKBONES: dict[str, tuple[str, dict[str, Any]]] = {
    "Stable Diffusion 1": ("UNet2DConditionModel", {"cross_attention_dim": 768}),
    marked("ControlNet for it"): ("ControlNetModel", {"cross_attention_dim": 768}),
    "SDXL": (
        "UNet2DConditionModel",
        {
            "block_out_channels": (320, 640, 1280),
            "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
            "up_block_types": ("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
            "transformer_layers_per_block": (1, 2, 10),
            "attention_head_dim": (5, 10, 20),
            "cross_attention_dim": 2048,
            "addition_embed_type": "text_time",
            "addition_time_embed_dim": 256,
            "projection_class_embeddings_input_dim": 2816,
            "use_linear_projection": True,
        },
    ),
    "SD 3 Medium": (
        "SD3Transformer2DModel",
        {
            "num_layers": 24,
            "num_attention_heads": 24,
            "joint_attention_dim": 4096,
            "caption_projection_dim": 1536,
            "pos_embed_max_size": 192,
        },
    ),
    "FLUX.1 [dev]": ("FluxTransformer2DModel", {"guidance_embeds": True}),
    "FLUX.2 [dev]": ("Flux2Transformer2DModel", {}),
}

ATTENTION = re.compile(
    r"attn[12]\.to_(q|k|v|out\.0)\.weight$"
)  # the layers that a LoRA goes beside


def count_backbones() -> dict[str, float]:
    """Millions of parameters of each of BACKBONES, counted without its weights.

    On the device "meta" a network has shapes and no numbers, so 32 billion parameters take no room.
    A class that the installed diffusers does not know is left out. Counted beside Stable Diffusion
    1: a LoRA of rank 4 for the linear layers of its attention (arXiv 2106.09685). Raises
    ImportError without diffusers.
    """
    try:
        import diffusers
    except ImportError:
        raise ImportError(tr(MISSING)) from None
    counted = {}
    for name, (kind, settings) in BACKBONES.items():
        if hasattr(diffusers, kind):
            with torch.device("meta"):
                network = getattr(diffusers, kind)(**settings)
            counted[tr(name)] = sum(weight.numel() for weight in network.parameters()) / 1e6
            if name == "Stable Diffusion 1":
                thin = (sum(w.shape) for n, w in network.named_parameters() if ATTENTION.search(n))
                counted[tr("LoRA of rank 4 for it")] = 4 * sum(thin) / 1e6
    return counted


def _latent(channels: int, factor: int) -> str:
    return trn(
        "{}, a side {} time smaller", "{}, a side {} times smaller", factor, channels, factor
    )


def settings_of(pipe: Any) -> dict[str, str]:
    """What `settings_of_sd1` says of Stable Diffusion 1, read from the parts of `pipe`."""
    vae, unet, text = _check_pipe(pipe).vae, pipe.unet, pipe.text_encoder
    factor = 2 ** (len(vae.config.block_out_channels) - 1)
    kinds = enumerate(unet.config.down_block_types)
    sides = [unet.config.sample_size // 2**i for i, kind in kinds if "CrossAttn" in kind]
    middle = unet.config.sample_size // 2 ** (len(unet.config.down_block_types) - 1)
    sides += [middle] if "CrossAttn" in unet.config.mid_block_type else []
    millions = [sum(w.numel() for w in part.parameters()) / 1e6 for part in (text, unet, vae)]
    values = (
        f"{unet.config.sample_size * factor}",
        _latent(vae.config.latent_channels, factor),
        *(f"{number:.1f}" for number in millions),
        pipe.scheduler.config.beta_schedule,
        pipe.scheduler.config.prediction_type,
        pipe.scheduler.config.get("timestep_spacing", "leading"),
        ", ".join(str(side) for side in dict.fromkeys(sides)),
        tr("no") if unet.config.addition_embed_type is None else tr("yes"),
    )
    return dict(zip(settings_of_sd1(), values, strict=True))


@torch.no_grad()
def shapes_inside(pipe: Any, latents: torch.Tensor, t: int, prompt: torch.Tensor) -> dict:
    """{place in the UNet: [its class, shape that leaves it, bridges that it hands on]}, in order.

    latents (B, C, h, w); prompt (B, tokens, D), what the text encoder made of it.
    """
    unet, found = _check_pipe(pipe).unet, {}
    check_images(latents, what=marked("latents"))
    check_floats(latents, "B C h w", marked("latents"), C=unet.config.in_channels)
    sizes = {"B": len(latents), "D": unet.config.cross_attention_dim}
    check_floats(prompt, "B tokens D", marked("the encoded prompt"), **sizes)
    if prompt.shape[1] == 0:
        raise ValueError(tr("expected an encoded prompt of one token or more, got none"))
    level = check_t(t, len(latents), most=999).to(latents.device)
    places = {"enter": unet.conv_in}
    places |= {f"down {i}": block for i, block in enumerate(unet.down_blocks, start=1)}
    places |= {"middle": unet.mid_block}
    places |= {f"up {i}": block for i, block in enumerate(unet.up_blocks, start=1)}
    places |= {"leave": unet.conv_out}

    def note(place):
        def hook(module, inputs, output):
            bridges = 0
            if isinstance(output, tuple):  # a block of the Path Down hands on its bridges as well
                output, bridges = output[0], len(output[1])
            found[place] = [type(module).__name__, str(tuple(output.shape)), bridges or ""]

        return hook

    hooks = [part.register_forward_hook(note(place)) for place, part in places.items()]
    try:
        unet(latents, level, prompt)
    finally:
        for hook in hooks:
            hook.remove()
    return found
