// pocket.py, and what diffusers and transformers do around it: the pocket Stable Diffusion of lesson 08.
//
// Latents and pictures are Float32Arrays of n after one another, as in sampling.js.

import { Dice } from "./dice.js";
import { session } from "./engine.js";
import {
  Schedule, addNoise, clip, cosineBetas, cosineSchedule, f32, guide, mix, predict, product, roundHalfToEven,
} from "./sampling.js";
import { dequantize, safetensors } from "./weights.js";
import { SPACES, emojiNames, nameEmoji } from "./words.js";

const LATENT = [4, 16, 16], PICTURE = [3, 64, 64];
const NUMBERS = product(LATENT); // of a latent
const WIDTH = 128; // numbers for each token of an encoded prompt

// ---- the tokenizer ----------------------------------------------------------------------------

const BEGIN_MARK = "<|startoftext|>", END_MARK = "<|endoftext|>";
const MARKS = /(<\|startoftext\|>|<\|endoftext\|>)/;
const CLIP_WORD = new RegExp(`${MARKS.source}|'s|'t|'re|'ve|'m|'ll|'d|\\p{L}+|\\p{N}`
  + "|[^\\p{White_Space}\\p{L}\\p{N}]+", "gu");
const CUT = /\p{L}+|\p{N}+|[^\p{L}\p{N}]+/gu; // a mark in capitals, which is a word, is cut once more
const WORD_END = "</w>";
const AROUND = new RegExp(`^${SPACES.source}|${SPACES.source}$`, "gu");

// A letter for each of the 256 bytes; those that show nothing, such as a blank, get one from 256 on.
function bytesAsLetters() {
  let next = 256;
  const shows = (byte) => (byte > 32 && byte < 127) || (byte > 160 && byte !== 173);
  return Array.from({ length: 256 }, (_, byte) => String.fromCodePoint(shows(byte) ? byte : next++));
}

// transformers' CLIPTokenizer: byte pair encoding. `vocabulary` is vocab.json, `merges` merges.txt.
export class Tokenizer {
  constructor(vocabulary, merges, longest) {
    Object.assign(this, { vocabulary, longest, known: new Map() });
    this.pieces = []; // by their numbers
    for (const [piece, id] of Object.entries(vocabulary)) this.pieces[id] = piece;
    const pairs = merges.split("\n").filter((line) => line && !line.startsWith("#version"));
    this.ranks = new Map(pairs.map((pair, rank) => [pair, rank]));
    this.letters = bytesAsLetters();
    this.bytes = new Map(this.letters.map((letter, byte) => [letter, byte]));
  }

  // The numbers of the pieces of a text, without the marks of begin and end.
  encode(text) {
    return text.split(MARKS).flatMap((part) => MARKS.test(part)
      ? [this.vocabulary[part]] : this.#words(part).flatMap((word) => this.#join(word)));
  }

  #words(text) { // in small letters, each letter for itself: no final sigma
    const plain = Array.from(text.normalize("NFC"), (letter) => letter.toLowerCase()).join("");
    const words = plain.match(CLIP_WORD) ?? [];
    return words.flatMap((word) => MARKS.test(word) ? word.match(CUT) : [word]);
  }

  #join(word) { // neighbours, pair by pair, in the order in which the tokenizer learned to
    if (this.known.has(word)) return this.known.get(word);
    const parts = Array.from(new TextEncoder().encode(word), (byte) => this.letters[byte]);
    parts.push(parts.pop() + WORD_END);
    for (;;) {
      const ranks = parts.slice(1).map((part, i) => this.ranks.get(`${parts[i]} ${part}`) ?? Infinity);
      const first = Math.min(...ranks);
      if (first === Infinity) break;
      const at = ranks.indexOf(first);
      parts.splice(at, 2, parts[at] + parts[at + 1]);
    }
    const ids = parts.map((part) => this.vocabulary[part]);
    this.known.set(word, ids);
    return ids;
  }

  decode(ids) {
    const letters = ids.map((id) => this.pieces[id]).join("");
    const bytes = Uint8Array.from(letters, (letter) => this.bytes.get(letter));
    const text = new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes);
    return text.replaceAll(WORD_END, " ").replace(AROUND, "");
  }

  // Marked, cut and filled up to `longest`, as the text encoder wants them: a row for each text.
  rows(texts) {
    const [begin, end] = [BEGIN_MARK, END_MARK].map((mark) => this.vocabulary[mark]);
    const rows = texts.map((text) => [begin, ...this.encode(text).slice(0, this.longest - 2), end]);
    const filled = rows.flatMap((row) => [...row, ...Array(this.longest - row.length).fill(end)]);
    return BigInt64Array.from(filled, BigInt);
  }
}

