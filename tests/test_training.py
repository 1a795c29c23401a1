"""The Instruction: it learns, it survives every interruption, and it explains wrong calls."""

import math
import os
import signal
import subprocess
import sys
import threading
import warnings
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from diffusers import DDPMScheduler
from torch.utils.data import Dataset
from torchvision.datasets import FakeData

import diffusion_helpers
from diffusion_helpers import optim, training
from diffusion_helpers.checkpoints import (
    load_checkpoint,
    load_tensors,
    save_checkpoint,
    save_tensors,
)
from diffusion_helpers.data import Pictures, load_emoji
from diffusion_helpers.denoiser import target
from diffusion_helpers.noising import cosine_schedule, linear_schedule
from diffusion_helpers.optim import Muon, orthogonalise
from diffusion_helpers.sampling import ddim, ddpm, pure_noise, sample
from diffusion_helpers.text import Captions
from diffusion_helpers.training import (
    P_DROP_PROMPT,
    P_DROP_STYLE,
    P_DROP_TEXT,
    drop_conditions,
    train,
)
from diffusion_helpers.unet import UNet
from diffusion_helpers.widgets.training_report import LiveReport
from diffusion_helpers.words import load_words


@pytest.fixture(autouse=True)
def one_thread():
    """Networks this small are faster on one core, and the sums then have one order everywhere."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def tiny(seed=0, **kw):
    torch.manual_seed(seed)
    return UNet(
        **{"image_shape": (3, 8, 8), "widths": (16, 32), "blocks": 1, "text_width": 32, **kw}
    )


def pictures(n=4, shape=(3, 8, 8)):
    generator = torch.Generator().manual_seed(11)
    return list(torch.rand(n, *shape, generator=generator) * 2 - 1)


def silent(*_):
    """A report that says nothing."""


def learn(net, source=None, **kw):
    """train, small and without a word."""
    kw = {"batch": 4, "report": silent, **kw}
    return train(net, pictures() if source is None else source, **kw)


def weights(net):
    return torch.cat([p.detach().flatten() for p in net.parameters()])


def ctrl_c(*_):
    signal.raise_signal(signal.SIGINT)


class Calls:
    """A report, or the start of a picture, that does something at its n-th call."""

    def __init__(self, n, action):
        self.left, self.action = n, action

    def __call__(self, *_):
        self.left -= 1
        if self.left == 0:
            self.action()


class Watched(Dataset):
    """Pictures that call `watch` whenever one of them is asked for."""

    def __init__(self, watch):
        self.pictures, self.watch = pictures(), watch

    def __len__(self):
        return len(self.pictures)

    def __getitem__(self, i):
        self.watch()
        return self.pictures[i]


# ---- it learns ----------------------------------------------------------------------------------


@pytest.mark.parametrize("predicts", ["velocity", "noise", "clean"])
def test_four_pictures_are_soon_known_by_heart(predicts):
    run = learn(tiny(predicts=predicts), steps=200, batch=16)
    first, last = sum(run.losses[:10]) / 10, sum(run.losses[-10:]) / 10
    assert last < 0.6 * first


def test_the_loss_begins_where_a_network_that_answers_zero_stands():
    """Velocity of pictures x under dust: alpha_bar + (1 - alpha_bar) mean(x^2), averaged over t."""
    run = learn(tiny(), steps=1, batch=256)
    alpha_bar = cosine_schedule().alpha_bar.mean().item()
    energy = torch.stack(pictures()).square().mean().item()
    assert run.losses[0] == pytest.approx(alpha_bar + (1 - alpha_bar) * energy, rel=0.1)


def test_the_same_seed_gives_the_same_network_and_another_seed_another():
    nets = [tiny() for _ in range(3)]
    for net, seed in zip(nets, (0, 0, 1)):
        learn(net, steps=4, seed=seed)
    assert torch.equal(weights(nets[0]), weights(nets[1]))
    assert not torch.allclose(weights(nets[0]), weights(nets[2]))


def test_training_neither_reads_nor_moves_the_random_numbers_of_others():
    net, other = tiny(), tiny()
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    learn(net, steps=2)
    assert torch.equal(torch.rand(3), expected)
    learn(other, steps=2)
    assert torch.equal(weights(net), weights(other))


def test_the_rate_warms_up_and_falls_to_zero(monkeypatch):
    rates, make_optimizers = [], training.make_optimizers

    def spy(*args):
        optimizers = make_optimizers(*args)
        for optimizer in optimizers:
            optimizer.register_step_pre_hook(lambda o, *_: rates.append(o.param_groups[0]["lr"]))
        return optimizers

    monkeypatch.setattr(training, "make_optimizers", spy)
    learn(tiny(), steps=200, batch=1, learning_rate=1.0)
    muon, adam = rates[::2], rates[1::2]
    assert muon == adam and len(muon) == 200
    assert muon[0] == pytest.approx(1 / 50)
    assert max(muon) == pytest.approx(1 - 50 / 200, abs=0.01)
    assert muon[-1] == pytest.approx(1 / 200)


@pytest.mark.parametrize("magics", [{}, {"attention": True, "text": True}])
def test_every_parameter_has_exactly_one_optimiser(magics):
    net = tiny(**magics)
    found = [p for o in training.make_optimizers(net) for g in o.param_groups for p in g["params"]]
    assert len(found) == len(set(found)) and set(found) == set(net.parameters())


@pytest.mark.parametrize("t", [0, 400, 999])
def test_the_target_is_the_velocity_of_diffusers(t):
    x_0, eps = torch.stack(pictures()), torch.randn(4, 3, 8, 8)
    theirs = DDPMScheduler(beta_schedule="squaredcos_cap_v2")
    ours = target("velocity", x_0, eps, t, cosine_schedule())
    expected = theirs.get_velocity(x_0, eps, torch.full((4,), t))
    torch.testing.assert_close(ours, expected, rtol=0, atol=1e-4)
    assert target("noise", x_0, eps, t, cosine_schedule()) is eps
    assert target("clean", x_0, eps, t, cosine_schedule()) is x_0


# ---- with words ---------------------------------------------------------------------------------


def captions():
    several = [["cat", "a red cat", "кот"], ["dog"], ["apple", "яблоко"], ["blue car", ""]]
    return Captions(load_words(), several, ["noto", "fluent", None, "noto"])


def listener(seed=0, **kw):
    return tiny(seed, attention=True, text=True, **kw)


def test_a_distilled_network_learns_and_is_kept(tmp_path):
    net, file = tiny(text=True, distilled_steps=4), tmp_path / "net.safetensors"
    texts = load_words().encode(["cat", "dog"], "noto")
    learn(net, pictures(2), steps=4, texts=texts, checkpoint=file)
    assert all(p.any() for p in net.guidance.mlp[2].parameters())  # zero in a fresh network
    again = load_checkpoint(file, device="cpu")
    assert again.distilled_steps == 4
    assert torch.equal(again.guidance.mlp[2].weight, net.guidance.mlp[2].weight)


def test_every_picture_is_shown_with_its_own_words(monkeypatch):
    seen, fetch, forget_ = [], training.fetch, training.drop_conditions

    def fetched(*args):
        seen.append([fetch(*args)])
        return seen[-1][0]

    def heard(text, generator):
        seen[-1].append(text)
        return forget_(text, generator)

    monkeypatch.setattr(training, "fetch", fetched)
    monkeypatch.setattr(training, "drop_conditions", heard)
    texts = load_words().encode(["cat", "dog", "apple", "car"], ["noto", "fluent", None, "noto"])
    learn(listener(), steps=5, batch=8, texts=texts)
    rows = {picture.mean().item(): row for row, picture in enumerate(pictures())}
    assert len(seen) == 5
    for shown, text in seen:
        expected = texts[[rows[picture.mean().item()] for picture in shown]]
        assert torch.equal(text.vectors, expected.vectors)
        assert torch.equal(text.styles, expected.styles)


@pytest.mark.parametrize("stopped_at", [3, 7])
def test_training_with_words_goes_on_bit_by_bit_after_an_interruption(tmp_path, stopped_at):
    file, whole, net, again = tmp_path / "run.safetensors", listener(), listener(), listener(seed=9)
    expected = learn(whole, steps=10, texts=captions())
    stop = Calls(4 * stopped_at, ctrl_c)
    first = learn(net, Watched(stop), steps=10, texts=captions(), checkpoint=file)
    assert first.steps == stopped_at and not first.finished
    run = learn(again, steps=10, texts=captions(), checkpoint=file)
    assert run.finished and run.losses == expected.losses
    assert torch.equal(weights(again), weights(whole))


def test_a_network_may_learn_without_texts_and_hear_silence():
    silent_net, told = listener(), listener()
    learn(silent_net, steps=2)
    learn(told, steps=2, texts=load_words().encode([""] * 4))
    assert torch.equal(weights(silent_net), weights(told))


def test_condition_dropout_forgets_as_often_as_stated():
    n = 20_000
    text = load_words().encode("red cat", "noto").repeat(n)
    kept = drop_conditions(text, torch.Generator().manual_seed(0))
    hears_prompt, hears_style = kept.mask.any(1), kept.styles > 0
    assert kept.mask.sum(1).unique().tolist() == [0, 2] and kept.styles.unique().tolist() == [0, 1]
    some, style, prompt = 1 - P_DROP_TEXT, 1 - P_DROP_STYLE, 1 - P_DROP_PROMPT  # kept
    expected = {
        "prompt": (hears_prompt, some * prompt),
        "style": (hears_style, some * style),
        "both": (hears_prompt & hears_style, some * prompt * style),
        "none": (~hears_prompt & ~hears_style, 1 - some + some * (1 - prompt) * (1 - style)),
    }
    for got, share in expected.values():
        tolerance = 4 * math.sqrt(share * (1 - share) / n)
        assert got.float().mean().item() == pytest.approx(share, abs=tolerance)
    assert text.mask.all(0).sum() == 2  # what was given is not changed


def test_a_forgotten_spell_is_silence_to_the_network():
    net, text = listener(), load_words().encode("red cat", "noto")
    with torch.no_grad():
        for p in net.parameters():
            p.add_(0.1)
    # what `drop_conditions` makes of it
    forgotten = replace(text, mask=text.mask & False, styles=text.styles * 0)
    x_t = torch.stack(pictures()).double()
    net.double().eval()
    torch.testing.assert_close(net(x_t, 5, forgotten), net(x_t, 5))


@pytest.mark.parametrize(
    ("texts", "words"),
    [
        (["cat"] * 4, r"texts are made by load_words\(\)\.encode"),
        ("cat!", r"texts are made by load_words\(\)\.encode"),
    ],
)
def test_texts_of_another_kind_get_one_sentence(texts, words):
    with pytest.raises(ValueError, match=words):
        learn(listener(), steps=1, texts=texts)


def test_a_wrong_number_of_texts_gets_one_sentence():
    with pytest.raises(ValueError, match="got 2 texts for 4 pictures"):
        learn(listener(), steps=1, texts=load_words().encode(["cat", "dog"]))


def test_texts_for_a_network_that_cannot_listen_get_one_sentence():
    with pytest.raises(ValueError, match="never learned to listen"):
        learn(tiny(), steps=1, texts=captions())


# ---- Muon ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(8, 24), (24, 8), (16, 16), (1, 5)])
def test_orthogonalise_keeps_directions_and_brings_singular_values_near_one(shape):
    generator = torch.Generator().manual_seed(3)
    u, _, vh = torch.linalg.svd(torch.randn(shape, generator=generator), full_matrices=False)
    singular_values = torch.logspace(0, -1.5, min(shape))
    got = u.T @ orthogonalise(u * singular_values @ vh) @ vh.T
    assert got.diagonal().min() > 0.6 and got.diagonal().max() < 1.3
    torch.testing.assert_close(got, got.diagonal().diag(), rtol=0, atol=1e-4)


def test_orthogonalise_does_not_care_about_the_size_of_the_gradient():
    matrix = torch.randn(6, 9, generator=torch.Generator().manual_seed(3))
    expected = orthogonalise(matrix)
    torch.testing.assert_close(orthogonalise(1e-3 * matrix), expected, rtol=0, atol=1e-3)
    torch.testing.assert_close(orthogonalise(1e6 * matrix), expected, rtol=0, atol=1e-3)
    assert torch.equal(orthogonalise(torch.zeros(6, 9)), torch.zeros(6, 9))


@pytest.mark.parametrize("shape", [(16, 8, 3, 3), (64, 4, 1, 1), (64, 4, 3, 3), (10, 30)])
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_muon_moves_weights_along_the_orthogonal_part_of_the_gradient(shape, layout):
    generator = torch.Generator().manual_seed(4)
    before, gradient = (torch.randn(shape, generator=generator) for _ in range(2))
    if len(shape) == 4:
        before = before.to(memory_format=layout)
    weight = torch.nn.Parameter(before.clone())
    weight.grad = gradient.clone()
    Muon([weight], lr=0.1).step()
    moved = ((before - weight.detach()) / 0.1).flatten(1)

    u, _, vh = torch.linalg.svd(gradient.flatten(1), full_matrices=False)
    rows, columns = moved.shape
    expected = u @ vh * max(1, rows / columns) ** 0.5
    cosine = (moved * expected).sum() / (moved.norm() * expected.norm())
    assert cosine > 0.95 and 0.6 < (moved.norm() / expected.norm()).item() < 1.3


@pytest.mark.skipif(not hasattr(torch.optim, "Muon"), reason="this PyTorch has no Muon")
@pytest.mark.parametrize("shape", [(24, 8), (8, 24), (16, 16)])
def test_muon_takes_the_steps_of_pytorchs_own(shape, monkeypatch):
    monkeypatch.setattr(optim, "fast_dtype", lambda x: torch.bfloat16)  # as theirs
    generator = torch.Generator().manual_seed(4)
    start = torch.randn(shape, generator=generator)
    ours, theirs = (torch.nn.Parameter(start.clone()) for _ in range(2))
    how = {"lr": 0.1, "momentum": 0.95}
    pair = Muon([ours], **how), torch.optim.Muon([theirs], weight_decay=0.0, **how)
    for _ in range(5):
        gradient = torch.randn(shape, generator=generator)
        for weight, optimizer in zip((ours, theirs), pair):
            weight.grad = gradient.clone()
            optimizer.step()
    torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-6)


def test_muon_remembers_where_it_was_going():
    weight = torch.nn.Parameter(torch.zeros(4, 4))
    muon = Muon([weight], lr=1.0, momentum=0.9)
    for _ in range(20):
        weight.grad = torch.eye(4)
        muon.step()
    before = weight.detach().clone()
    weight.grad = -0.1 * torch.eye(4)  # one small doubt does not turn it round
    muon.step()
    assert ((weight.detach() - before).diagonal() < -0.5).all()


def test_muon_leaves_a_weight_without_gradient_alone():
    weight = torch.nn.Parameter(torch.ones(2, 2))
    Muon([weight], lr=1.0).step()
    assert torch.equal(weight.detach(), torch.ones(2, 2))


# ---- budgets and reports ------------------------------------------------------------------------


def test_a_budget_in_steps_is_met_and_reported_evenly():
    shares = []
    run = learn(tiny(), steps=20, reports=5, report=lambda run, share, net: shares.append(share))
    assert run.finished and run.steps == len(run.losses) == 20
    assert shares == pytest.approx([0.2, 0.4, 0.6, 0.8, 1.0])


def test_a_short_training_reports_at_its_end():
    seen = []
    learn(
        tiny(), steps=3, reports=10, report=lambda run, share, net: seen.append((share, run.steps))
    )
    assert seen[-1] == (1.0, 3)


def test_a_report_meets_the_network_in_evaluation_mode_and_training_goes_on():
    modes = []
    net = tiny()
    net.register_forward_pre_hook(lambda module, _: modes.append(module.training))
    learn(net, steps=4, reports=4, report=lambda run, share, net: modes.append(net.training))
    assert modes == [True, False] * 4 and not net.training


def test_a_budget_in_seconds_is_met():
    run = learn(tiny(), seconds=1.0)
    longest = 1.0 / run.steps * 20  # of one step, generously
    assert run.finished and 1.0 <= run.seconds < 1.0 + max(1.0, longest)


def test_the_printed_report_says_how_far_and_how_well(capsys):
    learn(tiny(), steps=2, reports=2, report=training.print_progress)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2 and "50%" in lines[0] and "100%" in lines[1]
    assert "step 2" in lines[1] and "loss" in lines[1]


@pytest.mark.parametrize(
    ("budget", "words"),
    [
        ({}, "give train one budget: steps=2000, or seconds=60"),
        ({"steps": 5, "seconds": 5}, "give train one budget"),
        ({"steps": 0}, "the budget in (steps|seconds) is .*, got 0"),
        ({"steps": -3}, "the budget in steps is .*, got -3"),
        ({"seconds": 0}, "the budget in (steps|seconds) is .*, got 0"),
        ({"seconds": -2.5}, "the budget in seconds is .*, got -2.5"),
    ],
)
def test_a_wrong_budget_gets_one_sentence(budget, words):
    with pytest.raises(ValueError, match=words):
        learn(tiny(), **budget)


# ---- interruptions ------------------------------------------------------------------------------

STEPS = 12
STOPPED_AT = 5


@pytest.fixture(scope="module")
def undisturbed():
    """The weights and losses of a training that nobody interrupted."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    net = tiny()
    run = learn(net, steps=STEPS)
    torch.set_num_threads(threads)
    return weights(net), run.losses


