// What draws in lesson 01; see draws.js.

import { percent } from "../format.js";
import { pictureAt, squares } from "../pictures.js";
import { f32, mix, pureNoise } from "../sampling.js";

export const LESSON_01 = {
  // own: `gallery`, which the ideal eye knows by heart, and alpha_bar of each schedule
  async *noisy({ your_statue, t, schedule, seed }, at, { gallery, ...schedules }) {
    const left = schedules[schedule].data[t], { shape } = your_statue;
    const [signalRate, noiseRate] = [f32(Math.sqrt(left)), f32(Math.sqrt(f32(1 - left)))];
    const x_t = mix(signalRate, your_statue.data, noiseRate, pureNoise(1, shape, seed));

    const error = ({ data }) => squares(x_t, data, signalRate);
    let pick = your_statue, smallest = error(pick); // the first one wins where two are equal
    for (let i = 0; i < gallery.shape[0]; i++) {
      const candidate = pictureAt(gallery, i), its = error(candidate);
      if (its < smallest) [pick, smallest] = [candidate, its];
    }
    const words = pick === your_statue ? tr("your statue") : tr("something else");
    const caption = tr("t = {0}, share of noise {1}: the ideal eye says {2}", t,
      percent(f32(1 - left), 1), words);
    yield { pictures: { "x_t": { data: x_t, shape }, [tr("what the ideal eye picks")]: pick }, caption };
  },
};
