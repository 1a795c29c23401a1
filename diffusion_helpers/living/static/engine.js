// The course's networks on onnxruntime-web: a graph without weights from an .onnx file, the weights
// from the course's own .safetensors file.

import { Schedule, cosineSchedule, expand } from "./sampling.js";
import { MAX_WORDS, SIZE } from "./words.js";
import { alphaBarOf, dequantize, safetensors } from "./weights.js";

const NO_TEXT = { // text.empty_text(1)
  n: 1, vectors: new Float32Array(MAX_WORDS * SIZE), mask: new Uint8Array(MAX_WORDS),
  styles: new BigInt64Array(1),
};

const UNCHANGED = [1, 0, 0, 0]; // shares of attention weights: all of their own
const LISTENS = /^(text|guidance)\./; // weights of what is done once a prompt

// A network as sampling.js wants it: model(x, t, text) -> what it predicts, a Float32Array like x.
// `files` are bytes: { weights, step, text }, the last one for a network that hears text. A distilled one
// hears the guidance scale, too: encodeText(text, guidance).
export async function startNetwork(ort, files) {
  const tensors = safetensors(files.weights), weights = dequantize(tensors);
  const step = await session(ort, files.step, weights, (name) => !LISTENS.test(name));
  const listen = files.text && await session(ort, files.text, weights, (name) => LISTENS.test(name));
  const distilled = Boolean(listen?.inputNames.includes("guidance_scale"));
  const [predicts] = step.outputNames, alphaBar = alphaBarOf(tensors);
  const [{ shape: [, ...imageShape] }] = step.inputMetadata;

  // For each of `layers`, named as in attention.capture_attention, maps[layer] gets one { data, dims }.
  // `shares` are what data/export_graphs.py says of them; few networks have such a way in.
  const model = async (x, t, text, layers = [], maps = {}, shares = UNCHANGED) => {
    const n = x.length / imageShape.reduce((a, b) => a * b);
    const feeds = { x_t: new ort.Tensor(x, [n, ...imageShape]) };
    if (step.inputNames.includes("t")) feeds.t = new ort.Tensor(new Float32Array(n).fill(t), [n]);
    if (step.inputNames.includes("shares")) {
      feeds.shares = new ort.Tensor(new Float32Array(Array(n).fill(shares).flat()), [n, shares.length]);
    }
    if (listen) {
      const { pooled, tokens, mask } = expand(await model.encodeText(text), n);
      feeds.pooled = new ort.Tensor(pooled, [n, pooled.length / n]);
      feeds.tokens = new ort.Tensor(tokens, [n, 1 + MAX_WORDS, pooled.length / n]);
      feeds.mask = new ort.Tensor("bool", mask, [n, 1 + MAX_WORDS]);
    }
    const answer = await step.run(feeds, [predicts, ...layers]);
    for (const layer of layers) (maps[layer] ??= []).push(answer[layer]);
    return answer[predicts].data;
  };

  const encodeText = async (text = NO_TEXT, guidance = 1) => {
    if (text.pooled) return text; // encoded already
    const { n, vectors, mask, styles } = text;
    const feeds = {
      vectors: new ort.Tensor(vectors, [n, MAX_WORDS, SIZE]),
      word_mask: new ort.Tensor("bool", mask, [n, MAX_WORDS]), styles: new ort.Tensor(styles, [n]),
    };
    if (distilled) feeds.guidance_scale = new ort.Tensor(new Float32Array(n).fill(guidance), [n]);
    const { pooled, tokens, mask: heard } = await listen.run(feeds, ["pooled", "tokens", "mask"]);
    return { n, pooled: pooled.data, tokens: tokens.data, mask: heard.data };
  };

  const schedule = alphaBar ? new Schedule(alphaBar) : cosineSchedule();
  return Object.assign(model, { predicts, imageShape, schedule, distilled, ...(listen && { encodeText }) });
}

export async function session(ort, graph, weights, wanted) {
  const externalData = Object.entries(weights).filter(([name]) => wanted(name))
    .map(([path, data]) => ({ path, data: new Uint8Array(data.buffer) }));
  return ort.InferenceSession.create(new Uint8Array(graph), { executionProviders: ["wasm"], externalData });
}
