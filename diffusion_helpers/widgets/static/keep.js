// Buttons to keep and to compare, below a scrubber and below a live control. All is done in the
// browser, so it works in an exported page, too; only "Keep" asks Python.
//
// A shot is what the eye sees at one moment: { columns: [{ name, canvas }], caption }.

const SIDE = 256, WIDEST = 1024; // pixels: about so large a saved picture gets, by whole multiples
const GAP = 16, TEXT = 18, LINE = 25;
const FIRST_FRAME = 700, LAST_FRAME = 2500; // ms

// ---- a shot on one canvas: titles, pictures, caption --------------------------------------------

function wrapLines(pen, words, width) { // a word longer than the line is left to stick out
  const lines = [""];
  for (const word of words.split(/\s+/)) {
    const longer = `${lines.at(-1)} ${word}`.trim();
    if (pen.measureText(longer).width <= width || !lines.at(-1)) lines[lines.length - 1] = longer;
    else lines.push(word);
  }
  return lines;
}

// Draws shots of one story, all in the same place: `captions` holds those of all.
function painter(first, captions) {
  const canvas = document.createElement("canvas"), pen = canvas.getContext("2d", {
    willReadFrequently: true });
  const title = `600 ${TEXT}px system-ui, sans-serif`, plain = `${TEXT}px system-ui, sans-serif`;
  pen.font = title;
  const columns = first.columns.map(({ name, canvas: { width, height } }) => {
    const scale = Math.max(1, Math.round(Math.min(SIDE / height, WIDEST / width)));
    return { width: width * scale, height: height * scale,
      lines: wrapLines(pen, name, width * scale) };
  });
  const width = columns.reduce((sum, column) => sum + column.width + GAP, GAP);
  pen.font = plain;
  const said = captions.map((words) => wrapLines(pen, words, width - 2 * GAP));
  const top = GAP + LINE * Math.max(...columns.map(({ lines }) => lines.length));
  const below = top + Math.max(...columns.map(({ height }) => height)) + GAP / 2;
  canvas.width = width;
  canvas.height = below + LINE * Math.max(...said.map((lines) => lines.length)) + GAP;
  return (shot) => {
    pen.fillStyle = "#fff"; // quiet on any page, and the pictures stand out as in the light theme
    pen.fillRect(0, 0, canvas.width, canvas.height);
    pen.fillStyle = "#1a1a1a";
    pen.strokeStyle = "#808080";
    pen.textBaseline = "top";
    pen.imageSmoothingEnabled = false;
    let x = GAP;
    shot.columns.forEach(({ canvas: picture }, i) => {
      const { width: wide, height: tall, lines } = columns[i];
      pen.font = title;
      lines.forEach((line, n) => pen.fillText(line, x, GAP / 2 + n * LINE));
      pen.drawImage(picture, x, top, wide, tall);
      pen.strokeRect(x - 0.5, top - 0.5, wide + 1, tall + 1);
      x += wide + GAP;
    });
    pen.font = plain;
    const words = said[captions.indexOf(shot.caption)];
    words.forEach((line, n) => pen.fillText(line, GAP, below + n * LINE));
    return canvas;
  };
}

function waitOf({ length }, i) { // ms before what follows frame i of so many
  if (i === length - 1) return LAST_FRAME;
  return i ? Math.max(60, Math.min(400, Math.floor(5000 / length))) : FIRST_FRAME;
}

// ---- an animated PNG ----------------------------------------------------------------------------

const CRCS = Uint32Array.from({ length: 256 }, (_, n) => {
  for (let bit = 0; bit < 8; bit++) n = n & 1 ? 0xedb88320 ^ (n >>> 1) : n >>> 1;
  return n;
});

function chunk(name, data) { // length, name, data, and the checksum of name and data
  const bytes = new Uint8Array(data.length + 12), view = new DataView(bytes.buffer);
  view.setUint32(0, data.length);
  [...name].forEach((letter, i) => { bytes[4 + i] = letter.charCodeAt(0); });
  bytes.set(data, 8);
  let crc = -1;
  for (let i = 4; i < bytes.length - 4; i++) crc = CRCS[(crc ^ bytes[i]) & 255] ^ (crc >>> 8);
  view.setUint32(bytes.length - 4, ~crc);
  return bytes;
}

