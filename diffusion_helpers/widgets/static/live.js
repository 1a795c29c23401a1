// A live control: the hand moves here, Python computes there. One request is computed, one waits,
// and only the newest of all others is kept, so the picture always ends on the last value.

const PATIENCE = 1500; // ms without an answer, then a sentence says why
const WAITING = tr("Waiting for Python: it is still computing, or another cell is running.");
const GONE = tr("Python was restarted. In JupyterLab choose Run > Run All Above Selected Cell, then run " +
  "this cell; elsewhere run the cells above, then this one.");
const INKS = { // the first one is in the hand at the start
  [tr("black")]: "#000000", [tr("white")]: "#ffffff", [tr("blue")]: "#0072b2", [tr("sky")]: "#56b4e9",
  [tr("green")]: "#009e73", [tr("yellow")]: "#f0e442", [tr("orange")]: "#e69f00",
  [tr("red")]: "#d0342c", [tr("pink")]: "#cc79a7", [tr("brown")]: "#8b5a2b",
};
const MANY = 1000; // steps of a slider: with more of them, a pixel is several
const FILM = 60; // answers in one picture that an animation holds, of what the hand did last
const APART = 6; // pixels that a pointer goes for the next seed
const NUDGES = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
// Makes ids that no other control on the page has; each control loads this file anew, so counting
// alone would give two of them the same.
const MINE = Math.random().toString(36).slice(2);
let names = 0;
const newName = () => `sculptor-${MINE}-${++names}`;

function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value !== false) element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children);
  return element;
}

// JupyterLab takes the arrow keys unless a control says data-lm-suppress-shortcuts.
const KEYS = { "data-lm-suppress-shortcuts": "", autocomplete: "off" };

function button(text, onclick, attributes = {}) {
  return make("button", { type: "button", class: "quiet", ...KEYS, ...attributes, onclick }, text);
}

// Each part has: element, value() -> { value, pixels }, startOver(); a prompt also has offer(), and
// what no caption needs to say has words().

function slider(spec, ask) {
  const id = newName();
  const { first: min, last: max, step, start, label } = spec;
  const input = make("input", { type: "range", id, min, max, step, value: start, ...KEYS });
  const fine = (max - min) / step > MANY; // then the number can be typed, too
  const number = fine
    ? make("input", { type: "number", min, max, step, ...KEYS, "aria-label": tr("{0}, typed", label) })
    : make("output", { for: id });
  const say = () => {
    number.value = input.value;
    input.setAttribute("aria-valuetext", input.value);
  };
  input.addEventListener("input", () => { say(); ask(); });
  number.addEventListener("input", () => {
    if (!number.validity.valid || number.value === "") return;
    input.value = number.value;
    input.setAttribute("aria-valuetext", input.value);
    ask();
  });
  number.addEventListener("blur", say);
  say();
  return {
    element: make("div", { class: "row" },
      make("label", { for: id, class: "name" }, label), input, number),
    value: () => ({ value: input.valueAsNumber }),
    words: () => input.value,
    startOver: () => { input.value = start; say(); },
  };
}

function choice(spec, ask) {
  const group = newName();
  const radios = spec.options.map((_, i) =>
    make("input", { type: "radio", name: group, checked: i === spec.start, ...KEYS, onchange: ask }));
  return {
    element: make("div", { class: "row choices", role: "radiogroup", "aria-label": spec.label },
      make("span", { class: "name" }, spec.label),
      ...radios.map((radio, i) => make("label", {}, radio, spec.options[i]))),
    value: () => ({ value: radios.findIndex((radio) => radio.checked) }),
    words: () => spec.options[radios.findIndex((radio) => radio.checked)],
    startOver: () => { radios[spec.start].checked = true; },
  };
}

function switches(spec, ask) {
  const boxes = spec.options.map((_, i) =>
    make("input", { type: "checkbox", checked: spec.start[i], ...KEYS, onchange: ask }));
  return {
    element: make("div", { class: "row choices", role: "group", "aria-label": spec.label },
      make("span", { class: "name" }, spec.label),
      ...boxes.map((box, i) => make("label", {}, box, spec.options[i]))),
    value: () => ({ value: boxes.map((box) => box.checked) }),
    words: () => spec.options.filter((_, i) => boxes[i].checked).join(tr(" and ")) || tr("none"),
    startOver: () => boxes.forEach((box, i) => { box.checked = spec.start[i]; }),
  };
}

