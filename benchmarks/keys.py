"""From a key press to the new picture, in JupyterLab: swift in 4 calls, the demiurge in 40.

    python benchmarks/keys.py            (about two minutes; needs Chromium)

Two live controls of one notebook draw what stands in their box, by `sample` at guidance 2, while
wishes are typed, letter by letter, the two in turn. The time runs from the browser's time stamp of
the key to the moment when the finished picture of just these letters has been painted. Then fast
hands: a wish at eight keys a second, without waiting; pictures of letters that are behind are not
drawn any more. The result stands in benchmarks/keys.txt; times depend on the machine, their ratios
hardly.
"""

import platform
import sys
import tempfile
from pathlib import Path

import nbformat
import numpy as np
import torch

from diffusion_helpers.checks import say

REPO = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(REPO / "tests"))
from browser import chromium, jupyter_lab, open_and_run_all  # noqa: E402

NETWORKS = ("swift", "demiurge")
WISHES = ("a blue whale", "a red apple", "кот")
FAST = "a rocket in the sky"
PAUSE = 125  # ms between two keys of fast hands
CELL = """\
from diffusion_helpers import load_checkpoint, sample
from diffusion_helpers.widgets.controls import Prompt, live

{name} = load_checkpoint("{name}")

def draw_{name}(wish):
    picture = sample({name}, wish, "noto", guidance_scale=2, seed=1)[0]
    return {{"picture": picture}}, wish or "nothing"

live(draw_{name}, wish=Prompt(""), alt="what {name} draws")"""
PROBE = """(i) => {  // painted: a frame after the caption says what stands in the box
  const root = document.querySelectorAll(".sculptor.live")[i];
  const box = root.querySelector("input[type=text]");
  const caption = [...root.querySelectorAll(".caption")].at(-1);
  const keys = { times: [], shown: 0, pressed: null };
  (window.controls ??= {})[i] = keys;
  box.addEventListener("keydown", (event) => { keys.pressed = event.timeStamp; }, true);
  new MutationObserver(() => {
    keys.shown += 1;
    const said = caption.textContent, wish = box.value;  // unknown words are told behind the wish
    if ((said !== wish && !said.startsWith(`${wish}. `)) || keys.pressed === null) return;
    const { pressed } = keys, channel = new MessageChannel();
    keys.pressed = null;
    channel.port1.onmessage = () => keys.times.push(performance.now() - pressed);
    requestAnimationFrame(() => channel.port2.postMessage(0));
  }).observe(caption, { childList: true, characterData: true, subtree: true });
}"""


class Box:
    """The text box of one control."""

    def __init__(self, page, i):
        self.page, self.i = page, i
        self.box = page.locator(".sculptor.live").nth(i).locator("input[type=text]")

    def empty(self):
        """With the focus, and the picture of no wish in the page."""
        self.box.fill("")
        caption = self.page.locator(".sculptor.live").nth(self.i).locator(".caption").last
        self.page.wait_for_function(
            "(caption) => caption.textContent === 'nothing'", arg=caption.element_handle()
        )
        self.page.evaluate(f"Object.assign(controls[{self.i}], {{ times: [], shown: 0 }})")

    def wait(self, times):
        """The control's figures, when that many presses have their pictures."""
        self.page.wait_for_function(f"controls[{self.i}].times.length >= {times}")
        return self.page.evaluate(f"controls[{self.i}]")

    def type(self, wish):
        """Milliseconds for each letter of a wish."""
        self.empty()
        for n, letter in enumerate(wish, start=1):
            self.page.keyboard.type(letter)
            keys = self.wait(n)
        return keys["times"]

    def type_fast(self, wish):
        """Milliseconds from the last letter to its picture, and how many pictures there were."""
        self.empty()
        self.page.keyboard.type(wish[:-1], delay=PAUSE)
        before = self.page.evaluate(f"controls[{self.i}].times.length")
        self.page.keyboard.type(wish[-1])
        keys = self.wait(before + 1)
        return keys["times"][-1], keys["shown"]


def measure(page):
    boxes = {name: Box(page, i) for i, name in enumerate(NETWORKS)}
    for box in boxes.values():
        page.evaluate(PROBE, box.i)
        box.type("a")  # warm-up
    times = {name: [] for name in NETWORKS}
    for wish in WISHES:
        for name, box in boxes.items():
            times[name] += box.type(wish)
    slow = np.median(times["demiurge"])
    for name, values in times.items():
        median, p95 = np.percentile(values, [50, 95])
        say(f"{name:9} median {median:4.0f} ms, p95 {p95:4.0f} ms, {len(values)} keys, "
            f"{slow / median:.1f} times as fast as the demiurge")  # fmt: skip
    for name, box in boxes.items():
        last, shown = box.type_fast(FAST)
        say(f"{name:9} {len(FAST)} keys, {PAUSE} ms apart: {shown} pictures, the last one "
            f"{last:.0f} ms after its key")  # fmt: skip


def main():
    root, home = (Path(tempfile.mkdtemp()) for _ in range(2))
    cells = [nbformat.v4.new_code_cell(CELL.format(name=name)) for name in NETWORKS]
    python = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    notebook = nbformat.v4.new_notebook(cells=cells, metadata=python)
    nbformat.write(notebook, root / "keys.ipynb")
    say(f"{platform.platform()}, {torch.get_num_threads()} threads at most, Chromium")
    with jupyter_lab(root, home) as lab, chromium() as open_tab, open_tab() as tab:
        tab.page.set_default_timeout(120_000)  # a busy machine is slow, and not wrong
        open_and_run_all(tab.page, lab, "keys.ipynb")
        measure(tab.page)


if __name__ == "__main__":
    main()
