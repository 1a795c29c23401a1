"""Write data/SHA256SUMS anew, after a file in data/ was made anew. From the root of the repository:

    python data/checksums.py

The course refuses a file whose checksum is not the one in this list (`read_data` in
diffusion_helpers/data.py). By hand: `cd data && sha256sum --check SHA256SUMS`.
"""

import hashlib
from pathlib import Path

HERE = Path(__file__).resolve().parent
READ = (".safetensors", ".webp", ".json", ".txt", ".onnx", ".png")  # what the course reads


def checksums():
    """One line for each file that the course reads, as `sha256sum` writes them."""
    files = sorted(
        path.relative_to(HERE).as_posix()
        for path in HERE.rglob("*")
        if path.suffix in READ and path.parent.name != "licences"
    )
    return "".join(
        f"{hashlib.sha256((HERE / file).read_bytes()).hexdigest()}  {file}\n" for file in files
    )


if __name__ == "__main__":
    (HERE / "SHA256SUMS").write_bytes(checksums().encode())
