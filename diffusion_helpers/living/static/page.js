// A page without Python: beside each still picture that carries a drawing (mirrors.py), the control
// of the lesson, live.js, comes alive, with this script where JupyterLab has Python. pages.py fills
// in the first three lines.

(() => {
const FILES = null; // { need: { file: { pack, sha256, size } } }
const WORKER = null; // the code of the other thread
const live = null; // { render }

const here = document.currentScript;
const base = new URL(here.dataset.packs, document.baseURI);

// ---- packs --------------------------------------------------------------------------------------

const packs = {}, coming = {}; // { pack: base64 }, { pack: a promise }
window.sculptorPack = (name, text) => { packs[name] = text; }; // what each of them calls

function pack(name) {
  if (packs[name]) return packs[name];
  return coming[name] ??= new Promise((done, fail) => {
    const script = document.createElement("script"), address = new URL(`${name}.js`, base);
    const missing = () => fail(new Error(`The file ${here.dataset.packs}${name}.js is missing or ` +
      "damaged. It belongs beside this page: get the page again, together with it."));
    script.src = address.href;
    script.onerror = missing;
    script.onload = () => (packs[name] ? done(packs[name]) : missing());
    document.head.append(script);
  }).finally(() => { delete coming[name]; });
}

// ---- the other thread ---------------------------------------------------------------------------

const models = []; // one for each control
const loads = {}; // { need: a promise }
let thread = null, ids = 0;

function worker() {
  if (thread) return thread;
  thread = new Worker(URL.createObjectURL(new Blob([WORKER], { type: "text/javascript" })));
  thread.addEventListener("message", ({ data }) => {
    if (data.kind === "frame") models[data.control].show(data.frame);
  });
  return thread;
}

// Resolves when the other thread has what a control needs; `tell` hears of the progress, in words.
async function bring(needs, tell) {
  const files = Object.fromEntries(needs.flatMap((need) => Object.entries(FILES[need])));
  const total = Object.values(files).reduce((sum, { size }) => sum + size, 0);
  const mega = (bytes) => (bytes / 1e6).toFixed(total < 1e7 ? 1 : 0);
  let come = 0;
  const report = () => tell(`Loading the network: ${mega(come)} of ${mega(total)} MB`, come / total);
  report();
  const given = await Promise.all(Object.entries(files).map(async ([name, { pack: from, sha256, size }]) => {
    const base64 = await pack(from);
    come += size;
    report();
    return [name, { from: { base64 }, sha256 }];
  }));
  tell("Starting the network", 1);
  const id = ++ids;
  await new Promise((done, fail) => {
    const hear = ({ data }) => {
      if (data.id !== id || !["ready", "failed"].includes(data.kind)) return;
      worker().removeEventListener("message", hear);
      if (data.kind === "ready") done();
      else fail(new Error(data.sentence));
    };
    worker().addEventListener("message", hear);
    worker().postMessage({ kind: "load", id, files: Object.fromEntries(given) });
  });
}

// ---- a stand-in for Python ----------------------------------------------------------------------

// What anywidget's model is to live.js.
class Model {
  constructor(living) {
    this.living = living;
    this.hear = {};
    this.state = { spec: living.spec, frame: living.frame, page: { waiting: "Still computing." } };
    this.control = models.push(this) - 1;
    this.asked = null; // what waits until all is loaded
    this.ready = null;
  }

  get(name) { return this.state[name]; }
  on(event, act) { (this.hear[event] ??= new Set()).add(act); }
  off(event, act) { this.hear[event]?.delete(act); }

  show(frame) {
    this.state.frame = frame;
    this.hear["change:frame"]?.forEach((act) => act());
  }

  send(request, _, buffers) {
    const message = { kind: "ask", control: this.control, request, buffers };
    if (this.ready === true) worker().postMessage(message);
    else this.asked = message;
    this.ready ??= this.begin();
  }

  async begin() {
    const { draw, needs, spec: { parts }, own } = this.living;
    try {
      if (needs.length) await bring(needs, (loading, share) => this.show({ ...this.state.frame, loading, share }));
      worker().postMessage({ kind: "control", control: this.control, draw, parts, own });
      worker().postMessage(this.asked);
      this.ready = true;
    } catch (error) {
      const { view, id } = this.asked.request;
      this.ready = null; // the next move tries again
      this.show({ ...this.state.frame, view, id, trouble: error.message, loading: "", share: 1, done: true });
    }
  }
}

// ---- the controls of this page ------------------------------------------------------------------

function inflate(base64) {
  const bytes = Uint8Array.from(atob(base64), (letter) => letter.charCodeAt());
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Response(stream).arrayBuffer().then((buffer) => new Uint8Array(buffer));
}

// JSON with bytes in it: { base64 } of what is gzipped
async function unpack(value) {
  if (Array.isArray(value)) return Promise.all(value.map(unpack));
  if (value === null || typeof value !== "object") return value;
  if (value.base64) return inflate(value.base64);
  const entries = Object.entries(value).map(async ([name, each]) => [name, await unpack(each)]);
  return Object.fromEntries(await Promise.all(entries));
}

async function wake(script) {
  const living = JSON.parse(script.textContent);
  const [spec, frame] = await unpack([living.spec, living.frame]);
  const model = new Model({ ...living, spec, frame });
  const still = script.closest(".still"), el = document.createElement("div");
  still.before(el);
  live.render({ model, el });
}

document.querySelectorAll("script.living").forEach(wake);
})();
