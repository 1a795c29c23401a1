"""What a network hears: texts, captions and the encoder that is trained with the network."""

import pytest
import torch

from diffusion_helpers.data import load_emoji
from diffusion_helpers.text import (
    MAX_WORDS,
    SIZE,
    STYLES,
    Captions,
    EncodedText,
    Text,
    TextEmbedding,
    style_number,
)
from diffusion_helpers.words import load_words


@pytest.fixture(scope="module")
def words():
    return load_words()


def a_text(n=3):
    """Prompts that differ in every number."""
    generator = torch.Generator().manual_seed(2)
    mask = torch.arange(MAX_WORDS) < torch.arange(1, n + 1)[:, None]
    vectors = torch.randn(n, MAX_WORDS, SIZE, generator=generator)
    return Text(vectors * mask[..., None], mask, torch.arange(n) % (1 + len(STYLES)))


def assert_equal(one, other):
    assert torch.equal(one.vectors, other.vectors)
    assert torch.equal(one.mask, other.mask) and torch.equal(one.styles, other.styles)


# ---- Text ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        (1, [1]),
        (-1, [2]),
        (torch.tensor(1), [1]),
        (slice(1, None), [1, 2]),
        ([2, 0], [2, 0]),
        (torch.tensor([2, 0, 2]), [2, 0, 2]),
        (torch.tensor([True, False, True]), [0, 2]),
    ],
)
def test_some_of_the_prompts_are_a_text_again(rows, expected):
    whole = a_text()
    some = whole[rows]
    assert len(some) == len(expected)
    assert torch.equal(some.vectors, whole.vectors[expected])
    assert torch.equal(some.mask, whole.mask[expected]) and some.styles.tolist() == expected


def test_a_row_that_is_not_there_is_an_index_error():
    with pytest.raises(IndexError):
        a_text()[3]


def test_repeat_puts_copies_side_by_side_and_join_one_after_another():
    one, other = a_text(2), a_text(3)
    assert_equal(one.repeat(2), one[[0, 0, 1, 1]])
    joined = Text.join([one, other])
    assert len(joined) == 5
    assert_equal(joined[:2], one)
    assert_equal(joined[2:], other)


def test_encoded_texts_are_joined_one_after_another():
    encode = TextEmbedding(8)
    one, other = encode(a_text(2)), encode(a_text(3))
    joined = EncodedText.join([one, other])
    for both, first, second in zip(joined, one, other):
        assert len(both) == 5
        assert torch.equal(both[:2], first) and torch.equal(both[2:], second)


def test_a_text_moves_with_the_pictures():
    text_ = a_text()
    same = text_.to(torch.zeros(1, dtype=torch.float64))
    assert same.vectors.dtype == torch.float64
    assert same.mask.dtype == torch.bool and same.styles.dtype == torch.long
    for like in ("meta", torch.device("meta"), torch.zeros(1, device="meta")):
        moved = text_.to(like)
        assert {t.device.type for t in vars(moved).values()} == {"meta"}


def test_beside_pictures_there_is_one_prompt_for_each():
    x_t = torch.zeros(3, 3, 8, 8, dtype=torch.float64)
    assert_equal(a_text(3).expand_to(x_t), a_text(3).to(x_t))
    assert_equal(a_text(1).expand_to(x_t), a_text(1).to(x_t)[[0, 0, 0]])
    with pytest.raises(ValueError, match="expected one prompt per picture, got 2 for 3"):
        a_text(2).expand_to(x_t)


def test_a_text_draws_the_prompts_of_the_pictures():
    rows = torch.tensor([2, 0])
    assert_equal(a_text().sample_captions(rows, torch.Generator()), a_text()[rows])


def test_styles_are_those_of_the_emoji_and_none_is_zero():
    assert [style_number(s) for s in (None, *STYLES)] == list(range(7))
    assert set(STYLES) == set(load_emoji().styles)


# ---- captions -----------------------------------------------------------------------------------


def test_captions_are_drawn_as_often_as_their_shares_say(words):
    captions = Captions(
        words,
        [["apple", "red apple", ""], ["cat"], ["dog", "кот"]],
        ["noto", None, "fluent"],
        [[0.5, 0.3, 0.2], [1.0], [3.0, 1.0]],
    )
    n = 4000
    drawn = captions.sample_captions(torch.arange(3).repeat(n), torch.Generator().manual_seed(0))
    lengths = drawn.mask.sum(1).reshape(n, 3)
    shares = [(lengths[:, 0] == k).float().mean().item() for k in (1, 2, 0)]
    assert shares == pytest.approx([0.5, 0.3, 0.2], abs=4 * (0.25 / n) ** 0.5)
    assert (lengths[:, 1:] == 1).all() and len(captions) == 3
    dog = (drawn.vectors[2::3, 0] == words.vectors[words.rows["dog"]]).all(1)
    assert dog.float().mean().item() == pytest.approx(0.75, abs=4 * (0.25 / n) ** 0.5)
    assert drawn.styles[:3].tolist() == [1, 0, 3]