def assert_goes_on_to_the_same_end(file, undisturbed):
    net = tiny(seed=123)  # its own weights do not matter: the file decides
    run = learn(net, steps=STEPS, checkpoint=file)
    assert run.finished and run.steps == STEPS
    torch.testing.assert_close(weights(net), undisturbed[0], rtol=1e-6, atol=1e-6)
    assert run.losses == pytest.approx(undisturbed[1], rel=1e-5)


@pytest.mark.parametrize("call", [1, 7, 18, 29, 4 * STEPS - 4])
def test_ctrl_c_while_a_picture_is_read_changes_nothing(tmp_path, undisturbed, call, capsys):
    file, net = tmp_path / "run.safetensors", tiny()
    run = learn(net, Watched(Calls(call, ctrl_c)), steps=STEPS, checkpoint=file)
    assert not run.finished and run.steps == math.ceil(call / 4)  # the step was finished
    assert f"stopped at step {run.steps}" in capsys.readouterr().out
    assert_goes_on_to_the_same_end(file, undisturbed)


@pytest.mark.parametrize("call", [1, 4])
def test_ctrl_c_during_a_report_changes_nothing(tmp_path, undisturbed, call):
    file = tmp_path / "run.safetensors"
    run = learn(tiny(), steps=STEPS, checkpoint=file, reports=6, report=Calls(call, ctrl_c))
    assert not run.finished and run.steps in (2 * call, 2 * call + 1)
    assert_goes_on_to_the_same_end(file, undisturbed)


