"""Lesson 03: the Instruction. Cover a picture with dust, guess the dust, learn from the mistake."""

import os
import signal
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch
import torch.nn.functional as F
from einops import rearrange
from torch import nn

from .checkpoints import load_tensors, save_tensors
from .checks import (
    PREDICTS,
    as_path,
    brief,
    check_count,
    check_floats,
    check_images,
    check_network,
    check_number,
    check_seed,
    seeded_generator,
)
from .device import choose_thread_count, fast_dtype
from .noising import add_noise, check_schedule, cosine_schedule

BATCH = 64  # large enough for a calm gradient, small enough for many steps in a minute
LEARNING_RATE = 3e-3  # measured: best for both halves of the optimiser, with the decay below
WARM_UP = 50  # steps; Muon and AdamW start without any memory of the gradient
CLIP = 1.0  # longest gradient allowed
NO_SPELL = 0.1  # share of pictures shown without any text: guidance needs a network that knows both
NO_STYLE = 0.15  # share of the others whose style is kept secret, so that a prompt works alone
NO_PROMPT = 0.05  # and whose prompt is, so that a style works alone


class Muon(torch.optim.Optimizer):
    """Momentum whose matrix is made orthogonal before each step (Jordan et al. 2024,
    https://kellerjordan.github.io/posts/muon). For weights with two or more axes.
    """

    def __init__(self, params, lr, momentum=0.95):
        super().__init__(params, {"lr": lr, "momentum": momentum})

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is None:
                    continue
                memory = self.state[p].setdefault("momentum", torch.zeros_like(p))
                memory.lerp_(p.grad, 1 - group["momentum"])
                look_ahead = p.grad.lerp(memory, group["momentum"])  # Nesterov
                matrix = rearrange(look_ahead, "o ... -> o (...)")
                # Jordan's iteration is made to bear bf16
                update = orthogonalise(matrix.to(fast_dtype(matrix))).to(p.dtype)
                update = update * max(1, matrix.shape[0] / matrix.shape[1]) ** 0.5
                p.add_(update.view_as(p), alpha=-group["lr"])


def orthogonalise(matrix, steps=5):
    """Push the singular values of a matrix towards 1, by a quintic Newton-Schulz iteration."""
    check_floats(matrix, "N M", "a matrix"), check_count(steps, "steps", least=0)
    a, b, c = 3.4445, -4.7750, 2.0315  # Jordan's coefficients: steep at 0, so that few steps do
    x = matrix / (matrix.norm() + 1e-7)
    tall = x.shape[0] > x.shape[1]
    x = x.T if tall else x
    for _ in range(steps):
        gram = x @ x.T
        quintic = torch.addmm(gram, gram, gram, beta=b, alpha=c)  # b gram + c gram gram
        x = torch.addmm(x, quintic, x, beta=a)  # a x + quintic x, in one go
    return x.T if tall else x


def make_optimizers(model, learning_rate=LEARNING_RATE):
    """Muon for the hidden weight matrices, AdamW for the first and last layer, lists of vectors
    (embeddings), norms and biases.
    """
    if not hasattr(check_network(model), "enter") or not hasattr(model, "leave"):
        raise ValueError(f"expected a UNet or a TwinsNet, got {type(model).__name__}")
    check_number(learning_rate, "learning_rate", least=0)
    outside = set(model.enter.parameters()) | set(model.leave.parameters())
    outside |= {m.weight for m in model.modules() if isinstance(m, nn.Embedding)}
    hidden = [p for p in model.parameters() if p.ndim >= 2 and p not in outside]
    rest = [p for p in model.parameters() if p.ndim < 2 or p in outside]
    return [
        Muon(hidden, learning_rate),
        torch.optim.AdamW(rest, learning_rate, betas=(0.9, 0.99), weight_decay=0.0),
    ]


def target(predicts, x_0, eps, t, schedule):
    """What the network should have said about x_t: the dust, the picture, or the velocity."""
    check_images(x_0)
    if check_images(eps, what="eps, the dust,", like=x_0).shape != x_0.shape:
        raise ValueError(f"eps must have the shape of x_0, got {brief(eps)}, {brief(x_0)}")
    signal_rate, noise_rate = check_schedule(schedule).rates(t, like=x_0)
    if not isinstance(predicts, str) or predicts not in PREDICTS:
        raise ValueError(f"predicts is noise, clean or velocity, got {brief(predicts)}")
    return {"noise": eps, "clean": x_0, "velocity": signal_rate * eps - noise_rate * x_0}[predicts]