// What the pocket model hears: it knows the names of the course's emoji, from the concepts of emoji.json.
export class PocketPrompts {
  constructor(tokenizer, concepts) { Object.assign(this, { tokenizer, emoji: emojiNames(concepts) }); }

  // pocket.format_prompt: { prompt, unheard }; style is one of its words, or null.
  format(words, style) {
    const { tokenizer } = this, end = style === null ? "" : `, ${style}`, unheard = [];
    let prompt = nameEmoji(words, this.emoji).replace(/\p{Cs}/gu, "?"); // half an emoji
    const ids = tokenizer.encode(prompt), room = tokenizer.longest - 2 - tokenizer.encode(end).length;
    if (ids.length > room) {
      unheard.push({ sentence: tr("I hear the first {} tokens of a prompt", room) });
      for (let kept = room; kept >= 0; kept--) { // a sign that is cut in two may spell itself longer
        prompt = tokenizer.decode(ids.slice(0, kept)).replace(/\ufffd+$/, "");
        if (tokenizer.encode(prompt).length <= room) break;
      }
    }
    return { prompt: prompt + end, unheard };
  }
}

// ---- the networks -----------------------------------------------------------------------------

// The pocket Stable Diffusion; `take(name)` gives the bytes of a file of data/.
export async function startPocket(ort, take) {
  const text = (name) => new TextDecoder().decode(take(name));
  const json = (name) => JSON.parse(text(name)), own = (name) => `pocket-stable-diffusion/${name}`;
  const weightsOf = (part) => dequantize(safetensors(take(own(part))));
  const start = (graph, weights, wanted) =>
    session(ort, take(`graphs/pocket.${graph}.onnx`), weights, wanted);
  const vae = weightsOf("vae/diffusion_pytorch_model.safetensors");
  const graphs = {
    text: await start("text", weightsOf("text_encoder/model.safetensors"), () => true),
    step: await start("step", weightsOf("unet/diffusion_pytorch_model.safetensors"), () => true),
    encode: await start("encode", vae, (name) => /^(quant_conv|encoder)\./.test(name)),
    decode: await start("decode", vae, (name) => /^(post_quant_conv|decoder)\./.test(name)),
  };
  const tokenizer = new Tokenizer(json(own("tokenizer/vocab.json")), text(own("tokenizer/merges.txt")),
    json(own("tokenizer/tokenizer_config.json")).model_max_length);
  const { scaling_factor: factor } = json(own("vae/config.json"));
  const prompts = new PocketPrompts(tokenizer, json("emoji/emoji.json").concepts);
  return new Pocket(ort, graphs, prompts, f32(factor));
}

class Pocket {
  constructor(ort, graphs, prompts, factor) {
    Object.assign(this, { ort, graphs, prompts, factor });
    this.schedule = new DiffusersSchedule(cosineBetas(1000));
  }

  format(words, style) { return this.prompts.format(words, style); }

