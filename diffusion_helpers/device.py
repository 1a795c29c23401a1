"""One place that knows about devices and number formats, so that no lesson has to."""

import os
import time

import torch
import torch.nn.functional as F

from .checks import brief
from .languages import tr

ALL_THREADS = torch.get_num_threads()  # as PyTorch or OMP_NUM_THREADS chose when we were imported


def pick_device() -> torch.device:
    """The fastest device of this machine: an NVIDIA or AMD card, an Apple chip, or the CPU.

    Under `accelerate launch` each process gets a card of its own.
    """
    if torch.cuda.is_available():
        rank = os.environ.get("LOCAL_RANK")
        return torch.device("cuda" if rank is None else f"cuda:{rank}")
    if torch.backends.mps.is_available():
        return torch.device("mps")
    choose_thread_count()
    return torch.device("cpu")


def as_device(device: torch.device | str | None = None) -> torch.device:
    """A device by its name ("cuda:1"), or the fastest one; one sentence where there is no such."""
    if device is None:
        return pick_device()
    try:
        return torch.empty(0, device=device).device
    except Exception:  # torch has several, and the same sentence answers all of them
        raise ValueError(
            tr(
                "this machine has no device {}: leave `device` out to get the fastest one",
                brief(device),
            )
        ) from None


def choose_thread_count() -> None:
    """Use all cores, or only one when the others are busy with something else.

    Threads wait for one another after every layer, so that a single busy core stalls them all:
    measured on two cores beside another program, one thread trains three times faster than two.
    So both are timed here for a moment, and the faster one stays.
    """
    x, weight = torch.ones(16, 32, 32, 32), torch.ones(32, 32, 3, 3)

    def seconds(threads):
        torch.set_num_threads(threads)
        began = time.perf_counter()
        for _ in range(6):
            F.silu(F.conv2d(x, weight, padding=1))
        return time.perf_counter() - began

    if ALL_THREADS > 1:
        rounds = [(seconds(ALL_THREADS), seconds(1)) for _ in range(4)]  # in turn; first: warm-up
        all_cores, one_core = map(sum, zip(*rounds[1:], strict=True))
        torch.set_num_threads(ALL_THREADS if all_cores < one_core else 1)


def bf16_helps(device: torch.device) -> bool:
    """True where 16-bit brain floats are computed in hardware, so that they save time.

    On CPUs that means AMX tiles (Intel) or AVX-512 BF16 (AMD since Zen 4, some of Intel's): there
    the UNet trains about twice as fast. Without them bf16 is emulated and slower than float32.
    oneDNN can be told to ignore them (`ONEDNN_MAX_CPU_ISA=AVX2`); then so do we.
    """
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    if device.type == "cpu":
        limit = os.environ.get("ONEDNN_MAX_CPU_ISA", "ALL").upper()
        allowed = any(name in limit for name in ("ALL", "DEFAULT", "BF16", "FP16", "AMX", "AVX10"))
        # private names: a PyTorch that lacks one simply computes in float32
        ways = ("_is_amx_tile_supported", "_is_avx512_bf16_supported")
        return allowed and any(getattr(torch.cpu, way, bool)() for way in ways)
    return False


def fast_dtype(x: torch.Tensor) -> torch.dtype:
    """The number format for heavy work on x: bf16 for float32 where it helps, else that of x."""
    return torch.bfloat16 if x.dtype == torch.float32 and bf16_helps(x.device) else x.dtype


def fast_math(x: torch.Tensor) -> torch.autocast:
    """Autocast to bf16 for a float32 input where it helps; float64 inputs keep full precision."""
    use_bf16 = fast_dtype(x) == torch.bfloat16 != x.dtype
    return torch.autocast(x.device.type, dtype=torch.bfloat16, enabled=use_bf16)
