// What draws in workshop 10; see draws.js.

import { ddim, guided, pureNoise } from "../sampling.js";

const artist = (style) => (style === tr("any") ? null : style);
const OWN_STEPS = 4; // of swift
const STEPS = 20; // of the demiurge

async function drawn(model, x_T, steps) {
  let last;
  for await (last of ddim(model, x_T, steps));
  return last.clean;
}

export const LESSON_10 = {
  async *side_by_side({ prompt, style, guidance, seeds }, { network, words }) {
    const text = words.encode([prompt], [artist(style)]), { unheard } = text;
    const swift = await guided(network("swift"), text, undefined, guidance), { imageShape } = swift;
    const shape = [seeds.length, ...imageShape], x_T = pureNoise(seeds.length, imageShape, seeds);
    const quick = { data: await drawn(swift, x_T, OWN_STEPS), shape };
    const both = (data) => ({ "swift": quick, [tr("the demiurge")]: { data, shape } });
    const share = 1 / (STEPS + 1);
    yield { pictures: both(x_T), caption: tr("swift: 4 calls; the demiurge: none yet"), share, unheard };
    const demiurge = await guided(network("demiurge"), text, undefined, guidance);
    const calls = guidance === 1 ? 1 : 2; // at scale 1 there is nothing to compare
    let i = 0;
    for await (const { clean } of ddim(demiurge, x_T, STEPS)) {
      i += 1;
      const caption = tr("swift: 4 calls; the demiurge: {0}", calls * i);
      yield { pictures: both(clean), caption, share: (i + 1) / (STEPS + 1), unheard };
    }
  },

  async *edge({ prompt, style, guidance, steps, seeds }, { network, words }) {
    const text = words.encode([prompt], [artist(style)]), { unheard } = text;
    const swift = await guided(network("swift"), text, undefined, guidance), { imageShape } = swift;
    const shape = [seeds.length, ...imageShape], x_T = pureNoise(seeds.length, imageShape, seeds);
    const said = steps === OWN_STEPS ? tr("its own number") : tr("not what it was trained for");
    const pictures = { "swift": { data: await drawn(swift, x_T, steps), shape } };
    yield { pictures, caption: tr("steps: {0}; {1}", steps, said), unheard };
  },
};
