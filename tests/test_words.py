"""Prompts: whatever is typed becomes words, and words become numbers that agree."""

import json
import random
import shutil
import time
import unicodedata
import warnings

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file

from diffusion_helpers import data, load_checkpoint, sample
from diffusion_helpers.data import DATA, load_emoji
from diffusion_helpers.text import MAX_WORDS, SIZE, STYLES, Captions, empty_text
from diffusion_helpers.words import (
    NAMED,
    SMALL,
    PromptWarning,
    _concepts,
    _emoji_names,
    gather_warnings,
    load_words,
    name_emoji,
    split_words,
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
        ("🍎 ❤️ 👩‍🚀", ["red", "apple", "red", "heart", "woman", "astronaut"]),
        ("☢ ➕ 🇺🇸 :)", []),  # signs that the course does not draw
        ("Ⓡⓔⓓ ❶", ["red", "❶"]),  # letters and digits in circles
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


# ---- emoji --------------------------------------------------------------------------------------


def concepts():
    return json.loads((DATA / "emoji" / "emoji.json").read_text(encoding="utf-8"))["concepts"]


def test_every_emoji_of_the_course_is_heard_as_its_name(words):
    for concept in concepts():
        sign = "".join(chr(int(code, 16)) for code in concept["hexcode"].split("-"))
        assert name_emoji(sign) == concept["name"]
        for look in (sign.replace("\ufe0f", ""), f"{sign}\ufe0f", f"{sign}🏽"):
            assert heard(words, look) == heard(words, concept["name"])


@pytest.mark.parametrize(
    ("prompt", "as_said"),
    [
        ("a 🍎 on a table", "a red apple on a table"),
        ("два🍎,одна 🍐", "два red apple ,одна pear"),
        ("🍎🍏", "red apple green apple"),
        ("❤️", "red heart"),
        ("❤", "red heart"),
        ("❤️‍🔥", "heart on fire"),  # not "red heart fire"
        ("👍🏿", "thumbs up"),
        ("👩🏽‍🚀", "woman astronaut"),
        ("🧑‍🚀", "astronaut"),
        ("👨‍👩‍👧", "man woman girl"),
        ("🏃🏻‍♀️", "person running woman"),
        ("1️⃣ 🍎", "1 red apple"),
    ],
)
def test_an_emoji_in_a_prompt_is_heard_as_its_name(words, prompt, as_said):
    with gather_warnings() as said:
        assert_equal(words.encode(prompt), words.encode(as_said))
    assert said == []
    assert split_words(prompt) == split_words(as_said)


def test_an_emoji_is_drawn_as_its_name_is():
    demiurge = load_checkpoint("demiurge", "cpu")
    apple, named, nothing, smiley = (
        sample(demiurge, prompt, steps=1, seed=1) for prompt in ("🍎", "red apple", "", ":)")
    )
    assert torch.equal(apple, named) and torch.equal(smiley, nothing)
    assert not torch.equal(apple, nothing)
    with pytest.warns(PromptWarning, match="^Nothing in this prompt is heard, so it draws as if"):
        sample(demiurge, ":)", steps=1)


@pytest.mark.parametrize(
    ("prompt", "names"),
    [
        ("a cat ☢️ ☢", ["☢' (radioactive sign)"]),
        ("cat 🇺🇸🇫🇷", ["🇺🇸' (flag US)", "🇫🇷' (flag FR)"]),
        ("cat #️⃣", ["#⃣' (keycap #)"]),
        ("cat 🔟", ["🔟' (keycap ten)"]),
        ("🏳️‍🌈", ["🏳' (waving white flag)"]),
        ("cat \U0001faff", ["\\U0001faff' (without a name)"]),
    ],
)
def test_a_sign_that_the_course_does_not_draw_is_named(words, prompt, names):
    known, said = heard(words, prompt)
    assert known
    assert said == [f"I do not know the sign '{name}" for name in names]


def test_a_degree_sign_is_no_emoji_and_a_wall_of_signs_does_not_fill_the_screen(words):
    assert heard(words, "cat 30° §5")[1] == []
    wall = "".join(chr(0x2190 + i) for i in range(50))
    said = heard(words, wall)[1]
    assert len(said) == NAMED + 1 and said[-1] == "I do not know 42 more signs of this prompt"


def test_no_caption_of_the_emoji_holds_a_sign_so_networks_are_taught_as_before(words):
    for concept in concepts():
        for caption in (
            *(concept["name"], concept["name_ru"]),
            *(*concept["keywords"], *concept["keywords_ru"]),
        ):
            assert name_emoji(caption) == caption and heard(words, caption)[1] == []


def test_the_list_of_emoji_is_read_once_and_only_for_a_prompt_with_a_sign(monkeypatch):
    read = []
    monkeypatch.setattr(
        "diffusion_helpers.words.read_data", lambda name: read.append(name) or data.read_data(name)
    )
    for cached in (_concepts, _emoji_names):
        cached.cache_clear()
    split_words("a red apple, красное яблоко: 30° ½")
    assert read == []
    for _ in range(2):
        split_words("🍎")
    assert read == ["emoji/emoji.json"]


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


def same_row(words, one, other):
    return words.rows[one] == words.rows[other]


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
        ("gitar", "guitar"),
        ("elefant", "elephant"),  # "elegant" is nearer, but names nothing
        ("pizzza", "pizza"),
        ("buterfly", "butterfly"),
        ("dgo", "dog"),
        ("гетара", "гитара"),
        ("пица", "пицца"),
        ("бабачка", "бабочка"),
        ("малоко", "молоко"),
        ("медветь", "медведь"),
    ],
)
def test_a_typo_is_named_with_the_word_that_was_meant(words, typo, meant):
    ((word, near),) = words.unknown(f"{typo} {typo}").items()
    assert word == typo.lower() and near[0] == meant and len(near) <= 3
    assert len({words.rows[w] for w in near}) == len(near)  # no two forms of one word
    known, said = heard(words, f"red {typo}")
    assert known == [words.rows["red"]]
    assert said == [f"I do not know the word {word!r}; similar words I know: {', '.join(near)}"]


