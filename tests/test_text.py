"""Whisper of the Spell: whatever is typed becomes words, and words become numbers that agree."""

import difflib
import shutil
import time
import unicodedata
import warnings

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file

from diffusion_helpers import data
from diffusion_helpers.data import DATA, load_emoji
from diffusion_helpers.text import (
    MAX_WORDS,
    NAMED,
    SIZE,
    STYLES,
    Captions,
    Text,
    TextEmbedding,
    empty_text,
    load_words,
    split_words,
    style_number,
)


@pytest.fixture(scope="module")
def words():
    return load_words()


def heard(words, prompt):
    """The row numbers of the words that are heard, and what was said about the others."""
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        rows = words.row_numbers(prompt)
    assert len(rows) == MAX_WORDS
    known = [row for row in rows if row < len(words.vectors) - 1]
    assert rows[: len(known)] == known  # no word after the first place without one
    return known, [str(w.message) for w in said]


def a_text(n=3):
    """Prompts that differ in every number."""
    generator = torch.Generator().manual_seed(2)
    mask = torch.arange(MAX_WORDS) < torch.arange(1, n + 1)[:, None]
    vectors = torch.randn(n, MAX_WORDS, SIZE, generator=generator)
    return Text(vectors * mask[..., None], mask, torch.arange(n) % (1 + len(STYLES)))


def assert_equal(one, other):
    assert torch.equal(one.vectors, other.vectors)
    assert torch.equal(one.mask, other.mask) and torch.equal(one.styles, other.styles)


# ---- words --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("prompt", "expected"),
    [
        ("a red apple", ["a", "red", "apple"]),
        ("RED Apple!", ["red", "apple"]),
        ("Зелёная Ёлка", ["зеленая", "елка"]),
        ("snow-capped mountain", ["snow", "capped", "mountain"]),
        ("woman's hat, men’s shoe", ["woman", "hat", "men", "shoe"]),
        ("rock'n'roll", ["rocknroll"]),
        ("snake_case", ["snake", "case"]),
        ("<b onclick='x'>apple</b>", ["b", "onclick", "x", "apple", "b"]),
        ("1st place 100", ["1st", "place", "100"]),
        ("ｒｅｄ ﬁsh", ["red", "fish"]),  # full-width letters, a ligature
        ("щено́к", ["щенок"]),  # a stress mark
        (unicodedata.normalize("NFD", "йод, ёж"), ["йод", "еж"]),
        ("ap\u00adple\ufeff", ["apple"]),  # a soft hyphen, a byte order mark
        ("🍎 ❤️ 👩‍🚀", []),
        ("", []),
        (" \t\n ... ", []),
    ],
)
def test_a_prompt_is_split_into_plain_words(prompt, expected):
    assert split_words(prompt) == expected


@given(st.text())
def test_no_prompt_is_too_strange_to_split(prompt):
    for word in split_words(prompt):
        assert word and "ё" not in word and not set(word) & set(" _'’<>&\"\n")
        assert split_words(word.upper()) or not word.upper().isalnum()


@pytest.mark.parametrize("prompt", [5, None, b"cat", ["cat"]])
def test_a_prompt_that_is_no_text_gets_one_sentence(words, prompt):
    for call in (split_words, words.unknown, words.row_numbers):
        with pytest.raises(ValueError, match=f"a piece of text.*got {type(prompt).__name__}"):
            call(prompt)


# ---- the table ----------------------------------------------------------------------------------


def test_the_table_has_a_vector_for_each_word_and_zero_for_none(words):
    assert words.vectors.shape == (26_001, SIZE) and words.vectors.dtype == torch.float32
    assert torch.isfinite(words.vectors).all() and not words.vectors[-1].any()
    assert words.vectors[:-1].norm(dim=1).min() > 0
    assert set(words.rows.values()) <= set(range(26_000))
    never_found = {word for word in words.rows if split_words(word) != [word]}
    assert {word.split("-")[0] for word in never_found} <= {"фаст"}  # fast food, beside "фастфуд"


def test_every_word_of_the_emoji_is_known(words):
    emoji = load_emoji()
    captions = {*emoji.names, *emoji.names_ru}
    captions = captions.union(*emoji.keywords, *emoji.keywords_ru)
    assert {w for caption in captions for w in split_words(caption) if w not in words} == set()


@pytest.mark.parametrize(
    ("one", "same"),
    [
        ("apple", "apples"),
        ("яблоко", "яблока"),
        ("яблоко", "ЯБЛОКАМИ"),
        ("зелёный", "зеленого"),
        ("красный", "красного"),
        ("большой", "БОЛЬШОГО"),
        ("ёлка", "елки"),
        ("Щенок", "щенками"),
    ],
)
def test_forms_of_a_word_share_its_row(words, one, same):
    assert heard(words, one) == heard(words, same) != ([], [])


