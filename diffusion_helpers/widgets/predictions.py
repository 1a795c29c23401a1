"""Predict, then reveal: say what you expect, run on, and see what happened beside what you said.

jupyterquiz judges an answer at once, which spoils a prediction; here the answer is kept, and
judged only by what the lesson then measures. Questions, options and explanations stand in
exercises/questions, so that no notebook holds an answer. Each output is HTML that carries its own
script. The choice stays in the browser, so it needs no kernel, survives a restart, and works in an
exported page. Where each output stands in a frame of its own, the frames tell one another. Without
the script the question and every explanation can still be read.
"""

import html
import json

from ..checks import brief
from ..exercises import questions
from ..progress import title
from .html import AGAIN, CSS, KEYS, STATIC, HtmlOutput, as_html

SCRIPT = KEYS + (STATIC / "prediction.js").read_text("utf-8")
UNSEEN = "Run this cell to answer: your choice is then kept in this browser."
SCORE = (STATIC / "score.js").read_text("utf-8")
UNCOUNTED = (
    "Run this cell: your predictions stay in your browser, so only there can they be counted."
)
UNTOLD = "Run this cell to see it beside your prediction."


def ask(name):
    """Ask the question `name` ("01.a"): the reader chooses an option and is not judged yet.

    Raises ValueError for an unknown name, and where the file of the lesson's questions has another
    shape than exercises/questions/README.md says.
    """
    question = questions.find(name)
    # JupyterLab takes the arrow keys unless a control says data-lm-suppress-shortcuts.
    radios = "".join(
        f'<label><input type="radio" name="prediction-{name}" value="{key}" autocomplete="off"'
        f" data-lm-suppress-shortcuts><span>{as_html(option.words)}</span></label>"
        for key, option in question.options.items()
    )
    page = f"""
<div class="sculptor prediction" data-prediction="{name}">
<style>{CSS}</style>
<fieldset><legend>{as_html(question.text)}</legend>{radios}</fieldset>
<div class="last"><p class="caption" aria-live="polite"></p>
<button type="button" class="quiet" hidden="hidden" title="{AGAIN}"
 data-lm-suppress-shortcuts>Start over</button></div>
<p class="asleep">{UNSEEN}</p>
<script>{_script(name)}</script>
</div>"""
    words = " / ".join(option.words for option in question.options.values())
    return HtmlOutput(page, f"Predict: {question.text} {words}")


def reveal(name, truth, measured):
    """Show what was predicted at `name`, what happened, and the explanation of that choice.

    `truth` is the key of the option that turned out right, decided by measured numbers where that
    is possible; `measured` are the words with those numbers. Raises ValueError as `ask` does, and
    when `truth` is the key of no option.
    """
    question = questions.find(name)
    if not isinstance(truth, str) or truth not in question.options:
        keys = brief(list(question.options))
        raise ValueError(f"expected truth among {keys}, got {brief(truth)}")
    if not str(measured).strip():
        raise ValueError("expected the measured words, got nothing")
    happened, measured = question.options[truth].words, str(measured)
    why = "".join(
        f'<details data-option="{key}"><summary><span>{as_html(option.words)}</span>'
        f"{' <strong>(this happened)</strong>' if key == truth else ''}</summary>"
        f"<p>{as_html(option.why)}</p></details>"
        for key, option in question.options.items()
    )
    page = f"""
<div class="sculptor revealed" data-prediction="{name}" data-truth="{truth}"
 role="group" aria-label="What happened: {html.escape(question.text)}">
<style>{CSS}</style>
<p class="title">{as_html(question.text)}</p>
<p class="said" aria-live="polite" hidden="hidden"></p>
<p class="happened"><strong>What happened:</strong> {as_html(happened)}. {as_html(measured)}</p>
{why}
<p class="asleep">{UNTOLD}</p>
<script>{_script(name)}</script>
</div>"""
    return HtmlOutput(page, f"What happened: {happened}. {measured}")


def prediction_score():
    """Show how many of all questions of the course were predicted right, and how many by lesson.

    The browser counts, from the predictions that it keeps and from what each `reveal` told it; the
    kernel never learns them. What was not answered, or not revealed yet, is said.
    """
    asked = {
        number: {name: list(question.options) for name, question in found.items()}
        for number in questions.lessons()
        if (found := questions.of_lesson(number))
    }
    lines = "".join(
        f'<p data-lesson="{number}">{title(number)}: <span>not counted</span></p>'
        for number in asked
    )
    page = f"""
<div class="sculptor card score" role="group" aria-label="Your predictions">
<style>{CSS}</style>
<p class="title">Your predictions</p>
<p class="said" aria-live="polite" hidden="hidden"></p>
<details><summary>Lesson by lesson</summary>{lines}</details>
<p class="asleep">{UNCOUNTED}</p>
<script>{SCORE.replace("QUESTIONS", json.dumps(asked), 1)}</script>
</div>"""
    return HtmlOutput(page, f"Your predictions. {UNCOUNTED}")


def _script(name):
    return SCRIPT.replace("NAME", json.dumps(name), 1)
