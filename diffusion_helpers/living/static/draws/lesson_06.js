// What draws in lesson 06; see draws.js.

import {
  captureAttention, changedAttention, drawAttention, effectivePlaces, framePlace,
} from "../attention.js";
import { fixed } from "../format.js";
import { Schedule, addNoise, ddim, f32, predict, pureNoise } from "../sampling.js";
import { agrees, withFrame } from "../twins.js";

const PLACES = 8; // a side
const LAYERS = {
  [tr("at the bottom")]: "bottom.focus.attention", [tr("on the way down")]: "down.2.0.focus.attention",
};
const CHANGES = { // as the shares of changedAttention
  [tr("as trained")]: [1, 0, 0, 0], [tr("another picture")]: [0, 1, 0, 0], [tr("evenly")]: [0, 0, 1, 0],
  [tr("self")]: [0, 0, 0, 1], [tr("nothing")]: [0, 0, 0, 0],
};
const STEPS = 15;

export const LESSON_06 = {
  async *look_by_colour({ your_picture, x, y, sharpness }) {
    const colours = meanColours(your_picture), weights = coloursAttend(colours, sharpness);
    const asks = weights[PLACES * y + x], taken = weights.map((row) => weigh(row, colours));
    const most = 100 * Math.max(...asks);
    const words = tr("column {0}, row {1}, sharpness {2}", x, y, sharpness);
    const pictures = {
      [tr("the place that asks")]: framePlace(your_picture, x, y),
      [tr("where it looks")]: drawAttention(asks, your_picture, x, y),
      [tr("what every place takes")]: {
        data: Float32Array.from([0, 1, 2].flatMap((c) => taken.map((colour) => colour[c]))),
        shape: [3, PLACES, PLACES],
      },
    };
    yield { pictures, caption: tr("{0}: the largest attention weight is {1} %", words, fixed(most, 0)) };
  },

  async *look_inside({ your_picture, x, y, head, layer, t, seed }, { network }, { alpha_bar }) {
    const seen = LAYERS[layer], { model, maps } = captureAttention(network("ladder_attention"), [seen]);
    const schedule = new Schedule(alpha_bar.data), { shape } = your_picture;
    const x_t = addNoise(your_picture.data, t, pureNoise(1, shape, seed), schedule);
    const clean = { data: (await predict(model, x_t, t, { schedule })).clean, shape };
    const { data, dims: [, , n, m] } = maps[seen][0], from = ((head - 1) * n + PLACES * y + x) * m;
    const weights = data.subarray(from, from + m);
    const words = tr("t = {0}, column {1}, row {2}, head {3}", t, x, y, head);
    const pictures = {
      [tr("noisy")]: { data: x_t, shape },
      [tr("the prediction, and the place that asks")]: framePlace(clean, x, y),
      [tr("where it looks")]: drawAttention(weights, clean, x, y),
    };
    const spread = fixed(effectivePlaces(weights), 0);
    yield { pictures, caption: tr("{0}: spread over {1} of 64 places", words, spread) };
  },

  async *paint_twins({ seed, weights }, { network }) {
    const painter = changedAttention(network("twins_attention"), CHANGES[weights]);
    const shape = [4, ...painter.imageShape], x_T = pureNoise(4, painter.imageShape, seed);
    const near = ddim(network("twins_near"), x_T, STEPS), far = ddim(painter, x_T, STEPS);
    for (let i = 1; i <= STEPS; i++) {
      const scenes = [];
      for (const steps of [near, far]) scenes.push({ data: (await steps.next()).value.clean, shape });
      const ok = scenes.map((scene) => agrees(scene).filter(Boolean).length);
      const [a, b] = scenes.map(withFrame);
      yield {
        pictures: { [tr("convolutions only")]: a, [tr("with attention")]: b },
        caption: tr("seed {0}, {1}, step {2}: {3} of 4 agree, with attention {4}", seed, weights, i,
          ok[0], ok[1]),
        share: i / STEPS,
      };
    }
  },
};

// ---- attention without a network ----------------------------------------------------------------

function meanColours({ data, shape: [, size] }) { // of each place: 64 times [r, g, b]
  const side = size / PLACES, sums = Array.from({ length: PLACES ** 2 }, () => [0, 0, 0]);
  data.forEach((value, i) => {
    const row = Math.floor((Math.floor(i / size) % size) / side), column = Math.floor((i % size) / side);
    sums[PLACES * row + column][Math.floor(i / size ** 2)] += value;
  });
  return sums.map((sum) => sum.map((value) => f32(value / side ** 2)));
}

// (64, 64) attention weights: query and key are the direction in which a colour differs from the mean.
function coloursAttend(colours, sharpness) {
  const mean = weigh(colours.map(() => 1 / colours.length), colours).map(f32);
  const like = colours.map((colour) => {
    const away = colour.map((value, c) => f32(value - mean[c])), length = f32(Math.hypot(...away));
    return away.map((value) => f32(value / Math.max(length, 1e-12)));
  });
  return like.map((query) => softmax(like.map((key) =>
    f32(query.reduce((sum, value, c) => sum + f32(sharpness * value) * key[c], 0)))));
}

function softmax(scores) {
  const largest = Math.max(...scores), powers = scores.map((score) => f32(Math.exp(f32(score - largest))));
  const sum = f32(powers.reduce((a, b) => a + b, 0));
  return powers.map((power) => f32(power / sum));
}

const weigh = (weights, colours) => [0, 1, 2].map((c) =>
  weights.reduce((sum, weight, place) => sum + weight * colours[place][c], 0));
