"""What bad input once did, one named test a bug; the tables of test_bad_input.py found them."""

import json
import math
from fractions import Fraction
from unittest import mock

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from PIL import Image

from diffusion_helpers import (
    Pictures,
    UNet,
    add_noise,
    cosine_schedule,
    ddim,
    ddpm,
    exercises,
    frechet_distance,
    load_checkpoint,
    nearest,
    precision_recall,
    predict,
    progress,
    pure_noise,
    rank_among,
    sample,
    timesteps,
    train,
)
from diffusion_helpers.attention import attend
from diffusion_helpers.authoring.export import markdown2html
from diffusion_helpers.checkpoints import quantize_int8, save_tensors
from diffusion_helpers.denoiser import target
from diffusion_helpers.exercises.broken_models import broken_model
from diffusion_helpers.pocket import format_prompt, load_pipeline, load_pocket
from diffusion_helpers.sampling import guided
from diffusion_helpers.scenes import captions, draw_scenes, rasterise, same_scene
from diffusion_helpers.text import Captions, empty_text
from diffusion_helpers.training import TrainingResult
from diffusion_helpers.widgets import figures
from diffusion_helpers.widgets.controls import Choice, Prompt, Seed, Slider, Switches, live
from diffusion_helpers.widgets.html import HtmlOutput
from diffusion_helpers.widgets.predictions import reveal
from diffusion_helpers.widgets.scrubber import scrubber
from diffusion_helpers.widgets.training_report import LiveReport
from diffusion_helpers.words import load_words

COSINE = cosine_schedule()
HALF = "\ud83c"  # the first half of an emoji; no file and no message can hold it
NAN = math.nan


def pictures(*shape):
    return torch.rand(shape or (2, 3, 8, 8), generator=torch.Generator().manual_seed(0)) * 2 - 1


def network():
    return UNet((3, 8, 8), widths=(16,), blocks=1).eval()


def refused(words):
    """One sentence with these words."""
    return pytest.raises((ValueError, OSError), match=words)


def saying(answer):
    """A network that always answers the same."""

    def model(*_):
        return answer

    model.predicts = "velocity"
    return model


# ---- noise levels and schedules -----------------------------------------------------------------


@pytest.mark.parametrize("kind", [torch.uint8, torch.int8, torch.int16])
def test_every_kind_of_whole_number_is_a_noise_level(kind):
    """Bytes were taken as a mask, shorter ones not at all."""
    x_0, eps, t = pictures(), pictures(), torch.tensor([3, 100])
    assert torch.equal(add_noise(x_0, t.to(kind), eps, COSINE), add_noise(x_0, t, eps, COSINE))


def test_dust_that_is_no_number_covers_no_picture():
    with refused("NaN or infinite"):
        add_noise(pictures(), 5, pictures() / 0, COSINE)


def test_square_roots_are_never_rounded_to_whole_numbers():
    """For pictures of bytes they were 0 and 0, so that nothing was left of anything."""
    with refused("in floats, got torch.uint8"):
        COSINE.rates(5, like=torch.zeros(2, 3, 8, 8, dtype=torch.uint8))


def test_a_row_of_numbers_is_no_schedule_yet():
    with refused("a Schedule, such as cosine_schedule"):
        add_noise(pictures(), 5, pictures(), COSINE.alpha_bar)


@pytest.mark.parametrize("t", [NAN, 0.5, True, torch.tensor([1.0, NAN])])
def test_a_network_is_told_whole_numbers(t):
    """It took NaN for a time, and answered with NaN."""
    with refused("t is a whole number"):
        network()(pictures(), t)


# ---- networks and samplers ----------------------------------------------------------------------


def test_the_answer_of_one_picture_is_not_spread_over_all():
    with refused("a tensor like x_t"):
        predict(saying(torch.zeros(1, 3, 8, 8)), COSINE, pictures(), 5)


def test_a_broken_network_draws_no_picture():
    broken = network()
    broken.leave.bias.data[:] = NAN
    with refused("clean picture at t = 999 holds NaN"):
        sample(broken, steps=1)


@pytest.mark.parametrize("scale", [1e300, -1e39])
def test_guidance_without_measure_draws_no_picture(scale):
    listener = UNet((3, 8, 8), widths=(16,), blocks=1, text=True).eval()
    listener.leave.weight.data += 0.1
    listener.text.whole.weight.data += 0.1
    text = load_words().encode("a cat")
    with refused("NaN or infinite"):
        list(ddim(guided(listener, text, scale=scale), pure_noise(1, (3, 8, 8)), steps=1))


