// attention.py and widgets/attention_maps.py: attention weights are looked at, changed and drawn.

import { clip, f32 } from "./sampling.js";

const INK = [0.67, -0.26, -1]; // orange
const FRAMES = [[-1, -0.11, 0.4], [1, 1, 1]]; // blue, and in it white
const TIMES = 3; // each pixel is drawn this many times as wide, so that a thin frame fits in

// { model, maps }: the network for any sampler, and its attention weights. For each of `layers`,
// named as in Python, maps[layer] gets one { data, dims } for each call.
export function captureAttention(network, layers) {
  const maps = {}, model = (x, t, text) => network(x, t, text, layers, maps);
  return { model: Object.assign(model, network), maps };
}

// The network with other attention weights. `shares` is what it takes its values with, together: its own
// weights, those of the picture before, the same for all places, the asking place alone.
export function changedAttention(network, shares) {
  const model = (x, t, text) => network(x, t, text, [], {}, shares);
  return Object.assign(model, network);
}

// Over how many places attention weights are spread: e to their entropy.
export function effectivePlaces(weights) {
  return Math.exp(weights.reduce((sum, weight) => sum - weight * Math.log(Math.max(weight, 1e-9)), 0));
}

// ---- drawn over a picture ---------------------------------------------------------------------

// A picture [C, H, W] with each pixel as a square of so many.
export function enlarge({ data, shape: [channels, h, w] }, times) {
  const shape = [channels, times * h, times * w], big = new Float32Array(data.length * times ** 2);
  for (let i = 0; i < big.length; i++) {
    const row = Math.floor(i / (times * w)), column = i % (times * w); // rows of all channels
    big[i] = data[Math.floor(row / times) * w + Math.floor(column / times)];
  }
  return { data: big, shape };
}

// Attention weights, places row by row, as orange ink over the pale grey picture [3, S, S].
export function inkWeights(weights, { data, shape }) {
  const [, , size] = shape, places = Math.sqrt(weights.length), side = size / places, plane = size ** 2;
  const most = weights.reduce((a, b) => Math.max(a, b), 1e-9), inked = new Float32Array(data.length);
  for (let i = 0; i < plane; i++) {
    const row = Math.floor(i / size / side), column = Math.floor((i % size) / side);
    const strength = f32(weights[row * places + column] / most);
    const grey = f32(f32(f32(data[i] + data[plane + i]) + data[2 * plane + i]) / 3);
    const pale = f32(f32(0.3 * clip(grey)) + f32(0.7));
    INK.forEach((ink, c) => {
      inked[c * plane + i] = f32(pale * f32(1 - strength)) + f32(f32(ink) * strength);
    });
  }
  return { data: inked, shape };
}

// A blue frame with a white rim round the place in column x and row y of a picture [3, S, S], which
// is cut into places x places.
export function framePlace(picture, x, y, places = 8) {
  const big = enlarge(picture, TIMES), { data, shape: [, , size] } = big, side = size / places;
  data.forEach((value, i) => { data[i] = clip(value); });
  FRAMES.forEach((colour, rim) => {
    const [top, left] = [side * y + rim, side * x + rim], last = side - 1 - 2 * rim;
    for (let i = 0; i <= last; i++) {
      for (const [row, column] of [[0, i], [last, i], [i, 0], [i, last]]) {
        colour.forEach((value, c) => { data[(c * size + top + row) * size + left + column] = value; });
      }
    }
  });
  return big;
}

// The attention weights of the place in column x and row y, which gets the frame.
export const drawAttention = (weights, picture, x, y) =>
  framePlace(inkWeights(weights, picture), x, y, Math.sqrt(weights.length));