@dataclass
class TrainingResult:
    """What happened in a training: one loss per step, the seconds, whether it came to its end."""

    losses: list = field(default_factory=list)
    seconds: float = 0.0
    finished: bool = False

    @property
    def steps(self):
        return len(self.losses)


def print_progress(run, share, model):
    """One line per report; `share` is the part of the budget that is spent."""
    recent = run.losses[-100:]
    loss = sum(recent) / len(recent)
    print(f"{share:4.0%}  step {run.steps}  {run.seconds:.0f} s  loss {loss:.4f}", flush=True)


def train(
    model,
    pictures,
    steps=None,
    seconds=None,
    texts=None,
    schedule=None,
    seed=0,
    checkpoint=None,
    report=print_progress,
    reports=10,
    batch=BATCH,
    learning_rate=LEARNING_RATE,
    loss_of=None,
):
    """Teach `model` to see through dust; returns a `TrainingResult`.

    model       a UNet; it learns what model.predicts says and stays on its device
    pictures    any Dataset whose items are float tensors (C, H, W) in [-1, 1], alone or first in a
                tuple: load_emoji().training(), Pictures("my_photos"), Pictures(torchvision data)
    steps or seconds   the budget, exactly one of the two
    texts       what the pictures show, for a model with text: load_words().encode([...]), one
                prompt a picture, or Captions with several
    checkpoint  a .safetensors file, written at every report and when interrupted. If it is there
                already, training goes on from it; with a budget in steps the result is the same
                as without the interruption
    report      called as report(run, share, model), up to `reports` times, the last at the end
    loss_of     what to learn instead of denoising: a function like `denoising_loss`

    Under `accelerate launch` (the extra `multi`) all its processes share every batch, and the
    result is that of one process.

    Interrupting (the stop button, Ctrl-C) loses nothing: the step is finished, the network keeps
    what it learned, the checkpoint is written. Raises ValueError for a wrong budget, pictures or
    checkpoint, and FloatingPointError when the loss stops being a number.
    """
    if (steps is None) == (seconds is None):
        raise ValueError("give train one budget: steps=2000, or seconds=60")
    if steps is None:
        check_number(seconds, "the budget in seconds", least=1e-6)
    else:
        check_count(steps, "the budget in steps")
    single = getattr(pictures, "ndim", 1) == 0  # one number, which only looks like many
    if single or not hasattr(pictures, "__getitem__") or not hasattr(pictures, "__len__"):
        raise ValueError(f"expected a data set of pictures, got {brief(pictures)}")
    if len(pictures) == 0:
        raise ValueError("the data set is empty: it needs at least one picture")
    if texts is not None and not hasattr(texts, "sample_captions"):
        raise ValueError("texts are made by load_words().encode([...]), or are Captions")
    if texts is not None and len(texts) != len(pictures):
        raise ValueError(f"got {len(texts)} texts for {len(pictures)} pictures")
    team = ProcessGroup(check_count(batch, "batch"))
    schedule = check_schedule(cosine_schedule() if schedule is None else schedule)
    seed, loss_of = check_seed(seed), denoising_loss if loss_of is None else loss_of
    if not callable(report) or not callable(loss_of):
        raise ValueError("report and loss_of are functions: see the help of train")
    reports = check_count(reports, "reports")
    checkpoint = None if checkpoint is None else as_path(checkpoint)
    optimizers = make_optimizers(model, learning_rate)
    run = TrainingResult()
    if checkpoint and Path(checkpoint).exists():
        run = _resume(checkpoint, model, optimizers, seed)
        if run.finished:
            print(f"{checkpoint} holds a finished training: delete it to start a new one")
    began = time.monotonic() - run.seconds
    # a budget in steps must stay reproducible, so it keeps its number of threads
    may_change_threads = seconds and next(model.parameters()).device.type == "cpu"
    if may_change_threads:
        choose_thread_count()

    def spent():
        return min(1.0, run.steps / steps if steps else run.seconds / seconds)

    share = spent()
    team.broadcast_weights(model)
    with _stop_between_steps() as stop:
        stopped = saved = False
        while not (run.finished or stopped):
            set_rate(optimizers, learning_rate * min(1, (run.steps + 1) / WARM_UP) * (1 - share))
            generator = seeded_generator(seed, plus=1_000_003 * run.steps)
            rows = torch.randint(len(pictures), (batch,), generator=generator)
            x_0 = fetch(pictures, rows[team.shard], model)
            model.train()
            loss = loss_of(model, x_0, rows, texts, schedule, generator, team.shard)
            loss = optimizer_step(loss, model, optimizers, run.steps, team)
            # stop is looked at once, so that no interruption slips through
            loss, run.seconds, stopped = team.reduce_stats(
                loss, time.monotonic() - began, stop.is_set()
            )
            run.losses.append(loss)
            before, share = share, spent()
            run.finished = share == 1
            if int(share * reports) > int(before * reports) or stopped:
                if checkpoint and team.is_main:
                    saved = _save(checkpoint, model, optimizers, run, seed)
                model.eval()
                if team.is_main:
                    report(run, share, model)
                if may_change_threads:
                    choose_thread_count()
    model.eval()
    if not run.finished:
        where = f", and in {checkpoint}: call train again to go on" if saved else ""
        print(f"stopped at step {run.steps}; what was learned is kept in the network{where}")
    return run


