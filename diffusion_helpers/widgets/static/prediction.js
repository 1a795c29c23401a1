(() => {
  const name = NAME;
  const key = `sculptor-prediction-${name}`;
  const here = (window.sculptorPredictions ??= {}); // where the browser keeps nothing
  const chosen = () => {
    if (name in here) return here[name];
    try { return localStorage.getItem(key); } catch { return null; }
  };
  let kept = true;
  const choose = (option) => {
    here[name] = option;
    try {
      if (option === null) localStorage.removeItem(key);
      else localStorage.setItem(key, option);
      kept = true;
    } catch { kept = false; }
    tell({ option });
    window.dispatchEvent(new Event("prediction"));
  };
  // Where each output stands in a frame of its own, frames may share no storage: they talk.
  const tell = (words, frames = window.top) => {
    for (let i = 0; i < frames.length; i += 1) {
      if (frames[i] !== window) frames[i].postMessage({ sculptorPrediction: name, ...words }, "*");
      tell(words, frames[i]);
    }
  };
  const follow = (root, show) => { // every copy on the page shows the same choice
    root.dataset.alive = "yes";
    handKeysOn(root);
    root.querySelector(".asleep").remove();
    window.addEventListener("prediction", show);
    window.addEventListener("storage", (event) => { // chosen in another frame or another tab
      if (event.key !== key) return;
      delete here[name];
      show();
    });
    window.addEventListener("message", ({ data, source }) => {
      if (data?.sculptorPrediction !== name) return;
      const option = chosen();
      if ("option" in data) {
        here[name] = data.option;
        show();
      } else if (option !== null) source.postMessage({ sculptorPrediction: name, option }, "*");
    });
    document.addEventListener("visibilitychange", show); // whatever happened while out of sight
    tell({}); // ask the other frames
    show();
  };
  const ask = (root) => {
    const radios = [...root.querySelectorAll("[type=radio]")];
    const again = root.querySelector("button"), caption = root.querySelector(".caption");
    const group = `-${Math.random().toString(36).slice(2)}`; // copies stay groups of their own
    radios.forEach((radio) => {
      radio.name += group;
      radio.addEventListener("change", () => choose(radio.value));
    });
    again.addEventListener("click", (event) => {
      choose(null);
      if (event.shiftKey) window.dispatchEvent(new Event("start-over"));
    });
    window.addEventListener("start-over", () => choose(null));
    again.hidden = false;
    follow(root, () => {
      radios.forEach((radio) => { radio.checked = radio.value === chosen(); });
      caption.textContent = radios.some((radio) => radio.checked)
        ? kept ? tr("Kept. Go on: what happens will judge it.")
          : tr("Kept until this page closes. Go on: what happens will judge it.")
        : tr("Choose before you go on.");
    });
  };
  const answer = (root) => {
    const said = root.querySelector(".said"), all = [...root.querySelectorAll("details")];
    said.hidden = false;
    try { // for the score at the end of the course
      localStorage.setItem(`sculptor-truth-${name}`, root.dataset.truth);
    } catch { /* no storage, no score */ }
    follow(root, () => {
      const mine = all.find((part) => part.dataset.option === chosen());
      const truth = all.find((part) => part.dataset.option === root.dataset.truth);
      const right = mine === truth;
      all.forEach((part) => { part.open = Boolean(mine) && (part === mine || part === truth); });
      root.dataset.verdict = mine ? (right ? "right" : "wrong") : "none";
      const words = mine?.querySelector("span").textContent;
      said.textContent = mine
        ? right ? tr("You said: {0}. So it was.", words) : tr("You said: {0}. It was not so.", words)
        : tr("You made no prediction. Unfold the answers to see what each would have meant.");
    });
  };
  const wake = (kind, start) => document.querySelectorAll(
    `.sculptor.${kind}[data-prediction="${name}"]:not([data-alive])`).forEach(start);
  wake("prediction", ask);
  wake("revealed", answer);
})();