@pytest.mark.parametrize("language", ["name", "name_ru"])
def test_of_the_likeliest_slips_in_names_of_emoji_nearly_all_are_understood(words, language):
    """A letter left out, doubled or exchanged with its neighbour, at a place that dice choose."""
    dice = random.Random(0)
    names = sorted({w for c in concepts() for w in split_words(c[language]) if len(w) > 4})
    slips = {}
    for name in dice.sample(names, 100):
        i = dice.randrange(1, len(name) - 1)
        swapped = name[: i - 1] + name[i] + name[i - 1] + name[i + 1 :]
        slips |= {slip: name for slip in (name[:i] + name[i + 1 :], name[:i] + name[i:], swapped)}
    slips = {slip: name for slip, name in slips.items() if slip not in words}
    found = {slip: words._like(slip, 1) for slip in slips}
    right = [slip for slip, near in found.items() if near and same_row(words, near[0], slips[slip])]
    assert len(right) > 0.9 * len(slips) > 100


@pytest.mark.parametrize("word", ["ъъъъъ", "xqzwvk", "漢字", "q" * 5000])
def test_a_word_like_no_other_is_named_alone(words, word):
    assert words.unknown(word) == {word: []}
    assert heard(words, word) == ([], [f"I do not know the word {word[:30]!r}"])


def test_a_warning_holds_the_word_and_the_known_words_for_a_page_that_offers_them(words):
    with gather_warnings() as said:
        words.row_numbers("a rokcet xqzwvk ☢")
    assert [(w.word, bool(w.similar)) for w in said] == [
        ("rokcet", True),
        ("xqzwvk", False),
        ("", False),
    ]
    assert said[0].similar == tuple(words.unknown("rokcet")["rokcet"])


def test_small_words_are_not_scolded_and_only_near_words_are_similar(words):
    assert heard(words, "it is a red apple or о яблоке")[1] == []
    assert words.unknown("is rokcet") == {"is": [], "rokcet": ["rocket"]}  # not "its" or "rocked"
    assert not SMALL & set(words.rows)  # what is known is heard


def test_n_says_how_many_known_words_are_named(words):
    assert [len(words.unknown("snaek", n)["snaek"]) for n in (0, 1, 2)] == [0, 1, 2]


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


@pytest.mark.parametrize(
    "prompt", [" ".join(f"rokcet{i}" for i in range(1000))[:10_000], "x" * 100_000]
)
def test_unknown_words_are_found_in_a_moment(words, prompt):
    words.unknown("warmup")  # reads the names of the emoji
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


@pytest.mark.parametrize("prompt", ["", None, "   "])
def test_an_empty_prompt_says_nothing_and_needs_no_warning(words, prompt):
    with gather_warnings() as said:
        assert_equal(words.encode(prompt), empty_text(1))
        assert words.encode(prompt, "noto").styles.tolist() == [1]
    assert said == []


@pytest.mark.parametrize("prompt", [":)", "...", "<_<", "☢", "\u200b", "🏽", "\ud83c", "xqzwvk"])
def test_a_prompt_in_which_nothing_is_heard_says_so(words, prompt):
    with gather_warnings() as said:
        assert_equal(words.encode(prompt), empty_text(1))
    assert str(said[-1]) == "Nothing in this prompt is heard, so it draws as if there were none"
    assert len(said) == 1 + (prompt in ("☢", "xqzwvk"))  # these are named first
    with gather_warnings() as said:
        words.encode(["a cat", prompt, ""])
    assert sum("Nothing" in str(one) for one in said) == 1


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


def test_a_missing_list_of_emoji_is_named_where_a_prompt_needs_it(copied_words):
    for cached in (_concepts, _emoji_names):
        cached.cache_clear()
    assert name_emoji("a cat") == "a cat"
    with pytest.raises(FileNotFoundError, match=r"emoji\.json is missing.*git checkout data"):
        name_emoji("🍎")