def test_many_interruptions_change_nothing(tmp_path, undisturbed):
    file = tmp_path / "run.safetensors"
    for calls in (9, 10, 10):  # going on, the first picture is read again, to know the data
        run = learn(tiny(), Watched(Calls(calls, ctrl_c)), steps=STEPS, checkpoint=file)
        assert not run.finished
    assert run.steps == 9
    assert_goes_on_to_the_same_end(file, undisturbed)


def train_with_ctrl_c_at_line(n, file):
    """Interrupt at the n-th line that `train` runs while it listens; None when there are fewer."""
    outside, listening = signal.getsignal(signal.SIGINT), 0

    def at_line(frame, event, _):
        nonlocal listening
        if event == "line" and signal.getsignal(signal.SIGINT) is not outside:
            listening += 1
            if listening == n:
                ctrl_c()
        return at_line

    net, before = tiny(), sys.gettrace()
    sys.settrace(lambda frame, *_: at_line if frame.f_code is train.__code__ else None)
    try:
        run = learn(net, steps=3, reports=1, batch=1, checkpoint=file)
    finally:
        sys.settrace(before)
    return (net, run) if listening >= n else None


# an interruption is not written down
def test_ctrl_c_at_any_line_of_the_loop_is_written_down(tmp_path):
    lost, n = [], 1
    while outcome := train_with_ctrl_c_at_line(n, tmp_path / f"{n}.safetensors"):
        net, run = outcome
        saved = {}
        if (tmp_path / f"{n}.safetensors").exists():
            saved, _ = load_tensors(tmp_path / f"{n}.safetensors")
        names = [f"model.{name}" for name, _ in net.named_parameters()]
        kept = all(name in saved for name in names) and torch.equal(
            torch.cat([saved[name].flatten() for name in names]), weights(net)
        )
        if run.steps and not kept:
            lost.append((n, run.steps))
        n += 1
    assert n > 20 and lost == []