def set_rate(optimizers, rate):
    for optimizer in optimizers:
        for group in optimizer.param_groups:
            group["lr"] = rate


def denoising_loss(model, x_0, rows, texts, schedule, generator, shard=slice(None), t=None):
    """One lesson of the apprentice: the mean squared error of what it says about dusted pictures.

    rows (B,) are the numbers of the batch's pictures, texts None or what `train` got; x_0
    (b, C, H, W) are the pictures `rows[shard]`, all of them unless several devices share a batch.
    t (B,) says how much dust each gets; left out, every step is as likely as any other.
    Every random number comes from `generator`, so that a training which was interrupted goes on
    exactly as if nothing had happened.
    """
    if x_0.abs().max() > 1.01:
        raise ValueError("pictures must lie in [-1, 1]: wrap the data set in Pictures(...)")
    like = next(model.parameters())
    t = torch.randint(len(schedule), (len(rows),), generator=generator) if t is None else t
    t = t[shard]
    eps = torch.randn(len(rows), *x_0.shape[1:], generator=generator)[shard]
    text = ()
    if texts is not None:
        text = (drop_conditions(texts.sample_captions(rows, generator), generator)[shard].to(like),)
    x_0, eps = x_0.to(like), eps.to(like)
    guess = model(add_noise(x_0, t, eps, schedule), t.to(like.device), *text)
    return F.mse_loss(guess, target(model.predicts, x_0, eps, t, schedule))


def optimizer_step(loss, model, optimizers, step, team):
    """Move the weights one step against the slope of the loss; returns the loss as a float."""
    if not torch.isfinite(loss):
        raise FloatingPointError(
            f"the loss is no longer a number at step {step}: try a smaller learning_rate"
        )
    loss.backward()
    team.average_gradients(model)
    torch.nn.utils.clip_grad_norm_(model.parameters(), CLIP)
    for optimizer in optimizers:
        optimizer.step()
        optimizer.zero_grad()
    return loss.item()


