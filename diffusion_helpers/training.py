"""Lesson 03: the Instruction. Cover a picture with noise, guess the noise, learn from the error."""

import hashlib
import signal
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

import torch
import torch.nn.functional as F
from einops import rearrange
from torch import nn

from .checkpoints import SCHEDULE, load_tensors, network_weights, pop_schedule, save_tensors
from .checks import (
    SEED_STRIDE,
    check_checkpoint_path,
    check_count,
    check_images,
    check_seed,
    check_training,
    say,
    seeded_generator,
)
from .denoiser import schedule_of, target, unwrap
from .device import choose_thread_count
from .distributed import ProcessGroup
from .languages import tr
from .noising import Schedule, add_noise, check_schedule
from .optim import LEARNING_RATE, make_optimizers, optimizer_step, set_rate
from .text import Captions, Text

BATCH = 64  # large enough for a gradient of low variance, small enough for many steps in a minute
WARM_UP = 50  # steps; the moment estimates of Muon and AdamW start at 0
P_DROP_TEXT = 0.1  # probability of dropping prompt and style: guidance needs to know both ways
P_DROP_STYLE = 0.15  # of dropping the style where both were kept, so that a prompt works alone
P_DROP_PROMPT = 0.05  # of dropping the prompt where both were kept, so that a style works alone
FIRST_BATCHES = 3  # watched before the warning that all pictures lie in [0, 1]


class PictureSet(Protocol):
    """A map-style data set: a Dataset, a list of pictures, a tensor (N, C, H, W)."""

    def __len__(self) -> int: ...

    def __getitem__(self, i: int, /) -> Any: ...


@dataclass
class TrainingResult:
    """What happened in a training: one loss per step, the seconds, whether it came to its end."""

    losses: list[float] = field(default_factory=list)
    seconds: float = 0.0
    finished: bool = False
    stopped: bool = False  # by the stop button or Ctrl-C

    @property
    def steps(self) -> int:
        return len(self.losses)

    def share_of(self, steps: int | None, seconds: float | None) -> float:
        """How much of a budget in steps, or else in seconds, is spent: 0 to 1."""
        spent, budget = (self.steps, steps) if steps else (self.seconds, seconds)
        return min(1.0, spent / budget)  # type: ignore[operator] # one of the two is given


def print_progress(run: TrainingResult, share: float, model: nn.Module) -> None:
    """One line per report; `share` is the part of the budget that is spent."""
    recent = run.losses[-100:]
    loss = sum(recent) / len(recent)
    say(tr("{:4.0%}  step {}  {:.0f} s  loss {:.4f}", share, run.steps, run.seconds, loss))


def denoising_loss(
    model: Any,
    x_0: torch.Tensor,
    rows: torch.Tensor,
    texts: Text | Captions | None,
    schedule: Schedule,
    generator: torch.Generator,
    shard: slice = slice(None),
    t: torch.Tensor | None = None,
) -> torch.Tensor:
    """Denoising MSE at random t.

    x_0        (b, C, H, W), the pictures of this process: `rows[shard]` of the data set
    rows       (B,) the data set's indices of the whole batch
    texts      None, or what `train` got
    generator  where every random number comes from, so that a training which was interrupted goes
               on exactly as if nothing had happened
    shard      the part of the batch that is this process's; all of it where there is one device
    t          (B,) the noise levels; left out, each is as likely as any other
    """
    if x_0.abs().max() > 1.01:
        raise ValueError(tr("pictures must lie in [-1, 1]: wrap the data set in Pictures(...)"))
    like = next(model.parameters())
    t = torch.randint(len(schedule), (len(rows),), generator=generator) if t is None else t
    t = t[shard]
    eps = torch.randn(len(rows), *x_0.shape[1:], generator=generator)[shard]
    text_args: tuple = ()
    if texts is not None:
        captions = drop_conditions(texts.sample_captions(rows, generator), generator)
        text_args = (captions[shard].to(like),)
    return denoising_error(model, x_0.to(like), t, eps.to(like), schedule, *text_args)


def denoising_error(
    model: Any,
    x_0: torch.Tensor,
    t: torch.Tensor,
    eps: torch.Tensor,
    schedule: Schedule,
    *text_args: Text,
) -> torch.Tensor:
    """The mean squared error of what a network predicts about these pictures under this noise."""
    guess = model(add_noise(x_0, t, eps, schedule), t.to(x_0.device), *text_args)
    return F.mse_loss(guess, target(model.predicts, x_0, eps, t, schedule))


