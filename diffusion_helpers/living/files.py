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
from ..words import SIGN

HERE = Path(__file__).parent
STATIC, VENDOR = HERE / "static", HERE / "vendor"
NETWORKS = (*SHIPPED, "twins_attention", "twins_near")
IMPORT = re.compile(r'^import \{[^}]*\} from "\./([^"]+)";\n', re.MULTILINE)
EXPORT = re.compile(r"^export (?=const|class|function|async)", re.MULTILINE)
WORDS = ("words/words.json", "words/words.safetensors", "emoji/emoji.json")


def living_files(*networks: str) -> dict[str, bytes]:
    """The files of a page that draws with these networks, {name: bytes}, for its worker.

    The word table is among them where one of the networks hears text. Raises ValueError for an
    unknown network, FileNotFoundError or ValueError for a missing or damaged file.
    """
    names = []
    for network in networks:
        if network not in NETWORKS:
            raise ValueError(f"networks are {', '.join(NETWORKS)}, got {brief(network)}")
        graphs = [name for name in shipped("graphs") if name.startswith(f"graphs/{network}.")]
        names += [f"checkpoints/{network}.safetensors", *graphs]
    files = {name: read_data(name) for name in names}
    files["ort.mjs"] = read_vendor("ort.wasm.bundle.min.mjs")
    files["ort.wasm"] = gzip.decompress(read_vendor("ort-wasm-simd-threaded.wasm.gz"))
    if any(name.endswith(".text.onnx") for name in names):
        files |= {name: read_data(name) for name in WORDS}
        files["signs.json"] = json.dumps(sign_names(), ensure_ascii=False).encode()
    return files


def worker_script() -> str:
    """static/worker.js and all that it imports as one script without imports.

    A page that is opened from a disk may start a worker from such a script only.
    """
    joined: dict[str, str] = {}

    def add(name):
        source = (STATIC / name).read_text("utf-8")
        for other in IMPORT.findall(source):
            if other not in joined:
                add(other)
        joined[name] = EXPORT.sub("", IMPORT.sub("", source))

    add("worker.js")
    return "\n".join(joined.values())


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
