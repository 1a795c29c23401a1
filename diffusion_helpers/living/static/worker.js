// The other thread, where the pictures are computed. The page sends
//
//   { kind: "load", files }                     see files.js; all networks that are among them start
//   { kind: "ask", control, draw, parts, request, buffers }
//
// where `control` is the page's name for it, `draw` one of DRAWS, `parts` those of the control's
// spec, and `request` and `buffers` what live.js sends. It answers
//
//   { kind: "loading", loaded } in bytes, { kind: "ready" }, { kind: "failed", sentence }
//   { kind: "frame", control, frame }           as controls.Live sets its frame

import { DRAWS } from "./draws.js";
import { startNetwork } from "./engine.js";
import { readFile } from "./files.js";
import { rgba } from "./pictures.js";
import { safetensors } from "./weights.js";
import { Words, offers } from "./words.js";

const tell = (message) => self.postMessage(message);
const sentence = (error) => String(error?.message ?? error).split("\n")[0].slice(0, 300);

// ---- networks and words -----------------------------------------------------------------------

const STEP = /^graphs\/(.+)\.step\.onnx$/;

async function load(files) { // what DRAWS get as `at`
  let loaded = 0;
  const report = (bytes) => tell({ kind: "loading", loaded: loaded += bytes });
  const names = Object.keys(files), networks = {};
  const read = await Promise.all(names.map((name) => readFile(files, name, report)));
  const contents = Object.fromEntries(names.map((name, i) => [name, read[i]]));
  const take = (name) => {
    if (!contents[name]) throw new Error(`this page lacks the file ${name}: it was built without it`);
    return contents[name];
  };
  const json = (name) => JSON.parse(new TextDecoder().decode(take(name)));

  const ort = await startEngine(take("ort.mjs"), take("ort.wasm"));
  for (const name of names.map((file) => STEP.exec(file)?.[1]).filter(Boolean)) {
    const parts = {
      weights: take(`checkpoints/${name}.safetensors`), step: take(`graphs/${name}.step.onnx`),
      text: contents[`graphs/${name}.text.onnx`],
    };
    networks[name] = await startNetwork(ort, parts).catch((error) => {
      throw new Error(`the network ${name} cannot start: build this page again (${error.message})`);
    });
  }
  const network = (name) => {
    if (!networks[name]) throw new Error(`this page lacks the network ${name}: it was built without it`);
    return networks[name];
  };
  const words = contents["words/words.json"] && new Words(json("words/words.json"),
    safetensors(take("words/words.safetensors")), json("emoji/emoji.json"), json("signs.json"));
  return { network, words };
}

async function startEngine(code, wasm) {
  // From a disk a worker may import nothing but what it made itself.
  const address = URL.createObjectURL(new Blob([code], { type: "text/javascript" }));
  const ort = await import(address);
  URL.revokeObjectURL(address);
  ort.env.wasm.wasmBinary = wasm;
  ort.env.wasm.numThreads = 1; // more need two HTTP headers that a plain page does not have
  ort.env.logLevel = "error";
  return ort;
}

// ---- requests ---------------------------------------------------------------------------------

// One control: what controls.Live does in Python.
class Live {
  constructor(name) { Object.assign(this, { name, wanted: null, working: false, newest: {} }); }

  hear(ask) { // what was asked before and has not begun is forgotten
    const { view, id } = ask.request;
    if (id < this.newest[view]) return;
    this.newest[view] = id;
    this.wanted = ask;
    if (!this.working) this.#work();
  }

  async #work() {
    this.working = true;
    while (this.wanted) {
      const ask = this.wanted;
      this.wanted = null;
      await this.#answer(ask);
    }
    this.working = false;
  }

  async #answer({ draw, parts, request, buffers }) {
    const answer = { view: request.view, id: request.id, trouble: "" };
    try {
      const values = read(parts, request.values, buffers);
      for await (const step of DRAWS[draw](values, await engine)) {
        this.#show({ ...frame(step), ...answer, done: step.share === 1 });
        await breathe();
        if (this.wanted) break;
      }
    } catch (error) {
      answer.trouble = sentence(error);
    }
    if (answer.trouble || !this.frame?.done) this.#show({ ...this.frame, ...answer, share: 1, done: true });
  }

  #show(frame) {
    this.frame = frame;
    tell({ kind: "frame", control: this.name, frame });
  }
}

function frame({ pictures, caption, share, unheard }) {
  const drawn = Object.entries(pictures).map(([name, picture]) => ({ name, ...rgba(picture) }));
  return {
    columns: drawn.map(({ name, size }) => ({ name, size })),
    pixels: drawn.map(({ pixels }) => pixels),
    caption: [...new Set([caption, ...unheard.map((missed) => missed.sentence)])].join(". "),
    offers: offers(unheard), share,
  };
}

// The values that a page sent, by the names that a drawing function calls them.
function read(parts, values, buffers = []) {
  const boards = buffers.map((buffer) => new Uint8Array(buffer));
  return Object.fromEntries(parts.map((part, i) => {
    const name = part.label.replaceAll(" ", "_"), value = values[i];
    if (part.kind === "drawing") return [name, boards.shift()];
    if (part.kind === "choice") return [name, part.options[value]];
    if (part.kind === "switches") return [name, part.options.filter((_, k) => value[k])];
    if (part.kind === "seeds") { // [seed, four at once]
      const [first, four] = value;
      return [name, Array.from({ length: four ? 4 : 1 }, (_, k) => first + k)];
    }
    return [name, value];
  }));
}

function breathe() { // lets what has arrived in; a timer would wait four milliseconds
  const { port1, port2 } = new MessageChannel();
  return new Promise((go) => {
    port1.onmessage = () => { port1.close(); go(); };
    port2.postMessage(null);
  });
}

const lives = {};
let engine; // a promise of what `load` answers

self.onmessage = ({ data }) => {
  if (data.kind === "load") {
    engine = load(data.files);
    engine.then(() => tell({ kind: "ready" }), (error) => tell({ kind: "failed", sentence: sentence(error) }));
  } else {
    (lives[data.control] ??= new Live(data.control)).hear(data);
  }
};
