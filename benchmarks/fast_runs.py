"""What benchmarks/fast.py measures: one function for each kind of run; each returns a dict."""

import contextlib
import functools
import gzip
import os
import re
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from importlib import metadata
from pathlib import Path
from types import SimpleNamespace
from unittest import mock

import nbformat
import psutil
import torch
from demiurge import draw
from einops import rearrange
from nbclient import NotebookClient
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from PIL import Image
from torch.profiler import ProfilerActivity, profile
from torch.utils.flop_counter import FlopCounterMode

from diffusion_helpers import (
    UNet,
    cosine_schedule,
    ddim,
    ddpm,
    device,
    dpm_solver,
    extract_features,
    frechet_distance,
    load_checkpoint,
    load_emoji,
    precision_recall,
    pure_noise,
    sample,
    sampling,
    train,
    training,
)
from diffusion_helpers.device import bf16_helps
from diffusion_helpers.evaluation import similarity
from diffusion_helpers.optim import make_optimizers, optimizer_step
from diffusion_helpers.sampling import logsnr_timesteps
from diffusion_helpers.training import denoising_loss
from diffusion_helpers.widgets.figures import to_uint8

REPO = Path(__file__).resolve().parents[1]
FASHION = Path("/usr/share/datasets/fashion-mnist")  # Debian's package dataset-fashion-mnist
SEED = 0
N = 1000  # pictures for each distance; distances compare only at one N
ROUNDS = 9  # of everything that is timed in turn; the median counts


def load(data):
    """All training pictures of a data set, (M, C, 32, 32) in [-1, 1]."""
    if data == "emoji":
        return load_emoji().training().images
    raw = gzip.decompress((FASHION / "train-images-idx3-ubyte.gz").read_bytes())[16:]
    small = torch.frombuffer(bytearray(raw), dtype=torch.uint8).view(-1, 1, 28, 28)
    return torch.nn.functional.pad(small / 127.5 - 1, (2, 2, 2, 2), value=-1.0)


def features(pictures):
    """The judge's features. It knows colourful emoji on white, so grey ones are turned over."""
    grey = pictures.shape[1] == 1
    return extract_features(-pictures.repeat(1, 3, 1, 1) if grey else pictures)


def against(real, fake):
    precision, recall = precision_recall(real, fake)
    return {
        "distance": frechet_distance(real, fake),
        "precision": precision,
        "recall": recall,
    }


def contenders():
    from peers import PEERS, Sculptor, borrowed  # only here: they need not be installed

    return {c.name: c for c in (Sculptor, *PEERS, *map(borrowed, PEERS))}


def quality_run(data, contender, cpu_seconds, isa):
    """Train one contender and judge what it draws."""
    pictures = load(data)
    order = torch.randperm(len(pictures), generator=torch.Generator().manual_seed(SEED))
    real = features(pictures[order[:N]])
    if contender == "real against real":
        return against(real, features(pictures[order[N : 2 * N]]))
    maker = contenders()[contender]("1 M", pictures.shape[1])
    steps = maker.train(pictures, cpu_seconds, SEED)
    drawn = maker.pictures(N, SEED)
    save_sheet(drawn, f"{data}_{contender}_{cpu_seconds}_{isa}".replace(" ", "_"))
    weights = sum(p.numel() for p in maker.net.parameters())
    found = {"steps": steps, "pictures": steps * maker.batch, "weights": weights}
    return found | {"bf16": maker.bf16} | against(real, features(drawn))


def save_sheet(pictures, name):
    """A hundred of them, to be looked at, in my_runs/fast/."""
    folder = Path("my_runs/fast")
    folder.mkdir(parents=True, exist_ok=True)
    colour = pictures[:100].expand(-1, 3, -1, -1)
    sheet = rearrange(to_uint8(colour), "(row col) h w c -> (row h) (col w) c", col=20)
    large = Image.fromarray(sheet).resize((sheet.shape[1] * 2, sheet.shape[0] * 2), 0)
    large.save(folder / f"{name}.png")


