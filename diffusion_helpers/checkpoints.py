"""Weights on disk: safetensors only, never pickle, so that a stranger's file cannot run code."""

import hashlib
import json
import os
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch
from einops import rearrange
from safetensors import SafetensorError
from safetensors.torch import load, save

from .checks import as_path, brief, check_checkpoint_path, check_kind
from .data import DATA, read_data
from .denoiser import unwrap
from .device import as_device
from .languages import marked, tr
from .noising import Schedule, cosine_schedule
from .unet import UNet

BLANK = "0" * 64  # where the checksum will stand, while it is computed
SCALE = ".scale_of_rows"  # key suffix of an int8 weight's row scales
SCHEDULE = "schedule.alpha_bar"  # key of the noise schedule that a network was taught with
SHIPPED = (
    *("apprentice", "ladder_blind", "ladder_time", "ladder_attention", "ladder_text"),
    *("demiurge", "swift", "scenes"),
)


def save_tensors(path: str | Path, tensors: dict[str, torch.Tensor], notes: dict[str, Any]) -> None:
    """Write named tensors and a dict of notes, with a checksum over both.

    An interrupted write never harms an older file. Raises OSError, with one sentence, where nothing
    can be written.
    """
    path = as_path(path)
    _check_tensors(tensors)
    half_written = path.with_name(path.name + ".part")
    tensors = {name: tensor.detach().contiguous().cpu() for name, tensor in tensors.items()}
    try:
        about = json.dumps(notes)
    except (TypeError, ValueError):
        raise ValueError(tr("notes are kept as JSON, which cannot hold {}", brief(notes))) from None
    content = save(tensors, metadata={"notes": about, "sha256": BLANK})
    content = _with_checksum(content, BLANK, hashlib.sha256(content).hexdigest())
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with half_written.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())  # all of it is on the disk before the older file goes
        os.replace(half_written, path)
    except OSError as error:
        with suppress(OSError):
            half_written.unlink()
        raise OSError(
            tr(
                "{} cannot be written ({}): make room there, or choose another folder",
                path,
                error.strerror or error,
            )
        ) from None


def _with_checksum(content, old, new):
    """The bytes of a safetensors file with another checksum in its header."""
    return content.replace(f'"sha256":"{old}"'.encode(), f'"sha256":"{new}"'.encode(), 1)


def load_tensors(path: str | Path) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    """(tensors, notes) of a file made by `save_tensors`.

    Raises FileNotFoundError, or ValueError for a file that is cut short, damaged or not ours: a
    single bit that changed is noticed.
    """
    path = as_path(path)
    if path.is_relative_to(DATA):
        content = read_data(path.relative_to(DATA).as_posix())
    elif path.is_file():
        content = path.read_bytes()
    else:
        raise FileNotFoundError(tr("there is no checkpoint {}: check the name", brief(str(path))))
    try:
        size = int.from_bytes(content[:8], "little")  # of the header, which is JSON
        about = json.loads(content[8 : 8 + size])["__metadata__"]
        blank = _with_checksum(content, about["sha256"], BLANK)
        if hashlib.sha256(blank).hexdigest() != about["sha256"]:
            raise ValueError
        return load(content), json.loads(about["notes"])
    except (SafetensorError, KeyError, TypeError, ValueError, RecursionError):
        raise ValueError(
            tr("{} is damaged or is no checkpoint of this course: delete it and train again", path)
        ) from None


def _check_tensors(tensors):
    check_kind(tensors, dict, marked("a dict from names to tensors"))
    for name, tensor in tensors.items():
        if not isinstance(name, str) or not torch.is_tensor(tensor) or tensor.is_meta:
            raise ValueError(
                tr("expected a tensor by its name, got {}: {}", brief(name), brief(tensor))
            )
    return tensors


