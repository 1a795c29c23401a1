"""What a page needs to draw without Python: the engine, networks and the word table, as files.

The code of the page is in static/: worker.js says what it expects. The engine is onnxruntime-web,
in vendor/.
"""

import gzip
import hashlib
import json
import re
import sys
import unicodedata
from pathlib import Path

from ..checkpoints import SHIPPED
from ..checks import brief
from ..data import read_data, shipped
from ..languages.javascript import with_texts
from ..words import SIGN

HERE = Path(__file__).parent
STATIC, VENDOR = HERE / "static", HERE / "vendor"
TWINS = {"twins_attention": True, "twins_near": False}  # whether they have attention
NETWORKS = (*SHIPPED, *TWINS)
IMPORT = re.compile(r'^import \{[^}]*\} from "\.\.?/([^"]+)";\n', re.MULTILINE)
EXPORT = re.compile(r"^export (?=const|class|function|async)", re.MULTILINE)
LESSON = re.compile(r"^const (LESSON_(\d\d)|PLAY) = ", re.MULTILINE)
WORDS = ("words/words.json", "words/words.safetensors", "emoji/emoji.json")
POCKET = (
    *("text_encoder/model.safetensors", "unet/diffusion_pytorch_model.safetensors"),
    *("vae/config.json", "vae/diffusion_pytorch_model.safetensors"),
    *("tokenizer/tokenizer_config.json", "tokenizer/vocab.json", "tokenizer/merges.txt"),
)


def needed_files(need: str) -> dict[str, bytes]:
    """The files behind one need of a drawing, {name: bytes}, for the worker of a page.

    need    a network by name, with the engine, and the word table where it hears text; "pocket",
            the pocket Stable Diffusion, with the engine; "words", the word table; or a file of
            data/ by its name
    Raises ValueError for an unknown need, FileNotFoundError or ValueError for a missing or damaged
    file.
    """
    if need in NETWORKS:
        files = _network_files(need, [f"checkpoints/{need}.safetensors"])
        hears = f"graphs/{need}.text.onnx" in files
        return files | (needed_files("words") if hears else {})
    if need == "pocket":
        own = [f"pocket-stable-diffusion/{name}" for name in POCKET]
        return _network_files(need, [*own, "emoji/emoji.json"])
    if need == "words":
        signs = json.dumps(sign_names(), ensure_ascii=False).encode()
        return {name: read_data(name) for name in WORDS} | {"signs.json": signs}
    if need in shipped(str(need).partition("/")[0]):
        return {need: read_data(need)}
    raise ValueError(
        f"needs are {', '.join(NETWORKS)}, pocket, words or a file of data/, got {brief(need)}"
    )


def _network_files(network, weights):
    graphs = [name for name in shipped("graphs") if name.startswith(f"graphs/{network}.")]
    files = {name: read_data(name) for name in (*weights, *graphs)}
    files["ort.mjs"] = read_vendor("ort.wasm.bundle.min.mjs")
    files["ort.wasm"] = gzip.decompress(read_vendor("ort-wasm-simd-threaded.wasm.gz"))
    return files


def living_files(*needs: str) -> dict[str, bytes]:
    """The files of a page that draws with all these, see `needed_files`."""
    return {name: content for need in needs for name, content in needed_files(need).items()}


def worker_script() -> str:
    """static/worker.js and all that it imports as one script without imports.

    A page that is opened from a disk may start a worker from such a script only. All names are in
    one scope, but for those of draws/: what a lesson needs for itself is nobody else's, and it says
    what the lesson says.
    """
    joined: dict[str, str] = {}

    def add(name):
        source = (STATIC / name).read_text("utf-8")
        for other in IMPORT.findall(source):
            if other not in joined:
                add(other)
        source = EXPORT.sub("", IMPORT.sub("", source))
        lesson = LESSON.search(source) if name.startswith("draws/") else None
        if lesson:
            source = with_texts(source, lesson[2]) if lesson[2] else source
            source = f"const {lesson[1]} = (() => {{\n{source}\nreturn {lesson[1]};\n}})();\n"
        joined[name] = source

    add("worker.js")
    return with_texts("\n".join(joined.values()))


def read_vendor(name: str) -> bytes:
    """The bytes of a file in vendor/; ValueError unless they are those of its SHA256SUMS."""
    sums = (VENDOR / "SHA256SUMS").read_text("ascii").splitlines()
    content = (VENDOR / name).read_bytes()
    if f"{hashlib.sha256(content).hexdigest()}  {name}" not in sums:
        raise ValueError(f"{VENDOR / name} is damaged: restore it with `git checkout`")
    return content


def sign_names() -> dict[str, str]:
    """{sign: what Unicode calls it}, in lower case; JavaScript has no such list."""
    signs = re.findall(SIGN, "".join(map(chr, range(sys.maxunicode))))
    return {sign: name.lower() for sign in signs if (name := unicodedata.name(sign, ""))}
