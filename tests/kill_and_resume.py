"""A training that is killed again and again: python kill_and_resume.py FOLDER STEPS KILLS

Each life goes on from FOLDER/killed.safetensors and is killed, the first three while they write a
checkpoint, the others at random moments. The last one comes to the end, and so does a training that
nobody disturbed, in FOLDER/undisturbed.safetensors. Prints how far each had come.
"""

import os
import random
import signal
import sys
import time

import torch

from diffusion_helpers import UNet, train
from diffusion_helpers.checkpoints import load_tensors
from diffusion_helpers.words import load_words

WHILE_WRITING = [  # the bytes are not on the disk; the older file is not yet replaced; now it is
    ("fsync", "before"),
    ("replace", "before"),
    ("replace", "after"),
]


def live(file, steps, report=lambda *_: None):
    """From the checkpoint, if there is one, to the end, on one thread."""
    torch.set_num_threads(1)
    torch.manual_seed(1)
    net = UNet(
        image_shape=(3, 8, 8), widths=(16, 32), blocks=1, attention=True, text=True, text_width=32
    )
    pictures = list(torch.rand(4, 3, 8, 8) * 2 - 1)
    texts = load_words().encode(["cat", "dog", "red apple", "blue car"], "noto")
    train(net, pictures, steps, texts=texts, checkpoint=file, report=report, reports=steps, batch=4)


def die_at_second(function, when):
    """Kill this process, as the system would, before or after the second call of os.FUNCTION."""
    real, calls = getattr(os, function), []

    def deadly(*args):
        calls.append(args)
        if len(calls) == 2 and when == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        real(*args)
        if len(calls) == 2:
            os.kill(os.getpid(), signal.SIGKILL)

    setattr(os, function, deadly)


def life(file, steps, moment):
    """A child that trains until it is killed, at a random moment where `moment` is a generator."""
    reads, writes = os.pipe()
    child = os.fork()
    if child == 0:
        if isinstance(moment, tuple):
            die_at_second(*moment)
        live(file, steps, lambda *_: os.write(writes, b"."))
        os._exit(0)
    os.close(writes)
    if isinstance(moment, random.Random):
        for _ in range(moment.randint(1, 3)):
            os.read(reads, 1)  # waits for a report
        time.sleep(moment.uniform(0, 0.05))
        os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    os.close(reads)
    assert os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL, (
        "it outlived its killer"
    )
    return len(load_tensors(file)[0]["losses"])


if __name__ == "__main__":
    folder, steps, kills = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    moments = WHILE_WRITING + [random.Random(seed) for seed in range(kills - len(WHILE_WRITING))]
    print(*[life(f"{folder}/killed.safetensors", steps, moment) for moment in moments])
    for name in ("killed", "undisturbed"):
        live(f"{folder}/{name}.safetensors", steps)
