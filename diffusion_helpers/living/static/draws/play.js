// What draws on the first page of the site beside `create` of lesson 00; see draws.js. In Python:
// authoring/site/first_page.py.

import { ddim, dpmSolver, guide, guided, pureNoise, withEnd } from "../sampling.js";
import { STYLES } from "../words.js";

const SHARES = 11; // pictures of a morph: 0 %, 10 % ... of the second wish

async function* sheet({ wish, guidance, seed }, { network, words }) {
  const n = STYLES.length, { unheard } = words.encode([wish], [null]);
  const text = words.encode(Array(n).fill(wish), STYLES);
  const model = await guided(network("demiurge"), text, undefined, guidance), { imageShape } = model;
  const chaos = pureNoise(n, imageShape, Array(n).fill(seed)), size = chaos.length / n;
  let i = 0;
  for await (const { x } of withEnd(ddim(model, chaos, 20))) {
    i += 1;
    const pictures = Object.fromEntries(STYLES.map((style, k) =>
      [style, { data: x.subarray(k * size, (k + 1) * size), shape: imageShape }]));
    const where = i <= 20 ? `step ${i} of 20` : "finished";
    yield { pictures, caption: `${wish || "no wish"}, ${where}`, share: i / 21, unheard };
  }
}

async function* morph({ first_wish: first, second_wish: second, style, guidance, seed }, { network, words }) {
  const demiurge = network("demiurge"), look = style === "any" ? null : style;
  const text = words.encode(["", first, second], [null, look, look]), { unheard } = text;
  const heard = await demiurge.encodeText(text), { predicts, imageShape, schedule } = demiurge;
  for (let k = 0; k < SHARES; k++) {
    const share = k / (SHARES - 1);
    const mixed = async (x, t) => {
      const thrice = new Float32Array(3 * x.length), n = x.length;
      for (const i of [0, 1, 2]) thrice.set(x, i * n);
      const all = await demiurge(thrice, t, heard);
      const [none, one, other] = [0, 1, 2].map((i) => all.subarray(i * n, (i + 1) * n));
      return guide(none, guide(one, other, share), guidance);
    };
    Object.assign(mixed, { predicts, imageShape, schedule });
    let last;
    for await (last of dpmSolver(mixed, pureNoise(1, imageShape, seed), 8));
    const [a, b] = [10 * (SHARES - 1 - k), 10 * k];
    const caption = `${a} % ${first || "no wish"}, ${b} % ${second || "no wish"}`;
    yield { pictures: { "between the two": { data: last.clean, shape: imageShape } }, caption,
      share: (k + 1) / SHARES, unheard };
  }
}

export const PLAY = { sheet, morph };
