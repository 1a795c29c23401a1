"""What "four at once" costs: a guided creation of four seeds in one batch, beside one of one seed.

    python benchmarks/four.py            (a minute)

Wall-clock time of what the prompt box of lesson 00 computes, in turn in one run, so that the ratio
holds on a busy machine, too. The result stands in benchmarks/four.txt. It says how many threads
torch had: a batch of four keeps more of them busy.
"""

import statistics
import time

import torch

from diffusion_helpers import ddim, load_checkpoint, pick_device, pure_noise
from diffusion_helpers.checks import say
from diffusion_helpers.sampling import guided
from diffusion_helpers.words import load_words

ROUNDS = 7


def main():
    device = pick_device()
    demiurge = load_checkpoint("demiurge", device)
    said = load_words().encode("a red apple", "noto")

    def create(seeds):
        began = time.perf_counter()
        model = guided(demiurge, said, scale=3.0)
        for step in ddim(model, pure_noise(len(seeds), seed=seeds, device=device), 20):
            step.clean.cpu()  # each step is shown
        return time.perf_counter() - began

    create([7]), create([7, 8, 9, 10])  # warm-up
    pairs = [(create([7]), create([7, 8, 9, 10])) for _ in range(ROUNDS)]
    ratios = sorted(four / one for one, four in pairs)
    threads = torch.get_num_threads()
    where = f"cpu, {threads} threads" if device.type == "cpu" else device.type
    say(f"one seed {statistics.median(one for one, _ in pairs):.2f} s ({where})")
    say(
        f"four seeds {statistics.median(ratios):.2f} times that "
        f"({ratios[0]:.2f} to {ratios[-1]:.2f} in {ROUNDS} rounds)"
    )


if __name__ == "__main__":
    main()
