// What draws in lesson 03; see draws.js.

import { fixed, percent } from "../format.js";
import { pictureAt } from "../pictures.js";
import { Schedule, addNoise, f32, mix, pureNoise } from "../sampling.js";

export const LESSON_03 = {
  async *question({ face, t, in_it, seed }, at, { faces, alpha_bar }) {
    const { data: x_0, shape } = pictureAt(faces, face), schedule = new Schedule(alpha_bar.data);
    const eps = pureNoise(1, shape, seed), x_t = addNoise(x_0, t, eps, schedule);
    const pictures = { [tr("x_t: the input")]: { data: x_t, shape } };
    if (in_it.length) Object.assign(pictures, { x_0: { data: x_0, shape }, eps: { data: eps, shape } });
    yield { pictures, caption: tr("t = {0}, share of noise {1}", t, percent(1 - schedule.at(t), 1)) };
  },

  async *around_the_circle({ face, phi, seed }, at, { faces }) {
    const { data: x_0, shape } = pictureAt(faces, face), eps = pureNoise(1, shape, seed);
    const angle = f32(phi * f32(Math.PI / 180)); // in 32 bits cos(90 degrees) is just below 0
    const [signalRate, noiseRate] = [f32(Math.cos(angle)), f32(Math.sin(angle))];
    const pictures = {
      "x_t": { data: mix(signalRate, x_0, noiseRate, eps), shape },
      [tr("v: how x_t changes")]: { data: mix(signalRate, eps, -noiseRate, x_0), shape },
    };
    const caption = tr("{0} degrees: signal_rate {1}, noise_rate {2}", phi, fixed(signalRate, 2),
      fixed(noiseRate, 2));
    yield { pictures, caption };
  },
};
