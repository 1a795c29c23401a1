"""What it saves to encode a prompt once: a guided creation of 20 steps, in CPU seconds.

    python benchmarks/prompt.py            (a minute)

Before, the network's text encoder read the prompt anew at every step. Both ways draw the same
picture, in turn in one run, so that the ratio holds on a busy machine, too. One thread.
"""

import statistics
import time

import torch

from diffusion_helpers import ddim, load_checkpoint, pure_noise
from diffusion_helpers.checks import say
from diffusion_helpers.sampling import guided
from diffusion_helpers.text import Text, empty_text
from diffusion_helpers.words import load_words

STEPS, SCALE, ROUNDS = 20, 3.0, 10


def seconds(draw):
    began = time.process_time()
    picture = draw()
    return time.process_time() - began, picture


def main():
    torch.set_num_threads(1)
    demiurge, said = load_checkpoint("demiurge", "cpu"), load_words().encode("a red apple", "noto")
    x_T = pure_noise(1)

    def once():
        return list(ddim(guided(demiurge, said, scale=SCALE), x_T, STEPS))[-1].clean

    def at_every_step():
        def model(x_t, t):  # `guided` as it was: both texts in one batch, at every call
            both = Text.join([text.expand_to(x_t) for text in (empty_text(1), said)])
            x_t, t = x_t.repeat(2, 1, 1, 1), t.expand(len(x_t)).repeat(2)
            without, with_text = demiurge(x_t, t, both).chunk(2)
            return without + SCALE * (with_text - without)

        model.predicts = demiurge.predicts
        return list(ddim(model, x_T, STEPS))[-1].clean

    once(), at_every_step()  # warm-up
    shares = []
    for _ in range(ROUNDS):
        (slow, before), (fast, after) = seconds(at_every_step), seconds(once)
        shares.append(fast / slow)
        assert (before - after).abs().max() < 1e-4
    saved = 1 - statistics.median(shares)
    say(f"encoded once: {saved:.1%} less CPU time ({1 - max(shares):.1%} to {1 - min(shares):.1%})")


if __name__ == "__main__":
    main()
