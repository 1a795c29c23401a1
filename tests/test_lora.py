"""Low-rank adapters: in a network and out of it, on disk, blended; and a word that is learned."""

import copy
import importlib.util
import warnings

import pytest
import torch
from PIL import Image, ImageChops
from torch import nn

from diffusion_helpers import UNet, lora, sample
from diffusion_helpers.checkpoints import save_checkpoint, save_tensors
from diffusion_helpers.data import DATA, Pictures, load_emoji
from diffusion_helpers.lora import (
    LAYERS,
    LoraLayer,
    WordLessons,
    add_lora,
    blend,
    get_adapter,
    load_adapter,
    new_vector,
    remove_lora,
    save_adapter,
    teach_vector,
    teach_word,
)
from diffusion_helpers.text import style_number
from diffusion_helpers.words import load_words

WORDS = load_words()
X, T = (
    torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(0)),
    torch.tensor([90, 700]),
)


def small_net(seed=0):
    """A little UNet whose weights are all at work."""
    torch.manual_seed(seed)
    net = UNet(widths=(16, 32), blocks=1, attention=True, text=True, text_width=32)
    for weight in net.parameters():
        nn.init.normal_(weight, std=0.1)
    return net.eval()


def with_adapters(net, seed=1):
    """A copy of the network with adapters that change what it says, and their `Adapter`."""
    taught = copy.deepcopy(net)
    torch.manual_seed(seed)
    add_lora(taught)
    for part in taught.modules():
        if isinstance(part, LoraLayer):
            nn.init.normal_(part.up.weight, std=0.5)
            for weight in (part.down.weight, part.up.weight):  # what 16 bits can hold
                weight.data = weight.data.half().float()
    vector = new_vector("zubrik")
    return taught.eval(), get_adapter(taught, {"zubrik": vector, "зубрик": vector})


@torch.no_grad()
def answer(net, prompt="a red apple"):
    """What a network says, in 64 bits."""
    return net.double()(X.double(), T, WORDS.encode(prompt))


@pytest.fixture
def few_emoji(monkeypatch):
    """Some of the emoji, which keep old words alive in place of all."""
    emoji = load_emoji()
    some = emoji.where(torch.arange(len(emoji)) % 100 == 0)
    monkeypatch.setattr(lora, "load_emoji", lambda: some)
    return some


# ---- one layer ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("base", "x"),
    [
        (nn.Linear(12, 20), torch.randn(5, 12)),
        (nn.Conv2d(6, 10, 3, padding=1), torch.randn(2, 6, 8, 8)),
        (nn.Conv2d(6, 10, 3, stride=2), torch.randn(2, 6, 9, 9)),
    ],
)
def test_a_layer_says_what_that_of_peft_says(base, x):
    from peft import LoraConfig, get_peft_model  # here, as it takes seconds

    ours = LoraLayer(copy.deepcopy(base), rank=3, strength=0.7)
    # strength is peft's alpha / rank
    config = LoraConfig(r=3, lora_alpha=3 * 0.7, target_modules=["0"])
    theirs = get_peft_model(nn.Sequential(copy.deepcopy(base)), config)
    theirs_layer = theirs.base_model.model[0]
    assert torch.equal(ours(x), base(x)), "a fresh adapter changes nothing"
    nn.init.normal_(ours.up.weight)
    theirs_layer.lora_A["default"].weight.data = ours.down.weight.data
    theirs_layer.lora_B["default"].weight.data = ours.up.weight.data
    torch.testing.assert_close(ours(x), theirs(x))
    assert not torch.allclose(ours(x), base(x))
    learns = {name for name, p in ours.named_parameters() if p.requires_grad}
    assert learns == {"down.weight", "up.weight"}


# ---- in a network and out of it -----------------------------------------------------------------


def test_fresh_adapters_change_nothing_and_come_out_again():
    net = small_net()
    before, weights = answer(net), {k: v.clone() for k, v in net.state_dict().items()}
    add_lora(net)
    assert torch.equal(answer(net), before)
    learning = [name for name, p in net.named_parameters() if p.requires_grad]
    assert learning and all(".down." in name or ".up." in name for name in learning)
    layers = {n for n, p in net.named_modules() if isinstance(p, LoraLayer)}
    assert {name.rpartition(".")[2] for name in layers} == set(LAYERS)
    remove_lora(net)
    after = net.state_dict()
    assert list(after) == list(weights) and all(torch.equal(after[k], weights[k]) for k in weights)
    assert torch.equal(answer(net), before)
    assert all(p.requires_grad for p in net.parameters())


