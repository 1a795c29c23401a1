// What the site remembers of a reader, in this browser only, and what it does before it prints.

const OURS = "sculptor-"; // what the course keeps begins so, predictions too
const HEAD = 60; // pixels: :target has a margin, other paragraphs do not yet
const READ = `${OURS}read`, PLACE = `${OURS}place`;

function load(key) {
  try { return JSON.parse(localStorage.getItem(key)); } catch { return null; }
}

// Another page of this server, or a hand, may have written there: what is not ours counts as nothing.
const filesRead = () => [load(READ) ?? []].flat();

function lastPlace() {
  const place = load(PLACE);
  return /^\d\d_[\w.]+$/.test(place?.file) && Array.isArray(place.words) ? place : null;
}

function save(key, value) {
  try { localStorage.setItem(key, JSON.stringify(value)); } catch { /* nothing is kept then */ }
}

const fileOf = (link) => new URL(link.href).pathname.split("/").pop();
const here = fileOf(location), { lang: language } = document.documentElement;
const isLesson = /^\d\d_/.test(here);

// ---- a tick at each lesson that was read to its end ---------------------------------------------

function showTicks() {
  const read = filesRead();
  document.querySelectorAll(".sidebar-tree a.reference, ul.map a.reference").forEach((link) => {
    const tick = link.querySelector(".tick");
    if (read.includes(fileOf(link)) === Boolean(tick)) return;
    if (tick) return tick.remove();
    const made = document.createElement("span");
    Object.assign(made, { className: "tick", role: "img", ariaLabel: tr("read"), textContent: "✓" });
    link.append(" ", made);
  });
}

function watchTheEnd() {
  const end = document.querySelector(".related-pages");
  new IntersectionObserver((seen) => {
    if (!seen.at(-1).isIntersecting) return;
    save(READ, [...new Set([...filesRead(), here])]);
    showTicks();
  }).observe(end);
}

// ---- the place that was read last ---------------------------------------------------------------

function keepPlace() {
  const above = [...document.querySelectorAll("article section[id]")]
    .filter((section) => section.getBoundingClientRect().top < innerHeight / 2);
  const words = above.slice(-1).concat(above.slice(0, 1)).reverse()
    .map((section) => section.querySelector("h1, h2, h3").firstChild.textContent);
  if (!above.length) return;
  save(PLACE, { file: here, at: above.at(-1).id, words: [...new Set(words)], language });
}

function showPlace() {
  const place = lastPlace(), line = document.querySelector(".continue");
  if (!line) return;
  line.classList.toggle("known", Boolean(place));
  if (!place) return;
  const link = line.querySelector("a");
  link.href = `${place.file}#${place.at}`;
  link.textContent = tr("Continue where you were: {0}", wordsOf(place).join(", "));
}

// What was read in another language is called by its title alone.
function wordsOf({ file, words, language: theirs }) {
  if ((theirs ?? "en") === language) return words;
  const title = [...document.querySelectorAll("ul.map a.reference")].find((link) => fileOf(link) === file);
  return title ? [title.firstChild.textContent] : words;
}

function forgetAll() {
  try {
    Object.keys(localStorage).filter((key) => key.startsWith(OURS))
      .forEach((key) => localStorage.removeItem(key));
  } catch { /* nothing was kept */ }
  show();
}

function show() {
  showTicks();
  showPlace();
}

if (isLesson) {
  watchTheEnd();
  addEventListener("pagehide", keepPlace);
  document.addEventListener("visibilitychange", () => { if (document.hidden) keepPlace(); });
}
document.querySelectorAll(".forget").forEach((line) => {
  const button = line.querySelector("button");
  button.hidden = false;
  button.addEventListener("click", () => {
    forgetAll();
    line.querySelector("[role=status]").textContent = tr("Forgotten.");
  });
});
addEventListener("storage", show); // read in another tab
addEventListener("pageshow", show); // or before the reader came back to this one
show();

// ---- the same place in another language ------------------------------------------------------------

// The last paragraph that begins above the place to which a link to it would scroll.
function paragraphAtTop() {
  const above = [...document.querySelectorAll("article [id]")].filter((part) => {
    const { top, height } = part.getBoundingClientRect();
    return height && top <= parseFloat(getComputedStyle(part).scrollMarginTop) + HEAD;
  });
  return scrollY > HEAD && above.length ? above.at(-1).id : "";
}

document.querySelectorAll("a.language").forEach((link) => {
  for (const event of ["pointerdown", "focus", "click"]) {
    link.addEventListener(event, () => { link.hash = paragraphAtTop(); });
  }
});

// ---- keys and fingers -----------------------------------------------------------------------------

// What is wider than the page can be scrolled by keys, too.
const wide = new ResizeObserver((seen) => seen.forEach(({ target }) => {
  if (target.scrollWidth > target.clientWidth) target.tabIndex = 0;
  else target.removeAttribute("tabindex");
}));
document.querySelectorAll("article :is(pre, .table-wrapper, .cell_output > div, div.math)")
  .forEach((box) => wide.observe(box));

// A finger gives a slider no focus, but only with it do the pictures stay in sight.
document.addEventListener("pointerdown", ({ target }) => {
  if (target.matches(".sculptor [type=range]")) target.focus({ preventScroll: true });
});

// ---- search and paper ---------------------------------------------------------------------------

// From a disk no page may read another one, so the results stand without excerpts there.
if (location.protocol === "file:") DOCUMENTATION_OPTIONS.SHOW_SEARCH_SUMMARY = false;

let folded = [], theme; // paper cannot be unfolded, and is white
addEventListener("beforeprint", () => {
  folded = [...document.querySelectorAll("article details:not([open])")];
  folded.forEach((fold) => { fold.open = true; });
  theme = document.body.dataset.theme;
  document.body.dataset.theme = "light";
});
addEventListener("afterprint", () => {
  folded.forEach((fold) => { fold.open = false; });
  document.body.dataset.theme = theme;
});
