// words.py: from a prompt in English or Russian to vectors of meaning, and what is not heard of it.

import { floats, timesRows } from "./weights.js";

export const SIZE = 128, MAX_WORDS = 16;
export const STYLES = ["noto", "twemoji", "fluent", "noto-v1", "emojione", "fxemoji"];
const NAMED = 8, ALIKE = 0.75, DRAWN = 0.11; // see words.py
const SMALL = new Set(["am", "as", "be", "by", "he", "i", "is", "it", "my", "or", "we", "о"]);
const OFFERED = 3; // buttons for unknown words of a prompt

// ---- from a prompt to its words ---------------------------------------------------------------

// JavaScript's \w and \b know English letters only, so that both are written out.
const WORD = /[\p{L}\p{N}]+/gu;
const OF = /['’]s(?![\p{L}\p{N}_])/gu;
const SIGN = "[\\u2190-\\u245f\\u2500-\\u2775\\u2794-\\u2bff\\u{1f000}-\\u{1f3fa}\\u{1f400}-\\u{1faff}]";
const ANY_SIGN = new RegExp(SIGN, "u");
const LOOK = new RegExp(`(?<=${SIGN})[\\ufe0e\\ufe0f\\u{1f3fb}-\\u{1f3ff}]+`, "gu");
const ONE_SIGN = new RegExp(`[\\u{1f1e6}-\\u{1f1ff}]{2}|[#*]\\u20e3|${SIGN}`, "gu");
const JOINER = "\u200d";
const NO_NAME = tr("without a name");
export const SPACES = /[\p{White_Space}\x1c-\x1f]+/u; // what Python's split() and strip() take
const SAID = /[^\s\x1c-\x1f\x85]|\ufeff/; // what Python's strip() leaves
const NOTHING = tr("Nothing in this prompt is heard, so it draws as if there were none");

const wordsOf = (plain) => plain.replace(OF, "").replace(/['’]/g, "").match(WORD) ?? [];
const lettersOf = (word) => Array.from(word, (letter) => letter.codePointAt());
const unique = (things) => [...new Set(things)];

// Sign -> English name, and the pattern that finds these signs, the longest first.
export function emojiNames(concepts) {
  const names = new Map([["\u2640", "woman"], ["\u2642", "man"]]);
  for (const { hexcode, name } of concepts) {
    const codes = hexcode.split("-").map((code) => parseInt(code, 16));
    const sign = String.fromCodePoint(...codes).replace(LOOK, "");
    names.set(sign, name);
    if (sign.startsWith(`\u{1f9d1}${JOINER}`)) { // a person
      names.set(`\u{1f468}${sign.slice(2)}`, `man ${name}`);
      names.set(`\u{1f469}${sign.slice(2)}`, `woman ${name}`);
    }
  }
  const longestFirst = [...names.keys()].sort((a, b) => b.length - a.length);
  return { names, pattern: new RegExp(`${JOINER}?(${longestFirst.join("|")})`, "gu") };
}

// words.name_emoji; the last argument comes from `emojiNames`.
export function nameEmoji(prompt, { names, pattern }) {
  if (!ANY_SIGN.test(prompt)) return prompt;
  const named = prompt.replace(LOOK, "").replace(pattern, (_, sign) => ` ${names.get(sign)} `);
  return named.split(SPACES).filter(Boolean).join(" ");
}

// What Unicode calls a sign; `signs` comes from Python, {sign: name}.
function signName(sign, signs) {
  if (sign.endsWith("\u20e3")) return tr("keycap {}", sign[0]);
  const letters = [...sign];
  if (letters.length === 1) return signs[sign] ?? NO_NAME;
  const country = letters.map((c) => String.fromCharCode(c.codePointAt() - 0x1f1e6 + 65)).join("");
  return tr("flag {}", country);
}

function escaped(sign) { // as Python shows a letter that it does not know
  const code = sign.codePointAt().toString(16);
  return code.length > 4 ? `\\U${code.padStart(8, "0")}` : `\\u${code}`;
}

// ---- the word table ---------------------------------------------------------------------------

// word -> row, a Map. A form of two words belongs to the one in `same`, or else to the first.
function allForms({ words, plurals, endings, inflected, same }) {
  const rows = new Map(words.map((word, row) => [word, row]));
  const add = (form, row) => { if (!rows.has(form)) rows.set(form, row); };
  for (const [word, base] of Object.entries(same)) rows.set(word, rows.get(base));
  for (const [form, base] of Object.entries(plurals)) add(form, rows.get(base));
  const first = words.length - inflected.length; // the Russian words are the last in the table
  inflected.forEach(([stem, pattern], i) => {
    const word = words[first + i];
    for (const ending of endings[pattern].split(" ")) add(word.slice(0, stem) + ending, rows.get(word));
  });
  return rows;
}

// The word table. `table` and `emoji` are words.json and emoji.json, `tensors` those of
// words.safetensors, `signs` the names of signs.
export class Words {
  constructor(table, tensors, emoji, signs) {
    this.rows = allForms(table);
    this.vectors = timesRows(floats(tensors.vectors), floats(tensors.scales));
    this.known = [...this.rows.keys()].map((word) => ({ word, letters: lettersOf(word) }));
    this.signs = signs;
    Object.assign(this, emojiNames(emoji.concepts));
    const drawn = emoji.concepts.flatMap(({ name, name_ru: russian }) => [name, russian])
      .flatMap((name) => this.split(name)).map((word) => this.rows.get(word));
    this.drawn = new Set(drawn); // the rows of the words that name an emoji
  }

  split(prompt) { return wordsOf(this.#plain(prompt)); } // split_words

  #plain(prompt) {
    const plain = nameEmoji(prompt, this).normalize("NFKC").toLowerCase().replaceAll("ё", "е");
    return plain.replace(/[\p{Mn}\p{Cf}]/gu, "");
  }

  // Known words with nearly the same spelling, no two from one row, the likeliest first.
  like(word, n = 3) {
    const letters = lettersOf(word), found = [];
    for (const { word: known, letters: others } of this.known) {
      const longest = Math.max(letters.length, others.length);
      if (1 - Math.abs(letters.length - others.length) / longest < ALIKE - DRAWN) continue;
      const likeness = 1 - mistakes(letters, others) / longest;
      if (likeness < ALIKE - DRAWN) continue;
      const row = this.rows.get(known), more = likeness + (this.drawn.has(row) ? DRAWN : 0);
      if (more >= ALIKE) found.push({ known, row, order: [-more, +(others[0] !== letters[0]), row] });
    }
    found.sort((a, b) => compare(a.order, b.order) || (a.known < b.known ? -1 : 1));
    const nearest = new Map();
    for (const { known, row } of found) if (!nearest.has(row)) nearest.set(row, known);
    return [...nearest.values()].slice(0, n);
  }

  // The rows of the known words, at most MAX_WORDS, and what is not heard: [{ sentence, word, similar }]
  rowNumbers(prompt) {
    const plain = this.#plain(prompt), words = wordsOf(plain);
    const known = words.filter((word) => this.rows.has(word));
    const unheard = this.#unheard(words, unique(plain.match(ONE_SIGN) ?? []));
    if (known.length > MAX_WORDS) {
      unheard.push({ sentence: tr("I hear the first {} words of a prompt", MAX_WORDS) });
    }
    return { rows: known.slice(0, MAX_WORDS).map((word) => this.rows.get(word)), unheard };
  }

  #unheard(words, signs) {
    const unknown = unique(words.filter((word) => !this.rows.has(word) && !SMALL.has(word)));
    const said = unknown.slice(0, NAMED).map((word) => {
      const similar = this.like(word), short = [...word].slice(0, 30).join("");
      const sentence = similar.length
        ? tr("I do not know the word '{}'; similar words I know: {}", short, similar.join(", "))
        : tr("I do not know the word '{}'", short);
      return { sentence, word, similar };
    });
    for (const sign of signs.slice(0, NAMED)) {
      const name = signName(sign, this.signs), shown = name === NO_NAME ? escaped(sign) : sign;
      said.push({ sentence: tr("I do not know the sign '{}' ({})", shown, name) });
    }
    const [more, others] = [unknown.length - NAMED, signs.length - NAMED];
    if (more > 0) said.push({ sentence: tr("I do not know {} more words of this prompt", more) });
    if (others > 0) said.push({ sentence: tr("I do not know {} more signs of this prompt", others) });
    return said;
  }

  // n prompts, and a style or null for each: what the text graph takes, and what is not heard.
  encode(prompts, styles) {
    const n = prompts.length, unheard = [];
    const text = {
      n, unheard, vectors: new Float32Array(n * MAX_WORDS * SIZE), mask: new Uint8Array(n * MAX_WORDS),
      styles: BigInt64Array.from(styles, (style) => BigInt(1 + STYLES.indexOf(style))), // 0 for null
    };
    const heard = prompts.map((prompt) => this.rowNumbers(prompt));
    heard.forEach(({ rows, unheard: missed }, i) => {
      unheard.push(...missed);
      rows.forEach((row, j) => {
        const meaning = this.vectors.subarray(row * SIZE, (row + 1) * SIZE);
        text.vectors.set(meaning, (i * MAX_WORDS + j) * SIZE);
        text.mask[i * MAX_WORDS + j] = 1;
      });
    });
    heard.forEach(({ rows }, i) => {
      if (!rows.length && SAID.test(prompts[i])) unheard.push({ sentence: NOTHING });
    });
    return text;
  }
}

// For the first unknown words of a prompt, the known word that is likeliest meant.
export const offers = (unheard) => unheard.filter(({ similar }) => similar?.length)
  .map(({ word, similar }) => [word, similar[0]]).slice(0, OFFERED);

const compare = (a, b) => {
  const i = a.findIndex((x, k) => x !== b[k]);
  return i < 0 ? 0 : a[i] - b[i];
};

// Letters too many, too few, wrong, or exchanged with their neighbour, between two lists of letters
// (optimal string alignment, rapidfuzz's OSA). The three rows are used again and again.
let before = new Uint8Array(256), above = new Uint8Array(256), row = new Uint8Array(256);
function mistakes(a, b) {
  for (let j = 0; j <= b.length; j++) row[j] = j;
  for (let i = 1; i <= a.length; i++) {
    [before, above, row] = [above, row, before];
    row[0] = i;
    for (let j = 1; j <= b.length; j++) {
      let least = Math.min(above[j] + 1, row[j - 1] + 1, above[j - 1] + (a[i - 1] === b[j - 1] ? 0 : 1));
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) {
        least = Math.min(least, before[j - 2] + 1);
      }
      row[j] = least;
    }
  }
  return row[b.length];
}