def training_run(size, isa):
    """Pictures per CPU-second and per second while training, in both precisions, all in turn."""
    x_0 = load("emoji")[:64]
    formats = (False, True) if bf16_helps(torch.device("cpu")) else (False,)
    made = {
        (maker.name, bf16): maker(size, bf16=bf16)
        for maker in contenders().values()
        if "our recipe" not in maker.name
        for bf16 in formats
    }
    takes = {key: functools.partial(c.learn, x_0) for key, c in made.items()}
    flops = {}
    for key, take in takes.items():
        with FlopCounterMode(display=False) as counter:
            take()  # also the warm-up
        flops[key] = counter.get_total_flops()
    for bf16 in formats:
        square = torch.randn(2048, 2048, dtype=torch.bfloat16 if bf16 else torch.float32)
        takes["matmul", bf16] = functools.partial(torch.mm, square, square)
        flops["matmul", bf16] = 2 * 2048**3
    rows = {}
    for key, seconds in in_turn(takes).items():
        cpu, wall = (statistics.median(s) for s in zip(*seconds))
        rate = {"cpu": len(x_0) / cpu, "wall": len(x_0) / wall}
        rows["/".join([key[0], "bf16" if key[1] else "fp32"])] = rate | {
            "gflop_per_picture": flops[key] / len(x_0) / 1e9,
            "gflop_per_cpu_second": flops[key] / cpu / 1e9,
            "weights": sum(p.numel() for p in made[key].net.parameters()) if key in made else 0,
        }
    return rows


def in_turn(takes, rounds=ROUNDS):
    """(CPU-seconds, seconds) of each of these functions, A B C A B C ...: a dict of lists."""
    seconds = {key: [] for key in takes}
    for _ in range(rounds):
        for key, take in takes.items():
            cpu, wall = time.process_time(), time.perf_counter()
            take()
            seconds[key].append((time.process_time() - cpu, time.perf_counter() - wall))
    return seconds


def quality_by_steps(sampler, steps):
    """The demiurge, told what the real crowd shows, without guidance: quality against steps."""
    emoji = load_emoji()
    training = (~emoji.held_out).nonzero().flatten()
    order = training[torch.randperm(len(training), generator=torch.Generator().manual_seed(SEED))]
    asked, draws = order[:N].tolist(), getattr(sampling, sampler)
    began = time.process_time()
    drawn = draw(load_checkpoint("demiurge"), emoji, asked, 1.0, draws, steps)
    seconds = time.process_time() - began
    real = features(emoji.images[order[N : 2 * N]])
    return {"pictures_per_cpu_second": N / seconds} | against(real, features(drawn))


class Timed:
    """A network that counts the CPU-seconds of its calls."""

    def __init__(self, net):
        self.net, self.seconds = net, 0.0
        self.predicts, self.image_shape = net.predicts, net.image_shape

    def __call__(self, x_t, t):
        began = time.process_time()
        output = self.net(x_t, t)
        self.seconds += time.process_time() - began
        return output


def overhead(n):
    """Our samplers and those of diffusers in turn, 20 steps: time within and beside the network.

    Also how far the finished pictures are apart, in float32.
    """
    from diffusers import DDIMScheduler, DPMSolverMultistepScheduler

    net, x_T, schedule = (
        Timed(load_checkpoint("ladder_attention")),
        pure_noise(n),
        cosine_schedule(),
    )
    how = {"beta_schedule": "squaredcos_cap_v2", "prediction_type": "v_prediction"}
    their_ddim = DDIMScheduler(**how, clip_sample=False, timestep_spacing="trailing")
    their_dpm = DPMSolverMultistepScheduler(**how)

    def ours(sampler):
        return [step.clean for step in sampler(net, x_T, 20)][-1]

    @torch.no_grad()
    def theirs(scheduler, **levels):
        scheduler.set_timesteps(**levels)
        x = x_T
        for t in scheduler.timesteps:
            x = scheduler.step(net(x, t), t, x).prev_sample
        return x

    takes = {
        "our ddim": lambda: ours(ddim),
        "diffusers' ddim": lambda: theirs(their_ddim, num_inference_steps=20),
        "our dpm_solver": lambda: ours(dpm_solver),
        "diffusers' dpm_solver": lambda: theirs(
            their_dpm, timesteps=logsnr_timesteps(20, schedule)
        ),
    }
    rounds = {name: [] for name in takes}
    for _ in range(5 * ROUNDS):
        for name, take in takes.items():
            net.seconds, began = 0.0, time.process_time()
            take()
            rounds[name].append((net.seconds, time.process_time() - began - net.seconds))
    found = {}
    for name, seconds in rounds.items():
        inside, beside = map(statistics.median, zip(*seconds))
        found[name] = {"inside": inside, "beside": beside}
    with mock.patch.object(device, "bf16_helps", lambda _: False):
        for name in ("ddim", "dpm_solver"):
            apart = takes[f"our {name}"]() - takes[f"diffusers' {name}"]()
            found[f"{name} apart"] = apart.abs().max().item()
    return found


