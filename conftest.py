"""The network is off in every test, and in every Python process that a test starts.

And the lessons run with shorter trainings; `pytest -m slow` runs them whole.
"""

import importlib.util
import os
from pathlib import Path

import pytest

TESTS = Path(__file__).parent / "tests"
OFFLINE = TESTS / "offline"
BROWSER = "test_lessons.py"
collect_ignore_glob = ["notebooks/my_*"]  # a reader's own, kept there by an update


def pytest_configure():
    paths = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    if str(OFFLINE) not in paths:
        os.environ["PYTHONPATH"] = os.pathsep.join([str(OFFLINE), *filter(None, paths)])
    os.environ["HF_HUB_OFFLINE"] = "1"
    # Test machines are shared: threads that wait should sleep, not spin (read when torch loads).
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    if "PYTEST_XDIST_WORKER" in os.environ:  # a worker beside others: threads would fight for cores
        os.environ.setdefault("OMP_NUM_THREADS", "1")

    _load(OFFLINE / "sitecustomize.py")  # guards this process


def pytest_collection_modifyitems(items):
    shorter = _load(TESTS / "shorten_lessons.py").shorter
    for item in items:
        if hasattr(item, "cell"):  # of a lesson, from nbval
            item.cell.source = shorter(item.cell.source)
    # The longest first, so that all workers end together: lessons in a browser, then their cells.
    items.sort(key=lambda item: (item.path.name != BROWSER, item.path.suffix != ".ipynb"))


@pytest.hookimpl(optionalhook=True)  # of pytest-xdist
def pytest_xdist_make_scheduler(config, log):
    """A file stays with one worker; of the longest one, each lesson does."""
    from xdist.scheduler import LoadFileScheduling

    class ByLesson(LoadFileScheduling):
        def _split_scope(self, nodeid):
            file, _, test = nodeid.partition("::")
            return file + test[test.find("[") :] if file.endswith(BROWSER) else file

    return ByLesson(config, log)


def _load(path):
    """The module in a file that is in no package."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
