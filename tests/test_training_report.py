"""The live view keeps what it showed, and its pictures are what the network really makes."""

import signal

import torch

from diffusion_helpers import UNet, sample, train
from diffusion_helpers.checkpoints import load_tensors
from diffusion_helpers.data import DATA
from diffusion_helpers.widgets.training_report import LiveReport


def test_history_holds_the_samples_of_the_network_at_each_report():
    torch.manual_seed(0)
    model = UNet(image_shape=(3, 8, 8), widths=(16, 32), blocks=1, time=False)
    watch = LiveReport(n=2, steps=3, seed=4)
    pictures = torch.rand(6, 3, 8, 8) * 2 - 1
    run = train(model, pictures, steps=4, batch=2, report=watch, reports=2)
    assert [steps for steps, _, _ in watch.history] == [2, 4]
    assert run.finished
    torch.testing.assert_close(watch.history[-1][2], sample(model, steps=3, seed=4, n=2))
    assert not torch.equal(watch.history[0][2], watch.history[1][2])


def test_the_live_page_says_where_the_training_stands_and_names_every_picture():
    torch.manual_seed(0)
    model = UNet(image_shape=(3, 8, 8), widths=(16, 32), blocks=1, time=False)
    watch, pages = LiveReport(n=2, steps=2), []
    watch._draw = pages.append
    train(model, torch.zeros(4, 3, 8, 8), steps=4, batch=2, report=watch, reports=2)
    assert "50%, step 2" in pages[0].data
    assert "100%, step 4" in pages[1].data
    assert pages[0].data.count("<img alt=") == 2


def test_after_a_stop_no_time_is_promised():
    model = UNet(image_shape=(3, 8, 8), widths=(16, 32), blocks=1, time=False)
    watch, pages = LiveReport(n=1, steps=1), []
    watch._draw = pages.append

    def press_stop(run, share, model):
        watch(run, share, model)
        if run.steps == 1:
            signal.raise_signal(signal.SIGINT)

    run = train(model, torch.zeros(4, 3, 8, 8), steps=4, batch=2, report=press_stop, reports=4)
    assert run.stopped and not run.finished
    assert "s to go" in pages[0].data and "s to go" not in pages[-1].data
    assert "50%, step 2" in pages[-1].data and ", stopped, loss" in pages[-1].data


def test_the_recorded_run_of_lesson_03_has_a_picture_row_for_every_report():
    tensors, notes = load_tensors(DATA / "recorded" / "lesson_03_live.safetensors")
    assert tensors["pictures"].shape == (len(notes["steps"]), 8, 32, 32, 3)
    assert notes["steps"] == sorted(notes["steps"])
    assert notes["machine"]