def live_run(seconds):
    """Lesson 03's live training: the share of 50 samples that look like a face that exists.

    A picture counts when it is as like its nearest real face as two artists' drawings of one emoji
    are to each other (the median of all such pairs among the faces). Beside it, the share of the
    real faces of which this is true, none compared with itself. Yellow fog passes that test, too:
    so precision in the judge's features stands there as well, of the drawn and of 50 real faces.
    """
    sys.path.insert(0, str(REPO / "data"))
    from record_live import is_face  # beside the data it makes

    emoji = load_emoji().training()
    asked = zip(emoji.names, emoji.keywords, emoji.groups)
    faces = emoji.where([is_face(*words) for words in asked])
    torch.manual_seed(SEED)
    net = UNet(widths=(32, 64, 96), blocks=1, time=False)  # as in the lesson
    clock = SimpleNamespace(monotonic=time.process_time)
    with mock.patch.object(training, "time", clock):
        run = train(net, faces.images, seconds=seconds, report=lambda *_: None)
    drawn = sample(net, n=50, steps=30, sampler=ddpm, seed=SEED)
    among = similarity(faces.images, faces.images)
    same = torch.tensor([[a == b for b in faces.names] for a in faces.names])
    itself = torch.eye(len(same), dtype=torch.bool)
    enough = among[same & ~itself].median()
    share = (similarity(drawn, faces.images).amax(1) >= enough).double().mean().item()
    real = (among.masked_fill(itself, -1).amax(1) >= enough).double().mean().item()
    order = torch.randperm(len(same), generator=torch.Generator().manual_seed(SEED))
    known = features(faces.images)
    precision, _ = precision_recall(known, features(drawn))
    best, _ = precision_recall(known[order[50:]], known[order[:50]])
    found = {"steps": run.steps, "share": share, "share of real faces": real}
    return found | {"precision": precision, "precision of real faces": best}


def lesson_run(lesson):
    """Run All of one lesson: seconds, CPU-seconds and the peak memory of its kernel."""
    with tempfile.TemporaryDirectory() as folder:  # the reader's progress stays as it is
        book = nbformat.read(REPO / "notebooks" / lesson, as_version=4)
        client = NotebookClient(book, timeout=900, resources={"metadata": {"path": folder}})
        began = time.perf_counter()
        with client.setup_kernel():
            for i, cell in enumerate(book.cells):
                client.execute_cell(cell, i)
            seconds = time.perf_counter() - began
            kernel = psutil.Process(client.km.provisioner.pid)
            cpu = sum(kernel.cpu_times()[:2])
            status = Path(f"/proc/{kernel.pid}/status").read_text("utf-8")
    peak = re.search(r"VmHWM:\s+(\d+) kB", status)[1]  # its largest resident size so far
    return {"seconds": seconds, "cpu_seconds": cpu, "peak_gb": int(peak) / 1e6}


def import_run():
    """CPU-seconds of importing torch and torchvision, without and with our package, in turn."""
    base = "import torch, torchvision"
    cpu = {base: [], f"{base}, diffusion_helpers": []}
    for _ in range(ROUNDS):
        for words in cpu:
            before = resource.getrusage(resource.RUSAGE_CHILDREN)
            subprocess.run([sys.executable, "-c", words], check=True)
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            cpu[words].append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    alone, both = map(statistics.median, cpu.values())
    return {"torch": alone, "with ours": both, "adds": both / alone - 1}