def test_a_second_ctrl_c_stops_at_once(tmp_path):
    def twice():
        ctrl_c()
        ctrl_c()

    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        learn(tiny(), Watched(Calls(5, twice)), steps=STEPS)
    assert signal.getsignal(signal.SIGINT) is before


@pytest.mark.parametrize("trouble", [None, ctrl_c, lambda: 1 / 0])
def test_the_previous_answer_to_ctrl_c_comes_back(trouble):
    def mine(*_):
        raise AssertionError("not while the course is training")

    before = signal.signal(signal.SIGINT, mine)
    try:
        learn(tiny(), Watched(Calls(5, trouble or silent)), steps=3)
    except ZeroDivisionError:
        pass
    finally:
        after = signal.signal(signal.SIGINT, before)
    assert after is mine


def test_training_works_beside_the_main_thread():
    net, errors = tiny(), []

    def work():
        try:
            learn(net, steps=2)
        except Exception as error:
            errors.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert errors == [] and not torch.equal(weights(net), weights(tiny()))


KILLED = """
import os, sys
sys.path.insert(0, {tests!r})
import torch
from test_training import Calls, learn, tiny
torch.set_num_threads(1)
learn(tiny(), steps={steps}, reports=6, checkpoint={file!r}, report=Calls(4, lambda: os._exit(9)))
"""


