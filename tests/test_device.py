"""Devices and number formats: the fastest one is picked, and precision is kept where asked."""

import pytest
import torch

from diffusion_helpers import device
from diffusion_helpers.device import bf16_helps, choose_thread_count, fast_math, pick_device

CPU = torch.device("cpu")


@pytest.mark.parametrize(
    ("cuda", "mps", "expected"),
    [
        (True, True, "cuda"),
        (True, False, "cuda"),
        (False, True, "mps"),
        (False, False, "cpu"),
    ],
)
def test_the_fastest_device_is_picked(monkeypatch, cuda, mps, expected):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)
    assert pick_device() == torch.device(expected)


WAYS = ("_is_amx_tile_supported", "_is_avx512_bf16_supported")


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    ("limit", "expected"),
    [
        (None, True),
        ("ALL", True),
        ("default", True),
        ("AVX512_CORE_AMX", True),
        ("AVX512_CORE_AMX_FP16", True),
        ("AVX512_CORE_BF16", True),
        ("AVX512_CORE_VNNI", False),
        ("AVX512_CORE", False),
        ("AVX2", False),
        ("avx2", False),
    ],
)
def test_bf16_follows_the_instruction_limit_of_onednn(monkeypatch, way, limit, expected):
    for name in WAYS:
        monkeypatch.setattr(torch.cpu, name, lambda name=name: name == way, raising=False)
    if limit is None:
        monkeypatch.delenv("ONEDNN_MAX_CPU_ISA", raising=False)
    else:
        monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", limit)
    assert bf16_helps(CPU) is expected


def test_bf16_does_not_help_a_cpu_that_would_emulate_it(monkeypatch):
    monkeypatch.delenv("ONEDNN_MAX_CPU_ISA", raising=False)
    for name in WAYS:
        monkeypatch.setattr(torch.cpu, name, lambda: False, raising=False)
    assert bf16_helps(CPU) is False


def test_bf16_does_not_help_where_torch_cannot_tell(monkeypatch):
    for name in WAYS:
        monkeypatch.delattr(torch.cpu, name, raising=False)
    assert bf16_helps(CPU) is False


def test_bf16_does_not_help_an_apple_chip():
    assert bf16_helps(torch.device("mps")) is False


@pytest.mark.parametrize("emulated", [True, False])
def test_a_card_that_only_emulates_bf16_does_not_count(monkeypatch, emulated):
    def is_bf16_supported(including_emulation=True):
        return including_emulation or not emulated

    monkeypatch.setattr(torch.cuda, "is_bf16_supported", is_bf16_supported)
    assert bf16_helps(torch.device("cuda")) is not emulated


@pytest.mark.parametrize(
    ("dtype", "helps", "expected"),
    [
        (torch.float32, True, torch.bfloat16),
        (torch.float32, False, torch.float32),
        (torch.float64, True, torch.float64),
    ],
)
def test_fast_math_computes_in_bf16_only_for_float32(monkeypatch, dtype, helps, expected):
    monkeypatch.setattr(device, "bf16_helps", lambda _: helps)
    x = torch.ones(4, 4, dtype=dtype)
    with fast_math(x):
        assert (x @ x).dtype == expected
    assert (x @ x).dtype == dtype


@pytest.mark.parametrize("start", [1, device.ALL_THREADS])
def test_choose_thread_count_takes_all_cores_or_one_wherever_it_starts(start):
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(start)
        choose_thread_count()
        assert torch.get_num_threads() in (1, device.ALL_THREADS)
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize(
    ("all_cores", "one_core", "chosen"), [(0.1, 0.2, "all"), (0.3, 0.2, "one")]
)
def test_choose_thread_count_keeps_the_faster_of_the_two(monkeypatch, all_cores, one_core, chosen):
    clock, threads = [0.0], [device.ALL_THREADS]

    def convolve(x, weight, padding):
        clock[0] += all_cores if threads[0] > 1 else one_core
        return x[:1, :1, :1, :1]

    monkeypatch.setattr(device, "ALL_THREADS", 2)
    monkeypatch.setattr(device.time, "perf_counter", lambda: clock[0])
    monkeypatch.setattr(device.F, "conv2d", convolve)
    monkeypatch.setattr(device.torch, "set_num_threads", lambda n: threads.__setitem__(0, n))
    choose_thread_count()
    assert threads[0] == {"all": 2, "one": 1}[chosen]