function seed(spec, ask) {
  const id = newName();
  let last = spec.start; // while the field is empty or wrong, the last good number counts
  const input = make("input", {
    type: "number", id, min: 0, max: spec.last, step: 1, value: spec.start, ...KEYS,
    oninput: () => {
      if (!input.validity.valid || input.value === "") return;
      last = input.valueAsNumber;
      ask();
    },
    onblur: () => { input.value = last; },
  });
  const become = (number) => {
    input.value = last = number;
    ask();
  };
  const roll = () => become(Math.floor(Math.random() * 10000));
  const name = make("label", { for: id, class: "name dragged", title: tr("Drag it to the side") },
    spec.label);
  followPointer(name, () => last, (number) => {
    const wanted = Math.min(spec.last, Math.max(0, number));
    if (wanted !== last) become(wanted);
  });
  return {
    element: make("div", { class: "row" }, name, input,
      button(tr("Roll the dice"), roll, { "aria-label": tr("Roll the dice for {0}", spec.label) })),
    value: () => ({ value: last }),
    words: () => last,
    startOver: () => { input.value = last = spec.start; },
  };
}

// Dragged to the side, `handle` gives a number that counts on from what read() says.
function followPointer(handle, read, write) {
  let start = null; // [place, number]
  handle.addEventListener("pointerdown", (event) => {
    handle.setPointerCapture(event.pointerId);
    start = [event.clientX, read()];
  });
  handle.addEventListener("pointermove", ({ clientX }) => {
    if (start) write(start[1] + Math.round((clientX - start[0]) / APART));
  });
  handle.addEventListener("lostpointercapture", () => { start = null; });
}

function seeds(spec, ask) {
  const [start, many] = spec.start, one = seed({ ...spec, start }, ask);
  const four = make("input", { type: "checkbox", checked: many, ...KEYS, onchange: ask });
  one.element.append(make("div", { class: "choices" }, make("label", {}, four, tr("four at once"))));
  return {
    element: one.element,
    value: () => ({ value: [one.value().value, four.checked] }),
    words: () => (four.checked ? tr("{0} to {1}", one.words(), one.words() + 3) : one.words()),
    startOver: () => { one.startOver(); four.checked = many; },
  };
}

// No message can carry half an emoji, which a box leaves that is full in its middle.
const wellFormed = (words) => new TextDecoder().decode(new TextEncoder().encode(words));

// A word as Python compares it (split_words in words.py), and what may belong to one in the box.
const plain = (word) => word.normalize("NFKC").toLowerCase().replaceAll("ё", "е")
  .replace(/['’]s$/, "").replace(/[\p{Mn}\p{Cf}'’]/gu, "");
