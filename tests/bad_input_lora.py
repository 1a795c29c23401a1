"""Adapters and new words: good ones, and how to spoil them."""

import torch
from bad_input_cases import ROOM, Case, count, finite, junk, mix, number, one, thing, together
from bad_input_files import networks
from bad_input_pictures import LISTENER
from bad_input_words import WORDS
from torch import nn

from diffusion_helpers.lora import (
    LoraLayer,
    add_lora,
    blend,
    get_adapter,
    load_adapter,
    new_vector,
    save_adapter,
)

VECTOR = new_vector("zubrik")
SAVED = ROOM / "adapter.safetensors"


def learning():
    """A network with adapters that nobody else changes."""
    net = LISTENER.__class__(**LISTENER.config)
    net.load_state_dict(LISTENER.state_dict())
    add_lora(net)
    return net


ADAPTER = get_adapter(learning(), {"zubrik": VECTOR})
save_adapter(ADAPTER, SAVED)


def new_words(but):
    wrong = [{"cat": VECTOR}, {"two words": VECTOR}, {"": VECTOR}, {7: VECTOR}, {"x" * 31: VECTOR}]
    wrong += [{"zubrik": v} for v in (VECTOR[:5], VECTOR[None], VECTOR.int(), VECTOR / 0, None, 1)]
    tried = [{}, {"зубрик": VECTOR.double()}]
    return lambda good: mix([junk(but=f"dict {but}"), one(*wrong)], [one(*tried)])


def word(good):
    return mix([junk(but="text"), one("cat", "КОТ", "two words", "", "🐈", "x" * 31)])


def right_blend(result, **_):
    finite(list(result.parameters()))


CASES = [
    Case(
        "words.Words.with_words",
        together(
            self=one(WORDS), new=one({"zubrik": VECTOR}, {"зубрик": VECTOR, "lumvik": -VECTOR})
        ),
        lambda result, self, new: len(result.vectors) == len(self.vectors) + len(new) or 1 / 0,
        {"new": new_words("")},
    ),
    Case(
        "words.Words.check_new",
        together(self=one(WORDS), word=one("Zubrik", "zubrik")),
        lambda result, **_: result == "zubrik" or 1 / 0,
        {"word": word},
    ),
    Case("lora.new_vector", together(word=one("zubrik")), finite, {"word": word}),
    Case(
        "lora.LoraLayer",
        together(base=one(nn.Linear(4, 6), nn.Linear(4, 4)), rank=one(1, 4)),
        lambda result, **_: finite(result(torch.ones(2, 4))),
        {
            "base": lambda good: mix(
                [junk(), one(nn.Conv2d(4, 4, 3, groups=2), nn.Bilinear(4, 4, 4))]
            ),
            "rank": count(),
            "strength": number(),
        },
    ),
    Case(
        "lora.add_lora",
        together(model=one(0).map(lambda _: blend(LISTENER, [])), rank=one(1, 2)),
        lambda result, model, **_: isinstance(model.down[0][0].conv1, LoraLayer) or 1 / 0,
        {
            "model": thing(),
            "rank": count(),
            "layers": lambda good: mix(
                [junk(but="text"), one(["nowhere"], "query", ["conv1", 5])], [one(["conv1"])]
            ),
        },
    ),
    Case(
        "lora.remove_lora",
        together(model=one(0).map(lambda _: learning())),
        lambda result, model: model.state_dict().keys() == LISTENER.state_dict().keys() or 1 / 0,
        {"model": thing()},
    ),
    Case(
        "lora.get_adapter",
        together(model=one(learning()), words=one(None, {"zubrik": VECTOR})),
        lambda result, **_: result.numbers > 100 or 1 / 0,
        {"model": lambda good: mix([junk(), one(LISTENER)]), "words": new_words("none")},
    ),
    Case(
        "lora.blend",
        together(model=one(LISTENER), adapters=one([ADAPTER], [ADAPTER, ADAPTER])),
        right_blend,
        {
            "model": lambda good: mix([junk(), one(learning())]),
            "adapters": lambda good: mix([junk(but="list"), one([1], [ADAPTER, None], {ADAPTER})]),
            "strengths": lambda good: mix(
                [junk(but="none list"), one([], [1] * 3, [-0.1], [1.6, 1], ["a"], [None, 1])]
            ),
        },
    ),
    Case(
        "lora.network_digest",
        together(model=one(LISTENER)),
        lambda result, model: result == ADAPTER.network or 1 / 0,
        {"model": thing()},
    ),
    Case(
        "lora.save_adapter",
        together(adapter=one(ADAPTER), path=one(ROOM / "kept.safetensors")),
        lambda result, path, **_: load_adapter(path).words or 1 / 0,
        {
            "adapter": thing(),
            "path": lambda good: mix([junk(but="text"), one(ROOM, "\x00", ROOM / ("a" * 999))]),
        },
    ),
    Case(
        "lora.load_adapter",
        together(path=one(SAVED)),
        lambda result, path: list(result.words) == ["zubrik"] or 1 / 0,
        {"path": networks},
    ),
]
