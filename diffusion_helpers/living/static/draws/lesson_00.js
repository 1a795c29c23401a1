// What draws in lesson 00; see draws.js.

import { ddim, drawSwiftly, guided, pureNoise, withEnd } from "../sampling.js";

async function* create({ wish, style, network: name, guidance, seeds }, { network, words }) {
  const text = words.encode([wish], [style === tr("any") ? null : style]), { unheard } = text;
  const what = wish || tr("no wish"), { imageShape } = network(name), shape = [seeds.length, ...imageShape];
  const x_T = pureNoise(seeds.length, imageShape, seeds);
  if (name === "swift") {
    const { clean, heard } = await drawSwiftly(network(name), x_T, text, guidance);
    const pictures = {
      [tr("pure noise")]: { data: x_T, shape }, [tr("the picture")]: { data: clean, shape },
    };
    yield { pictures, caption: `${tr("{0}, finished in 4 calls", what)}${heard}`, unheard };
    return;
  }
  const model = await guided(network(name), text, undefined, guidance);
  let i = 0;
  for await (const { x, clean } of withEnd(ddim(model, x_T, 20))) {
    i += 1;
    const pictures = {
      [tr("the picture so far")]: { data: x, shape },
      [tr("predicted clean picture")]: { data: clean, shape },
    };
    const where = i <= 20 ? tr("step {0} of 20", i) : tr("finished");
    yield { pictures, caption: `${what}, ${where}`, share: i / 21, unheard };
  }
}

export const LESSON_00 = { create };
