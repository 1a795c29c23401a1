// What draws in lesson 08; see draws.js. The networks and diffusers' pipelines are in pocket.js.

import { ddim, pureNoise, withEnd } from "../sampling.js";

const artist = (style) => (style === tr("any") ? null : style);

// diffusers' own pipeline
async function* first({ prompt, style, guidance, steps, seeds }, { network }) {
  const pocket = network("pocket"), { prompt: full, unheard } = pocket.format(prompt, artist(style));
  let latents;
  for await (latents of pocket.fromNoise(full, seeds, steps, guidance)) yield;
  const pictures = { [tr("picture")]: await pocket.toPictures(latents) };
  yield { pictures, caption: tr("{0}, in {1} steps", prompt || tr("no prompt"), steps), share: 1, unheard };
}

// One of the emoji in `own`, its latent, and what the decoder makes of the channels that are on.
async function* without_channels({ channels, picture }, { network }, own) {
  const pocket = network("pocket"), latent = await pocket.toLatents(own[picture].data);
  for (let c = 0; c < 4; c++) {
    const channel = latent.subarray(256 * c, 256 * (c + 1)); // of 16 x 16 numbers
    if (!channels.includes(tr("channel {0}", c + 1))) channel.fill(channel.reduce((a, b) => a + b) / 256);
  }
  const pictures = {
    [tr("original")]: { data: own[picture].data, shape: [1, 3, 64, 64] },
    [tr("the four channels")]: { data: latent.map((v) => v / 3), shape: [4, 1, 16, 16] },
    [tr("decoded")]: await pocket.toPictures(latent),
  };
  const caption = tr("{0}, {1} of 4 channels on", picture, channels.length);
  yield { pictures, caption, share: 1, unheard: [] };
}

// The lesson's own pipeline of ten lines
async function* creation_latent({ prompt, style, guidance, steps, seeds }, { network }) {
  const pocket = network("pocket"), { prompt: full, unheard } = pocket.format(prompt, artist(style));
  const model = await pocket.listening(full, seeds.length, guidance);
  const start = pureNoise(seeds.length, model.imageShape, seeds);
  let i = 0;
  for await (const { t, x, clean } of withEnd(ddim(model, start, steps))) {
    i += 1;
    const pictures = {
      x_t: await pocket.toPictures(x),
      [tr("predicted clean picture")]: await pocket.toPictures(clean),
    };
    const caption = t >= 0 ? tr("step {0} of {1}, t = {2}", i, steps, t) : tr("the end: x_0");
    yield { pictures, caption, share: i / (steps + 1), unheard };
  }
}

// diffusers' image to image
async function* from_sketch({ sketch, prompt, style, strength, seeds }, { network }) {
  const pocket = network("pocket"), { prompt: full, unheard } = pocket.format(prompt, artist(style));
  const steps = 20;
  let latents;
  for await (latents of pocket.fromPicture(sketch.data, full, seeds, strength, steps, 3)) yield;
  const pictures = { [tr("sketch")]: sketch, [tr("denoised")]: await pocket.toPictures(latents) };
  const caption = tr("{0}: {1} of 20 steps", prompt || tr("no prompt"), Math.floor(steps * strength));
  yield { pictures, caption, share: 1, unheard };
}

export const LESSON_08 = { first, without_channels, creation_latent, from_sketch };
