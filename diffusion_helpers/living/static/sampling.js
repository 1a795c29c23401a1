// noising.py and sampling.py: schedules, samplers and guidance.
//
// Pictures are a Float32Array of n pictures after one another, in [-1, 1]. A network is an async
// function, model(x, t, text), with the properties predicts, imageShape [C, H, W] and schedule. All
// is rounded to float32 where PyTorch rounds.

import { Dice } from "./dice.js";

const SEED_STRIDE = 1_000_003; // apart: the streams of random numbers that one seed decides
const HALF_LOG_SNRS = [-3, 2.5]; // of the second level that `logsnrTimesteps` visits, and of the last
export const f32 = Math.fround;
export const product = (numbers) => numbers.reduce((a, b) => a * b);
export const clip = (v) => Math.min(1, Math.max(-1, v)); // into the range of pictures
// a * x + b * y, rounded as PyTorch does
export const mix = (a, x, b, y) => x.map((v, i) => f32(a * v) + f32(b * y[i]));

// ---- schedules --------------------------------------------------------------------------------

export class Schedule {
  constructor(alphaBar) { this.alphaBar = alphaBar; } // (T,) in 64 bits
  get length() { return this.alphaBar.length; }
  at(t) { return t < 0 ? 1 : this.alphaBar[t]; } // t = -1 is the clean picture
  halfLogSnr(t) { return Math.log(this.at(t) / (1 - this.at(t))) / 2; }
  rates(t) { return [f32(Math.sqrt(this.at(t))), f32(Math.sqrt(1 - this.at(t)))]; } // signal, noise
}

function scheduleOf(betas) {
  let left = 1;
  return new Schedule(Float64Array.from(betas, (beta) => (left *= 1 - beta)));
}

export function cosineBetas(steps) {
  const f = (i) => Math.cos(((i / steps + 0.008) / 1.008) * Math.PI / 2) ** 2;
  return Array.from({ length: steps }, (_, i) => Math.min(1 - f(i + 1) / f(i), 0.999));
}

export const cosineSchedule = (steps = 1000) => scheduleOf(cosineBetas(steps));

export function linearSchedule(steps = 1000, first = 1e-4, last = 0.02) {
  return scheduleOf(Array.from({ length: steps }, (_, i) => first + (last - first) * i / (steps - 1)));
}

// x_t of noise level t: x0 and eps are alike.
export function addNoise(x0, t, eps, schedule) {
  const [signalRate, noiseRate] = schedule.rates(t);
  return mix(signalRate, x0, noiseRate, eps);
}

// ---- noise levels to visit --------------------------------------------------------------------

export const timesteps = (steps, total = 1000) =>
  Array.from({ length: steps }, (_, i) => roundHalfToEven(total - i * total / steps) - 1);

export function logsnrTimesteps(steps, schedule) {
  const ts = timesteps(steps, schedule.length).slice(0, 1);
  const halfLogs = schedule.alphaBar.map((_, t) => schedule.halfLogSnr(t));
  let [first, last] = HALF_LOG_SNRS;
  if (steps <= 2) first = (first + last) / 2;
  linspace(first, last, steps - 1).forEach((wanted, i) => {
    const away = halfLogs.map((halfLog) => Math.abs(halfLog - wanted));
    const nearest = away.indexOf(Math.min(...away)), lowest = steps - 2 - i;
    ts.push(Math.max(lowest, Math.min(nearest, ts.at(-1) - 1)));
  });
  return ts;
}

export function roundHalfToEven(x) { // as Python rounds
  const up = Math.round(x);
  return up - x === 0.5 && up % 2 ? up - 1 : up;
}

function linspace(first, last, n) { // torch.linspace in float32, which counts from both ends
  const step = f32((last - first) / (n - 1));
  return Array.from({ length: n }, (_, i) => n === 1 ? first
    : i < n / 2 ? f32(first + f32(step * i)) : f32(last - f32(step * (n - 1 - i))));
}

// ---- a network's answer -----------------------------------------------------------------------