def move_pictures(
    pictures: torch.Tensor,
    shift: torch.Tensor,
    angle: torch.Tensor,
    scale: torch.Tensor,
    mirrored: torch.Tensor,
    shard: slice = slice(None),
) -> torch.Tensor:
    """Pictures (b, C, H, W), white around: each moved, turned, scaled, and mirrored or not.

    shift (B, 2) in half widths, angle (B,) in radians, scale (B,) above 1 makes smaller, mirrored
    (B,) bool; the pictures are those of `shard`.
    """
    cos, sin, side = angle.cos() * scale, angle.sin() * scale, 1 - 2.0 * mirrored
    matrix = torch.stack([side * cos, -side * sin, shift[:, 0], sin, cos, shift[:, 1]], 1)
    matrix = rearrange(matrix, "b (row column) -> b row column", row=2)[shard].to(pictures)
    grid = F.affine_grid(matrix, list(pictures.shape), align_corners=False)
    return F.grid_sample(pictures - 1, grid, align_corners=False) + 1  # white at the edges


def drop_conditions(text: Text, generator: torch.Generator) -> Text:
    """Condition dropout (arXiv 2207.12598): some pictures lose their prompt, their style or both.

    So the same network learns to work with and without a text, which guidance compares.
    """
    u_text, u_style, u_prompt = torch.rand(3, len(text), generator=generator).to(text.mask.device)
    keep_style = (u_text >= P_DROP_TEXT) & (u_style >= P_DROP_STYLE)
    keep_prompt = (u_text >= P_DROP_TEXT) & (u_prompt >= P_DROP_PROMPT)
    mask = text.mask & rearrange(keep_prompt, "b -> b 1")
    return replace(text, mask=mask, styles=text.styles * keep_style)  # style 0 is none


def fetch(pictures: PictureSet, rows: torch.Tensor, model: Any) -> torch.Tensor:
    """A batch (B, C, H, W) of these rows of the data set. Raises ValueError if they do not fit."""
    items = [pictures[i] for i in rows.tolist()]
    items = [item[0] if isinstance(item, (tuple, list)) else item for item in items]
    if not all(torch.is_tensor(i) and i.shape == items[0].shape for i in items):
        raise ValueError(
            tr("pictures of different shapes or kinds: wrap the data set in Pictures(...)")
        )
    x_0 = torch.stack(items)
    check_images(x_0, channels=model.image_shape[0])
    return x_0


def train(
    model: nn.Module,
    pictures: PictureSet,
    steps: int | None = None,
    seconds: float | None = None,
    texts: Text | Captions | None = None,
    schedule: Schedule | None = None,
    seed: int = 0,
    checkpoint: str | Path | None = None,
    report: Callable[[TrainingResult, float, nn.Module], Any] = print_progress,
    reports: int = 10,
    batch: int = BATCH,
    learning_rate: float = LEARNING_RATE,
    loss_fn: Callable[..., torch.Tensor] = denoising_loss,
    clock: Callable[[], float] = time.monotonic,
) -> TrainingResult:
    """Teach `model` to predict what model.predicts says about noisy pictures.

    model       a UNet, on its device, with 32-bit weights
    pictures    any Dataset whose items are float tensors (C, H, W) in [-1, 1], alone or first in a
                tuple: load_emoji().training(), Pictures("my_photos"), Pictures(torchvision data)
    steps or seconds   the budget, exactly one of the two
    texts       what the pictures show, for a model with text: load_words().encode([...]), one
                prompt a picture, or Captions with several
    schedule    the noise schedule; the model remembers it as model.schedule, and samplers use it.
                Left out, the one that the model has already (a new UNet has the cosine)
    seed        decides every random number: which pictures, noise levels, noise, captions
    checkpoint  a .safetensors file, written at every report, and when the training is interrupted
                or the data or loss_fn raises. If it is there already, training goes on from it;
                with the same budget in steps, and pictures that are not random, the result is the
                same as without the interruption
    report      called as report(run, share, model), up to `reports` times, the last at the end; its
                time counts
    batch       pictures per step, drawn with replacement
    learning_rate  the scale of each step; it is multiplied by a linear warm-up of WARM_UP steps,
                and by a linear decay to 0 over the budget
    loss_fn     what to learn instead of denoising: a function like `denoising_loss`
    clock       what counts the seconds

    Under `accelerate launch` (the extra `multi`) all its processes share every batch, and the
    result is that of one process.

    Interrupting (the stop button, Ctrl-C) loses nothing: the step is finished, the network keeps
    what it learned, the checkpoint is written, and the result says `finished=False`. The network is
    left in evaluation mode. Raises ValueError for a wrong budget, pictures or checkpoint, and
    FloatingPointError when the loss stops being a number.
    """
    net = unwrap(model)
    check_training(net, pictures, texts, steps, seconds, (report, loss_fn, clock))
    batch, reports = check_count(batch, "batch"), check_count(reports, "reports")
    schedule = check_schedule(schedule_of(net) if schedule is None else schedule)
    processes, optimizers = ProcessGroup(batch), make_optimizers(net, learning_rate)
    settings = {"seed": check_seed(seed), "batch": batch, "learning_rate": float(learning_rate)}
    file = _TrainingFile(checkpoint, net, optimizers, schedule, settings, processes)
    run, saved = file.resume(pictures), False
    net.schedule = schedule
    warn_about = _picture_warnings(net)
    began = clock() - run.seconds
    with _ready(net, processes, seconds), _stop_between_steps() as stop:
        while not run.finished:
            share_before = run.share_of(steps, seconds)
            warm_up, decay = min(1, (run.steps + 1) / WARM_UP), 1 - share_before
            set_rate(optimizers, learning_rate * warm_up * decay)
            rows, generator = _draw_rows(run.steps, len(pictures), batch, seed)
            with file.saved_on_failure(run):  # nothing in here changes the weights
                x_0 = fetch(pictures, rows[processes.shard], net)
                file.note_first_picture(x_0)
                warn_about(x_0)
                net.train()
                loss = loss_fn(model, x_0, rows, texts, schedule, generator, processes.shard)
            value = optimizer_step(loss, net, optimizers, processes)
            # the flag is read once in a step: a Ctrl-C after this belongs to the next one
            stats = processes.reduce_stats(value, clock() - began, stop.is_set())
            value, run.seconds, stopped = stats
            run.losses.append(value)
            share = run.share_of(steps, seconds)
            run.finished, run.stopped = share == 1, bool(stopped) and share < 1
            reported = int(share_before * reports)
            if int(share * reports) > reported or stopped or run.finished:
                saved = file.save(run)
                net.eval()
                if processes.is_main:
                    report(run, share, model)
                _choose_threads(net, seconds)
            if stopped and not run.finished:
                if processes.is_main:
                    _say_stopped(run.steps, checkpoint if saved else None)
                break
    return run


