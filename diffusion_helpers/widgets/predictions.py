"""Predict, then reveal: say what you expect, run on, and see what happened beside what you said.

jupyterquiz judges an answer at once, which spoils a prediction; here the answer is kept, and
judged only by what the lesson then measures. Each output is HTML that carries its own script. The
choice stays in the browser, so it needs no kernel, survives a restart, and works in an exported
page. Without the script the question and every explanation can still be read.
"""

import html
import json
import re

from ..checks import brief
from .html import AGAIN, CSS, STATIC, HtmlOutput, as_html

SCRIPT = (STATIC / "prediction.js").read_text("utf-8")
NAME = re.compile(r"\d\d\.[a-z]")
UNSEEN = "Run this cell to answer: your choice is then kept in this browser."
UNTOLD = "Run this cell to see it beside your prediction."
_asked = {}  # name -> (question, options), for `reveal`


def predict(name, question, options):
    """Ask `question`; the reader chooses one of `options` and is not judged yet.

    `name` is the lesson and a letter, "01.a", one of its own for each question of the course.
    `options` maps what can be chosen to why that is wrong, or right and why; `reveal` shows that
    later. `code` in backticks stays code. Raises ValueError for a name of another form, an empty
    question, fewer than two options, or one without its explanation.
    """
    if not isinstance(name, str) or not NAME.fullmatch(name):
        raise ValueError(f'expected a name like "01.a", got {brief(name)}')
    if not _filled(question) or not isinstance(options, dict) or len(options) < 2:
        raise ValueError(f"expected a question and at least two options, got {brief(options)}")
    mute = [option for option, why in options.items() if not _filled(option, why)]
    if mute:
        raise ValueError(f"expected an explanation of each option, got none of {brief(mute)}")
    _asked[name] = question, dict(options)
    # JupyterLab takes the arrow keys unless a control says data-lm-suppress-shortcuts.
    radios = "".join(
        f'<label><input type="radio" name="prediction-{name}" value="{html.escape(option)}"'
        f' autocomplete="off" data-lm-suppress-shortcuts><span>{as_html(option)}</span></label>'
        for option in options
    )
    page = f"""
<div class="sculptor prediction" data-prediction="{name}">
<style>{CSS}</style>
<fieldset><legend>{as_html(question)}</legend>{radios}</fieldset>
<div class="last"><p class="caption" aria-live="polite"></p>
<button type="button" class="quiet" hidden="hidden" title="{AGAIN}"
 data-lm-suppress-shortcuts>Start over</button></div>
<p class="asleep">{UNSEEN}</p>
<script>{_script(name)}</script>
</div>"""
    return HtmlOutput(page, f"Predict: {question} {' / '.join(options)}")


def reveal(name, truth, measured):
    """Show what was predicted at `name`, what happened, and the explanation of that choice.

    `truth` is the option that turned out right, decided by measured numbers where that is
    possible; `measured` are the words with those numbers. Raises ValueError when the question has
    not been asked in this session, or when `truth` is none of its options.
    """
    if not isinstance(name, str) or name not in _asked:
        raise ValueError(f"run the cell with predict({brief(name)}, ...) first")
    question, options = _asked[name]
    if not isinstance(truth, str) or truth not in options:
        raise ValueError(f"expected truth among {brief(list(options))}, got {brief(truth)}")
    if not str(measured).strip():
        raise ValueError("expected the measured words, got nothing")
    why = "".join(
        f'<details data-option="{html.escape(option)}"><summary>{as_html(option)}'
        f"{' <strong>(this happened)</strong>' if option == truth else ''}</summary>"
        f"<p>{as_html(reason)}</p></details>"
        for option, reason in options.items()
    )
    page = f"""
<div class="sculptor revealed" data-prediction="{name}" data-truth="{html.escape(truth)}"
 role="group" aria-label="What happened: {html.escape(question)}">
<style>{CSS}</style>
<p class="title">{as_html(question)}</p>
<p class="said" aria-live="polite" hidden="hidden"></p>
<p class="happened"><strong>What happened:</strong> {as_html(truth)}. {as_html(str(measured))}</p>
{why}
<p class="asleep">{UNTOLD}</p>
<script>{_script(name)}</script>
</div>"""
    return HtmlOutput(page, f"What happened: {truth}. {measured}")


def _filled(*texts):
    return all(isinstance(text, str) and text.strip() for text in texts)


def _script(name):
    return SCRIPT.replace("NAME", json.dumps(name), 1)
