// What draws on the first page of the site beside `create` of lesson 00; see draws.js. In Python:
// authoring/site/first_page.py.

import { ddim, dpmSolver, drawSwiftly, guide, guided, hearing, pureNoise, withEnd } from "../sampling.js";
import { STYLES } from "../words.js";

const SHARES = 11; // pictures of a morph: 0 %, 10 % ... of the second wish

async function* sheet({ wish, network: name, guidance, seed }, { network, words }) {
  const n = STYLES.length, { unheard } = words.encode([wish], [null]), what = wish || tr("no wish");
  const text = words.encode(Array(n).fill(wish), STYLES), { imageShape } = network(name);
  const chaos = pureNoise(n, imageShape, Array(n).fill(seed)), size = chaos.length / n;
  const each = (x) => Object.fromEntries(STYLES.map((style, k) =>
    [style, { data: x.subarray(k * size, (k + 1) * size), shape: imageShape }]));
  if (name === "swift") {
    const { clean, heard } = await drawSwiftly(network(name), chaos, text, guidance);
    yield { pictures: each(clean), caption: `${tr("{}, finished in 4 calls", what)}${heard}`, unheard };
    return;
  }
  const model = await guided(network(name), text, undefined, guidance);
  let i = 0;
  for await (const { x } of withEnd(ddim(model, chaos, 20))) {
    i += 1;
    const caption = i <= 20 ? tr("{}, step {} of 20", what, i) : tr("{}, finished", what);
    yield { pictures: each(x), caption, share: i / 21, unheard };
  }
}

async function* morph(values, { network, words }) {
  const { first_wish: first, second_wish: second, style, network: name, guidance, seed } = values;
  const net = network(name), look = style === tr("any") ? null : style, { imageShape } = net;
  const text = words.encode(["", first, second], [null, look, look]), { unheard } = text;
  const [mixed, heard] = name === "swift"
    ? await mixedSwiftly(net, words.encode([first, second], [look, look]), guidance)
    : await mixedGuided(net, text, guidance);
  for (let k = 0; k < SHARES; k++) {
    const model = mixed(k / (SHARES - 1)), x_T = pureNoise(1, imageShape, seed);
    let last;
    for await (last of name === "swift" ? ddim(model, x_T, 4) : dpmSolver(model, x_T, 8));
    const [a, b] = [10 * (SHARES - 1 - k), 10 * k];
    const between = tr("{} % {}, {} % {}", a, first || tr("no wish"), b, second || tr("no wish"));
    const caption = `${between}${heard}`;
    yield { pictures: { [tr("between the two")]: { data: last.clean, shape: imageShape } }, caption,
      share: (k + 1) / SHARES, unheard };
  }
}

// [mixed(share), what a caption adds]: networks whose prediction lies between those for two wishes.
async function mixedGuided(net, text, guidance) {
  const heard = await net.encodeText(text);
  return [(share) => asked(net, heard, ([none, one, other]) =>
    guide(none, guide(one, other, share), guidance)), ""];
}

async function mixedSwiftly(net, text, guidance) {
  const [scale, heard] = hearing(guidance), told = await net.encodeText(text, scale);
  return [(share) => asked(net, told, ([one, other]) => guide(one, other, share)), heard];
}

// A network without text that asks `net` for all n texts at once and mixes its answers.
function asked(net, text, mix) {
  const { predicts, imageShape, schedule } = net;
  const model = async (x, t) => {
    const many = new Float32Array(text.n * x.length);
    for (let i = 0; i < text.n; i++) many.set(x, i * x.length);
    const all = await net(many, t, text);
    return mix(Array.from({ length: text.n }, (_, i) => all.subarray(i * x.length, (i + 1) * x.length)));
  };
  return Object.assign(model, { predicts, imageShape, schedule });
}

export const PLAY = { sheet, morph };