function numbers(...pairs) { // [bytes, number], one after the other
  const view = new DataView(new ArrayBuffer(pairs.reduce((sum, [size]) => sum + size, 0)));
  let at = 0;
  for (const [size, number] of pairs) {
    view[`setUint${8 * size}`](at, number);
    at += size;
  }
  return new Uint8Array(view.buffer);
}

async function deflated(canvas) { // its pixels as PNG wants them: each row after a 2 is what
  const { width, height } = canvas; // differs from the row above, most often nothing
  const rgba = canvas.getContext("2d").getImageData(0, 0, width, height).data;
  const rows = new Uint8Array(height * (1 + 3 * width));
  let to = 0;
  for (let y = 0, from = 0; y < height; y++) {
    rows[to++] = 2;
    for (let x = 0; x < width; x++, from += 4) {
      for (let c = 0; c < 3; c++) {
        rows[to++] = rgba[from + c] - (y ? rgba[from + c - 4 * width] : 0);
      }
    }
  }
  const stream = new Blob([rows]).stream().pipeThrough(new CompressionStream("deflate"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

// An animation of the shots. What cannot move it shows the last one, which stands before them.
async function animate(shots) {
  if (!globalThis.CompressionStream) {
    throw new Error(tr("This browser is too old to write an animation: save the picture instead."));
  }
  const draw = painter(shots[0], shots.map(({ caption }) => caption));
  const finished = draw(shots.at(-1)), { width, height } = finished;
  const parts = [new Uint8Array([137, 80, 78, 71, 13, 10, 26, 10]),
    chunk("IHDR", numbers([4, width], [4, height], [1, 8], [1, 2], [1, 0], [1, 0], [1, 0])),
    chunk("acTL", numbers([4, shots.length], [4, 0])), chunk("IDAT", await deflated(finished))];
  let order = 0;
  for (const [i, shot] of shots.entries()) {
    const pixels = await deflated(draw(shot)), data = new Uint8Array(pixels.length + 4);
    parts.push(chunk("fcTL", numbers([4, order++], [4, width], [4, height], [4, 0], [4, 0],
      [2, waitOf(shots, i)], [2, 1000], [1, 0], [1, 0])));
    data.set(numbers([4, order++]));
    data.set(pixels, 4);
    parts.push(chunk("fdAT", data));
  }
  return new Blob([...parts, chunk("IEND", new Uint8Array())], { type: "image/png" });
}

// The same as a GIF, see gif.js.
function animateGif(shots) {
  const draw = painter(shots[0], shots.map(({ caption }) => caption));
  return gif((function* frames() {
    for (const [i, shot] of shots.entries()) yield [draw(shot), waitOf(shots, i)];
  })());
}

// ---- the buttons --------------------------------------------------------------------------------

function fileName(caption, ending = ".png") {
  const words = caption.replace(/[\x00-\x1f\x7f\\/:*?"<>|]+/g, " ").replace(/\s+/g, " ");
  return `${[...words.trim()].slice(0, 80).join("").replace(/^[ .]+|[ .]+$/g, "") || tr("picture")}${ending}`;
}

function download(root, blob, name) {
  const link = document.createElement("a"); // in the page, because VS Code looks there for it
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.hidden = true;
  root.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}

// What stands in the figures, or, with `canvases`, what would stand there.
function shotOf(figures, caption, canvases = figures.map((f) => f.querySelector("canvas"))) {
  return { caption, columns: figures.map((figure, i) => ({
    name: figure.querySelector("figcaption").textContent, canvas: canvases[i] })) };
}

function pinnedCopy(figures, caption) { // they stay where they are put, and cannot be drawn on
  const block = document.createElement("div"), said = document.createElement("p");
  block.className = "pinned";
  block.style.setProperty("--columns", figures.length);
  said.className = "caption";
  said.textContent = tr("Pinned: {0}", caption);
  block.append(said, ...figures.map((figure) => {
    const copy = figure.cloneNode(true), canvas = document.createElement("canvas");
    const from = figure.querySelector("canvas"), words = copy.querySelector("figcaption");
    Object.assign(canvas, { width: from.width, height: from.height, className: "picture",
      role: "img", ariaLabel: tr("Pinned, {0}: {1}", words.textContent, caption) });
    canvas.getContext("2d").drawImage(from, 0, 0);
    copy.querySelector("canvas").replaceWith(canvas);
    return copy;
  }));
  return block;
}

// pictures    the element in which the figures stand; pinned copies go to their end
// caption()   the words below them now
// settings()  what the hand chose, in words; left out where the caption says it all
// story()     resolves to all [caption, canvases] of an animation; left out where there is none
// keep()      asks Python to keep them, resolves to a sentence; left out where there is no Python
// Returns a row of buttons, and say(), which puts a sentence beside them.
function keepButtons({ pictures, caption, settings = () => "", story, keep }) {
  const figures = () => [...pictures.querySelectorAll("figure")].filter((f) => !pinned?.contains(f));
  const row = document.createElement("div"), said = document.createElement("span");
  let pinned = null;
  const say = (words) => { said.textContent = words; };
  row.className = "actions";
  row.role = "group";
  row.ariaLabel = tr("Keep and compare");
  said.role = "status";
  const add = (text, tip, act) => {
    const button = document.createElement("button");
    Object.assign(button, { type: "button", className: "quiet", textContent: text, title: tip });
    button.dataset.lmSuppressShortcuts = ""; // JupyterLab leaves its keys alone
    button.addEventListener("click", async () => {
      if (row.ariaBusy === "true") return; // one after the other
      row.ariaBusy = "true";
      say("");
      const busy = setTimeout(say, 150, tr("One moment …"));
      const words = await Promise.resolve().then(() => act(button)).catch((problem) => (
        problem.name === "SecurityError"
          ? tr("This browser does not let a page read its own pictures.") : problem.message));
      clearTimeout(busy);
      say(words ?? "");
      row.ariaBusy = "false";
    });
    row.append(button);
    return button;
  };
  const save = (blob, words, ending) => {
    if (!blob) throw new Error(tr("This browser could not write the picture."));
    download(row, blob, fileName(words, ending));
    return tr("Saved: {0}", fileName(words, ending));
  };
  const saveStory = (make, ending) => async () => {
    const shots = (await story()).map(([words, all]) => shotOf(figures(), words, all));
    return save(await make(shots), shots.at(-1).caption, ending);
  };
  if (keep) add(tr("Keep"), tr("Into the folder gallery/ beside this notebook"), keep);
  const pin = add(tr("Pin"), tr("A copy stays in sight, beside what comes next"), (button) => {
    const words = [caption(), settings()].filter(Boolean).join("; ");
    const copy = pinned ? null : pinnedCopy(figures(), words);
    if (copy) pictures.append(copy);
    else pinned.remove();
    pinned = copy;
    button.textContent = pinned ? tr("Unpin") : tr("Pin");
  });
  add(tr("Save picture"), tr("A PNG with titles and caption, among your downloads"), async () => {
    const shot = shotOf(figures(), caption()), canvas = painter(shot, [shot.caption])(shot);
    return save(await new Promise((done) => { canvas.toBlob(done, "image/png"); }), shot.caption);
  });
  if (story) {
    add(tr("Save animation"),
      tr("All steps, or your last pictures, in one moving PNG, among your downloads"),
      saveStory(animate, tr(", animation.png")));
    add(tr("Save GIF"), tr("The same as a GIF: fewer colours, but it moves in every program"),
      saveStory(animateGif, ".gif")).classList.add("gif");
  }
  row.append(said);
  window.addEventListener("start-over", () => { // the next class begins without it
    if (pinned) pin.click();
  });
  return { row, say };
}
