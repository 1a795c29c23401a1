// A page without Python: beside each still picture that carries a drawing (mirrors.py), the control
// of the lesson, live.js, comes alive, with this script where JupyterLab has Python. first.js stands
// before it; pages.py fills in the three nulls.

(() => {
const FILES = null; // { need: { file: { packs, sha256, size } } }
const WORKER = null; // the code of the other thread, gzipped, as base64
const live = null; // { render }

if (sculptorTooOld) return;
const here = document.currentScript, folder = here.dataset.packs;
const isNetwork = (need) => Boolean(FILES[need]["ort.wasm"]);
// an empty function with a value of 128 bits
const SIMD = window.WebAssembly && WebAssembly.validate(new Uint8Array([0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2,
  1, 0, 10, 10, 1, 8, 0, 65, 0, 253, 15, 253, 98, 11]));

// ---- packs --------------------------------------------------------------------------------------

const coming = {}; // { pack: a promise }

// `edition` keeps a browser from taking the pack of an older page out of its cache.
function pack(name, edition) {
  if (sculptorPacks[name]) return sculptorPacks[name];
  return coming[name] ??= new Promise((done, fail) => {
    const script = document.createElement("script");
    const end = () => {
      script.remove();
      if (sculptorPacks[name]) done(sculptorPacks[name]);
      else {
        fail(new Error(tr("the file {0} is missing or damaged, or did not come: get it again",
          `${folder}${name}.js`)));
      }
    };
    script.src = new URL(`${folder}${name}.js?${edition}`, document.baseURI).href;
    script.onload = script.onerror = end;
    document.head.append(script);
  }).finally(() => { delete coming[name]; });
}

// ---- the other thread ---------------------------------------------------------------------------

const models = []; // one for each control
const there = new Set(); // the files that the other thread has
let thread = null, code, ids = 0, turn = Promise.resolve();

function worker() {
  if (thread) return thread;
  try {
    thread = new Worker(URL.createObjectURL(new Blob([code], { type: "text/javascript" })));
  } catch {
    throw new Error(stopped({}));
  }
  thread.addEventListener("message", ({ data }) => {
    if (data.kind === "frame") models[data.control].show(data.frame);
  });
  thread.addEventListener("error", (event) => { // the next move starts another
    thread.terminate(); // after an error it would go on, and answer what nobody asks any more
    thread = null;
    there.clear();
    models.forEach((model) => model.fail(stopped(event)));
  });
  return thread;
}

const stopped = ({ message }) => tr("the other thread, which computes, has stopped: {0}",
  message || tr("this page may not start it"));

// Resolves when the other thread has what a drawing needs; `tell` hears of the progress, in words.
// Those of several controls come one after the other: they share files.
function bring(needs, tell) {
  const drawn = needs.some(isNetwork);
  tell(drawn ? tr("Loading the network") : tr("Loading the words"), 0);
  const mine = turn.then(() => bringNow(needs, drawn, tell));
  turn = mine.catch(() => {}); // the next one does not suffer
  return mine;
}

async function bringNow(needs, drawn, tell) {
  const files = Object.fromEntries(needs.flatMap((need) => Object.entries(FILES[need]))
    .filter(([name]) => !there.has(name)));
  const names = Object.keys(files);
  if (!names.length) return;
  const total = names.reduce((sum, name) => sum + files[name].size, 0);
  const mega = (bytes) => (bytes / 1e6).toFixed(total < 1e7 ? 1 : 0);
  let come = 0;
  const get = async (name, edition) => {
    const text = await pack(name, edition);
    come += text.length;
    tell(drawn ? tr("Loading the network: {0} of {1} MB", mega(come), mega(total))
      : tr("Loading the words: {0} of {1} MB", mega(come), mega(total)), come / total);
    return text;
  };
  const given = await Promise.all(names.map(async (name) => {
    const { packs, sha256 } = files[name], edition = sha256.slice(0, 8);
    const texts = await Promise.all(packs.map((each) => get(each, edition)));
    return [name, { from: { base64: texts.join("") }, sha256 }];
  }));
  tell(drawn ? tr("Starting the network") : tr("Starting the words"), 1);
  names.forEach((name) => files[name].packs.forEach((each) => { delete sculptorPacks[each]; }));
  await started(Object.fromEntries(given));
  names.forEach((name) => there.add(name));
}

function started(files) {
  const id = ++ids, other = worker();
  return new Promise((done, fail) => {
    const hear = ({ data }) => {
      if (data.id !== id || !["ready", "failed"].includes(data.kind)) return;
      other.removeEventListener("message", hear);
      if (data.kind === "ready") done();
      else fail(new Error(data.sentence));
    };
    other.addEventListener("message", hear);
    other.addEventListener("error", (event) => fail(new Error(stopped(event))));
    other.postMessage({ kind: "load", id, files });
  });
}

// ---- a stand-in for Python ----------------------------------------------------------------------

// What anywidget's model is to live.js.
class Model {
  constructor(living) {
    this.living = living;
    this.hear = {};
    this.state = { spec: living.spec, frame: living.frame, page: { waiting: tr("Still computing.") } };
    this.control = models.push(this) - 1;
    this.ready = this.loading = false;
    this.asked = null; // the newest request
  }

  get(name) { return this.state[name]; }
  on(event, act) { (this.hear[event] ??= new Set()).add(act); }
  off(event, act) { this.hear[event]?.delete(act); }

  show(frame) {
    this.state.frame = { ...this.state.frame, loading: "", ...frame }; // may have no pictures of its own
    this.hear["change:frame"]?.forEach((act) => act());
  }

  fail(sentence) { // the next move tries again
    this.ready = false;
    if (!this.asked) return;
    const { view, id } = this.asked.request;
    this.show({ view, id, trouble: sentence, share: 1, done: true });
  }

  send(request, _, buffers) {
    this.asked = { kind: "ask", control: this.control, request, buffers };
    if (this.ready && !this.missing().length) worker().postMessage(this.asked);
    else if (!this.loading) this.begin();
  }

  // The needs of the newest request that the other thread does not have. What a Choice offers is needed
  // only when it is chosen.
  missing() {
    const { needs, spec: { parts } } = this.living, { values } = this.asked.request;
    const chosen = (need) => parts.every(({ kind, options }, i) =>
      kind !== "choice" || !options.includes(need) || options[values[i]] === need);
    return needs.filter((need) => chosen(need) && !Object.keys(FILES[need]).every((name) => there.has(name)));
  }

  async begin() {
    const { draw, spec: { parts }, own } = this.living;
    const tell = (loading, share) => { // not of packs that come when one is missing
      if (this.loading) this.show({ loading, share, trouble: "" });
    };
    this.loading = true;
    try {
      for (let needs; (needs = this.missing()).length;) await bring(needs, tell);
      worker().postMessage({ kind: "control", control: this.control, draw, parts, own });
      worker().postMessage(this.asked);
      this.ready = true;
    } catch (error) {
      this.fail(error.message);
    }
    this.loading = false;
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
  const still = script.parentNode, living = JSON.parse(script.textContent);
  if (!SIMD && living.needs.some(isNetwork)) {
    sculptorStays(still, tr("A still picture. This browser is too old to run its network: open the " +
      "page in a newer one."));
    return;
  }
  const [spec, frame] = await unpack([living.spec, living.frame]), el = document.createElement("div");
  still.before(el);
  const model = new Model({ ...living, spec, frame });
  live.render({ model, el });
  still.dispatchEvent(new CustomEvent("living", { bubbles: true, detail: { model, card: el.firstChild } }));
}

inflate(WORKER).then((bytes) => {
  code = bytes;
  document.querySelectorAll("script.living").forEach(wake);
});
})();
