"""Could the word list be made of dictionaries without share-alike? How much of it they hold.

    pip install -e ".[data]" spylls==0.1.7
    npm install --prefix build/npm dictionary-en@4.0.0 dictionary-en-gb@3.0.0 dictionary-ru@3.0.0
    python benchmarks/word_forms.py build/npm/node_modules        (a minute on one core)

`data/words/words.json` (CC-BY-SA-4.0) has its words from wordfreq and its Russian forms from
OpenCorpora. Two dictionaries of Hunspell may be used freely: SCOWL's for English, and A. I.
Lebedev's for Russian (BSD). A word of the list is kept where they have it, a form where they lead
it to its word. Where they lead it to several, its word is taken to be chosen, so no build could
keep more without forms written by hand. The emoji's own words are Unicode's, and always stay.
"Weighted" counts a form as often as people use it, by wordfreq. The result stands in
benchmarks/word_forms.txt.
"""

import argparse
import re
from pathlib import Path

import wordfreq
from spylls.hunspell import Dictionary
from words import BEST, LANGUAGES, retrieve, right

from diffusion_helpers.authoring import commands
from diffusion_helpers.checks import say
from diffusion_helpers.data import load_emoji
from diffusion_helpers.words import Words, load_words, split_words


def dictionary_words(folder, known):
    """known form -> the words from which a Hunspell dictionary makes it, in plain letters."""
    dictionary = Dictionary.from_files(str(folder / "index"))
    words_of = {}
    for entry in dictionary.dic.words:
        for form in map(plain, entry_forms(entry, dictionary.aff)):
            if form in known:
                words_of.setdefault(form, set()).add(plain(entry.stem))
    return words_of


def plain(form):
    """One word as `split_words` writes it, which is too slow for two million forms."""
    return re.sub("'s$|[.'-]", "", form.lower().replace("ё", "е"))


def entry_forms(entry, rules):
    """The word of an entry, and all that is made of it by the rules that it names."""
    word, made = entry.stem, [entry.stem]
    for ending in chosen(rules.SFX, entry):
        made.append(word[: len(word) - len(ending.strip)] + ending.add)
    made += [start.add + form for start in chosen(rules.PFX, entry) for form in made]
    return made


def chosen(rules, entry):
    named = [rule for flag in entry.flags for rule in rules.get(flag, ())]
    return [rule for rule in named if rule.cond_regexp.search(entry.stem)]


def sort_out(words, words_of, emoji):
    """What becomes of each word and form: "kept", "lost", or "another" where it changes its row."""
    base = list(words.rows)  # the word of row i stands at place i
    become = {}
    for word, row in words.rows.items():
        leads_to = words_of.get(word, set())
        if word in emoji or base[row] in leads_to or (word == base[row] and leads_to):
            become[word] = "kept"
        else:
            become[word] = "lost" if leads_to.isdisjoint(words.rows) else "another"
    return become


def emoji_words(emoji):
    captions = {*emoji.names, *emoji.names_ru}.union(*emoji.keywords, *emoji.keywords_ru)
    return {word for caption in captions for word in split_words(caption)}


def table(words, become, russian):
    """Two lines for a language: the shares by count and weighted."""
    language = "ru" if russian else "en"
    known = [word for word in become if (min(word) >= "а") == russian]
    often = [wordfreq.word_frequency(word, language) for word in known]
    lines = []
    for name, weights in (("forms", [1] * len(known)), ("weighted", often)):
        share = dict.fromkeys(("kept", "another", "lost"), 0)
        total = sum(weights)
        for word, weight in zip(known, weights):
            share[become[word]] += weight / total
        told = ", ".join(f"{name} {x:.2%}" for name, x in share.items())
        lines.append(f"{'Russian' if russian else 'English'}, {name}: {told}")
    return lines


def hits(words, prompts, ending):
    found = retrieve(words, prompts, ending)
    return sum(right(prompts[prompt], found[prompt]) for prompt in prompts)


def main(folder):
    words, emoji = load_words(), emoji_words(load_emoji())
    words_of = {}
    for name in ("dictionary-en", "dictionary-en-gb", "dictionary-ru"):
        for form, heads in dictionary_words(folder / name, words).items():
            words_of.setdefault(form, set()).update(heads)
    become = sort_out(words, words_of, emoji)
    fewer = Words(words.vectors, {w: r for w, r in words.rows.items() if become[w] == "kept"})
    lines = table(words, become, False) + table(words, become, True)
    for language, prompts, ending in LANGUAGES:
        now, then = (hits(table, prompts, ending) for table in (words, fewer))
        lost = sorted({w for p in prompts for w in split_words(p) if w in words and w not in fewer})
        lines.append(
            f"{language} prompts of benchmarks/words.py, right among the first {BEST}: "
            f"{then} of {len(prompts)}, now {now}; words no longer known: {', '.join(lost)}"
        )
    text = "\n".join(lines)
    say(text)
    Path("benchmarks/word_forms.txt").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("packages", type=commands.folder, help="npm's folder node_modules")
    main(parser.parse_args().packages)
