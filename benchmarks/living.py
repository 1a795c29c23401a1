"""What does a page without Python weigh, how fast is it, how much memory does it take?

    python benchmarks/living.py        (ten minutes; needs Chromium, and Firefox for its column)

The page is the top of the site's first page: one wish, 20 guided steps of DDIM by the demiurge,
then the same in the 4 calls of swift, its student, which draws while one types. Beside it, Python
draws the same on PyTorch, in 32 bits as the page does, and as the course ships it (bf16 where the
processor has it). All run on the same core with one thread each, and take turns, so that a busy
moment of the machine hits all of them. Everything is cold at first: a fresh profile, a new process.
The page's clock starts with the click on Draw, and everything comes over the loopback; Python's
starts with its process, which imports the course. A step is the time between two pictures; its CPU
time is that of the tab's process. A key is pressed every PAUSE ms; its time ends when a picture of
what stands there then, or of more, is seen. Memory is the private part (USS) of that process, after
the last picture of the demiurge. PEERS says what else runs a diffusion model in a page, and what we
know of it.
The result stands in benchmarks/living.txt; times depend on the machine, their ratios hardly.
"""

import argparse
import contextlib
import gzip
import json
import os
import platform
import re
import subprocess
import sys
import time
from importlib import metadata
from pathlib import Path
from statistics import median, quantiles

import psutil

from diffusion_helpers import ddim, load_checkpoint, pure_noise
from diffusion_helpers.authoring.site import first_page
from diffusion_helpers.checks import say
from diffusion_helpers.living import pages
from diffusion_helpers.sampling import guided
from diffusion_helpers.words import load_words

REPO = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(REPO / "tests"))
import firefox  # noqa: E402
from browser import chromium  # noqa: E402
from drawings import in_float32, serve  # noqa: E402

ROUNDS = 3
WARM = 4  # pictures after the first one
STEPS = 20
WISH = "a blue whale"  # none of the recording
TYPED = "a red car below a green tree"  # to swift, letter by letter
PAUSE = 200  # ms from key to key, of somebody who types well
PEERS = """\
peers, which draw pictures of 512x512 with networks of hundreds of millions of weights:
  web-stable-diffusion (MLC): Stable Diffusion 1.5 on WebGPU; its page asks for 7 GB of memory;
    not run here: no graphics card, and the weights come from a hub
  sd-turbo of onnxruntime-web's examples: one step, on WebGPU; not run here for the same reasons
  diffusers.js (@aislamov): Stable Diffusion 2.1 on WebGPU; no longer on npm, weights from a hub
  transformers.js 4.3.2 (npm): runs here, but has no diffusion model (its issue 1446 says so, too)
peers with a small network:
  Diffusion Explorer (Georgia Tech): points of a plane, no pictures, 8,700 weights in TensorFlow.js
  DDPM from scratch (abhishuoza.github.io): digits of 28x28, 15.7 million weights in
    onnxruntime-web, all loaded before the first click; its weights could not be had here"""


# ---- the page -----------------------------------------------------------------------------------


def page_files():
    """{path: bytes} of the page and its packs."""
    page = first_page.alone(first_page.play())
    packs = {f"/packs/{name}": pack for name, pack in pages.packs(first_page.NEEDS).items()}
    return {"/index.html": page.encode(), **packs}


