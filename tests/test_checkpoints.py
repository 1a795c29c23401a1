"""Weights on disk: what is saved comes back, and every broken file gets one sentence."""

import json
import os
import pickle

import pytest
import torch
from safetensors import safe_open

from diffusion_helpers import checkpoints, data
from diffusion_helpers.checkpoints import (
    load_checkpoint,
    load_tensors,
    save_checkpoint,
    save_tensors,
)
from diffusion_helpers.unet import UNet

SHIPPED_DEMIURGE = data.DATA / "checkpoints" / "demiurge.safetensors"
CONFIGS = [
    {"image_shape": (3, 8, 8), "widths": (16, 32), "blocks": 1},
    {"image_shape": (1, 28, 28), "widths": (16, 32), "blocks": 1, "time": False},
    {"image_shape": (3, 8, 8), "widths": (16, 32, 48), "blocks": 2, "predicts": "noise"},
    {"image_shape": (3, 8, 8), "widths": (16,), "blocks": 1, "predicts": "clean"},
    {"image_shape": (3, 8, 8), "widths": (16, 32), "blocks": 1, "text": True, "distilled_steps": 4},
]


def network(**config):
    """A network whose weights are all at work."""
    torch.manual_seed(0)
    net = UNet(**(config or CONFIGS[0]))
    with torch.no_grad():
        for p in net.parameters():
            p.add_(0.1 * torch.randn_like(p))
    return net.eval()


@pytest.fixture
def file(tmp_path):
    return tmp_path / "net.safetensors"


# ---- round trip ---------------------------------------------------------------------------------


@pytest.mark.parametrize("config", CONFIGS)
def test_a_saved_network_comes_back(config, file):
    net = network(**config)
    save_checkpoint(net, file)
    again = load_checkpoint(file, device="cpu")
    assert again.config == net.config and not again.training
    weights = again.state_dict()
    assert weights.keys() == net.state_dict().keys()
    for name, weight in net.state_dict().items():
        assert weights[name].dtype == torch.float32
        gap = (weights[name] - weight).abs()
        fine = net.distilled_steps and name.startswith(("enter.", "down.0.", "up.0.", "leave."))
        if weight.ndim < 2 or fine:  # 16 bits keep 11 binary digits
            assert (gap <= 2**-11 * weight.abs() + 1e-7).all()
        else:  # 8 bits: half a step of 1/127 of the largest weight of the row
            largest = weight.flatten(1).abs().amax(1)
            assert (gap.flatten(1).amax(1) <= largest / 253).all()


def test_eight_bits_on_disk_hardly_change_the_answer(file):
    net = network()
    save_checkpoint(net, file)
    x_t = torch.randn(4, 3, 8, 8, generator=torch.Generator().manual_seed(1)).double()
    before, after = (n.double()(x_t, 500) for n in (net, load_checkpoint(file, device="cpu")))
    error = (before - after).square().mean().sqrt() / before.square().mean().sqrt()
    assert 0 < error < 2e-2


def test_the_file_is_a_quarter_of_the_size_of_the_weights(file):
    net = network()
    save_checkpoint(net, file)
    weights = sum(p.numel() for p in net.parameters())
    assert weights <= file.stat().st_size < 1.1 * weights + 30_000


def test_rows_of_zeros_and_huge_weights_come_back(file):
    net = network()
    with torch.no_grad():
        net.enter.weight[0] = 0.0
        net.enter.weight[1] *= 1e5  # too large for 16 bits
    save_checkpoint(net, file)
    found = load_checkpoint(file, device="cpu").enter.weight
    assert (found[0] == 0).all()
    torch.testing.assert_close(found[1], net.enter.weight[1], rtol=0, atol=1e5 / 100)


def test_files_of_sixteen_bits_are_still_read(file):
    net = network()
    half = {name: tensor.half() for name, tensor in net.state_dict().items()}
    save_tensors(file, half, {"config": net.config})
    found = load_checkpoint(file, device="cpu").state_dict()
    assert all(torch.equal(found[name], tensor.float()) for name, tensor in half.items())


def test_notes_are_kept(file):
    notes = {"seed": 7, "steps": 2000, "what": "жёлтые лица", "loss": [0.5, 0.25]}
    save_checkpoint(network(), file, **notes)
    _, found = load_tensors(file)
    assert {name: found[name] for name in notes} == notes


