"""How fast is this course beside well-known libraries?

    python benchmarks/fast.py [PART ...]        parts: training quality overhead steps live lessons
                                                import size growth; or table

Without a word it measures everything, some hours on one core, and prints the table. What has been
measured is kept after every run and never measured twice: an interrupted benchmark goes on, and a
run that is taken out of the file is made anew. Results stand in benchmarks/fast/, a .json file and
its table for each processor: figures of two machines do not compare.

Everything runs on one thread, in a process of its own. CPU-seconds are those of that process, so
other programs take nothing from them. Where two things are timed, they run in turn (A B A B).
benchmarks/peers.py says who is compared and how to install them; the parts `steps` to `growth`
need only this package. How soon a lesson's first control answers: benchmarks/stage.py.
"""

import json
import os
import platform
import re
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import torch
from fast_runs import REPO, RUNS, N
from peers import PEERS, KDiffusion, Sculptor, borrowed

from diffusion_helpers.checks import say

FOLDER = Path(__file__).parent / "fast"
SECONDS, OURS = 600, (120, 60)  # of CPU, for each peer and for us; every run is a whole training
SHORTER = 300  # for each peer on the second data set
STEPS = (5, 8, 10, 20, 50)
PLAIN = ("resolution", "batch", "width", "threads")  # what grows
PACKAGES = ("diffusers", "smalldiffusion", "denoising-diffusion-pytorch", "k-diffusion")


def plan(part):
    """The settings of all runs of a part: a list of dicts."""
    return {
        "training": [
            {"size": size, "isa": isa} for isa in ("all", "AVX2") for size in ("1 M", "3 M")
        ],
        "quality": quality_plan(),
        "overhead": [{"n": 1}, {"n": 16}],
        "steps": [{"sampler": s, "steps": n} for n in STEPS for s in ("ddim", "dpm_solver")],
        "live": [{"seconds": 20}, {"seconds": 170}],
        "lessons": [
            {"lesson": path.name} for path in sorted(REPO.glob("notebooks/[0-9]*.ipynb"))[1:]
        ],
        "import": [{}],
        "size": [{}],
        "growth": [{"kind": "cuda" if torch.cuda.is_available() else "cpu"}],
    }[part]


def quality_plan():
    def row(data, contender, cpu_seconds, isa="all"):
        return {"data": data, "contender": contender, "cpu_seconds": cpu_seconds, "isa": isa}

    rows = [row(data, "real against real", 0) for data in ("emoji", "fashion")]
    rows += [row("emoji", peer.name, SECONDS) for peer in PEERS]
    rows += [row("emoji", Sculptor.name, seconds) for seconds in OURS]
    rows += [row("emoji", KDiffusion.name, SECONDS, "AVX2")]  # the best peer
    rows += [row("emoji", Sculptor.name, seconds, "AVX2") for seconds in (200, 120)]
    rows += [row("fashion", peer.name, SHORTER) for peer in PEERS]
    rows += [row("fashion", Sculptor.name, seconds) for seconds in OURS]
    # what comes from the recipe, and what from the network
    rows += [row("emoji", maker.name, OURS[0]) for maker in (*PEERS, *map(borrowed, PEERS))]
    return rows


def processor():
    """The name that the processor gives itself, and AMX where it has it."""
    try:
        info = Path("/proc/cpuinfo").read_text("utf-8")
    except OSError:
        return platform.processor()
    name = re.search(r"model name\s*: (.*)", info)
    words = re.sub(r"\(\w+\)|Processor", "", name[1] if name else platform.machine()).split()
    return " ".join([*words, "with AMX"] if " amx_bf16" in info else words)


RESULTS = FOLDER / f"{processor().lower().replace(' ', '_')}.json"


def kept():
    return json.loads(RESULTS.read_text("utf-8")) if RESULTS.exists() else {}


