"""A word of your own: how well each way teaches it, and what the demiurge forgets.

    python benchmarks/own_word.py [--quick]

Three invented things (data/draw_own_word.py), eight drawings of each, are taught to the demiurge in
five ways: adapters and the whole network, each with and without prior preservation, and one vector
(textual inversion). All take the same steps with as many pictures in each; without prior
preservation, all of these are drawings. The adapters with prior preservation are `teach_word`, with
every word and seed; the other ways have the first of both.

Like the drawings: of 50 samples of the word alone, the share whose nearest picture is a drawing,
among all 5,819 emoji and the eight drawings (`similarity`, the judge's, best of nine shifts). In
styles: the same for 24 samples, four in each of the six styles, which no drawing has. Kept: of 100
pairs of concept and style that the demiurge was trained with, the share whose emoji is among the 5
nearest of its style, as in benchmarks/demiurge.py; the demiurge itself draws the same pairs with
the same seeds. Intervals are Wilson's, 95 %. Guidance 3, 20 DDIM steps, none picked. Seconds are
those of the CPU, all threads together.

Each run is kept in my_runs/own_word/ and not made again; delete the folder to start anew. --quick
makes the adapters of the first word and seed, and writes no result. The full one goes to
benchmarks/own_word.txt, its figures to data/own_word.json, which workshop 09 reads.
"""

import argparse
import copy
import functools
import json
import sys
import time
from pathlib import Path

import torch
from demiurge import draw, hits, wilson

from diffusion_helpers import load_checkpoint, load_emoji, sample, train
from diffusion_helpers.checks import say
from diffusion_helpers.data import DATA, Pictures
from diffusion_helpers.evaluation import similarity
from diffusion_helpers.lora import (
    BATCH,
    LEARNING_RATE,
    STEPS,
    WordLessons,
    add_lora,
    blend,
    get_adapter,
    new_vector,
    save_adapter,
    teach_vector,
    teach_word,
    word_loss,
)
from diffusion_helpers.text import STYLES
from diffusion_helpers.words import load_words

sys.path.insert(0, str(DATA))
from draw_own_word import THINGS, drawings

SEEDS = (0, 1)
SAMPLES = 50
OLD = 100  # pairs of concept and style
WHOLE_RATE = 1e-3  # of the whole network; no other was tried
ADAPTER = "adapter, prior"
FOLDER = Path("my_runs/own_word")

EMOJI = load_emoji()
DEMIURGE = load_checkpoint("demiurge", "cpu")


def quiet(*_):
    """A report that says nothing."""


def taught(way, word, pictures, seed):
    """(the network that knows the word, the words, bytes of its file)"""
    file = FOLDER / f"{way}, {word}, {seed}.safetensors"
    if way in (ADAPTER, "vector"):
        teach = teach_word if way == ADAPTER else teach_vector
        adapter, _ = teach(DEMIURGE, word, pictures, seed=seed, report=quiet)
    else:
        net, words = copy.deepcopy(DEMIURGE), {word: new_vector(word)}
        torch.manual_seed(seed)
        if "adapter" in way:
            add_lora(net)
        emoji = None if "no prior" in way else EMOJI.training()
        lessons = WordLessons(word, pictures, load_words().with_words(words), emoji)
        rate = LEARNING_RATE if "adapter" in way else WHOLE_RATE
        how = {"steps": STEPS, "batch": BATCH, "seed": seed, "learning_rate": rate}
        train(net, lessons, texts=lessons, loss_fn=word_loss, report=quiet, **how)
        if "whole" in way:
            return net, words, sum(4 * weight.numel() for weight in net.parameters())
        adapter = get_adapter(net, words)
    save_adapter(adapter, file)
    return blend(DEMIURGE, [adapter]), adapter.words, file.stat().st_size


def like_drawings(pictures, own):
    """How many have a drawing for their nearest picture."""
    gallery = torch.cat([EMOJI.images, own])
    return int((similarity(pictures, gallery).argmax(1) >= len(EMOJI)).sum())