def quantize_int8(tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Weights in 8 bits, a quarter of their size: each row shares one scale, kept beside it.

    A weight moves by at most 1/254 of the largest of its row; lists of numbers (biases, norms) keep
    16 bits. Measured on the demiurge: its error grows by 0.4 %.
    """
    packed = {}
    for name, tensor in _check_tensors(tensors).items():
        if not torch.isfinite(tensor).all():
            raise ValueError(
                tr("the weights {} hold NaN or infinite values: do not keep them", name)
            )
        if tensor.ndim < 2:
            packed[name] = tensor.half()
            continue
        rows = rearrange(tensor.float(), "row ... -> row (...)")
        scale = (rows.abs().amax(1) / 127).clamp(min=1e-12)
        whole = (rows / rearrange(scale, "row -> row 1")).round().to(torch.int8)
        packed[name] = whole.reshape(tensor.shape)
        packed[name + SCALE] = scale
    return packed


def dequantize(tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """The inverse of `quantize_int8`, as float32; files of 16-bit weights are read as well."""
    _check_tensors(tensors)
    scales = {name: tensor for name, tensor in tensors.items() if name.endswith(SCALE)}
    weights = {name: tensor.float() for name, tensor in tensors.items() if name not in scales}
    for name, scale in scales.items():
        weight = weights.get(name.removesuffix(SCALE))
        if weight is None or scale.shape != weight.shape[:1]:
            raise ValueError(tr("{} has no weight whose rows it could scale", brief(name)))
        weight *= rearrange(scale, "row -> row" + " 1" * (weight.ndim - 1))
    return weights


def pop_schedule(tensors: dict[str, torch.Tensor]) -> Schedule:
    """Take the noise schedule out of a checkpoint's tensors; files without one mean the cosine."""
    alpha_bar = tensors.pop(SCHEDULE, None)
    return cosine_schedule() if alpha_bar is None else Schedule(alpha_bar)


def network_weights(tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """The network's weights in the file of a training, which holds its optimizers, too."""
    weights = {name: tensor for name, tensor in tensors.items() if name.startswith("model.")}
    return {name.removeprefix("model."): tensor for name, tensor in weights.items()}


def save_checkpoint(model: UNet, path: str | Path, **notes: Any) -> None:
    """Save a UNet with its configuration and its noise schedule, for `load_checkpoint`.

    The name ends with .safetensors; the weights are kept in 8 bits (see `quantize_int8`). A
    distilled network takes few, large steps: there, what the layers at full resolution lose is seen
    in every pixel. They keep 16 bits. With 8 the Fréchet distance of "swift" was 0.88, not 0.69.
    """
    model = check_kind(unwrap(model), UNet, marked("a UNet to be saved"))
    weights = model.state_dict()
    tensors = quantize_int8(weights) | {SCHEDULE: model.schedule.alpha_bar}
    full_resolution = ("enter.", "down.0.", f"up.{len(model.up) - 1}.", "leave.")
    for name in weights:
        if model.distilled_steps and name.startswith(full_resolution):
            tensors[name] = weights[name].half()
            tensors.pop(name + SCALE, None)
    save_tensors(check_checkpoint_path(path), tensors, {"config": model.config, **notes})


def load_checkpoint(name_or_path: str | Path, device: torch.device | str | None = None) -> UNet:
    """A network of the course by name ("apprentice"), or one of your own by its file.

    Returns the UNet in evaluation mode on `device` (default: pick_device()), with the noise
    schedule that it was taught with. Raises ValueError for an unknown name or a damaged file,
    FileNotFoundError for a file that is not there.
    """
    path = as_path(name_or_path)
    name = str(name_or_path)
    if name in SHIPPED:
        path = DATA / "checkpoints" / f"{name}.safetensors"
    elif path.suffix != ".safetensors":
        known = ", ".join(SHIPPED)
        raise ValueError(
            tr("no network is called {}: choose {}, or a .safetensors file", brief(name), known)
        )
    tensors, notes = load_tensors(path)
    try:
        schedule = pop_schedule(tensors)
        model = UNet(**notes["config"])
        if "losses" in tensors:  # written by train: take the network, leave the optimizer
            tensors = network_weights(tensors)
        model.load_state_dict(dequantize(tensors))
    except (KeyError, TypeError, ValueError, RuntimeError):
        raise ValueError(
            tr("{} does not hold a UNet of this version of the course", path)
        ) from None
    model.schedule = schedule
    return model.eval().to(as_device(device))
