// The other thread, where the pictures are computed. The page sends
//
//   { kind: "load", id, files }                 see files.js; all networks that are among them start,
//                                               and stay; so do the files of earlier loads
//   { kind: "control", control, draw, parts, own }  once for each control, before it asks: the page's
//                                               name for it, one of DRAWS, the parts of its spec, and
//                                               its own numbers as in mirrors.py
//   { kind: "ask", control, request, buffers }  `request` and `buffers` are what live.js sends
//
// It answers
//
//   { kind: "loading", id, loaded } in bytes, { kind: "ready", id }, { kind: "failed", id, sentence }
//   { kind: "frame", control, frame }           as controls.Live sets its frame

import { DRAWS } from "./draws.js";
import { startNetwork } from "./engine.js";
import { readFile, signed, unpackTensor } from "./files.js";
import { rgba } from "./pictures.js";
import { startPocket } from "./pocket.js";
import { safetensors } from "./weights.js";
import { Words, offers } from "./words.js";

const tell = (message) => self.postMessage(message);
const sentence = (error) => String(error?.message ?? error).split("\n")[0].slice(0, 300);

// ---- networks and words -----------------------------------------------------------------------

const STEP = /^graphs\/(.+)\.step\.onnx$/;
const networks = {}, contents = {};
const take = (name) => {
  if (!contents[name]) throw new Error(tr("this page lacks the file {0}: it was built without it", name));
  return contents[name];
};
const at = { // what DRAWS get
  network(name) {
    if (!networks[name]) {
      throw new Error(tr("this page lacks the network {0}: it was built without it", name));
    }
    return networks[name];
  },
  file: take,
  get words() { return table ??= contents["words/words.json"] && startWords(); },
};
let engine, table;

async function load(files, id) {
  let loaded = 0;
  const report = (bytes) => tell({ kind: "loading", id, loaded: loaded += bytes });
  const names = Object.keys(files);
  const read = await Promise.all(names.map((name) => readFile(files, name, report)));
  names.forEach((name, i) => { contents[name] = read[i]; });
  for (const name of names.map((file) => STEP.exec(file)?.[1]).filter(Boolean)) {
    engine ??= await startEngine(take("ort.mjs"), take("ort.wasm"));
    networks[name] = await start(name).catch((error) => {
      throw new Error(error.message.startsWith("no available backend") // in the words of the engine
        ? tr("this browser cannot start the engine: close other tabs, or open the page in a newer browser")
        : tr("the network {0} cannot start: build this page again ({1})", name, error.message));
    });
  }
}

function start(name) {
  if (name === "pocket") return startPocket(engine, take);
  return startNetwork(engine, {
    weights: take(`checkpoints/${name}.safetensors`), step: take(`graphs/${name}.step.onnx`),
    text: contents[`graphs/${name}.text.onnx`],
  });
}

function startWords() {
  const json = (name) => JSON.parse(new TextDecoder().decode(take(name)));
  return new Words(json("words/words.json"), safetensors(take("words/words.safetensors")),
    json("emoji/emoji.json"), json("signs.json"));
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

  become({ draw, parts, own = {} }) { // the same numbers for each answer, made when they are first needed
    let made;
    const read = async () => Object.fromEntries(await Promise.all(
      Object.entries(own).map(async ([name, packed]) => [name, await unpackTensor(packed)])));
    this.way = { draw, parts, own: () => made ??= read() };
  }

  hear({ request, buffers }) { // what was asked before and has not begun is forgotten
    const { view, id } = request;
    if (id < this.newest[view]) return;
    this.newest[view] = id;
    this.wanted = { ...this.way, request, buffers };
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

  async #answer({ draw, parts, own, request, buffers }) {
    const answer = { view: request.view, id: request.id, trouble: "" };
    try {
      const values = read(parts, request.values, buffers);
      await loading;
      for await (const step of DRAWS[draw](values, at, await own())) {
        if (step) {
          const shown = frame(step);
          this.#show({ ...shown, ...answer, done: shown.share === 1 });
        }
        await breathe();
        if (this.wanted) break;
      }
    } catch (error) {
      answer.trouble = sentence(error);
    }
    const over = this.frame?.done && this.frame.view === answer.view && this.frame.id === answer.id;
    if (answer.trouble || !over) this.#show({ ...this.frame, ...answer, share: 1, done: true });
  }

  #show(frame) {
    this.frame = frame;
    tell({ kind: "frame", control: this.name, frame });
  }
}

function frame({ pictures, caption, share = 1, unheard = [] }) {
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
  const boards = buffers.map(board);
  return Object.fromEntries(parts.map((part, i) => {
    const { name } = part, value = values[i];
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

function board(buffer) { // RGBA -> { data, shape: [3, S, S] } in [-1, 1], as controls.Drawing reads it
  const levels = new Uint8Array(buffer), size = Math.sqrt(levels.length / 4), shape = [3, size, size];
  return { data: signed(levels, shape, 4), shape };
}

function breathe() { // lets what has arrived in; a timer would wait four milliseconds
  const { port1, port2 } = new MessageChannel();
  return new Promise((go) => {
    port1.onmessage = () => { port1.close(); go(); };
    port2.postMessage(null);
  });
}

const lives = {};
let loading = Promise.resolve(); // one after the other

self.onmessage = ({ data }) => {
  const { kind, id, control } = data;
  if (kind === "load") {
    loading = loading.then(() => load(data.files, id)).then(() => tell({ kind: "ready", id }),
      (error) => tell({ kind: "failed", id, sentence: sentence(error) }));
    return;
  }
  const live = lives[control] ??= new Live(control);
  if (kind === "control") live.become(data);
  else live.hear(data);
};
