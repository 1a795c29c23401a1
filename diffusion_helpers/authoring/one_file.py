"""Put packs into an exported page: python -m diffusion_helpers.authoring.one_file PAGE OUT

    jupyter nbconvert --to html notebooks/00_start_here.ipynb
    python -m diffusion_helpers.authoring.one_file notebooks/00_start_here.html sculptor.html

The page grows by the engine and its networks, and then needs no folder `packs` beside it.
"""

import argparse

from ..checks import as_path, say
from ..languages import tr
from ..living.pages import in_one_file


def main(arguments: list[str] | None = None) -> None:
    """What the command line says; one sentence where that fails."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("page", help="a page that nbconvert has made")
    parser.add_argument("out", help="the page that will hold all")
    asked = parser.parse_args(arguments)
    try:
        page = in_one_file(as_path(asked.page).read_text("utf-8"))
        as_path(asked.out).write_text(page, "utf-8")
    except UnicodeDecodeError:
        parser.error(f"{asked.page} is no page of HTML")
    except ValueError as problem:
        parser.error(str(problem))
    except OSError as problem:
        parser.error(f"{problem.filename}: {problem.strerror}")
    say(tr("{}: {:.0f} MB.", asked.out, len(page) / 1e6))


if __name__ == "__main__":
    main()