def measure(part, setting):
    """One run in a process of its own, unless it is kept already."""
    key = json.dumps(setting)
    if key in kept().get(part, {}):
        return
    limit = {"ONEDNN_MAX_CPU_ISA": "AVX2"} if setting.get("isa") == "AVX2" else {}
    command = [sys.executable, "-W", "ignore", __file__, "one", part, key]
    # with room for the kernels of all networks, none pays for being timed beside others
    env = os.environ | limit | {"OMP_NUM_THREADS": "1", "ONEDNN_PRIMITIVE_CACHE_CAPACITY": "16384"}
    done = subprocess.run(command, env=env, stdout=subprocess.PIPE, text=True, check=True)
    found = json.loads(done.stdout.splitlines()[-1])
    results = kept()  # anew: another benchmark may have written meanwhile
    results.setdefault(part, {})[key] = found
    RESULTS.write_text(json.dumps(results, indent=1) + "\n", "utf-8")
    say(f"{part} {setting} {found}")


def rows_of(part):
    """(setting, found) of every run of a part that is kept, in the order of the plan."""
    found = kept().get(part, {})
    keys = [json.dumps(setting) for setting in plan(part)]
    return [(json.loads(key), found[key]) for key in keys if key in found]


def training_lines():
    lines = ["Training: pictures of 32x32 per CPU-second, batches of 64, the faster number format"]
    for setting, rates in rows_of("training"):
        lines.append(f"about {setting['size']} weights, instructions: {setting['isa']}")
        best = {}  # by contender: the faster of its number formats
        for name, rate in rates.items():
            contender, kind = name.split("/")
            if contender not in best or rate["cpu"] > best[contender][1]["cpu"]:
                best[contender] = kind, rate
        ours = best[Sculptor.name][1]["cpu"]
        for contender, (kind, rate) in best.items():
            if contender != "matmul":
                share = (
                    rate["gflop_per_cpu_second"] / rates[f"matmul/{kind}"]["gflop_per_cpu_second"]
                )
                lines.append(
                    f"  {contender:20} {rate['weights'] / 1e6:.2f} M  {kind}  {rate['cpu']:6.1f}  "
                    f"ours is {ours / rate['cpu']:.2f} times as fast  "
                    f"{rate['gflop_per_picture']:.2f} GFLOP a picture, {share:.0%} of a matmul"
                )
    return lines


def quality_lines():
    lines = [
        f"Quality: Frechet distance of N = {N} pictures to as many real ones (the judge's net)"
    ]
    runs = [setting | found for setting, found in rows_of("quality")]
    for run in runs:
        spent = f"{run['cpu_seconds']:4} CPU-s" if run["cpu_seconds"] else " " * 10
        line = f"  {run['data']:7} {run['isa']:4}  {run['contender']:38} {spent}  "
        line += f"distance {run['distance']:6.2f}  precision {run['precision']:.3f}  "
        lines.append(line + f"recall {run['recall']:.3f}" + equal_quality(run, runs))
    return lines


def equal_quality(run, runs):
    """How soon we are as good as this peer, as words."""
    if run["contender"] in (Sculptor.name, "real against real") or "our" in run["contender"]:
        return ""
    ours = [
        r["cpu_seconds"]
        for r in runs
        if (r["contender"], r["data"], r["isa"]) == (Sculptor.name, run["data"], run["isa"])
        and r["distance"] <= run["distance"]
    ]
    return f"  reached by ours in {min(ours)} or less" if ours else "  not reached by ours so far"


def overhead_lines():
    lines = ["Sampling: a network of the ladder, 20 steps; CPU-ms a picture, in turn"]
    for setting, found in rows_of("overhead"):
        n = setting["n"]
        for name in ("our ddim", "diffusers' ddim", "our dpm_solver", "diffusers' dpm_solver"):
            inside, beside = (1000 * found[name][part] / n for part in ("inside", "beside"))
            lines.append(
                f"  {n:2} at once  {name:21} {inside:6.1f} in the network and {beside:4.2f} "
                f"({beside / inside:.1%}) beside it"
            )
        apart = ", ".join(f"{s} {found[f'{s} apart']:.0e}" for s in ("ddim", "dpm_solver"))
        lines.append(f"  {n:2} at once  largest difference of a pixel from diffusers': {apart}")
    return lines