def size_run():
    """MB of a clone with its history, and of what an installation brings beside torch."""

    def needs(name, found):
        """All distributions that this one needs, itself included."""
        name = canonicalize_name(name)
        if name not in found:
            with contextlib.suppress(metadata.PackageNotFoundError):  # for other platforms
                found[name] = metadata.distribution(name)
                for line in found[name].requires or []:
                    if "extra ==" not in line:
                        needs(Requirement(line).name, found)
        return found

    torch_brings = needs("torchvision", {})
    ours = {k: d for k, d in needs("sculptor-of-chaos", {}).items() if k not in torch_brings}
    size = sum(f.size or 0 for d in ours.values() for f in d.files or [])
    with tempfile.TemporaryDirectory() as folder:
        clone = ["git", "clone", "-q", "--bare", "--no-local", REPO, folder]
        subprocess.run(clone, check=True)
        history = sum(f.stat().st_size for f in Path(folder).rglob("*") if f.is_file())
    listed = subprocess.run(["git", "-C", REPO, "ls-files"], capture_output=True, text=True)
    tree = sum((REPO / f).stat().st_size for f in listed.stdout.splitlines())
    return {
        "history_mb": history / 1e6,
        "tree_mb": tree / 1e6,
        "packages": len(ours),
        "installed_mb": size / 1e6,
    }


def growth_run(kind):
    """Milliseconds a picture, of training and of one call, as one thing at a time grows."""
    usual = {"resolution": 32, "batch": 64, "width": 32, "threads": 1}
    changes = [usual]
    changes += [usual | {"resolution": n} for n in (16, 64)]
    changes += [usual | {"batch": n} for n in (1, 8, 256)]
    changes += [usual | {"width": n} for n in (16, 64)]
    changes += [usual | {"threads": n} for n in range(2, os.cpu_count() + 1) if kind == "cpu"]
    takes = {}
    for i, case in enumerate(changes):
        side, wide = case["resolution"], case["width"]
        net = UNet((3, side, side), widths=(wide, 2 * wide, 3 * wide)).to(kind)
        optim, schedule = make_optimizers(net), cosine_schedule()
        x_0 = torch.rand(case["batch"], 3, side, side) * 2 - 1
        rows_of = torch.arange(len(x_0))

        def lesson(net=net, x_0=x_0, rows_of=rows_of, optim=optim, schedule=schedule):
            loss = denoising_loss(net, x_0, rows_of, None, schedule, torch.Generator())
            optimizer_step(loss, net, optim)  # reads the loss, so a GPU has finished, too

        @torch.no_grad()
        def call(net=net, x_0=x_0):
            net(x_0.to(kind), 500).sum().item()

        for name, take in {"training": lesson, "call": call}.items():
            takes[i, name] = functools.partial(with_threads, case["threads"], take)
    in_turn(takes, rounds=1)  # the warm-up
    for (i, name), seconds in in_turn(takes).items():
        wall = statistics.median(wall for _, wall in seconds)
        changes[i] = changes[i] | {name: 1000 * wall / changes[i]["batch"]}
    return {"cases": changes, "profile": profile_of(takes[0, "training"])}


def with_threads(n, take):
    torch.set_num_threads(n)
    take()


def profile_of(take):
    """Where the time goes: the five operations that take most, as shares."""
    with profile(activities=[ProfilerActivity.CPU]) as found:
        take()
    events = sorted(found.key_averages(), key=lambda e: -e.self_cpu_time_total)
    total = sum(e.self_cpu_time_total for e in events)
    return {e.key: e.self_cpu_time_total / total for e in events[:5]}


RUNS = {
    "training": training_run,
    "quality": quality_run,
    "steps": quality_by_steps,
    "overhead": overhead,
    "live": live_run,
    "lessons": lesson_run,
    "import": import_run,
    "size": size_run,
    "growth": growth_run,
}