def _say_stopped(step, checkpoint):
    if checkpoint is None:
        say(tr("stopped at step {}; the network keeps what it learned", step))
        return
    say(
        tr(
            "stopped at step {}; the network keeps what it learned, and in {}: call train again "
            "to go on",
            step,
            checkpoint,
        )
    )


def _choose_threads(net, seconds):
    """Take the faster number of threads on a CPU, unless a budget in steps must be repeatable."""
    if seconds and next(net.parameters()).device.type == "cpu":
        choose_thread_count()


def _picture_warnings(net):
    """A function that gets the batches, and warns once of a wrong size, or of the range [0, 1]."""
    lowest = []

    def warn_about(x_0):
        if len(lowest) >= FIRST_BATCHES:
            return
        lowest.append(x_0.min().item())
        theirs, ours = tuple(x_0.shape[1:]), tuple(net.image_shape)
        if len(lowest) == 1 and theirs != ours:
            warnings.warn(
                tr(
                    "the pictures are {} x {} pixels, and this network was made for {} x {}, "
                    "which `sample` will draw: make both alike, with Pictures(..., size={}) or "
                    "with image_shape={}",
                    theirs[1],
                    theirs[2],
                    ours[1],
                    ours[2],
                    ours[1],
                    theirs,
                ),
                stacklevel=3,
            )
        if len(lowest) == FIRST_BATCHES and min(lowest) >= 0:
            warnings.warn(
                tr(
                    "nothing in the first pictures is below 0: if they lie in [0, 1], give "
                    "train(model, Pictures(your_data), ...), which brings them to [-1, 1]"
                ),
                stacklevel=3,
            )

    return warn_about


@contextmanager
def _ready(net, processes, seconds) -> Iterator[None]:
    """Ready to learn: one start for all processes, and gradients on, whoever switched them off.

    In the end the network is in evaluation mode, come what may.
    """
    processes.broadcast_weights(net)
    _choose_threads(net, seconds)
    try:
        with torch.inference_mode(False), torch.enable_grad():
            yield
    finally:
        net.eval()


@contextmanager
def _stop_between_steps() -> Iterator[threading.Event]:
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
        signal.signal(signal.SIGINT, before or signal.SIG_DFL)  # None: not installed by Python