def test_a_number_too_large_for_any_format_is_one_sentence():
    with refused("guidance_scale is a number, got 1000"):
        guided(UNet((3, 8, 8), widths=(16,), text=True), empty_text(1), scale=10**400)


def test_true_is_no_number():
    """It counted as 1."""
    for call in (
        lambda: timesteps(True),
        lambda: pure_noise(True),
        lambda: sample(network(), n=True),
    ):
        with refused("is a whole number from 1"):
            call()


@pytest.mark.parametrize("seed", [2**64 - 1, 10**30])
def test_every_whole_number_is_a_seed(seed):
    """The largest ones made ddpm fail deep in torch."""
    x_T = pure_noise(1, (3, 8, 8), seed=seed)
    first, same = (list(ddpm(network(), x_T, steps=2, seed=seed))[-1].x_t for _ in range(2))
    assert torch.equal(first, same) and first.std() > 0.5


def test_a_card_that_is_not_there_is_one_sentence():
    for call in (
        lambda: pure_noise(1, device="cuda:99"),
        lambda: load_checkpoint("apprentice", "cuda:99"),
    ):
        with refused("this machine has no device 'cuda:99'"):
            call()


def test_pictures_on_another_device_or_in_another_format_are_one_sentence():
    for x_t in (pictures().double(), pictures().half(), pictures().to("meta")):
        with refused("convert one of them with .to"):
            network()(x_t, 5)


def test_every_multiple_of_16_is_a_width():
    """112 numbers cannot be shared by the three heads that they were to have."""
    net = UNet((3, 8, 8), widths=(112,), blocks=1, attention=True)
    assert net(pictures(), 5).shape == (2, 3, 8, 8)
    with refused("widths are multiples of 16"):
        UNet(widths=(50,))


def test_the_keys_of_one_picture_are_not_spread_over_all():
    with refused("expected keys of shape"):
        attend(pictures(2, 1, 3, 4), pictures(1, 1, 5, 4), pictures(1, 1, 5, 4))


# ---- the judge ----------------------------------------------------------------------------------


def test_features_that_are_no_numbers_have_no_distance():
    """The precision was 0, without a word."""
    good, bad = pictures(9, 4), pictures(9, 4) / 0
    for judged in (frechet_distance, precision_recall):
        with refused("features hold NaN"):
            judged(good, bad)


def test_pictures_beyond_all_measure_are_one_sentence():
    """A network answered with NaN, and the nearest of them was infinitely far."""
    for look in (lambda x: network()(x, 5), lambda x: nearest(x, pictures())):
        with refused("some beyond a billion"):
            look(pictures() * 1e30)


def test_galleries_of_another_size_are_one_sentence():
    with refused("need one shape"):
        nearest(pictures(), pictures(2, 3, 9, 9))


def test_a_row_outside_the_gallery_is_one_sentence():
    scenes = pictures(2, 3, 32, 32)
    with refused("truth lie in 0..1"):
        rank_among(scenes, scenes, torch.tensor([0, -1]))


# ---- words and scenes ---------------------------------------------------------------------------


def test_shares_may_be_whole_numbers():
    """They failed in the first step of a training."""
    told = Captions(load_words(), [["a cat", "cat"]], [None], [[1, 3]])
    assert len(told.sample_captions(torch.zeros(5, dtype=torch.long), torch.Generator())) == 5


@pytest.mark.parametrize("shares", [[[NAN, 1]], [[-1, 2]], [[0, 0]], [[math.inf, 1]]])
def test_shares_that_cannot_be_drawn_are_one_sentence(shares):
    with refused("every caption needs its share"):
        Captions(load_words(), [["a cat", "cat"]], [None], shares)


def test_prompts_without_an_order_are_one_sentence():
    for prompts in ({"a cat", "a dog"}, {"a cat": "noto"}):
        with refused("a text or a list of them"):
            load_words().encode(prompts)


def test_attributes_below_zero_are_not_counted_from_the_end():
    """-1 was drawn in black, and told as "right of"."""
    unreadable = torch.full((1, 7), -1)
    with refused("keep those that are well_formed"):
        draw_scenes(unreadable, torch.Generator())
    with refused("attributes count from 0"):
        captions(torch.tensor([[0, 0, 0, 4, 0, 0, 0]]))


