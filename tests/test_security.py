"""Nobody is let in: no file runs code, nothing reaches the network, no path leaves its folder."""

import ast
import json
import os
import pickle
import shutil
from pathlib import Path

import nbformat
import numpy as np
import pytest
import torch

from diffusion_helpers import data, progress
from diffusion_helpers.authoring import editions
from diffusion_helpers.checkpoints import load_checkpoint, load_tensors, save_checkpoint
from diffusion_helpers.data import DATA, Pictures, load_emoji, read_data
from diffusion_helpers.pocket import POCKET, load_pipeline
from diffusion_helpers.training import train
from diffusion_helpers.unet import UNet
from diffusion_helpers.words import load_words

REPO = Path(__file__).resolve().parent.parent

# ---- no file runs code --------------------------------------------------------------------------

UNPICKLERS = {"pickle", "cPickle", "_pickle", "dill", "cloudpickle", "joblib", "marshal", "shelve"}
RUN_CODE = {
    "torch.load",
    "torch.save",
    "torch.jit.load",
    "torch.hub.load",
    "np.load",
    "numpy.load",
    "yaml.load",
    "os.system",
    "eval",
    "exec",
}
MEANT = {  # both run code of the course or of its host, never data
    ("diffusion_helpers/authoring/editions.py", "exec"),  # the import lines of a lesson
    ("diffusion_helpers/classroom/jupyterhub_config.py", "exec"),  # the host's own settings
}


def sources():
    """(name, Python code) of everything that the course runs: package, scripts, lessons."""
    for folder in ("diffusion_helpers", "data", "benchmarks"):
        for path in sorted((REPO / folder).rglob("*.py")):
            yield path.relative_to(REPO).as_posix(), path.read_text("utf-8")
    for path in sorted((REPO / "notebooks").glob("[0-9]*.ipynb")):
        cells = nbformat.read(path, as_version=4).cells
        code = [cell.source for cell in cells if cell.cell_type == "code"]
        lines = [line for text in code for line in text.splitlines() if line[:1] not in "%!"]
        yield path.name, "\n".join(lines)


def dangers(code):
    """What in the code may run code that stands in a file."""
    found = []
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Import):
            found += [a.name for a in node.names if a.name.split(".")[0] in UNPICKLERS]
        elif isinstance(node, ast.ImportFrom) and node.module:
            found += [node.module] if node.module.split(".")[0] in UNPICKLERS else []
        elif isinstance(node, ast.Call):
            called, keywords = ast.unparse(node.func), {k.arg: k.value for k in node.keywords}
            found += [called] if called in RUN_CODE else []
            for name in ("allow_pickle", "trust_remote_code", "shell"):
                if name in keywords and ast.unparse(keywords[name]) != "False":
                    found.append(name)
            weights = called.endswith("from_pretrained") and "Tokenizer" not in called
            if weights and "use_safetensors" not in keywords:
                found.append(called)
    return found


def test_nothing_that_the_course_runs_opens_a_pickle_or_runs_data():
    files = dict(sources())
    assert len(files) > 50 and "01_forward_noising.ipynb" in files
    found = [(name, danger) for name, code in files.items() for danger in dangers(code)]
    assert [danger for danger in found if danger not in MEANT] == []


@pytest.mark.parametrize(
    "code",
    [
        "import pickle",
        "from joblib import load",
        "x = torch.load('a.pt')",
        "x = np.load('a.npz', allow_pickle=True)",
        "eval(text)",
        "Pipeline.from_pretrained(folder)",
        "Pipeline.from_pretrained(folder, use_safetensors=True, trust_remote_code=True)",
        "subprocess.run(command, shell=True)",
    ],
)
def test_dangers_are_recognised(code):
    assert dangers(code)


@pytest.mark.parametrize("code", ["model.eval()", "json.load(file)", "load_checkpoint('a')"])
def test_what_is_harmless_is_no_danger(code):
    assert not dangers(code)


@pytest.fixture
def evil(tmp_path):
    """An object whose pickle, when it is opened, makes a folder; at the end there must be none."""
    trap = tmp_path / "trap"

    class Evil:
        def __reduce__(self):
            return os.mkdir, (str(trap),)

    yield Evil()
    assert not trap.exists(), "a file ran code"
    pickle.loads(pickle.dumps(Evil()))
    assert trap.exists()  # the trap does work


def as_pickle(evil, file):
    file.write_bytes(pickle.dumps(evil))


def as_torch(evil, file):
    torch.save(evil, file)


def as_numpy(evil, file):
    with file.open("wb") as opened:
        np.savez(opened, evil=np.array([evil], dtype=object))


@pytest.mark.parametrize("write", [as_pickle, as_torch, as_numpy])
def test_a_pickle_in_the_place_of_a_file_is_refused_and_never_opened(
    write, evil, tmp_path, monkeypatch
):
    file = tmp_path / "net.safetensors"
    write(evil, file)
    with pytest.raises(ValueError, match=r"net\.safetensors is damaged or is no checkpoint"):
        load_checkpoint(file)
    with pytest.raises(ValueError, match=r"net\.safetensors is damaged or is no checkpoint"):
        train(UNet(widths=(16,), blocks=1), [torch.zeros(3, 32, 32)], steps=1, checkpoint=file)
    shutil.move(file, tmp_path / "photo.png")
    with pytest.raises(ValueError, match=r"photo\.png .* cannot be read as a picture"):
        Pictures(tmp_path)[0]

    shutil.copy(DATA / "SHA256SUMS", tmp_path)
    monkeypatch.setattr(data, "DATA", tmp_path)
    monkeypatch.setattr("diffusion_helpers.checkpoints.DATA", tmp_path)
    for name, load in {
        "emoji/emoji.json": load_emoji,
        "words/words.safetensors": load_words.__wrapped__,
        "ladder.json": lambda: read_data("ladder.json"),
        "checkpoints/apprentice.safetensors": lambda: load_checkpoint("apprentice"),
    }.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        write(evil, tmp_path / name)
        with pytest.raises(ValueError, match=f"{name} is damaged"):
            load()