def test_a_process_that_was_killed_goes_on_from_its_last_checkpoint(tmp_path, undisturbed):
    file = tmp_path / "run.safetensors"
    root = Path(diffusion_helpers.__file__).parent.parent
    code = KILLED.format(tests=str(Path(__file__).parent), steps=STEPS, file=str(file))
    path = os.pathsep.join([str(root), os.environ.get("PYTHONPATH", "")])
    child = subprocess.run(
        [sys.executable, "-B", "-c", code],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
    )
    assert child.returncode == 9, child.stderr
    tensors, notes = load_tensors(file)
    assert len(tensors["losses"]) == 8 and not notes["finished"]
    assert_goes_on_to_the_same_end(file, undisturbed)


# ---- checkpoints --------------------------------------------------------------------------------


@pytest.fixture
def half_done(tmp_path):
    """The checkpoint of a training that was stopped after a few steps."""
    file = tmp_path / "run.safetensors"
    learn(tiny(), Watched(Calls(10, ctrl_c)), steps=STEPS, checkpoint=file)
    return file


def test_a_finished_training_is_not_done_again(tmp_path, undisturbed):
    file = tmp_path / "run.safetensors"
    learn(tiny(), steps=STEPS, checkpoint=file)
    before = file.read_bytes()
    assert_goes_on_to_the_same_end(file, undisturbed)
    assert file.read_bytes() == before


def test_a_time_budget_goes_on_with_the_seconds_that_are_left(tmp_path):
    file = tmp_path / "run.safetensors"
    first = learn(tiny(), Watched(Calls(10, ctrl_c)), seconds=2.0, checkpoint=file)
    again = learn(tiny(), seconds=2.0, checkpoint=file)
    assert not first.finished and first.seconds < 2.0
    assert again.finished and again.losses[: first.steps] == first.losses


def test_a_half_written_file_beside_it_harms_nothing(half_done, undisturbed):
    part = half_done.with_name(half_done.name + ".part")
    part.write_bytes(half_done.read_bytes()[:100])
    assert_goes_on_to_the_same_end(half_done, undisturbed)


def test_a_half_written_file_alone_is_a_fresh_start(tmp_path, undisturbed):
    (tmp_path / "run.safetensors.part").write_bytes(b"half a file")
    net = tiny()
    learn(net, steps=STEPS, checkpoint=tmp_path / "run.safetensors")
    torch.testing.assert_close(weights(net), undisturbed[0], rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize(
    ("net", "how", "words"),
    [
        ({"widths": (16, 48)}, {}, "another network"),
        ({"blocks": 2}, {}, "another network"),
        ({"text": True}, {}, "another network"),
        ({"time": False}, {}, "another network"),
        ({"predicts": "noise"}, {}, "another network"),
        ({}, {"seed": 1}, "a training with seed 0 in place of 1"),
        ({}, {"batch": 8}, "a training with batch 4 in place of 8"),
        ({}, {"learning_rate": 1e-3}, "a training with learning rate 0.003 in place of 0.001"),
        ({}, {"schedule": linear_schedule()}, "a training with another noise schedule"),
        ({}, {"source": pictures(5)}, "a training with other pictures"),
        ({}, {"source": [-p for p in pictures()]}, "a training with other pictures"),
    ],
)
def test_a_checkpoint_of_another_network_or_training_is_refused(half_done, net, how, words):
    before, other = half_done.read_bytes(), tiny(**net)
    start, schedule = weights(other), other.schedule
    with pytest.raises(ValueError, match=rf"run\.safetensors belongs to {words}: go on with"):
        learn(other, steps=STEPS, checkpoint=half_done, **how)
    assert half_done.read_bytes() == before
    assert torch.equal(weights(other), start) and other.schedule is schedule


class Random(Watched):
    """Pictures that look otherwise each time."""

    def __init__(self, change):
        super().__init__(None)
        self.change = change

    def __getitem__(self, i):
        return self.change(self.pictures[i])


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda x: x * torch.empty(1).uniform_(0.5, 1), id="endlessly many ways"),
        pytest.param(lambda x: x.flip(-1) if torch.rand(1) < 0.5 else x, id="mirrored or not"),
    ],
)
def test_a_data_set_that_is_random_goes_on_all_the_same(tmp_path, change):
    for i in range(8):
        file = tmp_path / f"run{i}.safetensors"
        stop = Calls(2, ctrl_c)
        learn(tiny(), Random(change), steps=4, reports=4, checkpoint=file, report=stop)
        assert learn(tiny(), Random(change), steps=4, checkpoint=file).finished