def test_one_scene_is_not_compared_with_all_others():
    scenes = torch.zeros(3, 7, dtype=torch.long)
    with refused("got 1 and 3"):
        same_scene(scenes[:1], scenes)


def test_an_unknown_shape_is_no_triangle():
    place = torch.tensor([16.0])
    with refused(r"shapes lie in 0\.\.2, got 3"):
        rasterise(place, place, place / 4, torch.tensor([3]))
    with refused("finite numbers for its centre"):
        rasterise(place * NAN, place, place / 4, torch.tensor([0]))


# ---- pictures and files -------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["I", "F"])
def test_numbers_of_32_bits_are_not_cut_at_255(mode):
    with refused(f"in mode {mode}: convert it"):
        Pictures([Image.new(mode, (4, 4), 60_000)])[0]


@pytest.mark.parametrize("kind", [torch.int64, torch.bool, torch.complex64])
def test_tensors_that_are_neither_bytes_nor_floats_are_one_sentence(kind):
    with refused("of uint8 or floats, got torch"):
        Pictures([torch.zeros(3, 4, 4).to(kind)])[0]


@pytest.mark.parametrize("name", ["a" * 9999, "\x00", HALF, "a\nb"])
def test_names_that_no_disk_can_hold_are_one_sentence(name):
    calls = (Pictures, load_pipeline, lambda n: load_checkpoint(f"{n}.safetensors"))
    for call in calls:
        with refused("the name of a file or a folder"):
            call(name)


def test_a_folder_that_is_no_pipeline_is_not_searched(tmp_path):
    """`load_pipeline("/")` looked through the whole disk."""
    with (
        mock.patch("pathlib.Path.rglob", side_effect=AssertionError),
        refused("there is no pipeline to load in"),
    ):
        load_pipeline(tmp_path)


def test_a_broken_network_is_not_kept(tmp_path):
    with refused("weights a hold NaN"):
        quantize_int8({"a": torch.tensor([NAN])})
    with refused("notes are kept as JSON"):
        save_tensors(tmp_path / "a.safetensors", {}, {"a": object()})


@pytest.mark.parametrize("budget", [{"steps": math.inf}, {"steps": NAN}, {"seconds": NAN}])
def test_a_training_has_an_end(budget):
    """One never ended, the others called themselves finished after a step."""
    with refused("the budget in"):
        train(network(), pictures(), **budget)


def test_the_dust_of_one_picture_is_not_the_target_of_all():
    with refused("eps must have the shape of x_0"):
        target("noise", pictures(), pictures()[:1], 5, COSINE)


# ---- pages --------------------------------------------------------------------------------------


def test_pictures_brighter_than_any_number_are_not_shown_as_white():
    with refused("NaN or infinite numbers in 1 of 2"):
        figures.to_uint8(torch.stack([pictures(3, 8, 8), torch.full((3, 8, 8), math.inf)]))


@pytest.mark.parametrize("part", ["columns", "height"])
def test_sizes_bring_no_markup_into_the_page(part):
    with refused(f"{part} is a whole number"):
        figures.show_pictures(pictures(), "two", **{part: '1"><script>alert(1)</script>'})


def test_the_letters_of_a_word_are_no_captions():
    with refused("expected a list of captions"):
        figures.show_pictures(pictures(), "two", captions="ab")
    with refused("expected a list of captions"):
        scrubber({"x": pictures()}, "ab")


def test_a_dollar_in_a_title_is_one_sentence():
    fig, ax = plt.subplots()
    ax.set_title(r"$\nothing$")
    with refused("the figure cannot be drawn") as raised:
        figures.show(fig, "a title")
    assert "\n" not in str(raised.value)


def test_half_an_emoji_reaches_no_page():
    """No page could be shown or saved that held one."""
    shown = scrubber({HALF: pictures()}, [HALF, "b"], label=HALF, alt=HALF)
    for fragment in (shown, reveal("01.a", "half", HALF), HtmlOutput(HALF, HALF)):
        assert fragment._repr_html_().encode() and repr(fragment).encode()
    with mock.patch.object(figures, "display") as display:
        figures.show_pictures(pictures(), HALF, captions=[HALF, "b"])
    assert display.call_args.args[0].data.encode()
    assert markdown2html({}, f"${HALF}$ {HALF}").encode()


