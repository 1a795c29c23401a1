"""The demiurge's training alters its pictures, and its captions say how; some are lent."""

import importlib.util
from pathlib import Path

import pytest
import torch

from diffusion_helpers import UNet, load_emoji
from diffusion_helpers.noising import cosine_schedule
from diffusion_helpers.text import Captions, style_number
from diffusion_helpers.words import load_words

PATH = Path(__file__).resolve().parent.parent / "data" / "train_demiurge.py"
N = 200


@pytest.fixture(scope="module")
def training():
    spec = importlib.util.spec_from_file_location("train_demiurge", PATH)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def altered(training, monkeypatch):
    """What the network would be taught: pictures, t, captions, what was done; and the originals."""
    emoji = load_emoji()
    rows = torch.arange(0, len(emoji), len(emoji) // N)[:N]
    names, styles = ([of[i] for i in rows] for of in (emoji.names, emoji.styles))
    texts = Captions(load_words(), [[name] for name in names], styles)

    def alter(seed=0, shard=slice(None)):
        taught = {}

        def loss(model, x_0, rows, texts, schedule, generator, shard, t):
            taught.update(
                pictures=x_0, told=texts.told, text=texts.sample_captions(rows, generator), t=t
            )

        monkeypatch.setattr(training, "denoising_loss", loss)
        dice, originals = torch.Generator().manual_seed(seed), emoji.images[rows]
        # the captions are numbered from 0 here, as the pictures of a data set are
        lesson = originals[shard], torch.arange(N), texts, cosine_schedule(), dice, shard
        training.altered_loss(None, *lesson)
        return taught | {"originals": originals, "own": load_words().encode(names, styles)}

    return alter


def nearest_shift(pictures, originals):
    """The greatest difference inside the frame, at the best of nine shifts by up to a pixel."""
    gaps = [
        (originals.roll((down, right), (2, 3)) - pictures).abs()[..., 1:-1, 1:-1].amax((1, 2, 3))
        for down in (-1, 0, 1)
        for right in (-1, 0, 1)
    ]
    return torch.stack(gaps).amin(0)


def only(taught, change, training):
    """The pictures to which this change alone happened, and their originals."""
    wanted = torch.tensor([name == change for name in training.CHANGES])
    rows = (taught["told"] == wanted).all(1)
    assert rows.any()
    return taught["pictures"][rows], taught["originals"][rows]


def test_an_untold_picture_is_the_original_shifted_by_at_most_a_pixel(altered, training):
    taught = altered()
    pictures, originals = only(taught, None, training)
    assert 0.4 < len(pictures) / N < 0.75  # half are left alone, some of the others by chance
    assert nearest_shift(pictures, originals).max() < 1e-5


def test_a_mirrored_picture_is_mirrored(altered, training):
    pictures, originals = only(altered(), "mirrored", training)
    assert nearest_shift(pictures, originals.flip(3)).max() < 1e-5


def test_a_painted_picture_has_the_same_channels_in_another_order(altered, training):
    pictures, originals = only(altered(), "painted", training)
    gaps = nearest_shift(pictures.sort(1).values, originals.sort(1).values)
    assert gaps.max() < 1e-5


def test_a_tiny_picture_has_more_white(altered, training):
    pictures, originals = only(altered(), "tiny", training)

    def white(x):
        return (x > 0.99).float().mean((1, 2, 3))

    assert (white(pictures) > white(originals) - 0.05).all()
    assert white(pictures).mean() > white(originals).mean() + 0.05


def test_the_captions_say_what_was_done_behind_their_own_words(altered, training, monkeypatch):
    taught = altered()
    text, own = taught["text"], taught["own"]
    table = load_words()
    for i, told in enumerate(taught["told"]):
        own_words = own.vectors[i][own.mask[i]]
        said = [word for word, yes in zip(training.CHANGES, told, strict=True) if yes]
        behind = table.encode(" ".join(said)).vectors[0, : len(said)]
        assert torch.equal(text.vectors[i][text.mask[i]], torch.cat([own_words, behind]))
    monkeypatch.setattr(training, "LENT", 0)
    assert torch.equal(altered()["text"].styles, own.styles)


def test_a_lent_picture_is_told_to_be_by_one_who_never_drew_such_a_thing(training):
    emoji = load_emoji().training()
    texts = training.captions(emoji, load_words())
    rows = torch.arange(len(emoji))
    t = torch.arange(len(emoji)) % 1000
    styles, steps = training.lend(texts, rows, t, torch.Generator().manual_seed(0))
    lent = styles != texts.styles
    drawn = {(n, style_number(s)) for n, s in zip(emoji.names, emoji.styles, strict=True)}
    told = [(emoji.names[i], styles[i].item()) for i in torch.where(lent)[0]]
    assert not drawn & set(told)
    assert (styles > 0).all()  # told "no style", a picture would be nobody's

    lendable = torch.tensor([sum((n, s) in drawn for s in range(1, 7)) < 6 for n in emoji.names])
    assert not lent[~lendable].any()
    assert abs(lent[lendable].float().mean() - training.LENT) < 0.03
    assert (steps[lent] >= training.THICK).all() and steps.max() < 1000
    assert torch.equal(steps[~lent], t[~lent])


def test_what_is_lent_reaches_the_network(altered, training):
    taught = altered()
    lent = taught["text"].styles != taught["own"].styles
    assert lent.any() and (taught["t"][lent] >= training.THICK).all()
    assert taught["t"][~lent].min() < training.THICK


def test_the_same_dice_alter_alike_and_a_part_is_a_part_of_the_whole(altered):
    whole, again, part = altered(), altered(), altered(shard=slice(1, None, 2))
    assert torch.equal(whole["pictures"], again["pictures"])
    assert torch.allclose(whole["pictures"][1::2], part["pictures"], atol=1e-6)
    assert torch.equal(whole["told"], part["told"])
    assert not torch.equal(whole["pictures"], altered(seed=1)["pictures"])


def test_no_word_of_the_alterations_is_in_a_name_of_an_emoji(training):
    words = load_words()
    rows = {words.rows[change] for change in training.CHANGES}
    heard = {row for name in load_emoji().names for row in words.row_numbers(name)}
    assert not rows & heard


def test_halfway_lies_in_the_middle_of_two_networks(training):
    old, new = UNet(widths=(16,), blocks=1), UNet(widths=(16,), blocks=1)
    wanted = [(a + b) / 2 for a, b in zip(old.parameters(), new.parameters(), strict=True)]
    assert any((w - a).abs().max() > 0 for w, a in zip(wanted, old.parameters(), strict=True))
    training.go_halfway(new, old)
    assert all(torch.allclose(w, b) for w, b in zip(wanted, new.parameters(), strict=True))


def test_halfway_from_nowhere_is_refused_before_the_training(training, monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["train_demiurge.py", "10", "--halfway"])
    with pytest.raises(SystemExit):
        training.wishes("demiurge")
    assert "--halfway needs --weights" in capsys.readouterr().err
