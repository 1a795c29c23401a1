"""What "four at once" costs: a guided creation of four seeds in one batch, beside one of one seed.

    python benchmarks/four.py            (a minute)

CPU seconds of what the prompt box of lesson 00 computes, both in turn in one run, so that the ratio
holds on a busy machine, too. One thread. The result stands in benchmarks/four.txt.
"""

import statistics
import time

import torch

from diffusion_helpers import ddim, load_checkpoint, pure_noise
from diffusion_helpers.checks import say
from diffusion_helpers.sampling import guided
from diffusion_helpers.words import load_words

STEPS, ROUNDS = 20, 9


def main():
    torch.set_num_threads(1)
    demiurge = load_checkpoint("demiurge", "cpu")
    said = load_words().encode("a red apple", "noto")

    def create(seeds):
        began = time.process_time()
        model = guided(demiurge, said, scale=3.0)
        for step in ddim(model, pure_noise(len(seeds), seed=seeds), STEPS):
            last = step
        return time.process_time() - began, last.clean

    create([7]), create([7, 8, 9, 10])  # warm-up
    ones, ratios = [], []
    for _ in range(ROUNDS):
        (one, first), (four, all_four) = create([7]), create([7, 8, 9, 10])
        assert (all_four[:1] - first).abs().max() < 1e-4  # the same picture
        ones.append(one)
        ratios.append(four / one)
    say(f"one seed: {statistics.median(ones):.2f} CPU seconds for {STEPS} steps")
    say(
        f"four: {statistics.median(ratios):.2f} times that ({min(ratios):.2f} to {max(ratios):.2f})"
    )


if __name__ == "__main__":
    main()
