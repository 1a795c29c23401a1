"""How fast do the controls answer? Beside `interact` with matplotlib, in the same browser.

    python benchmarks/stage.py            (about three minutes; needs Chromium)

Each control is moved by the mouse, again and again, the three kinds in turn. The time runs from
the browser's time stamp of the move to the moment when the new picture has been painted. Then
fast hands: 50 moves on the scrubber, 30 on the live control, without waiting. At last, for each
lesson: from opening it in a running JupyterLab, with Run All, to its first usable control, kernel
and torch included. The result stands in benchmarks/stage.txt; times depend on the machine, their
ratios hardly.
"""

import contextlib
import platform
import sys
import tempfile
import time
from pathlib import Path

import nbformat
import numpy as np
from playwright.sync_api import TimeoutError

from diffusion_helpers.checks import say

REPO = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(REPO / "tests"))
from browser import (  # noqa: E402
    RUN_ALL,
    chromium,
    jupyter_lab,
    open_and_run_all,
    open_notebook,
)

LESSONS = sorted(path.name for path in (REPO / "notebooks").glob("[0-9]*.ipynb"))
MOVES = 60  # for each kind of control
ROUNDS = 4  # the kinds take turns, so that a busy moment of the machine hits all of them
SLIDER = {  # where the hand takes hold
    "scrubber": ".sculptor.scrubber [type=range]",
    "live": ".sculptor.live [type=range]",
    "interact": ".widget-slider .noUi-target",
}
CELLS = [
    """\
import torch
from diffusion_helpers import add_noise, cosine_schedule, predict, pure_noise
from diffusion_helpers import load_checkpoint, load_emoji

net, schedule = load_checkpoint("apprentice"), cosine_schedule()
x_0, eps = load_emoji().images[:1], pure_noise(1)

def look(t):
    x_t = add_noise(x_0, t, eps, schedule)
    return x_t, predict(net, schedule, x_t, torch.tensor([t])).clean""",
    """\
from diffusion_helpers.widgets.scrubber import scrubber

frames = list(range(0, 1000, 10))
x_t, clean = (torch.cat(part) for part in zip(*map(look, frames)))
scrubber({"x_t": x_t, "clean": clean}, [f"t = {t}" for t in frames], start=0)""",
    """\
from diffusion_helpers.widgets.controls import Slider, live

computed = 0

def one_look(t):
    global computed
    computed += 1
    x_t, clean = look(t)
    return {"x_t": x_t, "clean": clean}, f"t = {t}, {computed} computed"

live(one_look, t=Slider(0, 999, start=0), alt="one look")""",
    """\
%matplotlib inline
import matplotlib.pyplot as plt
from ipywidgets import IntSlider, interact

def draw(frame):  # no network here: what matplotlib shows was computed before
    fig, axes = plt.subplots(1, 2, figsize=(6, 3))
    for ax, picture in zip(axes, (x_t[frame], clean[frame])):
        ax.imshow(((picture.permute(1, 2, 0) + 1) / 2).clamp(0, 1))
        ax.axis("off")
    plt.show()

interact(draw, frame=IntSlider(0, min=0, max=99));""",
]
PROBE = """() => {
  window.times = []; window.draws = 0; window.asked = null;
  document.addEventListener("pointermove", (event) => {
    window.asked ??= event.timeStamp;
    window.movedAt = event.timeStamp;
  }, true);
  const painted = () => {  // after the frame that holds the new picture
    if (window.waiting) return;
    window.waiting = true;
    const channel = new MessageChannel();
    channel.port1.onmessage = () => {
      window.waiting = false;
      window.draws += 1;
      window.drawnAt = performance.now();
      if (window.asked !== null) window.times.push(performance.now() - window.asked);
      window.asked = null;
    };
    requestAnimationFrame(() => channel.port2.postMessage(0));
  };
  for (const name of ["drawImage", "putImageData"]) {
    const draw = CanvasRenderingContext2D.prototype[name];
    CanvasRenderingContext2D.prototype[name] = function (...values) {
      draw.apply(this, values);
      painted();
    };
  }
  const loaded = (img) => img.complete ? painted() : img.addEventListener("load", painted);
  new MutationObserver((changes) => changes.forEach(({ type, target, addedNodes }) => {
    if (type === "attributes") loaded(target);
    addedNodes.forEach((node) => (node.matches?.("img") ? [node] :
      node.querySelectorAll?.("img") ?? []).forEach(loaded));
  })).observe(document.body,
    { childList: true, subtree: true, attributes: true, attributeFilter: ["src"] });
}"""