def test_a_network_that_was_saved_is_no_training_to_go_on_with(tmp_path):
    file = tmp_path / "net.safetensors"
    save_checkpoint(tiny(), file)
    with pytest.raises(ValueError, match="holds no training to go on with: choose another name"):
        learn(tiny(), steps=1, checkpoint=file)


def test_gradients_of_whoever_computed_before_do_not_count():
    net, other = tiny(), tiny()
    (sum(p.sum() for p in net.parameters()) * 100).backward()
    learn(net, steps=2)
    learn(other, steps=2)
    assert torch.equal(weights(net), weights(other))


def test_a_half_done_training_of_an_earlier_version_goes_on(half_done, undisturbed):
    """Its file names no schedule, no batch, no pictures: the cosine was meant."""
    tensors, notes = load_tensors(half_done)
    del tensors["schedule.alpha_bar"]
    for name in ("batch", "learning_rate", "pictures", "first_picture"):
        del notes[name]
    del notes["config"]["text_width"]
    save_tensors(half_done, tensors, notes)
    assert_goes_on_to_the_same_end(half_done, undisturbed)


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(lambda whole: whole[: len(whole) // 2], id="cut short"),
        pytest.param(lambda whole: b"", id="empty"),
        pytest.param(lambda whole: b"garbage" * 99, id="garbage"),
    ],
)
def test_a_damaged_checkpoint_is_named(half_done, damage):
    half_done.write_bytes(damage(half_done.read_bytes()))
    with pytest.raises(ValueError, match=r"run\.safetensors is damaged or is no checkpoint"):
        learn(tiny(), steps=STEPS, checkpoint=half_done)


def test_asking_for_more_than_was_finished_is_not_answered_with_silence(tmp_path, capsys):
    file = tmp_path / "run.safetensors"
    learn(tiny(), steps=4, checkpoint=file)
    run = learn(tiny(), steps=8, checkpoint=file)
    assert run.steps == 8 or "run.safetensors" in capsys.readouterr().out


# ---- pictures -----------------------------------------------------------------------------------


def test_the_emoji_of_the_course_train():
    net = UNet(widths=(16, 32), blocks=1)
    assert learn(net, load_emoji().training(), steps=2).finished


def test_a_folder_of_ones_own_pictures_trains(tmp_path):
    from PIL import Image

    for i, colour in enumerate(("red", "green", "blue", "white")):
        Image.new("RGB", (20 + i, 20), colour).save(tmp_path / f"{colour}.png")
    assert learn(tiny(), Pictures(tmp_path, size=8), steps=2).finished


def test_a_torchvision_data_set_trains():
    source = Pictures(FakeData(size=8, image_size=(3, 40, 40), num_classes=2), size=8)
    assert learn(tiny(), source, steps=2).finished


def test_grey_pictures_of_another_size_train():
    source = Pictures(FakeData(size=8, image_size=(3, 28, 28)), size=28, channels=1)
    net = tiny(image_shape=(1, 28, 28))
    assert learn(net, source, steps=2).finished


def test_pictures_with_labels_train_like_pictures():
    plain, labelled = tiny(), tiny()
    learn(plain, steps=2)
    learn(labelled, [(picture, "a label") for picture in pictures()], steps=2)
    assert torch.equal(weights(plain), weights(labelled))


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ([torch.full((3, 8, 8), 255.0)], r"must lie in \[-1, 1\].*Pictures"),
        ([torch.full((3, 8, 8), -1.5)], r"must lie in \[-1, 1\].*Pictures"),
        ([torch.zeros(3, 8, 8), torch.zeros(3, 9, 9)], "different shapes or kinds.*Pictures"),
        (FakeData(size=8, image_size=(3, 8, 8)), "different shapes or kinds.*Pictures"),
        ([torch.zeros(1, 8, 8)], "3 colour channels, got a batch of shape"),
        ([torch.zeros(8, 8)], r"shape \(B, C, H, W\), got torch.float32"),
        ([torch.zeros(3, 8, 8, dtype=torch.uint8)], "got torch.uint8"),
        ([torch.full((3, 8, 8), float("nan"))], "NaN or infinite"),
        ([], "empty"),
    ],
)
def test_pictures_that_do_not_fit_get_one_sentence(source, words):
    with pytest.raises(ValueError, match=words):
        learn(tiny(), source, steps=1, batch=16)


def test_pictures_in_double_precision_train():
    assert learn(tiny(), [picture.double() for picture in pictures()], steps=1).finished


