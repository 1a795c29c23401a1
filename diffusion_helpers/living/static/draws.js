// What the live controls of the lessons draw, here without Python. Each is an async generator like
// the lesson's own function: it gets the values by name and `at`, { network(name), words }, and
// yields { pictures, caption, share, unheard }; pictures are { column: { data, shape } }.

import { ddim, guided, pureNoise } from "./sampling.js";

async function* create({ wish, style, guidance, seed }, { network, words }) { // 00, "creation-live"
  const demiurge = network("demiurge"), text = words.encode([wish], [style === "any" ? null : style]);
  const model = await guided(demiurge, text, undefined, guidance);
  const shape = [1, ...model.imageShape], said = wish || "no wish", { unheard } = text;
  const columns = (one, other) => ({
    "the picture so far": { data: one, shape }, "predicted clean picture": { data: other, shape },
  });
  let i = 0, last;
  for await (const { x, clean } of ddim(model, pureNoise(1, model.imageShape, seed), 20)) {
    i += 1;
    last = clean;
    yield { pictures: columns(x, clean), caption: `${said}, step ${i} of 20`, share: i / 21, unheard };
  }
  yield { pictures: columns(last, last), caption: `${said}, finished`, share: 1, unheard };
}

export const DRAWS = { create };
