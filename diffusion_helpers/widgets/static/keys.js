// JupyterLab hears no key that is pressed in a control, because ours need the arrows. The keys that
// run a cell, and Escape, go on to the cell around, as if it had the focus itself; on a slide it gets
// the focus back after each touch of the mouse.
function handKeysOn(root) {
  root.addEventListener("keydown", (event) => {
    const cell = root.closest(".jp-Cell");
    const { key, shiftKey, ctrlKey, altKey } = event;
    const runs = key === "Enter" && (shiftKey || ctrlKey || altKey);
    if (!cell || !(runs || key === "Escape")) return;
    event.preventDefault();
    cell.focus();
    if (runs) cell.dispatchEvent(new KeyboardEvent("keydown", event));
  });
  root.addEventListener("pointerup", ({ target }) => { // on a slide the arrows lead on after a vote
    const cell = root.closest(".jp-Cell"), typing = "[type=text], [type=number], .board";
    if (!cell || target.closest(typing)) return;
    if (document.body.dataset.jpDeckMode === "presenting") setTimeout(() => cell.focus());
  });
}