@pytest.mark.parametrize(
    ("word", "near", "far"),
    [
        ("apple", "яблоко", "ракета"),
        ("puppy", "щенок", "автомобиль"),
        ("красный", "red", "rocket"),
        ("puppy", "dog", "piano"),
    ],
)
def test_words_of_like_meaning_are_near_in_both_languages(words, word, near, far):
    def cosine(a, b):
        a, b = (words.vectors[words.rows[w]] for w in (a, b))
        return torch.cosine_similarity(a, b, dim=0).item()

    assert cosine(word, near) > cosine(word, far) + 0.15


def test_word_and_table_are_the_rounded_numbers_of_the_file(words):
    file = load_file(DATA / "words" / "words.safetensors")
    row = words.rows["apple"]
    expected = file["vectors"][row].float() * file["scales"][row].float()
    assert torch.equal(words.vectors[row], expected)


def test_the_table_is_loaded_once(words):
    assert load_words() is words


# ---- what is not known --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("typo", "meant"),
    [
        ("aple", "apple"),
        ("rokcet", "rocket"),
        ("pupy", "puppy"),
        ("dinasour", "dinosaur"),
        ("яблако", "яблоко"),
        ("щинок", "щенок"),
        ("бегимот", "бегемот"),
        ("Апельцын", "апельсин"),
    ],
)
def test_a_typo_is_named_with_the_word_that_was_meant(words, typo, meant):
    ((word, near),) = words.unknown(f"{typo} {typo}").items()
    assert word == typo.lower() and near[0] == meant and len(near) <= 3
    assert len({words.rows[w] for w in near}) == len(near)  # no two forms of one word
    known, said = heard(words, f"red {typo}")
    assert known == [words.rows["red"]]
    assert said == [f"I do not know the word {word!r}; similar words I know: {', '.join(near)}"]


def test_known_words_like_it_are_those_that_difflib_finds_among_all(words):
    for word in ("rokcet", "elefant", "ябллока", "unicron"):
        near = difflib.get_close_matches(word, words.rows, 1, cutoff=0.7)
        ratio = difflib.SequenceMatcher(None, near[0], word).ratio()
        found = words.unknown(word)[word]
        assert difflib.SequenceMatcher(None, found[0], word).ratio() == ratio


@pytest.mark.parametrize("word", ["ъъъъъ", "xqzwvk", "漢字", "q" * 5000])
def test_a_word_like_no_other_is_named_alone(words, word):
    assert words.unknown(word) == {word: []}
    assert heard(words, word) == ([], [f"I do not know the word {word[:30]!r}"])


def test_n_says_how_many_known_words_are_named(words):
    assert [len(words.unknown("rokcet", n)["rokcet"]) for n in (0, 1, 2)] == [0, 1, 2]


def test_known_words_are_passed_over_in_silence(words):
    assert words.unknown("A red apple, красного яблока") == {}
    assert "apple" in words and "rokcet" not in words
    assert heard(words, "A red apple")[1] == []


def test_many_unknown_words_do_not_fill_the_screen(words):
    prompt = " ".join(f"qzx{i}" for i in range(50))
    assert len(words.unknown(prompt)) == 50
    said = heard(words, prompt)[1]
    assert len(said) == NAMED + 1 and said[-1] == "I do not know 42 more words of this prompt"


def test_words_after_the_last_place_are_not_heard_and_it_says_so(words):
    known, said = heard(words, "apple " * MAX_WORDS)
    assert len(known) == MAX_WORDS and said == []
    known, said = heard(words, "apple " * MAX_WORDS + "cat")
    assert known == [words.rows["apple"]] * MAX_WORDS
    assert said == ["I hear the first 16 words of a prompt"]


def test_ten_thousand_characters_are_no_trouble(words):
    known, said = heard(words, "apple " * 1700)
    assert len(known) == MAX_WORDS and said == ["I hear the first 16 words of a prompt"]


def test_unknown_words_are_found_in_a_moment(words):
    words.unknown("warmup")
    prompt = " ".join(f"rokcet{i}" for i in range(1000))[:10_000]
    times = []
    for _ in range(2):
        began = time.process_time()  # the work of other programs does not count
        words.unknown(prompt)
        times.append(time.process_time() - began)
    assert min(times) < 0.5


def test_a_warning_names_the_students_own_line(words):
    def said_at(call):
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            call()
        return said[0].filename

    for call in (
        lambda: words.encode("rokcet"),
        lambda: words.row_numbers("rokcet"),
        lambda: Captions(words, [["rokcet"]], [None]),
    ):
        assert said_at(call) == __file__


