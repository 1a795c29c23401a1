// Pictures one after another in a Float32Array, { data, shape }: what is counted of them, and the
// bytes that the worker sends to be shown.

import { clip, f32, roundHalfToEven } from "./sampling.js";

const GREY = 0xff808080; // alpha and three times 128, as html.FRAME

// Picture i of many; the numbers are not copied.
export function pictureAt({ data, shape: [, ...shape] }, i) {
  const size = shape.reduce((a, b) => a * b);
  return { data: data.subarray(i * size, (i + 1) * size), shape };
}

// The sum of squares of x - rate * y, made in 64 bits.
export function squares(x, y, rate = 1) {
  let sum = 0;
  for (let i = 0; i < x.length; i++) {
    const off = f32(x[i] - f32(rate * y[i]));
    sum += off * off;
  }
  return sum;
}

export function std(x) { // torch.std: divided by one less than there are
  const mean = x.reduce((sum, v) => sum + v, 0) / x.length;
  return Math.sqrt(x.reduce((sum, v) => sum + (v - mean) ** 2, 0) / (x.length - 1));
}

// Pictures [n, channels, height, width], or one without n, in [-1, 1] -> { size: [width, height],
// pixels } with RGBA, laid out side by side as html.as_frames does: one grey pixel between neighbours.
export function rgba({ data, shape }) {
  const [n, channels, h, w] = [1, ...shape].slice(-4);
  const rows = Math.floor(Math.sqrt(n)), columns = Math.ceil(n / rows);
  const gap = n > 1 ? 1 : 0, width = columns * (w + gap) - gap, height = rows * (h + gap) - gap;
  const pixels = new Uint8ClampedArray(4 * width * height);
  new Uint32Array(pixels.buffer).fill(GREY);
  for (let i = 0; i < n; i++) {
    const top = Math.floor(i / columns) * (h + gap), left = (i % columns) * (w + gap);
    for (let y = 0; y < h; y++) for (let x = 0; x < w; x++) for (let c = 0; c < 3; c++) {
      const plane = channels * i + (channels === 3 ? c : 0); // one channel is grey
      const value = clip(data[(plane * h + y) * w + x]);
      pixels[4 * ((top + y) * width + left + x) + c] = roundHalfToEven(f32(f32(value + 1) * 127.5));
    }
  }
  return { size: [width, height], pixels };
}