def test_without_shares_all_captions_are_equally_likely(words):
    captions = Captions(words, [["apple", "red apple", "a red apple"]], [None])
    drawn = captions.sample_captions(
        torch.zeros(3000, dtype=torch.long), torch.Generator().manual_seed(0)
    )
    counts = drawn.mask.sum(1).bincount()[1:] / 3000
    assert counts.tolist() == pytest.approx([1 / 3] * 3, abs=4 * (0.25 / 3000) ** 0.5)


def test_the_generator_decides_which_captions_are_drawn(words):
    captions = Captions(words, [["cat", "red cat", ""]] * 50, ["noto"] * 50)
    rows = torch.arange(50)
    one, same, other = (
        captions.sample_captions(rows, torch.Generator().manual_seed(s)) for s in (1, 1, 2)
    )
    assert_equal(one, same)
    assert not torch.equal(one.mask, other.mask)


@pytest.mark.parametrize(
    ("captions", "styles", "shares", "sentence"),
    [
        ([["cat"]], ["noto", None], None, "captions for 1 pictures and 2 styles"),
        ([["cat"], []], [None, None], None, "every picture needs a list of captions"),
        (["cat"], [None], None, "every picture needs a list of captions"),
        ([["cat", "dog"]], [None], [[1.0]], "every caption needs its share"),
        ([["cat"]], [None], [[1.0], [1.0]], "every caption needs its share"),
        ([["cat", 5]], [None], None, "a prompt is a piece of text"),
        ([["cat"]], ["picasso"], None, "styles are noto, .* got 'picasso'"),
    ],
)
def test_captions_that_do_not_fit_get_one_sentence(words, captions, styles, shares, sentence):
    with pytest.raises(ValueError, match=sentence):
        Captions(words, captions, styles, shares)


# ---- the encoder --------------------------------------------------------------------------------


def awake(net, seed=0):
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for p in net.parameters():
            p.add_(0.2 * torch.randn(p.shape, generator=generator))
    return net.double()


def spell(ear, words, prompt, style=None):
    return ear(words.encode(prompt, style).to(torch.zeros(1, dtype=torch.float64)))[0]


def test_a_fresh_ear_hears_nothing_whole_but_has_tokens(words):
    whole, tokens, mask = TextEmbedding(32)(words.encode(["a red apple", ""], "noto"))
    assert whole.shape == (2, 32) and not whole.any()
    assert tokens.shape == (2, 1 + MAX_WORDS, 32) and torch.isfinite(tokens).all()
    assert mask.sum(1).tolist() == [4, 1]  # the style is always there


def test_word_order_matters(words):
    ear = awake(TextEmbedding(32))
    one = spell(ear, words, "a big red circle above a small blue square", "noto")
    other = spell(ear, words, "a small blue square above a big red circle", "noto")
    assert (one - other).abs().max() > 1e-3


def test_style_and_words_both_matter(words):
    ear = awake(TextEmbedding(32))
    heard = [spell(ear, words, p, s) for p in ("cat", "dog", "") for s in ("noto", "fluent", None)]
    distance = torch.cdist(torch.cat(heard), torch.cat(heard)) + torch.eye(9).double()
    assert distance.min() > 1e-3


def test_what_stands_where_there_is_no_word_is_not_heard():
    ear, said = awake(TextEmbedding(32)), a_text().to(torch.zeros(1, dtype=torch.float64))
    noisy = Text(said.vectors + 9 * ~said.mask[..., None], said.mask, said.styles)
    (whole, tokens, mask), (whole2, tokens2, _) = ear(said), ear(noisy)
    torch.testing.assert_close(whole, whole2)
    torch.testing.assert_close(tokens[mask], tokens2[mask])


def test_every_prompt_is_heard_on_its_own():
    ear, said = awake(TextEmbedding(32)), a_text().to(torch.zeros(1, dtype=torch.float64))
    together = ear(said)[0]
    for i in range(3):
        torch.testing.assert_close(ear(said[i])[0][0], together[i])