READY = """async () => {
  while (!document.querySelector(".hero .draw")) await new Promise(requestAnimationFrame);
}"""
DRAW = """async (seed) => { // when each step was shown, in ms after the click
  const root = document.querySelector(".hero .live");
  const caption = root.querySelector(".last .caption");
  const networks = root.querySelectorAll('[aria-label="network"] input');
  networks[1].checked = true; // demiurge; Draw asks
  root.querySelector("input[type=text]").value = "WISH";
  root.querySelector("input[type=number]").value = seed;
  const start = performance.now(), times = [];
  const drawn = new Promise((go) => new MutationObserver(() => {
    if (!caption.textContent.startsWith("WISH")) return; // the recording still plays
    if (caption.textContent.includes(", step ")) times.push(performance.now() - start);
    else if (times.length) go();
  }).observe(caption, { childList: true }));
  root.querySelector(".draw").click();
  await drawn;
  return times;
}""".replace("WISH", WISH)
SWIFT = """async ([typed, pause]) => { // ms from key to picture; at pause 0 keys wait for it
  const root = document.querySelector(".hero .live");
  const caption = root.querySelector(".last .caption");
  const box = root.querySelector("input[type=text]");
  const come = (many) => new Promise((go) => new MutationObserver((_, watching) => {
    const words = caption.textContent.split(", finished in 4 calls");
    if (words.length === 1 || words[0].length < many) return;
    watching.disconnect();
    go(performance.now());
  }).observe(caption, { childList: true }));
  const type = async (many) => {
    const start = performance.now(), seen = come(many);
    box.value = typed.slice(0, many);
    box.dispatchEvent(new Event("input"));
    return (await seen) - start;
  };
  root.querySelector('[aria-label="network"] input').checked = true;
  await type(1); // loads
  const times = [];
  for (let many = 2; many <= typed.length; many++) {
    times.push(type(many));
    await (pause ? new Promise((go) => setTimeout(go, pause)) : times.at(-1));
  }
  return Promise.all(times);
}"""
CAME = """async () => [...performance.getEntriesByType("navigation"),
  ...performance.getEntriesByType("resource")].filter(({ name }) => name.startsWith("http"))
  .map(({ name, encodedBodySize }) => [new URL(name).pathname, encodedBodySize])"""


@contextlib.contextmanager
def in_chromium():
    with chromium() as visit, visit() as tab:
        yield tab.page.goto, tab.page.evaluate, "--type=renderer"


@contextlib.contextmanager
def in_firefox():
    with firefox.firefox() as tab:
        yield tab.goto, tab.evaluate, "tab"


def of_the_tab(word):
    """The process in which the page draws: of the tabs' processes the largest."""
    children = psutil.Process().children(recursive=True)
    return max((p for p in children if word in p.cmdline()), key=lambda p: p.memory_info().rss)


def measure_page(browser, address):
    with browser() as (goto, evaluate, word):
        goto(address)
        evaluate(READY)
        before = dict(evaluate(CAME))
        first = evaluate(DRAW, 1)
        after = dict(evaluate(CAME))
        tab = of_the_tab(word)
        cpu = sum(tab.cpu_times()[:2])
        warm = [evaluate(DRAW, seed) for seed in range(2, 2 + WARM)]
        cpu = sum(tab.cpu_times()[:2]) - cpu
        memory = tab.memory_full_info().uss
        keys = evaluate(SWIFT, [TYPED, PAUSE])
        start = sum(tab.cpu_times()[:2])
        alone = evaluate(SWIFT, [TYPED, 0])
        swift_cpu = 1000 * (sum(tab.cpu_times()[:2]) - start) / len(TYPED)
    return result(first, warm, cpu, memory) | {
        "before": before,
        "after": after,
        "swift": median(alone),
        "swift cpu": swift_cpu,
        "key": quantiles(keys, n=20)[-1],
    }


def result(first, warm, cpu, memory):
    """`first` and `warm` are times in ms after the start, one for each step of a picture."""
    gaps = [(times[-1] - times[0]) / (len(times) - 1) for times in warm]
    return {
        "first": first[0] / 1000,
        "finished": first[-1] / 1000,
        "again": median(times[0] for times in warm),
        "step": median(gaps),
        "cpu": 1000 * cpu / WARM / STEPS,
        "memory": memory / 1e6,
    }


# ---- Python -------------------------------------------------------------------------------------


def measure_python(kind):
    command = [sys.executable, __file__, "--python", kind, "--started", str(time.time())]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def draw_here(kind, started):
    """In a process of its own: the same picture by PyTorch."""
    with in_float32() if kind == "fp32" else contextlib.nullcontext():
        demiurge, words = load_checkpoint("demiurge", "cpu"), load_words()

        def draw(seed, start):
            model = guided(demiurge, words.encode(WISH, "noto"), scale=3)
            steps = ddim(model, pure_noise(1, seed=seed), STEPS)
            return [1000 * (time.time() - start) for _ in steps]

        first, cpu = draw(1, started), time.process_time()
        warm = [draw(seed, time.time()) for seed in range(2, 2 + WARM)]
        cpu = time.process_time() - cpu
        found = result(first, warm, cpu, psutil.Process().memory_full_info().uss)

        swift, alone, cpu = load_checkpoint("swift", "cpu"), [], time.process_time()
        for many in range(1, len(TYPED) + 1):
            start = time.time()
            model = guided(swift, words.encode(TYPED[:many], "noto"), scale=3)
            list(ddim(model, pure_noise(1), 4))
            alone.append(1000 * (time.time() - start))
        cpu = 1000 * (time.process_time() - cpu) / len(TYPED)
    say(json.dumps(found | {"swift": median(alone), "swift cpu": cpu}))