def test_half_an_emoji_in_a_prompt_is_answered():
    """The control waited for ever."""
    control = live(lambda wish: ({"a": pictures()}, wish), wish=Prompt("a"), alt="a")
    control._hear(control, {"view": "me", "id": 1, "values": [HALF]}, [])
    assert control.frame["caption"] == "?" and control.frame["done"]
    control._hear(control, {"view": HALF, "id": 2, "values": [HALF * 999]}, [])
    assert json.dumps(control.frame["trouble"], ensure_ascii=False).encode()


def test_half_an_emoji_can_be_spelled():
    pytest.importorskip("diffusers")
    assert format_prompt(load_pocket("cpu"), HALF, "noto") == "?, noto"


def test_a_control_says_what_its_function_should_have_given():
    for wrong in (None, pictures(), ({}, "a"), ({"a": pictures()}, "a", 7)):
        with refused("the drawing function|share is a number"):
            live(lambda level: wrong, alt="a", level=Slider(0, 9, start=3))  # noqa: B023


@pytest.mark.parametrize(
    "make",
    [
        lambda: Seed(-1),
        lambda: Seed("3"),
        lambda: Slider("0", 9, 3),
        lambda: Slider(0, math.inf, 3),
        lambda: Choice("ab"),
        lambda: Choice({"a", "b"}),
        lambda: Switches(("a",), start="a"),
        lambda: live(lambda level: None, alt="a", level=5),
    ],
)
def test_controls_that_no_page_can_show_are_one_sentence(make):
    with refused("expected|is a "):
        make()


def test_true_is_no_choice_and_a_word_no_switch():
    with refused("the number of one of"):
        Choice(["a", "b"]).read(True, None)
    with refused("expected 1 switches"):
        Switches(("a",)).read(["off"], None)


def test_whatever_a_page_sends_is_answered():
    control = live(lambda level: ({"a": pictures()}, level), level=Slider(0, 9, start=3), alt="a")
    for request in (None, [], {"values": None}):
        control._hear(control, request, [])
        assert control.frame["trouble"].startswith("expected 1 values") and control.frame["done"]


def test_a_report_before_the_first_step_is_one_sentence():
    with refused("share is a number"):
        LiveReport(n=1)(TrainingResult([1.0], 1.0), 0, network())
    with refused("at least one loss"):
        LiveReport(n=1)(TrainingResult(), 0.5, network())


def test_a_share_may_be_a_fraction(capsys):
    """Python before 3.12 cannot print one as a percentage."""
    report = LiveReport(n=1, steps=1)
    report(TrainingResult([1.0], 1.0), Fraction(1, 3), network())
    assert len(report.history) == 1


def test_one_number_is_no_data_set():
    with refused("expected a data set of pictures"):
        train(network(), torch.tensor(3.0), steps=1)


# ---- exercises and progress ---------------------------------------------------------------------


def test_progress_that_nobody_could_read_is_not_written(tmp_path, monkeypatch):
    """It was taken for a damaged file, and all that was done before was set aside."""
    monkeypatch.chdir(tmp_path)
    progress.note("01.1", right=True)
    with refused("right=True or hints=2"):
        progress.note("01.2", right=1)
    assert progress.state("01.1")["right"]


def test_what_is_no_lesson_is_not_silently_kept():
    for lesson in (1, "1"):
        with refused('a lesson is two digits, such as "01"'):
            progress.reset(lesson)


@pytest.mark.parametrize("number", [np.zeros(3), torch.zeros(2, 3), torch.tensor(2), True])
def test_a_hint_whose_number_is_none_gets_one_sentence(number, tmp_path, monkeypatch, capsys):
    """`in range(...)` has no answer for an array, and counts True as 1."""
    monkeypatch.chdir(tmp_path)
    exercises.hint("01.1", number)
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith("There is no hint ") and line.endswith("or 3 for our solution.")


def test_a_long_name_is_told_briefly():
    with refused("There is no exercise") as raised:
        exercises.find("x" * 99_999)
    assert len(str(raised.value)) < 200


@pytest.mark.parametrize("lesson", [np.zeros(3), torch.zeros(2, 3), 3])
def test_what_is_no_name_of_a_lesson_is_told_briefly(lesson):
    with refused("lessons with exercises are 01, 02"):
        exercises.of_lesson(lesson)
    with refused("lessons with a broken model are 03, 04") as raised:
        broken_model(lesson)
    assert "\n" not in str(raised.value)


def test_an_endless_error_in_a_students_function_is_told_briefly():
    def endless(*_):
        raise RuntimeError("x" * 99_999)

    assert len(exercises.find("01.1").judge(endless)) < 400