def test_adapters_in_the_weights_say_what_adapters_beside_them_say():
    net = small_net()
    before = answer(net)
    taught, adapter = with_adapters(net)
    torch.testing.assert_close(answer(blend(net, [adapter])), answer(taught))
    assert (answer(taught) - before).abs().max() > 0.001
    assert torch.equal(answer(blend(net, [adapter], [0])), before)
    assert torch.equal(answer(net), before), "the network itself stays as it is"


def test_a_blend_is_the_sum_of_its_adapters():
    net = small_net()
    (_, one), (_, other) = with_adapters(net, 1), with_adapters(net, 2)
    both = blend(net, [one, other], [0.5, 1.5]).state_dict()
    alone = [blend(net, [a], [s]).state_dict() for a, s in ((one, 0.5), (other, 1.5))]
    for name, weight in net.state_dict().items():
        changes = sum(weights[name] - weight for weights in alone)
        torch.testing.assert_close(both[name], weight + changes)


def test_an_adapter_of_another_network_is_refused():
    _, adapter = with_adapters(small_net())
    with pytest.raises(ValueError, match="belongs to another network"):
        blend(small_net(seed=5), [adapter])
    with pytest.raises(ValueError, match="learns with adapters"):
        blend(with_adapters(small_net())[0], [adapter])
    with pytest.raises(ValueError, match="has adapters already"):
        add_lora(with_adapters(small_net())[0])


# ---- on disk ------------------------------------------------------------------------------------


def test_a_file_holds_an_adapter_bit_by_bit(tmp_path):
    net = small_net()
    _, adapter = with_adapters(net)
    save_adapter(adapter, tmp_path / "zubrik.safetensors")
    again = load_adapter(tmp_path / "zubrik.safetensors")
    assert again.network == adapter.network and set(again.words) == {"zubrik", "зубрик"}
    assert torch.equal(again.words["zubrik"], adapter.words["zubrik"])
    assert again.layers.keys() == adapter.layers.keys()
    for name, pair in adapter.layers.items():
        assert all(
            a.dtype == b.dtype and torch.equal(a, b) for a, b in zip(pair, again.layers[name])
        )
    assert torch.equal(answer(blend(net, [again])), answer(blend(net, [adapter])))


def test_a_file_that_is_no_adapter_gets_one_sentence(tmp_path):
    net = small_net()
    _, adapter = with_adapters(net)
    file = tmp_path / "a.safetensors"
    save_adapter(adapter, file)
    content = bytearray(file.read_bytes())
    content[-9] ^= 1
    file.write_bytes(content)
    with pytest.raises(ValueError, match="is damaged"):
        load_adapter(file)
    save_checkpoint(net, file)
    with pytest.raises(ValueError, match="holds no adapter"):
        load_adapter(file)
    name, (down, up) = next(iter(adapter.layers.items()))
    for tensors in ({f"{name}.down": down}, {f"{name}.down": down, f"{name}.up": up[:, :1]}):
        save_tensors(file, tensors, {"adapter_of": adapter.network})
        with pytest.raises(ValueError, match="holds no adapter"):
            load_adapter(file)


# ---- a new word ---------------------------------------------------------------------------------


@pytest.mark.parametrize("word", ["zubrik", "Зубрик", "ёршлик"])
def test_a_new_word_is_heard_in_prompts(word):
    table = WORDS.with_words({word: new_vector(word)})
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # it is not taken for a mistyped word
        text = table.encode(f"a blue {word.upper()}!", "noto")
    assert torch.equal(text.vectors[0, 2], new_vector(word)) and text.mask[0, :4].tolist() == [
        1,
        1,
        1,
        0,
    ]
    assert table.unknown(word) == {} and list(WORDS.unknown(word)) != []
    assert torch.equal(table.encode("a cat").vectors, WORDS.encode("a cat").vectors)
    assert torch.equal(table.vectors[-1], torch.zeros(128))


@pytest.mark.parametrize(
    ("word", "sentence"),
    [
        ("cat", "means something already"),
        ("two words", "one word"),
        ("", "one word"),
        ("🐈", "means something already"),
    ],
)
def test_a_word_that_cannot_be_learned_gets_one_sentence(word, sentence):
    with pytest.raises(ValueError, match=sentence):
        WORDS.with_words({word: torch.ones(128)})


def test_new_words_have_vectors_like_others():
    norms = WORDS.vectors[:-1].norm(dim=1)
    ours = new_vector("zubrik")
    assert norms.quantile(0.1) < ours.norm() < norms.quantile(0.99)
    assert torch.equal(ours, new_vector("Zubrik")) and not torch.equal(ours, new_vector("lumvik"))