  #run(graph, input, data, shape) { // -> its answers by name
    const rows = new this.ort.Tensor(data, [data.length / product(shape), ...shape]);
    return this.graphs[graph].run({ [input]: rows });
  }

  async encodeTexts(texts) { // -> (n, 20, 128)
    const { tokenizer } = this.prompts;
    return (await this.#run("text", "ids", tokenizer.rows(texts), [tokenizer.longest])).encoded.data;
  }

  async encode(pictures) { // each latent, before it is scaled, as in the training: a mean and a spread
    const { mean, std } = await this.#run("encode", "pictures", pictures, PICTURE);
    return { mean: mean.data, std: std.data };
  }

  async toLatents(pictures) { return (await this.encode(pictures)).mean.map((v) => v * this.factor); }

  async toPictures(latents) { // { data, shape }
    const unscaled = latents.map((v) => v / this.factor);
    const { pictures } = await this.#run("decode", "latents", unscaled, LATENT);
    return { data: pictures.data.map(clip), shape: [latents.length / NUMBERS, ...PICTURE] };
  }

  // The UNet that hears a prompt, for n latents: a network as sampling.js wants it. With a scale, it
  // is guided; without one, it is not.
  async listening(prompt, n, scale) {
    const said = scale === undefined ? [prompt] : ["", prompt];
    const encoded = timesEach(await this.encodeTexts(said), said.length, n), { ort, graphs } = this;
    const model = async (x, t) => {
      const many = said.length * n, x_t = timesEach(x, 1, said.length);
      const { velocity } = await graphs.step.run({
        x_t: new ort.Tensor(x_t, [many, ...LATENT]),
        t: new ort.Tensor(new Float32Array(many).fill(t), [many]),
        encoded: new ort.Tensor(encoded, [many, this.prompts.tokenizer.longest, WIDTH]),
      }, ["velocity"]);
      if (scale === undefined) return velocity.data;
      return guide(velocity.data.subarray(0, x.length), velocity.data.subarray(x.length), scale);
    };
    return Object.assign(model, { predicts: "velocity", imageShape: LATENT, schedule: cosineSchedule() });
  }

  // ---- diffusers' pipelines: each gives the latents after each step -----------------------------

  // StableDiffusionPipeline. Each picture has dice of its own.
  async* fromNoise(prompt, seeds, steps, scale) {
    const noise = seeds.map((seed) => new Dice(seed).randn(NUMBERS));
    yield* this.#denoise(prompt, concat(noise), trailing(steps), steps, scale);
  }

  // StableDiffusionImg2ImgPipeline, from one picture: its latent is drawn anew for each seed.
  async* fromPicture(picture, prompt, seeds, strength, steps, scale) {
    const { mean, std } = await this.encode(picture), left = Math.floor(steps * strength);
    const levels = trailing(steps).slice(steps - left);
    const noisy = seeds.map((seed) => {
      const dice = new Dice(seed), draw = dice.randn(NUMBERS), noise = dice.randn(NUMBERS);
      const latent = mean.map((m, i) => this.factor * f32(m + f32(std[i] * draw[i])));
      return addNoise(latent, levels[0], noise, this.schedule);
    });
    yield* this.#denoise(prompt, concat(noisy), levels, steps, scale);
  }

  // DDIMScheduler. Its next level is a fixed number of levels below, not the next that it visits.
  async* #denoise(prompt, x, levels, steps, scale) {
    const model = await this.listening(prompt, x.length / NUMBERS, scale > 1 ? scale : undefined);
    const { schedule } = this, down = Math.floor(schedule.length / steps);
    for (const t of levels) {
      const { clean, noise } = await predict(model, x, t, { schedule });
      const [signalRate, noiseRate] = schedule.rates(t - down);
      x = mix(signalRate, clean, noiseRate, noise);
      yield x;
    }
  }
}

export class DiffusersSchedule extends Schedule { // rounded to 32 bits
  constructor(betas) {
    let left = 1;
    super(Float32Array.from(betas, (beta) => (left *= f32(1 - f32(beta)))));
  }

  rates(t) { return [f32(Math.sqrt(this.at(t))), f32(Math.sqrt(f32(1 - this.at(t))))]; }
}

// The noise levels that diffusers visits with "trailing" spacing, as NumPy's arange counts them. (For 61
// and a few other numbers of steps above 50, rounding gives theirs one more level, -1.)
export function trailing(steps, total = 1000) {
  const apart = total - (total - total / steps);
  return Array.from({ length: steps }, (_, i) => roundHalfToEven(total - i * apart) - 1);
}

function concat(rows) {
  const whole = new Float32Array(rows.length * rows[0].length);
  rows.forEach((row, i) => whole.set(row, i * row.length));
  return whole;
}

// Each of `rows` rows of the data, n times.
function timesEach(data, rows, n) {
  const width = data.length / rows;
  return concat(Array.from({ length: rows * n }, (_, i) => {
    const from = Math.floor(i / n) * width;
    return data.subarray(from, from + width);
  }));
}
