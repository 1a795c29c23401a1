"""The network is off in every test, and in every Python process that a test starts."""

import importlib.util
import os
from pathlib import Path

OFFLINE = Path(__file__).parent / "tests" / "offline"


def pytest_configure():
    paths = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    if str(OFFLINE) not in paths:
        os.environ["PYTHONPATH"] = os.pathsep.join([str(OFFLINE), *filter(None, paths)])
    os.environ["HF_HUB_OFFLINE"] = "1"
    # Test machines are shared: threads that wait should sleep, not spin (read when torch loads).
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    if "PYTEST_XDIST_WORKER" in os.environ:  # a worker beside others: threads would fight for cores
        os.environ.setdefault("OMP_NUM_THREADS", "1")

    spec = importlib.util.spec_from_file_location("offline_guard", OFFLINE / "sitecustomize.py")
    spec.loader.exec_module(importlib.util.module_from_spec(spec))  # guards this process