def test_sample_takes_a_word_table():
    net = small_net()
    table = WORDS.with_words({"zubrik": new_vector("zubrik")})
    drawn = sample(net, "a zubrik", words=table, steps=2)
    with pytest.warns(UserWarning, match="do not know the word 'zubrik'"):
        assert not torch.equal(drawn, sample(net, "a zubrik", steps=2))
    assert torch.equal(sample(net, "a cat", words=table, steps=2), sample(net, "a cat", steps=2))


def test_a_training_that_was_stopped_goes_on_as_if_it_had_not(tmp_path, few_emoji, monkeypatch):
    net, drawings = small_net(), Pictures(DATA / "own_word")
    before = answer(net)
    monkeypatch.setattr(lora, "BATCH", 8)
    whole, run = teach_word(net, "zubrik", drawings, steps=4, report=lambda *_: None)
    assert run.finished and torch.equal(answer(net), before)

    def stop(run, share, model):
        if run.steps == 2:
            raise KeyboardInterrupt

    file = tmp_path / "training.safetensors"
    with pytest.raises(KeyboardInterrupt):
        teach_word(net, "zubrik", drawings, steps=4, checkpoint=file, report=stop, reports=4)
    again, run = teach_word(
        net, "zubrik", drawings, steps=4, checkpoint=file, report=lambda *_: None
    )
    assert run.steps == 4
    for name, pair in whole.layers.items():
        assert all(torch.equal(a, b) for a, b in zip(pair, again.layers[name]))
    assert any(up.any() for _, up in whole.layers.values())


def test_textual_inversion_changes_a_vector_and_nothing_else(tmp_path):
    net, drawings = small_net(), Pictures(DATA / "own_word")
    before = answer(net)
    adapter, run = teach_vector(net, "zubrik", drawings, steps=2, report=lambda *_: None)
    assert run.steps == 2 and not adapter.layers and adapter.numbers == 128
    assert not torch.equal(adapter.words["zubrik"], new_vector("zubrik"))
    save_adapter(adapter, tmp_path / "word.safetensors")
    blended = blend(net, [load_adapter(tmp_path / "word.safetensors")])
    assert torch.equal(answer(blended), before)


def test_what_is_shown_and_told_in_a_lesson(few_emoji):
    emoji = few_emoji.training()
    drawings = torch.zeros(4, 3, 32, 32)
    words = WORDS.with_words({"zubrik": new_vector("zubrik")})
    lessons = WordLessons("zubrik", drawings, words, emoji)
    assert len(lessons) == 2 * len(emoji)
    assert torch.equal(lessons[7], emoji[7]) and not lessons[len(lessons) - 1].any()
    told = lessons.sample_captions(torch.tensor([7, len(emoji), len(lessons) - 1]), None)
    said = WORDS.encode([emoji.names[7], emoji.names_ru[7]], emoji.styles[7])
    assert any(torch.equal(told.vectors[0], v) for v in said.vectors)
    assert torch.equal(told.vectors[1:, 0], new_vector("zubrik").expand(2, -1))
    assert told.styles.tolist() == [style_number(emoji.styles[7]), 0, 0]
    alone = WordLessons("zubrik", drawings, words)
    assert len(alone) == 4 and not alone[3].any()


@pytest.mark.parametrize(
    ("drawings", "sentence"),
    [
        (torch.zeros(0, 3, 32, 32), "expected drawings"),
        (torch.zeros(2, 3, 16, 16), "expected drawings of shape"),
        (torch.full((2, 3, 32, 32), 255.0), r"must lie in \[-1, 1\]"),
        (None, "expected drawings"),
    ],
)
def test_drawings_that_do_not_fit_get_one_sentence(drawings, sentence):
    for teach in (teach_word, teach_vector):
        with pytest.raises(ValueError, match=sentence):
            teach(small_net(), "zubrik", drawings, steps=1)
        with pytest.raises(ValueError, match="never learned to listen"):
            teach(UNet(widths=(16,), blocks=1), "zubrik", torch.zeros(2, 3, 32, 32), steps=1)


def test_the_shipped_drawings_are_what_the_script_draws():
    spec = importlib.util.spec_from_file_location("draw_own_word", DATA / "draw_own_word.py")
    draw_own_word = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(draw_own_word)
    for i, drawn in enumerate(draw_own_word.drawings("zubrik"), start=1):
        shipped = Image.open(DATA / "own_word" / f"{i}.png").convert("RGB")
        assert ImageChops.difference(shipped, drawn).getbbox() is None
