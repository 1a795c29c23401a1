"""Lay the lessons out in a folder of yours: python -m diffusion_helpers FOLDER

The wheel carries them, so one file is the whole course. The same command after an update brings the
new lessons: one that you have worked on stays as it is, and the new one stands beside it.
"""

import sys

from .authoring.editions import NOTEBOOKS
from .checks import as_path, say
from .classroom.student import hand_out


def main(arguments: list[str]) -> None:
    """Lay the lessons out where the command line says; one sentence where that fails."""
    if len(arguments) != 1:
        sys.exit("Say where the lessons go: python -m diffusion_helpers FOLDER.")
    folder = as_path(arguments[0])
    if folder.resolve() == NOTEBOOKS:
        sys.exit(f"{folder} holds the lessons themselves: choose another folder.")
    try:
        new = hand_out(NOTEBOOKS, folder)
    except OSError as problem:
        sys.exit(f"{folder} cannot be written: {problem.strerror}.")
    say(
        f"New in {folder}: {', '.join(new)}." if new else f"All lessons in {folder} are up to date."
    )


if __name__ == "__main__":
    main(sys.argv[1:])