// { clean, noise } of pictures x at noise level t.
export async function predict(model, x, t, { schedule = model.schedule, text } = {}) {
  const output = await model(x, t, text), [signalRate, noiseRate] = schedule.rates(t);
  const less = (rate, other) => x.map((v, i) => f32(v - f32(rate * output[i])) / other);
  if (model.predicts === "noise") return { clean: less(noiseRate, signalRate), noise: output };
  if (model.predicts === "clean") return { clean: output, noise: less(signalRate, noiseRate) };
  return { // velocity
    clean: mix(signalRate, x, -noiseRate, output),
    noise: mix(noiseRate, x, signalRate, output),
  };
}

// From one prediction towards another: half of the way at a scale of .5, beyond it at 2.
export const guide = (from, to, scale) => from.map((v, i) => v + f32(scale * f32(to[i] - v)));

// Classifier-free guidance: a network without text that follows `text` more closely. Both texts
// come from `Words.encode`, of n prompts or 1; `negative` is the empty text where it is left out. A
// distilled network is told the scale and needs one call a step; it takes no `negative`.
export async function guided(network, text, negative, scale = 3) {
  const { predicts, imageShape, schedule, distilled } = network, about = { predicts, imageShape, schedule };
  if (distilled) {
    const told = await network.encodeText(text, scale);
    return Object.assign((x, t) => network(x, t, told), about);
  }
  const spoken = await network.encodeText(text), other = await network.encodeText(negative);
  const model = async (x, t) => {
    if (scale === 0 || scale === 1) return network(x, t, scale ? spoken : other);
    const n = x.length / product(imageShape), twice = new Float32Array(2 * x.length);
    twice.set(x);
    twice.set(x, x.length);
    const both = await network(twice, t, join(expand(other, n), expand(spoken, n)));
    return guide(both.subarray(0, x.length), both.subarray(x.length), scale);
  };
  return Object.assign(model, about);
}

// Encoded texts: { n, pooled, tokens, mask }, each of n rows. One text for each of n pictures:
export function expand(text, n) {
  const times = n / text.n, wide = { n };
  for (const key of ["pooled", "tokens", "mask"]) {
    const row = text[key].length / text.n;
    wide[key] = new text[key].constructor(n * row);
    for (let i = 0; i < n; i++) {
      const from = Math.floor(i / times) * row;
      wide[key].set(text[key].subarray(from, from + row), i * row);
    }
  }
  return wide;
}

function join(one, other) {
  const both = { n: one.n + other.n };
  for (const key of ["pooled", "tokens", "mask"]) {
    both[key] = new one[key].constructor(one[key].length + other[key].length);
    both[key].set(one[key]);
    both[key].set(other[key], one[key].length);
  }
  return both;
}

// ---- samplers ---------------------------------------------------------------------------------
//
// Each is an async generator of { t, x, clean, noise }, one for every call of the network. All take
// sampler(model, x, steps, { schedule, text, clipSample }), where left-out options are the network's
// own, as in sampling.py.

// `seed` is a number, or a list with one for each picture.
export function pureNoise(n, imageShape, seed = 0) {
  const size = product(imageShape), x = new Float32Array(n * size);
  const dice = Array.isArray(seed) ? seed.map((own) => new Dice(own)) : Array(n).fill(new Dice(seed));
  dice.forEach((own, i) => x.set(own.randn(size), i * size));
  return x;
}

function freshNoise(x, model, seed) { // draws new noise like x, each picture from its own dice
  const size = product(model.imageShape), n = x.length / size;
  const dice = Array.from({ length: n }, (_, i) => Array.isArray(seed)
    ? new Dice(seed[i], SEED_STRIDE) : new Dice(seed, SEED_STRIDE * (i + 1)));
  return () => {
    const fresh = new Float32Array(x.length);
    dice.forEach((own, i) => fresh.set(own.randn(size), i * size));
    return fresh;
  };
}

// What all samplers do first, as sampling._prepare: predictAt(x, t) gives { clean, noise }.
async function prepare(model, options) {
  const { schedule = model.schedule, clipSample = model.predicts === "noise" } = options;
  const text = model.encodeText && await model.encodeText(options.text);
  const predictAt = async (x, t) => {
    const guess = await predict(model, x, t, { schedule, text });
    return clipSample ? { ...guess, clean: guess.clean.map(clip) } : guess;
  };
  return { schedule, predictAt };
}