def test_tensors_keep_their_kind_shape_and_values(file):
    tensors = {
        "half": torch.arange(4).half(),
        "double": torch.rand(2, 3, dtype=torch.float64),
        "whole": torch.tensor(5),
        "transposed": torch.rand(3, 4).T,
        "channels_last": torch.rand(2, 3, 4, 4).to(memory_format=torch.channels_last),
    }
    save_tensors(file, tensors, {})
    found, notes = load_tensors(file)
    assert notes == {} and found.keys() == tensors.keys()
    for name, tensor in tensors.items():
        assert found[name].dtype == tensor.dtype and torch.equal(found[name], tensor)


def test_a_missing_folder_is_made(tmp_path):
    file = tmp_path / "my_runs" / "today" / "net.safetensors"
    save_checkpoint(network(), file)
    assert file.is_file()


def test_a_network_may_be_named_by_a_string(file):
    save_checkpoint(network(), str(file))
    assert load_checkpoint(str(file), device="cpu").config == network().config


def test_the_file_is_plain_safetensors_without_pickle(file, monkeypatch):
    def forbidden(*_, **__):
        raise AssertionError("pickle can run a stranger's code")

    for module, name in [
        (pickle, "dump"),
        (pickle, "dumps"),
        (pickle, "load"),
        (pickle, "loads"),
        (torch, "save"),
        (torch, "load"),
    ]:
        monkeypatch.setattr(module, name, forbidden)
    save_checkpoint(network(), file)
    load_checkpoint(file, device="cpu")
    with safe_open(file, framework="pt") as opened:
        assert json.loads(opened.metadata()["notes"])["config"] == network().config


def test_what_was_read_does_not_hang_on_the_file(file):
    weights = {"a": torch.arange(100_000, dtype=torch.float32)}
    save_tensors(file, weights, {})
    found, _ = load_tensors(file)
    with file.open("r+b") as opened:  # as another program might
        opened.write(bytes(file.stat().st_size))
    assert torch.equal(found["a"], weights["a"])


# ---- an interrupted write -----------------------------------------------------------------------


