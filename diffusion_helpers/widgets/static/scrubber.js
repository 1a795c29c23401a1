(() => {
  const data = DATA;
  const wake = async (root) => {
    root.dataset.alive = Math.random().toString(36).slice(2);
    handKeysOn(root);
    const slider = root.querySelector("[type=range]");
    const [button, again] = root.querySelectorAll("button");
    const caption = root.querySelector(".caption");
    const radios = root.querySelectorAll("[type=radio]");
    const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
    const pause = still ? 1000 : Math.max(60, Math.min(400, 5000 / data.frames));
    let choice = 0, timer = null;
    const sprites = await Promise.all(data.choices.map(({ sprites }) => Promise.all(
      sprites.map(async (source) => {
        const sprite = new Image();
        sprite.src = source;
        await sprite.decode();
        return sprite;
      }))));
    const canvases = [...root.querySelectorAll("img")].map((img, column) => {
      const canvas = document.createElement("canvas");
      [canvas.width, canvas.height] = data.sizes[column];
      canvas.className = img.className;
      canvas.setAttribute("role", "img");
      return canvas;
    });
    const paint = (canvas, column, frame) => {
      const { width, height } = canvas;
      const x = frame % data.across * width, y = Math.floor(frame / data.across) * height;
      canvas.getContext("2d").drawImage(
        sprites[choice][column], x, y, width, height, 0, 0, width, height);
      return canvas;
    };
    const show = () => {
      const frame = slider.valueAsNumber, words = data.choices[choice].captions[frame];
      canvases.forEach((canvas, column) => {
        paint(canvas, column, frame);
        canvas.setAttribute("aria-label", `${data.names[column]}: ${words}`);
      });
      caption.textContent = words;
      slider.setAttribute("aria-valuetext", words);
    };
    const stop = () => {
      clearInterval(timer);
      timer = null;
      button.textContent = tr("Play");
      caption.setAttribute("aria-live", "polite");
    };
    const play = () => {
      if (slider.valueAsNumber >= data.frames - 1) slider.value = 0;
      button.textContent = tr("Pause");
      caption.setAttribute("aria-live", "off"); // a voice cannot follow ten captions a second
      show();
      timer = setInterval(() => {
        slider.value = slider.valueAsNumber + 1;
        show();
        if (slider.valueAsNumber >= data.frames - 1 || !root.isConnected) stop();
      }, pause);
    };
    const startOver = () => {
      stop();
      choice = 0;
      if (radios.length) radios[0].checked = true;
      slider.value = data.start;
      show();
    };
    slider.addEventListener("input", () => { stop(); show(); });
    button.addEventListener("click", () => (timer ? stop() : play()));
    again.addEventListener("click", (event) => {
      startOver();
      if (event.shiftKey) window.dispatchEvent(new Event("start-over"));
    });
    window.addEventListener("start-over", startOver);
    radios.forEach((radio, i) => {
      radio.name += root.dataset.alive; // two copies on one page choose independently
      radio.addEventListener("change", () => { choice = i; show(); });
    });
    const keeping = keepButtons({
      pictures: root.querySelector(".pictures"),
      caption: () => caption.textContent,
      story: async () => data.choices[choice].captions.map((words, frame) => [
        words, canvases.map((canvas, column) => paint(canvas.cloneNode(), column, frame))]),
    });
    root.querySelector(".actions").replaceWith(keeping.row);
    slider.value = data.start;
    show();
    root.querySelectorAll("img").forEach((img, column) => img.replaceWith(canvases[column]));
    root.querySelectorAll("[hidden]").forEach((part) => { part.hidden = false; });
    root.querySelector(".asleep").remove();
  };
  document.querySelectorAll(`[data-scrubber="${data.id}"]:not([data-alive])`).forEach(wake);
})();