class Hand:
    """The mouse on one slider."""

    def __init__(self, page, kind):
        self.page, self.slider = page, page.locator(SLIDER[kind]).first

    def __enter__(self):
        self.slider.evaluate("(slider) => slider.scrollIntoView({ block: 'center' })")
        box = self.slider.bounding_box()
        self.left, self.width = box["x"] + 12, box["width"] - 24
        self.y = box["y"] + box["height"] / 2
        self.page.mouse.move(*self._handle())
        self.page.mouse.down()
        self.page.wait_for_timeout(400)
        self.page.evaluate("() => { times.length = 0; draws = 0; asked = null; }")
        return self

    def __exit__(self, *_):
        self.page.mouse.up()
        self.page.wait_for_timeout(400)

    def _handle(self):
        """Where to take hold: ipywidgets' slider must be taken at its handle, ours anywhere."""
        handle = self.slider.locator(".noUi-handle")
        if not handle.count():
            return self.left, self.y
        box = handle.bounding_box()
        return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2

    def to(self, share):
        self.page.mouse.move(self.left + share * self.width, self.y)


def answer_times(page, kind, start, moves):
    """Milliseconds from each move to its picture on the screen."""
    with Hand(page, kind) as hand:
        for i in range(1, moves + 1):
            before = len(page.evaluate("times"))
            hand.to((start + i) / (MOVES + 1))
            with contextlib.suppress(TimeoutError):  # a move that showed nothing is not counted
                page.wait_for_function(f"times.length > {before}", timeout=2000)
            page.evaluate("asked = null")
        return page.evaluate("times")


def report_answers(page):
    times = {kind: [] for kind in SLIDER}
    for i in range(ROUNDS):
        moves = MOVES // ROUNDS
        for kind in SLIDER:
            times[kind] += answer_times(page, kind, i * moves, moves)
    peer = np.median(times["interact"])
    for kind, values in times.items():
        median, p95 = np.percentile(values, [50, 95])
        say(f"{kind:9} median {median:5.1f} ms, p95 {p95:5.1f} ms, {len(values)} pictures, "
              f"{peer / median:.1f} times as fast as interact")  # fmt: skip


def report_fast_hands(page):
    for kind, moves in (("scrubber", 50), ("live", 30), ("interact", 30)):
        with Hand(page, kind) as hand:
            started = time.monotonic()
            for i in range(1, moves + 1):
                hand.to(i / moves)
            seconds = time.monotonic() - started
            during = page.evaluate("draws")
            page.wait_for_timeout(2500)
            drawn, late = page.evaluate("[draws, Math.max(0, drawnAt - movedAt)]")
        say(f"{kind:9} {moves} moves in {seconds:.1f} s: {during} pictures on the way, {drawn} "
              f"in all, the last {late:.0f} ms later: {words(page, kind)}")  # fmt: skip


def words(page, kind):
    """What stands at the control in the end."""
    if kind == "interact":
        return "frame " + page.locator(".widget-readout").first.inner_text()
    return page.locator(f".sculptor.{kind} .caption").last.inner_text()


def report_lessons(open_tab, lab):
    """Seconds from opening a lesson to its first control that can be used, and to its end."""
    for name in LESSONS:
        with open_tab() as tab:
            started = time.monotonic()
            open_notebook(tab.page, lab, name)
            opened = time.monotonic() - started
            tab.page.evaluate(RUN_ALL)
            tab.page.locator(".sculptor [type=range]:visible").first.wait_for(timeout=120_000)
            usable = time.monotonic() - started
            tab.page.evaluate("jupyterapp.shell.currentWidget.sessionContext.shutdown()")
        say(f"{name}: on screen after {opened:.1f} s, first control usable after {usable:.1f} s")


def main():
    root, home = (Path(tempfile.mkdtemp()) for _ in range(2))
    cells = [nbformat.v4.new_code_cell(source) for source in CELLS]
    python = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    notebook = nbformat.v4.new_notebook(cells=cells, metadata=python)
    nbformat.write(notebook, root / "stage.ipynb")
    for name in LESSONS:
        (root / name).write_bytes((REPO / "notebooks" / name).read_bytes())
    say(f"{platform.platform()}, Chromium without a graphics card")
    with jupyter_lab(root, home) as lab, chromium() as open_tab:
        with open_tab() as tab:
            open_and_run_all(tab.page, lab, "stage.ipynb")
            tab.page.evaluate(PROBE)
            report_answers(tab.page)
            report_fast_hands(tab.page)
        report_lessons(open_tab, lab)


if __name__ == "__main__":
    main()
