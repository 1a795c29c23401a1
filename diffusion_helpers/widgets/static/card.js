// The card of exercises: it shows what Python sends, and asks for news when it comes into sight.

export default {
  render({ model, el }) {
    const show = () => {
      const folds = () => [...el.querySelectorAll("details")];
      const open = folds().map((fold) => fold.open), focus = el.contains(document.activeElement)
        ? folds().findIndex((fold) => fold.contains(document.activeElement)) : -1;
      el.innerHTML = model.get("page");
      folds().forEach((fold, i) => { fold.open = open[i] ?? fold.open; }); // as the reader left them
      folds()[focus]?.querySelector("summary").focus();
    };
    const look = () => {
      if (document.visibilityState !== "visible") return;
      try { model.send({ look: true }); } catch { /* the kernel is gone: the card stays as it is */ }
    };
    const sight = new IntersectionObserver((seen) => { if (seen.at(-1).isIntersecting) look(); });
    model.on("change:page", show);
    show();
    sight.observe(el);
    window.addEventListener("focus", look);
    document.addEventListener("visibilitychange", look);
    return () => {
      model.off("change:page", show);
      sight.disconnect();
      window.removeEventListener("focus", look);
      document.removeEventListener("visibilitychange", look);
    };
  },
};
