"""Lesson 08: a real Stable Diffusion in your pocket, or one of your own.

The pocket Stable Diffusion was trained by this course on emoji of 64x64 pixels
(data/train_pocket.py). Its parts are stock classes of diffusers and transformers, and diffusers'
own pipeline draws with it. Both libraries come with the extra `pocket`.
"""

from pathlib import Path
from typing import Any

import torch

from .checks import as_path, brief, check_floats, check_images, utf8_safe
from .data import DATA, read_data, shipped
from .device import as_device
from .words import PromptWarning, name_emoji

POCKET = DATA / "pocket-stable-diffusion"
STYLES = ("noto", "twemoji", "fluent")  # the hands it knows; a prompt ends with one: "rocket, noto"
MISSING = (
    'this needs diffusers and transformers. Run  %pip install -e "..[pocket]"  in the notebook, '
    'or  pip install -e ".[pocket]"  in the folder of the course, then restart the kernel'
)


def load_pocket(device: torch.device | str | None = None) -> Any:
    """The pocket Stable Diffusion as diffusers' StableDiffusionPipeline, in float32.

    Raises ImportError without the extra, FileNotFoundError or ValueError for missing or damaged
    files; nothing is downloaded.
    """
    for name in shipped(POCKET.name):
        read_data(name)  # diffusers would not notice a changed bit
    return load_pipeline(POCKET, device)


def load_pipeline(name_or_folder: str | Path, device: torch.device | str | None = None) -> Any:
    """Any Stable Diffusion pipeline: a folder on this disk, or a model's name on a hub.

    A folder that exists is read without any network; a name is downloaded by diffusers. No safety
    checker is loaded, so look before you show. Raises ImportError without the extra, ValueError
    with one sentence where there is no such pipeline.
    """
    device = as_device(device)
    try:
        from diffusers import DiffusionPipeline
        from diffusers.utils import logging as of_diffusers
        from transformers.utils import logging as of_transformers
    except ImportError:
        raise ImportError(MISSING) from None
    of_diffusers.disable_progress_bar()
    of_transformers.disable_progress_bar()
    folder = as_path(name_or_folder)
    here = folder.is_dir()
    name = str(folder if here else name_or_folder)
    if here and not Path(folder, "model_index.json").is_file():
        raise ValueError(f"there is no pipeline to load in {brief(name)}")
    code = sorted(folder.rglob("*.py")) if here else []
    if code:  # older versions of diffusers would run it
        raise ValueError(
            f"there is no pipeline to load at {name!r}: it brings code of its own, "
            f"{code[0].name}, which is never run here"
        )
    try:
        pipe = DiffusionPipeline.from_pretrained(
            name, local_files_only=here, use_safetensors=True, safety_checker=None
        )
    except Exception as problem:  # each library has its own; the reader needs one sentence
        first = str(problem).strip().splitlines() or [type(problem).__name__]
        raise ValueError(
            f"there is no pipeline to load at {brief(name)}: {first[0][:200]}"
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
            f"the pocket model knows the styles {', '.join(STYLES)}, got {brief(style)}"
        )
    _check_pipe(pipe)
    words = utf8_safe(name_emoji(words))  # the tokenizer refuses half an emoji
    end = f", {style}" if style else ""
    tokens = pipe.tokenizer(words, add_special_tokens=False).input_ids
    room = pipe.tokenizer.model_max_length - 2
    room -= len(pipe.tokenizer(end, add_special_tokens=False).input_ids)
    if len(tokens) > room:
        PromptWarning.say(f"I hear the first {room} tokens of a prompt")
        for kept in range(room, -1, -1):  # a sign that is cut in two may spell itself longer
            words = pipe.tokenizer.decode(tokens[:kept]).rstrip("\ufffd")
            if len(pipe.tokenizer(words, add_special_tokens=False).input_ids) <= room:
                break
    return words + end


def _check_pipe(pipe):
    if not hasattr(pipe, "tokenizer") or not hasattr(pipe, "vae"):
        raise ValueError(f"expected a Stable Diffusion such as load_pocket(), got {brief(pipe)}")
    return pipe


@torch.no_grad()
def to_pictures(pipe: Any, latents: torch.Tensor) -> torch.Tensor:
    """Latents (B, C, h, w), as the UNet sees them, to pictures (B, 3, H, W) on the CPU."""
    vae = _check_pipe(pipe).vae
    check_images(latents, what="latents")
    check_floats(latents, "B C h w", "latents", C=vae.config.latent_channels)
    latents = latents.to(vae.device, vae.dtype)
    pictures = vae.decode(latents / vae.config.scaling_factor).sample
    return pictures.clamp(-1, 1).float().cpu()


@torch.no_grad()
def to_latents(pipe: Any, pictures: torch.Tensor) -> torch.Tensor:
    """Pictures (B, 3, H, W) in [-1, 1] to the latents (B, C, h, w) that the UNet sees."""
    vae = _check_pipe(pipe).vae
    check_floats(check_images(pictures), "B C H W", "pictures", C=3)
    pictures = pictures.to(vae.device, vae.dtype)
    return vae.encode(pictures).latent_dist.mean * vae.config.scaling_factor
