"""What you have done so far, in one file on your own disk, next to the notebooks.

`sculptor_progress.json` holds which exercises were right and how many hints were taken. Nothing is
sent anywhere; deleting the file starts the course afresh. Nothing is written before there is
something to remember. `exercises.card` shows it.
"""

import json
import os
import re
from collections.abc import Callable
from pathlib import Path

from .checks import brief, check_kind, say
from .languages import tr

FILE = "sculptor_progress.json"
LAST = "08"  # the last lesson of the course; after it come the workshops
NOTHING: dict[str, bool | int] = {"right": False, "hints": 0}
State = dict[str, bool | int]  # {"right": bool, "hints": int}
_unsaved: dict[str, State] = {}  # what the disk refused to keep, until the kernel ends
_watchers: list[Callable[[dict[str, State]], None]] = []


def states() -> dict[str, State]:
    """What is known about the exercises, by their names; those not yet tried are missing.

    A file that cannot be understood is set aside, with one sentence.
    """
    path = Path(FILE)
    try:
        kept = json.loads(path.read_text("utf-8"))["exercises"]
        for state in kept.values():
            if {"right": bool, "hints": int} != {key: type(value) for key, value in state.items()}:
                raise ValueError
    except FileNotFoundError:
        kept = {}
    except OSError as error:
        say(tr("Your progress cannot be read ({}): {}.", error.strerror, path.resolve()))
        kept = {}
    except (ValueError, TypeError, KeyError, AttributeError):
        _set_aside(path)
        kept = {}
    return kept | _unsaved


def state(name: str) -> State:
    """What is known about the exercise `name`: {"right": bool, "hints": int}."""
    check_kind(name, str, tr('the name of an exercise, such as "01.1"'))
    return NOTHING | states().get(name, {})


def note(name: str, **news: bool | int) -> None:
    """Remember `right=True` or `hints=2` of the exercise `name`.

    What was once right stays right, and the highest hint counts.
    """
    check_kind(name, str, tr('the name of an exercise, such as "01.1"'))
    if any(k not in NOTHING or type(value) is not type(NOTHING[k]) for k, value in news.items()):
        raise ValueError(tr("expected right=True or hints=2, got {}", brief(news)))
    done = states()
    before = NOTHING | done.get(name, {})
    after = before | {key: max(before[key], value) for key, value in news.items()}
    if after != before:
        _write(done | {name: after})


def title(lesson: str) -> str:
    """What readers call a lesson by its number: "Lesson 08", "Workshop 09"."""
    return tr("Lesson {}", lesson) if lesson <= LAST else tr("Workshop {}", lesson)


def reset(lesson: str | None = None) -> None:
    """Forget one lesson ("01"), or everything; the file goes when nothing is left in it."""
    if lesson is not None and not (isinstance(lesson, str) and re.fullmatch(r"[0-9]{2}", lesson)):
        raise ValueError(tr('a lesson is two digits, such as "01", got {}', brief(lesson)))
    done = states()
    keep = {n: s for n, s in done.items() if lesson is not None and _lesson(n) != lesson}
    if keep != done:
        _write(keep)


def watch(told: Callable[[dict[str, State]], None]) -> None:
    """From now on, call `told` with all states as soon as this kernel notes something new."""
    _watchers.append(told)


def _lesson(name):
    return name.partition(".")[0]


def _set_aside(path):
    aside = path.with_name(path.name + ".damaged")
    try:
        os.replace(path, aside)
        say(tr("Your progress file was damaged; it is now {}, and a new one begins.", aside.name))
    except OSError as error:
        say(tr("Your progress file is damaged and cannot be moved ({}).", error.strerror))


def _write(done):
    """Replace the file in one step, so that an interrupted write harms nothing."""
    path = Path(FILE)
    half_written = path.with_name(f"{path.name}.{os.getpid()}.part")  # two notebooks may be open
    told = bool(_unsaved)
    _unsaved.clear()
    try:
        if done:
            about = tr("Your progress in Sculptor of Chaos. Delete this file to start afresh.")
            text = json.dumps({"about": about, "exercises": done}, indent=1, sort_keys=True)
            half_written.write_text(text + "\n", "utf-8")
            os.replace(half_written, path)
        else:
            path.unlink(missing_ok=True)
    except OSError as error:
        _unsaved.update(done)
        if not told:
            say(
                tr(
                    "Your progress cannot be saved here ({}): it is kept until the kernel stops.",
                    error.strerror,
                )
            )
    for told in _watchers:
        told(done)