# ---- what it learns is for its schedule ---------------------------------------------------------


def test_the_network_and_its_files_remember_the_schedule_it_was_taught_with(tmp_path):
    """Sampled with the cosine, a network that was taught with the linear one draws other things."""
    net, linear = tiny(), linear_schedule()
    file, half = tmp_path / "net.safetensors", tmp_path / "run.safetensors"
    learn(net, steps=3, schedule=linear, checkpoint=half)
    save_checkpoint(net, file)
    asked = list(ddpm(net, pure_noise(2, (3, 8, 8)), 4, linear))[-1].clean.clamp(-1, 1)
    for again in (net, load_checkpoint(file, "cpu"), load_checkpoint(half, "cpu")):
        assert torch.equal(again.schedule.alpha_bar, linear.alpha_bar)
    assert torch.equal(sample(net, steps=4, sampler=ddpm, n=2), asked)
    assert torch.equal(sample(load_checkpoint(half, "cpu"), steps=4, sampler=ddpm, n=2), asked)

    learn(net, steps=1)  # taught on, it stays with its schedule
    assert torch.equal(net.schedule.alpha_bar, linear.alpha_bar)
    again = load_checkpoint(file, "cpu")
    learn(again, steps=1, schedule=cosine_schedule())  # unless another is asked for
    assert torch.equal(again.schedule.alpha_bar, cosine_schedule().alpha_bar)


def test_the_noise_is_that_of_the_schedule_asked_for():
    """Answering zero, the loss is the mean of alpha_bar + (1 - alpha_bar) x^2 over its steps."""
    energy = torch.stack(pictures()).square().mean().item()
    for schedule in (cosine_schedule(), linear_schedule()):
        alpha_bar = schedule.alpha_bar.mean().item()
        run = learn(tiny(), steps=1, batch=512, schedule=schedule)
        assert run.losses[0] == pytest.approx(alpha_bar + (1 - alpha_bar) * energy, rel=0.1)


def test_reports_while_it_learns_are_drawn_with_its_schedule():
    net, report = tiny(), LiveReport(n=2, steps=3, seed=4)
    report._draw = silent
    learn(net, steps=1, schedule=linear_schedule(), report=report)
    x_T = pure_noise(2, (3, 8, 8), seed=4)
    *_, last = ddim(net, x_T, 3, linear_schedule())
    assert torch.equal(report.history[-1][2], last.clean.clamp(-1, 1))


# ---- wrapped, half, frozen ----------------------------------------------------------------------


class Compiled(torch.nn.Module):
    """What torch.compile makes of a network, without its half minute of imports."""

    def __init__(self, net):
        super().__init__()
        self._orig_mod = net

    def __getattr__(self, name):
        if name == "_orig_mod":
            return super().__getattr__(name)
        return getattr(self._orig_mod, name)

    def forward(self, *args):
        return self._orig_mod(*args)


@pytest.mark.parametrize(
    "compiled",
    [
        Compiled,
        pytest.param(lambda net: torch.compile(net, backend="eager"), marks=pytest.mark.slow),
    ],
)
def test_a_compiled_network_learns_and_its_files_are_those_of_the_network(tmp_path, compiled):
    """torch.compile puts a prefix before the name of every weight."""
    file, plain = tmp_path / "run.safetensors", tiny()
    expected = learn(plain, steps=STEPS)
    stop = Calls(STOPPED_AT, ctrl_c)
    first = learn(
        compiled(tiny()), steps=STEPS, reports=STEPS, checkpoint=file,
        report=stop,
    )  # fmt: skip
    assert not first.finished
    load_checkpoint(file, "cpu")  # a UNet by itself
    net = tiny(seed=9)
    run = learn(compiled(net), steps=STEPS, checkpoint=file)
    assert run.finished and run.losses == pytest.approx(expected.losses, abs=1e-5)
    torch.testing.assert_close(weights(net), weights(plain), rtol=1e-4, atol=1e-4)
    save_checkpoint(compiled(net), tmp_path / "net.safetensors")
    again = load_checkpoint(tmp_path / "net.safetensors", "cpu")
    torch.testing.assert_close(weights(again), weights(net), rtol=0, atol=0.02)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_weights_in_16_bits_get_one_true_sentence(dtype):
    net = tiny().to(dtype)
    with pytest.raises(ValueError, match=r"needs weights in 32 bits: call model\.float\(\)"):
        learn(net, steps=1)
    assert learn(net.float(), steps=1).finished


def test_weights_in_64_bits_learn():
    net = tiny().double()
    assert learn(net, steps=2).finished and weights(net).dtype == torch.float64


@pytest.mark.parametrize(
    "off", [lambda: torch.set_grad_enabled(False), torch.no_grad, torch.inference_mode]
)
@pytest.mark.parametrize("predicts", ["velocity", "clean"])
def test_it_learns_where_gradients_are_switched_off(off, predicts):
    net, other = tiny(predicts=predicts), tiny(predicts=predicts)
    learn(other, steps=3)
    with off():
        data = pictures()
        run = learn(net, data, steps=3)
        assert not torch.is_grad_enabled()
    assert run.finished and torch.equal(weights(net), weights(other))


