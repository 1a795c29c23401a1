"""Every lesson, whole: all its trainings, as long as a student waits for them."""

import nbformat
import pytest
from browser import REPO
from nbclient import NotebookClient

LESSONS = sorted((REPO / "notebooks").glob("[0-9]*.ipynb"))


@pytest.mark.slow
@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)
def test_it_runs_from_its_first_cell_to_its_last(path, tmp_path):
    lesson = nbformat.read(path, as_version=4)
    NotebookClient(lesson, timeout=600, kernel_name="python3").execute(cwd=tmp_path)
