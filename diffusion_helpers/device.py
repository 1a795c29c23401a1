"""One place that knows about devices and number formats, so that no lesson has to."""

import os

import torch


def pick_device():
    """The fastest device of this machine: an NVIDIA or AMD card, an Apple chip, or the CPU."""
    if torch.cuda.is_available():
        return torch.device("cuda")
    if torch.backends.mps.is_available():
        return torch.device("mps")
    return torch.device("cpu")


def bf16_helps(device):
    """True where 16-bit brain floats are computed in hardware, so that they save time.

    On CPUs that means Intel's AMX tiles; without them bf16 is emulated and slower than float32.
    oneDNN can be told to ignore AMX (`ONEDNN_MAX_CPU_ISA=AVX2`); then so do we.
    """
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    if device.type == "cpu":
        limit = os.environ.get("ONEDNN_MAX_CPU_ISA", "ALL").upper()
        has_amx = getattr(torch.cpu, "_is_amx_tile_supported", lambda: False)()
        return has_amx and (limit in ("ALL", "DEFAULT") or "AMX" in limit)
    return False


def fast_math(x):
    """Autocast to bf16 for a float32 input where it helps; float64 inputs keep full precision."""
    use_bf16 = x.dtype == torch.float32 and bf16_helps(x.device)
    return torch.autocast(x.device.type, dtype=torch.bfloat16, enabled=use_bf16)