class ProcessGroup:
    """The processes that `accelerate launch` started, one a device, which share every batch.

    They draw the same random numbers, take every n-th picture each, and average their slopes: the
    same training as in one process. Alone (no `accelerate launch`) nothing is shared.
    """

    def __init__(self, batch):
        self.accelerator, rank, size = None, 0, int(os.environ.get("WORLD_SIZE", 1))
        if batch % size:
            raise ValueError(f"{size} devices cannot share batches of {batch}: choose a multiple")
        if size > 1:
            try:
                from accelerate import Accelerator
            except ImportError:
                sentence = 'several devices need the extra: pip install -e ".[multi]"'
                raise ImportError(sentence) from None
            self.accelerator = Accelerator()
            rank = self.accelerator.process_index
        self.shard, self.is_main = slice(rank, None, size), rank == 0

    def broadcast_weights(self, model):
        """All begin with the weights of the first process."""
        if self.accelerator:
            from accelerate.utils import broadcast

            with torch.no_grad():
                for weight in model.state_dict().values():
                    weight.copy_(broadcast(weight))

    def average_gradients(self, model):
        """Every gradient becomes the mean over the processes, in one message."""
        if self.accelerator:
            slopes = [p.grad for p in model.parameters() if p.grad is not None]
            mean = self.accelerator.reduce(torch.cat([s.flatten() for s in slopes]), "mean")
            for slope, part in zip(slopes, mean.split([s.numel() for s in slopes]), strict=True):
                slope.copy_(part.view_as(slope))

    def reduce_stats(self, loss, seconds, stop):
        """The mean loss, the mean time, and whether anybody wants to stop; the same for all."""
        if not self.accelerator:
            return loss, seconds, stop
        mine = torch.tensor([loss, seconds, stop], dtype=torch.float32)
        loss, seconds, stop = self.accelerator.reduce(
            mine.to(self.accelerator.device), "mean"
        ).tolist()
        return loss, seconds, stop > 0


def drop_conditions(text, generator):
    """Condition dropout (arXiv 2207.12598): some pictures lose their prompt, their style or both.

    So the same network learns to work with and without a spell, which guidance compares.
    """
    nothing, no_style, no_prompt = torch.rand(3, len(text), generator=generator)
    hear_style = (nothing >= NO_SPELL) & (no_style >= NO_STYLE)
    hear_prompt = (nothing >= NO_SPELL) & (no_prompt >= NO_PROMPT)
    mask = text.mask & rearrange(hear_prompt, "b -> b 1")
    return replace(text, mask=mask, styles=text.styles * hear_style)


def fetch(pictures, rows, model):
    """A batch (B, C, H, W) of these rows of the data set; one clear sentence if they do not fit."""
    items = [pictures[i] for i in rows.tolist()]
    items = [item[0] if isinstance(item, (tuple, list)) else item for item in items]
    if not all(torch.is_tensor(i) and i.shape == items[0].shape for i in items):
        raise ValueError(
            "pictures of different shapes or kinds: wrap the data set in Pictures(...)"
        )
    x_0 = torch.stack(items)
    check_images(x_0, channels=model.image_shape[0])
    return x_0


@contextmanager
def _stop_between_steps():
    """Ctrl-C sets a flag instead of tearing a step in two; a second one stops at once."""
    stop = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return

    def on_interrupt(*_):
        if stop.is_set():
            raise KeyboardInterrupt
        stop.set()

    before = signal.signal(signal.SIGINT, on_interrupt)
    try:
        yield stop
    finally:
        signal.signal(signal.SIGINT, before)


def _save(path, model, optimizers, run, seed):
    """Whether it worked: a full disk costs the checkpoint, but not the training."""
    tensors = {f"model.{name}": tensor for name, tensor in model.state_dict().items()}
    for i, optimizer in enumerate(optimizers):
        for p, memory in optimizer.state_dict()["state"].items():
            tensors |= {f"optimiser.{i}.{p}.{name}": value for name, value in memory.items()}
    tensors["losses"] = torch.tensor(run.losses, dtype=torch.float64)
    notes = {"config": model.config, "seed": seed, "seconds": run.seconds, "finished": run.finished}
    try:
        save_tensors(path, tensors, notes)
    except OSError as problem:
        print(f"{problem}. What was learned so far is kept in the network.", flush=True)
        return False
    return True


def _resume(path, model, optimizers, seed):
    tensors, notes = load_tensors(path)
    if notes.get("config") != model.config or notes.get("seed") != seed:
        raise ValueError(
            f"{path} belongs to another network or another seed: delete it, or choose another name"
        )
    model.load_state_dict(
        {k.removeprefix("model."): v for k, v in tensors.items() if k.startswith("model.")}
    )
    for i, optimizer in enumerate(optimizers):
        state = optimizer.state_dict()
        for key, value in tensors.items():
            if key.startswith(f"optimiser.{i}."):
                _, _, p, name = key.split(".", 3)
                state["state"].setdefault(int(p), {})[name] = value
        optimizer.load_state_dict(state)
    return TrainingResult(tensors["losses"].tolist(), notes["seconds"], notes["finished"])
