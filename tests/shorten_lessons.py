"""Lessons made shorter, for tests of what they do; tests/test_whole_lessons.py runs them whole."""

import re

import nbformat

SHORTER = {  # what makes a lesson long, and a value that is enough to move its controls
    r"\bseconds=\d+": "seconds=2",
    r"\bSTEPS = \d+": "STEPS = 6",
    r"\bN = (1[7-9]|[2-9]\d|\d{3,})\b": "N = 16",
    r"\bMANY = \d+": "MANY = 4",
    r"steps=\d\d+": "steps=5",  # a lesson that needs them all gives the number without its name
    r"\bsteps=Slider\(1, \d+, start=\d+": "steps=Slider(1, 6, start=4",  # moved to both its ends
}


def shorter(code):
    """The code of a cell, its training shortened."""
    for long, short in SHORTER.items():
        code = re.sub(long, short, code)
    return code


def shortened(path):
    """A lesson as a notebook, its trainings shortened."""
    lesson = nbformat.read(path, as_version=4)
    for cell in lesson.cells:
        cell.source = shorter(cell.source)
    return lesson
