"""A class on one server: how much does each student take, and what happens when it is full?

    sudo .venv/bin/python benchmarks/classroom.py 4 6 8      (about twenty minutes)

On a Linux server with systemd: the hub of diffusion_helpers/classroom starts on loopback with its
own configuration. The students sign up, are approved, log in, start their servers and run all cells
of lesson 01 over the web socket: first one alone, then classes of the given sizes, all at the same
time. Then one student too many knocks at the door while another asks for all the memory and all the
cores, and the rest measure how fast their kernels answer. Everything that was started is stopped
and removed; a class that would take more than 8 GB, or what others need, is not started. The result
stands in benchmarks/classroom.txt; times depend on the machine, memory hardly.
"""

import contextlib
import os
import platform
import shutil
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import median

import psutil

from diffusion_helpers.checks import say

REPO = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(REPO / "tests"))
from hub_client import Full, Pupil, hub  # noqa: E402

LESSON = "01_forward_noising.ipynb"
HEAVIEST = ["03_training.ipynb", "07_whisper_of_the_spell.ipynb", "08_the_demiurge.ipynb"]
CAP = 8e9  # bytes that all servers together may take, and not more than 70 % of what is free
STATE = Path("/var/lib")
FOLDER = STATE / "sculptor_loadtest"
COMMAND = [sys.executable, "-m", "diffusion_helpers.classroom", "--admin", "teacher"]
HOG = """
import os
for _ in range(8):
    if os.fork() == 0:
        while True: pass
"""
GREEDY = "kept = [bytearray(100 * 2**20) for _ in range(40)]"  # 4 GB, more than the limit


def at_once(function, pupils):
    """function(pupil) for all pupils at the same time."""
    with ThreadPoolExecutor(len(pupils)) as pool:
        return list(pool.map(function, pupils))


def seconds(function):
    started = time.monotonic()
    function()
    return time.monotonic() - started


def spread(values):
    return f"median {median(values):.1f}, slowest {max(values):.1f}"


def teach(pupils):
    """Start everybody's server and run the lesson, all at once; prints what it took."""
    starts = at_once(lambda pupil: seconds(pupil.start), pupils)
    at_once(Pupil.open_kernel, pupils)
    before = [pupil.processor() for pupil in pupils]
    lessons = at_once(lambda pupil: pupil.run_lesson(LESSON), pupils)
    work = [pupil.processor() - earlier for pupil, earlier in zip(pupils, before)]
    memory = [pupil.memory() for pupil in pupils]
    say(
        f"{len(pupils):3d} at once: server ready after {spread(starts)} s; lesson 01 took "
        f"{spread(lessons)} s, {median(work):.0f} s of one core each; memory "
        f"{median(memory) / 1e6:.0f} MB each, {sum(memory) / 1e9:.1f} GB together",
    )
    return sum(memory)


def look_at_lessons(pupils):
    """Each of the heaviest lessons once; returns the most bytes that one takes, seen every 2 s."""

    def run(pupil, lesson):
        pupil.start()
        pupil.open_kernel()
        before, most = pupil.processor(), [0]
        done = threading.Event()

        def watch():
            while not done.wait(2):
                most[0] = max(most[0], pupil.memory())

        watcher = threading.Thread(target=watch)
        watcher.start()
        try:
            pupil.run_lesson(lesson)
            work = pupil.processor() - before
        finally:
            done.set()
            watcher.join()
        pupil.stop()
        say(f"{lesson[:-6]:23} at most {most[0] / 1e6:5.0f} MB, {work:4.0f} s of one core")
        return most[0]

    with ThreadPoolExecutor(len(pupils)) as pool:
        return max(pool.map(run, pupils, HEAVIEST))


def answers(pupils, rounds=10):
    """Milliseconds in which the kernels add two numbers, as a median and the slowest."""
    times = [pupil.answer_time() * 1000 for _ in range(rounds) for pupil in pupils]
    return f"median {median(times):.0f} ms, slowest {max(times):.0f} ms of {len(times)}"


def fill(pupils, late):
    """With everybody at work: one too many, and one who wants everything."""
    greedy, *others = pupils
    say(f"all places taken; the kernels of the others answer: {answers(others)}")
    for _ in range(10):
        with contextlib.suppress(Full):
            late.start()
            raise AssertionError("there was a place for one too many")
    page = late.browser.get(f"{late.url}/hub/spawn", timeout=60)
    heading = page.text.partition("<h1>")[2].partition("</h1>")[0]
    say(f"one more, ten times: refused, status {page.status_code}, the page says: {heading}")
    say(f"  meanwhile the others: {answers(others)}")
    greedy.run(HOG)
    say(f"one with eight busy processes; the others: {answers(others)}")
    try:
        greedy.run(GREEDY)
        say("one asked for 4 GB and GOT IT")
    except RuntimeError as problem:
        say(f"one asks for 4 GB: {problem} The others: {answers(others)}")
    servers = at_once(lambda pupil: pupil.ask("GET", f"user/{pupil.name}/api").ok, pupils)
    say(f"servers that still answer: {sum(servers)} of {len(servers)}")
    greedy.stop()
    waited = seconds(late.start)
    say(f"one server stopped: the one too many is in, ready after {waited:.1f} s")


def report(sizes):
    machine = psutil.virtual_memory().total
    say(
        f"{platform.platform()}, {os.cpu_count()} cores, {machine / 1e9:.0f} GB; other programs "
        f"keep {os.getloadavg()[0]:.1f} cores busy"
    )
    limit = f"c.JupyterHub.active_server_limit = {max(sizes)}\n"
    with hub(FOLDER, [*COMMAND, "--folder", str(FOLDER)], limit) as url:
        teacher = Pupil(url, "teacher")
        assert not teacher.log_in()
        pupils = [Pupil(url, f"loadtest-{i}") for i in range(max(sizes) + 1)]
        for pupil in pupils:
            pupil.sign_up()
            assert "not been authorized" in pupil.log_in()
            teacher.approve(pupil.name)
        entered = [seconds(pupil.log_in) for pupil in pupils]
        say(f"{len(pupils)} students signed up, were approved, logged in: {spread(entered)} s")
        heaviest = look_at_lessons(pupils[: len(HEAVIEST)])
        for size in sizes:
            each = teach(pupils[:size]) / size
            if size < max(sizes):
                at_once(Pupil.stop, pupils[:size])
                grown = sizes[sizes.index(size) + 1]
                if grown * each > min(CAP, 0.7 * psutil.virtual_memory().available):
                    sys.exit(f"{grown} at once would take {grown * each / 1e9:.0f} GB: too many.")
        fill(pupils[:-1], pupils[-1])
    left = machine - 1e9
    say(
        f"largest class measured: {max(sizes)}. By memory alone this machine would hold "
        f"{left / each:.0f} in lesson 01 ({each / 1e6:.0f} MB each), {left / heaviest:.0f} in the "
        f"heaviest ({heaviest / 1e6:.0f} MB): extrapolated, 1 GB kept for the hub and the system"
    )


def main(words):
    if not words or not all(word.isdecimal() and int(word) for word in words):
        sys.exit("Say how large the classes are: 4 6 8")
    sizes = sorted(map(int, words))
    shutil.rmtree(FOLDER, ignore_errors=True)  # of a run that was cut off
    FOLDER.mkdir()
    try:
        report([1, *sizes])
    finally:
        shutil.rmtree(FOLDER)
        for home in (STATE / "private").glob("sculptor-loadtest-*"):
            shutil.rmtree(home)
            (STATE / home.name).unlink()


if __name__ == "__main__":
    main(sys.argv[1:])
