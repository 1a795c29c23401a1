"""Bad input: every public function, each argument spoiled, gets the right answer or one sentence.

The tables are in bad_input_*.py, one entry a function. A public function or an argument that is in
none of them fails a test, unless it stands below with a reason.
"""

import importlib
import inspect
import pkgutil
from collections import defaultdict

import bad_input_files
import bad_input_lora
import bad_input_pages
import bad_input_pictures
import bad_input_words
import pytest
from bad_input_cases import MANY, QUICK, arguments_of, try_good, try_spoiled
from hypothesis import given
from hypothesis import strategies as st

import diffusion_helpers

CASES = (
    bad_input_pictures.CASES + bad_input_words.CASES + bad_input_pages.CASES + bad_input_files.CASES
)
CASES += bad_input_lora.CASES
GOOD = [case for case in CASES if case.right]
ARGUMENTS = arguments_of(CASES)

# What begins like this is in no table, each for a reason.
ELSEWHERE = {
    "checks.": "the checks themselves: what they refuse is what all others refuse",
    "__main__.": "run from the command line: test_commands.py",
    "update.": "run from the command line: test_update.py",
    "classroom.": "for whoever keeps the server; readers never call it",
    "grain.patch_errors": "compares what a lesson computed: test_grain.py",
    "authoring.names.": "called by IPython: test_names.py",
    "exercises.card.Card": "made by card",
    "lora.as_kept": "called by our own functions, as the next two: test_lora.py, test_pocket.py",
    "lora.lora_layers": "see lora.as_kept",
    "lora.replace_part": "see lora.as_kept",
    "training.denoising_error": "called by losses, as the next: test_training.py, test_lora.py",
    "training.move_pictures": "called by losses: test_alterations.py, test_lora.py",
    "progress.title": "called with the numbers of lessons that are there",
    "progress.watch": "called by cards with a function of theirs",
    "exercises.lesson_": "solutions and typical mistakes: test_exercises.py",
    "exercises.Exercise": "made by us; its judge is in a table",
    "exercises.same": "compares what no_tensor let through",
    "exercises.off_by": "compares what no_tensor let through",
    "exercises.named": "compares what no_tensor let through",
    "exercises.makers": "reads a table of ours",
    "exercises.beside.": "draws what a reader's function makes: test_beside.py",
    "exercises.guarded.": "keeps a reader's function from doing harm: test_exercises.py",
    "exercises.questions.Option": "read from a file by of_lesson",
    "exercises.questions.Question": "read from a file by of_lesson",
    "exercises.broken_models.lesson_": "made by broken_models.broken_model",
    "authoring.export.Formula": "called by markdown2html",
    "authoring.editions.": "run from the command line by instructors; write is in a table",
    "authoring.site.": "run from the command line by instructors: test_site.py",
    "authoring.browser_words.": "reads the lessons themselves: test_site.py",
    "authoring.readme.": "reads the README itself, run by authors: test_readme.py",
    "authoring.texts.": "reads the course itself, run by authors: test_languages.py",
    "languages.": "reads our own texts; what a reader may say wrongly: test_languages.py",
    "authoring.one_file.": "run from the command line: test_living_pages.py",
    "authoring.presenter.": "reads the notebook in which it is called: test_presenter.py",
    "authoring.export.living_script": "called by nbconvert: test_living_pages.py",
    "authoring.export.language_of": "called by nbconvert, as the next: test_export.py",
    "authoring.export.show_code": "see export.language_of",
    "living.": "gathers files for pages that we build: test_living.py",
    "attention.zeroed": "called by networks with a layer of their own",
    "lora.Adapter": "made by get_adapter and load_adapter",
    "lora.LoraLayer.forward": "inside a network, which checks what it gets",
    "lora.WordLessons": "made by teach_word with what it has checked",
    "lora.LearningWords": "made by teach_vector with what it has checked",
    "lora.teach_": "ask what train asks; their words and drawings: test_lora.py",
    "lora.word_loss": "called by train with what it has checked",
    "training.PictureSet": "says what others have",
    "attention.TokenBlock": "inside a network, which checks what it gets",
    "attention.SpatialAttention": "inside a network, which checks what it gets",
    "attention.places_told_apart": "measures a shipped net: test_attention.py",
    "attention.effective_places": "measures what a lesson collected: test_attention.py",
    "recorded.": "shows what benchmarks recorded: test_recorded.py",
    "twins.Score.cells": "made by score",
    "twins.attention_to_corners": "measures a shipped net: test_twins.py",
    "twins.pixels_across": "measures a fresh net: test_twins.py",
    "widgets.attention_maps.": "draws what a lesson computed: test_attention_maps.py",
    "twins.NearBlock": "inside a network, which checks what it gets",
    "unet.TimeEmbedding": "inside a network, which checks what it gets",
    "unet.group_norm": "inside a network, which checks what it gets",
    "checkpoints.network_weights": "called by load_checkpoint and train with the tensors of a file",
    "checkpoints.pop_schedule": "called by load_checkpoint and train with the tensors of a file",
    "denoiser.Denoiser": "says what others have",
    "denoiser.as_prediction": "called by predict with what it has checked",
    "denoiser.check_": "checks: what they refuse is what predict, sample and train refuse",
    "denoiser.schedule_of": "called by samplers with their model",
    "denoiser.unwrap": "called by train and save_checkpoint with their model",
    "denoiser.velocity": "plain arithmetic, called by target with what it has checked",
    "text.EncodedText": "made by UNet.encode_text; expand_to asks what that of Text asks",
    "authoring.commands.": "gets words from argparse: test_commands.py",
    "authoring.notes.Note": "read from a file by stage_notes",
    "authoring.notes.main": "run from the command line by instructors: test_commands.py",
    "device.bf16_helps": "gets devices from tensors that were checked",
    "device.fast_": "gets tensors that were checked",
    "data.Emoji": "made by load_emoji",
    "text.Text": "made by load_words().encode, or the encoder that a UNet makes",
    "text.Captions.sample_captions": "called by train with rows of its own",
    "words.Words": "made by load_words",
    "words.PromptWarning": "a warning, given by our own code",
    "widgets.controls.Live": "made by live",
    "widgets.figures.show_bars": "draws what a lesson computed: test_figures.py",
    "widgets.figures.show_curves": "draws what a lesson computed: test_figures.py",
    "widgets.figures.show_heat_map": "draws what a lesson computed: test_figures.py",
    "widgets.figures.show_points": "draws what a lesson computed: test_figures.py",
    "widgets.figures.show_table": "shows what a lesson computed: test_figures.py",
    "widgets.html.HtmlOutput": "holds what others made",
    "widgets.html.stage": "called by scrubber and live with pictures that they have drawn",
    "optim.Muon": "made by make_optimizers",
    "training.TrainingResult": "made by train",
    "distributed.ProcessGroup": "made by train",
    "optim.set_rate": "called by train with its own optimisers",
    "optim.optimizer_step": "called by train with its own loss and optimizers",
    "training.print_progress": "called by train with its own run",
    "training.denoising_loss": "called by train with what it has checked",
    "training.fetch": "called by train with what it has checked",
    "training.drop_conditions": "called by train with what it has checked",
}
# Arguments for which anything will do, or which the function itself does not use.
FREE = {
    *(
        "agreeing",
        "attention",
        "focus",
        "text",
        "time",
        "unseen",
        "display",
        "clip_sample",
    ),  # on or off
    *("what", "each", "words", "shape", "context", "n"),  # given by our own code
    *("notes", "kw", "parts", "news", "_", "generator"),  # passed on, or not used at all
}


