// What draws in lesson 07; see draws.js.

import { captureAttention, enlarge, inkWeights } from "../attention.js";
import { fixed, percent } from "../format.js";
import { signed } from "../files.js";
import { ddim, drawSwiftly, f32, guided, pureNoise, withEnd } from "../sampling.js";
import { SIZE } from "../words.js";

const LAYERS = {
  [tr("16x16, on the way up")]: "up.1.0.listen.attention",
  [tr("16x16, on the way down")]: "down.1.0.listen.attention",
};
const SHOWN = 6; // words of a prompt, or emoji, beside each other
const EMOJI = 32; // pixels a side
const STEPS = 12;
const artist = (style) => (style === tr("any") ? null : style);

export const LESSON_07 = {
  async *creation({ prompt, style, network: name, guidance, steps, seeds }, { network, words }) {
    const text = words.encode([prompt], [artist(style)]), { unheard } = text, { imageShape } = network(name);
    const shape = [seeds.length, ...imageShape], x_T = pureNoise(seeds.length, imageShape, seeds);
    if (name === "swift") {
      const { clean, heard } = await drawSwiftly(network(name), x_T, text, guidance);
      const pictures = { "x_T": { data: x_T, shape }, "x_0": { data: clean, shape } };
      const own = steps === 4 ? tr("4 steps") : tr("4 steps, not {0}", steps);
      yield { pictures, caption: `${own}${heard}`, unheard };
      return;
    }
    const told = await guided(network(name), text, undefined, guidance);
    let i = 0;
    for await (const { t, x, clean } of withEnd(ddim(told, x_T, steps))) {
      i += 1;
      const pictures = {
        "x_t": { data: x, shape }, [tr("the predicted clean picture")]: { data: clean, shape },
      };
      const caption = t >= 0 ? tr("step {0} of {1}, t = {2}", i, steps, t) : tr("the end: x_0");
      yield { pictures, caption, share: i / (steps + 1), unheard };
    }
  },

  async *find({ prompt }, { words, file }) {
    const { unheard } = words.encode([prompt], [null]), meant = meaning(words, prompt);
    const blank = { data: new Float32Array(SHOWN * 3 * EMOJI ** 2).fill(1), shape: [SHOWN, 3, EMOJI, EMOJI] };
    if (!meant) {
      yield { pictures: { [tr("the six nearest")]: blank }, caption: tr("no word that I know"), unheard };
      return;
    }
    const { names, meanings, pictureOf } = search ??= await startSearch(words, file);
    const scored = meanings.map((other, i) => ({ i, score: f32(dot(other, meant)) }));
    const best = scored.sort((a, b) => b.score - a.score).slice(0, SHOWN);
    best.forEach(({ i }, k) => blank.data.set(pictureOf(i), k * 3 * EMOJI ** 2));
    const caption = best.map(({ i, score }) => `${names[i]} ${fixed(score, 2)}`).join(", ");
    yield { pictures: { [tr("the six nearest")]: blank }, caption, unheard };
  },

  async *attention_map({ prompt, style, layer, seed }, { network, words }) {
    const text = words.encode([prompt], [artist(style)]), { unheard } = text, seen = LAYERS[layer];
    const { model, maps } = captureAttention(network("demiurge"), [seen]);
    let last;
    for await (last of ddim(model, pureNoise(1, model.imageShape, seed), STEPS, { text }));
    const heard = words.split(prompt).filter((word) => words.rows.has(word));
    const longest = 1 + text.mask.reduce((sum, there) => sum + there, 0);
    const tokens = [tr("style"), ...heard].slice(0, Math.min(longest, SHOWN));

    const weights = tokens.map((_, i) => meanWeights(maps[seen], i));
    const clean = { data: last.clean, shape: model.imageShape }, big = enlarge(clean, 2);
    const pictures = { [tr("the picture")]: clean };
    tokens.forEach((word, i) => { pictures[`${i} ${word}`] = inkWeights(weights[i], big); });
    const mean = (x) => f32(x.reduce((a, b) => a + b, 0) / x.length);
    const shares = tokens.map((word, i) => `${word} ${percent(mean(weights[i]), 0)}`);
    yield { pictures, caption: tr("mean attention weights: {0}", shares.join(", ")), unheard };
  },

  async *away({ prompt, not_this, style, guidance, seed }, { network, words }) {
    const text = words.encode([prompt], [artist(style)]), unwanted = words.encode([not_this], [null]);
    const missed = [...text.unheard, ...unwanted.unheard].map((each) => [each.sentence, each]);
    const unheard = [...new Map(missed).values()], demiurge = network("demiurge"); // each sentence once
    const shape = [4, ...demiurge.imageShape], x_T = pureNoise(4, demiurge.imageShape, seed);
    const plain = ddim(await guided(demiurge, text, undefined, guidance), x_T, STEPS);
    const avoiding = ddim(await guided(demiurge, text, unwanted, guidance), x_T, STEPS);
    for (let i = 1; i <= STEPS; i++) {
      const [a, b] = [(await plain.next()).value, (await avoiding.next()).value];
      const pictures = {
        [tr("the prompt alone")]: { data: a.clean, shape },
        [tr("away from the other")]: { data: b.clean, shape },
      };
      yield { pictures, caption: tr("step {0} of 12", i), share: i / STEPS, unheard };
    }
  },
};

// For token i, the attention weights of all places: the mean over calls, and over the heads of each.
function meanWeights(calls, i) {
  const [, heads, places, tokens] = calls[0].dims, sums = new Float64Array(places);
  for (const { data } of calls) {
    for (let k = i, row = 0; k < data.length; k += tokens, row++) sums[row % places] += data[k];
  }
  return Float32Array.from(sums, (sum) => sum / heads / calls.length);
}

// ---- search by meaning --------------------------------------------------------------------------

let search; // { names, meanings, pictureOf(i) }, once it is needed

async function startSearch(words, file) {
  const { concepts, order, columns } = JSON.parse(new TextDecoder().decode(file("emoji/emoji.json")));
  const named = new Map(concepts.map(({ hexcode, name }) => [hexcode, name]));
  const names = order.noto.map((hexcode) => named.get(hexcode));
  const sheet = await createImageBitmap(new Blob([file("emoji/noto_32.webp")]));
  const board = new OffscreenCanvas(EMOJI, EMOJI).getContext("2d", { willReadFrequently: true });
  const pictureOf = (i) => { // [3, 32, 32]
    board.drawImage(sheet, -EMOJI * (i % columns), -EMOJI * Math.floor(i / columns));
    return signed(board.getImageData(0, 0, EMOJI, EMOJI).data, [3, EMOJI, EMOJI], 4);
  };
  return { names, meanings: names.map((name) => meaning(words, name)), pictureOf };
}

// The mean of a prompt's known words, of length 1, or null where no word is known. As the lesson's
// my_words and my_vectors: no emoji, and no end to the words.
function meaning(words, prompt) {
  const split = prompt.toLowerCase().replaceAll("ё", "е").match(/[\p{L}\p{N}]+/gu) ?? [];
  const known = split.filter((word) => words.rows.has(word)), mean = new Float32Array(SIZE);
  for (const word of known) {
    const row = words.rows.get(word) * SIZE;
    for (let i = 0; i < SIZE; i++) mean[i] += words.vectors[row + i] / known.length;
  }
  const length = Math.max(Math.sqrt(dot(mean, mean)), 1e-12);
  return known.length ? mean.map((value) => value / length) : null;
}

function dot(a, b) {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i] * b[i];
  return sum;
}
