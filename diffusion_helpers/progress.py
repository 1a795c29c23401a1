"""What you have done so far, in one file on your own disk, next to the notebooks.

`sculptor_progress.json` holds which exercises were right and how many hints were taken. Nothing is
sent anywhere; deleting the file starts the course afresh. Nothing is written before there is
something to remember.
"""

import html
import json
import os
from pathlib import Path

from .checks import brief, check_kind
from .widgets.html import CSS, HtmlOutput

FILE = "sculptor_progress.json"
NOTHING = {"right": False, "hints": 0}
_unsaved = {}  # what the disk refused to keep, until the kernel ends


def state(name):
    """What is known about the exercise `name`: {"right": bool, "hints": int}."""
    check_kind(name, str, 'the name of an exercise, such as "01.1"')
    return NOTHING | _read().get(name, {})


def note(name, **news):
    """Remember `right=True` or `hints=2` of the exercise `name`."""
    if any(k not in NOTHING or type(value) is not type(NOTHING[k]) for k, value in news.items()):
        raise ValueError(f"expected right=True or hints=2, got {brief(news)}")
    done = _read()
    if state(name) | news != state(name):
        _write(done | {name: state(name) | news})


def reset(lesson=None):
    """Forget one lesson ("01"), or everything; the file goes when nothing is left in it."""
    _check_lesson(lesson)
    done = _read()
    keep = {n: s for n, s in done.items() if lesson is not None and _lesson(n) != lesson}
    if keep != done:
        _write(keep)


def card(lesson=None):
    """Your progress as a small card: one lesson ("01"), or all of them, their exercises folded.

    It shows what was known when the cell ran. Raises ValueError for a lesson without exercises.
    """
    from . import exercises

    there = _check_lesson(lesson)
    done = _read()
    parts = [
        _part(number, exercises.of_lesson(number), done, folded=lesson is None)
        for number in ([lesson] if lesson else there)
    ]
    title = f"Your progress in lesson {lesson}" if lesson else "Your progress"
    page = (
        f'<div class="sculptor card" role="group" aria-label="{title}">'
        f"<style>{CSS}</style>{''.join(part for part, _ in parts)}"
        f'<p class="asleep">Kept on your disk only, in {FILE}. Run this cell again to see what is '
        "new.</p></div>"
    )
    return HtmlOutput(page, "; ".join(words for _, words in parts))


def _check_lesson(lesson):
    """The lessons that there are, or one sentence unless `lesson` is one of them, or None."""
    from . import exercises  # only now: exercises note their progress here

    there = exercises.lessons()
    if lesson is not None and (not isinstance(lesson, str) or lesson not in there):
        raise ValueError(f"expected one of the lessons {', '.join(there)}, got {brief(lesson)}")
    return there


def _part(number, exercises, done, folded):
    """One lesson of the card: (HTML, the same in a few words)."""
    states = [NOTHING | done.get(e.name, {}) for e in exercises]
    right = sum(s["right"] for s in states)
    words = f"Lesson {number}: {right} of {len(exercises)} exercises right"
    lines = [
        f'<li class="{"right" if s["right"] else "open"}"><strong>{e.name}</strong> '
        f"{html.escape(e.title)}: {_words(s, len(e.hints))}</li>"
        for e, s in zip(exercises, states)
    ]
    meter = f'<progress max="{len(exercises)}" value="{right}" aria-label="{words}"></progress>'
    fold = f"<details{'' if folded else ' open'}><summary>{words}{meter}</summary>"
    return f"{fold}<ul>{''.join(lines)}</ul></details>", words


def _words(state, hints):
    words = "right" if state["right"] else "to do"
    if state["hints"] > hints:
        return f"{words}, solution seen"
    return words + {0: "", 1: ", 1 hint"}.get(state["hints"], f", {state['hints']} hints")


def _lesson(name):
    return name.partition(".")[0]


def _read():
    """Exercise -> its state. A file that cannot be understood is set aside, with one sentence."""
    path = Path(FILE)
    try:
        kept = json.loads(path.read_text("utf-8"))["exercises"]
        for state in kept.values():
            if {"right": bool, "hints": int} != {key: type(value) for key, value in state.items()}:
                raise ValueError
    except FileNotFoundError:
        kept = {}
    except OSError as error:
        print(f"Your progress cannot be read ({error.strerror}): {path.resolve()}.")
        kept = {}
    except (ValueError, TypeError, KeyError, AttributeError):
        _set_aside(path)
        kept = {}
    return kept | _unsaved


def _set_aside(path):
    aside = path.with_name(path.name + ".damaged")
    try:
        os.replace(path, aside)
        print(f"Your progress file was damaged; it is now {aside.name}, and a new one begins.")
    except OSError as error:
        print(f"Your progress file is damaged and cannot be moved ({error.strerror}).")


def _write(done):
    """Replace the file in one step, so that an interrupted write harms nothing."""
    path = Path(FILE)
    half_written = path.with_name(f"{path.name}.{os.getpid()}.part")  # two notebooks may be open
    told = bool(_unsaved)
    _unsaved.clear()
    try:
        if done:
            about = "Your progress in Sculptor of Chaos. Delete this file to start afresh."
            text = json.dumps({"about": about, "exercises": done}, indent=1, sort_keys=True)
            half_written.write_text(text + "\n", "utf-8")
            os.replace(half_written, path)
        else:
            path.unlink(missing_ok=True)
    except OSError as error:
        _unsaved.update(done)
        if not told:
            print(
                f"Your progress cannot be saved here ({error.strerror}): it is kept until the "
                "kernel stops."
            )
