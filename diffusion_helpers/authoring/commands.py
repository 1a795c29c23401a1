"""Words on a command line: what cannot be is told at once, in one sentence, with exit code 2."""

import argparse
import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

from PIL import Image

from ..checkpoints import load_checkpoint
from ..checks import as_path, check_number
from ..languages import tr


def _told(convert: Callable[[str], Any]) -> Callable[[str], Any]:
    """`convert` as the `type` of an argparse argument, which says the sentence that it raises."""

    @functools.wraps(convert)
    def converted(word):
        try:
            return convert(word)
        except (OSError, ValueError) as problem:
            raise argparse.ArgumentTypeError(str(problem)) from None

    return converted


@_told
def seconds(word: str) -> float:
    """A time that a training may take."""
    return check_number(float(word), tr("the time in seconds"), least=1)


@_told
def weights(word: str) -> str:
    """The name or the file of a network that can be loaded."""
    load_checkpoint(word, "cpu")
    return word


@_told
def picture_file(word: str) -> Path:
    """Where a picture can be saved; its folder is made."""
    path = as_path(word)
    if path.suffix.lower() not in Image.registered_extensions():
        raise ValueError(tr("{} is no name of a picture: end it in .png", path))
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


@_told
def lesson(word: str) -> Path:
    """A notebook that is there."""
    path = as_path(word)
    if not path.is_file() or path.suffix != ".ipynb":
        raise ValueError(tr("there is no lesson {}", path))
    return path


@_told
def folder(word: str) -> Path:
    """A folder that is there."""
    path = as_path(word)
    if not path.is_dir():
        raise ValueError(tr("there is no folder {}", path))
    return path
