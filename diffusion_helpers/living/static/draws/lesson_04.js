// What draws in lesson 04; see draws.js.

import { fixed } from "../format.js";
import { std } from "../pictures.js";
import { clip, ddim, f32, mix, pureNoise, timesteps } from "../sampling.js";

const SIDE = 4; // pixels of a patch

export const LESSON_04 = {
  // own: `average`, the mean of all training pictures
  async *create_twice({ eta, seed, steps }, { network }, { average }) {
    const model = network("apprentice"), shape = [3, ...model.imageShape];
    const three = pureNoise(3, model.imageShape, seed), size = three.length, x = new Float32Array(2 * size);
    x.set(three);
    x.set(three, size);
    const fromAverage = (run) => run.map((v, k) => v - average.data[k % average.data.length]);
    let i = 0;
    for await (const { clean } of ddim(model, x, steps, { eta, seed })) {
      const one = clean.subarray(0, size), other = clean.subarray(size);
      const alike = agreement(fromAverage(one), fromAverage(other)), trembles = grain(clean, shape);
      i += 1;
      yield {
        pictures: {
          [tr("one run")]: { data: one, shape }, [tr("another run")]: { data: other, shape },
        },
        caption: tr("step {0} of {1}: grain {2}, agreement {3}", i, steps, fixed(trembles, 3),
          fixed(alike, 2)),
        share: i / steps,
      };
    }
  },

  async *half_finished({ your_sketch, start_at, seeds }, { network }, { alpha_bar }) {
    const apprentice = network("apprentice"), n = seeds.length, shape = [n, ...apprentice.imageShape];
    const left = alpha_bar.data; // in 32 bits
    const rates = (t) => [f32(Math.sqrt(left[t])), f32(Math.sqrt(f32(1 - left[t])))];
    let ts = timesteps(20).filter((t) => t <= start_at);
    if (!ts.length) ts = [0];

    const eps = pureNoise(n, apprentice.imageShape, seeds), [signal, noise] = rates(ts[0]);
    const sketches = eps.map((_, i) => your_sketch.data[i % your_sketch.data.length]); // one for each seed
    const start = mix(signal, sketches, noise, eps);
    let x = start;
    for (const [i, t] of ts.entries()) {
      const [signalRate, noiseRate] = rates(t), v = await apprentice(x, t);
      const clean = mix(signalRate, x, -noiseRate, v);
      yield {
        pictures: {
          [tr("with noise")]: { data: start, shape },
          [tr("predicted clean picture")]: { data: clean, shape },
        },
        caption: tr("from level {0}, now at level {1}", ts[0], t), share: (i + 1) / ts.length,
      };
      if (i + 1 < ts.length) {
        const [signalNext, noiseNext] = rates(ts[i + 1]);
        x = mix(signalNext, clean, noiseNext, mix(noiseRate, x, signalRate, v));
      }
    }
  },
};

function agreement(a, b) { // correlation: 1 the same, 0 unrelated, -1 the opposite
  const [p, q] = [a, b].map((x) => {
    const mean = x.reduce((sum, v) => sum + v, 0) / x.length;
    return Float64Array.from(x, (v) => v - mean);
  });
  const dot = (x, y) => x.reduce((sum, v, i) => sum + v * y[i], 0);
  return clip(dot(p, q) / Math.sqrt(dot(p, p) * dot(q, q)));
}

function grain(x, [, channels, h, w]) { // how much the flattest quarter of all patches varies
  const stds = [], whole = channels * h * w;
  for (let picture = 0; picture < x.length; picture += whole) {
    for (let top = 0; top < h; top += SIDE) for (let left = 0; left < w; left += SIDE) {
      const patch = [];
      for (let c = 0; c < channels; c++) for (let y = top; y < top + SIDE; y++) {
        const from = picture + (c * h + y) * w + left;
        patch.push(...x.subarray(from, from + SIDE));
      }
      stds.push(std(patch));
    }
  }
  const flattest = stds.sort((a, b) => a - b).slice(0, stds.length >> 2);
  return flattest.reduce((sum, v) => sum + v, 0) / flattest.length;
}
