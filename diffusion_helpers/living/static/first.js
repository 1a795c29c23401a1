// The first script of a page without Python, in words that any browser knows: what packs call, and
// whether this browser is new enough for page.js. If it is not, the still pictures say so.

var sculptorPacks = {}; // {name: base64}
function sculptorPack(name, text) { sculptorPacks[name] = text; }

function sculptorStays(still, reason) {
  still.querySelector(".asleep").textContent = "A still picture. " + reason;
}

var sculptorTooOld = !(window.DecompressionStream && window.Worker && window.CSS && CSS.supports &&
  CSS.supports("selector(:has(a))") && Array.prototype.findLastIndex);
if (sculptorTooOld) {
  window.addEventListener("load", function () {
    var parts = document.querySelectorAll("script.living");
    for (var i = 0; i < parts.length; i++) {
      sculptorStays(parts[i].parentNode,
        "This browser is too old to bring its controls alive: open the page in a newer one.");
    }
  });
}
