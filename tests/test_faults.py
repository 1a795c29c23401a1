"""Power cuts, full disks and flipped bits: nothing is lost, and what is broken is named."""

import os
import random
import re
import shutil
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import nbformat
import pytest
import torch
from test_training import Calls, ctrl_c, learn, tiny

from diffusion_helpers import data
from diffusion_helpers.checkpoints import load_checkpoint, load_tensors, save_checkpoint
from diffusion_helpers.data import DATA, read_data

try:
    import resource  # POSIX only
except ImportError:
    resource = None

REPO = Path(__file__).resolve().parent.parent
SHORT = 12


@pytest.fixture(autouse=True)
def one_thread():
    """Sums then have one order, so that results can be compared bit by bit."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def same(file, other):
    """Whether two trainings ended alike: weights, memories of the optimisers and all losses."""
    (a, _), (b, _) = load_tensors(file), load_tensors(other)
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


# ---- killed -------------------------------------------------------------------------------------


@pytest.mark.skipif(not hasattr(os, "fork"), reason="Windows does not fork")
@pytest.mark.parametrize(
    ("steps", "kills"), [(12, 3), pytest.param(90, 20, marks=pytest.mark.slow)]
)
def test_a_training_that_is_killed_again_and_again_ends_bit_by_bit_alike(tmp_path, steps, kills):
    program = [
        sys.executable,
        REPO / "tests" / "kill_and_resume.py",
        tmp_path,
        str(steps),
        str(kills),
    ]
    path = os.pathsep.join([str(REPO), os.environ.get("PYTHONPATH", "")])
    lives = subprocess.run(program, env=os.environ | {"PYTHONPATH": path}, stdout=-1, text=True)
    assert lives.returncode == 0
    came_to = list(map(int, lives.stdout.split()))
    assert len(came_to) == kills and came_to == sorted(came_to) and came_to[-1] < steps
    assert came_to[:3] == [1, 2, 4]  # a write that was cut off does not count, a done one does
    assert same(tmp_path / "killed.safetensors", tmp_path / "undisturbed.safetensors")


# ---- nowhere to write ---------------------------------------------------------------------------


@contextmanager
def no_file_longer_than(size):
    """As on a full disk or at the end of a quota, every write beyond `size` bytes fails."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.fixture