def test_an_interrupted_write_leaves_the_older_file_whole(file, monkeypatch):
    net = network()
    save_checkpoint(net, file)
    before = file.read_bytes()

    def power_cut(part, _):
        os.truncate(part, len(before) // 2)
        raise OSError("the power went out")

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", power_cut)
        with pytest.raises(OSError, match="the power went out"):
            save_checkpoint(net, file)
    assert file.read_bytes() == before

    save_checkpoint(net, file)  # what was half written harms nothing
    assert sorted(p.name for p in file.parent.iterdir()) == [file.name]


# ---- what the course ships ----------------------------------------------------------------------


@pytest.mark.parametrize("name", checkpoints.SHIPPED)
def test_every_shipped_network_loads(name):
    net = load_checkpoint(name, device="cpu")
    out = net(torch.randn(2, *net.image_shape), torch.tensor([10, 900]))
    assert out.shape == (2, 3, 32, 32) and out.isfinite().all()
    assert not net.training


def test_a_network_that_is_not_distilled_is_kept_as_before(file):
    """Nothing new is in the file, so that older editions of the course read it, too."""
    net = load_checkpoint("demiurge", device="cpu")
    save_checkpoint(net, file)
    (old, _), (new, notes) = map(load_tensors, (SHIPPED_DEMIURGE, file))
    assert net.distilled_steps is None and "distilled_steps" not in notes["config"]
    assert new.keys() - {checkpoints.SCHEDULE} == old.keys() - {checkpoints.SCHEDULE}


def test_the_rungs_of_the_ladder_differ_in_their_magics_only():
    rungs = [n for n in checkpoints.SHIPPED if n.startswith("ladder_")]
    configs = {n: load_checkpoint(n, device="cpu").config for n in rungs}
    magics = {n: (c.pop("time"), c.pop("attention")) for n, c in configs.items()}
    assert magics["ladder_blind"] == (False, False)
    assert magics["ladder_time"] == (True, False)
    assert magics["ladder_attention"] == (True, True)
    assert len({str(c) for n, c in configs.items() if n in magics and not c["text"]}) == 1


# ---- one clear sentence for each mistake --------------------------------------------------------


@pytest.mark.skipif(os.name == "nt", reason="Windows keeps its permissions elsewhere")
def test_others_on_the_same_machine_may_read_the_file_like_any_other(file):
    plain = file.with_name("plain.txt")
    plain.write_text("any file")
    save_checkpoint(network(), file)
    assert file.stat().st_mode == plain.stat().st_mode


@pytest.mark.parametrize("name", ["aprentice", "net.pt", "", "demiurge.ckpt"])
def test_an_unknown_name_lists_the_known_ones(name):
    with pytest.raises(ValueError, match=f"no network is called {name!r}: choose .*safetensors"):
        load_checkpoint(name)
    for known in checkpoints.SHIPPED:
        with pytest.raises(ValueError, match=known):
            load_checkpoint(name)


def test_a_missing_file_is_named(file):
    with pytest.raises(FileNotFoundError, match=r"there is no checkpoint .*net\.safetensors"):
        load_checkpoint(file)


def test_a_missing_shipped_network_says_how_to_get_it_back(tmp_path, monkeypatch):
    for module in (checkpoints, data):
        monkeypatch.setattr(module, "DATA", tmp_path)
    with pytest.raises(FileNotFoundError, match=r"apprentice\.safetensors.*git checkout data"):
        load_checkpoint("apprentice")


def saved_bytes(folder):
    save_checkpoint(network(), folder / "good.safetensors")
    return (folder / "good.safetensors").read_bytes()


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(lambda good: b"", id="empty"),
        pytest.param(lambda good: good[:4], id="cut in its length"),
        pytest.param(lambda good: good[:100], id="cut in its header"),
        pytest.param(lambda good: good[: len(good) // 2], id="cut in its weights"),
        pytest.param(lambda good: good[:-1], id="one byte short"),
        pytest.param(lambda good: b"\xff" * 8 + good[8:], id="absurd length"),
        pytest.param(lambda good: bytes(range(256)) * 40, id="garbage"),
        pytest.param(lambda good: pickle.dumps({"weights": [1.0] * 100}), id="pickle"),
        pytest.param(lambda good: b"version https://git-lfs.github.com/spec/v1\n", id="pointer"),
        pytest.param(lambda good: b"<!DOCTYPE html><html>Not found</html>" * 9, id="web page"),
    ],
)
def test_a_damaged_file_gets_one_sentence_that_names_it(damage, file):
    file.write_bytes(damage(saved_bytes(file.parent)))
    with pytest.raises(ValueError, match=r"net\.safetensors is damaged or is no checkpoint"):
        load_checkpoint(file)


def test_a_torch_file_with_a_new_ending_gets_one_sentence(file):
    torch.save(network().state_dict(), file)
    with pytest.raises(ValueError, match=r"net\.safetensors is damaged or is no checkpoint"):
        load_checkpoint(file)


def test_a_safetensors_file_of_others_gets_one_sentence(file):
    from safetensors.torch import save_file

    save_file({"a": torch.ones(3)}, file)
    with pytest.raises(ValueError, match=r"net\.safetensors is damaged or is no checkpoint"):
        load_checkpoint(file)


GOOD = UNet(**CONFIGS[0]).config


@pytest.mark.parametrize(
    "notes",
    [
        pytest.param({}, id="no configuration"),
        pytest.param({"config": None}, id="empty configuration"),
        pytest.param({"config": {**GOOD, "magic": 3}}, id="unknown part"),
        pytest.param({"config": {**GOOD, "widths": [16, 48]}}, id="another width"),
        pytest.param({"config": {**GOOD, "time": False}}, id="another magic"),
        pytest.param({"config": {**GOOD, "predicts": "score"}}, id="unknown aim"),
        pytest.param({"config": {**GOOD, "widths": [16, 56]}}, id="impossible width"),
    ],
)
def test_a_file_that_holds_another_network_gets_one_sentence(notes, file):
    weights = {name: p.half() for name, p in network().state_dict().items()}
    save_tensors(file, weights, notes)
    with pytest.raises(ValueError, match=r"net\.safetensors does not hold a UNet of this version"):
        load_checkpoint(file)