class _TrainingFile:
    """The checkpoint of a training: weights, optimizers, losses, and what must stay the same."""

    def __init__(self, path, net, optimizers, schedule, settings, processes):
        self.path = None if path is None else check_checkpoint_path(path)
        self.net, self.optimizers, self.schedule = net, optimizers, schedule
        self.settings, self.is_main = settings, processes.is_main

    @torch.inference_mode(False)  # what is read must be able to learn
    def resume(self, pictures) -> TrainingResult:
        """The training in the file, put into network and optimizers; a new one without a file.

        Raises ValueError where the file belongs to another network or another training.
        """
        if self.path is None:
            return TrainingResult()
        self.settings["pictures"] = len(pictures)
        if not self.path.exists():
            return TrainingResult()
        tensors, notes = load_tensors(self.path)
        schedule = pop_schedule(tensors)
        if "losses" not in tensors:
            raise ValueError(
                tr("{} holds no training to go on with: choose another name", self.path)
            )
        self._recheck_first_picture(pictures, notes.get("first_picture"))
        if other := self._difference(notes, schedule):
            raise ValueError(
                tr(
                    "{} belongs to {}: go on with the same, delete the file, or choose another "
                    "name",
                    self.path,
                    other,
                )
            )
        self.net.load_state_dict(network_weights(tensors))
        for i, optimizer in enumerate(self.optimizers):
            state = optimizer.state_dict()
            for key, value in tensors.items():
                if key.startswith(f"optimiser.{i}."):
                    _, _, p, name = key.split(".", 3)
                    state["state"].setdefault(int(p), {})[name] = value
            optimizer.load_state_dict(state)
        if notes["finished"] and self.is_main:
            say(tr("{} holds a finished training: delete it to start a new one", self.path))
        return TrainingResult(tensors["losses"].tolist(), notes["seconds"], notes["finished"])

    def _difference(self, notes, schedule):
        """What differs between the file and this training, in words, or None.

        A setting that is missing in an older file counts as equal.
        """
        config, our_config = notes.get("config"), self.net.config
        if not isinstance(config, dict) or any(
            name not in our_config or our_config[name] != value for name, value in config.items()
        ):
            return tr("another network")
        for name, ours in self.settings.items():
            theirs = notes.get(name, ours)
            if theirs != ours and "picture" in name:
                return tr("a training with other pictures")
            if theirs != ours:
                setting = name.replace("_", " ")
                return tr("a training with {} {} in place of {}", setting, theirs, ours)
        same = torch.equal(schedule.alpha_bar, self.schedule.alpha_bar)
        return None if same else tr("a training with another noise schedule")

    def note_first_picture(self, x_0) -> None:
        """Note the first picture of all, by which the data set will be recognised."""
        if self.path is not None and "first_picture" not in self.settings:
            self.settings["first_picture"] = _first_picture_digest(x_0)

    def _recheck_first_picture(self, pictures, noted) -> None:
        """Fetch the first picture again, to compare it with the file's digest `noted`.

        Where the fetches differ among themselves (augmentation), nothing can be compared.
        """
        batch, seed = self.settings["batch"], self.settings["seed"]
        rows, _ = _draw_rows(0, len(pictures), batch, seed)
        seen = set()
        for _ in range(32):  # a rare augmentation shows itself by then, most probably
            seen.add(_first_picture_digest(fetch(pictures, rows[:1], self.net)))
            if noted in seen or len(seen) > 1:
                self.settings["first_picture"] = noted
                return
        (self.settings["first_picture"],) = seen

    def save(self, run) -> bool:
        """Write the checkpoint. False where there is no path, or where the disk refuses.

        A full disk costs the checkpoint, but not the training. Only the first process writes.
        """
        if self.path is None or not self.is_main:
            return False
        tensors = {f"model.{name}": tensor for name, tensor in self.net.state_dict().items()}
        for i, optimizer in enumerate(self.optimizers):
            for p, memory in optimizer.state_dict()["state"].items():
                tensors |= {f"optimiser.{i}.{p}.{name}": value for name, value in memory.items()}
        tensors["losses"] = torch.tensor(run.losses, dtype=torch.float64)
        tensors[SCHEDULE] = self.schedule.alpha_bar
        notes = {"config": self.net.config, "seconds": run.seconds, "finished": run.finished}
        try:
            save_tensors(self.path, tensors, notes | self.settings)
        except OSError as problem:
            say(tr("{}. What was learned so far is kept in the network.", problem))
            return False
        return True

    @contextmanager
    def saved_on_failure(self, run) -> Iterator[None]:
        """Save the checkpoint if the body raises; the body must not change the weights."""
        try:
            yield
        except BaseException:
            if run.losses and self.save(run):
                say(tr("What was learned until step {} is kept in {}.", run.steps, self.path))
            raise


def _draw_rows(step, n, batch, seed):
    """A step's indices (batch,) of n pictures, drawn with replacement, and its generator."""
    generator = seeded_generator(seed, plus=SEED_STRIDE * step)
    return torch.randint(n, (batch,), generator=generator), generator


def _first_picture_digest(x_0):
    """A short SHA-256 of the first picture."""
    return hashlib.sha256(x_0[0].detach().float().cpu().numpy().tobytes()).hexdigest()[:16]
