(() => {
  const questions = QUESTIONS; // {lesson: {question: its options}}
  const FEW = 8; // results, with which luck is still too uncertain to be told
  const stored = (kind, name) => localStorage.getItem(`sculptor-${kind}-${name}`);
  const judge = ([name, options]) => { // open: chosen, and its result is not known yet
    const choice = stored("prediction", name), truth = stored("truth", name);
    if (!options.includes(choice)) return { verdict: "none", luck: 0 };
    if (!options.includes(truth)) return { verdict: "open", luck: 0 };
    return { verdict: choice === truth ? "right" : "wrong", luck: 1 / options.length };
  };
  const count = (judged, verdict) => judged.filter((one) => one.verdict === verdict).length;
  const sentence = (judged) => {
    const [right, wrong, open, none] = ["right", "wrong", "open", "none"].map(
      (verdict) => count(judged, verdict));
    if (none === judged.length) {
      return tr("No prediction is found here. They stay in the browser in which they were made, and " +
        "some programs forget them with the page.");
    }
    const results = right + wrong, luck = judged.reduce((sum, one) => sum + one.luck, 0);
    const said = [results < FEW ? tr("You predicted {0} of {1} right.", right, results)
      : tr("You predicted {0} of {1} right; guessing at random gets about {2}.", right, results,
        Math.round(luck))];
    if (open) said.push(tr("{0} without a result yet.", open));
    if (none) said.push(tr("{0} not answered yet.", none));
    return said.join(" ");
  };
  const start = (root) => {
    root.dataset.alive = "yes";
    root.querySelector(".asleep").remove();
    const said = root.querySelector(".said"), lines = [...root.querySelectorAll("[data-lesson]")];
    const show = () => {
      try {
        const lessons = Object.values(questions).map((lesson) => Object.entries(lesson).map(judge));
        said.textContent = sentence(lessons.flat());
        lines.forEach((line, i) => {
          const right = count(lessons[i], "right"), results = right + count(lessons[i], "wrong");
          line.querySelector("span").textContent =
            results ? tr("{0} of {1} right", right, results) : tr("no result yet");
        });
      } catch {
        said.textContent = tr("This browser lets the page keep nothing, so no prediction was counted.");
      }
    };
    said.hidden = false;
    for (const news of ["prediction", "storage", "focus"]) window.addEventListener(news, show);
    document.addEventListener("visibilitychange", show); // answered in another tab
    new IntersectionObserver(show).observe(root); // or in another tab of JupyterLab
    show();
  };
  document.querySelectorAll(".sculptor.score:not([data-alive])").forEach(start);
})();
