"""The speaker's notes of a lesson on one page, to print or to keep on the other screen.

python -m diffusion_helpers.authoring.notes notebooks/01_forward_noising.ipynb
"""

import json
import re
import sys
import textwrap

from ..checks import as_path, brief, say

USAGE = "Say which lesson: python -m diffusion_helpers.authoring.notes LESSON.ipynb"
NOTE = re.compile(
    r"<details><summary>On stage, (\d+) minutes?: ([^<]+)</summary>\n\n(.+)\n\n</details>", re.S
)


def stage_notes(path):
    """The notes in the notebook at `path`, in their order: (minutes, title, words) each."""
    try:
        cells = json.loads(as_path(path).read_text("utf-8"))["cells"]
        found = [NOTE.fullmatch("".join(cell["source"])) for cell in cells]
    except FileNotFoundError:
        raise FileNotFoundError(
            f"there is no notebook {brief(str(path))}: check its name"
        ) from None
    except (OSError, ValueError, LookupError, TypeError):
        raise ValueError(f"{brief(str(path))} is no notebook that can be read") from None
    return [(int(note[1]), note[2], note[3]) for note in found if note]


def running_order(path):
    """The notes as plain text, each with the minute at which it begins."""
    lines, minute = [as_path(path).stem], 0
    for minutes, title, words in stage_notes(path):
        lines += ["", f"{minute:2}  {title.upper()} ({minutes} min)"]
        for paragraph in words.split("\n\n"):
            lines += [textwrap.fill(paragraph, 76, initial_indent="    ", subsequent_indent="    ")]
        minute += minutes
    return "\n".join([*lines, "", f"{minute:2}  the end", ""])


def main(paths):
    """Print the notes of each lesson; one sentence where one of them cannot be read."""
    if not paths:
        sys.exit(USAGE)
    try:
        pages = [running_order(path) for path in paths]
    except (OSError, ValueError) as problem:
        sys.exit(str(problem))
    sys.stdout.reconfigure(encoding="utf-8")  # a file on Windows shall hold every letter, too
    say("\n".join(pages))


if __name__ == "__main__":
    main(sys.argv[1:])