const WORD = /[\p{L}\p{N}][\p{L}\p{N}\p{Mn}\p{Cf}'’]*/gu;

function prompt(spec, ask) {
  const id = newName();
  const input = make("input", {
    type: "text", id, maxlength: spec.longest, value: spec.start, spellcheck: "false", ...KEYS,
    oninput: ask,
  });
  input.addEventListener("paste", (event) => { // cut what is too long between two words
    const { selectionStart: from, selectionEnd: to, value } = input;
    const room = spec.longest - value.length + to - from;
    const words = event.clipboardData.getData("text/plain").replace(/\s+/g, " ");
    if (words.length <= room) return;
    event.preventDefault();
    input.setRangeText(words.slice(0, room + 1).replace(/\S*$/, "").trimEnd(), from, to, "end");
    ask();
  });
  const offers = make("div", { class: "offers" });
  const respelt = (word, known) =>
    input.value.replace(WORD, (found) => plain(found) === word ? known : found);
  const use = (word, known) => {
    input.value = respelt(word, known);
    input.focus(); // the button is about to go
    ask();
  };
  let shown = "";
  return {
    element: make("div", { class: "row" },
      make("label", { for: id, class: "name" }, spec.label), input, offers),
    value: () => ({ value: wellFormed(input.value) }),
    startOver: () => { input.value = spec.start; },
    // A button for each pair [word that nobody knows, known word] whose word stands in the box.
    offer: (pairs) => {
      const mine = pairs.filter((pair) => respelt(...pair) !== input.value);
      if (shown === (shown = JSON.stringify(mine))) return; // a button keeps the focus
      offers.replaceChildren(...mine.map(([word, known]) => button(tr("Use {0}", known),
        () => use(word, known), { "aria-label": tr("Use {0} instead of {1}", known, word) })));
    },
  };
}

function drawing(spec, ask, complain, height) {
  const { size, start, label } = spec;
  const board = make("canvas", {
    class: "picture board", width: size, height: size, tabindex: 0, role: "application", ...KEYS,
    "aria-roledescription": tr("drawing board"), "aria-label":
      tr("{0}. Arrow keys move the brush, space paints, shift with an arrow key draws a line.", label),
  });
  const pen = board.getContext("2d", { willReadFrequently: true });
  const place = make("p", { class: "caption place", "aria-live": "polite" });
  const palette = newName();
  const inks = Object.entries(INKS).map(([name, colour], i) => make("input", {
    type: "radio", name: palette, value: colour, "aria-label": name, title: name,
    style: `--colour:${colour}`, checked: i === 0, ...KEYS,
  }));
  const thick = Math.max(1, Math.round(size / 16)); // a finger's width on a small board
  const shift = Math.floor((thick - 1) / 2);
  let at = [size >> 1, size >> 1];

  const startOver = () => {
    const bytes = new Uint8ClampedArray(start.buffer, start.byteOffset, start.byteLength);
    pen.putImageData(new ImageData(bytes.slice(), size, size), 0, 0);
    place.textContent = "";
  };
  const paint = ([x, y]) => {
    pen.fillStyle = inks.find((ink) => ink.checked).value;
    pen.fillRect(x - shift, y - shift, thick, thick);
  };
  const line = (from, to) => {
    const far = Math.max(1, ...from.map((v, i) => Math.abs(to[i] - v)));
    for (let i = 0; i <= far; i++) {
      paint(from.map((v, k) => Math.round(v + ((to[k] - v) * i) / far)));
    }
    ask();
  };
  const under = (event) => {
    const box = board.getBoundingClientRect();
    const share = [(event.clientX - box.x) / box.width, (event.clientY - box.y) / box.height];
    return share.map((v) => Math.min(size - 1, Math.max(0, Math.floor(v * size))));
  };
  board.addEventListener("pointerdown", (event) => {
    board.setPointerCapture(event.pointerId);
    at = under(event);
    line(at, at);
  });
  board.addEventListener("pointermove", (event) => {
    if (!board.hasPointerCapture(event.pointerId)) return;
    const to = under(event);
    line(at, to);
    at = to;
  });
  board.addEventListener("keydown", (event) => {
    const nudge = NUDGES[event.key];
    if (!nudge && event.key !== " ") return;
    event.preventDefault();
    const from = at;
    if (nudge) at = at.map((v, i) => Math.min(size - 1, Math.max(0, v + nudge[i])));
    if (!nudge || event.shiftKey) line(from, at);
    const colour = inks.find((ink) => ink.checked).title;
    place.textContent = tr("brush at column {0}, row {1}, {2}", at[0] + 1, at[1] + 1, colour);
  });

  const upload = make("input", { type: "file", accept: "image/*", ...KEYS, onchange: async () => {
    const [file] = upload.files;
    upload.value = ""; // the same file may be chosen again
    if (!file) return;
    let picture;
    try {
      picture = await createImageBitmap(file);
    } catch {
      complain(tr("\"{0}\" is not a picture that this browser can read: choose a PNG, JPEG, GIF or WebP " +
        "file.", file.name));
      return;
    }
    const side = Math.min(picture.width, picture.height); // the square in the middle
    const cut = [(picture.width - side) / 2, (picture.height - side) / 2, side, side];
    pen.fillStyle = "#ffffff"; // behind see-through parts
    pen.fillRect(0, 0, size, size);
    pen.imageSmoothingQuality = "high";
    pen.drawImage(picture, ...cut, 0, 0, size, size);
    ask();
  } });
  const clear = () => {
    pen.fillStyle = "#ffffff";
    pen.fillRect(0, 0, size, size);
    ask();
  };
  startOver();
  return {
    board: figure(label, board, height),
    element: make("div", { class: "row" },
      make("div", { class: "palette", role: "radiogroup", "aria-label": tr("colour") }, ...inks),
      make("label", { class: "upload" }, tr("Upload a picture"), upload),
      button(tr("Clear the board"), clear), place),
    value: () => ({ pixels: new Uint8Array(pen.getImageData(0, 0, size, size).data) }),
    startOver,
  };
}

const KINDS = { slider, choice, switches, seed, seeds, prompt, drawing };

function render({ model, el }) {
  const { alt, again, height, lang, name, steps, parts: specs } = model.get("spec");
  const page = model.get("page"); // without Python: see living/static/page.js
  const late = () => complain(page ? page.waiting : WAITING);
  const me = Math.random().toString(36).slice(2);
  const open = []; // numbers of the requests that Python has not answered
  const shown = []; // the frames of the newest request, or answers in one frame, for an animation
  const whenDone = []; // what waits until Python has answered them all
  let asked = 0, wanted = false, patience = null;

  const trouble = make("p", { class: "trouble", role: "alert", hidden: true });
  const complain = (words) => {
    trouble.textContent = words;
    trouble.hidden = !words;
  };
  const pictures = make("div", { class: "pictures" });
  const drawn = make("div", { class: "drawn" });
  const caption = make("p", { class: "caption", "aria-live": "polite" });
  const loading = make("p", { class: "loading", role: "status", hidden: true });
  const progress = make("progress", { class: "rest", max: 1, "aria-label": tr("computing") });

  const pump = () => {
    if (!wanted || open.length > 1) return; // one is computed, one waits in the kernel
    wanted = false;
    const values = parts.map((part) => part.value());
    open.push(++asked);
    const buffers = values.map((v) => v.pixels).filter(Boolean).map((v) => v.buffer);
    clearTimeout(patience);
    try {
      model.send({ view: me, id: asked, values: values.map((v) => v.value ?? null) }, undefined,
        buffers);
    } catch {
      open.pop();
      complain(GONE);
      return;
    }
    drawn.setAttribute("aria-busy", true);
    patience = setTimeout(late, PATIENCE);
    setTimeout(() => progress.classList.toggle("rest", !open.length), 150);
  };
  const ask = () => {
    wanted = true;
    pump();
  };
  const parts = specs.map((spec) => KINDS[spec.kind](spec, ask, complain, height));
  const startOver = () => {
    parts.forEach((part) => part.startOver());
    ask();
  };
  const answer = () => {
    const frame = model.get("frame");
    clearTimeout(patience);
    complain(frame.trouble);
    loading.textContent = frame.loading ?? "";
    loading.hidden = !frame.loading;
    if (frame.loading) {
      progress.value = frame.share;
      return;
    }
    if (!frame.trouble) paint(frame);
    if (frame.view === me && frame.done) {
      open.splice(0, open.findLastIndex((id) => id <= frame.id) + 1);
    }
    if (frame.share < 1) progress.value = frame.share;
    else progress.removeAttribute("value");
    progress.classList.toggle("rest", !open.length);
    if (open.length) patience = setTimeout(late, PATIENCE);
    pump();
    drawn.setAttribute("aria-busy", open.length > 0);
    if (!open.length) whenDone.splice(0).forEach((go) => go());
  };
  const takesFour = specs.some(({ kind }) => kind === "seeds"), places = {};
  const setUp = (columns) => {
    drawn.replaceChildren(...columns.map(({ name, size: [width, tall] }) => {
      const canvas = make("canvas", { class: "picture", width, height: tall, role: "img" });
      if (takesFour) places[name] ??= wholeWidth(canvas, height); // four in the place of one
      return figure(name, canvas, height, places[name]);
    }));
    const figures = [...pictures.querySelectorAll("figure")];
    const widest = figures.reduce((a, b) => (b.dataset.wide > +a.dataset.wide ? b : a));
    for (const name of ["--wide", "--ratio"]) {
      pictures.style.setProperty(name, widest.style.getPropertyValue(name));
    }
    pictures.style.setProperty("--count", figures.length);
    // As many as at the start fit beside each other; when more come, the others make room.
    if (!pictures.style.getPropertyValue("--n")) pictures.style.setProperty("--n", figures.length);
  };
  const bytesOf = ({ buffer, byteOffset, byteLength }) =>
    new Uint8ClampedArray(buffer, byteOffset, byteLength);
  const paint = (frame) => {
    if (shown.at(-1)?.view !== frame.view || shown.at(-1)?.id !== frame.id) {
      const film = [...shown, frame].every(({ view, share }) => view === frame.view && share === 1);
      shown.splice(0, film ? shown.length - FILM + 1 : shown.length);
      keeping.say(""); // it was about the picture before
    }
    shown.push(frame);
    const same = frame.columns.length === drawn.children.length && frame.columns.every(
      ({ name, size }, i) => {
        const figure = drawn.children[i], canvas = figure.querySelector("canvas");
        return figure.title === name && canvas.width === size[0] && canvas.height === size[1];
      });
    if (!same) setUp(frame.columns);
    frame.columns.forEach(({ name, size }, i) => {
      const canvas = drawn.children[i].querySelector("canvas");
      canvas.getContext("2d").putImageData(new ImageData(bytesOf(frame.pixels[i]), ...size), 0, 0);
      canvas.setAttribute("aria-label", `${name}: ${frame.caption}`);
    });
    caption.textContent = frame.caption;
    parts.forEach((part) => part.offer?.(frame.offers));
    if (frame.done) [caption, pictures].forEach(letKeysScroll);
  };

  pictures.append(...parts.map((part) => part.board).filter(Boolean), drawn);
  const reset = button(tr("Start over"), (event) => {
    if (event.shiftKey) window.dispatchEvent(new Event("start-over"));
    else startOver();
  }, { title: again });

  const boards = parts.map((part) => part.board?.querySelector("canvas")).filter(Boolean);
  const stepsShown = async () => { // [caption, canvases] of each
    if (!shown[0].view && !open.length) ask(); // at the start only the last one is known here
    if (open.length) await new Promise((go) => { whenDone.push(go); });
    const { columns } = shown.at(-1), alike = JSON.stringify(columns);
    const story = shown.filter((frame) => JSON.stringify(frame.columns) === alike);
    if (story.length < 2) throw new Error(tr("One picture does not move: type or drag first."));
    return story.map((frame) => [
      frame.caption, [...boards, ...columns.map(({ size: [width, height] }, i) => {
        const canvas = make("canvas", { width, height }), bytes = bytesOf(frame.pixels[i]);
        canvas.getContext("2d").putImageData(new ImageData(bytes, width, height), 0, 0);
        return canvas;
      })]]);
  };
  let kept = null;
  const chosen = () => parts.map((part, i) => part.words && `${specs[i].label}: ${part.words()}`)
    .filter(Boolean).join(", ");
  const keeping = keepButtons({
    pictures, caption: () => caption.textContent, settings: chosen, story: steps && stepsShown,
    keep: page ? undefined : () => new Promise((done, fail) => {
      kept = done;
      setTimeout(() => fail(new Error(WAITING)), PATIENCE); // a late answer is told all the same
      try { model.send({ view: me, keep: true }); } catch { fail(new Error(GONE)); }
    }),
  });
  const hear = (message) => {
    if (message.view !== me) return;
    kept(message.kept);
    keeping.say(message.kept);
  };
  const root = { class: "sculptor live", lang, "data-name": name, role: "group", "aria-label": alt };
  const card = make("div", root, make("div", { class: "stage" }, pictures,
    make("div", { class: "panel" },
      make("div", { class: "controls" }, ...parts.map((part) => part.element)),
      progress,
      make("div", { class: "last" }, make("div", { class: "said" }, caption, loading, trouble),
        keeping.row, reset))));
  handKeysOn(card);
  el.append(card);
  paint(model.get("frame"));
  model.on("change:frame", answer);
  model.on("msg:custom", hear);
  window.addEventListener("start-over", startOver);
  if (model.get("frame").view) ask(); // moved before, by an older view: begin at the start again
  return () => {
    clearTimeout(patience);
    model.off("change:frame", answer);
    model.off("msg:custom", hear);
    window.removeEventListener("start-over", startOver);
  };
}

// A titled picture; the style sheet draws it in this many CSS pixels, or in fewer where there is
// less room. Whole multiples keep its pixels square.
const wholeWidth = ({ width, height }, tall) => width * Math.max(1, Math.round(tall / height));
function figure(name, canvas, tall, wide = wholeWidth(canvas, tall)) {
  return make("figure", { title: name, "data-wide": wide,
    style: `--wide:${wide}px;--ratio:${canvas.width / canvas.height}` },
    make("figcaption", {}, name), canvas);
}

// What overflows its place can be scrolled with the keys, too.
function letKeysScroll(place) {
  const { scrollWidth, clientWidth, scrollHeight, clientHeight } = place;
  if (scrollWidth > clientWidth || scrollHeight > clientHeight) place.tabIndex = 0;
  else place.removeAttribute("tabindex");
}

export default { render };
