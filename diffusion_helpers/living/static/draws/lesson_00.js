// What draws in lesson 00; see draws.js.

import { ddim, guided, pureNoise, withEnd } from "../sampling.js";

async function* create({ wish, style, guidance, seeds }, { network, words }) {
  const text = words.encode([wish], [style === "any" ? null : style]), { unheard } = text;
  const model = await guided(network("demiurge"), text, undefined, guidance);
  const shape = [seeds.length, ...model.imageShape], x_T = pureNoise(seeds.length, model.imageShape, seeds);
  let i = 0;
  for await (const { x, clean } of withEnd(ddim(model, x_T, 20))) {
    i += 1;
    const pictures = {
      "the picture so far": { data: x, shape }, "predicted clean picture": { data: clean, shape },
    };
    const where = i <= 20 ? `step ${i} of 20` : "finished";
    yield { pictures, caption: `${wish || "no wish"}, ${where}`, share: i / 21, unheard };
  }
}

export const LESSON_00 = { create };