export async function* ddim(model, x, steps = 20, { eta = 0, seed = 0, ...options } = {}) {
  const { schedule, predictAt } = await prepare(model, options);
  const ts = timesteps(steps, schedule.length), draw = freshNoise(x, model, seed);
  for (const [i, t] of ts.entries()) {
    const { clean, noise } = await predictAt(x, t), next = ts[i + 1] ?? -1;
    yield { t, x, clean, noise };
    let kept = noise;
    if (eta > 0) { // the variance of the noise stays 1, whatever share of it is replaced
      const [a, aNext] = [schedule.at(t), schedule.at(next)], fresh = draw();
      const replaced = eta ** 2 * (1 - a / aNext) / (1 - a);
      const [old, other] = [f32(Math.sqrt(1 - replaced)), f32(Math.sqrt(replaced))];
      kept = mix(old, noise, other, fresh);
    }
    const [signalRate, noiseRate] = schedule.rates(next);
    x = mix(signalRate, clean, noiseRate, kept);
  }
}

export async function* ddpm(model, x, steps = 20, { seed = 0, ...options } = {}) {
  const { schedule, predictAt } = await prepare(model, options);
  const ts = timesteps(steps, schedule.length), draw = freshNoise(x, model, seed);
  for (const [i, t] of ts.entries()) {
    const { clean, noise } = await predictAt(x, t);
    yield { t, x, clean, noise };
    const a = schedule.at(t), aNext = schedule.at(ts[i + 1] ?? -1); // names of the paper, as in Python
    const alpha = a / aNext, beta = 1 - alpha, fresh = draw();
    const weightClean = f32(Math.sqrt(aNext) * beta / (1 - a));
    const weightX = f32(Math.sqrt(alpha) * (1 - aNext) / (1 - a));
    const std = f32(Math.sqrt((1 - aNext) / (1 - a) * beta));
    x = x.map((v, k) => f32(f32(weightClean * clean[k]) + f32(weightX * v)) + f32(std * fresh[k]));
  }
}

export async function* dpmSolver(model, x, steps = 8, options = {}) {
  const { schedule, predictAt } = await prepare(model, options);
  const ts = logsnrTimesteps(steps, schedule);
  let before = null;
  for (const [i, t] of ts.entries()) {
    const { clean, noise } = await predictAt(x, t), next = ts[i + 1];
    yield { t, x, clean, noise };
    if (next === undefined) return;
    const [, noiseRate] = schedule.rates(t), [signalNext, noiseNext] = schedule.rates(next);
    const h = schedule.halfLogSnr(next) - schedule.halfLogSnr(t);
    const more = before ? f32(h / (2 * before.h)) : 0, old = before ? before.clean : clean;
    const keep = f32(noiseNext / noiseRate), gain = f32(signalNext * f32(Math.expm1(-h)));
    x = x.map((v, k) => {
      const extrapolated = f32(clean[k] + f32(more * f32(clean[k] - old[k])));
      return f32(keep * v) - f32(gain * extrapolated);
    });
    before = { clean, h };
  }
}

// The steps of a sampler, then the end: t = -1, where x is the finished picture.
export async function* withEnd(steps) {
  let last;
  for await (last of steps) yield last;
  yield { ...last, t: -1, x: last.clean };
}

export const SAMPLERS = { ddim, ddpm, dpm_solver: dpmSolver };

// ---- a distilled network ------------------------------------------------------------------------

// What swift hears of a guidance scale, and what a caption adds where it is another.
export function hearing(guidance) {
  const scale = Math.min(Math.max(guidance, 1), 6);
  return [scale, scale === guidance ? "" : tr("; guidance {0} is heard as {1}", guidance, scale)];
}

// The picture of its four calls, { clean, heard }: all at once, so that the hand sees it change.
export async function drawSwiftly(swift, x_T, text, guidance) {
  const [scale, heard] = hearing(guidance);
  let last;
  for await (last of ddim(await guided(swift, text, undefined, scale), x_T, 4));
  return { clean: last.clean, heard };
}
