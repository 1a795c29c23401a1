"""Teach the demiurge a neighbour's word: the kwarb of draw_own_word.py.

    python data/teach_kwarb.py        (about a minute on two cores)

It writes data/checkpoints/kwarb.safetensors, which workshop 09 loads where no neighbour sits beside
the reader. Run checksums.py afterwards.
"""

from draw_own_word import drawings

from diffusion_helpers import Pictures, load_checkpoint
from diffusion_helpers.data import DATA
from diffusion_helpers.lora import save_adapter, teach_word


def main():
    demiurge = load_checkpoint("demiurge", "cpu")
    adapter, _ = teach_word(demiurge, "kwarb", Pictures(drawings("kwarb")))
    save_adapter(adapter, DATA / "checkpoints" / "kwarb.safetensors")


if __name__ == "__main__":
    main()
