"""Diagnose it: broken Sculptors, one a lesson, whose fault a reader finds by experiments.

One module a lesson, `lesson_03` and so on, makes the patient in its function `broken_model`. Do not
read them before you have tried.
"""

import importlib
import pkgutil

from ...checks import brief
from ...languages import tr


def broken_model(lesson, device=None):
    """The broken Sculptor of a lesson ("03"), on `device` (default: `pick_device()`).

    Raises ValueError for a lesson that has none.
    """
    there = sorted(m.name.removeprefix("lesson_") for m in pkgutil.iter_modules(__path__))
    if not isinstance(lesson, str) or lesson not in there:
        known = ", ".join(there)
        raise ValueError(tr("lessons with a broken model are {}, got {}", known, brief(lesson)))
    return importlib.import_module(f"{__name__}.lesson_{lesson}").broken_model(device)