def disk(tmp_path):
    """A function that mounts a small disk with these options, and mounts it anew with others."""
    folder = tmp_path / "disk"
    folder.mkdir()

    def mount(options):
        command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", folder]
        try:
            subprocess.run(command, check=True, capture_output=True)
        except (OSError, subprocess.CalledProcessError):
            pytest.skip("only an administrator of a Linux machine may mount a disk")
        return folder

    yield mount
    subprocess.run(["umount", folder], capture_output=True)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """The checkpoint of a training of SHORT steps that met no trouble."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    file = tmp_path_factory.mktemp("undisturbed") / "run.safetensors"
    learn(tiny(), steps=SHORT, reports=SHORT, checkpoint=file)
    torch.set_num_threads(threads)
    return file


def check_survived(file, trouble, relief, undisturbed, capsys):
    """Trouble after the 5th checkpoint, relief after the 9th: training goes on, and so do we."""
    seen = {}

    def report(run, *_):
        if run.steps == 5:
            trouble()
        if run.steps == 8:
            said = capsys.readouterr().out.splitlines()
            assert len(said) == 3 and all(  # one sentence for each checkpoint that was lost
                re.fullmatch(
                    rf"{re.escape(str(file))} cannot be written \(.+\): make room there, or choose "
                    r"another folder\. What was learned so far is kept in the network\.",
                    line,
                )
                for line in said
            )
            seen["older"] = len(load_tensors(file)[0]["losses"]) if file.exists() else 0
            seen["beside"] = sorted(p.name for p in file.parent.glob("run*"))
            relief()

    net = tiny()
    run = learn(net, steps=SHORT, reports=SHORT, checkpoint=file, report=report)
    assert run.finished and same(file, undisturbed)
    return seen


@pytest.mark.skipif(resource is None, reason="Windows limits no file's length")
def test_a_disk_that_is_full_for_a_while_costs_no_step(tmp_path, undisturbed, capsys):
    file, limit = tmp_path / "run.safetensors", no_file_longer_than(10_000)
    seen = check_survived(
        file, limit.__enter__, lambda: limit.__exit__(None, None, None), undisturbed, capsys
    )
    assert seen == {"older": 5, "beside": ["run.safetensors"]}  # whole, and no half beside it


def test_a_small_disk_that_fills_up_costs_no_step(disk, undisturbed, capsys):
    folder = disk("size=4m")
    ballast = folder / "ballast"

    def fill():
        with ballast.open("wb", buffering=0) as file, pytest.raises(OSError, match="No space"):
            while file.write(bytes(4096)):
                pass

    seen = check_survived(folder / "run.safetensors", fill, ballast.unlink, undisturbed, capsys)
    assert seen == {"older": 5, "beside": ["run.safetensors"]}


def test_a_disk_that_becomes_read_only_costs_no_step(disk, undisturbed, capsys):
    file = disk("size=9m") / "run.safetensors"
    seen = check_survived(
        file, lambda: disk("remount,ro"), lambda: disk("remount,rw"), undisturbed, capsys
    )
    assert seen == {"older": 5, "beside": ["run.safetensors"]}


def test_a_folder_whose_place_a_file_takes_costs_no_step(tmp_path, undisturbed, capsys):
    folder = tmp_path / "my_runs"

    def take():
        shutil.rmtree(folder)
        folder.write_text("a file")

    seen = check_survived(folder / "run.safetensors", take, folder.unlink, undisturbed, capsys)
    assert seen == {"older": 0, "beside": []}


def test_a_folder_that_was_deleted_is_made_again(tmp_path, undisturbed, capsys):
    file = tmp_path / "my_runs" / "run.safetensors"
    delete = Calls(5, lambda: shutil.rmtree(file.parent))
    assert learn(tiny(), steps=SHORT, reports=SHORT, checkpoint=file, report=delete).finished
    assert same(file, undisturbed) and capsys.readouterr().out == ""


def test_what_could_not_be_written_is_not_said_to_be(tmp_path, capsys):
    (tmp_path / "file").write_text("no folder")
    stop = Calls(4, ctrl_c)
    learn(
        tiny(),
        steps=SHORT,
        reports=SHORT,
        report=stop,
        checkpoint=tmp_path / "file" / "a.safetensors",
    )
    last = capsys.readouterr().out.splitlines()[-1]
    assert re.fullmatch(r"stopped at step \d+; the network keeps what it learned", last)


@pytest.mark.skipif(resource is None, reason="Windows limits no file's length")
def test_a_network_that_cannot_be_saved_gets_one_sentence_and_the_older_one_stays(tmp_path):
    file = tmp_path / "net.safetensors"
    save_checkpoint(tiny(), file)
    before = file.read_bytes()
    sentence = r"net\.safetensors cannot be written \(File too large\): make room there"
    with no_file_longer_than(1000), pytest.raises(OSError, match=sentence):
        save_checkpoint(tiny(seed=1), file)
    assert file.read_bytes() == before and [p.name for p in tmp_path.iterdir()] == [file.name]


# ---- damaged ------------------------------------------------------------------------------------


def flipped(content, bit):
    byte = content[bit // 8] ^ (1 << bit % 8)
    return content[: bit // 8] + bytes([byte]) + content[bit // 8 + 1 :]


@pytest.fixture(params=["network", "training"])
def own_file(request, tmp_path):
    """What a student may have on the disk: a network that was saved, or a training's checkpoint."""
    file = tmp_path / "mine.safetensors"
    if request.param == "network":
        save_checkpoint(tiny(), file)
    else:
        learn(tiny(), steps=2, checkpoint=file)
    return file


def test_any_bit_that_flips_in_ones_own_checkpoint_is_noticed(own_file):
    whole = own_file.read_bytes()
    header = 8 + int.from_bytes(whole[:8], "little")
    where = random.Random(0)
    bits = [*range(8 * 8), *(where.randrange(8 * header) for _ in range(200))]
    bits += [where.randrange(8 * len(whole)) for _ in range(100)] + [8 * len(whole) - 1]
    for bit in bits:
        own_file.write_bytes(flipped(whole, bit))
        with pytest.raises(ValueError, match=r"mine\.safetensors is damaged or is no checkpoint"):
            load_checkpoint(own_file)
    own_file.write_bytes(whole)
    load_checkpoint(own_file)


