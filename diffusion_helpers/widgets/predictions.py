"""Predict, then reveal: say what you expect, run on, and see what happened beside what you said.

jupyterquiz judges an answer at once, which spoils a prediction; here the answer is kept, and
judged only by what the lesson then measures. Questions, options and explanations stand in
exercises/questions, so that no notebook holds an answer. Each output is HTML that carries its own
script. The choice stays in the browser, so it needs no kernel, survives a restart, and works in an
exported page. Where each output stands in a frame of its own, the frames tell one another. Without
the script the question and every explanation can still be read.
"""

import json

from ..checks import brief
from ..exercises import questions
from ..languages import marked, spoken, tr
from ..languages.javascript import in_scope
from ..progress import title
from .figures import escape
from .html import AGAIN, CSS, KEYS, STATIC, HtmlOutput, as_html

SCRIPT = KEYS + (STATIC / "prediction.js").read_text("utf-8")
UNSEEN = marked("Run this cell to answer: your choice is then kept in this browser.")
SCORE = (STATIC / "score.js").read_text("utf-8")
UNCOUNTED = marked(
    "Run this cell: your predictions stay in your browser, so only there can they be counted."
)
UNTOLD = marked("Run this cell to see it beside your prediction.")


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
<div class="sculptor prediction" lang="{spoken().code}" data-prediction="{name}">
<style>{CSS}</style>
<fieldset><legend>{as_html(question.text)}</legend>{radios}</fieldset>
<div class="last"><p class="caption" aria-live="polite"></p>
<button type="button" class="quiet" hidden="hidden" title="{escape(tr(AGAIN))}"
 data-lm-suppress-shortcuts>{tr("Start over")}</button></div>
<p class="asleep">{tr(UNSEEN)}</p>
<script>{_script(name)}</script>
</div>"""
    words = " / ".join(option.words for option in question.options.values())
    return HtmlOutput(page, tr("Predict: {} {}", question.text, words))


def reveal(name, truth, measured):
    """Show what was predicted at `name`, what happened, and the explanation of that choice.

    `truth` is the key of the option that turned out right, decided by measured numbers where that
    is possible; `measured` are the words with those numbers. Raises ValueError as `ask` does, and
    when `truth` is the key of no option.
    """
    question = questions.find(name)
    if not isinstance(truth, str) or truth not in question.options:
        keys = brief(list(question.options))
        raise ValueError(tr("expected truth among {}, got {}", keys, brief(truth)))
    if not str(measured).strip():
        raise ValueError(tr("expected the measured words, got nothing"))
    happened, measured = question.options[truth].words, str(measured)
    this = f" <strong>{tr('(this happened)')}</strong>"
    why = "".join(
        f'<details data-option="{key}"><summary><span>{as_html(option.words)}</span>'
        f"{this if key == truth else ''}</summary>"
        f"<p>{as_html(option.why)}</p></details>"
        for key, option in question.options.items()
    )
    what, label = tr("What happened:"), tr("What happened: {}", question.text)
    page = f"""
<div class="sculptor revealed" lang="{spoken().code}" data-prediction="{name}" data-truth="{truth}"
 role="group" aria-label="{escape(label)}">
<style>{CSS}</style>
<p class="title">{as_html(question.text)}</p>
<p class="said" aria-live="polite" hidden="hidden"></p>
<p class="happened"><strong>{what}</strong> {as_html(happened)}. {as_html(measured)}</p>
{why}
<p class="asleep">{tr(UNTOLD)}</p>
<script>{_script(name)}</script>
</div>"""
    return HtmlOutput(page, f"{what} {happened}. {measured}")


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
        f'<p data-lesson="{number}">{title(number)}: <span>{tr("not counted")}</span></p>'
        for number in asked
    )
    yours, uncounted = tr("Your predictions"), tr(UNCOUNTED)
    script = in_scope(SCORE).replace("= QUESTIONS;", f"= {json.dumps(asked)};", 1)
    page = f"""
<div class="sculptor card score" lang="{spoken().code}" role="group" aria-label="{yours}">
<style>{CSS}</style>
<p class="title">{yours}</p>
<p class="said" aria-live="polite" hidden="hidden"></p>
<details><summary>{tr("Lesson by lesson")}</summary>{lines}</details>
<p class="asleep">{uncounted}</p>
<script>{script}</script>
</div>"""
    return HtmlOutput(page, f"{yours}. {uncounted}")


def _script(name):
    return in_scope(SCRIPT).replace("= NAME;", f"= {json.dumps(name)};", 1)
