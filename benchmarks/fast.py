"""How fast is this course beside well-known libraries?

    python benchmarks/fast.py [PART ...]        parts: training quality overhead steps live lessons
                                                import size growth; or table

Without a word it measures everything, some hours on one core, and prints the table. What has been
measured is kept in benchmarks/fast.json after every run and never measured twice: an interrupted
benchmark goes on, and a run that is taken out of that file is made anew. The table goes to
benchmarks/fast.txt.

Everything runs on one thread, in a process of its own. CPU-seconds are those of that process, so
other programs take nothing from them. Where two things are timed, they run in turn (A B A B).
benchmarks/peers.py says who is compared and how to install them; the parts `steps` to `growth`
need only this package.
"""

import json
import os
import platform
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import torch
from fast_runs import N, REPO, RUNS
from peers import PEERS, Sculptor, borrowed

RESULTS = Path(__file__).parent / "fast.json"
SECONDS = 600  # of CPU, for each peer
OURS = (60, 120, 200, 600)  # our budgets; each is a training of its own, decayed to zero
STEPS = (5, 8, 10, 20, 50)


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
        "lessons": [{"lesson": path.name} for path in sorted(REPO.glob("notebooks/0[1-8]*.ipynb"))],
        "import": [{}],
        "size": [{}],
        "growth": [{"kind": "cuda" if torch.cuda.is_available() else "cpu"}],
    }[part]


def quality_plan():
    def row(data, contender, cpu_seconds, isa="all"):
        return {"data": data, "contender": contender, "cpu_seconds": cpu_seconds, "isa": isa}

    rows = [row(data, "real against real", 0) for data in ("emoji", "fashion")]
    for data in ("emoji", "fashion"):
        rows += [row(data, peer.name, SECONDS) for peer in PEERS]
        rows += [row(data, Sculptor.name, seconds) for seconds in OURS]
    rows += [row("emoji", peer.name, SECONDS, "AVX2") for peer in PEERS]
    rows += [row("emoji", Sculptor.name, seconds, "AVX2") for seconds in (120, 200)]
    rows += [row("emoji", borrowed(peer).name, SECONDS) for peer in PEERS]
    return rows


def kept():
    return json.loads(RESULTS.read_text()) if RESULTS.exists() else {}


def measure(part, setting):
    """One run in a process of its own, unless it is kept already."""
    key = json.dumps(setting)
    if key in kept().get(part, {}):
        return
    limit = {"ONEDNN_MAX_CPU_ISA": "AVX2"} if setting.get("isa") == "AVX2" else {}
    command = [sys.executable, "-W", "ignore", __file__, "one", part, key]
    env = os.environ | limit | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, env=env, stdout=subprocess.PIPE, text=True, check=True)
    found = json.loads(done.stdout.splitlines()[-1])
    results = kept()  # anew: another benchmark may have written meanwhile
    results.setdefault(part, {})[key] = found
    RESULTS.write_text(json.dumps(results, indent=1) + "\n")
    print(part, setting, found, flush=True)


def main(words):
    if words[:1] == ["one"]:
        print(json.dumps(RUNS[words[1]](**json.loads(words[2]))))
        return
    for part in words or RUNS:
        for setting in plan(part):
            measure(part, setting)


if __name__ == "__main__":
    main(sys.argv[1:])