@pytest.fixture
def pipeline(tmp_path):
    """A folder with a pipeline as a stranger might hand it over."""
    return shutil.copytree(POCKET, tmp_path / "pipeline")


@pytest.mark.parametrize("part", ["unet/diffusion_pytorch_model", "text_encoder/model"])
def test_a_pipeline_with_pickled_weights_is_refused(part, evil, pipeline):
    (pipeline / f"{part}.safetensors").unlink()
    torch.save(evil, pipeline / f"{part.replace('/model', '/pytorch_model')}.bin")
    with pytest.raises(ValueError, match="there is no pipeline to load"):
        load_pipeline(pipeline, "cpu")


def changed(file, **news):
    file.write_text(json.dumps(json.loads(file.read_text()) | news))


def its_own_pipeline(folder):
    changed(folder / "model_index.json", _class_name=["evil", "Evil"])
    return folder


def its_own_unet(folder):
    changed(folder / "model_index.json", unet=["evil", "Evil"])
    return folder / "unet"


def its_own_encoder(folder):
    changed(folder / "text_encoder" / "config.json", auto_map={"AutoModel": "evil.Evil"})
    return folder / "text_encoder"


@pytest.mark.parametrize("place", [its_own_pipeline, its_own_unet, its_own_encoder])
def test_a_pipeline_that_brings_its_own_code_does_not_run_it(place, pipeline, tmp_path):
    code = f"import os\nos.mkdir({str(tmp_path / 'trap')!r})\nclass Evil: pass\n"
    (place(pipeline) / "evil.py").write_text(code)
    with pytest.raises(ValueError, match=r"there is no pipeline to load at .*evil\.py"):
        load_pipeline(pipeline, "cpu")
    assert not (tmp_path / "trap").exists()


# ---- no path leaves its folder ------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", ["../../etc/passwd", "/etc/passwd", "..", "apprentice/../../x", "a\0b", "demiurge\n"]
)
def test_the_name_of_a_network_is_no_path(name):
    with pytest.raises(ValueError, match=r"no network is called|expected the name of a file"):
        load_checkpoint(name)


def test_what_is_read_from_the_data_stays_in_it():
    for name in ("../README.md", "../pyproject.toml", "/etc/hostname", "emoji/../README.md"):
        with pytest.raises((ValueError, FileNotFoundError), match="git checkout data"):
            read_data(name)
    with pytest.raises((ValueError, FileNotFoundError), match="git checkout data"):
        load_tensors(DATA / ".." / "README.md")


def test_progress_stays_in_its_one_file(tmp_path, monkeypatch):
    inside = tmp_path / "lessons"
    inside.mkdir()
    monkeypatch.chdir(inside)
    for name in ("../escaped", str(tmp_path / "escaped"), "01.1", "a\0b", "<script>"):
        progress.note(name, right=True)
    assert [p.name for p in tmp_path.rglob("*")] == ["lessons", progress.FILE]


def linked(link, to, **kw):
    try:
        link.symlink_to(to, **kw)
    except OSError:
        pytest.skip("this system lets nobody make links")


def test_an_edition_never_overwrites_the_lessons_through_a_link(tmp_path):
    lessons, made = tmp_path / "notebooks", tmp_path / "made"
    lessons.mkdir(), made.mkdir()
    lesson = shutil.copy(REPO / "notebooks" / "01_forward_noising.ipynb", lessons)
    before = Path(lesson).read_bytes()
    linked(made / Path(lesson).name, lesson)
    with pytest.raises(ValueError, match="holds the lessons themselves: choose another folder"):
        editions.write("handout", made, lessons)
    assert Path(lesson).read_bytes() == before


def test_a_checkpoint_replaces_a_link_and_not_what_it_leads_to(tmp_path):
    precious = tmp_path / "thesis.txt"
    precious.write_text("three years of work")
    linked(tmp_path / "net.safetensors", precious)
    save_checkpoint(UNet(widths=(16,), blocks=1), tmp_path / "net.safetensors")
    assert precious.read_text() == "three years of work"
    assert not (tmp_path / "net.safetensors").is_symlink()


def test_links_among_pictures_are_followed_once_and_never_in_a_circle(tmp_path):
    """A linked picture or folder is meant; a link to a folder above, such as "/", is a circle."""
    from PIL import Image

    photos, others = tmp_path / "photos", tmp_path / "others"
    photos.mkdir(), others.mkdir()
    for file in (photos / "mine.png", others / "theirs.png", others / "wanted.png"):
        Image.new("RGB", (8, 8)).save(file)
    linked(photos / "elsewhere", others, target_is_directory=True)
    linked(others / "back", photos, target_is_directory=True)
    linked(photos / "circle", photos, target_is_directory=True)
    linked(photos / "above", Path(tmp_path.anchor), target_is_directory=True)
    linked(photos / "gone.png", tmp_path / "nothing.png")
    linked(photos / "itself.png", photos / "itself.png")
    linked(photos / "passwd.png", Path(os.devnull).resolve())
    linked(photos / "wanted.png", others / "wanted.png")
    with pytest.warns(UserWarning, match=r"skipped in .*: 4 linked twice, 3 \.png \(not a file\)"):
        found = Pictures(photos).source
    assert [p.name for p in found] == ["theirs.png", "mine.png", "wanted.png"]
