// Drawing functions for tests/test_living.py, put behind the worker's own script.

// Any network, sampler and prompt: the last predicted clean pictures.
DRAWS.sample = async function* (asked, { network, words }) {
  const { name, prompt, negative, style, guidance, sampler, steps, seed, n, options } = asked;
  let model = network(name);
  if (prompt !== null) {
    const text = words.encode([prompt], [style]);
    model = await guided(model, text, words.encode([negative], [null]), guidance);
  }
  const x = pureNoise(n, model.imageShape, seed);
  let last;
  for await (last of SAMPLERS[sampler](model, x, steps, options));
  const pictures = { clean: { data: last.clean, shape: [n, ...model.imageShape] } };
  yield { pictures, caption: "", share: 1, unheard: [] };
};

// One call for two pictures, with raw numbers: the answer, and attention weights.
DRAWS.look = async function* ({ name, prompts, t, layers }, { network, words }) {
  const model = network(name), maps = {}, text = prompts && words.encode(prompts, ["noto", null]);
  const answer = await model(pureNoise(2, model.imageShape, 1), t, text, layers, maps);
  const weights = layers.map((layer) => [...maps[layer][0].data]);
  tell({ kind: "raw", answer: [...answer], weights });
};

// So many frames of one colour.
DRAWS.count = async function* ({ wish, frames }) {
  for (let i = 1; i <= frames; i++) {
    const grey = { data: new Float32Array(48), shape: [1, 3, 4, 4] };
    yield { pictures: { grey }, caption: `${wish}, ${i}`, share: i / frames, unheard: [] };
  }
};

// So many steps, then a frame of one colour.
DRAWS.think = async function* ({ wish, steps }) {
  for (let i = 1; i <= steps; i++) yield;
  yield { pictures: { grey: { data: new Float32Array(48), shape: [1, 3, 4, 4] } }, caption: wish };
};

// What a drawing is given: the board, and its own numbers.
DRAWS.given = async function* ({ board, ...values }, at, own) {
  const caption = JSON.stringify([values, [...own.exact.data], [...own.fine.data], own.fine.shape]);
  yield { pictures: { board, levels: own.levels }, caption };
};
