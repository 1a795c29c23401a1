(() => {
  const talk = TALK;
  const order = talk.slides.flatMap((slide) => slide.cells);
  const whole = talk.notes.reduce((sum, note) => sum + note.minutes, 0);

  const PAGE = `<head><meta charset="utf-8"><title>${tr("Notes to lesson {}", talk.lesson)}</title><style>
    :root { color-scheme: light dark; font: 22px/1.5 system-ui, sans-serif; }
    body { margin: 0 auto; max-width: 46em; padding: 1em; }
    h1 { font-size: 1.4em; line-height: 1.25; margin: .3em 0; }
    p { margin: .5em 0; }
    code { font-size: .9em; }
    .clock { font-size: 1.4em; font-variant-numeric: tabular-nums; font-weight: bold; margin: 0; }
    .next { border-top: 1px solid; padding-top: .5em; }
    button { font: inherit; padding: .2em .8em; }
    @media print { button { display: none; } }
    </style></head><body><main>
    <p class="clock" role="timer"></p>
    <div role="status"><h1></h1><p class="when"></p></div>
    <div class="words"></div>
    <p class="next"></p>
    <p><button data-go="back">${tr("Back")}</button>
    <button data-go="forward">${tr("Forward")}</button>
    <button data-go="down">${tr("Down")}</button>
    <button class="again">${tr("Start the clock again")}</button></p>
    </main></body>`;
  const KEYS = { ArrowRight: "forward", PageDown: "forward", ArrowLeft: "back", PageUp: "back",
    ArrowDown: "down", ArrowUp: "up" };

  const place = (cell) => { // what belongs to the cell in front: its slide, its note, what is next
    const slide = talk.slides.findIndex(({ cells }) => cells.includes(cell));
    if (slide < 0) return null;
    const before = talk.notes.filter(({ below }) => order.indexOf(below) <= order.indexOf(cell));
    const on = talk.notes.filter(({ below }) => talk.slides[slide].cells.includes(below));
    const note = on.filter((one) => before.includes(one)).at(-1) ?? on[0] ?? before.at(-1);
    const after = talk.slides.slice(slide + 1);
    return {
      note: note ?? talk.notes[0],
      below: after[0]?.kind === "subslide" ? after[0].title : null,
      next: after.find(({ kind }) => kind === "slide")?.title ?? null,
    };
  };
  const clock = (seconds) =>
    `${Math.floor(seconds / 60)}:${String(Math.floor(seconds % 60)).padStart(2, "0")}`;
  const pace = (note, seconds) => {
    const late = Math.floor(seconds / 60 - note.begins - note.minutes);
    const early = Math.round(note.begins - seconds / 60);
    return late > 0 ? tr(", {} min late", late) : early > 0 ? tr(", {} min early", early) : "";
  };
  const set = (element, text) => { if (element.textContent !== text) element.textContent = text; };

  const open = (root) => {
    const panel = root.closest(".jp-NotebookPanel"), said = root.querySelector(".caption");
    if (!panel) return set(said, tr("The notes follow the slides in JupyterLab only."));
    const view = window.open("", `sculptor-notes-${talk.lesson}`, "width=900,height=1000");
    if (!view)
      return set(said, tr("The browser keeps the window shut: allow pop-ups for this page."));
    set(said, "");
    panel.stopNotes?.(); // opened before: it is the same window
    view.document.documentElement.lang = talk.language;
    view.document.documentElement.innerHTML = PAGE;
    const find = (selector) => view.document.querySelector(selector);
    let begun = null, shown = null; // the clock waits for the slides

    const presenting = () => document.body.dataset.jpDeckMode === "presenting";
    const go = (way) => presenting()
      && document.querySelector(`.jp-Deck-Remote .jp-deck-mod-direction-${way}`)?.click();
    const follow = () => {
      if (view.closed || !panel.isConnected) return end();
      if (begun === null && presenting()) begun = Date.now();
      const active = panel.querySelector(".jp-Cell.jp-mod-active")?.dataset.jpfCellId;
      const { note, below, next } = (shown = place(active) ?? shown ?? place(order[0]));
      const seconds = begun === null ? 0 : (Date.now() - begun) / 1000;
      set(find(".clock"), tr("{} of {}:00", clock(seconds), whole) + pace(note, seconds));
      set(find(".when"), tr("{} min, from minute {}", note.minutes, note.begins));
      if (find("h1").textContent !== note.title) {
        find("h1").textContent = note.title;
        find(".words").innerHTML = note.page;
        view.scrollTo(0, 0);
      }
      const ways = [next && tr("Next slide: {}", next), below && tr("below: {}", below)];
      set(find(".next"), presenting() ? ways.filter(Boolean).join("; ") || tr("The last slide")
        : tr("Start the slides: they lead, the notes follow."));
    };
    const stop = () => {
      clearInterval(timer);
      removeEventListener("pagehide", end);
    };
    const end = () => { stop(); view.close(); };
    const timer = setInterval(follow, 250);
    addEventListener("pagehide", end);
    panel.stopNotes = stop;
    find(".again").onclick = () => { begun = Date.now(); follow(); };
    for (const button of view.document.querySelectorAll("[data-go]"))
      button.onclick = () => go(button.dataset.go);
    view.document.onkeydown = (event) => {
      if (!(event.key in KEYS) || event.ctrlKey || event.altKey || event.metaKey) return;
      event.preventDefault();
      go(KEYS[event.key]);
    };
    follow();
    view.focus();
  };

  for (const root of document.querySelectorAll(".sculptor.notes:not([data-alive])")) {
    root.dataset.alive = "yes";
    root.querySelector(".asleep").remove();
    const button = root.querySelector("button");
    button.hidden = false;
    button.onclick = () => open(root);
  }
})();