def public():
    """Each public function, class and method of the package, and the names of its arguments."""
    for info in pkgutil.walk_packages(diffusion_helpers.__path__, "diffusion_helpers."):
        place = info.name.removeprefix("diffusion_helpers.")
        if f"{place}.".startswith(tuple(ELSEWHERE)):
            continue
        module = importlib.import_module(info.name)
        for name, found in vars(module).items():
            if not name.startswith("_") and getattr(found, "__module__", None) == info.name:
                yield from callables(f"{place}.{name}", found)


def callables(name, found):
    """What can be called by this name: a function, or a class and its methods."""
    if inspect.isclass(found):
        if not issubclass(found, (tuple, Exception)):  # these hold what they are given
            yield name, list(inspect.signature(found).parameters)
        for part, method in vars(found).items():
            method = getattr(method, "__func__", method)  # of a static method
            if not part.startswith("_") and inspect.isfunction(method):
                yield from callables(f"{name}.{part}", method)
    elif inspect.isfunction(found):
        yield name, [a for a in inspect.signature(found).parameters if a != "self"]


def test_every_public_function_and_argument_is_in_a_table():
    tried = defaultdict(set)
    for case in CASES:
        tried[case.name] |= set(case.spoil)
    forgotten = []
    for name, arguments in public():
        if name in tried or not name.startswith(tuple(ELSEWHERE)):
            left = set(arguments) - tried.get(name, set()) - FREE
            forgotten += [f"{name}({argument})" for argument in left]
    assert not forgotten, (
        "These arguments are never spoiled: add them to a table in tests/bad_input_*.py, or say in "
        f"ELSEWHERE or FREE why not: {forgotten}"
    )


@pytest.mark.parametrize("case", GOOD, ids=lambda case: case.name)
@QUICK
@given(st.data())
def test_good_arguments_get_the_right_answer(case, data):
    try_good(case, data)


@pytest.mark.parametrize("spoiled", ARGUMENTS.values(), ids=ARGUMENTS)
@QUICK
@given(st.data())
def test_a_spoiled_argument_gets_the_right_answer_or_one_sentence(spoiled, data):
    try_spoiled(*spoiled, data)


@pytest.mark.slow
@pytest.mark.parametrize("spoiled", ARGUMENTS.values(), ids=ARGUMENTS)
@MANY
@given(st.data())
def test_many_spoiled_arguments(spoiled, data):
    try_spoiled(*spoiled, data)
