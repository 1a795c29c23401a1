// The first page. A recorded creation plays until the visitor draws; what was drawn step by step can be
// played again; a link can bring a wish. The controls themselves are those of the lessons: page.js.

(() => {
const PACE = 150, HOLD = 2500, SLOW = 1000; // ms: of the recording, of its ends, where motion disturbs
const SIZE = 32, NOISE = 32, WIDE = 2; // of the recording, see recording() in first_page.py
const LONGEST = 2000; // letters of a link's fragment
const FILM = 60; // pictures that can be played again, of what the hand did last
const AS_EVER = { network: "demiurge" }; // of a link from before there was a choice: it brings its picture
const CREATING = [tr("the picture so far"), tr("predicted clean picture")];
const UNSEEN = /[\s\p{Cc}\u202a-\u202e\u2066-\u2069]+/gu; // the last ones would turn our words around
const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
const place = document.currentScript.closest(".play"), hero = place.querySelector(".hero");

function button(text, act, attributes = {}) {
  const made = document.createElement("button");
  Object.assign(made, { type: "button", textContent: text, ...attributes });
  made.addEventListener("click", act);
  return made;
}

// ---- a wish in a link: #wish=a+red+apple&style=noto&network=swift&guidance=3&seed=0 --------------

// A link is the same in all languages: it has the names of the controls, and "any" for any style.
const nameOf = ({ name }) => (name === "seeds" ? "seed" : name);
const inLink = (option) => (option === tr("any") ? "any" : option);

// What `text` says to a control, as the `start` in its spec; undefined where it says nothing sensible.
function understood({ kind, longest, options, first, last, step }, text) {
  if (kind === "prompt") return text.length > longest ? undefined : text.replace(UNSEEN, " ").trim();
  if (kind === "choice") {
    const at = options.map(inLink).indexOf(text);
    return at < 0 ? undefined : at;
  }
  const number = /^\d{1,10}(\.\d{1,6})?$/.test(text) ? Number(text) : NaN;
  if (kind === "seeds") return number <= last && Number.isInteger(number) ? [number, false] : undefined;
  return first <= number && number <= last ? Math.round(number / step) * step : undefined;
}

// { starts: { name: start }, damaged }, or null where a fragment brings no wish.
function spellIn(hash, parts) {
  const given = new URLSearchParams(hash.slice(1));
  if (!given.has("wish")) return null;
  const starts = {};
  let damaged = hash.length > LONGEST;
  for (const part of parts) {
    const text = given.get(nameOf(part)) ?? AS_EVER[part.name];
    const start = text === undefined ? part.start : understood(part, text);
    damaged ||= start === undefined;
    starts[part.name] = start;
  }
  return damaged ? { starts: {}, damaged } : { starts, damaged };
}

// The fragment for what stands in the controls now; the inverse of `spellIn`.
function fragmentOf(rows, parts) {
  const words = parts.map(({ kind, options }, i) => {
    if (kind === "choice") {
      return inLink(options[[...rows[i].querySelectorAll("input")].findIndex((r) => r.checked)]);
    }
    return rows[i].querySelector("input").value;
  });
  return `#${new URLSearchParams(parts.map((part, i) => [nameOf(part), words[i]]))}`;
}

// Before the controls come alive: they begin with what the link says.
function takeSpell() {
  const script = hero.querySelector("script.living"), living = JSON.parse(script.textContent);
  const spell = spellIn(location.hash, living.spec.parts);
  if (spell) {
    for (const part of living.spec.parts) part.start = spell.starts[part.name] ?? part.start;
    script.textContent = JSON.stringify(living);
  }
  return spell;
}

function welcome({ starts, damaged }) {
  place.querySelector(".hint").textContent = damaged
    ? tr("This link is damaged, so the usual wish stands here.")
    : starts.wish
      ? tr("A link brought the wish “{0}”. Press Draw to see what comes of it.", starts.wish)
      : tr("A link brought an empty wish. Press Draw to see what comes of it.");
}

async function copyLink(rows, parts) {
  history.replaceState(null, "", fragmentOf(rows, parts));
  try {
    await navigator.clipboard.writeText(location.href);
    return tr("Copied: the link to this wish.");
  } catch { // only https and this machine may write there
    return tr("The link to this wish stands in the address bar now.");
  }
}

// ---- a story, played and scrubbed ----------------------------------------------------------------

// A bar for a card. A story is a list of { names, pixels: [ImageData], caption, whole, wait }, with the
// titles of the pictures; `whole` are those of an answer in one picture.
class Bar {
  constructor(card) {
    Object.assign(this, { card, story: [], timer: null, again: false });
    this.button = button(tr("Play"), () => (this.timer ? this.stop() : this.play()));
    this.range = document.createElement("input");
    Object.assign(this.range, { type: "range", min: 0, autocomplete: "off" });
    this.range.addEventListener("input", () => { this.stop(); this.show(this.range.valueAsNumber); });
    this.element = document.createElement("div");
    const words = document.createElement("label");
    this.words = document.createTextNode("");
    words.append(this.words, this.range);
    this.element.className = "replay";
    this.element.append(this.button, words);
    this.tell([]);
  }

  tell(story, at = story.length - 1) { // `at` is what the card shows now
    this.story = story;
    this.words.data = this.card.closest(".morph") ? tr("from one to the other")
      : story.some(({ whole }) => whole) ? tr("your pictures") : tr("step");
    this.element.hidden = story.length < 2;
    this.range.max = Math.max(0, story.length - 1);
    this.range.value = at;
    if (story[at]) this.range.ariaValueText = story[at].caption;
  }

  show(at) {
    const { names, pixels, caption } = this.story[at];
    this.card.querySelectorAll(".drawn figure").forEach((figure, i) => {
      const canvas = figure.querySelector("canvas");
      figure.title = figure.querySelector("figcaption").textContent = names[i];
      canvas.getContext("2d").putImageData(pixels[i], 0, 0);
      canvas.ariaLabel = `${figure.title}: ${caption}`;
    });
    this.card.querySelector(".caption").textContent = caption;
    this.range.value = at;
    this.range.ariaValueText = caption;
  }

  play() {
    const end = this.story.length - 1;
    this.button.textContent = tr("Pause");
    this.card.querySelector(".caption").ariaLive = "off"; // a voice cannot follow so many captions
    const go = (at) => {
      this.show(at);
      if (at === end && !this.again || !this.card.isConnected) return this.stop();
      this.timer = setTimeout(go, still ? SLOW : this.story[at].wait, at === end ? 0 : at + 1);
    };
    go(this.range.valueAsNumber === end ? 0 : this.range.valueAsNumber);
  }

  stop() {
    clearTimeout(this.timer);
    this.timer = null;
    this.button.textContent = tr("Play");
    this.card.querySelector(".caption").ariaLive = "polite";
  }
}

// Follows what a control draws: the frames of its newest answer are the story, or, where an answer is one
// picture, the newest of them.
function follow(model, bar) {
  let newest = null, story = [];
  model.on("change:frame", () => {
    const { view, id, loading, trouble, columns, pixels, caption, share } = model.get("frame");
    if (loading || trouble || !view) return;
    const images = pixels.map((bytes, i) => new ImageData(new Uint8ClampedArray(bytes), ...columns[i].size));
    const frame = { names: columns.map(({ name }) => name), pixels: images, caption, wait: PACE };
    if (newest !== `${view} ${id}`) {
      newest = `${view} ${id}`;
      frame.whole = share === 1;
      const alike = ({ whole, pixels: [{ width }] }) => whole && width === images[0].width;
      story = [...story, frame].every(alike) ? story.slice(1 - FILM) : [];
      bar.stop();
      bar.again = false;
    }
    story.push(frame);
    bar.tell(story);
  });
}

// ---- the recording -------------------------------------------------------------------------------

// The frames of the recording. It holds the noise and the predicted clean pictures: DDIM, lesson 04,
// makes of these the pictures so far.
async function recorded() {
  const text = hero.querySelector(".recording").textContent;
  const { wishes, rates, noise, predicted, finished } = JSON.parse(text);
  const [predictions, ends] = await Promise.all([predicted, finished].map(pixelsOf));
  const x_T = Float32Array.from(atob(noise), (letter) => (letter.charCodeAt() << 24 >> 24) / NOISE);
  return wishes.flatMap((wish, i) => {
    let x = x_T;
    const frames = rates.map(([signal, dust], k) => {
      const { data } = predictions(k, i), [nextSignal, nextDust] = rates[k + 1] ?? [1, 0];
      const clean = x.map((_, j) => WIDE * (data[4 * Math.floor(j / 3) + j % 3] / 127.5 - 1)), now = x;
      x = x.map((v, j) => nextSignal * clean[j] + nextDust * (v - signal * clean[j]) / dust);
      const caption = tr("recorded: {0}, step {1} of {2}", wish, k + 1, rates.length);
      return { names: CREATING, pixels: [imageOf(now), imageOf(clean)], caption, wait: PACE };
    });
    const end = ends(i, 0);
    const caption = tr("recorded: {0}, finished", wish);
    const last = { names: CREATING, pixels: [end, end], caption, wait: HOLD };
    return [...frames, last];
  });
}

async function pixelsOf(source) { // (column, row) -> ImageData
  const image = Object.assign(new Image(), { src: source }), canvas = document.createElement("canvas");
  await image.decode();
  [canvas.width, canvas.height] = [image.width, image.height];
  const pen = canvas.getContext("2d", { willReadFrequently: true });
  pen.drawImage(image, 0, 0);
  return (column, row) => pen.getImageData(column * SIZE, row * SIZE, SIZE, SIZE);
}

function imageOf(x) { // (32, 32, 3) in [-1, 1], or beyond
  const image = new ImageData(SIZE, SIZE);
  image.data.fill(255);
  x.forEach((v, j) => { image.data[4 * Math.floor(j / 3) + j % 3] = (v + 1) * 127.5; });
  return image;
}

async function begin(bar, spell, drawn) { // `drawn` says whether the visitor was faster
  const story = await recorded();
  if (drawn()) return;
  if (spell && !spell.damaged) { // before it is drawn, a wish is noise
    const wish = spell.starts.wish || tr("no wish"), [{ pixels: [noise] }] = story;
    const caption = tr("{0}, still noise: press Draw", wish);
    bar.tell([{ names: CREATING, pixels: [noise, noise], caption }]);
    bar.show(0);
    return;
  }
  bar.again = true;
  bar.tell(story, 0);
  if (still) bar.show(story.length - 1);
  else bar.play();
}

// ---- when a control has come alive ---------------------------------------------------------------

const spell = takeSpell();
if (spell) welcome(spell);

place.addEventListener("living", ({ detail: { model, card } }) => {
  const { parts } = model.get("spec"), rows = [...card.querySelectorAll(".controls > .row")];
  const boxes = [...card.querySelectorAll("[type=text]")], [box] = boxes;
  const draw = () => box.dispatchEvent(new Event("input"));
  for (const each of boxes) {
    each.addEventListener("keydown", ({ key }) => { if (key === "Enter") draw(); });
  }
  boxes.at(-1).after(button(tr("Draw"), draw, { className: "draw" }));
  const top = document.createElement("div"), bar = new Bar(card);
  top.className = "top"; // where a phone shows its keyboard, wish and pictures stay in sight
  top.append(...rows.filter((row) => row.querySelector("[type=text]")));
  card.querySelector(".stage").prepend(top);
  card.querySelector(".panel").prepend(bar.element);
  follow(model, bar);
  if (!hero.contains(card)) return;
  box.addEventListener("click", () => { // it loads while the visitor still types
    box.select();
    draw();
  }, { once: true });
  const actions = card.querySelector(".actions"), said = actions.querySelector("[role=status]");
  said.before(button(tr("Copy the link"), async () => { said.textContent = await copyLink(rows, parts); },
    { className: "quiet", title: tr("It brings this wish, style, guidance and seed to another browser") }));
  begin(bar, spell, () => Boolean(model.get("frame").view));
});

addEventListener("hashchange", () => { // a link was pasted into the address bar
  if (new URLSearchParams(location.hash.slice(1)).has("wish")) location.reload();
});
})();