@functools.cache
def old_rows():
    order = torch.randperm(len(EMOJI), generator=torch.Generator().manual_seed(0))
    return order[~EMOJI.held_out[order]].tolist()[:OLD]


def kept(model):
    """How many of the old pairs are drawn right."""
    return sum(hits(draw(model, EMOJI, old_rows(), 3.0), EMOJI, old_rows()))


def measured(way, word, seed):
    """The figures of one run; made once."""
    result = FOLDER / f"{way}, {word}, {seed}.json"
    if result.exists():
        return json.loads(result.read_text("utf-8"))
    pictures = Pictures(drawings(word))
    own = torch.stack([pictures[i] for i in range(len(pictures))])
    began = time.process_time()
    model, words, size = taught(way, word, own, seed)
    seconds = time.process_time() - began
    table = load_words().with_words(words)
    alone = sample(model, word, words=table, n=SAMPLES, seed=seed)
    styled = sample(model, [word] * len(STYLES), list(STYLES), words=table, n=4, seed=seed)
    found = {"way": way, "word": word, "seed": seed, "seconds": seconds, "bytes": size}
    found |= {"like": like_drawings(alone, own), "styled": like_drawings(styled, own)}
    found["kept"] = kept(model)
    result.write_text(json.dumps(found), "utf-8")
    say(found)
    return found


def demiurge_kept():
    """How many of the old pairs the demiurge itself draws right; measured once."""
    result = FOLDER / "demiurge.json"
    if not result.exists():
        result.write_text(json.dumps(kept(DEMIURGE)), "utf-8")
    return json.loads(result.read_text("utf-8"))


def line(name, runs):
    def of(key, n):
        return wilson(sum(run[key] for run in runs), n * len(runs))

    seconds = sum(run["seconds"] for run in runs) / len(runs)
    kilobytes = max(run["bytes"] for run in runs) / 1000
    return (
        f"{name:18} runs {len(runs)}  like the drawings {of('like', SAMPLES)}  "
        f"in styles {of('styled', 4 * len(STYLES))}  old ones right {of('kept', OLD)}  "
        f"{kilobytes:,.1f} kB  {seconds:.0f} s"
    )


def table(result):
    before = result["kept before"]
    lines = [
        f"{STEPS} steps of {BATCH} pictures; {SAMPLES} samples of a word; of the {OLD} old pairs "
        f"the demiurge itself draws {before} right",
        *(line(way, runs) for way, runs in result["ways"].items()),
    ]
    lines += [
        f"{ADAPTER}, {r['word']}, seed {r['seed']}: like the drawings {r['like']} of {SAMPLES}, "
        f"in styles {r['styled']} of {4 * len(STYLES)}, old ones right {r['kept']} of {OLD}, "
        f"{r['seconds']:.0f} s"
        for r in result["ways"][ADAPTER]
    ]
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true")
    quick = parser.parse_args().quick
    FOLDER.mkdir(parents=True, exist_ok=True)
    if quick:
        measured(ADAPTER, next(iter(THINGS)), SEEDS[0])
        return
    of = {"like": SAMPLES, "styled": 4 * len(STYLES), "kept": OLD}  # what each figure is a part of
    result = {"steps": STEPS, "batch": BATCH, "of": of}
    result |= {"kept before": demiurge_kept(), "ways": {}}
    others = ("adapter, no prior", "whole, prior", "whole, no prior", "vector")
    for way in (ADAPTER, *others):
        runs = [(word, seed) for seed in SEEDS for word in THINGS]
        runs = runs if way == ADAPTER else runs[:1]
        result["ways"][way] = [measured(way, *run) for run in runs]
    (DATA / "own_word.json").write_text(json.dumps(result, indent=1) + "\n", "utf-8")
    Path("benchmarks/own_word.txt").write_text(table(result) + "\n", "utf-8")
    say(table(result))


if __name__ == "__main__":
    main()
