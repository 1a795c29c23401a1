"""Lay the lessons out in a folder of yours: python -m diffusion_helpers FOLDER

The wheel carries them, so one file is the whole course. The same command after an update brings the
new lessons: one that you have worked on stays as it is, and the new one stands beside it. With
`--language ru` they are the Russian ones.
"""

import argparse
import sys
import tempfile

from .authoring import editions
from .checks import as_path, say
from .classroom.student import hand_out
from .languages import ENGLISH, languages, load_language, speaking, tr
from .languages.notebooks import NOTEBOOKS


def main(arguments: list[str]) -> None:
    """Lay the lessons out where the command line says; one sentence where that fails."""
    parser = argparse.ArgumentParser("python -m diffusion_helpers")
    parser.add_argument("folder", nargs="*", help="where the lessons go")
    parser.add_argument("--language", default=ENGLISH, choices=languages(), help="of the lessons")
    asked = parser.parse_args(arguments)
    with speaking(asked.language):
        if len(asked.folder) != 1:
            sys.exit(tr("Say where the lessons go: python -m diffusion_helpers FOLDER."))
        _lay_out(as_path(asked.folder[0]), asked.language)


def _lay_out(folder, language):
    if folder.resolve() == NOTEBOOKS:
        sys.exit(tr("{} holds the lessons themselves: choose another folder.", folder))
    try:
        with tempfile.TemporaryDirectory() as made:
            source = NOTEBOOKS
            if language != ENGLISH:
                source = made
                editions.write(load_language(language).english_name, made)
            new = hand_out(source, folder)
    except OSError as problem:
        sys.exit(tr("{} cannot be written: {}.", folder, problem.strerror))
    if new:
        say(tr("New in {}: {}.", folder, ", ".join(new)))
    else:
        say(tr("All lessons in {} are up to date.", folder))


if __name__ == "__main__":
    main(sys.argv[1:])