# ---- prompts to Text ----------------------------------------------------------------------------


def test_a_prompt_becomes_its_words_vectors_in_order(words):
    got = words.encode("красного яблока", "fluent")
    assert len(got) == 1 and got.styles.tolist() == [1 + STYLES.index("fluent")]
    assert got.mask.tolist() == [[True, True] + [False] * (MAX_WORDS - 2)]
    expected = [words.vectors[words.rows[w]] for w in ("красный", "яблоко")]
    assert torch.equal(got.vectors[0, :2], torch.stack(expected))
    assert not got.vectors[0, 2:].any()


@pytest.mark.parametrize("prompt", ["", None, "   ", "🍎", "\u200b"])
def test_a_prompt_without_words_is_silence(words, prompt):
    assert_equal(words.encode(prompt), empty_text(1))
    assert words.encode(prompt, "noto").styles.tolist() == [1]


def test_one_prompt_or_one_style_goes_with_all(words):
    assert words.encode("cat", ["noto", None]).styles.tolist() == [1, 0]
    assert words.encode(["cat", "dog"], "noto").styles.tolist() == [1, 1]
    assert words.encode(("cat", "", None)).mask.sum(1).tolist() == [1, 0, 0]
    assert_equal(words.encode(["cat", "dog"])[1], words.encode("dog"))


@pytest.mark.parametrize(("prompts", "styles"), [(2, 3), (3, 2), (0, 1), (1, 0), (0, 0)])
def test_lists_of_different_lengths_get_one_sentence(words, prompts, styles):
    with pytest.raises(ValueError, match=f"got {prompts} prompts for {styles} styles"):
        words.encode(["cat"] * prompts, ["noto"] * styles)


@pytest.mark.parametrize("prompt", [5, ["cat", 5], b"cat", [["cat"]]])
def test_prompts_that_are_no_text_get_one_sentence(words, prompt):
    with pytest.raises(ValueError, match="a prompt is a piece of text, such as 'a red apple', got"):
        words.encode(prompt)


@pytest.mark.parametrize("style", ["Noto", "picasso", "", 1, ["noto", "picasso"]])
def test_an_unknown_style_gets_one_sentence(words, style):
    wrong = style[1] if isinstance(style, list) else style
    with pytest.raises(ValueError, match=f"styles are noto, twemoji, .*, got {wrong!r}"):
        words.encode("cat", style)


def test_styles_are_those_of_the_emoji_and_none_is_zero():
    assert [style_number(s) for s in (None, *STYLES)] == list(range(7))
    assert set(STYLES) == set(load_emoji().styles)


@settings(deadline=None, max_examples=100)
@given(st.lists(st.text(), min_size=1, max_size=3))
def test_any_unicode_gives_a_mask_that_agrees_with_its_words(prompts):
    words = load_words()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        got = words.encode(prompts, "noto")
    assert got.vectors.shape == (len(prompts), MAX_WORDS, SIZE)
    assert torch.isfinite(got.vectors).all()
    for prompt, mask in zip(prompts, got.mask):
        known = sum(word in words for word in split_words(prompt))
        n = min(known, MAX_WORDS)
        assert mask.tolist() == [True] * n + [False] * (MAX_WORDS - n)
        assert set(words.unknown(prompt)) == {w for w in split_words(prompt) if w not in words}


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


# ---- the network's own ear ----------------------------------------------------------------------


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


# ---- a table that is missing or damaged ---------------------------------------------------------


@pytest.fixture
def copied_words(tmp_path, monkeypatch):
    """The word table in a folder that a test may damage."""
    shutil.copytree(DATA / "words", tmp_path / "words")
    shutil.copy(DATA / "SHA256SUMS", tmp_path)
    monkeypatch.setattr(data, "DATA", tmp_path)
    load_words.cache_clear()
    yield tmp_path / "words"
    load_words.cache_clear()


@pytest.mark.parametrize("name", ["words.safetensors", "words.json"])
def test_a_missing_table_is_named_with_what_to_do(copied_words, name):
    (copied_words / name).unlink()
    with pytest.raises(FileNotFoundError, match=f"{name} is missing.*git checkout data"):
        load_words()


def cut_short(file):
    content = file.read_bytes()
    file.write_bytes(content[: len(content) // 2])


def put(content):
    return lambda file: file.write_bytes(content)


@pytest.mark.parametrize("name", ["words.safetensors", "words.json"])
@pytest.mark.parametrize("damage", [cut_short, put(b""), put(b"garbage" * 99)])
def test_a_damaged_table_is_named_with_what_to_do(copied_words, name, damage):
    damage(copied_words / name)
    with pytest.raises(ValueError, match=f"{name} is damaged: restore it with `git checkout data`"):
        load_words()
