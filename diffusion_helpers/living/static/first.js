// The first script of a page without Python, in words that any browser knows: what packs call, and
// whether this browser is new enough for page.js. If it is not, the still pictures say so.

window.sculptorPacks = {}; // {name: base64}
window.sculptorPack = function (name, text) { sculptorPacks[name] = text; };

window.sculptorStays = function (still, sentence) {
  still.querySelector(".asleep").textContent = sentence;
};

window.sculptorTooOld = !(window.DecompressionStream && window.Worker && window.CSS && CSS.supports &&
  CSS.supports("selector(:has(a))") && Array.prototype.findLastIndex);
if (sculptorTooOld) {
  window.addEventListener("load", function () {
    var parts = document.querySelectorAll("script.living");
    for (var i = 0; i < parts.length; i++) {
      sculptorStays(parts[i].parentNode, tr("A still picture. This browser is too old to bring its " +
        "controls alive: open the page in a newer one."));
    }
  });
}