def test_any_cut_of_ones_own_checkpoint_is_noticed(own_file):
    whole = own_file.read_bytes()
    for length in [0, 1, 7, 8, 9, 100, len(whole) // 2, len(whole) - 1]:
        own_file.write_bytes(whole[:length])
        with pytest.raises(ValueError, match=r"mine\.safetensors is damaged or is no checkpoint"):
            load_checkpoint(own_file)
    own_file.write_bytes(whole + b"\0")
    with pytest.raises(ValueError, match=r"mine\.safetensors is damaged or is no checkpoint"):
        load_checkpoint(own_file)


LISTED = [line.split("  ")[1] for line in (DATA / "SHA256SUMS").read_text().splitlines()]


def test_the_list_of_checksums_is_that_of_the_files():
    made = subprocess.run(
        [sys.executable, "-c", "from checksums import checksums; print(checksums(), end='')"],
        cwd=REPO / "data",
        capture_output=True,
        text=True,
        check=True,
    )
    assert made.stdout == (DATA / "SHA256SUMS").read_text(), (
        "a file in data/ changed: if that is meant, run `python data/checksums.py`"
    )


@pytest.fixture
def copied(tmp_path, monkeypatch):
    """A data folder that holds the checksums alone."""
    shutil.copy(DATA / "SHA256SUMS", tmp_path)
    monkeypatch.setattr(data, "DATA", tmp_path)
    return tmp_path


@pytest.mark.parametrize("name", LISTED)
def test_a_shipped_file_that_was_damaged_is_named_with_what_to_do(name, copied):
    whole, where = (DATA / name).read_bytes(), random.Random(name)
    file = copied / name
    with pytest.raises(FileNotFoundError, match=f"{name} is missing: restore it with `git check"):
        read_data(name)
    file.parent.mkdir(parents=True, exist_ok=True)
    for damaged in [
        b"",
        whole[:-1],
        whole + b"\n",
        flipped(whole, where.randrange(8 * len(whole))),
    ]:
        file.write_bytes(damaged)
        with pytest.raises(ValueError, match=f"{name} is damaged: restore it with `git checkout"):
            read_data(name)
    file.write_bytes(whole)
    assert read_data(name) == whole


def test_a_shipped_network_in_the_place_of_another_is_noticed(copied):
    (copied / "checkpoints").mkdir()
    shutil.copy(
        DATA / "checkpoints/demiurge.safetensors", copied / "checkpoints/scenes.safetensors"
    )
    with pytest.raises(ValueError, match=r"scenes\.safetensors is damaged"):
        read_data("checkpoints/scenes.safetensors")


def test_a_copy_of_a_shipped_network_is_ones_own(tmp_path):
    for file in sorted((DATA / "checkpoints").glob("*.safetensors")):
        (tmp_path / "copy.safetensors").write_bytes(file.read_bytes())
        assert load_tensors(tmp_path / "copy.safetensors")[1] == load_tensors(file)[1]


def test_a_list_of_checksums_that_is_missing_or_damaged_is_no_excuse(copied):
    (copied / "twins.json").write_bytes((DATA / "twins.json").read_bytes())
    line = next(
        line for line in (DATA / "SHA256SUMS").read_bytes().splitlines() if b"twins.json" in line
    )
    for bit in range(0, 8 * len(line), 5):
        (copied / "SHA256SUMS").write_bytes(flipped(line, bit))
        with pytest.raises(ValueError, match="git checkout data"):
            read_data("twins.json")
    (copied / "SHA256SUMS").unlink()
    with pytest.raises(FileNotFoundError, match=r"SHA256SUMS is missing.*git checkout data"):
        read_data("twins.json")


def test_whatever_is_read_from_the_data_is_checked():
    """`read_data` and `load_tensors` check; nothing else opens a file of the course.

    `load_adapter` reads with `load_tensors`; lesson 09's NEIGHBOUR is what it loads.
    """
    checked = re.compile(
        r"load_(tensors|adapter)\(DATA / |^(POCKET|NEIGHBOUR) = DATA / "
        r"|^ +path = DATA / \"checkpoints\""
    )
    code = {
        path.name: path.read_text("utf-8") for path in (REPO / "diffusion_helpers").glob("*.py")
    }
    for path in (REPO / "notebooks").glob("[0-9]*.ipynb"):
        cells = nbformat.read(path, as_version=4).cells
        code[path.name] = "\n".join(c.source for c in cells if c.cell_type == "code")
    del code["data.py"]  # where `read_data` stands
    lines = [(name, line) for name, text in code.items() for line in text.splitlines()]
    unchecked = [(n, line) for n, line in lines if "DATA /" in line and not checked.search(line)]
    assert not unchecked
    assert sum("DATA /" in line for _, line in lines) > 3


@pytest.mark.slow
def test_a_pocket_with_a_flipped_bit_is_named(tmp_path, monkeypatch):
    from diffusion_helpers.pocket import POCKET, load_pocket

    name = f"{POCKET.name}/unet/diffusion_pytorch_model.safetensors"
    shutil.copytree(POCKET, tmp_path / POCKET.name)
    shutil.copy(DATA / "SHA256SUMS", tmp_path)
    (tmp_path / name).write_bytes(flipped((DATA / name).read_bytes(), 8 * 10**7))
    monkeypatch.setattr(data, "DATA", tmp_path)
    with pytest.raises(ValueError, match=f"{name} is damaged: restore it with `git checkout data`"):
        load_pocket()
