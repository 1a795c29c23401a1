// Controls and figures of the lessons follow JupyterLab's theme. Here that is the theme of the page,
// which its button changes.
(() => {
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const follow = () => {
    const { theme } = document.body.dataset;
    document.body.dataset.jpThemeLight = theme === "light" || (theme !== "dark" && !dark.matches);
  };
  new MutationObserver(follow).observe(document.body, { attributeFilter: ["data-theme"] });
  dark.addEventListener("change", follow);
  follow();
})();