def test_it_goes_on_where_gradients_are_switched_off(tmp_path, undisturbed):
    file, net = tmp_path / "run.safetensors", tiny(seed=9)
    learn(tiny(), steps=STEPS, reports=STEPS, checkpoint=file, report=Calls(STOPPED_AT, ctrl_c))
    with torch.inference_mode():
        assert learn(net, steps=STEPS, checkpoint=file).finished
    torch.testing.assert_close(weights(net), undisturbed[0], rtol=1e-6, atol=1e-6)


def test_a_smaller_budget_than_what_was_done_ends_the_training(tmp_path):
    file, reported = tmp_path / "run.safetensors", []
    learn(tiny(), steps=STEPS, reports=STEPS, checkpoint=file, report=Calls(STOPPED_AT, ctrl_c))
    run = learn(tiny(), steps=3, checkpoint=file, report=lambda *args: reported.append(args))
    assert run.finished and len(reported) == 1
    assert load_tensors(file)[1]["finished"]


def test_a_network_that_cannot_learn_says_why():
    with pytest.raises(
        ValueError, match=r"no weight .* can learn: call model\.requires_grad_\(True\)"
    ):
        learn(tiny().requires_grad_(False), steps=1)
    with torch.inference_mode():
        net = tiny()
    with pytest.raises(
        ValueError, match=r"made under torch\.inference_mode\(\) cannot learn: make it"
    ):
        learn(net, steps=1)


def test_frozen_weights_stay_and_the_others_learn():
    net, fresh = tiny(), tiny()
    net.bottom.requires_grad_(False)
    learn(net, steps=3)
    same = [torch.equal(a, b) for a, b in zip(net.bottom.parameters(), fresh.bottom.parameters())]
    assert all(same) and not torch.equal(net.leave.weight, fresh.leave.weight)


# ---- pictures that are not what was meant -------------------------------------------------------


def test_pictures_between_0_and_1_are_noticed():
    bright = [(picture + 1) / 2 for picture in pictures()]
    with pytest.warns(
        UserWarning, match=r"below 0: if they lie in \[0, 1\], give train\(model, Pict"
    ):
        learn(tiny(), bright, steps=4)


def test_pictures_of_another_size_than_the_network_are_noticed():
    with pytest.warns(UserWarning, match=r"16 x 16 pixels, and this network was made for 8 x 8"):
        learn(tiny(), pictures(shape=(3, 16, 16)), steps=1)


def test_pictures_as_they_should_be_are_not_remarked_upon():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        learn(tiny(), steps=5)


# ---- when something fails in the middle ---------------------------------------------------------


def test_a_training_that_fails_in_the_middle_keeps_what_it_has(tmp_path, undisturbed, capsys):
    """One bad picture among thousands, long before the first report."""
    file = tmp_path / "run.safetensors"

    def fail():
        raise OSError("image file is truncated")

    net = tiny()
    with pytest.raises(OSError, match="truncated"):
        learn(
            net, Watched(Calls(4 * STOPPED_AT + 1, fail)), steps=STEPS, reports=1, checkpoint=file
        )
    assert not net.training
    assert f"was learned until step {STOPPED_AT} is kept in" in capsys.readouterr().out
    assert_goes_on_to_the_same_end(file, undisturbed)


def test_a_loss_of_ones_own_that_fails_leaves_evaluation_mode():
    def fails(*_):
        raise RuntimeError("my own mistake")

    net = tiny()
    with pytest.raises(RuntimeError, match="my own mistake"):
        learn(net, steps=3, loss_fn=fails)
    assert not net.training


@pytest.mark.parametrize("name", ["run1", "run.pth", "run.pt"])
def test_a_checkpoint_by_a_name_that_could_not_be_loaded_is_refused_before_the_work(tmp_path, name):
    wrong = r"the name of a checkpoint ends with \.safetensors, got"
    with pytest.raises(ValueError, match=wrong):
        learn(tiny(), steps=1, checkpoint=tmp_path / name)
    with pytest.raises(ValueError, match=wrong):
        save_checkpoint(tiny(), tmp_path / name)
    assert not list(tmp_path.iterdir())


def test_seconds_are_counted_by_the_clock_that_was_given():
    ticks = iter(range(1000))
    run = learn(tiny(), seconds=5, clock=lambda: next(ticks))
    assert run.finished and run.steps == 5 and run.seconds == 5


# ---- when the loss stops being a number ---------------------------------------------------------


@pytest.mark.parametrize("poison", [float("nan"), float("inf")])
def test_a_loss_that_is_no_number_stops_the_training_with_advice(poison):
    net = tiny()
    with torch.no_grad():
        net.leave.bias.fill_(poison)
    with pytest.raises(FloatingPointError, match="no longer a number: try a smaller learning_rate"):
        learn(net, steps=3)


def test_a_loss_that_is_no_number_is_never_written_down(tmp_path):
    file = tmp_path / "run.safetensors"

    def spoil(run, share, net):
        with torch.no_grad():
            net.leave.bias.fill_(float("nan"))

    with pytest.raises(FloatingPointError, match="no longer a number"):
        learn(tiny(), steps=4, reports=4, checkpoint=file, report=spoil)
    tensors, _ = load_tensors(file)
    assert all(torch.isfinite(tensor).all() for tensor in tensors.values())