def installed():
    """How many packages the course needs in this environment, and their size in MB."""
    todo, seen, size = ["sculptor-of-chaos"], set(), 0
    while todo:
        name = re.sub("[-_.]+", "-", todo.pop()).lower()
        with contextlib.suppress(metadata.PackageNotFoundError):
            package = metadata.distribution(name)
            if name in seen:
                continue
            seen.add(name)
            files = [Path(package.locate_file(file)) for file in package.files or ()]
            size += sum(file.stat().st_size for file in files if file.is_file())
            needed = [need for need in package.requires or () if "extra ==" not in need]
            todo += [re.match(r"[\w.-]+", need)[0] for need in needed]
    return len(seen), size / 1e6


# ---- the table ----------------------------------------------------------------------------------

ROWS = {  # {what: (unit, digits)}
    "first": ("time to the first step, cold", "s", 1),
    "finished": ("time to the finished picture, cold", "s", 1),
    "again": ("time to the first step, again", "ms", 0),
    "step": ("a step", "ms", 1),
    "cpu": ("a step, CPU time", "ms", 1),
    "memory": ("memory", "MB", 0),
    "swift": ("a picture of swift", "ms", 0),
    "swift cpu": ("a picture of swift, CPU time", "ms", 0),
    "key": ("from key to picture, 95 % of all", "ms", 0),
}


def table(runs):
    """The medians of all rounds, and for each how many times that of Python in 32 bits it is."""
    say(f"{'':36}" + "".join(f"{name:>22}" for name in runs))
    for key, (words, unit, digits) in ROWS.items():
        mine = {  # Python has no keys
            name: median(run[key] for run in rounds) if key in rounds[0] else None
            for name, rounds in runs.items()
        }
        base = next(value for value in mine.values() if value is not None)
        cells = [
            "" if value is None else f"{value:.{digits}f} {unit} ({value / base:.2f})"
            for value in mine.values()
        ]
        say(f"{words:36}" + "".join(f"{cell:>22}" for cell in cells))


def weight(files, run):
    """The bytes of the page before and after the first click, plain and as gzip sends them."""
    before, after = run["before"], run["after"]
    for words, names in (("before", before), ("after", after.keys() - before.keys())):
        zipped = sum(len(gzip.compress(files[name], 6)) for name in names if name in files)
        plain = sum(after[name] for name in names)
        say(f"{words} the first click: {plain / 1e3:,.0f} kB, {zipped / 1e3:,.0f} kB with gzip")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--python", choices=("fp32", "shipped"))
    parser.add_argument("--started", type=float)
    words = parser.parse_args()
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})  # browsers are started with it, too
    if words.python:
        return draw_here(words.python, words.started)

    files = page_files()
    kinds = {"Python, 32 bits": lambda _: measure_python("fp32")}
    kinds["Python as shipped"] = lambda _: measure_python("shipped")
    kinds["page, Chromium"] = lambda address: measure_page(in_chromium, address)
    if firefox.find():
        kinds["page, Firefox"] = lambda address: measure_page(in_firefox, address)
    runs = {name: [] for name in kinds}
    with serve(files) as address:
        for _ in range(ROUNDS):
            for name, measure in kinds.items():
                runs[name].append(measure(f"{address}/index.html"))

    (model,) = re.findall(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text("utf-8"))[:1]
    say(f"{model}, {platform.machine()}, one core; in brackets: times that of Python in 32 bits")
    table(runs)
    weight(files, runs["page, Chromium"][0])
    packages, size = installed()
    say(f"Python and the course instead: {packages} packages, {size:,.0f} MB on the disk")
    say(PEERS)


if __name__ == "__main__":
    main()
