// What draws in lesson 05; see draws.js.

import { Dice } from "../dice.js";
import { fixed } from "../format.js";
import { mix, pictureAt, squares, std } from "../pictures.js";
import { Schedule, addNoise, f32, pureNoise } from "../sampling.js";

export const LESSON_05 = {
  async *how_noisy({ your_guess, the_truth, seed }, at, { unseen, alpha_bar }) {
    const dice = new Dice(seed), [one, other] = dice.randperm(unseen.shape[0]), t = dice.randint(1000);
    const { data: x_0, shape } = pictureAt(unseen, one), { data: another } = pictureAt(unseen, other);
    const eps = dice.randn(2 * x_0.length), schedule = new Schedule(alpha_bar.data);
    const atGuess = addNoise(another, your_guess, eps.subarray(x_0.length), schedule);
    const pictures = {
      [tr("how noisy is this?")]: { data: addNoise(x_0, t, eps, schedule), shape },
      [tr("another, at your guess")]: { data: atGuess, shape },
    };
    const truth = the_truth.length
      ? tr("it is t = {0}, you are {1} steps off", t, Math.abs(t - your_guess)) : "t = ?";
    yield { pictures, caption: tr("you say t = {0}; {1}", your_guess, truth) };
  },

  async *knobs({ picture, t, scale, shift }, at, { unseen, alpha_bar }) {
    const { data: x_0, shape } = pictureAt(unseen, picture), [, height, width] = shape;
    const x_t = addNoise(x_0, t, pureNoise(1, shape, 0), new Schedule(alpha_bar.data));
    const n = height * width, grey = Float32Array.from({ length: n }, (_, i) =>
      f32(f32(x_t[i] + x_t[n + i]) + x_t[2 * n + i]) / 3); // the mean of the colours
    const toNext = grey.map((v, i) => (i % width < width - 1 ? grey[i + 1] - v : 0)); // to the right
    const spread = f32(std(toNext)), edges = toNext.map((v) => v / spread);
    const h = edges.map((v) => silu(f32(f32(v * f32(1 + scale)) + f32(shift))));
    const third = (x) => ({ data: x.map((v) => v / 3), shape: [1, height, width] });
    const pictures = {
      "x_t": { data: x_t, shape }, [tr("its edges")]: third(edges),
      [tr("through the knobs and SiLU")]: third(h),
    };
    yield { pictures, caption: `h = silu(edges * ${fixed(1 + scale, 1)} + ${fixed(shift, 1)})` };
  },

  async *two_clocks({ picture, true_t, told_t, seed }, { network }, { unseen, alpha_bar }) {
    const seeing = network("ladder_time"), { data: x_0, shape } = pictureAt(unseen, picture);
    const [signalRate, noiseRate] = new Schedule(alpha_bar.data).rates(true_t);
    const x_t = mix(signalRate, x_0, noiseRate, pureNoise(1, shape, seed));
    const clean = async (t) => mix(signalRate, x_t, -noiseRate, await seeing(x_t, t));
    const right = await clean(true_t), misled = await clean(told_t);
    const pictures = {
      "x_t": { data: x_t, shape }, [tr("told the truth")]: { data: right, shape },
      [tr("told your t")]: { data: misled, shape },
    };
    const [a, b] = [right, misled].map((x) => f32(squares(x, x_0) / x_0.length)); // MSE
    const caption = tr("MSE of the clean picture, told the truth {0}, told t = {1} {2}: {3} times",
      fixed(a, 4), told_t, fixed(b, 4), fixed(b / a, 1));
    yield { pictures, caption };
  },
};

const silu = (x) => x / (1 + Math.exp(-x));