def steps_lines():
    lines = [f"The demiurge by steps, guidance 1, N = {N}"]
    for setting, found in rows_of("steps"):
        lines.append(
            f"  {setting['steps']:2} steps  {setting['sampler']:10}  distance "
            f"{found['distance']:6.2f}  precision {found['precision']:.3f}  recall "
            f"{found['recall']:.3f}  {found['pictures_per_cpu_second']:5.1f} pictures a CPU-second"
        )
    return lines


def lesson_lines():
    lines = ["Lessons: Run All on one thread, beside other work"]
    for setting, found in rows_of("lessons"):
        lines.append(
            f"  {setting['lesson']:32} {found['seconds']:4.0f} s, {found['cpu_seconds']:4.0f} "
            f"CPU-s, {found['peak_gb']:.2f} GB at most"
        )
    for _, found in rows_of("import"):
        lines.append(
            f"  importing diffusion_helpers adds {found['adds']:.0%} to torch, torchvision"
        )
    for _, found in rows_of("size"):
        lines.append(
            f"  a clone with its history {found['history_mb']:.0f} MB, its files "
            f"{found['tree_mb']:.0f} MB; beside torch {found['packages']} packages, "
            f"{found['installed_mb']:.0f} MB"
        )
    for setting, found in rows_of("live"):
        lines.append(
            f"  lesson 03 after {setting['seconds']} CPU-s of live training: {found['share']:.0%} "
            "of 50 samples are as like a real face as two artists' drawings of one emoji are "
            f"to each other (of the real faces {found['share of real faces']:.0%}); precision "
            f"{found['precision']:.2f} (of real faces {found['precision of real faces']:.2f})"
        )
    return lines


def growth_lines():
    lines = [
        "Growth: ms a picture; resolution 32, batch 64, widths (w, 2w, 3w) with w = 32, 1 thread"
    ]
    for setting, found in rows_of("growth"):
        usual = found["cases"][0]
        for case in found["cases"]:
            changed = [f"{k} {case[k]}" for k in usual if k in PLAIN and case[k] != usual[k]]
            lines.append(
                f"  {setting['kind']}  {' '.join(changed) or 'as above':15} training "
                f"{case['training']:7.2f}  one call {case['call']:6.2f}"
            )
        shares = ", ".join(f"{name} {share:.0%}" for name, share in found["profile"].items())
        lines.append(f"  where a training step spends its time: {shares}")
    return lines


def table():
    versions = []
    for name in ("torch", *PACKAGES):
        try:
            versions.append(f"{name} {metadata.version(name)}")
        except metadata.PackageNotFoundError:
            versions.append(f"{name} not installed")
    head = [f"{processor()}, one thread; {', '.join(versions)}"]
    parts = (training_lines, quality_lines, overhead_lines, steps_lines, lesson_lines, growth_lines)
    measured = [lines for part in parts if len(lines := part()) > 1]  # more than its head
    return "\n".join(line for lines in (head, *measured) for line in [*lines, ""])


def main(words):
    if words[:1] == ["one"]:
        say(json.dumps(RUNS[words[1]](**json.loads(words[2]))))
        return
    if unknown := [word for word in words if word not in RUNS and words != ["table"]]:
        sys.exit(f"There is no part {unknown[0]!r}: choose {', '.join(RUNS)}; or table alone.")
    for part in [] if words == ["table"] else words or RUNS:
        for setting in plan(part):
            measure(part, setting)
    RESULTS.with_suffix(".txt").write_text(table(), "utf-8")
    say(table())


if __name__ == "__main__":
    main(sys.argv[1:])
