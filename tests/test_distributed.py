"""Several devices: `accelerate launch` in two processes on the CPU, against one process."""

import json
import os
import socket
import subprocess
import sys

import pytest

from diffusion_helpers.distributed import ProcessGroup

SCRIPT = """
import json, sys, torch
from diffusion_helpers import UNet, load_emoji, train
from diffusion_helpers.words import load_words

torch.set_num_threads(1)
model = UNet(widths=(16, 32), attention=True, text=True)  # each process begins with its own weights
emoji = load_emoji()
texts = load_words().encode(emoji.names[:64], emoji.styles[:64])
run = train(model, emoji.images[:64], steps=6, batch=8, texts=texts, seed=3,
            checkpoint=sys.argv[1] + ".safetensors")
weights = [float(p.sum()) for p in model.parameters()]
json.dump({"losses": run.losses, "weights": weights}, open(sys.argv[1] + sys.argv[2], "w"))
"""


def launch(folder, rank, size, port):
    """One process of a team, started by `accelerate launch` as on one of several machines."""
    script = folder / "script.py"
    script.write_text(f"import torch\ntorch.manual_seed({7 + rank})\n" + SCRIPT)
    team = {"WORLD_SIZE": size, "RANK": rank, "LOCAL_RANK": rank, "MASTER_PORT": port}
    env = os.environ | {name: str(value) for name, value in team.items()}
    command = [sys.executable, "-m", "accelerate.commands.launch", "--cpu", "--num_processes=1"]
    command += ["--num_machines=1", "--mixed_precision=no", "--dynamo_backend=no"]
    return subprocess.Popen(
        [*command, script, folder / "run", str(rank)],
        env=env | {"MASTER_ADDR": "127.0.0.1", "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def result(process, folder, rank):
    words, _ = process.communicate(timeout=240)
    assert process.returncode == 0, words
    return json.loads((folder / f"run{rank}").read_text()), words


def test_two_processes_train_like_one(tmp_path):
    with socket.socket() as door:
        door.bind(("127.0.0.1", 0))
        port = door.getsockname()[1]
    alone, together = tmp_path / "alone", tmp_path / "together"
    for folder in (alone, together, tmp_path / "second"):
        folder.mkdir()
    expected, _ = result(launch(alone, 0, 1, port), alone, 0)
    pair = [launch(together, 0, 2, port), launch(tmp_path / "second", 1, 2, port)]
    first, words = result(pair[0], together, 0)
    second, empty_text = result(pair[1], tmp_path / "second", 1)
    assert first["losses"] == pytest.approx(expected["losses"], abs=1e-3)
    assert first["weights"] == pytest.approx(expected["weights"], rel=1e-2, abs=1e-2)
    assert second == first  # though it began with other weights
    assert "step 6" in words and "step 6" not in empty_text  # one of them reports,
    assert (together / "run.safetensors").exists()  # and saves
    assert not (tmp_path / "second" / "run.safetensors").exists()


def test_a_batch_that_cannot_be_shared_gets_one_sentence(monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "3")
    with pytest.raises(ValueError, match="3 devices cannot share batches of 64"):
        ProcessGroup(batch=64)


def test_without_accelerate_one_sentence_says_what_to_install(monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setitem(sys.modules, "accelerate", None)
    with pytest.raises(ImportError, match=r"pip install accelerate$"):
        ProcessGroup(batch=64)
